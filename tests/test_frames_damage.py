"""Block frames that lie: refused with the place and the reason, in bounded memory."""

from __future__ import annotations

import itertools
import pickle
import random
import tracemalloc
from collections.abc import Callable, Iterator

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
    needs_zstd,
    pieces,
    signed,
    small_frames,
    use_kernels,
    zstd_of,
)
from hypothesis import given
from hypothesis import strategies as st

from rowbinary import errors, frames
from rowbinary.errors import FrameError
from rowbinary.frames import compress_frame, compress_frames, decompress_frames

SIZE = len(RAW)
PACKED = lz4_of(RAW)
LIMIT = 1 << 20


@pytest.fixture(params=["c", "python"])
def kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs a test with the compiled kernels, and without."""
    use_kernels(request.param, monkeypatch)


def peak_of(action: Callable[[], object]) -> int:
    """The most bytes that Python had allocated for `action` at a time."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def refusal(chunks: list[bytes], limit: int = LIMIT) -> FrameError:
    with pytest.raises(FrameError) as caught:
        list(decompress_frames(chunks, max_block_bytes=limit))
    return caught.value


# --- headers ------------------------------------------------------------------------------------

HEADERS = [
    (frame(0x99, PACKED, SIZE), "unknown method byte 0x99"),
    (frame(0x00, PACKED, SIZE), "unknown method byte 0x00"),
    (frame(0x91, PACKED, SIZE), "unknown method byte 0x91"),  # a chain of codecs: only in files
    (b"rows that nobody has compressed", "or not compressed at all"),
    (frame(LZ4, PACKED, SIZE, size=0), "its size field is 0, outside of 9 to 1073741824"),
    (frame(LZ4, PACKED, SIZE, size=8), "its size field is 8, outside of 9 to 1073741824"),
    (frame(LZ4, PACKED, SIZE, size=0x40000001), "its size field is 1073741825, outside of"),
    (frame(NONE, PACKED, SIZE, size=0xFFFFFFFF), "its size field is 4294967295, outside of"),
    (frame(LZ4, b"\x00", 0), "its raw size is 0; there are no empty frames"),
    (frame(NONE, b"", 0), "its raw size is 0"),
    (frame(ZSTD, b"", 0), "its raw size is 0"),
    (frame(LZ4, bytes(9000), LIMIT + 1), "its raw size is 1048577, the limit is 1048576"),
    (frame(ZSTD, b"any", 0xFFFFFFFF), "its raw size is 4294967295, the limit is 1048576"),
    (frame(LZ4, b"", 5), "it has no payload for a raw size of 5"),
    (frame(NONE, b"", 5), "it has no payload for a raw size of 5"),
    (frame(ZSTD, b"", 5), "it has no payload for a raw size of 5"),
    (frame(NONE, RAW, SIZE - 1), "its raw size is 28, its uncompressed payload has 29 bytes"),
    (frame(NONE, RAW, SIZE + 1), "its raw size is 30, its uncompressed payload has 29 bytes"),
    (frame(LZ4, bytes(10), 2551), "its raw size is 2551, more than an LZ4 payload of 10 can become"),
]


@pytest.mark.parametrize(("bad", "reason"), HEADERS, ids=[reason for _, reason in HEADERS])
def test_bad_headers(kernels: None, bad: bytes, reason: str) -> None:
    """Refused as soon as the header is there, after the frames before it came out."""
    good = small_frames()

    def source() -> Iterator[bytes]:
        yield from (packed for _, packed in good)
        yield from pieces(bad[:25], 7)
        raise AssertionError("the payload was asked for")

    got: list[bytes] = []
    with pytest.raises(FrameError) as caught:
        got.extend(decompress_frames(source(), max_block_bytes=LIMIT))  # keeps what came before the error
    error = caught.value
    assert got == [raw for raw, _ in good]
    assert (error.number, error.offset) == (len(good), sum(len(packed) for _, packed in good))
    assert str(error) == f"frame {error.number} at offset {error.offset}: {error.reason}"
    assert reason in error.reason
    assert error.expected is error.found is None


