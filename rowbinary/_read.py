"""Reference readers: one function per opcode, the mirror image of ``_write.py``.

``read_x(cursor, node)`` takes one value of `node`'s type from the cursor.  What it gives:

=============================================  ====================================================
Bool, integers, intervals, floats, Decimal     bool, int, int, float, Decimal with the column's scale
String                                         str; where it is not UTF-8 what ``invalid_utf8`` says
FixedString                                    bytes, with the zero bytes at its end
Date, Date32                                   date
DateTime, DateTime64                           datetime in the column's zone, else in UTC
Time, Time64                                   timedelta
UUID, IPv4, IPv6, Enum                         UUID, IPv4Address, IPv6Address, the label
Nullable, LowCardinality, Variant, Dynamic     None or the value
Array, QBit; Nested                            list; list of dicts
Tuple; named Tuple                             tuple; dict
Map                                            dict; list of pairs if a key repeats or cannot be hashed, or
                                               if hundreds have the same hash
JSON                                           dict of dicts, see :func:`nest`; or of its paths
AggregateFunction                              DecodeError: a state has no length
=============================================  ====================================================

What no ``date``, ``datetime`` or ``timedelta`` can hold (years outside 1 .. 9999; with
``moments="exact"`` also nanoseconds) comes as the int that is stored: days for a date, else ticks of
10^-S seconds.
"""

from __future__ import annotations

import datetime as dt
import decimal
import ipaddress
import struct
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from . import _convert as convert
from ._badvalue import BadValue
from ._cursor import MAX_KNOWN, Position
from ._opcodes import WIDTHS, Op
from ._plan import Node
from ._read_faults import bad_flag, bad_member, twice
from .errors import shorten

Reader: TypeAlias = Callable[[Position, Node], object]

# Values within values: at two Python frames each they leave room on a stack of 1000, and what is read
# can be printed and compared.
MAX_LEVELS = 300
# Keys of a dict with the hash of another key: numbers of 128 bits can be chosen to have one hash, and a dict
# of them takes time by the square of their number.
MAX_CLASHES = 256
_WIDE = decimal.Context(prec=80, traps=[])  # more digits than an Int256 has: scaling is exact


def read_value(cursor: Position, node: Node, step: object = None) -> object:
    """The next value, of the type of `node`: the only way from one reader to another.

    `step` leads to it from the value around it, see :meth:`Position.enter`.
    """
    if cursor.level >= MAX_LEVELS:
        raise cursor.error(f"values nested deeper than {MAX_LEVELS} levels")
    cursor.level += 1  # not restored when reading fails: that is the end of the body
    cursor.enter(node, step)
    value = READERS[node.op](cursor, node)
    cursor.leave(value)
    cursor.level -= 1
    return value


def read_nothing(cursor: Position, node: Node) -> object:
    raise cursor.error("Nothing has no values")


def read_bool(cursor: Position, node: Node) -> bool:
    """The server stores any byte for a Bool, and takes all but 0 for true."""
    return cursor.byte() != 0


def _integer_reader(op: Op) -> Reader:
    width = WIDTHS[op]
    signed = op.name.startswith("INT")

    def read_integer(cursor: Position, node: Node) -> int:
        return int.from_bytes(cursor.take(width), "little", signed=signed)

    return read_integer


read_int8, read_int16, read_int32 = map(_integer_reader, (Op.INT8, Op.INT16, Op.INT32))
read_int64, read_int128, read_int256 = map(_integer_reader, (Op.INT64, Op.INT128, Op.INT256))
read_uint8, read_uint16, read_uint32 = map(_integer_reader, (Op.UINT8, Op.UINT16, Op.UINT32))
read_uint64, read_uint128, read_uint256 = map(_integer_reader, (Op.UINT64, Op.UINT128, Op.UINT256))


def _signed(cursor: Position, width: int) -> int:
    return int.from_bytes(cursor.take(width), "little", signed=True)


def _float(layout: str, data: bytes) -> float:
    (number,) = struct.unpack(layout, data)
    assert isinstance(number, float)
    return number


def read_float32(cursor: Position, node: Node) -> float:
    return _float("<f", cursor.take(4))


def read_float64(cursor: Position, node: Node) -> float:
    return _float("<d", cursor.take(8))


def read_bfloat16(cursor: Position, node: Node) -> float:
    """The upper half of a Float32."""
    return _float("<f", b"\0\0" + cursor.take(2))


def _read_decimal(cursor: Position, node: Node) -> decimal.Decimal:
    """Also with more digits than the precision: the server does not check what it stores."""
    return decimal.Decimal(_signed(cursor, node.size)).scaleb(-node.scale, _WIDE)


