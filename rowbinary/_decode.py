"""Bytes to rows: the functions that users call.

``decode_rows`` takes a whole body, ``iter_decode`` chunks of one; both read through a cursor, of which there
is one in Python and one in C.  Whatever the bytes are, the outcome is rows or a :class:`DecodeError`, and
time and memory are a multiple of the bytes that came.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, Literal, TypeAlias, TypedDict, Unpack, overload

from . import _impl
from . import _types as t
from ._cursor import EXACT, Cursor
from ._options import (
    FORMATS,
    Format,
    InvalidText,
    JsonShape,
    Moments,
    Reading,
    Rows,
    check_choice,
    make_reading,
)
from ._read_blocks import Blocks
from ._read_rows import Row, read_header
from ._schema import Schema, SchemaLike
from .errors import shorten

Bytes: TypeAlias = bytes | bytearray | memoryview
Columns: TypeAlias = dict[str, list[Any]]

# Rows that are asked for at a time.
_ALL, _MANY = 1 << 62, 1 << 16
_SELF_DESCRIBING = ("RowBinaryWithNamesAndTypes", "RowBinaryWithNamesAndTypesAndDefaults", "Native")


class _Choices(TypedDict, total=False):
    """What the shape of rows does not depend on."""

    format: Format | None
    json: JsonShape
    moments: Moments
    invalid_utf8: InvalidText
    zone: dt.tzinfo | None
    implementation: str | None


@overload
def decode_rows(
    schema: SchemaLike | None, data: Bytes, *, rows: Literal["tuples"] = ..., **choices: Unpack[_Choices]
) -> list[Row]: ...
@overload
def decode_rows(
    schema: SchemaLike | None, data: Bytes, *, rows: Literal["dicts"], **choices: Unpack[_Choices]
) -> list[dict[str, Any]]: ...
@overload
def decode_rows(
    schema: SchemaLike | None, data: Bytes, *, rows: Literal["columns"], **choices: Unpack[_Choices]
) -> Columns: ...
def decode_rows(
    schema: SchemaLike | None,
    data: Bytes,
    *,
    format: Format | None = None,
    rows: Rows = "tuples",
    json: JsonShape = "nested",
    moments: Moments = "datetime",
    invalid_utf8: InvalidText = "bytes",
    zone: dt.tzinfo | None = None,
    implementation: str | None = None,
) -> Any:
    """The rows in `data`: the inverse of :func:`rowbinary.encode_rows`.

    Args:
        schema: the columns; ``None`` takes them from the header of a format that has names and types.  Where
            there are both, they must agree.
        data: a whole body.
        format: any that can be written.  Default: RowBinary, and RowBinaryWithNamesAndTypes without a
            schema (what ``SELECT ... FORMAT RowBinaryWithNamesAndTypes`` answers).
        rows: ``"tuples"``, ``"dicts"`` by the names of the columns, or ``"columns"``: one dict of lists.
        json: documents as dicts of dicts (``"nested"``), or as flat dicts by their paths (``"paths"``),
            which tell ``{"a": {"b": 1}}`` from ``{"a.b": 1}`` no more than the server does.
        moments: ``"datetime"`` gives datetimes and timedeltas, in which digits behind the microseconds are
            cut off; with ``"exact"`` a value that would lose some is the int that is stored, ticks of
            10^-S seconds; with ``"ticks"`` every one is.
        invalid_utf8: Strings and paths that are not UTF-8 as ``"bytes"``, as an ``"error"``, or as text
            with ``"surrogateescape"``.
        zone: of datetimes whose column has no time zone (default UTC).
        implementation: ``"c"`` or ``"python"`` instead of the one in use.

    Returns:
        Rows with the values that docs/decode.md lists type by type.  Cells that were left to the server's
        DEFAULT are ``rowbinary.DEFAULT``.

    Raises:
        DecodeError: the bytes are not such a body: with byte offset, row and column.
        SchemaError: a schema that cannot be understood.
        ValueError: an option that does not exist, or no schema where the format needs one.
    """
    body = _Body(schema, format, rows, make_reading(json, moments, invalid_utf8, zone), implementation)
    return body.whole(_exactly(data, "data"))


@overload
def iter_decode(
    schema: SchemaLike | None,
    chunks: Iterable[Bytes],
    *,
    rows: Literal["tuples"] = ...,
    **choices: Unpack[_Choices],
) -> Generator[Row, None, None]: ...
@overload
def iter_decode(
    schema: SchemaLike | None,
    chunks: Iterable[Bytes],
    *,
    rows: Literal["dicts"],
    **choices: Unpack[_Choices],
) -> Generator[dict[str, Any], None, None]: ...
@overload
def iter_decode(
    schema: SchemaLike | None,
    chunks: Iterable[Bytes],
    *,
    rows: Literal["columns"],
    **choices: Unpack[_Choices],
) -> Generator[Columns, None, None]: ...
def iter_decode(
    schema: SchemaLike | None,
    chunks: Iterable[Bytes],
    *,
    format: Format | None = None,
    rows: Rows = "tuples",
    json: JsonShape = "nested",
    moments: Moments = "datetime",
    invalid_utf8: InvalidText = "bytes",
    zone: dt.tzinfo | None = None,
    implementation: str | None = None,
) -> Generator[Any, None, None]:
    """Like :func:`decode_rows`, from chunks that end anywhere, in bounded memory.

    A row is given as soon as its bytes are there, a row of Native with its block; with ``rows="columns"``
    each item is a dict of lists, of a block or of some rows.  No more is held than the chunk at hand and the
    value or block that it ends in.  Arguments are checked by the call, chunks are asked for as rows are.

    Raises:
        DecodeError: as :func:`decode_rows`, once the rows before it were given.
    """
    body = _Body(schema, format, rows, make_reading(json, moments, invalid_utf8, zone), implementation)
    return body.given(_checked(chunks))


def _checked(chunks: Iterable[Bytes]) -> Iterator[bytes]:
    if isinstance(chunks, bytes | bytearray | memoryview | str):
        raise TypeError(f"chunks must be an iterable of bytes, not {type(chunks).__name__}")
    return map(_chunk, iter(chunks))


def _chunk(chunk: Bytes) -> bytes:
    return _exactly(chunk, "a chunk")


def _exactly(data: Bytes, what: str) -> bytes:
    """`data` as it lies in memory: a subclass may say otherwise, and ``bytes()`` takes a number too."""
    if type(data) is bytes:
        return data
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(memoryview(data))
    raise TypeError(f"{what} must be bytes, not {type(data).__name__}")


class _Body:
    """One body: how it is to be read, and in what shape."""

    def __init__(
        self,
        schema: SchemaLike | None,
        form: str | None,
        shape: str,
        rules: Reading,
        implementation: str | None,
    ):
        if form is None:
            form = "RowBinary" if schema is not None else "RowBinaryWithNamesAndTypes"
        check_choice("format", form, FORMATS)
        check_choice("rows", shape, Rows.__args__)  # type: ignore[attr-defined]
        check_choice("implementation", implementation, (None, "c", "python"))  # type: ignore[arg-type]
        if schema is None and form not in _SELF_DESCRIBING:
            raise ValueError(f"{form} does not say the types of its columns: a schema is needed")
        self.schema = None if schema is None else Schema.of(schema)
        self.form, self.shape, self.rules = form, shape, rules
        self.cursor = _impl.cursor(implementation)

    def whole(self, data: bytes) -> Any:
        """All rows of `data`."""
        found = list(self._batches(self.cursor(data, None, self.rules), _ALL))
        if self.shape == "columns":
            return _joined(found)
        return found[0] if len(found) == 1 else [row for batch in found for row in batch]

    def given(self, chunks: Iterator[bytes]) -> Generator[Any, None, None]:
        """Rows, or columns of some, as they come."""
        cursor = self.cursor(b"", chunks, self.rules)
        batches = self._batches(cursor, _MANY if self.shape == "columns" else cursor.batch)
        if self.shape == "columns":
            yield from batches
        else:
            for batch in batches:
                yield from batch

    def _batches(self, cursor: Cursor, most: int) -> Iterator[Any]:
        """Rows in the shape that is wanted, `most` at a time; at least one batch, with the names."""
        if self.form == "Native":
            yield from self._blocks(cursor)
            return
        columns = read_header(cursor, self.form, self.schema)
        self._check_shape(cursor, columns.names)
        batch = cursor.rows(columns, most)
        yield _shaped(batch, columns.names, self.shape)
        while batch:
            batch = cursor.rows(columns, most)
            if batch:
                yield _shaped(batch, columns.names, self.shape)

    def _blocks(self, cursor: Cursor) -> Iterator[Any]:
        blocks = Blocks(cursor, self.schema, cells=self.shape != "columns")
        block = blocks.next()
        if block is None:
            yield _shaped([], blocks.names, self.shape)
        while block is not None:
            if self.shape == "columns":
                yield dict(zip(blocks.names, block.columns, strict=True))
            else:
                yield _shaped(cursor.tuples(block.columns, block.rows), blocks.names, self.shape)
            block = blocks.next()

    def _check_shape(self, cursor: Cursor, names: Sequence[str]) -> None:
        """Only tuples can have columns of one name, as a query may."""
        if self.shape != "tuples" and len(set(names)) < len(names):
            twice = next(name for index, name in enumerate(names) if name in names[:index])
            raise cursor.error(f"two columns of the name {shorten(repr(twice))}: rows must be tuples")


def _shaped(batch: list[Row], names: Sequence[str], shape: str) -> Any:
    if shape == "tuples":
        return batch
    if shape == "dicts":
        return [dict(zip(names, row, strict=True)) for row in batch]
    columns = zip(*batch, strict=True) if batch else [()] * len(names)
    return {name: list(values) for name, values in zip(names, columns, strict=True)}


def _joined(batches: list[Columns]) -> Columns:
    whole = batches[0]
    for batch in batches[1:]:
        for name, values in batch.items():
            whole[name] += values
    return whole


def decode_body(
    data: bytes, implementation: str | None = None
) -> tuple[tuple[str, ...], tuple[t.Type, ...], list[Row]]:
    """Names, types and rows of a RowBinaryWithNamesAndTypes body; no bytes are no columns and no rows.

    Raises:
        DecodeError: the bytes are not such a body, or hold what cannot be read (aggregate states).
    """
    if not data:
        return (), (), []
    cursor: Cursor = _impl.cursor(implementation)(data, None, EXACT)
    columns = read_header(cursor, "RowBinaryWithNamesAndTypes", None)
    rows = cursor.rows(columns, _ALL)
    if cursor.failure is not None:
        raise cursor.failure
    return columns.names, columns.types, rows
