"""What inserts into the same columns share, kept from one to the next; small ones are little else."""

from __future__ import annotations

import collections
from collections.abc import Sequence
from typing import Any, Required, TypedDict

from clickhouse_connect.driver.binding import quote_identifier

from .._api import Encoder
from .._options import Format, JsonMode, NaiveRule
from ._options import Options
from ._traits import Traits, traits_of
from ._values import Convert, always_converts, converter

__all__ = ["Preparations", "Prepared", "Rules"]

_MOST = 256  # tables; more are not remembered
_SMALL = 1 << 15  # bytes of an insert; after a larger one the encoder is not worth its memory


class Rules(TypedDict, total=False):
    """Arguments of an :class:`Encoder`."""

    format: Required[Format]
    json: JsonMode
    naive: NaiveRule
    json_zone: Any


class Prepared:
    """What inserts into some columns of a table need, whatever the rows are.

    ``into`` is the statement up to its format, where bodies begin with one; ``converts`` how the values of
    some columns have to be converted before the encoder sees them.
    """

    def __init__(self, traits: Traits, into: str = "", *, lax: bool = False):
        self.traits = traits
        self.schema = traits.schema
        self.into = into
        self.lax = lax
        self.converts: dict[str, Convert] = {}
        for name, type_ in self.schema:
            convert = converter(type_, lax) if always_converts(type_, lax) else None
            if convert is not None:
                self.converts[name] = convert
        self._spares: collections.deque[tuple[Rules, Encoder]] = collections.deque(maxlen=1)

    def statement(self, format: Format) -> bytes:
        """What a body in `format` begins with."""
        return f"{self.into} FORMAT {format}\n".encode() if self.into else b""

    def lend(self, rules: Rules) -> Encoder:
        """An encoder that nobody else has; an empty one, but it may have counted rows."""
        try:
            made_by, encoder = self._spares.pop()
        except IndexError:
            return Encoder(self.schema, **rules)
        return encoder if made_by == rules else Encoder(self.schema, **rules)

    def give_back(self, rules: Rules, encoder: Encoder, size: int) -> None:
        """Keep `encoder` for the next insert, after one of `size` bytes that went well.

        Not where it learns from documents which paths are frequent: the same rows must be the same bytes
        each time, or a table that deduplicates by content would store them twice.
        """
        learns = rules["format"] == "Native" and self.traits.has_json
        if size <= _SMALL and not learns:
            self._spares.append((rules, encoder))


class Preparations:
    """Those of one client, by table and columns; for use by several threads."""

    def __init__(self, options: Options, embedded: bool):
        self._options = options
        self._embedded = embedded
        self._found: dict[tuple[str, tuple[str, ...]], tuple[tuple[Any, ...], Prepared]] = {}

    def of(self, table: str, column_names: Sequence[str], column_types: Sequence[Any]) -> Prepared:
        """Of inserts into columns with these types of clickhouse-connect.

        Raises `SchemaError` for columns that cannot be encoded.
        """
        names, types = tuple(column_names), tuple(column_types)
        known, prepared = self._found.get((table, names), ((), None))
        if prepared is None or known != types:
            # The embedded engine is given the statement apart.
            into = "" if self._embedded else _into(table, names)
            prepared = Prepared(traits_of(names, types), into, lax=self._options.lax)
            if len(self._found) >= _MOST:
                self._found.clear()
            self._found[table, names] = types, prepared
        return prepared


def _into(table: str, names: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(map(quote_identifier, names))})"
