"""Every field of a body: where it is, what it belongs to and what it means.

A :class:`Tracer` is a cursor that listens to what the reference readers tell it as they read, so it sees
what they see, and stops where they do.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from . import _impl
from ._badvalue import describe
from ._cursor import Cursor
from ._field_texts import meaning, text_of
from ._options import Reading
from ._plan import Node
from ._read_blocks import Blocks
from ._read_rows import read_header
from ._schema import Schema
from .errors import DecodeError, shorten

# Moments as they are stored: all digits are shown, also in a time zone that is not known here.
_RULES = Reading(json="paths", moments="ticks")
_AHEAD = 16  # bytes to show behind the place where reading stopped
_HEAD = 20  # bytes of two varints

BROKEN = "broken"


class Field(NamedTuple):
    """Some bytes of a body.

    ``row`` is ``None`` in headers and for what belongs to many rows, ``column`` outside of columns, ``path``
    and ``type`` (the text of the type of the value that is read) are empty outside of values.  ``what`` the
    field is, the ``value`` of its bytes, and both in words.
    """

    offset: int
    data: bytes
    row: int | None
    column: str | None
    path: str
    type: str
    what: str
    value: object
    meaning: str


class Outcome(NamedTuple):
    """How far reading came: whole rows, bytes; what stopped it, and some of the bytes that follow."""

    rows: int
    size: int
    error: DecodeError | None
    ahead: bytes


class _Part(NamedTuple):
    """A value that is being read: `depth` is the number of columns of other lengths around it."""

    node: Node | None
    step: Any
    depth: int


class Tracer(Cursor):
    """Gives the fields of what it is asked for to `emit`: all, or those of one row and column."""

    def __init__(
        self,
        chunks: Iterator[bytes],
        emit: Callable[[Field], None],
        columnar: bool,
        row: int | None = None,
        column: str | None = None,
    ):
        super().__init__(b"", chunks, _RULES)
        self._emit = emit
        self._columnar = columnar
        self._only = row, column
        self._parts: list[_Part] = []
        self._taken = bytearray()  # what no note has named yet
        self._mark = 0  # where that begins

    def follow(self, other: Cursor, data: bytes) -> None:
        """Begin where `other` is, before `data`."""
        self.data, self._base = data, other.offset
        self._mark = self._base
        self.row, self.empty = other.row, other.empty

    def take(self, count: int) -> bytes:
        data = super().take(count)
        self._taken += data
        return data

    def values(self, node: Node, count: int) -> list[object]:
        self.enter(node)
        values = super().values(node, count)
        self.leave()
        return values

    # --- what readers tell ---

    def enter(self, node: Node | None, step: object = None) -> None:
        self._parts.append(_Part(node, step, len(self.owners)))

    def leave(self, value: object = None) -> None:
        if self._taken:
            self.note("value", value)
        self._parts.pop()

    def note(self, what: str, value: object = None) -> None:
        if not self._taken:  # a text of no bytes
            return
        if what == "member" and isinstance(value, int):
            value = value, self._member(value)
        self._field(len(self._taken), what, value)

    def note_each(self, what: str, data: bytes, meanings: Sequence[str] = ()) -> None:
        before = self.index
        for self.index, number in enumerate(data):
            name = meanings[number] if number < len(meanings) else None
            self._field(1, what, (number, name) if meanings else number)
        self.index = before

    def _member(self, index: int) -> str | None:
        """The type of a member of the Variant that is read."""
        node = self._parts[-1].node
        assert node is not None
        return node.children[index].text if index < len(node.children) else None

    # --- fields ---

    def _field(self, size: int, what: str, value: object) -> None:
        start, data = self._mark, bytes(self._taken[:size])
        self._mark += size
        del self._taken[:size]
        row, column = self._row(), self.column
        if self._only[0] in (None, row) and self._only[1] in (None, column):
            node = self._parts[-1].node if self._parts else None
            text = meaning(what, value, node)
            self._emit(Field(start, data, row, column, self._path(), self._type(), what, value, text))

    def _row(self) -> int | None:
        if not self._columnar or self.row is None:
            return self.row
        return None if self.index is None else self.row + self._owner(self.index)

    def _type(self) -> str:
        if not self._parts:
            return ""
        node = self._parts[-1].node
        return "Dynamic" if node is None else node.text

    def _path(self) -> str:
        """Where in the cell: from the inside out, since the value's index leads to those around it."""
        index, depth = self.index, len(self.owners)
        steps = []
        for part in reversed(self._parts):
            while index is not None and depth > part.depth:
                depth -= 1
                index = self.owners[depth].of(index)
            steps.append(self._step(part, index))
            if isinstance(part.step, tuple) and part.step[0] == "entry":
                index = None  # of a dictionary, not of a value
        return shorten("$" + "".join(reversed(steps)), 400) if steps else ""

    def _step(self, part: _Part, index: int | None) -> str:
        match part.step:
            case None:
                return ""
            case int(number):
                return f"[{number}]"
            case str(name):
                return f".{shorten(name, 100)}"
            case bytes(name):
                return f".{shorten(name.decode(errors='backslashreplace'), 100)}"
            case ("key", number):
                return f"[key {number}]"
            case ("at", key):
                return _at(key)
            case ("path", paths):
                return ".*" if index is None else self._step(part._replace(step=paths[index]), None)
            case ("values", keys):
                return "[*]" if index is None else _at(keys[index])
            case ("entry", first):
                return "[entry *]" if index is None else f"[entry {first + index}]"
        word = "key " if part.step == ("key",) else ""
        return f"[{word}*]" if index is None else f"[{word}{self.owners[part.depth - 1].within(index)}]"

    # --- the end ---

    def broken(self, error: DecodeError) -> None:
        """Give what is no field, maybe no bytes, whichever row it is of."""
        start = self._mark if self._taken or error.offset is None else error.offset
        path, type_, data = self._path(), self._type(), bytes(self._taken)
        self._emit(Field(start, data, error.row, error.column, path, type_, BROKEN, None, error.reason))


