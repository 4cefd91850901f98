/* Readers of containers, and what leads from one reader to another. */
#include "source.h"

rb_reading rb_read;

/* --- Python's side --------------------------------------------------------------------------------------- */

/* The readers of the reference by opcode. */
static int find_readers(void)
{
    PyObject *readers = NULL;
    if (rb_import(&readers, "rowbinary._read", "READERS"))
        return -1;
    PyObject *found = PyTuple_New(RB_OP_COUNT);
    int failed = !found;
    for (Py_ssize_t op = 0; !failed && op < RB_OP_COUNT; op++) {
        PyObject *number = PyLong_FromSsize_t(op), *reader = number ? PyObject_GetItem(readers, number) : NULL;
        failed = !reader;
        if (reader)
            PyTuple_SET_ITEM(found, op, reader);
        Py_XDECREF(number);
    }
    Py_DECREF(readers);
    if (failed)
        Py_CLEAR(found);
    rb_read.readers = found;
    return failed ? -1 : 0;
}

/* What reading needs; modules that writing need not wait for. */
int rb_read_init(void)
{
    if (rb_read.readers)
        return 0;
    PyObject *safety = NULL;
    if (rb_import(&safety, "uuid", "SafeUUID"))
        return -1;
    Py_XSETREF(rb_read.safe, PyObject_GetAttrString(safety, "unknown"));
    Py_XSETREF(rb_read.faults, PyImport_ImportModule("rowbinary._read_faults"));
    Py_DECREF(safety);
    return !rb_read.safe || !rb_read.faults || rb_import(&rb_read.read_value, "rowbinary._read", "read_value") ||
                   rb_import(&rb_read.read_type, "rowbinary._read_types", "read_type") ||
                   rb_import(&rb_read.compiled, "rowbinary._read_types", "compiled") ||
                   rb_import(&rb_read.document, "rowbinary._read", "document") ||
                   rb_import(&rb_read.twice, "rowbinary._read_faults", "twice") ||
                   rb_import(&rb_read.pairs_of, "rowbinary._read", "pairs_of") ||
                   rb_import(&rb_read.again, "rowbinary._cursor", "Again") ||
                   rb_import(&rb_read.shapes, "rowbinary._read_columns", "SHAPES") ||
                   rb_import(&rb_read.ipv4, "ipaddress", "IPv4Address") ||
                   rb_import(&rb_read.ipv6, "ipaddress", "IPv6Address") || rb_intern(&rb_read.s_count, "count") ||
                   rb_intern(&rb_read.s_count_empty, "count_empty") || rb_intern(&rb_read.s_error, "error") ||
                   rb_intern(&rb_read.s_fromutc, "fromutc") || rb_intern(&rb_read.s_int, "int") ||
                   rb_intern(&rb_read.s_is_safe, "is_safe") || rb_intern(&rb_read.s_text, "text") || rb_scalar_init() ||
                   find_readers()
               ? -1
               : 0;
}

/* The value that the reference reads here, or its error. */
PyObject *RB_COLD rb_read_reference(rb_source *s, const rb_node *node)
{
    if (PyErr_Occurred())
        return NULL;
    PyObject *arguments[] = {(PyObject *)s, node->py};
    return PyObject_Vectorcall(PyTuple_GET_ITEM(rb_read.readers, node->op), arguments, 2, NULL);
}

/* --- containers ------------------------------------------------------------------------------------------ */

/* How many elements follow, each of a value of `a` and maybe of `b`; -1 with an error. */
Py_ssize_t rb_read_count(rb_source *s, const rb_node *a, const rb_node *b)
{
    uint64_t number;
    unsigned length = rb_peek_varint(s, &number);
    size_t left = (size_t)(s->end - s->p) - length;
    if (RB_LIKELY(length && number <= left && number <= (uint64_t)(RB_MAX_EMPTY - s->empty))) {
        s->p += length;
        return (Py_ssize_t)number;
    }
    if (PyErr_Occurred())
        return -1;
    PyObject *arguments[] = {(PyObject *)s, a ? a->py : NULL, b ? b->py : NULL};
    size_t count = 1 + (size_t)(a != NULL) + (size_t)(b != NULL);
    PyObject *found = PyObject_VectorcallMethod(rb_read.s_count, arguments, count, NULL);
    Py_ssize_t elements = found ? PyLong_AsSsize_t(found) : -1;
    Py_XDECREF(found);
    return elements;
}

