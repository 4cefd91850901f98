/* The C row encoder: shared declarations.  docs/internals.md is the map.
 *
 * A writer returns 0, or -1 for "not me": with or without a Python error set.  The row loop then
 * drops what the row wrote and gives the row to the reference encoder, which writes it or raises
 * the error.  So there is one place where errors are made, and C holds fast paths only.
 *
 * A writer appends to the buffer it gets, `out`, and knows nothing of what that belongs to.  The
 * encoder beside it is the state of the row, wherever its values go. */
#ifndef ROWBINARY_H
#define ROWBINARY_H

#define PY_SSIZE_T_CLEAN
#include <patchlevel.h>
/* For dict_items.h: the layout of dicts, as of versions that were looked at. */
#if PY_VERSION_HEX < 0x030F0000 && !defined(Py_GIL_DISABLED)
#define Py_BUILD_CORE_MODULE 1
#define RB_DICT_ENTRIES 1
#endif
#include <Python.h>
#ifdef RB_DICT_ENTRIES
#define object rb_asdl_object /* a type in headers that come with this one from 3.12 on */
#include <internal/pycore_dict.h>
#undef object
#endif
#include <datetime.h>
#include <math.h>
#include <stdint.h>

#include "../core/rb_buffer.h"
#include "../core/rb_bytes.h"
#include "../core/rb_dates.h"
#include "../core/rb_stream.h"
#include "../rb_opcodes.h"
#include "fetch.h"

#define RB_LARGE ((Py_ssize_t)16 << 20) /* chunks from here on are made when needed */
#define RB_SPARES 2
#define RB_CONTAINERS 16
#define RB_MAX_DEPTH 128 /* _options.MAX_DEPTH */

typedef struct rb_node rb_node;
typedef struct rb_next rb_next; /* columns.h */

/* A typed path of a JSON type. */
typedef struct {
    const char *name;
    Py_ssize_t size;
    const rb_node *node;
} rb_typed;

/* One compiled type: rowbinary._plan.Node as a struct.  Lives in a capsule on its Node. */
struct rb_node {
    rb_op op;
    uint32_t size;       /* wire width, N of FixedString, or number of children */
    uint32_t scale;
    uint32_t precision;
    int64_t ticks;       /* 10^scale: ticks per second of DateTime64 and Time64 */
    Py_ssize_t count;
    const rb_node **children;
    PyObject *py;        /* the Node; borrowed, it owns this struct */
    PyObject *zone;      /* time zone name or NULL; strong */
    int utc;             /* that is its name */
    PyObject *tz;        /* the zone itself, once a value was read; strong */
    PyObject *labels;    /* Enum: dict label -> number; strong */
    uint64_t serial;     /* no other node has had it */
    int named;           /* a Tuple whose elements have names */
    PyObject *rules;     /* JSON with typed paths or SKIP: JsonRules; strong; NULL when plain */
    PyObject *paths;     /* its dict path -> Node | bool; strong */
    uint32_t max_paths, max_types; /* JSON limits */
    int defaults;        /* JSON with paths that must be written when absent: left to the reference */
    rb_typed *typed;     /* typed paths, in the order of their bytes */
    Py_ssize_t typed_count;
    PyObject *zero_bytes; /* the type's default value in RowBinary; strong */
    const uint8_t *zero;
    size_t zero_size;
    int natural[4];      /* Variant member that a bool, int, float, str means, or -1 */
};

/* Binary type tags (rowbinary._registry has them all). */
enum {
    RB_TAG_NOTHING = 0x00,
    RB_TAG_UINT64 = 0x04,
    RB_TAG_INT64 = 0x0A,
    RB_TAG_FLOAT64 = 0x0E,
    RB_TAG_DATE = 0x0F,
    RB_TAG_DATETIME = 0x11,
    RB_TAG_DATETIME64 = 0x13,
    RB_TAG_STRING = 0x15,
    RB_TAG_ARRAY = 0x1E,
    RB_TAG_NULLABLE = 0x23,
    RB_TAG_BOOL = 0x2D,
    RB_TAG_JSON = 0x30,
};

enum { RB_JSON_EXACT, RB_JSON_TEXT, RB_JSON_STRING };

typedef struct rb_trail rb_trail; /* trail.h */

/* What an object inside an array gets: max_dynamic_paths and max_dynamic_types; and the keys that such
 * objects had before, if known. */
typedef struct {
    uint32_t paths, types;
    rb_trail *trail;
} rb_limits;

/* Those of the arrays in documents of a JSON type. */
static inline rb_limits rb_inner_limits(const rb_node *node)
{
    return (rb_limits){node->max_paths / 4, node->max_types / 2, NULL};
}

/* A chunk that was handed out, to be written over when it comes free. */
typedef struct {
    PyObject *bytes;
    Py_ssize_t room;
} rb_spare;

/* The buffer of rows: a bytes object that is written in place and cut to size by rb_take. */
typedef struct {
    rb_buffer out;            /* first: what its `grow` gets is the chunk */
    PyObject *bytes;
    Py_ssize_t hint;          /* how large the next one is likely to become; 0 when unknown */
    rb_spare spares[RB_SPARES];
} rb_chunk;

