"""What was encoded is decoded to the same values, in all formats; decode_same.py says what is the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import canonical
import pytest
from conftest import times
from decode_cases import CHOICES, agreed, decode
from decode_same import is_natural, is_same
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from native_strategies import column_types, native_types, repeated
from strategies import documents, natural_values, schemas, type_texts, values_of
from test_engine_roundtrip import Table

import rowbinary
from rowbinary import DEFAULT, Schema
from rowbinary import _types as t
from rowbinary._options import FORMATS

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
FEW = settings(max_examples=times(30, 200), suppress_health_check=SLOW)
MORE = settings(max_examples=times(80, 400), suppress_health_check=SLOW)
MANY = settings(max_examples=2000, suppress_health_check=SLOW)
DEFAULTS = ("RowBinaryWithDefaults", "RowBinaryWithNamesAndTypesAndDefaults")

Rows = list[tuple[Any, ...]]


def check_rows(found: Rows, sent: Rows, columns: Any, filled: bool) -> None:
    assert len(found) == len(sent)
    for one, other in zip(found, sent, strict=True):
        for value, expected, (name, type_) in zip(one, other, Schema(columns), strict=True):
            assert is_same(value, expected, type_, filled), (name, str(type_), value, expected)


def check(columns: Any, rows: Rows, form: Any) -> bytes:
    """Encode and decode; the body."""
    body = rowbinary.encode_rows(columns, rows, format=form)
    check_rows(decode(columns, body, format=form, json="paths"), rows, columns, form == "Native")
    return body


def drawn_rows(data: st.DataObject, columns: list[tuple[str, str]], most: int = 4) -> Rows:
    return data.draw(st.lists(st.tuples(*(values_of(text) for _, text in columns)), max_size=most))


# --- random rows --------------------------------------------------------------------------------------


def check_random(data: st.DataObject) -> None:
    columns = data.draw(schemas())
    check(columns, drawn_rows(data, columns), data.draw(st.sampled_from(FORMATS)))


def check_blocks(data: st.DataObject) -> None:
    """Columns of up to 200 rows in blocks of any size: dictionaries, paths, shared data."""
    text = data.draw(column_types)
    rows = [(value,) for value in data.draw(repeated(values_of(text)))]
    size = data.draw(st.sampled_from([1, 60, 1 << 40]))
    body = b"".join(rowbinary.iter_encode([("c", text)], rows, format="Native", chunk_bytes=size))
    check_rows(decode([("c", text)], body, format="Native", json="paths"), rows, [("c", text)], True)


@MORE
@given(st.data())
def test_random_rows(data: st.DataObject) -> None:
    check_random(data)


@FEW
@given(st.data())
def test_random_blocks(data: st.DataObject) -> None:
    check_blocks(data)


@pytest.mark.slow
@MANY
@given(st.data())
def test_more_random_rows(data: st.DataObject) -> None:
    check_random(data)


@pytest.mark.slow
@MANY
@given(st.data())
def test_more_random_blocks(data: st.DataObject) -> None:
    check_blocks(data)


@FEW
@given(st.data())
def test_defaults(data: st.DataObject) -> None:
    """Cells that are left to the server; in a block whole columns: a row of others begins a new one."""
    columns = data.draw(schemas(most=3))
    rows = [
        tuple(DEFAULT if data.draw(st.integers(0, 3)) == 0 else value for value in row)
        for row in drawn_rows(data, columns)
    ]
    form: Any = data.draw(st.sampled_from([*DEFAULTS, "Native"]))
    if form == "Native":  # a block without a column has no rows
        columns.insert(0, ("n", "UInt8"))
        rows = [(index, *row) for index, row in enumerate(rows)]
    found = decode(columns, rowbinary.encode_rows(columns, rows, format=form), format=form, json="paths")
    for one, other in zip(found, rows, strict=True):
        assert [value is DEFAULT for value in one] == [value is DEFAULT for value in other]
        for value, expected, (_, type_) in zip(one, other, Schema(columns), strict=True):
            assert expected is DEFAULT or is_same(value, expected, type_, form == "Native")


@MORE
@given(st.data())
def test_every_choice(data: st.DataObject) -> None:
    """All implementations make the same of the options."""
    columns = data.draw(schemas(native_types))
    form: Any = data.draw(st.sampled_from(FORMATS))
    body = rowbinary.encode_rows(columns, drawn_rows(data, columns), format=form)
    agreed(columns, body, format=form, **data.draw(CHOICES))


# --- and back -----------------------------------------------------------------------------------------


def holds(type_: t.Type, *families: str) -> bool:
    """Whether values of one of `families` can be in one of `type_`."""
    inner = [value for value in vars(type_).values() if isinstance(value, tuple | t.Type)]
    parts = [part for value in inner for part in (value if isinstance(value, tuple) else (value,))]
    return type_.family in families or any(
        holds(part, *families) for part in parts if isinstance(part, t.Type)
    )


# A value of these does not say which type it had.
told = native_types.filter(
    lambda text: not holds(rowbinary.parse_type(text), "Variant", "Dynamic", "JSON", "Geometry")
)


@FEW
@given(st.data())
def test_the_same_bytes(data: st.DataObject) -> None:
    """Where the type is the column's alone, what was decoded is encoded to the same bytes."""
    columns = data.draw(schemas(told))
    form: Any = data.draw(st.sampled_from(FORMATS))
    body = rowbinary.encode_rows(columns, drawn_rows(data, columns), format=form)
    assert rowbinary.encode_rows(columns, decode(columns, body, format=form), format=form) == body


