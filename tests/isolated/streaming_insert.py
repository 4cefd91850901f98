"""Inserts of many generated rows into a sink: the peak of memory grows by less than 64 MiB.

Arguments: "sync", "async" or "agen" (rows from an asynchronous generator); the rows, of 2 KB each.
"""

import asyncio
import pathlib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

from common import peak

import rowbinary

kind, count = sys.argv[1], int(sys.argv[2])
SINK = pathlib.Path(__file__).parents[2] / "benchmarks" / "sink.py"
COLUMNS = "id UInt64, text String"
TEXT = "".join(chr(33 + number * 7919 % 90) for number in range(2000))


def rows(number: int) -> Iterator[object]:
    for n in range(number):
        yield n, TEXT


async def slow_rows(number: int) -> AsyncIterator[object]:
    for n, row in enumerate(rows(number)):
        if n % 100 == 0:
            await asyncio.sleep(0)
        yield row


async def insert_async(url: str, number: int, compression: str) -> rowbinary.InsertResult:
    async with rowbinary.AsyncClient(url, compression=compression) as client:
        made = slow_rows(number) if kind == "agen" else rows(number)
        return await client.insert("t", made, schema=COLUMNS)


def insert(url: str, number: int, compression: str) -> rowbinary.InsertResult:
    if kind == "sync":
        with rowbinary.Client(url, compression=compression) as client:
            return client.insert("t", rows(number), schema=COLUMNS)
    return asyncio.run(insert_async(url, number, compression))


with subprocess.Popen([sys.executable, str(SINK)], stdout=subprocess.PIPE, text=True) as sink:
    try:
        assert sink.stdout is not None
        url = f"http://127.0.0.1:{int(sink.stdout.readline())}"
        for compression in ("lz4", "none"):
            insert(url, 1000, compression)
        before = peak()
        for compression in ("lz4", "none"):
            result = insert(url, count, compression)
            assert result.rows == count
            assert result.raw_bytes > 2000 * count
        grown = peak() - before
    finally:
        sink.kill()
assert grown < 64 << 20, f"{grown} bytes more after {count} rows"
