"""The reference decoder: golden bytes, what the encoder and the engine write, and hostile bytes."""

from __future__ import annotations

import datetime as dt
import decimal
import ipaddress
import math
import pickle
import sys
import time
import tracemalloc
import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any, Final

import canonical
import pytest
from conftest import load, times, value_of
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import schemas, type_texts, values_of

import rowbinary
from rowbinary import DecodeError, typed
from rowbinary import _types as t
from rowbinary._decode import decode_body, read_type
from rowbinary._opcodes import Op
from rowbinary._options import MAX_TYPE_DEPTH
from rowbinary._read import MAX_EMPTY, MAX_LEVELS, READERS, Cursor, nest
from rowbinary._tags import type_tag
from rowbinary._typed import Typed
from rowbinary._varint import string, varint

UTC = dt.UTC
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
FORMAT: Final = "RowBinaryWithNamesAndTypes"


def header(*columns: tuple[str, str]) -> bytes:
    """The header of `columns`, the types as they are spelled."""
    names, texts = [name for name, _ in columns], [text for _, text in columns]
    return varint(len(columns)) + b"".join(map(string, names)) + b"".join(map(string, texts))


def decode(columns: Any, rows: bytes) -> list[tuple[Any, ...]]:
    """The rows of `columns` in `rows`, which are without a header."""
    schema = rowbinary.Schema.of(columns)
    found = decode_body(header(*((name, str(type_)) for name, type_ in schema)) + rows)
    assert found[:2] == (schema.names, schema.types)
    return found[2]


def decode_one(type_text: str, data: bytes) -> Any:
    """The only value of a column of `type_text`."""
    ((value,),) = decode_body(header(("c", type_text)) + data)[2]
    return value


def refuse(body: bytes, match: str | None = None) -> DecodeError:
    with pytest.raises(DecodeError, match=match) as caught:
        decode_body(body)
    return caught.value


# --- golden bytes -----------------------------------------------------------------------------------

VALUES = load("values.jsonl")
STATES = [vector for vector in VALUES if vector["type"].startswith("AggregateFunction")]
READABLE = [vector for vector in VALUES if vector not in STATES]
# Values that Python shows without what the bytes say, so that encoding them gives other types.
UNTYPED = {
    ("Dynamic", "typed([typed(1, 'UInt8'), 'a', None], 'Array(Dynamic)')"): "the 1 becomes an Int64",
    ("JSON", "{'a': typed(datetime(2024, 1, 2, 3, 4, 5, tzinfo=utc), 'DateTime')}"): "becomes DateTime64(9)",
}
# Values that decode to something else than what the vector was written from.
SHOWN = {("JSON", "{'a.b': 1}"): {"a": {"b": 1}}}


def key_of(vector: dict[str, Any]) -> tuple[str, str]:
    return vector["type"], vector["python"]


def name_of(vector: dict[str, Any]) -> str:
    return f"{vector['type']}={vector['python']}"[:80]


def plain(value: Any) -> Any:
    """`value` without typed()."""
    match value:
        case Typed():
            return plain(value.value)
        case list():
            return [plain(item) for item in value]
        case tuple():
            return tuple(plain(item) for item in value)
        case dict():
            return {key: plain(item) for key, item in value.items()}
    return value


def same(value: Any, other: Any) -> bool:
    """Equal, of equal types, and NaN equals itself."""
    if isinstance(value, list | tuple):
        return type(value) is type(other) and len(value) == len(other) and all(map(same, value, other))
    if isinstance(value, float) and math.isnan(value):
        return isinstance(other, float) and math.isnan(other)
    return type(value) is type(other) and bool(value == other)


@pytest.mark.parametrize("vector", READABLE, ids=name_of)
def test_value(vector: dict[str, Any]) -> None:
    """The value that the vector was written from, and the UInt8 behind it is at its place."""
    ((value, last),) = decode([("c", vector["type"]), ("last", "UInt8")], bytes.fromhex(vector["hex"] + "a5"))
    assert last == 0xA5
    assert same(value, SHOWN.get(key_of(vector), plain(value_of(vector))))


@pytest.mark.parametrize("vector", READABLE, ids=name_of)
def test_value_encodes_to_the_same_bytes(vector: dict[str, Any]) -> None:
    """With the type that the vector gives for a Dynamic or ambiguous Variant, which the value lost."""
    columns = [("c", vector["type"]), ("last", "UInt8")]
    sent = bytes.fromhex(vector["hex"] + "a5")
    ((value, last),) = decode(columns, sent)
    original = value_of(vector)
    if isinstance(original, Typed):
        value = typed(value, original.type)
    body = rowbinary.encode_rows(columns, [(value, last)])
    if key_of(vector) in UNTYPED:
        assert body != sent
        return
    types = [text for _, text in columns]
    if "JSON" in vector["type"]:  # the paths of a document have no order
        assert canonical.rows(body, types) == canonical.rows(sent, types)
    else:
        assert body == sent