static PyObject *read_nullable(rb_source *s, const rb_node *node)
{
    if (!rb_has(s, 1) || *s->p > 1)
        return rb_read_reference(s, node);
    return *s->p++ ? Py_NewRef(Py_None) : rb_read_value(s, node->children[0]);
}

/* `count` values in a list.  While it has holes nobody is to find it: reading runs Python code. */
static PyObject *read_items(rb_source *s, const rb_node *child, Py_ssize_t count)
{
    PyObject *list = PyList_New(count);
    if (!list)
        return NULL;
    PyObject_GC_UnTrack(list);
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = rb_read_value(s, child);
        if (RB_UNLIKELY(!item)) {
            Py_DECREF(list);
            return NULL;
        }
        PyList_SET_ITEM(list, i, item);
    }
    PyObject_GC_Track(list);
    return list;
}

static PyObject *read_array(rb_source *s, const rb_node *node)
{
    Py_ssize_t count = rb_read_count(s, node->children[0], NULL);
    return count < 0 ? NULL : read_items(s, node->children[0], count);
}

static PyObject *read_qbit(rb_source *s, const rb_node *node)
{
    uint64_t number;
    unsigned length = rb_peek_varint(s, &number);
    if (!length || number != node->size || (size_t)(s->end - s->p) - length < number)
        return rb_read_reference(s, node);
    s->p += length;
    return read_items(s, node->children[0], (Py_ssize_t)number);
}

