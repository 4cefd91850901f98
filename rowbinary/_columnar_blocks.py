"""Columns to Native blocks: each column as it is, with the rows of several batches in one block."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from ._api import Encoder
from ._columnar_parts import Part, Rows, Writer
from ._columns import LOW_CARDINALITY_VERSION
from ._kernels import ffi, lib
from ._native import BLOCK_ROWS, GOING_ON
from ._opcodes import Op
from ._plan import Node
from ._schema import Schema
from ._sources import Batch
from ._varint import string, varint
from .errors import EncodeError

SAMPLE = 1024  # rows by which the size of a column is judged that only the row encoder can write


class _TooLongError(Exception):
    """A column has more bytes than a block should have."""


def blocks(
    schema: Schema, tables: Iterator[Batch], rules: dict[str, Any], enough: int
) -> Generator[bytes, None, None]:
    """Blocks of at most 65,536 rows and about `enough` bytes, whatever the batches are."""
    writer = Writer(schema, rules, native=True)
    parts = writer.parts(tables)
    waiting: Rows = []
    ready, most = 0, BLOCK_ROWS
    more: bool | Exception = True
    while True:
        while more is True and ready < BLOCK_ROWS:
            more = _next_part(parts, waiting)
            if more is True:
                ready += waiting[-1][2]
        if not ready:
            break
        tried = min(ready, most)
        last = more is not True and tried == ready
        block, rows = _Block(writer, enough).fit(waiting, tried, last)
        waiting = _after(waiting, rows)
        ready -= rows
        most = BLOCK_ROWS if rows == tried else 2 * rows  # to judge all that waits for each block takes long
        if ready or not isinstance(more, Exception):
            yield block
    if isinstance(more, Exception):
        raise more


def _next_part(parts: Iterator[Part], waiting: Rows) -> bool | Exception:
    """Whether there was another part.  An error waits too, for there may be one in the rows before."""
    try:
        part = next(parts, None)
    except Exception as error:
        return error
    if part is not None:
        waiting.append((part, 0, part.rows))
    return part is not None


def _first(waiting: Rows, rows: int) -> Rows:
    """The first `rows` of what is waiting."""
    found: Rows = []
    for part, start, count in waiting:
        if rows > 0:
            found.append((part, start, min(count, rows)))
            rows -= count
    return found


def _after(waiting: Rows, rows: int) -> Rows:
    """What is waiting behind the first `rows`."""
    found: Rows = []
    for part, start, count in waiting:
        taken = min(rows, count)
        rows -= taken
        if taken < count:
            found.append((part, start + taken, count - taken))
    return found


class _Block:
    """One block: finds out how many rows it takes, then writes its columns."""

    def __init__(self, writer: Writer, enough: int):
        self.writer = writer
        self.enough = enough
        self._refused: set[int] = set()  # columns of which kernels refused a value
        self._sizes: dict[int, int] = {}  # of the fast columns, in bytes
        self._samples: dict[int, int] = {}  # bytes of the first rows of slow columns
        self._slow: dict[int, tuple[int, bytes]] = {}  # what the row encoder wrote of so many rows

    def fit(self, waiting: Rows, rows: int, last: bool) -> tuple[bytes, int]:
        """A block of at most `rows` rows that wait, and their number; `last`: there are no others."""
        most = self.enough + self.enough // GOING_ON if last else self.enough
        while True:
            chosen = _first(waiting, rows)
            try:
                size = self._judge(chosen, rows)
                if size > most and rows > 1:
                    most = self.enough
                    rows = max(1, min(rows * self.enough // size, rows - 1))
                    continue
                block = self._write(chosen, rows)
            except _TooLongError:
                rows = max(1, rows // 2)
            except EncodeError as error:
                raise self.writer.first_error(chosen, error) from None
            else:
                if block is not None:
                    return block, rows

    def _judge(self, chosen: Rows, rows: int) -> int:
        """Bytes of the block, about."""
        columns = range(len(self.writer.nodes))
        fast = [i for i in columns if i not in self._refused and all(part.fast[i] for part, _, _ in chosen)]
        self._measure({index: _pieces(chosen, index) for index in fast})
        total = sum(self._sizes.values())
        if rows > SAMPLE:  # of fewer rows slow columns are simply tried
            slow = [index for index in columns if index not in self._sizes]
            for index in slow:
                if index not in self._samples:  # an encoder of its own: they remember what was usual
                    encoder, sample = self.writer.new_encoder(index), _first(chosen, SAMPLE)
                    self._samples[index] = len(self._written(encoder, sample, index, SAMPLE))
            total += sum(self._samples[index] for index in slow) * rows // SAMPLE
        return total

    def _measure(self, pieces: dict[int, tuple[Any, int]]) -> None:
        """Sizes of the fast columns; the dictionaries they need stay in the scratch."""
        scratch = self.writer.scratch
        while True:
            scratch.used = scratch.need = 0
            sizes = {i: lib.rb_column_measure(*found, scratch) for i, found in pieces.items()}
            if refused := {index for index, size in sizes.items() if size == -1}:
                self._refused |= refused
                pieces = {index: found for index, found in pieces.items() if index not in refused}
            elif scratch.need:
                self.writer.grow_scratch()
            else:
                self._pieces, self._sizes = pieces, sizes
                return

    def _write(self, chosen: Rows, rows: int) -> bytes | None:
        """The block; ``None`` if a kernel refused a value, so that its column has become a slow one."""
        columns: list[tuple[int, bytes]] = []  # with what stands before the values, or all of it
        for index, node in enumerate(self.writer.nodes):
            head = string(self.writer.names[index]) + string(node.text)
            rest = _prefix(node) if index in self._sizes else self._slowly(chosen, index, rows)
            columns.append((index, head + rest))
        start = varint(len(columns)) + varint(rows)
        total = len(start) + sum(len(data) for _, data in columns) + sum(self._sizes.values())
        if total > 2 * self.enough and rows > 1:
            raise _TooLongError
        block, memory = self.writer.fresh(total)
        ffi.memmove(memory, start, len(start))
        self.writer.scratch.used = 0
        at = len(start)
        for index, data in columns:
            ffi.memmove(memory + at, data, len(data))
            at += len(data)
            if index in self._sizes:
                size = self._sizes[index]
                if lib.rb_column_fill(*self._pieces[index], self.writer.scratch, memory + at, size):
                    self._refused.add(index)
                    return None
                at += size
        return block

    def _slowly(self, chosen: Rows, index: int, rows: int) -> bytes:
        """The column as the row encoder writes it."""
        if self._slow.get(index, (0, b""))[0] != rows:
            encoder = self.writer.encoder(index)
            self._slow[index] = rows, self._written(encoder, chosen, index, rows)
        return self._slow[index][1]

    def _written(self, encoder: Encoder, chosen: Rows, index: int, rows: int) -> bytes:
        """A block of one column without the head."""
        encoder.take()
        for part, start, count in chosen:
            self.writer.write_all(encoder, part, index, start, count)
        block = encoder.take()
        name, node = self.writer.names[index], self.writer.nodes[index]
        head = varint(1) + varint(rows) + string(name) + string(node.text)
        if not block.startswith(head):
            raise _TooLongError
        return block[len(head) :]


def _pieces(chosen: Rows, index: int) -> tuple[Any, int]:
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
