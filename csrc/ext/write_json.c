/* JSON cells from dicts: paths and values one after the other, the sink of walk_json.h for RowBinary.
 *
 * Everything unusual (JSON text, other mappings, typed values, keys that are no plain str, paths
 * that collide) makes the walk give up; the cell is then written by the reference. */
#include "json_values.h"
#include "trail.h"

/* What is the same for all of a document. */
typedef struct {
    const rb_node *node;
    const PyObject *rules; /* of the node, NULL for none */
    rb_limits limits;      /* of the objects in its arrays */
    rb_trail *trail;
} scope;

typedef struct {
    rb_buffer *out;
    const scope *scope;
} sink;

typedef struct {
    rb_trail *trail; /* NULL for none, as with rules or when offsets are noted */
    size_t prefix;   /* where the path of the object ends in the prefix */
} object;

typedef struct {
    rb_step *step;       /* NULL for a key that is not remembered */
    const uint8_t *text; /* the path of the step, or the key */
    Py_ssize_t size;
} place;

static int put_document(rb_encoder *e, sink to, PyObject *dict);

/* --- paths ----------------------------------------------------------------------------------------- */

static int RB_COLD grow_prefix(rb_encoder *e, size_t need)
{
    size_t room = e->prefix_room * 2 + need + 64;
    uint8_t *moved = PyMem_Realloc(e->prefix, room);
    if (!moved)
        return -1;
    e->prefix = moved;
    e->prefix_room = room;
    return 0;
}

static int RB_COLD grow_offsets(rb_encoder *e)
{
    size_t room = e->offset_room * 2 + 64;
    uint32_t *moved = PyMem_Realloc(e->offsets, room * sizeof *moved);
    if (!moved)
        return -1;
    e->offsets = moved;
    e->offset_room = room;
    return 0;
}

/* prefix + key as the path of the next value, with room for `more` bytes behind it. */
static inline int put_path(rb_encoder *e, rb_buffer *out, const uint8_t *key, size_t size, size_t more)
{
    size_t before = e->prefix_size - e->prefix_start, whole = before + size;
    if (RB_UNLIKELY(whole > (size_t)RB_MAX_STRING) || rb_need(out, whole + RB_VARINT_MAX + more))
        return -1;
    if (RB_UNLIKELY(e->recording)) {
        if (e->offset_count == e->offset_room && grow_offsets(e))
            return -1;
        e->offsets[e->offset_count++] = (uint32_t)(rb_size(out) - out->mark);
    }
    uint8_t *p = rb_put_varint(out->p, whole);
    if (before) {
        rb_copy(p, e->prefix + e->prefix_start, before);
        p += before;
    }
    rb_copy(p, key, size);
    out->p = p + size;
    return 0;
}

static int push_prefix(rb_encoder *e, const uint8_t *key, size_t size)
{
    if (e->prefix_size + size + 1 > e->prefix_room && grow_prefix(e, size + 1))
        return -1;
    rb_copy(e->prefix + e->prefix_size, key, size);
    e->prefix_size += size;
    e->prefix[e->prefix_size++] = '.';
    return 0;
}

/* The path of the next value, with room for `more` bytes behind it: from the step, if there is one. */
static inline int put_path_of(rb_encoder *e, rb_buffer *out, place at, size_t more)
{
    if (!at.step)
        return put_path(e, out, at.text, (size_t)at.size, more);
    if (rb_need(out, RB_PATH_ROOM + more))
        return -1;
    uint8_t *p = out->p;
    memcpy(p, at.text, RB_PATH_ROOM / 2); /* copies of a known size are a few moves */
    if (RB_UNLIKELY(at.size > RB_PATH_ROOM / 2))
        memcpy(p + RB_PATH_ROOM / 2, at.text + RB_PATH_ROOM / 2, RB_PATH_ROOM / 2);
    out->p = p + at.size;
    return 0;
}

/* --- what the walk asks for --------------------------------------------------------------------------- */

static inline const rb_node *node_of(sink to)
{
    return to.scope->node;
}

static RB_INLINE int find_place(rb_encoder *e, sink to, object in, PyObject *key, place *at)
{
    at->step = in.trail ? rb_trail_step(e, in.trail, key) : NULL;
    if (RB_LIKELY(at->step != NULL)) {
        at->text = at->step->path;
        at->size = at->step->size;
        e->dotted |= at->step->dotted;
        return 0;
    }
    at->text = rb_key_text(key, &at->size);
    if (RB_UNLIKELY(!at->text))
        return -1;
    e->dotted |= rb_has_dot(at->text, (size_t)at->size);
    return 0;
}

