/* What column_json.c keeps of the documents of a block, for column_json_write.c. */
#ifndef COLUMN_JSON_H
#define COLUMN_JSON_H

#include "columns.h"

#define RB_NO_PATH UINT32_MAX

/* One path that keys have led to, with a value or with an object behind it.  The typed paths come first, in
 * the order of their bytes; the others as they are met. */
typedef struct {
    PyObject *key;           /* the key that it was reached with last, in the object `parent`; strong */
    rb_column *fast;         /* where values with the tag `fast_tag` go; NULL when not known */
    rb_column *column;       /* a Dynamic; NULL when it never had one */
    size_t name;             /* its place in `names` */
    uint32_t parent;         /* a path, or RB_NO_PATH */
    uint32_t next;           /* the path that came after it last time */
    uint32_t name_size, hash;
    uint32_t rows;           /* its values that wait */
    uint32_t waiting;        /* 1 + the last of them in `waiting`, or 0 */
    uint8_t fast_tag;        /* `fast` has the discriminator `member` */
    uint8_t member;
    uint8_t rule;            /* rb_rule */
    uint8_t active;          /* its values go into the column */
    uint8_t usual;           /* they do so from the first on, for in the block before many documents had it */
} rb_path; /* 64 bytes: one line of the cache */

/* What the type says of a path. */
typedef enum { RB_RULE_UNKNOWN, RB_RULE_DYNAMIC, RB_RULE_TYPED, RB_RULE_SKIPPED } rb_rule;

/* A value (type tag and all) of a path without a column. */
typedef struct {
    size_t offset;
    uint32_t size, row, path;
    uint32_t previous;       /* 1 + the one before of the same path, or 0 */
} rb_waiting;

struct rb_json {
    Py_ssize_t typed_count;
    rb_column **typed;
    rb_path *paths;          /* somewhere in `memory` */
    void *memory;
    size_t room;
    uint32_t count;
    uint32_t *table, mask;
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

int rb_json_touch(rb_column *c);
int rb_json_end(rb_column *c);
int64_t rb_json_search(rb_json *j, const uint8_t *name, size_t size);
int rb_json_begin(rb_column *c, uint32_t index);
int rb_json_wait(rb_column *c, uint32_t index, const uint8_t *value, size_t size);
void rb_json_choose_all(rb_column *c);

static inline int rb_json_is_named(const rb_json *j, const rb_path *path, const uint8_t *name, size_t size)
{
    return path->name_size == size && memcmp(j->names.start + path->name, name, size) == 0;
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
