"""The insert itself: lines to rows, rows to the target, and what became of them."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .. import DEFAULT, EncodeError, Schema
from .._address import setting_text
from .._infer import infer_columns
from .._options import Format, JsonMode, NaiveRule
from ..errors import ClientError, SchemaError
from ..protocol import Table, quote_column
from ._files import STDIN, InputFile, check_files
from ._formats import Csv, JsonLines, Parsed, Row, reader
from ._problems import Aborted, BadLine, UsageProblem
from ._targets import Landed, Load, Target, connected, format_of, reason, remains

_SAMPLE_BYTES = 64 << 20  # type inference holds no more of the input than that


@dataclass(frozen=True)
class Job:
    """What the command line asks for."""

    files: tuple[str, ...]
    table: str
    url: str
    kind: str | None = None
    create: bool = False
    infer_rows: int = 1000
    columns: tuple[str, ...] | None = None
    header: bool = True
    format: Format | None = None
    json: JsonMode = "exact"
    naive: NaiveRule = "utc"
    ignore_unknown: bool = False
    rejects: str | None = None
    batch_rows: int | None = None
    compression: str = "lz4"
    settings: tuple[str, ...] = ()
    max_line: int = 64 << 20


@dataclass
class Outcome:
    """What became of the input; ``read`` is bytes of the files."""

    rows: int
    rejected: int
    landed: Landed
    read: int
    seconds: float = 0.0


Progress = Callable[[int, int, int, int], None]
"""Called now and then with rows, bytes read from the files, bytes encoded, and bytes sent."""


class Source:
    """All rows of all files.  ``current`` is the line of the row given last."""

    def __init__(self, job: Job):
        self._format = _reader(job)
        self._files = [InputFile(name, job.max_line) for name in job.files]
        self._reading = self._read()
        self._lines: Iterator[Parsed] = self._reading
        self._rejects = Rejects(job.rejects, job.files)
        self.current: Parsed | None = None
        self.rows = 0

    def _read(self) -> Generator[Parsed, None, None]:
        for file in self._files:
            yield from self._format.read(file)

    @property
    def read(self) -> int:
        """Bytes read so far."""
        return sum(file.position for file in self._files)

    @property
    def size(self) -> int | None:
        """Bytes in all files, ``None`` when unknown."""
        sizes = [file.size for file in self._files]
        return None if None in sizes else sum(size or 0 for size in sizes)

    @property
    def rejected(self) -> int:
        """Lines refused so far."""
        return self._rejects.count

    def infer(self, rows: int) -> list[tuple[str, str]]:
        """Columns for the first `rows` rows, which are still given afterwards.

        Raises :class:`Aborted` when there are none.
        """
        sample: list[Parsed] = []
        held = 0
        for parsed in itertools.islice(self._lines, rows):
            sample.append(parsed)
            held += len(parsed.text)
            if held > _SAMPLE_BYTES:
                break
        self._lines = itertools.chain(sample, self._lines)
        good = (self._format.sample(parsed.row) for parsed in sample if parsed.row is not None)
        columns = infer_columns(good, mixed="String" if isinstance(self._format, Csv) else "Dynamic")
        if isinstance(self._format, Csv):  # a column may be empty in the whole sample
            names = next((list(parsed.row) for parsed in sample if parsed.row is not None), [])
            types = dict(columns)
            columns = [(name, types.get(name, "Nullable(String)")) for name in names]
        if not columns:
            bad = next((parsed for parsed in sample if parsed.row is None), None)
            why = f"{bad.file}:{bad.line}: {bad.error}" if bad else "the input has no values"
            raise Aborted(f"no columns can be inferred: {why}; nothing was created")
        return columns

    def iterate(self, schema: Schema, format: Format) -> Iterator[Row]:
        """The good rows, as the encoder takes them; bad lines are refused."""
        convert = self._format.converter(schema, format.endswith("Defaults") or format == "Native")
        # In Native a row has all columns: those it lacks are DEFAULT.
        absent: Row = dict.fromkeys(schema.names, DEFAULT) if format == "Native" else {}
        for parsed in self._lines:
            self.current = parsed
            if parsed.row is None:
                self._rejects.add(parsed, parsed.error or "")
                continue
            try:
                row = convert(parsed.row)
            except BadLine as error:
                self._rejects.add(parsed, str(error))
                continue
            self.rows += 1
            yield absent | row if absent else row

    def refuse(self, row: object, index: int, error: EncodeError) -> None:
        """The encoder cannot write the current row."""
        assert self.current is not None
        self.rows -= 1
        self._rejects.add(self.current, message(error))

    def close(self) -> None:
        """Close the input, and complete the file of refused lines."""
        self._reading.close()
        self._rejects.close()


class Rejects:
    """Refused lines as JSON Lines; without a file the first one ends the insert."""

    def __init__(self, path: str | None, inputs: tuple[str, ...]):
        self.count = 0
        self._file: IO[str] | None = None
        if path is None:
            return
        if any(name != STDIN and _same(name, path) for name in inputs):
            raise UsageProblem(f"{path} is an input file: refused lines need another one")
        try:
            self._file = Path(path).open("w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
        except OSError as error:
            raise UsageProblem(f"{path}: cannot be written: {error.strerror}") from None

    def add(self, parsed: Parsed, error: str) -> None:
        """Refuse `parsed`.  Raises :class:`Aborted` when there is no file for it."""
        if self._file is None:
            raise Aborted(f"{parsed.file}:{parsed.line}: {error}")
        self.count += 1
        line = {"line": parsed.line, "file": parsed.file, "error": error, "row": parsed.text}
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def run(job: Job, say: Callable[[str], None], progress: Callable[[Source], Progress]) -> Outcome:
    """Do `job`; `say` prints a line, `progress` begins a display.

    Raises :class:`UsageProblem` before anything is touched, :class:`Aborted` when the insert was
    given up; its text then tells what is in the table.
    """
    started = time.perf_counter()
    try:
        table = Table.parse(job.table)
    except ValueError as error:
        raise UsageProblem(str(error)) from None
    settings = _settings(job)
    check_files(job.files)
    source = Source(job)
    try:
        with connected(job.url, job.compression) as target:
            outcome = _insert(job, source, target, table, settings, say, progress(source))
    except (ClientError, SchemaError) as error:
        raise Aborted(reason(error)) from None
    except ValueError as error:  # what the client says of settings, before anything is sent
        raise UsageProblem(str(error)) from None
    finally:
        source.close()
    outcome.seconds = time.perf_counter() - started
    return outcome


def _insert(
    job: Job,
    source: Source,
    target: Target,
    table: Table,
    settings: dict[str, str],
    say: Callable[[str], None],
    progress: Progress,
) -> Outcome:
    created = job.create and not target.exists(table)
    if created:
        statement = create_statement(table, source.infer(job.infer_rows))
        target.execute(statement)
        say(statement)
    try:
        schema = _chosen(target.describe(table), job)
        format = format_of(target, job.format, schema, job.json, job.batch_rows)
        load = Load(
            schema,
            source.iterate(schema, format),
            format,
            job.json,
            job.naive,
            job.ignore_unknown,
            settings,
            source.refuse,
        )
        landed = target.insert(
            table,
            lambda: source.rows,
            load,
            lambda rows, raw, sent: progress(rows, source.read, raw, sent),
        )
    except BaseException as error:
        dropped = None
        if created:
            target.execute(f"DROP TABLE IF EXISTS {table.sql}")
            dropped = table
        raise Aborted(f"{reason(error)}; {remains(error, dropped)}") from error
    return Outcome(source.rows, source.rejected, landed, source.read)


def _settings(job: Job) -> dict[str, str]:
    """The settings of the insert.  Raises :class:`UsageProblem` for what is no ``name=value``."""
    settings: dict[str, str] = {}
    if job.batch_rows is not None:
        rows = str(job.batch_rows)
        settings = {"max_insert_block_size": rows, "min_insert_block_size_rows": rows}
        settings["min_insert_block_size_bytes"] = "0"
    for text in job.settings:
        name, equals, value = text.partition("=")
        try:
            settings[name] = setting_text(name, value)
        except ValueError as error:
            raise UsageProblem(str(error)) from None
        if not equals:
            raise UsageProblem(f"--settings {text}: a setting is name=value")
    return settings


def create_statement(table: Table, columns: list[tuple[str, str]]) -> str:
    """``CREATE TABLE`` for inferred columns.  Raises :class:`Aborted` for names that no column can have."""
    for name, _ in columns:
        if not name or any("\ud800" <= char <= "\udfff" for char in name):
            raise Aborted(f"no column can have the name {name!r}; nothing was created")
    lines = ",\n".join(f"    {quote_column(name)} {type_}" for name, type_ in columns)
    return f"CREATE TABLE {table.sql}\n(\n{lines}\n)\nENGINE = MergeTree\nORDER BY tuple()"


def _chosen(schema: Schema, job: Job) -> Schema:
    """The columns of the insert: those of ``--columns``, or all."""
    if job.columns is None:
        return schema
    types = dict(schema)
    unknown = [name for name in job.columns if name not in types]
    if unknown:
        raise Aborted(f"the table has no column {unknown[0]!r}")
    return Schema(((name, types[name]) for name in job.columns), schema.defaulted)


def message(error: EncodeError) -> str:
    """`error` without its row index, which counts across files."""
    return str(
        EncodeError(error.reason, column=error.column, path=error.path, type=error.type, value=error.value)
    )


def _reader(job: Job) -> JsonLines | Csv:
    kinds = {job.kind or _kind(name) for name in job.files}
    if len(kinds) > 1:
        raise UsageProblem("JSON Lines and CSV files cannot be mixed in one insert")
    kind = kinds.pop()
    if job.header:
        return reader(kind, None)
    if kind != "csv" or job.columns is None:
        raise UsageProblem("--no-header is for CSV and needs --columns")
    return reader(kind, job.columns)


def _kind(name: str) -> str:
    """What a file's name says about its contents; stdin is JSON Lines."""
    stem = name.lower().removesuffix(".gz").removesuffix(".zst")
    if name == STDIN or stem.endswith((".jsonl", ".ndjson", ".json")):
        return "jsonl"
    if stem.endswith(".csv"):
        return "csv"
    raise UsageProblem(f"{name}: is it jsonl or csv? Say so with --input-format")


def _same(first: str, second: str) -> bool:
    try:
        return Path(first).samefile(second)
    except OSError:
        return False
