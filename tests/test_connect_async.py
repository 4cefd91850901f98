"""The accelerated asynchronous client: rows from asynchronous iterables, threads, cancelled inserts."""

from __future__ import annotations

import asyncio
import contextlib
import decimal
import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any

import connect_http
import pytest
from connect_http import (
    TYPES,
    Caller,
    Shape,
    asynchronous,
    big,
    client_of,
    columns,
    count,
    describes_of,
    inserts_of,
    make_table,
    of_shape,
    run,
)  # fmt: skip
from front_process import Front
from http_proxies import Recorder

pytest.importorskip("clickhouse_connect", reason="clickhouse-connect is not installed")
pytest.importorskip("aiohttp", reason="aiohttp is not installed")

from clickhouse_connect.driver.exceptions import (
    DatabaseError,
    DataError,
    ProgrammingError,
)

from rowbinary.connect import RowShapeError, ValueRefusedError

# Fixtures.
blocks = connect_http.blocks

SHAPES: tuple[Shape, ...] = ("list", "generator", "agen")
METHODS = [True, False, "zstd", "gzip"]


# --- what lands -----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("method", METHODS)
def test_compression(front: Front, blocks: None, method: Any, shape: Shape) -> None:
    """One block and many; the statement is in the body, and as compressed as that."""
    table = make_table(front)
    with Recorder(front.port) as proxy:

        async def main() -> None:
            async with client_of(proxy.port, compress=method) as client:
                assert (await client.insert(table, of_shape(shape, big(3)))).written_rows == 3
                summary = await client.insert(table, of_shape(shape, big(2000, start=3)))
                assert summary.written_rows == 2000
                assert summary.query_id()

        run(main())
        assert describes_of(proxy) == 1
        small, large = inserts_of(proxy)
        for insert in (small, large):
            assert insert.statement == f"INSERT INTO `{table}` (`a`, `s`) FORMAT Native"
            encoding = insert.request.headers.get("content-encoding", "")
            assert encoding == {True: "lz4", False: ""}.get(method, method)
        assert len(large.request.chunks) > (1 if shape == "agen" else 4)  # a batch of rows is a block
    assert columns(front, f"SELECT count(), sum(a), uniqExact(a) FROM {table}") == [
        ["2003", str(sum(range(2003))), "2003"]
    ]


@pytest.mark.parametrize("shape", SHAPES)
def test_hundreds_of_thousands_of_rows(front: Front, shape: Shape) -> None:
    table = make_table(front, "a UInt64, s String")
    total = 100_000 if shape == "agen" else 300_000

    async def main() -> None:
        async with client_of(front.port, compress=False) as client:
            rows = ((n, f"a row of some bytes, number {n}") for n in range(total))
            assert (await client.insert(table, of_shape(shape, rows))).written_rows == total

    run(main())
    assert columns(front, f"SELECT sum(a), uniqExact(s) FROM {table}") == [
        [str(sum(range(total))), str(total)]
    ]


class Rows:
    """An asynchronous iterable that is no generator."""

    def __init__(self, rows: Iterator[Any]) -> None:
        self._rows = rows

    def __aiter__(self) -> Rows:
        return self

    async def __anext__(self) -> Any:
        for row in self._rows:
            return row
        raise StopAsyncIteration


@pytest.mark.parametrize("total", [0, 1, 15, 16, 17, 3000])
def test_asynchronous_iterables(front: Front, blocks: None, total: int) -> None:
    """Batches of any size."""
    table = make_table(front)

    async def main() -> None:
        async with client_of(front.port) as client:
            assert (await client.insert(table, Rows(big(total)))).written_rows == total
            assert (await client.insert(table, asynchronous(iter([])))).written_rows == 0
            context = await client.create_insert_context(table)
            await client.insert(context=context, data=asynchronous(big(total)))
            assert context.data is None

    run(main())
    assert count(front, table) == 2 * total


