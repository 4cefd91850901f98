"""The cursor with readers in C: ``rowbinary._cursor.Cursor``, by another hand."""

from __future__ import annotations

from typing import Any

from . import _speedups
from ._cursor import Position
from ._plan import Node
from ._read_columns import column_of


class FastCursor(_speedups.Source, Position):
    """What is not in C is taken from :class:`Position`; the readers of the reference work with it, too."""

    #: They come without waiting for more bytes than the first of them needs.
    batch = 4096

    def values(self, node: Node, count: int) -> list[Any]:
        """The next column of a block."""
        column = column_of(node)
        column.prefix(self)
        return self.data(column, count)

    def cells(self, node: Node, count: int) -> Any:
        """The same, for ``tuples``: values that are made with their rows."""
        column = column_of(node)
        column.prefix(self)
        return self.kept(column, count)

    def _owner(self, index: int) -> int:
        return self.outer(super()._owner(index))
