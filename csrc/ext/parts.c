/* Columns as structs, and what several of them read. */
#include "parts.h"

#include <stdarg.h>

/* --- the tree ------------------------------------------------------------------------------------------- */

static rb_part_shape shape_of(PyObject *column)
{
    if (column == Py_None)
        return RB_PART_SHARED;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(rb_read.shapes) && i < RB_PART_OTHER; i++)
        if ((PyObject *)Py_TYPE(column) == PyTuple_GET_ITEM(rb_read.shapes, i))
            return (rb_part_shape)i;
    return RB_PART_OTHER;
}

/* Let go of what was read. */
void rb_part_forget(rb_part *part)
{
    for (Py_ssize_t i = 0; i < part->count; i++)
        rb_part_forget(part->children[i]);
    part->at = 0;
    Py_CLEAR(part->values);
    Py_CLEAR(part->piece);
    Py_CLEAR(part->nulls);
    PyMem_Free(part->ends);
    part->ends = NULL;
    rb_json_data_free(part->json);
    part->json = NULL;
}

static void free_tree(rb_part *part)
{
    for (Py_ssize_t i = 0; i < part->count; i++)
        free_tree(part->children[i]);
    PyMem_Free(part->children);
    PyMem_Free(part->paths);
    PyMem_Free(part);
}

void rb_part_free(rb_part *part)
{
    if (!part)
        return;
    rb_part_forget(part);
    free_tree(part);
}

/* Children from a list of columns, or of (path, column); behind those that there are. */
static int add_children(rb_part *part, const char *attribute, int with_paths)
{
    PyObject *list = PyObject_GetAttrString(part->py, attribute);
    if (!list || !PyList_CheckExact(list)) {
        Py_XDECREF(list);
        return -1;
    }
    Py_ssize_t more = PyList_GET_SIZE(list), count = part->count;
    rb_part **children = PyMem_Realloc(part->children, (size_t)(count + more + 1) * sizeof *children);
    if (children)
        part->children = children;
    PyObject **paths = with_paths ? PyMem_Realloc(part->paths, (size_t)(count + more + 1) * sizeof *paths) : NULL;
    if (paths)
        part->paths = paths;
    int failed = !children || (with_paths && !paths);
    if (failed)
        PyErr_NoMemory();
    for (Py_ssize_t i = 0; !failed && i < more; i++) {
        PyObject *column = PyList_GET_ITEM(list, i);
        if (with_paths) {
            part->paths[part->count] = PyTuple_GET_ITEM(column, 0);
            column = PyTuple_GET_ITEM(column, 1);
        }
        part->children[part->count] = rb_part_new(column);
        failed = !part->children[part->count];
        part->count += !failed;
    }
    Py_DECREF(list); /* the column has it */
    return failed ? -1 : 0;
}

static int add_one(rb_part *part, const char *attribute)
{
    PyObject *column = PyObject_GetAttrString(part->py, attribute);
    part->children = PyMem_Calloc(1, sizeof *part->children);
    if (!part->children && column)
        PyErr_NoMemory();
    if (column && part->children && (part->children[0] = rb_part_new(column)) != NULL)
        part->count = 1;
    Py_XDECREF(column);
    return part->count ? 0 : -1;
}

static int read_number(PyObject *py, const char *name, int *out)
{
    PyObject *value = PyObject_GetAttrString(py, name);
    *out = value ? (int)PyLong_AsLong(value) : 0;
    Py_XDECREF(value);
    return PyErr_Occurred() ? -1 : 0;
}

static int fill(rb_part *part)
{
    switch (part->shape) {
    case RB_PART_SCALAR:
    case RB_PART_OTHER:
    case RB_PART_SHARED:
        return 0;
    case RB_PART_LOW_CARDINALITY:
        return read_number(part->py, "nullable", &part->nullable) || add_one(part, "entries");
    case RB_PART_DYNAMIC:
        return read_number(part->py, "levels", &part->levels) || add_children(part, "members", 0);
    case RB_PART_JSON:
        if (add_children(part, "typed", 1))
            return -1;
        part->typed = part->count;
        return add_children(part, "dynamic", 1);
    default:
        return add_children(part, "children", 0);
    }
}

