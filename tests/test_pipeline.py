"""The stages of an insert: chunks that never end between two rows, bytes from anywhere, bodies, packers."""

from __future__ import annotations

import array
import gzip
import io
import itertools
import pathlib
import random
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any

import lz4.frame
import pytest
from conftest import shown
from hypothesis import given
from hypothesis import strategies as st
from strategies import schemas, values_of

import rowbinary
from rowbinary import Encoder, frames
from rowbinary._options import COMPRESSIONS
from rowbinary._pipeline import Abandoned, BytesSource, Encoding, Source, StreamBody, WholeBody, packer
from rowbinary.errors import EncodeError
from rowbinary.protocol import POISON

SCHEMA = "id UInt32, name String, tags Array(UInt8)"
ROWS = [(i, "x" * (i % 7), [1] * (i % 3)) for i in range(300)]
FORMATS = ["RowBinary", "RowBinaryWithNames", "RowBinaryWithNamesAndTypes", "RowBinaryWithDefaults"]


def drained(source: Source) -> list[bytes]:
    """All chunks: the last call is the one that says it was the last, none before it is empty."""
    chunks, size = [], 0
    while not source.ended:
        chunk = source.next()
        assert len(chunk) or source.ended
        chunks.append(bytes(chunk))
        size += len(chunk)
        assert source.raw_bytes == size
    assert not len(source.next())
    assert source.seconds >= 0
    return chunks


def encoding(
    rows: Iterable[object], size: int, impl: str, format: Any = "RowBinary", **options: Any
) -> Encoding:
    return Encoding(Encoder(SCHEMA, format=format, implementation=impl, **options), rows, size)


# --- encoding -------------------------------------------------------------------------------------


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


# --- bytes ----------------------------------------------------------------------------------------

DATA = bytes(range(256)) * 40


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


# --- bodies ---------------------------------------------------------------------------------------


def done(piece: bytes) -> Future[bytes | memoryview]:
    future: Future[bytes | memoryview] = Future()
    future.set_result(piece)
    return future


def test_a_whole_body_can_be_sent_again() -> None:
    body = WholeBody(b"abc", memoryview(b"de"))
    assert body.length == 5
    assert body.replayable
    assert [*body] == [*body] == [b"abc", b"de"]


class Maker(threading.Thread):
    """Puts pieces into a body as fast as it takes them."""

    def __init__(self, body: StreamBody, pieces: Iterable[Future[bytes | memoryview]]):
        super().__init__(daemon=True)
        self.body, self.pieces = body, pieces
        self.taken: int | None = None
        self.put = 0
        self.start()

    def run(self) -> None:
        for piece in self.pieces:
            if not self.body.put(piece):
                self.taken = self.put
                return
            self.put += 1
        self.body.finish()


def joined(thread: threading.Thread) -> None:
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_pieces_come_in_order_whichever_is_ready_first(depth: int) -> None:
    futures: list[Future[bytes | memoryview]] = [Future() for _ in range(200)]
    body = StreamBody(b"first", POISON, depth)
    maker = Maker(body, futures)

    def pack() -> None:  # out of order within what may be waiting
        for start in range(0, len(futures), depth):
            block = [*range(start, min(start + depth, len(futures)))]
            for number in random.sample(block, len(block)):
                futures[number].set_result(b"%d" % number)

    packing = threading.Thread(target=pack, daemon=True)
    packing.start()
    assert [*body] == [b"first", *(b"%d" % number for number in range(200))]
    assert not body.poisoned
    joined(maker)
    joined(packing)


@pytest.mark.parametrize("depth", [1, 4])
def test_the_maker_waits_for_room(depth: int) -> None:
    body = StreamBody(b"first", None, depth)
    maker = Maker(body, (done(b"x") for _ in range(100)))
    pieces = iter(body)
    for sent in range(101):
        assert next(pieces) in (b"first", b"x")
        maker.join(0.001)
        assert maker.put <= sent + depth
    assert next(pieces, None) is None
    joined(maker)
    assert maker.put == 100


def test_a_body_can_be_sent_again_until_its_second_piece_has_left() -> None:
    body = StreamBody(b"first", POISON, 2)
    assert body.put(done(b"second"))
    for _ in range(2):
        pieces = iter(body)
        assert next(pieces) == b"first"
        assert body.replayable
    assert next(pieces) == b"second"
    assert not body.replayable


def test_a_sender_that_gives_up_stops_the_maker() -> None:
    body = StreamBody(b"first", POISON, 2)
    maker = Maker(body, (done(b"x") for _ in itertools.count()))
    pieces = iter(body)
    for _ in range(10):
        next(pieces)
    body.close()
    joined(maker)
    assert maker.taken is not None
    assert 9 <= maker.taken <= 12
    assert not body.put(done(b"x"))


