"""The accelerated synchronous client over HTTP: what goes over the wire, what lands, and what is raised."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import connect_http
import pytest
from connect_http import (
    TYPES,
    Caller,
    Kind,
    Shape,
    big,
    columns,
    count,
    describes_of,
    inserts_of,
    make_table,
    of_shape,
    parameters,
)  # fmt: skip
from front_process import Front, installed
from http_proxies import Recorder

pytest.importorskip("clickhouse_connect", reason="clickhouse-connect is not installed")

from clickhouse_connect.driver.exceptions import (
    DatabaseError,
    ProgrammingError,
)

from rowbinary.connect import RowShapeError

# Fixtures.
blocks = connect_http.blocks
proxy = connect_http.proxy
ours = connect_http.ours

SHAPES: tuple[Shape, ...] = ("list", "generator")
COMPARE = "input_format_native_allow_types_conversion"


# --- bodies ---------------------------------------------------------------------------------------

METHODS = [True, False, "lz4", "zstd", "gzip", *(["br"] if installed("brotli") else [])]
ENCODINGS = {True: "lz4", False: ""}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("method", METHODS)
def test_compression(front: Front, proxy: Recorder, blocks: None, method: Any, shape: Shape) -> None:
    """One block and many; the statement is in the body, and as compressed as that."""
    table = make_table(front)
    with Caller("sync", proxy.port, compress=method) as ours:
        assert ours.insert(table, of_shape(shape, big(3))).written_rows == 3
        assert ours.insert(table, of_shape(shape, big(2000, start=3))).written_rows == 2000
    small, large = inserts_of(proxy)
    for insert in (small, large):
        assert insert.statement == f"INSERT INTO `{table}` (`a`, `s`) FORMAT Native"
        assert "INSERT" not in insert.request.first_line
        assert insert.request.headers.get("content-encoding", "") == ENCODINGS.get(method, method)
        assert insert.request.headers["content-type"] == "application/octet-stream"
        assert (b"`s`) FORMAT" in insert.request.wire_body) == (
            method is False or "lz4" in (method, ENCODINGS.get(method))
        )
    assert len(large.request.chunks) > 4
    found = columns(front, f"SELECT count(), sum(a), uniqExact(a), min(length(s)) FROM {table}")
    assert found == [["2003", str(sum(range(2003))), "2003", "1000"]]


def test_deflate(front: Front) -> None:
    """clickhouse-connect reads it, but has nothing to write it with."""
    table = make_table(front)
    for ours in (False, True):
        with Caller("sync", front.port, ours=ours, compress="deflate") as caller:
            assert caller.attempt(table, [[1, "x"]]).kind == "KeyError"


@pytest.mark.parametrize("shape", SHAPES)
def test_hundreds_of_thousands_of_rows(front: Front, proxy: Recorder, ours: Caller, shape: Shape) -> None:
    """Blocks of some MiB, as they are without a test's doing."""
    table = make_table(front, "a UInt64, b Nullable(Int32), s String, t DateTime")
    rows = ((n, None if n % 3 else n, f"row {n}", 1_700_000_000 + n) for n in range(400_000))
    summary = ours.insert(table, list(rows) if shape == "list" else rows)
    assert summary.written_rows == 400_000
    assert summary.query_id()
    assert isinstance(summary.written_bytes(), int)
    (insert,) = inserts_of(proxy)
    assert len(insert.body) > 10 << 20
    assert 2 < len(insert.request.chunks) < 10
    sums = "count(), sum(a), sum(b), sum(sipHash64(s) % 1000), sum(toUInt32(t))"
    same = "number AS a, if(a % 3, NULL, a)::Nullable(Int32) AS b, concat('row ', toString(a)) AS s"
    expected = f"SELECT {sums} FROM (SELECT {same}, toDateTime(1700000000 + a) AS t FROM numbers(400000))"
    assert columns(front, f"SELECT {sums} FROM {table}") == columns(front, expected)


def test_columns_over_http(front: Front, ours: Caller, blocks: None) -> None:
    """Columns of all kinds are many blocks too."""
    table = make_table(front)
    numbers, texts = zip(*big(3000), strict=True)
    ours.insert(table, [list(numbers), list(texts)], column_oriented=True)
    np = pytest.importorskip("numpy", reason="numpy is not installed")
    ours.insert(table, [np.array(numbers), np.array(texts)], column_oriented=True)
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    ours.client.insert_df(table, pd.DataFrame({"a": numbers, "s": texts}))
    assert columns(front, f"SELECT count(), sum(a), uniqExact(a, s) FROM {table}") == [
        ["9000", str(3 * sum(range(3000))), "3000"]
    ]


