"""CPU of the client: rows in, bytes out, ours beside the peers', with and without compression."""

from __future__ import annotations

from typing import Any

import peers
import pytest
import registry
from contenders import Contender, packed
from measuring import Cell, Pace, measure, repeat
from results import Figures, Results

PACKED = (peers.ROWS + peers.LZ4, peers.NATIVE + peers.LZ4)
PLAIN = (peers.ROWS, peers.NATIVE)


def beside(contender: Contender) -> tuple[str, ...]:
    """Those of ours that do the same work."""
    return tuple(name for name in (PACKED if contender.packing else PLAIN) if name != contender.name)


@pytest.mark.parametrize("name", registry.ALL)
def test_encode(name: str, results: Results, pace: Pace, share: float, quick: bool, benchmark: Any) -> None:
    workload = registry.make(name, share)
    contenders, absent = peers.all_of(workload, quick=quick)
    contenders |= peers.limits_of(contenders)
    cells = {
        label: Cell(repeat(contender.size), beside(contender)) for label, contender in contenders.items()
    }
    times = measure(cells, pace)
    found = results.of(name)
    found.rows, found.columns, found.absent = len(workload.rows), len(workload.schema), absent
    for label, timing in times.items():
        contender = contenders[label]
        if contender.packing:
            figures = Figures.of(timing, found.rows, 0, contender.size())
        else:
            data = contender.body()
            figures = Figures.of(timing, found.rows, len(data), packed(data))
        found.encode[label] = figures
    benchmark.extra_info["us/row"] = {label: min(figures.micros) for label, figures in found.encode.items()}
    benchmark.pedantic(contenders[peers.NATIVE].size, rounds=3)
