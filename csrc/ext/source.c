/* The cursor: bytes at hand, and the chunks that follow them. */
#include "parts.h"

#include <structmember.h>

/* --- bytes ---------------------------------------------------------------------------------------------- */

static void set_piece(rb_source *s, PyObject *piece, size_t size, size_t room)
{
    s->base += (uint64_t)(s->p - s->start);
    s->start = s->p = (const uint8_t *)PyBytes_AS_STRING(piece);
    s->end = s->start + size;
    s->room = room;
    Py_XSETREF(s->piece, piece);
    s->pieces++;
}

uint64_t rb_offset(const rb_source *s)
{
    return s->base + (uint64_t)(s->p - s->start);
}

/* The next chunk, bytes; NULL at the end, or with an error. */
static PyObject *next_chunk(rb_source *s)
{
    PyObject *chunks = Py_NewRef(s->chunks);
    s->pulling = 1;
    PyObject *chunk = PyIter_Next(chunks);
    s->pulling = 0;
    Py_DECREF(chunks);
    if (chunk && !PyBytes_CheckExact(chunk)) {
        PyErr_Format(PyExc_TypeError, "a chunk must be bytes, not %.100s", Py_TYPE(chunk)->tp_name);
        Py_CLEAR(chunk);
    }
    return chunk;
}

/* What is left, in a piece with room for more. */
static PyObject *roomy(const rb_source *s, size_t room)
{
    size_t left = (size_t)(s->end - s->p);
    PyObject *piece = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)room);
    if (piece && left)
        memcpy(PyBytes_AS_STRING(piece), s->p, left);
    return piece;
}

/* Put `chunk` behind what is left.  Room grows by doubling: many small chunks of a long value, or of a column that
 * is kept, cost no more than they are.  What others keep of the piece does not change. */
static int append(rb_source *s, PyObject *chunk, size_t wanted)
{
    size_t left = (size_t)(s->end - s->p), size = (size_t)PyBytes_GET_SIZE(chunk);
    size_t used = (size_t)(s->end - s->start);
    if (!left) {
        set_piece(s, Py_NewRef(chunk), size, 0); /* the chunk is not ours to write into */
        return 0;
    }
    if (used + size > s->room) {
        size_t room = left > size || left + size < wanted ? 2 * (left + size) : left + size;
        PyObject *piece = roomy(s, room);
        if (!piece)
            return -1;
        set_piece(s, piece, left, room);
    }
    memcpy(PyBytes_AS_STRING(s->piece) + (s->end - s->start), PyBytes_AS_STRING(chunk), size);
    s->end += size;
    return 0;
}

/* Wait until `count` bytes are at hand: 1; 0 when they do not come, maybe with an error. */
int rb_pull(rb_source *s, size_t count)
{
    if (!s->chunks || PyErr_Occurred())
        return 0;
    if (s->may_rewind) {
        PyErr_SetNone(rb_read.again);
        return 0;
    }
    if (s->pulling) {
        PyErr_SetString(PyExc_RuntimeError, "chunks that read from where they go to");
        return 0;
    }
    while ((size_t)(s->end - s->p) < count) {
        PyObject *chunk = next_chunk(s);
        if (!chunk) {
            if (!PyErr_Occurred())
                Py_CLEAR(s->chunks);
            return 0;
        }
        int failed = append(s, chunk, count);
        Py_DECREF(chunk);
        if (failed)
            return 0;
    }
    return 1;
}

static PyObject *source_take(rb_source *s, PyObject *argument)
{
    Py_ssize_t count = PyLong_AsSsize_t(argument);
    if (count < 0 || !rb_has(s, (size_t)count)) {
        if (PyErr_Occurred())
            return NULL;
        PyObject *error = PyObject_CallMethod((PyObject *)s, "short", "n", count);
        if (error)
            PyErr_SetObject((PyObject *)Py_TYPE(error), error);
        Py_XDECREF(error);
        return NULL;
    }
    PyObject *taken = PyBytes_FromStringAndSize((const char *)s->p, count);
    if (taken)
        s->p += count;
    return taken;
}

static PyObject *source_ensure(rb_source *s, PyObject *argument)
{
    Py_ssize_t count = PyLong_AsSsize_t(argument);
    if (count < 0 && PyErr_Occurred())
        return NULL;
    int has = rb_has(s, (size_t)count);
    return PyErr_Occurred() ? NULL : PyBool_FromLong(has);
}

/* Whether there has been an __init__. */
static int is_made(const rb_source *s)
{
    if (!s->piece)
        PyErr_SetString(PyExc_RuntimeError, "a cursor without bytes");
    return s->piece != NULL;
}

static PyObject *source_rows(rb_source *s, PyObject *args)
{
    PyObject *columns;
    Py_ssize_t most;
    if (!PyArg_ParseTuple(args, "On", &columns, &most) || !is_made(s))
        return NULL;
    return rb_read_rows(s, columns, most);
}