def test_limits_are_inclusive() -> None:
    packed = compress_frame(bytes(LIMIT))
    assert list(decompress_frames([packed], max_block_bytes=LIMIT)) == [bytes(LIMIT)]
    assert "the limit is" in str(refusal([packed], LIMIT - 1))
    # The largest size field is believed: what is wrong is that the stream ends.
    huge = frame(LZ4, PACKED, 1 << 30, size=0x40000000)
    assert f"after {len(huge)} bytes of a frame of 1073741840" in str(refusal([huge], 1 << 30))
    # What LZ4 could just reach is left to the decompressor.
    assert "damaged" in str(refusal([frame(LZ4, b"\xf0" + bytes(9), 2550)]))


# --- payloads -----------------------------------------------------------------------------------

PAYLOADS = [
    (frame(LZ4, PACKED, SIZE - 1), "its LZ4 payload is damaged, or becomes more than 28 bytes"),
    (frame(LZ4, PACKED, 1), "its LZ4 payload is damaged, or becomes more than 1 bytes"),
    (frame(LZ4, PACKED, SIZE + 1), "its payload becomes 29 bytes, its header has 30"),
    (frame(LZ4, PACKED[:-1], SIZE), "its LZ4 payload is damaged"),
    (frame(LZ4, PACKED + b"x", SIZE), "its LZ4 payload is damaged"),
    (frame(LZ4, b"\xff" * 40, SIZE), "its LZ4 payload is damaged"),
]


@pytest.mark.parametrize(("bad", "reason"), PAYLOADS, ids=[reason for _, reason in PAYLOADS])
def test_bad_lz4(kernels: None, bad: bytes, reason: str) -> None:
    error = refusal([small_frames()[0][1], bad])
    assert reason in error.reason
    assert (error.number, error.offset) == (1, len(small_frames()[0][1]))


@needs_zstd
def test_bad_zstd(kernels: None) -> None:
    packed = zstd_of(RAW)
    for bad, reason in (
        (frame(ZSTD, packed, SIZE - 1), "its ZSTD payload becomes more than 28 bytes"),
        (frame(ZSTD, packed, SIZE + 1), "its payload becomes 29 bytes, its header has 30"),
        (frame(ZSTD, packed + b"xy", SIZE), "its ZSTD payload has 2 bytes after its end"),
        (frame(ZSTD, packed + packed, SIZE), "bytes after its end"),
        (frame(ZSTD, packed[:-1], SIZE), "its ZSTD payload is cut short"),
        (frame(ZSTD, PACKED, SIZE), "its ZSTD payload cannot be read: "),
    ):
        error = refusal([small_frames()[0][1], bad])
        assert reason in error.reason
        assert (error.number, error.offset) == (1, len(small_frames()[0][1]))


def test_wrong_checksum(kernels: None) -> None:
    good = compress_frame(RAW)
    body = good + good[:-1] + b"?"
    error = refusal(pieces(body, 10))
    assert (error.number, error.offset) == (1, len(good))
    assert error.expected == good[:16].hex()
    assert error.found == city(body[len(good) + 16 :]).hex() != error.expected
    assert str(error) == (
        f"frame 1 at offset {len(good)}: wrong checksum: "
        f"its header has {error.expected}, its bytes give {error.found}"
    )


def test_the_checksum_comes_first() -> None:
    """No decompressor sees bytes that are not what was sent."""
    for method in (LZ4, ZSTD):
        bad = bytearray(frame(method, b"\xff" * 40, 40))
        bad[0] ^= 1
        assert refusal([bytes(bad)]).reason == "wrong checksum"


