/* Columns of Native blocks that are being read: the data, after the reference has read the prefixes.
 *
 * A part is one column of the reference (rowbinary._read_columns) as a struct.  Where an error is to be
 * raised, `at` is the value in the innermost column, and the owners say what it belongs to further out. */
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
} rb_part_shape;

typedef struct rb_part rb_part;
struct rb_part {
    rb_part_shape shape;
    PyObject *py;            /* the column; the root of the tree is held */
    const rb_node *node;     /* NULL for a path without a type */
    Py_ssize_t count;
    rb_part **children;      /* NULL is the shared variant */
    PyObject **paths;        /* RB_PART_JSON: of each child; borrowed */
    Py_ssize_t typed;        /* of these, the declared ones, which come first */
    int nullable;            /* RB_PART_LOW_CARDINALITY */
    int levels;              /* RB_PART_DYNAMIC */
};

/* Whose the values of an inner column are: by the ends of arrays, or by their places. */
struct rb_owner {
    const rb_owner *outer;
    const uint64_t *ends;
    const Py_ssize_t *places;
    Py_ssize_t count;
};

/* The values of a variant before they are put into their places. */
typedef struct {
    PyObject *numbers;       /* bytes: the member of each value */
    Py_ssize_t count;
    PyObject **lists;        /* of each member */
    Py_ssize_t *taken;       /* of each list */
} rb_members;

/* parts.c */
rb_part *rb_part_new(PyObject *column);
void rb_part_free(rb_part *part);
PyObject *rb_fail(rb_source *s, const char *helper, const char *format, ...);
PyObject *rb_take_bytes(rb_source *s, Py_ssize_t count);
uint64_t *rb_take_ends(rb_source *s, Py_ssize_t count);

/* read_columns.c */
PyObject *rb_read_part(rb_source *s, const rb_part *part, Py_ssize_t count);

/* read_members.c */
int rb_read_members(rb_source *s, const rb_part *part, Py_ssize_t count, rb_members *members);
void rb_members_free(rb_members *members, Py_ssize_t lists);
PyObject *rb_next_member(rb_members *members, Py_ssize_t index);
PyObject *rb_read_variant_part(rb_source *s, const rb_part *part, Py_ssize_t count);
PyObject *rb_read_each(rb_source *s, Py_ssize_t count, PyObject *(*read)(rb_source *));
PyObject *rb_read_shared(rb_source *s, Py_ssize_t count);

/* read_json_part.c */
PyObject *rb_read_json_part(rb_source *s, const rb_part *part, Py_ssize_t count);

#endif
