"""The inputs of the fuzzer's corpus, without a fuzzer: see tests/fuzz."""

from __future__ import annotations

import gc
import pathlib
import sys

import pytest
from fuzz import targets

import rowbinary

CORPUS = pathlib.Path(targets.__file__).parent / "corpus"
ONLY_COUNTED = pytest.mark.skipif(
    "c" not in targets.IMPLEMENTATIONS or sys.getallocatedblocks() == 0,
    reason="the references of Python are not ours to count, nor does every allocator count blocks",
)
INPUTS = {name: sorted(CORPUS.joinpath(name).iterdir()) for name in targets.TARGETS}


@pytest.mark.parametrize("target", targets.TARGETS)
def test_inputs(target: str) -> None:
    assert len(INPUTS[target]) > 100
    failures = []
    for file in INPUTS[target]:
        try:
            targets.TARGETS[target](file.read_bytes())
        except Exception as error:
            failures.append(f"{file.name}: {type(error).__name__}: {error}"[:1000])
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("name", ["empty-path", "equal-hashes", "flag-under-null"])
def test_what_was_found_is_still_meant(name: str) -> None:
    """Inputs whose first bytes no longer choose what they did would test nothing."""
    given = targets.parsed((CORPUS / "decode" / f"found-{name}").read_bytes())
    assert targets.whole(given, "python")[0].error is None


def test_inputs_of_choices() -> None:
    data = targets.input_of(b"body", "Native", targets.SCHEMAS[3], 53, 7, 1)
    given = targets.parsed(data)
    assert (given.format, given.schema, given.step, given.body) == ("Native", targets.SCHEMAS[3], 7, b"body")
    assert given.choices["rows"] == "columns"
    assert given.choices["zone"] is targets.ZONE
    for step in range(256):
        pieces = list(targets.chunks(bytes(range(256)) * 2, step))
        assert b"".join(pieces) == bytes(range(256)) * 2


def both(given: targets.Input) -> None:
    targets.whole(given, "c")
    targets.in_chunks(given, "c")


def growth(given: targets.Input, times: int) -> int:
    """Blocks of memory that are in use after so many times, and were not before."""
    both(given)
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(times):
        both(given)
    gc.collect()
    return sys.getallocatedblocks() - before


@ONLY_COUNTED
def test_entries_before_an_error_are_given_back() -> None:
    body = rowbinary.encode_rows(
        "a LowCardinality(UInt32)", [(n,) for n in range(1000, 1300)], format="Native"
    )
    given = targets.Input("Native", {"rows": "tuples"}, None, 0, False, body[:800])
    assert "4 bytes are needed" in str(targets.whole(given, "c"))
    assert any(growth(given, 1) < 100 for _ in range(20))


@pytest.mark.slow
@ONLY_COUNTED
def test_nothing_is_left_behind() -> None:
    """Whatever a body is: each reference that the C decoder takes is given back."""
    given = [targets.parsed(file.read_bytes()) for file in INPUTS["decode"]]
    given = [one for one in given if targets.is_complete(one)]
    for one in given:
        both(one)
    gc.collect()
    gc.freeze()  # what is here already need not be looked at again
    try:
        # Caches grow too, less and less.
        leaks = [one for one in given if all(growth(one, 20) >= 20 for _ in range(40))]
    finally:
        gc.unfreeze()
    assert not leaks
