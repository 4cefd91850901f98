"""Contexts, names, settings and remembered tables of an accelerated client: as in clickhouse-connect."""

from __future__ import annotations

import itertools
import time
import types
from collections.abc import Iterator
from typing import Any

import connect_twins
import pytest
from connect_twins import MakeTwins, Twins, check_class, error_of

pytest.importorskip("clickhouse_connect", reason="clickhouse-connect is not installed")
from clickhouse_connect.driver.exceptions import DatabaseError, ProgrammingError
from clickhouse_connect.driver.insert import InsertContext

import rowbinary.connect
from rowbinary.connect import ValueRefusedError, _schemas

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]
plain, twins = connect_twins.plain, connect_twins.twins  # fixtures
_numbers = itertools.count()


def check_alike(table: Twins, rows: list[Any], **arguments: Any) -> None:
    """Both take `rows` and have the same after that, or raise the same."""
    plain_error, error = table.insert_plain(rows, **arguments), table.insert(rows, **arguments)
    if plain_error is None:
        if error is not None:
            raise error
    else:
        assert error is not None, "only refused by clickhouse-connect"
        check_class(error, plain_error)
        assert getattr(error, "code", None) == getattr(plain_error, "code", None)
    table.check_same()


# --- contexts --------------------------------------------------------------------------------------


@pytest.fixture(params=["ours", "plain"])
def context(request: pytest.FixtureRequest, twins: MakeTwins) -> tuple[Twins, Any]:
    """A table, and a context for ours that either client has made."""
    table = twins("n Int64, s String DEFAULT 'd'")
    return table, getattr(table, request.param).create_insert_context(table.tables[1], ["n"])


def test_a_context_is_used_again(context: tuple[Twins, Any]) -> None:
    table, ctx = context
    assert isinstance(ctx, InsertContext)
    for n in range(3):
        assert table.ours.insert(context=ctx, data=[(n,)]).written_rows == 1
        assert (ctx.data, ctx.empty) == (None, True)
    ctx.data = [(3,), (4,)]
    assert (ctx.empty, ctx.row_count, ctx.column_count) == (False, 2, 1)
    assert table.ours.data_insert(ctx).written_rows == 2
    assert table.rows() == [(n, "d") for n in range(5)]


def test_a_context_is_empty_after_a_failure(context: tuple[Twins, Any]) -> None:
    table, ctx = context
    assert isinstance(error_of(lambda: table.ours.insert(context=ctx, data=[(1.5,)])), ValueRefusedError)
    assert (ctx.data, ctx.empty) == (None, True)
    table.both("DROP TABLE {}")
    assert isinstance(error_of(lambda: table.ours.insert(context=ctx, data=[(1,)])), DatabaseError)
    assert (ctx.data, ctx.empty) == (None, True)


def test_a_context_that_has_data(context: tuple[Twins, Any]) -> None:
    table, ctx = context
    ctx.data = [(1,)]
    error = error_of(lambda: table.ours.insert(context=ctx, data=[(2,)]))
    theirs = table.plain.create_insert_context(table.tables[0], ["n"], data=[(1,)])
    plain_error = error_of(lambda: table.plain.insert(context=theirs, data=[(2,)]))
    assert type(error) is type(plain_error) is ProgrammingError
    assert str(error) == str(plain_error)


def test_a_context_has_data_from_the_start(twins: MakeTwins) -> None:
    table = twins("n Int64, s String")
    rows = [(1, "a"), (2, "b")]
    for data in (rows, iter(rows), [[1, 2], ["a", "b"]]):
        by_columns = isinstance(data, list) and isinstance(data[0], list)
        contexts = [
            client.create_insert_context(name, data=part, column_oriented=by_columns)
            for client, name, part in (
                (table.plain, table.tables[0], data if by_columns else rows),
                (table.ours, table.tables[1], data),
            )
        ]
        for attribute in (
            "column_names",
            "column_types",
            "column_oriented",
            "settings",
            "compression",
            "server_tz",
        ):
            assert getattr(contexts[1], attribute) == getattr(contexts[0], attribute)
        table.plain.insert(context=contexts[0])
        table.ours.insert(context=contexts[1])
        table.check_same()


