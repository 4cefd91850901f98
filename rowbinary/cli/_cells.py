"""CSV cells: text to the value that a column's type needs, and text to a guessed value."""

from __future__ import annotations

import decimal
import re
from collections.abc import Callable
from typing import Any

from .._typed import DEFAULT
from .._types import Aggregate, Enum, Type, Wrapper
from ._json import decoder, parse_json, wants_decimals
from ._problems import BadLine

_WHOLE = re.compile(r"[+-]?[0-9]+", re.ASCII)
# Numbers as JSON writes them: 007 and 1. are texts.
_GUESSED_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,76})", re.ASCII)
_GUESSED_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_BOOLS = {"true": True, "false": False, "1": True, "0": False}
_MOMENTS = frozenset({"Date", "Date32", "DateTime", "DateTime64", "Time", "Time64"})
# Their cells are JSON texts: ["a","b"], {"k":1}, and tuples as arrays.
_DOCUMENTS = frozenset({"Array", "JSON", "Map", "Nested", "QBit", "Tuple"}) | frozenset(
    {"Point", "Ring", "LineString", "MultiPoint", "MultiLineString", "Polygon", "MultiPolygon", "Geometry"}
)
_OPEN = frozenset({"Dynamic", "Variant"})

_decode = decoder(float)
_decode_exactly = decoder(decimal.Decimal)


def converter(type_: Type, defaults: bool) -> Callable[[str], Any]:
    """The function from cells of a column of `type_` to values; it raises ``BadLine``.

    ==========================  =================================================================
    column type                 cell
    ==========================  =================================================================
    any                         empty: NULL if Nullable, else the column's DEFAULT; without
                                `defaults` the empty string, which only String types take
    Nullable(T)                 ``\\N`` is NULL too
    Bool                        true, false, 1 or 0, in any letter case
    Date, DateTime, Time, ...   ISO text; a whole number is days, seconds or ticks since 1970
    Enum                        a label, or a number that is no label
    Array, Map, Tuple, JSON...  JSON text
    Dynamic, Variant            JSON text, or else a String
    others                      the text itself: numbers, UUID, IPv4, ...
    ==========================  =================================================================
    """
    if isinstance(type_, Aggregate) and type_.family == "SimpleAggregateFunction":
        return converter(type_.arguments[0], defaults)
    if isinstance(type_, Wrapper) and type_.family == "LowCardinality":
        return converter(type_.inner, defaults)
    if isinstance(type_, Wrapper) and type_.family == "Nullable":
        convert = _filled(type_.inner)
        return lambda text: None if text in ("", r"\N") else convert(text)
    convert = _filled(type_)
    empty: object = DEFAULT if defaults else ""
    return lambda text: convert(text) if text else empty


def _filled(type_: Type) -> Callable[[str], Any]:
    """The function for cells that are not empty."""
    family = type_.family
    if isinstance(type_, Enum):
        labels = {label for label, _ in type_.labels}
        return lambda text: int(text) if text not in labels and _WHOLE.fullmatch(text) else text
    if family == "Bool":
        return _bool
    if family in _MOMENTS:
        return lambda text: int(text) if _WHOLE.fullmatch(text) else text
    if family in _DOCUMENTS:
        decode = _decode_exactly if wants_decimals(type_) else _decode
        return lambda text: parse_json(decode, text)
    if family in _OPEN:
        return _json_or_text
    return lambda text: text


def _bool(text: str) -> bool:
    try:
        return _BOOLS[text.lower()]
    except KeyError:
        raise BadLine(f"{text[:60]!r} is none of true, false, 1, 0") from None


def _json_or_text(text: str) -> Any:
    try:
        return parse_json(_decode, text)
    except BadLine:
        return text


def guess(text: str) -> Any:
    """The value that a cell which is not empty seems to be: bool, int, float, list, dict or str."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if _GUESSED_WHOLE.fullmatch(text):
        return int(text)
    if _GUESSED_NUMBER.fullmatch(text):
        return float(text)
    if text[0] in "[{":
        return _json_or_text(text)
    return text
