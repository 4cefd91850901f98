"""Text mode values for declared types (typed paths): what the engine makes of every kind of JSON value."""

from __future__ import annotations

import contextlib
import decimal
import json
import struct
from typing import Any

import pytest
from text_trees import EngineRefusedError, Reader, create, insert, tree

from rowbinary import typed
from rowbinary._badvalue import BadValue, format_path
from rowbinary._parse import parse_type
from rowbinary._text import coerce

TYPES = json.loads(
    r"""[
    "UInt8", "UInt64", "Int8", "Int64", "Float32", "Float64", "Bool", "String", "FixedString(3)", "UUID",
    "IPv4", "IPv6", "Date", "Date32", "DateTime", "DateTime('Europe/Berlin')", "DateTime64(0)",
    "DateTime64(3)", "DateTime64(6, 'Asia/Tokyo')", "DateTime64(9)", "Decimal(9, 2)", "Decimal(38, 10)",
    "Enum16('x' = 300)", "Enum8('a' = -1, 'b' = 2)", "Nullable(UInt8)", "Nullable(Date)",
    "LowCardinality(String)", "LowCardinality(Nullable(String))", "Array(UInt8)", "Array(Nullable(String))",
    "Array(Dynamic)", "Array(JSON)", "Tuple(a UInt8, b String)", "Tuple(UInt8, String)",
    "Nullable(Tuple(a UInt8))", "Map(String, Array(String))", "Map(LowCardinality(String), Nullable(UInt8))",
    "Variant(String, UInt64)", "Variant(Bool, Float64, Int64)", "Variant(Date, DateTime, String)",
    "Variant(Array(String), Array(UInt8), UInt8)", "Variant(Array(JSON), JSON)", "Dynamic",
    "Dynamic(max_types=1)", "JSON", "JSON(max_dynamic_paths=2)", "JSON(a UInt8, b String)", "JSON(a.b Date)",
    "JSON(a Nullable(UInt8), SKIP b)", "JSON(SKIP REGEXP 'b')", "Point", "Polygon",
    "SimpleAggregateFunction(sum, UInt64)"
    ]"""
)

VALUES: list[Any] = json.loads(
    r"""[
    null, true, false, 0, 1, -1, 127, 128, 255, 256, 65535, 4294967296, 9223372036854775807,
    9223372036854775808, 18446744073709551615, 18446744073709551616, -9223372036854775808,
    -9223372036854775809, 1767225600, 0.0, -0.0, 1.0, 1.5, -0.5, 0.1, 255.9, 10000000000.0, 1e+21, 1.5e-07,
    1e+300, 3.5e+38, 1.005, 123456.789, 1767225600.123456, "x", "", "2026-01-01", "2026-01-02 00:00:00",
    "2026-01-01T00:00:00.5", "1969-12-31", "1700-01-01", "2020-13-01", "20260101", "12", "true",
    "1234567890", "2026.1.1", "a", "b", "\u00e9", "abcd", "7", "-7", "+7", "1.5", "1e2", ".5", "1e", "--1",
    "a/\"\\\n\u2028\u0001", "1.2.3.4", "001.2.3.4", "1.2.3.256", "::1", "1::2::3", "::1%1",
    "00112233-4455-6677-8899-aabbccddeeff", "00112233445566778899AABBCCDDEEFF", "2026-1-1", "2026-02-31",
    "0000-00-00", "9999-12-31", "1767225600", "1767225600123", "Jan 1 2026", "1/2/26", "20260101101112",
    "2026-03-29 02:30:00", "2026-07-01 00:00:00.123456789123", [], [1], [1.5], ["x", 1], [null],
    [[1, 2], [3, 4]], [[[1, 2], [3, 4]]], {}, {"a": 1}, {"a": "x", "b": 2},
    {"a": {"b": "2026-01-01"}, "c": [1, {"d": null}]}, {"b": {"c": 1}, "a": null, "x": 1.5, "y": "z"},
    [{"a": 1}, {"a": "2026-01-01"}], {"a": ["x"], "b": []}
    ]"""
)

