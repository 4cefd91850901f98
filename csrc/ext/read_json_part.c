/* JSON columns: the values of each path lie together, and documents are put together row by row. */
#include "parts.h"

#define STRIP 32    /* documents whose values are made at a time: few enough to stay in the cache */
#define CELLS 2048  /* values of these, at most */

/* What has been read of one, beside the values of its paths. */
struct rb_json_data {
    rb_documents *documents;
    int level;               /* of the values in the documents */
    int straight;            /* none of them is unusual */
    uint32_t *places;        /* in the documents' table: of the columns' paths, */
    uint32_t *shared_places; /* and of those in shared data */
    rb_part shared;          /* the values there */
    PyObject **values;       /* room for those in the columns of `strip` documents */
    Py_ssize_t strip;
};

void rb_json_data_free(rb_json_data *json)
{
    if (!json)
        return;
    rb_documents_free(json->documents);
    PyMem_Free(json->places);
    PyMem_Free(json->shared_places);
    PyMem_Free(json->values);
    rb_part_forget(&json->shared);
    PyMem_Free(json);
}

/* --- reading ------------------------------------------------------------------------------------------------ */

static int new_json(rb_part *part)
{
    rb_json_data *json = part->json = PyMem_Calloc(1, sizeof *json);
    if (json) {
        json->shared.shape = RB_PART_SHARED;
        json->documents = rb_documents_new();
        json->places = PyMem_Calloc((size_t)part->count + 1, sizeof *json->places);
        json->strip = part->count > CELLS ? 1 : part->count * STRIP > CELLS ? CELLS / part->count : STRIP;
        json->values = PyMem_Calloc((size_t)(part->count * json->strip) + 1, sizeof *json->values);
    }
    if (!json || !json->documents || !json->places || !json->values) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < part->count; i++)
        if ((json->places[i] = rb_document_path(json->documents, part->paths[i])) == UINT32_MAX)
            return -1;
    return 0;
}

/* Note the paths that document `row` has in the columns, or may have. */
static void mark_columns(const rb_part *part, Py_ssize_t row)
{
    for (Py_ssize_t i = 0; i < part->count; i++)
        if (i < part->typed || part->children[i]->p[row] != RB_NO_MEMBER)
            rb_document_mark(part->json->documents, part->json->places[i]);
}

/* Room for one place more; it is made as they come. */
static int add_place(rb_json_data *json, size_t count, uint32_t place)
{
    if (!(count & (count - 1))) { /* 0, 1, 2, 4, 8 */
        uint32_t *moved = PyMem_Realloc(json->shared_places, 2 * (count + 1) * sizeof *moved);
        if (!moved) {
            PyErr_NoMemory();
            return -1;
        }
        json->shared_places = moved;
    }
    json->shared_places[count] = place;
    return 0;
}

/* The paths in shared data: -1 is an error, 1 that a document may have one twice. */
static int read_shared_paths(rb_source *s, rb_part *part, Py_ssize_t count)
{
    rb_json_data *json = part->json;
    int twice = 0;
    s->at = 0;
    for (Py_ssize_t row = 0; row < count; row++) {
        uint64_t end = part->ends[row];
        if ((uint64_t)s->at == end)
            continue;
        rb_document_begin(json->documents, 0);
        mark_columns(part, row);
        for (; (uint64_t)s->at < end; s->at++) {
            uint32_t place = rb_document_read(s, json->documents);
            if (place == UINT32_MAX || add_place(json, (size_t)s->at, place))
                return -1;
            twice |= rb_document_mark(json->documents, place);
        }
    }
    return twice;
}

/* Shared data: of each document paths and values that have no column. */
static int read_shared(rb_source *s, rb_part *part, Py_ssize_t count)
{
    part->ends = rb_take_ends(s, count);
    if (!part->ends)
        return -1;
    rb_owner owner = {s->owner, part->ends, NULL, count};
    s->owner = &owner;
    int twice = read_shared_paths(s, part, count);
    int failed = twice < 0 || rb_part_read(s, &part->json->shared, (Py_ssize_t)part->ends[count - 1], NULL);
    s->owner = owner.outer;
    return failed ? -1 : twice;
}

