"""encode_columns: random tables, good and bad, in any batches; all implementations say the same."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from columns_cases import FORMATS, TYPES, arrow, kinds, nullable, outcome, same
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import scalar_types, values_of

import rowbinary

pa: Any = pytest.importorskip("pyarrow")
KINDS = kinds()
FEW = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
MANY = settings(FEW, max_examples=3000)
types = st.one_of(st.sampled_from(TYPES), scalar_types)
WRAPPED = {"list": "Array({})", "large_list": "Array({})", "fixed": "Array({})", "struct": "Tuple(f {})"}


@st.composite
def columns(draw: st.DrawFn, count: int) -> tuple[str, Any, list[Any]]:
    """A type, an array that mostly fits, and its values."""
    kind, known = KINDS[draw(st.sampled_from(sorted(KINDS)))]
    type_ = draw(types)
    schema = [("c", type_)]
    fits = [value for value in known if takes(schema, value)]
    some = st.sampled_from(fits) if fits else st.none()
    if known and draw(st.integers(0, 9)) == 0:
        some = st.one_of(some, st.sampled_from(known))
    if (with_null := nullable(type_)) and (not fits or draw(st.booleans())):
        type_, some = with_null, st.one_of(st.none(), some)
    wrap = draw(st.sampled_from([None, None, None, *WRAPPED]))
    if wrap is None:
        values = draw(st.lists(some, min_size=count, max_size=count))
        return type_, arrow(kind, values, draw(st.integers(0, 9))), values
    return wrapped(draw, wrap, type_, kind, some, count)


def wrapped(draw: Any, wrap: str, type_: str, kind: Any, some: Any, count: int) -> tuple[str, Any, list[Any]]:
    before = draw(st.integers(0, 9))
    if wrap == "struct":
        values = draw(st.lists(some, min_size=count + before, max_size=count + before))
        array = pa.StructArray.from_arrays([arrow(kind, values, draw(st.integers(0, 3)))], ["f"])
        return f"Tuple(f {type_})", array.slice(before), [{"f": value} for value in values[before:]]
    sizes = [2] * (count + before)
    if wrap != "fixed":
        sizes = draw(st.lists(st.integers(0, 3), min_size=count + before, max_size=count + before))
    values = draw(st.lists(some, min_size=sum(sizes), max_size=sum(sizes)))
    inner = arrow(kind, values, draw(st.integers(0, 3)))
    if wrap == "fixed":
        array = pa.FixedSizeListArray.from_arrays(inner, 2)
    else:
        ends = [sum(sizes[:place]) for place in range(len(sizes) + 1)]
        make = pa.ListArray if wrap == "list" else pa.LargeListArray
        array = make.from_arrays(pa.array(ends, pa.int32() if wrap == "list" else pa.int64()), inner)
    lists = [values[sum(sizes[:place]) : sum(sizes[: place + 1])] for place in range(len(sizes))]
    return f"Array({type_})", array.slice(before), lists[before:]


def takes(schema: Any, value: Any) -> bool:
    try:
        rowbinary.encode_rows(schema, [(value,)])
    except rowbinary.EncodeError:
        return False
    return True


def check_table(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 12))
    found = data.draw(st.lists(columns(count), min_size=1, max_size=3))
    schema = [(f"c{place}", type_) for place, (type_, _, _) in enumerate(found)]
    names = [name for name, _ in schema]
    table = pa.table([array for _, array, _ in found], names)
    cuts = sorted(data.draw(st.lists(st.integers(0, count), max_size=3)))
    ends = [0, *cuts, count]
    parts = pa.concat_tables([table.slice(a, b - a) for a, b in itertools.pairwise(ends)])
    choices: dict[str, Any] = {"format": data.draw(st.sampled_from(FORMATS))}
    rows = list(zip(*(values for _, _, values in found), strict=True))
    wanted = same(schema, parts, **choices)
    assert same(schema, {name: table[name] for name in names}, **choices) == wanted
    by_rows = outcome(lambda: rowbinary.encode_rows(schema, rows, **choices))
    if isinstance(by_rows, bytes):
        assert wanted == by_rows
    else:  # which is where it is, but its value may be called by another name
        assert wanted[3:5] == by_rows[3:5]


@FEW
@given(st.data())
def test_tables(data: st.DataObject) -> None:
    check_table(data)


@pytest.mark.slow
@MANY
@given(st.data())
def test_more_tables(data: st.DataObject) -> None:
    check_table(data)


@FEW
@given(st.data())
def test_random_objects(data: st.DataObject) -> None:
    """Lists of Python values go the way of the rows."""
    type_ = data.draw(types)
    values = data.draw(st.lists(values_of(type_), max_size=5))
    same(
        [("c", type_)],
        {"c": values},
        [(value,) for value in values],
        format=data.draw(st.sampled_from(FORMATS)),
    )
