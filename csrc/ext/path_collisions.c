/* Two paths of one document that are equal, found among the bytes written. */
#include "rowbinary.h"

static uint64_t hash_path(const uint8_t *text, size_t size)
{
    uint64_t hash = 0xCBF29CE484222325ULL;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ text[i]) * 0x100000001B3ULL;
    return hash ^ hash >> 32;
}

static const uint8_t *read_path(const rb_buffer *out, uint32_t offset, size_t *size)
{
    const uint8_t *at = out->start + out->mark + offset;
    unsigned shift = 0;
    *size = 0;
    do {
        *size |= (size_t)(*at & 0x7F) << shift;
        shift += 7;
    } while (*at++ & 0x80);
    return at;
}

/* Whether two of the paths written since `first` are equal (-1: no memory). */
int rb_paths_collide(const rb_encoder *e, const rb_buffer *out, size_t first)
{
    size_t count = e->offset_count - first, room = 16;
    while (room < count * 2)
        room *= 2;
    uint32_t *table = PyMem_Calloc(room, sizeof *table); /* 0 is free, else 1 + index */
    if (!table)
        return -1;
    int found = 0;
    for (size_t i = first; i < e->offset_count && !found; i++) {
        size_t size, other_size;
        const uint8_t *path = read_path(out, e->offsets[i], &size);
        size_t slot = hash_path(path, size) & (room - 1);
        for (; table[slot]; slot = (slot + 1) & (room - 1)) {
            const uint8_t *other = read_path(out, e->offsets[first + table[slot] - 1], &other_size);
            if (size == other_size && memcmp(path, other, size) == 0) {
                found = 1;
                break;
            }
        }
        table[slot] = (uint32_t)(i - first) + 1;
    }
    PyMem_Free(table);
    return found;
}
