"""The same rows as bodies of an INSERT in several formats, and what making them costs the client."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import peers
from workloads import Workload

import rowbinary

NATIVE = "Native (ours)"
ROWS = "RowBinary (ours, binary JSON)"
OWN = "Native, the engine's own bytes"
SHARED = "Native, all paths in shared data"
SETTINGS = "max_threads=1, max_insert_threads=1, input_format_parallel_parsing=0"


@dataclasses.dataclass(frozen=True)
class Body:
    """``run`` makes the same bytes again; None where only the engine can make them."""

    data: bytes
    format: str
    run: peers.Run | None
    settings: str = SETTINGS


def insert(engine: Any, table: str, body: Body, path: pathlib.Path) -> None:
    """The body is in the file `path`."""
    engine.query(f"INSERT INTO {table} FROM INFILE '{path}' SETTINGS {body.settings} FORMAT {body.format}")


def rows_of_first_block(native: bytes) -> int:
    """What the header of a Native block says; tables here have fewer than 128 columns."""
    count = shift = 0
    for byte in native[1:11]:
        count |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    return count


def _connect(workload: Workload) -> Body:
    from clickhouse_connect.datatypes.registry import get_from_name
    from clickhouse_connect.driver.insert import InsertContext
    from clickhouse_connect.driver.transform import NativeTransform

    names = [name for name, _ in workload.schema]
    types = [get_from_name(type_) for _, type_ in workload.schema]
    context = InsertContext("t", names, types, data=workload.rows)
    data = b"".join(NativeTransform().build_insert(context))
    if context.insert_exception:
        raise context.insert_exception
    statement, _, data = data.partition(b"\n")
    assert statement.startswith(b"INSERT INTO")
    return Body(data, "Native", peers.connect(workload, "cython"))


def _lines(workload: Workload) -> Body:
    import orjson

    workload.dicts  # noqa: B018 (made before the clock runs)

    def make() -> bytes:
        rows = peers.json_rows(workload)
        return b"".join([orjson.dumps(row, str, orjson.OPT_APPEND_NEWLINE) for row in rows])

    settings = SETTINGS + ", date_time_input_format='best_effort'"
    return Body(make(), "JSONEachRow", lambda: len(make()), settings)


def _own(engine: Any, workload: Workload, like: Body, ddl: str, path: pathlib.Path) -> bytes:
    """SELECT ... FORMAT Native of the rows of `like`, in blocks of as many rows as ours have.

    A MergeTree table, whose reader keeps to max_block_size; the part is the one that the insert wrote.
    """
    rows = rows_of_first_block(rowbinary.encode_rows(workload.schema, workload.rows, format="Native"))
    engine.query(f"CREATE OR REPLACE TABLE own ({ddl}) ENGINE = MergeTree ORDER BY tuple()")
    engine.query("SYSTEM STOP MERGES own")
    path.write_bytes(like.data)
    insert(engine, "own", like, path)
    limits = f"max_threads=1, max_block_size={rows}, preferred_block_size_bytes=0"
    data = engine.query(f"SELECT * FROM own SETTINGS {limits}", "Native").bytes()
    engine.query("DROP TABLE own SYNC")
    return bytes(data)


def all_of(engine: Any, workload: Workload, path: pathlib.Path) -> dict[str, Body]:
    """Every format, ours first."""

    def ours(format: rowbinary.Format, json: Any = "exact", settings: str = SETTINGS) -> Body:
        data = rowbinary.encode_rows(workload.schema, workload.rows, format=format, json=json)
        return Body(data, format, peers.ours(workload, format=format, json=json), settings)

    binary = ours("RowBinary")
    bodies = {NATIVE: ours("Native")}
    bodies[OWN] = Body(_own(engine, workload, binary, workload.ddl, path), "Native", None)
    if workload.name == "sparse":
        # The engine's bytes of a type whose documents have no paths of their own, under the table's type.
        type_ = "JSON(max_dynamic_paths=0)"
        data = _own(engine, workload, binary, workload.ddl.replace("JSON", type_), path)
        data = data.replace(bytes([len(type_)]) + type_.encode(), b"\x04JSON")
        bodies[SHARED] = Body(data, "Native", None)
    bodies[ROWS] = binary
    documents = "JSON" in workload.ddl
    if documents:
        text = SETTINGS + ", input_format_binary_read_json_as_string=1"
        bodies['RowBinary, json="string"'] = ours("RowBinary", "string", text)
    bodies["Native (clickhouse-connect)" + ", JSON text" * documents] = _connect(workload)
    bodies["JSON Lines (orjson)"] = _lines(workload)
    return bodies
