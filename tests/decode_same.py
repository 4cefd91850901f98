"""What decoding must give for a value that was encoded: the inverse of the encoder, type by type.

Rows are decoded with ``moments="exact"`` and ``json="paths"``.  Then a value comes back as the usual Python
value of its column's type.  What is lost, and so is not compared:

- typed(): the value stays, in Dynamic and JSON also its type is gone;
- in Dynamic and JSON the type of elements that share an array (ints beside floats are floats);
- in a document what is no value: null and empty objects, skipped paths, and the way in which dots in paths
  came about.

`filled` says that documents have all typed paths, with the default of their type where none was sent: so it
is in Native blocks, and whatever the format in what a server stored.
"""

from __future__ import annotations

import datetime as dt
import decimal
import ipaddress
import math
import re
import struct
import uuid
import zoneinfo
from typing import Any

import rowbinary
from rowbinary import _types as t
from rowbinary._plan import compile_type, holds_enum
from rowbinary._typed import Typed

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def is_same(found: Any, sent: Any, type_: t.Type, filled: bool = False) -> bool:
    """Whether `found` is what decoding gives for the value `sent` of a column of `type_`."""
    match type_:
        case t.Variant():
            if sent is None:
                return found is None
            return found is not None and is_same(found, sent.value, sent.type, filled)
        case t.Dynamic():
            return is_natural(found, sent, filled)
        case t.Alias():
            return is_same(found, sent, type_.structure, filled)
    if isinstance(sent, Typed):
        sent = sent.value
    match type_:
        case t.Aggregate():
            return is_same(found, sent, type_.arguments[-1], filled)
        case t.Wrapper(family="Array"):
            return type(found) is list and _all_same(found, sent, type_.inner, filled)
        case t.QBit():
            return type(found) is list and _all_same(found, sent, type_.element, filled)
        case t.Wrapper(family="Nullable") if sent is None or found is None:
            return sent is None and found is None
        case t.Wrapper():
            return is_same(found, sent, type_.inner, filled)
        case t.Map():
            return is_map(found, sent, type_, filled)
        case t.Tuple(family="Nested"):
            return type(found) is list and _all_same(found, sent, nested_row(type_), filled)
        case t.Tuple():
            return is_tuple(found, sent, type_, filled)
        case t.JSON():
            return is_document(found, sent, type_, filled)
    expected = scalar(sent, type_)
    return type(found) is type(expected) and repr(found) == repr(expected)


def _all_same(found: list[Any], sent: Any, type_: t.Type, filled: bool) -> bool:
    pairs = zip(found, sent, strict=False)
    return len(found) == len(sent) and all(is_same(one, other, type_, filled) for one, other in pairs)


def nested_row(type_: t.Tuple) -> t.Tuple:
    """The type of a row of a Nested."""
    return t.Tuple("Tuple", type_.elements, type_.names)


def is_tuple(found: Any, sent: Any, type_: t.Tuple, filled: bool) -> bool:
    if type_.names is None:
        if type(found) is not tuple:
            return False
    else:
        if type(found) is not dict or tuple(found) != type_.names:
            return False
        found = tuple(found.values())
        sent = tuple(sent[name] for name in type_.names) if isinstance(sent, dict) else sent
    parts = zip(found, sent, type_.elements, strict=False)
    return len(found) == len(sent) and all(is_same(one, other, inner, filled) for one, other, inner in parts)


def is_map(found: Any, sent: dict[Any, Any], type_: t.Map, filled: bool) -> bool:
    """A dict; a list of pairs where two keys are the same, or one cannot be hashed."""
    pairs = list(found.items()) if type(found) is dict else found
    if type(found) is not dict and not _needs_pairs([key for key, _ in found]):
        return False
    return len(pairs) == len(sent) and all(
        is_same(key, other, type_.key, filled) and is_same(value, item, type_.value, filled)
        for (key, value), (other, item) in zip(pairs, sent.items(), strict=True)
    )


def _needs_pairs(keys: list[Any]) -> bool:
    try:
        return len(set(keys)) < len(keys)
    except TypeError:
        return True


# --- scalars ------------------------------------------------------------------------------------------


def scalar(sent: Any, type_: t.Type) -> Any:
    """The value of `type_`, a scalar, that `sent` became."""
    family = type_.family
    if family.startswith("Float"):
        return float(sent)
    match type_:
        case t.Decimal():
            return sent.quantize(decimal.Decimal(1).scaleb(-type_.scale), context=decimal.Context(prec=80))
        case t.DateTime():
            return moment(ticks_of(sent, 0), 0, type_.timezone)
        case t.DateTime64():
            return moment(ticks_of(sent, type_.scale), type_.scale, type_.timezone)
        case t.Time64():
            return duration(sent, type_.scale)
    match family:
        case "BFloat16":  # the lower half of the Float32 is cut
            return sent if math.isnan(sent) else struct.unpack("<f", b"\0\0" + struct.pack("<f", sent)[2:])[0]
        case "String":
            return text(sent)
        case "Time":
            return duration(sent, 0)
        case "IPv6" if isinstance(sent, ipaddress.IPv4Address):
            return ipaddress.IPv6Address(f"::ffff:{sent}")
    return sent


