/* The second sink: Python values straight into the columns of a Native block.
 *
 * Only the shapes of columns are told apart here.  A scalar has the same bytes in a column as in a row, so
 * rb_write_value writes it into the column's buffer. */
#include "columns.h"
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

/* --- containers: the sink of walk_container.h ---------------------------------------------------------- */

typedef rb_column *sink;

static inline sink inner(sink c, Py_ssize_t i)
{
    return c->children[i];
}

static inline int put_value(rb_encoder *e, sink c, PyObject *value)
{
    return rb_column_put(e, c, value);
}

static Py_ssize_t put_usual(sink c, PyObject *const *values, Py_ssize_t count)
{
    if (c->shape != RB_COL_FIXED && c->shape != RB_COL_TEXT)
        return 0;
    size_t before = rb_size(&c->out);
    Py_ssize_t put = rb_write_many(&c->out, c->node->op, values, count, NULL);
    c->count += (size_t)put;
    return rb_gauge(c->block, rb_size(&c->out) - before) ? -1 : put;
}

static inline int is_text(sink c, PyObject *value)
{
    return c->shape == RB_COL_TEXT && PyUnicode_CheckExact(value);
}

static inline int put_text(sink c, PyObject *text)
{
    size_t before = rb_size(&c->out);
    if (rb_put_str(&c->out, text))
        return -1;
    c->count++;
    return rb_gauge(c->block, rb_size(&c->out) - before);
}

static inline int begin(sink c, size_t count)
{
    return 0;
}

static inline int end(sink c)
{
    uint64_t place = c->child->count;
    return rb_put(&c->out, &place, 8) || rb_gauge(c->block, 8) ? -1 : 0;
}

static inline int put_otherwise(rb_encoder *e, sink c, PyObject *value)
{
    return rb_put_by_way_of_row(e, c, value);
}

#include "walk_container.h"

/* --- columns ---------------------------------------------------------------------------------------------- */

/* Append `value`. */
int rb_column_put(rb_encoder *e, rb_column *c, PyObject *value)
{
    int failed;
    rb_fetch_column(&c->out);
    switch (c->shape) {
    case RB_COL_FIXED:
    case RB_COL_TEXT:
        failed = put_scalar(e, c, value);
        break;
    case RB_COL_LOW_CARDINALITY:
        failed = rb_dictionary_put_object(e, c, value);
        break;
    case RB_COL_ARRAY:
        failed = walk_array(e, c, value);
        break;
    case RB_COL_MAP:
        failed = walk_map(e, c, value);
        break;
    case RB_COL_JSON:
        failed = rb_put_json(e, c, value);
        break;
    case RB_COL_NULLABLE:
        failed = put_nullable(e, c, value);
        break;
    case RB_COL_TUPLE:
        failed = walk_tuple(e, c, c->children_count, value);
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