def test_the_exceptions_exist() -> None:
    assert {*UNTYPED, *SHOWN} <= {key_of(vector) for vector in VALUES}
    assert len(STATES) == 3


@pytest.mark.parametrize("vector", STATES, ids=name_of)
def test_states_are_refused(vector: dict[str, Any]) -> None:
    body = header(("c", vector["type"])) + bytes.fromhex(vector["hex"])
    error = refuse(body, r"a state of AggregateFunction.* has no length")
    assert (error.row, error.column) == (0, "c")


FORMATS = [vector for vector in load("formats.jsonl") if "Defaults" not in vector["format"]]


@pytest.mark.parametrize("vector", FORMATS, ids=lambda v: v["format"])
def test_format(vector: dict[str, Any]) -> None:
    """The formats that carry fewer names and types get a header; Defaults formats are for input only."""
    columns = [tuple(column) for column in vector["columns"]]
    rows = bytes.fromhex(vector["hex"])
    rows = rows[len(rowbinary.Schema(columns).plan.header(vector["format"])) :]
    found = decode(columns, rows)
    assert len(found) == len(value_of(vector, "rows"))
    check_body(header(*((name, str(type_)) for name, type_ in rowbinary.Schema(columns))) + rows, columns)
    body = rowbinary.encode_rows(columns, found, format=vector["format"])
    if any("JSON" in text for _, text in columns):
        types = [text for _, text in columns]
        assert canonical.rows(rowbinary.encode_rows(columns, found), types) == canonical.rows(rows, types)
    else:
        assert body.hex() == vector["hex"]
    if vector["format"] == FORMAT:
        assert decode_body(bytes.fromhex(vector["hex"]))[2] == found


def test_defaults_formats_are_all_that_is_left_out() -> None:
    assert {v["format"] for v in load("formats.jsonl") if v not in FORMATS} == {
        "RowBinaryWithDefaults",
        "RowBinaryWithNamesAndTypesAndDefaults",
    }


# --- values -----------------------------------------------------------------------------------------


def int64(number: int) -> bytes:
    return number.to_bytes(8, "little", signed=True)


VALUE_CASES: list[tuple[str, bytes, Any]] = [
    ("Bool", b"\xff", True),
    ("String", b"\x02\xc3\xa9", "é"),
    ("String", b"\x01\xff", b"\xff"),
    ("String", b"\x81\x00a", "a"),  # a varint that is longer than it must be
    ("FixedString(3)", b"a\0\0", b"a\0\0"),
    ("Decimal(9, 2)", (-5).to_bytes(4, "little", signed=True), decimal.Decimal("-0.05")),
    ("Decimal(4, 2)", (10**6).to_bytes(4, "little"), decimal.Decimal("10000.00")),
    ("Decimal(76, 0)", (2**255 - 1).to_bytes(32, "little"), decimal.Decimal(2**255 - 1)),
    ("Date", b"\xff\xff", dt.date(2149, 6, 6)),
    ("Date32", (-719_162).to_bytes(4, "little", signed=True), dt.date(1, 1, 1)),
    ("Date32", (-719_163).to_bytes(4, "little", signed=True), -719_163),
    ("Date32", (2**31 - 1).to_bytes(4, "little"), 2**31 - 1),
    ("DateTime", bytes(4), dt.datetime(1970, 1, 1, tzinfo=UTC)),
    ("DateTime('Europe/Berlin')", bytes(4), dt.datetime(1970, 1, 1, 1, tzinfo=BERLIN)),
    ("DateTime64(6)", int64(-1), dt.datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC)),
    ("DateTime64(9)", int64(-1000), dt.datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC)),
    ("DateTime64(9)", int64(1001), 1001),
    ("DateTime64(7)", int64(10), dt.datetime(1970, 1, 1, microsecond=1, tzinfo=UTC)),
    ("DateTime64(0)", int64(2**63 - 1), 2**63 - 1),
    ("DateTime64(0)", int64(-(2**63)), -(2**63)),
    ("DateTime64(0, 'Europe/Berlin')", int64(253_402_300_799), 253_402_300_799),  # 10000 in Berlin
    ("Time", (-1).to_bytes(4, "little", signed=True), dt.timedelta(seconds=-1)),
    ("Time64(3)", int64(-1500), dt.timedelta(seconds=-1.5)),
    ("Time64(9)", int64(1), 1),
    ("Time64(0)", int64(2**62), 2**62),
    ("IntervalMonth", int64(-3), -3),
    ("Nullable(Nothing)", b"\x01", None),
    ("Array(Nothing)", b"\x00", []),
    ("Tuple(a UInt8, b UInt8)", b"\x01\x02", {"a": 1, "b": 2}),
    ("Nested(a UInt8)", b"\x01\x07", [{"a": 7}]),
    ("Map(UInt8, UInt8)", b"\x02\x01\x02\x03\x04", {1: 2, 3: 4}),
    ("Map(UInt8, UInt8)", b"\x02\x01\x02\x01\x04", [(1, 2), (1, 4)]),
    ("Map(Array(UInt8), UInt8)", b"\x01\x01\x01\x02", [([1], 2)]),
    ("Array(Tuple())", b"\x03", [(), (), ()]),
    ("Variant(String, UInt8)", b"\x01\x05", 5),
    ("Dynamic", b"\x2b\x20\x01\x05", 5),
    ("Dynamic", b"\x2c\x05UInt8\x05", 5),
    ("Dynamic", b"\x2a\x02\x15\x01\x00\x01a", "a"),
    ("Dynamic", b"\x2a\x02\x01\x15\x00\x01a", "a"),  # the numbers follow the names, not the tag
    ("Dynamic", b"\x37\x0d\x08\x08\x08" + bytes(32), [0.0] * 8),
    ("JSON", b"\x01\x01a\x00", {}),
    ("JSON", b"\x01\x03a\xff.\x01\x05", {b"a\xff.": 5}),
    ("JSON(a Nullable(UInt8))", b"\x01\x01a\x01", {"a": None}),
    ("JSON(SKIP REGEXP '(', SKIP REGEXP 'a{99999999999}')", b"\x01\x01b\x01\x05", {"b": 5}),
]


