"""``rowbinary insert``: what lands in the engine, what is refused, and what the exit code says.

Most tests run the command in this process: ``chdb://memory`` is then the engine of the fixture.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("click", reason="the command line needs click")
pytest.importorskip("rich", reason="the command line needs rich")

from rowbinary._embedded import Embedded
from rowbinary.cli import _command
from rowbinary.protocol import Table

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@pytest.fixture
def db(engine: Any) -> Iterator[Embedded]:
    """The engine of the session, with a fresh database in use by its name ``cli``."""
    assert engine
    with Embedded() as embedded:
        embedded.execute("DROP DATABASE IF EXISTS cli")
        embedded.execute("CREATE DATABASE cli")
        yield embedded
        embedded.execute("DROP DATABASE cli")


def insert(*arguments: object, table: str = "cli.t") -> int:
    """Run the command; its exit code."""
    return _command.run(["insert", *map(str, arguments), "-t", table, "--to", "chdb://memory"])


def write(path: Path, *lines: object) -> Path:
    """A file of JSON Lines: texts and bytes as they are, the rest as JSON."""
    kept = (
        line if isinstance(line, bytes) else (line if isinstance(line, str) else json.dumps(line)).encode()
        for line in lines
    )
    path.write_bytes(b"".join(line + b"\n" for line in kept))
    return path


def process(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    """The command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    command = [sys.executable, "-m", "rowbinary.cli", "insert", *map(str, arguments)]
    return subprocess.Popen(command, env=environment, text=True, **options)


def query_on_disk(path: Path, sql: str) -> Any:
    """One cell of the result of `sql` in the database at `path`."""
    code = (
        "import sys\n"
        "from rowbinary._embedded import Embedded\n"
        "print(Embedded(sys.argv[1]).query(sys.argv[2]))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code, path, sql], env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.replace("'", '"'))[0][0]


# --- what lands -----------------------------------------------------------------------------------


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


# --- CSV ------------------------------------------------------------------------------------------


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


# --- refused lines --------------------------------------------------------------------------------

BAD_LINES = [
    (b'{"a": 1, "a": 2}', "the key 'a' comes twice in an object"),
    (b'{"a": 1, "j": {"x": {"k": 1, "k": 1}}}', "the key 'k' comes twice in an object"),
    (b'{"a": NaN}', "NaN is not JSON"),
    (b'{"a": -Infinity}', "-Infinity is not JSON"),
    (b'{"a": 1e400}', "1e400 is beyond the range of Float64"),
    (b'{"a": 1', "not JSON: Expecting ',' delimiter at character 7"),
    (b'{"a": 1} {"a": 2}', "not JSON: Extra data at character 9"),
    (b"[1]", "a line must be a JSON object, not an array"),
    (b"null", "a line must be a JSON object, not null"),
    (b"1", "a line must be a JSON object, not a number"),
    (b'{"a": "\xff"}', "not UTF-8 at byte 7"),
    (b"\x00\x01\x02", "not JSON: Expecting value at character 0"),
    (b'{"j": ' * 100_000, "not JSON: nested too deeply"),
    (b'{"a": ' + b"9" * 5000 + b"}", "not JSON: Exceeds the limit"),
    (b'{"a": 300}', "column 'a': expected UInt8, got int 300: out of range 0 .. 255"),
    (b'{"a": 1, "b": 2}', "the row has a value for str 'b', which is no column"),
    (b'{"a": 1, "j": [1]}', "column 'j': expected JSON"),
]


@pytest.mark.parametrize(("line", "error"), BAD_LINES, ids=[error[:30] for _, error in BAD_LINES])
def test_bad_line(
    db: Embedded, tmp_path: Path, capsys: pytest.CaptureFixture[str], line: bytes, error: str
) -> None:
    db.execute("CREATE TABLE cli.t (a UInt8, j JSON) ENGINE = MergeTree ORDER BY a")
    path = write(tmp_path / "r.jsonl", {"a": 1}, line, {"a": 3})
    assert insert(path) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"rowbinary: {path}:2: {error}")
    assert said.err.endswith("; nothing was inserted\n")
    assert len(said.err) < 600
    assert db.query("SELECT a FROM cli.t") == []

    rejects = tmp_path / "rejects.jsonl"
    assert insert(path, "--rejects", rejects) == 3
    (refused,) = map(json.loads, rejects.read_text().splitlines())
    assert (refused["line"], refused["file"]) == (2, str(path))
    assert refused["error"].startswith(error)
    assert refused["row"] == line.decode(errors="backslashreplace")
    assert db.query("SELECT a FROM cli.t ORDER BY a") == [[1], [3]]
    assert capsys.readouterr().out.startswith("2 rows inserted into cli.t, 1 rejected, ")


