"""The exception that travels from a writer to the row loop.

Writers know the value and the type, containers know the index or key, the row loop knows row
and column.  Each adds what it knows while the stack unwinds, so a good row pays nothing.
"""

from __future__ import annotations

import contextlib
import reprlib
from typing import Any

from .errors import shorten


class BadValue(Exception):
    """A value cannot be written as its type.

    ``path`` collects segments from the inside out (each level appends its own): ``int`` for an
    array index, ``str`` for an element or JSON key, a 1-tuple for a Map key.
    """

    def __init__(self, reason: str, value: object = None, type_text: str | None = None):
        super().__init__(reason)
        self.reason = reason
        self.value = value
        self.type_text = type_text
        self.path: list[object] = []
        self.column: str | None = None  # only where the row loop cannot know it


class _ShortRepr(reprlib.Repr):
    """Never walks a whole value: lists that share lists can have a text longer than memory."""

    def repr_instance(self, x: object, level: int) -> str:
        for base in (list, tuple, dict, set, frozenset):
            if issubclass(type(x), base):
                return f"<{_type_name(x)} of {base.__len__(x)} elements>"  # type: ignore[arg-type]
        return super().repr_instance(x, level)

    def repr_Typed(self, x: Any, level: int) -> str:  # noqa: N802 (reprlib looks for this name)
        return f"typed({self.repr1(x.value, level - 1)}, {x.type.text!r})"


_short = _ShortRepr()
_short.maxstring = _short.maxother = _short.maxlong = 60
_short.maxlist = _short.maxtuple = _short.maxset = _short.maxfrozenset = _short.maxdict = 4
_short.maxlevel = 3


def _type_name(value: object) -> str:
    """The name of `value`'s class, also when its metaclass has a ``__name__`` of its own."""
    return str(type.__dict__["__name__"].__get__(type(value)))


def describe(value: object) -> str:
    """Type name and shortened ``repr`` of `value`; never raises, never long."""
    name = _type_name(value)
    with contextlib.suppress(Exception):
        if isinstance(value, bytes | bytearray | memoryview):
            head = bytes(value[:40])
            return f"{name} {head!r}" + ("..." if len(value) > 40 else "")
        return f"{name} {shorten(_short.repr(value), 80)}"
    if issubclass(type(value), int):
        return f"{name} of {int.bit_length(value)} bits"  # type: ignore[arg-type]
    return f"{name} (its repr raises)"


def explain(error: BaseException) -> str:
    """One line for an exception raised by a caller's object; never raises."""
    name = _type_name(error)
    if isinstance(error, RecursionError):  # its text depends on where the stack ended
        return f"the value raised {name}: it is nested too deeply for the stack of the caller"
    try:
        text = str.__str__(str(error))  # __str__ may return a subclass of str
    except Exception:
        text = ""
    return f"the value raised {name}: {shorten(text, 100)}" if text else f"the value raised {name}"


def format_path(segments: list[object]) -> str:
    """``$.tags[3]`` from segments given from the inside out."""
    parts = ["$"]
    for segment in reversed(segments):
        if isinstance(segment, int):
            parts.append(f"[{segment}]")
        elif isinstance(segment, tuple):
            parts.append(f"[{shorten(describe(segment[0]).partition(' ')[2], 60)}]")
        else:
            parts.append(f".{shorten(str(segment), 100)}")
    return shorten("".join(parts), 400)
