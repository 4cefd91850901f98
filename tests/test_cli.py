"""``rowbinary insert``: what lands in the engine from JSON Lines and CSV, tables that it creates, and what it
shows meanwhile.
"""

from __future__ import annotations

import gzip
import io
import os
import pty
import sys
from pathlib import Path
from typing import Any

import cli_runs
import pytest
from cli_runs import insert, linux_only, peak_memory, process, write

from rowbinary._embedded import Embedded
from rowbinary.cli import _command
from rowbinary.protocol import Table

db = cli_runs.db  # the fixture


# --- what lands ------------------------------------------------------------------------------------


def test_jsonl_into_a_table(db: Embedded, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db.execute(
        "CREATE TABLE cli.t (id UInt64, name String DEFAULT 'none', tags Array(String), j JSON, t DateTime, "
        "twice UInt64 MATERIALIZED id * 2) ENGINE = MergeTree ORDER BY id"
    )
    rows = [
        {"id": 1, "name": "a", "tags": ["x", "y"], "j": {"a.b": 1, "c": [1, 2]}, "t": "2024-02-29 12:00:00"},
        "",
        {"t": "2024-02-29T12:00:00Z", "j": {}, "id": 2, "tags": []},
    ]
    assert insert(write(tmp_path / "rows.jsonl", *rows)) == 0
    assert db.query("SELECT *, twice, toString(j) FROM cli.t ORDER BY id") == [
        [
            1, "a", ["x", "y"], {"a": {"b": 1}, "c": [1, 2]}, "2024-02-29 12:00:00", 2,
            '{"a":{"b":1},"c":[1,2]}',
        ],
        [2, "none", [], {}, "2024-02-29 12:00:00", 4, "{}"],
    ]  # fmt: skip
    summary = capsys.readouterr().out
    assert summary.startswith("2 rows inserted into cli.t, 0 rejected, ")
    assert f"{(tmp_path / 'rows.jsonl').stat().st_size} B read" in summary


@pytest.mark.parametrize("packed", ["plain", "gzip", "zstd"])
def test_compression_is_told_by_content(db: Embedded, tmp_path: Path, packed: str) -> None:
    db.execute("CREATE TABLE cli.t (id UInt64) ENGINE = MergeTree ORDER BY id")
    data = b"".join(b'{"id":%d}\n' % number for number in range(10_000))
    if packed == "gzip":
        data = gzip.compress(data[:50_000]) + gzip.compress(data[50_000:])
    elif packed == "zstd":
        from rowbinary.cli._files import _zstd

        data = _zstd().compress(data)
    path = tmp_path / "rows.json.gz"
    path.write_bytes(data)
    assert insert(path) == 0
    assert db.query("SELECT count(), sum(id) FROM cli.t") == [[10_000, 49_995_000]]


def test_several_files_and_stdin(db: Embedded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db.execute("CREATE TABLE cli.t (id UInt64) ENGINE = MergeTree ORDER BY id")
    first = write(tmp_path / "a.ndjson", b'\xef\xbb\xbf{"id": 1}')
    last = tmp_path / "b.json"
    last.write_bytes(b'{"id": 3}')  # no newline at the end
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"id": 2}\r\n')))
    assert insert(first, "-", last) == 0
    assert db.query("SELECT id FROM cli.t ORDER BY id") == [[1], [2], [3]]


@pytest.mark.parametrize("format", _command.FORMATS)
def test_formats_on_the_wire(db: Embedded, tmp_path: Path, format: str) -> None:
    db.execute("CREATE TABLE cli.t (id UInt64, `n.a` Array(Int8), `n.b` Array(String)) ENGINE = Memory")
    assert insert(write(tmp_path / "r.jsonl", {"id": 7, "n.a": [1], "n.b": ["x"]}), "--format", format) == 0
    assert db.query("SELECT * FROM cli.t") == [[7, [1], ["x"]]]


@pytest.mark.parametrize(
    ("mode", "types"),
    [
        ("exact", {"d": "String", "n": "Array(Nullable(Int64))"}),
        ("text", {"d": "Date", "n": "Array(Nullable(Int64))"}),
        ("string", {"d": "Date", "n": "Array(Nullable(Int64))"}),
    ],
)
def test_json_modes(db: Embedded, tmp_path: Path, mode: str, types: dict[str, str]) -> None:
    db.execute("CREATE TABLE cli.t (j JSON) ENGINE = Memory")
    path = write(tmp_path / "r.jsonl", {"j": {"d": "2024-01-01", "n": [1]}})
    assert insert(path, "--json", mode) == 0
    assert db.query("SELECT JSONAllPathsWithTypes(j) FROM cli.t") == [[types]]


def test_big_numbers_stay_exact(db: Embedded, tmp_path: Path) -> None:
    db.execute("CREATE TABLE cli.t (i Int256, d Decimal(38, 20)) ENGINE = Memory")
    path = write(tmp_path / "r.jsonl", f'{{"i": {2**200}, "d": 1.12345678901234567890}}')
    assert insert(path) == 0
    assert db.query("SELECT toString(i), toString(d) FROM cli.t") == [[str(2**200), "1.1234567890123456789"]]


def test_decimals_beside_documents(db: Embedded, tmp_path: Path) -> None:
    """Decimal columns get every digit; fractions in documents are floats all the same."""
    db.execute("CREATE TABLE cli.t (d Decimal(38, 20), l Array(Decimal(38, 20)), j JSON) ENGINE = Memory")
    number = "1.12345678901234567891"
    row = f'{{"d": {number}, "l": [{number}], "j": {{"x": {number}}}}}'
    assert insert(write(tmp_path / "r.jsonl", row)) == 0
    select = "SELECT toString(d), toString(l), j.x, dynamicType(j.x) FROM cli.t"
    assert db.query(select) == [[number, f"[{number}]", 1.1234567890123457, "Float64"]]


def test_missing_enums_can_be_read(db: Embedded, tmp_path: Path) -> None:
    """What the engine stores for a default asked for on the wire is no label (code 691)."""
    enum = "Enum8('low' = -1, 'high' = 3)"
    columns = f"i UInt8, e {enum}, d {enum} DEFAULT 'high', n Nullable({enum})"
    db.execute(f"CREATE TABLE cli.t ({columns}) ENGINE = Memory")
    assert insert(write(tmp_path / "r.jsonl", {"i": 1}, {"i": 2, "e": "high", "d": "low"})) == 0
    path = tmp_path / "r.csv"
    path.write_text("i,e,d\n3,,\n")
    assert insert(path) == 0
    db.execute(f"CREATE TABLE cli.u (d {enum} DEFAULT 'high') ENGINE = Memory")
    assert insert(write(tmp_path / "u.jsonl", {"d": "low"}, {}), table="cli.u") == 0
    assert db.query("SELECT * FROM cli.u ORDER BY d") == [["low"], ["high"]]
    assert db.query("SELECT * FROM cli.t ORDER BY i") == [
        [1, "low", "high", None], [2, "high", "low", None], [3, "low", "high", None],
    ]  # fmt: skip


def test_columns_and_unknown_keys(db: Embedded, tmp_path: Path) -> None:
    db.execute("CREATE TABLE cli.t (a UInt8, b UInt8 DEFAULT 9) ENGINE = Memory")
    path = write(tmp_path / "r.jsonl", {"a": 1, "b": 2, "zz": 3})
    assert insert(path, "--columns", "a", "--ignore-unknown") == 0
    assert db.query("SELECT * FROM cli.t") == [[1, 9]]
    assert insert(path) == 1


def test_batch_rows_is_the_size_of_blocks(db: Embedded, tmp_path: Path) -> None:
    db.execute("CREATE TABLE cli.t (a UInt32) ENGINE = MergeTree ORDER BY a")
    path = write(tmp_path / "r.jsonl", *({"a": n} for n in range(1000)))
    assert insert(path, "--batch-rows", 100, "--format", "RowBinary") == 0
    parts = "SELECT count(), sum(rows), max(rows) FROM system.parts WHERE database = 'cli' AND level = 0"
    assert db.query(parts) == [[10, 1000, 100]]  # merged or not


@pytest.mark.parametrize("table_engine", ["ReplacingMergeTree", "Null"])
def test_engines_that_store_fewer(
    db: Embedded, tmp_path: Path, capsys: pytest.CaptureFixture[str], table_engine: str
) -> None:
    order = "ORDER BY a" if table_engine != "Null" else ""
    db.execute(f"CREATE TABLE cli.t (a UInt8) ENGINE = {table_engine} {order}")
    assert insert(write(tmp_path / "r.jsonl", {"a": 1}, {"a": 1})) == 0
    said = {
        "ReplacingMergeTree": "2 rows inserted into cli.t, 1 after merging by the ReplacingMergeTree",
        "Null": "2 rows inserted into cli.t, of which a Null table cannot tell",
    }
    assert capsys.readouterr().out.startswith(said[table_engine])


# --- CSV -------------------------------------------------------------------------------------------


def test_csv(db: Embedded, tmp_path: Path) -> None:
    db.execute(
        "CREATE TABLE cli.t (id UInt64, s String, b Bool, d Date, t DateTime64(3), a Array(UInt8), "
        "m Map(String, Int8), p Tuple(Int8, String), j JSON, e Enum8('red' = 1, 'green' = 2), "
        "n Nullable(Int32), dec Decimal(18, 4), u UUID, lc LowCardinality(String), def String DEFAULT 'x') "
        "ENGINE = MergeTree ORDER BY id"
    )
    path = tmp_path / "rows.csv"
    path.write_bytes(
        b"id,s,b,d,t,a,m,p,j,e,n,dec,u,lc,def\r\n"
        b'1,"two\r\nlines, ""quoted""",TRUE,2024-01-02,2024-01-02 03:04:05.678,"[1,2]","{""k"":1}",'
        b'"[3,""z""]","{""a"":{""b"":true}}",green,,1.5000,00112233-4455-6677-8899-aabbccddeeff,lc,\r\n'
        b"\r\n"
        b"2,,0,2024-01-03,1704164645678,[],{},,{},1,-5,0,,,y\r\n"
    )
    assert insert(path) == 0
    first, second = db.query("SELECT * FROM cli.t ORDER BY id")
    assert first == [
        1, 'two\nlines, "quoted"', True, "2024-01-02", "2024-01-02 03:04:05.678", [1, 2], {"k": 1}, [3, "z"],
        {"a": {"b": True}}, "green", None, 1.5, "00112233-4455-6677-8899-aabbccddeeff", "lc", "x",
    ]  # fmt: skip
    assert second == [
        2, "", False, "2024-01-03", "2024-01-02 03:04:05.678", [], {}, [0, ""], {}, "red", -5, 0,
        "00000000-0000-0000-0000-000000000000", "", "y",
    ]  # fmt: skip


def test_csv_without_header(db: Embedded, tmp_path: Path) -> None:
    db.execute("CREATE TABLE cli.t (a UInt8, b String) ENGINE = Memory")
    path = tmp_path / "rows.data"
    path.write_text("x,1\ny,2\n")
    assert insert(path, "--input-format", "csv", "--no-header", "--columns", "b,a") == 0
    assert db.query("SELECT a, b FROM cli.t") == [[1, "x"], [2, "y"]]


# --- schema inference ------------------------------------------------------------------------------


def test_create(db: Embedded, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"id": 1, "f": 1, "s": "x", "d": "2024-01-01", "t": "2024-01-01T00:00:00Z", "b": True, "j": {"a": 1},
         "l": [1], "mix": 1, "n": None, "big": 2**63},
        {"id": -1, "f": 1.5, "s": "2024-01-01", "d": "2024-01-02", "t": "2024-01-01 00:00:00.123456789",
         "j": {}, "l": [None], "mix": "x", "n": None, "big": 1},
    ]  # fmt: skip
    assert insert(write(tmp_path / "r.jsonl", *rows), "--create") == 0
    types = {
        "id": "Int64", "f": "Float64", "s": "String", "d": "Date32", "t": "DateTime64(9, 'UTC')",
        "b": "Nullable(Bool)", "j": "JSON", "l": "Array(Nullable(Int64))", "mix": "Dynamic", "n": "Dynamic",
        "big": "UInt64",
    }  # fmt: skip
    printed, _, summary = capsys.readouterr().out.partition("ORDER BY tuple()\n")
    columns = ",\n".join(f"    `{name}` {type_}" for name, type_ in types.items())
    assert printed == f"CREATE TABLE `cli`.`t`\n(\n{columns}\n)\nENGINE = MergeTree\n"
    assert summary.startswith("2 rows inserted")
    assert {str(name): str(type_) for name, type_ in db.describe(Table.parse("cli.t"))} == types
    assert db.query("SELECT id, mix, dynamicType(mix), toString(t) FROM cli.t ORDER BY id") == [
        [-1, "x", "String", "2024-01-01 00:00:00.123456789"],
        [1, 1, "Int64", "2024-01-01 00:00:00.000000000"],
    ]
    # With the table in place --create changes nothing.
    assert insert(write(tmp_path / "more.jsonl", {"id": 5}), "--create") == 0
    assert "CREATE" not in capsys.readouterr().out


