"""``make demo``: spans as JSON Lines into an embedded ClickHouse, and what became of them.

    python benchmarks/demo.py [--rows 200000] [--directory demo]

Writes demo/spans.jsonl and the engine's data to demo/clickhouse; a run replaces those of the last one.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import demo_spans
from rich.console import Console
from rich.table import Table as RichTable

import rowbinary
from rowbinary._embedded import Embedded
from rowbinary.cli._files import InputFile
from rowbinary.cli._formats import JsonLines
from rowbinary.cli._insert import Job, Outcome, run
from rowbinary.protocol import Table

TABLE = "otel_traces"
PIECE = 1 << 20
BATCH = 2_000  # rows parsed, then encoded, at a time
BODY = 4 << 20  # bytes of encoded rows that are written at once: a Native block
FORMATS: tuple[rowbinary.Format, ...] = ("Native", "RowBinary")
ROUNDS = 2
# One thread and no parallel parsing: the question is how much work a format is, not how it spreads.
ONE_THREAD = {"max_threads": 1, "max_insert_threads": 1, "input_format_parallel_parsing": 0}


class Files(NamedTuple):
    """Where the demo keeps its things."""

    spans: Path
    encoded: dict[str, Path]  # the same rows by format
    database: Path


class Stage(NamedTuple):
    """One stage by itself: seconds of the clock, and bytes that came out of (or went into) it."""

    name: str
    seconds: float
    size: int


class Stopwatch:
    """Adds up the time between ``with`` and its end."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *exception: object) -> None:
        self.seconds += time.perf_counter() - self._start


def prepare(directory: Path) -> Files:
    """An empty `directory`, but for what others may have put there."""
    encoded = {format: directory / f"spans.{format.lower()}" for format in FORMATS}
    files = Files(directory / "spans.jsonl", encoded, directory / "clickhouse")
    directory.mkdir(parents=True, exist_ok=True)
    for path in (files.spans, *encoded.values()):
        path.unlink(missing_ok=True)
    shutil.rmtree(files.database, ignore_errors=True)
    return files


def generate(files: Files, rows: int) -> Stage:
    """Write the spans."""
    watch = Stopwatch()
    with watch, files.spans.open("wb") as out:
        out.writelines(demo_spans.lines(rows))
    return Stage("generate JSON Lines", watch.seconds, files.spans.stat().st_size)


def insert(files: Files) -> Outcome:
    """What ``rowbinary insert demo/spans.jsonl --table otel_traces --to chdb:///...`` does."""
    job = Job(files=(str(files.spans),), table=TABLE, url=f"chdb://{files.database}")
    return run(job, print, lambda source: lambda rows, read, raw, sent: None)


def parse_and_encode(files: Files, schema: rowbinary.Schema) -> list[Stage]:
    """These stages alone, in turns of some rows; the encoded rows go to files for the next step."""
    parsing = Stopwatch()
    parsed = JsonLines().read(InputFile(str(files.spans), 64 << 20))
    encoders = [rowbinary.Encoder(schema, format=format) for format in FORMATS]
    watches = [Stopwatch() for _ in FORMATS]
    with contextlib.ExitStack() as stack:
        outs = [stack.enter_context(path.open("wb")) for path in files.encoded.values()]
        rows: list[Any] = [None]
        while rows:
            with parsing:
                rows = [line.row for _, line in zip(range(BATCH), parsed, strict=False)]
            for encoder, watch, out in zip(encoders, watches, outs, strict=True):
                with watch:
                    encoder.write_rows(rows)
                    body = encoder.take() if not rows or len(encoder) >= BODY else b""
                out.write(body)
    stages = [Stage("parse JSON Lines", parsing.seconds, files.spans.stat().st_size)]
    for format, watch in zip(FORMATS, watches, strict=True):
        stages.append(Stage(f"encode {format}", watch.seconds, files.encoded[format].stat().st_size))
    return stages


def pieces(path: Path) -> Iterator[bytes]:
    """The file, 1 MiB at a time."""
    with path.open("rb") as body:
        while piece := body.read(PIECE):
            yield piece


def send(
    engine: Embedded, table: str, columns: tuple[str, ...], format: str, body: Iterable[bytes], rows: int,
    settings: dict[str, int] | None = None,
) -> None:  # fmt: skip
    """One insert of bytes that are encoded already."""
    into = engine.insert(Table(None, table), columns, format, settings)
    for piece in body:
        into.append(piece)
    into.finish(rows)


