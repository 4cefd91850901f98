"""Reference readers of the columns of a Native block: the mirror image of ``_columns.py``.

A column reads its prefix, once, and then the values of all rows.  JSON and Dynamic are read in the layout of
version 1, which servers write over HTTP, and in version 2, which leaves out the limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from ._cursor import Owner, Position
from ._opcodes import WIDTHS, Op
from ._options import MAX_STRING
from ._plan import Node
from ._read import READERS, document, pairs_of, read_value
from ._read_faults import bad_flag, bad_key, bad_member, twice
from ._read_parts import (
    enter,
    read_constant,
    read_ends,
    read_path,
    read_shared_values,
    read_size,
    read_version,
    take_bytes,
)
from ._read_types import compiled, named_type
from .errors import shorten

Paths: TypeAlias = dict[str | bytes, Any]

SHARED = "SharedVariant"
NULL_FLAG, UNDER_NULL = "NULL flag", "value under NULL"
_NULL = 0xFF
_MAX_KINDS = 254


class Column:
    """Values of the type of `node` in a block; this one has nothing but them."""

    def __init__(self, node: Node):
        self.node = node

    def prefix(self, cursor: Position) -> None:
        """What stands before the data of all columns that lie within one of the block."""

    def data(self, cursor: Position, count: int) -> list[Any]:
        """`count` values."""
        values: list[Any] = []
        for index in range(count):
            cursor.index = index
            values.append(read_value(cursor, self.node))
        return values

    def data_without(self, cursor: Position, nulls: bytes) -> list[Any]:
        """As many values as `nulls`: ``None`` where that is not 0, whatever the value there is."""
        return [
            None if null else value for null, value in zip(nulls, self.data(cursor, len(nulls)), strict=True)
        ]


class Scalar(Column):
    """A value under NULL can be one that the type does not have: it is not looked at."""

    def data_without(self, cursor: Position, nulls: bytes) -> list[Any]:
        values: list[Any] = []
        for index, null in enumerate(nulls):
            cursor.index = index
            if not null:
                values.append(read_value(cursor, self.node))
                continue
            if self.node.op is Op.STRING:
                cursor.data_of_string()
            else:
                cursor.take(WIDTHS[self.node.op] or self.node.size)
            cursor.note(UNDER_NULL)
            values.append(None)
        return values


class Nothing(Column):
    """A byte for each value, which only NULL has."""

    def data(self, cursor: Position, count: int) -> list[Any]:
        if count:
            cursor.index = 0
            return [read_value(cursor, self.node)]
        return []

    def data_without(self, cursor: Position, nulls: bytes) -> list[Any]:
        cursor.index = None
        cursor.note_each(UNDER_NULL, cursor.take(len(nulls)))
        if 0 in nulls:
            cursor.index = nulls.index(0)
            read_value(cursor, self.node)
        return [None] * len(nulls)


class Parent(Column):
    """A column of columns; values in its values are a level deeper, as in RowBinary."""

    def __init__(self, node: Node):
        super().__init__(node)
        self.children = [column_of(child) for child in node.children]
        self.steps: Sequence[object] = [None] * len(self.children)  # to each, see Position.enter

    def prefix(self, cursor: Position) -> None:
        enter(cursor)
        for child, step in zip(self.children, self.steps, strict=True):
            cursor.enter(child.node, step)
            child.prefix(cursor)
            cursor.leave()
        cursor.level -= 1


class Tuple(Parent):
    def __init__(self, node: Node):
        super().__init__(node)
        self.steps = node.names or range(len(self.children))

    def data(self, cursor: Position, count: int) -> list[Any]:
        return self._read(cursor, count)

    def data_without(self, cursor: Position, nulls: bytes) -> list[Any]:
        """The elements under NULL are not looked at either: servers put 0 there, also for an Enum."""
        rows = self._read(cursor, len(nulls), nulls)
        return [None if null else row for null, row in zip(nulls, rows, strict=True)]

    def _read(self, cursor: Position, count: int, nulls: bytes | None = None) -> list[Any]:
        if not self.children:
            cursor.index = None
            cursor.note_each("empty tuple", cursor.take(count))
            return [()] * count
        cursor.level += 1
        elements = []
        for child, step in zip(self.children, self.steps, strict=True):
            cursor.enter(child.node, step)
            elements.append(child.data(cursor, count) if nulls is None else child.data_without(cursor, nulls))
            cursor.leave()
        cursor.level -= 1
        names, rows = self.node.names, zip(*elements, strict=True)
        return list(rows) if names is None else [dict(zip(names, row, strict=True)) for row in rows]


class Nullable(Parent):
    def data(self, cursor: Position, count: int) -> list[Any]:
        return self._values(cursor, self._flags(cursor, count))

    def data_without(self, cursor: Position, nulls: bytes) -> list[Any]:
        """In a Tuple that is NULL, what stands under that is not looked at, whatever the flag here."""
        return self._values(cursor, bytes(map(max, nulls, self._flags(cursor, len(nulls)))))

    def _flags(self, cursor: Position, count: int) -> bytes:
        start = cursor.offset
        nulls = take_bytes(cursor, count)
        for index, null in enumerate(nulls):
            if null > 1:
                cursor.note_each(NULL_FLAG, nulls[:index])
                cursor.index = index
                raise bad_flag(cursor, null, start + index)
        cursor.note_each(NULL_FLAG, nulls)
        return nulls

    def _values(self, cursor: Position, nulls: bytes) -> list[Any]:
        (child,) = self.children
        cursor.level += 1
        cursor.enter(child.node)
        values = child.data_without(cursor, nulls)
        cursor.leave()
        cursor.level -= 1
        return values


class Array(Parent):
    def __init__(self, node: Node):
        super().__init__(node)
        self.steps = [("item",)]

    def data(self, cursor: Position, count: int) -> list[Any]:
        ends = read_ends(cursor, count)
        (items,) = self.items(cursor, ends)
        return [items[start:end] for start, end in zip([0, *ends], ends, strict=False)]

    def items(self, cursor: Position, ends: list[int]) -> list[list[Any]]:
        """The values of each child, of all arrays."""
        total = ends[-1] if ends else 0
        cursor.owners.append(Owner(ends=ends))
        cursor.level += 1
        found: list[list[Any]] = []
        while len(found) < len(self.children):  # a comprehension has a frame of its own in CPython 3.11
            child = self.children[len(found)]
            cursor.enter(child.node, ("values", found[0]) if found else self.steps[0])
            found.append(child.data(cursor, total))
            cursor.leave()
        cursor.level -= 1
        cursor.owners.pop()
        return found


class Map(Array):
    def __init__(self, node: Node):
        super().__init__(node)
        self.steps = [("key",), ("values", None)]

    def data(self, cursor: Position, count: int) -> list[Any]:
        ends = read_ends(cursor, count)
        pairs = list(zip(*self.items(cursor, ends), strict=True))
        return [pairs_of(pairs[start:end]) for start, end in zip([0, *ends], ends, strict=False)]


class LowCardinality(Column):
    """Keys into a dictionary of the block.  Entry 0 of a nullable one is NULL."""

    def __init__(self, node: Node):
        super().__init__(node)
        (inner,) = node.children
        self.nullable = inner.op is Op.NULLABLE
        self.entries = column_of(inner.children[0] if self.nullable else inner)

    def prefix(self, cursor: Position) -> None:
        read_constant(cursor, 1, "the version of a dictionary")

    def data(self, cursor: Position, count: int) -> list[Any]:
        if not count:
            return []
        width, size = self.head(cursor)
        entries = self._entries(cursor, size)
        self.check_count(cursor, count)
        values = []
        for index in range(count):
            cursor.index = index
            key = int.from_bytes(cursor.take(width), "little")
            if key >= size:
                raise bad_key(cursor, key, size, cursor.offset - width)
            cursor.note("key", (key, entries[key]))
            values.append(entries[key])
        return values

    def head(self, cursor: Position) -> tuple[int, int]:
        """Bytes of a key, and the number of entries."""
        cursor.index = None
        return self._key_width(cursor), read_size(cursor, "entries of a dictionary")

    def check_count(self, cursor: Position, count: int) -> None:
        read_constant(cursor, count, "the number of keys")

    def _key_width(self, cursor: Position) -> int:
        start = cursor.offset
        flags = int.from_bytes(cursor.take(8), "little")
        if flags & ~0x403 != 0x200:  # keys of 1 to 8 bytes; a dictionary of its own; to be kept or not
            raise cursor.error(f"a dictionary with the flags 0x{flags:x}", start)
        cursor.note("flags", flags)
        return 1 << (flags & 3)

    def _entries(self, cursor: Position, size: int) -> list[Any]:
        owners, cursor.owners = cursor.owners, []  # an entry is in many rows, or in none
        column, cursor.row = cursor.row, None
        entries: list[Any] = []
        if self.nullable and size:
            cursor.enter(self.entries.node, ("entry", 0))
            entries = self.entries.data_without(cursor, b"\1")
            cursor.leave()
        cursor.enter(self.entries.node, ("entry", len(entries)))
        entries += self.entries.data(cursor, size - len(entries))
        cursor.leave()
        cursor.row, cursor.owners = column, owners
        cursor.index = None
        return entries


class Variant(Parent):
    """A member's number for each value, then the values of each member."""

    def prefix(self, cursor: Position) -> None:
        read_constant(cursor, 0, "the mode of a Variant")
        super().prefix(cursor)

    def data(self, cursor: Position, count: int) -> list[Any]:
        cursor.level += 1
        values = spread(cursor, count, self.children, f"a Variant of {len(self.children)} members")
        cursor.level -= 1
        return values


