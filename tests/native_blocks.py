"""FORMAT Native (revision 0, JSON and Dynamic in version 1) read into columns that can be compared.

The values have the tree form of `canonical`: scalars stay bytes, a JSON cell is a dict.  What the format
leaves open beside them is the layout: which types a Dynamic lists, which paths a JSON column has, what is in
shared data.  A body that can be read (by `native_columns`, which asserts the canonical form) and equals
another one in values and layout is the same byte for byte, but for the limit slots, the values under NULL,
and the order of paths in documents in shared variants.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from canonical import Tree
from native_columns import Limit, NativeCursor, make_node

import rowbinary
from rowbinary import _types as t

__all__ = ["Column", "NativeCursor", "blocks", "families", "restated", "rows_of", "shown_type", "varint"]


@dataclass
class Column:
    """A column of a block; columns are equal in what they mean."""

    name: str
    type: str  # as the engine prints it
    values: list[Tree]
    layout: Tree
    type_at: tuple[int, int] = field(compare=False)
    limits: list[Limit] = field(compare=False)
    under_null: list[tuple[int, bytes]] = field(compare=False)
    unordered: bool = field(compare=False)


def blocks(body: bytes) -> list[list[Column]]:
    """The blocks of a body, each a list of columns."""
    cursor = NativeCursor(body)
    found = []
    while not cursor.ended:
        width, rows = cursor.varint(), cursor.varint()
        assert width, "a block without columns ends the reading of the engine"
        columns = [_column(cursor, rows) for _ in range(width)]
        assert len({column.name for column in columns}) == width, "a column twice"
        found.append(columns)
    return found


def _column(cursor: NativeCursor, rows: int) -> Column:
    name, start = cursor.text(), cursor.at
    text, end = cursor.text(), cursor.at
    type_ = rowbinary.parse_type(text)
    assert str(type_) == text, "the engine's spelling"
    node = make_node(type_)
    values: list[Tree] = []
    cursor.limits, cursor.under_null, cursor.unordered = [], [], False
    if rows:
        node.prefix(cursor)
        values = node.data(cursor, rows)
    return Column(
        name,
        shown_type(type_),
        values,
        node.layout(),
        (start, end),
        cursor.limits,
        cursor.under_null,
        cursor.unordered,
    )


def shown_type(type_: t.Type) -> str:
    """The text of a column's type as the engine prints it at revision 0: DateTime without its zone."""
    return "DateTime" if type_.family == "DateTime" else str(type_)


def rows_of(body: bytes, schema: rowbinary.Schema) -> list[tuple[Tree, ...]]:
    """The rows of all blocks as trees: ``normal(canonical.rows(...))`` of the same rows in RowBinary."""
    expected = [(name, shown_type(type_)) for name, type_ in schema.columns]
    found: list[tuple[Tree, ...]] = []
    for columns in blocks(body):
        assert [(column.name, column.type) for column in columns] == expected
        found += zip(*(column.values for column in columns), strict=True)
    return found


def restated(body: bytes, schema: rowbinary.Schema) -> bytes:
    """The engine's bytes as an encoder should write them: with the types of the schema, with the limits in
    their slots, and under NULL with the default of the type, also where that is not zero (Enum)."""
    types = dict(schema.columns)
    out, at = bytearray(), 0
    for column in itertools.chain(*blocks(body)):
        text = str(types[column.name]).encode()
        pieces = [(*column.type_at, varint(len(text)) + text)]
        pieces += [(limit.start, limit.end, varint(limit.declared)) for limit in column.limits]
        pieces += [(start, start + len(zero), zero) for start, zero in column.under_null]
        for start, end, piece in sorted(pieces):
            out += body[at:start] + piece
            at = end
    return bytes(out + body[at:])


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def families(type_: t.Type) -> set[str]:
    """The families of `type_` and of the types in it, but not what an alias such as Point stands for."""
    found = {type_.family}
    for value in () if isinstance(type_, t.Alias) else vars(type_).values():
        for inner in value if isinstance(value, tuple) else (value,):
            inner = inner[1] if isinstance(inner, tuple) else inner  # (path, type) of JSON
            if isinstance(inner, t.Type):
                found |= families(inner)
    return found
