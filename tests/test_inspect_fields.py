"""The fields of bodies: every byte is in one, which says what it means; they end where reading does."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import load, times
from decode_cases import STORED
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import schemas, values_of

import rowbinary
from rowbinary import DecodeError, Schema
from rowbinary import _types as t
from rowbinary._field_texts import TAG_NAMES
from rowbinary._inspect import BROKEN, Field, Outcome, inspect
from rowbinary._options import FORMATS
from rowbinary._read import MAX_LEVELS
from rowbinary._registry import REGISTRY
from rowbinary._varint import varint

SELF_DESCRIBING = [form for form in FORMATS if "AndTypes" in form or form == "Native"]


def fields_of(
    body: bytes, form: str, columns: Any = None, size: int = 1 << 20, **only: Any
) -> tuple[list[Field], Outcome]:
    """All fields of `body`, which comes in chunks of `size`."""
    found: list[Field] = []
    chunks = (body[start : start + size] for start in range(0, len(body), size))
    schema = None if columns is None else Schema.of(columns)
    return found, inspect(chunks, schema, form, found.append, **only)


def joined(fields: list[Field]) -> bytes:
    """The bytes of `fields`, each at its offset."""
    data = b""
    for field in fields:
        assert bool(field.data) or field.what == BROKEN
        assert field.offset == len(data) or not field.data
        data += field.data
    return data


# --- what a field says of its bytes ------------------------------------------------------------------

VARINTS = (
    {"length", "columns", "rows", "elements", "pairs", "paths", "types", "labels", "arguments", "parameters"}
    | {"expressions", "skipped paths", "typed paths", "max_dynamic_paths", "a FixedString length"}
    | {"a number of members", "a dimension", "a stride", "a version of the state"}
)
BYTES = {"NULL flag", "DEFAULT marker", "type tag", "a scale", "a precision", "an interval kind", "max_types"}
WORDS = {"end", "end of shared data", "flags", "entries of a dictionary", "the number of keys"} | {
    f"the {what} of {kind}"
    for what, kind in [
        ("version", "a dictionary"), ("mode", "a Variant"), ("layout", "Dynamic"), ("layout", "JSON"),
    ]
}  # fmt: skip
NAMES = {f"the name of {what}" for what in ("a column", "an element", "a time zone", "an aggregate function")}
TEXTS = NAMES | {"path", "the text of a type", "a label", "a typed path", "a skipped path", "an expression"}


def bytes_of(field: Field) -> bytes | None:
    """The bytes that mean what `field` says; ``None`` where that leaves them open."""
    value: Any = field.value
    if field.what == "value":
        return value_bytes(field)
    if field.what in VARINTS:
        return varint(value)
    if field.what in BYTES or field.what in ("a version of the JSON type", "max_dynamic_types"):
        return varint(value) if field.what == "max_dynamic_types" and value > 127 else bytes([value])
    if field.what in WORDS:
        return int(value).to_bytes(8, "little")
    if field.what in TEXTS:
        return value if isinstance(value, bytes) else str(value).encode()
    if field.what == "member":
        return bytes([value[0]])
    if field.what == "key":
        return int(value[0]).to_bytes(len(field.data), "little")
    if field.what == "its number":
        return int(value).to_bytes(len(field.data), "little", signed=True)
    assert field.what in ("plane", "value under NULL", "empty tuple"), field
    return None


def value_bytes(field: Field) -> bytes | None:
    value: Any = field.value
    if isinstance(value, float) and math.isnan(value):
        return None
    type_ = rowbinary.parse_type(field.type)
    if type_.family == "String":
        return value if isinstance(value, bytes) else str(value).encode()
    return rowbinary.encode_rows([("c", type_)], [(value,)])


def check(body: bytes, fields: list[Field]) -> None:
    assert joined(fields) == body
    for field in fields:
        assert bytes_of(field) in (None, field.data), field
        assert field.meaning
        assert field.meaning == field.meaning.strip()
        assert len(field.meaning) < 300


@st.composite
def bodies(draw: st.DrawFn) -> tuple[list[tuple[str, str]], list[Any], str, bytes]:
    columns = draw(schemas())
    rows = draw(st.lists(st.tuples(*(values_of(text) for _, text in columns)), max_size=4))
    form: Any = draw(st.sampled_from(FORMATS))
    if "Defaults" in form:
        rows = [tuple(draw(st.sampled_from([cell, rowbinary.DEFAULT])) for cell in row) for row in rows]
    return columns, rows, form, rowbinary.encode_rows(columns, rows, format=form)


@settings(max_examples=times(150, 1000))
@given(bodies(), st.integers(1, 40), st.booleans())
def test_every_byte_is_in_one_field(body_of: Any, size: int, given_columns: bool) -> None:
    columns, rows, form, body = body_of
    known = columns if given_columns or form not in SELF_DESCRIBING else None
    fields, outcome = fields_of(body, form, known, size)
    assert outcome == (len(rows), len(body), None, b"")
    check(body, fields)
    assert {field.row for field in fields} <= {None, *range(len(rows))}
    assert {field.column for field in fields} <= {None, *(name for name, _ in columns)}


@settings(max_examples=times(50, 300))
@given(bodies(), st.integers(0, 4), st.integers(0, 4))
def test_one_row_or_column(body_of: Any, row: int, column: int) -> None:
    columns, rows, form, body = body_of
    all_fields, _ = fields_of(body, form, columns)
    found, outcome = fields_of(body, form, columns, 7, row=row)
    assert same(found, [field for field in all_fields if field.row == row])
    assert outcome.rows == (min(row + 1, len(rows)) if form != "Native" else len(rows))
    found, _ = fields_of(body, form, columns, row=row, column=f"c{column}")
    assert same(found, [field for field in all_fields if (field.row, field.column) == (row, f"c{column}")])


def same(fields: list[Field], others: list[Field]) -> bool:
    """Equal, NaN included."""
    return repr(fields) == repr(others)


@settings(max_examples=times(100, 500))
@given(st.data())
def test_blocks_have_the_values_of_rows(data: st.DataObject) -> None:
    """In Native a value is of the row and at the path where it is in RowBinary."""
    columns = data.draw(schemas().filter(lambda pairs: not any(map(differs, dict(pairs).values()))))
    rows = data.draw(st.lists(st.tuples(*(values_of(text) for _, text in columns)), max_size=4))
    found = []
    for form in ("RowBinary", "Native"):
        body = rowbinary.encode_rows(columns, rows, format=form)
        fields, _ = fields_of(body, form, columns)
        assume(not any(differs(field.type) for field in fields))  # in Dynamic
        found.append(sorted((*field[2:6], field.data) for field in fields if field.what == "value"))
    assert found[0] == found[1]


def differs(type_text: str) -> bool:
    """Whether blocks have values that rows have not: of dictionaries, planes, absent paths."""
    return any(word in type_text for word in ("LowCardinality", "QBit", "JSON"))


# --- where reading stops -------------------------------------------------------------------------------


def outcome_of(body: bytes, form: Any, columns: Any) -> str:
    """What the decoder says of `body`."""
    try:
        return str(len(rowbinary.decode_rows(columns, body, format=form, implementation="python")))
    except DecodeError as error:
        return str(error)


def check_end(body: bytes, form: str, columns: Any) -> None:
    """The fields go as far as the decoder does, and end with the error that it raises."""
    fields, outcome = fields_of(body, form, columns)
    data = joined(fields)
    assert body.startswith(data)
    assert len(data) == outcome.size
    assert [field.what for field in fields].count(BROKEN) == (outcome.error is not None)
    assert outcome_of(body, form, columns) == str(outcome.error or outcome.rows)
    if outcome.error is None:
        assert data == body
        return
    assert fields[-1].what == BROKEN
    assert fields[-1].meaning == outcome.error.reason
    assert outcome.error.offset is not None
    assert 0 <= outcome.error.offset <= len(body)
    assert outcome.ahead == body[len(data) : len(data) + 16]


def case_of(some: list[tuple[Any, ...]]) -> tuple[list[tuple[str, str]], list[Any]]:
    columns = [(f"c{index}", case[0]) for index, case in enumerate(some)]
    return columns, [tuple(case[1] for case in some)] * 2


WHOLE = [case_of(STORED[start : start + 10]) for start in range(0, len(STORED), 10)]


@pytest.mark.parametrize("form", ["RowBinaryWithNamesAndTypesAndDefaults", "Native"])
@pytest.mark.parametrize("case", range(len(WHOLE)))
def test_every_truncation(case: int, form: Any) -> None:
    columns, rows = WHOLE[case]
    body = rowbinary.encode_rows(columns, rows, format=form)
    for end in range(0, len(body) + 1, times(3, 1)):
        check_end(body[:end], form, None)


@settings(max_examples=times(150, 1000))
@given(bodies(), st.data())
def test_damaged_bodies(body_of: Any, data: st.DataObject) -> None:
    columns, _, form, body = body_of
    changed = bytearray(body)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(changed)))
        changed[at : at + 1] = data.draw(
            st.one_of(st.binary(max_size=2), st.sampled_from([b"\xff", b"\x30"]))
        )
    check_end(bytes(changed), form, columns)


@given(bodies(), st.integers(0, 5), st.data())
def test_a_row_behind_the_damage(body_of: Any, row: int, data: st.DataObject) -> None:
    """What is passed over is read as well: its error is the same, and all that is shown."""
    columns, _, form, body = body_of
    end = data.draw(st.integers(0, len(body)))
    fields, outcome = fields_of(body[:end], form, columns, 5, row=row)
    whole, expected = fields_of(body[:end], form, columns)
    if outcome.rows <= row and expected.error is not None:
        assert str(outcome.error) == str(expected.error)
        assert fields[-1].what == BROKEN
        fields = fields[:-1]
    else:
        assert outcome.error is None
    assert same(fields, [field for field in whole if field.row == row and field.what != BROKEN])


# --- names -----------------------------------------------------------------------------------------------


def test_all_tags_have_names() -> None:
    from rowbinary._read_types import _PLAIN_TAGS, _TAG_READERS

    assert set(TAG_NAMES) == {*_PLAIN_TAGS, *_TAG_READERS}
    families = {name.partition("(")[0] for name in TAG_NAMES.values()}
    assert families - set(REGISTRY) == {
        "Interval",
        "Custom type",
        *(f"Decimal{n}" for n in (32, 64, 128, 256)),
    }


@pytest.mark.parametrize("vector", load("native.jsonl"), ids=lambda v: f"{v['ddl']}: {v['rows']}"[:80])
def test_blocks_of_the_engine(vector: dict[str, Any]) -> None:
    body = bytes.fromhex(vector["hex"])
    if "AggregateFunction(" in vector["ddl"].replace("SimpleAggregateFunction(", ""):
        return  # states have no length
    fields, outcome = fields_of(body, "Native", size=64)
    assert outcome.error is None
    assert joined(fields) == body
    assert all(bytes_of(field) in (None, field.data) for field in fields if field.type != "Bool")


def types_in(fields: list[Field]) -> Iterator[t.Type]:
    return (rowbinary.parse_type(field.type) for field in fields if field.type)


def test_types_are_texts_of_types() -> None:
    columns, rows = WHOLE[-1]
    fields, _ = fields_of(rowbinary.encode_rows(columns, rows), "RowBinary", columns)
    assert {str(type_) for type_ in types_in(fields)} >= {"Dynamic", "JSON", "Array(JSON)", "Int64"}


# --- bodies that want to be much work -------------------------------------------------------------------


def test_deep_and_large_values() -> None:
    """Levels as deep as they may be, and keys of Maps that are large: what is shown stays small."""
    deep = b"\x1e\x2b\x20\x01" * (MAX_LEVELS // 2 - 1) + b"\x01\x05"
    fields, outcome = fields_of(deep, "RowBinary", "c Dynamic")
    assert outcome.error is None
    assert joined(fields) == deep
    check_end(deep[:-2] + b"\x1e\x2b\x20\x01" * 9, "RowBinary", "c Dynamic")
    columns = "m Map(Array(Array(UInt8)), Array(UInt8))"
    body = rowbinary.encode_rows(columns, [([([[1] * 500] * 20, [1] * 500)],)])
    fields, outcome = fields_of(body, "RowBinary", columns)
    assert outcome.error is None
    assert fields[-1].path.startswith("$[[[1, 1, 1, 1, ...], [1, 1, 1, 1, ...]")
    assert fields[-1].path.endswith("...][499]")
    assert max(len(field.path) for field in fields) <= 400
