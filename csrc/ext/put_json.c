/* Documents from dicts straight into the columns of their paths: the twin of the walk in write_json.c.
 *
 * Where a key leads is remembered with the path: the object it was found in and the key itself, so that
 * documents of one source need no path texts at all.  Everything unusual (JSON text, other mappings, typed
 * values, keys that are no plain str, paths that collide) makes the walk give up; the document then goes by
 * way of RowBinary, which is the reference's to write. */
#include "column_json.h"
#include "dict_items.h"
#include "write_scalar.h"

#define LIST 0x80 /* in the sort of a value: it is a list of such; tags are smaller */

static int walk(rb_encoder *e, rb_column *c, uint32_t parent, PyObject *dict, uint64_t *count);
static int put_document(rb_encoder *e, rb_column *c, PyObject *dict);

/* --- keys to paths ----------------------------------------------------------------------------------- */

static inline const uint8_t *key_bytes(PyObject *key, Py_ssize_t *size)
{
    if (RB_LIKELY(PyUnicode_IS_COMPACT_ASCII(key))) {
        *size = PyUnicode_GET_LENGTH(key);
        return rb_ascii(key);
    }
    return (const uint8_t *)PyUnicode_AsUTF8AndSize(key, size); /* NULL for a lone surrogate */
}

/* Whether `path` is what `key` means in the object `parent`: the same text, if not the same str. */
static int is_path_of(const rb_json *j, const rb_path *path, uint32_t parent, const uint8_t *key, size_t size)
{
    const uint8_t *name = j->names.start + path->name;
    size_t before = parent == RB_NO_PATH ? 0 : (size_t)j->paths[parent].name_size + 1;
    return path->parent == parent && path->key && path->name_size == before + size &&
           memcmp(name + before, key, size) == 0;
}

/* The path by its text. */
static int64_t search(rb_column *c, uint32_t parent, const uint8_t *key, size_t size)
{
    rb_json *j = c->json;
    rb_buffer *scratch = &c->block->scratch;
    size_t at = rb_size(scratch), before = parent == RB_NO_PATH ? 0 : (size_t)j->paths[parent].name_size + 1;
    if (before + size > (size_t)RB_MAX_STRING || rb_need(scratch, before + size + 1))
        return -1;
    uint8_t *name = scratch->start + at;
    if (before) {
        memcpy(name, j->names.start + j->paths[parent].name, before - 1);
        name[before - 1] = '.';
    }
    memcpy(name + before, key, size);
    return rb_json_search(j, name, before + size);
}

static int64_t RB_COLD locate_by_text(rb_column *c, uint32_t parent, PyObject *key)
{
    rb_json *j = c->json;
    Py_ssize_t size;
    const uint8_t *bytes = PyUnicode_CheckExact(key) ? key_bytes(key, &size) : NULL;
    if (!bytes)
        return -1;
    int64_t found = rb_json_guess(j);
    if (found >= j->count || !is_path_of(j, &j->paths[found], parent, bytes, (size_t)size))
        found = search(c, parent, bytes, (size_t)size);
    if (found < 0)
        return -1;
    Py_XSETREF(j->paths[found].key, Py_NewRef(key));
    j->paths[found].parent = parent;
    return found;
}

/* Whether path `index` was last reached with this very key. */
static inline int is_key_of(const rb_json *j, int64_t index, uint32_t parent, const PyObject *key)
{
    return index < j->count && j->paths[index].key == key && j->paths[index].parent == parent;
}

/* The path that `key` leads to from the object `parent`; -1 for a key that is the reference's. */
static inline int64_t locate(rb_column *c, uint32_t parent, PyObject *key)
{
    rb_json *j = c->json;
    int64_t found = rb_json_guess(j);
    if (RB_UNLIKELY(!is_key_of(j, found, parent, key))) {
        found = j->recent && PyUnicode_CheckExact(key) ? (int64_t)*rb_json_recent(j, key, parent) - 1 : -1;
        if (found < 0 || !is_key_of(j, found, parent, key)) {
            found = locate_by_text(c, parent, key);
            if (found < 0)
                return -1;
            *rb_json_recent(j, key, parent) = (uint32_t)found + 1;
        }
        rb_json_met(j, (uint32_t)found);
    }
    j->last = (uint32_t)found;
    return found;
}