@pytest.mark.parametrize(("type_text", "data", "expected"), VALUE_CASES)
def test_cases(type_text: str, data: bytes, expected: Any) -> None:
    value = decode_one(type_text, data)
    assert same(value, expected)
    if isinstance(expected, dt.datetime):
        assert value.tzinfo is expected.tzinfo


def test_no_bytes_are_no_columns() -> None:
    assert decode_body(b"") == ((), (), [])
    assert decode_body(b"\0") == ((), (), [])


def test_rows_without_bytes() -> None:
    assert decode_body(header(("c", "Tuple()"))) == (("c",), (rowbinary.parse_type("Tuple()"),), [])
    refuse(header(("c", "Tuple()")) + b"x", "1 bytes after the header, but a row takes none")
    refuse(b"\0x", "1 bytes after the header, but a row takes none")


def test_columns_of_one_name() -> None:
    assert decode_body(header(("a", "UInt8"), ("a", "UInt8")) + b"\1\2")[2] == [(1, 2)]


def test_every_opcode_has_a_reader() -> None:
    assert set(READERS) == set(Op)


NESTED: list[tuple[dict[Any, Any], dict[Any, Any]]] = [
    ({"a.b": 1, "c": 2, "a.d": 3}, {"a": {"b": 1, "d": 3}, "c": 2}),
    ({"a": 1, "a.b": 2}, {"a": 1, "a.b": 2}),
    ({"a.b": 2, "a": 1}, {"a": 1, "a.b": 2}),
    ({"a.b": 1, "a.b.c.d": 2, "a.x": 3}, {"a": {"b": 1, "b.c.d": 2, "x": 3}}),
    ({"": 1, ".": 2, ".a": 3, "a.": 4}, {"": 1, ".": 2, ".a": 3, "a": {"": 4}}),
    ({"..": 1}, {"": {"": {"": 1}}}),
    ({"a": {"m": 1}, "a.m": 2}, {"a": {"m": 1}, "a.m": 2}),
    ({b"a.\xff": 1}, {b"a.\xff": 1}),
]


@pytest.mark.parametrize(("paths", "document"), NESTED)
def test_nest(paths: dict[Any, Any], document: dict[Any, Any]) -> None:
    assert nest(paths, 10) == document


def test_nest_to_a_depth() -> None:
    assert nest({"a.b.c.d": 1, "a.b.x.y": 2}, 2) == {"a": {"b": {"c.d": 1, "x.y": 2}}}
    assert nest({"a.b": 1}, 0) == {"a.b": 1}


def test_a_path_of_many_dots() -> None:
    path = "." * 5000
    value = decode_one("JSON", b"\x01" + string(path) + b"\x01\x05")
    assert rowbinary.encode_rows("c JSON", [({path: typed(5, "UInt8")},)]) == b"\x01" + string(path) + b"\1\5"
    depth = 0
    while "" in value:
        value, depth = value[""], depth + 1
    assert 100 < depth < MAX_LEVELS
    assert value == {path[depth:]: 5}


