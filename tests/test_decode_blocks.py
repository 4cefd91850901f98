"""FORMAT Native: how blocks follow each other, whose row a broken value is, and how deep columns may be."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from decode_cases import block, column, decode, number, outcome, refuse

import rowbinary
from rowbinary import DEFAULT, decode_rows, encode_rows, iter_decode
from rowbinary._cursor import EXACT
from rowbinary._options import MAX_TYPE_DEPTH
from rowbinary._read import MAX_LEVELS
from rowbinary._varint import string, varint

NATIVE: Any = {"format": "Native"}
A, B = ("a", "UInt8", b"\1\2"), ("b", "String", b"\1x\1y")
AGAIN = ("a", "UInt8", b"\3"), ("b", "String", b"\1z")


# --- blocks -------------------------------------------------------------------------------------------------


def test_columns_in_another_order() -> None:
    """They are found by name: those of the first block, or of the schema, say where they are in a row."""
    body = block(A, B, rows=2) + block(*AGAIN[::-1])
    assert decode(None, body, **NATIVE) == [(1, "x"), (2, "y"), (3, "z")]
    assert decode("b String, a UInt8", body, **NATIVE) == [("x", 1), ("y", 2), ("z", 3)]
    columns = decode("b String, a UInt8", body, rows="columns", **NATIVE)
    assert list(columns.items()) == [("b", ["x", "y", "z"]), ("a", [1, 2, 3])]
    assert list(decode("b String, a UInt8", body, rows="dicts", **NATIVE)[0]) == ["b", "a"]


def test_columns_that_are_not_there() -> None:
    """Where a schema says them the server is to compute them; else blocks must be alike."""
    body = block(A, B, rows=2) + block(AGAIN[0]) + block(("c", "UInt8", b"\5"))
    columns = "a UInt8, b String, c UInt8"
    found = decode(columns, body, **NATIVE)
    assert found == [
        (1, "x", DEFAULT), (2, "y", DEFAULT), (3, DEFAULT, DEFAULT), (DEFAULT, DEFAULT, 5),
    ]  # fmt: skip
    assert found[2][1] is DEFAULT
    assert decode(columns, body, rows="columns", **NATIVE)["c"] == [DEFAULT] * 3 + [5]
    less = block(A, B, rows=2) + block(AGAIN[0])
    error = refuse(less, "without some of the columns of the first", **NATIVE)
    assert (error.row, error.column) == (None, None)
    assert error.offset == len(block(A, B, rows=2))


def test_columns_that_nobody_knows() -> None:
    other = block(("z", "UInt8", b"\1"))
    error = refuse(other, "no column of this name is in the schema", "a UInt8", **NATIVE)
    assert (error.row, error.column, error.offset) == (None, "z", 4)
    error = refuse(block(A, B, rows=2) + other, "no column of this name is in the first block", **NATIVE)
    assert (error.row, error.column) == (None, "z")
    signed = block(A, rows=2) + block(("a", "Int8", b"\1"))
    error = refuse(signed, "Int8, not UInt8 as in the first block", **NATIVE)
    assert (error.row, error.column) == (None, "a")


def test_types_may_be_spelled_in_other_ways() -> None:
    body = block(("a", "UInt8", b"\1")) + block(("a", " TINYINT UNSIGNED ", b"\2"))
    assert decode("a UInt8", body, **NATIVE) == decode(None, body, **NATIVE) == [(1,), (2,)]
    error = refuse(body + block(("a", "uint8", b"\3")), "type 'uint8': unknown type", **NATIVE)
    assert error.offset == len(body + block(("a", "", b""))) - 1


@pytest.mark.parametrize("schema", [None, "a UInt8, b String"])
def test_blocks_without_rows(schema: Any) -> None:
    """They have names and types and nothing behind them, wherever they stand."""
    empty = block(("a", "UInt8", b""), ("b", "String", b""), rows=0)
    full = block(A, B, rows=2)
    for body in (empty + full, full + empty, empty + empty + full + empty):
        assert decode(schema, body, **NATIVE) == [(1, "x"), (2, "y")]
        assert decode(schema, body, rows="columns", **NATIVE) == {"a": [1, 2], "b": ["x", "y"]}
    assert decode(schema, empty, **NATIVE) == []
    assert decode(schema, empty, rows="columns", **NATIVE) == {"a": [], "b": []}
    refuse(block(("a", "Int9", b""), rows=0), "unknown type 'Int9'", **NATIVE)


def test_blocks_without_columns() -> None:
    """The server ends its reading at 0 columns and 0 rows, without an error: rows would be lost."""
    full = block(A, B, rows=2)
    for none in (b"\0\0", b"\0\3"):
        error = refuse(full + none + full, "a block without columns", **NATIVE)
        assert (error.row, error.column, error.offset) == (None, None, len(full))


def test_what_is_no_block() -> None:
    refuse(block(A, rows=2) + b"\0", "1 bytes are needed, 0 are left", **NATIVE)
    refuse(varint(2**40) + varint(1), "1 bytes are needed, 0 are left", **NATIVE)
    error = refuse(b"\1" + varint(2**30 + 1) + b"\1a\5UInt8", "a block of 1073741825 rows", **NATIVE)
    assert error.offset == 0
    refuse(b"Code: 60. DB::Exception: Table t does not exist", "type .*|bytes are needed", **NATIVE)
    refuse(encode_rows("a UInt8, b String", [(1, "x")] * 9), **NATIVE)


def test_a_block_at_a_time(impl: str) -> None:
    """Rows of blocks before a broken one are given; columns come block by block."""
    first, second = block(A, B, rows=2), block(*AGAIN)
    broken = second[:-1]
    found = iter_decode(None, [first + second + broken], implementation=impl, **NATIVE)
    assert [next(found) for _ in range(3)] == [(1, "x"), (2, "y"), (3, "z")]
    with pytest.raises(rowbinary.DecodeError, match="1 bytes are needed, 0 are left") as caught:
        next(found)
    assert caught.value.row == 3
    parts = iter_decode(None, [first, second], rows="columns", implementation=impl, **NATIVE)
    assert list(parts) == [{"a": [1, 2], "b": ["x", "y"]}, {"a": [3], "b": ["z"]}]


def test_many_blocks() -> None:
    rows = [(index, f"n{index % 7}") for index in range(500)]
    columns = "a UInt16, b LowCardinality(String)"
    parts = [rows[start : start + 3] for start in range(0, len(rows), 3)]
    body = b"".join(encode_rows(columns, part, format="Native") for part in parts)
    assert decode(columns, body, **NATIVE) == rows
    assert decode(None, body, **NATIVE) == rows


# --- whose row it is ----------------------------------------------------------------------------------------

ENUM = "Enum8('a' = 1)"
LABEL = "2 is no number of Enum8"


def enums(*numbers: int) -> bytes:
    return bytes(numbers)


# A type, the bytes of three rows of which the second has a 2 in an Enum, and what is wrong there.
BROKEN: list[tuple[str, bytes, int | None]] = [
    (ENUM, enums(1, 2, 1), 1),
    (f"Nullable({ENUM})", b"\0\0\1" + enums(1, 2, 9), 1),
    (f"Array({ENUM})", number(2, 3, 5) + enums(1, 1, 2, 1, 1), 1),
    (f"Array({ENUM})", number(0, 0, 1) + enums(2), 2),
    (f"Array(Array({ENUM}))", number(1, 3, 3) + number(2, 2, 4) + enums(1, 1, 1, 2), 1),
    (f"Map(String, {ENUM})", number(0, 2, 2) + b"\1a\1b" + enums(1, 2), 1),
    (f"Map({ENUM}, String)", number(0, 2, 2) + enums(1, 2) + b"\1a\1b", 1),
    (f"Tuple(UInt8, {ENUM})", b"\7\7\7" + enums(1, 2, 1), 1),
    (f"Nested(a UInt8, b {ENUM})", number(0, 2, 3) + b"\7\7\7" + enums(1, 2, 1), 1),
    (f"Variant({ENUM}, UInt8)", number(0) + b"\1\0\1" + enums(2) + b"\7\7", 1),
    (f"Array(Variant({ENUM}, UInt8))", number(0) + number(2, 3, 3) + b"\1\xff\0" + enums(2) + b"\7", 1),
    (f"Variant(Array({ENUM}), UInt8)", number(0) + b"\0\0\1" + number(0, 2) + enums(1, 2) + b"\7", 1),
    (f"Tuple(LowCardinality(String), Array({ENUM}))",
     number(1, 0x600, 1) + b"\0" + number(3) + b"\0\0\0" + number(0, 1, 1) + enums(2), 1),
    (f"JSON(a {ENUM})", number(0) + b"\0\0" + enums(1, 2, 1) + number(0, 0, 0), 1),
    ("JSON", number(0) + b"\0\1\1p" + number(1) + b"\0\1" + string(ENUM) + number(0)
     + b"\xff\0\xff" + enums(2) + number(0, 0, 0), 1),
    ("JSON", number(0) + b"\0\0" + number(1, 3, 3) + b"\1a\1a\1b" + b"\2\1\5"
     + b"\2\1\5" + b"\6\x17\1\1a\1\2", 1),
    ("Array(JSON)", number(0) + b"\0\0" + number(1, 2, 2) + number(0, 1) + b"\1b" + b"\6\x17\1\1a\1\2", 1),
    ("Dynamic", number(1) + b"\0\1" + string(ENUM) + number(0) + b"\1\0\xff" + enums(2) + b"\2\1\5", 1),
    ("Dynamic", number(1) + b"\0\0" + number(0) + b"\xff\0\xff" + b"\6\x17\1\1a\1\2", 1),
    ("Array(Dynamic)", number(1) + b"\0\0" + number(0) + number(2, 3, 3) + b"\xff\xff\0"
     + b"\6\x17\1\1a\1\2", 1),
]  # fmt: skip


BROKEN_IDS = [f"{index} {case[0]}" for index, case in enumerate(BROKEN)]


@pytest.mark.parametrize(("type_text", "data", "row"), BROKEN, ids=BROKEN_IDS)
def test_rows_of_broken_values(type_text: str, data: bytes, row: int) -> None:
    """Rows are counted over all blocks; a value in an array, or in a member, is its row's."""
    broken = block(("n", "UInt8", bytes(3)), ("c", type_text, data), rows=3)
    error = refuse(block(("n", "UInt8", b""), ("c", type_text, b""), rows=0) + broken, LABEL, **NATIVE)
    assert (error.row, error.column) == (row, "c")
    schema = [("n", "UInt8"), ("c", type_text)]
    error = refuse(block(("n", "UInt8", bytes(2)), rows=2) + broken, LABEL, schema, **NATIVE)
    assert (error.row, error.column) == (row + 2, "c")


