"""What both clients decide without I/O: settings by version, what is one block, names, versions, answers."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator
from typing import Any

import pytest
from pipeline_sources import drained

import rowbinary
from rowbinary import Client, DecodeError, Schema, SchemaError, ServerError, TransportError
from rowbinary._choice import BLOCK_ROWS
from rowbinary._core import InsertOptions, describe_rows
from rowbinary._job import InsertProgress, Job, QueryResult
from rowbinary._pipeline import Abandoned
from rowbinary.protocol import POISON, Answer, Table

SCHEMA = Schema.of("id UInt32, name String")
OLD, MODERN = (18, 16), (26, 9)
T = Table(None, "t")
# What is said with rows in Native: other types are refused, and rows alone make blocks.
SQUASHED = {"min_insert_block_size_bytes": "0"}
STRICT = {"input_format_native_allow_types_conversion": "0", "input_format_null_as_default": "0"}


def options(**given: Any) -> InsertOptions:
    how: InsertOptions = {
        "settings": None, "query_id": None, "compression": None, "async_insert": False,
        "deduplication_token": None, "deduplicate": None, "progress": None,
    }  # fmt: skip
    return how | given  # type: ignore[return-value]


def client_of(version: tuple[int, ...] = MODERN, **arguments: Any) -> Client:
    client = Client("http://h", **arguments)
    client._version = version
    return client


def rows_job(client: Client, rows: Any = ((1, "a"),), format: str | None = None, **how: Any) -> Job:
    return client._rows_job(T, SCHEMA, rows, format, options(**how), {})


def bytes_job(client: Client, data: object = b"x", rows: int | None = None, **how: Any) -> Job:
    return client._bytes_job("t", data, (), "RowBinary", rows, options(**how))


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "how", "stated"),
    [
        (OLD, {}, {}),
        (OLD, {"async_insert": None}, {}),
        (OLD, {"deduplicate": False}, {"insert_deduplicate": "0"}),
        (MODERN, {}, {"async_insert": "0"}),
        (MODERN, {"async_insert": None}, {}),
        (MODERN, {"async_insert": True}, {"async_insert": "1", "wait_for_async_insert": "1"}),
        ((21, 11), {}, {"async_insert": "0"}),
        ((21, 10), {}, {}),
        ((25, 8), {"deduplicate": True}, {"async_insert": "0", "insert_deduplicate": "1"}),
        (
            MODERN,
            {"deduplicate": False},
            {"async_insert": "0", "insert_deduplicate": "0", "deduplicate_insert": "disable"},
        ),
        (
            MODERN,
            {"deduplication_token": "a b"},
            {
                "async_insert": "0",
                "insert_deduplication_token": "a b",
                "insert_deduplicate": "1",
                "deduplicate_insert": "enable",
            },
        ),
        (
            (24, 3),
            {"deduplicate": True, "async_insert": True},
            {
                "async_insert": "1",
                "wait_for_async_insert": "1",
                "insert_deduplicate": "1",
                "async_insert_deduplicate": "1",
            },
        ),
        (MODERN, {"settings": {"async_insert": 1, "x": True}}, {"async_insert": "1", "x": "1"}),
    ],
)
def test_what_is_said_to_which_server(
    version: tuple[int, ...], how: dict[str, Any], stated: dict[str, str]
) -> None:
    with client_of(version) as client:
        for job in (rows_job(client, format="RowBinary", **how), bytes_job(client, **how)):
            assert dict(job.settings) == stated
            assert job.statement.token == ("insert_deduplication_token" in stated)
        native = rows_job(client, format="Native", **how)
        assert dict(native.settings) == stated | SQUASHED | (STRICT if version >= (23, 3) else {})


def test_what_is_said_with_native_blocks_gives_way_to_the_caller() -> None:
    ours = SQUASHED | STRICT
    for name in ours:
        with client_of() as client, client_of(settings={name: 7}) as other:
            assert dict(rows_job(client, settings={name: 7}).settings) == ours | {
                name: "7",
                "async_insert": "0",
            }
            job = rows_job(other)
            assert name not in dict(job.settings)
            assert f"&{name}=7" in job.request.target.replace("?", "&")
    with client_of() as client:  # bytes of others: the server may cast them
        job = client._bytes_job("t", b"", (), "Native", None, options(async_insert=None))
        assert dict(job.settings) == SQUASHED


def test_settings_of_the_client_and_of_the_call_go_together() -> None:
    with client_of(settings={"a": 1, "b": 1}, roles=["r", "s"], session_id="one") as client:
        job = rows_job(client, settings={"b": 2})
        pairs = [*job.settings, *client._statement("SELECT 1", {"b": 3}, None).settings]
        assert (
            pairs.count(("role", "r"))
            == pairs.count(("role", "s"))
            == pairs.count(("session_id", "one"))
            == 2
        )
        for part in ("a=1", "b=2", "role=r&role=s", "session_id=one"):
            assert f"&{part}&" in job.request.target.replace("?", "&")


@pytest.mark.parametrize(
    ("version", "how", "message"),
    [
        (OLD, {"async_insert": True}, "async_insert needs a server"),
        (OLD, {"deduplication_token": "t"}, "deduplication_token needs a server"),
        (MODERN, {"deduplication_token": ""}, "not empty"),
        (MODERN, {"deduplication_token": "a\nb"}, "printable"),
        (MODERN, {"deduplication_token": 1}, "printable str"),
        (MODERN, {"deduplication_token": "t", "deduplicate": False}, "makes no sense"),
        (MODERN, {"query_id": ""}, "query_id must be"),
        (MODERN, {"query_id": "a\nb"}, "query_id must be"),
        (MODERN, {"query_id": 1}, "query_id must be"),
        (MODERN, {"compression": "br"}, "compression"),
        (MODERN, {"settings": {"query": "x"}}, "is not a setting"),
        (MODERN, {"settings": {"x": "y" * 10_000}}, "the settings make a URL"),
    ],
)
def test_bad_arguments_of_an_insert_are_known_before_rows_are_taken(
    version: tuple[int, ...], how: dict[str, Any], message: str
) -> None:
    def untouched() -> Iterator[Any]:
        raise AssertionError("a row was taken")
        yield

    with client_of(version) as client:
        with pytest.raises(ValueError, match=message):
            rows_job(client, untouched(), **how)
        with pytest.raises(ValueError, match=message):
            bytes_job(client, untouched(), **how)


def test_other_bad_arguments() -> None:
    with client_of() as client:
        for rows in (-1, 1.0, "1"):
            with pytest.raises(ValueError, match="rows must be a count"):
                client._bytes_job("t", b"", (), "RowBinary", rows, options())  # type: ignore[arg-type]
        for columns in ("ab", b"ab", 5, None, [1], [b"a"]):
            with pytest.raises(ValueError, match="columns must be a list of str"):
                client._bytes_job("t", b"", columns, "RowBinary", None, options())  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="neither a table"):
            client._bytes_job("a.b.c", b"", (), "RowBinary", None, options())
        with pytest.raises(ValueError, match="is not the name of a format"):
            client._bytes_job("t", b"", (), "RowBinary SETTINGS x=1", None, options())
        with pytest.raises(TypeError, match="unexpected keyword argument 'jsn'"):
            client._rows_job(T, SCHEMA, [], None, options(), {"jsn": "exact"})  # type: ignore[typeddict-unknown-key]
        for sql in ("", " \n", None, 1):
            with pytest.raises(ValueError, match="must be a str that is not empty"):
                client._statement(sql, None, None)  # type: ignore[arg-type]
            with pytest.raises(ValueError, match="must be a str that is not empty"):
                client._select(sql)  # type: ignore[arg-type]


def test_few_documents_go_as_rows() -> None:
    rows: list[Any] = [({"a": 1},)] * 101
    kinds: tuple[tuple[Any, str], ...] = (
        (rows[:100], "RowBinaryWithNamesAndTypes"),
        (rows, "Native"),
        (iter(rows[:1]), "Native"),  # nobody knows how many there are
    )
    with client_of(MODERN) as client:
        for data, format in kinds:
            assert client._rows_job(T, Schema.of("j JSON"), data, None, options(), {}).format == format


def test_queries_have_their_format_whatever_they_end_with() -> None:
    with client_of() as client:
        for sql in ("SELECT 1", "SELECT 1;", " SELECT 1 ; \n"):
            assert client._select(sql).split() == ["SELECT", "1", "FORMAT", "RowBinaryWithNamesAndTypes"]
        assert client._select("SELECT 1 -- one").endswith("one\nFORMAT RowBinaryWithNamesAndTypes")


def test_json_as_text_is_said_to_the_server() -> None:
    name = "input_format_binary_read_json_as_string"
    for version, format, said in (((24, 9), "auto", "1"), (MODERN, "auto", None), (MODERN, "RowBinary", "1")):
        with client_of(version) as client:
            job = client._rows_job(T, Schema.of("j JSON"), [], format, options(), {"json": "string"})
            assert dict(job.settings).get(name) == said
            assert name not in dict(rows_job(client).settings)


# --- jobs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "format"),
    [
        (OLD, "RowBinary"),
        ((21, 12), "RowBinary"),
        ((22, 1), "RowBinaryWithNamesAndTypes"),
        (MODERN, "Native"),
    ],
)
def test_names_and_types_go_where_they_are_compared(version: tuple[int, ...], format: str) -> None:
    with client_of(version) as client:
        assert rows_job(client).format == rows_job(client, format="auto").format == format
        small = rows_job(client, settings={"max_insert_block_size": 1000})
        assert small.format == format.replace("Native", "RowBinaryWithNamesAndTypes")
        assert rows_job(client, format="RowBinaryWithNames").format == "RowBinaryWithNames"


@pytest.mark.parametrize(
    ("version", "compression", "of_rows", "of_bytes"),
    [
        (OLD, "lz4", True, False),
        (OLD, "http-gzip", True, False),
        (OLD, "none", False, False),
        ((23, 2), "none", False, False),
        ((23, 3), "none", True, True),
        (MODERN, "lz4", True, True),
    ],
)
def test_where_a_cut_body_is_noticed(
    version: tuple[int, ...], compression: str, of_rows: bool, of_bytes: bool
) -> None:
    with client_of(version) as client:
        assert rows_job(client, compression=compression).statement.cuts_noticed == of_rows
        assert bytes_job(client, compression=compression).statement.cuts_noticed == of_bytes


@pytest.mark.parametrize("compression", ["lz4", "zstd", "http-gzip", "none"])
@pytest.mark.parametrize(
    ("columns", "long"),
    [
        ("x UInt8", False),
        ("x String", False),
        ("x Nullable(UInt64)", False),
        ("x Array(UInt64)", False),
        ("x UInt16", True),
        ("x UInt8, y String", True),
    ],
)
def test_where_a_cut_body_of_rows_of_a_byte_is_noticed(columns: str, long: bool, compression: str) -> None:
    """A row of one byte cannot be cut inside: frames of such rows may end with one."""
    for version, noticed in (
        (OLD, long and compression != "none"),
        ((23, 2), long and compression != "none"),
        ((23, 3), True),
        (MODERN, True),
    ):
        with client_of(version) as client:
            how = options(compression=compression)
            for format in ("RowBinary", None):
                job = client._rows_job(T, Schema.of(columns), [], format, how, {})
                assert job.statement.cuts_noticed == noticed


@pytest.mark.parametrize(
    ("settings", "rows", "size"),
    [
        ({}, BLOCK_ROWS, 1 << 62),
        ({"max_insert_block_size": 10}, 10, 1 << 62),
        ({"max_insert_block_size": "0"}, BLOCK_ROWS, 1 << 62),
        ({"max_insert_block_size": "x"}, BLOCK_ROWS, 1 << 62),
        ({"max_insert_block_size_rows": 10}, 10, 1 << 62),  # another name of the same setting
        ({"max_insert_block_size": 10, "max_insert_block_size_rows": 0}, 10, 1 << 62),
        ({"max_insert_block_size": 10, "max_insert_block_size_rows": 20}, 20, 1 << 62),
        ({"max_insert_block_size": 20_000_000, "max_insert_block_size_bytes": 99}, 20_000_000, 99),
    ],
)
def test_how_much_is_one_block(settings: dict[str, Any], rows: int, size: int) -> None:
    with client_of() as client, client_of(settings=settings) as other:
        for job in (
            rows_job(client, format="RowBinary", settings=settings),
            rows_job(other, format="RowBinary"),
        ):
            assert (job.block_rows, job.block_bytes) == (rows, size)


@pytest.mark.parametrize(
    ("settings", "rows", "size"),
    [
        ({}, BLOCK_ROWS - 1, 1 << 62),  # the row that makes it a full block could be the last of many
        ({"max_insert_block_size": 10}, 10, 1 << 62),
        ({"min_insert_block_size_rows": 10}, 9, 1 << 62),
        ({"min_insert_block_size_rows": 10, "max_insert_block_size": 5}, 5, 1 << 62),
        ({"max_insert_block_size": 20_000_000}, BLOCK_ROWS - 1, 1 << 62),
        (
            {"max_insert_block_size": 20_000_000, "min_insert_block_size_rows": 20_000_000},
            19_999_999,
            1 << 62,
        ),
        ({"min_insert_block_size_bytes": 1600}, BLOCK_ROWS - 1, 100),
        ({"min_insert_block_size_bytes": 1600, "min_insert_block_size_rows": 0}, BLOCK_ROWS, 100),
        ({"min_insert_block_size_rows": 0}, 0, 0),  # every block is written as it is
        ({"max_insert_block_size_bytes": 99}, BLOCK_ROWS - 1, 99),
        ({"distributed_foreground_insert": 1}, 0, 0),
        ({"insert_distributed_sync": True}, 0, 0),
        ({"insert_distributed_sync": 0}, BLOCK_ROWS - 1, 1 << 62),
    ],
)
def test_how_much_is_one_block_of_native_ones(settings: dict[str, Any], rows: int, size: int) -> None:
    with client_of() as client, client_of(settings=settings) as other:
        for job in (rows_job(client, format="Native", settings=settings), rows_job(other, format="Native")):
            assert (job.block_rows, job.block_bytes) == (rows, size)


def test_native_bytes_without_a_count_of_rows_may_be_many_blocks() -> None:
    for rows, one in ((None, False), (3, True), (BLOCK_ROWS, False)):
        with client_of() as client:
            job = client._bytes_job("t", b"\0\3", (), "Native", rows, options())
            job.next()
            assert job.statement.one_block == one


@pytest.mark.parametrize(
    ("settings", "rows", "data", "one"),
    [
        ({"max_insert_block_size": 3}, 3, b"x" * 100, True),
        ({"max_insert_block_size": 3}, 4, b"x" * 100, False),
        ({"max_insert_block_size": 3}, None, b"xxx", True),  # no row is shorter than a byte
        ({"max_insert_block_size": 3}, None, b"xxxx", False),
        ({"max_insert_block_size_bytes": 3}, 1, b"xxxx", False),
        ({"max_insert_block_size_bytes": 4}, 1, b"xxxx", True),
    ],
)
def test_whether_bytes_are_one_block(
    settings: dict[str, Any], rows: int | None, data: bytes, one: bool
) -> None:
    with client_of() as client:
        job = bytes_job(client, data, rows, settings=settings)
        assert job.statement.one_block
        assert len(job.next()) == len(data)
        assert job.statement.one_block == one
        error = ValueError("mine")
        job.explain(error)
        assert hasattr(error, "__notes__") == (not one)


@pytest.mark.parametrize(("count", "one"), [(3, True), (4, False)])
def test_whether_rows_are_one_block(count: int, one: bool, impl: str) -> None:
    with client_of() as client:
        how = options(settings={"max_insert_block_size": 3})
        job = client._rows_job(T, SCHEMA, [(1, "a")] * count, None, how, {"implementation": impl})
        drained(job.source)
        job.judge()
        assert job.statement.one_block == one


def test_the_body_of_a_job() -> None:
    said: list[InsertProgress] = []
    with client_of() as client:
        job = rows_job(client, [(1, "a")], "RowBinary", compression="none", progress=said.append)
        assert job.poison is None
        assert bytes(job.pack_first(job.next())) == b"\1\0\0\0\1a"
        job.report()
        assert said == [InsertProgress(1, 6, 0)]
        assert len(job.packing) == 1
        job.stopped = True
        with pytest.raises(Abandoned):
            job.next()
        assert rows_job(client, compression="zstd").poison == POISON
        wide = client._bytes_job(
            "t", io.BytesIO(b"rows"), ["c" * 9_000], "CSV", None, options(compression="none")
        )
        assert (
            bytes(wide.pack_first(wide.next()))
            == f"INSERT INTO `t` (`{'c' * 9_000}`) FORMAT CSV\nrows".encode()
        )
        assert wide.source.raw_bytes == 4


# --- what the server says -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("18.16.1\n", (18, 16)),
        ("26.9.2.1", (26, 9)),
        ("25.8.1.1-lts", (25, 8)),
        ("24.3.1.altinitystable", (24, 3)),
    ],
)
def test_versions(text: str, version: tuple[int, ...]) -> None:
    with Client("http://h") as client:
        client._learn_version(text)
        assert client._version == version


@pytest.mark.parametrize(
    "text",
    ["", "x", "26", "26.x", "<html>26.9", "26.9 <b>", "-1.2", "9" * 5_000 + ".1", "1." + "9" * 5_000],
    ids=lambda t: t[:9],
)
def test_what_answers_is_not_clickhouse(text: str) -> None:
    with Client("http://h") as client, pytest.raises(TransportError, match="is not ClickHouse") as caught:
        client._learn_version(text)
    assert not caught.value.retryable
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "body", [b"", b"x", b"[]", b"{}", b"null", b'"data"', b"\xff", b"[" * 100_000], ids=lambda b: repr(b)[:9]
)
def test_a_description_that_is_none(body: bytes) -> None:
    with pytest.raises(TransportError, match="not answered in JSON"):
        describe_rows(Answer(200, {}, body))


def test_columns_are_chosen_in_the_order_of_the_call() -> None:
    schema = Schema([("a", "UInt8"), ("b", "String"), ("c", "UInt8")], {"a", "b"})
    with client_of() as client:
        assert client._chosen(schema, T, None) is schema
        found = client._chosen(schema, T, ["c", "b"])
        assert found.names == ("c", "b")
        assert found.defaulted == frozenset({"b"})
        with pytest.raises(SchemaError, match="table t has no column 'x' that can be inserted"):
            client._chosen(schema, T, ["a", "x"])
        for columns in ("ab", 5):
            with pytest.raises(ValueError, match="columns must be a list of str"):
                client._chosen(schema, T, columns)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "dropped"), [(60, True), (16, True), (117, True), (241, False), (252, False)]
)
def test_a_schema_is_forgotten_when_the_server_denies_it(code: int, dropped: bool) -> None:
    with client_of() as client:
        client._schemas = {T.sql: (SCHEMA, 0.0), "`other`": (SCHEMA, 0.0)}
        client._noticed(TransportError("x"), T)
        client._noticed(ServerError(code, "", "x"), None)
        assert T.sql in client._schemas
        client._noticed(ServerError(code, "", "x"), T)
        assert (T.sql not in client._schemas) == dropped
        assert "`other`" in client._schemas
        client.forget_schemas()
        assert client._schemas == {}


def test_results_and_what_is_none() -> None:
    body = rowbinary.encode_rows(SCHEMA, [(1, "a")], format="RowBinaryWithNamesAndTypes")
    with client_of() as client:
        result = client._result(Answer(200, {"x-clickhouse-query-id": "q"}, body))
        assert result == QueryResult(("id", "name"), result.types, [(1, "a")], "q", {})
        assert [*result] == result.rows
        assert len(result) == 1
        assert result.dicts() == [{"id": 1, "name": "a"}]
        with pytest.raises(DecodeError):
            client._result(Answer(200, {}, body[:-1]))
        text = b"Code: 241, e.displayText() = DB::Exception: Memory limit, e.what() = DB::Exception\n"
        with pytest.raises(ServerError, match="Memory limit") as caught:
            client._result(Answer(200, {}, body + text))
        assert (caught.value.code, caught.value.name) == (241, "MEMORY_LIMIT_EXCEEDED")
        outer = b"Code: 279, e.displayText() = DB::Exception: All failed: " + text
        with pytest.raises(ServerError, match="All failed: Code: 241") as caught:
            client._result(Answer(200, {}, body + outer))
        assert caught.value.code == 279
        with pytest.raises(DecodeError):
            client._result(Answer(200, {}, body + b"Code: 241, no such text"))


def test_results_of_inserts() -> None:
    with client_of() as client:
        job = rows_job(client, query_id="mine")
        drained(job.source)
        nothing = client._inserted(rows_job(client, []), None, 1.0)
        assert (nothing.rows, nothing.written_rows, nothing.sent_bytes, nothing.query_id) == (0, 0, 0, None)
        old = client._inserted(job, Answer(200, {}), 2.0)
        assert (old.rows, old.written_rows, old.query_id, old.summary) == (1, None, "mine", {})
        headers = {"x-clickhouse-summary": '{"written_rows":"2"}', "x-clickhouse-query-id": "its"}
        new = client._inserted(job, Answer(200, headers), 2.0)
        assert (new.rows, new.written_rows, new.query_id, new.timings.total) == (1, 2, "its", 2.0)
        assert dataclasses.replace(new.timings, total=0) == dataclasses.replace(old.timings, total=0)