def create(engine: Embedded, table: str, kind: str) -> None:
    """The traces table, with another name or engine."""
    engine.execute(f"DROP TABLE IF EXISTS {table}")
    engine.execute(demo_spans.CREATE.format(table=table, engine=kind))


def engine_stage(engine: Embedded, files: Files, columns: tuple[str, ...], rows: int) -> Stage:
    """The engine alone: rows that are encoded already into a second MergeTree."""
    create(engine, "copy", demo_spans.MERGE_TREE)
    watch = Stopwatch()
    with watch:
        send(engine, "copy", columns, "Native", pieces(files.encoded["Native"]), rows)
    engine.execute("DROP TABLE copy")
    return Stage("engine insert, MergeTree", watch.seconds, files.encoded["Native"].stat().st_size)


def engine_cpu(engine: Embedded, files: Files, columns: tuple[str, ...], rows: int) -> dict[str, float]:
    """CPU seconds of this process, all threads, to read the rows into ``ENGINE = Null``; best of some."""
    create(engine, "nothing", "Null")
    bodies = {**files.encoded, "JSONEachRow": files.spans}
    best = dict.fromkeys(bodies, float("inf"))
    for _ in range(ROUNDS):
        for format, path in bodies.items():
            start = time.process_time()
            send(engine, "nothing", columns, format, pieces(path), rows, ONE_THREAD)
            best[format] = min(best[format], time.process_time() - start)
    return best


def same_as_text(engine: Embedded, files: Files, columns: tuple[str, ...], rows: int) -> bool:
    """Whether the first rows are stored alike from JSON text: every value, every path with its type."""
    rows = min(rows, 2_000)
    create(engine, "as_text", demo_spans.MERGE_TREE)
    with files.spans.open("rb") as lines:
        body = [line for _, line in zip(range(rows), lines, strict=False)]
    send(engine, "as_text", columns, "JSONEachRow", body, rows)
    documents = ["ResourceAttributes", "SpanAttributes"]
    paths = ", ".join(f"JSONAllPathsWithTypes({name})" for name in documents)
    digest = f"cityHash64(toString(tuple(*)), toString(tuple({paths})))"
    newest = "(SELECT max(Timestamp) FROM as_text)"
    ours = f"SELECT count(), groupBitXor({digest}) FROM {TABLE} WHERE Timestamp <= {newest}"
    return engine.query(ours) == engine.query(f"SELECT count(), groupBitXor({digest}) FROM as_text")


# --- the show -----------------------------------------------------------------------------------------


def table(title: str, *columns: str, rows: Iterable[Iterable[object]]) -> RichTable:
    """A table for the console: the first column to the left, the others to the right."""
    made = RichTable(title=title, title_justify="left", title_style="bold")
    for index, column in enumerate(columns):
        made.add_column(column, justify="right" if index else "left", no_wrap=True)
    for row in rows:
        made.add_row(*map(str, row))
    return made


def landed(engine: Embedded) -> RichTable:
    """What the engine says about the table."""
    rows, traces, services, first, last = engine.query(
        f"SELECT count(), uniqExact(TraceId), uniqExact(ServiceName), "
        f"toString(min(Timestamp)), toString(max(Timestamp)) FROM {TABLE}"
    )[0]
    parts, disk = engine.query(
        "SELECT count(), formatReadableSize(sum(bytes_on_disk)) FROM system.parts "
        f"WHERE database = currentDatabase() AND table = '{TABLE}' AND active"
    )[0]
    facts = {
        "rows": f"{int(rows):,}",
        "traces": f"{int(traces):,}",
        "services": services,
        "from": first,
        "to": last,
        "on disk": f"{disk} in {parts} part(s)",
    }
    return table("What landed", "otel_traces", "", rows=facts.items())


def stored_types(engine: Embedded) -> RichTable:
    """The paths inside the span attributes, with the types they are stored as."""
    rows = engine.query(
        "SELECT tupleElement(pair, 1) AS path, tupleElement(pair, 2) AS type, count() AS rows "
        f"FROM {TABLE} ARRAY JOIN JSONAllPathsWithTypes(SpanAttributes) AS pair "
        "GROUP BY path, type ORDER BY path, type"
    )
    shown = ((path, type_, f"{int(count):,}") for path, type_, count in rows)
    return table("SpanAttributes: stored paths and types", "path", "type", "rows", rows=shown)


