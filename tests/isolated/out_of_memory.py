"""Memory that runs out in the middle: MemoryError, the rows before stay, and the encoder works on."""

import contextlib
import resource
import sys

import rowbinary

implementation = sys.argv[1]
encoder = rowbinary.Encoder("s String, n UInt8", implementation=implementation)
encoder.write_row(("first", 1))
large = b"x" * (100 << 20)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()  # noqa: PTH123, SIM115
resource.setrlimit(resource.RLIMIT_AS, (used + (60 << 20), resource.RLIM_INFINITY))
for _ in range(3):
    try:
        encoder.write_row((large, 2))
    except MemoryError:
        pass
    else:
        raise AssertionError("there was memory enough")
    with contextlib.suppress(rowbinary.EncodeError):
        encoder.write_row({"s": [large], "n": 2})
encoder.write_row(("last", 3))
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert encoder.rows == 2
assert encoder.take() == b"\5first\1\4last\3"
