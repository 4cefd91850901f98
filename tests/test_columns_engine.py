"""encode_columns: a wide Arrow table in the engine, beside what the engine itself makes of the table."""

from __future__ import annotations

import datetime as dt
import decimal
import io
from pathlib import Path
from typing import Any

import pytest

import rowbinary

pa: Any = pytest.importorskip("pyarrow")

COUNT = 1000
COLUMNS: dict[str, tuple[Any, str, Any]] = {
    "n": (pa.int64(), "UInt32", lambda n: n),
    "i8": (pa.int8(), "Int8", lambda n: n % 256 - 128),
    "u": (pa.uint64(), "Nullable(UInt64)", lambda n: None if n % 7 == 0 else 2**64 - 1 - n),
    "f": (pa.float32(), "Float32", lambda n: n / 4),
    "g": (pa.float64(), "Nullable(Float64)", lambda n: None if n % 5 == 0 else n / 3),
    "b": (pa.bool_(), "Bool", lambda n: n % 3 == 0),
    "d": (pa.decimal128(20, 3), "Decimal(20, 3)", lambda n: decimal.Decimal(n * 7919 - 10**9).scaleb(-3)),
    "s": (pa.string(), "String", lambda n: "é" * (n % 20)),
    "v": (pa.large_string(), "Nullable(String)", lambda n: None if n % 4 == 1 else f"text {n}"),
    "x": (pa.binary(5), "FixedString(5)", lambda n: b"%05d" % n),
    "c": (pa.dictionary(pa.int16(), pa.string()), "LowCardinality(String)", lambda n: f"word {n % 50}"),
    "day": (pa.date32(), "Date32", lambda n: dt.date(1970, 1, 1) + dt.timedelta(n * 7)),
    "at": (pa.timestamp("us", "UTC"), "DateTime64(6, 'UTC')",
           lambda n: dt.datetime(2020, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=n * 1_234_567)),
    "l": (pa.list_(pa.int16()), "Array(Int16)", lambda n: list(range(n % 5))),
    "ll": (pa.list_(pa.list_(pa.string())), "Array(Array(String))", lambda n: [["a"] * (n % 3)] * (n % 4)),
    "t": (pa.struct([("p", pa.int32()), ("q", pa.string())]), "Tuple(p Int32, q String)",
          lambda n: {"p": n, "q": str(n)}),
    "m": (pa.map_(pa.string(), pa.int64()), "Map(String, Int64)",
          lambda n: [(f"k{k}", n) for k in range(n % 3)]),
}  # fmt: skip
OWN: dict[str, tuple[Any, str, Any]] = {  # what the engine does not make of Arrow, or otherwise
    "e": (pa.dictionary(pa.int8(), pa.string()), "Nullable(Enum8('a' = -1, 'b' = 5))",
          lambda n: ("a", "b", None)[n % 3]),
    "id": (pa.binary(16), "UUID", lambda n: n.to_bytes(16, "big")),
    "w": (pa.duration("s"), "IntervalSecond", lambda n: dt.timedelta(seconds=n)),
    "j": (pa.struct([("a", pa.int64()), ("z", pa.string())]), "JSON", lambda n: {"a": n, "z": "x" * (n % 3)}),
    "k": (pa.string(), "JSON(a UInt8)", lambda n: f'{{"a": {n % 9}, "b": [{n}]}}'),
}  # fmt: skip


def table_of(columns: dict[str, tuple[Any, str, Any]]) -> Any:
    """In batches of several sizes."""
    arrays = [pa.array([value(n) for n in range(COUNT)], kind) for kind, _, value in columns.values()]
    whole = pa.table(arrays, list(columns))
    return pa.concat_tables([whole.slice(0, 1), whole.slice(1, 599), whole.slice(600)])


def rows_in(engine: Any, name: str) -> str:
    return str(engine.query(f"SELECT * FROM {name} ORDER BY n", "JSONEachRow").bytes().decode())


@pytest.fixture
def insert(engine: Any, tmp_path: Path) -> Any:
    """Insert bodies into new tables, and read them as text."""

    def run(schema: str, name: str, form: str, body: bytes) -> str:
        path = tmp_path / name
        path.write_bytes(body)
        engine.query(f"DROP TABLE IF EXISTS {name}")
        engine.query(f"CREATE TABLE {name} ({schema}) ENGINE = Memory")
        engine.query(f"INSERT INTO {name} FROM INFILE '{path}' FORMAT {form}")
        return rows_in(engine, name)

    return run


def schema_of(columns: dict[str, tuple[Any, str, Any]]) -> str:
    return ", ".join(f"{name} {type_}" for name, (_, type_, _) in columns.items())


def test_what_the_engine_makes_of_the_same_arrow(insert: Any) -> None:
    table, schema = table_of(COLUMNS), schema_of(COLUMNS)
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    wanted = insert(schema, "by_arrow", "ArrowStream", stream.getvalue())
    assert wanted.count("\n") == COUNT
    for form in ("RowBinary", "RowBinaryWithNamesAndTypes", "Native"):
        body = rowbinary.encode_columns(schema, table, format=form)
        assert insert(schema, f"by_{form.lower()}", form, body) == wanted


def test_what_rows_make_of_the_same_values(insert: Any) -> None:
    columns = {"n": COLUMNS["n"], **OWN}
    table, schema = table_of(columns), schema_of(columns)
    rows = [tuple(value(n) for _, _, value in columns.values()) for n in range(COUNT)]
    wanted = insert(schema, "by_rows", "RowBinary", rowbinary.encode_rows(schema, rows))
    for form in ("RowBinary", "RowBinaryWithDefaults", "Native"):
        body = rowbinary.encode_columns(schema, table, format=form)
        assert insert(schema, f"own_{form.lower()}", form, body) == wanted
