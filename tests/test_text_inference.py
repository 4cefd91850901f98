"""Text mode types: the same as the engine stores when a row is inserted as JSON text on its own.

The engine's answer is read back as RowBinary and turned into (type text, value) trees by the small decoder
below, which shares nothing with the library; so are the library's results.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import enum
import ipaddress
import json
import random
import struct
import sys
import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any

import pytest
from conftest import load, times

from rowbinary import _types as t
from rowbinary import typed
from rowbinary._badvalue import BadValue, format_path
from rowbinary._parse import parse_type
from rowbinary._text import MAX_DEPTH, coerce, json_leaf, retype_array, retype_string
from rowbinary._text_coerce import build, default
from rowbinary._text_scalars import Conversion
from rowbinary._typed import Typed

UTC = dt.UTC
Tree = Any  # (type text, value), None, or containers of such


# -- the engine's bytes as trees ----------------------------------------------------------------------


class Reader:
    """RowBinary of the types that text can give."""

    def __init__(self, data: bytes):
        self.data, self.position = data, 0

    def take(self, count: int) -> bytes:
        chunk = self.data[self.position : self.position + count]
        assert len(chunk) == count
        self.position += count
        return chunk

    def number(self, size: int, signed: bool = True) -> int:
        return int.from_bytes(self.take(size), "little", signed=signed)

    def varint(self) -> int:
        result = shift = 0
        while True:
            byte = self.number(1, False)
            result |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return result

    def text(self) -> str:
        return self.take(self.varint()).decode()

    def type(self) -> t.Type:
        tag = self.number(1, False)
        plain = {0x00: "Nothing", 0x04: "UInt64", 0x0A: "Int64", 0x0E: "Float64", 0x0F: "Date"}
        plain |= {0x11: "DateTime", 0x15: "String", 0x2D: "Bool"}
        if tag in plain:
            return t.Type(plain[tag])
        if tag == 0x13:
            return t.DateTime64("DateTime64", self.number(1, False))
        if tag in (0x1E, 0x23):
            return t.Wrapper("Array" if tag == 0x1E else "Nullable", self.type())
        if tag == 0x2B:
            return t.Dynamic("Dynamic", self.number(1, False))
        assert (tag, self.take(1)) == (0x30, b"\0")
        type_ = t.JSON("JSON", self.varint(), self.number(1, False))
        assert self.take(3) == b"\0\0\0"
        return type_

    def dynamic(self) -> Tree:
        type_ = self.type()
        return None if type_.family == "Nothing" else (type_.text, self.value(type_))

    def value(self, type_: t.Type) -> Tree:
        family = type_.family
        if isinstance(type_, t.Wrapper) and family == "Nullable":
            return None if self.number(1) else self.value(type_.inner)
        if isinstance(type_, t.Wrapper):
            if family == "LowCardinality":
                return self.value(type_.inner)
            return [self.value(type_.inner) for _ in range(self.varint())]
        if isinstance(type_, t.Alias | t.Aggregate):
            return self.value(type_.structure if isinstance(type_, t.Alias) else type_.arguments[0])
        if isinstance(type_, t.Tuple):
            return tuple(self.value(element) for element in type_.elements)
        if isinstance(type_, t.Map):
            return {self.value(type_.key): self.value(type_.value) for _ in range(self.varint())}
        if isinstance(type_, t.Variant):
            index = self.number(1, False)
            return None if index == 255 else (type_.members[index].text, self.value(type_.members[index]))
        if isinstance(type_, t.Dynamic):
            return self.dynamic()
        if isinstance(type_, t.JSON):
            known = dict(type_.typed)
            paths = (self.text() for _ in range(self.varint()))
            return {path: self.value(known[path]) if path in known else self.dynamic() for path in paths}
        return self.scalar(type_)

    def scalar(self, type_: t.Type) -> Tree:
        family = type_.family
        if isinstance(type_, t.Enum):
            return {number: label for label, number in type_.labels}[self.number(1 + (family == "Enum16"))]
        if isinstance(type_, t.Decimal):
            return self.number(
                next(size for p, size in ((9, 4), (18, 8), (38, 16), (76, 32)) if type_.precision <= p)
            )
        if isinstance(type_, t.FixedString):
            return self.take(type_.length)
        if family == "String":
            return self.text()
        if family == "Bool":
            return bool(self.number(1))
        if family in ("Float32", "Float64"):
            size, code = (4, "<f") if family == "Float32" else (8, "<d")
            return repr(struct.unpack(code, self.take(size))[0])
        if family == "UUID":
            data = self.take(16)
            return uuid.UUID(bytes=data[7::-1] + data[:7:-1])
        if family == "IPv4":
            return ipaddress.IPv4Address(self.number(4, False))
        if family == "IPv6":
            return ipaddress.IPv6Address(self.take(16))
        if family.startswith(("UInt", "Int")):
            return self.number(int(family.lstrip("UInt")) // 8, family[0] == "I")
        sizes = {"Date": 2, "Date32": 4, "DateTime": 4, "DateTime64": 8, "Time": 4, "Time64": 8}
        return self.number(sizes[family], family not in ("Date", "DateTime"))


def tree(value: Any, type_: t.Type) -> Tree:
    """A value of the library as the same tree."""
    if isinstance(type_, t.Wrapper):
        if type_.family == "Array":
            return [tree(item, type_.inner) for item in value]
        return None if value is None else tree(value, type_.inner)
    if isinstance(type_, t.Alias | t.Aggregate):
        return tree(value, type_.structure if isinstance(type_, t.Alias) else type_.arguments[0])
    if isinstance(type_, t.Tuple):
        return tuple(tree(item, element) for item, element in zip(value, type_.elements, strict=True))
    if isinstance(type_, t.Map):
        return {tree(key, type_.key): tree(item, type_.value) for key, item in value.items()}
    if isinstance(type_, t.Dynamic | t.Variant):
        return leaf(value)
    if isinstance(type_, t.JSON):
        known = dict(type_.typed)
        absent = {path: tree(default(inner), inner) for path, inner in known.items()}
        return absent | {p: tree(v, known[p]) if p in known else leaf(v) for p, v in value.items()}
    if isinstance(type_, t.Decimal):
        return int(value.scaleb(type_.scale, decimal.Context(prec=100)))
    return repr(value) if type_.family in ("Float32", "Float64") else value


def leaf(value: Any) -> Tree:
    """A value in a Dynamic or at an untyped path, as exact mode types it."""
    if value is None:
        return None
    if isinstance(value, Typed):
        return value.type.text, tree(value.value, value.type)
    natural = {bool: "Bool", float: "Float64", str: "String"}
    name = natural.get(type(value)) or ("UInt64" if value >= 2**63 else "Int64")
    return name, tree(value, t.Type(name))


# -- asking the engine --------------------------------------------------------------------------------


class EngineRefusedError(Exception):
    pass


def insert(engine: Any, rows: list[dict[str, Any]], table: str = "text_inference") -> None:
    """One JSONEachRow insert."""
    stream = engine.send_insert(f"INSERT INTO {table}", "JSONEachRow")
    try:
        stream.append("".join(json.dumps(row) + "\n" for row in rows).encode())
        stream.finish()
    except Exception as error:
        stream.cancel()
        raise EngineRefusedError(str(error)) from None


def create(engine: Any, columns: str) -> None:
    engine.query("SET allow_suspicious_variant_types = 1, allow_suspicious_low_cardinality_types = 1")
    engine.query(f"CREATE OR REPLACE TABLE text_inference ({columns}) ENGINE = Memory")


def stored_at_paths(engine: Any, values: list[Any], json_type: str = "JSON") -> list[Tree]:
    """What the engine stores for each of `values`, each at a path of its own in one document."""
    create(engine, f"j {json_type}")
    try:
        insert(engine, [{"j": {f"k{i}": value for i, value in enumerate(values)}}])
    except EngineRefusedError:
        if len(values) == 1:
            return ["refused"]
        middle = len(values) // 2
        return [
            tree_
            for half in (values[:middle], values[middle:])
            for tree_ in stored_at_paths(engine, half, json_type)
        ]
    reader = Reader(bytes(engine.query("SELECT j FROM text_inference", "RowBinary").bytes()))
    document = reader.value(t.JSON("JSON"))
    return [document.get(f"k{i}") for i in range(len(values))]


def inferred(value: Any, max_paths: int = 1024, max_types: int = 32) -> Tree:
    try:
        return leaf(retype_array(value, max_paths, max_types))
    except BadValue:
        return "refused"


# -- dates --------------------------------------------------------------------------------------------

WORDS = json.loads(
    r"""[
    " ", "  ", "-", "/", ":", ".", ",", "T", "Z", "+", "UTC", "GMT", "MSK", "MSD", "AM", "PM", "am", "Mon",
    "Mon,", "Monday", "thursday", "Jan", "JAN", "February", "May", "march", "Sept", "Sep", "dec", "EST", "t",
    "z", "x"
    ]"""
)
MONTHS = ["January", "February", "March", "April", "May", "June"]
MONTHS += ["July", "August", "September", "October", "November", "December"]


def random_number(pick: random.Random) -> str:
    years = [2026, 1999, 1970, 1969, 2106, 2149, 2150, 2262, 2263, 1900, 1677, 1678, 9999, 0]
    tops = [(9, 1), (31, 2), (99, 2), (999, 3), (9999, 4), (999_999, 6), (10**9, 9), (10**21, 1)]
    top, width = pick.choice(tops)
    year = str(pick.choice(years))
    return pick.choice([year, f"{pick.randint(0, top):0{width}}", str(pick.randint(0, 12))])


def random_date(pick: random.Random) -> str:
    year = pick.choice(
        [pick.randint(1970, 2106), pick.randint(1600, 2300), 2026, pick.randint(0, 9999), 2106, 1969]
    )
    month = pick.choice([pick.randint(1, 12)] * 9 + [pick.randint(0, 20)])
    day = pick.choice([pick.randint(1, 28)] * 6 + [pick.randint(28, 31)] * 3 + [pick.randint(0, 99)])
    m, d = (pick.choice([f"{part:02}", str(part)]) for part in (month, day))
    name = pick.choice(MONTHS)
    name = pick.choice([name, name[:3], name.lower(), name[:3].upper(), name[:4]])
    s = pick.choice("--//:. ")
    short = f"{year % 100:02}"
    return pick.choice(
        [f"{year:04}{s}{m}{s}{d}"] * 5
        + [
            f"{d}{s}{m}{s}{year:04}",
            f"{d}{s}{m}{s}{short}",
            f"{d}{s}{name}{s}{year:04}",
            f"{d}-{name}-{short}",
        ]
        + [
            f"{d} {name} {year:04}",
            f"{name} {d}, {year:04}",
            f"Fri, {d} {name} {year:04}",
            f"{name} {d} {year:04}",
        ]
    )


def random_time(pick: random.Random) -> str:
    hour, minute, second = (
        pick.choice([pick.randint(0, top)] * 9 + [pick.randint(0, 99)]) for top in (23, 59, 59)
    )
    text = f"{hour:02}:{minute:02}" + pick.choice(["", f":{second:02}", f":{second:02}", f":{second:02}"])
    if pick.random() < 0.3:
        digits = pick.choice([0, 1, 3, 6, 9, 12, 18, 19, 20])
        text += "." + "".join(pick.choice("0123456789") for _ in range(digits))
    return text + pick.choice([""] * 7 + [" AM", "PM", " am"])


def random_offset(pick: random.Random) -> str:
    hours, minutes = (
        pick.choice([pick.randint(0, 14), pick.randint(0, 30)]),
        pick.choice([0, 30, pick.randint(0, 99)]),
    )
    numbers = pick.choice(
        [f"{hours:02}:{minutes:02}", f"{hours:02}{minutes:02}", f"{hours}:{minutes}", f"{hours}"]
    )
    named = ["", "Z", " Z", "UTC", " GMT", " MSD", " EST", "z"]
    return pick.choice([*named, *[pick.choice(["", " "]) + pick.choice("+-") + numbers] * 5])


def random_date_text(pick: random.Random) -> str:
    """Anything between a well-formed date and noise."""
    kind = pick.random()
    if kind < 0.25:
        return "".join(
            pick.choice([random_number(pick), pick.choice(WORDS)]) for _ in range(pick.randint(1, 9))
        )
    text = random_date(pick)
    if kind > 0.35:
        text += (
            pick.choice([" ", "T", " ", "T", "  ", ", ", "", "\t"]) + random_time(pick) + random_offset(pick)
        )
    if kind > 0.85:
        at = pick.randint(0, len(text))
        text = (
            text[:at]
            + pick.choice(["", random_number(pick), *WORDS, *"\t\n~é'"])
            + text[at + pick.randint(0, 2) :]
        )
    return pick.choice([text] * 9 + [f" {text}", f"{text} "])


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Australia/Lord_Howe"])
def test_dates_as_the_engine_reads_them(engine: Any, zone: str) -> None:
    pick = random.Random(f"dates {zone}")
    texts = [random_date_text(pick) for _ in range(times(5000, 20_000))]
    create(engine, "i UInt32, j JSON(max_dynamic_paths=0)")  # shared data: no memory from row to row
    engine.query(f"SET session_timezone = '{zone}'")
    try:
        insert(engine, [{"i": i, "j": {"a": text}} for i, text in enumerate(texts)])
    finally:
        engine.query("SET session_timezone = ''")
    reader = Reader(bytes(engine.query("SELECT j.a FROM text_inference ORDER BY i", "RowBinary").bytes()))
    seen = 0
    for text in texts:
        expected = reader.dynamic()
        found = retype_string(text, UTC if zone == "UTC" else zoneinfo.ZoneInfo(zone))
        assert leaf(text if found is None else found) == expected, text
        seen += found is not None
    assert seen > 0.15 * len(texts)  # the generator does make dates


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-02-30", (20514, "Date")),
        ("2026:1:1", (20454, "Date")),
        ("2149-06-06", (65535, "Date")),
        ("2149-06-07", (5662310400 * 10**9, "DateTime64(9)")),
        ("26-01-01", (980467200, "DateTime")),
        ("1-jan-26", (1767225600, "DateTime")),
        ("12/31/2026", (1798675200, "DateTime")),
        ("march 5 2026", (1772668800, "DateTime")),
        ("2026-01-01 10:00 PM", (1767304800, "DateTime")),
        ("2026-01-01T00:00:00.", (1767225600 * 10**9, "DateTime64(9)")),
        ("1969-12-31 23:59:59.5", (-5 * 10**8, "DateTime64(9)")),
        (" 1767225600123", (1767225600123 * 10**6, "DateTime64(9)")),
        ("2262-04-11 23:47:16.854775807", (2**63 - 1, "DateTime64(9)")),
    ],
)
def test_date_examples(text: str, expected: tuple[int, str]) -> None:
    assert retype_string(text) == typed(*expected)


STAY_STRINGS = json.loads(
    r"""[
    "", "20260101", "2026-01", "2026", "2026.01.01", "01.02.2026", "2026-13-01", "12:34:56", "1767225600",
    "10 May", "2026-01-01x", "2026-01-01 00:00:00,5", "2262-04-12", "2026-01-01\n", "2026-01-0\u0661",
    "1677-01-01", "Sept 5 2026", "20260101T000000", "2026-02-30 00:00:00", "1e5", "-1.5",
    "2026-01-01                                         "
    ]"""
)


@pytest.mark.parametrize("text", STAY_STRINGS)
def test_what_is_no_date(text: str) -> None:
    assert retype_string(text) is None


def test_skipped_and_repeated_hours() -> None:
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    assert retype_string("2026-03-29 02:30:00", berlin) == typed(1774744200, "DateTime")
    assert retype_string("2026-10-25 02:30:00", berlin) == typed(1792888200, "DateTime")
    assert retype_string("2026-01-01 00:00:00+00:00", berlin) == typed(1767225600, "DateTime")


# -- arrays -------------------------------------------------------------------------------------------

STRINGS = json.loads(
    r"""[
    "x", "", "2026-01-01", "2026-01-02 00:00:00", "2026-01-01T00:00:00.5", "1969-12-31", "1700-01-01",
    "2020-13-01", "20260101", "12", "true", "1234567890", "2026.1.1"
    ]"""
)


class ArrayMaker:
    """Random arrays, each with its own taste for nulls, kinds and nesting."""

    def __init__(self, pick: random.Random):
        self.pick = pick
        # Not together: with a negative number beside one of 2**63 in a sibling array the engine refuses
        # the row or not depending on addresses that it happens to reuse.
        big = pick.choice([[2**63, 2**64 - 1], [-(2**63), -1, -2]])
        kinds: list[list[Any]] = [
            [None],
            [1, 2, 5, 0],
            [*big, 2**64, -(2**63) - 1],
            [1.5, -0.0, 1e300],
            [True, False],
        ]
        weights = [
            pick.choice([0, 0, 1, 3]),
            pick.choice([0, 3]),
            *(pick.choice([0, 0, 1]) for _ in range(3)),
        ]
        self.kinds = [*kinds, STRINGS]
        self.weights = [*weights, pick.choice([0, 3]) + 0.01]
        self.objects = pick.choice([0, 0, 0.2, 0.5])
        self.arrays = pick.choice([0, 0.2, 0.5, 0.8])

    def scalar(self) -> Any:
        return self.pick.choice(self.pick.choices(self.kinds, self.weights)[0])

    def array(self, depth: int) -> list[Any]:
        return [self.item(depth) for _ in range(self.pick.choice([0, 1, 1, 2, 2, 3, 4]))]

    def item(self, depth: int) -> Any:
        kind = self.pick.random()
        if depth and kind < self.arrays:
            return self.array(depth - 1)
        return self.object(depth - 1) if depth and kind < self.arrays + self.objects else self.scalar()

    def object(self, depth: int) -> dict[str, Any]:
        keys = self.pick.choices(["a", "b", "c", "a.b", "d"], k=self.pick.choice([0, 1, 1, 2, 3]))
        makers: list[Callable[[], Any]] = [self.scalar, self.scalar]
        if depth > 0:
            makers += [lambda: self.array(depth - 1), lambda: self.object(depth - 1)]
        return {key: self.pick.choice(makers)() for key in keys}


@pytest.mark.parametrize(("max_paths", "max_types"), [(1024, 32), (64, 8), (5000, 2)])
def test_arrays_as_the_engine_stores_them(engine: Any, max_paths: int, max_types: int) -> None:
    pick = random.Random(f"arrays {max_paths}")
    json_type = f"JSON(max_dynamic_paths={max_paths}, max_dynamic_types={max_types})"
    seen = set()
    for _ in range(times(20, 70)):
        values = [ArrayMaker(pick).array(pick.choice([0, 1, 2, 3, 4])) for _ in range(60)]
        for value, expected in zip(values, stored_at_paths(engine, values, json_type), strict=True):
            found = inferred(value, max_paths, max_types)
            assert found == expected, json.dumps(value)
            seen.add(found[0])
    assert len(seen) > 30  # many different types were compared


QUIRKS: list[tuple[list[Any], str]] = [
    ([], "Array(Nullable(String))"),
    ([True, 1], "Array(Nullable(Int64))"),
    ([True, "x", "2026-01-01"], "Array(Nullable(String))"),
    ([1, 2**63], "Array(Nullable(UInt64))"),
    ([-1, 2**63], "Array(Dynamic)"),
    ([2**70, True], "Array(Nullable(String))"),
    (["2026-01-01", "2026-01-01 00:00:00.5"], "Array(Nullable(DateTime64(9)))"),
    ([[1], ["a"]], "Array(Dynamic)"),
    ([[1], ["a", None]], "Array(Array(Dynamic))"),
    ([[1, "x"], [2]], "Array(Array(Dynamic))"),
    ([[[1]], [[1], [1, "x"]]], "Array(Dynamic)"),
    ([[[1]], [[1, "x"]]], "Array(Array(Array(Dynamic)))"),
    ([[1], [], None], "Array(Dynamic)"),
    ([None, [1], [2]], "Array(Array(Nullable(Int64)))"),
    ([[1, None], None, [2, 3, None]], "Array(Array(Dynamic))"),
    ([[1, None], None, [None, 1]], "Array(Array(Nullable(Int64)))"),
    ([[[1]], [[1.5]], []], "Array(Dynamic)"),
    ([{"a": 1}, None], "Array(Nullable(JSON(max_dynamic_types=16, max_dynamic_paths=256)))"),
    ([[{"a": 1}]], "Array(Array(JSON(max_dynamic_types=16, max_dynamic_paths=256)))"),
]


@pytest.mark.parametrize(
    ("value", "expected"), QUIRKS, ids=lambda x: json.dumps(x) if isinstance(x, list) else ""
)
def test_array_types(value: list[Any], expected: str) -> None:
    assert retype_array(value, 1024, 32).type.text == expected


MEMORY: list[tuple[list[Any], list[Any]]] = [
    # Inside an Array(Dynamic) every element is offered to the types that are there.
    ([1.5, "x", 1], [typed(1.5, "Float64"), typed("x", "String"), typed(1.0, "Float64")]),
    ([1, "x", "2026-01-01"], [typed(1, "Int64"), typed("x", "String"), typed("2026-01-01", "String")]),
    ([{"a": 1.5}, {"a": 1}], [{"a": 1.5}, {"a": 1}]),
    ([{"a": "x"}, {"a": "2026-01-01"}], [{"a": "x"}, {"a": "2026-01-01"}]),
    ([{"a": "2026-01-01"}, {"a": "1700-01-01"}], [{"a": typed(20454, "Date")}, {"a": typed(0, "Date")}]),
    ([{"a": [1.5]}, {"a": [1]}], [{"a": typed([x], "Array(Nullable(Float64))")} for x in (1.5, 1.0)]),
    ([{"a.b": None, "a": {"b": {}, "c": None}}, {}], [{}, {}]),
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), MEMORY, ids=lambda x: repr(x)[:60])
def test_memory_within_an_array(value: list[Any], expected: list[Any]) -> None:
    assert retype_array(value, 1024, 32).value == expected


def test_without_memory_as_in_shared_data(engine: Any) -> None:
    values: list[list[Any]] = [
        [1.5, "x", 1],
        ["x", "2026-01-01", 1],
        [[1.5], 1, [1]],
        [{"a": "x"}, {"a": "2026-01-01"}],
    ]
    values += [[1, {"a": "x"}, {"a": "2026-01-01"}], [1, {"a": "2026-01-01"}, {"a": "20260101"}]]
    for value in values:
        [expected] = stored_at_paths(engine, [value], "JSON(max_dynamic_paths=0)")
        assert leaf(retype_array(value, 0, 32, memory=False)) == expected


def test_duplicate_paths_are_refused() -> None:
    with pytest.raises(BadValue, match=r"duplicate path 'a\.b'") as caught:
        retype_array([{}, {"a.b": 1, "a": {"b": 2}}], 1024, 32)
    assert format_path(caught.value.path) == "$[1].a.b"


@pytest.mark.parametrize("wrap", [lambda x: [x], lambda x: {"a": x}, lambda x: [{"a": x}]])
@pytest.mark.parametrize("levels", [1000, 100_000])
def test_depth_limit(wrap: Callable[[Any], Any], levels: int) -> None:
    value: Any = 1
    for _ in range(levels):
        value = wrap(value)
    with pytest.raises(BadValue, match=rf"^nested deeper than {MAX_DEPTH} levels$"):
        retype_array([value], 1024, 32)


def test_greatest_depth() -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    assert retype_array(value, 1024, 32).type.text == "Array(" * 128 + "Nullable(Int64)" + ")" * 128


def test_exhausted_stack_is_a_bad_value() -> None:
    value: Any = 1
    for _ in range(120):
        value = [value]

    def call_with_little_stack(frames: int) -> None:
        if frames:
            call_with_little_stack(frames - 1)
            return
        with pytest.raises(BadValue, match=r"^nested too deeply for the Python stack"):
            retype_array(value, 1024, 32)

    used, frame = 0, sys._getframe()
    while frame.f_back is not None:
        used, frame = used + 1, frame.f_back
    call_with_little_stack(sys.getrecursionlimit() - used - 80)


@pytest.mark.timeout(20)
def test_nested_nulls_take_no_exponential_time() -> None:
    value: list[Any] = [1, None]
    for _ in range(100):
        value = [value, None]
    assert retype_array(value, 1024, 32).type.text.startswith("Array(" * 101)


# -- declared types -----------------------------------------------------------------------------------

TYPES = json.loads(
    r"""[
    "UInt8", "UInt64", "Int8", "Int64", "Float32", "Float64", "Bool", "String", "FixedString(3)", "UUID",
    "IPv4", "IPv6", "Date", "Date32", "DateTime", "DateTime('Europe/Berlin')", "DateTime64(0)",
    "DateTime64(3)", "DateTime64(6, 'Asia/Tokyo')", "DateTime64(9)", "Decimal(9, 2)", "Decimal(38, 10)",
    "Enum16('x' = 300)", "Enum8('a' = -1, 'b' = 2)", "Nullable(UInt8)", "Nullable(Date)",
    "LowCardinality(String)", "LowCardinality(Nullable(String))", "Array(UInt8)", "Array(Nullable(String))",
    "Array(Dynamic)", "Array(JSON)", "Tuple(a UInt8, b String)", "Tuple(UInt8, String)",
    "Nullable(Tuple(a UInt8))", "Map(String, Array(String))", "Map(LowCardinality(String), Nullable(UInt8))",
    "Variant(String, UInt64)", "Variant(Bool, Float64, Int64)", "Variant(Date, DateTime, String)",
    "Variant(Array(String), Array(UInt8), UInt8)", "Variant(Array(JSON), JSON)", "Dynamic",
    "Dynamic(max_types=1)", "JSON", "JSON(max_dynamic_paths=2)", "JSON(a UInt8, b String)", "JSON(a.b Date)",
    "JSON(a Nullable(UInt8), SKIP b)", "JSON(SKIP REGEXP 'b')", "Point", "Polygon",
    "SimpleAggregateFunction(sum, UInt64)"
    ]"""
)

VALUES: list[Any] = json.loads(
    r"""[
    null, true, false, 0, 1, -1, 127, 128, 255, 256, 65535, 4294967296, 9223372036854775807,
    9223372036854775808, 18446744073709551615, 18446744073709551616, -9223372036854775808,
    -9223372036854775809, 1767225600, 0.0, -0.0, 1.0, 1.5, -0.5, 0.1, 255.9, 10000000000.0, 1e+21, 1.5e-07,
    1e+300, 3.5e+38, 1.005, 123456.789, 1767225600.123456, "x", "", "2026-01-01", "2026-01-02 00:00:00",
    "2026-01-01T00:00:00.5", "1969-12-31", "1700-01-01", "2020-13-01", "20260101", "12", "true",
    "1234567890", "2026.1.1", "a", "b", "\u00e9", "abcd", "7", "-7", "+7", "1.5", "1e2", ".5", "1e", "--1",
    "a/\"\\\n\u2028\u0001", "1.2.3.4", "001.2.3.4", "1.2.3.256", "::1", "1::2::3", "::1%1",
    "00112233-4455-6677-8899-aabbccddeeff", "00112233445566778899AABBCCDDEEFF", "2026-1-1", "2026-02-31",
    "0000-00-00", "9999-12-31", "1767225600", "1767225600123", "Jan 1 2026", "1/2/26", "20260101101112",
    "2026-03-29 02:30:00", "2026-07-01 00:00:00.123456789123", [], [1], [1.5], ["x", 1], [null],
    [[1, 2], [3, 4]], [[[1, 2], [3, 4]]], {}, {"a": 1}, {"a": "x", "b": 2},
    {"a": {"b": "2026-01-01"}, "c": [1, {"d": null}]}, {"b": {"c": 1}, "a": null, "x": 1.5, "y": "z"},
    [{"a": 1}, {"a": "2026-01-01"}], {"a": ["x"], "b": []}
    ]"""
)

# Where ours refuses and the engine stores something that the type does not allow or nobody meant.
STRICTER = {("Decimal(38, 10)", text) for text in ("1.2.3.4", "001.2.3.4", "1.2.3.256", "2026.1.1")}
STRICTER |= {("Decimal(9, 2)", text) for _, text in STRICTER}
ALONE = "max_insert_block_size = 1, input_format_parallel_parsing = 0, input_format_allow_errors_num = 1000"


@pytest.mark.parametrize("type_text", TYPES)
def test_typed_paths_as_the_engine_fills_them(engine: Any, type_text: str) -> None:
    type_ = parse_type(type_text)
    create(engine, f"i UInt32, j JSON(a {type_text})")
    rows = [{"i": i, "j": {"a": v}} for i, v in enumerate(VALUES) if (type_text, str(v)) not in STRICTER]
    # Each in a block of its own; in an insert of its own where an error ends it, or memory could be kept.
    single = any(word in type_text for word in ("JSON", "Dynamic", "Decimal"))
    for batch in [[row] for row in rows] if single else [rows]:
        with contextlib.suppress(EngineRefusedError):
            insert(engine, batch, f"text_inference SETTINGS {ALONE}")
    reader = Reader(bytes(engine.query("SELECT i, j.a FROM text_inference ORDER BY i", "RowBinary").bytes()))
    assert reader.data
    for i, value in enumerate(VALUES):
        if reader.data[reader.position :].startswith(struct.pack("<I", i)):
            assert (reader.number(4), tree(coerce(value, type_), type_)) == (i, reader.value(type_)), value
        else:
            with pytest.raises(BadValue):
                print(type_text, value, "->", coerce(value, type_))
    assert reader.position == len(reader.data)


def test_coerce_examples() -> None:
    def to(value: Any, type_text: str) -> Any:
        return coerce(value, parse_type(type_text))

    assert (to("7", "UInt32"), to(1.5, "UInt32"), to(True, "UInt32"), to(None, "UInt32")) == (7, 1, 1, 0)
    assert (to([1, 2], "String"), to(1.5, "String"), to({"y": None}, "String")) == (
        "[1,2]",
        "1.5",
        '{"y":null}',
    )
    assert to(2**70, "UInt128") == 2**70
    assert to("12:34:56.789", "Time64(3)") == 45296789
    assert to("1.239", "Decimal(9, 2)") == decimal.Decimal("1.23")
    assert to(1.5, "Variant(UInt8, Float64)") == typed(1.5, "Float64")
    assert to({"b": {"c": 1}}, "Dynamic") == typed({"b.c": 1}, "JSON")
    assert to({"a": {"b": 1}, "c": "2026-01-01", "z": 1}, "JSON(SKIP z)") == {
        "a.b": 1,
        "c": typed(20454, "Date"),
    }
    for value, type_text in [
        ("x", "UInt8"),
        (1.5, "BFloat16"),
        ({1: 2}, "JSON"),
        ("1000:00:00", "Time"),
        (1, "UUID"),
    ]:
        with pytest.raises(BadValue):
            to(value, type_text)


@pytest.mark.parametrize(
    ("value", "type_text", "path"),
    [
        ([[1], [2, "x"]], "Array(Array(UInt8))", "$[1][1]"),
        ({"a": [1, {}]}, "Tuple(a Array(UInt8))", "$.a[1]"),
        ({"a": {"b": {"c": "x"}}}, "JSON(a.b.c UInt8)", "$.a.b.c"),
        ({"k": 300}, "Map(String, UInt8)", "$['k']"),
        ([1, {"a": object()}], "Array(String)", "$[1].a"),
    ],
)
def test_paths_of_bad_values(value: Any, type_text: str, path: str) -> None:
    with pytest.raises(BadValue) as caught:
        coerce(value, parse_type(type_text))
    assert format_path(caught.value.path) == path


# -- Python values ------------------------------------------------------------------------------------


class Color(enum.Enum):
    RED = "red"


class Name(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (dt.datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00+00:00"),
        (dt.date(2026, 1, 1), "2026-01-01"),
        (dt.time(12, 34, 56), "12:34:56"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (ipaddress.ip_address("::1"), "::1"),
        (Color.RED, "red"),
        (Name("x"), "x"),
        (decimal.Decimal("1.50"), 1.5),
        (decimal.Decimal(7), 7),
        (decimal.Decimal("1.23456789012345678901"), "1.23456789012345678901"),
        (decimal.Decimal("NaN"), None),
        (float("nan"), None),
        (float("-inf"), None),
        (2**64, "18446744073709551616"),
        (2**64 - 1, 2**64 - 1),
        (True, True),
        (b"\xc3\xa9", "é"),
        ((1, 2), [1, 2]),
        (frozenset([1]), [1]),
    ],
)
def test_json_leaf(value: object, expected: object) -> None:
    found = json_leaf(value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    "value", [b"\xff", object(), 1j, typed(1, "Int64"), 10**5000], ids=lambda v: type(v).__name__
)
def test_what_json_cannot_say(value: object) -> None:
    with pytest.raises(BadValue):
        json_leaf(value)


def test_numpy() -> None:
    np = pytest.importorskip("numpy")
    assert json_leaf(np.float64(1.5)) == 1.5
    assert type(json_leaf(np.int8(3))) is int
    assert json_leaf(np.array([[1, 2]])) == [[1, 2]]
    assert json_leaf(np.datetime64("2026-01-01T00:00:00.5", "ns")) == "2026-01-01T00:00:00.500000000"
    assert json_leaf(np.array(["2026-01-01", "NaT"], "M8[D]")) == ["2026-01-01", None]
    with pytest.raises(BadValue):
        json_leaf(np.complex128(1j))


# -- golden documents ---------------------------------------------------------------------------------


JSON_BLOCKS = [v for v in load("json_blocks.jsonl") if v["column_type"].startswith("JSON")]


@pytest.mark.parametrize("vector", JSON_BLOCKS, ids=lambda v: " ".join(v["json_rows"])[:70])
def test_rows_of_one_block(vector: dict[str, Any]) -> None:
    """One column kept from row to row has the memory that the engine has within a block."""
    type_ = parse_type(vector["column_type"])
    column = build(type_, UTC)
    reader = Reader(bytes.fromhex(vector["hex"]))
    for row in vector["json_rows"]:
        assert tree(column.read(json.loads(row), Conversion.ANY), type_) == reader.value(type_), row


TEXT_DOCUMENTS = [
    v
    for v in load("json_inserts.jsonl")
    if v["mode"] == "text"
    and v["same_as_text"]
    and v["column_type"].startswith("JSON")
    and v.get("json_text")
]


@pytest.mark.parametrize("vector", TEXT_DOCUMENTS, ids=lambda v: f"{v['column_type']} {v['json_text']}"[:70])
def test_golden_documents(vector: dict[str, Any]) -> None:
    type_ = parse_type(vector["column_type"])
    expected = tree({}, type_) | Reader(bytes.fromhex(vector["hex"])).value(type_)
    assert tree(coerce(json.loads(vector["json_text"]), type_), type_) == expected
