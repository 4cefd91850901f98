"""FORMAT Native: blocks of the engine, forms of columns that other writers may send, and how blocks follow
each other.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from conftest import load, value_of
from decode_cases import UTC, check_all, column, decode, number, refuse, same
from native_blocks import families, rows_of

import rowbinary
from rowbinary import Schema, encode_rows
from rowbinary._varint import string, varint

NATIVE: Any = {"format": "Native"}


def value(type_text: str, data: bytes, rows: int = 1, **choices: Any) -> Any:
    """The values of the only column of a block."""
    found = decode(None, column(type_text, data, rows), **NATIVE, **choices)
    assert len(found) == rows
    return [row[0] for row in found]


def bad(type_text: str, data: bytes, match: str, rows: int = 1) -> rowbinary.DecodeError:
    error = refuse(column(type_text, data, rows), match, **NATIVE)
    assert error.column == "c"
    return error


# --- blocks of the engine ---------------------------------------------------------------------------------

VECTORS = load("native.jsonl")
STATES = [vector for vector in VECTORS if "AggregateFunction" in vector["ddl"].replace("SimpleA", "")]
READABLE = [vector for vector in VECTORS if vector not in STATES]


def name_of(vector: dict[str, Any]) -> str:
    return f"{vector['ddl']}: {vector['rows']}"[:80]


def test_there_are_vectors_of_both_kinds() -> None:
    assert len(READABLE) > 190
    assert len(STATES) > 3


@pytest.mark.parametrize("vector", READABLE, ids=name_of)
def test_golden_blocks(vector: dict[str, Any]) -> None:
    """What another reader finds in the bytes of the engine, with and without the schema."""
    body, schema = bytes.fromhex(vector["hex"]), Schema.parse(vector["ddl"])
    found = decode(schema, body, **NATIVE)
    assert len(found) == len(value_of(vector, "rows"))
    for row, tree in zip(found, rows_of(body, schema), strict=True):
        check_all(list(zip(row, tree, schema.types, strict=True)))
    alone = decode(None, body, **NATIVE)
    within = set[str]().union(*map(families, schema.types))
    assert same(alone, found) or "DateTime" in within  # whose zone is not in the block
    if vector["exact"] and not {"Variant", "Geometry", "Dynamic", "JSON"} & within:
        assert encode_rows(schema, found, format="Native") == body


@pytest.mark.parametrize("vector", READABLE, ids=name_of)
def test_golden_blocks_as_rowbinary(vector: dict[str, Any]) -> None:
    """The values of the block are those of the same rows in RowBinary."""
    schema, rows = Schema.parse(vector["ddl"]), value_of(vector, "rows")
    found = decode(schema, bytes.fromhex(vector["hex"]), **NATIVE)
    if any("JSON(" in str(type_) for type_ in schema.types):  # a block fills typed paths
        return
    sent = decode(schema, encode_rows(schema, rows))
    assert same(found, sent)


@pytest.mark.parametrize("vector", STATES, ids=name_of)
def test_states_are_refused(vector: dict[str, Any]) -> None:
    error = refuse(bytes.fromhex(vector["hex"]), r"a state of AggregateFunction.* has no length", **NATIVE)
    assert error.row is not None
    assert error.column is not None


# --- dictionaries -------------------------------------------------------------------------------------------

LOW, NULL_LOW = "LowCardinality(String)", "LowCardinality(Nullable(String))"


def dictionary(entries: bytes, size: int, keys: list[int], width: int = 1, flags: int = 0x600) -> bytes:
    """A LowCardinality column."""
    log = width.bit_length() - 1
    data = b"".join(key.to_bytes(width, "little") for key in keys)
    return number(1, flags | log, size) + entries + number(len(keys)) + data


@pytest.mark.parametrize("flags", [0x200, 0x600])
@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_keys_of_any_width(width: int, flags: int) -> None:
    """Also wider ones than the dictionary needs; kept for later blocks or not."""
    data = dictionary(b"\0\1a\1b", 3, [1, 2, 0, 1], width, flags)
    assert value(LOW, data, 4) == ["a", "b", "", "a"]


def test_dictionaries_of_other_writers() -> None:
    """Without the default, with an entry twice, with entries that no row has."""
    assert value(LOW, dictionary(b"\1a", 1, [0, 0]), 2) == ["a", "a"]
    assert value(LOW, dictionary(b"\1a\1a\1b", 3, [0, 1, 2]), 3) == ["a", "a", "b"]
    assert value(LOW, dictionary(b"\0\1a\1\xff\1b", 4, [3]), 1) == ["b"]
    assert value(LOW, dictionary(b"".join(b"\1" + bytes([i]) for i in range(97, 122)), 25, [24]), 1) == ["y"]
    assert value("LowCardinality(UInt16)", dictionary(b"\5\0\6\0", 2, [1, 0]), 2) == [6, 5]
    assert value("LowCardinality(FixedString(2))", dictionary(b"abcd", 2, [1, 0]), 2) == [b"cd", b"ab"]


def test_null_is_the_first_entry() -> None:
    """Whatever stands there; without other entries all are NULL."""
    assert value(NULL_LOW, dictionary(b"\0\0\1a", 3, [0, 1, 2]), 3) == [None, "", "a"]
    assert value(NULL_LOW, dictionary(b"\3abc\1a", 2, [0, 1]), 2) == [None, "a"]
    assert value(NULL_LOW, dictionary(b"\2\xff\xff", 1, [0, 0]), 2, invalid_utf8="error") == [None, None]
    nullable = "LowCardinality(Nullable(DateTime('Europe/Berlin')))"
    ((found, null),) = decode(None, column(f"Array({nullable})", number(1, 2, 0x600, 2)[:8] + number(2)
                              + dictionary(bytes(4) + b"\5\0\0\0", 2, [1, 0])[8:]), **NATIVE)[0]  # fmt: skip
    assert (found, null) == (dt.datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC), None)


def test_no_values_have_no_dictionary() -> None:
    assert value(f"Array({LOW})", number(1, 0, 0), 2) == [[], []]
    assert value(f"Map({LOW}, {NULL_LOW})", number(1, 1, 0), 1) == [{}]


def test_dictionaries_that_are_refused() -> None:
    good = dictionary(b"\0\1a", 2, [1])
    assert value(LOW, good) == ["a"]
    bad(LOW, number(2) + good[8:], "the version of a dictionary is 2, not 1")
    for flags in (0x100, 0x300, 0x400, 0x604, 0x610, 0x1600, 2**63, 0):
        assert bad(LOW, number(1, flags) + good[16:], f"a dictionary with the flags 0x{flags:x}").row == 0
    error = bad(LOW, dictionary(b"\0\1a", 2, [1, 0, 2]), "key 2 of a dictionary of 2 entries", 3)
    assert error.row == 2
    bad(LOW, dictionary(b"", 0, [0]), "key 0 of a dictionary of 0 entries")
    bad(NULL_LOW, dictionary(b"", 0, [0]), "key 0 of a dictionary of 0 entries")
    bad(LOW, good, "the number of keys is 1, not 2", 2)
    bad(LOW, number(1, 0x600, 2**40), "1099511627776 entries of a dictionary: 1073741824 are read at most")
    error = bad(LOW, number(1, 0x600, 2) + b"\1a\5b", "5 bytes are needed, 1 are left")
    assert error.row is None  # an entry is in many rows, or in none


# --- NULL ---------------------------------------------------------------------------------------------------

# Types, and bytes that are no value of theirs.
UNDER_NULL: list[tuple[str, bytes, bytes, Any]] = [
    ("Enum8('a' = 1)", b"\0", b"\1", "a"), ("Enum16('a' = 300)", b"\xff\xff", b"\x2c\1", "a"),
    ("String", b"\2\xff\xff", b"\1a", "a"), ("Bool", b"\x05", b"\1", True),
    ("FixedString(2)", b"\xff\xff", b"ab", b"ab"), ("UInt256", b"\xff" * 32, bytes(32), 0),
    ("DateTime64(9)", b"\xff" * 8, number(1000), dt.datetime(1970, 1, 1, 0, 0, 0, 1, UTC)),
    ("Date32", b"\xff\xff\xff\x7f", b"\0\0\0\0", dt.date(1970, 1, 1)),
    ("Decimal(9, 2)", b"\xff" * 4, b"\0\0\0\0", 0), ("UUID", b"\xff" * 16, bytes(16), None),
    ("Nothing", b"\x05", b"", None),
]  # fmt: skip


@pytest.mark.parametrize(("inner", "garbage", "good", "expected"), UNDER_NULL, ids=[c[0] for c in UNDER_NULL])
def test_what_stands_under_null(inner: str, garbage: bytes, good: bytes, expected: Any) -> None:
    """It is not looked at."""
    nulls = b"\1\0\1" if good else b"\1\1"
    found = value(f"Nullable({inner})", nulls + garbage + good + garbage, len(nulls), invalid_utf8="error")
    assert found[0] is found[-1] is None
    if expected is not None:
        assert found[1] == expected


def test_tuples_under_null() -> None:
    """Servers store 0 in an Enum there, which none of its labels need have."""
    inner = "Tuple(e Enum8('a' = 1), t Tuple(String, Enum8('b' = 2)))"
    data = b"\1\0" + b"\0\1" + b"\1\xff\1x" + b"\0\2"
    assert value(f"Nullable({inner})", data, 2, invalid_utf8="error") == [None, {"e": "a", "t": ("x", "b")}]
    assert value("Nullable(Tuple())", b"\1\0" + b"00", 2) == [None, ()]
    nullable = "Nullable(Tuple(Nullable(Enum8('a' = 1))))"
    assert value(nullable, b"\0\1\0" + b"\1\0\0" + b"\0\0\1", 3) == [(None,), None, ("a",)]
    bad("Nullable(Tuple(Enum8('a' = 1)))", b"\1\0" + b"\0\0", "0 is no number of Enum8", 2)


def test_flags_of_null() -> None:
    error = bad("Nullable(UInt8)", b"\0\1\2\5\6\7", "the NULL flag is 2, neither 0 nor 1", 3)
    assert (error.row, error.offset) == (2, len(column("Nullable(UInt8)", b"\0\1")))
    assert bad("Nullable(Nothing)", b"\1\0\0\0", "Nothing has no values", 2).row == 1
    assert bad("Nothing", b"\0", "Nothing has no values").row == 0
    assert value("Array(Nothing)", number(0, 0), 2) == [[], []]


# --- variants and dynamics ----------------------------------------------------------------------------------


def test_variants() -> None:
    text = "Variant(UInt8, String, Array(UInt8))"  # numbers are those of the sorted names
    data = number(0) + b"\2\xff\0\1\2" + number(2) + b"\5\6" + b"\1s" + b"\7\x08"
    assert value(text, data, 5) == [7, None, [5, 6], "s", 8]
    assert value("Variant(UInt8, String)", number(0) + b"\xff\xff", 2) == [None, None]
    bad("Variant(UInt8, String)", number(1) + b"\0", "the mode of a Variant is 1, not 0")
    error = bad("Variant(UInt8, String)", number(0) + b"\1\2\5", "member 2 of a Variant of 2 members", 2)
    assert error.row == 1


def test_geometry_has_numbers_of_its_own() -> None:
    point = bytes(16)
    data = number(0) + b"\6\3\5" + point + number(1) + point + number(1) + point
    assert value("Geometry", data, 3) == [[(0.0, 0.0)], (0.0, 0.0), [(0.0, 0.0)]]


def dynamic(*types: str, layout: int = 1, limit: int = 32, mode: int = 0) -> bytes:
    """The prefix of a Dynamic."""
    limits = varint(limit) if layout == 1 else b""
    return number(layout) + limits + varint(len(types)) + b"".join(map(string, types)) + number(mode)


INT = number(7)


@pytest.mark.parametrize("layout", [1, 2])
def test_dynamics(layout: int) -> None:
    """Types in any order and spelling; the shared variant is sorted among them."""
    data = dynamic("String", "Int64", layout=layout) + b"\0\2\1\xff\2" + INT + b"\3\x15\1s" + b"\1x\1y"
    assert value("Dynamic", data, 5) == [7, "x", "s", None, "y"]
    spelled = dynamic("VARCHAR(5)", " BIGINT ", layout=layout) + b"\2\0" + INT + b"\1x"
    assert value("Dynamic", spelled, 2) == ["x", 7]
    assert value("Dynamic", dynamic(layout=layout) + b"\0\xff\0" + b"\2\1\5" + b"\1\0", 3) == [5, None, None]


@pytest.mark.parametrize("limit", [0, 5, 254, 2**40])
def test_limits_do_not_matter(limit: int) -> None:
    prefix = dynamic("Int64", "UInt8", limit=limit)
    assert value("Dynamic(max_types=1)", prefix + b"\2\0" + INT + b"\5", 2) == [5, 7]
    paths = number(0) + varint(limit) + varint(1) + b"\1a"
    assert value("JSON", paths + dynamic("Int64") + b"\0" + INT + bytes(8)) == [{"a": 7}]


def test_a_dynamic_of_everything() -> None:
    types = ["Array(Dynamic)", "JSON", "LowCardinality(String)", "Tuple(a UInt8, b String)"]
    prefix = dynamic(*types) + dynamic("UInt8") + number(0) + b"\0\0" + number(1)
    data = b"\0\1\2\4"
    array = number(2) + b"\1\xff\5"
    document = number(1) + b"\1k" + b"\3\x15\1v"
    low = dictionary(b"\0\1l", 2, [1])[8:]
    assert value("Dynamic", prefix + data + array + document + low + b"\6\1t", 4) == [
        [5, None], {"k": "v"}, "l", {"a": 6, "b": "t"},
    ]  # fmt: skip


def test_dynamics_that_are_refused() -> None:
    for layout in (0, 3, 4, 5, 2**60):
        match = f"Dynamic in layout {layout}: only 1 and 2 are read"
        assert bad("Dynamic", number(layout) + bytes(30), match).row == 0
    bad("Dynamic", dynamic("String", mode=1) + b"\xff", "the mode of a Variant is 1, not 0")
    bad("Dynamic", dynamic("String", "String") + b"\xff", "a Dynamic of String twice")
    bad("Dynamic", dynamic("String", "TEXT") + b"\xff", "a Dynamic of String twice")
    bad("Dynamic", dynamic("SharedVariant") + b"\xff", "type 'SharedVariant': unknown type")
    for type_text in ("Nothing", "Nullable(UInt8)", "Dynamic", "Variant(UInt8, String)"):
        bad("Dynamic", dynamic(type_text) + b"\xff", "a Dynamic of ")
    bad("Dynamic", number(1) + b"\x20" + varint(255) + bytes(999), "255 types: 254 are read at most")
    assert bad("Dynamic", dynamic("String") + b"\xff\2\5", "member 2 of a Dynamic of 2 types", 2).row == 1
    longer = dynamic() + b"\0\0" + b"\2\1\5" + b"\3\1\5\6"
    assert bad("Dynamic", longer, "a value of 3 bytes that ends at", 2).row == 1
    bad("Dynamic", dynamic() + b"\0" + b"\1\1\5", "a value of 1 bytes that ends at")
    bad("Dynamic", dynamic() + b"\0" + b"\x09\1\5", "9 bytes are needed, 2 are left")


def test_as_many_types_as_there_can_be() -> None:
    types = [f"FixedString({size})" for size in range(1, 255)]
    place = sorted([*types, "SharedVariant"]).index("FixedString(254)")
    assert value("Dynamic", dynamic(*types) + bytes([place]) + b"x" * 254) == [b"x" * 254]


# --- documents ----------------------------------------------------------------------------------------------


def document(*paths: tuple[str, bytes], layout: int = 0) -> bytes:
    """The prefix of a JSON column without typed paths: paths, and the prefixes of their values."""
    limits = varint(1024) if layout == 0 else b""
    names = b"".join(string(path) for path, _ in paths)
    return number(layout) + limits + varint(len(paths)) + names + b"".join(prefix for _, prefix in paths)


@pytest.mark.parametrize(("layout", "inner"), [(0, 1), (0, 2), (2, 1), (2, 2)])
def test_documents(layout: int, inner: int) -> None:
    """Paths of their own in any order, rest in shared data; both layouts, also mixed."""
    paths = [("z", dynamic("Int64", layout=inner)), ("a.b", dynamic("String", layout=inner))]
    prefix = document(*paths, layout=layout)
    data = b"\0\xff" + INT + b"\xff\1\1x"
    shared = number(2, 3) + b"\1q" + b"\3a.c" + b"\1k" + b"\2\1\5" + b"\3\x15\1s" + b"\2\x2d\1"
    assert value("JSON", prefix + data + shared, 2) == [
        {"z": 7, "q": 5, "a": {"c": "s"}}, {"a": {"b": "x"}, "k": True},
    ]  # fmt: skip
    assert value("JSON", prefix + data + shared, 2, json="paths")[1] == {"a.b": "x", "k": True}


def test_typed_paths_are_always_there() -> None:
    """Sorted by the bytes of the path; an untyped one that is NULL is absent."""
    text = "JSON(b UInt8, a.c LowCardinality(Nullable(String)), a Nullable(UInt8), `é` Array(UInt8))"
    prefix = number(0) + b"\0\1" + b"\1n" + number(1) + dynamic("Int64")
    typed = b"\1\0\0\5" + dictionary(b"\0\0\1x", 3, [0, 2])[8:] + b"\6\7" + number(1, 1) + b"\x09"
    data = typed + b"\xff\xff" + number(0, 1) + b"\1m" + b"\1\0"
    assert value(text, prefix + data, 2) == [
        {"a": None, "a.c": None, "b": 6, "é": [9]}, {"a": 5, "a.c": "x", "b": 7, "é": []},
    ]  # fmt: skip


def test_documents_without_paths() -> None:
    assert value("JSON", document() + number(0, 0), 2) == [{}, {}]
    assert value("Array(JSON)", document() + number(0, 2) + number(0, 0), 2) == [[], [{}, {}]]
    assert value("Nullable(JSON)", document() + b"\1\0" + number(0, 0), 2) == [None, {}]
    assert value("Array(JSON)", document() + number(0, 0), 2) == [[], []]


def test_paths_that_are_not_usual() -> None:
    prefix = document(("", dynamic("Int64")), ("a", dynamic("Int64")), ("a.b", dynamic("Int64")))
    data = (b"\0" + INT) * 3 + number(1) + b"\1." + b"\2\1\5"
    assert value("JSON", prefix + data) == [{"": 7, "a": 7, "a.b": 7, ".": 5}]
    invalid = document() + number(1) + b"\1\xff" + b"\2\1\5"
    assert value("JSON", invalid) == [{b"\xff": 5}]
    assert value("JSON", invalid, invalid_utf8="surrogateescape") == [{"\udcff": 5}]


def test_documents_that_are_refused() -> None:
    for layout in (1, 3, 4, 5, 2**40):
        bad("JSON", number(layout) + bytes(30), f"JSON in layout {layout}: only 0 and 2 are read")
    twice = document(("a", dynamic()), ("a", dynamic()))
    bad("JSON", twice + b"\xff\xff" + bytes(8), "a JSON column with one path twice")
    bad("JSON(a UInt8)", number(0) + b"\0\1\1a" + dynamic() + b"\5\xff" + bytes(8), "with one path twice")
    shared = document() + number(0, 2) + b"\1a\1a" + b"\2\1\5" * 2
    assert bad("JSON", shared, "path 'a' twice in one JSON value", 2).row == 1
    listed = document(("a", dynamic("Int64"))) + b"\xff\0" + INT + number(1, 2) + b"\1a\1a" + b"\2\1\5" * 2
    assert bad("JSON", listed, "path 'a' twice in one JSON value", 2).row == 1
    bad("JSON", document() + number(2, 1), "an array that ends at 1, after one that ends at 2", 2)


def test_quantized_vectors() -> None:
    """Planes of bits, the highest first; with a stride group by group; Int8 too, which servers have."""
    assert value("QBit(Int8, 8)", bytes.fromhex("0000000080786655")) == [[1, 2, 3, 4, 5, 6, 7, 8]]
    nine = [float(index) for index in range(9)]
    for text, sent in (("QBit(Float32, 9)", nine), ("QBit(BFloat16, 16, 8)", nine + [0.5] * 7)):
        body = encode_rows([("c", text)], [(sent,), (sent[::-1],)], format="Native")
        assert decode(None, body, **NATIVE) == [(sent,), (sent[::-1],)]
    bad("QBit(Float32, 8)", bytes(31), "32 bytes are needed, 31 are left")