static PyObject *source_data(rb_source *s, PyObject *args)
{
    PyObject *column;
    Py_ssize_t count;
    if (!PyArg_ParseTuple(args, "On", &column, &count) || !is_made(s))
        return NULL;
    return rb_read_column(s, column, count);
}

static PyObject *source_kept(rb_source *s, PyObject *args)
{
    PyObject *column;
    Py_ssize_t count;
    if (!PyArg_ParseTuple(args, "On", &column, &count) || !is_made(s))
        return NULL;
    return rb_read_cells(s, column, count);
}

static PyObject *source_tuples(rb_source *s, PyObject *args)
{
    PyObject *columns;
    Py_ssize_t count;
    if (!PyArg_ParseTuple(args, "On", &columns, &count) || !is_made(s))
        return NULL;
    return rb_rows_of(s, columns, count);
}

/* The value of a column of the block that value `index` of the innermost column belongs to. */
static PyObject *source_outer(rb_source *s, PyObject *argument)
{
    Py_ssize_t index = PyLong_AsSsize_t(argument);
    if (index < 0)
        return PyErr_Occurred() ? NULL : Py_NewRef(argument);
    for (const rb_owner *owner = s->owner; owner; owner = owner->outer) {
        Py_ssize_t low = 0, high = owner->count;
        while (owner->ends && low < high) { /* the first end behind it */
            Py_ssize_t middle = low + (high - low) / 2;
            if (owner->ends[middle] > (uint64_t)index)
                high = middle;
            else
                low = middle + 1;
        }
        index = owner->ends ? low : index < owner->count ? owner->places[index] : index;
    }
    return PyLong_FromSsize_t(index);
}

/* --- attributes ----------------------------------------------------------------------------------------- */

static PyObject *get_offset(rb_source *s, void *closure)
{
    return PyLong_FromUnsignedLongLong(rb_offset(s));
}

static PyObject *get_left(rb_source *s, void *closure)
{
    return PyLong_FromSsize_t(s->end - s->p);
}

static PyObject *get_row(rb_source *s, void *closure)
{
    if (s->row < 0)
        Py_RETURN_NONE;
    return PyLong_FromSsize_t(s->row);
}

static int set_row(rb_source *s, PyObject *value, void *closure)
{
    Py_ssize_t row = !value || value == Py_None ? -1 : PyLong_AsSsize_t(value);
    if (PyErr_Occurred())
        return -1;
    s->row = row;
    return 0;
}

static PyObject *get_column(rb_source *s, void *closure)
{
    PyObject *column = s->column;
    if (s->cell >= 0 && s->names && s->cell < PyTuple_GET_SIZE(s->names))
        column = PyTuple_GET_ITEM(s->names, s->cell);
    return Py_NewRef(column ? column : Py_None);
}

static int set_column(rb_source *s, PyObject *value, void *closure)
{
    s->cell = -1;
    Py_XSETREF(s->column, Py_NewRef(value ? value : Py_None));
    return 0;
}

static PyObject *get_index(rb_source *s, void *closure)
{
    if (s->at < 0)
        Py_RETURN_NONE;
    return PyLong_FromSsize_t(s->at);
}

static int set_index(rb_source *s, PyObject *value, void *closure)
{
    Py_ssize_t at = !value || value == Py_None ? -1 : PyLong_AsSsize_t(value);
    if (PyErr_Occurred())
        return -1;
    s->at = at;
    return 0;
}

static int read_rules(rb_source *s)
{
    PyObject *moments = PyObject_GetAttrString(s->rules, "moments"), *json = PyObject_GetAttrString(s->rules, "json");
    PyObject *invalid = PyObject_GetAttrString(s->rules, "invalid_utf8");
    s->zone = PyObject_GetAttrString(s->rules, "zone");
    int failed = !moments || !json || !invalid || !s->zone || !PyUnicode_Check(moments) || !PyUnicode_Check(json) ||
                 !PyUnicode_Check(invalid);
    if (!failed) {
        s->moments = !PyUnicode_CompareWithASCIIString(moments, "exact")   ? RB_MOMENTS_EXACT
                     : !PyUnicode_CompareWithASCIIString(moments, "ticks") ? RB_MOMENTS_TICKS
                                                                           : RB_MOMENTS_DATETIME;
        s->flat = !PyUnicode_CompareWithASCIIString(json, "paths");
        s->strict = !PyUnicode_CompareWithASCIIString(invalid, "error");
    }
    Py_XDECREF(moments);
    Py_XDECREF(json);
    Py_XDECREF(invalid);
    if (failed && !PyErr_Occurred())
        PyErr_SetString(PyExc_TypeError, "malformed rules");
    return failed ? -1 : 0;
}

/* --- the type ------------------------------------------------------------------------------------------- */

