"""What the tests of the decoders share: bodies with headers, stored values, what comes of a body in every
implementation, and the comparison with the trees of another reader.
"""

from __future__ import annotations

import datetime as dt
import decimal
import ipaddress
import math
import uuid
import zoneinfo
from typing import Any, Final, NamedTuple

import canonical
import pytest
from conftest import implementations, load
from hypothesis import strategies as st

import rowbinary
from rowbinary import DecodeError, typed
from rowbinary import _types as t
from rowbinary._varint import string, varint

UTC = dt.UTC
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
FORMAT: Final = "RowBinaryWithNamesAndTypes"


# Options of the decoders, of which any may be given.
CHOICES = st.fixed_dictionaries(
    {},
    optional={
        "rows": st.sampled_from(["tuples", "dicts", "columns"]),
        "json": st.sampled_from(["nested", "paths"]),
        "moments": st.sampled_from(["datetime", "exact", "ticks"]),
        "invalid_utf8": st.sampled_from(["bytes", "error", "surrogateescape"]),
        "zone": st.sampled_from([None, BERLIN, dt.timezone(dt.timedelta(hours=-5, minutes=-30))]),
    },
)


VALUES = load("values.jsonl")


MOMENT = dt.datetime(2024, 7, 1, 12, 0, 0, 123_456, UTC)
# Type, value inserted, and the value selected where that is another one.
STORED: list[tuple[Any, ...]] = [
    ("Bool", True), ("Int8", -5), ("UInt64", 2**64 - 1), ("Int256", -(2**255)), ("Float32", 1.5),
    ("BFloat16", -0.5), ("Float64", 1e300), ("Decimal(38, 3)", decimal.Decimal("-1.500")), ("String", "é\0"),
    ("String", b"\xff"), ("FixedString(4)", "ab", b"ab\0\0"), ("Date", dt.date(2149, 6, 6)),
    ("Date32", dt.date(1900, 1, 1)), ("DateTime", MOMENT.replace(microsecond=0)), ("DateTime64(6)", MOMENT),
    ("DateTime64(9, 'Europe/Berlin')", 1_714_946_889_000_000_001),
    ("DateTime64(3, 'Europe/Berlin')", MOMENT, MOMENT.replace(microsecond=123_000)),
    ("Time", dt.timedelta(hours=-999)), ("Time64(6)", dt.timedelta(microseconds=1)), ("IntervalDay", 3),
    ("UUID", uuid.UUID(int=2**127 + 5)), ("IPv4", ipaddress.IPv4Address("1.2.3.4")),
    ("IPv6", ipaddress.IPv6Address("2001:db8::1")), ("Enum8('a' = -1, 'é' = 5)", "é"),
    ("Enum16('a' = 300)", "a"), ("Nullable(String)", None), ("Nullable(UInt8)", 5),
    ("LowCardinality(Nullable(String))", "x"), ("Array(Array(UInt8))", [[1], [], [2, 3]]),
    ("Tuple(UInt8, String)", (1, "a")), ("Tuple(a UInt8, b String)", (1, "a"), {"a": 1, "b": "a"}),
    ("Nested(a UInt8, b String)", [(1, "a")], [{"a": 1, "b": "a"}]), ("Map(String, UInt8)", {"a": 1, "b": 2}),
    ("Map(String, UInt8)", [("a", 1), ("a", 2)]), ("QBit(Float32, 3)", [0.5, 1.5, 2.5]),
    ("Variant(String, UInt8, Array(String))", ["x"]), ("Variant(String, UInt8)", None),
    ("Point", (1.0, 2.0)), ("Ring", [(1.0, 2.0)]), ("Polygon", [[(1.0, 2.0)]]),
    ("MultiPolygon", [[[(1.0, 2.0)]]]),
    ("Geometry", typed([(1.0, 2.0)], "Ring"), [(1.0, 2.0)]),
    ("SimpleAggregateFunction(sum, UInt64)", 5),
    ("Dynamic", None), ("Dynamic", [1, "x", None]),
    ("Dynamic", typed((1, "a"), "Tuple(Int8, String)"), (1, "a")),
    ("Dynamic", typed({"k": [1]}, "Map(String, Array(UInt8))"), {"k": [1]}),
    ("Dynamic", typed(MOMENT, "DateTime64(6, 'Europe/Berlin')"), MOMENT),
    ("JSON", {"a": {"b": 1, "c": "x"}, "d": [1, None], "e": [{"f": {"g": True}}], "h": 2.5}),
    ("JSON", {"a": 1, "a.b": {"c": 2}, "n": None, "o": {}}, {"a": 1, "a.b.c": 2}),
    ("JSON(a UInt8, b.c Array(String), n Nullable(Date))", {"b": {"c": ["x"]}, "z": {"y": MOMENT}},
     {"a": 0, "b": {"c": ["x"]}, "n": None, "z": {"y": MOMENT}}),
    ("Array(JSON)", [{"a": 1}, {}]),
    ("JSON(max_dynamic_paths=1)", {"a": 1, "b": [1, "x"], "c": {"d": dt.date(2024, 1, 2)}}),
]  # fmt: skip


