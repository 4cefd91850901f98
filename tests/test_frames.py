"""Block frames: their bytes, how chunks become frames and come out of them, arguments.

``test_frames_damage.py`` has what is refused, ``test_frames_judges.py`` the verdicts of
ClickHouse's own tools.
"""

from __future__ import annotations

import itertools
import mmap
import random
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import lz4.block
import pytest
from framing import (
    HAS_ZSTD,
    LZ4,
    METHODS,
    NONE,
    RAW,
    ZSTD,
    city,
    frame,
    lz4_of,
    pieces,
    small_frames,
    use_kernels,
    zstd_of,
)
from hypothesis import given
from hypothesis import strategies as st

from rowbinary import errors, frames
from rowbinary.frames import compress_frame, compress_frames, decompress_frames

# What clickhouse-compressor 18.16 makes of RAW.
BY_CLICKHOUSE = {
    "lz4": "0bc74768456df9be7d8d0290e178bd4882180000001d0000006e68656c6c6f2006005068656c6c6f",
    "none": "efb5f3e1177c19725c3561e0bfbc52a002260000001d000000" + RAW.hex(),
}


@pytest.fixture(params=["c", "python"])
def kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs a test with the compiled kernels, and without."""
    use_kernels(request.param, monkeypatch)


# --- bytes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("raw", [b"x", RAW, random.Random(1).randbytes(3000)], ids=len)
def test_layout(kernels: None, method: frames.Method, raw: bytes) -> None:
    made = compress_frame(raw, method)
    assert made[:16] == city(made[16:])
    assert made[16] == {"lz4": LZ4, "zstd": ZSTD, "none": NONE}[method]
    assert int.from_bytes(made[17:21], "little") == len(made) - 16
    assert int.from_bytes(made[21:25], "little") == len(raw)
    assert made[25:] == (lz4_of(raw) if method == "lz4" else zstd_of(raw) if method == "zstd" else raw)
    assert list(decompress_frames([made])) == [raw]


@pytest.mark.parametrize("method", BY_CLICKHOUSE)
def test_bytes_of_clickhouse(kernels: None, method: frames.Method) -> None:
    assert compress_frame(RAW, method).hex() == BY_CLICKHOUSE[method]


def test_header_of_every_payload_size(kernels: None) -> None:
    data = random.Random(2).randbytes(70_000)
    for size in (*range(400), 70_000):
        payload = data[:size]
        summed = b"\x90" + (size + 9).to_bytes(4, "little") + b"\xef\xbe\xad\xde" + payload
        assert frames._header(ZSTD, payload, 0xDEADBEEF) == city(summed) + summed[:9], size


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [1, 7, 65_537, 3_000_001])
def test_round_trip(method: frames.Method, size: int) -> None:
    noise = random.Random(3).randbytes(size)
    for raw in (noise, bytes(size), (noise[:50] * (size // 50 + 1))[:size]):
        body = list(compress_frames([raw], method))
        assert b"".join(decompress_frames(body)) == raw
        assert len(body) == max(1, size >> 20)


def test_options_reach_the_compressor() -> None:
    raw = "".join(f"{n * n},{n % 7};" for n in range(20_000)).encode()
    assert len(compress_frame(raw)) < len(compress_frame(raw, acceleration=50)) < len(raw)
    fast = list(compress_frames([raw], acceleration=65537))
    assert fast == [compress_frame(raw, acceleration=65537)] != [compress_frame(raw)]
    if HAS_ZSTD:
        best = list(compress_frames([raw], "zstd", level=19))
        assert best == [compress_frame(raw, "zstd", level=19)]
        assert len(best[0]) < len(compress_frame(raw, "zstd"))
    assert b"".join(decompress_frames(fast)) == raw


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda raw: memoryview(raw).cast("Q")])
@pytest.mark.parametrize("method", METHODS)
def test_buffers(kernels: None, kind: Any, method: frames.Method) -> None:
    raw = b"12345678" * 5
    made = compress_frame(kind(raw), method)
    assert made == compress_frame(raw, method)
    assert list(compress_frames([kind(raw)], method, block_bytes=1 << 20)) == [made]
    assert b"".join(compress_frames([kind(raw)], method, block_bytes=16)) == b"".join(
        compress_frame(part, method) for part in (raw[:16], raw[16:])
    )
    body = frame(NONE, bytes(47), 47)
    assert len(body) % 8 == 0
    assert list(decompress_frames([kind(b""), kind(body)])) == [bytes(47)]


def test_threads_make_the_same_frames() -> None:
    blocks = [random.Random(n).randbytes(1000) * 100 for n in range(40)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(compress_frame, blocks)) == [compress_frame(block) for block in blocks]


# --- grouping -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chunks", "blocks"),
    [
        ([], []),
        ([0, 0], []),
        ([1], [1]),
        ([9], [9]),
        ([10], [10]),
        ([3, 0, 3, 3], [9]),
        ([3, 3, 4, 1], [10, 1]),
        ([5, 14], [19]),  # closed with what came, as long as that is less than twice the size
        ([5, 15], [10, 10]),
        ([5, 19, 2], [10, 14, 2]),
        ([19], [19]),
        ([20], [10, 10]),
        ([29], [10, 19]),
        ([45], [10, 10, 10, 15]),
        ([1, 45], [10, 10, 10, 16]),
        ([9, 40, 9], [10, 10, 10, 19, 9]),
        ([10, 12, 1], [10, 12, 1]),
    ],
)
def test_grouping(chunks: list[int], blocks: list[int]) -> None:
    raw = bytes(range(100))
    cuts = [0, *itertools.accumulate(chunks)]
    parts = [raw[a:b] for a, b in itertools.pairwise(cuts)]
    made = list(decompress_frames(compress_frames(parts, "none", block_bytes=10)))
    assert list(map(len, made)) == blocks
    assert b"".join(made) == raw[: sum(chunks)]


@given(st.lists(st.binary(max_size=50), max_size=40), st.integers(1, 30))
def test_grouping_rules(chunks: list[bytes], block_bytes: int) -> None:
    asked = 0

    def source() -> Iterator[bytes]:
        nonlocal asked
        for chunk in chunks:
            asked += len(chunk)
            yield chunk

    done = 0
    sizes = []
    for made in compress_frames(source(), "none", block_bytes=block_bytes):
        sizes.append(len(made) - 25)
        assert made[25:] == b"".join(chunks)[done : done + sizes[-1]]
        done += sizes[-1]
        assert asked - done < block_bytes + max(map(len, chunks))
    assert done == sum(map(len, chunks)) == asked
    assert all(block_bytes <= size < 2 * block_bytes for size in sizes[:-1])
    assert all(0 < size < 2 * block_bytes for size in sizes[-1:])


def test_a_frame_is_not_held_back() -> None:
    def source() -> Iterator[bytes]:
        yield b"12345"
        yield b"67890"
        raise AssertionError("asked for more than a frame")

    assert next(compress_frames(source(), "none", block_bytes=10))[25:] == b"1234567890"


def test_what_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of a frame's size are compressed where they are, longer ones in place, piece by piece."""
    seen: list[object] = []
    compress = lz4.block.compress

    def spy(block: memoryview, **options: Any) -> bytes:
        seen.append(memoryview(block).obj)
        made: bytes = compress(block, **options)
        return made

    monkeypatch.setattr(lz4.block, "compress", spy)
    chunks: list[bytes | bytearray] = [bytes(10), bytes(19), bytearray(35), bytes(3), bytes(12)]
    assert len(list(compress_frames(chunks, block_bytes=10))) == 6
    owners = [chunks[0], chunks[1], chunks[2], chunks[2], chunks[2]]
    assert all(a is b for a, b in zip(seen[:5], owners, strict=True))
    assert seen[5] == bytes(15)
    assert not any(seen[5] is chunk for chunk in chunks)
    compress_frame(chunks[0])
    assert seen[6] is chunks[0]


