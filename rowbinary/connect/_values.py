"""Values that clickhouse-connect takes and the encoder does not.

The encoder never rounds, wraps or guesses.  clickhouse-connect does, in ways that callers may rely on
without knowing: digits of a Decimal beyond the column's scale are cut, an empty text is the zero UUID.  Here
such values become what clickhouse-connect would have stored, for columns in which the encoder has refused
one.  Not taken over, unless the caller asks for it with ``lax=True``, is what loses data without a trace:
fractions and NaN as integers, unknown labels as 0, any text as True, real types of a Dynamic as text.
"""

from __future__ import annotations

import datetime as dt
import decimal
import functools
import ipaddress
import math
import numbers
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from clickhouse_connect.datatypes.dynamic import TypedVariant

from .. import _types as t
from .._typed import Typed, typed
from ..errors import SchemaError

__all__ = ["Convert", "always_converts", "converter", "scaled"]

Convert: TypeAlias = Callable[[Any], Any]

_INTEGERS = frozenset(f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64, 128, 256))
_FLOATS = frozenset({"Float32", "Float64", "BFloat16"})
_STRING = t.Type("String")
_ZERO_UUID = uuid.UUID(int=0)
_EXACT = decimal.Context(prec=200, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)
_ZERO_IPV6 = ipaddress.IPv6Address(0)
_DIFFERS = re.compile(r"\b(Time|Time64|IPv6)\b")
_TIME = re.compile(r"(-?)(\d+):(\d+):(\d+)(?:\.(\d{1,9}))?", re.ASCII)


@functools.lru_cache(maxsize=1024)
def always_converts(type_: t.Type, lax: bool) -> bool:
    """Whether the encoder takes values of `type_` as something else than clickhouse-connect does.

    Times below zero are cut toward zero there, and not down; small integers are IPv4 addresses.
    """
    return _DIFFERS.search(type_.text) is not None or (lax and "Dynamic" in type_.text)


@functools.lru_cache(maxsize=1024)
def converter(type_: t.Type, lax: bool = False) -> Convert | None:
    """What makes values of `type_` acceptable; ``None`` where nothing has to be made of them.

    Values that it does not know it returns as they are, for the encoder to refuse.
    """
    match type_:
        case t.Wrapper(family="Nullable" | "LowCardinality", inner=inner):
            return _optional(converter(inner, lax), nullable=_takes_none(type_))
        case t.Wrapper(family="Array", inner=inner):
            return _each(converter(inner, lax))
        case t.Map():
            return _mapping(converter(type_.key, lax), converter(type_.value, lax))
        case t.Tuple():
            return _tuple(type_, lax)
        case t.Variant():
            return functools.partial(_variant, type_, lax)
        case t.Alias():
            return converter(type_.structure, lax)
        case t.Aggregate(family="SimpleAggregateFunction"):
            return converter(type_.arguments[0], lax)
        case t.Decimal():
            return functools.partial(_decimal, type_)
        case t.FixedString():
            return _lax_falsy("") if lax else _empty_bytes
        case t.Enum():
            return _lax_enum(type_) if lax else None
        case t.DateTime64():
            return _moment
        case t.Time64():
            return functools.partial(_time, 10**type_.scale, lax)
        case t.QBit():
            return functools.partial(_lax_zeros, type_.length) if lax else None
        case t.Dynamic():
            return _dynamic_text if lax else None
    return _scalar(type_.family, lax)


def _scalar(family: str, lax: bool) -> Convert | None:
    if family in _INTEGERS:
        return _lax_integer if lax else _integer
    if family in _FLOATS:
        return _float
    if family == "Time":
        return functools.partial(_time, 1, lax)
    if lax and family.startswith("Interval"):
        return _lax_integer
    strict, loose = _OF_FAMILY.get(family, (None, None))
    return loose if lax else strict


def _takes_none(type_: t.Type) -> bool:
    while isinstance(type_, t.Wrapper):
        if type_.family == "Nullable":
            return True
        if type_.family == "Array":
            return False
        type_ = type_.inner
    return False


def _optional(inner: Convert | None, nullable: bool) -> Convert | None:
    if inner is None or not nullable:
        return inner
    convert = inner
    return lambda value: None if value is None else convert(value)


def _each(inner: Convert | None) -> Convert | None:
    if inner is None:
        return None
    convert = inner

    def convert_array(value: Any) -> Any:
        if isinstance(value, str | bytes | Mapping) or not hasattr(value, "__iter__"):
            return value
        return [convert(item) for item in value]

    return convert_array


def _mapping(key: Convert | None, value: Convert | None) -> Convert | None:
    if key is None and value is None:
        return None
    of_key, of_value = key or _same, value or _same

    def convert_map(pairs: Any) -> Any:
        if not isinstance(pairs, Mapping):
            return pairs
        return {of_key(k): of_value(v) for k, v in pairs.items()}

    return convert_map


def _same(value: Any) -> Any:
    return value


def _tuple(type_: t.Tuple, lax: bool) -> Convert | None:
    """Dicts may have other keys than the tuple: those that it lacks are NULL, those that it has more do not
    matter.  A Nested is an Array of such tuples."""
    elements = [converter(element, lax) or _same for element in type_.elements]
    names = type_.names
    if names is None and all(convert is _same for convert in elements):
        return None

    def convert_tuple(value: Any) -> Any:
        if names is not None and isinstance(value, Mapping):
            value = tuple(value.get(name) for name in names)
        if not isinstance(value, tuple | list) or len(value) != len(elements):
            return value
        return tuple(convert(item) for convert, item in zip(elements, value, strict=True))

    return _each(convert_tuple) if type_.family == "Nested" else convert_tuple