def test_no_rows(front: Front, proxy: Recorder, ours: Caller) -> None:
    """No INSERT is sent, whatever the rows are missing from."""
    table = make_table(front)
    empty: list[Any] = []
    for nothing in (empty, (), iter(empty), (row for row in empty)):
        summary = ours.insert(table, nothing)
        assert (summary.written_rows, summary.summary) == (0, {})
    assert not inserts_of(proxy)
    assert describes_of(proxy) == 1


def test_context_is_used_again(front: Front, proxy: Recorder, ours: Caller) -> None:
    """Empty after an insert, as after a failed one."""
    table = make_table(front)
    context = ours.client.create_insert_context(table, data=[[1, "x"]])
    assert ours.client.insert(context=context).written_rows == 1
    for rows in ([[2, "y"], [3, "z"]], iter([[4, "w"]])):
        ours.client.insert(context=context, data=rows)
        assert context.data is None
        assert context.empty
    with pytest.raises(DatabaseError):
        ours.client.insert(context=context, data=[[5, "v"], [6, object()]])
    assert context.data is None
    with pytest.raises(ProgrammingError):
        ours.client.insert(context=context)
    assert columns(front, f"SELECT a FROM {table} ORDER BY a") == [["1"], ["2"], ["3"], ["4"]]
    assert describes_of(proxy) == 1


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize("ours_too", [False, True], ids=["plain", "ours"])
def test_settings(front: Front, proxy: Recorder, ours_too: bool) -> None:
    """Those of the call are in the URL of both requests; the query id is that of the INSERT."""
    table = make_table(front)
    settings = {"insert_deduplication_token": "tok", "query_id": f"id-{table}", "async_insert": False}
    with Caller("sync", proxy.port, ours=ours_too, settings={"max_threads": 2}) as caller:
        summary = caller.insert(
            table, [[1, "x"]], settings=settings, transport_settings={"X-Workload": "night", "X-B": "2"}
        )
    assert summary.query_id() == f"id-{table}"
    (insert,) = inserts_of(proxy)
    given = parameters(insert.request)
    assert given["query_id"] == f"id-{table}"
    assert given["insert_deduplication_token"] == "tok"
    assert given["max_threads"] == "2"
    assert given["session_id"]
    assert "wait_end_of_query" not in given
    assert (insert.request.headers["x-workload"], insert.request.headers["x-b"]) == ("night", "2")
    (describe,) = [one for one in proxy.requests if one.body.startswith(b"DESCRIBE")]
    assert parameters(describe)["query_id"] == ""
    assert parameters(describe)["insert_deduplication_token"] == "tok"


def test_query_id_with_a_known_table(front: Front, proxy: Recorder, ours: Caller) -> None:
    """What differs from call to call is no reason to describe again."""
    table = make_table(front)
    for number in range(3):
        settings = {"query_id": f"{table}-{number}", "insert_deduplication_token": str(number)}
        assert ours.insert(table, [[1, "x"]], settings=settings).query_id() == f"{table}-{number}"
    assert describes_of(proxy) == 1
    ids = [parameters(one.request)["query_id"] for one in inserts_of(proxy)]
    assert ids == [f"{table}-{number}" for number in range(3)]


def test_databases(front: Front, proxy: Recorder) -> None:
    """By argument, in the name, by the client: each is another table, also when they are remembered."""
    name = make_table(front)
    other = f"other_{name}"
    front.query(f"CREATE DATABASE {other}")
    front.query(f"CREATE TABLE {other}.{name} (b String) ENGINE = Memory")
    free: dict[str, Any] = {"autogenerate_session_id": False}  # a session has a database of its own
    with (
        Caller("sync", proxy.port, **free) as ours,
        Caller("sync", proxy.port, database=other, **free) as elsewhere,
    ):
        for _ in range(2):
            ours.insert(name, [[1, "x"]])
            ours.insert(name, [["by argument"]], database=other)
            ours.insert(f"{other}.{name}", [["by name"]])
            elsewhere.insert(name, [["by client"]])
        # The client's own database may change after a table was remembered.
        ours.client.database = other
        ours.insert(name, [["by attribute"]])
        ours.client.database = "default"
        ours.insert(name, [[2, "y"]])
    assert count(front, name) == 3
    rows = columns(front, f"SELECT b, count() FROM {other}.{name} GROUP BY b ORDER BY b")
    assert rows == [["by argument", "2"], ["by attribute", "1"], ["by client", "2"], ["by name", "2"]]
    front.query(f"DROP DATABASE {other}")


# --- remembered tables ----------------------------------------------------------------------------


def test_one_description(front: Front, proxy: Recorder, ours: Caller) -> None:
    table = make_table(front)
    for number in range(10):
        ours.insert(table, [[number, "x"]])
        ours.insert(table, [[number]], column_names="a")
        ours.insert(table, [["s", number]], column_names=["s", "a"])
    assert describes_of(proxy) == 1
    inserts = inserts_of(proxy)
    assert len(inserts) == 30
    assert [parameters(one.request).get(COMPARE) for one in inserts] == [None] + ["0"] * 29
    assert count(front, table) == 30


