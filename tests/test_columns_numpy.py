"""encode_columns: NumPy arrays of every kind and layout."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any

import numpy as np
import pytest
from columns_cases import WAYS, good, one, refused, same

import rowbinary

UTC = dt.UTC
SOME = ["RowBinary", "RowBinaryWithDefaults", "Native"]

# dtype, type, Python values
PLAIN: list[tuple[Any, str, list[Any]]] = [
    *((f"{kind}{width}", t, [0, 1, 2, 100, 127]) for kind in "iu" for width in (1, 2, 4, 8)
      for t in ("Int8", "UInt8", "Int64", "UInt256", "Float32", "Decimal(10, 2)", "Date", "DateTime")),
    ("?", "Bool", [True, False, True]),
    ("?", "UInt8", [True, False, True]),
    ("?", "Int64", [True, False, True]),
    ("?", "Float64", [True, False, True]),
    *((f"f{width}", t, [0.0, -0.0, 1.0, 2.0, 100.0]) for width in (2, 4, 8)
      for t in ("Float32", "Float64", "BFloat16", "Int8", "UInt64", "Decimal(9, 4)")),
    ("f8", "Float64", [float("inf"), float("-inf"), float("nan"), 5e-324]),
    ("f2", "Float32", [5.960464477539063e-08, 65504.0, -5.960464477539063e-08, float("inf")]),
    ("S5", "String", [b"", b"a", b"ab\0cd", b"12345"]),
    ("S3", "FixedString(3)", [b"abc", b"xyz"]),
    ("S16", "UUID", [bytes(range(1, 17))] * 2),
    ("U4", "String", ["", "a", "é€", "\U0001f600xyz"]),
    ("U20", "Date", ["2020-02-29", "1970-01-01"]),
    ("U2", "Enum8('a' = 1, 'é' = -5)", ["a", "é"]),
    ("U9", "LowCardinality(String)", ["a", "", "a", "bcdefghij"[:9]]),
    ("O", "String", ["a", b"b", "c"]),
    ("O", "Nullable(Decimal(9, 2))", [decimal.Decimal("1.5"), None, 3]),
    ("O", "JSON", [{"a": 1}, '{"b": [2]}', {}]),
    ("c16", "String", []),
    ("g", "Float64", [1.5, -2.0]),
]  # fmt: skip


def layouts(values: list[Any], dtype: Any) -> list[Any]:
    """The same array, as it can lie in memory."""
    array = np.array(values, dtype)
    twice = np.repeat(array, 2)
    record = np.zeros(len(values), [("before", "u1"), ("value", dtype), ("after", "u2")])
    record["value"] = array
    matrix = np.zeros((len(values), 3), dtype)
    matrix[:, 1] = array
    fixed = array.copy()
    fixed.flags.writeable = False
    found = [array, twice[::2], twice[1::2], array[::-1].copy()[::-1], record["value"], matrix[:, 1], fixed]
    found += [np.asfortranarray(matrix)[:, 1], matrix.T[1]]
    return [*found, array.astype(array.dtype.newbyteorder(">"))]


@pytest.mark.parametrize(("dtype", "type_", "values"), PLAIN)
def test_layouts(dtype: str, type_: str, values: list[Any]) -> None:
    schema = rowbinary.Schema([("c", type_)])
    rows = [(value,) for value in values]
    for count, array in enumerate(layouts(values, dtype)):
        good(schema, {"c": array}, rows, [("RowBinary", "Native")[count % 2]])
    for array in layouts(values * 100, dtype)[1:5:3]:
        good(schema, [array], rows * 100, ["RowBinary", "Native"], implementation=WAYS[-1])


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns", "m", "h", "D", "W", "M", "Y"])
def test_moments(unit: str) -> None:
    texts = ["1970-01-01", "2020-03-29T01:30:00", "1969-12-31T23:59:59", "2105-01-01", "NaT"]
    array = np.array(texts, f"M8[{unit}]")
    moments: list[Any] = [value.astype("M8[s]").item() for value in array[:-1]]
    values = [*(value.replace(tzinfo=UTC) for value in moments), None]
    for type_ in ("DateTime64(3)", "DateTime64(9, 'Asia/Tokyo')", "Date32"):
        for naive in ("utc", "local", "column"):
            for column in (array, array[::-1][::-1], np.repeat(array, 3)[::3]):
                one(f"Nullable({type_})", column, values, ["RowBinary", "Native"], naive=naive)
    assert refused("c DateTime64(3)", {"c": array}).row == 4


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns", "m", "h", "D", "W"])
def test_lengths(unit: str) -> None:
    array = np.array([0, 1, -1, 5, "NaT"], f"m8[{unit}]")
    nanoseconds = [None if np.isnat(value) else int(value.astype("m8[ns]").astype("i8")) for value in array]
    one("Nullable(IntervalNanosecond)", array, nanoseconds)
    one("Nullable(Time64(9))", array[:4], nanoseconds[:4])
    one("Time64(9)", array[1::-1], nanoseconds[1::-1])
    assert refused("c Time64(9)", {"c": array}).row == 4


@pytest.mark.parametrize(
    "dtype", ["M8[h]", "M8[m]", "M8[Y]", "M8[W]", "m8[D]", "m8[W]", "m8[m]", "M8[D]", "M8[ps]"]
)
@pytest.mark.parametrize("count", [2**62, -(2**62), 2**63 - 1, -(2**63) + 1])
def test_moments_that_overflow(dtype: str, count: int) -> None:
    """NumPy multiplies without a look at what comes out."""
    array = np.array([0, count], "i8").view(dtype)
    for type_ in ("DateTime64(0)", "DateTime64(9)", "Date32", "Time64(9)", "IntervalSecond", "DateTime"):
        found = same([("c", type_)], {"c": array[1:]})
        if isinstance(found, bytes):
            assert found == count.to_bytes(8, "little", signed=True) or dtype[0] == "m" or dtype == "M8[D]"


def test_matrices() -> None:
    array = np.arange(24, dtype="i4").reshape(4, 3, 2)
    for matrix in (
        array,
        np.asfortranarray(array),
        array[::-1],
        array[:, ::2],
        array[1:, :, ::-1],
        array[:, :0],
    ):
        one("Array(Array(Int64))", matrix, matrix.tolist(), SOME)
    flat = array.reshape(4, 6)
    one("Array(UInt8)", flat[:, :0], [[]] * 4, SOME)
    one("Array(UInt8)", flat[:0], [], SOME)
    one("QBit(Float32, 6)", flat.astype("f4"), flat.tolist(), SOME)
    one("Array(String)", np.array([["a", "bcd"], ["", "é"]]), [["a", "bcd"], ["", "é"]], SOME)
    one("Array(Nullable(DateTime))", np.array([["2020-01-01", "NaT"]], "M8[s]"), [[1577836800, None]], SOME)
    good("a UInt8, b UInt8", flat.T[:2].T.T, [(int(a), int(b)) for a, b in flat[:, :2]])


def test_masked_arrays() -> None:
    yes, no = True, False
    array = np.ma.array([1, 2, 3, 4], mask=[False, True, False, True])
    one("Nullable(Int32)", array, [1, None, 3, None])
    one("Nullable(Int8)", array[1:], [None, 3, None])
    one("Nullable(Int8)", array[::-2], [None, None])
    one("Int8", np.ma.array([1, 2]), [1, 2])
    one("Int8", np.ma.array([1, 2], mask=False), [1, 2])
    one("Nullable(Int8)", np.ma.array([1, 2], mask=True), [None, None])
    matrix = np.ma.array([[1, 2], [3, 4]], mask=[[False, True], [False, False]])
    one("Array(Nullable(Int8))", matrix, [[1, None], [3, 4]])
    one("Array(Nullable(Int8))", matrix.T, [[1, 3], [None, 4]])
    one("Nullable(DateTime)", np.ma.array(["2020-01-01", "NaT", "2020-01-01"], "M8[s]", mask=[no, no, yes]),
        [1577836800, None, None])  # fmt: skip
    one("Nullable(IntervalSecond)", np.ma.array([1, 2], "m8[s]", mask=[no, yes]), [1, None])
    one("Nullable(String)", np.ma.array(["a", "b"], mask=[yes, no]), [None, "b"])
    one("Nullable(String)", np.ma.array(["a", {}], object, mask=[no, yes]), ["a", None])
    big: Any = np.ma.array([1, 2], ">i4", mask=[no, yes])
    one("Nullable(Int32)", big, [1, None])
    record: Any = np.ma.array([(1, 2.0), (3, 4.0)], [("a", "i4"), ("b", "f8")], mask=[(no, yes), (no, no)])
    good("a Int8, b Nullable(Float64)", record, [(1, None), (3, 4.0)])
    one("Tuple(a Int8, b Nullable(Float64))", record, [(1, None), (3, 4.0)])
    assert refused("c Int32", {"c": array}).row == 1


def test_structured_arrays() -> None:
    dtype = [("a", "u1"), ("t", "U3"), ("p", [("x", "f4"), ("y", ">i2")]), ("l", "i4", (2,))]
    array = np.array(
        [(1, "é", (0.5, 2), [1, 2]), (2, "", (1.5, -3), [3, 4]), (3, "xyz", (2, 4), [5, 6])], dtype
    )
    schema = "l Array(Int64), a UInt16, p Tuple(y Int16, x Float32), t String"
    rows: list[Any] = [
        (r["l"].tolist(), int(r["a"]), (int(r["p"]["y"]), float(r["p"]["x"])), str(r["t"])) for r in array
    ]
    good(schema, array, rows)
    good(schema, array[::-1], rows[::-1])
    good(schema, array[::2], rows[::2])
    good(schema, array.view(np.recarray), rows)
    good(schema, array[:0], [])


def test_surrogates_and_bad_characters() -> None:
    array = np.array(["a", "\ud800"])
    assert refused("c String", {"c": array}, "surrogate").row == 1
    beyond = np.array([0x41, 0x110000], "u4").view("U1")
    assert not isinstance(same("c String", {"c": beyond}), bytes)


def test_bytes_that_are_no_bools() -> None:
    """A bool array can have been made of any bytes; to NumPy they are True."""
    array = np.array([0, 1, 2, 255], "u1").view("?")
    for type_ in ("Bool", "UInt8", "Int64", "Float32"):
        one(type_, array, array.tolist())


def test_strides_of_zero() -> None:
    one("Int32", np.broadcast_to(np.int32(7), 1000), [7] * 1000)
    one("String", np.broadcast_to(np.array("ab"), 5), ["ab"] * 5)


@pytest.mark.skipif(not hasattr(np, "dtypes") or not hasattr(np.dtypes, "StringDType"), reason="NumPy is old")
def test_texts_of_any_length() -> None:
    missing = np.dtypes.StringDType(na_object=np.nan)
    one("Nullable(String)", np.array(["a", "x" * 100, ""], np.dtypes.StringDType()), ["a", "x" * 100, ""])
    assert isinstance(same("c Nullable(String)", {"c": np.array(["a", np.nan], missing)}), bytes | tuple)
