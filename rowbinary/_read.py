"""Reference readers: one function per opcode, the mirror image of ``_write.py``.

``read_x(cursor, node)`` takes one value of `node`'s type from the cursor.  What it gives:

=============================================  ====================================================
Bool, integers, intervals, floats, Decimal     bool, int, int, float, Decimal with the column's scale
String                                         str; bytes when it is not UTF-8
FixedString                                    bytes, with the zero bytes at its end
Date, Date32                                   date
DateTime, DateTime64                           datetime in the column's zone, else in UTC
Time, Time64                                   timedelta
UUID, IPv4, IPv6, Enum                         UUID, IPv4Address, IPv6Address, the label
Nullable, LowCardinality, Variant, Dynamic     None or the value
Array, QBit; Nested                            list; list of dicts
Tuple; named Tuple                             tuple; dict
Map                                            dict; list of pairs if a key repeats or cannot be hashed
JSON                                           dict of dicts, see :func:`nest`
AggregateFunction                              DecodeError: a state has no length
=============================================  ====================================================

Nothing is rounded or clamped: what ``datetime`` cannot hold (nanoseconds, years outside 1 .. 9999) comes
as the int that is stored, days for a Date32 and else ticks of 10^-S seconds.
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
from . import _types as t
from ._badvalue import BadValue
from ._opcodes import WIDTHS, Op
from ._plan import Node
from ._schema import takes_no_bytes
from .errors import DecodeError, shorten

Reader: TypeAlias = Callable[["Cursor", Node], object]

# Values within values: at two Python frames each they leave room on a stack of 1000, and what is read
# can be printed and compared.
MAX_LEVELS = 300
# Values of no bytes, Tuple() and the like, in one body: only their number bounds what memory they take.
MAX_EMPTY = 1 << 20
_WIDE = decimal.Context(prec=80, traps=[])  # more digits than an Int256 has: scaling is exact


class Cursor:
    """A position in a body, and what belongs to the reading of it.

    ``row`` and ``column`` are for errors; ``level`` counts the values that the current one is in;
    ``empty`` those that took no bytes.  Compiled types and Enum labels are kept here, not in caches
    that outlive the body: a hostile body could fill those.
    """

    __slots__ = ("at", "column", "data", "empty", "labels", "level", "nodes", "row")

    def __init__(self, data: bytes):
        self.data = data
        self.at = 0
        self.row: int | None = None
        self.column: str | None = None
        self.level = 0
        self.empty = 0
        self.nodes: dict[t.Type, Node] = {}
        self.labels: dict[Node, dict[int, str]] = {}

    @property
    def left(self) -> int:
        """The number of bytes not read yet."""
        return len(self.data) - self.at

    def error(self, reason: str, offset: int | None = None) -> DecodeError:
        """The error to raise for `reason`, at `offset` or else here."""
        where = self.at if offset is None else offset
        return DecodeError(reason, offset=where, row=self.row, column=self.column)

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if count > self.left:
            raise self.error(f"{count} bytes are needed, {self.left} are left")
        start = self.at
        self.at += count
        return self.data[start : self.at]

    def byte(self) -> int:
        """The next byte, as a number."""
        return self.take(1)[0]

    def varint(self) -> int:
        """An unsigned LEB128 number of at most 64 bits in at most 10 bytes, minimal or not."""
        start = self.at
        number = 0
        for shift in range(0, 70, 7):
            byte = self.byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                if number >= 2**64:
                    break
                return number
        raise self.error("a length of more than 64 bits", start)

    def string(self) -> str | bytes:
        """A String: text where it is UTF-8, else its bytes."""
        data = self.take(self.varint())
        try:
            return data.decode()
        except UnicodeDecodeError:
            return data

    def name(self, what: str) -> str:
        """A String that must be text: `what` is for the error."""
        start = self.at
        text = self.string()
        if isinstance(text, bytes):
            raise self.error(f"{what} is not UTF-8", start)
        return text

    def count(self, *children: Node) -> int:
        """The number of elements that follow, each of one value per node (none: at least a byte).

        Checked before anything is made of it: every element takes a byte or more, or else it
        counts among the values that take none.
        """
        start = self.at
        number = self.varint()
        if number > self.left:
            no_bytes = bool(children) and all(takes_no_bytes(child.type) for child in children)
            if not no_bytes:
                raise self.error(f"{number} elements do not fit in the {self.left} bytes left", start)
            if number > MAX_EMPTY - self.empty:
                raise self.error(f"more than {MAX_EMPTY} values that take no bytes", start)
        return number


def read_value(cursor: Cursor, node: Node) -> object:
    """The next value, of the type of `node`: the only way from one reader to another."""
    if cursor.level >= MAX_LEVELS:
        raise cursor.error(f"values nested deeper than {MAX_LEVELS} levels")
    cursor.level += 1  # not restored when reading fails: that is the end of the body
    value = READERS[node.op](cursor, node)
    cursor.level -= 1
    return value


def read_nothing(cursor: Cursor, node: Node) -> object:
    raise cursor.error("Nothing has no values")


def read_bool(cursor: Cursor, node: Node) -> bool:
    """The server stores any byte for a Bool, and takes all but 0 for true."""
    return cursor.byte() != 0


def _integer_reader(op: Op) -> Reader:
    width = WIDTHS[op]
    signed = op.name.startswith("INT")

    def read_integer(cursor: Cursor, node: Node) -> int:
        return int.from_bytes(cursor.take(width), "little", signed=signed)

    return read_integer


read_int8, read_int16, read_int32 = map(_integer_reader, (Op.INT8, Op.INT16, Op.INT32))
read_int64, read_int128, read_int256 = map(_integer_reader, (Op.INT64, Op.INT128, Op.INT256))
read_uint8, read_uint16, read_uint32 = map(_integer_reader, (Op.UINT8, Op.UINT16, Op.UINT32))
read_uint64, read_uint128, read_uint256 = map(_integer_reader, (Op.UINT64, Op.UINT128, Op.UINT256))


def _signed(cursor: Cursor, width: int) -> int:
    return int.from_bytes(cursor.take(width), "little", signed=True)


def _float(layout: str, data: bytes) -> float:
    (number,) = struct.unpack(layout, data)
    assert isinstance(number, float)
    return number


def read_float32(cursor: Cursor, node: Node) -> float:
    return _float("<f", cursor.take(4))


def read_float64(cursor: Cursor, node: Node) -> float:
    return _float("<d", cursor.take(8))


def read_bfloat16(cursor: Cursor, node: Node) -> float:
    """The upper half of a Float32."""
    return _float("<f", b"\0\0" + cursor.take(2))


def _read_decimal(cursor: Cursor, node: Node) -> decimal.Decimal:
    """Also with more digits than the precision: the server does not check what it stores."""
    return decimal.Decimal(_signed(cursor, node.size)).scaleb(-node.scale, _WIDE)


read_decimal32 = read_decimal64 = read_decimal128 = read_decimal256 = _read_decimal


def read_string(cursor: Cursor, node: Node) -> str | bytes:
    return cursor.string()


def read_fixed_string(cursor: Cursor, node: Node) -> bytes:
    return cursor.take(node.size)


def read_date(cursor: Cursor, node: Node) -> dt.date | int:
    return _date(int.from_bytes(cursor.take(2), "little"))


def read_date32(cursor: Cursor, node: Node) -> dt.date | int:
    return _date(_signed(cursor, 4))


def _date(days: int) -> dt.date | int:
    try:
        return dt.date.fromordinal(days + convert.EPOCH_DAY)
    except (ValueError, OverflowError):
        return days


def read_datetime(cursor: Cursor, node: Node) -> dt.datetime | int:
    return _moment(cursor, node, int.from_bytes(cursor.take(4), "little"))


def read_datetime64(cursor: Cursor, node: Node) -> dt.datetime | int:
    return _moment(cursor, node, _signed(cursor, 8))


def _moment(cursor: Cursor, node: Node, ticks: int) -> dt.datetime | int:
    """`ticks` since the epoch in the column's zone; the int itself when no datetime equals it."""
    zone = _zone(cursor, node)
    delta = _timedelta(ticks, node.scale)
    if isinstance(delta, int):
        return ticks
    try:
        return (convert.EPOCH + delta).astimezone(zone)
    except (ValueError, OverflowError):  # before the year 1 or after 9999, there or in UTC
        return ticks


