/* Documents from dicts straight into the columns of their paths: the sink of walk_json.h for Native.
 *
 * Where a key leads is remembered with the path: the object it was found in and the key itself, so that
 * documents of one source need no path texts at all.  Everything unusual (JSON text, other mappings, typed
 * values, keys that are no plain str, paths that collide) makes the walk give up; the document then goes by
 * way of RowBinary, which is the reference's to write. */
#include "column_json.h"
#include "json_values.h"

#define LIST 0x80 /* in the sort of a value: it is a list of such; tags are smaller */

typedef rb_column *sink;
typedef uint32_t object; /* its path, or RB_NO_PATH */
typedef rb_path *place;  /* paths move when one is added */

static int put_objects(rb_encoder *e, rb_column *c, rb_path *path, PyObject *list);
static int put_document(rb_encoder *e, sink c, PyObject *dict);

/* --- keys to paths ----------------------------------------------------------------------------------- */

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
    const uint8_t *bytes = rb_key_text(key, &size);
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

/* The path that `key` leads to from the object `parent`. */
static RB_INLINE int find_place(rb_encoder *e, sink c, object parent, PyObject *key, place *at)
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
    *at = &j->paths[found];
    return 0;
}

/* --- rules -------------------------------------------------------------------------------------------- */

static inline uint32_t index_of(const rb_column *c, const rb_path *path)
{
    return (uint32_t)(path - c->json->paths);
}

/* Asked once for each path, the typed ones excepted.  Without an answer it stays unknown. */
static rb_rule RB_COLD learn_rule(rb_encoder *e, rb_column *c, rb_path *path)
{
    const rb_node *typed = NULL;
    rb_rule rule = RB_RULE_DYNAMIC;
    if (c->node->rules) {
        const char *text = (const char *)c->json->names.start + path->name;
        PyObject *name = PyUnicode_DecodeUTF8(text, path->name_size, NULL);
        rule = name ? rb_ask_rules(e, c->node, name, &typed) : RB_RULE_UNKNOWN;
        Py_XDECREF(name);
    }
    path->rule = (uint8_t)rule;
    return rule;
}

static inline rb_rule rule_of(rb_encoder *e, sink c, place at, PyObject *key, const rb_node **typed)
{
    rb_rule rule = at->rule;
    if (RB_UNLIKELY(rule == RB_RULE_UNKNOWN))
        rule = learn_rule(e, c, at);
    if (RB_UNLIKELY(rule == RB_RULE_TYPED))
        *typed = c->json->typed[index_of(c, at)]->node;
    return rule;
}

/* --- values ----------------------------------------------------------------------------------------- */

/* Whether the document being put has a value for the path already: two of its keys lead there. */
static inline int is_taken(const rb_column *c, const rb_path *path)
{
    if (path->active)
        return path->seen > c->count;
    return path->waiting && c->json->waiting[path->waiting - 1].row == c->count;
}

