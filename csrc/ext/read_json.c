/* JSON values: paths and what they have, put together to documents.
 *
 * Documents of one source have the same paths in the same order: the text of a path, the keys it stands for
 * and what followed it are remembered, for documents of each depth apart, because one of them is being read
 * while those in it are.  Where a path has both a value and paths below it the reference nests them. */
#include "source.h"

#define MOST_PATHS (1 << 16)   /* remembered from document to document */
#define FIRST_ROOM 32          /* a power of two, as all sizes of the table */
#define NO_PATH UINT32_MAX
#define MOST_DOTS 32           /* each object that a path goes through has a path, too: what is longer */
#define LONGEST 1024           /* bytes; stays in one piece */

typedef struct {
    PyObject *text;            /* str, or bytes where it is not UTF-8; NULL until it has been a path itself */
    PyObject *key;             /* the last part of it */
    const rb_node *typed;      /* of this node of the document; NULL is a Dynamic */
    uint64_t owner;            /* the serial of that node */
    PyObject *object;          /* of the document `document`: the dict of the paths below; borrowed */
    uint64_t document;         /* that `object` is of */
    uint64_t seen;             /* the last document with this path */
    uint64_t filled;           /* the last in which it had a value */
    size_t name;               /* where its bytes are in `names` */
    uint32_t size, hash;
    uint32_t parent;           /* the path without the last part, or NO_PATH */
    uint32_t next;             /* the path that came after it last time */
    uint32_t dots;
} path;

typedef struct {
    uint32_t path;
    PyObject *value;           /* strong */
} entry;

struct rb_documents {
    path *paths;
    uint32_t count, room;
    uint32_t *table, mask;     /* 0 is free, else 1 + index */
    rb_buffer names;
    uint32_t first, last;
    uint64_t document;         /* counts them */
    PyObject *whole;           /* the document, where values are put straight into it; else there are entries */
    int flat;                  /* by paths */
    entry *entries;
    size_t entries_count, entries_room;
};

/* --- memory ----------------------------------------------------------------------------------------------- */

/* Forget the document, or what there is of it. */
void rb_document_drop(rb_documents *d)
{
    Py_CLEAR(d->whole);
    while (d->entries_count)
        Py_DECREF(d->entries[--d->entries_count].value);
}

static void forget_paths(rb_documents *d)
{
    for (uint32_t i = 0; i < d->count; i++) {
        Py_XDECREF(d->paths[i].text);
        Py_XDECREF(d->paths[i].key);
    }
    d->count = 0;
    if (d->table)
        memset(d->table, 0, ((size_t)d->mask + 1) * sizeof *d->table);
    d->names.p = d->names.start;
    d->first = d->last = NO_PATH;
}

void rb_documents_free(rb_documents *d)
{
    if (!d)
        return;
    rb_document_drop(d);
    forget_paths(d);
    PyMem_Free(d->paths);
    PyMem_Free(d->table);
    PyMem_Free(d->entries);
    rb_memory_free(&d->names);
    PyMem_Free(d);
}

/* A table without paths; NULL with an error. */
rb_documents *rb_documents_new(void)
{
    rb_documents *d = PyMem_Calloc(1, sizeof *d);
    if (!d)
        return (rb_documents *)PyErr_NoMemory();
    d->names.grow = rb_memory_grow;
    d->first = d->last = NO_PATH;
    if (rb_need(&d->names, LONGEST)) { /* the first path may have no bytes */
        PyMem_Free(d);
        return (rb_documents *)PyErr_NoMemory();
    }
    return d;
}

/* The documents of this depth, of which none is being read; NULL with an error. */
static rb_documents *documents_of(rb_source *s)
{
    rb_documents **place = &s->documents[s->depth];
    if (!*place)
        *place = rb_documents_new();
    else if ((*place)->count > MOST_PATHS)
        forget_paths(*place);
    return *place;
}

static int grow_table(rb_documents *d)
{
    uint32_t mask = d->mask ? 2 * d->mask + 1 : 2 * FIRST_ROOM - 1;
    uint32_t *table = PyMem_Calloc((size_t)mask + 1, sizeof *table);
    path *paths = table ? PyMem_Realloc(d->paths, (((size_t)mask + 1) / 2) * sizeof *paths) : NULL;
    if (!paths) {
        PyMem_Free(table);
        PyErr_NoMemory();
        return -1;
    }
    d->paths = paths;
    d->room = (mask + 1) / 2;
    for (uint32_t i = 0; i < d->count; i++) {
        uint32_t slot = paths[i].hash & mask;
        while (table[slot])
            slot = (slot + 1) & mask;
        table[slot] = i + 1;
    }
    PyMem_Free(d->table);
    d->table = table;
    d->mask = mask;
    return 0;
}

