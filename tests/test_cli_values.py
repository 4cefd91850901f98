"""Parts of the command line that need no engine: inferred types, CSV cells, names and URLs."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from rowbinary import Schema
from rowbinary._infer import infer_columns
from rowbinary.cli._cells import converter, guess
from rowbinary.cli._problems import BadLine
from rowbinary.protocol import Table

INFERRED = [
    ([True], "Bool"),
    ([1], "Int64"),
    ([2**64 - 1], "UInt64"),
    ([2**64 - 1, -1], "Int128"),
    ([2**64], "Int128"),
    ([-(2**255)], "Int256"),
    ([2**255], "Dynamic"),
    ([1, 0.5], "Float64"),
    ([2**53, 0.5], "Float64"),
    ([2**53 + 1, 0.5], "Dynamic"),
    ([[-(2**53) - 1, 0.5]], "Array(Dynamic)"),
    ([True, 1], "Dynamic"),
    ([1, None], "Nullable(Int64)"),
    (["2024-01-01", "x"], "String"),
    (["2024-01-01", "2024-01-01 10:00:00"], "DateTime64(9, 'UTC')"),
    (["2300-01-01 00:00:00"], "String"),
    (["1899-12-31"], "String"),
    (["2024-02-30"], "String"),
    ([""], "String"),
    ([{}, None], "Nullable(JSON)"),
    ([[1], ["x"]], "Array(Dynamic)"),
    ([[[1]], [[2.5, None]]], "Array(Array(Nullable(Float64)))"),
    ([[{"a": 1}]], "Array(JSON)"),
    ([[]], "Array(Dynamic)"),
    ([[1], None], "Dynamic"),
    ([{}, 1], "Dynamic"),
    ([None], "Dynamic"),
    ([json.loads("[" * 32 + "1" + "]" * 32)], "Array(" * 32 + "Int64" + ")" * 32),
    ([json.loads("[" * 400 + "1" + "]" * 400)], "Array(" * 32 + "Dynamic" + ")" * 32),
]


@pytest.mark.parametrize(("values", "expected"), INFERRED)
def test_infer(values: list[Any], expected: str) -> None:
    rows = [{"c": value} for value in values]
    assert infer_columns(rows) == [("c", expected)]


def test_infer_missing_keys() -> None:
    rows: list[dict[str, object]] = [{"a": 1, "l": [1], "j": {}}, {"b": "x"}]
    types = [("a", "Nullable(Int64)"), ("l", "Array(Int64)"), ("j", "JSON"), ("b", "Nullable(String)")]
    assert infer_columns(rows) == types


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("-0", 0), ("007", "007"), ("+1", "+1"), ("1.50", 1.5), ("1e3", 1000.0), ("1.", "1."),
     ("nan", "nan"), ("TRUE", True), ("yes", "yes"), ("[1", "[1"), ('{"a":1}', {"a": 1}), (" 1", " 1")],
)  # fmt: skip
def test_guess(text: str, value: object) -> None:
    assert guess(text) == value
    assert type(guess(text)) is type(value)


CELLS = [
    ("Bool", "False", False),
    ("LowCardinality(Nullable(String))", "", None),
    ("Nullable(Bool)", r"\N", None),
    ("DateTime", "1700000000", 1700000000),
    ("DateTime", "2024-01-01 00:00:00", "2024-01-01 00:00:00"),
    ("Array(String)", '["1", "a"]', ["1", "a"]),
    ("Array(Float64)", "[0.5]", [0.5]),
    ("Array(Decimal(38, 20))", "[1.12345678901234567890]", [Decimal("1.12345678901234567890")]),
    ("Dynamic", "[1]", [1]),
    ("Dynamic", "[1", "[1"),
    ("Variant(String, UInt8)", "abc", "abc"),
    ("SimpleAggregateFunction(anyLast, Nullable(String))", "", None),
    ("UInt64", "12", "12"),
    ("String", "007", "007"),
    ("Point", "[1,2]", [1, 2]),
    ("Enum8('1' = 2, 'x' = 3)", "1", "1"),
    ("Enum8('1' = 2, 'x' = 3)", "3", 3),
]


@pytest.mark.parametrize(("type_", "text", "value"), CELLS)
def test_cells(type_: str, text: str, value: object) -> None:
    convert = converter(Schema([("c", type_)]).types[0], defaults=True)
    assert convert(text) == value
    assert type(convert(text)) is type(value)


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        ("Bool", "yes"),
        ("Array(UInt8)", "['a']"),
        ("JSON", "{"),
        ("Map(String, UInt8)", "NaN"),
        ("Tuple(Decimal(9, 2), Float64)", "[1, 1e400]"),
    ],
)
def test_bad_cells(type_: str, text: str) -> None:
    with pytest.raises(BadLine):
        converter(Schema([("c", type_)]).types[0], defaults=True)(text)


@pytest.mark.parametrize(
    ("text", "sql"),
    [("t", "`t`"), ("db.t", "`db`.`t`"), ("a`b.c\\d", "`a\\`b`.`c\\\\d`"), ("select", "`select`")],
)
def test_table_names(text: str, sql: str) -> None:
    assert Table.parse(text).sql == sql
    assert str(Table.parse(text)) == text


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a.b.c", "a\0"])
def test_bad_table_names(text: str) -> None:
    with pytest.raises(ValueError, match="neither a table"):
        Table.parse(text)
