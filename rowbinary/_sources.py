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

from ._convert import EPOCH, zone
from ._opcodes import Op
from ._plan import Node
from ._typed import DEFAULT
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

    @property
    def text(self) -> str:
        """A name of the type, for errors."""
        inner = ", ".join(child.text for child in self.children)
        return f"{self.kind}{8 * self.width or ''}{f'({inner})' if inner else ''}"


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
            if not 0 <= buffer < len(source.pieces):
                raise IndexError(f"there is no buffer {buffer}")
            return _memory(source.pieces[buffer] + start, size)
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
        nodes = nodes if len(nodes) == len(source.children) else (None,) * len(source.children)
        if node is not None and node.names is not None:
            by_name = dict(zip(node.names, node.children, strict=True))
            nodes = tuple(by_name.get(name) for name in source.names)
        values = [read(child, place, inner) for child, inner in zip(source.children, nodes, strict=True)]
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


class Instant(dt.datetime):
    """A datetime with the nanoseconds beyond its microsecond, as pandas has them."""

    nanosecond = 0


def _moment(source: Source, index: int, node: Node | None) -> Any:
    """Dates, times, points in time and durations; an int of days or ticks where Python has no such value."""
    count = _integer(source, index)
    per_second = PER_SECOND[source.unit]
    try:
        match source.kind:
            case "date":
                days = count if source.unit == "D" else count // (86_400 * per_second)
                return dt.date(1970, 1, 1) + dt.timedelta(days)
            case "time":
                return _clock(count, per_second)
            case "timestamp":
                return _instant(count, per_second, source.zone, node)
    except OverflowError:
        return count
    nanoseconds = count * (10**9 // per_second)
    if node is not None and node.op is Op.INTERVAL and node.type.family == "IntervalNanosecond":
        return nanoseconds
    if nanoseconds % 1000 or (node is not None and node.op in (Op.TIME, Op.TIME64)):
        return _clock(count, per_second)  # no interval is so short, and its writer says so
    return dt.timedelta(microseconds=nanoseconds // 1000)


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


def rows_of(batches: Iterable[Batch], nodes: Sequence[Node]) -> Iterator[tuple[Any, ...]]:
    """The rows of `batches` as the row encoder takes them."""
    for batch in batches:
        for index in range(batch[0].length if batch else 0):
            yield tuple(value_of(source, index, node) for source, node in zip(batch, nodes, strict=True))


def value_of(source: Source, index: int, node: Node) -> Any:
    """:func:`read`, for a cell."""
    value = read(source, index, node)
    if value is DEFAULT:
        raise EncodeError("DEFAULT is for cells of rows, not of columns")
    return value