def _zone(cursor: Cursor, node: Node) -> dt.tzinfo:
    if node.zone is None or node.zone == "UTC":  # needs no time zone database
        return dt.UTC
    try:
        return convert.zone(node.zone)
    except BadValue:
        raise cursor.error(f"time zone {shorten(repr(node.zone))} is not known here") from None


def _timedelta(ticks: int, scale: int) -> dt.timedelta | int:
    """`ticks` of 10^-`scale` seconds; the int itself when no timedelta equals it."""
    microseconds, rest = divmod(ticks * 10**6, 10**scale)
    if rest:
        return ticks
    try:
        return dt.timedelta(microseconds=microseconds)
    except OverflowError:
        return ticks


def read_time(cursor: Cursor, node: Node) -> dt.timedelta | int:
    return _timedelta(_signed(cursor, 4), 0)


def read_time64(cursor: Cursor, node: Node) -> dt.timedelta | int:
    return _timedelta(_signed(cursor, 8), node.scale)


def read_interval(cursor: Cursor, node: Node) -> int:
    """The count; its unit is in the type, and a month has no length."""
    return _signed(cursor, 8)


def read_uuid(cursor: Cursor, node: Node) -> uuid.UUID:
    """Each half of the number little-endian, the high half first."""
    high, low = struct.unpack("<QQ", cursor.take(16))
    return uuid.UUID(int=high << 64 | low)


