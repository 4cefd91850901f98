/* What column_json.c, column_json_paths.c and column_json_write.c know of the documents of a block. */
#ifndef COLUMN_JSON_H
#define COLUMN_JSON_H

#include "columns.h"

#define RB_NO_PATH UINT32_MAX
#define RB_ENOUGH ((size_t)1 << 20) /* bytes of paths that are no trouble */

/* One path that keys have led to, with a value or with an object behind it.  The typed paths come first, in
 * the order of their bytes; the others as they are met. */
typedef struct {
    PyObject *key;           /* the key that it was reached with last, in the object `parent`; strong */
    rb_column *fast;         /* where values of the sort `fast_sort` go (put_json.c); NULL when not known */
    rb_column *column;       /* a Dynamic; NULL when it never had one */
    size_t name;             /* its place in `names` */
    uint32_t parent;         /* a path, or RB_NO_PATH */
    uint32_t next;           /* the path that came after it last time */
    uint32_t name_size, hash;
    union {
        uint32_t rows;       /* of a path without a column: its values that wait */
        uint32_t run;        /* of an active one: its last values, which are in `fast` only so far */
    };
    union {
        uint32_t waiting;    /* 1 + the last of those that wait in `waiting`, or 0 */
        uint32_t seen;       /* documents that its column knows of, the run included */
    };
    uint8_t fast_sort;       /* `fast` has the discriminator `member` */
    uint8_t member;
    uint8_t rule;            /* rb_rule (json_values.h) */
    uint8_t active;          /* its values go into the column */
    uint8_t usual;           /* they do so from the first on, for in the block before many documents had it */
    uint8_t slot;            /* 1 + that of the path while documents are put ahead (put_documents.c), else 0 */
} rb_path; /* 64 bytes: one line of the cache */

/* A value (type tag and all) of a path without a column.  It ends where the next one begins. */
typedef struct {
    uint32_t offset;         /* in `values`, which has the bytes of one block */
    uint32_t row, path;
    uint32_t previous;       /* 1 + the one before of the same path, or 0 */
} rb_waiting;

struct rb_json {
    Py_ssize_t typed_count;
    rb_column **typed;
    rb_path *paths;          /* somewhere in `memory` */
    void *memory;
    size_t room;
    uint32_t count;
    uint32_t *table, mask;   /* 0 is free, else 1 + index */
    uint32_t *recent;        /* as large: paths by the hash of their key; behind the table */
    rb_buffer names;
    uint32_t *order;         /* paths of this block without the typed, in the order of first appearance */
    size_t order_count, order_room;
    uint32_t active;
    rb_waiting *waiting;     /* in the order of their rows; those of active paths have been moved */
    size_t waiting_count, waiting_room;
    rb_buffer values;
    uint32_t *found;         /* paths of the row being taken that have no column */
    size_t found_count, found_room;
    uint32_t first, last;    /* the path that documents begin with; the one met last */
    size_t settled;          /* documents of the rows before */
    int declared;            /* by the schema, and not the type of a Dynamic value */
    int touched;             /* the row has documents here */
    size_t enough;           /* bytes of paths that are not looked through for idle ones */
    size_t grown;            /* bytes of the document being put that are not noted yet */
};

#define RB_LIST 0x80 /* in the sort of a value: it is a list of such; tags are smaller */

int64_t rb_json_add(rb_json *j, const uint8_t *name, size_t size, uint32_t hash);
int rb_json_note_run(rb_path *path);
int rb_json_pad(rb_path *path, size_t count);
int rb_json_take_value(rb_path *path, size_t row, rb_reader *r);
int rb_json_touch(rb_column *c);
int rb_json_end(rb_column *c);
int64_t rb_json_search(rb_json *j, const uint8_t *name, size_t size);
int rb_json_begin(rb_column *c, uint32_t index);
int rb_json_wait(rb_column *c, uint32_t index, const uint8_t *value, size_t size);
void rb_json_choose_all(rb_column *c);

/* Whether documents of paths that all have columns decide nothing, in whatever order they come. */
static inline int rb_json_is_decided(const rb_json *j)
{
    return j->settled >= RB_WATCHED || j->order_count == j->active;
}

static inline int rb_json_is_named(const rb_json *j, const rb_path *path, const uint8_t *name, size_t size)
{
    return path->name_size == size && memcmp(j->names.start + path->name, name, size) == 0;
}

/* The value of entry `i` of those that wait. */
static inline rb_reader rb_json_value(const rb_json *j, size_t i)
{
    const uint8_t *start = j->values.start;
    size_t end = i + 1 < j->waiting_count ? j->waiting[i + 1].offset : rb_size(&j->values);
    return (rb_reader){start + j->waiting[i].offset, start + end};
}

/* Where the path that `key` led to from `parent` is noted, if it is.  An exact str that is in a dict has
 * its hash; by addresses, equal runs would find other collisions. */
static inline uint32_t *rb_json_recent(const rb_json *j, const PyObject *key, uint32_t parent)
{
    return &j->recent[((uint32_t)((const PyASCIIObject *)key)->hash ^ parent) & j->mask];
}

/* Documents of one source have their paths in one order: the path that followed the last one before is
 * likely to do so again. */
static inline uint32_t rb_json_guess(const rb_json *j)
{
    return j->last == RB_NO_PATH ? j->first : j->paths[j->last].next;
}

/* `path`, which was not guessed, is where the walk has come to. */
static inline void rb_json_met(rb_json *j, uint32_t path)
{
    *(j->last == RB_NO_PATH ? &j->first : &j->paths[j->last].next) = path;
}

#endif
