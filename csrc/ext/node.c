/* rowbinary._plan.Node -> rb_node, once per Node, kept in a capsule on it. */
#include "rowbinary.h"

#include <stdlib.h>

static const char CAPSULE[] = "rowbinary.node";

static void node_free(PyObject *capsule)
{
    rb_node *node = PyCapsule_GetPointer(capsule, CAPSULE);
    if (!node)
        return;
    Py_XDECREF(node->zone);
    Py_XDECREF(node->tz);
    Py_XDECREF(node->labels);
    Py_XDECREF(node->rules);
    Py_XDECREF(node->paths);
    Py_XDECREF(node->zero_bytes);
    PyMem_Free(node->typed);
    PyMem_Free(node->children);
    PyMem_Free(node);
}

static int read_number(PyObject *object, const char *name, long *out)
{
    PyObject *value = PyObject_GetAttrString(object, name);
    if (!value)
        return -1;
    *out = PyLong_AsLong(value);
    Py_DECREF(value);
    return *out == -1 && PyErr_Occurred() ? -1 : 0;
}

/* A strong reference to the attribute, or NULL in *out when it is None. */
static int read_object(PyObject *object, const char *name, PyObject **out)
{
    *out = PyObject_GetAttrString(object, name);
    if (!*out)
        return -1;
    if (*out == Py_None)
        Py_CLEAR(*out);
    return 0;
}

static int read_children(rb_node *node, PyObject *py)
{
    PyObject *children = PyObject_GetAttrString(py, "children");
    if (!children || !PyTuple_Check(children)) {
        Py_XDECREF(children);
        return -1;
    }
    node->count = PyTuple_GET_SIZE(children);
    node->children = PyMem_Calloc((size_t)node->count + 1, sizeof *node->children);
    int failed = !node->children;
    for (Py_ssize_t i = 0; !failed && i < node->count; i++) {
        node->children[i] = rb_node_of(PyTuple_GET_ITEM(children, i));
        failed = !node->children[i];
    }
    Py_DECREF(children);
    return failed ? -1 : 0;
}

static int compare_typed(const void *a, const void *b)
{
    const rb_typed *x = a, *y = b;
    int order = memcmp(x->name, y->name, (size_t)(x->size < y->size ? x->size : y->size));
    return order ? order : x->size < y->size ? -1 : x->size > y->size;
}

/* The typed paths in the order of their bytes; names and nodes belong to the rules. */
static int read_typed(rb_node *node)
{
    PyObject *typed = PyObject_GetAttrString(node->rules, "typed"), *path, *inner;
    Py_ssize_t position = 0;
    int failed = !typed || !PyDict_CheckExact(typed);
    if (!failed) {
        node->typed = PyMem_Calloc((size_t)PyDict_GET_SIZE(typed) + 1, sizeof *node->typed);
        failed = !node->typed;
    }
    while (!failed && PyDict_Next(typed, &position, &path, &inner)) {
        rb_typed *one = &node->typed[node->typed_count++];
        one->name = PyUnicode_AsUTF8AndSize(path, &one->size);
        one->node = one->name ? rb_node_of(inner) : NULL;
        failed = !one->node;
    }
    if (!failed)
        qsort(node->typed, (size_t)node->typed_count, sizeof *node->typed, compare_typed);
    Py_XDECREF(typed);
    return failed ? -1 : 0;
}

/* The node of a typed path; NULL when it is none. */
const rb_node *rb_typed_path(const rb_node *node, const uint8_t *name, size_t size)
{
    rb_typed wanted = {(const char *)name, (Py_ssize_t)size, NULL};
    const rb_typed *found = NULL;
    if (node->typed_count)
        found = bsearch(&wanted, node->typed, (size_t)node->typed_count, sizeof wanted, compare_typed);
    return found ? found->node : NULL;
}

