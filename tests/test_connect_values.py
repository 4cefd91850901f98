"""What an accelerated client stores of a value: the same as the client of clickhouse-connect, or nothing."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import ipaddress
import time
import uuid
import zoneinfo
from collections.abc import Iterator
from typing import Any

import connect_twins
import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest
from conftest import shown
from connect_twins import MakeTwins, check_class
from strategies import Level

pytest.importorskip("clickhouse_connect", reason="clickhouse-connect is not installed")
from clickhouse_connect import common
from clickhouse_connect.datatypes.dynamic import typed_variant
from clickhouse_connect.driver.exceptions import DataError

from rowbinary import EncodeError
from rowbinary.connect import ValueRefusedError

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]
plain, twins = connect_twins.plain, connect_twins.shared_twins  # fixtures

D, Date, T, Delta = decimal.Decimal, dt.date, dt.datetime, dt.timedelta
UTC, BERLIN = dt.UTC, zoneinfo.ZoneInfo("Europe/Berlin")
NAN, INF = float("nan"), float("inf")
NOON = T(2020, 5, 5, 12, tzinfo=UTC)
ID = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
Pair = collections.namedtuple("Pair", "a b")
SMALL_ENUM = "Enum8('a' = 1, 'b' = 2, '' = -1)"
DOCUMENT = "JSON(x UInt32, `y.z` String, d Nullable(Date), SKIP s, SKIP REGEXP '^tmp')"


class Label(str, enum.Enum):  # noqa: UP042 (a StrEnum is another class)
    a = "a"


@dataclasses.dataclass
class Record:
    x: int = 1


def each(types: list[str], *columns: list[Any]) -> list[tuple[str, list[Any]]]:
    return [(type_, column) for type_ in types for column in columns]


_INTEGERS = [f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)]
_WIDE = [f"{sign}Int{bits}" for sign in ("", "U") for bits in (128, 256)]
_FLOATS = ["Float32", "Float64", "BFloat16"]
_DECIMALS = ["Decimal(9, 2)", "Decimal(18, 4)", "Decimal(38, 5)", "Decimal(76, 10)"]
_SECONDS = ["DateTime", "DateTime('Europe/Berlin')"]
_TICKS = ["DateTime64(0)", "DateTime64(3)", "DateTime64(6, 'Asia/Tokyo')", "DateTime64(9)"]

NUMBERS = [
    *each(_INTEGERS, [0, 1, 127], [True, False], ["7", "+12"], [D("7"), 3], [np.int64(5), np.int8(3)]),
    *each(_INTEGERS, [1.0, 2.0], [np.float64(3)]),
    *each(["Int32", "Int64"], ["-7"], [" 7 "], [np.bool_(True)]),
    ("Int64", [-(2**63), 2**63 - 1]), ("UInt64", [2**64 - 1, 0]), ("UInt64", ["18446744073709551615"]),
    *each(["Nullable(Int32)"], [None, 5], [None, "5", None], [D(5), None], [None, None]),
    *each(_WIDE, [0, 1, 2**100], ["7", str(2**100)], [True]),
    *each(["Nullable(UInt128)", "Nullable(Int256)"], [None, 5], [None, "5"]),
    *each(_FLOATS, [0.0, -0.0, 0.1, 1 / 3], [NAN, INF, -INF], [1, 2], ["1.5", "nan", "1e3"], [" 1 "]),
    *each(_FLOATS, [D("1.5"), D(3)], [1.5, 2, D("2.5")], [True], [np.float32(1.1), np.float64(2.2)]),
    *each(_FLOATS, [2**60, 2**70], [1, "2.5"]),
    *each(["Nullable(Float64)", "Nullable(BFloat16)"], [None, 1.5], [None, 1], [None, "1.5", D(2)]),
    ("Bool", [True, False]), ("Bool", [1, 0, 2, 0.5, 0.0, D(3), D(0)]), ("Nullable(Bool)", [None, 2]),
    ("Bool", [np.bool_(True), np.bool_(False)]), ("Bool", [np.int64(1)]), ("Bool", [NAN]),
    *each(_DECIMALS, [D("1.25"), D("-3")], [1, -5], [1.5, -2.25], ["1.25", "-7", "1e2"], [" 1 "]),
    *each(_DECIMALS, [D("1.239999"), D("-1.239999")], [0.1 + 0.2, 1e-9, -1e-9], ["1.239999"], [1e5]),
    *each(_DECIMALS, [D("1E+3"), D("1e-30"), D("-0.001")], [np.int64(5), np.float64(1.25)]),
    *each(_DECIMALS, [D(1), 2, 3.5, "4.25"], [np.float32(1.1)], [D("1.23999999999999")]),
    *each(["Nullable(Decimal(9, 2))"], [None, D("1.239")], [None, 1.239]),
    ("Decimal(9, 9)", [D("0.1234567891")]), ("Decimal(76, 0)", [D(10**75)]), ("Decimal(76, 76)", ["0.1"]),
    ("Decimal(38, 10)", [1.1, 1 / 3, 1e20]), ("Decimal(9, 2)", [D("9999999.991")]),
    ("IntervalDay", [5, -5]), ("IntervalDay", ["5"]), ("Nullable(IntervalMonth)", [None, 5]),
]  # fmt: skip

TIMES = [
    *each(["Date", "Date32"], [Date(1970, 1, 1), Date(2020, 5, 5)], [T(2020, 5, 5, 23), T(2020, 1, 1)]),
    *each(["Date", "Date32"], [T(2020, 5, 5, 23, 59, tzinfo=BERLIN)], [0, 18000],
        [pd.Timestamp("2020-01-01")]),
    *each(["Date", "Date32"], [Date(2020, 1, 1), T(2020, 1, 2, 3)], [T(2020, 1, 2, 3), Date(2020, 1, 1)]),
    *each(["Nullable(Date)", "Nullable(Date32)"], [None, Date(2020, 1, 1)], [None, T(2020, 1, 1)], [None, 5]),
    ("Date", [Date(2149, 6, 6), Date(1970, 1, 1)]), ("Date32", [Date(1900, 1, 1), Date(2299, 12, 31)]),
    ("Date32", [-25567]), ("LowCardinality(Date)", [T(2020, 1, 1, 1), T(2020, 1, 1, 2)]),
    *each(_SECONDS, [NOON, NOON.replace(microsecond=999999)], [T(2020, 5, 5, 12), T(2020, 12, 5, 12)]),
    *each(_SECONDS, [T(2020, 5, 5, 12, tzinfo=BERLIN)], [0, 2**32 - 1], [pd.Timestamp("2020-01-01 05:00")]),
    *each(_SECONDS, [T(2020, 10, 25, 2, 30, fold=fold, tzinfo=BERLIN) for fold in (0, 1)]),
    *each(_SECONDS, [pd.Timestamp("2020-01-01 05:00", tz="Asia/Tokyo")]),
    *each(["Nullable(DateTime)", "LowCardinality(Nullable(DateTime))"], [None, NOON], [None, 5]),
    *each(_TICKS, [NOON, NOON.replace(microsecond=999999)], [T(2020, 5, 5, 12), T(2020, 12, 5, 12, 0, 0, 5)]),
    *each(_TICKS, [0, 2**40, -5], ["2020-01-01T00:00:00", "2020-01-01"], ["2020-01-01 00:00:00.5Z"]),
    *each(_TICKS, ["2020-01-01T00:00:00.123456+02:00", "2020-01-01 10:00"], ["2020-01-01T00:00:00,5"]),
    *each(_TICKS, ["20200101T000000"], ["2020-W01-1"]),
    *each(_TICKS, [pd.Timestamp("2020-01-01 05:00:00.123456789")],
        [T(1969, 12, 31, 23, 59, 59, 999999, UTC)]),
    *each(_TICKS, [pd.Timestamp("2020-01-01 05:00:00.123456789", tz="Asia/Tokyo")],
        [T(1900, 1, 1, tzinfo=UTC)]),
    *each(["Nullable(DateTime64(3))"], [None, NOON], [None, 5], [None, "2020-01-01T00:00:00"]),
    *each(["Time"], [Delta(hours=1), Delta(seconds=-5), Delta(hours=999, minutes=59)], [dt.time(1, 2, 3)]),
    *each(["Time"], [5, -5], [5.0], ["12:34:56", "-1:00:00", "100:00:00"], [pd.Timedelta("1h")]),
    *each(["Time"], [Delta(seconds=1.5)], [Delta(seconds=-0.5)], ["12:34:56.5"], ["-00:00:01.9"], ["1:2:3"]),
    *each(["Time64(3)", "Time64(9)"], [Delta(hours=1), Delta(seconds=-5.5)], [dt.time(1, 2, 3, 456789)]),
    *each(["Time64(3)", "Time64(9)"], [5, -5], [5.0], ["12:34:56", "-1:00:00.5", "01:02:03.123456"]),
    *each(["Time64(0)", "Time64(3)"], [Delta(microseconds=1)], [Delta(microseconds=-1)], ["-0:00:00.5"]),
    *each(["Nullable(Time64(6))", "Nullable(Time)"], [None, Delta(1)], [None, "1:00:00"], [None, 5.0]),
]  # fmt: skip

TEXTS = [
    *each(["String", "Nullable(String)"], ["", "a", "é", "x" * 200, "\0"], [b"", b"\xff\x00"], [Label.a]),
    *each(["String"], [np.str_("np")], [np.bytes_(b"np")], [b"a", bytearray(b"b")]),
    *each(["FixedString(3)"], ["abc", "a", "", "é"], [b"abc", b""], [b"", b"abc"],
        [b"abc", bytearray(b"abc")]),
    *each(["Nullable(FixedString(3))"], [None, "abc", ""], [None, b"abc", b""]),
    *each([SMALL_ENUM, f"Nullable({SMALL_ENUM})"], ["a", "b", ""], [1, 2], [Label.a], [Level.low]),
    *each([f"Nullable({SMALL_ENUM})"], [None, "a"], [None, 2]), ("Enum16('a' = 1, 'b' = 300)", [300, 1]),
    *each(["UUID"], [ID, uuid.UUID(int=0)], [str(ID), ID.hex, str(ID).upper()], [5, 2**128 - 1], [ID.bytes]),
    *each(["UUID"], ["", ""], [0]), ("Nullable(UUID)", [None, ID, ""]),
    *each(["IPv4"], [ipaddress.ip_address("1.2.3.4")], ["1.2.3.4", "255.255.255.255", ""], ["", "1.2.3.4"]),
    *each(["Nullable(IPv4)"], [None, "1.2.3.4"], [None, ipaddress.ip_address("1.2.3.4")]),
    *each(["IPv6"], [ipaddress.ip_address("::1"), "::2"], ["::1", "1.2.3.4", "::ffff:1.2.3.4"], [5],
        [b"\1" * 16]),
    ("IPv6", [ipaddress.ip_address("1.2.3.4")]), ("Nullable(IPv6)", [None, "::1"]), ("IPv6", [b"\1\2\3\4"]),
]  # fmt: skip

NESTED = [
    *each(["Array(Int64)"], [[1, 2], [], (3,)], [np.array([1, 2])], [["7"], ["8", 9]], [range(3)], [{1, 2}]),
    *each(["Array(Int64)"], [pd.Series([1, 2])], [[1.0, 2.0]]), ("Array(String)",
    [["a", ""], [b"a"], []][::2]),
    ("Array(Nullable(String))", [[None, "a"]]), ("Array(Array(Int8))", [[[1], []], []]),
    ("Array(Decimal(9, 2))", [[D("1.239"), 1.5]]), ("Array(LowCardinality(String))", [["a", "b", "a"], []]),
    ("Array(LowCardinality(Nullable(String)))", [["a", None], []]), ("Array(Bool)", [[True, 2]]),
    ("Array(UUID)", [["", str(ID)]]), ("Array(Tuple(a Int8, b String))", [[{"a": 1, "b": "x"}], []]),
    ("Array(Float32)", [np.array([1.5, 2.5], "f4"), [1]]), ("Array(DateTime)", [[T(2020, 1, 1)]]),
    ("Array(Nullable(Float64))", [[NAN, None]]), ("Array(FixedString(2))", [[b"", b"ab"]]),
    (f"Array({SMALL_ENUM})", [["a", ""]]), ("Array(JSON)", [[{"a": 1}, {}], []]), ("Array(JSON)",
    [['{"a":1}']]),
    *each(["Map(String, Int64)"], [{"a": 1}, {}], [collections.OrderedDict(a=1)], [{"a": "5"}]),
    ("Map(String, Nullable(Int64))", [{"a": None}]), ("Map(LowCardinality(String), String)",
    [{"a": "b"}, {}]),
    ("Map(String, Decimal(9, 2))", [{"a": D("1.239")}]), ("Map(UInt8, String)", [{"1": "a"}]),
    ("Map(String, Map(String, Int8))", [{"a": {"b": 1}}]), ("Map(UUID, Int8)", [{str(ID): 1}]),
    ("Map(String, JSON)", [{"k": {"a": "2026-01-01"}}]),
    ("Tuple(Int64, String)", [(1, "a"), [2, "b"]]), ("Tuple(Decimal(9, 2))", [(1.239,)]),
    *each(["Tuple(a Int64, b String)"], [{"a": 1, "b": "x"}, {"b": "y", "a": 2, "c": 5}],
        [(1, "x"), [3, "y"]]),
    ("Tuple(a Int64, b String)", [Pair(1, "x")]), ("Tuple(a Decimal(9, 2), b UUID)", [{"a": 1.239, "b": ""}]),
    ("Tuple(a Nullable(Int64), b Nullable(String))", [{}, {"b": "q", "z": 1}]),
    ("Tuple(a Tuple(b Int8, c Nullable(Int8)))", [{"a": {"b": 1}}]), ("Tuple(a JSON, b Int8)", [{"b": 1}]),
    ("Tuple(a Map(String, Int8), b Array(Int8))", [{"a": {"x": 1}, "b": [1]}]),
    ("Tuple(a Variant(Int8, String), b Nullable(Int8))", [{"b": 1}]), ("Nullable(Tuple(a Int8))",
    [None, (1,)]),
    *each(["Nested(a Int64, b String)"], [[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}], []]),
    ("Nested(a Int64)", [[{"a": 1, "c": 1}]]), ("Nested(a Decimal(9, 2))", [[{"a": D("1.239")}]]),
    ("Nested(a Nested(b Int8))", [[{"a": [{"b": 1}]}]]), ("Nested(a LowCardinality(String))",
    [[{"a": "q"}] * 2]),
    *each(["LowCardinality(String)"], ["a", "b", "a", ""], [b"a", b"b"], [str(n) for n in range(300)]),
    ("LowCardinality(Nullable(String))", ["a", None, ""]), ("LowCardinality(FixedString(3))", [b"abc", b""]),
    ("LowCardinality(Nullable(Int64))", [1, None]), ("LowCardinality(Int64)", ["7", "8"]),
    ("LowCardinality(Float64)", [1.5, NAN]), ("LowCardinality(DateTime)", [T(2020, 1, 1)]),
    ("SimpleAggregateFunction(sum, Decimal(38, 2))", [D("1.239")]),
    ("SimpleAggregateFunction(groupArrayArray, Array(Int64))", [[1, 2]]),
    ("SimpleAggregateFunction(any, LowCardinality(String))", ["a", "a"]),
    ("SimpleAggregateFunction(max, DateTime)", [T(2020, 1, 1)]),
]  # fmt: skip

VARIANTS = [
    ("Variant(Int64, String)", [1, "a", None]), ("Variant(Bool, Int64, String)", [True, 1, "x"]),
    ("Variant(Array(Int64), String)", [[1, 2], "a"]), ("Variant(Float64, UUID)", [1.5, ID]),
    ("Variant(Array(UInt32), Array(String))", [typed_variant([1], "Array(UInt32)"), None]),
    ("Variant(Int8, Int64)", [typed_variant(1, "Int8"), typed_variant(1, "Int64")]),
    ("Variant(Decimal(9, 2), String)", [D("1.239"), "x"]), ("Variant(DateTime, String)", [T(2020, 1, 1)]),
    ("Variant(Decimal(9, 2), String)", [typed_variant(D("1.239"), "Decimal(9, 2)")]),
    ("Variant(Map(String, Int8), String)", [{"a": 1}]), ("Variant(Tuple(a Int8), String)", [(1,)]),
    ("Variant(JSON, String)", [{"a": "2026-01-01"}, "x"]), ("Variant(UInt8, String)",
    [typed_variant("7", "UInt8")]),
    ("Variant(LowCardinality(String), UInt64)", ["a", 5]), ("Variant(Int64, Float64)", [1, 1.5]),
    ("Variant(IPv4, IPv6)", [ipaddress.ip_address("1.2.3.4"), ipaddress.ip_address("::1")]),
    ("Variant(Date, DateTime)", [Date(2020, 1, 1), T(2020, 1, 1)]), ("Variant(Int8, Time)", [Delta(hours=1)]),
    ("Array(Variant(UInt8, Int64))", [[typed_variant(1, "Int64"), None]]),
    ("Point", [(1.5, 2.5), [0, 1]]), ("Point", [("1", "2")]), ("Ring", [[(0, 0), (1, 1)]]),
    ("Polygon", [[[(0, 0), (1, 1)]]]), ("MultiPolygon", [[[[(0, 0)]]]]), ("LineString", [[(0, 0)]]),
    ("MultiLineString", [[[(0, 0)]]]), ("Geometry", [typed_variant((1.0, 2.0), "Point"), None]),
    ("Geometry", [typed_variant([(1.0, 2.0)], "Ring"), typed_variant([(1.0, 2.0)], "LineString")]),
    ("QBit(Float32, 4)", [[1, 2, 3, 4], [0.5, -1, 0, 1e10]]), ("QBit(Float64, 3)", [(1, 2, 3)]),
    ("QBit(Float32, 4)", [np.array([1, 2, 3, 4], "f4"), np.arange(4)]), ("QBit(BFloat16, 9)", [[1.1] * 9]),
]  # fmt: skip

# As the server infers them: each is the value of a path.
INFERRED: list[Any] = [
    1, -(2**63), 2**63, 2**64 - 1, 1.0, 1.5, 1e300, True, None, NAN, INF, "text", "", "12", "1.5", "true",
    "2026-01-01", "2026-01-01 00:00:00", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123456+02:00",
    "2026-01-01 00:00:00.5", "2026-13-01", "1900-01-01", "26-1-1", "Jan 1 2026", T(2026, 1, 1),
    T(2026, 1, 1, 0, 0, 0, 5, BERLIN), T(2026, 1, 1, tzinfo=UTC), Date(2026, 1, 1), dt.time(1, 2), ID,
    Label.a,
    Level.low, [1, 2], [1.5], [1, 1.5], [True, False], [True, 1], ["a"], [1, "x"], [], [None], [1, None],
    [[1], [2]], [[1], ["a"]], [[]], [{}], [{"b": 1}], [{"b": 1}, {"c": "x"}], [{"b": [{"c": [{"d": 1}]}]}],
    [1, {"b": 1}], ["2026-01-01"], ["2026-01-01", "x"], [Date(2026, 1, 1)], [2**64 - 1, -1], (1, 2), {},
    {"b": 1}, {"b": {"c": [1]}}, {"": 1}, Record(),
]  # fmt: skip
DOCUMENTS = [
    *[("JSON", [{"a": value}]) for value in INFERRED],
    *each(["JSON"], [{}, None, {"a": 1}], [{"a.b": 1}], [{"a": 1, "a.b": 2}], [{"": 1}],
        [{"é": 1, 'a"b': 2}]),
    *each(["JSON"], [{"a%2Eb": 1}], ['{"a":1}', '{"a":"2026-01-01"}'], ['{"a":18446744073709551616}'],
        [Record()]),
    ("Nullable(JSON)", [None, {"a": 1}]), ("Nullable(JSON)", [None, '{"a":1}']), ("JSON(x UInt32)", [None]),
    ("JSON", [{"a": n, f"k{n % 7}": "x"} for n in range(50)]), ("JSON", [{"a": 1}, {"a": "x"}, {"a": [1]}]),
    *[(DOCUMENT, [{"x": x}]) for x in (7, "7", None, 1.5, True)],
    *[(DOCUMENT, [{"y": {"z": z}}]) for z in ("a", 5, None, [1], {"a": 1}, "2026-01-01")],
    *each([DOCUMENT], [{"y.z": "a"}], [{"y": 1}],
        [{"d": "2026-01-01"}, {"d": Date(2026, 1, 1)}, {"d": None}]),
    *each([DOCUMENT], [{"s": 1}], [{"s": {"t": 1}}], [{"s.t": 1}], [{"tmp1": 1, "a": {"tmp": 1}}]),
    ("JSON(max_dynamic_types=8, max_dynamic_paths=64)", [{"a": [{"b": 1, "c": [{"d": 1}]}]}]),
    ("JSON(max_dynamic_paths=1)", [{"a": 1, "b": 2, "c": 3}]), ("JSON(SKIP a)", [{"l": [{"a": 1}]}]),
    ("JSON(SKIP a.b)", [{"a": {"b": {"c": 1}, "d": 1}}]), ("JSON(SKIP REGEXP 'b')",
    [{"a": {"b": 1}, "xbx": 1}]),
    *each(["JSON(v Decimal(9, 2))"], [{"v": 1.239}], [{"v": "1.239"}], [{"v": 1}]),
    *each(["JSON(v Float32)"], [{"v": "1.5"}], [{"v": 1}]), ("JSON(v UUID)", [{"v": ID}]),
    ("JSON(v Map(String, Int8), t Tuple(q Int8))", [{"v": {"a": 1}, "t": {"q": 1}}]),
    ("JSON(a Array(UInt8), j JSON, v Variant(Int8, String), d Dynamic)",
        [{"a": [1], "j": {"x": 1}, "d": "y"}]),
    *each(["JSON(v DateTime)"], [{"v": T(2026, 1, 1)}], [{"v": 1}], [{"v": "2026-01-01T00:00:00.5+02:00"}]),
    *each(["JSON(v DateTime64(6, 'Asia/Tokyo'))"], [{"v": T(2026, 1, 1)}], [{"v": "2026-01-01 00:00:00"}]),
]  # fmt: skip

TAKEN = [*NUMBERS, *TIMES, *TEXTS, *NESTED, *VARIANTS, *DOCUMENTS]


@pytest.mark.parametrize(("type_", "values"), TAKEN, ids=lambda part: shown(part)[:60])
def test_same(twins: MakeTwins, type_: str, values: list[Any]) -> None:
    """What clickhouse-connect takes, which its callers may rely on without knowing."""
    twins(f"c {type_}").agree([[value] for value in values])


@pytest.mark.parametrize("format", ["RowBinary"])
@pytest.mark.parametrize(
    "cases", [NUMBERS, TIMES, TEXTS, NESTED], ids=["numbers", "times", "texts", "nested"]
)
def test_same_in_rows(twins: MakeTwins, cases: list[tuple[str, list[Any]]], format: Any) -> None:
    """The other format, a column for each type."""
    firsts = {type_: values[0] for type_, values in reversed(cases)}
    table = twins(", ".join(f"c{n} {type_}" for n, type_ in enumerate(firsts)), format=format)
    table.agree([list(firsts.values())] * 2)


@pytest.mark.parametrize(
    ("type_", "values"), [case for case in TAKEN if "JSON" in case[0]], ids=lambda part: shown(part)[:60]
)
def test_same_documents_in_rows(twins: MakeTwins, type_: str, values: list[Any]) -> None:
    """The format of few of them."""
    twins(f"c {type_}", format="RowBinary").agree([[value] for value in values])


# --- datetimes without a zone ----------------------------------------------------------------------

NAIVE = [T(2020, 5, 5, 12), T(2020, 12, 5, 12, 0, 0, 999999), T(2020, 11, 1, 1, 30), T(2020, 3, 8, 2, 30)]
NAIVE += [T(2020, 11, 1, 1, 30, fold=1), T(2020, 10, 25, 2, 30), T(1970, 1, 5)]
_OLD = [T(1969, 1, 1, 0, 0, 0, 1), T(1950, 6, 6), T(2100, 1, 1)]
_STAMPS = [pd.Timestamp("2020-05-05 12:00:00.123456789"), pd.Timestamp("2020-12-05", tz="Asia/Tokyo")]
ZONED = [
    *each([*_SECONDS, *_TICKS, "Nullable(DateTime64(3))", "Variant(DateTime, String)"], NAIVE),
    *each(_TICKS, _OLD, _STAMPS, ["2020-05-05T12:00:00", "2020-05-05 12:00:00.5", "2020-05-05"]),
    *each(["LowCardinality(DateTime)"], NAIVE[:4]), *each(["Date"], NAIVE[:1],
    [T(2020, 5, 5, 23, tzinfo=BERLIN)]),
    ("Array(DateTime)", [NAIVE]), ("Map(String, DateTime64(6))", [{"k": NAIVE[0]}]),
    ("Tuple(a DateTime, b DateTime64(3, 'Asia/Tokyo'))", [tuple(NAIVE[:2])]),
    *each(["JSON"], [{"a": NAIVE[0]}], [{"a": "2020-05-05 12:00:00"}]),
    *each(["JSON(v DateTime64(3, 'Asia/Tokyo'))"], [{"v": NAIVE[0]}], [{"v": "2020-05-05 12:00:00"}]),
]  # fmt: skip


@pytest.fixture(params=["America/New_York", "Asia/Kolkata"])
def zone(request: pytest.FixtureRequest) -> Iterator[None]:
    """This process in another zone than the server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.fixture(params=["local", "server"])
