"""``client.insert`` of clickhouse-connect, as it is and accelerated: the whole call, and all of it.

Over HTTP only the client counts: a process of its own swallows the inserts, and hands everything else on to
a front over the embedded engine, so that tables are described as a server does it.  With ``chdb://`` the
engine is in this process, and counts.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import engine as engines
import peers
import pytest
import registry
from engine import Engine
from measuring import Cell, Pace, measure, repeat
from results import Figures, Found, Results, Table
from workloads import Workload

import rowbinary.connect

connect: Any = pytest.importorskip("clickhouse_connect")

HERE = pathlib.Path(__file__).parent
CHECKED, QUICK_CHECKED = 200, 50
EMBEDDED_SHARE = 0.5
QUICK = ["spans", "documents", "ints"]
GOALS = ["spans"]  # with one for whole inserts: the median of a few rounds moves by a tenth
SMALL = ["spans", "documents", "ints"]
COUNTS = (1, 100)
CODECS = {peers.CYTHON: "python", peers.RUST: "rust"}
FORMATS = {peers.NATIVE: "Native", peers.ROWS: "RowBinary"}
MEMORY, NULL = "Memory", "Null"

Clients = dict[str, Any]


def beside(label: str) -> tuple[str, ...]:
    """Those of ours that do the same work."""
    suffix = next((suffix for suffix in (peers.LZ4, peers.KEPT) if label.endswith(suffix)), "")
    ours = [name + suffix for name in FORMATS]
    return tuple(ours[: ours.index(label)] if label in ours else ours)


def accelerated(clients: Clients, make: Callable[[], Any]) -> Clients:
    """`clients` and ours; strict, so that nothing is measured that is not ours."""
    accelerate: Any = rowbinary.connect.accelerate
    ours = {name: accelerate(make(), format=format, strict=True) for name, format in FORMATS.items()}
    return ours | clients


@pytest.fixture(scope="module")
def sink(front: Any) -> Iterator[int]:
    command = [sys.executable, str(HERE / "sink.py"), str(front.port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.kill()


@pytest.fixture(scope="module")
def embedded(engine: Engine) -> Iterator[Clients]:
    """Clients of the engine in this process."""
    with contextlib.ExitStack() as stack:

        def make() -> Any:
            return stack.enter_context(connect.get_client(interface="chdb"))

        yield accelerated({peers.CYTHON: make()}, make)


@pytest.fixture(scope="module")
def over_http(front: Any, sink: int) -> Iterator[tuple[Clients, Clients]]:
    """Clients of the front, and of the sink before it."""
    with contextlib.ExitStack() as stack:
        yield clients_of(front.port, stack), clients_of(sink, stack)


def clients_of(port: int, stack: contextlib.ExitStack) -> Clients:
    """Without compression and with LZ4; only those that there are."""
    clients: Clients = {}
    for suffix, compress in (("", False), (peers.LZ4, True)):

        def make(codec: str = "python", compress: bool = compress) -> Any:
            return stack.enter_context(
                connect.get_client(host="127.0.0.1", port=port, compress=compress, native_codec=codec)
            )

        theirs: Clients = {}
        for label, codec in CODECS.items():
            with contextlib.suppress(Exception):  # not installed, or another version of it
                theirs[label] = make(codec)
        clients |= {label + suffix: one for label, one in accelerated(theirs, make).items()}
    return clients


def check(
    workload: Workload, clients: Clients, query: Callable[[str], bytes], found: Found, where: str
) -> None:
    """Insert with all of them, and compare: what clickhouse-connect's own insert stores is right."""
    table = f"checked_{workload.name}"
    query(f"CREATE TABLE {table} ({workload.ddl}) ENGINE = {MEMORY}")
    order = sorted(clients, key=lambda label: label != peers.CYTHON)
    wanted: tuple[engines.Rows, engines.Rows] = [], []
    for label in order:
        clients[label].insert(table, workload.rows)
        rows, kinds = engines.contents(query, workload, table)
        query(f"TRUNCATE TABLE {table}")
        if label == peers.CYTHON:
            wanted = rows, kinds
            assert len(rows) == len(workload.rows)
            continue
        texts = engines.differences(workload, wanted[0], rows)
        assert not (texts and label.startswith("rowbinary")), texts
        if texts := texts or engines.kinds_that_differ(wanted[1], kinds):
            found.different[f"client.insert, {where}: {label}"] = texts
    query(f"DROP TABLE {table}")


