"""The columns of an insert: names and types, in the order of their cells in a row."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ._parse import parse_columns, parse_type
from ._plan import Plan, compile_plan
from ._types import Aggregate, Tuple, Type, Wrapper, quote_identifier
from .errors import SchemaError, shorten

__all__ = ["Schema", "SchemaLike", "takes_no_bytes"]

# MATERIALIZED and ALIAS columns are computed by the server, which refuses values for them.
_COMPUTED = frozenset({"MATERIALIZED", "ALIAS"})


@dataclass(frozen=True, init=False, repr=False)
class Schema:
    """Named and typed columns; immutable, hashable, and shareable between threads.

    ``Schema([("id", "UInt64"), ("tags", "Array(String)")])``; a type is a text or a `Type`.
    Two schemas are equal when names and types are, however the types were spelled.

    Attributes:
        columns: (name, type) pairs in order.
        defaulted: names of the columns with a default expression, ``None`` when that is not known
            (only :meth:`from_describe` knows).

    Raises:
        SchemaError: no columns, a name twice, a type that cannot be understood, or a
            schema whose rows take no bytes.
    """

    columns: tuple[tuple[str, Type], ...]
    defaulted: frozenset[str] | None = field(compare=False)

    def __init__(self, columns: Iterable[tuple[str, str | Type]], defaulted: Iterable[str] | None = None):
        given: object = columns
        if isinstance(given, str):
            raise SchemaError("columns must be (name, type) pairs; Schema.parse() reads a text")
        if not isinstance(given, Iterable):
            raise SchemaError(f"columns must be (name, type) pairs, not {type(given).__name__}")
        found = tuple(_column(index, column) for index, column in enumerate(columns))
        _check(found)
        object.__setattr__(self, "columns", found)
        object.__setattr__(self, "defaulted", None if defaulted is None else frozenset(defaulted))

    @classmethod
    def parse(cls, text: str) -> Schema:
        """The schema written as ``name Type, name Type, ...``.

        Names may be quoted with backticks or double quotes; a dotted name such as ``n.x`` is one
        column.  Clauses of a table definition (``DEFAULT``, ``CODEC``, ``COMMENT``, ...) are refused.
        """
        if not isinstance(text, str):
            raise SchemaError(f"a schema text must be str, not {type(text).__name__}")
        if not text.strip():
            raise SchemaError("a schema needs at least one column", text=text, position=0)
        return cls(parse_columns(text))

    @classmethod
    def from_describe(cls, rows: Iterable[Sequence[Any] | Mapping[str, Any]]) -> Schema:
        """The insertable columns among the rows of ``DESCRIBE TABLE``.

        A row is a mapping with the keys ``name``, ``type`` and ``default_type``, or a sequence that
        begins with these three.  Columns that are MATERIALIZED or ALIAS are left out; EPHEMERAL ones
        are kept.
        """
        if isinstance(rows, str) or not isinstance(rows, Iterable):
            raise SchemaError(f"rows of DESCRIBE TABLE are needed, not {type(rows).__name__}")
        columns, defaulted = [], []
        for index, row in enumerate(rows):
            name, type_text, default_type = _described(index, row)
            if default_type not in _COMPUTED:
                columns.append((name, type_text))
            if default_type:
                defaulted.append(name)
        return cls(columns, defaulted)

    @classmethod
    def of(cls, source: SchemaLike) -> Schema:
        """`source` as a schema: a `Schema`, its text, a ``{name: type}`` mapping, or pairs."""
        if isinstance(source, Schema):
            return source
        if isinstance(source, str):
            return _parsed(source)
        if isinstance(source, Mapping):
            return cls(source.items())
        if isinstance(source, list | tuple) and all(type(column) is tuple for column in source):
            with contextlib.suppress(TypeError):  # something in a pair cannot be hashed
                return _paired(tuple(source))
        return cls(source)

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The column names, in order."""
        return tuple(name for name, _ in self.columns)

    @functools.cached_property
    def types(self) -> tuple[Type, ...]:
        """The column types, in order."""
        return tuple(type_ for _, type_ in self.columns)

    @functools.cached_property
    def plan(self) -> Plan:
        """The schema compiled for the encoders; `SchemaError` for a type that cannot be encoded."""
        return compile_plan(self.names, self.types, self.defaulted)

    def flatten(self) -> Schema:
        """This schema as a table has it that was made with ``flatten_nested=1``, the default.

        A column ``n Nested(a A, b B)`` becomes the columns ``n.a Array(A)`` and ``n.b Array(B)``;
        a ``Nested`` inside another type stays.
        """
        columns: list[tuple[str, Type]] = []
        for name, type_ in self.columns:
            if isinstance(type_, Tuple) and type_.family == "Nested":
                pairs = zip(type_.names or (), type_.elements, strict=True)
                columns += [(f"{name}.{part}", Wrapper("Array", element)) for part, element in pairs]
            else:
                columns.append((name, type_))
        return Schema(columns, self.defaulted)

    def __len__(self) -> int:
        return len(self.columns)

    def __iter__(self) -> Iterator[tuple[str, Type]]:
        return iter(self.columns)

    def __str__(self) -> str:
        return ", ".join(f"{quote_identifier(name)} {type_}" for name, type_ in self.columns)

    def __repr__(self) -> str:
        return f"<Schema {self}>"

    def __reduce__(self) -> tuple[type[Schema], tuple[list[tuple[str, str]], frozenset[str] | None]]:
        # By text: small, free of caches, and no deeper than one level.
        return Schema, ([(name, str(type_)) for name, type_ in self.columns], self.defaulted)


