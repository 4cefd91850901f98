"""What can be wrong in the columns of a block, in words: for the readers in Python and those in C."""

from __future__ import annotations

from ._cursor import Position
from .errors import DecodeError, shorten


def bad_flag(cursor: Position, flag: int, offset: int) -> DecodeError:
    return cursor.error(f"the NULL flag is {flag}, neither 0 nor 1", offset)


def bad_end(cursor: Position, end: int, last: int, offset: int) -> DecodeError:
    return cursor.error(f"an array that ends at {end}, after one that ends at {last}", offset)


def bad_key(cursor: Position, key: int, size: int, offset: int) -> DecodeError:
    return cursor.error(f"key {key} of a dictionary of {size} entries", offset)


def bad_member(cursor: Position, number: int, what: str, offset: int) -> DecodeError:
    return cursor.error(f"member {number} of {what}", offset)


def bad_length(cursor: Position, length: int, end: int) -> DecodeError:
    return cursor.error(f"a value of {length} bytes that ends at offset {cursor.offset}, not {end}")


def twice(cursor: Position, path: str | bytes, offset: int) -> DecodeError:
    """Of a path that a JSON value has already."""
    return cursor.error(f"path {shorten(repr(path))} twice in one JSON value", offset)
