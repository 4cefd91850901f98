/* Values without a declared type: type tag and value, for the Python types that need no thought. */
#include "write_scalar.h"

/* rowbinary._dynamic.write_natural, for everything else. */
static int RB_COLD write_reference(rb_encoder *e, rb_buffer *out, PyObject *value, rb_limits limits)
{
    PyObject *scratch = PyByteArray_FromStringAndSize(NULL, 0);
    PyObject *depth = PyLong_FromLong(e->depth), *done = NULL;
    PyObject *pair = Py_BuildValue("(II)", limits.paths, limits.types);
    int failed = -1;
    e->calls++;
    if (scratch && depth && pair && !PyObject_SetAttr(e->context, rb_py.s_depth, depth))
        done = PyObject_CallFunctionObjArgs(rb_py.write_natural, scratch, value, e->context, pair, NULL);
    if (done)
        failed = rb_append_object(out, scratch);
    Py_XDECREF(done);
    Py_XDECREF(pair);
    Py_XDECREF(depth);
    Py_XDECREF(scratch);
    return failed;
}

static inline int put_tag(rb_buffer *out, uint8_t tag)
{
    if (rb_need(out, 1))
        return -1;
    *out->p++ = tag;
    return 0;
}

static inline int put_tagged_word(rb_buffer *out, uint8_t tag, uint64_t word)
{
    if (rb_need(out, 9))
        return -1;
    uint8_t *p = out->p;
    *p = tag;
    memcpy(p + 1, &word, 8);
    out->p = p + 9;
    return 0;
}

static inline int write_int(rb_encoder *e, rb_buffer *out, PyObject *value, rb_limits limits)
{
    uint64_t magnitude;
    int negative;
    if (RB_UNLIKELY(!rb_long_parts(value, &magnitude, &negative)))
        return write_reference(e, out, value, limits);
    if (RB_LIKELY(magnitude >> 63 == 0))
        return put_tagged_word(out, RB_TAG_INT64, negative ? 0 - magnitude : magnitude);
    if (negative)
        return write_reference(e, out, value, limits);
    return put_tagged_word(out, RB_TAG_UINT64, magnitude);
}

/* json="text": dates and times in the plain ISO forms, from 1970 to 2105; other texts that could be
 * dates are looked at by the reference. */
static int write_date_like(rb_encoder *e, rb_buffer *out, PyObject *value, rb_limits limits)
{
    rb_moment moment;
    if (!rb_text_moment(value, e->json_utc, &moment) || moment.seconds < 0 || moment.seconds > UINT32_MAX ||
        rb_need(out, 10))
        return PyErr_Occurred() ? -1 : write_reference(e, out, value, limits);
    uint64_t number = moment.has_fraction ? (uint64_t)moment.seconds * 1000000000 + moment.nanos
                      : moment.has_time   ? (uint64_t)moment.seconds
                                          : (uint64_t)moment.days;
    size_t width = moment.has_fraction ? 8 : moment.has_time ? 4 : 2;
    *out->p++ = moment.has_fraction ? RB_TAG_DATETIME64 : moment.has_time ? RB_TAG_DATETIME : RB_TAG_DATE;
    if (moment.has_fraction)
        *out->p++ = 9;
    memcpy(out->p, &number, width);
    out->p += width;
    return 0;
}

/* --- lists ---------------------------------------------------------------------------------------- */

enum { HAS_NONE = 1, HAS_INT = 2, HAS_FLOAT = 4, HAS_STR = 8, HAS_BOOL = 16, HAS_DICT = 32, HAS_OTHER = 64 };

static int list_kinds(PyObject *list)
{
    int kinds = 0;
    Py_ssize_t count = PyList_GET_SIZE(list);
    for (Py_ssize_t i = 0; i < count && kinds < HAS_OTHER; i++) {
        PyTypeObject *type = Py_TYPE(PyList_GET_ITEM(list, i));
        kinds |= type == &PyUnicode_Type ? HAS_STR
                 : type == &PyLong_Type  ? HAS_INT
                 : type == &PyFloat_Type ? HAS_FLOAT
                 : type == &PyDict_Type  ? HAS_DICT
                 : type == &PyBool_Type  ? HAS_BOOL
                 : type == Py_TYPE(Py_None) ? HAS_NONE
                                            : HAS_OTHER;
    }
    return kinds;
}

/* Int64, UInt64, Float64, Bool, String: what paths of objects in lists can have in text mode, without the reference
 * (is_simple in json_values.c).  A path that has no room for all of them converts values to what it has. */
#define SIMPLE_TYPES 5

static int has_date_like(PyObject *list)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++) {
        PyObject *item = PyList_GET_ITEM(list, i);
        if (PyUnicode_CheckExact(item) && rb_date_like(item))
            return 1;
    }
    return 0;
}

