"""The embedded ClickHouse engine (chdb) as what a client talks to: the same calls, without HTTP.

Rules of the engine: one data directory per process; a connection is for one thread at a time and for
one statement; settings belong to a connection.  So every statement gets a connection of its own.

An exception that the engine meets after the last byte of an insert (a violated CONSTRAINT, too many
parts, a failing view) is not reported by chdb, which says how many rows were *sent*.  The engine does
count it, with the id of the query, in ``system.errors``: that is where :meth:`EmbeddedWay.insert` looks.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from ._address import Address, settings_clause
from ._job import Job
from ._outcome import Statement, refusal
from ._types import quote
from .errors import ServerError, TransportError
from .protocol import MAX_STATEMENT, Answer, Fault, parse_exception, quote_column

__all__ = ["EmbeddedWay", "connect_engine", "engine_fault"]

# The engine counts errors by their codes, and keeps the id of the last query that had each: inserts end
# one at a time, so that none hides what another met.
_ENDING = threading.Lock()
# Parameters of the HTTP interface that are no settings of the engine.
_HTTP_ONLY = ("role", "session_id", "session_timeout", "session_check", "quota_key")


class EmbeddedWay:
    """The engine on the data directory of `address`, or in memory."""

    def __init__(self, address: Address):
        import chdb  # noqa: F401  an ImportError now, not at the first insert

        self._address = address
        self._lock = threading.Lock()
        self._keeper: Any = None  # a connection that keeps the engine, and tables in memory, alive

    def close(self) -> None:
        """Close the connection.  The engine stays as long as other connections to it."""
        with self._lock:
            keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.close()

    @contextlib.contextmanager
    def _connection(self) -> Iterator[Any]:
        """A connection for one statement, in the address's database."""
        with self._lock:
            if self._keeper is None:
                self._keeper = connect_engine(self._address.directory)
        connection = connect_engine(self._address.directory)
        try:
            if self._address.database is not None:
                _execute(connection, f"USE {quote_column(self._address.database)}", None)
            yield connection
        finally:
            connection.close()

    def run(self, statement: Statement, limit: int) -> Answer:
        """The answer to a statement without rows, its body cut to `limit` bytes."""
        settings = dict(self._address.settings) | dict(statement.settings)
        with self._connection() as connection:
            for name, value in settings.items():
                if name not in _HTTP_ONLY:
                    _execute(connection, f"SET {name} = {quote(value)}", statement)
            body = _execute(connection, statement.sql, statement).bytes()
            return Answer(200, {}, body[:limit] if len(body) > limit else body)

    def insert(self, job: Job) -> Answer | None:
        """Hand the rows of `job` to the engine; ``None`` when there are none."""
        chunk = job.next()
        if not len(chunk):
            return None
        with self._connection() as connection, self._connection() as observer:
            start = time.perf_counter() - job.source.seconds  # the first chunk is there already
            mark = f"rowbinary {uuid.uuid4()}"  # a comment by which the query is found among those that run
            stream = self._begin(connection, job, mark)
            query_id = _query_id(observer, mark)
            self._feed(stream, job, chunk)
            progress = job.statement.progress
            fed = time.perf_counter()
            progress.send = max(0.0, fed - start - job.source.seconds)
            with _ENDING:
                written = self._finish(stream, job)
                self._check_errors(observer, query_id, job)
            progress.answer = time.perf_counter() - fed
        job.report()
        return Answer(200, {"x-clickhouse-summary": json.dumps({"written_rows": str(written)})})

    def _begin(self, connection: Any, job: Job, mark: str) -> Any:
        columns = f" ({', '.join(map(quote_column, job.columns))})" if job.columns else ""
        settings = dict(self._address.settings) | dict(job.settings)
        clause = settings_clause((name, value) for name, value in settings.items() if name not in _HTTP_ONLY)
        sql = f"INSERT /* {mark} */ INTO {job.table.sql}{columns}{clause}"
        try:
            _make_room(connection, sql)
            return connection.send_insert(sql, job.format)
        except RuntimeError as error:
            _refuse(error, job.statement, before_rows=True)

    def _feed(self, stream: Any, job: Job, chunk: Any) -> None:
        """All chunks, the first being `chunk`."""
        progress = job.statement.progress
        try:
            while True:
                if len(chunk):
                    progress.started = True
                    self._append(stream, job, chunk)
                    progress.sent += len(chunk)
                job.report()
                if job.source.ended:
                    progress.complete = True
                    return
                chunk = job.next()
        except BaseException as error:
            with contextlib.suppress(RuntimeError):
                stream.cancel()
            job.explain(error)
            raise

    def _append(self, stream: Any, job: Job, chunk: Any) -> None:
        try:
            stream.append(chunk if isinstance(chunk, bytes) else bytes(chunk))
        except RuntimeError as error:
            _refuse(error, job.statement)

    def _finish(self, stream: Any, job: Job) -> int:
        try:
            return int(stream.finish().rows_written)
        except RuntimeError as error:
            with contextlib.suppress(RuntimeError):
                stream.cancel()
            _refuse(error, job.statement)

    def _check_errors(self, observer: Any, query_id: str | None, job: Job) -> None:
        """Raise what the engine met while it stored the rows, but did not report."""
        if query_id is None:
            return
        found = _rows(
            observer,
            "SELECT toUInt32(code), name, last_error_message FROM system.errors "
            f"WHERE query_id = {quote(query_id)} ORDER BY last_error_time DESC LIMIT 1",
        )
        for code, name, message in found:
            fault = Fault(int(code), name, message)
            raise refusal(fault, job.statement)


