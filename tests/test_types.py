"""The type parser against the engine: what it accepts, and the same spelling of every type."""

from __future__ import annotations

import json
from typing import Any

import pytest
import types_engine
from conftest import VECTORS
from types_engine import Engine

from rowbinary._parse import parse_type
from rowbinary._types import Alias, Dynamic, Enum, Tuple, Variant

engine = types_engine.engine  # the fixture

ACCEPTED = r"""
UInt8
`UInt8`
"UInt8"
`Array`(`UInt8`)
Array /* x */ ( Int8 )
Array(Int8 -- to the end of the line
UInt8(3)
tinyint(1)
INT(11) UNSIGNED
INT UNSIGNED(11)
`INT` UNSIGNED
bigint (20) unsigned
INT()UNSIGNED
INTEGER(3)SIGNED
BIT(4)
YEAR(4)
SET
SIGNED
unsigned
Int128(1)
FLOAT(10,2)
double precision
DOUBLE  PRECISION(3)
DOUBLE(5,2)
BFloat16(3)
BOOL
boolean()
VARCHAR(255)
String(10)
TEXT(0)
CHAR VARYING(10)
char large object
national  character varying (5)
NATIONAL CHARACTER LARGE OBJECT
BINARY VARYING(3)
BINARY LARGE OBJECT
BINARY(16)
FixedString(1)
FixedString(16777215)
FixedString(0x10)
FixedString(0b11)
FixedString(1_000)
FixedString(010)
FixedString(+3,)
Decimal
Decimal(5)
Decimal(76, 76)
decimal(5 , 2)
Decimal32(9)
DECIMAL64(18)
Decimal128(0)
Decimal256(76)
DEC(5,2)
NUMERIC(3)
FIXED
Date
DATE32
DateTime
datetime('UTC')
DateTime('')
DateTime(0)
DateTime(0,'Europe/Berlin')
DateTime(3)
DateTime(9,'UTC')
DateTime32
DateTime32('Asia/Tokyo')
DateTime64
DateTime64()
DateTime64(0)
DateTime64(9, 'America/New_York')
DateTime64(3, '')
DateTime('Fixed/UTC+01:00:00')
TIMESTAMP
timestamp(6,'UTC')
Time
Time(0)
Time(3)
time64
Time64(9)
INET4
inet6
IntervalNanosecond
IntervalQuarter
Enum('a')
Enum('a','b','c')
ENUM('a'=5,'b','c')
Enum('a','b'=5)
Enum('a'=-1,'b')
Enum('a'=127,'b')
Enum('a'=128)
Enum('a'=-129)
Enum('b'=2,'a'=1)
Enum('a'=+1,)
Enum('a'== - 1)
Enum('a'=0x10, 'b'=0b11, 'c'=010, 'd'=1_1)
Enum8('a','b')
Enum16('a','b')
Enum8('a' = -128, 'z' = 127)
Enum16('a' = -32768, 'z' = 32767)
Enum('')
Enum('it\'s', 'it''s too')
Enum('a\\b', 'a\nb', 'c\td', 'a\%b\_c', '\q\"\`\/\=\-')
Enum('\x41', '\xc5\xbc', '\N', '\a\b\e\f\v\0\r')
Enum('ż€😀', 'a, b', 'c = 3', 'p(q)')
Tuple
Tuple()
Tuple(Int8,)
Tuple(a Int8, A Int8)
Tuple(`a` `Int8`, "b" "String")
Tuple(1a Int8, `2` Int8, `1` Int8, $x Int8, y$ Int8, _z Int8)
Tuple(`a b` Int8, "a""c" Int8, `a``d` Int8, `a\`e` Int8, `a'f` Int8, `a\ng` Int8, `a\\h` Int8, `a.i` Int8)
Tuple(`żółw` Int8, `\x61` Int8, `b\N` String)
Tuple(NULL Int8, select Int8, distinct Int8, NaN Int8, AS Int8, NOT Int8, top Int8, values Int8)
Tuple(INT UNSIGNED)
Tuple(unsigned INT)
Tuple(INT(3) UNSIGNED)
Tuple(precision double)
Tuple(national char)
Tuple(Enum8 Enum8('a'), String String)
Tuple(a Tuple(b Tuple(c UInt8)), d Array(Tuple(e String)))
Nested(a INT UNSIGNED, b TEXT)
Nested(`a.b` Int8, c Nested(d Int8))
Array(Nested(a Int8))
Map(String, Nested(a Int8))
Map(LowCardinality(String), Nullable(Float64))
Map(Array(Int8), JSON)
Nullable(Tuple(Int8))
Nullable(JSON)
Nullable(Point)
Nullable(SimpleAggregateFunction(sum, Int64))
Nullable(QBit(Float32, 8))
LowCardinality(Nullable(String))
LowCardinality(FixedString(3))
LowCardinality(Int256)
LowCardinality(Bool)
LowCardinality(Date32)
LowCardinality(Time)
LowCardinality(UUID)
LowCardinality(IntervalDay)
LowCardinality(SimpleAggregateFunction(max, Nullable(Int64)))
Variant(String,Int8)
Variant(UInt64, `String`, Array(TEXT), bool, BOOL)
Variant(INT, Int32)
Variant(Decimal32(3), Decimal(9,3))
Variant(Nothing, Int8)
Variant(Ring, LineString, Array(Point), Point)
Variant(Tuple(b Int8), Tuple(a Int8), Tuple(Int8))
Variant(JSON, JSON(max_dynamic_paths=1024), JSON(max_dynamic_paths=3))
Variant(Array(Dynamic), Map(String, Variant(Int8, String)))
Variant(Enum('a','b'), Enum8('b'=2,'a'=1))
Dynamic
Dynamic()
Dynamic(max_types=5)
Dynamic(`max_types` = 0x20)
Dynamic(max_types=0,)
Dynamic(max_types=254)
JSON
json()
JSON(max_dynamic_paths=1024, max_dynamic_types=32)
JSON(max_dynamic_paths=0, max_dynamic_types=0)
JSON(a Int8, max_dynamic_types=254, max_dynamic_paths=10000)
JSON(max_dynamic_paths=5, max_dynamic_paths=6)
JSON(SKIP b, d Int8, SKIP a, SKIP REGEXP 'x', c1 Int8, SKIP REGEXP 'b', SKIP a, SKIP REGEXP 'b')
Json(b INT UNSIGNED, a TEXT, B Int8,)
JSON(a.b.c UInt32, `a.d` Int8, `a e`.f Int8, a . g Int8, "h"."i j" Int8, a Int8)
JSON(`a``b` Int8, `a\`c` Int8, `a\\d` Int8, `a\ne` Int8, `a..b` Int8, `.a` Int8, `ż` Int8)
JSON(null Int8, select.a Int8, `distinct` Int8, 1a Int8, a.1b Int8, a.`1` Int8, $a Int8)
JSON(max_dynamic_paths Int8)
JSON(skip Int8, `SKIP` Int8, `Skip`.a Int8, a.skip Int8, REGEXP Int8)
JSON(SKIP a.b, SKIP `c d`, SKIP `null`, SKIP `skip`)
JSON(SKIP REGEXP 'a\\d+\'', skip regexp '')
JSON(a JSON(b Int8, SKIP c), d Array(JSON), e Nested(f Int8), g Geometry, h Dynamic(max_types=3))
JSON(a.b Int8, SKIP a.b.c)
QBit(Float32,8)
QBit(TINYINT, 4)
QBit(BFloat16, 16, 16)
QBit(Float64, 24, 8)
QBit(Float32, 1)
GEOMETRY
Array(MultiPoint)
SimpleAggregateFunction(SUM, Int64)
SimpleAggregateFunction(first_value, INT)
SimpleAggregateFunction(`anyLast`, LowCardinality(Nullable(String)),)
SimpleAggregateFunction(groupUniqArrayArray(5), Array(Int8))
AggregateFunction(count)
AggregateFunction(COUNT())
AggregateFunction(count,)
AggregateFunction(Sum, INT UNSIGNED)
AggregateFunction(0, sum, Int8)
AggregateFunction(2, sum, Int8)
AggregateFunction(sumMap, Array(Int8), Array(Int8))
AggregateFunction(0, sumMap, Array(Int8), Array(Int8))
AggregateFunction(sumMapIf, Array(Int8), Array(Int8), UInt8)
AggregateFunction(sumMap, Map(String, Int64))
AggregateFunction(sumMapFiltered([1, 2, -3]), Array(Int8), Array(UInt8))
AggregateFunction(medianDeterministic, UInt8, UInt8)
AggregateFunction(quantiles(0.50, .9, 1, 1.0, 1e-3, 1e-7, 0.000001), Float64)
AggregateFunction(quantiles(0.1234567890123456789, true), Float64)
AggregateFunction(groupConcat('it\'s', 5), String)
AggregateFunction(groupArray(0x10), Int8)
AggregateFunction(any_value, String)
AggregateFunction(SUMIf, Int8, UInt8)
AggregateFunction(First_ValueOrNullState, Int8)
AggregateFunction(SumMapIf, Array(Int8), Array(Int8), UInt8)
AggregateFunction(medianIf(0.5), Int8, UInt8)
AggregateFunction(groupArrayIf, Int8, UInt8)
AggregateFunction(VAR_POP, Int8)
AggregateFunction(median, Int8)
AggregateFunction(argMin, String, DateTime('UTC'))
AggregateFunction(any, Tuple(a Int8, b INT))
AggregateFunction(sumMerge, AggregateFunction(sum, Int8))
""".strip("\n").split("\n")
ACCEPTED = [text + "\n)" if "--" in text else text for text in ACCEPTED] + [" UInt64\t"]

