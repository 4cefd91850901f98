"""The reference encoder of Native blocks: rows in, blocks of columns out.

The C encoder has the same class with the same methods.
"""

from __future__ import annotations

import operator

from ._badvalue import BadValue
from ._columns import TOO_LONG, Column, Gauge, column_of
from ._cursor import Cursor
from ._encode import RowEncoder, encode_error, encode_row
from ._options import Options
from ._paths import TEXT_OVERFLOW, inherit
from ._plan import Plan
from ._varint import string, varint
from ._write import NO_ZERO

# A block ends with the row that brings it to one of these.  The server has fixed costs for every block and
# column, about 1.3 ms for a table of spans: smaller blocks cost it more, larger ones fall out of the caches.
BLOCK_ROWS = 1 << 16
BLOCK_BYTES = 1 << 22
# But one with enough bytes goes on to the end of a list of which little is left, this part of what it has.
GOING_ON = 4

_LIST_ITERATOR: type = type(iter([]))


class NativeEncoder(RowEncoder):
    """Encodes rows of one plan into Native blocks.

    A column whose cell is DEFAULT is left out of the block, and the server computes it; so all rows of
    a block have DEFAULT in the same columns, and a row that differs begins a new one.  Not so where the
    schema says that a column has no default expression: then DEFAULT is the type's default value.
    """

    def __init__(self, plan: Plan, options: Options):
        super().__init__(plan, options)
        self._columns: list[Column] = []
        self._absent: frozenset[int] = frozenset()  # columns that the open block leaves out
        self._open()

    def _open(self) -> None:
        """Begin a block."""
        self._gauge = Gauge(self.options.json)
        before, self._columns = self._columns, [column_of(node, self._gauge) for node in self.plan.nodes]
        for column, old in zip(self._columns, before, strict=False):
            inherit(column, old)
        self._rows = 0

    def __len__(self) -> int:
        """Bytes in the buffer, about: those of finished blocks, and the values of the open one."""
        return len(self._out) + (self._gauge.size if self._rows else 0)

    def append(self, data: bytes) -> None:
        if not self._busy:
            self._close()
        super().append(data)

    def take(self) -> bytes:
        if not self._busy:
            self._close()
        return super().take()

    def renew(self) -> None:
        super().renew()
        self._columns = []
        self._open()

    def _write(self, row: object) -> None:
        if self._is_full():
            self._close()  # it went on to the end of a list
        index = self.index
        self.index += 1
        data = encode_row(row, index, self.plan, self.options, self.context)
        absent = frozenset(self.context.absent)
        if absent != self._absent:
            self._close()
            self._absent = absent
        self._deal(Cursor(bytes(data)), index)
        self.rows += 1
        if self._is_full():
            self._close()

    def _is_full(self) -> bool:
        size = self._gauge.size
        return self._rows >= BLOCK_ROWS or (size >= BLOCK_BYTES and not self._goes_on(size, BLOCK_BYTES))

    def _has_enough(self, limit: int) -> bool:
        size = len(self)
        return size >= limit and not self._goes_on(size, limit)

    def _goes_on(self, size: int, enough: int) -> bool:
        """Whether there should be no end at `size`, which is `enough`: few rows are left of a list, fewer
        than a block of their own is worth."""
        if type(self._source) is not _LIST_ITERATOR or size - enough >= enough // GOING_ON:
            return False
        return operator.length_hint(self._source) <= self._rows // GOING_ON

    def _deal(self, cursor: Cursor, index: int) -> None:
        """Give each column its value of the row."""
        start = self._gauge.start = self._gauge.size
        position = 0
        self._gauge.size += 1  # rows of nothing but DEFAULT count too
        try:
            for position, column in enumerate(self._columns):
                if position not in self._absent:
                    column.take(cursor)
        except BaseException as error:
            for column in self._columns:
                column.cut(min(column.count, self._rows))
            self._gauge.size = start
            self._gauge.touched.clear()
            if isinstance(error, BadValue):
                raise encode_error(error, index, self.plan.names[position]) from None
            raise
        self._rows += 1
        self._gauge.start = self._gauge.size
        self._gauge.settle()

    def _close(self) -> None:
        """Append the open block, if it has rows, and begin another."""
        if not self._rows:
            return  # no block: what is usual stays what it was in the last one
        out = bytearray()  # all of it or nothing
        out += varint(len(self._columns) - len(self._absent)) + varint(self._rows)
        for position, column in enumerate(self._columns):
            if position not in self._absent:
                out += string(self.plan.names[position]) + string(column.node.text)
                column.prefix(out)
                column.data(out)
        self._out += out
        self._open()


_REASONS = (TOO_LONG, TEXT_OVERFLOW, NO_ZERO)


def refuse(index: int, column: str, reason: int) -> None:
    """Raise the error of row `index`, which the C encoder could not put into `column`."""
    raise encode_error(BadValue(_REASONS[reason]), index, column)
