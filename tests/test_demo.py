"""The demo: deterministic spans, and a small run of the whole show."""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

DIGEST = "46d29ec0bda1bcd0e6d4ad7487434f11ee5af611a61751d8c83eeb18a0b8123d"
DEMO = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def spans() -> ModuleType:
    """benchmarks/demo_spans.py"""
    spec = importlib.util.spec_from_file_location("demo_spans", DEMO / "demo_spans.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_same_bytes_every_time(spans: ModuleType) -> None:
    digest = hashlib.sha256(b"".join(spans.lines(1000))).hexdigest()
    assert digest == DIGEST
    assert digest != hashlib.sha256(b"".join(spans.lines(1000, seed=2))).hexdigest()
    # A longer run begins like a shorter one.
    assert list(spans.lines(300)) == list(itertools.islice(spans.lines(1000), 300))


def test_shape(spans: ModuleType) -> None:
    rows: list[dict[str, Any]] = [json.loads(line) for line in spans.lines(5000)]
    assert {len(row) for row in rows} == {22}
    assert {len(row["SpanAttributes"]) for row in rows} == {15}
    assert {len(row["ResourceAttributes"]) for row in rows} == {10}
    assert len({row["TraceId"] for row in rows}) == 50
    for name, low, high in [
        ("Events.Name", 0.15, 0.25),
        ("Links.TraceId", 0.01, 0.03),
        ("StatusMessage", 0.03, 0.07),
    ]:
        assert low < sum(bool(row[name]) for row in rows) / len(rows) < high
    for row in rows:
        assert len(row["Events.Name"]) == len(row["Events.Timestamp"]) == len(row["Events.Attributes"])


def test_run(engine: Any, tmp_path: Path) -> None:
    pytest.importorskip("rich")
    demo = tmp_path / "demo"
    command = [sys.executable, str(DEMO / "demo.py"), "--rows", "2500", "--directory", str(demo)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for _ in range(2):  # the second run replaces what the first has made
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        out = done.stdout
        assert "2,500 rows in" in out
        assert "http.response.status_code │  Int64 │ 2,500" in out
        assert "Slowest services by p99" in out
        assert "encode Native" in out
        assert "encode RowBinary" in out
        assert "JSONEachRow, JSON as text" in out
        assert out.endswith("Stored exactly as from JSON text (2,000 rows compared): yes\n")
    assert {path.name for path in demo.iterdir()} == {"spans.jsonl", "clickhouse"}