class QBit(Column):
    """Planes of one bit of many elements each: see :class:`rowbinary._columns.QBit`."""

    def data(self, cursor: Position, count: int) -> list[Any]:
        cursor.index = None
        node, (element,) = self.node, self.node.children
        width, plane_size = WIDTHS[element.op], (node.precision + 7) // 8
        total = node.size // node.precision * 8 * width * plane_size * count
        if total > MAX_STRING:
            raise cursor.error(f"{total} bytes of {shorten(node.text)}: {MAX_STRING} are read at most")
        if not cursor.ensure(total):
            raise cursor.short(total)
        vectors = [[0] * node.size for _ in range(count)]
        for first in range(0, node.size, node.precision):
            for bit in reversed(range(8 * width)):
                for cursor.index in range(count):
                    plane = int.from_bytes(cursor.take(plane_size), "big")
                    cursor.note("plane", (bit, first))
                    _add_bit(vectors[cursor.index], first, plane, bit, node.precision)
        cursor.index = None
        return [[_element(element, number, width) for number in vector] for vector in vectors]


def _add_bit(vector: list[int], first: int, plane: int, bit: int, stride: int) -> None:
    for at in range(stride):
        vector[first + at] |= (plane >> at & 1) << bit


def _element(node: Node, number: int, width: int) -> object:
    from ._cursor import Cursor

    return READERS[node.op](Cursor(number.to_bytes(width, "little")), node)


