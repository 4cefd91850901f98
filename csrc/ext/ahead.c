/* Cells written ahead: of the next rows of a list, column by column.
 *
 * A row goes into many columns, and each cell of it means another type and another place in memory.  Column
 * by column the type is known before the loop, and the values of several rows are fetched at a time.  So
 * when rows are tuples in a list, those cells of a few rows that need no Python code are written first; then
 * the rows follow one by one with what is left of them, as ever (write_row in block.c).
 *
 * Nothing is decided here: where a value is not what it mostly is, the column is left to the rows until the
 * block ends.  Columns with documents, which differ more, are tried again behind that row.  What was written
 * ahead for rows that do not follow is cut out again. */
#include "columns.h"
#include "dict_items.h"
#include "write_scalar.h"

#define FEW 4    /* documents: fewer ahead are not worth the work */
#define MOST 256 /* documents that are left to their rows at a time */
#define SMALL 4096 /* bytes of a column: there may be thousands that stay below */

/* --- writers: 0, or -1 for a value that is left to the rows ----------------------------------------------- */

/* `sizes` gets the bytes of each row. */
static int put_texts(rb_column *c, PyObject *const *cells, Py_ssize_t count, uint32_t *sizes, const rb_next *next)
{
    c->known_count = c->block->rows; /* a cut will be about these rows */
    c->known_size = rb_size(&c->out);
    memset(sizes, 0, (size_t)count * sizeof *sizes);
    return rb_write_texts(&c->out, cells, count, 0, 0, sizes, next) == count ? 0 : -1;
}

#define WORD 16 /* bytes of the largest number that is streamed */

static int RB_COLD no_grow(rb_buffer *b, size_t need)
{
    return -1;
}

/* The writer of a type, past the choice of rb_write_value where that is most of it. */
typedef int rb_writer(rb_encoder *, rb_buffer *, const rb_node *, PyObject *);
static rb_writer *writer_of(rb_op op)
{
    switch (op) {
    case RB_OP_UUID:
        return rb_write_uuid;
    case RB_OP_DECIMAL32:
    case RB_OP_DECIMAL64:
    case RB_OP_DECIMAL128:
        return rb_write_decimal;
    default:
        return rb_write_value;
    }
}

/* Scalars from the k-th on, of any type; returns the first that could not be put.  `far`: past the cache. */
static RB_INLINE Py_ssize_t put_words(rb_encoder *e, rb_column *c, PyObject *const *cells, Py_ssize_t k,
                                      Py_ssize_t count, int far, const rb_next *next)
{
    uint8_t word[WORD];
    rb_writer *write = writer_of(c->node->op);
    int inside = c->node->op == RB_OP_UUID; /* its number */
    rb_buffer one = {.start = word, .p = word, .end = word + WORD, .grow = no_grow};
    for (Py_ssize_t i = k; inside && i < k + RB_PLACES && i < count; i++)
        rb_prefetch_places(cells[i]);
    for (; k < count && !write(e, far ? &one : &c->out, c->node, cells[k]); k++) {
        if (inside && k + RB_PLACES < count)
            rb_prefetch_places(cells[k + RB_PLACES]);
        if (far) {
            rb_stream_word(c->out.p, word, c->width);
            c->out.p += c->width;
            one.p = word;
        }
        rb_fetch_next(next, k);
    }
    return k;
}

/* Room for `count` values more.  A column that is not small any more gets what the block is likely to need of it at
 * once, so that it does not move again and again. */
static int need_fixed(rb_column *c, Py_ssize_t count)
{
    size_t need = c->width * (size_t)count, used = rb_size(&c->out);
    if ((size_t)(c->out.end - c->out.p) >= need)
        return 0;
    size_t likely = used + need > SMALL ? c->width * rb_block_likely_rows(c->block) : 0;
    return likely > used + need ? rb_memory_expect(&c->out, likely) : rb_need(&c->out, need);
}

