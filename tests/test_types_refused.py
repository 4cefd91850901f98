"""What the type parser refuses, with which message and at which place; the engine refuses the same."""

from __future__ import annotations

from typing import Any

import pytest
import types_engine
from types_engine import Engine

from rowbinary._parse import parse_type
from rowbinary._types import Type
from rowbinary.errors import SchemaError

engine = types_engine.engine  # the fixture

REFUSED = [
    ("", "expected a type, found the end", 0),
    ("  ", "expected a type, found the end", 2),
    ("(", "expected a type, found '('", 0),
    ("1", "expected a type, found '1'", 0),
    ("'Int8'", "expected a type", 0),
    ("``", "expected a type", 0),
    ("Strin", "unknown type 'Strin'; did you mean String", 0),
    ("INT(-1)", "the display width must be a whole number", 4),
    ("INT('x')", "the display width must be", 4),
    ("INT8", "unknown type 'INT8'; did you mean", 0),
    ("Array(uint8)", "unknown type 'uint8'; did you mean UInt8", 6),
    ("Interval", "unknown type", 0),
    ("Object('json')", "unknown type 'Object'", 0),
    ("NATIONAL", "unknown type", 0),
    ("Array(NULL)", "unknown type 'NULL'", 6),
    ("`x.y`", "unknown type", 0),
    ("ż", "unexpected character 'ż'", 0),
    ("UInt８", "unexpected character", 4),
    ("Int8 Int8", "expected the end of the type, found 'Int8'", 5),
    ("BYTE UNSIGNED", "expected the end of the type", 5),
    ("UInt8 UNSIGNED", "expected the end of the type", 6),
    ("INT `UNSIGNED`", "expected the end of the type", 4),
    ("Int8,", "expected the end of the type", 4),
    ("Array(Int8))", "expected the end of the type", 11),
    ("Array(Int8", "found the end", 10),
    ("Array((Int8))", "expected a type", 6),
    ("Int8[]", "expected the end of the type, found '['", 4),
    ("Array", "Array takes 1 argument, not 0", 0),
    ("Array()", "Array takes 1 argument, not 0", 0),
    ("Array(Int8,,)", "expected a type, found ','", 11),
    ("Array(Int8, Int8)", "Array takes 1 argument, not 2", 0),
    ("Array(5)", "expected a type, found '5'", 6),
    ("Int8(3,4)", "Int8 takes 0 to 1 arguments, not 2", 0),
    ("Float64(1,2,3)", "Float64 takes 0 to 2 arguments, not 3", 0),
    ("UUID(1)", "UUID takes 0 arguments, not 1", 0),
    ("Point(1)", "Point takes 0 arguments, not 1", 0),
    ("String('a')", "the length must be a whole number", 7),
    ("String(1,2)", "takes 0 to 1 arguments", 0),
    ("BINARY", "FixedString takes 1 argument, not 0", 0),
    ("FixedString(0)", "the length must be a whole number from 1 to 16777215", 12),
    ("FixedString(16777216)", "the length must be", 12),
    ("FixedString(-1)", "the length must be", 12),
    ("FixedString(1.0)", "the length must be", 12),
    ("FixedString(1e2)", "the length must be", 12),
    ("FixedString('1')", "the length must be", 12),
    ("FixedString(true)", "the length must be", 12),
    ("FixedString(N)", "expected a number, found 'N'", 12),
    ("FixedString(1__0)", "expected a number, found '1__0'", 12),
    ("FixedString(1a)", "expected a number, found '1a'", 12),
    ("Decimal(77)", "the precision must be a whole number from 1 to 76", 8),
    ("Decimal(0)", "the precision must be", 8),
    ("Decimal(-5)", "the precision must be", 8),
    ("Decimal(18446744073709551617)", "the precision must be", 8),
    ("Decimal(5,6)", "the scale must be a whole number from 0 to 5", 10),
    ("Decimal(5,2,1)", "takes 0 to 2 arguments", 0),
    ("Decimal32", "Decimal32 takes 1 argument, not 0", 0),
    ("Decimal32(10)", "the scale must be a whole number from 0 to 9", 10),
    ("Decimal256(77)", "the scale must be", 11),
    ("DateTime64(10)", "the scale must be a whole number from 0 to 9", 11),
    ("DateTime64('UTC')", "the scale must be", 11),
    ("DateTime64(3,'UTC',1)", "takes 0 to 2 arguments", 0),
    ("DateTime(10)", "the scale must be", 9),
    ("DateTime(NULL)", "the time zone must be a string", 9),
    ('DateTime("UTC")', "expected a number", 9),
    ("DateTime32(0)", "the time zone must be a string", 11),
    ("Time(10)", "the scale must be", 5),
    ("Time64(3,'UTC')", "takes 0 to 1 arguments", 0),
    ("Enum", "Enum needs at least one label", 0),
    ("Enum8()", "Enum8 needs at least one label", 0),
    ("Enum(a)", "expected a string in single quotes", 5),
    ('Enum("a"=1)', "expected a string in single quotes", 5),
    ("Enum(-1)", "expected a string in single quotes", 5),
    ("Enum('a'=1,'a'=2)", "duplicate label 'a'", 11),
    ("Enum('a'=1,'b'=1)", "duplicate number 1", 11),
    ("Enum('a'=1,'b','c'=7)", "either all labels after the first have a number, or none", 15),
    ("Enum('a','b'=2,'c')", "either all labels after the first", 15),
    ("Enum8('a'=128)", "the number of label 'a' must be a whole number from -128 to 127", 10),
    ("Enum8('a'=127,'b')", "the number of label 'b' must be", 14),
    ("Enum('a'=32768)", "must be a whole number from -32768 to 32767", 9),
    ("Enum('a'=1.0)", "must be a whole number", 9),
    ("Enum('a'=NULL)", "must be a whole number", 9),
    ("Enum('a'=1 'b'=2)", "expected ',' or ')'", 11),
    ("Enum('a'=1=2)", "expected ',' or ')'", 10),
    (r"Enum('\x4')", "two hexadecimal digits", 5),
    ("Enum('a", "without its closing '", 5),
    ("Tuple(`a Int8)", "without its closing `", 6),
    ("Tuple(Int8, b Int8)", "either all elements have a name, or none", 12),
    ("Tuple(a Int8, Int8)", "either all elements have a name, or none", 14),
    ("Tuple(a Int8, `a` Int8)", "duplicate element name 'a'", 14),
    ("Tuple(null Int8)", "cannot be named 'null'", 6),
    ("Tuple(`` Int8)", "expected a name", 6),
    ("Tuple(a.b Int8)", "unknown type 'a'", 6),
    ("Tuple(double precision)", "unknown type 'precision'", 13),
    ("Tuple(a Int8 b Int8)", "expected ',' or ')'", 13),
    ("Tuple(,)", "expected a type, found ','", 6),
    ("Nested", "Nested needs at least one element", 0),
    ("Nested(Int8)", "expected a type, found ')'", 11),
    ("Nested(a Int8, a Int8)", "duplicate element name 'a'", 15),
    ("Nullable(Array(Int8))", "Array(Int8) cannot be Nullable", 9),
    ("Nullable(Map(String, Int8))", "cannot be Nullable", 9),
    ("Nullable(Nullable(Int8))", "cannot be Nullable", 9),
    ("Nullable(Nested(a Int8))", "cannot be Nullable", 9),
    ("Nullable(LowCardinality(String))", "cannot be Nullable", 9),
    ("Nullable(Variant(Int8))", "cannot be Nullable", 9),
    ("Nullable(Dynamic)", "cannot be Nullable", 9),
    ("Nullable(Ring)", "Ring cannot be Nullable", 9),
    ("Nullable(Geometry)", "cannot be Nullable", 9),
    ("Nullable(AggregateFunction(sum, Int8))", "cannot be Nullable", 9),
    ("Nullable(SimpleAggregateFunction(max, Nullable(Int8)))", "cannot be Nullable", 9),
    ("LowCardinality(Decimal(9))", "Decimal(9, 0) cannot be LowCardinality", 15),
    ("LowCardinality(Enum('a'))", "cannot be LowCardinality", 15),
    ("LowCardinality(DateTime64)", "cannot be LowCardinality", 15),
    ("LowCardinality(Array(String))", "cannot be LowCardinality", 15),
    ("LowCardinality(Nullable(Point))", "cannot be LowCardinality", 15),
    ("LowCardinality(LowCardinality(String))", "cannot be LowCardinality", 15),
    ("Map(String)", "Map takes 2 arguments, not 1", 0),
    ("Map(Nullable(String), Int8)", "a Map key cannot be Nullable(String)", 4),
    ("Map(LowCardinality(Nullable(String)), Int8)", "a Map key cannot be", 4),
    ("Variant()", "a Variant has 1 to 255 members, not 0", 0),
    ("Variant(Nothing)", "a Variant has 1 to 255 members", 0),
    ("Variant(Int8, Nullable(Int16))", "Nullable(Int16) cannot be a member of a Variant", 14),
    ("Variant(LowCardinality(Nullable(String)))", "cannot be a member", 8),
    ("Variant(Variant(Int8))", "cannot be a member", 8),
    ("Variant(Geometry)", "cannot be a member", 8),
    ("Variant(Dynamic)", "cannot be a member", 8),
    ("Variant(a Int8)", "unknown type 'a'", 8),
    ("Dynamic(3)", "expected max_types", 8),
    ("Dynamic(max_types)", "expected '='", 17),
    ("Dynamic(max_types=255)", "max_types must be a whole number from 0 to 254", 18),
    ("Dynamic(MAX_TYPES=3)", "unknown parameter 'MAX_TYPES'", 8),
    ("Dynamic(max_types=3,max_types=4)", "Dynamic takes one argument", 20),
    ("JSON(5)", "expected a path, a parameter or SKIP", 5),
    ("JSON(a)", "expected a type, found ')'", 6),
    ("JSON(foo=5)", "unknown parameter 'foo'", 5),
    ("JSON(MAX_DYNAMIC_PATHS=5)", "unknown parameter", 5),
    ("JSON(max_dynamic_paths=10001)", "from 0 to 10000", 23),
    ("JSON(max_dynamic_paths=-1)", "from 0 to 10000", 23),
    ("JSON(max_dynamic_paths='5')", "from 0 to 10000", 23),
    ("JSON(max_dynamic_types=255)", "from 0 to 254", 23),
    ("JSON(a Int8, a Int16)", "duplicate path 'a'", 13),
    ("JSON(a.1 Int8)", "expected a type, found '.1'", 6),
    ("JSON(a.* Int8)", "unexpected character '*'", 7),
    ("JSON(a. Int8, )", "expected a type", 12),
    ("JSON(`` Int8)", "expected a path", 5),
    ("JSON(SKIP)", "expected a path, found ')'", 9),
    ("JSON(SKIP a b)", "expected ',' or ')'", 12),
    ("JSON(SKIP REGEXP a)", "expected a string in single quotes", 17),
    ("JSON(SKIP REGEXP)", "expected a string in single quotes", 16),
    ("JSON(SKIP a, ab Int8)", "path 'ab' is typed, and skipped", 13),
    ("JSON(a.b Int8, SKIP a)", "path 'a.b' is typed, and skipped", 5),
    ("QBit(Float32)", "QBit takes 2 to 3 arguments, not 1", 0),
    ("QBit(Int16, 8)", "the elements of a QBit are", 5),
    ("QBit(Float32, 0)", "the dimension must be", 14),
    ("QBit(Float32, 134217721)", "the dimension must be", 14),
    ("QBit(Float32, 16, 4)", "the stride must divide the dimension", 18),
    ("QBit(Float32, 24, 16)", "the stride must divide the dimension", 18),
    ("QBit(Float32, 16384, 8)", "the stride must divide the dimension", 21),
    ("QBit(Float32, 16, 32)", "the stride must be", 18),
    ("AggregateFunction", "expected '('", 17),
    ("AggregateFunction()", "expected an aggregate function", 18),
    ("AggregateFunction(1)", "expected ','", 19),
    ("AggregateFunction(1, 2)", "expected an aggregate function", 21),
    ("AggregateFunction('sum', Int8)", "expected an aggregate function", 18),
    ("AggregateFunction(sum(a), Int8)", "expected a number, found 'a'", 22),
    ("AggregateFunction(sum, x)", "unknown type 'x'", 23),
    ("SimpleAggregateFunction(1, sum, Int64)", "expected an aggregate function", 24),
    ("SimpleAggregateFunction(sum)", "needs the type of its values", 0),
]


