/* Fast paths of the scalar writers: exact Python types whose bytes need no thought.
 * rb_write_<stem> of every other value is the reference writer of the same stem. */
#ifndef WRITE_SCALAR_H
#define WRITE_SCALAR_H

#include "rowbinary.h"

/* The digits of an exact int, 30 bits each, the low one first; returns their number. */
static inline Py_ssize_t rb_long_digits(PyObject *value, const digit **digits, int *negative)
{
#if PYLONG_BITS_IN_DIGIT != 30
#error "a CPython built with 15-bit digits is not supported"
#endif
#if PY_VERSION_HEX >= 0x030C0000
    uintptr_t tag = ((PyLongObject *)value)->long_value.lv_tag;
    *digits = ((PyLongObject *)value)->long_value.ob_digit;
    *negative = (tag & 3) == 2;
    return (Py_ssize_t)(tag >> 3);
#else
    Py_ssize_t count = Py_SIZE(value);
    *digits = ((PyLongObject *)value)->ob_digit;
    *negative = count < 0;
    return count < 0 ? -count : count;
#endif
}

/* Magnitude and sign of an exact int of at most 64 bits; 0 when it has more. */
static RB_INLINE int rb_long_parts(PyObject *value, uint64_t *magnitude, int *negative)
{
    const digit *digits;
    switch (rb_long_digits(value, &digits, negative)) {
    case 0:
        *magnitude = 0;
        return 1;
    case 1:
        *magnitude = digits[0];
        return 1;
    case 2:
        *magnitude = (uint64_t)digits[0] | (uint64_t)digits[1] << 30;
        return 1;
    case 3:
        if (digits[2] >= 16)
            return 0;
        *magnitude = (uint64_t)digits[0] | (uint64_t)digits[1] << 30 | (uint64_t)digits[2] << 60;
        return 1;
    }
    return 0;
}

/* An exact int of at most one digit, without a branch on its sign; 0 when it has more. */
static inline int rb_long_small(PyObject *value, int64_t *out)
{
#if PY_VERSION_HEX >= 0x030C0000
    uintptr_t tag = ((PyLongObject *)value)->long_value.lv_tag;
    *out = (1 - (int64_t)(tag & 3)) * ((PyLongObject *)value)->long_value.ob_digit[0];
    return tag < 2 << 3;
#else
    Py_ssize_t size = Py_SIZE(value);
    *out = (int64_t)size * ((PyLongObject *)value)->ob_digit[0]; /* there is room for one digit even in 0 */
    return (size_t)size + 1 <= 2;
#endif
}

/* An exact int that fits a signed integer of `bits` bits. */
static RB_INLINE int rb_long_signed(PyObject *value, int bits, int64_t *out)
{
    uint64_t magnitude;
    int negative;
    if (!PyLong_CheckExact(value))
        return 0;
    if (rb_long_small(value, out))
        return bits >= 32 || (uint64_t)*out + ((uint64_t)1 << (bits - 1)) < (uint64_t)1 << bits;
    if (!rb_long_parts(value, &magnitude, &negative))
        return 0;
    uint64_t limit = (uint64_t)1 << (bits - 1);
    if (RB_UNLIKELY(magnitude >= limit + (uint64_t)negative))
        return 0;
    *out = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return 1;
}

static RB_INLINE int rb_long_unsigned(PyObject *value, int bits, uint64_t *out)
{
    int negative;
    if (!PyLong_CheckExact(value) || !rb_long_parts(value, out, &negative) || negative)
        return 0;
    return bits == 64 || *out >> bits == 0;
}

static RB_INLINE int rb_put_signed(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value, int width)
{
    int64_t number;
    if (RB_UNLIKELY(!rb_long_signed(value, 8 * width, &number)))
        return rb_write_reference(e, out, node, value);
    return rb_put(out, &number, (size_t)width); /* little-endian: the low bytes come first */
}

static RB_INLINE int rb_put_unsigned(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value, int width)
{
    uint64_t number;
    if (RB_UNLIKELY(!rb_long_unsigned(value, 8 * width, &number)))
        return rb_write_reference(e, out, node, value);
    return rb_put(out, &number, (size_t)width);
}

/* 128 and 256 bits: values of 64 bits here, wider ones by the reference. */
static inline int rb_put_wide(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value, int width,
                              int is_signed)
{
    uint64_t words[4], magnitude;
    int negative;
    if (!PyLong_CheckExact(value) || !rb_long_parts(value, &magnitude, &negative) || (negative && !is_signed))
        return rb_write_reference(e, out, node, value);
    words[0] = negative ? 0 - magnitude : magnitude;
    words[1] = words[2] = words[3] = negative && magnitude ? UINT64_MAX : 0;
    return rb_put(out, words, (size_t)width);
}

/* The eight bytes of an exact float. */
static inline uint64_t rb_float_bits(PyObject *value)
{
    double number = PyFloat_AS_DOUBLE(value);
    uint64_t word;
    memcpy(&word, &number, 8);
    return word;
}

/* A float, or an int that is exact as one. */
static inline int rb_as_double(PyObject *value, double *out)
{
    if (RB_LIKELY(PyFloat_CheckExact(value))) {
        *out = PyFloat_AS_DOUBLE(value);
        return 1;
    }
    uint64_t magnitude;
    int negative;
    if (PyLong_CheckExact(value) && rb_long_parts(value, &magnitude, &negative) &&
        magnitude <= (uint64_t)1 << 53) {
        *out = negative ? -(double)magnitude : (double)magnitude;
        return 1;
    }
    return 0;
}