static int read_rules(rb_node *node, PyObject *py)
{
    PyObject *rules;
    long paths, types;
    if (read_object(py, "json", &rules))
        return -1;
    if (!rules)
        return 0;
    PyObject *plain = PyObject_GetAttrString(rules, "plain");
    int failed = !plain || read_number(rules, "max_paths", &paths) || read_number(rules, "max_types", &types);
    if (!failed) {
        node->max_paths = (uint32_t)paths;
        node->max_types = (uint32_t)types;
        if (plain != Py_True) {
            node->rules = Py_NewRef(rules);
            node->paths = PyObject_GetAttrString(rules, "paths");
            PyObject *defaults = PyObject_GetAttrString(rules, "defaults");
            failed = !node->paths || !PyDict_CheckExact(node->paths) || !defaults || !PyDict_CheckExact(defaults);
            node->defaults = !failed && PyDict_GET_SIZE(defaults) > 0;
            Py_XDECREF(defaults);
            failed = failed || read_typed(node);
        }
    }
    Py_XDECREF(plain);
    Py_DECREF(rules);
    return failed ? -1 : 0;
}

static int read_natural(rb_node *node, PyObject *py)
{
    PyObject *natural = PyObject_GetAttrString(py, "natural");
    if (!natural)
        return -1;
    int failed = !PyArg_ParseTuple(natural, "iiii", &node->natural[0], &node->natural[1], &node->natural[2],
                                   &node->natural[3]);
    Py_DECREF(natural);
    return failed ? -1 : 0;
}

static int read_zero(rb_node *node, PyObject *py)
{
    node->zero_bytes = PyObject_GetAttrString(py, "zero");
    if (!node->zero_bytes || !PyBytes_CheckExact(node->zero_bytes))
        return -1;
    node->zero = (const uint8_t *)PyBytes_AS_STRING(node->zero_bytes);
    node->zero_size = (size_t)PyBytes_GET_SIZE(node->zero_bytes);
    return 0;
}

static int read_named(rb_node *node, PyObject *py)
{
    PyObject *names = PyObject_GetAttrString(py, "names");
    node->named = names && names != Py_None;
    Py_XDECREF(names);
    return names ? 0 : -1;
}

static int node_fill(rb_node *node, PyObject *py)
{
    long op, size, scale, precision;
    if (read_number(py, "op", &op) || read_number(py, "size", &size) || read_number(py, "scale", &scale) ||
        read_number(py, "precision", &precision))
        return -1;
    if (op < 0 || op >= RB_OP_COUNT || scale < 0 || scale > 76) {
        PyErr_SetString(PyExc_ValueError, "malformed plan");
        return -1;
    }
    node->op = (rb_op)op;
    node->size = (uint32_t)size;
    node->scale = (uint32_t)scale;
    node->precision = (uint32_t)precision;
    node->ticks = 1;
    for (long i = 0; i < scale && i < 18; i++)
        node->ticks *= 10;
    static uint64_t nodes;
    node->serial = ++nodes;
    node->py = py;
    if (read_children(node, py) || read_object(py, "zone", &node->zone) || read_object(py, "labels", &node->labels) ||
        read_rules(node, py) || read_named(node, py) || read_natural(node, py) || read_zero(node, py))
        return -1;
    node->utc = node->zone && PyUnicode_Check(node->zone) && !PyUnicode_CompareWithASCIIString(node->zone, "UTC");
    return 0;
}

/* The struct of a Node; NULL with an error set. */
const rb_node *rb_node_of(PyObject *py)
{
    PyObject *capsule = PyObject_GetAttr(py, rb_py.s_capsule);
    if (!capsule)
        return NULL;
    if (capsule == Py_None) {
        Py_DECREF(capsule);
        rb_node *node = PyMem_Calloc(1, sizeof *node);
        if (!node)
            return PyErr_NoMemory(), NULL;
        capsule = PyCapsule_New(node, CAPSULE, node_free);
        if (!capsule) {
            PyMem_Free(node);
            return NULL;
        }
        if (node_fill(node, py) || PyObject_SetAttr(py, rb_py.s_capsule, capsule)) {
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_ValueError, "malformed plan");
            Py_DECREF(capsule);
            return NULL;
        }
    }
    const rb_node *node = PyCapsule_GetPointer(capsule, CAPSULE);
    Py_DECREF(capsule);
    return node;
}
