"""Fixtures: the servers to test against.  Absent ones skip; with ROWBINARY_REQUIRE_SERVERS=1 they fail."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from front_process import Front
from server18 import Server18


def need(reason: str | None) -> None:
    """Skip, or fail where the servers are required, for this reason; None: go on."""
    if reason is not None:
        if os.environ.get("ROWBINARY_REQUIRE_SERVERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def server18() -> Iterator[Server18]:
    """A running ClickHouse 18.16, shared by the session."""
    need(Server18.missing())
    with Server18() as server:
        yield server


@pytest.fixture(scope="session")
def front() -> Iterator[Front]:
    """A modern server's likeness over the embedded engine, shared by the session."""
    need(Front.missing())
    with Front() as server:
        yield server
