"""The exception that travels from a writer to the row loop.

Writers know the value and the type, containers know the index or key, the row loop knows row
and column.  Each adds what it knows while the stack unwinds, so a good row pays nothing.
"""

from __future__ import annotations

import contextlib
import reprlib

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


_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = 60
_short.maxlist = _short.maxtuple = _short.maxset = _short.maxfrozenset = _short.maxdict = 4
_short.maxlevel = 3


def describe(value: object) -> str:
    """Type name and shortened ``repr`` of `value`; never raises, never long."""
    name = type(value).__name__
    with contextlib.suppress(Exception):
        if isinstance(value, bytes | bytearray | memoryview):
            head = bytes(value[:40])
            return f"{name} {head!r}" + ("..." if len(value) > 40 else "")
        return f"{name} {shorten(_short.repr(value), 80)}"
    if isinstance(value, int):
        return f"{name} of {int.bit_length(value)} bits"
    return f"{name} (its repr raises)"


def explain(error: BaseException) -> str:
    """One line for an exception raised by a caller's object; never raises."""
    try:
        text = str(error)
    except Exception:
        text = ""
    name = type(error).__name__
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
