"""Which format an insert has when nobody says: a table of versions, schemas and options."""

from __future__ import annotations

import pytest

from rowbinary import Schema
from rowbinary._choice import BLOCK_ROWS, FEW_DOCUMENTS, choose_format, is_compared

FLAT = "id UInt64, s LowCardinality(Nullable(String)), at DateTime64(3), l Array(Map(String, UUID))"
OLD, NAMES = "RowBinary", "RowBinaryWithNamesAndTypes"
NEVER = (1 << 30,)

# The first version that gets Native, with documents in binary and as text.
SCHEMAS = {
    FLAT: ((23, 3), (23, 3)),
    "p Point, t Tuple(UInt8, String), n Tuple(one UInt8), f SimpleAggregateFunction(sum, UInt64)":
        ((23, 3), (23, 3)),
    "s AggregateFunction(groupArray, UInt64)": ((23, 3), (23, 3)),
    "v Variant(UInt8, String)": ((24, 8), (24, 8)),
    "g Geometry": ((24, 8), (24, 8)),
    "d Dynamic": ((24, 8), (24, 10)),
    "j JSON": ((24, 8), (24, 10)),
    "id UInt8, j JSON(a.b UInt8, SKIP c)": ((24, 8), (24, 10)),
    "j JSON(e Enum8('a' = 1), t Tuple(a UInt8, b UInt8))": ((24, 8), (24, 10)),
    "a Array(JSON)": ((24, 8), (24, 10)),
    "n Nullable(JSON)": ((24, 8), (24, 10)),
    "m Map(String, Array(Tuple(UInt8, JSON)))": ((24, 8), (24, 10)),
    "v Variant(Array(Dynamic), UInt8)": ((24, 8), (24, 10)),
    "s SimpleAggregateFunction(anyLast, JSON)": ((24, 8), (24, 10)),
    "n Nested(j JSON)": ((24, 8), (24, 10)),
    # These only when the table was just described.
    "e Enum8('a' = 1)": (NEVER, NEVER),
    "id UInt8, e Array(Nullable(Enum16('a' = 1000)))": (NEVER, NEVER),
    "t Tuple(a UInt8, b UInt8)": (NEVER, NEVER),
    "n Nested(a UInt8, b JSON)": (NEVER, NEVER),
    "m Map(String, Tuple(a UInt8, b UInt8))": (NEVER, NEVER),
    "f SimpleAggregateFunction(any, Enum8('a' = 1))": (NEVER, NEVER),
}  # fmt: skip
VERSIONS = [
    None, (18, 16), (22, 0), (22, 1), (23, 2), (23, 3), (23, 8), (24, 7), (24, 8), (24, 9), (24, 10), (25, 3),
    (26, 9), (100, 1),
]  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS, ids=str)
@pytest.mark.parametrize("columns", SCHEMAS)
def test_versions_and_schemas(columns: str, version: tuple[int, ...] | None) -> None:
    known = version or (0,)
    rows = NAMES if known >= (22, 1) else OLD
    schema = Schema.of(columns)
    typed, text = SCHEMAS[columns]
    for json, first in (("exact", typed), ("text", typed), ("string", text)):
        assert choose_format(schema, version, json=json) == ("Native" if known >= first else rows)
        fresh = choose_format(schema, version, json=json, fresh=True)
        if first is NEVER:
            assert not is_compared(schema)
            first = ((24, 10) if json == "string" else (24, 8)) if "JSON" in columns else (23, 3)
        assert fresh == ("Native" if known >= first else rows)


@pytest.mark.parametrize(
    ("version", "rows"),
    [(None, OLD), ((18, 16), OLD), ((23, 7), OLD), ((23, 8), "RowBinaryWithDefaults"),
     ((26, 9), "RowBinaryWithDefaults")],
)  # fmt: skip
@pytest.mark.parametrize("columns", ["a UInt8, s String", "a UInt8, s JSON", "a UInt8, s Enum8('a' = 1)"])
def test_rows_with_defaults(columns: str, version: tuple[int, ...] | None, rows: str) -> None:
    """Native where it is known that no column has an expression."""
    described = list(Schema.of(columns))
    for defaulted, may in ((None, False), (["s"], False), ([], True), (["computed"], True)):
        schema = Schema(described, defaulted)
        native = may and choose_format(schema, version) == "Native"
        assert choose_format(schema, version, defaults=True) == ("Native" if native else rows)
        assert choose_format(schema, (22, 8), defaults=True) == OLD


def test_blocks_of_fewer_rows() -> None:
    schema = Schema.of(FLAT)
    for rows, format in ((None, "Native"), (BLOCK_ROWS, "Native"), (1 << 30, "Native"), (1000, NAMES)):
        assert choose_format(schema, (26, 9), block_rows=rows) == format
    schema = Schema(list(schema), [])
    assert choose_format(schema, (26, 9), block_rows=1000, defaults=True) == "RowBinaryWithDefaults"
    assert choose_format(schema, (26, 9), block_rows=BLOCK_ROWS, defaults=True) == "Native"


@pytest.mark.parametrize("columns", ["a UInt8, j JSON", "a Array(Map(String, JSON))", "d Dynamic", FLAT])
def test_few_documents(columns: str) -> None:
    """A Native block of them costs more than their rows do; documents that are sent as text have no paths."""
    schema = Schema.of(columns)
    few = NAMES if "JSON" in columns else "Native"
    for rows, format in ((None, "Native"), (0, few), (FEW_DOCUMENTS, few), (FEW_DOCUMENTS + 1, "Native")):
        assert choose_format(schema, (26, 9), rows=rows) == format
        assert choose_format(schema, (26, 9), rows=rows, json="string") == "Native"
