"""``python -m fuzz TARGET``: the fuzzer, which ``make fuzz`` runs."""

from __future__ import annotations

import argparse
import gc
import importlib
import inspect
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Iterator

HERE = pathlib.Path(__file__).parent
WORK = pathlib.Path(".cache/fuzz")
# An input is stopped at: bytes, seconds, MB of all memory and of one allocation.
LIMITS = ["-max_len=4096", "-timeout=20", "-rss_limit_mb=3000", "-malloc_limit_mb=256"]
AGAIN = [sys.executable, "-P", "-m", "fuzz"]
# Python code whose branches guide the fuzzer, beside all that is in C; each makes it slower.
GUIDES = {
    "decode": ("_read", "_read_blocks", "_read_columns", "_read_parts", "_read_rows", "_read_types"),
    "types": ("_lexer", "_parse", "_read_types", "_tags", "_type_names", "_types"),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m fuzz", epilog="Other options are libFuzzer's.")
    parser.add_argument("target", choices=("decode", "types"))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--merge", metavar="DIRECTORY", help="make the corpus from these and what was found")
    parser.add_argument("--raw", action="store_true", help="with libFuzzer's options alone")
    asked, flags = parser.parse_known_args()
    if asked.raw:
        fuzz(asked.target, flags)
    known, found, failures = HERE / "corpus" / asked.target, WORK / "corpus" / asked.target, WORK / "failures"
    for directory in (known, found, failures):
        directory.mkdir(parents=True, exist_ok=True)
    flags += [*LIMITS, f"-artifact_prefix={failures}/{asked.target}-"]
    if any(pathlib.Path(flag).is_file() for flag in flags):  # they are run, and that is all
        fuzz(asked.target, flags)
    if asked.merge:
        merge(asked.target, flags, known, [found, pathlib.Path(asked.merge)])
    else:
        flags += [f"-max_total_time={asked.seconds}", f"-dict={HERE / 'words.dict'}", "-print_final_stats=1"]
        fuzz(asked.target, [*flags, str(found), str(known)])


def fuzz(target: str, flags: list[str]) -> None:
    """Run libFuzzer, which ends the process."""
    import atheris

    from fuzz.targets import TARGETS
    from rowbinary import _cursor

    for name in GUIDES[target]:
        module = importlib.import_module(f"rowbinary.{name}")
        for function in functions_of(module, module.__name__):
            atheris.instrument_func(function)
    # The C module is built with this limit too: a million empty tuples take seconds.
    _cursor.MAX_EMPTY = 1024
    gc.freeze()
    gc.set_threshold(50)  # it often looks at what is being made
    # libFuzzer starts others of its kind with the first argument, in a shell.
    atheris.Setup([" ".join([*AGAIN, target, "--raw"]), *flags], TARGETS[target])
    atheris.Fuzz()


def functions_of(owner: object, module: str) -> Iterator[object]:
    """The functions that are written in `module`, methods included."""
    for value in list(vars(owner).values()):
        if getattr(value, "__module__", None) == module:
            if inspect.isclass(value):
                yield from functions_of(value, module)
            elif inspect.isfunction(value):
                yield value


def merge(target: str, flags: list[str], known: pathlib.Path, others: list[pathlib.Path]) -> None:
    """Leave in `known` what was a failure, and the fewest inputs that reach what all of these reach."""
    merged = WORK / "merged" / target
    shutil.rmtree(merged, ignore_errors=True)
    merged.mkdir(parents=True)
    sources = [str(directory) for directory in (known, *others)]
    subprocess.run([*AGAIN, target, "--raw", "-merge=1", *flags, str(merged), *sources], check=True)
    for file in known.iterdir():
        if not file.name.startswith("found-"):
            file.unlink()
    for file in merged.iterdir():
        shutil.copy(file, known / file.name[:16])


if __name__ == "__main__":
    main()
