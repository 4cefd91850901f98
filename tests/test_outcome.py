"""What became of a statement: every failure and answer that matters, as class, outcome and advice."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any, Literal

import pytest

import rowbinary
from rowbinary._outcome import ExchangeFailed, Progress, Statement, answered, failed
from rowbinary.errors import (
    AnswerTimeoutError,
    ClientError,
    ConnectTimeoutError,
    SendTimeoutError,
    ServerError,
    TransportError,
    UnknownStateError,
)
from rowbinary.protocol import Answer

WHERE = "http://h:1"
Started = Literal["nothing", "in part", "whole"]
BAD_GATEWAY = b"<html>\n<head><title>502 Bad\tGateway</title></head>"


def statement(
    sent: Started = "whole",
    *,
    insert: bool = True,
    one_block: bool = True,
    cuts_noticed: bool = True,
    token: bool = False,
    rows_expected: bool = False,
    harmless: bool = False,
) -> Statement:
    progress = Progress(
        started=sent != "nothing", complete=sent == "whole", sent=77 if sent != "nothing" else 0
    )
    return Statement(
        "the-id",
        insert=insert,
        one_block=one_block,
        cuts_noticed=cuts_noticed,
        token=token,
        rows_expected=rows_expected,
        harmless=harmless,
        progress=progress,
    )


def check(
    error: ClientError | None, kind: type[ClientError], outcome: str, retryable: bool, *words: str
) -> None:
    assert type(error) is kind
    assert (error.outcome, error.retryable, error.query_id) == (outcome, retryable, "the-id")
    for word in (*words, "the-id"):
        assert word in str(error)


# --- no answer ------------------------------------------------------------------------------------


@pytest.mark.parametrize("insert", [True, False])
@pytest.mark.parametrize("lasting", [True, False])
@pytest.mark.parametrize("timeout", [None, 10.0])
def test_no_connection_means_nothing_happened(timeout: float | None, lasting: bool, insert: bool) -> None:
    failure = ExchangeFailed("connect", "refused by the OS", timeout=timeout, lasting=lasting)
    kind = TransportError if timeout is None else ConnectTimeoutError
    hard = statement("nothing", insert=insert, one_block=False, cuts_noticed=False)
    check(
        failed(failure, hard, WHERE),
        kind,
        "refused",
        not lasting,
        WHERE,
        "refused by the OS",
        "no connection",
    )


@pytest.mark.parametrize("timeout", [None, 10.0])
@pytest.mark.parametrize(
    ("sent", "one_block", "cuts_noticed", "refused"),
    [
        ("nothing", True, True, True),
        ("nothing", False, False, True),
        ("in part", True, True, True),
        ("in part", False, True, False),
        ("in part", True, False, False),
        ("in part", False, False, False),
    ],
)
def test_a_body_that_broke(
    sent: Started, one_block: bool, cuts_noticed: bool, refused: bool, timeout: float | None
) -> None:
    failure = ExchangeFailed("send", "broken pipe", timeout=timeout)
    error = failed(failure, statement(sent, one_block=one_block, cuts_noticed=cuts_noticed), WHERE)
    size = "0 bytes" if sent == "nothing" else "77 bytes"
    if refused:
        kind = TransportError if timeout is None else SendTimeoutError
        check(error, kind, "refused", True, WHERE, "broken pipe", size, "nothing of it is stored")
    else:
        check(error, UnknownStateError, "unknown", True, WHERE, "broken pipe", size, "cannot be known")


@pytest.mark.parametrize("timeout", [None, 10.0])
@pytest.mark.parametrize("sent", ["in part", "whole"])
@pytest.mark.parametrize(
    ("insert", "token", "advice"),
    [
        (True, False, "look into the table or system.query_log"),
        (True, True, "repeat it with the same deduplication token"),
        (False, False, "whether the statement ran cannot be known"),
    ],
)
def test_no_answer_is_never_judged(
    sent: Started, insert: bool, token: bool, advice: str, timeout: float | None
) -> None:
    failure = ExchangeFailed("answer", "the connection was reset", timeout=timeout)
    error = failed(failure, statement(sent, insert=insert, token=token), WHERE)
    kind = UnknownStateError if timeout is None else AnswerTimeoutError
    what = "whole request" if sent == "whole" else "in part"
    check(error, kind, "unknown", True, WHERE, "the connection was reset", what, advice)


@pytest.mark.parametrize("phase", ["send", "answer"])
@pytest.mark.parametrize(
    ("code", "outcome", "words"),
    [
        (202, "refused", "TOO_MANY_SIMULTANEOUS_QUERIES (202)"),
        (252, "refused", "TOO_MANY_PARTS (252)"),
        (241, "unknown", "MEMORY_LIMIT_EXCEEDED (241)"),
    ],
)
def test_an_exception_in_part_of_an_answer_counts(
    phase: Literal["send", "answer"], code: int, outcome: str, words: str
) -> None:
    text = b"Code: %d. DB::Exception: x" % code
    partial = Answer(500, {"x-clickhouse-exception-code": str(code)}, text, complete=False)
    error = failed(ExchangeFailed(phase, "reset", partial=partial), statement(), WHERE)
    check(error, ServerError, outcome, True, words)


@pytest.mark.parametrize("rows_expected", [True, False])
def test_an_exception_behind_rows_breaks_the_answer_off(rows_expected: bool) -> None:
    body = b"rows\r\n__exception__\r\nCode: 395. DB::Exception: Thrown. (SOME_NAME)"
    made = statement(insert=False, rows_expected=rows_expected)
    error = failed(
        ExchangeFailed("answer", "reset", partial=Answer(200, {}, body, complete=False)), made, WHERE
    )
    check(error, ServerError, "unknown", False, "SOME_NAME (395): Thrown")
    found = answered(Answer(200, {}, body), made, WHERE)  # its end was the proper one: these are rows
    assert (found is None) == rows_expected


@pytest.mark.parametrize(
    ("answer", "rows_expected"),
    [
        (Answer(200, {}), False),
        (Answer(500, {}, b"Code: 24"), False),
        (Answer(502, {}, BAD_GATEWAY), False),
        (Answer(200, {}, b"Code: 60. DB::Exception: rows"), True),
        (Answer(200, {}, b"Code: 60, e.displayText() = DB::Exception: x, e.what() = DB::"), True),
        (Answer(200, {}, b"rows\r\n__exception__\r"), True),
    ],
)
def test_part_of_an_answer_without_an_exception_says_nothing(answer: Answer, rows_expected: bool) -> None:
    failure = ExchangeFailed("answer", "reset", partial=answer)
    error = failed(failure, statement(rows_expected=rows_expected), WHERE)
    check(error, UnknownStateError, "unknown", True, "reset")
    assert answer.complete  # the least likely to be taken for an exception
    failure.partial = dataclasses.replace(answer, complete=False)
    error = failed(failure, statement(rows_expected=rows_expected), WHERE)
    check(error, UnknownStateError, "unknown", True, "reset")


# --- answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"\n", b" \r\n"])
def test_success_of_an_insert(body: bytes) -> None:
    assert answered(Answer(200, {}, body), statement(), WHERE) is None


def test_success_with_rows() -> None:
    answer = Answer(200, {}, b"rows")
    assert answered(answer, statement(insert=False, rows_expected=True), WHERE) is None


@pytest.mark.parametrize(
    ("sent", "body", "words"),
    [
        ("whole", BAD_GATEWAY, ("a body", "<html> <head><title>502 Bad Gateway")),
        ("whole", b"Ok.", ("a body", "'Ok.'")),
        ("in part", b"", ("before it had the whole request",)),
        ("nothing", b"", ("before it had the whole request",)),
    ],
)
def test_a_success_that_makes_no_sense(sent: Started, body: bytes, words: tuple[str, ...]) -> None:
    error = answered(Answer(200, {}, body), statement(sent), WHERE)
    check(error, UnknownStateError, "unknown", True, WHERE, "cannot be known", *words)


REDIRECT = {"location": "https://elsewhere/" + "x" * 500}
WAIT = {"retry-after": "7"}


@pytest.mark.parametrize(
    ("status", "headers", "retryable", "words"),
    [
        (301, REDIRECT, False, ("redirected to 'https://elsewhere/", "redirects are not followed")),
        (307, {}, False, ("redirected to '?'",)),
        (400, {}, False, ("HTTP status 400",)),
        (401, {}, False, ("HTTP status 401",)),
        (403, {}, False, ("HTTP status 403",)),
        (404, {}, False, ("HTTP status 404",)),
        (407, {}, False, ("HTTP status 407",)),
        (413, {}, False, ("refused a body of this size", "413")),
        (429, {}, True, ("HTTP status 429",)),
        (429, WAIT, True, ("HTTP status 429",)),
        (499, {}, False, ("HTTP status 499",)),
        (503, WAIT, True, ("HTTP status 503",)),
    ],
)
@pytest.mark.parametrize("insert", [True, False])
def test_refusals_of_proxies(
    status: int, headers: dict[str, str], retryable: bool, words: tuple[str, ...], insert: bool
) -> None:
    """They had the whole body, and say that they did not pass it on."""
    hard = statement("whole", insert=insert, one_block=False, cuts_noticed=False)
    error = answered(Answer(status, headers, BAD_GATEWAY), hard, WHERE)
    check(error, TransportError, "refused", retryable, WHERE, "<html> <head>", *words)
    assert isinstance(error, TransportError)
    assert error.status == status
    assert len(str(error)) < 600


@pytest.mark.parametrize("status", [100, 201, 202, 204, 206, 299, 408, 500, 502, 503, 504, 520, 599])
@pytest.mark.parametrize("insert", [True, False])
def test_answers_that_do_not_say_what_became_of_the_rows(status: int, insert: bool) -> None:
    """Another success than 200 is that of a gateway, which may have put the rows aside.  The others
    are said when the server was slow, or went away with the request."""
    error = answered(Answer(status, {}, BAD_GATEWAY), statement("whole", insert=insert), WHERE)
    words = (f"HTTP status {status}", "cannot be known", "Bad Gateway")
    check(error, UnknownStateError, "unknown", True, WHERE, *words)


RETRYABLE = {408, 429, 502, 503, 504}
STATUSES = {
    status: "redirected to '?'" if 300 <= status < 400 else str(status)
    for status in range(100, 600)
    if status != 200
}


@pytest.mark.parametrize("headers", [{}, WAIT], ids=["", "retry-after"])
@pytest.mark.parametrize("insert", [True, False])
def test_every_status_after_the_whole_body(insert: bool, headers: dict[str, str]) -> None:
    refusals = {*range(300, 408), *range(409, 500)} | ({503} if headers else set())
    for status, words in STATUSES.items():
        error = answered(Answer(status, headers), statement("whole", insert=insert), WHERE)
        if status in refusals:
            check(error, TransportError, "refused", status in RETRYABLE, words)
        else:
            check(error, UnknownStateError, "unknown", True, words, "cannot be known")


@pytest.mark.parametrize("headers", [{}, WAIT], ids=["", "retry-after"])
@pytest.mark.parametrize("insert", [True, False])
def test_every_status_before_the_body(insert: bool, headers: dict[str, str]) -> None:
    hard = statement("nothing", insert=insert, one_block=False, cuts_noticed=False)
    for status, words in STATUSES.items():
        error = answered(Answer(status, headers), hard, WHERE)
        check(error, TransportError, "refused", status in RETRYABLE, words)
        assert isinstance(error, TransportError)
        assert error.status == status


@pytest.mark.parametrize("headers", [{}, WAIT], ids=["", "retry-after"])
@pytest.mark.parametrize(
    ("one_block", "cuts_noticed"), [(True, True), (True, False), (False, True), (False, False)]
)
def test_every_status_in_the_middle_of_the_body(
    one_block: bool, cuts_noticed: bool, headers: dict[str, str]
) -> None:
    """What was passed on of it has no end, whatever the status says: that has to be noticed."""
    made = statement("in part", one_block=one_block, cuts_noticed=cuts_noticed)
    for status, words in STATUSES.items():
        error = answered(Answer(status, headers), made, WHERE)
        if one_block and cuts_noticed:
            check(error, TransportError, "refused", status in RETRYABLE, words)
        else:
            check(error, UnknownStateError, "unknown", True, words, "cannot be known")


@pytest.mark.parametrize("text", ["", "soon", "-1", "1.5", "1000000", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_retry_after_that_cannot_be_read_is_none(text: str) -> None:
    error = answered(Answer(503, {"retry-after": text}), statement(), WHERE)
    check(error, UnknownStateError, "unknown", True, "HTTP status 503")


@pytest.mark.parametrize(
    ("headers", "shown"),
    [
        ({}, "Bad Gateway"),
        ({"content-encoding": "identity"}, "Bad Gateway"),
        ({"content-encoding": "gzip" + "x" * 500}, "an answer in 'gzipxxx"),
    ],
)
def test_what_is_quoted_of_an_answer(headers: dict[str, str], shown: str) -> None:
    error = answered(Answer(502, headers, BAD_GATEWAY + b"\xff" * 10_000_000), statement(), WHERE)
    assert shown in str(error)
    assert len(str(error)) < 600


# --- errors ---------------------------------------------------------------------------------------

ERRORS: list[ClientError] = [
    ClientError("text", query_id="q", retryable=True),
    ServerError(60, "UNKNOWN_TABLE", "text", query_id="q", retryable=True, outcome="unknown"),
    ServerError(0, "", ""),
    TransportError("text", query_id="q", retryable=False, status=503),
    ConnectTimeoutError("text", query_id="q", retryable=False),
    SendTimeoutError("text"),
    UnknownStateError("text", query_id="q"),
    AnswerTimeoutError("text", query_id="q", retryable=False),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("protocol", [0, 2, pickle.HIGHEST_PROTOCOL])
def test_errors_survive_pickling(error: ClientError, protocol: int) -> None:
    error.add_note("a note")
    for again in (pickle.loads(pickle.dumps(error, protocol)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is type(error)
        assert (str(again), again.args) == (str(error), error.args)
        assert vars(again) == vars(error)
        names: tuple[str, ...] = ("outcome", "retryable", "query_id", "code", "name", "message", "status")
        for name in names:
            assert getattr(again, name, None) == getattr(error, name, None)


def test_how_errors_are_caught() -> None:
    for error in ERRORS:
        assert isinstance(error, rowbinary.RowBinaryError)
        assert isinstance(error, TimeoutError) == type(error).__name__.endswith("TimeoutError")
        assert (
            isinstance(error, TransportError | UnknownStateError | ServerError) or type(error) is ClientError
        )
    defaults: list[tuple[Any, str, bool]] = [
        (TransportError("x"), "refused", True),
        (UnknownStateError("x"), "unknown", True),
        (AnswerTimeoutError("x"), "unknown", True),
        (ServerError(1, "", "x"), "refused", False),
    ]
    for made, outcome, retryable in defaults:
        assert (made.outcome, made.retryable, made.query_id) == (outcome, retryable, None)


@pytest.mark.parametrize("timeout", [None, 3.0])
def test_what_the_client_asks_for_itself_is_never_unknown(timeout: float | None) -> None:
    """Its version, a table's columns: no row was sent, and asking does no harm."""
    made = statement(insert=False, harmless=True)
    error = failed(ExchangeFailed("answer", "reset", timeout=timeout), made, WHERE)
    kind = TransportError if timeout is None else ConnectTimeoutError
    check(error, kind, "refused", True, "no answer from", "reset")
    for status in (500, 502, 504):
        kept = answered(Answer(status, {}, BAD_GATEWAY), made, WHERE)
        check(kept, TransportError, "refused", status != 500, str(status))
    early = answered(Answer(200, {}), statement("in part", insert=False, harmless=True), WHERE)
    check(early, TransportError, "refused", False, "before it had the whole request")
