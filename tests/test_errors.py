"""Errors say where and what: row, column, path, type, value, reason, in that order."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import rowbinary
from rowbinary import EncodeError, RowBinaryError, SchemaError, encode_rows
from rowbinary._badvalue import describe, explain, format_path
from rowbinary.errors import shorten


def error_of(impl: str, schema: Any, rows: Any, **choices: Any) -> EncodeError:
    with pytest.raises(EncodeError) as caught:
        encode_rows(schema, rows, implementation=impl, **choices)
    return caught.value


def test_classes() -> None:
    assert issubclass(EncodeError, RowBinaryError)
    assert issubclass(EncodeError, ValueError)
    assert issubclass(SchemaError, RowBinaryError)
    assert issubclass(SchemaError, ValueError)
    assert issubclass(rowbinary.DecodeError, RowBinaryError)


def test_attributes(impl: str) -> None:
    error = error_of(impl, "id UInt64, tags Array(UInt8)", [(1, []), (2, [1, 2, 300])])
    assert (error.row, error.column, error.path) == (1, "tags", "$[2]")
    assert (error.type, error.value) == ("UInt8", "int 300")
    assert error.reason == "out of range 0 .. 255"
    assert str(error) == "row 1, column 'tags', path $[2]: expected UInt8, got int 300: out of range 0 .. 255"


PATHS = [
    ("c Array(Array(UInt8))", [[1], [2, -1]], "$[1][1]"),
    ("c Tuple(a UInt8, b Tuple(UInt8, UInt8))", {"a": 1, "b": (1, "x")}, "$.b[1]"),
    ("c Map(String, Array(UInt8))", {"k": [1], "key": [-1]}, "$['key'][0]"),
    ("c Map(UInt8, UInt8)", {300: 1}, "$[300]"),
    ("c Nested(a UInt8, b UInt8)", [(1, 2), {"a": 1, "b": -1}], "$[1].b"),
    ("c Nullable(UInt8)", -1, "$"),
    ("c LowCardinality(Nullable(String))", 5, "$"),
    ("c JSON(a.b UInt8)", {"a": {"b": -1}}, "$.a.b"),
    ("c JSON", {"a": {"b": 2**300}}, "$.a.b"),
    ("c JSON", {"a": [{"b": 1}, {"b": {"c": 2**300}}]}, "$.a[1].b.c"),
    ("c Array(JSON(a UInt8))", [{}, {"a": "x"}], "$[1].a"),
    ("c Variant(Array(UInt8), String)", [300], "$"),
    ("c QBit(Float32, 2)", [1, "x"], "$[1]"),
    ("c Polygon", [[(0, 0), (1, "x")]], "$[0][1][1]"),
]


@pytest.mark.parametrize(("schema", "value", "path"), PATHS)
def test_paths(impl: str, schema: str, value: Any, path: str) -> None:
    error = error_of(impl, schema, [(value,)])
    assert error.path == path
    assert ("path " in str(error)) == (path != "$")


@pytest.mark.parametrize("mode", ["exact", "text"])
def test_paths_of_declared_paths(impl: str, mode: str) -> None:
    error = error_of(impl, "c JSON(q Array(UInt8))", [({"q": [1, 2, "x"]},)], json=mode)
    assert error.path == "$.q[2]"
    assert error.type == "UInt8"


def test_keys_that_are_no_text(impl: str) -> None:
    error = error_of(impl, "c JSON", [({"a": {"b": {1: 2}}},)])
    assert (error.path, error.value) == ("$.a.b", "int 1")


def test_the_value_of_a_deep_error_is_the_part_at_fault(impl: str) -> None:
    value: Any = 1
    for _ in range(200):
        value = [value]
    error = error_of(impl, "c JSON", [({"big": "x", "q": value},)])
    assert error.path is not None
    assert error.path.startswith("$.q[0][0]")
    assert error.type == "Dynamic"
    assert str(error.value).startswith("list [[[")


ROWS = [
    ((1,), "the row has 1 values, the schema 2 columns"),
    ([1, 2, 3], "the row has 3 values, the schema 2 columns"),
    ({"a": 1, "b": 2, "z": 3}, "the row has a value for str 'z', which is no column"),
    ("ab", "a row must have fields, not be str 'ab'"),
    (b"ab", "a row must have fields, not be bytes b'ab'"),
    (5, "not a row: int 5"),
    (None, "not a row: NoneType None"),
    ({1, 2}, "not a row: set {1, 2}"),
]


@pytest.mark.parametrize(("row", "reason"), ROWS)
def test_rows_at_fault(impl: str, row: Any, reason: str) -> None:
    error = error_of(impl, "a UInt8, b UInt8", [(1, 2), row])
    assert (error.row, error.column, error.path, error.type, error.value) == (1, None, "$", None, None)
    assert error.reason == reason
    assert str(error) == f"row 1: {reason}"


def test_a_missing_column_is_named(impl: str) -> None:
    error = error_of(impl, "a UInt8, b UInt8", [{"a": 1}])
    assert "b" in str(error)
    assert error.row == 0


def test_long_values_are_cut(impl: str) -> None:
    for value in ("x" * 10**6, b"x" * 10**6, list(range(10**5)), {n: n for n in range(10**4)}, 10**4000):
        error = error_of(impl, "c UUID", [(value,)])
        assert len(str(error.value)) < 100
        assert len(str(error)) < 200


def test_long_types_and_paths_are_cut(impl: str) -> None:
    labels = ", ".join(f"'label{n}' = {n}" for n in range(1000))
    error = error_of(impl, f"c Enum16({labels})", [("x",)])
    assert len(str(error.type)) > 10_000
    assert len(str(error)) < 300
    error = error_of(impl, "c JSON", [({"k" * 10**5: {"l" * 10**5: 2**300}},)])
    assert len(error.path) <= 400


def test_pickle_and_copy(impl: str) -> None:
    error = error_of(impl, "c Array(UInt8)", [([1, -1],)])
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is EncodeError
        assert str(twin) == str(error)
        assert vars(twin) == vars(error)
    with pytest.raises(SchemaError) as caught:
        rowbinary.parse_type("Nope(")
    twin = pickle.loads(pickle.dumps(caught.value))
    assert (str(twin), twin.position) == (str(caught.value), caught.value.position)


def test_the_cause_is_kept(impl: str) -> None:
    class Fails:
        def __index__(self) -> int:
            raise ZeroDivisionError("by zero")

    error = error_of(impl, "c UInt8", [(Fails(),)])
    assert error.reason == "the value raised ZeroDivisionError: by zero"
    assert isinstance(error.__cause__, ZeroDivisionError)
    assert error_of(impl, "c UInt8", [(-1,)]).__cause__ is None


def test_describe() -> None:
    assert describe(5) == "int 5"
    assert describe(b"a") == "bytes b'a'"
    assert describe(b"x" * 50) == f"bytes {b'x' * 40!r}..."
    assert describe(10**5000).startswith("int ")
    assert len(describe(10**5000)) < 100
    assert describe([[[[[1]]]]]) == "list [[[[...]]]]"
    assert describe(type("Point", (tuple,), {})((1, 2))) == "Point <Point of 2 elements>"
    assert describe(rowbinary.typed([1] * 9, "Array(Int8)")).startswith(
        "Typed typed([1, 1, 1, 1, ...], 'Array(Int8)')"
    )


def test_explain() -> None:
    assert explain(ValueError("why")) == "the value raised ValueError: why"
    assert explain(ValueError()) == "the value raised ValueError"
    assert explain(RecursionError("anything")) == (
        "the value raised RecursionError: it is nested too deeply for the stack of the caller"
    )
    assert len(explain(ValueError("x" * 10_000))) < 150


def test_format_path() -> None:
    assert format_path([]) == "$"
    assert format_path([3, "tags"]) == "$.tags[3]"
    assert format_path([("key",), 0]) == "$[0]['key']"


def test_shorten() -> None:
    assert shorten("abc", 3) == "abc"
    assert shorten("abcdef", 5) == "ab..."


@pytest.mark.parametrize(
    ("choice", "value"),
    [
        ("format", "rowbinary"),
        ("json", "typed"),
        ("naive", None),
        ("missing", "default"),
        ("extra", True),
        ("duplicate_paths", "both"),
        ("implementation", "rust"),
        ("on_error", "ignore"),
    ],
)
def test_unknown_options(choice: str, value: Any) -> None:
    for call in (rowbinary.encode_rows, rowbinary.iter_encode):
        with pytest.raises(ValueError, match=choice) as caught:
            call("a UInt8", [], **{choice: value})
        assert not isinstance(caught.value, RowBinaryError)
    with pytest.raises(ValueError, match=choice):
        rowbinary.Encoder("a UInt8", **{choice: value})


@pytest.mark.parametrize("chunk_bytes", [0, -1, 1.5, "1"])
def test_bad_chunk_sizes(chunk_bytes: Any) -> None:
    with pytest.raises(ValueError, match="chunk_bytes"):
        rowbinary.iter_encode("a UInt8", [], chunk_bytes=chunk_bytes)
