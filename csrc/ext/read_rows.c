/* Rows of the RowBinary formats. */
#include "source.h"

/* The compiled types of the columns, looked up once. */
static int open_columns(rb_source *s, PyObject *columns)
{
    if (s->columns == columns)
        return 0;
    PyObject *names = PyObject_GetAttrString(columns, "names"), *nodes = PyObject_GetAttrString(columns, "nodes");
    PyObject *defaults = PyObject_GetAttrString(columns, "defaults");
    int failed = !names || !nodes || !defaults || !PyTuple_Check(names) || !PyTuple_Check(nodes);
    Py_ssize_t count = failed ? 0 : PyTuple_GET_SIZE(nodes);
    const rb_node **cells = failed ? NULL : PyMem_Realloc(s->cells, ((size_t)count + 1) * sizeof *cells);
    if (cells) {
        s->cells = cells;
        s->cells_count = 0;
        s->defaults = PyObject_IsTrue(defaults);
    }
    if (!cells && !failed)
        PyErr_NoMemory();
    failed = !cells;
    for (Py_ssize_t i = 0; !failed && i < count; i++) {
        s->cells[i] = rb_node_of(PyTuple_GET_ITEM(nodes, i));
        failed = !s->cells[i];
    }
    if (!failed) {
        s->cells_count = count;
        Py_XSETREF(s->names, Py_NewRef(names));
        Py_XSETREF(s->columns, Py_NewRef(columns)); /* keeps the nodes alive */
    } else if (!PyErr_Occurred()) {
        PyErr_SetString(PyExc_TypeError, "malformed columns");
    }
    Py_XDECREF(names);
    Py_XDECREF(nodes);
    Py_XDECREF(defaults);
    return failed ? -1 : 0;
}

/* The marker in front of a cell: 1 = left to the server's DEFAULT, 0 = a value follows, -1 = no byte follows. */
static int read_marker(rb_source *s)
{
    if (!rb_has(s, 1)) {
        PyObject *byte = PyErr_Occurred() ? NULL : PyObject_CallMethod((PyObject *)s, "take", "i", 1);
        Py_XDECREF(byte); /* there is none */
        return -1;
    }
    return *s->p++ != 0;
}

static PyObject *read_cell(rb_source *s, Py_ssize_t i)
{
    int marker = s->defaults ? read_marker(s) : 0;
    if (marker)
        return marker < 0 ? NULL : Py_NewRef(rb_py.default_);
    return rb_read_value(s, s->cells[i]);
}

/* An error that says where it was, with the words of the reference. */
static void fail(rb_source *s, const char *reason)
{
    PyObject *text = PyUnicode_FromString(reason);
    PyObject *error = text ? PyObject_CallMethodOneArg((PyObject *)s, rb_read.s_error, text) : NULL;
    Py_XDECREF(text);
    if (error)
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_XDECREF(error);
}

static PyObject *read_row(rb_source *s)
{
    uint64_t start = rb_offset(s);
    PyObject *row = PyTuple_New(s->cells_count);
    if (!row)
        return NULL;
    if (s->cells_count)
        PyObject_GC_UnTrack(row); /* it has holes, and reading may run Python code */
    int tracked = 0;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(row); i++) {
        s->cell = i;
        PyObject *value = read_cell(s, i);
        if (RB_UNLIKELY(!value)) {
            Py_DECREF(row);
            return NULL;
        }
        tracked |= rb_is_tracked(value);
        PyTuple_SET_ITEM(row, i, value);
    }
    s->cell = -1;
    Py_XSETREF(s->column, Py_NewRef(Py_None));
    if (RB_UNLIKELY(rb_offset(s) == start)) {
        fail(s, "bytes after the header, but a row takes none");
        Py_CLEAR(row);
    } else if (tracked) {
        PyObject_GC_Track(row);
    }
    return row;
}

/* The error that is set, as an object. */
static PyObject *take_error(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    if (trace)
        PyException_SetTraceback(value, trace);
    Py_XDECREF(type);
    Py_XDECREF(trace);
    return value;
#endif
}

/* The next row; NULL also, without an error, when there is none for now: rows go out before more is waited for. */
static PyObject *next_row(rb_source *s, int first)
{
    Py_ssize_t empty = s->empty;
    s->may_rewind = !first;
    if (!rb_has(s, 1)) {
        if (PyErr_ExceptionMatches(rb_read.again))
            PyErr_Clear();
        return NULL;
    }
    const uint8_t *start = s->p;
    s->level = s->depth = 0;
    s->row++;
    PyObject *row = read_row(s);
    if (RB_LIKELY(row || !PyErr_ExceptionMatches(rb_read.again)))
        return row;
    PyErr_Clear();
    s->p = start; /* of the same piece, for nothing was waited for */
    s->row--;
    s->cell = -1;
    s->empty = empty;
    return NULL;
}

static void RB_COLD keep_error(rb_source *s)
{
    if (PyErr_ExceptionMatches(PyExc_RecursionError)) { /* the caller has used up the stack */
        PyErr_Clear();
        fail(s, "values nested too deeply for the interpreter's stack");
    }
    if (PyErr_ExceptionMatches(PyExc_Exception))
        Py_XSETREF(s->failure, take_error());
}

/* As rowbinary._read_rows.read_rows. */
PyObject *rb_read_rows(rb_source *s, PyObject *columns, Py_ssize_t most)
{
    if (s->failure && s->failure != Py_None) {
        PyErr_SetObject((PyObject *)Py_TYPE(s->failure), s->failure);
        return NULL;
    }
    PyObject *rows = open_columns(s, columns) ? NULL : PyList_New(0);
    if (!rows)
        return NULL;
    while (PyList_GET_SIZE(rows) < most) {
        PyObject *row = next_row(s, PyList_GET_SIZE(rows) == 0);
        if (!row)
            break;
        int failed = PyList_Append(rows, row);
        Py_DECREF(row);
        if (failed)
            break;
    }
    s->may_rewind = 0;
    if (PyErr_Occurred()) {
        keep_error(s);
        if (PyErr_Occurred() || !PyList_GET_SIZE(rows)) {
            Py_DECREF(rows);
            if (!PyErr_Occurred())
                PyErr_SetObject((PyObject *)Py_TYPE(s->failure), s->failure);
            return NULL;
        }
    }
    return rows;
}
