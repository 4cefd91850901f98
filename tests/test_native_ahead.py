"""Native rows of which the C encoder writes some cells ahead, column by column: nobody may notice."""

from __future__ import annotations

import concurrent.futures
import datetime as dt
import decimal
import functools
import gc
import types
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from conftest import described, implementations, shown
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


# --- containers, which go ahead where all columns do ----------------------------------------------

CONTAINERS = Schema.parse(
    "id UInt64, u UUID, e Enum8('a' = 1, 'b' = 2), b Bool, m Decimal(9, 2), o Nullable(String), "
    "p Nullable(Int32), l Array(String), n.a Array(Int64), n.b Array(LowCardinality(String)), "
    "h Map(String, UInt8), t Tuple(Int8, Array(Float64)), w Array(Array(DateTime)), k LowCardinality(Int64)"
)


def holder(i: int) -> tuple[Any, ...]:
    return (
        i,
        uuid.UUID(int=i << 70 | i),
        "ab"[i % 2],
        i % 3 == 0,
        decimal.Decimal(i) / 4,
        None if i % 5 == 0 else f"o{i}",
        None if i % 4 == 0 else -i,
        [f"l{i}"] * (i % 4),
        list(range(i % 3)),
        (f"n{i % 7}",) * (i % 3),
        {f"h{k}": k for k in range(i % 5)},
        (i % 100, [i / 7] * (i % 2)),
        [[i, dt.datetime(2026, 1, 1, tzinfo=dt.UTC)], []] * (i % 2),
        i % 6,
    )


def held(i: int, column: int, value: Any) -> tuple[Any, ...]:
    cells = list(holder(i))
    cells[column] = value
    return tuple(cells)


HOLDER_BAD: list[tuple[int, Any]] = [
    (1, "x"),
    (2, "c"),
    (3, None),
    (4, "x"),
    (5, 5),
    (6, "x"),
    (7, ["x", 5]),
    (7, [DEFAULT]),
    (8, [1, 2, 3, 4]),  # not as long as n.b
    (8, [None]),
    (9, ["x"] * 7),
    (10, {"a": 256}),
    (10, {1: 1}),
    (11, (1,)),
    (11, (1, [None])),
    (12, [[1], 5]),
    (13, "x"),
]
# What only Python code can read, what the reference knows, and what is long.
HOLDER_RARE: list[tuple[int, Any]] = [
    (1, "00000000-0000-0000-0000-00000000000a"),
    (2, 2),
    (4, "1.25"),
    (5, b"bytes"),
    (7, ("a", "b")),
    (7, {"a": 1}.keys()),
    (7, ["x" * 1000] * 17),
    (7, ["x" * 1000] * 16),
    (7, [""] * 16_379),
    (10, types.MappingProxyType({"a": 1})),
    (10, {f"{k}": k % 256 for k in range(6000)}),
    (11, [1, (2.5,)]),
    (12, [["2026-01-02 03:04:05"]]),
    (12, [[dt.datetime(2026, 1, 1, tzinfo=ZONE)]]),
]


@pytest.mark.parametrize(("column", "value"), HOLDER_BAD, ids=shown)
def test_a_container_fails_at_each_place(column: int, value: Any) -> None:
    for place in (*range(5), 13, AHEAD - 1, AHEAD, 2 * AHEAD + 1):
        rows = [held(i, column, value) if i == place else holder(i) for i in range(2 * AHEAD + 5)]
        _, bad = same(functools.partial(list, rows), schema=CONTAINERS)
        assert [index for index, _ in bad] == [place]


@pytest.mark.parametrize(("column", "value"), HOLDER_RARE, ids=lambda part: shown(part)[:40])
def test_rare_containers(column: int, value: Any) -> None:
    for place in (0, 1, AHEAD - 1, AHEAD, 3 * AHEAD):
        rows = [held(i, column, value) if i == place else holder(i) for i in range(4 * AHEAD)]
        _, bad = same(functools.partial(list, rows), schema=CONTAINERS)
        assert not bad


def test_blocks_of_containers_end_at_the_same_rows() -> None:
    schema = Schema.parse("a Array(String), n Nullable(UInt64), m Map(String, LowCardinality(String))")
    rows = [
        (["x" * (i * 37 % 900)] * (i % 5), i if i % 3 else None, {"k": f"{i % 5000}" * 9} if i % 2 else {})
        for i in range(9000)
    ]
    chunks, _ = same(lambda: rows, schema=schema)
    assert len(chunks) > 1


