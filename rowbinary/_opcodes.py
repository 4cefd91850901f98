"""THE opcode table: every wire shape the encoders can write, one row each.

This module imports nothing from the package and is the single source for both
implementations.  Run as a module it prints the C header (``csrc/rb_opcodes.h``):

    python -m rowbinary._opcodes > csrc/rb_opcodes.h

An opcode is a *wire shape*, not a ClickHouse type: ``IntervalDay`` is written by
``INTERVAL``, ``Ring`` by ``ARRAY``.  Which type uses which opcode is said in
``_registry.py``.  The reference writer of ``INT8`` is ``write_int8`` in Python and in C;
forgetting one is an ImportError in Python and a compile error in C.
"""

from __future__ import annotations

import enum
import hashlib

# (name, width): width is the number of bytes of one value on the wire, 0 when it varies.
# The number of an opcode is its position; append new rows at the end.
TABLE: tuple[tuple[str, int], ...] = (
    ("NOTHING", 0),
    ("BOOL", 1),
    ("INT8", 1),
    ("INT16", 2),
    ("INT32", 4),
    ("INT64", 8),
    ("INT128", 16),
    ("INT256", 32),
    ("UINT8", 1),
    ("UINT16", 2),
    ("UINT32", 4),
    ("UINT64", 8),
    ("UINT128", 16),
    ("UINT256", 32),
    ("FLOAT32", 4),
    ("FLOAT64", 8),
    ("BFLOAT16", 2),
    ("DECIMAL32", 4),
    ("DECIMAL64", 8),
    ("DECIMAL128", 16),
    ("DECIMAL256", 32),
    ("STRING", 0),
    ("FIXED_STRING", 0),
    ("DATE", 2),
    ("DATE32", 4),
    ("DATETIME", 4),
    ("DATETIME64", 8),
    ("TIME", 4),
    ("TIME64", 8),
    ("INTERVAL", 8),
    ("UUID", 16),
    ("IPV4", 4),
    ("IPV6", 16),
    ("ENUM8", 1),
    ("ENUM16", 2),
    ("STATE", 0),
    ("NULLABLE", 0),
    ("LOW_CARDINALITY", 0),
    ("ARRAY", 0),
    ("TUPLE", 0),
    ("MAP", 0),
    ("QBIT", 0),
    ("VARIANT", 0),
    ("DYNAMIC", 0),
    ("JSON", 0),
)

Op = enum.IntEnum("Op", {name: number for number, (name, _) in enumerate(TABLE)})  # type: ignore[misc]

WIDTHS: tuple[int, ...] = tuple(width for _, width in TABLE)

# The C module carries the hash it was built with; `_impl` refuses a stale binary.
PLAN_HASH: str = hashlib.sha256(repr(TABLE).encode()).hexdigest()[:16]


def header() -> str:
    """The text of ``csrc/rb_opcodes.h``."""
    lines = [
        "/* GENERATED from rowbinary/_opcodes.py; do not edit.",
        " * Regenerate: python -m rowbinary._opcodes > csrc/rb_opcodes.h */",
        "#ifndef RB_OPCODES_H",
        "#define RB_OPCODES_H",
        "",
        f'#define RB_PLAN_HASH "{PLAN_HASH}"',
        "",
        "typedef enum {",
        *(f"    RB_OP_{name} = {number}," for number, (name, _) in enumerate(TABLE)),
        "} rb_op;",
        "",
        f"#define RB_OP_COUNT {len(TABLE)}",
        "",
        "static const unsigned char rb_op_width[RB_OP_COUNT] = {",
        *(f"    {width}, /* {name} */" for name, width in TABLE),
        "};",
        "",
        "#endif",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(header(), end="")
