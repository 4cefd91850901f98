"""A proxy that breaks connections as planned, and a server of canned answers; both on the loopback address.

    proxy = FaultProxy(server.port)
    proxy.plan = cut(1000, of="body", mode="rst")       # every connection from now on
    proxy.plan = [cut(side="answer"), None, stall()]    # the next, the one after it, ...; then none

Without a plan all is passed on as it is: the end of one side is the end of the other, a reset is a reset.
"""

from __future__ import annotations

import contextlib
import dataclasses
import select
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Literal

from loopback import BLOCK, HOST, Loopback, Mode, drain, end
from request_meter import Meter, Received

Side = Literal["request", "answer"]
Base = Literal["start", "body", "last chunk", "end", "final"]


@dataclasses.dataclass(frozen=True)
class Plan:
    """What happens to one connection, when `at` bytes after the point `of` were passed on.

    `of` is a point of the request number `request` of the connection, or of its answer ("start", "final" and
    "body" only): its start, the start of its body, the line of its last chunk (which is not passed on), its
    end; "final" is where the answer begins behind those that are none, such as 100 Continue.
    """

    do: Literal["pass", "refuse", "cut", "stall", "half-close", "garbage", "say"] = "pass"
    at: int = 0
    of: Base = "start"
    side: Side = "request"
    request: int = 0
    mode: Mode = "fin"
    seconds: float = 0.0
    data: bytes = b""
    rate: int = 0  # bytes of the request per second, 0: all
    one_byte: bool = False  # passed on byte by byte, both ways


def refuse(mode: Mode = "fin") -> Plan:
    """Accept and end at once; a reset may come before the client's connect() returns, and fail that."""
    return Plan("refuse", mode=mode)


def cut(
    at: int = 0, of: Base = "start", side: Side = "request", mode: Mode = "fin", request: int = 0
) -> Plan:
    """End both connections.

    of="end": the whole request was passed on, and the server may or may not have done it.  side="answer":
    the server has begun to answer, and the client gets `at` bytes of it.
    """
    return Plan("cut", at, of, side, request, mode)


def stall(
    at: int = 0, of: Base = "start", side: Side = "request", seconds: float = 0, request: int = 0
) -> Plan:
    """Pass nothing on any more, or not for some seconds; the connections stay."""
    return Plan("stall", at, of, side, request, seconds=seconds)


def half_close(at: int = 0, of: Base = "start", request: int = 0) -> Plan:
    """End the request towards the server; its answer is still passed on."""
    return Plan("half-close", at, of, "request", request)


def garbage(data: bytes, at: int = 0, of: Base = "start", request: int = 0) -> Plan:
    """Answer these bytes instead of the server (at once, or of="end": after the request), and close."""
    return Plan("garbage", at, of, "request", request, data=data)


def say(data: bytes, at: int = 0, of: Base = "start", request: int = 0) -> Plan:
    """Give the client these bytes as well, and go on."""
    return Plan("say", at, of, "request", request, data=data)


def delay(seconds: float, at: int = 0, of: Base = "start", side: Side = "request", request: int = 0) -> Plan:
    """Pass on later."""
    return Plan("stall", at, of, side, request, seconds=seconds)


def slow(rate: int) -> Plan:
    """Read the request at so many bytes per second."""
    return Plan(rate=rate)


def one_byte() -> Plan:
    """Pass on byte by byte, both ways."""
    return Plan(one_byte=True)


class FaultProxy(Loopback):
    """Passes connections on to a port of the loopback address, and breaks them as `plan` says."""

    def __init__(self, target_port: int, plan: Plan | Sequence[Plan | None] | None = None) -> None:
        self.target_port = target_port
        self.plan = plan
        self.seen: list[Connection] = []
        super().__init__()

    @property
    def requests_bytes(self) -> int:
        """The bytes of requests that were passed on to the server."""
        return sum(one.request_bytes for one in self.seen)

    @property
    def requests(self) -> int:
        """The requests that were passed on from head to end."""
        return sum(one.requests for one in self.seen)

    @property
    def faults(self) -> int:
        """How many plans came to what they are for."""
        return sum(one.fired for one in self.seen)

    def serve(self, client: socket.socket) -> Callable[[], None]:
        """Take the next plan for a connection."""
        plan = self.plan
        if plan is not None and not isinstance(plan, Plan):
            self.plan = plan[1:]
            plan = plan[0] if plan else None
        connection = Connection(client, self.target_port, plan or Plan(), self.stopping)
        self.seen.append(connection)
        return connection.run


