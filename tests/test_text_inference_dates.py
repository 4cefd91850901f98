"""Text mode types of strings: what is a date or a time, and which one, is what the engine reads."""

from __future__ import annotations

import json
import random
import zoneinfo
from typing import Any

import pytest
from conftest import times
from text_trees import UTC, Reader, create, insert, leaf

from rowbinary import typed
from rowbinary._text import retype_string

WORDS = json.loads(
    r"""[
    " ", "  ", "-", "/", ":", ".", ",", "T", "Z", "+", "UTC", "GMT", "MSK", "MSD", "AM", "PM", "am", "Mon",
    "Mon,", "Monday", "thursday", "Jan", "JAN", "February", "May", "march", "Sept", "Sep", "dec", "EST", "t",
    "z", "x"
    ]"""
)
MONTHS = ["January", "February", "March", "April", "May", "June"]
MONTHS += ["July", "August", "September", "October", "November", "December"]


def random_number(pick: random.Random) -> str:
    years = [2026, 1999, 1970, 1969, 2106, 2149, 2150, 2262, 2263, 1900, 1677, 1678, 9999, 0]
    tops = [(9, 1), (31, 2), (99, 2), (999, 3), (9999, 4), (999_999, 6), (10**9, 9), (10**21, 1)]
    top, width = pick.choice(tops)
    year = str(pick.choice(years))
    return pick.choice([year, f"{pick.randint(0, top):0{width}}", str(pick.randint(0, 12))])


def random_date(pick: random.Random) -> str:
    year = pick.choice(
        [pick.randint(1970, 2106), pick.randint(1600, 2300), 2026, pick.randint(0, 9999), 2106, 1969]
    )
    month = pick.choice([pick.randint(1, 12)] * 9 + [pick.randint(0, 20)])
    day = pick.choice([pick.randint(1, 28)] * 6 + [pick.randint(28, 31)] * 3 + [pick.randint(0, 99)])
    m, d = (pick.choice([f"{part:02}", str(part)]) for part in (month, day))
    name = pick.choice(MONTHS)
    name = pick.choice([name, name[:3], name.lower(), name[:3].upper(), name[:4]])
    s = pick.choice("--//:. ")
    short = f"{year % 100:02}"
    return pick.choice(
        [f"{year:04}{s}{m}{s}{d}"] * 5
        + [
            f"{d}{s}{m}{s}{year:04}",
            f"{d}{s}{m}{s}{short}",
            f"{d}{s}{name}{s}{year:04}",
            f"{d}-{name}-{short}",
        ]
        + [
            f"{d} {name} {year:04}",
            f"{name} {d}, {year:04}",
            f"Fri, {d} {name} {year:04}",
            f"{name} {d} {year:04}",
        ]
    )


def random_time(pick: random.Random) -> str:
    hour, minute, second = (
        pick.choice([pick.randint(0, top)] * 9 + [pick.randint(0, 99)]) for top in (23, 59, 59)
    )
    text = f"{hour:02}:{minute:02}" + pick.choice(["", f":{second:02}", f":{second:02}", f":{second:02}"])
    if pick.random() < 0.3:
        digits = pick.choice([0, 1, 3, 6, 9, 12, 18, 19, 20])
        text += "." + "".join(pick.choice("0123456789") for _ in range(digits))
    return text + pick.choice([""] * 7 + [" AM", "PM", " am"])


def random_offset(pick: random.Random) -> str:
    hours, minutes = (
        pick.choice([pick.randint(0, 14), pick.randint(0, 30)]),
        pick.choice([0, 30, pick.randint(0, 99)]),
    )
    numbers = pick.choice(
        [f"{hours:02}:{minutes:02}", f"{hours:02}{minutes:02}", f"{hours}:{minutes}", f"{hours}"]
    )
    named = ["", "Z", " Z", "UTC", " GMT", " MSD", " EST", "z"]
    return pick.choice([*named, *[pick.choice(["", " "]) + pick.choice("+-") + numbers] * 5])


