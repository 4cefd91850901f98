"""Where rows go: the embedded engine, which this command has to itself, or a server over HTTP."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from .. import iter_encode
from .._address import parse_url
from .._choice import choose_format
from .._embedded import Embedded, Insert
from .._options import Format, JsonMode, NaiveRule, OnError
from .._schema import Schema
from ..errors import ClientError, SchemaError, ServerError
from ..protocol import Table
from ._problems import Aborted, UsageProblem

_UNKNOWN_TABLE = 60  # ClickHouse's error code

Progress = Callable[[int, int, int], None]
"""Called now and then with rows, bytes encoded, and bytes sent."""


@dataclass(frozen=True)
class Load:
    """The rows of an insert, and how they are encoded."""

    schema: Schema
    rows: Iterable[object]
    format: Format
    json: JsonMode
    naive: NaiveRule
    ignore_unknown: bool
    settings: dict[str, str]
    refuse: OnError

    @property
    def options(self) -> dict[str, Any]:
        """As the encoder has them."""
        extra = "ignore" if self.ignore_unknown else "error"
        return {"json": self.json, "naive": self.naive, "extra": extra, "on_error": self.refuse}


class Landed(NamedTuple):
    """What became of a good insert.

    ``rows``: what the table holds of it, ``None`` if unknowable; ``table_engine`` is then the reason.
    """

    rows: int | None
    raw_bytes: int
    sent_bytes: int
    table_engine: str = ""


class Target(Protocol):
    """What an insert needs of a database.  Its errors are :class:`ClientError`."""

    def exists(self, table: Table) -> bool:
        """Whether there is such a table."""
        ...

    def execute(self, sql: str) -> object:
        """Run a statement that has no result."""
        ...

    def describe(self, table: Table) -> Schema:
        """The columns that can be inserted."""
        ...

    def version(self) -> tuple[int, ...]:
        """The version of the server, or of the engine."""
        ...

    def insert(self, table: Table, count: Callable[[], int], load: Load, progress: Progress) -> Landed:
        """Insert all of `load`; `count` tells how many good rows it had.

        Raises what `load` raises, and :class:`ClientError`; with a note on what stays in the table.
        """
        ...


class EngineTarget:
    """The embedded engine.  A failed insert is taken back."""

    def __init__(self, engine: Embedded):
        self._engine = engine
        self.exists = engine.exists
        self.execute = engine.execute
        self.describe = engine.describe

    def version(self) -> tuple[int, ...]:
        """That of the engine."""
        [[text]] = self._engine.query("SELECT version()")
        return tuple(int(number) for number in text.split(".")[:2])

    def insert(self, table: Table, count: Callable[[], int], load: Load, progress: Progress) -> Landed:
        """Insert all of `load`, or nothing."""
        settings = dict(load.settings)
        if load.json == "string" and load.format != "Native":
            settings["input_format_binary_read_json_as_string"] = "1"
        insert: Insert = self._engine.insert(table, load.schema.names, load.format, settings)
        size = 0
        try:
            for chunk in iter_encode(load.schema, load.rows, format=load.format, **load.options):
                insert.append(chunk)
                size += len(chunk)
                progress(count(), size, size)
            rows = insert.finish(count())
        except BaseException as error:
            left = insert.cancel()
            if left:
                error.add_note(f"{left} rows of this insert stay in {table}, which cannot take them back")
            raise
        return Landed(rows, size, size, insert.table_engine)


class ServerTarget:
    """A server.  A failed insert leaves no rows of its last block; blocks before that stay."""

    def __init__(self, url: str, compression: str):
        from .._client import Client

        try:
            self._client = Client(url, compression=compression)
        except (ValueError, ImportError) as error:
            raise UsageProblem(str(error)) from None
        self.execute = self._client.command
        self.describe = self._client.create_schema
        self.version = self._client.server_version

    def exists(self, table: Table) -> bool:
        """Whether there is such a table."""
        return self._client.command(f"EXISTS TABLE {table.sql}") == "1"

    def insert(self, table: Table, count: Callable[[], int], load: Load, progress: Progress) -> Landed:
        """Insert all of `load`."""
        query_id = str(uuid.uuid4())
        try:
            result = self._client.insert(
                table,
                load.rows,
                schema=load.schema,
                format=load.format,
                settings=load.settings,
                query_id=query_id,
                progress=lambda p: progress(count(), p.raw_bytes, p.sent_bytes),
                **load.options,
            )
        except KeyboardInterrupt as error:
            error.add_note(f"blocks that the server had finished may stay in {table} (query id {query_id})")
            raise
        return Landed(count(), result.raw_bytes, result.sent_bytes)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def format_of(
    target: Target, wanted: Format | None, schema: Schema, json: JsonMode, block_rows: int | None
) -> Format:
    """The format on the wire: `wanted`, or the best for rows that may leave cells to the DEFAULT."""
    if wanted is not None:
        return wanted
    return choose_format(
        schema, target.version(), json=json, block_rows=block_rows, defaults=True, fresh=True
    )


@contextlib.contextmanager
def connected(url: str, compression: str) -> Iterator[Target]:
    """The target that `url` names.  Raises :class:`UsageProblem`, or :class:`Aborted`."""
    try:
        address = parse_url(url)
    except ValueError as error:
        raise UsageProblem(str(error)) from None
    if not address.embedded:
        server = ServerTarget(url, compression)
        with contextlib.closing(server):
            yield server
        return
    if address.settings:
        raise UsageProblem("settings of a chdb:// target are given with --settings")
    try:
        engine = Embedded(address.directory)
    except ImportError:
        raise Aborted("chdb:// targets need the embedded engine: pip install 'rowbinary[chdb]'") from None
    except ClientError as error:
        raise Aborted(str(error)) from None
    with engine:
        yield EngineTarget(engine)


def reason(error: BaseException) -> str:
    """Why an insert was given up, for the person who wanted it.  Bugs are raised again."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, ServerError):
        hint = "; --create makes a table" if error.code == _UNKNOWN_TABLE else ""
        return f"refused: {error}{hint}"
    if isinstance(error, MemoryError):
        return "out of memory"
    if isinstance(error, ClientError | Aborted | SchemaError):
        return str(error)
    raise error


def remains(error: BaseException, dropped: Table | None) -> str:
    """What is left of an insert that `error` ended."""
    if dropped is not None:
        return f"nothing was inserted, {dropped} was dropped again"
    notes = "; ".join(getattr(error, "__notes__", []))
    if notes:
        return notes
    if isinstance(error, ClientError) and error.outcome == "unknown":
        return "rows may have been inserted"
    return "nothing was inserted"
