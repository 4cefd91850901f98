"""Reference writers: one function per opcode.  This file is the specification.

``write_x(out, node, value, context)`` appends `value` to `out` in RowBinary.  A writer raises
BadValue for what it cannot write; what it appended before is cut off by the row loop.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TypeAlias

from . import _convert as convert
from ._badvalue import BadValue, explain
from ._containers import CHANGED, MISSING, as_elements, as_pairs, as_sequence, checked_length
from ._context import Context
from ._opcodes import WIDTHS, Op
from ._options import MAX_ROW, MAX_STRING
from ._plan import Node, lacks_zero
from ._typed import DEFAULT, Typed
from ._varint import varint

Writer: TypeAlias = Callable[[bytearray, Node, object, Context], None]

# These pass a typed() value on to the type inside.
_TRANSPARENT = frozenset({Op.NULLABLE, Op.LOW_CARDINALITY, Op.VARIANT, Op.DYNAMIC})
# The calendar the engine computes with; Date is a UInt16, Date32 an Int32 (0001-01-01 .. 9999-12-31).
_MAX_DATE = 65_535
_MIN_DATE32, _MAX_DATE32 = -719_162, 2_932_896
NO_ZERO = "an aggregate state has no default value: give the bytes of one"
_INT64 = (-(2**63), 2**63 - 1)


def write_value(out: bytearray, node: Node, value: object, context: Context) -> None:
    """Append `value` as the type of `node`: the only way from one writer to another."""
    try:
        if len(out) > MAX_ROW:  # lists that share lists can mean more than any memory holds
            raise BadValue(f"the row takes more than {MAX_ROW} bytes")
        if type(value) is Typed:
            value = _unwrap(node, value)
        WRITERS[node.op](out, node, value, context)
    except BadValue as error:
        if error.type_text is None:
            error.type_text, error.value = node.text, value
        raise
    except MemoryError:
        raise
    except Exception as error:
        raise BadValue(explain(error), value, node.text) from error


def _unwrap(node: Node, value: Typed) -> object:
    if value.type == node.type:
        return value.value
    if node.op in _TRANSPARENT:
        return value
    raise BadValue(f"it is typed as {value.type}", value, node.text)


def write_nothing(out: bytearray, node: Node, value: object, context: Context) -> None:
    """The value of Nothing takes no bytes; only a NULL or an absent element can be one."""
    raise BadValue("Nothing has no values")


def write_bool(out: bytearray, node: Node, value: object, context: Context) -> None:
    out.append(convert.to_bool(value))


def _integer_writer(op: Op) -> Writer:
    width = WIDTHS[op]
    signed = op.name.startswith("INT")
    high = 2 ** (8 * width - signed) - 1
    low = -high - 1 if signed else 0

    def write_integer(out: bytearray, node: Node, value: object, context: Context) -> None:
        out += convert.to_ranged(value, low, high).to_bytes(width, "little", signed=signed)

    return write_integer


write_int8, write_int16, write_int32 = map(_integer_writer, (Op.INT8, Op.INT16, Op.INT32))
write_int64, write_int128, write_int256 = map(_integer_writer, (Op.INT64, Op.INT128, Op.INT256))
write_uint8, write_uint16, write_uint32 = map(_integer_writer, (Op.UINT8, Op.UINT16, Op.UINT32))
write_uint64, write_uint128, write_uint256 = map(_integer_writer, (Op.UINT64, Op.UINT128, Op.UINT256))


def write_float32(out: bytearray, node: Node, value: object, context: Context) -> None:
    number = convert.to_float(value)
    try:
        out += struct.pack("<f", number)
    except OverflowError:
        raise BadValue("out of range of Float32") from None


def write_float64(out: bytearray, node: Node, value: object, context: Context) -> None:
    out += struct.pack("<d", convert.to_float(value))


def write_bfloat16(out: bytearray, node: Node, value: object, context: Context) -> None:
    """The upper half of the Float32; a NaN stays one."""
    single = bytearray()
    number = convert.to_float(value)
    write_float32(single, node, number, context)
    if number != number:
        single[2] |= 0x40
    out += single[2:]


def _write_decimal(out: bytearray, node: Node, value: object, context: Context) -> None:
    number = convert.to_scaled(value, node.precision, node.scale)
    out += number.to_bytes(node.size, "little", signed=True)


write_decimal32 = write_decimal64 = write_decimal128 = write_decimal256 = _write_decimal


def write_string(out: bytearray, node: Node, value: object, context: Context) -> None:
    data = convert.to_text(value)
    if len(data) > MAX_STRING:
        raise BadValue(f"{len(data)} bytes, the server reads at most {MAX_STRING}")
    out += varint(len(data)) + data


def write_fixed_string(out: bytearray, node: Node, value: object, context: Context) -> None:
    out += convert.to_fixed(value, node.size)


def write_date(out: bytearray, node: Node, value: object, context: Context) -> None:
    out += convert.to_days(value, 0, _MAX_DATE).to_bytes(2, "little")


def write_date32(out: bytearray, node: Node, value: object, context: Context) -> None:
    out += convert.to_days(value, _MIN_DATE32, _MAX_DATE32).to_bytes(4, "little", signed=True)


def write_datetime(out: bytearray, node: Node, value: object, context: Context) -> None:
    seconds = convert.to_ticks(value, 0, context.naive, node.zone)
    if not 0 <= seconds < 2**32:
        raise BadValue("out of range 1970-01-01 00:00:00 .. 2106-02-07 06:28:15 UTC")
    out += seconds.to_bytes(4, "little")


def write_datetime64(out: bytearray, node: Node, value: object, context: Context) -> None:
    ticks = convert.to_ticks(value, node.scale, context.naive, node.zone)
    out += _int64(ticks)


def write_time(out: bytearray, node: Node, value: object, context: Context) -> None:
    out += convert.to_clock_ticks(value, 0).to_bytes(4, "little", signed=True)


def write_time64(out: bytearray, node: Node, value: object, context: Context) -> None:
    out += convert.to_clock_ticks(value, node.scale).to_bytes(8, "little", signed=True)


def write_interval(out: bytearray, node: Node, value: object, context: Context) -> None:
    out += _int64(convert.to_interval(value, node.type.family))


def _int64(number: int) -> bytes:
    if not _INT64[0] <= number <= _INT64[1]:
        raise BadValue("out of range of a 64-bit count")
    return number.to_bytes(8, "little", signed=True)


def write_uuid(out: bytearray, node: Node, value: object, context: Context) -> None:
    """Each half of the number little-endian, the high half first."""
    high, low = divmod(convert.to_uuid(value), 2**64)
    out += high.to_bytes(8, "little") + low.to_bytes(8, "little")


def write_ipv4(out: bytearray, node: Node, value: object, context: Context) -> None:
    out += convert.to_ipv4(value).to_bytes(4, "little")


def write_ipv6(out: bytearray, node: Node, value: object, context: Context) -> None:
    out += convert.to_ipv6(value)


def _write_enum(out: bytearray, node: Node, value: object, context: Context) -> None:
    out += convert.to_label(value, node).to_bytes(node.size, "little", signed=True)


write_enum8 = write_enum16 = _write_enum


def write_state(out: bytearray, node: Node, value: object, context: Context) -> None:
    """An aggregate state has no length: only its function knows where it ends."""
    if not isinstance(value, bytes | bytearray | memoryview):
        raise BadValue("not bytes")
    if context.sized_states:
        out += varint(memoryview(value).nbytes)
    out += value


def write_nullable(out: bytearray, node: Node, value: object, context: Context) -> None:
    if value is None:
        out.append(1)
        return
    out.append(0)
    write_value(out, node.children[0], value, context)


def write_low_cardinality(out: bytearray, node: Node, value: object, context: Context) -> None:
    """RowBinary does not show the dictionary."""
    write_value(out, node.children[0], value, context)


def write_array(out: bytearray, node: Node, value: object, context: Context) -> None:
    items = as_sequence(value)
    count = checked_length(items)
    out += varint(count)
    _write_items(out, node.children[0], items, context)
    context.count = count


def _write_items(
    out: bytearray, child: Node, items: list[object] | tuple[object, ...], context: Context
) -> None:
    count = len(items)
    for index in range(count):
        try:
            write_value(out, child, items[index], context)
        except BadValue as error:
            error.path.append(index)
            raise
        if len(items) != count:
            raise BadValue(CHANGED)


def write_tuple(out: bytearray, node: Node, value: object, context: Context) -> None:
    items = as_elements(value, node, context.zero_missing)
    count = len(node.children)
    for index, child in enumerate(node.children):
        item = items[index]
        if item is MISSING:
            write_zero(out, child)
            continue
        try:
            write_value(out, child, item, context)
        except BadValue as error:
            error.path.append(index if node.names is None else node.names[index])
            raise
        if len(items) != count:
            raise BadValue(CHANGED)


def write_map(out: bytearray, node: Node, value: object, context: Context) -> None:
    pairs = as_pairs(value)
    out += varint(checked_length(pairs))
    key_node, value_node = node.children
    for key, item in pairs:
        try:
            write_value(out, key_node, key, context)
            write_value(out, value_node, item, context)
        except BadValue as error:
            error.path.append((key,))
            raise
        if type(value) is dict and len(value) != len(pairs):
            raise BadValue(CHANGED)


def write_qbit(out: bytearray, node: Node, value: object, context: Context) -> None:
    """In RowBinary an Array of exactly N elements."""
    items = as_sequence(value)
    if len(items) != node.size:
        raise BadValue(f"{len(items)} elements instead of {node.size}")
    out += varint(node.size)
    _write_items(out, node.children[0], items, context)


def write_variant(out: bytearray, node: Node, value: object, context: Context) -> None:
    from ._variant import choose_member

    if value is None:
        out.append(0xFF)
        return
    index = choose_member(node, value, context)
    out.append(index)
    write_value(out, node.children[index], value, context)


def write_dynamic(out: bytearray, node: Node, value: object, context: Context) -> None:
    from ._dynamic import DEFAULT_LIMITS, write_natural

    write_natural(out, value, context, DEFAULT_LIMITS)


def write_json(out: bytearray, node: Node, value: object, context: Context) -> None:
    from ._json import write_document

    write_document(out, node, value, context)


def write_zero(out: bytearray, node: Node) -> None:
    """Append the default value of the type of `node`."""
    if lacks_zero(node):
        raise BadValue(NO_ZERO, None, node.text)
    out += node.zero


def write_cell(out: bytearray, node: Node, value: object, context: Context, defaults: bool) -> None:
    """A whole cell: with the marker byte in formats that have one."""
    if value is DEFAULT:
        if not defaults:
            raise BadValue("DEFAULT needs a format whose name ends in Defaults, or Native", value, node.text)
        out.append(1)
        return
    if defaults:
        out.append(0)
    if value is MISSING:
        write_zero(out, node)
        context.count = 0  # of a flattened Nested: an empty array
        return
    write_value(out, node, value, context)


WRITERS: dict[Op, Writer] = {
    op: globals()[f"write_{op.name.lower()}"]
    for op in Op  # an opcode without a writer fails here
}
