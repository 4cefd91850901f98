/* Readers of scalars. */
#include "source.h"

#define EPOCH_DAY 719163         /* the ordinal of 1970-01-01, as date.toordinal counts */
#define LAST_DAY 3652059         /* of 9999-12-31 */
#define DAY 86400
#define MOST_DELTA 999999999     /* days of a timedelta */
#define DAYS_OF_4_YEARS 1461
#define DAYS_OF_100_YEARS 36524
#define DAYS_OF_400_YEARS 146097

static inline uint64_t word_at(const uint8_t *p, size_t width)
{
    uint64_t word = 0;
    memcpy(&word, p, width);
    return word;
}

static inline int64_t signed_at(const uint8_t *p, unsigned width)
{
    unsigned rest = 64 - 8 * width;
    return (int64_t)(word_at(p, width) << rest) >> rest;
}

/* --- text ----------------------------------------------------------------------------------------------- */

static inline int is_ascii(const uint8_t *text, size_t size)
{
    uint64_t word, all = 0;
    size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        memcpy(&word, text + i, 8);
        all |= word;
    }
    for (; i < size; i++)
        all |= text[i];
    return !(all & 0x8080808080808080ULL);
}

/* A str of UTF-8; NULL without an error where it is not that. */
PyObject *rb_new_text(const uint8_t *text, size_t size)
{
    if (RB_LIKELY(is_ascii(text, size))) {
        PyObject *made = PyUnicode_New((Py_ssize_t)size, 127);
        if (made)
            memcpy(PyUnicode_DATA(made), text, size);
        return made;
    }
    PyObject *made = PyUnicode_DecodeUTF8((const char *)text, (Py_ssize_t)size, NULL);
    if (!made && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError))
        PyErr_Clear();
    return made;
}

static PyObject *read_string(rb_source *s, const rb_node *node)
{
    uint64_t size;
    unsigned length = rb_peek_varint(s, &size);
    if (RB_UNLIKELY(!length || size > RB_MAX_STRING || !rb_has(s, length + (size_t)size)))
        return rb_read_reference(s, node);
    PyObject *text = rb_new_text(s->p + length, (size_t)size);
    if (RB_UNLIKELY(!text))
        return rb_read_reference(s, node);
    s->p += length + size;
    return text;
}

/* A String that is no value: a path.  Rare ones are the cursor's. */
PyObject *rb_read_text(rb_source *s)
{
    uint64_t size;
    unsigned length = rb_peek_varint(s, &size);
    PyObject *text = NULL;
    if (length && size <= RB_MAX_STRING && rb_has(s, length + (size_t)size))
        text = rb_new_text(s->p + length, (size_t)size);
    if (!text)
        return PyErr_Occurred() ? NULL : PyObject_CallMethodNoArgs((PyObject *)s, rb_read.s_text);
    s->p += length + size;
    return text;
}

static PyObject *read_fixed_string(rb_source *s, const rb_node *node)
{
    if (!rb_has(s, node->size))
        return rb_read_reference(s, node);
    PyObject *bytes = PyBytes_FromStringAndSize((const char *)s->p, node->size);
    s->p += node->size;
    return bytes;
}

/* --- numbers --------------------------------------------------------------------------------------------- */

static PyObject *float32_at(const uint8_t *p)
{
    float number;
    memcpy(&number, p, 4);
    return PyFloat_FromDouble(number);
}

static PyObject *bfloat16_at(const uint8_t *p)
{
    uint32_t bits = (uint32_t)word_at(p, 2) << 16;
    float number;
    memcpy(&number, &bits, 4);
    return PyFloat_FromDouble(number);
}

static PyObject *float64_at(const uint8_t *p)
{
    double number;
    memcpy(&number, p, 8);
    return PyFloat_FromDouble(number);
}

/* By its text: digits and the point, which is how Decimal is made fastest. */
static PyObject *decimal_of(const rb_node *node, int64_t number)
{
    char text[48], *p = text + sizeof text;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    unsigned digits = 0;
    for (; rest || digits <= node->scale; digits++) {
        if (digits == node->scale && digits)
            *--p = '.';
        *--p = (char)('0' + rest % 10);
        rest /= 10;
    }
    if (number < 0)
        *--p = '-';
    PyObject *digits_text = PyUnicode_FromStringAndSize(p, text + sizeof text - p);
    PyObject *value = digits_text ? PyObject_CallOneArg(rb_py.decimal, digits_text) : NULL;
    Py_XDECREF(digits_text);
    return value;
}

