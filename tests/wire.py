"""A raw HTTP connection, for what no HTTP library would do."""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.parse

from loopback import RESET

Answer = tuple[int, dict[str, str], bytes]


class Wire:
    """A raw connection to a port."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 20)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_hostname="127.0.0.1")

    def head(self, query: str, *headers: str, **params: str) -> None:
        """Send the head of a POST."""
        target = "/?" + urllib.parse.urlencode({**params, "query": query})
        self.socket.sendall("\r\n".join([f"POST {target} HTTP/1.1", "Host: x", *headers, "", ""]).encode())

    def chunk(self, data: bytes) -> None:
        """Send one chunk; end with `last`."""
        self.socket.sendall(b"%x\r\n%b\r\n" % (len(data), data))

    def last(self) -> None:
        """Send the last chunk."""
        self.socket.sendall(b"0\r\n\r\n")

    def answer(self) -> Answer:
        """Read an answer: status, headers by lower-case names, body."""
        response = http.client.HTTPResponse(self.socket, method="POST")
        response.begin()
        body = response.read()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, body

    def post(self, query: str, body: bytes, *headers: str, **params: str) -> Answer:
        """A whole request with Content-Length, and its answer."""
        self.head(query, f"Content-Length: {len(body)}", *headers, **params)
        self.socket.sendall(body)
        return self.answer()

    def reset(self) -> None:
        """End with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.socket.close()

    def ended(self, seconds: float = 5) -> str:
        """How the other side ends the connection: "fin", "rst", or "" when it does not."""
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(65536):
                pass
        except TimeoutError:
            return ""
        except ConnectionError:
            return "rst"
        return "fin"

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
