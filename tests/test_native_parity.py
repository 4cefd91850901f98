"""Native blocks of both implementations against each other: equal bytes, equal errors, equal blocks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from conftest import described, implementations
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from native_strategies import (
    COLUMNS,
    NATIVE_JSON,
    column_types,
    holders,
    json_documents,
    native_types,
    repeated,
    spread,
)
from strategies import (
    ODD,
    cells,
    documents,
    dynamic_values,
    odd_values,
    options,
    schemas,
    shaped_rows,
    values_of,
)

import rowbinary
from rowbinary import DEFAULT, EncodeError, Encoder, Schema, typed
from rowbinary._paths import SPARSE, WATCHED

pytestmark = pytest.mark.skipif("c" not in implementations(), reason="there is nothing to compare with")

FEW = settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
MANY = settings(FEW, max_examples=250)


def outcome(
    implementation: str, schema: Any, rows: Iterable[Any], chunk_bytes: int | None, **choices: Any
) -> list[Any]:
    """The chunks of `rows`, and what was raised; with `chunk_bytes` bad rows are left out."""
    found: list[Any] = []
    bad: list[Any] = []
    if chunk_bytes is not None:
        choices["chunk_bytes"] = chunk_bytes
        choices["on_error"] = lambda row, index, error: bad.append((index, described(error)))
    try:
        if chunk_bytes is None:
            found.append(rowbinary.encode_rows(schema, rows, implementation=implementation, **choices))
        else:
            found.extend(rowbinary.iter_encode(schema, rows, implementation=implementation, **choices))
    except Exception as error:
        found.append(described(error))
    return [found, bad]


def same(schema: Any, rows: list[Any], chunk_bytes: int | None = None, **choices: Any) -> list[Any]:
    """The outcome, which must not depend on the implementation."""
    choices["format"] = "Native"
    reference = outcome("python", schema, rows, chunk_bytes, **choices)
    assert outcome("c", schema, rows, chunk_bytes, **choices) == reference
    return reference


chunk_sizes = st.sampled_from([None, None, 1, 30, 500, 1 << 20])


# --- random rows, good and bad --------------------------------------------------------------------


def check_rows(data: st.DataObject) -> None:
    schema: Any = data.draw(schemas(column_types))
    names = [name for name, _ in schema]
    one_row = st.tuples(*(cells(text) for _, text in schema)).flatmap(
        lambda values: shaped_rows(names, values)
    )
    rows = data.draw(st.lists(one_row, max_size=6))
    choices = {**data.draw(options), "format": "Native"}
    if data.draw(st.booleans()):
        schema = Schema(schema, data.draw(st.lists(st.sampled_from(names))))
    same(schema, rows, data.draw(chunk_sizes), **choices)


@FEW
@given(st.data())
def test_rows(data: st.DataObject) -> None:
    check_rows(data)


@pytest.mark.slow
@MANY
@given(st.data())
def test_more_rows(data: st.DataObject) -> None:
    check_rows(data)


def check_good_rows(data: st.DataObject) -> None:
    schema = data.draw(schemas(column_types))
    rows = data.draw(repeated(st.tuples(*(values_of(text) for _, text in schema))))
    found, bad = same(schema, rows, data.draw(chunk_sizes))
    assert not bad
    assert all(type(chunk) is bytes for chunk in found)


@FEW
@given(st.data())
def test_good_rows(data: st.DataObject) -> None:
    check_good_rows(data)


@pytest.mark.slow
@MANY
@given(st.data())
def test_more_good_rows(data: st.DataObject) -> None:
    check_good_rows(data)


# --- documents --------------------------------------------------------------------------------------


def check_documents(data: st.DataObject) -> None:
    column = data.draw(holders(st.sampled_from(NATIVE_JSON)))
    values = data.draw(repeated(values_of(column)))
    mode = data.draw(st.sampled_from(["exact", "exact", "text", "string"]))
    same([("j", column)], [(value,) for value in values], data.draw(chunk_sizes), json=mode)


@FEW
@given(st.data())
def test_documents(data: st.DataObject) -> None:
    check_documents(data)


@pytest.mark.slow
@MANY
@given(st.data())
def test_more_documents(data: st.DataObject) -> None:
    check_documents(data)


def check_sparse_documents(data: st.DataObject) -> None:
    column = data.draw(st.sampled_from(NATIVE_JSON))
    rows = data.draw(spread(st.one_of(documents(column), json_documents)))
    # Bad documents in between, which have new paths and new types before what is wrong with them.
    for at in data.draw(st.lists(st.integers(0, len(rows)), max_size=4)):
        rows.insert(at, {"new": at, "b": {"q": b"x"}, "s1": 1.5, "z": object()})
    duplicates = data.draw(st.sampled_from([None, "first", "last", "error"]))
    same([("j", column)], [(row,) for row in rows], 1 << 30, duplicate_paths=duplicates)


@FEW
@given(st.data())
def test_sparse_documents(data: st.DataObject) -> None:
    check_sparse_documents(data)


@pytest.mark.slow
@MANY
@given(st.data())
def test_more_sparse_documents(data: st.DataObject) -> None:
    check_sparse_documents(data)


@pytest.mark.parametrize(
    ("count", "step", "most"),
    [
        pytest.param(
            count,
            step,
            most,
            marks=[pytest.mark.slow] if most == 2 or (count > 2 * WATCHED and most != 1) else [],
        )
        for count in (1, WATCHED - 1, WATCHED, WATCHED + 1, 5 * WATCHED)
        for step in (1, SPARSE - 1, SPARSE, SPARSE + 1, 1000)
        for most in (0, 1, 2, 1024)
    ],
)
def test_the_edge_of_sparse(count: int, step: int, most: int) -> None:
    rows = [{"all": n, **({"p": [n, "x"][n // step % 2]} if n % step == 0 else {})} for n in range(count)]
    column = f"JSON(max_dynamic_types=1, max_dynamic_paths={most})"
    for documents_ in (rows, rows[::-1], [{"in": rows}, {"in": rows[:3]}]):
        same([("j", column)], [(document,) for document in documents_])
        same([("j", f"Array({column})")], [(documents_,), ([],), (documents_[:1],)])


@FEW
@given(st.lists(dynamic_values, max_size=8), st.sampled_from(["exact", "text", "string"]))
def test_dynamic(values: list[Any], mode: str) -> None:
    for column in ("Dynamic", "Dynamic(max_types=1)", "Dynamic(max_types=0)"):
        same(
            [("d", column), ("a", f"Array({column})")], [(value, values) for value in values], 100, json=mode
        )


def check_forced_types(data: st.DataObject) -> None:
    texts = data.draw(st.lists(native_types, min_size=1, max_size=6))
    values = [typed(data.draw(cells(text)), text) for text in texts]
    most = data.draw(st.integers(0, 3))
    for value in ([("d", f"Dynamic(max_types={most})")], [("j", f"JSON(max_dynamic_types={most})")]):
        rows = [(item if value[0][0] == "d" else {"a": item, "b": [item]},) for item in values]
        same(value, rows * 2, 1 << 20)


@FEW
@given(st.data())
def test_forced_types(data: st.DataObject) -> None:
    check_forced_types(data)


@pytest.mark.slow
@MANY
@given(st.data())
def test_more_forced_types(data: st.DataObject) -> None:
    check_forced_types(data)


# --- odd values -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("mode", ["exact", "text", "string"])
def test_every_odd_value_in(column: str, mode: str) -> None:
    """All at once: each bad one must leave the columns as it found them."""
    same([("c", column)], [(value,) for value in ODD], 1 << 20, json=mode)
    if column.startswith("JSON"):
        same([("c", column)], [({"a": value},) for value in ODD], 1 << 20, json=mode)
        same([("c", column)], [({"x": [value, 1]},) for value in ODD], 1 << 20, json=mode)


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("mode", ["exact", "string"])
def test_a_bad_cell_behind_others(column: str, mode: str) -> None:
    """The columns before the bad cell have taken their values of the row."""
    names = ["c", "bad", "d"]
    rows = [(value, n % 3 or "bad", value) for n, value in enumerate(ODD)]
    same(list(zip(names, [column, "UInt8", column], strict=True)), rows, 1 << 20, json=mode)


@FEW
@given(st.lists(odd_values, max_size=6))
def test_rows_that_are_no_rows(rows: list[Any]) -> None:
    same("a Int8, b String", rows, extra="ignore")


# --- DEFAULT, and the methods of Encoder -----------------------------------------------------------------

WIDE = "a UInt8, s String, l LowCardinality(Nullable(String)), j JSON, d Dynamic(max_types=1)"
_wide_cells = [
    st.sampled_from([DEFAULT, 1, "bad"]),
    st.sampled_from([DEFAULT, "x", None]),
    st.sampled_from([DEFAULT, "y", "z", None]),
    st.sampled_from([DEFAULT, {}, {"a": 1}, {"a": "x", "b": [1, "x"]}, {"a": {"c": object()}}]),
    st.sampled_from([DEFAULT, None, 1, "x", [1], object()]),
]
_wide_rows = st.tuples(*_wide_cells)


@FEW
@given(st.lists(_wide_rows, max_size=12), st.sampled_from([None, [], ["a", "j"]]), chunk_sizes)
def test_defaults(rows: list[Any], defaulted: list[str] | None, chunk_bytes: int | None) -> None:
    same(Schema(Schema.parse(WIDE), defaulted), rows, chunk_bytes)


_steps = st.one_of(
    st.tuples(st.just("write_row"), _wide_rows),
    st.tuples(st.just("write_rows"), st.lists(_wide_rows, max_size=3)),
    st.just(("take", None)),
    st.just(("len", None)),
)


@FEW
@given(st.lists(_steps, max_size=12), st.booleans())
def test_calls_of_an_encoder(steps: list[Any], call_back: bool) -> None:
    """What an encoder says after every call."""
    assert notes_of("python", steps, call_back) == notes_of("c", steps, call_back)


def notes_of(implementation: str, steps: list[Any], call_back: bool) -> list[Any]:
    notes: list[Any] = []

    def on_error(row: object, index: int, error: EncodeError) -> None:
        notes.append((index, described(error)))

    encoder = Encoder(
        WIDE, format="Native", implementation=implementation, on_error=on_error if call_back else "raise"
    )
    for name, argument in steps:
        try:
            notes.append(call(encoder, name, argument))
        except EncodeError as error:
            notes.append(described(error))
        notes.append((encoder.rows, len(encoder)))
    return notes


def call(encoder: Encoder, name: str, argument: Any) -> Any:
    if name == "len":
        return len(encoder)
    if name == "take":
        return encoder.take()
    return getattr(encoder, name)(argument)


@pytest.mark.parametrize(
    "chunk_bytes", [1, 100, 1 << 14, 1 << 20, pytest.param(1 << 24, marks=pytest.mark.slow)]
)
def test_long_bodies(chunk_bytes: int) -> None:
    """Blocks and chunks end with the same rows."""
    count = 70_000 if chunk_bytes > 100 else 1000
    rows = [(n, f"v{n % 300}") for n in range(count)]
    schema = "n UInt32, s LowCardinality(String)"
    found, _ = same(schema, rows, chunk_bytes)
    assert len(found) > 1 or chunk_bytes > 1 << 18


@pytest.mark.parametrize("size", [1, 255, 256, 65536])
@pytest.mark.parametrize("inner", ["UInt32", "Nullable(UInt32)"])
def test_sizes_of_dictionaries(size: int, inner: str) -> None:
    """The width of keys, of values that are all different and none the default."""
    values = [*range(1, size + 1), None] if inner != "UInt32" else [*range(1, size + 1)]
    for most in range(max(size - 2, 0), size + 1) if size < 1000 else (size - 1, size):
        same([("l", f"Array(LowCardinality({inner}))")], [(values[:most],), (values[-1:],)])
