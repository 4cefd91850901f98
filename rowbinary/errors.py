"""Exceptions of the package, and the one place where their texts are made.

Both implementations raise through the functions here, so class, message and attributes
cannot differ between them.
"""

from __future__ import annotations

from typing import Any, Literal

__all__ = [
    "AnswerTimeoutError",
    "ClientError",
    "ConnectTimeoutError",
    "DecodeError",
    "EncodeError",
    "FrameError",
    "RowBinaryError",
    "SchemaError",
    "SendTimeoutError",
    "ServerError",
    "TransportError",
    "UnknownStateError",
]


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
    """Bytes that are not what their header or schema says.

    Attributes:
        offset: where reading stopped, in bytes from the start of the body.
        row: 0-based index of the row, ``None`` in the header.
        column: name of the column, ``None`` when no single column is at fault.
        reason: what is wrong there.
    """

    def __init__(
        self,
        reason: str,
        *,
        offset: int | None = None,
        row: int | None = None,
        column: str | None = None,
    ):
        self.reason = reason
        self.offset = offset
        self.row = row
        self.column = column
        super().__init__(self._message())

    def _message(self) -> str:
        where = []
        if self.row is not None:
            where.append(f"row {self.row}")
        if self.column is not None:
            where.append(f"column {shorten(repr(self.column))}")
        if self.offset is not None:
            where.append(f"offset {self.offset}")
        return f"{', '.join(where)}: {self.reason}" if where else self.reason


class FrameError(RowBinaryError, ValueError):
    """A compressed block frame that is damaged, lies about its size, or is cut short.

    Attributes:
        offset: where the frame begins, in bytes from the start of the compressed stream.
        number: 0-based index of the frame in the stream.
        expected: the checksum that the frame's header has, as hex digits in the order of its bytes;
            ``None`` unless the checksum is what is wrong.
        found: the checksum of what the frame holds, in the same form.
        reason: what is wrong with the frame.
    """

    def __init__(
        self,
        reason: str,
        *,
        offset: int | None = None,
        number: int | None = None,
        expected: str | None = None,
        found: str | None = None,
    ):
        self.reason = reason
        self.offset = offset
        self.number = number
        self.expected = expected
        self.found = found
        where = f"frame {number} at offset {offset}: " if offset is not None else ""
        sums = f": its header has {expected}, its bytes give {found}" if expected is not None else ""
        super().__init__(f"{where}{reason}{sums}")


class ClientError(RowBinaryError):
    """Base class of what a client raises about an exchange with a server.

    Attributes:
        outcome: what became of the rows of an insert: ``"refused"``, nothing of them is stored, or
            ``"unknown"``.  Statements other than inserts are judged the same way.
        query_id: the id the statement had, to look it up in the server's ``system.query_log``.
        retryable: whether the same call may succeed later.  Together with ``outcome="refused"`` it
            is safe to repeat; with ``"unknown"`` only under a deduplication token.
    """

    outcome: Literal["refused", "unknown"] = "refused"
    retryable: bool = False

    def __init__(self, message: str, *, query_id: str | None = None, retryable: bool | None = None):
        self.query_id = query_id
        if retryable is not None:
            self.retryable = retryable
        super().__init__(message if query_id is None else f"{message} (query id {query_id})")

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, self.__dict__)


def _restore(kind: type[ClientError], args: tuple[Any, ...], state: dict[str, Any]) -> ClientError:
    """An unpickled error: its initialiser takes other arguments than the message."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ServerError(ClientError):
    """The server answered with an exception.

    Attributes:
        code: ClickHouse's number of the error, 0 when it gave none.
        name: its name, such as ``UNKNOWN_TABLE``; ``""`` when it is not known.
        message: the server's own text, without the decoration around it.
    """

    def __init__(
        self,
        code: int,
        name: str,
        message: str,
        *,
        query_id: str | None = None,
        retryable: bool = False,
        outcome: Literal["refused", "unknown"] = "refused",
    ):
        self.code = code
        self.name = name
        self.message = message
        self.outcome = outcome
        label = f"{name} ({code})" if name else f"code {code}"
        super().__init__(f"{label}: {message}" if code else message, query_id=query_id, retryable=retryable)


class TransportError(ClientError):
    """The exchange failed on the way, and the server cannot have stored anything of it.

    No connection, a refused proxy, a body that broke before its end, an answer that is not
    ClickHouse's.

    Attributes:
        status: the HTTP status, where there was an answer.
    """

    retryable = True

    def __init__(
        self,
        message: str,
        *,
        query_id: str | None = None,
        retryable: bool | None = None,
        status: int | None = None,
    ):
        self.status = status
        super().__init__(message, query_id=query_id, retryable=retryable)


class ConnectTimeoutError(TransportError, TimeoutError):
    """No connection within the connect timeout, or no answer to what the client asked before it sent rows."""


class SendTimeoutError(TransportError, TimeoutError):
    """The server took no more of the body within the send timeout."""


class UnknownStateError(ClientError):
    """It cannot be known whether the rows landed.

    The message says what happened and what to do: look into the table, or repeat the insert with
    the same ``deduplication_token``.
    """

    outcome = "unknown"
    retryable = True


class AnswerTimeoutError(UnknownStateError, TimeoutError):
    """The request was sent, and no answer came within the answer timeout."""


def shorten(text: str, limit: int = 60) -> str:
    """`text` cut to at most `limit` characters, the cut marked with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 3] + "..."
