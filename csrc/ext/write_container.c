/* Arrays, tuples, maps and variants.  A list or dict can be changed by code that runs while its
 * values are read (a tzinfo, an __index__): items are held, sizes compared at every step. */
#include "dict_items.h"
#include "write_scalar.h"

/* The items from the first on that have the usual type of a scalar column, in a loop of their own; how many
 * these are, -1 without room.  No Python code runs here, so the items stay where they are. */
static Py_ssize_t put_usual_items(rb_buffer *out, const rb_node *child, PyObject **items, Py_ssize_t count)
{
    Py_ssize_t i = 0;
    rb_op op = rb_plain(child)->op;
    if (op == RB_OP_STRING) {
        for (; i < count && PyUnicode_CheckExact(items[i]) && PyUnicode_IS_COMPACT_ASCII(items[i]); i++)
            if (RB_UNLIKELY(rb_put_ascii(out, items[i])))
                return -1;
        return i;
    }
    if ((op != RB_OP_FLOAT64 && op != RB_OP_INT64 && op != RB_OP_FLOAT32) || !count)
        return 0;
    if (rb_need(out, (size_t)count * 8))
        return -1;
    uint8_t *p = out->p;
    if (op == RB_OP_FLOAT32) {
        for (float number; i < count && rb_as_single(items[i], &number); i++)
            memcpy(p + 4 * i, &number, 4);
        out->p = p + 4 * i;
        return i;
    }
    if (op == RB_OP_FLOAT64)
        for (; i < count && PyFloat_CheckExact(items[i]); i++)
            memcpy(p + 8 * i, &((PyFloatObject *)items[i])->ob_fval, 8);
    else
        for (int64_t number; i < count && rb_long_signed(items[i], 64, &number); i++)
            memcpy(p + 8 * i, &number, 8);
    out->p = p + 8 * i;
    return i;
}

static int write_list_items(rb_encoder *e, rb_buffer *out, const rb_node *child, PyObject *list, Py_ssize_t count)
{
    Py_ssize_t i = put_usual_items(out, child, ((PyListObject *)list)->ob_item, count);
    for (; i >= 0 && i < count; i++) {
        if (RB_UNLIKELY(PyList_GET_SIZE(list) != count))
            return -1;
        PyObject *item = Py_NewRef(PyList_GET_ITEM(list, i));
        int failed = rb_write_value(e, out, child, item);
        Py_DECREF(item);
        if (RB_UNLIKELY(failed))
            return -1;
    }
    return i >= 0 && PyList_GET_SIZE(list) == count ? 0 : -1;
}

static int write_tuple_items(rb_encoder *e, rb_buffer *out, const rb_node *child, PyObject *tuple, Py_ssize_t count)
{
    Py_ssize_t i = put_usual_items(out, child, ((PyTupleObject *)tuple)->ob_item, count);
    for (; i >= 0 && i < count; i++)
        if (RB_UNLIKELY(rb_write_value(e, out, child, PyTuple_GET_ITEM(tuple, i))))
            return -1;
    return i >= 0 ? 0 : -1;
}

int rb_write_array(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value)
{
    int is_list = PyList_CheckExact(value);
    if (!is_list && !PyTuple_CheckExact(value))
        return rb_write_reference(e, out, node, value);
    Py_ssize_t count = Py_SIZE(value);
    if (count > RB_MAX_STRING || rb_need(out, RB_VARINT_MAX))
        return -1;
    out->p = rb_put_varint(out->p, (uint64_t)count);
    int failed = is_list ? write_list_items(e, out, node->children[0], value, count)
                         : write_tuple_items(e, out, node->children[0], value, count);
    e->array_count = count;
    return failed;
}

int rb_write_tuple(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value)
{
    int is_list = PyList_CheckExact(value);
    if (!is_list && !PyTuple_Check(value))
        return rb_write_reference(e, out, node, value);
    if (Py_SIZE(value) != node->count)
        return -1;
    for (Py_ssize_t i = 0; i < node->count; i++) {
        if (Py_SIZE(value) != node->count)
            return -1;
        PyObject *item = Py_NewRef(is_list ? PyList_GET_ITEM(value, i) : PyTuple_GET_ITEM(value, i));
        int failed = rb_write_common(e, out, node->children[i], item);
        Py_DECREF(item);
        if (failed)
            return -1;
    }
    return Py_SIZE(value) == node->count ? 0 : -1;
}

/* Both sides of an item as they mostly are: ASCII texts in columns of texts. */
static inline int is_text(const rb_node *plain, PyObject *value)
{
    return plain->op == RB_OP_STRING && PyUnicode_CheckExact(value) && PyUnicode_IS_COMPACT_ASCII(value);
}

int rb_write_map(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value)
{
    if (!PyDict_CheckExact(value))
        return rb_write_reference(e, out, node, value);
    const rb_node *keys = rb_plain(node->children[0]), *values = rb_plain(node->children[1]);
    rb_items items;
    PyObject *key, *item;
    rb_items_open(e, &items, value);
    if (rb_need(out, RB_VARINT_MAX))
        return -1;
    out->p = rb_put_varint(out->p, (uint64_t)items.size);
    Py_ssize_t written = 0;
    for (; rb_items_next(&items, &key, &item); written++) {
        if (RB_LIKELY(is_text(keys, key) && is_text(values, item))) {
            if (RB_UNLIKELY(rb_put_ascii(out, key) || rb_put_ascii(out, item)))
                return -1;
            continue;
        }
        Py_INCREF(key);
        Py_INCREF(item);
        int failed = rb_write_common(e, out, keys, key) || rb_write_common(e, out, values, item);
        Py_DECREF(key);
        Py_DECREF(item);
        if (failed || !rb_items_intact(e, &items))
            return -1;
    }
    return written == items.size ? 0 : -1;
}

int rb_write_variant(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value)
{
    int member = -1;
    if (value == Py_None) {
        uint8_t null = 0xFF;
        return rb_put(out, &null, 1);
    }
    if (PyUnicode_CheckExact(value))
        member = node->natural[3];
    else if (PyLong_CheckExact(value))
        member = node->natural[1];
    else if (PyFloat_CheckExact(value))
        member = node->natural[2];
    else if (PyBool_Check(value))
        member = node->natural[0];
    if (member < 0)
        return rb_write_reference(e, out, node, value);
    /* The member may still refuse the value; then the reference tries the others. */
    size_t before = rb_size(out);
    uint8_t discriminator = (uint8_t)member;
    if (rb_put(out, &discriminator, 1) == 0 && rb_write_value(e, out, node->children[member], value) == 0)
        return 0;
    if (rb_drop_error())
        return -1;
    out->p = out->start + before;
    return rb_write_reference(e, out, node, value);
}
