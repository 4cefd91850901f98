"""HTTP for the synchronous client: one exchange over urllib3's connections.

urllib3 does connections, pools, TLS and proxies.  What it leaves to its callers is here: a body that
broke is never ended politely (:class:`_Wire`), connections that the server is about to close are not
used, a refusal is heard before the body is sent, and answers are bounded.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import re
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from typing import Any

import urllib3
from urllib3 import exceptions as failures
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.wait import wait_for_read

from ._address import Address
from ._network import Network, proxy_parts, tls_reason
from ._outcome import ExchangeFailed, Progress
from ._pipeline import Body, slices
from .protocol import Answer, Request

__all__ = ["HttpTransport"]

# A connection idle for longer is asked (100-continue) before rows are trusted to it.
TRUSTED_IDLE = 1.0
# Without a Keep-Alive header: what servers before 24 and most proxies allow at least.
USUAL_KEEP_ALIVE = 10.0
_MARGIN = 1.0
POISON_WAIT = 10.0  # seconds for the refusal of a body that was broken on purpose
_CONTINUE_WAIT = 1.0  # a server that never answers 100 must not stop the insert
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends a reset
# Answers that are none: 100 Continue, 103 Early Hints.
_INTERIM = re.compile(rb"HTTP/1\.[01] 1(?!01)\d\d")
_LONGEST_LINE, _MOST_LINES = 1 << 16, 100  # of the head of an answer


class _EarlyAnswer(BrokenPipeError):
    """The server has answered before it had the body: urllib3 takes this as the sign to read it."""


class _Flow:
    """A body, as urllib3 iterates over it between its sends.

    It has the request's target as well: urllib3 would take that apart and encode it anew every time,
    and put statements into its log.
    """

    def __init__(self, target: str, body: Body, progress: Progress, timeout: float, ask: bool):
        self.target = target
        self.body = body
        self.progress = progress
        self.timeout = timeout
        self.ask = ask
        self.wire: _Wire | None = None
        self.begun = 0.0

    def __iter__(self) -> Iterator[bytes | memoryview]:
        wire, progress = self.wire, self.progress
        assert wire is not None
        if self.ask and not wire.may_send():
            raise _EarlyAnswer
        self.begun = time.perf_counter()
        wire.sock.settimeout(self.timeout)
        for piece in self.body:
            for part in slices(piece):
                if wire.has_answer():
                    raise _EarlyAnswer
                progress.started = True
                yield part
                progress.sent += len(part)
        progress.complete = True
        wire.unfinished = False
        progress.send = time.perf_counter() - self.begun


class _Head:
    """Reads the head of an answer, and remembers whether it ended."""

    def __init__(self, file: Any):
        self._file = file
        self.close = file.close
        self.last = b""

    def readline(self, limit: int = -1) -> bytes:
        self.last = self._file.readline(limit)
        return self.last


class _Response(http.client.HTTPResponse):
    """An answer whose head is complete: the standard library takes the end of a connection for that of
    the head, and the headers that are missing then may be those that say what went wrong."""

    def begin(self) -> None:
        file: Any = self.fp
        head: Any = _Head(file)
        self.fp = head
        try:
            super().begin()
        finally:
            if self.fp is head:
                self.fp = file
        if not head.last:
            raise http.client.IncompleteRead(b"")

    def read_status_from(self, line: bytes) -> None:
        """The status line was read already."""
        this: Any = self
        file, this.fp = this.fp, io.BytesIO(line)
        try:
            status = this._read_status()
        except BaseException:
            file.close()
            raise
        this.fp, this._read_status = file, lambda: status


class _Wire(HTTPConnection):
    """A connection that knows how far its request has come.

    ``unfinished``: it has sent the head of a request, but not the end of its body.  Closing it then
    resets it: some servers take a politely closed body for a complete one.
    """

    unfinished = False
    usable_until = float("inf")
    last_used = 0.0
    connect_seconds = 0.0
    flow: _Flow | None = None
    waits = 60.0  # for the next bytes of an answer that comes early
    response_class = _Response
    tls = False

    @property
    def is_connected(self) -> bool:
        """Whether urllib3 may use it again: not when the server is about to close it."""
        if self.unfinished or time.monotonic() >= self.usable_until:
            return False
        return super().is_connected

    def connect(self) -> None:
        start = time.perf_counter()
        super().connect()
        self.connect_seconds = time.perf_counter() - start
        self.last_used = time.monotonic()

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **options: Any) -> None:
        flow: _Flow = body
        if self.sock is None:
            self.connect()
        flow.progress.connect, self.connect_seconds = self.connect_seconds, 0.0
        flow.ask = flow.ask or time.monotonic() - self.last_used > TRUSTED_IDLE
        if flow.ask:
            headers = {**headers, "Expect": "100-continue", "X-ClickHouse-100-Continue": "defer"}
        flow.wire, self.flow, self.waits = self, flow, flow.timeout
        flow.body.wake = self.break_off
        self.unfinished = True
        super().request(method, url.removesuffix("/") + flow.target, body=body, headers=headers, **options)

    def may_send(self) -> bool:
        """Wait for ``100 Continue``: false when there is a final answer instead."""
        self.sock.settimeout(_CONTINUE_WAIT)
        try:
            begun = self.sock.recv(1)
        except TimeoutError:  # neither: a server, or proxy, that does not know the question
            return True
        line = self._line(begun)
        while _INTERIM.match(line):
            self._skip_head()
            if line[9:12] == b"100":
                return True
            line = self._line()
        # It is read on as the answer of this request.
        response = _Response(self.sock, method="POST")
        response.read_status_from(line)
        self.response_class = lambda *args, **kwargs: response  # type: ignore[assignment]
        return False

    def has_answer(self) -> bool:
        """Whether an answer has begun, or the connection was ended.

        With TLS the bytes that have come may be its own, so the question is left open.
        """
        while not self.tls and wait_for_read(self.sock, timeout=0.0):
            begun = self.sock.recv(12, socket.MSG_PEEK)
            if not _INTERIM.match(begun):
                return not begun or not b"HTTP/1.1 100".startswith(begun)
            self._line()  # 100 Continue, later than we waited for it, or once more
            self._skip_head()
        return False

    def _line(self, begun: bytes = b"") -> bytes:
        """The rest of a line; byte by byte, because what follows is for somebody else to read."""
        line = bytearray(begun)
        self.sock.settimeout(self.waits)
        while line[-1:] != b"\n" and len(line) < _LONGEST_LINE and (byte := self.sock.recv(1)):
            line += byte
        return bytes(line)

    def _skip_head(self) -> None:
        for _ in range(_MOST_LINES):
            if not self._line().strip():
                return
        raise http.client.HTTPException("the head of an answer has no end")

    def getresponse(self) -> Any:
        if self.flow is not None and self.flow.body.poisoned:
            self.timeout = min(self.timeout or POISON_WAIT, POISON_WAIT)
        try:
            return super().getresponse()
        finally:
            self.flow = None
            self.__dict__.pop("response_class", None)

    def break_off(self) -> None:
        """Wake the thread that sends or waits for an answer; for another thread to call."""
        sock = self.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if self.unfinished and self.sock is not None:
            with contextlib.suppress(OSError):
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.unfinished = False
        super().close()


class _TlsWire(_Wire, HTTPSConnection):
    tls = True


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Wire


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsWire

    def _validate_conn(self, conn: Any) -> None:
        """Connect.  urllib3 would warn of ``verify=False``, which somebody has asked for."""
        if conn.is_closed:
            conn.connect()


class HttpTransport:
    """Exchanges with one server, over a pool of connections that threads may share."""

    def __init__(self, address: Address, network: Network):
        self._address = address
        self._network = network
        self._open()

    def _open(self) -> None:
        network = self._network
        options: dict[str, Any] = {
            "maxsize": network.pool_size,
            "socket_options": [
                (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
                (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
            ],
        }
        if self._address.scheme == "https":
            options["ssl_context"] = network.tls()
        if network.proxy is None:
            self._manager = urllib3.PoolManager(**options)
        else:
            self._manager = _proxy_manager(network.proxy, options)
        self._manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        # The manager takes URLs apart for every request, which only a proxy for http:// needs.
        self._through_proxy = network.proxy is not None and self._address.scheme == "http"
        self._pool = self._new_pool()
        self._process = os.getpid()

    def close(self) -> None:
        """Close all connections that are not in use; the others are closed when they are through."""
        pool = self._pool
        self._manager.clear()  # which forgets the pool, but does not close it while somebody holds it
        self._pool = self._new_pool()
        pool.close()

    def _new_pool(self) -> urllib3.HTTPConnectionPool:
        address = self._address
        return self._manager.connection_from_host(address.host, address.port, address.scheme)

    def exchange(
        self,
        request: Request,
        body: Body,
        progress: Progress,
        limit: int,
    ) -> Answer:
        """Send `request` with `body` (chunked when its length is not known); the answer.

        Of the answer's body at most `limit` bytes are read.  Raises :class:`ExchangeFailed`, and
        :class:`Abandoned` when the body is.
        """
        if os.getpid() != self._process:
            self._open()  # a forked process must not share connections with its parent
        network = self._network
        headers = {**request.headers, **network.headers}
        if body.length is not None:
            headers["Content-Length"] = str(body.length)
        # A body that is still being made cannot be sent again: a refusal should come before it.
        flow = _Flow(request.target, body, progress, network.send_timeout, ask=body.length is None)
        timeout = urllib3.Timeout(connect=network.connect_timeout, read=network.answer_timeout)
        try:
            opener: Any = self._manager if self._through_proxy else self._pool
            response = opener.urlopen(
                "POST",
                self._address.origin + "/" if self._through_proxy else "/",
                body=flow,
                headers=headers,
                chunked=body.length is None,
                retries=False,
                redirect=False,
                timeout=timeout,
                preload_content=False,
                decode_content=False,
            )
        except (failures.HTTPError, OSError) as error:
            raise self._failure(error, flow) from error
        return self._read(response, flow, limit)

    def _read(self, response: Any, flow: _Flow, limit: int) -> Answer:
        headers = {name.lower(): value for name, value in response.headers.items()}
        parts: list[bytes] = []
        size = 0
        answer = Answer(response.status, headers)
        wire = flow.wire
        if wire is not None:
            wire.usable_until = (
                time.monotonic()
                + (USUAL_KEEP_ALIVE if answer.keep_alive is None else answer.keep_alive)
                - _MARGIN
            )
            # Who refuses may be about to go: the next body does not follow unasked.
            wire.last_used = time.monotonic() if answer.status == 200 else 0.0
        try:
            while size < limit and (part := response.read(min(1 << 20, limit - size))):
                parts.append(part)
                size += len(part)
        except (failures.HTTPError, OSError) as error:
            partial = Answer(response.status, headers, b"".join(parts), complete=False)
            raise self._failure(error, flow, partial) from error
        finally:
            if size >= limit:
                response.close()  # the rest is not worth reading
            else:
                response.release_conn()
            if flow.progress.complete:
                flow.progress.answer = time.perf_counter() - flow.begun - flow.progress.send
        return Answer(response.status, headers, b"".join(parts))

    def _failure(self, error: BaseException, flow: _Flow, partial: Answer | None = None) -> ExchangeFailed:
        """`error` of urllib3, by how far the exchange had come."""
        network = self._network
        reason = self._address.scrub(_reason(error), network.proxy, network.client_key_password)
        timed_out = isinstance(_cause(error), TimeoutError) or (
            isinstance(error, failures.TimeoutError) and not isinstance(error, failures.NewConnectionError)
        )
        if isinstance(error, failures.ProxyError):
            reason = f"the proxy failed: {reason}"
        if flow.wire is None:
            seconds = network.connect_timeout if timed_out else None
            if timed_out:
                reason = f"none within {seconds:g} s"
            lasting = "CERTIFICATE" in reason.upper() or "connection failed: 407" in reason
            lasting = lasting or isinstance(error, failures.LocationValueError)
            return ExchangeFailed("connect", reason, timeout=seconds, lasting=lasting)
        if not flow.progress.complete and partial is None:
            seconds = network.send_timeout if timed_out else None
            if timed_out:
                reason = f"the server took no more for {seconds:g} s"
            return ExchangeFailed("send", reason, timeout=seconds)
        seconds = network.answer_timeout if timed_out else None
        if timed_out:
            reason = f"no answer came within {seconds:g} s"
        return ExchangeFailed("answer", reason, timeout=seconds, partial=partial)


def _proxy_manager(proxy: str, options: dict[str, Any]) -> urllib3.ProxyManager:
    """A pool that goes through `proxy`, whose credentials may stand in its URL."""
    plain, login = proxy_parts(proxy)
    headers = urllib3.make_headers(proxy_basic_auth=login) if login else None
    return urllib3.ProxyManager(plain, proxy_headers=headers, **options)


def _cause(error: BaseException) -> BaseException:
    """The error behind urllib3's wrappers."""
    for _ in range(10):
        inner = next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        inner = inner or getattr(error, "original_error", None) or error.__cause__
        if inner is None:
            break
        error = inner
    return error


def _reason(error: BaseException) -> str:
    cause = _cause(error)
    if isinstance(cause, http.client.RemoteDisconnected):
        return "the connection was closed without an answer"
    if isinstance(cause, http.client.IncompleteRead):
        return "the answer broke off"
    if isinstance(cause, http.client.BadStatusLine):
        return f"the answer is not HTTP: {str(cause)[:100]!r}"
    if isinstance(cause, ssl.SSLError):
        return tls_reason(cause)
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return " ".join(str(cause).split())[:300] or type(cause).__name__
