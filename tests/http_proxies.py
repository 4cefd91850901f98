"""Proxies on the loopback address: one that records, and one as companies have them.

with Recorder(server.port) as proxy: ...      # proxy.requests, taken apart
with ForwardProxy(b"user:password") as proxy: ...   # absolute targets and CONNECT
"""

from __future__ import annotations

import base64
import contextlib
import re
import select
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

from loopback import BLOCK, HOST, Loopback, drain, end
from request_meter import Meter, Received

__all__ = ["ForwardProxy", "Recorder", "reply"]


def reply(body: bytes = b"", status: str = "200 OK", *lines: str) -> bytes:
    """An HTTP answer."""
    head = [f"HTTP/1.1 {status}", *lines, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(head).encode() + body


class Recorder(Loopback):
    """Passes everything on to a port, and keeps the requests."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self._streams: list[bytearray] = []
        super().__init__()

    @property
    def requests(self) -> list[Received]:
        """The complete requests of all connections."""
        return [one for stream in self._streams for one in taken_apart(bytes(stream))]

    @property
    def inserts(self) -> list[Received]:
        """Those that are INSERTs with the statement in the URL."""
        return [one for one in self.requests if "INSERT" in one.first_line]

    def serve(self, client: socket.socket) -> Callable[[], None]:
        """Pass on."""
        stream = bytearray()
        self._streams.append(stream)
        return lambda: self._pass(client, stream)

    def _pass(self, client: socket.socket, stream: bytearray) -> None:
        with contextlib.suppress(OSError):
            server = socket.create_connection((HOST, self.target_port), 10)
            relay(client, server, self.stopping.is_set, stream)
        end(client, "fin")


class ForwardProxy(Loopback):
    """An HTTP proxy; with `login` ("user:password") it wants that."""

    def __init__(self, login: bytes = b"", refuse: bytes = b"") -> None:
        self.login = login
        self.refuse = refuse  # what everything is answered with
        self.heads: list[str] = []
        super().__init__()

    def serve(self, client: socket.socket) -> Callable[[], None]:
        """One connection."""
        return lambda: self._serve(client)

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            data = b""
            while b"\r\n\r\n" not in data and (more := client.recv(BLOCK)):
                data += more
            if data:
                self._answer(client, data)
        end(client, "fin")

    def _answer(self, client: socket.socket, data: bytes) -> None:
        head = data.split(b"\r\n\r\n")[0].decode("latin-1")
        self.heads.append(head)
        wanted = base64.b64encode(self.login).decode()
        given = re.search(r"(?im)^proxy-authorization: *basic +(\S+)", head)
        if self.refuse or (self.login and (given is None or given[1] != wanted)):
            client.sendall(self.refuse or reply(b"", "407 Proxy Authentication Required"))
            drain(client, 1)
            return
        method, target, _ = head.split("\r\n")[0].split(" ")
        place = urlsplit(target if method != "CONNECT" else f"//{target}")
        server = socket.create_connection((str(place.hostname), place.port or 80), 10)
        if method == "CONNECT":
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:  # the origin takes an absolute target as well as its path, but not all do
            server.sendall(data.replace(target.encode(), target[target.index("/", 7) :].encode(), 1))
        relay(client, server, self.stopping.is_set, rewrite=method != "CONNECT")


def relay(
    client: socket.socket,
    server: socket.socket,
    stopping: Callable[[], bool],
    stream: bytearray | None = None,
    rewrite: bool = False,
) -> None:
    """Pass both ways until one side ends; requests go into `stream`, and absolute targets are cut."""
    with contextlib.closing(server):
        while not stopping():
            ready, _, _ = select.select([client, server], [], [], 0.1)
            for one in ready:
                data = one.recv(BLOCK)
                if not data:
                    return
                if one is server:
                    client.sendall(data)
                    continue
                if stream is not None:
                    stream += data
                if rewrite:
                    data = re.sub(rb"^POST http://[^/ ]+/", b"POST /", data)
                server.sendall(data)


def taken_apart(stream: bytes) -> list[Received]:
    """The complete requests in what one connection has sent."""
    found, meter, rest, start = [], Meter(), memoryview(stream), 0
    while rest:
        rest = rest[meter.feed(rest) :]
        if meter.done:
            stop = len(stream) - len(rest)
            found.append(Received(stream[start:stop]))
            start = stop
    return found