def connect_engine(directory: str | os.PathLike[str] | None) -> Any:
    """A connection to the engine on `directory`, which is made if need be; ``None`` is memory.

    Raises :class:`TransportError` when the engine cannot use it.
    """
    import chdb

    connect: Any = chdb.connect
    try:
        if directory is not None:
            Path(directory).mkdir(parents=True, exist_ok=True)
        return connect(":memory:" if directory is None else os.fspath(directory))
    except OSError as error:
        text = f"{os.fspath(directory or '')} cannot be used as a directory: {error.strerror}"
        raise TransportError(text, retryable=False) from None
    except RuntimeError as error:
        fault = engine_fault(error)
        text = fault.message if fault else " ".join(str(error).split())
        raise TransportError(f"the engine cannot start: {text}", retryable=False) from None


def engine_fault(error: RuntimeError) -> Fault | None:
    """The engine's exception in an error of chdb; ``None`` when it is none."""
    text = str(error)
    at = text.find("Code: ")
    return parse_exception(text[at:].encode()) if at >= 0 else None


def _execute(connection: Any, sql: str, statement: Statement | None) -> Any:
    try:
        _make_room(connection, sql)
        return connection.query(sql, "TabSeparated")
    except RuntimeError as error:
        _refuse(error, statement)


def _make_room(connection: Any, sql: str) -> None:
    """Let a long statement be parsed, as ``protocol.statement_request`` does."""
    size = len(sql.encode())
    if size > MAX_STATEMENT:
        connection.query(f"SET max_query_size = {size + 1000}")


def _refuse(error: RuntimeError, statement: Statement | None, before_rows: bool = False) -> NoReturn:
    fault = engine_fault(error)
    if fault is None:
        raise error
    if statement is None or before_rows:
        query_id = None if statement is None else statement.query_id
        raise ServerError(fault.code, fault.name, fault.message, query_id=query_id) from None
    raise refusal(fault, statement) from None


def _query_id(observer: Any, mark: str) -> str | None:
    """The id that the engine gave the running insert."""
    found = _rows(
        observer,
        f"SELECT query_id FROM system.processes WHERE query LIKE {quote(f'INSERT%{mark}%')}",
    )
    return found[0][0] if found else None


def _rows(connection: Any, sql: str) -> list[list[Any]]:
    body = connection.query(sql, "JSONCompactEachRow").bytes()
    return [json.loads(line) for line in body.splitlines()]
