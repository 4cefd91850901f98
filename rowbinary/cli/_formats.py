"""Lines to rows: JSON Lines and CSV.

Both give :class:`Parsed` lines, good and bad.  A JSON row has its values; a CSV row has texts,
which become values when the column types are known (see ``_cells.py``).
"""

from __future__ import annotations

import csv
import decimal
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from .._schema import Schema
from . import _cells
from ._files import InputFile, Line
from ._json import decoder, kind_of, parse_json, wants_decimals
from ._problems import Aborted, BadLine

Row = dict[str, Any]

_EXACT = 16  # a number this long or shorter has at most 15 digits, which a float keeps


class Parsed(NamedTuple):
    """One row of a file: where it begins, its text, and its cells or what is wrong with it."""

    file: str
    line: int
    text: str
    row: Row | None
    error: str | None = None


class JsonLines:
    """One JSON object per line.

    Fractions are read as floats, and read again for Decimal columns where a float loses digits.
    """

    def __init__(self) -> None:
        self._decode = decoder(self._fraction)
        self._decode_exactly = decoder(decimal.Decimal)
        self._decimals: list[str] = []  # the columns that need it
        self._inexact = False  # the row has a fraction that a float may not hold

    def _fraction(self, text: str) -> float:
        self._inexact = self._inexact or len(text) > _EXACT
        return float(text)

    def read(self, file: InputFile) -> Iterator[Parsed]:
        """The rows of `file`; blank lines are no rows."""
        for line in file.lines():
            if not line.data.strip():
                continue
            try:
                text = _decoded(line)
                row = self._object(text)
            except BadLine as error:
                yield Parsed(file.name, line.number, shown(line.data), None, str(error))
            else:
                yield Parsed(file.name, line.number, text, row)

    def _object(self, text: str) -> Row:
        self._inexact = False
        row = parse_json(self._decode, text)
        if not isinstance(row, dict):
            raise BadLine(f"a line must be a JSON object, not {kind_of(row)}")
        if self._inexact and self._decimals:
            exact = parse_json(self._decode_exactly, text)
            row.update((name, exact[name]) for name in self._decimals if name in exact)
        return row

    def sample(self, row: Row) -> Row:
        """`row` as type inference should see it."""
        return row

    def converter(self, schema: Schema, defaults: bool) -> Callable[[Row], Row]:
        """What makes cells for `schema` of a row: nothing to do."""
        self._decimals = [name for name, type_ in schema if wants_decimals(type_)]
        return lambda row: row


class Csv:
    """Comma-separated values as in RFC 4180, UTF-8, any line ends; cells may span lines in quotes.

    `columns` are the names where the files have no header line; else the header has them.
    """

    def __init__(self, columns: list[str] | None):
        self._columns = columns

    def read(self, file: InputFile) -> Iterator[Parsed]:
        """The rows of `file`; blank lines are no rows."""
        csv.field_size_limit(file.max_line)
        lines = _CsvLines(file.lines())
        records = csv.reader(lines, strict=True)
        names = self._columns
        while True:
            lines.begin()
            try:
                cells = next(records)
                if names is None:
                    names = _header(file.name, cells)
                elif cells:
                    yield Parsed(file.name, lines.first, lines.text(), _named(names, cells))
            except StopIteration:
                return
            except (csv.Error, BadLine) as error:
                if names is None:
                    raise Aborted(f"{file.name}: the header cannot be read: {error}") from None
                yield Parsed(file.name, lines.first, lines.text(), None, str(error))

    def sample(self, row: Row) -> Row:
        """`row` as type inference should see it: guessed values, empty cells left out."""
        return {name: _cells.guess(text) for name, text in row.items() if text}

    def converter(self, schema: Schema, defaults: bool) -> Callable[[Row], Row]:
        """What makes cells for `schema` of a row of texts; `defaults`: the format knows DEFAULT."""
        convert = {name: _cells.converter(type_, defaults) for name, type_ in schema}

        def cells(row: Row) -> Row:
            found = {}
            for name, text in row.items():
                try:
                    found[name] = convert[name](text) if name in convert else text
                except BadLine as error:
                    raise BadLine(f"column {name!r}: {error}") from None
            return found

        return cells


class _CsvLines:
    """Lines for ``csv.reader``, with those of the current record kept."""

    def __init__(self, lines: Iterator[Line]):
        self._lines = lines
        self.begin()

    def begin(self) -> None:
        self._kept: list[bytes] = []
        self.first = 0

    def text(self) -> str:
        return shown(b"\n".join(self._kept))

    def __iter__(self) -> _CsvLines:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.first = self.first or line.number
        self._kept.append(line.data)
        return _decoded(line) + "\n"


def _header(file: str, names: list[str]) -> list[str]:
    if len(set(names)) < len(names) or not all(names):
        raise Aborted(f"{file}: the header line needs a different name for every column")
    return names


def _named(names: list[str], cells: list[str]) -> Row:
    if len(cells) != len(names):
        raise BadLine(f"{len(cells)} cells instead of {len(names)}")
    return dict(zip(names, cells, strict=True))


def _decoded(line: Line) -> str:
    if line.too_long:
        raise BadLine("the line is too long (see --max-line)")
    try:
        return line.data.decode()
    except UnicodeDecodeError as error:
        raise BadLine(f"not UTF-8 at byte {error.start}") from None


def shown(data: bytes) -> str:
    """`data` as text, with what is not UTF-8 as ``\\xNN``."""
    return data.decode(errors="backslashreplace")


def reader(kind: str, columns: Iterable[str] | None) -> JsonLines | Csv:
    """The reader of files of `kind`, ``jsonl`` or ``csv``."""
    return JsonLines() if kind == "jsonl" else Csv(None if columns is None else list(columns))
