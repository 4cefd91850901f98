"""Reference columns of a Native block: one class per wire shape, as ``_write.py`` has one writer.

A row is written in RowBinary first, by the same writers as every row; then its bytes are dealt out to
the columns: :meth:`Column.take` moves one value.  So Python values are read in one place, and a scalar's
bytes are simply copied, because they are the same in both formats.  What a column adds is how values
of one type lie together: ends of arrays, null maps, dictionaries, discriminators.  Documents have
columns of their own (:mod:`rowbinary._paths`).

Facts: the ClickHouse sources of ``SerializationXxx::serializeBinaryBulk``; checked against engine 26.9.
"""

from __future__ import annotations

import abc
import collections
import struct
from collections.abc import Callable

from ._badvalue import BadValue
from ._cursor import Cursor
from ._opcodes import WIDTHS, Op
from ._options import MAX_ROW
from ._plan import Node, lacks_zero
from ._varint import string
from ._write import NO_ZERO

__all__ = ["Column", "Gauge", "column_of"]

TOO_LONG = f"the row takes more than {MAX_ROW} bytes in a Native block"
LOW_CARDINALITY_VERSION = 1  # one dictionary per block, no global ones
_OWN_KEYS = 0x600  # the flags "has additional keys" and "needs no update of a global dictionary"
VARIANT_BASIC = 0  # every discriminator is written, none is implied


class Gauge:
    """What the columns of a block have in common.

    ``size`` is the number of bytes in all of them, about; ``start`` what it was when the row began that is
    being taken: no row may take more than MAX_ROW.  ``touched`` has the JSON columns that took documents
    of the row, and ``json`` is the option of that name.
    """

    __slots__ = ("json", "size", "start", "touched")

    def __init__(self, json: str):
        self.json = json
        self.size = 0
        self.start = 0
        self.touched: list[Column] = []

    def add(self, count: int) -> None:
        """Note `count` bytes more."""
        self.size += count
        if self.size - self.start > MAX_ROW:
            raise BadValue(TOO_LONG)

    def settle(self) -> None:
        """The row is good."""
        for column in self.touched:
            column.settle()
        self.touched.clear()


class Column(abc.ABC):
    """Values of one type.

    ``count`` is their number.  A block has all prefixes of a column first, then all data, each
    depth first.
    """

    __slots__ = ("count", "gauge", "node")

    def __init__(self, node: Node, gauge: Gauge):
        self.node = node
        self.gauge = gauge
        self.count = 0

    @abc.abstractmethod
    def take(self, cursor: Cursor) -> None:
        """Append the value that begins at the cursor, which comes to stand behind it."""

    def take_default(self) -> None:
        """Append the type's default value."""
        if lacks_zero(self.node):
            raise BadValue(NO_ZERO)
        self.take(Cursor(self.node.zero))

    @abc.abstractmethod
    def cut(self, count: int) -> None:
        """Keep the first `count` values, and nothing of one that was taken in part."""

    def settle(self) -> None:  # noqa: B027 (most have nothing to decide)
        """Decide what depends on whole rows."""

    def prefix(self, out: bytearray) -> None:  # noqa: B027 (most have none)
        """Append what stands before the data: versions, paths, types."""

    @abc.abstractmethod
    def data(self, out: bytearray) -> None:
        """Append the values."""


class Fixed(Column):
    """Values of one width, one after another."""

    __slots__ = ("values", "width")

    def __init__(self, node: Node, gauge: Gauge):
        super().__init__(node, gauge)
        self.width = WIDTHS[node.op] or node.size
        self.values = bytearray()

    def take(self, cursor: Cursor) -> None:
        self.gauge.add(self.width)
        self.values += cursor.take(self.width)
        self.count += 1

    def cut(self, count: int) -> None:
        del self.values[count * self.width :]
        self.count = count

    def data(self, out: bytearray) -> None:
        out += self.values


class Pieces(Column):
    """Values of many widths."""

    __slots__ = ("values",)

    def __init__(self, node: Node, gauge: Gauge):
        super().__init__(node, gauge)
        self.values: list[bytes] = []

    def append(self, value: bytes) -> None:
        """Add the bytes of one value."""
        self.gauge.add(len(value))
        self.values.append(value)
        self.count += 1

    def cut(self, count: int) -> None:
        del self.values[count:]
        self.count = count

    def data(self, out: bytearray) -> None:
        out += b"".join(self.values)


