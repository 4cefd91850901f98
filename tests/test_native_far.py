"""Native blocks too large for the cache: their numbers are written past it, and nobody may notice."""

from __future__ import annotations

import datetime as dt
import decimal
import functools
import ipaddress
import tracemalloc
import uuid
from typing import Any

import pytest
from conftest import implementations
from test_native_ahead import AHEAD, same

import rowbinary
from rowbinary import Schema

pytestmark = [
    pytest.mark.skipif("c" not in implementations(), reason="there is nothing to compare with"),
    pytest.mark.timeout(120),
]

FILLERS = 2 * AHEAD  # rows that are larger together than what stays in the cache (RB_FAR in rb_stream.h)
LARGE = "x" * 8_000
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

# A type of each width and each kind of number, and the value of a row.
VALUES: dict[str, Any] = {
    "UInt8": lambda i: i % 256,
    "Bool": lambda i: i % 3 == 0,
    "Int16": lambda i: -i,
    "Date": lambda i: (START + dt.timedelta(days=i)).date(),
    "Int32": lambda i: -i * 1000,
    "Float32": lambda i: i / 4,
    "DateTime('UTC')": lambda i: START + dt.timedelta(seconds=i),
    "Date32": lambda i: (START - dt.timedelta(days=i)).date(),
    "Decimal(9, 2)": lambda i: decimal.Decimal(i) / 4,
    "IPv4": lambda i: ipaddress.IPv4Address(i),
    "FixedString(4)": lambda i: b"%04d" % i,
    "UInt64": lambda i: (1 << 63) + i,
    "Int64": lambda i: -(1 << 62) + i,
    "Float64": lambda i: i / 3,
    "DateTime64(3, 'UTC')": lambda i: START + dt.timedelta(milliseconds=i),
    "DateTime64(9)": lambda i: 1_700_000_000_000_000_000 + i,
    "Time64(3)": lambda i: dt.timedelta(milliseconds=i),
    "IntervalDay": lambda i: i,
    "Decimal(18, 4)": lambda i: decimal.Decimal(-i).scaleb(-4),
    "Int128": lambda i: -(1 << 100) - i,
    "UUID": lambda i: uuid.UUID(int=(1 << 127) + i),
    "IPv6": lambda i: ipaddress.IPv6Address((1 << 120) + i),
    "Decimal(38, 10)": lambda i: decimal.Decimal(i).scaleb(-10),
    "FixedString(16)": lambda i: b"%016d" % i,
    "UInt256": lambda i: (1 << 200) + i,
    "FixedString(5)": lambda i: b"%05d" % i,
    "Enum8('a' = 1, 'b' = 2)": lambda i: "ab"[i % 2],
    "LowCardinality(String)": lambda i: f"key {i % 40}",
    "LowCardinality(Nullable(String))": lambda i: None if i % 5 == 0 else f"key {i % 40}",
    "Nullable(Int32)": lambda i: None if i % 3 == 0 else i,
    "Nullable(Int64)": lambda i: None if i % 2 == 0 else i,
    "Nullable(UUID)": lambda i: None if i % 7 == 0 else uuid.UUID(int=i),
    "Nullable(String)": lambda i: None if i % 4 == 0 else f"text {i}",
    "Nullable(Enum8('a' = 0, 'b' = 2))": lambda i: None if i % 4 == 0 else "ab"[i % 2],
}
SCHEMA = Schema.parse(", ".join(f"c{n} {type}" for n, type in enumerate(VALUES)) + ", s String")


def row(i: int) -> tuple[Any, ...]:
    return (*(value(i) for value in VALUES.values()), LARGE if i < FILLERS else f"text {i}")


@pytest.mark.parametrize("count", [1, AHEAD - 1, AHEAD, AHEAD + 1, 300])
def test_every_width(count: int) -> None:
    chunks, bad = same(lambda: [row(i) for i in range(FILLERS + count)], schema=SCHEMA)
    assert len(chunks) == 1
    assert not bad


@pytest.mark.parametrize("column", range(len(VALUES)), ids=list(VALUES))
def test_a_row_fails(column: int) -> None:
    """What stands behind the row has gone past the cache, and is cut out again."""
    for place in (0, 1, AHEAD - 1, AHEAD, AHEAD + 7):
        rows = [row(i) for i in range(FILLERS + 2 * AHEAD)]
        rows[FILLERS + place] = (*rows[0][:column], object(), *rows[0][column + 1 :])
        _, bad = same(functools.partial(list, rows), schema=SCHEMA)
        assert [index for index, _ in bad] == [FILLERS + place]


def test_blocks_follow_each_other() -> None:
    """The memory of a block is used again: what is written past the cache comes behind what it had before."""
    rows = [row(i) for i in range(FILLERS + 100)] * 10
    chunks, _ = same(lambda: rows, schema=SCHEMA)
    assert sum(map(len, chunks)) > 5 << 20


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_memory_runs_out() -> None:
    """Wherever it does, rows are taken or refused as a whole."""
    nomemory = pytest.importorskip("_testcapi", reason="CPython's own tests are not installed")
    if not hasattr(nomemory, "set_nomemory"):
        pytest.skip("no hook for failing allocations")
    rows = [row(i) for i in range(FILLERS + 2000)]
    expected = rowbinary.encode_rows(SCHEMA, rows, format="Native", implementation="c")
    refused = 0
    for at in range(60):
        target = rowbinary.Encoder(SCHEMA, format="Native", implementation="c")
        target.write_rows(rows[:FILLERS])
        nomemory.set_nomemory(at, at + 1)
        try:
            target.write_rows(rows[FILLERS:])
        except MemoryError:
            refused += 1
        finally:
            nomemory.remove_mem_hooks()
        target.write_rows(rows[target.rows :])
        assert target.take() == expected
    assert refused


@pytest.mark.parametrize("implementation", implementations())
def test_rows_that_are_too_long_in_wide_columns(implementation: str) -> None:
    """Cells of a fixed width are not looked at one by one: those that are long do not go ahead."""
    count = 66
    schema = ", ".join(f"c{i} FixedString(16777215)" for i in range(count))
    with pytest.raises(rowbinary.EncodeError, match="the row takes more than"):
        rowbinary.encode_rows(schema, [("x",) * count], format="Native", implementation=implementation)


@pytest.mark.parametrize("implementation", implementations())
@pytest.mark.parametrize("short", [0, 1, 100])
def test_long_rows_are_not_held_by_the_dozen(implementation: str, short: int) -> None:
    """A block has room for one or two of them, whatever was held before they came."""
    columns, size = 500, 10_000
    schema = ", ".join(f"c{i} String" for i in range(columns))
    rows = [("",) * columns] * short + [("x" * size,) * columns] * 12
    tracemalloc.start()
    try:
        blocks = rowbinary.iter_encode(schema, rows, format="Native", implementation=implementation)
        longest = max(len(block) for block in blocks)
        assert longest < 3 * columns * size
        assert tracemalloc.get_traced_memory()[1] <= 6 * longest
    finally:
        tracemalloc.stop()