# --- arrays, whose items are written together ------------------------------------------------------

ARRAYS = Schema.parse(
    "i Array(Int16), s Array(String), k Array(LowCardinality(Nullable(String))), d Array(Date), "
    "f Array(FixedString(3)), m Array(Decimal(9, 2)), u Array(UUID), o Array(Nullable(Int8)), "
    "t Array(Tuple(String, UInt8)), a Array(Array(String)), j Array(JSON)"
)
ITEMS: list[Callable[[int], Any]] = [
    lambda n: n % 30_000,
    lambda n: f"text {n}" * (n % 3),
    lambda n: None if n % 7 == 0 else f"key {n % 9}",
    lambda n: dt.date(2026, 1, 1) + dt.timedelta(days=n % 1000),
    lambda n: b"abc",
    lambda n: decimal.Decimal(n % 1000) / 4,
    lambda n: uuid.UUID(int=n << 64 | n),
    lambda n: None if n % 3 == 0 else n % 100,
    lambda n: (f"t{n}", n % 256),
    lambda n: [f"a{n}"] * (n % 3),
    lambda n: {"n": n, "s": f"text {n}"},
]
SIZES = [0, 1, 2, 3, 0, 0, 5, 4, 1, AHEAD - 1, 0, AHEAD, 2, AHEAD + 1, 8, 0, 1, 1, 0, 0, 2, 1]


def arrays(i: int) -> tuple[Any, ...]:
    """Arrays of all sizes; most are lists."""
    sizes = [SIZES[(i + 5 * column) % len(SIZES)] for column in range(len(ITEMS))]
    made = [[make(i + k) for k in range(size)] for make, size in zip(ITEMS, sizes, strict=True)]
    return tuple(tuple(items) if i % 5 == 0 else items for items in made)


def rows_of_arrays(count: int, column: int = 0, at: dict[int, Any] | None = None) -> list[Any]:
    """Rows of them; those of `at` have other items in `column`."""
    rows = [list(arrays(i)) for i in range(count)]
    for place, items in (at or {}).items():
        rows[place][column] = items
    return list(map(tuple, rows))


@pytest.mark.parametrize("count", [1, AHEAD - 1, AHEAD, AHEAD + 1, 40 * AHEAD])
def test_arrays_of_all_sizes(count: int) -> None:
    _, bad = same(lambda: rows_of_arrays(count), schema=ARRAYS)
    assert not bad


ITEM_BAD = ["x", 1.5, {1}, 5.5, "four", "x", "y", 128, ("x", 256), ["x", 1], 7]
ITEM_RARE = [
    True,
    b"bytes",
    "\N{SNOWMAN}",
    "2026-01-02",
    "abc",
    "1.25",
    str(uuid.UUID(int=7)),
    True,
    ["x", 1],
]
ITEM_RARE += [("x",), {"new": [1, "x"], "n": "other"}]


@pytest.mark.parametrize("size", [1, 3, AHEAD + 1])
@pytest.mark.parametrize("column", range(len(ITEMS)), ids=list(ARRAYS.names))
def test_an_item_fails_at_each_place(column: int, size: int) -> None:
    for place in (0, AHEAD - 1, AHEAD + 3):
        for item in {0, size - 1}:
            items = [ITEMS[column](place + k) for k in range(size)]
            items[item] = ITEM_BAD[column]
            rows = rows_of_arrays(2 * AHEAD, column, {place: items})
            _, bad = same(functools.partial(list, rows), schema=ARRAYS)
            assert [index for index, _ in bad] == [place]


