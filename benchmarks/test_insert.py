"""Inserts over HTTP: what the client costs, beside its parts and beside clickhouse-connect.

Two servers, each a process of its own on this machine: a sink that throws bodies away (only the client
counts, and the wall clock shows how well its stages overlap), and, for clickhouse-connect, an HTTP front
over the embedded engine, with a Null table.
"""

from __future__ import annotations

import pathlib
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import peers
import pytest
import registry
from measuring import Cell, Pace, measure, repeat
from results import Figures, Results

import rowbinary
from rowbinary.frames import compress_frame, compress_frames

HERE = pathlib.Path(__file__).parent
REPEAT = 5  # the workloads are made for encoding alone; a stream should last
FEW = 100
FORMAT: rowbinary.Format = "Native"  # what the client takes by itself for all workloads

CLIENT, PARTS, SERIAL = "rowbinary", "encoding + LZ4 + checksum alone", "the same over a bare socket"
CODECS = {peers.CYTHON: "python", peers.RUST: "rust"}


@pytest.fixture(autouse=True)
def not_quick(quick: bool) -> None:
    if quick:
        pytest.skip("left out of the quick run")


@pytest.fixture(scope="module")
def sink() -> Iterator[int]:
    with subprocess.Popen([sys.executable, HERE / "sink.py"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.kill()


def parts_alone(schema: rowbinary.Schema, rows: list[Any]) -> int:
    """Encoding, LZ4 and the checksums, one after another, into nothing."""
    return sum(map(len, compress_frames(rowbinary.iter_encode(schema, rows, format=FORMAT))))


def parts_and_socket(schema: rowbinary.Schema, rows: list[Any], port: int) -> None:
    """The same, sent over a bare socket: the serial sum that a pipeline has to beat."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        for chunk in rowbinary.iter_encode(schema, rows, format=FORMAT):
            frame = compress_frame(chunk)
            connection.sendall(b"%x\r\n%b\r\n" % (len(frame), frame))
        connection.sendall(b"0\r\n\r\n")
        connection.recv(1 << 16)


@pytest.mark.parametrize("name", registry.INSERTED)
def test_client_beside_its_parts(name: str, sink: int, results: Results, pace: Pace, benchmark: Any) -> None:
    workload = registry.make(name)
    rows, schema = workload.rows * REPEAT, rowbinary.Schema(workload.schema)
    client = rowbinary.Client(f"http://127.0.0.1:{sink}")
    calls: dict[str, Callable[[], object]] = {
        PARTS: lambda: parts_alone(schema, rows),
        SERIAL: lambda: parts_and_socket(schema, rows, sink),
        CLIENT: lambda: client.insert("t", rows, schema=schema, format=FORMAT),
    }
    cells = {label: Cell(repeat(call)) for label, call in calls.items() if label != CLIENT}
    cells[CLIENT] = Cell(repeat(calls[CLIENT]), (PARTS, SERIAL))
    found = results.of(name)
    for label, timing in measure(cells, pace).items():
        found.insert[label] = Figures.of(timing, len(rows))
    benchmark.pedantic(calls[CLIENT], rounds=1)


@pytest.mark.parametrize("name", registry.INSERTED)
def test_client_beside_clickhouse_connect(
    name: str, front: Any, results: Results, pace: Pace, benchmark: Any
) -> None:
    connect = pytest.importorskip("clickhouse_connect")
    workload = registry.make(name)
    front.query(f"CREATE OR REPLACE TABLE sink ({workload.ddl}) ENGINE = Null")
    ours = rowbinary.Client(front.url)
    small = workload.rows[:FEW]
    calls: dict[str, Callable[[], object]] = {CLIENT: lambda: ours.insert("sink", workload.rows)}
    few: dict[str, Callable[[], object]] = {CLIENT: lambda: ours.insert("sink", small)}
    for label, codec in CODECS.items():
        try:
            client = connect.get_client(host="127.0.0.1", port=front.port, native_codec=codec)
        except Exception as error:  # not installed, or another version of it
            results.of(name).absent[label] = str(error).splitlines()[0]
            continue
        context = client.create_insert_context("sink")
        calls[label] = lambda client=client: client.insert("sink", workload.rows)
        few[label] = lambda client=client: client.insert("sink", small)
        few[label + peers.KEPT] = lambda client=client, context=context: client.insert(
            data=small, context=context
        )
    found = results.of(name)
    for table, chosen, rows in ((found.insert, calls, len(workload.rows)), (found.few, few, FEW)):
        cells = {
            label: Cell(repeat(call), () if label == CLIENT else (CLIENT,)) for label, call in chosen.items()
        }
        for label, timing in measure(cells, pace).items():
            if label not in table:
                table[label] = Figures.of(timing, rows)
    benchmark.pedantic(calls[CLIENT], rounds=1)
