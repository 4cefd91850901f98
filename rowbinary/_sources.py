"""Columns that lie in memory: what is there, and the Python value of each place.

A :class:`Source` describes values as Arrow, NumPy and their like have them, without reading them.
Kernels take it compiled for a type (:mod:`rowbinary._compile`); :func:`read` makes Python values of
it: the reference, and what tells the reason where a kernel refused.
"""

from __future__ import annotations

import ctypes
import dataclasses
import datetime as dt
import decimal
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from ._badvalue import BadValue
from ._convert import DAY_SECONDS, EPOCH, INTERVAL_MICROSECONDS, zone
from ._opcodes import Op
from ._plan import Node
from ._typed import DEFAULT, typed
from .errors import EncodeError

Kind = Literal[
    "null", "bits", "int", "uint", "float", "decimal",
    "text", "bytes",  # with ends, views, or so many bytes each
    "date", "time", "timestamp", "duration",
    "list", "struct", "map", "coded",
    "objects",  # Python values, in the list `keep`
]  # fmt: skip
Layout = Literal["", "ends", "views", "each", "padded"]
Nulls = Literal["", "bits", "bytes", "least"]

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9, "D": 0}  # of units; a day is less than one
# Of the units of intervals; months and longer have no length.
NANOSECONDS = {"IntervalNanosecond": 1} | {kind: 1000 * n for kind, n in INTERVAL_MICROSECONDS.items()}


@dataclasses.dataclass
class Source:
    """`length` values of one kind, the first of them `offset` values behind what `data` points at.

    ``data``, ``ends`` and ``validity`` are addresses, 0 where there is nothing; ``stride`` the bytes from
    value to value, ``width`` those of a number, of an offset in ``ends``, or of a text of fixed width;
    ``each`` the elements of every list.  ``keep`` is what owns the memory.
    """

    kind: Kind
    length: int
    data: int = 0
    offset: int = 0
    stride: int = 0
    width: int = 0
    layout: Layout = ""
    ends: int = 0
    each: int = 0
    nulls: Nulls = ""
    validity: int = 0
    unit: str = ""
    zone: str | None = None
    scale: int = 0
    names: tuple[str, ...] = ()
    children: tuple[Source, ...] = ()
    pieces: tuple[int, ...] = ()
    keep: object = None


Batch = tuple[Source, ...]
"""One source per column, all of one length."""


