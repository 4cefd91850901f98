"""The type parser against the engine: same spelling of every type, same refusals."""

from __future__ import annotations

import inspect
import json
import random
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import VECTORS, times
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rowbinary import _type_names as names
from rowbinary._parse import MAX_DEPTH, parse_type
from rowbinary._types import Alias, Dynamic, Enum, Tuple, Type, Variant, quote, quote_identifier
from rowbinary.errors import SchemaError

PERMISSIVE = (
    "allow_suspicious_low_cardinality_types = 1",
    "allow_suspicious_variant_types = 1",
    "allow_suspicious_fixed_string_types = 1",
    "flatten_nested = 0",
    "print_pretty_type_names = 0",
)


class Engine:
    """Asks the embedded engine how it spells types."""

    def __init__(self, connection: Any):
        self.connection = connection
        for setting in PERMISSIVE:
            connection.query(f"SET {setting}")

    def rows(self, query: str) -> list[list[Any]]:
        lines = self.connection.query(query, "JSONCompactEachRow").bytes().splitlines()
        return [json.loads(line) for line in lines]

    def columns(self, types: list[str]) -> list[str]:
        """The types of a new table's columns, as DESCRIBE TABLE prints them."""
        columns = ", ".join(f"c{index} {text}\n" for index, text in enumerate(types))
        self.connection.query(f"CREATE OR REPLACE TABLE described ({columns}) ENGINE = Null")
        return [row[1] for row in self.rows("DESCRIBE TABLE described")]

    def values(self, types: list[str]) -> list[str]:
        """The same for types that no table column can have."""
        structure = ", ".join(f"c{index} {text}\n" for index, text in enumerate(types))
        return [row[1] for row in self.rows(f"DESCRIBE TABLE null({quote(structure)})")]

    def refuses(self, text: str) -> bool:
        try:
            self.values([text])
        except RuntimeError:
            return True
        return False


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """On a connection of its own: settings stay with a connection."""
    chdb = pytest.importorskip("chdb", reason="chdb (the embedded engine) is not installed")
    connection = chdb.connect(":memory:")
    yield Engine(connection)
    connection.query("DROP TABLE IF EXISTS described")
    connection.close()


# -- what the engine accepts ------------------------------------------------------------------------

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


# -- what it refuses --------------------------------------------------------------------------------

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


# -- limits -----------------------------------------------------------------------------------------


def nested(depth: int, opening: str = "Array(") -> str:
    return opening * (depth - 1) + "Int8" + ")" * (depth - 1)


@pytest.mark.parametrize("opening", ["Array(", "Tuple(a ", "Map(Int8, ", "JSON(a "])
def test_depth(opening: str) -> None:
    used = len(inspect.stack(0))
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(used + 60)
    try:
        assert str(parse_type(nested(MAX_DEPTH, opening))) == nested(MAX_DEPTH, opening)
        with pytest.raises(SchemaError, match="deeper than 300 levels"):
            parse_type(nested(MAX_DEPTH + 1, opening))
    finally:
        sys.setrecursionlimit(limit)


def test_engine_takes_the_deepest(engine: Engine) -> None:
    assert engine.columns([nested(MAX_DEPTH)]) == [nested(MAX_DEPTH)]


