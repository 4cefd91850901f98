"""Arrow's C interfaces: what pyarrow, polars, pandas and others hand over without copies.

Facts: the Arrow specifications "C data interface", "C stream interface" and "PyCapsule interface".
An object with ``__arrow_c_stream__`` gives batches, one with ``__arrow_c_array__`` is a batch; memory stays
theirs until it is released, which happens when the last :class:`Source` of it is gone.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Iterator
from typing import Any

from ._sources import Kind, Source
from .errors import RowBinaryError

_Pointer, _Long, _Text = ctypes.c_void_p, ctypes.c_int64, ctypes.c_char_p


class _Schema(ctypes.Structure):
    pass


class _Array(ctypes.Structure):
    pass


class _Stream(ctypes.Structure):
    pass


_Schema._fields_ = [
    ("format", _Text),
    ("name", _Text),
    ("metadata", _Pointer),
    ("flags", _Long),
    ("n_children", _Long),
    ("children", ctypes.POINTER(ctypes.POINTER(_Schema))),
    ("dictionary", ctypes.POINTER(_Schema)),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Schema))),
    ("private_data", _Pointer),
]
_Array._fields_ = [
    ("length", _Long),
    ("null_count", _Long),
    ("offset", _Long),
    ("n_buffers", _Long),
    ("n_children", _Long),
    ("buffers", ctypes.POINTER(_Pointer)),
    ("children", ctypes.POINTER(ctypes.POINTER(_Array))),
    ("dictionary", ctypes.POINTER(_Array)),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Array))),
    ("private_data", _Pointer),
]
_Stream._fields_ = [
    ("get_schema", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Schema))),
    ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Array))),
    ("get_last_error", ctypes.CFUNCTYPE(_Text, ctypes.POINTER(_Stream))),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Stream))),
    ("private_data", _Pointer),
]


class UnknownLayout(RowBinaryError, TypeError):
    """An Arrow type that is not read here."""


class _Memory:
    """A structure that is released when nobody uses it any more."""

    def __init__(self, structure: Any):
        self.structure = structure
        weakref.finalize(self, _release, structure)


def _release(structure: Any) -> None:
    if structure.release:
        structure.release(ctypes.byref(structure))


def _taken(capsule: object, name: bytes, kind: type[Any]) -> Any:
    """The structure in `capsule`, which from now on is ours to release."""
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    theirs = kind.from_address(pointer(capsule, name))
    if not theirs.release:
        raise ValueError("this Arrow capsule was consumed before")
    ours = kind()
    ctypes.memmove(ctypes.byref(ours), ctypes.byref(theirs), ctypes.sizeof(kind))
    ctypes.memset(ctypes.byref(theirs, kind.release.offset), 0, ctypes.sizeof(ctypes.c_void_p))
    return ours


def has_arrow(value: object) -> bool:
    """Whether `value` speaks one of the interfaces."""
    return hasattr(value, "__arrow_c_stream__") or hasattr(value, "__arrow_c_array__")


def sources_of(value: Any) -> Iterator[Source]:
    """The batches of a table, frame or reader, the chunks of a column."""
    if "Object" in map(str, (getattr(value, "dtype", ""), *getattr(value, "dtypes", ()))):
        raise UnknownLayout("polars hands over the addresses of objects instead of what they are")
    if hasattr(value, "__arrow_c_stream__"):
        yield from _streamed(_taken(value.__arrow_c_stream__(), b"arrow_array_stream", _Stream))
        return
    first, second = value.__arrow_c_array__()
    schema = _Memory(_taken(first, b"arrow_schema", _Schema))
    yield _source(schema.structure, _taken(second, b"arrow_array", _Array))


def _streamed(stream: Any) -> Iterator[Source]:
    holder = _Memory(stream)
    schema = _Schema()
    _check(stream, stream.get_schema(ctypes.byref(stream), ctypes.byref(schema)))
    keep = _Memory(schema)
    while True:
        array = _Array()
        _check(stream, stream.get_next(ctypes.byref(stream), ctypes.byref(array)))
        if not array.release:
            break
        yield _source(schema, array)
    del holder, keep


def _check(stream: Any, code: int) -> None:
    if code:
        text = stream.get_last_error(ctypes.byref(stream)) or b""
        reason = text.decode(errors="replace") or f"error {code}"
        raise RowBinaryError(f"the Arrow stream ended with an error: {reason}")


def _source(schema: Any, array: Any) -> Source:
    keep = _Memory(array)  # before anything can be wrong with it
    source = _describe(schema, array)
    source.keep = keep
    return source


# Letters of the format string: kind, bytes, unit.
_FIXED: dict[str, tuple[Kind, int, str]] = {
    "c": ("int", 1, ""),
    "C": ("uint", 1, ""),
    "s": ("int", 2, ""),
    "S": ("uint", 2, ""),
    "i": ("int", 4, ""),
    "I": ("uint", 4, ""),
    "l": ("int", 8, ""),
    "L": ("uint", 8, ""),
    "_pli128": ("int", 16, ""),  # polars' own
    "_plu128": ("uint", 16, ""),
    "e": ("float", 2, ""),
    "f": ("float", 4, ""),
    "g": ("float", 8, ""),
    "tdD": ("date", 4, "D"),
    "tdm": ("date", 8, "ms"),
    "tts": ("time", 4, "s"),
    "ttm": ("time", 4, "ms"),
    "ttu": ("time", 8, "us"),
    "ttn": ("time", 8, "ns"),
    "tDs": ("duration", 8, "s"),
    "tDm": ("duration", 8, "ms"),
    "tDu": ("duration", 8, "us"),
    "tDn": ("duration", 8, "ns"),
}
_UNITS = {"s": "s", "m": "ms", "u": "us", "n": "ns"}
_TEXTS: dict[str, tuple[Kind, int]] = {
    "u": ("text", 4),
    "U": ("text", 8),
    "z": ("bytes", 4),
    "Z": ("bytes", 8),
}
_VIEWS: dict[str, Kind] = {"vu": "text", "vz": "bytes"}


def _describe(schema: Any, array: Any) -> Source:
    text = (schema.format or b"").decode()
    buffers = [array.buffers[i] or 0 for i in range(array.n_buffers)]
    source = Source("null", array.length, offset=array.offset)
    if text == "n":
        return source
    if array.null_count and buffers and buffers[0]:
        source.nulls, source.validity = "bits", buffers[0]
    if schema.dictionary:
        _fixed(source, "coded", text, buffers)
        source.unit = "u" if text.isupper() else "i"
        source.children = (_describe(schema.dictionary.contents, array.dictionary.contents),)
    elif text[0] == "+":
        _nested(source, text, schema, array, buffers)
    else:
        _flat(source, text, buffers)
    return source


def _fixed(source: Source, kind: Kind, text: str, buffers: list[int]) -> None:
    source.kind, (_, source.width, source.unit) = kind, _FIXED[text]
    source.stride, source.data = source.width, buffers[1]


def _flat(source: Source, text: str, buffers: list[int]) -> None:
    head, _, rest = text.partition(":")
    if text in _FIXED:
        _fixed(source, _FIXED[text][0], text, buffers)
    elif text == "b":
        source.kind, source.data = "bits", buffers[1]
    elif text in _TEXTS:
        (source.kind, source.width), source.layout = _TEXTS[text], "ends"
        source.ends, source.data = buffers[1], buffers[2]
    elif text in _VIEWS:
        source.kind, source.layout, source.stride, source.data = _VIEWS[text], "views", 16, buffers[1]
        source.pieces = tuple(buffers[2:-1])  # the last has the sizes of these
    elif head == "w":
        source.kind, source.layout, source.width = "bytes", "each", int(rest)
        source.stride, source.data = source.width, buffers[1]
    elif head == "d":
        _, scale, *bits = map(int, rest.split(","))
        source.kind, source.scale, source.width = "decimal", scale, (bits or [128])[0] // 8
        source.stride, source.data = source.width, buffers[1]
    elif head[:2] == "ts":
        source.kind, source.width, source.unit = "timestamp", 8, _UNITS[head[2]]
        source.stride, source.data, source.zone = 8, buffers[1], rest or None
    else:
        raise UnknownLayout(f"the Arrow type {text!r} is not read")


def _nested(source: Source, text: str, schema: Any, array: Any, buffers: list[int]) -> None:
    children = [
        _describe(schema.children[i].contents, array.children[i].contents) for i in range(array.n_children)
    ]
    source.children = tuple(children)
    source.names = tuple((schema.children[i].contents.name or b"").decode() for i in range(array.n_children))
    if text in ("+l", "+L", "+m"):
        source.kind, source.layout = "map" if text == "+m" else "list", "ends"
        source.width, source.ends = 8 if text == "+L" else 4, buffers[1]
    elif text.startswith("+w:"):
        source.kind, source.layout, source.each = "list", "each", int(text[3:])
    elif text == "+s":
        source.kind = "struct"
    else:
        raise UnknownLayout(f"the Arrow type {text!r} is not read")
