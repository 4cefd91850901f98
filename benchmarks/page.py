"""docs/benchmarks.md from the results of a run.

python benchmarks/page.py      # writes the page and the chart again, from the last results of make bench
"""

from __future__ import annotations

import pathlib
import statistics
import textwrap
from collections.abc import Iterable, Sequence

import chart
import goals
import peers
import peers_decode
import registry
import results as stored
from measuring import number, spread
from results import Figures, Found, Results, Table

MADE = "<!-- made by `make bench` (benchmarks/page.py): do not edit -->"

INTRO = """# Benchmarks

Python rows to bytes for ClickHouse, beside what one would take otherwise, and what the server pays for them.

```
make bench         # makes this page, in {minutes} minutes on this machine
make bench-quick   # goals and ratios only, from a fifth of the rows, in two minutes
```

{machine}

**How it is measured.** CPU time of the process, user and system, not the clock on the wall. All contenders
take turns, and whatever is compared runs right after what it is compared with: ratios are medians of such
neighbours, with the range of all rounds in brackets. On shared cores the same call costs up to twice as
much from one minute to the next: compare ratios, never the times of two runs, and trust no difference below
a fifth. The number of rows matters too: with a fifth of them, as in the quick run, more stays in the
caches, and some ratios are half as large. Rows are Python objects, made before; conversions that a format
needs (documents to text, quoted nanoseconds) are part of the work. The rows are frozen out of the garbage
collector. Everything goes into a sink that counts bytes.

**The others**, through their own code:

- *clickhouse-connect*: what its `insert` does between rows and socket, with its Cython codec and its Rust
  codec (strict, so that it never falls back). JSON columns go as text inside Native blocks.
- *clickhouse-driver*: its stream of Native blocks, into a list instead of a socket.
- *orjson* and *msgspec*: JSON Lines (`JSONEachRow`), orjson also one array of all rows in one call. "Not
  insertable" is without the quotes around nanoseconds that the server needs.
- *pyarrow*: `Table.from_pylist` and an IPC stream (`ArrowStream`), documents as text.
- *With LZ4*: our frames with checksums, 1 MiB each; LZ4 frames of clickhouse-connect, pyarrow and orjson;
  the compressed blocks of clickhouse-driver.
"""

GOALS = """## Goals

Times as fast, tuples in, chunks out, if not said otherwise. clickhouse-connect is the faster of its codecs on
that workload, orjson one array of dicts."""

ENGINE = """## Client and engine

us of CPU per row, medians, and bytes per row on the wire.

- *engine*: the embedded engine with one thread, an INSERT into a Null table; *MergeTree*: compact parts, no
  merges.
- *clickhouse-connect*: the client is its faster codec; JSON as text in Native.
- *the engine's own Native*: its answer to `SELECT ... FORMAT Native` for the same rows in blocks of the same
  size, which is what a perfect client would send.
- `format="auto"` takes {picks} for all of these workloads."""

INSERTS = """## Whole inserts

Over HTTP with LZ4, on this machine, in Native. Beside the parts of the work: five times the rows, into a
server that throws them away; the client's stages overlap, so its wall time can be below that of the same
steps one after another. Beside clickhouse-connect: into a Null table."""

CONNECT = """## client.insert under clickhouse-connect

The whole call, `client.insert(table, rows)` of tuples: CPU of clickhouse-connect's client as it is, as a
multiple of that of the accelerated one (`rowbinary.connect.accelerate`). Over HTTP with the faster of its
codecs; the server, which throws the rows away, is another process and does not count. With `chdb://` client
and engine are one process and both count; half of the rows, into a Null table. Before that, 200 rows go into
a Memory table, and must be stored as clickhouse-connect stores them; where only types of JSON paths differ,
the end of this page says so."""

