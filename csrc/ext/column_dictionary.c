/* LowCardinality: a dictionary of the values, and the place of each row's value in it.
 *
 * The dictionary begins with the type's default; that of Nullable with one for NULL before it.  Others
 * follow in the order of their first use. */
#include "columns.h"
#include "write_scalar.h"

#define FREE 0 /* in the table; else 1 + place */
#define FIRST_ROOM 16
#define KNOWN 64 /* objects remembered; a power of two */
#define SHORT 127 /* bytes of a text */
#define STAYS 16 /* strange objects until one takes the place of a known one; a power of two */

typedef struct {
    uint32_t hash;
    uint32_t first; /* the row that brought it */
    size_t offset, size;
} rb_place;

struct rb_dictionary {
    const rb_node *inner;  /* without Nullable */
    int nullable;
    rb_buffer values;      /* the dictionary as it is written */
    rb_place *places;
    uint32_t count, room;
    uint32_t *table;
    uint32_t mask;
    struct {
        PyObject *object;  /* an exact str; strong */
        uint32_t key;
    } known[KNOWN];        /* by address: columns of few values are mostly given the same objects */
    uint32_t strange;      /* objects that were not known */
    int all_known;         /* those of the last rows were */
};

/* Room for so many values, a power of two. */
static int set_room(rb_dictionary *d, uint32_t room)
{
    uint32_t *table = PyMem_Calloc((size_t)room * 2, sizeof *table);
    rb_place *moved = table ? PyMem_Realloc(d->places, room * sizeof *moved) : NULL;
    if (!moved) {
        PyMem_Free(table);
        return -1;
    }
    d->places = moved;
    PyMem_Free(d->table);
    d->table = table;
    d->room = room;
    d->mask = room * 2 - 1;
    for (uint32_t i = 0; i < d->count; i++) {
        uint32_t slot = d->places[i].hash & d->mask;
        while (table[slot] != FREE)
            slot = (slot + 1) & d->mask;
        table[slot] = i + 1;
    }
    return 0;
}

/* Add a value that is not there; `slot` is where the search for it ended. */
static int add(rb_column *c, const uint8_t *value, size_t size, uint32_t hash, uint32_t slot)
{
    rb_dictionary *d = c->dictionary;
    size_t offset = rb_size(&d->values);
    if (c->count >= UINT32_MAX || rb_put(&d->values, value, size))
        return -1;
    d->places[d->count] = (rb_place){hash, (uint32_t)c->count, offset, size};
    d->table[slot] = ++d->count;
    return 0;
}

/* The place of a value, which is added when it is new; -1 without memory. */
static int64_t place_of(rb_column *c, const uint8_t *value, size_t size, int gauged)
{
    rb_dictionary *d = c->dictionary;
    if (d->count == d->room && set_room(d, d->room ? d->room * 2 : FIRST_ROOM))
        return -1;
    uint32_t hash = rb_hash(value, size), slot = hash & d->mask;
    for (; d->table[slot] != FREE; slot = (slot + 1) & d->mask) {
        const rb_place *place = &d->places[d->table[slot] - 1];
        if (place->hash == hash && place->size == size && memcmp(d->values.start + place->offset, value, size) == 0)
            return d->table[slot] - 1;
    }
    if (gauged && rb_gauge(c->block, size))
        return -1;
    return add(c, value, size, hash, slot) ? -1 : (int64_t)d->count - 1;
}

/* What every dictionary begins with.  The slot for NULL is in no table: no value may find it. */
static int add_defaults(rb_column *c)
{
    rb_dictionary *d = c->dictionary;
    if (d->nullable) {
        if (!d->room && set_room(d, FIRST_ROOM))
            return -1;
        if (rb_put(&d->values, d->inner->zero, d->inner->zero_size))
            return -1;
        d->places[d->count++] = (rb_place){0, 0, 0, d->inner->zero_size};
    }
    return place_of(c, d->inner->zero, d->inner->zero_size, 0) < 0 ? -1 : 0;
}

