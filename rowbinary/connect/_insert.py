"""One insert through another client, step by step and without any I/O: both clients take the same steps."""

from __future__ import annotations

import datetime as dt
import logging
import random
import time
from collections.abc import AsyncIterable, Callable, Iterable, Sized
from dataclasses import dataclass
from typing import Any

from clickhouse_connect import common
from clickhouse_connect.driver.compression import get_compressor
from clickhouse_connect.driver.exceptions import DatabaseError, Error, NotSupportedError, OperationalError
from clickhouse_connect.driver.summary import QuerySummary

from .. import _codes
from .._options import Format, NaiveRule
from .._pipeline import packer
from ..errors import EncodeError, SchemaError
from ..protocol import POISON
from ._context import AcceleratedContext, are_rows, describe_again
from ._errors import ValueRefusedError, refused
from ._frames import columns_of, transposed
from ._options import COMPARE, is_awaited, server_zone, version_of
from ._prepared import Prepared, Rules
from ._rows import AsyncRowChunks, Chunks, ColumnChunks, RowChunks
from ._state import State
from ._steps import NATIVE_POISON, Body, Encode, Own, Probe, Send, Sleep, Steps
from ._traits import Traits

__all__ = ["insert_steps", "reason_against"]

logger = logging.getLogger("rowbinary.connect")
# Raised for the first block, before anything is stored, when the table has other columns or types.
_OTHER_TABLE = frozenset({16, 44, 53, 70})
_INCORRECT_DATA = 117  # for the header of a row format, and for many things in rows
_AUTHENTICATION = 516
_LONGEST_PAUSE = 5.0
_LIGHT = 1 << 15  # bytes; LZ4 compresses them sooner than a thread answers


@dataclass(slots=True)
class _Insert:
    """One insert: what is known of it.

    ``awaited``: the answer tells what became of the rows.  ``casts``: the server has to cast the types, which
    it does for Native alone.
    """

    client: Any
    state: State
    context: Any
    data: Any
    awaited: bool
    format: Format = "Native"
    casts: bool = False
    attempt: int = 0
    described_again: bool = False
    probed: bool = False

    @property
    def replayable(self) -> bool:
        """Whether the rows can be read once more: what has no length may be empty the second time."""
        return isinstance(self.data, Sized) and not hasattr(self.data, "__next__")

    @property
    def cached(self) -> bool:
        """Whether the types are from a description that may have aged."""
        return bool(getattr(self.context, "cached", False))


def insert_steps(client: Any, state: State, context: Any) -> Steps[QuerySummary]:
    """Insert the data of `context`; the summary."""
    insert = _Insert(client, state, context, context.data, is_awaited(client, context.settings or {}))
    if getattr(context, "miscounted", False):
        yield from _describe_again(insert, None)
    while True:
        try:
            chunks = _chunks(insert)
            first = yield Encode(chunks)
        except _CannotError as error:
            return (yield from _own(insert, str(error)))
        except ValueRefusedError as error:  # by what the table was, perhaps
            if not insert.cached:
                raise
            insert.context.forget()
            if insert.described_again or not insert.replayable:
                raise
            if not (yield from _describe_again(insert, error)):
                raise
            continue
        if not len(first):
            return QuerySummary()
        body = _body(insert, first, chunks)
        try:
            summary: QuerySummary = yield Send(_arguments(insert), body)
        except Exception as error:
            if body.failed is not None:
                if insert.cached:
                    insert.context.forget()
                raise body.failed from None
            if not isinstance(error, Error):
                raise
            yield from _after(insert, body, error)
            continue
        if body.failed is not None:
            body.failed.add_note(
                "the server has accepted a body that was broken on purpose: a part of the rows may be stored"
            )
            raise body.failed
        return summary


# --- before a byte is sent ------------------------------------------------------------------------


class _CannotError(Exception):
    """Why this insert is not for the encoder."""


def _own(insert: _Insert, reason: str) -> Steps[QuerySummary]:
    """The wrapped client's own insert, or an error where the caller wants none."""
    table = insert.context.table
    options = insert.state.options
    if options.strict:
        raise NotSupportedError(f"{table} cannot be inserted into by rowbinary: {reason}")
    level = logging.DEBUG if options.has_said(table, reason) else logging.WARNING
    logger.log(level, "%s: clickhouse-connect's own insert is used, for %s", table, reason)
    if isinstance(insert.data, AsyncIterable):
        raise NotSupportedError(f"{table}: rows of an asynchronous iterable need rowbinary, but {reason}")
    if isinstance(insert.context, AcceleratedContext):
        insert.context.convert()
    summary: QuerySummary = yield Own(insert.context)
    return summary


