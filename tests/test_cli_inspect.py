"""``rowbinary inspect``: what it prints, where it stops, and what it says of wrong commands.

What the fields are is tested in test_inspect_fields.py.
"""

from __future__ import annotations

import gzip
import io
import os
import pty
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_runs import linux_only, long_body, memory_of, process
from conftest import VECTORS

import rowbinary
from rowbinary import DEFAULT, typed
from rowbinary._varint import string, varint
from rowbinary.cli import _command
from rowbinary.cli._inspect import safe, shown

Captured = pytest.CaptureFixture[str]


def inspect(capsys: Captured, *arguments: object) -> tuple[int, list[str], str]:
    """Exit code, the lines on stdout without the title, and what was said on stderr."""
    capsys.readouterr()
    code = _command.run(["inspect", *map(str, arguments)])
    out, err = capsys.readouterr()
    title, *lines = out.splitlines() or [""]
    assert title.split() == (
        ["offset", "bytes", "row", "column,", "path", "type", "meaning"] if title else []
    )
    return code, lines, err


def parts(lines: list[str]) -> list[list[str]]:
    """Lines as words, each part one: two spaces are between parts."""
    return [re.split(r" {2,}", line.strip()) for line in lines]


def write(path: Path, columns: Any, rows: Any, form: Any = "RowBinary") -> Path:
    path.write_bytes(rowbinary.encode_rows(columns, rows, format=form))
    return path


# --- what is printed -----------------------------------------------------------------------------------

ROWS = "id UInt64, name Nullable(String), tags Map(String, Array(Int8)), v Variant(String, UInt8), "
ROWS += "at DateTime64(9, 'Asia/Tokyo'), attrs JSON(host String), d Dynamic, "
ROWS += "t Tuple(a UInt8, b Tuple(Bool, Point))"
BLOCKS = "l Array(LowCardinality(Nullable(String))), n Nullable(UInt8), j JSON(max_dynamic_paths=1, a Int8), "
BLOCKS += "d Dynamic(max_types=1), v Variant(UInt8, Array(String)), m Map(String, Nested(a UInt8)), "
BLOCKS += "q QBit(BFloat16, 2)"
VALUES: dict[str, list[Any]] = {
    ROWS: [
        (
            *(1, "é", {"a": [1, -1]}, "s", 1, {"host": "h", "http.status": 200, "l": [1, None]}),
            *(typed({1: "x"}, "Map(UInt8, String)"), (1, (True, (0.5, 1)))),
        ),
        (2, None, {}, None, -1, {"o": [{"k": "x" * 99}]}, typed("a", "Enum8('a' = 5)"), (2, (False, (0, 0)))),
        (3, "", {}, 5, 0, {}, None, (3, (False, (0, 0)))),
    ],
    BLOCKS: [
        (["x", None], 5, {"a": 1, "b": {"c": "y"}, "z": True}, [1], ["k"], {"k": [(1,), (2,)]}, [1, 2]),
        ([], None, {"a": 2}, "text", 7, {}, [0, 0]),
        (["x"], 7, {"z": typed(0, "Time64(3)"), "b.c": typed(1, "UInt8")}, None, None, {"": []}, [0, 1]),
    ],
}


@pytest.mark.parametrize(
    ("name", "columns", "form"),
    [("rows", ROWS, "RowBinaryWithNamesAndTypes"), ("blocks", BLOCKS, "Native")],
    ids=["rows", "blocks"],
)
def test_all_that_is_printed(tmp_path: Path, capsys: Captured, name: str, columns: str, form: str) -> None:
    """As in tests/vectors: the output of the command, which somebody has read."""
    path = write(tmp_path / "body", columns, VALUES[columns], form)
    code, lines, err = inspect(capsys, path, "--format", form)
    assert (code, err) == (0, "")
    assert lines == (VECTORS / f"inspect_{name}.txt").read_text(encoding="utf-8").splitlines()[1:]


@pytest.mark.parametrize("form", ["RowBinary", "RowBinaryWithNames", "RowBinaryWithDefaults"])
def test_formats_without_types(tmp_path: Path, capsys: Captured, form: str) -> None:
    columns = "a UInt8, b FixedString(2)"
    rows = [(1, b"xy"), (2, DEFAULT if "Defaults" in form else b"\xff\0")]
    path = write(tmp_path / "body", columns, rows, form)
    code, lines, err = inspect(capsys, path, "--schema", columns, "--format", form)
    assert (code, err) == (0, "")
    start = 5 if form == "RowBinaryWithNames" else 0
    marker, default = ["a value follows"], ["DEFAULT"]
    cells = {
        "RowBinaryWithDefaults": [marker, ["1"], marker, ["b'xy'"], marker, ["2"], default],
    }.get(form, [["1"], ["b'xy'"], ["2"], [r"b'\xff\x00'"]])
    assert [words[-1:] for words in parts(lines)[start:-1]] == cells
    assert parts(lines)[-1][1] == "end, 2 rows"
    assert inspect(capsys, path, "--format", form)[0] == 2


