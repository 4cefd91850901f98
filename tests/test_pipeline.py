"""The sources of an insert: chunks of rows, which never end between two rows, and bytes from anywhere."""

from __future__ import annotations

import array
import io
import itertools
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from conftest import shown
from hypothesis import given
from hypothesis import strategies as st
from pipeline_sources import DATA, drained
from strategies import schemas, values_of

import rowbinary
from rowbinary import Encoder
from rowbinary._pipeline import BytesSource, Encoding
from rowbinary.errors import EncodeError

SCHEMA = "id UInt32, name String, tags Array(UInt8)"
ROWS = [(i, "x" * (i % 7), [1] * (i % 3)) for i in range(300)]
FORMATS = ["RowBinary", "RowBinaryWithNames", "RowBinaryWithNamesAndTypes", "RowBinaryWithDefaults"]


def encoding(
    rows: Iterable[object], size: int, impl: str, format: Any = "RowBinary", **options: Any
) -> Encoding:
    return Encoding(Encoder(SCHEMA, format=format, implementation=impl, **options), rows, size)


# --- encoding --------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("size", [2, 3, 7, 8, 64, 1_000, 1 << 20])
@pytest.mark.parametrize("kind", [list, iter, itertools.chain], ids=["list", "iter", "generator"])
def test_chunks_are_the_rows_and_end_inside_of_one(
    kind: Callable[[list[Any]], Iterable[object]], size: int, format: Any, impl: str
) -> None:
    source = encoding(kind(ROWS), size, impl, format)
    chunks = drained(source)
    whole = rowbinary.encode_rows(SCHEMA, ROWS, format=format)
    assert b"".join(chunks) == whole
    assert source.rows == len(ROWS)
    assert source.encoded_bytes == len(whole)
    header = len(rowbinary.encode_rows(SCHEMA, [], format=format))
    edges = {0, header}
    for row in ROWS:
        edges.add(max(edges) + len(rowbinary.encode_rows(SCHEMA, [row], format=format)) - header)
    assert max(edges) == len(whole)
    cuts = [*itertools.accumulate(map(len, chunks))]
    assert cuts[-1] == len(whole)
    assert edges.isdisjoint(cuts[:-1])
    assert len(cuts) > 1 or size > len(whole)


ONE_BYTE = "UInt8; Bool; Enum8('a' = 1); FixedString(1); String; LowCardinality(String); Dynamic; JSON; "
ONE_BYTE += "JSON(a UInt64); Nullable(UInt64); Nullable(FixedString(9)); Variant(UInt64, String); "
ONE_BYTE += "Array(UInt64); Map(UInt64, UInt64); Tuple(String); Tuple(UInt8), y Tuple()"
MORE = "UInt16; FixedString(2); Date; Float64; Tuple(UInt8, String); UInt8, y UInt8; String, y Dynamic"


@pytest.mark.parametrize(
    ("columns", "inside"),
    [*((text, False) for text in ONE_BYTE.split("; ")), *((text, True) for text in MORE.split("; "))],
)
def test_whether_every_cut_is_inside_of_a_row(columns: str, inside: bool, impl: str) -> None:
    source = Encoding(Encoder(f"x {columns}", implementation=impl), [])
    assert source.cut_inside_rows is inside
    drained(source)
    assert source.cut_inside_rows is inside


@given(st.data(), schemas())
def test_no_row_is_shorter_than_the_least(data: st.DataObject, columns: list[tuple[str, str]]) -> None:
    row = tuple(data.draw(values_of(kind)) for _, kind in columns)
    source = Encoding(Encoder(columns, implementation="python"), [row])
    assert len(b"".join(drained(source))) >= source._least_row
    assert source.cut_inside_rows == (source._least_row >= 2)


def test_chunks_of_rows_of_one_byte_may_end_with_a_row(impl: str) -> None:
    source = Encoding(Encoder("x UInt8", implementation=impl), [(1,), (2,), (3,)], 2)
    assert drained(source) == [b"\1", b"\2", b"\3"]
    assert not source.cut_inside_rows


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("size", [2, 10, 1 << 20])
def test_no_rows_are_no_bytes(size: int, format: Any, impl: str) -> None:
    for rows, on_error in (([], "raise"), ([("bad",)] * 20, lambda *_: None)):
        source = encoding(rows, size, impl, format, on_error=on_error)
        chunks = b"".join(drained(source))
        # A header that fills a chunk by itself has left before it is known that no row follows.
        assert chunks in (b"", rowbinary.encode_rows(SCHEMA, [], format=format))
        assert chunks == b"" or size < 1 << 20
        assert source.rows == 0


def test_refused_rows_are_left_out_and_not_counted(impl: str) -> None:
    refused: list[int] = []
    bad: tuple[Any, ...] = ("bad", "x", [])
    rows = [row for good in ROWS for row in (good, bad)]
    source = encoding(rows, 50, impl, on_error=lambda row, index, error: refused.append(index))
    assert b"".join(drained(source)) == rowbinary.encode_rows(SCHEMA, ROWS)
    assert source.rows == len(ROWS)
    assert refused == [*range(1, 600, 2)]


@pytest.mark.parametrize("size", [2, 50, 1 << 20])
def test_a_bad_row_ends_it_where_it_is(size: int, impl: str) -> None:
    source = encoding([*ROWS[:100], ("bad", "x", [])], size, impl)
    got = b""
    with pytest.raises(EncodeError) as caught:  # noqa: PT012
        while not source.ended:
            got += bytes(source.next())
    assert caught.value.row == 100
    whole = rowbinary.encode_rows(SCHEMA, ROWS[:100])
    assert whole.startswith(got)
    assert len(got) < len(whole)


