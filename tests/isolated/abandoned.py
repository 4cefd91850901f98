"""iter_encode that nobody reads to its end, encoders with rows that nobody takes, schemas that go away."""

import itertools
import sys

from common import assert_no_growth

import rowbinary

implementation = sys.argv[1]
counter = itertools.count()


def work() -> None:
    rows = ((n, "x" * 1000, {"a": [n, {"b": n}]}) for n in range(100_000))
    chunks = rowbinary.iter_encode(
        "a UInt32, s String, j JSON", rows, chunk_bytes=10_000, implementation=implementation
    )
    next(chunks)
    kept = next(chunks)
    del chunks
    assert len(kept) >= 10_000
    encoder = rowbinary.Encoder("a UInt32, s String", implementation=implementation)
    encoder.write_rows((n, "y" * 1000) for n in range(100))
    del encoder
    a_type_of_its_own()


def a_type_of_its_own() -> None:
    number = next(counter)  # nodes, rules and C structs
    schema = rowbinary.Schema(
        [(f"c{number}", f"JSON(p{number} Array(Tuple(x UInt8, y Enum8('a{number}' = 1))), SKIP q{number})")]
    )
    row = ({f"p{number}": [(1, f"a{number}")], f"d{number}": 1},)
    assert rowbinary.encode_rows(schema, [row], implementation=implementation)


# Compiled types are kept for reuse up to a limit: fill that first.
for _ in range(1100):
    a_type_of_its_own()
assert_no_growth(work, 200, allowed=4 << 20)
