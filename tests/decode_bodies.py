"""Bodies for the tests of iter_decode, whole ones and broken ones, and what comes of them in chunks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from decode_cases import STORED, described, number, outcome

from rowbinary import DecodeError, encode_rows, iter_decode
from rowbinary._varint import string, varint


class Body(NamedTuple):
    """A body, and how it is to be read."""

    name: str
    schema: Any
    format: Any
    data: bytes


COLUMNS = (
    "a UInt32, b String, c Array(Nullable(String)), d Map(String, Float64), "
    "e Tuple(x UInt8, y DateTime64(9)), g Variant(String, UInt64), h Dynamic, i JSON(t UInt8), "
    "j Enum8('a' = 1), k LowCardinality(String)"
)
ROWS = [
    (
        index,
        "é" * index,
        ["x", None][:index],
        {"k": 1.5},
        (1, dt.datetime(2024, 1, 1, tzinfo=dt.UTC)),
        index,
        [index, "z"],
        {"t": 5, "p": {"q": index, "r": ["s"]}},
        "a",
        "low",
    )
    for index in range(3)
]
WIDE = [(f"c{index}", case[0]) for index, case in enumerate(STORED)]
BLOCKS = encode_rows(COLUMNS, ROWS[:2], format="Native") + encode_rows(COLUMNS, ROWS[2:], format="Native")
WHOLE = [
    Body("RowBinary", COLUMNS, "RowBinary", encode_rows(COLUMNS, ROWS)),
    Body("header", None, None, encode_rows(COLUMNS, ROWS[:2], format="RowBinaryWithNamesAndTypes")),
    Body("names", COLUMNS, "RowBinaryWithNames", encode_rows(COLUMNS, ROWS[:1], format="RowBinaryWithNames")),
    Body(
        "defaults",
        COLUMNS,
        "RowBinaryWithDefaults",
        encode_rows(COLUMNS, ROWS, format="RowBinaryWithDefaults"),
    ),
    Body("Native", None, "Native", BLOCKS),
    Body("wide", WIDE, "RowBinary", encode_rows(WIDE, [tuple(case[1] for case in STORED)])),
    Body("empty", "a UInt8", "RowBinary", b""),
    Body("no columns", None, None, b"\0"),
]
BROKEN = [
    *(Body(f"{body.name} cut", *body[1:3], body.data[: -len(body.data) // 3]) for body in WHOLE[:6]),
    *(Body(f"{body.name} but one byte", *body[1:3], body.data[:-1]) for body in WHOLE[:6]),
    Body("bytes after no columns", None, None, b"\0xyz"),
    Body("tag", "d Dynamic", None, b"\1\5" + b"\x1e\x1e\xf0" + bytes(9)),
    Body("length", "s String", None, b"\1a" + varint(2**40) + bytes(9)),
    Body("varint", "s String", None, b"\1a" + b"\xff" * 12),
    Body("label", "n UInt8, e Array(Enum8('a' = 1))", None, b"\1\1\1" + b"\1\3\1\1\2" + bytes(9)),
    Body("elements", "a Array(String)", None, b"\1\1a" + b"\5\1a\1b"),
    Body("path", "j JSON", None, b"\0" + b"\2\1a\1\5\1a\1\5" + bytes(9)),
    Body("type", None, None, b"\1\1a\4Int9" + bytes(9)),
    Body("key", None, "Native", b"\1\1\1c" + string("LowCardinality(String)")
         + number(1, 0x600, 1) + b"\0" + number(1) + b"\5"),
    Body("null", None, "Native", b"\1\3\1c" + string("Nullable(UInt8)") + b"\0\1\2" + bytes(9)),
    Body("second block", None, "Native", BLOCKS + b"\1\1\1z\5UInt8\1"),
]  # fmt: skip


class Given(NamedTuple):
    """What came of chunks: the rows as a text, and all that the error says."""

    rows: str
    error: tuple[Any, ...] | None


def given_by(body: Body, chunks: Iterable[Any], implementation: str, **choices: Any) -> Given:
    rows: list[Any] = []
    found = iter_decode(body.schema, chunks, format=body.format, implementation=implementation, **choices)
    try:
        while (row := next(found, found)) is not found:
            rows.append(row)
    except DecodeError as error:
        return Given(repr(rows), described(error))
    return Given(repr(rows), None)


def at(data: bytes, *cuts: int) -> list[bytes]:
    """`data` cut at these offsets."""
    ends = [*sorted(cuts), len(data)]
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def expected(body: Body) -> Given:
    """What all chunks must give: what the reference makes of one."""
    whole = outcome(body.schema, body.data, "python", format=body.format)
    found = given_by(body, [body.data], "python")
    assert found.error == whole.error
    assert whole.error is not None or found.rows == whole.shown
    return found


class Source:
    """Chunks, and how many of them were taken."""

    def __init__(self, chunks: Iterable[Any]):
        self.taken = 0
        self._chunks = iter(chunks)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        self.taken += 1
        return next(self._chunks)


def endless(chunk: bytes, first: bytes = b"") -> Iterator[bytes]:
    if first:
        yield first
    while True:
        yield chunk