static void forget(rb_source *s)
{
    Py_CLEAR(s->piece);
    Py_CLEAR(s->chunks);
    Py_CLEAR(s->rules);
    Py_CLEAR(s->zone);
    Py_CLEAR(s->names);
    Py_CLEAR(s->column);
    Py_CLEAR(s->owners);
    Py_CLEAR(s->nodes);
    Py_CLEAR(s->labels);
    Py_CLEAR(s->failure);
    s->cells_count = 0;
    Py_CLEAR(s->columns);
    s->start = s->p = s->end = NULL;
}

/* Source(data, chunks, rules): as rowbinary._cursor.Cursor. */
static int source_init(rb_source *s, PyObject *args, PyObject *kwargs)
{
    PyObject *data, *chunks, *rules;
    if (!PyArg_ParseTuple(args, "SOO", &data, &chunks, &rules) || rb_read_init())
        return -1;
    if (s->piece) { /* somebody may be reading it */
        PyErr_SetString(PyExc_RuntimeError, "a cursor is made once");
        return -1;
    }
    s->base = 0;
    s->piece = Py_NewRef(data);
    s->start = s->p = (const uint8_t *)PyBytes_AS_STRING(data);
    s->end = s->start + PyBytes_GET_SIZE(data);
    s->chunks = chunks == Py_None ? NULL : Py_NewRef(chunks);
    s->rules = Py_NewRef(rules);
    s->row = s->cell = -1;
    s->level = s->depth = 0;
    s->empty = 0;
    s->at = -1;
    s->owner = NULL;
    s->failure = Py_NewRef(Py_None);
    s->owners = PyList_New(0);
    s->nodes = PyDict_New();
    s->labels = PyDict_New();
    return s->owners && s->nodes && s->labels ? read_rules(s) : -1;
}

static int source_traverse(rb_source *s, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(s));
    Py_VISIT(s->chunks);
    Py_VISIT(s->rules);
    Py_VISIT(s->zone);
    Py_VISIT(s->names);
    Py_VISIT(s->column);
    Py_VISIT(s->owners);
    Py_VISIT(s->nodes);
    Py_VISIT(s->labels);
    Py_VISIT(s->failure);
    Py_VISIT(s->columns);
    return 0;
}

static int source_clear(rb_source *s)
{
    forget(s);
    return 0;
}

static void source_free(rb_source *s)
{
    PyTypeObject *type = Py_TYPE(s);
    PyObject_GC_UnTrack(s);
    forget(s);
    PyMem_Free(s->cells);
    rb_tags_free(s->tags);
    for (int i = 0; i < RB_DOCUMENTS; i++)
        rb_documents_free(s->documents[i]);
    type->tp_free(s);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"take", (PyCFunction)source_take, METH_O, "The next bytes, so many."},
    {"ensure", (PyCFunction)source_ensure, METH_O, "Whether so many more bytes follow; waits for them."},
    {"data", (PyCFunction)source_data, METH_VARARGS, "The values of a column whose prefix was read."},
    {"outer", (PyCFunction)source_outer, METH_O, "The value of a block's column that an inner one belongs to."},
    {"kept", (PyCFunction)source_kept, METH_VARARGS, "The same, for tuples."},
    {"tuples", (PyCFunction)source_tuples, METH_VARARGS, "The rows of columns, so many."},
    {"rows", (PyCFunction)source_rows, METH_VARARGS, "The next rows of these columns, so many at most."},
    {NULL}};

static PyGetSetDef attributes[] = {
    {"offset", (getter)get_offset, NULL, "Bytes before this position."},
    {"left", (getter)get_left, NULL, "Bytes that are here already and were not read yet."},
    {"row", (getter)get_row, (setter)set_row, NULL},
    {"index", (getter)get_index, (setter)set_index, NULL},
    {"column", (getter)get_column, (setter)set_column, NULL},
    {NULL}};

#define OBJECT(name, flags) {#name, T_OBJECT, offsetof(rb_source, name), flags, NULL}
static PyMemberDef members[] = {
    OBJECT(rules, 0),
    OBJECT(owners, 0),
    OBJECT(nodes, 0),
    OBJECT(labels, 0),
    OBJECT(failure, 0),
    {"level", T_INT, offsetof(rb_source, level), 0, NULL},
    {"empty", T_PYSSIZET, offsetof(rb_source, empty), 0, NULL},
    {NULL}};

static PyType_Slot slots[] = {{Py_tp_doc, "Where bytes are read: see rowbinary._cursor."},
                              {Py_tp_new, PyType_GenericNew},
                              {Py_tp_init, source_init},
                              {Py_tp_dealloc, source_free},
                              {Py_tp_traverse, source_traverse},
                              {Py_tp_clear, source_clear},
                              {Py_tp_methods, methods},
                              {Py_tp_members, members},
                              {Py_tp_getset, attributes},
                              {0, NULL}};

PyType_Spec rb_source_spec = {"rowbinary._speedups.Source", sizeof(rb_source), 0,
                              Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};
