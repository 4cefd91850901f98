"""Inserts by both clients into every server: rows, columns, formats, values, names, compressions."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import io
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from clients import Facade, Kind, Target, big_rows

import rowbinary
from rowbinary import DEFAULT, EncodeError, SchemaError, ServerError
from rowbinary.protocol import Table

UTC = dt.UTC
COMPRESSIONS = ("lz4", "zstd", "none", "http-gzip", "http-lz4", "http-zstd")


@dataclasses.dataclass
class Row:
    """A row as an object."""

    a: int
    s: str


class OwnIterator:
    """Its own iterator, and no list."""

    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows

    def __iter__(self) -> OwnIterator:
        return self

    def __next__(self) -> Any:
        if not self.rows:
            raise StopIteration
        return self.rows.pop(0)


class OtherList(list[Any]):
    """A list that gives other rows than it holds."""

    def __iter__(self) -> Iterator[Any]:
        yield from ((1, "one"), (2, "two"))


SHAPES: dict[str, Callable[[], Any]] = {
    "lists": lambda: [[1, "one"], [2, "two"]],
    "tuples": lambda: ((1, "one"), (2, "two")),
    "dicts": lambda: [{"s": "one", "a": 1}, {"a": 2, "s": "two"}],
    "mixed": lambda: [{"s": "one", "a": 1}, (2, "two")],
    "generator": lambda: ((n, text) for n, text in ((1, "one"), (2, "two"))),
    "list iterator": lambda: iter([(1, "one"), (2, "two")]),
    "its own iterator": lambda: OwnIterator([(1, "one"), (2, "two")]),
    "list with another iterator": lambda: OtherList([(7, "seven")]),
    "dataclasses": lambda: [Row(1, "one"), Row(2, "two")],
    "dict values": lambda: {5: (1, "one"), 6: (2, "two")}.values(),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_of_every_shape(rows_client: Facade, target: Target, table: str, shape: str) -> None:
    result = rows_client.insert(table, SHAPES[shape]())
    assert result.rows == 2
    assert target.lines(f"SELECT a, s FROM {table} ORDER BY a") == [["1", "one"], ["2", "two"]]


def test_rows_of_many_chunks(rows_client: Facade, target: Target, table: str) -> None:
    assert rows_client.insert(table, big_rows(4000)).rows == 4000
    found = target.lines(f"SELECT count(), uniqExact(a), min(a), max(a), uniqExact(s) FROM {table}")
    assert found == [["4000", "4000", "0", "3999", "1"]]


@pytest.mark.parametrize("rows", [None, 5, {"a": 1}, [1], ["ab"], [None]])
def test_what_are_no_rows(client: Facade, target: Target, table: str, rows: Any) -> None:
    with pytest.raises((TypeError, EncodeError)):
        client.insert(table, rows)
    assert target.count(table) == 0


def test_columns_in_another_order_and_defaults(client: Facade, target: Target) -> None:
    table = target.create(
        "a UInt32, b String DEFAULT concat('b', toString(a)), c Int8, m UInt8 MATERIALIZED 7"
    )
    client.insert(table, [(-1, 1)], columns=["c", "a"])
    client.insert(table, [{"c": -2, "a": 2, "b": "given"}])
    client.insert(table, [(3, "x", -3)])
    assert target.lines(f"SELECT a, b, c, m FROM {table} ORDER BY a") == [
        ["1", "b1", "-1", "7"],
        ["2", "given", "-2", "7"],
        ["3", "x", "-3", "7"],
    ]
    with pytest.raises(SchemaError, match="'m' that can be inserted"):
        client.insert(table, [(1,)], columns=["m"])
    with pytest.raises(ValueError, match="columns must be a list of str"):
        client.insert(table, [(1,)], columns="a")
    assert list(dict(client.create_schema(table))) == ["a", "b", "c"]


@pytest.mark.parametrize("schema", ["s String, a UInt64", [("s", "String"), ("a", "UInt64")]])
def test_a_schema_of_ones_own(client: Facade, target: Target, table: str, schema: Any) -> None:
    client.insert(table, [("x", 1)], schema=schema)
    client.insert(table, [(2,)], ["a"], schema=schema)
    assert target.lines(f"SELECT a, s FROM {table} ORDER BY a") == [["1", "x"], ["2", ""]]


@pytest.mark.parametrize("format", rowbinary._options.FORMATS)
def test_every_format(client: Facade, target: Target, format: str) -> None:
    if format not in ("RowBinary", "Native"):
        target.need_modern(format)
    table = target.create("a UInt64, s String DEFAULT 'none given'")
    client.insert(table, [(1, "x"), {"a": 2, "s": "y"}], format=format)
    expected = [["1", "x"], ["2", "y"]]
    if format.endswith("Defaults"):
        client.insert(table, [{"a": 3}], format=format)
        expected += [["3", "none given"]]
    else:
        with pytest.raises(EncodeError):
            client.insert(table, [{"a": 3}], format=format)
    if format.endswith("Defaults") or format == "Native":
        client.insert(table, [(4, DEFAULT), (5, "z"), {"a": 6, "s": DEFAULT}], format=format)
        expected += [["4", "none given"], ["5", "z"], ["6", "none given"]]
    else:
        with pytest.raises(EncodeError):
            client.insert(table, [(4, DEFAULT)], format=format)
    assert target.lines(f"SELECT a, s FROM {table} ORDER BY a") == expected


@pytest.mark.parametrize("mode", ["exact", "text", "string"])
def test_every_json_mode(client: Facade, target: Target, mode: Any) -> None:
    target.need_modern("JSON")
    table = target.create("id UInt8, j JSON(n UInt8)")
    document = {"n": 5, "deep": {"list": [1, 2], "text": "ä"}, "flag": True}
    client.insert(table, [(1, document)], json=mode)
    found = target.lines(f"SELECT j.n, j.deep.list, j.deep.text, dynamicType(j.flag) FROM {table}")
    assert found == [["5", "[1,2]", "ä", "Bool"]]


def test_on_error_skips_rows(rows_client: Facade, target: Target, table: str) -> None:
    bad: list[tuple[object, int, str | None]] = []
    rows = [(1, "x"), (-1, "y"), (3, "z"), (4, 5), (5, "last")]
    result = rows_client.insert(
        table, rows, on_error=lambda row, n, error: bad.append((row, n, error.column))
    )
    assert (result.rows, [one[0] for one in bad]) == (3, [(-1, "y"), (4, 5)])
    assert [one[2] for one in bad] == ["a", "s"]
    assert target.lines(f"SELECT a FROM {table} ORDER BY a") == [["1"], ["3"], ["5"]]


VALUES: dict[str, tuple[str, list[Any]]] = {
    "decimals": ("Decimal(38, 10)", [decimal.Decimal("-12345678901234567890.0123456789")]),
    "times": ("DateTime64(6, 'UTC')", [dt.datetime(2024, 2, 29, 23, 59, 59, 999999, UTC)]),
    "old times": ("DateTime64(3, 'UTC')", [dt.datetime(1901, 1, 2, 3, 4, 5, 678000, UTC)]),
    "arrays": ("Array(Array(Nullable(Int16)))", [[[1, None], [], [-32768]], []]),
    "maps": ("Map(String, Array(UInt8))", [{"a": [1], "ü": []}, {}]),
    "tuples": ("Tuple(Int8, Nullable(String))", [(1, None), (-1, "y")]),
    "named tuples": ("Tuple(x Int8, y Nullable(String))", [{"x": 1, "y": None}, {"x": -1, "y": "y"}]),
    "variants": ("Variant(Array(UInt8), String, UInt64)", [None, "text", 5, [1, 2]]),
    "dynamics": ("Dynamic", [None, 5, "text", True, [1, 2]]),
    "documents": ("JSON", [{}, {"a": {"b": [1, 2]}, "c": "text"}]),
    "large numbers": ("Int256", [-(2**255), 2**255 - 1]),
    "ids": ("UUID", [uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")]),
    "low cardinality": ("LowCardinality(Nullable(String))", ["x", None, "x"]),
    "enums": ("Enum8('a' = -1, 'b' = 5)", ["a", "b"]),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_come_back_equal(rows_client: Facade, target: Target, name: str) -> None:
    target.need_modern("RowBinaryWithNamesAndTypes, which reads values back")
    type_text, values = VALUES[name]
    table = target.create(f"n UInt32, v {type_text}")
    rows_client.insert(table, list(enumerate(values)))
    result = rows_client.query(f"SELECT n, v FROM {table} ORDER BY n")
    assert result.names == ("n", "v")
    assert [row[1] for row in result] == values


def test_values_of_the_old_server(client: Facade, target: Target) -> None:
    if target.modern:
        pytest.skip("these are read back as values above")
    table = target.create(
        "n UInt64, d Decimal(18, 4), t DateTime('UTC'), l Array(Nullable(Int16)), e Enum8('a' = 1), "
        "i UUID, f FixedString(3), c String, day Date, x Float64"
    )
    day, moment = dt.date(2024, 2, 29), dt.datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC)
    row = (
        2**64 - 1,
        decimal.Decimal("-1.2345"),
        moment,
        [1, None],
        "a",
        uuid.UUID(int=5),
        b"abc",
        "lc",
        day,
        0.5,
    )
    client.insert(table, [row])
    assert target.lines(f"SELECT * FROM {table}") == [[
        "18446744073709551615", "-1.2345", "2024-02-29 01:02:03", "[1,NULL]", "a",
        str(uuid.UUID(int=5)), "abc", "lc", "2024-02-29", "0.5",
    ]]  # fmt: skip


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("count", [1, 2500], ids=["one piece", "many"])
def test_every_compression(client: Facade, target: Target, table: str, compression: str, count: int) -> None:
    if not target.modern and compression in ("http-lz4", "http-zstd"):
        with pytest.raises(ServerError) as info:
            client.insert(table, big_rows(count), compression=compression)
        assert info.value.code == 89
        assert target.count(table) == 0
        return
    assert client.insert(table, big_rows(count), compression=compression).rows == count
    assert target.lines(f"SELECT sum(a), sum(length(s)) FROM {table}") == [
        [str(count * (count - 1) // 2), str(1000 * count)]
    ]


@pytest.mark.parametrize("compression", ["lz4", "none", "http-gzip"])
def test_a_statement_too_long_for_the_url(client: Facade, target: Target, compression: str) -> None:
    names = [f"a_column_with_a_long_name_{number:04}_{'x' * 100}" for number in range(400)]
    table = target.create(", ".join(f"{name} UInt16" for name in names))
    for width in (400, 399):  # all of them, and a list of columns
        client.insert(table, [range(width)] * 2, names[:width], compression=compression)
    assert target.lines(f"SELECT {names[398]}, {names[399]} FROM {table} ORDER BY {names[399]}") == [
        ["398", "0"], ["398", "0"], ["398", "399"], ["398", "399"]
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["with.dots.in it", "back`tick\\", "größe 表 ☃", "x'; DROP TABLE y; --", "a=b&c#d%20+e"]
)
def test_strange_names_of_tables_and_columns(client: Facade, target: Target, name: str) -> None:
    table = Table("default", name)
    target.ask(f"CREATE TABLE {table.sql} (a UInt8, {Table(None, name).sql} String) ENGINE = Memory")
    try:
        client.insert(table, [(1, "x"), {"a": 2, name: "y"}])
        client.insert(Table(None, name), [("z",)], [name])
        assert sorted(target.lines(f"SELECT * FROM {table.sql}")) == [["0", "z"], ["1", "x"], ["2", "y"]]
    finally:
        target.ask(f"DROP TABLE {table.sql}")


def test_where_the_database_may_be_said(
    kind: Kind, target: Target, table: str, connect: Callable[..., Facade]
) -> None:
    database = f"db {table}"
    target.ask(f"CREATE DATABASE `{database}`")
    try:
        there = Table(database, table)
        target.ask(f"CREATE TABLE {there.sql} (a UInt64, s String) ENGINE = Memory")
        connect(kind, target.url).insert(there, [(1, "table")])
        connect(kind, target.url).insert(f"{database}.{table}", [(2, "text")])
        connect(kind, target.url, database=database).insert(table, [(3, "argument")])
        if target.http:
            url = target.url.rstrip("/") + f"/db%20{table}"
            connect(kind, url).insert(table, [(4, "URL")])
            connect(kind, url, database="default").insert(table, [(5, "argument wins")])
        assert target.lines(f"SELECT a FROM {there.sql} ORDER BY a") == [
            [str(n)] for n in range(1, 5 if target.http else 4)
        ]
        assert target.count(table) == (1 if target.http else 0)
    finally:
        target.ask(f"DROP DATABASE `{database}`")


# --- bytes that are rows already


ENCODED = rowbinary.encode_rows("a UInt64, s String", [(n, f"row {n}") for n in range(1000)])
SOURCES: dict[str, Callable[[], Any]] = {
    "bytes": lambda: ENCODED,
    "bytearray": lambda: bytearray(ENCODED),
    "memoryview": lambda: memoryview(ENCODED),
    "generator": lambda: (ENCODED[at : at + 7] for at in range(0, len(ENCODED), 7)),
    "with empty pieces": lambda: [b"", ENCODED[:5], b"", ENCODED[5:], b""],
    "file": lambda: io.BytesIO(ENCODED),
    "reused buffer": lambda: reused_buffer(),
}


def reused_buffer() -> Iterator[bytearray]:
    """One buffer, filled anew for every piece."""
    buffer = bytearray(64)
    for at in range(0, len(ENCODED), 64):
        piece = ENCODED[at : at + 64]
        buffer[: len(piece)] = piece
        del buffer[len(piece) :]
        yield buffer


@pytest.mark.parametrize("source", SOURCES)
def test_encoded_rows(client: Facade, target: Target, table: str, source: str) -> None:
    result = client.insert_encoded(table, SOURCES[source](), rows=1000)
    assert (result.rows, result.raw_bytes) == (1000, len(ENCODED))
    assert target.lines(f"SELECT count(), sum(a), uniqExact(s) FROM {table}") == [["1000", "499500", "1000"]]


def test_encoded_rows_of_a_large_file(client: Facade, target: Target, table: str, tmp_path: Any) -> None:
    path = tmp_path / "rows.bin"
    path.write_bytes(b"".join(rowbinary.iter_encode("a UInt64, s String", big_rows(3000))))
    with path.open("rb") as file:
        result = client.insert_encoded(table, file, ["a", "s"])
    assert (result.rows, result.raw_bytes) == (None, path.stat().st_size)
    assert target.count(table) == 3000


@pytest.mark.parametrize(
    ("format", "data"),
    [
        ("CSV", b'1,"x"\n2,"y"\n'),
        ("JSONEachRow", b'{"s":"x","a":1}\n{"s":"y","a":2}\n'),
        ("TabSeparated", b"1\tx\n2\ty\n"),
        ("RowBinaryWithNamesAndTypes", rowbinary.encode_rows(
            "a UInt64, s String", [(1, "x"), (2, "y")], format="RowBinaryWithNamesAndTypes"
        )),
    ],
)  # fmt: skip
def test_encoded_rows_in_other_formats(
    client: Facade, target: Target, table: str, format: str, data: bytes
) -> None:
    if format.startswith("RowBinary"):
        target.need_modern(format)
    client.insert_encoded(table, data, format=format)
    assert target.lines(f"SELECT a, s FROM {table} ORDER BY a") == [["1", "x"], ["2", "y"]]


@pytest.mark.parametrize("data", ["text", 5, None, ["text"], [1], io.StringIO("text")])
def test_what_is_not_bytes(client: Facade, target: Target, table: str, data: Any) -> None:
    with pytest.raises(TypeError, match="bytes"):
        client.insert_encoded(table, data)
    with pytest.raises(ValueError, match="rows must be a count"):
        client.insert_encoded(table, b"", rows=-1)
    with pytest.raises(ValueError, match="is not the name of a format"):
        client.insert_encoded(table, ENCODED, format="Row Binary")
    assert target.count(table) == 0


@pytest.mark.parametrize("cut", [1, 9, len(ENCODED) - 1])
def test_encoded_rows_that_are_cut(client: Facade, target: Target, table: str, cut: int) -> None:
    with pytest.raises(ServerError) as info:
        client.insert_encoded(table, ENCODED[:cut])
    assert info.value.code == 33
    assert target.count(table) == 0
