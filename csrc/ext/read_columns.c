/* The data of columns: lists of values. */
#include "parts.h"

static PyObject *read_without(rb_source *s, const rb_part *part, PyObject *nulls);

/* --- lists -------------------------------------------------------------------------------------------------- */

/* A list with `count` places.  While it has holes nobody is to find it. */
static PyObject *list_with_holes(Py_ssize_t count)
{
    PyObject *list = PyList_New(count);
    if (list)
        PyObject_GC_UnTrack(list);
    return list;
}

/* A list for `count` values: with its places where there are bytes for so many, else to be appended to. */
static PyObject *new_list(const rb_source *s, Py_ssize_t count)
{
    return s->end - s->p >= count ? list_with_holes(count) : PyList_New(0);
}

static inline int put_item(PyObject *list, Py_ssize_t i, PyObject *item, int placed)
{
    if (placed) {
        PyList_SET_ITEM(list, i, item);
        return 0;
    }
    int failed = PyList_Append(list, item);
    Py_DECREF(item);
    return failed;
}

static PyObject *end_list(PyObject *list, int placed)
{
    if (placed)
        PyObject_GC_Track(list);
    return list;
}

/* --- scalars ------------------------------------------------------------------------------------------------ */

static inline PyObject *read_one(rb_source *s, const rb_node *node)
{
    return RB_LIKELY(s->level < RB_MAX_LEVELS) ? rb_read_scalar(s, node) : rb_read_value(s, node);
}

/* Pass the value under a NULL, which can be one that the type does not have. */
static int skip_one(rb_source *s, const rb_node *node)
{
    uint64_t size = rb_op_width[node->op] ? rb_op_width[node->op] : node->size;
    unsigned length = node->op == RB_OP_STRING ? rb_peek_varint(s, &size) : 0;
    if (node->op == RB_OP_STRING && (!length || size > RB_MAX_STRING || !rb_has(s, length + (size_t)size))) {
        PyObject *data = PyErr_Occurred() ? NULL : PyObject_CallMethod((PyObject *)s, "data_of_string", NULL);
        Py_XDECREF(data);
        return data ? 0 : -1;
    }
    if (!rb_has(s, length + (size_t)size)) {
        PyObject *data = PyErr_Occurred() ? NULL : PyObject_CallMethod((PyObject *)s, "take", "K", size);
        Py_XDECREF(data);
        return data ? 0 : -1;
    }
    s->p += length + size;
    return 0;
}

/* Values, or those where `nulls` is 0. */
static PyObject *read_scalars(rb_source *s, const rb_part *part, Py_ssize_t count, const char *nulls)
{
    PyObject *list = new_list(s, count);
    int placed = list && PyList_GET_SIZE(list) == count;
    for (Py_ssize_t i = 0; list && i < count; i++) {
        s->at = i;
        PyObject *value;
        if (nulls && nulls[i])
            value = skip_one(s, part->node) ? NULL : Py_NewRef(Py_None);
        else
            value = read_one(s, part->node);
        if (RB_UNLIKELY(!value || put_item(list, i, value, placed)))
            Py_CLEAR(list);
    }
    return list ? end_list(list, placed) : NULL;
}

/* --- what has values in it ------------------------------------------------------------------------------------ */

/* The flags of a Nullable: which of `count` values are NULL. */
static PyObject *read_flags(rb_source *s, Py_ssize_t count)
{
    uint64_t start = rb_offset(s);
    PyObject *nulls = rb_take_bytes(s, count);
    if (!nulls)
        return NULL;
    const uint8_t *flags = (const uint8_t *)PyBytes_AS_STRING(nulls);
    for (Py_ssize_t i = 0; i < count; i++)
        if (RB_UNLIKELY(flags[i] > 1)) {
            s->at = i;
            rb_fail(s, "bad_flag", "(iK)", (int)flags[i], (unsigned long long)(start + (uint64_t)i));
            Py_DECREF(nulls);
            return NULL;
        }
    return nulls;
}

