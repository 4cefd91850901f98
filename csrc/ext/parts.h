/* Columns of Native blocks that are being read: the data, after the reference has read the prefixes.
 *
 * A part is one column of the reference (rowbinary._read_columns) as a struct.  It is read once, and then its
 * values are taken in their order, some at a time: what is made when a row needs it is still in the cache when
 * the row is put together.
 *
 * All errors are found while it is read, so they come in the order of the bytes.  A part keeps where its bytes
 * are; if these can be no values of its type, or making them runs code of others, it makes its values at once.
 * Where an error is to be raised, the cursor's `at` is the value in the innermost column, and the owners say
 * what it belongs to further out. */
#ifndef PARTS_H
#define PARTS_H

#include "source.h"

/* In the order of rowbinary._read_columns.SHAPES; what is none of them is the reference's. */
typedef enum {
    RB_PART_SCALAR,
    RB_PART_NULLABLE,
    RB_PART_ARRAY,
    RB_PART_MAP,
    RB_PART_TUPLE,
    RB_PART_LOW_CARDINALITY,
    RB_PART_VARIANT,
    RB_PART_DYNAMIC,
    RB_PART_JSON,
    RB_PART_OTHER,
    RB_PART_SHARED,          /* the shared variant of a Dynamic */
} rb_part_shape;

typedef struct rb_part rb_part;
typedef struct rb_json_data rb_json_data; /* read_json_part.c */
struct rb_part {
    rb_part_shape shape;
    PyObject *py;            /* the column; the root of the tree is held */
    const rb_node *node;     /* NULL for a path without a type, and for a shared variant */
    Py_ssize_t count;
    rb_part **children;
    PyObject **paths;        /* RB_PART_JSON: of each child; borrowed */
    Py_ssize_t typed;        /* of these, the declared ones, which come first */
    int nullable;            /* RB_PART_LOW_CARDINALITY */
    int levels;              /* RB_PART_DYNAMIC */
    /* what has been read of it */
    Py_ssize_t at;           /* values that were taken */
    PyObject *values;        /* a list of all, made at once; nobody else has it.  Else: */
    PyObject *piece;         /* bytes, in which there are */
    const uint8_t *p;        /* the values that come next, the keys of entries, or the numbers of members */
    size_t width;            /* of each; 0 when they differ */
    PyObject *nulls;         /* bytes that are not 0 where the value is NULL, whatever its bytes; or NULL */
    uint64_t *ends;          /* of arrays, also of the shared data of documents */
    rb_json_data *json;
};

/* Whose the values of an inner column are: by the ends of arrays, or by their places. */
struct rb_owner {
    const rb_owner *outer;
    const uint64_t *ends;
    const Py_ssize_t *places;
    Py_ssize_t count;
};

#define RB_NO_MEMBER 0xFF        /* the number of NULL in a variant */

/* parts.c */
rb_part *rb_part_new(PyObject *column);
void rb_part_free(rb_part *part);
void rb_part_forget(rb_part *part);
PyObject *rb_fail(rb_source *s, const char *helper, const char *format, ...);
PyObject *rb_take_bytes(rb_source *s, Py_ssize_t count);
uint64_t *rb_take_ends(rb_source *s, Py_ssize_t count);

/* read_columns.c */
int rb_part_read(rb_source *s, rb_part *part, Py_ssize_t count, PyObject *nulls);

/* take_values.c */
int rb_part_take(rb_source *s, rb_part *part, PyObject **out, Py_ssize_t count);
PyObject *rb_part_list(rb_source *s, rb_part *part, Py_ssize_t count);
int rb_part_settle(rb_source *s, rb_part *part, Py_ssize_t count);

/* read_members.c */
int rb_read_members(rb_source *s, rb_part *part, Py_ssize_t count);
int rb_read_shared(rb_source *s, rb_part *part, Py_ssize_t count);

/* read_json_part.c */
int rb_read_json_part(rb_source *s, rb_part *part, Py_ssize_t count);
int rb_take_documents(rb_source *s, rb_part *part, PyObject **out, Py_ssize_t count);
void rb_json_data_free(rb_json_data *json);

/* A list with `count` places.  While it has holes nobody is to find it; nor are those found that nobody gets. */
static inline PyObject *rb_list_with_holes(Py_ssize_t count)
{
    PyObject *list = PyList_New(count);
    if (list)
        PyObject_GC_UnTrack(list);
    return list;
}

/* Drop values that were taken for something that cannot be made. */
static inline int rb_drop(PyObject **values, Py_ssize_t count)
{
    while (count--)
        Py_CLEAR(values[count]);
    return -1;
}

#endif
