/* Decimal and UUID: objects whose content is behind Python code, read where it lies.
 *
 * str(Decimal) costs more than all other cells of a usual row.  So the number is read from the object, by
 * the layout that decimal's C module has had since Python 3.3; and as nobody promises that, numbers of
 * every kind are read at import, and when one comes out wrong the text is taken for all. */
#include "write_scalar.h"

#include <structmember.h>

/* --- Decimal -------------------------------------------------------------------------------------- */

#define MAX_DIGITS 37 /* that surely fit a signed 128-bit integer */

/* mpd_t of libmpdec, with words of 64 bits; its object has room for four words. */
typedef struct {
    uint8_t flags;
    Py_ssize_t exponent, digits, count, room;
    const uint64_t *words; /* to the base of 10^19, the low one first */
} number_layout;

typedef struct {
    PyObject_HEAD
    Py_hash_t hash;
    number_layout number;
    uint64_t words[4];
} decimal_layout;

enum { IS_NEGATIVE = 1, IS_SPECIAL = 2 | 4 | 8 }; /* infinity and the two kinds of NaN */

static int layout_is_known;

static const uint64_t POWERS[20] = {1ULL,
                                    10ULL,
                                    100ULL,
                                    1000ULL,
                                    10000ULL,
                                    100000ULL,
                                    1000000ULL,
                                    10000000ULL,
                                    100000000ULL,
                                    1000000000ULL,
                                    10000000000ULL,
                                    100000000000ULL,
                                    1000000000000ULL,
                                    10000000000000ULL,
                                    100000000000000ULL,
                                    1000000000000000ULL,
                                    10000000000000000ULL,
                                    100000000000000000ULL,
                                    1000000000000000000ULL,
                                    10000000000000000000ULL};

static inline unsigned __int128 power_of_ten(uint32_t n)
{
    return n < 20 ? POWERS[n] : (unsigned __int128)POWERS[19] * POWERS[n - 19];
}

/* A decimal number that is not special: magnitude * 10^exponent. */
typedef struct {
    unsigned __int128 magnitude;
    Py_ssize_t exponent, digits;
    int negative;
} plain_decimal;

/* Of an exact Decimal of the known layout; 0 when it is special or has many digits. */
static inline int read_decimal(PyObject *value, plain_decimal *out)
{
    const number_layout *number = &((const decimal_layout *)value)->number;
    if (number->flags & IS_SPECIAL || number->digits > MAX_DIGITS || number->count > 2)
        return 0;
    out->magnitude = number->words[0];
    if (number->count == 2)
        out->magnitude += (unsigned __int128)number->words[1] * POWERS[19];
    out->exponent = number->exponent;
    out->digits = number->digits;
    out->negative = number->flags & IS_NEGATIVE;
    return 1;
}

/* Of a text of digits, with a sign and a point; 0 when it is not that simple. */
static int read_digits(const char *text, Py_ssize_t size, plain_decimal *out)
{
    *out = (plain_decimal){.negative = size && text[0] == '-'};
    int point = 0;
    for (Py_ssize_t i = out->negative; i < size; i++) {
        if (text[i] == '.' && !point) {
            point = 1;
            continue;
        }
        if (text[i] < '0' || text[i] > '9' || ++out->digits > MAX_DIGITS)
            return 0;
        out->magnitude = out->magnitude * 10 + (unsigned)(text[i] - '0');
        out->exponent -= point;
    }
    return out->digits > 0;
}

/* Fill `out` from an exact Decimal: 1 when it could be read, -1 with an error. */
static int read_number(rb_encoder *e, PyObject *value, plain_decimal *out)
{
    if (RB_LIKELY(layout_is_known))
        return read_decimal(value, out);
    if (e->no_calls)
        return 0;
    e->calls++;
    PyObject *text = PyObject_Str(value);
    if (!text)
        return -1;
    int known = PyUnicode_IS_COMPACT_ASCII(text) &&
                read_digits((const char *)rb_ascii(text), PyUnicode_GET_LENGTH(text), out);
    Py_DECREF(text);
    return known;
}

/* The number as an integer of `node->scale` decimals; 0 when a digit would be lost or it is too large. */
static inline int scale_decimal(const plain_decimal *decimal, const rb_node *node, __int128 *out)
{
    unsigned __int128 number = decimal->magnitude;
    Py_ssize_t more = decimal->exponent + (Py_ssize_t)node->scale;
    if (more > MAX_DIGITS || (more > 0 && decimal->digits + more > MAX_DIGITS))
        return 0;
    if (more > 0)
        number *= power_of_ten((uint32_t)more);
    for (; more < 0 && number; more++) {
        if (number % 10)
            return 0;
        number /= 10;
    }
    if (number >= power_of_ten(node->precision < 38 ? node->precision : 38))
        return 0;
    *out = decimal->negative ? -(__int128)number : (__int128)number;
    return 1;
}

