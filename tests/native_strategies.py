"""Hypothesis strategies for Native blocks: types with documents in every place, many rows of few values."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from strategies import bits64, containers, finite, leaf_types, low_cardinality

COLUMNS = [
    "Bool", "UInt8", "Int64", "UInt256", "Float32", "BFloat16", "Decimal(9, 2)", "Decimal(76, 0)", "String",
    "FixedString(7)", "Date", "Date32", "DateTime('Asia/Tokyo')", "DateTime64(6)", "Time", "Time64(9)",
    "IntervalDay", "UUID", "IPv4", "IPv6", "Enum8('a' = 1, 'b' = 2)", "Nullable(String)",
    "Nullable(Enum16('x' = 300))", "LowCardinality(Nullable(String))", "LowCardinality(Date)",
    "Array(Int64)", "Array(Array(Nullable(Float64)))", "Array(LowCardinality(String))",
    "Tuple(Int8, String)", "Tuple(a Int8, b LowCardinality(String))", "Nested(a Int8, b String)",
    "Map(String, Int64)", "Map(LowCardinality(String), JSON)", "Variant(Bool, Int64, String)",
    "Variant(LowCardinality(String), UInt8, UInt64)", "Variant(Array(JSON), String)", "Dynamic",
    "Array(Dynamic(max_types=1))", "JSON", "JSON(a Int64, SKIP b)", "Nullable(JSON)", "QBit(Float32, 3)",
    "Point", "Ring", "Geometry", "AggregateFunction(sum, UInt64)", "SimpleAggregateFunction(max, Int64)",
]  # fmt: skip

# Types whose columns in a Native block are more than their values one after another.
NATIVE_JSON = [
    "JSON",
    "JSON(max_dynamic_paths=0)",
    "JSON(max_dynamic_types=1, max_dynamic_paths=1)",
    "JSON(max_dynamic_types=0, max_dynamic_paths=2)",
    "JSON(max_dynamic_types=2, max_dynamic_paths=3)",
    "JSON(a Int64, `b.c` LowCardinality(Nullable(String)), SKIP e, SKIP REGEXP 'x$')",
]
_NATIVE_DYNAMIC = ["Dynamic", *(f"Dynamic(max_types={limit})" for limit in range(3))]


def holders(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Types with `inner`, of JSON or Dynamic, in every place."""
    shapes = ["Array({})", "Array(Array({}))", "Map(String, {})", "Tuple(a {}, b LowCardinality(String))"]
    shapes += ["Map(LowCardinality(String), Array({}))", "Tuple(LowCardinality(UInt16), Array({}))"]
    shapes += ["Nested(a {}, b UInt8)", "Variant(Array({}), UInt8)"]
    documents = [*shapes, "Nullable({})", "Variant({}, UInt8, String)", "Array(Nullable({}))"]
    shape = inner.flatmap(
        lambda text: st.sampled_from(documents if text.startswith("JSON") else shapes).map(
            lambda shape: shape.format(text)
        )
    )
    return st.one_of(inner, shape)


native_types = st.recursive(
    st.one_of(leaf_types, low_cardinality, holders(st.sampled_from([*NATIVE_JSON, *_NATIVE_DYNAMIC]))),
    containers,
    max_leaves=3,
)
# As columns only: `canonical` does not read the type tag of a QBit with a stride.
column_types = st.one_of(
    native_types,
    native_types,
    native_types,
    native_types,
    st.sampled_from(["QBit(Float32, 16, 8)", "QBit(BFloat16, 24, 8)", "Array(QBit(Float64, 32, 16))"]),
)


# --- many rows of few values ------------------------------------------------------------------------

_COUNTS = st.sampled_from([1, 1, 1, 2, 3, 19, 20, 21, 64])
MOST_ROWS = 200


def repeated(
    values: st.SearchStrategy[Any], counts: st.SearchStrategy[int] = _COUNTS
) -> st.SearchStrategy[list[Any]]:
    """Up to 200 rows: runs of a few different values, in any order."""

    def rows(case: tuple[list[Any], list[tuple[int, int]]]) -> list[Any]:
        pool, runs = case
        return [pool[index % len(pool)] for index, count in runs for _ in range(count)][:MOST_ROWS]

    runs = st.lists(st.tuples(st.integers(0, 3), counts), max_size=6)
    return st.tuples(st.lists(values, min_size=1, max_size=4), runs).map(rows)


def spread(documents_: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Up to 200 documents, some with a path that comes once in `step` rows."""

    def add(case: tuple[list[dict[str, Any]], int, Any]) -> list[dict[str, Any]]:
        rows, step, value = case
        return [{**row, f"s{index % step}": value} for index, row in enumerate(rows)] if step else rows

    steps = st.sampled_from([0, 0, 1, 3, 19, 21, 150])
    return st.tuples(repeated(documents_), steps, st.sampled_from([1, "x", [1, "y"], {"z": 1}])).map(add)


# What JSON text can say, with paths of several types.
_json_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    bits64,
    finite,
    st.text(max_size=3),
    st.sampled_from(["2020-01-01", "2020-01-01 10:00:00", "1.5", "true", "x"]),
)
_json_values = st.recursive(
    _json_leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["a", "b", "c", "d.e", "x"]), inner, max_size=3),
    ),
    max_leaves=5,
)
json_documents = st.dictionaries(
    st.sampled_from(["a", "b", "c", "a.b", "b.c", "e", "é", ""]), _json_values, max_size=5
)
