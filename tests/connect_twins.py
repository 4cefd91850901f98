"""Twin tables: the same rows inserted by a client of clickhouse-connect and by its accelerated double."""

from __future__ import annotations

import gc
import itertools
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import canonical
import pytest

import rowbinary.connect
from rowbinary import Schema

SETTINGS = {
    "allow_suspicious_variant_types": 1,
    "allow_suspicious_low_cardinality_types": 1,
    "allow_suspicious_fixed_string_types": 1,
    "allow_experimental_time_time64_type": 1,
    "allow_experimental_qbit_type": 1,
    "flatten_nested": 0,
    "max_threads": 1,
}
_numbers = itertools.count()
MakeTwins: TypeAlias = "Callable[..., Twins]"


@pytest.fixture(scope="module")
def plain() -> Iterator[Any]:
    """A client of the embedded engine; all of them in a process share its tables."""
    pytest.importorskip("chdb", reason="the embedded engine (pip install chdb) is not installed")
    connect = pytest.importorskip("clickhouse_connect", reason="clickhouse-connect is not installed")
    client = connect.get_client(interface="chdb")
    for name, value in SETTINGS.items():
        client.command(f"SET {name} = {value}")
    with pytest.MonkeyPatch.context() as patch:
        # It says with a traceback what it raises.
        patch.setattr(logging.getLogger("clickhouse_connect.driver.transform"), "disabled", True)
        yield client
    client.close()
    gc.collect()  # files that it has left open


@pytest.fixture
def twins(plain: Any) -> Iterator[MakeTwins]:
    """Makes twin tables, which are dropped after the test."""
    made: list[Twins] = []

    def make(columns: str, **options: Any) -> Twins:
        made.append(Twins(plain, columns, **options))
        return made[-1]

    yield make
    for each in made:
        each.drop()


@pytest.fixture(scope="module")
def shared_twins(plain: Any) -> Iterator[MakeTwins]:
    """The same tables for the same columns and options: for tests that do nothing but insert."""
    made: dict[str, Twins] = {}

    def find(columns: str, **options: Any) -> Twins:
        key = f"{columns} {options}"
        if key not in made:
            made[key] = Twins(plain, columns, **options)
        return made[key]

    yield find
    for each in made.values():
        each.drop()


class Twins:
    """Two tables of the same columns.

    ``strict``: an insert must not pass because the wrapped client has made it.  ``format``: the few rows of
    tests would mostly not go as Native otherwise.
    """

    def __init__(
        self,
        plain: Any,
        columns: str,
        *,
        strict: bool = True,
        engine: str = "Memory",
        format: Any = "Native",
        **options: Any,
    ):
        self.plain = plain
        self.ours = rowbinary.connect.accelerate(plain, strict=strict, format=format, **options)
        self.columns = columns
        number = next(_numbers)
        self.tables = f"twin_{number}_plain", f"twin_{number}_ours"
        for table in self.tables:
            plain.command(f"CREATE TABLE {table} ({columns}) ENGINE = {engine}")

    def drop(self) -> None:
        self.both("DROP TABLE IF EXISTS {}")

    def both(self, statement: str) -> None:
        """Run `statement` for either table."""
        for table in self.tables:
            self.plain.command(statement.format(table))

    def clear(self) -> None:
        self.both("TRUNCATE TABLE {}")

    def insert_plain(self, data: Any, **arguments: Any) -> Exception | None:
        """What came of the plain client's insert."""
        return error_of(lambda: self.plain.insert(self.tables[0], data, **arguments))

    def insert(self, data: Any, **arguments: Any) -> Exception | None:
        """What came of ours."""
        return error_of(lambda: self.ours.insert(self.tables[1], data, **arguments))

    def count(self) -> int:
        """Rows in our table."""
        return int(self.plain.command(f"SELECT count() FROM {self.tables[1]}"))

    def rows(self, what: str = "*") -> list[Any]:
        """Our table."""
        return list(self.plain.query(f"SELECT {what} FROM {self.tables[1]}").result_rows)

    def described(self) -> list[tuple[str, str]]:
        """Names and types of what can be selected."""
        lines = self.plain.raw_query(
            f"DESCRIBE TABLE {self.tables[0]}", fmt="JSONCompactEachRow"
        ).splitlines()
        return [(row[0], row[1]) for row in map(json.loads, lines) if row[2] not in ("ALIAS", "EPHEMERAL")]

    def check_same(self) -> None:
        """Both tables have the same rows in the same order; values have the same types."""
        columns = self.described()
        texts = [text for name, type_ in columns for text in _texts(_quoted(name), type_)]
        names = ", ".join(_quoted(name) for name, _ in columns)
        expected, found = self._selects(names, "RowBinary")
        if (
            any(word in type_ for _, type_ in columns for word in ("JSON", "Dynamic", "Variant"))
            or expected != found
        ):
            expected_texts, found_texts = self._selects(", ".join(texts), "TSVRaw")
            assert found_texts == expected_texts
        if expected != found:
            types = [type_ for _, type_ in columns]
            assert canonical.rows(found, types) == canonical.rows(expected, types)

    def _selects(self, what: str, format: str) -> list[bytes]:
        return [self.plain.raw_query(f"SELECT {what} FROM {table}", fmt=format) for table in self.tables]

    def agree(self, data: Any, **arguments: Any) -> None:
        """Both take `data`, and store the same."""
        self.clear()
        assert self.insert_plain(data, **arguments) is None, (
            "the case is wrong: not taken by clickhouse-connect"
        )
        error = self.insert(data, **arguments)
        if error is not None:
            raise error
        self.check_same()

    def refuse(self, data: Any, **arguments: Any) -> Exception:
        """Ours does not take `data`, and nothing is stored: its error."""
        self.clear()
        error = self.insert(data, **arguments)
        assert error is not None, f"stored {self.rows()!r}"
        assert self.count() == 0
        return error


def _quoted(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _texts(name: str, type_: str) -> Iterator[str]:
    family = Schema([("c", type_)]).types[0].family
    if "Enum" in type_:  # a number without a label has no text
        yield f"toInt16({name})" if family.startswith("Enum") else "''"
        return
    yield f"toString({name})"
    if family == "JSON":
        yield f"JSONAllPathsWithTypes({name}), JSONSharedDataPaths({name})"
    elif family == "Dynamic":
        yield f"dynamicType({name})"
    elif family == "Variant":
        yield f"variantType({name})"


def error_of(call: Callable[[], Any]) -> Exception | None:
    """What `call` raises."""
    try:
        call()
    except Exception as error:
        return error
    return None


def check_class(error: Exception, plain_error: Exception | None) -> None:
    """`error` is caught by whoever catches what the plain client has raised, or `DataError`."""
    from clickhouse_connect.driver.exceptions import DataError, Error

    assert isinstance(error, Error) or not isinstance(plain_error, Error), repr(error)
    expected = (DataError,) if plain_error is None else (DataError, type(plain_error))
    assert isinstance(error, expected), f"{error!r} where clickhouse-connect raises {plain_error!r}"
