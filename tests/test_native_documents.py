"""Documents in Native blocks: paths, modes, limits, depth; and what is very large or very many."""

from __future__ import annotations

import pathlib
import struct
import time
from typing import Any

import canonical
import pytest
from conftest import implementations
from native_blocks import blocks, rows_of
from native_columns import normal
from test_native import error_of, native, shapes

from rowbinary import EncodeError, Encoder, Schema, encode_rows, iter_encode
from rowbinary._native import BLOCK_BYTES
from rowbinary._paths import _KINDS, _MOST_KINDS, SPARSE, WATCHED, read_kind

pytestmark = pytest.mark.timeout(120)

ONLY_C = pytest.mark.skipif("c" not in implementations(), reason="too much for the reference")


# --- documents -----------------------------------------------------------------------------------


def values(impl: str, column: str, *cells_: Any, **choices: Any) -> list[Any]:
    """The values of one column, read back."""
    return [
        row[0]
        for row in rows_of(
            native(impl, [("c", column)], [(c,) for c in cells_], **choices), Schema([("c", column)])
        )
    ]


def test_json_modes(impl: str) -> None:
    document = {"at": "2020-01-01", "n": [1, True]}
    (exact,) = values(impl, "JSON", document)
    (text,) = values(impl, "JSON", document, json="text")
    assert [exact["at"][0], exact["n"][0]] == ["String", "Array(Dynamic)"]
    assert [text["at"][0], text["n"][0]] == ["Date", "Array(Nullable(Int64))"]
    body = native(impl, "j JSON, n Nullable(JSON)", [(document, None), (None, {})], json="string")
    shown = b'{"at":"2020-01-01","n":[1,true]}'
    assert body == b"".join([
        b"\2\2", b"\1j\4JSON", struct.pack("<Q", 1), bytes([len(shown)]), shown, b"\2{}",
        b"\1n\x0eNullable(JSON)", struct.pack("<Q", 1), b"\1\0", b"\2{}\2{}",
    ])  # fmt: skip


@pytest.mark.parametrize(("rule", "wanted"), [("first", 1), ("last", 2), (None, 2)])
def test_duplicate_paths(impl: str, rule: Any, wanted: int) -> None:
    document = {"a": {"b": 1}, "a.b": 2}
    assert values(impl, "JSON", document, duplicate_paths=rule) == values(impl, "JSON", {"a.b": wanted})
    with pytest.raises(EncodeError, match="flatten to this path"):
        native(impl, "j JSON", [(document,)], duplicate_paths="error")


def test_a_path_that_begins_another(impl: str) -> None:
    (tree,) = values(
        impl, "JSON(`a.b` UInt8, SKIP `a.s`)", {"a": 1, "a.b": 2, "a.b.c": 3, "ab": 4, "a.s.x": 5}
    )
    assert {path: value for path, value in tree.items() if path != "a.b"}.keys() == {"a", "a.b.c", "ab"}
    assert tree["a.b"] == b"\2"


def test_aggregate_states(impl: str) -> None:
    column = "AggregateFunction(sum, UInt64)"
    states = [struct.pack("<Q", number) for number in (1, 2, 3)]
    body = native(impl, [("s", column)], [(state,) for state in states])
    assert body == b"\1\3\1s" + bytes([len(column)]) + column.encode() + b"".join(states)


def test_which_paths_get_columns(impl: str) -> None:
    """At most one row in SPARSE must have a path, and the first paths come first."""
    rows = [({"all": n, **({"some": n} if n % SPARSE == 0 else {}), f"own{n}": n},) for n in range(WATCHED)]
    ((column,),) = blocks(native(impl, "j JSON", rows))
    assert list(column.layout["paths"]) == ["all", "some"]
    ((column,),) = blocks(native(impl, "j JSON", rows[: SPARSE + 1]))
    assert list(column.layout["paths"]) == ["all", "some"]
    ((column,),) = blocks(native(impl, "j JSON(max_dynamic_paths=2)", [({"z": 1, "y": 1, "x": 1},)]))
    assert list(column.layout["paths"]) == ["y", "z"]
    assert column.layout["shared"][0][0][0] == "x"


def test_thousands_of_paths(impl: str) -> None:
    schema = Schema.parse("j JSON")
    rows = [({f"p{n}": n for n in range(start, start + 1200)},) for start in (0, 600, 0)]
    body = native(impl, schema, rows)
    assert rows_of(body, schema) == normal(
        canonical.rows(encode_rows(schema, rows, implementation=impl), ["JSON"])
    )
    ((column,),) = blocks(body)
    assert len(column.layout["paths"]) == 1024