def text(sent: str | bytes) -> str | bytes:
    if isinstance(sent, str):
        return sent
    try:
        return sent.decode()
    except UnicodeDecodeError:
        return sent


def ticks_of(sent: dt.datetime | int, scale: int) -> int:
    """Ticks of 10^-`scale` seconds since the epoch, rounded down."""
    if isinstance(sent, int):
        return sent
    microseconds: int = (sent - EPOCH) // _MICROSECOND
    return int(microseconds * 10**scale // 10**6)


def moment(ticks: int, scale: int, zone: str | None) -> dt.datetime | int:
    """What ``moments="exact"`` shows: a datetime if one says the same."""
    microseconds, rest = divmod(ticks * 10**6, 10**scale)
    if rest:
        return ticks
    try:
        found = EPOCH + dt.timedelta(microseconds=microseconds)
        return found.astimezone(dt.UTC if zone is None else zoneinfo.ZoneInfo(zone))
    except OverflowError:
        return ticks


def duration(sent: dt.timedelta | int, scale: int) -> dt.timedelta | int:
    ticks = sent if isinstance(sent, int) else sent // _MICROSECOND * 10**scale // 10**6
    microseconds, rest = divmod(ticks * 10**6, 10**scale)
    return ticks if rest else dt.timedelta(microseconds=microseconds)


# --- values without a declared type ---------------------------------------------------------------------


def is_natural(found: Any, sent: Any, filled: bool = False) -> bool:
    """Whether `found` is `sent`, which was written with the type that Python values of its kind have."""
    match sent:
        case Typed(value=None):
            return found is None
        case Typed():
            return is_same(found, sent.value, sent.type, filled)
        case None | bool():
            return found is sent
        case int() | float():
            return type(found) in (int, float) and (found == sent or (found != found and sent != sent))
        case str() | bytes():
            return same_text(found, sent)
        case dt.datetime():
            # An hour that comes twice equals none of another zone.
            return (
                isinstance(found, dt.datetime) and found.tzinfo is dt.UTC and found == sent.astimezone(dt.UTC)
            )
        case ipaddress.IPv4Address() if type(found) is ipaddress.IPv6Address:
            return found.ipv4_mapped == sent
        case dt.date() | decimal.Decimal() | uuid.UUID() | ipaddress.IPv4Address() | ipaddress.IPv6Address():
            return type(found) is type(sent) and bool(found == sent)
        case list() | tuple():
            return (
                type(found) is list
                and len(found) == len(sent)
                and all(is_natural(one, other, filled) for one, other in zip(found, sent, strict=True))
            )
        case dict():
            return is_document(found, sent, t.JSON("JSON"), filled)
    raise AssertionError(f"no rule for {sent!r}")


def same_text(found: Any, sent: str | bytes) -> bool:
    expected = text(sent)
    return type(found) is type(expected) and bool(found == expected)


# --- documents ------------------------------------------------------------------------------------------


def is_document(found: Any, sent: dict[str, Any], type_: t.JSON, filled: bool) -> bool:
    if type(found) is not dict:
        return False
    types, expected = dict(type_.typed), paths_of(sent, type_)
    for path, inner in types.items():
        if path not in expected and (filled or holds_enum(compile_type(inner))):
            expected[path] = DEFAULT_OF_TYPE
    if found.keys() != expected.keys():
        return False
    return all(_is_path(found[path], value, types.get(path), filled) for path, value in expected.items())


DEFAULT_OF_TYPE = object()


def _is_path(found: Any, sent: Any, type_: t.Type | None, filled: bool) -> bool:
    if type_ is None:
        return is_natural(found, sent, filled)
    if sent is DEFAULT_OF_TYPE:
        return is_default(found, type_, filled)
    return is_same(found, sent, type_, filled)


def is_default(found: Any, type_: t.Type, filled: bool) -> bool:
    """Whether `found` is what the server takes for a value that is not there."""
    if isinstance(type_, t.JSON):
        return is_document(found, {}, type_, filled)
    zero = compile_type(type_).zero
    return rowbinary.encode_rows([("c", type_)], [(found,)]) == zero


def paths_of(document: dict[str, Any], type_: t.JSON) -> dict[str, Any]:
    """The values of a document by their paths, as its type has them; of equal paths the last one counts."""
    found: dict[str, Any] = {}
    _add_paths(found, "", document, type_)
    return found


def _add_paths(found: dict[str, Any], before: str, document: dict[str, Any], type_: t.JSON) -> None:
    types = dict(type_.typed)
    for key, value in document.items():
        path = before + key
        if any(f"{path}.".startswith(f"{skipped}.") for skipped in type_.skip):
            continue
        if any(re.search(pattern, path) for pattern in type_.skip_regexp):
            continue
        if path in types:
            if value is not None or _takes_null(types[path]):
                found[path] = value
        elif isinstance(value, dict):
            _add_paths(found, f"{path}.", value, type_)
        elif value is not None and not (isinstance(value, Typed) and value.value is None):
            found[path] = value


def _takes_null(type_: t.Type) -> bool:
    return type_.family in ("Nullable", "Variant", "Dynamic")
