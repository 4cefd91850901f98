/* What rowbinary._kernels offers: bytes in, bytes or integers out, the GIL released. */
void rb_city128(const uint8_t *data, size_t size, uint64_t out[2]);
