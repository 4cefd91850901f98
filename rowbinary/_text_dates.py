"""Dates and times in JSON strings, read as the server reads them with its default settings.

Two readers: :func:`read_date` (``YYYY-MM-DD`` and close relatives) and :func:`read_datetime`, the server's
"best effort" reader of almost any notation.  Each has the strict form that type inference uses and the
lenient form that applies once a text has to become a date of a known type.
Facts: ``date_time_input_format`` and ``input_format_try_infer_datetimes`` in the ClickHouse manual; every
rule compared with engine 26.9.
"""

from __future__ import annotations

import datetime
import re

from ._typed import Typed
from ._types import DateTime, DateTime64, Type

__all__ = ["DATE", "DATETIME", "DATETIME64", "read_date", "read_datetime", "retype_string", "unix_seconds"]

DATE = Type("Date")
DATETIME = DateTime("DateTime")
DATETIME64 = DateTime64("DateTime64", 9)
UTC = datetime.UTC

MAX_DATE = 0xFFFF  # days: 2149-06-06
MAX_DATETIME = 0xFFFF_FFFF  # seconds: 2106-02-07 06:28:15
_EPOCH = datetime.date(1970, 1, 1).toordinal()
_NANOSECONDS = 10**9
_MAX_DIGITS = 19  # longest run of digits the server reads at once
_MAX_FRACTION = 18  # digits of it that are used

# What every date has: only these characters, 6 to 50 of them, three digits or more, and one that is none.
_CANDIDATE = re.compile(
    r"(?=.{6,50}\Z)(?=.*[^0-9])(?:[A-Za-z ,./:+-]*[0-9]){3}[0-9A-Za-z ,./:+-]*\Z", re.ASCII
)
_STRICT_DATE = re.compile(r"([0-9]{4})[-/:]([0-9]{1,2})[-/:]([0-9]{1,2})\Z", re.ASCII)
_LENIENT_DATE = re.compile(
    r"([0-9]{4})(?:([0-9]{2})([0-9]{2})|[^0-9]([0-9]{1,2})[^0-9]([0-9]{1,2}))\Z", re.ASCII | re.DOTALL
)
_DIGITS = re.compile(r"[0-9]{0,19}", re.ASCII)
_LETTERS = re.compile(r"[A-Za-z]*", re.ASCII)

_MONTHS = ["january", "february", "march", "april", "may", "june", "july", "august"]
_MONTHS += ["september", "october", "november", "december"]
_WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_MONTH = {form: i for i, name in enumerate(_MONTHS, 1) for form in (name[:3], name)}
_WEEKDAY = {form for name in _WEEKDAYS for form in (name[:3], name)}
_ZONE_HOURS = {"utc": 0, "gmt": 0, "msk": 3, "msd": 4}


def retype_string(text: str, zone: datetime.tzinfo = UTC) -> Typed | None:
    """The date or time that the server sees in the JSON string `text`, ``None`` if it stays a String.

    Values are days (Date), seconds (DateTime) or nanoseconds (DateTime64(9)) since 1970-01-01 UTC.
    `zone` is the zone of texts that name none (the server's or session's time zone).
    """
    if _CANDIDATE.match(text) is None:
        return None
    days = read_date(text, strict=True)
    if days is not None:
        return Typed(days, DATE)
    found = read_datetime(text, zone, strict=True)
    if found is None:
        return None
    seconds, nanoseconds, in_range = found
    if nanoseconds is None and in_range:
        return Typed(seconds, DATETIME)
    ticks = seconds * _NANOSECONDS + (nanoseconds or 0)
    if not -(2**63) <= seconds * _NANOSECONDS <= ticks < 2**63:
        return None
    return Typed(ticks, DATETIME64)