def is_null(source: Source, index: int) -> bool:
    """Whether the value itself is NULL; those of dictionaries are for :func:`read`."""
    at = source.offset + index
    match source.nulls:
        case "" if source.kind == "objects":
            return source.keep[at] is None  # type: ignore[index]
        case "bits":
            return not _memory(source.validity + at // 8, 1)[0] >> at % 8 & 1
        case "bytes":
            return _memory(source.validity + at, 1)[0] != 0
        case "least":
            return bool(_number(source, index, "q") == -(2**63))
    return source.kind == "null"


def read(source: Source, index: int, node: Node | None) -> Any:
    """The value as the row encoder takes it; `node` is the type it is meant for, ``None`` for any."""
    if is_null(source, index):
        return None
    while node is not None and node.op in (Op.NULLABLE, Op.LOW_CARDINALITY):
        node = node.children[0]
    match source.kind:
        case "bits":
            at = source.offset + index
            return bool(_memory(source.data + at // 8, 1)[0] >> at % 8 & 1)
        case "int" | "uint":
            number = _integer(source, index)
            return bool(number) if source.unit == "bool" else number
        case "float":
            return _number(source, index, {2: "e", 4: "f", 8: "d"}[source.width])
        case "decimal":
            return decimal.Decimal(_integer(source, index)).scaleb(-source.scale, _EXACT)
        case "text":
            return _string(_text(source, index))
        case "bytes":
            return _text(source, index)
        case "objects":
            return source.keep[source.offset + index]  # type: ignore[index]
        case "coded":
            return read(source.children[0], _place(source, index), node)
        case "list" | "map" | "struct":
            return _container(source, index, node)
    return _moment(source, index, node)


_EXACT = decimal.Context(prec=100)


def _memory(address: int, size: int) -> bytes:
    return ctypes.string_at(address, size)


def _number(source: Source, index: int, code: str) -> Any:
    address = source.data + (source.offset + index) * source.stride
    return struct.unpack("<" + code, _memory(address, struct.calcsize(code)))[0]


def _integer(source: Source, index: int) -> int:
    address = source.data + (source.offset + index) * source.stride
    return int.from_bytes(_memory(address, source.width), "little", signed=source.kind != "uint")


def _place(source: Source, index: int) -> int:
    place = _integer(dataclasses.replace(source, kind="uint" if source.unit == "u" else "int"), index)
    if not 0 <= place < source.children[0].length:
        raise IndexError(f"the dictionary has no value {place}")
    return place


def span(source: Source, index: int) -> tuple[int, int]:
    """Where list or text `index` begins and ends, in elements or bytes."""
    at = source.offset + index
    if source.layout == "each":
        return at * source.each, (at + 1) * source.each
    ends = _memory(source.ends + at * source.width, 2 * source.width)
    start, end = struct.unpack("<ii" if source.width == 4 else "<qq", ends)
    if not 0 <= start <= end:
        raise IndexError(f"the offsets {start} and {end} are damaged")
    return start, end


def _text(source: Source, index: int) -> bytes:
    if source.layout == "ends":
        start, end = span(source, index)
        return _memory(source.data + start, end - start)
    address = source.data + (source.offset + index) * source.stride
    if source.layout == "views":
        size, _, buffer, start = struct.unpack("<iiii", _memory(address, 16))
        if size > 12:
            if not 0 <= buffer < len(source.pieces) or start < 0:
                raise IndexError(f"there is no buffer {buffer}, or no byte {start} in it")
            return _memory(source.pieces[buffer] + start, size)
        if size < 0:
            raise IndexError(f"a text cannot have {size} bytes")
        return _memory(address + 4, size)
    data = _memory(address, source.width)
    return data.rstrip(b"\0") if source.layout == "padded" else data


def _string(data: bytes) -> str | bytes:
    """Damaged UTF-8 is passed on as bytes: a String can have it."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _container(source: Source, index: int, node: Node | None) -> Any:
    nodes: tuple[Node | None, ...] = node.children if node is not None else ()
    if source.kind == "struct":
        place = source.offset + index
        inners = _fields(source, node)
        values = [read(child, place, inner) for child, inner in zip(source.children, inners, strict=True)]
        positional = node is not None and node.op is Op.TUPLE and node.names is None
        return tuple(values) if positional else dict(zip(source.names, values, strict=True))
    start, end = span(source, index)
    child = source.children[0]
    if source.kind == "list":
        inner = nodes[0] if nodes else None
        return [read(child, place, inner) for place in range(start, end)]
    keys, values_ = child.children
    key_node, value_node = nodes if len(nodes) == 2 else (None, None)
    places = range(child.offset + start, child.offset + end)
    pairs = [(read(keys, place, key_node), read(values_, place, value_node)) for place in places]
    return pairs if node is not None and node.op is Op.MAP else dict(pairs)


def _fields(source: Source, node: Node | None) -> Sequence[Node | None]:
    """The types that the fields of a struct are meant for."""
    by_name: dict[str, Node] = {}
    if node is not None and node.op is Op.MAP:
        by_name = dict.fromkeys(source.names, node.children[1])
    elif node is not None and node.json is not None:
        by_name = node.json.typed
    elif node is not None and node.names is not None:
        by_name = dict(zip(node.names, node.children, strict=True))
    elif node is not None and len(node.children) == len(source.children):
        return node.children
    return [by_name.get(name) for name in source.names]


class Instant(dt.datetime):
    """A datetime with the nanoseconds beyond its microsecond, as pandas has them."""

    nanosecond = 0

    def replace(self, *args: Any, **fields: Any) -> Instant:
        """The same nanosecond, in another zone."""
        changed = super().replace(*args, **fields)
        changed.nanosecond = self.nanosecond
        return changed

    def astimezone(self, tz: dt.tzinfo | None = None) -> Instant:
        """The same nanosecond, in another zone."""
        changed = super().astimezone(tz)
        changed.nanosecond = self.nanosecond
        return changed


def _moment(source: Source, index: int, node: Node | None) -> Any:
    """Dates, times, points in time and durations; an int of days or ticks where Python has no such value."""
    count, per_second = _integer(source, index), PER_SECOND[source.unit]
    if source.kind == "time":
        return _time(count, per_second, node)
    if source.kind == "duration":
        return _duration(count, per_second, node)
    try:
        if source.kind == "timestamp":
            return _instant(count, per_second, source.zone, node)
        days = count // (DAY_SECONDS * per_second) if per_second else count
        day = dt.date(1970, 1, 1) + dt.timedelta(days)
    except OverflowError:
        return _beyond(count, per_second, node)
    if source.zone is not None and node is not None and node.op in (Op.DATETIME, Op.DATETIME64):
        return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    return day


def _beyond(count: int, per_second: int, node: Node | None) -> int:
    """A point in time outside of Python's years, counted as the type counts."""
    numerator, denominator = (count, per_second) if per_second else (count * DAY_SECONDS, 1)
    match node.op if node is not None else None:
        case Op.DATE | Op.DATE32:
            return numerator // (denominator * DAY_SECONDS)
        case Op.DATETIME | Op.DATETIME64:
            scale: int = node.scale if node is not None else 0
            return numerator * int(10**scale) // denominator
    raise BadValue("a date or time outside of the years 1 to 9999")


def _time(count: int, per_second: int, node: Node | None) -> Any:
    if node is not None and node.op in (Op.TIME, Op.TIME64):
        return _clock(count, per_second)
    seconds, fraction = divmod(count, per_second)
    nanoseconds = fraction * (10**9 // per_second)
    if nanoseconds % 1000 or not 0 <= seconds < DAY_SECONDS:
        return typed(_clock(count, per_second), "Time64(9)")
    minutes, second = divmod(seconds, 60)
    return dt.time(minutes // 60, minutes % 60, second, nanoseconds // 1000)


def _duration(count: int, per_second: int, node: Node | None) -> Any:
    if node is not None and node.op in (Op.TIME, Op.TIME64):
        return _clock(count, per_second)
    nanoseconds = count * (10**9 // per_second)
    if node is not None and node.op is Op.INTERVAL:
        length = NANOSECONDS.get(node.type.family)
        if length is not None and nanoseconds % length == 0:
            return nanoseconds // length
    try:
        value = dt.timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        raise BadValue("a duration of more days than Python's timedelta has") from None
    # What is shorter is no multiple of the unit, which its writer says, or a time of nanoseconds.
    return typed(_clock(count, per_second), "Time64(9)") if nanoseconds % 1000 else value


def _clock(count: int, per_second: int) -> str:
    """A text: Python's times have no nanoseconds."""
    seconds, fraction = divmod(abs(count), per_second)
    minutes, second = divmod(seconds, 60)
    nanoseconds = fraction * (10**9 // per_second)
    return f"{'-' * (count < 0)}{minutes // 60:02}:{minutes % 60:02}:{second:02}.{nanoseconds:09}"


def _instant(count: int, per_second: int, name: str | None, node: Node | None) -> dt.datetime:
    """In UTC, unless the day is asked for: that of the zone."""
    seconds, fraction = divmod(count, per_second)
    nanoseconds = fraction * (10**9 // per_second)
    value = EPOCH + dt.timedelta(seconds=seconds, microseconds=nanoseconds // 1000)
    if name is None:
        value = value.replace(tzinfo=None)
    elif node is not None and node.op in (Op.DATE, Op.DATE32):
        offset = dt.datetime.strptime(name, "%z").tzinfo if name[0] in "+-" else zone(name)
        value = value.astimezone(offset)
    if nanoseconds % 1000:
        value = Instant(*value.timetuple()[:6], value.microsecond, value.tzinfo, fold=value.fold)
        value.nanosecond = nanoseconds % 1000
    return value


def rows_of(
    batches: Iterable[Batch], names: Sequence[str], nodes: Sequence[Node], first: int = 0
) -> Iterator[tuple[Any, ...]]:
    """The rows of `batches` as the row encoder takes them; `first` is the number of the first."""
    for batch in batches:
        columns = list(zip(batch, names, nodes, strict=True))
        for index in range(batch[0].length if batch else 0):
            yield tuple(value_of(source, index, node, name, first + index) for source, name, node in columns)
        first += batch[0].length if batch else 0


def value_of(source: Source, index: int, node: Node, name: str, row: int) -> Any:
    """:func:`read`, for a cell of column `name`."""
    try:
        value = read(source, index, node)
        if value is DEFAULT:
            raise BadValue("DEFAULT is for cells of rows, not of columns")
    except (BadValue, IndexError) as error:
        raise EncodeError(str(error), row=row, column=name) from None
    return value