class Dynamic(Column):
    """A variant whose members the prefix names, and one more for values of other types."""

    def __init__(self, node: Node | None = None):
        if node is not None:  # a path of a document has no type of its own
            super().__init__(node)
        self.members: list[Column | None] = []  # in the order of their numbers; None is the shared variant
        self.levels = 0 if node is None else 1  # a path of a document and its value are one

    def prefix(self, cursor: Position) -> None:
        start = cursor.offset
        enter(cursor, self.levels)
        if read_version(cursor, {1: True, 2: False}, "Dynamic"):
            cursor.note("max_dynamic_types", cursor.varint())  # values do not depend on it
        count = cursor.varint()
        if count > _MAX_KINDS:
            raise cursor.error(f"a Dynamic of {count} types: {_MAX_KINDS} are read at most", start)
        cursor.note("types", count)
        nodes = {}
        for _ in range(count):
            type_ = named_type(cursor)
            if type_.family in ("Nothing", "Nullable", "Dynamic", "Variant"):
                raise cursor.error(f"a Dynamic of {shorten(type_.text)}", start)
            if type_.text in nodes:
                raise cursor.error(f"a Dynamic of {shorten(type_.text)} twice", start)
            nodes[type_.text] = compiled(cursor, type_)
        columns: dict[str, Column | None] = {text: column_of(node) for text, node in nodes.items()}
        columns[SHARED] = None
        self.members = [columns[text] for text in sorted(columns, key=str.encode)]
        read_constant(cursor, 0, "the mode of a Variant")
        for text in nodes:  # as they are listed
            column = columns[text]
            assert column is not None
            cursor.enter(column.node)
            column.prefix(cursor)
            cursor.leave()
        cursor.level -= self.levels

    def data(self, cursor: Position, count: int) -> list[Any]:
        cursor.level += self.levels
        values = spread(cursor, count, self.members, f"a Dynamic of {len(self.members)} types")
        cursor.level -= self.levels
        return values