def header(*columns: tuple[str, str]) -> bytes:
    """The header of `columns`, the types as they are spelled."""
    names, texts = [name for name, _ in columns], [text for _, text in columns]
    return varint(len(columns)) + b"".join(map(string, names)) + b"".join(map(string, texts))


def number(*values: int) -> bytes:
    """UInt64 of each of `values`."""
    return b"".join(value.to_bytes(8, "little") for value in values)


def block(*columns: tuple[str, str, bytes], rows: int = 1) -> bytes:
    """A Native block of columns: name, type, and the bytes behind them."""
    parts = [string(name) + string(text) + data for name, text, data in columns]
    return varint(len(parts)) + varint(rows) + b"".join(parts)


def column(type_text: str, data: bytes, rows: int = 1) -> bytes:
    """A Native block of the one column "c"."""
    return block(("c", type_text, data), rows=rows)


class Outcome(NamedTuple):
    """What comes of a body: outcomes are equal when rows, or all that can be seen of the errors, are.

    The text of rows has the types of all values in it, and NaN has one too.
    """

    shown: str
    error: tuple[Any, ...] | None

    @property
    def offset(self) -> Any:
        assert self.error is not None
        return self.error[2]


def described(error: Exception) -> tuple[Any, ...]:
    """Class and message of an error, and of a DecodeError all attributes."""
    attributes = ("offset", "row", "column", "reason")
    return type(error), str(error), *(getattr(error, name, None) for name in attributes)


def outcome(schema: Any, body: Any, implementation: str, **choices: Any) -> Outcome:
    """What `implementation` makes of a whole body."""
    try:
        rows = rowbinary.decode_rows(schema, body, implementation=implementation, **choices)
    except DecodeError as error:
        return Outcome("", described(error))
    return Outcome(repr(rows), None)


def agreed(schema: Any, body: Any, **choices: Any) -> Outcome:
    """What every implementation makes of a body."""
    first, *others = [outcome(schema, body, name, **choices) for name in implementations()]
    for other in others:
        assert other == first
    return first


def decode(schema: Any, body: Any, **choices: Any) -> Any:
    """The rows that every implementation finds; instants are exact unless `choices` say otherwise."""
    choices = {"moments": "exact", **choices}
    first, *others = [
        rowbinary.decode_rows(schema, body, implementation=name, **choices) for name in implementations()
    ]
    for other in others:
        assert repr(other) == repr(first)
    return first


def refuse(body: Any, match: str | None = None, schema: Any = None, **choices: Any) -> DecodeError:
    """The error that every implementation has for `body`, which is by itself one with names and types."""
    errors = []
    for name in implementations():
        with pytest.raises(DecodeError, match=match) as caught:
            rowbinary.decode_rows(schema, body, implementation=name, **choices)
        errors.append(caught.value)
    assert len(set(map(described, errors))) == 1, errors
    return errors[0]


