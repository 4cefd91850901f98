"""Native blocks: good rows, bad rows, blocks whose paths change, bad rows whose block never ends."""

import itertools
import sys
from typing import Any

from common import assert_no_growth, rss, share

import rowbinary
from rowbinary import DEFAULT, Encoder, typed

implementation = sys.argv[1]
COLUMNS = (
    "a Array(JSON), j JSON, r JSON(t LowCardinality(String), SKIP s), m Map(String, JSON), p Nullable(JSON), "
    "l LowCardinality(Nullable(String)), d Dynamic(max_types=2), v Variant(String, UInt8), "
    "g AggregateFunction(sum, UInt64), u UInt8"
)
DOCUMENT = {
    "t": "é",
    "s": 1,
    "n": None,
    "o": {"p": [1, "x", {"w": 2**70}], "q": ["a", "b"]},
    "d.e": 1,
    "d": {"e": 2},
}
numbers = itertools.count()
encoder = Encoder(COLUMNS, format="Native", implementation=implementation, on_error=lambda *_: None)


def row(number: int, last: object) -> tuple[Any, ...]:
    """With paths, types and texts that other blocks do not have."""
    new = {
        f"p{number // 10}": number,
        f"n{number}": None,
        "k": typed("x", f"FixedString({number % 50 + 1})"),
    }
    document: dict[str, Any] = {**DOCUMENT, **new}
    text = f"text {number}"
    return [document, {"i": [new]}], document, DOCUMENT, {text: new}, new, text, text, text, b"state", last


def work() -> None:
    for last in (1, "bad", object(), DEFAULT, 2):
        encoder.write_rows([row(next(numbers), last) for _ in range(4)])
    encoder.write_rows([row(0, 1)[:-1], {"a": []}, object(), row(next(numbers), 1)])
    encoder.take()
    options: dict[str, Any] = {"format": "Native", "implementation": implementation}
    for _ in rowbinary.iter_encode(COLUMNS, [row(1, 1)] * 3, chunk_bytes=100, **options):
        pass
    rows = [(DOCUMENT, [DOCUMENT, DOCUMENT])] * 3
    for mode in ("text", "string"):
        rowbinary.encode_rows("j JSON, a Array(JSON)", rows, json=mode, duplicate_paths="last", **options)


assert_no_growth(work, 100)

endless = Encoder("j JSON, u UInt8", format="Native", implementation=implementation, on_error=lambda *_: None)

BAD_ROWS = round(20_000 * share())
LONG = round(10 / share())  # as many bytes of keys, however many rows


def fail(first: int) -> None:
    for number in range(first, first + BAD_ROWS):
        endless.write_row(({f"key {number}" * LONG: 1, "o": {f"null {number}" * LONG: None}}, "bad"))


fail(0)
before = rss()
fail(1 << 20)
assert rss() - before < 4 << 20, f"{rss() - before} bytes kept of bad rows"