/* The bytes that are not 0 in one of two. */
static PyObject *either(PyObject *a, PyObject *b)
{
    Py_ssize_t count = PyBytes_GET_SIZE(a);
    PyObject *both = PyBytes_FromStringAndSize(NULL, count);
    for (Py_ssize_t i = 0; both && i < count; i++)
        PyBytes_AS_STRING(both)[i] = PyBytes_AS_STRING(a)[i] | PyBytes_AS_STRING(b)[i];
    return both;
}

/* Values that are NULL by their own flag, or by `outer`: there nothing is looked at, whatever the flag. */
static PyObject *read_nullable(rb_source *s, const rb_part *part, Py_ssize_t count, PyObject *outer)
{
    PyObject *nulls = read_flags(s, count), *values = NULL;
    if (nulls && outer)
        Py_SETREF(nulls, either(nulls, outer));
    if (!nulls)
        return NULL;
    s->level++;
    values = read_without(s, part->children[0], nulls);
    s->level--;
    Py_DECREF(nulls);
    return values;
}

/* Arrays: the ends, and the values of the children; `lists` has room for them. */
static uint64_t *read_items(rb_source *s, const rb_part *part, Py_ssize_t count, PyObject **lists)
{
    uint64_t *ends = rb_take_ends(s, count);
    if (!ends)
        return NULL;
    rb_owner owner = {s->owner, ends, NULL, count};
    Py_ssize_t total = count ? (Py_ssize_t)ends[count - 1] : 0;
    s->owner = &owner;
    s->level++;
    for (Py_ssize_t i = 0; i < part->count; i++) {
        lists[i] = rb_read_part(s, part->children[i], total);
        if (!lists[i]) {
            while (i--)
                Py_DECREF(lists[i]);
            PyMem_Free(ends);
            ends = NULL;
            break;
        }
    }
    s->level--;
    s->owner = owner.outer;
    return ends;
}

static PyObject *read_arrays(rb_source *s, const rb_part *part, Py_ssize_t count)
{
    PyObject *items;
    uint64_t *ends = read_items(s, part, count, &items);
    PyObject *list = ends ? list_with_holes(count) : NULL;
    Py_ssize_t start = 0;
    for (Py_ssize_t i = 0; list && i < count; i++) {
        Py_ssize_t end = (Py_ssize_t)ends[i];
        PyObject *array = PyList_GetSlice(items, start, end);
        start = end;
        if (array)
            PyList_SET_ITEM(list, i, array);
        else
            Py_CLEAR(list);
    }
    if (ends)
        Py_DECREF(items);
    PyMem_Free(ends);
    return list ? end_list(list, 1) : NULL;
}

static PyObject *map_of(const rb_node *node, PyObject *keys, PyObject *values, Py_ssize_t start, Py_ssize_t end)
{
    PyObject *map = rb_new_map(node, end - start);
    for (Py_ssize_t i = start; map && i < end; i++)
        map = rb_put_pair(map, PyList_GET_ITEM(keys, i), PyList_GET_ITEM(values, i));
    return rb_end_map(node, map, end - start);
}

static PyObject *read_maps(rb_source *s, const rb_part *part, Py_ssize_t count)
{
    PyObject *lists[2];
    uint64_t *ends = read_items(s, part, count, lists);
    PyObject *list = ends ? PyList_New(0) : NULL;
    Py_ssize_t start = 0;
    for (Py_ssize_t i = 0; list && i < count; i++) {
        Py_ssize_t end = (Py_ssize_t)ends[i];
        PyObject *map = map_of(part->node, lists[0], lists[1], start, end); /* keys may compare in Python */
        start = end;
        if (!map || put_item(list, i, map, 0))
            Py_CLEAR(list);
    }
    for (Py_ssize_t i = 0; ends && i < 2; i++)
        Py_DECREF(lists[i]);
    PyMem_Free(ends);
    return list;
}

