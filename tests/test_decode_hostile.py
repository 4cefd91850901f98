"""The reference decoder on hostile bytes: cut off, mutated, random, and those that lie about sizes.  It
fails with a DecodeError, soon and in little memory.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from conftest import times
from decode_cases import FORMAT, STORED, header, refuse
from hypothesis import given, settings
from hypothesis import strategies as st

import rowbinary
from rowbinary import DecodeError
from rowbinary._decode import decode_body
from rowbinary._options import MAX_TYPE_DEPTH
from rowbinary._cursor import MAX_EMPTY
from rowbinary._read import MAX_LEVELS
from rowbinary._varint import string, varint


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
]  # fmt: skip


@pytest.mark.parametrize(("body", "match"), [case[1:] for case in LIES], ids=[case[0] for case in LIES])
def test_lies(body: bytes, match: str) -> None:
    began = time.perf_counter()
    error = refuse(body, match)
    assert error.offset is not None
    assert time.perf_counter() - began < 5


def test_empty_values_have_a_limit_in_total(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a row of one byte could hold as many tuples as its type has elements, for every byte."""
    monkeypatch.setattr("rowbinary._cursor.MAX_EMPTY", 1000)
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
