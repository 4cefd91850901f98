/* Columns as bytes: all prefixes of a column first, then all data, each depth first. */
#include "columns.h"

#define LOW_CARDINALITY_VERSION 1 /* a dictionary per block */
#define VARIANT_BASIC 0           /* every discriminator is written */
#define JSON_TEXT_VERSION 1

int rb_append(rb_buffer *out, const rb_buffer *piece)
{
    size_t left = rb_size(piece), part;
    for (const uint8_t *from = piece->start; left; left -= part, from += part) {
        part = left < RB_MAX_ROW ? left : RB_MAX_ROW;
        out->mark = rb_size(out); /* the limit is that of a row, not of the block */
        if (rb_need(out, part))
            return -1;
        if ((size_t)(out->end - out->start) < RB_FAR)
            memcpy(out->p, from, part);
        else
            rb_stream(out->p, from, part);
        out->p += part;
    }
    return 0;
}

static int put_word(rb_buffer *out, uint64_t word)
{
    return rb_put(out, &word, 8);
}

/* What stands before the data: versions, paths, types. */
int rb_column_prefix(rb_column *c, rb_buffer *out)
{
    if ((c->shape == RB_COL_LOW_CARDINALITY && put_word(out, LOW_CARDINALITY_VERSION)) ||
        (c->shape == RB_COL_VARIANT && put_word(out, VARIANT_BASIC)) ||
        (c->shape == RB_COL_JSON_TEXT && put_word(out, JSON_TEXT_VERSION)))
        return -1;
    if (c->shape == RB_COL_DYNAMIC)
        return rb_dynamic_prefix(c, out);
    if (c->shape == RB_COL_JSON)
        return rb_json_prefix(c, out);
    for (Py_ssize_t i = 0; i < c->children_count; i++)
        if (rb_column_prefix(c->children[i], out))
            return -1;
    return 0;
}

static int put_zeros(rb_column *c, rb_buffer *out)
{
    if (rb_need(out, c->count))
        return -1;
    memset(out->p, '0', c->count); /* nobody reads them */
    out->p += c->count;
    return 0;
}

/* The elements from `first` on of all rows, as many as the stride: a plane per bit, the highest first, in which
 * element 0 is the lowest bit of a row's last byte. */
static void put_planes(rb_column *c, uint8_t *out, size_t first)
{
    size_t step = rb_op_width[c->node->children[0]->op], stride = c->node->precision, bytes = (stride + 7) / 8;
    for (size_t bit = 8 * step; bit-- > 0;)
        for (size_t row = 0; row < c->count; row++, out += bytes) {
            const uint8_t *values = c->out.start + row * c->width + first * step + bit / 8;
            memset(out, 0, bytes);
            for (size_t i = 0; i < stride; i++)
                out[bytes - 1 - i / 8] |= (uint8_t)((values[i * step] >> bit % 8 & 1) << i % 8);
        }
}

static int put_qbit(rb_column *c, rb_buffer *out)
{
    size_t stride = c->node->precision;
    size_t group = 8 * rb_op_width[c->node->children[0]->op] * ((stride + 7) / 8) * c->count;
    if (rb_need(out, c->node->size / stride * group))
        return -1;
    for (size_t first = 0; first < c->node->size; first += stride, out->p += group)
        put_planes(c, out->p, first);
    return 0;
}

/* The values. */
int rb_column_data(rb_column *c, rb_buffer *out)
{
    switch (c->shape) {
    case RB_COL_EMPTY:
        return put_zeros(c, out);
    case RB_COL_QBIT:
        return put_qbit(c, out);
    case RB_COL_LOW_CARDINALITY:
        return rb_dictionary_data(c, out);
    case RB_COL_DYNAMIC:
        return rb_dynamic_data(c, out);
    case RB_COL_JSON:
        return rb_json_data(c, out);
    default:
        break;
    }
    if (rb_append(out, &c->out))
        return -1;
    for (Py_ssize_t i = 0; i < c->children_count; i++)
        if (rb_column_data(c->children[i], out))
            return -1;
    return 0;
}
