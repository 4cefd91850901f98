/* Bytes to Python values: the cursor, and readers of the same names as those of rowbinary._read.
 *
 * A reader returns a value, or NULL with an error set.  It holds fast paths only: it looks at what comes
 * before it takes it, and where that is too short, broken or rare it leaves the cursor where it is and calls
 * the reference, which reads the value or raises the error.  So there is one place where errors are made. */
#ifndef SOURCE_H
#define SOURCE_H

#include "rowbinary.h"

#define RB_MAX_LEVELS 300         /* _read.MAX_LEVELS */
#ifdef RB_FUZZING                 /* see tests/fuzz: a body of so many values takes seconds */
#define RB_MAX_EMPTY 1024
#else
#define RB_MAX_EMPTY (1 << 20)    /* _cursor.MAX_EMPTY */
#endif
#define RB_DOCUMENTS 8            /* levels of documents in documents that are read here */
#define RB_MAX_CLASHES 256        /* _read.MAX_CLASHES */

enum { RB_MOMENTS_DATETIME, RB_MOMENTS_EXACT, RB_MOMENTS_TICKS };

typedef struct rb_documents rb_documents; /* read_json.c */
typedef struct rb_tags rb_tags;           /* read_dynamic.c */
typedef struct rb_owner rb_owner;         /* parts.h */

/* The twin of rowbinary._cursor.Cursor. */
typedef struct {
    PyObject_HEAD
    const uint8_t *start, *p, *end; /* the piece at hand, and what of it was not read yet */
    uint64_t base;                  /* bytes before the piece */
    PyObject *piece;                /* bytes */
    size_t room;                    /* bytes that it can have, where it was made here; else 0 */
    uint64_t pieces;                /* counts them: the same chunk can come again */
    PyObject *chunks;               /* an iterator; NULL when there is no more */
    int pulling;
    int may_rewind;                 /* there are rows to be handed out before more bytes are waited for */
    /* rules */
    PyObject *rules, *zone;
    int moments, flat;              /* documents as paths */
    int strict;                     /* invalid UTF-8 is an error */
    /* where it is, for errors */
    Py_ssize_t row;                 /* -1 is none */
    Py_ssize_t cell;                /* the column's place in `names`; -1: it is `column` */
    PyObject *names, *column, *owners;
    Py_ssize_t at;                  /* the value in the innermost column of a block; -1 is none */
    const rb_owner *owner;          /* what it belongs to (parts.h) */
    int level;
    Py_ssize_t empty;
    PyObject *nodes, *labels;       /* dicts of the reference */
    PyObject *failure;              /* an error behind rows that were handed out first */
    /* rows */
    PyObject *columns;              /* what `cells` are made of */
    const rb_node **cells;
    Py_ssize_t cells_count;
    int defaults;
    /* what was met before */
    rb_tags *tags;
    rb_documents *documents[RB_DOCUMENTS];
    int depth;                      /* of documents */
} rb_source;

extern PyType_Spec rb_source_spec;

/* Things of the Python side that reading needs, found when the first cursor is made. */
typedef struct {
    PyObject *readers;              /* tuple of rowbinary._read.READERS by opcode */
    PyObject *read_value, *read_type, *compiled, *document, *twice, *pairs_of;
    PyObject *shapes, *faults;      /* _read_columns.SHAPES; the module _read_faults */
    PyObject *again;                /* rowbinary._cursor.Again */
    PyObject *default_;
    PyObject *ipv4, *ipv6, *uuid, *safe; /* types, and uuid.SafeUUID.unknown */
    PyObject *s_count, *s_count_empty, *s_error, *s_fromutc, *s_int, *s_is_safe, *s_text;
} rb_reading;

extern rb_reading rb_read;

/* source.c */
int rb_pull(rb_source *s, size_t count);
uint64_t rb_offset(const rb_source *s);

/* Whether `count` bytes are at hand; waits for them.  0 also when they do not come: then the reference fails,
 * unless an error is set already. */
