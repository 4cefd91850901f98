/* JSON columns: the values of each path lie together, and documents are put together row by row. */
#include "parts.h"

/* What has been read of a JSON column. */
typedef struct {
    PyObject **typed;        /* lists of values */
    rb_members *dynamic;
    uint64_t *ends;          /* of the paths in shared data */
    PyObject *shared_paths, *shared_values;
    uint32_t *places;        /* in the documents' table: of the columns' paths */
} json_data;

static void free_data(json_data *data, const rb_part *part)
{
    for (Py_ssize_t i = 0; i < part->count; i++) {
        if (i < part->typed && data->typed)
            Py_XDECREF(data->typed[i]);
        if (i >= part->typed && data->dynamic)
            rb_members_free(&data->dynamic[i - part->typed], part->children[i]->count);
    }
    PyMem_Free(data->typed);
    PyMem_Free(data->dynamic);
    PyMem_Free(data->ends);
    PyMem_Free(data->places);
    Py_XDECREF(data->shared_paths);
    Py_XDECREF(data->shared_values);
}

/* Shared data: of each document paths and values that have no column. */
static int read_shared(rb_source *s, Py_ssize_t count, json_data *data)
{
    data->ends = rb_take_ends(s, count);
    if (!data->ends)
        return -1;
    Py_ssize_t total = count ? (Py_ssize_t)data->ends[count - 1] : 0;
    rb_owner owner = {s->owner, data->ends, NULL, count};
    s->owner = &owner;
    data->shared_paths = rb_read_each(s, total, rb_read_text);
    data->shared_values = data->shared_paths ? rb_read_shared(s, total) : NULL;
    s->owner = owner.outer;
    return data->shared_values ? 0 : -1;
}

static int read_data(rb_source *s, const rb_part *part, Py_ssize_t count, json_data *data)
{
    Py_ssize_t dynamic = part->count - part->typed;
    data->typed = PyMem_Calloc((size_t)part->typed + 1, sizeof *data->typed);
    data->dynamic = PyMem_Calloc((size_t)dynamic + 1, sizeof *data->dynamic);
    data->places = PyMem_Calloc((size_t)part->count + 1, sizeof *data->places);
    if (!data->typed || !data->dynamic || !data->places) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < part->typed; i++) {
        data->typed[i] = rb_read_part(s, part->children[i], count);
        if (!data->typed[i])
            return -1;
    }
    for (Py_ssize_t i = 0; i < dynamic; i++)
        if (rb_read_members(s, part->children[part->typed + i], count, &data->dynamic[i]))
            return -1;
    return read_shared(s, count, data);
}

/* What row `row` has in the columns. */
static int put_columns(rb_documents *d, const rb_part *part, const json_data *data, Py_ssize_t row)
{
    for (Py_ssize_t i = 0; i < part->typed; i++)
        if (rb_document_put(d, data->places[i], Py_NewRef(PyList_GET_ITEM(data->typed[i], row))))
            return -1;
    for (Py_ssize_t i = part->typed; i < part->count; i++) {
        PyObject *value = rb_next_member(&data->dynamic[i - part->typed], row);
        if (value && value != Py_None && rb_document_put(d, data->places[i], Py_NewRef(value)))
            return -1;
    }
    return 0;
}

/* What it has in shared data, from `start` to `end`. */
static int put_shared(rb_source *s, rb_documents *d, const json_data *data, Py_ssize_t row, Py_ssize_t start,
                      Py_ssize_t end)
{
    for (Py_ssize_t i = start; i < end; i++) {
        PyObject *path = PyList_GET_ITEM(data->shared_paths, i), *value = PyList_GET_ITEM(data->shared_values, i);
        uint32_t place = rb_document_path(d, path);
        if (place == UINT32_MAX)
            return -1;
        if (rb_document_has(d, place)) {
            s->at = row;
            rb_fail(s, "twice", "(OK)", path, (unsigned long long)rb_offset(s));
            return -1;
        }
        if (value != Py_None && rb_document_put(d, place, Py_NewRef(value)))
            return -1;
    }
    return 0;
}

static PyObject *documents_of(rb_source *s, rb_documents *d, const rb_part *part, Py_ssize_t count, json_data *data)
{
    PyObject *list = PyList_New(0);
    Py_ssize_t start = 0;
    for (Py_ssize_t i = 0; i < part->count; i++)
        if ((data->places[i] = rb_document_path(d, part->paths[i])) == UINT32_MAX)
            Py_CLEAR(list);
    for (Py_ssize_t row = 0; list && row < count; row++) {
        Py_ssize_t end = (Py_ssize_t)data->ends[row];
        rb_document_begin(d);
        int failed = put_columns(d, part, data, row) || put_shared(s, d, data, row, start, end);
        PyObject *document = failed ? NULL : rb_document_end(s, d);
        rb_document_drop(d);
        if (!document || PyList_Append(list, document))
            Py_CLEAR(list);
        Py_XDECREF(document);
        start = end;
    }
    return list;
}

PyObject *rb_read_json_part(rb_source *s, const rb_part *part, Py_ssize_t count)
{
    json_data data = {0};
    PyObject *list = NULL;
    rb_documents *d = rb_documents_of(s);
    if (!d)
        return NULL;
    s->depth++; /* documents in these have tables of their own */
    s->level++;
    if (!read_data(s, part, count, &data))
        list = documents_of(s, d, part, count, &data);
    s->level--;
    s->depth--;
    free_data(&data, part);
    return list;
}
