/* Columns of a Native block, the twins of rowbinary._columns and rowbinary._paths: how values of one type
 * lie together.
 *
 * A column takes values in two ways.  rb_column_take moves one out of RowBinary, as the reference does, and
 * no Python code runs.  rb_column_put (put.c, put_json.c) appends a Python value directly, or goes by way
 * of RowBinary where it has no fast path.  A function that fails may leave the column with a value in
 * part: rb_column_cut takes that out again, by the number of values to keep. */
#ifndef COLUMNS_H
#define COLUMNS_H

#include "rowbinary.h"

#define RB_NULL 0xFF
#define RB_OVERFLOW 0xFE /* among the discriminators of a Dynamic: its value is in the shared variant */
#define RB_MAX_KINDS 254 /* types a Dynamic column can list */
#define RB_SPARSE 20     /* rowbinary._paths.SPARSE */
#define RB_WATCHED 256   /* rowbinary._paths.WATCHED */
#define RB_DENSE 5       /* rowbinary._paths.DENSE */
#define RB_EARLY 32      /* rowbinary._paths.EARLY */

/* How the values of a column lie: one class of rowbinary._columns each. */
typedef enum {
    RB_COL_FIXED,
    RB_COL_TEXT,
    RB_COL_STATE,
    RB_COL_EMPTY,
    RB_COL_NULLABLE,
    RB_COL_ARRAY,
    RB_COL_MAP, /* an array with two children */
    RB_COL_TUPLE,
    RB_COL_LOW_CARDINALITY,
    RB_COL_VARIANT,
    RB_COL_QBIT,
    RB_COL_DYNAMIC,
    RB_COL_JSON,
    RB_COL_JSON_TEXT,
} rb_shape;

typedef struct rb_column rb_column;
typedef struct rb_block rb_block;
typedef struct rb_dictionary rb_dictionary;
typedef struct rb_dynamic rb_dynamic;
typedef struct rb_json rb_json;
typedef struct rb_batch rb_batch;

/* What every value needs stands in the first line of the cache. */
struct rb_column {
    rb_buffer out;           /* values; null map, ends, discriminators or keys where there are children */
    size_t count;            /* values */
    rb_shape shape;
    uint32_t width;          /* bytes of a value of RB_COL_FIXED */
    rb_column *child;        /* the first of the children */
    const rb_node *node;
    rb_block *block;
    union {
        rb_dictionary *dictionary;
        rb_dynamic *dynamic;
        rb_json *json;
    };
    rb_column **children;
    Py_ssize_t children_count;
    int no_zero;             /* the type has no default value */
    rb_buffer sizes;         /* RB_COL_STATE: the size of each */
    size_t known_count, known_size; /* RB_COL_TEXT: how many bytes so many values take */
    void *memory;            /* what was allocated; the column is somewhere in it */
};

/* RowBinary that is being taken apart. */
typedef struct {
    const uint8_t *p, *end;
} rb_reader;

/* A type that a Dynamic value has: its tag, and what stands for it in a block. */
typedef struct rb_kind rb_kind;
struct rb_kind {
    PyObject *py;            /* the Node; strong */
    const rb_node *node;
    PyObject *tag;           /* bytes */
    const char *text;        /* the type's name, owned by `name` */
    Py_ssize_t text_size;
    PyObject *name;          /* str */
    rb_kind *next;           /* with the same first byte of the tag */
};

/* Why a value was refused, where that is not for want of memory: rowbinary._native.refuse knows the words. */
typedef enum { RB_NO_FAULT, RB_TOO_LONG, RB_TEXT_OVERFLOW, RB_NO_ZERO } rb_fault;

/* How a cell is put.  A plain one goes to rb_write_value and nothing else happens: its column has neither
 * its count nor its bytes noted until somebody asks (note_counts in block.c). */
typedef enum { RB_CELL_OTHER, RB_CELL_PLAIN, RB_CELL_DICTIONARY } rb_cell_kind;

/* What a cell needs to know of its column. */
typedef struct {
    rb_cell_kind kind;
    rb_column *column;       /* NULL when the block leaves it out */
    const rb_node *node;
    int may_go_ahead;        /* may be written before other cells of its row (ahead.c) */
    int documents;           /* has JSON */
    Py_ssize_t ahead;        /* of the rows that are held, those that have it written */
    Py_ssize_t left;         /* documents that are left to their rows, after something unusual, */
    Py_ssize_t next_left;    /* and how many these will be next time */
} rb_cell;

#define RB_AHEAD 32 /* rows */
#define RB_AHEAD_BYTES ((size_t)2 << 20) /* written ahead at a time: a block may have room for one of the rows only */
#define RB_LONG_CELL 16384 /* bytes of a cell written ahead; there may be as many as RB_AHEAD in each column */

/* Rows behind those that are held, of which `column` is asked for while it is written: a cell for each cell.  They
 * are borrowed, which is good as long as no Python code runs. */
