/* Values of a source to their bytes, many of one column at a time.
 *
 * Loops do one thing for up to RB_BATCH values: load, scale, check, store.  What to do is decided
 * before the loop, so that compilers can make vector instructions of most of them. */
#include "rb_source.h"

#include <math.h>
#include <stdbool.h>

typedef __int128 wide;

static const uint8_t *place(const rb_source *s, int64_t i)
{
    return s->data + (s->offset + i) * s->stride;
}

/* --- loading --------------------------------------------------------------------------------- */

/* out[i] = value i; two loops, for neighbours can be loaded together. */
#define LOAD(kind, type)                                                                                  \
    case kind:                                                                                            \
        if (s->stride == sizeof(type)) {                                                                  \
            for (int i = 0; i < count; i++) {                                                             \
                type value;                                                                               \
                memcpy(&value, p + (size_t)i * sizeof value, sizeof value);                               \
                out[i] = value;                                                                           \
            }                                                                                             \
        } else {                                                                                          \
            for (int i = 0; i < count; i++) {                                                             \
                type value;                                                                               \
                memcpy(&value, p + i * s->stride, sizeof value);                                          \
                out[i] = value;                                                                           \
            }                                                                                             \
        }                                                                                                 \
        break;

/* Those that an int64_t has room for. */
#define LOAD_INTEGERS                                                                                     \
    LOAD(RB_I8, int8_t)                                                                                   \
    LOAD(RB_I16, int16_t)                                                                                 \
    LOAD(RB_I32, int32_t)                                                                                 \
    LOAD(RB_I64, int64_t)                                                                                 \
    LOAD(RB_U8, uint8_t)                                                                                  \
    LOAD(RB_U16, uint16_t)                                                                                \
    LOAD(RB_U32, uint32_t)

static float half(const uint8_t *p)
{
    uint16_t bits;
    memcpy(&bits, p, sizeof bits);
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    float size = exponent == 31 ? (fraction ? NAN : INFINITY)
                 : exponent     ? ldexpf((float)(1024 + fraction), exponent - 25)
                                : ldexpf((float)fraction, -24);
    return bits >> 15 ? -size : size;
}

static void load_real(const rb_source *s, int64_t from, int count, double *out)
{
    const uint8_t *p = place(s, from);
    switch (s->load) {
        LOAD_INTEGERS
        LOAD(RB_U64, uint64_t)
        LOAD(RB_F32, float)
        LOAD(RB_F64, double)
    case RB_F16:
        for (int i = 0; i < count; i++)
            out[i] = half(p + i * s->stride);
        break;
    }
}

/* Floats that are whole numbers; NULLs may be anything in memory. */
static int load_whole_reals(const rb_source *s, int64_t from, int count, int64_t *out)
{
    double real[RB_BATCH];
    load_real(s, from, count, real);
    for (int i = 0; i < count; i++) {
        if (s->nulls && rb_is_null(s, from + i))
            real[i] = 0;
        if (!(real[i] >= -0x1p63 && real[i] < 0x1p63))
            return -1;
        out[i] = (int64_t)real[i];
        if ((double)out[i] != real[i])
            return -1;
    }
    return 0;
}

/* Numbers of 2^63 and more come out negative: a source of RB_U64 has `low` = 0. */
static int load_whole(const rb_source *s, int64_t from, int count, int64_t *out)
{
    if (s->load >= RB_F16 && s->load <= RB_F64)
        return load_whole_reals(s, from, count, out);
    if (s->load == RB_BITS) {
        for (int i = 0; i < count; i++) {
            int64_t at = s->offset + from + i;
            out[i] = s->data[at >> 3] >> (at & 7) & 1;
        }
        return 0;
    }
    const uint8_t *p = place(s, from);
    switch (s->load) {
        LOAD_INTEGERS
    case RB_U64:
        for (int i = 0; i < count; i++)
            memcpy(out + i, p + i * s->stride, 8);
    }
    return 0;
}

/* --- one batch: whole numbers, 128 bits, floats ------------------------------------------------ */

/* out[i] = the lowest `width` bytes; above 8 bytes the sign goes on. */
static void store(const int64_t *in, int count, uint32_t width, uint8_t *out)
{
    switch (width) {
#define STORE(size)                                                                                       \
    case size:                                                                                            \
        for (int i = 0; i < count; i++)                                                                   \
            memcpy(out + (size_t)i * size, in + i, size);                                                 \
        break;
        STORE(1)
        STORE(2)
        STORE(4)
        STORE(8)
#undef STORE
    default:
        for (int i = 0; i < count; i++, out += width) {
            memcpy(out, in + i, 8);
            memset(out + 8, in[i] < 0 ? 0xFF : 0, width - 8);
        }
    }
}

