"""How much memory an endless stream takes: rows made one by one, encoded, thrown away.

    python benchmarks/stream_memory.py FORMAT ROWS

A process of its own, so that the most it ever had is its own.  Prints JSON: bytes encoded, growth of the
resident memory in bytes, from before the first row to its peak, and seconds of CPU, generator included.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rowbinary

SCHEMA = (
    "id UInt64, at DateTime64(3), user String, route LowCardinality(String), took Float64, "
    "failed Nullable(UInt8), attrs JSON"
)
START = 1_760_000_000_000


def rows(count: int) -> Iterator[tuple[Any, ...]]:
    """No two are the same, none is kept."""
    routes = [f"/api/v1/{number}" for number in range(50)]
    for i in range(count):
        attrs = {"status": 200 + i % 5, "host": f"host-{i % 97}"}
        yield i, START + i, f"user-{i}", routes[i % 50], i * 0.25, i % 2 or None, attrs


def resident(field: str) -> int:
    """``VmRSS`` is what is resident now, ``VmHWM`` the most there was."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


def main() -> None:
    format: Any = sys.argv[1]
    schema = rowbinary.Schema.parse(SCHEMA)
    before, start = resident("VmRSS"), time.process_time()
    size = sum(map(len, rowbinary.iter_encode(schema, rows(int(sys.argv[2])), format=format)))
    cpu = time.process_time() - start
    print(json.dumps({"bytes": size, "growth": resident("VmHWM") - before, "cpu": cpu}))


if __name__ == "__main__":
    main()
