"""Cancelled inserts of AsyncClient: they end at once, store nothing unfinished, and leave a good client."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import pytest
from clients import PAD, Target, big_rows, eventually
from faults import Canned, FaultProxy, Plan, Reply, stall
from http_proxies import reply

from rowbinary import AsyncClient

pytest.importorskip("aiohttp", reason="aiohttp is not installed")

pytestmark = pytest.mark.faults

SCHEMA = "a UInt64, s String"
HOWS = ("cancel", "timeout")


async def cut_short(how: str, insert: Coroutine[Any, Any, object], ready: Callable[[], bool]) -> float:
    """Cancel `insert` when it is `ready`, by itself or by a timeout around it; the seconds that takes."""

    async def limited() -> None:
        async with limit:
            await insert

    limit = asyncio.timeout(None)
    task = asyncio.create_task(limited() if how == "timeout" else insert)
    async with asyncio.timeout(10):
        while not ready():
            await asyncio.sleep(0.01)
    start = time.monotonic()
    if how == "timeout":
        limit.reschedule(0)
    else:
        task.cancel()
    with pytest.raises(TimeoutError if how == "timeout" else asyncio.CancelledError):
        await task
    return time.monotonic() - start


def run(main: Coroutine[Any, Any, None]) -> None:
    """With a limit."""
    asyncio.run(asyncio.wait_for(main, 30))


def check_nothing_stored(target: Target, table: str) -> None:
    if target.name == "server18":
        running = f"SELECT count() FROM system.processes WHERE query LIKE 'INSERT INTO%{table}%'"
        eventually(lambda: target.ask(running), "0\n")
    time.sleep(0.05)
    assert target.lines(f"SELECT a, s FROM {table}") == [["99", "next"]]


class Waiting:
    """Rows, then nothing more for ever."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.waits = self.closed = False

    async def rows(self) -> AsyncIterator[object]:
        try:
            for row in big_rows(self.count):
                yield row
            self.waits = True
            await asyncio.Event().wait()
        finally:
            self.closed = True


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("compression", ["lz4", "none"])
@pytest.mark.parametrize("count", [0, 3, 2600])
def test_while_rows_are_awaited(target: Target, table: str, how: str, compression: str, count: int) -> None:
    async def main() -> None:
        waiting = Waiting(count)
        async with AsyncClient(target.url, compression=compression) as client:
            await client.server_version()
            insert = client.insert(table, waiting.rows())
            assert await cut_short(how, insert, lambda: waiting.waits) < 2
            assert waiting.closed
            await client.insert(table, [(99, "next")])

    run(main())
    check_nothing_stored(target, table)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("compression", ["lz4", "none"])
def test_while_a_thread_makes_rows(target: Target, table: str, how: str, compression: str) -> None:
    waits, free = threading.Event(), threading.Event()

    def rows() -> Iterator[tuple[int, str]]:
        yield from big_rows(2600)
        waits.set()
        free.wait(1.0 if target.http else 0.6)  # a thread cannot be stopped: the engine waits for it
        yield from big_rows(2600)

    async def main() -> None:
        async with AsyncClient(target.url, compression=compression) as client:
            await client.server_version()
            assert await cut_short(how, client.insert(table, rows()), waits.is_set) < (
                0.5 if target.http else 2
            )
            await client.insert(table, [(99, "next")])
            free.set()

    run(main())
    check_nothing_stored(target, table)


async def endless() -> AsyncIterator[object]:
    """Rows without end."""
    number = 0
    while True:
        yield number, PAD
        number += 1


STAGES: dict[str, Plan] = {
    "before it is connected": stall(0, of="start"),
    "while the head is on its way": stall(50, of="start"),
    "in the first piece": stall(100, of="body"),
    "in the body": stall(1_500_000, of="body"),
}


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("compression", ["lz4", "none"])
@pytest.mark.parametrize("stage", STAGES)
def test_while_the_server_is_slow(target: Target, table: str, how: str, compression: str, stage: str) -> None:
    if not target.http:
        pytest.skip("there is no wire")
    if compression == "lz4" and stage == "in the body":
        pytest.skip("it is not that long")

    async def main(proxy: FaultProxy) -> None:
        async with AsyncClient(target.at(proxy.port), compression=compression) as client:
            await client.insert(table, [(99, "next")])
            await client.close()
            proxy.plan = [STAGES[stage]]
            assert await cut_short(how, client.insert(table, endless()), lambda: proxy.faults == 1) < 2
            await client.command("SELECT 1")

    with FaultProxy(target.port) as proxy:
        run(main(proxy))
    check_nothing_stored(target, table)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("answers", [0, 1, 2], ids=["version", "schema", "insert"])
def test_while_an_answer_is_awaited(how: str, answers: int) -> None:
    """Also of what comes before the insert."""
    describe = b'{"data": [["a", "UInt64", ""], ["s", "String", ""]]}'
    canned = [Reply(data, send_100=True) for data in (reply(b"26.9.1.1\n"), reply(describe))][:answers]
    later = [Reply(reply(b""), delay=1.0, send_100=True)]

    async def main(server: Canned) -> None:
        async with AsyncClient(server.url) as client:
            insert = client.insert("t", [(1, "x")])
            assert await cut_short(how, insert, lambda: len(server.requests) > answers) < 1

    with Canned([*canned, *later]) as server:
        run(main(server))


def test_cancelled_inserts_do_not_wear_a_client_out(target: Target, table: str) -> None:
    """More of them than there are threads or connections."""

    async def main() -> None:
        async with AsyncClient(target.url) as client:
            await client.server_version()
            for _ in range(12):
                waiting = Waiting(1200)
                task = asyncio.create_task(client.insert(table, waiting.rows()))
                while not waiting.waits:
                    await asyncio.sleep(0.005)
                task.cancel()
                await asyncio.wait([task])
                assert waiting.closed
            await asyncio.gather(*(client.insert(table, [(99, "next")]) for _ in range(1)))

    run(main())
    check_nothing_stored(target, table)


def test_one_cancelled_insert_does_not_harm_the_others(target: Target, table: str) -> None:
    async def main() -> None:
        async with AsyncClient(target.url) as client:
            waiting = Waiting(1200)
            lost = asyncio.create_task(client.insert(table, waiting.rows()))
            others = [asyncio.create_task(client.insert(table, big_rows(1500))) for _ in range(4)]
            while not waiting.waits:
                await asyncio.sleep(0.005)
            lost.cancel()
            results = await asyncio.gather(*others)
            assert [result.rows for result in results] == [1500] * 4
            assert isinstance((await asyncio.gather(lost, return_exceptions=True))[0], asyncio.CancelledError)

    run(main())
    eventually(lambda: target.count(table), 6000)
