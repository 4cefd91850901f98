"""Random tables and rows: stored by an accelerated client as by the client of clickhouse-connect."""

from __future__ import annotations

import decimal
import functools
from collections.abc import Mapping
from typing import Any

import connect_twins
import pytest
from conftest import times
from connect_twins import MakeTwins, Twins, check_class
from hypothesis import given, settings
from hypothesis import strategies as st
from native_strategies import json_documents, repeated
from strategies import containers, filled, leaf_types, odd_values, scalar_types, schemas, values_of

pytest.importorskip("clickhouse_connect", reason="clickhouse-connect is not installed")
from clickhouse_connect.datatypes.dynamic import typed_variant

import rowbinary
from rowbinary import Schema
from rowbinary._typed import Typed
from rowbinary.connect import ValueRefusedError, _rows
from rowbinary.connect._prepared import Prepared, Rules
from rowbinary.connect._rows import RowChunks
from rowbinary.connect._traits import Traits

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]
plain = connect_twins.plain  # the fixture


@pytest.fixture(scope="module")
def make(plain: Any) -> MakeTwins:
    """Makes tables that the caller drops."""
    return functools.partial(Twins, plain)


EXAMPLES = settings(max_examples=times(30, 200))
MANY = settings(max_examples=600)


def _is_plain(text: str) -> bool:
    """Not Dynamic, which we store in another way on purpose, nor documents with typed paths."""
    return "Dynamic" not in text and "JSON(a" not in text


formats = st.sampled_from(["Native", "RowBinary"])
types = st.recursive(leaf_types.filter(_is_plain), containers, max_leaves=4).filter(_is_plain)


