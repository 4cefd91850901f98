"""What the server's exceptions say about the rows of an insert: codes, their stages, and what is repeated."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from server18 import Server18
from test_outcome import WAIT, WHERE, Started, check, statement

from rowbinary import Client, _codes, _retries
from rowbinary._outcome import ExchangeFailed, Progress, answered, failed, may_repeat, refusal
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

# --- exceptions of the server ---------------------------------------------------------------------

VIEW = ": while pushing to view default.mv"
WAITED = "Wait for async insert timeout (120000 ms) exceeded"
OTHER = "Received from 10.0.0.2:9000. DB::Exception: Table default.t does not exist."


# Raised before rows are read, while a block is read or checked, and at any time.  12345 is not in the table.
START = [16, 46, 47, 60, 62, 63, 73, 81, 115, 164, 192, 193, 194, 202, 203, 216, 373, 381, 452, 497]
START += [511, 512, 516, 745, 749]
READING = [3, 20, 33, 39, 40, 89, 108, 246, 252, 271, 285, 354, 432, 469]
ANY = [6, 27, 36, 44, 50, 53, 117, 128, 131, 242, 286, 349, 439, 691]  # expressions, replicas, threads
ANY += [159, 201, 209, 210, 225, 236, 241, 254, 279, 297, 319, 394, 425, 499, 574, 722, 733, 999, 12345]
FINAL = [6, 27, 36, 44, 50, 53, 117, 128, 131, 349, 394, 691, 12345]  # those of ANY that are not retryable


@pytest.mark.parametrize("code", START)
@pytest.mark.parametrize("one_block", [True, False])
def test_what_comes_before_rows_is_refused(code: int, one_block: bool) -> None:
    fault = Fault(code, _codes.name_of(code), "the message")
    retryable = code in (202, 203, 216, 373, 745, 749)
    for cuts_noticed in (True, False):
        made = statement(one_block=one_block, cuts_noticed=cuts_noticed)
        check(refusal(fault, made), ServerError, "refused", retryable, "the message", str(code))


@pytest.mark.parametrize("code", READING)
@pytest.mark.parametrize("one_block", [True, False])
def test_what_comes_before_a_block_is_written_refuses_that_block(code: int, one_block: bool) -> None:
    fault = Fault(code, _codes.name_of(code), "the message")
    retryable = code in (3, 40, 252, 285, 354)
    error = refusal(fault, statement(one_block=one_block))
    check(error, ServerError, "refused" if one_block else "unknown", retryable, "the message", str(code))


@pytest.mark.parametrize("code", [code for code in ANY if code != 319])
@pytest.mark.parametrize("one_block", [True, False])
def test_what_comes_at_any_time_says_nothing(code: int, one_block: bool) -> None:
    """Partitions of a block are stored one by one."""
    fault = Fault(code, _codes.name_of(code), "the message")
    error = refusal(fault, statement(one_block=one_block))
    check(error, ServerError, "unknown", code not in FINAL, "the message", str(code))


@pytest.mark.parametrize("code", [code for code in ANY if code != 319])
@pytest.mark.parametrize(
    "words",
    [
        "x: (at row 7)",
        "Type of 'x' must be A: (while reading header)",
        "x: While executing CSVRowInputFormat",
    ],
)
def test_the_reader_of_rows_fails_before_anything_is_written(code: int, words: str) -> None:
    for one_block, outcome in ((True, "refused"), (False, "unknown")):
        assert refusal(Fault(code, "", words), statement(one_block=one_block)).outcome == outcome
    near = f"{words} is violated at row 3, While executing MergeTreeSink".replace("(", "").replace(
        "Input", ""
    )
    assert refusal(Fault(code, "", near), statement()).outcome == "unknown"


def test_an_exception_without_a_code_says_nothing() -> None:
    error = answered(Answer(500, {"x-clickhouse-exception-code": "?"}, b"text"), statement(), WHERE)
    check(error, ServerError, "unknown", False, "text")


@pytest.mark.parametrize("code", [*_codes.CODES, 12345])
def test_statements_without_rows_may_have_run_in_part(code: int) -> None:
    """INSERT SELECT, say.  What the client itself asks does no harm."""
    error = refusal(Fault(code, "", "x"), statement(insert=False))
    assert type(error) is ServerError
    assert error.outcome == ("refused" if code in START else "unknown")
    assert refusal(Fault(code, "", "x"), statement(insert=False, harmless=True)).outcome == "refused"


@pytest.mark.parametrize("code", [60, 16, 47, 46, 202, 439, 6, 33, 252, 469, 395, 241])
@pytest.mark.parametrize(
    "message",
    [f"Table default.other doesn't exist.{VIEW}", f"x{VIEW} (a-b-c). More", WAITED, OTHER, f"x. {OTHER}"],
)
@pytest.mark.parametrize("one_block", [True, False])
def test_what_others_say_does_not_refuse_the_rows(code: int, message: str, one_block: bool) -> None:
    """Views, flushes that go on, other shards.  Seen on 18.16: code 60 of a view, all rows in the table.
    So the code does not matter."""
    made = statement(one_block=one_block)
    error = refusal(Fault(code, _codes.name_of(code), message), made)
    assert type(error) is ServerError
    assert error.outcome == "unknown"
    assert not may_repeat(error, made)
    assert refusal(Fault(code, "", message), statement(insert=False)).outcome == "unknown"


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


def test_a_key_that_fails_when_another_partition_is_stored(server18: Server18) -> None:
    """One block, but not one partition: the code alone would look like one of a reader of rows."""
    with Client(server18.url) as client:
        client.command(
            "CREATE TABLE parted (p UInt8, s String) ENGINE = MergeTree PARTITION BY p ORDER BY toUInt32(s)"
        )
        with pytest.raises(ServerError) as caught:
            client.insert("parted", [(1, "1"), (2, "x"), (3, "3")])
        assert (caught.value.code, caught.value.outcome) == (6, "unknown")
        assert client.command("SELECT count() FROM parted") != "0"
        with pytest.raises(ServerError) as caught:
            client.insert_encoded("parted", b"1,1\n2,2\nx,3\n", format="CSV")
        assert (caught.value.code, caught.value.outcome) == (27, "refused")
        client.command("DROP TABLE parted")


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
        (TransportError("x", status=502), "in part", False),
        (TransportError("x", status=408), "in part", False),
        (TransportError("x", status=408), "nothing", True),
        (TransportError("x", status=504), "in part", False),
        (TransportError("x", status=404), "whole", False),
        (TransportError("x", status=404, retryable=False), "nothing", False),
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
    assert not repeated or _codes.stage_of(code) == "start"


@pytest.mark.parametrize(
    ("status", "headers", "sent", "repeat"),
    [
        (429, {}, "nothing", True),
        (429, {}, "in part", True),
        (429, {}, "whole", True),
        (503, {}, "nothing", True),
        (503, {}, "in part", True),
        (503, {}, "whole", False),
        (503, WAIT, "whole", True),
        (502, {}, "nothing", True),
        (502, {}, "in part", False),
        (502, {}, "whole", False),
        (408, {}, "nothing", True),
        (408, WAIT, "in part", False),
        (408, WAIT, "whole", False),
        (504, WAIT, "nothing", True),
        (504, WAIT, "whole", False),
        (404, WAIT, "nothing", False),
        (500, WAIT, "nothing", False),
        (202, WAIT, "nothing", False),
    ],
)
def test_which_answers_of_proxies_are_repeated(
    status: int, headers: dict[str, str], sent: Started, repeat: bool
) -> None:
    for insert in (True, False):
        made = statement(sent, insert=insert)
        error = answered(Answer(status, headers), made, WHERE)
        assert error is not None
        assert may_repeat(error, made) == repeat
    careful = statement(sent, cuts_noticed=False)
    error = answered(Answer(status, headers), careful, WHERE)
    assert error is not None
    assert may_repeat(error, careful) == (repeat and sent != "in part")


def pause(
    retry_after: str | None = None,
    attempt: int = 0,
    retries: int = 3,
    replayable: bool = True,
    status: int = 429,
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
    assert pause(retry_after) == pause(retry_after, status=503) == seconds
    assert pause(retry_after, replayable=False) is None
    assert pause(retry_after, attempt=3) is None
    assert pause(retry_after, retries=0) is None
    assert pause(retry_after, status=500) is None
    assert pause(status=429) is not None
    assert pause(status=503) is None  # not said by somebody who asks to wait


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


def test_attempts_of_a_statement() -> None:
    made = statement("nothing")
    for sent, before in ((False, False), (True, True), (False, True)):
        made.progress.started = sent
        assert made.next_attempt() is made.progress
        assert made.progress == Progress()
        assert made.sent_before == before


@pytest.mark.parametrize("insert", [True, False])
@pytest.mark.parametrize("one_block", [True, False])
def test_an_attempt_of_ours_that_runs_already(one_block: bool, insert: bool) -> None:
    """The server says so of an attempt before.  Did that have a body, nothing is known of its rows."""
    fault = Fault(216, "", "Query with id = the-id is already running.")
    made = statement("in part", insert=insert, one_block=one_block)
    error = refusal(fault, made)
    check(error, ServerError, "refused", True, "already running")
    assert not may_repeat(error, made)
    assert _retries.pause(error, 0, 5, made, True, None) is None  # somebody else's
    assert _retries.pause(error, 1, 5, made, True, None) is not None  # the shadow of one without a body
    assert _retries.pause(error, 1, 5, made, False, None) is None
    assert _retries.pause(error, 5, 5, made, True, None) is None
    made.next_attempt()
    error = refusal(fault, made)
    check(error, ServerError, "unknown", True, "already running")
    assert not may_repeat(error, made)
    assert _retries.pause(error, 2, 5, made, True, None) is None
    other = refusal(Fault(60, "", "x"), made)
    assert other.outcome == "refused"  # of this attempt, and the one before it was judged


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


def test_every_code_has_a_stage() -> None:
    stages: dict[str, list[int]] = {stage: [] for stage in get_args(_codes.Stage)}
    for code in _codes.CODES.values():
        assert _codes.stage_of(code.number) == code.stage
        stages[code.stage].append(code.number)
    assert stages == {"start": START, "reading": READING, "any": sorted(ANY)[:-1]}
    assert _codes.stage_of(12345) == _codes.stage_of(0) == "any"
    assert sorted(_codes._START) == START  # none of them is without a row in the table
    assert sorted(_codes._READING) == READING


def test_what_is_repeated_by_itself_came_before_rows() -> None:
    later = {code.number for code in _codes.CODES.values() if code.verdict == "later"}
    assert later == {202, 203, 373, 745, 749}
    assert later <= {*START}


def test_the_table_of_codes_is_whole() -> None:
    lines = _codes.document().splitlines()
    assert len(lines) == len(_codes.CODES) + 2
    for line in (
        "| code | name | verdict | stage |",
        "| 60 | `UNKNOWN_TABLE` | never | start |",
        "| 252 | `TOO_MANY_PARTS` | again | reading |",
        "| 241 | `MEMORY_LIMIT_EXCEEDED` | again | any |",
    ):
        assert line in lines
