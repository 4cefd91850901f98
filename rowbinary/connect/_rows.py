"""Rows to chunks of a body, with a second chance for values that clickhouse-connect would have taken."""

from __future__ import annotations

import itertools
from collections.abc import (
    AsyncIterable,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from typing import Any, Protocol, TypeAlias

from .._async_rows import AsyncRows
from .._columnar import iter_encode_columns
from .._pipeline import Buffer, Encoding
from ..errors import EncodeError
from ._errors import refused
from ._prepared import Prepared, Rules
from ._values import Convert, converter

__all__ = ["AsyncRowChunks", "Chunks", "ColumnChunks", "RowChunks"]

_BATCH = 1024  # rows that are taken of an iterator at once, so that a refused one can be found again
InThread: TypeAlias = Callable[..., Awaitable[Any]]


class Chunks(Protocol):
    """Whole blocks of a body, one after another; the first begins with the statement."""

    @property
    def ended(self) -> bool:
        """Whether the last chunk was the last."""

    def next(self) -> Buffer:
        """The next chunk; empty when there are no rows.  Raises `ValueRefusedError`."""


class _Window:
    """Rows that can be read again from the one that was refused.

    ``whole``: all of them, where they are a list or tuple.
    """

    def __init__(self, rows: Iterable[Any]):
        self.whole = rows if type(rows) in (list, tuple) else None
        self._rows = iter(rows)
        self._start = 0  # the number of the first row of `_recent`
        self._recent: list[Any] = []  # the last two batches: an encoder may look ahead a little

    def __iter__(self) -> Iterator[Any]:
        while batch := list(itertools.islice(self._rows, _BATCH)):
            self.follow(batch)
            yield from batch

    def follow(self, batch: list[Any]) -> None:
        """`batch` comes next."""
        surplus = max(0, len(self._recent) - _BATCH)
        del self._recent[:surplus]
        self._start += surplus
        self._recent += batch

    def since(self, row: int) -> Iterator[Any]:
        """The rows from number `row` on."""
        if self.whole is not None:
            rows = iter(self.whole)
            rows.__setstate__(row)  # type: ignore[attr-defined]
            return rows
        return itertools.chain(self._recent[row - self._start :], self)


class RowChunks:
    """Chunks of rows.

    In the first column that refuses a value, from that row on, every value is converted
    (:mod:`._values`); a value that is refused after that is the caller's error.  So what is never needed
    costs nothing, and what is needed costs one call per value.
    """

    def __init__(self, prepared: Prepared, rows: Iterable[Any], rules: Rules):
        self._prepared = prepared
        self._schema = prepared.schema
        self._converts: Mapping[str, Convert] = prepared.converts
        self._cuts = False  # what is too much in a row
        self._rows = _Window(rows)
        self._lent = prepared.lend(rules)
        encoder = self._lent.encoder
        self._again = encoder._encoder.index  # rows of inserts before, or that it has seen twice
        whole = self._rows if self._rows.whole is None else self._rows.whole
        statement = prepared.statement(rules["format"])
        self._encoding = Encoding(encoder, self._converted(whole), statement=statement)

    @property
    def ended(self) -> bool:
        """Whether the last chunk was the last."""
        return self._encoding.ended

    def next(self) -> Buffer:
        """The next chunk; empty when there are no rows."""
        while True:
            try:
                chunk = self._encoding.next()
                break
            except EncodeError as error:
                self._encoding.resume(self._converted(self._rescue(error)))
        if self._encoding.ended:
            self._give_back()
        return chunk

    def feed(self, rows: list[Any]) -> Buffer | None:
        """Encode `rows` of an asynchronous iterable; a chunk when there are enough of them."""
        if rows:
            self._rows.follow(rows)
        pending: Iterable[Any] = rows
        while True:
            try:
                return self._encoding.feed(self._converted(pending))
            except EncodeError as error:
                pending = self._rescue(error)

    def end(self) -> Buffer:
        """The last chunk after :meth:`feed`."""
        chunk = self._encoding.end()
        self._give_back()
        return chunk

    def _give_back(self) -> None:
        self._prepared.give_back(self._lent, self._encoding.raw_bytes)

    @property
    def held(self) -> bytes:
        """What is missing of the last block so far."""
        return self._encoding.held

    @property
    def encoding(self) -> Encoding:
        """What counts the rows."""
        return self._encoding

    def _rescue(self, error: EncodeError) -> Iterable[Any]:
        """The rows from the refused one on, if something can be done about it; else `error` is raised."""
        if error.row is None:
            raise refused(error, None) from None
        row = error.row - self._again
        lax = self._prepared.lax
        if error.column is None and lax and not self._cuts:
            self._cuts = True
        else:
            convert = None
            if error.column is not None and error.column not in self._converts:
                convert = converter(dict(self._schema)[error.column], lax)
            if convert is None:
                raise refused(error, row) from None
            self._converts = {**self._converts, error.column or "": convert}
        self._again += 1
        return self._rows.since(row)

    def _converted(self, rows: Iterable[Any]) -> Iterable[Any]:
        return map(self._convert, rows) if self._converts or self._cuts else rows

    def _convert(self, row: Any) -> Any:
        names, converts = self._schema.names, self._converts
        if isinstance(row, Mapping):
            return {n: converts[n](v) if n in converts else v for n, v in row.items()}
        if not isinstance(row, Sequence):
            row = [getattr(row, name) for name in names]
        if self._cuts:
            row = row[: len(names)]
        if len(row) != len(names):
            return row
        return [converts[n](v) if n in converts else v for n, v in zip(names, row, strict=True)]


class AsyncRowChunks:
    """Chunks of the rows of an asynchronous iterable, encoded in threads."""

    def __init__(self, prepared: Prepared, rows: AsyncIterable[Any], rules: Rules):
        self._chunks = RowChunks(prepared, iter(()), rules)
        self._rows = AsyncRows(rows, self._chunks.encoding)

    @property
    def ended(self) -> bool:
        """Whether the last chunk was the last."""
        return self._chunks.ended

    async def next(self, in_thread: InThread) -> Buffer:
        """The next chunk; empty when there are no rows."""
        while not self._rows.ended:
            chunk: Buffer | None = await in_thread(self._chunks.feed, await self._rows.batch())
            if chunk is not None:
                return chunk
        return self._chunks.end()

    @property
    def held(self) -> bytes:
        """What is missing of the last block so far."""
        return self._chunks.held

    async def close(self) -> None:
        """Tell a generator that no more is wanted."""
        await self._rows.close()


class ColumnChunks:
    """Chunks of columns."""

    held = b""

    def __init__(self, prepared: Prepared, columns: Any, rules: Rules):
        self._statement = prepared.statement(rules["format"])
        self._chunks: Generator[bytes, None, None] = iter_encode_columns(prepared.schema, columns, **rules)
        self._following: bytes | None = None
        self._begun = self.ended = False

    def next(self) -> Buffer:
        """The next chunk; empty when there are no rows."""
        try:
            if not self._begun:
                self._begun = True
                self._following = next(self._chunks, None)
                if self._following is not None:
                    self._following = self._statement + self._following
            chunk = self._following
            self._following = next(self._chunks, None)
        except EncodeError as error:
            raise refused(error, error.row) from None
        self.ended = self._following is None
        return b"" if chunk is None else chunk
