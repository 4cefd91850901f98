"""Bodies as a modern server reads them: HTTP framing, content encodings, frames with checksums."""

from __future__ import annotations

import bz2
import importlib
import io
import lzma
import struct
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import lz4.block
import lz4.frame
from clickhouse_cityhash.cityhash import CityHash128

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Buffer = bytes | memoryview
PIECE = 1 << 20
MAX_FRAME = 1 << 30
LZ4, NONE, ZSTD = 0x82, 0x02, 0x90


class Failure(Exception):
    """What the server answers: its error code and text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def sized(source: io.BufferedReader, size: int) -> Iterator[Buffer]:
    """The body of a request with Content-Length."""
    left = size
    while left:
        piece = source.read1(min(left, PIECE))
        if not piece:
            raise Failure(33, f"Unexpected EOF in the body: got {size - left} of {size} bytes")
        left -= len(piece)
        yield piece


def chunked(source: io.BufferedReader) -> Iterator[Buffer]:
    """The body of a chunked request; its end is the last chunk, nothing else."""
    while True:
        line = source.readline(1000)
        if not line.endswith(b"\n"):
            raise Failure(3, "Unexpected end of file while reading chunk header of HTTP chunked data")
        try:
            left = int(line.split(b";")[0], 16)
        except ValueError:
            raise Failure(1, f"Cannot read the size of an HTTP chunk: {line!r}") from None
        if not left:
            while source.readline(65536).strip():  # trailers
                pass
            return
        while left:
            piece = source.read1(min(left, PIECE))
            if not piece:
                raise Failure(3, "Unexpected end of file while reading HTTP chunked data")
            left -= len(piece)
            yield piece
        if source.readline(3) != b"\r\n":
            raise Failure(3, "Unexpected end of file or data after an HTTP chunk")


class Inflate:
    """zlib's decompressor under the names that the others have."""

    def __init__(self, bits: int) -> None:
        self._inner = zlib.decompressobj(bits)
        self.decompress = self._inner.decompress

    @property
    def eof(self) -> bool:
        """Whether the end of a member was reached."""
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        """What follows the member."""
        return self._inner.unused_data


class Brotli:
    """The brotli package's decompressor under the same names."""

    def __init__(self) -> None:
        try:
            self._inner = importlib.import_module("brotli").Decompressor()
        except ImportError:
            raise Failure(48, "Content-Encoding br needs the package brotli in the test server") from None
        self.decompress = self._inner.process
        self.unused_data = b""

    @property
    def eof(self) -> bool:
        """Whether the end of the stream was reached."""
        return bool(self._inner.is_finished())


# By Content-Encoding: the decompressor, and the server's code for damaged data.
ENCODINGS: dict[str, tuple[Callable[[], Any], int]] = {
    "gzip": (lambda: Inflate(31), 354),
    "deflate": (lambda: Inflate(15), 354),
    "lz4": (lz4.frame.LZ4FrameDecompressor, 594),
    "zstd": (zstd.ZstdDecompressor, 561),
    "br": (Brotli, 448),
    "xz": (lzma.LZMADecompressor, 458),
    "bz2": (bz2.BZ2Decompressor, 591),
}


def decoded(parts: Iterable[Buffer], encoding: str) -> Iterator[Buffer]:
    """Undo a Content-Encoding; several members one after the other are one body."""
    if encoding not in ENCODINGS:
        known = ", ".join(f"'{name}'" for name in ENCODINGS)
        raise Failure(48, f"Unknown compression method '{encoding}'. Only {known} are supported")
    make, code = ENCODINGS[encoding]
    return _decoded(parts, make, code)


def _decoded(parts: Iterable[Buffer], make: Callable[[], Any], code: int) -> Iterator[Buffer]:
    decoder, begun = make(), False
    for part in parts:
        rest: Buffer = part
        while rest:
            if decoder.eof:
                decoder = make()
            try:
                out = decoder.decompress(rest)
            except Exception as error:
                raise Failure(code, f"Cannot decompress the body: {error}") from None
            begun = True
            if out:
                yield out
            rest = (decoder.unused_data or b"") if decoder.eof else b""
    if begun and not decoder.eof:
        raise Failure(code, "Cannot decompress the body: unexpected end of data")


class Pieces:
    """Takes exact sizes from pieces of any sizes, without a copy where one piece has it all."""

    def __init__(self, parts: Iterable[Buffer]) -> None:
        self._parts = iter(parts)
        self._piece = memoryview(b"")

    def take(self, size: int) -> Buffer:
        """The next bytes: fewer only at the end."""
        if len(self._piece) >= size:
            out = self._piece[:size]
            self._piece = self._piece[size:]
            return out
        taken: list[Buffer] = [self._piece]
        left = size - len(self._piece)
        self._piece = memoryview(b"")
        while left:
            part = next(self._parts, None)
            if part is None:
                break
            view = memoryview(part)
            taken.append(view[:left])
            self._piece = view[left:]
            left -= min(left, len(view))
        return b"".join(taken)


def checksum(data: Buffer) -> bytes:
    """The 16 bytes before a frame."""
    value = CityHash128(data)
    return struct.pack("<QQ", value >> 64, value & 0xFFFF_FFFF_FFFF_FFFF)


def frames(parts: Iterable[Buffer], verify: bool = True) -> Iterator[Buffer]:
    """The raw data of frames (decompress=1)."""
    source = Pieces(parts)
    while True:
        head = source.take(25)
        if not head:
            return
        if len(head) < 25:
            expected = 16 if len(head) < 16 else 25
            raise Failure(33, f"Cannot read all data. Bytes read: {len(head)}. Bytes expected: {expected}.")
        method, packed, raw = struct.unpack_from("<BII", head, 16)
        if method not in (LZ4, NONE, ZSTD):
            raise Failure(432, f"Unknown codec family code: {method}")
        if raw == 0:
            raise Failure(246, "Can't decompress data: the block size is 0")
        if not 9 <= packed <= MAX_FRAME or raw > MAX_FRAME:
            raise Failure(39, f"Too large size_compressed or size_decompressed: {packed}, {raw}")
        payload = source.take(packed - 9)
        if len(payload) < packed - 9:
            text = f"Cannot read all data. Bytes read: {len(payload)}. Bytes expected: {packed - 9}."
            raise Failure(33, text)
        if verify and checksum(b"".join((head[16:], payload))) != head[:16]:
            raise Failure(40, "Checksum doesn't match: corrupted data")
        yield unpacked(method, payload, raw)


def unpacked(method: int, payload: Buffer, size: int) -> Buffer:
    """The raw data of one frame."""
    out = payload
    try:
        if method == LZ4:
            out = lz4.block.decompress(payload, uncompressed_size=size)
        elif method == ZSTD:
            out = zstd.decompress(payload)
    except Exception as error:
        raise Failure(271, f"Cannot decompress: {error}") from None
    if len(out) != size:
        raise Failure(271, f"Cannot decompress: {len(out)} bytes, and the frame says {size}")
    return out


def frame(raw: bytes, method: int = LZ4) -> bytes:
    """One frame."""
    payload = raw
    if method == LZ4:
        payload = lz4.block.compress(raw, store_size=False)
    elif method == ZSTD:
        payload = zstd.compress(raw, 1)
    body = struct.pack("<BII", method, len(payload) + 9, len(raw)) + payload
    return checksum(body) + body


def framed(raw: bytes) -> bytes:
    """Data as frames of at most 1 MiB (compress=1)."""
    return b"".join(frame(raw[start : start + PIECE]) for start in range(0, len(raw), PIECE))
