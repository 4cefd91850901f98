"""ClickHouse's HTTP insert protocol without any I/O: requests out, answers in.

The one place that knows what an insert looks like on the wire (:func:`insert_request`), and every way
in which an answer can carry an exception (:func:`read_exception`).  Clients move the bytes.

Facts: the manual's page "HTTP interface", and a real server watched on the wire.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote as url_quote
from urllib.parse import urlencode

from . import _codes
from ._address import Address
from ._types import quote

__all__ = [
    "Answer",
    "Fault",
    "Request",
    "Table",
    "insert_request",
    "insert_statement",
    "quote_column",
    "read_exception",
    "statement_request",
]

# A longer request line is refused by common proxies (8 KiB) and old servers (16 KiB).
MAX_TARGET = 7_500
# max_query_size: the part of a statement that the server parses; longer ones state the setting.
MAX_STATEMENT = 262_144
# What a body of frames ends with that must not be accepted: neither checksum nor codec nor size of it
# can be right, so it is refused also by servers that were told not to look at checksums.
POISON = b"\xff" * 25

_COMPRESSED = {"http-gzip": "gzip", "http-lz4": "lz4", "http-zstd": "zstd"}
_FRAMED = frozenset({"lz4", "zstd"})
_FORMAT = re.compile(r"[A-Za-z][A-Za-z0-9]*")


class Table(NamedTuple):
    """The name of a table, in the connection's database unless it names another."""

    database: str | None
    name: str

    @classmethod
    def parse(cls, text: str) -> Table:
        """``table`` or ``database.table``, unquoted.  Raises ``ValueError`` for other texts."""
        if not isinstance(text, str):
            raise ValueError(f"a table must be str or Table, not {type(text).__name__}")
        parts = text.split(".")
        if len(parts) > 2 or not all(parts) or "\0" in text:
            raise ValueError(
                f"{text[:80]!r} is neither a table nor database.table; "
                "names with dots need protocol.Table(database, name)"
            )
        return cls(parts[0] if len(parts) == 2 else None, parts[-1])

    @classmethod
    def of(cls, source: Table | str) -> Table:
        """`source` as a table: itself, or its text."""
        return source if isinstance(source, Table) else cls.parse(source)

    @property
    def sql(self) -> str:
        """The name as SQL has it."""
        return ".".join(quote_column(part) for part in self if part is not None)

    def condition(self, column: str) -> str:
        """What selects the table in a system table that has its name in `column`."""
        database = "currentDatabase()" if self.database is None else quote(self.database)
        return f"database = {database} AND {column} = {quote(self.name)}"

    def __str__(self) -> str:
        return ".".join(part for part in self if part is not None)


