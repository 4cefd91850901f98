"""Insert contexts whose data may be anything that has rows or columns, and how they get their columns."""

from __future__ import annotations

from collections.abc import AsyncIterable, Generator, Iterable, Mapping, Sequence, Sized
from typing import Any, NamedTuple

from clickhouse_connect.driver.exceptions import ProgrammingError
from clickhouse_connect.driver.insert import InsertBlock, InsertContext

from ._options import can_compare, is_awaited
from ._schemas import Key, Schemas, Table, table_key
from ._steps import Create, Steps

__all__ = ["AcceleratedContext", "Asked", "are_rows", "context_steps", "describe_again", "is_frame"]

_MISMATCH = "Insert data column count does not match column names"


class Origin(NamedTuple):
    """How the columns of a context were found: the arguments that asked for them."""

    schemas: Schemas
    key: Key
    arguments: dict[str, Any]


class Asked(NamedTuple):
    """Arguments of ``create_insert_context``, but for the data."""

    table: str
    column_names: Any = None
    database: str | None = None
    column_types: Any = None
    column_type_names: Any = None
    settings: dict[str, Any] | None = None
    transport_settings: dict[str, str] | None = None


class AcceleratedContext(InsertContext):
    """An `InsertContext` that takes its data as it is: nothing is sampled or converted.

    ``cached``: the types are from a description of the table that may have aged; ``origin`` is what it was
    asked for with, ``miscounted`` that the data have another number of columns.
    """

    cached = False
    miscounted = False
    origin: Origin | None = None
    _converted = False

    def forget(self) -> None:
        """What is known of the table must not be used again."""
        if self.origin is not None:
            self.origin.schemas.forget(self.origin.key)

    @property
    def data(self) -> Any:
        return self._raw_data

    @data.setter
    def data(self, data: Any) -> None:
        self._raw_data = data
        self._data = None
        self.current_block = self.current_row = self.row_count = self.column_count = 0
        self.miscounted = self._converted = False
        if data is None:
            return
        sized = are_rows(data, self.column_oriented) or isinstance(data, Sized)
        if sized and len(data) == 0:
            return
        found = _columns_of(data, self.column_oriented)
        self.column_count = len(self.column_names)
        self.miscounted = found not in (None, self.column_count)
        if self.miscounted and not self.cached:
            raise ProgrammingError(_MISMATCH)
        if sized:
            self.row_count = _rows_of(data, self.column_oriented)
            if self.row_count == 0:
                return
        self._data = data

    def next_block(self) -> Generator[InsertBlock, None, None]:
        """Blocks for the wrapped client's own insert, also where this context was handed to it."""
        if not self._converted:
            self.convert()
        return super().next_block()

    def convert(self) -> None:
        """Make its data what the wrapped client wants."""
        data = self._raw_data
        if not self.column_oriented and not is_frame(data) and not hasattr(data, "dtype"):
            data = [self._cells(row) for row in data]
        if is_frame(data) and not hasattr(data, "iloc"):
            data, self.column_oriented = _lists_of(data), True
        InsertContext.data.fset(self, data)  # type: ignore[attr-defined]
        self._converted = True

    def _cells(self, row: Any) -> Any:
        if isinstance(row, Sequence):
            return row
        if isinstance(row, Mapping):
            return [row[name] for name in self.column_names]
        return [getattr(row, name) for name in self.column_names]


def are_rows(data: object, column_oriented: bool) -> bool:
    """Whether `data` are rows at first sight, which is all that small inserts have time for."""
    return type(data) in (list, tuple) and not column_oriented


def is_frame(data: object) -> bool:
    """Whether `data` has named columns: a DataFrame, an Arrow table."""
    return hasattr(data, "__arrow_c_stream__") or (hasattr(data, "columns") and hasattr(data, "dtypes"))


def _lists_of(data: Any) -> list[list[Any]]:
    """The columns of an Arrow table or a polars frame."""
    if hasattr(data, "to_series"):
        return [data.to_series(i).to_list() for i in range(len(data.columns))]
    table = data if hasattr(data, "columns") else data.read_all()
    return [column.to_pylist() for column in table.columns]


