/* JSON columns as bytes: paths and their columns, then shared data. */
#include "column_json.h"

#include <stdlib.h>

typedef struct {
    const uint8_t *name;
    uint32_t size, path;
} rb_named;

static int compare_names(const void *a, const void *b)
{
    const rb_named *x = a, *y = b;
    int order = memcmp(x->name, y->name, x->size < y->size ? x->size : y->size);
    return order ? order : x->size < y->size ? -1 : x->size > y->size;
}

/* The paths of the block that are active, or that are not, in the order of their names; NULL without memory. */
static rb_named *sorted(const rb_json *j, int active, size_t *count)
{
    rb_named *list = PyMem_Malloc(j->order_count * sizeof *list + 1);
    *count = 0;
    for (size_t i = 0; list && i < j->order_count; i++) {
        const rb_path *path = &j->paths[j->order[i]];
        if (path->active == active)
            list[(*count)++] = (rb_named){j->names.start + path->name, path->name_size, j->order[i]};
    }
    if (list)
        qsort(list, *count, sizeof *list, compare_names);
    return list;
}

static int put_text(rb_buffer *out, const uint8_t *text, size_t size)
{
    out->mark = rb_size(out);
    if (rb_need(out, size + RB_VARINT_MAX))
        return -1;
    out->p = rb_put_varint(out->p, size);
    rb_copy(out->p, text, size);
    out->p += size;
    return 0;
}

static int put_paths(rb_column *c, rb_buffer *out, const rb_named *list, size_t count)
{
    uint64_t version = 0;
    if (rb_need(out, 8 + 2 * RB_VARINT_MAX))
        return -1;
    memcpy(out->p, &version, 8);
    out->p = rb_put_varint(out->p + 8, c->node->max_paths);
    out->p = rb_put_varint(out->p, count);
    for (size_t i = 0; i < count; i++)
        if (put_text(out, list[i].name, list[i].size))
            return -1;
    for (Py_ssize_t i = 0; i < c->json->typed_count; i++)
        if (rb_column_prefix(c->json->typed[i], out))
            return -1;
    return 0;
}

int rb_json_prefix(rb_column *c, rb_buffer *out)
{
    rb_json *j = c->json;
    size_t count;
    if (j->settled < RB_WATCHED)
        rb_json_choose_all(c);
    rb_named *list = sorted(j, 1, &count);
    if (!list)
        return -1;
    int failed = put_paths(c, out, list, count);
    for (size_t i = 0; i < count && !failed; i++) {
        rb_path *path = &j->paths[list[i].path];
        failed = rb_json_pad(path, c->count) || rb_column_prefix(path->column, out);
    }
    PyMem_Free(list);
    return failed;
}

/* --- shared data ------------------------------------------------------------------------------------------ */

/* The values that still wait, by row and in each row by the rank of the path. */
typedef struct {
    uint32_t entry, rank;
} rb_shared;

static int compare_ranks(const void *a, const void *b)
{
    const rb_shared *x = a, *y = b;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

/* Most rows have few. */
static void sort_row(rb_shared *row, size_t count)
{
    if (count > 32) {
        qsort(row, count, sizeof *row, compare_ranks);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        rb_shared one = row[i];
        size_t at = i;
        for (; at && row[at - 1].rank > one.rank; at--)
            row[at] = row[at - 1];
        row[at] = one;
    }
}

/* Fill `shared` and write where each row's part of it ends. */
static int put_ends(rb_column *c, rb_buffer *out, rb_shared *shared, const uint32_t *ranks, size_t *total)
{
    rb_json *j = c->json;
    size_t at = 0;
    *total = 0;
    if (rb_need(out, 8 * c->count))
        return -1;
    for (size_t row = 0; row < c->count; row++) {
        size_t begin = *total;
        for (; at < j->waiting_count && j->waiting[at].row == row; at++) {
            uint32_t path = j->waiting[at].path;
            if (!j->paths[path].active)
                shared[(*total)++] = (rb_shared){(uint32_t)at, ranks[path]};
        }
        sort_row(shared + begin, *total - begin);
        uint64_t end = *total;
        memcpy(out->p, &end, 8);
        out->p += 8;
    }
    return 0;
}

static int put_shared(rb_column *c, rb_buffer *out, rb_shared *shared, const uint32_t *ranks)
{
    rb_json *j = c->json;
    size_t total;
    if (put_ends(c, out, shared, ranks, &total))
        return -1;
    for (size_t i = 0; i < total; i++) {
        const rb_path *path = &j->paths[j->waiting[shared[i].entry].path];
        if (put_text(out, j->names.start + path->name, path->name_size))
            return -1;
    }
    for (size_t i = 0; i < total; i++) {
        rb_reader value = rb_json_value(j, shared[i].entry);
        if (put_text(out, value.p, (size_t)(value.end - value.p)))
            return -1;
    }
    return 0;
}

/* Array(Tuple(path String, value String)): what has no column, sorted by path in each row. */
static int shared_data(rb_column *c, rb_buffer *out)
{
    rb_json *j = c->json;
    size_t count;
    rb_named *list = sorted(j, 0, &count);
    uint32_t *ranks = PyMem_Malloc(j->count * sizeof *ranks + 1);
    rb_shared *shared = PyMem_Malloc(j->waiting_count * sizeof *shared + 1);
    int failed = !list || !ranks || !shared;
    for (size_t i = 0; i < count && !failed; i++)
        ranks[list[i].path] = (uint32_t)i;
    failed = failed || put_shared(c, out, shared, ranks);
    PyMem_Free(list);
    PyMem_Free(ranks);
    PyMem_Free(shared);
    return failed;
}

int rb_json_data(rb_column *c, rb_buffer *out)
{
    rb_json *j = c->json;
    size_t count;
    for (Py_ssize_t i = 0; i < j->typed_count; i++)
        if (rb_column_data(j->typed[i], out))
            return -1;
    rb_named *list = sorted(j, 1, &count);
    int failed = !list;
    for (size_t i = 0; i < count && !failed; i++)
        failed = rb_column_data(j->paths[list[i].path].column, out);
    PyMem_Free(list);
    return failed || shared_data(c, out);
}
