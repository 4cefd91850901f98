/* Pieces of the wire format: varints, small copies, UTF-8.  Plain C, without the C-API. */
#ifndef RB_BYTES_H
#define RB_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "numbers are written as they lie in memory: little-endian machines only"
#endif

#define RB_MAX_STRING (1 << 30) /* _options.MAX_STRING, MAX_ARRAY */
#define RB_VARINT_MAX 10 /* bytes of the longest varint, 2^64-1 */

/* Unsigned LEB128 in its minimal form; `out` has room for RB_VARINT_MAX bytes. */
static inline uint8_t *rb_put_varint(uint8_t *out, uint64_t number)
{
    while (number >= 0x80) {
        *out++ = (uint8_t)(number | 0x80);
        number >>= 7;
    }
    *out++ = (uint8_t)number;
    return out;
}

static inline unsigned rb_varint_size(uint64_t number)
{
    unsigned size = 1;
    while (number >= 0x80) {
        number >>= 7;
        size++;
    }
    return size;
}

/* Most strings of a row are short: overlapping word moves beat a call to memcpy there. */
static inline void rb_copy(uint8_t *out, const uint8_t *in, size_t size)
{
    if (size >= 16) {
        if (size > 64) {
            memcpy(out, in, size);
            return;
        }
        size_t at = 0;
        do {
            memcpy(out + at, in + at, 16);
            at += 16;
        } while (at + 16 <= size);
        memcpy(out + size - 16, in + size - 16, 16);
    } else if (size >= 8) {
        memcpy(out, in, 8);
        memcpy(out + size - 8, in + size - 8, 8);
    } else if (size >= 4) {
        memcpy(out, in, 4);
        memcpy(out + size - 4, in + size - 4, 4);
    } else if (size) {
        out[0] = in[0];
        out[size / 2] = in[size / 2];
        out[size - 1] = in[size - 1];
    }
}

/* Whether one of 8 bytes is `byte` (the classic zero-byte test on the xor). */
static inline int rb_word_has(uint64_t word, uint8_t byte)
{
    uint64_t x = word ^ (0x0101010101010101ULL * byte);
    return ((x - 0x0101010101010101ULL) & ~x & 0x8080808080808080ULL) != 0;
}

/* The last 1 to 7 bytes of a text as a number. */
static inline uint64_t rb_tail(const uint8_t *in, size_t size)
{
    uint32_t low, high;
    if (size >= 4) {
        memcpy(&low, in, 4);
        memcpy(&high, in + size - 4, 4);
        return (uint64_t)high << 32 | low;
    }
    return (uint64_t)in[0] | (uint64_t)in[size / 2] << 8 | (uint64_t)in[size - 1] << 16;
}

static inline int rb_has_dot(const uint8_t *text, size_t size)
{
    uint64_t word = 0;
    if (size >= 8) {
        for (size_t at = 0; at + 8 <= size; at += 8) {
            memcpy(&word, text + at, 8);
            if (rb_word_has(word, '.'))
                return 1;
        }
        memcpy(&word, text + size - 8, 8);
    } else if (size) {
        word = rb_tail(text, size);
    }
    return rb_word_has(word, '.');
}

/* A hash for tables whose entries are compared anyway: eight bytes at a time, for short texts. */
static inline uint32_t rb_hash(const uint8_t *in, size_t size)
{
    uint64_t hash = size * 0x9E3779B97F4A7C15ULL, word;
    for (; size >= 8; size -= 8, in += 8) {
        memcpy(&word, in, 8);
        hash = (hash ^ word) * 0xD6E8FEB86659FD93ULL;
        hash ^= hash >> 32;
    }
    if (size)
        hash ^= rb_tail(in, size);
    hash *= 0xD6E8FEB86659FD93ULL;
    return (uint32_t)(hash >> 32);
}

/* One code point as UTF-8; 0 bytes for a surrogate, which has no UTF-8 form. */
static inline size_t rb_put_utf8(uint8_t *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xC0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        if (c >= 0xD800 && c < 0xE000)
            return 0;
        out[0] = (uint8_t)(0xE0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | c >> 18);
    out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (c & 0x3F));
    return 4;
}

/* Days since 1970-01-01 of a day of the proleptic Gregorian calendar (year 1 and later). */
static inline int64_t rb_days(int year, int month, int day)
{
    /* Years begin in March here, so that the leap day is the last one. */
    int64_t y = year - (month <= 2);
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

#endif
