/* The open block of a Native encoder: rows come in, and go out together.
 *
 * A row is written cell by cell into the columns, where some cells may be already (ahead.c).  One that fails
 * is cut out of them again and given to the reference encoder, as in rows.c; what that writes is dealt out to
 * the columns. */
#include "column_json.h"

/* rowbinary._native: a block ends with the row that brings it to one of these. */
#define BLOCK_ROWS ((size_t)1 << 16)
#define BLOCK_BYTES ((size_t)4 << 20)
#define GOING_ON 4 /* a block goes on by this part of it, at most, to the end of a list */
#define KINDS_KEPT 4096 /* types of Dynamic values remembered from block to block */

/* Whether values of the column may be written before other cells of their rows (ahead.c): not where the types of a
 * row decide something.  Where its paths do, it is not done either (put_documents.c). */
static int may_go_ahead(const rb_column *c, int containers)
{
    switch (c->shape) {
    case RB_COL_JSON:
        for (Py_ssize_t i = 0; i < c->json->typed_count; i++)
            if (!may_go_ahead(c->json->typed[i], 1))
                return 0;
        return !c->node->defaults;
    case RB_COL_FIXED:
        return c->width <= RB_LONG_CELL; /* their cells are not looked at one by one */
    case RB_COL_TEXT:
    case RB_COL_LOW_CARDINALITY:
        return 1;
    case RB_COL_NULLABLE:
        return may_go_ahead(c->child, containers);
    case RB_COL_ARRAY:
    case RB_COL_MAP:
    case RB_COL_TUPLE:
        for (Py_ssize_t i = 0; i < c->children_count; i++)
            containers = containers && may_go_ahead(c->children[i], containers);
        return containers;
    default:
        return 0;
    }
}

static int has_documents(const rb_column *c)
{
    int found = c->shape == RB_COL_JSON;
    for (Py_ssize_t i = 0; i < c->children_count && !found; i++)
        found = has_documents(c->children[i]);
    return found;
}

/* Where some column is left to the rows, containers are too: what these hold does not stay in the cache for as
 * long as a batch takes. */
static void note_ahead(rb_block *b)
{
    int containers = 1;
    for (Py_ssize_t i = 0; i < b->columns_count; i++)
        containers = containers && (b->absent[i] || may_go_ahead(b->columns[i], 1));
    for (Py_ssize_t i = 0; i < b->columns_count; i++) {
        b->cells[i].may_go_ahead = !b->absent[i] && may_go_ahead(b->columns[i], containers);
        b->cells[i].documents = has_documents(b->columns[i]);
        b->cells[i].next_left = 1;
    }
    /* Rows written ahead are not too long, even if all of their cells are long, of four bytes a character. */
    b->ahead_most = b->columns_count <= RB_MAX_ROW / (4 * RB_LONG_CELL) ? RB_AHEAD : 0;
}

/* Which cells are plain: scalars of columns that the block has. */
static void note_cells(rb_block *b)
{
    b->fixed_size = b->text_size = 0;
    b->texts_count = 0;
    for (Py_ssize_t i = 0; i < b->columns_count; i++) {
        rb_column *c = b->columns[i];
        int plain = !b->absent[i] && (c->shape == RB_COL_FIXED || c->shape == RB_COL_TEXT);
        rb_cell_kind kind = plain                                                  ? RB_CELL_PLAIN
                            : !b->absent[i] && c->shape == RB_COL_LOW_CARDINALITY ? RB_CELL_DICTIONARY
                                                                                  : RB_CELL_OTHER;
        b->cells[i] = (rb_cell){.kind = kind, .column = b->absent[i] ? NULL : c, .node = c->node};
        if (plain && c->shape == RB_COL_TEXT)
            b->texts[b->texts_count++] = c;
        else if (plain)
            b->fixed_size += c->width;
    }
    note_ahead(b);
}

static int open_columns(rb_encoder *e)
{
    rb_block *b = e->block;
    b->opening = 1;
    for (; b->columns_count < e->columns; b->columns_count++) {
        b->columns[b->columns_count] = rb_column_new(b, e->nodes[b->columns_count]);
        if (!b->columns[b->columns_count])
            return -1;
    }
    b->opening = 0;
    note_cells(b);
    return 0;
}

