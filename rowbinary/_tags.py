"""Binary type tags: a type as bytes, in front of Dynamic values and untyped JSON paths.

Facts: "Data types binary encoding specification" in the ClickHouse manual, each row checked
against engine 26.9.
"""

from __future__ import annotations

from . import _types as t
from ._registry import INTERVAL_KINDS, REGISTRY
from ._varint import string, varint
from .errors import SchemaError

_ZONED = {"DateTime": 0x12, "DateTime64": 0x14}
_DECIMAL_TAGS = ((9, 0x19), (18, 0x1A), (38, 0x1B), (76, 0x1C))
_TUPLE_UNNAMED = 0x1F


def json_tag(max_paths: int, max_types: int) -> bytes:
    """The tag of a JSON type without typed paths and SKIP rules."""
    return bytes((0x30, 0)) + varint(max_paths) + bytes((max_types, 0, 0, 0))


def type_tag(type_: t.Type) -> bytes:
    """`type_` in the binary type encoding.

    Raises :class:`SchemaError` for types that have none (aggregate states with parameters).
    """
    row = REGISTRY.get(type_.family)
    if row is None:
        raise SchemaError(f"type {type_} has no binary encoding")
    first = bytes((row.tag,)) if row.tag is not None else b""
    match type_:
        case t.FixedString():
            return first + varint(type_.length)
        case t.Decimal():
            tag = next(tag for digits, tag in _DECIMAL_TAGS if type_.precision <= digits)
            return bytes((tag, type_.precision, type_.scale))
        case t.DateTime() if type_.timezone is not None:
            return bytes((_ZONED["DateTime"],)) + string(type_.timezone)
        case t.DateTime64() if type_.timezone is not None:
            return bytes((_ZONED["DateTime64"], type_.scale)) + string(type_.timezone)
        case t.DateTime64() | t.Time64():
            return first + bytes((type_.scale,))
        case t.Enum():
            width = 1 if type_.family == "Enum8" else 2
            numbers = b"".join(string(k) + v.to_bytes(width, "little", signed=True) for k, v in type_.labels)
            return first + varint(len(type_.labels)) + numbers
        case t.Wrapper():
            return first + type_tag(type_.inner)
        case t.Map():
            return first + type_tag(type_.key) + type_tag(type_.value)
        case t.Tuple():
            return _tuple_tag(first, type_)
        case t.Variant():
            return first + varint(len(type_.members)) + b"".join(map(type_tag, type_.members))
        case t.Dynamic():
            return first + bytes((type_.max_types,))
        case t.JSON():
            return _json_tag(type_)
        case t.QBit():
            if type_.stride is not None:
                return b"\x37" + type_tag(type_.element) + varint(type_.length) + varint(type_.stride)
            return first + type_tag(type_.element) + varint(type_.length)
        case t.Alias():
            return bytes((0x2C,)) + string(type_.family)
        case t.Aggregate():
            return _aggregate_tag(first, type_)
    if type_.family.startswith("Interval"):
        return first + bytes((INTERVAL_KINDS.index(type_.family.removeprefix("Interval")),))
    return first


def _tuple_tag(first: bytes, type_: t.Tuple) -> bytes:
    if type_.names is None:
        return (
            bytes((_TUPLE_UNNAMED,)) + varint(len(type_.elements)) + b"".join(map(type_tag, type_.elements))
        )
    pairs = zip(type_.names, type_.elements, strict=True)
    return first + varint(len(type_.elements)) + b"".join(string(n) + type_tag(e) for n, e in pairs)


def _json_tag(type_: t.JSON) -> bytes:
    parts = [bytes((0x30, 0)), varint(type_.max_dynamic_paths), bytes((type_.max_dynamic_types,))]
    parts.append(varint(len(type_.typed)))
    parts += [string(path) + type_tag(inner) for path, inner in type_.typed]
    parts.append(varint(len(type_.skip)))
    parts += map(string, type_.skip)
    parts.append(varint(len(type_.skip_regexp)))
    parts += map(string, type_.skip_regexp)
    return b"".join(parts)


def _aggregate_tag(first: bytes, type_: t.Aggregate) -> bytes:
    if not type_.function.isidentifier():
        raise SchemaError(f"type {type_} has no binary encoding here: its function has parameters")
    version = varint(type_.version) if type_.family == "AggregateFunction" else b""
    arguments = varint(len(type_.arguments)) + b"".join(map(type_tag, type_.arguments))
    return first + version + string(type_.function) + b"\0" + arguments
