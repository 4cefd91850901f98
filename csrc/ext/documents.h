/* Documents that are put ahead: their values by path, before they are written.  collect_documents.c finds where they
 * belong, put_documents.c writes them. */
#ifndef DOCUMENTS_H
#define DOCUMENTS_H

#include "json_places.h"

#define RB_SLOTS 128 /* paths of one batch */
#define RB_RECIPES 4
#define RB_NESTED 8  /* objects in a document that memory is asked for */

/* The values of one path. */
typedef struct {
    uint32_t path;
    uint8_t count;
    uint8_t documents[RB_AHEAD]; /* whose they are, in their order */
    PyObject *values[RB_AHEAD];  /* borrowed */
} rb_slot;

/* A key of a document, and where it leads. */
typedef enum { RB_TO_VALUES, RB_TO_OBJECT, RB_TO_NULL, RB_TO_NOTHING } rb_step_kind;
typedef struct {
    PyObject *key; /* borrowed from a document before */
    rb_step_kind kind;
    union {
        rb_slot *to;
        Py_ssize_t inside; /* of an object: how many keys it has, which are the next steps */
    };
} rb_step;

/* All keys of a document. */
typedef struct {
    Py_ssize_t keys; /* outside of objects */
    Py_ssize_t length, nested_count;
    uint8_t nested[RB_NESTED]; /* those of the outside with objects */
    rb_step steps[RB_SLOTS];
} rb_recipe;

struct rb_batch {
    uint32_t used;
    uint8_t document; /* the one that is walked */
    int depth, top;   /* of the deepest value; of the keys of a document */
    uint32_t known;   /* recipes, of documents of this batch */
    uint32_t last;    /* that of the document before, or of the one that is walked */
    rb_recipe recipes[RB_RECIPES];
    rb_slot slots[RB_SLOTS];
};

Py_ssize_t rb_collect_documents(rb_encoder *e, rb_column *c, PyObject *const *cells, Py_ssize_t count);

#endif
