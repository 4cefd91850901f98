"""Cancelled inserts of the accelerated asynchronous client, and rows that are no more wanted: all ends."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from typing import Any

import connect_http
import pytest
from clients import eventually
from connect_http import (
    TYPES,
    Shape,
    big,
    client_of,
    columns,
    count,
    inserts_of,
    make_table,
    of_shape,
    run,
)  # fmt: skip
from faults import FaultProxy, cut, stall
from front_process import Front
from http_proxies import Recorder

pytest.importorskip("clickhouse_connect", reason="clickhouse-connect is not installed")
pytest.importorskip("aiohttp", reason="aiohttp is not installed")

from clickhouse_connect.driver.exceptions import (
    DatabaseError,
    OperationalError,
)

from rowbinary.connect import ValueRefusedError

pytestmark = pytest.mark.faults

# Fixtures.
blocks = connect_http.blocks

SHAPES: tuple[Shape, ...] = ("list", "generator", "agen")
METHODS = [True, False, "zstd", "gzip"]


# --- cancelled ------------------------------------------------------------------------------------


class Endless:
    """Rows that stop coming, in an asynchronous generator that wants to be closed."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.waits, self.closed = asyncio.Event(), 0

    async def rows(self) -> AsyncIterator[Any]:
        try:
            for row in big(self.count):
                yield row
            self.waits.set()
            await asyncio.Event().wait()
        finally:
            self.closed += 1
            await asyncio.sleep(0)


async def cancelled(insert: Coroutine[Any, Any, Any], ready: Callable[[], Awaitable[Any]]) -> None:
    """Cancel `insert` when it is `ready`: it ends at once, as cancelled."""
    task = asyncio.create_task(insert)
    await asyncio.wait_for(ready(), 10)
    await asyncio.sleep(0.02)
    start = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - start < 4


async def settled() -> None:
    """What was cancelled has ended."""
    until = time.monotonic() + 5
    while len(asyncio.all_tasks()) > 1 and time.monotonic() < until:
        await asyncio.sleep(0.01)
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("total", [0, 3, 3000])
def test_cancelled_while_rows_are_awaited(front: Front, blocks: None, total: int, compress: bool) -> None:
    """In the first block, or while the body is sent.  The generator is closed, not only dropped."""
    table = make_table(front)

    async def main() -> None:
        async with client_of(front.port, compress=compress) as client:
            endless = Endless(total)
            await cancelled(client.insert(table, endless.rows()), endless.waits.wait)
            await settled()
            assert endless.closed == 1
            await client.insert(table, [[99, "next"]])

    run(main())
    eventually(lambda: columns(front, f"SELECT a, s FROM {table}"), [["99", "next"]])


