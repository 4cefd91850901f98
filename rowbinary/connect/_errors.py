"""What an accelerated insert raises for rows: errors of both libraries at once."""

from __future__ import annotations

from clickhouse_connect.driver.exceptions import DataError, ProgrammingError

from ..errors import EncodeError

__all__ = ["RowShapeError", "ValueRefusedError", "refused"]


class ValueRefusedError(EncodeError, DataError):
    """A value that its column cannot hold: `EncodeError` for what it says, `DataError` for who catches it.

    Has the attributes of :class:`rowbinary.EncodeError`; ``code`` and ``name`` are ``None``, for no server
    was asked.
    """

    code: int | None = None
    name: str | None = None


class RowShapeError(ValueRefusedError, ProgrammingError):
    """A row that has other cells than there are columns."""


def refused(error: EncodeError, row: int | None) -> ValueRefusedError:
    """`error` as both libraries know it, of row number `row`."""
    kind = RowShapeError if error.column is None else ValueRefusedError
    return kind(
        error.reason, row=row, column=error.column, path=error.path, type=error.type, value=error.value
    )
