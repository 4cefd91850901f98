/* RowEncoder, the twin of rowbinary._encode.RowEncoder: rows from an iterator, chunks out. */
#include "columns.h"
#include "dict_items.h"
#include "trail.h"

#include <structmember.h>

static int enter(rb_encoder *e)
{
    if (e->busy || !e->nodes) {
        PyErr_SetString(PyExc_RuntimeError,
                        "this encoder is in use, by another thread or by the value being encoded");
        return -1;
    }
    e->busy = 1;
    return 0;
}

/* Signed, as the limits that it is compared with. */
static inline Py_ssize_t bytes_held(const rb_encoder *e)
{
    size_t open = e->block && e->block->rows ? e->block->size : 0;
    return (Py_ssize_t)(rb_size(&e->chunk.out) + open);
}

/* Whether more rows are to be taken: for a Native block a few more than enough, where they are the last. */
static inline int takes_more(const rb_encoder *e, Py_ssize_t limit)
{
    Py_ssize_t held = bytes_held(e);
    return held < limit || (e->block && rb_block_goes_on(e->block, (size_t)held, (size_t)limit));
}

static PyObject *encoder_append(rb_encoder *e, PyObject *data)
{
    if (enter(e))
        return NULL;
    int failed = (e->block && rb_block_close(e)) || rb_append_object(&e->chunk.out, data);
    e->busy = 0;
    if (failed)
        return PyErr_Occurred() ? NULL : PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyObject *encoder_write(rb_encoder *e, PyObject *row)
{
    if (enter(e))
        return NULL;
    int failed = rb_write_row(e, row);
    e->busy = 0;
    if (failed)
        return NULL;
    Py_RETURN_NONE;
}

/* Give a refused row to on_error; 0 when it took it. */
static int RB_COLD report(rb_encoder *e, PyObject *on_error, PyObject *row)
{
    if (on_error == Py_None || !PyErr_ExceptionMatches(rb_py.encode_error))
        return -1;
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    if (traceback)
        PyException_SetTraceback(error, traceback);
    PyObject *index = PyObject_GetAttr(error, rb_py.s_row), *done = NULL;
    if (index)
        done = PyObject_CallFunctionObjArgs(on_error, row, index, error, NULL);
    Py_XDECREF(index);
    Py_XDECREF(type);
    Py_XDECREF(error);
    Py_XDECREF(traceback);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* One row, given to on_error when it is refused. */
static inline int take_row(rb_encoder *e, PyObject *row, PyObject *on_error)
{
    return RB_UNLIKELY(rb_write_row(e, row)) && report(e, on_error, row) ? -1 : 0;
}

static int fill_from_iterator(rb_encoder *e, PyObject *rows, Py_ssize_t limit, PyObject *on_error, int *ended)
{
    while (bytes_held(e) < limit) {
        PyObject *row = PyIter_Next(rows);
        if (RB_UNLIKELY(!row)) {
            *ended = 1;
            return PyErr_Occurred() ? -1 : 0;
        }
        int failed = take_row(e, row, on_error);
        Py_DECREF(row);
        if (RB_UNLIKELY(failed))
            return -1;
    }
    return 0;
}

/* Rows are scattered over memory, and each level of them can be fetched only when the one above has come.
 * So while a row is written, rows further on are asked for: the row itself, then its cells, then what a
 * container among them has places for, then what is in these. */
static inline void fetch_tuples(const rb_encoder *e, PyObject **rows)
{
    for (int ahead = 1; ahead <= 3; ahead++)
        if (!PyTuple_CheckExact(rows[ahead]) || PyTuple_GET_SIZE(rows[ahead]) != e->columns)
            return;
    rb_prefetch_tuple(rows[4], e->columns);
    for (Py_ssize_t i = 0; i < e->columns; i++)
        rb_prefetch(PyTuple_GET_ITEM(rows[3], i), e->reach[i]);
    for (Py_ssize_t k = 0; k < e->container_count; k++) {
        rb_prefetch_places(PyTuple_GET_ITEM(rows[2], e->containers[k]));
        rb_prefetch_items(PyTuple_GET_ITEM(rows[1], e->containers[k]));
    }
}

/* The table of a dict row has a place for each column behind its index, which has a byte or two for each. */
static inline void fetch_row_table(const rb_encoder *e, PyObject *row)
{
    if (!PyDict_CheckExact(row))
        return;
    const char *table = (const char *)((PyDictObject *)row)->ma_keys;
    Py_ssize_t size = 64 + e->columns * 18;
    for (Py_ssize_t at = 0; at < size && at < 1024; at += 64)
        rb_fetch_line(table + at);
}

static inline void prefetch_rows(const rb_encoder *e, PyObject *list, Py_ssize_t i)
{
    if (i + 4 >= PyList_GET_SIZE(list))
        return;
    PyObject **rows = &((PyListObject *)list)->ob_item[i];
    if (PyTuple_CheckExact(rows[0])) {
        fetch_tuples(e, rows);
        return;
    }
    rb_fetch_line(rows[4]);
    fetch_row_table(e, rows[2]);
    rb_prefetch_items(rows[1]);
}

/* The next rows of the list, of which some cells are written first (ahead.c). */
static int fill_ahead(rb_encoder *e, PyObject *list, Py_ssize_t *index, Py_ssize_t limit, PyObject *on_error)
{
    PyObject *rows[RB_AHEAD];
    Py_ssize_t count = rb_ahead_open(e, list, *index, rows);
    int failed = 0;
    rb_ahead_fetch(e->block, rows, -2, count);
    rb_ahead_fetch(e->block, rows, -1, count);
    for (Py_ssize_t k = 0; k < count && !failed && takes_more(e, limit); k++) {
        if (*index >= PyList_GET_SIZE(list) || PyList_GET_ITEM(list, *index) != rows[k])
            break; /* a row before changed the list */
        (*index)++;
        if (k < e->block->whole) {
            failed = rb_block_follow(e);
        } else {
            rb_ahead_fetch(e->block, rows, k, count);
            failed = take_row(e, rows[k], on_error);
        }
    }
    if (count)
        rb_block_end_ahead(e);
    for (Py_ssize_t k = 0; k < count; k++)
        Py_DECREF(rows[k]);
    return failed;
}

static int fill_from_list(rb_encoder *e, PyObject *list, Py_ssize_t *index, Py_ssize_t limit, PyObject *on_error,
                          int *ended)
{
    while (takes_more(e, limit)) {
        if (*index >= PyList_GET_SIZE(list)) {
            *ended = 1;
            return 0;
        }
        if (e->block && e->block->ahead_most) {
            if (RB_UNLIKELY(fill_ahead(e, list, index, limit, on_error)))
                return -1;
            continue;
        }
        prefetch_rows(e, list, *index);
        PyObject *row = Py_NewRef(PyList_GET_ITEM(list, (*index)++));
        int failed = take_row(e, row, on_error);
        Py_DECREF(row);
        if (RB_UNLIKELY(failed))
            return -1;
    }
    return 0;
}

/* The list behind a list iterator and its place in it, by the pickle protocol; 0 when it is at its end. */
static int open_list_iterator(PyObject *rows, PyObject **list, Py_ssize_t *index)
{
    PyObject *state = PyObject_CallMethod(rows, "__reduce__", NULL), *function, *args;
    int found = 0;
    if (state && PyTuple_GET_SIZE(state) == 3 && PyArg_ParseTuple(state, "OOn", &function, &args, index) &&
        PyTuple_CheckExact(args) && PyTuple_GET_SIZE(args) == 1 && PyList_CheckExact(PyTuple_GET_ITEM(args, 0))) {
        *list = Py_NewRef(PyTuple_GET_ITEM(args, 0));
        found = 1;
    }
    Py_XDECREF(state);
    return PyErr_Occurred() ? -1 : found;
}

static int fill_from(rb_encoder *e, PyObject *rows, Py_ssize_t limit, PyObject *on_error, int *ended)
{
    PyObject *list = NULL;
    Py_ssize_t index = 0;
    int is_list = Py_TYPE(rows) == &PyListIter_Type ? open_list_iterator(rows, &list, &index) : 0;
    if (is_list < 0)
        return -1;
    if (!is_list)
        return fill_from_iterator(e, rows, limit, on_error, ended);
    if (e->block) {
        e->block->list = list;
        e->block->index = &index;
    }
    int failed = fill_from_list(e, list, &index, limit, on_error, ended);
    if (e->block)
        e->block->list = NULL;
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback); /* leave the iterator where the loop has come to */
    PyObject *done = PyObject_CallMethod(rows, "__setstate__", "n", index);
    Py_XDECREF(done);
    Py_DECREF(list);
    if (failed)
        PyErr_Restore(type, error, traceback);
    return failed || !done ? -1 : 0;
}

static PyObject *encoder_fill(rb_encoder *e, PyObject *const *args, Py_ssize_t count)
{
    if (count != 3 || !PyIter_Check(args[0]))
        return PyErr_SetString(PyExc_TypeError, "fill(iterator, limit, on_error)"), NULL;
    Py_ssize_t limit = PyLong_AsSsize_t(args[1]);
    if ((limit == -1 && PyErr_Occurred()) || enter(e))
        return NULL;
    if (!e->chunk.bytes && limit < RB_LARGE)
        e->chunk.hint = limit;
    int ended = 0;
    int failed = fill_from(e, args[0], limit, args[2], &ended);
    e->busy = 0;
    return failed ? NULL : PyBool_FromLong(ended);
}

static PyObject *encoder_take(rb_encoder *e, PyObject *unused)
{
    if (enter(e))
        return NULL;
    PyObject *bytes = e->block && rb_block_close(e) ? NULL : rb_take(&e->chunk);
    if (bytes)
        e->rows = 0;
    e->busy = 0;
    return bytes;
}

static PyObject *encoder_renew(rb_encoder *e, PyObject *unused)
{
    if (enter(e))
        return NULL;
    e->busy = 0;
    if (e->rows)
        return PyErr_SetString(PyExc_ValueError, "there are rows in the buffer"), NULL;
    if (e->block)
        rb_block_renew(e);
    Py_RETURN_NONE;
}

static Py_ssize_t encoder_length(rb_encoder *e)
{
    return bytes_held(e);
}

static int read_choice(PyObject *options, const char *name, const char *wanted)
{
    PyObject *value = PyObject_GetAttrString(options, name);
    if (!value)
        return -1;
    int answer = PyUnicode_Check(value) ? PyUnicode_CompareWithASCIIString(value, wanted) == 0
                                        : PyObject_IsTrue(value);
    Py_DECREF(value);
    return answer;
}

static int read_options(rb_encoder *e)
{
    PyObject *o = e->options;
    int text = read_choice(o, "json", "text"), string = read_choice(o, "json", "string");
    e->json = text ? RB_JSON_TEXT : string ? RB_JSON_STRING : RB_JSON_EXACT;
    e->naive_utc = read_choice(o, "naive", "utc");
    e->naive_local = read_choice(o, "naive", "local");
    PyObject *zone = PyObject_GetAttrString(e->context, "zone");
    e->json_utc = zone && rb_is_utc(zone);
    Py_XDECREF(zone);
    e->ignore_extra = read_choice(o, "extra", "ignore");
    e->defaults = read_choice(o, "defaults", "");
    return !zone || text < 0 || string < 0 || e->naive_utc < 0 || e->naive_local < 0 || e->ignore_extra < 0 ||
           e->defaults < 0;
}

static int is_container(const rb_node *node)
{
    return node->op == RB_OP_JSON || node->op == RB_OP_ARRAY || node->op == RB_OP_MAP;
}

/* The node structs of all columns.  They belong to Nodes, which the plan keeps alive. */
static int read_columns(rb_encoder *e)
{
    PyObject *nodes = PyObject_GetAttrString(e->plan, "nodes");
    e->names = PyObject_GetAttrString(e->plan, "names");
    int failed = !nodes || !e->names || !PyTuple_Check(nodes) || !PyTuple_Check(e->names) ||
                 PyTuple_GET_SIZE(nodes) != PyTuple_GET_SIZE(e->names);
    if (!failed) {
        e->columns = PyTuple_GET_SIZE(nodes);
        e->nodes = PyMem_Calloc((size_t)e->columns + 1, sizeof *e->nodes);
        e->keys = PyMem_Calloc((size_t)e->columns + 1, sizeof *e->keys);
        e->reach = PyMem_Calloc((size_t)e->columns + 1, sizeof *e->reach);
        failed = !e->nodes || !e->keys || !e->reach;
    }
    for (Py_ssize_t i = 0; !failed && i < e->columns; i++)
        e->keys[i] = Py_NewRef(PyTuple_GET_ITEM(e->names, i));
    for (Py_ssize_t i = 0; !failed && i < e->columns; i++) {
        e->nodes[i] = rb_node_of(PyTuple_GET_ITEM(nodes, i));
        failed = !e->nodes[i];
        if (!failed)
            e->reach[i] = (uint8_t)rb_reach_of(e->nodes[i]);
        if (!failed && is_container(e->nodes[i]) && e->container_count < RB_CONTAINERS)
            e->containers[e->container_count++] = i;
    }
    Py_XDECREF(nodes);
    return failed;
}

/* The groups one behind the other, with -1 behind each; -1 for a malformed plan. */
static int list_groups(rb_encoder *e, PyObject *groups)
{
    for (Py_ssize_t g = 0; g < PyTuple_GET_SIZE(groups); g++) {
        PyObject *group = PyTuple_GET_ITEM(groups, g);
        size_t used = (size_t)(e->grouped_end - e->grouped), more = (size_t)PyTuple_GET_SIZE(group) + 1;
        Py_ssize_t *moved = PyMem_Realloc(e->grouped, (used + more) * sizeof *moved);
        if (!moved)
            return -1;
        e->grouped = moved;
        e->grouped_end = moved + used;
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(group); i++) {
            Py_ssize_t column = PyLong_AsSsize_t(PyTuple_GET_ITEM(group, i));
            if (column < 0 || column >= e->columns)
                return -1;
            *e->grouped_end++ = column;
        }
        *e->grouped_end++ = -1;
    }
    return 0;
}

