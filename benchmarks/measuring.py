"""The one clock of the benchmarks: CPU time of calls that take turns.

On a shared machine the same call costs up to twice the CPU from one minute to the next, so only calls that
are neighbours in time can be compared: those that a cell is compared with run again right before it,
every time, and ratios are of such pairs.  The rows are frozen out of the collector, as most programs
have little else in memory that it could walk.
"""

from __future__ import annotations

import dataclasses
import gc
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

QUICK = 0.02
"""What takes less runs once before it is measured: caches and the allocator's memory are then its own."""
SLOW = 0.2
"""What takes more is not tried twice before."""


@dataclasses.dataclass(frozen=True)
class Pace:
    """Each cell is measured in `rounds` turns, or in fewer where they take more than `budget` seconds.

    A measurement takes `cell` seconds of CPU at least, about: what is quicker is repeated.
    """

    rounds: int = 7
    budget: float = 1.0
    cell: float = 0.012

    def turns(self, seconds: float) -> int:
        return min(self.rounds, max(2, int(self.budget / seconds)))


def _nothing(copies: int) -> None:
    pass


@dataclasses.dataclass(frozen=True)
class Cell:
    """Something to measure.  ``work`` does it as many times over as it is told.

    ``prepare`` is told before how many times that will be; ``tidy`` runs after each ``work``, unmeasured.
    ``beside``: the cells that this one is compared with.
    """

    work: Callable[[int], object]
    beside: Sequence[str] = ()
    prepare: Callable[[int], object] = _nothing
    tidy: Callable[[int], object] = _nothing


@dataclasses.dataclass
class Timing:
    """Seconds for doing the work once, one item per turn; ``ratios`` to its neighbours, by their names."""

    cpu: list[float] = dataclasses.field(default_factory=list)
    wall: list[float] = dataclasses.field(default_factory=list)
    ratios: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    wall_ratios: dict[str, list[float]] = dataclasses.field(default_factory=dict)


def repeat(run: Callable[[], object]) -> Callable[[int], None]:
    """`run` as the ``work`` of a cell."""

    def work(copies: int) -> None:
        for _ in range(copies):
            run()

    return work


class _Measured:
    """A cell while it is measured."""

    def __init__(self, cell: Cell, pace: Pace):
        self.cell = cell
        self.copies = 1
        self.quick = False
        self.timing = Timing()
        cell.prepare(1)
        first, _ = self._once()  # imports, caches
        if first < SLOW:
            first, _ = self._once()
        self.quick = first < QUICK
        self.copies = max(1, math.ceil(pace.cell / max(first, 1e-6)))
        self.turns = pace.turns(max(first, 1e-6))
        cell.prepare(self.copies)

    def _once(self) -> tuple[float, float]:
        wall, cpu = time.perf_counter(), time.process_time()
        self.cell.work(self.copies)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        self.cell.tidy(self.copies)
        return cpu / self.copies, wall / self.copies

    def once(self) -> tuple[float, float]:
        if self.quick:
            self._once()
        cpu, wall = self._once()
        self.timing.cpu.append(cpu)
        self.timing.wall.append(wall)
        return cpu, wall


def measure(cells: Mapping[str, Cell], pace: Pace) -> dict[str, Timing]:
    """All cells, in turns; every round starts with another one."""
    measured = {name: _Measured(cell, pace) for name, cell in cells.items()}
    order = list(measured)
    gc.collect()
    gc.freeze()
    for turn in range(pace.rounds):
        first = turn * 5 % len(order)
        for name in order[first:] + order[:first]:
            one = measured[name]
            if turn >= one.turns:
                continue
            before = {other: measured[other].once() for other in one.cell.beside if other in measured}
            cpu, wall = one.once()
            for other, (other_cpu, other_wall) in before.items():
                one.timing.ratios.setdefault(other, []).append(cpu / other_cpu)
                one.timing.wall_ratios.setdefault(other, []).append(wall / other_wall)
    gc.unfreeze()
    return {name: one.timing for name, one in measured.items()}


def number(value: float) -> str:
    """Three digits that count, at most two decimals."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(values: Sequence[float], sign: str = "") -> str:
    """Median and range."""
    if not values:
        return "-"
    return f"{number(statistics.median(values))}{sign} ({number(min(values))} to {number(max(values))})"
