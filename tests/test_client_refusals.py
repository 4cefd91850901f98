"""Servers that refuse, and servers that are none: one clear error each, without secrets."""

from __future__ import annotations

import functools
import gzip
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from clients import Facade, Kind, Target, big_rows
from faults import Canned, Reply
from front_process import Front
from http_proxies import reply
from secrets_kept import check_kept
from server18 import Server18

from rowbinary import ClientError, ServerError, TransportError, UnknownStateError
from rowbinary.protocol import Table

Connect = Callable[..., Facade]
SECRET = "SECRET-p@ss/w:rd"
TOKEN = "SECRET.token"


@pytest.fixture(autouse=True)
def _log_everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


def server_error(act: Callable[[], object], code: int, *words: str) -> ServerError:
    """The server's refusal, which names these words."""
    with pytest.raises(ServerError) as info:
        act()
    assert info.value.code == code
    assert info.value.outcome == "refused"
    assert info.value.query_id
    for word in words:
        assert word in str(info.value)
    return info.value


@pytest.mark.parametrize("rows", [1, 3000])
def test_absent_things(rows_client: Facade, target: Target, table: str, rows: int) -> None:
    schema = "a UInt64, s String"
    insert = rows_client.insert
    server_error(lambda: insert("absent", big_rows(rows)), 60, "absent")
    server_error(lambda: insert("absent", big_rows(rows), schema=schema), 60, "absent")
    server_error(
        lambda: insert(table, ((s, a) for a, s in big_rows(rows)), schema="absent String, a UInt64"),
        16,
        "absent",
    )
    server_error(lambda: insert(table, big_rows(rows), settings={"absent_setting": 1}), 115, "absent_setting")
    server_error(
        lambda: insert(Table("no database", table), big_rows(rows), schema=schema), 81, "no database"
    )
    assert insert(table, [(1, "x")]).rows == 1
    assert target.count(table) == 1


def test_absent_databases(kind: Kind, target: Target, table: str, connect: Connect) -> None:
    client = connect(kind, target.url, database="no database")
    with pytest.raises(ServerError) as info:
        client.insert(table, [(1, "x")])
    assert info.value.code == 81
    assert "no database" in str(info.value)


@pytest.mark.parametrize("rows", [1, 3000])
@pytest.mark.parametrize("schema", ["a Int64, s String", "a UInt64, s FixedString(1000)"])
def test_a_schema_that_lies(rows_client: Facade, target: Target, table: str, rows: int, schema: str) -> None:
    target.need_modern("a format with which it notices that")
    formats = ("auto", 53, "Cannot convert"), ("RowBinaryWithNamesAndTypes", 117, "Type of")
    for format, code, words in formats:
        insert = functools.partial(rows_client.insert, table, big_rows(rows), schema=schema, format=format)
        error = server_error(insert, code)
        assert words in error.message
        assert error.outcome == "refused"
        assert target.count(table) == 0


@pytest.mark.parametrize("rows", [1, 3000])
def test_a_constraint_that_is_violated(rows_client: Facade, target: Target, rows: int) -> None:
    """The embedded engine itself does not tell."""
    if target.name in ("server18", "front"):
        pytest.skip("ClickHouse 18.16 has no constraints, and the front cannot see what the engine hides")
    table = target.create(f"a UInt64, s String, CONSTRAINT small CHECK a < {rows - 1}")
    server_error(lambda: rows_client.insert(table, big_rows(rows), query_id="odd %_'\\"), 469, "small")
    assert target.count(table) == 0
    assert rows_client.insert(table, big_rows(rows - 1)).rows == rows - 1
    assert target.count(table) == rows - 1