/* Scalars of a fixed width.  In a large block the lines they go to are not in the cache, nor would they stay. */
static int put_fixed(rb_encoder *e, rb_column *c, PyObject *const *cells, Py_ssize_t count, const rb_next *next)
{
    if (need_fixed(c, count))
        return -1;
    if (RB_STREAMS && c->block->size >= RB_FAR && (c->width == 4 || c->width == 8 || c->width == WORD)) {
        Py_ssize_t put = rb_stream_many(&c->out, c->node->op, cells, count, next);
        return put_words(e, c, cells, put, count, 1, next) == count ? 0 : -1;
    }
    Py_ssize_t put = rb_write_many(&c->out, c->node->op, cells, count, next);
    return put_words(e, c, cells, put, count, 0, next) == count ? 0 : -1;
}

/* Scalars of a Nullable: the null map first. */
static int put_nullables(rb_encoder *e, rb_column *c, PyObject *const *cells, Py_ssize_t count, uint32_t *sizes,
                         const rb_next *next)
{
    rb_column *values = c->child;
    rb_buffer *out = &values->out;
    int failed = rb_need(&c->out, (size_t)count);
    for (Py_ssize_t k = 0; k < count && !failed; k++) {
        size_t before = rb_size(out);
        int is_null = cells[k] == Py_None;
        rb_fetch_next(next, k);
        *c->out.p++ = (uint8_t)is_null;
        if (RB_UNLIKELY(is_null && values->no_zero))
            return -1;
        failed = is_null ? rb_put(out, values->node->zero, values->node->zero_size)
                         : rb_write_common(e, out, values->node, cells[k]);
        values->count += !failed;
        sizes[k] = (uint32_t)(rb_size(out) - before + 1);
        failed = failed || sizes[k] > RB_LONG_CELL;
    }
    c->count += (size_t)count;
    return failed;
}

/* What cells further on hold, one level after the other: the next can be asked for when the one above has come. */
static inline void fetch_inside(PyObject *const *cells, Py_ssize_t k, Py_ssize_t count)
{
    if (k + RB_PLACES < count)
        rb_prefetch_places(cells[k + RB_PLACES]);
    if (k + RB_ITEMS >= 0 && k + RB_ITEMS < count)
        rb_prefetch_items(cells[k + RB_ITEMS]);
}

/* Cells of any other type: maps and tuples, and what else may be NULL; returns how many could be put. */
static Py_ssize_t put_any(rb_encoder *e, rb_column *c, PyObject *const *cells, Py_ssize_t count, uint32_t *sizes,
                          const rb_next *next)
{
    for (Py_ssize_t k = -RB_PLACES; k < 0; k++)
        fetch_inside(cells, k, count);
    for (Py_ssize_t k = 0; k < count; k++) {
        rb_fetch_next(next, k);
        fetch_inside(cells, k, count);
        sizes[k] = 0;
        if (RB_UNLIKELY(rb_put_one(e, c, cells[k], &sizes[k])))
            return k;
    }
    return count;
}

static int is_scalar(const rb_column *c)
{
    return c->shape == RB_COL_FIXED || c->shape == RB_COL_TEXT;
}

/* Returns how many of the cells could be put.  `next` is NULL for documents. */
static Py_ssize_t put_cells(rb_encoder *e, rb_column *c, PyObject *const *cells, Py_ssize_t count, uint32_t *sizes,
                            const rb_next *next)
{
    if (c->shape == RB_COL_TEXT)
        return put_texts(c, cells, count, sizes, next) ? 0 : count;
    if (c->shape == RB_COL_FIXED)
        return put_fixed(e, c, cells, count, next) ? 0 : count;
    if (c->shape == RB_COL_LOW_CARDINALITY)
        return rb_dictionary_put_many(e, c, cells, count, sizes, next) ? 0 : count;
    if (c->shape == RB_COL_NULLABLE && is_scalar(c->child))
        return put_nullables(e, c, cells, count, sizes, next) ? 0 : count;
    if (c->shape == RB_COL_JSON)
        return rb_put_documents(e, c, cells, count, sizes);
    if (c->shape == RB_COL_ARRAY)
        return rb_put_arrays(e, c, cells, count, sizes, next);
    return put_any(e, c, cells, count, sizes, next);
}

/* --- rows -------------------------------------------------------------------------------------------------- */