# --- types as tags ----------------------------------------------------------------------------------


def check_tag(type_text: str) -> None:
    type_ = rowbinary.parse_type(type_text)
    tag = type_tag(type_)
    cursor = Cursor(tag + b"rest")
    assert read_type(cursor).text == type_.text
    assert cursor.at == len(tag)
    for end in range(len(tag)):
        with pytest.raises(DecodeError):
            read_type(Cursor(tag[:end]))


TAGGED = sorted(
    {vector["type"] for vector in VALUES} | {v["column_type"] for v in load("json_inserts.jsonl")}
)
TAGGED += [
    "Nothing", "QBit(Float32, 16, 8)", "AggregateFunction(sum, UInt64)", "Dynamic(max_types=0)",
    "JSON(max_dynamic_types=5, max_dynamic_paths=300, a String, b UInt8, SKIP z, SKIP REGEXP 'r.*')",
]  # fmt: skip


@pytest.mark.parametrize("text", TAGGED)
def test_tag(text: str) -> None:
    check_tag(text)


@given(type_texts)
def test_random_tag(text: str) -> None:
    check_tag(text)


@pytest.mark.parametrize(
    ("tag", "match"),
    [
        (b"\x21", "unknown type tag 0x21"), (b"\x24", "0x24"), (b"\x33", "0x33"), (b"\xff", "0xff"),
        (b"\x13\x0a", "a scale of 10 is out of range 0 .. 9"), (b"\x34\x0a", "a scale of 10"),
        (b"\x16\x00", "a FixedString length of 0"), (b"\x16" + varint(2**24), "a FixedString length"),
        (b"\x17\x00", "without labels"), (b"\x17\x02\1a\1\1b\1", "one twice"), (b"\x17\x01\1\xff\1", "UTF-8"),
        (b"\x19\x0a\x00", "a precision of 10"), (b"\x1a\x09\x00", "a precision of 9"),
        (b"\x19\x05\x06", "a scale of 6"), (b"\x20\x02\1a\1\1a\1", "element name twice"),
        (b"\x22\x0b", "an interval kind of 11"), (b"\x2a\x00", "a number of members of 0"),
        (b"\x2b\xff", "max_types of 255"), (b"\x2c\x03Nix", "unknown type 'Nix'"),
        (b"\x2e\x03sum\0\0", "without the type"), (b"\x25\0\x03sum\1", "with parameters"),
        (b"\x2f\x00", "Nested without"), (b"\x30\x01", "version"), (b"\x36\x15\x01", "a QBit of String"),
        (b"\x30\0\0\0\x02\1a\1\1a\1", "same path twice"), (b"\x36\x0d\x00", "a dimension of 0"),
        (b"\x1f" + varint(2**63), "do not fit"), (b"\x12\x04Nix/\0\0\0\0", "time zone 'Nix/' is not known"),
    ],
)  # fmt: skip
def test_bad_tags(tag: bytes, match: str) -> None:
    error = refuse(header(("c", "Dynamic")) + tag, match)
    assert (error.row, error.column) == (0, "c")


# --- what the encoder and the engine write ------------------------------------------------------------


def check(value: Any, tree: canonical.Tree, type_: t.Type) -> None:
    """`value` says what `tree` says, which another reader made of the same bytes (scalars are bytes)."""
    match type_:
        case t.Wrapper(family="Array") | t.QBit() | t.Tuple(family="Nested"):
            assert type(value) is list
            inner = element_of(type_)
            check_all([(item, part, inner) for item, part in zip(value, tree, strict=True)])
        case t.Wrapper(family="Nullable"):
            assert (value is None) == (tree is None)
            if tree is not None:
                check(value, tree[1], type_.inner)
        case t.Wrapper():
            check(value, tree, type_.inner)
        case t.Map():
            pairs = list(value.items()) if isinstance(value, dict) else value
            for (key, item), (key_tree, item_tree) in zip(pairs, tree, strict=True):
                check_all([(key, key_tree, type_.key), (item, item_tree, type_.value)])
        case t.Tuple():
            assert type(value) is (tuple if type_.names is None else dict)
            values = list(value.values()) if isinstance(value, dict) else value
            check_all(list(zip(values, tree, type_.elements, strict=True)))
        case t.Variant():
            assert (value is None) == (tree is None)
            if tree is not None:
                check(value, tree[1], type_.members[tree[0]])
        case t.Dynamic():
            assert (value is None) == (tree is None)
            if tree is not None:
                check(value, tree[1], rowbinary.parse_type(tree[0]))
        case t.JSON():
            check_document(value, tree, dict(type_.typed))
        case t.Alias():
            check(value, tree, type_.structure)
        case t.Aggregate():
            check(value, tree, type_.arguments[-1])
        case _:
            data = string(tree) if type_.family == "String" else tree
            assert rowbinary.encode_rows([("c", type_)], [(value,)]) == data


