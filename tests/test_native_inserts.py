"""Inserts in Native: several blocks, cuts around their ends, tables that change, DEFAULT, the command."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import native_blocks
import pytest
from clients import PAD, Facade, Kind, Target, big_rows, chain
from fault_bench import LONG, ROWS, Bench, attempt, benches, gated, rows_of
from faults import cut, half_close
from front_process import Front
from http_proxies import Recorder
from request_meter import Received

import rowbinary
from rowbinary import DEFAULT, EncodeError, Encoder, Schema, ServerError, _api, _core
from rowbinary._pipeline import Encoding
from rowbinary.frames import decompress_frames

Connect = Callable[..., Facade]
SCHEMA = "a UInt64, s String"
HEADER = len(b"\1a\6UInt64\1s\6String")


def said(request: Received) -> dict[str, str]:
    """What stands in the URL of an insert."""
    return dict(parse_qsl(urlsplit(request.first_line.split(" ")[1]).query))


def body_of(request: Received) -> bytes:
    """The rows of an insert with frames."""
    return b"".join(decompress_frames([request.body]))


# --- pieces and blocks


def edges_of(body: bytes) -> list[int]:
    """Where the blocks of a body end: each prefix is a body of its own."""
    cursor = native_blocks.NativeCursor(body)
    edges = []
    while not cursor.ended:
        width, rows = cursor.varint(), cursor.varint()
        for _ in range(width):
            native_blocks._column(cursor, rows)
        edges.append(cursor.at)
    return edges


ROW_SETS: dict[str, tuple[str, list[Any]]] = {
    "flat": (SCHEMA, [(n, "x" * (n % 7)) for n in range(300)]),
    "a byte a row": ("x UInt8", [(n % 256,) for n in range(300)]),
    "nothing but defaults": ("x UInt8", [(DEFAULT,)] * 3),
    "defaults now and then": ("x UInt8, s String", [(1, DEFAULT if n % 5 else "y") for n in range(40)]),
    "defaults everywhere": ("x UInt8, s String", [(1, "y"), (DEFAULT, DEFAULT)] * 20),
}


@pytest.mark.parametrize("size", [2, 3, 7, 64, 1_000, 1 << 20])
@pytest.mark.parametrize("name", ROW_SETS)
@pytest.mark.parametrize("fed", [False, True], ids=["iterated", "fed"])
def test_no_piece_but_the_last_ends_with_a_block(name: str, size: int, fed: bool, impl: str) -> None:
    columns, rows = ROW_SETS[name]
    source = Encoding(Encoder(columns, format="Native", implementation=impl), () if fed else rows, size)
    pieces = []
    for batch in (rows[at : at + 7] for at in range(0, len(rows), 7) if fed):
        piece = source.feed(batch)
        if piece is not None:
            pieces.append(bytes(piece))
    while not source.ended:
        pieces.append(bytes(source.end() if fed else source.next()))
    assert source.cut_inside_rows
    assert source.rows == len(rows)
    body = b"".join(pieces)
    cuts = set(itertools.accumulate(map(len, pieces)))
    edges = edges_of(body)
    assert len(edges) > 1 or size > 500 or name == "nothing but defaults"
    assert edges[-1] == len(body)
    assert not cuts & {0, *edges[:-1]}
    assert max(cuts) == len(body)


def test_no_rows_are_no_body(impl: str) -> None:
    for rows in ([], [(-1,)]):
        source = Encoding(
            Encoder("x UInt8", format="Native", implementation=impl, on_error=lambda *_: None), rows
        )
        assert not source.next()
        assert source.ended


# --- what is on the wire

DYNAMIC = "j JSON(a UInt8), d Dynamic, v Variant(UInt8, String)"


@pytest.mark.parametrize(
    ("columns", "row", "format"),
    [
        (SCHEMA, (1, "x"), "Native"),
        (DYNAMIC, ({"a": 1, "b": [1]}, 5, "x"), "RowBinaryWithNamesAndTypes"),  # for it is only one
        (f"k JSON(SKIP x), {DYNAMIC}", ({}, {"a": 1, "b": [1]}, 5, "x"), "Native"),
        ("l LowCardinality(String), m Map(String, UInt8)", ("x", {"a": 1}), "Native"),
        ("a UInt64 DEFAULT 5, s String", (1, "x"), "Native"),
        ("e Enum8('a' = 1)", ("a",), "Native"),
        ("t Tuple(a UInt8, b UInt8)", ((1, 2),), "Native"),
    ],
)
@pytest.mark.parametrize("given", ["auto", None])
def test_what_a_modern_server_gets(
    kind: Kind, front: Front, connect: Connect, columns: str, row: Any, format: str, given: Any
) -> None:
    front.query("DROP TABLE IF EXISTS on_the_wire")
    front.query(f"CREATE TABLE on_the_wire ({columns}) ENGINE = Memory")
    with Recorder(front.port) as proxy:
        connect(kind, f"http://127.0.0.1:{proxy.port}").insert("on_the_wire", [row], format=given)
        [request] = proxy.inserts
    assert said(request)["query"].endswith(f" FORMAT {format}")
    for name in ("input_format_native_allow_types_conversion", "input_format_null_as_default"):
        assert said(request).get(name) == ("0" if format == "Native" else None)
    if format == "Native":
        assert native_blocks.rows_of(body_of(request), Schema.of(columns.replace(" DEFAULT 5", "")))
    assert front.query("SELECT count() FROM on_the_wire") == "1\n"


def test_documents_as_text_need_no_setting(kind: Kind, target: Target, connect: Connect) -> None:
    target.need_modern("JSON")
    table = target.create("id UInt8, j JSON, d Dynamic")
    client = connect(kind, target.url)
    for number, format in enumerate(("auto", "RowBinary")):
        client.insert(table, [(number, {"day": "2024-02-29", "n": [1]}, 5)], json="string", format=format)
    found = target.lines(f"SELECT j.day, dynamicType(j.day), j.n, d FROM {table} ORDER BY id")
    assert found == [["2024-02-29", "Date", "[1]", "5"]] * 2


# --- several blocks


def test_several_blocks_are_one_for_the_table(rows_client: Facade, target: Target, table: str) -> None:
    """Rows of 10 MB: a block of at most 4 MiB after another comes, and one part is written."""
    assert rows_client.insert(table, big_rows(10_000), format="Native").rows == 10_000
    parts = f"SELECT count(), sum(rows) FROM system.parts WHERE table = '{table}' AND level = 0"
    assert target.lines(parts) == [["1", "10000"]]


@pytest.mark.parametrize("compression", ["lz4", "none", "http-gzip"])
def test_rows_that_fail_after_several_blocks_store_nothing(
    rows_client: Facade, target: Target, table: str, compression: str
) -> None:
    ours = RuntimeError("mine")
    with pytest.raises(RuntimeError) as info:
        rows_client.insert(table, big_rows(5000, ours), format="Native", compression=compression)
    assert not getattr(info.value, "__notes__", [])
    bad = itertools.chain(big_rows(5000), [(-1, "x")])
    with pytest.raises(EncodeError, match="row 5000"):
        rows_client.insert(table, bad, format="Native", compression=compression)
    assert target.count(table) == 0
    rows_client.insert(table, [(1, "x")])
    assert target.count(table) == 1


@pytest.mark.parametrize("format", ["Native", "RowBinary"])
def test_smaller_blocks_of_the_server_may_stay(
    rows_client: Facade, target: Target, table: str, format: str
) -> None:
    """The client says so, whichever of them are there."""
    settings = {"min_insert_block_size_rows": 1000, "max_insert_block_size": 1000}
    ours = RuntimeError("mine")
    with pytest.raises((RuntimeError, rowbinary.UnknownStateError)) as info:
        rows_client.insert(table, big_rows(5000, ours), format=format, settings=settings)
    notes = [note for error in chain(info.value) for note in getattr(error, "__notes__", [])]
    assert any("more than one block" in note for note in notes)
    body = b"".join(rowbinary.iter_encode(SCHEMA, big_rows(3000), format=format))  # type: ignore[arg-type]
    with pytest.raises(ServerError) as refused:
        rows_client.insert_encoded(table, body[:-1], format=format, rows=3000, settings=settings)
    assert refused.value.outcome == "unknown"


def test_a_broken_last_block_takes_those_before_with_it(client: Facade, target: Target, table: str) -> None:
    body = b"".join(rowbinary.iter_encode(SCHEMA, big_rows(5000), format="Native", chunk_bytes=1 << 20))
    edges = edges_of(body)
    assert len(edges) == 5
    for end in (len(body) - 1, edges[-2] + 1, edges[-2] + HEADER, edges[0] + 500_000):
        with pytest.raises(ServerError) as info:
            client.insert_encoded(table, body[:end], format="Native", rows=5000)
        assert info.value.code in (32, 33)
        if target.modern or info.value.code == 33:
            assert info.value.outcome == "refused"
        assert target.count(table) == 0
    client.insert_encoded(table, body[: edges[1]], format="Native")  # a body of its own
    assert 1000 < target.count(table) < 5000


@pytest.fixture(scope="module")
def bench_of(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Bench]]:
    """Servers behind proxies; at the end their tables are looked through once more."""
    with benches(request.getfixturevalue) as find:
        yield find


@functools.cache
def end_of_a_block(bench: Bench, kind: Kind) -> int:
    """Where the first frame of the stream ends in the body."""
    with Recorder(bench.server.port) as proxy, Facade(kind, f"http://127.0.0.1:{proxy.port}") as client:
        cell = bench.cell()
        assert client.insert("faults", rows_of(cell, "stream"), format="Native").rows == ROWS["stream"]
        pieces = [len(f"{len(one):x}") + len(one) + 4 for one in proxy.inserts[0].chunks]
    assert len(pieces) > 2
    return pieces[0]


@pytest.mark.parametrize("how", ["fin", "rst", "half-close"])
@pytest.mark.parametrize("place", [-1, 0, 1, 2])
@pytest.mark.parametrize("name", ["server18", "front"])
def test_cuts_around_the_end_of_a_block(
    bench_of: Callable[[str], Bench],
    name: str,
    kind: Kind,
    how: Any,
    place: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Around the end of a frame, where a block has one byte left; nothing of it may be stored."""
    monkeypatch.setattr(_api, "DEFAULT_NATIVE_CHUNK", 1 << 20)  # so that a stream of some MB has blocks
    bench = bench_of(name)
    at = end_of_a_block(bench, kind) + place
    plan = half_close(at, "body") if how == "half-close" else cut(at, "body", mode=how)
    with bench.client(kind, plan, retries=0, **LONG) as client:
        cell = bench.cell()
        rows = gated(rows_of(cell, "stream"), lambda: bench.proxy.faults)
        seen = attempt(client, rows, format="Native")
        # A connection that is half open takes the rest: on a busy machine all of it, before the answer comes.
        assert seen.letter in ("ETU" if how == "half-close" else "T"), seen
        bench.landed(cell, ROWS["stream"], seen)
        assert bench.count(cell) == 0
        bench.healthy(client)


