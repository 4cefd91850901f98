"""Columns of frames and arrays, as clickhouse-connect understands them, for the kernels.

What :func:`rowbinary.encode_columns` takes differently is made equal here: NaN in a pandas column of floats is
a missing value where the column is Nullable or of integers, columns belong together by their places, and Python
values in columns go through the same conversions as those in rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from clickhouse_connect.driver.exceptions import ProgrammingError

from .. import _types as t
from ._context import is_frame
from ._values import converter

__all__ = ["columns_of", "transposed"]


def columns_of(data: Any, names: Sequence[str], types: Sequence[t.Type], lax: bool) -> Any:
    """What :func:`rowbinary.iter_encode_columns` takes for `data`; ``None`` for rows."""
    if is_frame(data):
        if type(data).__module__.split(".")[0] != "pandas":
            return _renamed(data, names)
        return [_series(data.iloc[:, i], type_, lax) for i, type_ in enumerate(types)]
    dtype = getattr(data, "dtype", None)
    if dtype is None:
        return None
    if dtype.names:
        fields = names if set(names) <= set(dtype.names) else dtype.names
        return [_array(data[field], type_, lax) for field, type_ in zip(fields, types, strict=True)]
    if data.ndim != 2:
        raise ProgrammingError(f"an array of rows and columns is needed, not one of {data.ndim} dimensions")
    return [_array(data[:, i], type_, lax) for i, type_ in enumerate(types)]


def transposed(data: Iterable[Any], types: Sequence[t.Type], lax: bool) -> Any:
    """Columns that a caller gave one by one: rows where all are plain sequences, else columns."""
    columns = list(data)
    if all(isinstance(column, list | tuple) for column in columns):
        return zip(*columns, strict=True), None
    return None, [_column(column, type_, lax) for column, type_ in zip(columns, types, strict=True)]


def _column(column: Any, type_: t.Type, lax: bool) -> Any:
    if hasattr(column, "iloc"):
        return _series(column, type_, lax)
    if hasattr(column, "dtype"):
        return _array(column, type_, lax)
    if hasattr(column, "__arrow_c_stream__") or hasattr(column, "__arrow_c_array__"):
        return column
    return _values(list(column), type_, lax)


def _renamed(data: Any, names: Sequence[str]) -> Any:
    """An Arrow table or a polars frame: its columns are those of `names` by their places."""
    found = getattr(data, "columns", None) if not hasattr(data, "schema") else None
    found = list(found if found is not None else data.schema.names)
    if found == list(names):
        return data
    if hasattr(data, "rename_columns"):
        return data.rename_columns(list(names))
    return data.rename(dict(zip(found, names, strict=True)))


def _series(series: Any, type_: t.Type, lax: bool) -> Any:
    """A pandas column."""
    dtype = series.dtype
    plain = _inner(type_)
    if getattr(dtype, "kind", "O") == "f" and isinstance(dtype.type, type) and hasattr(dtype, "itemsize"):
        return _floats(series, type_, plain, lax)
    if str(dtype) == "category":
        return _values(series.astype(object).to_list(), type_, lax)
    if dtype == object and converter(type_, lax) is not None:
        return _values(_nones(series), type_, lax)
    return series


def _floats(series: Any, type_: t.Type, plain: t.Type, lax: bool) -> Any:
    """NaN is missing where there is a NULL for it, or no other meaning."""
    import numpy as np
    import pandas as pd

    integer = plain.family.lstrip("U").startswith("Int") and not plain.family.startswith("Interval")
    if isinstance(plain, t.Decimal):
        return _values(_nones(series), type_, lax)
    if not integer and plain is type_:
        return series
    missing = series.isna().to_numpy()
    if integer and plain.family in ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"):
        numbers = np.where(missing, 0, series.to_numpy(dtype="float64", na_value=0.0))
        if lax:
            numbers = numbers.round()
        if (numbers == np.floor(numbers)).all() and (np.abs(numbers) < 2.0**53).all():
            return pd.Series(pd.arrays.IntegerArray(numbers.astype("int64"), missing))
    if not missing.any():
        return series
    return pd.Series(pd.arrays.FloatingArray(series.to_numpy(dtype="float64", na_value=0.0), missing))


def _nones(series: Any) -> list[Any]:
    """Python values, ``None`` for what is missing."""
    missing = series.isna().to_numpy()
    values = series.to_list()
    return [None if absent else value for value, absent in zip(values, missing, strict=True)]


def _array(array: Any, type_: t.Type, lax: bool) -> Any:
    """A NumPy column."""
    if array.dtype == object or isinstance(_inner(type_), t.Decimal):
        return _values(array.tolist(), type_, lax)
    return array


def _values(values: list[Any], type_: t.Type, lax: bool) -> list[Any]:
    convert = converter(type_, lax)
    return values if convert is None else [convert(value) for value in values]


def _inner(type_: t.Type) -> t.Type:
    while isinstance(type_, t.Wrapper) and type_.family in ("Nullable", "LowCardinality"):
        type_ = type_.inner
    return type_
