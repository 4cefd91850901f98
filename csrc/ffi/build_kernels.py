"""Describes ``rowbinary._kernels`` to cffi; ``setup.py`` names this file and adds the flags."""

import pathlib

import cffi

CDEF = pathlib.Path("csrc/ffi/kernels.cdef.h")  # builds run in the project's root
CORE = pathlib.Path("csrc/core")
COLUMNS = CORE / "rb_columns.h"


def declarations(header: pathlib.Path) -> str:
    """A header without its preprocessor lines, which cffi does not read."""
    return "".join(line for line in header.open(encoding="utf-8") if not line.startswith("#"))


kernels = cffi.FFI()
kernels.cdef(declarations(CDEF) + declarations(COLUMNS))
kernels.set_source(
    "rowbinary._kernels",
    "".join(f'#include "{header}"\n' for header in ("rb_city.h", "rb_frame.h", COLUMNS.name)),
    sources=sorted(map(str, CORE.glob("*.c"))),
    include_dirs=[str(CORE)],
    depends=[*sorted(map(str, CORE.glob("*.h"))), str(CDEF)],
    py_limited_api=False,  # wheels are per version anyway
)
