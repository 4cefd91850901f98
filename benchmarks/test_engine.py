"""The embedded engine: whether it stores the same rows for all contenders, and what reading them costs it."""

from __future__ import annotations

import dataclasses
from typing import Any

import peers
import pytest
import registry
from contenders import Contender, packed
from engine import MERGE_TREE, Engine, differences, kinds_that_differ, rows_of_first_block
from measuring import Pace, measure
from results import Figures, Results, Table
from workloads import Workload

import rowbinary
from rowbinary._choice import choose_format

CHECKED, QUICK_CHECKED = 1_000, 100
"""Rows of each workload that are compared one by one."""
OWN = "the engine's own Native"
SHARED = "the engine's own Native, all paths in shared data"
MEASURED = (peers.NATIVE, peers.ROWS, peers.TEXT, peers.CYTHON, peers.LINES)


@pytest.mark.parametrize("name", registry.ALL)
def test_stored(name: str, engine: Engine, results: Results, quick: bool, benchmark: Any) -> None:
    """What our RowBinary stores is what all others are compared with."""
    checked = QUICK_CHECKED if quick else CHECKED
    workload = registry.ALL[name].make(checked)
    contenders, _ = peers.all_of(workload, quick=quick)
    found = results.of(name)
    found.checked_rows = checked
    wanted, kinds = engine.stored(workload, contenders[peers.ROWS])
    assert len(wanted) == checked
    for label, contender in contenders.items():
        if not contender.format:
            continue
        try:
            rows, their_kinds = engine.stored(workload, contender)
        except RuntimeError as error:
            found.different[label] = [f"refused: {str(error).splitlines()[0][:200]}"]
            continue
        texts = differences(workload, wanted, rows) or kinds_that_differ(kinds, their_kinds)
        if texts:
            found.different[label] = texts
        else:
            found.equal.append(label)
        if label.startswith("rowbinary") and label != peers.TEXT:
            assert not texts, label
    benchmark.pedantic(engine.stored, (workload, contenders[peers.NATIVE]), rounds=1)


Body = tuple[bytes, str, str]
"""With format and settings of the INSERT."""


def bodies_of(engine: Engine, workload: Workload, contenders: dict[str, Contender]) -> dict[str, Body]:
    """What the engine is measured with: some contenders, and what it writes itself."""
    bodies: dict[str, Body] = {}
    for label in MEASURED:
        if label in contenders:
            one = contenders[label]
            bodies[label] = (one.body(), one.format, one.settings)
    block = rows_of_first_block(bodies[peers.NATIVE][0])
    rows = contenders[peers.ROWS]
    bodies[OWN] = (engine.own(workload, rows, block, workload.ddl), "Native", "")
    if workload.name == "sparse":
        # The engine's bytes of a type whose documents have no paths of their own, under the table's type.
        type_ = "JSON(max_dynamic_paths=0)"
        data = engine.own(workload, rows, block, workload.ddl.replace("JSON", type_))
        bodies[SHARED] = (data.replace(bytes([len(type_)]) + type_.encode(), b"\x04JSON"), "Native", "")
    return bodies


@pytest.mark.parametrize("name", registry.ALL)
def test_engine(
    name: str, engine: Engine, results: Results, pace: Pace, share: float, quick: bool, benchmark: Any
) -> None:
    """CPU of an INSERT with one thread, into a Null table and into MergeTree without merges."""
    workload = registry.make(name, share)
    contenders, _ = peers.all_of(workload, quick=quick)
    bodies = bodies_of(engine, workload, contenders)
    found = results.of(name)
    count = found.rows = len(workload.rows)
    found.columns = len(workload.schema)
    found.block_rows = rows_of_first_block(bodies[peers.NATIVE][0])
    version = tuple(map(int, engine.version.split(".")[:2]))
    found.auto = choose_format(rowbinary.Schema(workload.schema), version, fresh=True)
    kinds: list[tuple[str, Table, int | None]] = [("Null", found.null, None)]
    if not quick:
        kinds.append((MERGE_TREE, found.stored, count))
    short = dataclasses.replace(pace, rounds=5, budget=pace.budget / 2)
    for kind, table, expected in kinds:
        engine.create(workload, kind)
        cells = {}
        for label, (body, format, settings) in bodies.items():
            others = () if label == peers.NATIVE else (peers.NATIVE,)
            cells[label] = engine.cell(label, body, format, settings, expected, others)
        for label, timing in measure(cells, pace if expected is None else short).items():
            data = bodies[label][0]
            table[label] = Figures.of(timing, count, len(data), packed(data))
        if expected is None:
            benchmark.pedantic(cells[peers.NATIVE].work, (1,), rounds=3)
        engine.query("DROP TABLE sink SYNC")
    benchmark.extra_info["us/row"] = {label: min(figures.micros) for label, figures in found.null.items()}
