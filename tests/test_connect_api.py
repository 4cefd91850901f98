"""An accelerated client is one of clickhouse-connect: same class, same methods, same state."""

from __future__ import annotations

import asyncio
import gc
import inspect
import subprocess
import sys
from typing import Any

import pytest
from connect_http import HOST, KINDS, Caller, Kind, count, describes_of, inserts_of, make_table
from front_process import Front
from http_proxies import Recorder
from server18 import Server18

pytest.importorskip("clickhouse_connect", reason="clickhouse-connect is not installed")
pytest.importorskip("aiohttp", reason="aiohttp is not installed")

from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import DatabaseError
from clickhouse_connect.driver.httpclient import HttpClient

import rowbinary.connect
from rowbinary.connect import accelerate

CLASSES = {"sync": HttpClient, "async": AsyncClient}


def accelerated(kind: Kind) -> type[Any]:
    """The class of an accelerated client, without a server."""
    from rowbinary.connect._client import class_of

    return class_of(CLASSES[kind])


def public(kind: type[Any]) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


@pytest.mark.parametrize("kind", KINDS)
def test_methods_and_attributes_are_the_same(kind: Kind) -> None:
    assert public(accelerated(kind)) == public(CLASSES[kind])


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name)
        for kind in KINDS
        for name in sorted(public(CLASSES[kind]))
        if inspect.isroutine(getattr(CLASSES[kind], name))
    ],
)
def test_signatures_are_the_same(kind: Kind, name: str) -> None:
    """Names, order, kinds and defaults of arguments: all may be given by place, and are."""
    ours, plain = getattr(accelerated(kind), name), getattr(CLASSES[kind], name)

    def shown(method: Any) -> list[tuple[object, ...]]:
        parameters = inspect.signature(method).parameters.values()
        return [(one.name, one.kind, one.default) for one in parameters]

    assert shown(ours) == shown(plain)
    assert inspect.iscoroutinefunction(ours) == inspect.iscoroutinefunction(plain)
    assert bool(ours.__doc__) >= bool(plain.__doc__)


@pytest.mark.parametrize("kind", KINDS)
def test_class(front: Front, kind: Kind) -> None:
    with Caller(kind, front.port) as ours:
        assert isinstance(ours.client, CLASSES[kind])
        assert isinstance(ours.client, type(ours.plain))
        assert type(ours.plain) is CLASSES[kind]
        assert type(ours.client).__name__ == f"Accelerated{CLASSES[kind].__name__}"


@pytest.mark.parametrize("kind", KINDS)
def test_state_is_shared(front: Front, kind: Kind) -> None:
    """Whatever is set on one client is set on the other."""
    with Caller(kind, front.port) as ours:
        client, plain = ours.client, ours.plain
        client.database = "system"
        assert plain.database == "system"
        plain.database = "default"
        assert client.database == "default"
        client.set_client_setting("max_threads", 3)
        assert plain.get_client_setting("max_threads") == "3"
        plain.set_client_setting("max_threads", 4)
        assert client.get_client_setting("max_threads") == "4"
        assert client.server_settings is plain.server_settings
        assert client.server_version == plain.server_version == front.version
        client.anything = 1
        assert plain.anything == 1
        plain.set_access_token("good-token")
        assert ours.do("command", "SELECT 7") == 7


@pytest.mark.parametrize("kind", KINDS)
def test_plain_client_stays_plain(front: Front, kind: Kind) -> None:
    """Accelerating makes a second object; the first one goes on asking each time."""
    table = make_table(front)
    with Recorder(front.port) as proxy, Caller(kind, proxy.port) as ours:
        for _ in range(2):
            ours._done(ours.plain.insert(table, [[1, "x"]]))
        assert describes_of(proxy) == 2
        assert len(inserts_of(proxy)) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_twice(front: Front, kind: Kind) -> None:
    """Accelerating again is choosing other options."""
    table = make_table(front)
    with Recorder(front.port) as proxy, Caller(kind, proxy.port) as ours:
        once, ours.client = ours.client, accelerate(ours.client, format="RowBinary")
        assert type(ours.client) is type(once)
        assert isinstance(ours.client, CLASSES[kind])
        ours.insert(table, [[1, "x"]])
        ours.client = once
        ours.insert(table, [[2, "y"]])
        formats = [one.statement.rpartition(" ")[2] for one in inserts_of(proxy)]
        assert formats == ["RowBinaryWithNamesAndTypes", "Native"]
    assert count(front, table) == 2


GARBAGE = [None, 1, "http://127.0.0.1:8123", object(), HttpClient, AsyncClient, rowbinary.Client, {}]


