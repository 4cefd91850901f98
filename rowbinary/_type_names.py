"""Names of types and of aggregate functions: canonical spellings, aliases, and what depends on a name only.

Facts: ``system.data_type_families`` and ``system.functions`` of engine 26.9.
"""

from __future__ import annotations

import difflib

from . import _types as t

_EXACT_NAMES = """
    AggregateFunction Array BFloat16 Dynamic Enum16 Enum8 FixedString Float32 Float64 Geometry IPv4 IPv6
    Int128 Int16 Int256 Int32 Int64 Int8 IntervalDay IntervalHour IntervalMicrosecond IntervalMillisecond
    IntervalMinute IntervalMonth IntervalNanosecond IntervalQuarter IntervalSecond IntervalWeek IntervalYear
    LineString LowCardinality Map MultiLineString MultiPoint MultiPolygon Nested Nothing Nullable Point
    Polygon QBit Ring SimpleAggregateFunction String Tuple UInt128 UInt16 UInt256 UInt32 UInt64 UInt8 UUID
    Variant
"""
_CASELESS_NAMES = """
    Bool Date Date32 DateTime DateTime32 DateTime64 Decimal Decimal128 Decimal256 Decimal32 Decimal64 Enum
    JSON Time Time64
"""
# All in any letter case; GEOMETRY, the one alias that is not, is added below.
_ALIASES = {
    "Bool": "BOOLEAN",
    "DateTime": "TIMESTAMP",
    "Decimal": "DEC, FIXED, NUMERIC",
    "FixedString": "BINARY",
    "Float32": "FLOAT, REAL, SINGLE",
    "Float64": "DOUBLE, DOUBLE PRECISION",
    "IPv4": "INET4",
    "IPv6": "INET6",
    "Int8": "BYTE, INT1, INT1 SIGNED, TINYINT, TINYINT SIGNED",
    "Int16": "SMALLINT, SMALLINT SIGNED",
    "Int32": "INT, INT SIGNED, INTEGER, INTEGER SIGNED, MEDIUMINT, MEDIUMINT SIGNED",
    "Int64": "BIGINT, BIGINT SIGNED, SIGNED",
    "UInt8": "INT1 UNSIGNED, TINYINT UNSIGNED",
    "UInt16": "SMALLINT UNSIGNED, YEAR",
    "UInt32": "INT UNSIGNED, INTEGER UNSIGNED, MEDIUMINT UNSIGNED",
    "UInt64": "BIGINT UNSIGNED, BIT, SET, UNSIGNED",
    "String": (
        "BINARY LARGE OBJECT, BINARY VARYING, BLOB, BYTEA, CHAR, CHAR LARGE OBJECT, CHAR VARYING, CHARACTER,"
        " CHARACTER LARGE OBJECT, CHARACTER VARYING, CLOB, LONGBLOB, LONGTEXT, MEDIUMBLOB, MEDIUMTEXT,"
        " NATIONAL CHAR, NATIONAL CHAR VARYING, NATIONAL CHARACTER, NATIONAL CHARACTER LARGE OBJECT,"
        " NATIONAL CHARACTER VARYING, NCHAR, NCHAR LARGE OBJECT, NCHAR VARYING, NVARCHAR, TEXT, TINYBLOB,"
        " TINYTEXT, VARBINARY, VARCHAR, VARCHAR2"
    ),
}
_EXACT = {name: name for name in _EXACT_NAMES.split()} | {"GEOMETRY": "Geometry"}
_CASELESS = {name.upper(): name for name in _CASELESS_NAMES.split()} | {
    alias: family for family, aliases in _ALIASES.items() for alias in aliases.split(", ")
}
_SUGGESTED = {name.lower(): name for name in [*_CASELESS, *_CASELESS_NAMES.split(), *_EXACT]}
# Every beginning of an alias of several words: NATIONAL, NATIONAL CHARACTER, ...
BEGINNINGS = {name.rsplit(" ", cut)[0] for name in _CASELESS for cut in range(name.count(" ") + 1)}

INTEGERS = frozenset(f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64, 128, 256))
FLOATS = frozenset({"BFloat16", "Float32", "Float64"})
_INTERVALS = frozenset(name for name in _EXACT if name.startswith("Interval"))
IN_LOW_CARDINALITY = frozenset(
    {"String", "FixedString", "Date", "Date32", "DateTime", "Time", "UUID", "IPv4", "IPv6", "Bool"}
    | INTEGERS
    | FLOATS
    | _INTERVALS
)
NOT_IN_NULLABLE = frozenset(
    {"AggregateFunction", "Array", "Dynamic", "LowCardinality", "Map", "Nested", "Nullable", "Variant"}
)
DECIMALS = {"Decimal32": 9, "Decimal64": 18, "Decimal128": 38, "Decimal256": 76}

