"""pyarrow: rows to a table to an IPC stream, which the server reads as ArrowStream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workloads import Workload

import rowbinary
from rowbinary import _types as t

Convert = Callable[[Any], Any]

_UNITS = {0: "s", 3: "ms", 6: "us", 9: "ns"}


def arrow_type(type_: t.Type) -> Any:
    """What pyarrow calls a ClickHouse type; documents and UUIDs are text."""
    import pyarrow as pa

    match type_:
        case t.Wrapper():
            inner = arrow_type(type_.inner)
            return pa.list_(inner) if type_.family == "Array" else inner
        case t.Map():
            return pa.map_(arrow_type(type_.key), arrow_type(type_.value))
        case t.Tuple():
            fields = [(f"f{number}", arrow_type(element)) for number, element in enumerate(type_.elements)]
            return pa.struct(fields)
        case t.Decimal():
            return pa.decimal128(type_.precision, type_.scale)
        case t.DateTime():
            return pa.timestamp("s", "UTC")
        case t.DateTime64():
            return pa.timestamp(_UNITS[type_.scale], "UTC")
        case t.JSON():
            return pa.binary()
        case t.Type(family="String" | "UUID"):
            return pa.string()
        case t.Type(family=family) if family.strip("U").startswith(("Int", "Float")):
            return getattr(pa, family.lower())()
    raise TypeError(f"no Arrow type for {type_}")


def _convert(type_: t.Type) -> Convert | None:
    """What makes a value of the workload one that pyarrow takes; None where it is one."""
    import orjson

    match type_:
        case t.JSON():
            return orjson.dumps
        case t.Type(family="UUID"):
            return str
        case t.Map():
            return lambda value: list(value.items())
        case t.Tuple():
            names = [f"f{number}" for number in range(len(type_.elements))]
            return lambda value: dict(zip(names, value, strict=True))
        case t.Wrapper(family="Array", inner=t.JSON()):
            return lambda value: [orjson.dumps(document) for document in value]
    return None


def arrow(workload: Workload, *, pack: bool = False) -> Callable[[], list[Any]]:
    import pyarrow as pa

    types = rowbinary.Schema(workload.schema).types
    names = [name for name, _ in workload.schema]
    schema = pa.schema([(name, arrow_type(type_)) for name, type_ in zip(names, types, strict=True)])
    pairs = ((name, _convert(type_)) for name, type_ in zip(names, types, strict=True))
    converts = [(name, convert) for name, convert in pairs if convert]
    options = pa.ipc.IpcWriteOptions(compression="lz4" if pack else None)

    def converted() -> list[dict[str, Any]]:
        rows = []
        for row in workload.dicts:
            copy = row.copy()
            for name, convert in converts:
                copy[name] = convert(copy[name])
            rows.append(copy)
        return rows

    def run() -> list[Any]:
        table = pa.Table.from_pylist(converted() if converts else workload.dicts, schema=schema)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, schema, options=options) as stream:
            stream.write_table(table)
        return [memoryview(sink.getvalue())]

    return run
