"""What is fuzzed: functions of bytes that return, or raise what shows a bug.

``python -m fuzz.targets TARGET FILE...`` runs inputs one by one, without a fuzzer.
"""

from __future__ import annotations

import functools
import os
import pathlib
import re
import sys
import zoneinfo
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import rowbinary
from rowbinary import DecodeError, EncodeError, Schema, SchemaError, _impl
from rowbinary import _decode as decoders
from rowbinary import _types as t
from rowbinary._cursor import EXACT
from rowbinary._options import FORMATS, InvalidText, JsonShape, Moments, Rows
from rowbinary._parse import parse_columns
from rowbinary._read_types import compiled, read_type
from rowbinary._tags import type_tag

# Of any arguments: they come from bytes.
decode_rows: Any = decoders.decode_rows
iter_decode: Any = decoders.iter_decode
encode_rows: Any = rowbinary.encode_rows

# Schemas that the third byte of a decoder's input chooses from: types that headers cannot have, or whose
# readers need more than one column.  Changing the order changes what the corpus means: add at the end.
SCHEMAS: list[str] = [
    "c Dynamic",
    "c JSON",
    "a UInt8, b String",
    "a Int128, b Array(Array(UInt16)), c Nullable(String)",
    "c Map(String, Array(Nullable(DateTime64(9, 'Europe/Berlin'))))",
    "c Map(Int256, Nullable(UUID)), d Map(Array(UInt8), Int8)",
    "a LowCardinality(Nullable(String)), b LowCardinality(FixedString(3)), c Array(LowCardinality(String))",
    "v Variant(String, UInt8, Array(Dynamic)), w Array(Variant(JSON, Date))",
    "j JSON(a UInt8, b.c Array(String), n Nullable(Date), d Dynamic, o JSON), k Array(JSON)",
    "t Tuple(), u Tuple(Tuple(), UInt8), v Array(Tuple())",
    "n Nested(a UInt8, b Nested(c String, d Enum8('x' = 1, 'y' = -1))), e Enum16('a' = 300)",
    "a Date, b Date32, c DateTime, d DateTime('UTC'), e DateTime64(6), f Time, g Time64(9), h IntervalDay",
    "a Bool, b Float32, c Float64, d BFloat16, e Decimal(9, 9), f Decimal(18, 3), g Decimal(76, 20)",
    "a UUID, b IPv4, c IPv6, d FixedString(5), e QBit(Float32, 9), f QBit(BFloat16, 16, 8)",
    "a Nullable(Tuple(String, Nullable(Enum8('x' = 0)))), b Array(Nullable(Nothing)), c Nullable(Nothing)",
    "a Point, b MultiPolygon, c Geometry, d SimpleAggregateFunction(sum, UInt64)",
    "c AggregateFunction(sum, UInt64)",
    "a.b UInt8, a.c Array(String), `d e` DateTime('Nowhere')",
    "c Tuple(a Tuple(b Map(LowCardinality(String), JSON), c Dynamic), d Variant(Map(UInt8, String), String))",
]
ZONE = zoneinfo.ZoneInfo("America/New_York")
# Compared with each other, unless one of them is all that is tested (as in conftest.py).
IMPLEMENTATIONS = [
    name
    for name in ("c", "python")
    if name in os.environ.get("ROWBINARY_TESTED", "c python")
    and (name == "python" or os.environ.get("ROWBINARY_IMPL") != "python")
] or ["python"]
_JSON, _MOMENTS, _INVALID = JsonShape.__args__, Moments.__args__, InvalidText.__args__  # type: ignore[attr-defined]
_ROWS = Rows.__args__  # type: ignore[attr-defined]
# Larger bodies are not read twice by the reference, which takes a hundred times as long.
_MOST_COMPARED = 1 << 16


class Input(NamedTuple):
    """A decoder's input: five bytes, and the body."""

    format: str
    choices: dict[str, Any]
    schema: str | None
    step: int
    breaks: bool
    body: bytes


