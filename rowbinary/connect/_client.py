"""The accelerated clients: classes between a client of clickhouse-connect and its own class.

An accelerated client is a second object over the state of the one it was made from (they share their
``__dict__``): whatever is set on one is set on the other.  What it adds is in a slot of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from typing import Any, NamedTuple

from clickhouse_connect.driver.insert import InsertContext
from clickhouse_connect.driver.summary import QuerySummary

from ._context import AcceleratedContext, Origin
from ._insert import Body, Describe, Encode, Own, Probe, Send, Sleep, Step, Steps, insert_steps
from ._options import Options, can_compare
from ._rows import AsyncRowChunks
from ._schemas import Schemas, Table, table_key

__all__ = ["AsyncInserts", "Inserts", "State", "class_of"]


class State(NamedTuple):
    """What an accelerated client has of its own."""

    options: Options
    schemas: Schemas
    threads: Any = None  # of the asynchronous client


class _Base:
    """What both clients do without I/O."""

    __slots__ = ()
    _rowbinary: State

    def _described(self, arguments: dict[str, Any]) -> Table | None:
        """The table as it is known, if it is."""
        return self._rowbinary.schemas.get(_key(arguments)) if can_compare(self) else None

    def _remember(self, arguments: dict[str, Any], context: InsertContext) -> Table:
        table = Table(tuple(context.column_names), tuple(context.column_types))
        if can_compare(self):
            self._rowbinary.schemas.put(_key(arguments), table)
        return table

    def _context(
        self, base: InsertContext, column_oriented: bool, data: Any, origin: Origin | None, cached: bool
    ) -> AcceleratedContext:
        context = AcceleratedContext(
            base.table,
            base.column_names,
            base.column_types,
            column_oriented=column_oriented,
            settings=base.settings,
            transport_settings=base.transport_settings,
            server_tz=base.server_tz,
        )
        context.origin, context.cached = origin, cached
        context.data = data
        return context


def _key(arguments: dict[str, Any]) -> Any:
    return table_key(arguments["table"], arguments["database"], arguments["settings"])


def _narrowed(table: Table, column_names: Any) -> tuple[list[str], list[Any]] | None:
    """Names and types of the columns that were asked for; ``None`` when the table has no such column."""
    if column_names is None or (isinstance(column_names, str) and column_names == "*"):
        return list(table.names), list(table.types)
    names = [column_names] if isinstance(column_names, str) else list(column_names)
    types = table.types_of(names)
    return None if types is None or not names else (names, types)


def _renew(context: AcceleratedContext, fresh: InsertContext) -> None:
    context.column_names, context.column_types = fresh.column_names, fresh.column_types
    context.cached = False
    context.data = context.data  # counted again


class Inserts(_Base):
    """What an accelerated :class:`clickhouse_connect.driver.client.Client` does in its own way."""

    __slots__ = ()

    def create_insert_context(
        self,
        table: str,
        column_names: str | Sequence[str] | None = None,
        database: str | None = None,
        column_types: Sequence[Any] | None = None,
        column_type_names: Sequence[str] | None = None,
        column_oriented: bool = False,
        settings: dict[str, Any] | None = None,
        data: Any = None,
        transport_settings: dict[str, str] | None = None,
    ) -> InsertContext:
        """As that of clickhouse-connect; the table is described once in a while, and `data` may be anything."""
        create: Any = super().create_insert_context  # type: ignore[misc]
        asked = {"table": table, "database": database, "settings": settings}
        if column_types is not None or column_type_names is not None:
            base = create(
                table, column_names, database, column_types, column_type_names, column_oriented, settings,
                transport_settings=transport_settings,
            )  # fmt: skip
            return self._context(base, column_oriented, data, None, cached=False)
        known = self._described(asked)
        cached = known is not None
        if known is None:
            known = self._remember(asked, create(**asked))
        found = _narrowed(known, column_names)
        if found is None:  # the wrapped client says what is wrong, or finds a column that is new
            base = create(
                table, column_names, database, settings=settings, transport_settings=transport_settings
            )
            return self._context(base, column_oriented, data, None, cached=False)
        base = create(
            table, found[0], database, found[1], settings=settings, transport_settings=transport_settings
        )
        origin = Origin(self._rowbinary.schemas, _key(asked), {**asked, "column_names": column_names})
        return self._context(base, column_oriented, data, origin, cached)

    def data_insert(self, context: InsertContext) -> QuerySummary:
        """Insert the data of `context`, and empty it."""
        if context.empty:
            return QuerySummary()
        try:
            return self._run(insert_steps(self, context, self._rowbinary.options))
        finally:
            context.data = None

    def _run(self, steps: Steps) -> QuerySummary:
        result: Any = None
        error: BaseException | None = None
        while True:
            try:
                step = steps.send(result) if error is None else steps.throw(error)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            result = error = None
            try:
                result = self._do(step)
            except Exception as raised:
                error = raised

    def _do(self, step: Step) -> Any:
        client: Any = super()
        match step:
            case Encode(chunks):
                if isinstance(chunks, AsyncRowChunks):
                    raise TypeError("rows of an asynchronous iterable need an asynchronous client")
                return chunks.next()
            case Send(arguments, body):
                return client.raw_insert(
                    insert_block=body.bytes() if body.whole else _pieces(body), **arguments
                )
            case Own(context):
                return client.data_insert(context)
            case Describe(context):
                context.forget()
                _renew(context, client.create_insert_context(**context.origin.arguments))
            case Probe():
                client.command("SELECT 1")
            case Sleep(seconds):
                time.sleep(seconds)
        return None


def _pieces(body: Body) -> Generator[Any, None, None]:
    """`body` while it is made."""
    body.begun = True
    chunks: Any = body.chunks
    try:
        yield body.compress(b"".join((body.prefix, body.first)))
        while not chunks.ended:
            chunk = chunks.next()
            if len(chunk):
                yield body.compress(chunk)
        if tail := body.flush():
            yield tail
    except Exception as error:
        body.failed = error
        raise


class AsyncInserts(_Base):
    """What an accelerated :class:`clickhouse_connect.driver.asyncclient.AsyncClient` does in its own way."""

    __slots__ = ()

    async def create_insert_context(
        self,
        table: str,
        column_names: str | Sequence[str] | None = None,
        database: str | None = None,
        column_types: Sequence[Any] | None = None,
        column_type_names: Sequence[str] | None = None,
        column_oriented: bool = False,
        settings: dict[str, Any] | None = None,
        data: Any = None,
        transport_settings: dict[str, str] | None = None,
    ) -> InsertContext:
        """As that of clickhouse-connect; the table is described once in a while, and `data` may be anything."""
        create: Any = super().create_insert_context  # type: ignore[misc]
        asked = {"table": table, "database": database, "settings": settings}
        if column_types is not None or column_type_names is not None:
            base = await create(
                table, column_names, database, column_types, column_type_names, column_oriented, settings,
                transport_settings=transport_settings,
            )  # fmt: skip
            return self._context(base, column_oriented, data, None, cached=False)
        known = self._described(asked)
        cached = known is not None
        if known is None:
            known = self._remember(asked, await create(**asked))
        found = _narrowed(known, column_names)
        if found is None:
            base = await create(
                table, column_names, database, settings=settings, transport_settings=transport_settings
            )
            return self._context(base, column_oriented, data, None, cached=False)
        base = await create(
            table, found[0], database, found[1], settings=settings, transport_settings=transport_settings
        )
        origin = Origin(self._rowbinary.schemas, _key(asked), {**asked, "column_names": column_names})
        return self._context(base, column_oriented, data, origin, cached)

    async def data_insert(self, context: InsertContext) -> QuerySummary:
        """Insert the data of `context`, and empty it."""
        if context.empty:
            return QuerySummary()
        try:
            return await self._run(insert_steps(self, context, self._rowbinary.options))
        finally:
            context.data = None

    async def _run(self, steps: Steps) -> QuerySummary:
        result: Any = None
        error: BaseException | None = None
        while True:
            try:
                step = steps.send(result) if error is None else steps.throw(error)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            result = error = None
            try:
                result = await self._do(step)
            except Exception as raised:
                error = raised

    async def _do(self, step: Step) -> Any:
        client: Any = super()
        match step:
            case Encode(chunks):
                return await self._next(chunks)
            case Send(arguments, body):
                return await self._send(client, arguments, body)
            case Own(context):
                return await client.data_insert(context)
            case Describe(context):
                context.forget()
                _renew(context, await client.create_insert_context(**context.origin.arguments))
            case Probe():
                await client.command("SELECT 1")
            case Sleep(seconds):
                await asyncio.sleep(seconds)
        return None

    async def _next(self, chunks: Any) -> Any:
        if isinstance(chunks, AsyncRowChunks):
            return await chunks.next(self._rowbinary.threads.submit)
        return await self._rowbinary.threads.submit(chunks.next)

    async def _send(self, client: Any, arguments: dict[str, Any], body: Body) -> Any:
        if body.whole:
            whole = await self._rowbinary.threads.submit(body.bytes)
            return await client.raw_insert(insert_block=whole, **arguments)
        pieces = self._pieces(body)
        try:
            return await client.raw_insert(insert_block=pieces, **arguments)
        finally:
            with contextlib.suppress(Exception):
                await pieces.aclose()
            if isinstance(body.chunks, AsyncRowChunks):
                await body.chunks.close()

    async def _pieces(self, body: Body) -> AsyncGenerator[Any, None]:
        """`body` while it is made; the next piece is made while one is sent."""
        body.begun = True
        submit = self._rowbinary.threads.submit
        ahead: asyncio.Task[Any] | None = None
        try:
            piece = await submit(lambda: body.compress(b"".join((body.prefix, body.first))))
            while not body.chunks.ended:
                ahead = asyncio.ensure_future(self._piece(body))
                if len(piece):
                    yield piece
                piece = await ahead
            yield piece
            if tail := body.flush():
                yield tail
        except Exception as error:
            body.failed = error
            raise
        finally:
            if ahead is not None and not ahead.done():  # its thread has the encoder
                await asyncio.wait([ahead])

    async def _piece(self, body: Body) -> Any:
        chunk = await self._next(body.chunks)
        return await self._rowbinary.threads.submit(body.compress, chunk) if len(chunk) else b""


@functools.lru_cache(maxsize=64)
def class_of(kind: type[Any]) -> type[Any]:
    """The accelerated class of clients of class `kind`."""
    mixin = AsyncInserts if inspect.iscoroutinefunction(kind.data_insert) else Inserts
    body = {"__slots__": ("_rowbinary",), "__module__": __name__, "__doc__": kind.__doc__}
    return type(f"Accelerated{kind.__name__}", (mixin, kind), body)


def is_accelerated(client: Any) -> bool:
    """Whether `client` is one of these."""
    return isinstance(client, _Base)