def element_of(type_: t.Wrapper | t.QBit | t.Tuple) -> t.Type:
    match type_:
        case t.Wrapper():
            return type_.inner
        case t.QBit():
            return type_.element
    return t.Tuple("Tuple", type_.elements, type_.names)


def check_all(parts: list[tuple[Any, canonical.Tree, t.Type]]) -> None:
    for part in parts:
        check(*part)


ABSENT = object()


def check_document(value: Any, tree: canonical.Tree, types: dict[str, t.Type]) -> None:
    assert type(value) is dict
    for path, part in tree.items():
        found = find(value, path)
        if path in types and found is ABSENT:
            assert part == canonical.default(types[path])
        elif part is None and path not in types:
            assert found is ABSENT
        else:
            check(found, part, types.get(path, t.Dynamic("Dynamic")))


def find(document: Any, path: str) -> Any:
    if not isinstance(document, dict):
        return ABSENT
    if path in document:
        return document[path]
    first, dot, rest = path.partition(".")
    return find(document[first], rest) if dot and first in document else ABSENT


def check_body(body: bytes, columns: list[tuple[str, str]]) -> None:
    names, types, rows = decode_body(body)
    schema = rowbinary.Schema(columns)
    assert (names, types) == (schema.names, schema.types)
    trees = canonical.rows(body[len(schema.plan.header(FORMAT)) :], [text for _, text in columns])
    for row, tree in zip(rows, trees, strict=True):
        check_all(list(zip(row, tree, types, strict=True)))


@given(st.data())
def test_random_rows(data: st.DataObject) -> None:
    columns = data.draw(schemas())
    rows = data.draw(st.lists(st.tuples(*(values_of(text) for _, text in columns)), max_size=4))
    check_body(rowbinary.encode_rows(columns, rows, format=FORMAT), columns)


@pytest.mark.parametrize(
    "vector", load("json_inserts.jsonl"), ids=lambda v: f"{v['column_type']} {v['python']}"[:80]
)
def test_golden_insert(vector: dict[str, Any]) -> None:
    """Documents and their parts, as the engine reads them."""
    columns = [("c", str(rowbinary.parse_type(vector["column_type"])))]
    check_body(header(*columns) + bytes.fromhex(vector["hex"]), columns)


SETTINGS = (
    "allow_suspicious_variant_types = 1, allow_suspicious_low_cardinality_types = 1, flatten_nested = 0, "
    "allow_experimental_time_time64_type = 1, allow_experimental_qbit_type = 1, "
    "allow_suspicious_fixed_string_types = 1"
)  # fmt: skip


def select(engine: Any, columns: list[tuple[str, str]], rows: list[Any]) -> bytes:
    """`rows` as the engine writes them, after it has stored them."""
    schema = rowbinary.Schema(columns)
    engine.query(f"SET {SETTINGS}")
    engine.query("DROP TABLE IF EXISTS decoded")
    engine.query(f"CREATE TABLE decoded ({schema}) ENGINE = Memory")
    try:
        stream = engine.send_insert("INSERT INTO decoded", "RowBinary")
        stream.append(rowbinary.encode_rows(schema, rows))
        stream.finish()
        return bytes(engine.query("SELECT * FROM decoded", FORMAT).bytes())
    finally:
        engine.query("DROP TABLE decoded")