/* A column of the reference, which has read its prefix; NULL with an error. */
rb_part *rb_part_new(PyObject *column)
{
    rb_part *part = PyMem_Calloc(1, sizeof *part);
    if (!part)
        return (rb_part *)PyErr_NoMemory();
    part->py = column;
    part->shape = shape_of(column);
    int failed = 0;
    if (part->shape != RB_PART_DYNAMIC && part->shape != RB_PART_SHARED) {
        PyObject *node = PyObject_GetAttrString(column, "node");
        part->node = node ? rb_node_of(node) : NULL;
        Py_XDECREF(node); /* the column has it */
        failed = !part->node;
    }
    if (failed || fill(part)) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "malformed column");
        rb_part_free(part);
        return NULL;
    }
    return part;
}

/* --- errors ------------------------------------------------------------------------------------------------ */

/* The error that rowbinary._read_faults makes of this; NULL. */
PyObject *RB_COLD rb_fail(rb_source *s, const char *helper, const char *format, ...)
{
    if (PyErr_Occurred())
        return NULL;
    va_list values;
    va_start(values, format);
    PyObject *rest = Py_VaBuildValue(format, values), *function = PyObject_GetAttrString(rb_read.faults, helper);
    va_end(values);
    PyObject *first = rest ? PyTuple_Pack(1, (PyObject *)s) : NULL;
    PyObject *arguments = first ? PySequence_Concat(first, rest) : NULL;
    PyObject *error = arguments && function ? PyObject_CallObject(function, arguments) : NULL;
    if (error)
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_XDECREF(error);
    Py_XDECREF(arguments);
    Py_XDECREF(first);
    Py_XDECREF(function);
    Py_XDECREF(rest);
    return NULL;
}

/* --- pieces ------------------------------------------------------------------------------------------------ */

/* A byte for each value. */
PyObject *rb_take_bytes(rb_source *s, Py_ssize_t count)
{
    s->at = -1;
    if (!rb_has(s, (size_t)count))
        return PyErr_Occurred() ? NULL : PyObject_CallMethod((PyObject *)s, "take", "n", count);
    PyObject *bytes = PyBytes_FromStringAndSize((const char *)s->p, count);
    s->p += bytes ? count : 0;
    return bytes;
}

/* Where arrays end.  Room is made as ends come: nothing says yet that there are as many. */
uint64_t *rb_take_ends(rb_source *s, Py_ssize_t count)
{
    Py_ssize_t room = 0;
    uint64_t *ends = PyMem_Malloc(sizeof *ends), last = 0;
    for (s->at = 0; ends && s->at < count; s->at++) {
        if (!rb_has(s, 8)) {
            PyMem_Free(ends);
            if (!PyErr_Occurred())
                Py_XDECREF(PyObject_CallMethod((PyObject *)s, "take", "n", (Py_ssize_t)8)); /* fails */
            return NULL;
        }
        if (s->at == room) {
            Py_ssize_t ready = (s->end - s->p) / 8;
            room = room * 2 + 64 > ready ? room * 2 + 64 : ready;
            room = room > count ? count : room;
            uint64_t *moved = PyMem_Realloc(ends, ((size_t)room + 1) * sizeof *ends);
            if (!moved)
                PyMem_Free(ends);
            ends = moved;
            if (!ends)
                break;
        }
        uint64_t end;
        memcpy(&end, s->p, 8);
        s->p += 8;
        if (RB_UNLIKELY(end < last || end > RB_MAX_STRING)) {
            PyMem_Free(ends);
            return (uint64_t *)rb_fail(s, "bad_end", "(KKK)", (unsigned long long)end, (unsigned long long)last,
                                       (unsigned long long)(rb_offset(s) - 8));
        }
        ends[s->at] = last = end;
    }
    return ends ? ends : (uint64_t *)PyErr_NoMemory();
}