/* What the type says of a path, asked once.  Without an answer it stays unknown. */
static int RB_COLD learn_rule(rb_encoder *e, rb_column *c, uint32_t index)
{
    rb_path *path = &c->json->paths[index];
    PyObject *rule = NULL;
    if (c->node->rules) {
        const char *text = (const char *)c->json->names.start + path->name;
        PyObject *name = PyUnicode_DecodeUTF8(text, path->name_size, NULL);
        e->calls++;
        rule = name ? PyObject_CallMethodOneArg(c->node->rules, rb_py.s_resolve, name) : NULL;
        Py_XDECREF(name);
        if (!rule)
            return -1;
    }
    path->rule = rule == Py_False ? RB_RULE_SKIPPED : RB_RULE_DYNAMIC;
    Py_XDECREF(rule);
    return 0;
}

/* --- values ----------------------------------------------------------------------------------------- */

/* Whether the document being put has a value for the path already: two of its keys lead there. */
static inline int is_taken(const rb_column *c, const rb_path *path)
{
    if (path->active)
        return path->seen > c->count;
    return path->waiting && c->json->waiting[path->waiting - 1].row == c->count;
}

/* Tag and number of the commonest leaves; 1 = not one of them. */
static inline int leaf_of(const rb_encoder *e, PyObject *value, uint8_t *tag, uint64_t *word)
{
    PyTypeObject *type = Py_TYPE(value);
    if (type == &PyUnicode_Type) {
        *tag = RB_TAG_STRING;
        return e->json == RB_JSON_TEXT && rb_date_like(value);
    }
    if (type == &PyLong_Type) {
        int negative;
        *tag = RB_TAG_INT64;
        if (!rb_long_parts(value, word, &negative) || *word >> 63)
            return 1;
        *word = negative ? 0 - *word : *word;
        return 0;
    }
    if (type == &PyFloat_Type) {
        *tag = RB_TAG_FLOAT64;
        *word = rb_float_bits(value);
        return e->json == RB_JSON_TEXT && !isfinite(PyFloat_AS_DOUBLE(value));
    }
    *tag = RB_TAG_BOOL;
    *word = value == Py_True;
    return type != &PyBool_Type;
}

/* The value of a leaf, without its tag. */
static inline int put_leaf_value(rb_buffer *out, PyObject *value, uint8_t tag, uint64_t word)
{
    if (tag == RB_TAG_STRING)
        return rb_put_str(out, value);
    return tag == RB_TAG_BOOL ? rb_put(out, &word, 1) : rb_put(out, &word, 8);
}

/* Count a value that is in `fast` now, after NULL for the documents that had none.  The value comes before
 * this: by the discriminators a cut knows how many values there are to take back. */
static inline int put_member(rb_column *c, rb_path *path)
{
    if (RB_UNLIKELY(path->seen != c->count) &&
        (path->seen > c->count /* two keys lead to one path */ || rb_json_pad(path, c->count)))
        return -1;
    path->run++;
    path->seen++;
    path->fast->count++;
    return 0;
}

/* Where values of a sort go when the path has had such before, else NULL: `path->fast` from now on. */
static rb_column *RB_COLD find_fast(const rb_column *c, rb_path *path, uint8_t sort)
{
    uint8_t tag[RB_LIST_TAG_MAX] = {sort};
    rb_limits limits = rb_inner_limits(c->node);
    size_t size = sort & LIST ? (size_t)(rb_put_list_tag(tag, sort & ~LIST, limits) - tag) : 1;
    if (rb_json_note_run(path))
        return NULL;
    path->fast = rb_dynamic_member(path->column, tag, size, &path->member);
    path->fast_sort = sort;
    return path->fast;
}

static inline rb_column *fast_of(const rb_column *c, rb_path *path, uint8_t sort)
{
    if (RB_LIKELY(path->fast && path->fast_sort == sort))
        return path->fast;
    return path->active ? find_fast(c, path, sort) : NULL;
}

/* A leaf whose type the column has had before: only what differs from row to row is written. */
static inline int put_fast(rb_column *c, rb_path *path, PyObject *value, uint8_t tag, uint64_t word)
{
    rb_buffer *out = &path->fast->out;
    size_t before = rb_size(out);
    if (put_leaf_value(out, value, tag, word))
        return -1;
    c->json->grown += rb_size(out) - before + 1;
    RB_FETCH_COLUMN(out);
    return put_member(c, path);
}

/* The value that begins at `at` in the scratch buffer, type tag and all. */
static int put_scratch(rb_column *c, uint32_t index, size_t at)
{
    rb_buffer *scratch = &c->block->scratch;
    rb_path *path = &c->json->paths[index];
    const uint8_t *value = scratch->start + at;
    rb_reader r = {value, scratch->p};
    if (RB_UNLIKELY(path->usual && !path->active) && rb_json_begin(c, index))
        return -1;
    if (RB_UNLIKELY(is_taken(c, path)))
        return -1;
    if (!path->active)
        return rb_json_wait(c, index, value, (size_t)(r.end - value));
    return rb_json_take_value(path, c->count, &r);
}

