"""``rowbinary decode``: the rows of a body as JSON Lines."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Generator, Iterator
from typing import Any

import click

from .. import _impl
from .. import _types as t
from .._cursor import Cursor
from .._decode import iter_decode
from .._options import make_reading
from .._read_blocks import Blocks
from .._read_rows import read_header
from .._typed import DEFAULT
from ..errors import DecodeError
from ._bodies import Body, body_options, output
from ._json_values import Form, Forms
from ._problems import Broken

Row = dict[str, Any]


@click.command()
@body_options
@click.option("--json-paths", is_flag=True, help="Documents as flat objects: their paths and values.")
@click.option(
    "--moments", type=click.Choice(["exact", "datetime", "ticks"]), default="exact", show_default=True,
    help="Times with all their digits, cut to microseconds, or as the numbers that are stored.",
)  # fmt: skip
@click.option(
    "--invalid-utf8", type=click.Choice(["bytes", "error", "surrogateescape"]), default="bytes",
    show_default=True,
    help='Strings that are not UTF-8: {"hex":"ff"}, an error, or text with lone surrogates.',
)  # fmt: skip
def decode(file: str, form: str | None, columns: str | None, **options: Any) -> int:
    """Print the rows of a RowBinary or Native body as JSON Lines, which rowbinary insert takes.

    FILE may end in .gz or .zst; - is stdin. Cells that are left to the column's DEFAULT are left out.
    Exit code 0: all was read; 1: given up; 2: the command is wrong; 4: the body is broken, and the
    rows before that place were printed.
    """
    body = Body.of(file, form, columns)
    error = None
    with output() as out, contextlib.closing(_rows(body, **options)) as rows:
        try:
            for row in rows:
                out.write(_encoded(row))
        except DecodeError as caught:
            error = caught
    if error is not None:
        raise Broken(f"{file}: {error}")
    return 0


def _encoded(row: Row) -> bytes:
    try:
        return json.dumps(row, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except UnicodeEncodeError:  # lone surrogates
        return json.dumps(row, separators=(",", ":"), allow_nan=False).encode()


def _rows(body: Body, json_paths: bool, moments: Any, invalid_utf8: Any) -> Generator[Row, None, None]:
    """The rows in the forms of JSON."""
    shape: Any = "paths" if json_paths else "nested"
    forms = Forms(invalid_utf8, exact=moments == "exact")
    with contextlib.closing(body.file.chunks()) as chunks:
        if body.form == "Native" and body.schema is None:
            rules = make_reading(shape, moments, invalid_utf8, None)
            yield from _blocks(_impl.cursor(None)(b"", chunks, rules), forms, moments == "ticks")
            return
        types, whole = _head(body, chunks)
        by_name = {name: forms.plain if moments == "ticks" else forms.of(type_) for name, type_ in types}
        found = iter_decode(
            body.schema, whole, format=body.form, rows="dicts",  # type: ignore[call-overload]
            json=shape, moments=moments, invalid_utf8=invalid_utf8,
        )  # fmt: skip
        for row in found:
            yield _shaped(row, by_name)


def _shaped(row: Row, forms: dict[str, Form]) -> Row:
    return {name: forms[name](value) for name, value in row.items() if value is not DEFAULT}


def _head(body: Body, chunks: Iterator[bytes]) -> tuple[list[tuple[str, t.Type]], Iterator[bytes]]:
    """The columns, and all chunks: with those that had to be read for a header."""
    if body.schema is not None:
        return list(body.schema), chunks
    taken: list[bytes] = []

    def noted() -> Iterator[bytes]:
        for chunk in chunks:
            taken.append(chunk)
            yield chunk

    types: list[tuple[str, t.Type]] = []
    with contextlib.suppress(DecodeError):  # which comes once more with the rows
        header = read_header(Cursor(b"", noted()), body.form, None)
        types = list(zip(header.names, header.types, strict=True))
    return types, itertools.chain(taken, chunks)


def _blocks(cursor: Cursor, forms: Forms, ticks: bool) -> Iterator[Row]:
    """The rows of blocks: these say their types as they come."""
    blocks = Blocks(cursor, None)
    while (block := blocks.next()) is not None:
        pairs = zip(blocks.names, blocks.types, strict=True)
        by_name = {name: forms.plain if ticks else forms.of(type_) for name, type_ in pairs}
        for row in zip(*block.columns, strict=True):
            yield _shaped(dict(zip(blocks.names, row, strict=True)), by_name)
