"""Text mode: values typed as if each row had been inserted as JSON text on its own.

The encoders write documents exactly as typed; the functions here decide the types.  Both implementations
call them for every value that is not obvious.  The server additionally lets earlier rows of the same block
influence later ones; that is not imitated.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import ipaddress
import math
import uuid

from ._badvalue import BadValue
from ._containers import Budget, as_object, as_sequence, bounded
from ._text_arrays import DYNAMIC
from ._text_coerce import DynamicColumn, build, nested_json
from ._text_dates import retype_string
from ._text_scalars import Conversion
from ._typed import Typed
from ._types import Type

__all__ = ["MAX_DEPTH", "coerce", "json_leaf", "retype_array", "retype_string"]

MAX_DEPTH = 128  # levels of lists and dicts in one value
UTC = datetime.UTC
_STACK_EXHAUSTED = "nested too deeply for the Python stack of the caller"
_MIN_INT, _MAX_INT = -(2**63), 2**64 - 1  # what a JSON parser keeps as an integer
_PLAIN = (str, bool, list, dict, type(None))


def retype_array(
    items: list[object], max_paths: int, max_types: int, zone: datetime.tzinfo = UTC, *, memory: bool = True
) -> Typed:
    """`items` with the type that the server infers for this JSON array, its values converted to that type.

    Args:
        items: list of JSON values, or of values that `json_leaf` knows.
        max_paths, max_types: limits of the JSON that the array is in.  Its objects have a quarter and half
            of them, and become dicts ``{flat path: leaf}`` without nulls.
        zone: the zone of dates without one.
        memory: whether values of one path, or of one Array(Dynamic), meet the types of earlier ones.  Not so
            for an array whose own path overflows ``max_dynamic_paths``.

    Elements of Array(Dynamic) are Typed or ``None``.  Raises BadValue.
    """
    column = DynamicColumn(DYNAMIC, nested_json(max_paths, max_types), zone, memory)
    try:
        return column.add(_plain_tree(items, 1, Budget()), Conversion.ANY)
    except RecursionError:
        raise BadValue(_STACK_EXHAUSTED) from None


def coerce(value: object, type: Type, zone: datetime.tzinfo = UTC) -> object:
    """`value` as the server stores it when its JSON meets a path declared with `type`.

    The result is what a strict writer of `type` accepts: dates as days or seconds, DateTime64 and Time64 as
    ticks, Variant members Typed, JSON as ``{flat path: leaf}``.  Raises BadValue.
    """
    try:
        return build(type, zone).read(_plain_tree(value, 1, Budget()), Conversion.ANY)
    except RecursionError:
        raise BadValue(_STACK_EXHAUSTED) from None


def _plain_tree(value: object, depth: int, budget: Budget) -> object:
    """`value` as nothing but JSON data: fresh lists and dicts, str, bool, finite float, int of 64 bits."""
    value = json_leaf(value)
    if not isinstance(value, (list, dict)):
        return value
    if depth > MAX_DEPTH:
        raise BadValue(f"nested deeper than {MAX_DEPTH} levels")
    budget.spend(len(value))
    segment: str | int = 0
    try:
        if isinstance(value, list):
            items = []
            for segment, item in enumerate(value):  # noqa: B007 (used when an item is refused)
                items.append(_plain_tree(item, depth + 1, budget))
            return items
        members = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise BadValue("keys of a JSON object are str", key)
            segment = key
            members[key] = _plain_tree(item, depth + 1, budget)
        return members
    except BadValue as error:
        error.path.append(segment)
        raise


def json_leaf(value: object) -> object:
    """`value` as JSON data; of lists and dicts only the outermost level is looked at.

    Texts: dates and times in ISO 8601, UUIDs and IP addresses in their usual form, UTF-8 bytes.  An int
    beyond 64 bits is the text of its digits, as a JSON parser makes it.  A Decimal is a number where a float
    holds all of its digits, else their text.  NaN and infinities are null.  Enums are their values; tuples,
    sets and arrays are lists.  Raises BadValue for anything else.
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is int:
        assert isinstance(value, int)
        return value if _MIN_INT <= value <= _MAX_INT else _digits(value)
    if kind is float:
        assert isinstance(value, float)
        return value if math.isfinite(value) else None
    return _foreign_leaf(value)


def _digits(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # sys.set_int_max_str_digits
        raise BadValue("integer has too many digits") from None


def _foreign_leaf(value: object) -> object:
    """`json_leaf` of everything that the json module does not write."""
    if isinstance(value, enum.Enum):
        return json_leaf(value.value)
    if type(value).__module__ == "numpy":
        return _numpy_leaf(value)
    if isinstance(value, (str, int, float)):
        return json_leaf(_builtin(value))
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (uuid.UUID, ipaddress.IPv4Address, ipaddress.IPv6Address)):
        return str(value)
    if isinstance(value, decimal.Decimal):
        return _decimal_leaf(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        try:
            return bytes(value).decode()
        except UnicodeDecodeError:
            raise BadValue("bytes that are not UTF-8", value) from None
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(as_sequence(value))
    document = as_object(value)
    if document is not None:
        return dict(bounded(document.items(), len(document)))
    if isinstance(value, Typed):
        raise BadValue("JSON text has no typed values", value)
    raise BadValue(f"{type(value).__name__} has no form in JSON", value)


def _builtin(value: str | int | float) -> str | int | float:
    """What an instance of a subclass holds, whatever its methods say."""
    if isinstance(value, str):
        return str.__str__(value)
    return int.__index__(value) if isinstance(value, int) else float.__float__(value)


def _decimal_leaf(value: decimal.Decimal) -> object:
    if not value.is_finite():
        return None
    if value == value.to_integral_value() and value.as_tuple().exponent == 0:
        return json_leaf(int(value))
    number = float(value)
    if math.isfinite(number) and decimal.Decimal(repr(number)) == value:
        return number
    return format(value, "f")


def _numpy_leaf(value: object) -> object:
    """NumPy scalars and arrays, without importing NumPy."""
    dtype = getattr(value, "dtype", None)
    if dtype is None or dtype.kind not in "biufSUMO":
        raise BadValue(f"{type(value).__name__} has no form in JSON", value)
    if dtype.kind == "M":  # the text keeps nanoseconds, which datetime cannot
        texts = value.astype(str).tolist()  # type: ignore[attr-defined]
        return [None if t == "NaT" else t for t in texts] if isinstance(texts, list) else texts
    plain = value.tolist()  # type: ignore[attr-defined]
    return plain if isinstance(plain, list) else json_leaf(plain)
