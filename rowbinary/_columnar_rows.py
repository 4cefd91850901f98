"""Columns to chunks of RowBinary: kernels put the cells of all columns side by side, row after row."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from ._columnar_parts import Part, Writer, fresh
from ._kernels import ffi, lib
from ._schema import Schema
from ._sources import Batch

WINDOW = 4096  # rows whose cells the row encoder writes before kernels put them beside the others


def chunks(
    schema: Schema, tables: Iterator[Batch], rules: dict[str, Any], format: str, marked: bool, enough: int
) -> Generator[bytes, None, None]:
    """Chunks of whole rows, of `enough` bytes or a little more; `marked` formats have a byte before cells."""
    writer = Writer(schema, rules, native=False)
    pieces = [header] if (header := writer.schema.plan.header(format)) else []
    size = len(header)
    for part in writer.parts(tables):
        for start, end in _windows(part):
            columns, kept = _beside(writer, part, start, end)
            while start < end:
                piece, rows = _piece(writer, part, columns, marked, start, end, enough - size)
                pieces.append(piece)
                size += len(piece)
                start += rows
                if size >= enough:
                    yield pieces[0] if len(pieces) == 1 else b"".join(pieces)
                    pieces, size = [], 0
            del kept
    if size:
        yield b"".join(pieces)


def _windows(part: Part) -> Iterator[tuple[int, int]]:
    step = part.rows if all(part.fast) else WINDOW
    return ((start, min(start + step, part.rows)) for start in range(0, part.rows, step))


def _beside(writer: Writer, part: Part, start: int, end: int) -> tuple[Any, Any]:
    """The columns of a part, with the cells of slow ones written; and what owns their memory."""
    if all(part.fast):
        return part.columns, None
    columns = ffi.new("rb_source[]", len(part.batch))
    kept = []
    for index, fast in enumerate(part.fast):
        if fast:
            columns[index] = part.columns[index]
            continue
        kept.append(_cells(writer, part, index, columns[index], start, end))
    return columns, kept


def _cells(writer: Writer, part: Part, column: int, target: Any, start: int, end: int) -> Any:
    """Let the row encoder write rows `start` .. `end` of a column."""
    encoder = writer.encoder(column)
    encoder.take()
    ends = ffi.new("int64_t[]", end - start + 1)
    for index in range(start, end):
        writer.write(encoder, part, column, index)
        ends[index - start + 1] = len(encoder)
    cells = encoder.take()
    target.shape, target.load, target.offset = lib.RB_CELLS, lib.RB_ENDS64, -start
    target.data, target.ends = ffi.from_buffer(cells), ffi.cast("const uint8_t *", ends)
    return cells, ends


def _piece(
    writer: Writer, part: Part, columns: Any, marked: bool, start: int, end: int, enough: int
) -> tuple[bytes, int]:
    """The rows from `start` on that come to `enough` bytes, and their number."""
    size = ffi.new("uint64_t *")
    count = len(part.batch)
    rows = lib.rb_rows_measure(columns, count, marked, start, end, max(enough, 1), size)
    if rows > 0:
        piece, memory = fresh(size[0])
        if not lib.rb_rows_write(columns, count, marked, start, rows, memory, size[0]):
            return piece, rows
    return _refused(writer, part, columns, marked, start, min(start + WINDOW, end), enough)


def _refused(
    writer: Writer, part: Part, columns: Any, marked: bool, start: int, end: int, enough: int
) -> tuple[bytes, int]:
    """A kernel refused a value among these rows: find the columns, and let the row encoder write them."""
    size = ffi.new("uint64_t *")
    copy = ffi.new("rb_source[]", len(part.batch))
    kept = []
    for index in range(len(part.batch)):
        one = columns + index
        rows = lib.rb_rows_measure(one, 1, 0, start, end, 1 << 62, size)
        if rows < 0 or lib.rb_rows_write(one, 1, 0, start, rows, fresh(size[0])[1], size[0]):
            kept.append(_cells(writer, part, index, copy[index], start, end))
        else:
            copy[index] = columns[index]
    if not kept:
        raise RuntimeError("the columns changed while they were read")
    rows = lib.rb_rows_measure(copy, len(part.batch), marked, start, end, max(enough, 1), size)
    piece, memory = fresh(size[0])
    if lib.rb_rows_write(copy, len(part.batch), marked, start, rows, memory, size[0]):
        raise RuntimeError("the columns changed while they were read")
    return piece, rows
