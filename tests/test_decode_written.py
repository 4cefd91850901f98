"""The decoders on what the encoder and the engine write: random rows, golden documents, and a value of every
type that the engine has stored.
"""

from __future__ import annotations

import datetime as dt
import decimal
import ipaddress
import math
import struct
import zoneinfo
from typing import Any

import pytest
from conftest import load, times, value_of
from decode_cases import BERLIN, FORMAT, STORED, VALUES, check_body, decode, header, same
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import schemas, values_of

import rowbinary
from rowbinary import _types as t


@settings(max_examples=times(25, 200))
@given(st.data())
def test_random_rows(data: st.DataObject) -> None:
    columns = data.draw(schemas())
    rows = data.draw(st.lists(st.tuples(*(values_of(text) for _, text in columns)), max_size=4))
    check_body(rowbinary.encode_rows(columns, rows, format=FORMAT), columns)


@pytest.mark.parametrize(
    "vector", load("json_inserts.jsonl"), ids=lambda v: f"{v['column_type']} {v['python']}"[:80]
)
def test_golden_insert(vector: dict[str, Any]) -> None:
    """Documents and their parts, as the engine reads them."""
    columns = [("c", str(rowbinary.parse_type(vector["column_type"])))]
    check_body(header(*columns) + bytes.fromhex(vector["hex"]), columns)


SETTINGS = (
    "allow_suspicious_variant_types = 1, allow_suspicious_low_cardinality_types = 1, flatten_nested = 0, "
    "allow_experimental_time_time64_type = 1, allow_experimental_qbit_type = 1, "
    "allow_suspicious_fixed_string_types = 1"
)  # fmt: skip


def select(
    engine: Any,
    columns: list[tuple[str, str]],
    rows: list[Any],
    statement: str = "SELECT * FROM decoded",
    form: str = FORMAT,
) -> bytes:
    """`rows` as the engine writes them, after it has stored them."""
    schema = rowbinary.Schema(columns)
    engine.query(f"SET {SETTINGS}")
    engine.query("DROP TABLE IF EXISTS decoded")
    engine.query(f"CREATE TABLE decoded ({schema}) ENGINE = Memory")
    try:
        stream = engine.send_insert("INSERT INTO decoded", "RowBinary")
        stream.append(rowbinary.encode_rows(schema, rows))
        stream.finish()
        return bytes(engine.query(statement, form).bytes())
    finally:
        engine.query("DROP TABLE decoded")


@pytest.mark.engine
@pytest.mark.timeout(600)
def test_what_the_engine_writes(engine: Any) -> None:
    columns = [(f"c{index}", case[0]) for index, case in enumerate(STORED)]
    row = tuple(case[1] for case in STORED)
    body = select(engine, columns, [row, row])
    rows = decode(columns, body, format=FORMAT)
    assert len(rows) == 2
    for found in rows:
        for value, case in zip(found, STORED, strict=True):
            assert same(value, case[-1]), case[0]
    assert isinstance(rows[0][16], dt.datetime)
    assert rows[0][16].tzinfo is BERLIN
    check_body(body, columns)


@pytest.mark.engine
@pytest.mark.timeout(600)
@settings(max_examples=times(15, 100))
@given(st.data())
def test_random_rows_of_the_engine(engine: Any, data: st.DataObject) -> None:
    columns = data.draw(schemas())
    rows = data.draw(st.lists(st.tuples(*(values_of(text) for _, text in columns)), min_size=1, max_size=4))
    check_body(select(engine, columns, rows), columns)


# --- as the engine says it ----------------------------------------------------------------------------------

CONTAINERS = (t.Wrapper, t.Map, t.Tuple, t.Variant, t.Dynamic, t.JSON, t.QBit, t.Aggregate, t.Alias)
SIMPLE = [
    vector
    for vector in VALUES
    if not isinstance(rowbinary.parse_type(vector["type"]), CONTAINERS) and "Nothing" not in vector["type"]
]


def said(value: Any, type_: t.Type, text: str | bytes) -> bool:
    """Whether `text`, which the engine made of it, means `value`; moments are ticks."""
    family = type_.family
    if family.startswith(("Float", "BFloat")):  # as few digits as the type needs
        number = float(text)
        if family == "Float32" and math.isfinite(number):
            (number,) = struct.unpack("<f", struct.pack("<f", number))
        near = 1e-5 if family == "BFloat16" else 0.0
        return math.isclose(number, value, rel_tol=near) or (value != value and text == "nan")
    match type_:
        case t.Decimal():
            return bool(decimal.Decimal(str(text)) == value)
        case t.FixedString():
            data = text.encode() if isinstance(text, str) else text
            return bool(value.rstrip(b"\0") == data.rstrip(b"\0"))
        case t.DateTime():
            return bool(moment(value, 0, type_.timezone) == text)
        case t.DateTime64():
            return bool(moment(value, type_.scale, type_.timezone) == text)
        case t.Time64():
            return bool(clock(value, type_.scale) == text)
    match family:
        case "Bool":
            return text == ("true" if value else "false")
        case "Time":
            return bool(clock(value, 0) == text)
        case "IPv6":
            return bool(ipaddress.ip_address(str(text)) == value)
    return bool(value == text) if family == "String" else str(value) == text


def moment(ticks: int, scale: int, zone: str | None) -> str:
    seconds, rest = divmod(ticks, 10**scale)
    at = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)
    shown = at.astimezone(zoneinfo.ZoneInfo(zone or "UTC")).strftime("%Y-%m-%d %H:%M:%S").rjust(19, "0")
    return f"{shown}.{rest:0{scale}}" if scale else shown


def clock(ticks: int, scale: int) -> str:
    seconds, rest = divmod(abs(ticks), 10**scale)
    shown = f"{'-' * (ticks < 0)}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{shown}.{rest:0{scale}}" if scale else shown


@pytest.mark.engine
@pytest.mark.timeout(600)
@pytest.mark.parametrize("form", ["RowBinaryWithNamesAndTypes", "Native"])
def test_texts_of_the_engine(engine: Any, form: Any) -> None:
    """Each scalar beside what the engine prints of it."""
    columns = [(f"c{index}", vector["type"]) for index, vector in enumerate(SIMPLE)]
    texts = ", ".join(f"toString({name})" for name, _ in columns)
    body = select(engine, columns, [tuple(map(value_of, SIMPLE))], f"SELECT *, {texts} FROM decoded", form)
    ((*found,),) = decode(None, body, format=form, moments="ticks")
    for (_, text), value, shown in zip(columns, found, found[len(columns) :], strict=False):
        type_ = rowbinary.parse_type(text)
        if isinstance(value, int) and type_.family.startswith("Date") and "Time" not in type_.family:
            continue  # a day that Python's dates do not have
        assert said(value, type_, shown), (text, value, shown)