def test_rows_are_taken_as_they_are_needed(impl: str) -> None:
    taken = []
    source = encoding((taken.append(row) or row for row in ROWS), 100, impl)  # type: ignore[func-returns-value]
    source.next()
    assert 5 < len(taken) < 30


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("batch", [1, 3, 1_000])
@pytest.mark.parametrize("size", [2, 60, 1 << 20])
def test_batches_make_the_same_body_as_an_iterator(size: int, batch: int, format: Any, impl: str) -> None:
    source = encoding((), size, impl, format)
    chunks = [source.feed(ROWS[at : at + batch]) for at in range(0, len(ROWS), batch)]
    assert not source.ended
    last = source.end()
    assert source.ended
    body = [bytes(chunk) for chunk in [*chunks, last] if chunk is not None]
    assert b"".join(body) == b"".join(drained(encoding(ROWS, size, impl, format)))
    assert source.rows == len(ROWS)
    assert source.raw_bytes == source.encoded_bytes == sum(map(len, body))


def test_batches_without_rows(impl: str) -> None:
    source = encoding((), 1 << 20, impl, "RowBinaryWithNames")
    assert source.feed([]) is None
    assert source.end() == b""


# --- bytes -----------------------------------------------------------------------------------------


def refilled() -> Iterator[bytearray]:
    """One buffer, filled anew for every piece."""
    buffer = bytearray(64)
    for start in range(0, len(DATA), 64):
        buffer[:] = DATA[start : start + 64]
        yield buffer


def shrinking() -> Iterator[memoryview | bytearray]:
    sizes = itertools.cycle([0, 1, 5_000, 3, 0, 999])
    at = 0
    while at < len(DATA):
        size = next(sizes)
        yield memoryview(DATA)[at : at + size] if size % 2 else bytearray(DATA[at : at + size])
        at += size


SOURCES: dict[str, Callable[[], object]] = {
    "bytes": lambda: DATA,
    "bytearray": lambda: bytearray(DATA),
    "memoryview": lambda: memoryview(DATA),
    "memoryview of ints": lambda: memoryview(array.array("I", DATA)),
    "memoryview of two dimensions": lambda: memoryview(DATA).cast("B", (40, 256)),
    "list": lambda: [DATA[:100], DATA[100:]],
    "tuple of bytearrays": lambda: (bytearray(DATA[:1]), bytearray(DATA[1:])),
    "views with steps": lambda: [memoryview(DATA)[::2], memoryview(DATA)[1::2]],
    "single bytes": lambda: [DATA[at : at + 1] for at in range(len(DATA))],
    "generator of one buffer": refilled,
    "generator of all sizes": shrinking,
    "file": lambda: io.BytesIO(DATA),
    "buffered file": lambda: io.BufferedReader(io.BytesIO(DATA)),
    "iter_encode": lambda: rowbinary.iter_encode("x String", [("é" * 50,)] * 50, chunk_bytes=100),
}


def meant(data: object) -> bytes:
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    return bytes(data.read()) if hasattr(data, "read") else b"".join(map(bytes, data))  # type: ignore[call-overload]


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
@pytest.mark.parametrize("size", [1, 7, 64, 100, 1_000, 1 << 20])
def test_bytes_come_in_order_and_in_chunks(make: Callable[[], object], size: int) -> None:
    source = BytesSource(make(), 5, size)
    chunks = drained(source)
    whole = meant(make())
    assert b"".join(chunks) == whole
    assert source.rows == 5
    assert all(size <= len(chunk) < 2 * size for chunk in chunks[:-1])


def test_a_real_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(DATA)
    for buffering in (-1, 0):
        with path.open("rb", buffering=buffering) as file:
            assert b"".join(drained(BytesSource(file, None, 1_000))) == DATA


@pytest.mark.parametrize(
    "data", [b"", bytearray(), memoryview(b""), [], [b"", b""], iter(()), io.BytesIO()], ids=shown
)
def test_nothing_is_an_end(data: object) -> None:
    source = BytesSource(data)
    assert drained(source) == [b""]
    assert source.rows is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: "text",
        lambda: "",
        lambda: None,
        lambda: 5,
        lambda: object(),
        lambda: ["text"],
        lambda: [1, 2],
        lambda: [None],
        lambda: {"key": b""},
        lambda: [[b"x"]],
        lambda: array.array("B", [1]),
        lambda: memoryview(DATA)[::2],
        lambda: io.StringIO("text"),
        lambda: io.StringIO(""),
    ],
)
def test_what_has_no_bytes_is_a_type_error(make: Callable[[], object]) -> None:
    with pytest.raises(TypeError):  # noqa: PT012
        source = BytesSource(make())
        source.next()


def test_a_text_file_is_a_type_error(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "text"
    for text in ("", "text"):
        path.write_text(text)
        with path.open() as file, pytest.raises(TypeError, match="every piece must be bytes, not str"):
            BytesSource(file).next()


def test_an_error_of_the_iterable_is_the_callers() -> None:
    def failing() -> Iterator[bytes]:
        yield b"x"
        raise KeyError("mine")

    source = BytesSource(failing(), None, 1)
    assert bytes(source.next()) == b"x"
    with pytest.raises(KeyError, match="mine"):
        source.next()


@given(st.lists(st.binary(max_size=40)), st.integers(1, 50))
def test_pieces_of_any_size(pieces: list[bytes], size: int) -> None:
    assert b"".join(drained(BytesSource(pieces, None, size))) == b"".join(pieces)
