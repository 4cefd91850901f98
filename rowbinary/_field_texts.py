"""What a field of a body means, in words."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Callable
from typing import Any

from . import _convert as convert
from ._badvalue import BadValue
from ._moments import clock_text, moment_text
from ._opcodes import Op
from ._plan import Node
from ._registry import INTERVAL_KINDS, REGISTRY
from .errors import shorten

_SHOWN = 60  # characters of a text

# As the manual of ClickHouse names them, where that is not the name of the family.
TAG_NAMES = {row.tag: row.family for row in REGISTRY.values() if row.tag is not None} | {
    0x12: "DateTime(time_zone)",
    0x14: "DateTime64(P, time_zone)",
    0x19: "Decimal32(P, S)",
    0x1A: "Decimal64(P, S)",
    0x1B: "Decimal128(P, S)",
    0x1C: "Decimal256(P, S)",
    0x1F: "Tuple(T1, ...)",
    0x20: "Tuple(name1 T1, ...)",
    0x22: "Interval",
    0x2C: "Custom type",
    0x37: "QBit(T, N, stride)",
}

# What is counted, in the plural.
_COUNTED = frozenset(
    {"columns", "elements", "entries of a dictionary", "labels", "pairs", "paths", "rows", "types"}
    | {"arguments", "expressions", "parameters", "skipped paths", "typed paths"}  # of types
)
_SHORT = {
    "the name of a column": "name",
    "the name of a time zone": "time zone",
    "the name of an aggregate function": "function",
    "the name of an element": "name",
}


def meaning(what: str, value: Any, node: Node | None) -> str:
    """The meaning of a field that is `what`, inside a value of `node`."""
    say = _SAYINGS.get(what)
    if say is not None:
        return say(value)
    if what == "value" and node is not None:
        return value_text(value, node)
    if value is None:
        return what
    if what in _COUNTED:
        return f"{value} {what if value != 1 else _one(what)}"
    if what == "the text of a type":
        return f"type {shorten(value, _SHOWN)}"
    return f"{_SHORT.get(what, _plain(what))} {text_of(value)}"


def _one(what: str) -> str:
    """`what`, of one."""
    return "entry of a dictionary" if what.startswith("entries") else what.removesuffix("s")


def _plain(what: str) -> str:
    """`what` without the article that it has in errors."""
    for article in ("a ", "an ", "the "):
        what = what.removeprefix(article)
    return what


def _member(value: tuple[int, str | None]) -> str:
    index, name = value
    return "NULL" if index == 0xFF else f"member {index}: {shorten(str(name), _SHOWN)}"


_SAYINGS: dict[str, Callable[[Any], str]] = {
    "DEFAULT marker": lambda value: "DEFAULT" if value else "a value follows",
    "NULL flag": lambda value: "NULL" if value else "not NULL",
    "member": _member,
    "type tag": lambda value: f"0x{value:02x} {TAG_NAMES[value]}",
    "an interval kind": lambda value: f"interval kind {value} {INTERVAL_KINDS[value]}",
    "empty tuple": lambda value: "empty tuple",
    "value under NULL": lambda value: "value under NULL",
    "end": lambda value: f"ends at {value}",
    "flags": lambda value: f"flags 0x{value:x}: keys of {_bytes(1 << (value & 3))}",
    "key": lambda value: f"key {value[0]}: {text_of(value[1])}",
    "plane": lambda value: f"bit {value[0]} of the elements from {value[1]}",
}


def _bytes(count: int) -> str:
    return "1 byte" if count == 1 else f"{count} bytes"


def value_text(value: Any, node: Node) -> str:
    """A value of `node`, moments as stored ticks."""
    text: str | None = None
    if isinstance(value, int) and node.op in (Op.DATETIME, Op.DATETIME64):
        text = moment_text(value, node.scale, _zone(node))
    elif isinstance(value, int) and node.op in (Op.TIME, Op.TIME64):
        text = clock_text(value, node.scale)
    return text_of(value) if text is None else text


def _zone(node: Node) -> dt.tzinfo:
    """The zone of `node`; UTC where it is not known here."""
    try:
        return dt.UTC if node.zone is None else convert.zone(node.zone)
    except BadValue:
        return dt.UTC


def text_of(value: Any) -> str:
    """Any single value in one short line."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | bytes):  # not the repr of a whole one, which may be long
        text = repr(value[:_SHOWN])
        return text if len(value) <= _SHOWN else f"{text}..."
    if isinstance(value, decimal.Decimal):
        return f"{value:f}"
    if isinstance(value, dt.date):
        return value.isoformat()
    return shorten(str(value), 100)