DECODE = """## Decoding

Bytes to Python objects, from memory in one piece: CPU of the others, as a multiple of ours. All read the same
rows, which is checked before (the end of this page says where values differ).

- *rowbinary*: `decode_rows` to tuples; documents are nested dicts, datetimes have a time zone.
- *clickhouse-connect*: what its `query` does between socket and `result_rows`, by default: without NumPy,
  datetimes without time zone. *clickhouse-driver*: its stream of blocks. Both read our Native; the engine's
  differs by a few bytes. JSON columns are typed there, not text.
- *orjson* and *msgspec*: the same documents as JSON text. *pyarrow*: an IPC stream to lists, these to tuples.

The garbage collector is on, as in most programs, and walks new rows while others are made: up to a third of
the time where rows are full of lists and dicts. Collections of all objects are left out, since when they come
depends on what else is in memory; beside the figures is what the same costs with the collector off. Every
measurement begins with no objects in its sight and ends with none that are new to it; letting go of the rows
is not measured."""

MEMORY = """## Memory

Rows made one by one by a generator into `iter_encode`, in a process of its own: how much the resident memory
grows from before the first row to its peak. CPU with the generator."""

COLUMNS = """## Input in columns

Gigabytes of output a second, of CPU and of wall time; CPU and wall time as a multiple of the first. Two
threads gain where there is something to compute; copies are as fast as the memory, which both share."""

CHECKED = """## Same rows

The first {rows:,} rows of every workload went into the embedded engine as each contender sends them, and were
read back and compared row by row, with the types of JSON paths; so were the rows that each decodes with
those that we decode: {equal} times the same{but}"""


def table(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """Markdown; the first `left` columns are text, the others numbers."""
    rule = ["---" if index < left else "--:" for index in range(len(head))]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *rows))


def bytes_of(value: float) -> str:
    return f"{value:,.0f}" if value else ""


def title_of(name: str, found: Found) -> str:
    return f"**{registry.ALL[name].short}**: {registry.ALL[name].title} ({found.rows:,} rows)"


# --- sections ------------------------------------------------------------------------------------


def machine(results: Results) -> str:
    about = results.machine
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    where = ", ".join(about.get(key, "?") for key in ("processor", "system"))
    text = (
        f"Measured {about.get('date', '?')} on {about.get('cores', '?')} cores ({where}; load average "
        f"{about.get('load', '?')} before it began): {versions}."
    )
    return textwrap.fill(text, 110, break_on_hyphens=False)


def goals_section(results: Results) -> str:
    marks = {True: "yes", False: "**no**", None: ""}
    rows = [(goal.what, goal.goal, goal.found, marks[goal.met]) for goal in goals.all_of(results)]
    return GOALS + "\n\n" + table(("what", "goal", "found", "met"), rows)


def ratios_section(results: Results) -> str:
    """One line per workload: how many times as much CPU the others take."""
    names = [peers.CYTHON, peers.RUST, peers.DRIVER, peers.ARRAY, peers.LINES, peers.MSGSPEC, peers.ARROW]
    parts = ["## Client\n\nCPU of the others, as a multiple of ours, tuple rows, without compression."]
    for ours in (peers.NATIVE, peers.ROWS):
        rows = []
        for name, found in results.workloads.items():
            if ours not in found.encode:
                continue
            cells = [_multiple(found.encode.get(other), ours) for other in names]
            mine = found.encode[ours]
            rows.append([registry.ALL[name].short, f"{number(mine.median)} us", *cells])
        parts.append(table([ours, "a row", *names], rows))
    return "\n\n".join(parts)


def _multiple(figures: Figures | None, ours: str) -> str:
    return (
        f"{number(statistics.median(figures.ratios[ours]))}x" if figures and ours in figures.ratios else "-"
    )


def encode_section(results: Results) -> str:
    """All figures of the client."""
    parts = ["### All of it\n\nus of CPU per row; bytes per row, as they are and with LZ4."]
    for name, found in results.workloads.items():
        if not found.encode:
            continue
        rows = []
        for label, one in found.encode.items():
            packed = peers.NATIVE + peers.LZ4 in one.ratios or label == peers.NATIVE + peers.LZ4
            suffix = peers.LZ4 if packed else ""
            cells = [
                spread(one.ratios.get(base + suffix, []), "x") if label != base + suffix else "1"
                for base in (peers.NATIVE, peers.ROWS)
            ]
            rows.append([label, number(one.median), *cells, bytes_of(one.bytes), bytes_of(one.lz4)])
        head = ("contender", "us", "to our Native", "to our RowBinary", "bytes", "LZ4")
        parts.append(title_of(name, found) + "\n\n" + table(head, rows))
        parts += [f"Left out: {label} ({why})." for label, why in found.absent.items()]
    return "\n\n".join(parts)