int rb_dictionary_new(rb_column *c)
{
    rb_dictionary *d = c->dictionary = PyMem_Calloc(1, sizeof *d);
    if (!d)
        return -1;
    d->inner = c->node->children[0];
    d->nullable = d->inner->op == RB_OP_NULLABLE;
    if (d->nullable)
        d->inner = d->inner->children[0];
    d->values.grow = rb_memory_grow;
    return add_defaults(c);
}

static void forget_objects(rb_dictionary *d)
{
    for (int i = 0; i < KNOWN; i++)
        Py_CLEAR(d->known[i].object);
}

void rb_dictionary_free(rb_column *c)
{
    rb_dictionary *d = c->dictionary;
    if (!d)
        return;
    forget_objects(d);
    rb_memory_free(&d->values);
    PyMem_Free(d->places);
    PyMem_Free(d->table);
    PyMem_Free(d);
}

static int put_key(rb_column *c, int64_t place)
{
    uint32_t key = (uint32_t)place;
    return place < 0 ? -1 : rb_put(&c->out, &key, 4);
}

/* Append a value, given as it is in RowBinary (with the flag of a Nullable). */
int rb_dictionary_put(rb_column *c, const uint8_t *value, size_t size)
{
    rb_dictionary *d = c->dictionary;
    int64_t place = 0;
    if (rb_gauge(c->block, 1))
        return -1;
    if (!d->nullable)
        place = place_of(c, value, size, 1);
    else if (!*value)
        place = place_of(c, value + 1, size - 1, 1);
    return put_key(c, place);
}

/* Whether a value of String has its length in one byte of RowBinary, and its text as it is in the object. */
static int is_short(const rb_dictionary *d, PyObject *value)
{
    return d->inner->op == RB_OP_STRING && PyUnicode_CheckExact(value) && PyUnicode_IS_COMPACT_ASCII(value) &&
           PyUnicode_GET_LENGTH(value) <= SHORT;
}

static int put_short(rb_column *c, PyObject *text)
{
    uint8_t value[SHORT + RB_TEXT_ROOM];
    size_t size = (size_t)PyUnicode_GET_LENGTH(text);
    value[0] = (uint8_t)size;
    rb_copy_ascii(value + 1, rb_ascii(text), size);
    return rb_gauge(c->block, 1) ? -1 : put_key(c, place_of(c, value, 1 + size, 1));
}

static int put_any(rb_encoder *e, rb_column *c, PyObject *value)
{
    rb_buffer *scratch = &c->block->scratch;
    size_t before = rb_size(scratch);
    int failed = rb_write_value(e, scratch, c->node, value) ||
                 rb_dictionary_put(c, scratch->start + before, rb_size(scratch) - before);
    scratch->p = scratch->start + before;
    return failed;
}

static inline size_t known_slot(const PyObject *value)
{
    return ((uintptr_t)value >> 4 ^ (uintptr_t)value >> 10) & (KNOWN - 1);
}

/* Remember an object for its key.  Those of columns where each comes once are left alone: to count a reference to one
 * is to write to it, and to the one that goes. */
static void remember(rb_dictionary *d, PyObject *object, const uint8_t *key)
{
    size_t slot = known_slot(object);
    if (d->known[slot].object && d->strange++ % STAYS)
        return;
    Py_XSETREF(d->known[slot].object, Py_NewRef(object));
    memcpy(&d->known[slot].key, key, 4);
}

/* Append a Python value. */
int rb_dictionary_put_object(rb_encoder *e, rb_column *c, PyObject *value)
{
    rb_dictionary *d = c->dictionary;
    size_t slot = known_slot(value);
    if (RB_LIKELY(d->known[slot].object == value))
        return rb_gauge(c->block, 1) ? -1 : rb_put(&c->out, &d->known[slot].key, 4);
    if (RB_LIKELY(is_short(d, value)) ? put_short(c, value) : put_any(e, c, value))
        return -1;
    if (PyUnicode_CheckExact(value)) /* cannot change */
        remember(d, value, c->out.p - 4);
    return 0;
}