def same(value: Any, other: Any) -> bool:
    """Equal, of equal types all the way down, and NaN equals itself; keys of a dict have no order."""
    if type(value) is not type(other):
        return False
    if isinstance(value, list | tuple):
        return len(value) == len(other) and all(map(same, value, other))
    if isinstance(value, dict):
        return value.keys() == other.keys() and all(same(value[key], other[key]) for key in value)
    if isinstance(value, float) and math.isnan(value):
        return math.isnan(other)
    return bool(value == other)


def check(value: Any, tree: canonical.Tree, type_: t.Type) -> None:
    """`value` says what `tree` says, which another reader made of the same bytes (scalars are bytes)."""
    match type_:
        case t.Wrapper(family="Array") | t.QBit() | t.Tuple(family="Nested"):
            assert type(value) is list
            inner = element_of(type_)
            check_all([(item, part, inner) for item, part in zip(value, tree, strict=True)])
        case t.Wrapper(family="Nullable"):
            assert (value is None) == (tree is None)
            if tree is not None:
                check(value, tree[1], type_.inner)
        case t.Wrapper():
            check(value, tree, type_.inner)
        case t.Map():
            pairs = list(value.items()) if isinstance(value, dict) else value
            for (key, item), (key_tree, item_tree) in zip(pairs, tree, strict=True):
                check_all([(key, key_tree, type_.key), (item, item_tree, type_.value)])
        case t.Tuple():
            assert type(value) is (tuple if type_.names is None else dict)
            values = list(value.values()) if isinstance(value, dict) else value
            check_all(list(zip(values, tree, type_.elements, strict=True)))
        case t.Variant():
            assert (value is None) == (tree is None)
            if tree is not None:
                check(value, tree[1], type_.members[tree[0]])
        case t.Dynamic():
            assert (value is None) == (tree is None)
            if tree is not None:
                check(value, tree[1], rowbinary.parse_type(tree[0]))
        case t.JSON():
            check_document(value, tree, dict(type_.typed))
        case t.Alias():
            check(value, tree, type_.structure)
        case t.Aggregate():
            check(value, tree, type_.arguments[-1])
        case _:
            data = string(tree) if type_.family == "String" else tree
            assert rowbinary.encode_rows([("c", type_)], [(value,)]) == data


def element_of(type_: t.Wrapper | t.QBit | t.Tuple) -> t.Type:
    match type_:
        case t.Wrapper():
            return type_.inner
        case t.QBit():
            return type_.element
    return t.Tuple("Tuple", type_.elements, type_.names)


def check_all(parts: list[tuple[Any, canonical.Tree, t.Type]]) -> None:
    for part in parts:
        check(*part)


ABSENT = object()


def check_document(value: Any, tree: canonical.Tree, types: dict[str, t.Type]) -> None:
    assert type(value) is dict
    for path, part in tree.items():
        found = find(value, path)
        if path in types and found is ABSENT:
            assert part == canonical.default(types[path])
        elif part is None and path not in types:
            assert found is ABSENT
        else:
            check(found, part, types.get(path, t.Dynamic("Dynamic")))


def find(document: Any, path: str) -> Any:
    if not isinstance(document, dict):
        return ABSENT
    if path in document:
        return document[path]
    first, dot, rest = path.partition(".")
    return find(document[first], rest) if dot and first in document else ABSENT


def check_body(body: bytes, columns: list[tuple[str, str]]) -> None:
    schema = rowbinary.Schema(columns)
    trees = canonical.rows(body[len(schema.plan.header(FORMAT)) :], [text for _, text in columns])
    for row, tree in zip(decode(None, body), trees, strict=True):
        check_all(list(zip(row, tree, schema.types, strict=True)))
