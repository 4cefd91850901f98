"""Small threaded servers on the loopback address, and ends of connections."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self

HOST = "127.0.0.1"
BLOCK = 1 << 16
RESET = struct.pack("ii", 1, 0)  # SO_LINGER, 0 seconds

Mode = Literal["fin", "rst"]


def end(connection: socket.socket, mode: Mode) -> None:
    """Close, politely or with a reset."""
    with contextlib.suppress(OSError):
        if mode == "rst":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connection.close()


def drain(connection: socket.socket, seconds: float) -> None:
    """End our side, and read what comes until the other side ends too."""
    until = time.monotonic() + seconds
    with contextlib.suppress(OSError):
        connection.settimeout(seconds)
        connection.shutdown(socket.SHUT_WR)
        while time.monotonic() < until and connection.recv(BLOCK):
            pass


class Loopback:
    """A listening socket, a thread that accepts, a thread for each connection."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self._listener = socket.create_server((HOST, 0), backlog=128)
        self._listener.settimeout(0.1)
        self.port = int(self._listener.getsockname()[1])
        self.connections = 0
        self._threads: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.port}"

    def close(self) -> None:
        """End all threads."""
        self.stopping.set()
        self._thread.join(10)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def serve(self, client: socket.socket) -> Callable[[], None]:
        """What a connection's thread does."""
        raise NotImplementedError

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.settimeout(10)
            target = self.serve(client)
            self.connections += 1
            thread = threading.Thread(target=target, daemon=True)
            self._threads = [one for one in self._threads if one.is_alive()] + [thread]
            thread.start()