typedef struct {
    PyObject_HEAD
    PyObject *plan, *options, *context;
    Py_ssize_t columns;
    const rb_node **nodes;
    uint8_t *reach;           /* per column (fetch.h) */
    Py_ssize_t containers[RB_CONTAINERS], container_count; /* columns of dicts and lists, for prefetching */
    PyObject *names;          /* tuple of interned str */
    PyObject **keys;          /* per column the key object that dict rows had last; strong */
    unsigned char *no_default; /* columns whose DEFAULT is written as a value; NULL when none is */
    Py_ssize_t *grouped;      /* columns of flattened Nesteds, -1 behind each group; NULL when there are none */
    Py_ssize_t *grouped_end;
    Py_ssize_t *lengths;      /* array length per column, to check that; NULL likewise */
    Py_ssize_t index, rows;
    rb_chunk chunk;           /* where the rows go */
    /* state of the row being written */
    unsigned calls;           /* calls into Python: afterwards dicts may have changed */
    int no_calls;             /* what would need one fails instead */
    int depth;
    Py_ssize_t array_count;
    int document;             /* nesting of JSON cells */
    int recording;            /* note in `offsets` where paths are written */
    uint64_t paths;           /* written of the current document */
    int dotted, nested;       /* what the current document has: can its paths collide? */
    uint8_t *prefix;          /* path of the object being walked, dots included */
    size_t prefix_start;      /* where it begins; before that stand those of the documents around this one */
    size_t prefix_size, prefix_room;
    rb_trail *trail;          /* of the documents in cells */
    uint32_t steps;           /* of all trails */
    uint32_t *offsets;        /* where each path of the current documents was written */
    size_t offset_count, offset_room;
    /* options */
    int json, naive_utc, naive_local, json_utc, defaults, ignore_extra;
    int busy;
    struct rb_block *block;   /* the open block of a Native encoder (columns.h), else NULL */
} rb_encoder;

/* Things of the Python side, found once at module init. */
typedef struct {
    PyObject *write_value;    /* rowbinary._write.write_value */
    PyObject *write_natural;  /* rowbinary._dynamic.write_natural */
    PyObject *encode_row;     /* rowbinary._encode.encode_row */
    PyObject *encode_error;   /* rowbinary.errors.EncodeError */
    PyObject *make_context;   /* rowbinary._context.Context */
    PyObject *default_;       /* rowbinary.DEFAULT */
    PyObject *uuid, *decimal; /* types */
    PyObject *read_kind;      /* rowbinary._paths.read_kind; these two only for Native blocks */
    PyObject *refuse;         /* rowbinary._native.refuse */
    PyObject *s_absent, *s_depth, *s_count, *s_int, *s_capsule, *s_resolve, *s_utcoffset, *s_timestamp, *s_row;
} rb_python;

extern rb_python rb_py;
int rb_import(PyObject **slot, const char *module_name, const char *attribute);
int rb_intern(PyObject **slot, const char *text);
int rb_import_native(void);

/* buffer.c */
void rb_chunk_init(rb_chunk *c);
PyObject *rb_fresh(rb_spare *spares, Py_ssize_t size);
void rb_leave_spares(rb_spare *spares);
void rb_chunk_free(rb_chunk *c);
PyObject *rb_take(rb_chunk *c);
int rb_append_object(rb_buffer *out, PyObject *bytes);

/* memory.c */
int rb_memory_grow(rb_buffer *b, size_t need);
int rb_memory_expect(rb_buffer *b, size_t room);
void rb_memory_free(rb_buffer *b);
void rb_memory_reset(rb_buffer *b, size_t kept);

/* fetch.c */
unsigned rb_reach_of(const rb_node *node);

/* node.c */
const rb_node *rb_node_of(PyObject *py);
const rb_node *rb_typed_path(const rb_node *node, const uint8_t *name, size_t size);

/* write_value.c */
int rb_value_init(void);
int rb_is_rare_leaf(PyObject *value);
int rb_datetime_nanos(rb_encoder *e, PyObject *value, int64_t *nanos);
int rb_write_value(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value);
Py_ssize_t rb_write_many(rb_buffer *out, rb_op op, PyObject *const *values, Py_ssize_t count, const rb_next *next);
Py_ssize_t rb_stream_many(rb_buffer *out, rb_op op, PyObject *const *values, Py_ssize_t count, const rb_next *next);
int rb_drop_error(const rb_encoder *e);
int rb_is_utc(PyObject *zone);
int rb_text_moment(PyObject *value, int utc, rb_moment *moment);
int rb_write_reference(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value);

/* write_objects.c */
int rb_objects_init(void);
int rb_write_decimal(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value);
extern Py_ssize_t rb_uuid_slot;
int rb_write_uuid(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value);

/* write_container.c */
int rb_write_array(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value);
int rb_write_tuple(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value);
int rb_write_map(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value);
int rb_write_variant(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value);

/* write_dynamic.c, write_json.c, json_values.c */
int rb_write_dynamic(rb_encoder *e, rb_buffer *out, PyObject *value, rb_limits limits);
#define RB_LIST_TAG_MAX (8 + RB_VARINT_MAX)
uint8_t rb_list_tag(const rb_encoder *e, PyObject *list, uint32_t max_types);
uint8_t *rb_put_list_tag(uint8_t *out, uint8_t tag, rb_limits limits);
int rb_write_json(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value);
int rb_is_object(const rb_encoder *e, PyObject *item);
int rb_takes_null(const rb_node *node);
int rb_stays_itself(const rb_node *typed, PyObject *value);
int rb_is_leaf(const rb_encoder *e, PyObject *value);
int rb_write_objects(rb_encoder *e, rb_buffer *out, PyObject *list, rb_limits limits);

/* path_collisions.c */
int rb_paths_collide(const rb_encoder *e, const rb_buffer *out, size_t first);

/* rows.c */
int rb_write_row(rb_encoder *e, PyObject *row);
int rb_write_cells(rb_encoder *e, PyObject *row);
int rb_check_groups(const rb_encoder *e);
int rb_give_up(rb_encoder *e);
PyObject *rb_encode_row(rb_encoder *e, PyObject *row, Py_ssize_t index);

/* encoder.c */
extern PyType_Spec rb_encoder_spec, rb_chunks_spec;

#endif
