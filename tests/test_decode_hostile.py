"""The decoders on hostile bytes: those that lie about sizes, that are nested without end, or that were chosen
to take much time or memory.  They fail with a DecodeError, soon and in little memory.
"""

from __future__ import annotations

import gc
import sys
import time
import tracemalloc
from typing import Any

import pytest
from conftest import implementations
from decode_cases import column, decode, described, header, number, refuse

import rowbinary
from rowbinary import DecodeError, decode_rows, encode_rows
from rowbinary._cursor import MAX_EMPTY
from rowbinary._options import MAX_TYPE_DEPTH
from rowbinary._read import MAX_CLASHES, MAX_LEVELS
from rowbinary._varint import string, varint

NATIVE: Any = {"format": "Native"}
HEADED: Any = {"format": "RowBinaryWithNamesAndTypes"}


def nested(levels: int, shape: str = "Array({})", inner: str = "UInt8") -> str:
    for _ in range(levels):
        inner = shape.format(inner)
    return inner


def arrays(depth: int) -> str:
    return "Array(" * depth + "UInt8" + ")" * depth


# --- lies -------------------------------------------------------------------------------------------------

HUGE = varint(2**63)
DYNAMIC, DOCUMENT = header(("c", "Dynamic")), header(("c", "JSON"))
LIES: list[tuple[str, bytes, str]] = [
    ("columns", HUGE, "are read at most"),
    ("few columns", varint(1000) + b"\1a", "do not fit"),
    ("name", b"\1" + HUGE, "are read at most"),
    ("name no UTF-8", b"\1\1\xff", "the name of a column is not UTF-8"),
    ("type", b"\1\1a" + HUGE, "are read at most"),
    ("type no UTF-8", b"\1\1a\1\xff", "the text of a type is not UTF-8"),
    ("garbage", b"\1\1a" + string("\0(((%s"), "type '.*'"),
    ("no type", b"\1\1a\0", "type ''"),
    ("unknown type", b"\1\1a" + string("Int9"), "type 'Int9': unknown type 'Int9'"),
    ("deep text", header(("a", arrays(10_000))), "nested deeper than 300"),
    ("less deep", header(("a", arrays(MAX_TYPE_DEPTH))), "deeper than 140"),
    ("web page", b"<html><body>502 Bad Gateway</body></html>", "do not fit|are needed"),
    ("varint", b"\x80" * 11, "more than 64 bits"),
    ("varint of 65 bits", b"\xff" * 9 + b"\x02", "more than 64 bits"),
    ("string", header(("c", "String")) + HUGE, "are read at most"),
    ("long string", header(("c", "String")) + varint(2**30), "1073741824 bytes are needed, 0 are left"),
    ("array", header(("c", "Array(UInt8)")) + HUGE, "are read at most"),
    ("long array", header(("c", "Array(UInt8)")) + varint(2**30), "do not fit in the 0 bytes left"),
    ("map", header(("c", "Map(String, UInt8)")) + varint(1000), "do not fit"),
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
    ("paths", DOCUMENT + varint(1000), "do not fit"),
    ("same path", DOCUMENT + b"\2\1a\1\1\1a\1\1", "path 'a' twice"),
    ("a text of a tag", DYNAMIC + b"\x2c" + string("Array(" * 400), "nested deeper than 300"),
    ("text of a type", DYNAMIC + b"\x1e" * 130 + b"\x1f" + varint(20_000) + b"\x22\0" * 20_000 + b"\0",
     "a type of more than 262144 characters"),
    ("members", DYNAMIC + b"\x2a" + varint(256), "a number of members of 256"),
    ("labels", DYNAMIC + b"\x18" + varint(1000), "do not fit"),
    ("a large vector", DYNAMIC + b"\x36\x0e" + varint(8 * 0xFFFFFF) + varint(8 * 0xFFFFFF), "do not fit"),
    ("a large array", DYNAMIC + b"\x1e\x16" + varint(0xFFFFFF) + varint(1000), "do not fit"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "match"), [case[1:] for case in LIES], ids=[case[0] for case in LIES])
def test_lies(body: bytes, match: str) -> None:
    began = time.process_time()
    error = refuse(body, match)
    assert error.offset is not None
    assert time.process_time() - began < 5


