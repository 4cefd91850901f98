"""What both clients share: options, settings, versions, schemas, and the judgement of outcomes.

No I/O is done here.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, TypedDict

from . import _api, _codes
from ._address import Address, Settings, parse_url, settings_text
from ._blocks import block_rows, native_settings, one_block
from ._choice import NATIVE_IS_STRICT, choose_format, is_compared
from ._decode import decode_body
from ._job import InsertResult, Job, OnProgress, QueryResult, Timings
from ._network import Network
from ._options import (
    DuplicateRule,
    ExtraRule,
    JsonMode,
    MissingRule,
    NaiveRule,
    OnError,
    check_choice,
)
from ._outcome import Statement
from ._pipeline import COMPRESSIONS, BytesSource, Encoding, Source
from ._schema import Schema
from .errors import ClientError, RowBinaryError, SchemaError, ServerError, TransportError
from .protocol import Answer, Table, old_in_band

__all__ = ["ClientBase", "EncodeOptions"]

MAX_RESULT = 256 << 20
# Servers from this version on refuse a body without its end.  Some may since earlier; not 18.16.
NOTICES_CUTS = (23, 3)
# Seconds for which a description of a table is believed where the server compares nothing with it.
_FRESH = 10.0
_KNOWS_ASYNC = (21, 11)
_KNOWS_TOKENS = (22, 3)
_ONE_DEDUP_SETTING = (26, 2)


class EncodeOptions(TypedDict, total=False):
    """Options of :func:`rowbinary.encode_rows` that an insert passes on."""

    json: JsonMode
    naive: NaiveRule
    missing: MissingRule
    extra: ExtraRule
    duplicate_paths: DuplicateRule | None
    json_zone: dt.tzinfo | None
    on_error: OnError
    implementation: str | None


class InsertOptions(TypedDict):
    """Arguments of an insert that are the same for rows and for encoded bytes."""

    settings: Settings | None
    query_id: str | None
    compression: str | None
    async_insert: bool | None
    deduplication_token: str | None
    deduplicate: bool | None
    progress: OnProgress | None


class ClientBase:
    """The constructor of both clients, and what they do without I/O."""

    def __init__(
        self,
        url: str = "http://localhost:8123",
        *,
        user: str | None = None,
        password: str | None = None,
        access_token: str | None = None,
        database: str | None = None,
        settings: Settings | None = None,
        roles: Sequence[str] = (),
        session_id: str | None = None,
        compression: str = "lz4",
        retries: int = 2,
        connect_timeout: float = 10.0,
        send_timeout: float = 60.0,
        answer_timeout: float = 300.0,
        pool_size: int = 8,
        proxy: str | None = None,
        path: str = "/",
        verify: bool = True,
        ca_bundle: str | os.PathLike[str] | None = None,
        client_cert: str | os.PathLike[str] | None = None,
        client_key: str | os.PathLike[str] | None = None,
        client_key_password: str | None = None,
        headers: dict[str, str] | None = None,
    ):
        """Makes no connection yet.

        Args:
            url: ``http(s)://user:password@host:port/database?setting=value``, or the embedded engine:
                ``chdb://memory``, ``chdb:///directory``.  Ports default to 8123 and 8443.  What is
                given as an argument wins over the URL.
            user, password: sent as headers, never in URLs.
            access_token: sent as ``Authorization: Bearer`` instead of user and password.
            database: the database of tables that name none.
            settings: ClickHouse settings for every statement.
            roles: roles to take (server 24.4 or later).
            session_id: a session of the server, which serves one statement at a time: inserts are
                better off without one.
            compression: of insert bodies. ``"lz4"`` (the default) and ``"zstd"``: ClickHouse's block
                frames with checksums. ``"none"``. ``"http-gzip"``, ``"http-lz4"``, ``"http-zstd"``: a
                content encoding, for proxies that look into bodies.
            retries: how often a request is sent again of which it is certain that the server did
                nothing with it: no connection, or refused before it ran.
            connect_timeout, send_timeout, answer_timeout: seconds until there is a connection, until a
                piece of the body (about 1 MiB) is taken, and until the answer comes.
            pool_size: connections that are kept.
            proxy: ``http(s)://user:password@host:port`` of an HTTP proxy.
            path: the path of the HTTP interface behind a reverse proxy.
            verify, ca_bundle, client_cert, client_key, client_key_password: TLS; files are PEM.  With
                a client certificate and a user without a password the certificate is the login.
            headers: more HTTP headers for every request.

        Raises:
            ValueError: an argument that cannot be used; names it, and quotes no secret.
            ImportError: ``chdb://`` without chdb, ``AsyncClient`` without aiohttp.
        """
        check_choice("compression", compression, COMPRESSIONS)
        for name, value in (("connect", connect_timeout), ("send", send_timeout), ("answer", answer_timeout)):
            if not isinstance(value, int | float) or not 0 < value < 1e7:
                raise ValueError(f"{name}_timeout must be a positive number of seconds, not {value!r}")
        if not isinstance(retries, int) or not 0 <= retries <= 100:
            raise ValueError(f"retries must be an int from 0 to 100, not {retries!r}")
        if not isinstance(pool_size, int) or pool_size < 1:
            raise ValueError(f"pool_size must be a positive int, not {pool_size!r}")
        self._compression = compression
        self._retries = retries
        self._extra = tuple(("role", role) for role in _names("roles", roles))
        if session_id is not None:
            self._extra += (("session_id", session_id),)
        self._address = _identified(
            parse_url(url), user, password, access_token, database, settings, path, client_cert is not None
        )
        self._network = Network(
            connect_timeout,
            send_timeout,
            answer_timeout,
            pool_size,
            proxy,
            verify,
            ca_bundle,
            client_cert,
            client_key,
            client_key_password,
            _checked_headers(headers),
        )
        self._version: tuple[int, ...] | None = None
        self._schemas: dict[str, tuple[Schema, float]] = {}  # by table, with the time of the answer
        self._open()

    def _open(self) -> None:
        """Prepare the way to the server."""
        raise NotImplementedError

    def __repr__(self) -> str:
        address = self._address
        user = f" as {address.user}" if address.user else ""
        return f"<{type(self).__name__} {address.origin}{user}>"

    def forget_schemas(self) -> None:
        """Drop the cached schemas: the next insert asks the server again."""
        self._schemas.clear()

    def _cached(self, table: Table) -> Schema | None:
        """What the server has said of `table`; not what is old and would not be compared with the table."""
        schema, asked = self._schemas.get(table.sql, (None, 0.0))
        if schema is not None and time.monotonic() - asked > _FRESH and not is_compared(schema):
            return None
        return schema

    def _described(self, table: Table, answer: Answer) -> Schema:
        """The schema in the answer to DESCRIBE TABLE, which is kept."""
        schema = Schema.from_describe(describe_rows(answer))
        self._schemas[table.sql] = schema, time.monotonic()
        return schema

    # --- statements ---------------------------------------------------------------------------

    def _rows_job(
        self,
        table: Table,
        schema: Schema,
        rows: Iterable[object],
        format: str | None,
        how: InsertOptions,
        options: EncodeOptions,
        fresh: bool = False,
    ) -> Job:
        """The insert of `rows`, in the format that is best for them unless one is given; `fresh`: `schema`
        is from :meth:`_cached` or from the server.
        """
        unknown = options.keys() - EncodeOptions.__annotations__.keys()
        if unknown:
            raise TypeError(f"unexpected keyword argument {min(unknown)!r}")
        json = options.get("json", "exact")
        if format is None or format == "auto":
            known = dict(self._address.settings) | dict(settings_text(how["settings"]))
            format = choose_format(
                schema,
                self._version,
                json=json,
                block_rows=block_rows(known),
                fresh=fresh,
                rows=len(rows) if isinstance(rows, list | tuple) else None,
            )
        encoder = _api.Encoder(schema, format=format, **options)  # type: ignore[arg-type]
        json_as_string = json == "string" and format != "Native"
        return self._insert_job(table, schema.names, format, Encoding(encoder, rows), how, json_as_string)

    def _bytes_job(
        self,
        table: Table | str,
        data: object,
        columns: Sequence[str],
        format: str,
        rows: int | None,
        how: InsertOptions,
    ) -> Job:
        """The insert of encoded `data`."""
        if rows is not None and (not isinstance(rows, int) or rows < 0):
            raise ValueError(f"rows must be a count, not {rows!r}")
        source = BytesSource(data, rows)
        return self._insert_job(Table.of(table), _names("columns", columns), format, source, how)

    def _insert_job(
        self,
        table: Table,
        columns: Sequence[str],
        format: str,
        source: Source,
        how: InsertOptions,
        json_as_string: bool = False,
    ) -> Job:
        """An insert, ready to be sent.  Raises ``ValueError`` for arguments that cannot be used."""
        compression = self._compression if how["compression"] is None else how["compression"]
        check_choice("compression", compression, COMPRESSIONS)
        stated = self._stated(how)
        if json_as_string:
            stated["input_format_binary_read_json_as_string"] = "1"
        merged = stated | dict(settings_text(how["settings"]))
        known = dict(self._address.settings) | merged
        if format == "Native":
            strict = isinstance(source, Encoding) and (self._version or (0,)) >= NATIVE_IS_STRICT
            wanted = native_settings(strict)
            # Those of the client's own settings stay as they are.
            merged |= {name: value for name, value in wanted.items() if name not in known}
            known = wanted | known
        # Packed pieces of ours do not end where a row does (see Encoding): even old servers notice a cut.
        framed = isinstance(source, Encoding) and source.cut_inside_rows and compression != "none"
        statement = Statement(
            _query_id(how["query_id"]),
            insert=True,
            cuts_noticed=framed or (self._version or (0,)) >= NOTICES_CUTS,
            token=bool(known.get("insert_deduplication_token")),
        )
        job = Job(
            self._address,
            table,
            columns,
            format,
            source,
            [*merged.items(), *self._extra],
            compression,
            statement,
            *one_block(format, known),
            how["progress"],
        )
        assert job.request  # what cannot be said is an error now, before rows are taken
        return job

    def _stated(self, how: InsertOptions) -> dict[str, str]:
        """Settings whose defaults differ between servers, said explicitly to those that know them."""
        async_insert, token, deduplicate = (
            how["async_insert"], how["deduplication_token"], how["deduplicate"]
        )  # fmt: skip
        version = self._version or (0,)
        stated = {}
        if async_insert is not None and version >= _KNOWS_ASYNC:
            stated["async_insert"] = "1" if async_insert else "0"
            if async_insert:
                stated["wait_for_async_insert"] = "1"
        elif async_insert:
            raise ValueError("async_insert needs a server of version 21.11 or later")
        if token is not None:
            if not isinstance(token, str) or not token or not token.isprintable():
                raise ValueError("deduplication_token must be a printable str that is not empty")
            if deduplicate is False:
                raise ValueError("a deduplication_token without deduplication makes no sense")
            if version < _KNOWS_TOKENS:
                raise ValueError("deduplication_token needs a server of version 22.3 or later")
            stated["insert_deduplication_token"] = token
            deduplicate = True
        if deduplicate is not None:
            stated["insert_deduplicate"] = "1" if deduplicate else "0"
            if version >= _ONE_DEDUP_SETTING:
                stated["deduplicate_insert"] = "enable" if deduplicate else "disable"
            if async_insert and version >= _KNOWS_ASYNC:
                stated["async_insert_deduplicate"] = "1" if deduplicate else "0"
        return stated

    def _statement(
        self, sql: str, settings: Settings | None, query_id: str | None, harmless: bool = False
    ) -> Statement:
        """A statement without rows."""
        if not isinstance(sql, str) or not sql.strip():
            raise ValueError("the statement must be a str that is not empty")
        pairs = (*settings_text(settings), *self._extra)
        return Statement(_query_id(query_id), sql, pairs, rows_expected=True, harmless=harmless)

    def _select(self, sql: str) -> str:
        """`sql`, answered in the format that the decoder reads."""
        if not isinstance(sql, str) or not sql.strip():
            raise ValueError("the query must be a str that is not empty")
        return f"{sql.strip().rstrip(';')}\nFORMAT RowBinaryWithNamesAndTypes"

    # --- answers ------------------------------------------------------------------------------

    def _learn_version(self, text: str) -> None:
        found = re.fullmatch(r"\s*(\d{1,9})\.(\d{1,9})(\.[\w.\-]+)?\s*", text)
        if found is None:
            where = self._address.origin
            raise TransportError(f"{where} answers, but is not ClickHouse: {text[:100]!r}", retryable=False)
        self._version = int(found[1]), int(found[2])

    def _chosen(self, schema: Schema, table: Table, columns: Sequence[str] | None) -> Schema:
        """The `columns` of `schema`, in that order; all of them for ``None``."""
        if columns is None:
            return schema
        types = dict(schema)
        for name in _names("columns", columns):
            if name not in types:
                raise SchemaError(f"table {table} has no column {name!r} that can be inserted")
        defaulted = schema.defaulted
        return Schema(
            ((name, types[name]) for name in columns),
            None if defaulted is None else defaulted & set(columns),
        )

    def _noticed(self, error: ClientError, table: Table | None) -> None:
        """Drop what is cached about `table` when `error` says that it is not so."""
        if table is not None and isinstance(error, ServerError) and error.code in _codes.SCHEMA_CODES:
            self._schemas.pop(table.sql, None)

    def _checked(self, answer: Answer, statement: Statement, limit: int) -> Answer:
        """`answer`, unless it was cut because of its size."""
        if len(answer.body) > limit:
            text = f"the answer has more than {limit} bytes (max_bytes)"
            raise TransportError(text, query_id=statement.query_id, retryable=False)
        return answer

    def _inserted(self, job: Job, answer: Answer | None, total: float) -> InsertResult:
        source, progress = job.source, job.statement.progress
        if answer is None:  # no rows: nothing was sent
            timings = Timings(source.seconds, 0.0, 0.0, 0.0, 0.0, total)
            return InsertResult(source.rows or 0, 0, 0, 0, None, timings, {})
        timings = Timings(
            source.seconds, sum(job.packing), progress.connect, progress.send, progress.answer, total
        )
        summary = answer.summary
        return InsertResult(
            source.rows,
            summary.get("written_rows"),
            source.raw_bytes,
            progress.sent,
            answer.query_id or job.statement.query_id,
            timings,
            summary,
        )

    def _result(self, answer: Answer) -> QueryResult:
        try:
            names, types, rows = decode_body(answer.body)
        except RowBinaryError:
            fault = old_in_band(answer.body)
            if fault is None:
                raise
            raise ServerError(fault.code, fault.name, fault.message, query_id=answer.query_id) from None
        return QueryResult(names, types, rows, answer.query_id, answer.summary)


def _identified(
    address: Address,
    user: str | None,
    password: str | None,
    access_token: str | None,
    database: str | None,
    settings: Settings | None,
    path: str,
    certificate: bool,
) -> Address:
    """`address` with what was given as arguments, which win over the URL."""
    for name, text in (
        ("user", user), ("password", password), ("access_token", access_token), ("database", database)
    ):  # fmt: skip
        if text is not None and not isinstance(text, str):
            raise ValueError(f"{name} must be str, not {type(text).__name__}")
    if address.embedded and (user or password or access_token or address.user):
        raise ValueError("the embedded engine knows no users")
    if access_token is not None:
        if user is not None or password is not None or address.user or address.password:
            raise ValueError("access_token and user or password cannot both be given")
        if not re.fullmatch("[!-~]+", access_token):
            raise ValueError("access_token must be printable ASCII without blanks")
    if not isinstance(path, str) or not path.startswith("/") or re.search(r"[^!-~]|[?#]", path):
        raise ValueError("path must begin with '/' and be percent-encoded")
    user = address.user if user is None else user
    password = address.password if password is None else password
    merged = dict(address.settings) | dict(settings_text(settings))
    found = replace(
        address,
        user=user,
        password=password,
        access_token=access_token,
        database=address.database if database is None else database,
        settings=tuple(merged.items()),
        path=path,
        certificate_login=certificate and user is not None and password is None,
    )
    found.headers()  # what cannot be sent is an error now
    return found


def _checked_headers(headers: dict[str, str] | None) -> dict[str, str]:
    for name, value in (headers or {}).items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise ValueError("headers must be str, names and values")
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or not re.fullmatch(r"[ -~]*", value):
            raise ValueError(f"header {name!r} cannot be sent")
        if name.lower() in ("content-length", "transfer-encoding", "content-encoding", "expect", "host"):
            raise ValueError(f"header {name!r} is the client's own")
    return dict(headers or {})


def _names(what: str, names: Sequence[str]) -> tuple[str, ...]:
    if (
        not isinstance(names, Iterable)
        or isinstance(names, str)
        or not all(isinstance(n, str) for n in names)
    ):
        raise ValueError(f"{what} must be a list of str")
    return tuple(names)


def _query_id(given: str | None) -> str:
    if given is None:
        return str(uuid.uuid4())
    if not isinstance(given, str) or not given or not given.isprintable():
        raise ValueError("query_id must be a printable str that is not empty")
    return given


def describe_rows(answer: Answer) -> list[Any]:
    """The rows of ``DESCRIBE TABLE ... FORMAT JSONCompact``."""
    try:
        rows: list[Any] = json.loads(answer.body)["data"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise TransportError("DESCRIBE TABLE was not answered in JSON", retryable=False) from None
    return rows