int rb_block_open(rb_encoder *e)
{
    size_t room = (size_t)e->columns + 1;
    if (rb_import_native())
        return -1;
    rb_block *b = e->block = PyMem_Calloc(1, sizeof *b);
    if (!b)
        return -1;
    b->calls = &e->calls;
    b->json = e->json;
    b->ahead_fit = 1; /* until their length is known */
    b->scratch.grow = rb_memory_grow;
    b->columns = PyMem_Calloc(room, sizeof *b->columns);
    b->texts = PyMem_Calloc(room, sizeof *b->texts);
    b->cells = PyMem_Calloc(room, sizeof *b->cells);
    b->rest = PyMem_Calloc(room, sizeof *b->rest);
    b->late = PyMem_Calloc(room, sizeof *b->late);
    b->absent = PyMem_Calloc(room, 1);
    return b->columns && b->texts && b->cells && b->rest && b->late && b->absent ? open_columns(e) : -1;
}

void rb_block_free(rb_encoder *e)
{
    rb_block *b = e->block;
    if (!b)
        return;
    while (b->columns_count)
        rb_column_free(b->columns[--b->columns_count]);
    rb_forget_kinds(b);
    rb_memory_free(&b->scratch);
    PyMem_Free(b->batch);
    PyMem_Free(b->columns);
    PyMem_Free(b->texts);
    PyMem_Free(b->cells);
    PyMem_Free(b->rest);
    PyMem_Free(b->late);
    PyMem_Free(b->absent);
    PyMem_Free(b->touched);
    PyMem_Free(b);
    e->block = NULL;
}

/* --- rows ----------------------------------------------------------------------------------------------- */

/* The bytes of all plain cells of text. */
static inline size_t texts_size(const rb_block *b)
{
    size_t size = 0;
    for (Py_ssize_t i = 0; i < b->texts_count; i++)
        size += rb_size(&b->texts[i]->out);
    return size;
}

/* Note the bytes of the plain cells of a row; -1 when it has too many. */
static inline int note_plain(rb_block *b)
{
    size_t before = b->text_size;
    b->text_size = texts_size(b);
    return rb_gauge(b, b->text_size - before + b->fixed_size + 1); /* 1: rows of nothing count too */
}

/* Tell the plain columns how many values they have. */
static void note_counts(rb_block *b)
{
    for (Py_ssize_t i = 0; i < b->columns_count; i++)
        if (b->cells[i].kind == RB_CELL_PLAIN)
            b->columns[i]->count = b->rows;
}

/* Give the columns their values of a row in RowBinary; the number of the column that failed, or -1. */
static Py_ssize_t deal(rb_block *b, rb_reader *r)
{
    for (Py_ssize_t i = 0; i < b->columns_count; i++)
        if (!b->absent[i] && RB_UNLIKELY(rb_column_take(b->columns[i], r)))
            return i;
    return -1;
}

static void untouch(rb_block *b)
{
    for (size_t i = 0; i < b->touched_count; i++) {
        b->touched[i]->json->touched = 0;
        rb_json_trim(b->touched[i]);
    }
    b->touched_count = 0;
}

/* In an empty block: what is known of very many types of Dynamic values is not worth its memory. */
static void forget_kinds(rb_block *b)
{
    if (b->kinds_count <= KINDS_KEPT)
        return;
    for (Py_ssize_t i = 0; i < b->columns_count; i++)
        rb_column_forget(b->columns[i]);
    rb_forget_kinds(b);
}

/* Take the row back that was being written. */
static int RB_COLD cut_row(rb_block *b)
{
    int failed = 0;
    note_counts(b);
    for (Py_ssize_t i = 0; i < b->columns_count; i++)
        failed |= rb_column_cut(b->columns[i], b->rows);
    b->ahead = b->whole = 0;
    b->ahead_most = 1; /* and more when that goes well */
    untouch(b);
    b->text_size = texts_size(b);
    b->size = b->start;
    if (!b->rows)
        forget_kinds(b);
    return failed;
}

/* The error for a row that column `i` did not take. */
static int RB_COLD refuse(rb_encoder *e, Py_ssize_t i, Py_ssize_t index)
{
    rb_fault fault = e->block->fault;
    cut_row(e->block);
    if (PyErr_Occurred())
        return -1;
    if (fault == RB_NO_FAULT) {
        PyErr_NoMemory();
        return -1;
    }
    PyObject *done = PyObject_CallFunction(rb_py.refuse, "nOi", index, PyTuple_GET_ITEM(e->names, i),
                                           (int)fault - 1);
    Py_XDECREF(done);
    return -1;
}