/* --- dates ------------------------------------------------------------------------------------------------ */

typedef struct {
    int year, month, day;
} civil;

/* The date of a day by its ordinal, 1 .. LAST_DAY. */
static civil civil_of(int64_t ordinal)
{
    static const short before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    int day = (int)ordinal - 1, year = day / DAYS_OF_400_YEARS * 400 + 1;
    day %= DAYS_OF_400_YEARS;
    int centuries = day / DAYS_OF_100_YEARS;
    day -= centuries * DAYS_OF_100_YEARS;
    int fours = day / DAYS_OF_4_YEARS;
    day -= fours * DAYS_OF_4_YEARS;
    int ones = day / 365;
    day -= ones * 365;
    year += centuries * 100 + fours * 4 + ones;
    if (ones == 4 || centuries == 4) /* the last day of a leap year at the end of four, of 400 */
        return (civil){year - 1, 12, 31};
    int leap = ones == 3 && (fours != 24 || centuries == 3), month = day / 29 > 11 ? 11 : day / 29;
    while (before[month] + (leap && month > 1) > day)
        month--;
    return (civil){year, month + 1, day - before[month] - (leap && month > 1) + 1};
}

static PyObject *date_of(int64_t days)
{
    if (days <= -EPOCH_DAY || days > LAST_DAY - EPOCH_DAY)
        return PyLong_FromLongLong(days);
    civil date = civil_of(days + EPOCH_DAY);
    return PyDate_FromDate(date.year, date.month, date.day);
}

static inline int64_t floor_div(int64_t number, int64_t by, int64_t *rest)
{
    int64_t quotient = number / by;
    *rest = number % by;
    if (*rest < 0) {
        *rest += by;
        quotient--;
    }
    return quotient;
}

/* Microseconds of `part` ticks, which are less than a second; whether that is all of them. */
static inline int micros_of(const rb_node *node, int64_t part, int *micros)
{
    int64_t scale = 1;
    for (unsigned i = node->scale; i < 6; i++)
        scale *= 10;
    for (unsigned i = 6; i < node->scale; i++)
        scale *= 10;
    if (node->scale <= 6) {
        *micros = (int)(part * scale);
        return 1;
    }
    *micros = (int)(part / scale);
    return part % scale == 0;
}

/* The moment in `zone`; NULL without an error where there is none. */
static PyObject *moment_in(PyObject *zone, civil date, int seconds, int micros)
{
    PyObject *utc = PyDateTimeAPI->DateTime_FromDateAndTime(date.year, date.month, date.day, seconds / 3600,
                                                            seconds / 60 % 60, seconds % 60, micros, zone,
                                                            PyDateTimeAPI->DateTimeType);
    if (!utc || zone == PyDateTime_TimeZone_UTC)
        return utc;
    PyObject *moment = PyObject_CallMethodOneArg(zone, rb_read.s_fromutc, utc);
    Py_DECREF(utc);
    if (!moment && (PyErr_ExceptionMatches(PyExc_ValueError) || PyErr_ExceptionMatches(PyExc_OverflowError)))
        PyErr_Clear();
    return moment;
}

/* The zone of a column; borrowed.  NULL where the reference has to find it. */
static inline PyObject *zone_of(const rb_source *s, const rb_node *node)
{
    return node->utc ? PyDateTime_TimeZone_UTC : node->zone ? node->tz : s->zone;
}

static PyObject *moment_of(rb_source *s, const rb_node *node, int64_t ticks)
{
    int64_t part, rest;
    if (s->moments == RB_MOMENTS_TICKS)
        return PyLong_FromLongLong(ticks);
    PyObject *zone = zone_of(s, node);
    if (RB_UNLIKELY(!zone))
        return NULL;
    int64_t seconds = floor_div(ticks, node->ticks, &part), days = floor_div(seconds, DAY, &rest);
    int micros, whole = micros_of(node, part, &micros);
    if (days <= -EPOCH_DAY || days > LAST_DAY - EPOCH_DAY || (!whole && s->moments == RB_MOMENTS_EXACT))
        return PyLong_FromLongLong(ticks);
    PyObject *moment = moment_in(zone, civil_of(days + EPOCH_DAY), (int)rest, micros);
    return moment || PyErr_Occurred() ? moment : PyLong_FromLongLong(ticks);
}

