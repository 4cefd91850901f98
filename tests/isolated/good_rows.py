"""Rows of every kind, encoded again and again."""

import datetime as dt
import decimal
import sys
import types
import uuid
from typing import Any

from common import assert_no_growth

import rowbinary

implementation = sys.argv[1]
COLUMNS = (
    "a Int64, b String, c Array(Nullable(Float64)), d Map(String, Array(String)), "
    "e Tuple(x UInt8, y String), f DateTime64(3), g UUID, h Decimal(18, 4), i Enum8('a' = 1), "
    "j JSON(t UInt8, SKIP s), "
    "k Dynamic, l Variant(String, UInt8), m IPv4, n Int256"
)
BERLIN = dt.timezone(dt.timedelta(hours=1))
ROW = {
    "a": 2**40, "b": "é" * 50, "c": [1.5, None, 2], "d": {"k": ["v", "w"]}, "e": {"x": 1, "y": "z"},
    "f": dt.datetime(2020, 1, 1, tzinfo=BERLIN),
    "g": uuid.UUID(int=5), "h": decimal.Decimal("1.5"), "i": "a",
    "j": {"t": 1, "s": 2, "u": {"v": [1, "x", {"w": 2**70}]}, "d.e": 1, "d": {"e": 2}},
    "k": [{"a": 1}, {"b": None}], "l": 5, "m": "1.2.3.4", "n": 2**200,
}  # fmt: skip
ROWS = [
    ROW,
    tuple(ROW.values()),
    list(ROW.values()),
    types.SimpleNamespace(**ROW),
    types.MappingProxyType(ROW),
]
encoder = rowbinary.Encoder(COLUMNS, implementation=implementation)


def work() -> None:
    encoder.write_rows(ROWS)
    encoder.take()
    for mode in ("exact", "text", "string"):
        options: dict[str, Any] = {"json": mode, "duplicate_paths": "last", "implementation": implementation}
        rowbinary.encode_rows(COLUMNS, ROWS, **options)
        for _ in rowbinary.iter_encode(COLUMNS, iter(ROWS), chunk_bytes=100, **options):
            pass


assert_no_growth(work, 400)
