/* THE switch: every value of a declared type goes through rb_write_value. */
#include "write_scalar.h"

/* datetime.h keeps its table per source file: everything that needs it is in this one. */
int rb_value_init(void)
{
    PyDateTime_IMPORT;
    return PyDateTimeAPI ? 0 : -1;
}

/* Types besides the JSON ones that can neither be an object nor stand for null. */
int rb_is_rare_leaf(PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    return PyDateTime_CheckExact(value) || PyDate_CheckExact(value) || PyDelta_CheckExact(value) ||
           type == &PyBytes_Type || type == &PyTuple_Type || (PyObject *)type == rb_py.uuid ||
           (PyObject *)type == rb_py.decimal;
}

/* The UTF-8 of a str that is not ASCII, its length in front.  Python would cache the UTF-8 in the
 * caller's object, which doubles its memory: so it is made here. */
int RB_COLD rb_put_wide_str(rb_buffer *out, PyObject *text)
{
    Py_ssize_t count = PyUnicode_GET_LENGTH(text);
    int kind = PyUnicode_KIND(text);
    const void *data = PyUnicode_DATA(text);
    size_t most = (size_t)count * (kind == 1 ? 2 : kind == 2 ? 3 : 4);
    if (most > (size_t)RB_MAX_STRING || rb_need(out, most + 2 * RB_VARINT_MAX))
        return -1;
    /* The length comes first but is known last: write behind the longest length it can have. */
    size_t reserved = rb_varint_size(most);
    uint8_t *body = out->p + reserved, *at = body;
    for (Py_ssize_t i = 0; i < count; i++) {
        size_t size = rb_put_utf8(at, PyUnicode_READ(kind, data, i));
        if (!size)
            return -1; /* a lone surrogate */
        at += size;
    }
    size_t size = (size_t)(at - body);
    uint8_t *begin = rb_put_varint(out->p, size);
    if (begin != body)
        memmove(begin, body, size);
    out->p = begin + size;
    return 0;
}

/* Drop the error of a value that the reference encoder will meet again.  -1 for one that is not
 * about the value and must reach the caller, such as KeyboardInterrupt; and where values are borrowed (no_calls), for
 * making the error can have run the garbage collector, and finalizers: the caller has to know of it. */
int rb_drop_error(const rb_encoder *e)
{
    if (PyErr_Occurred() && (e->no_calls || !PyErr_ExceptionMatches(PyExc_Exception)))
        return -1;
    PyErr_Clear();
    return 0;
}

/* The reference writer, for values without a fast path here. */
int RB_COLD rb_write_reference(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value)
{
    if (e->no_calls)
        return -1;
    PyObject *scratch = PyByteArray_FromStringAndSize(NULL, 0);
    PyObject *depth = PyLong_FromLong(e->depth), *done = NULL;
    int failed = -1;
    e->calls++;
    if (scratch && depth && !PyObject_SetAttr(e->context, rb_py.s_depth, depth))
        done = PyObject_CallFunctionObjArgs(rb_py.write_value, scratch, node->py, value, e->context, NULL);
    if (done)
        failed = rb_append_object(out, scratch);
    if (done && node->op == RB_OP_ARRAY) {
        PyObject *count = PyObject_GetAttr(e->context, rb_py.s_count);
        e->array_count = count ? PyLong_AsSsize_t(count) : -1;
        Py_XDECREF(count);
    }
    Py_XDECREF(done);
    Py_XDECREF(depth);
    Py_XDECREF(scratch);
    return failed;
}

static int write_float32(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value)
{
    float number;
    if (!rb_as_single(value, &number))
        return rb_write_reference(e, out, node, value);
    return rb_put(out, &number, 4);
}

static int write_bfloat16(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value)
{
    float number;
    uint32_t bits;
    if (!rb_as_single(value, &number))
        return rb_write_reference(e, out, node, value);
    memcpy(&bits, &number, 4);
    if (number != number)
        bits |= 0x400000; /* a NaN stays one without its low bits */
    bits >>= 16;
    return rb_put(out, &bits, 2);
}

