"""Builds the two compiled modules; everything else is in pyproject.toml.

``_speedups`` takes Python objects and gives bytes (C-API); ``_kernels`` takes bytes and gives
bytes or integers (plain C through cffi).  ``ROWBINARY_SANITIZE=1`` builds both with ASan and
UBSan, ``ROWBINARY_NO_EXTENSIONS=1`` neither.
"""

import os
import sys

from setuptools import Extension, setup

CFLAGS = ["-O3", "-std=c11", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror=switch", "-Wno-unused-parameter", "-Wno-unused-variable"]
LDFLAGS = []
if os.environ.get("ROWBINARY_SANITIZE") == "1":
    SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"]
    CFLAGS = ["-O1", "-g", *CFLAGS[1:], *SANITIZE]
    LDFLAGS = SANITIZE
if os.environ.get("ROWBINARY_WERROR") == "1":
    CFLAGS.append("-Werror")

SOURCES = ["module", "node", "buffer", "rows", "write_value", "write_container", "write_dynamic", "write_json"]
HEADERS = ["csrc/rb_opcodes.h", "csrc/core/rb_bytes.h", "csrc/ext/rowbinary.h", "csrc/ext/write_scalar.h"]

extensions = []
if os.environ.get("ROWBINARY_NO_EXTENSIONS") != "1" and sys.implementation.name == "cpython":
    extensions.append(
        Extension(
            "rowbinary._speedups",
            [f"csrc/ext/{name}.c" for name in SOURCES],
            depends=HEADERS,
            extra_compile_args=CFLAGS,
            extra_link_args=LDFLAGS,
        )
    )

setup(ext_modules=extensions)
