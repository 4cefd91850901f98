/* Many values of one type at a time: the loops over what needs no thought, each with its type outside. */
#include "columns.h"
#include "write_scalar.h"

/* Integers of `width` bytes. */
static inline __attribute__((always_inline)) Py_ssize_t put_ints(rb_buffer *out, PyObject *const *values,
                                                                 Py_ssize_t count, int width, int is_signed)
{
    Py_ssize_t k = 0;
    if (rb_need(out, (size_t)count * (size_t)width))
        return 0;
    uint8_t *p = out->p;
    for (; k < count; k++, p += width) {
        uint64_t word = 0;
        if (RB_UNLIKELY(is_signed ? !rb_long_signed(values[k], 8 * width, (int64_t *)&word)
                                  : !rb_long_unsigned(values[k], 8 * width, &word)))
            break;
        memcpy(p, &word, (size_t)width);
    }
    out->p = p;
    return k;
}

static Py_ssize_t put_floats(rb_buffer *out, PyObject *const *values, Py_ssize_t count)
{
    Py_ssize_t k = 0;
    if (rb_need(out, (size_t)count * 8))
        return 0;
    uint8_t *p = out->p;
    for (; k < count; k++, p += 8) {
        double number;
        if (RB_UNLIKELY(!rb_as_double(values[k], &number)))
            break;
        memcpy(p, &number, 8);
    }
    out->p = p;
    return k;
}

static Py_ssize_t put_singles(rb_buffer *out, PyObject *const *values, Py_ssize_t count)
{
    Py_ssize_t k = 0;
    if (rb_need(out, (size_t)count * 4))
        return 0;
    uint8_t *p = out->p;
    for (; k < count; k++, p += 4) {
        float number;
        if (RB_UNLIKELY(!rb_as_single(values[k], &number)))
            break;
        memcpy(p, &number, 4);
    }
    out->p = p;
    return k;
}

static Py_ssize_t put_texts(rb_buffer *out, PyObject *const *values, Py_ssize_t count)
{
    Py_ssize_t k = 0;
    while (k < count && PyUnicode_CheckExact(values[k]) && !rb_put_str(out, values[k]))
        k++;
    return k;
}

/* Append values up to the first that is not what it mostly is, or for which there is no memory; returns how
 * many.  Neither counted nor gauged.  Python code does not run. */
Py_ssize_t rb_put_many(rb_column *c, PyObject *const *values, Py_ssize_t count)
{
    rb_buffer *out = &c->out;
    switch (c->node->op) {
    case RB_OP_INT8:
        return put_ints(out, values, count, 1, 1);
    case RB_OP_INT16:
        return put_ints(out, values, count, 2, 1);
    case RB_OP_INT32:
        return put_ints(out, values, count, 4, 1);
    case RB_OP_INT64:
        return put_ints(out, values, count, 8, 1);
    case RB_OP_UINT8:
        return put_ints(out, values, count, 1, 0);
    case RB_OP_UINT16:
        return put_ints(out, values, count, 2, 0);
    case RB_OP_UINT32:
        return put_ints(out, values, count, 4, 0);
    case RB_OP_UINT64:
        return put_ints(out, values, count, 8, 0);
    case RB_OP_FLOAT32:
        return put_singles(out, values, count);
    case RB_OP_FLOAT64:
        return put_floats(out, values, count);
    case RB_OP_STRING:
        return put_texts(out, values, count);
    default:
        return 0;
    }
}
