"""What a contender is: the same rows to bytes ready for a socket, and how a server reads these bytes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import lz4.block
import lz4.frame

from rowbinary.frames import BLOCK_BYTES, decompress_frames

Chunk = bytes | bytearray | memoryview


class Unsupported(Exception):
    """There is no such contender for these rows, and nothing to say about it."""


@dataclasses.dataclass(frozen=True)
class Contender:
    """``chunks`` encodes all rows once.

    ``format`` and ``settings`` are those of the INSERT; no ``format`` for what no server reads.
    ``packing`` says how the chunks are compressed; a contender is compared with ours of the same.
    """

    name: str
    format: str
    chunks: Callable[[], Iterable[Chunk]]
    settings: str = ""
    packing: str = ""
    limit: bool = False

    def size(self) -> int:
        """Encodes into a sink that only counts."""
        return sum(map(len, self.chunks()))

    def body(self) -> bytes:
        """The bytes for the engine: not compressed, without a statement in front."""
        data = b"".join(self.chunks())
        match self.packing:
            case "frames":
                data = b"".join(decompress_frames([data]))
            case "lz4":
                data = lz4.frame.decompress(data)
        if data.startswith(b"INSERT INTO"):
            data = data.partition(b"\n")[2]
        return data


def pieces(data: bytes) -> Sequence[bytes]:
    """Of one MiB, as they are compressed."""
    return [data[at : at + BLOCK_BYTES] for at in range(0, len(data), BLOCK_BYTES)]


def packed(data: bytes) -> int:
    """The size with LZ4, as the frames have it."""
    return sum(len(lz4.block.compress(piece, store_size=False)) for piece in pieces(data))


def limits(name: str, data: bytes) -> list[Contender]:
    """What no encoder of these bytes can beat: to copy them, to compress them."""
    target = memoryview(bytearray(len(data)))
    parts = pieces(data)

    def copy() -> list[bytes]:
        target[:] = data
        return [data]

    def compress() -> list[bytes]:
        return [lz4.block.compress(part, store_size=False) for part in parts]

    return [
        Contender(f"memcpy of the {name} bytes", "", copy, limit=True),
        Contender(f"LZ4 alone, {name} bytes", "", compress, packing="limit", limit=True),
    ]