static PyObject *tuple_at(const rb_part *part, PyObject **lists, Py_ssize_t i)
{
    PyObject *values = PyTuple_New(part->count);
    for (Py_ssize_t k = 0; values && k < part->count; k++)
        PyTuple_SET_ITEM(values, k, Py_NewRef(PyList_GET_ITEM(lists[k], i)));
    if (!values || !part->node->named)
        return values;
    PyObject *dict = rb_named(part->node, values);
    Py_DECREF(values);
    return dict;
}

static PyObject *tuples_of(const rb_part *part, PyObject **lists, Py_ssize_t count, const char *nulls)
{
    PyObject *list = list_with_holes(count);
    for (Py_ssize_t i = 0; list && i < count; i++) {
        PyObject *value = nulls && nulls[i] ? Py_NewRef(Py_None) : tuple_at(part, lists, i);
        if (value)
            PyList_SET_ITEM(list, i, value);
        else
            Py_CLEAR(list);
    }
    return list ? end_list(list, 1) : NULL;
}

static PyObject *read_tuples(rb_source *s, const rb_part *part, Py_ssize_t count, PyObject *nulls)
{
    if (!part->count) { /* a byte for each */
        PyObject *method = PyUnicode_FromString(nulls ? "data_without" : "data");
        PyObject *number = nulls ? Py_NewRef(nulls) : PyLong_FromSsize_t(count);
        PyObject *list = method && number
                             ? PyObject_CallMethodObjArgs(part->py, method, (PyObject *)s, number, NULL)
                             : NULL;
        Py_XDECREF(method);
        Py_XDECREF(number);
        return list;
    }
    PyObject **lists = PyMem_Calloc((size_t)part->count, sizeof *lists), *list = NULL;
    Py_ssize_t read = 0;
    s->level++;
    for (; lists && read < part->count; read++) {
        const rb_part *child = part->children[read];
        lists[read] = nulls ? read_without(s, child, nulls) : rb_read_part(s, child, count);
        if (!lists[read])
            break;
    }
    s->level--;
    if (!lists)
        PyErr_NoMemory();
    else if (read == part->count)
        list = tuples_of(part, lists, count, nulls ? PyBytes_AS_STRING(nulls) : NULL);
    while (lists && read--)
        Py_DECREF(lists[read]);
    PyMem_Free(lists);
    return list;
}

/* --- dictionaries ---------------------------------------------------------------------------------------------- */

/* The entries of a dictionary, which belong to no row. */
static PyObject *read_entries(rb_source *s, const rb_part *part, Py_ssize_t size)
{
    const rb_owner *owner = s->owner;
    Py_ssize_t row = s->row;
    s->owner = NULL;
    s->row = -1;
    PyObject *first = NULL, *entries = NULL;
    int null = part->nullable && size;
    if (null) {
        PyObject *nulls = PyBytes_FromStringAndSize("\1", 1);
        first = nulls ? read_without(s, part->children[0], nulls) : NULL;
        Py_XDECREF(nulls);
    }
    if (!null || first)
        entries = rb_read_part(s, part->children[0], size - null);
    if (first && entries && PyList_SetSlice(entries, 0, 0, first))
        Py_CLEAR(entries);
    Py_XDECREF(first);
    if (entries) { /* else they are for the error */
        s->owner = owner;
        s->row = row;
    }
    s->at = -1;
    return entries;
}

static PyObject *read_keys(rb_source *s, PyObject *entries, Py_ssize_t width, Py_ssize_t count)
{
    Py_ssize_t size = PyList_GET_SIZE(entries);
    PyObject *list = new_list(s, count);
    int placed = list && PyList_GET_SIZE(list) == count;
    for (Py_ssize_t i = 0; list && i < count; i++) {
        uint64_t key = 0;
        s->at = i;
        if (RB_UNLIKELY(!rb_has(s, (size_t)width))) {
            if (!PyErr_Occurred())
                Py_XDECREF(PyObject_CallMethod((PyObject *)s, "take", "n", width)); /* fails */
            Py_CLEAR(list);
            break;
        }
        memcpy(&key, s->p, (size_t)width);
        s->p += width;
        if (RB_UNLIKELY(key >= (uint64_t)size)) {
            rb_fail(s, "bad_key", "(KnK)", (unsigned long long)key, size,
                    (unsigned long long)(rb_offset(s) - (uint64_t)width));
            Py_CLEAR(list);
        } else if (put_item(list, i, Py_NewRef(PyList_GET_ITEM(entries, (Py_ssize_t)key)), placed)) {
            Py_CLEAR(list);
        }
    }
    return list ? end_list(list, placed) : NULL;
}

