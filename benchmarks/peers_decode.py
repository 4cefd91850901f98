"""What a Python user would pick today to read rows of ClickHouse, through its public code, and ours."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import functools
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import peers
from contenders import Unsupported
from peers_arrow import arrow
from workloads import Workload

import rowbinary
from rowbinary import _types as t

COLUMNS = ", columns"
TEXTS = "orjson, a text per row"
ARRAY = peers.ARRAY
MSGSPEC = "msgspec, a text per row"
MSGSPEC_ARRAY = "msgspec, one array"
ORJSON = (TEXTS, ARRAY)

Run = Callable[[], Any]
Rows = list[tuple[Any, ...]]


@dataclasses.dataclass(frozen=True)
class Reader:
    """``run`` reads all rows once; ``rows`` makes tuples of what it returns, to be compared.

    ``size``: of the bytes that it reads.
    """

    name: str
    run: Run
    rows: Callable[[Any], Iterable[tuple[Any, ...]]]
    size: int


@dataclasses.dataclass(frozen=True)
class Bodies:
    """The same rows in several formats, made before the clock runs."""

    workload: Workload

    @functools.cached_property
    def schema(self) -> rowbinary.Schema:
        return rowbinary.Schema(self.workload.schema)

    @functools.cached_property
    def rows(self) -> bytes:
        return rowbinary.encode_rows(self.schema, self.workload.rows)

    @functools.cached_property
    def native(self) -> bytes:
        """Ours; what the engine answers differs in a few bytes, and takes as long to read."""
        return rowbinary.encode_rows(self.schema, self.workload.rows, format="Native")

    @functools.cached_property
    def texts(self) -> list[bytes]:
        """Of rows that are documents: these as the server has them, without nulls for example."""
        if [type_.family for type_ in self.schema.types] != ["JSON"]:
            raise Unsupported("rows are no documents")
        import orjson

        return [orjson.dumps(document) for (document,) in rowbinary.decode_rows(self.schema, self.rows)]

    @functools.cached_property
    def arrow(self) -> bytes:
        if "JSON" in self.workload.ddl:
            raise Unsupported("documents are text there")
        return bytes(arrow(self.workload)()[0])


# --- readers -----------------------------------------------------------------------------------------


def ours(bodies: Bodies, format: rowbinary.Format, rows: Any = "tuples") -> Run:
    data = bodies.native if format == "Native" else bodies.rows
    return lambda: rowbinary.decode_rows(bodies.schema, data, format=format, rows=rows)


class _Memory:
    """A body in one piece where clickhouse-connect has a response."""

    last_message = exception_tag = None

    def __init__(self, data: bytes):
        self.data = data

    @property
    def gen(self) -> Iterator[bytes]:
        return iter([self.data])

    def close(self) -> None:
        pass


def connect(bodies: Bodies, codec: str, *, columns: bool = False) -> Run:
    """What clickhouse-connect's `query` does behind the socket; without NumPy, which is its default.

    Its datetimes are naive then.  With time zones, which only the Cython codec can, it takes as long.
    """
    from clickhouse_connect.driver.ctypes import RespBuffCls
    from clickhouse_connect.driver.query import QueryContext
    from clickhouse_connect.driver.rustcodec import _make_native_transform
    from clickhouse_connect.driver.transform import NativeTransform

    transform: Any = _make_native_transform("rust_strict") if codec == peers.RUST else NativeTransform()
    response: Any = RespBuffCls

    def run() -> Any:
        result = transform.parse_response(response(_Memory(bodies.native)), QueryContext())
        return result.result_columns if columns else result.result_rows

    return run


class _Socket:
    """A body where clickhouse-driver has a socket."""

    def __init__(self, data: bytes):
        self.left = memoryview(data)

    def recv_into(self, buffer: Any) -> int:
        count = min(len(buffer), len(self.left))
        buffer[:count], self.left = self.left[:count], self.left[count:]
        return count


def driver(bodies: Bodies) -> Run:
    """clickhouse-driver's stream of blocks: revision 0 of its protocol is what FORMAT Native writes."""
    from clickhouse_driver.bufferedreader import BufferedSocketReader
    from clickhouse_driver.streams.native import BlockInputStream

    count = len(bodies.workload.rows)

    def run() -> Rows:
        stream = BlockInputStream(BufferedSocketReader(_Socket(bodies.native), 1 << 20), peers.DriverContext)
        rows: Rows = stream.read().get_rows()
        while len(rows) < count:
            rows += stream.read().get_rows()
        return rows

    return run


def parsed(bodies: Bodies, load: Callable[[bytes], Any]) -> Run:
    """The documents alone: these need no rows around them."""
    texts = bodies.texts
    return lambda: [load(text) for text in texts]


def parsed_array(bodies: Bodies, load: Callable[[bytes], Any]) -> Run:
    text = b"[" + b",".join(bodies.texts) + b"]"
    return lambda: load(text)


def orjson_load() -> Callable[[bytes], Any]:
    import orjson

    return orjson.loads


