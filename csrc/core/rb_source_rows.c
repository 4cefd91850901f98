/* Sources to rows in RowBinary.
 *
 * Rows are written a batch at a time, column by column: the sizes of all cells say where each row
 * begins, then every column writes its cells and leaves each row's place behind its cell.  So a loop
 * has one column to do, although the rows lie one after another.  What is in lists and structs is
 * written cell by cell. */
#include "rb_source.h"

#define NARROW 32 /* the widest value that is converted before it is put into its place */

static int64_t cell_size(const rb_source *s, int64_t i);
static uint8_t *put_cell(const rb_source *s, int64_t i, uint8_t *out, const uint8_t *limit);

/* --- sizes ------------------------------------------------------------------------------------- */

static int64_t elements_size(const rb_source *s, int64_t from, int64_t count)
{
    if (!s->nullable && s->width)
        return count > RB_MAX_STRING ? -1 : count * s->width;
    if (!s->nullable && s->shape != RB_LIST && s->shape != RB_STRUCT)
        return rb_texts_size(s, from, count);
    int64_t total = 0;
    for (int64_t i = from; i < from + count; i++) {
        int64_t size = cell_size(s, i);
        if (size < 0)
            return -1;
        total += size;
    }
    return total;
}

static int64_t list_size(const rb_source *s, int64_t i)
{
    int64_t start = rb_end_at(s, i), count = rb_between(start, rb_end_at(s, i + 1));
    if (count < 0 || rb_is_null(s, i))
        return -1;
    int64_t size = elements_size(&s->children[0], start, count);
    return size < 0 ? -1 : size + rb_varint_size((uint64_t)count);
}

/* -1: refused. */
static int64_t cell_size(const rb_source *s, int64_t i)
{
    if (s->nullable && rb_is_null(s, i))
        return 1;
    int64_t size = 0;
    if (s->shape == RB_CELLS)
        return rb_end_at(s, i + 1) - rb_end_at(s, i);
    if (s->width) {
        size = s->width;
    } else if (s->shape == RB_LIST) {
        size = list_size(s, i);
    } else if (s->shape == RB_STRUCT) {
        if (rb_is_null(s, i))
            return -1;
        for (uint32_t k = 0; k < s->child_count; k++) {
            int64_t child = cell_size(&s->children[k], s->offset + i);
            if (child < 0)
                return -1;
            size += child;
        }
    } else {
        size = rb_texts_size(s, i, 1);
    }
    return size < 0 ? -1 : size + s->nullable;
}

static int add_sizes(const rb_source *s, int64_t from, int count, uint64_t *sizes)
{
    if (s->width && !s->nullable) {
        for (int i = 0; i < count; i++)
            sizes[i] += s->width;
        return 0;
    }
    if (s->shape == RB_TEXT && !s->nulls && (s->load == RB_ENDS32 || s->load == RB_ENDS64)) {
        uint64_t start = (uint64_t)rb_end_at(s, from), bad = start;
        for (int i = 0; i < count; i++) {
            uint64_t end = (uint64_t)rb_end_at(s, from + i + 1), size = end - start;
            bad |= end | size | (RB_MAX_STRING - size);
            sizes[i] += size + rb_varint_size(size) + s->nullable;
            start = end;
        }
        return bad >> 63 ? -1 : 0; /* what is negative, or too long, leaves its sign */
    }
    for (int i = 0; i < count; i++) {
        int64_t size = cell_size(s, from + i);
        if (size < 0)
            return -1;
        sizes[i] += (uint64_t)size;
    }
    return 0;
}

static int batch_sizes(const rb_source *columns, int64_t column_count, int marked, int64_t from, int count,
                       uint64_t *sizes)
{
    for (int i = 0; i < count; i++)
        sizes[i] = marked ? (uint64_t)column_count : 0;
    for (int64_t k = 0; k < column_count; k++)
        if (add_sizes(&columns[k], from, count, sizes))
            return -1;
    return 0;
}

int64_t rb_rows_measure(const rb_source *columns, int64_t column_count, int marked, int64_t from,
                        int64_t to, uint64_t enough, uint64_t *size)
{
    uint64_t total = 0, sizes[RB_BATCH];
    for (int64_t row = from; row < to; row += RB_BATCH) {
        int count = to - row < RB_BATCH ? (int)(to - row) : RB_BATCH;
        if (batch_sizes(columns, column_count, marked, row, count, sizes))
            return -1;
        for (int i = 0; i < count; i++) {
            total += sizes[i];
            if (total >= enough) {
                *size = total;
                return row + i + 1 - from;
            }
        }
    }
    *size = total;
    return to - from;
}

/* --- one cell ---------------------------------------------------------------------------------- */

static uint8_t *put_elements(const rb_source *s, int64_t from, int64_t count, uint8_t *out,
                             const uint8_t *limit)
{
    if (!s->nullable && s->width) {
        if (limit - out < count * s->width || rb_pack(s, from, count, out))
            return NULL;
        return out + count * s->width;
    }
    if (!s->nullable && s->shape != RB_LIST && s->shape != RB_STRUCT)
        return rb_pack_texts(s, from, count, out, limit);
    for (int64_t i = from; out && i < from + count; i++)
        out = put_cell(s, i, out, limit);
    return out;
}

static uint8_t *put_list(const rb_source *s, int64_t i, uint8_t *out, const uint8_t *limit)
{
    int64_t start = rb_end_at(s, i), count = rb_between(start, rb_end_at(s, i + 1));
    if (count < 0 || limit - out < (int64_t)rb_varint_size((uint64_t)count))
        return NULL;
    out = rb_put_varint(out, (uint64_t)count);
    return put_elements(&s->children[0], start, count, out, limit);
}