def test_a_context_of_ours_for_the_plain_client(twins: MakeTwins) -> None:
    """It is an InsertContext, after all."""
    table = twins("n Int64, s String")
    context = table.ours.create_insert_context(table.tables[0])
    for _ in range(2):
        table.plain.insert(context=context, data=[(1, "a"), (2, "b")])
        table.ours.insert(table.tables[1], [(1, "a"), (2, "b")])
    table.check_same()


def test_an_empty_context(context: tuple[Twins, Any]) -> None:
    table, ctx = context
    assert table.ours.data_insert(ctx).summary == {}
    assert table.ours.insert(context=ctx, data=[]).summary == {}
    assert isinstance(error_of(lambda: table.ours.insert(context=ctx)), ProgrammingError)


# --- names -----------------------------------------------------------------------------------------

ODD = ["a b", "a.b", "a`b", "a'b", 'a"b', "a\\b", "é", "select", "1", "a\nb", "a,b"]


@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_odd_columns(twins: MakeTwins, name: str) -> None:
    quoted = name.replace("\\", "\\\\").replace("`", "\\`")
    table = twins(f"`{quoted}` Int64, x String")
    check_alike(table, [(1, "a"), (2, "b")])
    check_alike(table, [(3,)], column_names=[name])
    check_alike(table, [(4,)], column_names=name)


@pytest.mark.parametrize("name", [name for name in ODD if "." not in name], ids=ascii)
def test_odd_tables(plain: Any, name: str) -> None:
    quoted = "`odd " + name.replace("\\", "\\\\").replace("`", "\\`") + "`"
    plain.command(f"CREATE TABLE {quoted} (n Int64) ENGINE = Memory")
    try:
        for client in (plain, rowbinary.connect.accelerate(plain, strict=True)):
            for _ in range(2):
                client.insert(f"odd {name}", [(1,)])
        assert plain.command(f"SELECT count() FROM {quoted}") == 4
    finally:
        plain.command(f"DROP TABLE {quoted}")


@pytest.fixture
def database(plain: Any) -> Iterator[str]:
    name = f"twins_{next(_numbers)}"
    plain.command(f"CREATE DATABASE {name}")
    yield name
    plain.command(f"DROP DATABASE {name}")


def test_databases(plain: Any, database: str) -> None:
    """A name with a dot is taken as it is, and the database is ignored then."""
    ours = rowbinary.connect.accelerate(plain, strict=True)
    plain.command("CREATE TABLE IF NOT EXISTS same_name (n String) ENGINE = Memory")
    plain.command(f"CREATE TABLE {database}.same_name (n Int64) ENGINE = Memory")
    try:
        for client in (plain, ours, ours):
            client.insert("same_name", [(1,)], database=database)
            client.insert(f"{database}.same_name", [(2,)])
            client.insert(f"{database}.same_name", [(3,)], database="default")
            client.insert(f"{database}.`same_name`", [(4,)])
            client.insert("same_name", [("text",)])
            client.insert("same_name", [("more",)], "n", "default")
        counts = plain.query(f"SELECT n, count() FROM {database}.same_name GROUP BY n ORDER BY n").result_rows
        assert counts == [(1, 3), (2, 3), (3, 3), (4, 3)]
        assert plain.command("SELECT count() FROM default.same_name") == 6
    finally:
        plain.command("DROP TABLE default.same_name")


# --- settings --------------------------------------------------------------------------------------

PARTITIONED = "MergeTree PARTITION BY n ORDER BY n"
SETTINGS: list[dict[str, Any]] = [
    {"max_partitions_per_insert_block": 1}, {"max_partitions_per_insert_block": 5}, {"no_such_setting": 1},
    {"async_insert": False}, {"async_insert": True, "wait_for_async_insert": True}, {"query_id": "x"},
    {"input_format_native_allow_types_conversion": 1}, {}, {"max_insert_block_size": 1},
    {"database": "default"}, {"input_format_null_as_default": True},
]  # fmt: skip


@pytest.mark.parametrize("settings", SETTINGS, ids=repr)
def test_settings(twins: MakeTwins, settings: dict[str, Any]) -> None:
    """Passed on, and the same errors."""
    table = twins("n Int64", engine=PARTITIONED)
    before = dict(settings)
    for _ in range(2):
        check_alike(table, [(1,), (2,), (3,)], settings=settings)
        assert settings == before


# --- tables that change ----------------------------------------------------------------------------


def warm(table: Twins, rows: list[Any]) -> None:
    """After this the table is known."""
    for _ in range(2):
        check_alike(table, rows)