static int write_bool(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value)
{
    if (RB_UNLIKELY(!PyBool_Check(value)))
        return rb_write_reference(e, out, node, value);
    uint8_t byte = value == Py_True;
    return rb_put(out, &byte, 1);
}

static int write_fixed_string(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value)
{
    const char *data;
    Py_ssize_t size;
    if (PyBytes_CheckExact(value) && PyBytes_GET_SIZE(value) == (Py_ssize_t)node->size) {
        data = PyBytes_AS_STRING(value);
        size = PyBytes_GET_SIZE(value);
    } else if (PyUnicode_CheckExact(value) && PyUnicode_IS_COMPACT_ASCII(value) &&
               PyUnicode_GET_LENGTH(value) <= (Py_ssize_t)node->size) {
        data = (const char *)rb_ascii(value);
        size = PyUnicode_GET_LENGTH(value);
    } else {
        return rb_write_reference(e, out, node, value);
    }
    if (rb_need(out, node->size))
        return -1;
    memcpy(out->p, data, (size_t)size);
    memset(out->p + size, 0, node->size - (size_t)size);
    out->p += node->size;
    return 0;
}

static int64_t date_days(PyObject *date)
{
    return rb_days(PyDateTime_GET_YEAR(date), PyDateTime_GET_MONTH(date), PyDateTime_GET_DAY(date));
}

static int write_date(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value, int64_t low, int64_t high)
{
    int64_t days;
    rb_moment moment;
    if (PyDate_CheckExact(value) || PyDateTime_CheckExact(value))
        days = date_days(value);
    else if (PyUnicode_CheckExact(value) && PyUnicode_IS_COMPACT_ASCII(value) && PyUnicode_GET_LENGTH(value) == 10 &&
             rb_read_moment(rb_ascii(value), 10, &moment))
        days = moment.days;
    else if (!rb_long_signed(value, 64, &days))
        return rb_write_reference(e, out, node, value);
    if (days < low || days > high)
        return -1;
    return rb_put(out, &days, node->size);
}

#define RB_DAY_MICROS ((int64_t)86400 * 1000000)

/* Whether `zone` is datetime.UTC.  Here, for each file has its own PyDateTimeAPI. */
int rb_is_utc(PyObject *zone)
{
    return zone == PyDateTime_TimeZone_UTC;
}

static int64_t wall_seconds(PyObject *value)
{
    return date_days(value) * 86400 + PyDateTime_DATE_GET_HOUR(value) * 3600 + PyDateTime_DATE_GET_MINUTE(value) * 60 +
           PyDateTime_DATE_GET_SECOND(value);
}

/* Microseconds that this machine's zone is ahead of UTC when its clocks show an exact datetime, as
 * datetime.timestamp() has it.  A double holds seconds to a fraction of the whole ones that offsets are. */
static int local_offset(PyObject *value, int64_t *offset)
{
    PyObject *moment = PyObject_CallMethodNoArgs(value, rb_py.s_timestamp);
    if (!moment)
        return -1;
    double wall = (double)wall_seconds(value) + PyDateTime_DATE_GET_MICROSECOND(value) / 1e6;
    *offset = (int64_t)llround(wall - PyFloat_AS_DOUBLE(moment)) * 1000000;
    Py_DECREF(moment);
    return 0;
}

/* Microseconds that a datetime's zone is ahead of UTC; 0 on success. */
static int zone_offset(rb_encoder *e, PyObject *value, int64_t *offset)
{
    *offset = 0;
    PyObject *zone = PyDateTime_DATE_GET_TZINFO(value);
    if (zone == PyDateTime_TimeZone_UTC)
        return 0;
    if (zone == Py_None)
        return e->naive_utc ? 0 : e->naive_local ? local_offset(value, offset) : -1;
    if (e->no_calls)
        return -1;
    e->calls++;
    PyObject *delta = PyObject_CallMethodOneArg(zone, rb_py.s_utcoffset, value);
    int known = delta && PyDelta_CheckExact(delta);
    if (known)
        *offset = ((int64_t)PyDateTime_DELTA_GET_DAYS(delta) * 86400 + PyDateTime_DELTA_GET_SECONDS(delta)) * 1000000 +
                  PyDateTime_DELTA_GET_MICROSECONDS(delta);
    Py_XDECREF(delta);
    /* datetime refuses an offset of a day or more: the reference raises its error */
    return known && *offset > -RB_DAY_MICROS && *offset < RB_DAY_MICROS ? 0 : -1;
}