@pytest.mark.parametrize("extra", ["", ", e Enum8('a' = 1, 'b' = 2)", ", t Tuple(x Int8, y Int8)"])
def test_described_each_time(front: Front, proxy: Recorder, extra: str) -> None:
    """When that is wished; and for types that the server does not compare."""
    table = make_table(front, f"a UInt64{extra}")
    row = [1, *([1] if "Enum" in extra else [(1, 2)] if extra else [])]
    with Caller("sync", proxy.port, schema_ttl=60 if extra else 0) as ours:
        for _ in range(4):
            ours.insert(table, [row])
    assert describes_of(proxy) == 4
    assert all(COMPARE not in parameters(one.request) for one in inserts_of(proxy))


def test_descriptions_age(front: Front, proxy: Recorder) -> None:
    table = make_table(front)
    with Caller("sync", proxy.port, schema_ttl=0.2) as ours:
        for _ in range(2):
            for _ in range(2):
                ours.insert(table, [[1, "x"]])
            threading.Event().wait(0.25)
    assert describes_of(proxy) == 2


ALTERS: dict[str, tuple[str, list[Any], list[list[str]]]] = {
    "type": ("MODIFY COLUMN a Int32", [(1, "x"), (-2, "y")], [["-2", "y"], ["1", "x"]]),
    "nullable": ("MODIFY COLUMN s Nullable(String)", [(1, None), (2, "y")], [["1", "\\N"], ["2", "y"]]),
    "text": ("MODIFY COLUMN a String", [("one", "x")], [["one", "x"]]),
    "drop": ("DROP COLUMN s", [(1,), (2,)], [["1"], ["2"]]),
    "add": ("ADD COLUMN z Int8", [(1, "x", -1)], [["1", "x", "-1"]]),
    "rename": ("RENAME COLUMN s TO r", [(1, "x")], [["1", "x"]]),
    "materialized": ("MODIFY COLUMN s String MATERIALIZED 'm'", [(1,), (2,)], [["1"], ["2"]]),
}


@pytest.mark.parametrize("format", ["Native", "RowBinary"])
@pytest.mark.parametrize("name", ALTERS)
def test_altered_tables(front: Front, proxy: Recorder, name: str, format: str) -> None:
    """An insert with an old description is refused, described again and repeated; the caller sees nothing."""
    change, rows, stored = ALTERS[name]
    table = make_table(front)
    with Caller("sync", proxy.port, format=format) as ours:
        ours.insert(table, [[0, "before"]])
        ours.insert(table, [[0, "before"]])
        front.query(f"TRUNCATE TABLE {table}")
        front.query(f"ALTER TABLE {table} {change}")
        assert ours.insert(table, rows).written_rows == len(rows)
        assert sorted(columns(front, f"SELECT * FROM {table}")) == stored
        assert describes_of(proxy) == 2
        for _ in range(3):
            ours.insert(table, rows)
        assert describes_of(proxy) <= 3
    assert count(front, table) == 4 * len(rows)


@pytest.mark.parametrize("shape", SHAPES)
def test_altered_tables_and_many_blocks(front: Front, ours: Caller, blocks: None, shape: Shape) -> None:
    """Rows that cannot be read again are an error once; nothing of them is stored, or cast."""
    table = make_table(front)
    ours.insert(table, [[0, "before"]])
    front.query(f"ALTER TABLE {table} MODIFY COLUMN a Int64")
    seen = ours.attempt(table, of_shape(shape, big(2000)))
    if shape == "list":
        assert seen.good
    else:
        assert (seen.kind, seen.code) == ("DatabaseError", 53)
        assert count(front, table) == 1
        ours.insert(table, of_shape(shape, big(2000)))
    assert count(front, table) == 2001


def test_recreated_tables(front: Front, ours: Caller) -> None:
    """A name that has become another table's."""
    table = make_table(front)
    ours.insert(table, [[0, "before"]])
    front.query(f"DROP TABLE {table}")
    seen = ours.attempt(table, [[0, "between"]])
    assert (seen.kind, seen.code, seen.name) == ("DatabaseError", 60, "UNKNOWN_TABLE")
    front.query(f"CREATE TABLE {table} (x String) ENGINE = Memory")
    ours.insert(table, [["after"]])
    assert columns(front, f"SELECT * FROM {table}") == [["after"]]


