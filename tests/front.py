"""An HTTP front over the embedded engine (chdb) that answers as a modern server does.

    python tests/front.py [--port 0] [--path DIR] [--keep-alive 30] [--receive-timeout 30]
                          [--cert FILE --key FILE [--client-ca FILE]]

prints one line, "ready PORT VERSION".  Only HTTP is imitated; statements, types, settings, blocks and the
texts of errors are the engine's own.  Start it in an empty directory, or better by front_process.Front.

Users: default without a password, alice with "secret"; Bearer good-token is default.

Comments in the statement (or in the setting log_comment) provoke what a server can do; CODE is optional:

    /* fail CODE */              the whole body is read, nothing is kept, the answer is that error
    /* header exception CODE */  the same with status 200: the code is in the head only
    /* fail late CODE */         a SELECT's answer breaks off in the middle, with the exception in the body
    /* sleep SECONDS */          the answer comes later
"""

from __future__ import annotations

import argparse
import base64
import binascii
import contextlib
import dataclasses
import gzip
import http
import json
import os
import random
import re
import socket
import ssl
import string
import sys
import time
import urllib.parse
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from front_bodies import Buffer, Failure, chunked, decoded, framed, frames, sized
from front_engine import Engine, Result, Statement, prepare

USERS = {"default": "", "alice": "secret"}
TOKENS = {"good-token": "default"}
MAX_URI = 1 << 20
URI_TOO_LONG = b"HTTP/1.1 400 Bad Request\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n"
# Parameters that are no settings of the engine.
PLAIN = set(
    """query database query_id session_id session_timeout session_check user password quota_key compress
    decompress default_format role buffer_size stacktrace client_protocol_version close_session
    wait_end_of_query""".split()  # noqa: SIM905
)
STATUS = {
    **dict.fromkeys((6, 8, 15, 26, 27, 36, 38, 41, 44, 53, 62, 72, 117, 167, 168, 321, 376, 427), 400),
    **dict.fromkeys((46, 47, 50, 60, 63, 73, 81, 115, 511), 404),
    **dict.fromkeys((192, 193, 512, 516), 403),
    **dict.fromkeys((76, 209, 439), 503),
    194: 401,
    159: 408,
    381: 411,
    48: 501,
}
TYPES = {
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "JSON": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
}
TAG = "Exception-Tag"
EXPOSED = ",".join(
    f"X-ClickHouse-{name}"
    for name in ("Query-Id", "Summary", "Server-Display-Name", "Format", "Timezone", "Exception-Code", TAG)
)
MARKER = re.compile(r"/\*\s*(fail late|header exception|fail|sleep)\s*([\d.]*)\s*\*/")
DEFAULT_CODE = 395  # what throwIf says