struct rb_next {
    PyObject *const *rows[RB_AHEAD]; /* the cells of each */
    Py_ssize_t column;
    unsigned reach;          /* of its cells (fetch.h) */
};

static RB_INLINE void rb_fetch_next(const rb_next *next, Py_ssize_t k)
{
    if (next)
        rb_prefetch(next->rows[k][next->column], next->reach);
}

/* The open block. */
struct rb_block {
    Py_ssize_t columns_count;
    rb_column **columns;
    rb_cell *cells;
    uint8_t *absent;         /* columns that are DEFAULT in all rows */
    size_t fixed_size;       /* bytes of the plain cells of fixed width in a row */
    size_t text_size;        /* bytes of the plain cells of text in all rows before */
    Py_ssize_t texts_count;
    rb_column **texts;       /* their columns */
    size_t rows, size, start; /* rowbinary._columns.Gauge */
    PyObject *list;          /* the rows that are being taken are those of a list, from `*index` on; else NULL */
    const Py_ssize_t *index;
    PyObject *const *held;   /* rows of the list some cells of which were written ahead */
    Py_ssize_t held_count, next;
    Py_ssize_t ahead, ahead_most; /* of them those that are still to follow; how many may be held next time */
    Py_ssize_t ahead_fit;    /* how many may be held for their length */
    size_t held_from;        /* bytes of the block before them */
    Py_ssize_t even;         /* those before this one have arrays of equal length where they must */
    Py_ssize_t whole;        /* those before this one are written in all columns */
    size_t ahead_sizes[RB_AHEAD]; /* bytes of each that were written ahead */
    size_t ahead_fixed;      /* and bytes that all have */
    size_t ahead_bytes;      /* all that was written ahead */
    Py_ssize_t *rest, rest_count; /* cells that are not written ahead */
    Py_ssize_t *late, late_count; /* those of the rows before */
    unsigned *calls;         /* those of the encoder */
    int json;
    int opening;             /* columns are being made for the schema */
    rb_fault fault;
    rb_buffer scratch;       /* RowBinary on its way into a column */
    rb_batch *batch;         /* documents that are put ahead (put_documents.c); NULL until there are such */
    rb_column **touched;     /* JSON columns that took documents of the row */
    size_t touched_count, touched_room;
    rb_kind *kinds[256];     /* by the first byte of the tag */
    size_t kinds_count;
};

/* Note `count` bytes more in the columns of the block. */
static inline int rb_gauge(rb_block *b, size_t count)
{
    b->size += count;
    if (RB_LIKELY(b->size - b->start <= RB_MAX_ROW))
        return 0;
    b->fault = RB_TOO_LONG;
    return -1;
}

/* Columns are many streams that grow slowly, which the processor does not foresee: ask for the memory that `out` comes
 * to next.  There may be none: documents and tuples are in the columns inside. */
#define RB_COMING 256
static RB_INLINE void rb_fetch_column(const rb_buffer *out)
{
    if (RB_LIKELY(out->end - out->p > RB_COMING))
        rb_fetch_line(out->p + RB_COMING);
}

/* Room for at least one thing more in a list; `list` points to the pointer to it (column.c). */
int rb_more(void *list, size_t count, size_t *room, size_t size);
#define RB_MORE(list, count, room) rb_more(&(list), (count), &(room), sizeof *(list))

/* Empty a list, and free it when it has room for far more than the `count` things it had. */
void rb_less(void *list, size_t *count, size_t *room);
#define RB_LESS(list, count, room) rb_less(&(list), &(count), &(room))

/* column.c: every function returns 0, or -1 without memory, with a fault or with a Python error */
rb_column *rb_column_new(rb_block *b, const rb_node *node);
rb_column *rb_text_new(rb_block *b);
void rb_column_free(rb_column *c);
int rb_column_take(rb_column *c, rb_reader *r);
int rb_column_default(rb_column *c);
int rb_column_cut(rb_column *c, size_t count);
void rb_column_reset(rb_column *c);
void rb_column_forget(rb_column *c);
void rb_column_renew(rb_column *c);

/* column_skip.c */
int rb_read_varint(rb_reader *r, uint64_t *number);
int rb_skip(rb_block *b, const rb_node *node, rb_reader *r);
int rb_skip_dynamic(rb_block *b, rb_reader *r);
int rb_read_kind(rb_block *b, rb_reader *r, const rb_kind **kind);
void rb_forget_kinds(rb_block *b);

/* column_dictionary.c: LowCardinality */
int rb_dictionary_new(rb_column *c);
void rb_dictionary_free(rb_column *c);
int rb_dictionary_take(rb_column *c, rb_reader *r);
int rb_dictionary_put(rb_column *c, const uint8_t *value, size_t size);
int rb_dictionary_put_object(rb_encoder *e, rb_column *c, PyObject *value);
int rb_dictionary_put_many(rb_encoder *e, rb_column *c, PyObject *const *values, Py_ssize_t count, uint32_t *sizes,
                           const rb_next *next);