static int read_groups(rb_encoder *e)
{
    PyObject *groups = PyObject_GetAttrString(e->plan, "nested");
    int failed = !groups || !PyTuple_Check(groups);
    if (!failed && PyTuple_GET_SIZE(groups)) {
        e->lengths = PyMem_Calloc((size_t)e->columns + 1, sizeof *e->lengths);
        failed = !e->lengths || list_groups(e, groups);
    }
    Py_XDECREF(groups);
    return failed;
}

/* Columns whose DEFAULT is written as a value: the server would get it wrong, or would have to be given
 * a block of its own. */
static int read_no_default(rb_encoder *e, int native)
{
    PyObject *found = PyObject_GetAttrString(e->plan, native ? "plain" : "no_default");
    Py_ssize_t count = found ? PyObject_Size(found) : -1;
    int failed = count < 0;
    if (count > 0) {
        e->no_default = PyMem_Calloc((size_t)e->columns + 1, 1);
        failed = !e->no_default;
    }
    for (Py_ssize_t i = 0; count > 0 && !failed && i < e->columns; i++) {
        PyObject *index = PyLong_FromSsize_t(i);
        int is_in = index ? PySequence_Contains(found, index) : -1;
        Py_XDECREF(index);
        failed = is_in < 0;
        e->no_default[i] = is_in > 0;
    }
    Py_XDECREF(found);
    return failed;
}

