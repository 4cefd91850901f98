/* Values of columns that have been read: made when they are taken, which fails only without memory. */
#include "parts.h"

#define AHEAD 192 /* bytes that are brought into the cache: columns are too many for the processor to see that */

/* --- scalars ------------------------------------------------------------------------------------------------ */

static inline int is_null(const rb_part *part, Py_ssize_t i)
{
    return part->nulls && PyBytes_AS_STRING(part->nulls)[part->at + i];
}

static int take_fixed(rb_source *s, rb_part *part, PyObject **out, Py_ssize_t count)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        out[i] = is_null(part, i) ? Py_NewRef(Py_None) : rb_certain_at(s, part->node, part->p);
        if (RB_UNLIKELY(!out[i]))
            return rb_drop(out, i);
        part->p += part->width;
    }
    rb_fetch_line((const void *)((uintptr_t)part->p + AHEAD));
    return 0;
}

static int take_texts(rb_source *s, rb_part *part, PyObject **out, Py_ssize_t count)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        uint64_t size = 0;
        unsigned length = rb_varint_at(part->p, RB_VARINT_READ, &size); /* all of it is there */
        out[i] = is_null(part, i) ? Py_NewRef(Py_None) : rb_text_at(s, part->node, part->p, length, (size_t)size);
        if (RB_UNLIKELY(!out[i]))
            return rb_drop(out, i);
        part->p += length + size;
        rb_fetch_line((const void *)((uintptr_t)part->p + AHEAD));
    }
    return 0;
}

static int take_made(rb_part *part, PyObject **out, Py_ssize_t count)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        out[i] = PyList_GET_ITEM(part->values, part->at + i);
        PyList_SET_ITEM(part->values, part->at + i, NULL);
    }
    return 0;
}

static int take_entries(rb_part *part, PyObject **out, Py_ssize_t count)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        uint64_t key = 0;
        memcpy(&key, part->p, part->width);
        part->p += part->width;
        out[i] = Py_NewRef(PyList_GET_ITEM(part->children[0]->values, (Py_ssize_t)key));
    }
    return 0;
}

/* --- what has values in it ------------------------------------------------------------------------------------ */

/* The number of elements of array `i` of those that come next. */
static inline Py_ssize_t length_of(const rb_part *part, Py_ssize_t i)
{
    Py_ssize_t at = part->at + i;
    return (Py_ssize_t)(part->ends[at] - (at ? part->ends[at - 1] : 0));
}

static int take_arrays(rb_source *s, rb_part *part, PyObject **out, Py_ssize_t count)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        Py_ssize_t length = length_of(part, i);
        out[i] = rb_list_with_holes(length);
        if (!out[i] || rb_part_take(s, part->children[0], ((PyListObject *)out[i])->ob_item, length))
            return rb_drop(out, i + (out[i] != NULL));
        PyObject_GC_Track(out[i]);
    }
    return 0;
}

static PyObject *take_map(rb_source *s, const rb_part *part, Py_ssize_t length)
{
    PyObject *map = rb_new_map(part->node, length);
    for (Py_ssize_t i = 0; map && i < length; i++) {
        PyObject *key = NULL, *value = NULL;
        if (!rb_part_take(s, part->children[0], &key, 1) && !rb_part_take(s, part->children[1], &value, 1))
            map = rb_put_pair(map, key, value);
        else
            Py_CLEAR(map);
        Py_XDECREF(key);
        Py_XDECREF(value);
    }
    return rb_end_map(part->node, map, length);
}

static int take_maps(rb_source *s, rb_part *part, PyObject **out, Py_ssize_t count)
{
    for (Py_ssize_t i = 0; i < count; i++)
        if (!(out[i] = take_map(s, part, length_of(part, i))))
            return rb_drop(out, i);
    return 0;
}

