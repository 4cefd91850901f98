"""The asynchronous client's ways to a server: HTTP, and the embedded engine in threads.

Nothing that computes runs on the event loop: rows are encoded, and chunks compressed, in threads.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from . import _retries
from ._address import Address
from ._aiohttp import AioTransport, AsyncBody, AsyncStreamBody
from ._async_rows import AsyncRows, Bridge
from ._embedded_way import EmbeddedWay
from ._job import Job
from ._network import Network
from ._outcome import ExchangeFailed, Statement, answered, failed
from ._pipeline import Buffer, Encoding, WholeBody
from .errors import UnknownStateError
from .protocol import Answer, Request, statement_request

__all__ = ["AsyncEmbedded", "AsyncSender"]

ANSWER_LIMIT = 1 << 20  # bytes of an answer that should have none
POISON_WAIT = 10.0
_THREADS = 4

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """Threads of one client, for work that would stop the event loop."""

    def __init__(self) -> None:
        self._executor: ThreadPoolExecutor | None = None
        self._process = os.getpid()

    def submit(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Do `work` in a thread, with the context variables of the caller."""
        if self._executor is None or self._process != os.getpid():  # a fork has no threads of its parent
            self._executor = ThreadPoolExecutor(_THREADS, "rowbinary")
            self._process = os.getpid()
        run: Any = contextvars.copy_context().run
        return asyncio.get_running_loop().run_in_executor(self._executor, run, _done, work, *args)

    def close(self) -> None:
        """Let the threads end."""
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False)


def _done(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work` returns; a future cannot hold a StopIteration."""
    try:
        return work(*args, **kwargs)
    except StopIteration as error:
        raise RuntimeError("StopIteration was raised where rows are made") from error


class AsyncSender:
    """A server reached over HTTP."""

    def __init__(self, address: Address, network: Network, retries: int):
        self._address = address
        self._where = address.origin
        self._retries = retries
        self._transport = AioTransport(address, network)
        self._threads = Threads()

    async def close(self) -> None:
        """Close the connections."""
        self._threads.close()
        await self._transport.close()

    async def run(self, statement: Statement, limit: int) -> Answer:
        """The answer to a statement without rows, its body cut to `limit` bytes."""
        request = statement_request(
            self._address, statement.sql, query_id=statement.query_id, settings=statement.settings
        )
        return await self._exchange(request, statement, WholeBody(request.prefix), limit)

    async def insert(self, job: Job, rows: AsyncRows | None) -> Answer | None:
        """Send the rows of `job`; ``None`` when there are none."""
        chunk = await self._next(job, rows)
        if not len(chunk):
            return None
        first = await self._threads.submit(job.pack_first, chunk)
        if job.source.ended:
            answer = await self._exchange(job.request, job.statement, WholeBody(first))
        else:
            answer = await self._stream(job, rows, AsyncStreamBody(first, job.poison))
        job.report()
        return answer

    async def _next(self, job: Job, rows: AsyncRows | None) -> Buffer:
        """The next chunk."""
        if rows is None:
            return await self._threads.submit(job.next)
        source = job.source
        assert isinstance(source, Encoding)
        while not rows.ended:
            chunk = await self._threads.submit(source.feed, await rows.batch())
            job.judge()
            if chunk is not None:
                return chunk
        return source.end()

    async def _exchange(
        self,
        request: Request,
        statement: Statement,
        body: AsyncBody,
        limit: int = ANSWER_LIMIT,
        on_flow: Any = None,
    ) -> Answer:
        """The good answer; anything else is raised."""
        attempt = 0
        while True:
            progress = statement.next_attempt()
            answer, cause = None, None
            try:
                answer = await self._transport.exchange(request, body, progress, limit, on_flow=on_flow)
                error = answered(answer, statement, self._where)
            except ExchangeFailed as failure:
                error, cause = failed(failure, statement, self._where), failure.__cause__
            if error is None:
                assert answer is not None
                return answer
            seconds = _retries.pause(error, attempt, self._retries, statement, body.replayable, answer)
            if seconds is None:
                raise error from (error.__cause__ or cause)
            await asyncio.sleep(seconds)
            attempt += 1

    async def _stream(self, job: Job, rows: AsyncRows | None, body: AsyncStreamBody) -> Answer:
        """Make the rest of `body` while it is sent."""
        flows: list[Any] = []
        sending = asyncio.create_task(self._exchange(job.request, job.statement, body, on_flow=flows.append))
        sending.add_done_callback(lambda _: body.close())
        try:
            while not job.source.ended:
                job.report()
                chunk = await self._next(job, rows)
                if len(chunk) and not await body.put(self._threads.submit(job.pack, chunk)):
                    break  # the sender has stopped, and says why
            await body.finish()
            return await asyncio.shield(sending)
        except Exception as error:
            if not sending.done():
                body.fail()
                await self._check_refusal(job, sending, error)
            raise
        finally:
            if not sending.done():  # cancelled, or the refusal did not come: never a polite end
                for flow in flows:
                    flow.break_off()
                sending.cancel()
                await asyncio.wait([sending], timeout=5.0)

    async def _check_refusal(self, job: Job, sending: asyncio.Task[Answer], error: Exception) -> None:
        """The rows failed with `error`, and the body was broken: the server must have refused it."""
        job.explain(error)
        await asyncio.wait([sending], timeout=POISON_WAIT)
        if sending.done() and not sending.cancelled() and sending.exception() is None:
            raise UnknownStateError(
                "the rows failed, and the server accepted a body that was broken on purpose; a part of "
                "the rows is stored",
                query_id=job.statement.query_id,
            ) from error


class AsyncEmbedded:
    """The embedded engine; its calls run in threads."""

    def __init__(self, address: Address):
        self._way = EmbeddedWay(address)
        self._threads = Threads()

    async def close(self) -> None:
        """Close the connection."""
        self._threads.close()
        self._way.close()

    async def run(self, statement: Statement, limit: int) -> Answer:
        """The answer to a statement without rows, its body cut to `limit` bytes."""
        return await self._threads.submit(self._way.run, statement, limit)

    async def insert(self, job: Job, rows: AsyncRows | None) -> Answer | None:
        """Hand the rows of `job` to the engine; ``None`` when there are none."""
        bridge = None
        if rows is not None:
            assert isinstance(job.source, Encoding)
            job.source = bridge = Bridge(rows, job.source, asyncio.get_running_loop())
        done = self._threads.submit(self._way.insert, job)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            job.stopped = True
            if bridge is not None:
                bridge.stop()
            await asyncio.gather(done, return_exceptions=True)
            raise
