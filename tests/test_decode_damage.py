"""Bodies that were damaged: cut off at every byte, with every byte changed, and changed at random.

The outcome is rows or a DecodeError that says where, soon, and the same in every implementation.
"""

from __future__ import annotations

import datetime as dt
import time
from typing import Any, NamedTuple

import pytest
from conftest import load, times
from decode_cases import CHOICES, FORMAT, STORED, Outcome, agreed, column, decode, header, number
from hypothesis import given, settings
from hypothesis import strategies as st

import rowbinary
from rowbinary import typed
from rowbinary._varint import string, varint

LONG = 5.0  # seconds; a thousand times what these bodies take


class Body(NamedTuple):
    name: str
    schema: Any  # None: the types are in the body
    format: Any
    data: bytes
    head: int = 0  # bytes before the values
    first: int = 0  # bytes of the first row


def outcome(body: Body, data: bytes, **choices: Any) -> Outcome:
    """What comes of `data` instead of the body's own."""
    began = time.process_time()
    found = agreed(body.schema, data, format=body.format, **choices)
    assert time.process_time() - began < LONG
    if found.error is not None:
        _, text, offset, row, name, reason = found.error
        assert 0 <= offset <= len(data)
        assert row is None or row >= 0
        assert reason in text
        assert len(text) < 500
        assert body.schema is None or name is None or isinstance(name, str)
    return found


MORE: list[tuple[str, Any, Any]] = [
    # Types, and two values, that have several shapes of bytes at once.
    ("Array(Tuple(a UInt8, b Nullable(String)))", [(1, None), (2, "x")], []),
    ("Map(LowCardinality(String), Array(Enum8('a' = 1)))", {"k": ["a", "a"]}, {}),
    ("Nullable(Tuple(a Enum8('a' = 1), b LowCardinality(Nullable(String))))", ("a", "x"), None),
    ("Dynamic(max_types=1)", 5, typed("x", "FixedString(2)")),
    ("JSON(max_dynamic_paths=1, t Nullable(UInt8))", {"a": 1, "b": [{"c": "x"}]}, {"b": {"d": 1.5}, "t": 1}),
    ("Array(Variant(String, Array(UInt8)))", ["x", None, [1, 2]], [[3]]),
    ("Array(Array(JSON))", [[{"a": dt.date(2024, 1, 1)}], []], [[{}]]),
    ("QBit(Float32, 16, 8)", [0.5] * 16, [1.0] * 16),
]


def bodies() -> list[Body]:
    found = []
    for text, first, second in [*((case[0], case[1], case[1]) for case in STORED), *MORE]:
        columns = [("c", text), ("z", "UInt8")]
        rows = [(first, 7), (second, 8)]
        name, data = f"{text} {first!r}"[:60], rowbinary.encode_rows(columns, rows)
        row = len(rowbinary.encode_rows(columns, rows[:1]))
        found.append(Body(name, columns, "RowBinary", data, first=row))
        block = rowbinary.encode_rows(columns, rows, format="Native")
        head = len(column(str(rowbinary.parse_type(text)), b""))
        found.append(Body(f"Native {name}", None, "Native", block, head))
    return found


BODIES = bodies()
each = pytest.mark.parametrize("body", BODIES, ids=lambda body: body.name)


# --- cut off ----------------------------------------------------------------------------------------------


@each
def test_every_truncation(body: Body) -> None:
    """No row is made of less than its bytes; a row is there if all of them are."""
    assert len(decode(body.schema, body.data, format=body.format)) == 2
    for end in range(len(body.data)):
        found = outcome(body, body.data[:end])
        assert (found.error is None) == (end in (0, body.first)), end
        if found.error is not None and body.first:
            assert found.error[3] == (0 if end < body.first else 1)


# --- changed ----------------------------------------------------------------------------------------------


def changes(data: bytes, at: int) -> list[int]:
    """Other values for the byte there: one bit, a length that is too large, any."""
    byte = data[at]
    return sorted({byte ^ 1, byte ^ 0x80, (byte + 7 * at) & 0xFF} - {byte})


@each
def test_changed_bytes(body: Body) -> None:
    for at in range(len(body.data)):
        values = changes(body.data, at)
        for value in values if at >= body.head else values[:1]:
            outcome(body, body.data[:at] + bytes([value]) + body.data[at + 1 :])


