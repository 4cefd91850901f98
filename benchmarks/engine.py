"""The embedded engine: what it stores of a body, and what reading a body costs it."""

from __future__ import annotations

import collections
import json
import pathlib
from collections.abc import Callable
from typing import Any

from contenders import Contender
from measuring import Cell
from workloads import Workload

SETTINGS = "max_threads=1, max_insert_threads=1, input_format_parallel_parsing=0"

# One sort of part for all, however often a body is repeated: by default those from 10 MB on are wide ones,
# with a file or two for each path.
MERGE_TREE = "MergeTree ORDER BY tuple() SETTINGS min_bytes_for_wide_part = 1000000000000"

Rows = list[bytes]


class Engine:
    """One connection, and a directory for the bodies."""

    def __init__(self, directory: pathlib.Path) -> None:
        import chdb

        self._connection = chdb.connect(":memory:")
        self._directory = directory

    def close(self) -> None:
        self._connection.close()

    def query(self, sql: str, format: str = "TSV") -> bytes:
        return bytes(self._connection.query(sql, format).bytes())

    @property
    def version(self) -> str:
        return self.query("SELECT version()").decode().strip()

    def insert(self, table: str, path: pathlib.Path, format: str, settings: str = "") -> None:
        both = ", ".join(filter(None, (SETTINGS, settings)))
        # A JSON array has no suffix to tell that it is not compressed, so it is said.
        self.query(
            f"INSERT INTO {table} FROM INFILE '{path}' COMPRESSION 'none' SETTINGS {both} FORMAT {format}"
        )

    def stored(self, workload: Workload, contender: Contender) -> tuple[Rows, Rows]:
        """All rows that the engine has after an insert, as JSON; and the types of their documents' paths."""
        self.query(f"CREATE OR REPLACE TABLE stored ({workload.ddl}) ENGINE = Memory")
        path = self._directory / "stored.body"
        path.write_bytes(contender.body())
        self.insert("stored", path, contender.format, contender.settings)
        found = contents(self.query, workload, "stored")
        self.query("DROP TABLE stored SYNC")
        return found

    def own(self, workload: Workload, like: Contender, rows: int, ddl: str) -> bytes:
        """SELECT ... FORMAT Native of the same rows, in blocks of so many rows: what a perfect client sends.

        A MergeTree table, whose reader keeps to max_block_size; the part is the one that the insert wrote.
        """
        self.query(f"CREATE OR REPLACE TABLE own ({ddl}) ENGINE = MergeTree ORDER BY tuple()")
        self.query("SYSTEM STOP MERGES own")
        path = self._directory / "own.body"
        path.write_bytes(like.body())
        self.insert("own", path, like.format, like.settings)
        limit = f"max_threads=1, max_block_size={rows}, preferred_block_size_bytes=0"
        data = self.query(f"SELECT * FROM own SETTINGS {limit}", "Native")
        self.query("DROP TABLE own SYNC")
        return data

    def create(self, workload: Workload, kind: str) -> None:
        self.query(f"CREATE OR REPLACE TABLE sink ({workload.ddl}) ENGINE = {kind}")
        if "MergeTree" in kind:
            self.query("SYSTEM STOP MERGES sink")

    def cell(
        self, name: str, body: bytes, format: str, settings: str, expected: int | None, beside: Any
    ) -> Cell:
        """An insert into `sink`; its file has the body as many times over as it is told, so that the fixed
        costs of a statement do not count.  `expected`: rows that must be there then, of one body."""
        path = self._directory / f"{''.join(filter(str.isalnum, name))}.body"

        def tidy(copies: int) -> None:
            if expected is not None:
                count = int(self.query("SELECT count() FROM sink"))
                assert count == expected * copies, f"{name}: {count} rows"
                self.query("TRUNCATE TABLE sink")

        return Cell(
            lambda copies: self.insert("sink", path, format, settings),
            beside,
            lambda copies: path.write_bytes(body * copies),
            tidy,
        )


def contents(query: Callable[[str], bytes], workload: Workload, table: str) -> tuple[Rows, Rows]:
    """All rows of `table` as JSON; and the types of their documents' paths."""
    documents = [name for name, type_ in workload.schema if type_ == "JSON"]
    types = ", ".join(f"JSONAllPathsWithTypes(`{name}`)" for name in documents)
    rest = f"FROM {table} SETTINGS max_threads=1 FORMAT JSONCompactEachRow"
    rows, kinds = query(f"SELECT * {rest}"), query(f"SELECT {types or 1} {rest}")
    return rows.splitlines(), kinds.splitlines()


def differences(workload: Workload, wanted: Rows, found: Rows) -> list[str]:
    """Columns that were stored with other values, each with an example."""
    if len(wanted) != len(found):
        return [f"{len(found)} rows instead of {len(wanted)}"]
    examples: dict[str, list[str]] = {}
    for one, other in zip(wanted, found, strict=True):
        if one != other:
            cells = zip(workload.schema, json.loads(one), json.loads(other), strict=True)
            for (column, _), ours, theirs in cells:
                if ours != theirs:
                    examples.setdefault(column, []).append(_first_difference(ours, theirs))
    return [f"{column}: {len(texts)} of {len(found)} rows, {texts[0]}" for column, texts in examples.items()]


def kinds_that_differ(wanted: Rows, found: Rows) -> list[str]:
    """Paths of documents that were stored with the same values in another type."""
    counts: collections.Counter[str] = collections.Counter()
    for one, other in zip(wanted, found, strict=True):
        if one != other:
            for ours, theirs in zip(json.loads(one), json.loads(other), strict=True):
                for path in ours.keys() | theirs.keys():
                    if ours.get(path) != theirs.get(path):
                        counts[f"{path} is {theirs.get(path)} instead of {ours.get(path)}"] += 1
    return [f"same values; {text}, in {number} of {len(found)} rows" for text, number in counts.most_common()]


def _first_difference(ours: Any, theirs: Any, path: str = "$") -> str:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            if ours.get(key) != theirs.get(key):
                return _first_difference(ours.get(key), theirs.get(key), f"{path}.{key}")
    return f"{path}: {json.dumps(theirs)[:60]} instead of {json.dumps(ours)[:60]}"


def rows_of_first_block(native: bytes) -> int:
    """What the header of a Native block says, behind the number of columns."""
    at = 0
    while native[at] & 128:
        at += 1
    count = shift = 0
    for byte in native[at + 1 : at + 11]:
        count |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    return count
