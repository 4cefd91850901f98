"""Python values to the numbers and bytes of scalar types: the rules, without any buffer.

Both implementations use these functions: the reference for every value, the C encoder for
every value that its fast paths do not know.  Strict: what does not fit is a BadValue, nothing
is rounded, wrapped or guessed.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import functools
import ipaddress
import math
import numbers
import operator
import re
import uuid
import zoneinfo
from typing import TYPE_CHECKING, Any

from ._badvalue import BadValue

if TYPE_CHECKING:
    from ._plan import Node

UTC = dt.UTC
EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY = dt.date(1970, 1, 1).toordinal()
DAY_SECONDS = 86_400
NANOS = 1_000_000_000
MAX_TIME = 999 * 3600 + 59 * 60 + 59  # seconds; the documented range of Time and Time64

_INTEGER_TEXT = re.compile(r"[+-]?[0-9]+", re.ASCII)
_ISO_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_ISO_MOMENT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(Z|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII,
)
_CLOCK = re.compile(r"(-?)(\d{1,3}):(\d\d):(\d\d)(?:\.(\d{1,9}))?", re.ASCII)
INTERVAL_MICROSECONDS = {
    "IntervalMicrosecond": 1,
    "IntervalMillisecond": 1000,
    "IntervalSecond": 10**6,
    "IntervalMinute": 60 * 10**6,
    "IntervalHour": 3600 * 10**6,
    "IntervalDay": DAY_SECONDS * 10**6,
    "IntervalWeek": 7 * DAY_SECONDS * 10**6,
}


def to_int(value: object) -> int:
    """`value` as an int when it is a whole number, else BadValue."""
    if isinstance(value, int):
        return int.__index__(value)
    if isinstance(value, float):
        return _whole_float(float.__float__(value))
    if isinstance(value, str):
        text = str.__str__(value)
        if not _INTEGER_TEXT.fullmatch(text):
            raise BadValue("not a whole decimal number")
        if len(text) > 100:
            raise BadValue("out of range")
        return int(text)
    if isinstance(value, decimal.Decimal):
        return _scaled(value, 0, 90)
    if isinstance(value, enum.Enum):
        return to_int(value.value)
    if hasattr(type(value), "__index__"):
        return operator.index(value)  # type: ignore[arg-type]
    if isinstance(value, numbers.Real):  # Fraction, numpy.float32, numpy.longdouble
        number = _whole_float(float(value))
        if number != value:
            raise BadValue("not a whole number that a Float64 can hold")
        return number
    raise BadValue("not a number")


def _whole_float(value: float) -> int:
    if value != value or value in (float("inf"), float("-inf")):
        raise BadValue("not a finite number")
    if not value.is_integer():
        raise BadValue("a fraction would be lost")
    return int(value)


def to_ranged(value: object, low: int, high: int) -> int:
    """`value` as an int within `low` .. `high`."""
    number = to_int(value)
    if not low <= number <= high:
        raise BadValue(f"out of range {low} .. {high}")
    return number


def to_bool(value: object) -> bool:
    """bool, numpy bool, or the ints 0 and 1."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and int.__index__(value) in (0, 1):
        return bool(int.__index__(value))
    if type(value).__name__ in ("bool", "bool_") and hasattr(value, "dtype"):
        return bool(value)
    raise BadValue("not a bool (truthiness is not enough)")


def to_float(value: object) -> float:
    """`value` as a float; ints and Decimals are rounded to the nearest as ``float()`` does."""
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, enum.Enum) and not isinstance(value, int):
        return to_float(value.value)
    if isinstance(value, str):
        text = str.__str__(value)
        if "_" in text or len(text) > 400 or text != text.strip():
            raise BadValue("not a number")
        try:
            number = float(text)
        except ValueError:
            raise BadValue("not a number") from None
        if math.isinf(number) and "n" not in text.lower():  # neither inf nor infinity
            raise BadValue("out of range of Float64")
        return number
    if isinstance(value, int):
        value = int.__index__(value)
    elif isinstance(value, bytes | bytearray) or not hasattr(type(value), "__float__"):
        raise BadValue("not a number")
    try:
        number = float(value)  # type: ignore[arg-type]
    except OverflowError:
        raise BadValue("out of range of Float64") from None
    if math.isinf(number) and isinstance(value, decimal.Decimal) and decimal.Decimal.is_finite(value):
        raise BadValue("out of range of Float64")
    return number


