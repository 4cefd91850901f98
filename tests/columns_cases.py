"""What the tests of encode_columns share: kinds of Arrow arrays with values, types, the comparison."""

from __future__ import annotations

import datetime as dt
import decimal
import zoneinfo
from collections.abc import Callable
from typing import Any

import pytest
from conftest import described, implementations

import rowbinary

WAYS = implementations()
ROW_FORMATS = ["RowBinary", "RowBinaryWithNamesAndTypes", "RowBinaryWithDefaults"]
FORMATS = [*ROW_FORMATS, "Native"]

D, UTC = decimal.Decimal, dt.UTC
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
UUID_BYTES = bytes(range(16))


def made(table: Any) -> Any:
    """A table, or what a function makes: streams and generators can be read once."""
    return table() if callable(table) else table


def outcome(encode: Callable[[], Any]) -> Any:
    """Bytes or chunks, or everything that can be seen of an error."""
    try:
        return encode()
    except Exception as error:
        return described(error)


def ways(schema: Any, table: Any, **choices: Any) -> list[Any]:
    """What the implementations make of a table."""
    if "implementation" in choices:
        return [outcome(lambda: rowbinary.encode_columns(schema, made(table), **choices))]
    return [ways(schema, table, implementation=way, **choices)[0] for way in WAYS]


def same(schema: Any, table: Any, rows: list[Any] | None = None, **choices: Any) -> Any:
    """The outcome, which is that of all implementations and, where rows are given, of `rows`."""
    found = ways(schema, table, **choices)
    choices = {name: choice for name, choice in choices.items() if name not in ("extra", "implementation")}
    if rows is not None:
        found.insert(0, outcome(lambda: rowbinary.encode_rows(schema, rows, **choices)))
    for other in found[1:]:
        assert other == found[0]
    return found[0]


def good(schema: Any, table: Any, rows: list[Any], formats: list[str] = FORMATS, **choices: Any) -> None:
    """The bytes of `rows` in every format."""
    for form in formats:
        body = same(schema, table, rows, format=form, **choices)
        assert isinstance(body, bytes), body


def one(type_: str, column: Any, values: list[Any], formats: list[str] = FORMATS, **choices: Any) -> None:
    """A table of one column."""
    column_schema = [("c", type_)]
    good(column_schema, {"c": column}, [(value,) for value in values], formats, **choices)


def refused(schema: Any, table: Any, match: str | None = None, **choices: Any) -> rowbinary.EncodeError:
    """The error, which is the same in all formats and implementations."""
    errors = {}
    for form in FORMATS:
        for way in WAYS:
            with pytest.raises(rowbinary.EncodeError, match=match) as caught:
                rowbinary.encode_columns(schema, made(table), implementation=way, format=form, **choices)  # type: ignore[arg-type]
            errors[described(caught.value)] = caught.value
    assert len(errors) == 1, errors
    return next(iter(errors.values()))


# --- the types ----------------------------------------------------------------------------------------

ENUM8 = "Enum8('a' = -128, 'b' = 1, 'é' = 127)"
ENUM16 = "Enum16('a' = 0, 'xyz' = 300)"
TYPES = [
    *(f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64, 128, 256)),
    *("Bool", "Float32", "Float64", "BFloat16"),
    *("Decimal(9, 2)", "Decimal(18, 0)", "Decimal(38, 10)", "Decimal(38, 38)", "Decimal(76, 20)"),
    *("String", "FixedString(3)", "FixedString(16)", "UUID", "IPv4", "IPv6", ENUM8, ENUM16),
    *("Date", "Date32", "DateTime", "DateTime('Asia/Tokyo')"),
    *("DateTime64(0)", "DateTime64(3)", "DateTime64(6, 'Asia/Tokyo')", "DateTime64(9)"),
    *("Time", "Time64(3)", "Time64(9)"),
    *("IntervalNanosecond", "IntervalMillisecond", "IntervalSecond", "IntervalWeek", "IntervalMonth"),
    *("LowCardinality(String)", "LowCardinality(FixedString(3))", "LowCardinality(UInt16)"),
    *("Dynamic", "JSON", "Variant(Float64, Int64, String)"),
]


def nullable(type_: str) -> str | None:
    """The type with NULL, if there is one."""
    if type_.startswith("LowCardinality("):
        return f"LowCardinality(Nullable({type_[15:-1]}))"
    return None if type_.startswith(("Dynamic", "JSON", "Variant")) else f"Nullable({type_})"