/* Hold the rows of the list from `index` on that are tuples with a cell for each column. */
static Py_ssize_t hold_rows(const rb_encoder *e, PyObject *list, Py_ssize_t index, PyObject **rows)
{
    const rb_block *b = e->block;
    Py_ssize_t left = PyList_GET_SIZE(list) - index, count = 0;
    Py_ssize_t most = b->ahead_most < b->ahead_fit ? b->ahead_most : b->ahead_fit;
    Py_ssize_t even = RB_AHEAD - (Py_ssize_t)(b->rows % RB_AHEAD); /* so that columns get whole lines (rb_stream.h) */
    most = most < even ? most : even;
    for (; count < left && count < most; count++) {
        PyObject *row = PyList_GET_ITEM(list, index + count);
        if (!PyTuple_Check(row) || PyTuple_GET_SIZE(row) != e->columns)
            break;
        rows[count] = Py_NewRef(row);
    }
    return count;
}

/* The rows behind the `count` that are held: tuples that have a cell for each column, or those before once more. */
static void find_next(const rb_encoder *e, PyObject *list, Py_ssize_t first, Py_ssize_t count, rb_next *next)
{
    for (Py_ssize_t k = 0; k < count; k++) {
        PyObject *row = first + k < PyList_GET_SIZE(list) ? PyList_GET_ITEM(list, first + k) : e->block->held[k];
        if (!PyTuple_Check(row) || PyTuple_GET_SIZE(row) != e->columns)
            row = e->block->held[k];
        next->rows[k] = ((PyTupleObject *)row)->ob_item;
    }
}

/* Behind column `i`: of its share of these rows the cells that are not written ahead, and as many tuples of the rows
 * behind them, which begin at `first`. */
static void fetch_share(const rb_encoder *e, PyObject *list, Py_ssize_t first, const rb_next *next, Py_ssize_t from,
                        Py_ssize_t to)
{
    const rb_block *b = e->block;
    for (Py_ssize_t k = from; k < to; k++) {
        if (first + k < PyList_GET_SIZE(list))
            rb_prefetch_tuple(PyList_GET_ITEM(list, first + k), e->columns);
        for (Py_ssize_t r = 0; r < b->late_count; r++)
            rb_prefetch(next->rows[k][b->late[r]], e->reach[b->late[r]]);
    }
}

/* Keep what was written ahead of `count` rows. */
static void cut_column(rb_block *b, const rb_cell *cell, size_t before, Py_ssize_t count)
{
    rb_column *c = cell->column;
    if (cell->kind != RB_CELL_PLAIN)
        rb_column_cut(c, b->rows + (size_t)count);
    else if (c->out.start)
        c->out.p = c->out.start + before;
}

static size_t size_of(const rb_column *c, const uint32_t *sizes, Py_ssize_t count)
{
    size_t bytes = 0;
    if (c->shape == RB_COL_FIXED)
        return c->width * (size_t)count;
    for (Py_ssize_t k = 0; k < count; k++)
        bytes += sizes[k];
    return bytes;
}

/* Whether these rows are so much longer than those before that the other columns are better left to them. */
static int are_long(const rb_block *b, Py_ssize_t count)
{
    return count > 1 && b->ahead_bytes > RB_AHEAD_BYTES;
}

/* Write column `i` ahead, of the rows that are held from `first` on, which is the next; returns of how many.  Only
 * documents are worth it when it cannot be all of them. */
static Py_ssize_t put_column(rb_encoder *e, Py_ssize_t i, Py_ssize_t first, const rb_next *next)
{
    rb_block *b = e->block;
    rb_column *c = b->cells[i].column;
    uint32_t sizes[RB_AHEAD];
    PyObject *cells[RB_AHEAD];
    size_t before = rb_size(&c->out);
    Py_ssize_t count = b->held_count - first, k = 0;
    if (RB_UNLIKELY(are_long(b, count)))
        return 0;
    do /* there is a row */
        cells[k] = PyTuple_GET_ITEM(b->held[first + k], i);
    while (++k < count);
    e->no_calls = 1;
    Py_ssize_t put = put_cells(e, c, cells, count, sizes, next);
    e->no_calls = 0;
    b->ahead_bytes += size_of(c, sizes, put);
    if (RB_UNLIKELY(put < count || are_long(b, count))) {
        PyErr_Clear(); /* it comes again with the row */
        put = b->cells[i].documents && !are_long(b, count) ? put : 0;
        cut_column(b, &b->cells[i], before, put);
    }
    if (c->shape == RB_COL_FIXED && put)
        b->ahead_fixed += c->width;
    else
        for (k = 0; k < put; k++)
            b->ahead_sizes[first + k] += sizes[k];
    return put;
}

