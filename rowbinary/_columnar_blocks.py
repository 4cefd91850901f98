"""Columns to Native blocks: each column as it is, with the rows of several batches in one block."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from ._columnar_parts import Part, Writer, fresh
from ._columns import LOW_CARDINALITY_VERSION
from ._kernels import ffi, lib
from ._native import BLOCK_ROWS
from ._opcodes import Op
from ._plan import Node
from ._schema import Schema
from ._sources import Batch
from ._varint import string, varint

SAMPLE = 1024  # rows by which the size of a column is judged that only the row encoder can write

_Rows = list[tuple[Part, int, int]]
"""Rows of a block: of each part, from where and how many."""


class _TooLongError(Exception):
    """A column has more bytes than a block should have."""


def blocks(
    schema: Schema, tables: Iterator[Batch], rules: dict[str, Any], enough: int
) -> Generator[bytes, None, None]:
    """Blocks of at most 65,536 rows and about `enough` bytes, whatever the batches are."""
    writer = Writer(schema, rules, native=True)
    parts = writer.parts(tables)
    waiting: _Rows = []
    ready = 0
    more = True
    while more or waiting:
        while more and ready < BLOCK_ROWS:
            part = next(parts, None)
            if part is None:
                more = False
                break
            waiting.append((part, 0, part.rows))
            ready += part.rows
        if not waiting:
            break
        block, rows = _Block(writer, enough).fit(waiting, min(ready, BLOCK_ROWS))
        waiting = _after(waiting, rows)
        ready -= rows
        yield block


def _first(waiting: _Rows, rows: int) -> _Rows:
    """The first `rows` of what is waiting."""
    found: _Rows = []
    for part, start, count in waiting:
        if rows > 0:
            found.append((part, start, min(count, rows)))
            rows -= count
    return found


def _after(waiting: _Rows, rows: int) -> _Rows:
    """What is waiting behind the first `rows`."""
    found: _Rows = []
    for part, start, count in waiting:
        taken = min(rows, count)
        rows -= taken
        if taken < count:
            found.append((part, start + taken, count - taken))
    return found


class _Block:
    """One block: finds out how many rows it takes, then writes its columns."""

    _scratch_size = 1 << 16  # of all blocks: what has been too small once would be so again

    def __init__(self, writer: Writer, enough: int):
        self.writer = writer
        self.enough = enough
        self._refused: set[int] = set()  # columns of which kernels refused a value
        self._sizes: dict[int, int] = {}  # of the fast columns, in bytes

    def fit(self, waiting: _Rows, rows: int) -> tuple[bytes, int]:
        """A block of at most `rows` rows that wait, and their number."""
        while True:
            chosen = _first(waiting, rows)
            size = self._judge(chosen, rows)
            if size > self.enough and rows > 1:
                rows = max(1, min(rows * self.enough // size, rows - 1))
                continue
            try:
                block = self._write(chosen, rows)
            except _TooLongError:
                rows = max(1, rows // 2)
            else:
                if block is not None:
                    return block, rows

    def _judge(self, chosen: _Rows, rows: int) -> int:
        """Bytes of the block, about."""
        columns = range(len(self.writer.nodes))
        fast = [i for i in columns if i not in self._refused and all(part.fast[i] for part, _, _ in chosen)]
        self._measure({index: _pieces(chosen, index) for index in fast})
        total = sum(self._sizes.values())
        if rows > SAMPLE:  # of fewer rows slow columns are simply tried
            sample = _first(chosen, SAMPLE)
            slow = (index for index in columns if index not in self._sizes)
            total += sum(len(self._slow(sample, index, SAMPLE)) for index in slow) * rows // SAMPLE
        return total

    def _measure(self, pieces: dict[int, tuple[Any, int]]) -> None:
        """Sizes of the fast columns; the dictionaries they need stay in the scratch."""
        while True:
            self._memory = ffi.new("uint8_t[]", _Block._scratch_size)
            self._scratch = ffi.new("rb_scratch *", {"start": self._memory, "size": _Block._scratch_size})
            sizes = {i: lib.rb_column_measure(*found, self._scratch) for i, found in pieces.items()}
            if refused := {index for index, size in sizes.items() if size == -1}:
                self._refused |= refused
                pieces = {index: found for index, found in pieces.items() if index not in refused}
            elif self._scratch.need:
                _Block._scratch_size = 2 * self._scratch.need
            else:
                self._pieces, self._sizes = pieces, sizes
                return

    def _write(self, chosen: _Rows, rows: int) -> bytes | None:
        """The block; ``None`` if a kernel refused a value, so that its column has become a slow one."""
        columns: list[tuple[int, bytes]] = []  # with what stands before the values, or all of it
        for index, node in enumerate(self.writer.nodes):
            head = string(self.writer.names[index]) + string(node.text)
            rest = _prefix(node) if index in self._sizes else self._slow(chosen, index, rows)
            columns.append((index, head + rest))
        start = varint(len(columns)) + varint(rows)
        total = len(start) + sum(len(data) for _, data in columns) + sum(self._sizes.values())
        block, memory = fresh(total)
        ffi.memmove(memory, start, len(start))
        self._scratch.used = 0
        at = len(start)
        for index, data in columns:
            ffi.memmove(memory + at, data, len(data))
            at += len(data)
            if index in self._sizes:
                size = self._sizes[index]
                if lib.rb_column_fill(*self._pieces[index], self._scratch, memory + at, size):
                    self._refused.add(index)
                    return None
                at += size
        return block

    def _slow(self, chosen: _Rows, index: int, rows: int) -> bytes:
        """The column as the row encoder writes it: a block of its own without the head."""
        writer, encoder = self.writer, self.writer.encoder(index)
        encoder.take()
        for part, start, count in chosen:
            for row in range(start, start + count):
                writer.write(encoder, part, index, row)
        block = encoder.take()
        head = varint(1) + varint(rows) + string(writer.names[index]) + string(writer.nodes[index].text)
        if not block.startswith(head):
            raise _TooLongError
        return block[len(head) :]


def _pieces(chosen: _Rows, index: int) -> tuple[Any, int]:
    pieces = ffi.new("rb_piece[]", len(chosen))
    for place, (part, start, count) in enumerate(chosen):
        pieces[place].source = part.columns + index
        pieces[place].start, pieces[place].count = start, count
    return pieces, len(chosen)


def _prefix(node: Node) -> bytes:
    """What stands before the data of types that kernels write."""
    if node.op is Op.LOW_CARDINALITY:
        return LOW_CARDINALITY_VERSION.to_bytes(8, "little")
    return b"".join(map(_prefix, node.children))