# Callers may pass the same text or pairs with every call: what was made of them is kept.
@functools.lru_cache(maxsize=128)
def _parsed(text: str) -> Schema:
    return Schema.parse(text)


@functools.lru_cache(maxsize=128)
def _paired(columns: tuple[tuple[str, str | Type], ...]) -> Schema:
    return Schema(columns)


SchemaLike: TypeAlias = "Schema | str | Mapping[str, str | Type] | Iterable[tuple[str, str | Type]]"


def takes_no_bytes(type_: Type) -> bool:
    """Whether every value of `type_` is zero bytes in RowBinary: ``Tuple()`` and tuples of only such.

    The server's reader never ends when all columns are like that, because its rows consume nothing.
    """
    pending = [type_]
    while pending:
        current = pending.pop()
        if isinstance(current, Aggregate) and current.family == "SimpleAggregateFunction":
            pending.append(current.arguments[0])
        elif isinstance(current, Tuple) and current.family == "Tuple":
            pending += current.elements
        else:
            return False
    return True


def _column(index: int, column: object) -> tuple[str, Type]:
    if not isinstance(column, tuple | list) or len(column) != 2:
        raise SchemaError(f"column {index} must be a (name, type) pair, not {shorten(repr(column))}")
    name, type_ = column
    if not isinstance(name, str):
        raise SchemaError(f"the name of column {index} must be str, not {type(name).__name__}")
    if isinstance(type_, Type):
        return name, type_
    try:
        return name, parse_type(type_)
    except SchemaError as error:
        message = f"column {shorten(name)!r}: {error.reason}"
        raise SchemaError(message, text=error.text, position=error.position) from None


def _check(columns: tuple[tuple[str, Type], ...]) -> None:
    if not columns:
        raise SchemaError("a schema needs at least one column")
    seen = set()
    for index, (name, _) in enumerate(columns):
        if name in seen:
            raise SchemaError(f"column name {shorten(name)!r} twice")
        if not name:
            raise SchemaError(f"the name of column {index} is empty")
        try:
            name.encode()
        except UnicodeEncodeError:
            raise SchemaError(f"the name of column {index} has a lone surrogate") from None
        seen.add(name)
    if all(takes_no_bytes(type_) for _, type_ in columns):
        raise SchemaError("rows of this schema take no bytes: the server could not count them")


def _described(index: int, row: Any) -> tuple[Any, Any, str]:
    if isinstance(row, Mapping):
        if "name" not in row or "type" not in row:
            raise SchemaError(f"row {index} of DESCRIBE lacks 'name' or 'type': {shorten(repr(row))}")
        return row["name"], row["type"], row.get("default_type") or ""
    if not isinstance(row, tuple | list) or len(row) < 2:
        raise SchemaError(
            f"row {index} of DESCRIBE must be (name, type, default_type, ...): {shorten(repr(row))}"
        )
    return row[0], row[1], (row[2] if len(row) > 2 else "") or ""
