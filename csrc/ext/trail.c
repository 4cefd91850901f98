/* Keys that were not the expected ones: looked up by their hash, or remembered. */
#include "trail.h"

#define FIRST_ROOM 8 /* steps; their number, the table's size too, is a power of two */

/* Of a key in a dict, which has its hash. */
static inline uint32_t key_hash(PyObject *key)
{
    return (uint32_t)((PyASCIIObject *)key)->hash;
}

/* Free places are at least half of the table, so that every search ends. */
static int grow(rb_trail *trail)
{
    uint32_t room = trail->mask ? trail->mask + 1 : FIRST_ROOM;
    uint32_t mask = 2 * room - 1;
    rb_step *steps = PyMem_Realloc(trail->steps, room * sizeof *steps);
    if (steps)
        trail->steps = steps;
    rb_slot *table = PyMem_Calloc((size_t)mask + 1, sizeof *table);
    if (!steps || !table) {
        PyMem_Free(table);
        return -1;
    }
    memset(steps + trail->count, 0, (room - trail->count) * sizeof *steps);
    for (uint32_t i = 0; i < trail->count; i++) {
        uint32_t hash = key_hash(steps[i].key), slot = hash & mask;
        while (table[slot].step)
            slot = (slot + 1) & mask;
        table[slot] = (rb_slot){hash, i + 1};
    }
    PyMem_Free(trail->table);
    trail->table = table;
    trail->mask = mask;
    return 0;
}

/* Whether two exact strs have the same text. */
static int is_same(PyObject *a, PyObject *b)
{
    return a == b ||
           (PyUnicode_GET_LENGTH(a) == PyUnicode_GET_LENGTH(b) && PyUnicode_KIND(a) == PyUnicode_KIND(b) &&
            memcmp(PyUnicode_DATA(a), PyUnicode_DATA(b), (size_t)(PyUnicode_GET_LENGTH(a) * PyUnicode_KIND(a))) == 0);
}

/* The step of a new key; NULL when it is not to be remembered. */
static rb_step *add(rb_encoder *e, rb_trail *trail, PyObject *key, rb_slot *slot)
{
    size_t before = e->prefix_size - e->prefix_start, size = (size_t)PyUnicode_GET_LENGTH(key);
    /* A length below 128 is one byte.  Longer texts than ASCII are not worth their conversion here. */
    if (!PyUnicode_IS_COMPACT_ASCII(key) || 1 + before + size > RB_PATH_ROOM || e->steps >= RB_MAX_STEPS)
        return NULL;
    e->steps++;
    rb_step *step = &trail->steps[trail->count];
    const uint8_t *text = (const uint8_t *)PyUnicode_DATA(key);
    step->key = Py_NewRef(key);
    step->size = (uint8_t)(1 + before + size);
    step->dotted = (uint8_t)rb_has_dot(text, size);
    step->path[0] = (uint8_t)(before + size);
    if (before)
        memcpy(step->path + 1, e->prefix + e->prefix_start, before);
    memcpy(step->path + 1 + before, text, size);
    *slot = (rb_slot){key_hash(key), ++trail->count};
    return step;
}

/* The step of a key that was not the expected one; a new one when the key is new.  NULL also for a key
 * that is no plain str. */
rb_step *rb_trail_search(rb_encoder *e, rb_trail *trail, PyObject *key)
{
    trail->misses++;
    if (!PyUnicode_CheckExact(key) || (2 * trail->count > trail->mask && grow(trail)))
        return NULL;
    uint32_t hash = key_hash(key), at = hash & trail->mask;
    rb_step *step = NULL;
    for (; !step && trail->table[at].step; at = (at + 1) & trail->mask)
        if (trail->table[at].hash == hash && is_same(trail->steps[trail->table[at].step - 1].key, key))
            step = &trail->steps[trail->table[at].step - 1];
    if (!step)
        step = add(e, trail, key, &trail->table[at]);
    else if (step->key != key)
        Py_SETREF(step->key, Py_NewRef(key)); /* the next document likely has this object too */
    if (step)
        trail->steps[trail->last].next = (uint32_t)(step - trail->steps);
    return step;
}

/* The trail at `place`, made when there is none; NULL without memory: then nothing is remembered. */
rb_trail *rb_trail_of(rb_trail **place)
{
    if (RB_UNLIKELY(!*place)) {
        rb_trail *trail = PyMem_Calloc(1, sizeof *trail);
        if (!trail || grow(trail)) {
            rb_trail_free(trail);
            return NULL;
        }
        *place = trail;
    }
    return *place;
}

void rb_trail_free(rb_trail *trail)
{
    if (!trail)
        return;
    for (uint32_t i = 0; i < trail->count; i++) {
        rb_trail_free(trail->steps[i].object);
        rb_trail_free(trail->steps[i].items);
        Py_DECREF(trail->steps[i].key);
    }
    PyMem_Free(trail->steps);
    PyMem_Free(trail->table);
    PyMem_Free(trail);
}