class Text(Pieces):
    """Strings: length and bytes, one after another."""

    __slots__ = ()

    def take(self, cursor: Cursor) -> None:
        self.append(string(cursor.take(cursor.varint())))


class State(Pieces):
    """Aggregate states, without a length; between the writer and here they have one."""

    __slots__ = ()

    def take(self, cursor: Cursor) -> None:
        self.append(cursor.take(cursor.varint()))


class Empty(Column):
    """Values of no bytes: here one byte each, which nobody reads."""

    __slots__ = ()

    def take(self, cursor: Cursor) -> None:
        self.gauge.add(1)
        self.count += 1

    def cut(self, count: int) -> None:
        self.count = count

    def data(self, out: bytearray) -> None:
        out += b"0" * self.count


class Parent(Column):
    """A column with columns in it; its own bytes come before theirs."""

    __slots__ = ("children",)

    def __init__(self, node: Node, gauge: Gauge):
        super().__init__(node, gauge)
        self.children = [column_of(child, gauge) for child in node.children]

    def prefix(self, out: bytearray) -> None:
        for child in self.children:
            child.prefix(out)

    def data(self, out: bytearray) -> None:
        for child in self.children:
            child.data(out)


class Tuple(Parent):
    """Nothing but its elements."""

    __slots__ = ()

    def take(self, cursor: Cursor) -> None:
        for child in self.children:
            child.take(cursor)
        self.count += 1

    def cut(self, count: int) -> None:
        for child in self.children:
            child.cut(count)
        self.count = count


class Nullable(Parent):
    """A map of the NULLs, then a value for every row, the default where it is NULL."""

    __slots__ = ("nulls",)

    def __init__(self, node: Node, gauge: Gauge):
        super().__init__(node, gauge)
        self.nulls = bytearray()

    def take(self, cursor: Cursor) -> None:
        null = cursor.byte()
        self.gauge.add(1)
        self.nulls.append(null)
        if null:
            self.children[0].take_default()
        else:
            self.children[0].take(cursor)
        self.count += 1

    def cut(self, count: int) -> None:
        del self.nulls[count:]
        self.children[0].cut(count)
        self.count = count

    def data(self, out: bytearray) -> None:
        out += self.nulls
        super().data(out)


class Array(Parent):
    """Where each array ends, counted over the whole block; then all elements.  A Map is an array too,
    with all keys before all values."""

    __slots__ = ("ends",)

    def __init__(self, node: Node, gauge: Gauge):
        super().__init__(node, gauge)
        self.ends: list[int] = []

    def take(self, cursor: Cursor) -> None:
        length = cursor.varint()
        self.gauge.add(8)
        for _ in range(length):
            for child in self.children:
                child.take(cursor)
        self.ends.append(self.children[0].count)
        self.count += 1

    def cut(self, count: int) -> None:
        del self.ends[count:]
        for child in self.children:
            child.cut(self.ends[-1] if self.ends else 0)
        self.count = count

    def data(self, out: bytearray) -> None:
        out += struct.pack(f"<{self.count}Q", *self.ends)
        super().data(out)


class LowCardinality(Column):
    """A dictionary of the values and the place of each row's value in it.

    The dictionary begins with the type's default; that of Nullable with one for NULL before it.
    Others follow in the order of their first use.
    """

    __slots__ = ("dictionary", "keys", "nullable", "places")

    def __init__(self, node: Node, gauge: Gauge):
        super().__init__(node, gauge)
        inner = node.children[0]
        self.nullable = inner.op is Op.NULLABLE
        self.dictionary = column_of(inner.children[0] if self.nullable else inner, Gauge(gauge.json))
        self.keys: list[int] = []
        if self.nullable:
            self.dictionary.take_default()
        self.places = {self.dictionary.node.zero: self.dictionary.count}
        self.dictionary.take_default()

    def _place(self, value: bytes) -> int:
        if value not in self.places:
            self.gauge.add(len(value))
            self.places[value] = self.dictionary.count
            self.dictionary.take(Cursor(value))
        return self.places[value]

    def take(self, cursor: Cursor) -> None:
        self.gauge.add(1)
        key = 0
        if not (self.nullable and cursor.byte()):
            key = self._place(skip(cursor, self.dictionary.node, self.gauge.json))
        self.keys.append(key)
        self.count += 1

    def cut(self, count: int) -> None:
        del self.keys[count:]
        size = max(self.keys, default=0) + 1
        self.dictionary.cut(max(size, 1 + self.nullable))
        self.places = {value: place for value, place in self.places.items() if place < self.dictionary.count}
        self.count = count

    def prefix(self, out: bytearray) -> None:
        out += struct.pack("<Q", LOW_CARDINALITY_VERSION)

    def data(self, out: bytearray) -> None:
        if not self.count:
            return
        size = self.dictionary.count
        width = next(w for w in range(4) if size < 1 << (8 << w))
        out += struct.pack("<QQ", _OWN_KEYS | width, size)
        self.dictionary.data(out)
        out += struct.pack(f"<Q{self.count}{'BHIQ'[width]}", self.count, *self.keys)


