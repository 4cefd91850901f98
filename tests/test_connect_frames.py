"""Frames and arrays through an accelerated client: what clickhouse-connect stores, or an error of a place."""

from __future__ import annotations

import datetime as dt
import decimal
import os
import time
import uuid
from collections.abc import Iterator
from typing import Any

import connect_twins
import pytest
from connect_twins import MakeTwins, Twins, error_of

pytest.importorskip("clickhouse_connect", reason="clickhouse-connect is not installed")
np: Any = pytest.importorskip("numpy", reason="NumPy is not installed")
pd: Any = pytest.importorskip("pandas", reason="pandas is not installed")
pa: Any = pytest.importorskip("pyarrow", reason="pyarrow is not installed")

# ruff: noqa: E402
from clickhouse_connect.driver.exceptions import DataError, ProgrammingError

from rowbinary.connect import ValueRefusedError

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]
plain, twins = connect_twins.plain, connect_twins.shared_twins  # fixtures

D, NAN, UTC = decimal.Decimal, float("nan"), dt.UTC
UNITS = ("s", "ms", "us", "ns")
ZONED = pd.Series(pd.to_datetime(["2020-01-02 00:30:00", "2020-06-02 23:30:00"])).dt.tz_localize(
    "Europe/Berlin"
)
NOON = dt.datetime(2020, 1, 2, 12, 30, 1, 678901)