class Connection:
    """One connection through the proxy, and what was seen of it."""

    def __init__(self, client: socket.socket, port: int, plan: Plan, stopping: threading.Event) -> None:
        self.plan = plan
        self.request_bytes = 0
        self.answer_bytes = 0
        self.requests = 0  # complete ones
        self.fired = False
        self.client_end: Literal["", "fin", "rst"] = ""  # how the client ended it, if it did so first
        self.server_end: Literal["", "fin", "rst"] = ""
        self._client = client
        self._server = client
        self._port = port
        self._stopping = stopping
        self._meter = Meter()
        self._answer_size = 0  # of the current request
        self._answer_head = b""
        self._sources: list[socket.socket] = []
        self._open = True

    def run(self) -> None:
        """Pass on and break, to the end."""
        try:
            self._run()
        except OSError:
            self._end("rst")
        finally:
            self._end("fin")

    def _run(self) -> None:
        if self.plan.do == "refuse":
            self.fired = True
            end(self._client, self.plan.mode)
            return
        if self.plan.rate:
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, max(4096, self.plan.rate // 20))
        self._server = socket.create_connection((HOST, self._port), 10)
        self._server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sources = [self._client, self._server]
        if self.plan.do in ("garbage", "stall") and self.plan.side == "request" and self._due(0, 0):
            self._fire()  # without waiting for the first byte
        while self._open and self._sources and not self._stopping.is_set():
            ready, _, _ = select.select(self._sources, [], [], 0.1)
            for source in ready:
                if self._open and source in self._sources:
                    self._move(source)

    def _move(self, source: socket.socket) -> None:
        """Read once, and pass on."""
        of_client = source is self._client
        other = self._server if of_client else self._client
        try:
            data = source.recv(max(1, self.plan.rate // 20) if of_client and self.plan.rate else BLOCK)
        except ConnectionError:
            self._saw_end(of_client, "rst")
            self._end("rst")
            return
        if not data:
            self._saw_end(of_client, "fin")
            self._sources.remove(source)
            with contextlib.suppress(OSError):
                other.shutdown(socket.SHUT_WR)
        elif of_client:
            self._pass_request(data)
            if self.plan.rate:
                self._stopping.wait(len(data) / self.plan.rate)
        else:
            self._pass_answer(data)

    def _pass_request(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest and self._open:
            before = 0 if self._meter.done else self._meter.size
            if self._meter.done:
                self._answer_size, self._answer_head = 0, b""
            taken = self._meter.feed(rest)
            point = self._point()
            if self.plan.side == "request" and point is not None and self._due(point, self._meter.size):
                first = max(0, point - before)
                self._send(self._server, rest[:first])
                self._fire()
                rest, taken = rest[first:], taken - first
            passing = self._open and self._client in self._sources
            if passing:
                self._send(self._server, rest[:taken])
            self.requests += self._meter.done and (passing or not taken)
            rest = rest[taken:]

    def _point(self) -> int | None:
        """Where in the current request the fault is, if that is known."""
        meter, of = self._meter, self.plan.of
        if of == "start":
            base: int | None = 0
        elif of == "body":
            base = meter.head_size
        elif of == "last chunk":
            base = meter.last_chunk
        else:
            base = meter.size if meter.done else None
        return None if base is None else base + self.plan.at

    def _due(self, point: int, size: int) -> bool:
        plan, index = self.plan, max(0, self._meter.index)
        if not size and (plan.of != "start" or plan.at):
            return False
        return not self.fired and plan.do != "pass" and index == plan.request and point <= size

    def _pass_answer(self, data: bytes) -> None:
        before = self._answer_size
        self._answer_size += len(data)
        if self.plan.side == "answer" and self.plan.do != "pass":
            self._answer_head = (self._answer_head + data)[: 1 << 20]
            base = self._answer_base()
            point = None if base is None else base + self.plan.at
            if point is not None and self._due(point, self._answer_size or 1):
                first = max(0, point - before)
                self._send(self._client, data[:first])
                self._fire()
                data = data[first:]
        if self._open:
            self._send(self._client, data)

    def _answer_base(self) -> int | None:
        """Where in the current answer the point is that `at` counts from, if that is known."""
        head, start = self._answer_head, 0
        if self.plan.of == "start":
            return 0
        while head[start:].startswith(b"HTTP/1.1 1"):
            end = head.find(b"\r\n\r\n", start)
            if end < 0:
                return None
            start = end + 4
        if len(head) < start + 10:
            return None
        if self.plan.of == "final":
            return start
        end = head.find(b"\r\n\r\n", start)
        return None if end < 0 else end + 4

    def _send(self, to: socket.socket, data: bytes | memoryview) -> None:
        if to is self._server:
            self.request_bytes += len(data)
        else:
            self.answer_bytes += len(data)
        if self.plan.one_byte:
            for position in range(len(data)):
                to.sendall(data[position : position + 1])
        elif data:
            to.sendall(data)

    def _fire(self) -> None:
        self.fired = True
        plan = self.plan
        if plan.do == "cut":
            self._end(plan.mode)
        elif plan.do == "stall":
            self._stall(plan.seconds)
        elif plan.do == "half-close":
            self._sources.remove(self._client)
            self._server.shutdown(socket.SHUT_WR)
        elif plan.do == "say":
            self._send(self._client, plan.data)
        elif plan.do == "garbage":
            self._send(self._client, plan.data)
            end(self._server, "rst")
            drain(self._client, 2)
            self._end("fin")

    def _stall(self, seconds: float) -> None:
        """Wait, for ever (0) or some seconds; also end when the client does."""
        until = time.monotonic() + (seconds or 3600)
        poll = select.poll()
        poll.register(self._client, getattr(select, "POLLRDHUP", 0))
        while time.monotonic() < until and not self._stopping.wait(0.02):
            events = poll.poll(0)
            if events:
                mode: Mode = "rst" if events[0][1] & select.POLLERR else "fin"
                self._saw_end(True, mode)
                self._end(mode)
                return

    def _saw_end(self, of_client: bool, how: Mode) -> None:
        if of_client and not self.server_end:
            self.client_end = self.client_end or how
        elif not of_client and not self.client_end:
            self.server_end = self.server_end or how

    def _end(self, mode: Mode) -> None:
        if self._open:
            self._open = False
            end(self._client, mode)
            if self._server is not self._client:
                if mode == "fin":
                    drain(self._server, 2)
                end(self._server, mode)


@dataclasses.dataclass(frozen=True)
class Reply:
    """A canned answer and how it is given."""

    data: bytes
    before_body: bool = False  # right after the request's head
    close: bool = False
    reset: bool = False
    delay: float = 0.0
    send_100: bool = False  # a 100 Continue first, when the head asks for it


class Canned(Loopback):
    """Answers the requests, of all connections in their order, by given bytes; then it only closes."""

    def __init__(self, responses: Sequence[bytes | Reply]) -> None:
        self.replies = [Reply(one) if isinstance(one, bytes) else one for one in responses]
        self.requests: list[bytes] = []  # raw, head and body
        self.broken: list[bytes] = []  # what was read of requests that did not end
        self._lock = threading.Lock()
        super().__init__()

    @property
    def received(self) -> list[Received]:
        """The requests, taken apart."""
        return [Received(raw) for raw in self.requests]

    def serve(self, client: socket.socket) -> Callable[[], None]:
        """Answer requests until one side ends the connection."""
        return lambda: self._serve(client)

    def _serve(self, client: socket.socket) -> None:
        reply: Reply | None = None
        rest = b""
        client.settimeout(0.1)
        with contextlib.suppress(OSError):
            while reply is None or not (reply.close or reply.reset):
                reply, rest = self._exchange(client, rest)
                if reply is None:
                    break
        if reply is None or not reply.reset:
            drain(client, 1)
        end(client, "rst" if reply is not None and reply.reset else "fin")

    def _exchange(self, client: socket.socket, rest: bytes) -> tuple[Reply | None, bytes]:
        """One request and its answer; what was read beyond it."""
        meter, raw, reply = Meter(), bytearray(), None
        answered = False
        while True:
            view = memoryview(rest)
            while view and not (meter.done and raw):
                taken = meter.feed(view)
                raw += view[:taken]
                view = view[taken:]
                if reply is None and meter.head_size is not None:
                    reply = self._next()
                    answered = self._early(client, reply, bytes(meter.head))
            if raw and meter.done:
                rest = bytes(view)
                break
            rest = self._read(client)
            if not rest:
                if raw:
                    self.broken.append(bytes(raw))
                return None, b""
        self.requests.append(bytes(raw))
        if reply is not None and not answered:
            self.stopping.wait(reply.delay)
            client.sendall(reply.data)
        return reply, rest

    def _early(self, client: socket.socket, reply: Reply | None, head: bytes) -> bool:
        """What is sent before the body was read; whether the answer was."""
        if reply is not None and reply.send_100 and b"100-continue" in head.lower():
            client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if reply is not None and reply.before_body:
            self.stopping.wait(reply.delay)
            client.sendall(reply.data)
            return True
        return False

    def _next(self) -> Reply | None:
        with self._lock:
            return self.replies.pop(0) if self.replies else None

    def _read(self, client: socket.socket) -> bytes:
        while not self.stopping.is_set():
            try:
                return client.recv(BLOCK)
            except TimeoutError:
                continue
            except ConnectionError:
                break
        return b""