/* --- paths ------------------------------------------------------------------------------------------------- */

static inline int is_named(const rb_documents *d, const path *p, const uint8_t *name, size_t size)
{
    return p->size == size && memcmp(d->names.start + p->name, name, size) == 0;
}

static uint32_t *slot_of(const rb_documents *d, const uint8_t *name, size_t size, uint32_t hash)
{
    uint32_t slot = hash & d->mask;
    while (d->table[slot]) {
        const path *p = &d->paths[d->table[slot] - 1];
        if (p->hash == hash && is_named(d, p, name, size))
            break;
        slot = (slot + 1) & d->mask;
    }
    return &d->table[slot];
}

/* Behind which byte the last part of a path begins; 0 for one that has one part, or stays in one piece. */
static size_t last_part(const uint8_t *name, size_t size, uint32_t *dots)
{
    size_t last = 0;
    *dots = 0;
    for (size_t i = 0; i < size; i++)
        if (name[i] == '.') {
            last = i + 1;
            ++*dots;
        }
    return size > LONGEST || *dots > MOST_DOTS ? 0 : last;
}

static uint32_t add_path(rb_documents *d, path p, const uint8_t *name, size_t key, int is_bytes)
{
    p.name = rb_size(&d->names);
    p.key = is_bytes ? PyBytes_FromStringAndSize((const char *)name, p.size)
                     : PyUnicode_DecodeUTF8((const char *)name + key, (Py_ssize_t)(p.size - key), "surrogateescape");
    if (!p.key || rb_put(&d->names, name, p.size) || (d->count >= d->room && grow_table(d))) {
        Py_XDECREF(p.key);
        if (!PyErr_Occurred())
            PyErr_NoMemory();
        return NO_PATH;
    }
    *slot_of(d, name, p.size, p.hash) = d->count + 1;
    d->paths[d->count] = p;
    return d->count++;
}

/* The path of these bytes, made where there is none, and before it the object it is in; NO_PATH with an error. */
static uint32_t path_at(rb_documents *d, const uint8_t *name, size_t size, int is_bytes)
{
    path p = {.size = (uint32_t)size, .hash = rb_hash(name, size), .parent = NO_PATH, .next = NO_PATH};
    if (d->count >= d->room && grow_table(d))
        return NO_PATH;
    uint32_t known = *slot_of(d, name, size, p.hash);
    if (known)
        return known - 1;
    size_t key = is_bytes ? 0 : last_part(name, size, &p.dots);
    if (key) {
        p.parent = path_at(d, name, key - 1, 0);
        if (p.parent == NO_PATH)
            return NO_PATH;
    }
    return add_path(d, p, name, key, is_bytes);
}

/* --- documents ---------------------------------------------------------------------------------------------- */

/* The path that comes next, taken from the cursor; NO_PATH for one that is the reference's to read, or with an
 * error. */
static RB_INLINE uint32_t next_path(rb_source *s, rb_documents *d)
{
    uint64_t size;
    unsigned length = rb_peek_varint(s, &size);
    if (RB_UNLIKELY(!length || size > RB_MAX_STRING || !rb_has(s, length + (size_t)size)))
        return NO_PATH;
    const uint8_t *name = s->p + length;
    uint32_t guess = d->last == NO_PATH ? d->first : d->paths[d->last].next;
    if (RB_UNLIKELY(guess == NO_PATH || !is_named(d, &d->paths[guess], name, (size_t)size))) {
        uint32_t found = d->mask ? *slot_of(d, name, (size_t)size, rb_hash(name, (size_t)size)) : 0;
        if (!found || !d->paths[found - 1].text)
            return NO_PATH;
        guess = found - 1;
        *(d->last == NO_PATH ? &d->first : &d->paths[d->last].next) = guess;
    } else if (RB_UNLIKELY(!d->paths[guess].text)) {
        return NO_PATH;
    }
    d->last = guess;
    s->p += length + size;
    return guess;
}

