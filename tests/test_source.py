"""Rules of the source tree that no compiler or linter knows."""

from __future__ import annotations

import inspect
import pathlib
import re

import pytest

from rowbinary import _native, _options, _paths

ROOT = pathlib.Path(__file__).parent.parent
PACKAGE = sorted((ROOT / "rowbinary").rglob("*.py"))
C_FILES = sorted(path for path in (ROOT / "csrc").rglob("*") if path.suffix in (".c", ".h"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
OTHERS = [
    path
    for pattern in ("*.md", "*.toml", "*.py", "Makefile", "docs/**/*.md", ".ci/*", "benchmarks/**/*.py")
    for path in sorted(ROOT.glob(pattern))
    if path.is_file()
]


def name(path: pathlib.Path) -> str:
    return str(path.relative_to(ROOT))


def code_of(path: pathlib.Path) -> str:
    """C source without comments and texts."""
    text = re.sub(r"/\*.*?\*/", " ", path.read_text(), flags=re.DOTALL)
    return re.sub(r'"(\\.|[^"\\])*"', '""', re.sub(r"//[^\n]*", "", text))


def test_the_lists_are_not_empty() -> None:
    assert len(PACKAGE) > 10
    assert len(C_FILES) > 10


@pytest.mark.parametrize("path", [p for p in C_FILES if "core" in p.parts], ids=name)
def test_the_core_is_plain_c(path: pathlib.Path) -> None:
    assert not re.search(r"\bPython\.h|\bPy[A-Z_]\w+|\bPyObject\b", code_of(path))


@pytest.mark.parametrize("path", [p for p in C_FILES if "ext" in p.parts], ids=name)
def test_memory_of_the_extension_is_pythons(path: pathlib.Path) -> None:
    """So that tracemalloc and debug allocators see all of it."""
    assert not re.search(r"(?<![\w.])(malloc|calloc|realloc|free|strdup)\s*\(", code_of(path))


@pytest.mark.parametrize("path", sorted((ROOT / "csrc" / "ext").glob("*.c")), ids=lambda path: path.name)
def test_python_comes_first(path: pathlib.Path) -> None:
    """Its header decides what those of the system declare; from 3.12 on nothing compiles otherwise."""
    first = re.search(r"#include (.*)", path.read_text())
    assert first is not None
    assert re.fullmatch(r'"\w+\.h"', first[1]), first[1]


@pytest.mark.parametrize("path", [p for p in C_FILES if "core" in p.parts], ids=name)
def test_the_core_allocates_nothing(path: pathlib.Path) -> None:
    assert not re.search(r"\b(malloc|calloc|realloc|free|alloca)\s*\(", code_of(path))


def test_prefetches_are_not_left_out() -> None:
    """GCC leaves out calls of a function that does nothing but prefetch: rb_fetch_line does more."""
    found = [
        (name(path), before)
        for path in C_FILES
        for before in re.findall(r"(.*)__builtin_prefetch\(", code_of(path))
        if not before.startswith("#define")  # a macro is no call
    ]
    assert [path for path, _ in found] == ["csrc/ext/fetch.h"]


@pytest.mark.parametrize("path", C_FILES, ids=name)
def test_no_unbounded_text_functions(path: pathlib.Path) -> None:
    assert not re.search(r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|alloca)\s*\(", code_of(path))


def test_the_switch_over_opcodes_has_no_default() -> None:
    """So that a new opcode without a case is a compile error (-Werror=switch)."""
    text = code_of(ROOT / "csrc" / "ext" / "write_value.c")
    body = text[text.index("int rb_write_value(") :]
    assert "switch (node->op)" in body
    assert "default:" not in body
    assert "-Werror=switch" in (ROOT / "setup.py").read_text()


@pytest.mark.parametrize("path", [*PACKAGE, *C_FILES], ids=name)
def test_files_can_be_read(path: pathlib.Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= 500
    assert max(map(len, lines), default=0) <= 120


@pytest.mark.parametrize("path", PACKAGE, ids=name)
def test_modules_say_what_they_are(path: pathlib.Path) -> None:
    text = path.read_text()
    assert text.startswith(('"""', "'''"))


# Assembled, so that this file does not contain what it looks for.
FORBIDDEN = re.compile(
    "|".join(["\\.\\./" + "shared", "/wo" + "rk/", "/ro" + "ot/", "TO" + "DO", "FIX" + "ME", "X" * 3 + ":"])
)


@pytest.mark.parametrize("path", [*PACKAGE, *C_FILES, *TESTS, *OTHERS], ids=name)
def test_nothing_from_outside_is_mentioned(path: pathlib.Path) -> None:
    found = FORBIDDEN.search(path.read_text(encoding="utf-8"))
    assert found is None, found


def test_versions_agree() -> None:
    import rowbinary

    namespace: dict[str, str] = {}
    exec((ROOT / "rowbinary" / "_version.py").read_text(), namespace)
    assert rowbinary.__version__ == namespace["__version__"]


@pytest.mark.parametrize(
    ("file", "macro", "value"),
    [
        ("ext/rowbinary.h", "RB_MAX_DEPTH", _options.MAX_DEPTH),
        ("core/rb_bytes.h", "RB_MAX_STRING", _options.MAX_STRING),
        ("core/rb_bytes.h", "RB_MAX_STRING", _options.MAX_ARRAY),
        ("core/rb_buffer.h", "RB_MAX_ROW", _options.MAX_ROW),
        ("ext/columns.h", "RB_SPARSE", _paths.SPARSE),
        ("ext/columns.h", "RB_WATCHED", _paths.WATCHED),
        ("ext/columns.h", "RB_DENSE", _paths.DENSE),
        ("ext/columns.h", "RB_EARLY", _paths.EARLY),
        ("ext/block.c", "BLOCK_ROWS", _native.BLOCK_ROWS),
        ("ext/block.c", "BLOCK_BYTES", _native.BLOCK_BYTES),
        ("ext/block.c", "GOING_ON", _native.GOING_ON),
    ],
)
def test_limits_are_the_same_in_both_implementations(file: str, macro: str, value: int) -> None:
    found = re.findall(rf"#define {macro} +([^/\n]+)", (ROOT / "csrc" / file).read_text())
    assert len(found) == 1
    assert eval(found[0].replace("(size_t)", "")) == value


def test_public_names_are_documented() -> None:
    import rowbinary

    for public in rowbinary.__all__:
        thing = getattr(rowbinary, public)
        if isinstance(thing, type) or inspect.isroutine(thing):  # not the aliases of Literal types
            assert thing.__doc__, public
            for method, function in vars(thing).items() if isinstance(thing, type) else ():
                if not method.startswith("_") and callable(function):
                    assert function.__doc__, f"{public}.{method}"
