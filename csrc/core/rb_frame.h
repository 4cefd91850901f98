/* The header of a ClickHouse block frame; docs/format.md has its layout. */
#ifndef RB_FRAME_H
#define RB_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define RB_FRAME_HEADER 25 /* checksum 16, method 1, size 4, raw size 4 */

/* Writes the header of the frame with `payload_size` bytes at `payload` (which may be NULL when
 * that is 0).  payload_size + 9 has to fit into 32 bits. */
void rb_frame_header(uint8_t method, const uint8_t *payload, size_t payload_size, uint32_t raw_size,
                     uint8_t out[RB_FRAME_HEADER]);

#endif
