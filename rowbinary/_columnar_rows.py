"""Columns to chunks of RowBinary: kernels put the cells of all columns side by side, row after row."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from ._columnar_parts import Part, Writer
from ._kernels import ffi, lib
from ._schema import Schema
from ._sources import Batch
from .errors import EncodeError

WINDOW = 4096  # rows whose cells the row encoder writes before kernels put them beside the others


def chunks(
    schema: Schema, tables: Iterator[Batch], rules: dict[str, Any], format: str, marked: bool, enough: int
) -> Generator[bytes, None, None]:
    """Chunks of whole rows, of `enough` bytes or a little more; `marked` formats have a byte before cells."""
    writer = Writer(schema, rules, native=False)
    header = writer.schema.plan.header(format)
    if len(header) >= enough:
        yield header
        header = b""
    pieces, size = [header] if header else [], len(header)
    for part in writer.parts(tables):
        start = 0
        while start < part.rows:
            window = _Window(writer, part, start, marked)
            while start < window.end:
                piece, rows = window.piece(start, max(enough - size, 1))
                pieces.append(piece)
                size += len(piece)
                start += rows
                if size >= enough:
                    yield pieces[0] if len(pieces) == 1 else b"".join(pieces)
                    pieces, size = [], 0
    if size:
        yield b"".join(pieces)


class _Window:
    """Rows `start` .. `end` of a part, of all columns as kernels take them."""

    def __init__(self, writer: Writer, part: Part, start: int, marked: bool):
        self.writer, self.part, self.marked = writer, part, marked
        self.count = len(part.batch)
        self.end = part.rows if all(part.fast) else min(start + WINDOW, part.rows)
        self.columns = part.columns
        self.kept: list[Any] = []  # what owns the memory of cells
        self._careful = start  # until here a few rows are tried at a time
        if not all(part.fast):
            self.columns = ffi.new("rb_source[]", self.count)
            slow = [index for index, fast in enumerate(part.fast) if not fast]
            self._with_cells(part.columns, self.columns, slow, start, self.end, self.kept)

    def piece(self, start: int, enough: int) -> tuple[bytes, int]:
        """The rows from `start` on that come to `enough` bytes, and their number."""
        while True:
            end = min(start + WINDOW, self.end) if start < self._careful else self.end
            rows, found = self._try(self.columns, start, end, enough)
            if found is not None:
                return found, rows
            end = start + rows if rows > 0 else end  # a kernel refused a value before
            if end - start <= WINDOW:
                return self._refused(start, end, enough)
            self._careful = end

    def _try(self, columns: Any, start: int, end: int, enough: int) -> tuple[int, bytes | None]:
        """The rows and their bytes; ``None``: a value is refused among so many rows, or up to `end` (-1)."""
        size = ffi.new("uint64_t *")
        rows = lib.rb_rows_measure(columns, self.count, self.marked, start, end, enough, size)
        if rows > 0:
            piece, memory = self.writer.fresh(size[0])
            if not lib.rb_rows_write(columns, self.count, self.marked, start, rows, memory, size[0]):
                return rows, piece
        return rows, None

    def _refused(self, start: int, end: int, enough: int) -> tuple[bytes, int]:
        """Let the row encoder write the columns of which a value among these rows is refused."""
        size = ffi.new("uint64_t *")
        columns = ffi.new("rb_source[]", self.count)
        refused = []
        kept: list[Any] = []
        for index in range(self.count):
            one = self.columns + index
            rows = lib.rb_rows_measure(one, 1, 0, start, end, 1 << 62, size)
            room = self.writer.fresh(size[0] if rows > 0 else 0)  # only to see whether it can be written
            if rows < 0 or lib.rb_rows_write(one, 1, 0, start, rows, room[1], size[0]):
                refused.append(index)
        self._with_cells(self.columns, columns, refused, start, end, kept)
        rows, found = self._try(columns, start, end, enough)
        if found is None:
            raise RuntimeError("the columns changed while they were read")
        return found, rows

    def _with_cells(
        self, columns: Any, target: Any, written: list[int], start: int, end: int, kept: list[Any]
    ) -> None:
        """All columns, of which the row encoder writes some."""
        try:
            for index in range(self.count):
                if index in written:
                    kept.append(self._cells(index, target[index], start, end))
                else:
                    target[index] = columns[index]
        except EncodeError as error:
            raise self.writer.first_error([(self.part, start, end - start)], error) from None

    def _cells(self, column: int, target: Any, start: int, end: int) -> Any:
        """Let the row encoder write rows `start` .. `end` of a column."""
        encoder = self.writer.encoder(column)
        encoder.take()
        ends = ffi.new("int64_t[]", end - start + 1)
        for index in range(start, end):
            self.writer.write(encoder, self.part, column, index)
            ends[index - start + 1] = len(encoder)
        cells = encoder.take()
        target.shape, target.load, target.offset = lib.RB_CELLS, lib.RB_ENDS64, -start
        target.data, target.ends = ffi.from_buffer(cells), ffi.cast("const uint8_t *", ends)
        return cells, ends