/* The columns that the row leaves to the server: another set than that of the block ends it. */
static int set_absent(rb_encoder *e)
{
    rb_block *b = e->block;
    uint8_t *absent = PyMem_Calloc((size_t)e->columns + 1, 1);
    PyObject *list = absent ? PyObject_GetAttr(e->context, rb_py.s_absent) : PyErr_NoMemory();
    int failed = !list || !PyList_Check(list);
    for (Py_ssize_t i = 0; !failed && i < PyList_GET_SIZE(list); i++) {
        Py_ssize_t column = PyLong_AsSsize_t(PyList_GET_ITEM(list, i));
        if (column >= 0 && column < e->columns)
            absent[column] = 1;
    }
    Py_XDECREF(list);
    if (!failed && memcmp(absent, b->absent, (size_t)e->columns)) {
        failed = rb_block_close(e);
        if (!failed)
            memcpy(b->absent, absent, (size_t)e->columns);
        note_cells(b);
    }
    PyMem_Free(absent);
    return failed ? -1 : 0;
}

/* The reference encoder writes the row, or raises the error that names what is wrong with it. */
static int RB_COLD take_by_reference(rb_encoder *e, PyObject *row, Py_ssize_t index)
{
    rb_block *b = e->block;
    PyObject *bytes = rb_encode_row(e, row, index);
    if (!bytes)
        return -1;
    int failed = set_absent(e);
    if (!failed) {
        rb_reader r = {(uint8_t *)PyByteArray_AS_STRING(bytes), NULL};
        r.end = r.p + PyByteArray_GET_SIZE(bytes);
        b->start = b->size++;
        Py_ssize_t column = deal(b, &r);
        b->text_size = texts_size(b); /* these rows are counted column by column */
        if (column >= 0)
            failed = refuse(e, column, index);
    }
    Py_DECREF(bytes);
    return failed;
}

/* A row whose other cells were written ahead. */
static int write_rest(rb_encoder *e, PyObject *row)
{
    if (rb_ahead_write_rest(e, row))
        return -1;
    e->block->ahead--;
    return 0;
}

/* Few rows are held next time where those that followed are long.  Half of what may be written ahead leaves room for
 * longer ones. */
static void note_length(rb_block *b)
{
    size_t rows = (size_t)(b->held_count - b->ahead);
    b->held_count = 0;
    if (!rows)
        return;
    size_t size = b->size - b->held_from, most = rows * (RB_AHEAD_BYTES / 2);
    if (RB_LIKELY(size <= most / RB_AHEAD))
        b->ahead_fit = RB_AHEAD;
    else
        b->ahead_fit = size < most ? (Py_ssize_t)(most / size) : 1;
}

/* There are no more rows of those that were written ahead. */
void rb_block_end_ahead(rb_encoder *e)
{
    rb_block *b = e->block;
    note_length(b);
    note_counts(b);
    rb_ahead_cut(b);
    b->text_size = texts_size(b);
}

static int write_row(rb_encoder *e, PyObject *row, Py_ssize_t index)
{
    rb_block *b = e->block;
    b->scratch.p = b->scratch.start;
    b->scratch.mark = 0;
    b->start = b->size;
    b->fault = RB_NO_FAULT;
    int failed = b->ahead ? write_rest(e, row) : rb_write_cells(e, row) || note_plain(b);
    if (RB_LIKELY(!failed))
        return 0;
    cut_row(b);
    b->fault = RB_NO_FAULT; /* the reference finds its own */
    return rb_give_up(e) ? -1 : take_by_reference(e, row, index);
}

/* The row is good: decide what depends on whole rows. */
static void settle(rb_block *b)
{
    for (size_t i = 0; i < b->touched_count; i++)
        rb_json_settle(b->touched[i]);
    b->touched_count = 0;
    b->fault = RB_NO_FAULT;
}

/* Whether there should be no end at `size`, which is `enough`: few rows are left of a list, fewer than a block of
 * their own is worth.  rowbinary._native.NativeEncoder._goes_on. */
int rb_block_goes_on(const rb_block *b, size_t size, size_t enough)
{
    if (!b->list || size - enough >= enough / GOING_ON)
        return 0;
    Py_ssize_t left = PyList_GET_SIZE(b->list) - *b->index;
    return left <= (Py_ssize_t)(b->rows / GOING_ON);
}

