/* The data of columns: where the values are, or the error of what is wrong with them. */
#include "parts.h"

/* Keep the next `size` bytes, which are at hand, as those of the part. */
static void keep(rb_source *s, rb_part *part, size_t size, size_t width)
{
    Py_XSETREF(part->piece, Py_NewRef(s->piece));
    part->p = s->p;
    part->width = width;
    s->p += size;
}

/* --- scalars ------------------------------------------------------------------------------------------------ */

static inline PyObject *read_one(rb_source *s, const rb_node *node)
{
    return RB_LIKELY(s->level < RB_MAX_LEVELS) ? rb_read_scalar(s, node) : rb_read_value(s, node);
}

/* Pass the value under a NULL, which can be one that the type does not have. */
static int skip_one(rb_source *s, const rb_node *node)
{
    uint64_t size = rb_op_width[node->op] ? rb_op_width[node->op] : node->size;
    unsigned length = node->op == RB_OP_STRING ? rb_peek_varint(s, &size) : 0;
    if (node->op == RB_OP_STRING && (!length || size > RB_MAX_STRING || !rb_has(s, length + (size_t)size))) {
        PyObject *data = PyErr_Occurred() ? NULL : PyObject_CallMethod((PyObject *)s, "data_of_string", NULL);
        Py_XDECREF(data);
        return data ? 0 : -1;
    }
    if (!rb_has(s, length + (size_t)size)) {
        PyObject *data = PyErr_Occurred() ? NULL : PyObject_CallMethod((PyObject *)s, "take", "K", size);
        Py_XDECREF(data);
        return data ? 0 : -1;
    }
    s->p += length + size;
    return 0;
}

/* The values one by one, or the error of the first that is none.  Room is made as they come. */
static int make_scalars(rb_source *s, rb_part *part, Py_ssize_t count)
{
    const char *nulls = part->nulls ? PyBytes_AS_STRING(part->nulls) : NULL;
    part->values = rb_list_with_holes(0);
    for (Py_ssize_t i = 0; part->values && i < count; i++) {
        s->at = i;
        PyObject *value;
        if (nulls && nulls[i])
            value = skip_one(s, part->node) ? NULL : Py_NewRef(Py_None);
        else
            value = read_one(s, part->node);
        int failed = !value || PyList_Append(part->values, value);
        Py_XDECREF(value);
        if (RB_UNLIKELY(failed))
            return -1;
    }
    return part->values ? 0 : -1;
}

/* Whether so many bytes more than `done` are at hand, behind which `left` are. */
static inline int has_more(rb_source *s, size_t done, size_t left, size_t count)
{
    return RB_LIKELY(left >= count) || rb_pull(s, done + count);
}

/* The bytes of `count` Strings that follow: 0 where they do not, or are longer than allowed. */
static size_t measure_texts(rb_source *s, Py_ssize_t count)
{
    size_t done = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        uint64_t size;
        size_t left = (size_t)(s->end - s->p) - done;
        unsigned length;
        while (RB_UNLIKELY(!(length = rb_varint_at(s->p + done, left, &size)))) {
            if (left >= RB_VARINT_READ || !rb_pull(s, done + left + 1))
                return 0;
            left = (size_t)(s->end - s->p) - done;
        }
        if (RB_UNLIKELY(size > RB_MAX_STRING || !has_more(s, done, left, length + (size_t)size)))
            return 0;
        done += length + (size_t)size;
    }
    return done;
}

static int read_scalars(rb_source *s, rb_part *part, Py_ssize_t count)
{
    const rb_node *node = part->node;
    if (s->level >= RB_MAX_LEVELS || !rb_is_certain(s, node))
        return make_scalars(s, part, count);
    size_t width = node->op == RB_OP_FIXED_STRING ? node->size : rb_op_width[node->op];
    size_t size = width ? width * (size_t)count : measure_texts(s, count);
    if (RB_UNLIKELY(!size || !rb_has(s, size)))
        return PyErr_Occurred() ? -1 : make_scalars(s, part, count);
    keep(s, part, size, width);
    return 0;
}

/* --- what has values in it ------------------------------------------------------------------------------------ */