static int scale(const rb_source *s, int count, int64_t *values)
{
    bool bad = false;
    if (s->times != 1)
        for (int i = 0; i < count; i++)
            bad |= __builtin_mul_overflow(values[i], s->times, values + i);
    if (s->over != 1)
        for (int i = 0; i < count; i++) {
            int64_t rest = values[i] % s->over;
            bad |= s->exact && rest;
            values[i] = values[i] / s->over - (rest < 0);
        }
    return bad;
}

static int pack_whole(const rb_source *s, int64_t from, int count, uint8_t *out)
{
    int64_t values[RB_BATCH];
    if (load_whole(s, from, count, values))
        return -1;
    if (s->nulls)
        for (int i = 0; i < count; i++)
            if (rb_is_null(s, from + i))
                values[i] = 0;
    if (scale(s, count, values))
        return -1;
    bool bad = false;
    for (int i = 0; i < count; i++)
        bad |= (values[i] < s->low) | (values[i] > s->high);
    /* NULL is zero bytes, even where zero would be out of range. */
    if (bad)
        for (int i = 0; i < count; i++)
            if ((values[i] < s->low || values[i] > s->high) && !(s->nulls && rb_is_null(s, from + i)))
                return -1;
    store(values, count, s->width, out);
    return 0;
}

static wide power_of_ten(int power)
{
    wide result = 1;
    while (power-- > 0)
        result *= 10;
    return result;
}

static int pack_wide(const rb_source *s, int64_t from, int count, uint8_t *out)
{
    int64_t small[RB_BATCH];
    if (s->load != RB_I128 && load_whole(s, from, count, small))
        return -1;
    wide factor = power_of_ten(s->power < 0 ? -s->power : s->power);
    wide limit = s->digits ? power_of_ten(s->digits) : 0;
    const uint8_t *p = place(s, from);
    for (int i = 0; i < count; i++, out += s->width) {
        wide value;
        if (s->load == RB_I128)
            memcpy(&value, p + i * s->stride, sizeof value);
        else
            value = small[i];
        if (s->nulls && rb_is_null(s, from + i))
            value = 0;
        if (s->power < 0) {
            if (value % factor)
                return -1;
            value /= factor;
        } else if (s->power && __builtin_mul_overflow(value, factor, &value)) {
            return -1;
        }
        if (limit && (value >= limit || value <= -limit))
            return -1;
        memcpy(out, &value, s->width < sizeof value ? s->width : sizeof value);
        if (s->width > sizeof value)
            memset(out + sizeof value, value < 0 ? 0xFF : 0, s->width - sizeof value);
    }
    return 0;
}

static int pack_real(const rb_source *s, int64_t from, int count, uint8_t *out)
{
    double values[RB_BATCH];
    float single[RB_BATCH];
    load_real(s, from, count, values);
    if (s->nulls)
        for (int i = 0; i < count; i++)
            if (rb_is_null(s, from + i))
                values[i] = 0;
    if (s->width == 8) {
        memcpy(out, values, (size_t)count * 8);
        return 0;
    }
    bool bad = false;
    for (int i = 0; i < count; i++) {
        single[i] = (float)values[i];
        bad |= isinf(single[i]) && !isinf(values[i]);
    }
    if (bad)
        return -1;
    if (s->width == 4) {
        memcpy(out, single, (size_t)count * 4);
        return 0;
    }
    for (int i = 0; i < count; i++) { /* BFloat16: the upper half of a float; a NaN stays one */
        uint16_t upper;
        memcpy(&upper, (const uint8_t *)(single + i) + 2, 2);
        if (isnan(single[i]))
            upper |= 0x40;
        memcpy(out + 2 * i, &upper, 2);
    }
    return 0;
}

/* --- bytes that only change their place -------------------------------------------------------- */

static void gather(const rb_source *s, int64_t from, int64_t count, uint8_t *out)
{
    const uint8_t *p = place(s, from);
    if (s->stride == s->width) {
        memcpy(out, p, (size_t)count * s->width);
        return;
    }
    switch (s->width) {
#define GATHER(size)                                                                                      \
    case size:                                                                                            \
        for (int64_t i = 0; i < count; i++)                                                               \
            memcpy(out + i * size, p + i * s->stride, size);                                              \
        break;
        GATHER(1)
        GATHER(2)
        GATHER(4)
        GATHER(8)
#undef GATHER
    default:
        for (int64_t i = 0; i < count; i++)
            memcpy(out + i * s->width, p + i * s->stride, s->width);
    }
}

static void pack_as_is(const rb_source *s, int64_t from, int64_t count, uint8_t *out)
{
    gather(s, from, count, out);
    if (s->nulls)
        for (int64_t i = 0; i < count; i++)
            if (rb_is_null(s, from + i))
                memset(out + i * s->width, 0, s->width);
}

