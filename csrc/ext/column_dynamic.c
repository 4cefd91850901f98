/* Dynamic: values that bring their types.  Per row which type, then the values of each type; types beyond
 * the limit, in the order of their first use, as bytes in the shared variant. */
#include "columns.h"

static const char SHARED[] = "SharedVariant"; /* sorts among the types */

typedef struct {
    const rb_kind *kind;
    rb_column *column;
} rb_member;

struct rb_dynamic {
    uint32_t max_types;
    uint32_t count;        /* members in use, in the order of first use */
    uint32_t kept;         /* behind them those of the block before, which may be used again */
    uint32_t room;
    rb_member *members;
    rb_column *shared;     /* NULL while no value is in it */
};

int rb_dynamic_open(rb_column *c, uint32_t max_types)
{
    c->dynamic = PyMem_Calloc(1, sizeof *c->dynamic);
    if (!c->dynamic)
        return -1;
    c->dynamic->max_types = max_types < RB_MAX_KINDS ? max_types : RB_MAX_KINDS;
    return 0;
}

static void free_kept(rb_dynamic *d)
{
    for (uint32_t i = d->count; i < d->count + d->kept; i++)
        rb_column_free(d->members[i].column);
    d->kept = 0;
}

void rb_dynamic_free(rb_column *c)
{
    rb_dynamic *d = c->dynamic;
    if (!d)
        return;
    d->kept += d->count;
    d->count = 0;
    free_kept(d);
    rb_column_free(d->shared);
    PyMem_Free(d->members);
    PyMem_Free(d);
}

static int same_type(const rb_kind *a, const rb_kind *b)
{
    return a == b || (a->text_size == b->text_size && memcmp(a->text, b->text, (size_t)a->text_size) == 0);
}

/* Make room for one member more in front of the kept ones. */
static int make_room(rb_dynamic *d)
{
    if (d->count + d->kept == d->room) {
        uint32_t room = d->room ? d->room * 2 : 2;
        rb_member *moved = PyMem_Realloc(d->members, room * sizeof *moved);
        if (!moved)
            return -1;
        d->members = moved;
        d->room = room;
    }
    d->members[d->count + d->kept] = d->members[d->count];
    return 0;
}

/* The first value of a type in this block: a kept column of that type, or a new one. */
static int add_member(rb_column *c, const rb_kind *kind)
{
    rb_dynamic *d = c->dynamic;
    for (uint32_t i = d->count; i < d->count + d->kept; i++)
        if (same_type(d->members[i].kind, kind)) {
            rb_member found = d->members[i];
            d->members[i] = d->members[d->count];
            d->members[d->count++] = found;
            d->kept--;
            return 0;
        }
    rb_column *column = rb_column_new(c->block, kind->node);
    if (!column)
        return -1;
    if (make_room(d)) {
        rb_column_free(column);
        return -1;
    }
    d->members[d->count++] = (rb_member){kind, column};
    return 0;
}

/* The discriminator of `kind`; -1 without memory. */
static int member_of(rb_column *c, const rb_kind *kind)
{
    rb_dynamic *d = c->dynamic;
    for (uint32_t i = 0; i < d->count; i++)
        if (d->members[i].kind == kind)
            return (int)i;
    for (uint32_t i = 0; i < d->count; i++) /* another tag can mean the same type */
        if (same_type(d->members[i].kind, kind))
            return (int)i;
    if (d->count >= d->max_types)
        return RB_OVERFLOW;
    return add_member(c, kind) ? -1 : (int)d->count - 1;
}

static int holds_json(const rb_node *node)
{
    int found = node->op == RB_OP_JSON;
    for (Py_ssize_t i = 0; i < node->count && !found; i++)
        found = holds_json(node->children[i]);
    return found;
}

/* Tag and value as they are, with their length in front. */
static int take_shared(rb_column *c, const rb_kind *kind, const uint8_t *start, rb_reader *r)
{
    rb_dynamic *d = c->dynamic;
    if (c->block->json == RB_JSON_STRING && holds_json(kind->node)) {
        c->block->fault = RB_TEXT_OVERFLOW;
        return -1;
    }
    if (rb_skip(c->block, kind->node, r) || (!d->shared && !(d->shared = rb_text_new(c->block))))
        return -1;
    rb_buffer *out = &d->shared->out;
    size_t size = (size_t)(r->p - start);
    if (rb_need(out, size + RB_VARINT_MAX) || rb_gauge(c->block, rb_varint_size(size) + size))
        return -1;
    out->p = rb_put_varint(out->p, size);
    memcpy(out->p, start, size);
    out->p += size;
    d->shared->count++;
    return 0;
}

int rb_dynamic_take(rb_column *c, rb_reader *r)
{
    const uint8_t *start = r->p;
    const rb_kind *kind;
    if (rb_need(&c->out, 1) || rb_gauge(c->block, 1) || rb_read_kind(c->block, r, &kind))
        return -1;
    int member = kind ? member_of(c, kind) : RB_NULL;
    if (member < 0)
        return -1;
    if (member < RB_OVERFLOW ? rb_column_take(c->dynamic->members[member].column, r)
                             : member == RB_OVERFLOW && take_shared(c, kind, start, r))
        return -1;
    *c->out.p++ = (uint8_t)member;
    return 0;
}

/* NULL for the rows up to `count` that have no value. */
int rb_dynamic_pad(rb_column *c, size_t count)
{
    size_t more = count - c->count;
    if (!more)
        return 0;
    if (rb_need(&c->out, more))
        return -1;
    memset(c->out.p, RB_NULL, more);
    c->out.p += more;
    c->count = count;
    return 0;
}

