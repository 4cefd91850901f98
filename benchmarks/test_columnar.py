"""Input in columns: contenders that all read the same columns, from memory to a sink."""

from __future__ import annotations

from typing import Any

import pytest
from measuring import Cell, Pace, measure, repeat
from results import Figures, Results

pytest.importorskip("pyarrow")
columnar: Any = pytest.importorskip("columnar")


@pytest.mark.parametrize("name", columnar.ALL)
def test_columns(name: str, results: Results, pace: Pace, benchmark: Any) -> None:
    title, contenders = columnar.ALL[name](5 if results.quick else 1)
    first = next(iter(contenders))
    cells = {
        label: Cell(repeat(run), () if label == first else (first,)) for label, (_, run) in contenders.items()
    }
    for label, timing in measure(cells, pace).items():
        size = contenders[label][0]
        results.columnar.setdefault(title, {})[label] = Figures.of(timing, 1, size)
    benchmark.pedantic(contenders[first][1], rounds=3)