def slowest(engine: Embedded) -> RichTable:
    """Services by the 99th percentile of their durations."""
    rows = engine.query(
        "SELECT ServiceName, count(), round(quantileExact(0.5)(Duration) / 1e6, 1), "
        "round(quantileExact(0.99)(Duration) / 1e6, 1) AS p99, "
        "round(100 * countIf(SpanAttributes.http.response.status_code.:Int64 >= 500) / count(), 1) "
        f"FROM {TABLE} GROUP BY ServiceName ORDER BY p99 DESC LIMIT 5"
    )
    shown = ((name, f"{int(count):,}", *numbers) for name, count, *numbers in rows)
    columns = ("service", "spans", "p50 ms", "p99 ms", "5xx %")
    return table("Slowest services by p99, from SQL", *columns, rows=shown)


def stages_table(stages: list[Stage], rows: int) -> RichTable:
    """Speed of every stage by itself."""
    shown = (
        (s.name, f"{s.seconds:.2f}", f"{rows / s.seconds:,.0f}", f"{s.size / s.seconds / 1e6:,.0f}",
         f"{s.size / rows:,.0f}")
        for s in stages
    )  # fmt: skip
    columns = ("stage", "seconds", "rows/s", "MB/s", "bytes/row")
    return table("Each stage by itself", *columns, rows=shown)


def cpu_table(cpu: dict[str, float], rows: int) -> RichTable:
    """The engine's work for the same rows in each format."""
    text = cpu["JSONEachRow"]
    names = {
        "Native": "Native, JSON as paths (this library)",
        "RowBinary": "RowBinary, binary JSON (this library)",
        "JSONEachRow": "JSONEachRow, JSON as text",
    }
    shown = (
        (names[format], f"{seconds:.2f}", f"{seconds / rows * 1e6:.1f}", f"{seconds / text:.2f}x")
        for format, seconds in cpu.items()
    )
    columns = ("same rows as", "CPU s", "us/row", "of text")
    return table("The engine's CPU to read them (ENGINE = Null)", *columns, rows=shown)


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; the exit code is 1 when something is not as it should be."""
    parser = argparse.ArgumentParser(description="Spans into an embedded ClickHouse.")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--directory", type=Path, default=Path("demo"))
    options = parser.parse_args(arguments)
    files = prepare(options.directory.resolve())
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(f"rowbinary {rowbinary.__version__}, {rowbinary.implementation} implementation")
    with contextlib.suppress(KeyboardInterrupt):
        return show(console, files, options.rows)
    return 1


def show(console: Console, files: Files, rows: int) -> int:
    """All steps in order, with what each has to tell."""
    working: Callable[[str], contextlib.AbstractContextManager[object]] = console.status
    with working(f"writing {rows:,} spans ..."):
        stages = [generate(files, rows)]
    with Embedded(files.database) as engine:
        console.print(f"engine {engine.query('SELECT version()')[0][0]}, data in {files.database}\n")
        create(engine, TABLE, demo_spans.MERGE_TREE)
        with working("rowbinary insert ..."):
            outcome = insert(files)
        console.print(
            f"rowbinary insert {files.spans.name} --table {TABLE} --to chdb://...: "
            f"{outcome.landed.rows:,} rows in {outcome.seconds:.1f} s, "
            f"{outcome.rows / outcome.seconds:,.0f} rows/s\n",
            highlight=False,
            soft_wrap=True,
        )
        for view in (landed, stored_types, slowest):
            console.print(view(engine))
        schema = engine.describe(Table(None, TABLE))
        with working("each stage by itself ..."):
            stages += parse_and_encode(files, schema)
            stages.append(engine_stage(engine, files, schema.names, rows))
        console.print(stages_table(stages, rows))
        with working("the engine's CPU ..."):
            cpu = engine_cpu(engine, files, schema.names, rows)
        console.print(cpu_table(cpu, rows))
        alike = same_as_text(engine, files, schema.names, rows)
    for path in files.encoded.values():
        path.unlink()
    console.print(f"Stored exactly as from JSON text (2,000 rows compared): {'yes' if alike else 'NO'}")
    return 0 if alike and outcome.landed.rows == rows else 1


if __name__ == "__main__":
    sys.exit(main())
