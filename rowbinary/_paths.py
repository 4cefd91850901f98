"""Reference columns of what has no declared type: Dynamic, and JSON as one Dynamic column per path.

Written in the layout that servers call V1 (JSON version 0, Dynamic version 1): every server that has the
types reads it, and refuses it when it was cut.  The writer keeps the limits of the type itself, because
the server would not: what is beyond them goes into shared data.
"""

from __future__ import annotations

import collections
import contextlib
import struct

from ._badvalue import BadValue
from ._columns import Column, Gauge, Parent, Text, column_of, skip
from ._cursor import Cursor
from ._opcodes import Op
from ._plan import Node, compile_type, holds
from ._read_types import read_type
from ._varint import string, varint

DYNAMIC_VERSION = 1
JSON_VERSION = 0
JSON_TEXT_VERSION = 1
SHARED = "SharedVariant"  # sorts among the types of a Dynamic column
NULL = 0xFF
_MAX_KINDS = 254  # types a Dynamic column can list
_OVERFLOW = 0xFE

TEXT_OVERFLOW = (
    'a document beyond max_types cannot be sent as text in a Native block (json="string" needs RowBinary)'
)

# A path gets a column of its own when at least one document in SPARSE has it; a column costs every row
# a byte here and nine in the server, and an entry of shared data costs those that have it.  That is
# decided when WATCHED documents are known, or at the end of a shorter block; then a block goes by the one
# before.  But one document in DENSE of the first EARLY is enough for then: such a path does not wait, for
# values that wait and move cost three times as much.
SPARSE = 20
WATCHED = 256
DENSE = 5
EARLY = 32


class Dynamic(Column):
    """Values that bring their types: per row which type, then the values of each type.

    Types beyond `max_types`, in the order of their first use, are kept as bytes in the shared variant.
    """

    __slots__ = ("_kinds", "columns", "discriminators", "max_types", "shared")

    def __init__(self, node: Node, gauge: Gauge, max_types: int):
        super().__init__(node, gauge)
        self.max_types = min(max_types, _MAX_KINDS)
        self.discriminators = bytearray()
        self.columns: list[Column] = []
        self.shared = Text(node, gauge)
        self._kinds: dict[str, int] = {}

    @classmethod
    def of(cls, node: Node, gauge: Gauge) -> Dynamic:
        """The column of a Dynamic type."""
        return cls(node, gauge, node.size)

    def take(self, cursor: Cursor) -> None:
        start = cursor.at
        type_ = read_type(cursor)
        self.gauge.add(1)
        if type_.family == "Nothing":
            self.discriminators.append(NULL)
        else:
            self._take(cursor, start, compile_type(type_))
        self.count += 1

    def _take(self, cursor: Cursor, start: int, node: Node) -> None:
        kind = self._kinds.get(node.text)
        if kind is None:
            if len(self.columns) >= self.max_types:
                if self.gauge.json == "string" and holds(node, Op.JSON):
                    raise BadValue(TEXT_OVERFLOW)
                skip(cursor, node, self.gauge.json)
                self.shared.append(string(cursor.data[start : cursor.at]))
                self.discriminators.append(_OVERFLOW)
                return
            kind = self._kinds[node.text] = len(self.columns)
            self.columns.append(column_of(node, self.gauge))
        self.columns[kind].take(cursor)
        self.discriminators.append(kind)

    @property
    def present(self) -> int:
        """The number of values that are not NULL."""
        return self.shared.count + sum(column.count for column in self.columns)

    def pad(self, count: int) -> None:
        """NULL for the rows up to `count` that have no value."""
        self.discriminators += bytes((NULL,)) * (count - self.count)
        self.count = count

    def cut(self, count: int) -> None:
        lost = collections.Counter(self.discriminators[count : self.count])
        for kind, column in enumerate(self.columns):
            column.cut(column.count - lost[kind])
        self.shared.cut(self.shared.count - lost[_OVERFLOW])
        while self.columns and not self.columns[-1].count:
            del self._kinds[self.columns.pop().node.text]
        del self.discriminators[count:]
        self.count = count

    def _ordered(self) -> list[tuple[bytes, int, Column]]:
        """The kinds in the order of their names: (name, discriminator here, column)."""
        kinds = [(column.node.text.encode(), kind, column) for kind, column in enumerate(self.columns)]
        return sorted([*kinds, (SHARED.encode(), _OVERFLOW, self.shared)], key=lambda kind: kind[0])

    def prefix(self, out: bytearray) -> None:
        kinds = [kind for kind in self._ordered() if kind[2] is not self.shared]
        out += struct.pack("<Q", DYNAMIC_VERSION) + varint(self.max_types) + varint(len(kinds))
        for name, _, _ in kinds:
            out += string(name)
        out += struct.pack("<Q", 0)  # the discriminators are those of a Variant in basic mode
        for _, _, column in kinds:
            column.prefix(out)

    def data(self, out: bytearray) -> None:
        places = bytearray(range(256))
        for place, (_, kind, _) in enumerate(self._ordered()):
            places[kind] = place
        out += self.discriminators.translate(bytes(places))
        for _, _, column in self._ordered():
            column.data(out)