@dataclasses.dataclass
class Answer:
    """What goes back."""

    tag: str = dataclasses.field(
        default_factory=lambda: "".join(random.choices(string.ascii_lowercase, k=16))
    )
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    type: str = "text/plain; charset=UTF-8"
    broken_by: str = ""  # text of the exception in the middle of the body


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    rbufsize = 1 << 18
    server: Server
    served = 0
    expects = False  # a 100 is still owed

    def setup(self) -> None:
        """Bound the waits; the handshake is in this thread."""
        self.request.settimeout(self.server.receive_timeout)
        super().setup()
        if isinstance(self.connection, ssl.SSLSocket):
            self.connection.do_handshake()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def handle_one_request(self) -> None:
        """Read one request, with the server's limits and waits."""
        self.close_connection = True
        try:
            if self.served:
                self.connection.settimeout(self.server.keep_alive)
            self.raw_requestline = self.rfile.readline(MAX_URI + 100)
            if not self.raw_requestline:
                return
            self.connection.settimeout(self.server.receive_timeout)
            self.expects = False
            if len(self.raw_requestline) > MAX_URI:
                self.wfile.write(URI_TOO_LONG)
                return
            if not self.parse_request():
                return
            self.served += 1
            if self.served >= 10_000:
                self.close_connection = True
            self._dispatch()
        except (OSError, ValueError):
            self.close_connection = True

    def handle_expect_100(self) -> bool:
        """Answer at once, or later when the client asked for that."""
        self.expects = True
        if self.headers.get("X-ClickHouse-100-Continue", "").lower() != "defer":
            self._continue()
        return True

    def _continue(self) -> None:
        if self.expects:
            self.expects = False
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _dispatch(self) -> None:
        path = self.path.partition("?")[0]
        if self.command == "GET" and self.path in ("/", "/ping"):
            self.send(Answer(body=b"Ok.\n", type="text/html; charset=UTF-8"))
        elif self.command not in ("GET", "POST", "PUT") or path != "/":
            self.close_connection = True
            self.send(Answer(status=404, body=f"There is no handle {self.path}\n".encode()))
        else:
            self.run()

    def send(self, answer: Answer) -> None:
        """Write an answer; a broken one lacks its last chunk, and the connection ends."""
        if answer.broken_by:
            self.close_connection = True
        lines = [
            f"HTTP/1.1 {answer.status} {http.HTTPStatus(answer.status).phrase}",
            f"Date: {self.date_time_string()}",
            f"Connection: {'Close' if self.close_connection else 'Keep-Alive'}",
            f"Content-Type: {answer.type}",
            f"Access-Control-Expose-Headers: {EXPOSED}",
            "X-ClickHouse-Server-Display-Name: front",
            "Transfer-Encoding: chunked",
            *(f"{name}: {value}" for name, value in answer.headers.items()),
            "X-ClickHouse-Timezone: UTC",
            f"X-ClickHouse-Exception-Tag: {answer.tag}",
        ]
        if not self.close_connection:
            left = 10_000 - self.served
            lines.append(f"Keep-Alive: timeout={self.server.keep_alive:g}, max={left}")
        out = bytearray("\r\n".join([*lines, "", ""]).encode("latin-1", "replace"))
        body = memoryview(answer.body)
        for start in range(0, len(body), 1 << 20):
            piece = body[start : start + (1 << 20)]
            out += b"%x\r\n" % len(piece) + piece + b"\r\n"
        if answer.broken_by:
            text = answer.broken_by.encode()
            tag = answer.tag.encode()
            tail = b"\r\n__exception__\r\n%b\r\n%b\n%d %b\r\n__exception__\r\n"
            tail %= tag, text, len(text) + 1, tag
            out += b"%x\r\n%b\r\n" % (len(tail), tail)
        else:
            out += b"0\r\n\r\n"
        self.wfile.write(out)

    def run(self) -> None:
        """A statement: read it, run it, answer."""
        started = time.perf_counter_ns()
        url = urllib.parse.urlsplit(self.path)
        params = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        answer, result = Answer(), Result()
        query_id = params.get("query_id") or str(uuid.uuid4())
        raw: Iterator[Buffer] = iter(())
        marks = marks_of(params.get("query", "") + params.get("log_comment", ""))
        try:
            raw = self._raw_body()
            self._login(params)
            answer.headers["X-ClickHouse-Query-Id"] = query_id
            with self.server.engine.running(query_id):
                result = self._execute(params, raw, marks)
                time.sleep(float(marks.get("sleep") or 0))
            self._result(answer, result, params, marks)
        except Failure as failure:
            self._refuse(answer, failure, raw, "header exception" in marks)
        except TimeoutError:
            self.close_connection = True
            self._refuse(answer, Failure(209, "Timeout exceeded while reading from socket"), iter(()), False)
        summary = summary_of(result, time.perf_counter_ns() - started)
        answer.headers["X-ClickHouse-Summary"] = json.dumps(summary, separators=(",", ":"))
        self.send(answer)

    def _raw_body(self) -> Iterator[Buffer]:
        """The body as it comes; the 100 that is still owed is sent when it is first wanted."""
        source = cast("Any", self.rfile)
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._on_demand(chunked(source))
        if "Content-Length" in self.headers:
            return self._on_demand(sized(source, int(self.headers["Content-Length"])))
        if self.command != "GET":
            self.close_connection = True
            raise Failure(381, "The Transfer-Encoding is not chunked and there is no Content-Length header "
                               "for POST request")  # fmt: skip
        return iter(())

    def _on_demand(self, parts: Iterator[Buffer]) -> Iterator[Buffer]:
        self._continue()
        yield from parts

    def _login(self, params: dict[str, str]) -> None:
        """Find out who asks; two ways at a time are refused."""
        headers = self.headers
        authorization = headers.get("Authorization", "")
        by_header = "X-ClickHouse-User" in headers or "X-ClickHouse-Key" in headers
        certificate = headers.get("X-ClickHouse-SSL-Certificate-Auth", "").lower() == "on"
        ways = [bool(authorization), by_header, "user" in params or "password" in params]
        if sum(ways) > 1 or (certificate and (ways[0] or ways[2] or "X-ClickHouse-Key" in headers)):
            raise Failure(516, "Invalid authentication: two ways of authentication at once are not allowed")
        if "quota_key" in params and "X-ClickHouse-Quota" in headers:
            raise Failure(36, "It is not allowed to give the quota key as header and as parameter")
        if certificate:
            self._check_certificate(headers.get("X-ClickHouse-User", ""))
        elif authorization:
            self._check_authorization(authorization)
        elif by_header:
            check_password(headers.get("X-ClickHouse-User", ""), headers.get("X-ClickHouse-Key", ""))
        else:
            check_password(params.get("user", "default"), params.get("password", ""))

    def _check_certificate(self, user: str) -> None:
        connection = self.connection
        if not isinstance(connection, ssl.SSLSocket) or not connection.getpeercert():
            raise Failure(516, "Invalid authentication: SSL certificate authentication needs a certificate")
        if user not in USERS:
            raise Failure(516, f"{user}: Authentication failed: there is no user with such certificate")

    def _check_authorization(self, value: str) -> None:
        scheme, _, rest = value.partition(" ")
        if scheme.lower() == "bearer":
            if rest not in TOKENS:
                raise Failure(516, "Invalid authentication: the token is not valid")
        elif scheme.lower() == "basic":
            with contextlib.suppress(binascii.Error):
                user, _, password = base64.b64decode(rest).decode("utf-8", "replace").partition(":")
                return check_password(user, password)
            raise Failure(516, "Invalid authentication: Basic needs base64")
        else:
            raise Failure(
                516, f"Invalid authentication: '{scheme}' HTTP Authorization scheme is not supported"
            )
        return None

    def _execute(self, params: dict[str, str], raw: Iterator[Buffer], marks: dict[str, str]) -> Result:
        settings = {key: value for key, value in params.items() if key not in PLAIN}
        inputs = {key[6:]: settings.pop(key) for key in list(settings) if key.startswith("param_")}
        parts = raw
        encoding = self.headers.get("Content-Encoding", "")
        if encoding:
            parts = decoded(parts, encoding)
        if params.get("decompress", "0") not in ("", "0"):
            off = settings.get("http_native_compression_disable_checksumming_on_decompress", "0")
            parts = frames(parts, verify=off in ("", "0", "false"))
        database = params.get("database") or self.headers.get("X-ClickHouse-Database") or ""
        format = params.get("default_format") or self.headers.get("X-ClickHouse-Format", "")
        query = MARKER.sub("", params.get("query", "")).encode("utf-8", "surrogateescape")

        def before_end() -> None:
            marks.update(marks_of(statement.query.decode("utf-8", "replace")))
            for name in ("fail", "header exception"):
                if name in marks:
                    time.sleep(float(marks.get("sleep") or 0))
                    raise Failure(int(marks[name] or DEFAULT_CODE), f"Asked for by the comment '{name}'")

        writes = self.command != "GET"
        with self.server.engine.connection(params.get("session_id", "")) as connection:
            prepare(connection, settings, database, readonly=not writes)
            statement = Statement(query, parts, inputs, format or "TabSeparated", writes, before_end)
            result = statement.execute(connection)
        for _ in raw:  # what a decoder did not want
            pass
        return result

    def _result(self, answer: Answer, result: Result, params: dict[str, str], marks: dict[str, str]) -> None:
        answer.headers["X-ClickHouse-Format"] = result.format
        if result.data:
            answer.type = TYPES.get(result.format, "application/octet-stream")
        answer.body = result.data
        if "fail late" in marks:
            code = int(marks["fail late"] or DEFAULT_CODE)
            answer.broken_by = self._text_of(Failure(code, "Asked for by the comment 'fail late'"))
            answer.body = result.data[: len(result.data) // 2]
        elif params.get("compress") == "1":
            answer.body = framed(result.data)
        elif params.get("enable_http_compression") == "1" and self._accepts_gzip() and result.data:
            answer.body = gzip.compress(result.data, 1)
            answer.headers["Content-Encoding"] = "gzip"

    def _accepts_gzip(self) -> bool:
        return "gzip" in self.headers.get("Accept-Encoding", "")

    def _refuse(self, answer: Answer, failure: Failure, raw: Iterator[Buffer], hidden: bool) -> None:
        """An error; the rest of the body is read first, unless the client never got its 100."""
        if self.expects:
            self.close_connection = True
        else:
            try:
                for _ in raw:
                    pass
            except (Failure, OSError):
                self.close_connection = True
            if failure.code in (3, 1) or (failure.code == 33 and "EOF in the body" in failure.text):
                self.close_connection = True
        answer.status = 200 if hidden else STATUS.get(failure.code, 500)
        answer.body = self._text_of(failure).encode() + b"\n"
        answer.headers["X-ClickHouse-Exception-Code"] = str(failure.code)
        if answer.status == 401:
            answer.headers["WWW-Authenticate"] = 'Basic realm="ClickHouse server HTTP API"'

    def _text_of(self, failure: Failure) -> str:
        engine = self.server.engine
        text = failure.text.rstrip()
        if not text.startswith("Code:"):
            text = f"Code: {failure.code}. DB::Exception: {text}. ({engine.name_of(failure.code)})"
        return text if "(version " in text else f"{text} (version {engine.version} (official build))"


def random_word(size: int) -> str:
    """Lower-case letters."""
    return "".join(random.choices(string.ascii_lowercase, k=size))


def marks_of(text: str) -> dict[str, str]:
    """The comments that ask for something, by name."""
    return dict(MARKER.findall(text))


def check_password(user: str, password: str) -> None:
    """A login by name and password."""
    if not user:
        raise Failure(516, "Invalid authentication: the user name is empty")
    if USERS.get(user) != password:
        raise Failure(516, f"{user}: Authentication failed: password is incorrect, or there is no user with "
                           "such name")  # fmt: skip


def summary_of(result: Result, elapsed: int) -> dict[str, str]:
    """The object of X-ClickHouse-Summary: all values are texts."""
    return {
        "read_rows": str(result.read_rows),
        "read_bytes": str(result.read_bytes),
        "written_rows": str(result.written_rows),
        "written_bytes": str(result.written_bytes),
        "total_rows_to_read": "0",
        "result_rows": str(result.result_rows),
        "result_bytes": str(len(result.data) or result.written_bytes),
        "elapsed_ns": str(elapsed),
        "memory_usage": "0",
        "real_time_microseconds": str(elapsed // 1000),
    }


class Server(ThreadingHTTPServer):
    """A thread per connection."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, engine: Engine, options: argparse.Namespace) -> None:
        super().__init__(("127.0.0.1", options.port), Handler)
        self.engine = engine
        self.keep_alive: float = options.keep_alive
        self.receive_timeout: float = options.receive_timeout
        self.context: ssl.SSLContext | None = None
        if options.cert:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(options.cert, options.key)
            if options.client_ca:
                self.context.load_verify_locations(options.client_ca)
                self.context.verify_mode = ssl.CERT_REQUIRED

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept; the handshake comes later, in the connection's thread."""
        connection, address = super().get_request()
        if self.context is not None:
            connection = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """Close so that the answer arrives although the client may still be sending."""
        with contextlib.suppress(OSError):
            request.settimeout(0.5)
            request.shutdown(socket.SHUT_WR)
            end = time.monotonic() + 2
            while time.monotonic() < end and request.recv(1 << 16):
                pass
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections may break here: that is what they are for."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--path", default=":memory:")
    parser.add_argument("--keep-alive", type=float, default=30)
    parser.add_argument("--receive-timeout", type=float, default=30)
    for name in ("--cert", "--key", "--client-ca"):
        parser.add_argument(name)
    options = parser.parse_args()
    os.environ["TZ"] = "UTC"
    time.tzset()
    engine = Engine(options.path)
    server = Server(engine, options)
    print("ready", server.server_address[1], engine.version, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
