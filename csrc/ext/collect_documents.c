/* Where the values of documents belong that are put ahead: the second sink of walk_json.h for Native.
 *
 * Most values are noted without a look at them; they come into the cache meanwhile.  And most documents have the
 * keys of one before, in its order: the keys of some are kept with the places they lead to, as recipes, and a
 * document that follows one is not walked at all. */
#include "documents.h"
#include "dict_items.h"

#define FETCH 4 /* documents */

static int RB_COLD open_slot(rb_batch *t, sink c, place at)
{
    if (t->used == RB_SLOTS)
        return -1;
    t->slots[t->used].path = index_of(c, at);
    t->slots[t->used].count = 0;
    at->slot = (uint8_t)++t->used;
    return 0;
}

static RB_INLINE void note_value(rb_batch *t, rb_slot *s, PyObject *value)
{
    s->documents[s->count] = t->document;
    s->values[s->count++] = value;
}

static RB_INLINE int note_step(rb_encoder *e, rb_batch *t, rb_step at)
{
    rb_recipe *r = &t->recipes[t->last];
    if (RB_UNLIKELY(r->length == RB_SLOTS))
        return -1;
    r->steps[r->length++] = at;
    r->keys += e->depth == t->top;
    return 0;
}

static RB_INLINE int note(rb_encoder *e, sink c, place at, PyObject *key, PyObject *value)
{
    rb_batch *t = c->block->batch;
    if (RB_UNLIKELY(!at->slot) && open_slot(t, c, at))
        return -1;
    rb_slot *s = &t->slots[at->slot - 1];
    if (RB_UNLIKELY(s->count && s->documents[s->count - 1] == t->document)) /* two keys lead to one path */
        return -1;
    note_value(t, s, value);
    t->depth = e->depth > t->depth ? e->depth : t->depth;
    return note_step(e, t, (rb_step){.key = key, .kind = RB_TO_VALUES, .to = s});
}

static inline int leave_out(rb_encoder *e, sink c, PyObject *key, PyObject *value)
{
    return note_step(e, c->block->batch, (rb_step){.key = key, .kind = value ? RB_TO_NULL : RB_TO_NOTHING});
}

/* Values of a path that has leaves. */
static RB_INLINE int put_off(rb_encoder *e, sink c, place at, PyObject *key, PyObject *value)
{
    if (!at->fast || at->fast_sort & RB_LIST)
        return 0;
    return note(e, c, at, key, value) ? -1 : 1;
}

static inline int is_ready(sink c, place at, uint8_t tag)
{
    return 0;
}

static inline int put_ready(rb_encoder *e, sink c, place at, PyObject *value, rb_leaf leaf)
{
    return -1;
}

static inline int put_other(rb_encoder *e, sink c, place at, PyObject *key, PyObject *value, rb_leaf leaf)
{
    return at->active && (leaf.tag || PyList_CheckExact(value)) ? note(e, c, at, key, value) : -1;
}

static inline int put_typed(rb_encoder *e, sink c, place at, const rb_node *type, PyObject *key, PyObject *value)
{
    return note(e, c, at, key, value);
}

static inline int enter(rb_encoder *e, sink c, place at, PyObject *key, PyObject *dict, object *inner)
{
    rb_batch *t = c->block->batch;
    rb_recipe *r = &t->recipes[t->last];
    *inner = index_of(c, at);
    if (note_step(e, t, (rb_step){.key = key, .kind = RB_TO_OBJECT, .inside = PyDict_GET_SIZE(dict)}))
        return -1;
    if (e->depth == t->top && r->nested_count < RB_NESTED)
        r->nested[r->nested_count++] = (uint8_t)(r->keys - 1);
    return 0;
}

static inline int put_document(rb_encoder *e, sink c, PyObject *dict)
{
    return -1; /* lists are put off */
}

#include "walk_json.h"

/* Take back what was noted of the document that is walked. */
static void RB_COLD forget_document(rb_batch *t)
{
    for (uint32_t i = 0; i < t->used; i++) {
        rb_slot *s = &t->slots[i];
        while (s->count && s->documents[s->count - 1] == t->document)
            s->count--;
    }
}

/* Keys of dicts with a table for str have their hash. */
static inline int is_same_key(PyObject *a, PyObject *b)
{
    if (RB_LIKELY(a == b))
        return 1;
    return ((PyASCIIObject *)a)->hash == ((PyASCIIObject *)b)->hash && PyUnicode_IS_COMPACT_ASCII(a) &&
           PyUnicode_IS_COMPACT_ASCII(b) && PyUnicode_GET_LENGTH(a) == PyUnicode_GET_LENGTH(b) &&
           memcmp(rb_ascii(a), rb_ascii(b), (size_t)PyUnicode_GET_LENGTH(a)) == 0;
}

