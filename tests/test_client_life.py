"""The life of a client: cached schemas, threads, tasks, event loops, closing, forks."""

from __future__ import annotations

import asyncio
import gc
import os
import pathlib
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable

import pytest
from clients import PAD, Facade, Kind, Target, big_rows, eventually
from faults import FaultProxy
from http_proxies import Recorder

from rowbinary import AsyncClient, Client, ServerError

pytestmark = pytest.mark.faults

Connect = Callable[..., Facade]
ROOT = pathlib.Path(__file__).parent.parent


# --- schemas


def test_schemas_are_asked_for_once(kind: Kind, target: Target, table: str, connect: Connect) -> None:
    with Recorder(target.port) as proxy:
        client = connect(kind, target.at(proxy.port))

        def described() -> int:
            return sum(one.body.startswith(b"DESCRIBE") for one in proxy.requests)

        for _ in range(3):
            client.insert(table, [(1, "x")])
            client.insert(table, [("x",)], ["s"])
            client.create_schema(table)
        assert described() == 1
        client.forget_schemas()
        client.insert(table, [(1, "x")])
        assert described() == 2
        client.insert(table, [(1, "x")], schema="a UInt64, s String")
        assert described() == 2


@pytest.mark.parametrize(
    "alter",
    [
        "MODIFY COLUMN a UInt32",  # of another width: rows would be read wrongly
        "MODIFY COLUMN a Int64",  # of the same width: values would change their meaning
        "MODIFY COLUMN s FixedString(1)",
        "DROP COLUMN s",
        "RENAME COLUMN s TO t",
    ],
)
def test_a_table_that_has_changed_is_noticed(rows_client: Facade, target: Target, alter: str) -> None:
    target.need_modern("RowBinaryWithNamesAndTypes, with which servers notice it")
    table = target.create("a UInt64, s String, n UInt8 DEFAULT 5")
    client = rows_client
    assert client.insert(table, [(1, "x", 1)]).rows == 1
    target.ask(f"ALTER TABLE {table} {alter}")
    with pytest.raises(ServerError) as info:
        client.insert(table, [(2**63, "y", 2)] * 3)
    assert info.value.outcome == "refused"
    assert target.lines(f"SELECT a, n FROM {table}") == [["1", "1"]]  # nothing of it, and nothing wrong
    now = [name for name, _ in client.create_schema(table)]
    client.insert(table, [{"a": 2, "s": "y", "t": "y", "n": 2}], extra="ignore")
    assert target.lines(f"SELECT a, n FROM {table} ORDER BY a") == [["1", "1"], ["2", "2"]]
    assert now == [row[0] for row in target.lines(f"DESCRIBE TABLE {table}")]


def test_a_column_that_was_added_needs_forgetting(client: Facade, target: Target, table: str) -> None:
    client.insert(table, [(1, "x")])
    target.ask(f"ALTER TABLE {table} ADD COLUMN n UInt8 DEFAULT 7")
    client.insert(table, [(2, "y")])
    client.forget_schemas()
    client.insert(table, [(3, "z", 8)])
    assert target.lines(f"SELECT a, n FROM {table} ORDER BY a") == [["1", "7"], ["2", "7"], ["3", "8"]]


def test_a_table_made_anew_is_noticed(client: Facade, target: Target, table: str) -> None:
    client.insert(table, [(1, "x")])
    target.ask(f"DROP TABLE {table}")
    with pytest.raises(ServerError) as info:
        client.insert(table, [(1, "x")])
    assert info.value.code == 60
    target.create("s String, a UInt8", name=table)
    client.insert(table, [("y", 2)])
    assert target.lines(f"SELECT a, s FROM {table}") == [["2", "y"]]


# --- many at a time


