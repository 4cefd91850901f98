"""Decoded values as JSON: what ``rowbinary decode`` prints, in forms that ``rowbinary insert`` takes.

docs/inspect.md lists the forms type by type.
"""

from __future__ import annotations

import datetime as dt
import decimal
import ipaddress
import math
import uuid
from collections.abc import Callable
from typing import Any, TypeAlias

from .. import _types as t
from .._convert import EPOCH
from .._convert import zone as zone_of
from .._moments import clock_text, datetime_text, moment_text, timedelta_text

Form: TypeAlias = Callable[[Any], Any]
_MICRO = 6


class Forms:
    """The forms of values, with two choices of the command.

    `text` is what becomes of bytes that are not UTF-8: ``"bytes"``, ``"error"`` (of a FixedString, which
    need not be text, the same) or ``"surrogateescape"``; `exact`: moments have all digits of their type.
    """

    def __init__(self, text: str, exact: bool):
        self._escape = text == "surrogateescape"
        self._exact = exact
        self._plain: dict[type, Form] = {
            float: _number,
            decimal.Decimal: lambda value: f"{value:f}",
            bytes: self._bytes,
            dt.datetime: datetime_text,
            dt.date: dt.date.isoformat,
            dt.timedelta: timedelta_text,
            uuid.UUID: str,
            ipaddress.IPv4Address: str,
            ipaddress.IPv6Address: str,
            list: self._items,
            tuple: self._items,
            dict: self._entries,
        }

    def plain(self, value: Any) -> Any:
        """The form of a value of any type."""
        form = self._plain.get(type(value))
        return value if form is None else form(value)

    def of(self, type_: t.Type) -> Form:
        """The form of values of `type_`: moments, which may be ints, are told by it."""
        match type_:
            case t.DateTime():
                return self._moment(0, type_.timezone)
            case t.DateTime64():
                return self._moment(type_.scale, type_.timezone)
            case t.Time64():
                return self._clock(type_.scale)
            case t.Wrapper(family="Array"):
                return _each(self.of(type_.inner))
            case t.Wrapper():
                inner = self.of(type_.inner)
                return lambda value: None if value is None else inner(value)
            case t.Map():
                return self._map(self.of(type_.key), self.of(type_.value))
            case t.Tuple(family="Nested"):
                return _each(self._tuple(type_))
            case t.Tuple():
                return self._tuple(type_)
            case t.Aggregate(family="SimpleAggregateFunction"):
                return self.of(type_.arguments[-1])
        return self.plain

    def _moment(self, scale: int, zone: str | None) -> Form:
        digits = scale if self._exact else min(scale, _MICRO)

        def form(value: dt.datetime | int) -> str | int:
            if isinstance(value, dt.datetime):
                text = moment_text(_ticks(value - EPOCH, digits), digits, value.tzinfo or dt.UTC)
            else:
                text = moment_text(value, scale, dt.UTC if zone is None else zone_of(zone))
            return value if text is None else text  # type: ignore[return-value]  # an int

        return form

    def _clock(self, scale: int) -> Form:
        digits = scale if self._exact else min(scale, _MICRO)

        def form(value: dt.timedelta | int) -> str:
            if isinstance(value, dt.timedelta):
                return clock_text(_ticks(value, digits), digits)
            return clock_text(value, scale)

        return form

    def _map(self, key: Form, value: Form) -> Form:
        def form(entries: Any) -> Any:
            pairs = entries.items() if isinstance(entries, dict) else entries
            return _joined([(key(name), value(item)) for name, item in pairs])

        return form

    def _tuple(self, type_: t.Tuple) -> Form:
        forms = [self.of(element) for element in type_.elements]
        names = type_.names
        if names is None:
            return lambda values: [form(value) for form, value in zip(forms, values, strict=True)]
        named = dict(zip(names, forms, strict=True))
        return lambda values: {name: named[name](value) for name, value in values.items()}

    def _items(self, values: Any) -> list[Any]:
        return [self.plain(value) for value in values]

    def _entries(self, values: dict[Any, Any]) -> Any:
        return _joined([(self._key(key), self.plain(value)) for key, value in values.items()])

    def _key(self, key: Any) -> Any:
        """The form of a key, which may be a path: that must be a text."""
        form = self.plain(key)
        return key.decode(errors="backslashreplace") if isinstance(form, dict) else form

    def _bytes(self, value: bytes) -> Any:
        """A FixedString is a text without the zero bytes at its end, which come back when it is inserted."""
        text = value.rstrip(b"\0")
        try:
            return text.decode()
        except UnicodeDecodeError:
            return text.decode(errors="surrogateescape") if self._escape else {"hex": value.hex()}


def _joined(pairs: list[tuple[Any, Any]]) -> Any:
    """An object, where every key is another text or whole number; else the list of pairs."""
    entries = {}
    for key, value in pairs:
        if isinstance(key, int) and not isinstance(key, bool):
            key = str(key)
        if not isinstance(key, str):
            return [list(pair) for pair in pairs]
        entries[key] = value
    return entries if len(entries) == len(pairs) else [list(pair) for pair in pairs]


def _number(value: float) -> float | str:
    """`value`, as text where JSON has no number for it."""
    return value if math.isfinite(value) else "nan" if math.isnan(value) else f"{value}"


def _ticks(delta: dt.timedelta, scale: int) -> int:
    """`delta` in ticks of 10^-`scale` seconds."""
    microseconds = (delta.days * 86_400 + delta.seconds) * 10**6 + delta.microseconds
    return microseconds * int(10**scale) // 10**6


def _each(form: Form) -> Form:
    return lambda values: [form(value) for value in values]
