"""Exceptions of servers, in whatever form they come: as text, in headers, behind rows, cut, or in junk."""

from __future__ import annotations

import http.client
import re
import time

import pytest
from front_process import Front
from hypothesis import given
from hypothesis import strategies as st
from server18 import Server18

from rowbinary import Client, ServerError, _codes
from rowbinary.protocol import Answer, Fault, old_in_band, parse_exception, read_exception

OLD = (
    b"Code: 60, e.displayText() = DB::Exception: Table default.nope doesn't exist., "
    b"e.what() = DB::Exception\n"
)
NEW = (
    b"Code: 60. DB::Exception: Table default.nope does not exist. (UNKNOWN_TABLE) "
    b"(version 26.9.2.1 (official build))\n"
)
NEW_FAULT = Fault(60, "UNKNOWN_TABLE", "Table default.nope does not exist")
OLD_FAULT = Fault(60, "UNKNOWN_TABLE", "Table default.nope doesn't exist.")

TEXTS: dict[str, tuple[bytes, Fault]] = {
    "18.16": (OLD, OLD_FAULT),
    "modern": (NEW, NEW_FAULT),
    "a build of one's own": (NEW.replace(b" (official build)", b""), NEW_FAULT),
    "the engine": (NEW.replace(b" (version 26.9.2.1 (official build))", b""), NEW_FAULT),
    "a code that is not known here": (
        b"Code: 99999. DB::Exception: New. (BRAND_NEW) (version 30.1)",
        Fault(99999, "BRAND_NEW", "New"),
    ),
    "a code without a name": (
        b"Code: 99999, e.displayText() = DB::Exception: Old",
        Fault(99999, "", "Old"),
    ),
    "of the network": (
        b"Code: 210. DB::NetException: Refused. (NETWORK_ERROR)",
        Fault(210, "NETWORK_ERROR", "Refused"),
    ),
    "of the parser": (
        b"Code: 27. DB::ParsingException: Bad: (at row 1). (CANNOT_PARSE_INPUT_ASSERTION_FAILED)",
        Fault(27, "CANNOT_PARSE_INPUT_ASSERTION_FAILED", "Bad: (at row 1)"),
    ),
    "of Keeper": (
        b"Code: 999. Coordination::Exception: Lost. (KEEPER_EXCEPTION)",
        Fault(999, "KEEPER_EXCEPTION", "Lost"),
    ),
    "of Poco in 18.16": (
        (
            b"Poco::Exception. Code: 1000, e.code() = 0, e.displayText() = HTML Form Exception: Too many, "
            b"e.what() = HTML Form Exception\n"
        ),
        Fault(1000, "", "HTML Form Exception: Too many"),
    ),
    "of the C++ library": (
        b"std::exception. Code: 1001, type: std::bad_alloc, e.what() = std::bad_alloc",
        Fault(1001, "", "type: std::bad_alloc"),
    ),
    "nested": (
        (
            b"Code: 279. DB::NetException: All tries failed. Log: \n\n"
            b"Code: 210. DB::NetException: Refused (h:1). (NETWORK_ERROR) (version 24.1.1 (official build))"
            b"\n\n. (ALL_CONNECTION_TRIES_FAILED) (version 24.1.1)"
        ),
        Fault(
            279,
            "ALL_CONNECTION_TRIES_FAILED",
            "All tries failed. Log: Code: 210. DB::NetException: Refused (h:1). (NETWORK_ERROR) "
            "(version 24.1.1 (official build))",
        ),
    ),
    "with lines": (
        b"Code: 62. DB::Exception: Syntax error:\n\nINSERT\n  INTO\t(\n. (SYNTAX_ERROR) (version 25.1)",
        Fault(62, "SYNTAX_ERROR", "Syntax error: INSERT INTO ("),
    ),
    "with a stack trace": (
        (
            b"Code: 60. DB::Exception: No table. (UNKNOWN_TABLE), Stack trace (when copying this message, "
            b"always include the lines below):\n\n0. DB::Exception::Exception() @ 0x1 (F)\n (version 26.9)"
        ),
        Fault(60, "UNKNOWN_TABLE", "No table"),
    ),
    "with the stack trace of 18.16": (
        OLD.rstrip() + b", Stack trace:\n\n0. clickhouse-server(StackTrace::StackTrace()) [0x1]\n",
        OLD_FAULT,
    ),
    "no UTF-8": (
        b"Code: 6. DB::Exception: \xff\xfe. (CANNOT_PARSE_TEXT)",
        Fault(6, "CANNOT_PARSE_TEXT", "\ufffd\ufffd"),
    ),
    "no message": (b"Code: 60.", Fault(60, "UNKNOWN_TABLE", "the server gave no text")),
}


