/* GENERATED from rowbinary/_opcodes.py; do not edit.
 * Regenerate: python rowbinary/_opcodes.py > csrc/rb_opcodes.h */
#ifndef RB_OPCODES_H
#define RB_OPCODES_H

#define RB_PLAN_HASH "03addf25e42b6261"

typedef enum {
    RB_OP_NOTHING = 0,
    RB_OP_BOOL = 1,
    RB_OP_INT8 = 2,
    RB_OP_INT16 = 3,
    RB_OP_INT32 = 4,
    RB_OP_INT64 = 5,
    RB_OP_INT128 = 6,
    RB_OP_INT256 = 7,
    RB_OP_UINT8 = 8,
    RB_OP_UINT16 = 9,
    RB_OP_UINT32 = 10,
    RB_OP_UINT64 = 11,
    RB_OP_UINT128 = 12,
    RB_OP_UINT256 = 13,
    RB_OP_FLOAT32 = 14,
    RB_OP_FLOAT64 = 15,
    RB_OP_BFLOAT16 = 16,
    RB_OP_DECIMAL32 = 17,
    RB_OP_DECIMAL64 = 18,
    RB_OP_DECIMAL128 = 19,
    RB_OP_DECIMAL256 = 20,
    RB_OP_STRING = 21,
    RB_OP_FIXED_STRING = 22,
    RB_OP_DATE = 23,
    RB_OP_DATE32 = 24,
    RB_OP_DATETIME = 25,
    RB_OP_DATETIME64 = 26,
    RB_OP_TIME = 27,
    RB_OP_TIME64 = 28,
    RB_OP_INTERVAL = 29,
    RB_OP_UUID = 30,
    RB_OP_IPV4 = 31,
    RB_OP_IPV6 = 32,
    RB_OP_ENUM8 = 33,
    RB_OP_ENUM16 = 34,
    RB_OP_STATE = 35,
    RB_OP_NULLABLE = 36,
    RB_OP_LOW_CARDINALITY = 37,
    RB_OP_ARRAY = 38,
    RB_OP_TUPLE = 39,
    RB_OP_MAP = 40,
    RB_OP_QBIT = 41,
    RB_OP_VARIANT = 42,
    RB_OP_DYNAMIC = 43,
    RB_OP_JSON = 44,
} rb_op;

#define RB_OP_COUNT 45

static const unsigned char rb_op_width[RB_OP_COUNT] = {
    0, /* NOTHING */
    1, /* BOOL */
    1, /* INT8 */
    2, /* INT16 */
    4, /* INT32 */
    8, /* INT64 */
    16, /* INT128 */
    32, /* INT256 */
    1, /* UINT8 */
    2, /* UINT16 */
    4, /* UINT32 */
    8, /* UINT64 */
    16, /* UINT128 */
    32, /* UINT256 */
    4, /* FLOAT32 */
    8, /* FLOAT64 */
    2, /* BFLOAT16 */
    4, /* DECIMAL32 */
    8, /* DECIMAL64 */
    16, /* DECIMAL128 */
    32, /* DECIMAL256 */
    0, /* STRING */
    0, /* FIXED_STRING */
    2, /* DATE */
    4, /* DATE32 */
    4, /* DATETIME */
    8, /* DATETIME64 */
    4, /* TIME */
    8, /* TIME64 */
    8, /* INTERVAL */
    16, /* UUID */
    4, /* IPV4 */
    16, /* IPV6 */
    1, /* ENUM8 */
    2, /* ENUM16 */
    0, /* STATE */
    0, /* NULLABLE */
    0, /* LOW_CARDINALITY */
    0, /* ARRAY */
    0, /* TUPLE */
    0, /* MAP */
    0, /* QBIT */
    0, /* VARIANT */
    0, /* DYNAMIC */
    0, /* JSON */
};

#endif