@pytest.mark.parametrize("retries", [None, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_cancelled_while_sending(front: Front, blocks: None, shape: Shape, retries: int | None) -> None:
    """The server does not read: nothing is stored, and what made the rows ends."""
    table = make_table(front)
    taken = 0

    def rows() -> Iterator[Any]:
        nonlocal taken
        for row in big(100_000):
            taken += 1
            yield row

    with FaultProxy(front.port) as proxy:

        async def main() -> None:
            async with client_of(proxy.port, compress=False, retries=retries) as client:
                await client.insert(table, [[0, "before"]])
                await client.close_connections()
                proxy.plan = [stall(1 << 20, of="body")]

                async def stalled() -> None:
                    while not proxy.faults:
                        await asyncio.sleep(0.01)

                await cancelled(client.insert(table, of_shape(shape, rows())), stalled)
                await settled()
                before = taken
                await asyncio.sleep(0.1)
                assert taken == before
                await client.insert(table, [[99, "next"]])
                await asyncio.to_thread(proxy.close)  # a closing transport waits until it has sent its rest
                await asyncio.sleep(0.1)

        run(main())
        assert proxy.faults == 1
    eventually(lambda: columns(front, f"SELECT a FROM {table} ORDER BY a"), [["0"], ["99"]])


@pytest.mark.parametrize("retries", [None, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_cancelled_while_an_answer_is_awaited(front: Front, shape: Shape, retries: int | None) -> None:
    """All is sent: it is not sent again."""
    table = make_table(front)
    with Recorder(front.port) as proxy:

        async def main() -> None:
            async with client_of(proxy.port, retries=retries) as client:
                await client.insert(table, [[0, "before"]])
                slow = {"log_comment": "/* sleep 0.5 */"}

                async def sent() -> None:
                    while len(inserts_of(proxy)) < 2:
                        await asyncio.sleep(0.01)

                await cancelled(client.insert(table, of_shape(shape, big(5)), settings=slow), sent)
                await settled()
                await client.insert(table, [[99, "next"]])

        run(main())
        assert len(inserts_of(proxy)) == 3


def test_cancelled_while_waiting_to_repeat(front: Front) -> None:
    """Between two attempts."""
    table = make_table(front)
    with Recorder(front.port) as proxy:

        async def main() -> None:
            async with client_of(proxy.port, retries=100) as client:

                async def refused() -> None:
                    while len(inserts_of(proxy)) < 3:
                        await asyncio.sleep(0.01)

                insert = client.insert(table, [[1, "x"]], settings={"log_comment": "/* fail 202 */"}, **TYPES)
                await cancelled(insert, refused)
                await settled()

        run(main())
    assert count(front, table) == 0


def test_time_limits(front: Front, blocks: None) -> None:
    """``asyncio.timeout`` is a cancelled insert too."""
    table = make_table(front)

    async def main() -> None:
        async with client_of(front.port) as client:
            for total in (0, 3000):
                endless = Endless(total)
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.3):
                        await client.insert(table, endless.rows())
                await settled()
                assert endless.closed == 1

    run(main())
    eventually(lambda: count(front, table), 0)


# --- generators are closed, threads end -----------------------------------------------------------


async def closed_rows(total: int, seen: list[str], error: Exception | None = None) -> AsyncIterator[Any]:
    """Rows that come with pauses; `seen` is told when they are no more wanted."""
    try:
        for number, row in enumerate(big(total, error)):
            if number % 50 == 0:
                await asyncio.sleep(0.002)
            yield row
    finally:
        await asyncio.sleep(0)
        seen.append("closed")


@pytest.mark.parametrize("plan", [cut(), cut(1, of="body"), cut(1 << 19, of="body"), cut(of="end")], ids=repr)
def test_generators_are_closed_after_errors(front: Front, blocks: None, plan: Any) -> None:
    """The caller sees the error of the connection, and none of the generator that still ran."""
    table = make_table(front)
    seen: list[str] = []
    with FaultProxy(front.port) as proxy:

        async def main() -> None:
            async with client_of(proxy.port, compress=False) as client:
                await client.insert(table, [[0, "before"]])
                await client.close_connections()
                proxy.plan = [plan]
                with pytest.raises(OperationalError):
                    await client.insert(table, closed_rows(3000, seen))
                await settled()
                assert seen == ["closed"]

        run(main())


def test_generators_are_closed_after_refusals(front: Front, blocks: None) -> None:
    """By the server, by the encoder, and by themselves."""
    table = make_table(front)
    seen: list[str] = []

    async def bad(number: int) -> AsyncIterator[Any]:
        async with contextlib.aclosing(closed_rows(3000, seen)) as rows:  # type: ignore[type-var]
            async for row in rows:
                yield ("bad", row[1]) if row[0] == number else row

    async def main() -> None:
        async with client_of(front.port) as client:
            fail = {"log_comment": "/* fail 241 */"}
            for rows, settings, kind in (
                (closed_rows(3000, seen), fail, DatabaseError),
                (bad(3), None, ValueRefusedError),
                (bad(2500), None, ValueRefusedError),
                (closed_rows(3, seen, OSError("disk")), None, OSError),
                (closed_rows(2500, seen, OSError("disk")), None, OSError),
            ):
                seen.clear()
                with pytest.raises(kind):
                    await client.insert(table, rows, settings=settings, **TYPES)
                await settled()
                assert seen == ["closed"]

    run(main())
    assert count(front, table) == 0


def test_threads_end(front: Front) -> None:
    """Those of a closed client, while somebody still has it."""

    def names() -> list[str]:
        return [one.name for one in threading.enumerate() if one.name.startswith("rowbinary")]

    table = make_table(front)
    before = len(names())

    async def main() -> None:
        async with client_of(front.port) as client:
            await asyncio.gather(*(client.insert(table, [[number, "x"]]) for number in range(20)))
            assert before < len(names()) <= before + 4
        eventually(lambda: len(names()), before)
        await client._initialize()
        await client.insert(table, [[20, "x"]])
        await client.close()

    run(main())
    eventually(lambda: len(names()), before)
    assert count(front, table) == 21