static void pack_halves(const rb_source *s, int64_t from, int64_t count, uint8_t *out)
{
    const uint8_t *p = place(s, from);
    for (int64_t i = 0; i < count; i++, out += 16) {
        uint64_t halves[2] = {0, 0};
        if (!(s->nulls && rb_is_null(s, from + i)))
            memcpy(halves, p + i * s->stride, 16);
        halves[0] = __builtin_bswap64(halves[0]);
        halves[1] = __builtin_bswap64(halves[1]);
        memcpy(out, halves, 16);
    }
}

static int pack_coded(const rb_source *s, int64_t from, int64_t count, uint8_t *out)
{
    for (int64_t i = from; i < from + count; i++, out += s->width) {
        if (rb_is_null(s, i)) {
            memset(out, 0, s->width);
            continue;
        }
        int64_t index = rb_index_at(s, i);
        if (index < 0 || index >= s->length || rb_pack(&s->children[0], index, 1, out))
            return -1;
    }
    return 0;
}

int rb_pack(const rb_source *s, int64_t from, int64_t count, uint8_t *out)
{
    if (!count)
        return 0; /* there may be no memory either */
    if (!s->nullable && rb_has_null(s, from, count))
        return -1;
    switch (s->shape) {
    case RB_AS_IS:
        pack_as_is(s, from, count, out);
        return 0;
    case RB_HALVES:
        pack_halves(s, from, count, out);
        return 0;
    case RB_CODED:
        return pack_coded(s, from, count, out);
    }
    for (; count; from += RB_BATCH) {
        int batch = count < RB_BATCH ? (int)count : RB_BATCH;
        int refused = s->shape == RB_WHOLE  ? pack_whole(s, from, batch, out)
                      : s->shape == RB_WIDE ? pack_wide(s, from, batch, out)
                                            : pack_real(s, from, batch, out);
        if (refused)
            return -1;
        out += (size_t)batch * s->width;
        count -= batch;
    }
    return 0;
}

/* --- texts ------------------------------------------------------------------------------------- */

#define NEAR 32 /* bytes of a short text */

int64_t rb_texts_size(const rb_source *s, int64_t from, int64_t count)
{
    int64_t total = 0;
    if (count && rb_has_plain_ends(s)) {
        uint64_t bad = 0;
        for (int64_t i = from; i < from + count; i++)
            total += (int64_t)rb_plain_size(s, i, &bad);
        return bad >> 63 ? -1 : total;
    }
    for (int64_t i = from; i < from + count; i++) {
        const uint8_t *text;
        int64_t size = rb_find_text(s, i, &text);
        if (size < 0)
            return -1;
        total += size + rb_varint_size((uint64_t)size);
    }
    return total;
}

uint8_t *rb_pack_texts(const rb_source *s, int64_t from, int64_t count, uint8_t *out, const uint8_t *limit)
{
    if (count && rb_has_plain_ends(s)) {
        int64_t start = rb_end_at(s, from), last = rb_end_at(s, from + count);
        for (int64_t i = from; out && i < from + count; i++) {
            int64_t end = rb_end_at(s, i + 1), size = rb_between(start, end);
            if ((uint64_t)size <= NEAR && last - start >= NEAR && limit - out > NEAR) {
                *out++ = (uint8_t)size; /* a copy of one size, for what lies behind is written next */
                memcpy(out, s->data + start, NEAR);
                out += size;
            } else {
                out = rb_put_text(out, limit, s->data + start, size > RB_MAX_STRING ? -1 : size);
            }
            start = end;
        }
        return out;
    }
    for (int64_t i = from; i < from + count; i++) {
        const uint8_t *text;
        int64_t size = rb_find_text(s, i, &text);
        if (!(out = rb_put_text(out, limit, text, size)))
            return NULL;
    }
    return out;
}

int64_t rb_utf8_of_ucs4(const uint8_t *data, int64_t stride, int64_t characters, int64_t count,
                        int64_t *ends, uint8_t *out)
{
    int64_t total = 0;
    ends[0] = 0;
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *p = data + i * stride;
        int64_t size = characters;
        uint32_t c;
        for (; size; size--) { /* what NumPy fills up with is no part of the text */
            memcpy(&c, p + 4 * (size - 1), 4);
            if (c)
                break;
        }
        for (int64_t at = 0; at < size; at++) {
            uint8_t utf8[4];
            memcpy(&c, p + 4 * at, 4);
            size_t length = c < 0x110000 ? rb_put_utf8(utf8, c) : 0;
            if (!length)
                return -1;
            if (out)
                memcpy(out + total, utf8, length);
            total += (int64_t)length;
        }
        ends[i + 1] = total;
    }
    return total;
}
