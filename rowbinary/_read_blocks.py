"""Bodies of FORMAT Native: blocks of columns."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from . import _types as t
from ._cursor import Cursor
from ._options import MAX_ARRAY
from ._parse import parse_type
from ._plan import Node
from ._read_rows import is_type
from ._read_types import compiled
from ._schema import Schema
from ._typed import DEFAULT
from .errors import SchemaError, shorten

Values: TypeAlias = list[Any]


class Block(NamedTuple):
    """Columns in the order of the schema, or of the first block where there is none."""

    columns: list[Values]
    rows: int


class Blocks:
    """The blocks of a body.

    Blocks name their columns, in any order.  Where the schema is known, a column that a block does not have
    is one that the server is to compute: its values are ``DEFAULT``.

    Attributes:
        names, types: of the columns; those of the first block unless a schema says them.
    """

    def __init__(self, cursor: Cursor, schema: Schema | None):
        self._cursor = cursor
        self._given = schema is not None
        self._nodes: dict[str, Node] = {}  # by the text of a type
        self._rows = 0
        self._expected: dict[str, Node] | None = None
        self.names: tuple[str, ...] = ()
        self.types: tuple[t.Type, ...] = ()
        if schema is not None:
            self.names, self.types = schema.names, schema.types
            self._expected = dict(zip(schema.names, schema.plan.nodes, strict=True))

    def next(self) -> Block | None:
        """The next block; ``None`` at the end."""
        cursor = self._cursor
        cursor.row = cursor.column = cursor.index = None
        if not cursor.ensure(1):
            return None
        start = cursor.offset
        width = cursor.varint()
        cursor.note("columns", width)
        rows = cursor.varint()
        cursor.note("rows", rows)
        if not width:
            raise cursor.error("a block without columns", start)
        if rows > MAX_ARRAY:
            raise cursor.error(f"a block of {rows} rows: {MAX_ARRAY} are read at most", start)
        found: dict[str, Values] = {}
        nodes: dict[str, Node] = {}
        for _ in range(width):
            name, node = self._head(nodes)
            cursor.column, cursor.row, cursor.index = name, self._rows, None
            found[name] = cursor.values(node, rows) if rows else []
            cursor.column = cursor.row = cursor.index = None
        self._rows += rows
        return self._arranged(start, nodes, found, rows)

    def _head(self, nodes: dict[str, Node]) -> tuple[str, Node]:
        """Name and type of the next column, which is noted in `nodes`."""
        cursor = self._cursor
        start = cursor.offset
        name = cursor.name("the name of a column")
        if name in nodes:
            raise cursor.error(f"column {shorten(repr(name))} twice in one block", start)
        cursor.column = name
        start = cursor.offset
        node = self._node(start, cursor.name("the text of a type"))
        if self._expected is not None:
            wanted = self._expected.get(name)
            where = "in the schema" if self._given else "in the first block"
            if wanted is None:
                raise cursor.error(f"no column of this name is {where}", start)
            if not is_type(node.type, wanted.type):
                raise cursor.error(f"{shorten(node.text)}, not {shorten(wanted.text)} as {where}", start)
            node = wanted
        nodes[name] = node
        return name, node

    def _node(self, start: int, text: str) -> Node:
        node = self._nodes.get(text)
        if node is None:
            try:
                type_ = parse_type(text)
            except SchemaError as error:
                raise self._cursor.error(f"type {shorten(repr(text))}: {error.reason}", start) from None
            node = self._nodes[text] = compiled(self._cursor, type_)
        return node

    def _arranged(self, start: int, nodes: dict[str, Node], found: dict[str, Values], rows: int) -> Block:
        if self._expected is None:
            self._expected = nodes
            self.names, self.types = tuple(nodes), tuple([node.type for node in nodes.values()])
        elif not self._given and len(nodes) < len(self._expected):
            raise self._cursor.error("a block without some of the columns of the first", start)
        columns = [found[name] if name in found else [DEFAULT] * rows for name in self.names]
        return Block(columns, rows)
