"""Makes native.jsonl: what the embedded engine writes as FORMAT Native, for the cases of native_cases.txt.

    PYTHONPATH=tests .venv/bin/python tests/vectors/make_native.py

The rows of a case go into a table as RowBinary.  A line has the engine's Native bytes of that table, one
block at revision 0, which were inserted into a second table and found to hold the same:

    {"ddl": columns, "rows": Python expression, "engine": version, "exact": bool, "hex": bytes}

"exact" says that an encoder must write these very bytes.  Others differ in the limit slots of JSON and
Dynamic (the engine writes how many it lists), in the type text of a DateTime (the engine leaves the zone
out), under NULL in an Enum (the engine writes 0, label or not), or in the order of paths in documents in a
shared variant (the engine's is that of a hash table).
States of aggregate functions are taken from the engine, too, and stand in the rows as bytes.
"""

from __future__ import annotations

import itertools
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import canonical
import chdb
import native_blocks
from conftest import NAMES
from native_columns import normal
from test_engine_roundtrip import Table

import rowbinary

TARGET = pathlib.Path(__file__).with_name("native.jsonl")
CASES = TARGET.with_name("native_cases.txt")


def cases() -> Iterator[tuple[str, str]]:
    """Columns and rows of each case: lines at the margin and the indented lines below them."""
    lines = [line for line in CASES.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    parts = [
        " ".join(line.strip() for line in group)
        for _, group in itertools.groupby(lines, key=lambda line: line.startswith(" "))
    ]
    yield from zip(parts[::2], parts[1::2], strict=True)


class Maker:
    def __init__(self) -> None:
        self.engine: Any = chdb.connect(":memory:")  # type: ignore[no-untyped-call]
        self.table = Table(self.engine)
        self.version = self.engine.query("SELECT version()", "TSVRaw").bytes().decode().strip()

    def state(self, function: str, count: int) -> bytes:
        """The state of `function` over the `number` of as many rows."""
        query = f"SELECT hex({function}) FROM numbers({count})"
        return bytes.fromhex(self.engine.query(query, "TSVRaw").bytes().decode())

    def vector(self, ddl: str, expression: str) -> dict[str, Any]:
        rows = eval(expression, NAMES | {"state": self.state})
        if "state(" in expression:
            expression = repr(rows)
        schema = rowbinary.Schema.parse(ddl)
        sent = rowbinary.encode_rows(schema, rows)
        self.insert(ddl, sent, "RowBinary")
        body, stored = self.select("Native"), self.select("RowBinary")
        self.insert(ddl, body, "Native")
        again = self.select("RowBinary")
        if any("AggregateFunction" in native_blocks.families(type_) for type_ in schema.types):
            assert sent == stored == again, ddl
        else:
            types = [str(type_) for type_ in schema.types]
            trees = canonical.rows(sent, types)
            assert normal(trees) == native_blocks.rows_of(body, schema), ddl
            for selected in (stored, again):
                assert normal(canonical.rows(selected, types)) == normal(trees), ddl
        assert self.select("Native") == body, ddl
        [columns] = native_blocks.blocks(body)
        restated = native_blocks.restated(body, schema)
        return {
            "ddl": ddl,
            "rows": expression,
            "engine": self.version,
            "exact": restated == body and not any(column.unordered for column in columns),
            "hex": body.hex(),
        }

    def insert(self, ddl: str, body: bytes, format: str) -> None:
        self.table.create(ddl)
        self.table.insert(body, format)

    def select(self, format: str) -> bytes:
        return bytes(self.engine.query("SELECT * FROM roundtrip ORDER BY tuple()", format).bytes())


def vectors() -> Iterator[dict[str, Any]]:
    maker = Maker()
    for ddl, expression in cases():
        yield maker.vector(ddl, expression)


if __name__ == "__main__":
    made = list(vectors())
    lines = [json.dumps(vector, ensure_ascii=False) for vector in made]
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(made)} vectors, {sum(vector['exact'] for vector in made)} of them exact")