class Path:
    """One path of the documents of a block.

    ``waiting`` has the values (row, type tag and value) of a path that has no column yet.
    """

    __slots__ = ("column", "name", "waiting")

    def __init__(self, name: bytes):
        self.name = name
        self.column: Dynamic | None = None
        self.waiting: list[tuple[int, bytes]] = []


class Json(Column):
    """Documents: the typed paths, a Dynamic column for each path that many rows have, and shared data.

    The paths with columns are those which have been in one document of DENSE when EARLY documents were
    known, or of SPARSE when WATCHED were or at the end of any row after, at most max_dynamic_paths; in the
    order of first appearance when many qualify at once.  ``usual`` are the paths that have one from their
    first value on, because in the block before they were in one document of SPARSE, and had one.
    """

    __slots__ = ("_dynamic", "_found", "_paths", "_settled", "typed", "usual")

    def __init__(self, node: Node, gauge: Gauge):
        super().__init__(node, gauge)
        assert node.json is not None
        self.typed = {path.encode(): column_of(inner, gauge) for path, inner in sorted_paths(node.json.typed)}
        self._paths: dict[bytes, Path] = {}
        self._dynamic: list[Path] = []
        self._found: list[Path] = []  # in the row being taken, without a column
        self._settled = 0
        self.usual: frozenset[bytes] = frozenset()

    def take(self, cursor: Cursor) -> None:
        self.gauge.add(8)
        if self not in self.gauge.touched:
            self.gauge.touched.append(self)
        for _ in range(cursor.varint()):
            name = cursor.take(cursor.varint())
            if name in self.typed:
                self.typed[name].take(cursor)
            else:
                self._add(name, cursor)
        for column in self.typed.values():
            if column.count == self.count:
                column.take_default()
        self.count += 1

    def _add(self, name: bytes, cursor: Cursor) -> None:
        """The value at the cursor, for the path `name`."""
        path = self._paths.setdefault(name, Path(name))
        if path.column is None and name in self.usual and len(self._dynamic) < self._limit:
            self._move(path)
        if path.column is not None:
            path.column.pad(self.count)
            path.column.take(cursor)
            return
        start = cursor.at
        skip_dynamic(cursor, self.gauge.json)
        self.gauge.add(len(name) + cursor.at - start)
        path.waiting.append((self.count, cursor.data[start : cursor.at]))
        self._found.append(path)

    @property
    def _limit(self) -> int:
        assert self.node.json is not None
        return self.node.json.max_paths

    def frequent(self) -> frozenset[bytes]:
        """The paths with columns that are in one document of SPARSE."""
        columns = ((path.name, path.column) for path in self._dynamic)
        return frozenset(name for name, column in columns if column and column.present * SPARSE >= self.count)

    def settle(self) -> None:
        if self.count >= WATCHED:
            self._choose(self._found if self._settled >= WATCHED else list(self._paths.values()), SPARSE)
        elif self._settled < EARLY <= self.count:
            self._choose(list(self._paths.values()), DENSE)
        self._found.clear()
        self._settled = self.count

    def _choose(self, paths: list[Path], share: int) -> None:
        """Give a column to those of `paths` that one document in `share` has."""
        for path in paths:
            if len(self._dynamic) >= self._limit:
                return
            if path.column is None and len(path.waiting) * share >= self.count:
                with contextlib.suppress(BadValue):  # too long there: it stays where it is
                    self._move(path)

    def _move(self, path: Path) -> None:
        """What waits for `path` into a column of its own."""
        assert self.node.json is not None
        column = Dynamic(self.node, self.gauge, self.node.json.max_types)
        size = self.gauge.size
        try:
            for row, value in path.waiting:
                self.gauge.start = self.gauge.size
                column.pad(row)
                column.take(Cursor(value))
        except BadValue:
            self.gauge.size = size
            raise
        path.column = column
        path.waiting.clear()
        self._dynamic.append(path)

    def cut(self, count: int) -> None:
        for column in self.typed.values():
            column.cut(min(column.count, count))
        for path in list(self._paths.values()):
            while path.waiting and path.waiting[-1][0] >= count:
                path.waiting.pop()
            if path.column is not None:
                path.column.cut(min(path.column.count, count))
            if not (path.column.present if path.column is not None else path.waiting):
                del self._paths[path.name]
        self._dynamic = [path for path in self._dynamic if path.name in self._paths]
        self._found.clear()
        self.count = count

    def prefix(self, out: bytearray) -> None:
        assert self.node.json is not None
        if self._settled < WATCHED:
            self._choose(list(self._paths.values()), SPARSE)
        self._dynamic.sort(key=lambda path: path.name)
        out += struct.pack("<Q", JSON_VERSION) + varint(self.node.json.max_paths)
        out += varint(len(self._dynamic)) + b"".join(string(path.name) for path in self._dynamic)
        for column in self.typed.values():
            column.prefix(out)
        for path in self._dynamic:
            assert path.column is not None
            path.column.pad(self.count)
            path.column.prefix(out)

    def data(self, out: bytearray) -> None:
        for column in self.typed.values():
            column.data(out)
        for path in self._dynamic:
            assert path.column is not None
            path.column.data(out)
        self._shared_data(out)

    def _shared_data(self, out: bytearray) -> None:
        """All other paths, as Array(Tuple(path String, value String)), in the order of the paths."""
        rows: list[list[tuple[bytes, bytes]]] = [[] for _ in range(self.count)]
        for path in sorted(self._paths.values(), key=lambda path: path.name):
            for row, value in path.waiting:
                rows[row].append((path.name, value))
        end = 0
        for pairs in rows:
            end += len(pairs)
            out += struct.pack("<Q", end)
        for place in (0, 1):
            for pairs in rows:
                for pair in pairs:
                    out += string(pair[place])


