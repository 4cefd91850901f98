"""Compressed block frames: what ClickHouse reads with ``decompress=1`` and writes with ``compress=1``.

A body is any number of frames, one after another, and rows may cross from one into the next.
A frame, numbers little-endian::

    0   16  CityHash128 (version 1.0.2) of everything from byte 16 to the frame's end
    16   1  method: 0x82 LZ4, 0x90 ZSTD, 0x02 none
    17   4  size of the frame without the checksum: payload + 9, at most 1 GiB
    21   4  raw size: what the payload becomes
    25      payload: an LZ4 block (no size prefix), a zstd frame, or the raw bytes

Layout and limits were checked against frames that ClickHouse 26.9 wrote and refused.  Nothing here
holds the interpreter lock while it compresses, decompresses or hashes.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple

import lz4.block

from ._cityhash import cityhash128
from .errors import FrameError

__all__ = [
    "BLOCK_BYTES",
    "MAX_BLOCK_BYTES",
    "MAX_FRAME_BYTES",
    "MAX_RAW_BYTES",
    "Method",
    "compress_frame",
    "compress_frames",
    "decompress_frames",
]

Method = Literal["lz4", "zstd", "none"]
Buffer = bytes | bytearray | memoryview

BLOCK_BYTES = 1 << 20
"""Raw bytes per frame unless asked otherwise: what the server's own tools write."""
MAX_FRAME_BYTES = 0x40000000
"""The largest size field, 1 GiB, that the server reads (``DBMS_MAX_COMPRESSED_SIZE``, code 39)."""
MAX_RAW_BYTES = MAX_FRAME_BYTES - (1 << 23) - 1
"""The largest block that is compressed here, 1,065,353,215 bytes.

Bytes that do not compress grow, by 1/255 and 16 bytes with LZ4 (``LZ4_compressBound``), and have
to fit into a frame all the same.
"""
MAX_BLOCK_BYTES = 1 << 30
"""The largest raw size that is decompressed unless asked otherwise, 1 GiB."""

_LZ4, _ZSTD, _NONE = 0x82, 0x90, 0x02
_METHODS = {"lz4": _LZ4, "zstd": _ZSTD, "none": _NONE}
_CHECKSUM = 16
_HEADER = 25
_SUMMED = _HEADER - _CHECKSUM  # the part of the header that the checksum and the size field cover

# An LZ4 sequence of 3 bytes can stand for 19, each further byte of its length for 255 more.
_LZ4_MOST = 255
_LZ4_MAX_ACCELERATION = 65537  # LZ4_ACCELERATION_MAX
_LZ4_MAX_RAW = 0x7E000000  # LZ4_MAX_INPUT_SIZE: no LZ4 block becomes more
_ZSTD_MAX_LEVEL = 22
_ZSTD_USUAL_WINDOW = 27  # log2 of the window that decoders accept by themselves: 128 MiB


# --- compression --------------------------------------------------------------------------------


class _Codec(NamedTuple):
    method: int
    pack: Callable[[Buffer], Buffer]


def compress_frame(raw: Buffer, method: Method = "lz4", *, acceleration: int = 1, level: int = 1) -> bytes:
    """One frame with all of `raw`.  May be called from any thread.

    Args:
        raw: 1 to ``MAX_RAW_BYTES`` contiguous bytes.
        method: ``"lz4"``, ``"zstd"`` or ``"none"``.
        acceleration: for LZ4, 1 (the default, as the server) to 65537: larger is faster and
            compresses less.
        level: for zstd, 1 (the default, as the server) to 22: larger is slower and compresses more.

    Raises:
        ValueError: `raw` is empty (the server refuses such a frame, code 246) or too large, or an
            option is not among the above or belongs to another method.
        TypeError, BufferError: `raw` is not a buffer, or not contiguous.
        ImportError: ``"zstd"`` without a zstd module.
    """
    codec = _codec(method, acceleration, level)
    block = _flat(raw)
    if not block:
        raise ValueError("an empty block makes no frame")
    if len(block) > MAX_RAW_BYTES:
        raise ValueError(f"a block of {len(block)} bytes is larger than the limit of {MAX_RAW_BYTES}")
    return _frame(block, codec)


