"""Shared fixtures: both implementations, the golden vectors, Hypothesis profiles."""

from __future__ import annotations

import datetime as dt
import decimal
import ipaddress
import json
import os
import pathlib
import re
import signal
import uuid
import zoneinfo
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest

import rowbinary
from rowbinary import _api

pytest_plugins = ["servers", "clients"]
# Helpers that assert: a failure there shows the values, as in a test.
pytest.register_assert_rewrite("columns_cases", "decode_cases", "pipeline_sources", "text_trees")

VECTORS = pathlib.Path(__file__).parent / "vectors"

hypothesis.settings.register_profile("default", deadline=None, max_examples=50)
# The same examples in every run, so that what fails is what changed; other runs look for new ones.
hypothesis.settings.register_profile("ci", deadline=None, max_examples=200, derandomize=True)
hypothesis.settings.register_profile("few", deadline=None, max_examples=50, derandomize=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


# A shell starts what runs in its background without Ctrl-C, which some tests press.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def times(ordinarily: int, fully: int) -> int:
    """How often to try something: what costs much runs in full with the profile "ci" alone."""
    return fully if os.environ.get("HYPOTHESIS_PROFILE") == "ci" else ordinarily


def shown(value: object) -> str:
    """The id of a parameter: its repr without an address, which would be another in every process."""
    return re.sub(r" at 0x[0-9a-f]+", "", ascii(value))


# What the `python` field of a vector may use.
NAMES = {
    "datetime": dt.datetime,
    "date": dt.date,
    "timedelta": dt.timedelta,
    "timezone": dt.timezone,
    "utc": dt.UTC,
    "ZoneInfo": zoneinfo.ZoneInfo,
    "Decimal": decimal.Decimal,
    "UUID": uuid.UUID,
    "IPv4Address": ipaddress.IPv4Address,
    "IPv6Address": ipaddress.IPv6Address,
    "nan": float("nan"),
    "inf": float("inf"),
    "typed": rowbinary.typed,
    "ticks": int,
    "DEFAULT": rowbinary.DEFAULT,
}


def load(name: str) -> list[dict[str, Any]]:
    """The lines of one vector file."""
    with (VECTORS / name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def value_of(vector: dict[str, Any], field: str = "python") -> Any:
    """The Python value that a vector's expression means."""
    return eval(vector[field], dict(NAMES))


def implementations() -> list[str]:
    """The implementations to test: the reference alone where that is wanted, never without the C module."""
    if os.environ.get("ROWBINARY_IMPL") == "python":
        return ["python"]
    import rowbinary._speedups

    assert rowbinary._speedups
    return ["python", "c"]


def tested() -> list[str]:
    """Those of them that `impl` goes through: the sanitizers learn nothing from the reference."""
    wanted = os.environ.get("ROWBINARY_TESTED", "python c").split()
    return [name for name in implementations() if name in wanted]


@pytest.fixture(params=tested(), ids=lambda name: "py" if name == "python" else name)
def impl(request: pytest.FixtureRequest) -> str:
    """The implementation under test."""
    return str(request.param)


def pytest_report_header() -> str:
    """Which implementation a plain import has chosen."""
    return f"rowbinary {rowbinary.__version__}, implementation {rowbinary.implementation}"


@pytest.fixture(scope="session")
def engine() -> Iterator[Any]:
    """A connection to the embedded engine, shared by the session (one engine per process)."""
    chdb = pytest.importorskip("chdb", reason="the embedded engine (pip install chdb) is not installed")
    connection = chdb.connect(":memory:")
    yield connection
    connection.close()


def described(error: Exception) -> tuple[Any, ...]:
    """Everything a caller can see of an error."""
    attributes = ("reason", "row", "column", "path", "type", "value")
    return type(error), str(error), *(getattr(error, name, None) for name in attributes)


@pytest.fixture(autouse=True, scope="module")
def small_chunks(request: pytest.FixtureRequest) -> Iterator[None]:
    """The streams of the client's tests have some MB: enough for several chunks, also in Native."""
    with pytest.MonkeyPatch.context() as patch:
        if request.module.__name__.startswith("test_client"):
            patch.setattr(_api, "DEFAULT_NATIVE_CHUNK", 1 << 20)
        yield
