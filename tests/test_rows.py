"""Rows of every shape, from every kind of source; cells that are missing or too many; flattened Nested."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import sqlite3
import types
from typing import Any, NamedTuple

import numpy as np
import pytest

import rowbinary
from rowbinary import DEFAULT, EncodeError, Encoder, Schema, encode_rows, iter_encode, parse_type

COLUMNS = "a UInt8, b String"

# --- rows ---------------------------------------------------------------------------------------


class Row(NamedTuple):
    a: int
    b: str


@dataclasses.dataclass
class Data:
    b: str
    a: int


@dataclasses.dataclass(slots=True, frozen=True)
class Slots:
    a: int
    b: str


class Attributes:
    def __init__(self) -> None:
        self.a, self.b = 1, "x"


class Properties:
    __slots__ = ()
    a = property(lambda self: 1)
    b = property(lambda self: "x")


class Lookup:
    """Like the rows of database drivers: keys and item access, no mapping."""

    def keys(self) -> list[str]:
        return ["b", "a"]

    def __getitem__(self, key: str) -> Any:
        return {"a": 1, "b": "x"}[key]


def sqlite_row() -> Any:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    try:
        return connection.execute("SELECT 'x' AS b, 1 AS a").fetchone()
    finally:
        connection.close()


SHAPES: dict[str, Any] = {
    "tuple": (1, "x"),
    "list": [1, "x"],
    "dict": {"a": 1, "b": "x"},
    "dict in another order": {"b": "x", "a": 1},
    "dict of other keys": {"".join(["", "a"]): 1, "".join(["b", ""]): "x"},
    "named tuple": Row(1, "x"),
    "dataclass": Data("x", 1),
    "dataclass with slots": Slots(1, "x"),
    "attributes": Attributes(),
    "properties": Properties(),
    "namespace": types.SimpleNamespace(a=1, b="x"),
    "mapping proxy": types.MappingProxyType({"a": 1, "b": "x"}),
    "ordered dict": collections.OrderedDict(b="x", a=1),
    "chain map": collections.ChainMap({"a": 1}, {"b": "x"}),
    "lookup": Lookup(),
    "sqlite": sqlite_row(),
    "deque": collections.UserList([1, "x"]),
    "numpy record": np.array([(1, "x")], dtype=[("a", "u1"), ("b", "U1")])[0],
    "numpy objects": np.array([1, "x"], dtype=object),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(impl: str, shape: str) -> None:
    row = SHAPES[shape]
    assert encode_rows(COLUMNS, [row, row], implementation=impl) == b"\1\1x\1\1x"


def test_pandas_rows(impl: str) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"b": ["x", "y"], "a": [1, 2]})
    expected = b"\1\1x\2\1y"
    assert encode_rows(COLUMNS, (row for _, row in frame.iterrows()), implementation=impl) == expected
    assert encode_rows(COLUMNS, frame[["a", "b"]].itertuples(index=False), implementation=impl) == expected
    assert encode_rows(COLUMNS, frame.to_dict("records"), implementation=impl) == expected


def test_numpy_matrix(impl: str) -> None:
    assert encode_rows("a UInt8, b UInt8", np.array([[1, 2], [3, 4]]), implementation=impl) == b"\1\2\3\4"


@pytest.mark.parametrize(
    "source",
    [
        lambda rows: rows,
        tuple,
        iter,
        lambda rows: (row for row in rows),
        collections.deque,
        lambda rows: map(tuple, rows),
        lambda rows: itertools.chain(rows[:1], rows[1:]),
        lambda rows: dict.fromkeys(rows),
        lambda rows: dict(enumerate(rows)).values(),
    ],
)
def test_sources(impl: str, source: Any) -> None:
    rows = [(1, "x"), (2, "y"), (3, "z")]
    expected = b"\1\1x\2\1y\3\1z"
    assert encode_rows(COLUMNS, source(rows), implementation=impl) == expected
    assert b"".join(iter_encode(COLUMNS, source(rows), chunk_bytes=1, implementation=impl)) == expected
    encoder = Encoder(COLUMNS, implementation=impl)
    encoder.write_rows(source(rows))
    assert encoder.take() == expected


def test_an_iterator_goes_on_behind_the_bad_row(impl: str) -> None:
    for source in (iter([(1,), (-1,), (2,), (-2,), (3,)]), ((n,) for n in (1, -1, 2, -2, 3))):
        encoder = Encoder("a UInt8", implementation=impl)
        failures = 0
        while True:
            try:
                encoder.write_rows(source)
                break
            except EncodeError:
                failures += 1
        assert (failures, encoder.take()) == (2, b"\1\2\3")


def test_no_rows(impl: str) -> None:
    for rows in (None, 5):
        with pytest.raises(TypeError):
            encode_rows(COLUMNS, rows, implementation=impl)  # type: ignore[arg-type]
    assert list(iter_encode(COLUMNS, [], implementation=impl)) == []


@pytest.mark.parametrize(
    "schema",
    [
        "a UInt8, b String",
        [("a", "UInt8"), ("b", "String")],
        (("a", parse_type("UInt8")), ["b", "String"]),
        {"a": "UInt8", "b": parse_type("String")},
        Schema.parse("a UInt8, b String"),
    ],
)
def test_schemas(impl: str, schema: Any) -> None:
    assert encode_rows(schema, [(1, "x")], implementation=impl) == b"\1\1x"
    assert Encoder(schema, implementation=impl).schema == Schema.parse(COLUMNS)


# --- cells that are not there -------------------------------------------------------------------


def test_missing_keys(impl: str) -> None:
    for row in ({"a": 1}, Lookup(), types.SimpleNamespace(a=1), {}):
        with pytest.raises(EncodeError, match="no value for"):
            encode_rows("a UInt8, missing UInt8", [row], extra="ignore", implementation=impl)
    body = encode_rows(COLUMNS, [{"b": "x"}, {}], format="RowBinaryWithDefaults", implementation=impl)
    assert body == b"\1\0\1x" + b"\1\1"


ZEROS = {
    "UInt8": b"\0", "Int256": bytes(32), "Float64": bytes(8), "Bool": b"\0", "String": b"\0",
    "FixedString(3)": bytes(3), "Date": bytes(2),
    "DateTime64(3)": bytes(8), "UUID": bytes(16), "IPv6": bytes(16), "Enum8('a' = 3, 'b' = -2)": b"\xfe",
    "Enum16('a' = 300)": b"\x2c\1",
    "Nullable(String)": b"\1", "LowCardinality(String)": b"\0", "LowCardinality(Nullable(String))": b"\1",
    "Array(UInt8)": b"\0",
    "Tuple(UInt8, Nullable(Int8), Array(Int8))": b"\0\1\0", "Map(String, Int8)": b"\0",
    "Variant(String, UInt8)": b"\xff", "Dynamic": b"\0",
    "JSON": b"\0", "Nested(a UInt8)": b"\0", "Decimal(38, 3)": bytes(16),
    "QBit(Float32, 2)": b"\2" + bytes(8), "Point": bytes(16),
    "SimpleAggregateFunction(max, UInt16)": bytes(2), "IntervalDay": bytes(8), "Geometry": b"\xff",
}  # fmt: skip


@pytest.mark.parametrize("column", ZEROS)
def test_zeros_for_missing_keys(impl: str, column: str) -> None:
    columns = [("id", "UInt8"), ("c", column)]
    assert encode_rows(columns, [{"id": 7}], missing="zero", implementation=impl) == b"\7" + ZEROS[column]


def test_zeros_for_missing_elements(impl: str) -> None:
    column = "c Tuple(a UInt8, b String, c Array(UInt8))"
    assert encode_rows(column, [({"b": "x"},)], missing="zero", implementation=impl) == b"\0\1x\0"
    with pytest.raises(EncodeError, match="element 'a' is missing"):
        encode_rows(column, [({"b": "x"},)], implementation=impl)
    with pytest.raises(EncodeError, match="unknown element 'z'"):
        encode_rows(column, [({"b": "x", "z": 1},)], missing="zero", implementation=impl)


def test_extra_keys(impl: str) -> None:
    rows = [{"a": 1, "b": "x", "z": object()}, {"z": 1, "b": "x", "y": 2, "a": 1}]
    assert encode_rows(COLUMNS, rows, extra="ignore", implementation=impl) == b"\1\1x\1\1x"
    for row in rows:
        with pytest.raises(EncodeError, match="which is no column"):
            encode_rows(COLUMNS, [row], implementation=impl)
    with pytest.raises(EncodeError, match="no value for"):
        encode_rows(COLUMNS, [{"a": 1, "B": "x"}], extra="ignore", implementation=impl)


# --- flattened Nested ---------------------------------------------------------------------------

NESTED = "id UInt8, n.a Array(UInt8), n.b Array(String), m.a Array(UInt8), `other.a` UInt8"


def test_arrays_of_one_nested_are_equally_long(impl: str) -> None:
    good = [(1, [1, 2], ["x", "y"], [], 5), (1, [], (), [1, 2, 3], 5)]
    assert len(encode_rows(NESTED, good, implementation=impl)) > 0
    bad: Any
    for bad in (
        (1, [1, 2], ["x"], [], 5),
        (1, [], ["x"], [], 5),
        {"id": 1, "n.a": [1], "n.b": [], "m.a": [], "other.a": 1},
    ):
        with pytest.raises(
            EncodeError, match=r"arrays of one Nested differ in length \(n\.a: \d, n\.b: \d\)"
        ) as caught:
            encode_rows(NESTED, [bad], implementation=impl)
        assert caught.value.column is None
    with pytest.raises(EncodeError, match=r"n\.a: 2, n\.b: 0"):
        encode_rows(
            NESTED, [{"id": 1, "n.a": [1, 2], "m.a": [], "other.a": 1}], missing="zero", implementation=impl
        )


def test_lengths_that_the_server_decides_are_not_compared(impl: str) -> None:
    body = encode_rows(
        "n.a Array(UInt8), n.b Array(UInt8)",
        [([1, 2], DEFAULT)],
        format="RowBinaryWithDefaults",
        implementation=impl,
    )
    assert body == b"\0\2\1\2\1"


@pytest.mark.parametrize("wrap", [tuple, set, np.array, lambda items: rowbinary.typed(items, "Array(UInt8)")])
def test_lengths_of_any_sequence(impl: str, wrap: Any) -> None:
    columns = "n.a Array(UInt8), n.b Array(UInt8)"
    assert encode_rows(columns, [([1, 2], wrap([1, 2]))], implementation=impl) == b"\2\1\2\2\1\2"
    with pytest.raises(EncodeError, match=r"n\.a: 3, n\.b: 2"):
        encode_rows(columns, [([1, 2, 3], wrap([1, 2]))], implementation=impl)