@pytest.mark.parametrize(("body", "expected"), TEXTS.values(), ids=TEXTS)
def test_the_texts_of_servers(body: bytes, expected: Fault) -> None:
    assert parse_exception(body) == expected
    assert read_exception(Answer(500, {}, body)) == expected
    assert read_exception(Answer(404, {}, b"\n" + body), rows_expected=True) == expected
    # The header has the last word about the number, and does not change the rest.
    coded = read_exception(Answer(500, {"x-clickhouse-exception-code": "241"}, body))
    assert coded is not None
    assert coded.code == 241
    assert coded.message == expected.message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Ok.\n",
        b"Code: x. DB::Exception",
        b"Code: 60",
        b"Code: 1234567890. x",
        b"code: 60. x",
        b"Code 60. x",
        b"a Code: 60. DB::Exception: x",
        b"<html>Code: 60. DB::Exception: x</html>",
        b"Code: \xd9\xa1. x",
    ],
)
@pytest.mark.parametrize("status", [200, 404, 500, 503])
def test_texts_that_are_no_exceptions(body: bytes, status: int) -> None:
    assert read_exception(Answer(status, {}, body)) is None


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("rows_expected", [True, False])
@pytest.mark.parametrize(
    ("value", "body", "fault"),
    [
        ("60", b"", Fault(60, "UNKNOWN_TABLE", "the server gave no text")),
        (" 60 ", NEW, NEW_FAULT),
        ("60", b"\1\2rows", Fault(60, "UNKNOWN_TABLE", "\1\2rows")),
        ("77777", b"?", Fault(77777, "", "?")),
        ("garbage", NEW, NEW_FAULT),
        ("9" * 5_000, b"", Fault(0, "", "the server gave no text")),
    ],
    ids=ascii,
)
def test_the_header_alone_is_an_exception(
    status: int, rows_expected: bool, value: str, body: bytes, fault: Fault
) -> None:
    answer = Answer(status, {"x-clickhouse-exception-code": value}, body)
    assert read_exception(answer, rows_expected=rows_expected) == fault


TAG = "abcdefghijklmnop"
TAGGED = {"x-clickhouse-exception-tag": TAG}
MARK = b"\r\n__exception__\r\n"


def tail(message: bytes = NEW.rstrip(), tag: bytes = TAG.encode()) -> bytes:
    """What a server of version 25.11 or later ends a broken answer with."""
    return MARK + tag + b"\r\n" + message + b"\n%d " % len(message) + tag + b"\r\n__exception__\r\n"


@pytest.mark.parametrize("rows_expected", [True, False])
@pytest.mark.parametrize(
    "data", [b"", b"\1\2\3", b"Code: 1. DB::Exception: data" + b"x" * 100_000, MARK, tail(b"no", b"x")]
)
@pytest.mark.parametrize("coded", [{}, {"x-clickhouse-exception-code": "60"}], ids=["", "header"])
@pytest.mark.parametrize("complete", [True, False])
def test_exceptions_behind_rows_with_a_tag(
    rows_expected: bool, data: bytes, coded: dict[str, str], complete: bool
) -> None:
    answer = Answer(200, TAGGED | coded, data + tail(), complete)
    assert read_exception(answer, rows_expected=rows_expected) == NEW_FAULT


