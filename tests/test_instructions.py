"""The benchmark of instruction counts: what it makes of them.  Valgrind runs in `make instructions`."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "benchmarks" / "instructions.py"
HERE = {
    "machine": "x86_64",
    "python": "3.11.7",
    "python's build": "--enable-shared -O3",
    "compiler": "GCC 12.2.0",
    "libc": "glibc 2.36",
    "valgrind": "3.19.0",
}
FLAT, INTS = ("flat", "RowBinary"), ("ints", "Native")

OUTPUT = """\
version: 1
creator: callgrind-3.19.0
positions: line
events: Ir
summary: 5830330

fn=(1) encoder_fill
12 5830000

totals: 5830330
"""


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """benchmarks/instructions.py, with nothing to measure."""
    spec = importlib.util.spec_from_file_location("instructions", SOURCE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "instructions", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "environment", lambda: HERE)
    monkeypatch.setattr(shutil, "which", lambda command: f"/usr/bin/{command}")
    monkeypatch.delenv("ROWBINARY_REQUIRE_VALGRIND", raising=False)
    return module


@pytest.fixture
def figures(bench: ModuleType, tmp_path: Path) -> Path:
    """100 and 200 instructions per row."""
    path = tmp_path / "figures.json"
    path.write_text(bench.to_json(HERE, {FLAT: 100.0, INTS: 200.0}))
    return path


def check(bench: ModuleType, figures: Path, now: dict[tuple[str, str], float], *more: str) -> int:
    bench.measure = lambda: now  # type: ignore[attr-defined]
    status: int = bench.main(["--check", "--figures", str(figures), *more])
    return status


def test_parse(bench: ModuleType) -> None:
    assert bench.parse(OUTPUT) == 5830330
    for broken, message in [
        ("", "wrote no count"),
        (OUTPUT.replace("events: Ir", "events: Dr"), "wrote no count"),
        (OUTPUT.replace("totals: 5830330", "totals: 0"), "no symbols encoder_fill"),
    ]:
        with pytest.raises(bench.MeasureError, match=message):
            bench.parse(broken)


def test_compiler_of(bench: ModuleType) -> None:
    assert bench.compiler_of(b"\0GCC: (Debian 12.2.0-14+deb12u1) 12.2.0\0") == "GCC 12.2.0"
    both = (
        b"\0GCC: (GNU) 13.2.1 20230801\0Debian clang version 16.0.6 (15)\0"  # gcc's start files are in it too
    )
    assert bench.compiler_of(both) == "clang 16.0.6"
    assert bench.compiler_of(b"\x7fELF") == "unknown"


def test_python_build(bench: ModuleType) -> None:
    flags = "'--prefix=/usr' '--enable-shared' '--with-lto=thin' '--with-ltoo' -DNDEBUG -g -O3 -Wall -O3"
    assert bench.python_build(flags) == "--enable-shared --with-lto -O3"
    assert bench.python_build("None None") == ""


def test_the_same(bench: ModuleType, figures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(bench, figures, {FLAT: 102.9, INTS: 194.1}) == 0  # within the tolerance, in both directions
    out = capsys.readouterr().out
    assert "flat                  RowBinary          100.0       102.9   1.0290\n" in out
    assert "more" not in out
    assert "fewer" not in out


def test_a_regression_fails(bench: ModuleType, figures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(bench, figures, {FLAT: 103.1, INTS: 200.0}) == 1
    out = capsys.readouterr().out
    assert "1.0310  <-- more\n" in out
    assert "flat RowBinary needs 3.1% more instructions" in out
    assert "ints Native needs" not in out
    assert "callgrind_annotate" in out
    assert "flat-RowBinary.out` shows" in out


def test_an_improvement_is_a_notice(
    bench: ModuleType, figures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(bench, figures, {FLAT: 100.0, INTS: 150.0}) == 0
    out = capsys.readouterr().out
    assert "ints Native needs 25.0% fewer instructions" in out
    assert "make instructions-record" in out
    assert check(bench, figures, {FLAT: 110.0, INTS: 150.0}) == 1  # does not make up for a regression


def test_both_must_be_known(bench: ModuleType, figures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(bench, figures, {FLAT: 100.0, INTS: 200.0, ("new", "Native"): 1.0}) == 1
    assert "new Native is not recorded" in capsys.readouterr().out
    assert check(bench, figures, {FLAT: 100.0}) == 1
    assert "ints Native is recorded, but no longer measured" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("key", "other", "comparable"),
    [
        ("machine", "aarch64", False),
        ("python", "3.12.7", False),
        ("python", "3.11.9", True),
        ("python's build", "--enable-shared --with-lto -O3", False),
        ("compiler", "GCC 13.1.0", False),
        ("compiler", "clang 12.0.1", False),
        ("compiler", "GCC 12.3.0", True),
        ("libc", "glibc 2.41", False),
        ("valgrind", "3.24.0", True),
    ],
)
def test_other_environments(
    bench: ModuleType,
    figures: Path,
    capsys: pytest.CaptureFixture[str],
    key: str,
    other: str,
    comparable: bool,
) -> None:
    bench.environment = lambda: {**HERE, key: other}  # type: ignore[attr-defined]
    slow = {FLAT: 1000.0, INTS: 1000.0}
    assert check(bench, figures, slow) == (1 if comparable else 0)
    assert check(bench, figures, slow, "--strict") == 1
    out = capsys.readouterr().out
    assert ("NOTHING WAS COMPARED" in out) is not comparable
    assert (f"{key}: {HERE[key]} recorded, {other} here" in out) is not comparable


def test_recording(bench: ModuleType, figures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = {FLAT: 300.04, INTS: 190.0}
    bench.measure = lambda: now  # type: ignore[attr-defined]
    assert bench.main(["--record", "--figures", str(figures)]) == 0
    assert "3.0004" in capsys.readouterr().out  # beside what was recorded
    assert bench.from_json(figures.read_text()) == (HERE, bench.ROWS, {FLAT: 300.0, INTS: 190.0})
    assert check(bench, figures, now) == 0
    figures.unlink()
    assert bench.main(["--record", "--figures", str(figures)]) == 0
    assert check(bench, figures, now) == 0


def test_without_a_record(bench: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(bench, tmp_path / "none.json", {}) == 2
    assert "make instructions-record" in capsys.readouterr().err


def test_another_number_of_rows(bench: ModuleType, figures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is the same for each block weighs more in fewer rows."""
    figures.write_text(json.dumps({**json.loads(figures.read_text()), "rows": 7}))
    assert check(bench, figures, {}) == 2
    assert "recorded with 7 rows" in capsys.readouterr().err
    assert bench.main(["--record", "--figures", str(figures)]) == 0


def test_without_valgrind(
    bench: ModuleType, figures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda command: None)
    assert check(bench, figures, {}) == 0
    assert "apt install valgrind" in capsys.readouterr().err
    assert check(bench, figures, {}, "--strict") == 1
    assert bench.main(["--record", "--figures", str(figures)]) == 1
    monkeypatch.setenv("ROWBINARY_REQUIRE_VALGRIND", "1")
    assert check(bench, figures, {}) == 1


def test_the_record(bench: ModuleType) -> None:
    """What is in the repository has everything that is measured: else CI would say so much later."""
    environment, rows, counts = bench.from_json(bench.FIGURES.read_text())
    assert rows == bench.ROWS
    assert set(counts) == set(bench.CASES)
    assert environment.keys() >= bench.COMPARED.keys()
    assert 0 < bench.TOLERANCE <= 0.05
