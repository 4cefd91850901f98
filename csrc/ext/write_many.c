/* Many values of one type at a time: the loops over what needs no thought, each with its type outside. */
#include "write_scalar.h"

/* Values of `width` bytes, each read by `read`, which says whether it could. */
#define PUT_ALL(type, width, read)                                                                        \
    do {                                                                                                  \
        Py_ssize_t k = 0;                                                                                 \
        if (rb_need(out, (size_t)count * (width)))                                                        \
            return 0;                                                                                     \
        uint8_t *p = out->p;                                                                              \
        for (type number; k < count && RB_LIKELY(read); k++, p += (width))                                \
            memcpy(p, &number, (width));                                                                  \
        out->p = p;                                                                                       \
        return k;                                                                                         \
    } while (0)

static RB_INLINE Py_ssize_t put_signed(rb_buffer *out, PyObject *const *values, Py_ssize_t count, int width)
{
    PUT_ALL(int64_t, (size_t)width, rb_long_signed(values[k], 8 * width, &number));
}

static RB_INLINE Py_ssize_t put_unsigned(rb_buffer *out, PyObject *const *values, Py_ssize_t count, int width)
{
    PUT_ALL(uint64_t, (size_t)width, rb_long_unsigned(values[k], 8 * width, &number));
}

static Py_ssize_t put_doubles(rb_buffer *out, PyObject *const *values, Py_ssize_t count)
{
    PUT_ALL(double, 8, rb_as_double(values[k], &number));
}

static Py_ssize_t put_singles(rb_buffer *out, PyObject *const *values, Py_ssize_t count)
{
    PUT_ALL(float, 4, rb_as_single(values[k], &number));
}

static Py_ssize_t put_texts(rb_buffer *out, PyObject *const *values, Py_ssize_t count)
{
    Py_ssize_t k = 0;
    while (k < count && PyUnicode_CheckExact(values[k]) && !rb_put_str(out, values[k]))
        k++;
    return k;
}

/* Append values of a scalar type up to the first that is not of its usual Python type, or for which there is no
 * memory; returns how many.  Python code does not run. */
Py_ssize_t rb_write_many(rb_buffer *out, rb_op op, PyObject *const *values, Py_ssize_t count)
{
    switch (op) {
    case RB_OP_INT8:
        return put_signed(out, values, count, 1);
    case RB_OP_INT16:
        return put_signed(out, values, count, 2);
    case RB_OP_INT32:
        return put_signed(out, values, count, 4);
    case RB_OP_INT64:
        return put_signed(out, values, count, 8);
    case RB_OP_UINT8:
        return put_unsigned(out, values, count, 1);
    case RB_OP_UINT16:
        return put_unsigned(out, values, count, 2);
    case RB_OP_UINT32:
        return put_unsigned(out, values, count, 4);
    case RB_OP_UINT64:
        return put_unsigned(out, values, count, 8);
    case RB_OP_FLOAT32:
        return put_singles(out, values, count);
    case RB_OP_FLOAT64:
        return put_doubles(out, values, count);
    case RB_OP_STRING:
        return put_texts(out, values, count);
    default:
        return 0;
    }
}
