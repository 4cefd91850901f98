/* Variant and Dynamic in columns: the number of its member for each value, then the values of each member. */
#include "parts.h"

#define NO_MEMBER 0xFF

void rb_members_free(rb_members *members, Py_ssize_t lists)
{
    for (Py_ssize_t i = 0; members->lists && i < lists; i++)
        Py_XDECREF(members->lists[i]);
    PyMem_Free(members->lists);
    PyMem_Free(members->taken);
    Py_XDECREF(members->numbers);
    *members = (rb_members){0};
}

/* How many values each member has: 0, or the error of a number that is none. */
static int count_members(rb_source *s, const rb_part *part, const rb_members *members, uint64_t start,
                         Py_ssize_t *counts)
{
    const uint8_t *numbers = (const uint8_t *)PyBytes_AS_STRING(members->numbers);
    for (Py_ssize_t i = 0; i < members->count; i++) {
        if (numbers[i] < part->count) {
            counts[numbers[i]]++;
        } else if (RB_UNLIKELY(numbers[i] != NO_MEMBER)) {
            const char *format = part->shape == RB_PART_VARIANT ? "a Variant of %zd members" : "a Dynamic of %zd types";
            PyObject *what = PyUnicode_FromFormat(format, part->count);
            s->at = i;
            if (what)
                rb_fail(s, "bad_member", "(iNK)", (int)numbers[i], what, (unsigned long long)(start + (uint64_t)i));
            return -1;
        }
    }
    return 0;
}

/* The values of member `member`, `count` of them. */
static PyObject *read_member(rb_source *s, const rb_part *part, const rb_members *members, Py_ssize_t member,
                             Py_ssize_t count)
{
    const uint8_t *numbers = (const uint8_t *)PyBytes_AS_STRING(members->numbers);
    const rb_part *child = part->children[member];
    Py_ssize_t *places = PyMem_Malloc(((size_t)count + 1) * sizeof *places), found = 0;
    if (!places)
        return PyErr_NoMemory();
    for (Py_ssize_t i = 0; found < count; i++)
        if (numbers[i] == member)
            places[found++] = i;
    rb_owner owner = {s->owner, NULL, places, count};
    s->owner = &owner;
    PyObject *list = child ? rb_read_part(s, child, count) : rb_read_shared(s, count);
    s->owner = owner.outer;
    PyMem_Free(places);
    return list;
}

/* The values of a variant, by members: to be freed with rb_members_free. */
int rb_read_members(rb_source *s, const rb_part *part, Py_ssize_t count, rb_members *members)
{
    uint64_t start = rb_offset(s);
    Py_ssize_t counts[256] = {0};
    *members = (rb_members){.numbers = rb_take_bytes(s, count), .count = count};
    if (!members->numbers)
        return -1;
    members->lists = PyMem_Calloc((size_t)part->count + 1, sizeof *members->lists);
    members->taken = PyMem_Calloc((size_t)part->count + 1, sizeof *members->taken);
    if (!members->lists || !members->taken) {
        PyErr_NoMemory();
        return -1;
    }
    if (count_members(s, part, members, start, counts))
        return -1;
    for (Py_ssize_t i = 0; i < part->count; i++) {
        members->lists[i] = read_member(s, part, members, i, counts[i]);
        if (!members->lists[i])
            return -1;
    }
    return 0;
}

/* Value `index`, borrowed; NULL is none.  They are asked for in their order. */
PyObject *rb_next_member(rb_members *members, Py_ssize_t index)
{
    uint8_t number = (uint8_t)PyBytes_AS_STRING(members->numbers)[index];
    return number == NO_MEMBER ? NULL : PyList_GET_ITEM(members->lists[number], members->taken[number]++);
}

PyObject *rb_read_variant_part(rb_source *s, const rb_part *part, Py_ssize_t count)
{
    rb_members members;
    int levels = part->shape == RB_PART_VARIANT ? 1 : part->levels;
    s->level += levels;
    PyObject *list = rb_read_members(s, part, count, &members) ? NULL : PyList_New(count);
    s->level -= levels;
    for (Py_ssize_t i = 0; list && i < count; i++) {
        PyObject *value = rb_next_member(&members, i);
        PyList_SET_ITEM(list, i, Py_NewRef(value ? value : Py_None));
    }
    rb_members_free(&members, part->count);
    return list;
}

/* A value in a String, with its type tag in front. */
static PyObject *read_shared_value(rb_source *s)
{
    uint64_t size;
    unsigned length = rb_peek_varint(s, &size);
    if (RB_LIKELY(length && size <= RB_MAX_STRING && rb_has(s, length + (size_t)size))) {
        s->p += length;
    } else {
        PyObject *number = PyErr_Occurred() ? NULL : PyObject_CallMethod((PyObject *)s, "length_of_string", NULL);
        size = number ? PyLong_AsUnsignedLongLong(number) : 0;
        Py_XDECREF(number);
        if (!number)
            return NULL;
        if (!rb_has(s, (size_t)size)) { /* fails */
            if (!PyErr_Occurred())
                Py_XDECREF(PyObject_CallMethod((PyObject *)s, "take", "K", (unsigned long long)size));
            return NULL;
        }
    }
    uint64_t end = rb_offset(s) + size;
    PyObject *value = rb_read_dynamic(s);
    if (value && rb_offset(s) != end) {
        Py_CLEAR(value);
        rb_fail(s, "bad_length", "(KK)", (unsigned long long)size, (unsigned long long)end);
    }
    return value;
}

/* A list of what `read` gives, so many times. */
PyObject *rb_read_each(rb_source *s, Py_ssize_t count, PyObject *(*read)(rb_source *))
{
    PyObject *list = PyList_New(0);
    for (Py_ssize_t i = 0; list && i < count; i++) {
        s->at = i;
        PyObject *value = read(s);
        if (!value || PyList_Append(list, value))
            Py_CLEAR(list);
        Py_XDECREF(value);
    }
    return list;
}

PyObject *rb_read_shared(rb_source *s, Py_ssize_t count)
{
    return rb_read_each(s, count, read_shared_value);
}