static RB_INLINE int rb_put_float64(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value)
{
    double number;
    if (RB_UNLIKELY(!rb_as_double(value, &number)))
        return rb_write_reference(e, out, node, value);
    return rb_put(out, &number, 8);
}

/* The Float32 nearest to the value; an overflow to infinity is an error of the reference. */
static inline int rb_as_single(PyObject *value, float *out)
{
    double number;
    if (!rb_as_double(value, &number))
        return 0;
    *out = (float)number;
    return *out - *out == 0 || number - number != 0;
}

/* The text of a compact ASCII str: PyUnicode_DATA would ask again what is known. */
static inline const uint8_t *rb_ascii(PyObject *text)
{
    return (const uint8_t *)((PyASCIIObject *)text + 1);
}

#define RB_TEXT_ROOM 32 /* what a tag, a length and rb_copy_ascii need beside the text itself */

/* The text of a compact ASCII str.  Most are short, of all lengths, and a length that nobody could foresee
 * costs more than the copy: so there are few cases.  Before a text stands the head of its str and behind
 * it a zero: the eight bytes that end with the zero can be read even of a text that has fewer.  Up to 16
 * bytes are written, whatever the size. */
static inline void rb_copy_ascii(uint8_t *out, const uint8_t *text, size_t size)
{
    uint64_t word;
    if (size < 8) {
        memcpy(&word, text + size - 7, 8);
        word >>= 8 * (7 - size);
        memcpy(out, &word, 8);
    } else if (size <= 16) {
        memcpy(&word, text, 8);
        memcpy(out, &word, 8);
        memcpy(out + size - 8, text + size - 8, 8);
    } else {
        rb_copy(out, text, size);
    }
}

/* Whether json="text" might make a date of an exact str. */
static inline int rb_date_like(PyObject *text)
{
    return PyUnicode_IS_COMPACT_ASCII(text) && rb_maybe_date(rb_ascii(text), (size_t)PyUnicode_GET_LENGTH(text));
}

/* Bytes of a String with their length in front. */
static inline int rb_put_bytes(rb_buffer *out, const void *data, Py_ssize_t size)
{
    if (RB_UNLIKELY(size > RB_MAX_STRING) || rb_need(out, (size_t)size + RB_VARINT_MAX))
        return -1;
    uint8_t *p = rb_put_varint(out->p, (uint64_t)size);
    rb_copy(p, data, (size_t)size);
    out->p = p + size;
    return 0;
}

/* A compact ASCII str, its length in front. */
static RB_INLINE int rb_put_ascii(rb_buffer *out, PyObject *text)
{
    size_t size = (size_t)PyUnicode_GET_LENGTH(text);
    if (RB_UNLIKELY(size > (size_t)RB_MAX_STRING) || rb_need(out, size + RB_TEXT_ROOM))
        return -1;
    uint8_t *p = rb_put_varint(out->p, size);
    rb_copy_ascii(p, rb_ascii(text), size);
    out->p = p + size;
    return 0;
}

int rb_put_wide_str(rb_buffer *out, PyObject *text);

/* An exact str, as UTF-8 with its length in front. */
static RB_INLINE int rb_put_str(rb_buffer *out, PyObject *text)
{
    if (RB_LIKELY(PyUnicode_IS_COMPACT_ASCII(text)))
        return rb_put_ascii(out, text);
    return rb_put_wide_str(out, text);
}

static RB_INLINE int rb_put_string(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value)
{
    if (RB_LIKELY(PyUnicode_CheckExact(value)))
        return rb_put_str(out, value);
    if (PyBytes_CheckExact(value))
        return rb_put_bytes(out, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value));
    return rb_write_reference(e, out, node, value);
}

/* The type without LowCardinality, which a value does not show. */
static inline const rb_node *rb_plain(const rb_node *node)
{
    return node->op == RB_OP_LOW_CARDINALITY ? node->children[0] : node;
}

/* rb_write_value for places where most of the time goes: the commonest types without a call. */
static RB_INLINE int rb_write_common(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value)
{
    node = rb_plain(node);
    rb_op op = node->op;
    if (op == RB_OP_STRING)
        return rb_put_string(e, out, node, value);
    if (op == RB_OP_INT64)
        return rb_put_signed(e, out, node, value, 8);
    if (op == RB_OP_UINT64)
        return rb_put_unsigned(e, out, node, value, 8);
    if (op == RB_OP_FLOAT64)
        return rb_put_float64(e, out, node, value);
    return rb_write_value(e, out, node, value);
}

/* The number that an element of a list with this tag is, no text and not NULL; 0 for an int that no Int64
 * holds. */
static RB_INLINE int rb_element(PyObject *item, uint8_t tag, uint64_t *word)
{
    if (tag == RB_TAG_INT64)
        return rb_long_signed(item, 64, (int64_t *)word);
    *word = tag == RB_TAG_BOOL ? item == Py_True : rb_float_bits(item);
    return 1;
}

static inline size_t rb_element_width(uint8_t tag)
{
    return tag == RB_TAG_BOOL ? 1 : 8;
}

#endif
