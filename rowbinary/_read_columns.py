"""Reference readers of the columns of a Native block: the mirror image of ``_columns.py``.

A column reads its prefix, once, and then the values of all rows.  JSON and Dynamic are read in the layout of
version 1, which servers write over HTTP, and in version 2, which leaves out the limits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from ._cursor import Owner, Position
from ._opcodes import WIDTHS, Op
from ._options import MAX_ARRAY, MAX_STRING
from ._plan import Node
from ._read import MAX_LEVELS, READERS, document, pairs_of, read_dynamic, read_value
from ._read_types import compiled, named_type
from .errors import shorten

Reader: TypeAlias = Callable[[Position, int], list[Any]]
Paths: TypeAlias = dict[str | bytes, Any]

SHARED = "SharedVariant"
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
        cursor.take(len(nulls))
        if 0 in nulls:
            cursor.index = nulls.index(0)
            read_value(cursor, self.node)
        return [None] * len(nulls)


class Parent(Column):
    """A column of columns."""

    def __init__(self, node: Node):
        super().__init__(node)
        self.children = [column_of(child) for child in node.children]

    def prefix(self, cursor: Position) -> None:
        for child in self.children:
            child.prefix(cursor)


class Tuple(Parent):
    def data(self, cursor: Position, count: int) -> list[Any]:
        names = self.node.names
        if not self.children:
            cursor.index = None
            cursor.take(count)
            return [() if names is None else {} for _ in range(count)]
        rows = zip(*[child.data(cursor, count) for child in self.children], strict=True)
        return list(rows) if names is None else [dict(zip(names, row, strict=True)) for row in rows]


class Nullable(Parent):
    def data(self, cursor: Position, count: int) -> list[Any]:
        start = cursor.offset
        nulls = take_bytes(cursor, count)
        for index, null in enumerate(nulls):
            if null > 1:
                cursor.index = index
                raise cursor.error(f"the NULL flag is {null}, neither 0 nor 1", start + index)
        return self.children[0].data_without(cursor, nulls)


class Array(Parent):
    def data(self, cursor: Position, count: int) -> list[Any]:
        ends = read_ends(cursor, count)
        (items,) = self.items(cursor, ends)
        return [items[start:end] for start, end in zip([0, *ends], ends, strict=False)]

    def items(self, cursor: Position, ends: list[int]) -> list[list[Any]]:
        """The values of each child, of all arrays."""
        total = ends[-1] if ends else 0
        cursor.owners.append(Owner(ends=ends))
        found = [child.data(cursor, total) for child in self.children]
        cursor.owners.pop()
        return found


class Map(Array):
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
        cursor.index = None
        width = self._key_width(cursor)
        size = read_size(cursor, "entries of a dictionary")
        entries = self._entries(cursor, size)
        read_constant(cursor, count, "the number of keys")
        values = []
        for index in range(count):
            cursor.index = index
            key = int.from_bytes(cursor.take(width), "little")
            if key >= size:
                raise cursor.error(f"key {key} of a dictionary of {size} entries", cursor.offset - width)
            values.append(entries[key])
        return values

    def _key_width(self, cursor: Position) -> int:
        start = cursor.offset
        flags = int.from_bytes(cursor.take(8), "little")
        if flags & ~0x403 != 0x200:  # keys of 1 to 8 bytes; a dictionary of its own; to be kept or not
            raise cursor.error(f"a dictionary with the flags 0x{flags:x}", start)
        return 1 << (flags & 3)

    def _entries(self, cursor: Position, size: int) -> list[Any]:
        owners, cursor.owners = cursor.owners, []  # an entry is in many rows, or in none
        column, cursor.row = cursor.row, None
        if self.nullable and size:
            entries = self.entries.data_without(cursor, b"\1" + bytes(size - 1))
        else:
            entries = self.entries.data(cursor, size)
        cursor.row, cursor.owners = column, owners
        cursor.index = None
        return entries


class Variant(Parent):
    """A member's number for each value, then the values of each member."""

    def prefix(self, cursor: Position) -> None:
        read_constant(cursor, 0, "the mode of a Variant")
        super().prefix(cursor)

    def data(self, cursor: Position, count: int) -> list[Any]:
        return spread(
            cursor,
            count,
            [child.data for child in self.children],
            f"a Variant of {len(self.children)} members",
        )


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
                for index in range(count):
                    plane = int.from_bytes(cursor.take(plane_size), "big")
                    _add_bit(vectors[index], first, plane, bit, node.precision)
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
        self.members: list[Column | None] = []  # in the order of their numbers; None is the shared variant

    def prefix(self, cursor: Position) -> None:
        start = cursor.offset
        _enter(cursor)
        if read_version(cursor, {1: True, 2: False}, "Dynamic"):
            cursor.varint()  # max_dynamic_types, which the values do not depend on
        count = cursor.varint()
        if count > _MAX_KINDS:
            raise cursor.error(f"a Dynamic of {count} types: {_MAX_KINDS} are read at most", start)
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
            column.prefix(cursor)
        cursor.level -= 1

    def data(self, cursor: Position, count: int) -> list[Any]:
        readers = [read_shared_values if member is None else member.data for member in self.members]
        return spread(cursor, count, readers, f"a Dynamic of {len(readers)} types")


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
        _enter(cursor)
        if read_version(cursor, {0: True, 2: False}, "JSON"):
            cursor.varint()  # max_dynamic_paths
        paths = [cursor.text() for _ in range(cursor.count())]
        if len({*paths, *(path for path, _ in self.typed)}) < len(paths) + len(self.typed):
            raise cursor.error("a JSON column with one path twice", start)
        for _, column in self.typed:
            column.prefix(cursor)
        self.dynamic = [(path, Dynamic()) for path in paths]
        for _, dynamic in self.dynamic:
            dynamic.prefix(cursor)
        cursor.level -= 1

    def data(self, cursor: Position, count: int) -> list[Any]:
        documents: list[Paths] = []
        for typed, column in self.typed:
            values = column.data(cursor, count)
            documents = documents or [{} for _ in range(count)]
            for found, value in zip(documents, values, strict=True):
                found[typed] = value
        for path, dynamic in self.dynamic:
            values = dynamic.data(cursor, count)
            documents = documents or [{} for _ in range(count)]
            for found, value in zip(documents, values, strict=True):
                if value is not None:  # an untyped path that is NULL is absent
                    found[path] = value
        return self._with_shared(cursor, count, documents)

    def _with_shared(
        self, cursor: Position, count: int, documents: list[dict[str | bytes, Any]]
    ) -> list[Any]:
        ends = read_ends(cursor, count)
        documents = documents or [{} for _ in range(count)]
        total = ends[-1] if ends else 0
        cursor.owners.append(Owner(ends=ends))
        paths = []
        for cursor.index in range(total):
            paths.append(cursor.text())
        values = read_shared_values(cursor, total)
        cursor.owners.pop()
        for index, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
            for path, value in zip(paths[start:end], values[start:end], strict=True):
                if path in documents[index]:
                    cursor.index = index
                    raise cursor.error(f"path {shorten(repr(path))} twice in one JSON value")
                if value is not None:
                    documents[index][path] = value
        return [document(cursor, found) for found in documents]


