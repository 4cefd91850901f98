/* The output buffer: a bytes object written in place, so that handing it out copies nothing.
 *
 * Fresh memory costs about as much as encoding into it (page faults), so the last two chunks are
 * remembered and written over once nobody else holds them. */
#include "rowbinary.h"

#define FIRST_SIZE ((Py_ssize_t)32 << 10)
#define SLACK ((Py_ssize_t)8 << 10) /* room for the row that ends a chunk */

/* A remembered chunk that only the encoder still holds, with at least `room` bytes; else NULL. */
static PyObject *reusable(rb_encoder *e, Py_ssize_t room, Py_ssize_t *has)
{
    for (int i = 0; i < RB_SPARES; i++) {
        PyObject *bytes = e->spares[i].bytes;
        if (bytes && Py_REFCNT(bytes) == 1 && e->spares[i].room >= room) {
            *has = e->spares[i].room;
            e->spares[i].bytes = NULL;
            Py_SET_SIZE((PyVarObject *)bytes, *has);
            _Py_COMP_DIAG_PUSH
            _Py_COMP_DIAG_IGNORE_DEPR_DECLS
            ((PyBytesObject *)bytes)->ob_shash = -1; /* whoever had it may have hashed it */
            _Py_COMP_DIAG_POP
            return bytes;
        }
    }
    return NULL;
}

/* Remember a chunk that is handed out. */
static void remember(rb_encoder *e, PyObject *bytes, Py_ssize_t room)
{
    int oldest = e->spares[0].bytes ? 1 : 0;
    if (e->spares[oldest].bytes) {
        Py_DECREF(e->spares[0].bytes);
        e->spares[0] = e->spares[1];
    }
    e->spares[oldest].bytes = Py_NewRef(bytes);
    e->spares[oldest].room = room;
}

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
    PyObject *bytes = e->bytes ? NULL : reusable(e, wanted, &wanted);
    if (!bytes)
        bytes = resized(e->bytes, wanted);
    if (!bytes)
        return -1;
    e->bytes = bytes;
    e->start = (uint8_t *)PyBytes_AS_STRING(bytes);
    e->p = e->start + used;
    e->end = e->start + wanted;
    return 0;
}

/* What the buffer holds; the encoder is empty afterwards. */
PyObject *rb_take(rb_encoder *e)
{
    Py_ssize_t size = rb_size(e), room = e->end - e->start;
    PyObject *bytes;
    if (size < room / 2) {
        bytes = PyBytes_FromStringAndSize((char *)e->start, size);
        if (!bytes)
            return NULL;
    } else {
        bytes = size < RB_LARGE ? e->bytes : resized(e->bytes, size);
        if (!bytes)
            return size ? NULL : PyBytes_FromStringAndSize(NULL, 0);
        Py_SET_SIZE((PyVarObject *)bytes, size);
        PyBytes_AS_STRING(bytes)[size] = 0;
        if (size < RB_LARGE)
            remember(e, bytes, room);
        e->bytes = NULL;
        e->start = e->end = NULL;
    }
    e->p = e->start;
    e->rows = e->row_start = 0;
    /* The next buffer is likely to become as large, but no giant for ever after one. */
    e->hint = size < RB_LARGE ? size : 0;
    return bytes;
}

/* Append the content of any bytes-like object. */
int rb_append_object(rb_encoder *e, PyObject *bytes)
{
    Py_buffer view;
    if (PyObject_GetBuffer(bytes, &view, PyBUF_SIMPLE))
        return -1;
    int failed = rb_need(e, (size_t)view.len);
    if (!failed && view.len) {
        memcpy(e->p, view.buf, (size_t)view.len);
        e->p += view.len;
    }
    PyBuffer_Release(&view);
    return failed;
}