def _chunks(insert: _Insert) -> Chunks | AsyncRowChunks:
    """The encoder for this data; `_CannotError` where there is none."""
    client, state, context = insert.client, insert.state, insert.context
    try:
        prepared = state.prepared.of(context.table, context.column_names, context.column_types)
    except SchemaError as error:
        raise _CannotError(str(error)) from None
    _check(client, state, context, prepared.traits)
    insert.format = state.options.format_of(prepared.traits, _rows_at_most(insert))
    rules: Rules = {
        "format": insert.format,
        "json": state.options.json,
        "naive": _naive(client, prepared.traits),
        "json_zone": server_zone(client),
    }
    try:
        return _encoder(insert, prepared, rules)
    except EncodeError as error:
        raise refused(error, error.row) from None


def _rows_at_most(insert: _Insert) -> int | None:
    """The number of rows, where they may be sent in a format whose types have to be the table's."""
    context = insert.context
    described = getattr(context, "origin", None) is not None and not insert.casts
    if not described or not are_rows(insert.data, context.column_oriented):
        return None
    return len(insert.data) if insert.awaited else None


def _check(client: Any, state: State, context: Any, traits: Traits) -> None:
    """Raise `_CannotError` for what the server, or the wrapped client, would make something else of."""
    if version_of(client.server_version) < traits.readers:
        raise _CannotError(f"server {client.server_version} reads JSON, Dynamic and Variant as text only")
    if getattr(context, "query_formats", None) or getattr(context, "column_formats", None):
        raise _CannotError("write formats are set for this insert")
    if state.embedded and isinstance(context.compression, str):
        raise _CannotError("the embedded engine reads no compressed bodies")
    infers = state.options.json == "text" and traits.has_json
    unusual = state.settings.unusual(client, context.settings or {}, infers)
    if unusual is not None:
        raise _CannotError(f"the server would read this insert in another way with {unusual}")


def reason_against(client: Any, state: State, context: Any, traits: Traits) -> str | None:
    """Why an insert is not for the encoder."""
    try:
        _check(client, state, context, traits)
        _naive(client, traits)
    except _CannotError as error:
        return str(error)
    return None


def _encoder(insert: _Insert, prepared: Prepared, rules: Rules) -> Chunks | AsyncRowChunks:
    data = insert.data
    if are_rows(data, insert.context.column_oriented):
        return RowChunks(prepared, data, rules)
    names, types, lax = prepared.schema.names, prepared.schema.types, prepared.lax
    columns = columns_of(data, names, types, lax)
    if columns is None and insert.context.column_oriented:
        data, columns = transposed(data, names, types, lax)
    if columns is not None:
        return ColumnChunks(prepared, columns, rules)
    if isinstance(data, AsyncIterable):
        return AsyncRowChunks(prepared, data, rules)
    if not isinstance(data, Iterable):
        raise TypeError(f"data must be rows, not {type(data).__name__}")
    return RowChunks(prepared, data, rules)


def _naive(client: Any, traits: Traits) -> NaiveRule:
    """Whose zone datetimes without one have, as clickhouse-connect is told."""
    try:
        rule = common.get_setting("naive_datetime_insert")
    except Exception:  # a version without it
        rule = "local"
    if rule != "server":
        return "utc" if time.tzname == ("UTC", "UTC") else "local"  # the same, at less cost
    zone = server_zone(client)
    if zone is not dt.UTC and traits.has_zoneless:
        raise _CannotError(f"naive_datetime_insert='server', and the server's zone is {zone}")
    return "column"


def _body(insert: _Insert, first: Any, chunks: Chunks | AsyncRowChunks) -> Body:
    context, state = insert.context, insert.state
    if context.compression is None:
        context.compression = insert.client.write_compression
    light = len(first) <= _LIGHT
    if state.embedded:
        return Body(first, chunks, _as_bytes, _nothing, whole=chunks.ended, light=light)
    method = context.compression if isinstance(context.compression, str) else None
    pack, flush = _compressor(method)
    whole = chunks.ended and state.options.retries is None
    light = light and method in (None, "lz4")
    return Body(first, chunks, pack, flush, whole, light, _poison(insert.format, method))


def _compressor(method: str | None) -> tuple[Callable[[Any], Any], Callable[[], Any]]:
    """What compresses a chunk, and what ends the body."""
    if method == "lz4":
        return packer("http-lz4"), _nothing
    compressor = get_compressor(method)
    return compressor.compress_block, compressor.flush


