"""Describes ``rowbinary._kernels`` to cffi; ``setup.py`` names this file and adds the flags."""

import pathlib

import cffi

CDEF = pathlib.Path("csrc/ffi/kernels.cdef.h")  # builds run in the project's root

kernels = cffi.FFI()
kernels.cdef(CDEF.read_text(encoding="utf-8"))
kernels.set_source(
    "rowbinary._kernels",
    '#include "rb_city.h"\n#include "rb_frame.h"',
    sources=["csrc/core/rb_city.c", "csrc/core/rb_frame.c"],
    include_dirs=["csrc/core"],
    depends=["csrc/core/rb_city.h", "csrc/core/rb_frame.h", str(CDEF)],
    py_limited_api=False,  # wheels are per version anyway
)