def is_complete(given: Input) -> bool:
    """Whether it says the types of its columns."""
    return given.schema is not None or "AndTypes" in given.format or given.format == "Native"


class Outcome(NamedTuple):
    """The rows as text, which has the types of all values in it, and all that can be seen of an error."""

    shown: str
    error: tuple[Any, ...] | None


def parsed(data: bytes) -> Input:
    """What the bytes of an input mean: format, options, schema, chunks, others; each by its remainder."""
    form, options, schema, step, others = (*data[:5], *bytes(5))[:5]
    choices = {
        "json": _JSON[options % 2],
        "moments": _MOMENTS[options // 2 % 3],
        "invalid_utf8": _INVALID[options // 6 % 3],
        "rows": _ROWS[options // 18 % 3],
        "zone": ZONE if others % 2 else None,
    }
    number = schema % (len(SCHEMAS) + 1)
    text = SCHEMAS[number - 1] if number else None
    return Input(FORMATS[form % len(FORMATS)], choices, text, step, bool(others // 2 % 2), data[5:])


def input_of(
    body: bytes, format: str, schema: str | None = None, options: int = 0, step: int = 0, others: int = 0
) -> bytes:
    """The inverse of :func:`parsed`."""
    number = 0 if schema is None else SCHEMAS.index(schema) + 1
    return bytes([FORMATS.index(format), options, number, step, others]) + body


@functools.cache
def schema_of(text: str | None) -> Schema | None:
    return None if text is None else Schema.parse(text)


class Broken(Exception):
    """What a source of chunks raises."""


def chunks(body: bytes, step: int, breaks: bool = False) -> Iterator[bytes]:
    """The body in pieces: whole, or of sizes that vary with `step`, some empty; then an end or an error."""
    size, at = step or len(body), 0
    while at < len(body):
        yield body[at : at + size]
        at += size
        size = size * 7 % (step + 1)
        if not size:
            yield b""
            size = step
    if breaks:
        raise Broken


def described(error: Exception) -> tuple[Any, ...]:
    names = ("offset", "row", "column", "reason", "text", "position", "path", "type", "value")
    return type(error), str(error), *(getattr(error, name, None) for name in names)


# --- the decoders ----------------------------------------------------------------------------------------


def whole(given: Input, implementation: str) -> tuple[Outcome, Any]:
    """What a whole body gives, and the rows themselves."""
    choices = {**given.choices, "format": given.format, "implementation": implementation}
    try:
        rows = decode_rows(schema_of(given.schema), given.body, **choices)
    except DecodeError as error:
        check_error(error, given.body)
        return Outcome("", described(error)), None
    return Outcome(repr(rows), None), rows


def in_chunks(given: Input, implementation: str) -> Outcome:
    """What a body in chunks gives, with the rows before an error."""
    choices = {**given.choices, "format": given.format, "implementation": implementation}
    pieces = chunks(given.body, given.step, given.breaks)
    items: list[Any] = []
    found: tuple[Any, ...] | None = None
    try:
        for item in iter_decode(schema_of(given.schema), pieces, **choices):
            items.append(item)  # noqa: PERF402  # those before an error count
    except Broken:
        found = (Broken,)
    except DecodeError as error:
        check_error(error, given.body)
        found = described(error)
    if given.choices["rows"] != "columns" or not items:
        return Outcome(repr(items), found)
    joined = {name: [value for item in items for value in item[name]] for name in items[0]}
    return Outcome(repr(joined), found)


def check_error(error: DecodeError, body: bytes) -> None:
    """An error is one of these bytes, and can be shown."""
    assert error.offset in range(len(body) + 1), error.offset
    assert error.row is None or error.row in range(len(body) + 1), error.row
    assert len(str(error).encode()) < 4096


def decode(data: bytes) -> None:
    """A body through both decoders, whole and in chunks; what they give is encoded."""
    given = parsed(data)
    if not is_complete(given):
        return
    first, *others = IMPLEMENTATIONS
    found, rows = whole(given, first)
    streamed = in_chunks(given, first)
    if not given.breaks:
        assert streamed.error == found.error, (streamed.error, found.error)
        assert found.error or streamed.shown == found.shown, (streamed.shown, found.shown)
    for other in others if len(given.body) <= _MOST_COMPARED else ():
        reference, _ = whole(given, other)
        assert found == reference, (found, reference)
        reference = in_chunks(given, other)
        assert streamed == reference, (streamed, reference)
    if rows and given.choices["rows"] == "tuples" and given.schema is not None:
        encode(given, rows)


def encode(given: Input, rows: list[Any]) -> None:
    """Decoded rows through both encoders."""
    outcomes = []
    for name in IMPLEMENTATIONS:
        try:
            body = encode_rows(schema_of(given.schema), rows, format=given.format, implementation=name)
            outcomes.append(Outcome(body.hex(), None))
        except EncodeError as error:
            outcomes.append(Outcome("", described(error)))
    assert outcomes[0] == outcomes[-1], outcomes


# --- types -------------------------------------------------------------------------------------------------


def types(data: bytes) -> None:
    """The first byte says what follows: the text of a type, a list of columns, or a type tag."""
    kind, rest = (data[0] % 3 if data else 0), data[1:]
    if kind == 2:
        read_tag(rest)
        return
    text = rest.decode(errors="surrogateescape")
    if kind == 1:
        parse_list(text)
    else:
        parse(text)


def parse(text: str) -> t.Type | None:
    """A type, whose own text means the same; or a SchemaError that says where."""
    try:
        type_ = rowbinary.parse_type(text)
    except SchemaError as error:
        check_position(error, text)
        return None
    again = rowbinary.parse_type(str(type_))
    assert (again, str(again), hash(again)) == (type_, str(type_), hash(type_)), (
        text,
        str(type_),
        str(again),
    )
    repr(type_)
    check_tag(type_)
    return type_


def parse_list(text: str) -> None:
    try:
        columns = parse_columns(text)
    except SchemaError as error:
        check_position(error, text)
        return
    assert columns
    assert all(rowbinary.parse_type(str(type_)) == type_ for _, type_ in columns)


def check_position(error: SchemaError, text: str) -> None:
    assert error.position in range(len(text) + 1), error.position
    assert len(str(error)) < 4096


def check_tag(type_: t.Type) -> None:
    """A type as a tag is read back, unless it is larger than any that is read."""
    try:
        tag = type_tag(type_)
    except SchemaError:  # the state of a function with parameters
        return
    for cursor in cursors(tag):
        try:
            found = (read_type(cursor).text, cursor.offset)
        except DecodeError as error:
            if not TOO_LARGE.search(error.reason):
                raise
        else:
            assert found == (type_.text, len(tag)), (found, type_.text)


TOO_LARGE = re.compile("a type nested deeper than|a type of more than")


def cursors(data: bytes) -> list[Any]:
    return [_impl.cursor(name)(data, None, EXACT) for name in IMPLEMENTATIONS]


def read_tag(data: bytes) -> None:
    """A type behind a tag, in both cursors, and compiled."""
    outcomes = []
    for cursor in cursors(data):
        try:
            type_ = read_type(cursor)
            shown = type_.text
            node = compiled(cursor, type_)
            outcomes.append(Outcome(f"{shown} {node.op} {cursor.offset}", None))
        except DecodeError as error:
            check_error(error, data)
            outcomes.append(Outcome("", described(error)))
    assert outcomes[0] == outcomes[-1], outcomes


TARGETS: dict[str, Callable[[bytes], None]] = {"decode": decode, "types": types}


def main(name: str, *files: str) -> None:
    for file in files:
        print(file)
        TARGETS[name](pathlib.Path(file).read_bytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
