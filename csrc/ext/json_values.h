/* What the keys and values of documents are, for both sinks of the walk (walk_json.h). */
#ifndef JSON_VALUES_H
#define JSON_VALUES_H

#include "write_scalar.h"

/* What the type says of a path. */
typedef enum { RB_RULE_UNKNOWN, RB_RULE_DYNAMIC, RB_RULE_TYPED, RB_RULE_SKIPPED } rb_rule;

/* One of the commonest leaves: no Python code is needed to write it. */
typedef struct {
    uint64_t word; /* the number it is; 0 for a text */
    uint8_t tag;   /* of its type; RB_TAG_NOTHING for every other value */
} rb_leaf;

rb_rule rb_ask_rules(rb_encoder *e, const rb_node *node, PyObject *path, const rb_node **typed);

static RB_INLINE rb_leaf rb_leaf_of(const rb_encoder *e, PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    if (type == &PyUnicode_Type) {
        int dated = e->json == RB_JSON_TEXT && rb_date_like(value);
        return (rb_leaf){0, dated ? RB_TAG_NOTHING : RB_TAG_STRING};
    }
    if (type == &PyLong_Type) {
        int64_t number = 0;
        int fits = rb_long_signed(value, 64, &number);
        return (rb_leaf){(uint64_t)number, fits ? RB_TAG_INT64 : RB_TAG_NOTHING};
    }
    if (type == &PyFloat_Type) {
        int null = e->json == RB_JSON_TEXT && !isfinite(PyFloat_AS_DOUBLE(value));
        return (rb_leaf){rb_float_bits(value), null ? RB_TAG_NOTHING : RB_TAG_FLOAT64};
    }
    return (rb_leaf){value == Py_True, type == &PyBool_Type ? RB_TAG_BOOL : RB_TAG_NOTHING};
}

/* The value of a leaf, without its tag. */
static inline int rb_put_leaf(rb_buffer *out, PyObject *value, rb_leaf leaf)
{
    if (leaf.tag == RB_TAG_STRING)
        return rb_put_str(out, value);
    return leaf.tag == RB_TAG_BOOL ? rb_put(out, &leaf.word, 1) : rb_put(out, &leaf.word, 8);
}

/* The UTF-8 of a key; NULL for what is no exact str, and for a lone surrogate. */
static inline const uint8_t *rb_key_text(PyObject *key, Py_ssize_t *size)
{
    if (RB_UNLIKELY(!PyUnicode_CheckExact(key)))
        return NULL;
    if (RB_LIKELY(PyUnicode_IS_COMPACT_ASCII(key))) {
        *size = PyUnicode_GET_LENGTH(key);
        return rb_ascii(key);
    }
    Py_ssize_t wide = 0; /* the address of `size` would keep that in memory */
    const char *text = PyUnicode_AsUTF8AndSize(key, &wide);
    *size = wide;
    return (const uint8_t *)text;
}

#endif
