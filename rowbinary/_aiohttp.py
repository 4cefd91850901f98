"""HTTP for the asynchronous client: one exchange over aiohttp's connections.

As in ``_http.py``: a body that broke is never ended politely, a refusal is heard before the body is
sent, and answers are bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import yarl
from aiohttp import payload

from ._address import Address
from ._network import Network, proxy_parts, tls_reason
from ._outcome import ExchangeFailed, Progress
from ._pipeline import Abandoned, WholeBody, slices
from .protocol import Answer, Request

__all__ = ["AioTransport", "AsyncBody", "AsyncStreamBody"]

# aiohttp has one limit for all connections: below the keep-alive time of every server (3 s and more).
_KEEP_ALIVE = 2.0
# A connection idle for longer is asked (100-continue) before rows are trusted to it.
TRUSTED_IDLE = 1.0
_CONTINUE_WAIT = 1.0  # a server that never answers 100 must not stop the insert
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends a reset


class AsyncStreamBody:
    """A body that is made while it is sent; see ``_pipeline.StreamBody``."""

    length: int | None = None

    def __init__(self, first: bytes | memoryview, poison: bytes | None, depth: int = 3):
        self._first = first
        self._poison = poison
        self._items: asyncio.Queue[asyncio.Future[bytes | memoryview] | None] = asyncio.Queue(depth)
        self._failed = self._closed = False
        self.replayable = True
        self.poisoned = False

    async def put(self, piece: asyncio.Future[bytes | memoryview]) -> bool:
        """Add a piece when there is room; false when nobody takes it any more."""
        if not self._closed:
            await self._items.put(piece)
        return not self._closed

    async def finish(self) -> None:
        """There are no more pieces."""
        if not self._closed:
            await self._items.put(None)

    def fail(self) -> None:
        """There will be no proper end, and what waits is not sent."""
        self._failed = True
        self._clear()

    def close(self) -> None:
        """Nothing is taken any more."""
        self._closed = True
        self._clear()

    def _clear(self) -> None:
        while not self._items.empty():
            piece = self._items.get_nowait()
            if piece is not None:
                piece.cancel()
        self._items.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[bytes | memoryview]:
        yield self._first
        while not self._failed:
            piece = await self._items.get()
            if piece is None:
                break
            self.replayable = False
            yield await piece
        if self._failed:
            if self._poison is None:
                raise Abandoned
            self.poisoned = True
            yield self._poison


AsyncBody = WholeBody | AsyncStreamBody


class _Flow(payload.Payload):
    """A body as aiohttp writes it."""

    def __init__(self, body: AsyncBody, progress: Progress, timeout: float):
        super().__init__(body, content_type="application/octet-stream")
        self._size = body.length
        self.body = body
        self.progress = progress
        self.timeout = timeout
        self.timed_out = False
        self.error: BaseException | None = None
        self.transport: asyncio.Transport | None = None
        self.begun = 0.0

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return ""

    async def write_with_length(self, writer: Any, content_length: int | None) -> None:
        await self.write(writer)

    async def write(self, writer: Any) -> None:
        self.transport = writer.transport
        self.begun = time.perf_counter()
        # aiohttp may wait for the answer already (since a 100 Continue), however long the body takes.
        protocol = writer.protocol
        wait, protocol.read_timeout = protocol.read_timeout, None
        protocol.start_timeout()
        try:
            async for piece in _pieces(self.body):
                self.progress.started = True
                async with asyncio.timeout(self.timeout):
                    await writer.write(piece)
                self.progress.sent += len(piece)
        except BaseException as error:
            self.timed_out = isinstance(error, TimeoutError)
            self.error = error
            self.break_off()
            raise
        finally:
            protocol.read_timeout = wait
        self.progress.complete = True
        self.progress.send = time.perf_counter() - self.begun

    def break_off(self) -> None:
        """Reset the connection unless all of the body has gone out."""
        transport = self.transport
        if transport is None or self.progress.complete:
            return
        sock = transport.get_extra_info("socket")
        with contextlib.suppress(OSError, AttributeError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()


class _Request(aiohttp.ClientRequest):
    """aiohttp would wait for ``100 Continue`` without end."""

    async def write_bytes(self, *args: Any, **kwargs: Any) -> None:
        waiting = self._continue
        if waiting is None:
            return await super().write_bytes(*args, **kwargs)
        timer = self.loop.call_later(_CONTINUE_WAIT, _stop_waiting, waiting)
        try:
            await super().write_bytes(*args, **kwargs)
        finally:
            timer.cancel()


def _stop_waiting(waiting: asyncio.Future[bool]) -> None:
    if not waiting.done():
        waiting.set_result(True)


async def _pieces(body: AsyncBody) -> AsyncIterator[bytes | memoryview]:
    if isinstance(body, WholeBody):
        for piece in body:
            for part in slices(piece):
                yield part
    else:
        async for piece in body:
            for part in slices(piece):
                yield part


class AioTransport:
    """Exchanges with one server, in one event loop at a time."""

    def __init__(self, address: Address, network: Network):
        self._address = address
        self._network = network
        if network.proxy is not None:
            proxy_parts(network.proxy)  # one that cannot be used is an error now
        self._tls = network.tls() if address.scheme == "https" else None
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._last_answer = 0.0
        self._always_ask = False  # the server closes idle connections so early that none can be trusted

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None and self._loop is asyncio.get_running_loop():
            await session.close()

    def _opened(self) -> aiohttp.ClientSession:
        """The session of the running event loop."""
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:
            self._loop = loop
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE, ssl=self._tls or True)
            timing = aiohttp.TraceConfig()
            timing.on_connection_create_start.append(_connecting)
            timing.on_connection_create_end.append(_connected)
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(
                    total=None,
                    sock_connect=self._network.connect_timeout,
                    sock_read=self._network.answer_timeout,
                ),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                request_class=_Request,
                trace_configs=[timing],
            )
        return self._session

    async def exchange(
        self,
        request: Request,
        body: AsyncBody,
        progress: Progress,
        limit: int,
        *,
        on_flow: Any = None,
    ) -> Answer:
        """Send `request` with `body`; the answer, its body cut to `limit` bytes.

        Raises :class:`ExchangeFailed`.
        """
        network = self._network
        flow = _Flow(body, progress, network.send_timeout)
        if on_flow is not None:
            on_flow(flow)
        headers = {**request.headers, **network.headers}
        idle = time.monotonic() - self._last_answer
        ask = body.length is None or idle > TRUSTED_IDLE or self._always_ask
        if ask:
            headers["X-ClickHouse-100-Continue"] = "defer"
        answer = None
        try:
            async with self._opened().post(
                yarl.URL(self._address.origin + request.target, encoded=True),
                data=flow,
                headers=headers,
                expect100=ask,
                allow_redirects=False,
                chunked=True if body.length is None else None,
                proxy=network.proxy,
                trace_request_ctx=progress,
            ) as response:
                answer = await self._read(response, flow, limit)
                if answer.body is None or not progress.complete or len(answer.body) >= limit:
                    flow.break_off()
                    response.close()
                return answer
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._failure(error, flow, None) from _origin(error)

    async def _read(self, response: aiohttp.ClientResponse, flow: _Flow, limit: int) -> Answer:
        headers = {name.lower(): value for name, value in response.headers.items()}
        found = bytearray()
        early = None if flow.progress.complete else self._network.answer_timeout
        try:
            async with asyncio.timeout(early):  # an answer that comes early is not bounded by aiohttp
                while len(found) < limit and (part := await response.content.readany()):
                    found += part
        except (aiohttp.ClientError, OSError) as error:
            partial = Answer(response.status, headers, bytes(found), complete=False)
            raise self._failure(error, flow, partial) from _origin(error)
        answer = Answer(response.status, headers, bytes(found[:limit]))
        # Who refuses may be about to go: the next body does not follow unasked.
        self._last_answer = time.monotonic() if answer.status == 200 else 0.0
        self._always_ask = answer.keep_alive is not None and answer.keep_alive <= _KEEP_ALIVE
        if flow.progress.complete:
            flow.progress.answer = time.perf_counter() - flow.begun - flow.progress.send
        return answer

    def _failure(self, error: BaseException, flow: _Flow, partial: Answer | None) -> ExchangeFailed:
        """`error` of aiohttp, by how far the exchange had come."""
        network = self._network
        reason = self._address.scrub(_reason(flow.error or error), network.proxy, network.client_key_password)
        if isinstance(
            error, aiohttp.ClientConnectorError | aiohttp.ClientHttpProxyError | aiohttp.InvalidURL
        ):
            lasting = isinstance(error, aiohttp.ClientConnectorCertificateError)
            lasting = lasting or getattr(error, "status", 0) == 407
            return ExchangeFailed("connect", reason, lasting=lasting)
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            seconds = network.connect_timeout
            return ExchangeFailed("connect", f"none within {seconds:g} s", timeout=seconds)
        if not flow.progress.complete and partial is None:
            if flow.timed_out:
                seconds = network.send_timeout
                return ExchangeFailed("send", f"the server took no more for {seconds:g} s", timeout=seconds)
            return ExchangeFailed("send", reason)
        if isinstance(error, TimeoutError):
            seconds = network.answer_timeout
            return ExchangeFailed(
                "answer", f"no answer came within {seconds:g} s", timeout=seconds, partial=partial
            )
        return ExchangeFailed("answer", reason, partial=partial)


async def _connecting(session: Any, context: Any, params: Any) -> None:
    context.begun = time.perf_counter()


async def _connected(session: Any, context: Any, params: Any) -> None:
    progress: Progress = context.trace_request_ctx
    progress.connect = time.perf_counter() - context.begun


def _origin(error: BaseException | None) -> BaseException | None:
    """What is behind `error`: aiohttp's own errors hold headers and proxies, with their passwords."""
    while isinstance(error, aiohttp.ClientError):
        error = error.__cause__
    return error


def _reason(error: BaseException) -> str:
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the connection was closed without an answer"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy failed: {error.status} {error.message}"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"the answer is not HTTP: {' '.join(error.message.split())[:200]}"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the answer broke off"
    origin = _origin(error)
    if isinstance(origin, ssl.SSLError):
        return tls_reason(origin)
    if isinstance(error, aiohttp.ClientConnectorError) and error.errno:
        proxy = "the proxy failed: " if isinstance(error, aiohttp.ClientProxyConnectionError) else ""
        return proxy + os.strerror(error.errno)
    cause: BaseException | None = error
    while cause is not None:
        if (
            isinstance(cause, OSError)
            and cause.strerror
            and not isinstance(cause, aiohttp.ClientConnectorError)
        ):
            return cause.strerror
        cause = cause.__cause__ or getattr(cause, "os_error", None)
    return " ".join(str(error).split())[:300] or type(error).__name__