def to_text(value: object) -> bytes:
    """The bytes of a String: str as UTF-8, bytes-likes as they are."""
    if isinstance(value, str):
        try:
            return str.encode(value, "utf-8")
        except UnicodeEncodeError:
            raise BadValue("a lone surrogate has no UTF-8 form") from None
    if isinstance(value, bytes):
        return bytes.__getitem__(value, slice(None))
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, enum.Enum):
        return to_text(value.value)
    raise BadValue("neither str nor bytes")


def to_fixed(value: object, length: int) -> bytes:
    """Bytes of exactly `length`; a shorter str (and b"") is padded with zero bytes."""
    data = to_text(value)
    if len(data) > length:
        raise BadValue(f"{len(data)} bytes are too many")
    if len(data) < length and data and not isinstance(value, str | enum.Enum):
        raise BadValue(f"{len(data)} bytes are too few (only str is padded)")
    return data.ljust(length, b"\0")


def to_label(value: object, node: Node) -> int:
    """The number of an Enum label, of a declared number, or of an ``enum.Enum`` member."""
    labels = node.labels
    assert labels is not None
    if isinstance(value, enum.Enum) and not isinstance(value, str | int):
        if isinstance(value.value, str | int) and not isinstance(value.value, bool):
            try:
                return to_label(value.value, node)
            except BadValue:
                return to_label(value.name, node)
        return to_label(value.name, node)
    if isinstance(value, str):
        number = labels.get(str.__str__(value))
        if number is None and isinstance(value, enum.Enum):
            number = labels.get(value.name)
        if number is None:
            raise BadValue("unknown label")
        return number
    if isinstance(value, bool) or not hasattr(type(value), "__index__"):
        raise BadValue("neither a label nor a number")
    number = to_int(value)
    if number in labels.values():
        return number
    if isinstance(value, enum.Enum) and value.name in labels:
        return labels[value.name]
    raise BadValue("undeclared number")


def to_scaled(value: object, precision: int, scale: int) -> int:
    """A Decimal column's integer: `value` * 10^`scale`, exactly, within `precision` digits."""
    if isinstance(value, bool):
        raise BadValue("not a number")
    if isinstance(value, int):
        return _bounded(int.__index__(value) * 10**scale, precision)
    if isinstance(value, decimal.Decimal):
        return _scaled(value, scale, precision)
    if isinstance(value, float):
        value = repr(float.__float__(value))
    elif isinstance(value, enum.Enum):
        return to_scaled(value.value, precision, scale)
    elif isinstance(value, numbers.Real):
        value = str(value)
    text = str.__str__(value) if isinstance(value, str) else ""
    if text and len(text) <= 400 and "_" not in text and text.isascii() and text == text.strip():
        try:
            return _scaled(decimal.Decimal(text), scale, precision)
        except decimal.InvalidOperation:
            raise BadValue("not a decimal number") from None
    raise BadValue("not a number")


def _scaled(value: decimal.Decimal, scale: int, precision: int) -> int:
    sign, digits, exponent = decimal.Decimal.as_tuple(value)
    if not isinstance(exponent, int):
        raise BadValue("not a finite number")
    if not any(digits):
        return 0
    shift = exponent + scale
    if len(digits) + shift > 2 * precision + 10:
        raise BadValue(f"more than {precision} digits")
    if shift >= 0:
        number = _digits_to_int(digits) * 10**shift
    else:
        if any(digits[shift:]) or -shift >= len(digits):
            raise BadValue(
                f"more than {scale} digits after the point" if scale else "a fraction would be lost"
            )
        number = _digits_to_int(digits[:shift])
    return _bounded(-number if sign else number, precision)


def _digits_to_int(digits: tuple[int, ...]) -> int:
    significant = digits[next((i for i, digit in enumerate(digits) if digit), len(digits)) :]
    if len(significant) > 400:
        raise BadValue("too many digits")
    return int("".join(map(str, significant)) or "0")


def _bounded(number: int, precision: int) -> int:
    if abs(number) >= 10**precision:
        raise BadValue(f"more than {precision} digits")
    return number


