"""Prints the ratios, which are what counts: the machines are noisy, their neighbours in time are not."""

from __future__ import annotations

import pytest

TABLES: list[str] = []


@pytest.fixture
def report() -> list[str]:
    """Lines to print when all benchmarks have run."""
    return TABLES


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in TABLES:
        terminalreporter.write_line(line)