def test_every_flipped_bit(kernels: None) -> None:
    parts = small_frames()
    body = b"".join(packed for _, packed in parts)
    edges = [0, *itertools.accumulate(len(packed) for _, packed in parts)]
    for bit in range(len(body) * 8):
        bad = bytearray(body)
        bad[bit // 8] ^= 1 << bit % 8
        error = refusal([bytes(bad)])
        hit = sum(edge <= bit // 8 for edge in edges) - 1
        assert (error.number, error.offset) == (hit, edges[hit])


def test_the_error() -> None:
    error = refusal([frame(0x99, b"x", 1)])
    assert isinstance(error, errors.RowBinaryError)
    assert isinstance(error, ValueError)
    assert "FrameError" in errors.__all__
    sums = FrameError("wrong", offset=5, number=1, expected="aa", found="bb")
    for one in (error, sums):
        again = pickle.loads(pickle.dumps(one))
        assert (str(again), vars(again)) == (str(one), vars(one))


# --- memory -------------------------------------------------------------------------------------


def test_promises_are_not_believed() -> None:
    for method in (LZ4, NONE, ZSTD):
        size = 0x40000000
        bad = frame(method, bytes(1000), size - 9, size=size)
        assert peak_of(lambda bad=bad: refusal([bad], 1 << 30)) < 200_000  # type: ignore[misc]


@needs_zstd
def test_zstd_bombs() -> None:
    """Stopped at the declared size, not measured afterwards."""
    bomb = frame(ZSTD, zstd_of(bytes(100_000_000)), 1000)
    assert len(bomb) < 20_000
    assert peak_of(lambda: refusal([bomb])) < 300_000


@needs_zstd
@pytest.mark.parametrize(("log", "accepted"), [(27, True), (28, False), (31, False)])
def test_zstd_windows(log: int, accepted: bool) -> None:
    """A small block has no use for more than the 128 MiB that decoders allow by themselves."""
    payload = b"\x28\xb5\x2f\xfd\x00" + bytes([log - 10 << 3]) + b"\x19\x00\x00abc"
    bad = frame(ZSTD, payload, 3)
    if accepted:
        assert list(decompress_frames([bad])) == [b"abc"]
    else:
        assert "too much memory" in refusal([bad]).reason


@needs_zstd
def test_zstd_blocks_larger_than_the_usual_window() -> None:
    """Written with a window of all of the block, as codecs with long windows do."""
    zstd = frames._zstd()
    raw = bytes((1 << 27) + 5)
    payload = zstd.compress(raw, options={zstd.CompressionParameter.window_log: 28})
    with pytest.raises(zstd.ZstdError, match="too much memory"):  # or this would test nothing
        zstd.ZstdDecompressor().decompress(payload, 100)
    assert next(decompress_frames([frame(ZSTD, payload, len(raw))])) == raw


@pytest.mark.parametrize("method", METHODS)
def test_streams_in_constant_memory(method: frames.Method) -> None:
    block = random.Random(5).randbytes(100_000)

    def source() -> Iterator[bytes]:
        for n in range(200):
            yield n.to_bytes(2, "little") + block[: 20_000 + n * 100]

    def through() -> None:
        packed = compress_frames(source(), method, block_bytes=65_536)
        split = (piece for one in packed for piece in pieces(one, 30_000))
        done = sum(map(len, decompress_frames(split)))
        assert done == sum(map(len, source())) > 5_000_000

    assert peak_of(through) < 1_500_000


# --- anything -----------------------------------------------------------------------------------


def lz4_decoded(payload: bytes) -> bytes | None:
    """The LZ4 block format in a few lines, without its rules for the end of a block."""
    out = bytearray()
    at = 0

    def length(start: int) -> int:
        nonlocal at
        total = start
        while start == 15:
            total += payload[at]
            at += 1
            if payload[at - 1] != 255:
                break
        return total

    try:
        while True:
            token = payload[at]
            at += 1
            literals = length(token >> 4)
            if at + literals > len(payload):
                return None
            out += payload[at : at + literals]
            at += literals
            if at == len(payload):
                return bytes(out)
            back = payload[at] | payload[at + 1] << 8
            at += 2
            match = length(token & 15) + 4
            if back > len(out):
                return None
            for _ in range(match):
                out.append(out[-back] if back else 0)  # 0 is not allowed; the library makes zeros of it
    except IndexError:
        return None


def meaning(body: bytes) -> bytes | None:
    """What the one frame with `body` after its checksum may become."""
    size, raw_size = (int.from_bytes(body[at : at + 4], "little") for at in (1, 5))
    if size != len(body):
        return None  # the checksum is then one of other bytes
    payload, raw = body[9:], None
    if body[0] == NONE:
        raw = payload
    elif body[0] == LZ4:
        raw = lz4_decoded(payload)
    elif body[0] == ZSTD and HAS_ZSTD:
        reader = frames._zstd().ZstdDecompressor()
        try:
            raw = reader.decompress(payload, 1 << 20)
        except frames._zstd().ZstdError:
            return None
    return raw if raw is not None and len(raw) == raw_size > 0 else None


def outcome(body: bytes, chunk: int = 1000) -> bytes | FrameError:
    """The block of the signed frame, or its error; anything else is a failure."""
    after = compress_frame(b"after")
    try:
        blocks = list(decompress_frames(pieces(signed(body) + after, chunk), max_block_bytes=5000))
    except FrameError as error:
        return error
    except ImportError:
        assert not HAS_ZSTD
        assert body[0] == ZSTD
        return FrameError("no zstd module", offset=0)
    assert blocks[1:] == [b"after"]
    return blocks[0]


def test_oracle() -> None:
    for raw in (b"x", RAW, bytes(5000), random.Random(6).randbytes(5000)):
        assert lz4_decoded(lz4_of(raw)) == raw
    assert lz4_decoded(b"\xff") is lz4_decoded(b"\x10") is lz4_decoded(b"") is None


@pytest.mark.parametrize("number", range(len(small_frames())))
def test_every_value_of_every_byte(number: int) -> None:
    """Signed again, so that what is behind the checksum has to cope."""
    body = small_frames()[number][1][16:]
    accepted = 0
    reasons = set()
    for at, value in itertools.product(range(len(body)), range(256)):
        bad = body[:at] + bytes([value]) + body[at + 1 :]
        got = outcome(bad)
        if isinstance(got, FrameError):
            assert got.offset == 0
            assert bad != body
            reasons.add(got.reason[:18])
        else:
            assert got == meaning(bad)
            accepted += 1
    assert accepted >= len(body)
    assert len(reasons) >= 5


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A frame without its checksum, good before a few edits; its size field often right again."""
    methods: list[frames.Method] = ["lz4", "none", "zstd"]
    method = draw(st.sampled_from(methods if HAS_ZSTD else methods[:2]))
    raw = draw(st.binary(min_size=1, max_size=60)) * draw(st.integers(1, 80))
    body = bytearray(compress_frame(raw, method)[16:])
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(body)))
        removed, inserted = draw(st.integers(0, 3)), draw(st.binary(max_size=3))
        body[at : at + removed] = inserted
    if len(body) >= 9 and draw(st.booleans()):
        body[1:5] = len(body).to_bytes(4, "little")
    if draw(st.integers(0, 3)) == 0 and len(body) >= 9:
        body[5:9] = draw(st.integers(0, 6000)).to_bytes(4, "little")
    return bytes(body)


@given(bodies(), st.integers(1, 2000))
def test_mutated_and_signed(body: bytes, chunk: int) -> None:
    got: bytes | FrameError | None = None

    def run() -> None:
        nonlocal got
        got = outcome(body, chunk)

    assert peak_of(run) < 300_000
    assert isinstance(got, FrameError) or got == meaning(body)


@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_bytes(body: bytes, chunk: int) -> None:
    error: FrameError | None = None
    try:
        assert list(decompress_frames(pieces(body, chunk))) == []
    except FrameError as caught:
        error = caught
    assert (error is None) == (body == b"")


def test_what_lz4_refuses_is_refused_here() -> None:
    """The reach of LZ4 that headers are checked against is not too small."""
    for size in (1, 100, 300, 5000, 100_000, 5_000_000):
        packed = lz4.block.compress(bytes(size), store_size=False)
        assert size <= 255 * len(packed)
        assert next(decompress_frames([frame(LZ4, packed, size)])) == bytes(size)
