/* Columns of types that say how their values lie; the others have files of their own. */
#include "columns.h"

#define CACHE_LINE 64

static int take_all(rb_column *c, rb_reader *r);

static rb_shape shape_of(const rb_block *b, const rb_node *node)
{
    switch (node->op) {
    case RB_OP_STRING:
        return RB_COL_TEXT;
    case RB_OP_STATE:
        return RB_COL_STATE;
    case RB_OP_NOTHING:
        return RB_COL_EMPTY;
    case RB_OP_NULLABLE:
        return RB_COL_NULLABLE;
    case RB_OP_ARRAY:
        return RB_COL_ARRAY;
    case RB_OP_MAP:
        return RB_COL_MAP;
    case RB_OP_TUPLE:
        return node->count ? RB_COL_TUPLE : RB_COL_EMPTY;
    case RB_OP_LOW_CARDINALITY:
        return RB_COL_LOW_CARDINALITY;
    case RB_OP_VARIANT:
        return RB_COL_VARIANT;
    case RB_OP_QBIT:
        return RB_COL_QBIT;
    case RB_OP_DYNAMIC:
        return RB_COL_DYNAMIC;
    case RB_OP_JSON:
        return b->json == RB_JSON_STRING ? RB_COL_JSON_TEXT : RB_COL_JSON;
    case RB_OP_FIXED_STRING:
        return RB_COL_FIXED;
    default:
        return RB_COL_FIXED; /* an opcode of a fixed width; tests/test_opcodes.py looks for the others above */
    }
}

int rb_more(void *list, size_t count, size_t *room, size_t size)
{
    void *things;
    if (count < *room)
        return 0;
    size_t wanted = *room ? *room * 2 : 16;
    memcpy(&things, list, sizeof things);
    things = PyMem_Realloc(things, wanted * size);
    if (!things)
        return -1;
    memcpy(list, &things, sizeof things);
    *room = wanted;
    return 0;
}

void rb_less(void *list, size_t *count, size_t *room)
{
    void *things = NULL;
    if (*room > 1 << 12 && *count < *room / 16) {
        memcpy(&things, list, sizeof things);
        PyMem_Free(things);
        things = NULL;
        memcpy(list, &things, sizeof things);
        *room = 0;
    }
    *count = 0;
}

static int open_children(rb_column *c)
{
    c->children = PyMem_Calloc((size_t)c->node->count + 1, sizeof *c->children);
    if (!c->children)
        return -1;
    for (Py_ssize_t i = 0; i < c->node->count; i++) {
        c->children[i] = rb_column_new(c->block, c->node->children[i]);
        if (!c->children[i])
            return -1;
        c->children_count++;
    }
    c->child = c->children[0];
    return 0;
}

static int open_shape(rb_column *c)
{
    switch (c->shape) {
    case RB_COL_FIXED:
        c->width = rb_op_width[c->node->op] ? rb_op_width[c->node->op] : c->node->size;
        return 0;
    case RB_COL_QBIT:
        c->width = c->node->size * rb_op_width[c->node->children[0]->op];
        return 0;
    case RB_COL_NULLABLE:
    case RB_COL_ARRAY:
    case RB_COL_MAP:
    case RB_COL_TUPLE:
    case RB_COL_VARIANT:
        return open_children(c);
    case RB_COL_LOW_CARDINALITY:
        return rb_dictionary_new(c);
    case RB_COL_DYNAMIC:
        return rb_dynamic_open(c, c->node->size);
    case RB_COL_JSON:
        return rb_json_open(c);
    default:
        return 0;
    }
}

/* Aggregate states, and tuples of such. */
static int lacks_zero(const rb_node *node)
{
    int found = node->op == RB_OP_STATE;
    for (Py_ssize_t i = 0; node->op == RB_OP_TUPLE && i < node->count && !found; i++)
        found = lacks_zero(node->children[i]);
    return found;
}