def test_ten_thousand_columns(impl: str) -> None:
    columns = [(f"c{n}", ("UInt8", "String", "JSON")[n % 3]) for n in range(10_000)]
    row = tuple((1, "x", {"a": 1})[n % 3] for n in range(10_000))
    body = native(impl, columns, [row, row])
    (block,) = blocks(body)
    assert [column.name for column in block] == [name for name, _ in columns]
    assert {len(column.values) for column in block} == {2}


def deep(levels: int, leaf: Any) -> Any:
    for _ in range(levels):
        leaf = [leaf]
    return leaf


def test_depth(impl: str) -> None:
    for column, levels in (("Dynamic", 128), ("JSON", 127)):
        schema = Schema([("c", column)])
        for more in (0, 1):
            value = deep(levels + more, 1)
            rows = [({"a": value} if column == "JSON" else value,)]
            wanted = error_of(impl, "RowBinary", schema, rows)
            assert error_of(impl, "Native", schema, rows) == wanted
            assert (wanted is None) == (not more)
    # Objects in arrays, as deep as they go.
    document: Any = {}
    for level in range(64):
        document = {"a": [document, {"b": level}]}
        if level in (2, 62, 63):
            wanted = error_of(impl, "RowBinary", "j JSON", [(document,)])
            assert error_of(impl, "Native", "j JSON", [(document,)]) == wanted
            assert (wanted is None) == (level < 63)


# --- much ------------------------------------------------------------------------------------------


def resident() -> int:
    """Bytes of memory that this process has."""
    statm = pathlib.Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * 4096 if statm.exists() else 0


@pytest.mark.slow
@ONLY_C
def test_a_million_paths() -> None:
    """Attackers choose paths: neither time nor memory may grow with all that ever came."""
    rows = (({f"path{n * 10 + k}": n for k in range(10)},) for n in range(100_000))
    start, before, most = time.monotonic(), resident(), 0
    for chunk in iter_encode("j JSON", rows, format="Native", implementation="c"):
        assert len(chunk) < 4 * BLOCK_BYTES
        most = max(most, resident())
    assert time.monotonic() - start < 30
    assert most - before < 64 << 20


@pytest.mark.slow
@ONLY_C
@pytest.mark.parametrize(
    "column", ["String", "LowCardinality(String)", "Dynamic(max_types=0)", "Variant(String)"]
)
def test_rows_of_a_hundred_megabytes(column: str) -> None:
    text = "x" * (100 << 20)
    body = native("c", [("a", column), ("b", "UInt8")], [(text, 1), ("y", 2), (text, 3)])
    assert [count for _, count in shapes(body)] == [1, 2]
    assert body.count(text.encode()) == 2


@pytest.mark.slow
@ONLY_C
def test_a_document_of_a_hundred_megabytes() -> None:
    document = {"a": "x" * (50 << 20), "b": [{"c": "y" * (50 << 20)}, 1]}
    body = native("c", "j JSON, b UInt8", [(document, 1), ({"a": 1}, 2)])
    assert [count for _, count in shapes(body)] == [1, 1]


@ONLY_C
def test_rows_too_large_for_a_block() -> None:
    """NULL takes the room of a value here, so a row of few bytes can become too large."""
    column = "Array(Nullable(FixedString(1000000)))"
    encoder = Encoder([("a", "String"), ("c", column)], format="Native", implementation="c")
    encoder.write_row(("x", [None]))
    with pytest.raises(EncodeError, match="bytes in a Native block") as caught:
        encoder.write_row(("y", [None] * 1200))
    assert (caught.value.row, caught.value.column) == (1, "c")
    encoder.write_row(("z", [None]))
    assert encoder.take() == native("c", encoder.schema, [("x", [None]), ("z", [None])])


def test_types_of_many_tags() -> None:
    """Those met before are remembered, not all of them, and none is taken for another."""
    wanted = {b"\x0a": "Int64"}
    for size in range(1, 120):
        tag, text = bytes([0x16, size]), f"FixedString({size})"
        wanted |= {tag: text, b"\x1e" + tag: f"Array({text})", b"\x1e\x1e" + tag: f"Array(Array({text}))"}
    for _ in range(2):
        for tag, text in wanted.items():
            found, node = read_kind(tag + bytes(9))
            assert (found, node.text) == (tag, text)
    assert sum(map(len, _KINDS.values())) <= _MOST_KINDS < len(wanted)