/* What depends on whether the rows are for a Native block. */
static int open_native(rb_encoder *e)
{
    int native = read_choice(e->options, "native", "");
    if (native < 0 || read_no_default(e, native))
        return -1;
    return native ? rb_block_open(e) : 0;
}

static int encoder_init(rb_encoder *e, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"plan", "options", NULL};
    PyObject *plan, *options;
    if (e->plan)
        return PyErr_SetString(PyExc_RuntimeError, "RowEncoder is already initialised"), -1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO", names, &plan, &options))
        return -1;
    rb_chunk_init(&e->chunk);
    e->plan = Py_NewRef(plan);
    e->options = Py_NewRef(options);
    e->context = PyObject_CallOneArg(rb_py.make_context, options);
    if (!e->context || read_options(e) || read_columns(e) || read_groups(e) ||
        open_native(e)) {
        PyMem_Free(e->nodes);
        e->nodes = NULL;
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "malformed plan");
        return -1;
    }
    return 0;
}

static int encoder_traverse(rb_encoder *e, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(e));
    Py_VISIT(e->plan);
    Py_VISIT(e->options);
    Py_VISIT(e->context);
    Py_VISIT(e->names);
    return 0;
}

static void encoder_dealloc(rb_encoder *e)
{
    PyTypeObject *type = Py_TYPE(e);
    PyObject_GC_UnTrack(e);
    rb_block_free(e);
    rb_chunk_free(&e->chunk);
    Py_XDECREF(e->plan);
    Py_XDECREF(e->options);
    Py_XDECREF(e->context);
    Py_XDECREF(e->names);
    for (Py_ssize_t i = 0; e->keys && i < e->columns; i++)
        Py_XDECREF(e->keys[i]);
    PyMem_Free(e->keys);
    PyMem_Free(e->nodes);
    PyMem_Free(e->reach);
    PyMem_Free(e->grouped);
    PyMem_Free(e->no_default);
    PyMem_Free(e->lengths);
    PyMem_Free(e->prefix);
    rb_trail_free(e->trail);
    PyMem_Free(e->offsets);
    type->tp_free((PyObject *)e);
    Py_DECREF(type);
}