int rb_read_json_part(rb_source *s, rb_part *part, Py_ssize_t count)
{
    int failed = new_json(part), twice = 0;
    s->level++;
    for (Py_ssize_t i = 0; !failed && i < part->count; i++)
        failed = rb_part_read(s, part->children[i], count, NULL);
    if (!failed)
        failed = (twice = read_shared(s, part, count)) < 0;
    if (!failed) {
        part->json->level = s->level;
        part->json->straight = rb_document_straight(s, part->json->documents);
    }
    s->level--;
    return failed || (twice && rb_part_settle(s, part, count)) ? -1 : 0;
}

/* --- taking --------------------------------------------------------------------------------------------------- */

/* What a document has in the columns, from values that lie `stride` apart; takes them.  An untyped path that is
 * NULL is absent. */
static int put_columns(const rb_part *part, PyObject **values, Py_ssize_t stride)
{
    const rb_json_data *json = part->json;
    for (Py_ssize_t i = 0; i < part->count; i++, values += stride) {
        PyObject *value = *values;
        *values = NULL;
        if (i >= part->typed && value == Py_None)
            Py_DECREF(value);
        else if (rb_document_put(json->documents, json->places[i], value))
            return -1;
    }
    return 0;
}

/* What document `row` has in shared data. */
static int put_shared(rb_source *s, const rb_part *part, Py_ssize_t row)
{
    rb_json_data *json = part->json;
    uint64_t end = part->ends[row];
    for (uint64_t i = row ? part->ends[row - 1] : 0; i < end; i++) {
        PyObject *value;
        uint32_t place = json->shared_places[i];
        if (RB_UNLIKELY(rb_document_has(json->documents, place))) {
            s->at = row;
            rb_fail(s, "twice", "(OK)", rb_document_text(json->documents, place), (unsigned long long)rb_offset(s));
            return -1;
        }
        if (rb_part_take(s, &json->shared, &value, 1))
            return -1;
        if (value == Py_None)
            Py_DECREF(value);
        else if (rb_document_put(json->documents, place, value))
            return -1;
    }
    return 0;
}

static PyObject *take_document(rb_source *s, const rb_part *part, PyObject **values, Py_ssize_t stride, Py_ssize_t row)
{
    rb_documents *d = part->json->documents;
    int failed = rb_document_begin(d, part->json->straight) || put_columns(part, values, stride) ||
                 put_shared(s, part, row);
    PyObject *document = failed ? NULL : rb_document_end(s, d);
    rb_document_drop(d);
    return document;
}

/* The next `count` documents, from `row` on: path by path the values of all, then one by one. */
static int take_strip(rb_source *s, const rb_part *part, PyObject **out, Py_ssize_t count, Py_ssize_t row)
{
    PyObject **values = part->json->values;
    memset(values, 0, (size_t)(part->count * count) * sizeof *values);
    int failed = 0;
    for (Py_ssize_t i = 0; !failed && i < part->count; i++)
        failed = rb_part_take(s, part->children[i], values + i * count, count);
    for (Py_ssize_t i = 0; !failed && i < count; i++)
        if (!(out[i] = take_document(s, part, values + i, count, row + i)))
            failed = rb_drop(out, i);
    return failed ? rb_drop(values, part->count * count) : 0;
}

int rb_take_documents(rb_source *s, rb_part *part, PyObject **out, Py_ssize_t count)
{
    int level = s->level, failed = 0;
    Py_ssize_t strip = part->json->strip;
    s->level = part->json->level;
    for (Py_ssize_t i = 0; !failed && i < count; i += strip)
        if (take_strip(s, part, out + i, count - i < strip ? count - i : strip, part->at + i))
            failed = rb_drop(out, i);
    s->level = level;
    return failed;
}