@pytest.mark.parametrize(("type_text", "data", "row"), BROKEN, ids=BROKEN_IDS)
def test_the_label_mended(type_text: str, data: bytes, row: int) -> None:
    """The same bytes with a label that there is: nothing else is wrong with them."""
    at = refuse(column(type_text, data, 3), LABEL, **NATIVE).offset
    assert at is not None
    body = bytearray(column(type_text, data, 3))
    assert body[at] == 2
    body[at] = 1
    assert len(decode(None, body, **NATIVE)) == 3


def test_rows_of_what_is_cut_off() -> None:
    """That of the value where it was; the first of the block where values of many rows lie together."""
    head = len(column("UInt16", b"", 3))
    for length, row in ((0, 0), (1, 0), (2, 1), (5, 2)):
        error = refuse(column("UInt16", bytes(length), 3), "2 bytes are needed", **NATIVE)
        assert (error.row, error.column, error.offset) == (row, "c", head + length // 2 * 2)
    assert refuse(column("Nullable(UInt8)", bytes(2), 3), "3 bytes are needed, 2 are left", **NATIVE).row == 0
    assert refuse(column("Array(UInt8)", number(1, 2), 3), "8 bytes are needed", **NATIVE).row == 2
    assert refuse(column("Array(UInt8)", number(1, 1, 2) + b"\1", 3), "1 bytes are needed", **NATIVE).row == 2
    for length in range(len(block(A, B, rows=2)) - 3):
        if length:
            error = refuse(block(A, B, rows=2)[:length], "needed", **NATIVE)
            assert error.column in (None, "a", "b")


# --- how deep -----------------------------------------------------------------------------------------------


def nested(levels: int, shape: str = "Array({})", inner: str = "UInt8") -> str:
    for _ in range(levels):
        inner = shape.format(inner)
    return inner


def test_types_of_a_column() -> None:
    deepest = MAX_TYPE_DEPTH - 1
    body = column(nested(deepest), number(1) * deepest + b"\5")
    ((value,),) = decode(None, body, **NATIVE)
    for _ in range(deepest):
        [value] = value
    assert value == 5
    refuse(column(nested(deepest + 1), number(1) * 200), "a type nested deeper than 140 levels", **NATIVE)
    refuse(column(nested(10_000), b""), "nested deeper than 300 levels", **NATIVE)
    tuples = column(nested(deepest, "Tuple({})"), b"\5")
    assert repr(decode(None, tuples, **NATIVE)[0][0]) == "(" * deepest + "5" + ",)" * deepest


def chain(links: int, shape: str, end: str = "UInt8") -> bytes:
    """Prefixes of a Dynamic whose only type is `shape` of a Dynamic of such a type, and so on."""
    link = number(1) + b"\0\1" + string(shape.format("Dynamic")) + number(0)
    return link * links + number(1) + b"\0\1" + string(end) + number(0)


def arrays(count: int) -> bytes:
    """The data of Dynamics in arrays, each with the next one, and 5 in the last."""
    return (b"\0" + number(1)) * count + b"\1\5"


def test_types_that_name_types() -> None:
    """A level each, as in RowBinary."""
    links = (MAX_LEVELS - 2) // 2
    ((value,),) = decode(None, column("Dynamic", chain(links, "Array({})") + arrays(links)), **NATIVE)
    for _ in range(links):
        [value] = value
    assert value == 5
    shapes = ["Array({})", "Tuple({})", "Map(String, {})", "Array(Array(Array({})))", nested(130, inner="{}")]
    for shape in shapes:
        error = refuse(column("Dynamic", chain(400, shape)), "values nested deeper than 300 levels", **NATIVE)
        assert (error.row, error.column) == (0, "c")
    deep = (number(0) + b"\0\1\1a" + number(1) + b"\0\1\4JSON" + number(0)) * 1000
    refuse(column("JSON", deep), r"nested deeper than 300 levels|too deeply for the interpreter", **NATIVE)


@pytest.mark.parametrize("form", ["RowBinary", "Native"])
def test_paths_of_many_dots(form: Any) -> None:
    """Documents are as deep as values may be, in both formats the same."""
    path = ".".join(["k"] * 1000)
    for columns, document in (
        ("c JSON", {path: 5}), ("c Array(JSON)", [{path: 5}]), ("c Dynamic", {path: 5}),
        ("c JSON", {"a": [{path: 5}]}), ("c Tuple(a Array(Nullable(JSON)))", ([{path: 5}],)),
    ):  # fmt: skip
        ((value,),) = decode(columns, encode_rows(columns, [(document,)], format=form), format=form)
        other: Any = "RowBinary" if form == "Native" else "Native"
        body = encode_rows(columns, [(document,)], format=other)
        assert decode(columns, body, format=other) == [(value,)]
        assert MAX_LEVELS - 4 < depth_of(value) <= MAX_LEVELS
        repr(value)


def depth_of(value: Any) -> int:
    """Dicts, lists and tuples around the innermost value."""
    depth = 0
    while isinstance(value, dict | list | tuple):
        [value] = value.values() if isinstance(value, dict) else value
        depth += 1
    return depth


def test_a_stack_that_is_used_up(impl: str) -> None:
    links = 100
    body = column("Dynamic", chain(links, "Array({})") + arrays(links))
    assert len(decode_rows(None, body, implementation=impl, **NATIVE)) == 1

    def deep(levels: int) -> Any:
        if levels:
            return deep(levels - 1)
        return outcome(None, body, impl, **NATIVE)

    found = deep(sys.getrecursionlimit() - 300)
    if impl == "python" or found.error is not None:
        assert found.error[-1] == "values nested too deeply for the interpreter's stack"


def test_moments_in_blocks() -> None:
    """Options hold in columns, and in values of shared data."""
    moment = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    columns = "d Dynamic(max_types=0), j JSON(max_dynamic_paths=0), e Dynamic, k JSON"
    body = encode_rows(columns, [(moment, {"t": moment}, moment, {"t": moment})], format="Native")
    ticks = 1704067200 * 10**9
    assert decode(columns, body, moments="ticks", **NATIVE) == [(ticks, {"t": ticks}, ticks, {"t": ticks})]
    zone = dt.timezone(dt.timedelta(hours=1))
    ((one, two, three, four),) = decode(columns, body, zone=zone, **NATIVE)
    assert [at.tzinfo for at in (one, two["t"], three, four["t"])] == [zone] * 4


# --- values that are made with their rows -------------------------------------------------------------------


LATE = ("z", "Int64", b"\0")  # too short for a row
DYNAMIC = number(1) + b"\0\1\5Int64" + number(0)
TWICE = number(0) + b"\0\1\1p" + DYNAMIC + b"\0" + number(7, 1) + b"\1p\2\x15\0"


@pytest.mark.parametrize(
    ("type_text", "data", "reason"),
    [
        ("String", b"\1\xff", "not UTF-8"),
        ("Enum8('a' = 1)", b"\2", "no number of"),
        ("Nullable(UInt8)", b"\2\0", "NULL flag is 2"),
        ("LowCardinality(String)", number(1, 0x600, 1) + b"\1x" + number(1) + b"\1", "key 1 of a dictionary"),
        ("Variant(String, UInt8)", number(0) + b"\2", "member 2 of"),
        ("Array(UInt8)", number((1 << 30) + 1), "an array that ends at"),
        ("JSON", TWICE, "path 'p' twice"),
    ],
)
def test_the_first_error_is_that_of_the_first_column(type_text: str, data: bytes, reason: str) -> None:
    """Whatever is wrong behind it, and also where no more chunks come."""
    body = block(("a", "Int64", number(5)), ("b", type_text, data), LATE)
    error = refuse(body, reason, None, invalid_utf8="error", **NATIVE)
    assert (error.row, error.column) == (0, "b")
    before = body[: len(body) - len(block(LATE)) + 2]
    for impl in ("c", "python"):
        with pytest.raises(rowbinary.DecodeError, match=reason):
            list(iter_decode(None, _broken(before), invalid_utf8="error", implementation=impl, **NATIVE))


def _broken(body: bytes) -> Iterator[bytes]:
    yield from (body[:-1], body[-1:])
    raise OSError("the connection is gone")


def test_a_key_is_refused_before_others_come() -> None:
    data = number(1, 0x600, 1) + b"\1x" + number(100) + b"\1"
    body = block(("a", "LowCardinality(String)", data), rows=100)
    for impl in ("c", "python"):
        with pytest.raises(rowbinary.DecodeError, match="key 1 of a dictionary of 1 entries") as caught:
            list(iter_decode(None, _broken(body), implementation=impl, **NATIVE))
        assert (caught.value.row, caught.value.column) == (0, "a")


@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
def test_columns_of_many_chunks(size: int) -> None:
    """Bytes are kept until the rows are there, also of columns that are longer than chunks."""
    columns = [("s", "String"), ("i", "Int32"), ("n", "Nullable(String)"), ("l", "LowCardinality(String)")]
    rows = [("x" * (i % 300), i, None if i % 3 else f"é{i}", str(i % 5)) for i in range(3000)]
    body = encode_rows(columns, rows, format="Native")
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    assert list(iter_decode(columns, chunks, implementation="c", **NATIVE)) == rows


def test_cells_become_rows_once() -> None:
    fast = pytest.importorskip("rowbinary._fast_cursor").FastCursor
    cursor = fast(number(1, 2), None, EXACT)
    cells = cursor.cells(rowbinary.Schema([("a", "Int64")]).plan.nodes[0], 2)
    with pytest.raises(ValueError, match="of one length"):
        cursor.tuples([cells, [1]], 2)
    with pytest.raises(ValueError, match="of one length"):
        cursor.tuples([cells], 2)
    cells = fast(number(1, 2), None, EXACT).cells(rowbinary.Schema([("a", "Int64")]).plan.nodes[0], 2)
    assert cursor.tuples([cells, [3, 4]], 2) == [(1, 3), (2, 4)]
    with pytest.raises(ValueError, match="of one length"):
        cursor.tuples([cells], 2)