static PyObject *get_implementation(rb_encoder *e, void *unused)
{
    return PyUnicode_FromString("c");
}

static PyMethodDef methods[] = {
    {"append", (PyCFunction)encoder_append, METH_O, "Put bytes that are no row into the buffer."},
    {"write", (PyCFunction)encoder_write, METH_O, "Encode one row."},
    {"fill", (PyCFunction)(void (*)(void))encoder_fill, METH_FASTCALL,
     "fill(rows, limit, on_error): encode rows until the buffer has `limit` bytes; whether they ended."},
    {"take", (PyCFunction)encoder_take, METH_NOARGS, "The buffer's bytes; it is empty afterwards."},
    {"renew", (PyCFunction)encoder_renew, METH_NOARGS, "Make of the rows to come what a new encoder would."},
    {NULL, NULL, 0, NULL}};

static PyMemberDef members[] = {
    {"index", T_PYSSIZET, offsetof(rb_encoder, index), READONLY, "rows taken so far, good or bad"},
    {"rows", T_PYSSIZET, offsetof(rb_encoder, rows), READONLY, "rows in the buffer"},
    {NULL, 0, 0, 0, NULL}};

static PyGetSetDef getset[] = {{"implementation", (getter)get_implementation, NULL, NULL, NULL},
                               {NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot slots[] = {{Py_tp_doc, "Encodes rows of one plan into a growing buffer."},
                              {Py_tp_init, encoder_init},
                              {Py_tp_dealloc, encoder_dealloc},
                              {Py_tp_traverse, encoder_traverse},
                              {Py_tp_methods, methods},
                              {Py_tp_members, members},
                              {Py_tp_getset, getset},
                              {Py_mp_length, encoder_length},
                              {0, NULL}};

PyType_Spec rb_encoder_spec = {
    .name = "rowbinary._speedups.RowEncoder",
    .basicsize = sizeof(rb_encoder),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};
