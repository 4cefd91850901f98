"""What ``inspect`` and ``decode`` share: which body they read, as what, and where they write."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from .._decode import _SELF_DESCRIBING
from .._options import FORMATS
from .._schema import Schema
from ..errors import SchemaError
from ._files import InputFile, check_files
from ._problems import Aborted, UsageProblem

_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Body:
    """One body: its file, its format, and the columns where they were given."""

    file: InputFile
    form: str
    schema: Schema | None

    @classmethod
    def of(cls, name: str, form: str | None, columns: str | None) -> Body:
        """What the command line says.  Raises :class:`UsageProblem` where that cannot be read."""
        check_files((name,))
        schema = None
        if columns is not None:
            try:
                schema = Schema.parse(columns)
                _ = schema.plan
            except SchemaError as error:
                raise UsageProblem(f"--schema: {error}") from None
        if form is None:
            form = "RowBinaryWithNamesAndTypes" if schema is None else "RowBinary"
        if schema is None and form not in _SELF_DESCRIBING:
            raise UsageProblem(f"{form} does not say the types of its columns: --schema is needed")
        return cls(InputFile(name), form, schema)


def body_options(command: _Command) -> _Command:
    """The argument and the options that say which body is meant."""
    for option in (
        click.option(
            "--format", "form", type=click.Choice(FORMATS),
            help="Default: RowBinary, and RowBinaryWithNamesAndTypes without --schema.",
        ),
        click.option(
            "--schema", "columns", metavar="COLUMNS",
            help="'id UInt64, name String'. Default: what the header or the blocks say.",
        ),
        click.argument("file", metavar="FILE"),
    ):  # fmt: skip
        command = option(command)
    return command


class Output:
    """Standard output, as bytes."""

    def __init__(self) -> None:
        self._stream = sys.stdout.buffer
        self._encoding = sys.stdout.encoding or "utf-8"
        self._at_once = sys.stdout.isatty()

    def line(self, text: str) -> None:
        """Write `text`; what the encoding of the output does not have is escaped."""
        self.write(text.encode(self._encoding, "backslashreplace"))

    def write(self, line: bytes) -> None:
        """Write `line` and its end."""
        self._stream.write(line + b"\n")
        if self._at_once:
            self._stream.flush()


@contextlib.contextmanager
def output() -> Iterator[Output]:
    """Standard output; when its reader has gone away, as ``head`` does, there is nothing more to do."""
    sys.stdout.flush()
    try:
        try:
            yield Output()
        finally:
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        # What is still in the buffer must not fail once more when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        raise Aborted(f"the output cannot be written: {error.strerror}") from None
