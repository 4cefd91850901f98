"""Values that were once stored differently from what was given, without an error."""

from __future__ import annotations

import decimal
from typing import Any

import pytest

import rowbinary
from rowbinary import EncodeError


def encode(impl: str, type_: str, value: Any, **options: Any) -> str:
    return rowbinary.encode_rows([("c", type_)], [(value,)], implementation=impl, **options).hex()


@pytest.mark.parametrize("mode", ["exact", "text"])
@pytest.mark.parametrize("document", [{}, {"e": None}])
def test_absent_enum_path_has_the_lowest_label(impl: str, mode: str, document: dict[str, Any]) -> None:
    """The server stores the number 0 for it, which need not be a label (code 691 at SELECT)."""
    assert encode(impl, "JSON(e Enum8('b' = 7, 'a' = 5))", document, json=mode) == "01016505"
    assert encode(impl, "JSON(e Enum8('a' = -3, 'z' = 0))", document, json=mode) == "010165fd"
    assert encode(impl, "Array(JSON(e Enum8('a' = 5)))", [document], json=mode) == "0101016505"
    assert encode(impl, "JSON(e Enum8('z' = 0, 'a' = 5))", document, json=mode) == "00"
    assert encode(impl, "JSON(e Nullable(Enum8('a' = 5)))", {}, json=mode) == "00"


@pytest.mark.parametrize("mode", ["exact", "text"])
@pytest.mark.parametrize(
    ("type_", "document"),
    [
        ("JSON(SKIP dbg)", {"dbg.x": 3}),
        ("JSON(SKIP a.b)", {"a": {"b.c": 1}}),
        ("JSON(SKIP a.b)", {"a.b.c": 1}),
        ("JSON(SKIP a)", {"a": {"b": 1}}),
    ],
)
def test_skip_drops_what_dotted_keys_put_below_it(
    impl: str, mode: str, type_: str, document: dict[str, Any]
) -> None:
    assert encode(impl, type_, document, json=mode) == "00"


def test_skip_keeps_longer_names(impl: str) -> None:
    assert encode(impl, "JSON(SKIP a)", {"ab": True}) == "010261622d01"


@pytest.mark.parametrize("type_", ["Float32", "Float64", "BFloat16"])
@pytest.mark.parametrize("value", [decimal.Decimal("1e400"), "1e400", "-1e400", 10**400])
def test_no_overflow_to_infinity(impl: str, type_: str, value: Any) -> None:
    with pytest.raises(EncodeError, match="out of range"):
        encode(impl, type_, value)


@pytest.mark.parametrize("value", ["inf", "-Infinity", "nan", decimal.Decimal("Infinity")])
def test_infinity_when_meant(impl: str, value: Any) -> None:
    assert encode(impl, "Float64", value)


@pytest.mark.parametrize("type_", ["Date", "Date32", "DateTime", "DateTime64(3)"])
@pytest.mark.parametrize("value", [True, 1577836800.0, 1.5])
def test_neither_bools_nor_floats_are_times(impl: str, type_: str, value: Any) -> None:
    """A float is time.time() in seconds more likely than a count of ticks."""
    with pytest.raises(EncodeError):
        encode(impl, type_, value)


@pytest.mark.parametrize("text", ["\t5\n", " 5", "\u0663", "1_0"])
def test_decimal_texts_are_plain(impl: str, text: str) -> None:
    with pytest.raises(EncodeError):
        encode(impl, "Decimal(9, 2)", text)


def test_enum_path_survives_the_engine(engine: Any, impl: str) -> None:
    engine.query("CREATE OR REPLACE TABLE enum_paths (c JSON(e Enum8('b' = 7, 'a' = 5))) ENGINE = Memory")
    body = rowbinary.encode_rows(
        "c JSON(e Enum8('b' = 7, 'a' = 5))", [({},), ({"e": "b"},)], implementation=impl
    )
    stream = engine.send_insert("INSERT INTO enum_paths", "RowBinary")
    stream.append(body)
    stream.finish()
    stored = engine.query("SELECT c.e FROM enum_paths", "TSV").bytes().decode()
    engine.query("DROP TABLE enum_paths")
    assert stored == "a\nb\n"


def test_default_of_an_enum_column(impl: str) -> None:
    """DESCRIBE says that there is no expression: the marker would make the server store 0."""
    described = [("a", "Enum8('x' = 5)", "", ""), ("b", "Enum8('x' = 5)", "DEFAULT", "'x'")]
    described += [("c", "Tuple(Enum8('x' = 5), UInt8)", "", ""), ("d", "Nullable(Enum8('x' = 5))", "", "")]
    schema = rowbinary.Schema.from_describe(described)
    body = rowbinary.encode_rows(schema, [{}], format="RowBinaryWithDefaults", implementation=impl)
    assert body.hex() == "0005" + "01" + "000500" + "01"
    unknown = rowbinary.Schema([(name, text) for name, text, *_ in described])
    body = rowbinary.encode_rows(unknown, [{}], format="RowBinaryWithDefaults", implementation=impl)
    assert body.hex() == "01010101"
