"""All workloads, what they are called in tables, and how many rows they have: about one Native block each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import workloads
import workloads_otel
from workloads import Workload


@dataclasses.dataclass(frozen=True)
class Entry:
    """``title`` is for tables; ``short`` for narrow columns and the chart."""

    title: str
    short: str
    rows: int
    make: Callable[[int], Workload]


ALL: dict[str, Entry] = {
    entry.make.__name__: entry
    for entry in (
        Entry("OpenTelemetry spans, 22 columns, 16 attributes in JSON", "spans", 9_000, workloads_otel.spans),
        Entry(
            "spans as the load generator sends them, 5 attributes",
            "spans, loadgen",
            14_000,
            workloads_otel.loadgen,
        ),
        Entry(
            "spans of a web shop, 25 attributes, events, errors",
            "spans, service",
            6_000,
            workloads_otel.service,
        ),
        Entry("JSON documents, about 30 paths, arrays of objects", "documents", 7_000, workloads.documents),
        Entry("ten mixed columns", "flat", 40_000, workloads.flat),
        Entry("ten Int64", "ints", 50_000, workloads.ints),
        Entry("a map, an array and a tuple", "maps and arrays", 11_000, workloads.arrays),
        Entry("two hundred columns", "wide", 3_000, workloads.wide),
        Entry("Array(Float32) of 768", "embeddings", 1_400, workloads.embeddings),
        Entry("JSON, 1,000 distinct paths, 10 in a row", "sparse JSON", 5_000, workloads.sparse),
    )
}
# Inserts over HTTP.
INSERTED = ["spans", "documents", "flat", "ints", "arrays"]
# Read again.
DECODED = ["spans", "documents", "flat", "ints", "arrays", "wide"]


def make(name: str, share: float = 1) -> Workload:
    """The workload, with `share` of its rows."""
    entry = ALL[name]
    return entry.make(max(1, round(entry.rows * share)))
