"""What each type takes and refuses, value by value: the acceptance table of the library.

The expected bytes are written out here, not computed by the library.
"""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import enum
import fractions
import ipaddress
import struct
import types
import uuid
import zoneinfo
from typing import Any

import numpy as np
import pytest
from conftest import shown
from strategies import Color, Indexed, Label, Level, Mapped, Record

from rowbinary import EncodeError, encode_rows, typed

UTC = dt.UTC
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
D = decimal.Decimal
NOON = dt.datetime(2026, 11, 22, 12, tzinfo=UTC)
NOON_S = 1_795_348_800


def le(number: int, size: int) -> bytes:
    return number.to_bytes(size, "little", signed=number < 0)


def f64(number: float) -> bytes:
    return struct.pack("<d", number)


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return bytes([len(data)]) + data


INTS = [
    5,
    True,
    5.0,
    "5",
    "+5",
    D(5),
    D("5.00"),
    np.int16(5),
    np.float32(5),
    Level.low,
    fractions.Fraction(10, 2),
    Indexed(),
]
INT_RESULTS = [5, 1, 5, 5, 5, 5, 5, 5, 5, 1, 5, 3]
Both = collections.namedtuple("Both", "a b")
UUID_TEXT = "00112233-4455-6677-8899-aabbccddeeff"
UUID_BYTES = bytes.fromhex("7766554433221100ffeeddccbbaa9988")
SIXTEEN = bytes(range(16))
V6 = ipaddress.ip_address("2001:db8::1")

