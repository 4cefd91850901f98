"""The public encoding calls."""

from __future__ import annotations

import datetime as dt
import itertools
import sys
from collections.abc import Generator, Iterable, Iterator

from . import _impl
from ._encode import RowEncoder
from ._options import (
    DuplicateRule,
    ExtraRule,
    Format,
    JsonMode,
    MissingRule,
    NaiveRule,
    OnError,
    make_options,
)
from ._schema import Schema, SchemaLike

DEFAULT_CHUNK = 1 << 20
DEFAULT_NATIVE_CHUNK = 1 << 22  # as large as blocks are
_NO_LIMIT = sys.maxsize


class Encoder:
    """Encodes rows of one schema, for services that encode all day.

    Takes the options of :func:`encode_rows`.  Rows gather in a buffer until :meth:`take` hands
    them out as one complete body (header first, where the format has one).  The buffer's memory
    is reused.  With Native the JSON paths that were frequent in one block have columns of their own in
    the next from the start, so equal rows may make other bytes later, of the same meaning.  One encoder
    belongs to one thread at a time; a :class:`Schema` can be shared.
    """

    def __init__(
        self,
        schema: SchemaLike,
        *,
        format: Format = "RowBinary",
        json: JsonMode = "exact",
        naive: NaiveRule = "utc",
        missing: MissingRule = "error",
        extra: ExtraRule = "error",
        duplicate_paths: DuplicateRule | None = None,
        json_zone: dt.tzinfo | None = None,
        on_error: OnError = "raise",
        implementation: str | None = None,
    ):
        if on_error != "raise" and not callable(on_error):
            raise ValueError(f"on_error must be 'raise' or a callable, not {on_error!r}")
        options = make_options(format, json, naive, missing, extra, duplicate_paths, json_zone)
        self.schema = Schema.of(schema)
        self.format = format
        self._on_error = None if on_error == "raise" else on_error
        plan = self.schema.plan
        self._header = plan.header(format)
        self._encoder: RowEncoder = _impl.row_encoder(implementation, options.native)(plan, options)

    @property
    def rows(self) -> int:
        """Rows in the buffer."""
        return self._encoder.rows

    def __len__(self) -> int:
        """Bytes in the buffer, without a header; of an unfinished Native block those of its values."""
        return len(self._encoder)

    def __repr__(self) -> str:
        return f"<Encoder {self.format} of {len(self.schema)} columns: {self.rows} rows, {len(self)} bytes>"

    def write_row(self, row: object) -> None:
        """Add one row.

        Raises :class:`EncodeError` (or calls `on_error`) for a row that does not fit the schema;
        the buffer is then as it was before.  ``row`` of the error counts all rows given so far.
        """
        if self._on_error is None:
            self._encoder.write(row)
        else:
            self._encoder.fill(iter((row,)), _NO_LIMIT, self._on_error)

    def write_rows(self, rows: Iterable[object]) -> None:
        """Add all `rows`.  On an error the rows before the bad one stay in the buffer."""
        self._encoder.fill(_iterator(rows), _NO_LIMIT, self._on_error)

    def take(self) -> bytes:
        """All rows since the last call as one body; the buffer is empty afterwards."""
        return self._header + self._encoder.take() if self._header else self._encoder.take()

    def _chunks(self, rows: Iterator[object], chunk_bytes: int) -> Generator[bytes, None, None]:
        self._encoder.append(self._header)
        ended = False
        while not ended:
            ended = self._encoder.fill(rows, chunk_bytes, self._on_error)
            chunk = self._encoder.take()
            if chunk:
                yield chunk


def _iterator(rows: Iterable[object]) -> Iterator[object]:
    """An iterator of our own: the C encoder walks the list behind a list iterator by itself, which
    must not be one that others advance too (an on_error that skips rows, say)."""
    iterator = iter(rows)
    return itertools.chain(iterator) if iterator is rows else iterator


