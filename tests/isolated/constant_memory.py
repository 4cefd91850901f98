"""iter_encode of many generated rows: the peak of memory grows by less than 32 MiB."""

import sys
from collections.abc import Iterator

from common import peak

import rowbinary

implementation, count = sys.argv[1], int(sys.argv[2])
COLUMNS = "id UInt64, name String, value Float64, j JSON"


def rows(number: int) -> Iterator[object]:
    for n in range(number):
        yield n, f"name {n}", n / 3, {"a": n, "b": {"c": "x"}}


def run(number: int) -> int:
    return sum(
        len(chunk) for chunk in rowbinary.iter_encode(COLUMNS, rows(number), implementation=implementation)
    )


run(1000)
before = peak()
size = run(count)
assert size > 40 * count, size
grown = peak() - before
assert grown < 32 << 20, f"{grown} bytes more after {count} rows"
