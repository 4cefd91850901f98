/* Where the keys of documents lead, and what their paths mean, when that is asked for the first time. */
#include "json_places.h"

/* Whether `path` is what `key` means in the object `parent`: the same text, if not the same str. */
static int is_path_of(const rb_json *j, const rb_path *path, uint32_t parent, const uint8_t *key, size_t size)
{
    const uint8_t *name = j->names.start + path->name;
    size_t before = parent == RB_NO_PATH ? 0 : (size_t)j->paths[parent].name_size + 1;
    return path->parent == parent && path->key && path->name_size == before + size &&
           memcmp(name + before, key, size) == 0;
}

/* The path by its text. */
static int64_t search(rb_column *c, uint32_t parent, const uint8_t *key, size_t size)
{
    rb_json *j = c->json;
    rb_buffer *scratch = &c->block->scratch;
    size_t at = rb_size(scratch), before = parent == RB_NO_PATH ? 0 : (size_t)j->paths[parent].name_size + 1;
    if (before + size > (size_t)RB_MAX_STRING || rb_need(scratch, before + size + 1))
        return -1;
    uint8_t *name = scratch->start + at;
    if (before) {
        memcpy(name, j->names.start + j->paths[parent].name, before - 1);
        name[before - 1] = '.';
    }
    memcpy(name + before, key, size);
    return rb_json_search(j, name, before + size);
}

/* The path by its text, for keys that were not met lately. */
int64_t RB_COLD rb_json_locate(rb_column *c, uint32_t parent, PyObject *key)
{
    rb_json *j = c->json;
    Py_ssize_t size;
    const uint8_t *bytes = rb_key_text(key, &size);
    if (!bytes)
        return -1;
    int64_t found = rb_json_guess(j);
    if (found >= j->count || !is_path_of(j, &j->paths[found], parent, bytes, (size_t)size))
        found = search(c, parent, bytes, (size_t)size);
    if (found < 0)
        return -1;
    Py_XSETREF(j->paths[found].key, Py_NewRef(key));
    j->paths[found].parent = parent;
    return found;
}

/* Asked once for each path, the typed ones excepted.  Without an answer it stays unknown. */
rb_rule RB_COLD rb_json_learn_rule(rb_encoder *e, rb_column *c, rb_path *path)
{
    const rb_node *typed = NULL;
    rb_rule rule = RB_RULE_DYNAMIC;
    if (c->node->rules && e->no_calls)
        return RB_RULE_UNKNOWN;
    if (c->node->rules) {
        const char *text = (const char *)c->json->names.start + path->name;
        PyObject *name = PyUnicode_DecodeUTF8(text, path->name_size, NULL);
        rule = name ? rb_ask_rules(e, c->node, name, &typed) : RB_RULE_UNKNOWN;
        Py_XDECREF(name);
    }
    path->rule = (uint8_t)rule;
    return rule;
}
