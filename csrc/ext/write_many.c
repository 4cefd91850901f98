/* Many values of one type at a time: the loops over what needs no thought, each with its type outside. */
#include "columns.h"
#include "write_scalar.h"

/* Numbers go past the cache, or do not: what is constant costs nothing. */
static RB_INLINE void put_word(uint8_t *p, const void *word, size_t width, int far)
{
    if (far)
        rb_stream_word(p, word, width);
    else
        memcpy(p, word, width);
}

/* Values of `width` bytes, each read by `read`, which says whether it could. */
#define PUT_ALL(type, width, far, read)                                                                   \
    do {                                                                                                  \
        Py_ssize_t k = 0;                                                                                 \
        if (rb_need(out, (size_t)count * (width)))                                                        \
            return 0;                                                                                     \
        uint8_t *p = out->p;                                                                              \
        for (type number; k < count && RB_LIKELY(read); k++, p += (width)) {                              \
            put_word(p, &number, (width), (far));                                                         \
            rb_fetch_next(next, k);                                                                       \
        }                                                                                                 \
        out->p = p;                                                                                       \
        return k;                                                                                         \
    } while (0)

static RB_INLINE Py_ssize_t put_signed(rb_buffer *out, PyObject *const *values, Py_ssize_t count, int width, int far,
                                       const rb_next *next)
{
    PUT_ALL(int64_t, (size_t)width, far, rb_long_signed(values[k], 8 * width, &number));
}

static RB_INLINE Py_ssize_t put_unsigned(rb_buffer *out, PyObject *const *values, Py_ssize_t count, int width,
                                         int far, const rb_next *next)
{
    PUT_ALL(uint64_t, (size_t)width, far, rb_long_unsigned(values[k], 8 * width, &number));
}

static RB_INLINE Py_ssize_t put_doubles(rb_buffer *out, PyObject *const *values, Py_ssize_t count, int far,
                                        const rb_next *next)
{
    PUT_ALL(double, 8, far, rb_as_double(values[k], &number));
}

static RB_INLINE Py_ssize_t put_singles(rb_buffer *out, PyObject *const *values, Py_ssize_t count, int far,
                                        const rb_next *next)
{
    PUT_ALL(float, 4, far, rb_as_single(values[k], &number));
}

static Py_ssize_t put_texts(rb_buffer *out, PyObject *const *values, Py_ssize_t count)
{
    Py_ssize_t k = 0;
    while (k < count && PyUnicode_CheckExact(values[k]) && !rb_put_str(out, values[k]))
        k++;
    return k;
}

/* Append texts, none of which is long, up to the first value that is none, or with
 * `no_dates` that could be a date; returns how many, or -1.  The bytes of each and `more` are added to `sizes`.
 *
 * What is written could be the buffer for all the compiler knows: its places are kept beside it. */
Py_ssize_t rb_write_texts(rb_buffer *out, PyObject *const *values, Py_ssize_t count, int no_dates, uint32_t more,
                          uint32_t *sizes, const rb_next *next)
{
    uint8_t *p = out->p, *end = out->end;
    Py_ssize_t k = 0;
    for (; k < count; k++) {
        PyObject *text = values[k];
        if (RB_UNLIKELY(!PyUnicode_CheckExact(text) || (no_dates && rb_date_like(text))))
            break;
        size_t size = (size_t)PyUnicode_GET_LENGTH(text);
        uint8_t *before = p;
        if (RB_LIKELY(PyUnicode_IS_COMPACT_ASCII(text) && (size_t)(end - p) >= size + RB_TEXT_ROOM &&
                      size <= RB_LONG_CELL)) {
            p = rb_put_varint(p, size);
            rb_copy_ascii(p, rb_ascii(text), size);
            p += size;
        } else {
            out->p = p;
            size_t place = rb_size(out);
            if (size > RB_LONG_CELL || rb_put_str(out, text))
                return -1;
            p = out->p;
            end = out->end;
            before = out->start + place;
        }
        sizes[k] += (uint32_t)(p - before) + more;
        rb_fetch_next(next, k);
    }
    out->p = p;
    return k;
}

static RB_INLINE Py_ssize_t write_many(rb_buffer *out, rb_op op, PyObject *const *values, Py_ssize_t count, int far,
                                       const rb_next *next)
{
    switch (op) {
    case RB_OP_INT8:
        return put_signed(out, values, count, 1, far, next);
    case RB_OP_INT16:
        return put_signed(out, values, count, 2, far, next);
    case RB_OP_INT32:
        return put_signed(out, values, count, 4, far, next);
    case RB_OP_INT64:
    case RB_OP_INTERVAL:
    case RB_OP_DATETIME64: /* ints are ticks */
        return put_signed(out, values, count, 8, far, next);
    case RB_OP_UINT8:
        return put_unsigned(out, values, count, 1, far, next);
    case RB_OP_UINT16:
        return put_unsigned(out, values, count, 2, far, next);
    case RB_OP_UINT32:
        return put_unsigned(out, values, count, 4, far, next);
    case RB_OP_UINT64:
        return put_unsigned(out, values, count, 8, far, next);
    case RB_OP_FLOAT32:
        return put_singles(out, values, count, far, next);
    case RB_OP_FLOAT64:
        return put_doubles(out, values, count, far, next);
    case RB_OP_STRING:
        return put_texts(out, values, count);
    default:
        return 0;
    }
}

/* Append values of a scalar type up to the first that is not of its usual Python type, or for which there is no
 * memory; returns how many.  Python code does not run.  `next` may be NULL. */
Py_ssize_t rb_write_many(rb_buffer *out, rb_op op, PyObject *const *values, Py_ssize_t count, const rb_next *next)
{
    return write_many(out, op, values, count, 0, next);
}

/* The same, past the cache. */
Py_ssize_t rb_stream_many(rb_buffer *out, rb_op op, PyObject *const *values, Py_ssize_t count, const rb_next *next)
{
    return write_many(out, op, values, count, 1, next);
}
