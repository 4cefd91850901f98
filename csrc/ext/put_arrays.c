/* Arrays ahead of their rows: the items of many are put together, as if they were cells of a column.
 *
 * Most arrays are short, and many are empty.  One by one each would cost the way to its items, and the choice what
 * to do with them; a document in an array would have to be walked.  As everything that is written ahead this runs
 * no Python code: what is borrowed from the rows stays alive, as long as no error is set. */
#include "columns.h"
#include "dict_items.h"
#include "write_scalar.h"

#define FEW 4  /* scalars in an array */
#define MOST 2 /* items that are noted without a question how many there are */

/* Items that are not put yet. */
typedef struct {
    Py_ssize_t count; /* RB_AHEAD at most; note_few writes behind what it counts */
    PyObject *items[RB_AHEAD + MOST];
    Py_ssize_t whose[RB_AHEAD + MOST]; /* the arrays they are from */
} waiting;

/* Put a value by itself, a cell or an item of an array; what is counted in the block goes to its row, which is counted
 * when it follows. */
int rb_put_one(rb_encoder *e, rb_column *c, PyObject *value, uint32_t *row_size)
{
    rb_block *b = c->block;
    size_t size = b->size;
    int failed = rb_column_put(e, c, value) || b->size - size > RB_LONG_CELL;
    *row_size += (uint32_t)(b->size - size);
    b->size = size;
    return failed;
}

static Py_ssize_t put_fixed(rb_encoder *e, rb_column *c, PyObject *const *items, Py_ssize_t count, uint32_t *sizes)
{
    Py_ssize_t put = rb_write_many(&c->out, c->node->op, items, count, NULL);
    while (put < count && !rb_write_value(e, &c->out, c->node, items[put]))
        put++;
    c->count += (size_t)put;
    for (Py_ssize_t k = 0; k < put; k++)
        sizes[k] = c->width;
    return put;
}

static Py_ssize_t put_texts(rb_column *c, PyObject *const *items, Py_ssize_t count, uint32_t *sizes)
{
    memset(sizes, 0, (size_t)count * sizeof *sizes);
    Py_ssize_t put = rb_write_texts(&c->out, items, count, 0, 0, sizes, NULL);
    c->count += put > 0 ? (size_t)put : 0;
    return put;
}

static Py_ssize_t put_dictionary(rb_encoder *e, rb_column *c, PyObject *const *items, Py_ssize_t count, uint32_t *sizes)
{
    size_t before = c->count;
    if (!rb_dictionary_put_many(e, c, items, count, sizes, NULL))
        return count;
    rb_column_cut(c, before);
    return 0;
}

/* Put items of a column as they usually are; returns how many, or -1, after which the column is to be cut.  `sizes`
 * gets the bytes of each.  What holds other values is put one by one. */
static Py_ssize_t put_items(rb_encoder *e, rb_column *c, PyObject *const *items, Py_ssize_t count, uint32_t *sizes)
{
    switch (c->shape) {
    case RB_COL_FIXED:
        return put_fixed(e, c, items, count, sizes);
    case RB_COL_TEXT:
        return put_texts(c, items, count, sizes);
    case RB_COL_LOW_CARDINALITY:
        return put_dictionary(e, c, items, count, sizes);
    case RB_COL_JSON:
        return rb_put_documents(e, c, items, count, sizes);
    default:
        return 0;
    }
}

/* Put the items that wait; returns the first array that could not be completed, or -1 if all could. */
static Py_ssize_t put_waiting(rb_encoder *e, rb_column *c, waiting *w, uint32_t *sizes)
{
    uint32_t item_sizes[RB_AHEAD];
    Py_ssize_t i = 0, put = 1;
    while (i < w->count) {
        if (put) /* else they are unusual: one by one */
            put = put_items(e, c, w->items + i, w->count - i, item_sizes);
        for (Py_ssize_t k = 0; k < put; k++)
            sizes[w->whose[i + k]] += item_sizes[k];
        i += put > 0 ? put : 0;
        if (RB_LIKELY(i == w->count))
            break;
        if (put < 0 || PyErr_Occurred() || rb_put_one(e, c, w->items[i], &sizes[w->whose[i]]))
            return w->whose[i];
        i++;
    }
    w->count = 0;
    return -1;
}

/* The places of the list in a cell; of an empty one, which has none, the cell.  Nobody foresees which lists are empty:
 * there is no branch. */
static inline PyObject *const *places_of(PyObject *const *cell)
{
    uintptr_t places = (uintptr_t)((PyListObject *)*cell)->ob_item, other = (uintptr_t)cell;
    uintptr_t any = 0 - (uintptr_t)(PyList_GET_SIZE(*cell) != 0);
    return (PyObject *const *)(other ^ ((other ^ places) & any));
}

