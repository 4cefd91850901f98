"""sdist and wheel, built from a copy of the sources and installed where nothing else is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import rowbinary

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = shutil.ignore_patterns(".*", "build", "dist", "demo", "*.so", "*.egg-info", "__pycache__")
USE = """
import rowbinary, rowbinary._cityhash
body = rowbinary.encode_rows("id UInt64, j JSON", [(1, {"a": {"b": 2}})])
print(rowbinary.implementation, rowbinary._cityhash.kernels, body.hex())
"""
BODY = "01000000000000000103612e620a0200000000000000"

needs_sources = pytest.mark.skipif(not (ROOT / "setup.py").exists(), reason="not in a source tree")


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """The output of a command that must succeed."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "LD_PRELOAD", "ROWBINARY_IMPL")}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=kept | environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the sdist, and the wheel built from that sdist."""
    work = tmp_path_factory.mktemp("build")
    shutil.copytree(ROOT, work / "source", ignore=LEFT_OUT)
    (work / "source/.ci").mkdir()
    shutil.copy(ROOT / ".ci/run", work / "source/.ci/run")
    run(sys.executable, "-m", "build", "--outdir", work / "dist", work / "source", cwd=work)
    return work / "dist"


@pytest.fixture(scope="module")
def empty_venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment."""
    place = tmp_path_factory.mktemp("venv")
    venv.create(place, with_pip=True)
    return place / "bin/python"


@pytest.mark.slow
@needs_sources
def test_sdist_is_complete(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "csrc").rglob("*.[ch]")}
    found = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "tests").rglob("*.jsonl")]
    tests = {str(path.relative_to(ROOT)) for path in found}
    assert sources
    assert tests
    assert sources | tests <= names
    assert {"LICENSE", "Makefile", ".ci/run", "setup.py", "csrc/ffi/build_kernels.py"} <= names
    assert not [name for name in names if name.endswith((".so", ".pyc", ".o")) or name.startswith("build/")]


@pytest.mark.slow
@needs_sources
def test_wheel_holds_what_it_needs(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as archive:
        names = archive.namelist()
    assert {"rowbinary/py.typed", "rowbinary/_speedups.pyi", "rowbinary/_kernels.pyi"} <= set(names)
    assert {"rowbinary/cli/__init__.py", "rowbinary/cli/_insert.py"} <= set(names)
    compiled = [re.sub(r"\..*", "", name) for name in names if name.endswith(".so")]
    assert sorted(compiled) == ["rowbinary/_kernels", "rowbinary/_speedups"]
    assert not [name for name in names if not name.startswith("rowbinary")]


@pytest.mark.slow
@needs_sources
def test_wheel_in_an_empty_venv(built: Path, empty_venv: Path, tmp_path: Path) -> None:
    run(empty_venv, "-m", "pip", "install", "-q", next(built.glob("*.whl")), cwd=tmp_path)
    used = run(empty_venv, "-c", USE, cwd=tmp_path, ROWBINARY_IMPL="c")
    assert used.split() == ["c", "c", BODY]
    command = empty_venv.parent / "rowbinary"
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "the command line needs click: pip install 'rowbinary[cli]'\n"


@pytest.mark.slow
@needs_sources
def test_sdist_without_a_compiler(built: Path, empty_venv: Path, tmp_path: Path) -> None:
    sdist = next(built.glob("*.tar.gz"))
    run(
        empty_venv, "-m", "pip", "install", "-q", "--force-reinstall", "--no-deps", sdist, cwd=tmp_path,
        ROWBINARY_NO_EXTENSIONS="1", CC="/bin/false",
    )  # fmt: skip
    assert run(empty_venv, "-c", USE, cwd=tmp_path).split() == ["python", "python", BODY]


@needs_sources
def test_version_and_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found = {
        str(path.parent.relative_to(ROOT)).replace("/", ".") for path in ROOT.glob("rowbinary/**/__init__.py")
    }
    assert set(project["tool"]["setuptools"]["packages"]) == found
    assert re.fullmatch(r"\d+\.\d+\.\d+\w*", rowbinary.__version__)