def as_theirs(value: Any) -> Any:
    """`value` with the mark of clickhouse-connect at values of a Variant."""
    if isinstance(value, Typed):
        return typed_variant(as_theirs(value.value), value.type.text)
    if isinstance(value, Mapping):
        return {key: as_theirs(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(as_theirs, value))
    return value


def cells_of(text: str) -> st.SearchStrategy[Any]:
    """Values of a type, documents such as JSON text can hold.

    No column has tuples and dicts for one Tuple: clickhouse-connect stores the keys of dicts behind a tuple.
    """
    if text.startswith("JSON"):
        return json_documents.map(filled)
    return values_of(text, agreed=True).map(as_theirs)


def check_agreement(table: Twins, rows: list[Any]) -> None:
    """Equal where both take `rows`; what only ours refuses it refuses by name."""
    plain_error, error = table.insert_plain(rows), table.insert(rows)
    if plain_error is None and error is None:
        table.check_same()
        return
    if error is not None:
        assert table.count() == 0
        check_class(error, plain_error)
        if plain_error is None:
            assert isinstance(error, ValueRefusedError)
            assert error.column is not None
            assert error.row is not None


def check_fitting_rows(make: MakeTwins, data: st.DataObject) -> None:
    """Ours takes them all, but for documents that the server refuses too: a path with two values."""
    columns = data.draw(schemas(types))
    rows = data.draw(repeated(st.tuples(*(cells_of(text) for _, text in columns))).filter(bool))
    table = make(str(Schema(columns)), format=data.draw(formats))
    try:
        plain_error, error = table.insert_plain(rows), table.insert(rows)
        twice = error is not None and ("two keys flatten" in str(error) or "duplicate path" in str(error))
        if error is not None and (plain_error is None or not twice):
            raise error
        if plain_error is None:
            table.check_same()
    finally:
        table.drop()


@EXAMPLES
@given(data=st.data())
def test_fitting_rows(make: MakeTwins, data: st.DataObject) -> None:
    check_fitting_rows(make, data)


@pytest.mark.slow
@MANY
@given(data=st.data())
def test_more_fitting_rows(make: MakeTwins, data: st.DataObject) -> None:
    check_fitting_rows(make, data)


# --- values that mostly do not fit -----------------------------------------------------------------

_SIMPLE = st.one_of(
    scalar_types,
    scalar_types,
    scalar_types.map(lambda text: f"Nullable({text})"),
    scalar_types.map(lambda text: f"Array({text})"),
    scalar_types.map(lambda text: f"Map(String, {text})"),
    scalar_types.map(lambda text: f"Tuple(a {text}, b Nullable({text}))"),
    st.sampled_from(
        ["LowCardinality(String)", "JSON", "Variant(Int64, String)", "Point", "QBit(Float32, 2)"]
    ),
)


def check_any_rows(make: MakeTwins, data: st.DataObject) -> None:
    text = data.draw(_SIMPLE)
    values = data.draw(
        st.lists(st.one_of(cells_of(text), odd_values.filter(_is_lasting)), min_size=1, max_size=3)
    )
    table = make(f"c {text}", format=data.draw(formats))
    try:
        check_agreement(table, [[value] for value in values])
    finally:
        table.drop()


def _is_lasting(value: Any) -> bool:
    """Whether it can be read twice."""
    if isinstance(value, list | tuple):
        return all(map(_is_lasting, value))
    if isinstance(value, dict):
        return all(map(_is_lasting, value.values()))
    return not hasattr(value, "__next__")


@EXAMPLES
@given(data=st.data())
def test_any_rows(make: MakeTwins, data: st.DataObject) -> None:
    check_any_rows(make, data)


@pytest.mark.slow
@MANY
@given(data=st.data())
def test_more_of_any_rows(make: MakeTwins, data: st.DataObject) -> None:
    check_any_rows(make, data)


# --- conversions at any row ------------------------------------------------------------------------

CONVERTED = Schema.parse("n Int64, d Decimal(9, 2), u UUID, b Bool")
PREPARED = Prepared(
    Traits(CONVERTED, (0,), has_json=False, suits_rows=False, has_zoneless=False, compared=True)
)
_CELLS = (
    st.integers(0, 9),
    st.sampled_from([decimal.Decimal("1.239"), decimal.Decimal(2), decimal.Decimal(2), 3]),
    st.sampled_from(["", "00112233-4455-6677-8899-aabbccddeeff", "00112233-4455-6677-8899-aabbccddeeff"]),
    st.sampled_from([True, False, False, 2]),
)
_BAD = st.sampled_from([(0, 1.5), (1, decimal.Decimal("NaN")), (2, "x"), (3, "false")])


def _converted(row: tuple[Any, ...]) -> tuple[Any, ...]:
    n, number, text, truth = row
    cut = decimal.Decimal(number).quantize(decimal.Decimal("0.01"), decimal.ROUND_DOWN)
    return n, cut, text or "0" * 32, bool(truth)


@settings(max_examples=times(200, 1000))
@given(
    rows=st.lists(st.tuples(*_CELLS), max_size=60),
    bad=st.one_of(st.none(), st.tuples(st.integers(0, 59), _BAD)),
    batch=st.integers(1, 9),
    chunk=st.sampled_from([2, 40, 100, 1 << 20]),
    shape=st.sampled_from(["list", "iterator", "dicts"]),
)
def test_conversions_at_any_row(
    rows: list[tuple[Any, ...]], bad: tuple[int, tuple[int, Any]] | None, batch: int, chunk: int, shape: str
) -> None:
    """No row is lost, doubled or moved, wherever an encoder stops; one that is refused has its own number."""
    expected = rowbinary.encode_rows(CONVERTED, map(_converted, rows))
    if bad is not None and bad[0] < len(rows):
        at, (column, value) = bad
        rows[at] = (*rows[at][:column], value, *rows[at][column + 1 :])
    else:
        bad = None
    data: Any = rows
    if shape == "iterator":
        data = iter(rows)
    elif shape == "dicts":
        data = [dict(zip("ndub", row, strict=True)) for row in rows]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_rows, "_BATCH", batch)
        patch.setattr("rowbinary._pipeline.CHUNK_BYTES", chunk)
        chunks = RowChunks(PREPARED, data, {"format": "RowBinary"})
        if bad is not None:
            with pytest.raises(ValueRefusedError) as caught:
                _joined(chunks)
            assert (caught.value.row, caught.value.column) == (bad[0], "ndub"[bad[1][0]])
        else:
            assert _joined(chunks) == expected


def check_kept(data: st.DataObject) -> None:
    """An encoder that has seen other rows makes the same bytes, or the same error."""
    schema = Schema(data.draw(schemas(st.recursive(leaf_types, containers, max_leaves=4))))
    has_json = any("JSON" in text.text for text in schema.types)
    traits = Traits(schema, (0,), has_json, suits_rows=False, has_zoneless=False, compared=True)
    rows = st.lists(st.tuples(*(values_of(type_.text) for type_ in schema.types)), max_size=5)
    rules: Rules = {"format": data.draw(st.sampled_from(["Native", "RowBinaryWithNamesAndTypes"]))}
    kept = Prepared(traits, lax=True)
    for _ in range(3):
        drawn = data.draw(rows)
        assert _come_to(kept, drawn, rules) == _come_to(Prepared(traits, lax=True), drawn, rules)


def _come_to(prepared: Prepared, rows: list[Any], rules: Rules) -> object:
    try:
        return _joined(RowChunks(prepared, rows, rules))
    except ValueRefusedError as error:
        return error.row, error.column, error.path, error.reason


@EXAMPLES
@given(data=st.data())
def test_kept_encoders(data: st.DataObject) -> None:
    check_kept(data)


@pytest.mark.slow
@MANY
@given(data=st.data())
def test_more_kept_encoders(data: st.DataObject) -> None:
    check_kept(data)


def _joined(chunks: RowChunks) -> bytes:
    body = b""
    while not chunks.ended:
        body += bytes(chunks.next())
    return body
