"""Rows to the pieces of a body: encoded, then compressed, in stages that overlap.

The stages are the same for every client: :class:`Encoding` makes chunks, a packer makes each chunk a
piece of the body, by itself, so that several can be packed at once.
"""

from __future__ import annotations

import collections
import functools
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, Protocol, TypeAlias

from . import _api
from ._options import COMPRESSIONS
from .frames import _zstd, compress_frame, compress_frames

__all__ = [
    "AWAKE",
    "COMPRESSIONS",
    "Abandoned",
    "Body",
    "BytesSource",
    "Encoding",
    "Packer",
    "Source",
    "StreamBody",
    "WholeBody",
    "packer",
]

Buffer: TypeAlias = "bytes | bytearray | memoryview"
Packer: TypeAlias = Callable[[Buffer], "bytes | memoryview"]

# A chunk waits in the cache between its stages; smaller ones cost more calls, larger ones more memory.
CHUNK_BYTES = 1 << 20
SEND_BYTES = 1 << 20
# Seconds.  Ctrl-C ends no wait for a lock where its handler is installed to go on with it (polars does that):
# the threads of callers do not wait for longer at a time.
AWAKE = 0.2
_NO_LIMIT = _api._NO_LIMIT


@functools.lru_cache
def packer(compression: str) -> Packer:
    """What packs a chunk for `compression`; its results, one after another, are the body.

    ``ImportError`` where a zstd module is needed and absent.
    """
    if compression in ("lz4", "zstd"):
        method: Any = compression
        compress_frame(b"\0", method)  # what it needs is imported here, not in the middle of an insert
        return functools.partial(_frames, method)
    if compression == "http-gzip":
        return _gzip
    if compression == "http-lz4":
        return _lz4_frames()
    if compression == "http-zstd":
        return _zstd().compress  # type: ignore[no-any-return]
    return memoryview


def _lz4_frames() -> Packer:
    """LZ4 frames of HTTP, not ClickHouse's: their blocks need no earlier ones, which would be copied."""
    import lz4.frame as lz4

    return functools.partial(
        lz4.compress, block_size=lz4.BLOCKSIZE_MAX1MB, block_linked=False, store_size=False
    )


def slices(piece: bytes | memoryview) -> Iterator[bytes | memoryview]:
    """`piece`, in parts that are sent one by one.

    HTTP libraries copy what they send to put its size in front, and the system copies it again: memory that
    is fresh for every block costs more than twice as much of the client's time as memory in the caches.
    """
    if len(piece) <= SEND_BYTES * 5 // 4:  # a frame of incompressible bytes is a little longer
        yield piece
        return
    whole = memoryview(piece)
    for start in range(0, len(whole), SEND_BYTES):
        yield whole[start : start + SEND_BYTES]


def _frames(method: Any, chunk: Buffer) -> bytes:
    """A frame, or several where the chunk is a Native block of some size."""
    if len(chunk) < 2 * CHUNK_BYTES:
        return compress_frame(chunk, method)
    return b"".join(compress_frames((chunk,), method))


def _gzip(chunk: Buffer) -> bytes:
    """One gzip member: a body may have many."""
    stream = zlib.compressobj(1, zlib.DEFLATED, 31)
    return stream.compress(chunk) + stream.flush()


class Source(Protocol):
    """Where chunks come from."""

    @property
    def rows(self) -> int | None:
        """Rows in the chunks so far; ``None`` when that is not known."""

    @property
    def raw_bytes(self) -> int:
        """Bytes in the chunks so far."""

    @property
    def seconds(self) -> float:
        """Time it took to make them."""

    @property
    def ended(self) -> bool:
        """Whether the last chunk was the last."""

    def next(self) -> Buffer:
        """The next chunk; empty only at the end."""