def test_bad_csv_lines(db: Embedded, tmp_path: Path) -> None:
    db.execute("CREATE TABLE cli.t (a UInt8, b Bool) ENGINE = MergeTree ORDER BY a")
    path = tmp_path / "r.csv"
    path.write_bytes(b'a,b\n1,true\n2\n"3\n4",true\n5,perhaps\n"6"x,true\n\xff,true\n7,false\n')
    rejects = tmp_path / "rejects"
    assert insert(path, "--rejects", rejects) == 3
    assert db.query("SELECT a, b FROM cli.t ORDER BY a") == [[1, True], [7, False]]
    refused = [tuple(json.loads(line).values()) for line in rejects.read_text().splitlines()]
    assert [(line, row) for line, _, _, row in refused] == [
        (3, "2"), (4, '"3\n4",true'), (6, "5,perhaps"), (7, '"6"x,true'), (8, "\\xff,true"),
    ]  # fmt: skip
    errors = [error for _, _, error, _ in refused]
    assert errors[0] == "1 cells instead of 2"
    assert errors[1].startswith("column 'a': expected UInt8")
    assert errors[2] == "column 'b': 'perhaps' is none of true, false, 1, 0"
    assert "expected after" in errors[3]
    assert errors[4] == "not UTF-8 at byte 0"


def test_no_good_line(db: Embedded, tmp_path: Path) -> None:
    db.execute("CREATE TABLE cli.t (a UInt8) ENGINE = Memory")
    assert insert(write(tmp_path / "r.jsonl", {"a": 300}), "--rejects", tmp_path / "rejects") == 1
    assert insert(write(tmp_path / "empty.jsonl")) == 0


def test_a_line_that_is_too_long(db: Embedded, tmp_path: Path) -> None:
    db.execute("CREATE TABLE cli.t (a UInt8, s String) ENGINE = MergeTree ORDER BY a")
    long = json.dumps({"a": 2, "s": "x" * (3 << 20)})
    path = write(tmp_path / "r.jsonl", {"a": 1, "s": ""}, long, {"a": 3, "s": ""})
    rejects = tmp_path / "rejects"
    assert insert(path, "--max-line", 1, "--rejects", rejects) == 3
    refused = json.loads(rejects.read_text())
    assert (refused["line"], refused["row"]) == (2, long[:1000])
    assert refused["error"] == "the line is too long (see --max-line)"
    assert db.query("SELECT a FROM cli.t ORDER BY a") == [[1], [3]]
    assert insert(path, "--max-line", 8) == 0


def peak_memory(code: str, *arguments: object) -> int:
    """The most memory, in MB, that a process running `code` has had."""
    code += "\nprint(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    return int(done.stdout.split()[-1]) // 1000


