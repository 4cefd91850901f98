/* The buffer of rows, a chunk: a bytes object written in place, so that handing it out copies nothing.
 *
 * Fresh memory costs about as much as encoding into it (page faults), so the last two chunks are
 * remembered and written over once nobody else holds them; those of an encoder that goes, by the next. */
#include "rowbinary.h"

#define FIRST_SIZE ((Py_ssize_t)32 << 10)
#define SLACK ((Py_ssize_t)8 << 10) /* room for the row that ends a chunk */
#define LEFT ((Py_ssize_t)8 << 20) /* bytes of the chunks that encoders left behind, together */
#define WORTH ((Py_ssize_t)64 << 10) /* malloc keeps smaller ones itself */

static rb_spare left[RB_SPARES]; /* by those that are gone; the GIL guards it */

/* A remembered chunk that nobody else still holds, with at least `room` bytes; else NULL.  None is taken that
 * would stay half empty: rb_take would have to copy it. */
static PyObject *reusable(rb_spare *spares, Py_ssize_t room, Py_ssize_t *has)
{
    for (int i = 0; i < RB_SPARES; i++) {
        PyObject *bytes = spares[i].bytes;
        if (bytes && Py_REFCNT(bytes) == 1 && spares[i].room >= room && spares[i].room / 2 <= room) {
            *has = spares[i].room;
            spares[i].bytes = NULL;
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

/* Remember a chunk in place of the older of two; takes the reference. */
static void remember(rb_spare *spares, PyObject *bytes, Py_ssize_t room)
{
    int place = spares[0].bytes ? 1 : 0;
    if (spares[place].bytes) {
        Py_DECREF(spares[0].bytes);
        spares[0] = spares[1];
    }
    spares[place] = (rb_spare){bytes, room};
}

/* Leave a chunk to the next encoder, unless there is none or it is too small or too large for that. */
static void leave(rb_spare spare)
{
    Py_ssize_t together = spare.room;
    if (!spare.bytes || spare.room < WORTH || spare.room > LEFT) {
        Py_XDECREF(spare.bytes);
        return;
    }
    for (int i = 0; i < RB_SPARES; i++)
        together += left[i].bytes ? left[i].room : 0;
    for (int i = 0; i < RB_SPARES && together > LEFT; i++)
        if (left[i].bytes) {
            together -= left[i].room;
            Py_CLEAR(left[i].bytes);
        }
    remember(left, spare.bytes, spare.room);
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

static int RB_COLD chunk_grow(rb_buffer *out, size_t need)
{
    rb_chunk *c = (rb_chunk *)out;
    Py_ssize_t used = (Py_ssize_t)rb_size(out), room = out->end - out->start;
    if (need > RB_MAX_ROW || rb_row_is_too_long(out))
        return -1;
    Py_ssize_t wanted = c->bytes ? room + room / 2 : c->hint ? c->hint + SLACK : FIRST_SIZE;
    if (wanted < used + (Py_ssize_t)need)
        wanted = used + (Py_ssize_t)need + SLACK;
    PyObject *bytes = c->bytes ? NULL : reusable(c->spares, wanted, &wanted);
    if (!c->bytes && !bytes)
        bytes = reusable(left, wanted, &wanted);
    if (!bytes)
        bytes = resized(c->bytes, wanted);
    if (!bytes)
        return -1;
    c->bytes = bytes;
    out->start = (uint8_t *)PyBytes_AS_STRING(bytes);
    out->p = out->start + used;
    out->end = out->start + wanted;
    return 0;
}

/* `c` is zeroed memory. */
void rb_chunk_init(rb_chunk *c)
{
    c->out.grow = chunk_grow;
}

void rb_leave_spares(rb_spare *spares)
{
    for (int i = 0; i < RB_SPARES; i++)
        leave(spares[i]);
}

void rb_chunk_free(rb_chunk *c)
{
    rb_spare last = {c->bytes, c->out.end - c->out.start};
    leave(last);
    rb_leave_spares(c->spares);
}

/* Bytes of `size` to be written in place, in memory of a remembered chunk where there is one. */
PyObject *rb_fresh(rb_spare *spares, Py_ssize_t size)
{
    Py_ssize_t room = size;
    if (size < WORTH || size >= RB_LARGE)
        return PyBytes_FromStringAndSize(NULL, size);
    PyObject *bytes = reusable(spares, size, &room);
    if (!bytes)
        bytes = reusable(left, size, &room);
    if (!bytes)
        bytes = PyBytes_FromStringAndSize(NULL, room += size / 16); /* the next one may be a little larger */
    if (!bytes)
        return NULL;
    Py_SET_SIZE((PyVarObject *)bytes, size);
    PyBytes_AS_STRING(bytes)[size] = 0;
    remember(spares, Py_NewRef(bytes), room);
    return bytes;
}

/* What the chunk holds; it is empty afterwards. */
PyObject *rb_take(rb_chunk *c)
{
    rb_buffer *out = &c->out;
    Py_ssize_t size = (Py_ssize_t)rb_size(out), room = out->end - out->start;
    PyObject *bytes;
    if (size < room / 2) {
        bytes = PyBytes_FromStringAndSize((char *)out->start, size);
        if (!bytes)
            return NULL;
    } else {
        bytes = size < RB_LARGE ? c->bytes : resized(c->bytes, size);
        if (!bytes)
            return size ? NULL : PyBytes_FromStringAndSize(NULL, 0);
        Py_SET_SIZE((PyVarObject *)bytes, size);
        PyBytes_AS_STRING(bytes)[size] = 0;
        if (size < RB_LARGE)
            remember(c->spares, Py_NewRef(bytes), room);
        c->bytes = NULL;
        out->start = out->end = NULL;
    }
    out->p = out->start;
    out->mark = 0;
    /* The next chunk is likely to become as large, but no giant for ever after one. */
    c->hint = size < RB_LARGE ? size : 0;
    return bytes;
}

/* Append the content of any bytes-like object. */
int rb_append_object(rb_buffer *out, PyObject *bytes)
{
    Py_buffer view;
    if (PyObject_GetBuffer(bytes, &view, PyBUF_SIMPLE))
        return -1;
    int failed = rb_need(out, (size_t)view.len);
    if (!failed && view.len) {
        memcpy(out->p, view.buf, (size_t)view.len);
        out->p += view.len;
    }
    PyBuffer_Release(&view);
    return failed;
}
