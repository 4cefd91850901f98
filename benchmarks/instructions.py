"""Instructions per row of encoder and decoder, counted by valgrind, beside those in instructions.json.

make instructions            fails where a workload needs more instructions than recorded
make instructions-record     records what it needs now

Clocks of shared machines waver by more than most regressions; counts do not: those of one build differ by a
ten-thousandth at most, whatever else runs.  Counted are ``encoder_fill`` and ``encoder_take`` (csrc/ext)
with everything that they call, in libpython and libc too; not the start of the interpreter, nor Python code
around them.  Of decoding it is the whole call of ``decode_rows``, which is partly Python, but not letting go
of the rows.  A count is no time: it knows nothing of caches and branch prediction; `make bench` does.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from typing import Any, NamedTuple

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIGURES = ROOT / "benchmarks" / "instructions.json"
OUTPUT = ROOT / ".cache" / "instructions"

# Two runs, in one directory or another, differ by 0.03 % at most: objects have other addresses there, by
# which the encoder remembers some.  Patch releases of Python and of gcc move code, and are let through.  One
# call more for each cell is above.
TOLERANCE = 0.03

ROWS = 1000  # one Native block in each workload; callgrind needs longer to start than to count them

FORMATS = ["RowBinary", "Native"]
SHAPES = {
    "spans": ("spans", "tuples"),
    "spans as dicts": ("spans", "dicts"),
    "flat": ("flat", "tuples"),
    "ints": ("ints", "tuples"),
    "documents": ("documents", "tuples"),
    "arrays": ("arrays", "tuples"),
    "sparse": ("sparse", "tuples"),
    "decoding spans": ("spans", "decoded"),
    "decoding flat": ("flat", "decoded"),
    "decoding ints": ("ints", "decoded"),
    "decoding documents": ("documents", "decoded"),
    "decoding arrays": ("arrays", "decoded"),
}
CASES = [(name, format) for name in SHAPES for format in FORMATS]

COUNTED = ["encoder_fill", "encoder_take"]
STARTER = """\
#include <valgrind/callgrind.h>
void start(void) { CALLGRIND_START_INSTRUMENTATION; }
void toggle(void) { CALLGRIND_TOGGLE_COLLECT; }
"""

# For glibc (others ignore it).  Copies by instructions that every x86_64 has, since valgrind shows programs
# some of this CPU's features; and without `rep movsb`, which would count once per byte.  Memory that malloc
# takes from the system from a fixed size on, not from one that depends on what was freed before.
TUNABLES = "glibc.malloc.mmap_threshold=131072:glibc.cpu.hwcaps=-AVX2,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM"

# What counts depend on; of versions, so many parts.  The rest of an environment is recorded to be read.
COMPARED = {"machine": 1, "python": 2, "python's build": 1, "compiler": 1, "libc": 2}

# Of a build of Python, what changes its functions: in another one `flat` needed a fifteenth less.
BUILD = r"--enable-optimizations|--enable-shared|--with-lto|--with-pydebug|-O\w|-flto|-fstack-protector"

Case = tuple[str, str]
Counts = dict[Case, float]
"""Instructions per row."""


def output_of(case: Case) -> pathlib.Path:
    """What callgrind wrote."""
    return OUTPUT / f"{'-'.join(case).replace(' ', '-')}.out"


class MeasureError(Exception):
    """Why there are no counts."""


class MissingError(MeasureError):
    """Valgrind is not installed."""


# --- comparing --------------------------------------------------------------------------------------


class Line(NamedTuple):
    """One workload in one format."""

    case: Case
    recorded: float | None
    now: float | None

    @property
    def ratio(self) -> float | None:
        return self.now / self.recorded if self.now is not None and self.recorded else None

    @property
    def failure(self) -> str:
        if self.ratio is None:
            return "is not recorded" if self.now is not None else "is recorded, but no longer measured"
        return f"needs {self.ratio - 1:.1%} more instructions" if self.ratio > 1 + TOLERANCE else ""

    @property
    def notice(self) -> str:
        better = self.ratio is not None and self.ratio < 1 - TOLERANCE
        return f"needs {1 - self.ratio:.1%} fewer instructions" if better and self.ratio else ""

    @property
    def mark(self) -> str:
        if self.ratio is None:
            return ""
        return "  <-- more" if self.failure else "  <-- fewer" if self.notice else ""


def compare(recorded: Counts, now: Counts) -> list[Line]:
    return [Line(case, recorded.get(case), now.get(case)) for case in {**now, **recorded}]


def table(lines: list[Line]) -> list[str]:
    def number(value: float | None, digits: int) -> str:
        return "-" if value is None else f"{value:.{digits}f}"

    texts = [f"{'instructions per row':22}{'format':12}{'recorded':>12}{'now':>12}{'ratio':>9}"]
    for line in lines:
        name, format = line.case
        numbers = f"{number(line.recorded, 1):>12}{number(line.now, 1):>12}{number(line.ratio, 4):>9}"
        texts.append(f"{name:22}{format:12}{numbers}{line.mark}")
    return texts


def differences(recorded: dict[str, str], here: dict[str, str]) -> list[str]:
    """In what the environments differ so that their counts cannot be compared."""

    def part(environment: dict[str, str], key: str) -> list[str]:
        return environment.get(key, "").split(".")[: COMPARED[key]]

    return [
        f"{key}: {recorded.get(key, 'unknown')} recorded, {here.get(key, 'unknown')} here"
        for key in COMPARED
        if part(recorded, key) != part(here, key)
    ]


def verdict(lines: list[Line]) -> tuple[list[str], int]:
    """What to say of them, and the exit status."""
    said = [f"{' '.join(line.case)} {line.failure}" for line in lines if line.failure]
    failed = [line.case for line in lines if line.failure]
    if failed:
        said.append(
            f"More than {TOLERANCE:.0%} is a failure.  `callgrind_annotate {output_of(failed[0])}` shows "
            "where they are; if they are meant to be, `make instructions-record` records them."
        )
    fewer = [f"{' '.join(line.case)} {line.notice}" for line in lines if line.notice]
    if fewer:
        said += [*fewer, "That is good news, not a failure; record it with `make instructions-record`."]
    return said, 1 if failed else 0


# --- the file ---------------------------------------------------------------------------------------


def to_json(environment: dict[str, str], counts: Counts) -> str:
    nested: dict[str, dict[str, float]] = {}
    for (name, format), count in counts.items():
        nested.setdefault(name, {})[format] = round(count, 1)
    return (
        json.dumps({"environment": environment, "rows": ROWS, "instructions per row": nested}, indent=2)
        + "\n"
    )


def from_json(text: str) -> tuple[dict[str, str], int, Counts]:
    """Environment, number of rows, and counts."""
    found: dict[str, Any] = json.loads(text)
    nested = found["instructions per row"].items()
    counts = {(name, format): count for name, formats in nested for format, count in formats.items()}
    return found["environment"], found["rows"], counts


# --- measuring --------------------------------------------------------------------------------------


def compiler_of(module: bytes) -> str:
    """The compiler that a module was built with, as it says itself: the one installed may be newer."""
    found = {"GCC " + v.decode() for v in re.findall(rb"GCC: \([^)\0]*\) ([\d.]+)", module)}
    clang = {"clang " + v.decode() for v in re.findall(rb"clang version ([\d.]+)", module)}
    return max(clang or found, default="unknown")


def python_build(flags: str) -> str:
    return " ".join(sorted(set(re.findall(rf"(?<![\w-])(?:{BUILD})\b", flags))))


def environment() -> dict[str, str]:
    config = sysconfig.get_config_var
    module = ROOT / "rowbinary" / f"_speedups{config('EXT_SUFFIX')}"
    if not module.exists():
        raise MeasureError("the C encoder is not built: run `make build`")
    version = subprocess.run(["valgrind", "--version"], capture_output=True, text=True, check=True).stdout
    return {
        "machine": platform.machine(),
        "python": platform.python_version(),
        "python's build": python_build(f"{config('CONFIG_ARGS')} {config('PY_CFLAGS')}"),
        "compiler": compiler_of(module.read_bytes()),
        "libc": " ".join(platform.libc_ver()),
        "valgrind": version.strip().removeprefix("valgrind-"),
    }


def parse(output: str) -> int:
    """The number of instructions in a file of callgrind's."""
    events = re.search(r"^events: (\w+)", output, re.MULTILINE)
    total = re.search(r"^totals: (\d+)", output, re.MULTILINE)
    if not events or events[1] != "Ir" or not total:
        raise MeasureError("callgrind wrote no count of instructions")
    if total[1] == "0":
        raise MeasureError(f"nothing was counted: the module has no symbols {' and '.join(COUNTED)}")
    return int(total[1])