def test_constraints_violated_by_many_at_once(target: Target) -> None:
    """Nobody's violation hides behind another's."""
    import threading

    if target.http:
        pytest.skip("it is not the embedded engine")
    table = target.create("a UInt64, s String, CONSTRAINT small CHECK a < 5")
    codes: list[int] = []

    def work(client: Any) -> None:
        for number in (7, 1, 8):
            try:
                client.insert(table, [(number, "x")])
            except ServerError as error:
                codes.append(error.code)

    with Facade("sync", target.url) as client:
        threads = [threading.Thread(target=work, args=(client,)) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert codes == [469] * 24
    assert target.lines(f"SELECT count(), max(a) FROM {table}") == [["12", "1"]]


def test_a_constraint_behind_a_very_long_statement(client: Facade, target: Target) -> None:
    if target.name in ("server18", "front"):
        pytest.skip("ClickHouse 18.16 has no constraints, and the front cannot see what the engine hides")
    names = [f"column_{number}_{'x' * 200}" for number in range(1500)]
    columns = ", ".join(f"{name} UInt8" for name in names)
    table = "very_long"
    client.command(
        f"CREATE OR REPLACE TABLE {table} ({columns}, CONSTRAINT small CHECK {names[0]} < 5) ENGINE = Memory"
    )
    server_error(lambda: client.insert(table, [[9] * 1500]), 469)
    assert client.insert(table, [[1] * 1500]).rows == 1
    assert target.count(table) == 1


@pytest.mark.parametrize("rows", [1, 3000])
def test_a_user_who_may_only_read(client: Facade, target: Target, table: str, rows: int) -> None:
    server_error(lambda: client.insert(table, big_rows(rows), settings={"readonly": 1}), 164)
    assert client.insert(table, [(1, "x")]).rows == 1
    assert target.count(table) == 1


# --- logins


LOGINS: list[tuple[dict[str, Any], int, int]] = [
    ({"user": "alice", "password": SECRET}, 193, 516),
    ({"user": "alice"}, 194, 516),
    ({"user": "nobody", "password": SECRET}, 192, 516),
    ({"user": "alice", "password": SECRET + "ü"}, 193, 516),  # HTTP Basic
    ({"access_token": TOKEN}, 1000, 516),
]


@pytest.mark.parametrize(("options", "old", "new"), LOGINS)
def test_logins_that_are_refused(
    kind: Kind, target: Target, table: str, connect: Connect, caplog: pytest.LogCaptureFixture,
    options: dict[str, Any], old: int, new: int,
) -> None:  # fmt: skip
    if target.name not in ("server18", "front"):
        pytest.skip("the embedded engine knows no users, and a server of one's own has others")
    client = connect(kind, target.url, **options)
    for rows in (1, 3000):
        with pytest.raises(ServerError) as info:
            client.insert(table, big_rows(rows))
        assert info.value.code == (new if target.modern else old)
        assert not info.value.retryable
        check_kept(info.value, caplog, SECRET, TOKEN, SECRET + "ü")
    assert repr(client.client).count("SECRET") == 0
    assert target.count(table) == 0


# --- servers that are none


OK = b"HTTP/1.1 200 OK\r\n"
BOMB = reply(gzip.compress(bytes(50_000_000)), "200 OK", "Content-Encoding: gzip")
DOWN = reply(b"down", "503 Unavailable", "Retry-After: 0", "Connection: close")
STRANGERS: dict[str, tuple[bytes, type[ClientError], str]] = {
    "HTML": (reply(b"<html>Welcome to nginx!</html>"), TransportError, "is not ClickHouse: '<html>Welcome"),
    "404": (reply(b"<h1>Not found</h1>", "404 Not Found"), TransportError, "HTTP status 404.*Not found"),
    "401": (reply(b"", "401 Unauthorized"), TransportError, "HTTP status 401"),
    "503": (DOWN, TransportError, "HTTP status 503"),
    "a banner": (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", TransportError, "SSH-2.0"),
    "garbage": (b"\x00\xff" * 500, TransportError, "is not HTTP"),
    "garbage headers": (OK + b"no colon\r\n: empty\r\nContent-Length: 3\r\n\r\nabc", ClientError, ""),
    "two lengths": (OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", ClientError, ""),
    "a bad length": (b"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\nabc", ClientError, ""),
    "many headers": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", ClientError, ""),
    "a long header": (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000 + b"\r\n\r\n", ClientError, ""),
    "a bad chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n", ClientError, ""),
    "a cut answer": (b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n26.9", TransportError, ""),
    "nothing": (b"", TransportError, "closed without an answer|disconnected"),
    "a gzip bomb": (BOMB, TransportError, "is not ClickHouse"),
    "a huge body": (reply(b"26.9.1.1" + b" " * 5_000_000 + b"x"), TransportError, "is not ClickHouse"),
}  # fmt: skip


@pytest.mark.parametrize("stranger", STRANGERS)
def test_strangers(kind: Kind, connect: Connect, caplog: pytest.LogCaptureFixture, stranger: str) -> None:
    data, error, match = STRANGERS[stranger]
    start = time.monotonic()
    with Canned([Reply(data, close=True, send_100=True)] * 4) as server:
        client = connect(kind, server.url, user="alice", password=SECRET, retries=1)
        with pytest.raises(error, match=f"(?s){match}") as info:
            client.insert("t", [(1, "x")])
        assert server.connections <= 4
        assert server.url in str(info.value)
        assert len(str(info.value)) < 1000
        check_kept(info.value, caplog, SECRET)
        client.close()
    assert time.monotonic() - start < 8


@pytest.mark.parametrize("status", [301, 307])
@pytest.mark.parametrize("rows", [1, 3000])
def test_redirects_are_not_followed(kind: Kind, connect: Connect, status: int, rows: int) -> None:
    with Canned([reply()] * 3) as other:
        moved = reply(b"", f"{status} Moved", f"Location: {other.url}/stolen?x=1")
        with Canned([Reply(data, send_100=True) for data in (reply(b"26.9.1.1\n"), moved)]) as server:
            client = connect(kind, server.url, user="alice", password=SECRET)
            with pytest.raises(TransportError, match="redirect") as info:
                client.insert("t", big_rows(rows), schema="a UInt64, s String")
            assert f"redirected to '{other.url}/stolen?x=1'" in str(info.value)
            assert info.value.status == status
            assert not info.value.retryable
            client.close()
        assert other.connections == 0


# --- strange answers to inserts


CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-ClickHouse-Summary: {}\r\n\r\n"
OLD_ANSWER = b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n"
EXCEPTION = b"Code: 241. DB::Exception: Memory limit. (MEMORY_LIMIT_EXCEEDED) (version 26.9.1.1)\n"
ONE_BY_ONE = CHUNKS + b"".join(b"1\r\n%b\r\n" % bytes([byte]) for byte in EXCEPTION) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (ONE_BY_ONE, 241),
        (reply(EXCEPTION, "500 Internal"), 241),
        (reply(EXCEPTION, "200 OK", "X-ClickHouse-Exception-Code: 252"), 252),
        (reply(b"", "200 OK", "X-ClickHouse-Exception-Code: 252"), 252),
        (OLD_ANSWER + EXCEPTION, 241),
        (CHUNKS + b"2\r\n\r\n\r\n0\r\n\r\n", None),
        (OLD_ANSWER, None),
        (reply(), None),
        (reply(b"", "200 OK", "X-ClickHouse-Summary: {not json"), None),
        (reply(b"", "200 OK", 'X-ClickHouse-Summary: {"written_rows":"x","a":null,"read_rows":"5"}'), None),
    ],
)
@pytest.mark.parametrize("rows", [1, 3000])
def test_answers_to_inserts(kind: Kind, connect: Connect, answer: bytes, code: int | None, rows: int) -> None:
    old = answer.startswith(b"HTTP/1.0")
    with (
        Canned(
            [Reply(reply(b"26.9.1.1\n"), send_100=True), Reply(answer, send_100=True, close=old)]
        ) as server,
        Facade(kind, server.url) as client,
    ):
        if code is None:
            result = client.insert("t", big_rows(rows), schema="a UInt64, s String")
            assert (result.rows, result.written_rows) == (rows, None)
        else:
            with pytest.raises(ServerError) as info:
                client.insert("t", big_rows(rows), schema="a UInt64, s String")
            assert info.value.code == code
        assert len(server.requests) == 2


def test_an_endless_answer_to_an_insert_is_cut(kind: Kind, connect: Connect) -> None:
    answer = reply(b"x" * 30_000_000)
    with Canned([Reply(reply(b"26.9.1.1\n"), send_100=True), Reply(answer, send_100=True)]) as server:
        client = connect(kind, server.url)
        with pytest.raises(UnknownStateError, match="answered an insert with a body") as info:
            client.insert("t", [(1, "x")], schema="a UInt64, s String")
        assert len(str(info.value)) < 1000
        client.close()


@pytest.mark.parametrize("fixture", ["server18", "front"])
def test_nothing_secret_is_logged_when_all_is_well(
    kind: Kind,
    fixture: str,
    request: pytest.FixtureRequest,
    connect: Connect,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server: Server18 | Front = request.getfixturevalue(fixture)
    server.query("CREATE TABLE IF NOT EXISTS logged (a UInt64, s String) ENGINE = Memory")
    client = connect(kind, server.url, user="alice", password="secret")

    def rows() -> Iterator[object]:
        yield from big_rows(2000)

    assert client.insert("logged", rows()).rows == 2000
    client.close()
    check_kept(None, caplog, "secret", "xxxxxxxxxx")
