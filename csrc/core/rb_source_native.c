/* Sources to columns of a Native block.
 *
 * A column of a block has its values in streams, one after another (NULLs, ends of arrays, values, ...), and
 * each stream has those of all pieces: the rows of a block may come from several record batches.  So the
 * walk goes down the type, and at each step finds the part of every piece that belongs there. */
#include "rb_source.h"

typedef struct {
    const rb_piece *pieces;
    int64_t piece_count;
    rb_scratch *scratch;
    int fills;                    /* else sizes are measured */
    uint8_t *out, *limit;
    uint8_t path[RB_MAX_NESTING]; /* the children that lead from the column to where the walk is */
    int depth;
} walk;

/* Piece k where the walk is. -1: it cannot be. */
static int piece_at(const walk *w, int64_t k, rb_piece *piece)
{
    *piece = w->pieces[k];
    for (int level = 0; level < w->depth; level++) {
        const rb_source *s = piece->source;
        if (!piece->count) {
            piece->start = 0; /* there may be no memory to look into */
        } else if (s->shape == RB_LIST) {
            int64_t start = rb_end_at(s, piece->start);
            piece->count = rb_between(start, rb_end_at(s, piece->start + piece->count));
            piece->start = start;
            if (piece->count < 0)
                return -1;
        } else {
            piece->start += s->offset;
        }
        piece->source = &s->children[w->path[level]];
    }
    return 0;
}

static uint8_t *room(walk *w, uint64_t size)
{
    uint8_t *out = w->out;
    if ((uint64_t)(w->limit - out) < size)
        return NULL;
    w->out += size;
    return out;
}

static int64_t count_here(const walk *w)
{
    int64_t total = 0;
    for (int64_t k = 0; k < w->piece_count; k++) {
        rb_piece piece;
        if (piece_at(w, k, &piece))
            return -1;
        total += piece.count;
    }
    return total;
}

/* --- LowCardinality: a dictionary of the values, and each row's place in it ---------------------- */

#define OWN_KEYS 0x600 /* additional keys, no global dictionary (Native format, SerializationLowCardinality) */

typedef struct {
    const uint8_t *text;
    uint32_t size, hash;
} entry;

/* In the scratch: this, `count` codes, the entries. */
typedef struct {
    int64_t count, entry_count; /* without those that every dictionary begins with */
    uint32_t first;             /* the code of the first entry */
    uint32_t width;             /* of FixedString, else 0 */
    uint32_t *codes;
    entry *entries;
} dictionary;

static void *claim(rb_scratch *scratch, uint64_t size)
{
    uint64_t before = scratch->used;
    scratch->used += (size + 15) & ~(uint64_t)15;
    return scratch->used <= scratch->size ? scratch->start + before : NULL;
}

/* The code of a text: `first - 1` is that of the default value. */
static uint32_t code_of(dictionary *d, uint32_t *slots, uint32_t mask, const uint8_t *text, uint32_t size)
{
    if (d->width ? rb_is_zero(text, size) : !size)
        return d->first - 1;
    uint32_t hash = rb_hash(text, size);
    for (uint32_t at = hash & mask;; at = (at + 1) & mask) {
        if (!slots[at]) {
            d->entries[d->entry_count] = (entry){text, size, hash};
            slots[at] = (uint32_t)++d->entry_count;
            return d->first + slots[at] - 1;
        }
        const entry *e = &d->entries[slots[at] - 1];
        if (e->hash == hash && e->size == size && !memcmp(e->text, text, size))
            return d->first + slots[at] - 1;
    }
}

static int text_of(const rb_source *s, int64_t i, const uint8_t **text)
{
    int64_t size = s->shape == RB_AS_IS ? s->width : rb_text_at(s, i, text);
    if (s->shape == RB_AS_IS)
        *text = s->data + (s->offset + i) * s->stride;
    return (int)size;
}

/* The codes of one piece.  Indices of an Arrow dictionary are looked up once each: `known` has code + 1. */
static int piece_codes(dictionary *d, const rb_piece *piece, uint32_t *slots, uint32_t mask, uint32_t *known,
                       uint32_t *codes)
{
    const rb_source *s = piece->source, *values = s->shape == RB_CODED ? &s->children[0] : s;
    if (known)
        memset(known, 0, (size_t)s->length * sizeof *known);
    for (int64_t i = 0; i < piece->count; i++) {
        int64_t index = piece->start + i;
        if (rb_may_have_nulls(s) && rb_is_null(s, index)) {
            if (!s->nullable)
                return -1;
            codes[i] = 0;
            continue;
        }
        if (s->shape == RB_CODED) {
            index = rb_index_at(s, index);
            if (index < 0 || index >= s->length)
                return -1;
            if (known && known[index]) {
                codes[i] = known[index] - 1;
                continue;
            }
        }
        const uint8_t *text;
        int size = text_of(values, index, &text);
        if (size < 0)
            return -1;
        codes[i] = code_of(d, slots, mask, text, (uint32_t)size);
        if (known)
            known[index] = codes[i] + 1;
    }
    return 0;
}