/* Where the cell ends; NULL: refused. */
static uint8_t *put_cell(const rb_source *s, int64_t i, uint8_t *out, const uint8_t *limit)
{
    if (s->shape == RB_CELLS) {
        int64_t start = rb_end_at(s, i), size = rb_end_at(s, i + 1) - start;
        if (limit - out < size)
            return NULL;
        memcpy(out, s->data + start, (size_t)size);
        return out + size;
    }
    if (s->nullable) {
        if (out >= limit)
            return NULL;
        *out++ = (uint8_t)rb_is_null(s, i);
        if (out[-1])
            return out;
    }
    if (s->shape == RB_LIST)
        return put_list(s, i, out, limit);
    if (s->shape == RB_STRUCT) {
        for (uint32_t k = 0; out && k < s->child_count; k++)
            out = put_cell(&s->children[k], s->offset + i, out, limit);
        return out;
    }
    if (!s->width)
        return rb_pack_texts(s, i, 1, out, limit);
    if (limit - out < s->width || rb_pack(s, i, 1, out))
        return NULL;
    return out + s->width;
}

/* --- a batch of cells -------------------------------------------------------------------------- */

/* values[i] goes to at[i], which then is behind it. */
static int scatter(const uint8_t *values, uint32_t width, int count, uint8_t **at, const uint8_t *limit)
{
    switch (width) {
#define SCATTER(size)                                                                                     \
    case size:                                                                                            \
        for (int i = 0; i < count; i++) {                                                                 \
            if (limit - at[i] < size)                                                                     \
                return -1;                                                                                \
            memcpy(at[i], values + (size_t)i * size, size);                                               \
            at[i] += size;                                                                                \
        }                                                                                                 \
        return 0;
        SCATTER(1)
        SCATTER(2)
        SCATTER(4)
        SCATTER(8)
        SCATTER(16)
#undef SCATTER
    default:
        for (int i = 0; i < count; i++) {
            if (limit - at[i] < width)
                return -1;
            memcpy(at[i], values + (size_t)i * width, width);
            at[i] += width;
        }
        return 0;
    }
}

/* A byte says whether a value follows. */
static int scatter_nullable(const rb_source *s, int64_t from, const uint8_t *values, int count, uint8_t **at,
                            const uint8_t *limit)
{
    for (int i = 0; i < count; i++) {
        int null = rb_is_null(s, from + i);
        if (limit - at[i] < 1 + (null ? 0 : s->width))
            return -1;
        *at[i]++ = (uint8_t)null;
        if (!null) {
            memcpy(at[i], values + (size_t)i * s->width, s->width);
            at[i] += s->width;
        }
    }
    return 0;
}

static int put_cells(const rb_source *s, int64_t from, int count, uint8_t **at, const uint8_t *limit)
{
    if (s->width && s->width <= NARROW) {
        uint8_t values[RB_BATCH * NARROW];
        if (rb_pack(s, from, count, values))
            return -1;
        return s->nullable ? scatter_nullable(s, from, values, count, at, limit)
                           : scatter(values, s->width, count, at, limit);
    }
    if (!s->width && !s->nullable && s->shape == RB_TEXT && !s->nulls) {
        for (int i = 0; i < count; i++) {
            const uint8_t *text;
            int64_t size = rb_text_at(s, from + i, &text);
            if (!(at[i] = rb_put_text(at[i], limit, text, size)))
                return -1;
        }
        return 0;
    }
    for (int i = 0; i < count; i++)
        if (!(at[i] = put_cell(s, from + i, at[i], limit)))
            return -1;
    return 0;
}

/* Sources should not change while they are read, but NumPy arrays of other threads can: cells then have
 * other sizes than were measured.  Nothing is written behind `limit`, and every row has to end where the
 * next begins. */
static int put_batch(const rb_source *columns, int64_t column_count, int marked, int64_t from, int count,
                     uint8_t **out, const uint8_t *limit)
{
    uint64_t sizes[RB_BATCH];
    uint8_t marks[RB_BATCH] = {0}, *at[RB_BATCH], *start = *out;
    if (batch_sizes(columns, column_count, marked, from, count, sizes))
        return -1;
    for (int i = 0; i < count; i++) {
        at[i] = start;
        if (sizes[i] > (uint64_t)(limit - start))
            return -1;
        start += sizes[i];
    }
    for (int64_t k = 0; k < column_count; k++) {
        if (marked && scatter(marks, 1, count, at, limit))
            return -1;
        if (put_cells(&columns[k], from, count, at, limit))
            return -1;
    }
    start = *out;
    for (int i = 0; i < count; i++)
        if (at[i] != (start += sizes[i]))
            return -1;
    *out = start;
    return 0;
}

int rb_rows_write(const rb_source *columns, int64_t column_count, int marked, int64_t from, int64_t count,
                  uint8_t *out, uint64_t size)
{
    const uint8_t *limit = out + size;
    for (int64_t done = 0; done < count; done += RB_BATCH) {
        int batch = count - done < RB_BATCH ? (int)(count - done) : RB_BATCH;
        if (put_batch(columns, column_count, marked, from + done, batch, &out, limit))
            return -1;
    }
    return out == limit ? 0 : -1;
}

int64_t rb_other_length(const rb_source *one, const rb_source *other, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++)
        if (rb_between(rb_end_at(one, i), rb_end_at(one, i + 1)) !=
            rb_between(rb_end_at(other, i), rb_end_at(other, i + 1)))
            return i;
    return to;
}
