"""What a run found, as plain data: the tests fill it, the page and the chart are written from it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import importlib.metadata
import json
import os
import pathlib
import platform
import statistics
from typing import Any

from measuring import Timing

FILE = pathlib.Path(__file__).resolve().parent.parent / ".benchmarks" / "results.json"
PACKAGES = [
    "rowbinary",
    "clickhouse-connect",
    "clickhouse-connect-core",
    "clickhouse-driver",
    "orjson",
    "msgspec",
    "pyarrow",
    "lz4",
    "numpy",
]


TABLES = ("encode", "null", "stored", "insert", "few", "connect", "embedded", "decode", "decode_off")


@dataclasses.dataclass
class Figures:
    """Of one contender: microseconds per row, CPU and wall, one per turn; ratios to others; bytes per row."""

    micros: list[float] = dataclasses.field(default_factory=list)
    wall: list[float] = dataclasses.field(default_factory=list)
    ratios: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    wall_ratios: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    bytes: float = 0
    lz4: float = 0

    @classmethod
    def of(cls, timing: Timing, rows: int, size: float = 0, lz4: float = 0) -> Figures:
        micros, wall = ([s / rows * 1e6 for s in seconds] for seconds in (timing.cpu, timing.wall))
        return cls(micros, wall, timing.ratios, timing.wall_ratios, size / rows, lz4 / rows)

    @property
    def median(self) -> float:
        """Microseconds of CPU per row."""
        return statistics.median(self.micros)


Table = dict[str, Figures]


@dataclasses.dataclass
class Found:
    """Of one workload.  ``encode`` is the client, ``null`` and ``stored`` the engine, ``insert`` and ``few``
    whole inserts over HTTP; ``connect`` and ``embedded`` those of clickhouse-connect, as it is and
    accelerated, ``calls`` and ``embedded_calls`` those of few rows, a call.  ``decode`` is reading,
    ``decode_off`` the same without the garbage collector."""

    rows: int = 0
    columns: int = 0
    block_rows: int = 0
    auto: str = ""
    encode: Table = dataclasses.field(default_factory=dict)
    null: Table = dataclasses.field(default_factory=dict)
    stored: Table = dataclasses.field(default_factory=dict)
    insert: Table = dataclasses.field(default_factory=dict)
    few: Table = dataclasses.field(default_factory=dict)
    connect: Table = dataclasses.field(default_factory=dict)
    embedded: Table = dataclasses.field(default_factory=dict)
    decode: Table = dataclasses.field(default_factory=dict)
    decode_off: Table = dataclasses.field(default_factory=dict)
    calls: dict[str, Table] = dataclasses.field(default_factory=dict)
    embedded_calls: dict[str, Table] = dataclasses.field(default_factory=dict)
    absent: dict[str, str] = dataclasses.field(default_factory=dict)
    equal: list[str] = dataclasses.field(default_factory=list)
    different: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    checked_rows: int = 0


@dataclasses.dataclass
class Stream:
    """Rows made one by one by a generator, encoded and thrown away."""

    rows: int
    bytes: int
    growth: int
    cpu: float


@dataclasses.dataclass
class Block:
    """Bytes of a Native block, and the most that was allocated to make one, and a stream of them."""

    rows: int
    size: int
    peak: int
    stream_peak: int


@dataclasses.dataclass
class Results:
    """``columnar`` is for input in columns: a title, and figures of gigabytes per second."""

    quick: bool = False
    machine: dict[str, str] = dataclasses.field(default_factory=dict)
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    workloads: dict[str, Found] = dataclasses.field(default_factory=dict)
    streams: dict[str, Stream] = dataclasses.field(default_factory=dict)
    blocks: dict[str, Block] = dataclasses.field(default_factory=dict)
    columnar: dict[str, Table] = dataclasses.field(default_factory=dict)

    def of(self, name: str) -> Found:
        return self.workloads.setdefault(name, Found())

    def save(self, path: pathlib.Path = FILE) -> None:
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(dataclasses.asdict(self), indent=1))


def load(path: pathlib.Path = FILE) -> Results:
    data = json.loads(path.read_text())
    results = Results(data["quick"], data["machine"], data["versions"])
    for name, found in data["workloads"].items():
        tables = {key: _table(found[key]) for key in TABLES if key in found}
        calls = {
            key: {count: _table(table) for count, table in found.get(key, {}).items()}
            for key in ("calls", "embedded_calls")
        }
        results.workloads[name] = Found(**(found | tables | calls))
    results.streams = {name: Stream(**stream) for name, stream in data["streams"].items()}
    results.blocks = {name: Block(**block) for name, block in data["blocks"].items()}
    results.columnar = {title: _table(table) for title, table in data["columnar"].items()}
    return results


def _table(data: dict[str, Any]) -> Table:
    return {name: Figures(**figures) for name, figures in data.items()}


def versions() -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, str]:
    """What the figures depend on, without names of anybody."""
    processor = platform.processor() or platform.machine()
    info = pathlib.Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        processor = names[0] if names else processor
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "processor": processor,
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "load": f"{os.getloadavg()[0]:.1f}",
    }
