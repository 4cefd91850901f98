"""Plain JSON values as scalars of a declared type, converted the way the server's JSON parser does it.

Facts: "JSON data type" in the ClickHouse manual; conversions compared with engine 26.9.
"""

from __future__ import annotations

import datetime
import decimal
import ipaddress
import json
import math
import re
import struct
import uuid
import zoneinfo
from collections.abc import Callable
from enum import IntEnum

from . import _types as types
from ._badvalue import BadValue
from ._text_dates import MAX_DATE, MAX_DATETIME, read_date, read_datetime
from ._types import Type

__all__ = ["Conversion", "ScalarReader", "json_text", "scalar_reader", "utf8"]


class Conversion(IntEnum):
    """How far a value may be converted."""

    NONE = 0  # only what is this kind of value anyway: a string as a String or date, an int as a number
    LOSSLESS = 1  # anything the type accepts, but no float with a fraction as an integer
    ANY = 2


ScalarReader = Callable[[object, Conversion], object]

_INTEGER = re.compile(r"[+-]?[0-9]+\Z", re.ASCII)
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z", re.ASCII)
_SPECIAL_FLOAT = re.compile(r"[+-]?(?:inf(?:inity)?|nan)\Z", re.ASCII | re.IGNORECASE)
_HEX = r"[0-9A-Fa-f]"
_UUID = re.compile(rf"(?:{_HEX}{{32}}|{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}})\Z", re.ASCII)
_IPV4 = re.compile(r"[0-9]+(?:\.[0-9]+){3}\Z", re.ASCII)
_TIME = re.compile(
    r"(-?)(?:(?:([0-9]{1,3}):)?([0-9]{1,2}):)?([0-9]{1,2})(?:\.([0-9]*))?\Z", re.ASCII
)  # fmt: skip
_WIDE = decimal.Context(prec=200)
_MAX_TIME = 999 * 3600 + 59 * 60 + 59


def json_text(value: object) -> str:
    """`value` as the server prints it into a String: compact, and its own choice of escapes."""
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False).replace("/", "\\/")
        return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, list):
        return f"[{','.join(map(json_text, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{json_text(k)}:{json_text(v)}' for k, v in value.items())}}}"
    return "null" if value is None else str(value).lower()


def float_text(value: float) -> str:
    """The shortest digits that give `value` back; plain notation from 1e-6 up to 1e21."""
    sign, digits, exponent = decimal.Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    point = len(digits) + exponent
    text = "".join(map(str, digits))
    if value == 0:
        text = "0"
    elif not -6 < point <= 21:
        fraction = f".{text[1:]}" if len(text) > 1 else ""
        text = f"{text[0]}{fraction}e{point - 1}"
    elif point <= 0:
        text = f"0.{'0' * -point}{text}"
    elif exponent < 0:
        text = f"{text[:point]}.{text[point:]}"
    else:
        text += "0" * exponent
    return f"-{text}" if sign else text


def utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise BadValue("not valid Unicode", text) from None


# -- numbers --------------------------------------------------------------------------------------------


def _parse_float(text: str) -> float:
    if _FLOAT.match(text) or _SPECIAL_FLOAT.match(text):
        return float(text)
    raise BadValue("not a number", text)


def _integer_reader(low: int, high: int) -> ScalarReader:
    def read(value: object, conversion: Conversion) -> int:
        if isinstance(value, str) and conversion:
            if _INTEGER.match(value) and not (low == 0 and value[0] == "-") and low <= int(value) <= high:
                return int(value)
            value = _parse_float(value)
        if isinstance(value, (bool, float)) and not conversion:
            raise BadValue("not an integer", value)
        if isinstance(value, float) and (conversion < Conversion.ANY and not value.is_integer()):
            raise BadValue("not a whole number", value)
        if not isinstance(value, (int, float)):
            raise BadValue("not a number", value)
        if not low <= value <= high:
            raise BadValue(f"not between {low} and {high}", value)
        return int(value)

    return read


def _float_reader(single: bool) -> ScalarReader:
    def read(value: object, conversion: Conversion) -> float:
        if isinstance(value, str) and conversion:
            value = _parse_float(value)
        elif isinstance(value, bool) and not conversion:
            raise BadValue("not a number", value)
        if not isinstance(value, (int, float)):
            raise BadValue("not a number", value)
        return _to_single(float(value)) if single else float(value)

    return read


def _to_single(value: float) -> float:
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


_read_uint8 = _integer_reader(0, 255)