def engine_section(results: Results) -> str:
    """What a user pays: the client, the wire, the engine."""
    rows = []
    for name, found in results.workloads.items():
        for label, null in found.null.items():
            client = goals.faster(found.encode) if label == peers.CYTHON else label
            made = found.encode.get(client or "")
            stored_ = found.stored.get(label)
            cells = [
                registry.ALL[name].short,
                "clickhouse-connect" if label == peers.CYTHON else label,
                number(made.median) if made else "",
                number(null.median),
                _multiple(null, peers.NATIVE) if label != peers.NATIVE else "1",
                f"**{number(made.median + null.median)}**" if made else "",
                bytes_of(null.bytes),
                bytes_of(null.lz4),
                number(stored_.median) if stored_ else "",
            ]
            rows.append(cells)
    head = (
        "workload",
        "format",
        "client",
        "engine",
        "to our Native",
        "client + engine",
        "bytes",
        "LZ4",
        "engine, MergeTree",
    )
    picks = {found.auto for found in results.workloads.values() if found.auto}
    return ENGINE.format(picks=" and ".join(sorted(picks)) or "-") + "\n\n" + table(head, rows, 2)


def insert_section(results: Results) -> str:
    base = "rowbinary"
    rows = []
    few = []
    for name, found in results.workloads.items():
        if base not in found.insert:
            continue
        mine = found.insert[base]
        others = [label for label in found.insert if label.startswith("clickhouse-connect")]
        rows.append(
            [
                registry.ALL[name].short,
                f"{number(mine.median)} us",
                *(spread(values, "x") for values in _parts(mine)),
                ", ".join(f"{_multiple(found.insert[label], base)}" for label in others),
            ]
        )
        for label, one in found.few.items():
            if base in one.ratios:
                pair = (spread(one.ratios[base], "x"), spread(one.wall_ratios[base], "x"))
                few.append([registry.ALL[name].short, label, *pair])
    if not rows:
        return ""
    head = (
        "workload",
        "client, a row",
        "CPU to encoding + LZ4 + checksum alone",
        "wall time to the serial sum",
        "clickhouse-connect (Cython, Rust), CPU to ours",
    )
    small = table(("workload", "client", "CPU", "wall time"), few, 2)
    return f"{INSERTS}\n\n{table(head, rows)}\n\nInserts of 100 rows, to ours:\n\n{small}"


def _parts(figures: Figures) -> list[list[float]]:
    cpu = next(iter(figures.ratios.values()), [])
    wall = list(figures.wall_ratios.values())[1:2]
    return [cpu, wall[0] if wall else []]


def connect_section(results: Results) -> str:
    http: list[list[str]] = []
    chdb: list[list[str]] = []
    few: list[list[str]] = []
    few_chdb: list[list[str]] = []
    for name, found in results.workloads.items():
        short = registry.ALL[name].short
        for suffix in ("", peers.LZ4):
            http += _accelerated([short + suffix], found.connect, suffix)
        chdb += _accelerated([short], found.embedded)
        for rows, tables in ((few, found.calls), (few_chdb, found.embedded_calls)):
            for count, calls in tables.items():
                for kept in ("", peers.KEPT):
                    rows += _accelerated([short + kept, count], calls, kept)
    parts = [
        f"{title}\n\n{table((*head, *CONNECT_HEAD), rows, len(head))}"
        for title, head, rows in (
            ("Over HTTP, a row:", ("workload",), http),
            ("With chdb, client and engine, a row:", ("workload",), chdb),
            ("Few rows over HTTP, a call:", ("workload", "rows"), few),
            ("Few rows with chdb, client and engine, a call:", ("workload", "rows"), few_chdb),
        )
        if rows
    ]
    return "\n\n".join([CONNECT, *parts]) if parts else ""