@pytest.mark.parametrize(("text", "message", "position"), REFUSED)
def test_refused(text: str, message: str, position: int) -> None:
    with pytest.raises(SchemaError) as caught:
        parse_type(text)
    assert message in caught.value.reason
    assert (caught.value.text, caught.value.position) == (text, position)


def test_engine_refuses_the_same(engine: Engine) -> None:
    assert [text for text, _, _ in REFUSED if not engine.refuses(text)] == []


# The engine ignores what is wrong here; the parser does not (module docstring of `_parse`).
STRICTER = (
    "DateTime('UTC', 3)",
    "DateTime64(3, 4)",
    "Time64(3, 3)",
    "Enum(x'41')",
    "Enum($$a$$)",
    "BIT(Int8)",
)
# The parser leaves these to the server.
LENIENT = (
    "DateTime('Europe/Atlantis')",
    "JSON(SKIP REGEXP '[')",
    "JSON(a Int8, SKIP REGEXP 'a')",
    "AggregateFunction(no_such_function, Int8)",
    "SimpleAggregateFunction(sum, Int8)",
)


def test_deliberate_differences(engine: Engine) -> None:
    for text in STRICTER:
        with pytest.raises(SchemaError):
            parse_type(text)
        assert not engine.refuses(text)
    for text in LENIENT:
        assert str(parse_type(text)) == text
        assert engine.refuses(text)


@pytest.mark.parametrize("value", [None, 5, b"Int8", ["Int8"], Type("Int8")])
def test_not_a_text(value: Any) -> None:
    with pytest.raises(SchemaError, match="a type must be given as str, not"):
        parse_type(value)


def test_lone_surrogate() -> None:
    with pytest.raises(SchemaError) as caught:
        parse_type("Enum('a\udcff')")
    assert caught.value.position == 7
    with pytest.raises(SchemaError, match="not UTF-8"):
        parse_type(r"Enum('\xff')")