/* Lists further on, one level after the other: their places, then the first of what is in these. */
static inline void fetch(PyObject *const *cells, Py_ssize_t k, Py_ssize_t count)
{
    if (k + RB_PLACES < count && PyList_CheckExact(cells[k + RB_PLACES]))
        rb_fetch_line(places_of(cells + k + RB_PLACES));
    if (k + RB_ITEMS < 0 || k + RB_ITEMS >= count || !PyList_CheckExact(cells[k + RB_ITEMS]))
        return;
    PyObject *list = cells[k + RB_ITEMS], *const *places = places_of(cells + k + RB_ITEMS);
    rb_fetch_line(places[0]);
    rb_fetch_line(places[PyList_GET_SIZE(list) > 1]);
    if (RB_UNLIKELY(PyList_GET_SIZE(list) > MOST))
        rb_prefetch_items(list);
}

/* Note the items of array `k`, a list with few of them. */
static inline void note_few(waiting *w, PyObject *const *cell, Py_ssize_t k)
{
    PyObject *const *places = places_of(cell);
    Py_ssize_t count = PyList_GET_SIZE(*cell);
    w->items[w->count] = places[0];
    w->items[w->count + 1] = places[count > 1];
    w->whose[w->count] = w->whose[w->count + 1] = k;
    w->count += count;
}

static void note_items(waiting *w, PyObject *const *items, Py_ssize_t count, Py_ssize_t k)
{
    for (Py_ssize_t i = 0; i < count; i++, w->count++) {
        w->items[w->count] = items[i];
        w->whose[w->count] = k;
    }
}

/* Where an array ends whose items are put, or wait. */
static inline void put_end(rb_column *c, const waiting *w)
{
    uint64_t end = c->child->count + (size_t)w->count;
    memcpy(c->out.p, &end, 8);
    c->out.p += 8;
    c->count++;
}

/* The first array whose bytes are too many for a cell that is written ahead; `count` if none is. */
static Py_ssize_t find_long(const uint32_t *sizes, Py_ssize_t count)
{
    Py_ssize_t k = 0;
    while (k < count && sizes[k] <= RB_LONG_CELL)
        k++;
    return k;
}

/* Whether the items of an array are better put with those of others.  Scalars of a longer one are read where they
 * are. */
static inline int waits(const rb_column *inside, PyObject *array)
{
    Py_ssize_t most = inside->shape == RB_COL_JSON ? RB_AHEAD : FEW;
    return (PyList_CheckExact(array) || PyTuple_CheckExact(array)) && Py_SIZE(array) <= most;
}

static Py_ssize_t put_arrays(rb_encoder *e, rb_column *c, PyObject *const *cells, Py_ssize_t count, uint32_t *sizes,
                         const rb_next *next)
{
    rb_column *inside = c->child;
    Py_ssize_t failed = -1;
    waiting w;
    w.count = 0;
    if (rb_need(&c->out, 8 * (size_t)count))
        return 0;
    inside->known_count = inside->count; /* of texts: a cut will be about these */
    inside->known_size = rb_size(&inside->out);
    for (Py_ssize_t k = -RB_PLACES; k < 0; k++)
        fetch(cells, k, count);
    for (Py_ssize_t k = 0; k < count; k++) {
        PyObject *array = cells[k];
        int is_list = PyList_CheckExact(array), may_wait = waits(inside, array);
        rb_fetch_next(next, k);
        fetch(cells, k, count);
        if (RB_UNLIKELY(!may_wait || Py_SIZE(array) > RB_AHEAD - w.count))
            failed = put_waiting(e, inside, &w, sizes);
        if (RB_UNLIKELY(failed >= 0))
            return failed;
        sizes[k] = may_wait ? 8 : 0; /* else the end is counted with the items */
        if (RB_UNLIKELY(!may_wait)) {
            if (rb_put_one(e, c, array, &sizes[k]))
                return k;
            continue;
        }
        if (RB_LIKELY(is_list && Py_SIZE(array) <= MOST))
            note_few(&w, cells + k, k);
        else
            note_items(&w, PySequence_Fast_ITEMS(array), Py_SIZE(array), k);
        put_end(c, &w);
    }
    failed = put_waiting(e, inside, &w, sizes);
    return failed >= 0 ? failed : count;
}

/* Put arrays; returns how many could be, and are short enough to be ahead.  `sizes` gets the bytes of each. */
Py_ssize_t rb_put_arrays(rb_encoder *e, rb_column *c, PyObject *const *cells, Py_ssize_t count, uint32_t *sizes,
                         const rb_next *next)
{
    return find_long(sizes, put_arrays(e, c, cells, count, sizes, next));
}
