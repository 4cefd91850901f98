/* What of an object its writer reads (fetch.h). */
#include "rowbinary.h"

/* Of the values of a type. */
unsigned rb_reach_of(const rb_node *node)
{
    switch (node->op) {
    case RB_OP_NULLABLE:
    case RB_OP_LOW_CARDINALITY:
        return rb_reach_of(node->children[0]);
    case RB_OP_STRING:
    case RB_OP_FIXED_STRING:
    case RB_OP_DECIMAL32:
    case RB_OP_DECIMAL64:
    case RB_OP_DECIMAL128:
    case RB_OP_DECIMAL256:
    case RB_OP_TUPLE:
        return RB_REACH_TEXT;
    default:
        return RB_REACH;
    }
}
