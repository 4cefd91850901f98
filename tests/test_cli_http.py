"""``rowbinary insert --to http://...``: the same command into servers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from front_process import Front
from server18 import Server18

pytest.importorskip("click", reason="the command line needs click")
pytest.importorskip("rich", reason="the command line needs rich")

from rowbinary.cli import _command


def insert(url: str, *arguments: object, table: str = "cli_t") -> int:
    """Run the command; its exit code."""
    return _command.run(["insert", *map(str, arguments), "-t", table, "--to", url])


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(params=["server18", "front"])
def server(request: pytest.FixtureRequest) -> Server18 | Front:
    found: Server18 | Front = request.getfixturevalue(request.param)
    found.query("DROP TABLE IF EXISTS cli_t")
    return found


@pytest.mark.parametrize("compression", ["lz4", "none", "http-gzip"])
def test_rows_land(
    server: Server18 | Front, tmp_path: Path, capsys: pytest.CaptureFixture[str], compression: str
) -> None:
    server.query("CREATE TABLE cli_t (id UInt64, s String) ENGINE = MergeTree ORDER BY id")
    rows = [{"id": n, "s": "text " * 20} for n in range(20_000)]
    assert insert(server.url, write(tmp_path / "r.jsonl", *rows), "--compression", compression) == 0
    assert server.query("SELECT count(), sum(id) FROM cli_t").split() == ["20000", str(sum(range(20_000)))]
    said = capsys.readouterr().out
    assert said.startswith("20,000 rows inserted into cli_t, 0 rejected, ")
    assert bool(re.search(r", 2\.2 MB encoded, [\d.]+ kB sent\n$", said)) == (compression != "none")


def test_create_and_rejects(server: Server18 | Front, tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", {"id": 1, "s": "a"}, {"id": "x", "s": "b"}, {"id": 3, "s": "c"})
    rejects = tmp_path / "bad.jsonl"
    assert insert(server.url, path, "--create", "--infer-rows", 1, "--rejects", rejects) == 3
    assert server.query("SELECT id, s FROM cli_t ORDER BY id") == "1\ta\n3\tc\n"
    assert json.loads(rejects.read_text())["line"] == 2


def test_a_bad_line_inserts_nothing(
    server: Server18 | Front, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.query("CREATE TABLE cli_t (id UInt64, s String) ENGINE = MergeTree ORDER BY id")
    rows = [{"id": n, "s": "text " * 20} for n in range(60_000)]
    path = write(tmp_path / "r.jsonl", *rows, {"id": -1, "s": ""})
    assert insert(server.url, path) == 1
    assert capsys.readouterr().err.endswith("out of range 0 .. 18446744073709551615; nothing was inserted\n")
    assert server.query("SELECT count() FROM cli_t") == "0\n"


def test_a_created_table_is_dropped_again(
    server: Server18 | Front, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "r.jsonl", {"a": 1}, {"a": "x"})
    assert insert(server.url, path, "--create", "--infer-rows", 1) == 1
    assert capsys.readouterr().err.endswith("; nothing was inserted, cli_t was dropped again\n")
    assert server.query("EXISTS TABLE cli_t") == "0\n"


def test_a_missing_key_is_the_default(front: Front, tmp_path: Path) -> None:
    front.query("DROP TABLE IF EXISTS cli_t")
    front.query("CREATE TABLE cli_t (id UInt8, s String DEFAULT 'none') ENGINE = Memory")
    assert insert(front.url, write(tmp_path / "r.jsonl", {"id": 1})) == 0
    assert front.query("SELECT * FROM cli_t") == "1\tnone\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-t", "nope"), ["refused: UNKNOWN_TABLE (60)", "--create makes a table; nothing was inserted"]),
        (("-t", "cli_t", "--settings", "no_such=1"), ["UNKNOWN_SETTING (115)", "nothing was inserted"]),
        (("-t", "cli_t", "--columns", "zz"), ["the table has no column 'zz'"]),
    ],
)
def test_complaints(
    server: Server18 | Front, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...], words: list[str],
) -> None:  # fmt: skip
    server.query("CREATE TABLE cli_t (a UInt8) ENGINE = Memory")
    path = write(tmp_path / "r.jsonl", {"a": 1})
    assert _command.run(["insert", str(path), "--to", server.url, *arguments]) == 1
    said = capsys.readouterr().err
    assert all(word in said for word in words), said
    assert server.query("SELECT count() FROM cli_t") == "0\n"


def test_wrong_password(front: Front, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "r.jsonl", {"a": 1})
    url = front.url.replace("http://", "http://alice:hush%40now@")
    assert insert(url, path) == 1
    said = capsys.readouterr().err
    assert "AUTHENTICATION_FAILED (516)" in said
    assert "hush" not in said


def test_no_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert insert("http://127.0.0.1:1", write(tmp_path / "r.jsonl", {"a": 1})) == 1
    said = capsys.readouterr().err
    assert said.startswith("rowbinary: no connection to http://127.0.0.1:1: Connection refused")


def test_the_url_may_come_from_the_environment(
    front: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a password need not stand in the list of processes."""
    front.query("DROP TABLE IF EXISTS cli_t")
    front.query("CREATE TABLE cli_t (a UInt8) ENGINE = Memory")
    monkeypatch.setenv("ROWBINARY_URL", front.url)
    assert _command.run(["insert", str(write(tmp_path / "r.jsonl", {"a": 1})), "-t", "cli_t"]) == 0
    assert front.query("SELECT * FROM cli_t") == "1\n"
