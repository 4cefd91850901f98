"""Values that clickhouse-connect takes and the encoder does not.

The encoder never rounds, wraps or guesses.  clickhouse-connect does, in ways that callers may rely on
without knowing: digits of a Decimal beyond the column's scale are cut, an empty text is the zero UUID.  Here
such values become what clickhouse-connect would have stored, for columns in which the encoder has refused
one.  Not taken over, unless the caller asks for it with ``lax=True``, is what loses data without a trace:
fractions and NaN as integers, unknown labels as 0, any text as True, real types of a Dynamic as text.
"""

from __future__ import annotations

import decimal
import functools
import math
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from clickhouse_connect.datatypes.dynamic import TypedVariant

from .. import _types as t
from .._typed import Typed, typed
from ..errors import SchemaError

__all__ = ["Convert", "converter"]

Convert: TypeAlias = Callable[[Any], Any]

_INTEGERS = frozenset(f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64, 128, 256))
_STRING = t.Type("String")
_ZERO_UUID = uuid.UUID(int=0)
_EXACT = decimal.Context(prec=200, rounding=decimal.ROUND_DOWN, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)


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
            return _variant
        case t.Aggregate(family="SimpleAggregateFunction"):
            return converter(type_.arguments[0], lax)
        case t.Decimal():
            return functools.partial(_decimal, type_)
        case t.FixedString():
            return _lax_falsy("") if lax else _empty_bytes
        case t.Enum():
            return _lax_enum(type_) if lax else None
        case t.Dynamic():
            return _dynamic_text if lax else None
    return _scalar(type_.family, lax)


def _scalar(family: str, lax: bool) -> Convert | None:
    if family in _INTEGERS:
        return _lax_integer if lax else None
    if family == "Bool":
        return bool if lax else _truth
    if family == "UUID":
        return _lax_uuid if lax else _uuid
    if family == "IPv4":
        return _ipv4
    if family == "String":
        return _lax_falsy("") if lax else None
    if family == "Time":
        return _whole_seconds
    return None


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


def _variant(value: Any) -> Any:
    if isinstance(value, TypedVariant):
        try:
            return typed(value.value, value.type_name)
        except SchemaError:
            return value
    return value


def _decimal(type_: t.Decimal, value: Any) -> Any:
    """Digits beyond the scale are cut; a float is what it prints as."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | decimal.Decimal):
        return value
    try:
        number = value if isinstance(value, decimal.Decimal) else decimal.Decimal(str(value))
        return number.quantize(decimal.Decimal(1).scaleb(-type_.scale), context=_EXACT)
    except (decimal.InvalidOperation, ValueError):
        return value


def _empty_bytes(value: Any) -> Any:
    """Empty bytes are the zero value, as an empty text is."""
    return "" if isinstance(value, bytes | bytearray) and not value else value


def _truth(value: Any) -> Any:
    """Numbers other than 0 and 1 are true too.  Not texts: 'false' would be."""
    return bool(value) if isinstance(value, int | float | decimal.Decimal) else value


def _uuid(value: Any) -> Any:
    return _ZERO_UUID if isinstance(value, str) and not value else value


def _ipv4(value: Any) -> Any:
    return 0 if isinstance(value, str) and not value else value


def _whole_seconds(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


# --- lax: as it is today --------------------------------------------------------------------------


def _lax_integer(value: Any) -> Any:
    if isinstance(value, float):
        return int(value) if math.isfinite(value) else 0
    if isinstance(value, decimal.Decimal):
        return int(value) if value.is_finite() else value
    return value


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