def rule(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whose zone it is, as clickhouse-connect can be told."""
    common.set_setting("naive_datetime_insert", request.param)
    yield
    common.set_setting("naive_datetime_insert", "local")


@pytest.mark.usefixtures("zone", "rule")
def test_naive_datetimes(twins: MakeTwins) -> None:
    # The engine keeps the zone that the process had when it began: if not UTC, the wrapped client inserts.
    for type_, values in ZONED:
        twins(f"c {type_}", strict=False).agree([[value] for value in values])


# --- refused ---------------------------------------------------------------------------------------

# Type, values, row, path: clickhouse-connect stores something else than the value, or anything but it.
LOSSES: list[tuple[str, list[Any], int, str]] = [
    ("Int64", [1.0, 1.7], 1, "$"), ("Int64", [-1.7], 0, "$"), ("UInt8", [D("255.9")], 0, "$"),
    ("Int64", [NAN], 0, "$"), ("Int64", [1.0, INF], 1, "$"), ("Nullable(Int64)", [None, 1.5, NAN], 1, "$"),
    ("Array(Int64)", [[1.0], [2.0, 1.5, NAN]], 1, "$[1]"), ("Map(String, Int8)", [{"a": 1.5}], 0, "$['a']"),
    ("LowCardinality(Int64)", [1.5], 0, "$"), ("Tuple(Int8, String)", [(1.5, "a")], 0, "$[0]"),
    ("Nested(a Int8)", [[{"a": 1.0}], [{"a": 1.5}]], 1, "$[0].a"), ("IntervalDay", [1.5], 0, "$"),
    ("Time", [5.5, -5.5], 0, "$"), ("Time64(3)", [5.5], 0, "$"),
    ("Bool", [True, "false"], 1, "$"), ("Bool", ["", "x"], 0, "$"), ("Bool", [[], [0]], 0, "$"),
    ("Nullable(Bool)", [None, "x"], 1, "$"), ("Array(Bool)", [["false"]], 0, "$[0]"),
    ("Enum8('a' = 0)", ["zzz"], 0, "$"), ("Bool", [True, None], 1, "$"), ("UUID", [ID, None], 1, "$"),
    ("IPv4", ["1.2.3.4", None], 1, "$"), ("IPv6", [None, "::1"], 0, "$"), ("QBit(Float32, 2)", [None], 0,
    "$"),
    ("Tuple(a Bool, b Nullable(Int8))", [{"b": 1}], 0, "$.a"), ("UUID", [b""], 0, "$"),
    ("String", ["a", 0], 1, "$"), ("String", [False, ""], 0, "$"), ("Nullable(String)", ["a", None, []], 2,
    "$"),
]  # fmt: skip
LOSS = pytest.mark.parametrize(("type_", "values", "row", "path"), LOSSES, ids=lambda part: shown(part)[:60])


def check_refused(error: Exception, row: int | None, path: str) -> None:
    assert isinstance(error, ValueRefusedError)
    assert isinstance(error, DataError)
    assert isinstance(error, EncodeError)
    assert (error.column, error.row, error.path) == ("c", row, path)
    assert error.code is None
    assert error.name is None


@LOSS
def test_lossy_values_are_refused(
    twins: MakeTwins, type_: str, values: list[Any], row: int, path: str
) -> None:
    check_refused(twins(f"c {type_}").refuse([[value] for value in values]), row, path)


@LOSS
def test_lossy_values_are_taken_where_that_is_wanted(
    twins: MakeTwins, type_: str, values: list[Any], row: int, path: str
) -> None:
    twins(f"c {type_}", lax=True).agree([[value] for value in values])


# The server stores 0 for these, and cannot read it again.
UNREADABLE = [
    (SMALL_ENUM, ["a", "zzz"], 1, "$"), (f"Nullable({SMALL_ENUM})", [None, "zzz"], 1, "$"),
    (f"Array({SMALL_ENUM})", [["zzz"]], 0, "$[0]"), (SMALL_ENUM, ["a", None], 1, "$"),
]  # fmt: skip


@pytest.mark.parametrize("lax", [False, True])
@pytest.mark.parametrize(("type_", "values", "row", "path"), UNREADABLE, ids=lambda part: shown(part)[:60])
def test_labels_that_could_not_be_read_are_refused(
    twins: MakeTwins, type_: str, values: list[Any], row: int, path: str, lax: bool
) -> None:
    check_refused(twins(f"c {type_}", lax=lax).refuse([[value] for value in values]), row, path)


# Refused by clickhouse-connect too, or stored as what nobody can have meant.
WRONG = [
    ("Int8", [128]), ("UInt64", [-1]), ("Int64", [None]), ("Int32", ["x"]), ("Int128", [2**127]), ("Int64",
    [[1]]),
    ("Int32", [object()]), ("Float32", [1e39]), ("Float64", ["x"]), ("Float64", [None]), ("String", [None]),
    ("String", [5]), ("String", ["\ud800"]), ("FixedString(3)", ["abcd"]), ("FixedString(3)", [b"ab"]),
    ("FixedString(3)", ["éé"]), ("FixedString(3)", [None]), ("UUID", ["x"]), ("UUID", [b"\1" * 15]),
    ("IPv4", ["1.2.3"]), ("IPv4", ["1.2.3.4.5"]), ("IPv4", ["x"]), ("IPv6", ["x"]), ("IPv6", [""]),
    ("Date", ["x"]), ("Date", [Date(2149, 6, 7)]), ("Date", [Date(1969, 12, 31)]), ("Date", [1.5]), ("Date",
    [None]),
    ("DateTime", [T(1969, 12, 31, tzinfo=UTC)]), ("DateTime", [T(2106, 2, 7, 6, 28, 16, tzinfo=UTC)]),
    ("DateTime", [1.5]), ("DateTime", [pd.NaT]), ("DateTime64(9)", [T(2300, 1, 1, tzinfo=UTC)]),
    ("DateTime64(3)", ["x"]), ("DateTime64(3)", [""]), ("Time", ["5"]), ("Time", [Delta(hours=1000)]),
    ("Time64(3)", [Delta(hours=1000)]), ("Decimal(9, 2)", [D("NaN")]), ("Decimal(9, 2)", [INF]),
    ("Decimal(9, 2)", ["x"]), ("Decimal(9, 2)", [None]), ("Decimal(9, 2)", [10**9]), ("Decimal(9, 2)",
    [True]),
    ("Array(Int64)", [None]), ("Array(Int64)", [[None]]), ("Array(Int64)", [5]), ("Array(String)", ["abc"]),
    ("Map(String, Int64)", [None]), ("Map(String, Int64)", [{"a": None}]), ("Map(String, String)",
    [{1: "a"}]),
    ("Tuple(Int64, String)", [(1,)]), ("Tuple(Int64, String)", [(1, "a", "b")]), ("Tuple(Int64, String)",
    [None]),
    ("Tuple(a Int64, b String)", [{"a": 1}]), ("Nested(a Int64, b String)", [[{"a": 1}]]),
    ("Variant(Int64, String)", [1.5]), ("Variant(Int8, Int64)", [1]), ("Variant(UInt8, String)", [300]),
    ("Variant(Int8, Int64)", [typed_variant(1, "String")]), ("Variant(Bool, String)", [1]), ("Point", [(1,)]),
    ("Point", [None]), ("QBit(Float32, 4)", [[1, 2, 3]]), ("JSON", [{1: 2}]), ("JSON", ["x"]), ("JSON",
    ["[1]"]),
    ("JSON", [5]), ("JSON", [[1]]), ("JSON", [{"a": {"b": 1}, "a.b": 2}]), ("JSON", [{"a": Delta(1)}]),
    ("JSON", [{"a": object()}]), (DOCUMENT, [{"x": -1}]), (DOCUMENT, [{"x": "abc"}]), (DOCUMENT,
    [{"x": [1]}]),
    (DOCUMENT, [{"d": "x"}]), ("LowCardinality(String)", [None]),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "values"), WRONG, ids=lambda part: shown(part)[:60])
def test_wrong_values(twins: MakeTwins, type_: str, values: list[Any]) -> None:
    """Whoever catches the error of today catches that of tomorrow."""
    table = twins(f"c {type_}, n Int8")
    rows = [[value, 1] for value in values]
    plain_error = table.insert_plain(rows)
    error = table.refuse(rows)
    check_class(error, plain_error)
    assert isinstance(error, ValueRefusedError)
    assert (error.column, error.row) == ("c", 0)


# --- Dynamic ---------------------------------------------------------------------------------------

TYPED = [
    (1, "Int64"), (1.5, "Float64"), (True, "Bool"), ("a", "String"), (None, "None"), ([1, 2],
    "Array(Nullable(Int64))"),
    (Date(2026, 1, 1), "Date"), ("2026-01-01", "Date"), (2**63, "UInt64"),
]  # fmt: skip


def test_dynamic_has_types(twins: MakeTwins) -> None:
    """An improvement: clickhouse-connect makes texts of them."""
    table = twins("d Dynamic")
    assert table.insert([[value] for value, _ in TYPED]) is None
    assert table.rows("dynamicType(d)") == [(name,) for _, name in TYPED]


_DYNAMIC = [
    *(value for value, _ in TYPED),
    b"x",
    [1, "a"],
    {"a": 1},
    D("1.5"),
    ID,
    NOON,
    "2026-01-01 00:00:00",
]


@pytest.mark.parametrize("json", ["text", "exact"])
@pytest.mark.parametrize("column", ["Dynamic", "Dynamic(max_types=2)"])
def test_dynamic_as_text(twins: MakeTwins, column: str, json: Any) -> None:
    """The types of today, where they are wanted."""
    twins(f"c {column}", lax=True, json=json).agree([[value] for value in _DYNAMIC])


@pytest.mark.parametrize(
    ("type_", "value"),
    [("Array(Dynamic)", [1, None, "2026-01-01"]), ("Map(String, Dynamic)", {"a": 1, "b": "2026-01-01"}),
     ("Tuple(a Dynamic, b Nullable(Int8))", {"b": 1})],
)  # fmt: skip
def test_dynamic_as_text_in_containers(twins: MakeTwins, type_: str, value: Any) -> None:
    twins(f"c {type_}", lax=True).agree([[value]])
