"""The reference row encoder.

Rows in, RowBinary out; a row that fails adds nothing.  The C encoder has the same class with the
same methods, and hands every row that it cannot write to this one: so errors are made in one place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

from ._badvalue import BadValue, describe, explain, format_path
from ._containers import CHANGED, MISSING
from ._context import Context
from ._options import MAX_ROW, Options
from ._plan import Plan
from ._typed import DEFAULT
from ._write import write_cell
from .errors import EncodeError


class RowEncoder:
    """Encodes rows of one plan into a growing buffer.

    ``index`` is the number of rows taken so far, good or bad; ``rows`` the number of rows in the
    buffer.  Not for use by two threads at once: that raises ``RuntimeError``.
    """

    implementation = "python"

    def __init__(self, plan: Plan, options: Options):
        self.plan = plan
        self.options = options
        self.context = Context(options)
        self.index = 0
        self.rows = 0
        self._out = bytearray()
        self._busy = False
        self._source: Iterator[object] | None = None  # what `fill` takes rows from

    def __len__(self) -> int:
        """Bytes in the buffer."""
        return len(self._out)

    def append(self, data: bytes) -> None:
        """Put bytes that are no row, such as a header, into the buffer."""
        self._enter()
        try:
            self._out += data
        finally:
            self._busy = False

    def write(self, row: object) -> None:
        """Encode one row.  Raises :class:`EncodeError`; the buffer is then as before."""
        self._enter()
        try:
            self._write(row)
        finally:
            self._busy = False

    def fill(
        self,
        rows: Iterator[object],
        limit: int,
        on_error: Callable[[object, int, EncodeError], object] | None,
    ) -> bool:
        """Encode rows until the buffer has at least `limit` bytes; whether `rows` has ended.

        A bad row goes to `on_error`, or without one raises and leaves the rows before it.
        """
        self._enter()
        try:
            self._source = rows
            while not self._has_enough(limit):
                try:
                    row = next(rows)
                except StopIteration:
                    return True
                try:
                    self._write(row)
                except EncodeError as error:
                    if on_error is None:
                        raise
                    on_error(row, self.index - 1, error)
            return False
        finally:
            self._source = None
            self._busy = False

    def take(self) -> bytes:
        """The buffer's bytes; it is empty afterwards."""
        self._enter()
        try:
            data = bytes(self._out)
            self._out.clear()
            self.rows = 0
        finally:
            self._busy = False
        return data

    def renew(self) -> None:
        """Make of the rows to come what a new encoder would.  ``ValueError`` while there are rows."""
        self._enter()
        self._busy = False
        if self.rows:
            raise ValueError("there are rows in the buffer")

    def _has_enough(self, limit: int) -> bool:
        return len(self) >= limit

    def _enter(self) -> None:
        if self._busy:
            raise RuntimeError("this encoder is in use, by another thread or by the value being encoded")
        self._busy = True

    def _write(self, row: object) -> None:
        index = self.index
        self.index += 1
        self._out += encode_row(row, index, self.plan, self.options, self.context)
        self.rows += 1


def encode_row(row: object, index: int, plan: Plan, options: Options, context: Context) -> bytearray:
    """One row, whole or not at all.

    Raises :class:`EncodeError` with row, column and path.  The C encoder calls this for a row that
    it cannot write itself.  For a Native block the bytes leave out the cells that are DEFAULT, which
    ``context.absent`` lists.
    """
    out = bytearray()
    column: str | None = None
    context.depth = 0
    context.absent.clear()
    try:
        cells = row_cells(row, plan, options)
        lengths: dict[int, int] = {}
        written = plan.plain if options.native else plan.no_default
        for position, (name, node) in enumerate(zip(plan.names, plan.nodes, strict=True)):
            column = name
            cell = cells[position]
            if cell is DEFAULT and position in written and options.takes_default:
                cell = MISSING
            context.count = -1
            if cell is DEFAULT and options.native:
                context.absent.append(position)
            else:
                write_cell(out, node, cell, context, options.defaults)
            lengths[position] = context.count
            if len(cells) != len(plan.names):
                raise BadValue(CHANGED)
        column = None
        _check_nested(plan, lengths)
        if len(out) > MAX_ROW:
            raise BadValue(f"the row takes more than {MAX_ROW} bytes")
    except BadValue as error:
        raise encode_error(error, index, error.column or column) from error.__cause__
    except MemoryError:
        raise
    except Exception as error:
        raise encode_error(BadValue(explain(error)), index, column) from error
    return out