/* The place of a path that was read, a str or bytes; NO_PATH with an error. */
uint32_t rb_document_path(rb_documents *d, PyObject *text)
{
    int is_bytes = PyBytes_Check(text);
    PyObject *name = is_bytes ? Py_NewRef(text) : PyUnicode_AsEncodedString(text, "utf-8", "surrogateescape");
    uint32_t found = NO_PATH;
    if (name)
        found = path_at(d, (const uint8_t *)PyBytes_AS_STRING(name), (size_t)PyBytes_GET_SIZE(name), is_bytes);
    Py_XDECREF(name);
    if (found != NO_PATH)
        Py_XSETREF(d->paths[found].text, Py_NewRef(text));
    return found;
}

/* A path that was not met before: its text is as the rules say, or an error. */
static uint32_t RB_COLD new_path(rb_source *s, rb_documents *d)
{
    PyObject *text = PyErr_Occurred() ? NULL : PyObject_CallMethodNoArgs((PyObject *)s, rb_read.s_text);
    if (!text)
        return NO_PATH;
    uint32_t found = rb_document_path(d, text);
    Py_DECREF(text);
    if (found == NO_PATH)
        return NO_PATH;
    *(d->last == NO_PATH ? &d->first : &d->paths[d->last].next) = found;
    d->last = found;
    return found;
}

/* The place of the path that comes next; NO_PATH with an error. */
uint32_t rb_document_read(rb_source *s, rb_documents *d)
{
    uint32_t found = next_path(s, d);
    return RB_LIKELY(found != NO_PATH) ? found : new_path(s, d);
}

/* Whether the path is declared; its type. */
static inline int find_typed(const rb_node *node, path *p, const rb_documents *d)
{
    if (RB_UNLIKELY(p->owner != node->serial)) {
        p->typed = rb_typed_path(node, d->names.start + p->name, p->size);
        p->owner = node->serial;
    }
    return p->typed != NULL;
}

static RB_INLINE int append_entry(rb_documents *d, uint32_t index, PyObject *value)
{
    if (d->entries_count == d->entries_room) {
        size_t room = 2 * d->entries_room + 32;
        entry *moved = PyMem_Realloc(d->entries, room * sizeof *moved);
        if (!moved) {
            Py_DECREF(value);
            PyErr_NoMemory();
            return -1;
        }
        d->entries = moved;
        d->entries_room = room;
    }
    d->entries[d->entries_count++] = (entry){index, value};
    return 0;
}

static int RB_COLD fail_twice(rb_source *s, PyObject *text, uint64_t start)
{
    PyObject *error = PyObject_CallFunction(rb_read.twice, "OOK", (PyObject *)s, text, (unsigned long long)start);
    if (error)
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_XDECREF(error);
    return -1;
}

/* A path and its value. */
static int read_entry(rb_source *s, rb_documents *d, const rb_node *node)
{
    uint64_t start = rb_offset(s);
    uint32_t index = next_path(s, d);
    if (RB_UNLIKELY(index == NO_PATH) && (index = new_path(s, d)) == NO_PATH)
        return -1;
    path *p = &d->paths[index];
    if (RB_UNLIKELY(p->seen == d->document))
        return fail_twice(s, p->text, start);
    p->seen = d->document;
    int is_typed = node->typed_count && PyUnicode_Check(p->text) && find_typed(node, p, d);
    PyObject *value = is_typed ? rb_read_value(s, p->typed) : rb_read_dynamic(s);
    if (RB_UNLIKELY(!value))
        return -1;
    if (value == Py_None && !is_typed) { /* the same as no path */
        Py_DECREF(value);
        return 0;
    }
    d->paths[index].filled = d->document;
    return append_entry(d, index, value);
}

/* Whether it lies too deep, or stays in one piece. */
static inline int is_long(const path *p, int levels)
{
    return p->dots > MOST_DOTS || p->size > LONGEST || (int)p->dots > levels;
}

/* Whether a path of this document lies below another that has a value, or too deep. */
static int is_unusual(const rb_documents *d, int levels)
{
    for (size_t i = 0; i < d->entries_count; i++) {
        const path *p = &d->paths[d->entries[i].path];
        if (RB_UNLIKELY(is_long(p, levels)))
            return 1;
        for (uint32_t up = p->parent; up != NO_PATH; up = d->paths[up].parent)
            if (d->paths[up].filled == d->document)
                return 1;
    }
    return 0;
}

