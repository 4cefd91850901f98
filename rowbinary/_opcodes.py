"""THE opcode table: every wire shape the encoders can write, one row each.

This module imports nothing from the package and is the single source for both
implementations.  Run as a script it prints the C header (``csrc/rb_opcodes.h``):

    python rowbinary/_opcodes.py > csrc/rb_opcodes.h

An opcode is a *wire shape*, not a ClickHouse type: ``IntervalDay`` is written by
``INTERVAL``, ``Ring`` by ``ARRAY``.  Which type uses which opcode is said in
``_registry.py``.  The reference writer of ``INT8`` is ``write_int8`` in Python and in C;
forgetting one is an ImportError in Python and a compile error in C.
"""

from __future__ import annotations

import enum
import hashlib


class Op(enum.IntEnum):
    """An opcode; its value is its position.  Append new ones at the end.

    What stands behind the name is ``width``: the bytes of one value on the wire, 0 when it varies.
    """

    width: int

    def __new__(cls, width: int) -> Op:
        op = int.__new__(cls, len(cls.__members__))
        op._value_ = len(cls.__members__)
        op.width = width
        return op

    NOTHING = 0
    BOOL = 1
    INT8 = 1
    INT16 = 2
    INT32 = 4
    INT64 = 8
    INT128 = 16
    INT256 = 32
    UINT8 = 1
    UINT16 = 2
    UINT32 = 4
    UINT64 = 8
    UINT128 = 16
    UINT256 = 32
    FLOAT32 = 4
    FLOAT64 = 8
    BFLOAT16 = 2
    DECIMAL32 = 4
    DECIMAL64 = 8
    DECIMAL128 = 16
    DECIMAL256 = 32
    STRING = 0
    FIXED_STRING = 0
    DATE = 2
    DATE32 = 4
    DATETIME = 4
    DATETIME64 = 8
    TIME = 4
    TIME64 = 8
    INTERVAL = 8
    UUID = 16
    IPV4 = 4
    IPV6 = 16
    ENUM8 = 1
    ENUM16 = 2
    STATE = 0
    NULLABLE = 0
    LOW_CARDINALITY = 0
    ARRAY = 0
    TUPLE = 0
    MAP = 0
    QBIT = 0
    VARIANT = 0
    DYNAMIC = 0
    JSON = 0


WIDTHS: tuple[int, ...] = tuple(op.width for op in Op)

# The C module carries the hash it was built with; `_impl` refuses a stale binary.
PLAN_HASH: str = hashlib.sha256(repr([(op.name, op.width) for op in Op]).encode()).hexdigest()[:16]


def header() -> str:
    """The text of ``csrc/rb_opcodes.h``."""
    lines = [
        "/* GENERATED from rowbinary/_opcodes.py; do not edit.",
        " * Regenerate: python rowbinary/_opcodes.py > csrc/rb_opcodes.h */",
        "#ifndef RB_OPCODES_H",
        "#define RB_OPCODES_H",
        "",
        f'#define RB_PLAN_HASH "{PLAN_HASH}"',
        "",
        "typedef enum {",
        *(f"    RB_OP_{op.name} = {op.value}," for op in Op),
        "} rb_op;",
        "",
        f"#define RB_OP_COUNT {len(Op)}",
        "",
        "static const unsigned char rb_op_width[RB_OP_COUNT] = {",
        *(f"    {op.width}, /* {op.name} */" for op in Op),
        "};",
        "",
        "#endif",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(header(), end="")
