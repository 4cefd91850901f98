/* What rowbinary._kernels offers: bytes in, bytes or integers out, the GIL released. */
void rb_city128(const uint8_t *data, size_t size, uint64_t out[2]);
void rb_frame_header(uint8_t method, const uint8_t *payload, size_t payload_size, uint32_t raw_size,
                     uint8_t out[25]);
