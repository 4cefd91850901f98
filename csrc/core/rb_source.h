/* Columns that lie in memory already, as Arrow, NumPy and their like have them: values without Python
 * objects, read where they are.  Plain C, without the C-API: nothing is allocated, and the GIL is not needed.
 *
 * A source is compiled by rowbinary/_compile.py for one ClickHouse type.  It takes the usual values only:
 * whatever it refuses (-1) is written, or explained, by the row encoder. */
#ifndef RB_SOURCE_H
#define RB_SOURCE_H

#include <stdint.h>
#include <string.h>

#include "rb_bytes.h"

#define RB_BATCH 256           /* values that are converted at once: their intermediate forms stay in L1 */
#define RB_MAX_STRING (1 << 30) /* _options.MAX_STRING */
#define RB_MAX_NESTING 64      /* levels of a type that may come this way */

/* What becomes of a value. */
enum {
    RB_AS_IS,  /* its bytes are those on the wire */
    RB_WHOLE,  /* integers, counts of days and ticks: scaled, checked, stored with `width` bytes */
    RB_WIDE,   /* Decimal: the same with 128 bits, and digits instead of limits */
    RB_REAL,   /* a float of `width` bytes; 2 is BFloat16 */
    RB_TEXT,   /* String */
    RB_HALVES, /* UUID: each half the other way round */
    RB_CODED,  /* the index of a value of the child */
    RB_LIST,   /* Array, and Map, whose child is a struct of key and value */
    RB_STRUCT, /* Tuple */
    RB_CELLS,  /* cells of RowBinary that were written before, with ends */
};

/* What lies in memory. */
enum {
    RB_I8, RB_I16, RB_I32, RB_I64, RB_U8, RB_U16, RB_U32, RB_U64, /* in this order */
    RB_F16, RB_F32, RB_F64,
    RB_I128,
    RB_BITS,   /* one bit a value, the lowest first */
    RB_ENDS32, /* of texts and lists: n + 1 offsets */
    RB_ENDS64,
    RB_VIEWS,  /* of texts: 16 bytes each, with up to 12 of text or the place of it */
    RB_EACH,   /* `each` bytes a text, `each` elements a list */
    RB_PADDED, /* as RB_EACH, with zero bytes behind the text that are none of it */
};

/* How NULL is said. */
enum {
    RB_NO_NULLS,
    RB_VALID_BITS, /* 1 is a value */
    RB_NULL_BYTES, /* 1 is NULL */
    RB_LEAST,      /* the least of 64 bits: NumPy's NaT */
};

typedef struct rb_source rb_source;
struct rb_source {
    uint8_t shape, load, nulls;
    uint8_t nullable;        /* the type is Nullable */
    uint8_t low_cardinality; /* the type is LowCardinality: a matter of Native blocks only */
    uint8_t exact;           /* a remainder is refused, not rounded down */
    uint8_t digits;          /* RB_WIDE: 10^digits is too much; 0 is any number */
    int8_t power;            /* RB_WIDE: times 10^power */
    uint32_t width;          /* bytes of one value on the wire, 0 when it varies */
    uint32_t child_count;
    int64_t length;          /* of a dictionary: what indices have to be below */
    int64_t offset;          /* where value 0 is, counted in values */
    int64_t stride;          /* bytes from value to value */
    int64_t each;            /* elements of every list */
    int64_t low, high, times, over; /* RB_WHOLE: (value * times) / over within low .. high */
    const uint8_t *data;
    const uint8_t *ends;
    const uint8_t *validity;
    const uint8_t *const *pieces; /* RB_VIEWS: the buffers that texts of more than 12 bytes lie in */
    int64_t piece_count;
    const rb_source *children;
};

/* `count` values of a source from `start` on. */
typedef struct {
    const rb_source *source;
    int64_t start, count;
} rb_piece;

/* Memory of the caller's; `need` says how much it would have to be. */
typedef struct {
    uint8_t *start;
    uint64_t size, used, need;
} rb_scratch;

/* rb_source.c: `count` values of a fixed width, one after another; NULL is zero bytes. -1: refused. */
int rb_pack(const rb_source *s, int64_t from, int64_t count, uint8_t *out);
/* The same for texts, which end at `limit` at most: where they end, or NULL. */
uint8_t *rb_pack_texts(const rb_source *s, int64_t from, int64_t count, uint8_t *out, const uint8_t *limit);
int64_t rb_texts_size(const rb_source *s, int64_t from, int64_t count);

/* UCS-4 as NumPy has it to UTF-8 with ends; `out` may be NULL to learn the size. -1: a surrogate. */
int64_t rb_utf8_of_ucs4(const uint8_t *data, int64_t stride, int64_t characters, int64_t count,
                        int64_t *ends, uint8_t *out);

/* rb_source_rows.c: rows in RowBinary.  rb_rows_measure counts the rows that come to `enough` bytes
 * together; rb_rows_write writes so many into the bytes that were found.  `marked` formats have a byte
 * before every cell. -1: refused. */
int64_t rb_rows_measure(const rb_source *columns, int64_t column_count, int marked, int64_t from,
                        int64_t to, uint64_t enough, uint64_t *size);
int rb_rows_write(const rb_source *columns, int64_t column_count, int marked, int64_t from, int64_t count,
                  uint8_t *out, uint64_t size);

/* The first of the rows in which two columns of lists have other numbers of elements, `to` if there is none. */
int64_t rb_other_length(const rb_source *one, const rb_source *other, int64_t from, int64_t to);

/* rb_source_native.c: a column of a Native block, from all its pieces; dictionaries stay in `scratch`
 * from one to the other. -1: refused, -2: `scratch` is too small. */