@pytest.mark.parametrize("thing", GARBAGE, ids=lambda thing: type(thing).__name__)
def test_no_client(thing: Any) -> None:
    with pytest.raises(TypeError, match="client of clickhouse-connect"):
        accelerate(thing)


@pytest.mark.parametrize(
    "option",
    [
        {"json": "binary"},
        {"format": "CSV"},
        {"format": None},
        {"retries": -1},
        {"retries": 1.5},
        {"retries": "3"},
    ],
    ids=str,
)
def test_wrong_options(front: Front, option: dict[str, Any]) -> None:
    with Caller("sync", front.port, ours=False) as plain, pytest.raises(ValueError, match=next(iter(option))):
        accelerate(plain.client, **option)


def test_unknown_options(front: Front) -> None:
    with Caller("sync", front.port, ours=False) as plain, pytest.raises(TypeError):
        accelerate(plain.client, jsn="text")  # type: ignore[call-arg]


def test_get_client(front: Front) -> None:
    """With arguments of both libraries; the client that it was made from is gone."""
    table = make_table(front)
    with Recorder(front.port) as proxy:
        client = rowbinary.connect.get_client(
            host=HOST, port=proxy.port, compress="gzip", format="RowBinary", retries=2
        )
        gc.collect()
        with client:
            assert client.insert(table, iter([(1, "x")])).written_rows == 1
        (insert,) = inserts_of(proxy)
        assert insert.request.headers["content-encoding"] == "gzip"
        assert insert.statement.endswith("FORMAT RowBinaryWithNamesAndTypes")


def test_get_client_by_address(front: Front) -> None:
    client = rowbinary.connect.get_client(dsn=f"http://alice:secret@{HOST}:{front.port}/default")
    assert isinstance(client, HttpClient)
    assert client.command("SELECT 1") == 1
    client.close()


def test_get_async_client(front: Front) -> None:
    table = make_table(front)

    async def main(proxy: Recorder) -> None:
        client = await rowbinary.connect.get_async_client(
            host=HOST, port=proxy.port, compress=False, format="RowBinary"
        )
        gc.collect()
        async with client as same:
            assert same is client
            summary = await client.insert(table, iter([(1, "x")]))
            assert summary.written_rows == 1

    with Recorder(front.port) as proxy:
        asyncio.run(main(proxy))
        (insert,) = inserts_of(proxy)
        assert insert.statement.endswith("FORMAT RowBinaryWithNamesAndTypes")


def test_wrong_options_of_get_client() -> None:
    """Those of the client are for clickhouse-connect to judge, before ours are looked at."""
    with pytest.raises(DatabaseError):
        rowbinary.connect.get_client(host=HOST, port=1, retries=1, connect_timeout=1)
    with pytest.raises((TypeError, DatabaseError)):
        rowbinary.connect.get_client(host=HOST, port=1, retires=1, connect_timeout=1)


def test_context_manager(front: Front) -> None:
    table = make_table(front)
    with Caller("sync", front.port) as ours:
        with accelerate(ours.plain) as client:
            client.insert(table, [[1, "x"]])
        client.insert(table, [[2, "y"]])  # as a closed client of a shared pool can
        assert count(front, table) == 2


def test_async_context_manager(front: Front) -> None:
    """A closed client says what the plain one says, and can be opened again."""
    import clickhouse_connect

    table = make_table(front)

    async def main() -> None:
        plain = await clickhouse_connect.get_async_client(host=HOST, port=front.port)
        async with accelerate(plain) as client:
            await client.insert(table, [[1, "x"]])
        for closed in (plain, client):
            with pytest.raises(DatabaseError, match="session is unavailable"):
                await closed.insert(table, [[2, "y"]])
        await client._initialize()
        await client.insert(table, [[3, "z"]])
        await client.close()

    asyncio.run(main())
    assert count(front, table) == 2


def test_import_is_not_needed() -> None:
    """``import rowbinary`` costs nothing of clickhouse-connect, which need not be installed."""
    code = (
        "import sys, rowbinary\n"
        "names = [n for n in sys.modules if n.startswith(('clickhouse_connect', 'rowbinary.connect'))]\n"
        "sys.exit(str(names) if names else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_import_without_clickhouse_connect() -> None:
    """The error names the package that is missing."""
    code = "import sys\nsys.modules['clickhouse_connect'] = None\nimport rowbinary\nimport rowbinary.connect"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "clickhouse_connect" in done.stderr.splitlines()[-1]


def test_old_servers(server18: Server18) -> None:
    """ClickHouse 18.16 is too old for clickhouse-connect itself: there is no client to accelerate."""
    with pytest.raises(DatabaseError, match="Unknown identifier: readonly"):
        rowbinary.connect.get_client(host=HOST, port=server18.port)
