"""Builds the two compiled modules; everything else is in pyproject.toml.

``_speedups`` takes Python objects and gives bytes (C-API, ``csrc/ext``); ``_kernels`` takes bytes
and gives bytes or integers (plain C bound by cffi, ``csrc/core`` and ``csrc/ffi``).

Environment switches, each ``1`` to take effect:
``ROWBINARY_SANITIZE``: AddressSanitizer and UndefinedBehaviorSanitizer;
``ROWBINARY_FUZZ``: these, and what a fuzzer is guided by (``CC=clang``);
``ROWBINARY_WERROR``: compiler warnings are errors;
``ROWBINARY_NO_EXTENSIONS``: neither module; the library is then pure Python.
"""

import os
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


def switched_on(name: str) -> bool:
    return os.environ.get(f"ROWBINARY_{name}") == "1"


CFLAGS = ["-O3", "-std=c11", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror=switch"]
# Usual with the C-API: methods that ignore an argument, short tables, and the pointer in datetime.h.
CFLAGS += ["-Wno-unused-parameter", "-Wno-missing-field-initializers", "-Wno-unused-variable"]
# Functions begin with a line of the cache: how long a loop takes should not depend on those before it.
CFLAGS += ["-falign-functions=64"]
LDFLAGS: list[str] = []
KIND = "fuzz" if switched_on("FUZZ") else "sanitize" if switched_on("SANITIZE") else ""
if KIND:
    SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
    if KIND == "fuzz":
        SANITIZE += ["-fsanitize=fuzzer-no-link", "-DRB_FUZZING"]
    CFLAGS += ["-O1", "-g", "-fno-omit-frame-pointer", *SANITIZE]
    LDFLAGS += SANITIZE
if switched_on("WERROR"):
    CFLAGS += ["-Werror"]


class BuildExt(build_ext):
    """Gives both modules the same flags."""

    def build_extension(self, extension: Extension) -> None:
        extension.extra_compile_args += CFLAGS
        extension.extra_link_args += LDFLAGS
        super().build_extension(extension)


SPEEDUPS = Extension(
    "rowbinary._speedups",
    sources=sorted(map(str, Path("csrc/ext").glob("*.c"))),
    depends=sorted(map(str, Path("csrc").rglob("*.h"))),
)

native = not switched_on("NO_EXTENSIONS") and sys.byteorder == "little"  # as the wire format
cpython = sys.implementation.name == "cpython"
setup(
    cmdclass={"build_ext": BuildExt},
    ext_modules=[SPEEDUPS] if native and cpython else [],
    cffi_modules=["csrc/ffi/build_kernels.py:kernels"] if native else [],
    # Objects built with other flags must not be taken for these.
    options={"build": {"build_base": f"build/{KIND}"}} if KIND else {},
)
