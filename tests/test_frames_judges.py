"""Block frames before judges that are not ours: ClickHouse's command line tool and its engine."""

from __future__ import annotations

import json
import random
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from framing import HAS_ZSTD, LZ4, METHODS, NONE, RAW, ZSTD, frame, lz4_of, needs_zstd, zstd_of

from rowbinary import frames
from rowbinary.errors import FrameError
from rowbinary.frames import compress_frame, compress_frames, decompress_frames

TOOL = shutil.which("clickhouse-compressor")
needs_tool = pytest.mark.skipif(TOOL is None, reason="no clickhouse-compressor (Debian: clickhouse-tools)")

BLOCKS = [
    b"x",
    RAW,
    bytes(200_000),
    random.Random(1).randbytes(70_000),
    "".join(f"{n},{n * n};" for n in range(300_000)).encode(),
]


def tool(*options: str, stdin: bytes) -> subprocess.CompletedProcess[bytes]:
    assert TOOL is not None
    return subprocess.run([TOOL, *options], input=stdin, capture_output=True, timeout=60)


@needs_tool
@pytest.mark.parametrize("method", METHODS)
def test_the_tool_reads_our_frames(method: frames.Method) -> None:
    body = b"".join(compress_frames(BLOCKS, method, block_bytes=50_000))
    done = tool("-d", stdin=body)
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"".join(BLOCKS)


@needs_tool
def test_the_tool_refuses_what_we_refuse() -> None:
    """So that its approval means something."""
    good = compress_frame(RAW)
    assert tool("-d", stdin=good + good).stdout == RAW + RAW
    assert tool("-d", stdin=good + good[:-1]).returncode == 33
    assert tool("-d", stdin=good[:-1] + b"?").returncode == 40
    assert tool("-d", stdin=frame(0x99, lz4_of(RAW), len(RAW))).returncode not in (0, 33, 40)


@needs_tool
@pytest.mark.parametrize(
    ("options", "method"),
    [([], LZ4), (["--hc"], LZ4), (["--none"], NONE), pytest.param(["--zstd"], ZSTD, marks=needs_zstd)],
)
def test_frames_of_the_tool(options: list[str], method: int) -> None:
    raw = b"".join(BLOCKS)
    assert len(raw) > 2 << 20
    body = tool(*options, stdin=raw).stdout
    assert body[16] == method
    blocks = list(decompress_frames([body]))
    assert [len(block) for block in blocks[:-1]] == [1 << 20] * (len(raw) >> 20)
    assert b"".join(blocks) == raw


@needs_tool
@pytest.mark.parametrize(("option", "method"), [((), "lz4"), (("--none",), "none")])
def test_same_bytes_as_the_tool(option: tuple[str, ...], method: frames.Method) -> None:
    for raw in (b"x", RAW, b"abc" * 100, bytes(range(256)) * 4):
        assert compress_frame(raw, method) == tool(*option, stdin=raw).stdout


# --- the engine ---------------------------------------------------------------------------------

NUMBERS = struct.pack("<3000Q", *range(3000))
PACKED = lz4_of(NUMBERS)
SIZE = len(NUMBERS)


def good_columns() -> dict[str, bytes]:
    """Names and files of a UInt64 column with NUMBERS."""
    parts = [NUMBERS[:1001], NUMBERS[1001:5000], NUMBERS[5000:]]  # cut inside of values
    made = {
        "lz4": b"".join(map(compress_frame, parts)),
        "fast": compress_frame(NUMBERS, acceleration=100),
        "none": compress_frame(NUMBERS, "none"),
        "regrouped": b"".join(compress_frames(parts, block_bytes=300)),
        "mixed": compress_frame(parts[0], "none") + b"".join(map(compress_frame, parts[1:])),
    }
    if HAS_ZSTD:
        made["zstd"] = b"".join(compress_frames(parts, "zstd", level=5, block_bytes=1000))
    return made


def bad_columns() -> dict[str, tuple[bytes, int]]:
    """Names and files that the engine refuses, with the code of its error."""
    good = compress_frame(NUMBERS)
    flipped = bytes([good[0] ^ 1]) + good[1:]
    bad = {
        "checksum": (flipped, 40),
        "more": (frame(LZ4, PACKED, SIZE + 8), 271),
        "less": (frame(LZ4, PACKED, SIZE - 8), 271),
        "empty": (frame(LZ4, b"\x00", 0) + good, 246),
        "huge": (frame(LZ4, PACKED, SIZE, size=0x40000001), 39),
        "method": (frame(0x99, PACKED, SIZE), 432),
        "cut": (good[:-3], 33),
    }
    if HAS_ZSTD:
        bad["zstd"] = (frame(ZSTD, zstd_of(NUMBERS), SIZE - 8), 0)  # whichever code
    return bad


