"""Describes ``rowbinary._kernels`` to cffi; ``setup.py`` names this file and adds the flags."""

import pathlib

import cffi

CDEF = pathlib.Path("csrc/ffi/kernels.cdef.h")  # builds run in the project's root

CORE = pathlib.Path("csrc/core")

kernels = cffi.FFI()
kernels.cdef(CDEF.read_text(encoding="utf-8"))
kernels.set_source(
    "rowbinary._kernels",
    "".join(f'#include "{header}"\n' for header in ("rb_city.h", "rb_frame.h", "rb_source.h")),
    sources=sorted(map(str, CORE.glob("*.c"))),
    include_dirs=[str(CORE)],
    depends=[*sorted(map(str, CORE.glob("*.h"))), str(CDEF)],
    py_limited_api=False,  # wheels are per version anyway
)
