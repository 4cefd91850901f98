"""Block frames for the tests, good ones and lying ones."""

from __future__ import annotations

import os

import lz4.block
import pytest

from rowbinary import _cityhash, frames

LZ4, ZSTD, NONE = 0x82, 0x90, 0x02


def _has_zstd() -> bool:
    try:
        return bool(frames._zstd())
    except ImportError:
        return False


HAS_ZSTD = _has_zstd()
needs_zstd = pytest.mark.skipif(not HAS_ZSTD, reason="no zstd module (pip install 'rowbinary[zstd]')")
METHODS = ["lz4", "none", pytest.param("zstd", marks=needs_zstd)]
RAW = b"hello hello hello hello hello"


def use_kernels(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `frames` work with the compiled kernels, ``"c"``, or with the reference."""
    if name == "python":
        monkeypatch.setattr(frames, "_header", frames.header_reference)
        monkeypatch.setattr(_cityhash, "_hash", _cityhash.reference)
    elif os.environ.get("ROWBINARY_NO_EXTENSIONS") == "1":
        pytest.skip("built without extensions")
    else:
        assert _cityhash.kernels == "c"
        assert frames._header is not frames.header_reference


def city(data: bytes) -> bytes:
    """The checksum as the package that others use has it."""
    module = pytest.importorskip("clickhouse_cityhash.cityhash")
    number: int = module.CityHash128(data)
    return (number >> 64).to_bytes(8, "little") + (number & (1 << 64) - 1).to_bytes(8, "little")


def signed(rest: bytes | bytearray) -> bytes:
    """A frame with all but its checksum given."""
    return _cityhash.cityhash128(rest) + rest


def frame(method: int, payload: bytes, raw_size: int, size: int | None = None) -> bytes:
    """A frame with the right checksum and anything in its fields."""
    size = len(payload) + 9 if size is None else size
    return signed(bytes([method]) + size.to_bytes(4, "little") + raw_size.to_bytes(4, "little") + payload)


def lz4_of(raw: bytes) -> bytes:
    packed: bytes = lz4.block.compress(raw, store_size=False)
    return packed


def zstd_of(raw: bytes, level: int = 1) -> bytes:
    packed: bytes = frames._zstd().compress(raw, level=level)
    return packed


def pieces(body: bytes, size: int) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


def small_frames() -> list[tuple[bytes, bytes]]:
    """Raw bytes and frame, of every method there is, one of them of a single byte."""
    made = [(RAW, frame(LZ4, lz4_of(RAW), len(RAW))), (RAW[:9], frame(NONE, RAW[:9], 9))]
    if HAS_ZSTD:
        made.append((RAW, frame(ZSTD, zstd_of(RAW), len(RAW))))
    return [*made, (b"x", frame(LZ4, b"\x10x", 1))]
