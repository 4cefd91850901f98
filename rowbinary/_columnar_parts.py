"""What the two ways of a column share: batches compiled for kernels, and the row encoder of each column."""

from __future__ import annotations

import ctypes
import dataclasses
from collections.abc import Iterator
from typing import Any

from ._api import Encoder
from ._compile import Compiler
from ._kernels import ffi, lib
from ._options import Format
from ._schema import Schema
from ._sources import Batch, Source, read, rows_of, span, value_of
from .errors import EncodeError

_new_bytes = ctypes.pythonapi.PyBytes_FromStringAndSize  # without initialising them
_new_bytes.restype, _new_bytes.argtypes = ctypes.py_object, [ctypes.c_char_p, ctypes.c_ssize_t]


def fresh(size: int) -> tuple[bytes, Any]:
    """Bytes that nobody has seen yet, and where they are: kernels write them in place."""
    piece: bytes = _new_bytes(None, size)
    return piece, ffi.cast("uint8_t *", ffi.from_buffer(piece))


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


class Writer:
    """What the two ways share: a schema, and the row encoder of each of its columns."""

    def __init__(self, schema: Schema, rules: dict[str, Any], *, native: bool):
        self.schema, self.rules, self.native = schema, rules, native
        self.names, self.nodes = schema.plan.names, schema.plan.nodes
        self._encoders: dict[int, Encoder] = {}

    def parts(self, tables: Iterator[Batch]) -> Iterator[Part]:
        """Batches with rows, compiled and looked through for what concerns several columns."""
        first = 0
        for batch in tables:
            if batch[0].length if batch else 0:
                part = Part(self, batch, first)
                self._check_nested(part)
                yield part
                first += part.rows

    def encoder(self, column: int) -> Encoder:
        """The row encoder of one column."""
        if column not in self._encoders:
            one = Schema([(self.names[column], self.nodes[column].text)])
            form: Format = "Native" if self.native else "RowBinary"
            self._encoders[column] = Encoder(one, format=form, **self.rules)
        return self._encoders[column]

    def write(self, encoder: Encoder, part: Part, column: int, index: int) -> None:
        """Let the row encoder write one value."""
        value = value_of(part.batch[column], index, self.nodes[column])
        try:
            encoder.write_row((value,))
        except EncodeError as error:
            raise _moved(error, part.first + index) from None

    def _check_nested(self, part: Part) -> None:
        """Arrays of one Nested column have equal lengths in every row: else its encoder says so."""
        for group in self.schema.plan.nested:
            for column in group[1:]:
                index = self._other_length(part, group[0], column)
                if index < part.rows:
                    row = next(rows_of(iter([_one(part.batch, index)]), self.nodes))
                    try:
                        Encoder(self.schema, **self.rules).write_row(row)
                    except EncodeError as error:
                        raise _moved(error, part.first + index) from None

    def _other_length(self, part: Part, one: int, other: int) -> int:
        if part.fast[one] and part.fast[other]:
            return int(lib.rb_other_length(part.columns + one, part.columns + other, 0, part.rows))
        sizes = (_size(part.batch[one], i) - _size(part.batch[other], i) for i in range(part.rows))
        return next((index for index, difference in enumerate(sizes) if difference), part.rows)


def _one(batch: Batch, index: int) -> Batch:
    return tuple(dataclasses.replace(source, offset=source.offset + index, length=1) for source in batch)


def _size(source: Source, index: int) -> int:
    """Elements of a list; of what is none, 0: its own column explains it."""
    if source.kind == "list":
        start, end = span(source, index)
        return end - start
    value = read(source, index, None)
    return len(value) if hasattr(value, "__len__") else 0


def _moved(error: EncodeError, row: int) -> EncodeError:
    """The same error, of the row as the caller counts."""
    return EncodeError(
        error.reason, row=row, column=error.column, path=error.path, type=error.type, value=error.value
    )