read_decimal32 = read_decimal64 = read_decimal128 = read_decimal256 = _read_decimal


def read_string(cursor: Position, node: Node) -> str | bytes:
    return cursor.text()


def read_fixed_string(cursor: Position, node: Node) -> bytes:
    return cursor.take(node.size)


def read_date(cursor: Position, node: Node) -> dt.date | int:
    return _date(int.from_bytes(cursor.take(2), "little"))


def read_date32(cursor: Position, node: Node) -> dt.date | int:
    return _date(_signed(cursor, 4))


def _date(days: int) -> dt.date | int:
    try:
        return dt.date.fromordinal(days + convert.EPOCH_DAY)
    except (ValueError, OverflowError):
        return days


def read_datetime(cursor: Position, node: Node) -> dt.datetime | int:
    return _moment(cursor, node, int.from_bytes(cursor.take(4), "little"))


def read_datetime64(cursor: Position, node: Node) -> dt.datetime | int:
    return _moment(cursor, node, _signed(cursor, 8))


def _moment(cursor: Position, node: Node, ticks: int) -> dt.datetime | int:
    """`ticks` since the epoch in the column's zone; the int itself when no datetime is meant or equals it."""
    if cursor.rules.moments == "ticks":
        return ticks
    zone = _zone(cursor, node)
    delta = _timedelta(cursor, ticks, node.scale)
    if isinstance(delta, int):
        return ticks
    try:
        return (convert.EPOCH + delta).astimezone(zone)
    except (ValueError, OverflowError):  # before the year 1 or after 9999, there or in UTC
        return ticks


def _zone(cursor: Position, node: Node) -> dt.tzinfo:
    if node.zone is None:
        return cursor.rules.zone
    if node.zone == "UTC":  # needs no time zone database
        return dt.UTC
    try:
        return convert.zone(node.zone)
    except BadValue:
        raise cursor.error(f"time zone {shorten(repr(node.zone))} is not known here") from None


def _timedelta(cursor: Position, ticks: int, scale: int) -> dt.timedelta | int:
    """`ticks` of 10^-`scale` seconds; the int itself when no timedelta is meant or equals it."""
    rule = cursor.rules.moments
    microseconds, rest = divmod(ticks * 10**6, 10**scale)
    if rule == "ticks" or (rest and rule == "exact"):
        return ticks
    try:
        return dt.timedelta(microseconds=microseconds)
    except OverflowError:
        return ticks


def read_time(cursor: Position, node: Node) -> dt.timedelta | int:
    return _timedelta(cursor, _signed(cursor, 4), 0)


def read_time64(cursor: Position, node: Node) -> dt.timedelta | int:
    return _timedelta(cursor, _signed(cursor, 8), node.scale)


def read_interval(cursor: Position, node: Node) -> int:
    """The count; its unit is in the type, and a month has no length."""
    return _signed(cursor, 8)


def read_uuid(cursor: Position, node: Node) -> uuid.UUID:
    """Each half of the number little-endian, the high half first."""
    high, low = struct.unpack("<QQ", cursor.take(16))
    return uuid.UUID(int=high << 64 | low)


def read_ipv4(cursor: Position, node: Node) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int.from_bytes(cursor.take(4), "little"))


def read_ipv6(cursor: Position, node: Node) -> ipaddress.IPv6Address:
    return ipaddress.IPv6Address(cursor.take(16))


def _read_enum(cursor: Position, node: Node) -> str:
    start = cursor.offset
    number = _signed(cursor, node.size)
    labels = cursor.labels.get(node)
    if labels is None:
        assert node.labels is not None
        if len(cursor.labels) >= MAX_KNOWN:
            cursor.labels.clear()
        labels = cursor.labels[node] = {value: label for label, value in node.labels.items()}
    if number not in labels:
        raise cursor.error(f"{number} is no number of {shorten(node.text)}", start)
    return labels[number]


read_enum8 = read_enum16 = _read_enum


def read_state(cursor: Position, node: Node) -> object:
    raise cursor.error(f"a state of {shorten(node.text)} has no length: only its function can read it")


def read_nullable(cursor: Position, node: Node) -> object:
    start = cursor.offset
    flag = cursor.byte()
    if flag > 1:
        raise bad_flag(cursor, flag, start)
    cursor.note("NULL flag", flag)
    return None if flag else read_value(cursor, node.children[0])


def read_low_cardinality(cursor: Position, node: Node) -> object:
    """RowBinary does not show the dictionary."""
    return read_value(cursor, node.children[0])