/* Every leaf that no rule is about. */
static inline int is_ready(sink to, place at, uint8_t tag)
{
    return at.step || !to.scope->rules;
}

/* A text that is not ASCII. */
static int RB_COLD put_wide(rb_encoder *e, rb_buffer *out, place at, PyObject *text)
{
    if (put_path_of(e, out, at, 1))
        return -1;
    *out->p++ = RB_TAG_STRING;
    return rb_put_wide_str(out, text);
}

/* Path and value with one check of the room. */
static RB_INLINE int put_ready(rb_encoder *e, sink to, place at, PyObject *value, rb_leaf leaf)
{
    rb_buffer *out = to.out;
    if (leaf.tag == RB_TAG_STRING) {
        if (RB_UNLIKELY(!PyUnicode_IS_COMPACT_ASCII(value)))
            return put_wide(e, out, at, value);
        size_t size = (size_t)PyUnicode_GET_LENGTH(value);
        if (RB_UNLIKELY(size > (size_t)RB_MAX_STRING) || put_path_of(e, out, at, size + RB_TEXT_ROOM))
            return -1;
        uint8_t *p = out->p;
        *p++ = RB_TAG_STRING;
        p = rb_put_varint(p, size);
        rb_copy_ascii(p, rb_ascii(value), size);
        out->p = p + size;
        return 0;
    }
    if (put_path_of(e, out, at, 9))
        return -1;
    uint8_t *p = out->p;
    *p = leaf.tag;
    memcpy(p + 1, &leaf.word, 8);
    out->p = p + (leaf.tag == RB_TAG_BOOL ? 2 : 9);
    return 0;
}

/* The path of a key without a step. */
static PyObject *path_of(rb_encoder *e, place at, PyObject *key)
{
    size_t before = e->prefix_size - e->prefix_start, size = (size_t)at.size;
    if (!before)
        return Py_NewRef(key);
    if (push_prefix(e, at.text, size))
        return NULL;
    e->prefix_size -= size + 1;
    return PyUnicode_DecodeUTF8((const char *)e->prefix + e->prefix_start, (Py_ssize_t)(before + size), NULL);
}

/* Asked anew in each document: the rules remember paths.  With rules there is no trail. */
static inline rb_rule rule_of(rb_encoder *e, sink to, place at, PyObject *key, const rb_node **typed)
{
    if (RB_LIKELY(!to.scope->rules))
        return RB_RULE_DYNAMIC;
    PyObject *path = path_of(e, at, key);
    rb_rule rule = path ? rb_ask_rules(e, to.scope->node, path, typed) : RB_RULE_UNKNOWN;
    Py_XDECREF(path);
    return rule;
}

static inline int put_typed(rb_encoder *e, sink to, place at, const rb_node *typed, PyObject *key, PyObject *value)
{
    return put_path_of(e, to.out, at, 0) || rb_write_value(e, to.out, typed, value) ? -1 : 0;
}

/* The trail of the objects in a list: lists of other things need none. */
static inline rb_trail *trail_of_items(rb_step *step, PyObject *list)
{
    return PyList_GET_SIZE(list) && PyDict_CheckExact(PyList_GET_ITEM(list, 0)) ? rb_trail_of(&step->items) : NULL;
}

static inline int put_other(rb_encoder *e, sink to, place at, PyObject *key, PyObject *value, rb_leaf leaf)
{
    if (leaf.tag)
        return put_ready(e, to, at, value, leaf);
    rb_limits limits = to.scope->limits;
    if (at.step && PyList_CheckExact(value))
        limits.trail = trail_of_items(at.step, value);
    return put_path_of(e, to.out, at, 0) || rb_write_dynamic(e, to.out, value, limits) ? -1 : 0;
}

static inline object open_object(const rb_encoder *e, rb_trail *trail)
{
    return (object){rb_trail_open(trail), e->prefix_size};
}

static inline int enter(rb_encoder *e, sink to, place at, PyObject *key, PyObject *dict, object *inner)
{
    size_t before = e->prefix_size - e->prefix_start;
    size_t known = at.step ? 1 + before : 0;
    if (push_prefix(e, at.text + known, (size_t)at.size - known))
        return -1;
    e->nested = 1;
    *inner = open_object(e, at.step ? rb_trail_of(&at.step->object) : NULL);
    return 0;
}