@pytest.mark.parametrize("waiting", [True, False])
@pytest.mark.parametrize(("poison", "polite"), [(POISON, True), (POISON, False), (None, True), (None, False)])
def test_a_maker_that_fails_ends_the_body_so_that_it_is_refused(
    poison: bytes | None, polite: bool, waiting: bool
) -> None:
    body = StreamBody(b"first", poison, 3)
    assert body.put(done(b"second"))
    pieces = iter(body)
    got = [next(pieces), next(pieces)]
    if waiting:
        assert body.put(done(b"never sent"))
    failing = threading.Timer(0.0 if waiting else 0.05, body.fail, [polite])
    failing.start()
    if waiting:
        joined(failing)
    if poison and polite:
        got += pieces
        assert got == [b"first", b"second", POISON]
    else:
        with pytest.raises(Abandoned):
            next(pieces)
    assert body.poisoned == (poison is not None and polite)
    joined(failing)


def test_a_piece_that_cannot_be_packed_fails_the_sender() -> None:
    body = StreamBody(b"first", POISON, 2)
    future: Future[bytes | memoryview] = Future()
    future.set_exception(MemoryError())
    body.put(future)
    body.finish()
    with pytest.raises(MemoryError):
        list(body)


@pytest.mark.parametrize("method", ["lz4", "zstd"])
def test_poison_is_no_frame(method: str) -> None:
    body = bytes(packer(method)(DATA)) + POISON
    with pytest.raises(rowbinary.FrameError):
        list(frames.decompress_frames([body]))
    assert len(POISON) == 25  # a header, so that it is judged and not waited for


# --- packers --------------------------------------------------------------------------------------


def unpacked(compression: str, body: bytes) -> bytes:
    """What a server makes of `body`."""
    if compression in ("http-gzip", "http-lz4"):
        whole = b""
        while body:  # their Python modules stop at the end of one member
            if compression == "http-gzip":
                stream: Any = zlib.decompressobj(31)
            else:
                stream = lz4.frame.LZ4FrameDecompressor()
            whole += stream.decompress(body)
            assert stream.eof
            body = stream.unused_data or b""
        return whole
    if compression == "http-zstd":
        return bytes(frames._zstd().decompress(body))
    return body if compression == "none" else b"".join(frames.decompress_frames([body]))


CHUNKS: list[bytes | bytearray | memoryview] = [
    DATA,
    b"x",
    memoryview(DATA)[3:-3],
    bytearray(b"y" * 70_000),
    random.Random(1).randbytes(30_000),
]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_packed_chunks_are_the_body_of_the_rows(compression: str) -> None:
    pack = packer(compression)
    pieces = [bytes(pack(chunk)) for chunk in CHUNKS]
    for piece, chunk in zip(pieces, CHUNKS, strict=True):
        assert unpacked(compression, piece) == bytes(chunk)
        assert compression == "none" or len(piece) < len(chunk) + 1_000
    assert unpacked(compression, b"".join(pieces)) == b"".join(map(bytes, CHUNKS))


@pytest.mark.engine
@pytest.mark.parametrize(
    ("compression", "name"), [("http-gzip", "gz"), ("http-lz4", "lz4"), ("http-zstd", "zst")]
)
def test_the_engine_reads_many_pieces_of_a_content_encoding(
    engine: Any, tmp_path: pathlib.Path, compression: str, name: str
) -> None:
    """Its buffers for files are those of HTTP bodies."""
    source = Encoding(Encoder("x UInt32"), ((number,) for number in range(100_000)), 10_000)
    (tmp_path / "body").write_bytes(b"".join(map(bytes, map(packer(compression), drained(source)))))
    sql = f"SELECT count(), sum(x) FROM file('{tmp_path}/body', 'RowBinary', 'x UInt32', '{name}')"
    assert engine.query(sql, "TSV").bytes() == b"100000\t4999950000\n"


def test_gzip_of_many_members_is_gzip() -> None:
    pack = packer("http-gzip")
    assert gzip.decompress(b"".join(bytes(pack(chunk)) for chunk in CHUNKS)) == b"".join(map(bytes, CHUNKS))


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_packers_are_called_from_many_threads(compression: str) -> None:
    pack = packer(compression)
    wrong: list[int] = []

    def work(number: int) -> None:
        chunk = bytes([number]) * 50_000
        found = [unpacked(compression, bytes(pack(chunk))) for _ in range(10)]
        if found != [chunk] * 10:
            wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        joined(thread)
    assert wrong == []
