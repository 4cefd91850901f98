"""What columns of Native blocks are made of: numbers, sizes and ends, each as it is told to the cursor."""

from __future__ import annotations

from typing import Any

from ._cursor import Position
from ._options import MAX_ARRAY
from ._read import MAX_LEVELS, read_dynamic
from ._read_faults import bad_end, bad_length


def enter(cursor: Position, levels: int = 1) -> None:
    """Prefixes can name types whose prefixes name types: what they allow, values need not check."""
    if cursor.level >= MAX_LEVELS:
        raise cursor.error(f"values nested deeper than {MAX_LEVELS} levels")
    cursor.level += levels


def read_constant(cursor: Position, wanted: int, what: str) -> None:
    cursor.index = None
    start = cursor.offset
    number = int.from_bytes(cursor.take(8), "little")
    if number != wanted:
        raise cursor.error(f"{what} is {number}, not {wanted}", start)
    cursor.note(what, number)


def read_version(cursor: Position, known: dict[int, bool], what: str) -> bool:
    cursor.index = None
    start = cursor.offset
    number = int.from_bytes(cursor.take(8), "little")
    if number not in known:
        raise cursor.error(f"{what} in layout {number}: only {' and '.join(map(str, known))} are read", start)
    cursor.note(f"the layout of {what}", number)
    return known[number]


def read_size(cursor: Position, what: str) -> int:
    start = cursor.offset
    number = int.from_bytes(cursor.take(8), "little")
    if number > MAX_ARRAY:
        raise cursor.error(f"{number} {what}: {MAX_ARRAY} are read at most", start)
    cursor.note(what, number)
    return number


def take_bytes(cursor: Position, count: int) -> bytes:
    """A byte for each value."""
    cursor.index = None
    return cursor.take(count)


def read_ends(cursor: Position, count: int, what: str = "end") -> list[int]:
    """Where arrays end."""
    ends: list[int] = []
    last = 0
    for cursor.index in range(count):
        end = int.from_bytes(cursor.take(8), "little")
        if not last <= end <= MAX_ARRAY:
            raise bad_end(cursor, end, last, cursor.offset - 8)
        cursor.note(what, end)
        ends.append(end)
        last = end
    return ends


def read_path(cursor: Position) -> str | bytes:
    """A path of a document."""
    path = cursor.text()
    cursor.note("path", path)
    return path


def read_shared_values(cursor: Position, count: int) -> list[Any]:
    """Values in Strings, each with its type tag in front."""
    values = []
    for cursor.index in range(count):
        length = cursor.length_of_string()
        end = cursor.offset + length
        if not cursor.ensure(length):
            raise cursor.short(length)
        values.append(read_dynamic(cursor))
        if cursor.offset != end:
            raise bad_length(cursor, length, end)
    return values