# --- tables that change


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ("UInt64", 300, "UInt8"),  # a cast would store 44
        ("Int64", -5, "UInt64"),
        ("Float64", 1e20, "Int32"),
        ("Nullable(UInt8)", None, "UInt8"),
        ("Array(Nullable(UInt8))", [None], "Array(UInt8)"),
        ("String", "7", "UInt64"),
        ("DateTime64(6)", 1, "DateTime64(3)"),
        ("Map(String, UInt64)", {"a": 300}, "Map(String, UInt8)"),
        ("JSON", {"a": 300}, "JSON(a UInt8)"),
        ("JSON(a UInt16)", {"a": 300}, "JSON"),
        ("Variant(UInt64, String)", 300, "Variant(UInt8, String)"),
        ("Dynamic", 5, "Dynamic(max_types=3)"),
    ],
)
def test_a_column_that_has_another_type_now(
    kind: Kind, target: Target, connect: Connect, before: str, value: Any, after: str
) -> None:
    target.need_modern("a format with which it notices that")
    table = target.create(f"id UInt8, v {before}")
    client = connect(kind, target.url)
    client.insert(table, [(1, value)])
    target.ask(f"DROP TABLE {table}")
    target.create(f"id UInt8, v {after}", name=table)
    with pytest.raises(ServerError) as info:
        client.insert(table, [(1, value)])
    assert info.value.code in (53, 117)
    assert (info.value.outcome, target.count(table)) == ("refused", 0)
    assert dict(client.create_schema(table))["v"] == rowbinary.parse_type(after)  # it was asked for anew


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize(
    ("before", "value", "after", "stored"),
    [
        ("Enum8('a' = 1, 'b' = 2)", "a", "Enum8('a' = 2, 'b' = 1)", "a"),
        ("Array(Enum8('a' = 1, 'b' = 2))", ["a"], "Array(Enum8('a' = 2, 'b' = 1))", "['a']"),
        ("Tuple(a UInt8, b UInt8)", {"a": 1, "b": 2}, "Tuple(b UInt8, a UInt8)", "(2,1)"),
    ],
)
def test_changes_that_the_server_would_not_notice(
    kind: Kind,
    target: Target,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    before: str,
    value: Any,
    after: str,
    stored: str,
    given: bool,
) -> None:
    """What was described a while ago is asked for anew; a schema of the caller is compared by the server."""
    target.need_modern("a format with which it notices that")
    monkeypatch.setattr(_core, "_FRESH", -1.0)
    table = target.create(f"id UInt8, v {before}")
    client = connect(kind, target.url)
    schema = f"id UInt8, v {before}" if given else None
    client.insert(table, [(1, value)], schema=schema)
    target.ask(f"DROP TABLE {table}")
    target.create(f"id UInt8, v {after}", name=table)
    if given:
        with pytest.raises(ServerError) as info:
            client.insert(table, [(1, value)], schema=schema)
        assert (info.value.outcome, target.count(table)) == ("refused", 0)
    else:
        client.insert(table, [(1, value)])
        assert target.lines(f"SELECT v FROM {table}") == [[stored]]


