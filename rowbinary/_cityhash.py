"""CityHash128 as in CityHash 1.0.2, the checksum of ClickHouse's block frames.

:func:`cityhash128` uses the compiled kernel when it is there; :func:`reference` is the same in
Python, some hundred times slower.  The algorithm is Google's, frozen by ClickHouse at version
1.0.2: later versions of CityHash give other values.  Sums and products are modulo 2^64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

__all__ = ["cityhash128", "kernels", "reference"]

_MASK = (1 << 64) - 1
_K0 = 0xC3A5C85C97CB3127
_K1 = 0xB492B66FBE98F273
_K2 = 0x9AE16A3B2F90404F
_K3 = 0xC949D7C7509E6557
_MIX = 0x9DDFEA08EB382D69

Pair = tuple[int, int]


def reference(data: bytes | bytearray | memoryview) -> bytes:
    """:func:`cityhash128` in Python."""
    view = memoryview(data)
    if not view.c_contiguous:
        raise BufferError("the buffer is not contiguous")
    data = view.tobytes()
    size = len(data)
    if size >= 16:
        seed = (_word(data, 0) ^ _K3, _word(data, 8))
        data = data[16:]
    elif size >= 8:
        seed = (_word(data, 0) ^ _times(size, _K0), _word(data, size - 8) ^ _K1)
        data = b""
    else:
        seed = (_K0, _K1)
    first, second = _long(data, seed) if len(data) >= 128 else _murmur(data, seed)
    return first.to_bytes(8, "little") + second.to_bytes(8, "little")


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _half_word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _times(a: int, b: int) -> int:
    return a * b & _MASK


def _rotate(value: int, count: int) -> int:
    """`value`, which may be a sum beyond 2^64, rotated right."""
    value &= _MASK
    return (value >> count | value << (64 - count)) & _MASK


def _shift_mix(value: int) -> int:
    value &= _MASK
    return value ^ value >> 47


def _mix(low: int, high: int) -> int:
    """Two words into one."""
    first = _shift_mix((low ^ high) * _MIX)
    return _times(_shift_mix((high ^ first) * _MIX), _MIX)


def _short(data: bytes) -> int:
    """Up to 16 bytes into a word."""
    size = len(data)
    if size > 8:
        last = _word(data, size - 8)
        return _mix(_word(data, 0), _rotate(last + size, size)) ^ last
    if size >= 4:
        return _mix(size + (_half_word(data, 0) << 3), _half_word(data, size - 4))
    if not size:
        return _K2
    y = data[0] + (data[size // 2] << 8)
    z = size + (data[-1] << 2)
    return _times(_shift_mix((y * _K2) ^ (z * _K3)), _K2)


def _fold(data: bytes, at: int, a: int, b: int) -> Pair:
    """32 bytes and two words into two words."""
    last = _word(data, at + 24)
    a += _word(data, at)
    b = _rotate(b + a + last, 21)
    total = a + _word(data, at + 8) + _word(data, at + 16)
    return (total + last) & _MASK, (b + _rotate(total, 44) + a) & _MASK


def _murmur(data: bytes, seed: Pair) -> Pair:
    """Fewer than 128 bytes."""
    a, b = seed
    size = len(data)
    if size <= 16:
        a = _times(_shift_mix(a * _K1), _K1)
        c = (b * _K1 + _short(data)) & _MASK
        d = _shift_mix(a + (_word(data, 0) if size >= 8 else c))
    else:
        c = _mix((_word(data, size - 8) + _K1) & _MASK, a)
        d = _mix((b + size) & _MASK, (c + _word(data, size - 16)) & _MASK)
        a = (a + d) & _MASK
        for at in range(0, size - 16, 16):
            a = _times(a ^ _times(_shift_mix(_word(data, at) * _K1), _K1), _K1)
            b ^= a
            c = _times(c ^ _times(_shift_mix(_word(data, at + 8) * _K1), _K1), _K1)
            d ^= c
    a = _mix(a, c)
    b = _mix(d, b)
    return a ^ b, _mix(b, a)


class _State(NamedTuple):
    x: int
    y: int
    z: int
    v: Pair
    w: Pair


def _step(state: _State, data: bytes, at: int) -> _State:
    """64 bytes into the state."""
    x, y, z, v, w = state
    x = _times(_rotate(x + y + v[0] + _word(data, at + 16), 37), _K1) ^ w[1]
    y = _times(_rotate(y + v[1] + _word(data, at + 48), 42), _K1) ^ v[0]
    z = _rotate(z ^ w[0], 33)
    v = _fold(data, at, _times(v[1], _K1), x + w[0])
    w = _fold(data, at + 32, z + w[1], y)
    return _State(z, y, x, v, w)


def _long(data: bytes, seed: Pair) -> Pair:
    """128 bytes and more: in pieces of 128, then of 32 from the end backwards.

    The last of the small pieces may reach into bytes that are hashed already.
    """
    x, y = seed
    size = len(data)
    z = _times(size, _K1)
    v0 = _times(_rotate(y ^ _K1, 49), _K1) + _word(data, 0) & _MASK
    v = v0, _times(_rotate(v0, 42), _K1) + _word(data, 8) & _MASK
    w = _times(_rotate(y + z, 35), _K1) + x & _MASK, _times(_rotate(x + _word(data, 88), 53), _K1)
    state = _State(x, y, z, v, w)
    rest = size % 128
    for at in range(0, size - rest, 64):
        state = _step(state, data, at)
    x, y, z, v, w = state
    y += _times(_rotate(w[0], 37), _K0) + z
    x += _times(_rotate(v[0] + z, 49), _K0)
    w0 = w[0]
    for at in range(size - 32, size - 32 - rest, -32):
        y = _times(_rotate(y - x, 42), _K0) + v[1]
        w0 += _word(data, at + 16)
        x = _times(_rotate(x, 49), _K0) + w0
        w0 += v[0]
        v = _fold(data, at, *v)
    x = _mix(x & _MASK, v[0])
    y = _mix(y & _MASK, w0 & _MASK)
    first = _mix((x + v[1]) & _MASK, w[1]) + y & _MASK
    return first, _mix((x + w[1]) & _MASK, (y + v[1]) & _MASK)


def _load() -> tuple[Literal["c", "python"], Callable[[bytes | bytearray | memoryview], bytes]]:
    """The compiled kernel, or the reference where it (or cffi, which it needs) is absent."""
    try:
        from ._kernels import ffi, lib
    except ImportError:
        return "python", reference
    new, view, city128 = ffi.new, ffi.from_buffer, lib.rb_city128

    def compiled(data: bytes | bytearray | memoryview) -> bytes:
        halves = new("uint64_t[2]")
        with view(data) as start:
            city128(start, len(start), halves)
        digest: bytes = halves[0].to_bytes(8, "little") + halves[1].to_bytes(8, "little")
        return digest

    return "c", compiled


kernels, _hash = _load()
"""``"c"`` when the compiled kernels are in use, else ``"python"``."""


def cityhash128(data: bytes | bytearray | memoryview) -> bytes:
    """The 16 bytes that a ClickHouse block frame begins with, for the rest `data` of the frame.

    `data` is any contiguous buffer of bytes.  Raises ``TypeError`` or ``BufferError`` for others.
    """
    return _hash(data)