def test_never_a_silent_cast(front: Front, ours: Caller) -> None:
    """The server would cast UInt64 to UInt8 modulo 256; the repeated insert refuses the value instead."""
    table = make_table(front)
    ours.insert(table, [[0, "before"]])
    front.query(f"TRUNCATE TABLE {table}")
    front.query(f"ALTER TABLE {table} MODIFY COLUMN a UInt8")
    seen = ours.attempt(table, [[256, "x"]])
    assert seen.kind == "ValueRefusedError"
    assert count(front, table) == 0


def test_rows_too_long_for_good(front: Front, proxy: Recorder, ours: Caller) -> None:
    """The table may have got a column; it is asked once, and then it is the caller's error."""
    table = make_table(front)
    ours.insert(table, [[0, "before"]])
    with pytest.raises(RowShapeError):
        ours.insert(table, [[1, "x"], [2, "y", "z"]])
    with pytest.raises(ProgrammingError):
        ours.insert(table, [[2, "y", "z"]])
    assert describes_of(proxy) == 3
    assert count(front, table) == 1


# --- sessions and threads -------------------------------------------------------------------------


@pytest.mark.parametrize("ours_too", [False, True], ids=["plain", "ours"])
def test_one_session_is_for_one_call(front: Front, ours_too: bool) -> None:
    """Two calls at once in a session are an error of the program; the next is well again."""
    table = make_table(front)
    with Caller("sync", front.port, ours=ours_too) as caller, ThreadPoolExecutor(1) as pool:
        caller.insert(table, [[0, "before"]])
        first = pool.submit(
            caller.insert, table, [[1, "x"]], settings={"log_comment": "/* sleep 0.5 */"}, **TYPES
        )
        threading.Event().wait(0.2)
        seen = caller.attempt(table, [[2, "y"]], **TYPES)
        assert seen.kind == "ProgrammingError"
        assert "concurrent queries within the same session" in str(seen.error)
        first.result()
        caller.insert(table, [[3, "z"]])
    assert columns(front, f"SELECT a FROM {table} ORDER BY a") == [["0"], ["1"], ["3"]]


def test_rows_that_ask_in_the_same_session(front: Front, ours: Caller, blocks: None) -> None:
    """Rows that come from a query of the same client, while they are sent: that is two calls at once."""
    table = make_table(front)

    def rows() -> Iterator[Any]:
        yield from big(3000)
        yield ours.client.command("SELECT 1"), "one"

    with pytest.raises(ProgrammingError, match="concurrent queries within the same session"):
        ours.insert(table, rows())
    assert count(front, table) == 0
    assert ours.client.command("SELECT 1") == 1


@pytest.mark.parametrize(("tables", "times"), [(1, 50), (8, 20)])
def test_threads(front: Front, tables: int, times: int) -> None:
    """Eight threads with one client: nothing is lost, doubled or mixed."""
    names = [make_table(front, f"t UInt8, n UInt32, s{number} String") for number in range(tables)]
    with Caller("sync", front.port, autogenerate_session_id=False) as ours, ThreadPoolExecutor(8) as pool:

        def run(thread: int) -> None:
            for number in range(times):
                rows = [(thread, number * 10 + row, f"{thread} {number * 10 + row}") for row in range(10)]
                ours.insert(names[thread % tables], iter(rows) if number % 2 else rows)

        list(pool.map(run, range(8)))
    for number, name in enumerate(names):
        wrong = f"sum(s{number} != format('{{}} {{}}', t, n))"
        sql = f"SELECT t, count(), uniqExact(n), {wrong} FROM {name} GROUP BY t ORDER BY t"
        found = columns(front, sql)
        threads = range(8) if tables == 1 else [number]
        assert found == [[str(thread), str(10 * times), str(10 * times), "0"] for thread in threads]


def test_threads_and_many_blocks(front: Front, blocks: None) -> None:
    """Bodies that are made while they are sent, at the same time."""
    table = make_table(front)
    with Caller("sync", front.port, autogenerate_session_id=False) as ours, ThreadPoolExecutor(4) as pool:
        shapes = itertools.cycle(SHAPES)
        jobs = [
            pool.submit(ours.insert, table, of_shape(next(shapes), big(1500, start=1500 * number)))
            for number in range(12)
        ]
        assert {job.result().written_rows for job in jobs} == {1500}
    total = 12 * 1500
    assert columns(front, f"SELECT count(), sum(a) FROM {table}") == [[str(total), str(sum(range(total)))]]


def test_two_accelerated_clients_share_connections(front: Front) -> None:
    """But not what they remember, nor options."""
    table = make_table(front)
    kind: Kind = "sync"
    with contextlib.ExitStack() as stack:
        one, two = (stack.enter_context(Caller(kind, front.port, lax=lax)) for lax in (False, True))
        assert one.attempt(table, [[1.5, "x"]]).kind == "ValueRefusedError"
        two.insert(table, [[1.5, "x"]])
    assert columns(front, f"SELECT * FROM {table}") == [["1", "x"]]
