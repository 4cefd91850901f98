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
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from clickhouse_connect.driver.insert import InsertContext
from clickhouse_connect.driver.summary import QuerySummary

from .._pipeline import slices
from ._arrow_tables import arrow_steps
from ._context import Asked, context_steps
from ._insert import insert_steps
from ._rows import AsyncRowChunks
from ._state import State
from ._steps import (
    Body,
    Create,
    Encode,
    Own,
    OwnArrow,
    Probe,
    Send,
    Sleep,
    Step,
    Steps,
    take,
    take_async,
)

__all__ = ["AsyncInserts", "Inserts", "class_of", "is_accelerated"]

P = ParamSpec("P")
T = TypeVar("T")


class _Methods:
    """Methods that both clients have, as the steps that they take."""

    def create_insert_context(
        self: Any,
        table: str,
        column_names: str | Sequence[str] | None = None,
        database: str | None = None,
        column_types: Sequence[Any] | None = None,
        column_type_names: Sequence[str] | None = None,
        column_oriented: bool = False,
        settings: dict[str, Any] | None = None,
        data: Any = None,
        transport_settings: dict[str, str] | None = None,
    ) -> Steps[InsertContext]:
        """As that of clickhouse-connect, but `data` may be anything that has rows or columns."""
        asked = Asked(
            table, column_names, database, column_types, column_type_names, settings, transport_settings
        )
        return context_steps(self, self._rowbinary.schemas, asked, column_oriented, data)

    def insert_arrow(
        self: Any,
        table: str,
        arrow_table: Any,
        database: str | None = None,
        settings: dict[str, Any] | None = None,
        transport_settings: dict[str, str] | None = None,
    ) -> Steps[QuerySummary]:
        """As that of clickhouse-connect; what the server would read from it as we do is sent as Native."""
        asked = Asked(table, database=database, settings=settings, transport_settings=transport_settings)
        return arrow_steps(self, self._rowbinary, asked, arrow_table)


