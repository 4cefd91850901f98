"""Requests of the HTTP interface byte by byte, the names in statements, and the headers of answers."""

from __future__ import annotations

import json
import string
import urllib.parse
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rowbinary import frames
from rowbinary._address import Address
from rowbinary._pipeline import packer
from rowbinary._version import __version__
from rowbinary.protocol import (
    MAX_STATEMENT,
    MAX_TARGET,
    Answer,
    Request,
    Table,
    insert_request,
    insert_statement,
    quote_column,
    statement_request,
)

HERE = Address("http", "db.example", 8123)
STATEMENT = "INSERT INTO `t` FORMAT RowBinary"
ASCII = "".join(map(chr, range(128)))
FOREIGN = "é ☃ \U0001f40d \u2028"


def query_of(request: Request) -> dict[str, str]:
    """The parameters of the request line as any server reads them; none may come twice."""
    pairs = urllib.parse.parse_qsl(
        request.target.partition("?")[2], keep_blank_values=True, strict_parsing=True, errors="strict"
    )
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


# --- requests -------------------------------------------------------------------------------------


def test_an_insert_request_byte_by_byte() -> None:
    address = Address("http", "h", 1, "d", "u", "p", settings=(("a", "1"),))
    request = insert_request(
        address, "INSERT INTO `t`", query_id="q", compression="lz4", settings=[("b", "x y")]
    )
    assert request.target == "/?a=1&b=x%20y&decompress=1&query_id=q&database=d&query=INSERT%20INTO%20%60t%60"
    assert request.headers == {
        "X-ClickHouse-User": "u",
        "X-ClickHouse-Key": "p",
        "Content-Type": "application/octet-stream",
        "Accept-Encoding": "identity",
        "User-Agent": f"rowbinary/{__version__}",
    }
    assert (request.prefix, request.query_id, request.deferrable) == (b"", "q", True)


def test_a_statement_request_byte_by_byte() -> None:
    address = Address("http", "h", 1, path="/clickhouse/")
    request = statement_request(address, "SELECT 'é'", query_id="q", settings=[("a", "&=")])
    assert request.target == "/clickhouse/?a=%26%3D&query_id=q"
    assert request.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert request.prefix == "SELECT 'é'".encode()
    assert not request.deferrable


@pytest.mark.parametrize("character", [*ASCII, *FOREIGN], ids=ascii)
def test_every_character_reaches_the_server_in_every_parameter(character: str) -> None:
    text = f"a{character}b"
    address = Address("http", "h", 1, text)
    request = insert_request(address, text, query_id=text, compression="none", settings=[("s", text)])
    assert query_of(request) == {"query": text, "s": text, "query_id": text, "database": text}
    # Nothing that ends a parameter, a request line or a header is there as it is, and no blank is a '+'.
    assert set(request.target) <= set(string.ascii_letters + string.digits + "/?&=%-._~")


@given(*[st.text(st.characters(exclude_categories=["Cs"]), max_size=30)] * 4)
def test_parameters_parse_back(statement: str, value: str, database: str, query_id: str) -> None:
    address = Address("http", "h", 1, database, settings=(("one", value), ("two", "2")))
    request = insert_request(
        address, statement, query_id=query_id, compression="zstd", settings=[("two", "3")]
    )
    meant = {
        "query": statement, "one": value, "two": "3", "decompress": "1",
        "query_id": query_id, "database": database,
    }  # fmt: skip
    assert query_of(request) == meant


def test_roles_come_several_times_and_do_not_replace_each_other() -> None:
    request = insert_request(
        HERE, STATEMENT, query_id="q", compression="none", settings=[("role", "a"), ("role", "b&c")]
    )
    pairs = urllib.parse.parse_qs(request.target.partition("?")[2])
    assert pairs["role"] == ["a", "b&c"]


@pytest.mark.parametrize(
    ("compression", "encoding", "framed"),
    [
        ("lz4", None, True),
        ("zstd", None, True),
        ("none", None, False),
        ("http-gzip", "gzip", False),
        ("http-lz4", "lz4", False),
        ("http-zstd", "zstd", False),
    ],
)
def test_how_the_body_is_compressed_is_said_once(
    compression: str, encoding: str | None, framed: bool
) -> None:
    request = insert_request(HERE, STATEMENT, query_id="q", compression=compression)
    assert request.headers.get("Content-Encoding") == encoding
    assert query_of(request).get("decompress") == ("1" if framed else None)


