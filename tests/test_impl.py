"""Which implementation an import chooses; each case in a process of its own."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
from typing import Any

import pytest
from conftest import implementations

import rowbinary
from rowbinary import _impl

ROOT = pathlib.Path(rowbinary.__file__).parent.parent  # where the package under test is
needs_c = pytest.mark.skipif("c" not in implementations(), reason="the C extension is not built")

SHOW = "import rowbinary; print(rowbinary.implementation, rowbinary.encode_rows('a UInt8', [(1,)]).hex())"
WITHOUT_C = "import sys; sys.modules['rowbinary._speedups'] = None; "


def run(code: str, choice: str | None = None, path: pathlib.Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "ROWBINARY_IMPL"}
    environment["PYTHONPATH"] = str(path)
    if choice is not None:
        environment["ROWBINARY_IMPL"] = choice
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environment,
        cwd=path,
        capture_output=True,
        text=True,
        timeout=60,
    )


@needs_c
@pytest.mark.parametrize(
    ("choice", "expected"),
    [(None, "c"), ("", "c"), ("auto", "c"), ("c", "c"), ("C ", "c"), ("python", "python")],
)
def test_choice(choice: str | None, expected: str) -> None:
    done = run(SHOW, choice)
    assert done.stdout == f"{expected} 01\n", done.stderr


def test_unknown_choice() -> None:
    done = run(SHOW, "rust")
    assert done.returncode != 0
    assert "ImportError: ROWBINARY_IMPL must be auto, c or python, not 'rust'" in done.stderr


@pytest.mark.parametrize("choice", [None, "auto", "python"])
def test_without_the_extension(choice: str | None) -> None:
    assert run(WITHOUT_C + SHOW, choice).stdout == "python 01\n"


def test_forced_but_absent() -> None:
    done = run(WITHOUT_C + SHOW, "c")
    assert done.returncode != 0
    assert (
        "ImportError: ROWBINARY_IMPL=c, but the C extension rowbinary._speedups cannot be imported"
        in done.stderr
    )
    assert "rebuild it" in done.stderr


@needs_c
@pytest.mark.parametrize("choice", [None, "auto", "c"])
def test_a_binary_of_another_table_is_refused(choice: str | None) -> None:
    """It would write wrong bytes, so even `auto` does not fall back silently."""
    stale = "import sys, types; m = types.ModuleType('rowbinary._speedups'); m.PLAN_HASH = 'stale'; "
    stale += "m.RowEncoder = None; sys.modules['rowbinary._speedups'] = m; "
    done = run(stale + SHOW, choice)
    assert done.returncode != 0
    assert "ImportError: rowbinary._speedups was built for another version (stale instead of" in done.stderr
    assert run(stale + SHOW, "python").stdout == "python 01\n"


@needs_c
def test_a_changed_table_is_refused(tmp_path: pathlib.Path) -> None:
    """The same, from the other side: the table has changed and the binary was not rebuilt."""
    copy = tmp_path / "rowbinary"
    shutil.copytree(ROOT / "rowbinary", copy, ignore=shutil.ignore_patterns("__pycache__"))
    table = copy / "_opcodes.py"
    table.write_text(table.read_text().replace("    JSON = 0\n", "    JSON = 0\n    NEW = 1\n", 1))
    done = run("import rowbinary._impl", None, tmp_path)
    assert done.returncode != 0
    writers = copy / "_write.py"  # the reference needs its writer first
    writers.write_text(
        writers.read_text().replace("WRITERS: dict", "write_new = write_json\n\nWRITERS: dict", 1)
    )
    done = run("import rowbinary._impl", None, tmp_path)
    assert "was built for another version" in done.stderr


def test_an_opcode_without_a_writer_does_not_import(tmp_path: pathlib.Path) -> None:
    copy = tmp_path / "rowbinary"
    shutil.copytree(ROOT / "rowbinary", copy, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    table = copy / "_opcodes.py"
    table.write_text(table.read_text().replace("    JSON = 0\n", "    JSON = 0\n    NEW = 1\n", 1))
    done = run("import rowbinary", "python", tmp_path)
    assert "KeyError: 'write_new'" in done.stderr


def test_an_argument_chooses_too() -> None:
    assert _impl.row_encoder(None) is _impl.RowEncoder
    assert _impl.row_encoder("python").implementation == "python"
    with pytest.raises(ValueError, match="implementation must be 'c' or 'python'"):
        _impl.row_encoder("auto")
    assert rowbinary.implementation in ("c", "python")


@needs_c
def test_the_extension_says_what_it_is() -> None:
    encoder = _impl.row_encoder("c")
    assert encoder.__module__ == "rowbinary._speedups"
    plan = rowbinary.Schema.parse("a UInt8").plan
    from rowbinary._options import Options

    assert encoder(plan, Options()).implementation == "c"


@needs_c
def test_the_extension_defends_itself() -> None:
    """Its class is internal, but wrong use must not crash."""
    from rowbinary import _speedups
    from rowbinary._options import Options

    raw: Any = _speedups.RowEncoder
    arguments: Any
    plan = rowbinary.Schema.parse("a UInt8").plan
    for arguments in ((), (None,), (None, None), (plan, None), (None, Options()), (plan, plan)):
        with pytest.raises((TypeError, AttributeError, ValueError)):
            raw(*arguments)
    blank = raw.__new__(raw)
    assert len(blank) == 0
    for call in (
        lambda: blank.write((1,)),
        blank.take,
        lambda: blank.fill(iter([]), 1, None),
        lambda: blank.append(b""),
    ):
        with pytest.raises(RuntimeError):
            call()
    encoder: Any = raw(plan, Options())
    with pytest.raises(RuntimeError, match="already initialised"):
        raw.__init__(encoder, plan, Options())
    for arguments in ((), (1, 2, 3), (iter([]), "x", None), (iter([]), 1), ([], 1, None)):
        with pytest.raises(TypeError):
            encoder.fill(*arguments)
    with pytest.raises(TypeError):
        encoder.append("text")
    encoder.write((7,))
    assert encoder.take() == b"\7"


HEAVY = [
    "numpy", "pandas", "pyarrow", "chdb", "clickhouse_connect", "asyncio", "aiohttp", "urllib3", "ssl",
    "http.client", "socket",
    "sqlite3", "unittest", "multiprocessing", "lz4", "cffi", "click", "rich", "typer", "rowbinary.cli",
]  # fmt: skip


@pytest.mark.parametrize("choice", ["auto", "python"])
def test_an_import_loads_nothing_heavy(choice: str) -> None:
    done = run("import rowbinary, sys; print(*sys.modules)", choice)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "rowbinary" in loaded
    assert not loaded & set(HEAVY)


@pytest.mark.parametrize("choice", ["auto", "python"])
def test_encoding_documents_loads_nothing_heavy(choice: str) -> None:
    rows = "[({'a': [1, 'x']}, '2020-01-01')]"
    code = f"import rowbinary, sys; rowbinary.encode_rows('j JSON, d Dynamic', {rows}, json='text'); "
    done = run(code + "print(*sys.modules)", choice)
    assert done.returncode == 0, done.stderr
    assert not set(done.stdout.split()) & set(HEAVY)
