/* Cells written ahead: of the next rows of a list, column by column.
 *
 * A row goes into many columns, and each cell of it means another type and another place in memory.  Column
 * by column the type is known before the loop, and the values of several rows are fetched at a time.  So
 * when rows are tuples in a list, those cells of a few rows that need no Python code are written first; then
 * the rows follow one by one with what is left of them, as ever (write_row in block.c).
 *
 * Nothing is decided here: where a value is not what it mostly is, the column is left to the rows until the
 * block ends.  What was written ahead for rows that do not follow is cut out again. */
#include "columns.h"
#include "dict_items.h"
#include "write_scalar.h"

/* --- writers: 0, or -1 for a value that is left to the rows ----------------------------------------------- */

/* `sizes` gets the bytes of each row. */
static int put_texts(rb_column *c, PyObject *const *cells, Py_ssize_t count, uint32_t *sizes)
{
    c->known_count = c->block->rows; /* a cut will be about these rows */
    c->known_size = rb_size(&c->out);
    for (Py_ssize_t k = 0; k < count; k++) {
        size_t before = rb_size(&c->out);
        PyObject *text = cells[k];
        if (RB_UNLIKELY(!PyUnicode_CheckExact(text) || PyUnicode_GET_LENGTH(text) > RB_LONG_CELL ||
                        rb_put_str(&c->out, text)))
            return -1;
        sizes[k] = (uint32_t)(rb_size(&c->out) - before);
    }
    return 0;
}

/* Scalars of a fixed width. */
static int put_fixed(rb_encoder *e, rb_column *c, PyObject *const *cells, Py_ssize_t count)
{
    Py_ssize_t k = rb_write_many(&c->out, c->node->op, cells, count);
    while (k < count && !rb_write_value(e, &c->out, c->node, cells[k]))
        k++;
    return k < count ? -1 : 0;
}

/* Scalars of a Nullable: the null map first. */
static int put_nullables(rb_encoder *e, rb_column *c, PyObject *const *cells, Py_ssize_t count, uint32_t *sizes)
{
    rb_column *values = c->child;
    rb_buffer *out = &values->out;
    size_t size = c->block->size;
    int failed = rb_need(&c->out, (size_t)count);
    for (Py_ssize_t k = 0; k < count && !failed; k++) {
        size_t before = rb_size(out);
        int is_null = cells[k] == Py_None;
        *c->out.p++ = (uint8_t)is_null;
        if (is_null) {
            failed = rb_column_default(values);
        } else {
            failed = rb_write_value(e, out, values->node, cells[k]);
            values->count += !failed;
        }
        sizes[k] = (uint32_t)(rb_size(out) - before + 1);
        failed = failed || sizes[k] > RB_LONG_CELL;
    }
    c->count += (size_t)count;
    c->block->size = size; /* the rows are counted when they follow */
    return failed;
}

/* Cells of any other type: containers, and what else may be NULL. */
static int put_any(rb_encoder *e, rb_column *c, PyObject *const *cells, Py_ssize_t count, uint32_t *sizes)
{
    rb_block *b = c->block;
    size_t size = b->size;
    int failed = 0;
    for (Py_ssize_t k = 0; k < count && !failed; k++) {
        failed = rb_column_put(e, c, cells[k]) || b->size - size > RB_LONG_CELL;
        sizes[k] = (uint32_t)(b->size - size);
        b->size = size; /* the row is counted when it follows */
    }
    return failed;
}

static int is_scalar(const rb_column *c)
{
    return c->shape == RB_COL_FIXED || c->shape == RB_COL_TEXT;
}

static int put_cells(rb_encoder *e, rb_column *c, PyObject *const *cells, Py_ssize_t count, uint32_t *sizes)
{
    e->no_calls = 1;
    int failed;
    if (c->shape == RB_COL_TEXT)
        failed = put_texts(c, cells, count, sizes);
    else if (c->shape == RB_COL_FIXED)
        failed = put_fixed(e, c, cells, count);
    else if (c->shape == RB_COL_LOW_CARDINALITY)
        failed = rb_dictionary_put_many(e, c, cells, count, sizes);
    else if (c->shape == RB_COL_NULLABLE && is_scalar(c->child))
        failed = put_nullables(e, c, cells, count, sizes);
    else
        failed = put_any(e, c, cells, count, sizes);
    e->no_calls = 0;
    return failed;
}

/* What the cells hold, one level after the other: the next can be asked for when the one above has come. */
static void fetch_inner(const rb_column *c, PyObject *const *cells, Py_ssize_t count)
{
    int containers = c->shape == RB_COL_ARRAY || c->shape == RB_COL_MAP || c->shape == RB_COL_TUPLE;
    if (!containers && c->node->op != RB_OP_UUID)
        return;
    for (Py_ssize_t k = 0; k < count; k++)
        rb_prefetch_places(cells[k]);
    for (Py_ssize_t k = 0; k < count && containers; k++)
        rb_prefetch_items(cells[k]);
}

