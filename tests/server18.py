"""A real, throw-away ClickHouse 18.16 server (the Debian package) on the loopback address."""

from __future__ import annotations

import atexit
import http.client
import os
import pathlib
import shutil
import socket
import subprocess
import time
from types import TracebackType

import server_tools
from server_tools import HOST, QueryError

__all__ = ["QueryError", "Server18"]

USERS = """<yandex>
<profiles><default/></profiles>
<quotas><default/></quotas>
<users>
<default><password></password><networks><ip>127.0.0.1</ip></networks>
<profile>default</profile><quota>default</quota></default>
<alice><password>secret</password><networks><ip>127.0.0.1</ip></networks>
<profile>default</profile><quota>default</quota></alice>
</users>
</yandex>
"""

CONFIG = """<yandex>
<logger><level>{level}</level><log>{directory}/log/server.log</log>
<errorlog>{directory}/log/error.log</errorlog></logger>
<listen_host>127.0.0.1</listen_host>
<http_port>{http}</http_port>
<tcp_port>{tcp}</tcp_port>
<keep_alive_timeout>{keep_alive}</keep_alive_timeout>
<path>{directory}/data/</path>
<tmp_path>{directory}/tmp/</tmp_path>
<users_config>{directory}/users.xml</users_config>
<default_profile>default</default_profile>
<default_database>default</default_database>
<mark_cache_size>268435456</mark_cache_size>
</yandex>
"""


class Server18:
    """Users: default without a password, alice with "secret".  All state is in a temporary directory."""

    def __init__(self, keep_alive_timeout: int = 10, log_level: str = "warning") -> None:
        self.keep_alive_timeout = keep_alive_timeout
        self.log_level = log_level
        self.port = 0
        self._tcp_port = 0
        self._directory: pathlib.Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def program() -> str | None:
        """The server program."""
        path = os.environ.get("PATH", os.defpath) + os.pathsep + "/usr/sbin"
        return shutil.which("clickhouse-server", path=path)

    @staticmethod
    def missing() -> str | None:
        """Why this server cannot be had here, None if it can."""
        if Server18.program() is None:
            return "the Debian package clickhouse-server is not installed"
        return None

    @property
    def url(self) -> str:
        """Where the running server answers."""
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The server's process, None when it does not run."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start, and wait for the first answer; on the data of before, and the same port if it is free."""
        if self.pid is not None:
            return
        for attempt in range(5):
            if not self.port or attempt or any(map(taken, (self.port, self._tcp_port))):
                self.port, self._tcp_port = server_tools.free_ports(2)
            self._launch()
            if self._ready(20.0):
                return
            self.kill()
        raise RuntimeError(f"the server did not start:\n{self.log()}")

    def stop(self) -> None:
        """SIGTERM, then SIGKILL after ten seconds; the data stays."""
        if self._process is not None:
            server_tools.end_child(self._process)
            self._process = None

    def kill(self) -> None:
        """SIGKILL at once: what a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def wipe(self) -> None:
        """Stop, and delete all data."""
        self.kill()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None
            atexit.unregister(self.wipe)

    def query(self, sql: str) -> str:
        """Run one statement; its answer as text.  Raises QueryError."""
        return server_tools.query(self.port, sql)

    def log(self) -> str:
        """The end of what the server wrote to its logs."""
        if self._directory is None:
            return ""
        files = sorted((self._directory / "log").glob("*.log"))
        return "\n".join(f"{file.name}: {file.read_text(errors='replace')[-2000:]}" for file in files)

    def __enter__(self) -> Server18:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wipe()

    def _launch(self) -> None:
        program = self.program()
        if program is None:
            raise RuntimeError(str(self.missing()))
        if self._directory is None:
            self._directory = server_tools.temporary("server18")
            atexit.register(self.wipe)
        directory = self._directory
        for name in ("data", "tmp", "log"):
            (directory / name).mkdir(exist_ok=True)
        (directory / "users.xml").write_text(USERS)
        values = {"level": self.log_level, "keep_alive": self.keep_alive_timeout}
        text = CONFIG.format(directory=directory, http=self.port, tcp=self._tcp_port, **values)
        (directory / "config.xml").write_text(text)
        command = [program, f"--config-file={directory / 'config.xml'}"]
        with (directory / "log" / "console.log").open("ab") as console:
            self._process = server_tools.start_child(command, directory, console, subprocess.STDOUT)

    def _ready(self, seconds: float) -> bool:
        """Wait for the answer to a ping; not if the process ends, or is not the one that answers."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.pid is not None:
            if pinged(self.port):
                time.sleep(0.02)  # a server without its port would end about now
                return self.pid is not None
            time.sleep(0.03)
        return False


def taken(port: int) -> bool:
    """Whether anybody listens there."""
    with socket.socket() as one:
        one.settimeout(1)
        return one.connect_ex((HOST, port)) == 0


def pinged(port: int) -> bool:
    """Whether a server says "Ok." to a ping."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().read().startswith(b"Ok.")
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
