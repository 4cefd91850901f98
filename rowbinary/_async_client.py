"""The asynchronous client: the calls of ``Client`` as coroutines, over aiohttp."""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, Iterable, Sequence
from typing import Protocol, Unpack

from ._address import Settings
from ._async_rows import AsyncRows
from ._core import MAX_RESULT, ClientBase, EncodeOptions, InsertOptions
from ._job import InsertResult, Job, OnProgress, QueryResult
from ._outcome import Statement
from ._pipeline import Encoding
from ._schema import Schema, SchemaLike
from .errors import ClientError
from .protocol import Answer, Table

__all__ = ["AsyncClient"]


class AsyncWay(Protocol):
    """How a client reaches its server."""

    async def run(self, statement: Statement, limit: int) -> Answer:
        """The answer to a statement without rows."""
        ...

    async def insert(self, job: Job, rows: AsyncRows | None) -> Answer | None:
        """Send the rows of `job`; ``None`` when there are none."""
        ...

    async def close(self) -> None:
        """Close what is open."""
        ...


class AsyncClient(ClientBase):
    """As :class:`rowbinary.Client`, for one event loop at a time; an asynchronous context manager.

    Needs aiohttp (``rowbinary[async]``).  Rows are encoded and compressed in threads, off the loop.
    """

    _way: AsyncWay

    def _open(self) -> None:
        if self._address.embedded:
            from ._async_sender import AsyncEmbedded

            self._way = AsyncEmbedded(self._address)
            return
        try:
            from ._async_sender import AsyncSender
        except ImportError as error:
            raise ImportError(f"AsyncClient needs {error.name}: pip install 'rowbinary[async]'") from None
        self._way = AsyncSender(self._address, self._network, self._retries)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections.  A client that is used again makes new ones."""
        await self._way.close()

    async def insert(
        self,
        table: Table | str,
        rows: Iterable[object] | AsyncIterable[object],
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
        """As :meth:`rowbinary.Client.insert`; `rows` may be an asynchronous iterable as well.

        An ordinary iterable is read in a thread, and `on_error` is called there; an asynchronous one
        is read on the event loop, in batches.  Cancelling the call breaks the body: nothing of its
        unfinished block is stored.
        """
        table = Table.of(table)
        await self._know_version()
        found = await self.create_schema(table) if schema is None else Schema.of(schema)
        chosen = self._chosen(found, table, columns)
        how: InsertOptions = {
            "settings": settings, "query_id": query_id, "compression": compression,
            "async_insert": async_insert, "deduplication_token": deduplication_token,
            "deduplicate": deduplicate, "progress": progress,
        }  # fmt: skip
        if not isinstance(rows, AsyncIterable):
            return await self._insert(
                self._rows_job(table, chosen, rows, format, how, options, schema is None), None
            )
        job = self._rows_job(table, chosen, (), format, how, options, schema is None)
        assert isinstance(job.source, Encoding)
        return await self._insert(job, AsyncRows(rows, job.source))

    async def insert_encoded(
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
        """As :meth:`rowbinary.Client.insert_encoded`; `data` is read in a thread."""
        await self._know_version()
        how: InsertOptions = {
            "settings": settings, "query_id": query_id, "compression": compression,
            "async_insert": async_insert, "deduplication_token": deduplication_token,
            "deduplicate": deduplicate, "progress": progress,
        }  # fmt: skip
        return await self._insert(self._bytes_job(table, data, columns, format, rows, how), None)

    async def _insert(self, job: Job, rows: AsyncRows | None) -> InsertResult:
        start = time.perf_counter()
        try:
            answer = await self._way.insert(job, rows)
        except ClientError as error:
            self._noticed(error, job.table)
            raise
        finally:
            if rows is not None and not rows.ended:
                await rows.close()
        return self._inserted(job, answer, time.perf_counter() - start)

    async def create_schema(self, table: Table | str) -> Schema:
        """As :meth:`rowbinary.Client.create_schema`."""
        table = Table.of(table)
        schema = self._cached(table)
        if schema is None:
            answer = await self._run(f"DESCRIBE TABLE {table.sql} FORMAT JSONCompact", harmless=True)
            schema = self._described(table, answer)
        return schema

    async def query(
        self,
        sql: str,
        *,
        settings: Settings | None = None,
        query_id: str | None = None,
        max_bytes: int = MAX_RESULT,
    ) -> QueryResult:
        """As :meth:`rowbinary.Client.query`."""
        answer = await self._run(self._select(sql), settings, query_id, max_bytes)
        return self._result(answer)

    async def command(
        self,
        sql: str,
        *,
        settings: Settings | None = None,
        query_id: str | None = None,
        max_bytes: int = MAX_RESULT,
    ) -> str:
        """As :meth:`rowbinary.Client.command`."""
        answer = await self._run(sql, settings, query_id, max_bytes)
        return answer.body.decode(errors="replace").removesuffix("\n")

    async def server_version(self) -> tuple[int, ...]:
        """The server's version, such as ``(26, 9)``.  Asked for once."""
        await self._know_version()
        assert self._version is not None
        return self._version

    async def _know_version(self) -> None:
        if self._version is None:
            answer = await self._run("SELECT version()", harmless=True)
            self._learn_version(answer.body.decode(errors="replace"))

    async def _run(
        self,
        sql: str,
        settings: Settings | None = None,
        query_id: str | None = None,
        limit: int = MAX_RESULT,
        harmless: bool = False,
    ) -> Answer:
        statement = self._statement(sql, settings, query_id, harmless)
        return self._checked(await self._way.run(statement, limit + 1), statement, limit)