@pytest.mark.parametrize("compression", ["lz4", "none"])
def test_many_threads_share_a_client(target: Target, table: str, compression: str) -> None:
    failures: list[BaseException] = []

    def work(client: Client, number: int) -> None:
        try:
            for turn in range(10):
                first = (number * 10 + turn) * 2000
                count = 1500 if turn % 5 == 0 else 10  # some of several chunks
                client.insert(table, ((first + n, PAD) for n in range(count)))
        except BaseException as error:
            failures.append(error)

    with Client(target.url, compression=compression, pool_size=3) as client:
        threads = [threading.Thread(target=work, args=(client, number)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert not failures
    expected = 8 * (2 * 1500 + 8 * 10)
    assert target.lines(f"SELECT count(), uniqExact(a) FROM {table}") == [[str(expected)] * 2]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["rows", "agen"])
def test_many_tasks_share_a_client(target: Target, table: str, asynchronous: bool) -> None:
    async def rows(number: int) -> object:
        made = ((number * 5000 + n, PAD) for n in range(1500 if number % 8 == 0 else 10))
        if not asynchronous:
            return made

        async def slowly() -> object:
            for row in made:
                if row[0] % 500 == 0:
                    await asyncio.sleep(0.001)
                yield row

        return slowly()

    async def main() -> int:
        async with AsyncClient(target.url) as client:
            inserts = [client.insert(table, await rows(number)) for number in range(64)]  # type: ignore[arg-type]
            return sum([result.rows or 0 for result in await asyncio.gather(*inserts)])

    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    expected = 8 * 1500 + 56 * 10
    assert asyncio.run(asyncio.wait_for(main(), 60)) == expected
    assert target.lines(f"SELECT count(), uniqExact(a) FROM {table}") == [[str(expected)] * 2]


def test_the_event_loop_is_free_while_rows_are_made(target: Target, table: str) -> None:
    """Making and compressing rows is done elsewhere."""
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")

    async def main() -> int:
        ticks = 0
        async with AsyncClient(target.url) as client:
            insert = asyncio.create_task(client.insert(table, big_rows(20_000)))
            while not insert.done():
                await asyncio.sleep(0.001)
                ticks += 1
            await insert
        return ticks

    assert asyncio.run(asyncio.wait_for(main(), 60)) > 5


# --- loops, closing


@pytest.mark.parametrize("closing", [True, False], ids=["closed", "left open"])
def test_two_event_loops_after_each_other(target: Target, table: str, closing: bool) -> None:
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    client = AsyncClient(target.url)

    async def main(first: int) -> None:
        await client.insert(table, [(first, "x")])
        await client.insert(table, ((first, PAD) for _ in range(1500)))
        if closing:
            await client.close()

    with warnings.catch_warnings():
        if not closing:
            warnings.simplefilter("ignore", ResourceWarning)
        asyncio.run(asyncio.wait_for(main(1), 60))
        asyncio.run(asyncio.wait_for(main(2), 60))
        asyncio.run(client.close())
        gc.collect()  # connections of a loop that is no more
    assert target.lines(f"SELECT a, count() FROM {table} GROUP BY a ORDER BY a") == [
        ["1", "1501"],
        ["2", "1501"],
    ]


def test_closing_ends_the_connections_and_using_makes_new_ones(
    rows_kind: Kind, target: Target, table: str, connect: Connect
) -> None:
    with FaultProxy(target.port) as proxy:
        client = connect(rows_kind, target.at(proxy.port))
        for turn in range(1, 3):
            client.insert(table, big_rows(1500))
            assert [one.client_end for one in proxy.seen[turn - 1 :]] == [""]
            client.close()
            client.close()
            eventually(lambda: [one.client_end for one in proxy.seen], ["fin"] * turn)
    assert target.count(table) == 3000


def test_an_embedded_client_can_be_closed_and_used(rows_client: Facade, target: Target, table: str) -> None:
    if target.http:
        pytest.skip("it is not the embedded engine")
    for turn in range(1, 3):
        rows_client.insert(table, [(1, "x")])
        rows_client.close()
        rows_client.close()
        assert target.count(table) == turn


def test_connections_are_used_again(rows_kind: Kind, target: Target, table: str, connect: Connect) -> None:
    with FaultProxy(target.port) as proxy:
        client = connect(rows_kind, target.at(proxy.port))
        for _ in range(5):
            client.insert(table, [(1, "x")])
            client.insert(table, big_rows(1500))
        assert proxy.connections == 1
        assert proxy.requests == 12


def test_clients_say_who_they_are_without_secrets(kind: Kind, connect: Connect) -> None:
    client = connect(kind, "http://alice:the%20secret@127.0.0.1:9/db?max_threads=1").client
    assert repr(client) == f"<{type(client).__name__} http://127.0.0.1:9 as alice>"


FORK = """
import os, signal, sys
from rowbinary import Client

def rows(first):
    return ((first + n, "x" * 1000) for n in range(1500))

with Client(sys.argv[1]) as client:
    client.insert(sys.argv[2], rows(0))
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        try:
            client.insert(sys.argv[2], rows(10_000))
            client.insert(sys.argv[2], [(20_000, "small")])
            client.close()
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    client.insert(sys.argv[2], rows(30_000))
    assert os.waitpid(child, 0)[1] == 0
    client.insert(sys.argv[2], [(40_000, "small")])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_forked_child_has_connections_and_threads_of_its_own(target: Target, table: str) -> None:
    with FaultProxy(target.port) as proxy:
        command = [sys.executable, "-c", FORK, target.at(proxy.port), table]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert proxy.connections == 2
    assert target.lines(f"SELECT count(), uniqExact(a) FROM {table}") == [["4502", "4502"]]
