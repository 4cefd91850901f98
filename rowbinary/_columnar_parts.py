"""What the two ways of a column share: batches compiled for kernels, and the row encoder of each column."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from ._api import Encoder
from ._badvalue import BadValue
from ._compile import Compiler
from ._kernels import ffi, lib
from ._options import Format
from ._schema import Schema
from ._sources import Batch, Source, read, rows_of, span, value_of
from ._speedups import Chunks
from ._typed import DEFAULT
from .errors import EncodeError


class Part:
    """A batch, compiled; ``fast`` says which columns kernels can take, ``first`` is the number of row 0."""

    def __init__(self, writer: Writer, batch: Batch, first: int):
        self.batch, self.first, self.rows = batch, first, (batch[0].length if batch else 0)
        self.columns = ffi.new("rb_source[]", len(batch))
        self.compiler = Compiler(naive=writer.rules["naive"], native=writer.native)
        self.fast = [
            self.compiler.compile(self.columns[i], source, node)
            for i, (source, node) in enumerate(zip(batch, writer.nodes, strict=True))
        ]


Rows = list[tuple[Part, int, int]]
"""Rows of several parts: of each, from where and how many."""


class Writer:
    """What the two ways share: a schema, and the row encoder of each of its columns."""

    def __init__(self, schema: Schema, rules: dict[str, Any], *, native: bool):
        self.schema, self.rules, self.native = schema, rules, native
        self.names, self.nodes = schema.plan.names, schema.plan.nodes
        self.format: Format = "Native" if native else "RowBinary"
        self._encoders: dict[int, Encoder] = {}
        self._chunks = Chunks()
        self.scratch = ffi.new(
            "rb_scratch *"
        )  # for dictionaries; from block to block, nothing before the first

    def fresh(self, size: int) -> tuple[bytes, Any]:
        """Bytes that nobody has seen yet, and where they are: kernels write them in place."""
        piece = self._chunks.fresh(size)
        return piece, ffi.cast("uint8_t *", ffi.from_buffer(piece))

    def grow_scratch(self) -> None:
        """Make room for what was needed, and some more."""
        self._memory = bytearray(2 * self.scratch.need)
        self.scratch.start, self.scratch.size = ffi.from_buffer("uint8_t[]", self._memory), len(self._memory)

    def parts(self, tables: Iterator[Batch]) -> Iterator[Part]:
        """Batches with rows, compiled; they end where the columns of a Nested have unequal lengths."""
        first = 0
        for batch in tables:
            if batch[0].length if batch else 0:
                part = Part(self, batch, first)
                error = self._check_nested(part)
                first += part.rows
                yield part
                if error is not None:
                    raise error

    def new_encoder(self, column: int) -> Encoder:
        """A row encoder of one column."""
        one = Schema([(self.names[column], self.nodes[column].text)])
        return Encoder(one, format=self.format, **self.rules)

    def encoder(self, column: int) -> Encoder:
        """The row encoder of one column."""
        if column not in self._encoders:
            self._encoders[column] = self.new_encoder(column)
        return self._encoders[column]

    def write(self, encoder: Encoder, part: Part, column: int, index: int) -> None:
        """Let the row encoder write one value."""
        row = part.first + index
        value = value_of(part.batch[column], index, self.nodes[column], self.names[column], row)
        try:
            encoder.write_row((value,))
        except EncodeError as error:
            raise _moved(error, row) from None

    def write_all(self, encoder: Encoder, part: Part, column: int, start: int, count: int) -> None:
        """Let the row encoder write `count` values, at once where they are Python values already."""
        source = part.batch[column]
        if source.kind == "objects":
            at = source.offset + start
            values: list[Any] = source.keep[at : at + count]  # type: ignore[index]
            if type(DEFAULT) not in set(map(type, values)):
                before = encoder.rows
                try:
                    encoder.write_rows(zip(values, strict=True))
                except EncodeError as error:
                    raise _moved(error, part.first + start + encoder.rows - before) from None
                return
        for row in range(start, start + count):
            self.write(encoder, part, column, row)

    def first_error(self, rows: Rows, found: EncodeError) -> EncodeError:
        """What is wrong in the first bad row: columns are written one by one, `found` may be of a later."""
        encoder = Encoder(self.schema, format=self.format, **self.rules)
        for part, start, count in rows:
            for index in range(start, start + count):
                row = part.first + index
                if found.row is not None and row > found.row:
                    return found
                try:
                    encoder.write_row(next(rows_of([_one(part.batch, index)], self.names, self.nodes, row)))
                except EncodeError as error:
                    return _moved(error, row)
        return found

    def _check_nested(self, part: Part) -> EncodeError | None:
        """Arrays of one Nested column have equal lengths in every row: else its encoder says so."""
        found, unknown = None, EncodeError("")
        for group in self.schema.plan.nested:
            for column in group[1:]:
                index = self._other_length(part, group[0], column, 0)
                while index < part.rows:
                    error = self.first_error([(part, index, 1)], unknown)
                    if error is not unknown:
                        found, part.rows = error, index
                        break
                    index = self._other_length(part, group[0], column, index + 1)
        return found

    def _other_length(self, part: Part, one: int, other: int, start: int) -> int:
        if part.fast[one] and part.fast[other]:
            return int(lib.rb_other_length(part.columns + one, part.columns + other, start, part.rows))
        for index in range(start, part.rows):
            if _size(part.batch[one], index) != _size(part.batch[other], index):
                return index
        return part.rows


def _one(batch: Batch, index: int) -> Batch:
    return tuple(dataclasses.replace(source, offset=source.offset + index, length=1) for source in batch)


def _size(source: Source, index: int) -> int:
    """Elements of a list; -1 for what is none, or damaged: its own column explains it."""
    try:
        if source.kind == "list":
            start, end = span(source, index)
            return end - start
        value = read(source, index, None)
    except (BadValue, IndexError):
        return -1
    return len(value) if hasattr(value, "__len__") else -1


def _moved(error: EncodeError, row: int) -> EncodeError:
    """The same error, of the row as the caller counts."""
    return EncodeError(
        error.reason, row=row, column=error.column, path=error.path, type=error.type, value=error.value
    )
