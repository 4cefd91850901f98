"""Names that the type parser knows, against those of the engine: types in every letter case, aggregate
functions, and words that are printed in backticks.
"""

from __future__ import annotations

import pytest
import types_engine
from types_engine import Engine

from rowbinary import _type_names as names
from rowbinary._parse import parse_type
from rowbinary.errors import SchemaError

engine = types_engine.engine  # the fixture

ARGUMENTS = {
    "Array": "(Int8)",
    "LowCardinality": "(String)",
    "Nullable": "(Int8)",
    "Map": "(String, Int8)",
    "Nested": "(a Int8)",
    "Variant": "(Int8)",
    "QBit": "(Float32, 8)",
    "AggregateFunction": "(sum, Int8)",
    "SimpleAggregateFunction": "(sum, Int64)",
    **dict.fromkeys(("Enum", "Enum8", "Enum16"), "('a')"),
    **dict.fromkeys(("FixedString", "Decimal32", "Decimal64", "Decimal128", "Decimal256"), "(3)"),
}


def test_every_name_in_every_letter_case(engine: Engine) -> None:
    families = engine.rows("SELECT name, alias_to FROM system.data_type_families")
    assert len(families) > 130
    for name, alias_to in families:
        for spelling in (name, name.lower(), name.upper(), name.swapcase()):
            text = spelling + ARGUMENTS.get(alias_to or name, "")
            if names.resolve(spelling) is None:
                with pytest.raises(SchemaError, match="unknown type"):
                    parse_type(text)
                assert engine.refuses(text), text
            elif name != "Nothing":
                assert [str(parse_type(text))] == engine.columns([text])


def test_aggregate_function_names(engine: Engine) -> None:
    query = "SELECT name, alias_to, case_insensitive FROM system.functions WHERE is_aggregate"
    windows = {"lag", "lead", "nth_value", "ntile", "rank", "row_number", "denseRank", "percentRank"}
    for name, alias_to, caseless in engine.rows(query):
        canonical = alias_to or name
        assert names.aggregate_function(name) == canonical
        if caseless and name not in windows:
            assert names.aggregate_function(name.swapcase()) == canonical


def test_words_in_backticks(engine: Engine) -> None:
    keywords = " ".join(row[0] for row in engine.rows("SELECT keyword FROM system.keywords")).split()
    words = sorted(
        {word for word in keywords if word.isidentifier()} | {"TRUE", "FALSE", "INF", "NAN", "NULL"}
    )
    assert len(words) > 400
    for change in (str.upper, str.lower, str.title):
        elements = ", ".join(f"`{change(word)}` Int8" for word in words if change(word) != "null")
        text = f"Tuple({elements})"
        assert [str(parse_type(text))] == engine.columns([text])
