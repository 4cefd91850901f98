"""Native rows of which the C encoder writes some cells ahead, column by column: nobody may notice."""

from __future__ import annotations

import concurrent.futures
import datetime as dt
import functools
from collections.abc import Callable
from typing import Any

import pytest
from conftest import described, implementations
from hostile import meddling

import rowbinary
from rowbinary import DEFAULT, Schema

pytestmark = [
    pytest.mark.skipif("c" not in implementations(), reason="there is nothing to compare with"),
    pytest.mark.timeout(120),
]

AHEAD = 32  # RB_AHEAD in columns.h
SCHEMA = Schema.parse(
    "id UInt64, n Int32, x Float64, s String, k LowCardinality(String), t DateTime64(3, 'UTC'), "
    "d Date, j JSON, l Array(String)"
)
ZONE = dt.timezone(dt.timedelta(hours=2))


def row(i: int) -> tuple[Any, ...]:
    moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=i)
    return (
        i,
        -i,
        i / 3,
        f"text {i}",
        f"key {i % 7}",
        moment,
        moment.date(),
        {"a": i, f"b{i % 3}": [i]},
        ["x"] * (i % 4),
    )


def replaced(i: int, column: int, value: Any) -> tuple[Any, ...]:
    cells = list(row(i))
    cells[column] = value
    return tuple(cells)


def outcome(implementation: str, rows: list[Any], schema: Schema = SCHEMA, **choices: Any) -> list[Any]:
    """The chunks, and the rows that were left out."""
    bad: list[Any] = []
    chunks = rowbinary.iter_encode(
        schema,
        rows,
        implementation=implementation,
        format="Native",
        on_error=lambda row, index, error: bad.append((index, described(error))),
        **choices,
    )
    return [list(chunks), bad]


def same(make: Callable[[], list[Any]], **choices: Any) -> list[Any]:
    """Each implementation gets rows of its own."""
    found = outcome("c", make(), **choices)
    assert found == outcome("python", make(), **choices)
    return found


BAD = [
    (0, -1),
    (1, "x"),
    (2, None),
    (3, 5),
    (3, "\ud800"),
    (4, 7),
    (5, "never"),
    (6, "never"),
    (7, 1),
    (8, [1]),
]


@pytest.mark.parametrize(("column", "value"), BAD)
def test_a_row_fails_at_each_place(column: int, value: Any) -> None:
    for place in range(2 * AHEAD + 2):
        rows = [replaced(i, column, value) if i == place else row(i) for i in range(2 * AHEAD + 5)]
        _, bad = same(functools.partial(list, rows))
        assert [index for index, _ in bad] == [place]


@pytest.mark.parametrize("step", [1, 2, 3, AHEAD - 1, AHEAD, AHEAD + 1])
def test_rows_fail_regularly(step: int) -> None:
    rows = [replaced(i, i // step % 9, object()) if i % step == 0 else row(i) for i in range(300)]
    same(lambda: rows)


# Values that the reference knows, that need Python code, or that are long.
RARE = [
    (0, True),
    (2, 5),
    (3, b"bytes"),
    (3, "\N{SNOWMAN}" * 9),
    (3, "long" * 10_000),
    (4, "new" * 10_000),
    (4, b"bytes"),
    (5, 1_700_000_000_000),
    (5, "2026-01-02 03:04:05"),
    (5, dt.datetime(2026, 1, 1, tzinfo=ZONE)),
]


@pytest.mark.parametrize(("column", "value"), RARE)
def test_rare_values(column: int, value: Any) -> None:
    for place in (0, 1, AHEAD - 1, AHEAD, AHEAD + 1, 3 * AHEAD):
        rows = [replaced(i, column, value) if i == place else row(i) for i in range(4 * AHEAD)]
        same(functools.partial(list, rows))


def test_rows_of_other_kinds_between() -> None:
    names = SCHEMA.names
    kinds: list[Callable[[tuple[Any, ...]], Any]] = [
        tuple,
        list,
        lambda cells: dict(zip(names, cells, strict=True)),
    ]
    same(lambda: [kinds[i // 5 % 3](row(i)) for i in range(400)])
    same(lambda: [row(i)[: 9 - (i % 50 == 7)] for i in range(400)])


def test_default_cells() -> None:
    same(lambda: [replaced(i, 0, DEFAULT) if i % 40 == 11 else row(i) for i in range(300)])


@pytest.mark.parametrize("chunk_bytes", [1, 1000, 5000, 1 << 16])
def test_chunks_end_at_the_same_rows(chunk_bytes: int) -> None:
    rows = [row(i) for i in range(500)]
    chunks, _ = same(lambda: rows, chunk_bytes=chunk_bytes)
    assert len(chunks) > 1 or chunk_bytes > 5000


def test_blocks_end_at_the_same_rows() -> None:
    schema = Schema.parse("s String, n UInt8, k LowCardinality(String)")
    rows = [("x" * (i * 37 % 3000), i % 256, f"{i % 5000}" * 9) for i in range(9000)]
    chunks, _ = same(lambda: rows, schema=schema)
    assert len(chunks) > 2


@pytest.mark.parametrize("place", [0, 5, AHEAD - 1, AHEAD])
@pytest.mark.parametrize("change", ["clear", "shorten", "replace", "append", "insert"])
def test_rows_that_change_the_list(place: int, change: str) -> None:
    def make() -> list[Any]:
        rows: list[Any] = []
        done: list[int] = []

        def act() -> None:
            if done:
                return
            done.append(1)
            if change == "clear":
                rows.clear()
            elif change == "shorten":
                del rows[place + 3 :]
            elif change == "replace":
                rows[place + 1 :] = [row(1000 + i) for i in range(10)]
            elif change == "append":
                rows.append(row(7))
            else:
                rows.insert(place + 1, row(8))

        rows += [replaced(i, 5, meddling(act)) if i == place else row(i) for i in range(3 * AHEAD)]
        return rows

    same(make)


def test_encoders_one_after_another_and_at_once() -> None:
    """Memory goes from one to the next; what is in it does not."""
    rows = [row(i) for i in range(3000)]
    small = Schema.parse("id UInt64, s String")
    wanted = outcome("c", rows), outcome("c", [(i, f"{i}") for i in range(20_000)], small)
    held = [outcome("c", rows)[0] for _ in range(4)]  # nobody writes over chunks that are held
    encoders = [rowbinary.Encoder(SCHEMA, format="Native") for _ in range(3)]
    for i in range(0, 3000, 10):
        for encoder in encoders:
            encoder.write_rows(rows[i : i + 10])
    assert [encoder.take() for encoder in encoders] == [b"".join(wanted[0][0])] * 3
    del encoders
    assert outcome("c", [(i, f"{i}") for i in range(20_000)], small) == wanted[1]
    assert held == [wanted[0][0]] * 4


def test_encoders_in_threads() -> None:
    rows = [row(i) for i in range(2000)]
    wanted = outcome("c", rows)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert all(found == wanted for found in pool.map(lambda _: outcome("c", rows), range(24)))