int rb_dynamic_cut(rb_column *c, size_t count)
{
    rb_dynamic *d = c->dynamic;
    size_t lost[256] = {0};
    int failed = 0;
    for (size_t i = count; i < c->count; i++)
        lost[c->out.start[i]]++;
    if (c->out.start)
        c->out.p = c->out.start + count;
    for (uint32_t i = 0; i < d->count; i++)
        failed |= rb_column_cut(d->members[i].column, d->members[i].column->count - lost[i]);
    if (d->shared)
        failed |= rb_column_cut(d->shared, d->shared->count - lost[RB_OVERFLOW]);
    while (d->count && !d->members[d->count - 1].column->count) { /* to the kept ones */
        d->count--;
        d->kept++;
    }
    return failed;
}

void rb_dynamic_reset(rb_column *c)
{
    rb_dynamic *d = c->dynamic;
    free_kept(d);
    for (uint32_t i = 0; i < d->count; i++)
        rb_column_reset(d->members[i].column);
    d->kept = d->count;
    d->count = 0;
    if (d->shared)
        rb_column_reset(d->shared);
}

void rb_dynamic_forget(rb_column *c)
{
    free_kept(c->dynamic);
}

/* The column of the type with this tag, NULL when it has no value yet. */
rb_column *rb_dynamic_member(rb_column *c, const uint8_t *tag, size_t size, uint8_t *discriminator)
{
    rb_dynamic *d = c->dynamic;
    for (uint32_t i = 0; i < d->count; i++) {
        PyObject *bytes = d->members[i].kind->tag;
        if ((size_t)PyBytes_GET_SIZE(bytes) == size && memcmp(PyBytes_AS_STRING(bytes), tag, size) == 0) {
            *discriminator = (uint8_t)i;
            return d->members[i].column;
        }
    }
    return NULL;
}

/* The number of values that are not NULL. */
size_t rb_dynamic_present(const rb_column *c)
{
    size_t count = c->dynamic->shared ? c->dynamic->shared->count : 0;
    for (uint32_t i = 0; i < c->dynamic->count; i++)
        count += c->dynamic->members[i].column->count;
    return count;
}

static int compare_text(const char *a, size_t a_size, const char *b, size_t b_size)
{
    int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
    return order ? order : a_size < b_size ? -1 : a_size > b_size;
}

/* Discriminators in the order of the types' names; returns how many, the shared variant included. */
static int ordered(const rb_dynamic *d, uint8_t *order)
{
    int count = 0;
    for (uint32_t i = 0; i <= d->count; i++) {
        int shared = i == d->count;
        const char *text = shared ? SHARED : d->members[i].kind->text;
        size_t size = shared ? sizeof SHARED - 1 : (size_t)d->members[i].kind->text_size;
        int at = count++;
        for (; at > 0; at--) {
            const rb_kind *before = order[at - 1] == RB_OVERFLOW ? NULL : d->members[order[at - 1]].kind;
            if (compare_text(before ? before->text : SHARED, before ? (size_t)before->text_size : sizeof SHARED - 1,
                             text, size) < 0)
                break;
            order[at] = order[at - 1];
        }
        order[at] = shared ? RB_OVERFLOW : (uint8_t)i;
    }
    return count;
}

int rb_dynamic_prefix(rb_column *c, rb_buffer *out)
{
    rb_dynamic *d = c->dynamic;
    uint8_t order[RB_MAX_KINDS + 1];
    uint64_t version = 1, mode = 0;
    int count = ordered(d, order);
    if (rb_need(out, 8 + 2 * RB_VARINT_MAX))
        return -1;
    memcpy(out->p, &version, 8);
    out->p = rb_put_varint(out->p + 8, d->max_types);
    out->p = rb_put_varint(out->p, d->count);
    for (int i = 0; i < count; i++) {
        if (order[i] == RB_OVERFLOW)
            continue;
        const rb_kind *kind = d->members[order[i]].kind;
        if (rb_need(out, (size_t)kind->text_size + RB_VARINT_MAX))
            return -1;
        out->p = rb_put_varint(out->p, (uint64_t)kind->text_size);
        memcpy(out->p, kind->text, (size_t)kind->text_size);
        out->p += kind->text_size;
    }
    if (rb_put(out, &mode, 8))
        return -1;
    for (int i = 0; i < count; i++)
        if (order[i] != RB_OVERFLOW && rb_column_prefix(d->members[order[i]].column, out))
            return -1;
    return 0;
}

/* Mostly there is one type, often without NULL. */
static void put_discriminators(const rb_column *c, uint8_t *restrict out, const uint8_t *place)
{
    const uint8_t *restrict in = c->out.start;
    uint8_t only = place[0];
    int one = c->dynamic->count == 1 && !(c->dynamic->shared && c->dynamic->shared->count);
    if (one && c->dynamic->members[0].column->count == c->count)
        memset(out, only, c->count);
    else if (one)
        for (size_t i = 0; i < c->count; i++)
            out[i] = in[i] == RB_NULL ? RB_NULL : only;
    else
        for (size_t i = 0; i < c->count; i++)
            out[i] = place[in[i]];
}

int rb_dynamic_data(rb_column *c, rb_buffer *out)
{
    rb_dynamic *d = c->dynamic;
    uint8_t order[RB_MAX_KINDS + 1], place[256];
    int count = ordered(d, order);
    memset(place, RB_NULL, sizeof place);
    for (int i = 0; i < count; i++)
        place[order[i]] = (uint8_t)i;
    if (rb_need(out, c->count))
        return -1;
    put_discriminators(c, out->p, place);
    out->p += c->count;
    for (int i = 0; i < count; i++) {
        rb_column *column = order[i] == RB_OVERFLOW ? d->shared : d->members[order[i]].column;
        if (column && rb_column_data(column, out))
            return -1;
    }
    return 0;
}
