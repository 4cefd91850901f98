/* Values behind type tags.
 *
 * What a tag means is found by the reference when it is met for the first time, and remembered by its bytes:
 * no tag is the beginning of another, so bytes that are equal to one mean what it does. */
#include "source.h"

#define MOST_TAGS 1024     /* a hostile body has as many as it likes */
#define LONGEST_TAG 256    /* bytes; of the type's text, too, which each of its levels has */

typedef struct tag tag;
struct tag {
    tag *next;             /* with the same first byte */
    PyObject *py;          /* the Node; strong */
    const rb_node *node;   /* NULL is Nothing, which is NULL */
    size_t size;
    uint8_t bytes[];
};

struct rb_tags {
    tag *by_first[256];
    size_t count;
};

void rb_tags_free(rb_tags *tags)
{
    if (!tags)
        return;
    for (int i = 0; i < 256; i++)
        for (tag *t = tags->by_first[i], *next; t; t = next) {
            next = t->next;
            Py_XDECREF(t->py);
            PyMem_Free(t);
        }
    PyMem_Free(tags);
}

/* The tag that is at hand; NULL when it is none of those that were met. */
static inline const tag *known_tag(const rb_source *s)
{
    size_t left = (size_t)(s->end - s->p);
    if (!left || !s->tags)
        return NULL;
    const tag *t = s->tags->by_first[*s->p];
    while (t && (t->size > left || memcmp(t->bytes, s->p, t->size) != 0))
        t = t->next;
    return t;
}

static int is_short(PyObject *py)
{
    PyObject *text = py ? PyObject_GetAttrString(py, "text") : NULL;
    int is_short = !py || (text && PyUnicode_Check(text) && PyUnicode_GET_LENGTH(text) <= LONGEST_TAG);
    Py_XDECREF(text);
    if (!is_short)
        PyErr_Clear(); /* then it is not remembered, that is all */
    return is_short;
}

/* Remember the tag before `p` that began at `start`, where both are still in one piece. */
static void remember(rb_source *s, const uint8_t *start, PyObject *py, const rb_node *node)
{
    size_t size = (size_t)(s->p - start);
    if (!s->tags)
        s->tags = PyMem_Calloc(1, sizeof *s->tags);
    if (!s->tags || s->tags->count >= MOST_TAGS || size > LONGEST_TAG || !is_short(py))
        return;
    tag *t = PyMem_Malloc(sizeof *t + size);
    if (!t)
        return;
    *t = (tag){s->tags->by_first[*start], py ? Py_NewRef(py) : NULL, node, size};
    memcpy(t->bytes, start, size);
    s->tags->by_first[*start] = t;
    s->tags->count++;
}

/* The Node of the tag, which the reference reads; Py_None for Nothing. */
static PyObject *read_node(rb_source *s)
{
    PyObject *type = PyObject_CallOneArg(rb_read.read_type, (PyObject *)s);
    PyObject *family = type ? PyObject_GetAttrString(type, "family") : NULL, *node = NULL;
    if (family && PyUnicode_Check(family) && !PyUnicode_CompareWithASCIIString(family, "Nothing")) {
        node = Py_NewRef(Py_None);
    } else if (family) {
        PyObject *arguments[] = {(PyObject *)s, type};
        node = PyObject_Vectorcall(rb_read.compiled, arguments, 2, NULL);
    }
    Py_XDECREF(family);
    Py_XDECREF(type);
    return node;
}

static PyObject *RB_COLD read_new(rb_source *s)
{
    PyObject *value = NULL;
    uint64_t pieces = s->pieces;
    const uint8_t *start = s->p;
    PyObject *py = read_node(s);
    const rb_node *node = py && py != Py_None ? rb_node_of(py) : NULL;
    if (py && (node || py == Py_None)) {
        if (s->pieces == pieces)
            remember(s, start, node ? py : NULL, node);
        value = node ? rb_read_value(s, node) : Py_NewRef(Py_None);
    }
    Py_XDECREF(py);
    return value;
}

/* The value behind a type tag. */
PyObject *rb_read_dynamic(rb_source *s)
{
    const tag *t = known_tag(s);
    if (RB_UNLIKELY(!t))
        return PyErr_Occurred() ? NULL : read_new(s);
    s->p += t->size;
    return t->node ? rb_read_value(s, t->node) : Py_NewRef(Py_None);
}
