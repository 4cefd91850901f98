"""The benchmarks measure the same work: what every contender sends is stored as the same rows."""

from __future__ import annotations

import datetime as dt
import importlib
import pathlib
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

BENCHMARKS = pathlib.Path(__file__).resolve().parent.parent / "benchmarks"
MODULES = ["engine", "goals", "measuring", "page", "peers", "peers_decode", "registry", "results"]
WORKLOADS = [
    "spans", "loadgen", "service", "documents", "flat", "ints", "arrays", "wide", "embeddings", "sparse",
]  # fmt: skip
ROWS = 50


@pytest.fixture(scope="module")
def bench() -> Iterator[Any]:
    """The modules of benchmarks/, which are no package."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="module")
def engine(bench: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    pytest.importorskip("chdb")
    engine = bench.engine.Engine(tmp_path_factory.mktemp("bodies"))
    yield engine
    engine.close()


def test_workloads(bench: Any) -> None:
    assert list(bench.registry.ALL) == WORKLOADS
    assert set(bench.registry.INSERTED) <= set(WORKLOADS)
    assert set(bench.registry.DECODED) <= set(WORKLOADS)
    assert {name.removesuffix(", dict rows") for name in bench.goals.RATIOS} <= set(WORKLOADS)


# The last is what clickhouse-connect says without its Rust codec.
NOT_INSTALLED = ("ModuleNotFoundError", "ImportError", "requires the compiled")


@pytest.mark.engine
@pytest.mark.parametrize("name", WORKLOADS)
def test_contenders_store_the_same_rows(name: str, bench: Any, engine: Any) -> None:
    workload = bench.registry.ALL[name].make(ROWS)
    contenders, absent = bench.peers.all_of(workload)
    assert all(any(reason in why for reason in NOT_INSTALLED) for why in absent.values()), absent
    wanted, types = engine.stored(workload, contenders[bench.peers.ROWS])
    assert len(wanted) == ROWS
    for contender in contenders.values():
        if not contender.format:
            continue
        rows, their_types = engine.stored(workload, contender)
        assert bench.engine.differences(workload, wanted, rows) == [], contender.name
        if contender.name.startswith("rowbinary") and contender.name != bench.peers.TEXT:
            assert types == their_types, contender.name


@pytest.mark.parametrize("name", WORKLOADS)
def test_readers_read_the_same_rows(name: str, bench: Any) -> None:
    peers, decode = bench.peers, bench.peers_decode
    workload = bench.registry.ALL[name].make(ROWS)
    readers, absent = decode.all_of(workload)
    assert all(any(reason in why for reason in NOT_INSTALLED) for why in absent.values()), absent
    wanted = readers[peers.ROWS]
    assert len(wanted.run()) == ROWS
    assert (peers.ARRAY in readers) == (name in ("documents", "sparse") and "orjson" not in str(absent))
    for label, reader in readers.items():
        found = decode.differences(workload, wanted, reader)
        if label == peers.DRIVER:  # rounds to microseconds, which the others cut off
            found = [text for text in found if "Timestamp" not in text]
        assert found == [], label
        assert reader.size > 0


def test_differences_of_readers_are_found(bench: Any) -> None:
    decode = bench.peers_decode
    workload = bench.registry.ALL["documents"].make(1)

    def reader(*documents: Any) -> Any:
        return decode.Reader("", lambda: [(document,) for document in documents], iter, 0)

    def differences(one: Any, other: Any) -> Any:
        return decode.differences(workload, reader(one), reader(other))

    noon = dt.datetime(2026, 1, 1, 12)
    assert decode.differences(workload, reader({}, {}), reader({})) == ["1 rows instead of 2"]
    assert differences({"a": [1], "b": noon}, {"b": noon.replace(tzinfo=dt.UTC), "a": [1]}) == []
    assert differences({"a": [1]}, {"a": [True]}) == ["doc: 1 of 1 rows, {'a': [True]} instead of {'a': [1]}"]
    assert differences({"a": [1]}, {"a": (1,)}) == ["doc: 1 of 1 rows, {'a': (1,)} instead of {'a': [1]}"]


def test_differences_are_found(bench: Any) -> None:
    workload = bench.registry.ALL["documents"].make(2)
    same, other = b'[{"a":{"b":1}}]', b'[{"a":{"b":2}}]'
    found = bench.engine.differences(workload, [same, same], [same, other])
    assert found == ["doc: 1 of 2 rows, $.a.b: 2 instead of 1"]
    assert bench.engine.differences(workload, [same, same], [same]) == ["1 rows instead of 2"]
    assert bench.engine.kinds_that_differ([b'[{"a":"Int64"}]'], [b'[{"a":"Bool"}]']) == [
        "same values; a is Bool instead of Int64, in 1 of 1 rows"
    ]


def test_neighbours_are_compared(bench: Any) -> None:
    """Every ratio is of a call and the one right before it."""
    calls: list[str] = []
    cells = {
        "ours": bench.measuring.Cell(bench.measuring.repeat(lambda: calls.append("ours"))),
        "theirs": bench.measuring.Cell(bench.measuring.repeat(lambda: calls.append("theirs")), ("ours",)),
    }
    found = bench.measuring.measure(cells, bench.measuring.Pace(rounds=3, cell=0.0001))
    assert list(found["theirs"].ratios) == ["ours"]
    assert len(found["theirs"].ratios["ours"]) == len(found["theirs"].cpu) == 3
    assert len(found["ours"].cpu) == 6
    assert set(calls) == {"ours", "theirs"}


def invented(bench: Any) -> Any:
    """Results of a run that never was."""
    peers, results = bench.peers, bench.results
    found = results.Found(rows=10, columns=22, block_rows=10, auto="Native", checked_rows=10)
    for factor, name in enumerate((peers.NATIVE, peers.ROWS, peers.CYTHON, peers.RUST, peers.ARRAY), 1):
        ratios = {ours: [factor * 1.0, factor * 2.0] for ours in (peers.NATIVE, peers.ROWS) if ours != name}
        found.encode[name] = results.Figures([factor * 1.0], [factor * 1.0], ratios, ratios, 100, 50)
    for name in (peers.NATIVE, peers.ROWS, peers.CYTHON):
        found.null[name] = found.encode[name]
    for suffix in ("", peers.LZ4, peers.KEPT):
        for name in (peers.NATIVE, peers.ROWS, peers.CYTHON):
            one = found.encode[name]
            ratios = {label + suffix: values for label, values in one.ratios.items()}
            found.connect[name + suffix] = results.Figures(one.micros, one.wall, ratios)
    found.embedded = found.connect
    found.calls = {"1": found.connect}
    found.decode, found.decode_off = found.encode.copy(), found.encode
    columns = bench.peers_decode.COLUMNS
    for name in (peers.NATIVE, peers.CYTHON):
        ratios = {peers.NATIVE + columns: [2.0]} if name != peers.NATIVE else {}
        found.decode[name + columns] = results.Figures([1.0], [1.0], ratios, {}, 100)
    found.equal = [peers.NATIVE]
    found.different = {peers.CYTHON: ["<a>: 1 & 2"]}
    run = results.Results(machine={"date": "2026-01-01", "minutes": "1"}, versions={"Python": "3"})
    run.workloads = {"spans": found, "flat": results.Found(decode=found.decode, decode_off=found.decode_off)}
    run.streams = {"Native": results.Stream(5_000_000, 10**9, 40 << 20, 9.0)}
    run.blocks = {"spans": results.Block(10, 100, 250, 400)}
    run.columnar = {"ints from NumPy": {"ours": found.encode[peers.NATIVE]}}
    return run


def test_page_and_chart(bench: Any, tmp_path: pathlib.Path) -> None:
    run = invented(bench)
    page, picture = bench.page.write(run, tmp_path)
    text, peers, columns = page.read_text(), bench.peers, bench.peers_decode.COLUMNS
    assert "| RowBinary to clickhouse-connect: spans | 9x | 4.50x (3.00 to 6.00) | **no** |" in text
    assert "Native | under 32 MiB | 40.0 MiB | **no** |" in text
    assert "client + engine, spans: Native to clickhouse-connect | at most 1/8 | 1/3.00 | **no** |" in text
    assert "ints from NumPy" in text
    what = "client.insert of clickhouse-connect to the accelerated one"
    assert f"| {what}, HTTP: spans | 5x | 4.50x (3.00 to 6.00) | **no** |" in text
    assert f"| {what}, chdb: every workload | never below 1x | 4.50x at least (spans) | yes |" in text
    assert "## client.insert under clickhouse-connect" in text
    assert "| spans + LZ4 | 3.00 us | 1.00 us | 4.50x (3.00 to 6.00) | 4.50x (3.00 to 6.00) |" in text
    assert "| spans, context kept | 1 | 3.00 us |" in text
    goal = "1x | 4.50x (3.00 to 6.00); 4.50x without the garbage collector | yes |"
    assert f"| decoding Native to tuples, to clickhouse-connect: flat | {goal}" in text
    assert "| decoding Native to tuples, to orjson: documents | 1x | - |  |" in text
    of_columns = f"| spans | {peers.CYTHON}{columns} | 100 | 1.00 | 2.00x (2.00 to 2.00) | - | - | - | - |"
    assert of_columns in text
    assert f"| spans | {peers.NATIVE}{columns} | 100 | 1.00 | 1 | - | - | - | - |" in text
    for line in text.splitlines():
        assert not line.startswith("|") or line.endswith("|")
    root = ET.fromstring(picture.read_text())
    assert root.tag.endswith("svg")
    assert any("<a>" not in (element.text or "") for element in root.iter())
    assert "met" in bench.page.summary(run)


def test_results_can_be_kept(bench: Any, tmp_path: pathlib.Path) -> None:
    run = invented(bench)
    run.save(tmp_path / "new" / "results.json")
    assert bench.results.load(tmp_path / "new" / "results.json") == run
    empty = bench.results.Results()
    assert "## Goals" in bench.page.document(empty)
    assert bench.page.chart.draw(empty).startswith("<svg")
