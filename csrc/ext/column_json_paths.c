/* The paths of a JSON column: by name, and from block to block. */
#include "column_json.h"

static void fill_table(rb_json *j)
{
    memset(j->table, 0, 2 * ((size_t)j->mask + 1) * sizeof *j->table); /* and what is recent */
    for (uint32_t i = 0; i < j->count; i++) {
        uint32_t slot = j->paths[i].hash & j->mask;
        while (j->table[slot])
            slot = (slot + 1) & j->mask;
        j->table[slot] = i + 1;
    }
}

/* A table for `room` paths, a power of two.  Without memory the old one stays. */
static int make_table(rb_json *j, size_t room)
{
    uint32_t *table = PyMem_Malloc(2 * room * 2 * sizeof *table);
    if (!table)
        return -1;
    PyMem_Free(j->table);
    j->table = table;
    j->recent = table + room * 2;
    j->mask = (uint32_t)(room * 2 - 1);
    fill_table(j);
    return 0;
}

/* Room for so many paths, each on a line of the cache. */
static int make_paths(rb_json *j, size_t room)
{
    void *memory = PyMem_Malloc((room + 1) * sizeof *j->paths);
    if (!memory)
        return -1;
    size_t line = sizeof *j->paths;
    rb_path *paths = (rb_path *)(((uintptr_t)memory + line - 1) / line * line);
    if (j->count)
        memcpy(paths, j->paths, j->count * sizeof *paths);
    PyMem_Free(j->memory);
    j->memory = memory;
    j->paths = paths;
    j->room = room;
    return 0;
}

int64_t rb_json_add(rb_json *j, const uint8_t *name, size_t size, uint32_t hash)
{
    if (size > UINT32_MAX || (j->count == j->room && make_paths(j, j->room ? j->room * 2 : 16)))
        return -1;
    if ((!j->table || j->mask + 1 != 2 * j->room) && make_table(j, j->room))
        return -1;
    j->names.mark = rb_size(&j->names);
    rb_path path = {.name = rb_size(&j->names), .name_size = (uint32_t)size, .hash = hash, .next = j->count + 1};
    if (rb_need(&j->names, size + 1) || rb_put(&j->names, name, size)) /* + 1: memory for an empty name too */
        return -1;
    uint32_t slot = hash & j->mask;
    while (j->table[slot])
        slot = (slot + 1) & j->mask;
    j->paths[j->count] = path;
    j->table[slot] = ++j->count;
    return (int64_t)j->count - 1;
}

/* The index of a path, which is added when it is new; -1 without memory. */
int64_t rb_json_search(rb_json *j, const uint8_t *name, size_t size)
{
    uint32_t hash = rb_hash(name, size);
    if (j->table)
        for (uint32_t slot = hash & j->mask; j->table[slot]; slot = (slot + 1) & j->mask) {
            const rb_path *path = &j->paths[j->table[slot] - 1];
            if (path->hash == hash && rb_json_is_named(j, path, name, size))
                return j->table[slot] - 1;
        }
    return rb_json_add(j, name, size, hash);
}

/* --- the next block ---------------------------------------------------------------------------------------- */

/* Give a path that stays its new place, which is not behind its old one. */
static void keep_path(rb_json *j, rb_path *path, uint32_t *kept, size_t *names)
{
    memmove(j->names.start + *names, j->names.start + path->name, path->name_size);
    path->name = *names;
    path->next = *kept + 1;
    *names += path->name_size;
    j->paths[(*kept)++] = *path;
}

/* Forget the paths that had no column. */
static void drop_paths(rb_json *j, size_t documents)
{
    uint32_t kept = 0;
    size_t names = 0;
    for (uint32_t i = 0; i < j->count; i++) {
        rb_path path = j->paths[i];
        if (i >= (uint32_t)j->typed_count && !path.active) {
            rb_column_free(path.column);
            Py_XDECREF(path.key);
            continue;
        }
        size_t present = path.column ? rb_dynamic_present(path.column) : 0;
        path.usual = path.column && j->declared && present * RB_SPARSE >= documents;
        if (path.column)
            rb_column_reset(path.column);
        Py_CLEAR(path.key); /* its parent may go, and others come in its place */
        path.rows = path.waiting = 0;
        path.active = 0;
        path.fast = NULL;
        keep_path(j, &path, &kept, &names);
    }
    j->count = kept;
    rb_memory_reset(&j->names, names);
}

