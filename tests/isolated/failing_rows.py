"""Rows that fail in every place where the C encoder gives up."""

import datetime as dt
import sys

from common import assert_no_growth

import rowbinary

implementation = sys.argv[1]


class Fails:
    def __index__(self) -> int:
        raise ValueError("no")

    def __float__(self) -> float:
        raise ValueError("no")


class Zone(dt.tzinfo):
    def utcoffset(self, when: dt.datetime | None) -> dt.timedelta:
        raise ValueError("no")

    def dst(self, when: dt.datetime | None) -> None:
        return None

    def tzname(self, when: dt.datetime | None) -> None:
        return None


class Interrupts:
    def __index__(self) -> int:
        raise KeyboardInterrupt


AT = dt.datetime(2020, 1, 1, tzinfo=Zone())
BIG = "x" * 10_000
deep: object = 1
for _ in range(200):
    deep = {"a": {"b": {"c": [deep]}}}
CASES = [
    ("UInt8", -1),
    ("UInt8", Fails()),
    ("UInt8", Interrupts()),
    ("String", "\ud800" + BIG),
    ("Array(String)", [BIG, BIG, 5]),
    ("Array(UInt8)", [1] * 1000 + [Fails()]),
    ("Map(String, Array(UInt8))", {BIG: [1], "b": [Fails()]}),
    ("Tuple(String, UInt8)", (BIG, Fails())),
    ("Variant(Array(String), UInt8)", [BIG, 5]),
    ("Nullable(DateTime)", AT),
    ("Dynamic", AT),
    ("Dynamic", [BIG, 1, object()]),
    ("JSON", {"a": BIG, "b": {"c": AT}}),
    ("JSON", {"a": [{"b": BIG}, {"c": object()}]}),
    ("JSON", {"a.b": 1, "a": {"b": 2, "c": object()}}),
    ("JSON", {BIG: {BIG: {1: 2}}}),
    ("JSON", {"\ud800": 1}),
    ("JSON", deep),
    ("JSON(a UInt8, SKIP b)", {"c": {"d": BIG}, "a": 300}),
    ("JSON", '{"a": ' + BIG),
    ("Decimal(9, 2)", BIG),
    ("UUID", BIG),
    ("Enum8('a' = 1)", BIG),
]
encoders = [
    (rowbinary.Encoder([("c", column)], implementation=implementation), value) for column, value in CASES
]


def work() -> None:
    for encoder, value in encoders:
        for row in ((value,), {"c": value}, [value], (value, value), {"c": value, "d": 1}, {"d": 1}):
            try:
                encoder.write_row(row)
            except (rowbinary.EncodeError, KeyboardInterrupt):
                continue
            raise AssertionError(f"taken: {row!r}")
        assert len(encoder) == 0


assert_no_growth(work, 400)
