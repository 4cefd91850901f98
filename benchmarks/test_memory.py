"""Memory: of a stream of millions of rows, and of one Native block beside its size."""

from __future__ import annotations

import gc
import json
import pathlib
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
import registry
from engine import rows_of_first_block
from results import Block, Results, Stream

import rowbinary

PROGRAM = pathlib.Path(__file__).parent / "stream_memory.py"
ROWS, QUICK_ROWS = 5_000_000, 500_000


@pytest.mark.skipif(not pathlib.Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize("format", ["RowBinary", "Native"])
def test_stream(format: str, results: Results, quick: bool, benchmark: Any) -> None:
    count = QUICK_ROWS if quick else ROWS

    def run() -> None:
        command = [sys.executable, str(PROGRAM), format, str(count)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        results.streams[format] = Stream(count, **json.loads(done.stdout))

    benchmark.pedantic(run, rounds=1)


def most_allocated(run: Callable[[], object]) -> int:
    gc.collect()
    tracemalloc.start()
    run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("name", ["spans", "sparse", "arrays"])
def test_block(name: str, results: Results, quick: bool, benchmark: Any) -> None:
    """What is allocated for one block, at most, beside its size; and for a stream of them."""
    if quick:
        pytest.skip("left out of the quick run")
    workload = registry.make(name)
    schema = rowbinary.Schema(workload.schema)
    rows = workload.rows * (1 + 60_000 // len(workload.rows))
    first = next(iter(rowbinary.iter_encode(schema, rows, format="Native")))
    one = rows[: rows_of_first_block(first)]

    def block() -> None:
        encoder = rowbinary.Encoder(schema, format="Native")
        encoder.write_rows(one)
        encoder.take()

    def stream() -> None:
        for _ in rowbinary.iter_encode(schema, rows, format="Native"):
            pass

    results.blocks[name] = Block(len(one), len(first), most_allocated(block), most_allocated(stream))
    benchmark.pedantic(block, rounds=1)
