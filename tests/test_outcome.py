"""What became of a statement: every failure and answer that matters, as class, outcome and advice."""

from __future__ import annotations

import copy
import pickle
from typing import Any, Literal, get_args

import pytest
from server18 import Server18

import rowbinary
from rowbinary import Client, _codes, _retries
from rowbinary._outcome import ExchangeFailed, Progress, Statement, answered, failed, may_repeat, refusal
from rowbinary.errors import (
    AnswerTimeoutError,
    ClientError,
    ConnectTimeoutError,
    SendTimeoutError,
    ServerError,
    TransportError,
    UnknownStateError,
)
from rowbinary.protocol import Answer, Fault

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
def test_an_exception_in_part_of_an_answer_counts(phase: Literal["send", "answer"]) -> None:
    text = b"Code: 241. DB::Exception: Memory limit exceeded: x"
    partial = Answer(500, {"x-clickhouse-exception-code": "241"}, text)
    error = failed(ExchangeFailed(phase, "reset", partial=partial), statement(), WHERE)
    check(error, ServerError, "refused", True, "MEMORY_LIMIT_EXCEEDED (241)")


@pytest.mark.parametrize(
    ("answer", "rows_expected"),
    [
        (Answer(200, {}), False),
        (Answer(500, {}, b"Code: 24"), False),
        (Answer(502, {}, BAD_GATEWAY), False),
        (Answer(200, {}, b"Code: 60. DB::Exception: rows"), True),
    ],
)
def test_part_of_an_answer_without_an_exception_says_nothing(answer: Answer, rows_expected: bool) -> None:
    failure = ExchangeFailed("answer", "reset", partial=answer)
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
        (503, {}, True, ("HTTP status 503",)),
    ],
)
@pytest.mark.parametrize("sent", ["nothing", "in part", "whole"])
def test_refusals_of_proxies(
    status: int, headers: dict[str, str], retryable: bool, words: tuple[str, ...], sent: Started
) -> None:
    hard = statement(sent, one_block=False, cuts_noticed=False)
    error = answered(Answer(status, headers, BAD_GATEWAY), hard, WHERE)
    check(error, TransportError, "refused", retryable, WHERE, "<html> <head>", *words)
    assert isinstance(error, TransportError)
    assert error.status == status
    assert len(str(error)) < 600


@pytest.mark.parametrize("status", [201, 202, 204, 206, 500, 502, 504, 520])
def test_answers_that_do_not_say_what_became_of_the_rows(status: int) -> None:
    """Another success than 200 is that of a gateway; it may have put the rows aside."""
    answer = Answer(status, {}, BAD_GATEWAY)
    for sent in ("in part", "whole"):
        error = answered(answer, statement(sent), WHERE)
        check(
            error,
            UnknownStateError,
            "unknown",
            True,
            f"HTTP status {status}",
            "cannot be known",
            "Bad Gateway",
        )
    early = answered(answer, statement("nothing"), WHERE)
    check(early, TransportError, "refused", status in (502, 504), f"HTTP status {status}")


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


# --- exceptions of the server ---------------------------------------------------------------------

VIEW = ": while pushing to view default.mv"
WAITED = "Wait for async insert timeout (120000 ms) exceeded"


@pytest.mark.parametrize(
    ("code", "retryable"),
    [
        (60, False),
        (516, False),
        (33, False),
        (202, True),
        (241, True),
        (252, True),
        (40, True),
        (12345, False),
    ],
)
def test_one_block_is_refused_whole(code: int, retryable: bool) -> None:
    fault = Fault(code, _codes.name_of(code), "the message")
    check(refusal(fault, statement()), ServerError, "refused", retryable, "the message", str(code))


@pytest.mark.parametrize("code", [*_codes.CODES, 12345])
def test_of_several_blocks_some_may_be_stored_unless_the_code_comes_before_rows(code: int) -> None:
    fault = Fault(code, _codes.name_of(code), "x")
    error = refusal(fault, statement(one_block=False))
    assert error.outcome == ("refused" if _codes.before_rows(code) else "unknown")
    assert refusal(fault, statement(insert=False, one_block=False)).outcome == "refused"