@pytest.mark.parametrize("shape", SHAPES)
def test_values_that_need_conversion(front: Front, blocks: None, shape: Shape) -> None:
    """clickhouse-connect cuts digits of a Decimal; from the first refused row on every value is converted,
    also when that row is in a later block."""
    table = make_table(front, "a UInt64, d Decimal(9, 2), s String")

    def rows() -> Iterator[Any]:
        for number, pad in big(3000):
            odd = number in (2, 1500) or number > 2500
            yield number, decimal.Decimal("1.239") if odd else decimal.Decimal("1.25"), pad

    async def main() -> None:
        async with client_of(front.port) as client:
            await client.insert(table, of_shape(shape, rows()))
            dicts = ({"s": pad, "d": d, "a": a} for a, d, pad in rows())
            await client.insert(table, of_shape(shape, dicts))

    run(main())
    found = columns(front, f"SELECT toString(d), count(), uniqExact(a) FROM {table} GROUP BY d ORDER BY d")
    assert found == [["1.23", "1002", "501"], ["1.25", "4998", "2499"]]


def test_asynchronous_rows_need_an_asynchronous_client(front: Front) -> None:
    table = make_table(front)
    with Caller("sync", front.port) as ours, pytest.raises(TypeError, match="asynchronous client"):
        ours.insert(table, asynchronous(big(3)))


def test_altered_tables(front: Front, blocks: None) -> None:
    """A list is repeated with the new description, also one of many blocks; what is gone is not."""
    table = make_table(front)

    async def main() -> None:
        async with client_of(front.port) as client:
            await client.insert(table, [[0, "before"]])
            await asyncio.to_thread(front.query, f"ALTER TABLE {table} MODIFY COLUMN a Int64")
            await client.insert(table, list(big(2000)))
            await client.insert(table, list(big(2000)))
            await asyncio.to_thread(front.query, f"ALTER TABLE {table} MODIFY COLUMN a Int32")
            with pytest.raises(DatabaseError) as info:
                await client.insert(table, asynchronous(big(2000)))
            assert info.value.code == 53
            await client.insert(table, asynchronous(big(2000)))

    run(main())
    assert count(front, table) == 6001


# --- errors ---------------------------------------------------------------------------------------

ERRORS: dict[str, tuple[dict[str, Any], str, int | None]] = {
    "table": ({"table": "no_such_table"}, "DatabaseError", 60),
    "table with types": ({"table": "no_such_table", **TYPES}, "DatabaseError", 60),
    "database": ({"database": "no_such_database"}, "DatabaseError", 81),
    "setting": ({"settings": {"no_such_setting": 1}}, "DatabaseError", 115),
    "setting with types": ({"settings": {"no_such_setting": 1}, **TYPES}, "DatabaseError", 115),
    "reserved setting": ({"settings": {"user": "eve"}}, "ProgrammingError", None),
    "column": ({"column_names": ["a", "zz"]}, "ProgrammingError", None),
    "no columns": ({"column_names": []}, "ValueError", None),
    "column with types": ({**TYPES, "column_names": ["a", "zz"]}, "DatabaseError", 16),
    "no rows": ({"data": None}, "ProgrammingError", None),
    "refused": ({"settings": {"log_comment": "/* fail 241 */"}, **TYPES}, "DatabaseError", 241),
    "unavailable": ({"settings": {"log_comment": "/* fail 439 */"}, **TYPES}, "OperationalError", 439),
    "in the head": (
        {"settings": {"log_comment": "/* header exception 999 */"}, **TYPES},
        "DatabaseError",
        999,
    ),
}


@pytest.mark.parametrize("shown", [True, False])
def test_errors(front: Front, shown: bool) -> None:
    """Class, code, name and text are those of the plain client."""
    table = make_table(front)
    with (
        Caller("async", front.port, ours=False, show_clickhouse_errors=shown) as plain,
        Caller("async", front.port, show_clickhouse_errors=shown) as ours,
    ):
        for name, (arguments, kind, code) in ERRORS.items():
            given = {"table": table, "data": [[1, "x"]], **arguments}
            expected, seen = plain.attempt(**given), ours.attempt(**given)
            assert (expected.kind, expected.code) == (kind, code), name
            assert seen == expected, name
            assert str(seen.error) == str(expected.error), name
        for caller in (plain, ours):
            caller.client.set_access_token("bad")
            assert caller.attempt(table, [[1, "x"]]).code == 516
    assert count(front, table) == 0


