/* Where writers append: bytes in memory of any kind.  Plain C, without the C-API.
 *
 * A writer asks for room with rb_need and appends at `p`.  Where the room comes from is the business
 * of `grow`, which belongs to the owner of the memory: nothing is allocated here. */
#ifndef RB_BUFFER_H
#define RB_BUFFER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RB_LIKELY(x) __builtin_expect(!!(x), 1)
#define RB_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define RB_INLINE inline __attribute__((always_inline)) /* where a call costs as much as what is called */
#define RB_COLD __attribute__((noinline, cold))

#define RB_MAX_ROW ((1 << 30) + (1 << 24)) /* _options.MAX_ROW */

/* start == NULL is an empty buffer. */
typedef struct rb_buffer rb_buffer;
struct rb_buffer {
    uint8_t *start, *p, *end;
    size_t peak; /* what has been in use before, fading (rb_memory_reset) */
    size_t mark; /* where the row being written begins; an offset, for `start` moves */
    int (*grow)(rb_buffer *b, size_t need); /* makes room for `need` more bytes; -1 when it cannot */
};

static inline int rb_need(rb_buffer *b, size_t need)
{
    return RB_LIKELY((size_t)(b->end - b->p) >= need) ? 0 : b->grow(b, need);
}

static inline size_t rb_size(const rb_buffer *b)
{
    return (size_t)(b->p - b->start);
}

/* Whether the row being written has too many bytes already. */
static inline int rb_row_is_too_long(const rb_buffer *b)
{
    return rb_size(b) > b->mark + RB_MAX_ROW;
}

static inline int rb_put(rb_buffer *b, const void *data, size_t size)
{
    if (rb_need(b, size))
        return -1;
    uint8_t *p = b->p; /* what is written could be `b` for all the compiler knows */
    memcpy(p, data, size);
    b->p = p + size;
    return 0;
}

#endif