LOW = "LowCardinality(Nullable(String))"
# The same of blocks: rows, a type, what follows it, and what is wrong.
BLOCKS: list[tuple[str, int, str, bytes, str]] = [
    ("rows", 2**30, "UInt8", bytes(9), "1 bytes are needed, 0 are left"),
    ("rows of texts", 2**30, "String", bytes(9), "1 bytes are needed, 0 are left"),
    ("rows of nothing", 2**30, "Tuple()", b"", "1073741824 bytes are needed, 0 are left"),
    ("rows of Nothing", 2**30, "Nothing", b"", "Nothing has no values"),
    ("rows of NULL", 2**30, "Nullable(UInt8)", b"\1", "1073741824 bytes are needed, 1 are left"),
    ("rows of documents", 2**30, "JSON(a UInt8)", number(0) + b"\0\0", "1 bytes are needed, 0 are left"),
    ("rows of variants", 2**30, "Variant(UInt8, String)", number(0), "1073741824 bytes are needed"),
    ("rows of vectors", 2**26, "QBit(Float32, 8)", b"", "2147483648 bytes of QBit.*are read at most"),
    ("rows of keys", 2**30, LOW, number(1, 0x600, 1) + b"\0" + number(2**30), "1 bytes are needed"),
    ("entries", 1, LOW, number(1, 0x600, 2**30), "1 bytes are needed, 0 are left"),
    ("keys", 1, LOW, number(1, 0x603, 1) + b"\0" + number(1) + number(2**63), "key 9223372036854775808"),
    ("ends", 1, "Array(UInt8)", number(2**63), "an array that ends at 9223372036854775808"),
    ("elements", 1, "Array(UInt8)", number(2**30), "1 bytes are needed, 0 are left"),
    ("elements of nothing", 1, "Array(Tuple())", number(2**30), "1073741824 bytes are needed"),
    ("elements of arrays", 2, "Array(Array(UInt8))", number(1, 2**30) + number(1), "8 bytes are needed"),
    ("pairs", 1, "Map(String, UInt8)", number(2**30), "1 bytes are needed, 0 are left"),
    ("text", 1, "String", varint(2**30), "1073741824 bytes are needed, 0 are left"),
    ("long text", 1, "String", varint(2**30 + 1), "a String of 1073741825 bytes"),
    ("paths", 1, "JSON", number(0) + b"\0" + varint(2**30), "elements do not fit"),
    ("many paths", 1, "JSON", number(0) + b"\0" + HUGE, "elements: 1073741824 are read at most"),
    ("shared paths", 1, "JSON", number(0) + b"\0\0" + number(2**30), "1 bytes are needed, 0 are left"),
    ("shared value", 1, "JSON", number(0) + b"\0\0" + number(1) + b"\1a" + varint(2**29), "536870912 bytes"),
    ("types", 1, "Dynamic", number(1) + b"\0" + HUGE, "254 are read at most"),
    ("varint", 1, "String", b"\xff" * 10, "more than 64 bits"),
    ("members", 1, "Variant(UInt8, String)", number(0) + b"\xfe", "member 254 of a Variant"),
]  # fmt: skip


@pytest.mark.parametrize("case", BLOCKS, ids=[case[0] for case in BLOCKS])
def test_lies_of_blocks(case: tuple[str, int, str, bytes, str]) -> None:
    """Within a hundred KB, whatever they say that there is."""
    _, rows, type_text, data, match = case
    body = column(type_text, data, rows)
    error = refuse(body, match, **NATIVE)
    assert error.column == "c"
    for name in implementations():
        assert peak(None, body, name, **NATIVE) < 100_000


@pytest.mark.parametrize("tag", [0x21, 0x24, 0x33, 0x35, *range(0x38, 256, 9), 0xFF])
def test_tags_that_nothing_has(tag: int) -> None:
    error = refuse(DYNAMIC + bytes([tag]) + bytes(40), f"unknown type tag 0x{tag:02x}")
    assert (error.row, error.column, error.offset) == (0, "c", len(DYNAMIC))


