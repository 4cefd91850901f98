/* The second sink: Python values straight into the columns of a Native block.
 *
 * Only the containers are told apart here.  A scalar has the same bytes in a column as in a row, so
 * rb_write_value writes it into the column's buffer. */
#include "columns.h"
#include "dict_items.h"
#include "write_scalar.h"

/* rb_write_value, with what it wrote noted. */
static inline int put_scalar(rb_encoder *e, rb_column *c, PyObject *value)
{
    size_t before = rb_size(&c->out);
    return rb_write_value(e, &c->out, c->node, value) || rb_gauge(c->block, rb_size(&c->out) - before) ? -1 : 0;
}

static inline int put_nullable(rb_encoder *e, rb_column *c, PyObject *value)
{
    uint8_t flag = value == Py_None;
    if (rb_put(&c->out, &flag, 1) || rb_gauge(c->block, 1))
        return -1;
    return flag ? rb_column_default(c->child) : rb_column_put(e, c->child, value);
}

/* What cannot be done here goes the way of all rows: RowBinary, and out of it into the column. */
int RB_COLD rb_put_by_way_of_row(rb_encoder *e, rb_column *c, PyObject *value)
{
    rb_buffer *scratch = &c->block->scratch;
    size_t before = rb_size(scratch);
    int failed = rb_write_value(e, scratch, c->node, value);
    rb_reader r = {scratch->start + before, scratch->p};
    size_t count = c->count;
    failed = failed || rb_column_take(c, &r);
    c->count = count; /* the caller counts */
    scratch->p = scratch->start + before;
    return failed;
}

static inline int put_end(rb_column *c)
{
    uint64_t end = c->child->count;
    return rb_put(&c->out, &end, 8) || rb_gauge(c->block, 8) ? -1 : 0;
}

/* What an array begins with that needs no thought, which is mostly all of it; how many items that are, or -1. */
static Py_ssize_t put_first(rb_column *c, PyObject *const *items, Py_ssize_t count)
{
    if (c->shape != RB_COL_FIXED && c->shape != RB_COL_TEXT)
        return 0;
    size_t before = rb_size(&c->out);
    Py_ssize_t put = rb_put_many(c, items, count);
    c->count += (size_t)put;
    return rb_gauge(c->block, rb_size(&c->out) - before) ? -1 : put;
}

static int put_array(rb_encoder *e, rb_column *c, PyObject *value)
{
    int is_list = PyList_CheckExact(value);
    if (!is_list && !PyTuple_CheckExact(value))
        return rb_put_by_way_of_row(e, c, value);
    Py_ssize_t count = Py_SIZE(value);
    if (count > RB_MAX_STRING)
        return -1;
    Py_ssize_t i = put_first(c->child, PySequence_Fast_ITEMS(value), count);
    if (RB_UNLIKELY(i < 0))
        return -1;
    for (; i < count; i++) {
        if (RB_UNLIKELY(Py_SIZE(value) != count))
            return -1;
        PyObject *item = Py_NewRef(is_list ? PyList_GET_ITEM(value, i) : PyTuple_GET_ITEM(value, i));
        int failed = rb_column_put(e, c->child, item);
        Py_DECREF(item);
        if (RB_UNLIKELY(failed))
            return -1;
    }
    e->array_count = count;
    return Py_SIZE(value) == count ? put_end(c) : -1;
}

static inline int is_text(const rb_column *c, PyObject *value)
{
    return c->shape == RB_COL_TEXT && PyUnicode_CheckExact(value);
}

static inline int put_text(rb_column *c, PyObject *text)
{
    size_t before = rb_size(&c->out);
    if (rb_put_str(&c->out, text))
        return -1;
    c->count++;
    return rb_gauge(c->block, rb_size(&c->out) - before);
}

