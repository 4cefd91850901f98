"""Both implementations against each other: equal bytes, or equal errors in every attribute.

The C encoder writes what it knows and leaves the rest to the reference, so a difference is a fast
path that writes other bytes or takes what the reference refuses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from conftest import described, implementations
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import (
    ODD,
    cells,
    documents,
    natural_values,
    odd_values,
    options,
    schemas,
    shaped_rows,
    values_of,
)

import rowbinary
from rowbinary import EncodeError

pytestmark = pytest.mark.skipif("c" not in implementations(), reason="there is nothing to compare with")


def outcome(implementation: str, schema: Any, rows: Iterable[Any], **choices: Any) -> Any:
    """The body of `rows`, or what was raised."""
    try:
        return rowbinary.encode_rows(schema, rows, implementation=implementation, **choices)
    except Exception as error:
        return described(error)


def same(schema: Any, rows: list[Any], **choices: Any) -> Any:
    """The outcome, which must not depend on the implementation."""
    reference = outcome("python", schema, rows, **choices)
    assert outcome("c", schema, rows, **choices) == reference
    return reference


@given(st.data())
def test_rows(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    names = [name for name, _ in schema]
    one_row = st.tuples(*(cells(text) for _, text in schema)).flatmap(
        lambda values: shaped_rows(names, values)
    )
    same(schema, data.draw(st.lists(one_row, max_size=4)), **data.draw(options))


@given(st.data())
def test_good_values_are_taken(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    rows = data.draw(st.lists(st.tuples(*(values_of(text) for _, text in schema)), max_size=5))
    body = same(schema, rows, json=data.draw(st.sampled_from(["exact"])))
    assert isinstance(body, bytes), body


@given(st.data())
def test_bad_rows_are_reported_alike(data: st.DataObject) -> None:
    schema = data.draw(schemas(most=3))
    rows = data.draw(st.lists(st.tuples(*(cells(text) for _, text in schema)), max_size=8))
    choices: dict[str, Any] = data.draw(options)
    chunk_bytes = data.draw(st.sampled_from([1, 20, 100]))
    results = []
    for implementation in ("python", "c"):
        seen: list[Any] = []

        def on_error(row: object, index: int, error: EncodeError, seen: list[Any] = seen) -> None:
            seen.append((id(row), index, described(error)))

        chunks = rowbinary.iter_encode(
            schema,
            rows,
            chunk_bytes=chunk_bytes,
            on_error=on_error,
            implementation=implementation,
            **choices,
        )
        results.append((list(chunks), seen))
    assert results[0] == results[1]


@given(
    natural_values,
    st.sampled_from(["exact", "text", "string"]),
    st.sampled_from(["Dynamic", "Array(Dynamic)"]),
)
def test_dynamic(value: Any, mode: str, column: str) -> None:
    same([("d", column)], [(value if column == "Dynamic" else [value, value],)], json=mode)


@given(
    documents("JSON"),
    st.sampled_from(["exact", "text", "string"]),
    st.sampled_from([None, "first", "last", "error"]),
    st.sampled_from(
        ["JSON", "Array(JSON(max_dynamic_paths=8))", "Nullable(JSON)", "JSON(SKIP a, `a.b` String, x Int8)"]
    ),
)
def test_documents(document: Any, mode: str, duplicates: str | None, column: str) -> None:
    value = [document, document] if column.startswith("Array") else document
    same([("j", column)], [(value,), (value,)], json=mode, duplicate_paths=duplicates)


# Few keys, so that paths collide often: the C encoder must see every collision.
_crowded = st.recursive(
    st.one_of(st.none(), st.integers(-3, 3), st.just("s")),
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from(["a", "b", "a.b", "b.a", "a.a.b", ""]), inner, max_size=4),
        st.lists(inner, max_size=2),
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from(["a", "b", "a.b", "b.a", "a.b.a"]), _crowded, max_size=5),
    st.sampled_from(["exact", "text"]),
    st.sampled_from([None, "first", "last", "error"]),
    st.sampled_from(["JSON", "JSON(`a.b` Nullable(Int8))", "JSON(`a.b` Int8, SKIP b)", "JSON(a JSON)"]),
)
def test_colliding_paths(document: Any, mode: str, duplicates: str | None, column: str) -> None:
    same([("j", column)], [(document,)], json=mode, duplicate_paths=duplicates)


COLUMNS = [
    "Bool", "Int8", "UInt8", "Int64", "UInt64", "Int128", "UInt256", "Float32", "Float64", "BFloat16",
    "Decimal(9, 2)",
    "Decimal(38, 10)", "Decimal(76, 0)", "String", "FixedString(7)", "Date", "Date32", "DateTime",
    "DateTime('Asia/Tokyo')",
    "DateTime64(0)", "DateTime64(3)", "DateTime64(6)", "DateTime64(9)", "Time", "Time64(3)", "Time64(9)",
    "IntervalDay",
    "IntervalMonth", "UUID", "IPv4", "IPv6", "Enum8('a' = 1, 'b' = 2)", "Enum16('x' = 300)",
    "Nullable(String)",
    "LowCardinality(Nullable(String))", "Array(Int64)", "Array(Array(Nullable(Float64)))",
    "Tuple(Int8, String)", "Tuple(a Int8, b String)",
    "Nested(a Int8, b String)", "Map(String, Int64)", "Map(LowCardinality(String), JSON)",
    "Variant(Bool, Int64, String)",
    "Variant(Array(Int8), Date, Float64)", "Variant(LowCardinality(String), UInt8, UInt64)", "Dynamic",
    "JSON", "JSON(a Int64, SKIP b)", "Nullable(JSON)",
    "QBit(Float32, 3)", "Point", "Ring", "Geometry", "AggregateFunction(sum, UInt64)",
    "SimpleAggregateFunction(max, Int64)",
]  # fmt: skip


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("mode", ["exact", "text", "string"])
def test_every_odd_value_in(column: str, mode: str) -> None:
    for value in ODD:
        same([("c", column)], [(value,)], json=mode)
        if column in ("JSON", "JSON(a Int64, SKIP b)"):
            same([("c", column)], [({"a": value},)], json=mode)
            same([("c", column)], [({"x": [value, 1]},)], json=mode)


@pytest.mark.parametrize("column", COLUMNS)
def test_zones_of_naive_values(column: str) -> None:
    moments = [value for value in ODD if hasattr(value, "tzinfo")]
    for value in moments:
        for naive in ("utc", "column", "local"):
            same([("c", column)], [(value,)], naive=naive)


@given(odd_values, st.sampled_from(COLUMNS))
def test_nested_odd_values(value: Any, column: str) -> None:
    same([("c", column)], [(value,)])


@settings(max_examples=60)
@given(st.lists(odd_values, max_size=6))
def test_rows_that_are_no_rows(rows: list[Any]) -> None:
    same("a Int8, b String", rows, extra="ignore")
