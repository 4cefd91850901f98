"""Input files, or stdin, as numbered lines or as bytes; plain, gzip or zstd.

Memory is bounded by the longest line allowed, whatever the input is.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import sys
import zlib
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from ._problems import Aborted, UsageProblem

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

    def __init__(self, name: str, max_line: int = 0):
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
        """All lines; that they are packed is told by the first bytes.

        Raises :class:`Aborted` when the file cannot be read to its end.
        """
        with self._explained(), self._open(by_name=False) as stream:
            yield from self._lines(stream)

    def chunks(self) -> Generator[bytes, None, None]:
        """All bytes.  Here the name says whether they are packed: a body may begin with any bytes.

        Raises :class:`Aborted` when the file cannot be read to its end.
        """
        with self._explained(), self._open(by_name=True) as stream:
            while chunk := stream.read1(_PIECE):
                yield chunk

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, EOFError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise Aborted(f"{self.name}: cannot be read: {reason}") from None
        except Exception as error:
            if type(error).__name__ != "ZstdError":  # its class cannot be named without zstd
                raise
            raise Aborted(f"{self.name}: cannot be read: {error}") from None

    @contextlib.contextmanager
    def _open(self, by_name: bool) -> Iterator[io.BufferedReader[Any]]:
        raw = sys.stdin.buffer if self.name == STDIN else Path(self.name).open("rb", buffering=0)  # noqa: SIM115
        with contextlib.nullcontext() if self.name == STDIN else raw:
            stream = io.BufferedReader(_Counted(self, raw), _PIECE)
            head = self._named() if by_name else stream.peek(4)
            if head.startswith(_GZIP):
                with gzip.GzipFile(fileobj=stream) as unpacked:
                    yield io.BufferedReader(unpacked, _PIECE)
            elif head.startswith(_ZSTD):
                with _zstd().ZstdFile(stream) as unpacked:
                    yield io.BufferedReader(unpacked, _PIECE)
            else:
                yield stream

    def _named(self) -> bytes:
        """What a file of this name begins with, if it is packed."""
        return {".gz": _GZIP, ".zst": _ZSTD}.get(Path(self.name).suffix.lower(), b"")

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


def check_files(names: Sequence[str]) -> None:
    """Raise :class:`UsageProblem` unless all `names` are files or stdin, which is there once."""
    if names.count(STDIN) > 1:
        raise UsageProblem("stdin (-) can be read once only")
    for name in names:
        path = Path(name)
        if name == STDIN:
            continue
        if not path.exists():
            raise UsageProblem(f"{name}: no such file")
        if path.is_dir():
            raise UsageProblem(f"{name}: is a directory")