int rb_write_decimal(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value)
{
    plain_decimal decimal;
    __int128 number;
    int known = (PyObject *)Py_TYPE(value) == rb_py.decimal ? read_number(e, value, &decimal) : 0;
    if (known < 0)
        return -1;
    if (!known || !scale_decimal(&decimal, node, &number))
        return rb_write_reference(e, out, node, value);
    uint64_t words[4] = {(uint64_t)number, (uint64_t)(number >> 64)};
    words[2] = words[3] = number < 0 ? UINT64_MAX : 0;
    return rb_put(out, words, node->size);
}

/* What the layout must show of a few numbers. */
static const struct {
    const char *text;
    uint64_t low, high;
    Py_ssize_t exponent, digits, count;
    int flags;
} PROBES[] = {
    {"0", 0, 0, 0, 1, 1, 0},
    {"-12345.678", 12345678, 0, -3, 8, 1, IS_NEGATIVE},
    {"7E+30", 7, 0, 30, 1, 1, 0},
    {"1234567890123456789012.5", 5678901234567890125ULL, 1234, -1, 23, 2, 0},
    {"-Infinity", 0, 0, 0, 0, 0, IS_NEGATIVE | 2},
    {"NaN", 0, 0, 0, 0, 0, 4},
};

static int shows(const number_layout *number, size_t probe)
{
    if ((number->flags & (IS_NEGATIVE | IS_SPECIAL)) != PROBES[probe].flags)
        return 0;
    if (PROBES[probe].flags & IS_SPECIAL)
        return 1;
    return number->exponent == PROBES[probe].exponent && number->digits == PROBES[probe].digits &&
           number->count == PROBES[probe].count && number->words[0] == PROBES[probe].low &&
           (number->count < 2 || number->words[1] == PROBES[probe].high);
}

static int find_layout(void)
{
    int known = ((PyTypeObject *)rb_py.decimal)->tp_basicsize == sizeof(decimal_layout);
    for (size_t i = 0; known && i < sizeof PROBES / sizeof *PROBES; i++) {
        PyObject *value = PyObject_CallFunction(rb_py.decimal, "s", PROBES[i].text);
        if (!value)
            return -1;
        known = shows(&((const decimal_layout *)value)->number, i);
        Py_DECREF(value);
    }
    layout_is_known = known;
    return 0;
}

/* --- UUID ----------------------------------------------------------------------------------------- */

Py_ssize_t rb_uuid_slot; /* where a UUID has its `int`; 0 when unknown */

static int find_uuid_slot(void)
{
    PyObject *member = PyObject_GetAttr(rb_py.uuid, rb_py.s_int);
    if (!member)
        return -1;
    if (Py_TYPE(member) == &PyMemberDescr_Type && ((PyMemberDescrObject *)member)->d_member->type == T_OBJECT_EX)
        rb_uuid_slot = ((PyMemberDescrObject *)member)->d_member->offset;
    Py_DECREF(member);
    return 0;
}

/* An exact int of at most 128 bits, not negative; 0 for every other object. */
static int read_wide(PyObject *number, unsigned __int128 *out)
{
    const digit *digits;
    int negative;
    if (!number || !PyLong_CheckExact(number))
        return 0;
    Py_ssize_t count = rb_long_digits(number, &digits, &negative);
    if (negative || count > 5 || (count == 5 && digits[4] >> 8))
        return 0;
    *out = 0;
    for (Py_ssize_t i = count - 1; i >= 0; i--)
        *out = *out << 30 | digits[i];
    return 1;
}

int rb_write_uuid(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value)
{
    if ((PyObject *)Py_TYPE(value) != rb_py.uuid)
        return rb_write_reference(e, out, node, value);
    unsigned __int128 number;
    PyObject *held = NULL, *found;
    if (RB_LIKELY(rb_uuid_slot)) {
        found = *(PyObject **)((char *)value + rb_uuid_slot);
    } else {
        if (e->no_calls)
            return -1;
        e->calls++;
        found = held = PyObject_GetAttr(value, rb_py.s_int);
    }
    int known = read_wide(found, &number);
    Py_XDECREF(held);
    if (!known || rb_need(out, 16))
        return -1;
    uint64_t halves[2] = {(uint64_t)(number >> 64), (uint64_t)number}; /* each little-endian */
    memcpy(out->p, halves, 16);
    out->p += 16;
    return 0;
}

/* What is behind rb_py.decimal and rb_py.uuid. */
int rb_objects_init(void)
{
    return find_layout() || find_uuid_slot() ? -1 : 0;
}
