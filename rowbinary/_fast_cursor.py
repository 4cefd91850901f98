"""The cursor with readers in C: ``rowbinary._cursor.Cursor``, by another hand."""

from __future__ import annotations

from . import _speedups
from ._cursor import Cursor, Position


class FastCursor(_speedups.Source, Position):
    """What is not in C is taken from :class:`Position`; the readers of the reference work with it, too."""

    #: They come without waiting for more bytes than the first of them needs.
    batch = 4096

    values = Cursor.values
