"""Insert contexts whose data may be anything that has rows or columns."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Mapping, Sequence, Sized
from typing import Any, NamedTuple

from clickhouse_connect.driver.exceptions import ProgrammingError
from clickhouse_connect.driver.insert import InsertContext

from ._schemas import Key, Schemas

__all__ = ["AcceleratedContext", "Origin", "is_frame"]

_MISMATCH = "Insert data column count does not match column names"


class Origin(NamedTuple):
    """How the columns of a context were found."""

    schemas: Schemas
    key: Key
    arguments: dict[str, Any]


class AcceleratedContext(InsertContext):
    """An `InsertContext` that takes its data as it is: nothing is sampled, converted or asked for its length.

    ``cached``: the types are from a description of the table that may have aged; ``origin`` is what it was asked
    for with, ``miscounted`` that the data have another number of columns.
    """

    cached = False
    miscounted = False
    origin: Origin | None = None

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
        if data is None or (isinstance(data, Sized) and len(data) == 0):
            return
        self.column_count = _columns_of(data, self.column_oriented)
        self.miscounted = self.column_count not in (0, len(self.column_names))
        if self.miscounted and not self.cached:
            raise ProgrammingError(_MISMATCH)
        self.column_count = len(self.column_names)
        if isinstance(data, Sized):
            self.row_count = len(data[0]) if _is_columns(data, self.column_oriented) else len(data)
            if self.row_count == 0:
                return
        self._data = data

    def convert(self) -> None:
        """Its data as the wrapped client wants them."""
        data = self._raw_data
        if not self.column_oriented and _has_rows(data):
            data = [self._cells(row) for row in data]
        InsertContext.data.fset(self, data)  # type: ignore[attr-defined]

    def _cells(self, row: Any) -> Any:
        if isinstance(row, Sequence):
            return row
        if isinstance(row, Mapping):
            return [row.get(name) for name in self.column_names]
        return [getattr(row, name) for name in self.column_names]


def is_frame(data: object) -> bool:
    """Whether `data` has named columns: a DataFrame, an Arrow table, a structured array."""
    return hasattr(data, "__arrow_c_stream__") or (hasattr(data, "columns") and hasattr(data, "dtypes"))


def _has_rows(data: object) -> bool:
    return not is_frame(data) and not hasattr(data, "dtype")


def _is_columns(data: Any, column_oriented: bool) -> bool:
    return column_oriented and isinstance(data, Sequence)


def _columns_of(data: Any, column_oriented: bool) -> int:
    """How many columns `data` shows to have; 0 when that is for the encoder to find out."""
    if is_frame(data):
        return len(getattr(data, "columns", ()) if not hasattr(data, "schema") else data.schema)
    shape = getattr(data, "shape", None)
    if shape is not None:
        names = data.dtype.names
        return len(names) if names else (shape[1] if len(shape) == 2 else 0)
    if _is_columns(data, column_oriented):
        return len(data)
    if isinstance(data, Sequence) and isinstance(data[0], tuple | list):
        return len(data[0])
    if isinstance(data, str | bytes) or not isinstance(data, Iterable | AsyncIterable):
        raise TypeError(f"data must be rows or columns, not {type(data).__name__}")
    return 0