@pytest.fixture(scope="module", autouse=True)
def new_york() -> Iterator[None]:
    """A zone in which it makes a difference whether times without one are local."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "America/New_York"
    time.tzset()
    yield
    del os.environ["TZ"]
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


def objects(*values: Any) -> Any:
    return pd.Series(list(values), dtype=object)


def moments(unit: str, *values: str) -> Any:
    return pd.Series(np.array(values, dtype=f"datetime64[{unit}]"))


def durations(unit: str, *values: Any) -> Any:
    return pd.Series(np.array(values, dtype="timedelta64[ms]").astype(f"timedelta64[{unit}]"))


def arrow(kind: Any, *values: Any) -> Any:
    return pd.Series(list(values), dtype=pd.ArrowDtype(kind))


def both(type_: str, *columns: Any) -> list[tuple[str, Any]]:
    return [(kind, column) for kind in (type_, f"Nullable({type_})") for column in columns]


def nullable(type_: str, *columns: Any) -> list[tuple[str, Any]]:
    return [(f"Nullable({type_})", column) for column in columns]


WHOLE = [pd.Series([1, 0, 1], dtype=kind) for kind in (*"bhilqBHILQ", "Int64", "UInt8", "float64", "float32")]
FRACTIONS = [pd.Series([1.5, -0.25], dtype=kind) for kind in ("float16", "float32", "float64", "Float64")]
MISSING = [pd.Series([1, None], dtype=kind) for kind in ("Int64", "UInt8", "float64", "Float32")]
TIMES = [moments(unit, "2020-01-02T03:04:05", "1999-12-31T23:59:59") for unit in UNITS]
NATS = [moments(unit, "2020-01-02T03:04:05", "NaT") for unit in UNITS]
STAMP = pd.Timestamp("2020-01-02T03:04:05.123456789")
SAME: list[tuple[str, Any]] = [
    *both("Int32", *WHOLE, pd.Series([True, False]), objects(1, 2), pd.Series([1, 2], dtype="category")),
    *both("UInt64", pd.Series([2**64 - 1, 3], dtype="uint64"), objects(2**63, 1)),
    *both("Int64", pd.Series([2**60, -3], dtype=">i8"), moments("ns", "2020-01-02", "1960-01-01")),
    *both("Int128", objects(2**100, 1)),
    *nullable("Int32", *MISSING, objects(1, None), objects(1, NAN)),
    *nullable("Int32", objects(pd.NA, 1), arrow(pa.int8(), 1, None)),
    *both("Float64", *WHOLE, *FRACTIONS, pd.Series([1, 2.5], dtype="longdouble"), objects(1.5, 2.5)),
    ("Float64", pd.Series([1.5, NAN, float("inf")])), ("Float32", pd.Series([1.5, NAN], dtype="float32")),
    *[("Float64", column) for column in MISSING], ("Float64", arrow(pa.float32(), 1.5, None)),
    ("Float64", objects(NAN, 1)), ("Float64", pd.Series([1, None], dtype="category")),
    *nullable("Float64", pd.Series([1.5, NAN]), *MISSING, arrow(pa.float64(), 1.5, None), objects(None, 1.5)),
    *nullable("Float32", pd.arrays.SparseArray([NAN, 1.0]), pd.Series([1, None], dtype="category")),
    *both("Bool", pd.Series([True, False]), pd.Series([True, False], dtype="boolean"), *WHOLE, *FRACTIONS),
    *both("Bool", arrow(pa.bool_(), True, False), objects(True, False)),
    *nullable("Bool", pd.Series([True, None], dtype="boolean"), objects(True, None)),
    *nullable("Bool", arrow(pa.bool_(), True, None)),
    *both("String", objects("a", "é"), objects(b"a", b"\xff"), pd.Series(["a", "b", "a"], dtype="category")),
    *both("String", *[pd.Series(["a", "é", ""], dtype=kind) for kind in ("str", "string", "string[python]")]),
    *both("String", arrow(pa.string(), "a", ""), arrow(pa.large_string(), "a")),
    *both("String", arrow(pa.binary(), b"a", b"\xff")),
    *nullable("String", objects("a", None), objects("a", NAN), objects(pd.NA, "a"), objects(None, None)),
    *nullable("String", pd.Series(["a", None], dtype="category"), pd.Series(["a", None], dtype="string")),
    ("LowCardinality(String)", objects("a", "b", "a")), ("LowCardinality(String)", pd.Series(list("aba"))),
    ("LowCardinality(Nullable(String))", pd.Series(["a", None, "b"], dtype="category")),
    ("LowCardinality(Nullable(Int64))", pd.Series([1.0, NAN])),
    *both("FixedString(2)", objects("a", "bc"), objects(b"ab", b""), arrow(pa.binary(2), b"ab")),
    *both("UUID", objects(uuid.UUID(int=7)), objects(str(uuid.UUID(int=7)), "")),
    *both("IPv4", objects("1.2.3.4", "")),
    *both("IPv6", objects("::1", "1.2.3.4"), pd.Series([1, 2**32 - 1]), objects(2**100, 5)),
    *both("Date", *TIMES, ZONED, objects(dt.date(2020, 1, 2))),
    *both("Date", objects(NOON), arrow(pa.date32(), dt.date(2020, 1, 2))),
    *both("Date32", *TIMES, ZONED, arrow(pa.timestamp("us", "Europe/Berlin"), NOON.replace(tzinfo=UTC))),
    *nullable("Date", *NATS, objects(dt.date(2020, 1, 2), None), objects(dt.date(2020, 1, 2), pd.NaT)),
    *both("DateTime", *TIMES, ZONED, ZONED.dt.tz_localize(None)),
    *both("DateTime", objects(NOON), objects(STAMP), objects(NOON, STAMP)),
    *both("DateTime", arrow(pa.date32(), dt.date(2020, 1, 2)), arrow(pa.date64(), dt.date(2020, 1, 2))),
    *both("DateTime", arrow(pa.timestamp("us"), NOON), arrow(pa.timestamp("ms", "Asia/Tokyo"), NOON)),
    *nullable("DateTime", *NATS, objects(NOON, pd.NaT), arrow(pa.timestamp("ns"), NOON, None)),
    *[(f"DateTime64({p})", c) for p in (0, 3, 6, 9) for c in (*TIMES, objects(STAMP, NOON), ZONED)],
    ("DateTime64(6, 'Asia/Tokyo')", moments("ns", "2020-01-02T03:04:05.123456789", "1969-12-31T23:59:59.9")),
    *nullable("DateTime64(9)", *NATS, ZONED.astype("datetime64[us, UTC]"), objects(STAMP, None)),
    *both("Time", durations("us", 5000, -1500, 3_661_000), objects(dt.timedelta(seconds=-1.5))),
    *both("Time", objects(dt.time(1, 2))),
    *[("Time64(3)", durations(unit, 5000, 3_661_000)) for unit in UNITS],
    *both("Time64(3)", durations("ns", -1500, 1500), objects(dt.timedelta(seconds=-1, microseconds=-500001))),
    *nullable("Time64(9)", durations("ms", 5000, "NaT")),
    *nullable("Time64(9)", objects(pd.Timedelta(nanoseconds=-1234567891), None)),
    *both("Decimal(18, 4)", objects(D("1.23456789"), D(-2)), pd.Series([1, 2]), pd.Series([1.23456, -2.5])),
    *both("Decimal(18, 4)", arrow(pa.decimal128(10, 2), D("1.25"))),
    *both("Decimal(18, 4)", arrow(pa.decimal128(20, 8), D("1.23456789"))),
    *nullable("Decimal(18, 4)", objects(D("1.25"), None), objects(D("1.25"), NAN), pd.Series([1.5, NAN])),
    *both("Enum8('z' = 0, 'a' = 1)", objects("a", "z"), pd.Series(["a", "z"], dtype="category")),
    *both("Enum8('z' = 0, 'a' = 1)", objects("a", NAN)),
    *both("Enum8('z' = 0, 'a' = 1)", pd.Series([1, 0]), pd.Series([1.0, NAN])),
    *both("Enum8('z' = 0, 'a' = 1)", pd.Series([1, None], dtype="Int64")),
    *both("Enum16('a' = 1, 'b' = 300)", pd.Series(["a", "b"]), pd.Series([1, 300]), pd.Series([300.0])),
    ("JSON", objects({"a": 1, "b": "2020-01-01"}, {})), ("JSON", objects({"a": 1}, None)),
    ("JSON", objects('{"a": [1.5]}', "{}")),
    ("Array(Int64)", objects([1, 2], [])), ("Array(Nullable(Int64))", objects([1, None], ())),
    ("Array(Float64)", objects(np.array([1.5, 2]), np.array([3.0, NAN]))),
    ("Array(Float32)", objects(np.array([1.5, 2]), np.array([3.0]))),
    ("Array(Int64)", arrow(pa.list_(pa.int64()), [1, 2], [])),
    ("Array(String)", objects(["a", "é"], [])), ("Array(DateTime)", objects([NOON], [])),
    ("Map(String, Int64)", objects({"k": 1}, {})), ("Tuple(a Int64, b String)", objects((1, "x"), (2, "y"))),
]  # fmt: skip


@pytest.mark.parametrize("type_", list(dict.fromkeys(type_ for type_, _ in SAME)))
def test_a_frame_is_stored_as_by_clickhouse_connect(twins: MakeTwins, type_: str) -> None:
    table = twins(f"x {type_}")
    for column in [column for other, column in SAME if other == type_]:
        table.agree(pd.DataFrame({"x": column}))


def test_columns_belong_to_names_or_places(twins: MakeTwins) -> None:
    table = twins("a Int64, b String, c DateTime64(9)")
    frame = pd.DataFrame({"c": [STAMP, STAMP], "a": [1, 2], "b": ["x", "y"]}, index=[7, 7])
    for given, arguments in (
        (frame, {}),
        (frame[["a", "b"]], {}),
        (frame.iloc[::-1], {}),
        (frame.iloc[1:], {}),
        (frame.set_axis([0, 1, 2], axis=1), {"column_names": ["c", "a", "b"]}),
        (frame.set_axis(["a", "a", "a"], axis=1)[[]], {}),
        (frame.iloc[:0], {}),
    ):
        table.clear()
        plain_error = error_of(lambda: table.plain.insert_df(table.tables[0], given, **arguments))  # noqa: B023
        error = error_of(lambda: table.ours.insert_df(table.tables[1], given, **arguments))  # noqa: B023
        assert (error is None) == (plain_error is None), (error, plain_error)
        table.check_same()


def test_many_rows_of_many_columns(twins: MakeTwins) -> None:
    table = twins(
        "a Int64, b Nullable(Float64), c String, d DateTime64(6), e LowCardinality(String), f UInt8"
    )
    count, random = 150_000, np.random.default_rng(1)
    numbers = random.integers(0, 2**40, count)
    frame = pd.DataFrame({
        "a": numbers,
        "b": np.where(numbers % 7 == 0, np.nan, numbers / 3),
        "c": [f"text {n}" for n in numbers.tolist()],
        "d": numbers.astype("datetime64[us]"),
        "e": pd.Series(numbers % 50).astype(str).astype("category"),
        "f": numbers % 256.0,
    })  # fmt: skip
    table.clear()
    for client, name in ((table.plain, table.tables[0]), (table.ours, table.tables[1])):
        client.insert_df(name, frame)
    for one, other in (table.tables, table.tables[::-1]):
        assert (
            table.plain.command(f"SELECT count() FROM (SELECT * FROM {one} EXCEPT SELECT * FROM {other})")
            == 0
        )
    assert table.count() == count


REFUSED: list[tuple[str, Any, int]] = [
    ("Int32", pd.Series([1.0, 2.5]), 1),
    ("Int32", pd.Series([1.0, NAN]), 1),
    ("Int32", pd.Series([1, None], dtype="Int64"), 1),
    ("Nullable(Int32)", pd.Series([NAN, 1.5]), 1),
    ("UInt8", pd.Series([0, 1, 300]), 2),
    ("UInt8", pd.Series([1.0, -1.0]), 1),
    ("Int64", pd.Series([1.0, 1e20]), 1),
    ("Int64", objects(1, 2**80), 1),
    ("Int64", objects(1, object()), 1),
    ("Int64", objects(1, memoryview(b"ab")), 1),
    ("Int64", pd.Series([1, 2.5], dtype="longdouble"), 1),
    ("Bool", pd.Series([1.0, NAN]), 1),
    ("Bool", objects(True, "false"), 1),
    ("String", objects("a", None), 1),
    ("String", objects("a", 1), 1),
    ("Enum8('a' = 1)", objects("a", "b"), 1),
    ("Enum8('a' = 1)", pd.Series([1.0, 1.5]), 1),
    ("Enum8('a' = 1)", objects("a", NAN), 1),
    ("DateTime", moments("s", "2020-01-01", "1969-01-01"), 1),
    ("DateTime", moments("s", "2020-01-01", "NaT"), 1),
    ("Date", moments("s", "2020-01-01", "2300-01-01"), 1),
    ("Decimal(9, 2)", pd.Series([1.5, NAN]), 1),
    ("Decimal(9, 2)", objects(D(1), D(10**8)), 1),
    ("Array(Int64)", objects(np.array([1]), np.array([1.5])), 1),
    ("UUID", objects(str(uuid.UUID(int=7)), "x"), 1),
    ("Int32", pd.Series([1 + 2j]), 0),
]


@pytest.mark.parametrize(
    ("type_", "column", "row"), REFUSED, ids=[f"{n}-{c[0]}" for n, c in enumerate(REFUSED)]
)
def test_what_does_not_fit_is_named(twins: MakeTwins, type_: str, column: Any, row: int) -> None:
    error = twins(f"x {type_}").refuse(pd.DataFrame({"x": column}))
    assert isinstance(error, ValueRefusedError)
    assert isinstance(error, DataError)
    assert (error.row, error.column) == (row, "x")


LAX: list[tuple[str, Any]] = [
    ("Int32", pd.Series([1.5, 2.5, -0.4, NAN])),
    ("Nullable(Int32)", pd.Series([1.5, NAN, -2.5])),
    ("Int32", pd.Series([1, None], dtype="Int64")),
    ("Int32", objects(1.7, NAN)),
    ("Bool", pd.Series([1.0, NAN, 0.0])),
    ("Bool", objects("false", "")),
    ("Enum8('z' = 0, 'a' = 1)", objects("a", "what")),
    ("Time64(3)", pd.Series([1.5, 2.0])),
    ("Dynamic", pd.Series([1, 2])),
    ("Dynamic", objects(1, "a", None)),
    ("Dynamic", moments("us", "2020-01-02T03:04:05")[:0]),
    ("UUID", objects(uuid.UUID(int=7), None)),
]


@pytest.mark.parametrize(("type_", "column"), LAX, ids=[f"{n}-{c[0]}" for n, c in enumerate(LAX)])
def test_lax_takes_what_loses_something(twins: MakeTwins, type_: str, column: Any) -> None:
    table = twins(f"x {type_}", lax=True)
    table.clear()
    table.agree(pd.DataFrame({"x": column}))


# --- arrays and columns ---------------------------------------------------------------------------


def test_numpy_arrays(twins: MakeTwins) -> None:
    table = twins("a Int32, b Nullable(Float64)")
    square = np.arange(6).reshape(3, 2)
    read_only = square.copy()
    read_only.flags.writeable = False
    for array in (
        square, square.astype(">i4"), square.astype("f4"), square.T[:, ::-1][:2].T[:, ::-1], read_only,
        np.array([[1, None], [2, 1.5]], dtype=object), np.asfortranarray(square.astype("float64")),
        square[:0], np.array([[1.0, NAN]]),
    ):  # fmt: skip
        table.agree(array)
    by_name = np.array([(1.5, 1), (NAN, 2)], dtype=[("b", "f8"), ("a", "i8")])
    in_order = np.array([(1, 1.5), (2, NAN)], dtype=[("p", "i8"), ("q", "f8")])
    table.agree(by_name)
    table.agree(in_order)
    assert isinstance(table.refuse(np.array([[1.5, 1.0]])), ValueRefusedError)
    for wrong in (np.arange(3), np.zeros((2, 2, 2)), square[:, :1], np.array([(1,)], dtype=[("a", "i8")])):
        assert isinstance(table.refuse(wrong), ProgrammingError)


def test_arrays_of_other_types(twins: MakeTwins) -> None:
    twins("t DateTime64(3)").agree(np.array([["2020-01-02T03:04:05.123"]], dtype="datetime64[ms]"))
    twins("s String").agree(np.array([["a"], ["é"]]))
    twins("s String, n Int8").agree(np.array([("a", 1)], dtype=[("s", "U3"), ("n", "i1")]))
    twins("b Bool").agree(np.array([[1], [0], [5]]))


def columns_of_numbers() -> list[Any]:
    values = [1, 2, 3]
    return [
        values, tuple(values), np.array(values), np.array(values, dtype=">i2"), pd.Series(values),
        pd.Series(values, dtype="Int64"), np.array(values, dtype=object), range(1, 4),
        np.array(values, dtype="f2"),
    ]  # fmt: skip


@pytest.mark.parametrize("number", range(len(columns_of_numbers())))
def test_columns_one_by_one(twins: MakeTwins, number: int) -> None:
    table = twins("a Int32, b Nullable(Float64), c String")
    column = columns_of_numbers()[number]
    for reals in (np.array([1.5, NAN, 2]), pd.Series([1.5, NAN, 2]), [1.5, None, 2.5]):
        for texts in (["a", "", "é"], np.array(["a", "", "é"]), pd.Series(["a", "", "é"])):
            table.agree([column, reals, texts], column_oriented=True)


def test_columns_beyond_clickhouse_connect(twins: MakeTwins) -> None:
    table = twins("a Int32, b Nullable(DateTime64(6))")
    times = pa.array([NOON, None], pa.timestamp("us"))
    seconds = int(NOON.replace(tzinfo=UTC).timestamp() * 10**6)
    made: list[Any] = [[1, 2], times]
    for data in (made, {"b": times, "a": pa.array([1, 2])}, iter([(1, 2), pa.chunked_array([times])])):
        table.clear()
        assert table.insert(data, column_oriented=True) is None
        assert table.rows("a, toUnixTimestamp64Micro(b)") == [(1, seconds), (2, None)]
    assert isinstance(table.refuse([[1, 2], [None]], column_oriented=True), DataError)
    assert isinstance(table.refuse([[1, 2], times[:1]], column_oriented=True), DataError)
    assert isinstance(table.refuse({"a": [1]}, column_oriented=True), ProgrammingError)
    assert isinstance(table.refuse(["xy", [None, None]], column_oriented=True), ProgrammingError)


def test_frames_beyond_clickhouse_connect(twins: MakeTwins) -> None:
    pl = pytest.importorskip("polars", reason="polars is not installed")
    table: Twins = twins("a Int32, s LowCardinality(String), t DateTime64(6), e Enum8('x' = 1, 'y' = 2)")
    polars = pl.DataFrame({"p": [1, 2], "q": ["u", "v"], "r": [NOON, NOON], "s": ["x", "y"]})
    whole = polars.to_arrow()
    batches = pa.RecordBatchReader.from_batches(whole.schema, whole.to_batches())
    utc = NOON.replace(tzinfo=UTC)
    expected = [(1, "u", int(utc.timestamp()), "x"), (2, "v", int(utc.timestamp()), "y")]
    for data in (polars, whole, pa.concat_tables([whole[:1], whole[1:]]), batches):
        table.clear()
        error = table.insert(data)
        assert error is None, repr(error)
        assert table.rows("a, s, toUnixTimestamp(t), e") == expected


def test_where_ours_cannot_frames_go_to_the_wrapped_client(plain: Any) -> None:
    table = Twins(plain, "a Int32, t DateTime", strict=False)
    frame = pd.DataFrame({"a": [1], "t": moments("ns", "2020-01-02T03:04:05")})
    arguments = {"settings": {"input_format_native_allow_types_conversion": "1"}}
    for data in (frame, pa.table({"a": [1], "t": pa.array([NOON], pa.timestamp("us", "UTC"))})):
        assert table.insert(data, **arguments) is None
    assert table.count() == 2
    table.drop()