def _at(key: object) -> str:
    """The step to the value at `key`, which may be a large one."""
    if isinstance(key, list | tuple | dict):
        return f"[{describe(key).partition(' ')[2]}]"
    return f"[{text_of(key)}]"


class _Kept(Iterator[bytes]):
    """Chunks, with those that a cursor has asked for and not read to their end."""

    def __init__(self, chunks: Iterator[bytes]):
        self._chunks = chunks
        self._kept: collections.deque[bytes] = collections.deque()
        self._start = 0

    def __next__(self) -> bytes:
        chunk = next(self._chunks)
        self._kept.append(chunk)
        return chunk

    def drop(self, offset: int) -> None:
        """Forget chunks that end before `offset`."""
        while self._kept and self._start + len(self._kept[0]) <= offset:
            self._start += len(self._kept.popleft())

    def behind(self, offset: int) -> bytes:
        """What is kept from `offset` on."""
        return b"".join(self._kept)[max(offset - self._start, 0) :]


class _Source:
    """Where fields are read: by `tracer`, or by the fastest cursor up to the row that is wanted."""

    def __init__(self, chunks: Iterator[bytes], tracer: Tracer, from_start: bool):
        self._kept = _Kept(chunks)
        self._tracer = tracer
        self.cursor: Cursor = tracer if from_start else _impl.cursor(None)(b"", self._kept, _RULES)

    def passed(self) -> None:
        """What the cursor has read is not needed any more."""
        self._kept.drop(self.cursor.offset)

    def listen(self) -> None:
        """Read on with the tracer."""
        if self.cursor is not self._tracer:
            self._tracer.follow(self.cursor, self._kept.behind(self.cursor.offset))
            self.cursor = self._tracer

    def ahead(self, count: int) -> bytes:
        """Some bytes that follow, `count` if there are as many."""
        self.cursor.ensure(count)
        if self.cursor is self._tracer:
            return self._tracer.data[self._tracer.at :][:count]
        return self._kept.behind(self.cursor.offset)[:count]

    def end(self, rows: int, error: DecodeError | None) -> Outcome:
        """What there is to say where reading has ended."""
        if error is None:
            return Outcome(rows, self.cursor.offset, None, b"")
        self._tracer.broken(error)
        if self.cursor is self._tracer or error.offset is None:
            return Outcome(rows, self.cursor.offset, error, self.ahead(_AHEAD))
        return Outcome(rows, error.offset, error, self._kept.behind(error.offset)[:_AHEAD])


def inspect(
    chunks: Iterator[bytes],
    schema: Schema | None,
    form: str,
    emit: Callable[[Field], None],
    row: int | None = None,
    column: str | None = None,
) -> Outcome:
    """Give the fields of a body to `emit`, all or those of `row` and `column`; it ends behind that row."""
    tracer = Tracer(chunks, emit, form == "Native", row, column)
    source = _Source(chunks, tracer, from_start=row is None)
    rows = 0
    try:
        steps = _blocks(source, schema, row) if form == "Native" else _rows(source, form, schema, row)
        for count in steps:
            rows += count
    except DecodeError as error:
        return source.end(rows, error)
    return source.end(rows, None)


def _rows(source: _Source, form: str, schema: Schema | None, only: int | None) -> Iterator[int]:
    """Read rows; how many they were each time."""
    columns = read_header(source.cursor, form, schema)
    left = only or 0
    while left:
        found = len(source.cursor.rows(columns, min(left, source.cursor.batch)))
        source.passed()
        yield found
        if not found:
            return
        left -= found
    source.listen()
    while source.cursor.rows(columns, 1):
        yield 1
        if only is not None:
            return


def _blocks(source: _Source, schema: Schema | None, only: int | None) -> Iterator[int]:
    """Read blocks; how many rows each had."""
    blocks = Blocks(source.cursor, schema)
    count = 0
    while only is None or count <= only:
        if only is not None and only < count + _rows_ahead(source):
            source.listen()
            blocks.move(source.cursor)
        block = blocks.next()
        if block is None:
            return
        source.passed()
        count += block.rows
        yield block.rows


def _rows_ahead(source: _Source) -> int:
    """The rows of the block that begins here; many if it does not say so."""
    head = Cursor(source.ahead(_HEAD))
    try:
        head.varint()
        return head.varint()
    except DecodeError:
        return 1 << 64