static PyObject *time_of(rb_source *s, const rb_node *node, int64_t ticks)
{
    int64_t part, rest;
    int64_t seconds = floor_div(ticks, node->ticks, &part), days = floor_div(seconds, DAY, &rest);
    int micros, whole = micros_of(node, part, &micros);
    if (s->moments == RB_MOMENTS_TICKS || (!whole && s->moments == RB_MOMENTS_EXACT) || days > MOST_DELTA ||
        days < -MOST_DELTA)
        return PyLong_FromLongLong(ticks);
    return PyDelta_FromDSU((int)days, (int)rest, micros);
}

/* --- objects ---------------------------------------------------------------------------------------------- */

/* A UUID is not to be changed, but has to be made: as its own unpickling does it. */
static PyObject *uuid_at(const uint8_t *p)
{
    uint64_t words[2];
    memcpy(words, p, 16);
    uint64_t number[2] = {words[1], words[0]};
    PyTypeObject *type = (PyTypeObject *)rb_py.uuid;
    PyObject *value = _PyLong_FromByteArray((const unsigned char *)number, 16, 1, 0);
    PyObject *made = value ? type->tp_alloc(type, 0) : NULL;
    if (made && (PyObject_GenericSetAttr(made, rb_read.s_int, value) ||
                 PyObject_GenericSetAttr(made, rb_read.s_is_safe, rb_read.safe)))
        Py_CLEAR(made);
    Py_XDECREF(value);
    return made;
}

static PyObject *address_of(PyObject *type, PyObject *argument)
{
    PyObject *address = argument ? PyObject_CallOneArg(type, argument) : NULL;
    Py_XDECREF(argument);
    return address;
}

static PyObject *label_of(rb_source *s, const rb_node *node, int64_t number)
{
    PyObject *labels = PyDict_GetItemWithError(s->labels, node->py); /* the reference makes it with the first */
    PyObject *key = labels ? PyLong_FromLongLong(number) : NULL;
    PyObject *label = key ? PyDict_GetItemWithError(labels, key) : NULL;
    Py_XDECREF(key);
    return Py_XNewRef(label);
}

/* --- by opcode ---------------------------------------------------------------------------------------------- */

/* The value of fixed width at `p`; NULL without an error where it is the reference's to read. */
static RB_INLINE PyObject *fixed_at(rb_source *s, const rb_node *node, const uint8_t *p)
{
    switch (node->op) {
    case RB_OP_BOOL:
        return PyBool_FromLong(*p != 0);
    case RB_OP_INT8:
        return PyLong_FromLong((long)signed_at(p, 1));
    case RB_OP_INT16:
        return PyLong_FromLong((long)signed_at(p, 2));
    case RB_OP_INT32:
        return PyLong_FromLong((long)signed_at(p, 4));
    case RB_OP_INT64:
    case RB_OP_INTERVAL:
        return PyLong_FromLongLong(signed_at(p, 8));
    case RB_OP_UINT8:
        return PyLong_FromLong((long)word_at(p, 1));
    case RB_OP_UINT16:
        return PyLong_FromLong((long)word_at(p, 2));
    case RB_OP_UINT32:
        return PyLong_FromUnsignedLongLong(word_at(p, 4));
    case RB_OP_UINT64:
        return PyLong_FromUnsignedLongLong(word_at(p, 8));
    case RB_OP_INT128:
    case RB_OP_INT256:
        return _PyLong_FromByteArray(p, rb_op_width[node->op], 1, 1);
    case RB_OP_UINT128:
    case RB_OP_UINT256:
        return _PyLong_FromByteArray(p, rb_op_width[node->op], 1, 0);
    case RB_OP_FLOAT32:
        return float32_at(p);
    case RB_OP_FLOAT64:
        return float64_at(p);
    case RB_OP_BFLOAT16:
        return bfloat16_at(p);
    case RB_OP_DECIMAL32:
        return decimal_of(node, signed_at(p, 4));
    case RB_OP_DECIMAL64:
        return decimal_of(node, signed_at(p, 8));
    case RB_OP_DATE:
        return date_of((int64_t)word_at(p, 2));
    case RB_OP_DATE32:
        return date_of(signed_at(p, 4));
    case RB_OP_DATETIME:
        return moment_of(s, node, (int64_t)word_at(p, 4));
    case RB_OP_DATETIME64:
        return moment_of(s, node, signed_at(p, 8));
    case RB_OP_TIME:
        return time_of(s, node, signed_at(p, 4));
    case RB_OP_TIME64:
        return time_of(s, node, signed_at(p, 8));
    case RB_OP_UUID:
        return uuid_at(p);
    case RB_OP_IPV4:
        return address_of(rb_read.ipv4, PyLong_FromUnsignedLongLong(word_at(p, 4)));
    case RB_OP_IPV6:
        return address_of(rb_read.ipv6, PyBytes_FromStringAndSize((const char *)p, 16));
    case RB_OP_ENUM8:
        return label_of(s, node, signed_at(p, 1));
    case RB_OP_ENUM16:
        return label_of(s, node, signed_at(p, 2));
    default:
        return NULL;
    }
}

