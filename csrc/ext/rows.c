/* One row: its cells, or the reference encoder. */
#include "columns.h"
#include "dict_items.h"
#include "write_scalar.h"

/* A cell of a format with DEFAULT: a byte says whether it is one. */
static int write_flagged(rb_encoder *e, Py_ssize_t column, PyObject *cell)
{
    rb_buffer *out = &e->chunk.out;
    if (rb_need(out, 1))
        return -1;
    *out->p++ = cell == rb_py.default_;
    if (cell != rb_py.default_)
        return rb_write_value(e, out, e->nodes[column], cell);
    return e->no_default && e->no_default[column] ? -1 : 0; /* the reference writes a value */
}

/* A cell that is nothing but a value.  What is the same for all cells comes as an argument: what is written
 * could be the encoder itself for all the compiler knows. */
static RB_INLINE int write_plain(rb_encoder *e, rb_buffer *out, const rb_node *node, Py_ssize_t *length, PyObject *cell)
{
    e->array_count = -1;
    int failed = rb_write_common(e, out, node, cell);
    if (length)
        *length = e->array_count;
    return failed;
}

/* Whether all cells are that. */
static inline int is_plain(const rb_encoder *e)
{
    return !e->block && !e->defaults;
}

/* Any cell. */
static int write_cell(rb_encoder *e, Py_ssize_t column, PyObject *cell)
{
    if (e->block)
        return rb_block_put(e, column, cell);
    e->array_count = -1;
    int failed = e->defaults ? write_flagged(e, column, cell)
                             : rb_write_value(e, &e->chunk.out, e->nodes[column], cell);
    if (e->lengths)
        e->lengths[column] = e->array_count;
    return failed;
}

static int write_tuple(rb_encoder *e, PyObject *row)
{
    Py_ssize_t count = e->columns;
    if (PyTuple_GET_SIZE(row) != count)
        return -1;
    if (!is_plain(e)) {
        for (Py_ssize_t i = 0; i < count; i++)
            if (RB_UNLIKELY(write_cell(e, i, PyTuple_GET_ITEM(row, i))))
                return -1;
        return 0;
    }
    rb_buffer *out = &e->chunk.out;
    const rb_node **nodes = e->nodes;
    Py_ssize_t *lengths = e->lengths;
    for (Py_ssize_t i = 0; i < count; i++)
        if (RB_UNLIKELY(write_plain(e, out, nodes[i], lengths ? lengths + i : NULL, PyTuple_GET_ITEM(row, i))))
            return -1;
    return 0;
}

static int write_list(rb_encoder *e, PyObject *row)
{
    Py_ssize_t count = e->columns;
    for (Py_ssize_t i = 0; i < count; i++) {
        if (PyList_GET_SIZE(row) != count)
            return -1;
        PyObject *cell = Py_NewRef(PyList_GET_ITEM(row, i));
        int failed = write_cell(e, i, cell);
        Py_DECREF(cell);
        if (RB_UNLIKELY(failed))
            return -1;
    }
    return PyList_GET_SIZE(row) == count ? 0 : -1;
}

static int write_default(rb_encoder *e, Py_ssize_t column)
{
    return e->defaults ? write_cell(e, column, rb_py.default_) : -1;
}

/* Whether the key that comes next in a dict row is that of column `i`.  Rows of one source have
 * their keys in one order and share the key objects: so the object seen last is remembered. */
static inline int is_key_of(rb_encoder *e, Py_ssize_t i, PyObject *key)
{
    if (RB_LIKELY(key == e->keys[i]))
        return 1;
    if (!PyUnicode_CheckExact(key) || PyUnicode_Compare(key, PyTuple_GET_ITEM(e->names, i)))
        return 0;
    Py_SETREF(e->keys[i], Py_NewRef(key));
    return 1;
}