@pytest.mark.slow
@each
def test_every_byte_is_changed(body: Body) -> None:
    for at in range(len(body.data)):
        step = 8 if at >= body.head else 32
        for value in {*range(at % step, 256, step), 0, 1, 0x7F, 0x80, 0xFF}:
            outcome(body, body.data[:at] + bytes([value]) + body.data[at + 1 :])


def of_cases(cases: list[tuple[Any, ...]]) -> bytes:
    columns = [(f"c{index}", case[0]) for index, case in enumerate(cases)]
    return rowbinary.encode_rows(columns, [tuple(case[1] for case in cases)], format=FORMAT)


WIDE = [of_cases(STORED[start : start + 15]) for start in range(0, len(STORED), 15)]


@pytest.mark.parametrize("body", WIDE, ids=range(len(WIDE)))
def test_every_truncation_of_a_header(body: bytes) -> None:
    whole = Body("", None, FORMAT, body)
    names = varint(body[0]) + b"".join(string(f"c{index}") for index in range(body[0]))
    assert body.startswith(names)
    alone = [end for end in range(len(body)) if outcome(whole, body[:end]).error is None]
    assert len(alone) == 1  # the header without a row
    for end in range(len(body)):
        error = outcome(whole, body[:end]).error
        assert error is None or (error[3] is None) == (end < alone[0])


# --- at random --------------------------------------------------------------------------------------------


def mutations(data: bytes) -> st.SearchStrategy[bytes]:
    def apply(edits: list[tuple[int, int, bytes]]) -> bytes:
        changed = bytearray(data)
        for at, length, new in edits:
            changed[at : at + length] = new
        return bytes(changed)

    new = st.one_of(
        st.binary(max_size=3),
        st.sampled_from([b"\xff", b"\x1e", b"\x30", b"\x2b\x20", varint(2**63), number(2**40), number(1)]),
    )
    return st.lists(st.tuples(st.integers(0, len(data)), st.integers(0, 2), new), min_size=1, max_size=4).map(
        apply
    )


NATIVE = [bytes.fromhex(vector["hex"]) for vector in load("native.jsonl") if len(vector["hex"]) < 1500]
ANY = [
    *(Body("", None, FORMAT, body) for body in WIDE),
    *(Body("", None, "Native", body) for body in NATIVE),
    *BODIES,
]


@settings(max_examples=times(150, 3000))
@given(st.data())
def test_mutated_bodies(data: st.DataObject) -> None:
    body = data.draw(st.sampled_from(ANY))
    outcome(body, data.draw(mutations(body.data)), **data.draw(CHOICES))


HEADED, BLOCKS = Body("", None, FORMAT, b""), Body("", None, "Native", b"")
LOOSE = ["Dynamic", "JSON", "Array(Dynamic)", "JSON(a Dynamic, b Int8)", "LowCardinality(String)"]


@settings(max_examples=times(100, 1000))
@given(st.sampled_from(LOOSE), st.binary(max_size=60))
def test_random_bytes(type_text: str, data: bytes) -> None:
    outcome(HEADED, data)
    outcome(HEADED, header(("c", type_text)) + data)
    outcome(BLOCKS, column(type_text, data))


@settings(max_examples=times(60, 1000))
@given(st.text(max_size=30))
def test_random_zones(name: str) -> None:
    outcome(HEADED, header(("c", "Dynamic")) + b"\x12" + string(name) + bytes(4))


# --- what the engine refuses --------------------------------------------------------------------------------

# Types that it does not let into a Dynamic, which can be read all the same.
ALLOWED = {"Nullable(Int64) scalar tag", "Map with a Nullable(String) key", "LowCardinality(Array(String))"}
REJECTS = load("rejects.jsonl")


@pytest.mark.parametrize("vector", REJECTS, ids=lambda v: f"{v['column_type']} {v['why']}"[:80])
def test_golden_rejects(vector: dict[str, Any]) -> None:
    body = Body("", [("c", vector["column_type"])], "RowBinary", b"")
    found = outcome(body, bytes.fromhex(vector["hex"]))
    assert (found.error is None) == (vector["why"] in ALLOWED)


def test_the_allowed_ones_exist() -> None:
    assert {vector["why"] for vector in REJECTS} >= ALLOWED