@functools.lru_cache(maxsize=256)
def zone(name: str) -> dt.tzinfo:
    """The time zone `name`."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise BadValue(f"time zone {name!r} is not known here") from None


def to_days(value: object, low: int, high: int) -> int:
    """Days since 1970-01-01 of a date, a datetime's calendar date, an ISO str or an int."""
    if isinstance(value, dt.date):  # datetime too
        if value != value:
            raise BadValue("NaT is not a date; pass None")
        days = value.toordinal() - EPOCH_DAY
    elif isinstance(value, str):
        match = _ISO_DATE.fullmatch(value)
        if not match:
            raise BadValue("not a date of the form YYYY-MM-DD")
        days = _ordinal(match) - EPOCH_DAY
    elif _numpy_kind(value) == "M":
        days = _numpy_nanoseconds(value) // (DAY_SECONDS * NANOS)
    else:
        days = _count(value)
    if not low <= days <= high:
        raise BadValue(f"out of range {_iso(low)} .. {_iso(high)}")
    return days


def _iso(days: int) -> str:
    return dt.date.fromordinal(days + EPOCH_DAY).isoformat()


def _ordinal(match: re.Match[str]) -> int:
    try:
        return dt.date(int(match[1]), int(match[2]), int(match[3])).toordinal()
    except ValueError:
        raise BadValue("no such day") from None


def to_ticks(value: object, scale: int, naive: str, zone_name: str | None) -> int:
    """Ticks of 10^-`scale` seconds since the epoch; ints are ticks already; floors finer fractions."""
    if isinstance(value, dt.date | str) or _numpy_kind(value) == "M":
        return _nanoseconds(value, naive, zone_name) // int(10 ** (9 - scale))
    return _count(value)


def _count(value: object) -> int:
    """A count of days or ticks: an int.  A float is more likely the seconds of time.time()."""
    if isinstance(value, bool | float) or not hasattr(type(value), "__index__"):
        raise BadValue("neither a date or time nor an int that counts from 1970")
    return to_int(value)


def _nanoseconds(value: Any, naive: str, zone_name: str | None) -> int:
    """The instant `value` in nanoseconds since the epoch."""
    extra = 0
    delta: dt.timedelta
    if isinstance(value, str):
        value, extra = _parse_moment(str.__str__(value))
    elif not isinstance(value, dt.date):
        return _numpy_nanoseconds(value)
    if value != value:
        raise BadValue("NaT is not a point in time; pass None")
    if not isinstance(value, dt.datetime):
        value = dt.datetime(value.year, value.month, value.day)
    extra += int(getattr(value, "nanosecond", 0))  # pandas.Timestamp
    if value.tzinfo is None or value.utcoffset() is None:
        if naive == "local":
            return _local_seconds(value) * NANOS + int(value.microsecond) * 1000 + extra
        value = _with_zone(value, naive, zone_name)
    delta = value - EPOCH
    return (delta.days * DAY_SECONDS + delta.seconds) * NANOS + delta.microseconds * 1000 + extra


def _with_zone(value: dt.datetime, naive: str, zone_name: str | None) -> dt.datetime:
    if naive == "column" and zone_name is not None:
        return value.replace(tzinfo=zone(zone_name))
    return value.replace(tzinfo=UTC)


def _local_seconds(value: dt.datetime) -> int:
    """Whole seconds since the epoch as `datetime.timestamp` has them: in this machine's zone, of a
    pandas.Timestamp in UTC.  Of a time that clocks skipped or showed twice it takes what ``fold`` says."""
    try:
        return math.floor(value.replace(tzinfo=None, microsecond=0).timestamp())
    except (ValueError, OverflowError, OSError):
        raise BadValue("beyond the years that this machine's zone is known for") from None