@pytest.mark.parametrize("shape", SHAPES)
def test_refused_values(front: Front, blocks: None, shape: Shape) -> None:
    """In the first block or a later one: nothing is stored, and the error knows the row."""
    table = make_table(front)

    async def main() -> None:
        async with client_of(front.port) as client:
            for bad in (2, 2500):
                rows: Iterator[Any] = ((-1 if n == bad else n, pad) for n, pad in big(3000))
                with pytest.raises(ValueRefusedError, match="out of range") as info:
                    await client.insert(table, of_shape(shape, rows))
                assert isinstance(info.value, DataError)
                assert (info.value.row, info.value.column) == (bad, "a")
                rows = ((n, pad, "more") if n == bad else (n, pad) for n, pad in big(3000))
                with pytest.raises(RowShapeError) as shape_info:
                    await client.insert(table, of_shape(shape, rows))
                assert shape_info.value.row == bad
            await client.insert(table, [[0, "after"]])

    run(main())
    assert columns(front, f"SELECT * FROM {table}") == [["0", "after"]]


def test_sessions(front: Front) -> None:
    """A session of an asynchronous client is one that was asked for, and for one call at a time."""
    table = make_table(front)

    async def main() -> None:
        async with client_of(front.port, session_id=f"session {table}") as client:
            await client.insert(table, [[0, "before"]])
            slow = {"log_comment": "/* sleep 0.4 */"}
            first = asyncio.create_task(client.insert(table, [[1, "x"]], settings=slow, **TYPES))
            await asyncio.sleep(0.15)
            with pytest.raises(ProgrammingError, match="concurrent queries within the same session"):
                await client.insert(table, [[2, "y"]])
            await first
            await client.insert(table, [[3, "z"]])

    run(main())
    assert columns(front, f"SELECT a FROM {table} ORDER BY a") == [["0"], ["1"], ["3"]]


# --- at the same time -----------------------------------------------------------------------------


def test_gather(front: Front) -> None:
    """A hundred inserts at once: nothing is lost, doubled or mixed."""
    tables = [make_table(front, f"t UInt8, n UInt32, s{number} String") for number in range(3)]

    async def main() -> None:
        async with client_of(front.port) as client:

            async def one(number: int) -> None:
                rows = ((number % 3, 10 * number + row, str(10 * number + row)) for row in range(10))
                await client.insert(tables[number % 3], of_shape(SHAPES[number % 7 % 3], rows))

            await asyncio.gather(*map(one, range(100)))

    run(main())
    for number, table in enumerate(tables):
        rows = len(range(number, 100, 3)) * 10
        sql = f"SELECT count(), uniqExact(n), min(t), max(t), sum(s{number} != toString(n)) FROM {table}"
        assert columns(front, sql) == [[str(rows), str(rows), str(number), str(number), "0"]]


def test_gather_many_blocks(front: Front, blocks: None) -> None:
    """More bodies at once than there are threads."""
    table = make_table(front)

    async def main() -> None:
        async with client_of(front.port) as client:
            jobs = (
                client.insert(table, of_shape(SHAPES[number % 3], big(1500, start=1500 * number)))
                for number in range(12)
            )
            assert {summary.written_rows for summary in await asyncio.gather(*jobs)} == {1500}

    run(main())
    total = 12 * 1500
    assert columns(front, f"SELECT count(), sum(a) FROM {table}") == [[str(total), str(sum(range(total)))]]


def test_loop_is_free(front: Front, blocks: None) -> None:
    """Rows are made, encoded and compressed elsewhere: the loop goes on while an iterator sleeps."""
    table = make_table(front)
    beats: list[float] = []
    threads = set()

    def slow() -> Iterator[Any]:
        for number, pad in big(3000):
            if number in (10, 2500):
                threads.add(threading.current_thread())
                time.sleep(0.5)
            yield number, pad

    async def beat() -> None:
        while True:
            beats.append(time.monotonic())
            await asyncio.sleep(0.01)

    async def main() -> None:
        async with client_of(front.port) as client:
            await client.insert(table, [[0, "before"]])
            heart = asyncio.create_task(beat())
            await client.insert(table, slow())
            heart.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await heart

    run(main())
    assert threading.main_thread() not in threads
    assert beats[-1] - beats[0] > 1
    assert max(after - before for before, after in itertools.pairwise(beats)) < 0.4
    assert count(front, table) == 3001