/* What the reference reads here.  The first value of a column with a zone brings the zone. */
static PyObject *RB_COLD read_rare(rb_source *s, const rb_node *node)
{
    PyObject *value = rb_read_reference(s, node);
    if (value && node->zone && !node->tz && PyDateTime_CheckExact(value) &&
        PyDateTime_DATE_GET_TZINFO(value) != Py_None)
        ((rb_node *)node)->tz = Py_NewRef(PyDateTime_DATE_GET_TZINFO(value)); /* once: others may be using it */
    return value;
}

int rb_scalar_init(void)
{
    PyDateTime_IMPORT; /* has a pointer in every file */
    return PyDateTimeAPI ? 0 : -1;
}

/* A value of a type without others in it. */
PyObject *rb_read_scalar(rb_source *s, const rb_node *node)
{
    if (node->op == RB_OP_STRING)
        return read_string(s, node);
    if (node->op == RB_OP_FIXED_STRING)
        return read_fixed_string(s, node);
    unsigned width = rb_op_width[node->op];
    PyObject *value = RB_LIKELY(width && rb_has(s, width)) ? fixed_at(s, node, s->p) : NULL;
    if (RB_UNLIKELY(!value))
        return read_rare(s, node);
    s->p += width;
    return value;
}

/* --- values whose bytes are at hand ----------------------------------------------------------------------------- */

/* Whether any bytes are a value of the type, which takes no code of others to make: it can be made later. */
int rb_is_certain(const rb_source *s, const rb_node *node)
{
    switch (node->op) {
    case RB_OP_STRING:
        return !s->strict;
    case RB_OP_DATETIME:
    case RB_OP_DATETIME64:
        return s->moments == RB_MOMENTS_TICKS || zone_of(s, node) == PyDateTime_TimeZone_UTC;
    case RB_OP_FIXED_STRING:
        return 1;
    case RB_OP_ENUM8:
    case RB_OP_ENUM16:
    case RB_OP_DECIMAL128:
    case RB_OP_DECIMAL256:
        return 0;
    default:
        return rb_op_width[node->op] != 0 && node->op != RB_OP_NOTHING;
    }
}

/* The value of a certain type at `p`, but for a String. */
PyObject *rb_certain_at(rb_source *s, const rb_node *node, const uint8_t *p)
{
    if (RB_UNLIKELY(node->op == RB_OP_FIXED_STRING))
        return PyBytes_FromStringAndSize((const char *)p, node->size);
    return fixed_at(s, node, p);
}

/* The String at `p` whose length has `length` bytes.  What is not UTF-8 the reference reads, there. */
PyObject *rb_text_at(rb_source *s, const rb_node *node, const uint8_t *p, unsigned length, size_t size)
{
    PyObject *text = rb_new_text(p + length, size);
    if (RB_LIKELY(text || PyErr_Occurred()))
        return text;
    const uint8_t *start = s->start, *here = s->p, *end = s->end;
    s->start = s->p = p;
    s->end = p + length + size;
    text = rb_read_reference(s, node);
    s->start = start;
    s->p = here;
    s->end = end;
    return text;
}
