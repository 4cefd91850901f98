/* JSON: the typed paths, a Dynamic column for each path that many documents have, and shared data for the
 * rest.  Which paths get columns is said in rowbinary._paths.
 *
 * A path waits without a column at first: its values are kept as they are in RowBinary, and move when the
 * path is chosen.  Paths that had a column in one block keep it, empty, for the next. */
#include "column_json.h"
#include "json_values.h"

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
    j->enough = RB_ENOUGH;
    j->declared = c->block->opening;
    j->typed = PyMem_Calloc((size_t)c->node->typed_count + 1, sizeof *j->typed);
    if (!j->typed)
        return -1;
    for (Py_ssize_t i = 0; i < c->node->typed_count; i++) {
        const rb_typed *typed = &c->node->typed[i];
        size_t size = (size_t)typed->size;
        const uint8_t *name = (const uint8_t *)typed->name;
        j->typed[i] = rb_column_new(c->block, typed->node);
        if (!j->typed[i] || rb_json_add(j, name, size, rb_hash(name, size)) < 0)
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

/* Tell the column of the values that went straight to where those of their type are: a run of one
 * discriminator.  Most columns have nothing else, and need not be touched for each document. */
int rb_json_note_run(rb_path *path)
{
    rb_buffer *out = &path->column->out;
    if (!path->run)
        return 0;
    if (rb_need(out, path->run))
        return -1;
    memset(out->p, path->member, path->run);
    out->p += path->run;
    path->column->count += path->run;
    path->run = 0;
    return 0;
}

/* NULL for the documents up to `count` that have no value of an active path. */
int rb_json_pad(rb_path *path, size_t count)
{
    if (rb_json_note_run(path) || rb_dynamic_pad(path->column, count))
        return -1;
    path->seen = (uint32_t)count;
    return 0;
}

/* A value (type tag and all) of an active path in document `row`. */
int rb_json_take_value(rb_path *path, size_t row, rb_reader *r)
{
    if (rb_json_pad(path, row) || rb_column_take(path->column, r))
        return -1;
    path->seen++;
    return 0;
}

/* A usual path, met for the first time in this block: its values go into the column it has kept. */
int rb_json_begin(rb_column *c, uint32_t index)
{
    rb_json *j = c->json;
    if (j->active >= c->node->max_paths || j->paths[index].rows || c->count >= UINT32_MAX)
        return 0;
    if (RB_MORE(j->order, j->order_count, j->order_room))
        return -1;
    j->order[j->order_count++] = index;
    j->paths[index].active = 1;
    j->paths[index].run = j->paths[index].seen = 0;
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
    size_t offset = rb_size(&j->values);
    if (offset > UINT32_MAX - RB_MAX_ROW)
        return -1;
    rb_waiting entry = {(uint32_t)offset, (uint32_t)c->count, index, path->waiting};
    j->values.mark = offset;
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
        return rb_json_take_value(path, c->count, r);
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
        rb_reader r = rb_json_value(j, chain[i]);
        path->column->block->start = path->column->block->size; /* its row was not too long */
        failed = rb_dynamic_pad(path->column, j->waiting[chain[i]].row) || rb_column_take(path->column, &r);
    }
    PyMem_Free(chain);
    return failed;
}

/* Give a column to those of `indexes` that one document in `share` has.  What cannot move stays where it is. */
static void choose(rb_column *c, const uint32_t *indexes, size_t count, size_t share)
{
    rb_json *j = c->json;
    for (size_t i = 0; i < count && j->active < c->node->max_paths; i++) {
        rb_path *path = &j->paths[indexes[i]];
        if (path->active || (size_t)path->rows * share < c->count)
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
        path->run = 0;
        path->seen = (uint32_t)path->column->count;
        j->active++;
    }
}

/* At the end of a block of few documents. */
void rb_json_choose_all(rb_column *c)
{
    choose(c, c->json->order, c->json->order_count, RB_SPARSE);
}

/* At the end of a good row. */
void rb_json_settle(rb_column *c)
{
    rb_json *j = c->json;
    if (j->settled >= RB_WATCHED)
        choose(c, j->found, j->found_count, RB_SPARSE);
    else if (c->count >= RB_WATCHED)
        rb_json_choose_all(c);
    else if (j->settled < RB_EARLY && c->count >= RB_EARLY)
        choose(c, j->order, j->order_count, RB_DENSE);
    j->found_count = 0;
    j->settled = c->count;
    j->touched = 0;
    if (!c->block->ahead) /* what is ahead may have to be cut, by the paths as they are */
        rb_json_trim(c);
}

/* Before a document is taken. */
int rb_json_touch(rb_column *c)
{
    rb_block *b = c->block;
    c->json->last = RB_NO_PATH;
    if (c->json->touched)
        return 0;
    rb_json_trim(c);
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

/* The values of an active path from document `count` on; those of its run first.  Needs no memory. */
static int cut_active(rb_path *path, size_t count)
{
    int failed = 0;
    size_t lost = path->seen > count ? path->seen - count : 0;
    uint32_t of_run = lost < path->run ? (uint32_t)lost : path->run;
    if (of_run) {
        failed = rb_column_cut(path->fast, path->fast->count - of_run);
        path->run -= of_run;
    }
    failed |= rb_column_cut(path->column, count);
    path->seen = (uint32_t)path->column->count + path->run;
    return failed;
}

/* Documents from `count` on are taken out.  What waits shrinks from the end. */
int rb_json_cut(rb_column *c, size_t count)
{
    rb_json *j = c->json;
    int failed = 0;
    if (!j->touched && count == c->count)
        return 0;
    if (j->settled > count) /* they were put ahead */
        j->settled = count;
    for (Py_ssize_t i = 0; i < j->typed_count; i++)
        failed |= rb_column_cut(j->typed[i], count);
    for (size_t i = 0; i < j->order_count; i++) {
        rb_path *path = &j->paths[j->order[i]];
        if (path->active)
            failed |= cut_active(path, count);
        if (!path->run) /* what is in `fast` only is still to be taken out or noted from there */
            path->fast = NULL;
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
        path->rows = path->waiting = 0;
        if (path->column)
            rb_column_cut(path->column, 0); /* not a reset: that frees columns which may be in `touched` */
        j->order_count--;
    }
    return failed;
}
