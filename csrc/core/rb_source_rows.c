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

/* Whether all cells have the same bytes, and so few that they can be converted before they are placed. */
static int has_fixed_size(const rb_source *s)
{
    return s->width && s->width <= NARROW && !s->nullable;
}

/* What the other columns add. */
static int add_sizes(const rb_source *s, int64_t from, int count, uint64_t *sizes)
{
    if (rb_has_plain_ends(s)) {
        uint64_t bad = 0;
        for (int i = 0; i < count; i++)
            sizes[i] += rb_plain_size(s, from + i, &bad) + s->nullable;
        return bad >> 63 ? -1 : 0;
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
    uint64_t fixed = marked ? (uint64_t)column_count : 0;
    for (int64_t k = 0; k < column_count; k++)
        fixed += has_fixed_size(&columns[k]) ? columns[k].width : 0;
    for (int i = 0; i < count; i++)
        sizes[i] = fixed;
    for (int64_t k = 0; k < column_count; k++)
        if (!has_fixed_size(&columns[k]) && add_sizes(&columns[k], from, count, sizes))
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

/* Value i, of those that lie `stride` bytes apart, goes to at[i] + ahead. */
static void scatter(const uint8_t *values, int64_t stride, uint32_t width, int count, uint8_t *const *at,
                    uint64_t ahead)
{
    switch (width) {
#define SCATTER(size)                                                                                     \
    case size:                                                                                            \
        for (int i = 0; i < count; i++)                                                                   \
            memcpy(at[i] + ahead, values + i * stride, size);                                             \
        break;
        SCATTER(1)
        SCATTER(2)
        SCATTER(4)
        SCATTER(8)
        SCATTER(16)
#undef SCATTER
    default:
        for (int i = 0; i < count; i++)
            memcpy(at[i] + ahead, values + i * stride, width);
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

/* Cells of one size, `ahead` bytes behind `at`. */
static int put_fixed(const rb_source *s, int64_t from, int count, uint8_t *const *at, uint64_t ahead)
{
    if (s->shape == RB_AS_IS && !s->nulls) {
        scatter(s->data + (s->offset + from) * s->stride, s->stride, s->width, count, at, ahead);
        return 0;
    }
    uint8_t values[RB_BATCH * NARROW];
    if (rb_pack(s, from, count, values))
        return -1;
    scatter(values, s->width, s->width, count, at, ahead);
    return 0;
}

/* Cells of other sizes; at[i] comes to stand behind its cell. */
static int put_cells(const rb_source *s, int64_t from, int count, uint8_t **at, const uint8_t *limit)
{
    if (s->width && s->width <= NARROW) {
        uint8_t values[RB_BATCH * NARROW];
        return rb_pack(s, from, count, values) ? -1 : scatter_nullable(s, from, values, count, at, limit);
    }
    if (rb_has_plain_ends(s) && !s->nullable) {
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

/* The bytes that columns `k` up to the next of cells of other sizes take, with their marks. */
static uint64_t fixed_run(const rb_source *columns, int64_t k, int64_t column_count, int marked)
{
    uint64_t run = 0;
    for (; k < column_count && has_fixed_size(&columns[k]); k++)
        run += columns[k].width + (marked ? 1 : 0);
    return run + (marked && k < column_count ? 1 : 0);
}

static int have_room(uint8_t *const *at, int count, uint64_t size, const uint8_t *limit)
{
    int bad = 0;
    for (int i = 0; i < count; i++)
        bad |= limit < at[i] || (uint64_t)(limit - at[i]) < size;
    return !bad;
}

static void advance(uint8_t **at, int count, uint64_t size)
{
    for (int i = 0; i < count; i++)
        at[i] += size;
}

/* Sources should not change while they are read, but NumPy arrays of other threads can: cells then have
 * other sizes than were measured.  Nothing is written behind `limit`, and every row has to end where the
 * next begins. */
static int put_batch(const rb_source *columns, int64_t column_count, int marked, int64_t from, int count,
                     uint8_t **out, const uint8_t *limit)
{
    uint64_t sizes[RB_BATCH];
    uint64_t ahead = 0; /* bytes of fixed cells that `at` does not count yet */
    uint8_t *at[RB_BATCH], *start = *out;
    if (batch_sizes(columns, column_count, marked, from, count, sizes))
        return -1;
    for (int i = 0; i < count; i++) {
        at[i] = start;
        if (sizes[i] > (uint64_t)(limit - start))
            return -1;
        start += sizes[i];
    }
    for (int64_t k = 0; k < column_count; k++) {
        if ((k == 0 || !has_fixed_size(&columns[k - 1])) &&
            !have_room(at, count, fixed_run(columns, k, column_count, marked), limit))
            return -1;
        if (marked)
            scatter((const uint8_t *)"", 0, 1, count, at, ahead++);
        if (has_fixed_size(&columns[k])) {
            if (put_fixed(&columns[k], from, count, at, ahead))
                return -1;
            ahead += columns[k].width;
            continue;
        }
        advance(at, count, ahead);
        ahead = 0;
        if (put_cells(&columns[k], from, count, at, limit))
            return -1;
    }
    advance(at, count, ahead);
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
