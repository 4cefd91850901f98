"""The compiled bytes-to-bytes kernels (csrc/ffi/kernels.cdef.h), made by cffi."""

from collections.abc import Sequence
from typing import Any

class _Lib:
    def rb_city128(self, data: Any, size: int, out: Sequence[int], /) -> None: ...
    def rb_frame_header(
        self, method: int, payload: Any, payload_size: int, raw_size: int, out: Sequence[int], /
    ) -> None: ...

class _Ffi:
    # "uint64_t[2]" and "uint8_t[25]" are sequences of ints, which is all that users need to know.
    def new(self, cdecl: str, /) -> list[int]: ...
    def from_buffer(self, data: Any, /) -> Any: ...
    def buffer(self, cdata: Sequence[int], /) -> Any: ...

ffi: _Ffi
lib: _Lib
