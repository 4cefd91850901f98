/* JSON: the typed paths, a Dynamic column for each path that many documents have, and shared data for the
 * rest.  Which paths get columns is said in rowbinary._paths.
 *
 * A path waits without a column at first: its values are kept as they are in RowBinary, and move when the
 * path is chosen.  Paths that had a column in one block keep it, empty, for the next. */
#include "column_json.h"

#define ENOUGH ((size_t)1 << 20) /* bytes of paths that are no trouble */

/* --- the paths ------------------------------------------------------------------------------------------ */

static void fill_table(rb_json *j)
{
    memset(j->table, 0, ((size_t)j->mask + 1) * sizeof *j->table); /* 0 is free, else 1 + index */
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
    uint32_t *table = PyMem_Malloc(room * 2 * sizeof *table);
    if (!table)
        return -1;
    PyMem_Free(j->table);
    j->table = table;
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

static int64_t add_path(rb_json *j, const uint8_t *name, size_t size, uint32_t hash)
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
    return add_path(j, name, size, hash);
}

static int64_t find(rb_json *j, const uint8_t *name, size_t size)
{
    uint32_t guess = rb_json_guess(j);
    int64_t found = guess;
    if (guess >= j->count || !rb_json_is_named(j, &j->paths[guess], name, size)) {
        found = rb_json_search(j, name, size);
        if (found < 0)
            return -1;
        rb_json_met(j, (uint32_t)found);
    }
    j->last = (uint32_t)found;
    return found;
}

/* --- documents ------------------------------------------------------------------------------------------ */

int rb_json_open(rb_column *c)
{
    rb_json *j = c->json = PyMem_Calloc(1, sizeof *j);
    if (!j)
        return -1;
    j->names.grow = j->values.grow = rb_memory_grow;
    j->enough = ENOUGH;
    j->declared = c->block->opening;
    j->typed = PyMem_Calloc((size_t)c->node->typed_count + 1, sizeof *j->typed);
    if (!j->typed)
        return -1;
    for (Py_ssize_t i = 0; i < c->node->typed_count; i++) {
        const rb_typed *typed = &c->node->typed[i];
        size_t size = (size_t)typed->size;
        const uint8_t *name = (const uint8_t *)typed->name;
        j->typed[i] = rb_column_new(c->block, typed->node);
        if (!j->typed[i] || add_path(j, name, size, rb_hash(name, size)) < 0)
            return -1;
        j->paths[j->typed_count++].rule = RB_RULE_TYPED;
    }
    return 0;
}

void rb_json_free(rb_column *c)
{
    rb_json *j = c->json;
    if (!j)
        return;
    for (Py_ssize_t i = 0; i < c->node->typed_count && j->typed; i++)
        rb_column_free(j->typed[i]);
    for (uint32_t i = 0; i < j->count; i++) {
        Py_XDECREF(j->paths[i].key);
        rb_column_free(j->paths[i].column);
    }
    PyMem_Free(j->typed);
    PyMem_Free(j->memory);
    PyMem_Free(j->table);
    PyMem_Free(j->order);
    PyMem_Free(j->found);
    PyMem_Free(j->waiting);
    rb_memory_free(&j->names);
    rb_memory_free(&j->values);
    PyMem_Free(j);
}

/* A usual path, met for the first time in this block: its values go into the column it has kept. */
int rb_json_begin(rb_column *c, uint32_t index)
{
    rb_json *j = c->json;
    if (j->active >= c->node->max_paths || j->paths[index].rows)
        return 0;
    if (RB_MORE(j->order, j->order_count, j->order_room))
        return -1;
    j->order[j->order_count++] = index;
    j->paths[index].active = 1;
    j->active++;
    return 0;
}

/* Keep a value (type tag and all) of a path that has no column. */
int rb_json_wait(rb_column *c, uint32_t index, const uint8_t *value, size_t size)
{
    rb_json *j = c->json;
    rb_path *path = &j->paths[index];
    if (rb_gauge(c->block, path->name_size + size) || c->count >= UINT32_MAX || j->waiting_count >= UINT32_MAX ||
        RB_MORE(j->waiting, j->waiting_count, j->waiting_room) ||
        RB_MORE(j->found, j->found_count, j->found_room) || RB_MORE(j->order, j->order_count, j->order_room))
        return -1;
    rb_waiting entry = {rb_size(&j->values), (uint32_t)size, (uint32_t)c->count, index, path->waiting};
    j->values.mark = entry.offset;
    if (rb_put(&j->values, value, size))
        return -1;
    j->waiting[j->waiting_count++] = entry;
    path->waiting = (uint32_t)j->waiting_count;
    j->found[j->found_count++] = index;
    if (!path->rows++)
        j->order[j->order_count++] = index;
    return 0;
}

/* One path of a document and its value. */
static int take_path(rb_column *c, rb_reader *r)
{
    rb_json *j = c->json;
    uint64_t size;
    if (rb_read_varint(r, &size) || size > (uint64_t)(r->end - r->p))
        return -1;
    int64_t index = find(j, r->p, (size_t)size);
    r->p += size;
    if (index < 0)
        return -1;
    if (index < j->typed_count)
        return rb_column_take(j->typed[index], r);
    rb_path *path = &j->paths[index];
    if (path->usual && !path->active && rb_json_begin(c, (uint32_t)index))
        return -1;
    if (path->active)
        return rb_dynamic_pad(path->column, c->count) ? -1 : rb_column_take(path->column, r);
    const uint8_t *value = r->p;
    return rb_skip_dynamic(c->block, r) ? -1 : rb_json_wait(c, (uint32_t)index, value, (size_t)(r->p - value));
}

