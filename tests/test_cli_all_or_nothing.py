"""``rowbinary insert`` when something fails or stops it midway: the table has all rows, or none of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cli_runs
import pytest
from cli_runs import insert, process, write

from rowbinary._embedded import Embedded
from rowbinary.protocol import Table

db = cli_runs.db  # the fixture


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
