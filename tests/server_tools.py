"""What the test servers share: child processes that do not outlive us, and a plain HTTP query."""

from __future__ import annotations

import contextlib
import http.client
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import IO

HOST = "127.0.0.1"

# Asks the kernel (Linux) for SIGKILL when the parent ends, then becomes the program.  The request
# survives the exec.  It follows the *thread* that started the child: start servers in a thread that lasts.
_BOUND = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


class QueryError(Exception):
    """A server refused a query: the HTTP status, the server's code (0: none), the text."""

    def __init__(self, status: int, code: int, text: str) -> None:
        super().__init__(f"status {status}, code {code}: {text[:1000]}")
        self.status = status
        self.code = code
        self.text = text


def query(port: int, sql: str, timeout: float = 60.0) -> str:
    """Run one statement, sent in the body of a POST; the answer's text."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout)
    try:
        connection.request("POST", "/", sql.encode())
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        code = answer.headers.get("X-ClickHouse-Exception-Code")
        if answer.status != 200 or code is not None or "\r\n__exception__\r\n" in text:
            found = re.search(r"Code: (\d+)", text)
            raise QueryError(answer.status, int(code or (found[1] if found else 0)), text)
        return text
    finally:
        connection.close()


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((HOST, 0))
        return [int(one.getsockname()[1]) for one in sockets]


def temporary(kind: str) -> pathlib.Path:
    """A new directory for a server; those of processes that are no more are deleted."""
    for old in pathlib.Path(tempfile.gettempdir()).glob(f"rowbinary-{kind}-*"):
        owner = old.name.split("-")[2]
        with contextlib.suppress(OSError, ValueError):
            try:
                os.kill(int(owner), 0)
            except ProcessLookupError:
                shutil.rmtree(old, ignore_errors=True)
    return pathlib.Path(tempfile.mkdtemp(prefix=f"rowbinary-{kind}-{os.getpid()}-"))


def start_child(
    command: list[str],
    cwd: pathlib.Path,
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program (by its absolute path) that the kernel kills when this process ends."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _BOUND, str(os.getpid()), *command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        env=without_sanitizers(os.environ if environment is None else environment),
        start_new_session=True,
    )


def without_sanitizers(environment: Mapping[str, str]) -> dict[str, str]:
    """A server is not what is under test: a sanitizer preloaded into this process is not for it."""
    return {name: value for name, value in environment.items() if name != "LD_PRELOAD"}


def end_child(process: subprocess.Popen[bytes], patience: float = 10.0) -> None:
    """SIGTERM, and SIGKILL when that has no effect."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait(10)
