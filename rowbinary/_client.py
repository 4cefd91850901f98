"""The synchronous client: inserts that stream over HTTP, or into the embedded engine."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Protocol, Unpack

from ._address import Settings
from ._core import MAX_RESULT, ClientBase, EncodeOptions, InsertOptions
from ._job import InsertResult, Job, OnProgress, QueryResult
from ._outcome import Statement
from ._schema import Schema, SchemaLike
from .errors import ClientError
from .protocol import Answer, Table

__all__ = ["Client"]


class Way(Protocol):
    """How a client reaches its server."""

    def run(self, statement: Statement, limit: int) -> Answer:
        """The answer to a statement without rows."""
        ...

    def insert(self, job: Job) -> Answer | None:
        """Send the rows of `job`; ``None`` when there are none."""
        ...

    def close(self) -> None:
        """Close what is idle."""
        ...


class Client(ClientBase):
    """A pool of connections to one ClickHouse server, which threads may share; a context manager."""

    _way: Way

    def _open(self) -> None:
        if self._address.embedded:
            from ._embedded_way import EmbeddedWay

            self._way = EmbeddedWay(self._address)
        else:
            from ._sender import Sender

            self._way = Sender(self._address, self._network, self._retries)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the idle connections.  A client that is used again makes new ones."""
        self._way.close()

    def insert(
        self,
        table: Table | str,
        rows: Iterable[object],
        columns: Sequence[str] | None = None,
        *,
        schema: SchemaLike | None = None,
        format: str | None = "auto",
        settings: Settings | None = None,
        query_id: str | None = None,
        compression: str | None = None,
        async_insert: bool | None = False,
        deduplication_token: str | None = None,
        deduplicate: bool | None = None,
        progress: OnProgress | None = None,
        **options: Unpack[EncodeOptions],
    ) -> InsertResult:
        """Insert `rows`, any iterable of them, in constant memory.

        When `rows` fails, nothing of it is committed: the body is broken on purpose, and the server
        drops what it has of the block.  (Blocks before that one, of ``max_insert_block_size`` rows
        each, are stored by then; a note on the error says so.)

        Args:
            table: ``"table"`` or ``"database.table"``; :class:`rowbinary.protocol.Table` for names
                with dots.
            rows: tuples in the order of the columns, dicts, dataclasses, or objects with attributes.
            columns: the columns to insert, the others get their DEFAULT; ``None`` is all that can be
                inserted.
            schema: names and types of the columns, instead of asking the server once per table
                (``DESCRIBE TABLE``).
            format: ``"auto"`` (or ``None``) is the cheapest for client and server with which the server
                notices a table that has changed: ``Native`` where it reads all columns in it
                (from 23.3 on, JSON, Dynamic and Variant from 24.8 on; Enum and Tuples with names only
                if the schema is the server's), else ``RowBinaryWithNamesAndTypes`` (``RowBinary`` for
                servers before 22.1, where nothing is noticed).  In Native and in formats whose names
                end in ``Defaults`` a cell may be :data:`rowbinary.DEFAULT`; in the latter a dict may
                lack columns.
            settings: ClickHouse settings for this statement.
            query_id: the id of the statement; a random one for ``None``.
            compression: instead of the client's.
            async_insert: ``False`` and ``True`` are said explicitly, because the server's own default
                depends on its version; ``True`` waits for the flush, so errors are real.  ``None``
                leaves it to the server.
            deduplication_token: the server drops an insert when it has seen its token for this table
                (Replicated tables, or those with ``non_replicated_deduplication_window``), so it can
                be repeated safely.
            deduplicate: whether equal blocks are dropped likewise; ``None`` leaves it to the server.
            progress: called after every chunk (about 1 MiB, of Native 4 MiB) with an ``InsertProgress``.
            options: `json`, `naive`, `missing`, `extra`, `duplicate_paths`, `on_error` and
                `implementation` of :func:`rowbinary.encode_rows`.

        Raises:
            EncodeError: a row does not fit.
            SchemaError: no such column, or a type that is not known here.
            ServerError: the server refused; see ``outcome`` and ``retryable``.
            TransportError: no connection, or one that broke in time: nothing is stored.
            UnknownStateError: it broke too late, the rows may be stored or not.
            Exception: whatever `rows` or `progress` raises.
        """
        table = Table.of(table)
        self._know_version()
        chosen = self._schema(table, columns, schema)
        how: InsertOptions = {
            "settings": settings, "query_id": query_id, "compression": compression,
            "async_insert": async_insert, "deduplication_token": deduplication_token,
            "deduplicate": deduplicate, "progress": progress,
        }  # fmt: skip
        return self._insert(self._rows_job(table, chosen, rows, format, how, options, schema is None))

    def insert_encoded(
        self,
        table: Table | str,
        data: object,
        columns: Sequence[str] = (),
        *,
        format: str = "RowBinary",
        rows: int | None = None,
        settings: Settings | None = None,
        query_id: str | None = None,
        compression: str | None = None,
        async_insert: bool | None = False,
        deduplication_token: str | None = None,
        deduplicate: bool | None = None,
        progress: OnProgress | None = None,
    ) -> InsertResult:
        """Insert rows that are bytes already, in `format`; they are not checked here.

        Args:
            data: bytes, an iterable of bytes (such as ``rowbinary.iter_encode``), or a binary file.
            columns: what the rows hold, in order; without it all columns that can be inserted.
            format: an input format of ClickHouse.
            rows: how many rows there are, where that is known: what became of a broken insert can
                then be judged better.

        The other arguments, and the errors, are those of :meth:`insert`.
        """
        self._know_version()
        how: InsertOptions = {
            "settings": settings, "query_id": query_id, "compression": compression,
            "async_insert": async_insert, "deduplication_token": deduplication_token,
            "deduplicate": deduplicate, "progress": progress,
        }  # fmt: skip
        return self._insert(self._bytes_job(table, data, columns, format, rows, how))

    def _insert(self, job: Job) -> InsertResult:
        start = time.perf_counter()
        try:
            answer = self._way.insert(job)
        except ClientError as error:
            self._noticed(error, job.table)
            raise
        return self._inserted(job, answer, time.perf_counter() - start)

    def create_schema(self, table: Table | str) -> Schema:
        """The columns of `table` that can be inserted, from ``DESCRIBE TABLE``.

        The answer is kept until an insert fails in a way that says the table has changed, or
        :meth:`forget_schemas`; for 10 seconds if it has Enums or Tuples with names, with which no insert
        would fail.
        """
        table = Table.of(table)
        schema = self._cached(table)
        if schema is None:
            answer = self._run(f"DESCRIBE TABLE {table.sql} FORMAT JSONCompact", harmless=True)
            schema = self._described(table, answer)
        return schema

    def query(
        self,
        sql: str,
        *,
        settings: Settings | None = None,
        query_id: str | None = None,
        max_bytes: int = MAX_RESULT,
    ) -> QueryResult:
        """The rows of a SELECT (or SHOW, DESCRIBE, ...), all in memory: to see what landed.

        `sql` has no FORMAT clause: the answer comes as ``RowBinaryWithNamesAndTypes``, which servers
        know from version 19 on.  Answers of more than `max_bytes` (default 256 MiB) are an error.

        Raises as :meth:`insert`, and ``DecodeError``.
        """
        return self._result(self._run(self._select(sql), settings, query_id, max_bytes))

    def command(
        self,
        sql: str,
        *,
        settings: Settings | None = None,
        query_id: str | None = None,
        max_bytes: int = MAX_RESULT,
    ) -> str:
        """Run any statement; what it answers as text, without the last line end.

        The text is in the format that `sql` asks for, by default tab-separated.
        """
        answer = self._run(sql, settings, query_id, max_bytes)
        return answer.body.decode(errors="replace").removesuffix("\n")

    def server_version(self) -> tuple[int, ...]:
        """The server's version, such as ``(26, 9)``.  Asked for once."""
        self._know_version()
        assert self._version is not None
        return self._version

    def _know_version(self) -> None:
        if self._version is None:
            self._learn_version(self._run("SELECT version()", harmless=True).body.decode(errors="replace"))

    def _schema(self, table: Table, columns: Sequence[str] | None, schema: SchemaLike | None) -> Schema:
        found = self.create_schema(table) if schema is None else Schema.of(schema)
        return self._chosen(found, table, columns)

    def _run(
        self,
        sql: str,
        settings: Settings | None = None,
        query_id: str | None = None,
        limit: int = MAX_RESULT,
        harmless: bool = False,
    ) -> Answer:
        statement = self._statement(sql, settings, query_id, harmless)
        return self._checked(self._way.run(statement, limit + 1), statement, limit)
