"""Values without a declared type: which ClickHouse type a Python value naturally has.

``json="exact"``: the Python type decides, nothing is converted.  ``json="text"``: what the
server would infer from the value's JSON text (:mod:`rowbinary._text`).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import enum
import ipaddress
import uuid
from collections.abc import Callable, Sequence
from typing import TypeAlias

from . import _convert as convert
from . import _types as t
from ._badvalue import BadValue
from ._containers import as_object, as_sequence
from ._context import Context
from ._opcodes import Op
from ._options import MAX_DEPTH
from ._plan import Node, bottom, compile_type, not_in_a_block
from ._typed import Typed
from ._write import write_value

Limits: TypeAlias = tuple[int, int]
"""max_dynamic_paths and max_dynamic_types that an object in an array gets here."""

DEFAULT_LIMITS: Limits = (t.MAX_DYNAMIC_PATHS, t.MAX_DYNAMIC_TYPES)

BOOL = t.Type("Bool")
INT64 = t.Type("Int64")
UINT64 = t.Type("UInt64")
INT128 = t.Type("Int128")
INT256 = t.Type("Int256")
FLOAT64 = t.Type("Float64")
STRING = t.Type("String")
DATE = t.Type("Date")
DATE32 = t.Type("Date32")
DATETIME64 = t.DateTime64("DateTime64", 9)
TIME64 = t.Time64("Time64", 9)
DYNAMIC = t.Dynamic("Dynamic")
_INTEGERS = {  # in the order of preference
    INT64: (-(2**63), 2**63 - 1),
    UINT64: (0, 2**64 - 1),
    INT128: (-(2**127), 2**127 - 1),
    INT256: (-(2**255), 2**255 - 1),
}
_EXACT_INT = 2**53  # every int up to here is a Float64


def write_natural(
    out: bytearray, value: object, context: Context, limits: Limits, memory: bool = True
) -> None:
    """Append type tag and value of a Dynamic; NULL is the tag of Nothing.

    ``memory=False`` is for paths beyond max_dynamic_paths: in the server's shared data the elements
    of an array do not influence each other's types (``json="text"``).
    """
    mode, mixed = context.json, context.mixed
    if mixed is None:
        context.mixed = {}
    try:
        if mode == "text":
            value = _retype(value, limits, context, memory)
            context.json = "exact"  # what was retyped must not be inferred again
        natural = natural_value(value, context, limits)
        if natural is None:
            out.append(0)
            return
        if natural[0].op is Op.JSON:
            context.json = mode
        _write_tagged(out, *natural, context)
    except BadValue as error:
        if error.type_text is None:
            error.type_text = "Dynamic"
            error.value = value if error.value is None else error.value
        raise
    finally:
        context.json, context.mixed = mode, mixed


def _write_tagged(out: bytearray, node: Node, value: object, context: Context) -> None:
    if context.sized_states and (reason := not_in_a_block(node)):
        raise BadValue(reason)
    out += node.tag
    if bottom(node).op not in (Op.ARRAY, Op.MAP, Op.TUPLE):  # a document counts its own depth
        write_value(out, node, value, context)
        return
    context.enter()
    try:
        write_value(out, node, value, context)
    finally:
        context.leave()


def _retype(value: object, limits: Limits, context: Context, memory: bool) -> object:
    """`value` with the types that the server would infer from its JSON text."""
    from . import _text

    if type(value) is Typed or as_object(value) is not None:
        return value
    if type(value) not in (str, bool, list):
        value = _text.json_leaf(value)
    if type(value) is str:
        return _text.retype_string(value, context.zone) or value
    if isinstance(value, list | tuple):
        # The limits here are those of the objects in the array, a quarter and a half of the outer.
        return _text.retype_array(list(value), limits[0] * 4, limits[1] * 2, context.zone, memory=memory)
    return value


def natural_value(value: object, context: Context, limits: Limits) -> tuple[Node, object] | None:
    """The node that writes `value`, and the value to give it; ``None`` for NULL."""
    if type(value) is Typed:
        return _typed_value(value, context, limits)
    if value is None:
        return None
    known = _SCALARS.get(type(value)) or _subclass_rule(value)
    if known is not None:
        return compile_type(known(value)), value
    if isinstance(value, enum.Enum):
        return natural_value(value.value, context, limits)
    if as_object(value) is not None:
        return compile_type(t.JSON("JSON", *DEFAULT_LIMITS)), value
    if hasattr(value, "dtype") and getattr(value, "ndim", None) == 0:  # a numpy scalar
        return natural_value(_numpy_scalar(value), context, limits)
    items = _array_items(value)
    try:
        element = element_type(items, limits, context, context.depth + 1)
    except BadValue:
        _blame(items, limits, context)
        raise
    return compile_type(t.Wrapper("Array", element)), items


def _blame(items: Sequence[object], limits: Limits, context: Context) -> None:
    """Raise the error of the first of `items` that has no type of its own, with its index."""
    for index, item in enumerate(items):
        context.enter()
        try:
            natural_value(item, context, limits)
        except BadValue as error:
            error.path.append(index)
            raise
        finally:
            context.leave()


def _typed_value(value: Typed, context: Context, limits: Limits) -> tuple[Node, object] | None:
    """typed(): Nullable, Variant and Dynamic cannot be in a Dynamic (code 36), what they hold can."""
    node, inner = value.node, value.value
    if inner is None and bottom(node).op in (Op.NULLABLE, Op.VARIANT, Op.DYNAMIC, Op.NOTHING):
        return None
    if node.op is Op.NULLABLE:
        return node.children[0], inner
    if node.op is Op.VARIANT:
        from ._variant import choose_member

        member = node.children[choose_member(node, inner, context)]
        return member, inner.value if type(inner) is Typed else inner
    if node.op is Op.DYNAMIC:
        return natural_value(inner, context, limits)
    if node.op is Op.LOW_CARDINALITY and node.children[0].op is Op.NULLABLE:
        return compile_type(t.Wrapper("LowCardinality", node.children[0].children[0].type)), inner
    return node, inner


def _array_items(value: object) -> list[object] | tuple[object, ...]:
    try:
        return as_sequence(value)
    except BadValue:
        raise BadValue("no ClickHouse type for it", value, "Dynamic") from None


# --- scalars -------------------------------------------------------------------------------------


def _int_type(value: int) -> t.Type:
    return _integer_holding(int.__index__(value), int.__index__(value), value)


def _integer_holding(low: int, high: int, value: object) -> t.Type:
    for type_, (least, most) in _INTEGERS.items():
        if least <= low and high <= most:
            return type_
    raise BadValue("out of range of Int256", value, "Dynamic")


def _date_type(value: dt.date) -> t.Type:
    days = value.toordinal() - convert.EPOCH_DAY
    return DATE if 0 <= days < 2**16 else DATE32


def _decimal_type(value: decimal.Decimal) -> t.Type:
    return _decimal_holding([value])


def _decimal_holding(values: list[decimal.Decimal]) -> t.Type:
    scale = whole = 0
    for value in values:
        _, digits, exponent = decimal.Decimal.as_tuple(value)
        if not isinstance(exponent, int):
            raise BadValue("not a finite number", value, "Decimal")
        scale = max(scale, -exponent)
        whole = max(whole, len(digits) + exponent)
    if scale + whole > 76:
        raise BadValue("more than 76 digits", values[0], "Decimal")
    return t.Decimal("Decimal", 38 if scale + whole <= 38 else 76, scale)


Rule: TypeAlias = Callable[..., t.Type]


def _always(type_: t.Type) -> Rule:
    return lambda value: type_


# Exact types first; subclasses in this order, so bool stands before int, datetime before date.
_SCALARS: dict[type, Rule] = {
    str: _always(STRING),
    bool: _always(BOOL),
    int: _int_type,
    float: _always(FLOAT64),
    bytes: _always(STRING),
    bytearray: _always(STRING),
    memoryview: _always(STRING),
    dt.datetime: _always(DATETIME64),
    dt.date: _date_type,
    dt.timedelta: _always(TIME64),
    dt.time: _always(TIME64),
    decimal.Decimal: _decimal_type,
    uuid.UUID: _always(t.Type("UUID")),
    ipaddress.IPv4Address: _always(t.Type("IPv4")),
    ipaddress.IPv6Address: _always(t.Type("IPv6")),
}


def _subclass_rule(value: object) -> Rule | None:
    if isinstance(value, enum.Enum) and not isinstance(value, str | int | float):
        return None
    return next((rule for base, rule in _SCALARS.items() if isinstance(value, base)), None)


def _numpy_scalar(value: object) -> object:
    kind = convert._numpy_kind(value)
    if kind == "M":
        return Typed(convert.to_ticks(value, 9, "utc", None), DATETIME64)
    if kind == "m":
        return Typed(convert.to_clock_ticks(value, 9), TIME64)
    return value.item()  # type: ignore[attr-defined]


# --- arrays (json="exact") -----------------------------------------------------------------------


def element_type(items: Sequence[object], limits: Limits, context: Context, depth: int) -> t.Type:
    """The T of the Array(T) that holds `items` without changing one: else Dynamic.

    None makes it Nullable; ints and floats share Float64 while every int is exact in it; inner
    arrays are merged level by level; objects become JSON with the `limits` of this level.
    """
    if depth > MAX_DEPTH:
        raise BadValue(f"nested deeper than {MAX_DEPTH} levels")
    present = [item for item in items if item is not None]
    objects = sum(as_object(item) is not None for item in present)
    if objects:
        if objects < len(present):
            return DYNAMIC
        return _nullable(t.JSON("JSON", *limits), len(present) < len(items))
    arrays = [item for item in present if _is_array(item)]
    if arrays:
        if len(arrays) < len(items):
            return DYNAMIC
        return _merge_arrays(arrays, limits, context, depth)
    merged = _merge_scalars(present)
    return merged if merged is DYNAMIC else _nullable(merged, True)


def _is_array(item: object) -> bool:
    if type(item) in _SCALARS or type(item) is Typed or isinstance(item, enum.Enum):
        return False
    if _subclass_rule(item) is not None or getattr(item, "ndim", None) == 0:
        return False
    _array_items(item)
    return True


def _merge_arrays(arrays: list[object], limits: Limits, context: Context, depth: int) -> t.Type:
    # One list in many places counts once, or lists that share lists would be more than memory holds.
    arrays = list({id(array): array for array in arrays}.values())
    together = [item for array in arrays for item in as_sequence(array)]
    inner = element_type(together, limits, context, depth + 1)
    if inner is DYNAMIC and not any(_is_mixed(array, limits, context, depth + 1) for array in arrays):
        return DYNAMIC  # each inner array keeps its own type
    return t.Wrapper("Array", inner)


def _is_mixed(array: object, limits: Limits, context: Context, depth: int) -> bool:
    """Whether `array` alone is an Array(Dynamic).

    Noted for the value being written: every level above asks again, twice as often as the one below.
    """
    assert context.mixed is not None
    known = context.mixed.get(id(array))
    if known is None:
        mixed = element_type(as_sequence(array), limits, context, depth) is DYNAMIC
        known = context.mixed[id(array)] = (mixed, array)  # the array too, so that its id stays its own
    return known[0]


def _nullable(type_: t.Type, wanted: bool) -> t.Type:
    return t.Wrapper("Nullable", type_) if wanted else type_


def _merge_scalars(items: list[object]) -> t.Type:
    found = list({_scalar_type(item): None for item in items})
    if not found:
        return STRING
    if len(found) == 1:
        return found[0] if _fits_nullable(found[0]) else DYNAMIC
    if all(type_ in _INTEGERS for type_ in found):
        numbers = [convert.to_int(_plain(item)) for item in items]
        return _integer_holding(min(numbers), max(numbers), items[0])
    if all(type_ == FLOAT64 or type_ in _INTEGERS for type_ in found):
        whole = (_plain(item) for item in items if _scalar_type(item) != FLOAT64)
        return FLOAT64 if all(abs(convert.to_int(number)) <= _EXACT_INT for number in whole) else DYNAMIC
    if all(type_ in (DATE, DATE32) for type_ in found):
        return DATE32
    decimals = [item for item in items if isinstance(item, decimal.Decimal)]
    if len(decimals) == len(items):
        with contextlib.suppress(BadValue):  # together they may need more than 76 digits
            return _decimal_holding(decimals)
    return DYNAMIC


def _plain(item: object) -> object:
    return item.value if type(item) is Typed else item


def _scalar_type(item: object) -> t.Type:
    if type(item) is Typed:
        return item.type
    if isinstance(item, enum.Enum) and not isinstance(item, str | int | float):
        return _scalar_type(item.value)
    rule = _SCALARS.get(type(item)) or _subclass_rule(item)
    if rule is None:
        return _scalar_type(_numpy_scalar(item))
    return rule(item)


def _fits_nullable(type_: t.Type) -> bool:
    """Whether Nullable(T) exists; typed() elements of every other type go into Dynamic."""
    return not isinstance(
        type_, t.Wrapper | t.Map | t.Tuple | t.Variant | t.Dynamic | t.Alias | t.QBit | t.Aggregate
    )
