"""on_error that returns, raises and keeps the error; generators that raise."""

import sys
from collections.abc import Iterator

from common import assert_no_growth

import rowbinary

implementation = sys.argv[1]
COLUMNS = "a UInt8, b String, j JSON"
ROWS = [
    (1, "x" * 100, {"a": 1}),
    (-1, "y", {}),
    (2, "z", {"k": [1, {"q": 2}]}),
    (3, 5, {}),
    (4, "", {"a": object()}),
]


def stop(row: object, index: int, error: rowbinary.EncodeError) -> None:
    if index == 3:
        raise LookupError(row)


def rows() -> Iterator[object]:
    yield from ROWS
    raise LookupError


def work() -> None:
    kept: list[object] = []
    rowbinary.encode_rows(
        COLUMNS, ROWS, on_error=lambda *args: kept.append(args), implementation=implementation
    )
    assert len(kept) == 3
    for source in (ROWS, iter(ROWS), rows(), (row for row in ROWS)):
        encoder = rowbinary.Encoder(COLUMNS, on_error=stop, implementation=implementation)
        try:
            encoder.write_rows(source)
        except LookupError:
            continue
        raise AssertionError("it did not raise")
    try:
        for _ in rowbinary.iter_encode(
            COLUMNS, rows(), on_error=lambda *_: None, chunk_bytes=10, implementation=implementation
        ):
            pass
    except LookupError:
        pass


assert_no_growth(work, 400)