/* The flags of a Nullable: which of `count` values are NULL. */
static PyObject *read_flags(rb_source *s, Py_ssize_t count)
{
    uint64_t start = rb_offset(s);
    PyObject *nulls = rb_take_bytes(s, count);
    if (!nulls)
        return NULL;
    const uint8_t *flags = (const uint8_t *)PyBytes_AS_STRING(nulls);
    for (Py_ssize_t i = 0; i < count; i++)
        if (RB_UNLIKELY(flags[i] > 1)) {
            s->at = i;
            rb_fail(s, "bad_flag", "(iK)", (int)flags[i], (unsigned long long)(start + (uint64_t)i));
            Py_DECREF(nulls);
            return NULL;
        }
    return nulls;
}

/* The bytes that are not 0 in one of two. */
static PyObject *either(PyObject *a, PyObject *b)
{
    Py_ssize_t count = PyBytes_GET_SIZE(a);
    PyObject *both = PyBytes_FromStringAndSize(NULL, count);
    for (Py_ssize_t i = 0; both && i < count; i++)
        PyBytes_AS_STRING(both)[i] = PyBytes_AS_STRING(a)[i] | PyBytes_AS_STRING(b)[i];
    return both;
}

/* Values that are NULL by their own flag, or by `outer`: there nothing is looked at, whatever the flag. */
static int read_nullable(rb_source *s, rb_part *part, Py_ssize_t count, PyObject *outer)
{
    PyObject *nulls = read_flags(s, count);
    if (nulls && outer)
        Py_SETREF(nulls, either(nulls, outer));
    if (!nulls)
        return -1;
    s->level++;
    int failed = rb_part_read(s, part->children[0], count, nulls);
    s->level--;
    Py_DECREF(nulls);
    return failed;
}

/* Whether the keys of a Map are made known to a dict by nobody's code but Python's. */
static int has_certain_keys(const rb_node *map)
{
    const rb_node *key = map->children[0];
    if (key->op == RB_OP_LOW_CARDINALITY && key->count)
        key = key->children[0];
    int is_moment = key->op == RB_OP_DATETIME || key->op == RB_OP_DATETIME64; /* asks its zone */
    return key->op == RB_OP_STRING || (rb_op_width[key->op] && !is_moment);
}

/* Arrays and Maps: the ends, and the values of the children. */
static int read_arrays(rb_source *s, rb_part *part, Py_ssize_t count)
{
    part->ends = rb_take_ends(s, count);
    if (!part->ends)
        return -1;
    rb_owner owner = {s->owner, part->ends, NULL, count};
    Py_ssize_t total = count ? (Py_ssize_t)part->ends[count - 1] : 0;
    int failed = 0;
    s->owner = &owner;
    s->level++;
    for (Py_ssize_t i = 0; !failed && i < part->count; i++)
        failed = rb_part_read(s, part->children[i], total, NULL);
    s->level--;
    s->owner = owner.outer;
    if (!failed && part->shape == RB_PART_MAP && !has_certain_keys(part->node))
        failed = rb_part_settle(s, part, count);
    return failed;
}

/* What the reference makes of it. */
static int RB_COLD read_by_reference(rb_source *s, rb_part *part, Py_ssize_t count)
{
    PyObject *list = part->nulls ? PyObject_CallMethod(part->py, "data_without", "OO", (PyObject *)s, part->nulls)
                                 : PyObject_CallMethod(part->py, "data", "On", (PyObject *)s, count);
    if (list && (!PyList_CheckExact(list) || PyList_GET_SIZE(list) != count)) {
        PyErr_SetString(PyExc_TypeError, "malformed column");
        Py_CLEAR(list);
    }
    if (list)
        PyObject_GC_UnTrack(list);
    part->values = list;
    return list ? 0 : -1;
}

static int read_tuples(rb_source *s, rb_part *part, Py_ssize_t count)
{
    int failed = 0;
    if (!part->count) /* a byte for each */
        return read_by_reference(s, part, count);
    s->level++;
    for (Py_ssize_t i = 0; !failed && i < part->count; i++)
        failed = rb_part_read(s, part->children[i], count, part->nulls);
    s->level--;
    return failed;
}

/* --- dictionaries ---------------------------------------------------------------------------------------------- */

/* The first entry of a nullable dictionary, which is NULL. */
static PyObject *read_null_entry(rb_source *s, rb_part *entries)
{
    PyObject *nulls = PyBytes_FromStringAndSize("\1", 1), *first = NULL;
    if (nulls && !rb_part_read(s, entries, 1, nulls))
        first = rb_part_list(s, entries, 1);
    Py_XDECREF(nulls);
    rb_part_forget(entries);
    return first;
}

