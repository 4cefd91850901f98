"""Arrow's C structures made by hand: what no library would hand over, and a count of what was released."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from typing import Any

from rowbinary import _arrow

_new = ctypes.pythonapi.PyCapsule_New
_new.restype, _new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]


class Count:
    """Structures that are out and not released."""

    def __init__(self) -> None:
        self.open = 0


def packed(code: str, *values: Any) -> bytes:
    """Numbers as they lie in memory."""
    return struct.pack(f"<{len(values)}{code}", *values)


def bits(*values: bool) -> bytes:
    """A bitmap."""
    number = sum(1 << place for place, value in enumerate(values) if value)
    return number.to_bytes(len(values) // 8 + 1, "little")


def view(text: bytes, buffer: int = 0, start: int = 0, size: int | None = None) -> bytes:
    """What a view array has of a text; `size` may lie."""
    size = len(text) if size is None else size
    if size <= 12:
        return struct.pack("<i12s", size, text[:12])
    return struct.pack("<i4sii", size, text[:4], buffer, start)


class Hand:
    """An Arrow array: anything can be said in it.  The memory of its buffers ends where they end."""

    def __init__(
        self,
        format: str,
        length: int,
        buffers: Sequence[bytes | None],
        children: Sequence[Hand] = (),
        *,
        name: str = "c",
        dictionary: Hand | None = None,
        offset: int = 0,
        null_count: int = -1,
        count: Count | None = None,
    ):
        self.said = (format, length, buffers, children, name, dictionary, offset, null_count)
        self.count = count or Count()

    def __arrow_c_array__(self, requested: object = None) -> tuple[Any, Any]:
        schema, array = self.schema(self.count), self.array(self.count)
        self.kept = schema, array
        return (
            _new(ctypes.addressof(schema), b"arrow_schema", None),
            _new(ctypes.addressof(array), b"arrow_array", None),
        )

    def schema(self, count: Count | None = None) -> Any:
        """Its schema; as the array it is one more that is open, if anybody counts."""
        format, _, _, children, name, dictionary, _, _ = self.said
        found = _arrow._Schema()
        found.format, found.name, found.flags = format.encode(), name.encode(), 2
        self._inner(found, [child.schema() for child in children], dictionary and dictionary.schema(), count)
        return found

    def array(self, count: Count | None = None) -> Any:
        """The array itself."""
        _, length, buffers, children, _, dictionary, offset, null_count = self.said
        found = _arrow._Array()
        found.length, found.null_count, found.offset, found.n_buffers = (
            length,
            null_count,
            offset,
            len(buffers),
        )
        memory = [
            None if data is None else (ctypes.c_char * len(data)).from_buffer_copy(data) for data in buffers
        ]
        places = [None if data is None else ctypes.addressof(data) for data in memory]
        found.buffers = (ctypes.c_void_p * max(len(places), 1))(*places)
        found.memory = memory
        self._inner(found, [child.array() for child in children], dictionary and dictionary.array(), count)
        return found

    def _inner(self, found: Any, children: list[Any], dictionary: Any, count: Count | None) -> None:
        kind = type(found)
        found.n_children = len(children)
        found.children = (ctypes.POINTER(kind) * max(len(children), 1))(*map(ctypes.pointer, children))
        if dictionary is not None:
            found.dictionary = ctypes.pointer(dictionary)
        count = count or Count()
        count.open += 1

        def release(pointer: Any) -> None:
            count.open -= 1
            at = ctypes.addressof(pointer.contents) + kind.release.offset
            ctypes.memset(at, 0, ctypes.sizeof(ctypes.c_void_p))

        fields: Any = kind._fields_
        found.release = dict(fields)["release"](release)
        _FOREVER.append((found, release, children, dictionary))


_FOREVER: list[Any] = []
"""What C code points to while a test runs: structures are copied, their parts are not."""


class HandStream:
    """An Arrow stream of such arrays, which can fail."""

    def __init__(self, arrays: Sequence[Hand], *, fails: int | None = None, text: bytes | None = b"broken"):
        self.arrays, self.fails, self.text = arrays, fails, text
        self.asked = 0
        self.count = arrays[0].count

    def __arrow_c_stream__(self, requested: object = None) -> Any:
        fields: dict[str, Any] = dict(_arrow._Stream._fields_)  # type: ignore[arg-type]
        stream = _arrow._Stream()
        self.count.open += 1

        def get_schema(stream: Any, out: Any) -> int:
            return self._give(self.arrays[0].schema(self.count), out)

        def get_next(stream: Any, out: Any) -> int:
            self.asked += 1
            if self.fails == self.asked:
                return 5
            if self.asked <= len(self.arrays):
                return self._give(self.arrays[self.asked - 1].array(self.count), out)
            ctypes.memset(out, 0, ctypes.sizeof(_arrow._Array))
            return 0

        def release(pointer: Any) -> None:
            self.count.open -= 1
            stream_at = ctypes.addressof(pointer.contents)
            ctypes.memset(stream_at + _arrow._Stream.release.offset, 0, ctypes.sizeof(ctypes.c_void_p))

        stream.get_schema, stream.get_next = fields["get_schema"](get_schema), fields["get_next"](get_next)
        text = self.text and ctypes.create_string_buffer(self.text)
        last_error = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(
            lambda stream: text and ctypes.addressof(text)
        )
        stream.get_last_error = ctypes.cast(last_error, fields["get_last_error"])
        stream.release = fields["release"](release)
        _FOREVER.append((stream, get_schema, get_next, release, last_error))
        return _new(ctypes.addressof(stream), b"arrow_array_stream", None)

    def _give(self, structure: Any, out: Any) -> int:
        ctypes.memmove(out, ctypes.byref(structure), ctypes.sizeof(structure))
        return 0
