"""CityHash128: the compiled kernel and the reference against the package that others use."""

from __future__ import annotations

import importlib
import os
import random
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowbinary import _cityhash

if os.environ.get("ROWBINARY_NO_EXTENSIONS") != "1":
    import rowbinary._kernels  # noqa: F401  absent where it must be there: every test fails

Hash = Callable[[bytes | bytearray | memoryview], bytes]


@pytest.fixture(params=["c", "python"])
def hash128(request: pytest.FixtureRequest) -> Hash:
    """The hash of one implementation."""
    if request.param == "python":
        return _cityhash.reference
    if os.environ.get("ROWBINARY_NO_EXTENSIONS") == "1":
        pytest.skip("built without extensions")
    assert _cityhash.kernels == "c"
    return _cityhash.cityhash128


def expected(data: bytes) -> bytes:
    """The bytes in a frame: the high half of the other package's integer first."""
    module = pytest.importorskip("clickhouse_cityhash.cityhash")
    number: int = module.CityHash128(data)
    return (number >> 64).to_bytes(8, "little") + (number & (1 << 64) - 1).to_bytes(8, "little")


def test_known_value(hash128: Hash) -> None:
    # The seed that version 1.0.2 gives for no bytes at all; later versions of CityHash differ.
    assert hash128(b"").hex() == "2b9ac064fc9df03d291ee592c340b53c"


def test_every_length(hash128: Hash) -> None:
    data = random.Random(1).randbytes(1000)
    for size in range(1001):
        assert hash128(data[:size]) == expected(data[:size]), size


def test_ten_megabytes(hash128: Hash) -> None:
    data = random.Random(2).randbytes(10_000_003)
    assert hash128(data) == expected(data)


@given(st.binary(max_size=2000), st.integers(0, 40))
def test_any_bytes_at_any_alignment(data: bytes, offset: int) -> None:
    view = memoryview(b"\xaa" * offset + data)[offset:]
    assert _cityhash.cityhash128(view) == _cityhash.reference(view) == expected(data)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_buffers(hash128: Hash, kind: type) -> None:
    assert hash128(kind(b"some bytes")) == expected(b"some bytes")


def test_wide_elements_count_as_bytes(hash128: Hash) -> None:
    assert hash128(memoryview(b"12345678" * 3).cast("Q")) == expected(b"12345678" * 3)


@pytest.mark.parametrize("bad", ["text", 5, None, [1]])
def test_not_bytes(hash128: Hash, bad: object) -> None:
    with pytest.raises(TypeError):
        hash128(bad)  # type: ignore[arg-type]


def test_not_contiguous(hash128: Hash) -> None:
    with pytest.raises(BufferError):
        hash128(memoryview(b"every other")[::2])


def test_without_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rowbinary._kernels", None)
    try:
        module = importlib.reload(_cityhash)
        assert module.kernels == "python"
        assert module.cityhash128(b"x") == module.reference(b"x")
    finally:
        monkeypatch.undo()
        importlib.reload(_cityhash)