MOMENT = dt.datetime(2024, 7, 1, 12, 0, 0, 123_456, UTC)
# Type, value inserted, and the value selected where that is another one.
STORED: list[tuple[Any, ...]] = [
    ("Bool", True), ("Int8", -5), ("UInt64", 2**64 - 1), ("Int256", -(2**255)), ("Float32", 1.5),
    ("BFloat16", -0.5), ("Float64", 1e300), ("Decimal(38, 3)", decimal.Decimal("-1.500")), ("String", "é\0"),
    ("String", b"\xff"), ("FixedString(4)", "ab", b"ab\0\0"), ("Date", dt.date(2149, 6, 6)),
    ("Date32", dt.date(1900, 1, 1)), ("DateTime", MOMENT.replace(microsecond=0)), ("DateTime64(6)", MOMENT),
    ("DateTime64(9, 'Europe/Berlin')", 1_714_946_889_000_000_001),
    ("DateTime64(3, 'Europe/Berlin')", MOMENT, MOMENT.replace(microsecond=123_000)),
    ("Time", dt.timedelta(hours=-999)), ("Time64(6)", dt.timedelta(microseconds=1)), ("IntervalDay", 3),
    ("UUID", uuid.UUID(int=2**127 + 5)), ("IPv4", ipaddress.IPv4Address("1.2.3.4")),
    ("IPv6", ipaddress.IPv6Address("2001:db8::1")), ("Enum8('a' = -1, 'é' = 5)", "é"),
    ("Enum16('a' = 300)", "a"), ("Nullable(String)", None), ("Nullable(UInt8)", 5),
    ("LowCardinality(Nullable(String))", "x"), ("Array(Array(UInt8))", [[1], [], [2, 3]]),
    ("Tuple(UInt8, String)", (1, "a")), ("Tuple(a UInt8, b String)", (1, "a"), {"a": 1, "b": "a"}),
    ("Nested(a UInt8, b String)", [(1, "a")], [{"a": 1, "b": "a"}]), ("Map(String, UInt8)", {"a": 1, "b": 2}),
    ("Map(String, UInt8)", [("a", 1), ("a", 2)]), ("QBit(Float32, 3)", [0.5, 1.5, 2.5]),
    ("Variant(String, UInt8, Array(String))", ["x"]), ("Variant(String, UInt8)", None),
    ("Point", (1.0, 2.0)), ("Ring", [(1.0, 2.0)]), ("Polygon", [[(1.0, 2.0)]]),
    ("MultiPolygon", [[[(1.0, 2.0)]]]),
    ("Geometry", typed([(1.0, 2.0)], "Ring"), [(1.0, 2.0)]),
    ("SimpleAggregateFunction(sum, UInt64)", 5),
    ("Dynamic", None), ("Dynamic", [1, "x", None]),
    ("Dynamic", typed((1, "a"), "Tuple(Int8, String)"), (1, "a")),
    ("Dynamic", typed({"k": [1]}, "Map(String, Array(UInt8))"), {"k": [1]}),
    ("Dynamic", typed(MOMENT, "DateTime64(6, 'Europe/Berlin')"), MOMENT),
    ("JSON", {"a": {"b": 1, "c": "x"}, "d": [1, None], "e": [{"f": {"g": True}}], "h": 2.5}),
    ("JSON", {"a": 1, "a.b": {"c": 2}, "n": None, "o": {}}, {"a": 1, "a.b.c": 2}),
    ("JSON(a UInt8, b.c Array(String), n Nullable(Date))", {"b": {"c": ["x"]}, "z": {"y": MOMENT}},
     {"a": 0, "b": {"c": ["x"]}, "n": None, "z": {"y": MOMENT}}),
    ("Array(JSON)", [{"a": 1}, {}]),
    ("JSON(max_dynamic_paths=1)", {"a": 1, "b": [1, "x"], "c": {"d": dt.date(2024, 1, 2)}}),
]  # fmt: skip


@pytest.mark.engine
@pytest.mark.timeout(600)
def test_what_the_engine_writes(engine: Any) -> None:
    columns = [(f"c{index}", case[0]) for index, case in enumerate(STORED)]
    row = tuple(case[1] for case in STORED)
    body = select(engine, columns, [row, row])
    names, types, rows = decode_body(body)
    assert names == tuple(name for name, _ in columns)
    assert types == rowbinary.Schema(columns).types
    assert len(rows) == 2
    for found in rows:
        for value, case in zip(found, STORED, strict=True):
            assert same(value, case[-1]), case[0]
    assert isinstance(rows[0][16], dt.datetime)
    assert rows[0][16].tzinfo is BERLIN
    check_body(body, columns)


@pytest.mark.engine
@pytest.mark.timeout(600)
@settings(max_examples=40)
@given(st.data())
def test_random_rows_of_the_engine(engine: Any, data: st.DataObject) -> None:
    columns = data.draw(schemas())
    rows = data.draw(st.lists(st.tuples(*(values_of(text) for _, text in columns)), min_size=1, max_size=4))
    check_body(select(engine, columns, rows), columns)


# --- hostile bytes ------------------------------------------------------------------------------------


def body_of(cases: list[tuple[Any, ...]]) -> bytes:
    columns = [(f"c{index}", case[0]) for index, case in enumerate(cases)]
    return rowbinary.encode_rows(columns, [tuple(case[1] for case in cases)], format=FORMAT)