CHANGES: list[tuple[str, str, list[Any], str, list[Any]]] = [
    ("add", "n Int64", [(1,)], "ALTER TABLE {} ADD COLUMN s String", [(2, "a")]),
    ("add first", "n Int64", [(1,)], "ALTER TABLE {} ADD COLUMN s String FIRST", [("a", 2)]),
    ("drop", "n Int64, s String", [(1, "a")], "ALTER TABLE {} DROP COLUMN s", [(2,)]),
    ("drop, old rows", "n Int64, s String", [(1, "a")], "ALTER TABLE {} DROP COLUMN s", [(2, "b")]),
    ("rename", "n Int64, s String", [(1, "a")], "ALTER TABLE {} RENAME COLUMN s TO t", [(2, "b")]),
    ("to text", "n Int64", [(1,)], "ALTER TABLE {} MODIFY COLUMN n String", [("x",)]),
    ("to text, old rows", "n Int64", [(1,)], "ALTER TABLE {} MODIFY COLUMN n String", [(2,)]),
    ("from text", "n String", [("1",)], "ALTER TABLE {} MODIFY COLUMN n Int64", [(2,)]),
    ("wider", "n Int8", [(1,)], "ALTER TABLE {} MODIFY COLUMN n Int64", [(1000,)]),
    ("wider, small", "n Int8", [(1,)], "ALTER TABLE {} MODIFY COLUMN n Int64", [(5,)]),
    ("narrower", "n Int64", [(1,)], "ALTER TABLE {} MODIFY COLUMN n UInt8", [(5,)]),
    ("narrower, too large", "n Int64", [(1,)], "ALTER TABLE {} MODIFY COLUMN n UInt8", [(300,)]),
    ("nullable", "n Int64", [(1,)], "ALTER TABLE {} MODIFY COLUMN n Nullable(Int64)", [(None,)]),
    ("not nullable", "n Nullable(Int64)", [(1,)], "ALTER TABLE {} MODIFY COLUMN n Int64 DEFAULT 0", [(5,)]),
    ("to JSON", "n String", [('{"a":1}',)], "ALTER TABLE {} MODIFY COLUMN n JSON", [({"a": 1},)]),
    ("label", "e Enum8('a' = 1)", [("a",)], "ALTER TABLE {} MODIFY COLUMN e Enum8('a' = 1, 'b' = 2)",
        [("b",)]),
    ("scale", "t DateTime64(3)", [(1,)], "ALTER TABLE {} MODIFY COLUMN t DateTime64(6)",
        [("2020-01-01T00:00:00.123456",)]),
    ("materialized", "n Int64, m Int64", [(1, 2)], "ALTER TABLE {} MODIFY COLUMN m Int64 MATERIALIZED 5",
        [(2,)]),
    ("clear", "n Int64", [(1,)], "TRUNCATE TABLE {}", [(2,)]),
]  # fmt: skip


@pytest.mark.parametrize(("columns", "before", "change", "after"), [case[1:] for case in CHANGES],
                         ids=[case[0] for case in CHANGES])  # fmt: skip
def test_altered_tables(twins: MakeTwins, columns: str, before: Any, change: str, after: Any) -> None:
    """What is remembered of a table does not come between it and its rows."""
    table = twins(columns, engine="MergeTree ORDER BY tuple()")
    warm(table, before)
    table.both(change)
    for _ in range(2):
        check_alike(table, after)


def test_altered_tables_and_named_columns(twins: MakeTwins) -> None:
    table = twins("n Int64, s String", engine="MergeTree ORDER BY tuple()")
    warm(table, [(1, "a")])
    table.both("ALTER TABLE {} ADD COLUMN x Int8")
    check_alike(table, [(1, 2)], column_names=["n", "x"])
    table.both("ALTER TABLE {} DROP COLUMN s")
    check_alike(table, [(1, "a")], column_names=["n", "s"])
    check_alike(table, [(1,)], column_names=["n"])
    check_alike(table, [("a",)], column_names="s")
    check_alike(table, [(1, 2)])


def test_a_column_that_is_not_known_yet(twins: MakeTwins) -> None:
    """Rows without it have its default as long as it is not known, and not some other columns."""
    table = twins("n Int64", engine="MergeTree ORDER BY tuple()")
    warm(table, [(1,)])
    table.both("ALTER TABLE {} ADD COLUMN s String DEFAULT 'x' FIRST")
    error = table.insert([(2,)])
    assert error is None or isinstance(error, ProgrammingError)
    assert table.rows("n, s") == [(1, "x"), (1, "x")] + [(2, "x")] * (error is None)


