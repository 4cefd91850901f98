"""What the tests of the type parser share: the embedded engine, asked how it spells types."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from rowbinary._types import quote

PERMISSIVE = (
    "allow_suspicious_low_cardinality_types = 1",
    "allow_suspicious_variant_types = 1",
    "allow_suspicious_fixed_string_types = 1",
    "flatten_nested = 0",
    "print_pretty_type_names = 0",
)


class Engine:
    """Asks the embedded engine how it spells types."""

    def __init__(self, connection: Any):
        self.connection = connection
        for setting in PERMISSIVE:
            connection.query(f"SET {setting}")

    def rows(self, query: str) -> list[list[Any]]:
        lines = self.connection.query(query, "JSONCompactEachRow").bytes().splitlines()
        return [json.loads(line) for line in lines]

    def columns(self, types: list[str]) -> list[str]:
        """The types of a new table's columns, as DESCRIBE TABLE prints them."""
        columns = ", ".join(f"c{index} {text}\n" for index, text in enumerate(types))
        self.connection.query(f"CREATE OR REPLACE TABLE described ({columns}) ENGINE = Null")
        return [row[1] for row in self.rows("DESCRIBE TABLE described")]

    def values(self, types: list[str]) -> list[str]:
        """The same for types that no table column can have."""
        structure = ", ".join(f"c{index} {text}\n" for index, text in enumerate(types))
        return [row[1] for row in self.rows(f"DESCRIBE TABLE null({quote(structure)})")]

    def refuses(self, text: str) -> bool:
        try:
            self.values([text])
        except RuntimeError:
            return True
        return False


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """On a connection of its own: settings stay with a connection."""
    chdb = pytest.importorskip("chdb", reason="chdb (the embedded engine) is not installed")
    connection = chdb.connect(":memory:")
    yield Engine(connection)
    connection.query("DROP TABLE IF EXISTS described")
    connection.close()