static PyObject *take_tuple(rb_source *s, const rb_part *part)
{
    PyObject *values = PyTuple_New(part->count);
    if (!values)
        return NULL;
    PyObject_GC_UnTrack(values);
    int tracked = 0;
    for (Py_ssize_t k = 0; k < part->count; k++) {
        PyObject **place = &((PyTupleObject *)values)->ob_item[k];
        if (rb_part_take(s, part->children[k], place, 1)) {
            Py_DECREF(values);
            return NULL;
        }
        tracked |= rb_is_tracked(*place);
    }
    if (tracked)
        PyObject_GC_Track(values);
    if (part->node->named)
        Py_SETREF(values, rb_named(part->node, values));
    return values;
}

static int take_tuples(rb_source *s, rb_part *part, PyObject **out, Py_ssize_t count)
{
    for (Py_ssize_t i = 0; i < count; i++)
        if (!(out[i] = take_tuple(s, part)))
            return rb_drop(out, i);
    return 0;
}

/* Those of one member that follow each other come together. */
static int take_members(rb_source *s, rb_part *part, PyObject **out, Py_ssize_t count)
{
    for (Py_ssize_t i = 0, run; i < count; i += run) {
        uint8_t number = part->p[i];
        for (run = 1; i + run < count && part->p[i + run] == number;)
            run++;
        for (Py_ssize_t k = i; number == RB_NO_MEMBER && k < i + run; k++)
            out[k] = Py_NewRef(Py_None);
        if (number != RB_NO_MEMBER && rb_part_take(s, part->children[number], out + i, run))
            return rb_drop(out, i);
    }
    part->p += count;
    return 0;
}

/* --- by shape -------------------------------------------------------------------------------------------------- */

static int take(rb_source *s, rb_part *part, PyObject **out, Py_ssize_t count)
{
    switch (part->shape) {
    case RB_PART_LOW_CARDINALITY:
        return take_entries(part, out, count);
    case RB_PART_NULLABLE:
        return rb_part_take(s, part->children[0], out, count);
    case RB_PART_ARRAY:
        return take_arrays(s, part, out, count);
    case RB_PART_MAP:
        return take_maps(s, part, out, count);
    case RB_PART_TUPLE:
        return take_tuples(s, part, out, count);
    case RB_PART_VARIANT:
    case RB_PART_DYNAMIC:
        return take_members(s, part, out, count);
    case RB_PART_JSON:
        return rb_take_documents(s, part, out, count);
    default:
        return take_made(part, out, count);
    }
}

/* The next `count` values, of which there are as many: -1 without memory, and then none. */
int rb_part_take(rb_source *s, rb_part *part, PyObject **out, Py_ssize_t count)
{
    int failed;
    if (!count)
        return 0;
    if (part->shape == RB_PART_SCALAR && !part->values) {
        failed = part->width ? take_fixed(s, part, out, count) : take_texts(s, part, out, count);
    } else if (part->values) {
        failed = take_made(part, out, count);
    } else {
        failed = take(s, part, out, count);
        for (Py_ssize_t i = 0; part->nulls && !failed && i < count; i++)
            if (is_null(part, i))
                Py_SETREF(out[i], Py_NewRef(Py_None));
    }
    part->at += count;
    return failed;
}

/* All values: a list that the collector does not know. */
PyObject *rb_part_list(rb_source *s, rb_part *part, Py_ssize_t count)
{
    if (part->values) {
        PyObject *values = part->values;
        part->values = NULL;
        return values;
    }
    PyObject *list = rb_list_with_holes(count);
    if (list && rb_part_take(s, part, ((PyListObject *)list)->ob_item, count))
        Py_CLEAR(list);
    return list;
}

/* Make all values at once, to be taken as they are. */
int rb_part_settle(rb_source *s, rb_part *part, Py_ssize_t count)
{
    PyObject *list = rb_part_list(s, part, count);
    rb_part_forget(part);
    part->values = list;
    return list ? 0 : -1;
}
