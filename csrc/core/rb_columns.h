/* Columns that lie in memory already, as Arrow, NumPy and their like have them: values without Python
 * objects, read where they are.  Plain C, without the C-API: nothing is allocated, and the GIL is not needed.
 *
 * A source is compiled by rowbinary/_compile.py for one ClickHouse type.  It takes the usual values only:
 * whatever it refuses (-1) is written, or explained, by the row encoder.
 *
 * cffi reads this file as well (csrc/ffi/build_kernels.py), so that nothing of it is said twice. */
#ifndef RB_COLUMNS_H
#define RB_COLUMNS_H

#include <stdint.h>

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

#endif
