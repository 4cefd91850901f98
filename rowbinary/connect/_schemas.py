"""What tables look like, remembered for a while instead of asked for with every insert."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..errors import SchemaError
from ._traits import traits_of

__all__ = ["Key", "Schemas", "Table", "table_key"]

Key: TypeAlias = tuple[str, str | None, tuple[tuple[str, str], ...]]
# Seconds for which the order of columns is believed: the server does not notice when two of one type change
# places.
_BRIEF = 10.0
_MOST = 1000  # tables; more are not remembered

# Settings that differ from call to call and say nothing about the table.
_PER_CALL = frozenset({"query_id", "insert_deduplication_token", "log_comment"})


@dataclass(frozen=True)
class Table:
    """The insertable columns of a table: names, and types as clickhouse-connect has them."""

    names: tuple[str, ...]
    types: tuple[Any, ...]

    def types_of(self, names: Sequence[str]) -> list[Any] | None:
        """The types of `names`; ``None`` when one of them is not known."""
        types = dict(zip(self.names, self.types, strict=True))
        try:
            return [types[name] for name in names]
        except (KeyError, TypeError):
            return None

    @property
    def may_age(self) -> bool:
        """Whether the server refuses a Native block of these types when the table has others by now."""
        try:
            return traits_of(self.names, self.types).compared
        except SchemaError:
            return False


def table_key(table: str, database: str | None, settings: Mapping[str, Any] | None) -> Key:
    """What a description depends on."""
    told = sorted((k, repr(v)) for k, v in (settings or {}).items() if k not in _PER_CALL)
    return table, database, tuple(told)


class Schemas:
    """Descriptions of tables that are not older than `ttl` seconds; for use by several threads."""

    def __init__(self, ttl: float):
        self._ttl = ttl
        self._tables: dict[Key, tuple[float, Table, bool]] = {}
        self._lock = threading.Lock()

    def get(self, key: Key, by_place: bool) -> Table | None:
        """What is known of a table; `by_place`: cells belong to columns by the order that these have."""
        with self._lock:
            found = self._tables.get(key)
        if found is None:
            return None
        when, table, has_twins = found
        ttl = min(self._ttl, _BRIEF) if by_place and has_twins else self._ttl
        return table if time.monotonic() - when <= ttl else None

    def put(self, key: Key, table: Table) -> None:
        """Remember `table`, if the server notices when it is not like that any more."""
        if self._ttl <= 0 or not table.may_age:
            return
        has_twins = len(set(table.types)) < len(table.types)
        with self._lock:
            if len(self._tables) >= _MOST:
                self._tables.clear()
            self._tables[key] = time.monotonic(), table, has_twins

    def forget(self, key: Key) -> None:
        """Ask again next time."""
        with self._lock:
            self._tables.pop(key, None)

    def clear(self) -> None:
        """Forget all tables."""
        with self._lock:
            self._tables.clear()
