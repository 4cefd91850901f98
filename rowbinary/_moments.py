"""Stored ticks as text with all their digits, also of times that no ``datetime`` can hold."""

from __future__ import annotations

import datetime as dt

from ._convert import EPOCH

_ZONELESS = len("2024-01-31T12:34:56")


def moment_text(ticks: int, scale: int, zone: dt.tzinfo) -> str | None:
    """``2024-01-31T12:34:56.789+01:00`` of ticks of 10^-`scale` seconds, with `scale` digits.

    In UTC, with a ``Z``, where the zone was not whole minutes away from it, as most were before 1900.
    ``None`` outside the years 1 to 9999.
    """
    seconds, fraction = divmod(ticks, 10**scale)
    try:
        moment = (EPOCH + dt.timedelta(seconds=seconds)).astimezone(zone)
        away = moment.utcoffset() or dt.timedelta()
        if away.total_seconds() % 60:
            moment = moment.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
    text = moment.isoformat()
    return text[:_ZONELESS] + _digits(fraction, scale) + text[_ZONELESS:].replace("+00:00", "Z")


def clock_text(ticks: int, scale: int) -> str:
    """``[-]hhh:mm:ss.fff`` of ticks of 10^-`scale` seconds."""
    seconds, fraction = divmod(abs(ticks), 10**scale)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{'-' if ticks < 0 else ''}{hour:02d}:{minute:02d}:{second:02d}{_digits(fraction, scale)}"


def _digits(fraction: int, scale: int) -> str:
    return f".{fraction:0{scale}d}" if scale else ""


def datetime_text(value: dt.datetime) -> str:
    """`value`, which has a zone, with no more digits than it needs."""
    delta = value - EPOCH
    ticks, scale = _shortest((delta.days * 86_400 + delta.seconds) * 10**6 + delta.microseconds)
    text = moment_text(ticks, scale, value.tzinfo or dt.UTC)
    assert text is not None
    return text


def timedelta_text(value: dt.timedelta) -> str:
    """`value` with no more digits than it needs."""
    return clock_text(*_shortest((value.days * 86_400 + value.seconds) * 10**6 + value.microseconds))


def _shortest(microseconds: int) -> tuple[int, int]:
    """The same time in ticks, and their scale."""
    ticks, scale = microseconds, 6
    while scale and not ticks % 10:
        ticks //= 10
        scale -= 1
    return ticks, scale