/* Microseconds since the epoch of an exact datetime. */
static int datetime_micros(rb_encoder *e, PyObject *value, int64_t *micros)
{
    int64_t offset;
    if (zone_offset(e, value, &offset))
        return -1;
    *micros = wall_seconds(value) * 1000000 + PyDateTime_DATE_GET_MICROSECOND(value) - offset;
    return 0;
}

/* Nanoseconds since the epoch of an exact datetime; -1 for every other value. */
int rb_datetime_nanos(rb_encoder *e, PyObject *value, int64_t *nanos)
{
    int64_t micros;
    if (!PyDateTime_CheckExact(value) || datetime_micros(e, value, &micros))
        return -1;
    return __builtin_mul_overflow(micros, 1000, nanos) ? -1 : 0;
}

/* a * b and a / b rounded down, in ticks of 10^scale per second. */
static int micros_to_ticks(int64_t micros, const rb_node *node, int64_t *ticks)
{
    if (node->scale >= 6)
        return __builtin_mul_overflow(micros, node->ticks / 1000000, ticks) ? -1 : 0;
    int64_t unit = 1000000 / node->ticks;
    *ticks = micros / unit - (micros % unit < 0);
    return 0;
}

/* The moment that an exact str in plain ISO form means, without a zone in UTC or not at all; 0 for every other
 * value. */
int rb_text_moment(PyObject *value, int utc, rb_moment *moment)
{
    return PyUnicode_CheckExact(value) && PyUnicode_IS_COMPACT_ASCII(value) &&
           rb_read_moment(rb_ascii(value), (size_t)PyUnicode_GET_LENGTH(value), moment) &&
           (moment->has_zone || utc);
}

/* Ticks of an exact datetime or an ISO text, what is finer cut off; -1 for every other value. */
static int moment_to_ticks(rb_encoder *e, const rb_node *node, PyObject *value, int64_t *ticks)
{
    int64_t micros;
    rb_moment moment;
    if (PyDateTime_CheckExact(value))
        return datetime_micros(e, value, &micros) ? -1 : micros_to_ticks(micros, node, ticks);
    if (!rb_text_moment(value, e->naive_utc, &moment) || __builtin_mul_overflow(moment.seconds, node->ticks, ticks))
        return -1;
    return __builtin_add_overflow(*ticks, moment.nanos / (1000000000 / node->ticks), ticks) ? -1 : 0;
}

static int write_datetime(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value)
{
    int64_t ticks;
    if (!rb_long_signed(value, 64, &ticks) && moment_to_ticks(e, node, value, &ticks)) {
        if (rb_drop_error(e)) /* whatever a zone raised, it will raise again there */
            return -1;
        return rb_write_reference(e, out, node, value);
    }
    if (node->op == RB_OP_DATETIME && (ticks < 0 || ticks > UINT32_MAX))
        return -1;
    return rb_put(out, &ticks, node->size);
}

static int write_time(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value)
{
    int64_t ticks, micros;
    if (!rb_long_signed(value, 64, &ticks)) {
        if (!PyDelta_CheckExact(value) || abs(PyDateTime_DELTA_GET_DAYS(value)) > 42)
            return rb_write_reference(e, out, node, value);
        micros = ((int64_t)PyDateTime_DELTA_GET_DAYS(value) * 86400 + PyDateTime_DELTA_GET_SECONDS(value)) * 1000000 +
                 PyDateTime_DELTA_GET_MICROSECONDS(value);
        if (micros_to_ticks(micros, node, &ticks))
            return -1;
    }
    int64_t limit = (int64_t)3600000 * node->ticks; /* 1000 hours */
    if (ticks <= -limit || ticks >= limit)
        return -1;
    return rb_put(out, &ticks, node->size);
}

