"""Limits of the type parser: depth, numbers of members, and hostile texts, which fail fast."""

from __future__ import annotations

import inspect
import random
import sys
import time

import pytest
import types_engine
from types_engine import Engine

from rowbinary._parse import MAX_DEPTH, parse_type
from rowbinary.errors import SchemaError

engine = types_engine.engine  # the fixture


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
    start = time.process_time()
    with pytest.raises(SchemaError) as caught:
        parse_type(text)
    assert time.process_time() - start < 20  # the sanitizers slow it down tenfold
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