@pytest.mark.parametrize("data", [b"", b"\1\2\3", b"x" * 100_000, MARK + b"data"])
@pytest.mark.parametrize("text", [NEW, OLD], ids=["modern", "18.16"])
def test_exceptions_behind_rows_without_a_tag(data: bytes, text: bytes) -> None:
    """Rows may hold the mark; but an answer with an exception does not come to its end."""
    fault = parse_exception(text)
    assert fault is not None
    body = data + MARK + text
    for answer in (Answer(200, {}, body), Answer(200, {}, body, complete=False)):
        assert read_exception(answer, rows_expected=False) == fault
        coded = Answer(200, {"x-clickhouse-exception-code": "60"}, body, answer.complete)
        assert read_exception(coded, rows_expected=True) == fault
    assert read_exception(Answer(200, {}, body, complete=False), rows_expected=True) == fault
    # The text of 18.16 counts by itself, whatever is before it.
    found = read_exception(Answer(200, {}, body), rows_expected=True)
    assert found == (OLD_FAULT if text is OLD else None)


def test_answers_are_complete_unless_it_is_said() -> None:
    assert Answer(200, {}).complete


@pytest.mark.parametrize("size", [1, 9, 10, 16_000])
def test_the_length_behind_a_message_is_no_part_of_it(size: int) -> None:
    message = b"Code: 1. DB::Exception: " + b"7" * size
    found = read_exception(Answer(200, TAGGED, b"rows" + tail(message)), rows_expected=True)
    assert found is not None
    assert found.message.startswith("7" * min(size, 1_000))
    assert len(found.message) == min(size, 2_000)


@pytest.mark.parametrize(
    "data",
    [
        b"__exception__",
        b"\n__exception__\n",
        MARK + b"other tag" + b"\r\n" + NEW,
        tail(tag=b"ABCDEFGHIJKLMNOP"),
        tail() + b"more rows",
        tail()[2:],
        TAG.encode() + b"\r\n__exception__\r\n",
    ],
)
def test_data_that_only_looks_like_an_exception(data: bytes) -> None:
    assert read_exception(Answer(200, TAGGED, b"rows" + data), rows_expected=True) is None


@pytest.mark.parametrize("body", [NEW, OLD + b"x", OLD[:-20], b"Code: 60, e.displayText() = data\n"])
@pytest.mark.parametrize("complete", [True, False])
def test_data_may_begin_like_an_exception_where_rows_are_expected(body: bytes, complete: bool) -> None:
    assert read_exception(Answer(200, {}, body, complete), rows_expected=True) is None
    answer = Answer(200, {}, body, complete)
    assert read_exception(answer, rows_expected=False) == parse_exception(body) is not None
    assert read_exception(Answer(500, {}, body, complete), rows_expected=True) is not None


NESTED_OLD = (
    b"Code: 279, e.displayText() = DB::NetException: All tries failed. Log: \n\n"
    b"Code: 210, e.displayText() = DB::NetException: Refused, e.what() = DB::NetException\n\n, "
    b"e.what() = DB::Exception\n"
)


@pytest.mark.parametrize("data", [b"", b"\1\2\3", b"0\n0\n", b'["983039", 0]', b"x" * 100_000, MARK, NEW])
@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("end", [b"", b"\n", b" \r\n\n"], ids=ascii)
def test_the_text_of_18_16_at_the_very_end_of_rows(data: bytes, complete: bool, end: bytes) -> None:
    answer = Answer(200, {}, data + OLD.rstrip() + end, complete)
    assert read_exception(answer, rows_expected=True) == OLD_FAULT
    tagged = Answer(200, TAGGED, answer.body, complete)
    assert read_exception(tagged, rows_expected=True) is None  # servers with a tag say it otherwise


def test_of_nested_texts_the_outermost_counts() -> None:
    found = read_exception(Answer(200, {}, b"rows" + NESTED_OLD), rows_expected=True)
    assert found is not None
    assert (found.code, found.name) == (279, "ALL_CONNECTION_TRIES_FAILED")
    assert found.message.startswith("All tries failed. Log: Code: 210, e.displayText()")


