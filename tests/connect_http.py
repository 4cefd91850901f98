"""Clients of clickhouse-connect, plain and accelerated, over HTTP to the servers of the tests.

with Caller("sync", front.port) as ours, Caller("async", front.port, ours=False) as plain: ...
make_table(front, "a UInt64, s String")
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import inspect
import itertools
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Literal, cast
from urllib.parse import parse_qs, urlsplit

import pytest
from front_bodies import Failure, decoded
from front_process import Front
from http_proxies import Recorder
from request_meter import Received

import rowbinary.connect
from rowbinary import _api

__all__ = [
    "HOST",
    "KINDS",
    "TYPES",
    "Caller",
    "Kind",
    "Outcome",
    "Shape",
    "asynchronous",
    "big",
    "blocks",
    "client_of",
    "columns",
    "count",
    "describes_of",
    "inserts_of",
    "make_table",
    "of_shape",
    "ours",
    "outcome",
    "parameters",
    "proxy",
    "run",
]

HOST = "127.0.0.1"
PATIENCE = 60.0
Kind = Literal["sync", "async"]
KINDS: tuple[Kind, ...] = ("sync", "async")
Shape = Literal["list", "generator", "agen"]
# Columns of the tables that make_table makes: with them no table is described.
TYPES: dict[str, Any] = {"column_names": ["a", "s"], "column_type_names": ["UInt64", "String"]}
_numbers = itertools.count()
_PADS = [os.urandom(500).hex() for _ in range(64)]  # no row is in the window of another, for a compressor
OURS = frozenset({"json", "lax", "strict", "format", "schema_ttl", "retries"})


def make_table(front: Front, columns: str = "a UInt64, s String", engine: str = "") -> str:
    """A new, empty table; its name."""
    name = f"connect_{next(_numbers)}"
    front.query(f"CREATE TABLE {name} ({columns}) ENGINE = {engine or 'MergeTree ORDER BY tuple()'}")
    return name


def big(count: int, error: BaseException | None = None, start: int = 0) -> Iterator[tuple[int, str]]:
    """Rows of about a kilobyte for (a UInt64, s String); then `error` is raised, if given."""
    for number in range(start, start + count):
        yield number, _PADS[number % 64]
    if error is not None:
        raise error


async def asynchronous(rows: Iterator[Any]) -> AsyncIterator[Any]:
    """`rows`, from an asynchronous generator."""
    for number, row in enumerate(rows):
        if number % 100 == 0:
            await asyncio.sleep(0)
        yield row


def of_shape(shape: Shape, rows: Iterator[Any]) -> Any:
    """`rows` as a list, as they are, or from an asynchronous generator."""
    if shape == "list":
        return list(rows)
    return rows if shape == "generator" else asynchronous(rows)


class Caller:
    """A client, its methods made synchronous; `plain` is the one that it was made from.

    An asynchronous client runs in a loop of another thread.
    """

    def __init__(self, kind: Kind, port: int, ours: bool = True, **arguments: Any) -> None:
        connect = pytest.importorskip("clickhouse_connect", reason="clickhouse-connect is not installed")
        self.kind = kind
        options = {name: arguments.pop(name) for name in OURS & set(arguments)}
        arguments = {"host": HOST, "port": port, **arguments}
        self._stack = contextlib.ExitStack()
        if kind == "sync":
            self.plain: Any = connect.get_client(**arguments)
            self._stack.callback(self.plain.close_connections)
        else:
            pytest.importorskip("aiohttp", reason="aiohttp is not installed")
            self._loop = asyncio.new_event_loop()
            thread = threading.Thread(target=self._loop.run_forever, daemon=True)
            thread.start()
            self._stack.callback(self._loop.close)
            self._stack.callback(thread.join, PATIENCE)
            self._stack.callback(self._loop.call_soon_threadsafe, self._loop.stop)
            self._stack.callback(lambda: self._done(self._loop.shutdown_asyncgens()))
            with contextlib.ExitStack() as undo:
                undo.push(self._stack)
                self.plain = self._done(connect.get_async_client(**arguments))
                undo.pop_all()
            self._stack.callback(lambda: self._done(self.client.close()))
        self.client: Any = rowbinary.connect.accelerate(self.plain, **options) if ours else self.plain

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def _done(self, made: Any) -> Any:
        if not inspect.isawaitable(made):
            return made
        return asyncio.run_coroutine_threadsafe(cast("Any", made), self._loop).result(PATIENCE)

    def do(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of the client."""
        return self._done(getattr(self.client, method)(*arguments, **options))

    def insert(self, *arguments: Any, **options: Any) -> Any:
        """Insert."""
        return self.do("insert", *arguments, **options)

    def attempt(self, *arguments: Any, **options: Any) -> Outcome:
        """Insert; what came of it."""
        return outcome(lambda: self.insert(*arguments, **options))


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a caller can see of a call; equal ones are the same to him."""

    kind: str
    code: int | None = None
    name: str | None = None
    error: BaseException | None = dataclasses.field(default=None, compare=False)
    result: Any = dataclasses.field(default=None, compare=False)

    @property
    def good(self) -> bool:
        """Whether nothing was raised."""
        return self.error is None


def outcome(call: Callable[[], Any]) -> Outcome:
    """What comes of `call`."""
    try:
        result = call()
    except BaseException as error:
        code, name = getattr(error, "code", None), getattr(error, "name", None)
        return Outcome(type(error).__name__, code, name, error)
    return Outcome("", result=result)


@dataclasses.dataclass(frozen=True)
class Insert:
    """One request, and its body as the server reads it."""

    request: Received
    body: bytes

    @property
    def statement(self) -> str:
        """Its first line."""
        return self.body.partition(b"\n")[0].decode()

    @property
    def is_insert(self) -> bool:
        """Whether that is an INSERT."""
        return self.statement.startswith("INSERT INTO")


def unpacked(request: Received) -> Insert:
    """`request` without chunks and compression, to where its body is damaged."""
    encoding = request.headers.get("content-encoding", "")
    if not encoding:
        return Insert(request, request.body)
    parts: list[bytes] = []
    with contextlib.suppress(Failure):
        for part in decoded([request.body], encoding):
            parts.append(bytes(part))  # noqa: PERF401 (what was decoded before the damage is kept)
    return Insert(request, b"".join(parts))


def inserts_of(proxy: Recorder) -> list[Insert]:
    """The INSERTs among the requests that `proxy` has seen."""
    return [one for one in map(unpacked, proxy.requests) if one.is_insert]


def describes_of(proxy: Recorder) -> int:
    """How often a table was described."""
    return sum(unpacked(one).statement.startswith("DESCRIBE") for one in proxy.requests)


def columns(front: Front, sql: str) -> list[list[str]]:
    """Rows of a SELECT, cells as in TabSeparated."""
    return [line.split("\t") for line in front.query(sql).splitlines()]


def count(front: Front, table: str) -> int:
    """Rows of a table."""
    return int(front.query(f"SELECT count() FROM {table}"))


@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 256 KiB: a few thousand rows are many blocks."""
    monkeypatch.setattr(_api, "DEFAULT_NATIVE_CHUNK", 1 << 18)


