"""Bodies of the RowBinary formats: what stands in front of the rows, and the rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from . import _types as t
from ._cursor import Cursor, Position
from ._plan import Node
from ._read import read_value
from ._read_types import compiled, named_type
from ._schema import Schema
from ._typed import DEFAULT
from .errors import shorten

Row: TypeAlias = tuple[Any, ...]

# FORMAT Native of the revision that is read over HTTP prints no zone of a DateTime.
_ZONE = re.compile(r"\bDateTime\('(?:[^'\\]|\\.)*'\)")


class Columns(NamedTuple):
    """What a row consists of; with `defaults` a marker stands before every cell."""

    names: tuple[str, ...]
    types: tuple[t.Type, ...]
    nodes: tuple[Node, ...]
    defaults: bool


def read_header(cursor: Position, form: str, schema: Schema | None) -> Columns:
    """The columns of a body, from its header and from `schema`, which have to agree."""
    defaults = form.endswith("Defaults")
    names: tuple[str, ...] | None = None
    if "WithNames" in form:
        count = cursor.count()
        cursor.note("columns", count)
        names = tuple([cursor.name("the name of a column") for _ in range(count)])
    if "AndTypes" in form:
        assert names is not None
        found = tuple([_named_column(cursor, name) for name in names])
        if schema is None:
            nodes = [_compiled(cursor, *pair) for pair in zip(names, found, strict=True)]
            return Columns(names, found, tuple(nodes), defaults)
        cursor.column = None
        check_types(cursor, schema, names, found)
    assert schema is not None
    if names is not None:
        check_names(cursor, schema, names)
    return Columns(schema.names, schema.types, schema.plan.nodes, defaults)


def _named_column(cursor: Position, name: str) -> t.Type:
    cursor.column = name
    return named_type(cursor)


def _compiled(cursor: Position, name: str, type_: t.Type) -> Node:
    cursor.column = name
    return compiled(cursor, type_)


def check_names(cursor: Position, schema: Schema, names: Sequence[str]) -> None:
    """Fail unless the columns of a header are those of `schema`, in this order."""
    if tuple(names) != schema.names:
        listed, wanted = shorten(", ".join(names)), shorten(", ".join(schema.names))
        raise cursor.error(f"the columns are {listed}, not {wanted} as in the schema")


def check_types(cursor: Position, schema: Schema, names: Sequence[str], found: Sequence[t.Type]) -> None:
    """Fail where a header gives a column another type than `schema` does."""
    types = dict(schema.columns)
    for name, type_ in zip(names, found, strict=True):
        wanted = types.get(name)
        if wanted is not None and not is_type(type_, wanted):
            cursor.column = name
            raise cursor.error(f"{shorten(str(type_))}, not {shorten(str(wanted))} as in the schema")


def is_type(found: t.Type, wanted: t.Type) -> bool:
    """Whether a header's type is the one of the schema, but for zones that servers do not print."""
    return found == wanted or str(found) == _ZONE.sub("DateTime", str(wanted))


def read_rows(cursor: Cursor, columns: Columns, most: int) -> list[Row]:
    """The next rows, `most` at most; none when the body has ended.

    An error waits where rows were read before it, until it is asked for more.
    """
    if cursor.failure is not None:
        raise cursor.failure
    rows: list[Row] = []
    try:
        while len(rows) < most and cursor.ensure(1):
            rows.append(_read_row(cursor, columns))
    except RecursionError:  # the limits are for a caller that has not used up the stack itself
        cursor.failure = cursor.error("values nested too deeply for the interpreter's stack")
    except Exception as error:
        cursor.failure = error
    if cursor.failure is not None and not rows:
        raise cursor.failure
    return rows


def _read_row(cursor: Cursor, columns: Columns) -> Row:
    cursor.row = 0 if cursor.row is None else cursor.row + 1
    start = cursor.offset
    cells = []
    for name, node in zip(columns.names, columns.nodes, strict=True):
        cursor.column = name
        cells.append(DEFAULT if columns.defaults and _is_default(cursor) else read_value(cursor, node))
    cursor.column = None
    if cursor.offset == start:
        raise cursor.error("bytes after the header, but a row takes none")
    return tuple(cells)


def _is_default(cursor: Position) -> bool:
    """Any marker but 0 says that the server is to compute the value, which is not here."""
    marker = cursor.byte()
    cursor.note("DEFAULT marker", marker)
    return marker != 0