def _parse_moment(text: str) -> tuple[dt.datetime, int]:
    """An ISO 8601 date and time, and its nanoseconds beyond the microsecond."""
    match = _ISO_MOMENT.fullmatch(text)
    if not match:
        raise BadValue("not a time of the form YYYY-MM-DD hh:mm:ss[.fff][zone]")
    nanos = int((match[7] or "0").ljust(9, "0"))
    try:
        offset = _offset(match[8])
        year, month, day, hour, minute, second = (int(match[i] or 0) for i in range(1, 7))
        value = dt.datetime(year, month, day, hour, minute, second, nanos // 1000, offset)
    except ValueError:
        raise BadValue("no such day or time") from None
    return value, nanos % 1000


def _offset(text: str | None) -> dt.tzinfo | None:
    if text is None:
        return None
    if text == "Z":
        return UTC
    digits = text[1:].replace(":", "")
    delta = dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return dt.timezone(-delta if text[0] == "-" else delta)


def _numpy_kind(value: object) -> str:
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    return kind if isinstance(kind, str) else ""


def _numpy_nanoseconds(value: Any) -> int:
    """Nanoseconds of a numpy datetime64 or timedelta64."""
    if value != value:
        raise BadValue("NaT; pass None")
    letter = _numpy_kind(value)
    converted = value.astype(f"{letter}8[ns]")
    if converted.astype(value.dtype) != value:
        raise BadValue("out of range of nanoseconds")
    return int(converted.astype("i8"))


def to_clock_ticks(value: object, scale: int) -> int:
    """Ticks of 10^-`scale` seconds of a duration; ints are ticks already."""
    if isinstance(value, dt.timedelta | dt.time | str) or _numpy_kind(value) == "m":
        ticks: int = _clock_nanoseconds(value) // 10 ** (9 - scale)
    elif isinstance(value, bool):
        raise BadValue("not a duration")
    else:
        ticks = to_int(value)
    if abs(ticks) >= (MAX_TIME + 1) * int(10**scale):
        raise BadValue("out of range -999:59:59 .. 999:59:59")
    return ticks


def _clock_nanoseconds(value: Any) -> int:
    if isinstance(value, dt.timedelta):
        return (value.days * DAY_SECONDS + value.seconds) * NANOS + value.microseconds * 1000
    if isinstance(value, dt.time):
        if value.tzinfo is not None:
            raise BadValue("a time with a zone has no fixed place in the day")
        return ((value.hour * 60 + value.minute) * 60 + value.second) * NANOS + value.microsecond * 1000
    if not isinstance(value, str):
        return _numpy_nanoseconds(value)
    match = _CLOCK.fullmatch(value)
    if not match or int(match[3]) > 59 or int(match[4]) > 59:
        raise BadValue("not a time of the form hhh:mm:ss")
    seconds = (int(match[2]) * 60 + int(match[3])) * 60 + int(match[4])
    nanos = seconds * NANOS + int((match[5] or "0").ljust(9, "0"))
    return -nanos if match[1] else nanos


def to_interval(value: object, family: str) -> int:
    """The count of an Interval; a timedelta must be a whole multiple of the unit."""
    if not isinstance(value, dt.timedelta):
        return to_int(value)
    micros = (value.days * DAY_SECONDS + value.seconds) * 10**6 + value.microseconds
    if family == "IntervalNanosecond":
        return micros * 1000
    unit = INTERVAL_MICROSECONDS.get(family)
    if unit is None:
        raise BadValue("a timedelta has no fixed length in months; pass an int")
    if micros % unit:
        raise BadValue("not a whole multiple of the unit")
    return micros // unit


def to_uuid(value: object) -> int:
    """The 128-bit number of a UUID, UUID text, int or 16 bytes."""
    if isinstance(value, uuid.UUID):
        return value.int
    if isinstance(value, str):
        try:
            return uuid.UUID(str.__str__(value)).int
        except ValueError:
            raise BadValue("not a UUID") from None
    if isinstance(value, bytes | bytearray | memoryview):
        if len(value) != 16:
            raise BadValue("not 16 bytes")
        return int.from_bytes(value, "big")
    if isinstance(value, int) and not isinstance(value, bool):
        return to_ranged(value, 0, 2**128 - 1)
    raise BadValue("not a UUID")


def to_ipv4(value: object) -> int:
    """The 32-bit number of an IPv4 address."""
    if isinstance(value, ipaddress.IPv4Address):
        return int(value)
    if isinstance(value, str):
        try:
            return int(ipaddress.IPv4Address(str.__str__(value)))
        except ValueError:
            raise BadValue("not an IPv4 address") from None
    if isinstance(value, int) and not isinstance(value, bool):
        return to_ranged(value, 0, 2**32 - 1)
    raise BadValue("not an IPv4 address")


def to_ipv6(value: object) -> bytes:
    """The 16 bytes of an IPv6 address; IPv4 addresses are mapped (``::ffff:a.b.c.d``)."""
    if isinstance(value, str):
        try:
            value = ipaddress.ip_address(str.__str__(value))
        except ValueError:
            raise BadValue("not an IP address") from None
    if isinstance(value, ipaddress.IPv4Address):
        return bytes(10) + b"\xff\xff" + value.packed
    if isinstance(value, ipaddress.IPv6Address):
        if value.scope_id is not None:
            raise BadValue("a scope id cannot be stored")
        return value.packed
    if isinstance(value, bytes | bytearray | memoryview):
        if len(value) != 16:
            raise BadValue("not 16 bytes")
        return bytes(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return to_ranged(value, 0, 2**128 - 1).to_bytes(16, "big")
    raise BadValue("not an IP address")
