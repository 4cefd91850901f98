/* Documents from dicts straight into the columns of their paths: a sink of walk_json.h for Native.
 *
 * Everything unusual (JSON text, other mappings, keys that are no plain str, paths that collide) makes the walk
 * give up; the document then goes by way of RowBinary, which is the reference's to write.  Most documents of
 * tuples in a list do not come here but are put ahead of their rows (put_documents.c). */
#include "json_places.h"

static int put_objects(rb_encoder *e, rb_column *c, rb_path *path, PyObject *list);
static int put_document(rb_encoder *e, sink c, PyObject *dict);

/* --- values ----------------------------------------------------------------------------------------- */

/* Whether the document being put has a value for the path already: two of its keys lead there. */
static inline int is_taken(const rb_column *c, const rb_path *path)
{
    if (path->active)
        return path->seen > c->count;
    return path->waiting && c->json->waiting[path->waiting - 1].row == c->count;
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
rb_column *RB_COLD rb_json_find_fast(const rb_column *c, rb_path *path, uint8_t sort)
{
    uint8_t tag[RB_LIST_TAG_MAX] = {sort};
    rb_limits limits = rb_inner_limits(c->node);
    size_t size = sort & RB_LIST ? (size_t)(rb_put_list_tag(tag, sort & ~RB_LIST, limits) - tag) : 1;
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
    return path->active ? rb_json_find_fast(c, path, sort) : NULL;
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
    if (rb_put_leaf(out, value, leaf))
        return -1;
    c->json->grown += rb_size(out) - before + 1;
    rb_fetch_column(out);
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
    if (e->no_calls)
        return -1;
    size_t at = rb_size(scratch);
    int failed = leaf.tag ? rb_put(scratch, &leaf.tag, 1) || rb_put_leaf(scratch, value, leaf)
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
    rb_fetch_column(out);
    return put_member(c, path);
}

/* A list of one type, of which the path has had some before; 1 = not me. */
int rb_json_put_list(rb_encoder *e, rb_column *c, rb_path *path, PyObject *list)
{
    uint32_t max_types = rb_inner_limits(c->node).types;
    uint8_t tag = path->active && e->depth < RB_MAX_DEPTH ? rb_list_tag(e, list, max_types) : 0;
    if (!tag || !fast_of(c, path, RB_LIST | tag))
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

static inline int leave_out(rb_encoder *e, sink c, PyObject *key, PyObject *value)
{
    return 0;
}

static inline int put_off(rb_encoder *e, sink c, place at, PyObject *key, PyObject *value)
{
    return 0;
}

static inline int put_other(rb_encoder *e, sink c, place at, PyObject *key, PyObject *value, rb_leaf leaf)
{
    int put = 1;
    if (PyList_CheckExact(value))
        put = rb_json_put_list(e, c, at, value);
    else if (leaf.tag && at->active && rb_json_find_fast(c, at, leaf.tag))
        put = put_ready(e, c, at, value, leaf);
    return put <= 0 ? put : put_new(e, c, at, value, leaf);
}

static inline int put_typed(rb_encoder *e, sink c, place at, const rb_node *type, PyObject *key, PyObject *value)
{
    rb_column *typed = c->json->typed[index_of(c, at)];
    if (typed->count > c->count)
        return -1; /* two keys lead to one path */
    return rb_column_put(e, typed, value);
}

static inline int enter(rb_encoder *e, sink c, place at, PyObject *key, PyObject *dict, object *inner)
{
    *inner = index_of(c, at);
    return 0;
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
    if ((e->no_calls && !rb_json_is_decided(c->json)) || rb_json_touch(c) || rb_gauge(c->block, 8))
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
    if (e->document || e->no_calls || rb_drop_error(e))
        return -1;
    c->block->size = size;
    return rb_column_cut(c, count) ? -1 : rb_put_by_way_of_row(e, c, value);
}
