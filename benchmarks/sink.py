"""An HTTP server that reads inserts and throws them away, so that only the client is measured.

    python benchmarks/sink.py

Prints the port; answers ``SELECT version()`` as a server of today would, and every insert with 200.
"""

from __future__ import annotations

import contextlib
import socket
import threading

ANSWER = b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=30\r\nContent-Length: %d\r\n\r\n%s"
VERSION = b"26.9.1.1\n"


def serve(connection: socket.socket) -> None:
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
                body = b""
            else:
                length = int(lines.split(b"content-length:")[1].split(b"\r\n")[0])
                body = data
                while len(body) < length:
                    body += connection.recv(1 << 20)
            data = b""
            text = VERSION if b"version()" in body[:100] else b""
            connection.sendall(ANSWER % (len(text), text))


def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
