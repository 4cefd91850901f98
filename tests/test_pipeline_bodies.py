"""What becomes of the chunks of an insert: the bodies of requests, and the packers that compress them."""

from __future__ import annotations

import gzip
import itertools
import pathlib
import random
import threading
import zlib
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any

import lz4.frame
import pytest
from pipeline_sources import DATA, drained

import rowbinary
from rowbinary import Encoder, frames
from rowbinary._options import COMPRESSIONS
from rowbinary._pipeline import Abandoned, Encoding, StreamBody, WholeBody, packer
from rowbinary.protocol import POISON

# --- bodies ----------------------------------------------------------------------------------------


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


# --- packers ---------------------------------------------------------------------------------------


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