# --- the kinds of Arrow arrays, by the name of the type in pyarrow ----------------------------------------


def _integers(bits: int, signed: bool) -> list[Any]:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    near = [0, 1, -1, 2, 100, 127, 128, 255, 256, 300, 65_535, 65_536, 2**31, 2**53 + 1, 2**63 - 1, 2**63]
    return [n for n in dict.fromkeys([*near, low, low + 1, high]) if low <= n <= high]


_TEXTS = [
    "",
    "a",
    "é",
    "xyz",
    "x" * 12,
    "x" * 13,
    "y" * 128,
    "2020-02-29",
    "1.2.3.4",
    "::1",
    "12",
    '{"a": [1]}',
]
_TEXTS += ["00010203-0405-0607-0809-0a0b0c0d0e0f", "10:00:00", "2020-02-29 10:00:00", "-7", "nan", "\0"]
_BYTES = [b"", b"a", b"xyz", UUID_BYTES, b"\xff\0", b"z" * 13, b"y" * 200]
_REALS = [0.0, -0.0, 1.0, -1.0, 0.5, 255.0, 256.0, -128.0, 65_504.0, float("inf"), float("nan")]
_DOUBLES = [*_REALS, 1e300, 2.0**53, 2.0**63, -(2.0**63), 2.0**64, 1e38, 3.5e38, 5e-324, 1 / 3]
_DAYS = [
    dt.date(1970, 1, 1),
    dt.date(1, 1, 1),
    dt.date(9999, 12, 31),
    dt.date(2149, 6, 6),
    dt.date(2149, 6, 7),
]
_DAYS += [dt.date(1969, 12, 31), dt.date(2020, 2, 29)]
_MOMENTS = [dt.datetime(1970, 1, 1), dt.datetime(2106, 2, 7, 6, 28, 15), dt.datetime(2106, 2, 7, 6, 28, 16)]
_MOMENTS += [
    dt.datetime(1969, 12, 31, 23, 59, 59),
    dt.datetime(2020, 3, 29, 1, 30),
    dt.datetime(2020, 1, 1, 23),
]
_FAR = [dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30, 23, 59, 59)]
_FINE = [dt.datetime(2020, 1, 1, 0, 0, 0, 123_456), dt.datetime(1969, 12, 31, 23, 59, 59, 999_999)]
_CLOCKS = [dt.time(), dt.time(23, 59, 59), dt.time(1, 2, 3)]
_LENGTHS = [dt.timedelta(), dt.timedelta(days=7), dt.timedelta(days=-7), dt.timedelta(seconds=1)]
_LENGTHS += [
    dt.timedelta(hours=999, minutes=59, seconds=59),
    dt.timedelta(hours=-1000),
    dt.timedelta(hours=1000),
]
_FINE_LENGTHS = [*_LENGTHS, dt.timedelta(microseconds=1), dt.timedelta(microseconds=-1500)]


def _aware(values: list[Any], zone: dt.tzinfo) -> list[Any]:
    return [value.replace(tzinfo=UTC).astimezone(zone) for value in values]


def _decimals(scale: int, *texts: str) -> list[Any]:
    return [D(text).quantize(D(1).scaleb(-scale), context=decimal.Context(prec=50)) for text in texts]