/* Move the values that wait for `path`, which are chained from the last to the first, into its column. */
static int move_waiting(rb_json *j, rb_path *path)
{
    uint32_t count = 0;
    for (uint32_t at = path->waiting; at; at = j->waiting[at - 1].previous)
        count++;
    uint32_t *chain = PyMem_Malloc(count * sizeof *chain + 1);
    if (!chain)
        return -1;
    for (uint32_t at = path->waiting, i = count; at; at = j->waiting[at - 1].previous)
        chain[--i] = at - 1;
    int failed = 0;
    for (uint32_t i = 0; i < count && !failed; i++) {
        const rb_waiting *entry = &j->waiting[chain[i]];
        const uint8_t *value = j->values.start + entry->offset;
        rb_reader r = {value, value + entry->size};
        path->column->block->start = path->column->block->size; /* its row was not too long */
        failed = rb_dynamic_pad(path->column, entry->row) || rb_column_take(path->column, &r);
    }
    PyMem_Free(chain);
    return failed;
}

/* Give a column to those of `indexes` that have come often enough.  What cannot move stays where it is. */
static void choose(rb_column *c, const uint32_t *indexes, size_t count)
{
    rb_json *j = c->json;
    for (size_t i = 0; i < count && j->active < c->node->max_paths; i++) {
        rb_path *path = &j->paths[indexes[i]];
        if (path->active || (size_t)path->rows * RB_SPARSE < c->count)
            continue;
        if (!path->column && !(path->column = rb_dynamic_new(c->block, c->node, c->node->max_types)))
            return;
        size_t size = c->block->size;
        if (move_waiting(j, path)) {
            rb_column_cut(path->column, 0);
            c->block->size = size;
            PyErr_Clear();
            continue;
        }
        path->active = 1;
        j->active++;
    }
}

/* At the end of a block of few documents. */
void rb_json_choose_all(rb_column *c)
{
    choose(c, c->json->order, c->json->order_count);
}

/* At the end of a good row. */
void rb_json_settle(rb_column *c)
{
    rb_json *j = c->json;
    if (j->settled >= RB_WATCHED && !j->found_count)
        ;
    else if (j->settled >= RB_WATCHED)
        choose(c, j->found, j->found_count);
    else if (c->count >= RB_WATCHED)
        rb_json_choose_all(c);
    j->found_count = 0;
    j->settled = c->count;
    j->touched = 0;
    rb_json_trim(c);
}

/* Before a document is taken. */
int rb_json_touch(rb_column *c)
{
    rb_block *b = c->block;
    c->json->last = RB_NO_PATH;
    if (c->json->touched)
        return 0;
    if (RB_MORE(b->touched, b->touched_count, b->touched_room))
        return -1;
    b->touched[b->touched_count++] = c;
    c->json->touched = 1;
    return 0;
}

/* After its paths: typed paths that it does not have get their default. */
int rb_json_end(rb_column *c)
{
    rb_json *j = c->json;
    for (Py_ssize_t i = 0; i < j->typed_count; i++)
        if (j->typed[i]->count == c->count && rb_column_default(j->typed[i]))
            return -1;
    return 0;
}

int rb_json_take(rb_column *c, rb_reader *r)
{
    uint64_t paths;
    if (rb_json_touch(c) || rb_gauge(c->block, 8) || rb_read_varint(r, &paths))
        return -1;
    for (uint64_t i = 0; i < paths; i++)
        if (RB_UNLIKELY(take_path(c, r)))
            return -1;
    return rb_json_end(c);
}

/* Documents from `count` on are taken out.  What waits shrinks from the end. */
int rb_json_cut(rb_column *c, size_t count)
{
    rb_json *j = c->json;
    int failed = 0;
    if (!j->touched && count == c->count)
        return 0;
    for (Py_ssize_t i = 0; i < j->typed_count; i++)
        failed |= rb_column_cut(j->typed[i], count);
    for (size_t i = 0; i < j->order_count; i++) {
        rb_path *path = &j->paths[j->order[i]];
        path->fast = NULL;
        if (path->active)
            failed |= rb_column_cut(path->column, count);
    }
    while (j->waiting_count && j->waiting[j->waiting_count - 1].row >= count) {
        const rb_waiting *entry = &j->waiting[--j->waiting_count];
        rb_path *path = &j->paths[entry->path];
        path->waiting = entry->previous;
        path->rows--;
        j->values.p = j->values.start + entry->offset;
        j->found_count--; /* one for each value of the row */
    }
    while (j->order_count) { /* the paths that came with this row */
        rb_path *path = &j->paths[j->order[j->order_count - 1]];
        if (path->active ? rb_dynamic_present(path->column) : path->rows)
            break;
        j->active -= path->active;
        path->active = 0;
        if (path->column)
            rb_column_cut(path->column, 0); /* not a reset: that frees columns which may be in `touched` */
        j->order_count--;
    }
    return failed;
}

/* --- the next block ---------------------------------------------------------------------------------------- */

/* Give a path that stays its new place, which is not behind its old one. */
static void keep_path(rb_json *j, rb_path *path, uint32_t *kept, size_t *names)
{
    memmove(j->names.start + *names, j->names.start + path->name, path->name_size);
    path->name = *names;
    path->next = *kept + 1;
    path->fast = NULL;
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
        path.usual = path.column && j->declared && rb_dynamic_present(path.column) * RB_SPARSE >= documents;
        if (path.column)
            rb_column_reset(path.column);
        Py_CLEAR(path.key); /* its parent may go, and others come in its place */
        path.rows = path.waiting = 0;
        path.active = 0;
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
    j->enough = paths_size(j) < ENOUGH / 2 ? ENOUGH : 2 * paths_size(j);
}

/* Move the paths that a value or a column needs together; `places` gets where they have come to. */
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

/* Between two rows.  Keys of nulls, of objects and of rows that failed are no part of the block, which does
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