/* -1: refused, -2: the scratch is too small. */
static int make_dictionary(walk *w, const rb_source *s, dictionary **made)
{
    int64_t count = count_here(w), longest = 0;
    if (count < 0 || count > RB_MAX_STRING)
        return -1;
    for (int64_t k = 0; k < w->piece_count; k++) {
        rb_piece piece;
        piece_at(w, k, &piece);
        int64_t length = piece.source->shape == RB_CODED ? piece.source->length : 0;
        if (length <= 4 * count && length > longest)
            longest = length;
    }
    uint32_t slot_count = 64;
    while (slot_count < 2 * (uint64_t)count)
        slot_count *= 2;
    dictionary *d = claim(w->scratch, sizeof *d);
    uint32_t *codes = claim(w->scratch, (uint64_t)count * sizeof *codes);
    uint64_t kept = w->scratch->used;
    entry *entries = claim(w->scratch, (uint64_t)count * sizeof *entries);
    uint32_t *slots = claim(w->scratch, slot_count * sizeof *slots);
    uint32_t *known = claim(w->scratch, (uint64_t)longest * sizeof *known);
    if (w->scratch->used > w->scratch->size) {
        if (w->scratch->used > w->scratch->need)
            w->scratch->need = w->scratch->used;
        return -2;
    }
    memset(slots, 0, slot_count * sizeof *slots);
    *d = (dictionary){count, 0, s->nullable ? 2 : 1, s->width, codes, entries};
    for (int64_t k = 0; k < w->piece_count; k++) {
        rb_piece piece;
        piece_at(w, k, &piece);
        int64_t length = piece.source->shape == RB_CODED ? piece.source->length : longest + 1;
        if (piece_codes(d, &piece, slots, slot_count - 1, length <= longest ? known : NULL, codes))
            return -1;
        codes += piece.count;
    }
    w->scratch->used = kept; /* slots are for the next dictionary */
    claim(w->scratch, (uint64_t)d->entry_count * sizeof *entries);
    *made = d;
    return 0;
}

static int code_width(const dictionary *d)
{
    uint64_t size = d->first + (uint64_t)d->entry_count;
    return size < 1 << 8 ? 0 : size < 1 << 16 ? 1 : 2;
}

static int64_t dictionary_size(const dictionary *d)
{
    if (!d->count)
        return 0;
    uint64_t size = 24 + (uint64_t)d->first * (d->width ? d->width : 1);
    for (int64_t i = 0; i < d->entry_count; i++)
        size += d->width ? d->width : d->entries[i].size + rb_varint_size(d->entries[i].size);
    return (int64_t)(size + ((uint64_t)d->count << code_width(d)));
}

static int put_dictionary(walk *w, const dictionary *d)
{
    uint64_t head[2] = {OWN_KEYS | (uint64_t)code_width(d), d->first + (uint64_t)d->entry_count};
    uint8_t *out = room(w, (uint64_t)dictionary_size(d));
    if (!out)
        return -1;
    if (!d->count)
        return 0;
    memcpy(out, head, sizeof head);
    out += sizeof head;
    memset(out, 0, d->first * (d->width ? d->width : 1));
    out += d->first * (d->width ? d->width : 1);
    for (int64_t i = 0; i < d->entry_count; i++) {
        const entry *e = &d->entries[i];
        if (!d->width)
            out = rb_put_varint(out, e->size);
        memcpy(out, e->text, e->size);
        out += e->size;
    }
    memcpy(out, &d->count, 8);
    out += 8;
    switch (code_width(d)) {
    case 0:
        for (int64_t i = 0; i < d->count; i++)
            out[i] = (uint8_t)d->codes[i];
        break;
    case 1:
        for (int64_t i = 0; i < d->count; i++) {
            uint16_t code = (uint16_t)d->codes[i];
            memcpy(out + 2 * i, &code, sizeof code);
        }
        break;
    default:
        memcpy(out, d->codes, (size_t)d->count * 4);
    }
    return 0;
}

static int64_t low_cardinality(walk *w, const rb_source *s)
{
    if (!w->fills) {
        dictionary *d = NULL;
        int refused = make_dictionary(w, s, &d);
        return refused ? refused : dictionary_size(d);
    }
    const dictionary *d = claim(w->scratch, sizeof *d);
    claim(w->scratch, (uint64_t)d->count * sizeof *d->codes);
    claim(w->scratch, (uint64_t)d->entry_count * sizeof *d->entries);
    return put_dictionary(w, d);
}

