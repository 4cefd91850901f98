/* The output buffer: a bytes object written in place, so that handing it out copies nothing. */
#include "rowbinary.h"

#define FIRST_SIZE ((Py_ssize_t)64 << 10)
#define SLACK ((Py_ssize_t)8 << 10) /* room for the row that ends a chunk */

/* A bytes object of another size, or NULL with the old one untouched: unlike _PyBytes_Resize, which
 * frees it when memory is short, and with it the rows that wait there. */
static PyObject *resized(PyObject *bytes, Py_ssize_t size)
{
    if (!bytes)
        return PyBytes_FromStringAndSize(NULL, size);
#ifdef Py_TRACE_REFS
    _PyBytes_Resize(&bytes, size);
    return bytes;
#else
    PyObject *moved = PyObject_Realloc(bytes, offsetof(PyBytesObject, ob_sval) + (size_t)size + 1);
    if (!moved)
        return PyErr_NoMemory();
    Py_SET_SIZE((PyVarObject *)moved, size);
    PyBytes_AS_STRING(moved)[size] = 0;
    return moved;
#endif
}

/* Make room for `need` more bytes. */
int RB_COLD rb_grow(rb_encoder *e, size_t need)
{
    Py_ssize_t used = rb_size(e), room = e->end - e->start;
    if (need > (size_t)RB_MAX_ROW || used - e->row_start > RB_MAX_ROW)
        return -1;
    Py_ssize_t wanted = e->bytes ? room + room / 2 : e->hint ? e->hint + SLACK : FIRST_SIZE;
    if (wanted < used + (Py_ssize_t)need)
        wanted = used + (Py_ssize_t)need + SLACK;
    PyObject *bytes = resized(e->bytes, wanted);
    if (!bytes)
        return -1;
    e->bytes = bytes;
    e->start = (uint8_t *)PyBytes_AS_STRING(bytes);
    e->p = e->start + used;
    e->end = e->start + wanted;
    return 0;
}

/* The buffer as a bytes object of its size; the encoder has none afterwards. */
PyObject *rb_take(rb_encoder *e)
{
    Py_ssize_t size = rb_size(e);
    if (!size)
        return PyBytes_FromStringAndSize(NULL, 0);
    PyObject *bytes = resized(e->bytes, size);
    if (!bytes)
        return NULL;
    e->bytes = NULL;
    e->start = e->p = e->end = NULL;
    e->rows = e->row_start = 0;
    return bytes;
}

/* Append the content of any bytes-like object. */
int rb_append_object(rb_encoder *e, PyObject *bytes)
{
    Py_buffer view;
    if (PyObject_GetBuffer(bytes, &view, PyBUF_SIMPLE))
        return -1;
    int failed = rb_need(e, (size_t)view.len);
    if (!failed) {
        memcpy(e->p, view.buf, (size_t)view.len);
        e->p += view.len;
    }
    PyBuffer_Release(&view);
    return failed;
}