/* Whether the documents of row `k` are written, those of some rows behind it too if they can be.  Where the first
 * of them has something unusual it is left to the row; where such come often, so are some more. */
static int put_documents(rb_encoder *e, Py_ssize_t i, Py_ssize_t k)
{
    rb_cell *cell = &e->block->cells[i];
    if (RB_LIKELY(k < cell->ahead))
        return 1;
    if (cell->left) {
        cell->left--;
        return 0;
    }
    Py_ssize_t put = put_column(e, i, k, NULL);
    cell->ahead = k + put;
    if (put >= FEW)
        cell->next_left = 1;
    if (put)
        return 1;
    cell->left = cell->next_left - 1;
    cell->next_left += cell->next_left < MOST ? cell->next_left : 0;
    return 0;
}

/* What is noted of rows that are held, before any column of theirs is written. */
static void open_rows(rb_block *b, PyObject **rows, Py_ssize_t count)
{
    Py_ssize_t *late = b->rest;
    b->rest = b->late;
    b->late = late;
    b->late_count = b->rest_count;
    b->held = rows;
    b->held_count = count;
    b->held_from = b->size;
    b->rest_count = b->next = b->even = 0;
    b->ahead_fixed = 1; /* rows of nothing count too */
    b->ahead_bytes = 0;
    memset(b->ahead_sizes, 0, sizeof b->ahead_sizes);
}

/* Write what can be written of the `count` rows that are held; returns in how many columns some can.  Meanwhile those
 * behind them are asked for, which begin at `first` in the list. */
static Py_ssize_t put_columns(rb_encoder *e, PyObject *list, Py_ssize_t first, Py_ssize_t count)
{
    rb_block *b = e->block;
    rb_next next;
    Py_ssize_t may_go = 0, share = 0;
    find_next(e, list, first, count, &next);
    for (Py_ssize_t i = 0, parts = 0; i < b->columns_count; i++) {
        rb_cell *cell = &b->cells[i];
        cell->ahead = 0;
        next.column = i;
        next.reach = e->reach[i];
        if (cell->may_go_ahead && !cell->documents) {
            cell->ahead = put_column(e, i, 0, &next);
            cell->may_go_ahead = cell->ahead > 0;
        }
        may_go += cell->may_go_ahead;
        if (!cell->ahead)
            b->rest[b->rest_count++] = i;
        Py_ssize_t from = share; /* (i + 1) * count / columns, without a division */
        for (parts += count; parts >= e->columns; parts -= e->columns)
            share++;
        fetch_share(e, list, first + count, &next, from, share);
    }
    return may_go;
}

/* Hold the next rows in `rows`, which has room for RB_AHEAD, and write what can be written of them; returns how
 * many.  Python code does not run. */
Py_ssize_t rb_ahead_open(rb_encoder *e, PyObject *list, Py_ssize_t index, PyObject **rows)
{
    rb_block *b = e->block;
    Py_ssize_t count = hold_rows(e, list, index, rows);
    if (!count)
        return b->ahead_most = 0; /* other rows: not before the next block */
    open_rows(b, rows, count);
    Py_ssize_t may_go = put_columns(e, list, index + count, count);
    b->ahead = count;
    b->whole = b->rest_count || e->grouped ? 0 : count;
    b->ahead_most = !may_go ? 0 : 2 * b->ahead_most < RB_AHEAD ? 2 * b->ahead_most : RB_AHEAD;
    return count;
}

/* Whether the arrays of row `k` that are compared with each other are known to be equally long: where those of
 * some rows are written, they end at the same places. */
