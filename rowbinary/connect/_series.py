"""Columns of pandas, as clickhouse-connect understands them: with missing values, and times in UTC."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from .. import _types as t
from ._cells import FLOATS, MOMENTS, Target, float_column, list_column, number_column, time_column

__all__ = ["arrow_column", "series_column", "zoned"]


def series_column(series: Any, target: Target) -> Any:
    """A column of a frame.

    NaN, NaT and NA are missing values, also in floats where the column has NULL for them.
    """
    pd: Any = sys.modules["pandas"]
    if isinstance(series.dtype, pd.SparseDtype):
        series = series.sparse.to_dense()
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _categories(series, target)
    if isinstance(dtype, pd.ArrowDtype) and not _is_like_numpy(dtype.pyarrow_dtype):
        return _of_arrow(series, target)
    match getattr(dtype, "kind", "O"):
        case "f":
            return _floats(series, target)
        case "i" | "u" | "b":
            return _numbers(series, target)
        case "M":
            return _moments(series, target)
        case "m":
            return _durations(series, target)
    if isinstance(dtype, pd.StringDtype) and target.family == "String":
        return series
    return _objects(series, target)


def _is_like_numpy(kind: Any) -> bool:
    """Whether an Arrow type has a dtype of NumPy too; pandas says so of dates as well."""
    types: Any = importlib.import_module("pyarrow").types
    names = ("integer", "floating", "boolean", "timestamp", "duration")
    return any(getattr(types, f"is_{name}")(kind) for name in names)


def _floats(series: Any, target: Target) -> Any:
    import numpy as np

    numpy_dtype = getattr(series.dtype, "numpy_dtype", None)
    if numpy_dtype is None:
        values = series.to_numpy()
    else:  # Float64 and float of Arrow
        values = series.to_numpy(dtype=numpy_dtype, na_value=np.nan)
    return float_column(values, np.isnan(values), target)


def _numbers(series: Any, target: Target) -> Any:
    numpy_dtype = getattr(series.dtype, "numpy_dtype", None)
    if numpy_dtype is None:
        return number_column(series.to_numpy(), None, target)
    missing = series.isna().to_numpy()
    values = series.to_numpy(dtype=numpy_dtype, na_value=numpy_dtype.type(0))
    return number_column(values, missing, target)


def _moments(series: Any, target: Target) -> Any:
    """Points in time; those without a zone are in UTC, and days are those of UTC."""
    pd: Any = sys.modules["pandas"]
    zone = getattr(series.dt, "tz", None)
    if target.family in MOMENTS:
        if isinstance(series.dtype, pd.ArrowDtype):
            return arrow_column(series.array.__arrow_array__(), target)
        if zone is None or target.family not in ("Date", "Date32"):
            return series
        return series.dt.tz_convert("UTC").dt.tz_localize(None)
    if target.family in ("Int64", "UInt64") and str(series.dtype) == "datetime64[ns]" and not series.hasnans:
        return series.to_numpy().view("int64")
    stamps = series.dt.tz_localize("UTC") if zone is None else series
    return _objects(stamps, target)


def _durations(series: Any, target: Target) -> Any:
    pd: Any = sys.modules["pandas"]
    if target.family != "Time" and target.family != "Time64" and not target.family.startswith("Interval"):
        return _objects(series, target)
    if isinstance(series.dtype, pd.ArrowDtype):
        unit = series.dtype.pyarrow_dtype.unit
        series = series.astype(f"timedelta64[{unit}]")
    return time_column(series.to_numpy(), target)


def _of_arrow(series: Any, target: Target) -> Any:
    """What Arrow has and NumPy has not: texts, bytes, decimals, dates, lists, structs."""
    array = series.array.__arrow_array__()
    if type(array.type).__name__ == "DictionaryType" and target.family != "String":
        return _objects(series, target)
    return arrow_column(array, target)


def arrow_column(array: Any, target: Target) -> Any:
    """A column of Arrow, for kernels where they read it as this type."""
    if not hasattr(array, "type"):
        return array
    types: Any = importlib.import_module("pyarrow").types
    kind = array.type
    texts = types.is_string(kind) or types.is_large_string(kind)
    if (texts or target.lax) and target.family != "String":
        return _listed(array, target)
    if isinstance(target.plain, t.Decimal) and not _has_scale(kind, target.plain.scale):
        return _listed(array, target)
    if array.null_count and target.missing is not None:
        return _listed(array, target)
    if types.is_date(kind) and target.family.startswith("DateTime"):  # midnight in UTC
        array = array.cast("timestamp[ms]")
    return zoned(array)


def _listed(array: Any, target: Target) -> Any:
    values = zoned(array).to_pylist()
    if array.null_count and target.missing is not None:
        values = [target.missing if value is None else value for value in values]
    return list_column(values, target)


def _has_scale(kind: Any, scale: int) -> bool:
    """Whether all numbers of this Arrow type have no more than `scale` digits behind the point."""
    pa: Any = importlib.import_module("pyarrow")
    return bool(pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale <= scale))


def zoned(array: Any) -> Any:
    """An Arrow array whose times without a zone are in UTC."""
    kind = _zoned_type(array.type)
    return array if kind == array.type else array.cast(kind)


def _zoned_type(kind: Any) -> Any:
    pa: Any = importlib.import_module("pyarrow")

    if pa.types.is_timestamp(kind):
        return pa.timestamp(kind.unit, "UTC")
    if pa.types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(_zoned_type(kind.value_type)))
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_zoned_type(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_zoned_type(field.type)) for field in kind])
    return kind


def _categories(series: Any, target: Target) -> Any:
    """Each category is converted once."""
    import numpy as np

    pd: Any = sys.modules["pandas"]
    categories = series.cat.categories
    if target.family == "String" and isinstance(categories.dtype, pd.StringDtype):
        return series
    values = list_column(categories.astype(object).to_list(), target)
    table = np.empty(len(values) + 1, dtype=object)  # the last is that of code -1
    for place, value in enumerate((*values, target.missing)):
        table[place] = value
    return table[series.cat.codes.to_numpy()].tolist()


def _objects(series: Any, target: Target) -> Any:
    """Python values; whatever pandas takes for missing is."""
    missing = series.isna().to_numpy()
    values = series.to_numpy(dtype=object)
    if missing.any():
        values = values.copy()
        values[missing] = [_blank(value, target) for value in values[missing]]
    return list_column(values.tolist(), target)


def _blank(value: Any, target: Target) -> Any:
    if target.family in FLOATS and not target.nullable and isinstance(value, float):
        return value
    return target.blank
