"""Where in a stream of HTTP requests we are: heads, chunks, ends."""

from __future__ import annotations

import dataclasses
import re

MAX_HEAD = 4 << 20
LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r]*chunked", re.IGNORECASE)


class Meter:
    """Follows the requests of one connection.  Feed it bytes, it takes them in units.

    A unit ends where a head, a chunk's line, a chunk or a request ends, or with the data.
    """

    def __init__(self) -> None:
        self.index = -1  # the number of the current request, from 0
        self.done = True  # nothing begun, or the current request is complete
        self._begin()

    def _begin(self) -> None:
        self.size = 0  # bytes of the current request that were taken
        self.head = bytearray()
        self.head_size: int | None = None
        self.last_chunk: int | None = None  # where its line begins
        self._take = self._take_head
        self._left = 0
        self._line = bytearray()

    def feed(self, data: bytes | memoryview) -> int:
        """Take the first unit of the data; its size."""
        if self.done:
            self.index += 1
            self.done = False
            self._begin()
        taken = self._take(data)
        self.size += taken
        return taken

    def _take_head(self, data: bytes | memoryview) -> int:
        before = len(self.head)
        if before > MAX_HEAD:
            return len(data)  # not HTTP
        self.head += data
        end = self.head.find(b"\r\n\r\n", max(0, before - 3))
        if end < 0:
            return len(data)
        del self.head[end + 4 :]
        self.head_size = len(self.head)
        length = LENGTH.search(self.head)
        if CHUNKED.search(self.head):
            self._take = self._take_line
        elif length and int(length[1]):
            self._left = int(length[1])
            self._take = self._take_sized
        else:
            self.done = True
        return self.head_size - before

    def _take_sized(self, data: bytes | memoryview) -> int:
        taken = min(self._left, len(data))
        self._left -= taken
        self.done = not self._left
        return taken

    def _take_line(self, data: bytes | memoryview) -> int:
        line, taken = self._until_newline(data)
        if line is not None:
            try:
                size = int(line.split(b";")[0], 16)
            except ValueError:
                size = 1 << 62  # not HTTP
            if size:
                self._left = size + 2
                self._take = self._take_chunk
            else:
                self.last_chunk = self.size + taken - len(line)
                self._take = self._take_trailer
        return taken

    def _take_chunk(self, data: bytes | memoryview) -> int:
        taken = min(self._left, len(data))
        self._left -= taken
        if not self._left:
            self._take = self._take_line
        return taken

    def _take_trailer(self, data: bytes | memoryview) -> int:
        line, taken = self._until_newline(data)
        self.done = line is not None and not line.strip()
        return taken

    def _until_newline(self, data: bytes | memoryview) -> tuple[bytes | None, int]:
        """The line that ends in the data, None if it does not; the bytes taken."""
        head, newline, _ = bytes(data[:1000]).partition(b"\n")
        self._line += head + newline
        if not newline:
            return None, len(head)
        line = bytes(self._line)
        self._line.clear()
        return line, len(head) + 1


@dataclasses.dataclass(frozen=True)
class Received:
    """One request, taken apart."""

    raw: bytes

    @property
    def head(self) -> bytes:
        """To the end of the empty line."""
        return self.raw[: self.raw.index(b"\r\n\r\n") + 4]

    @property
    def wire_body(self) -> bytes:
        """What follows the head, with its chunks' lines."""
        return self.raw[len(self.head) :]

    @property
    def first_line(self) -> str:
        """Method, target, version."""
        return self.head.split(b"\r\n")[0].decode("latin-1")

    @property
    def headers(self) -> dict[str, str]:
        """By lower-case names; the last of equal names."""
        lines = self.head.decode("latin-1").split("\r\n")[1:-2]
        pairs = [line.partition(":") for line in lines]
        return {name.strip().lower(): value.strip() for name, _, value in pairs}

    @property
    def chunks(self) -> list[bytes]:
        """The chunks of a chunked body, without the last, empty one."""
        found, rest = [], self.wire_body
        while rest:
            line, _, rest = rest.partition(b"\r\n")
            size = int(line.split(b";")[0], 16)
            if not size:
                break
            found.append(rest[:size])
            rest = rest[size + 2 :]
        return found

    @property
    def body(self) -> bytes:
        """The body without chunking."""
        if CHUNKED.search(self.head):
            return b"".join(self.chunks)
        return self.wire_body