static inline void leave(rb_encoder *e, object outer, object inner, PyObject *dict)
{
    e->prefix_size = outer.prefix;
    rb_trail_close(inner.trail, PyDict_GET_SIZE(dict));
}

static inline int leave_out(rb_encoder *e, sink to, PyObject *key, PyObject *value)
{
    return 0;
}

static inline int put_off(rb_encoder *e, sink to, place at, PyObject *key, PyObject *value)
{
    return 0;
}

#include "walk_json.h"

/* --- documents ---------------------------------------------------------------------------------------- */

/* The number of paths stands first and is known last: one byte is kept free for it. */
static int put_count(rb_encoder *e, rb_buffer *out, size_t at, size_t first, uint64_t paths)
{
    unsigned more = rb_varint_size(paths) - 1;
    if (more) {
        if (rb_need(out, more))
            return -1;
        memmove(out->start + at + 1 + more, out->start + at + 1, rb_size(out) - at - 1);
        out->p += more;
        for (size_t i = first; i < e->offset_count; i++)
            e->offsets[i] += more;
    }
    rb_put_varint(out->start + at, paths);
    return 0;
}

/* Number of paths, paths and values; whether two paths could be equal is found on the way. */
static int write_paths(rb_encoder *e, sink to, PyObject *dict)
{
    size_t first = e->offset_count;
    if (rb_need(to.out, 1))
        return -1;
    size_t at = rb_size(to.out);
    to.out->p++;
    e->dotted = e->nested = 0;
    object top = open_object(e, e->recording ? NULL : to.scope->trail);
    int64_t paths = walk_document(e, to, top, dict);
    rb_trail_close(top.trail, PyDict_GET_SIZE(dict));
    return paths < 0 ? -1 : put_count(e, to.out, at, first, (uint64_t)paths);
}

/* One document, whose paths begin where the prefix ends. */
static RB_INLINE int write_document(rb_encoder *e, sink to, PyObject *dict)
{
    size_t before = rb_size(to.out);
    size_t first = e->offset_count;
    int recording = e->recording;
    int failed = write_paths(e, to, dict);
    /* Only a dotted key beside a nested object can make two paths equal.  Then the places of the paths
     * are needed; documents in arrays of such a document note them at once, or each level would
     * double the work. */
    int risky = !failed && e->dotted && e->nested;
    if (risky && !recording) {
        to.out->p = to.out->start + before;
        e->recording = 1;
        failed = write_paths(e, to, dict);
    }
    if (risky && !failed)
        failed = rb_paths_collide(e, to.out, first);
    e->recording = recording;
    e->offset_count = first;
    return failed ? -1 : 0;
}

/* A document inside an array has a prefix and flags of its own: put those of the outer one aside. */
static RB_INLINE int put_document(rb_encoder *e, sink to, PyObject *dict)
{
    size_t start = e->prefix_start;
    int dotted = e->dotted, nested = e->nested;
    e->prefix_start = e->prefix_size;
    int failed = write_document(e, to, dict);
    e->prefix_start = start;
    e->dotted = dotted;
    e->nested = nested;
    return failed;
}

static const rb_node plain_json = {.op = RB_OP_JSON}; /* without rules */

/* The documents of a list of exact dicts, which has limits of its own; 1 = not me. */
int rb_write_objects(rb_encoder *e, rb_buffer *out, PyObject *list, rb_limits limits)
{
    scope inner = {&plain_json, NULL, {limits.paths / 4, limits.types / 2, NULL}, limits.trail};
    return walk_list(e, (sink){out, &inner}, list);
}

/* A cell of a JSON column or typed path. */
int rb_write_json(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *value)
{
    size_t before = rb_size(out);
    if (e->json == RB_JSON_STRING || node->defaults)
        return rb_write_reference(e, out, node, value);
    if (value == Py_None) {
        uint8_t none = 0;
        return rb_put(out, &none, 1);
    }
    if (PyDict_CheckExact(value)) {
        scope cell = {node, node->rules, rb_inner_limits(node), node->rules ? NULL : rb_trail_of(&e->trail)};
        e->document++;
        int failed = put_document(e, (sink){out, &cell}, value);
        e->document--;
        if (!failed)
            return 0;
        if (e->document || rb_drop_error(e))
            return -1;
        out->p = out->start + before;
    }
    return rb_write_reference(e, out, node, value);
}
