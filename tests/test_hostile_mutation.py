"""Lists, dicts and rows that are changed by the values in them while they are encoded."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hostile import meddling, refuse, taken

from rowbinary import EncodeError, Encoder, encode_rows

pytestmark = pytest.mark.timeout(120)

# --- changed while it is read -------------------------------------------------------------------


def grow_list() -> list[Any]:
    items: list[Any] = []
    items += [meddling(lambda: items.append(0)), 1, 2]
    return items


def grow_dict() -> dict[str, Any]:
    counter = itertools.count()
    table: dict[str, Any] = {}
    table.update(a=meddling(lambda: table.update({f"n{next(counter)}": 0})), b=1)
    return table


CHANGED = "it changed size while it was being encoded"


@pytest.mark.parametrize(
    ("column", "make"),
    [
        ("Array(DateTime)", grow_list),
        ("Array(Nullable(DateTime64(3)))", grow_list),
        ("Map(String, DateTime)", grow_dict),
        ("Array(Map(String, DateTime))", lambda: [grow_dict()]),
        ("JSON(q Array(DateTime))", lambda: {"q": grow_list()}),
    ],
)
def test_growing(impl: str, column: str, make: Callable[[], Any]) -> None:
    refuse(impl, column, make(), CHANGED)


def test_growing_tuple(impl: str) -> None:
    encoder = Encoder("c Tuple(DateTime, DateTime, DateTime)", implementation=impl)
    with pytest.raises(EncodeError, match=f"{CHANGED}|4 elements instead of 3"):
        encoder.write_row((grow_list(),))
    assert len(encoder) == 0


def test_growing_row(impl: str) -> None:
    row = grow_list()
    with pytest.raises(EncodeError, match=f"{CHANGED}|the row has 4 values"):
        encode_rows("a DateTime, b DateTime, c DateTime", [row], implementation=impl)


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.clear(),
        lambda table: table.pop("z", None),
        lambda table: table.update({f"k{n}": n for n in range(1000)}),
        lambda table: (table.clear(), table.update({n: n for n in range(30)})),
        lambda table: (table.clear(), table.update({f"m{n}": str(n) for n in range(30)})),
        lambda table: table.update(z=[object()]),
        lambda table: [table.pop(key) for key in list(table)[1:]],
    ],
)
@pytest.mark.parametrize(
    "column", ["JSON", "JSON(z Int8, SKIP q)", "Map(String, Dynamic)", "Dynamic", "Array(JSON)"]
)
def test_any_change_leaves_the_buffer_whole(impl: str, column: str, change: Callable[[Any], object]) -> None:
    """Which state of the container is seen is not defined; that rows stay whole is."""
    table: dict[Any, Any] = {f"k{n}": n for n in range(20)}
    table["m"] = meddling(lambda: change(table))
    table["z"] = 1
    column_good = [{"good": 1}] if column.startswith("Array") else {"good": 1}
    encoder = Encoder([("c", column)], implementation=impl)
    encoder.write_row((column_good,))
    before = len(encoder)
    grown = 0
    try:
        encoder.write_row(([table] if column.startswith("Array") else table,))
        grown = len(encoder) - before
        assert grown > 0
    except EncodeError:
        assert len(encoder) == before
    encoder.write_row((column_good,))
    body = encoder.take()
    alone = taken(impl, column, column_good)
    assert body.startswith(alone)
    assert body.endswith(alone)
    assert len(body) == 2 * len(alone) + grown


def test_a_table_replaced_at_the_same_place(impl: str) -> None:
    """The new table of the dict may lie where the old one was, with another layout."""
    for live in (5, 10, 21, 40):
        for attempt in range(20):
            table: dict[Any, Any] = {f"key{n}": n for n in range(live * 2)}
            for n in range(live):
                del table[f"key{n}"]

            def swap(table: dict[Any, Any] = table, live: int = live) -> None:
                table.clear()
                table.update({(n or (1, 2)): object() for n in range(live)})

            first = next(iter(table))
            table[first] = meddling(swap)
            encoder = Encoder("c JSON, d UInt8", implementation=impl)
            with pytest.raises(EncodeError):
                encoder.write_rows([(table, attempt), (table, attempt)])
            assert encoder.rows <= 1


def test_an_item_that_removes_itself(impl: str) -> None:
    """The list held the only reference to the value that is being read."""

    class Suicide:
        def __index__(self) -> int:
            items.clear()
            return 1

    items: list[Any] = [Suicide(), 2]
    encoder = Encoder("c Array(Int32)", implementation=impl)
    with contextlib.suppress(EncodeError):
        encoder.write_row((items,))
    items[:] = []
    encoder.write_row((items,))
    assert encoder.take().endswith(b"\0")
