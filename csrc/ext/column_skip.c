/* Where a value in RowBinary ends, and which type a tag means. */
#include "columns.h"

int rb_read_varint(rb_reader *r, uint64_t *number)
{
    uint64_t value = 0;
    for (unsigned shift = 0; r->p < r->end && shift < 64; shift += 7) {
        uint8_t byte = *r->p++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *number = value;
            return 0;
        }
    }
    return -1;
}

static int skip_bytes(rb_reader *r, uint64_t size)
{
    if (size > (uint64_t)(r->end - r->p))
        return -1;
    r->p += size;
    return 0;
}

static int skip_text(rb_reader *r)
{
    uint64_t size;
    return rb_read_varint(r, &size) ? -1 : skip_bytes(r, size);
}

static int skip_children(rb_block *b, const rb_node *node, rb_reader *r)
{
    for (Py_ssize_t i = 0; i < node->count; i++)
        if (rb_skip(b, node->children[i], r))
            return -1;
    return 0;
}

static int skip_array(rb_block *b, const rb_node *node, rb_reader *r)
{
    uint64_t length;
    if (rb_read_varint(r, &length))
        return -1;
    for (uint64_t i = 0; i < length; i++)
        if (skip_children(b, node, r))
            return -1;
    return 0;
}

static int skip_json(rb_block *b, const rb_node *node, rb_reader *r)
{
    uint64_t paths, size;
    if (b->json == RB_JSON_STRING)
        return skip_text(r);
    if (rb_read_varint(r, &paths))
        return -1;
    for (uint64_t i = 0; i < paths; i++) {
        if (rb_read_varint(r, &size) || size > (uint64_t)(r->end - r->p))
            return -1;
        const rb_node *typed = rb_typed_path(node, r->p, (size_t)size);
        r->p += size;
        if (typed ? rb_skip(b, typed, r) : rb_skip_dynamic(b, r))
            return -1;
    }
    return 0;
}

/* Go past a value of `node`. */
int rb_skip(rb_block *b, const rb_node *node, rb_reader *r)
{
    switch (node->op) {
    case RB_OP_STRING:
    case RB_OP_STATE:
        return skip_text(r);
    case RB_OP_NOTHING:
        return 0;
    case RB_OP_NULLABLE:
        if (r->p == r->end)
            return -1;
        return *r->p++ ? 0 : rb_skip(b, node->children[0], r);
    case RB_OP_LOW_CARDINALITY:
    case RB_OP_TUPLE:
        return skip_children(b, node, r);
    case RB_OP_ARRAY:
    case RB_OP_MAP:
    case RB_OP_QBIT:
        return skip_array(b, node, r);
    case RB_OP_VARIANT:
        if (r->p == r->end)
            return -1;
        uint8_t member = *r->p++;
        return member == RB_NULL ? 0 : member < node->count ? rb_skip(b, node->children[member], r) : -1;
    case RB_OP_DYNAMIC:
        return rb_skip_dynamic(b, r);
    case RB_OP_JSON:
        return skip_json(b, node, r);
    case RB_OP_FIXED_STRING:
        return skip_bytes(r, node->size);
    default:
        return skip_bytes(r, rb_op_width[node->op]); /* as in shape_of, column.c */
    }
}

/* Go past a type tag and the value behind it. */
int rb_skip_dynamic(rb_block *b, rb_reader *r)
{
    const rb_kind *kind;
    if (rb_read_kind(b, r, &kind))
        return -1;
    return kind ? rb_skip(b, kind->node, r) : 0;
}

/* --- type tags ---------------------------------------------------------------------------------------- */

static void kind_free(rb_kind *kind)
{
    Py_XDECREF(kind->py);
    Py_XDECREF(kind->tag);
    Py_XDECREF(kind->name);
    PyMem_Free(kind);
}

/* Drop what is known of tags; no column may refer to a kind any more. */
void rb_forget_kinds(rb_block *b)
{
    for (int i = 0; i < 256; i++)
        while (b->kinds[i]) {
            rb_kind *next = b->kinds[i]->next;
            kind_free(b->kinds[i]);
            b->kinds[i] = next;
        }
    b->kinds_count = 0;
}

/* Fill `kind` from rowbinary._paths.read_kind: (tag, node). */
static int kind_fill(rb_kind *kind, PyObject *found)
{
    PyObject *tag, *node;
    if (!PyArg_ParseTuple(found, "SO", &tag, &node))
        return -1;
    kind->tag = Py_NewRef(tag);
    kind->py = Py_NewRef(node);
    kind->node = rb_node_of(node);
    kind->name = PyObject_GetAttrString(node, "text");
    kind->text = kind->name ? PyUnicode_AsUTF8AndSize(kind->name, &kind->text_size) : NULL;
    return kind->node && kind->text ? 0 : -1;
}

/* A tag that is met for the first time is read by the reference. */
static rb_kind *RB_COLD learn_kind(rb_block *b, const rb_reader *r)
{
    Py_ssize_t size = r->end - r->p < 4096 ? r->end - r->p : 4096;
    ++*b->calls; /* other threads, and finalizers, can change a dict meanwhile */
    PyObject *found = PyObject_CallFunction(rb_py.read_kind, "y#", (const char *)r->p, size);
    if (!found && size < r->end - r->p && PyErr_ExceptionMatches(PyExc_Exception)) {
        PyErr_Clear(); /* a longer one, such as an Enum with thousands of labels */
        found = PyObject_CallFunction(rb_py.read_kind, "y#", (const char *)r->p, (Py_ssize_t)(r->end - r->p));
    }
    rb_kind *kind = found ? PyMem_Calloc(1, sizeof *kind) : NULL;
    if (kind && kind_fill(kind, found)) {
        kind_free(kind);
        kind = NULL;
    }
    Py_XDECREF(found);
    if (!kind)
        return NULL;
    kind->next = b->kinds[*r->p];
    b->kinds[*r->p] = kind;
    b->kinds_count++;
    return kind;
}

/* The type whose tag the reader stands at, NULL for NULL; the reader comes to stand behind it. */
int rb_read_kind(rb_block *b, rb_reader *r, const rb_kind **found)
{
    *found = NULL;
    if (r->p == r->end)
        return -1;
    if (*r->p == RB_TAG_NOTHING) {
        r->p++;
        return 0;
    }
    const rb_kind *kind = b->kinds[*r->p];
    for (; kind; kind = kind->next) { /* no tag is the beginning of another */
        Py_ssize_t size = PyBytes_GET_SIZE(kind->tag);
        if (size <= r->end - r->p && memcmp(PyBytes_AS_STRING(kind->tag), r->p, (size_t)size) == 0)
            break;
    }
    if (!kind && !(kind = learn_kind(b, r)))
        return -1;
    r->p += PyBytes_GET_SIZE(kind->tag);
    *found = kind;
    return 0;
}