def _called(steps: Callable[Concatenate[Any, P], Steps[T]]) -> Callable[Concatenate[Any, P], T]:
    """The method that takes these steps."""

    @functools.wraps(steps)
    def method(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return take(steps(self, *args, **kwargs), self._do)

    return method


def _awaited(
    steps: Callable[Concatenate[Any, P], Steps[T]],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]:
    """The asynchronous method that takes these steps."""

    @functools.wraps(steps)
    async def method(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await take_async(steps(self, *args, **kwargs), self._do)

    return method


class Inserts:
    """What an accelerated :class:`clickhouse_connect.driver.client.Client` does in its own way."""

    __slots__ = ()
    _rowbinary: State

    create_insert_context = _called(_Methods.create_insert_context)
    insert_arrow = _called(_Methods.insert_arrow)

    def data_insert(self, context: InsertContext) -> QuerySummary:
        """Insert the data of `context`, and empty it."""
        if context.empty:
            return QuerySummary()
        try:
            return take(insert_steps(self, self._rowbinary, context), self._do)
        finally:
            context.data = None

    def _do(self, step: Step) -> Any:
        client: Any = super()
        match step:
            case Create(arguments):
                return client.create_insert_context(**arguments)
            case Encode(chunks):
                if isinstance(chunks, AsyncRowChunks):
                    raise TypeError("rows of an asynchronous iterable need an asynchronous client")
                return chunks.next()
            case Send(arguments, body):
                block = body.bytes() if body.whole else _pieces(body)
                return client.raw_insert(insert_block=block, **arguments)
            case Own(context):
                return client.data_insert(context)
            case OwnArrow(arguments):
                return client.insert_arrow(**arguments)
            case Probe():
                return client.command("SELECT 1")
            case Sleep(seconds):
                time.sleep(seconds)
        return None


def _parts(piece: Any) -> Generator[Any, None, None]:
    """What is sent at a time of `piece`; the wrapped clients take bytes."""
    for part in slices(piece):
        yield bytes(part) if isinstance(part, memoryview) else part


def _pieces(body: Body) -> Generator[Any, None, None]:
    """`body` while it is made."""
    body.begun = True
    try:
        yield from _parts(body.head())
        while not body.chunks.ended:
            chunk = body.chunks.next()
            if len(chunk):
                yield from _parts(body.compress(chunk))
        if tail := body.flush():
            yield tail
    except Exception as error:
        yield body.fail(error)


class AsyncInserts:
    """What an accelerated :class:`clickhouse_connect.driver.asyncclient.AsyncClient` does in its own way.

    Rows are encoded, and chunks compressed, in threads; a small chunk is compressed at once.
    """

    __slots__ = ()
    _rowbinary: State

    create_insert_context = _awaited(_Methods.create_insert_context)
    insert_arrow = _awaited(_Methods.insert_arrow)

    async def data_insert(self, context: InsertContext) -> QuerySummary:
        """Insert the data of `context`, and empty it."""
        if context.empty:
            return QuerySummary()
        try:
            return await take_async(insert_steps(self, self._rowbinary, context), self._do)
        finally:
            context.data = None

    async def close(self) -> None:
        """As that of clickhouse-connect; the threads end too."""
        self._rowbinary.threads.close()
        client: Any = super()
        await client.close()

    async def _do(self, step: Step) -> Any:
        client: Any = super()
        match step:
            case Create(arguments):
                return await client.create_insert_context(**arguments)
            case Encode(chunks):
                try:
                    return await self._next(chunks)
                except BaseException:
                    await _close(chunks)
                    raise
            case Send(arguments, body):
                return await self._send(client, arguments, body)
            case Own(context):
                return await client.data_insert(context)
            case OwnArrow(arguments):
                return await client.insert_arrow(**arguments)
            case Probe():
                return await client.command("SELECT 1")
            case Sleep(seconds):
                await asyncio.sleep(seconds)
        return None

    async def _next(self, chunks: Any) -> Any:
        if isinstance(chunks, AsyncRowChunks):
            return await chunks.next(self._rowbinary.threads.submit)
        return await self._rowbinary.threads.submit(chunks.next)

    async def _send(self, client: Any, arguments: dict[str, Any], body: Body) -> Any:
        if body.whole:
            whole = body.bytes() if body.light else await self._rowbinary.threads.submit(body.bytes)
            return await client.raw_insert(insert_block=whole, **arguments)
        pieces = self._pieces(body)
        try:
            return await client.raw_insert(insert_block=pieces, **arguments)
        finally:
            with contextlib.suppress(Exception):  # the task that writes it may not have ended yet
                await pieces.aclose()
            if not body.begun:
                await _close(body.chunks)

    async def _pieces(self, body: Body) -> AsyncGenerator[Any, None]:
        """`body` while it is made: the next piece is made while one is sent."""
        body.begun = True
        ahead: asyncio.Task[Any] | None = None
        try:
            piece = await self._rowbinary.threads.submit(body.head)
            while not body.chunks.ended:
                ahead = asyncio.ensure_future(self._piece(body))
                for part in _parts(piece) if len(piece) else ():
                    yield part
                piece = await ahead
            for part in _parts(piece):
                yield part
            if tail := body.flush():
                yield tail
        except Exception as error:
            yield body.fail(error)
        finally:
            if ahead is not None and not ahead.done():  # it may wait for a row that never comes
                ahead.cancel()
                await asyncio.wait([ahead])
            await _close(body.chunks)

    async def _piece(self, body: Body) -> Any:
        chunk = await self._next(body.chunks)
        return await self._rowbinary.threads.submit(body.compress, chunk) if len(chunk) else b""


async def _close(chunks: Any) -> None:
    """Tell an asynchronous generator of rows that no more is wanted."""
    if isinstance(chunks, AsyncRowChunks):
        with contextlib.suppress(Exception):
            await chunks.close()


@functools.lru_cache(maxsize=64)
def class_of(kind: type[Any]) -> type[Any]:
    """The accelerated class of clients of class `kind`."""
    mixin = AsyncInserts if inspect.iscoroutinefunction(kind.data_insert) else Inserts
    body = {"__slots__": ("_rowbinary",), "__module__": __name__, "__doc__": kind.__doc__}
    return type(f"Accelerated{kind.__name__}", (mixin, kind), body)


def is_accelerated(client: Any) -> bool:
    """Whether `client` is one of these."""
    return isinstance(client, Inserts | AsyncInserts)