def msgspec_load() -> Callable[[bytes], Any]:
    import msgspec

    return msgspec.json.Decoder().decode


def arrow_rows(bodies: Bodies) -> Run:
    """pyarrow's IPC stream to lists of each column, with the values that ours have."""
    import pyarrow as pa

    data = bodies.arrow
    converts = [_from_arrow(type_) for type_ in bodies.schema.types]

    def run() -> Rows:
        table = pa.ipc.open_stream(data).read_all()
        lists = [column.to_pylist() for column in table.columns]
        for place, convert in enumerate(converts):
            if convert:
                lists[place] = list(map(convert, lists[place]))
        return list(zip(*lists, strict=True))

    return run


def _from_arrow(type_: t.Type) -> Callable[[Any], Any] | None:
    match type_:
        case t.Map():
            return dict
        case t.Tuple():
            return lambda value: tuple(value.values())
        case t.Type(family="UUID"):
            return uuid.UUID
    return None


# --- all of them -------------------------------------------------------------------------------------


def _as_they_are(found: Any) -> Any:
    return found


def _of_columns(found: Any) -> Iterator[tuple[Any, ...]]:
    return zip(*(found.values() if isinstance(found, dict) else found), strict=True)


def _of_documents(found: Any) -> Iterator[tuple[Any, ...]]:
    return zip(found, strict=True)


# What makes the call, what makes rows of its result.
READERS: dict[str, tuple[Callable[[Bodies], Run], Callable[[Any], Iterable[tuple[Any, ...]]]]] = {
    peers.ROWS: (lambda b: ours(b, "RowBinary"), _as_they_are),
    peers.NATIVE: (lambda b: ours(b, "Native"), _as_they_are),
    peers.CYTHON: (lambda b: connect(b, peers.CYTHON), _as_they_are),
    peers.RUST: (lambda b: connect(b, peers.RUST), _as_they_are),
    peers.DRIVER: (driver, _as_they_are),
    TEXTS: (lambda b: parsed(b, orjson_load()), _of_documents),
    ARRAY: (lambda b: parsed_array(b, orjson_load()), _of_documents),
    MSGSPEC: (lambda b: parsed(b, msgspec_load()), _of_documents),
    MSGSPEC_ARRAY: (lambda b: parsed_array(b, msgspec_load()), _of_documents),
    peers.ARROW: (arrow_rows, _as_they_are),
    peers.NATIVE + COLUMNS: (lambda b: ours(b, "Native", "columns"), _of_columns),
    peers.CYTHON + COLUMNS: (lambda b: connect(b, peers.CYTHON, columns=True), _of_columns),
    peers.RUST + COLUMNS: (lambda b: connect(b, peers.RUST, columns=True), _of_columns),
}


def _size(name: str, bodies: Bodies) -> int:
    if name in (TEXTS, ARRAY, MSGSPEC, MSGSPEC_ARRAY):
        return sum(map(len, bodies.texts))
    if name == peers.ARROW:
        return len(bodies.arrow)
    return len(bodies.rows if name == peers.ROWS else bodies.native)


def all_of(workload: Workload) -> tuple[dict[str, Reader], dict[str, str]]:
    """Every reader of such rows, ours first; and why the others cannot read them."""
    found: dict[str, Reader] = {}
    absent: dict[str, str] = {}
    few = Bodies(dataclasses.replace(workload, rows=workload.rows[:10]))
    bodies = Bodies(workload)
    for name, (make, rows) in READERS.items():
        try:
            make(few)()
            found[name] = Reader(name, make(bodies), rows, _size(name, bodies))
        except Unsupported:
            continue
        except Exception as error:  # not installed, or it cannot read such columns
            if name.startswith("rowbinary"):
                raise
            absent[name] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return found, absent


# --- the same rows -----------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """Something whose text is the same only for the same values of the same types.  The order of keys does
    not count, nor zeros at the end of a Decimal, nor whether a datetime says that it is UTC."""
    match value:
        case dict():
            return {key: plain(value[key]) for key in sorted(value)}
        case list() | tuple():
            return type(value)(map(plain, value))
        case dt.datetime(tzinfo=dt.tzinfo()):
            return value.astimezone(dt.UTC).replace(tzinfo=None)
        case decimal.Decimal():
            return value.normalize()
    return value


def differences(workload: Workload, wanted: Reader, found: Reader) -> list[str]:
    """What two readers read differently, by column."""
    one, other = list(wanted.rows(wanted.run())), list(found.rows(found.run()))
    if len(one) != len(other):
        return [f"{len(other)} rows instead of {len(one)}"]
    examples: dict[str, list[str]] = {}
    for ours, theirs in zip(one, other, strict=True):
        for (column, _), mine, their in zip(workload.schema, ours, theirs, strict=True):
            texts = repr(plain(mine)), repr(plain(their))
            if texts[0] != texts[1]:
                examples.setdefault(column, []).append(f"{texts[1][:60]} instead of {texts[0][:60]}")
    return [f"{column}: {len(texts)} of {len(one)} rows, {texts[0]}" for column, texts in examples.items()]