def inherit(column: Column, before: Column) -> None:
    """Let `column` know what is usual from the same column of the block `before`."""
    if isinstance(column, Json) and isinstance(before, Json):
        column.usual = before.frequent()
        for path, typed in column.typed.items():
            inherit(typed, before.typed[path])
    elif isinstance(column, Parent) and isinstance(before, Parent):
        for child, old in zip(column.children, before.children, strict=True):
            inherit(child, old)


class JsonText(Text):
    """Documents as text, which the server parses (``json="string"``); no text is the empty one."""

    __slots__ = ()

    def take(self, cursor: Cursor) -> None:
        self.append(string(cursor.take(cursor.varint()) or b"{}"))

    def prefix(self, out: bytearray) -> None:
        out += struct.pack("<Q", JSON_TEXT_VERSION)


def sorted_paths(typed: dict[str, Node]) -> list[tuple[str, Node]]:
    """Typed paths in the order of their bytes."""
    return sorted(typed.items(), key=lambda item: item[0].encode())


def read_kind(data: bytes) -> tuple[bytes, Node]:
    """The type tag that `data` begins with, and the node it means; the C encoder asks once per type.

    Short inserts have an encoder each, and meet the same few types: their tags are remembered.
    """
    for kind in _KINDS.get(data[:1], ()):
        if data.startswith(kind[0]):  # no tag is the beginning of another
            return kind
    cursor = Cursor(data)
    node = compile_type(read_type(cursor))
    kind = data[: cursor.at], node
    if len(kind[0]) <= _SHORT:
        if sum(map(len, _KINDS.values())) >= _MOST_KINDS:
            _KINDS.clear()
        _KINDS[data[:1]] = (*_KINDS.get(data[:1], ()), kind)
    return kind


_KINDS: dict[bytes, tuple[tuple[bytes, Node], ...]] = {}  # by the first byte
_MOST_KINDS = 256
_SHORT = 64  # bytes of a tag


def skip_dynamic(cursor: Cursor, json: str) -> None:
    """Go past a type tag and the value behind it."""
    type_ = read_type(cursor)
    if type_.family != "Nothing":
        skip(cursor, compile_type(type_), json)
