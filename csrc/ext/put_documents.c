/* Documents ahead of their rows, path by path.
 *
 * First it is noted where the values of some documents belong (collect_documents.c).  Then the values of each path
 * are written one after another: their type is known before the loop, and their column is at hand.
 *
 * Only what is usual goes this way: values of types that a path has had, of paths that have columns.  The
 * first document with anything else ends the batch and is left to its row (put_json.c).  As everything that
 * is written ahead this runs no Python code: what is borrowed from the rows stays alive, as long as no error is set. */
#include "documents.h"

/* Leaves of `width` bytes up to the first value that has another tag; returns how many, or -1. */
static RB_INLINE int put_words(rb_encoder *e, rb_buffer *out, PyObject *const *values, int count, uint32_t *sizes,
                               uint8_t tag, size_t width)
{
    int k = 0;
    if (rb_need(out, width * (size_t)count))
        return -1;
    uint8_t *p = out->p;
    for (; k < count; k++, p += width) {
        rb_leaf leaf = rb_leaf_of(e, values[k]);
        if (leaf.tag != tag)
            break;
        memcpy(p, &leaf.word, width);
        sizes[k] += (uint32_t)width + 1;
    }
    out->p = p;
    return k;
}

static int put_leaves(rb_encoder *e, rb_column *c, PyObject *const *values, int count, uint32_t *sizes, uint8_t tag)
{
    switch (tag) {
    case RB_TAG_STRING:
        c->known_count = c->count; /* a cut will be about these documents */
        c->known_size = rb_size(&c->out);
        return (int)rb_write_texts(&c->out, values, count, e->json == RB_JSON_TEXT, 1, sizes, NULL);
    case RB_TAG_INT64:
        return put_words(e, &c->out, values, count, sizes, RB_TAG_INT64, 8);
    case RB_TAG_FLOAT64:
        return put_words(e, &c->out, values, count, sizes, RB_TAG_FLOAT64, 8);
    default:
        return put_words(e, &c->out, values, count, sizes, RB_TAG_BOOL, 1);
    }
}

/* Where the documents that the slot's values from `i` on are from have a gap, or end. */
static inline int run_end(const rb_slot *s, int i)
{
    int end = i + 1;
    if (RB_LIKELY(s->documents[s->count - 1] - s->documents[i] == s->count - 1 - i))
        return s->count;
    while (s->documents[end] == s->documents[end - 1] + 1)
        end++;
    return end;
}

/* A run of leaves of one type from the slot's value `i` on; returns where it ends, or -1. */
static int put_run(rb_encoder *e, rb_column *c, rb_path *path, const rb_slot *s, int i, uint8_t tag, uint32_t *sizes)
{
    uint8_t document = s->documents[i];
    if (!(path->fast && path->fast_sort == tag) && !rb_json_find_fast(c, path, tag))
        return -1;
    if (path->seen != c->count + document && rb_json_pad(path, c->count + document))
        return -1;
    int put = put_leaves(e, path->fast, s->values + i, run_end(s, i) - i, sizes + document, tag);
    if (put <= 0)
        return -1;
    path->run += (uint32_t)put;
    path->seen += (uint32_t)put;
    path->fast->count += (uint32_t)put;
    return i + put;
}

/* What is counted in the block goes to the document. */
static inline void move_size(rb_block *b, size_t before, uint32_t *size)
{
    *size += (uint32_t)(b->size - before);
    b->size = before;
}

static int put_list(rb_encoder *e, rb_column *c, rb_path *path, PyObject *list, uint8_t document, uint32_t *sizes)
{
    rb_block *b = c->block;
    size_t size = b->size;
    int depth = e->depth;
    e->depth = b->batch->depth;
    c->count += document;
    c->json->grown = 0;
    int failed = rb_json_put_list(e, c, path, list);
    sizes[document] += (uint32_t)c->json->grown;
    c->count -= document;
    e->depth = depth;
    move_size(b, size, &sizes[document]);
    return failed || sizes[document] > RB_LONG_CELL;
}

