"""What a Python user would pick today: the same rows to bytes ready for a socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workloads import Workload

import rowbinary

Run = Callable[[], int]
"""Encodes all rows once; returns the number of bytes."""


def ours(workload: Workload, *, dicts: bool = False, **options: Any) -> Run:
    """rowbinary: rows in, chunks out into a sink."""
    schema = rowbinary.Schema(workload.schema)
    rows = workload.dicts if dicts else workload.rows

    def run() -> int:
        return sum(map(len, rowbinary.iter_encode(schema, rows, **options)))

    return run


def connect(workload: Workload, codec: str) -> Run | None:
    """clickhouse-connect's insert transform, its Cython codec or its Rust codec; JSON goes as text."""
    from clickhouse_connect.datatypes.registry import get_from_name
    from clickhouse_connect.driver.insert import InsertContext
    from clickhouse_connect.driver.transform import NativeTransform

    names = [name for name, _ in workload.schema]
    types = [get_from_name(type_) for _, type_ in workload.schema]
    transform = NativeTransform()
    if codec == "rust":
        try:
            from clickhouse_connect.driver.rustcodec import _make_native_transform

            transform = _make_native_transform("rust_strict")
        except Exception as error:  # not installed, or another version of it
            print(f"clickhouse-connect's Rust codec is left out: {str(error).splitlines()[0]}")
            return None

    def run() -> int:
        context = InsertContext("t", names, types, data=workload.rows)
        size = sum(map(len, transform.build_insert(context)))
        if context.insert_exception:
            raise context.insert_exception
        return size

    return run


def json_rows(workload: Workload) -> list[dict[str, Any]]:
    """Dict rows that JSONEachRow can take: ticks of a DateTime64 must be quoted there."""
    ticks = [name for name, type_ in workload.schema if type_ == "DateTime64(9)"]
    lists = [name for name, type_ in workload.schema if type_ == "Array(DateTime64(9))"]
    if not ticks and not lists:
        return workload.dicts
    rows = []
    for row in workload.dicts:
        copy = row.copy()
        for name in ticks:
            copy[name] = str(copy[name])
        for name in lists:
            copy[name] = [str(tick) for tick in copy[name]]
        rows.append(copy)
    return rows


def orjson_array(workload: Workload, *, insertable: bool) -> Run:
    """One array of row objects as JSON text, which JSONEachRow reads.

    ``insertable`` includes the conversion of values that the server would not take as they are.
    """
    import orjson

    workload.dicts  # noqa: B018 (made before the clock runs)
    if insertable:
        return lambda: len(orjson.dumps(json_rows(workload), str))
    return lambda: len(orjson.dumps(workload.dicts, str))


def all_of(workload: Workload) -> dict[str, Run]:
    """Every contender that is installed, ours first."""
    runs: dict[str, Run | None] = {
        "rowbinary": ours(workload),
        "rowbinary, dict rows": ours(workload, dicts=True),
        'rowbinary, json="text"': ours(workload, json="text"),
    }
    for codec in ("cython", "rust"):
        try:
            runs[f"clickhouse-connect ({codec})"] = connect(workload, codec)
        except ImportError:
            continue
    try:
        runs["orjson, one array"] = orjson_array(workload, insertable=True)
        if json_rows(workload) is not workload.dicts:
            runs["orjson, not insertable"] = orjson_array(workload, insertable=False)
    except ImportError:
        pass
    return {name: run for name, run in runs.items() if run is not None}