BODIES = [body_of(STORED[start : start + 15]) for start in range(0, len(STORED), 15)]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_every_truncation(body: bytes) -> None:
    assert len(decode_body(body)[2]) == 1
    start = len(rowbinary.Schema(list(zip(*decode_body(body)[:2], strict=True))).plan.header(FORMAT))
    for end in range(1, len(body)):
        if end == start:
            assert decode_body(body[:end])[2] == []  # the header alone is a body
            continue
        error = refuse(body[:end])
        assert error.offset is not None
        assert 0 <= error.offset <= end
        assert error.row == (None if end < start else 0)


def mutations(body: bytes) -> st.SearchStrategy[bytes]:
    def apply(edits: list[tuple[int, int, bytes]]) -> bytes:
        changed = bytearray(body)
        for at, length, new in edits:
            changed[at : at + length] = new
        return bytes(changed)

    new = st.one_of(
        st.binary(max_size=3), st.sampled_from([b"\xff", b"\x1e", b"\x30", b"\x2b\x20", varint(2**63)])
    )
    return st.lists(st.tuples(st.integers(0, len(body)), st.integers(0, 2), new), min_size=1, max_size=4).map(
        apply
    )


def outcome(body: bytes) -> None:
    """Rows or a DecodeError, and soon."""
    began = time.perf_counter()
    offset = 0
    try:
        names, types, rows = decode_body(body)
        assert len(names) == len(types)
        assert all(len(row) == len(names) for row in rows)
    except DecodeError as error:
        offset = -1 if error.offset is None else error.offset
    assert 0 <= offset <= len(body)
    assert time.perf_counter() - began < 5


@settings(max_examples=times(150, 400))
@given(st.sampled_from(BODIES).flatmap(mutations))
def test_mutated_bodies(body: bytes) -> None:
    outcome(body)


@settings(max_examples=400)
@given(
    st.sampled_from(["Dynamic", "JSON", "Array(Dynamic)", "JSON(a Dynamic, b Int8)"]), st.binary(max_size=60)
)
def test_random_bytes(type_text: str, data: bytes) -> None:
    outcome(data)
    outcome(header(("c", type_text)) + data)


@settings(max_examples=300)
@given(st.text(max_size=30))
def test_random_zones(name: str) -> None:
    outcome(header(("c", "Dynamic")) + b"\x12" + string(name) + bytes(4))


def arrays(depth: int) -> str:
    return "Array(" * depth + "UInt8" + ")" * depth


HUGE = varint(2**63)
DYNAMIC, DOCUMENT = header(("c", "Dynamic")), header(("c", "JSON"))
LIES: list[tuple[str, bytes, str]] = [
    ("columns", HUGE, "do not fit"),
    ("few columns", varint(1000) + b"\1a", "do not fit"),
    ("name", b"\1" + HUGE, "bytes are needed, 0 are left"),
    ("name no UTF-8", b"\1\1\xff", "the name of a column is not UTF-8"),
    ("type", b"\1\1a" + HUGE, "bytes are needed"),
    ("type no UTF-8", b"\1\1a\1\xff", "the text of a type is not UTF-8"),
    ("garbage", b"\1\1a" + string("\0(((%s"), "type '.*'"),
    ("no type", b"\1\1a\0", "type ''"),
    ("unknown type", b"\1\1a" + string("Int9"), "type 'Int9': unknown type 'Int9'"),
    ("deep text", header(("a", arrays(10_000))), "nested deeper than 300"),
    ("less deep", header(("a", arrays(MAX_TYPE_DEPTH))), "deeper than 140"),
    ("web page", b"<html><body>502 Bad Gateway</body></html>", "do not fit|are needed"),
    ("varint", b"\x80" * 11, "more than 64 bits"),
    ("varint of 65 bits", b"\xff" * 9 + b"\x02", "more than 64 bits"),
    ("string", header(("c", "String")) + HUGE, "bytes are needed, 0 are left"),
    ("array", header(("c", "Array(UInt8)")) + HUGE, "do not fit in the 0 bytes left"),
    ("map", header(("c", "Map(String, UInt8)")) + HUGE, "do not fit"),
    ("qbit", header(("c", "QBit(Float32, 2)")) + b"\3" + bytes(12), "3 elements instead of the 2"),
    ("empty elements", header(("c", "Array(Tuple(Tuple()))")) + varint(MAX_EMPTY + 1), "take no bytes"),
    ("empty pairs", header(("c", "Map(Tuple(), Tuple())")) + varint(MAX_EMPTY + 1), "take no bytes"),
    ("nothing", header(("c", "Array(Nothing)")) + b"\1", "do not fit"),
    ("some nothing", header(("c", "Array(Nothing)"), ("d", "UInt8")) + b"\1\1", "Nothing has no values"),
    ("flag", header(("c", "Nullable(UInt8)")) + b"\2\1", "the NULL flag is 2"),
    ("label", header(("c", "Enum8('a' = 1)")) + b"\2", "2 is no number of Enum8"),
    ("member", header(("c", "Variant(String, UInt8)")) + b"\2\1", "member 2 of a Variant of 2 members"),
    ("zone", header(("c", "DateTime('Nowhere')")) + bytes(4), "time zone 'Nowhere' is not known here"),
    ("deep tags", DYNAMIC + b"\x1e" * 100_000, "deeper than 140 levels"),
    ("custom in tags", DYNAMIC + b"\x1e" * 80 + b"\x2c" + string(arrays(80)), "deeper than 140"),
    ("deep values", DYNAMIC + b"\x1e\x2b\x20\x01" * 100_000, "values nested deeper than 300 levels"),
    ("deep dynamics", DYNAMIC + b"\x2b\x20" * 100_000, "values nested deeper than 300 levels"),
    ("deep documents", DOCUMENT + b"\x01\x01a\x30\0\x80\x08\x20\0\0\0" * 10_000, "deeper than 300 levels"),
    ("paths", DOCUMENT + HUGE, "do not fit"),
    ("same path", DOCUMENT + b"\2\1a\1\1\1a\1\1", "path 'a' twice"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "match"), [case[1:] for case in LIES], ids=[case[0] for case in LIES])
