"""Bodies of FORMAT Native: blocks of columns."""

from __future__ import annotations

from typing import Any, NamedTuple

from . import _types as t
from ._cursor import MAX_KNOWN, Cursor
from ._options import MAX_ARRAY
from ._plan import Node
from ._read_rows import is_type
from ._read_types import compiled, parsed
from ._schema import Schema
from ._typed import DEFAULT
from .errors import shorten


class Block(NamedTuple):
    """Columns in the order of the schema, or of the first block where there is none."""

    columns: list[Any]
    rows: int


class Known(NamedTuple):
    """A type as a head names it, and how it is read: a Point has the node of a Tuple."""

    type: t.Type
    node: Node


class Blocks:
    """The blocks of a body.

    Blocks name their columns, in any order.  Where the schema is known, a column that a block does not have
    is one that the server is to compute: its values are ``DEFAULT``.  Columns are lists, or, with `cells`,
    what ``cursor.tuples`` makes rows of.

    Attributes:
        names, types: of the columns; those of the first block unless a schema says them.
    """

    def __init__(self, cursor: Cursor, schema: Schema | None, cells: bool = False):
        self._cursor = cursor
        self._cells = cells
        self._given = schema is not None
        self._known: dict[str, Known] = {}  # by the text of a type
        self._rows = 0
        self._expected: dict[str, Known] | None = None
        self.names: tuple[str, ...] = ()
        self.types: tuple[t.Type, ...] = ()
        if schema is not None:
            self.names, self.types = schema.names, schema.types
            known = map(Known, schema.types, schema.plan.nodes)
            self._expected = dict(zip(schema.names, known, strict=True))

    def move(self, cursor: Cursor) -> None:
        """Read on with `cursor`, which stands at the same place."""
        self._cursor = cursor

    def next(self) -> Block | None:
        """The next block; ``None`` at the end."""
        cursor = self._cursor
        cursor.row = cursor.column = cursor.index = None
        if not cursor.ensure(1):
            return None
        try:
            return self._next(cursor)
        except RecursionError:  # as in rows
            raise cursor.error("values nested too deeply for the interpreter's stack") from None

    def _next(self, cursor: Cursor) -> Block:
        start = cursor.offset
        width = cursor.varint()
        cursor.note("columns", width)
        rows = cursor.varint()
        cursor.note("rows", rows)
        if not width:
            raise cursor.error("a block without columns", start)
        if rows > MAX_ARRAY:
            raise cursor.error(f"a block of {rows} rows: {MAX_ARRAY} are read at most", start)
        read = cursor.cells if self._cells else cursor.values
        found: dict[str, Any] = {}
        heads: dict[str, Known] = {}
        for _ in range(width):
            name, node = self._head(heads)
            cursor.column, cursor.row, cursor.index = name, self._rows, None
            found[name] = read(node, rows) if rows else []
            cursor.column = cursor.row = cursor.index = None
        self._rows += rows
        return self._arranged(start, heads, found, rows)

    def _head(self, heads: dict[str, Known]) -> tuple[str, Node]:
        """Name and type of the next column, which is noted in `heads`."""
        cursor = self._cursor
        start = cursor.offset
        name = cursor.name("the name of a column")
        if name in heads:
            raise cursor.error(f"column {shorten(repr(name))} twice in one block", start)
        cursor.column = name
        start = cursor.offset
        found = self._find(start, cursor.name("the text of a type"))
        if self._expected is not None:
            wanted = self._expected.get(name)
            where = "in the schema" if self._given else "in the first block"
            if wanted is None:
                raise cursor.error(f"no column of this name is {where}", start)
            if not is_type(found.type, wanted.type):
                texts = shorten(found.type.text), shorten(wanted.type.text)
                raise cursor.error(f"{texts[0]}, not {texts[1]} as {where}", start)
            found = wanted
        heads[name] = found
        return name, found.node

    def _find(self, start: int, text: str) -> Known:
        known = self._known.get(text)
        if known is None:
            type_ = parsed(self._cursor, text, start)
            if len(self._known) >= MAX_KNOWN:  # a type can be spelled in many ways
                self._known.clear()
            known = self._known[text] = Known(type_, compiled(self._cursor, type_))
        return known

    def _arranged(self, start: int, heads: dict[str, Known], found: dict[str, Any], rows: int) -> Block:
        if self._expected is None:
            self._expected = heads
            self.names, self.types = tuple(heads), tuple([head.type for head in heads.values()])
        elif not self._given and len(heads) < len(self._expected):
            raise self._cursor.error("a block without some of the columns of the first", start)
        columns = [found[name] if name in found else [DEFAULT] * rows for name in self.names]
        return Block(columns, rows)
