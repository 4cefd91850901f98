"""``rowbinary insert`` on bad input: lines it refuses, with and without --rejects, lines that are too
long, and broken files.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import cli_runs
import pytest
from cli_runs import insert, linux_only, peak_memory, write

from rowbinary._embedded import Embedded

db = cli_runs.db  # the fixture

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
