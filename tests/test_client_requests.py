"""What both clients send, and what they say about it: settings, ids, results, progress, queries."""

from __future__ import annotations

import datetime as dt
import gzip
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import native_blocks
import pytest
from clients import Facade, Kind, Target, big_rows, eventually
from faults import Canned, Reply
from front_process import Front
from http_proxies import Recorder, reply
from request_meter import Received

import rowbinary
from rowbinary import InsertProgress, ServerError, TransportError
from rowbinary.frames import decompress_frames

Connect = Callable[..., Facade]
SCHEMA = "a UInt64, s String"


def answers(version: str, *more: bytes) -> list[Reply]:
    """Canned answers: the version, then `more`."""
    return [Reply(data, send_100=True) for data in (reply(f"{version}\n".encode()), *more)]


def parameters(request: Received) -> dict[str, str]:
    """Of the URL."""
    return dict(parse_qsl(urlsplit(request.first_line.split(" ")[1]).query, keep_blank_values=True))


def sent(kind: Kind, version: str, options: dict[str, Any], **insert: Any) -> Received:
    """The request of an insert by a client with `options`, to a server of `version`."""
    with Canned(answers(version, reply())) as server, Facade(kind, server.url, **options) as client:
        client.insert("t", [(1, "x")], schema=SCHEMA, **insert)
        return server.received[-1]


# --- settings


def test_settings_of_the_call_win_over_the_clients_over_the_urls(
    kind: Kind, target: Target, connect: Connect
) -> None:
    url = target.url.rstrip("/") + ("/" if target.http else "")
    url += "?max_threads=11&max_block_size=1111&max_execution_time=111"
    client = connect(kind, url, settings={"max_threads": 22, "max_block_size": 2222})
    sql = (
        "SELECT name, value FROM system.settings WHERE name IN "
        "('max_threads', 'max_block_size', 'max_execution_time', 'max_insert_threads') ORDER BY name"
    )
    found = dict(line.split("\t") for line in client.command(sql, settings={"max_threads": 7}).split("\n"))
    assert (found["max_threads"], found["max_block_size"], found["max_execution_time"]) == (
        "7",
        "2222",
        "111",
    )
    again = dict(line.split("\t") for line in client.command(sql).split("\n"))
    assert again["max_threads"] == "22"  # those of a call are its own


def test_settings_reach_the_insert(client: Facade, target: Target, table: str) -> None:
    with pytest.raises(ServerError) as info:
        client.insert(table, [(1, "x")], settings={"no_such_setting": 1})
    assert info.value.code == 115
    assert "no_such_setting" in str(info.value)
    client.insert(table, [(1, "x")], settings={"max_threads": True, "max_block_size": 5})
    assert target.count(table) == 1


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {}),
        ({"roles": ["reader", "writer"]}, {"role": ["reader", "writer"]}),
        ({"session_id": "mine & yours"}, {"session_id": ["mine & yours"]}),
        ({"database": "größe"}, {"database": ["größe"]}),
        (
            {"settings": {"a_flag": True, "b": 0.5, "c": "x y&z=+"}},
            {"a_flag": ["1"], "b": ["0.5"], "c": ["x y&z=+"]},
        ),
    ],
)
def test_parameters_of_the_client_go_with_every_request(
    kind: Kind, options: dict[str, Any], expected: dict[str, list[str]]
) -> None:
    with (
        Canned(answers("26.9.1.1", reply(), reply(b"1\n"))) as server,
        Facade(kind, server.url, **options) as client,
    ):
        client.insert("t", [(1, "x")], schema=SCHEMA)
        client.command("SELECT 1")
        requests = server.received
    assert len(requests) == 3
    for request in requests:
        found = parse_qs(urlsplit(request.first_line.split(" ")[1]).query)
        assert {name: found.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("version", "options", "expected"),
    [
        ("18.16.1", {}, {}),
        ("21.10.1.1", {"async_insert": None, "deduplicate": True}, {"insert_deduplicate": "1"}),
        ("21.11.1.1", {}, {"async_insert": "0"}),
        ("22.3.1.1", {"async_insert": True}, {"async_insert": "1", "wait_for_async_insert": "1"}),
        ("22.3.1.1", {"async_insert": None}, {}),
        ("22.3.1.1", {"deduplication_token": "x 1"},
         {"async_insert": "0", "insert_deduplication_token": "x 1", "insert_deduplicate": "1"}),
        ("24.8.1.1", {"deduplicate": False}, {"async_insert": "0", "insert_deduplicate": "0"}),
        ("24.8.1.1", {"deduplicate": True, "async_insert": True},
         {"async_insert": "1", "wait_for_async_insert": "1", "insert_deduplicate": "1",
          "async_insert_deduplicate": "1"}),
        ("26.2.1.1", {"deduplicate": False},
         {"async_insert": "0", "insert_deduplicate": "0", "deduplicate_insert": "disable"}),
        ("26.9.1.1", {"deduplication_token": "x", "async_insert": True},
         {"async_insert": "1", "wait_for_async_insert": "1", "insert_deduplication_token": "x",
          "insert_deduplicate": "1", "deduplicate_insert": "enable", "async_insert_deduplicate": "1"}),
    ],
)  # fmt: skip
def test_what_is_said_explicitly_to_which_version(
    kind: Kind, version: str, options: dict[str, Any], expected: dict[str, str]
) -> None:
    found = parameters(sent(kind, version, {}, **options))
    about = {name: text for name, text in found.items() if "async_insert" in name or "dedup" in name}
    assert about == expected