def encode_error(error: BadValue, index: int, column: str | None) -> EncodeError:
    """The error of row `index` for `error`."""
    described = None if error.type_text is None else describe(error.value)
    return EncodeError(
        error.reason,
        row=index,
        column=column,
        path=format_path(error.path),
        type=error.type_text,
        value=described,
    )


def _check_nested(plan: Plan, lengths: dict[int, int]) -> None:
    """Arrays of one flattened Nested must be equally long: the server may drop the rows silently."""
    for group in plan.nested:
        found = {lengths[position] for position in group if lengths[position] >= 0}
        if len(found) > 1:
            sizes = ", ".join(f"{plan.names[p]}: {lengths[p]}" for p in group if lengths[p] >= 0)
            raise BadValue(f"arrays of one Nested differ in length ({sizes})")


def row_cells(row: object, plan: Plan, options: Options) -> Sequence[object]:
    """The cells of `row` in column order; ``DEFAULT`` or ``MISSING`` where it has none."""
    names = plan.names
    if isinstance(row, tuple):
        row = tuple.__getitem__(row, slice(None))  # what it holds, whatever a subclass says
    elif not isinstance(row, list):
        if isinstance(row, Mapping):
            return _mapping_cells(row, names, options)
        if isinstance(row, str | bytes | bytearray | memoryview):
            raise BadValue(f"a row must have fields, not be {describe(row)}")
        if dataclasses.is_dataclass(row) and not isinstance(row, type):
            fields = {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
            return _mapping_cells(fields, names, options)
        if not isinstance(row, Sequence) or hasattr(row, "keys"):  # sqlite3.Row calls itself a sequence
            return _other_cells(row, names, options)
    if len(row) != len(names):
        raise BadValue(f"the row has {len(row)} values, the schema {len(names)} columns")
    return row


def _other_cells(row: object, names: tuple[str, ...], options: Options) -> Sequence[object]:
    """Rows of database drivers and numpy, and any object with the columns as attributes."""
    if hasattr(row, "keys") and hasattr(row, "__getitem__"):  # sqlite3.Row and the like
        keys = list(row.keys())
        return _mapping_cells({key: row[key] for key in keys}, names, options)
    tolist = getattr(row, "tolist", None)
    if tolist is not None:
        cells = tolist()
        if not isinstance(cells, list | tuple) or len(cells) != len(names):
            raise BadValue(f"the row does not have {len(names)} values: {describe(row)}")
        return cells
    found = {name: getattr(row, name) for name in names if hasattr(row, name)}
    if not found:
        raise BadValue(f"not a row: {describe(row)}")
    return _mapping_cells(found, names, options)


def _mapping_cells(row: Mapping[str, object], names: tuple[str, ...], options: Options) -> list[object]:
    cells: list[object] = []
    found = 0
    for name in names:
        if name in row:
            cells.append(row[name])
            found += 1
        elif options.defaults:
            cells.append(DEFAULT)
        elif options.missing == "zero":
            cells.append(MISSING)
        else:
            error = BadValue("the row has no value for it")
            error.column = name
            raise error
    if found < len(row) and options.extra == "error":
        unknown = next((key for key in row if key not in names), None)
        raise BadValue(f"the row has a value for {describe(unknown)}, which is no column")
    return cells
