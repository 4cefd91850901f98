"""Statements of HTTP requests in the embedded engine: sessions, settings, streaming inserts."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import chdb
from front_bodies import Buffer, Failure

INSERT = re.compile(rb"\s*INSERT\s", re.IGNORECASE)
FORMAT_AT_END = re.compile(rb"\sFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)
FORMAT_IN_BODY = re.compile(rb"\sFORMAT\s+(\w+)[ \t]*\r?\n?", re.IGNORECASE)
CODE = re.compile(r"Code: (\d+)\. DB::Exception")


def failure(error: BaseException) -> Failure:
    """What the engine said, as an answer."""
    text = str(error)
    found = CODE.search(text)
    return Failure(int(found[1]), text[found.start() :]) if found else Failure(1002, text)


@dataclasses.dataclass
class Result:
    """What a statement did."""

    data: bytes = b""
    format: str = ""
    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_rows: int = 0


connect: Callable[[str], Any] = chdb.connect


class Engine:
    """The engine, the sessions, the queries that run."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._keep = connect(path)  # holds the engine open
        self._sessions: dict[str, tuple[Any, threading.Lock]] = {}
        self._running: set[str] = set()
        self._lock = threading.Lock()
        self.version = self._keep.query("SELECT version()", "TSV").bytes().decode().strip()

    def name_of(self, code: int) -> str:
        """The name of an error code."""
        with self._lock:
            name = self._keep.query(f"SELECT errorCodeToName({code})", "TSV").bytes().decode().strip()
        return name or "UNKNOWN"

    @contextlib.contextmanager
    def running(self, query_id: str) -> Iterator[None]:
        """Hold a query_id; two queries of one id at a time are an error."""
        with self._lock:
            if query_id in self._running:
                raise Failure(216, f"Query with id = {query_id} is already running.")
            self._running.add(query_id)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(query_id)

    @contextlib.contextmanager
    def connection(self, session: str) -> Iterator[Any]:
        """A connection of its own for a request, or the session's."""
        if not session:
            connection = connect(self._path)
            try:
                yield connection
            finally:
                connection.close()
            return
        with self._lock:
            if session not in self._sessions:
                self._sessions[session] = connect(self._path), threading.Lock()
            connection, busy = self._sessions[session]
        if not busy.acquire(blocking=False):
            raise Failure(373, f"Session {session} is locked by a concurrent client.")
        try:
            yield connection
        finally:
            busy.release()


def prepare(connection: Any, settings: dict[str, str], database: str, readonly: bool) -> None:
    """Settings and the database of a request."""
    for name in settings:
        if not re.fullmatch(r"\w+", name):
            raise Failure(115, f"Unknown setting '{name}'")
    try:
        if settings:
            pairs = ", ".join(f"{name} = {quoted(value)}" for name, value in settings.items())
            connection.query(f"SET {pairs}")
        if readonly and "readonly" not in settings:
            connection.query("SET readonly = 2")
        if database and database != "default":
            connection.query("USE `{}`".format(database.replace("\\", "\\\\").replace("`", "\\`")))
    except Exception as error:
        raise failure(error) from None


def quoted(text: str) -> str:
    """A text literal of SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@dataclasses.dataclass
class Statement:
    """A statement whose beginning is in the URL, and whose rest and rows are in the body."""

    query: bytes
    parts: Iterator[Buffer]
    params: dict[str, str]
    default_format: str
    can_write: bool
    before_end: Callable[[], None]  # what may raise a Failure when all of the body was read

    def execute(self, connection: Any) -> Result:
        """Run it to its end."""
        format_clause = FORMAT_AT_END.search(self.query) if INSERT.match(self.query) else None
        if format_clause is None:
            format_clause = self._read_statement()
        if format_clause is None:
            return self._select(connection)
        if not self.can_write:
            raise Failure(164, "Cannot execute query in readonly mode. For queries over HTTP, "
                               "method GET implies readonly. You should use method POST")  # fmt: skip
        statement = self.query[: format_clause.start()].decode("utf-8", "replace")
        return self._insert(connection, statement, format_clause[1].decode())

    def _read_statement(self) -> re.Match[bytes] | None:
        """Read the statement from the body, to the FORMAT of an INSERT if it has one."""
        head = bytearray(self.query + b"\n" if self.query.strip() else b"")
        found = None
        for part in self.parts:
            head += part
            if len(head) < 1 << 19 and INSERT.match(head):
                found = FORMAT_IN_BODY.search(head)
                if found and found.end() < len(head):
                    break
        self.query = bytes(head)
        found = FORMAT_IN_BODY.search(self.query) if INSERT.match(self.query) else None
        if found:
            self.parts = _chained(self.query[found.end() :], self.parts)
        return found

    def _insert(self, connection: Any, statement: str, format: str) -> Result:
        try:
            insert = connection.send_insert(statement, format)
        except Exception as error:
            raise failure(error) from None
        try:
            try:
                for part in self.parts:
                    if part:
                        insert.append(part)
                self.before_end()
            except (Failure, OSError):
                raise
            except Exception as error:
                raise failure(error) from None
            done, insert = insert, None
            try:
                result = done.finish()
            except Exception as error:
                raise failure(error) from None
        finally:
            if insert is not None:
                with contextlib.suppress(Exception):
                    insert.cancel()
        rows, size = int(result.rows_written), int(result.bytes_written)
        return Result(b"", format, rows, size, rows, size, rows)

    def _select(self, connection: Any) -> Result:
        for _ in self.parts:
            pass
        if not self.query.strip():
            raise Failure(62, "Syntax error: failed at position 1 (end of query): empty query")
        self.before_end()
        try:
            text = self.query.decode("utf-8", "surrogateescape")
            done = connection.query(text, self.default_format, params=self.params)
        except Exception as error:
            raise failure(error) from None
        clause = FORMAT_AT_END.search(self.query)
        return Result(
            done.bytes(),
            clause[1].decode() if clause else self.default_format,
            done.storage_rows_read(),
            done.storage_bytes_read(),
            done.rows_written(),
            done.bytes_written(),
            done.rows_read(),
        )


def _chained(first: bytes, rest: Iterator[Buffer]) -> Iterator[Buffer]:
    yield first
    yield from rest
