"""Collects what the benchmarks find; prints the goals, and with ``--page`` writes docs/benchmarks.md."""

from __future__ import annotations

import pathlib
import sys
import time
from collections.abc import Iterator
from typing import Any

import page
import pytest
import results as found
from engine import Engine
from measuring import Pace
from results import Results

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "tests"))  # the front is the tests' own

QUICK_SHARE = 0.2


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="a fifth of the rows, three rounds")
    parser.addoption("--page", action="store_true", help="write docs/benchmarks.md and docs/benchmarks.svg")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--quick") and config.getoption("--page"):
        raise pytest.UsageError("a quick run is not for the page")
    run = Results(quick=config.getoption("--quick"), machine=found.machine(), versions=found.versions())
    config.stash[RESULTS] = run
    config.stash[STARTED] = time.monotonic()


RESULTS = pytest.StashKey[Results]()
STARTED = pytest.StashKey[float]()


@pytest.fixture(scope="session")
def results(request: pytest.FixtureRequest) -> Results:
    return request.config.stash[RESULTS]


@pytest.fixture(scope="session")
def quick(results: Results) -> bool:
    return results.quick


@pytest.fixture(scope="session")
def pace(quick: bool) -> Pace:
    return Pace(3, 0.15, 0.006) if quick else Pace()


@pytest.fixture(scope="session")
def share(quick: bool) -> float:
    """Of the rows of a workload."""
    return QUICK_SHARE if quick else 1


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, results: Results) -> Iterator[Engine]:
    pytest.importorskip("chdb")
    engine = Engine(tmp_path_factory.mktemp("engine"))
    results.versions["ClickHouse (chdb)"] = engine.version
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def front() -> Iterator[Any]:
    """A server over HTTP, a process of its own."""
    from front_process import Front

    if missing := Front.missing():
        pytest.skip(missing)
    with Front() as server:
        yield server


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    run = config.stash[RESULTS]
    run.machine["minutes"] = f"{(time.monotonic() - config.stash[STARTED]) / 60:.0f}"
    if run.workloads:
        terminalreporter.write_line(page.summary(run))
    if config.getoption("--page"):
        run.save()
        if exitstatus:
            terminalreporter.write_line("docs/benchmarks.md is as it was, because of the failures above")
            return
        for path in page.write(run, pathlib.Path(__file__).resolve().parent.parent / "docs"):
            terminalreporter.write_line(f"written: docs/{path.name}")