@FEW
@given(st.data())
def test_the_same_types(data: st.DataObject) -> None:
    """Python values without typed() are written with the types that they were read with."""
    columns = [("d", "Dynamic"), ("j", "JSON"), ("n", "UInt8")]
    row = (data.draw(natural_values), data.draw(documents("JSON")), 1)
    body = rowbinary.encode_rows(columns, [row])
    again = rowbinary.encode_rows(columns, decode(columns, body))
    types = [text for _, text in columns]
    assert canonical.rows(again, types) == canonical.rows(body, types)


def flat(value: Any) -> Any:
    """Documents in `value` by their whole paths, whichever dots are between dicts."""
    match value:
        case list() | tuple():
            return [flat(item) for item in value]
        case dict() if value:
            found = {}
            for key, inner in value.items():
                part = flat(inner)
                if isinstance(part, dict) and part:
                    found.update({(*_parts(key), *path): leaf for path, leaf in part.items()})
                else:
                    found[_parts(key)] = part
            return found
    return value


def _parts(key: Any) -> tuple[Any, ...]:
    return tuple(key.split(".")) if isinstance(key, str) else (key,)


@FEW
@given(st.data())
def test_shapes_of_documents(data: st.DataObject) -> None:
    """Dicts of dicts and paths say the same, in both formats."""
    values = data.draw(st.lists(documents("JSON"), max_size=4))
    form: Any
    for form in ("RowBinary", "Native"):
        body = rowbinary.encode_rows("j JSON", [(value,) for value in values], format=form)
        paths, nested = (decode("j JSON", body, format=form, json=shape) for shape in ("paths", "nested"))
        assert repr(sorted_dicts(flat(nested))) == repr(sorted_dicts(flat(paths)))


def sorted_dicts(value: Any) -> Any:
    """`value` with dicts as sorted pairs: Native has paths in the order of their bytes."""
    match value:
        case dict():
            return sorted(((repr(key), sorted_dicts(item)) for key, item in value.items()), key=repr)
        case list() | tuple():
            return type(value)(sorted_dicts(item) for item in value)
    return value


plain_types = type_texts.filter(lambda text: "JSON(" not in text)


@FEW
@given(st.data())
def test_both_formats(data: st.DataObject) -> None:
    """RowBinary and Native have the same rows, but for typed paths without a value."""
    columns = data.draw(schemas(plain_types))
    rows = drawn_rows(data, columns)
    forms: Any = ("RowBinary", "Native")
    one, other = (
        decode(columns, rowbinary.encode_rows(columns, rows, format=form), format=form) for form in forms
    )
    assert repr(sorted_dicts(one)) == repr(sorted_dicts(other))


@given(natural_values)
def test_natural_values(value: Any) -> None:
    ((found,),) = decode("d Dynamic", rowbinary.encode_rows("d Dynamic", [(value,)]), json="paths")
    assert is_natural(found, value)


# --- through the engine ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table(engine: Any) -> Iterator[Table]:
    yield Table(engine)
    engine.query("DROP TABLE IF EXISTS roundtrip")


SELECTED = ("RowBinary", "RowBinaryWithNames", "RowBinaryWithNamesAndTypes", "Native")


def check_stored(table: Table, columns: list[tuple[str, str]], rows: Rows) -> None:
    """Rows are what the engine answers, in every format; it stores typed paths that were not sent."""
    table.create(str(Schema(columns)))
    table.insert(rowbinary.encode_rows(columns, rows))
    for form in SELECTED:
        found = decode(columns, table.select(format=form), format=form, json="paths")
        check_rows(found, rows, columns, filled=True)


@pytest.mark.engine
@pytest.mark.timeout(600)
@settings(max_examples=times(20, 150), suppress_health_check=SLOW)
@given(data=st.data())
def test_stored_rows(table: Table, data: st.DataObject) -> None:
    columns = data.draw(schemas())
    rows = drawn_rows(data, columns)
    check_stored(table, columns, rows or [tuple(data.draw(values_of(text)) for _, text in columns)])


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(max_examples=500, suppress_health_check=SLOW)
@given(data=st.data())
def test_stored_blocks(table: Table, data: st.DataObject) -> None:
    text = data.draw(column_types)
    rows = [(value,) for value in data.draw(repeated(values_of(text)))]
    check_stored(table, [("c", text)], rows or [(data.draw(values_of(text)),)])