/* The values of a path. */
static int put_slot(rb_encoder *e, rb_column *c, const rb_slot *s, uint32_t *sizes)
{
    rb_path *path = &c->json->paths[s->path];
    for (int i = 0; i < s->count;) {
        PyObject *value = s->values[i];
        rb_leaf leaf = rb_leaf_of(e, value);
        if (RB_LIKELY(leaf.tag != RB_TAG_NOTHING)) {
            if ((i = put_run(e, c, path, s, i, leaf.tag, sizes)) < 0)
                return -1;
            continue;
        }
        if (value != Py_None &&
            (!PyList_CheckExact(value) || put_list(e, c, path, value, s->documents[i], sizes)))
            return -1;
        i++;
    }
    return 0;
}

/* The default value of a typed path for the documents before `document` that do not have it. */
static int fill_typed(rb_column *c, rb_column *typed, size_t document, uint32_t *sizes)
{
    while (typed->count < c->count + document) {
        size_t size = c->block->size, at = typed->count - c->count;
        int failed = rb_column_default(typed);
        move_size(c->block, size, &sizes[at]);
        if (failed)
            return -1;
    }
    return typed->count > c->count + document; /* two keys lead to one path */
}

static int put_typed_slot(rb_encoder *e, rb_column *c, const rb_slot *s, uint32_t *sizes)
{
    rb_column *typed = c->json->typed[s->path];
    int depth = e->depth, failed = 0;
    e->depth = c->block->batch->depth;
    for (int i = 0; i < s->count && !failed; i++) {
        uint8_t document = s->documents[i];
        size_t size = c->block->size;
        if (s->values[i] == Py_None && !rb_takes_null(typed->node))
            continue; /* as in walk_typed of walk_json.h */
        failed = (e->json == RB_JSON_TEXT && !rb_stays_itself(typed->node, s->values[i])) ||
                 fill_typed(c, typed, document, sizes) || rb_column_put(e, typed, s->values[i]);
        move_size(c->block, size, &sizes[document]);
        failed = failed || sizes[document] > RB_LONG_CELL;
    }
    e->depth = depth;
    return failed;
}

static int put_values(rb_encoder *e, rb_column *c, Py_ssize_t count, uint32_t *sizes)
{
    rb_batch *t = c->block->batch;
    Py_ssize_t typed_count = c->json->typed_count;
    int failed = 0;
    for (uint32_t i = 0; i < t->used && !failed; i++) {
        const rb_slot *s = &t->slots[i];
        failed = s->path < typed_count ? put_typed_slot(e, c, s, sizes) : put_slot(e, c, s, sizes);
    }
    for (Py_ssize_t i = 0; i < typed_count && !failed; i++)
        failed = fill_typed(c, c->json->typed[i], (size_t)count, sizes);
    for (Py_ssize_t k = 0; k < count && !failed; k++)
        failed = sizes[k] > RB_LONG_CELL;
    return failed;
}

static int open_batch(rb_block *b)
{
    if (!b->batch)
        b->batch = PyMem_Malloc(sizeof *b->batch);
    return b->batch != NULL;
}

/* Put the documents in `cells`, as many as can be before the first with anything unusual; returns how many.
 * `sizes` gets the bytes of each. */
Py_ssize_t rb_put_documents(rb_encoder *e, rb_column *c, PyObject *const *cells, Py_ssize_t count, uint32_t *sizes)
{
    rb_json *j = c->json;
    size_t before = c->count;
    if (!rb_json_is_decided(j) || !open_batch(c->block))
        return 0;
    rb_json_trim(c);
    rb_batch *t = c->block->batch;
    e->document++;
    count = rb_collect_documents(e, c, cells, count);
    for (Py_ssize_t k = 0; k < count; k++)
        sizes[k] = 8;
    int failed = PyErr_Occurred() || put_values(e, c, count, sizes);
    e->document--;
    for (uint32_t i = 0; i < t->used; i++)
        j->paths[t->slots[i].path].slot = 0;
    c->count = before + (size_t)count;
    if (failed) {
        rb_column_cut(c, before);
        return 0;
    }
    j->settled = c->count;
    return count;
}