def test_create_from_csv(db: Embedded, tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(
        "i,f,b,d,z,j,l,e,mix\n1,1,true,2024-01-01,007,{},[1],,1\n,2.5,FALSE,2024-01-02,1,{},[],,a\n"
    )
    assert insert(path, "--create") == 0
    types = [str(type_) for type_ in db.describe(Table.parse("cli.t")).types]
    assert types == [
        "Nullable(Int64)", "Float64", "Bool", "Date32", "String", "JSON", "Array(Int64)", "Nullable(String)",
        "String",
    ]  # fmt: skip
    assert db.query("SELECT i, f, b, z, l, e, mix FROM cli.t ORDER BY f") == [
        [1, 1, True, "007", [1], None, "1"],
        [None, 2.5, False, "1", [], None, "a"],
    ]


# --- display ---------------------------------------------------------------------------------------


def test_quiet(db: Embedded, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    db.execute("CREATE TABLE cli.t (a UInt8) ENGINE = Memory")
    assert insert(write(tmp_path / "r.jsonl", {"a": 1}), "-q") == 0
    assert insert(tmp_path / "r.jsonl", "-q", "--create", table="cli.new") == 0
    assert tuple(capfd.readouterr()) == ("", "")


def test_progress_on_a_terminal(engine: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", *({"a": n} for n in range(200_000)))
    leader, follower = pty.openpty()
    running = process(path, "-t", "t", "--to", "chdb://memory", "--create", stderr=follower)
    os.close(follower)
    shown = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # the other side is closed
            break
        shown += piece
        if not piece:
            break
    output, _ = running.communicate()
    assert running.returncode == 0
    assert b" rows" in shown
    assert "200,000 rows inserted" in output


@pytest.mark.slow
@linux_only
def test_memory_stays_constant(engine: Any, tmp_path: Path) -> None:
    code = "import sys\nfrom rowbinary.cli._command import run\nassert run(['insert', *sys.argv[1:]]) == 0"

    def peak(rows: int) -> int:
        path = tmp_path / f"{rows}.jsonl"
        with path.open("w") as file:
            file.writelines(f'{{"a":{n},"s":"some text of row {n}"}}\n' for n in range(rows))
        target = f"chdb://{tmp_path}/{rows}"
        return peak_memory(code, path, "-t", "t", "--to", target, "--create", "--batch-rows", 20_000)

    assert peak(3_000_000) - peak(300_000) < 150  # the larger file has 120 MB