/* One element of Array(Nullable(T)); -1 also for an int beyond Int64: the list needs another T. */
static inline int write_element(rb_buffer *out, PyObject *item, uint8_t tag)
{
    uint64_t word;
    if (rb_need(out, 1 + sizeof word))
        return -1;
    *out->p++ = item == Py_None;
    if (item == Py_None)
        return 0;
    if (tag == RB_TAG_STRING)
        return rb_put_str(out, item);
    if (!rb_element(item, tag, &word))
        return -1;
    memcpy(out->p, &word, sizeof word);
    out->p += rb_element_width(tag);
    return 0;
}

/* No code of the caller runs here, so the list stays as it is. */
static int write_scalars(rb_buffer *out, PyObject *list, uint8_t tag)
{
    Py_ssize_t count = PyList_GET_SIZE(list);
    for (Py_ssize_t i = 0; i < count; i++)
        if (RB_UNLIKELY(write_element(out, PyList_GET_ITEM(list, i), tag)))
            return -1;
    return 0;
}

/* The tag of T in Array(Nullable(T)), or that of JSON with `max_types`; 0 for a list that is the reference's. */
uint8_t rb_list_tag(const rb_encoder *e, PyObject *list, uint32_t max_types)
{
    int kinds = list_kinds(list), text = e->json == RB_JSON_TEXT;
    switch (kinds & ~HAS_NONE) {
    case 0:
        return RB_TAG_STRING;
    case HAS_STR:
        return text && has_date_like(list) ? 0 : RB_TAG_STRING;
    case HAS_INT:
        return RB_TAG_INT64;
    case HAS_FLOAT:
        return text ? 0 : RB_TAG_FLOAT64;
    case HAS_BOOL:
        return RB_TAG_BOOL;
    case HAS_DICT:
        if (kinds != HAS_DICT || e->json == RB_JSON_STRING)
            return 0;
        return text && max_types < SIMPLE_TYPES ? 0 : RB_TAG_JSON;
    default:
        return 0;
    }
}

/* The type tag of a list whose elements have `tag`; `out` has room for RB_LIST_TAG_MAX bytes. */
uint8_t *rb_put_list_tag(uint8_t *out, uint8_t tag, rb_limits limits)
{
    *out++ = RB_TAG_ARRAY;
    if (tag != RB_TAG_JSON) {
        *out++ = RB_TAG_NULLABLE;
        *out++ = tag;
        return out;
    }
    *out++ = RB_TAG_JSON;
    *out++ = 0; /* version */
    out = rb_put_varint(out, limits.paths);
    *out++ = (uint8_t)limits.types;
    memset(out, 0, 3); /* no typed paths, SKIP, SKIP REGEXP */
    return out + 3;
}

static int write_list(rb_encoder *e, rb_buffer *out, PyObject *list, rb_limits limits)
{
    size_t before = rb_size(out);
    if (e->depth >= RB_MAX_DEPTH || rb_need(out, RB_LIST_TAG_MAX + RB_VARINT_MAX))
        return -1;
    uint8_t tag = rb_list_tag(e, list, limits.types);
    int failed = 1;
    if (tag) {
        out->p = rb_put_varint(rb_put_list_tag(out->p, tag, limits), (uint64_t)PyList_GET_SIZE(list));
        e->depth++;
        failed = tag == RB_TAG_JSON ? rb_write_objects(e, out, list, limits) : write_scalars(out, list, tag);
        e->depth--;
    }
    if (!failed)
        return 0;
    if (failed < 0 && PyErr_Occurred())
        return -1;
    out->p = out->start + before;
    return write_reference(e, out, list, limits);
}

/* Append type tag and value of a Dynamic. */
int rb_write_dynamic(rb_encoder *e, rb_buffer *out, PyObject *value, rb_limits limits)
{
    PyTypeObject *type = Py_TYPE(value);
    if (type == &PyUnicode_Type) {
        if (e->json == RB_JSON_TEXT && rb_date_like(value))
            return write_date_like(e, out, value, limits);
        return put_tag(out, RB_TAG_STRING) ? -1 : rb_put_str(out, value);
    }
    if (type == &PyLong_Type)
        return write_int(e, out, value, limits);
    if (type == &PyFloat_Type && (e->json != RB_JSON_TEXT || isfinite(PyFloat_AS_DOUBLE(value))))
        return put_tagged_word(out, RB_TAG_FLOAT64, rb_float_bits(value));
    if (type == &PyBool_Type)
        return put_tag(out, RB_TAG_BOOL) || put_tag(out, value == Py_True) ? -1 : 0;
    if (type == &PyList_Type)
        return write_list(e, out, value, limits);
    if (value == Py_None)
        return put_tag(out, RB_TAG_NOTHING);
    int64_t nanos;
    if (e->json != RB_JSON_TEXT && rb_datetime_nanos(e, value, &nanos) == 0) {
        uint8_t tag[2] = {RB_TAG_DATETIME64, 9};
        return rb_put(out, tag, 2) || rb_put(out, &nanos, 8) ? -1 : 0;
    }
    if (rb_drop_error(e)) /* whatever a zone raised, it will raise again there */
        return -1;
    return write_reference(e, out, value, limits);
}
