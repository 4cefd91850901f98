"""Input in columns: the same columns to RowBinary and Native, by one thread and by two, beside the peers."""

from __future__ import annotations

import contextlib
import functools
import importlib
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

import rowbinary

Run = Callable[[], object]
Contenders = dict[str, tuple[int, Run]]
"""Bytes that a run puts out, and the run."""

INTS, STRINGS = "ten Int64 from NumPy", "five String from Arrow"
EMBEDDINGS = "Array(Float32) of 768 from NumPy"
MEMCPY = "memcpy of the Native bytes"
TWO = "the same, two threads with half each"


def _sink(schema: Any, columns: Any, format: Any) -> int:
    return sum(map(len, rowbinary.iter_encode_columns(schema, columns, format=format)))


def _ours(schema: list[tuple[str, str]], columns: Any, halves: list[Any]) -> Contenders:
    found: Contenders = {}
    parsed = rowbinary.Schema(schema)
    for format in ("RowBinary", "Native"):
        size = _sink(parsed, columns, format)
        one = functools.partial(_sink, parsed, columns, format)
        found[f"rowbinary, {format}"] = size, one
        found[f"rowbinary, {format}, {TWO}"] = size, functools.partial(_together, parsed, halves, format)
    output = b"".join(rowbinary.iter_encode_columns(parsed, columns, format="Native"))
    found[MEMCPY] = len(output), functools.partial(_copy, output)
    return found


def _copy(output: bytes) -> None:
    """4 MiB at a time, into the same memory, as a block goes into a socket."""
    piece = bytearray(1 << 22)
    view = memoryview(output)
    for at in range(0, len(output) - len(piece) + 1, len(piece)):
        piece[:] = view[at : at + len(piece)]


def _together(schema: Any, halves: list[Any], format: str) -> None:
    threads = [threading.Thread(target=_sink, args=(schema, half, format)) for half in halves]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _arrow_stream(table: Any) -> Run:
    pyarrow: Any = importlib.import_module("pyarrow")

    def run() -> int:
        sink = pyarrow.BufferOutputStream()
        with pyarrow.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return int(sink.getvalue().size)

    return run


def _connect(schema: list[tuple[str, str]], columns: list[Any]) -> Run:
    """clickhouse-connect's insert of columns, with its Cython codec."""
    registry: Any = importlib.import_module("clickhouse_connect.datatypes.registry")
    insert: Any = importlib.import_module("clickhouse_connect.driver.insert")
    transform: Any = importlib.import_module("clickhouse_connect.driver.transform")
    names = [name for name, _ in schema]
    types = [registry.get_from_name(type_) for _, type_ in schema]

    def run() -> int:
        context = insert.InsertContext("t", names, types, data=columns, column_oriented=True)
        return sum(map(len, transform.NativeTransform().build_insert(context)))

    return run


def _with_peers(
    found: Contenders, schema: list[tuple[str, str]], lists: Callable[[], list[Any]], table: Any
) -> Contenders:
    size = found["rowbinary, Native"][0]
    with contextlib.suppress(ImportError):
        found["clickhouse-connect, columns (Cython)"] = size, _connect(schema, lists())
    if table is not None:
        run = _arrow_stream(table)
        found["pyarrow, IPC stream"] = int(run()), run  # type: ignore[call-overload]
    return found


def _arrow(columns: dict[str, Any]) -> Any:
    try:
        pyarrow: Any = importlib.import_module("pyarrow")
    except ImportError:
        return None
    return pyarrow.table(columns)


def ints(share: int = 1) -> tuple[str, Contenders]:
    count = 2_000_000 // share
    random = np.random.default_rng(1)
    columns = {f"c{i}": random.integers(-(2**62), 2**62, count) for i in range(10)}
    schema = [(name, "Int64") for name in columns]
    halves = [{k: v[half] for k, v in columns.items()} for half in _halves(count)]
    found = _ours(schema, columns, halves)
    return f"{INTS}, {count:,} rows", _with_peers(
        found, schema, lambda: list(columns.values()), _arrow(columns)
    )


def strings(share: int = 1) -> tuple[str, Contenders]:
    count = 1_000_000 // share
    words = np.array([f"{'word' * (i % 9)}-{i}" for i in range(5_000)], dtype=object)
    random = np.random.default_rng(2)
    lists = {f"s{i}": words[random.integers(0, len(words), count)] for i in range(5)}
    table = _arrow(lists)
    schema = [(name, "String") for name in lists]
    half = count // 2
    found = _ours(schema, table, [table.slice(0, half), table.slice(half)])
    return f"{STRINGS}, {count:,} rows", _with_peers(
        found, schema, lambda: [values.tolist() for values in lists.values()], table
    )


def embeddings(share: int = 1) -> tuple[str, Contenders]:
    count = 60_000 // share
    columns = {"vector": np.random.default_rng(3).random((count, 768), dtype=np.float32)}
    schema = [("vector", "Array(Float32)")]
    halves = [{"vector": columns["vector"][half]} for half in _halves(count)]
    found = _ours(schema, columns, halves)
    return f"{EMBEDDINGS}, {count:,} rows", _with_peers(
        found, schema, lambda: [list(columns["vector"])], None
    )


def mixed(share: int = 1) -> tuple[str, Contenders]:
    count = 1_000_000 // share
    random = np.random.default_rng(4)
    words = np.array([f"name-{i}" for i in range(1_000)], dtype=object)
    nulls = random.random(count) < 0.1
    pyarrow: Any = importlib.import_module("pyarrow")
    names = pyarrow.array(words[random.integers(0, 1_000, count)])
    table = pyarrow.table(
        {
            "id": pyarrow.array(random.integers(0, 2**40, count)),
            "user": pyarrow.array(random.integers(0, 2**31, count), mask=nulls),
            "name": names,
            "country": names.slice(0).dictionary_encode(),
            "score": pyarrow.array(random.random(count)),
            "at": pyarrow.array(random.integers(0, 2**60, count), pyarrow.timestamp("ns", "UTC")),
        }
    )
    schema = [
        ("id", "UInt64"),
        ("user", "Nullable(Int32)"),
        ("name", "String"),
        ("country", "LowCardinality(String)"),
        ("score", "Float64"),
        ("at", "DateTime64(6)"),
    ]
    half = count // 2
    found = _ours(schema, table, [table.slice(0, half), table.slice(half)])
    return f"six mixed columns from Arrow, {count:,} rows", _with_peers(
        found,
        schema,
        lambda: [column.to_pylist() for column in table.cast(_seconds(table), safe=False).columns],
        table,
    )


def _seconds(table: Any) -> Any:
    """Python's datetimes end at the microsecond."""
    pyarrow: Any = importlib.import_module("pyarrow")
    index = table.schema.get_field_index("at")
    return table.schema.set(index, pyarrow.field("at", pyarrow.timestamp("us", "UTC")))


def _halves(count: int) -> tuple[slice, slice]:
    return slice(0, count // 2), slice(count // 2, None)


# Each is told what share of its rows to take: 5 is a fifth.
ALL = {"ints": ints, "strings": strings, "embeddings": embeddings, "mixed": mixed}