def test_one_row_and_one_column(tmp_path: Path, capsys: Captured) -> None:
    rows = [(index, [f"n{index}"] * index) for index in range(3)]
    for form in ("RowBinary", "Native"):
        path = write(tmp_path / "body", "a UInt8, b Array(String)", rows, form)
        known = [path, "--format", form, "--schema", "a UInt8, b Array(String)"]
        code, lines, _ = inspect(capsys, *known, "--row", 2)
        assert code == 0
        assert {words[2] for words in parts(lines)} == {"2"}
        assert [words[-1] for words in parts(lines) if "'" in words[-1]] == ["'n2'", "'n2'"]
        code, lines, _ = inspect(capsys, *known, "--row", 1, "--column", "a")
        assert (code, [words[2:] for words in parts(lines)]) == (0, [["1", "a", "UInt8", "1"]])
        code, lines, err = inspect(capsys, *known, "--row", 3)
        assert (code, lines, err) == (1, [], f"rowbinary: {path}: there is no row 3, only 3\n")


def test_what_a_terminal_would_obey_is_not_printed(tmp_path: Path, capsys: Captured) -> None:
    body = (
        b"\1" + string("\x1b[2J") + string("JSON") + b"\1" + string("\x1b\n\u202e") + b"\x15" + string("\x07")
    )
    path = tmp_path / "body"
    path.write_bytes(body)
    code, lines, _ = inspect(capsys, path)
    assert code == 0
    assert all(line.isprintable() for line in lines)
    assert parts(lines)[-2][2:] == ["0", r"\x1b[2J $.\x1b\n\u202e", "String", r"'\x07'"]


def test_colors(tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "body", "a UInt8", [(1,)])
    known = ["inspect", str(path), "--schema", "a UInt8"]
    assert _command.run(known) == 0
    plain = capsys.readouterr().out
    assert _command.run([*known, "--color"]) == 0
    colored = capsys.readouterr().out
    assert "\x1b[" in colored
    assert re.sub(r"\x1b\[\d*m", "", colored) == plain


@linux_only
@pytest.mark.parametrize("no_color", ["", "1"])
def test_colors_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_color: str) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    path = write(tmp_path / "body", "a UInt8", [(1,)])
    leader, follower = pty.openpty()
    running = process(path, "--schema", "a UInt8", command="inspect", stdout=follower)
    assert running.wait(60) == 0
    assert running.stderr is not None
    running.stderr.close()
    os.close(follower)
    assert (b"\x1b[" in os.read(leader, 65536)) == (not no_color)
    os.close(leader)


def test_long_parts() -> None:
    assert shown(b"12345678") == "31 32 33 34 35 36 37 38"
    assert shown(b"123456789") == "31 32 33 34 35 36 +3"
    assert safe("a\tb\u2028é") == r"a\tb\u2028é"


# --- where it stops ------------------------------------------------------------------------------------


def test_broken_bodies(tmp_path: Path, capsys: Captured) -> None:
    """The bytes that were refused, why, and some of those that follow."""
    path = tmp_path / "body"
    cases: list[tuple[str, bytes, list[list[str]]]] = [
        ("a Nullable(UInt8)", b"\0\1\2\3\4", [
            ["2", "02", "1", "a", "Nullable(UInt8)", "BROKEN: the NULL flag is 2, neither 0 nor 1"],
            ["3", "03 04", "not read"],
        ]),
        ("a Array(String)", b"\2\1x\5y", [
            ["4", "0", "a $[1]", "String", "BROKEN: 5 bytes are needed, 1 are left"],
            ["4", "79", "not read"],
        ]),
        ("a UInt32", b"\1\0\0", [
            ["0", "0", "a", "UInt32", "BROKEN: 4 bytes are needed, 3 are left"],
            ["0", "01 00 00", "not read"],
        ]),
        ("a Enum8('x' = 1)", b"\1\2", [
            ["1", "02", "1", "a", "Enum8('x' = 1)", "BROKEN: 2 is no number of Enum8('x' = 1)"],
        ]),
        ("a JSON", b"\1\1k\x99", [["3", "99", "0", "a $.k", "Dynamic", "BROKEN: unknown type tag 0x99"]]),
        ("a Array(UInt8)", varint(1 << 40), [
            ["0", "80 80 80 80 80 20", "0", "a", "Array(UInt8)",
             "BROKEN: 1099511627776 elements: 1073741824 are read at most"],
        ]),
    ]  # fmt: skip
    for columns, body, expected in cases:
        path.write_bytes(body)
        code, lines, err = inspect(capsys, path, "--schema", columns)
        assert code == 4
        assert parts(lines)[-len(expected) :] == expected
        reason = next(words[-1] for words in expected if words[-1].startswith("BROKEN"))
        row = 1 if columns.startswith(("a N", "a E")) else 0
        where = f"{path}: row {row}, column 'a', offset {expected[0][0]}"
        assert err == f"rowbinary: {where}: {reason.removeprefix('BROKEN: ')}\n"


