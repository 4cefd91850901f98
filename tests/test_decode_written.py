"""The reference decoder on what the encoder and the engine write: random rows, golden documents, and a
value of every type that the engine has stored.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from conftest import load
from decode_cases import BERLIN, FORMAT, STORED, check_body, header, same
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import schemas, values_of

import rowbinary
from rowbinary._decode import decode_body


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


def select(engine: Any, columns: list[tuple[str, str]], rows: list[Any]) -> bytes:
    """`rows` as the engine writes them, after it has stored them."""
    schema = rowbinary.Schema(columns)
    engine.query(f"SET {SETTINGS}")
    engine.query("DROP TABLE IF EXISTS decoded")
    engine.query(f"CREATE TABLE decoded ({schema}) ENGINE = Memory")
    try:
        stream = engine.send_insert("INSERT INTO decoded", "RowBinary")
        stream.append(rowbinary.encode_rows(schema, rows))
        stream.finish()
        return bytes(engine.query("SELECT * FROM decoded", FORMAT).bytes())
    finally:
        engine.query("DROP TABLE decoded")


@pytest.mark.engine
@pytest.mark.timeout(600)
def test_what_the_engine_writes(engine: Any) -> None:
    columns = [(f"c{index}", case[0]) for index, case in enumerate(STORED)]
    row = tuple(case[1] for case in STORED)
    body = select(engine, columns, [row, row])
    names, types, rows = decode_body(body)
    assert names == tuple(name for name, _ in columns)
    assert types == rowbinary.Schema(columns).types
    assert len(rows) == 2
    for found in rows:
        for value, case in zip(found, STORED, strict=True):
            assert same(value, case[-1]), case[0]
    assert isinstance(rows[0][16], dt.datetime)
    assert rows[0][16].tzinfo is BERLIN
    check_body(body, columns)


@pytest.mark.engine
@pytest.mark.timeout(600)
@settings(max_examples=40)
@given(st.data())
def test_random_rows_of_the_engine(engine: Any, data: st.DataObject) -> None:
    columns = data.draw(schemas())
    rows = data.draw(st.lists(st.tuples(*(values_of(text) for _, text in columns)), min_size=1, max_size=4))
    check_body(select(engine, columns, rows), columns)