def _variant(type_: t.Variant, lax: bool, value: Any) -> Any:
    """The member is the one that was named, or the one that is made for this Python type."""
    if isinstance(value, TypedVariant):
        try:
            named = typed(value.value, value.type_name)
        except SchemaError:
            return value
        return _member(named.type, lax, value.value)
    if isinstance(value, decimal.Decimal):
        decimals = [member for member in type_.members if isinstance(member, t.Decimal)]
        if len(decimals) == 1:
            return _member(decimals[0], lax, value)
    return value


def _member(type_: t.Type, lax: bool, value: Any) -> Typed:
    convert = converter(type_, lax)
    return typed(value if convert is None else convert(value), type_)


def _integer(value: Any) -> Any:
    if isinstance(value, str | bytes):
        try:
            return int(value)
        except ValueError:
            return value
    return int(value) if type(value).__name__ == "bool" and hasattr(value, "dtype") else value


def _float(value: Any) -> Any:
    try:
        return float(value) if isinstance(value, str | bytes) else value
    except ValueError:
        return value


def _decimal(type_: t.Decimal, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str | decimal.Decimal):
        return value
    try:
        number = decimal.Decimal(str(value))
    except (ArithmeticError, ValueError):
        return value
    return scaled([number], type_)[0]


def scaled(values: list[Any], type_: t.Decimal) -> list[Any]:
    """Decimals and floats (what they print as) with as many digits as `type_` has, and what is beyond its
    scale cut.  ``None`` and what is not finite stay."""
    unit, scale = decimal.Decimal(10**type_.scale), -type_.scale
    exact = [decimal.Decimal(repr(value)) if type(value) is float else value for value in values]
    with decimal.localcontext(prec=type_.precision):
        whole = [value if value is None or not value.is_finite() else int(value * unit) for value in exact]
    return [decimal.Decimal(n).scaleb(scale, _EXACT) if type(n) is int else n for n in whole]


def _moment(value: Any) -> Any:
    """Texts in all forms of ISO 8601 that Python reads."""
    try:
        return dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _time(ticks: int, lax: bool, value: Any) -> Any:
    """A count of ticks, of which there are `ticks` in a second; what is finer is cut toward zero."""
    if isinstance(value, dt.timedelta):
        micros = (value.days * 86_400 + value.seconds) * 10**6 + value.microseconds
        nanos = micros * 1000 + int(getattr(value, "nanoseconds", 0))
    elif isinstance(value, str) and (match := _TIME.fullmatch(value.strip())):
        sign, *parts, fraction = match.groups()
        hours, minutes, seconds = map(int, parts)
        if minutes > 59 or seconds > 59:
            return value
        nanos = (hours * 3600 + minutes * 60 + seconds) * 10**9 + int((fraction or "").ljust(9, "0"))
        nanos = -nanos if sign else nanos
    elif isinstance(value, float) and (lax or value.is_integer()):
        return int(value) if math.isfinite(value) else value
    else:
        return value
    return nanos * ticks // 10**9 if nanos >= 0 else -(-nanos * ticks // 10**9)


def _empty_bytes(value: Any) -> Any:
    """Empty bytes are the zero value, as an empty text is."""
    return "" if isinstance(value, bytes | bytearray) and not value else value


def _truth(value: Any) -> Any:
    """Numbers other than 0 and 1 are true too.  Not texts: 'false' would be."""
    return bool(value) if isinstance(value, numbers.Number) or hasattr(value, "dtype") else value


def _uuid(value: Any) -> Any:
    return _ZERO_UUID if isinstance(value, str) and not value else value


def _ipv4(value: Any) -> Any:
    return 0 if isinstance(value, str) and not value else value


def _ipv6(value: Any) -> Any:
    """Four bytes are an IPv4 address, and so is a number that could be one."""
    is_old = len(value) == 4 if isinstance(value, bytes) else type(value) is int and 0 <= value < 1 << 32
    return ipaddress.IPv4Address(value) if is_old else value


# --- lax: as it is today --------------------------------------------------------------------------


def _lax_integer(value: Any) -> Any:
    if isinstance(value, float):
        return int(value) if math.isfinite(value) else 0
    if isinstance(value, decimal.Decimal):
        return int(value) if value.is_finite() else value
    return _integer(value)


def _lax_zeros(count: int, value: Any) -> Any:
    return [0] * count if value is None else value


def _lax_ipv4(value: Any) -> Any:
    return 0 if value is None else _ipv4(value)


def _lax_ipv6(value: Any) -> Any:
    return _ZERO_IPV6 if value is None else _ipv6(value)


def _lax_uuid(value: Any) -> Any:
    return _ZERO_UUID if not value and not isinstance(value, uuid.UUID) else value


def _lax_falsy(zero: Any) -> Convert:
    return lambda value: value if value or value is None else zero


def _lax_enum(type_: t.Enum) -> Convert | None:
    """Unknown labels are 0, where the Enum has it: what is stored cannot be read where it has not."""
    if 0 not in (number for _, number in type_.labels):
        return None
    labels = frozenset(label for label, _ in type_.labels)
    return lambda value: 0 if isinstance(value, str) and value not in labels else value


def _dynamic_text(value: Any) -> Any:
    """clickhouse-connect sends every value of a Dynamic as the text that ``str`` makes, also None."""
    if isinstance(value, Typed):
        return value
    if value is None:
        return typed("NULL", _STRING)
    return typed(str(value), _STRING)


# Of the types without parameters that are no numbers: as it is, and with `lax`.
_OF_FAMILY: dict[str, tuple[Convert | None, Convert | None]] = {
    "Bool": (_truth, bool),
    "UUID": (_uuid, _lax_uuid),
    "IPv4": (_ipv4, _lax_ipv4),
    "IPv6": (_ipv6, _lax_ipv6),
    "String": (None, _lax_falsy("")),
}