def _read_bool(value: object, conversion: Conversion) -> bool:
    if isinstance(value, bool):
        return value
    if not conversion:
        raise BadValue("not a bool", value)
    return bool(_read_uint8(value, conversion))


def _scaled(value: float, scale: int, limit: int) -> int:
    """`value` * 10**`scale` without its fraction, computed in floating point as the server does."""
    product = value * 10.0**scale
    if not -limit <= product < limit:
        raise BadValue("out of range", value)
    return int(product)


def _decimal_reader(type_: types.Decimal) -> ScalarReader:
    widths = ((9, 32), (18, 64), (38, 128), (76, 256))
    max_digits, bits = next(width for width in widths if type_.precision <= width[0])
    limit = 2 ** (bits - 1)

    def parse(text: str) -> int | None:
        """The number of units in `text`, ``None`` when it has too many digits."""
        if not _FLOAT.match(text):
            raise BadValue("not a number", text)
        number = decimal.Decimal(text)
        if number and number.adjusted() >= max_digits - type_.scale:
            return None
        return int(number.scaleb(type_.scale, _WIDE))

    def read(value: object, conversion: Conversion) -> decimal.Decimal:
        units: int | None
        if isinstance(value, str):
            units = parse(value)
        elif isinstance(value, float):
            units = parse(float_text(value))
            if units is None:
                units = _scaled(value, type_.scale, limit)
        elif isinstance(value, int) and not isinstance(value, bool):
            units = value * 10**type_.scale
        else:
            raise BadValue("not a number", value)
        # The server would store up to `limit` units; no strict writer may.
        if units is None or abs(units) >= 10**type_.precision:
            raise BadValue(f"more than {type_.precision} digits", value)
        return decimal.Decimal(units).scaleb(-type_.scale, _WIDE)

    return read


# -- strings --------------------------------------------------------------------------------------------


def _read_string(value: object, conversion: Conversion) -> str:
    if isinstance(value, str):
        return value
    if not conversion:
        raise BadValue("not a string", value)
    return json_text(value)


def _fixed_string_reader(type_: types.FixedString) -> ScalarReader:
    def read(value: object, conversion: Conversion) -> bytes:
        data = utf8(_read_string(value, conversion))
        if len(data) > type_.length:
            raise BadValue(f"longer than {type_.length} bytes", value)
        return data.ljust(type_.length, b"\0")

    return read


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise BadValue("not a string", value)
    return value


def _read_uuid(value: object, conversion: Conversion) -> uuid.UUID:
    if not _UUID.match(_string(value)):
        raise BadValue("not a UUID", value)
    return uuid.UUID(_string(value))


def _read_ipv4(value: object, conversion: Conversion) -> ipaddress.IPv4Address:
    text = _string(value)
    parts = [int(part) for part in text.split(".")] if _IPV4.match(text) else []
    if not parts or max(parts) > 255:
        raise BadValue("not an IPv4 address", value)
    return ipaddress.IPv4Address(bytes(parts))


def _read_ipv6(value: object, conversion: Conversion) -> ipaddress.IPv6Address:
    text = _string(value)
    try:
        if _IPV4.match(text):
            return ipaddress.IPv6Address(f"::ffff:{ipaddress.IPv4Address(text)}")
        if "%" not in text:
            return ipaddress.IPv6Address(text)
    except ValueError:
        pass
    raise BadValue("not an IPv6 address", value)


def _enum_reader(type_: types.Enum) -> ScalarReader:
    labels = {number: label for label, number in type_.labels}
    known = set(labels.values())

    def read(value: object, conversion: Conversion) -> str:
        if isinstance(value, str) and value in known:
            return value
        if isinstance(value, int) and not isinstance(value, bool) and value in labels:
            return labels[value]
        raise BadValue("not one of the labels or numbers of the enum", value)

    return read


# -- dates and times ------------------------------------------------------------------------------------


def _read_date(value: object, conversion: Conversion) -> int:
    days = read_date(_string(value), strict=False)
    if days is None:
        raise BadValue("not a date", value)
    return min(max(days, 0), MAX_DATE)


def _read_date32(value: object, conversion: Conversion) -> int:
    days = read_date(_string(value), strict=False, impossible=-25567)  # 1900-01-01
    if days is None:
        raise BadValue("not a date", value)
    return days