MEGABYTE = 1 << 20
HOSTILE = [
    "(" * 100 * MEGABYTE,
    "Array(" * (MEGABYTE // 6),
    "Array(" * 299 + "(" * (MEGABYTE - 2000),
    "a" * MEGABYTE,
    "Enum('" + "a" * (MEGABYTE - 10),
    "`" + "\\`" * (MEGABYTE // 2 - 10),
    "/*" * (MEGABYTE // 2),
    "--\n" * (MEGABYTE // 3),
    "1" * (MEGABYTE - 1) + "a",
    "Decimal(" + "9" * (MEGABYTE - 10) + ")",
    "Decimal(0x" + "f" * (MEGABYTE - 12) + ")",
    "Tuple(" + "a." * (MEGABYTE // 2 - 10) + ")",
    "JSON(" + "SKIP a, " * (MEGABYTE // 8 - 1) + "ab Int8)",
    "Enum(" + "'a'," * (MEGABYTE // 4 - 5) + ")",
]


@pytest.mark.parametrize("text", HOSTILE, ids=[text[:12] for text in HOSTILE])
def test_hostile_texts_fail_fast(text: str) -> None:
    start = time.perf_counter()
    with pytest.raises(SchemaError) as caught:
        parse_type(text)
    assert time.perf_counter() - start < 5
    assert len(str(caught.value)) < 400


def test_random_texts_raise_nothing_else() -> None:
    source = random.Random(20261122)
    alphabet = "Array(Tuple(Enum8JSON SKIP `'\"\\,=.)(0123x\n-/*ż\x00😀"
    for _ in range(20000):
        text = "".join(source.choices(alphabet, k=source.randrange(40)))
        position: int | None = 0
        try:
            parse_type(text)
        except SchemaError as error:
            position = error.position
        assert position is not None
        assert 0 <= position <= len(text)


def test_many_members(engine: Engine) -> None:
    members = [f"FixedString({length})" for length in range(1, 257)]
    text = f"Variant({', '.join(members[:255])})"
    assert [str(parse_type(text))] == engine.columns([text])
    with pytest.raises(SchemaError, match="1 to 255 members, not 256"):
        parse_type(f"Variant({', '.join(members)})")
    with pytest.raises(SchemaError, match="at most 1000 typed paths"):
        parse_type(f"JSON({', '.join(f'a{n} Int8' for n in range(1001))})")
    labels = ", ".join(f"'{n}' = {n}" for n in range(-(2**15), 2**15))
    assert str(parse_type(f"Enum({labels})")) == f"Enum16({labels})"


# -- random types -----------------------------------------------------------------------------------
#
# A type is a tuple of tokens, joined with random space: a token that starts with a space is a
# word which must stand apart from other words and cannot be quoted, "*" marks a type name, which can.

Tokens = tuple[str, ...]

PLAIN_NAMES = (
    "*UInt8",
    "*Int256",
    "*Float32",
    "*String",
    "*UUID",
    "*IPv4",
    "*IPv6",
    "*Date",
    "*DATE",
    "*bool",
    "*datetime",
    "*TIME",
    "*Text",
    "*int",
)
LEAVES: list[Tokens] = [
    *((name,) for name in PLAIN_NAMES),
    ("*INT", " UNSIGNED"),
    ("*BIGINT", "(", "20", ")", " Unsigned"),
    ("*double", " PRECISION"),
    ("*national", " character", " LARGE", " object"),
    ("*VARCHAR", "(", "10", ")"),
    ("*FixedString", "(", "0x10", ")"),
    ("*BINARY", "(", "7", ",", ")"),
    ("*Decimal", "(", "18", ",", "4", ")"),
    ("*decimal64", "(", "3", ")"),
    ("*DateTime", "(", "'Europe/Berlin'", ")"),
    ("*timestamp", "(", "3", ",", "'UTC'", ")"),
    ("*DateTime64", "(", ")"),
    ("*Time64", "(", "9", ")"),
]
OUTSIDE_JSON: list[Tokens] = [  # the engine has no text form for these in a typed path
    ("*IntervalDay",),
    ("*BFloat16",),
    ("*QBit", "(", "*REAL", ",", "16", ",", "8", ")"),
    ("*AggregateFunction", "(", "SUM", ",", "*INT", ")"),
]
IN_LOW_CARDINALITY = [leaf for leaf in LEAVES if leaf[0] in PLAIN_NAMES]

labels_ = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
words_ = st.sampled_from(
    ("a", "b", "c", "x1", "_y", "Select", "null", "NULL", "table", "INT", "array", "Ab", "aB", "1a")
)
identifiers = st.one_of(
    words_.map(lambda word: f" {word}"),
    labels_.filter(lambda name: name not in ("", "null")).map(
        lambda name: f"`{quote_identifier(name + '`')[1:-3]}`"
    ),
)


def comma(parts: list[Tokens]) -> Tokens:
    return tuple(token for part in parts for token in (*part, ","))[:-1]


@st.composite
def enums(draw: st.DrawFn) -> Tokens:
    labels = draw(st.lists(labels_, min_size=1, max_size=4, unique=True))
    numbers = draw(
        st.lists(st.integers(-(2**15), 2**15 - 1), min_size=len(labels), max_size=len(labels), unique=True)
    )
    if draw(st.booleans()):
        return ("*Enum", "(", *comma([(quote(label),) for label in labels]), ")")
    pairs = zip(labels, numbers, strict=True)
    return ("*eNUM", "(", *comma([(quote(label), "=", str(number)) for label, number in pairs]), ")")


def unique_names(draw: st.DrawFn, count: int, strategy: st.SearchStrategy[str]) -> list[str]:
    def value(token: str) -> str:
        return token.strip() if token.startswith(" ") else token[1:-1]

    found = draw(st.lists(strategy, min_size=count, max_size=count, unique_by=value))
    return [token if value(token) != "null" else " NULL2" for token in found]


def has_name_like_start(tokens: Tokens) -> bool:
    return len(tokens) > 1 and tokens[1].startswith(" ")


KINDS = ("Array", "Map", "Tuple", "named", "Nested", "Variant", "Nullable", "LowCardinality", "JSON")


@st.composite
def containers(draw: st.DrawFn, inner: st.SearchStrategy[Tokens]) -> Tokens:
    kind = draw(st.sampled_from(KINDS))
    if kind == "LowCardinality":
        leaf = draw(st.sampled_from(IN_LOW_CARDINALITY))
        nullable = draw(st.booleans())
        return ("*LowCardinality", "(", *(("*Nullable", "(", *leaf, ")") if nullable else leaf), ")")
    if kind == "Nullable":
        return ("*Nullable", "(", *draw(st.sampled_from(LEAVES)), ")")
    elements = draw(st.lists(inner, min_size=1, max_size=3))
    if kind == "Array":
        return ("*Array", "(", *elements[0], ")")
    if kind == "Map":
        return ("*Map", "(", *comma([("*Text",), elements[0]]), ")")  # typed paths take no other keys
    if kind in ("named", "Nested"):
        pairs = zip(unique_names(draw, len(elements), identifiers), elements, strict=True)
        head = "*Nested" if kind == "Nested" else "*Tuple"
        return (head, "(", *comma([(name, *element) for name, element in pairs]), ")")
    if kind == "JSON":
        pairs = zip(unique_names(draw, len(elements), identifiers), elements, strict=True)
        typed = [(name, *element) for name, element in pairs]
        extra: list[Tokens] = [(" skip", " zzz", ".", " b"), (" SKIP", " regexp", "'^\\\\d{9}'")]
        return ("*jSoN", "(", *comma(draw(st.permutations(typed + extra))), ")")
    if kind == "Tuple":
        return ("*Tuple", "(", *comma([part for part in elements if not has_name_like_start(part)]), ")")
    members = [
        part for part in elements if part[0] not in ("*Variant", "*Nullable", "*LowCardinality", "*Dynamic")
    ]
    return ("*Variant", "(", *comma([*members, ("*Int8",)]), ")")


leaves = st.one_of(st.sampled_from(LEAVES), enums(), st.just(("*Dynamic", "(", "max_types", "=", "5", ")")))
inside_json = st.recursive(leaves, containers, max_leaves=6)


@st.composite
def spelled(draw: st.DrawFn) -> str:
    """A type in one of its spellings."""
    tokens = draw(st.one_of(inside_json, st.sampled_from(OUTSIDE_JSON)))
    source = draw(st.randoms(use_true_random=False))
    parts: list[str] = []
    for token in tokens:
        parts.append(source.choice(("", "", " ", "\n\t", " /* , */ ", "-- )\n")))
        if token.startswith("*"):
            token = source.choice((f" {token[1:]} ", f" {token[1:]} ", f" `{token[1:]}`", f' "{token[1:]}"'))
        elif token.startswith(" "):
            token = f"{token} "
        parts.append(token)
    return "".join(parts)


@settings(max_examples=times(100, 300), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spelled())
def test_printing_is_a_fixed_point(text: str) -> None:
    parsed = parse_type(text)
    assert str(parse_type(str(parsed))) == str(parsed)


@settings(max_examples=times(20, 60), deadline=None, suppress_health_check=list(HealthCheck))
@given(texts=st.lists(spelled(), min_size=15, max_size=30))
def test_engine_agrees_on_random_types(engine: Engine, texts: list[str]) -> None:
    assert [str(parse_type(text)) for text in texts] == engine.columns(texts)
