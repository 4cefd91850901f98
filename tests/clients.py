"""Both clients behind the same calls, the servers they are tested against, and their fixtures.

    def test_x(client, table): ...     # Client and AsyncClient, against every server that is there

Set ROWBINARY_TEST_URL to add a server of your own, such as http://default@127.0.0.1:8123/.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import inspect
import itertools
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, Literal, cast
from urllib.parse import urlsplit

import pytest

from rowbinary import AsyncClient, Client, InsertResult, QueryResult, Schema

__all__ = ["KINDS", "Facade", "Kind", "Target", "asynchronous", "big_rows", "chain", "eventually"]

Kind = Literal["sync", "async", "agen"]
KINDS: tuple[Kind, ...] = ("sync", "async")  # "agen": AsyncClient, rows from asynchronous generators
TARGETS = ("server18", "front", "chdb", *(["url"] if os.environ.get("ROWBINARY_TEST_URL") else []))
PATIENCE = 60.0
PAD = "x" * 1000  # rows with it make a chunk of 1 MiB in about a thousand


class Facade:
    """A client, its calls made synchronous; `AsyncClient` runs in a loop of another thread."""

    def __init__(self, kind: Kind, url: str, **options: Any) -> None:
        self.kind = kind
        self.client: Client | AsyncClient
        if kind == "sync":
            self.client = Client(url, **options)
            return
        pytest.importorskip("aiohttp", reason="aiohttp is not installed")
        self.client = AsyncClient(url, **options)
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def __enter__(self) -> Facade:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
        if self.kind != "sync":
            self._done(self.loop.shutdown_asyncgens())
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(PATIENCE)
            self.loop.close()

    def _done(self, made: Any) -> Any:
        if not inspect.isawaitable(made):
            return made
        return asyncio.run_coroutine_threadsafe(cast("Any", made), self.loop).result(PATIENCE)

    def insert(self, table: Any, rows: Any, *arguments: Any, **options: Any) -> InsertResult:
        """Insert; `rows` become an asynchronous generator where that is the kind."""
        if self.kind == "agen":
            rows = asynchronous(rows)
        return cast("InsertResult", self._done(self.client.insert(table, rows, *arguments, **options)))

    def insert_encoded(self, *arguments: Any, **options: Any) -> InsertResult:
        """Insert bytes."""
        return cast("InsertResult", self._done(self.client.insert_encoded(*arguments, **options)))

    def query(self, sql: str, **options: Any) -> QueryResult:
        """Rows of a SELECT."""
        return cast("QueryResult", self._done(self.client.query(sql, **options)))

    def command(self, sql: str, **options: Any) -> str:
        """Any statement."""
        return cast("str", self._done(self.client.command(sql, **options)))

    def create_schema(self, table: Any) -> Schema:
        """The columns of a table."""
        return cast("Schema", self._done(self.client.create_schema(table)))

    def server_version(self) -> tuple[int, ...]:
        """The version."""
        return cast("tuple[int, ...]", self._done(self.client.server_version()))

    def forget_schemas(self) -> None:
        """Forget them."""
        self.client.forget_schemas()

    def close(self) -> None:
        """Close the client; it can be used again."""
        self._done(self.client.close())


async def asynchronous(rows: Iterable[object]) -> AsyncIterator[object]:
    """`rows` from an asynchronous generator, which lets others run now and then."""
    for number, row in enumerate(rows):
        if number % 100 == 0:
            await asyncio.sleep(0)
        yield row


def big_rows(count: int, error: BaseException | None = None) -> Iterator[tuple[int, str]]:
    """Rows of about a kilobyte for a table (a UInt64, s String); then `error` is raised, if given."""
    for number in range(count):
        yield number, PAD
    if error is not None:
        raise error


def eventually(probe: Callable[[], object], expected: object, seconds: float = 5.0) -> None:
    """Wait until `probe` says `expected`: what a server notices later, such as a broken connection."""
    end = time.monotonic() + seconds
    while (found := probe()) != expected and time.monotonic() < end:
        time.sleep(0.02)
    assert found == expected


def chain(error: BaseException | None) -> list[BaseException]:
    """An error with all that stands behind it."""
    found: list[BaseException] = []
    todo = [error]
    while todo:
        one = todo.pop()
        if one is not None and one not in found:
            found.append(one)
            todo += [one.__cause__, one.__context__]
    return found


_numbers = itertools.count()  # one for all targets, some of which are the same server


@dataclasses.dataclass
class Target:
    """A server, or the embedded engine, and a way to it that is not what is tested."""

    name: str
    url: str
    ask: Callable[[str], str]
    created: list[str] = dataclasses.field(default_factory=list)

    @property
    def modern(self) -> bool:
        """Whether it knows the types and formats of today."""
        return self.name != "server18"

    @property
    def http(self) -> bool:
        """Whether it is reached over HTTP."""
        return self.name != "chdb"

    @property
    def port(self) -> int:
        """Where it listens; skips where there is no connection."""
        if not self.http:
            pytest.skip("the embedded engine is reached without a connection")
        return urlsplit(self.url).port or 8123

    def at(self, port: int) -> str:
        """Its URL, through a proxy on this port."""
        parts = urlsplit(self.url)
        login, at, _ = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{login}{at}127.0.0.1:{port}").geturl()

    def need_modern(self, why: str) -> None:
        """Skip on the old server."""
        if not self.modern:
            pytest.skip(f"ClickHouse 18.16 has no {why}")

    def create(self, columns: str, engine: str = "MergeTree ORDER BY tuple()", name: str = "") -> str:
        """A new, empty table; its name."""
        name = name or f"t{os.getpid()}_{next(_numbers)}"
        self.ask(f"CREATE TABLE {name} ({columns}) ENGINE = {engine}")
        self.created.append(name)
        return name

    def count(self, table: str) -> int:
        """Its rows."""
        return int(self.ask(f"SELECT count() FROM {table}"))

    def lines(self, sql: str) -> list[list[str]]:
        """Rows of a SELECT, cells as in TabSeparated."""
        return [line.split("\t") for line in self.ask(sql).splitlines()]


@pytest.fixture(scope="session", params=TARGETS)
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    """Every server that is there."""
    name = request.param
    if name == "chdb":
        engine = request.getfixturevalue("engine")
        yield Target(name, "chdb://memory", lambda sql: str(engine.query(sql, "TabSeparated")))
    elif name == "url":
        url = os.environ["ROWBINARY_TEST_URL"]
        with Client(url) as client:
            yield (yours := Target(name, url, client.command))
            for table in yours.created:
                client.command(f"DROP TABLE IF EXISTS {table}")
    else:
        server = request.getfixturevalue(name)
        yield Target(name, server.url, server.query)


@pytest.fixture
def table(target: Target) -> Iterator[str]:
    """An empty table (a UInt64, s String)."""
    name = target.create("a UInt64, s String")
    yield name
    target.ask(f"DROP TABLE {name}")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """The client's kind."""
    return cast("Kind", request.param)


@pytest.fixture(params=(*KINDS, "agen"))
def rows_kind(request: pytest.FixtureRequest) -> Kind:
    """The client's kind, and of rows."""
    return cast("Kind", request.param)


@pytest.fixture
def connect() -> Iterator[Callable[..., Facade]]:
    """Makes clients: ``connect(kind, url, **options)``; they are closed at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda kind, url, **options: stack.enter_context(Facade(kind, url, **options))


@pytest.fixture
def client(kind: Kind, target: Target, connect: Callable[..., Facade]) -> Facade:
    """A client of every kind, for every target."""
    return connect(kind, target.url)


@pytest.fixture
def rows_client(rows_kind: Kind, target: Target, connect: Callable[..., Facade]) -> Facade:
    """As `client`, and one that takes its rows from asynchronous generators."""
    return connect(rows_kind, target.url)
