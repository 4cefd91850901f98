/* Variant and Dynamic in columns: the number of its member for each value, then the values of each member. */
#include "parts.h"

/* How many values each member has: 0, or the error of a number that is none. */
static int count_members(rb_source *s, const rb_part *part, Py_ssize_t count, uint64_t start, Py_ssize_t *counts)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        if (part->p[i] < part->count) {
            counts[part->p[i]]++;
        } else if (RB_UNLIKELY(part->p[i] != RB_NO_MEMBER)) {
            const char *format = part->shape == RB_PART_VARIANT ? "a Variant of %zd members" : "a Dynamic of %zd types";
            PyObject *what = PyUnicode_FromFormat(format, part->count);
            s->at = i;
            if (what)
                rb_fail(s, "bad_member", "(iNK)", (int)part->p[i], what, (unsigned long long)(start + (uint64_t)i));
            return -1;
        }
    }
    return 0;
}

/* The values of member `member`, `count` of them. */
static int read_member(rb_source *s, const rb_part *part, Py_ssize_t member, Py_ssize_t count)
{
    Py_ssize_t *places = PyMem_Malloc(((size_t)count + 1) * sizeof *places), found = 0;
    if (!places) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; found < count; i++)
        if (part->p[i] == member)
            places[found++] = i;
    rb_owner owner = {s->owner, NULL, places, count};
    s->owner = &owner;
    int failed = rb_part_read(s, part->children[member], count, NULL);
    s->owner = owner.outer;
    PyMem_Free(places);
    return failed;
}

int rb_read_members(rb_source *s, rb_part *part, Py_ssize_t count)
{
    uint64_t start = rb_offset(s);
    Py_ssize_t counts[256] = {0};
    int levels = part->shape == RB_PART_VARIANT ? 1 : part->levels;
    part->piece = rb_take_bytes(s, count);
    part->p = part->piece ? (const uint8_t *)PyBytes_AS_STRING(part->piece) : NULL;
    int failed = !part->piece || count_members(s, part, count, start, counts);
    s->level += levels;
    for (Py_ssize_t i = 0; !failed && i < part->count; i++)
        failed = read_member(s, part, i, counts[i]);
    s->level -= levels;
    return failed;
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

/* Values of any types: each with its own, and so made at once. */
int rb_read_shared(rb_source *s, rb_part *part, Py_ssize_t count)
{
    part->values = rb_list_with_holes(0);
    for (Py_ssize_t i = 0; part->values && i < count; i++) {
        s->at = i;
        PyObject *value = read_shared_value(s);
        int failed = !value || PyList_Append(part->values, value);
        Py_XDECREF(value);
        if (failed)
            return -1;
    }
    return part->values ? 0 : -1;
}
