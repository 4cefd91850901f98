/* CityHash128 in the variant of CityHash 1.0.2, which checksums ClickHouse's block frames. */
#ifndef RB_CITY_H
#define RB_CITY_H

#include <stddef.h>
#include <stdint.h>

/* The hash of `size` bytes at `data` (which may be NULL when `size` is 0).
 * out[0] is the half that a frame holds first, out[1] the second; a frame has both little-endian. */
void rb_city128(const uint8_t *data, size_t size, uint64_t out[2]);

/* The same of the 16 bytes at `head` followed by `size` bytes at `data`, which lie apart: the
 * first 16 bytes only make the seed. */
void rb_city128_after(const uint8_t head[16], const uint8_t *data, size_t size, uint64_t out[2]);

#endif