class Variant(Parent):
    """The member of each row, then the values of each member."""

    __slots__ = ("members",)

    def __init__(self, node: Node, gauge: Gauge):
        super().__init__(node, gauge)
        self.members = bytearray()

    def take(self, cursor: Cursor) -> None:
        member = cursor.byte()
        self.gauge.add(1)
        self.members.append(member)
        if member != 0xFF:
            self.children[member].take(cursor)
        self.count += 1

    def cut(self, count: int) -> None:
        lost = collections.Counter(self.members[count : self.count])
        for member, child in enumerate(self.children):
            child.cut(child.count - lost[member])
        del self.members[count:]
        self.count = count

    def prefix(self, out: bytearray) -> None:
        out += struct.pack("<Q", VARIANT_BASIC)
        super().prefix(out)

    def data(self, out: bytearray) -> None:
        out += self.members
        super().data(out)


class QBit(Fixed):
    """One bit of many elements after another.

    The elements are taken in groups of the type's stride.  Of each group there is a plane per bit, the
    highest first, with ceil(stride / 8) bytes for every row.
    """

    __slots__ = ("element",)

    def __init__(self, node: Node, gauge: Gauge):
        super().__init__(node, gauge)
        self.element = WIDTHS[node.children[0].op]
        self.width = node.size * self.element

    def take(self, cursor: Cursor) -> None:
        cursor.varint()  # always N
        super().take(cursor)

    def data(self, out: bytearray) -> None:
        for first in range(0, self.node.size, self.node.precision):
            for bit in reversed(range(8 * self.element)):
                for row in range(self.count):
                    out += self._plane(row, first, bit)

    def _plane(self, row: int, first: int, bit: int) -> bytes:
        """Bit `bit` of the elements from `first` on: element 0 is the lowest bit of the last byte."""
        plane = 0
        for index in range(self.node.precision):
            at = row * self.width + (first + index) * self.element + bit // 8
            plane |= (self.values[at] >> bit % 8 & 1) << index
        return plane.to_bytes((self.node.precision + 7) // 8, "big")


def skip(cursor: Cursor, node: Node, json: str) -> bytes:
    """The bytes of the value at the cursor, which comes to stand behind it."""
    start = cursor.at
    column_of(node, Gauge(json)).take(cursor)
    return cursor.data[start : cursor.at]


def column_of(node: Node, gauge: Gauge) -> Column:
    """An empty column for values of the type of `node`."""
    if node.op in (Op.DYNAMIC, Op.JSON):
        from . import _paths

        if node.op is Op.DYNAMIC:
            return _paths.Dynamic.of(node, gauge)
        return _paths.JsonText(node, gauge) if gauge.json == "string" else _paths.Json(node, gauge)
    if node.op is Op.TUPLE and not node.children:
        return Empty(node, gauge)
    return COLUMNS[node.op](node, gauge)


_SHAPES: dict[Op, Callable[[Node, Gauge], Column]] = {
    Op.NOTHING: Empty,
    Op.STRING: Text,
    Op.STATE: State,
    Op.NULLABLE: Nullable,
    Op.LOW_CARDINALITY: LowCardinality,
    Op.ARRAY: Array,
    Op.MAP: Array,
    Op.TUPLE: Tuple,
    Op.QBIT: QBit,
    Op.VARIANT: Variant,
    Op.FIXED_STRING: Fixed,
}
_OTHERS = frozenset({Op.DYNAMIC, Op.JSON})
# An opcode of no fixed width without a column fails here.
COLUMNS = {op: Fixed if WIDTHS[op] else _SHAPES[op] for op in Op if op not in _OTHERS}