static rb_column *column_alloc(rb_block *b, const rb_node *node, rb_shape shape)
{
    void *memory = PyMem_Calloc(1, sizeof(rb_column) + CACHE_LINE);
    if (!memory)
        return NULL;
    rb_column *c = (rb_column *)(((uintptr_t)memory + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
    c->memory = memory;
    c->block = b;
    c->node = node;
    c->shape = shape;
    c->no_zero = node && lacks_zero(node);
    c->out.grow = c->sizes.grow = rb_memory_grow;
    return c;
}

/* An empty column for values of `node`; NULL without memory. */
rb_column *rb_column_new(rb_block *b, const rb_node *node)
{
    rb_column *c = column_alloc(b, node, shape_of(b, node));
    if (c && open_shape(c)) {
        rb_column_free(c);
        return NULL;
    }
    return c;
}

/* An empty column of strings that no type of the schema stands for. */
rb_column *rb_text_new(rb_block *b)
{
    return column_alloc(b, NULL, RB_COL_TEXT);
}

/* The column of a JSON path: a Dynamic with the limit of the JSON type `node`. */
rb_column *rb_dynamic_new(rb_block *b, const rb_node *node, uint32_t max_types)
{
    rb_column *c = column_alloc(b, node, RB_COL_DYNAMIC);
    if (c && rb_dynamic_open(c, max_types)) {
        rb_column_free(c);
        return NULL;
    }
    return c;
}

void rb_column_free(rb_column *c)
{
    if (!c)
        return;
    for (Py_ssize_t i = 0; i < c->children_count; i++)
        rb_column_free(c->children[i]);
    PyMem_Free(c->children);
    if (c->shape == RB_COL_LOW_CARDINALITY)
        rb_dictionary_free(c);
    else if (c->shape == RB_COL_DYNAMIC)
        rb_dynamic_free(c);
    else if (c->shape == RB_COL_JSON)
        rb_json_free(c);
    rb_memory_free(&c->out);
    rb_memory_free(&c->sizes);
    PyMem_Free(c->memory);
}

/* --- taking values ---------------------------------------------------------------------------------- */

static int take_bytes(rb_column *c, rb_reader *r, size_t size)
{
    if ((size_t)(r->end - r->p) < size || rb_gauge(c->block, size) || rb_need(&c->out, size))
        return -1;
    rb_copy(c->out.p, r->p, size);
    c->out.p += size;
    r->p += size;
    return 0;
}

/* A String is copied with its length. */
static int take_text(rb_column *c, rb_reader *r)
{
    const uint8_t *start = r->p;
    uint64_t size;
    if (rb_read_varint(r, &size) || size > (uint64_t)(r->end - r->p))
        return -1;
    size += (uint64_t)(r->p - start);
    r->p = start;
    return take_bytes(c, r, (size_t)size);
}

/* No text is the empty document. */
static int take_json_text(rb_column *c, rb_reader *r)
{
    rb_reader braces = {(const uint8_t *)"\2{}", NULL};
    braces.end = braces.p + 3;
    if (r->p == r->end || *r->p)
        return take_text(c, r);
    r->p++;
    return take_text(c, &braces);
}

static int take_state(rb_column *c, rb_reader *r)
{
    uint64_t size;
    return rb_read_varint(r, &size) || rb_put(&c->sizes, &size, 8) ? -1 : take_bytes(c, r, (size_t)size);
}

static int take_nullable(rb_column *c, rb_reader *r)
{
    int is_null = r->p < r->end && *r->p;
    if (take_bytes(c, r, 1))
        return -1;
    return is_null ? rb_column_default(c->child) : rb_column_take(c->child, r);
}

static int take_array(rb_column *c, rb_reader *r)
{
    uint64_t length;
    if (rb_read_varint(r, &length) || rb_gauge(c->block, 8))
        return -1;
    for (uint64_t i = 0; i < length; i++)
        if (RB_UNLIKELY(take_all(c, r)))
            return -1;
    uint64_t end = c->child->count;
    return rb_put(&c->out, &end, 8);
}

/* A value for each child. */
static int take_all(rb_column *c, rb_reader *r)
{
    for (Py_ssize_t i = 0; i < c->children_count; i++)
        if (RB_UNLIKELY(rb_column_take(c->children[i], r)))
            return -1;
    return 0;
}

static int take_variant(rb_column *c, rb_reader *r)
{
    if (r->p == r->end)
        return -1;
    uint8_t member = *r->p;
    if (take_bytes(c, r, 1))
        return -1;
    if (member == RB_NULL)
        return 0;
    return member < c->children_count ? rb_column_take(c->children[member], r) : -1;
}

static int take_qbit(rb_column *c, rb_reader *r)
{
    uint64_t length; /* always N */
    return rb_read_varint(r, &length) ? -1 : take_bytes(c, r, c->width);
}

static int take_shape(rb_column *c, rb_reader *r)
{
    switch (c->shape) {
    case RB_COL_FIXED:
        return take_bytes(c, r, c->width);
    case RB_COL_TEXT:
        return take_text(c, r);
    case RB_COL_JSON_TEXT:
        return take_json_text(c, r);
    case RB_COL_STATE:
        return take_state(c, r);
    case RB_COL_EMPTY:
        return rb_gauge(c->block, 1);
    case RB_COL_NULLABLE:
        return take_nullable(c, r);
    case RB_COL_ARRAY:
    case RB_COL_MAP:
        return take_array(c, r);
    case RB_COL_TUPLE:
        return take_all(c, r);
    case RB_COL_LOW_CARDINALITY:
        return rb_dictionary_take(c, r);
    case RB_COL_VARIANT:
        return take_variant(c, r);
    case RB_COL_QBIT:
        return take_qbit(c, r);
    case RB_COL_DYNAMIC:
        return rb_dynamic_take(c, r);
    case RB_COL_JSON:
        return rb_json_take(c, r);
    }
    Py_UNREACHABLE();
}

/* Append the value that the reader stands at. */
int rb_column_take(rb_column *c, rb_reader *r)
{
    if (take_shape(c, r))
        return -1;
    c->count++;
    return 0;
}

/* Append the type's default value. */
int rb_column_default(rb_column *c)
{
    if (RB_UNLIKELY(c->no_zero)) {
        c->block->fault = RB_NO_ZERO;
        return -1;
    }
    rb_reader zero = {c->node->zero, c->node->zero + c->node->zero_size};
    return rb_column_take(c, &zero);
}

/* --- taking values back ------------------------------------------------------------------------------ */

/* The place behind the first `count` strings.  Looked for from the last place found, so that many cuts
 * together cost no more than one look at the column. */
static size_t text_place(rb_column *c, size_t count)
{
    if (count < c->known_count)
        c->known_count = c->known_size = 0;
    rb_reader r = {c->out.start + c->known_size, c->out.p};
    uint64_t size;
    for (size_t i = c->known_count; i < count && !rb_read_varint(&r, &size); i++)
        r.p += size;
    c->known_count = count;
    c->known_size = (size_t)(r.p - c->out.start);
    return c->known_size;
}

static int cut_to(rb_buffer *b, size_t size)
{
    if (b->start)
        b->p = b->start + size;
    return 0;
}

static int cut_state(rb_column *c, size_t count)
{
    size_t size = rb_size(&c->out), one;
    for (size_t i = count; i < c->count; i++, size -= one)
        memcpy(&one, c->sizes.start + 8 * i, 8);
    cut_to(&c->sizes, 8 * count);
    return cut_to(&c->out, size);
}

static int cut_array(rb_column *c, size_t count)
{
    uint64_t end = 0;
    if (count)
        memcpy(&end, c->out.start + 8 * (count - 1), 8);
    cut_to(&c->out, 8 * count);
    for (Py_ssize_t i = 0; i < c->children_count; i++)
        if (rb_column_cut(c->children[i], (size_t)end))
            return -1;
    return 0;
}

static int cut_variant(rb_column *c, size_t count)
{
    size_t lost[256] = {0};
    for (size_t i = count; i < c->count; i++)
        lost[c->out.start[i]]++;
    cut_to(&c->out, count);
    for (Py_ssize_t i = 0; i < c->children_count; i++)
        if (rb_column_cut(c->children[i], c->children[i]->count - lost[i]))
            return -1;
    return 0;
}

static int cut_shape(rb_column *c, size_t count)
{
    switch (c->shape) {
    case RB_COL_FIXED:
    case RB_COL_QBIT:
        return cut_to(&c->out, count * c->width);
    case RB_COL_TEXT:
    case RB_COL_JSON_TEXT:
        return cut_to(&c->out, c->out.start ? text_place(c, count) : 0);
    case RB_COL_STATE:
        return cut_state(c, count);
    case RB_COL_EMPTY:
        return 0;
    case RB_COL_NULLABLE:
        cut_to(&c->out, count);
        return rb_column_cut(c->child, count);
    case RB_COL_ARRAY:
    case RB_COL_MAP:
        return cut_array(c, count);
    case RB_COL_TUPLE:
        for (Py_ssize_t i = 0; i < c->children_count; i++)
            if (rb_column_cut(c->children[i], count))
                return -1;
        return 0;
    case RB_COL_LOW_CARDINALITY:
        return rb_dictionary_cut(c, count);
    case RB_COL_VARIANT:
        return cut_variant(c, count);
    case RB_COL_DYNAMIC:
        return rb_dynamic_cut(c, count);
    case RB_COL_JSON:
        return rb_json_cut(c, count);
    }
    Py_UNREACHABLE();
}

/* Keep the first `count` values, and nothing of one that was taken in part. */
int rb_column_cut(rb_column *c, size_t count)
{
    if (count > c->count)
        count = c->count;
    int failed = cut_shape(c, count);
    c->count = count;
    return failed;
}

/* --- the next block ---------------------------------------------------------------------------------- */

/* No values: what the next block begins with. */
void rb_column_reset(rb_column *c)
{
    size_t count = c->count;
    rb_memory_reset(&c->out, 0);
    rb_memory_reset(&c->sizes, 0);
    c->count = c->known_count = c->known_size = 0;
    for (Py_ssize_t i = 0; i < c->children_count; i++)
        rb_column_reset(c->children[i]);
    if (c->shape == RB_COL_LOW_CARDINALITY)
        rb_dictionary_reset(c);
    else if (c->shape == RB_COL_DYNAMIC)
        rb_dynamic_reset(c);
    else if (c->shape == RB_COL_JSON)
        rb_json_reset(c, count);
}

/* Drop what an empty column knows of the types of Dynamic values. */
void rb_column_forget(rb_column *c)
{
    for (Py_ssize_t i = 0; i < c->children_count; i++)
        rb_column_forget(c->children[i]);
    if (c->shape == RB_COL_DYNAMIC)
        rb_dynamic_forget(c);
    else if (c->shape == RB_COL_JSON)
        rb_json_forget(c);
}

/* Forget which paths of documents were frequent in the block before. */
void rb_column_renew(rb_column *c)
{
    for (Py_ssize_t i = 0; i < c->children_count; i++)
        rb_column_renew(c->children[i]);
    if (c->shape == RB_COL_JSON)
        rb_json_renew(c);
}
