"""Input files as numbered lines: plain, gzip or zstd (told by their first bytes), or stdin.

Memory is bounded by the longest line allowed, whatever the input is.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from ._problems import Aborted

STDIN = "-"
_SHOWN = 1000  # bytes of a line that is too long
_PIECE = 1 << 20
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_BOM = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """A line without its end.  ``too_long``: ``data`` is only its beginning."""

    number: int
    data: bytes
    too_long: bool = False


class InputFile:
    """One input; ``position`` is the number of bytes read of it, compressed as they are."""

    def __init__(self, name: str, max_line: int):
        self.name = name
        self.max_line = max_line
        self.position = 0

    @property
    def size(self) -> int | None:
        """Bytes in the file; ``None`` when that is unknown (pipes)."""
        if self.name == STDIN:
            return None
        path = Path(self.name)
        return path.stat().st_size if path.is_file() else None

    def lines(self) -> Iterator[Line]:
        """All lines.  Raises :class:`Aborted` when the file cannot be read to its end."""
        try:
            with self._open() as stream:
                yield from self._lines(stream)
        except (OSError, EOFError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise Aborted(f"{self.name}: cannot be read: {reason}") from None
        except Exception as error:
            if type(error).__name__ != "ZstdError":  # its class cannot be named without zstd
                raise
            raise Aborted(f"{self.name}: cannot be read: {error}") from None

    @contextlib.contextmanager
    def _open(self) -> Iterator[IO[bytes]]:
        raw = sys.stdin.buffer if self.name == STDIN else Path(self.name).open("rb", buffering=0)  # noqa: SIM115
        with contextlib.nullcontext() if self.name == STDIN else raw:
            stream = io.BufferedReader(_Counted(self, raw), _PIECE)
            head = stream.peek(4)
            if head.startswith(_GZIP):
                with gzip.GzipFile(fileobj=stream) as unpacked:
                    yield io.BufferedReader(unpacked, _PIECE)
            elif head.startswith(_ZSTD):
                with _zstd().ZstdFile(stream) as unpacked:
                    yield io.BufferedReader(unpacked, _PIECE)
            else:
                yield stream

    def _lines(self, stream: IO[bytes]) -> Iterator[Line]:
        number = 0
        while data := stream.readline(self.max_line + 2):
            number += 1
            if number == 1:
                data = data.removeprefix(_BOM)
            text = data.removesuffix(b"\n").removesuffix(b"\r")
            if len(text) <= self.max_line:
                yield Line(number, text)
                continue
            yield Line(number, text[:_SHOWN], too_long=True)
            while data and not data.endswith(b"\n"):
                data = stream.readline(_PIECE)


class _Counted(io.RawIOBase):
    """`raw`, with the bytes read noted in `owner`."""

    def __init__(self, owner: InputFile, raw: Any):
        self._owner = owner
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        # readinto1 is what a BufferedReader has for "at most one read": a pipe must not wait to fill.
        read = getattr(self._raw, "readinto1", self._raw.readinto)
        count: int = read(buffer) or 0
        self._owner.position += count
        return count


def _zstd() -> Any:
    """The zstd module: of Python 3.14, or its backport."""
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ImportError:
        raise Aborted("reading zstd needs a module: pip install 'rowbinary[zstd]'") from None
    return zstd
