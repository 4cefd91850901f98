"""The decoders: golden bytes, single values, nested documents, and what their error says."""

from __future__ import annotations

import datetime as dt
import decimal
import pickle
from typing import Any

import canonical
import pytest
from conftest import value_of
from decode_cases import BERLIN, UTC, VALUES, decode, header, refuse, same

import rowbinary
from rowbinary import DecodeError, typed
from rowbinary._decode import decode_body
from rowbinary._opcodes import Op
from rowbinary._read import MAX_LEVELS, READERS, nest
from rowbinary._typed import Typed
from rowbinary._varint import string


def decode_one(type_text: str, data: bytes) -> Any:
    """The only value of a column of `type_text`."""
    ((value,),) = decode(None, header(("c", type_text)) + data)
    return value


# --- golden bytes ----------------------------------------------------------------------------------


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


# --- values ----------------------------------------------------------------------------------------


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


def test_answers_of_a_server(impl: str) -> None:
    """What ``Client.query`` calls: names, types and rows; a statement without a result has no bytes."""
    assert decode_body(b"", impl) == ((), (), [])
    assert decode_body(b"\0", impl) == ((), (), [])
    types = (rowbinary.parse_type("Point"), rowbinary.parse_type("DateTime64(9)"))
    body = header(("p", "Point"), ("t", "DateTime64(9)")) + bytes(16) + int64(1)
    assert decode_body(body, impl) == (("p", "t"), types, [((0.0, 0.0), 1)])
    with pytest.raises(DecodeError, match="8 bytes are needed, 7 are left"):
        decode_body(body[:-1], impl)


def test_rows_without_bytes() -> None:
    """They cannot be counted: a body that ends after the header has none, and others are refused."""
    assert decode(None, header(("c", "Tuple()"))) == []
    refuse(header(("c", "Tuple()")) + b"x", "bytes after the header, but a row takes none")
    refuse(b"\0x", "bytes after the header, but a row takes none")


def test_columns_of_one_name() -> None:
    assert decode(None, header(("a", "UInt8"), ("a", "UInt8")) + b"\1\2") == [(1, 2)]


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


# --- the error -------------------------------------------------------------------------------------


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