/* The dict of the object `index` in `document`, made where there is none; borrowed. */
static PyObject *object_of(rb_documents *d, uint32_t index, PyObject *document)
{
    if (index == NO_PATH)
        return document;
    path *p = &d->paths[index];
    if (p->document == d->document)
        return p->object;
    PyObject *outer = object_of(d, p->parent, document), *object = outer ? PyDict_New() : NULL;
    int failed = !object || PyDict_SetItem(outer, p->key, object);
    Py_XDECREF(object); /* the outer one has it */
    if (failed)
        return NULL;
    p->object = object;
    p->document = d->document;
    return object;
}

/* Put a value into the document, by its path or by the parts of that. */
static RB_INLINE int put_into(rb_documents *d, uint32_t index, PyObject *value)
{
    const path *p = &d->paths[index];
    PyObject *object = d->flat ? d->whole : object_of(d, p->parent, d->whole);
    return object ? PyDict_SetItem(object, d->flat ? p->text : p->key, value) : -1;
}

/* Begin a document; its values are put straight into it where all that it can have is known to be usual. */
int rb_document_begin(rb_documents *d, int straight)
{
    d->document++;
    d->last = NO_PATH;
    d->whole = straight ? PyDict_New() : NULL;
    return straight && !d->whole ? -1 : 0;
}

/* Whether no document of these paths is unusual. */
int rb_document_straight(const rb_source *s, rb_documents *d)
{
    d->flat = s->flat;
    for (uint32_t i = 0; !d->flat && i < d->count; i++) {
        const path *p = &d->paths[i];
        if (p->text && is_long(p, RB_MAX_LEVELS - s->level))
            return 0;
        for (uint32_t up = p->text ? p->parent : NO_PATH; up != NO_PATH; up = d->paths[up].parent)
            if (d->paths[up].text)
                return 0;
    }
    return 1;
}

/* Note that the document has this path; whether that was known. */
int rb_document_mark(rb_documents *d, uint32_t place)
{
    int known = d->paths[place].seen == d->document;
    d->paths[place].seen = d->document;
    return known;
}

/* Whether the document has a value there. */
int rb_document_has(const rb_documents *d, uint32_t place)
{
    return d->paths[place].filled == d->document;
}

/* The text of a path. */
PyObject *rb_document_text(const rb_documents *d, uint32_t place)
{
    return d->paths[place].text;
}

/* Put a value there; takes the reference. */
int rb_document_put(rb_documents *d, uint32_t place, PyObject *value)
{
    d->paths[place].filled = d->document;
    if (!d->whole)
        return append_entry(d, place, value);
    int failed = put_into(d, place, value);
    Py_DECREF(value);
    return failed;
}

/* What has been put together; an unusual document is what the reference makes of its paths. */
PyObject *rb_document_end(rb_source *s, rb_documents *d)
{
    PyObject *document = d->whole;
    d->whole = NULL;
    if (document)
        return document;
    d->flat = s->flat || is_unusual(d, RB_MAX_LEVELS - s->level);
    d->whole = PyDict_New();
    for (size_t i = 0; d->whole && i < d->entries_count; i++)
        if (put_into(d, d->entries[i].path, d->entries[i].value))
            Py_CLEAR(d->whole);
    document = d->whole;
    d->whole = NULL;
    if (!document || !d->flat || s->flat)
        return document;
    PyObject *arguments[] = {(PyObject *)s, document};
    PyObject *nested = PyObject_Vectorcall(rb_read.document, arguments, 2, NULL);
    Py_DECREF(document);
    return nested;
}

/* --- documents in rows ---------------------------------------------------------------------------------------- */

static PyObject *read_document(rb_source *s, rb_documents *d, const rb_node *node)
{
    Py_ssize_t count = rb_read_count(s, NULL, NULL);
    if (count < 0)
        return NULL;
    rb_document_begin(d, 0);
    for (Py_ssize_t i = 0; i < count; i++)
        if (read_entry(s, d, node))
            return NULL;
    return rb_document_end(s, d);
}

PyObject *rb_read_json(rb_source *s, const rb_node *node)
{
    rb_documents *d = s->depth < RB_DOCUMENTS ? documents_of(s) : NULL;
    if (!d)
        return rb_read_reference(s, node);
    s->depth++; /* as the level, not restored when reading fails */
    PyObject *document = read_document(s, d, node);
    rb_document_drop(d);
    s->depth--;
    return document;
}
