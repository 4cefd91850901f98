/* JSON cells from dicts: the walk that flattens a document into paths.
 *
 * Everything unusual (JSON text, other mappings, typed values, keys that are no plain str, paths
 * that collide) makes the walk give up; the cell is then written by the reference. */
#include "dict_items.h"
#include "trail.h"
#include "write_scalar.h"

static int walk(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *dict, rb_limits limits, rb_trail *trail);

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

/* The UTF-8 of an exact str key.  NULL for a lone surrogate. */
static inline const uint8_t *key_bytes(PyObject *key, Py_ssize_t *size)
{
    if (RB_LIKELY(PyUnicode_IS_COMPACT_ASCII(key))) {
        *size = PyUnicode_GET_LENGTH(key);
        return rb_ascii(key);
    }
    Py_ssize_t wide = 0; /* the address of `size` would keep that in memory */
    const char *text = PyUnicode_AsUTF8AndSize(key, &wide);
    *size = wide;
    return (const uint8_t *)text;
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

/* --- the walk --------------------------------------------------------------------------------------- */

/* What the type says of this path: 1 and *typed when declared, 0 when skipped, 2 when dynamic. */
static int resolve(rb_encoder *e, const rb_node *node, PyObject *key, const uint8_t *bytes, Py_ssize_t size,
                   const rb_node **typed)
{
    PyObject *path, *rule;
    if (e->prefix_size != e->prefix_start) {
        if (push_prefix(e, bytes, (size_t)size))
            return -1;
        e->prefix_size -= (size_t)size + 1;
        path = PyUnicode_DecodeUTF8((const char *)e->prefix + e->prefix_start,
                                    (Py_ssize_t)(e->prefix_size - e->prefix_start) + size, NULL);
    } else {
        path = Py_NewRef(key);
    }
    if (!path)
        return -1;
    e->calls++;
    rule = Py_XNewRef(PyDict_GetItemWithError(node->paths, path));
    if (!rule && !PyErr_Occurred())
        rule = PyObject_CallMethodOneArg(node->rules, rb_py.s_resolve, path);
    Py_DECREF(path);
    if (!rule)
        return -1;
    int answer = rule == Py_False ? 0 : rule == Py_True ? 2 : 1;
    if (answer == 1) {
        *typed = rb_node_of(rule);
        answer = *typed ? 1 : -1;
    }
    Py_DECREF(rule); /* the rules keep typed nodes alive */
    return answer;
}

int rb_takes_null(const rb_node *node)
{
    if (node->op == RB_OP_LOW_CARDINALITY)
        node = node->children[0];
    return node->op == RB_OP_NULLABLE || node->op == RB_OP_VARIANT || node->op == RB_OP_DYNAMIC;
}

/* Whether text mode stores this JSON value in a typed path as it is. */
int rb_stays_itself(const rb_node *typed, PyObject *value)
{
    while (typed->op == RB_OP_NULLABLE || typed->op == RB_OP_LOW_CARDINALITY)
        typed = typed->children[0];
    switch (typed->op) {
    case RB_OP_STRING:
        return PyUnicode_CheckExact(value);
    case RB_OP_FLOAT64:
        return PyFloat_CheckExact(value) && isfinite(PyFloat_AS_DOUBLE(value));
    case RB_OP_BOOL:
        return PyBool_Check(value);
    default:
        return typed->op >= RB_OP_INT8 && typed->op <= RB_OP_UINT256 && PyLong_CheckExact(value);
    }
}

static int write_typed(rb_encoder *e, rb_buffer *out, const rb_node *typed, PyObject *value, const uint8_t *key,
                       Py_ssize_t size)
{
    if (e->json == RB_JSON_TEXT && !rb_stays_itself(typed, value))
        return -1; /* coercion is the reference's */
    if (value == Py_None && !rb_takes_null(typed))
        return 0;
    if (put_path(e, out, key, (size_t)size, 0))
        return -1;
    e->paths++;
    size_t prefix = e->prefix_size;
    int failed = rb_write_value(e, out, typed, value);
    e->prefix_size = prefix;
    return failed;
}

static int walk_nested(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *dict, rb_limits limits,
                       const uint8_t *key, Py_ssize_t size, rb_trail *trail)
{
    size_t prefix = e->prefix_size;
    if (e->depth >= RB_MAX_DEPTH || push_prefix(e, key, (size_t)size))
        return -1;
    e->nested = 1;
    e->depth++;
    int failed = walk(e, out, node, dict, limits, trail);
    e->depth--;
    e->prefix_size = prefix;
    return failed;
}

/* Types that can neither be an object nor stand for null: these are leaves for sure. */
int rb_is_leaf(const rb_encoder *e, PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    if (type == &PyFloat_Type)
        return e->json != RB_JSON_TEXT || isfinite(PyFloat_AS_DOUBLE(value));
    return type == &PyUnicode_Type || type == &PyLong_Type || type == &PyBool_Type || type == &PyList_Type ||
           rb_is_rare_leaf(value);
}

/* The path of the next value, with room for `more` bytes behind it: from the step, if there is one. */
static inline int put_path_of(rb_encoder *e, rb_buffer *out, const rb_step *step, const uint8_t *key, Py_ssize_t size,
                              size_t more)
{
    if (!step)
        return put_path(e, out, key, (size_t)size, more);
    if (rb_need(out, RB_PATH_ROOM + more))
        return -1;
    uint8_t *p = out->p;
    memcpy(p, step->path, RB_PATH_ROOM / 2); /* copies of a known size are a few moves */
    if (RB_UNLIKELY(step->size > RB_PATH_ROOM / 2))
        memcpy(p + RB_PATH_ROOM / 2, step->path + RB_PATH_ROOM / 2, RB_PATH_ROOM / 2);
    out->p = p + step->size;
    return 0;
}

/* Path and value of the commonest leaves with one check of the room; 1 = not one of them.
 * No Python code runs here, so what the walk has borrowed stays alive. */
static inline int put_leaf(rb_encoder *e, rb_buffer *out, PyObject *value, const rb_step *step, const uint8_t *key,
                           Py_ssize_t size)
{
    PyTypeObject *type = Py_TYPE(value);
    uint64_t word;
    uint8_t tag;
    if (type == &PyUnicode_Type) {
        if (!PyUnicode_IS_COMPACT_ASCII(value) || (e->json == RB_JSON_TEXT && rb_date_like(value)))
            return 1;
        size_t length = (size_t)PyUnicode_GET_LENGTH(value);
        if (RB_UNLIKELY(length > (size_t)RB_MAX_STRING) || put_path_of(e, out, step, key, size, length + RB_TEXT_ROOM))
            return -1;
        uint8_t *p = out->p;
        *p++ = RB_TAG_STRING;
        p = rb_put_varint(p, length);
        rb_copy_ascii(p, rb_ascii(value), length);
        out->p = p + length;
        return 0;
    }
    if (type == &PyLong_Type) {
        int negative;
        if (!rb_long_parts(value, &word, &negative) || word >> 63)
            return 1;
        word = negative ? 0 - word : word;
        tag = RB_TAG_INT64;
    } else if (type == &PyFloat_Type) {
        if (e->json == RB_JSON_TEXT && !isfinite(PyFloat_AS_DOUBLE(value)))
            return 1;
        word = rb_float_bits(value);
        tag = RB_TAG_FLOAT64;
    } else if (type == &PyBool_Type) {
        word = value == Py_True;
        tag = RB_TAG_BOOL;
    } else {
        return 1;
    }
    if (put_path_of(e, out, step, key, size, 9))
        return -1;
    uint8_t *p = out->p;
    *p = tag;
    memcpy(p + 1, &word, 8);
    out->p = p + (tag == RB_TAG_BOOL ? 2 : 9);
    return 0;
}

/* The trail of the objects in a list: lists of other things need none. */
static inline rb_trail *trail_of_items(rb_step *step, PyObject *list)
{
    return PyList_GET_SIZE(list) && PyDict_CheckExact(PyList_GET_ITEM(list, 0)) ? rb_trail_of(&step->items) : NULL;
}

/* Every other value; the caller holds key and value. */
static int walk_rare(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *key, PyObject *value,
                     rb_limits limits, rb_step *step)
{
    Py_ssize_t size;
    const uint8_t *bytes = key_bytes(key, &size);
    if (node->rules) {
        const rb_node *typed = NULL;
        int rule = resolve(e, node, key, bytes, size, &typed);
        if (rule <= 0)
            return rule;
        if (rule == 1)
            return write_typed(e, out, typed, value, bytes, size);
    }
    if (PyDict_CheckExact(value))
        return walk_nested(e, out, node, value, limits, bytes, size, step ? rb_trail_of(&step->object) : NULL);
    if (value == Py_None)
        return 0;
    if (PyList_CheckExact(value)) {
        /* In shared data an array of text mode has no memory: the reference knows. */
        if (e->json == RB_JSON_TEXT && e->paths >= node->max_paths)
            return -1;
        limits.trail = step ? trail_of_items(step, value) : NULL;
    }
    if (!rb_is_leaf(e, value) || put_path_of(e, out, step, bytes, size, 0))
        return -1;
    e->paths++;
    return rb_write_dynamic(e, out, value, limits);
}

/* Of a key that is not remembered. */
static int put_new_leaf(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *key, PyObject *value)
{
    Py_ssize_t size;
    const uint8_t *bytes = PyUnicode_CheckExact(key) ? key_bytes(key, &size) : NULL;
    if (RB_UNLIKELY(!bytes))
        return -1;
    e->dotted |= rb_has_dot(bytes, (size_t)size);
    return node->rules ? 1 : put_leaf(e, out, value, NULL, bytes, size);
}

/* The items of an object.  With a trail there are no rules, and no offsets to be noted. */
static int walk(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *dict, rb_limits limits, rb_trail *trail)
{
    PyObject *key, *value;
    rb_items items;
    rb_items_open(e, &items, dict);
    trail = rb_trail_open(trail);
    while (rb_items_next(&items, &key, &value)) {
        rb_step *step = trail ? rb_trail_step(e, trail, key) : NULL;
        int failed;
        if (RB_LIKELY(step != NULL)) {
            e->dotted |= step->dotted;
            failed = put_leaf(e, out, value, step, NULL, 0);
        } else {
            failed = put_new_leaf(e, out, node, key, value);
        }
        if (RB_LIKELY(failed == 0)) {
            e->paths++;
        } else {
            Py_INCREF(key);
            Py_INCREF(value);
            failed = failed < 0 || walk_rare(e, out, node, key, value, limits, step);
            Py_DECREF(value);
            Py_DECREF(key);
            if (failed || !rb_items_intact(e, &items))
                return -1;
        }
    }
    rb_trail_close(trail, items.size);
    return 0;
}

/* The number of paths stands first and is known last: one byte is kept free for it. */
static int put_count(rb_encoder *e, rb_buffer *out, size_t at, size_t first)
{
    unsigned more = rb_varint_size(e->paths) - 1;
    if (more) {
        if (rb_need(out, more))
            return -1;
        memmove(out->start + at + 1 + more, out->start + at + 1, rb_size(out) - at - 1);
        out->p += more;
        for (size_t i = first; i < e->offset_count; i++)
            e->offsets[i] += more;
    }
    rb_put_varint(out->start + at, e->paths);
    return 0;
}

/* Number of paths, paths and values; whether two paths could be equal is found on the way. */
static int write_paths(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *dict, rb_limits limits,
                       rb_trail *trail)
{
    size_t first = e->offset_count;
    if (rb_need(out, 1))
        return -1;
    size_t at = rb_size(out);
    out->p++;
    e->paths = 0;
    e->dotted = e->nested = 0;
    e->depth++;
    int failed = walk(e, out, node, dict, limits, e->recording ? NULL : trail) || put_count(e, out, at, first);
    e->depth--;
    return failed ? -1 : 0;
}

/* One document.  `node` brings the rules, if any. */
static int write_document(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *dict, rb_limits limits,
                          rb_trail *trail)
{
    size_t before = rb_size(out);
    size_t first = e->offset_count;
    int recording = e->recording;
    int failed = write_paths(e, out, node, dict, limits, trail);
    /* Only a dotted key beside a nested object can make two paths equal.  Then the places of the paths
     * are needed; documents in arrays of such a document note them at once, or each level would
     * double the work. */
    int risky = !failed && e->dotted && e->nested;
    if (risky && !recording) {
        out->p = out->start + before;
        e->recording = 1;
        failed = write_paths(e, out, node, dict, limits, trail);
    }
    if (risky && !failed)
        failed = rb_paths_collide(e, out, first);
    e->recording = recording;
    e->offset_count = first;
    return failed ? -1 : 0;
}

/* A document inside an array has paths and flags of its own: put those of the outer one aside. */
static int write_object(rb_encoder *e, rb_buffer *out, const rb_node *node, PyObject *dict, rb_limits limits,
                        rb_trail *trail)
{
    size_t start = e->prefix_start, size = e->prefix_size;
    uint64_t paths = e->paths;
    int dotted = e->dotted, nested = e->nested;
    if (e->depth >= RB_MAX_DEPTH)
        return -1;
    e->prefix_start = size;
    int failed = write_document(e, out, node, dict, limits, trail);
    e->prefix_start = start;
    e->prefix_size = size;
    e->paths = paths;
    e->dotted = dotted;
    e->nested = nested;
    return failed;
}

/* In text mode the strings and arrays of the objects of one array influence each other's types:
 * whether `dict` has none for which that could matter. */
static int is_simple(PyObject *dict, int depth)
{
    Py_ssize_t position = 0;
    PyObject *key, *value;
    while (PyDict_Next(dict, &position, &key, &value)) {
        PyTypeObject *type = Py_TYPE(value);
        if (type == &PyUnicode_Type ? rb_date_like(value)
            : type == &PyFloat_Type ? !isfinite(PyFloat_AS_DOUBLE(value))
            : type == &PyDict_Type  ? depth > RB_MAX_DEPTH || !is_simple(value, depth + 1)
                                    : !(type == &PyLong_Type || type == &PyBool_Type || value == Py_None))
            return 0;
    }
    return 1;
}

/* Whether an item of a list is one of those objects. */
int rb_is_object(const rb_encoder *e, PyObject *item)
{
    return PyDict_CheckExact(item) && (e->json != RB_JSON_TEXT || is_simple(item, e->depth));
}

static const rb_node plain_json = {.op = RB_OP_JSON}; /* without rules */

/* The documents of a list of exact dicts, which has limits of its own; 1 = not me. */
int rb_write_objects(rb_encoder *e, rb_buffer *out, PyObject *list, rb_limits limits)
{
    Py_ssize_t count = PyList_GET_SIZE(list);
    rb_limits inner = {limits.paths / 4, limits.types / 2, NULL};
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = Py_NewRef(PyList_GET_ITEM(list, i));
        int failed = !rb_is_object(e, item) || write_object(e, out, &plain_json, item, inner, limits.trail);
        Py_DECREF(item);
        if (failed || PyList_GET_SIZE(list) != count)
            return PyErr_Occurred() ? -1 : 1;
    }
    return 0;
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
        rb_trail *trail = node->rules ? NULL : rb_trail_of(&e->trail);
        e->document++;
        int failed = write_object(e, out, node, value, rb_inner_limits(node), trail);
        e->document--;
        if (!failed)
            return 0;
        if (e->document || (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception)))
            return -1;
        PyErr_Clear();
        out->p = out->start + before;
    }
    return rb_write_reference(e, out, node, value);
}