def test_a_buffer_may_be_used_again() -> None:
    buffer = bytearray(4)

    def source() -> Iterator[bytearray]:
        for n in range(5):
            buffer[:] = bytes([n]) * 4
            yield buffer

    raw = b"".join(decompress_frames(compress_frames(source(), block_bytes=6)))
    assert raw == b"".join(bytes([n]) * 4 for n in range(5))


def test_errors_of_the_source() -> None:
    def source() -> Iterator[bytes]:
        yield b"x" * 10
        yield b"y"
        raise OSError("the source")

    made = compress_frames(source(), block_bytes=10)
    assert list(decompress_frames([next(made)])) == [b"x" * 10]
    with pytest.raises(OSError, match="the source"):
        next(made)
    with pytest.raises(OSError, match="the source"):
        list(decompress_frames(compress_frames(source(), block_bytes=10)))


# --- arguments ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"method": "lz5"}, "method must be one of 'lz4', 'zstd', 'none', not 'lz5'"),
        ({"method": None}, "method must be one of"),
        ({"acceleration": 0}, "acceleration must be an int from 1 to 65537, not 0"),
        ({"acceleration": 65538}, "acceleration"),
        ({"acceleration": None}, "acceleration"),
        ({"level": 0}, "level must be an int from 1 to 22, not 0"),
        ({"level": 23, "method": "zstd"}, "level"),
        ({"level": 1.5, "method": "zstd"}, "level"),
        ({"level": 3}, "level is an option of method 'zstd', not of 'lz4'"),
        ({"acceleration": 2, "method": "none"}, "acceleration is an option of method 'lz4', not of 'none'"),
        ({"block_bytes": 0}, "block_bytes must be an int from 1 to 532676608, not 0"),
        ({"block_bytes": (1 << 29) + 1}, "block_bytes"),
        ({"block_bytes": 1e6}, "block_bytes"),
    ],
)
def test_bad_options(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        compress_frames([], **options)  # at the call: nothing is iterated
    if "block_bytes" not in options:
        with pytest.raises(ValueError, match=reason):
            compress_frame(b"x", **options)


@pytest.mark.parametrize("limit", [0, -1, 0x7E000001, 1e6, None])
def test_bad_limits(limit: Any) -> None:
    with pytest.raises(ValueError, match="max_block_bytes must be an int from 1 to 2113929216"):
        decompress_frames([], max_block_bytes=limit)


@pytest.mark.parametrize("chunks", [b"body", bytearray(b"body"), memoryview(b"body"), "body", 5, None])
def test_bad_chunks(chunks: Any) -> None:
    for function in (compress_frames, decompress_frames):
        with pytest.raises(TypeError, match="chunks must be an iterable of bytes-like objects, not "):
            function(chunks)


def test_bad_buffers() -> None:
    every_other: Any = memoryview(b"every other")[::2]
    for function in (compress_frames, decompress_frames):
        for bad in ("text", 5, None):
            with pytest.raises(TypeError):
                list(function([bad]))  # type: ignore[list-item]
        with pytest.raises(BufferError, match="not contiguous"):
            list(function([every_other]))
    with pytest.raises(TypeError):
        compress_frame("text")  # type: ignore[arg-type]
    with pytest.raises(BufferError):
        compress_frame(every_other)


@pytest.mark.parametrize("method", METHODS)
def test_sizes_that_make_no_frame(method: frames.Method) -> None:
    for empty in (b"", bytearray(), memoryview(b"").cast("Q")):
        with pytest.raises(ValueError, match="an empty block makes no frame"):
            compress_frame(empty, method)
    too_large = memoryview(mmap.mmap(-1, frames.MAX_RAW_BYTES + 1))  # never touched, so not there
    with pytest.raises(ValueError, match="1065353216 bytes is larger than the limit of 1065353215"):
        compress_frame(too_large, method)


def test_the_largest_block_fits_into_a_frame() -> None:
    most = frames.MAX_RAW_BYTES
    assert 9 + most + most // 255 + 16 <= frames.MAX_FRAME_BYTES == 0x40000000  # LZ4_COMPRESSBOUND


@pytest.mark.parametrize("module", ["compression", "backports"])
def test_without_zstd(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    body = compress_frame(RAW, "zstd") if HAS_ZSTD else frame(ZSTD, b"any", 3)
    for name in ("compression", "backports"):
        monkeypatch.setitem(sys.modules, name, None)
    message = r"zstd frames need a module: pip install 'rowbinary\[zstd\]'"
    with pytest.raises(ImportError, match=message):
        compress_frames([], "zstd")
    with pytest.raises(ImportError, match=message):
        compress_frame(RAW, "zstd")
    with pytest.raises(ImportError, match=message):
        list(decompress_frames([body]))
    assert list(decompress_frames(compress_frames([RAW]))) == [RAW]


def test_without_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rowbinary._kernels", None)
    assert frames._load_header() is frames.header_reference


def test_importing_the_package_does_not_load_lz4(tmp_path: Path) -> None:
    program = "import rowbinary, sys; print(sorted({'lz4', 'rowbinary'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "['rowbinary']\n", done.stderr


# --- splitting ----------------------------------------------------------------------------------


def test_every_split_in_two_and_three(kernels: None) -> None:
    parts = [small_frames()[0], small_frames()[-1]]
    blocks = [raw for raw, _ in parts]
    body = b"".join(packed for _, packed in parts)
    tried = 0
    for a in range(len(body) + 1):
        for b in range(a, len(body) + 1):
            assert list(decompress_frames([body[:a], body[a:b], body[b:]])) == blocks
            tried += 1
        assert list(decompress_frames([body[:a], body[a:]])) == blocks
    assert tried > 2000


@pytest.mark.parametrize("size", [1, 2, 24, 25, 26, 1000])
def test_chunks_of_any_size(kernels: None, size: int) -> None:
    parts = small_frames()
    body = b"".join(packed for _, packed in parts)
    chunks = [chunk for piece in pieces(body, size) for chunk in (b"", piece)]
    assert list(decompress_frames(chunks)) == [raw for raw, _ in parts]


def test_nothing_is_no_frame() -> None:
    assert list(decompress_frames([])) == list(decompress_frames([b"", b""])) == []


@pytest.mark.timeout(60)
def test_single_bytes_take_linear_time() -> None:
    """Quadratic copying would take hours."""
    raw = random.Random(4).randbytes(1 << 20)
    assert list(decompress_frames(pieces(compress_frame(raw), 1))) == [raw]


def test_a_frame_comes_out_when_it_is_complete() -> None:
    first, second = compress_frame(b"one"), compress_frame(b"two")

    def source() -> Iterator[bytes]:
        yield first[:-1]
        yield first[-1:] + second
        raise AssertionError("asked for more than two frames")

    blocks = decompress_frames(source())
    assert [next(blocks), next(blocks)] == [b"one", b"two"]


def test_every_truncation(kernels: None) -> None:
    parts = small_frames()
    body = b"".join(packed for _, packed in parts)
    edges = [0, *itertools.accumulate(len(packed) for _, packed in parts)]
    refused = 0
    for cut in range(len(body)):
        whole = sum(edge <= cut for edge in edges) - 1
        got: list[bytes] = []
        if cut in edges:
            got += decompress_frames([body[:cut]])
        else:
            with pytest.raises(errors.FrameError, match="the stream ends inside it") as caught:
                got.extend(decompress_frames([body[:cut]]))
            assert (caught.value.number, caught.value.offset) == (whole, edges[whole])
            inside, size = cut - edges[whole], edges[whole + 1] - edges[whole]
            told = f"{inside} bytes of a " + ("header of 25" if inside < 25 else f"frame of {size}")
            assert caught.value.reason.endswith(told)
            refused += 1
        assert got == [raw for raw, _ in parts[:whole]]
    assert refused == len(body) - len(parts)