/* The entries of a dictionary, which belong to no row. */
static int read_entries(rb_source *s, const rb_part *part, Py_ssize_t size)
{
    rb_part *entries = part->children[0];
    const rb_owner *owner = s->owner;
    Py_ssize_t row = s->row;
    s->owner = NULL;
    s->row = -1;
    PyObject *first = NULL, *list = NULL;
    int null = part->nullable && size;
    if (null)
        first = read_null_entry(s, entries);
    if ((!null || first) && !rb_part_read(s, entries, size - null, NULL))
        list = rb_part_list(s, entries, size - null);
    if (first && list && PyList_SetSlice(list, 0, 0, first))
        Py_CLEAR(list);
    Py_XDECREF(first);
    if (list) { /* else they are for the error */
        s->owner = owner;
        s->row = row;
    }
    s->at = -1;
    Py_XSETREF(entries->values, list); /* those before an error are in it */
    return list ? 0 : -1;
}

/* Whether `count` keys follow, all less than `size`: looked at as they come. */
static int are_keys(rb_source *s, size_t width, Py_ssize_t count, Py_ssize_t size)
{
    size_t done = 0;
    for (Py_ssize_t i = 0; i < count; i++, done += width) {
        uint64_t key = 0;
        if (RB_UNLIKELY(!has_more(s, done, (size_t)(s->end - s->p) - done, width)))
            return 0;
        memcpy(&key, s->p + done, width);
        if (RB_UNLIKELY(key >= (uint64_t)size))
            return 0;
    }
    return 1;
}

/* The error of the first key that is missing, or is none. */
static int RB_COLD fail_key(rb_source *s, Py_ssize_t width, Py_ssize_t size)
{
    for (s->at = 0;; s->at++) {
        uint64_t key = 0;
        if (!rb_has(s, (size_t)width)) {
            if (!PyErr_Occurred())
                Py_XDECREF(PyObject_CallMethod((PyObject *)s, "take", "n", width)); /* fails */
            return -1;
        }
        memcpy(&key, s->p, (size_t)width);
        s->p += width;
        if (key >= (uint64_t)size) {
            rb_fail(s, "bad_key", "(KnK)", (unsigned long long)key, size,
                    (unsigned long long)(rb_offset(s) - (uint64_t)width));
            return -1;
        }
    }
}

static int read_dictionary(rb_source *s, rb_part *part, Py_ssize_t count)
{
    Py_ssize_t width, size;
    PyObject *head = PyObject_CallMethod(part->py, "head", "O", (PyObject *)s);
    int failed = !head || !PyArg_ParseTuple(head, "nn", &width, &size) || read_entries(s, part, size);
    Py_XDECREF(head);
    PyObject *done = failed ? NULL : PyObject_CallMethod(part->py, "check_count", "On", (PyObject *)s, count);
    Py_XDECREF(done);
    if (!done)
        return -1;
    if (!are_keys(s, (size_t)width, count, size))
        return PyErr_Occurred() ? -1 : fail_key(s, width, size);
    keep(s, part, (size_t)(width * count), (size_t)width);
    return 0;
}

/* --- by shape -------------------------------------------------------------------------------------------------- */

static int read_shape(rb_source *s, rb_part *part, Py_ssize_t count)
{
    switch (part->shape) {
    case RB_PART_SCALAR:
        return read_scalars(s, part, count);
    case RB_PART_NULLABLE:
        return read_nullable(s, part, count, part->nulls);
    case RB_PART_ARRAY:
    case RB_PART_MAP:
        return read_arrays(s, part, count);
    case RB_PART_TUPLE:
        return read_tuples(s, part, count);
    case RB_PART_LOW_CARDINALITY:
        return read_dictionary(s, part, count);
    case RB_PART_VARIANT:
    case RB_PART_DYNAMIC:
        return rb_read_members(s, part, count);
    case RB_PART_JSON:
        return rb_read_json_part(s, part, count);
    case RB_PART_SHARED:
        return rb_read_shared(s, part, count);
    case RB_PART_OTHER:
        break;
    }
    return read_by_reference(s, part, count);
}

/* Read `count` values, to be taken; None where `nulls` is not 0.  None at all takes no bytes. */
int rb_part_read(rb_source *s, rb_part *part, Py_ssize_t count, PyObject *nulls)
{
    if (!count)
        return 0;
    part->nulls = Py_XNewRef(nulls);
    return read_shape(s, part, count);
}