def test_types_that_mean_the_same_are_taken(client: Facade, target: Target) -> None:
    target.need_modern("LowCardinality, at least not as a changed column")
    table = target.create("id UInt8, l LowCardinality(String), t DateTime('Asia/Tokyo')")
    client.insert(table, [(1, "x", 86400)], schema="id UInt8, l String, t DateTime")
    assert target.lines(f"SELECT id, l, toUnixTimestamp(t) FROM {table}") == [["1", "x", "86400"]]


# --- DEFAULT


def test_cells_that_are_default(rows_client: Facade, target: Target) -> None:
    """Of columns with an expression, and of those without; known or not."""
    table = target.create("a UInt64, b String DEFAULT concat('b', toString(a)), c Array(UInt8), n UInt8")
    rows = [(1, "x", [1], 1), (2, DEFAULT, DEFAULT, 2), (3, DEFAULT, [3], DEFAULT), (4, "y", [], 4),
            (5, DEFAULT, DEFAULT, DEFAULT)]  # fmt: skip
    expected = [["1", "x", "[1]", "1"], ["2", "b2", "[]", "2"], ["3", "b3", "[3]", "0"],
                ["4", "y", "[]", "4"], ["5", "b5", "[]", "0"]]  # fmt: skip
    unknown = "a UInt64, b String, c Array(UInt8), n UInt8"
    for schema in (None, unknown):
        assert rows_client.insert(table, rows, schema=schema, format="Native").rows == 5
        assert target.lines(f"SELECT a, b, c, n FROM {table} ORDER BY a") == expected
        target.ask(f"TRUNCATE TABLE {table}")
    if target.modern:  # ClickHouse 18.16 takes a block without columns for the end
        assert rows_client.insert(table, [(DEFAULT,) * 4] * 3, schema=unknown, format="Native").rows == 3
        assert target.count(table) == 3