def _nothing() -> bytes:
    return b""


def _poison(format: Format, method: str | None) -> bytes | None:
    """Bytes behind whole frames, or behind a whole block, which are neither."""
    if method is None:
        return NATIVE_POISON if format == "Native" else None
    return POISON if method in ("lz4", "zstd") else None


def _as_bytes(chunk: Any) -> bytes:
    return chunk if isinstance(chunk, bytes) else bytes(chunk)


def _arguments(insert: _Insert) -> dict[str, Any]:
    """Arguments of ``raw_insert``."""
    context = insert.context
    settings = dict(context.settings or {})
    if insert.cached and insert.awaited:
        settings.setdefault(COMPARE, "0")
    arguments: dict[str, Any] = {
        "settings": settings,
        "transport_settings": context.transport_settings,
        "compression": context.compression if isinstance(context.compression, str) else None,
    }
    if insert.state.embedded:
        arguments["table"] = context.table
        arguments["column_names"] = context.column_names
        arguments["fmt"] = insert.format
    return arguments


# --- after an error -------------------------------------------------------------------------------


def _describe_again(insert: _Insert, error: BaseException | None) -> Steps[bool]:
    """Whether the table is not what it was."""
    insert.described_again = True
    before = _columns(insert)
    yield from describe_again(insert.context)
    changed = _columns(insert) != before
    if changed:
        logger.info("%s has changed: described again", insert.context.table, exc_info=error)
    return changed


def _columns(insert: _Insert) -> list[tuple[str, str]]:
    context = insert.context
    return [(n, t.name) for n, t in zip(context.column_names, context.column_types, strict=True)]


def _after(insert: _Insert, body: Body, error: Error) -> Steps[None]:
    """Return when the insert is to be tried again; raise `error` when not."""
    code = getattr(error, "code", None)
    if insert.cached and code in _codes.SCHEMA_CODES:
        insert.context.forget()
        if (code in _OTHER_TABLE or _is_header(error)) and insert.replayable and not insert.described_again:
            yield from _describe_again(insert, error)
            return
    if _is_header(error) and insert.state.options.format is None and not insert.casts:
        insert.casts = True  # a context that was kept for long, perhaps
        return
    if code == _AUTHENTICATION and not body.whole and not insert.probed:
        insert.probed = True
        yield Probe()  # also for the next insert, where this one cannot be repeated
        if insert.replayable:
            return
    seconds = _pause(insert, body, error)
    if seconds is None:
        raise error
    insert.attempt += 1
    logger.info("%s: attempt %d after %s", insert.context.table, insert.attempt + 1, error)
    yield Sleep(seconds)


def _is_header(error: Error) -> bool:
    """Whether the server has refused the header of a row format, for another type."""
    return getattr(error, "code", None) == _INCORRECT_DATA and "Type of '" in str(error)


def _pause(insert: _Insert, body: Body, error: Error) -> float | None:
    """Seconds until the next attempt; ``None`` when there must be none.

    Without ``retries=`` as the wrapped client does it: a connection that the server has closed, once,
    whatever became of the rows; the wrapped client has done so by itself for a body of bytes.  With it, only
    when it is certain that nothing is stored, or when a deduplication token makes repeating harmless.
    """
    retries = insert.state.options.retries
    if not insert.replayable or not isinstance(error, DatabaseError):
        return None
    if retries is None:
        blind = not body.whole and insert.attempt == 0 and is_remote_close(error)
        return 0.1 if blind else None
    if insert.attempt >= retries or not _may_repeat(insert, body, error):
        return None
    return float(min(0.1 * 2**insert.attempt, _LONGEST_PAUSE) * random.uniform(0.5, 1.0))


def _may_repeat(insert: _Insert, body: Body, error: DatabaseError) -> bool:
    token = bool((insert.context.settings or {}).get("insert_deduplication_token"))
    code = getattr(error, "code", None)
    if code is not None:
        verdict = _codes.verdict_of(code)
        return verdict == "later" or (token and verdict in ("again", "once"))
    return isinstance(error, OperationalError) and (token or not body.begun)


def is_remote_close(error: BaseException | None) -> bool:
    """Whether the other side has closed the connection, as the wrapped client sees it."""
    for _ in range(6):
        if error is None:
            return False
        if isinstance(error, ConnectionResetError | BrokenPipeError):
            return True
        if type(error).__name__ in ("_IncompleteResponseError", "ServerDisconnectedError"):
            return True
        error = error.__cause__ or error.__context__
    return False