@pytest.mark.parametrize("code", [60, 16, 47, 46, 395, 241, 202, 439])
@pytest.mark.parametrize(
    "message", [f"Table default.other doesn't exist.{VIEW}", f"x{VIEW} (a-b-c). More", WAITED]
)
@pytest.mark.parametrize("one_block", [True, False])
def test_a_view_that_fails_leaves_the_rows_in_the_table(code: int, message: str, one_block: bool) -> None:
    """Seen on 18.16: code 60 of a view, all rows in the table.  So the code does not matter."""
    made = statement(one_block=one_block)
    error = refusal(Fault(code, _codes.name_of(code), message), made)
    assert type(error) is ServerError
    assert error.outcome == "unknown"
    assert not may_repeat(error, made)
    assert refusal(Fault(code, "", message), statement(insert=False)).outcome == "refused"


def test_a_view_at_the_end_of_a_long_message_is_seen() -> None:
    body = b"Code: 6, e.displayText() = DB::Exception: " + b"x" * 10_000 + VIEW.encode() + b", e.what() = x"
    error = answered(Answer(500, {}, body), statement(), WHERE)
    check(error, ServerError, "unknown", False, VIEW)


@pytest.mark.parametrize(
    ("token", "advice"), [(True, "same deduplication token"), (False, "look into the table")]
)
def test_the_server_itself_may_not_know(token: bool, advice: str) -> None:
    error = refusal(Fault(319, "UNKNOWN_STATUS_OF_INSERT", "no quorum"), statement(token=token))
    check(error, UnknownStateError, "unknown", True, "UNKNOWN_STATUS_OF_INSERT (319): no quorum", advice)
    assert isinstance(error.__cause__, ServerError)
    assert error.__cause__.code == 319


def test_attributes_of_server_errors() -> None:
    error = answered(Answer(404, {}, b"Code: 60. DB::Exception: No. (UNKNOWN_TABLE)"), statement(), WHERE)
    assert isinstance(error, ServerError)
    assert (error.code, error.name, error.message) == (60, "UNKNOWN_TABLE", "No")
    assert str(error) == "UNKNOWN_TABLE (60): No (query id the-id)"
    assert str(ServerError(5, "", "text")) == "code 5: text"
    assert str(ServerError(0, "", "text")) == "text"


def test_an_exception_wins_over_a_status_of_success() -> None:
    answer = Answer(200, {"x-clickhouse-exception-code": "252"})
    check(answered(answer, statement(), WHERE), ServerError, "refused", True, "TOO_MANY_PARTS (252)")


def test_a_real_view_that_fails_with_a_code_that_else_comes_before_rows(server18: Server18) -> None:
    with Client(server18.url) as client:
        for sql in (
            "CREATE DATABASE views",
            "CREATE TABLE views.t (x UInt32) ENGINE = MergeTree ORDER BY x",
            "CREATE TABLE views.gone (x UInt32) ENGINE = Memory",
            "CREATE MATERIALIZED VIEW views.v ENGINE = Memory AS SELECT x FROM views.t WHERE x IN views.gone",
            "DROP TABLE views.gone",
        ):
            client.command(sql)
        with pytest.raises(ServerError, match="while pushing to view") as caught:
            client.insert("views.t", [(1,), (2,)], format="RowBinary")
        assert (caught.value.code, caught.value.outcome) == (60, "unknown")
        assert client.command("SELECT count() FROM views.t") == "2"
        client.command("DROP DATABASE views")


def test_an_exception_of_the_http_library_is_one_of_the_server(server18: Server18) -> None:
    with Client(server18.url, access_token="token") as client, pytest.raises(ServerError) as caught:
        client.command("SELECT 1")
    assert caught.value.code == 1000
    assert caught.value.message.startswith("No authentication information found")


# --- repeating ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "sent", "repeat"),
    [
        (TransportError("x"), "nothing", True),
        (ConnectTimeoutError("x"), "nothing", True),
        (TransportError("x", retryable=False), "nothing", False),
        (TransportError("x"), "in part", False),
        (SendTimeoutError("x"), "in part", False),
        (TransportError("x", status=502), "whole", False),
        (TransportError("x", status=502), "nothing", True),
        (TransportError("x", status=429), "whole", True),
        (TransportError("x", status=503), "in part", True),
        (UnknownStateError("x"), "nothing", False),
        (AnswerTimeoutError("x"), "whole", False),
        (ClientError("x", retryable=True), "nothing", False),
    ],
)
def test_what_is_repeated_without_a_second_thought(error: ClientError, sent: Started, repeat: bool) -> None:
    assert may_repeat(error, statement(sent)) == repeat


