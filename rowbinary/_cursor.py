"""A position in bytes that are being read, wherever they come from.

Bytes come as one piece or as chunks that are asked for when they are needed, so what is read, errors
included, does not depend on where chunks end.  Nothing is trusted: a length is believed as far as there are
bytes for it.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ._options import MAX_ARRAY, MAX_STRING, Reading
from ._schema import takes_no_bytes
from .errors import DecodeError

if TYPE_CHECKING:
    from . import _types as t
    from ._plan import Node
    from ._read_rows import Columns, Row

# Values of no bytes, Tuple() and the like, in one body: only their number bounds what memory they take.
MAX_EMPTY = 1 << 20
# Types, and Enums with their labels, that are kept for the next value of theirs.
MAX_KNOWN = 4096
# Bytes of the longest varint, of 64 bits.
_VARINT = 10

EXACT = Reading(moments="exact")


class Again(BaseException):
    """Raised by the cursor in C where it must not wait: the row is read once more, after those before it."""


class Position:
    """What can be read anywhere, in terms of ``take``, ``ensure`` and ``offset``.

    The cursor that is written in C has the same methods; both have:

    ``rules``
        what values become;
    ``row``, ``column``
        for errors; ``index`` and ``owners`` say which row it is where rows do not lie together;
    ``level``
        the number of values that the current one is in;
    ``empty``
        values that took no bytes;
    ``nodes``, ``labels``
        compiled types and Enum labels: in caches that outlive the body a hostile one could fill them;
    ``failure``
        an error behind rows that were handed out first.
    """

    rules: Reading
    row: int | None
    column: str | None
    index: int | None
    owners: list[Owner]
    level: int
    empty: int
    nodes: dict[t.Type, Node]
    labels: dict[Node, dict[int, str]]
    failure: Exception | None

    @property
    def offset(self) -> int:
        """Bytes before this position."""
        raise NotImplementedError

    @property
    def left(self) -> int:
        """Bytes that are here already and were not read yet; all there are, once ``ensure`` has failed."""
        raise NotImplementedError

    def ensure(self, count: int) -> bool:
        """Whether `count` more bytes follow; waits for them."""
        raise NotImplementedError

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        raise NotImplementedError

    def error(self, reason: str, offset: int | None = None) -> DecodeError:
        """The error to raise for `reason`, at `offset` or else here."""
        where, row = self.offset if offset is None else offset, self.row
        if row is not None and self.index is not None:
            row += self._owner(self.index)
        return DecodeError(reason, offset=where, row=row, column=self.column)

    def _owner(self, index: int) -> int:
        """The row of a block that value `index` of the innermost column belongs to."""
        for owner in reversed(self.owners):
            index = owner.of(index)
        return index

    def short(self, count: int) -> DecodeError:
        """The error of an end where `count` bytes were to follow."""
        return self.error(f"{count} bytes are needed, {self.left} are left")

    def byte(self) -> int:
        """The next byte, as a number."""
        return self.take(1)[0]

    def varint(self) -> int:
        """An unsigned LEB128 number of at most 64 bits in at most 10 bytes, minimal or not."""
        start = self.offset
        number = 0
        for shift in range(0, 7 * _VARINT, 7):
            byte = self.byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                if number >= 2**64:
                    break
                return number
        raise self.error("a length of more than 64 bits", start)

    def count_empty(self) -> None:
        """Note a value that took no bytes."""
        self.empty += 1
        if self.empty > MAX_EMPTY:
            raise self.error(f"more than {MAX_EMPTY} values that take no bytes")

    def length_of_string(self) -> int:
        """The number of bytes of a String, which follow."""
        start = self.offset
        length = self.varint()
        if length > MAX_STRING:
            raise self.error(f"a String of {length} bytes: {MAX_STRING} are read at most", start)
        self.note("length", length)
        return length

    def data_of_string(self) -> bytes:
        """The bytes of a String."""
        return self.take(self.length_of_string())

    def text(self) -> str | bytes:
        """A String, as it is asked for where it is not UTF-8."""
        start = self.offset
        data = self.data_of_string()
        try:
            return data.decode()
        except UnicodeDecodeError:
            if self.rules.invalid_utf8 == "error":
                raise self.error("a String that is not UTF-8", start) from None
            return data if self.rules.invalid_utf8 == "bytes" else data.decode(errors="surrogateescape")

    def name(self, what: str) -> str:
        """A String that must be UTF-8: `what` is for the error."""
        start = self.offset
        data = self.data_of_string()
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise self.error(f"{what} is not UTF-8", start) from None
        self.note(what, text)
        return text

    def count(self, *children: Node) -> int:
        """The number of elements that follow, each of one value per node (none: at least a byte).

        Checked before anything is made of it: every element takes a byte or more, or else it
        counts among the values that take none.
        """
        start = self.offset
        number = self.varint()
        most = MAX_EMPTY - self.empty
        if number <= most and number <= self.left:
            return number
        if children and all(takes_no_bytes(child.type) for child in children):
            if number > most:
                raise self.error(f"more than {MAX_EMPTY} values that take no bytes", start)
            return number
        if number > MAX_ARRAY:
            raise self.error(f"{number} elements: {MAX_ARRAY} are read at most", start)
        if not self.ensure(number):
            raise self.error(f"{number} elements do not fit in the {self.left} bytes left", start)
        return number

    # What readers tell as they read, for a cursor that shows it (see _inspect.py); this one does not listen.

    def enter(self, node: Node | None, step: object = None) -> None:
        """What is read next is a value of `node` (None: of any type), or many of them.

        `step` leads there from the value around it: an index or a name; ``("key", number)`` to a key of a
        Map, ``("at", key)`` to the value there.  In columns ``index`` says which it is: ``("item",)``,
        ``("key",)``, ``("values", keys)``; ``("path", paths)`` of shared data, and ``("entry", first)``
        of a dictionary.
        """

    def leave(self, value: object = None) -> None:
        """It has been read; if it was not made of other values it is `value`."""

    def note(self, what: str, value: object = None) -> None:
        """The bytes since the last note are `what`; they mean `value`."""

    def note_each(self, what: str, data: bytes, meanings: Sequence[str] = ()) -> None:
        """The bytes since the last note are `data`, one for each value of a column from its first on."""


class Cursor(Position):
    """The reference: bytes in memory, and the chunks that follow them."""

    #: Rows that are asked for at a time by who wants each as soon as it is there.
    batch = 1

    def __init__(
        self, data: bytes = b"", chunks: Iterator[bytes] | None = None, rules: Reading = EXACT, base: int = 0
    ):
        self.data = data
        self.at = 0
        self._base = base
        self._chunks = chunks
        self.rules = rules
        self.row = self.column = self.index = None
        self.failure = None
        self.owners = []
        self.level = self.empty = 0
        self.nodes = {}
        self.labels = {}

    @property
    def offset(self) -> int:
        return self._base + self.at

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def take(self, count: int) -> bytes:
        start = self.at
        end = start + count
        if end > len(self.data):
            if not self.ensure(count):
                raise self.short(count)
            start, end = self.at, self.at + count
        self.at = end
        return self.data[start:end]

    def ensure(self, count: int) -> bool:
        if count <= self.left:
            return True
        if self._chunks is None:
            return False
        pieces = [self.data[self.at :]]
        total = len(pieces[0])
        try:
            for chunk in self._chunks:
                pieces.append(chunk)
                total += len(chunk)
                if total >= count:
                    return True
            self._chunks = None
            return False
        finally:
            self._base += self.at
            self.at = 0
            self.data = b"".join(pieces)

    def rows(self, columns: Columns, most: int) -> list[Row]:
        """The next rows, `most` at most; none when the body has ended."""
        from ._read_rows import read_rows

        return read_rows(self, columns, most)

    def values(self, node: Node, count: int) -> list[Any]:
        """The next column of a block."""
        from ._read_columns import column_of

        column = column_of(node)
        column.prefix(self)
        return column.data(self, count)

    def cells(self, node: Node, count: int) -> Any:
        """The same, for ``tuples``."""
        return self.values(node, count)

    def tuples(self, columns: list[Any], count: int) -> list[Row]:
        """The rows of columns that have been read, each of `count` values."""
        return list(zip(*columns, strict=True))


class Owner:
    """Whose the values of an inner column are: those of an array by where arrays end, those of a variant
    member by the places of the values that have it."""

    __slots__ = ("_ends", "_places")

    def __init__(self, ends: Sequence[int] | None = None, places: Sequence[int] | None = None):
        self._ends, self._places = ends, places

    def of(self, index: int) -> int:
        """The value of the outer column that has value `index` of the inner one."""
        if self._ends is not None:
            return bisect.bisect_right(self._ends, index)
        assert self._places is not None
        return self._places[index]

    def within(self, index: int) -> int:
        """The place in its array of value `index` of the inner column."""
        assert self._ends is not None
        array = self.of(index)
        return index - (self._ends[array - 1] if array else 0)
