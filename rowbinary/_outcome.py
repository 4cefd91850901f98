"""What became of a statement: an answer, or the failure to get one, as the error to raise.

An insert is committed, refused, or unknown, and nothing here guesses.  "Refused" is said only when

- no byte of the body had left this machine, or
- the server raised an error that it raises before it reads rows (``_codes.py``), or before it writes the
  block it is reading, when all rows were in that block, or
- the body broke before its end, all rows were in one block, and the server notices broken bodies, or
- something before the server refused the request, in a way that says it did not pass it on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from . import _codes
from .errors import (
    AnswerTimeoutError,
    ClientError,
    ConnectTimeoutError,
    SendTimeoutError,
    ServerError,
    TransportError,
    UnknownStateError,
    shorten,
)
from .protocol import Answer, Fault, read_exception

__all__ = ["ExchangeFailed", "Progress", "Statement", "answered", "failed", "may_repeat", "refusal"]

# What a server says, with any code, when the table may have the rows all the same: a view of it has
# failed, or a flush that goes on was not waited for.
_LATE = ("while pushing to view", "Wait for async insert timeout", "Received from ")
# What a server says, with any code, when the reader of the rows has failed: no block is written by then.
_READER = re.compile(r"\(at row \d+\)|\(while reading header\)|While executing (\w*InputFormat|Native\b)")
Phase = Literal["connect", "send", "answer"]


@dataclass
class Progress:
    """How far one exchange has come.  Times are seconds; ``sent`` is bytes of the body on the wire.

    ``started``: a byte of the body may have left; ``complete``: its end may have.
    """

    started: bool = False
    complete: bool = False
    sent: int = 0
    connect: float = 0.0
    send: float = 0.0
    answer: float = 0.0


@dataclass
class Statement:
    """A statement on its way: what its outcome depends on.

    ``one_block``: the server makes one block of all rows so far, which it stores whole or not at
    all; ``cuts_noticed``: it refuses a body that ends too early; ``token``: a deduplication token
    makes repeating safe; ``rows_expected``: a good answer has a body; ``progress``: of the last attempt;
    ``sent_before``: an attempt before the last one has sent of its body.
    ``sql`` and ``settings`` are those of statements that are no inserts; ``harmless``: of the client's own
    questions, where it does not matter whether they ran.
    """

    query_id: str
    sql: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    insert: bool = False
    one_block: bool = True
    cuts_noticed: bool = True
    token: bool = False
    rows_expected: bool = False
    harmless: bool = False
    progress: Progress = field(default_factory=Progress)
    sent_before: bool = False

    def next_attempt(self) -> Progress:
        """Begin anew."""
        self.sent_before = self.sent_before or self.progress.started
        self.progress = Progress()
        return self.progress


class ExchangeFailed(Exception):
    """No complete answer.  ``partial`` is what came of one; ``lasting``: trying again is pointless."""

    def __init__(
        self,
        phase: Phase,
        reason: str,
        *,
        timeout: float | None = None,
        lasting: bool = False,
        partial: Answer | None = None,
    ):
        self.phase = phase
        self.reason = reason
        self.timeout = timeout
        self.lasting = lasting
        self.partial = partial
        super().__init__(reason)


def failed(failure: ExchangeFailed, statement: Statement, where: str) -> ClientError:
    """The error for an exchange with the server at `where` that came to no complete answer."""
    partial = failure.partial
    fault = read_exception(partial, rows_expected=statement.rows_expected) if partial is not None else None
    if fault is not None:
        return refusal(fault, statement)
    if failure.phase == "connect":
        kind = TransportError if failure.timeout is None else ConnectTimeoutError
        retryable = not failure.lasting
        return kind(
            f"no connection to {where}: {failure.reason}", query_id=statement.query_id, retryable=retryable
        )
    if failure.phase == "send":
        return _broken_body(failure, statement, where)
    if statement.harmless:
        kind = TransportError if failure.timeout is None else ConnectTimeoutError
        return kind(f"no answer from {where}: {failure.reason}", query_id=statement.query_id)
    what = "the whole request was sent" if statement.progress.complete else "the request was sent in part"
    message = f"{what} to {where}, then {failure.reason}; {_advice(statement)}"
    unknown = UnknownStateError if failure.timeout is None else AnswerTimeoutError
    return unknown(message, query_id=statement.query_id)


def _broken_body(failure: ExchangeFailed, statement: Statement, where: str) -> ClientError:
    message = (
        f"the request to {where} broke after {statement.progress.sent} bytes of its body: {failure.reason}"
    )
    if not statement.progress.started or (statement.one_block and statement.cuts_noticed):
        kind = TransportError if failure.timeout is None else SendTimeoutError
        return kind(f"{message}; nothing of it is stored", query_id=statement.query_id)
    return UnknownStateError(f"{message}; {_advice(statement)}", query_id=statement.query_id)


def _advice(statement: Statement) -> str:
    if not statement.insert:
        return "whether the statement ran cannot be known"
    if statement.token:
        return "whether its rows landed cannot be known; repeat it with the same deduplication token"
    return (
        "whether its rows landed cannot be known; look into the table or system.query_log before "
        "repeating it (a deduplication_token would have made repeating safe)"
    )


def answered(answer: Answer, statement: Statement, where: str) -> ClientError | None:
    """The error that `answer` means, ``None`` for success."""
    fault = read_exception(answer, rows_expected=statement.rows_expected)
    if fault is not None:
        return refusal(fault, statement)
    if answer.status == 200:
        return _wrong_success(answer, statement, where)
    text = f"{where} answered with HTTP status {answer.status}, not as ClickHouse does"
    if answer.status == 413:
        text = f"{where} refused a body of this size (HTTP status 413)"
    if 300 <= answer.status < 400:
        target = shorten(answer.headers.get("location", "?"), 200)
        text = f"{where} redirected to {target!r}; redirects are not followed"
    text += _quoted(answer)
    if statement.harmless or _not_passed_on(answer, statement):
        retryable = answer.status in (408, 429, 502, 503, 504)
        return TransportError(text, query_id=statement.query_id, retryable=retryable, status=answer.status)
    return UnknownStateError(f"{text}; {_advice(statement)}", query_id=statement.query_id)


def _not_passed_on(answer: Answer, statement: Statement) -> bool:
    """Whether the HTTP status of something that is not ClickHouse means that nothing is stored."""
    progress, status = statement.progress, answer.status
    if not progress.started:
        return True
    if not progress.complete:  # what was passed on of the body has no end
        return statement.one_block and statement.cuts_noticed
    # A proxy also says 503 when the server went away with the request; not when it asks to wait.
    return (300 <= status < 500 and status != 408) or (status == 503 and answer.retry_after is not None)


def _wrong_success(answer: Answer, statement: Statement, where: str) -> ClientError | None:
    if not statement.progress.complete:
        text = f"{where} answered 200 before it had the whole request"
        if statement.harmless:
            return TransportError(text, query_id=statement.query_id, retryable=False, status=200)
        return UnknownStateError(f"{text}; {_advice(statement)}", query_id=statement.query_id)
    if statement.insert and answer.body.strip():
        text = f"{where} answered an insert with a body, not as ClickHouse does{_quoted(answer)}"
        return UnknownStateError(f"{text}; {_advice(statement)}", query_id=statement.query_id)
    return None


def _quoted(answer: Answer) -> str:
    encoding = answer.headers.get("content-encoding", "identity")
    if encoding != "identity":
        return f" (an answer in {shorten(encoding)!r})"
    text = " ".join(answer.body[:1000].decode(errors="replace").split())
    return f": {shorten(text, 200)!r}" if text else ""


def refusal(fault: Fault, statement: Statement) -> ClientError:
    """The server's exception as an error."""
    stage = _codes.stage_of(fault.code)
    reading = stage == "reading" or _READER.search(fault.message) is not None
    refused = stage == "start" or (statement.insert and statement.one_block and reading)
    if fault.code == _codes.SAME_ID_RUNNING and statement.sent_before:
        refused = False  # what runs is an attempt of ours, whatever was said about it
    late = any(words in fault.message for words in _LATE)
    stored = not statement.harmless and (late or not refused)
    error = ServerError(
        fault.code,
        fault.name,
        fault.message,
        query_id=statement.query_id,
        retryable=_codes.verdict_of(fault.code) != "never",
        outcome="unknown" if stored else "refused",
    )
    if statement.insert and fault.code == _codes.UNKNOWN_STATUS:
        text = f"{fault.name} ({fault.code}): {fault.message}; {_advice(statement)}"
        unknown = UnknownStateError(text, query_id=statement.query_id)
        unknown.__cause__ = error
        return unknown
    return error


def may_repeat(error: ClientError, statement: Statement) -> bool:
    """Whether the same request can be sent again without a second thought."""
    if error.outcome != "refused" or not error.retryable:
        return False
    if isinstance(error, ServerError):
        return _codes.verdict_of(error.code) == "later"
    if isinstance(error, TransportError):
        return not statement.progress.started or error.status in (429, 503)
    return False
