"""Unsigned LEB128, the only length encoding of the format."""

from __future__ import annotations


def varint(number: int) -> bytes:
    """`number` (0 .. 2^64-1) in 7-bit groups, low group first, minimal form."""
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def string(text: str | bytes) -> bytes:
    """A String on the wire: byte length, then the bytes."""
    data = text.encode() if isinstance(text, str) else text
    return varint(len(data)) + data