/* --- rows -------------------------------------------------------------------------------------------------- */

/* Hold the rows of the list from `index` on that are tuples with a cell for each column. */
static Py_ssize_t hold_rows(const rb_encoder *e, PyObject *list, Py_ssize_t index, PyObject **rows)
{
    Py_ssize_t left = PyList_GET_SIZE(list) - index, most = e->block->ahead_most, count = 0;
    for (; count < left && count < most; count++) {
        PyObject *row = PyList_GET_ITEM(list, index + count);
        if (!PyTuple_Check(row) || PyTuple_GET_SIZE(row) != e->columns)
            break;
        rows[count] = Py_NewRef(row);
        for (Py_ssize_t i = 0; i < e->columns; i++)
            rb_prefetch(PyTuple_GET_ITEM(row, i));
    }
    return count;
}

/* Write column `i` ahead.  Where that fails it is as before. */
static int put_column(rb_encoder *e, Py_ssize_t i, PyObject *const *rows, Py_ssize_t count)
{
    rb_block *b = e->block;
    rb_column *c = b->cells[i].column;
    uint32_t sizes[RB_AHEAD];
    PyObject *cells[RB_AHEAD];
    size_t before = rb_size(&c->out);
    Py_ssize_t k = 0;
    do /* there is a row */
        cells[k] = PyTuple_GET_ITEM(rows[k], i);
    while (++k < count);
    fetch_inner(c, cells, count);
    if (RB_UNLIKELY(put_cells(e, c, cells, count, sizes))) {
        if (b->cells[i].kind != RB_CELL_PLAIN)
            rb_column_cut(c, b->rows);
        else if (c->out.start)
            c->out.p = c->out.start + before;
        return -1;
    }
    if (c->shape == RB_COL_FIXED)
        b->ahead_fixed += c->width;
    else
        for (k = 0; k < count; k++)
            b->ahead_sizes[k] += sizes[k];
    return 0;
}

/* Hold the next rows in `rows`, which has room for RB_AHEAD, and write what can be written of them; returns how
 * many.  Python code does not run. */
Py_ssize_t rb_ahead_open(rb_encoder *e, PyObject *list, Py_ssize_t index, PyObject **rows)
{
    rb_block *b = e->block;
    Py_ssize_t count = hold_rows(e, list, index, rows);
    if (!count)
        return b->ahead_most = 0; /* other rows: not before the next block */
    b->rest_count = 0;
    b->ahead_fixed = 1; /* rows of nothing count too */
    b->ahead_next = b->ahead_sizes;
    memset(b->ahead_sizes, 0, sizeof b->ahead_sizes);
    for (Py_ssize_t i = 0; i < b->columns_count; i++) {
        rb_cell *cell = &b->cells[i];
        cell->ahead = cell->ahead && !put_column(e, i, rows, count);
        if (!cell->ahead)
            b->rest[b->rest_count++] = i;
    }
    b->ahead = count;
    b->ahead_most = 2 * b->ahead_most < RB_AHEAD ? 2 * b->ahead_most : RB_AHEAD;
    if (b->rest_count == b->columns_count)
        b->ahead_most = 0;
    return count;
}

/* The lengths of the row's arrays that are compared with each other. */
static void note_lengths(rb_encoder *e)
{
    const rb_block *b = e->block;
    for (const Py_ssize_t *i = e->grouped; i < e->grouped_end; i++) {
        if (*i < 0 || !b->cells[*i].ahead)
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
        if (k + 2 < count)
            rb_prefetch_places(PyTuple_GET_ITEM(rows[k + 2], i));
        if (k + 1 >= 0 && k + 1 < count)
            rb_prefetch_items(PyTuple_GET_ITEM(rows[k + 1], i));
    }
}

/* What is left of a row. */
int rb_ahead_write_rest(rb_encoder *e, PyObject *row)
{
    rb_block *b = e->block;
    size_t size = *b->ahead_next++ + b->ahead_fixed;
    if (RB_UNLIKELY(e->grouped != NULL))
        note_lengths(e);
    for (Py_ssize_t r = 0; r < b->rest_count; r++) {
        Py_ssize_t i = b->rest[r];
        const rb_cell *at = &b->cells[i];
        int plain = at->kind == RB_CELL_PLAIN;
        size_t before = plain ? rb_size(&at->column->out) : 0;
        if (RB_UNLIKELY(rb_block_put(e, i, PyTuple_GET_ITEM(row, i))))
            return -1;
        size += plain ? rb_size(&at->column->out) - before : 0;
    }
    return rb_gauge(b, size);
}

/* Take back what was written for rows that do not follow. */
void rb_ahead_cut(rb_block *b)
{
    for (Py_ssize_t i = 0; b->ahead && i < b->columns_count; i++)
        if (b->cells[i].ahead)
            rb_column_cut(b->columns[i], b->rows);
    b->ahead = 0;
}