static const rb_step *repeat_object(rb_batch *t, PyObject *dict, Py_ssize_t count, const rb_step *next,
                                    const rb_step *end);

/* Note what a key has; returns the step behind it. */
static inline const rb_step *repeat_step(rb_batch *t, const rb_step *at, PyObject *value, const rb_step *end)
{
    if (RB_LIKELY(at->kind == RB_TO_VALUES))
        note_value(t, at->to, value);
    else if (at->kind == RB_TO_OBJECT)
        return repeat_object(t, value, at->inside, at + 1, end);
    else if (at->kind == RB_TO_NULL && value != Py_None)
        return NULL;
    return at + 1;
}

/* Note the values of an object that has the keys of the steps from `next` on, in their order.  Returns the step
 * behind them, or NULL. */
static const rb_step *repeat_object(rb_batch *t, PyObject *dict, Py_ssize_t count, const rb_step *next,
                                    const rb_step *end)
{
    const rb_entry *entries = PyDict_CheckExact(dict) ? rb_entries(dict, count) : NULL;
    if (!entries)
        return NULL;
    for (Py_ssize_t i = 0; i < count; i++) {
        if (next == end || !is_same_key(entries[i].me_key, next->key))
            return NULL;
        if (!(next = repeat_step(t, next, entries[i].me_value, end)))
            return NULL;
    }
    return next;
}

/* Note the values of a document by a recipe; returns whether it is one of those. */
static inline int repeat(rb_batch *t, const rb_recipe *r, PyObject *dict)
{
    const rb_step *end = r->steps + r->length;
    if (RB_LIKELY(repeat_object(t, dict, r->keys, r->steps, end) == end))
        return 1;
    for (const rb_step *at = r->steps; at < end; at++) {
        rb_slot *s = at->kind == RB_TO_VALUES ? at->to : NULL;
        if (s && (!s->count || s->documents[s->count - 1] != t->document))
            break;
        if (s)
            s->count--;
    }
    return 0;
}

static inline int repeat_any(rb_batch *t, PyObject *dict)
{
    for (uint32_t i = 0; i < t->known; i++) {
        uint32_t place = (t->last + i) % RB_RECIPES;
        if (place < t->known && repeat(t, &t->recipes[place], dict)) {
            t->last = place;
            return 1;
        }
    }
    return 0;
}

/* Note the values of a document; returns whether it had nothing unusual. */
static int note_document(rb_encoder *e, rb_column *c, PyObject *document)
{
    rb_batch *t = c->block->batch;
    if (!PyDict_CheckExact(document))
        return 0;
    if (RB_LIKELY(repeat_any(t, document)))
        return 1;
    t->last = t->known < RB_RECIPES ? t->known++ : (t->last + 1) % RB_RECIPES;
    rb_recipe *r = &t->recipes[t->last];
    r->length = r->keys = r->nested_count = 0;
    t->top = e->depth + 1;
    c->json->last = RB_NO_PATH;
    int64_t paths = walk_document(e, c, RB_NO_PATH, document);
    if (paths < 0 || (e->json == RB_JSON_TEXT && paths > c->node->max_paths)) { /* walk_other in walk_json.h */
        forget_document(t);
        return 0;
    }
    return 1;
}

/* Documents further on: their tables, then what is in these, then the tables of objects inside. */
static inline void fetch(const rb_batch *t, PyObject *const *cells, Py_ssize_t k, Py_ssize_t count)
{
    if (k + 2 * FETCH < count)
        rb_prefetch_places(cells[k + 2 * FETCH]);
    if (k + FETCH >= 0 && k + FETCH < count)
        rb_prefetch_items(cells[k + FETCH]);
    const rb_recipe *r = &t->recipes[t->last];
    if (!t->known || k + FETCH / 2 >= count || !r->nested_count || !PyDict_CheckExact(cells[k + FETCH / 2]))
        return;
    const rb_entry *entries = rb_entries(cells[k + FETCH / 2], r->keys);
    for (Py_ssize_t i = 0; entries && i < r->nested_count; i++)
        rb_prefetch_table(entries[r->nested[i]].me_value);
}

/* Note the values of the documents in `cells`; returns of how many.  When an error is set, nothing that was noted may
 * be used: making the error can have run the garbage collector, and finalizers. */
Py_ssize_t rb_collect_documents(rb_encoder *e, rb_column *c, PyObject *const *cells, Py_ssize_t count)
{
    rb_batch *t = c->block->batch;
    t->used = 0;
    t->depth = 0;
    t->known = t->last = 0;
    for (Py_ssize_t k = -2 * FETCH; k < 0; k++)
        fetch(t, cells, k, count);
    for (Py_ssize_t k = 0; k < count; k++) {
        fetch(t, cells, k, count);
        t->document = (uint8_t)k;
        if (RB_UNLIKELY(!note_document(e, c, cells[k])))
            return k;
    }
    return count;
}
