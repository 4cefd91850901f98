"""One insert in several formats: CPU of the client, bytes on the wire, CPU of the engine.

make bench

Contenders take turns.  Each cell is repeated within a round until it takes long enough to be measured; the
tables show medians and, in brackets, the range over the rounds.  The clock is the CPU of this process, in
which the engine runs too, but never at the same time as a client.
"""

from __future__ import annotations

import dataclasses
import gc
import math
import pathlib
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
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
CELL = 0.025  # seconds of CPU that a measurement takes at least, about
QUICK = 0.06  # what takes less is repeated, and runs once before it is measured
TURNS = 6
LIMITS = (0.2, 3), (0.8, 2), (2, 1)  # what takes so many seconds is measured in so many turns only

# One sort of part for all, however often a body is repeated: by default those from 10 MB on are wide ones,
# with a file or two for each path.
MERGE_TREE = "MergeTree ORDER BY tuple() SETTINGS min_bytes_for_wide_part = 1000000000000"

Times = dict[str, dict[int, float]]
"""CPU seconds per contender and turn."""

After = Callable[[str, int], object]


@dataclasses.dataclass
class Cell:
    """``scale`` makes ``call`` do its work that many times over."""

    call: Callable[[], object]
    scale: Callable[[int], object]


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    connection = chdb.connect(":memory:")
    yield connection
    connection.close()


def cpu(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def measure(cells: dict[str, Cell], after: After) -> Times:
    """Cells take turns; `after` runs behind every call, unmeasured: it gets the name and the scale.

    What is quick runs once more in front of each measurement: caches and the allocator's memory are then its
    own, not what its neighbour left.  That is not enough for differences of a tenth, so the first two, which
    are compared most closely, change places every turn.
    """
    copies: dict[str, int] = {}
    turns: dict[str, int] = {}
    found: Times = {name: {} for name in cells}
    gc.collect()
    gc.freeze()
    for turn in range(TURNS):
        first_two = list(cells)[:2]
        for name in [*(first_two[::-1] if turn % 2 else first_two), *list(cells)[2:]]:
            cell = cells[name]
            if turn == 0:
                first = cpu(cell.call)
                after(name, 1)
                copies[name] = math.ceil(CELL / first) if first < QUICK else 1
                turns[name] = min([most for seconds, most in LIMITS if first > seconds], default=TURNS)
                if first >= QUICK:
                    found[name][0] = first
                    continue
                cell.scale(copies[name])
            if turn < turns[name]:
                if copies[name] > 1:
                    cell.call()
                    after(name, copies[name])
                found[name][turn] = cpu(cell.call) / copies[name]
                after(name, copies[name])
    gc.unfreeze()
    return found


def span(values: Iterable[float], digits: int = 2) -> str:
    values = sorted(values)
    return f"{statistics.median(values):.{digits}f} ({values[0]:.{digits}f}..{values[-1]:.{digits}f})"


def ratio(found: Times, one: str, other: str) -> str:
    """Of calls that were neighbours in time."""
    pairs = [(seconds, found[other].get(turn)) for turn, seconds in found[one].items()]
    return span(a / b for a, b in pairs if b is not None)


def packed(data: bytes) -> int:
    pieces = (data[at : at + PIECE] for at in range(0, len(data), PIECE))
    return sum(len(lz4_block.compress(piece, store_size=False)) for piece in pieces)


def client_cell(run: Callable[[], object]) -> Cell:
    count = 1

    def scale(to: int) -> None:
        nonlocal count
        count = to

    def call() -> None:
        for _ in range(count):
            run()

    return Cell(call, scale)


def engine_cell(engine: Any, body: Body, path: pathlib.Path) -> Cell:
    """The body is in its file several times over, so that the fixed costs of a statement do not count."""
    path.write_bytes(body.data)
    return Cell(
        lambda: bodies.insert(engine, "sink", body, path),
        lambda count: path.write_bytes(body.data * count),
    )


def engine_cpu(
    engine: Any, workload: workloads.Workload, contenders: dict[str, Body], directory: pathlib.Path, kind: str
) -> Times:
    """CPU seconds of inserting all rows once."""
    engine.query(f"CREATE OR REPLACE TABLE sink ({workload.ddl}) ENGINE = {kind}")
    stored = "MergeTree" in kind
    if stored:
        engine.query("SYSTEM STOP MERGES sink")

    def check(name: str, copies: int) -> None:
        """All rows are there; then they go."""
        if stored:
            count = int(engine.query("SELECT count() FROM sink").bytes())
            assert count == len(workload.rows) * copies, name
            engine.query("TRUNCATE TABLE sink")

    cells = {
        name: engine_cell(engine, body, directory / f"{number}.body")
        for number, (name, body) in enumerate(contenders.items())
    }
    found = measure(cells, check)
    engine.query("DROP TABLE sink SYNC")
    return found


@pytest.mark.parametrize("name", workloads.FORMATS)
def test_formats(name: str, engine: Any, tmp_path: pathlib.Path, benchmark: Any, report: list[str]) -> None:
    workload = workloads.FORMATS[name]()
    count = len(workload.rows)
    contenders = bodies.all_of(engine, workload, tmp_path / "body")
    runs = {label: client_cell(body.run) for label, body in contenders.items() if body.run}
    made = measure(runs, lambda name, copies: None)
    null = engine_cpu(engine, workload, contenders, tmp_path, "Null")
    stored = engine_cpu(engine, workload, contenders, tmp_path, MERGE_TREE)
    sizes = {label: packed(body.data) for label, body in contenders.items()}

    def row(times: Times, label: str) -> str:
        return span(seconds / count * 1e6 for seconds in times[label].values()) if label in times else "-"

    def median(times: Times, label: str) -> float:
        return statistics.median(times[label].values()) / count * 1e6

    block = bodies.rows_of_first_block(contenders[NATIVE].data)
    report += ["", f"{name}: {count} rows, {len(workload.schema)} columns, Native blocks of {block} rows"]
    report.append(
        f"  {'CPU us/row: median (range)':40}{'client':>24} {'to RowBinary':>24}{'bytes':>6}{'LZ4':>5}"
        f"{'Null table':>22} {'MergeTree':>24}{'sum':>8}"
    )
    for label, body in contenders.items():
        both = f"{median(made, label) + median(null, label):.2f}" if label in made else "-"
        beside = ratio(made, label, ROWS) if label in made else "-"
        report.append(
            f"  {label:40}{row(made, label):>24} {beside:>24}{len(body.data) / count:6.0f}"
            f"{sizes[label] / count:5.0f}{row(null, label):>22} {row(stored, label):>24}{both:>8}"
        )
    for other in [OWN, SHARED] if SHARED in contenders else [OWN]:
        report.append(
            f"  ours to {other}: Null table {ratio(null, NATIVE, other)}, MergeTree "
            f"{ratio(stored, NATIVE, other)}, LZ4 bytes {sizes[NATIVE] / sizes[other]:.3f}"
        )
    benchmark.pedantic(runs[NATIVE].call, rounds=3)


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