static PyObject *read_dictionary(rb_source *s, const rb_part *part, Py_ssize_t count)
{
    Py_ssize_t width, size;
    if (!count)
        return PyList_New(0);
    PyObject *head = PyObject_CallMethod(part->py, "head", "O", (PyObject *)s), *list = NULL;
    if (!head || !PyArg_ParseTuple(head, "nn", &width, &size)) {
        Py_XDECREF(head);
        return NULL;
    }
    Py_DECREF(head);
    PyObject *entries = read_entries(s, part, size);
    PyObject *done = entries ? PyObject_CallMethod(part->py, "check_count", "On", (PyObject *)s, count) : NULL;
    if (done)
        list = read_keys(s, entries, width, count);
    Py_XDECREF(done);
    Py_XDECREF(entries);
    return list;
}

/* --- by shape -------------------------------------------------------------------------------------------------- */

static PyObject *RB_COLD read_by_reference(rb_source *s, const rb_part *part, Py_ssize_t count)
{
    return PyObject_CallMethod(part->py, "data", "On", (PyObject *)s, count);
}

/* `count` values. */
PyObject *rb_read_part(rb_source *s, const rb_part *part, Py_ssize_t count)
{
    switch (part->shape) {
    case RB_PART_SCALAR:
        return read_scalars(s, part, count, NULL);
    case RB_PART_NULLABLE:
        return read_nullable(s, part, count, NULL);
    case RB_PART_ARRAY:
        return read_arrays(s, part, count);
    case RB_PART_MAP:
        return read_maps(s, part, count);
    case RB_PART_TUPLE:
        return read_tuples(s, part, count, NULL);
    case RB_PART_LOW_CARDINALITY:
        return read_dictionary(s, part, count);
    case RB_PART_VARIANT:
    case RB_PART_DYNAMIC:
        return rb_read_variant_part(s, part, count);
    case RB_PART_JSON:
        return s->depth < RB_DOCUMENTS ? rb_read_json_part(s, part, count) : read_by_reference(s, part, count);
    case RB_PART_OTHER:
        break;
    }
    return read_by_reference(s, part, count);
}

/* As many values as there are `nulls`, None where these are not 0. */
static PyObject *read_without(rb_source *s, const rb_part *part, PyObject *nulls)
{
    Py_ssize_t count = PyBytes_GET_SIZE(nulls);
    const char *flags = PyBytes_AS_STRING(nulls);
    if (part->shape == RB_PART_SCALAR)
        return read_scalars(s, part, count, flags);
    if (part->shape == RB_PART_TUPLE)
        return read_tuples(s, part, count, nulls);
    if (part->shape == RB_PART_NULLABLE)
        return read_nullable(s, part, count, nulls);
    if (part->shape == RB_PART_OTHER)
        return PyObject_CallMethod(part->py, "data_without", "OO", (PyObject *)s, nulls);
    PyObject *list = rb_read_part(s, part, count);
    for (Py_ssize_t i = 0; list && i < count; i++)
        if (flags[i] && PyList_SetItem(list, i, Py_NewRef(Py_None)))
            Py_CLEAR(list);
    return list;
}

/* The data of a column of the reference. */
PyObject *rb_read_column(rb_source *s, PyObject *column, Py_ssize_t count)
{
    rb_part *part = rb_part_new(column);
    if (!part)
        return NULL;
    s->owner = NULL;
    s->depth = 0;
    PyObject *list = rb_read_part(s, part, count);
    s->owner = NULL; /* they were on the stack */
    rb_part_free(part);
    return list;
}
