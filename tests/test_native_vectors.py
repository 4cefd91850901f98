"""FORMAT Native against the engine: golden blocks byte for byte, and what the engine makes of ours."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import canonical
import pytest
from conftest import implementations, load, value_of
from native_blocks import blocks, families, restated, rows_of, varint
from native_columns import normal
from test_engine_roundtrip import Table

import rowbinary
from rowbinary import Schema
from rowbinary._registry import REGISTRY

VECTORS = load("native.jsonl")
EXACT = [vector for vector in VECTORS if vector["exact"]]


def name_of(vector: dict[str, Any]) -> str:
    return f"{vector['ddl']}: {vector['rows']}"[:80]


def engine_bytes(vector: dict[str, Any]) -> bytes:
    return bytes.fromhex(vector["hex"])


def encode(vector: dict[str, Any], implementation: str) -> bytes:
    rows = value_of(vector, "rows")
    return rowbinary.encode_rows(vector["ddl"], rows, format="Native", implementation=implementation)


# --- the encoders -----------------------------------------------------------------------------------


def check_same(body: bytes, vector: dict[str, Any]) -> None:
    """`body` is the engine's bytes, but for limits, types and values under NULL as `restated` has them, and
    for the order of paths where the engine has that of a hash table."""
    engine, schema = engine_bytes(vector), Schema.parse(vector["ddl"])
    assert blocks(body) == blocks(engine)
    if not any(column.unordered for column in itertools.chain(*blocks(engine))):
        assert restated(body, schema).hex() == restated(engine, schema).hex()
    if vector["exact"]:
        assert body == engine


@pytest.mark.parametrize("vector", VECTORS, ids=name_of)
def test_same_bytes_as_the_engine(vector: dict[str, Any], impl: str) -> None:
    body = encode(vector, impl)
    check_same(body, vector)
    assert body == restated(body, Schema.parse(vector["ddl"])), "the limits of the types are in their slots"


@pytest.fixture(scope="module")
def table(engine: Any) -> Iterator[Table]:
    yield Table(engine)
    engine.query("DROP TABLE IF EXISTS roundtrip")


@pytest.mark.engine
@pytest.mark.parametrize("vector", VECTORS, ids=name_of)
def test_the_engine_writes_ours_as_its_own(vector: dict[str, Any], table: Table) -> None:
    for body in {encode(vector, name) for name in implementations()}:
        table.create(vector["ddl"])
        table.insert(body, "Native")
        check_same(table.select(format="Native"), vector)


# --- the vectors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", VECTORS, ids=name_of)
def test_vectors_are_canonical(vector: dict[str, Any]) -> None:
    """The reader asserts the canonical form; the rows are those of the same cells in RowBinary."""
    engine, schema = engine_bytes(vector), Schema.parse(vector["ddl"])
    [columns] = blocks(engine)
    assert all(limit.written == limit.listed for column in columns for limit in column.limits)
    unordered = any(column.unordered for column in columns)
    assert vector["exact"] == (restated(engine, schema) == engine and not unordered)
    found = rows_of(engine, schema)
    if all("AggregateFunction" not in families(type_) for type_ in schema.types):
        body = rowbinary.encode_rows(schema, value_of(vector, "rows"))
        assert found == normal(canonical.rows(body, [str(type_) for type_ in schema.types]))


def test_vectors_cover_every_family() -> None:
    types = itertools.chain(*(Schema.parse(vector["ddl"]).types for vector in VECTORS))
    covered = set[str]().union(*map(families, types))
    assert set(REGISTRY) - covered == {"Nothing"}  # no type of a column
    assert len(VECTORS) >= 200
    assert len(EXACT) >= 130, "most vectors are raw bytes of the engine"


# --- the reader -------------------------------------------------------------------------------------


def text(value: str) -> bytes:
    return varint(len(value.encode())) + value.encode()


def number(*values: int) -> bytes:
    return b"".join(value.to_bytes(8, "little") for value in values)


def block(type_: str, rows: int, data: bytes) -> bytes:
    return b"\1" + varint(rows) + text("c") + text(type_) + data


LOW = "LowCardinality(String)"
NULL_LOW = "LowCardinality(Nullable(String))"
PLAIN = number(0) + b"\0"  # JSON without paths, the limit slot


def dynamic(*types: str, limit: int = 32) -> bytes:
    return number(1) + varint(limit) + varint(len(types)) + b"".join(map(text, types)) + number(0)


def shared(*pairs: tuple[str, bytes]) -> bytes:
    paths, values = b"".join(text(path) for path, _ in pairs), b"".join(value for _, value in pairs)
    return number(len(pairs)) + paths + values


GOOD = {
    "dictionary": block(LOW, 2, number(1, 0x600, 2) + b"\0\1a" + number(2) + b"\1\0"),
    "nullable dictionary": block(NULL_LOW, 2, number(1, 0x600, 3) + b"\0\0\1a" + number(2) + b"\0\2"),
    "variant": block("Variant(Int8, String)", 2, number(0) + b"\1\xff\1a"),
    "array": block("Array(Int8)", 2, number(1, 1) + b"\5"),
    "types": block("Dynamic", 2, dynamic("Int8", "String") + b"\0\2\5\1a"),
    "shared variant": block("Dynamic", 1, dynamic() + b"\0" + b"\3\x15\1a"),
    "paths": block("JSON", 1, PLAIN + b"\2" + text("a") + text("b") + dynamic() * 2 + b"\xff\xff" + shared()),
    "shared data": block("JSON", 1, PLAIN + b"\0" + shared(("a", b"\2\x2d\1"), ("b", b"\2\x2d\0"))),
    "skipped": block("JSON(SKIP b)", 1, PLAIN + b"\0" + shared(("bb", b"\2\x2d\1"))),
    "no rows": block("JSON", 0, b""),
}
BAD = {
    "a byte too many": GOOD["array"] + b"\0",
    "no columns": b"\0\0",
    "another spelling": block("INT", 1, bytes(4)),
    "decreasing ends": block("Array(Int8)", 2, number(1, 0) + b"\5"),
    "keys too wide": block(LOW, 1, number(1, 0x601, 2) + b"\0\1a" + number(1) + b"\1\0"),
    "other flags": block(LOW, 1, number(1, 0x200, 2) + b"\0\1a" + number(1) + b"\1"),
    "a key out of range": block(LOW, 1, number(1, 0x600, 2) + b"\0\1a" + number(1) + b"\2"),
    "an unused entry": block(LOW, 1, number(1, 0x600, 2) + b"\0\1a" + number(1) + b"\0"),
    "an entry twice": block(LOW, 2, number(1, 0x600, 3) + b"\0\1a\1a" + number(2) + b"\1\2"),
    "the default twice": block(LOW, 1, number(1, 0x600, 2) + b"\0\0" + number(1) + b"\1"),
    "no default": block(LOW, 1, number(1, 0x600, 1) + b"\1a" + number(1) + b"\0"),
    "not in order of first use": block(LOW, 2, number(1, 0x600, 3) + b"\0\1a\1b" + number(2) + b"\2\1"),
    "no entry for NULL": block(NULL_LOW, 1, number(1, 0x600, 2) + b"\0\1a" + number(1) + b"\1"),
    "an empty dictionary": block(f"Array({LOW})", 1, number(1, 0, 0x600, 1) + b"\0" + number(0)),
    "a member out of range": block("Variant(Int8, String)", 1, number(0) + b"\2"),
    "the compact mode": block("Variant(Int8, String)", 1, number(1) + b"\0\0\5"),
    "unsorted types": block("Dynamic", 1, dynamic("String", "Int8") + b"\xff"),
    "a type twice": block("Dynamic", 1, dynamic("Int8", "Int8") + b"\xff"),
    "too many types": block("Dynamic(max_types=1)", 1, dynamic("Int8", "String", limit=1) + b"\xff"),
    "a listed Nullable": block("Dynamic", 1, dynamic("Nullable(Int8)") + b"\xff"),
    "a discriminator out of range": block("Dynamic", 1, dynamic("Int8") + b"\2"),
    "a listed type in the shared variant": block("Dynamic", 1, dynamic("String") + b"\0" + b"\3\x15\1a"),
    "NULL in the shared variant": block("Dynamic", 1, dynamic() + b"\0" + b"\1\0"),
    "more than a value": block("Dynamic", 1, dynamic() + b"\0" + b"\4\x15\1ab"),
    "unsorted paths": block("JSON", 1, PLAIN + b"\2\1b\1a" + dynamic() * 2 + b"\xff\xff" + shared()),
    "a path twice": block("JSON", 1, PLAIN + b"\2\1a\1a" + dynamic() * 2 + b"\xff\xff" + shared()),
    "a typed path listed": block("JSON(a Int8)", 1, PLAIN + b"\1\1a" + dynamic() + b"\0\xff" + shared()),
    "a skipped path": block("JSON(SKIP b)", 1, PLAIN + b"\0" + shared(("b.c", b"\2\x2d\1"))),
    "unsorted shared data": block("JSON", 1, PLAIN + b"\0" + shared(("b", b"\2\x2d\1"), ("a", b"\2\x2d\0"))),
    "a shared path twice": block("JSON", 1, PLAIN + b"\0" + shared(("a", b"\2\x2d\1"), ("a", b"\2\x2d\0"))),
    "too many paths": block(
        "JSON(max_dynamic_paths=0)", 1, PLAIN + b"\1\1a" + dynamic() + b"\xff" + shared()
    ),
    "a path listed and shared": block(
        "JSON", 1, PLAIN + b"\1\1a" + dynamic("Int8") + b"\0\5" + shared(("a", b"\2\x2d\0"))
    ),
}


@pytest.mark.parametrize("body", GOOD.values(), ids=GOOD)
def test_the_reader_takes(body: bytes) -> None:
    assert len(blocks(body + body)) == 2


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_the_reader_refuses(body: bytes) -> None:
    with pytest.raises((AssertionError, IndexError)):
        blocks(body)


def test_rows_of_several_blocks() -> None:
    body = GOOD["array"] + block("Array(Int8)", 0, b"") + block("Array(Int8)", 1, number(0))
    assert rows_of(body, Schema.parse("c Array(Int8)")) == [([b"\5"],), ([],), ([],)]


def test_a_vector_that_is_cut_is_refused() -> None:
    """Each column says how much follows, so only a whole one can be read."""
    body = engine_bytes(next(v for v in VECTORS if v["ddl"] == "id UInt64, j JSON(a Int64)"))
    for length in range(1, len(body)):
        with pytest.raises((AssertionError, IndexError)):
            blocks(body[:length])
