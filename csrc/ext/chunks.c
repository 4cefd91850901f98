/* rowbinary._speedups.Chunks: memory for kernels, which know no Python objects, to write chunks into. */
#include "rowbinary.h"

typedef struct {
    PyObject_HEAD rb_spare spares[RB_SPARES];
} chunks;

static PyObject *chunks_fresh(chunks *self, PyObject *number)
{
    Py_ssize_t size = PyLong_AsSsize_t(number);
    if (size < 0) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "a chunk has no negative size");
        return NULL;
    }
    return rb_fresh(self->spares, size);
}

static void chunks_dealloc(chunks *self)
{
    PyTypeObject *type = Py_TYPE(self);
    rb_leave_spares(self->spares);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"fresh", (PyCFunction)chunks_fresh, METH_O,
     "Bytes of that size, not initialised: nobody else has them, and the caller fills them in."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot slots[] = {{Py_tp_doc, "Chunks whose memory is used again once nobody holds them any more."},
                              {Py_tp_dealloc, chunks_dealloc},
                              {Py_tp_methods, methods},
                              {Py_tp_new, PyType_GenericNew},
                              {0, NULL}};

PyType_Spec rb_chunks_spec = {"rowbinary._speedups.Chunks", sizeof(chunks), 0,
                              Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, slots};