def test_broken_blocks(tmp_path: Path, capsys: Captured) -> None:
    columns = "n Nullable(UInt8), s String"
    body = write(tmp_path / "body", columns, [(1, "a"), (2, "b"), (None, "c")], "Native").read_bytes()
    flags = body.index(b"Nullable(UInt8)") + len("Nullable(UInt8)")
    path = tmp_path / "broken"
    path.write_bytes(body[: flags + 1] + b"\7" + body[flags + 2 :])
    code, lines, err = inspect(capsys, path, "--format", "Native")
    assert code == 4
    assert parts(lines)[-3:] == [
        [str(flags), "00", "0", "n", "Nullable(UInt8)", "not NULL"],
        [str(flags + 1), "07 01", "1", "n", "Nullable(UInt8)", "BROKEN: the NULL flag is 7, neither 0 nor 1"],
        [str(flags + 3), "01 02 00 01 73 06 +10", "not read"],
    ]
    assert f"row 1, column 'n', offset {flags + 1}: the NULL flag is 7" in err


def test_a_row_behind_a_broken_one(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "body"
    path.write_bytes(b"\0\1\2\3\0\4")
    code, lines, err = inspect(capsys, path, "--schema", "a Nullable(UInt8)", "--row", 2)
    assert code == 4
    assert parts(lines) == [
        ["2", "1", "a", "BROKEN: the NULL flag is 2, neither 0 nor 1"],
        ["2", "02 03 00 04", "not read"],
    ]
    assert "row 1, column 'a', offset 2" in err
    assert inspect(capsys, path, "--schema", "a Nullable(UInt8)", "--row", 0)[0] == 0  # it ends there


# --- input and output ----------------------------------------------------------------------------------


def test_inputs(tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    body = rowbinary.encode_rows("a UInt16", [(0x8B1F,), (8,)])  # begins as gzip does
    plain, packed = tmp_path / "body", tmp_path / "body.gz"
    plain.write_bytes(body)
    packed.write_bytes(gzip.compress(body))
    expected = inspect(capsys, plain, "--schema", "a UInt16")
    assert parts(expected[1])[0] == ["0", "1f 8b", "0", "a", "UInt16", "35615"]
    assert inspect(capsys, packed, "--schema", "a UInt16") == expected
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(body)))
    assert inspect(capsys, "-", "--schema", "a UInt16") == expected


def test_no_bytes(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "body"
    path.write_bytes(b"")
    for known in (["--schema", "a UInt8"], ["--format", "Native"]):
        code, lines, err = inspect(capsys, path, *known)
        assert (code, parts(lines), err) == (0, [["0", "end, 0 rows"]], "")
    code, lines, err = inspect(capsys, path)
    assert (code, parts(lines)) == (4, [["0", "BROKEN: 1 bytes are needed, 0 are left"]])
    assert err == f"rowbinary: {path}: offset 0: 1 bytes are needed, 0 are left\n"


def test_usage_problems(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "body"
    path.write_bytes(b"")
    cases: list[tuple[list[object], str]] = [
        ([path, "--schema", "a Int9"], "--schema: unknown type 'Int9'"),
        ([path, "--format", "RowBinary"], "--schema is needed"),
        ([path, "--row", "-1"], "Invalid value for '--row'"),
        ([tmp_path / "missing"], "no such file"),
        ([tmp_path], "is a directory"),
        ([], "Missing argument 'FILE'"),
    ]
    for arguments, words in cases:
        code, lines, err = inspect(capsys, *arguments)
        assert (code, lines, words in err) == (2, [], True), err


def test_output_that_cannot_show_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "body", "a String", [("é",)])
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    running = process(path, "--schema", "a String", command="inspect")
    out, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (0, "")
    assert r"'\xe9'" in out


@linux_only
def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    path = write(tmp_path / "body", "a UInt64", [(index,) for index in range(20_000)])
    for schema in ("a UInt64", "a UInt64, b Nullable(UInt8)"):  # also of a broken body
        running = process(path, "--schema", schema, command="inspect")
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline().startswith("  offset")
        running.stdout.close()
        said = running.stderr.read()
        assert running.wait(60) in (0, 4)
        assert said.count("\n") == (running.returncode == 4)
        running.stderr.close()


@linux_only
def test_memory_is_bounded(tmp_path: Path) -> None:
    body = long_body(tmp_path / "body")
    assert memory_of("inspect", body) < 100
    assert memory_of("inspect", body, "--row", 99) < 100


# --- the page ------------------------------------------------------------------------------------------


def test_page(tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands of docs/inspect.md print what it shows."""
    text = (Path(__file__).parent.parent / "docs" / "inspect.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    commands = 0
    for kind, block in re.findall(r"```(python|console)\n(.*?)```", text, re.DOTALL):
        if kind == "python":
            exec(block, names)
            continue
        for command, expected in re.findall(r"^\$ rowbinary (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            _command.run(shlex.split(command))
            assert "".join(capsys.readouterr()) == expected, command
            commands += 1
    assert commands == text.count("\n$ ")
