"""What benchmarks/instructions.py runs under valgrind: one workload, encoded once while it is counted.

Arguments: the workload, ``tuples`` or ``dicts``, the format, the number of rows, and a shared object whose
``start`` makes callgrind begin.  Until then valgrind only translates, which is five times as fast.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from typing import cast

import registry

import rowbinary

# Runs in front, by the same encoder, whose memory has its size then: how much of a growing buffer is copied
# depends on what lies behind it, which made up to a twentieth of all instructions.
WARM = 3


def main(name: str, shape: str, format: str, count: str, starter: str) -> None:
    workload = registry.ALL[name].make(int(count))
    rows = workload.dicts if shape == "dicts" else workload.rows
    encoder = rowbinary.Encoder(workload.schema, format=cast("rowbinary.Format", format))
    start = ctypes.CDLL(starter).start
    gc.disable()
    for turn in range(WARM + 1):
        if turn == WARM:
            start()
        encoder.write_rows(rows)
        encoder.take()


if __name__ == "__main__":
    main(*sys.argv[1:])
