"""Options of the command line, its display, and its exit codes."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import click

from .. import __version__
from .._options import COMPRESSIONS
from ._decode import decode
from ._insert import Job, Outcome, Progress, Source
from ._insert import run as run_insert
from ._inspect import inspect
from ._problems import Aborted, Broken, UsageProblem

FORMATS = [
    "auto",
    "Native",
    "RowBinary",
    "RowBinaryWithNames",
    "RowBinaryWithNamesAndTypes",
    "RowBinaryWithDefaults",
    "RowBinaryWithNamesAndTypesAndDefaults",
]
ALL_IN, ABORTED, USAGE, SOME_REJECTED, BROKEN = 0, 1, 2, 3, 4


def run(arguments: list[str]) -> int:
    """Run the command line; its exit code."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # tidied up like Ctrl-C
    try:
        code: int | None = cli.main(arguments, prog_name="rowbinary", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except UsageProblem as problem:
        _complain(str(problem))
        return USAGE
    except Aborted as problem:
        _complain(str(problem))
        return ABORTED
    except Broken as problem:
        _complain(str(problem))
        return BROKEN
    except (click.exceptions.Abort, KeyboardInterrupt):
        _complain("interrupted; nothing was inserted" if arguments[:1] == ["insert"] else "interrupted")
        return ABORTED
    finally:
        signal.signal(signal.SIGTERM, before)
    return code or ALL_IN


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="rowbinary")
def cli() -> None:
    """Rows into ClickHouse, encoded on this side; and a look at what is in such bytes."""


cli.add_command(inspect)
cli.add_command(decode)


@cli.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--table", "-t", required=True, help="Table, or database.table.")
@click.option(
    "--to", "url", required=True, metavar="URL", envvar="ROWBINARY_URL", show_envvar=True,
    help="http(s)://user:password@host:port/database, chdb://memory or chdb:///directory.",
)  # fmt: skip
@click.option("--input-format", "kind", type=click.Choice(["jsonl", "csv"]), help="If names do not tell.")
@click.option("--create", is_flag=True, help="Create the table if it is not there; infer its columns.")
@click.option(
    "--infer-rows", type=click.IntRange(1), default=1000, show_default=True, help="Rows to infer them from."
)
@click.option("--columns", metavar="A,B,...", help="Columns to insert; the names of CSV without header.")
@click.option("--no-header", is_flag=True, help="The CSV files begin with data; needs --columns.")
@click.option(
    "--format", type=click.Choice(FORMATS), default="auto", show_default=True,
    help="Format on the wire. auto: Native if the server reads the table's columns in it and none has a "
    "DEFAULT, else RowBinaryWithDefaults (from 23.8 on). Only Native and formats with defaults can leave a "
    "cell to the column's DEFAULT.",
)  # fmt: skip
@click.option(
    "--json", "json", type=click.Choice(["exact", "text", "string"]), default="exact", show_default=True,
    help="Types in JSON columns: from the values, as the server infers from text, or by the server.",
)  # fmt: skip
@click.option(
    "--naive", type=click.Choice(["utc", "column", "local"]), default="utc", show_default=True,
    help="The zone of times that have none.",
)  # fmt: skip
@click.option("--ignore-unknown", is_flag=True, help="Drop keys that are no column.")
@click.option(
    "--rejects", metavar="FILE", help="Write refused lines here and go on; else the first one ends it all."
)
@click.option("--batch-rows", type=click.IntRange(1), help="Rows per block (default: the engine's choice).")
@click.option(
    "--compression", type=click.Choice(COMPRESSIONS), default="lz4", show_default=True,
    help="Of the body of http(s):// inserts.",
)  # fmt: skip
@click.option(
    "--settings", multiple=True, metavar="NAME=VALUE", help="A ClickHouse setting; may come several times."
)
@click.option(
    "--max-line", type=click.IntRange(1, 1024), default=64, show_default=True, help="MiB a line may have."
)
@click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")
def insert(
    columns: str | None, no_header: bool, max_line: int, quiet: bool, format: str, **options: Any
) -> int:
    """Insert FILEs of JSON Lines or CSV (plain, gzip or zstd; - is stdin) into a table.

    All or nothing, unless --rejects is given: then all good lines. (Over HTTP, blocks of
    1,048,449 rows that were finished before a failure stay.) Exit code 0: all in; 1: given up,
    or no line was good; 2: the command is wrong; 3: in, except refused lines.
    """
    names = None if columns is None else tuple(name.strip() for name in columns.split(","))
    chosen: Any = None if format == "auto" else format
    job = Job(columns=names, header=not no_header, max_line=max_line << 20, format=chosen, **options)
    show = not quiet
    with _Display(show and sys.stderr.isatty()) as display:
        outcome = run_insert(job, _print if show else _keep_quiet, display.begin)
    if show:
        _print(summary(job, outcome))
    if not outcome.rejected:
        return ALL_IN
    return SOME_REJECTED if outcome.rows else ABORTED


def summary(job: Job, outcome: Outcome) -> str:
    """One line about what happened."""
    seconds = max(outcome.seconds, 1e-9)
    parts = [f"{outcome.rows:,} rows inserted into {job.table}"]
    landed = outcome.landed
    if landed.rows is None:
        parts.append(f"of which a {landed.table_engine} table cannot tell what it keeps")
    elif landed.rows != outcome.rows:
        parts.append(f"{landed.rows:,} after merging by the {landed.table_engine}")
    parts.append(f"{outcome.rejected:,} rejected")
    parts.append(
        f"{outcome.seconds:.1f} s, {outcome.rows / seconds:,.0f} rows/s, {_bytes(outcome.read)} read"
    )
    if landed.sent_bytes != landed.raw_bytes:
        parts.append(f"{_bytes(landed.raw_bytes)} encoded, {_bytes(landed.sent_bytes)} sent")
    return ", ".join(parts)


def _bytes(count: float) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"


class _Display:
    """A progress bar on stderr, if `active`."""

    def __init__(self, active: bool):
        self._bar: Any = None
        if active:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            self._bar = Progress(
                BarColumn(), TextColumn("{task.fields[rows]:,} rows"),
                TextColumn("{task.fields[raw]} encoded"), TextColumn("{task.fields[sent]} on the wire"),
                TimeElapsedColumn(), console=Console(stderr=True), transient=True,
            )  # fmt: skip

    def __enter__(self) -> _Display:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, source: Source) -> Progress:
        """The function that moves the bar."""
        if self._bar is None:
            return lambda rows, read, raw, sent: None
        self._bar.start()
        task = self._bar.add_task("", total=source.size, rows=0, raw="", sent="")
        update: Callable[..., None] = self._bar.update
        start = time.perf_counter()

        def show(rows: int, read: int, raw: int, sent: int) -> None:
            seconds = max(time.perf_counter() - start, 1e-3)
            speeds = {"raw": f"{_bytes(raw / seconds)}/s", "sent": f"{_bytes(sent / seconds)}/s"}
            update(task, completed=read, rows=rows, **speeds)

        return show


def _print(text: str) -> None:
    """To stdout; a reader that has gone away must not turn a good insert into a failure."""
    try:
        click.echo(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _keep_quiet(text: str) -> None:
    pass


def _complain(text: str) -> None:
    click.echo(f"rowbinary: {text}", err=True)