# --- what several of them read -------------------------------------------------------------------------


def _enter(cursor: Position) -> None:
    """Prefixes can name types whose prefixes name types."""
    if cursor.level >= MAX_LEVELS:
        raise cursor.error(f"values nested deeper than {MAX_LEVELS} levels")
    cursor.level += 1


def read_constant(cursor: Position, wanted: int, what: str) -> None:
    cursor.index = None
    start = cursor.offset
    number = int.from_bytes(cursor.take(8), "little")
    if number != wanted:
        raise cursor.error(f"{what} is {number}, not {wanted}", start)


def read_version(cursor: Position, known: dict[int, bool], what: str) -> bool:
    cursor.index = None
    start = cursor.offset
    number = int.from_bytes(cursor.take(8), "little")
    if number not in known:
        raise cursor.error(f"{what} in layout {number}: only {' and '.join(map(str, known))} are read", start)
    return known[number]


def read_size(cursor: Position, what: str) -> int:
    start = cursor.offset
    number = int.from_bytes(cursor.take(8), "little")
    if number > MAX_ARRAY:
        raise cursor.error(f"{number} {what}: {MAX_ARRAY} are read at most", start)
    return number


def take_bytes(cursor: Position, count: int) -> bytes:
    """A byte for each value."""
    cursor.index = None
    return cursor.take(count)


def read_ends(cursor: Position, count: int) -> list[int]:
    """Where arrays end."""
    ends: list[int] = []
    last = 0
    for cursor.index in range(count):
        end = int.from_bytes(cursor.take(8), "little")
        if not last <= end <= MAX_ARRAY:
            raise cursor.error(
                f"an array that ends at {end}, after one that ends at {last}", cursor.offset - 8
            )
        ends.append(end)
        last = end
    return ends


def spread(
    cursor: Position, count: int, readers: Sequence[Callable[[Position, int], list[Any]]], what: str
) -> list[Any]:
    """The values of a variant, from those of its members."""
    start = cursor.offset
    numbers = take_bytes(cursor, count)
    places: list[list[int]] = [[] for _ in readers]
    for index, number in enumerate(numbers):
        if number < len(readers):
            places[number].append(index)
        elif number != _NULL:
            cursor.index = index
            raise cursor.error(f"member {number} of {what}", start + index)
    values: list[Any] = [None] * count
    for read, where in zip(readers, places, strict=True):
        cursor.owners.append(Owner(places=where))
        for index, value in zip(where, read(cursor, len(where)), strict=True):
            values[index] = value
        cursor.owners.pop()
    return values


def read_shared_values(cursor: Position, count: int) -> list[Any]:
    """Values in Strings, each with its type tag in front."""
    values = []
    for cursor.index in range(count):
        length = cursor.length_of_string()
        end = cursor.offset + length
        if not cursor.ensure(length):
            raise cursor.short(length)
        values.append(read_dynamic(cursor))
        if cursor.offset != end:
            raise cursor.error(f"a value of {length} bytes that ends at offset {cursor.offset}, not {end}")
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


def column_of(node: Node) -> Column:
    """The column of values of the type of `node`."""
    return COLUMNS.get(node.op, Scalar)(node)