static int write_enum(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value)
{
    int64_t number;
    PyObject *found = NULL;
    if (PyUnicode_CheckExact(value))
        found = PyDict_GetItemWithError(node->labels, value);
    if (!found || !rb_long_signed(found, 16, &number))
        return rb_write_reference(e, out, node, value);
    return rb_put(out, &number, node->size);
}

static int write_nullable(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value)
{
    uint8_t flag = value == Py_None;
    if (rb_put(out, &flag, 1))
        return -1;
    return flag ? 0 : rb_write_value(e, out, node->children[0], value);
}

/* Append `value` as the type of `node`.  No default: a new opcode without a case does not compile. */
int rb_write_value(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value)
{
    switch (node->op) {
    case RB_OP_STRING:
        return rb_put_string(e, out, node, value);
    case RB_OP_UINT64:
        return rb_put_unsigned(e, out, node, value, 8);
    case RB_OP_INT64:
    case RB_OP_INTERVAL:
        return rb_put_signed(e, out, node, value, 8);
    case RB_OP_FLOAT64:
        return rb_put_float64(e, out, node, value);
    case RB_OP_LOW_CARDINALITY:
        return rb_write_value(e, out, node->children[0], value);
    case RB_OP_NULLABLE:
        return write_nullable(e, out, node, value);
    case RB_OP_DATETIME:
    case RB_OP_DATETIME64:
        return write_datetime(e, out, node, value);
    case RB_OP_JSON:
        return rb_write_json(e, out, node, value);
    case RB_OP_ARRAY:
        return rb_write_array(e, out, node, value);
    case RB_OP_TUPLE:
        return rb_write_tuple(e, out, node, value);
    case RB_OP_MAP:
        return rb_write_map(e, out, node, value);
    case RB_OP_DYNAMIC:
        return rb_write_dynamic(e, out, value, (rb_limits){1024, 32});
    case RB_OP_VARIANT:
        return rb_write_variant(e, out, node, value);
    case RB_OP_INT8:
        return rb_put_signed(e, out, node, value, 1);
    case RB_OP_INT16:
        return rb_put_signed(e, out, node, value, 2);
    case RB_OP_INT32:
        return rb_put_signed(e, out, node, value, 4);
    case RB_OP_INT128:
        return rb_put_wide(e, out, node, value, 16, 1);
    case RB_OP_INT256:
        return rb_put_wide(e, out, node, value, 32, 1);
    case RB_OP_UINT8:
        return rb_put_unsigned(e, out, node, value, 1);
    case RB_OP_UINT16:
        return rb_put_unsigned(e, out, node, value, 2);
    case RB_OP_UINT32:
        return rb_put_unsigned(e, out, node, value, 4);
    case RB_OP_UINT128:
        return rb_put_wide(e, out, node, value, 16, 0);
    case RB_OP_UINT256:
        return rb_put_wide(e, out, node, value, 32, 0);
    case RB_OP_FLOAT32:
        return write_float32(e, out, node, value);
    case RB_OP_BFLOAT16:
        return write_bfloat16(e, out, node, value);
    case RB_OP_BOOL:
        return write_bool(e, out, node, value);
    case RB_OP_FIXED_STRING:
        return write_fixed_string(e, out, node, value);
    case RB_OP_DATE:
        return write_date(e, out, node, value, 0, UINT16_MAX);
    case RB_OP_DATE32:
        return write_date(e, out, node, value, -719162, 2932896);
    case RB_OP_TIME:
    case RB_OP_TIME64:
        return write_time(e, out, node, value);
    case RB_OP_UUID:
        return rb_write_uuid(e, out, node, value);
    case RB_OP_ENUM8:
    case RB_OP_ENUM16:
        return write_enum(e, out, node, value);
    case RB_OP_DECIMAL32:
    case RB_OP_DECIMAL64:
    case RB_OP_DECIMAL128:
    case RB_OP_DECIMAL256:
        return rb_write_decimal(e, out, node, value);
    /* Rare on any hot path: the reference writer is fast enough. */
    case RB_OP_NOTHING:
    case RB_OP_IPV4:
    case RB_OP_IPV6:
    case RB_OP_STATE:
    case RB_OP_QBIT:
        return rb_write_reference(e, out, node, value);
    }
    Py_UNREACHABLE();
}
