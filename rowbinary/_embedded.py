"""The embedded ClickHouse engine (chdb) for a program that has it to itself: the command line.

Rules of the engine: one data path per process; one open insert per connection and no query beside
it.  It can report success while storing nothing (rows that break a constraint, say), and a
cancelled insert keeps the parts that it had finished.  So :class:`Insert` looks at what landed,
and takes back what a failed insert left.  (``_embedded_way.py`` is for clients, which share tables
with other threads and must not take anything back.)
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from ._address import settings_clause
from ._embedded_way import connect_engine, engine_fault
from ._schema import Schema
from ._types import quote
from .errors import ServerError
from .protocol import Table, quote_column

__all__ = ["Embedded", "Insert", "Table"]

# Relatives of MergeTree that merge rows with equal keys while inserting: they may store fewer.
_MERGING = re.compile(
    r"(Replicated)?(Replacing|Summing|Aggregating|(Versioned)?Collapsing|Coalescing|Graphite)"
)


class Embedded:
    """A connection to the embedded engine; a context manager.

    `path` is the data directory, made when it is not there; ``None`` is a database in memory.
    Raises ``ImportError`` without chdb, :class:`TransportError` when the engine cannot start.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None):
        self._connection: Any = connect_engine(path)

    def __enter__(self) -> Embedded:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection.  The engine itself stays until the process ends."""
        self._connection.close()

    def execute(self, sql: str) -> None:
        """Run a statement that has no result."""
        self.query(sql)

    def query(self, sql: str) -> list[list[Any]]:
        """The rows of a SELECT or DESCRIBE, cells as in JSON."""
        try:
            body = self._connection.query(sql, "JSONCompactEachRow").bytes()
        except RuntimeError as error:  # chdb has no error class that is narrower for good
            _refuse(error)
        return [json.loads(line) for line in body.splitlines()]

    def exists(self, table: Table) -> bool:
        """Whether there is a table of this name; a database that is not there is an error."""
        return bool(self.query(f"EXISTS TABLE {table.sql}")[0][0])

    def describe(self, table: Table) -> Schema:
        """The insertable columns of `table`."""
        return Schema.from_describe(self.query(f"DESCRIBE TABLE {table.sql}"))

    def insert(
        self,
        table: Table,
        columns: tuple[str, ...],
        format: str,
        settings: Mapping[str, str | int] | None = None,
    ) -> Insert:
        """Begin an insert of `columns` in `format`, with these settings of the engine."""
        return Insert(self, table, columns, format, settings or {})


class Insert:
    """One insert: any number of :meth:`append`, then :meth:`finish` or :meth:`cancel`.

    Merges of the table are stopped meanwhile, so that the parts of this insert stay apart from
    those that were there: that is how a failed insert is taken back.

    Attributes:
        table_engine: the table's engine, such as ``MergeTree``.
    """

    def __init__(
        self,
        engine: Embedded,
        table: Table,
        columns: tuple[str, ...],
        format: str,
        settings: Mapping[str, str | int],
    ):
        self._engine = engine
        self._table = table
        found = engine.query(f"SELECT engine FROM system.tables WHERE {table.condition('name')}")
        self.table_engine: str = found[0][0] if found else ""
        self._in_parts = self.table_engine.endswith("MergeTree")
        if self._in_parts:
            engine.execute(f"SYSTEM STOP MERGES {table.sql}")
        self._before = self._parts()
        self._rows_before = self._count()
        names = ", ".join(map(quote_column, columns))
        clause = settings_clause((name, str(value)) for name, value in settings.items())
        statement = f"INSERT INTO {table.sql} ({names}){clause}"
        try:
            self._stream: Any = engine._connection.send_insert(statement, format)
        except RuntimeError as error:
            self._release()
            _refuse(error)

    def append(self, data: bytes) -> None:
        """Hand bytes to the engine, which reads as they come."""
        try:
            self._stream.append(data)
        except RuntimeError as error:
            _refuse(error)

    def finish(self, rows: int) -> int | None:
        """End the insert of `rows` rows; how many the table holds of them, ``None`` if that is unknowable.

        Raises :class:`ServerError` when the engine refuses, or stored fewer than it should have.
        The caller then has to :meth:`cancel`.
        """
        try:
            self._stream.finish()
        except RuntimeError as error:
            _refuse(error)
        landed = self._landed()
        if landed is not None and landed < rows and not _MERGING.match(self.table_engine):
            raise ServerError(
                0,
                "",
                f"the engine reported success but stored {landed} of {rows} rows "
                "(a CONSTRAINT of the table, or deduplication, drops rows silently)",
            )
        self._release()
        return landed

    def cancel(self) -> int:
        """Give up: take back what the insert has stored.  How many of its rows stay nevertheless."""
        with contextlib.suppress(RuntimeError):  # it may be finished already
            self._stream.cancel()
        for part in sorted(self._parts().keys() - self._before.keys()):
            with contextlib.suppress(ServerError):
                self._engine.execute(f"ALTER TABLE {self._table.sql} DROP PART {quote(part)}")
        left = self._landed() or 0
        self._release()
        return left

    def _landed(self) -> int | None:
        if self.table_engine == "Null":
            return None
        if self._in_parts:
            return sum(rows for part, rows in self._parts().items() if part not in self._before)
        count = self._count()
        return None if count is None or self._rows_before is None else count - self._rows_before

    def _parts(self) -> dict[str, int]:
        """The table's parts and their rows."""
        if not self._in_parts:
            return {}
        rows = self._engine.query(
            f"SELECT name, toUInt32(rows) FROM system.parts WHERE active AND {self._table.condition('table')}"
        )
        return {name: int(count) for name, count in rows}

    def _count(self) -> int | None:
        """All rows of a table that is not kept in parts."""
        if self._in_parts or self.table_engine == "Null":
            return None
        with contextlib.suppress(ServerError):  # tables one can only write to
            return int(self._engine.query(f"SELECT count() FROM {self._table.sql}")[0][0])
        return None

    def _release(self) -> None:
        if self._in_parts:
            self._engine.execute(f"SYSTEM START MERGES {self._table.sql}")


def _refuse(error: RuntimeError) -> NoReturn:
    """`error` of chdb as a :class:`ServerError`, without the decoration of its layers."""
    fault = engine_fault(error)
    if fault is None:
        raise error
    raise ServerError(fault.code, fault.name, fault.message) from None