def fixed_addresses() -> list[str]:
    """A prefix that turns off address randomisation, where that is allowed (in containers it often is not).

    Valgrind places most of a program's memory by itself, so it makes little difference.
    """
    setarch = shutil.which("setarch")
    prefix = [setarch, platform.machine(), "-R"] if setarch else []
    allowed = prefix and subprocess.run([*prefix, "true"], capture_output=True).returncode == 0
    return prefix if allowed else []


def build_starter(directory: pathlib.Path) -> pathlib.Path:
    source, built = directory / "starter.c", directory / "starter.so"
    source.write_text(STARTER)
    compiler = shutil.which("cc") or shutil.which("gcc") or "cc"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(built), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise MeasureError(f"valgrind/callgrind.h cannot be compiled: {done.stderr.strip()}")
    return built


def child_environment() -> dict[str, str]:
    """The same for everyone: no hooks of `site` (-S), no seed, no variables that only move the stack."""
    return {
        "PATH": os.defpath,
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join([str(ROOT), sysconfig.get_path("platlib")]),
        # All runs find the same .pyc files there: what is compiled anew lies elsewhere in memory.
        "PYTHONPYCACHEPREFIX": str(OUTPUT / "pycache"),
        "ROWBINARY_IMPL": "c",
        "GLIBC_TUNABLES": TUNABLES,
    }


