"""Text mode on whole documents, the golden ones, and what JSON has for Python values."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import ipaddress
import json
import uuid
from typing import Any

import pytest
from conftest import load
from text_trees import UTC, Reader, tree

from rowbinary import typed
from rowbinary._badvalue import BadValue
from rowbinary._parse import parse_type
from rowbinary._text import coerce, json_leaf
from rowbinary._text_coerce import build
from rowbinary._text_scalars import Conversion

# -- Python values ----------------------------------------------------------------------------------


class Color(enum.Enum):
    RED = "red"


class Name(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (dt.datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00+00:00"),
        (dt.date(2026, 1, 1), "2026-01-01"),
        (dt.time(12, 34, 56), "12:34:56"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (ipaddress.ip_address("::1"), "::1"),
        (Color.RED, "red"),
        (Name("x"), "x"),
        (decimal.Decimal("1.50"), 1.5),
        (decimal.Decimal(7), 7),
        (decimal.Decimal("1.23456789012345678901"), "1.23456789012345678901"),
        (decimal.Decimal("NaN"), None),
        (float("nan"), None),
        (float("-inf"), None),
        (2**64, "18446744073709551616"),
        (2**64 - 1, 2**64 - 1),
        (True, True),
        (b"\xc3\xa9", "é"),
        ((1, 2), [1, 2]),
        (frozenset([1]), [1]),
    ],
)
def test_json_leaf(value: object, expected: object) -> None:
    found = json_leaf(value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    "value", [b"\xff", object(), 1j, typed(1, "Int64"), 10**5000], ids=lambda v: type(v).__name__
)
def test_what_json_cannot_say(value: object) -> None:
    with pytest.raises(BadValue):
        json_leaf(value)


def test_numpy() -> None:
    np = pytest.importorskip("numpy")
    assert json_leaf(np.float64(1.5)) == 1.5
    assert type(json_leaf(np.int8(3))) is int
    assert json_leaf(np.array([[1, 2]])) == [[1, 2]]
    assert json_leaf(np.datetime64("2026-01-01T00:00:00.5", "ns")) == "2026-01-01T00:00:00.500000000"
    assert json_leaf(np.array(["2026-01-01", "NaT"], "M8[D]")) == ["2026-01-01", None]
    with pytest.raises(BadValue):
        json_leaf(np.complex128(1j))


# -- golden documents -------------------------------------------------------------------------------


JSON_BLOCKS = [v for v in load("json_blocks.jsonl") if v["column_type"].startswith("JSON")]


@pytest.mark.parametrize("vector", JSON_BLOCKS, ids=lambda v: " ".join(v["json_rows"])[:70])
def test_rows_of_one_block(vector: dict[str, Any]) -> None:
    """One column kept from row to row has the memory that the engine has within a block."""
    type_ = parse_type(vector["column_type"])
    column = build(type_, UTC)
    reader = Reader(bytes.fromhex(vector["hex"]))
    for row in vector["json_rows"]:
        assert tree(column.read(json.loads(row), Conversion.ANY), type_) == reader.value(type_), row


TEXT_DOCUMENTS = [
    v
    for v in load("json_inserts.jsonl")
    if v["mode"] == "text"
    and v["same_as_text"]
    and v["column_type"].startswith("JSON")
    and v.get("json_text")
]


@pytest.mark.parametrize("vector", TEXT_DOCUMENTS, ids=lambda v: f"{v['column_type']} {v['json_text']}"[:70])
def test_golden_documents(vector: dict[str, Any]) -> None:
    type_ = parse_type(vector["column_type"])
    expected = tree({}, type_) | Reader(bytes.fromhex(vector["hex"])).value(type_)
    assert tree(coerce(json.loads(vector["json_text"]), type_), type_) == expected