NO_COLUMNS = ("Nothing", "Array(Nothing)", "Nullable(Nothing)", "Tuple(a Nothing)", "Map(Nothing, Nothing)")


def test_engine_prints_the_same(engine: Engine) -> None:
    texts = ACCEPTED + [case["type"] for case in vectors() if "(Nothing)" not in case["type"]]
    assert dict(zip(texts, [str(parse_type(text)) for text in texts], strict=True)) == dict(
        zip(texts, engine.columns(texts), strict=True)
    )


def test_types_that_are_no_columns(engine: Engine) -> None:
    assert [str(parse_type(text)) for text in NO_COLUMNS] == engine.values(list(NO_COLUMNS))


# The engine prints no version 0, and reads its own text back as version 1.
NO_FIXED_POINT = "AggregateFunction(0, sumMap, Array(Int8), Array(Int8))"


@pytest.mark.parametrize("text", [text for text in ACCEPTED if text != NO_FIXED_POINT])
def test_print_and_parse_again(text: str) -> None:
    parsed = parse_type(text)
    assert parse_type(str(parsed)) == parsed
    assert hash(parse_type(str(parsed))) == hash(parsed)


def vectors() -> list[dict[str, Any]]:
    lines = (VECTORS / "values.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) > 400
    return [json.loads(line) for line in lines]


def test_pretty_printed_types(engine: Engine) -> None:
    text = "Tuple(a UInt8, b Array(Tuple(c String, d Nullable(Float64))))"
    engine.columns([text])
    ((_, pretty, *_),) = engine.rows("DESCRIBE TABLE described SETTINGS print_pretty_type_names = 1")
    assert "\n" in pretty
    assert str(parse_type(pretty)) == text


def test_geometry() -> None:
    geometry = parse_type("Geometry")
    assert isinstance(geometry, Alias)
    assert isinstance(geometry.structure, Variant)
    assert [str(member) for member in geometry.structure.members] == [
        "LineString",
        "MultiLineString",
        "MultiPolygon",
        "Point",
        "Polygon",
        "Ring",
        "MultiPoint",
    ]
    ring = parse_type("Ring")
    assert isinstance(ring, Alias)
    assert str(ring.structure) == "Array(Point)"


def test_attributes() -> None:
    labels = parse_type("Enum('b' = 2, 'a' = 1)")
    assert isinstance(labels, Enum)
    assert labels.labels == (("a", 1), ("b", 2))
    elements = parse_type("Tuple(`a b` INT, c Dynamic(max_types=3))")
    assert isinstance(elements, Tuple)
    assert elements.names == ("a b", "c")
    assert isinstance(elements.elements[1], Dynamic)
    assert elements.elements[1].max_types == 3
    nothing = parse_type("Tuple()")
    assert isinstance(nothing, Tuple)
    assert nothing.names is None
    assert repr(parse_type("int")) == "<Type Int32>"
    assert parse_type("int") is parse_type("int")  # short texts are remembered