@pytest.mark.parametrize("token", [None, "to.ken"])
def test_no_secret_is_in_the_target(token: str | None) -> None:
    address = Address("http", "h", 1, "d", None if token else "alice", None if token else "s3cret", token)
    for request in (
        insert_request(address, STATEMENT, query_id="q", compression="lz4"),
        insert_request(address, STATEMENT + " " * MAX_TARGET, query_id="q", compression="lz4"),
        statement_request(address, "SELECT 1", query_id="q"),
    ):
        for secret in ("alice", "s3cret", "to.ken"):
            assert secret not in request.target
            assert secret not in repr(request)
        assert ("Bearer to.ken" if token else "s3cret") in request.headers.values()


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd", "http-gzip"])
def test_a_statement_too_long_for_the_url_begins_the_body(compression: str) -> None:
    room = MAX_TARGET - len(insert_request(HERE, "", query_id="q", compression=compression).target)
    fits = insert_request(HERE, "x" * room, query_id="q", compression=compression)
    assert len(fits.target) == MAX_TARGET
    assert fits.prefix == b""
    moved = insert_request(HERE, "x" * (room + 1), query_id="q", compression=compression)
    assert moved.prefix == b"x" * (room + 1) + b"\n"
    assert not moved.deferrable  # the server knows nothing that it could refuse
    assert query_of(moved) == {key: value for key, value in query_of(fits).items() if key != "query"}


@pytest.mark.parametrize("method", ["lz4", "zstd"])
def test_a_statement_in_the_body_is_inside_the_frames(method: str) -> None:
    request = insert_request(HERE, "é" * 5_000, query_id="q", compression=method)
    body = packer(method)(request.prefix + b"rows")
    assert b"".join(frames.decompress_frames([bytes(body)])) == ("é" * 5_000).encode() + b"\nrows"
    assert query_of(request)["decompress"] == "1"


@pytest.mark.parametrize(("size", "stated"), [(MAX_STATEMENT, None), (MAX_STATEMENT + 1, MAX_STATEMENT + 2)])
def test_a_statement_that_the_server_would_not_parse_states_its_size(size: int, stated: int | None) -> None:
    for request in (
        insert_request(HERE, "x" * size, query_id="q", compression="none"),
        statement_request(HERE, "x" * size, query_id="q"),
    ):
        assert query_of(request).get("max_query_size") == (None if stated is None else str(stated))
        assert request.prefix.rstrip(b"\n") == b"x" * size