class JSON(Column):
    """Typed paths, dynamic ones as the prefix lists them, and the rest of each document."""

    def __init__(self, node: Node):
        super().__init__(node)
        assert node.json is not None
        typed = node.json.typed
        self.typed = [(path, column_of(typed[path])) for path in sorted(typed, key=str.encode)]
        self.dynamic: list[tuple[str | bytes, Dynamic]] = []

    def prefix(self, cursor: Position) -> None:
        start = cursor.offset
        enter(cursor)
        if read_version(cursor, {0: True, 2: False}, "JSON"):
            cursor.note("max_dynamic_paths", cursor.varint())
        count = cursor.count()
        cursor.note("paths", count)
        paths = [read_path(cursor) for _ in range(count)]
        if len({*paths, *(path for path, _ in self.typed)}) < len(paths) + len(self.typed):
            raise cursor.error("a JSON column with one path twice", start)
        for typed, column in self.typed:
            cursor.enter(column.node, typed)
            column.prefix(cursor)
            cursor.leave()
        self.dynamic = [(path, Dynamic()) for path in paths]
        for path, dynamic in self.dynamic:
            cursor.enter(None, path)
            dynamic.prefix(cursor)
            cursor.leave()
        cursor.level -= 1

    def data(self, cursor: Position, count: int) -> list[Any]:
        cursor.level += 1
        documents: list[Paths] = []
        for typed, column in self.typed:
            cursor.enter(column.node, typed)
            values = column.data(cursor, count)
            cursor.leave()
            documents = documents or [{} for _ in range(count)]
            for found, value in zip(documents, values, strict=True):
                found[typed] = value
        for path, dynamic in self.dynamic:
            cursor.enter(None, path)
            values = dynamic.data(cursor, count)
            cursor.leave()
            documents = documents or [{} for _ in range(count)]
            for found, value in zip(documents, values, strict=True):
                if value is not None:  # an untyped path that is NULL is absent
                    found[path] = value
        read = self._with_shared(cursor, count, documents)
        cursor.level -= 1
        return read

    def _with_shared(
        self, cursor: Position, count: int, documents: list[dict[str | bytes, Any]]
    ) -> list[Any]:
        ends = read_ends(cursor, count, "end of shared data")
        documents = documents or [{} for _ in range(count)]
        total = ends[-1] if ends else 0
        cursor.owners.append(Owner(ends=ends))
        paths = []
        for cursor.index in range(total):
            paths.append(read_path(cursor))
        cursor.enter(None, ("path", paths))
        values = read_shared_values(cursor, total)
        cursor.leave()
        cursor.owners.pop()
        for index, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
            for path, value in zip(paths[start:end], values[start:end], strict=True):
                if path in documents[index]:
                    cursor.index = index
                    raise twice(cursor, path, cursor.offset)
                if value is not None:
                    documents[index][path] = value
        return [document(cursor, found) for found in documents]


# --- what several of them read -------------------------------------------------------------------------


def spread(cursor: Position, count: int, members: Sequence[Column | None], what: str) -> list[Any]:
    """The values of a variant, from those of its members (None: those of any type)."""
    start = cursor.offset
    numbers = take_bytes(cursor, count)
    names = [SHARED if member is None else member.node.text for member in members]
    places: list[list[int]] = [[] for _ in members]
    for index, number in enumerate(numbers):
        if number < len(members):
            places[number].append(index)
        elif number != _NULL:
            cursor.note_each("member", numbers[:index], names)
            cursor.index = index
            raise bad_member(cursor, number, what, start + index)
    cursor.note_each("member", numbers, names)
    values: list[Any] = [None] * count
    for member, where in zip(members, places, strict=True):
        cursor.owners.append(Owner(places=where))
        cursor.enter(None if member is None else member.node)
        read = read_shared_values if member is None else member.data
        for index, value in zip(where, read(cursor, len(where)), strict=True):
            values[index] = value
        cursor.leave()
        cursor.owners.pop()
    return values


COLUMNS: dict[Op, type[Column]] = {
    Op.NOTHING: Nothing,
    Op.NULLABLE: Nullable,
    Op.LOW_CARDINALITY: LowCardinality,
    Op.ARRAY: Array,
    Op.TUPLE: Tuple,
    Op.MAP: Map,
    Op.QBIT: QBit,
    Op.VARIANT: Variant,
    Op.DYNAMIC: Dynamic,
    Op.JSON: JSON,
}
# Those that csrc/ext/read_columns.c reads itself, as it numbers them.
SHAPES = (Scalar, Nullable, Array, Map, Tuple, LowCardinality, Variant, Dynamic, JSON)


def column_of(node: Node) -> Column:
    """The column of values of the type of `node`."""
    return COLUMNS.get(node.op, Scalar)(node)
