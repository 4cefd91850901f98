"""The opcode table: its header is current, and nothing in it is without a writer or a test."""

from __future__ import annotations

import hashlib
import pathlib
import re

import pytest
from conftest import load

from rowbinary import _opcodes, parse_type
from rowbinary._opcodes import WIDTHS, Op
from rowbinary._plan import Node, compile_type
from rowbinary._registry import REGISTRY
from rowbinary._tags import type_tag
from rowbinary._write import WRITERS

CSRC = pathlib.Path(__file__).parent.parent / "csrc"
VECTORS = [*load("values.jsonl"), *({"type": v["column_type"]} for v in load("json_inserts.jsonl"))]


def opcodes_in(node: Node) -> set[Op]:
    return {node.op}.union(*map(opcodes_in, node.children))


def test_the_header_is_current() -> None:
    """`python rowbinary/_opcodes.py > csrc/rb_opcodes.h` makes it."""
    assert (CSRC / "rb_opcodes.h").read_text() == _opcodes.header()


def test_the_header_says_it_is_generated() -> None:
    assert _opcodes.header().startswith("/* GENERATED from rowbinary/_opcodes.py; do not edit.")


def test_numbers_are_positions() -> None:
    assert [op.value for op in Op] == list(range(len(Op)))
    assert [WIDTHS[op] for op in Op] == [op.width for op in Op]
    assert len(set(Op.__members__.values())) == len(Op.__members__)  # equal widths make no aliases


def test_the_hash_belongs_to_the_table() -> None:
    table = [(op.name, op.width) for op in Op]
    assert hashlib.sha256(repr(table).encode()).hexdigest()[:16] == _opcodes.PLAN_HASH
    speedups = pytest.importorskip("rowbinary._speedups")
    assert speedups.PLAN_HASH == _opcodes.PLAN_HASH


@pytest.mark.parametrize("op", Op, ids=lambda op: op.name)
def test_every_opcode_has_writers(op: Op) -> None:
    assert callable(WRITERS[op])
    assert f"case RB_OP_{op.name}:" in (CSRC / "ext" / "write_value.c").read_text()


@pytest.mark.parametrize("op", [op for op in Op if not WIDTHS[op]], ids=lambda op: op.name)
@pytest.mark.parametrize("file", ["column.c", "column_skip.c"])
def test_every_opcode_of_no_fixed_width_has_a_column(op: Op, file: str) -> None:
    """Those of a fixed width need nothing; in Python an opcode without a column fails at import."""
    assert f"case RB_OP_{op.name}:" in (CSRC / "ext" / file).read_text()


@pytest.mark.parametrize("op", Op, ids=lambda op: op.name)
def test_every_opcode_has_a_vector(op: Op) -> None:
    found = set().union(*(opcodes_in(compile_type(parse_type(vector["type"]))) for vector in VECTORS))
    assert op in found


def test_fixed_widths_are_those_of_the_vectors() -> None:
    """The engine's bytes of a type are as long as the table says."""
    for vector in load("values.jsonl"):
        node = compile_type(parse_type(vector["type"]))
        if WIDTHS[node.op]:
            assert len(vector["hex"]) // 2 == WIDTHS[node.op], vector["type"]


def families_in(text: str) -> set[str]:
    return set(re.findall(r"[A-Z]\w+", text))


def test_every_family_has_a_vector() -> None:
    seen = set().union(*(families_in(vector["type"]) for vector in VECTORS))
    assert set(REGISTRY) <= seen


# Types without a binary tag of their own.
UNTAGGED = {
    "Decimal": "its tag depends on the precision",
    "Geometry": "the engine has no tag for it, nor for a Variant in a Dynamic",
}


@pytest.mark.parametrize("family", REGISTRY)
def test_every_family_has_a_tag(family: str) -> None:
    row = REGISTRY[family]
    if family in UNTAGGED:
        assert row.tag is None, UNTAGGED[family]
        return
    samples = [parse_type(v["type"]) for v in VECTORS if parse_type(v["type"]).family == family]
    for type_ in samples:
        assert row.tag is not None
        tag = type_tag(type_)
        assert tag
        assert tag[0] == row.tag or family in (
            "DateTime",
            "DateTime64",
            "Tuple",
            "QBit",
        )  # variants of the tag


def test_the_readme_table_has_every_family() -> None:
    from rowbinary._registry import table

    rows = table()
    for row in REGISTRY.values():
        assert f"`{row.example}`" in rows
        assert row.accepts in rows