def test_defaults_make_blocks_and_one_part(client: Facade, target: Target, table: str) -> None:
    rows = [(n, DEFAULT if n % 2 else PAD) for n in range(3000)]
    assert client.insert(table, rows, schema=SCHEMA, format="Native").rows == 3000
    found = target.lines(f"SELECT count(), uniqExact(a), sum(length(s)) FROM {table}")
    assert found == [["3000", "3000", "1500000"]]
    parts = f"SELECT count() FROM system.parts WHERE table = '{table}' AND level = 0"
    assert target.lines(parts) == [["1"]]


# --- the command line


@pytest.mark.parametrize(
    ("columns", "arguments", "format"),
    [
        ("id UInt8, s String, j JSON", (), "Native"),
        ("id UInt8, s String, j JSON", ("--format", "auto", "--json", "string"), "Native"),
        ("id UInt8, s String DEFAULT 'none', j JSON", (), "RowBinaryWithDefaults"),
        ("id UInt8, s String DEFAULT 'none', j JSON", ("--columns", "id,j"), "Native"),
        ("id UInt8, s String DEFAULT 'none', j JSON", ("--format", "Native"), "Native"),
        ("id UInt8, s String, j JSON, m UInt8 MATERIALIZED 3", (), "Native"),
        ("id UInt8, s Enum8('' = 0), j JSON", (), "Native"),
        ("id UInt8, s String, j JSON", ("--batch-rows", 100), "RowBinaryWithDefaults"),
        ("id UInt8, s String, j JSON", ("--format", "RowBinary"), "RowBinary"),
    ],
)
def test_the_format_of_the_command(
    front: Front, tmp_path: Path, columns: str, arguments: tuple[Any, ...], format: str
) -> None:
    from rowbinary.cli import _command

    front.query("DROP TABLE IF EXISTS cli_native")
    front.query(f"CREATE TABLE cli_native ({columns}) ENGINE = Memory")
    rows: list[dict[str, Any]] = [{"id": 1, "j": {"a": [1, "x"]}}, {"j": {}, "id": 2}]
    if format == "RowBinary":
        rows = [{**row, "s": ""} for row in rows]
    path = tmp_path / "r.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with Recorder(front.port) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        words = ["insert", path, "-t", "cli_native", "--to", url, "-q", *arguments]
        assert _command.run([str(word) for word in words]) == 0
        [request] = proxy.inserts
    assert said(request)["query"].endswith(f" FORMAT {format}")
    assert "input_format_binary_read_json_as_string" not in said(request)
    text = "none" if "'none'" in columns else ""
    found = front.query("SELECT id, s, toString(j) FROM cli_native ORDER BY id").splitlines()
    assert [line.split("\t")[1] for line in found] == [text, text]


def test_the_command_takes_back_native_blocks(engine: Any, tmp_path: Path) -> None:
    """The embedded engine: what is counted as written, and what is taken back."""
    from rowbinary.cli import _command

    def insert(path: Path) -> int:
        words = ["insert", path, "-t", "cli_blocks", "--to", "chdb://memory", "-q"]
        small = ["--settings", "min_insert_block_size_rows=1000", "--format", "Native"]
        return _command.run([str(word) for word in (*words, *small)])

    def count() -> str:
        return str(engine.query("SELECT count() FROM cli_blocks", "TSV")).strip()

    engine.query("CREATE TABLE cli_blocks (a UInt32, s String) ENGINE = MergeTree ORDER BY a")
    try:
        good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
        lines = [json.dumps({"a": n, "s": PAD}) for n in range(5000)]
        bad.write_text("\n".join([*lines, '{"a": -1}']))
        good.write_text("\n".join(lines))
        assert (insert(bad), count()) == (1, "0")
        assert (insert(good), count()) == (0, "5000")
        assert (insert(bad), count()) == (1, "5000")
    finally:
        engine.query("DROP TABLE cli_blocks")
