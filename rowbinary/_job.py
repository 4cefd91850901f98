"""One insert: what to send, what is known of it while it runs, and what came of it."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from ._address import Address
from ._outcome import Statement
from ._pipeline import Abandoned, Buffer, Packer, Source, packer
from ._types import Type
from .errors import ClientError
from .protocol import POISON, Request, Table, insert_request, insert_statement

__all__ = ["InsertProgress", "InsertResult", "Job", "OnProgress", "QueryResult", "Timings"]


@dataclass(frozen=True)
class Timings:
    """Seconds per stage of one insert; the stages overlap, so they may add up to more than ``total``.

    ``encode`` is the time rows took to come and to be encoded, ``compress`` that of compression and
    checksums (summed over threads), ``connect`` that of a new connection (0 for one that was there),
    ``send`` the time from the first byte of the body to its last, ``answer`` from there to the end of
    the answer.
    """

    encode: float
    compress: float
    connect: float
    send: float
    answer: float
    total: float


@dataclass(frozen=True)
class InsertResult:
    """What an insert did.

    Attributes:
        rows: rows sent; ``None`` for bytes that were encoded elsewhere.
        written_rows: rows as the server counts them (``X-ClickHouse-Summary``), with those that
            materialized views wrote; ``None`` when it does not say (old servers).
        raw_bytes: bytes of the rows, uncompressed.
        sent_bytes: bytes of the body on the wire.
        query_id: the id of the statement.
        timings: seconds per stage.
        summary: all counts that the server gave.
    """

    rows: int | None
    written_rows: int | None
    raw_bytes: int
    sent_bytes: int
    query_id: str | None
    timings: Timings
    summary: dict[str, int]


@dataclass(frozen=True)
class QueryResult:
    """The rows of a query, as Python values (see :mod:`rowbinary._decode` for which)."""

    names: tuple[str, ...]
    types: tuple[Type, ...]
    rows: list[tuple[Any, ...]]
    query_id: str | None
    summary: dict[str, int]

    def dicts(self) -> list[dict[str, Any]]:
        """The rows as dicts."""
        return [dict(zip(self.names, row, strict=True)) for row in self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.rows)


class InsertProgress(NamedTuple):
    """How far an insert is: rows (``None`` when not counted) and bytes encoded, bytes on the wire."""

    rows: int | None
    raw_bytes: int
    sent_bytes: int


OnProgress: TypeAlias = Callable[[InsertProgress], object]


@dataclass
class Job:
    """One insert on its way: what to send, and what is known of it."""

    address: Address
    table: Table
    columns: Sequence[str]
    format: str
    source: Source
    settings: list[tuple[str, str]]
    compression: str
    statement: Statement
    block_rows: int
    block_bytes: int
    on_progress: OnProgress | None = None
    stopped: bool = False  # whoever makes chunks in another thread has to stop
    packing: list[float] = field(default_factory=list)  # seconds per chunk; threads append

    @functools.cached_property
    def request(self) -> Request:
        """The HTTP request."""
        text = insert_statement(self.table, self.columns, self.format)
        return insert_request(
            self.address,
            text,
            query_id=self.statement.query_id,
            compression=self.compression,
            settings=self.settings,
        )

    @functools.cached_property
    def poison(self) -> bytes | None:
        """What makes the server refuse the body so far, where something does."""
        return POISON if self.compression in ("lz4", "zstd") else None

    @functools.cached_property
    def _packer(self) -> Packer:
        return packer(self.compression)

    def next(self) -> Buffer:
        """The next chunk of rows; empty at the end."""
        if self.stopped:
            raise Abandoned
        chunk = self.source.next()
        self.judge()
        return chunk

    def judge(self) -> None:
        """Whether all rows so far are one block."""
        rows, size = self.source.rows, self.source.raw_bytes
        if rows is None:
            # The bytes have to do: no row is shorter than one, but for those of a Native block.
            few = self.format != "Native" and size <= self.block_rows
        else:
            few = rows <= self.block_rows
        self.statement.one_block = few and size <= self.block_bytes

    def pack(self, chunk: Buffer) -> bytes | memoryview:
        """`chunk` as a piece of the body.  Any thread may call this."""
        start = time.perf_counter()
        piece = self._packer(chunk)
        self.packing.append(time.perf_counter() - start)
        return piece

    def pack_first(self, chunk: Buffer) -> bytes | memoryview:
        """The first chunk, behind the statement if that is part of the body."""
        prefix = self.request.prefix
        return self.pack(b"".join((prefix, chunk)) if prefix else chunk)

    def report(self) -> None:
        """Tell whoever wants to know how far it is."""
        if self.on_progress is not None:
            source = self.source
            self.on_progress(InsertProgress(source.rows, source.raw_bytes, self.statement.progress.sent))

    def explain(self, error: BaseException) -> None:
        """Say on an error of the rows what may be stored all the same."""
        if not self.statement.one_block and not isinstance(error, ClientError):
            error.add_note(
                f"{self.source.raw_bytes} bytes of rows had been made for {self.table}, more than one block: "
                f"some blocks, of {self.block_rows} rows each, may be stored "
                f"(query id {self.statement.query_id})"
            )
