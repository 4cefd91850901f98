"""encode_columns: every dtype of polars."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any

import pytest
from columns_cases import FORMATS, good, refused, same

import rowbinary

pl = pytest.importorskip("polars")
D = decimal.Decimal

CASES: list[tuple[Any, str, list[Any]]] = [
    *((getattr(pl, name), name, [0, 1, 127]) for name in ("Int8", "Int16", "Int32", "Int64")),
    *((getattr(pl, name), name, [0, 1, 127]) for name in ("UInt8", "UInt16", "UInt32", "UInt64")),
    (pl.Int64, "UInt256", [0, 2**63 - 1]),
    (pl.Float32, "Float32", [0.5, -1.0, float("nan")]),
    (pl.Float64, "Float64", [0.1, float("inf")]),
    (pl.Boolean, "Bool", [True, False]),
    (pl.String, "String", ["", "é", "x" * 12, "x" * 13, "x" * 500]),
    (pl.String, "Enum8('a' = 1, 'b' = -1)", ["a", "b"]),
    (pl.Binary, "String", [b"", b"\xff", b"y" * 50]),
    (pl.Categorical, "LowCardinality(String)", ["a", "b", "a"]),
    (pl.Categorical, "Enum16('a' = 1, 'b' = -1)", ["a", "b", "a"]),
    (pl.Enum(["a", "b"]), "LowCardinality(String)", ["b", "a", "b"]),
    (pl.Date, "Date", [dt.date(2020, 2, 29), dt.date(1970, 1, 1)]),
    (pl.Time, "Time64(6)", [dt.time(1, 2, 3, 4), dt.time(23, 59, 59)]),
    (pl.Duration("ms"), "IntervalMillisecond", [dt.timedelta(milliseconds=5), dt.timedelta(days=-1)]),
    (pl.Duration("ns"), "Time64(9)", [dt.timedelta(microseconds=5), dt.timedelta(hours=-1)]),
    *((pl.Datetime(unit), "DateTime64(3)", [dt.datetime(2020, 1, 1, 5)]) for unit in ("ms", "us", "ns")),
    (pl.Datetime("us", "Europe/Berlin"), "DateTime", [dt.datetime(2020, 1, 1, 5, tzinfo=dt.UTC)]),
    (pl.Decimal(20, 2), "Decimal(30, 4)", [D("1.25"), D("-99.99")]),
    (pl.List(pl.Int16), "Array(Int64)", [[1, 2], [], [-3]]),
    (pl.List(pl.List(pl.String)), "Array(Array(String))", [[["a"], []], []]),
    (pl.Array(pl.Float32, 3), "QBit(Float32, 3)", [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
    (pl.Array(pl.Int8, 2), "Array(Nullable(Int8))", [[1, None], [None, 4]]),
    (pl.Struct({"a": pl.Int8, "b": pl.String}), "Tuple(b String, a Int64)", [{"a": 1, "b": "x"}]),
    (pl.Struct({"a": pl.Int64, "b": pl.String}), "JSON", [{"a": 1, "b": "x"}, {"a": None, "b": ""}]),
]  # fmt: skip
if hasattr(pl, "Int128"):
    CASES.append((pl.Int128, "Int128", [0, -(2**127), 2**127 - 1, 2**64]))
    CASES.append((pl.Int128, "UInt8", [0, 255]))
    CASES.append((pl.Int128, "Decimal(38, 2)", [0, 10**30]))
    CASES += [
        (pl.Int128, type_, [0, 1])
        for type_ in ("Bool", "Float64", "Date", "DateTime", "Time", "Int256", "IPv4")
    ]
if hasattr(pl, "UInt128"):
    CASES.append((pl.UInt128, "UInt128", [0, 2**128 - 1]))
    CASES.append((pl.UInt128, "Int256", [0, 2**128 - 1]))


@pytest.mark.parametrize(("dtype", "type_", "values"), CASES)
def test_dtypes(dtype: Any, type_: str, values: list[Any]) -> None:
    series = pl.Series("c", values * 20, dtype=dtype)
    frame = series.to_frame()
    rows = [(value,) for value in values * 20]
    for form in FORMATS:
        good([("c", type_)], frame, rows, [form])
    good([("c", type_)], {"c": series.slice(3, 9)}, rows[3:12], ["RowBinary", "Native"])
    good([("c", type_)], frame[::2], rows[::2], ["RowBinary", "Native"])
    parts = pl.concat([frame[:1], frame[:0], frame[1:7]], rechunk=False)
    good([("c", type_)], parts, rows[:7], ["RowBinary", "Native"])
    if not type_.startswith(("Array", "Tuple", "JSON", "QBit")):
        inner = type_[15:-1] if type_.startswith("LowCardinality") else ""
        optional = f"LowCardinality(Nullable({inner}))" if inner else f"Nullable({type_})"
        nulls = pl.Series("c", [None, *values, None], dtype=dtype)
        good([("c", optional)], {"c": nulls}, [(value,) for value in (None, *values, None)])
        assert refused([("c", type_)], {"c": nulls}).row == 0


def test_null_and_objects() -> None:
    good("c Nullable(Int8)", {"c": pl.Series([None, None])}, [(None,), (None,)])
    good("a UInt8, b String", pl.DataFrame({"b": ["x"], "a": [1]}), [(1, "x")])
    good("a UInt8, b String", pl.DataFrame({"b": ["x"], "a": [1]}).clear(), [])
    objects = pl.Series("c", [object()], dtype=pl.Object)
    for table in ({"c": objects}, objects.to_frame()):
        found = same("c String", table)
        assert issubclass(found[0], TypeError)
        assert "addresses of objects" in found[1]


def test_a_lazy_frame_is_no_table() -> None:
    with pytest.raises((TypeError, rowbinary.RowBinaryError)):
        rowbinary.encode_columns("a UInt8", pl.LazyFrame({"a": [1]}))
