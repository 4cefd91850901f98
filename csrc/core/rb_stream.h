/* Stores past the cache, into memory that nobody reads before much else has been written.
 *
 * An ordinary store to a line that is not in the cache reads that line first, and throws out another one.  Where
 * the whole line is written anyway a non-temporal store does neither.  Half a line costs more that way than the
 * other: so what is streamed has places that begin with a line, and grows by what divides one.  Other threads see
 * such stores once a lock was taken or let go, or behind rb_stream_end. */
#ifndef RB_STREAM_H
#define RB_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RB_LINE 64           /* bytes of a line of the cache */
#define RB_FAR (256u << 10)  /* bytes that would not stay in the cache for long */

#if defined(__x86_64__) && defined(__SSE2__)
#include <emmintrin.h>
#define RB_STREAMS 1

/* A number of 4, 8 or 16 bytes, at a place that they divide; others are stored as ever. */
static inline void rb_stream_word(uint8_t *out, const void *word, size_t width)
{
    long long wide[2];
    int narrow;
    switch (width) {
    case 4:
        memcpy(&narrow, word, 4);
        _mm_stream_si32((int *)(void *)out, narrow);
        break;
    case 8:
        memcpy(wide, word, 8);
        _mm_stream_si64((long long *)(void *)out, wide[0]);
        break;
    case 16:
        memcpy(wide, word, 16);
        _mm_stream_si64((long long *)(void *)out, wide[0]);
        _mm_stream_si64((long long *)(void *)out + 1, wide[1]);
        break;
    default:
        memcpy(out, word, width);
    }
}

/* Whole lines, to where a line begins. */
static inline void rb_stream_lines(uint8_t *out, const uint8_t *in, size_t lines)
{
    for (; lines; lines--, in += RB_LINE, out += RB_LINE) {
        const __m128i *from = (const __m128i *)(const void *)in;
        __m128i *to = (__m128i *)(void *)out;
        __m128i a = _mm_loadu_si128(from), b = _mm_loadu_si128(from + 1);
        __m128i c = _mm_loadu_si128(from + 2), d = _mm_loadu_si128(from + 3);
        _mm_stream_si128(to, a);
        _mm_stream_si128(to + 1, b);
        _mm_stream_si128(to + 2, c);
        _mm_stream_si128(to + 3, d);
    }
}

static inline void rb_stream_end(void)
{
    _mm_sfence();
}
#else
#define RB_STREAMS 0

static inline void rb_stream_word(uint8_t *out, const void *word, size_t width)
{
    memcpy(out, word, width);
}

static inline void rb_stream_lines(uint8_t *out, const uint8_t *in, size_t lines)
{
    memcpy(out, in, lines * RB_LINE);
}

static inline void rb_stream_end(void)
{
}
#endif

/* memcpy whose whole lines go past the cache. */
static inline void rb_stream(uint8_t *out, const uint8_t *in, size_t size)
{
    size_t head = -(uintptr_t)out % RB_LINE;
    if (size < head + RB_LINE) {
        memcpy(out, in, size);
        return;
    }
    size_t lines = (size - head) / RB_LINE, done = head + lines * RB_LINE;
    memcpy(out, in, head);
    rb_stream_lines(out + head, in + head, lines);
    memcpy(out + done, in + done, size - done);
}

#endif