def kinds() -> dict[str, tuple[Any, list[Any]]]:
    """Name, Arrow type and values, which are what they are as Python values."""
    pa: Any = pytest.importorskip("pyarrow")
    found: dict[str, tuple[Any, list[Any]]] = {
        f"{'' if signed else 'u'}int{bits}": (
            getattr(pa, f"{'' if signed else 'u'}int{bits}")(),
            _integers(bits, signed),
        )
        for signed in (True, False)
        for bits in (8, 16, 32, 64)
    }
    found |= {
        "bool": (pa.bool_(), [True, False, True]),
        "null": (pa.null(), []),
        "float16": (pa.float16(), _REALS),
        "float32": (pa.float32(), [*_REALS, 1e10, 2.0**63, 2.0**100]),
        "float64": (pa.float64(), _DOUBLES),
        "decimal128(9, 2)": (pa.decimal128(9, 2), _decimals(2, "0", "1.25", "-9999999.99", "1")),
        "decimal128(38, 0)": (pa.decimal128(38, 0), [D(0), D(10**38 - 1), D(1 - 10**38), D(7), D(10**19)]),
        "decimal128(38, 20)": (pa.decimal128(38, 20), _decimals(20, "0", "1", "-1e-20", "12345678901234.5")),
        "decimal128(5, -3)": (pa.decimal128(5, -3), _decimals(-3, "12e3", "-1e3", "99999e3")),
        "decimal256(50, 3)": (pa.decimal256(50, 3), _decimals(3, "1", "-2.5", "9e40")),
        "date32": (pa.date32(), _DAYS),
        "date64": (pa.date64(), _DAYS),
        "time32[s]": (pa.time32("s"), _CLOCKS),
        "time32[ms]": (pa.time32("ms"), [*_CLOCKS, dt.time(1, 2, 3, 4000)]),
        "time64[us]": (pa.time64("us"), [*_CLOCKS, dt.time(1, 2, 3, 4)]),
        "time64[ns]": (pa.time64("ns"), [*_CLOCKS, dt.time(1, 2, 3, 4)]),
        "timestamp[s]": (pa.timestamp("s"), _MOMENTS + _FAR),
        "timestamp[ms]": (pa.timestamp("ms"), _MOMENTS + _FAR),
        "timestamp[us]": (pa.timestamp("us"), _MOMENTS + _FAR + _FINE),
        "timestamp[ns]": (pa.timestamp("ns"), _MOMENTS + _FINE),
        "timestamp[us, UTC]": (pa.timestamp("us", "UTC"), _aware(_MOMENTS + _FAR + _FINE, UTC)),
        "timestamp[ms, Berlin]": (pa.timestamp("ms", "Europe/Berlin"), _aware(_MOMENTS, BERLIN)),
        "timestamp[ns, +05:30]": (
            pa.timestamp("ns", "+05:30"),
            _aware(_MOMENTS + _FINE, dt.timezone(dt.timedelta(hours=5, minutes=30))),
        ),
        "duration[s]": (pa.duration("s"), _LENGTHS),
        "duration[ms]": (pa.duration("ms"), [*_LENGTHS, dt.timedelta(milliseconds=-1)]),
        "duration[us]": (pa.duration("us"), _FINE_LENGTHS),
        "duration[ns]": (pa.duration("ns"), _FINE_LENGTHS),
    }
    if hasattr(pa, "decimal32"):
        found["decimal32(7, 3)"] = (pa.decimal32(7, 3), _decimals(3, "1.5", "-9999.999", "3"))
        found["decimal64(18, 0)"] = (pa.decimal64(18, 0), [D(10**18 - 1), D(-5), D(0)])
    for name, values in (("string", _TEXTS), ("binary", _BYTES)):
        found[name] = (getattr(pa, name)(), values)
        found[f"large_{name}"] = (getattr(pa, f"large_{name}")(), values)
        found[f"{name}_view"] = (getattr(pa, f"{name}_view")(), values)
    found["binary(3)"] = (pa.binary(3), [b"abc", b"\0\0\0", b"\xff\xfe\xfd"])
    found["binary(16)"] = (pa.binary(16), [UUID_BYTES, bytes(16), b"\xff" * 16])
    for name, index, inner in (
        ("coded string", pa.int8(), "string"),
        ("coded large_string", pa.uint32(), "large_string"),
        ("coded int64", pa.uint16(), "int64"),
        ("coded binary(3)", pa.int64(), "binary(3)"),
        ("coded timestamp[us]", pa.int32(), "timestamp[us]"),
        ("coded decimal128(9, 2)", pa.uint64(), "decimal128(9, 2)"),
    ):
        found[name] = (pa.dictionary(index, found[inner][0]), found[inner][1])
    return found


def arrow(kind: Any, values: list[Any], before: int = 0) -> Any:
    """An array whose values begin `before` places behind the start of its memory."""
    pa: Any = pytest.importorskip("pyarrow")
    if pa.types.is_dictionary(kind):  # the last value is in the dictionary for nobody
        plain = arrow(kind.value_type, [*dict.fromkeys(v for v in values if v is not None), *values[:1]])
        places = {repr(value): place for place, value in enumerate(plain.to_pylist()[: len(plain)])}
        wanted = arrow(kind.value_type, values).to_pylist()
        indices = [None if value is None else places[repr(value)] for value in wanted]
        codes = arrow(kind.index_type, indices, before)
        return pa.DictionaryArray.from_arrays(codes, plain)
    around = values[:1] or [None]
    array = pa.array([*around * before, *values, *around * 2], kind)
    return array.slice(before, len(values))