static int put_map(rb_encoder *e, rb_column *c, PyObject *value)
{
    if (!PyDict_CheckExact(value))
        return rb_put_by_way_of_row(e, c, value);
    rb_items items;
    PyObject *key, *item;
    rb_column *keys = c->child, *values = c->children[1];
    Py_ssize_t written = 0;
    rb_items_open(e, &items, value);
    for (; rb_items_next(&items, &key, &item); written++) {
        int failed;
        if (RB_LIKELY(is_text(keys, key) && is_text(values, item))) {
            failed = put_text(keys, key) || put_text(values, item); /* no Python code runs here */
        } else {
            Py_INCREF(key);
            Py_INCREF(item);
            failed = rb_column_put(e, keys, key) || rb_column_put(e, values, item);
            Py_DECREF(key);
            Py_DECREF(item);
        }
        if (RB_UNLIKELY(failed || !rb_items_intact(e, &items)))
            return -1;
    }
    return written == items.size ? put_end(c) : -1;
}

static int put_tuple(rb_encoder *e, rb_column *c, PyObject *value)
{
    int is_list = PyList_CheckExact(value);
    if (!is_list && !PyTuple_Check(value))
        return rb_put_by_way_of_row(e, c, value);
    for (Py_ssize_t i = 0; i < c->children_count; i++) {
        if (Py_SIZE(value) != c->children_count)
            return -1;
        PyObject *item = Py_NewRef(is_list ? PyList_GET_ITEM(value, i) : PyTuple_GET_ITEM(value, i));
        int failed = rb_column_put(e, c->children[i], item);
        Py_DECREF(item);
        if (failed)
            return -1;
    }
    return Py_SIZE(value) == c->children_count ? 0 : -1;
}

/* Append `value`. */
int rb_column_put(rb_encoder *e, rb_column *c, PyObject *value)
{
    int failed;
    RB_FETCH_COLUMN(&c->out);
    switch (c->shape) {
    case RB_COL_FIXED:
    case RB_COL_TEXT:
        failed = put_scalar(e, c, value);
        break;
    case RB_COL_LOW_CARDINALITY:
        failed = rb_dictionary_put_object(e, c, value);
        break;
    case RB_COL_ARRAY:
        failed = put_array(e, c, value);
        break;
    case RB_COL_MAP:
        failed = put_map(e, c, value);
        break;
    case RB_COL_JSON:
        failed = rb_put_json(e, c, value);
        break;
    case RB_COL_NULLABLE:
        failed = put_nullable(e, c, value);
        break;
    case RB_COL_TUPLE:
        failed = put_tuple(e, c, value);
        break;
    default:
        failed = rb_put_by_way_of_row(e, c, value);
    }
    c->count += !failed;
    return failed;
}

/* A cell that is DEFAULT, or of a column that the block does not have. */
static int RB_COLD put_default(rb_encoder *e, Py_ssize_t i, PyObject *cell)
{
    rb_block *b = e->block;
    int failed = 0, is_default = cell == rb_py.default_, written = e->no_default && e->no_default[i];
    if ((is_default && !written) != b->absent[i])
        return -1; /* the first row with another set of DEFAULTs */
    if (written) {
        size_t before = b->size;
        e->array_count = 0;
        failed = rb_column_default(b->columns[i]);
        if (b->cells[i].kind == RB_CELL_PLAIN)
            b->size = before; /* counted with the row */
    }
    if (e->grouped)
        e->lengths[i] = e->array_count;
    return failed;
}

/* A cell that is not plain, or DEFAULT. */
int rb_block_put_other(rb_encoder *e, Py_ssize_t i, PyObject *cell)
{
    rb_column *c = e->block->cells[i].column;
    e->array_count = -1;
    if (RB_UNLIKELY(!c || cell == rb_py.default_))
        return put_default(e, i, cell);
    int failed = rb_column_put(e, c, cell);
    if (RB_UNLIKELY(e->grouped != NULL))
        e->lengths[i] = e->array_count;
    return failed;
}