class Encoding:
    """Chunks of encoded rows.

    No chunk but the last ends where a row ends: its last byte waits for the next chunk.  Old servers
    take a body that was cut between two rows for a complete one, and now no cut between two pieces of
    the body can be there (unless rows have a single byte).  The same goes for Native, whose bodies can
    be cut between two blocks: a chunk is whole blocks, but for the last byte.
    """

    def __init__(
        self,
        encoder: _api.Encoder,
        rows: Iterable[object],
        chunk_bytes: int | None = None,
        statement: bytes = b"",
    ):
        """`statement` is what the body begins with, where the rows follow their statement in it."""
        if chunk_bytes is None:
            chunk_bytes = _api.DEFAULT_NATIVE_CHUNK if encoder.format == "Native" else CHUNK_BYTES
        self._encoder = encoder._encoder
        self._rows = _api._iterator(rows)
        self._on_error = encoder._on_error
        self._limit = max(2, chunk_bytes)  # more than the byte that waits
        nodes = encoder.schema.plan.nodes
        # What may not be cut off as a whole, and its least size: a row, or a Native block.
        if encoder.format == "Native":
            self._least_row = 2  # the counts of columns and rows, where all cells are DEFAULT
        elif encoder.format.endswith("Defaults"):
            self._least_row = len(nodes)  # a DEFAULT is one byte, whatever the type
        else:
            self._least_row = sum(len(node.zero) for node in nodes)
        self._header: bytes = statement + encoder._header
        self.rows: int | None = 0
        self.raw_bytes = 0
        self.seconds = 0.0
        self.ended = False
        self.held = b""  # the last byte of the chunks so far, if it waits for the next

    @property
    def cut_inside_rows(self) -> bool:
        """Whether it is certain that no piece but the last ends with a row, or with a Native block: they
        have two bytes or more."""
        return self._least_row > 1

    @property
    def encoded_bytes(self) -> int:
        """Bytes of all rows so far, with those that wait for their chunk."""
        return self.raw_bytes + len(self._encoder)

    def next(self) -> Buffer:
        """The next chunk, encoded from as many rows as it takes."""
        chunk: Buffer = self._chunk(self._rows, last=True)
        return chunk

    def feed(self, rows: Iterable[object]) -> Buffer | None:
        """Encode `rows`; a chunk when there are enough of them."""
        chunk: Buffer | None = self._chunk(iter(rows), last=False)
        return chunk

    def end(self) -> Buffer:
        """The last chunk after :meth:`feed`."""
        chunk: Buffer = self._chunk(iter(()), last=True)
        return chunk

    def resume(self, rows: Iterable[object]) -> None:
        """Go on with `rows` where :meth:`next` has raised for one; those before it are in the buffer."""
        self._rows = _api._iterator(rows)

    def _chunk(self, rows: Iterator[object], last: bool) -> Any:
        start = time.perf_counter()
        encoder, before = self._encoder, self._encoder.rows
        if self._header:
            encoder.append(self._header)
            self._header = b""
        try:
            # All rows of a batch are taken; of an iterator as many as fill a chunk.
            exhausted = encoder.fill(rows, self._limit if last else _NO_LIMIT, self._on_error)
        finally:
            self.seconds += time.perf_counter() - start
            assert self.rows is not None
            self.rows += encoder.rows - before
        if not last and len(encoder) < self._limit:
            return None
        chunk = encoder.take()
        self.ended = last and exhausted
        if self.ended or not chunk:
            if not self.rows and not self.raw_bytes:
                return b""  # a header without rows is no body
            self.raw_bytes += len(chunk)
            return chunk
        self.held = chunk[-1:]
        encoder.append(self.held)
        self.raw_bytes += len(chunk) - 1
        return memoryview(chunk)[:-1]


class BytesSource:
    """Chunks of bytes that somebody else has encoded: a buffer, an iterable of them, a binary file."""

    def __init__(self, data: object, rows: int | None = None, chunk_bytes: int = CHUNK_BYTES):
        self._limit = chunk_bytes
        self._pieces = _pieces(data, chunk_bytes)
        self.rows = rows
        self.raw_bytes = 0
        self.seconds = 0.0
        self.ended = False

    def next(self) -> Buffer:
        """The next chunk: pieces joined until there is enough of them."""
        start = time.perf_counter()
        parts, size = [], 0
        for piece in self._pieces:
            if len(piece):
                parts.append(piece)
                size += len(piece)
            if size >= self._limit:
                break
        else:
            self.ended = True
        self.raw_bytes += size
        chunk = parts[0] if len(parts) == 1 else b"".join(parts)
        self.seconds += time.perf_counter() - start
        return chunk


