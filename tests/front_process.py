"""Starts the HTTP front over the embedded engine as a process of its own."""

from __future__ import annotations

import atexit
import importlib.util
import pathlib
import select
import shutil
import subprocess
import sys
from types import TracebackType

import server_tools
from server_tools import HOST, QueryError

__all__ = ["Front", "QueryError"]

FRONT = pathlib.Path(__file__).resolve().parent / "front.py"
PACKAGES = {"chdb": "chdb", "lz4": "lz4", "clickhouse_cityhash": "clickhouse-cityhash"}
if sys.version_info < (3, 14):
    PACKAGES["backports.zstd"] = "backports.zstd"


class Front:
    """A modern server's likeness, in an empty temporary directory.

    `disk` keeps the data in that directory, so that start() after kill() finds it again.
    """

    def __init__(
        self,
        *,
        keep_alive: float = 30,
        receive_timeout: float = 30,
        disk: bool = False,
        cert: str | pathlib.Path | None = None,
        key: str | pathlib.Path | None = None,
        client_ca: str | pathlib.Path | None = None,
    ) -> None:
        self.port = 0
        self.version = ""
        self._arguments = [f"--keep-alive={keep_alive}", f"--receive-timeout={receive_timeout}"]
        for name, value in (("cert", cert), ("key", key), ("client-ca", client_ca)):
            if value is not None:
                self._arguments.append(f"--{name}={pathlib.Path(value).resolve()}")
        self._disk = disk
        self._scheme = "https" if cert else "http"
        self._directory: pathlib.Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def missing() -> str | None:
        """Why the front cannot be had here, None if it can."""
        absent = [package for module, package in PACKAGES.items() if not installed(module)]
        return f"not installed: {', '.join(absent)}" if absent else None

    @property
    def url(self) -> str:
        """Where the running front answers."""
        return f"{self._scheme}://{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The front's process, None when it does not run."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start, and wait until it listens; on the port of before if there was one."""
        if self.pid is not None:
            return
        if self._directory is None:
            self._directory = server_tools.temporary("front")
            atexit.register(self.wipe)
        (self._directory / "empty").mkdir(exist_ok=True)
        command = [sys.executable, str(FRONT), f"--port={self.port}", *self._arguments]
        if self._disk:
            command.append(f"--path={self._directory / 'data'}")
        with (self._directory / "console.log").open("ab") as console:
            self._process = server_tools.start_child(
                command, self._directory / "empty", subprocess.PIPE, console
            )
        words = self._first_line(60.0).split()
        if len(words) != 3 or words[0] != "ready":
            self.kill()
            raise RuntimeError(f"the front did not start:\n{self.log()}")
        self.port, self.version = int(words[1]), words[2]

    def stop(self) -> None:
        """SIGTERM, then SIGKILL after ten seconds."""
        if self._process is not None:
            server_tools.end_child(self._process)
            self._forget()

    def kill(self) -> None:
        """SIGKILL at once: what a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._forget()

    def wipe(self) -> None:
        """End it, and delete all data."""
        self.kill()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None
            atexit.unregister(self.wipe)

    def query(self, sql: str) -> str:
        """Run one statement (not over TLS); its answer as text.  Raises QueryError."""
        return server_tools.query(self.port, sql)

    def log(self) -> str:
        """The end of what the front wrote to its standard error."""
        if self._directory is None:
            return ""
        return (self._directory / "console.log").read_text(errors="replace")[-4000:]

    def __enter__(self) -> Front:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wipe()

    def _first_line(self, seconds: float) -> str:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], seconds)
        return process.stdout.readline().decode() if ready else ""

    def _forget(self) -> None:
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None


def installed(module: str) -> bool:
    """Whether a module could be imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False
