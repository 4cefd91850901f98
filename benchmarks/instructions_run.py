"""What benchmarks/instructions.py runs under valgrind: one workload, once while it is counted.

Arguments: the workload; ``tuples`` or ``dicts`` to be encoded, or ``decoded``; the format; how many rows; and
a shared object.  Its ``start`` makes callgrind begin; until then valgrind only translates, which is faster by
far.  Its ``toggle`` makes callgrind count, or stop.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from typing import cast

import registry
from workloads import Workload

import rowbinary

# Runs in front, by the same encoder, whose memory has its size then: how much of a growing buffer is copied
# depends on what lies behind it, which made up to a twentieth of all instructions.
WARM = 3


def encode(workload: Workload, shape: str, format: rowbinary.Format, starter: ctypes.CDLL) -> None:
    rows = workload.dicts if shape == "dicts" else workload.rows
    encoder = rowbinary.Encoder(workload.schema, format=format)
    for turn in range(WARM + 1):
        if turn == WARM:
            starter.start()
        encoder.write_rows(rows)
        encoder.take()


def decode(workload: Workload, format: rowbinary.Format, starter: ctypes.CDLL) -> None:
    schema = rowbinary.Schema(workload.schema)
    body = rowbinary.encode_rows(schema, workload.rows, format=format)
    for _ in range(WARM):
        rowbinary.decode_rows(schema, body, format=format)
    starter.start()
    starter.toggle()
    rows = rowbinary.decode_rows(schema, body, format=format)
    starter.toggle()
    assert len(rows) == len(workload.rows)


def main(name: str, shape: str, format: str, count: str, starter: str) -> None:
    workload = registry.ALL[name].make(int(count))
    built, chosen = ctypes.CDLL(starter), cast("rowbinary.Format", format)
    gc.disable()
    if shape == "decoded":
        decode(workload, chosen, built)
    else:
        encode(workload, shape, chosen, built)


if __name__ == "__main__":
    main(*sys.argv[1:])
