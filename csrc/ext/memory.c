/* Buffers of plain memory, for what is put together before it is handed out; rows go into a chunk
 * (buffer.c).  Raw memory, which takes no GIL: Python only counts it. */
#include "rowbinary.h"

#define FIRST_SIZE 256 /* there may be thousands of such buffers, and most stay small */
#define BEFORE ((size_t)8 << 20) /* a column has the other rows of its block too */

/* The `grow` of such a buffer. */
int RB_COLD rb_memory_grow(rb_buffer *b, size_t need)
{
    size_t used = rb_size(b), room = (size_t)(b->end - b->start);
    if (need > RB_MAX_ROW || used > b->mark + RB_MAX_ROW + BEFORE)
        return -1;
    size_t wanted = room ? room + room / 2 : FIRST_SIZE;
    if (wanted < used + need)
        wanted = used + need;
    uint8_t *moved = PyMem_RawRealloc(b->start, wanted);
    if (!moved)
        return -1; /* the old memory and what is in it stay */
    b->start = moved;
    b->p = moved + used;
    b->end = moved + wanted;
    return 0;
}

/* The buffer is empty afterwards and can be used again. */
void rb_memory_free(rb_buffer *b)
{
    PyMem_RawFree(b->start);
    b->start = b->p = b->end = NULL;
    b->mark = 0;
}

/* Empty the buffer but for its first `kept` bytes.  Its memory stays for what comes next, unless little of it
 * has been in use for a while. */
void rb_memory_reset(rb_buffer *b, size_t kept)
{
    size_t used = rb_size(b), room = (size_t)(b->end - b->start), faded = b->peak - b->peak / 8;
    b->peak = used > faded ? used : faded;
    b->mark = 0;
    if (b->start)
        b->p = b->start + kept;
    if (room <= 1 << 16 || b->peak >= room / 4)
        return;
    size_t wanted = kept + b->peak + FIRST_SIZE;
    uint8_t *moved = PyMem_RawRealloc(b->start, wanted);
    if (!moved)
        return;
    b->start = moved;
    b->p = moved + kept;
    b->end = moved + wanted;
}
