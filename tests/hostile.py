"""What the tests of hostile values share: objects that misbehave, and the proof that rows stay whole."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from rowbinary import EncodeError, Encoder, encode_rows

GOOD = {
    "UInt8": 7,
    "String": "good",
    "DateTime": 5,
    "JSON": {"good": 1},
    "Dynamic": "good",
    "Array(UInt8)": [1],
}


def good_value(column: str) -> Any:
    """A value for the rows around the bad one."""
    for prefix, value in (
        ("Map", {}),
        ("JSON", {"good": 1}),
        ("Array", []),
        ("Variant", None),
        ("Nested", []),
    ):
        if column.startswith(prefix):
            return value
    return GOOD.get(column, 0)


def refuse(impl: str, column: str, bad: Any, reason: str = "", **choices: Any) -> EncodeError:
    """The error for `bad`, between two good rows that must come out whole."""
    encoder = Encoder([("c", column)], implementation=impl, **choices)
    good = (good_value(column),)
    encoder.write_row(good)
    with pytest.raises(EncodeError) as caught:
        encoder.write_row((bad,))
    encoder.write_row(good)
    assert encoder.rows == 2
    assert encoder.take() == encode_rows([("c", column)], [good, good], implementation=impl, **choices)
    error = caught.value
    assert (error.row, error.column) == (1, "c")
    assert reason in error.reason
    str(error).encode()  # no lone surrogate in a message
    assert len(str(error)) < 1200
    return error


def taken(impl: str, column: str, value: Any, **choices: Any) -> bytes:
    return encode_rows([("c", column)], [(value,)], implementation=impl, **choices)


class Boom(Exception):
    pass


def boom(*args: Any, **kwargs: Any) -> Any:
    raise Boom("boom")


def raising(*names: str, **others: Any) -> Any:
    """An object whose methods `names` raise."""
    return type("Raising", (), {**dict.fromkeys(names, boom), **others})()


def interrupt(*args: Any) -> Any:
    raise KeyboardInterrupt


class Meddler(dt.tzinfo):
    """A time zone that runs `action` whenever it is asked."""

    def __init__(self, action: Callable[[], object]):
        self.action = action

    def utcoffset(self, when: dt.datetime | None) -> dt.timedelta:
        self.action()
        return dt.timedelta(0)

    def dst(self, when: dt.datetime | None) -> None:
        return None

    def tzname(self, when: dt.datetime | None) -> None:
        return None


def meddling(action: Callable[[], object]) -> dt.datetime:
    return dt.datetime(2020, 1, 1, tzinfo=Meddler(action))
