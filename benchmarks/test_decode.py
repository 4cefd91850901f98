"""CPU of reading: bytes to rows of Python objects, ours beside the peers'."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
from collections.abc import Iterator
from typing import Any

import peers
import peers_decode
import pytest
import registry
from measuring import Cell, Pace, measure
from peers_decode import COLUMNS, Reader
from results import Figures, Found, Results

CHECKED, QUICK_CHECKED = 1_000, 100
"""Rows of each workload that are compared one by one."""
QUICK = ["documents", "flat", "ints"]
NEVER = 1_000_000
"""Collections of the middle generation before one of all objects."""


def beside(name: str) -> tuple[str, ...]:
    """Those of ours that make the same of the same rows."""
    ours = (peers.NATIVE + COLUMNS,) if name.endswith(COLUMNS) else (peers.ROWS, peers.NATIVE)
    return tuple(one for one in ours if one != name)


def cell(reader: Reader) -> Cell:
    """Rows are let go when the clock has stopped: that costs the same, whoever made them.  The collector then
    finds nothing, and begins every measurement with as many new objects: none.  Those that it has not seen at
    the end it looks at while the clock still runs: nobody gains by keeping it waiting."""
    kept: list[Any] = []

    def work(copies: int) -> None:
        for _ in range(copies):
            kept.append(reader.run())
            if gc.isenabled():
                gc.collect(0)

    def tidy(copies: int) -> None:
        kept.clear()
        gc.collect()

    return Cell(work, beside(reader.name), tidy=tidy)


@contextlib.contextmanager
def collector(on: bool) -> Iterator[None]:
    """All that there is already is out of its sight: bodies, and rows that they were made of.

    It never walks all that is in sight, which would hit one reader of 7,000 documents and, for want of a few
    objects, not the next; in a program with more in memory it would seldom come to that, either.
    """
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*thresholds[:2], NEVER)
    if not on:
        gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def check(name: str, count: int, found: Found) -> None:
    """Everyone reads the rows that our RowBinary gives."""
    workload = registry.ALL[name].make(count)
    readers, _ = peers_decode.all_of(workload)
    for label, reader in readers.items():
        texts = peers_decode.differences(workload, readers[peers.ROWS], reader)
        assert not (texts and label.startswith("rowbinary")), texts
        if texts:
            found.different[f"decoding: {label}"] = texts
        else:
            found.equal.append(f"decoding: {label}")


@pytest.mark.parametrize("name", registry.DECODED)
def test_decode(name: str, results: Results, pace: Pace, share: float, quick: bool, benchmark: Any) -> None:
    """With the collector, as in most programs, and without."""
    if quick and name not in QUICK:
        pytest.skip("left out of the quick run")
    found = results.of(name)
    check(name, QUICK_CHECKED if quick else CHECKED, found)
    workload = registry.make(name, share)
    found.rows, found.columns = len(workload.rows), len(workload.schema)
    readers, absent = peers_decode.all_of(workload)
    found.absent |= {f"{label}, decoding": why for label, why in absent.items()}
    cells = {label: cell(reader) for label, reader in readers.items()}
    tuples = {label: one for label, one in cells.items() if not label.endswith(COLUMNS)}
    short = dataclasses.replace(pace, budget=pace.budget / 3)
    shorter = dataclasses.replace(pace, rounds=min(pace.rounds, 5), budget=pace.budget / 5)
    for on, table in ((True, found.decode), (False, found.decode_off)):
        with collector(on):
            times = measure(cells, short) if on else measure(tuples, shorter)
        for label, timing in times.items():
            table[label] = Figures.of(timing, found.rows, readers[label].size)
    benchmark.extra_info["us/row"] = {label: min(figures.micros) for label, figures in found.decode.items()}
    with collector(True):
        benchmark.pedantic(readers[peers.NATIVE].run, rounds=3)