int64_t rb_column_measure(const rb_piece *pieces, int64_t piece_count, rb_scratch *scratch);
int rb_column_fill(const rb_piece *pieces, int64_t piece_count, rb_scratch *scratch, uint8_t *out,
                   uint64_t size);

/* --- what the three files share ------------------------------------------------------------------ */

static inline int64_t rb_index_at(const rb_source *s, int64_t i)
{
    const uint8_t *p = s->data + (s->offset + i) * s->stride;
    switch (s->load) {
#define RB_CASE(kind, type)                                                                               \
    case kind: {                                                                                          \
        type value;                                                                                       \
        memcpy(&value, p, sizeof value);                                                                  \
        return (int64_t)value;                                                                            \
    }
        RB_CASE(RB_I8, int8_t)
        RB_CASE(RB_I16, int16_t)
        RB_CASE(RB_I32, int32_t)
        RB_CASE(RB_U8, uint8_t)
        RB_CASE(RB_U16, uint16_t)
        RB_CASE(RB_U32, uint32_t)
#undef RB_CASE
    default: {
        int64_t value; /* an unsigned one of 2^63 and more is negative: no index */
        memcpy(&value, p, sizeof value);
        return value;
    }
    }
}

/* Whether value i is NULL; an index that is too large is for the caller to find. */
static inline int rb_is_null(const rb_source *s, int64_t i)
{
    int64_t at = s->offset + i;
    switch (s->nulls) {
    case RB_VALID_BITS:
        if (!(s->validity[at >> 3] >> (at & 7) & 1))
            return 1;
        break;
    case RB_NULL_BYTES:
        if (s->validity[at])
            return 1;
        break;
    case RB_LEAST: {
        int64_t value;
        memcpy(&value, s->data + at * s->stride, sizeof value);
        if (value == INT64_MIN)
            return 1;
        break;
    }
    }
    if (s->shape == RB_CODED && s->children[0].nulls) {
        int64_t index = rb_index_at(s, i);
        return index >= 0 && index < s->length && rb_is_null(&s->children[0], index);
    }
    return 0;
}

static inline int rb_may_have_nulls(const rb_source *s)
{
    return s->nulls || (s->shape == RB_CODED && s->children[0].nulls);
}

/* Whether there is a NULL among values for which there must not be one. */
static inline int rb_has_null(const rb_source *s, int64_t from, int64_t count)
{
    if (rb_may_have_nulls(s))
        for (int64_t i = from; i < from + count; i++)
            if (rb_is_null(s, i))
                return 1;
    return 0;
}

/* Where element 0 of list i is, in values of the child; i may be the number of lists. */
static inline int64_t rb_end_at(const rb_source *s, int64_t i)
{
    int64_t at = s->offset + i;
    if (s->load == RB_ENDS32) {
        int32_t end;
        memcpy(&end, s->ends + at * 4, sizeof end);
        return end;
    }
    if (s->load == RB_ENDS64) {
        int64_t end;
        memcpy(&end, s->ends + at * 8, sizeof end);
        return end;
    }
    return at * s->each;
}

/* The elements, or bytes, from offset `start` to offset `end`; -1 when they are damaged. */
static inline int64_t rb_between(int64_t start, int64_t end)
{
    return start < 0 || end < start ? -1 : end - start;
}

/* The bytes of text i and where they are; -1 when that cannot be. */
static inline int64_t rb_text_at(const rb_source *s, int64_t i, const uint8_t **text)
{
    int64_t size;
    if (s->load == RB_ENDS32 || s->load == RB_ENDS64) {
        int64_t start = rb_end_at(s, i);
        size = rb_between(start, rb_end_at(s, i + 1));
        if (size < 0 || size > RB_MAX_STRING)
            return -1;
        *text = s->data + start;
        return size;
    }
    const uint8_t *p = s->data + (s->offset + i) * s->stride;
    if (s->load == RB_VIEWS) {
        int32_t view[4];
        memcpy(view, p, sizeof view);
        if (view[0] <= 12) {
            *text = p + 4;
            return view[0] < 0 ? -1 : view[0];
        }
        if (view[2] < 0 || view[2] >= s->piece_count || view[3] < 0 || view[0] > RB_MAX_STRING)
            return -1;
        *text = s->pieces[view[2]] + view[3];
        return view[0];
    }
    size = s->each; /* bytes of each text */
    if (s->load == RB_PADDED)
        while (size && !p[size - 1])
            size--;
    *text = p;
    return size;
}

/* The same, found through the dictionary if there is one; NULL is an empty text. */
static inline int64_t rb_find_text(const rb_source *s, int64_t i, const uint8_t **text)
{
    if (rb_is_null(s, i)) {
        *text = NULL;
        return s->nullable ? 0 : -1;
    }
    if (s->shape != RB_CODED)
        return rb_text_at(s, i, text);
    int64_t index = rb_index_at(s, i);
    return index < 0 || index >= s->length ? -1 : rb_text_at(&s->children[0], index, text);
}

static inline int rb_is_zero(const uint8_t *p, int64_t size)
{
    while (size && !*p)
        p++, size--;
    return !size;
}

/* Appends a text; NULL when it is damaged, or has changed since it was measured and has no room now. */
static inline uint8_t *rb_put_text(uint8_t *out, const uint8_t *limit, const uint8_t *text, int64_t size)
{
    if (size < 0 || limit - out < size + (int64_t)rb_varint_size((uint64_t)size))
        return NULL;
    out = rb_put_varint(out, (uint64_t)size);
    rb_copy(out, text, (size_t)size);
    return out + size;
}

#endif