@pytest.mark.parametrize("length", range(1, 10))
def test_varints_that_are_longer_than_they_must_be(length: int) -> None:
    """Up to ten bytes, as servers read them."""
    five = b"\x85" + b"\x80" * (length - 1) + b"\0"
    assert decode("c String", five + b"abcde") == [("abcde",)]
    assert decode("c Array(UInt8)", five + b"abcde") == [(list(b"abcde"),)]
    assert decode("c JSON", five[:0] + b"\1" + five + b"abcde" + b"\1\7") == [({"abcde": 7},)]
    assert decode(None, b"\1" + five + b"abcde" + five + b"UInt8" + b"\7") == [(7,)]
    block = b"\x81" + b"\x80" * (length - 1) + b"\0" + b"\1" + five + b"abcde" + five + b"UInt8" + b"\7"
    assert decode(None, block, **NATIVE) == [(7,)]
    for body in (b"\x80" * 10 + b"\0", b"\xff" * 9 + b"\2", b"\xff" * 9 + b"\x7f", b"\x80" * 9 + b"\x02"):
        refuse(body, "a length of more than 64 bits", "c String")


@pytest.mark.parametrize("width", [8, 16])
def test_labels_that_no_enum_has(width: int) -> None:
    low, high = -(2 ** (width - 1)), 2 ** (width - 1) - 1
    text = f"Enum{width}('a' = {low}, 'b' = 0, 'c' = {high})"
    for value in (low + 1, -1, 1, high - 1):
        data = value.to_bytes(width // 8, "little", signed=True)
        assert refuse(data, f"{value} is no number of Enum{width}", [("c", text)]).offset == 0
        refuse(b"\1" + data, "is no number of", [("c", f"Array({text})")])
        assert refuse(column(text, data), "is no number of", **NATIVE).row == 0


# --- memory -----------------------------------------------------------------------------------------------


def peak(schema: Any, body: bytes, implementation: str, **choices: Any) -> int:
    """The most memory that was in use at once; modules and their tables are there already."""
    decode_rows(
        "c JSON",
        encode_rows("c JSON", [({"a": 1},)], format="Native"),
        format="Native",
        implementation=implementation,
    )
    tracemalloc.start()
    try:
        decode_rows(schema, body, implementation=implementation, **choices)
    except DecodeError:
        pass
    finally:
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return most


N = 1000
DEEP = [string(nested(130, inner=f"FixedString({index + 1})")) for index in range(10)]
NAMES = b"".join(string(f"{index:x}") for index in range(N))
# What takes most memory for each of its bytes: values of a byte or two that are objects of their own.
DENSE: list[tuple[str, Any, bytes, dict[str, Any]]] = [
    ("rows", "c UInt8", bytes(N), {}), ("dicts", "c UInt8", bytes(N), {"rows": "dicts"}),
    ("columns", "c UInt8", bytes(N), {"rows": "columns"}), ("arrays", "c Array(UInt8)", bytes(N), {}),
    ("maps", "c Map(UInt8, UInt8)", bytes(N), {}), ("documents", "c JSON", bytes(N), {}),
    ("tuples", "c Tuple(UInt8)", bytes(N), {}), ("named tuples", "c Tuple(a UInt8)", bytes(N), {}),
    ("elements", "c Array(Tuple(a UInt8))", (varint(500) + bytes(500)) * (N // 500), {}),
    ("dates", "c Date", bytes(2 * N), {}), ("decimals", "c Decimal(9, 2)", bytes(4 * N), {}),
    ("addresses", "c IPv4", bytes(4 * N), {}), ("moments", "c DateTime('Europe/Berlin')", bytes(4 * N), {}),
    ("arrays in arrays", [("c", nested(60))], (b"\1" * 60 + b"\5") * (N // 60), {}),
    ("dynamics", "c Dynamic", (b"\x1e\x2b\x20\1" * 40 + b"\1\5") * (N // 160), {}),
    ("dots", "c JSON", (b"\1" + string("." * 120) + b"\1\5") * (N // 120), {}),
    ("paths", "c JSON", varint(N) + b"".join(string(f"{index:x}") + b"\1\5" for index in range(N)), {}),
    ("header", None, varint(N) + NAMES + b"\5UInt8" * N, HEADED),
    ("types", None, b"\x0a" + b"".join(string(f"{index:x}") for index in range(10)) + b"".join(DEEP), HEADED),
    ("wide type", None, b"\1\1c" + string(nested(130, inner=f"Tuple({', '.join(['UInt8'] * N)})")), HEADED),
    ("sizes", "c Dynamic", b"".join(b"\x1e\x16" + varint(0xFFFFFF - i) + b"\0" for i in range(500)), {}),
    ("vectors", "c Dynamic", b"".join(b"\x1e\x36\x0e" + varint(2**26 - i) + b"\0" for i in range(500)), {}),
    ("block", None, column("UInt8", bytes(N), N), NATIVE),
    ("block of texts", None, column("String", bytes(N), N), NATIVE),
    ("block of tuples", None, column("Tuple(a UInt8)", bytes(N), N), NATIVE),
    ("block of NULL", None, column("Variant(UInt8, String)", number(0) + b"\xff" * N, N), NATIVE),
    ("block of keys", None, column(LOW, number(1, 0x600, 1) + b"\0" + number(N) + bytes(N), N), NATIVE),
    ("block of documents", None, column("JSON(a UInt8)", number(0) + b"\0\0" + bytes(N), N), NATIVE),
    ("block of types", None, column("Dynamic", number(1) + b"\0\x0a" + b"".join(DEEP)), NATIVE),
    ("block of paths", None, column("JSON", number(0) + b"\0" + varint(N) + NAMES), NATIVE),
    ("block of vectors", None, column("QBit(Int8, 1)", bytes(8 * N), N), NATIVE),
]  # fmt: skip

# Bytes of memory for a byte of the body.  A dict for a value of one byte takes the most; where tuples of one
# element, or rows as dicts, hold each other, there is one for each level.
MOST = 300


@pytest.mark.parametrize("case", DENSE, ids=[case[0] for case in DENSE])
def test_memory_is_a_multiple_of_the_body(case: tuple[str, Any, bytes, dict[str, Any]], impl: str) -> None:
    _, schema, body, choices = case
    assert peak(schema, body, impl, **choices) < MOST * len(body) + 50_000


@pytest.mark.parametrize("levels", [1, 4, 20])
def test_memory_of_tuples_in_tuples(levels: int, impl: str) -> None:
    schema = [("c", nested(levels, "Tuple(a {})"))]
    assert peak(schema, bytes(500), impl) < MOST * 500 * levels + 50_000


@pytest.mark.parametrize(
    ("body", "most"),
    [
        (b"\x1e" * 130 + b"\x1f" + varint(6000) + b"\x22\0" * 6000 + b"\0", 20 << 20),
        ((b"\x1e" * 130 + b"\x1f" + varint(1000) + b"\x22\0" * 1000 + b"\0") * 3, 4 << 20),
        (b"".join(b"\x18\1" + string(f"{index}" * 200) + b"\1\0" * 2 for index in range(200)), 2 << 20),
        (b"".join(b"\x1e\x16" + varint(index + 1) + b"\0" for index in range(600)), 2 << 20),
    ],
    ids=["one", "long", "labels", "many"],
)
def test_memory_of_types(body: bytes, most: int, impl: str) -> None:
    """A type takes a thousand times its tag, but there is a limit to that, and to the types that are kept."""
    assert peak("c Dynamic", body, impl) < most


def test_memory_of_deep_types(impl: str) -> None:
    """Every level of a type has a text: so those that are kept are not many."""
    body = b"".join(b"\x1e" * 130 + b"\x16" + varint(index + 1) + b"\0" for index in range(45))
    assert peak("c Dynamic", body, impl) < 11 << 19


def test_empty_values_have_a_limit_in_total() -> None:
    """Else a row of one byte could hold as many tuples as its type has elements, for every byte."""
    most = MAX_EMPTY // 1000
    columns = [("c", f"Tuple(UInt8, {', '.join(['Tuple()'] * 1000)})")]
    assert refuse(bytes(most + 1), f"more than {MAX_EMPTY} values that take no bytes", columns).row == most


# --- time -------------------------------------------------------------------------------------------------

PRIME = 2**61 - 1  # numbers that differ by it have the same hash


@pytest.mark.parametrize(
    ("key", "keys"),
    [
        ("UInt128", [number_ * PRIME for number_ in range(1, 20_001)]),
        ("Int256", [-number_ * PRIME for number_ in range(1, 20_001)]),
        ("UUID", [number_ * PRIME for number_ in range(1, 20_001)]),
        ("Decimal(38, 0)", [number_ * PRIME for number_ in range(1, 20_001)]),
    ],
)
def test_keys_that_were_made_to_collide(key: str, keys: list[int], impl: str) -> None:
    """A dict of them would take time by the square of their number; a list of pairs does not."""
    width = 32 if key == "Int256" else 16
    body = varint(len(keys)) + b"".join(at.to_bytes(width, "little", signed=at < 0) + b"\1" for at in keys)
    began = time.process_time()
    ((found,),) = decode_rows([("c", f"Map({key}, UInt8)")], body, implementation=impl)
    assert time.process_time() - began < 3
    assert type(found) is list
    assert len(found) == len(keys)


def test_some_keys_collide_by_chance() -> None:
    """-1 and -2 have one hash in CPython; and a few more are let be."""
    keys = [-1, -2, *(index * PRIME for index in range(1, MAX_CLASHES)), *range(1, 2000)]
    body = varint(len(keys)) + b"".join(key.to_bytes(16, "little", signed=True) + b"\1" for key in keys)
    assert decode("c Map(Int128, UInt8)", body) == [(dict.fromkeys(keys, 1),)]


SLOW: list[tuple[str, Any, bytes, Any]] = [
    (
        "dots",
        "c JSON",
        varint(2000) + b"".join(string("a." * 100 + f"{i}") + b"\1\5" for i in range(2000)),
        {},
    ),
    ("tags", "c Dynamic", (b"\x1e" * 130 + b"\x15\0") * 500, {}),
    ("enums", "c Dynamic", (b"\x17\1\1a\1\1") * 10_000, {}),
    ("blocks", None, b"".join(column("UInt8", b"\1") for _ in range(5000)), NATIVE),
    ("entries", None, column(LOW, number(1, 0x600, N) + bytes(N) + number(N) + bytes(N), N), NATIVE),
    ("arrays", None, column("Array(Array(UInt8))", bytes(8 * 50_000), 50_000), NATIVE),
]


@pytest.mark.parametrize("case", SLOW, ids=[case[0] for case in SLOW])
def test_time(case: tuple[str, Any, bytes, Any], impl: str) -> None:
    """What is dear to read is so by its length, not by the square of it."""
    _, schema, body, choices = case
    began = time.process_time()
    decode_rows(schema, body, implementation=impl, **choices)
    assert time.process_time() - began < 5


# --- depth ------------------------------------------------------------------------------------------------


def test_the_deepest_values() -> None:
    body = DYNAMIC + b"\x1e\x2b\x20\x01" * (MAX_LEVELS // 2 - 1) + b"\x01\x05"
    ((value,),) = decode(None, body)
    for _ in range(MAX_LEVELS // 2 - 1):
        [value] = value
    assert value == 5
    refuse(DYNAMIC + b"\x1e\x2b\x20\x01" * (MAX_LEVELS // 2) + b"\x01\x05", "deeper than 300 levels")


@pytest.mark.parametrize("shape", ["Array({})", "Tuple({})", "Map(String, {})", "Variant({})", "JSON(a {})"])
def test_ten_thousand_levels(shape: str) -> None:
    text = nested(10_000, shape)
    error = refuse(header(("c", text)), "type .*: ")
    assert error.offset == 3
    assert refuse(column(text, b""), "type .*: ", **NATIVE).offset == 4
    assert refuse(DYNAMIC + b"\x2c" + string(text), "type .*: ").row == 0


def test_a_stack_that_is_used_up(impl: str) -> None:
    body = DYNAMIC + b"\x1e\x2b\x20\x01" * (MAX_LEVELS // 2 - 1) + b"\x01\x05"

    def deep(levels: int) -> Any:
        if levels:
            return deep(levels - 1)
        try:
            return decode_rows(None, body, implementation=impl)
        except DecodeError as error:
            return described(error)

    found = deep(sys.getrecursionlimit() - 400)
    if impl == "python" or found[0] is DecodeError:
        assert found[-1] == "values nested too deeply for the interpreter's stack"


def test_memory_is_given_back(impl: str) -> None:
    """Of bodies that failed, too."""
    body = rowbinary.encode_rows("c JSON", [({"a": [1, "x"], "b": {"c": [{"d": 1}]}},)] * 2)

    def run(times: int) -> None:
        for end in (len(body), len(body) - 1, len(body) // 2, 1) * times:
            try:
                decode_rows("c JSON", body[:end], implementation=impl)
            except DecodeError:
                continue
        gc.collect()  # also what Python keeps of freed objects; and of names that were looked up:
        sys._clear_type_cache()

    run(20)
    tracemalloc.start()
    try:
        run(10)
        before = tracemalloc.get_traced_memory()[0]
        run(100)
        assert tracemalloc.get_traced_memory()[0] - before < 3000
    finally:
        tracemalloc.stop()