/* In the order of the columns while the keys come in it, by look-up from there on. */
static int write_dict(rb_encoder *e, PyObject *row)
{
    Py_ssize_t found = 0;
    PyObject *key, *cell;
    rb_items items;
    int in_order = 1, plain = is_plain(e);
    rb_buffer *out = &e->chunk.out;
    Py_ssize_t *lengths = e->lengths;
    rb_items_open(e, &items, row);
    for (Py_ssize_t i = 0; i < e->columns; i++) {
        in_order = in_order && rb_items_next(&items, &key, &cell) && is_key_of(e, i, key);
        if (!in_order) {
            e->calls++; /* keys that are no str may compare themselves */
            cell = PyDict_GetItemWithError(row, PyTuple_GET_ITEM(e->names, i));
            if (!cell) {
                if (PyErr_Occurred() || write_default(e, i))
                    return -1;
                continue;
            }
        }
        found++;
        Py_INCREF(cell);
        int failed = RB_LIKELY(plain) ? write_plain(e, out, e->nodes[i], lengths ? lengths + i : NULL, cell)
                                      : write_cell(e, i, cell);
        Py_DECREF(cell);
        if (RB_UNLIKELY(failed || !rb_items_intact(e, &items)))
            return -1;
    }
    return found == items.size || e->ignore_extra ? 0 : -1;
}

/* Arrays of one flattened Nested must be equally long. */
int rb_check_groups(const rb_encoder *e)
{
    Py_ssize_t common = -1;
    for (const Py_ssize_t *column = e->grouped; column < e->grouped_end; column++) {
        if (*column < 0) {
            common = -1; /* the next group */
            continue;
        }
        Py_ssize_t length = e->lengths[*column];
        if (length >= 0 && common >= 0 && length != common)
            return -1;
        common = length >= 0 ? length : common;
    }
    return 0;
}

/* The cells of a row, one after another; -1 for a row that is the reference's. */
int rb_write_cells(rb_encoder *e, PyObject *row)
{
    int failed;
    if (RB_LIKELY(PyTuple_Check(row)))
        failed = write_tuple(e, row);
    else if (PyDict_CheckExact(row))
        failed = write_dict(e, row);
    else if (PyList_CheckExact(row))
        failed = write_list(e, row);
    else
        failed = -1;
    return !failed && RB_UNLIKELY(e->grouped != NULL) ? rb_check_groups(e) : failed;
}

/* Forget what the writers were at when they failed; -1 for an error that is not about the row, such as
 * KeyboardInterrupt. */
int RB_COLD rb_give_up(rb_encoder *e)
{
    e->depth = e->document = 0;
    e->prefix_start = e->prefix_size = e->offset_count = 0;
    e->recording = 0;
    if (PyErr_Occurred() &&
        (!PyErr_ExceptionMatches(PyExc_Exception) || PyErr_ExceptionMatches(PyExc_MemoryError)))
        return -1;
    PyErr_Clear();
    return 0;
}

/* What the reference encoder makes of the row, a bytearray; NULL with the error that names what is wrong. */
PyObject *RB_COLD rb_encode_row(rb_encoder *e, PyObject *row, Py_ssize_t index)
{
    PyObject *number = PyLong_FromSsize_t(index), *bytes = NULL;
    if (number)
        bytes = PyObject_CallFunctionObjArgs(rb_py.encode_row, row, number, e->plan, e->options, e->context, NULL);
    Py_XDECREF(number);
    return bytes;
}

static int RB_COLD write_by_reference(rb_encoder *e, PyObject *row, Py_ssize_t index)
{
    PyObject *bytes = rb_encode_row(e, row, index);
    if (!bytes)
        return -1;
    int failed = rb_append_object(&e->chunk.out, bytes);
    Py_DECREF(bytes);
    if (failed && !PyErr_Occurred())
        PyErr_NoMemory();
    return failed;
}

/* Append one row; on failure the buffer is as before and an error is set. */
int rb_write_row(rb_encoder *e, PyObject *row)
{
    rb_buffer *out = &e->chunk.out;
    Py_ssize_t index = e->index++;
    if (e->block)
        return rb_block_write(e, row, index);
    size_t before = rb_size(out);
    out->mark = before;
    if (RB_UNLIKELY(rb_write_cells(e, row) || rb_row_is_too_long(out))) {
        out->p = out->start + before;
        if (rb_give_up(e) || write_by_reference(e, row, index)) {
            out->p = out->start + before;
            return -1;
        }
    }
    e->rows++;
    return 0;
}
