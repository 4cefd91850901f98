"""Exceptions of the package, and the one place where their texts are made.

Both implementations raise through the functions here, so class, message and attributes
cannot differ between them.
"""

from __future__ import annotations

__all__ = ["DecodeError", "EncodeError", "RowBinaryError", "SchemaError"]


class RowBinaryError(Exception):
    """Base class of everything this package raises on purpose."""


class SchemaError(RowBinaryError, ValueError):
    """A type text or schema that cannot be understood.

    ``text`` is the text that was read (or ``None``), ``position`` the 0-based character
    offset in it at which reading failed (or ``None``).
    """

    def __init__(self, message: str, *, text: str | None = None, position: int | None = None):
        self.reason = message
        self.text = text
        self.position = position
        if text is not None and position is not None:
            message = f"{message} at position {position} of {shorten(text, 80)}"
        super().__init__(message)


class EncodeError(RowBinaryError, ValueError):
    """A value that its column's type cannot hold.  Nothing of its row was written.

    Attributes:
        row: 0-based index of the row in the iterable given to the call.
        column: name of the column, ``None`` when the row itself is at fault.
        path: where in the cell, ``$`` for the cell itself, else such as ``$.tags[3]``.
        type: text of the ClickHouse type expected there, ``None`` for a whole row.
        value: the offending value, shortened ``repr``.
        reason: what is wrong with it.
    """

    def __init__(
        self,
        reason: str,
        *,
        row: int | None = None,
        column: str | None = None,
        path: str = "$",
        type: str | None = None,
        value: str | None = None,
    ):
        self.reason = reason
        self.row = row
        self.column = column
        self.path = path
        self.type = type
        self.value = value
        super().__init__(self._message())

    def _message(self) -> str:
        where = []
        if self.row is not None:
            where.append(f"row {self.row}")
        if self.column is not None:
            where.append(f"column {self.column!r}")
        if self.path != "$":
            where.append(f"path {self.path}")
        what = self.reason
        if self.type is not None:
            what = f"expected {shorten(self.type, 120)}, got {self.value}: {self.reason}"
        elif self.value is not None:
            what = f"{self.reason}: {self.value}"
        return f"{', '.join(where)}: {what}" if where else what


class DecodeError(RowBinaryError, ValueError):
    """Bytes that are not what their schema says."""


def shorten(text: str, limit: int = 60) -> str:
    """`text` cut to at most `limit` characters, the cut marked with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 3] + "..."