def test_a_statement_counts_in_bytes_not_in_characters() -> None:
    text = "é" * (MAX_STATEMENT // 2 + 1)
    for request in (
        insert_request(HERE, text, query_id="q", compression="none"),
        statement_request(HERE, text, query_id="q"),
    ):
        assert query_of(request)["max_query_size"] == str(len(text.encode()) + 1)


def test_a_smaller_max_query_size_of_the_user_gives_way() -> None:
    address = Address("http", "h", 1, settings=(("max_query_size", "300000"),))
    request = insert_request(address, "x" * 400_000, query_id="q", compression="none")
    assert query_of(request)["max_query_size"] == "400001"


def test_settings_that_no_url_holds_are_refused() -> None:
    long = [("log_comment", "x" * MAX_TARGET)]
    with pytest.raises(ValueError, match="the settings make a URL of"):
        insert_request(HERE, STATEMENT, query_id="q", compression="lz4", settings=long)
    with pytest.raises(ValueError, match="the settings make a URL of"):
        statement_request(HERE, "SELECT 1", query_id="q", settings=long)


# --- statements -----------------------------------------------------------------------------------

HOSTILE = ["a`b", "a\\b", "a\\`b", "\\", "`", "a'b", 'a"b', "a\nb", "\r", "\t", "\0", "\x7f", " ", ".", "a.b"]
HOSTILE += [
    "--",
    "/*",
    "*/",
    ";",
    ") VALUES (1",
    "é☃\U0001f40d",
    "\u2028",
    "%41",
    "{a:b}",
    "\\n",
    "\\x41",
    "''",
]


def keeps_name(engine: Any, name: str) -> None:
    """The engine makes a table and a column of exactly this name, finds both, and inserts into them."""
    engine.query("CREATE DATABASE IF NOT EXISTS names")
    table = Table("names", name)
    engine.query(f"DROP TABLE IF EXISTS {table.sql}")
    engine.query(f"CREATE TABLE {table.sql} ({quote_column(name)} UInt8, other UInt8) ENGINE = Memory")
    engine.query(insert_statement(table, [name], "Values") + " (7)")
    sql = f"SELECT table, name FROM system.columns WHERE {table.condition('table')} ORDER BY position"
    answer = json.loads(engine.query(sql, "JSONCompact").bytes())
    rows = json.loads(engine.query(f"SELECT * FROM {table.sql}", "JSON").bytes())
    engine.query(f"DROP TABLE {table.sql}")
    assert answer["data"] == [[name, name], [name, "other"]]
    assert rows["data"] == [{name: 7, "other": 0}]


@pytest.mark.engine
@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_the_engine_takes_every_hostile_name_as_it_is(engine: Any, name: str) -> None:
    keeps_name(engine, name)


@pytest.mark.engine
@settings(max_examples=50)
@given(
    st.text(
        st.characters(exclude_categories=["Cs"]) | st.sampled_from("`\\'\".\n-/*"), min_size=1, max_size=20
    )
)
def test_the_engine_takes_any_name_as_it_is(engine: Any, name: str) -> None:
    if name != "other" and len(name.encode()) < 60:  # a table's name is a file's
        keeps_name(engine, name)


@pytest.mark.engine
def test_a_condition_without_a_database_means_the_current_one(engine: Any) -> None:
    engine.query("CREATE TABLE default.here_only (x UInt8) ENGINE = Memory")
    for table, found in ((Table(None, "here_only"), b"1"), (Table("system", "here_only"), b"0")):
        sql = f"SELECT count() FROM system.tables WHERE {table.condition('name')}"
        assert engine.query(sql, "TSV").bytes().strip() == found
    engine.query("DROP TABLE default.here_only")


@pytest.mark.parametrize(
    ("text", "table", "sql"),
    [
        ("t", Table(None, "t"), "`t`"),
        ("d.t", Table("d", "t"), "`d`.`t`"),
        ("a`b.c\\", Table("a`b", "c\\"), "`a\\`b`.`c\\\\`"),
        ("with blank", Table(None, "with blank"), "`with blank`"),
    ],
)
def test_tables_from_texts(text: str, table: Table, sql: str) -> None:
    assert Table.parse(text) == Table.of(text) == Table.of(table) == table
    assert table.sql == sql
    assert str(table) == text


@pytest.mark.parametrize(
    "text", ["", ".", "a.", ".a", "a.b.c", "a..b", "a\0b", None, 5, b"t", ["t"]], ids=ascii
)
def test_texts_that_name_no_table(text: Any) -> None:
    with pytest.raises(ValueError, match="table"):
        Table.of(text)


def test_insert_statements() -> None:
    table = Table("d", "t")
    assert insert_statement(table, (), "RowBinary") == "INSERT INTO `d`.`t` FORMAT RowBinary"
    assert insert_statement(table, ["a", "b.c"], "F") == "INSERT INTO `d`.`t` (`a`, `b.c`) FORMAT F"


@pytest.mark.parametrize(
    "format",
    ["", " ", "CSV ", "CSV\n", "CSV;", "CSV SETTINGS x=1", "1", "`CSV`", "é", "a-b", None, 1],
    ids=ascii,
)
def test_formats_that_are_no_names_are_refused(format: Any) -> None:
    with pytest.raises(ValueError, match="is not the name of a format"):
        insert_statement(Table(None, "t"), (), format)


# --- headers of answers ---------------------------------------------------------------------------


def header(name: str, text: str) -> Answer:
    return Answer(200, {name: text})


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ('{"written_rows":"3","new_key":"5"}', {"written_rows": 3, "new_key": 5}),
        ('{"written_rows":3}', {"written_rows": 3}),
        ('{"a":"-1","b":"x","c":null,"d":1.5,"e":true,"f":[1],"g":"","h":"2"}', {"h": 2}),
        ("", {}),
        ("null", {}),
        ("[1]", {}),
        ('"3"', {}),
        ("{", {}),
        ('{"a":' + "9" * 5_000 + "}", {}),
        ('{"a":"' + "9" * 5_000 + '"}', {}),
        ("[" * 100_000, {}),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_the_summary_has_counts_or_nothing(text: str, summary: dict[str, int]) -> None:
    assert header("x-clickhouse-summary", text).summary == summary
    assert Answer(200, {}).summary == {}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("99999", 99999.0),
        ("100000", None),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", None),
        ("inf", None),
        ("nan", None),
        ("١", None),
        ("²", None),
    ],
)
def test_retry_after_is_seconds_or_nothing(text: str, seconds: float | None) -> None:
    assert header("retry-after", text).retry_after == seconds
    assert Answer(503, {}).retry_after is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("timeout=10", 10.0),
        ("timeout=30, max=9999", 30.0),
        ("max=5, timeout=3", 3.0),
        ("timeout=x", None),
        ("timeout=-1", None),
        ("timeout=", None),
        ("", None),
    ],
)
def test_keep_alive_is_seconds_or_nothing(text: str, seconds: float | None) -> None:
    assert header("keep-alive", text).keep_alive == seconds
