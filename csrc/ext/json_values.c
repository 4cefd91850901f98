/* What values of documents are, where that needs more than a look at the commonest types. */
#include "json_values.h"

/* Types that can neither be an object nor stand for null: these are leaves for sure. */
int rb_is_leaf(const rb_encoder *e, PyObject *value)
{
    return PyList_CheckExact(value) || rb_leaf_of(e, value).tag || PyUnicode_CheckExact(value) ||
           PyLong_CheckExact(value) || rb_is_rare_leaf(value);
}

/* In text mode the strings and arrays of the objects of one array influence each other's types:
 * whether `dict` has none for which that could matter. */
static int is_simple(const rb_encoder *e, PyObject *dict, int depth)
{
    Py_ssize_t position = 0;
    PyObject *key, *value;
    while (PyDict_Next(dict, &position, &key, &value)) {
        if (rb_leaf_of(e, value).tag || value == Py_None || PyLong_CheckExact(value))
            continue;
        if (!PyDict_CheckExact(value) || depth > RB_MAX_DEPTH || !is_simple(e, value, depth + 1))
            return 0;
    }
    return 1;
}

/* Whether an item of a list is one of those objects. */
int rb_is_object(const rb_encoder *e, PyObject *item)
{
    return PyDict_CheckExact(item) && (e->json != RB_JSON_TEXT || is_simple(e, item, e->depth));
}

/* --- typed paths ------------------------------------------------------------------------------------ */

/* What the type says of a path, and the type declared for it; RB_RULE_UNKNOWN with an error. */
rb_rule rb_ask_rules(rb_encoder *e, const rb_node *node, PyObject *path, const rb_node **typed)
{
    e->calls++;
    PyObject *rule = Py_XNewRef(PyDict_GetItemWithError(node->paths, path));
    if (!rule && !PyErr_Occurred())
        rule = PyObject_CallMethodOneArg(node->rules, rb_py.s_resolve, path);
    if (!rule)
        return RB_RULE_UNKNOWN;
    rb_rule answer = rule == Py_False ? RB_RULE_SKIPPED : rule == Py_True ? RB_RULE_DYNAMIC : RB_RULE_TYPED;
    if (answer == RB_RULE_TYPED && !(*typed = rb_node_of(rule)))
        answer = RB_RULE_UNKNOWN;
    Py_DECREF(rule); /* the rules keep typed nodes alive */
    return answer;
}

int rb_takes_null(const rb_node *node)
{
    node = rb_plain(node);
    return node->op == RB_OP_NULLABLE || node->op == RB_OP_VARIANT || node->op == RB_OP_DYNAMIC;
}

/* Whether text mode stores this JSON value in a typed path as it is. */
int rb_stays_itself(const rb_node *typed, PyObject *value)
{
    while (typed->op == RB_OP_NULLABLE || typed->op == RB_OP_LOW_CARDINALITY)
        typed = typed->children[0];
    switch (typed->op) {
    case RB_OP_STRING:
        return PyUnicode_CheckExact(value);
    case RB_OP_FLOAT64:
        return PyFloat_CheckExact(value) && isfinite(PyFloat_AS_DOUBLE(value));
    case RB_OP_BOOL:
        return PyBool_Check(value);
    default:
        return typed->op >= RB_OP_INT8 && typed->op <= RB_OP_UINT256 && PyLong_CheckExact(value);
    }
}