# Where ours refuses and the engine stores something that the type does not allow or nobody meant.
STRICTER = {("Decimal(38, 10)", text) for text in ("1.2.3.4", "001.2.3.4", "1.2.3.256", "2026.1.1")}
STRICTER |= {("Decimal(9, 2)", text) for _, text in STRICTER}
ALONE = "max_insert_block_size = 1, input_format_parallel_parsing = 0, input_format_allow_errors_num = 1000"


@pytest.mark.parametrize("type_text", TYPES)
def test_typed_paths_as_the_engine_fills_them(engine: Any, type_text: str) -> None:
    type_ = parse_type(type_text)
    create(engine, f"i UInt32, j JSON(a {type_text})")
    rows = [{"i": i, "j": {"a": v}} for i, v in enumerate(VALUES) if (type_text, str(v)) not in STRICTER]
    # Each in a block of its own; in an insert of its own where an error ends it, or memory could be kept.
    single = any(word in type_text for word in ("JSON", "Dynamic", "Decimal"))
    for batch in [[row] for row in rows] if single else [rows]:
        with contextlib.suppress(EngineRefusedError):
            insert(engine, batch, f"text_inference SETTINGS {ALONE}")
    reader = Reader(bytes(engine.query("SELECT i, j.a FROM text_inference ORDER BY i", "RowBinary").bytes()))
    assert reader.data
    for i, value in enumerate(VALUES):
        if reader.data[reader.position :].startswith(struct.pack("<I", i)):
            assert (reader.number(4), tree(coerce(value, type_), type_)) == (i, reader.value(type_)), value
        else:
            with pytest.raises(BadValue):
                print(type_text, value, "->", coerce(value, type_))
    assert reader.position == len(reader.data)


def test_coerce_examples() -> None:
    def to(value: Any, type_text: str) -> Any:
        return coerce(value, parse_type(type_text))

    assert (to("7", "UInt32"), to(1.5, "UInt32"), to(True, "UInt32"), to(None, "UInt32")) == (7, 1, 1, 0)
    assert (to([1, 2], "String"), to(1.5, "String"), to({"y": None}, "String")) == (
        "[1,2]",
        "1.5",
        '{"y":null}',
    )
    assert to(2**70, "UInt128") == 2**70
    assert to("12:34:56.789", "Time64(3)") == 45296789
    assert to("1.239", "Decimal(9, 2)") == decimal.Decimal("1.23")
    assert to(1.5, "Variant(UInt8, Float64)") == typed(1.5, "Float64")
    assert to({"b": {"c": 1}}, "Dynamic") == typed({"b.c": 1}, "JSON")
    assert to({"a": {"b": 1}, "c": "2026-01-01", "z": 1}, "JSON(SKIP z)") == {
        "a.b": 1,
        "c": typed(20454, "Date"),
    }
    for value, type_text in [
        ("x", "UInt8"),
        (1.5, "BFloat16"),
        ({1: 2}, "JSON"),
        ("1000:00:00", "Time"),
        (1, "UUID"),
    ]:
        with pytest.raises(BadValue):
            to(value, type_text)


@pytest.mark.parametrize(
    ("value", "type_text", "path"),
    [
        ([[1], [2, "x"]], "Array(Array(UInt8))", "$[1][1]"),
        ({"a": [1, {}]}, "Tuple(a Array(UInt8))", "$.a[1]"),
        ({"a": {"b": {"c": "x"}}}, "JSON(a.b.c UInt8)", "$.a.b.c"),
        ({"k": 300}, "Map(String, UInt8)", "$['k']"),
        ([1, {"a": object()}], "Array(String)", "$[1].a"),
    ],
)
def test_paths_of_bad_values(value: Any, type_text: str, path: str) -> None:
    with pytest.raises(BadValue) as caught:
        coerce(value, parse_type(type_text))
    assert format_path(caught.value.path) == path
