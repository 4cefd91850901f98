"""The decoders on types as binary tags: all that are written, cut off, and wrong ones."""

from __future__ import annotations

import pytest
from conftest import implementations, load
from decode_cases import VALUES, column, decode, header, refuse
from hypothesis import given
from strategies import type_texts

import rowbinary
from rowbinary import DecodeError, _impl, typed
from rowbinary._cursor import EXACT
from rowbinary._read_types import read_type
from rowbinary._tags import type_tag
from rowbinary._varint import varint


def check_tag(type_text: str) -> None:
    type_ = rowbinary.parse_type(type_text)
    tag = type_tag(type_)
    for name in implementations():
        cursor = _impl.cursor(name)
        found = cursor(tag + b"rest", None, EXACT)
        assert read_type(found).text == type_.text
        assert found.offset == len(tag)
        for end in range(len(tag)):
            with pytest.raises(DecodeError):
                read_type(cursor(tag[:end], None, EXACT))


TAGGED = sorted(
    {vector["type"] for vector in VALUES} | {v["column_type"] for v in load("json_inserts.jsonl")}
)
TAGGED += [
    "Nothing", "QBit(Float32, 16, 8)", "AggregateFunction(sum, UInt64)", "Dynamic(max_types=0)",
    "JSON(max_dynamic_types=5, max_dynamic_paths=300, a String, b UInt8, SKIP z, SKIP REGEXP 'r.*')",
]  # fmt: skip


@pytest.mark.parametrize("text", TAGGED)
def test_tag(text: str) -> None:
    check_tag(text)


@given(type_texts)
def test_random_tag(text: str) -> None:
    check_tag(text)


@pytest.mark.parametrize(
    ("tag", "match"),
    [
        (b"\x21", "unknown type tag 0x21"), (b"\x24", "0x24"), (b"\x33", "0x33"), (b"\xff", "0xff"),
        (b"\x13\x0a", "a scale of 10 is out of range 0 .. 9"), (b"\x34\x0a", "a scale of 10"),
        (b"\x16\x00", "a FixedString length of 0"), (b"\x16" + varint(2**24), "a FixedString length"),
        (b"\x17\x00", "without labels"), (b"\x17\x02\1a\1\1b\1", "one twice"), (b"\x17\x01\1\xff\1", "UTF-8"),
        (b"\x19\x0a\x00", "a precision of 10"), (b"\x1a\x09\x00", "a precision of 9"),
        (b"\x19\x05\x06", "a scale of 6"), (b"\x20\x02\1a\1\1a\1", "element name twice"),
        (b"\x22\x0b", "an interval kind of 11"), (b"\x2a\x00", "a number of members of 0"),
        (b"\x2b\xff", "max_types of 255"), (b"\x2c\x03Nix", "unknown type 'Nix'"),
        (b"\x2e\x03sum\0\0", "without the type"), (b"\x25\0\x03sum\1", "with parameters"),
        (b"\x2f\x00", "Nested without"), (b"\x30\x01", "version"), (b"\x36\x15\x01", "a QBit of String"),
        (b"\x30\0\0\0\x02\1a\1\1a\1", "same path twice"), (b"\x36\x0d\x00", "a dimension of 0"),
        (b"\x1f" + varint(2**63), "are read at most"),
        (b"\x12\x04Nix/\0\0\0\0", "time zone 'Nix/' is not known"),
    ],
)  # fmt: skip
def test_bad_tags(tag: bytes, match: str) -> None:
    error = refuse(header(("c", "Dynamic")) + tag, match)
    assert (error.row, error.column) == (0, "c")


def test_more_types_than_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Types and labels are forgotten, and found again: in rows, in blocks, and as the texts of heads."""
    for module in ("_read", "_read_types", "_read_blocks"):
        monkeypatch.setattr(f"rowbinary.{module}.MAX_KNOWN", 3)
    columns = "d Dynamic(max_types=0), e Array(Dynamic)"
    labels = [typed(f"l{n}", f"Enum8('l{n}' = {n}, 'z' = 100)") for n in range(20)]
    sizes = [typed(b"x" * n, f"FixedString({n})") for n in range(1, 20)]
    longer = [
        typed("é", "Enum8('é' = 1, " + ", ".join(f"'{'x' * 100}{n}' = {n + 9}" for n in range(50)) + ")")
    ]
    rows = [(value, [value, 1]) for value in [*labels, *sizes, *longer, *labels] * 2]
    for form in ("RowBinary", "Native"):
        body = rowbinary.encode_rows(columns, rows, format=form)
        assert decode(columns, body, format=form) == [(value.value, [value.value, 1]) for value, _ in rows]
    spelled = [" " * n + "UInt8" for n in range(10)]
    body = b"".join(column(text, b"\5") for text in spelled * 2)
    assert decode(None, body, format="Native") == [(5,)] * 20