static int put_leaf(rb_column *c, uint32_t index, PyObject *value, uint8_t tag, uint64_t word)
{
    rb_path *path = &c->json->paths[index];
    if (fast_of(c, path, tag))
        return put_fast(c, path, value, tag, word);
    rb_buffer *scratch = &c->block->scratch;
    size_t at = rb_size(scratch);
    int failed = rb_put(scratch, &tag, 1) || put_leaf_value(scratch, value, tag, word) || put_scratch(c, index, at);
    scratch->p = scratch->start + at;
    return failed;
}

/* By way of RowBinary, with the type tag in front. */
static int put_natural(rb_encoder *e, rb_column *c, uint32_t index, PyObject *value)
{
    rb_buffer *scratch = &c->block->scratch;
    size_t at = rb_size(scratch);
    int failed = rb_write_dynamic(e, scratch, value, rb_inner_limits(c->node)) || put_scratch(c, index, at);
    scratch->p = scratch->start + at;
    return failed;
}

/* --- lists ------------------------------------------------------------------------------------------ */

/* One element of Array(Nullable(T)), and whether it is NULL; 1 = an int that no Int64 holds. */
static inline int put_element(rb_buffer *out, uint8_t *null, PyObject *item, uint8_t tag)
{
    uint64_t word = 0;
    *null = item == Py_None;
    switch (tag) {
    case RB_TAG_STRING:
        return *null ? rb_put(out, &word, 1) : rb_put_str(out, item);
    case RB_TAG_BOOL:
        word = item == Py_True;
        return rb_put(out, &word, 1);
    case RB_TAG_INT64:
        if (!*null && !rb_long_signed(item, 64, (int64_t *)&word))
            return 1;
        return rb_put(out, &word, 8);
    default:
        word = *null ? 0 : rb_float_bits(item);
        return rb_put(out, &word, 8);
    }
}

/* Array(Nullable(T)) where there have been some before.  No Python code runs here. */
static inline int put_elements(rb_column *c, rb_path *path, PyObject *list, uint8_t tag)
{
    rb_column *array = path->fast, *items = array->child, *values = items->child;
    rb_buffer *out = &values->out;
    size_t count = (size_t)PyList_GET_SIZE(list), before = rb_size(out);
    int failed = 0;
    if (rb_need(&items->out, count) || rb_need(&array->out, 8))
        return -1;
    for (size_t i = 0; i < count && !failed; i++)
        failed = put_element(out, items->out.p + i, PyList_GET_ITEM(list, (Py_ssize_t)i), tag);
    if (failed) {
        out->p = out->start + before;
        return failed;
    }
    items->out.p += count;
    items->count += count;
    values->count += count;
    uint64_t end = items->count;
    memcpy(array->out.p, &end, 8);
    array->out.p += 8;
    c->json->grown += rb_size(out) - before + count + 8 + 1;
    RB_FETCH_COLUMN(out);
    return put_member(c, path);
}

/* Array(JSON) where there has been one before. */
static int put_objects(rb_encoder *e, rb_column *c, uint32_t index, PyObject *list)
{
    rb_column *array = c->json->paths[index].fast, *objects = array->child;
    Py_ssize_t count = PyList_GET_SIZE(list);
    int failed = 0;
    e->depth++;
    for (Py_ssize_t i = 0; i < count && !failed; i++) {
        PyObject *item = Py_NewRef(PyList_GET_ITEM(list, i));
        failed = !rb_is_object(e, item) || put_document(e, objects, item);
        objects->count += !failed;
        Py_DECREF(item);
        failed = failed || PyList_GET_SIZE(list) != count; /* Python code may have run */
    }
    e->depth--;
    uint64_t end = objects->count;
    if (failed || rb_put(&array->out, &end, 8))
        return -1;
    c->json->grown += 8 + 1;
    return put_member(c, &c->json->paths[index]);
}

/* A list of one type, of which the path has had some before; 1 = not me. */
static int put_list(rb_encoder *e, rb_column *c, uint32_t index, PyObject *list)
{
    rb_path *path = &c->json->paths[index];
    uint8_t tag = path->active && e->depth < RB_MAX_DEPTH ? rb_list_tag(e, list) : 0;
    if (!tag || !fast_of(c, path, LIST | tag))
        return 1;
    switch (tag) {
    case RB_TAG_STRING:
        return put_elements(c, path, list, RB_TAG_STRING);
    case RB_TAG_INT64:
        return put_elements(c, path, list, RB_TAG_INT64);
    case RB_TAG_FLOAT64:
        return put_elements(c, path, list, RB_TAG_FLOAT64);
    case RB_TAG_BOOL:
        return put_elements(c, path, list, RB_TAG_BOOL);
    default:
        return put_objects(e, c, index, list);
    }
}