@pytest.mark.parametrize(
    "end",
    [
        OLD + b"0",
        OLD + MARK,
        OLD.replace(b"Code: 60", b"Code: "),
        OLD.replace(b"Code: 60", b"Code: 1234567890"),
        OLD.replace(b"60, ", b"60. "),
        OLD.replace(b"e.displayText", b"displayText"),
        OLD.replace(b", e.what() = DB::Exception", b""),
        OLD.replace(b"DB::Exception\n", b"DB::Exception (version 19.17.4.11)\n"),
        OLD.replace(b"nope", b"x" * 40_000),  # longer than any
        b", e.what() = DB::Exception\n",
    ],
    ids=lambda end: ascii(end[-60:]),
)
def test_other_ends_of_rows_are_data(end: bytes) -> None:
    for complete in (True, False):
        answer = Answer(200, {}, b"0\n0\n" + end, complete)
        found = read_exception(answer, rows_expected=True)
        # A mark counts where the answer broke off.
        assert (found is None) == (complete or MARK not in end)


def test_what_a_real_18_16_puts_behind_rows(server18: Server18) -> None:
    """Status 200, a proper end, and no header: the text is all there is."""
    sql = "SELECT throwIf(number = 1000000) FROM system.numbers"
    connection = http.client.HTTPConnection("127.0.0.1", server18.port, timeout=60)
    connection.request("POST", "/", sql.encode())
    response = connection.getresponse()
    body = response.read()
    connection.close()
    assert response.status == 200
    assert body.startswith(b"0\n0\n")
    assert not [name for name in response.headers if "exception" in name.lower()]
    expected = Fault(395, "", "Value passed to 'throwIf' function is non zero")
    assert read_exception(Answer(200, {}, body), rows_expected=True) == old_in_band(body) == expected
    for shown in ("", " FORMAT JSONCompact", " FORMAT CSV"):
        with Client(server18.url) as client, pytest.raises(ServerError, match="throwIf") as caught:
            client.command(sql + shown)
        assert (caught.value.code, caught.value.message) == (395, expected.message)