@pytest.fixture
def proxy(front: Front) -> Iterator[Recorder]:
    """What keeps the requests."""
    with Recorder(front.port) as recorder:
        yield recorder


@pytest.fixture
def ours(proxy: Recorder) -> Iterator[Caller]:
    """An accelerated client whose requests are kept."""
    with Caller("sync", proxy.port) as caller:
        yield caller


def parameters(request: Any) -> dict[str, str]:
    """What is in the URL."""
    query = urlsplit(request.first_line.split(" ")[1]).query
    return {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}


@contextlib.asynccontextmanager
async def client_of(port: int, **options: Any) -> AsyncIterator[Any]:
    """An accelerated client."""
    accelerated = {name: options.pop(name) for name in ("retries", "schema_ttl", "format") if name in options}
    connect = pytest.importorskip("clickhouse_connect", reason="clickhouse-connect is not installed")
    plain = await connect.get_async_client(host=HOST, port=port, **options)
    async with rowbinary.connect.accelerate(plain, **accelerated) as client:
        yield client


def run(main: Coroutine[Any, Any, None]) -> None:
    """With a limit, and with what is left behind as an error."""

    async def checked() -> None:
        complaints: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        async with asyncio.timeout(60):
            await main
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert not complaints

    asyncio.run(checked())