def compress_frames(
    chunks: Iterable[Buffer],
    method: Method = "lz4",
    *,
    acceleration: int = 1,
    level: int = 1,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[bytes]:
    """The bytes of all `chunks` as frames, one per item; nothing when there are no bytes.

    The chunks are regrouped: a frame is closed as soon as it has `block_bytes`, and long chunks are
    cut, so every frame but the last has `block_bytes` or more and none has twice that.  A chunk in
    between is compressed where it is when no earlier bytes wait for a frame; others are copied
    once.  At most one frame is held back.

    Args:
        chunks: buffers of contiguous bytes of any size, such as ``rowbinary.iter_encode`` makes.
            A buffer may be changed once the next one was asked for.
        method, acceleration, level: as for :func:`compress_frame`.
        block_bytes: 1 to ``(MAX_RAW_BYTES + 1) // 2`` raw bytes; 1 MiB by default.

    Raises:
        ValueError, TypeError, ImportError: for options, as :func:`compress_frame`, at the call.
        TypeError, BufferError: while iterating, for a chunk that is no buffer, or not contiguous.
    """
    codec = _codec(method, acceleration, level)
    _check_range("block_bytes", block_bytes, (MAX_RAW_BYTES + 1) // 2)
    _check_chunks(chunks)
    return _compressed(chunks, codec, block_bytes)


def _compressed(chunks: Iterable[Buffer], codec: _Codec, block_bytes: int) -> Iterator[bytes]:
    pending = bytearray()
    for chunk in chunks:
        rest = _flat(chunk)
        if pending:
            fits = len(pending) + len(rest) < 2 * block_bytes
            take = len(rest) if fits else block_bytes - len(pending)
            pending += rest[:take]
            rest = rest[take:]
            if len(pending) < block_bytes:
                continue
            yield _frame(pending, codec)
            pending = bytearray()
        while len(rest) >= 2 * block_bytes:
            yield _frame(rest[:block_bytes], codec)
            rest = rest[block_bytes:]
        if len(rest) >= block_bytes:
            yield _frame(rest, codec)
        else:
            pending += rest
    if pending:
        yield _frame(pending, codec)


def _frame(block: bytearray | memoryview, codec: _Codec) -> bytes:
    payload = codec.pack(block)
    return b"".join((_header(codec.method, payload, len(block)), payload))


def _codec(method: str, acceleration: int, level: int) -> _Codec:
    """The method, with its options checked."""
    if method not in _METHODS:
        raise ValueError(f"method must be one of {', '.join(map(repr, _METHODS))}, not {method!r}")
    _check_range("acceleration", acceleration, _LZ4_MAX_ACCELERATION)
    _check_range("level", level, _ZSTD_MAX_LEVEL)
    if acceleration != 1 and method != "lz4":
        raise ValueError(f"acceleration is an option of method 'lz4', not of {method!r}")
    if level != 1 and method != "zstd":
        raise ValueError(f"level is an option of method 'zstd', not of {method!r}")
    pack: Callable[[Buffer], Buffer] = _as_is
    if method == "lz4":
        pack = functools.partial(lz4.block.compress, mode="fast", acceleration=acceleration, store_size=False)
    elif method == "zstd":
        pack = functools.partial(_zstd().compress, level=level)
    return _Codec(_METHODS[method], pack)


def _as_is(block: Buffer) -> Buffer:
    return block


def _zstd() -> Any:
    """The zstd module: of Python 3.14, or its backport."""
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ImportError:
        raise ImportError("zstd frames need a module: pip install 'rowbinary[zstd]'") from None
    return zstd


def _check_range(name: str, value: int, largest: int) -> None:
    if not isinstance(value, int) or not 1 <= value <= largest:
        raise ValueError(f"{name} must be an int from 1 to {largest}, not {value!r}")


def _check_chunks(chunks: object) -> None:
    """A single buffer is an iterable too, of ints; better to say so before the first of them."""
    if isinstance(chunks, (str, bytes, bytearray, memoryview)) or not isinstance(chunks, Iterable):
        raise TypeError(f"chunks must be an iterable of bytes-like objects, not {type(chunks).__name__}")


def _flat(data: Buffer) -> memoryview:
    """`data` as single bytes, not copied."""
    view = memoryview(data)
    if view.ndim == 1 and view.itemsize == 1 and view.c_contiguous:
        return view
    if not view.c_contiguous:
        raise BufferError("the buffer is not contiguous")
    return view.cast("B") if view.nbytes else memoryview(b"")


def header_reference(method: int, payload: Buffer, raw_size: int) -> bytes:
    """The header of the frame with `payload`, in Python (twin of ``csrc/core/rb_frame.c``)."""
    size = len(payload) + _SUMMED
    summed = bytes((method,)) + size.to_bytes(4, "little") + raw_size.to_bytes(4, "little")
    return cityhash128(summed + payload) + summed


def _load_header() -> Callable[[int, Buffer, int], bytes]:
    """The compiled kernel, or the reference where it is absent."""
    try:
        from ._kernels import ffi, lib
    except ImportError:
        return header_reference
    new, view, buffer, frame_header = ffi.new, ffi.from_buffer, ffi.buffer, lib.rb_frame_header

    def compiled(method: int, payload: Buffer, raw_size: int) -> bytes:
        out = new("uint8_t[25]")
        with view(payload) as start:
            frame_header(method, start, len(start), raw_size, out)
        return bytes(buffer(out))

    return compiled


_header = _load_header()


# --- decompression ------------------------------------------------------------------------------


def decompress_frames(chunks: Iterable[Buffer], *, max_block_bytes: int = MAX_BLOCK_BYTES) -> Iterator[bytes]:
    """The raw bytes of each frame in `chunks`, one item per frame.

    The input may be split anywhere.  A frame comes out once it is complete and its checksum is
    right; frames before a damaged one come out before the error.  The sizes in a header are checked
    before anything is made of that size, so memory stays within one compressed frame, twice its
    raw bytes and, for zstd, the window it asks for (128 MiB, or twice the raw size if that is more).

    Args:
        chunks: buffers of contiguous bytes of any size, empty ones too.
        max_block_bytes: the largest raw size to accept, 1 to 2,113,929,216 (the most that LZ4 can
            have in a block); 1 GiB by default.

    Raises:
        ValueError, TypeError: for the arguments, at the call.
        FrameError: while iterating: a wrong checksum or size, an unknown method, a payload that does
            not become exactly the declared raw size, an end inside a frame.
        TypeError, BufferError: while iterating, for a chunk that is no buffer, or not contiguous.
        ImportError: at a zstd frame without a zstd module.
    """
    _check_range("max_block_bytes", max_block_bytes, _LZ4_MAX_RAW)
    _check_chunks(chunks)
    return _decompressed(chunks, max_block_bytes)


def _decompressed(chunks: Iterable[Buffer], max_block_bytes: int) -> Iterator[bytes]:
    offset = number = 0
    try:
        for frame in _whole_frames(chunks, max_block_bytes):
            yield _unpack(frame)
            offset += len(frame)
            number += 1
    except _BadFrame as error:
        raise FrameError(
            error.reason, offset=offset, number=number, expected=error.expected, found=error.found
        ) from error.__cause__


class _BadFrame(Exception):
    """What is wrong with a frame, before its place is known."""

    def __init__(self, reason: str, *, expected: str | None = None, found: str | None = None):
        self.reason = reason
        self.expected = expected
        self.found = found
        super().__init__(reason)


class _Header(NamedTuple):
    method: int
    payload_size: int
    raw_size: int


def _read_header(frame: bytearray) -> _Header:
    number = int.from_bytes
    size = number(frame[17:21], "little")
    return _Header(frame[16], size - _SUMMED, number(frame[21:25], "little"))


def _whole_frames(chunks: Iterable[Buffer], max_block_bytes: int) -> Iterator[bytearray]:
    """Cuts the stream.  The buffer grows with what arrives, never to what a header promises."""
    frame = bytearray()
    need = _HEADER
    for chunk in chunks:
        rest = _flat(chunk)
        while rest:
            take = need - len(frame)
            frame += rest[:take]
            rest = rest[take:]
            if len(frame) < need:
                break
            if need == _HEADER:
                header = _read_header(frame)
                _check_sizes(header, max_block_bytes)
                need += header.payload_size  # not 0: that is no frame
            else:
                yield frame
                frame = bytearray()
                need = _HEADER
    if frame:
        inside = "header" if need == _HEADER else "frame"
        raise _BadFrame(f"the stream ends inside it, after {len(frame)} bytes of a {inside} of {need}")


def _check_sizes(header: _Header, max_block_bytes: int) -> None:
    """Refuse what cannot be a frame before any byte of its payload was read."""
    method, payload_size, raw_size = header
    if method not in _METHODS.values():
        raise _BadFrame(
            f"unknown method byte 0x{method:02x} (LZ4 is 0x82, ZSTD 0x90, none 0x02): "
            "damaged, or not compressed at all"
        )
    size = payload_size + _SUMMED
    if not _SUMMED <= size <= MAX_FRAME_BYTES:
        raise _BadFrame(f"its size field is {size}, outside of {_SUMMED} to {MAX_FRAME_BYTES}")
    if not raw_size:
        raise _BadFrame("its raw size is 0; there are no empty frames")
    if raw_size > max_block_bytes:
        raise _BadFrame(f"its raw size is {raw_size}, the limit is {max_block_bytes}")
    if not payload_size:
        raise _BadFrame(f"it has no payload for a raw size of {raw_size}")
    if method == _NONE and raw_size != payload_size:
        raise _BadFrame(f"its raw size is {raw_size}, its uncompressed payload has {payload_size} bytes")
    if method == _LZ4 and raw_size > _LZ4_MOST * payload_size:
        raise _BadFrame(f"its raw size is {raw_size}, more than an LZ4 payload of {payload_size} can become")


def _unpack(frame: bytearray) -> bytes:
    """The raw bytes of a whole frame with plausible sizes."""
    view = memoryview(frame)
    expected, found = view[:_CHECKSUM], cityhash128(view[_CHECKSUM:])
    if found != expected:
        raise _BadFrame("wrong checksum", expected=expected.hex(), found=found.hex())
    method, _, raw_size = _read_header(frame)
    payload = view[_HEADER:]
    if method == _NONE:
        return bytes(payload)
    raw = _unpack_lz4(payload, raw_size) if method == _LZ4 else _unpack_zstd(payload, raw_size)
    if len(raw) != raw_size:
        raise _BadFrame(f"its payload becomes {len(raw)} bytes, its header has {raw_size}")
    return raw


def _unpack_lz4(payload: memoryview, raw_size: int) -> bytes:
    try:
        raw: bytes = lz4.block.decompress(payload, uncompressed_size=raw_size)
    except lz4.block.LZ4BlockError as error:
        raise _BadFrame(f"its LZ4 payload is damaged, or becomes more than {raw_size} bytes") from error
    return raw


def _unpack_zstd(payload: memoryview, raw_size: int) -> bytes:
    zstd = _zstd()
    # Frames of one block may ask for a window of the block's size.
    window = max(_ZSTD_USUAL_WINDOW, raw_size.bit_length())
    reader = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: window})
    try:
        # With room for one byte more, a payload of the right size is read to its end.
        raw: bytes = reader.decompress(payload, raw_size + 1)
    except zstd.ZstdError as error:
        raise _BadFrame(f"its ZSTD payload cannot be read: {error}") from error
    if len(raw) > raw_size:
        raise _BadFrame(f"its ZSTD payload becomes more than {raw_size} bytes")
    if not reader.eof:
        raise _BadFrame("its ZSTD payload is cut short")
    if reader.unused_data:
        raise _BadFrame(f"its ZSTD payload has {len(reader.unused_data)} bytes after its end")
    return raw