def random_date_text(pick: random.Random) -> str:
    """Anything between a well-formed date and noise."""
    kind = pick.random()
    if kind < 0.25:
        return "".join(
            pick.choice([random_number(pick), pick.choice(WORDS)]) for _ in range(pick.randint(1, 9))
        )
    text = random_date(pick)
    if kind > 0.35:
        text += (
            pick.choice([" ", "T", " ", "T", "  ", ", ", "", "\t"]) + random_time(pick) + random_offset(pick)
        )
    if kind > 0.85:
        at = pick.randint(0, len(text))
        text = (
            text[:at]
            + pick.choice(["", random_number(pick), *WORDS, *"\t\n~é'"])
            + text[at + pick.randint(0, 2) :]
        )
    return pick.choice([text] * 9 + [f" {text}", f"{text} "])


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Australia/Lord_Howe"])
def test_dates_as_the_engine_reads_them(engine: Any, zone: str) -> None:
    pick = random.Random(f"dates {zone}")
    texts = [random_date_text(pick) for _ in range(times(5000, 20_000))]
    create(engine, "i UInt32, j JSON(max_dynamic_paths=0)")  # shared data: no memory from row to row
    engine.query(f"SET session_timezone = '{zone}'")
    try:
        insert(engine, [{"i": i, "j": {"a": text}} for i, text in enumerate(texts)])
    finally:
        engine.query("SET session_timezone = ''")
    reader = Reader(bytes(engine.query("SELECT j.a FROM text_inference ORDER BY i", "RowBinary").bytes()))
    seen = 0
    for text in texts:
        expected = reader.dynamic()
        found = retype_string(text, UTC if zone == "UTC" else zoneinfo.ZoneInfo(zone))
        assert leaf(text if found is None else found) == expected, text
        seen += found is not None
    assert seen > 0.15 * len(texts)  # the generator does make dates


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-02-30", (20514, "Date")),
        ("2026:1:1", (20454, "Date")),
        ("2149-06-06", (65535, "Date")),
        ("2149-06-07", (5662310400 * 10**9, "DateTime64(9)")),
        ("26-01-01", (980467200, "DateTime")),
        ("1-jan-26", (1767225600, "DateTime")),
        ("12/31/2026", (1798675200, "DateTime")),
        ("march 5 2026", (1772668800, "DateTime")),
        ("2026-01-01 10:00 PM", (1767304800, "DateTime")),
        ("2026-01-01T00:00:00.", (1767225600 * 10**9, "DateTime64(9)")),
        ("1969-12-31 23:59:59.5", (-5 * 10**8, "DateTime64(9)")),
        (" 1767225600123", (1767225600123 * 10**6, "DateTime64(9)")),
        ("2262-04-11 23:47:16.854775807", (2**63 - 1, "DateTime64(9)")),
    ],
)
def test_date_examples(text: str, expected: tuple[int, str]) -> None:
    assert retype_string(text) == typed(*expected)


STAY_STRINGS = json.loads(
    r"""[
    "", "20260101", "2026-01", "2026", "2026.01.01", "01.02.2026", "2026-13-01", "12:34:56", "1767225600",
    "10 May", "2026-01-01x", "2026-01-01 00:00:00,5", "2262-04-12", "2026-01-01\n", "2026-01-0\u0661",
    "1677-01-01", "Sept 5 2026", "20260101T000000", "2026-02-30 00:00:00", "1e5", "-1.5",
    "2026-01-01                                         "
    ]"""
)


@pytest.mark.parametrize("text", STAY_STRINGS)
def test_what_is_no_date(text: str) -> None:
    assert retype_string(text) is None


def test_skipped_and_repeated_hours() -> None:
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    assert retype_string("2026-03-29 02:30:00", berlin) == typed(1774744200, "DateTime")
    assert retype_string("2026-10-25 02:30:00", berlin) == typed(1792888200, "DateTime")
    assert retype_string("2026-01-01 00:00:00+00:00", berlin) == typed(1767225600, "DateTime")