@pytest.mark.parametrize("size", [2, 5])
@pytest.mark.parametrize("column", range(len(ITEMS)), ids=list(ARRAYS.names))
def test_rare_items(column: int, size: int) -> None:
    items = [ITEM_RARE[column] if k == size // 2 else ITEMS[column](k) for k in range(size)]
    for place in (0, 1, AHEAD - 1, AHEAD + 3):
        rows = rows_of_arrays(3 * AHEAD, column, {place: items, place + 9: items})
        _, bad = same(functools.partial(list, rows), schema=ARRAYS)
        assert not bad


@pytest.mark.parametrize("size", [16_383, 16_384, 16_385, 40_000])
@pytest.mark.parametrize("column", [1, 2], ids=["texts", "LowCardinality"])
def test_long_items(column: int, size: int) -> None:
    """Longer than a cell that is written ahead may be, by themselves or together."""
    for items in (
        ["x" * size],
        ["x" * (size // 2)] * 2,
        ["a", "x" * size, "b"],
        ["x" * (size // 4), "y"] * 5,
    ):
        rows = rows_of_arrays(3 * AHEAD, column, {5: items, AHEAD: items, AHEAD + 1: items[::-1]})
        _, bad = same(functools.partial(list, rows), schema=ARRAYS)
        assert not bad


def test_blocks_of_arrays_end_at_the_same_rows() -> None:
    schema = Schema.parse("s Array(String), k Array(LowCardinality(String)), j Array(JSON), n Array(UInt64)")
    rows = [
        (
            ["x" * (i * 37 % 400)] * (i % 4),
            [f"{i % 5000}" * 9] * (i % 3),
            [{"a": i, "b": "y" * (i % 300)}] * (i % 3),
            [i] * (i % 6),
        )
        for i in range(12_000)
    ]
    chunks, _ = same(lambda: rows, schema=schema)
    assert len(chunks) > 1


@pytest.mark.parametrize(
    "inside", ["DateTime", "LowCardinality(DateTime)", "JSON(t DateTime)", "Nullable(DateTime)"]
)
def test_a_finalizer_empties_arrays_while_an_error_is_made(inside: str) -> None:
    """``timestamp()`` of a value that has none: to make its error can run the garbage collector."""
    schema = Schema.parse(f"id UInt8, a Array({inside})")

    def items(*moments: dt.datetime) -> list[Any]:
        return [{"t": moment} if "JSON" in inside else moment for moment in moments]

    rows: list[Any] = [(1, items(*(dt.datetime(2026, 1, 1, 0, 0, i) for i in range(3)))) for _ in range(40)]
    rows[0] = ("x", [])
    rows[1] = (1, items(dt.datetime(2026, 1, 1), dt.datetime(1, 1, 1, 0, 0, 7), dt.datetime(2026, 1, 3)))
    kept: list[Any] = []
    bad: list[int] = []

    class Clears:
        me: Any = None

        def __del__(self) -> None:
            for _, array in rows[1:]:
                array.clear()

    def on_error(row: Any, index: int, error: Exception) -> None:
        bad.append(index)
        if index == 0:
            gc.disable()
            cycle = Clears()
            cycle.me = cycle
            kept.append([[] for _ in range(300)])
            gc.set_threshold(1)
            gc.enable()

    thresholds = gc.get_threshold()
    try:
        raise KeyError  # CPython 3.11 makes an error at once where one is handled
    except KeyError:
        chunks = rowbinary.iter_encode(
            schema, rows, implementation="c", format="Native", naive="local", on_error=on_error
        )
        body = b"".join(chunks)
    finally:
        gc.set_threshold(*thresholds)
    found = rowbinary.decode_rows(schema, body, format="Native")
    assert len(found) == len(rows) - len(bad)


# --- memory -----------------------------------------------------------------------------------------


def test_encoders_one_after_another_and_at_once() -> None:
    """Memory goes from one to the next; what is in it does not."""
    rows = [row(i) for i in range(3000)]
    small = Schema.parse("id UInt64, s String")
    wanted = outcome("c", rows), outcome("c", [(i, f"{i}") for i in range(20_000)], small)
    kept = [outcome("c", rows)[0] for _ in range(4)]  # nobody writes over chunks that are held
    encoders = [rowbinary.Encoder(SCHEMA, format="Native") for _ in range(3)]
    for i in range(0, 3000, 10):
        for encoder in encoders:
            encoder.write_rows(rows[i : i + 10])
    assert [encoder.take() for encoder in encoders] == [b"".join(wanted[0][0])] * 3
    del encoders
    assert outcome("c", [(i, f"{i}") for i in range(20_000)], small) == wanted[1]
    assert kept == [wanted[0][0]] * 4


def test_encoders_in_threads() -> None:
    rows = [row(i) for i in range(2000)]
    wanted = outcome("c", rows)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert all(found == wanted for found in pool.map(lambda _: outcome("c", rows), range(24)))
