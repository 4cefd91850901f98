"""What the tests of ``rowbinary insert`` share: the command in this process or one of its own, and its input.

In this process ``chdb://memory`` is the engine of the fixture.  Without click or rich, importing this module
skips the tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("click", reason="the command line needs click")
pytest.importorskip("rich", reason="the command line needs rich")

import rowbinary
from rowbinary._embedded import Embedded
from rowbinary.cli import _command

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@pytest.fixture
def db(engine: Any) -> Iterator[Embedded]:
    """The engine of the session, with a fresh database in use by its name ``cli``."""
    assert engine
    with Embedded() as embedded:
        embedded.execute("DROP DATABASE IF EXISTS cli")
        embedded.execute("CREATE DATABASE cli")
        yield embedded
        embedded.execute("DROP DATABASE cli")


def insert(*arguments: object, table: str = "cli.t") -> int:
    """Run the command; its exit code."""
    return _command.run(["insert", *map(str, arguments), "-t", table, "--to", "chdb://memory"])


def write(path: Path, *lines: object) -> Path:
    """A file of JSON Lines: texts and bytes as they are, the rest as JSON."""
    kept = (
        line if isinstance(line, bytes) else (line if isinstance(line, str) else json.dumps(line)).encode()
        for line in lines
    )
    path.write_bytes(b"".join(line + b"\n" for line in kept))
    return path


def process(*arguments: object, command: str = "insert", **options: Any) -> subprocess.Popen[str]:
    """The command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    words = [sys.executable, "-m", "rowbinary.cli", command, *map(str, arguments)]
    return subprocess.Popen(words, env=environment, text=True, **options)


def peak_memory(code: str, *arguments: object) -> int:
    """The most memory, in MB, that a process running `code` has had."""
    code += "\nprint(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    return int(done.stdout.split()[-1]) // 1000


def long_body(path: Path) -> Path:
    """A hundred rows of a megabyte: ``a String``."""
    row = rowbinary.encode_rows("a String", [("x" * (1 << 20),)])
    with path.open("wb") as file:
        for _ in range(100):
            file.write(row)
    return path


def memory_of(command: str, body: Path, *arguments: object) -> int:
    """The most memory, in MB, that a command takes to read `body`, a file of ``a String``."""
    code = "import sys; from rowbinary.cli import _command; assert not _command.run(sys.argv[1:])"
    return peak_memory(code, command, body, "--schema", "a String", *arguments)
