/* Columns of a block as lists, or put together to rows. */
#include "parts.h"

static const char CAPSULE[] = "rowbinary.cells";

#define STRIP 256        /* rows whose values are made at a time: few enough to stay in the cache */
#define CELLS (1 << 13)  /* values of these, at most */

/* --- columns -------------------------------------------------------------------------------------------------- */

/* The data of a column of the reference, which has read its prefix. */
static rb_part *read_column(rb_source *s, PyObject *column, Py_ssize_t count)
{
    rb_part *part = rb_part_new(column);
    s->owner = NULL;
    s->depth = 0;
    if (part && rb_part_read(s, part, count, NULL)) {
        rb_part_free(part);
        part = NULL;
    }
    s->owner = NULL; /* they were on the stack */
    return part;
}

/* A list of its values. */
PyObject *rb_read_column(rb_source *s, PyObject *column, Py_ssize_t count)
{
    rb_part *part = read_column(s, column, count);
    PyObject *list = part ? rb_part_list(s, part, count) : NULL;
    rb_part_free(part);
    if (list)
        PyObject_GC_Track(list);
    return list;
}

/* What a capsule has. */
typedef struct {
    rb_part *part;
    PyObject *column;    /* has what the part borrows */
    Py_ssize_t count;
} cells;

static void free_cells(PyObject *capsule)
{
    cells *c = PyCapsule_GetPointer(capsule, CAPSULE);
    rb_part_free(c->part);
    Py_DECREF(c->column);
    PyMem_Free(c);
}

/* A capsule, from which rb_rows_of takes the values. */
PyObject *rb_read_cells(rb_source *s, PyObject *column, Py_ssize_t count)
{
    rb_part *part = read_column(s, column, count);
    cells *c = part ? PyMem_Malloc(sizeof *c) : NULL;
    if (part && !c)
        PyErr_NoMemory();
    PyObject *capsule = c ? PyCapsule_New(c, CAPSULE, free_cells) : NULL;
    if (!capsule) {
        PyMem_Free(c);
        rb_part_free(part);
        return NULL;
    }
    *c = (cells){part, Py_NewRef(column), count};
    return capsule;
}

/* --- rows ----------------------------------------------------------------------------------------------------- */

/* The next `count` values of a column, of which there are `left`. */
static int take_cells(rb_source *s, PyObject *column, PyObject **out, Py_ssize_t count, Py_ssize_t left)
{
    if (PyCapsule_IsValid(column, CAPSULE)) {
        cells *c = PyCapsule_GetPointer(column, CAPSULE);
        if (c->count == left) {
            c->count -= count;
            int failed = rb_part_take(s, c->part, out, count);
            if (!c->count)
                rb_part_forget(c->part);
            return failed;
        }
    } else if (PyList_CheckExact(column) && PyList_GET_SIZE(column) >= left) {
        PyObject **items = &PyList_GET_ITEM(column, PyList_GET_SIZE(column) - left);
        for (Py_ssize_t i = 0; i < count; i++)
            out[i] = Py_NewRef(items[i]);
        return 0;
    }
    PyErr_SetString(PyExc_ValueError, "columns must be of one length");
    return -1;
}

/* A tuple of values that lie `stride` apart; takes them. */
static PyObject *row_of(PyObject **values, Py_ssize_t width, Py_ssize_t stride)
{
    PyObject *row = PyTuple_New(width);
    int tracked = 0;
    if (!row)
        return NULL;
    PyObject_GC_UnTrack(row);
    for (Py_ssize_t i = 0; i < width; i++, values += stride) {
        tracked |= rb_is_tracked(*values);
        PyTuple_SET_ITEM(row, i, *values);
        *values = NULL;
    }
    if (tracked)
        PyObject_GC_Track(row);
    return row;
}

/* The next `count` rows, of which there are `left`. */
static int take_rows(rb_source *s, PyObject *columns, PyObject **values, PyObject **rows, Py_ssize_t count,
                     Py_ssize_t left)
{
    Py_ssize_t width = PyTuple_GET_SIZE(columns), made = 0;
    int failed = 0;
    memset(values, 0, (size_t)(width * count) * sizeof *values);
    for (Py_ssize_t i = 0; !failed && i < width; i++)
        failed = take_cells(s, PyTuple_GET_ITEM(columns, i), values + i * count, count, left);
    for (; !failed && made < count; made++)
        failed = !(rows[made] = row_of(values + made, width, count));
    return failed ? rb_drop(values, width * count) : 0;
}

/* The rows of columns, `count` of them: zip() would show each to the collector. */
PyObject *rb_rows_of(rb_source *s, PyObject *columns, Py_ssize_t count)
{
    PyObject *held = PySequence_Tuple(columns), *rows = NULL;
    Py_ssize_t width = held ? PyTuple_GET_SIZE(held) : 0;
    Py_ssize_t strip = !width || width > CELLS ? 1 : CELLS / width < STRIP ? CELLS / width : STRIP;
    PyObject **values = held ? PyMem_Malloc((size_t)(width * strip + 1) * sizeof *values) : NULL;
    if (held && (count < 0 || !width))
        PyErr_SetString(PyExc_ValueError, "rows of no columns");
    else if (held && !values)
        PyErr_NoMemory();
    else if (held)
        rows = rb_list_with_holes(count);
    for (Py_ssize_t i = 0; rows && i < count; i += strip) {
        Py_ssize_t some = count - i < strip ? count - i : strip;
        if (take_rows(s, held, values, &PyList_GET_ITEM(rows, i), some, count - i))
            Py_CLEAR(rows);
    }
    PyMem_Free(values);
    Py_XDECREF(held);
    if (rows)
        PyObject_GC_Track(rows);
    return rows;
}
