"""ISO date and time texts: the C reader agrees with the reference, on good ones and on bad ones."""

from __future__ import annotations

import random

import pytest
from conftest import times

import rowbinary

YEARS = [2026, 1970, 1969, 2105, 2106, 2107, 1, 9999]
ZONES = [
    "",
    "Z",
    "+02:00",
    "-0230",
    "-02",
    "+14",
    "+23:59",
    "-23:59",
    " UTC",
    "+2:00",
    "z",
    "+24:00",
    "+0:30",
]
CASES = [
    ("DateTime", {}),
    ("DateTime64(9)", {}),
    ("DateTime64(2)", {}),
    ("Date", {}),
    ("Date32", {}),
    ("DateTime64(3, 'Asia/Tokyo')", {"naive": "column"}),
    ("JSON", {"json": "text"}),
    ("JSON", {"json": "text", "naive": "column"}),
]


def iso_text(r: random.Random) -> str:
    """An ISO date or time, at times with a part out of range, a digit too many or a wrong character."""
    text = f"{r.choice([*YEARS, r.randrange(1960, 2110)]):04d}-{r.randrange(14):02d}-{r.randrange(33):02d}"
    if r.random() < 0.8:
        text += f"{r.choice('T  t_')}{r.randrange(25):02d}:{r.randrange(61):02d}"
        if r.random() < 0.8:
            text += f":{r.randrange(61):02d}"
            if r.random() < 0.5:
                text += r.choice(".,") + "".join(r.choices("0123456789", k=r.randrange(11)))
        text += r.choice(ZONES)
    if r.random() < 0.05:
        text = text.replace(r.choice(text), r.choice("0 :-Tx"), 1)
    return text


def outcome(type_: str, text: str, implementation: str, options: dict[str, str]) -> bytes | str:
    value = {"k": text} if type_ == "JSON" else text
    try:
        return rowbinary.encode_rows([("c", type_)], [(value,)], implementation=implementation, **options)  # type: ignore[arg-type]
    except rowbinary.EncodeError as error:
        return str(error)


@pytest.mark.parametrize(("type_", "options"), CASES, ids=lambda case: str(case))
def test_iso_texts(type_: str, options: dict[str, str], impl: str) -> None:
    r = random.Random(5)
    good, count = 0, times(500, 2000)
    for _ in range(count):
        text = iso_text(r)
        expected = outcome(type_, text, "python", options)
        assert outcome(type_, text, impl, options) == expected, text
        good += isinstance(expected, bytes)
    assert good > count // 20


@pytest.mark.parametrize(
    ("text", "ticks"),
    [
        ("1970-01-01", 0),
        ("1970-01-01T00:00:01Z", 10**9),
        ("1970-01-01 01:00+01:00", 0),
        ("1969-12-31 23:59:59.999999999", -1),
        ("2026-11-22T10:20:30.123456789-0230", 1795351830123456789),
    ],
)
def test_known_texts(text: str, ticks: int, impl: str) -> None:
    body = rowbinary.encode_rows("t DateTime64(9)", [(text,)], implementation=impl)
    assert int.from_bytes(body, "little", signed=True) == ticks