@pytest.mark.parametrize(
    ("version", "options", "match"),
    [
        ("21.10.1.1", {"async_insert": True}, "async_insert needs a server of version 21.11"),
        ("22.2.1.1", {"deduplication_token": "x"}, "deduplication_token needs a server of version 22.3"),
        ("26.9.1.1", {"deduplication_token": ""}, "deduplication_token must be"),
        ("26.9.1.1", {"deduplication_token": "x", "deduplicate": False}, "makes no sense"),
        ("26.9.1.1", {"query_id": "a\nb"}, "query_id must be a printable str"),
        ("26.9.1.1", {"compression": "brotli"}, "compression must be one of"),
        ("26.9.1.1", {"settings": {"query": "x"}}, "is not a setting"),
        ("26.9.1.1", {"format": "CSV"}, "format must be one of"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_for_is_said_before_rows_are_taken(
    kind: Kind, version: str, options: dict[str, Any], match: str
) -> None:
    taken: list[int] = []

    def rows() -> Iterator[object]:
        taken.append(1)
        yield 1, "x"

    with Canned(answers(version)) as server, Facade(kind, server.url) as client:
        with pytest.raises(ValueError, match=match):
            client.insert("t", rows(), schema=SCHEMA, **options)
        assert not taken
        assert len(server.requests) == 1  # the version's


@pytest.mark.parametrize(("version", "format"), [("18.16.1", "RowBinary"), ("22.0.9.1", "RowBinary"),
                                                 ("22.1.1.1", "RowBinaryWithNamesAndTypes"),
                                                 ("23.2.9.1", "RowBinaryWithNamesAndTypes"),
                                                 ("23.3.1.1", "Native"), ("26.9.1.1", "Native")])  # fmt: skip
def test_the_format_depends_on_the_version(kind: Kind, version: str, format: str) -> None:
    request = sent(kind, version, {})
    assert parameters(request)["query"] == f"INSERT INTO `t` (`a`, `s`) FORMAT {format}"
    assert parameters(request)["decompress"] == "1"
    strict = parameters(request).get("input_format_native_allow_types_conversion")
    assert strict == ("0" if format == "Native" else None)
    body = b"".join(decompress_frames([request.body]))
    if format == "Native":
        assert body == b"\2\1\1a\6UInt64\1" + bytes(7) + b"\1s\6String\1x"
    else:
        assert body.endswith(b"\x01" + bytes(7) + b"\x01x")


def test_who_we_are_is_in_headers_only(kind: Kind) -> None:
    request = sent(kind, "26.9.1.1", {"user": "alice", "password": "the secret"}, query_id="mine")
    assert request.headers["x-clickhouse-user"] == "alice"
    assert request.headers["x-clickhouse-key"] == "the secret"
    assert "secret" not in request.first_line
    assert "alice" not in request.first_line
    assert parameters(request)["query_id"] == "mine"
    assert request.headers["user-agent"].startswith("rowbinary/")
    assert request.headers["accept-encoding"] == "identity"
    request = sent(kind, "26.9.1.1", {"access_token": "token", "headers": {"X-More": "yes"}})
    assert request.headers["authorization"] == "Bearer token"
    assert request.headers["x-more"] == "yes"
    assert "x-clickhouse-user" not in request.headers


@pytest.mark.parametrize(
    "options", [{"user": "alice", "password": "secret"}, {"access_token": "good-token"}, {}]
)
def test_logins_that_are_good(kind: Kind, front: Front, connect: Connect, options: dict[str, Any]) -> None:
    assert connect(kind, front.url, **options).command("SELECT 1") == "1"


# --- ids, deduplication


def test_the_query_id_is_the_one_the_server_knows(
    rows_kind: Kind, target: Target, table: str, connect: Connect
) -> None:
    """While an insert runs, the server refuses another one with its id."""
    if not target.http:
        pytest.skip("the embedded engine gives ids of its own")
    client, other = connect(rows_kind, target.url), connect("sync", target.url)
    codes: list[int] = []

    def refused() -> bool:
        try:
            other.command("SELECT 1", query_id="the very id")
        except ServerError as error:
            codes.append(error.code)
            return True
        return False

    def rows() -> Any:
        for _ in range(75):  # the insert has to be there first: a SELECT with its id would refuse it
            yield from big_rows(100)
            time.sleep(0.01)  # and whoever sends has to have its turn between these
        eventually(refused, True)
        yield 0, "last"

    result = client.insert(table, rows(), query_id="the very id", compression="none")
    assert result.query_id == "the very id"
    assert codes == [216]
    assert target.count(table) == 7501


def test_ids_are_new_ones_every_time(client: Facade, table: str) -> None:
    ids = {client.insert(table, [(1, "x")]).query_id for _ in range(3)}
    assert len(ids) == 3
    assert all(one and len(one) == 36 for one in ids)


def test_a_token_makes_repeating_harmless(client: Facade, target: Target) -> None:
    target.need_modern("deduplication by tokens")
    window = "MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100"
    table = target.create(SCHEMA, window)
    for _ in range(3):
        assert client.insert(table, [(1, "x"), (2, "y")], deduplication_token="one").rows == 2
    client.insert(table, [(1, "x"), (2, "y")], deduplication_token="two")
    assert target.count(table) == 4
    for deduplicate, expected in ((True, 5), (True, 5), (False, 6)):
        client.insert(table, [(3, "z")], deduplicate=deduplicate)
        assert target.count(table) == expected


# --- results


def test_no_rows_make_no_request(rows_kind: Kind, target: Target, table: str, connect: Connect) -> None:
    if not target.http:
        result = connect(rows_kind, target.url).insert(table, [])
        assert (result.rows, result.query_id) == (0, None)
        return
    with Recorder(target.port) as proxy:
        client = connect(rows_kind, target.at(proxy.port))
        for rows in ([], [(-1, "bad")]):
            result = client.insert(table, rows, on_error=lambda *_: None)
            assert (result.rows, result.written_rows, result.raw_bytes, result.sent_bytes) == (0, 0, 0, 0)
            assert result.query_id is None
        assert client.insert_encoded(table, b"").sent_bytes == 0
        bodies = [one.body for one in proxy.requests]
        assert [body.split()[0] for body in bodies] == [b"SELECT", b"DESCRIBE"]
    assert target.count(table) == 0


@pytest.mark.parametrize("compression", ["lz4", "zstd", "none", "http-gzip"])
@pytest.mark.parametrize("count", [3, 2500], ids=["one piece", "many"])
def test_results_say_what_went_over_the_wire(
    rows_kind: Kind, target: Target, table: str, connect: Connect, compression: str, count: int
) -> None:
    if not target.http:
        pytest.skip("there is no wire")
    with Recorder(target.port) as proxy:
        client = connect(rows_kind, target.at(proxy.port), compression=compression)
        result = client.insert(table, big_rows(count))
        body = proxy.inserts[0].body
    raw = b"".join(decompress_frames([body])) if compression in ("lz4", "zstd") else body
    raw = gzip.decompress(raw) if compression == "http-gzip" else raw
    assert (result.rows, result.raw_bytes, result.sent_bytes) == (count, len(raw), len(body))
    if target.modern:
        found = native_blocks.rows_of(raw, rowbinary.Schema.of(SCHEMA))
        assert found == [(number.to_bytes(8, "little"), text.encode()) for number, text in big_rows(count)]
        assert (len(native_blocks.blocks(raw)) > 1) == (count == 2500)
    else:
        assert len(raw) == sum(8 + 2 + 1000 for _ in range(count))
    assert result.written_rows == (count if target.modern else None)
    assert result.summary.get("written_rows") == result.written_rows
    check_timings(result.timings, compression)


def check_timings(timings: Any, compression: str) -> None:
    """Every stage took some time, and none more than all."""
    stages = [timings.encode, timings.compress, timings.connect, timings.send, timings.answer]
    assert min(stages) >= 0
    assert timings.encode > 0
    assert timings.answer > 0
    assert timings.encode + timings.answer < timings.total < 60
    assert (timings.compress > 0) or compression == "none"


@pytest.mark.parametrize("count", [1, 3, 20_000])
def test_results_of_the_embedded_engine(
    rows_kind: Kind, target: Target, table: str, connect: Connect, count: int
) -> None:
    if target.http:
        pytest.skip("it is not the embedded engine")
    result = connect(rows_kind, target.url).insert(table, big_rows(count))
    assert (result.rows, result.written_rows) == (count, count)
    assert result.raw_bytes == result.sent_bytes
    assert 19 <= result.raw_bytes - count * 1010 <= 30 * (1 + count // 100)  # what blocks begin with
    check_timings(result.timings, "none")


def test_progress_is_told_after_every_chunk(rows_client: Facade, target: Target, table: str) -> None:
    told: list[InsertProgress] = []
    result = rows_client.insert(table, big_rows(5000), progress=told.append)
    assert len(told) >= 4
    rows = [one.rows for one in told]
    assert rows == sorted(rows, key=lambda one: one or 0)
    assert told[-1] == InsertProgress(5000, result.raw_bytes, result.sent_bytes)
    assert 0 < told[0].raw_bytes < told[-1].raw_bytes
    told.clear()
    rows_client.insert(table, [(1, "x")], progress=told.append)
    assert told[-1].rows == 1


# --- statements


def test_queries(client: Facade, target: Target) -> None:
    if not target.modern:
        with pytest.raises(ServerError) as info:
            client.query("SELECT 1")
        assert info.value.code == 73
        return
    result = client.query("SELECT number AS n, toString(number) AS s FROM numbers(3);  ")
    assert (result.names, [str(one) for one in result.types]) == (("n", "s"), ["UInt64", "String"])
    assert list(result) == result.rows == [(0, "0"), (1, "1"), (2, "2")]
    assert len(result) == 3
    assert result.dicts()[1] == {"n": 1, "s": "1"}
    assert client.query("SELECT toDate('2024-02-29') -- a comment").rows == [(dt.date(2024, 2, 29),)]
    assert client.query("SELECT 1 WHERE 0").rows == []
    assert client.query("SELECT getSetting('max_threads')", settings={"max_threads": 3}).rows == [(3,)]
    with pytest.raises(ServerError) as info:
        client.query("SELECT throwIf(number = 10) FROM numbers(20)", query_id="named")
    assert (info.value.code, info.value.name) == (395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO")
    assert info.value.query_id == "named"


def test_commands(client: Facade, target: Target, table: str) -> None:
    assert client.command(f"INSERT INTO {table} VALUES (1, 'x')") == ""
    assert client.command(f"SELECT a, s FROM {table}") == "1\tx"
    assert client.command(f"SELECT a, s FROM {table} FORMAT CSV") == '1,"x"'
    assert client.command("SELECT '" + "ä" * 300_000 + "'") == "ä" * 300_000
    for nothing in ("", "  ", None):
        with pytest.raises(ValueError, match="the statement must be"):
            client.command(nothing)  # type: ignore[arg-type]


def test_answers_that_are_too_large(client: Facade, target: Target) -> None:
    sql = "SELECT number FROM system.numbers LIMIT 100000"
    size = len(client.command(sql)) + 1
    assert len(client.command(sql, max_bytes=size)) == size - 1
    for limit in (size - 1, 1000, 1):
        with pytest.raises(TransportError, match=rf"more than {limit} bytes \(max_bytes\)") as info:
            client.command(sql, max_bytes=limit)
        assert not info.value.retryable
    assert client.command("SELECT 1") == "1"


def test_versions(client: Facade, target: Target) -> None:
    text = target.ask("SELECT version()").strip().split(".")
    assert client.server_version() == tuple(map(int, text[:2]))
    assert client.server_version() == client.server_version()


def test_the_version_is_asked_for_once(kind: Kind) -> None:
    with Canned(answers("26.9.1.1", reply(), reply())) as server, Facade(kind, server.url) as client:
        assert client.server_version() == (26, 9)
        for _ in range(2):
            client.insert("t", [(1, "x")], schema=SCHEMA)
        assert len(server.requests) == 3