def _datetime_reader(zone: datetime.tzinfo) -> ScalarReader:
    def read(value: object, conversion: Conversion) -> int:
        if isinstance(value, str):
            found = read_datetime(value, zone, strict=False, fraction=False)
            if found is None:
                raise BadValue("not a date with time", value)
            seconds = found[0]
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and conversion:
            if abs(value) >= 1e38:
                raise BadValue("out of range", value)
            seconds = int(value)
        else:
            raise BadValue("not a date with time", value)
        return min(max(seconds, 0), MAX_DATETIME)

    return read


def _datetime64_reader(scale: int, zone: datetime.tzinfo) -> ScalarReader:
    factor = int(10**scale)

    def read(value: object, conversion: Conversion) -> int:
        if isinstance(value, str):
            found = read_datetime(value, zone, strict=False)
            if found is None:
                raise BadValue("not a date with time", value)
            seconds, nanoseconds, _ = found
            ticks = seconds * factor + (nanoseconds or 0) * factor // 10**9
        elif isinstance(value, bool) or not conversion:
            raise BadValue("not a date with time", value)
        elif isinstance(value, float):
            ticks = int(decimal.Decimal(repr(value)).scaleb(scale, _WIDE))
        elif isinstance(value, int):
            ticks = value * factor
        else:
            raise BadValue("not a date with time", value)
        if not -(2**63) <= ticks < 2**63:
            raise BadValue("out of range", value)
        return ticks

    return read


def _time_reader(scale: int | None) -> ScalarReader:
    """Time (`scale` ``None``) in seconds, Time64 in ticks."""
    factor = int(10 ** (scale or 0))
    limit = _MAX_TIME * factor + factor - 1

    def parse(text: str) -> int:
        match = _TIME.match(text)
        if match is None or (scale is None and match[5] is not None):
            raise BadValue("not a time", text)
        sign, hours, minutes, seconds, fraction = match.groups()
        if (hours and len(minutes) < 2) or (minutes and len(seconds) < 2):
            raise BadValue("not a time", text)
        ticks = (int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds)) * factor
        ticks += int(((fraction or "") + "0" * 9)[: scale or 0] or 0)
        return -ticks if sign else ticks

    def read(value: object, conversion: Conversion) -> int:
        if isinstance(value, str):
            ticks = parse(value)
        elif isinstance(value, bool) or not conversion:
            raise BadValue("not a time", value)
        elif isinstance(value, int):
            ticks = value
        elif isinstance(value, float) and scale is not None:
            ticks = _scaled(value, scale, 2**63)
        else:
            raise BadValue("not a time", value)
        if not -limit <= ticks <= limit:
            raise BadValue("not between -999:59:59 and 999:59:59", value)
        return ticks

    return read


# -- all of them ----------------------------------------------------------------------------------------

_PLAIN: dict[str, ScalarReader] = {
    "Bool": _read_bool,
    "Float32": _float_reader(single=True),
    "Float64": _float_reader(single=False),
    "String": _read_string,
    "UUID": _read_uuid,
    "IPv4": _read_ipv4,
    "IPv6": _read_ipv6,
    "Date": _read_date,
    "Date32": _read_date32,
    "Time": _time_reader(None),
}
for _bits in (8, 16, 32, 64, 128, 256):
    _PLAIN[f"UInt{_bits}"] = _integer_reader(0, 2**_bits - 1)
    _PLAIN[f"Int{_bits}"] = _integer_reader(-(2 ** (_bits - 1)), 2 ** (_bits - 1) - 1)


def _zone(name: str | None, fallback: datetime.tzinfo) -> datetime.tzinfo:
    if name is None:
        return fallback
    try:
        return datetime.UTC if name == "UTC" else zoneinfo.ZoneInfo(name)
    except (OSError, ValueError) as error:
        raise BadValue(f"time zone {name!r} is not known here: {error}") from None


def scalar_reader(type_: Type, zone: datetime.tzinfo) -> ScalarReader | None:
    """The function that converts a value other than ``None`` to `type_`, ``None`` if it is no scalar."""
    if isinstance(type_, types.Decimal):
        return _decimal_reader(type_)
    if isinstance(type_, types.FixedString):
        return _fixed_string_reader(type_)
    if isinstance(type_, types.Enum):
        return _enum_reader(type_)
    if isinstance(type_, types.DateTime):
        return _datetime_reader(_zone(type_.timezone, zone))
    if isinstance(type_, types.DateTime64):
        return _datetime64_reader(type_.scale, _zone(type_.timezone, zone))
    if isinstance(type_, types.Time64):
        return _time_reader(type_.scale)
    return _PLAIN.get(type_.family)