/* A tuple that took no bytes: there is a limit to their number. */
static int RB_COLD count_empty(rb_source *s)
{
    if (s->empty < RB_MAX_EMPTY) {
        s->empty++;
        return 0;
    }
    PyObject *done = PyObject_CallMethodNoArgs((PyObject *)s, rb_read.s_count_empty);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* What a named Tuple is. */
PyObject *rb_named(const rb_node *node, PyObject *values)
{
    PyObject *names = PyObject_GetAttrString(node->py, "names");
    PyObject *dict = names ? PyDict_New() : NULL;
    int failed = !dict || !PyTuple_Check(names) || PyTuple_GET_SIZE(names) != PyTuple_GET_SIZE(values);
    for (Py_ssize_t i = 0; !failed && i < PyTuple_GET_SIZE(values); i++)
        failed = PyDict_SetItem(dict, PyTuple_GET_ITEM(names, i), PyTuple_GET_ITEM(values, i));
    Py_XDECREF(names);
    if (failed)
        Py_CLEAR(dict);
    return dict;
}

static PyObject *read_tuple(rb_source *s, const rb_node *node)
{
    uint64_t start = rb_offset(s);
    PyObject *values = PyTuple_New(node->count);
    int failed = !values, tracked = 0;
    if (values && node->count)
        PyObject_GC_UnTrack(values);
    for (Py_ssize_t i = 0; !failed && i < node->count; i++) {
        PyObject *value = rb_read_value(s, node->children[i]);
        failed = !value;
        if (value) {
            tracked |= rb_is_tracked(value);
            PyTuple_SET_ITEM(values, i, value);
        }
    }
    failed = failed || (rb_offset(s) == start && count_empty(s));
    if (failed) {
        Py_XDECREF(values);
        return NULL;
    }
    if (tracked)
        PyObject_GC_Track(values);
    if (!node->named)
        return values;
    PyObject *dict = rb_named(node, values);
    Py_DECREF(values);
    return dict;
}

/* The pairs that are in `dict`, which are all different. */
static PyObject *pairs_of(PyObject *dict)
{
    PyObject *pairs = PyDict_Items(dict);
    Py_DECREF(dict);
    return pairs;
}

static int append_pair(PyObject *pairs, PyObject *key, PyObject *value)
{
    PyObject *pair = PyTuple_Pack(2, key, value);
    int failed = !pair || PyList_Append(pairs, pair);
    Py_XDECREF(pair);
    return failed ? -1 : 0;
}

/* Whether the keys can have been chosen to have one hash, too many of them. */
static inline int may_clash(const rb_node *node, Py_ssize_t count)
{
    return count > RB_MAX_CLASHES && node->children[0]->op != RB_OP_STRING;
}

/* What `count` pairs of a Map are put into. */
PyObject *rb_new_map(const rb_node *node, Py_ssize_t count)
{
    return may_clash(node, count) ? PyList_New(0) : PyDict_New();
}

/* The value of a Map, once all of its pairs were put into `map`: in a list they are for the reference to judge. */
PyObject *rb_end_map(const rb_node *node, PyObject *map, Py_ssize_t count)
{
    if (!map || !may_clash(node, count))
        return map;
    PyObject *value = PyObject_CallOneArg(rb_read.pairs_of, map);
    Py_DECREF(map);
    return value;
}

/* Put a pair into `map`, which becomes a list of pairs when it cannot be a dict. */
PyObject *rb_put_pair(PyObject *map, PyObject *key, PyObject *value)
{
    if (PyList_CheckExact(map))
        return append_pair(map, key, value) ? (Py_DECREF(map), NULL) : map;
    int has = PyDict_Contains(map, key);
    if (!has && !PyDict_SetItem(map, key, value))
        return map;
    if (has < 0 && PyErr_ExceptionMatches(PyExc_TypeError))
        PyErr_Clear(); /* a key without a hash */
    if (PyErr_Occurred()) {
        Py_DECREF(map);
        return NULL;
    }
    map = pairs_of(map);
    return !map || append_pair(map, key, value) ? (Py_XDECREF(map), NULL) : map;
}

static PyObject *read_map(rb_source *s, const rb_node *node)
{
    Py_ssize_t count = rb_read_count(s, node->children[0], node->children[1]);
    PyObject *map = count < 0 ? NULL : rb_new_map(node, count);
    for (Py_ssize_t i = 0; map && i < count; i++) {
        PyObject *key = rb_read_value(s, node->children[0]);
        PyObject *value = key ? rb_read_value(s, node->children[1]) : NULL;
        if (value)
            map = rb_put_pair(map, key, value);
        else
            Py_CLEAR(map);
        Py_XDECREF(key);
        Py_XDECREF(value);
    }
    return rb_end_map(node, map, count);
}

static PyObject *read_variant(rb_source *s, const rb_node *node)
{
    if (!rb_has(s, 1) || (*s->p != 0xFF && *s->p >= node->count))
        return rb_read_reference(s, node);
    uint8_t member = *s->p++;
    return member == 0xFF ? Py_NewRef(Py_None) : rb_read_value(s, node->children[member]);
}

static PyObject *read_here(rb_source *s, const rb_node *node)
{
    switch (node->op) {
    case RB_OP_NULLABLE:
        return read_nullable(s, node);
    case RB_OP_LOW_CARDINALITY:
        return rb_read_value(s, node->children[0]);
    case RB_OP_ARRAY:
        return read_array(s, node);
    case RB_OP_TUPLE:
        return read_tuple(s, node);
    case RB_OP_MAP:
        return read_map(s, node);
    case RB_OP_QBIT:
        return read_qbit(s, node);
    case RB_OP_VARIANT:
        return read_variant(s, node);
    case RB_OP_DYNAMIC:
        return rb_read_dynamic(s);
    case RB_OP_JSON:
        return rb_read_json(s, node);
    default:
        return rb_read_scalar(s, node);
    }
}

/* The next value: the only way from one reader to another. */
PyObject *rb_read_value(rb_source *s, const rb_node *node)
{
    if (RB_UNLIKELY(s->level >= RB_MAX_LEVELS)) {
        PyObject *arguments[] = {(PyObject *)s, node->py};
        return PyObject_Vectorcall(rb_read.read_value, arguments, 2, NULL);
    }
    s->level++; /* not restored when reading fails: that is the end of the body, or of this try */
    PyObject *value = read_here(s, node);
    s->level--;
    return value;
}