/* Append Python values, and count them but for the block, whose share of each is told.  Objects that are known are
 * not looked into, so those further on are asked for only where the last ones were not. */
int rb_dictionary_put_many(rb_encoder *e, rb_column *c, PyObject *const *values, Py_ssize_t count, uint32_t *sizes,
                           const rb_next *next)
{
    rb_dictionary *d = c->dictionary;
    size_t size = c->block->size;
    if (rb_need(&c->out, 4 * (size_t)count))
        return -1;
    next = d->all_known ? NULL : next;
    d->all_known = 1;
    for (Py_ssize_t k = 0; k < count; k++, c->count++) {
        size_t slot = known_slot(values[k]);
        rb_fetch_next(next, k);
        if (RB_LIKELY(d->known[slot].object == values[k])) {
            memcpy(c->out.p, &d->known[slot].key, 4);
            c->out.p += 4;
            sizes[k] = 1;
            continue;
        }
        d->all_known = 0;
        int failed = rb_dictionary_put_object(e, c, values[k]);
        sizes[k] = (uint32_t)(c->block->size - size);
        c->block->size = size;
        if (failed || sizes[k] > RB_LONG_CELL)
            return -1;
    }
    return 0;
}

int rb_dictionary_take(rb_column *c, rb_reader *r)
{
    const uint8_t *start = r->p;
    return rb_skip(c->block, c->node->children[0], r) ? -1 : rb_dictionary_put(c, start, (size_t)(r->p - start));
}

/* Drop what rows from `count` on brought: the last ones, so no search for another goes over their slots. */
int rb_dictionary_cut(rb_column *c, size_t count)
{
    rb_dictionary *d = c->dictionary;
    if (c->out.start)
        c->out.p = c->out.start + 4 * count;
    forget_objects(d);
    while (d->count > 1u + (unsigned)d->nullable && d->places[d->count - 1].first >= count) {
        const rb_place *place = &d->places[--d->count];
        uint32_t slot = place->hash & d->mask;
        while (d->table[slot] != d->count + 1)
            slot = (slot + 1) & d->mask;
        d->table[slot] = FREE;
        d->values.p = d->values.start + place->offset;
    }
    return 0;
}

/* Only the defaults stay. */
void rb_dictionary_reset(rb_column *c)
{
    rb_dictionary *d = c->dictionary;
    rb_buffer *values = &d->values;
    size_t used = rb_size(values);
    int faded = d->room > 1 << 12 && d->count < d->room / 16;
    rb_dictionary_cut(c, 0);
    if (faded)
        set_room(d, FIRST_ROOM); /* without memory for that it stays */
    size_t kept = rb_size(values);
    values->p = values->start + used;
    rb_memory_reset(values, kept);
}

int rb_dictionary_data(rb_column *c, rb_buffer *out)
{
    rb_dictionary *d = c->dictionary;
    if (!c->count)
        return 0;
    uint64_t size = d->count, keys = c->count;
    unsigned width = size < 1 << 8 ? 0 : size < 1 << 16 ? 1 : 2;
    uint64_t flags = 0x600 | width; /* has keys of its own, needs no global dictionary */
    if (rb_put(out, &flags, 8) || rb_put(out, &size, 8) || rb_append(out, &d->values) || rb_put(out, &keys, 8) ||
        rb_need(out, c->count << width))
        return -1;
    const uint32_t *from = (const uint32_t *)(const void *)c->out.start;
    if (width == 2) {
        memcpy(out->p, from, c->count * 4);
    } else if (width == 1) {
        for (size_t i = 0; i < c->count; i++) {
            uint16_t key = (uint16_t)from[i];
            memcpy(out->p + 2 * i, &key, 2);
        }
    } else {
        for (size_t i = 0; i < c->count; i++)
            out->p[i] = (uint8_t)from[i];
    }
    out->p += c->count << width;
    return 0;
}