@linux_only
def test_garbage_without_newlines_is_no_memory_bomb(tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.jsonl"
    with garbage.open("wb") as file:
        file.truncate(3 << 27)  # sparse: takes no disk
    code = (
        "import sys\n"
        "from rowbinary.cli._formats import JsonLines\n"
        "from rowbinary.cli._files import InputFile\n"
        "lines = list(JsonLines().read(InputFile(sys.argv[1], int(sys.argv[2]))))\n"
        "assert [line.error for line in lines] == ['the line is too long (see --max-line)']"
    )
    limit = 16 << 20
    assert peak_memory(code, garbage, limit) - peak_memory(code, garbage, 1) < 80


def test_broken_gzip(db: Embedded, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db.execute("CREATE TABLE cli.t (a UInt32) ENGINE = MergeTree ORDER BY a")
    data = gzip.compress(b"".join(b'{"a":%d}\n' % number for number in range(100_000)))
    path = tmp_path / "r.jsonl.gz"
    path.write_bytes(data[: len(data) // 2])
    assert insert(path) == 1
    assert capsys.readouterr().err.startswith(f"rowbinary: {path}: cannot be read: Compressed file ended")
    assert db.query("SELECT count() FROM cli.t") == [[0]]


# --- all or nothing -------------------------------------------------------------------------------


def test_parts_that_were_finished_are_taken_back(db: Embedded, tmp_path: Path) -> None:
    db.execute("CREATE TABLE cli.t (a UInt32) ENGINE = MergeTree ORDER BY a")
    assert insert(write(tmp_path / "a.jsonl", {"a": 1})) == 0
    rows = [{"a": number} for number in range(300_000)]
    bad = write(tmp_path / "b.jsonl", *rows, {"a": -1})
    assert insert(bad, "--batch-rows", 10_000, "--format", "RowBinary") == 1
    assert db.query("SELECT a FROM cli.t") == [[1]]
    assert db.query("SELECT sum(rows) FROM system.parts WHERE database = 'cli' AND active") == [[1]]


def test_rows_dropped_silently_are_noticed(
    db: Embedded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The embedded engine reports success for an insert that a constraint has stopped.
    db.execute("CREATE TABLE cli.t (a UInt8, CONSTRAINT c CHECK a < 5) ENGINE = MergeTree ORDER BY a")
    assert insert(write(tmp_path / "r.jsonl", {"a": 1}, {"a": 9})) == 1
    assert "stored 0 of 2 rows" in capsys.readouterr().err


def test_created_table_is_dropped_again(
    db: Embedded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "r.jsonl", {"a": 1}, {"a": "x"})
    assert insert(path, "--create", "--infer-rows", 1) == 1
    assert capsys.readouterr().err.endswith("; nothing was inserted, cli.t was dropped again\n")
    assert not db.exists(Table.parse("cli.t"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(engine: Any, tmp_path: Path, number: signal.Signals) -> None:
    place = tmp_path / "db"
    first = write(tmp_path / "a.jsonl", {"a": 1})
    done = process(first, "-t", "t", "--to", f"chdb://{place}", "--create")
    assert done.communicate()[1] == ""
    running = process(
        "-", "-t", "t", "--to", f"chdb://{place}", "--batch-rows", 1000, "--format", "RowBinary",
        stdin=subprocess.PIPE,
    )  # fmt: skip
    assert running.stdin
    running.stdin.write("".join(f'{{"a":{n}}}\n' for n in range(50_000)))
    running.stdin.flush()  # all but what a pipe holds has been read
    time.sleep(0.5)
    running.send_signal(number)
    output, complaint = running.communicate(timeout=30)
    assert (output, complaint) == ("", "rowbinary: interrupted; nothing was inserted\n")
    assert running.returncode == 1
    assert int(query_on_disk(place, "SELECT count() FROM t")) == 1


def test_stdout_closed(engine: Any, tmp_path: Path) -> None:
    place = tmp_path / "db"
    path = write(tmp_path / "a.jsonl", *({"a": n} for n in range(1000)))
    with process(path, "-t", "t", "--to", f"chdb://{place}", "--create") as running:
        assert running.stdout
        assert running.stderr
        running.stdout.close()
        assert running.stderr.read() == ""
    assert running.returncode == 0
    assert int(query_on_disk(place, "SELECT count() FROM t")) == 1000


# --- schema inference -----------------------------------------------------------------------------


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


# --- complaints -----------------------------------------------------------------------------------


def complaint(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Exit code and what is said on stderr."""
    code = _command.run(["insert", *map(str, arguments)])
    said = capsys.readouterr()
    assert said.out == ""
    return code, said.err


def test_usage_problems(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "r.jsonl", {"a": 1})
    odd = write(tmp_path / "r.dat", {"a": 1})
    sheet = write(tmp_path / "r.csv", "a")
    memory = ("--to", "chdb://memory")
    for arguments, words in [
        ((path, "-t", "t", "--to", "postgres://x"), "must begin with http://, https:// or chdb://"),
        ((path, "-t", "t", "--to", "http://u:secret@h:x/"), "the URL's port must be a number"),
        ((path, "-t", "t", "--to", "chdb://relative/path"), "is chdb://memory or chdb:///directory"),
        ((path, "-t", "t", "--to", "chdb://memory?max_threads=1"), "are given with --settings"),
        ((path, "-t", "t", "--settings", "max_threads", *memory), "a setting is name=value"),
        ((path, "-t", "t", "--settings", "query=1", *memory), "'query' is not a setting"),
        ((path, "-t", "t", "--compression", "bzip2", *memory), "Invalid value for '--compression'"),
        ((path, "-t", "a.b.c", *memory), "neither a table nor database.table"),
        ((tmp_path / "missing.jsonl", "-t", "t", *memory), "missing.jsonl: no such file"),
        ((tmp_path, "-t", "t", "--input-format", "csv", *memory), "is a directory"),
        ((odd, "-t", "t", *memory), "Say so with --input-format"),
        ((path, sheet, "-t", "t", *memory), "cannot be mixed"),
        ((path, "-t", "t", "--no-header", *memory), "needs --columns"),
        (("-", "-", "-t", "t", *memory), "can be read once only"),
        ((path, "-t", "t", "--rejects", path, *memory), "is an input file"),
        ((path, "-t", "t", "--rejects", tmp_path / "no/such", *memory), "cannot be written"),
        ((path, "-t", "t", "--format", "CSV", *memory), "Invalid value for '--format'"),
        ((path, *memory), "Missing option '--table'"),
        (("-t", "t", *memory), "Missing argument 'FILE...'"),
    ]:
        code, said = complaint(capsys, *arguments)
        assert (code, words in said) == (2, True), said
    assert path.read_text() == '{"a": 1}\n'


def test_engine_complaints(db: Embedded, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db.execute("CREATE TABLE cli.t (a UInt8) ENGINE = Memory")
    path = write(tmp_path / "r.jsonl", {"a": 1})
    lone = write(tmp_path / "s.jsonl", {"\ud800": 1})
    memory = ("--to", "chdb://memory")
    for arguments, words in [
        ((path, "-t", "cli.nope", *memory), "Table cli.nope does not exist"),
        ((path, "-t", "cli.nope", *memory), "--create makes a table; nothing was inserted"),
        ((path, "-t", "nowhere.t", *memory), "Database nowhere does not exist"),
        ((path, "-t", "cli.t", "--columns", "zz", *memory), "the table has no column 'zz'"),
        ((path, "-t", "nowhere.t", "--create", *memory), "Database nowhere does not exist"),
        ((write(tmp_path / "e.jsonl"), "-t", "cli.new", "--create", *memory), "the input has no values"),
        ((write(tmp_path / "b.jsonl", "{"), "-t", "cli.new", "--create", *memory), "b.jsonl:1: not JSON"),
        ((write(tmp_path / "n.jsonl", {"": 1}), "-t", "cli.new", "--create", *memory), "the name ''"),
        ((lone, "-t", "cli.new", "--create", *memory), r"the name '\ud800'"),
        ((path, "-t", "t", "--to", f"chdb://{path}"), "cannot be used as a directory: File exists"),
    ]:
        code, said = complaint(capsys, *arguments)
        assert (code, words in said) == (1, True), said
        assert "Traceback" not in said
    assert not db.exists(Table.parse("cli.new"))


@pytest.mark.parametrize(("module", "extra"), [("chdb", "chdb"), ("click", "cli"), ("rich", "cli")])
def test_missing_module(tmp_path: Path, module: str, extra: str) -> None:
    path = write(tmp_path / "r.jsonl", {"a": 1})
    code = f"import sys; sys.modules[{module!r}] = None\nfrom rowbinary.cli import main\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", code, "insert", path, "-t", "t", "--to", "chdb://memory"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"pip install 'rowbinary[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_zstd(db: Embedded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db.execute("CREATE TABLE cli.t (a UInt8) ENGINE = Memory")
    path = tmp_path / "r.jsonl.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd whatever")
    for name in ("backports", "backports.zstd", "compression", "compression.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    assert insert(path) == 1


def test_import_stays_light() -> None:
    """The library does not import what only the command line needs."""
    code = "import sys, rowbinary; print([m for m in ('click', 'rich', 'chdb', 'csv') if m in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


# --- display --------------------------------------------------------------------------------------


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