static inline int rb_has(rb_source *s, size_t count)
{
    return RB_LIKELY((size_t)(s->end - s->p) >= count) || rb_pull(s, count);
}

#define RB_VARINT_READ 9 /* bytes of the longest one that is read here: ten are the reference's */

/* The varint at `p`: its bytes, or 0 where `left` bytes do not hold it. */
static inline unsigned rb_varint_at(const uint8_t *p, size_t left, uint64_t *number)
{
    if (RB_LIKELY(left && p[0] < 0x80)) {
        *number = p[0];
        return 1;
    }
    uint64_t found = 0;
    for (unsigned i = 0; i < left && i < RB_VARINT_READ; i++) {
        found |= (uint64_t)(p[i] & 0x7F) << (7 * i);
        if (p[i] < 0x80) {
            *number = found;
            return i + 1;
        }
    }
    return 0;
}

/* A varint that is at hand: its bytes, or 0.  It is not taken. */
static inline unsigned rb_peek_varint(const rb_source *s, uint64_t *number)
{
    return rb_varint_at(s->p, (size_t)(s->end - s->p), number);
}

/* Whether the collector has to know of a container with this in it.  It would find out by itself, but not before
 * it has looked at all rows. */
static inline int rb_is_tracked(PyObject *value)
{
    return PyType_IS_GC(Py_TYPE(value));
}

/* read_value.c */
int rb_read_init(void);
PyObject *rb_read_value(rb_source *s, const rb_node *node);
PyObject *rb_read_reference(rb_source *s, const rb_node *node);
Py_ssize_t rb_read_count(rb_source *s, const rb_node *a, const rb_node *b);
PyObject *rb_named(const rb_node *node, PyObject *values);
PyObject *rb_new_map(const rb_node *node, Py_ssize_t count);
PyObject *rb_put_pair(PyObject *map, PyObject *key, PyObject *value);
PyObject *rb_end_map(const rb_node *node, PyObject *map, Py_ssize_t count);

/* read_scalar.c */
int rb_scalar_init(void);
PyObject *rb_new_text(const uint8_t *text, size_t size);
PyObject *rb_read_scalar(rb_source *s, const rb_node *node);
int rb_is_certain(const rb_source *s, const rb_node *node);
PyObject *rb_certain_at(rb_source *s, const rb_node *node, const uint8_t *p);
PyObject *rb_text_at(rb_source *s, const rb_node *node, const uint8_t *p, unsigned length, size_t size);
PyObject *rb_read_text(rb_source *s);

/* read_dynamic.c */
PyObject *rb_read_dynamic(rb_source *s);
void rb_tags_free(rb_tags *tags);

/* read_json.c */
PyObject *rb_read_json(rb_source *s, const rb_node *node);
void rb_documents_free(rb_documents *documents);
rb_documents *rb_documents_new(void);
uint32_t rb_document_path(rb_documents *d, PyObject *text);
uint32_t rb_document_read(rb_source *s, rb_documents *d);
PyObject *rb_document_text(const rb_documents *d, uint32_t place);
int rb_document_straight(const rb_source *s, rb_documents *d);
int rb_document_begin(rb_documents *d, int straight);
int rb_document_mark(rb_documents *d, uint32_t place);
int rb_document_has(const rb_documents *d, uint32_t place);
int rb_document_put(rb_documents *d, uint32_t place, PyObject *value);
PyObject *rb_document_end(rb_source *s, rb_documents *d);
void rb_document_drop(rb_documents *d);

/* read_blocks.c */
PyObject *rb_read_column(rb_source *s, PyObject *column, Py_ssize_t count);
PyObject *rb_read_cells(rb_source *s, PyObject *column, Py_ssize_t count);
PyObject *rb_rows_of(rb_source *s, PyObject *columns, Py_ssize_t count);

/* read_rows.c */
PyObject *rb_read_rows(rb_source *s, PyObject *columns, Py_ssize_t most);

#endif