/* --- the other streams --------------------------------------------------------------------------- */

static int put_nulls(walk *w, const rb_piece *piece)
{
    uint8_t *out = room(w, (uint64_t)piece->count);
    if (!out)
        return -1;
    if (!rb_may_have_nulls(piece->source)) {
        memset(out, 0, (size_t)piece->count);
        return 0;
    }
    for (int64_t i = 0; i < piece->count; i++)
        out[i] = (uint8_t)rb_is_null(piece->source, piece->start + i);
    return 0;
}

/* `*before` is the number of elements in the pieces before. */
static int put_ends(walk *w, const rb_piece *piece, uint64_t *before)
{
    const rb_source *s = piece->source;
    uint8_t *out = room(w, (uint64_t)piece->count * 8);
    if (!out)
        return -1;
    if (!piece->count)
        return 0;
    int64_t first = rb_end_at(s, piece->start), last = first;
    if (first < 0)
        return -1;
    for (int64_t i = 0; i < piece->count; i++) {
        int64_t end = rb_end_at(s, piece->start + i + 1);
        if (end < last)
            return -1;
        last = end;
        uint64_t number = *before + (uint64_t)(end - first);
        memcpy(out + 8 * i, &number, 8);
    }
    *before += (uint64_t)(last - first);
    return 0;
}

static int64_t values(walk *w, const rb_piece *piece)
{
    const rb_source *s = piece->source;
    if (!w->fills)
        return s->width ? piece->count * s->width : rb_texts_size(s, piece->start, piece->count);
    if (s->width) {
        uint8_t *out = room(w, (uint64_t)piece->count * s->width);
        return out ? rb_pack(s, piece->start, piece->count, out) : -1;
    }
    w->out = rb_pack_texts(s, piece->start, piece->count, w->out, w->limit);
    return w->out ? 0 : -1;
}

static int64_t column(walk *w);

static int64_t children(walk *w, uint32_t count)
{
    int64_t total = 0;
    if (w->depth == RB_MAX_NESTING)
        return -1;
    for (uint32_t k = 0; k < count; k++) {
        w->path[w->depth++] = (uint8_t)k;
        int64_t size = column(w);
        w->depth--;
        if (size < 0)
            return size;
        total += size;
    }
    return total;
}

/* Every piece's share of the streams that a type has of its own. */
static int64_t own_streams(walk *w, const rb_source *s)
{
    int64_t total = 0;
    uint64_t before = 0;
    if (s->nullable)
        for (int64_t k = 0; k < w->piece_count; k++) {
            rb_piece piece;
            if (piece_at(w, k, &piece) || (w->fills && put_nulls(w, &piece)))
                return -1;
            total += piece.count;
        }
    for (int64_t k = 0; k < w->piece_count; k++) {
        rb_piece piece;
        if (piece_at(w, k, &piece))
            return -1;
        if (s->shape == RB_LIST || s->shape == RB_STRUCT) {
            if (rb_has_null(piece.source, piece.start, piece.count))
                return -1;
            if (s->shape == RB_LIST && w->fills && put_ends(w, &piece, &before))
                return -1;
            total += s->shape == RB_LIST ? piece.count * 8 : 0;
            continue;
        }
        int64_t size = values(w, &piece);
        if (size < 0)
            return -1;
        total += size;
    }
    return total;
}

/* The bytes of the column the walk is at; 0 when they are written; -1 or -2 as make_dictionary. */
static int64_t column(walk *w)
{
    rb_piece first;
    if (piece_at(w, 0, &first))
        return -1;
    const rb_source *s = first.source;
    if (s->low_cardinality)
        return low_cardinality(w, s);
    int64_t own = own_streams(w, s);
    if (own < 0 || (s->shape != RB_LIST && s->shape != RB_STRUCT))
        return own;
    int64_t inner = children(w, s->child_count);
    return inner < 0 ? inner : own + inner;
}

int64_t rb_column_measure(const rb_piece *pieces, int64_t piece_count, rb_scratch *scratch)
{
    walk w = {.pieces = pieces, .piece_count = piece_count, .scratch = scratch};
    return column(&w);
}

int rb_column_fill(const rb_piece *pieces, int64_t piece_count, rb_scratch *scratch, uint8_t *out,
                   uint64_t size)
{
    walk w = {.pieces = pieces, .piece_count = piece_count, .scratch = scratch, .fills = 1};
    w.out = out;
    w.limit = out + size;
    return column(&w) < 0 || w.out != w.limit ? -1 : 0;
}
