"""CPU time of encoding, ours beside the peers', as ratios of calls that ran right after each other.

make bench
"""

from __future__ import annotations

import gc
import statistics
import time
from typing import Any

import peers
import pytest
import workloads

ROUNDS = 9


def cpu(run: peers.Run) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def measure(runs: dict[str, peers.Run]) -> dict[str, list[float]]:
    """CPU seconds per contender; contenders take turns, the input is frozen out of the collector."""
    for run in runs.values():
        run()
    gc.collect()
    gc.freeze()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            times[name].append(cpu(run))
    gc.unfreeze()
    return times


@pytest.mark.parametrize("name", workloads.ALL)
def test_encode(name: str, benchmark: Any, report: list[str]) -> None:
    workload = workloads.ALL[name]()
    workload.dicts  # noqa: B018 (made before the clock runs)
    runs = peers.all_of(workload)
    times = measure(runs)
    base = times["rowbinary"]
    count = len(workload.rows)
    report += ["", f"{name}: {count} rows, {len(workload.schema)} columns"]
    report.append(f"  {'':28} us/row   time / ours (median, min to max)   bytes/row")
    for contender, seconds in times.items():
        ratios = [theirs / ours for theirs, ours in zip(seconds, base, strict=True)]
        report.append(
            f"  {contender:28} {min(seconds) / count * 1e6:6.3f}   {statistics.median(ratios):6.2f}x "
            f"({min(ratios):.2f} to {max(ratios):.2f}){'':12} {runs[contender]() / count:8.0f}"
        )
    benchmark.extra_info["ratios"] = {
        k: statistics.median(v) / statistics.median(base) for k, v in times.items()
    }
    benchmark.pedantic(runs["rowbinary"], rounds=5)