def _rows_of(data: Any, column_oriented: bool) -> int:
    if not column_oriented or is_frame(data) or hasattr(data, "dtype"):
        return len(data)
    first = data[0] if isinstance(data, Sequence) else next(iter(data.values()), ())
    return len(first) if isinstance(first, Sized) else 1


def _columns_of(data: Any, column_oriented: bool) -> int | None:
    """How many columns `data` shows to have; ``None`` when that is for the encoder to find out."""
    if are_rows(data, column_oriented):
        return len(data[0]) if isinstance(data[0], tuple | list) else None
    if is_frame(data):
        return len(data.schema if hasattr(data, "schema") else data.columns)
    shape = getattr(data, "shape", None)
    if shape is not None:
        names = data.dtype.names
        return len(names) if names else (shape[1] if len(shape) == 2 else None)
    if isinstance(data, str | bytes) or not isinstance(data, Iterable | AsyncIterable):
        raise TypeError(f"data must be rows or columns, not {type(data).__name__}")
    if column_oriented:
        return len(data) if isinstance(data, Sized) else None
    if isinstance(data, Sequence) and isinstance(data[0], tuple | list):
        return len(data[0])
    return None


def context_steps(
    client: Any, schemas: Schemas, asked: Asked, column_oriented: bool, data: Any
) -> Steps[AcceleratedContext]:
    """A context from the arguments `asked` of ``create_insert_context``; the table is described once in a
    while."""
    arguments = asked._asdict()
    if arguments["column_types"] is not None or arguments["column_type_names"] is not None:
        return _accelerated((yield Create(arguments)), column_oriented, data)
    question = {name: arguments[name] for name in ("table", "database", "settings")}
    key = table_key(arguments["table"], arguments["database"] or client.database, arguments["settings"])
    comparable = can_compare(client) and is_awaited(client, arguments["settings"] or {})
    names = arguments["column_names"]
    by_place = names is None or (isinstance(names, str) and names == "*")
    table = schemas.get(key, by_place) if comparable else None
    cached = table is not None
    if table is None:
        described = yield Create(question)
        table = Table(tuple(described.column_names), tuple(described.column_types))
        if comparable:
            schemas.put(key, table)
    found = _narrowed(table, arguments["column_names"])
    origin = Origin(schemas, key, {**question, "column_names": arguments["column_names"]})
    if found is None:  # the wrapped client says what is wrong, or finds a column that is new
        schemas.forget(key)
        return _accelerated((yield Create(arguments)), column_oriented, data, origin)
    arguments["column_names"], arguments["column_types"] = found
    return _accelerated((yield Create(arguments)), column_oriented, data, origin, cached)


def _narrowed(table: Table, column_names: Any) -> tuple[list[str], list[Any]] | None:
    """Names and types of the columns that were asked for; ``None`` when the table has no such column."""
    if column_names is None or (isinstance(column_names, str) and column_names == "*"):
        return list(table.names), list(table.types)
    names = [column_names] if isinstance(column_names, str) else list(column_names)
    types = table.types_of(names)
    return None if types is None or not names else (names, types)


def _accelerated(
    base: InsertContext, column_oriented: bool, data: Any, origin: Origin | None = None, cached: bool = False
) -> AcceleratedContext:
    context = AcceleratedContext(
        base.table,
        base.column_names,
        base.column_types,
        column_oriented=column_oriented,
        settings=base.settings,
        transport_settings=base.transport_settings,
        **_since_1_7(base),
    )
    context.origin, context.cached = origin, cached
    context.data = data
    return context


def _since_1_7(base: InsertContext) -> dict[str, Any]:
    """An argument that older contexts do not have."""
    return {"server_tz": base.server_tz} if hasattr(base, "server_tz") else {}


def describe_again(context: AcceleratedContext) -> Steps[None]:
    """Put the columns that the table has now into `context`.

    Raises ``ProgrammingError`` when the data do not have as many.
    """
    assert context.origin is not None
    context.forget()
    fresh = yield Create(context.origin.arguments)
    context.column_names, context.column_types = fresh.column_names, fresh.column_types
    context.cached = False
    context.data = context.data  # counted again