def read_array(cursor: Position, node: Node) -> list[object]:
    child = node.children[0]
    count = cursor.count(child)
    cursor.note("elements", count)
    items: list[object] = []
    while len(items) < count:  # a comprehension has a frame of its own in CPython 3.11
        items.append(read_value(cursor, child, len(items)))
    return items


def read_tuple(cursor: Position, node: Node) -> tuple[object, ...] | dict[str, object]:
    start = cursor.offset
    values: list[object] = []
    while len(values) < len(node.children):
        index = len(values)
        step = index if node.names is None else node.names[index]
        values.append(read_value(cursor, node.children[index], step))
    if cursor.offset == start:
        cursor.count_empty()
    if node.names is not None:
        return dict(zip(node.names, values, strict=True))
    return tuple(values)


def read_map(cursor: Position, node: Node) -> dict[object, object] | list[tuple[object, object]]:
    key_node, value_node = node.children
    count = cursor.count(key_node, value_node)
    cursor.note("pairs", count)
    pairs: list[tuple[object, object]] = []
    while len(pairs) < count:
        key = read_value(cursor, key_node, ("key", len(pairs)))
        pairs.append((key, read_value(cursor, value_node, ("at", key))))
    return pairs_of(pairs)


def pairs_of(pairs: list[tuple[Any, Any]]) -> dict[object, object] | list[tuple[object, object]]:
    """What a Map of these keys and values is."""
    try:
        if len(pairs) > MAX_CLASHES and len(pairs) - len({hash(key) for key, _ in pairs}) > MAX_CLASHES:
            return pairs
        values = dict(pairs)
    except TypeError:  # a list or a dict among the keys
        return pairs
    return values if len(values) == len(pairs) else pairs


def read_qbit(cursor: Position, node: Node) -> list[object]:
    """In RowBinary an Array of exactly N elements."""
    start = cursor.offset
    count = cursor.count()
    if count != node.size:
        raise cursor.error(f"{count} elements instead of the {node.size} of {shorten(node.text)}", start)
    cursor.note("elements", count)
    return [read_value(cursor, node.children[0], index) for index in range(count)]


def read_variant(cursor: Position, node: Node) -> object:
    start = cursor.offset
    index = cursor.byte()
    if index != 0xFF and index >= len(node.children):
        raise bad_member(cursor, index, f"a Variant of {len(node.children)} members", start)
    cursor.note("member", index)
    if index == 0xFF:
        return None
    return read_value(cursor, node.children[index])


def read_dynamic(cursor: Position, node: Node | None = None) -> object:
    """The value behind a type tag, also that of an untyped JSON path; Nothing is NULL."""
    from ._read_types import compiled, read_type

    type_ = read_type(cursor)
    if type_.family == "Nothing":
        return None
    return read_value(cursor, compiled(cursor, type_))


def read_json(cursor: Position, node: Node) -> dict[Any, object]:
    assert node.json is not None
    typed = node.json.typed
    values: dict[str | bytes, object] = {}
    count = cursor.count()
    cursor.note("paths", count)
    for _ in range(count):
        start = cursor.offset
        path = cursor.text()
        if path in values:
            raise twice(cursor, path, start)
        cursor.note("path", path)
        inner = typed.get(path) if isinstance(path, str) else None
        cursor.enter(inner, path)
        values[path] = read_dynamic(cursor) if inner is None else read_value(cursor, inner)
        cursor.leave()
    # An untyped path that is NULL means the same as one that is absent.
    present = {path: value for path, value in values.items() if value is not None or path in typed}
    return document(cursor, present)


def document(cursor: Position, values: dict[str | bytes, object]) -> dict[Any, object]:
    """The document with these paths, in the shape that is asked for."""
    return values if cursor.rules.json == "paths" else nest(values, MAX_LEVELS - cursor.level)


def nest(values: Mapping[str | bytes, object], levels: int) -> dict[object, object]:
    """The document with these paths: ``a.b`` becomes the key ``b`` of the object ``a``.

    Not so when ``a`` has a value of its own, as in ``{"a": 1, "a.b": 2}``: then the rest of the path is
    one key with dots in it, in the innermost object that there can be.  The same is done below
    `levels` levels.  A path that is not UTF-8 stays one key, of bytes.
    """
    document: dict[object, Any] = {}
    for path, value in values.items():
        parts: list[Any] = path.split(".", levels) if isinstance(path, str) else [path]
        target, key = document, parts[-1]
        for index in range(len(parts) - 1):
            if ".".join(parts[: index + 1]) in values:
                key = ".".join(parts[index:])
                break
            target = target.setdefault(parts[index], {})
        target[key] = value
    return document


READERS: dict[Op, Reader] = {
    op: globals()[f"read_{op.name.lower()}"]
    for op in Op  # an opcode without a reader fails here
}
