"""``rowbinary inspect``: the fields of a body, a line for each."""

from __future__ import annotations

import contextlib
import os
import sys

import click

from .._inspect import BROKEN, Field, Outcome
from .._inspect import inspect as read_fields
from ..errors import shorten
from ._bodies import Body, Output, body_options, output
from ._problems import Aborted, Broken

_WHOLE, _CUT = 8, 6  # bytes that are shown of a field: all, or the first of many


@click.command()
@body_options
@click.option("--row", type=click.IntRange(0), metavar="N", help="Only row N, counted from 0.")
@click.option("--column", metavar="NAME", help="Only this column.")
@click.option("--color/--no-color", default=None, help="Default: on a terminal, unless NO_COLOR is set.")
def inspect(
    file: str, form: str | None, columns: str | None, row: int | None, column: str | None, color: bool | None
) -> int:
    """Show every field of a RowBinary or Native body: offset, bytes, row, column, path, type, meaning.

    FILE may end in .gz or .zst; - is stdin. Reading ends at the first byte that is not what has to be
    there. Exit code 0: all was read; 1: given up; 2: the command is wrong; 4: the body is broken.
    """
    body = Body.of(file, form, columns)
    outcome = None
    with output() as out:
        printer = _Printer(out, _in_color(color))
        printer.title()
        with contextlib.closing(body.file.chunks()) as chunks:
            outcome = read_fields(chunks, body.schema, body.form, printer.field, row, column)
        printer.end(outcome, whole=row is None)
    if outcome is None:  # nobody reads it to its end
        return 0
    if outcome.error is not None:
        raise Broken(f"{file}: {outcome.error}")
    if row is not None and outcome.rows <= row:
        raise Aborted(f"{file}: there is no row {row}, only {outcome.rows}")
    return 0


def _in_color(wanted: bool | None) -> bool:
    if wanted is None:
        return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return wanted


class _Printer:
    """Lines of one width up to their meaning, so far as their parts fit."""

    def __init__(self, out: Output, color: bool):
        self._out = out
        self._color = color

    def title(self) -> None:
        self._line(("offset", "bytes", "row", "column, path", "type"), "meaning", bold=True)

    def field(self, field: Field) -> None:
        column = "" if field.column is None else safe(shorten(field.column))
        where = f"{column} {safe(field.path)}" if field.path not in ("", "$") else column
        row = "" if field.row is None else str(field.row)
        parts = (str(field.offset), shown(field.data), row, where, safe(shorten(field.type)))
        if field.what == BROKEN:
            self._line(parts, f"BROKEN: {safe(field.meaning)}", fg="red", bold=True)
        else:
            self._line(parts, safe(field.meaning), fg="cyan" if field.what == "value" else None)

    def end(self, outcome: Outcome, whole: bool) -> None:
        """What there is to say at the end: of the whole body, or of one that is broken."""
        if outcome.error is not None:
            if outcome.ahead:
                self._line((str(outcome.size), shown(outcome.ahead), "", "", ""), "not read", fg="red")
        elif whole:
            rows = "1 row" if outcome.rows == 1 else f"{outcome.rows} rows"
            self._line((str(outcome.size), "", "", "", ""), f"end, {rows}", bold=True)

    def _line(self, parts: tuple[str, ...], meaning: str, **style: object) -> None:
        offset, data, row, where, type_ = parts
        head = f"{offset:>8}  {data:<23}  {row:>6}  {where:<22}  {type_:<22}  "
        if self._color:
            meaning = click.style(meaning, **style)  # type: ignore[arg-type]
        self._out.line(head + meaning)


def shown(data: bytes) -> str:
    """`data` as hex digits, cut when it is long."""
    if len(data) <= _WHOLE:
        return data.hex(" ")
    return f"{data[:_CUT].hex(' ')} +{len(data) - _CUT}"


def safe(text: str) -> str:
    """`text` on one line, and without what a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
