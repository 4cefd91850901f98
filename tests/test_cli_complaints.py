"""What ``rowbinary insert`` says, and its exit code, when it is called wrongly, the database refuses, or a
module is missing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cli_runs
import pytest
from cli_runs import insert, write

from rowbinary._embedded import Embedded
from rowbinary.cli import _command
from rowbinary.protocol import Table

db = cli_runs.db  # the fixture


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