static int is_even(rb_encoder *e, Py_ssize_t k)
{
    rb_block *b = e->block;
    if (RB_LIKELY(k < b->even))
        return 1;
    Py_ssize_t until = b->held_count;
    for (const Py_ssize_t *i = e->grouped; i < e->grouped_end; i++)
        if (*i >= 0 && b->cells[*i].ahead < until)
            until = b->cells[*i].ahead;
    if (until <= k)
        return 0;
    size_t first = b->rows ? b->rows - 1 : 0, size = 8 * (b->rows + (size_t)(until - k) - first);
    const uint8_t *before = NULL;
    for (const Py_ssize_t *i = e->grouped; i < e->grouped_end; i++) {
        const uint8_t *ends = *i < 0 ? NULL : b->columns[*i]->out.start + 8 * first;
        if (ends && before && memcmp(ends, before, size))
            return 0;
        before = ends; /* NULL between two groups */
    }
    b->even = until;
    return 1;
}

/* The lengths of the row's arrays that are compared with each other. */
static void note_lengths(rb_encoder *e, Py_ssize_t k)
{
    const rb_block *b = e->block;
    for (const Py_ssize_t *i = e->grouped; i < e->grouped_end; i++) {
        if (*i < 0 || b->cells[*i].ahead <= k)
            continue;
        uint64_t ends[2] = {0, 0};
        const uint8_t *end = b->columns[*i]->out.start + 8 * b->rows;
        memcpy(b->rows ? ends : ends + 1, b->rows ? end - 8 : end, b->rows ? 16 : 8);
        e->lengths[*i] = (Py_ssize_t)(ends[1] - ends[0]);
    }
}

/* While row `k` of those held is written: what the next ones have in the columns that were not written ahead. */
void rb_ahead_fetch(const rb_block *b, PyObject *const *rows, Py_ssize_t k, Py_ssize_t count)
{
    for (Py_ssize_t r = 0; r < b->rest_count; r++) {
        Py_ssize_t i = b->rest[r];
        if (b->cells[i].may_go_ahead && !b->cells[i].left)
            continue;
        if (k + 2 < count)
            rb_prefetch_places(PyTuple_GET_ITEM(rows[k + 2], i));
        if (k + 1 >= 0 && k + 1 < count)
            rb_prefetch_items(PyTuple_GET_ITEM(rows[k + 1], i));
    }
}

/* The rows before this one have nothing left. */
static Py_ssize_t find_whole(const rb_encoder *e)
{
    const rb_block *b = e->block;
    Py_ssize_t whole = e->grouped ? b->even : b->held_count;
    for (Py_ssize_t r = 0; r < b->rest_count; r++) {
        const rb_cell *cell = &b->cells[b->rest[r]];
        whole = cell->ahead < whole ? cell->ahead : whole;
    }
    return whole;
}

/* What is left of a row. */
int rb_ahead_write_rest(rb_encoder *e, PyObject *row)
{
    rb_block *b = e->block;
    Py_ssize_t k = b->next++;
    size_t size = b->ahead_fixed;
    for (Py_ssize_t r = 0; r < b->rest_count; r++) {
        Py_ssize_t i = b->rest[r];
        const rb_cell *at = &b->cells[i];
        if (at->may_go_ahead && put_documents(e, i, k))
            continue;
        int plain = at->kind == RB_CELL_PLAIN;
        size_t before = plain ? rb_size(&at->column->out) : 0;
        if (RB_UNLIKELY(rb_block_put(e, i, PyTuple_GET_ITEM(row, i))))
            return -1;
        size += plain ? rb_size(&at->column->out) - before : 0;
    }
    if (e->grouped && RB_UNLIKELY(!is_even(e, k))) {
        note_lengths(e, k);
        if (rb_check_groups(e))
            return -1;
    }
    b->whole = find_whole(e);
    return rb_gauge(b, size + b->ahead_sizes[k]);
}

/* Take back what was written for rows that do not follow. */
void rb_ahead_cut(rb_block *b)
{
    for (Py_ssize_t i = 0; b->ahead && i < b->columns_count; i++)
        if (b->cells[i].ahead)
            rb_column_cut(b->columns[i], b->rows);
    b->ahead = b->whole = 0;
}
