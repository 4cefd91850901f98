"""JSON columns: paths, collisions, SKIP, declared paths, depth, keys, text cells, and the three modes."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import types
from typing import Any

import canonical
import pytest
from strategies import Mapped, Record, Text

from rowbinary import EncodeError, encode_rows, parse_type, typed
from rowbinary._options import MAX_DEPTH

ONE = b"\x0a" + (1).to_bytes(8, "little")
TWO = b"\x0a" + (2).to_bytes(8, "little")


def cell(impl: str, value: Any, column: str = "JSON", **choices: Any) -> bytes:
    return encode_rows([("j", column)], [(value,)], implementation=impl, **choices)


def tree(impl: str, value: Any, column: str = "JSON", **choices: Any) -> dict[str, Any]:
    """The cell as ``{path: (type, bytes)}``."""
    ((document,),) = canonical.rows(cell(impl, value, column, **choices), [column])
    return dict(document)


def refusal(impl: str, value: Any, column: str = "JSON", **choices: Any) -> EncodeError:
    with pytest.raises(EncodeError) as caught:
        cell(impl, value, column, **choices)
    return caught.value


# --- documents ----------------------------------------------------------------------------------

EMPTY: list[Any] = [
    {},
    None,
    {"a": None},
    {"a": {}},
    {"a": {"b": {"c": {}}}},
    {"a": {"b": None}},
    "{}",
    b"{}",
    "null",
    ' {"a": null} ',
]


@pytest.mark.parametrize("mode", ["exact", "text"])
@pytest.mark.parametrize("value", EMPTY, ids=repr)
def test_nothing_to_store(impl: str, value: Any, mode: str) -> None:
    assert cell(impl, value, json=mode) == b"\0"


def test_order_and_nesting(impl: str) -> None:
    document = {"z": 1, "a": {"y": 1, "b": {"c": 2}}, "m": None, "k": 2}
    expected = b"\4" + b"\1z" + ONE + b"\3a.y" + ONE + b"\5a.b.c" + TWO + b"\1k" + TWO
    assert cell(impl, document) == expected
    assert cell(impl, types.MappingProxyType(document)) == expected
    assert cell(impl, Mapped(document)) == expected
    assert cell(impl, json.dumps(document)) == expected


@pytest.mark.parametrize("mode", ["exact", "text", "string"])
def test_dataclasses_are_objects(impl: str, mode: str) -> None:
    @dataclasses.dataclass
    class Outer:
        inner: Record
        tags: list[Any]

    value = Outer(Record(1, "x"), [Record(2, "y")])
    assert cell(impl, value, json=mode) == cell(impl, dataclasses.asdict(value), json=mode)


def test_a_large_document(impl: str) -> None:
    document = {f"k{n}": n for n in range(300)}
    body = cell(impl, document)
    assert body[:2] == b"\xac\2"
    assert len(tree(impl, document)) == 300


KEYS = [
    "",
    ".",
    "a.",
    ".a",
    "a..b",
    "é",
    "日本",
    "\U0001f600",
    "with space",
    'quo"te',
    "back`tick",
    "\n",
    "\0",
    "k" * 200,
    "SKIP",
]


@pytest.mark.parametrize("mode", ["exact", "text"])
@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_keys(impl: str, key: str, mode: str) -> None:
    data = key.encode()
    length = bytes([len(data)]) if len(data) < 128 else bytes([len(data) & 0x7F | 0x80, len(data) >> 7])
    assert cell(impl, {key: 1}, json=mode) == b"\1" + length + data + ONE
    assert list(tree(impl, {"outer": {key: 1}}, json=mode)) == [f"outer.{key}"]
    assert list(tree(impl, {key: {"inner": 1}}, json=mode)) == [f"{key}.inner"]
    assert cell(impl, {Text(key): 1}, json=mode) == cell(impl, {key: 1}, json=mode)


@pytest.mark.parametrize("mode", ["exact", "text", "string"])
@pytest.mark.parametrize("key", [1, None, 1.5, b"a", ("a",), True], ids=repr)
def test_keys_that_are_no_text(impl: str, key: Any, mode: str) -> None:
    for value in ({key: 1}, {"a": {key: 1}}, {"a": [{key: 1}]}):
        assert "str" in refusal(impl, value, json=mode).reason


# --- collisions ---------------------------------------------------------------------------------

COLLIDING: list[tuple[Any, str, Any, Any]] = [
    ({"a": {"b": 1}, "a.b": 2}, "a.b", 1, 2),
    ({"a.b": 1, "a": {"b": 2}}, "a.b", 1, 2),
    ({"a": {"b.c": 1, "b": {"c": 2}}}, "a.b.c", 1, 2),
    ({"a": {"b": {"c": 1}}, "a.b": {"c": 2}}, "a.b.c", 1, 2),
    ({"": {"": 1}, ".": 2}, ".", 1, 2),
    ({"x": 9, "a": {"b": 1}, "y": 9, "a.b": 2, "z": {"q": 9}}, "a.b", 1, 2),
]


@pytest.mark.parametrize(("document", "path", "first", "last"), COLLIDING)
def test_collisions(impl: str, document: Any, path: str, first: int, last: int) -> None:
    for mode in ("exact", "text"):
        kept = {
            rule: tree(impl, document, json=mode, duplicate_paths=rule)[path][1] for rule in ("first", "last")
        }
        assert kept == {"first": first.to_bytes(8, "little"), "last": last.to_bytes(8, "little")}
        error = refusal(impl, document, json=mode, duplicate_paths="error")
        assert error.reason == "two keys flatten to this path"
        assert error.path == f"$.{path}"
    assert cell(impl, document) == cell(impl, document, duplicate_paths="last")
    assert refusal(impl, document, json="text").reason == "two keys flatten to this path"


@pytest.mark.parametrize("rule", ["first", "last", "error"])
@pytest.mark.parametrize("mode", ["exact", "text"])
def test_a_null_collides_with_nothing(impl: str, rule: Any, mode: str) -> None:
    for document in ({"a.b": None, "a": {"b": 1}}, {"a": {"b": 1}, "a.b": None}, {"a": {"b": 1}, "a.b": {}}):
        assert cell(impl, document, json=mode, duplicate_paths=rule) == b"\1\3a.b" + ONE


def test_a_path_may_be_the_beginning_of_another(impl: str) -> None:
    for document in ({"a": 1, "a.b": 2}, {"a.b": 2, "a": 1}):
        assert set(tree(impl, document)) == {"a", "a.b"}
        assert set(tree(impl, document, json="text")) == {"a", "a.b"}


def test_collisions_inside_arrays(impl: str) -> None:
    inner = {"a": {"b": 1}, "a.b": 2}
    one = b"\1\3a.b" + TWO
    level = bytes.fromhex("3000800210000000")
    assert cell(impl, {"l": [inner]}) == b"\1\1l\x1e" + level + b"\1" + one
    assert cell(impl, {"p.q": 1, "p": {"r": 1}, "l": [inner]}) == (
        b"\3\3p.q" + ONE + b"\3p.r" + ONE + b"\1l\x1e" + level + b"\1" + one
    )
    assert refusal(impl, {"l": [1, inner]}, duplicate_paths="error").reason == "two keys flatten to this path"


def test_collisions_with_declared_paths(impl: str) -> None:
    column = "JSON(`a.b` UInt8)"
    document = {"a.b": 5, "a": {"b": 6}}
    assert cell(impl, document, column) == b"\1\3a.b\6"
    assert cell(impl, document, column, duplicate_paths="first") == b"\1\3a.b\5"
    assert refusal(impl, document, column, duplicate_paths="error").path == "$.a.b"


@pytest.mark.parametrize(("rule", "expected"), [("first", ONE), ("last", TWO)])
def test_a_key_twice_in_text(impl: str, rule: Any, expected: bytes) -> None:
    text = '{"a": 1, "a": 2}'
    assert cell(impl, text, duplicate_paths=rule) == b"\1\1a" + expected
    assert "'a' twice" in refusal(impl, text, duplicate_paths="error").reason
    assert "'a' twice" in refusal(impl, text, json="text").reason
    assert "'c' twice" in refusal(impl, '{"b": [{"c": 1, "c": 2}]}', json="text").reason


# --- SKIP ---------------------------------------------------------------------------------------

SKIPPING: list[tuple[str, Any, list[str]]] = [
    ("JSON(SKIP a)", {"a": 1, "ab": 1, "b": {"a": 1}}, ["ab", "b.a"]),
    ("JSON(SKIP a)", {"a": {"b": 1, "c": {"d": 1}}, "x": 1}, ["x"]),
    ("JSON(SKIP a.b)", {"a": {"b": 1, "c": 1}, "a.b": 2, "a.bc": 1}, ["a.c", "a.bc"]),
    ("JSON(SKIP a, SKIP b.c)", {"a": 1, "b": {"c": {"d": 1}, "e": 1}}, ["b.e"]),
    ("JSON(SKIP REGEXP 'a')", {"xax": 1, "b": {"za": 1, "q": 1}, "a": {"q": 1}}, ["b.q"]),
    ("JSON(SKIP REGEXP '^a$')", {"a": {"q": 1}, "c": {"a": 1}, "ab": 1}, ["c.a", "ab"]),
    ("JSON(SKIP REGEXP '\\\\.x$')", {"x": 1, "b": {"x": 1, "y": 1}}, ["x", "b.y"]),
    ("JSON(a UInt8, SKIP REGEXP 'b')", {"a": 1, "b": 1, "c": 1}, ["a", "c"]),
]


@pytest.mark.parametrize("mode", ["exact", "text"])
@pytest.mark.parametrize(("column", "document", "paths"), SKIPPING)
def test_skip(impl: str, column: str, document: Any, paths: list[str], mode: str) -> None:
    assert list(tree(impl, document, column, json=mode, duplicate_paths="last")) == paths
    assert list(tree(impl, json.dumps(document), column, json=mode, duplicate_paths="last")) == paths


def test_what_is_skipped_is_not_looked_at(impl: str) -> None:
    document = {"a": object(), "b": 1}
    assert cell(impl, document, "JSON(SKIP a)") == b"\1\1b" + ONE


def test_skip_does_not_reach_into_arrays(impl: str) -> None:
    """The engine gives the rules of a column to no object inside an array."""
    ((document,),) = canonical.rows(cell(impl, {"l": [{"a": 1}]}, "JSON(SKIP a)"), ["JSON(SKIP a)"])
    assert "a" in document["l"][1][0]


def test_an_expression_that_python_cannot_read() -> None:
    from rowbinary import SchemaError

    with pytest.raises(SchemaError, match="SKIP REGEXP"):
        encode_rows("j JSON(SKIP REGEXP '(')", [({},)])


# --- declared paths -----------------------------------------------------------------------------


def test_declared_paths_have_no_tag(impl: str) -> None:
    column = "JSON(a UInt8, b.c String, d Array(UInt8), e Nullable(Int8), f LowCardinality(Nullable(String)))"
    document = {"a": 5, "b": {"c": "x"}, "d": [1], "e": None, "f": None, "g": 1}
    expected = b"\6\1a\5\3b.c\1x\1d\1\1\1e\1\1f\1\1g" + ONE
    for mode in ("exact", "text"):
        assert cell(impl, document, column, json=mode) == expected
    assert cell(impl, {"b.c": "x"}, column) == b"\1\3b.c\1x"


def test_null_leaves_a_declared_path_out(impl: str) -> None:
    for column in (
        "JSON(a UInt8)",
        "JSON(a String)",
        "JSON(a Array(UInt8))",
        "JSON(a Tuple(UInt8))",
        "JSON(a JSON)",
    ):
        assert cell(impl, {"a": None}, column) == b"\0"
    assert cell(impl, {"a": None}, "JSON(a Nullable(UInt8))") == b"\1\1a\1"
    assert cell(impl, {"a": None}, "JSON(a Variant(UInt8, String))") == b"\1\1a\xff"
    assert cell(impl, {"a": None}, "JSON(a Dynamic)") == b"\1\1a\0"


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("JSON(a UInt8)", {"a": 300}, "out of range"),
        ("JSON(a UInt8)", {"a": {"b": 1}}, "not a number"),
        ("JSON(a String)", {"a": 1}, "neither str nor bytes"),
        ("JSON(a JSON)", {"a": 1}, "neither an object nor JSON text"),
        ("JSON(a.b UInt8)", {"a": {"b": "x"}}, "not a whole decimal number"),
        ("JSON(a UInt8)", {"a": typed(1, "Int8")}, "it is typed as Int8"),
    ],
)
def test_declared_paths_are_strict(impl: str, column: str, value: Any, reason: str) -> None:
    assert reason in refusal(impl, value, column).reason


def test_an_object_may_stand_above_a_declared_path(impl: str) -> None:
    column = "JSON(a.b UInt8)"
    assert cell(impl, {"a": {"b": 1, "c": 1}}, column) == b"\2\3a.b\1\3a.c" + ONE
    assert cell(impl, {"a": 1}, column) == b"\1\1a" + ONE


COERCED: list[tuple[str, Any, bytes]] = [
    ("UInt32", "7", b"\7\0\0\0"), ("UInt32", 1.5, b"\1\0\0\0"), ("UInt32", True, b"\1\0\0\0"),
    ("String", 1, b"\0011"),
    ("String", True, b"\4true"), ("String", [1, 2], b"\5[1,2]"), ("Bool", 1, b"\1"),
    ("Date", "1970-01-02", b"\1\0"),
    ("DateTime64(3)", 1.5, (1500).to_bytes(8, "little")),
    ("Decimal(9, 2)", "1.23", (123).to_bytes(4, "little")),
    ("Array(UInt8)", [1, "2"], b"\2\1\2"), ("Array(UInt8)", [None], b"\1\0"),
    ("Dynamic", "1970-01-02", b"\x0f\1\0"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "value", "expected"), COERCED)
def test_text_mode_coerces_as_the_server_does(impl: str, type_: str, value: Any, expected: bytes) -> None:
    column = f"JSON(a {type_})"
    assert cell(impl, {"a": value}, column, json="text") == b"\1\1a" + expected
    assert cell(impl, json.dumps({"a": value}), column, json="text") == b"\1\1a" + expected


# --- depth --------------------------------------------------------------------------------------


def nested(levels: int, leaf: Any = 1) -> Any:
    for _ in range(levels):
        leaf = {"a": leaf}
    return leaf


@pytest.mark.parametrize("mode", ["exact", "text", "string"])
def test_depth_limit(impl: str, mode: str) -> None:
    """`MAX_DEPTH` objects in one another are written, one more is not."""
    assert cell(impl, nested(MAX_DEPTH), json=mode)
    assert f"nested deeper than {MAX_DEPTH} levels" in refusal(impl, nested(MAX_DEPTH + 2), json=mode).reason


@pytest.mark.parametrize("mode", ["exact", "text"])
def test_depth_of_lists_and_objects_counts_together(impl: str, mode: str) -> None:
    value: Any = {"a": 1}
    for _ in range(MAX_DEPTH // 2 - 1):
        value = {"a": [value]}
    assert cell(impl, value, json=mode)
    value = {"a": [{"a": [value]}]}
    assert "deep" in refusal(impl, value, json=mode).reason


# --- arrays of objects --------------------------------------------------------------------------

LEVELS = [
    ("JSON", ["80021000", "400800", "100400"]),
    ("JSON(max_dynamic_types=8, max_dynamic_paths=64)", ["100400", "040200", "010100"]),
    ("JSON(max_dynamic_types=33, max_dynamic_paths=10)", ["021000", "000800", "000400"]),
    ("JSON(max_dynamic_types=254)", ["80027f00", "403f00", "101f00"]),
    ("JSON(max_dynamic_types=0, max_dynamic_paths=0)", ["000000", "000000", "000000"]),
]


@pytest.mark.parametrize("mode", ["exact", "text"])
@pytest.mark.parametrize(("column", "limits"), LEVELS)
def test_limits_of_objects_in_arrays(impl: str, column: str, limits: list[str], mode: str) -> None:
    """A quarter of the paths and half of the types, at each level of objects."""
    document = {"a": [{"b": [{"c": [{"d": 1}]}]}]}
    body = cell(impl, document, column, json=mode).hex()
    expected = "010161"
    for name, tag in zip(("62", "63", "64"), limits, strict=True):
        expected += (
            "1e3000" + tag.ljust(len(tag) // 2 * 2, "0").removesuffix("00") + "000000" + "01" + "0101" + name
        )
    assert body == expected + ONE.hex()


# --- text in a cell -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make", [str, str.encode, lambda t: bytearray(t.encode()), lambda t: memoryview(t.encode())]
)
def test_json_text(impl: str, make: Any) -> None:
    text = (
        '{"a": {"b": 1}, "s": "2020-01-01", "f": 1.0, "big": 123456789012345678901234567890, "l": [1, null]}'
    )
    for mode in ("exact", "text"):
        assert cell(impl, make(text), json=mode) == cell(impl, json.loads(text), json=mode)
    assert cell(impl, make(text), json="string") == bytes([len(text)]) + text.encode()


NO_DOCUMENT = [
    "",
    "[1]",
    "1",
    '"a"',
    "{",
    '{"a": NaN}',
    '{"a": Infinity}',
    '{"a": 1e400}',
    '{"a": 01}',
    "{'a': 1}",
    b"\xff",
    b'{"a": "\xff"}',
    '{"a": 1} x',
]


@pytest.mark.parametrize("mode", ["exact", "text"])
@pytest.mark.parametrize("text", NO_DOCUMENT, ids=repr)
def test_text_that_is_no_document(impl: str, text: Any, mode: str) -> None:
    reason = refusal(impl, text, json=mode).reason
    assert "JSON text" in reason


@pytest.mark.parametrize("mode", ["exact", "text", "string"])
@pytest.mark.parametrize("value", [1, 1.5, True, [1], ("a",), {1}, dt.date(2020, 1, 1)], ids=repr)
def test_what_is_no_document(impl: str, value: Any, mode: str) -> None:
    assert refusal(impl, value, json=mode).reason == "neither an object nor JSON text"


# --- json="string" ------------------------------------------------------------------------------

TEXTS: list[tuple[Any, str]] = [
    ({"a": 1, "b": [1.5, None, True, "é"]}, '{"a":1,"b":[1.5,null,true,"é"]}'),
    ({}, "{}"),
    (None, "{}"),
    (
        {"d": dt.date(2020, 1, 2), "u": dt.datetime(2020, 1, 2, tzinfo=dt.UTC)},
        '{"d":"2020-01-02","u":"2020-01-02T00:00:00+00:00"}',
    ),
    ({"n": float("nan"), "b": b"x", "t": (1, {2})}, '{"n":null,"b":"x","t":[1,[2]]}'),
    ({"a": {"b": 1}, "a.b": 2}, '{"a":{"b":1},"a.b":2}'),
    ({"t": typed(5, "UInt8"), "r": Record(1, "x")}, '{"t":5,"r":{"a":1,"b":"x"}}'),
    ("anything, {", "anything, {"),
]


@pytest.mark.parametrize(("value", "text"), TEXTS)
def test_string_mode(impl: str, value: Any, text: str) -> None:
    data = text.encode()
    assert cell(impl, value, json="string") == bytes([len(data)]) + data
    if value is not None:
        assert cell(impl, [value], "Array(JSON)", json="string") == b"\1" + bytes([len(data)]) + data


def test_string_mode_inside_other_values(impl: str) -> None:
    tag = bytes.fromhex("3000800820000000")
    assert cell(impl, {"a": 1}, "Dynamic", json="string") == tag + b'\7{"a":1}'
    assert cell(impl, [{"a": 1}, None], "Dynamic", json="string") == b"\x1e\x23" + tag + b'\2\0\7{"a":1}\1'
    assert cell(impl, {"a": 1}, "Nullable(JSON)", json="string") == b'\0\7{"a":1}'
    assert cell(impl, {"k": {"a": 1}}, "Map(String, JSON)", json="string") == b'\1\1k\7{"a":1}'
    assert cell(impl, {"a": 1}, "Variant(JSON, UInt8)", json="string") == b'\0\7{"a":1}'


def test_string_mode_leaves_the_rules_to_the_server(impl: str) -> None:
    column = "JSON(a UInt8, SKIP b)"
    assert cell(impl, {"a": "x", "b": 1}, column, json="string") == b'\x0f{"a":"x","b":1}'


def test_modes_differ_where_they_should(impl: str) -> None:
    document = {"s": "2020-01-01", "big": 2**64, "nan": float("nan"), "l": [1, True]}
    exact = tree(impl, document)
    assert [exact[path][0] for path in ("s", "big", "nan")] == ["String", "Int128", "Float64"]
    assert exact["l"][0] == "Array(Dynamic(max_types=32))"
    text = tree(impl, document, json="text")
    assert text["s"][0] == "Date"
    assert text["big"] == ("String", str(2**64).encode())
    assert "nan" not in text
    assert text["l"][0] == "Array(Nullable(Int64))"


def test_typed_values_in_documents(impl: str) -> None:
    document = {
        "a": typed(1, "UInt8"),
        "b": {"c": typed([1], "Array(UInt16)")},
        "d": typed(None, "Nullable(Int8)"),
    }
    assert cell(impl, document) == b"\2\1a\1\1\3b.c\x1e\2\1\1\0"
    assert (
        cell(impl, {"a": typed({"x": 1}, "JSON")})
        == b"\1\1a" + bytes.fromhex("3000800820000000") + b"\1\1x" + ONE
    )


def test_columns_are_independent(impl: str) -> None:
    columns = [("a", "JSON"), ("b", "JSON(x UInt8)"), ("c", "Array(JSON)"), ("d", "JSON(SKIP x)")]
    document = {"x": 1}
    body = encode_rows(columns, [(document, document, [document, {}], document)] * 3, implementation=impl)
    assert body == (b"\1\1x" + ONE + b"\1\1x\1" + b"\2\1\1x" + ONE + b"\0" + b"\0") * 3


def test_more_paths_than_the_cache_of_rules_holds(impl: str) -> None:
    column = "JSON(k1 UInt8, SKIP k2)"
    document = {f"k{n}": 1 for n in range(25_000)}
    for _ in range(2):
        paths = tree(impl, document, column)
        assert len(paths) == 24_999
        assert paths["k1"] == b"\1"
    assert parse_type(column) == parse_type("JSON(`k1` UInt8, SKIP `k2`)")
