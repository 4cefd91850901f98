"""The compiled bytes-to-bytes kernels (csrc/ffi/kernels.cdef.h), made by cffi."""

from collections.abc import Sequence
from typing import Any

class _Lib:
    def rb_city128(self, data: Any, size: int, out: Sequence[int], /) -> None: ...

class _Ffi:
    # "uint64_t[2]" is a sequence of ints, which is all that its user needs to know.
    def new(self, cdecl: str, /) -> list[int]: ...
    def from_buffer(self, data: Any, /) -> Any: ...

ffi: _Ffi
lib: _Lib