int rb_dictionary_cut(rb_column *c, size_t count);
void rb_dictionary_reset(rb_column *c);
int rb_dictionary_data(rb_column *c, rb_buffer *out);

/* column_dynamic.c */
rb_column *rb_dynamic_new(rb_block *b, const rb_node *node, uint32_t max_types);
int rb_dynamic_open(rb_column *c, uint32_t max_types);
void rb_dynamic_free(rb_column *c);
int rb_dynamic_take(rb_column *c, rb_reader *r);
int rb_dynamic_pad(rb_column *c, size_t count);
int rb_dynamic_cut(rb_column *c, size_t count);
void rb_dynamic_reset(rb_column *c);
void rb_dynamic_forget(rb_column *c);
int rb_dynamic_prefix(rb_column *c, rb_buffer *out);
int rb_dynamic_data(rb_column *c, rb_buffer *out);
rb_column *rb_dynamic_member(rb_column *c, const uint8_t *tag, size_t size, uint8_t *discriminator);
size_t rb_dynamic_present(const rb_column *c);

/* column_json.c */
int rb_json_open(rb_column *c);
void rb_json_free(rb_column *c);
int rb_json_take(rb_column *c, rb_reader *r);
int rb_json_cut(rb_column *c, size_t count);
void rb_json_settle(rb_column *c);
void rb_json_trim(rb_column *c);
void rb_json_reset(rb_column *c, size_t documents);
void rb_json_forget(rb_column *c);
void rb_json_renew(rb_column *c);
int rb_json_prefix(rb_column *c, rb_buffer *out);
int rb_json_data(rb_column *c, rb_buffer *out);

/* column_write.c */
int rb_column_prefix(rb_column *c, rb_buffer *out);
int rb_column_data(rb_column *c, rb_buffer *out);
int rb_append(rb_buffer *out, const rb_buffer *piece);

/* put.c */
int rb_column_put(rb_encoder *e, rb_column *c, PyObject *value);
int rb_put_by_way_of_row(rb_encoder *e, rb_column *c, PyObject *value);

/* ahead.c */
Py_ssize_t rb_ahead_open(rb_encoder *e, PyObject *list, Py_ssize_t index, PyObject **rows);
void rb_ahead_fetch(const rb_block *b, PyObject *const *rows, Py_ssize_t k, Py_ssize_t count);
int rb_ahead_write_rest(rb_encoder *e, PyObject *row);
void rb_ahead_cut(rb_block *b);

/* write_many.c */
Py_ssize_t rb_write_texts(rb_buffer *out, PyObject *const *values, Py_ssize_t count, int no_dates, uint32_t more,
                          uint32_t *sizes, const rb_next *next);

/* put_json.c, put_documents.c */
int rb_put_json(rb_encoder *e, rb_column *c, PyObject *value);
Py_ssize_t rb_put_documents(rb_encoder *e, rb_column *c, PyObject *const *cells, Py_ssize_t count, uint32_t *sizes);

/* put_arrays.c */
int rb_put_one(rb_encoder *e, rb_column *c, PyObject *value, uint32_t *row_size);
Py_ssize_t rb_put_arrays(rb_encoder *e, rb_column *c, PyObject *const *cells, Py_ssize_t count, uint32_t *sizes,
                         const rb_next *next);

/* block.c */
int rb_block_open(rb_encoder *e);
void rb_block_free(rb_encoder *e);
int rb_block_put_other(rb_encoder *e, Py_ssize_t i, PyObject *cell);
int rb_block_write(rb_encoder *e, PyObject *row, Py_ssize_t index);
int rb_block_follow(rb_encoder *e);
int rb_block_close(rb_encoder *e);
void rb_block_renew(rb_encoder *e);
size_t rb_block_likely_rows(const rb_block *b);
int rb_block_goes_on(const rb_block *b, size_t size, size_t enough);
void rb_block_end_ahead(rb_encoder *e);

/* A cell of the row, into its column. */
static inline int rb_block_put(rb_encoder *e, Py_ssize_t i, PyObject *cell)
{
    const rb_cell *at = &e->block->cells[i];
    if (RB_LIKELY(at->kind == RB_CELL_PLAIN && cell != rb_py.default_)) {
        rb_fetch_column(&at->column->out);
        return rb_write_value(e, &at->column->out, at->node, cell);
    }
    if (at->kind == RB_CELL_DICTIONARY && cell != rb_py.default_) {
        rb_fetch_column(&at->column->out);
        if (rb_dictionary_put_object(e, at->column, cell))
            return -1;
        at->column->count++;
        return 0;
    }
    return rb_block_put_other(e, i, cell);
}

#endif