TAKEN: list[tuple[str, Any, bytes]] = [
    *[("Int64", value, le(number, 8)) for value, number in zip(INTS, INT_RESULTS, strict=True)],
    *[("UInt8", value, le(number, 1)) for value, number in zip(INTS, INT_RESULTS, strict=True)],
    *[(f"Int{b}", -(2 ** (b - 1)), bytes(b // 8 - 1) + b"\x80") for b in (8, 16, 32, 64, 128, 256)],
    *[(f"UInt{b}", 2**b - 1, b"\xff" * (b // 8)) for b in (8, 16, 32, 64, 128, 256)],
    ("Int256", -1, b"\xff" * 32),
    ("UInt128", 2**64, bytes(8) + b"\1" + bytes(7)),
    ("Bool", True, b"\1"), ("Bool", False, b"\0"), ("Bool", 1, b"\1"), ("Bool", 0, b"\0"),
    ("Bool", np.bool_(True), b"\1"),
    ("Float64", 1.5, f64(1.5)), ("Float64", 3, f64(3.0)), ("Float64", D("0.1"), f64(0.1)),
    ("Float64", "1e3", f64(1000.0)),
    ("Float64", "nan", f64(float("nan"))), ("Float64", True, f64(1.0)), ("Float64", 2**53 + 1, f64(2.0**53)),
    ("Float64", np.float32(0.5), f64(0.5)), ("Float64", -0.0, f64(-0.0)),
    ("Float64", fractions.Fraction(1, 4), f64(0.25)),
    ("Float64", float("-inf"), f64(float("-inf"))), ("Float64", 10**300, f64(1e300)),
    ("Float32", 0.1, struct.pack("<f", 0.1)), ("Float32", float("inf"), struct.pack("<f", float("inf"))),
    ("BFloat16", 1.5, b"\xc0\x3f"), ("BFloat16", 1.005859375, b"\x80\x3f"),
    ("BFloat16", float("nan"), b"\xc0\x7f"),
    ("Decimal(9, 2)", D("1.23"), le(123, 4)), ("Decimal(9, 2)", -1, le(-100, 4)),
    ("Decimal(9, 2)", 1.1, le(110, 4)),
    ("Decimal(9, 2)", "1.50", le(150, 4)), ("Decimal(9, 2)", D("1E+2"), le(10000, 4)),
    ("Decimal(9, 2)", D("-0"), le(0, 4)),
    ("Decimal(9, 2)", "9999999.99", le(999999999, 4)), ("Decimal(18, 4)", D("1.5000"), le(15000, 8)),
    ("Decimal(38, 0)", 10**38 - 1, le(10**38 - 1, 16)),
    ("Decimal(38, 0)", D(-(10**38) + 1), le(1 - 10**38, 16)),
    ("Decimal(76, 70)", D("-1e-70"), le(-1, 32)), ("Decimal(9, 2)", np.float32(1.1), le(110, 4)),
    ("Decimal(9, 2)", D("1.000"), le(100, 4)),
    ("String", "é", b"\2\xc3\xa9"), ("String", b"\xff\0", b"\2\xff\0"), ("String", bytearray(b"a"), b"\1a"),
    ("String", "", b"\0"),
    ("String", memoryview(b"abcd")[::2], b"\2ac"), ("String", Label.z, text("nothing")),
    ("String", np.str_("x"), b"\1x"),
    ("String", "x" * 128, b"\x80\1" + b"x" * 128),
    ("String", "\U0001f600" * 32, b"\x80\1" + b"\xf0\x9f\x98\x80" * 32), ("String", "\0", b"\1\0"),
    ("String", Color.b, b"\1b"),
    ("FixedString(3)", b"abc", b"abc"), ("FixedString(3)", "a", b"a\0\0"), ("FixedString(3)", "", bytes(3)),
    ("FixedString(3)", b"", bytes(3)),
    ("FixedString(3)", "é", b"\xc3\xa9\0"),
    ("Date", dt.date(2026, 11, 22), b"\x2b\x51"),
    ("Date", dt.datetime(2026, 11, 22, 23, 59, tzinfo=BERLIN), b"\x2b\x51"),
    ("Date", "2026-11-22", b"\x2b\x51"),
    ("Date", 1, b"\1\0"), ("Date", dt.date(2149, 6, 6), b"\xff\xff"),
    ("Date", np.datetime64("2026-11-22"), b"\x2b\x51"),
    ("Date32", dt.date(1969, 12, 31), le(-1, 4)), ("Date32", dt.date(1, 1, 1), le(-719162, 4)),
    ("Date32", dt.date(9999, 12, 31), le(2932896, 4)),
    ("Date32", np.datetime64("1969-12-31"), le(-1, 4)),
    ("DateTime", NOON, le(NOON_S, 4)), ("DateTime", NOON.astimezone(BERLIN), le(NOON_S, 4)),
    ("DateTime", NOON.replace(tzinfo=None), le(NOON_S, 4)),
    ("DateTime", "2026-11-22 12:00:00", le(NOON_S, 4)),
    ("DateTime", "2026-11-22T13:00:00+01:00", le(NOON_S, 4)),
    ("DateTime", "2026-11-22T12:00Z", le(NOON_S, 4)),
    ("DateTime", NOON_S, le(NOON_S, 4)), ("DateTime", dt.date(1970, 1, 2), le(86400, 4)),
    ("DateTime", 2**32 - 1, b"\xff" * 4),
    ("DateTime", NOON.replace(microsecond=999999), le(NOON_S, 4)),
    ("DateTime('Asia/Tokyo')", NOON, le(NOON_S, 4)),
    ("DateTime", dt.datetime(2020, 10, 25, 2, 30, tzinfo=BERLIN), le(1603585800, 4)),
    ("DateTime", dt.datetime(2020, 10, 25, 2, 30, fold=1, tzinfo=BERLIN), le(1603589400, 4)),
    ("DateTime64(3)", NOON.replace(microsecond=123999), le(NOON_S * 1000 + 123, 8)),
    ("DateTime64(3)", dt.datetime(1969, 12, 31, 23, 59, 59, 999999), le(-1, 8)),
    ("DateTime64(9)", "2026-11-22 12:00:00.123456789", le(NOON_S * 10**9 + 123456789, 8)),
    ("DateTime64(9)", np.datetime64(NOON_S * 10**9 + 7, "ns"), le(NOON_S * 10**9 + 7, 8)),
    ("DateTime64(0)", -1, le(-1, 8)), ("DateTime64(6)", NOON, le(NOON_S * 10**6, 8)),
    ("DateTime64(3)", dt.datetime(9999, 12, 31, tzinfo=UTC), le(253402214400000, 8)),
    ("Time", dt.timedelta(hours=-1), le(-3600, 4)), ("Time", dt.time(1, 2, 3), le(3723, 4)),
    ("Time", "999:59:59", le(3599999, 4)), ("Time", -5, le(-5, 4)),
    ("Time", dt.timedelta(microseconds=-1), le(-1, 4)), ("Time64(3)", "-00:00:01.5", le(-1500, 8)),
    ("Time64(9)", np.timedelta64(7, "ns"), le(7, 8)),
    ("IntervalDay", 3, le(3, 8)), ("IntervalDay", dt.timedelta(days=-2), le(-2, 8)),
    ("IntervalNanosecond", dt.timedelta(microseconds=1), le(1000, 8)), ("IntervalMonth", 5, le(5, 8)),
    ("IntervalWeek", dt.timedelta(days=14), le(2, 8)),
    ("UUID", uuid.UUID(UUID_TEXT), UUID_BYTES), ("UUID", UUID_TEXT, UUID_BYTES),
    ("UUID", uuid.UUID(UUID_TEXT).int, UUID_BYTES), ("UUID", uuid.UUID(UUID_TEXT).bytes, UUID_BYTES),
    ("IPv4", ipaddress.ip_address("1.2.3.4"), b"\4\3\2\1"), ("IPv4", "1.2.3.4", b"\4\3\2\1"),
    ("IPv4", 0x01020304, b"\4\3\2\1"),
    ("IPv6", V6, V6.packed), ("IPv6", "2001:db8::1", V6.packed), ("IPv6", int(V6), V6.packed),
    ("IPv6", SIXTEEN, SIXTEEN), ("IPv6", ipaddress.ip_address("1.2.3.4"), bytes(10) + b"\xff\xff\1\2\3\4"),
    ("IPv6", "1.2.3.4", bytes(10) + b"\xff\xff\1\2\3\4"),
    ("Enum8('a' = -2, 'b' = 1)", "a", b"\xfe"), ("Enum8('a' = -2, 'b' = 1)", 1, b"\1"),
    ("Enum8('a' = -2, 'b' = 1)", Color.b, b"\1"), ("Enum8('a' = -2, 'b' = 1)", Label.a, b"\xfe"),
    ("Enum8('low' = 1, 'q' = 3)", Level.low, b"\1"), ("Enum16('x' = 300)", "x", b"\x2c\1"),
    ("Enum16('x' = 300)", Color.x, b"\x2c\1"), ("Enum8('1' = 7)", "1", b"\7"),
    ("Nullable(UInt8)", None, b"\1"), ("Nullable(UInt8)", 5, b"\0\5"),
    ("LowCardinality(Nullable(String))", "a", b"\0\1a"), ("LowCardinality(String)", "a", b"\1a"),
    ("Array(UInt8)", [1, 2], b"\2\1\2"), ("Array(UInt8)", (1, 2), b"\2\1\2"),
    ("Array(UInt8)", range(3), b"\3\0\1\2"), ("Array(UInt8)", {4}, b"\1\4"),
    ("Array(UInt8)", {4: 5}.keys(), b"\1\4"),
    ("Array(UInt8)", np.array([1, 2]), b"\2\1\2"),
    ("Array(Array(UInt8))", np.array([[1], [2]]), b"\2\1\1\1\2"),
    ("Array(UInt8)", collections.deque([1]), b"\1\1"),
    ("Array(DateTime)", np.array(["1970-01-02"], "M8[D]"), b"\1" + le(86400, 4)),
    ("Array(Nullable(Float64))", [None, 1], b"\2\1\0" + f64(1.0)), ("Array(UInt8)", [], b"\0"),
    ("Tuple(UInt8, String)", (1, "a"), b"\1\1a"), ("Tuple(UInt8, String)", [1, "a"], b"\1\1a"),
    ("Tuple(a UInt8, b String)", {"b": "a", "a": 1}, b"\1\1a"),
    ("Tuple(a UInt8, b String)", Record(1, "a"), b"\1\1a"),
    ("Tuple(a UInt8, b String)", Both(1, "a"), b"\1\1a"),
    ("Tuple(a UInt8, b String)", types.SimpleNamespace(a=1, b="a"), b"\1\1a"),
    ("Nested(a UInt8, b String)", [(1, "a"), {"a": 2, "b": ""}], b"\2\1\1a\2\0"),
    ("Map(String, UInt8)", {"a": 1}, b"\1\1a\1"),
    ("Map(String, UInt8)", [("a", 1), ("a", 2)], b"\2\1a\1\1a\2"),
    ("Map(String, UInt8)", Mapped(a=1), b"\1\1a\1"),
    ("Map(String, UInt8)", types.MappingProxyType({"a": 1}), b"\1\1a\1"),
    ("Variant(String, UInt8)", "a", b"\0\1a"), ("Variant(String, UInt8)", 5, b"\1\5"),
    ("Variant(String, UInt8)", None, b"\xff"), ("Variant(Int8, UInt8)", 200, b"\1\xc8"),
    ("Variant(Float64, UInt8)", 300, b"\0" + f64(300.0)),
    ("Variant(Array(UInt8), Tuple(UInt8, UInt8))", [1, 2], b"\0\2\1\2"),
    ("Variant(Array(UInt8), Tuple(UInt8, UInt8))", (1, 2), b"\1\1\2"),
    ("Variant(Int8, UInt8)", typed(5, "UInt8"), b"\1\5"), ("Variant(Bool, UInt8)", True, b"\0\1"),
    ("Variant(Date, DateTime)", dt.date(1970, 1, 2), b"\0\1\0"),
    ("Variant(Date, DateTime)", NOON, b"\1" + le(NOON_S, 4)),
    ("Variant(Enum8('a' = 1), UInt8)", Color.a, b"\0\1"),
    ("Variant(String, UUID)", uuid.UUID(UUID_TEXT), b"\1" + UUID_BYTES),
    ("Dynamic", None, b"\0"), ("Dynamic", 5, b"\x0a" + le(5, 8)), ("Dynamic", 2**63, b"\4" + le(2**63, 8)),
    ("Dynamic", -(2**63) - 1, b"\x0b" + le(-(2**63) - 1, 16)), ("Dynamic", 2**200, b"\x0c" + le(2**200, 32)),
    ("Dynamic", True, b"\x2d\1"),
    ("Dynamic", "2020-01-01", b"\x15" + text("2020-01-01")),
    ("Dynamic", NOON, b"\x13\x09" + le(NOON_S * 10**9, 8)),
    ("Dynamic", dt.date(1960, 1, 1), b"\x10" + le(-3653, 4)),
    ("Dynamic", D("1.50"), b"\x1b\x26\2" + le(150, 16)),
    ("Dynamic", [1, 2.5], b"\x1e\x23\x0e\2\0" + f64(1.0) + b"\0" + f64(2.5)),
    ("Dynamic", [], b"\x1e\x23\x15\0"), ("Dynamic", [True, 1], b"\x1e\x2b\x20\2\x2d\1\x0a" + le(1, 8)),
    ("Dynamic", [[1], []], b"\x1e\x1e\x23\x0a\2\1\0" + le(1, 8) + b"\0"),
    ("Dynamic", typed(1, "Int8"), b"\7\1"), ("Dynamic", typed(None, "Nullable(Int8)"), b"\0"),
    ("Dynamic", np.int8(1), b"\x0a" + le(1, 8)), ("Dynamic", Color.a, b"\x0a" + le(1, 8)),
    ("Dynamic", uuid.UUID(UUID_TEXT), b"\x1d" + UUID_BYTES),
    ("Dynamic", dt.timedelta(seconds=1), b"\x34\x09" + le(10**9, 8)),
    ("Dynamic", {"a": 1}, bytes.fromhex("3000800820000000") + b"\1\1a\x0a" + le(1, 8)),
    ("Dynamic", b"\xff", b"\x15\1\xff"),
    ("QBit(Float32, 2)", [1, 2.0], b"\2" + struct.pack("<ff", 1, 2)),
    ("Point", (1, 2.5), f64(1.0) + f64(2.5)), ("Ring", [(0, 0)], b"\1" + bytes(16)),
    ("Geometry", typed((0, 0), "Point"), b"\3" + bytes(16)), ("Geometry", (0, 0), b"\3" + bytes(16)),
    ("AggregateFunction(sum, UInt64)", b"\5" + bytes(7), b"\5" + bytes(7)),
    ("SimpleAggregateFunction(max, UInt8)", 3, b"\3"),
]  # fmt: skip


def shown_as(column: str, value: object) -> str:
    return f"{column}={shown(value)}"[:70]


@pytest.mark.parametrize("number", range(len(TAKEN)), ids=lambda n: shown_as(*TAKEN[n][:2]))
def test_taken(impl: str, number: int) -> None:
    column, value, expected = TAKEN[number]
    assert encode_rows([("c", column)], [(value,)], implementation=impl) == expected


NUMBER, WHOLE, FRACTION = "not a number", "not a whole decimal number", "a fraction would be lost"

REFUSED: list[tuple[str, Any, str]] = [
    ("Int8", 128, "out of range -128 .. 127"), ("Int8", -129, "out of range -128 .. 127"),
    ("UInt64", -1, "out of range 0 .. 18446744073709551615"),
    ("UInt256", 2**256, "out of range 0 .. "), ("UInt8", 1.5, FRACTION),
    ("UInt8", float("nan"), "not a finite number"), ("UInt8", float("inf"), "not a finite number"),
    ("UInt8", "1.0", WHOLE), ("UInt8", "", WHOLE), ("UInt8", "1_0", WHOLE), ("UInt8", " 1", WHOLE),
    ("UInt8", "\u0661", WHOLE), ("UInt8", None, NUMBER), ("UInt8", b"1", NUMBER),
    ("UInt8", [], NUMBER), ("UInt8", D("1.5"), FRACTION), ("UInt8", D("NaN"), "not a finite number"),
    ("UInt8", 1j, NUMBER), ("UInt8", fractions.Fraction(1, 2), FRACTION),
    ("Int64", fractions.Fraction(10**17 + 1), "not a whole number that a Float64 can hold"),
    ("Int64", np.longdouble(2) ** 62 + 1, "not a whole number that a Float64 can hold"),
    ("Int64", typed(5, "Int32"), "it is typed as Int32"), ("Int64", dt.date(2020, 1, 1), NUMBER),
    ("Bool", 2, "not a bool"), ("Bool", "true", "not a bool"), ("Bool", 1.0, "not a bool"),
    ("Bool", [], "not a bool"), ("Bool", None, "not a bool"),
    ("Float64", "abc", NUMBER), ("Float64", "1_0", NUMBER), ("Float64", None, NUMBER),
    ("Float64", b"1", NUMBER), ("Float64", 10**400, "out of range of Float64"), ("Float64", 1j, NUMBER),
    ("Float64", " 1", NUMBER),
    ("Float32", 3.5e38, "out of range of Float32"), ("BFloat16", 1e39, "out of range of Float32"),
    ("Decimal(9, 2)", D("1.234"), "more than 2 digits after the point"),
    ("Decimal(9, 2)", 10**7, "more than 9 digits"), ("Decimal(9, 2)", D("NaN"), "not a finite number"),
    ("Decimal(9, 2)", "abc", "not a decimal number"),
    ("Decimal(9, 2)", True, NUMBER), ("Decimal(9, 2)", 0.1 + 0.2, "more than 2 digits"),
    ("Decimal(9, 2)", float("inf"), "not a finite number"), ("Decimal(4, 2)", 100, "more than 4 digits"),
    ("Decimal(9, 2)", D("1e999999"), "more than"),
    ("Decimal(76, 0)", D("1e-999999"), "a fraction would be lost"), ("Decimal(9, 2)", b"1", NUMBER),
    ("String", 5, "neither str nor bytes"), ("String", None, "neither str nor bytes"),
    ("String", ["a"], "neither str nor bytes"), ("String", "\ud800", "a lone surrogate has no UTF-8 form"),
    ("FixedString(3)", "abcd", "4 bytes are too many"),
    ("FixedString(3)", b"ab", "2 bytes are too few (only str is padded)"),
    ("FixedString(3)", "éé", "4 bytes are too many"),
    ("Date", dt.date(1969, 12, 31), "out of range 1970-01-01 .. 2149-06-06"),
    ("Date", dt.date(2149, 6, 7), "out of range"), ("Date", "2026-1-1", "not a date of the form YYYY-MM-DD"),
    ("Date", "2026-02-30", "no such day"), ("Date", 65536, "out of range"),
    ("Date", np.datetime64("NaT"), "NaT"),
    ("Date32", 2932897, "out of range 0001-01-01 .. 9999-12-31"), ("Date", 1.5, "neither a date or time"),
    ("DateTime", dt.datetime(1969, 12, 31, tzinfo=UTC), "out of range 1970-01-01 00:00:00 .."),
    ("DateTime", 2**32, "out of range"), ("DateTime", -1, "out of range"),
    ("DateTime", "yesterday", "not a time of the form"),
    ("DateTime", "2026-02-30 00:00:00", "no such day or time"),
    ("DateTime", "2026-01-01 25:00:00", "no such day or time"),
    ("DateTime", dt.time(1), "neither a date or time"), ("DateTime", None, "neither a date or time"),
    ("DateTime", "2026-01-01 00:00:00+99:00", "no such day or time"),
    ("DateTime64(9)", dt.datetime(2263, 1, 1, tzinfo=UTC), "out of range of a 64-bit count"),
    ("DateTime64(3)", 2**63, "out of range of a 64-bit count"),
    ("Time", "1000:00:00", "not a time of the form hhh:mm:ss"),
    ("Time", "1:60:00", "not a time of the form hhh:mm:ss"),
    ("Time", 3600000, "out of range -999:59:59 .. 999:59:59"),
    ("Time", dt.timedelta(hours=-1000), "out of range"),
    ("Time", dt.time(1, tzinfo=UTC), "a time with a zone"),
    ("Time64(6)", dt.timedelta(days=50), "out of range"),
    ("IntervalDay", dt.timedelta(hours=1), "not a whole multiple of the unit"),
    ("IntervalMonth", dt.timedelta(days=30), "a timedelta has no fixed length in months"),
    ("IntervalDay", 2**63, "out of range of a 64-bit count"), ("IntervalYear", "x", WHOLE),
    ("UUID", "x", "not a UUID"), ("UUID", b"x", "not 16 bytes"), ("UUID", -1, "out of range"),
    ("UUID", True, "not a UUID"), ("UUID", None, "not a UUID"),
    ("IPv4", "1.2.3", "not an IPv4 address"), ("IPv4", V6, "not an IPv4 address"),
    ("IPv4", 2**32, "out of range"), ("IPv6", "x", "not an IP address"),
    ("IPv6", ipaddress.IPv6Address("fe80::1%eth0"), "a scope id cannot be stored"),
    ("IPv6", b"x", "not 16 bytes"), ("IPv6", 2**128, "out of range"),
    ("IPv4", b"\1\2\3\4", "not an IPv4 address"),
    ("Enum8('a' = 1)", "b", "unknown label"), ("Enum8('a' = 1)", 2, "undeclared number"),
    ("Enum8('a' = 1)", True, "neither a label nor a number"),
    ("Enum8('a' = 1)", 1.0, "neither a label nor a number"),
    ("Enum8('a' = 1)", b"a", "neither a label nor a number"),
    ("Enum8('a' = 1)", "1", "unknown label"), ("Enum8('q' = 1)", Color.x, "unknown label"),
    ("Enum8('a' = 1)", None, "neither a label nor a number"),
    ("Array(UInt8)", None, "not a sequence"), ("Array(UInt8)", "ab", "not a sequence"),
    ("Array(UInt8)", b"ab", "not a sequence"), ("Array(UInt8)", {"a": 1}, "not a sequence"),
    ("Array(UInt8)", 5, "not a sequence"),
    ("Array(UInt8)", iter([1]), "an iterator has no length"),
    ("Array(UInt8)", np.array(5), "not a sequence"),
    ("LowCardinality(String)", None, "neither str nor bytes"),
    ("Tuple(UInt8, UInt8)", (1,), "1 elements instead of 2"),
    ("Tuple(UInt8, UInt8)", (1, 2, 3), "3 elements instead of 2"),
    ("Tuple(a UInt8, b UInt8)", {"a": 1}, "element 'b' is missing"),
    ("Tuple(a UInt8)", {"a": 1, "z": 2}, "unknown element 'z'"),
    ("Tuple(UInt8, UInt8)", {"a": 1, "b": 2}, "not a sequence"), ("Tuple(UInt8)", "a", "not a sequence"),
    ("Map(String, UInt8)", [1], "neither a mapping nor a sequence of pairs"),
    ("Map(String, UInt8)", [("a", 1, 2)], "neither a mapping nor a sequence of pairs"),
    ("Map(String, UInt8)", None, "not a sequence"), ("Map(String, UInt8)", ["ab"], "neither a mapping nor"),
    ("Variant(String, UInt8)", 300, "it fits none of String, UInt8"),
    ("Variant(Int8, UInt8)", 5, "ambiguous, it fits Int8, UInt8; use typed(value, type)"),
    ("Variant(String, UInt8)", typed(1, "Int8"), "no member is Int8; the members are String, UInt8"),
    ("Variant(String, UInt8)", 1.5, "it fits none of String, UInt8"),
    ("Variant(UInt8, UInt16)", True, "it fits none of UInt16, UInt8"),
    ("Variant(Date, DateTime)", "2020-01-01", "it fits none of"),
    ("Geometry", [(0, 0)], "ambiguous, it fits LineString, Ring, MultiPoint; use typed(value, type)"),
    ("Dynamic", object, "no ClickHouse type for it"), ("Dynamic", 2**255, "out of range of Int256"),
    ("Dynamic", 1j, "no ClickHouse type for it"), ("Dynamic", D("NaN"), "not a finite number"),
    ("Dynamic", D(10) ** 80, "more than 76 digits"), ("Dynamic", iter([]), "no ClickHouse type for it"),
    ("Dynamic", typed(300, "UInt8"), "out of range 0 .. 255"),
    ("Dynamic", dt.datetime(2300, 1, 1), "out of range of a 64-bit count"),
    ("Dynamic", [object], "no ClickHouse type for it"),
    ("QBit(Float32, 2)", [1], "1 elements instead of 2"), ("QBit(Float32, 2)", 5, "not a sequence"),
    ("AggregateFunction(sum, UInt64)", "x", "not bytes"), ("Point", (1,), "1 elements instead of 2"),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(REFUSED)), ids=lambda n: shown_as(*REFUSED[n][:2]))
def test_refused(impl: str, number: int) -> None:
    column, value, reason = REFUSED[number]
    with pytest.raises(EncodeError) as caught:
        encode_rows([("c", column)], [(value,)], implementation=impl)
    error = caught.value
    assert error.reason.startswith(reason) or reason in error.reason
    assert (error.row, error.column) == (0, "c")
    assert error.type is not None
    assert error.value


def test_every_family_is_in_both_tables() -> None:
    from rowbinary import parse_type
    from rowbinary._registry import REGISTRY

    taken = {parse_type(column).family for column, _, _ in TAKEN}
    geo = {"LineString", "MultiPoint", "MultiLineString", "Polygon", "MultiPolygon"}
    intervals = {family for family in REGISTRY if family.startswith("Interval")}
    assert set(REGISTRY) - taken - geo - intervals == {"JSON", "Nothing"}  # tests/test_json_columns.py
    assert taken & intervals


def test_pandas_values(impl: str) -> None:
    pd = pytest.importorskip("pandas")
    taken = [
        ("Date", pd.Timestamp("2026-11-22"), b"\x2b\x51"),
        ("DateTime64(9)", pd.Timestamp(NOON_S * 10**9 + 1, tz="UTC"), le(NOON_S * 10**9 + 1, 8)),
        ("Array(UInt8)", pd.Series([3]), b"\1\3"),
        ("Dynamic", pd.Timestamp(NOON_S * 10**9 + 1, tz="UTC"), b"\x13\x09" + le(NOON_S * 10**9 + 1, 8)),
    ]
    for column, value, expected in taken:
        assert encode_rows([("c", column)], [(value,)], implementation=impl) == expected
    for column in ("Date", "DateTime", "DateTime64(3)", "Dynamic"):
        with pytest.raises(EncodeError, match="NaT"):
            encode_rows([("c", column)], [(pd.NaT,)], implementation=impl)


# --- zones --------------------------------------------------------------------------------------


NAIVE = dt.datetime(2026, 7, 1, 12)
NAIVE_S = 1_782_907_200


@pytest.mark.parametrize(
    ("column", "naive", "shift"),
    [
        ("DateTime", "utc", 0),
        ("DateTime('Europe/Berlin')", "utc", 0),
        ("DateTime", "column", 0),
        ("DateTime('Europe/Berlin')", "column", -7200),
        ("DateTime('Asia/Tokyo')", "column", -9 * 3600),
    ],
)
def test_naive_datetimes(impl: str, column: str, naive: Any, shift: int) -> None:
    for value in (NAIVE, NAIVE.isoformat(), NAIVE.isoformat(" ")):
        assert encode_rows([("c", column)], [(value,)], naive=naive, implementation=impl) == le(
            NAIVE_S + shift, 4
        )
    aware = NAIVE.replace(tzinfo=UTC)
    assert encode_rows([("c", column)], [(aware,)], naive=naive, implementation=impl) == le(NAIVE_S, 4)


def test_naive_local(impl: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        body = encode_rows("c DateTime('Asia/Tokyo')", [(NAIVE,)], naive="local", implementation=impl)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert body == le(NAIVE_S + 4 * 3600, 4)


@pytest.mark.parametrize("format", ["RowBinary", "Native"])
def test_naive_local_is_what_timestamp_says(impl: str, format: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of hours that clocks skip or show twice, and before the zone had whole minutes."""
    import time

    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        for value in (
            dt.datetime(2024, 3, 10, 2, 30),
            dt.datetime(2024, 11, 3, 1, 30),
            dt.datetime(2024, 11, 3, 1, 30, fold=1),
            dt.datetime(1969, 12, 31, 23, 59, 59, 999_999),
            dt.datetime(1883, 1, 1, 0, 0, 0, 1),
            dt.datetime(9999, 12, 31, 23),
        ):
            rows = [(value,)] * 3
            body = encode_rows("c DateTime64(6)", rows, format=format, naive="local", implementation=impl)
            whole = value.replace(microsecond=0).timestamp()
            assert body[-8:] == le(int(whole) * 1_000_000 + value.microsecond, 8), value
        with pytest.raises(EncodeError, match="beyond the years"):
            encode_rows("c DateTime64(6)", [(dt.datetime(1, 1, 1),)], naive="local", implementation=impl)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("naive", ["utc", "local"])
def test_json_zone(impl: str, naive: Any) -> None:
    zone = dt.timezone(dt.timedelta(hours=2))
    row = ({"a": "2024-07-01 00:00:00", "b": dt.datetime(2024, 7, 1), "c": "2024-07-01T00:00:00Z"},)
    body = encode_rows("j JSON", [row], json="text", naive=naive, json_zone=zone, implementation=impl)
    noon = 1719792000
    assert body == b"\3" + b"".join(
        b"\1" + name + b"\x11" + le(noon - shift, 4)
        for name, shift in ((b"a", 7200), (b"b", 7200), (b"c", 0))
    )
    with pytest.raises(ValueError, match="json_zone must be a tzinfo"):
        encode_rows("j JSON", [row], json_zone="UTC", implementation=impl)  # type: ignore[arg-type]


def test_a_date_in_a_datetime_column_is_midnight_of_the_zone(impl: str) -> None:
    body = encode_rows(
        "c DateTime('Asia/Tokyo')", [(dt.date(1970, 1, 2),)], naive="column", implementation=impl
    )
    assert body == le(86400 - 9 * 3600, 4)


def test_an_unknown_zone_is_an_error_only_where_it_matters(impl: str) -> None:
    columns = [("c", "DateTime('No/Where')")]
    assert encode_rows(columns, [(NAIVE,)], implementation=impl) == le(NAIVE_S, 4)
    with pytest.raises(EncodeError, match="time zone 'No/Where' is not known here"):
        encode_rows(columns, [(NAIVE,)], naive="column", implementation=impl)


# --- enums of Python ------------------------------------------------------------------------------


class Weekday(enum.Enum):
    MON = "Monday"
    TUE = 2
    WED = ("x",)


def test_enum_members_mean_value_then_name(impl: str) -> None:
    column = [("c", "Enum8('Monday' = 1, 'TUE' = 3, 'WED' = 4)")]
    expected = {Weekday.MON: b"\1", Weekday.TUE: b"\3", Weekday.WED: b"\4"}
    for member, body in expected.items():
        assert encode_rows(column, [(member,)], implementation=impl) == body
