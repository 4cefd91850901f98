/* The items of an exact dict.
 *
 * PyDict_Next costs as much as writing a short value, so on the CPython versions whose layout is
 * known the entries are read directly, with CPython's own internal header.  Every other version
 * takes the portable way.  Key and value are borrowed.
 *
 * After a call into Python, in which the dict may have been changed, the walk goes on only if
 * rb_items_intact. */
#ifndef DICT_ITEMS_H
#define DICT_ITEMS_H

#include "rowbinary.h"

#define RB_FETCH_AHEAD 4 /* items */
#define RB_TABLE_AHEAD 2 /* of these, whose tables are fetched if they are dicts */

typedef struct {
    PyObject *dict;
    Py_ssize_t size, position;
    unsigned calls;
#ifdef RB_DICT_ENTRIES
    PyDictKeysObject *keys;
    PyDictUnicodeEntry *entries; /* NULL: this dict takes the portable way */
    Py_ssize_t count;
    uint8_t log2_size, kind;
#endif
} rb_items;

/* The table of a dict: its head and the first entries. */
static inline void rb_prefetch_table(PyObject *object)
{
    if (object && PyDict_CheckExact(object)) {
        const char *table = (const char *)((PyDictObject *)object)->ma_keys;
        for (int at = 0; at < 256; at += 64)
            rb_fetch_line(table + at);
    }
}

/* What an object holds besides itself: the table of a dict, the places of a list, unless it is empty, the number
 * of a UUID. */
static inline void rb_prefetch_places(PyObject *object)
{
    if (PyDict_CheckExact(object))
        rb_prefetch_table(object);
    else if (PyList_CheckExact(object) && PyList_GET_SIZE(object))
        rb_prefetch(((PyListObject *)object)->ob_item, 64);
    else if ((PyObject *)Py_TYPE(object) == rb_py.uuid)
        rb_prefetch(*(PyObject **)((char *)object + rb_uuid_slot), RB_REACH); /* if it is not known, any word will do */
}

#define RB_FETCH_ITEMS 32 /* at most: of a long list or dict the walk fetches the rest */

/* What a dict or list holds, whose places must have come. */
static inline void rb_prefetch_items(PyObject *object)
{
    if (PyList_CheckExact(object)) {
        Py_ssize_t count = PyList_GET_SIZE(object);
        for (Py_ssize_t i = 0; i < count && i < RB_FETCH_ITEMS; i++)
            rb_fetch_line(PyList_GET_ITEM(object, i));
    }
#ifdef RB_DICT_ENTRIES
    if (!PyDict_CheckExact(object) || ((PyDictObject *)object)->ma_values)
        return;
    PyDictKeysObject *keys = ((PyDictObject *)object)->ma_keys;
    if (!DK_IS_UNICODE(keys))
        return;
    const PyDictUnicodeEntry *entries = DK_UNICODE_ENTRIES(keys);
    for (Py_ssize_t i = 0; i < keys->dk_nentries && i < RB_FETCH_ITEMS; i++)
        rb_prefetch(entries[i].me_value, RB_REACH_TEXT);
#endif
}

#define RB_PLACES 8 /* cells further on, whose places are asked for */
#define RB_ITEMS 4  /* and what is in these */

/* The entries of a dict with `count` keys, all str, in their order; NULL for every other dict. */
#ifdef RB_DICT_ENTRIES
typedef PyDictUnicodeEntry rb_entry;
static inline const rb_entry *rb_entries(PyObject *dict, Py_ssize_t count)
{
    PyDictKeysObject *keys = ((PyDictObject *)dict)->ma_keys;
    int plain = PyDict_GET_SIZE(dict) == count && keys->dk_nentries == count && DK_IS_UNICODE(keys) &&
                ((PyDictObject *)dict)->ma_values == NULL;
    return plain ? DK_UNICODE_ENTRIES(keys) : NULL;
}
#else
typedef struct {
    PyObject *me_key, *me_value;
} rb_entry;
static inline const rb_entry *rb_entries(PyObject *dict, Py_ssize_t count)
{
    return NULL;
}
#endif

static inline void rb_items_open(const rb_encoder *e, rb_items *it, PyObject *dict)
{
    it->dict = dict;
    it->calls = e->calls;
    it->size = PyDict_GET_SIZE(dict);
    it->position = 0;
#ifdef RB_DICT_ENTRIES
    it->keys = ((PyDictObject *)dict)->ma_keys;
    it->log2_size = it->keys->dk_log2_size;
    it->kind = it->keys->dk_kind;
    /* Not the dicts of instances, whose values are elsewhere, nor dicts with keys other than str. */
    int direct = ((PyDictObject *)dict)->ma_values == NULL && DK_IS_UNICODE(it->keys);
    it->entries = direct ? DK_UNICODE_ENTRIES(it->keys) : NULL;
    it->count = direct ? it->keys->dk_nentries : 0;
    for (Py_ssize_t i = 0; i < it->count && i < RB_FETCH_AHEAD; i++)
        rb_prefetch(it->entries[i].me_value, RB_REACH_TEXT);
#endif
}

static inline int rb_items_next(rb_items *it, PyObject **key, PyObject **value)
{
#ifdef RB_DICT_ENTRIES
    if (RB_LIKELY(it->entries != NULL)) {
        while (it->position < it->count) {
            const PyDictUnicodeEntry *entry = &it->entries[it->position++];
            if (it->position + RB_FETCH_AHEAD <= it->count) {
                rb_prefetch(entry[RB_FETCH_AHEAD].me_value, RB_REACH_TEXT);
                rb_prefetch_table(entry[RB_TABLE_AHEAD].me_value);
            }
            if (RB_LIKELY(entry->me_value != NULL)) {
                *key = entry->me_key;
                *value = entry->me_value;
                return 1;
            }
        }
        return 0;
    }
#endif
    /* Copies, whose addresses may be given away: what is in `it`, and the key, stay in registers. */
    Py_ssize_t position = it->position;
    PyObject *k = NULL, *v = NULL;
    int found = PyDict_Next(it->dict, &position, &k, &v);
    it->position = position;
    *key = k;
    *value = v;
    return found;
}

/* Whether the dict still has the same table and as many items. */
static inline int rb_items_intact(const rb_encoder *e, const rb_items *it)
{
    if (RB_LIKELY(e->calls == it->calls))
        return 1;
#ifdef RB_DICT_ENTRIES
    /* Another table can have come to the same address: compare its shape too. */
    const PyDictKeysObject *keys = ((PyDictObject *)it->dict)->ma_keys;
    if (keys != it->keys || keys->dk_log2_size != it->log2_size || keys->dk_kind != it->kind ||
        (it->entries && keys->dk_nentries != it->count))
        return 0;
#endif
    return PyDict_GET_SIZE(it->dict) == it->size;
}

#endif