# Aggregate functions: names that take any letter case, and aliases with (caseless) or without that.
_FUNCTION_NAMES = """
    analysisOfVariance approx_top_k approx_top_sum avg corr count kolmogorovSmirnovTest lag lead max min
    nth_value ntile rank regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy
    regr_syy row_number sum
"""
_CASELESS_FUNCTIONS = {
    "BIT_AND": "groupBitAnd",
    "BIT_OR": "groupBitOr",
    "BIT_XOR": "groupBitXor",
    "COVAR_POP": "covarPop",
    "COVAR_SAMP": "covarSamp",
    "STD": "stddevPop",
    "STDDEV": "stddevSamp",
    "STDDEV_POP": "stddevPop",
    "STDDEV_SAMP": "stddevSamp",
    "VAR_POP": "varPop",
    "VAR_SAMP": "varSamp",
    "ANOVA": "analysisOfVariance",
    "ANY_VALUE": "any",
    "ANY_VALUE_RESPECT_NULLS": "any_respect_nulls",
    "APPROX_TOP_COUNT": "approx_top_k",
    "ARRAY_AGG": "groupArray",
    "ARRAY_CONCAT_AGG": "groupArrayArray",
    "DENSE_RANK": "denseRank",
    "FIRST_VALUE": "any",
    "FIRST_VALUE_RESPECT_NULLS": "any_respect_nulls",
    "GROUP_CONCAT": "groupConcat",
    "LAST_VALUE": "anyLast",
    "LAST_VALUE_RESPECT_NULLS": "anyLast_respect_nulls",
    "MAX_BY": "argMax",
    "MIN_BY": "argMin",
    "PERCENT_RANK": "percentRank",
    "STRING_AGG": "groupConcat",
} | {name.upper(): name for name in _FUNCTION_NAMES.split()}
_FUNCTION_ALIASES = {
    "ST_AsMVT": "MVTEncode",
    "anyLastRespectNulls": "anyLast_respect_nulls",
    "anyRespectNulls": "any_respect_nulls",
    "anyValueRespectNulls": "any_respect_nulls",
    "firstValueRespectNulls": "any_respect_nulls",
    "lastValueRespectNulls": "anyLast_respect_nulls",
    "lttb": "largestTriangleThreeBuckets",
    "sparkBar": "sparkbar",
    "timeSeriesLastToGrid": "timeSeriesResampleToGridWithStaleness",
}
_COMBINATORS = """
    SimpleState OrDefault Distinct Resample ForEach ArgMax ArgMin OrNull Tuple Merge State Array Null Map If
"""
# Functions (and their combinations, such as sumMapIf) whose states have version 1 unless told otherwise.
# With a Map as argument, sumMap is `sum` with the combinator -Map, which has no version.
VERSION_1 = ("maxMap", "minMap", "sumMap", "quantileDeterministic", "quantilesDeterministic")


def _geo_types() -> dict[str, t.Type]:
    point: t.Type = t.Alias("Point", t.Tuple("Tuple", (t.Type("Float64"), t.Type("Float64"))))
    found = {"Point": point}
    for name, element in (
        ("Ring", "Point"),
        ("LineString", "Point"),
        ("MultiPoint", "Point"),
        ("Polygon", "Ring"),
        ("MultiLineString", "LineString"),
        ("MultiPolygon", "Polygon"),
    ):
        found[name] = t.Alias(name, t.Wrapper("Array", found[element]))
    # The one Variant whose members are not sorted: MultiPoint joined it later, at the end.
    order = ("LineString", "MultiLineString", "MultiPolygon", "Point", "Polygon", "Ring", "MultiPoint")
    found["Geometry"] = t.Alias("Geometry", t.Variant("Variant", tuple(found[name] for name in order)))
    return found


GEO = _geo_types()


def resolve(name: str) -> str | None:
    """The canonical family for `name` in one of its spellings, ``None`` when there is none."""
    return _EXACT.get(name) or _CASELESS.get(name.upper())


def similar(name: str) -> list[str]:
    """At most two names of types that `name` may be a misspelling of."""
    if len(name) > 64:  # difflib takes quadratic time
        return []
    return [_SUGGESTED[key] for key in difflib.get_close_matches(name.lower(), _SUGGESTED, n=2)]


def aggregate_function(name: str) -> str:
    """The canonical name of the aggregate function `name`; unknown names are left to the server."""
    base, combinators = name, ""
    while True:
        if base.startswith("median"):
            return "quantile" + base.removeprefix("median") + combinators
        known = _FUNCTION_ALIASES.get(base) or _CASELESS_FUNCTIONS.get(base.upper())
        if known is not None:
            return known + combinators
        combinator = next((suffix for suffix in _COMBINATORS.split() if base.endswith(suffix)), None)
        if combinator is None:
            return name
        base, combinators = base.removesuffix(combinator), combinator + combinators
