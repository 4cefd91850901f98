/* The twin of header_reference in rowbinary/frames.py. */
#include "rb_frame.h"

#include "rb_city.h"

#include <string.h>

enum {
    CHECKSUM = 16,
    SUMMED = RB_FRAME_HEADER - CHECKSUM, /* bytes of the header that the checksum covers */
    SEED = 16,                           /* bytes that CityHash128 takes its seed from */
};

static void put(uint8_t *out, uint64_t value, int size)
{
    for (int i = 0; i < size; i++)
        out[i] = (uint8_t)(value >> 8 * i);
}

void rb_frame_header(uint8_t method, const uint8_t *payload, size_t payload_size, uint32_t raw_size,
                     uint8_t out[RB_FRAME_HEADER])
{
    /* What the checksum covers is in two places; only its first bytes have to be brought together. */
    uint8_t start[SEED] = {method};
    put(start + 1, payload_size + SUMMED, 4);
    put(start + 5, raw_size, 4);
    size_t lead = payload_size < SEED - SUMMED ? payload_size : SEED - SUMMED;
    if (lead)
        memcpy(start + SUMMED, payload, lead);
    uint64_t sum[2];
    if (lead < SEED - SUMMED)
        rb_city128(start, SUMMED + lead, sum);
    else
        rb_city128_after(start, payload + lead, payload_size - lead, sum);
    put(out, sum[0], 8);
    put(out + 8, sum[1], 8);
    memcpy(out + CHECKSUM, start, SUMMED);
}