/* The value of a leaf, without its tag. */
static inline int put_leaf_value(rb_buffer *out, PyObject *value, rb_leaf leaf)
{
    if (leaf.tag == RB_TAG_STRING)
        return rb_put_str(out, value);
    return leaf.tag == RB_TAG_BOOL ? rb_put(out, &leaf.word, 1) : rb_put(out, &leaf.word, 8);
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

/* Whether the column of the path has had leaves of this type, and had one last. */
static RB_INLINE int is_ready(sink c, place at, uint8_t tag)
{
    return at->fast && at->fast_sort == tag;
}

/* Only what differs from row to row is written. */
static RB_INLINE int put_ready(rb_encoder *e, sink c, place at, PyObject *value, rb_leaf leaf)
{
    rb_buffer *out = &at->fast->out;
    size_t before = rb_size(out);
    if (put_leaf_value(out, value, leaf))
        return -1;
    c->json->grown += rb_size(out) - before + 1;
    RB_FETCH_COLUMN(out);
    return put_member(c, at);
}

/* The value that begins at `at` in the scratch buffer, type tag and all. */
static int put_scratch(rb_column *c, rb_path *path, size_t at)
{
    rb_buffer *scratch = &c->block->scratch;
    const uint8_t *value = scratch->start + at;
    rb_reader r = {value, scratch->p};
    if (RB_UNLIKELY(path->usual && !path->active) && rb_json_begin(c, index_of(c, path)))
        return -1;
    if (RB_UNLIKELY(is_taken(c, path)))
        return -1;
    if (!path->active)
        return rb_json_wait(c, index_of(c, path), value, (size_t)(r.end - value));
    return rb_json_take_value(path, c->count, &r);
}

/* A value of a sort that the path has not had before, by way of RowBinary, with the type tag in front. */
static int put_new(rb_encoder *e, rb_column *c, rb_path *path, PyObject *value, rb_leaf leaf)
{
    rb_buffer *scratch = &c->block->scratch;
    size_t at = rb_size(scratch);
    int failed = leaf.tag ? rb_put(scratch, &leaf.tag, 1) || put_leaf_value(scratch, value, leaf)
                          : rb_write_dynamic(e, scratch, value, rb_inner_limits(c->node));
    failed = failed || put_scratch(c, path, at);
    scratch->p = scratch->start + at;
    return failed;
}

/* --- lists ------------------------------------------------------------------------------------------ */

/* One element of Array(Nullable(T)), and whether it is NULL; 1 = an int that no Int64 holds. */
static RB_INLINE int put_element(rb_buffer *out, uint8_t *null, PyObject *item, uint8_t tag)
{
    uint64_t word = 0;
    *null = item == Py_None;
    if (tag == RB_TAG_STRING)
        return *null ? rb_put(out, &word, 1) : rb_put_str(out, item);
    if (!*null && !rb_element(item, tag, &word))
        return 1;
    return rb_put(out, &word, rb_element_width(tag));
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

/* A list of one type, of which the path has had some before; 1 = not me. */
static int put_list(rb_encoder *e, rb_column *c, rb_path *path, PyObject *list)
{
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
        return put_objects(e, c, path, list);
    }
}

/* --- what else the walk asks for ---------------------------------------------------------------------- */

static inline const rb_node *node_of(sink c)
{
    return c->node;
}

static inline int put_other(rb_encoder *e, sink c, place at, PyObject *value, rb_leaf leaf)
{
    int put = 1;
    if (PyList_CheckExact(value))
        put = put_list(e, c, at, value);
    else if (leaf.tag && at->active && find_fast(c, at, leaf.tag))
        put = put_ready(e, c, at, value, leaf);
    return put <= 0 ? put : put_new(e, c, at, value, leaf);
}

static inline int put_typed(rb_encoder *e, sink c, place at, const rb_node *type, PyObject *value)
{
    rb_column *typed = c->json->typed[index_of(c, at)];
    if (typed->count > c->count)
        return -1; /* two keys lead to one path */
    return rb_column_put(e, typed, value);
}

/* A path knows the object it was found in: there is nothing to keep up. */
static inline int enter(rb_encoder *e, sink c, place at, object *inner)
{
    *inner = index_of(c, at);
    return 0;
}

static inline void leave(rb_encoder *e, object outer, object inner, PyObject *dict)
{
}

#include "walk_json.h"

/* --- documents -------------------------------------------------------------------------------------- */

/* Array(JSON) where there has been one before. */
static int put_objects(rb_encoder *e, rb_column *c, rb_path *path, PyObject *list)
{
    rb_column *array = path->fast, *objects = array->child;
    e->depth++;
    int failed = walk_list(e, objects, list);
    e->depth--;
    uint64_t end = objects->count;
    if (failed || rb_put(&array->out, &end, 8))
        return -1;
    c->json->grown += 8 + 1;
    return put_member(c, path);
}

/* A document; the caller counts. */
static int put_paths(rb_encoder *e, rb_column *c, PyObject *dict)
{
    if (rb_json_touch(c) || rb_gauge(c->block, 8))
        return -1;
    e->document++;
    c->json->grown = 0;
    int failed = walk_document(e, c, RB_NO_PATH, dict) < 0 || rb_json_end(c) || rb_gauge(c->block, c->json->grown);
    e->document--;
    return failed;
}

static int put_document(rb_encoder *e, sink c, PyObject *dict)
{
    int failed = put_paths(e, c, dict);
    c->count += !failed;
    return failed;
}

/* A document of a JSON column that is not sent as text. */
int rb_put_json(rb_encoder *e, rb_column *c, PyObject *value)
{
    size_t count = c->count, size = c->block->size;
    if (!PyDict_CheckExact(value) || c->node->defaults)
        return rb_put_by_way_of_row(e, c, value);
    if (RB_LIKELY(!put_paths(e, c, value)))
        return 0;
    if (e->document || rb_drop_error())
        return -1;
    c->block->size = size;
    return rb_column_cut(c, count) ? -1 : rb_put_by_way_of_row(e, c, value);
}
