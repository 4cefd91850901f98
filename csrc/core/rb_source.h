/* What the files that write sources (rb_columns.h) share. */
#ifndef RB_SOURCE_H
#define RB_SOURCE_H

#include <string.h>

#include "rb_bytes.h"
#include "rb_columns.h"

#define RB_BATCH 256           /* values that are converted at once: their intermediate forms stay in L1 */
#define RB_MAX_NESTING 64      /* levels of a type that may come this way */

/* rb_source.c: `count` values of a fixed width, one after another; NULL is zero bytes. -1: refused. */
int rb_pack(const rb_source *s, int64_t from, int64_t count, uint8_t *out);
/* The same for texts, which end at `limit` at most: where they end, or NULL. */
uint8_t *rb_pack_texts(const rb_source *s, int64_t from, int64_t count, uint8_t *out, const uint8_t *limit);
int64_t rb_texts_size(const rb_source *s, int64_t from, int64_t count);

static inline int64_t rb_index_at(const rb_source *s, int64_t i)
{
    const uint8_t *p = s->data + (s->offset + i) * s->stride;
    switch (s->load) {
#define RB_CASE(kind, type)                                                                               \
    case kind: {                                                                                          \
        type value;                                                                                       \
        memcpy(&value, p, sizeof value);                                                                  \
        return (int64_t)value;                                                                            \
    }
        RB_CASE(RB_I8, int8_t)
        RB_CASE(RB_I16, int16_t)
        RB_CASE(RB_I32, int32_t)
        RB_CASE(RB_U8, uint8_t)
        RB_CASE(RB_U16, uint16_t)
        RB_CASE(RB_U32, uint32_t)
#undef RB_CASE
    default: {
        int64_t value; /* an unsigned one of 2^63 and more is negative: no index */
        memcpy(&value, p, sizeof value);
        return value;
    }
    }
}

/* Whether value i is NULL; an index that is too large is for the caller to find. */
static inline int rb_is_null(const rb_source *s, int64_t i)
{
    int64_t at = s->offset + i;
    switch (s->nulls) {
    case RB_VALID_BITS:
        if (!(s->validity[at >> 3] >> (at & 7) & 1))
            return 1;
        break;
    case RB_NULL_BYTES:
        if (s->validity[at])
            return 1;
        break;
    case RB_LEAST: {
        int64_t value;
        memcpy(&value, s->data + at * s->stride, sizeof value);
        if (value == INT64_MIN)
            return 1;
        break;
    }
    }
    if (s->shape == RB_CODED && s->children[0].nulls) {
        int64_t index = rb_index_at(s, i);
        return index >= 0 && index < s->length && rb_is_null(&s->children[0], index);
    }
    return 0;
}

static inline int rb_may_have_nulls(const rb_source *s)
{
    return s->nulls || (s->shape == RB_CODED && s->children[0].nulls);
}

/* Whether there is a NULL among values for which there must not be one. */
static inline int rb_has_null(const rb_source *s, int64_t from, int64_t count)
{
    if (rb_may_have_nulls(s))
        for (int64_t i = from; i < from + count; i++)
            if (rb_is_null(s, i))
                return 1;
    return 0;
}

/* Where element 0 of list i is, in values of the child; i may be the number of lists. */
static inline int64_t rb_end_at(const rb_source *s, int64_t i)
{
    int64_t at = s->offset + i;
    if (s->load == RB_ENDS32) {
        int32_t end;
        memcpy(&end, s->ends + at * 4, sizeof end);
        return end;
    }
    if (s->load == RB_ENDS64) {
        int64_t end;
        memcpy(&end, s->ends + at * 8, sizeof end);
        return end;
    }
    return at * s->each;
}

/* The elements, or bytes, from offset `start` to offset `end`; -1 when they are damaged. */
static inline int64_t rb_between(int64_t start, int64_t end)
{
    return start < 0 || end < start ? -1 : end - start;
}

/* The bytes of text i and where they are; -1 when that cannot be. */
static inline int64_t rb_text_at(const rb_source *s, int64_t i, const uint8_t **text)
{
    int64_t size;
    if (s->load == RB_ENDS32 || s->load == RB_ENDS64) {
        int64_t start = rb_end_at(s, i);
        size = rb_between(start, rb_end_at(s, i + 1));
        if (size < 0 || size > RB_MAX_STRING)
            return -1;
        *text = s->data + start;
        return size;
    }
    const uint8_t *p = s->data + (s->offset + i) * s->stride;
    if (s->load == RB_VIEWS) {
        int32_t view[4];
        memcpy(view, p, sizeof view);
        if (view[0] <= 12) {
            *text = p + 4;
            return view[0] < 0 ? -1 : view[0];
        }
        if (view[2] < 0 || view[2] >= s->piece_count || view[3] < 0 || view[0] > RB_MAX_STRING)
            return -1;
        *text = s->pieces[view[2]] + view[3];
        return view[0];
    }
    size = s->each; /* bytes of each text */
    if (s->load == RB_PADDED)
        while (size && !p[size - 1])
            size--;
    *text = p;
    return size;
}

/* The usual texts: with ends, none of them NULL. */
static inline int rb_has_plain_ends(const rb_source *s)
{
    return s->shape == RB_TEXT && !s->nulls && (s->load == RB_ENDS32 || s->load == RB_ENDS64);
}

/* The bytes of such a text with its length in front; `bad` is negative when that cannot be.  Without a
 * branch, for there are many. */
static inline uint64_t rb_plain_size(const rb_source *s, int64_t i, uint64_t *bad)
{
    uint64_t start = (uint64_t)rb_end_at(s, i), end = (uint64_t)rb_end_at(s, i + 1), size = end - start;
    *bad |= start | end | size | (RB_MAX_STRING - size);
    return size + rb_varint_size(size);
}

/* The same, found through the dictionary if there is one; NULL is an empty text. */
static inline int64_t rb_find_text(const rb_source *s, int64_t i, const uint8_t **text)
{
    if (rb_is_null(s, i)) {
        *text = NULL;
        return s->nullable ? 0 : -1;
    }
    if (s->shape != RB_CODED)
        return rb_text_at(s, i, text);
    int64_t index = rb_index_at(s, i);
    return index < 0 || index >= s->length ? -1 : rb_text_at(&s->children[0], index, text);
}

static inline int rb_is_zero(const uint8_t *p, int64_t size)
{
    while (size && !*p)
        p++, size--;
    return !size;
}

/* Appends a text; NULL when it is damaged, or has changed since it was measured and has no room now. */
static inline uint8_t *rb_put_text(uint8_t *out, const uint8_t *limit, const uint8_t *text, int64_t size)
{
    if (size < 0 || limit - out < size + (int64_t)rb_varint_size((uint64_t)size))
        return NULL;
    out = rb_put_varint(out, (uint64_t)size);
    rb_copy(out, text, (size_t)size);
    return out + size;
}

#endif