static size_t paths_size(const rb_json *j)
{
    return rb_size(&j->names) + j->count * sizeof *j->paths;
}

/* How large the paths may become before rb_json_trim looks for idle ones. */
static void note_enough(rb_json *j)
{
    j->enough = paths_size(j) < RB_ENOUGH / 2 ? RB_ENOUGH : 2 * paths_size(j);
}

/* Move the paths that a value or a column needs together; `places` gets where they have come to.  Their columns stay
 * where they are: documents that are ahead may still be cut. */
static void drop_idle(rb_json *j, uint32_t *places)
{
    uint32_t kept = 0;
    size_t names = 0;
    for (uint32_t i = 0; i < j->count; i++) {
        rb_path path = j->paths[i];
        int idle = i >= (uint32_t)j->typed_count && !path.rows && !path.active && !path.column;
        places[i] = idle ? RB_NO_PATH : kept;
        if (idle)
            Py_XDECREF(path.key);
        else
            keep_path(j, &path, &kept, &names);
    }
    j->count = kept;
    j->names.p = j->names.start ? j->names.start + names : NULL;
    for (uint32_t i = 0; i < kept; i++) {
        rb_path *path = &j->paths[i];
        if (path->key && path->parent != RB_NO_PATH && (path->parent = places[path->parent]) == RB_NO_PATH)
            Py_CLEAR(path->key);
    }
    for (size_t i = 0; i < j->order_count; i++)
        j->order[i] = places[j->order[i]];
    for (size_t i = 0; i < j->waiting_count; i++)
        j->waiting[i].path = places[j->waiting[i].path];
}

/* Between two documents.  Keys of nulls, of objects and of rows that failed are no part of the block, which does
 * not end for them: they are forgotten when there are many. */
void rb_json_trim(rb_column *c)
{
    rb_json *j = c->json;
    if (RB_LIKELY(paths_size(j) <= j->enough))
        return;
    uint32_t *places = PyMem_Malloc(j->count * sizeof *places);
    if (!places)
        return;
    drop_idle(j, places);
    PyMem_Free(places);
    fill_table(j);
    note_enough(j);
    j->first = (uint32_t)j->typed_count;
    j->last = RB_NO_PATH;
}

/* Give back what a block of very many paths needed.  Where memory is short it stays. */
static void shrink(rb_json *j)
{
    size_t room = 16;
    while (room < j->count)
        room *= 2;
    if (room * 16 < j->room && make_paths(j, room) == 0)
        make_table(j, room);
}

void rb_json_reset(rb_column *c, size_t documents)
{
    rb_json *j = c->json;
    for (Py_ssize_t i = 0; i < j->typed_count; i++)
        rb_column_reset(j->typed[i]);
    drop_paths(j, documents);
    shrink(j);
    if (j->table)
        fill_table(j);
    note_enough(j);
    RB_LESS(j->order, j->order_count, j->order_room);
    RB_LESS(j->found, j->found_count, j->found_room);
    RB_LESS(j->waiting, j->waiting_count, j->waiting_room);
    j->active = 0;
    j->settled = 0;
    j->first = (uint32_t)j->typed_count;
    rb_memory_reset(&j->values, 0);
}

void rb_json_forget(rb_column *c)
{
    rb_json *j = c->json;
    for (Py_ssize_t i = 0; i < j->typed_count; i++)
        rb_column_forget(j->typed[i]);
    for (uint32_t i = 0; i < j->count; i++)
        if (j->paths[i].column)
            rb_column_forget(j->paths[i].column);
}

void rb_json_renew(rb_column *c)
{
    rb_json *j = c->json;
    for (Py_ssize_t i = 0; i < j->typed_count; i++)
        rb_column_renew(j->typed[i]);
    for (uint32_t i = 0; i < j->count; i++)
        j->paths[i].usual = 0;
}