def fill(table: Table, calls: dict[str, Callable[[], object]], pace: Pace, rows: int) -> None:
    cells = {label: Cell(repeat(call), beside(label)) for label, call in calls.items()}
    for label, timing in measure(cells, pace).items():
        table[label] = Figures.of(timing, rows)


def insert_of(client: Any, table: str, rows: Any) -> Callable[[], object]:
    return lambda: client.insert(table, rows)


def kept_insert_of(client: Any, table: str, rows: Any) -> Callable[[], object]:
    context = client.create_insert_context(table)
    return lambda: client.insert(data=rows, context=context)


@pytest.mark.parametrize("name", registry.ALL)
def test_over_http(
    name: str,
    front: Any,
    over_http: tuple[Clients, Clients],
    results: Results,
    pace: Pace,
    share: float,
    quick: bool,
    benchmark: Any,
) -> None:
    if quick and name not in QUICK:
        pytest.skip("left out of the quick run")
    found = results.of(name)
    stored, swallowed = over_http
    checked = registry.ALL[name].make(QUICK_CHECKED if quick else CHECKED)
    check(checked, stored, lambda sql: front.query(sql).encode(), found, "HTTP")
    workload = registry.make(name, share)
    found.rows, found.columns = len(workload.rows), len(workload.schema)
    table = f"sink_{name}"
    front.query(f"CREATE TABLE {table} ({workload.ddl}) ENGINE = {NULL}")
    short = dataclasses.replace(pace, rounds=min(pace.rounds, 4), budget=pace.budget / 2)
    calls = {label: insert_of(client, table, workload.rows) for label, client in swallowed.items()}
    fill(found.connect, calls, pace if name in GOALS else short, found.rows)
    if name in SMALL and not quick:
        small(found.calls, swallowed, table, workload, few(short))
    benchmark.pedantic(calls[peers.NATIVE], rounds=1)
    front.query(f"DROP TABLE {table}")


def few(pace: Pace) -> Pace:
    """For calls of few rows, which differ by little: several at a time, and often."""
    return dataclasses.replace(pace, rounds=9, budget=4.0, cell=0.03)


def small(found: dict[str, Table], clients: Clients, table: str, workload: Workload, pace: Pace) -> None:
    """What a call costs that has next to nothing to insert; without compression, which is then in the way."""
    plain = {label: client for label, client in clients.items() if peers.LZ4 not in label}
    for count in COUNTS:
        rows = workload.rows[:count]
        calls = {label: insert_of(client, table, rows) for label, client in plain.items()}
        for label, client in plain.items():
            calls[label + peers.KEPT] = kept_insert_of(client, table, rows)
        fill(found.setdefault(str(count), {}), calls, pace, 1)


@pytest.mark.parametrize("name", registry.ALL)
def test_embedded(
    name: str,
    embedded: Clients,
    engine: Engine,
    results: Results,
    pace: Pace,
    share: float,
    quick: bool,
    benchmark: Any,
) -> None:
    """CPU of client and engine."""
    if quick and name not in QUICK:
        pytest.skip("left out of the quick run")
    found = results.of(name)
    check(registry.ALL[name].make(QUICK_CHECKED if quick else CHECKED), embedded, engine.query, found, "chdb")
    workload = registry.make(name, share * EMBEDDED_SHARE)
    table = f"sink_{name}"
    engine.query(f"CREATE TABLE {table} ({workload.ddl}) ENGINE = {NULL}")
    calls = {label: insert_of(client, table, workload.rows) for label, client in embedded.items()}
    short = dataclasses.replace(pace, rounds=min(pace.rounds, 4), budget=pace.budget / 2)
    fill(found.embedded, calls, short, len(workload.rows))
    if name in SMALL and not quick:
        small(found.embedded_calls, embedded, table, workload, few(short))
    benchmark.pedantic(calls[peers.NATIVE], rounds=1)
    engine.query(f"DROP TABLE {table}")