def quote_column(name: str) -> str:
    """`name` in backticks, whatever it is; dots stay part of it."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def insert_statement(table: Table, columns: Sequence[str], format: str) -> str:
    """``INSERT INTO t (a, b) FORMAT f``; without `columns` the table's own list counts.

    Raises ``ValueError`` for a `format` that is no name.
    """
    if not isinstance(format, str) or not _FORMAT.fullmatch(format):
        raise ValueError(f"{format!r} is not the name of a format")
    return _insert_statement(table, tuple(columns), format)


# An ingest service has few statements, and sends each many times.
@functools.lru_cache(maxsize=256)
def _insert_statement(table: Table, columns: tuple[str, ...], format: str) -> str:
    names = f" ({', '.join(map(quote_column, columns))})" if columns else ""
    return f"INSERT INTO {table.sql}{names} FORMAT {format}"


@dataclass(frozen=True)
class Request:
    """One HTTP request, without the body's rows.

    Attributes:
        target: path and query of the request line.
        headers: without those about the length of the body.
        prefix: what the body begins with, before rows; compressed as they are.
        query_id: the statement's id.
        deferrable: a refusal can come before the body (the statement is in the URL).
    """

    target: str
    headers: dict[str, str] = field(repr=False)
    prefix: bytes
    query_id: str
    deferrable: bool = False


def insert_request(
    address: Address,
    statement: str,
    *,
    query_id: str,
    compression: str,
    settings: Iterable[tuple[str, str]] = (),
) -> Request:
    """The request of an INSERT whose rows follow as the body.

    The statement goes into the URL; one that would make the request line too long goes in front of
    the rows.  `compression` is one of ``lz4``, ``zstd`` (block frames, ``decompress=1``), ``none``, or
    ``http-gzip``, ``http-lz4``, ``http-zstd`` (a content encoding).
    """
    pairs = [*settings]
    if compression in _FRAMED:
        pairs.append(("decompress", "1"))
    headers = {"Content-Type": "application/octet-stream"}
    if compression in _COMPRESSED:
        headers["Content-Encoding"] = _COMPRESSED[compression]
    return _request(address, statement, pairs, query_id, headers, ends_line=True)


def statement_request(
    address: Address, statement: str, *, query_id: str, settings: Iterable[tuple[str, str]] = ()
) -> Request:
    """The request of a statement without rows, which is the whole body."""
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    request = _request(address, None, [*settings], query_id, headers)
    body, pairs = statement.encode(), [*settings]
    if len(body) > MAX_STATEMENT:
        pairs.append(("max_query_size", str(len(body) + 1)))
        request = _request(address, None, pairs, query_id, headers)
    return Request(request.target, request.headers, body, query_id)


def _request(
    address: Address,
    statement: str | None,
    settings: list[tuple[str, str]],
    query_id: str,
    headers: dict[str, str],
    ends_line: bool = False,
) -> Request:
    """A request with `statement` in the URL if that has room for it, else in the body."""
    text = (statement or "").encode()
    target = _target(address, statement, settings, query_id)
    prefix = b""
    if statement is not None and len(target) > MAX_TARGET:
        if len(text) > MAX_STATEMENT:
            settings = [*settings, ("max_query_size", str(len(text) + 1))]
        target = _target(address, None, settings, query_id)
        prefix = text + b"\n" if ends_line else text
    if len(target) > MAX_TARGET:
        raise ValueError(f"the settings make a URL of {len(target)} characters, more than {MAX_TARGET}")
    # Nothing is read that must be unpacked: answers are small, and a bomb would not be.
    headers = {**address.headers(), **headers, "Accept-Encoding": "identity", "User-Agent": _user_agent()}
    return Request(target, headers, prefix, query_id, deferrable=bool(statement) and not prefix)


def _target(address: Address, statement: str | None, settings: list[tuple[str, str]], query_id: str) -> str:
    merged = dict(address.settings) | {name: value for name, value in settings if name != "role"}
    pairs = [*merged.items(), *(pair for pair in settings if pair[0] == "role"), ("query_id", query_id)]
    if address.database is not None:
        pairs.append(("database", address.database))
    query = "" if statement is None else f"&query={_url_text(statement)}"
    return f"{address.path}?{urlencode(pairs, quote_via=url_quote, safe='')}{query}"


@functools.lru_cache(maxsize=256)
def _url_text(statement: str) -> str:
    return url_quote(statement, safe="")


def _user_agent() -> str:
    from ._version import __version__

    return f"rowbinary/{__version__}"


# --- answers --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """An HTTP answer.

    ``headers`` have lower-case names; ``body`` may be cut to what a client is willing to hold;
    ``complete``: it came to its proper end.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    complete: bool = True

    @property
    def query_id(self) -> str | None:
        """The id the server gave the statement; old servers do not say."""
        return self.headers.get("x-clickhouse-query-id")

    @property
    def summary(self) -> dict[str, int]:
        """``X-ClickHouse-Summary``: counts by name; empty when there is none or it makes no sense."""
        try:
            found = json.loads(self.headers.get("x-clickhouse-summary", "{}"))
            return {name: int(value) for name, value in found.items() if str(value).isdecimal()}
        except (ValueError, AttributeError, RecursionError):
            return {}

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait, where the answer says so."""
        text = self.headers.get("retry-after", "")
        return float(text) if text.isascii() and text.isdecimal() and len(text) < 6 else None

    @property
    def keep_alive(self) -> float | None:
        """Seconds after which the server closes the idle connection."""
        found = re.search(r"timeout=(\d{1,5})", self.headers.get("keep-alive", ""))
        return float(found[1]) if found else None


class Fault(NamedTuple):
    """An exception of the server: code (0 if there is none), name and message."""

    code: int
    name: str
    message: str


_MARK = b"\r\n__exception__\r\n"
# Errors of the libraries below ClickHouse have another beginning: "Poco::Exception. Code: 1000, ...".
_CODE = re.compile(r"(?:(?:Poco::Exception|std::exception|Unknown exception)\. )?Code: ([0-9]{1,9})[.,]")
_NAME = re.compile(r"\.?\s?\(([A-Z][A-Z0-9_]+)\)\s*$")
_VERSION = re.compile(r"\s?\((?:official build|version [^()]*(?:\([^()]*\))?)\)\s*$")
# What 18.16 puts behind rows: bare text, and the answer ends as usual.
_OLDEST = re.compile(rb"Code: \d{1,9}, e\.displayText\(\) = .*e\.what\(\) = DB::\w*Exception\s*\Z", re.DOTALL)
_BEHIND_ROWS = re.compile(rb"Code: \d{1,9}(\. DB::|, e\.displayText)")
_NO_TEXT = "the server gave no text"
_SHOWN = 2_000  # characters of a message
_TAIL = 32 << 10  # an in-band exception has at most 16 KiB


def read_exception(answer: Answer, *, rows_expected: bool = False) -> Fault | None:
    """The exception that `answer` carries, if it does.

    It may come as the header ``X-ClickHouse-Exception-Code`` (whatever the status is), as the text of
    an answer with another status than 200, and after output has begun at the end of the body: behind
    ``__exception__`` marks (with a tag on servers that have one), or as bare text on old servers.
    ``rows_expected``: a body that begins with ``Code:`` may be data.
    """
    header = answer.headers.get("x-clickhouse-exception-code", "").strip()
    if header:
        code = int(header) if header.isdecimal() and len(header) < 10 else 0
        return parse_exception(_in_band(answer, False) or answer.body, code)
    if answer.status != 200:
        return parse_exception(answer.body)
    tail = _in_band(answer, rows_expected)
    if tail is not None:
        return parse_exception(tail) or Fault(0, "", _shown(tail) or _NO_TEXT)
    return None if rows_expected else parse_exception(answer.body)


def _in_band(answer: Answer, rows_expected: bool) -> bytes | None:
    """The exception that a body ends with."""
    tail = answer.body[-_TAIL:]
    tag = answer.headers.get("x-clickhouse-exception-tag", "").strip().encode("latin-1", "replace")
    if tag:
        begin, end = _MARK + tag + b"\r\n", tag + b"\r\n__exception__\r\n"
        at = tail.rfind(begin)
        if at < 0 or not tail.endswith(end):
            return None
        # The message is followed by its length and the tag again.
        return tail[at + len(begin) : -len(end)].rstrip(b" ").rstrip(b"0123456789").rstrip(b"\n")
    # Without a tag rows could hold the marks; but an answer with an exception has no proper end.
    at = tail.rfind(_MARK) if not (rows_expected and answer.complete) else -1
    if at >= 0:
        return tail[at + len(_MARK) :]
    oldest = _OLDEST.search(tail) if rows_expected else None
    return oldest[0] if oldest else None


def old_in_band(body: bytes) -> Fault | None:
    """The exception that an old server has put behind rows, for a body that cannot be read."""
    found = _BEHIND_ROWS.search(body, max(0, len(body) - _TAIL))
    return parse_exception(body[found.start() :]) if found else None


def parse_exception(text: bytes, code: int | None = None) -> Fault | None:
    """A ClickHouse exception text; ``None`` for texts that are none.

    Reads ``Code: N. DB::Exception: ... (NAME) (version ...)`` and the older ``Code: N,
    e.displayText() = DB::Exception: ..., e.what() = DB::Exception``.
    """
    text = text[:_TAIL]
    line = " ".join(text.decode(errors="replace").split())
    found = _CODE.match(line)
    if not found:
        return None if code is None else Fault(code, _codes.name_of(code), _shown(text) or _NO_TEXT)
    number = code or int(found[1])
    message = line[found.end() :].partition(", Stack trace")[0].partition("Stack trace:")[0]
    message = re.sub(r",\s*e\.what\(\) = .*$", "", message, flags=re.DOTALL)
    message = re.sub(r"^\s*(e\.code\(\) = -?[0-9]+, )?(e\.displayText\(\) = )?", "", message)
    message = re.sub(r"^\w+::\w*Exception:\s*", "", message.strip())
    message = _VERSION.sub("", message)
    name = _NAME.search(message)
    if name:
        message = message[: name.start()]
    return Fault(number, name[1] if name else _codes.name_of(number), _shown(message.encode()) or _NO_TEXT)


def _shown(text: bytes) -> str:
    words = " ".join(text.decode(errors="replace").split())
    # The end counts: there it says in which view it happened.
    return words if len(words) <= _SHOWN else f"{words[: _SHOWN - 505]} ... {words[-500:]}"
