"""Whatever has columns, as clickhouse-connect understands it, for :func:`rowbinary.encode_columns`.

Columns belong to those of the table by their places: names have been looked at before.  They are made when
they are asked for, which is in a thread where the client is asynchronous.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from typing import Any

from clickhouse_connect.driver.exceptions import ProgrammingError

from .. import _types as t
from ..errors import EncodeError
from ._cells import Target, array_column, list_column
from ._context import is_frame
from ._errors import refused
from ._series import arrow_column, series_column, zoned

__all__ = ["columns_of", "transposed"]


class _Columns:
    """Columns that are made one by one."""

    def __init__(self, make: Callable[[int, Target], Any], types: Sequence[t.Type], lax: bool):
        self._make = make
        self._targets = [Target.of(type_, lax) for type_ in types]

    def __iter__(self) -> Iterator[Any]:
        for place, target in enumerate(self._targets):
            yield self._make(place, target)


def columns_of(data: Any, names: Sequence[str], types: Sequence[t.Type], lax: bool) -> Any:
    """What :func:`rowbinary.iter_encode_columns` takes for `data`; ``None`` for rows."""
    if is_frame(data):
        make = _frame_columns(data)
        return _Columns(make, types, lax) if make else _stream(data, names)
    dtype = getattr(data, "dtype", None)
    if dtype is None:
        return None
    if dtype.names:
        fields = names if set(names) <= set(dtype.names) else dtype.names
        if len(fields) != len(names):
            raise ProgrammingError("Insert data column count does not match column names")
        return _Columns(lambda i, target: array_column(data[fields[i]], target), types, lax)
    if data.ndim != 2:
        raise ProgrammingError(f"an array of rows and columns is needed, not one of {data.ndim} dimensions")
    return _Columns(lambda i, target: array_column(data[:, i], target), types, lax)


def _frame_columns(data: Any) -> Callable[[int, Target], Any] | None:
    """How to get at column number so-and-so; ``None`` where a frame does not tell."""
    match type(data).__module__.partition(".")[0]:
        case "pandas":
            return lambda i, target: series_column(data.iloc[:, i], target)
        case "polars" if hasattr(data, "to_series"):
            return lambda i, target: _polars_column(data.to_series(i), target)
        case "pyarrow" if hasattr(data, "columns"):
            return lambda i, target: arrow_column(data.column(i), target)
    return None


def _polars_column(series: Any, target: Target) -> Any:
    kind = str(series.dtype)
    if kind.startswith("Datetime") and series.dtype.time_zone is None:
        return series.dt.replace_time_zone("UTC")
    if kind == "Object" or (target.family != "String" and kind in ("String", "Categorical")):
        return list_column(series.to_list(), target)
    return series


def _stream(data: Any, names: Sequence[str]) -> Any:
    """Record batches as they come."""
    try:
        pa: Any = importlib.import_module("pyarrow")
    except ImportError:
        return data
    reader = pa.RecordBatchReader.from_stream(data)
    empty = [zoned(pa.array([], field.type)) for field in reader.schema]
    schema = pa.schema([(name, array.type) for name, array in zip(names, empty, strict=True)])
    batches = (pa.record_batch(list(map(zoned, batch.columns)), schema=schema) for batch in reader)
    return pa.RecordBatchReader.from_batches(schema, batches)


def transposed(data: Iterable[Any], names: Sequence[str], types: Sequence[t.Type], lax: bool) -> Any:
    """Columns that a caller gave one by one: rows where all are plain sequences, else columns."""
    if isinstance(data, Mapping):
        if missing := [name for name in names if name not in data]:
            raise ProgrammingError(f"the columns have no {missing[0]!r}")
        data = [data[name] for name in names]
    columns = list(data)
    _check_lengths(columns, names)
    if all(isinstance(column, list | tuple) for column in columns):
        return zip(*columns, strict=True), None
    return None, _Columns(lambda i, target: _column(columns[i], target), types, lax)


def _check_lengths(columns: list[Any], names: Sequence[str]) -> None:
    if len(columns) != len(names):
        raise ProgrammingError("Insert data column count does not match column names")
    lengths = [len(column) if isinstance(column, Sized) else None for column in columns]
    for name, length in zip(names, lengths, strict=True):
        if None not in (length, lengths[0]) and length != lengths[0]:
            error = EncodeError(f"{length} values, the first column has {lengths[0]}", column=name)
            raise refused(error, None)


def _column(column: Any, target: Target) -> Any:
    """One of several columns.  NaN in floats is a number, also in a Series: as clickhouse-connect has it."""
    if hasattr(column, "iloc"):
        numbers = getattr(column.dtype, "kind", "O") == "f" and not hasattr(column.dtype, "numpy_dtype")
        return array_column(column.to_numpy(), target) if numbers else series_column(column, target)
    if hasattr(column, "to_physical"):
        return _polars_column(column, target)
    if hasattr(column, "dtype"):
        return array_column(column, target)
    if hasattr(column, "__arrow_c_stream__") or hasattr(column, "__arrow_c_array__"):
        return arrow_column(column, target)
    if isinstance(column, str | bytes) or not isinstance(column, Iterable):
        raise ProgrammingError(f"a column has to be an array or a sequence, not {type(column).__name__}")
    return list_column(list(column), target)
