/* CityHash128 in the variant of CityHash 1.0.2, which checksums ClickHouse's block frames. */
#ifndef RB_CITY_H
#define RB_CITY_H

#include <stddef.h>
#include <stdint.h>

/* The hash of `size` bytes at `data` (which may be NULL when `size` is 0).
 * out[0] is the half that a frame holds first, out[1] the second; a frame has both little-endian. */
void rb_city128(const uint8_t *data, size_t size, uint64_t out[2]);

#endif
