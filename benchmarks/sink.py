"""An HTTP server that reads inserts and throws them away, so that only the client is measured.

    python benchmarks/sink.py [PORT]

Prints its port; answers every insert with 200.  What is no insert goes on to the server at PORT, once: its
answer is kept.  Without one, ``SELECT version()`` is answered as a server of today would.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import sys
import threading

ANSWER = b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=30\r\nContent-Length: %d\r\n%s\r\n%s"
VERSION = b"26.9.1.1\n"
SUMMARY = b'X-ClickHouse-Summary: {"read_rows":"0","written_rows":"0","written_bytes":"0"}\r\n'
STATEMENT = b"INSERT INTO"
# Of one request, and no longer true of an answer that is kept.
PER_REQUEST = {"connection", "content-length", "date", "keep-alive", "transfer-encoding"}


class Sink:
    """What all connections share."""

    def __init__(self, behind: int | None) -> None:
        self._behind = behind
        self._kept: dict[tuple[bytes, bytes], bytes] = {}

    def serve(self, connection: socket.socket) -> None:
        """Requests of one connection, until it ends."""
        buffer = memoryview(bytearray(1 << 20))
        with connection, contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            data = b""
            while True:
                while b"\r\n\r\n" not in data:
                    more = connection.recv(1 << 16)
                    if not more:
                        return
                    data += more
                head, _, data = data.partition(b"\r\n\r\n")
                lines = head.lower()
                if b"expect: 100-continue" in lines:
                    connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                if b"transfer-encoding: chunked" in lines:
                    tail = data[-5:]
                    while not tail.endswith(b"0\r\n\r\n"):
                        size = connection.recv_into(buffer)
                        if not size:
                            return
                        tail = (tail + bytes(buffer[max(0, size - 5) : size]))[-5:]
                    connection.sendall(self._answer(head, STATEMENT))
                else:
                    # A body that is long is an insert's: its start is enough.
                    left = int(_field(lines, b"content-length") or 0) - len(data)
                    while left > 0:
                        size = connection.recv_into(buffer, min(left, len(buffer)))
                        if not size:
                            return
                        left -= size
                        if len(data) < 1 << 16:
                            data += buffer[:size]
                    connection.sendall(self._answer(head, data))
                data = b""

    def _answer(self, head: bytes, body: bytes) -> bytes:
        """The answer to a request; `body` may be cut."""
        packed = _field(head.lower(), b"content-encoding") is not None
        if self._behind is None:
            text = VERSION if b"version()" in body[:100] else b""
            return ANSWER % (len(text), b"", text)
        if packed or body.startswith(STATEMENT):
            return ANSWER % (0, SUMMARY, b"")
        key = _field(head.lower(), b"accept-encoding") or b"", body
        if key not in self._kept:
            self._kept[key] = self._ask(head, body)
        return self._kept[key]

    def _ask(self, head: bytes, body: bytes) -> bytes:
        """The answer of the server behind this one."""
        with socket.create_connection(("127.0.0.1", self._behind)) as connection:
            connection.sendall(head + b"\r\n\r\n" + body)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            text = answer.read()
        kept = [f"{k}: {v}\r\n" for k, v in answer.getheaders() if k.lower() not in PER_REQUEST]
        done = ANSWER % (len(text), "".join(kept).encode(), text)
        return done.replace(b" 200 ", b" %d " % answer.status, 1)


def _field(head: bytes, name: bytes) -> bytes | None:
    """The value of a header, in lower case as `head` is."""
    _, found, rest = head.partition(b"\r\n" + name + b":")
    return rest.partition(b"\r\n")[0].strip() if found else None


def main() -> None:
    sink = Sink(int(sys.argv[1]) if len(sys.argv) > 1 else None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=sink.serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
