"""What a Python user would pick today, through its public code, and ours."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

from contenders import Contender, Unsupported, limits
from peers_arrow import arrow
from workloads import Workload

import rowbinary
from rowbinary.frames import compress_frames

NATIVE = "rowbinary Native"
ROWS = "rowbinary RowBinary"
DICTS = "rowbinary RowBinary, dict rows"
NATIVE_DICTS = "rowbinary Native, dict rows"
TEXT = 'rowbinary RowBinary, json="string"'
CYTHON, RUST = "clickhouse-connect (Cython)", "clickhouse-connect (Rust)"
DRIVER = "clickhouse-driver"
ARRAY = "orjson, one array"
RAW_ARRAY = "orjson, one array, not insertable"
LINES = "orjson, JSON Lines"
MSGSPEC = "msgspec, JSON Lines"
ARROW = "pyarrow, IPC stream"
LZ4 = " + LZ4"
KEPT = ", context kept"

CONNECT = (CYTHON, RUST)
JSON_SETTINGS = "date_time_input_format='best_effort'"
TEXT_SETTINGS = "input_format_binary_read_json_as_string=1"

Run = Callable[[], Iterable[Any]]


def ours(
    workload: Workload,
    format: rowbinary.Format,
    *,
    dicts: bool = False,
    pack: bool = False,
    json: Any = "exact",
) -> Run:
    """Rows in, chunks out; with `pack` as compressed frames with checksums."""
    schema = rowbinary.Schema(workload.schema)
    rows = workload.dicts if dicts else workload.rows
    if pack:
        return lambda: compress_frames(rowbinary.iter_encode(schema, rows, format=format, json=json))
    return lambda: rowbinary.iter_encode(schema, rows, format=format, json=json)


def connect(workload: Workload, codec: str, compression: str | None = None) -> Run:
    """clickhouse-connect's transform of an insert; JSON goes as text inside of Native."""
    from clickhouse_connect.datatypes.registry import get_from_name
    from clickhouse_connect.driver.insert import InsertContext
    from clickhouse_connect.driver.transform import NativeTransform

    names = [name for name, _ in workload.schema]
    types = [get_from_name(type_) for _, type_ in workload.schema]
    transform: Any = NativeTransform()
    if codec == RUST:
        from clickhouse_connect.driver.rustcodec import _make_native_transform

        transform = _make_native_transform("rust_strict")

    def run() -> Iterable[bytes]:
        context = InsertContext("t", names, types, data=workload.rows, compression=compression)
        yield from transform.build_insert(context)
        if context.insert_exception:
            raise context.insert_exception

    return run


class DriverServer:
    """A server as clickhouse-driver knows one: FORMAT Native is revision 0 of its protocol."""

    used_revision = 0

    @staticmethod
    def get_timezone() -> str:
        return "UTC"


class DriverContext:
    """What clickhouse-driver's streams of blocks ask of a connection."""

    server_info = DriverServer
    settings: dict[str, Any] = {}  # noqa: RUF012
    client_settings = {  # noqa: RUF012
        "use_numpy": False,
        "strings_as_bytes": False,
        "strings_encoding": "utf-8",
        "opentelemetry_traceparent": None,
        "input_format_null_as_default": False,
        "namedtuple_as_json": True,
        "server_side_params": False,
        "use_client_time_zone": False,
    }


def driver(workload: Workload, *, pack: bool = False) -> Run:
    """clickhouse-driver's stream of blocks, with a list where the socket would be.

    Revision 0 of its protocol is what FORMAT Native reads.  A block has at most 65,536 rows, as ours.
    """
    from clickhouse_driver.block import RowOrientedBlock
    from clickhouse_driver.bufferedwriter import BufferedSocketWriter
    from clickhouse_driver.streams.compressed import CompressedBlockOutputStream
    from clickhouse_driver.streams.native import BlockOutputStream

    class Sink:
        def __init__(self) -> None:
            self.chunks: list[bytes] = []

        def sendall(self, data: Any) -> None:
            self.chunks.append(bytes(data))

    def run() -> list[bytes]:
        sink = Sink()
        writer = BufferedSocketWriter(sink, 1 << 20)
        if pack:
            from clickhouse_driver.compression.lz4 import Compressor

            stream = CompressedBlockOutputStream(Compressor, 1 << 20, writer, DriverContext)
        else:
            stream = BlockOutputStream(writer, DriverContext)
        for start in range(0, len(workload.rows), 65_536):
            stream.write(RowOrientedBlock(workload.schema, workload.rows[start : start + 65_536]))
        return sink.chunks

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


def orjson_lines(workload: Workload) -> Run:
    import orjson

    def run() -> list[bytes]:
        dump, option = orjson.dumps, orjson.OPT_APPEND_NEWLINE
        return [b"".join([dump(row, str, option) for row in json_rows(workload)])]

    return run


