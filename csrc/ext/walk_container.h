/* The walk over the values of declared arrays, tuples and maps: the one place where these are read, for RowBinary
 * and for Native.  A list or dict can be changed by code that runs while its values are read (a tzinfo, an
 * __index__): items are held, sizes compared at every step.
 *
 * A template, as walk_json.h is one for documents: write_container.c and put.c include it, and define before that
 *
 *   sink                             where a value goes: with its type, and small, for it is passed by value
 *   inner(to, i)                     where the values inside go; the places of a tuple, keys and values of a map
 *   put_value(e, to, value)          puts any value
 *   put_usual(to, values, count)     puts those of the usual Python type that come first; how many, or -1
 *   is_text(to, value)               whether a value is a text for a column of texts,
 *   put_text(to, text)               and puts it; neither this nor put_usual runs Python code
 *   begin(to, count), end(to)        what stands before and behind the items of an array or map
 *   put_otherwise(e, to, value)      puts a value that is none of the exact Python types
 *
 * All but `inner` and `is_text` return -1 for "not me", as all writers. */
#ifndef WALK_CONTAINER_H
#define WALK_CONTAINER_H

#include "dict_items.h"

static RB_INLINE int walk_item(rb_encoder *e, sink to, PyObject *value, int is_list, Py_ssize_t i)
{
    PyObject *item = Py_NewRef(is_list ? PyList_GET_ITEM(value, i) : PyTuple_GET_ITEM(value, i));
    int failed = put_value(e, to, item);
    Py_DECREF(item);
    return failed;
}

static int walk_array(rb_encoder *e, sink to, PyObject *value)
{
    int is_list = PyList_CheckExact(value);
    if (!is_list && !PyTuple_CheckExact(value))
        return put_otherwise(e, to, value);
    sink items = inner(to, 0);
    Py_ssize_t count = Py_SIZE(value);
    if (count > RB_MAX_STRING || begin(to, (size_t)count))
        return -1;
    Py_ssize_t i = count ? put_usual(items, PySequence_Fast_ITEMS(value), count) : 0;
    if (RB_UNLIKELY(i < 0))
        return -1;
    for (; i < count; i++)
        if (RB_UNLIKELY(Py_SIZE(value) != count || walk_item(e, items, value, is_list, i)))
            return -1;
    e->array_count = count;
    return Py_SIZE(value) == count ? end(to) : -1;
}

static int walk_tuple(rb_encoder *e, sink to, Py_ssize_t count, PyObject *value)
{
    int is_list = PyList_CheckExact(value);
    if (!is_list && !PyTuple_Check(value))
        return put_otherwise(e, to, value);
    for (Py_ssize_t i = 0; i < count; i++)
        if (RB_UNLIKELY(Py_SIZE(value) != count || walk_item(e, inner(to, i), value, is_list, i)))
            return -1;
    return Py_SIZE(value) == count ? 0 : -1;
}

static int walk_map(rb_encoder *e, sink to, PyObject *value)
{
    if (!PyDict_CheckExact(value))
        return put_otherwise(e, to, value);
    sink keys = inner(to, 0), values = inner(to, 1);
    rb_items items;
    PyObject *key, *item;
    Py_ssize_t written = 0;
    rb_items_open(e, &items, value);
    if (begin(to, (size_t)items.size))
        return -1;
    for (; rb_items_next(&items, &key, &item); written++) {
        if (RB_LIKELY(is_text(keys, key) && is_text(values, item))) {
            if (RB_UNLIKELY(put_text(keys, key) || put_text(values, item)))
                return -1;
            continue;
        }
        Py_INCREF(key);
        Py_INCREF(item);
        int failed = put_value(e, keys, key) || put_value(e, values, item);
        Py_DECREF(key);
        Py_DECREF(item);
        if (RB_UNLIKELY(failed || !rb_items_intact(e, &items)))
            return -1;
    }
    return written == items.size ? end(to) : -1;
}

#endif
