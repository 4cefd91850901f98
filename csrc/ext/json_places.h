/* Where the keys of documents lead in a Native block: what its two sinks of walk_json.h have in common.
 *
 * Where a key leads is remembered with the path: the object it was found in and the key itself, so that
 * documents of one source need no path texts at all. */
#ifndef JSON_PLACES_H
#define JSON_PLACES_H

#include "column_json.h"
#include "json_values.h"

typedef rb_column *sink;
typedef uint32_t object; /* its path, or RB_NO_PATH */
typedef rb_path *place;  /* paths move when one is added */

int64_t rb_json_locate(rb_column *c, uint32_t parent, PyObject *key);
rb_column *rb_json_find_fast(const rb_column *c, rb_path *path, uint8_t sort);
int rb_json_put_list(rb_encoder *e, rb_column *c, rb_path *path, PyObject *list);
rb_rule rb_json_learn_rule(rb_encoder *e, rb_column *c, rb_path *path);

static inline const rb_node *node_of(sink c)
{
    return c->node;
}

static inline uint32_t index_of(const rb_column *c, const rb_path *path)
{
    return (uint32_t)(path - c->json->paths);
}

/* Whether path `index` was last reached with this very key. */
static inline int is_key_of(const rb_json *j, int64_t index, uint32_t parent, const PyObject *key)
{
    return index < j->count && j->paths[index].key == key && j->paths[index].parent == parent;
}

/* The path that `key` leads to from the object `parent`. */
static RB_INLINE int find_place(rb_encoder *e, sink c, object parent, PyObject *key, place *at)
{
    rb_json *j = c->json;
    int64_t found = rb_json_guess(j);
    if (RB_UNLIKELY(!is_key_of(j, found, parent, key))) {
        found = j->recent && PyUnicode_CheckExact(key) ? (int64_t)*rb_json_recent(j, key, parent) - 1 : -1;
        if (found < 0 || !is_key_of(j, found, parent, key)) {
            found = rb_json_locate(c, parent, key);
            if (found < 0)
                return -1;
            *rb_json_recent(j, key, parent) = (uint32_t)found + 1;
        }
        rb_json_met(j, (uint32_t)found);
    }
    j->last = (uint32_t)found;
    *at = &j->paths[found];
    return 0;
}

static inline rb_rule rule_of(rb_encoder *e, sink c, place at, PyObject *key, const rb_node **typed)
{
    rb_rule rule = at->rule;
    if (RB_UNLIKELY(rule == RB_RULE_UNKNOWN))
        rule = rb_json_learn_rule(e, c, at);
    if (RB_UNLIKELY(rule == RB_RULE_TYPED))
        *typed = c->json->typed[index_of(c, at)]->node;
    return rule;
}

/* A path knows the object it was found in: there is nothing to keep up. */
static inline void leave(rb_encoder *e, object outer, object inner, PyObject *dict)
{
}

#endif
