"""What inserts into the same columns share, kept from one to the next; small ones are little else."""

from __future__ import annotations

import collections
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Required, TypedDict

from clickhouse_connect.driver.binding import quote_identifier

from .._api import Encoder
from .._options import Format, JsonMode, NaiveRule
from ._options import Options
from ._traits import Traits, traits_of
from ._values import Convert, always_converts, converter

__all__ = ["LargeSpares", "Lent", "Preparations", "Prepared", "Rules"]

_MOST = 256  # tables; more are not remembered
# Bytes of an insert.  After a larger one an encoder holds the memory of a block, or of many paths; not all
# tables get that.  After one that is larger still it would be little of the insert that is saved.
_SMALL, _SMALL_DOCUMENTS, _LARGE = 1 << 15, 1 << 12, 1 << 23
_MOST_LARGE = 2  # tables of a client whose encoder may be large


class Rules(TypedDict, total=False):
    """Arguments of an :class:`Encoder`."""

    format: Required[Format]
    json: JsonMode
    naive: NaiveRule
    json_zone: Any


@dataclass(slots=True, eq=False)
class Lent:
    """An encoder that one insert has; ``largest`` of those that had it, in bytes."""

    rules: Rules
    encoder: Encoder
    largest: int = 0


class LargeSpares:
    """The last tables that have a large encoder to spare; for use by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tables: list[Prepared] = []

    def add(self, prepared: Prepared, lent: Lent) -> None:
        """Keep `lent` for `prepared`, and no longer what the table had that was used longest ago."""
        with self._lock:
            prepared.keep(lent)
            self._tables = [*(one for one in self._tables if one is not prepared), prepared]
            for one in self._tables[:-_MOST_LARGE]:
                one.keep(None)
            del self._tables[:-_MOST_LARGE]


class Prepared:
    """What inserts into some columns of a table need, whatever the rows are.

    ``into`` is the statement up to its format, where bodies begin with one; ``converts`` how the values of
    some columns have to be converted before the encoder sees them.
    """

    def __init__(
        self, traits: Traits, into: str = "", *, lax: bool = False, large: LargeSpares | None = None
    ):
        self.traits = traits
        self.schema = traits.schema
        self.into = into
        self.lax = lax
        self.converts: dict[str, Convert] = {}
        for name, type_ in self.schema:
            convert = converter(type_, lax) if always_converts(type_, lax) else None
            if convert is not None:
                self.converts[name] = convert
        self._large = large or LargeSpares()
        self._spares: collections.deque[Lent] = collections.deque(maxlen=1)

    def statement(self, format: Format) -> bytes:
        """What a body in `format` begins with."""
        return f"{self.into} FORMAT {format}\n".encode() if self.into else b""

    def lend(self, rules: Rules) -> Lent:
        """An encoder that nobody else has; an empty one, but it may have counted rows."""
        try:
            spare = self._spares.pop()
        except IndexError:
            return Lent(rules, Encoder(self.schema, **rules))
        return spare if spare.rules == rules else Lent(rules, Encoder(self.schema, **rules))

    def give_back(self, lent: Lent, size: int) -> None:
        """Keep the encoder for the next insert, after one of `size` bytes that went well.

        What it has learnt from documents, which paths are frequent, it forgets: the same rows must be the
        same bytes each time, or a table that deduplicates by content would store them twice.
        """
        lent.largest = max(lent.largest, size)
        if lent.largest > _LARGE:
            return
        lent.encoder._encoder.renew()
        if lent.largest > (_SMALL_DOCUMENTS if self.traits.has_json else _SMALL):
            self._large.add(self, lent)
        else:
            self.keep(lent)

    def keep(self, spare: Lent | None) -> None:
        """What the next insert gets."""
        self._spares.clear()
        if spare is not None:
            self._spares.append(spare)


class Preparations:
    """Those of one client, by table and columns; for use by several threads."""

    def __init__(self, options: Options, embedded: bool):
        self._options = options
        self._embedded = embedded
        self._large = LargeSpares()
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
            prepared = Prepared(traits_of(names, types), into, lax=self._options.lax, large=self._large)
            if len(self._found) >= _MOST:
                self._found.clear()
            self._found[table, names] = types, prepared
        return prepared


def _into(table: str, names: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(map(quote_identifier, names))})"
