"""Inserts over HTTP: what the client costs, beside its parts and beside clickhouse-connect.

make bench

Two servers, each a process of its own on this machine: a sink that throws bodies away (only the client
counts, and the wall clock shows how well its stages overlap), and, for clickhouse-connect, an HTTP front
over the embedded engine, with a Null table.
"""

from __future__ import annotations

import gc
import pathlib
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import workloads

import rowbinary
from rowbinary.frames import compress_frame

HERE = pathlib.Path(__file__).parent
sys.path.append(str(HERE.parent / "tests"))  # the front is the tests' own
ROUNDS = 7
REPEAT = 5  # the workloads are made for encoding alone; a stream should last
FORMAT: rowbinary.Format = "Native"  # what the client takes by itself for all workloads

Spent = tuple[float, float]
"""CPU and wall seconds."""


@pytest.fixture(scope="module")
def sink() -> Iterator[int]:
    with subprocess.Popen([sys.executable, HERE / "sink.py"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.kill()


@pytest.fixture(scope="module")
def front() -> Iterator[Any]:
    from front_process import Front

    if Front.missing():
        pytest.skip(Front.missing())
    with Front() as server:
        yield server


def spent(call: Callable[[], object]) -> Spent:
    cpu, wall = time.process_time(), time.perf_counter()
    call()
    return time.process_time() - cpu, time.perf_counter() - wall


def measure(calls: dict[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, list[Spent]]:
    """The calls take turns, so that those that are compared are neighbours in time."""
    for call in calls.values():
        call()
    gc.collect()
    gc.freeze()
    found: dict[str, list[Spent]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            found[name].append(spent(call))
    gc.unfreeze()
    return found


def ratio(found: dict[str, list[Spent]], one: str, other: str, index: int) -> str:
    """Median and range of `one` to `other`: CPU for index 0, wall clock for 1."""
    ratios = [a[index] / b[index] for a, b in zip(found[one], found[other], strict=True)]
    return f"{statistics.median(ratios):5.2f}x ({min(ratios):.2f} to {max(ratios):.2f})"


def parts_alone(schema: rowbinary.Schema, rows: list[Any]) -> int:
    """Encoding, LZ4 and the checksums, one after another, into nothing."""
    chunks = rowbinary.iter_encode(schema, rows, format=FORMAT)
    return sum(len(compress_frame(chunk)) for chunk in chunks)


def parts_and_socket(schema: rowbinary.Schema, rows: list[Any], port: int) -> None:
    """The same, sent over a bare socket: the serial sum that a pipeline has to beat."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        for chunk in rowbinary.iter_encode(schema, rows, format=FORMAT):
            frame = compress_frame(chunk)
            connection.sendall(b"%x\r\n%b\r\n" % (len(frame), frame))
        connection.sendall(b"0\r\n\r\n")
        connection.recv(1 << 16)


@pytest.mark.parametrize("name", workloads.ALL)
def test_client_beside_its_parts(name: str, sink: int, benchmark: Any, report: list[str]) -> None:
    workload = workloads.ALL[name]()
    rows, schema = workload.rows * REPEAT, rowbinary.Schema(workload.schema)
    client = rowbinary.Client(f"http://127.0.0.1:{sink}")
    found = measure(
        {
            "parts": lambda: parts_alone(schema, rows),
            "serial": lambda: parts_and_socket(schema, rows, sink),
            "client": lambda: client.insert("t", rows, schema=schema, format=FORMAT),
        }
    )
    micro = statistics.median(cpu for cpu, _ in found["client"]) / len(rows) * 1e6
    report += [
        "",
        f"{name}: insert of {len(rows)} rows into a sink, LZ4, {micro:.3f} us/row of client CPU",
        f"  client CPU to encode + LZ4 + hash alone    {ratio(found, 'client', 'parts', 0)}",
        f"  wall time to the serial sum                {ratio(found, 'client', 'serial', 1)}",
    ]
    benchmark.pedantic(lambda: client.insert("t", rows, schema=schema, format=FORMAT), rounds=3)


@pytest.mark.parametrize("name", workloads.ALL)
def test_client_beside_clickhouse_connect(name: str, front: Any, benchmark: Any, report: list[str]) -> None:
    connect = pytest.importorskip("clickhouse_connect")
    workload = workloads.ALL[name]()
    front.query(f"CREATE OR REPLACE TABLE sink ({workload.ddl}) ENGINE = Null")
    ours = rowbinary.Client(front.url)
    calls: dict[str, Callable[[], object]] = {"ours": lambda: ours.insert("sink", workload.rows)}
    small = workload.rows[:100]
    few: dict[str, Callable[[], object]] = {"ours": lambda: ours.insert("sink", small)}
    for codec in ("python", "rust"):
        try:
            client = connect.get_client(host="127.0.0.1", port=front.port, native_codec=codec)
        except Exception as error:  # not installed, or another version of it
            report.append(f"  clickhouse-connect ({codec}) is left out: {error}")
            continue
        calls[codec] = lambda client=client: client.insert("sink", workload.rows)
        few[codec] = lambda client=client: client.insert("sink", small)
        context = client.create_insert_context("sink")
        few[f"{codec}, context kept"] = lambda client=client, context=context: client.insert(
            data=small, context=context
        )
    found, brief = measure(calls, 5), measure(few, 40)
    report += ["", f"{name}: insert of {len(workload.rows)} rows, and of 100, into a Null table, LZ4"]
    for other in list(calls)[1:]:
        report.append(f"  clickhouse-connect ({other}): client CPU {ratio(found, other, 'ours', 0)} of ours")
    for other in list(few)[1:]:
        report.append(
            f"  100 rows, clickhouse-connect ({other}): wall {ratio(brief, other, 'ours', 1)}, "
            f"CPU {ratio(brief, other, 'ours', 0)} of ours"
        )
    benchmark.pedantic(calls["ours"], rounds=3)
