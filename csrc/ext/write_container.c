/* Arrays, tuples, maps and variants as RowBinary. */
#include "write_scalar.h"

/* --- containers: the sink of walk_container.h ---------------------------------------------------------- */

typedef struct {
    rb_buffer *out;
    const rb_node *node;
} sink;

static inline sink inner(sink to, Py_ssize_t i)
{
    return (sink){to.out, rb_plain(to.node->children[i])};
}

static RB_INLINE int put_value(rb_encoder *e, sink to, PyObject *value)
{
    return rb_write_common(e, to.out, to.node, value);
}

static inline Py_ssize_t put_usual(sink to, PyObject *const *values, Py_ssize_t count)
{
    return rb_write_many(to.out, to.node->op, values, count, NULL);
}

static inline int is_text(sink to, PyObject *value)
{
    return to.node->op == RB_OP_STRING && PyUnicode_CheckExact(value);
}

static inline int put_text(sink to, PyObject *text)
{
    return rb_put_str(to.out, text);
}

static inline int begin(sink to, size_t count)
{
    if (rb_need(to.out, RB_VARINT_MAX))
        return -1;
    to.out->p = rb_put_varint(to.out->p, count);
    return 0;
}

static inline int end(sink to)
{
    return 0;
}

static inline int put_otherwise(rb_encoder *e, sink to, PyObject *value)
{
    return rb_write_reference(e, to.out, to.node, value);
}

#include "walk_container.h"

int rb_write_array(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value)
{
    return walk_array(e, (sink){out, node}, value);
}

int rb_write_tuple(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value)
{
    return walk_tuple(e, (sink){out, node}, node->count, value);
}

int rb_write_map(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value)
{
    return walk_map(e, (sink){out, node}, value);
}

/* --- variants ----------------------------------------------------------------------------------------------- */

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
    if (rb_drop_error(e))
        return -1;
    out->p = out->start + before;
    return rb_write_reference(e, out, node, value);
}