/* How many rows the block will have, if those to come are as long as those before. */
size_t rb_block_likely_rows(const rb_block *b)
{
    size_t rows = b->size ? b->rows * (BLOCK_BYTES + BLOCK_BYTES / GOING_ON) / b->size : 0;
    size_t left = b->list ? (size_t)(PyList_GET_SIZE(b->list) - *b->index) : 0;
    rows = rows < BLOCK_ROWS ? rows : BLOCK_ROWS;
    return rows < b->rows + left ? rows : b->rows + left;
}

static inline int is_full(const rb_block *b)
{
    return RB_UNLIKELY(b->rows >= BLOCK_ROWS) ||
           (RB_UNLIKELY(b->size >= BLOCK_BYTES) && !rb_block_goes_on(b, b->size, BLOCK_BYTES));
}

/* The row is in the block. */
static inline int end_row(rb_encoder *e)
{
    rb_block *b = e->block;
    b->rows++;
    e->rows++;
    if (is_full(b) && rb_block_close(e))
        return rb_drop_error(e); /* the next one is refused, if that cannot close the block */
    return 0;
}

/* Add one row to the block; on failure the block is as before and an error is set. */
int rb_block_write(rb_encoder *e, PyObject *row, Py_ssize_t index)
{
    rb_block *b = e->block;
    if (is_full(b) && rb_block_close(e))
        return -1; /* what could not be done when it became full */
    if (write_row(e, row, index))
        return -1;
    settle(b);
    return end_row(e);
}

/* A row of those that are held follows, all of whose cells were written ahead. */
int rb_block_follow(rb_encoder *e)
{
    rb_block *b = e->block;
    b->start = b->size;
    b->size += b->ahead_sizes[b->next++] + b->ahead_fixed;
    b->ahead--;
    e->index++;
    return end_row(e);
}

/* --- the bytes ------------------------------------------------------------------------------------------- */

static int put_name(rb_buffer *out, PyObject *text)
{
    Py_ssize_t size;
    const char *bytes = PyUnicode_AsUTF8AndSize(text, &size);
    if (!bytes || rb_need(out, (size_t)size + RB_VARINT_MAX))
        return -1;
    out->p = rb_put_varint(out->p, (uint64_t)size);
    memcpy(out->p, bytes, (size_t)size);
    out->p += size;
    return 0;
}

static int put_column(rb_encoder *e, rb_buffer *out, Py_ssize_t i)
{
    PyObject *type = PyObject_GetAttrString(e->nodes[i]->py, "text");
    out->mark = rb_size(out);
    int failed = !type || put_name(out, PyTuple_GET_ITEM(e->names, i)) || put_name(out, type) ||
                 rb_column_prefix(e->block->columns[i], out) || rb_column_data(e->block->columns[i], out);
    Py_XDECREF(type);
    return failed;
}

static int put_block(rb_encoder *e, rb_buffer *out)
{
    rb_block *b = e->block;
    uint64_t columns = 0;
    for (Py_ssize_t i = 0; i < e->columns; i++)
        columns += !b->absent[i];
    /* Room for nearly all of it at once, where no row is a giant. */
    size_t room = b->size + b->size / 8;
    if (rb_need(out, (room < RB_MAX_ROW / 2 ? room : 0) + 2 * RB_VARINT_MAX))
        return -1;
    out->p = rb_put_varint(out->p, columns);
    out->p = rb_put_varint(out->p, b->rows);
    for (Py_ssize_t i = 0; i < e->columns; i++)
        if (!b->absent[i] && put_column(e, out, i))
            return -1;
    return 0;
}

/* Append the open block to the chunk, if it has rows, and begin another. */
int rb_block_close(rb_encoder *e)
{
    rb_block *b = e->block;
    rb_buffer *out = &e->chunk.out;
    size_t before = rb_size(out);
    if (!b->rows)
        return 0;
    out->mark = before;
    rb_block_end_ahead(e);
    if (put_block(e, out)) {
        out->p = out->start + before;
        if (!PyErr_Occurred())
            PyErr_NoMemory();
        return -1;
    }
    rb_stream_end();
    b->rows = b->size = b->start = b->text_size = 0;
    untouch(b); /* documents have been moved into columns that may go now */
    for (Py_ssize_t i = 0; i < b->columns_count; i++)
        rb_column_reset(b->columns[i]);
    forget_kinds(b);
    note_cells(b);
    rb_memory_reset(&b->scratch, 0);
    return 0;
}

/* In an empty block: the rows to come make the bytes that a new encoder would make of them. */
void rb_block_renew(rb_encoder *e)
{
    for (Py_ssize_t i = 0; i < e->block->columns_count; i++)
        rb_column_renew(e->block->columns[i]);
}
