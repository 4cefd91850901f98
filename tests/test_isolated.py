"""Leaks and memory limits, each in a process of its own, so that nothing else counts."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

PROGRAMS = pathlib.Path(__file__).parent / "isolated"
ROOT = pathlib.Path(__file__).parent.parent

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc"),
    pytest.mark.skipif(
        "libasan" in os.environ.get("LD_PRELOAD", ""),
        reason="AddressSanitizer keeps freed memory in quarantine, so growth says nothing there",
    ),
]


def run(program: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, PROGRAMS / program, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr[-3000:]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{PROGRAMS}", "PYTHONHASHSEED": "0"}


# Programs that do the same again and again, as many rounds as make a leak of any size stand out.
ROUNDS = ["failing_rows.py", "error_handlers.py", "abandoned.py", "good_rows.py", "native_rows.py"]


@pytest.mark.parametrize("share", ["0.2", pytest.param("1", marks=pytest.mark.slow)])
@pytest.mark.parametrize("program", ROUNDS)
def test_nothing_is_kept(program: str, share: str, impl: str) -> None:
    run(program, impl, share)


def test_nothing_is_kept_when_memory_runs_out(impl: str) -> None:
    run("out_of_memory.py", impl)


def test_constant_memory(impl: str) -> None:
    run("constant_memory.py", impl, "300000" if impl == "c" else "60000")


@pytest.mark.slow
def test_constant_memory_of_five_million_rows() -> None:
    run("constant_memory.py", "c", "5000000")


@pytest.mark.parametrize("kind", ["sync", "async", "agen"])
def test_streaming_inserts_take_constant_memory(kind: str) -> None:
    if kind != "sync":
        pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    run("streaming_insert.py", kind, "60000")


@pytest.mark.slow
def test_a_streaming_insert_of_two_gigabytes_takes_constant_memory() -> None:
    run("streaming_insert.py", "sync", "1000000")


def test_every_program_is_run() -> None:
    named = pathlib.Path(__file__).read_text()
    programs = {path.name for path in PROGRAMS.glob("*.py")} - {"common.py"}
    assert programs
    assert all(program in named for program in programs)
