"""iter_decode: memory is bounded by what came, whatever the source of chunks does, and however it ends."""

from __future__ import annotations

import concurrent.futures
import io
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conftest import shown
from decode_bodies import BLOCKS, COLUMNS, ROWS, WHOLE, Body, Source, at, endless, expected, given_by
from decode_cases import header, number

import rowbinary
from rowbinary import DecodeError, decode_rows, encode_rows, iter_decode
from rowbinary._cursor import MAX_EMPTY
from rowbinary._varint import string, varint

# --- memory and time ----------------------------------------------------------------------------------------


def peak(run: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


CHUNK = 1 << 14


@pytest.mark.parametrize("form", ["RowBinary", "RowBinaryWithNamesAndTypes", "Native"])
def test_memory_of_a_long_stream(form: Any, impl: str) -> None:
    """It does not grow with the stream: no more is held than some chunks, or blocks."""
    columns = "id UInt64, name String, tags Array(String), attrs JSON"
    rows = [(index, "n" * 50, ["a", "b"], {"x": {"y": index}}) for index in range(CHUNK // 100)]
    block = encode_rows(columns, rows, format=form)
    start = block[: len(rowbinary.Schema.of(columns).plan.header(form))]
    data = block[len(start) :]

    def source(count: int) -> Iterator[bytes]:
        yield start
        for _ in range(count):
            yield from at(data, *range(0, len(data), CHUNK))

    def read(count: int) -> None:
        for _ in iter_decode(columns, source(count), format=form, implementation=impl):
            pass

    read(2)
    short, long = peak(lambda: read(3)), peak(lambda: read(12))
    assert long < 1.3 * short + 20_000
    assert long < 20 * CHUNK


# A value that says how long it is, and bytes of it.
LONG: list[tuple[str, str, bytes]] = [
    ("String", "RowBinary", varint(2**30)),
    ("Array(UInt8)", "RowBinary", varint(2**30)),
    ("JSON", "RowBinary", varint(2**30)),
    ("UInt8", "Native", b"\1" + varint(2**30) + b"\1c\5UInt8"),
    ("String", "Native", b"\1\1\1c\6String" + varint(2**30)),
    ("QBit(Float32, 8)", "Native", b"\1" + varint(2**24) + b"\1c" + string("QBit(Float32, 8)")),
]


class Enough(Exception):
    pass


@pytest.mark.parametrize(("type_text", "form", "start"), LONG)
def test_a_value_is_believed_as_far_as_it_came(type_text: str, form: Any, start: bytes, impl: str) -> None:
    """Memory is a multiple of the bytes that came, not of the length that was said."""

    def source(count: int) -> Iterator[bytes]:
        yield start
        for _ in range(count):
            yield bytes(1 << 13)
        raise Enough

    def read() -> None:
        with pytest.raises(Enough):
            list(iter_decode([("c", type_text)], source(4), format=form, implementation=impl))

    assert peak(read) < 12 * 4 * (1 << 13) + 50_000


@pytest.mark.parametrize(
    ("schema", "form", "start"),
    [
        ("c String", "RowBinary", varint(2**30 + 1)), ("c Array(UInt8)", "RowBinary", varint(2**63)),
        ("c Map(String, String)", "RowBinary", varint(2**31)), ("c JSON", "RowBinary", varint(2**40)),
        ("c Dynamic", "RowBinary", b"\x1e\x15" + varint(2**40)),
        ("c Dynamic", "RowBinary", b"\x1f" + varint(2**62)),
        ("c Array(Tuple())", "RowBinary", varint(MAX_EMPTY + 1)), (None, None, varint(2**40)),
        (None, None, b"\1" + varint(2**40)), (None, "Native", b"\1" + varint(2**40)),
        (None, "Native", b"\1\1\1c" + string("Array(UInt8)") + number(2**40)),
        (None, "Native", b"\1\1\1c" + string("LowCardinality(String)") + number(1, 0x600, 2**40)),
        (None, "Native", b"\1" + varint(2**30) + b"\1c" + string("QBit(Float64, 8)")),
    ],
)  # fmt: skip
def test_lengths_that_nothing_has(schema: Any, form: Any, start: bytes, impl: str) -> None:
    """They are refused before another chunk is asked for, though there are chunks without end."""
    source = Source(endless(b"\xff" * 4096, start))
    with pytest.raises(DecodeError, match=r"are read at most|take no bytes|ends at 1099511627776"):
        list(iter_decode(schema, source, format=form, implementation=impl))
    assert source.taken == 1


def test_long_values_in_small_chunks_take_no_longer(impl: str) -> None:
    """Not by the square of their number."""
    schema = "s String, a Array(String), j JSON"
    row = ("x" * 200_000, ["y"] * 50_000, {f"k{index}": index for index in range(5000)})
    data = encode_rows(schema, [row, row])
    began = time.perf_counter()
    chunks = (data[start : start + 3] for start in range(0, len(data), 3))
    assert list(iter_decode(schema, chunks, implementation=impl)) == [row, row]
    assert time.perf_counter() - began < 20


# --- sources that misbehave ---------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [WHOLE[0], WHOLE[4]], ids=lambda body: body.name)
@pytest.mark.parametrize("kind", [Enough, ConnectionError, KeyboardInterrupt, MemoryError])
def test_sources_that_raise(body: Body, kind: type[BaseException], impl: str) -> None:
    """Rows that were complete are given first; then comes the source's own exception, as it was raised."""
    cause, raised = OSError("reset"), kind("lost")

    def source() -> Iterator[bytes]:
        yield body.data[:-1]
        raise raised from cause

    found = iter_decode(body.schema, source(), format=body.format, implementation=impl)
    rows = [next(found), next(found)]
    assert [row[0] for row in rows] == [0, 1]
    with pytest.raises(kind) as caught:
        next(found)
    assert caught.value is raised
    assert caught.value.__cause__ is cause
    assert list(found) == []


@pytest.mark.parametrize("chunk", ["text", 5, None, [1], io.BytesIO(b"x"), (b"a",)], ids=shown)
def test_chunks_that_are_not_bytes(chunk: Any, impl: str) -> None:
    found = iter_decode("a UInt8", [b"\1", chunk, b"\2"], implementation=impl)
    assert next(found) == (1,)
    with pytest.raises(TypeError, match=f"a chunk must be bytes, not {type(chunk).__name__}"):
        next(found)
    assert list(found) == []


@pytest.mark.parametrize("chunks", [b"\1", bytearray(b"\1"), memoryview(b"\1"), "text"], ids=shown)
def test_a_body_instead_of_chunks(chunks: Any, impl: str) -> None:
    with pytest.raises(TypeError, match=f"chunks must be an iterable of bytes, not {type(chunks).__name__}"):
        iter_decode("a UInt8", chunks, implementation=impl)


@pytest.mark.parametrize("chunks", [None, 5, object()], ids=shown)
def test_no_chunks(chunks: Any, impl: str) -> None:
    with pytest.raises(TypeError, match="not iterable"):
        iter_decode("a UInt8", chunks, implementation=impl)


class Odd(bytes):
    """Bytes that lie about themselves."""

    def __len__(self) -> int:
        return 100

    def __bytes__(self) -> bytes:
        return b"others"


def test_bytes_that_lie(impl: str) -> None:
    assert list(iter_decode("a UInt8", [Odd(b"\1"), Odd(b"\2\3")], implementation=impl)) == [(1,), (2,), (3,)]
    with pytest.raises(DecodeError, match="2 bytes are needed, 1 are left"):
        list(iter_decode("a UInt16", [Odd(b"\1")], implementation=impl))


def test_a_buffer_that_is_used_again(impl: str) -> None:
    """What was taken is copied: the source may write over its buffer."""
    buffer = bytearray(7)

    def source() -> Iterator[bytearray]:
        data = WHOLE[0].data
        for start in range(0, len(data), 7):
            piece = data[start : start + 7]
            buffer[:] = piece
            yield buffer
            buffer[:] = b"\xff" * 7

    assert given_by(WHOLE[0], source(), impl) == expected(WHOLE[0])


@pytest.mark.parametrize("call", ["next", "close", "throw"])
def test_sources_that_use_the_rows_they_make(call: str, impl: str) -> None:
    """They are told so, and the rows are none the worse for it."""
    told: list[bytes] = []

    def source() -> Iterator[bytes]:
        for chunk in at(WHOLE[0].data, 5, 50, 300):
            with pytest.raises(ValueError, match="already executing"):
                calls[call]()
            told.append(chunk)
            yield chunk

    found = iter_decode(COLUMNS, source(), implementation=impl)
    calls: dict[str, Callable[[], object]] = {
        "next": found.__next__,
        "close": found.close,
        "throw": lambda: found.throw(Enough),
    }
    assert repr(list(found)) == expected(WHOLE[0]).rows
    assert len(told) == 4


def test_sources_that_decode(impl: str) -> None:
    """Another body, in the middle of a value of this one."""

    def source() -> Iterator[bytes]:
        for start in range(0, len(WHOLE[0].data), 9):
            assert len(decode_rows(None, BLOCKS, format="Native", implementation=impl)) == len(ROWS)
            assert len(decode_rows(COLUMNS, WHOLE[0].data, implementation=impl)) == len(ROWS)
            yield WHOLE[0].data[start : start + 9]

    assert given_by(WHOLE[0], source(), impl) == expected(WHOLE[0])


# --- ending early -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [WHOLE[0], WHOLE[1], WHOLE[4]], ids=lambda body: body.name)
def test_closing(body: Body, impl: str) -> None:
    """No more is taken, and the source is let go."""
    ended: list[int] = []

    def source() -> Iterator[bytes]:
        try:
            for index in range(0, len(body.data), 10):
                yield body.data[index : index + 10]
                ended.append(-1)
        finally:
            ended.append(1)

    found = iter_decode(body.schema, source(), format=body.format, implementation=impl)
    next(found)
    taken = len(ended)
    found.close()
    assert len(ended) == taken + 1
    assert ended[-1] == 1
    assert list(found) == []


def test_nothing_is_taken_before_it_is_asked_for(impl: str) -> None:
    source = Source([b"\1"])
    found = iter_decode("a UInt8", source, implementation=impl)
    assert source.taken == 0
    found.close()
    assert source.taken == 0


def test_the_end_is_not_asked_for_twice(impl: str) -> None:
    """Some sources raise, or wait, when they are asked again."""
    source = Source([b"\1", b"\2"])
    found = iter_decode("a UInt8", source, implementation=impl)
    assert list(found) == [(1,), (2,)]
    assert source.taken == 3
    cut = Source([b"\1", b"\2\3"])
    with pytest.raises(DecodeError):
        list(iter_decode("a UInt16", cut, implementation=impl))
    assert cut.taken == 3


def test_header_errors_come_with_the_first_row(impl: str) -> None:
    form: Any = "RowBinaryWithNamesAndTypes"
    found = iter_decode("a UInt8", [header(("b", "UInt8"))], format=form, implementation=impl)
    with pytest.raises(DecodeError, match="the columns are b, not a"):
        next(found)


def test_threads(impl: str) -> None:
    """Several at once, with one schema, change nothing about any."""
    schema = rowbinary.Schema.of(COLUMNS)
    wanted = [repr(decode_rows(schema, WHOLE[0].data)), repr(decode_rows(None, BLOCKS, format="Native"))]

    def read(index: int) -> list[str]:
        found = iter_decode(schema, at(WHOLE[0].data, *range(0, 300, index + 3)), implementation=impl)
        block = decode_rows(None, BLOCKS, format="Native", implementation=impl)
        return [repr(list(found)), repr(block)]

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            assert list(pool.map(read, range(40))) == [wanted] * 40
    finally:
        sys.setswitchinterval(interval)