/* --- documents -------------------------------------------------------------------------------------- */

static int put_typed(rb_encoder *e, rb_column *c, rb_column *typed, PyObject *value)
{
    if (typed->count > c->count)
        return -1; /* two keys lead to one path */
    if (e->json == RB_JSON_TEXT && !rb_stays_itself(typed->node, value))
        return -1; /* coercion is the reference's */
    if (value == Py_None && !rb_takes_null(typed->node))
        return 0;
    return rb_column_put(e, typed, value);
}

/* Every other value; the caller holds key and value. */
static int put_rare(rb_encoder *e, rb_column *c, uint32_t index, PyObject *value, uint64_t *count)
{
    rb_json *j = c->json;
    uint32_t rule = j->paths[index].rule;
    if (rule == RB_RULE_SKIPPED)
        return 0;
    if (rule == RB_RULE_TYPED)
        return put_typed(e, c, j->typed[index], value);
    if (PyDict_CheckExact(value)) {
        if (e->depth >= RB_MAX_DEPTH)
            return -1;
        e->depth++;
        int failed = walk(e, c, index, value, count);
        e->depth--;
        return failed;
    }
    if (value == Py_None)
        return 0;
    /* In shared data an array of text mode has no memory: the reference knows. */
    if (e->json == RB_JSON_TEXT && *count >= c->node->max_paths && PyList_CheckExact(value))
        return -1;
    if (!rb_is_leaf(e, value))
        return -1;
    ++*count;
    int put = PyList_CheckExact(value) ? put_list(e, c, index, value) : 1;
    return put <= 0 ? put : put_natural(e, c, index, value);
}

static int walk(rb_encoder *e, rb_column *c, uint32_t parent, PyObject *dict, uint64_t *count)
{
    rb_json *j = c->json;
    PyObject *key, *value;
    rb_items items;
    rb_items_open(e, &items, dict);
    while (rb_items_next(&items, &key, &value)) {
        uint8_t tag;
        uint64_t word = 0;
        int64_t index = locate(c, parent, key);
        if (RB_UNLIKELY(index < 0))
            return -1;
        rb_path *path = &j->paths[index];
        int rare = leaf_of(e, value, &tag, &word);
        if (RB_LIKELY(!rare && path->fast && path->fast_sort == tag)) {
            ++*count; /* no Python code runs here */
            if (RB_UNLIKELY(put_fast(c, path, value, tag, word)))
                return -1;
            continue;
        }
        if (RB_UNLIKELY(path->rule == RB_RULE_UNKNOWN)) {
            Py_INCREF(value);
            int failed = learn_rule(e, c, (uint32_t)index);
            Py_DECREF(value);
            if (failed || !rb_items_intact(e, &items))
                return -1;
        }
        if (!rare && path->rule == RB_RULE_DYNAMIC) {
            ++*count;
            if (put_leaf(c, (uint32_t)index, value, tag, word) || !rb_items_intact(e, &items))
                return -1; /* a type may have been met for the first time */
            continue;
        }
        Py_INCREF(value);
        int failed = put_rare(e, c, (uint32_t)index, value, count);
        Py_DECREF(value);
        if (RB_UNLIKELY(failed || !rb_items_intact(e, &items)))
            return -1;
    }
    return 0;
}

static int put_document(rb_encoder *e, rb_column *c, PyObject *dict)
{
    uint64_t count = 0;
    if (e->depth >= RB_MAX_DEPTH || rb_json_touch(c) || rb_gauge(c->block, 8))
        return -1;
    e->depth++;
    e->document++;
    c->json->grown = 0;
    int failed = walk(e, c, RB_NO_PATH, dict, &count) || rb_json_end(c) || rb_gauge(c->block, c->json->grown);
    e->document--;
    e->depth--;
    return failed;
}

/* A document of a JSON column that is not sent as text. */
int rb_put_json(rb_encoder *e, rb_column *c, PyObject *value)
{
    size_t count = c->count, size = c->block->size;
    int depth = e->depth, document = e->document;
    if (!PyDict_CheckExact(value) || c->node->defaults)
        return rb_put_by_way_of_row(e, c, value);
    if (RB_LIKELY(!put_document(e, c, value)))
        return 0;
    if (document || (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception)))
        return -1;
    PyErr_Clear();
    e->depth = depth;
    e->document = document;
    c->block->size = size;
    return rb_column_cut(c, count) ? -1 : rb_put_by_way_of_row(e, c, value);
}