CONNECT_HEAD = ("clickhouse-connect", "ours, Native", "to it", "to ours, RowBinary")


def _accelerated(head: list[str], figures: Table, suffix: str = "") -> list[list[str]]:
    """A row that begins with `head`, if there is one."""
    theirs, ours = goals.faster(figures, suffix), peers.NATIVE + suffix
    if theirs is None or ours not in figures:
        return []
    micros = [f"{number(figures[label].median)} us" for label in (theirs, ours)]
    both = [figures[theirs].ratios.get(base + suffix, []) for base in (peers.NATIVE, peers.ROWS)]
    return [[*head, *micros, *(spread(values, "x") for values in both)]]


def decode_section(results: Results) -> str:
    tables = {name: found for name, found in results.workloads.items() if peers.NATIVE in found.decode}
    if not tables:
        return ""
    parts = [DECODE]
    names = [peers.CYTHON, peers.RUST, peers.DRIVER, *peers_decode.ORJSON, peers_decode.MSGSPEC, peers.ARROW]
    for ours in (peers.NATIVE, peers.ROWS):
        rows = []
        for name, found in tables.items():
            cells = [_multiple(found.decode.get(other), ours) for other in names]
            rows.append([registry.ALL[name].short, f"{number(found.decode[ours].median)} us", *cells])
        parts.append(table([ours, "a row", *names], rows))
    rows = []
    for name, found in tables.items():
        for label, one in found.decode.items():
            cells = [registry.ALL[name].short, label, bytes_of(one.bytes)]
            for figures in (one, found.decode_off.get(label)):
                cells.append(number(figures.median) if figures else "-")
                cells += [_beside_ours(label, figures, ours) for ours in (peers.NATIVE, peers.ROWS)]
            rows.append(cells)
    head = ["workload", "reader", "bytes", "us", "to our Native", "to our RowBinary"]
    parts.append(
        "All of it, us of CPU per row; columns are compared with ours from Native:\n\n"
        + table([*head, *(f"{what}, no collector" for what in head[3:])], rows, 2)
    )
    return "\n\n".join(parts)


def _beside_ours(label: str, figures: Figures | None, ours: str) -> str:
    base = ours + peers_decode.COLUMNS if label.endswith(peers_decode.COLUMNS) else ours
    if figures is None:
        return "-"
    return "1" if label == base else spread(figures.ratios.get(base, []), "x")


def memory_section(results: Results) -> str:
    if not results.streams:
        return ""
    streams = [
        (
            format,
            f"{one.rows:,}",
            f"{one.bytes / 1e6:,.0f} MB",
            f"{one.growth / goals.MIB:.1f} MiB",
            f"{number(one.cpu / one.rows * 1e6)} us",
        )
        for format, one in results.streams.items()
    ]
    text = MEMORY + "\n\n" + table(("format", "rows", "bytes", "growth", "CPU, a row"), streams)
    if results.blocks:
        blocks = [
            (
                registry.ALL[name].short,
                f"{one.rows:,}",
                f"{one.size / 1e6:.2f} MB",
                f"{one.peak / one.size:.2f}x",
                f"{one.stream_peak / one.size:.2f}x",
            )
            for name, one in results.blocks.items()
        ]
        text += (
            "\n\nThe most that is allocated at a time (tracemalloc), to the size of a Native block:\n\n"
            + table(("workload", "rows", "block", "for one block", "for a stream"), blocks)
        )
    return text


def columnar_section(results: Results) -> str:
    if not results.columnar:
        return ""
    parts = [COLUMNS]
    for title, contenders in results.columnar.items():
        first = next(iter(contenders))
        rows = []
        for label, one in contenders.items():
            speeds = [
                f"{one.bytes / statistics.median(micros) / 1e3:.2f}" for micros in (one.micros, one.wall)
            ]
            pair = (one.ratios.get(first, []), one.wall_ratios.get(first, []))
            rows.append([label, *speeds, *(spread(values, "x") if values else "1" for values in pair)])
        parts.append(f"**{title}**\n\n" + table(("", "GB/s, CPU", "GB/s, wall", "CPU", "wall"), rows))
    return "\n\n".join(parts)


