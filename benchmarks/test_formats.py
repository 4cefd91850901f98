"""One insert in several formats: CPU of the client, bytes on the wire, CPU of the engine.

make bench

Contenders take turns.  Each cell is repeated within a round until it takes long enough to be measured; the
tables show medians and, in brackets, the range over the rounds.  The clock is the CPU of this process, in
which the engine runs too, but never at the same time as a client.
"""

from __future__ import annotations

import functools
import gc
import math
import pathlib
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import bodies
import pytest
import workloads
from bodies import NATIVE, OWN, ROWS, SHARED, Body

import rowbinary

chdb = pytest.importorskip("chdb")
pytest.importorskip("orjson")
pytest.importorskip("clickhouse_connect")
lz4_block = pytest.importorskip("lz4.block")

PIECE = 1 << 20
CELL = 0.03  # seconds of CPU that a cell takes at least, about
BUDGET = 7.0  # seconds of CPU for the rounds of one table

Call = Callable[[], object]


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    connection = chdb.connect(":memory:")
    yield connection
    connection.close()


def cpu(call: Call, repeat: int = 1) -> float:
    start = time.process_time()
    for _ in range(repeat):
        call()
    return time.process_time() - start


def repeats(seconds: float) -> int:
    return max(1, math.ceil(CELL / max(seconds, 1e-4)))


def rounds(calls: Mapping[str, Call], after: Call, most: int) -> dict[str, list[float]]:
    """CPU seconds of a call, round by round; `after` runs between the calls, unmeasured."""
    counts = {}
    for name, call in calls.items():
        call()
        after()
        counts[name] = repeats(cpu(call))
        after()
    gc.collect()
    gc.freeze()
    found: dict[str, list[float]] = {name: [] for name in calls}
    start = time.perf_counter()
    for turn in range(most):
        for name, call in calls.items():
            found[name].append(cpu(call, counts[name]) / counts[name])
            after()
        passed = time.perf_counter() - start
        if turn >= 2 and passed * (turn + 2) / (turn + 1) > BUDGET:
            break
    gc.unfreeze()
    return found


def span(values: list[float], digits: int = 2) -> str:
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} ({low:.{digits}f}..{high:.{digits}f})"


def ratio(found: dict[str, list[float]], one: str, other: str) -> str:
    """Of calls that were neighbours in time."""
    return span([a / b for a, b in zip(found[one], found[other], strict=True)])


def packed(data: bytes) -> int:
    pieces = (data[at : at + PIECE] for at in range(0, len(data), PIECE))
    return sum(len(lz4_block.compress(piece, store_size=False)) for piece in pieces)


def engine_cpu(
    engine: Any, workload: workloads.Workload, contenders: dict[str, Body], directory: pathlib.Path, kind: str
) -> dict[str, list[float]]:
    """CPU seconds of inserting all rows once.

    A body may be in its file several times over, so that the fixed costs of a statement do not count.
    """
    engine.query(f"CREATE OR REPLACE TABLE sink ({workload.ddl}) ENGINE = {kind}")
    stored = "MergeTree" in kind
    if stored:
        engine.query("SYSTEM STOP MERGES sink")
    calls: dict[str, Call] = {}
    copies: dict[str, int] = {}
    for name, body in contenders.items():
        path = directory / f"{len(calls)}.{body.format}"
        path.write_bytes(body.data)
        calls[name] = functools.partial(bodies.insert, engine, "sink", body, path)
        calls[name]()
        copies[name] = repeats(cpu(calls[name]))
        path.write_bytes(body.data * copies[name])
        if stored:
            engine.query("TRUNCATE TABLE sink")
            calls[name]()
            count = int(engine.query("SELECT count() FROM sink").bytes())
            assert count == len(workload.rows) * copies[name], name
            engine.query("TRUNCATE TABLE sink")
    clear: Call = (lambda: engine.query("TRUNCATE TABLE sink")) if stored else (lambda: None)
    found = rounds(calls, clear, 5)
    engine.query("DROP TABLE sink")
    return {name: [seconds / copies[name] for seconds in times] for name, times in found.items()}


@pytest.mark.parametrize("name", workloads.FORMATS)
def test_formats(name: str, engine: Any, tmp_path: pathlib.Path, benchmark: Any, report: list[str]) -> None:
    workload = workloads.FORMATS[name]()
    count = len(workload.rows)
    contenders = bodies.all_of(engine, workload, tmp_path / "body")
    runs = {label: body.run for label, body in contenders.items() if body.run}
    made = rounds(runs, lambda: None, 7)
    null = engine_cpu(engine, workload, contenders, tmp_path, "Null")
    stored = engine_cpu(engine, workload, contenders, tmp_path, "MergeTree ORDER BY tuple()")
    sizes = {label: packed(body.data) for label, body in contenders.items()}

    def row(times: dict[str, list[float]], label: str) -> str:
        return span([seconds / count * 1e6 for seconds in times[label]]) if label in times else "-"

    block = bodies.rows_of_first_block(contenders[NATIVE].data)
    report += ["", f"{name}: {count} rows, {len(workload.schema)} columns, Native blocks of {block} rows"]
    report.append(
        f"  {'CPU us/row: median (range)':37}{'client':>20} {'client to ROWS':>18}{'bytes':>7}{'LZ4':>6}"
        f"{'Null table':>20} {'MergeTree':>24} {'client+Null':>12}"
    )
    for label, body in contenders.items():
        both = statistics.median(made.get(label, [0])) + statistics.median(null[label])
        beside = ratio(made, label, ROWS) if label in made else "-"
        report.append(
            f"  {label:37}{row(made, label):>20} {beside:>18}{len(body.data) / count:7.0f}"
            f"{sizes[label] / count:6.0f}{row(null, label):>20} {row(stored, label):>24} "
            + (f"{both / count * 1e6:12.2f}" if label in made else f"{'-':>12}")
        )
    for other in [OWN, SHARED] if SHARED in contenders else [OWN]:
        report.append(
            f"  ours to {other}: Null table {ratio(null, NATIVE, other)}, MergeTree "
            f"{ratio(stored, NATIVE, other)}, LZ4 bytes {sizes[NATIVE] / sizes[other]:.3f}"
        )
    benchmark.pedantic(runs[NATIVE], rounds=3)


@pytest.mark.parametrize("name", ["spans", "sparse", "arrays"])
def test_memory(name: str, benchmark: Any, report: list[str]) -> None:
    """What is allocated for one block, at most, to its size; and for a stream of them."""
    workload = workloads.FORMATS[name]()
    schema = rowbinary.Schema(workload.schema)
    rows = workload.rows * (1 + 60_000 // len(workload.rows))
    first = next(iter(rowbinary.iter_encode(schema, rows, format="Native")))
    one = rows[: bodies.rows_of_first_block(first)]
    largest = 0

    def block() -> None:
        nonlocal largest
        encoder = rowbinary.Encoder(schema, format="Native")
        encoder.write_rows(one)
        largest = len(encoder.take())

    def stream() -> None:
        nonlocal largest
        largest = max(len(chunk) for chunk in rowbinary.iter_encode(schema, rows, format="Native"))

    line = f"  {name:10} {len(one):6} rows,"
    for run, text in ((block, "one block"), (stream, "stream")):
        gc.collect()
        tracemalloc.start()
        run()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        line += f"  {text}: {largest / 1e6:5.2f} MB, peak {peak / 1e6:6.2f} MB, {peak / largest:.2f}x"
    report += [line] if name != "spans" else ["", "memory of the encoder beside the size of a block:", line]
    benchmark.pedantic(block, rounds=1)
