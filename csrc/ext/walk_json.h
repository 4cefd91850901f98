/* The walk over the dicts of documents: the one place where they are read, for RowBinary and for Native.
 *
 * This is a template: write_json.c, put_json.c and collect_documents.c include it once each, and each defines
 * before that how the values of a document are stored.  What depends on Python values is here and in
 * json_values.h.  A sink that is chosen when the program runs, or columns filled from RowBinary, take twice as
 * long for the attributes of a span; so it is chosen when the program is compiled.
 *
 * Before the include stand three types, small ones, for they are passed by value:
 *
 *   sink    where a document goes
 *   object  a dict of it, the document itself or one inside
 *   place   what a key of an object leads to; good until the next one is found
 *
 * and these functions.  As all writers they return 0, or -1 for "not me":
 *
 *   node_of(to)                         the JSON type
 *   find_place(e, to, in, key, &at)     where a key of the object `in` leads
 *   leave_out(e, to, key, value)        leaves out a NULL, or whatever a path that is skipped has (value NULL)
 *   put_off(e, to, at, key, value)      1 when the value is looked at later, else 0
 *   is_ready(to, at, tag)               whether a leaf with this tag can be put without asking for a rule
 *   put_ready(e, to, at, value, leaf)   puts it; runs no Python code
 *   rule_of(e, to, at, key, &typed)     what the type says of the path, and the type it declares for it
 *   put_typed(e, to, at, typed, key, value)
 *                                       puts a value of a declared type
 *   put_other(e, to, at, key, value, leaf)
 *                                       puts a leaf that is not ready, or a list
 *   enter(e, to, at, key, dict, &inner) from here on the dict at a place is walked,
 *   leave(e, outer, inner, dict)        from here on the object around it again
 *   put_document(e, to, dict)           puts a document of a list */
#ifndef WALK_JSON_H
#define WALK_JSON_H

#include "dict_items.h"
#include "json_values.h"

static int walk(rb_encoder *e, sink to, object in, PyObject *dict);

static int walk_nested(rb_encoder *e, sink to, object in, place at, PyObject *key, PyObject *dict)
{
    object inner;
    if (e->depth >= RB_MAX_DEPTH || enter(e, to, at, key, dict, &inner))
        return -1;
    e->depth++;
    int failed = walk(e, to, inner, dict);
    e->depth--;
    leave(e, in, inner, dict);
    return failed;
}

static int walk_typed(rb_encoder *e, sink to, place at, const rb_node *typed, PyObject *key, PyObject *value)
{
    if (e->json == RB_JSON_TEXT && !rb_stays_itself(typed, value))
        return -1; /* coercion is the reference's */
    if (value == Py_None && !rb_takes_null(typed))
        return leave_out(e, to, key, value);
    e->paths++;
    return put_typed(e, to, at, typed, key, value);
}

/* Every value that is not put at once; the caller holds key and value. */
static int walk_other(rb_encoder *e, sink to, object in, place at, PyObject *key, PyObject *value, rb_leaf leaf)
{
    const rb_node *typed = NULL;
    rb_rule rule = rule_of(e, to, at, key, &typed);
    if (RB_UNLIKELY(rule != RB_RULE_DYNAMIC))
        return rule == RB_RULE_TYPED     ? walk_typed(e, to, at, typed, key, value)
               : rule == RB_RULE_SKIPPED ? leave_out(e, to, key, NULL)
                                         : -1;
    if (!leaf.tag) {
        if (PyDict_CheckExact(value))
            return walk_nested(e, to, in, at, key, value);
        if (value == Py_None)
            return leave_out(e, to, key, value);
        /* In shared data an array of text mode has no memory: the reference knows. */
        if (PyList_CheckExact(value) ? e->json == RB_JSON_TEXT && e->paths >= node_of(to)->max_paths
                                     : !rb_is_leaf(e, value))
            return -1;
    }
    e->paths++;
    return put_other(e, to, at, key, value, leaf);
}

/* The items of an object. */
static int walk(rb_encoder *e, sink to, object in, PyObject *dict)
{
    PyObject *key, *value;
    rb_items items;
    rb_items_open(e, &items, dict);
    while (rb_items_next(&items, &key, &value)) {
        place at;
        if (RB_UNLIKELY(find_place(e, to, in, key, &at)))
            return -1;
        int off = put_off(e, to, at, key, value);
        if (off) {
            if (RB_UNLIKELY(off < 0))
                return -1;
            e->paths++;
            continue;
        }
        rb_leaf leaf = rb_leaf_of(e, value);
        if (RB_LIKELY(leaf.tag && is_ready(to, at, leaf.tag))) {
            e->paths++; /* no Python code runs here: what the walk has borrowed stays alive */
            if (RB_UNLIKELY(put_ready(e, to, at, value, leaf)))
                return -1;
            continue;
        }
        Py_INCREF(key);
        Py_INCREF(value);
        int failed = walk_other(e, to, in, at, key, value, leaf);
        Py_DECREF(value);
        Py_DECREF(key);
        if (RB_UNLIKELY(failed || !rb_items_intact(e, &items)))
            return -1;
    }
    return 0;
}

/* A document; returns how many paths with values it has, or -1. */
static int64_t walk_document(rb_encoder *e, sink to, object top, PyObject *dict)
{
    uint64_t before = e->paths; /* of the document around this one */
    if (e->depth >= RB_MAX_DEPTH)
        return -1;
    e->paths = 0;
    e->depth++;
    int failed = walk(e, to, top, dict);
    e->depth--;
    int64_t count = failed ? -1 : (int64_t)e->paths;
    e->paths = before;
    return count;
}

/* The documents of a list of exact dicts; 1 = not me. */
static inline int walk_list(rb_encoder *e, sink to, PyObject *list)
{
    Py_ssize_t count = PyList_GET_SIZE(list);
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = Py_NewRef(PyList_GET_ITEM(list, i));
        int failed = !rb_is_object(e, item) || put_document(e, to, item);
        Py_DECREF(item);
        if (failed || PyList_GET_SIZE(list) != count) /* Python code may have run */
            return PyErr_Occurred() ? -1 : 1;
    }
    return 0;
}

#endif