def encode_rows(
    schema: SchemaLike,
    rows: Iterable[object],
    *,
    format: Format = "RowBinary",
    json: JsonMode = "exact",
    naive: NaiveRule = "utc",
    missing: MissingRule = "error",
    extra: ExtraRule = "error",
    duplicate_paths: DuplicateRule | None = None,
    json_zone: dt.tzinfo | None = None,
    on_error: OnError = "raise",
    implementation: str | None = None,
) -> bytes:
    """`rows` as the body of ``INSERT INTO t FORMAT <format>``.

    Args:
        schema: a :class:`Schema`, a list of (name, type) pairs, or a text ``"id UInt64, j JSON"``.
        rows: tuples or lists in column order (named tuples too: by position, their field names
            do not matter), dicts, dataclasses, or objects with the columns as attributes.
        format: ``RowBinary``, ``RowBinaryWithNames``, ``RowBinaryWithNamesAndTypes``,
            ``RowBinaryWithDefaults``, ``RowBinaryWithNamesAndTypesAndDefaults`` or ``Native``; in the
            last three a cell may be :data:`DEFAULT`.  Native is columnar: blocks of at most 65,536 rows
            and about 4 MiB, in which the server finds JSON as paths.  A block has one set of columns:
            rows with DEFAULT in other columns begin a new one, unless the schema says that a column has
            no default expression.
        json: how untyped values of JSON and Dynamic get their types. ``"exact"``: the Python type
            decides. ``"text"``: as the server infers from JSON text. ``"string"``: JSON cells are
            sent as text for the server to parse, which needs the setting
            ``input_format_binary_read_json_as_string=1`` (not for Native); text it refuses fails the
            whole insert.
        naive: the zone of datetimes without one: ``"utc"``, ``"column"`` (the column's zone, UTC
            where it has none) or ``"local"`` (this machine's).
        missing: a dict row without a column (in formats without defaults): ``"error"``, or
            ``"zero"`` for the type's zero value.
        extra: a dict row with a key that is no column: ``"error"`` or ``"ignore"``.
        duplicate_paths: two keys of a document that flatten to one JSON path: ``"last"`` (the
            default), ``"first"`` or ``"error"`` (the default for ``json="text"``). Without effect
            for ``json="string"``.
        json_zone: the zone of date texts and datetimes in JSON and Dynamic that have none, for
            ``json="text"``; by default UTC, or this machine's with ``naive="local"``.  The server uses its
            own.
        on_error: ``"raise"``, or a function called with (row, index, error) for each row that
            cannot be encoded, while the others go on.
        implementation: ``"c"`` or ``"python"`` instead of the one in use.

    Raises:
        SchemaError: `schema` cannot be understood.
        EncodeError: a value does not fit; names row, column and path.
        ValueError: an option has no such choice.
    """
    encoder = Encoder(
        schema,
        format=format,
        json=json,
        naive=naive,
        missing=missing,
        extra=extra,
        duplicate_paths=duplicate_paths,
        json_zone=json_zone,
        on_error=on_error,
        implementation=implementation,
    )
    return b"".join(encoder._chunks(_iterator(rows), _NO_LIMIT))


def iter_encode(
    schema: SchemaLike,
    rows: Iterable[object],
    *,
    format: Format = "RowBinary",
    chunk_bytes: int | None = None,
    json: JsonMode = "exact",
    naive: NaiveRule = "utc",
    missing: MissingRule = "error",
    extra: ExtraRule = "error",
    duplicate_paths: DuplicateRule | None = None,
    json_zone: dt.tzinfo | None = None,
    on_error: OnError = "raise",
    implementation: str | None = None,
) -> Generator[bytes, None, None]:
    """Like :func:`encode_rows`, in chunks, for any iterable and in constant memory.

    A chunk holds whole rows and ends with the first row that brings it to `chunk_bytes` or more
    (default 1 MiB, for Native 4 MiB); the last may be shorter.  A chunk of Native is a block, or several;
    it goes on to the end of a list of which at most a quarter of the block is left, by a quarter at most.
    The header comes with the first chunk.  Arguments are checked by the call, rows are read as chunks are
    asked for.

    An error, of a row or of the iterable itself, ends the iteration: rows not handed out by then are
    lost, chunks handed out before are for the caller to take back (cancel the insert).  With
    ``on_error`` as a function bad rows do not end it.
    """
    if chunk_bytes is None:
        chunk_bytes = DEFAULT_NATIVE_CHUNK if format == "Native" else DEFAULT_CHUNK
    if not isinstance(chunk_bytes, int) or chunk_bytes < 1:
        raise ValueError(f"chunk_bytes must be a positive int, not {chunk_bytes!r}")
    encoder = Encoder(
        schema,
        format=format,
        json=json,
        naive=naive,
        missing=missing,
        extra=extra,
        duplicate_paths=duplicate_paths,
        json_zone=json_zone,
        on_error=on_error,
        implementation=implementation,
    )
    return encoder._chunks(_iterator(rows), min(chunk_bytes, _NO_LIMIT))