def test_altered_tables_and_contexts(twins: MakeTwins) -> None:
    """A context is as old as it is: of both clients."""
    table = twins("n Int64", engine="MergeTree ORDER BY tuple()")
    warm(table, [(1,)])
    contexts = [
        c.create_insert_context(t) for c, t in zip((table.plain, table.ours), table.tables, strict=True)
    ]
    table.both("ALTER TABLE {} ADD COLUMN s String DEFAULT 'd'")
    for client, context in zip((table.plain, table.ours), contexts, strict=True):
        client.insert(context=context, data=[(2,)])
    table.check_same()


@pytest.mark.parametrize(
    ("columns", "before", "others", "after"),
    [
        ("n Int64", [(1,)], "n Int64", [(2,)]),
        ("n Int64", [(1,)], "n String", [("x",)]),
        ("n Int64", [(1,)], "n Int64, s String", [(2, "x")]),
        ("n Int64, s String", [(1, "x")], "s String, n Int64", [("y", 2)]),
        ("n Int64, m Int64", [(1, 2)], "m Int64, n Int64", [(3, 4)]),
        ("n Int64, m Int64", [(1, 2)], "m Int64, k Int64", [(3, 4)]),
        ("e Enum8('a' = 1, 'b' = 2)", [("a",)], "e Enum8('a' = 2, 'b' = 1)", [("a",)]),
        ("t Tuple(a Int8, b Int8)", [((1, 2),)], "t Tuple(b Int8, a Int8)", [({"a": 1, "b": 2},)]),
        ("j JSON", [({"a": 1},)], "j JSON(a String)", [({"a": 1},)]),
        ("j JSON(a Int64)", [({"a": 1},)], "j JSON(a String)", [({"a": "x"},)]),
        ("v Variant(Int64, String)", [(1,)], "v Variant(Int64, UInt64, String)", [("x",)]),
        ("d Decimal(9, 2)", [(1,)], "d Decimal(9, 4)", [("1.2345",)]),
        ("t DateTime64(3)", [(1,)], "t DateTime64(9)", [(1,)]),
        ("t DateTime", [(1,)], "t UInt32", [(1,)]),
    ],
)
def test_recreated_tables(twins: MakeTwins, columns: str, before: Any, others: str, after: Any) -> None:
    """In the worst case another table has the old one's name."""
    table = twins(columns)
    warm(table, before)
    table.both("DROP TABLE {}")
    plain_error, error = table.insert_plain(before), table.insert(before)
    assert isinstance(error, DatabaseError)
    assert isinstance(plain_error, DatabaseError)
    assert error.code == plain_error.code == 60
    table.both(f"CREATE TABLE {{}} ({others}) ENGINE = Memory")
    for _ in range(2):
        check_alike(table, after)


@pytest.mark.parametrize("change", ["swap", "recreate"])
def test_another_order(twins: MakeTwins, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    """The server does not notice when columns of one type change places: their order is believed for 10
    seconds only, their names for longer."""
    table = twins("n Int64, m Int64")
    warm(table, [(1, 2)])
    if change == "swap":
        table.both("ALTER TABLE {} MODIFY COLUMN n Int64 AFTER m")
    else:
        table.both("DROP TABLE {}")
        table.both("CREATE TABLE {} (m Int64, n Int64) ENGINE = Memory")
    check_alike(table, [(3, 4)], column_names=["n", "m"])
    later = time.monotonic() + 10.5
    monkeypatch.setattr(_schemas, "time", types.SimpleNamespace(monotonic=lambda: later))
    check_alike(table, [(3, 4)])


def test_generators_and_altered_tables(twins: MakeTwins) -> None:
    """Rows that cannot be had again are not lost without a word."""
    table = twins("n Int64", engine="MergeTree ORDER BY tuple()")
    warm(table, [(1,)])
    table.both("ALTER TABLE {} ADD COLUMN s String")
    error = table.insert(row for row in [(2, "a")])
    assert error is None or isinstance(error, ValueRefusedError | DatabaseError)
    assert table.rows("n, s") == [(1, ""), (1, "")] + [(2, "a")] * (error is None)
    assert table.insert(row for row in [(3, "b")]) is None
    assert table.count() == 3 + (error is None)