def read_ipv4(cursor: Cursor, node: Node) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int.from_bytes(cursor.take(4), "little"))


def read_ipv6(cursor: Cursor, node: Node) -> ipaddress.IPv6Address:
    return ipaddress.IPv6Address(cursor.take(16))


def _read_enum(cursor: Cursor, node: Node) -> str:
    start = cursor.at
    number = _signed(cursor, node.size)
    labels = cursor.labels.get(node)
    if labels is None:
        assert node.labels is not None
        labels = cursor.labels[node] = {value: label for label, value in node.labels.items()}
    if number not in labels:
        raise cursor.error(f"{number} is no number of {shorten(node.text)}", start)
    return labels[number]


read_enum8 = read_enum16 = _read_enum


def read_state(cursor: Cursor, node: Node) -> object:
    raise cursor.error(f"a state of {shorten(node.text)} has no length: only its function can read it")


def read_nullable(cursor: Cursor, node: Node) -> object:
    start = cursor.at
    flag = cursor.byte()
    if flag > 1:
        raise cursor.error(f"the NULL flag is {flag}, neither 0 nor 1", start)
    return None if flag else read_value(cursor, node.children[0])


def read_low_cardinality(cursor: Cursor, node: Node) -> object:
    """RowBinary does not show the dictionary."""
    return read_value(cursor, node.children[0])


def read_array(cursor: Cursor, node: Node) -> list[object]:
    child = node.children[0]
    count = cursor.count(child)
    items: list[object] = []
    while len(items) < count:  # a comprehension has a frame of its own in CPython 3.11
        items.append(read_value(cursor, child))
    return items


def read_tuple(cursor: Cursor, node: Node) -> tuple[object, ...] | dict[str, object]:
    start = cursor.at
    values: list[object] = []
    while len(values) < len(node.children):
        values.append(read_value(cursor, node.children[len(values)]))
    if cursor.at == start:
        cursor.empty += 1
        if cursor.empty > MAX_EMPTY:
            raise cursor.error(f"more than {MAX_EMPTY} values that take no bytes")
    if node.names is not None:
        return dict(zip(node.names, values, strict=True))
    return tuple(values)


def read_map(cursor: Cursor, node: Node) -> dict[object, object] | list[tuple[object, object]]:
    key_node, value_node = node.children
    count = cursor.count(key_node, value_node)
    pairs: list[tuple[object, object]] = []
    while len(pairs) < count:
        pairs.append((read_value(cursor, key_node), read_value(cursor, value_node)))
    try:
        values = dict(pairs)
    except TypeError:  # a list or a dict among the keys
        return pairs
    return values if len(values) == len(pairs) else pairs


def read_qbit(cursor: Cursor, node: Node) -> list[object]:
    """In RowBinary an Array of exactly N elements."""
    start = cursor.at
    count = cursor.count()
    if count != node.size:
        raise cursor.error(f"{count} elements instead of the {node.size} of {shorten(node.text)}", start)
    return [read_value(cursor, node.children[0]) for _ in range(count)]


def read_variant(cursor: Cursor, node: Node) -> object:
    start = cursor.at
    index = cursor.byte()
    if index == 0xFF:
        return None
    if index >= len(node.children):
        raise cursor.error(f"member {index} of a Variant of {len(node.children)} members", start)
    return read_value(cursor, node.children[index])


def read_dynamic(cursor: Cursor, node: Node | None = None) -> object:
    """The value behind a type tag, also that of an untyped JSON path; Nothing is NULL."""
    from ._decode import compiled, read_type

    type_ = read_type(cursor)
    if type_.family == "Nothing":
        return None
    return read_value(cursor, compiled(cursor, type_))


def read_json(cursor: Cursor, node: Node) -> dict[object, object]:
    assert node.json is not None
    typed = node.json.typed
    values: dict[str | bytes, object] = {}
    for _ in range(cursor.count()):
        start = cursor.at
        path = cursor.string()
        if path in values:
            raise cursor.error(f"path {shorten(repr(path))} twice in one JSON value", start)
        inner = typed.get(path) if isinstance(path, str) else None
        values[path] = read_dynamic(cursor) if inner is None else read_value(cursor, inner)
    # An untyped path that is NULL means the same as one that is absent.
    present = {path: value for path, value in values.items() if value is not None or path in typed}
    return nest(present, MAX_LEVELS - cursor.level)


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