def orjson_array(workload: Workload, *, pack: bool = False, insertable: bool = True) -> Run:
    """One array of all rows, which JSONEachRow reads too.

    ``insertable`` includes the conversion of values that the server would not take as they are.
    """
    import lz4.frame
    import orjson

    def run() -> list[bytes]:
        data = orjson.dumps(json_rows(workload) if insertable else workload.dicts, str)
        return [lz4.frame.compress(data)] if pack else [data]

    return run


def msgspec_lines(workload: Workload) -> Run:
    import msgspec

    encoder = msgspec.json.Encoder(decimal_format="string")
    return lambda: [encoder.encode_lines(json_rows(workload))]


Entry = tuple[str, str, str, str, Callable[[Workload], Run]]

# Name, format and settings of the INSERT, how the chunks are compressed, what makes them.
CONTENDERS: list[Entry] = [
    (ROWS, "RowBinary", "", "", lambda w: ours(w, "RowBinary")),
    (NATIVE, "Native", "", "", lambda w: ours(w, "Native")),
    (DICTS, "RowBinary", "", "", lambda w: ours(w, "RowBinary", dicts=True)),
    (NATIVE_DICTS, "Native", "", "", lambda w: ours(w, "Native", dicts=True)),
    (TEXT, "RowBinary", TEXT_SETTINGS, "", lambda w: _text(w)),
    (CYTHON, "Native", "", "", lambda w: connect(w, CYTHON)),
    (RUST, "Native", "", "", lambda w: connect(w, RUST)),
    (DRIVER, "Native", "", "", lambda w: driver(w)),
    (ARRAY, "JSONEachRow", JSON_SETTINGS, "", lambda w: orjson_array(w)),
    (RAW_ARRAY, "", "", "", lambda w: _not_insertable(w)),
    (LINES, "JSONEachRow", JSON_SETTINGS, "", lambda w: orjson_lines(w)),
    (MSGSPEC, "JSONEachRow", JSON_SETTINGS, "", lambda w: msgspec_lines(w)),
    (ARROW, "ArrowStream", "", "", lambda w: arrow(w)),
    (ROWS + LZ4, "RowBinary", "", "frames", lambda w: ours(w, "RowBinary", pack=True)),
    (NATIVE + LZ4, "Native", "", "frames", lambda w: ours(w, "Native", pack=True)),
    (CYTHON + LZ4, "Native", "", "lz4", lambda w: connect(w, CYTHON, "lz4")),
    (RUST + LZ4, "Native", "", "lz4", lambda w: connect(w, RUST, "lz4")),
    (DRIVER + LZ4, "Native", "", "frames", lambda w: driver(w, pack=True)),
    (ARRAY + LZ4, "JSONEachRow", JSON_SETTINGS, "lz4", lambda w: orjson_array(w, pack=True)),
    (ARROW + LZ4, "ArrowStream", "", "arrow", lambda w: arrow(w, pack=True)),
]
SLOW = {TEXT, DRIVER + LZ4, ARRAY + LZ4, ARROW + LZ4}


def _text(workload: Workload) -> Run:
    if "JSON" not in workload.ddl:
        raise Unsupported("no JSON column")
    return ours(workload, "RowBinary", json="string")


def _not_insertable(workload: Workload) -> Run:
    if json_rows(workload) is workload.dicts:
        raise Unsupported("all values can be inserted as they are")
    return orjson_array(workload, insertable=False)


def all_of(workload: Workload, *, quick: bool = False) -> tuple[dict[str, Contender], dict[str, str]]:
    """Every contender that can write these rows, ours first; and why the others cannot.

    With `quick` without some that are slow or stand for little.
    """
    found: dict[str, Contender] = {}
    absent: dict[str, str] = {}
    few = dataclasses.replace(workload, rows=workload.rows[:10])
    workload.dicts  # noqa: B018 (made before the clock runs)
    for name, format, settings, packing, make in CONTENDERS:
        if quick and name in SLOW:
            continue
        try:
            Contender(name, format, make(few), settings, packing).size()
            found[name] = Contender(name, format, make(workload), settings, packing)
        except Unsupported:
            continue
        except Exception as error:  # not installed, or it cannot write such columns
            if name.startswith("rowbinary"):
                raise
            absent[name] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return found, absent


def limits_of(contenders: dict[str, Contender]) -> dict[str, Contender]:
    """What bounds ours: copying the same bytes, compressing them."""
    return {
        limit.name: limit
        for name in (ROWS, NATIVE)
        for limit in limits(name.removeprefix("rowbinary "), contenders[name].body())
    }