def run(case: Case, prefix: list[str], rows: int, starter: pathlib.Path) -> None:
    """One workload, behind the command line `prefix`."""
    name, format = case
    script = [sys.executable, "-s", "-S", str(ROOT / "benchmarks" / "instructions_run.py")]
    command = [*prefix, *script, *SHAPES[name], format, str(rows), str(starter)]
    done = subprocess.run(command, env=child_environment(), cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise MeasureError(f"{name} {format} failed\n{done.stderr[-2000:]}")


def count(case: Case, prefix: list[str], starter: pathlib.Path) -> float:
    out = output_of(case)
    out.unlink(missing_ok=True)
    valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--instr-atstart=no"]
    toggles = [f"--toggle-collect={function}" for function in COUNTED]
    if SHAPES[case[0]][1] == "decoded":  # it toggles by itself
        toggles = ["--collect-atstart=no"]
    run(case, [*prefix, *valgrind, *toggles], ROWS, starter)
    return parse(out.read_text()) / ROWS


def measure() -> Counts:
    OUTPUT.mkdir(parents=True, exist_ok=True)
    prefix, starter = fixed_addresses(), build_starter(OUTPUT)
    run(CASES[0], [], 10, starter)  # without valgrind: writes the .pyc files
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = pool.map(lambda case: count(case, prefix, starter), CASES)
        return dict(zip(CASES, counts, strict=True))


# --- the command ------------------------------------------------------------------------------------


def read(figures: pathlib.Path) -> tuple[dict[str, str], Counts]:
    if not figures.exists():
        raise MeasureError(f"there is no {figures.name}: run `make instructions-record`")
    environment, rows, counts = from_json(figures.read_text())
    if rows != ROWS:
        raise MeasureError(f"recorded with {rows} rows, not {ROWS}: run `make instructions-record`")
    return environment, counts


def check(figures: pathlib.Path, strict: bool) -> int:
    recorded_in, recorded = read(figures)
    differing = differences(recorded_in, environment())
    if differing:
        print(
            "Counts of another environment cannot be compared with the recorded ones:", *differing, sep="\n  "
        )
        print("NOTHING WAS COMPARED.  `--figures FILE` with --record and --check compares two builds here.")
        return 1 if strict else 0
    lines = compare(recorded, measure())
    said, status = verdict(lines)
    print(*table(lines), *said, sep="\n")
    return status


def record(figures: pathlib.Path) -> int:
    here, counts = environment(), measure()
    recorded: Counts = {}
    with contextlib.suppress(MeasureError):
        recorded_in, before = read(figures)
        recorded = {} if differences(recorded_in, here) else before
    print(*table(compare(recorded, counts)), sep="\n")
    figures.write_text(to_json(here, counts))
    return 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Instructions per row of the C encoder, counted by valgrind."
    )
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--check", action="store_true", help="compare with the recorded figures")
    action.add_argument("--record", action="store_true", help="record what is counted now")
    parser.add_argument("--strict", action="store_true", help="fail where nothing can be compared")
    parser.add_argument("--figures", type=pathlib.Path, default=FIGURES, help="the file of recorded figures")
    options = parser.parse_args(arguments)
    try:
        if not shutil.which("valgrind"):
            raise MissingError("valgrind is missing: apt install valgrind")
        return record(options.figures) if options.record else check(options.figures, options.strict)
    except MissingError as error:
        print(f"{error}\nNOTHING WAS COUNTED.", file=sys.stderr)
        # Once it can be had, it must not be left out.
        required = os.environ.get("ROWBINARY_REQUIRE_VALGRIND") == "1"
        return 1 if options.record or options.strict or required else 0
    except MeasureError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