def checked_section(results: Results) -> str:
    """Who stored what."""
    checked = [found for found in results.workloads.values() if found.checked_rows]
    if not checked:
        return ""
    odd = [
        f"- {registry.ALL[name].short}: {text} ({'; '.join(labels)})"
        for name, found in results.workloads.items()
        for text, labels in _by_text(found.different).items()
    ]
    head = CHECKED.format(
        rows=checked[0].checked_rows,
        equal=sum(len(found.equal) for found in checked),
        but=", but:\n" if odd else ".",
    )
    return "\n".join([head, *odd])


def _by_text(different: dict[str, list[str]]) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = {}
    for label, found in different.items():
        texts.setdefault("; ".join(found), []).append(label)
    return texts


# --- all of it -----------------------------------------------------------------------------------


def document(results: Results) -> str:
    intro = INTRO.format(minutes=results.machine.get("minutes", "?"), machine=machine(results))
    picture = (
        "![CPU of client and engine per row, by workload and format](benchmarks.svg)\n\n"
        "*What a row costs, client and engine together: shorter is better; every workload has its own scale.*"
    )
    sections = [
        intro.replace("# Benchmarks", f"# Benchmarks\n\n{MADE}", 1).rstrip(),
        picture,
        goals_section(results),
        ratios_section(results),
        engine_section(results),
        insert_section(results),
        connect_section(results),
        decode_section(results),
        columnar_section(results),
        memory_section(results),
        encode_section(results),
        checked_section(results),
    ]
    return "\n\n".join(filter(None, sections)) + "\n"


def write(results: Results, directory: pathlib.Path) -> list[pathlib.Path]:
    """The page and its chart."""
    page, picture = directory / "benchmarks.md", directory / "benchmarks.svg"
    page.write_text(document(results), encoding="utf-8")
    picture.write_text(chart.draw(results), encoding="utf-8")
    return [page, picture]


def summary(results: Results) -> str:
    """For the terminal."""
    lines: list[str] = []
    for name, found in results.workloads.items():
        lines.append("")
        if found.encode:
            lines.append(
                f"{name}: us of CPU per row, client; to our Native, to our RowBinary (same compression)"
            )
        for label, one in found.encode.items():
            pair = [
                _multiple(one, base + suffix)
                for base in (peers.NATIVE, peers.ROWS)
                for suffix in ("", peers.LZ4)
                if base + suffix in one.ratios
            ]
            lines.append(f"  {label:44} {number(one.median):>8}  {'  '.join(pair)}")
        for title, figures in (
            ("client.insert, HTTP", found.connect),
            ("client.insert, chdb", found.embedded),
            ("decoding", found.decode),
            ("decoding without the garbage collector", found.decode_off),
        ):
            if figures:
                lines.append(f"{name}: us of CPU per row, {title}; to our Native")
            for label, one in figures.items():
                suffix = next((end for end in (peers.LZ4, peers_decode.COLUMNS) if label.endswith(end)), "")
                ratio = _multiple(one, peers.NATIVE + suffix)
                lines.append(f"  {label:44} {number(one.median):>8}  {ratio}")
        if found.null:
            lines.append(f"{name}: us of CPU per row, engine, Null table; to our Native")
        for label, one in found.null.items():
            lines.append(f"  {label:44} {number(one.median):>8}  {_multiple(one, peers.NATIVE)}")
        lines += [f"  {label}: {'; '.join(texts)}" for label, texts in found.different.items()]
    lines.append("")
    for goal in goals.all_of(results):
        if goal.met is not None:
            mark = "met" if goal.met else "NOT MET"
            lines.append(f"{goal.what:80} {goal.goal:>14}  {goal.found}  {mark}")
    return "\n".join(lines)


if __name__ == "__main__":
    write(stored.load(), pathlib.Path(__file__).resolve().parent.parent / "docs")