def _pieces(data: Any, limit: int) -> Iterator[memoryview]:
    """`data` in pieces of at most `limit` bytes.  Raises ``TypeError`` for what has no bytes."""
    if isinstance(data, bytes | bytearray | memoryview):
        return _cut(data, limit)
    if callable(getattr(data, "read", None)):
        return _cut_all(iter(lambda: data.read(limit), b""), limit)
    if isinstance(data, str) or not isinstance(data, Iterable):
        raise TypeError(
            f"bytes, an iterable of bytes, or a binary file are needed, not {type(data).__name__}"
        )
    return _cut_all(data, limit)


def _cut_all(buffers: Iterable[object], limit: int) -> Iterator[memoryview]:
    for buffer in buffers:
        if not isinstance(buffer, bytes | bytearray | memoryview):
            raise TypeError(f"every piece must be bytes, not {type(buffer).__name__}")
        # A buffer that can change may be filled anew before the last piece of it has left.
        yield from _cut(buffer if isinstance(buffer, bytes) else bytes(buffer), limit)


def _cut(buffer: Buffer, limit: int) -> Iterator[memoryview]:
    view = memoryview(buffer).cast("B")
    for start in range(0, len(view), limit):
        yield view[start : start + limit]


class Abandoned(Exception):
    """The maker of a body gave up: there will be no end of it."""


class WholeBody:
    """A body that is known before it is sent, so it can be sent again."""

    poisoned = False
    replayable = True
    wake: Callable[[], None] | None = None

    def __init__(self, *pieces: bytes | memoryview):
        self._pieces = pieces
        self.length: int | None = sum(map(len, pieces))

    def __iter__(self) -> Iterator[bytes | memoryview]:
        return iter(self._pieces)


class StreamBody:
    """A body that is made while it is sent: a short queue between two threads.

    The maker calls :meth:`put`, then :meth:`finish` or :meth:`fail`; the sender iterates.  Pieces may be
    futures.  A sender that gives up calls :meth:`close`, and the maker stops.

    ``poisoned``: the maker failed, and the body was ended with bytes that the server refuses: unlike
    a broken connection these get an answer.  Where nothing can be such bytes, iterating raises
    :class:`Abandoned`.
    """

    length: int | None = None

    def __init__(self, first: bytes | memoryview, poison: bytes | None, depth: int):
        self._first = first
        self._poison = poison
        self._depth = depth
        self._items: collections.deque[Future[bytes | memoryview]] = collections.deque()
        self._changed = threading.Condition()
        self._finished = self._failed = self._closed = False
        self.replayable = True
        self.poisoned = False
        self.wake: Callable[[], None] | None = None  # breaks off what the sender does

    def put(self, piece: Future[bytes | memoryview]) -> bool:
        """Add a piece when there is room; false when nobody takes it any more."""
        with self._changed:
            while len(self._items) >= self._depth and not self._closed:
                self._changed.wait(AWAKE)
            if self._closed:
                return False
            self._items.append(piece)
            self._changed.notify_all()
            return True

    def finish(self) -> None:
        """There are no more pieces."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def fail(self, polite: bool = True) -> None:
        """There will be no proper end, and what waits is not sent.  Not `polite`: no last bytes either."""
        with self._changed:
            self._failed = True
            if not polite:
                self._poison = None
            self._items.clear()
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing is taken any more."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[bytes | memoryview]:
        yield self._first
        while (piece := self._next()) is not None:
            yield piece.result()
        if self._failed:
            if self._poison is None:
                raise Abandoned
            self.poisoned = True
            yield self._poison

    def _next(self) -> Future[bytes | memoryview] | None:
        with self._changed:
            while not (self._items or self._finished or self._failed):
                self._changed.wait()
            if self._failed or not self._items:
                return None
            self.replayable = False
            piece = self._items.popleft()
            self._changed.notify_all()
            return piece


Body: TypeAlias = "WholeBody | StreamBody"