def day_number(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01; a `day` beyond the end of the month runs on into the next."""
    if year == 0:  # a leap year before the first one that datetime knows
        return datetime.date(4, month, 1).toordinal() - 1461 + day - 1 - _EPOCH
    return datetime.date(year, month, 1).toordinal() + day - 1 - _EPOCH


def read_date(text: str, *, strict: bool, impossible: int = 0) -> int | None:
    """Days since 1970-01-01 of a date text, ``None`` if it is none.

    Strict: the delimiters are ``-``, ``/`` or ``:`` and the result fits Date.  Lenient: any delimiter or
    none, and the result is not limited to what Date holds; an impossible month or day gives `impossible`.
    """
    if strict:
        match = _STRICT_DATE.match(text)
        if match is None:
            return None
        year, month, day = map(int, match.groups())
    else:
        match = _LENIENT_DATE.match(text)
        if match is None:
            return None
        year, month, day = (int(group) for group in match.groups() if group is not None)
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None if strict else impossible
    days = day_number(year, month, day)
    if strict and not 0 <= days <= MAX_DATE:
        return None
    return days


def unix_seconds(days: int, seconds: int, zone: datetime.tzinfo) -> int:
    """Seconds since 1970-01-01 UTC of `seconds` after midnight of day `days` on the clocks of `zone`.

    A time that occurs twice is the first; one that is skipped is counted on the later clock.
    """
    local = days * 86400 + seconds
    if zone is UTC:
        return local
    try:
        day = datetime.datetime.fromordinal(days + _EPOCH)
    except (ValueError, OverflowError):
        return local
    wall = day + datetime.timedelta(seconds=min(seconds, 86399))
    offsets = (wall.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    return local - int(max(offset or datetime.timedelta() for offset in offsets).total_seconds())


def read_datetime(
    text: str, zone: datetime.tzinfo, *, strict: bool, fraction: bool = True
) -> tuple[int, int | None, bool] | None:
    """Seconds since 1970-01-01 UTC, nanoseconds after them, and whether DateTime can hold the seconds.

    The nanoseconds are ``None`` when `text` has no fraction.  ``None`` if `text` is no date with time.
    `fraction` says whether a timestamp may have one; after a clock time it always may.
    """
    reader = _BestEffort(text, strict, fraction)
    try:
        if not reader.read() or reader.position != len(text):
            return None
        return reader.result(zone)
    except _NoDateError:
        return None


class _NoDateError(Exception):
    """The text is not a date in any notation that the reader knows."""


class _BestEffort:
    """One pass over a text; the attributes collect the parts found so far, in any order."""

    def __init__(self, text: str, strict: bool, timestamp_fraction: bool):
        self.text = text
        self.strict = strict
        self.timestamp_fraction = timestamp_fraction
        self.delimiters = "-/:" if strict else None  # of date parts; None: any character
        self.position = 0
        self.year = self.month = self.day = 0
        self.hour = self.minute = self.second = 0
        self.has_time = self.has_comma = False
        self.half: str | None = None  # "a" or "p" of AM and PM
        self.offset: list[int] | None = None  # sign, hours, minutes
        self.fraction: str | None = None
        self.timestamp: int | None = None

    # -- characters ----------------------------------------------------------------------------------

    def peek(self) -> str:
        """The next character, empty at the end."""
        return self.text[self.position : self.position + 1]

    def accept(self, char: str) -> bool:
        """Skip `char` if it is next."""
        if self.peek() != char or not char:
            return False
        self.position += 1
        return True

    def digits(self) -> str:
        match = _DIGITS.match(self.text, self.position)
        assert match is not None
        self.position = match.end()
        return match.group()

    def short_number(self) -> int:
        """A number of one or two digits, which must be there."""
        digits = self.digits()
        if not 1 <= len(digits) <= 2:
            raise _NoDateError
        return int(digits)

    def allowed(self, char: str) -> bool:
        return self.delimiters is None or char in self.delimiters

    # -- the loop ------------------------------------------------------------------------------------

    def read(self) -> bool:
        """Collect the parts; ``False`` when something remains that is no part of a date."""
        while self.position < len(self.text):
            if bool(self.year) != self.has_time and self.accept(","):
                self.has_comma = True
                if self.position == len(self.text):
                    break
            digits = "" if self.year and self.has_time else self.digits()
            again = self.number(digits) if digits else True
            if self.timestamp is not None:
                return True
            if again is None:
                return False
            if again and not self.mark():
                return False
        return True

    def number(self, digits: str) -> bool | None:
        """A run of digits.  ``True`` if what follows must be a mark, ``None`` if reading ends here."""
        count = len(digits)
        if count in (9, 10, 13, 14, 16, 19) and not self.year and not self.has_time:
            self.long_number(digits)
        elif count == 8 and not self.year and not self.strict:
            self.set_date(digits)
        elif count == 6 and not self.strict:
            self.six_digits(digits)
        elif count == 4 and not self.year:
            return self.from_year(int(digits))
        elif count <= 2:
            return self.from_short_number(int(digits))
        else:
            raise _NoDateError
        return False

    def long_number(self, digits: str) -> None:
        """Seconds to nanoseconds since 1970, or ``YYYYMMDDhhmmss``.  Inferred only if finer than seconds."""
        if len(digits) > 14 or len(digits) == 13:
            self.timestamp = int(digits[:10])
            self.fraction = digits[10:]
            return
        if self.strict:
            raise _NoDateError
        if len(digits) == 14:
            self.set_date(digits[:8])
            self.set_time(digits[8:])
            return
        self.timestamp = int(digits)
        if self.timestamp_fraction and self.accept("."):
            self.fraction = self.digits()

    def six_digits(self, digits: str) -> None:
        if not self.year and not self.month:
            self.year, self.month = int(digits[:4]), int(digits[4:])
        elif not self.has_time:
            self.set_time(digits)
        else:
            raise _NoDateError

    def set_date(self, digits: str) -> None:
        """``YYYYMMDD``; a month or day read before is added to the new one, in one byte."""
        self.year = int(digits[:4])
        self.month = (self.month + int(digits[4:6])) & 0xFF
        self.day = (self.day + int(digits[6:])) & 0xFF

    def set_time(self, digits: str) -> None:
        """``hhmmss``; an hour read before is added to the new one, in one byte."""
        self.hour = (self.hour + int(digits[:2])) & 0xFF
        self.minute, self.second = int(digits[2:4]), int(digits[4:])
        self.has_time = True

    def from_year(self, year: int) -> bool | None:
        """``YYYY``, ``YYYY-MM`` or ``YYYY-MM-DD``, one digit for month and day being enough."""
        self.year = year
        delimiter = self.peek()
        if not delimiter:
            return False
        if not " " <= delimiter <= "\x7f" or delimiter in ",;'\"":
            return None
        if self.month:
            return False
        self.position += 1
        if not self.date_part("month", delimiter):
            return False
        if not self.day and self.accept(delimiter) and not self.date_part("day", delimiter):
            return False
        if not self.allowed(delimiter):
            raise _NoDateError
        return False

    def date_part(self, name: str, delimiter: str) -> bool:
        """One or two digits into `name`; ``False`` if none or more follow, which only a blank allows."""
        digits = self.digits()
        if len(digits) in (1, 2):
            setattr(self, name, int(digits))
            return True
        if delimiter != " ":
            raise _NoDateError
        return False

    def from_short_number(self, number: int) -> bool:
        """One or two digits: a time, a day-first date, or a day or hour alone."""
        if self.accept(":"):
            self.time_of_day(number)
        elif self.accept(","):
            if self.month and not self.day:
                self.day = number
        elif self.peek() and self.peek() in "/.-" and self.allowed(self.peek()):
            self.position += 1
            return self.day_first(number)
        elif not self.day:
            self.day = number
        elif self.strict and self.hour:
            raise _NoDateError
        else:
            self.hour = number
        return False

    def time_of_day(self, hour: int) -> None:
        if self.has_time:
            raise _NoDateError
        self.hour = hour
        self.has_time = True
        self.minute = self.short_number()
        if self.accept(":"):
            self.second = self.short_number()

    def day_first(self, day: int) -> bool:
        """The rest of ``DD/MM``, ``DD/MM/YY``, ``DD/MM/YYYY`` or ``DD-Mon-YYYY``."""
        if self.day or self.month:
            raise _NoDateError
        self.day = day
        digits = self.digits()
        if len(digits) > 2:
            raise _NoDateError
        if digits:
            self.month = int(digits)
        else:
            self.month = _MONTH.get(self.word(), 0)
            if not self.month:
                raise _NoDateError
        if self.month > 12:
            self.day, self.month = self.month, self.day
        if not (self.peek() and self.peek() in "/.-" and self.allowed(self.peek())):
            return not digits
        self.position += 1
        if self.year:
            raise _NoDateError
        digits = self.digits()
        if len(digits) not in (2, 4):
            raise _NoDateError
        self.year = int(digits)
        if len(digits) == 2:
            self.year += 1900 if self.year >= 70 else 2000
        return False

    # -- everything but digits -----------------------------------------------------------------------

    def mark(self) -> bool:
        """A blank, a sign, a point or a word; ``False`` if the next character is none of them."""
        char = self.peek()
        if char == " " or (char == "T" and self.year and not self.has_time):
            self.position += 1
        elif char == "Z":
            self.position += 1
            self.set_offset(0)
        elif char == ".":
            self.point()
        elif char in ("+", "-"):
            self.position += 1
            self.signed(-1 if char == "-" else 1)
        else:
            return self.read_word()
        return True

    def set_offset(self, hours: int) -> None:
        """A zone was named.  A sign and minutes read before stay as they are."""
        if self.offset is None:
            self.offset = [1, 0, 0]
        if hours:
            self.offset[1] = hours

    def point(self) -> None:
        """The fraction of a second; digits are not needed, the point alone makes one."""
        if not self.has_time or self.fraction is not None:
            raise _NoDateError
        self.position += 1
        self.fraction = self.digits()

    def signed(self, sign: int) -> None:
        """An offset from UTC, or ``hhmmss`` after a date."""
        digits = self.digits()
        if len(digits) == 6 and not self.has_time and self.year and self.month and self.day:
            self.set_time(digits)
            return
        if not 1 <= len(digits) <= 4:
            raise _NoDateError
        self.set_offset(0)
        assert self.offset is not None
        if sign < 0:
            self.offset[0] = -1
        # A second offset is added to the first, in one byte each for hours and minutes.
        hours, minutes = (digits[:-2], int(digits[-2:])) if len(digits) > 2 else (digits, 0)
        if len(digits) <= 2 and self.accept(":"):
            minutes = self.short_number()
        self.offset[1] = (self.offset[1] + int(hours)) & 0xFF
        self.offset[2] = (self.offset[2] + minutes) & 0xFF

    def word(self) -> str:
        """A run of letters, in lower case."""
        match = _LETTERS.match(self.text, self.position)
        assert match is not None
        self.position = match.end()
        return match.group().lower()

    def read_word(self) -> bool:
        word = self.word()
        if not word:
            return False
        if word in ("am", "pm"):
            # The two are remembered apart, and AM is applied first.
            self.half = word[0] if self.half in (None, word[0]) else "ap"
        elif word in _MONTH:
            self.month = _MONTH[word]
        elif word in _ZONE_HOURS:
            self.set_offset(_ZONE_HOURS[word])
        elif word in _WEEKDAY:
            self.accept(",")
        else:
            raise _NoDateError
        return True

    # -- the result ----------------------------------------------------------------------------------

    def result(self, zone: datetime.tzinfo) -> tuple[int, int | None, bool]:
        """Seconds, nanoseconds or ``None``, and whether DateTime holds the seconds."""
        nanoseconds = None
        if self.fraction is not None:
            nanoseconds = int((self.fraction[:_MAX_FRACTION] + "0" * 9)[:9])
        if self.timestamp is not None:
            return self.timestamp, nanoseconds, self.timestamp <= MAX_DATETIME
        self.complete(zone)
        if self.half and "a" in self.half and self.hour == 12:
            self.hour = 0
        if self.half and "p" in self.half and self.hour < 12:
            self.hour += 12
        days = day_number(self.year, self.month, self.day)
        seconds = self.hour * 3600 + self.minute * 60 + self.second
        if self.offset is None:
            moment = unix_seconds(days, seconds, zone)
            return moment, nanoseconds, 0 <= moment <= MAX_DATETIME
        sign, hours, minutes = self.offset
        moment = days * 86400 + seconds - sign * (hours * 3600 + minutes * 60)
        return moment, nanoseconds, 0 <= moment <= MAX_DATETIME

    def complete(self, zone: datetime.tzinfo) -> None:
        """Put in the parts that are missing, if they may be, and check the date."""
        if self.has_comma and not (self.has_time and self.year and self.month and self.day):
            raise _NoDateError
        if not (self.year or self.month or self.day or self.has_time):
            raise _NoDateError
        if self.strict and not (self.year and self.month and self.day):
            raise _NoDateError
        self.day = self.day or 1
        self.month = self.month or 1
        if self.month > 12:
            raise _NoDateError
        if not self.year:
            # Without a year, as in syslog: the last such day that is not in the future.
            today = datetime.datetime.now(zone).date()
            passed = (self.month, self.day) <= (today.month, today.day)
            self.year = today.year if passed else today.year - 1
        if not 1 <= self.day <= _month_length(self.year, self.month):
            raise _NoDateError


def _month_length(year: int, month: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 2 and leap else (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]
