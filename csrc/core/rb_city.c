/* The twin of rowbinary/_cityhash.py, which explains the steps; same names, same order. */
#include "rb_city.h"

#include <string.h>

#define K0 0xC3A5C85C97CB3127ULL
#define K1 0xB492B66FBE98F273ULL
#define K2 0x9AE16A3B2F90404FULL
#define K3 0xC949D7C7509E6557ULL

typedef struct {
    uint64_t a, b;
} pair;

static inline uint64_t word(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

static inline uint64_t half_word(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, 4);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap32(value);
#endif
    return value;
}

static inline uint64_t rotate(uint64_t value, unsigned count)
{
    return value >> count | value << (-count & 63);
}

static inline uint64_t shift_mix(uint64_t value)
{
    return value ^ value >> 47;
}

static inline uint64_t mix(uint64_t low, uint64_t high)
{
    const uint64_t factor = 0x9DDFEA08EB382D69ULL;
    uint64_t first = shift_mix((low ^ high) * factor);
    return shift_mix((high ^ first) * factor) * factor;
}

/* Up to 16 bytes. */
static uint64_t short_hash(const uint8_t *data, size_t size)
{
    if (size > 8) {
        uint64_t last = word(data + size - 8);
        return mix(word(data), rotate(last + size, (unsigned)size)) ^ last;
    }
    if (size >= 4)
        return mix(size + (half_word(data) << 3), half_word(data + size - 4));
    if (!size)
        return K2;
    uint64_t y = data[0] + ((uint64_t)data[size / 2] << 8);
    uint64_t z = size + ((uint64_t)data[size - 1] << 2);
    return shift_mix((y * K2) ^ (z * K3)) * K2;
}

/* 32 bytes into two words. */
static inline pair fold(const uint8_t *data, uint64_t a, uint64_t b)
{
    uint64_t last = word(data + 24);
    a += word(data);
    b = rotate(b + a + last, 21);
    uint64_t sum = a + word(data + 8) + word(data + 16);
    return (pair){sum + last, b + rotate(sum, 44) + a};
}

/* Fewer than 128 bytes. */
static pair murmur(const uint8_t *data, size_t size, pair seed)
{
    uint64_t a = seed.a, b = seed.b, c, d;
    if (size <= 16) {
        a = shift_mix(a * K1) * K1;
        c = b * K1 + short_hash(data, size);
        d = shift_mix(a + (size >= 8 ? word(data) : c));
    } else {
        c = mix(word(data + size - 8) + K1, a);
        d = mix(b + size, c + word(data + size - 16));
        a += d;
        for (size_t at = 0; at + 16 < size; at += 16) {
            a = (a ^ shift_mix(word(data + at) * K1) * K1) * K1;
            b ^= a;
            c = (c ^ shift_mix(word(data + at + 8) * K1) * K1) * K1;
            d ^= c;
        }
    }
    a = mix(a, c);
    b = mix(d, b);
    return (pair){a ^ b, mix(b, a)};
}

typedef struct {
    uint64_t x, y, z;
    pair v, w;
} state;

/* 64 bytes. */
static inline void step(state *s, const uint8_t *data)
{
    uint64_t x = rotate(s->x + s->y + s->v.a + word(data + 16), 37) * K1 ^ s->w.b;
    uint64_t y = rotate(s->y + s->v.b + word(data + 48), 42) * K1 ^ s->v.a;
    uint64_t z = rotate(s->z ^ s->w.a, 33);
    s->v = fold(data, s->v.b * K1, x + s->w.a);
    s->w = fold(data + 32, z + s->w.b, y);
    s->x = z;
    s->y = y;
    s->z = x;
}

/* 128 bytes and more. */
static pair long_hash(const uint8_t *data, size_t size, pair seed)
{
    state s = {.x = seed.a, .y = seed.b, .z = size * K1};
    s.v.a = rotate(s.y ^ K1, 49) * K1 + word(data);
    s.v.b = rotate(s.v.a, 42) * K1 + word(data + 8);
    s.w.a = rotate(s.y + s.z, 35) * K1 + s.x;
    s.w.b = rotate(s.x + word(data + 88), 53) * K1;
    const uint8_t *end = data + size;
    size_t rest = size;
    for (; rest >= 128; rest -= 128) {
        step(&s, end - rest);
        step(&s, end - rest + 64);
    }
    s.y += rotate(s.w.a, 37) * K0 + s.z;
    s.x += rotate(s.v.a + s.z, 49) * K0;
    /* From the end backwards; the last piece may reach into bytes that are hashed already. */
    for (size_t done = 0; done < rest;) {
        done += 32;
        s.y = rotate(s.y - s.x, 42) * K0 + s.v.b;
        s.w.a += word(end - done + 16);
        s.x = rotate(s.x, 49) * K0 + s.w.a;
        s.w.a += s.v.a;
        s.v = fold(end - done, s.v.a, s.v.b);
    }
    uint64_t x = mix(s.x, s.v.a), y = mix(s.y, s.w.a);
    return (pair){mix(x + s.v.b, s.w.b) + y, mix(x + s.w.b, y + s.v.b)};
}

static void seeded(const uint8_t *data, size_t size, pair seed, uint64_t out[2])
{
    pair hash = size >= 128 ? long_hash(data, size, seed) : murmur(data, size, seed);
    out[0] = hash.a;
    out[1] = hash.b;
}

void rb_city128_after(const uint8_t head[16], const uint8_t *data, size_t size, uint64_t out[2])
{
    seeded(data, size, (pair){word(head) ^ K3, word(head + 8)}, out);
}

void rb_city128(const uint8_t *data, size_t size, uint64_t out[2])
{
    if (size >= 16)
        rb_city128_after(data, data + 16, size - 16, out);
    else if (size >= 8)
        seeded(data, 0, (pair){word(data) ^ size * K0, word(data + size - 8) ^ K1}, out);
    else
        seeded(data, size, (pair){K0, K1}, out);
}