def engine(root: Path, program: str) -> str:
    """What `program` prints, with `query` for the engine's answer; a process of its own, so that
    nothing of an earlier one is cached."""
    lines = [
        "import chdb, re, sys",
        f"connection = chdb.connect({str(root / 'db')!r})",
        "def query(text): return connection.query(text, 'TSV').bytes().decode()",
        program,
        "connection.close()",
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], cwd=root, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.engine
def test_the_engine_reads_our_frames(tmp_path: Path) -> None:
    """A file of a TinyLog column is frames back to back and nothing else; ours takes its place."""
    pytest.importorskip("chdb", reason="the embedded engine (pip install chdb) is not installed")
    good, bad = good_columns(), bad_columns()
    files = good | {f"bad_{name}": body for name, (body, _) in bad.items()}
    made = engine(
        tmp_path,
        f"for name in {list(files)!r}:\n"
        "    query(f'CREATE TABLE `{name}` (a UInt64) ENGINE = TinyLog')\n"
        "    query(f'INSERT INTO `{name}` VALUES (1), (2)')\n"
        "    assert query(f'SELECT sum(a) FROM `{name}`') == '3\\n'\n"
        "print(query('SELECT name, data_paths[1] FROM system.tables WHERE database = currentDatabase()'))",
    )
    paths = dict(line.split("\t") for line in made.split("\n") if line)
    assert paths.keys() == files.keys()
    for name, body in files.items():
        place = Path(paths[name])
        (place / "a.bin").write_bytes(body)
        sizes = json.loads((place / "sizes.json").read_text())
        sizes["clickhouse"]["a%2Ebin"]["size"] = str(len(body))
        (place / "sizes.json").write_text(json.dumps(sizes))
    said = engine(
        tmp_path,
        f"for name in {list(files)!r}:\n"
        "    try:\n"
        "        result = query(f'SELECT count(), sum(a), groupBitXor(cityHash64(a)) FROM `{name}`')\n"
        "    except Exception as error:\n"
        "        result = 'code ' + re.search('Code: ([0-9]+)', str(error))[1]\n"
        "    print(name, result.strip(), sep='\\t')\n"
        "print('right', query('SELECT count(), sum(number), groupBitXor(cityHash64(number)) '\n"
        "    'FROM numbers(3000)'), sep='\\t')",
    )
    verdicts = dict(line.split("\t", 1) for line in said.split("\n") if line)
    assert verdicts["right"].startswith("3000\t4498500\t")
    for name in good:
        assert verdicts[name] == verdicts["right"], name
    for name, (body, code) in bad.items():
        verdict = verdicts[f"bad_{name}"]
        assert verdict == f"code {code}" or (code == 0 and verdict.startswith("code ")), name
        with pytest.raises(FrameError):  # and so do we
            list(decompress_frames([body]))


@pytest.mark.engine
def test_frames_of_the_engine(tmp_path: Path) -> None:
    """Files of MergeTree parts: one per column in wide ones, ``data.bin`` in compact ones."""
    pytest.importorskip("chdb", reason="the embedded engine (pip install chdb) is not installed")
    codecs = {"a": "LZ4", "b": "NONE", "c": "LZ4HC(9)"} | ({"d": "ZSTD(3)"} if HAS_ZSTD else {})
    columns = ", ".join(f"{name} UInt64 CODEC({codec})" for name, codec in codecs.items())
    values = ", ".join(["number"] * len(codecs))
    made = engine(
        tmp_path,
        "for name, least in (('wide', 0), ('compact', 1000000000)):\n"
        f"    query(f'CREATE TABLE {{name}} ({columns}) ENGINE = MergeTree ORDER BY () '\n"
        "        f'SETTINGS min_bytes_for_wide_part = {least}, min_rows_for_wide_part = 0')\n"
        f"    query(f'INSERT INTO {{name}} SELECT {values} FROM numbers(3000)')\n"
        "print(query('SELECT table, path FROM system.parts WHERE active AND database = currentDatabase()'))",
    )
    parts = {table: Path(path) for table, path in (line.split("\t") for line in made.split("\n") if line)}
    assert parts.keys() == {"wide", "compact"}
    methods = {"a": LZ4, "b": NONE, "c": LZ4, "d": ZSTD}
    for name in codecs:
        body = (parts["wide"] / f"{name}.bin").read_bytes()
        assert body[16] == methods[name]
        assert b"".join(decompress_frames([body])) == NUMBERS
    body = (parts["compact"] / "data.bin").read_bytes()
    blocks = list(decompress_frames([body[:1000], body[1000:]]))
    assert len(blocks) >= len(codecs)
    assert b"".join(blocks) == NUMBERS * len(codecs)