@pytest.mark.parametrize("code", [*_codes.CODES, 12345])
@pytest.mark.parametrize("one_block", [True, False])
def test_of_server_errors_only_the_refusals_before_running_are_repeated(code: int, one_block: bool) -> None:
    made = statement(one_block=one_block)
    repeated = may_repeat(refusal(Fault(code, "", "x"), made), made)
    assert repeated == (_codes.verdict_of(code) == "later")
    assert not repeated or _codes.before_rows(code)


def pause(
    retry_after: str | None = None,
    attempt: int = 0,
    retries: int = 3,
    replayable: bool = True,
    status: int = 503,
) -> float | None:
    headers = {} if retry_after is None else {"retry-after": retry_after}
    answer, made = Answer(status, headers), statement()
    error = answered(answer, made, WHERE)
    assert error is not None
    return _retries.pause(error, attempt, retries, made, replayable, answer)


@pytest.mark.parametrize(
    ("retry_after", "seconds"), [("0", 0.0), ("7", 7.0), ("30", 30.0), ("31", 30.0), ("99999", 30.0)]
)
def test_retry_after_is_honoured_and_capped(retry_after: str, seconds: float) -> None:
    assert pause(retry_after) == seconds
    assert pause(retry_after, replayable=False) is None
    assert pause(retry_after, attempt=3) is None
    assert pause(retry_after, retries=0) is None
    assert pause(retry_after, status=500) is None


def test_pauses_grow_up_to_a_bound() -> None:
    for attempt, most in enumerate((0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0)):
        found = [pause(None, attempt, retries=100) for _ in range(50)]
        assert all(seconds is not None and most / 2 <= seconds <= most for seconds in found)
        assert len(set(found)) > 10  # many clients must not come back at once
    last = pause(None, 99, retries=100)
    assert last is not None
    assert last <= 5.0


def test_a_connection_that_failed_is_tried_again_after_a_pause() -> None:
    made = statement("nothing")
    error = failed(ExchangeFailed("connect", "refused"), made, WHERE)
    assert _retries.pause(error, 0, 1, made, True, None) is not None
    assert _retries.pause(error, 1, 1, made, True, None) is None
    assert _retries.pause(error, 0, 1, made, False, None) is None


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


# --- codes ----------------------------------------------------------------------------------------


@pytest.mark.engine
def test_names_of_codes_are_those_of_the_engine(engine: Any) -> None:
    numbers = [*_codes.CODES]
    sql = f"SELECT number, errorCodeToName(number) FROM (SELECT arrayJoin({numbers}) AS number)"
    lines = engine.query(sql, "TSV").bytes().decode().splitlines()
    assert {int(n): name for n, name in (line.split("\t") for line in lines)} == {
        code.number: code.name for code in _codes.CODES.values()
    }


def test_every_code_has_a_verdict() -> None:
    assert {code.verdict for code in _codes.CODES.values()} == set(get_args(_codes.Verdict))
    assert [*_codes.CODES] == sorted({code.number for code in _codes.CODES.values()})
    assert _codes.verdict_of(12345) == "never"
    assert _codes.name_of(12345) == ""
    assert not _codes.before_rows(12345)
    before = {code.number for code in _codes.CODES.values() if code.before_rows}
    assert before == _codes._BEFORE_ROWS  # none of them is without a row in the table
    # A quota of written bytes ends while rows are read.
    assert 201 not in before


def test_what_is_repeated_by_itself_came_before_rows() -> None:
    later = {code.number for code in _codes.CODES.values() if code.verdict == "later"}
    assert later == {202, 203, 373, 439, 745, 749}
    assert later <= _codes._BEFORE_ROWS


def test_the_table_of_codes_is_whole() -> None:
    lines = _codes.document().splitlines()
    assert len(lines) == len(_codes.CODES) + 2
    assert "| 60 | `UNKNOWN_TABLE` | never | yes |" in lines
    assert "| 252 | `TOO_MANY_PARTS` | again |  |" in lines
