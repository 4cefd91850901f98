"""What the isolated programs share: memory of this process, and the repetition that shows a leak."""

from __future__ import annotations

import gc
import resource
import sys
from collections.abc import Callable


def rss() -> int:
    """Resident bytes now."""
    try:
        with open("/proc/self/statm") as statm:  # noqa: PTH123 (nothing more to import)
            return int(statm.read().split()[1]) * resource.getpagesize()
    except OSError:
        return peak()


def peak() -> int:
    """The most resident bytes there ever were."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def share() -> float:
    """Of the rounds of a program that repeats, those to go through: its second argument."""
    return float(sys.argv[2]) if len(sys.argv) > 2 else 1.0


def assert_no_growth(work: Callable[[], object], rounds: int, allowed: int = 2 << 20) -> None:
    """Fail when `rounds` of `work` (or a share) keep memory: blocks of the allocator, or pages.

    A round meets every case several times, so what leaks keeps more than one block per round; the
    free lists of the interpreter are good for some hundred blocks in all, also in few rounds.
    """
    rounds = round(rounds * share())
    most = rounds if share() == 1 else 300
    for _ in range(rounds // 2):
        work()
    for attempt in range(20):  # what leaks does so every time; caches and free lists are full some day
        gc.collect()
        blocks, before = sys.getallocatedblocks(), rss()
        for _ in range(rounds):
            work()
        gc.collect()
        kept, grown = sys.getallocatedblocks() - blocks, rss() - before
        if kept < most and grown < allowed:
            return
        print(f"{kept} blocks and {grown} bytes kept in attempt {attempt}", file=sys.stderr)
    assert kept < most, f"{kept} blocks kept after {rounds} rounds"
    assert grown < allowed, f"{grown} bytes kept after {rounds} rounds"