def test_lies(body: bytes, match: str) -> None:
    began = time.perf_counter()
    error = refuse(body, match)
    assert error.offset is not None
    assert time.perf_counter() - began < 5


def test_empty_values_have_a_limit_in_total(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a row of one byte could hold as many tuples as its type has elements, for every byte."""
    monkeypatch.setattr("rowbinary._read.MAX_EMPTY", 1000)
    columns = ("c", f"Tuple(UInt8, {', '.join(['Tuple()'] * 100)})")
    assert len(decode_body(header(columns) + bytes(10))[2]) == 10
    assert refuse(header(columns) + bytes(11), "more than 1000 values that take no bytes").row == 10


@pytest.mark.parametrize(
    "make",
    [
        lambda n: DYNAMIC + b"".join(b"\x1e\x16" + varint(0xFFFFFF - i) + b"\0" for i in range(n)),
        lambda n: DYNAMIC + b"".join(b"\x1e\x36\x0e" + varint(8 * 0xFFFFFF - i) + b"\0" for i in range(n)),
        lambda n: header(*((f"c{i}", f"FixedString({0xFFFFFF - i})") for i in range(n))),
        lambda n: DOCUMENT + b"\x01" + string("x" * 100 * n + ".a" * 400) + b"\x2d\x01",
        lambda n: DOCUMENT + b"\x01" + string("." * 100 * n) + b"\x2d\x01",
    ],
    ids=["FixedString", "QBit", "columns", "long path", "dots"],
)
def test_memory_is_a_multiple_of_the_body(make: Callable[[int], bytes]) -> None:
    """Types that are large and paths that are deep, without a value that would be as large."""
    body = make(500)
    tracemalloc.start()
    try:
        decode_body(body)
        assert tracemalloc.get_traced_memory()[1] < 500 * len(body)
    finally:
        tracemalloc.stop()


def test_a_stack_that_is_used_up() -> None:
    body = DYNAMIC + b"\x1e\x2b\x20\x01" * (MAX_LEVELS // 2 - 1) + b"\x01\x05"
    assert len(decode_body(body)[2]) == 1

    def deep(levels: int) -> None:
        if levels:
            deep(levels - 1)
        else:
            refuse(body, "nested too deeply for the interpreter's stack")

    deep(sys.getrecursionlimit() - 400)


# --- the error ------------------------------------------------------------------------------------------


def test_the_error_says_where() -> None:
    body = header(("a", "UInt8"), ("b", "String")) + b"\1\1x" + b"\2\5yz"
    error = refuse(body)
    assert str(error) == f"row 1, column 'b', offset {len(body) - 2}: 5 bytes are needed, 2 are left"
    assert (error.row, error.column, error.offset) == (1, "b", len(body) - 2)
    assert error.reason == "5 bytes are needed, 2 are left"
    assert isinstance(error, rowbinary.RowBinaryError)
    assert isinstance(error, ValueError)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.offset, again.column) == (str(error), error.offset, "b")


def test_the_error_of_a_header() -> None:
    error = refuse(b"\2\1a\1b\5UInt8\4Int9")
    assert (error.row, error.column, error.offset) == (None, "b", 11)
    assert str(DecodeError("broken")) == "broken"
