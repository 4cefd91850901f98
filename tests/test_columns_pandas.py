"""encode_columns: pandas Series, indexes, extension arrays and frames."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest
from columns_cases import FORMATS, good, one, refused

pd: Any = pytest.importorskip("pandas")
SOME = ["RowBinaryWithDefaults", "Native"]
LATE = pd.to_datetime(["2020-01-01 23:30", None]).tz_localize("America/New_York")
MISSING: list[tuple[str, Any, str, list[Any]]] = [
    ("Int64", pd.array([1, None, -3], "Int64"), "Nullable(Int64)", [1, None, -3]),
    ("UInt8", pd.array([1, None, 255], "UInt8"), "Nullable(UInt64)", [1, None, 255]),
    ("boolean", pd.array([True, None, False], "boolean"), "Nullable(Bool)", [True, None, False]),
    ("Float32", pd.array([1.5, None, 2], "Float32"), "Nullable(Float64)", [1.5, None, 2.0]),
    ("float", np.array([1.5, float("nan")]), "Nullable(Float64)", [1.5, float("nan")]),
    ("str", pd.array(["a", None, "é"], "str"), "Nullable(String)", ["a", None, "é"]),
    ("string", pd.array(["a", None, "é"], "string"), "Nullable(String)", ["a", None, "é"]),
    ("object", np.array(["a", None, float("nan"), pd.NA, pd.NaT, b"b"], object), "Nullable(String)",
     ["a", None, None, None, None, b"b"]),
    ("category", pd.Categorical(["a", None, "b", "a"]), "LowCardinality(Nullable(String))",
     ["a", None, "b", "a"]),
    ("category of numbers", pd.Categorical([3, None, 2]), "Nullable(UInt8)", [3, None, 2]),
    ("category of enum", pd.Categorical(["b", None, "a"]), "Nullable(Enum8('a' = 0, 'b' = 2))",
     ["b", None, "a"]),
    ("category of days", pd.Categorical(pd.to_datetime(["2020-01-01", None])), "Nullable(Date)",
     [dt.date(2020, 1, 1), None]),
    ("no category", pd.Categorical([None, None]), "Nullable(String)", [None, None]),
    ("datetime", pd.to_datetime(["2020-01-01 10:00", None]), "Nullable(DateTime)", [1577872800, None]),
    ("tz", LATE, "Nullable(DateTime64(3))",
     [1577939400000, None]),
    ("day of a tz", LATE, "Nullable(Date)",
     [dt.date(2020, 1, 1), None]),
    ("timedelta", pd.to_timedelta(["1 day", None, "-2s"]), "Nullable(IntervalSecond)", [86400, None, -2]),
    ("range", pd.RangeIndex(3), "Int8", [0, 1, 2]),
    ("objects", pd.Series([{"a": 1}, None, {}], dtype=object), "Nullable(String)", []),
    ("sparse", pd.arrays.SparseArray([0, 0, 1]), "Int8", [0, 0, 1]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("column", "type_", "values"), [case[1:] for case in MISSING], ids=[c[0] for c in MISSING]
)
def test_pandas(column: Any, type_: str, values: list[Any]) -> None:
    if not values:
        column = column[1:2]
        values = [None]
    rows = [(value,) for value in values]
    for one_column in (pd.Series(column), pd.Index(column)):
        one(type_, one_column, values, SOME)
        one(type_, one_column[1:], values[1:], SOME)
        one(type_, one_column[::-1], values[::-1], SOME)
    frame = pd.DataFrame({"other": range(len(values)), "c": column}, index=[5] * len(values))
    for form in FORMATS:
        good([("c", type_)], frame, rows, [form], extra="ignore")
    good([("c", type_)], frame[["c"]].iloc[1:], rows[1:])


def test_frames() -> None:
    frame = pd.DataFrame({1: [1, 2], "t": ["a", "b"]})
    good("t String, `1` Int8", frame, [("a", 1), ("b", 2)])
    good("t String, `1` Int8", frame.iloc[:0], [])
    refused("t String", frame, "no such column")
    for twice in (pd.DataFrame([[1, 2]], columns=["a", "a"]), pd.DataFrame([[1, 2]], columns=["1", 1])):
        refused("a Int8", twice, "two columns of one name", extra="ignore")


def test_a_frame_as_a_column() -> None:
    pytest.importorskip("pyarrow")
    good("a Int8, b Tuple(x Int8)", {"a": [1], "b": pd.DataFrame({"x": [2]})}, [(1, (2,))])
