"""Hypothesis strategies: type texts, values that fit a type, and values that mostly do not."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import functools
import ipaddress
import uuid
import zoneinfo
from collections.abc import Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st

import rowbinary
from rowbinary import _types as t
from rowbinary import typed
from rowbinary._options import FORMATS

UTC = dt.UTC
ZONES = [UTC, dt.timezone(dt.timedelta(hours=-5, minutes=-30)), zoneinfo.ZoneInfo("Europe/Berlin")]

# --- types --------------------------------------------------------------------------------------

_INTEGERS = [f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64, 128, 256)]
_FLOATS = ["Float32", "Float64", "BFloat16"]
_DATES = ["Date", "Date32", "DateTime", "DateTime('Europe/Berlin')", "Time"]
_TEXTS = ["String", "FixedString(1)", "FixedString(7)"]
_OTHERS = ["Bool", "UUID", "IPv4", "IPv6", "IntervalDay", "IntervalNanosecond", "IntervalMonth"]
_ENUMS = ["Enum8('a' = -128, 'b' = 1, 'é' = 127)", "Enum16('x' = -32768, '' = 0, 'y' = 300)"]
_GEO = ["Point", "Ring", "LineString", "MultiPoint", "Polygon", "MultiLineString", "MultiPolygon"]
_JSON = [
    "JSON",
    "JSON(max_dynamic_types=4, max_dynamic_paths=2)",
    "JSON(a Int64, `b.c` String, d Nullable(Date), SKIP e, SKIP REGEXP 'x$')",
    "JSON(a Array(UInt8), b Dynamic, c JSON(d Int8), e Variant(Bool, String))",
    "JSON(max_dynamic_paths=0, SKIP `a.b`)",
]

decimals = st.tuples(st.integers(1, 76), st.integers(0, 76)).map(
    lambda pair: f"Decimal({max(pair)}, {min(pair)})"
)
scalar_types = st.one_of(
    st.sampled_from(_INTEGERS),
    st.sampled_from([*_FLOATS, *_DATES, *_TEXTS, *_OTHERS, *_ENUMS]),
    decimals,
    st.integers(0, 9).map(lambda scale: f"DateTime64({scale})"),
    st.integers(0, 9).map(lambda scale: f"DateTime64({scale}, 'Asia/Tokyo')"),
    st.integers(0, 9).map(lambda scale: f"Time64({scale})"),
)
low_cardinality = st.sampled_from(
    ["String", "Nullable(String)", "FixedString(7)", "UInt16", "Nullable(Int64)", "Date"]
).map(lambda inner: f"LowCardinality({inner})")
_qbit = st.tuples(st.sampled_from(_FLOATS), st.integers(1, 5)).map(lambda a: f"QBit({a[0]}, {a[1]})")
_map_keys = st.one_of(
    st.sampled_from(["String", "UInt8", "Int128", "Date", "UUID", "LowCardinality(String)"])
)

leaf_types = st.one_of(
    scalar_types,
    scalar_types,
    scalar_types.map(lambda inner: f"Nullable({inner})"),
    low_cardinality,
    st.just("Dynamic"),
    st.sampled_from(_JSON),
    st.sampled_from([*_GEO, "Geometry", "SimpleAggregateFunction(max, Int32)", "Dynamic(max_types=3)"]),
    _qbit,
)


def _named(pairs: list[str]) -> str:
    return ", ".join(f"{name} {inner}" for name, inner in zip("abcdef", pairs, strict=False))


def containers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    few = st.lists(inner, min_size=1, max_size=3)
    members = st.lists(st.one_of(scalar_types, inner.map(lambda i: f"Array({i})")), min_size=1, max_size=4)
    return st.one_of(
        inner.map(lambda i: f"Array({i})"),
        few.map(lambda types: f"Tuple({', '.join(types)})"),
        few.map(lambda types: f"Tuple({_named(types)})"),
        few.map(lambda types: f"Nested({_named(types)})"),
        st.tuples(_map_keys, inner).map(lambda pair: f"Map({pair[0]}, {pair[1]})"),
        members.map(lambda types: f"Variant({', '.join(types)})"),
    )


type_texts = st.recursive(leaf_types, containers, max_leaves=4)


@st.composite
def schemas(
    draw: st.DrawFn, types: st.SearchStrategy[str] = type_texts, most: int = 4
) -> list[tuple[str, str]]:
    """One to `most` columns named c0, c1, ..."""
    texts = draw(st.lists(types, min_size=1, max_size=most))
    return [(f"c{index}", text) for index, text in enumerate(texts)]


# --- values that fit ----------------------------------------------------------------------------

text = st.text(max_size=12)
long_text = st.one_of(text, st.sampled_from(["x" * 127, "y" * 128, "é" * 64, "\U0001f600" * 40, "\0"]))
bits64 = st.one_of(
    st.integers(-(2**63), 2**64 - 1), st.sampled_from([0, 2**31, 2**53, 2**53 + 1, 2**63, -(2**63)])
)
finite = st.floats(allow_nan=False, allow_infinity=False)
aware = st.datetimes(dt.datetime(1970, 1, 2), dt.datetime(2106, 2, 6), timezones=st.sampled_from(ZONES))
keys = st.one_of(
    st.sampled_from(["a", "b", "c", "d", "e", "a.b", "b.c", "x", "", ".", "é"]), st.text(max_size=4)
)


def _integers(bits: int, signed: bool) -> st.SearchStrategy[Any]:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    near = [n for n in (low, low + 1, -1, 0, 1, high - 1, high) if low <= n <= high]
    return st.one_of(st.sampled_from(near), st.integers(low, high))


def _single(value: float) -> float:
    return float(np.float32(value))


_SIMPLE: dict[str, st.SearchStrategy[Any]] = {
    "Bool": st.booleans(),
    "Float64": st.floats(),
    "Float32": st.floats(width=32),
    "BFloat16": st.floats(width=16).map(lambda x: x if x != x else float(np.float32(x))),
    "String": st.one_of(long_text, st.binary(max_size=20)),
    "Date": st.dates(dt.date(1970, 1, 1), dt.date(2149, 6, 6)),
    "Date32": st.dates(dt.date(1900, 1, 1), dt.date(2299, 12, 31)),
    "DateTime": aware,
    "Time": st.timedeltas(dt.timedelta(hours=-999), dt.timedelta(hours=999)),
    "UUID": st.uuids(),
    "IPv4": st.ip_addresses(v=4),
    "IPv6": st.one_of(st.ip_addresses(v=6), st.ip_addresses(v=4)),
    "Nothing": st.none(),
}


def values_of(type_: t.Type | str, agreed: bool = False) -> st.SearchStrategy[Any]:
    """Values that a column of `type_` takes, each with one meaning only.

    `agreed`: what clickhouse-connect stores as we do.  In one example all values of a named Tuple are
    tuples, or all are dicts; no array in a document is without a value.
    """
    if isinstance(type_, str):
        type_ = rowbinary.parse_type(type_)
    simple = _SIMPLE.get(type_.family)
    if simple is not None:
        return simple
    if type_.family.startswith("Interval"):
        return _integers(64, True)
    if type_.family.startswith(("Int", "UInt")):
        return _integers(int(type_.family.strip("UInt")), type_.family.startswith("Int"))
    match type_:
        case t.FixedString():
            return st.binary(min_size=type_.length, max_size=type_.length)
        case t.Decimal():
            limit = 10**type_.precision - 1
            return st.integers(-limit, limit).map(lambda n: decimal.Decimal(n).scaleb(-type_.scale, _WIDE))
        case t.DateTime64():
            return st.one_of(aware, st.integers(-(2**53), 2**53))
        case t.Time64():
            limit = 3_600_000 * 10**type_.scale - 1
            return st.one_of(_SIMPLE["Time"], st.integers(-limit, limit))
        case t.Enum():
            return st.sampled_from([label for label, _ in type_.labels])
    return _container_values(type_, agreed)


_WIDE = decimal.Context(prec=100)


def _container_values(type_: t.Type, agreed: bool) -> st.SearchStrategy[Any]:
    of = functools.partial(values_of, agreed=agreed)
    match type_:
        case t.Wrapper(family="Array"):
            return st.lists(of(type_.inner), max_size=4)
        case t.Wrapper(family="Nullable"):
            return st.one_of(st.none(), of(type_.inner))
        case t.Wrapper():
            return of(type_.inner)
        case t.Map():
            return st.dictionaries(of(type_.key), of(type_.value), max_size=3)
        case t.Tuple(family="Nested"):
            return st.lists(st.tuples(*map(of, type_.elements)), max_size=3)
        case t.Tuple() if type_.names is not None:
            cells = dict(zip(type_.names, map(of, type_.elements), strict=True))
            forms = [st.fixed_dictionaries(cells), st.tuples(*cells.values())]
            if agreed:
                return st.shared(st.integers(0, 1), key=type_.text).flatmap(forms.__getitem__)
            return st.one_of(forms)
        case t.Tuple():
            return st.tuples(*map(of, type_.elements))
        case t.Variant():
            return st.one_of(st.none(), *(_forced(member, agreed) for member in type_.members))
        case t.Alias(structure=t.Variant() as structure):
            return of(structure)
        case t.Alias():
            return of(type_.structure)
        case t.Dynamic():
            return dynamic_values
        case t.JSON():
            return documents(type_).map(filled) if agreed else documents(type_)
        case t.QBit():
            return st.lists(of(type_.element), min_size=type_.length, max_size=type_.length)
        case t.Aggregate():
            return of(type_.arguments[-1])
    raise AssertionError(f"no strategy for {type_}")


def _forced(type_: t.Type, agreed: bool = False) -> st.SearchStrategy[Any]:
    return values_of(type_, agreed).map(lambda value: typed(value, type_))


natural_scalars = st.one_of(
    st.booleans(),
    bits64,
    st.integers(-(2**255), 2**255 - 1),
    st.floats(),
    long_text,
    aware,
    st.dates(),
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9),
    st.uuids(),
    st.ip_addresses(),
    st.sampled_from(["2020-01-01", "2020-01-01 10:00:00", "1900-01-01", "12", "true", "26-1-1"]),
)
# Mixed sequences are the point: what T is their Array(T)?
natural_values = st.recursive(
    st.one_of(st.none(), natural_scalars),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(st.one_of(bits64, st.none()), max_size=4),
        st.lists(st.one_of(st.floats(), bits64), max_size=4),
        st.dictionaries(keys, inner, max_size=4),
        st.lists(st.dictionaries(keys, inner, max_size=3), max_size=3),
    ),
    max_leaves=8,
)
_forced_values = st.sampled_from(
    ["Int8", "Array(UInt16)", "Map(String, UInt8)", "Tuple(a Int8, b String)", "LowCardinality(String)"]
).flatmap(lambda text_: _forced(rowbinary.parse_type(text_)))
dynamic_values = st.one_of(natural_values, _forced_values)


def documents(type_: t.Type | str) -> st.SearchStrategy[dict[str, Any]]:
    """Documents in which declared paths mostly have values of their type."""
    if isinstance(type_, str):
        type_ = rowbinary.parse_type(type_)
    assert isinstance(type_, t.JSON)
    flat = {path: values_of(inner) for path, inner in type_.typed}
    free = st.dictionaries(keys.filter(lambda key: not _touches(key, flat)), natural_values, max_size=5)
    if not flat:
        return free
    declared = st.fixed_dictionaries({}, optional=flat)
    return st.tuples(declared, free).map(lambda pair: {**pair[0], **pair[1]})


def filled(value: Any) -> Any:
    """`value` with something in each array.

    What type an array without a value has depends on the rows before, when the server reads JSON text.
    """
    if isinstance(value, Mapping):
        return {key: filled(item) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    items = [filled(item) for item in value]
    return items if any(item is not None for item in items) else [*items, 0]


def _touches(key: str, paths: dict[str, Any]) -> bool:
    first = key.split(".")[0]
    return any(path.split(".")[0] == first for path in paths)


# --- values that mostly do not fit ------------------------------------------------------------------


class Color(enum.Enum):
    a = 1
    b = "b"
    x = 300


class Level(enum.IntEnum):
    low = 1
    high = 127


class Label(str, enum.Enum):  # noqa: UP042 (a StrEnum is another class)
    a = "a"
    z = "nothing"


class Text(str):
    """A str that lies about itself."""

    def __str__(self) -> str:
        return "lie"

    def __len__(self) -> int:
        return 3

    def encode(self, *args: Any, **kwargs: Any) -> bytes:
        return b"lie"


class Number(int):
    def __index__(self) -> int:
        return 5

    def __int__(self) -> int:
        return 6

    def __float__(self) -> float:
        return 7.5


class Real(float):
    def __float__(self) -> float:
        return 9.5

    def is_integer(self) -> bool:
        return True


class Items(list[Any]):
    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Any:
        return iter([9, 9])


class Pair(tuple[Any, ...]):
    __slots__ = ()

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: Any) -> Any:
        return 9


class Mapped(dict[Any, Any]):
    def __missing__(self, key: Any) -> Any:
        return 1


class Indexed:
    def __index__(self) -> int:
        return 3


@dataclasses.dataclass
class Record:
    a: Any = 1
    b: Any = "x"


ODD: list[Any] = [
    None, True, False, 0, 1, -1, 127, 128, -128, -129, 255, 256, 2**31, 2**32, 2**53 + 1, 2**63, -(2**63),
    -(2**63) - 1,
    2**64 - 1, 2**64, 2**127, -(2**127), 2**128, 2**255, 2**256, 10**300, -(10**300), 10**4000,
    0.0, -0.0, 1.0, 1.5, 1e300, 3.5e38, 1e-320, float("nan"), float("inf"), float("-inf"), 2.0**63,
    "", "a", "b", "0", "1", "-5", "+7", "1_0", " 1", "1.5", "1e3", "nan", "true", "é", "\0", "\ud800",
    "x" * 300,
    "2020-01-01", "2020-02-30", "2020-01-01T10:00:00Z", "2020-01-01 10:00:00.123456789+02:00", "12:34:56",
    "-1:00:00",
    "00112233-4455-6677-8899-aabbccddeeff", "1.2.3.4", "::1", "fe80::1%eth0", '{"a": 1}', '{"a": NaN}', "{",
    b"", b"a", b"\xff", b"1234567", b"\xff" * 16, b'{"a": [1, "x"]}', bytearray(b"ba"), memoryview(b"mv"),
    decimal.Decimal("1.25"), decimal.Decimal("-0.00"), decimal.Decimal("1E+5"), decimal.Decimal("NaN"),
    decimal.Decimal("Infinity"), decimal.Decimal(10) ** 80, decimal.Decimal("1e-30"),
    decimal.Decimal("1e999999"),
    fractions.Fraction(1, 3), fractions.Fraction(10**17 + 1), 1j,
    dt.date(1, 1, 1), dt.date(9999, 12, 31), dt.date(2020, 1, 1), dt.datetime(2020, 1, 1), dt.datetime.min,
    dt.datetime.max,
    dt.datetime(2020, 1, 1, 1, 2, 3, 4, UTC), dt.datetime(2020, 10, 25, 2, 30, tzinfo=ZONES[2], fold=1),
    dt.datetime(1, 1, 1, tzinfo=ZONES[2]), dt.datetime(9999, 12, 31, 23, 59, tzinfo=ZONES[1]),
    dt.time(1, 2, 3), dt.time(1, 2, tzinfo=UTC), dt.timedelta(days=-1, microseconds=1),
    dt.timedelta(days=50), dt.timedelta.max,
    uuid.UUID(int=2**128 - 1), ipaddress.ip_address("1.2.3.4"), ipaddress.ip_address("::ffff:1.2.3.4"),
    ipaddress.IPv6Address("fe80::1%eth0"),
    [], [1], [None], [1, "a"], [[1], ["a"]], [1.5, 2**60], [True, 1], (), (1, 2), ("a", 1), {}, {"a": 1},
    {1: 2}, {"a": {"b": 1}, "a.b": 2},
    {"a": None, "b": [{}]}, {"\ud800": 1}, {"a": object}, set(), {1}, frozenset({1}), range(3), iter([1]),
    object(), int, len, ...,
    Color.a, Color.b, Level.low, Level.high, Label.a, Label.z, Text("abc"), Text("a"), Number(8), Real(2.5),
    Items([1, 2, 3]),
    Pair((1, 2)), Mapped(a=1), Indexed(), Record(), Record,
    np.int8(-1), np.uint64(2**64 - 1), np.float32(1.5), np.float64("nan"), np.float16(2), np.bool_(True),
    np.str_("np"), np.bytes_(b"np"),
    np.longdouble(1), np.datetime64("2020-01-01"), np.datetime64("2020-01-01T01:02:03.123456789"),
    np.datetime64("NaT"),
    np.timedelta64(5, "s"), np.array([1, 2, 3]), np.array([1.5]), np.array(["a"]), np.array([[1], [2]]),
    np.array(5),
    np.array(["2020-01-01"], "M8[D]"), np.array([None, 1]),
    typed(1, "UInt8"), typed(None, "Nullable(Int8)"), typed(300, "UInt8"), typed("a", "String"),
    typed([1], "Array(UInt8)"),
    typed(typed(1, "Int8"), "Int8"), typed({"a": 1}, "JSON"), typed((1.0, 2.0), "Point"),
    typed(None, "Nothing"), typed(None, "Int64"),
    typed(typed(1, "Int8"), "Variant(Int8, String)"), typed(5, "Dynamic"), rowbinary.DEFAULT,
]  # fmt: skip

odd_values = st.recursive(
    st.sampled_from(range(len(ODD))).map(lambda index: ODD[index]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(keys, inner, max_size=3),
    ),
    max_leaves=4,
)


@st.composite
def cells(draw: st.DrawFn, type_text: str) -> Any:
    """A cell of `type_text`: mostly one that fits, sometimes anything."""
    if draw(st.integers(0, 9)) < 6:
        return draw(values_of(type_text))
    return draw(odd_values)


# --- options and rows ---------------------------------------------------------------------------

options = st.fixed_dictionaries(
    {},
    optional={
        "format": st.sampled_from(FORMATS),
        "json": st.sampled_from(["exact", "text", "string"]),
        "naive": st.sampled_from(["utc", "column", "local"]),
        "missing": st.sampled_from(["error", "zero"]),
        "extra": st.sampled_from(["error", "ignore"]),
        "duplicate_paths": st.sampled_from(["first", "last", "error"]),
    },
)


@st.composite
def shaped_rows(draw: st.DrawFn, names: list[str], values: tuple[Any, ...]) -> Any:
    """`values` as a row of any shape, sometimes with a cell too few or too many."""
    shape = draw(
        st.sampled_from(
            ["tuple", "tuple", "list", "dict", "dict", "reversed", "short", "long", "less", "more"]
        )
    )
    pairs = dict(zip(names, values, strict=True))
    match shape:
        case "tuple":
            return values
        case "list":
            return list(values)
        case "reversed":
            return dict(reversed(pairs.items()))
        case "short":
            return values[:-1]
        case "long":
            return [*values, 1]
        case "less":
            return dict(list(pairs.items())[1:])
        case "more":
            return {**pairs, "unknown": 1}
    return pairs