def test_what_a_modern_server_puts_behind_rows(front: Front) -> None:
    with Client(front.url) as client, pytest.raises(ServerError, match="throwIf") as caught:
        client.command("SELECT throwIf(number = 1000000) FROM system.numbers FORMAT TabSeparated")
    assert (caught.value.code, caught.value.name) == (395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO")


def test_every_cut_of_a_tagged_tail_is_no_exception() -> None:
    whole = b"rows" + tail()
    for size in range(len(whole)):
        assert read_exception(Answer(200, TAGGED, whole[:size]), rows_expected=True) is None, size
    assert read_exception(Answer(200, TAGGED, whole), rows_expected=True) == NEW_FAULT


def test_every_cut_of_a_tail_without_a_tag_is_one_from_its_mark_on() -> None:
    marked = len(b"rows" + MARK)
    whole = b"rows" + MARK + NEW
    for size in range(len(whole)):
        assert read_exception(Answer(200, {}, whole[:size]), rows_expected=True) is None
        found = read_exception(Answer(200, {}, whole[:size], complete=False), rows_expected=True)
        assert (found is not None) == (size >= marked), size
        if found is not None:
            assert found.code == (60 if size > marked + len("Code: 60") else 0)
            assert found.message


def test_every_cut_of_the_text_of_18_16_is_data() -> None:
    whole = b"rows" + OLD
    for size in range(len(whole) - 1):
        for complete in (True, False):
            answer = Answer(200, {}, whole[:size], complete)
            assert read_exception(answer, rows_expected=True) is None, size
    assert read_exception(Answer(200, {}, whole[:-1]), rows_expected=True) == OLD_FAULT


def test_old_servers_put_the_bare_text_behind_rows() -> None:
    for text, expected in ((OLD, OLD_FAULT), (NEW, NEW_FAULT)):
        assert old_in_band(text) == expected
        assert old_in_band(b"\0" * 1_000_000 + text) == expected
        assert old_in_band(b"Code: 5, Code: 6. Code: " + text) == expected  # rows that have no such text
        assert old_in_band(text + b"\0" * 100_000) is None  # not at the end
    assert old_in_band(b"Code: rows") is None
    assert old_in_band(b"Code: 60. rows") is None
    assert old_in_band(b"Code: 60, e.what() = rows") is None


@pytest.mark.parametrize("text", [NESTED_OLD, TEXTS["nested"][0]], ids=["18.16", "modern"])
def test_behind_rows_the_first_of_nested_texts_is_the_outermost(text: bytes) -> None:
    found = old_in_band(b"\1\2Code: rows" + text)
    assert found == parse_exception(text)
    assert found is not None
    assert (found.code, found.name) == (279, "ALL_CONNECTION_TRIES_FAILED")


def test_a_long_message_keeps_its_beginning_and_its_end() -> None:
    body = b"Code: 395. DB::Exception: begin " + b"x" * 20_000 + b": while pushing to view d.v. (F_G)"
    found = parse_exception(body)
    assert found is not None
    assert len(found.message) == 2_000
    assert found.message.startswith("begin xxx")
    assert found.message.endswith("xxx: while pushing to view d.v")


@pytest.mark.parametrize(
    "junk",
    [
        b"\r\n__exception__",
        b"Code: 60. ",
        b" ",
        b"(A)",
        b"(version ",
        b", e.what() = ",
        b"\xff",
        b"( ",
        b"Stack trace:",
        b"Code: 1, e.displayText() = ",
        b"e.what() = DB::Exception",
        b"Code: 1, e.displayText() = e.what() = DB::Exception ",
        b"Code: 1. DB::",
    ],
)
@pytest.mark.parametrize(
    "headers", [{}, TAGGED, {"x-clickhouse-exception-code": "60"}], ids=["", "tag", "code"]
)
def test_megabytes_of_junk_take_no_time(junk: bytes, headers: dict[str, str]) -> None:
    start = time.process_time()
    for beginning in (b"", b"Code: 60. DB::Exception: ", MARK, b"x"):
        body = beginning + junk * ((8 << 20) // len(junk)) + b"."
        for status, rows_expected in ((200, False), (200, True), (500, False)):
            answer = Answer(status, headers, body, complete=False)
            found = read_exception(answer, rows_expected=rows_expected)
            assert found is None or len(found.message) <= 2_000
        old_in_band(body)
    assert time.process_time() - start < 2.0


FRAGMENTS = [
    MARK,
    TAG.encode(),
    b"\r\n",
    b"Code: ",
    b"60",
    b". ",
    b", ",
    b"DB::Exception: ",
    b" (NAME)",
    b" (version 1)",
]
FRAGMENTS += [b" " * 3_000, b"Stack trace:", b"e.what() = ", b"e.displayText() = ", NEW, OLD, tail()]


@given(
    st.integers(100, 599) | st.just(200),
    st.dictionaries(
        st.sampled_from(["x-clickhouse-exception-code", "x-clickhouse-exception-tag", "x-clickhouse-summary"])
        | st.sampled_from(["retry-after", "keep-alive"]),
        st.text(max_size=20) | st.sampled_from([TAG, "60", "timeout=5", "9" * 5_000, '{"a":"1"}']),
    ),
    st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=30), max_size=12).map(b"".join),
    st.booleans(),
    st.booleans(),
)
def test_no_answer_is_too_strange(
    status: int, headers: dict[str, str], body: bytes, complete: bool, rows_expected: bool
) -> None:
    answer = Answer(status, headers, body, complete)
    start = time.process_time()
    found = read_exception(answer, rows_expected=rows_expected)
    old_in_band(body)
    assert time.process_time() - start < 0.5
    assert answer.summary in ({}, {"a": 1})
    assert answer.retry_after is None or answer.retry_after >= 0
    assert answer.keep_alive is None or answer.keep_alive >= 0
    if headers.get("x-clickhouse-exception-code", "").strip():
        assert found is not None
    if found is not None:
        assert 0 <= found.code < 10**9
        assert len(found.message) <= 2_000
        assert not re.search(r"\n|\r|  ", found.message)


def test_names_of_known_codes_are_there_without_the_server() -> None:
    for code in _codes.CODES.values():
        found = parse_exception(b"Code: %d, e.displayText() = DB::Exception: x" % code.number)
        assert found == Fault(code.number, code.name, "x")
