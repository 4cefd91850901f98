"""What an accelerated client takes as rows, and what of clickhouse-connect's ways around them stays."""

from __future__ import annotations

import collections
import dataclasses
import decimal
import logging
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import connect_twins
import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest
from conftest import shown
from connect_twins import MakeTwins, Twins, check_class, error_of

pytest.importorskip("clickhouse_connect", reason="clickhouse-connect is not installed")
from clickhouse_connect.driver.exceptions import DatabaseError, NotSupportedError, ProgrammingError
from clickhouse_connect.driver.insert import InsertContext
from clickhouse_connect.driver.summary import QuerySummary

from rowbinary import _api
from rowbinary.connect import RowShapeError, ValueRefusedError, _rows

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(300),
    # The embedded backend does not close its file when a body breaks off.
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
]
plain, twins = connect_twins.plain, connect_twins.twins  # fixtures

D = decimal.Decimal
COLUMNS = "n Int64, s String, d Nullable(Decimal(9, 2))"
NAMES = ("n", "s", "d")
ROWS = [(1, "a", D("1.5")), (2, "", None), (3, "é", D(-2))]


class Named(NamedTuple):
    """A row."""

    n: Any
    s: Any
    d: Any = None


@dataclasses.dataclass
class Record:
    """Fields in another order than the columns."""

    d: Any
    n: int
    s: str


SHAPES: dict[str, Callable[[], Any]] = {
    "tuples": lambda: ROWS,
    "lists": lambda: [list(row) for row in ROWS],
    "tuple of lists": lambda: tuple(list(row) for row in ROWS),
    "dicts": lambda: [dict(reversed(list(zip(NAMES, row, strict=True)))) for row in ROWS],
    "dataclasses": lambda: [Record(d, n, s) for n, s, d in ROWS],
    "named tuples": lambda: [Named(*row) for row in ROWS],
    "generator": lambda: (row for row in ROWS),
    "iterator": lambda: iter(ROWS),
    "map": lambda: map(list, ROWS),
    "generator of dicts": lambda: (dict(zip(NAMES, row, strict=True)) for row in ROWS),
    "generator of dataclasses": lambda: (Record(d, n, s) for n, s, d in ROWS),
    "deque": lambda: collections.deque(ROWS),
    "dict views": lambda: dict.fromkeys(ROWS).keys(),
    "mixed": lambda: [ROWS[0], list(ROWS[1]), list(ROWS[2])],
}


def insert_same(table: Twins, ours: Any, theirs: Any, **arguments: Any) -> None:
    """Both insert, and store the same."""
    assert table.insert_plain(theirs, **arguments) is None
    error = table.insert(ours, **arguments)
    if error is not None:
        raise error
    table.check_same()


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(twins: MakeTwins, shape: str) -> None:
    insert_same(twins(COLUMNS), SHAPES[shape](), ROWS)


@pytest.mark.parametrize(
    "row",
    [(1, "a"), (1, "a", None, 5), [1], (), {"n": 1, "s": "a"}, {"n": 1, "s": "a", "d": None, "x": 1}],
    ids=repr,
)
def test_ragged_rows(twins: MakeTwins, row: Any) -> None:
    """An improvement: clickhouse-connect drops what is too long."""
    rows = [dict(zip(NAMES, ROWS[0], strict=True)) if isinstance(row, dict) else ROWS[0], row]
    for data in (rows, iter(rows)):
        error = twins(COLUMNS).refuse(data)
        assert isinstance(error, RowShapeError | ValueRefusedError)
        assert isinstance(error, ProgrammingError) == isinstance(error, RowShapeError)
        assert error.row == 1


def test_rows_that_are_too_long_are_cut_where_that_is_wanted(twins: MakeTwins) -> None:
    twins(COLUMNS, lax=True).agree([ROWS[0], (*ROWS[1], 7), ROWS[2], (*ROWS[0], 1, 2)])


@pytest.mark.parametrize("data", [5, "abc", b"abc", object(), [5], ["abc"], [None]], ids=shown)
def test_no_rows(twins: MakeTwins, data: Any) -> None:
    table = twins(COLUMNS)
    plain_error = table.insert_plain(data)
    error = table.refuse(data)
    assert isinstance(error, TypeError | ProgrammingError | ValueRefusedError | type(plain_error))


@pytest.mark.parametrize("row", [(1, "a"), (1, "a", None, 5)], ids=["short", "long"])
def test_the_first_row_is_counted_as_it_was(twins: MakeTwins, row: Any) -> None:
    table = twins(COLUMNS)
    plain_error, error = table.insert_plain([row]), table.refuse([row])
    assert type(error) is type(plain_error) is ProgrammingError
    assert str(error) == str(plain_error)


# --- generators ------------------------------------------------------------------------------------


class Live(tuple[Any, ...]):
    """A row that is counted while it lives."""

    now = most = 0

    def __new__(cls, *cells: Any) -> Live:
        Live.now += 1
        Live.most = max(Live.most, Live.now)
        return super().__new__(cls, cells)

    def __del__(self) -> None:
        Live.now -= 1


def test_rows_of_a_generator_are_let_go(twins: MakeTwins) -> None:
    """Memory stays bounded."""
    Live.now = Live.most = 0
    table = twins("n Int64, s String")
    assert table.insert(Live(n, "x" * 100) for n in range(150_000)) is None
    assert table.rows("count(), sum(n), uniqExact(n)") == [(150_000, sum(range(150_000)), 150_000)]
    assert Live.most < 10_000


@pytest.mark.parametrize("at", [0, 5, 3000, 150_000])
def test_an_iterator_that_fails(twins: MakeTwins, at: int) -> None:
    """Its exception comes out, and nothing is stored."""
    failure = RuntimeError("no more")

    def rows() -> Iterator[Any]:
        yield from ((n, "x" * 100) for n in range(at))
        raise failure

    assert twins("n Int64, s String").refuse(rows()) is failure


@pytest.mark.parametrize("at", [0, 1023, 1024, 70_000, 150_000])
@pytest.mark.parametrize("as_iterator", [True, False])
def test_refused_late(twins: MakeTwins, at: int, as_iterator: bool) -> None:
    rows = [(n, "x" * 100) for n in range(at)] + [(1.5, "y"), (1, "z")]
    error = twins("n Int64, s String").refuse(iter(rows) if as_iterator else rows)
    assert isinstance(error, ValueRefusedError)
    assert (error.row, error.column, error.path) == (at, "n", "$")


# --- rows with values that are converted -----------------------------------------------------------

CONVERTED = "n Int64, d Decimal(9, 2), u UUID, b Bool, t Tuple(x Nullable(Int8), y String)"


def rows_to_convert(count: int, places: dict[str, set[int]]) -> list[Any]:
    """Rows with a value in `places` of each column that the encoder does not take as it is."""
    known = uuid.UUID(int=7)
    return [
        (
            n,
            D("1.239") if n in places["d"] else D("2.25"),
            "" if n in places["u"] else str(known),
            2 if n in places["b"] else False,
            {"y": str(n), "z": 0} if n in places["t"] else {"x": 1, "y": "s"},
        )
        for n in range(count)
    ]


def places(**rows: set[int]) -> dict[str, set[int]]:
    return {name: rows.get(name, set()) for name in "dubt"}


PLACES = {
    "one": (3000, places(d={2500})),
    "first": (3000, places(d={0})),
    "last": (3000, places(d={2999})),
    "around batches": (5000, places(d={1023}, u={1024}, b={1025}, t={2047})),
    "backwards": (5000, places(d={4096}, u={3072}, b={2048}, t={1024})),
    "one row": (2000, places(d={1500}, u={1500}, b={1500}, t={1500})),
    "neighbours": (2000, places(d={1023}, u={1024, 5}, b={1022, 1999}, t={0, 1025})),
    "far apart": (9000, places(d={10, 8999}, u={3000}, b={6000}, t={8998})),
}
FORMS: dict[str, Callable[[list[Any]], Any]] = {
    "list": lambda rows: rows,
    "generator": lambda rows: (row for row in rows),
    "dicts": lambda rows: [dict(zip("ndubt", row, strict=True)) for row in rows],
}


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_api, "DEFAULT_NATIVE_CHUNK", 1 << 15)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", PLACES)
def test_conversions_keep_all_rows_in_order(twins: MakeTwins, case: str, form: str) -> None:
    rows = rows_to_convert(*PLACES[case])
    insert_same(twins(CONVERTED), FORMS[form](rows), rows)


def test_one_conversion_in_many_rows(twins: MakeTwins) -> None:
    rows = [(n, D("1.239") if n == 50_000 else D("2.25")) for n in range(60_000)]
    insert_same(twins("n Int64, d Decimal(9, 2)"), iter(rows), rows)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("form", ["list", "generator"])
def test_refused_after_conversions(twins: MakeTwins, form: str) -> None:
    """The number of the row is the caller's; a converted column may still refuse a value."""
    rows = rows_to_convert(6000, places(d={5, 2000}, u={1024}, b={1025}, t={3000}))
    for column, value in ((0, 1.5), (1, D("NaN")), (2, "x"), (3, "false")):
        bad = list(rows)
        bad[5000] = (*rows[5000][:column], value, *rows[5000][column + 1 :])
        error = twins(CONVERTED).refuse(FORMS[form](bad))
        assert isinstance(error, ValueRefusedError)
        assert (error.row, error.column) == (5000, "ndub"[column])


def test_rows_of_an_exhausted_iterator_are_not_asked_for_again(
    twins: MakeTwins, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails at its end must not be called after it."""
    monkeypatch.setattr(_rows, "_BATCH", 4)
    rows = rows_to_convert(10, places(d={3, 9}, u={4}))
    calls = iter([*rows, None])
    insert_same(twins(CONVERTED), iter(lambda: next(calls), None), rows)


# --- arrays and columns ----------------------------------------------------------------------------

STRUCTURED = np.array([(1, 1.5, b"ab"), (2, 2.5, b"cd")], [("n", "i8"), ("f", "f4"), ("s", "S2")])
DATES = np.array([["2020-01-01", "2021-01-01"], ["2022-01-01", "2023-01-01"]], "M8[s]")
ARRAYS: list[tuple[str, Any]] = [
    ("a Int64, b Int64, c Int64", np.arange(12).reshape(4, 3)),
    ("a Int8, b UInt16", np.arange(8, dtype="i2").reshape(4, 2)),
    ("a Float64, b Float32", np.arange(8).reshape(4, 2) / 3),
    ("a Int64, b String", np.array([[1, "x"], [2, "y"]], object)),
    ("a String, b String", np.array([["a", "b"], ["c", "d"]])),
    ("a Nullable(Float64), b Int32", np.array([[1.0, 2], [3, 4]])),
    ("a DateTime, b DateTime", DATES),
    ("n Int64, f Float32, s FixedString(2)", STRUCTURED),
    ("x Int64, y Float32, z FixedString(2)", STRUCTURED),
    ("s FixedString(2), n Int64, f Float32", STRUCTURED),
    ("d Decimal(9, 2), e Decimal(9, 2)", np.array([[1.239, 2], [3, 4]])),
]


@pytest.mark.parametrize("number", range(len(ARRAYS)))
def test_arrays(twins: MakeTwins, number: int) -> None:
    """Two-dimensional, and structured: by names where they match, else by places."""
    columns, array = ARRAYS[number]
    twins(columns).agree(array)


COLUMN_WISE: list[Any] = [
    [[1, 2, 3], ["a", "b", ""], [D("1.239"), None, 2]],
    ([1, 2], ("a", "b"), [None, "1.5"]),
    [np.array([1, 2]), ["a", "b"], [None, 1.5]],
    [pd.Series([1, 2]), pd.Series(["a", "b"]), [None, D(1)]],
]


@pytest.mark.parametrize("number", range(len(COLUMN_WISE)))
def test_columns(twins: MakeTwins, number: int) -> None:
    twins(COLUMNS).agree(COLUMN_WISE[number], column_oriented=True)


def test_data_frames_are_columns(twins: MakeTwins) -> None:
    frame = pd.DataFrame({"n": [1, 2], "s": ["a", "b"], "d": [1.5, None]})
    table = twins(COLUMNS)
    table.agree(frame)
    table.agree(frame.rename(columns={"n": "other"}))


@pytest.mark.parametrize("columns", [[[1, 2], ["a"], [None, None]], [[1], ["a", "b"], [None]]], ids=repr)
def test_columns_of_other_lengths(twins: MakeTwins, columns: Any) -> None:
    table = twins(COLUMNS)
    plain_error = table.insert_plain(columns, column_oriented=True)
    check_class(table.refuse(columns, column_oriented=True), plain_error)


def test_a_column_refuses_a_value(twins: MakeTwins) -> None:
    for column in ([1, 1.5], np.array([1, 1.5])):
        error = twins(COLUMNS).refuse([column, ["a", "b"], [None, None]], column_oriented=True)
        assert isinstance(error, ValueRefusedError)
        assert (error.row, error.column) == (1, "n")


# --- which columns ---------------------------------------------------------------------------------

MANY = "a Int8, b String DEFAULT 'd', m Int8 MATERIALIZED 5, l Int8 ALIAS a + 1, e Int8 EPHEMERAL 3, "
MANY += "c Int8 DEFAULT e"


@pytest.mark.parametrize(
    ("names", "rows"),
    [
        ("*", [(1, "x", 2, 3)]), (None, [(1, "x", 2, 3)]), ("a", [(1,)]), (["a"], [(1,)]),
        (("b", "a"), [("x", 1)]), (["a", "e"], [(1, 9)]), (["c", "b", "a"], [(3, "x", 1)]),
    ],
)  # fmt: skip
def test_column_names(twins: MakeTwins, names: Any, rows: list[Any]) -> None:
    """ALIAS and MATERIALIZED are left out, EPHEMERAL is not; what is not named has its default."""
    table = twins(MANY)
    for _ in range(2):
        insert_same(table, rows, rows, column_names=names)


@pytest.mark.parametrize("names", [["a", "x"], "x", ["l"], ["m"], [], ["a", "a"], "", ["*"]], ids=repr)
def test_wrong_column_names(twins: MakeTwins, names: Any) -> None:
    """The same errors, whether the table is known or not."""
    table = twins(MANY)
    rows = [(1,) * (len(names) if isinstance(names, list) else 1)]
    plain_error = table.insert_plain(rows, column_names=names)
    assert plain_error is not None
    for _ in range(2):
        error = table.insert(rows, column_names=names)
        assert isinstance(error, type(plain_error))
        if isinstance(error, ProgrammingError):
            assert str(error).replace(table.tables[1], table.tables[0]) == str(plain_error)
        assert table.insert([(1, "x", 2, 3)]) is None


TYPED: list[dict[str, Any]] = [
    {"column_names": ["n", "s", "d"], "column_type_names": ["String", "String", "Nullable(Decimal(9, 2))"]},
    {"column_names": ["s"], "column_type_names": ["FixedString(1)"]},
    {"column_names": ["n"], "column_type_names": ["Int8"]},
]


@pytest.mark.parametrize("arguments", TYPED, ids=lambda part: str(part["column_type_names"]))
def test_types_of_the_caller(twins: MakeTwins, arguments: Any) -> None:
    """The server casts them to those of the table."""
    values = {"String": "7", "FixedString(1)": "x", "Int8": 5, "Nullable(Decimal(9, 2))": D("1.25")}
    row = [values[type_] for type_ in arguments["column_type_names"]]
    twins(COLUMNS).agree([row, row], **arguments)


@pytest.mark.parametrize(
    "arguments",
    [{"column_type_names": ["Int8"]}, {"column_names": ["n"], "column_type_names": ["Int8", "Int8"]},
     {"column_names": ["n"], "column_type_names": ["Nonsense"]}],
    ids=repr,
)  # fmt: skip
def test_wrong_types_of_the_caller(twins: MakeTwins, arguments: Any) -> None:
    table = twins("n Int8")
    plain_error = table.insert_plain([(1,)], **arguments)
    error = table.refuse([(1,)], **arguments)
    assert (type(error), str(error)) == (type(plain_error), str(plain_error))


# --- nothing to insert -----------------------------------------------------------------------------

EMPTY: list[Any] = [[], (), iter([]), (row for row in ROWS[:0]), np.empty((0, 3)), pd.DataFrame(), {}.keys()]


@pytest.mark.parametrize("data", EMPTY, ids=lambda data: type(data).__name__)
def test_empty_data(twins: MakeTwins, data: Any) -> None:
    summary = twins(COLUMNS).ours.insert(
        "numbers_that_are_not_there", [], column_names=["n"], column_type_names=["Int8"]
    )
    assert summary.summary == QuerySummary().summary
    table = twins(COLUMNS)
    summary = table.ours.insert(table.tables[1], data)
    assert isinstance(summary, QuerySummary)
    assert (summary.summary, summary.written_rows) == ({}, 0)
    assert table.count() == 0


def test_empty_columns(twins: MakeTwins) -> None:
    table = twins(COLUMNS)
    table.agree([[], [], []], column_oriented=True)


@pytest.mark.parametrize("arguments", [(), ("t",), (None, [(1,)])], ids=repr)
def test_no_data_or_no_table(twins: MakeTwins, arguments: Any) -> None:
    table = twins(COLUMNS)
    plain_error = error_of(lambda: table.plain.insert(*arguments))
    error = error_of(lambda: table.ours.insert(*arguments))
    assert (type(error), str(error)) == (type(plain_error), str(plain_error))


# --- the result ------------------------------------------------------------------------------------


def test_summary(twins: MakeTwins) -> None:
    table = twins(COLUMNS)
    expected = table.plain.insert(table.tables[0], ROWS)
    for data in (ROWS, iter(ROWS)):
        found = table.ours.insert(table.tables[1], data)
        assert type(found) is type(expected)
        assert found.summary.keys() == expected.summary.keys()
        assert found.written_rows == expected.written_rows == 3
        assert isinstance(found.written_bytes(), int)
        assert found.query_id() == expected.query_id()


# --- what cannot be done by us ---------------------------------------------------------------------


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        r.message for r in caplog.records if r.name == "rowbinary.connect" and r.levelno >= logging.WARNING
    ]


def test_own_insert_is_said_once(
    twins: MakeTwins, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also of rows that only we take."""
    table = twins("n Int64, j JSON", strict=False)
    rows = [(1, {"a": 1}), (2, {"b": "2026-01-01"})]
    monkeypatch.setattr(table.plain, "server_version", "24.3.1.1")
    for data in (
        rows,
        (row for row in rows),
        [{"n": n, "j": j} for n, j in rows],
        [Named(*row)[:2] for row in rows],
    ):
        insert_same(table, data, rows)
    assert len(messages(caplog)) == 1
    assert table.tables[1] in messages(caplog)[0]


def test_own_insert_with_formats(twins: MakeTwins, caplog: pytest.LogCaptureFixture) -> None:
    for strict in (False, True):
        table = twins("n Int64, t DateTime", strict=strict)
        known = table.plain.create_insert_context(table.tables[1])
        context = InsertContext(
            known.table, known.column_names, known.column_types, [(1, 5)], column_formats={"t": "int"}
        )
        error = error_of(lambda: table.ours.data_insert(context))  # noqa: B023
        assert isinstance(error, NotSupportedError) == strict
        assert table.count() == (not strict)
        assert context.data is None
    assert len(messages(caplog)) == 1


def test_aggregate_states(twins: MakeTwins) -> None:
    """An improvement: clickhouse-connect cannot insert them."""
    table = twins("n Int64, a AggregateFunction(sum, UInt64)")
    state = table.plain.raw_query("SELECT sumState(toUInt64(5))", fmt="RowBinary")
    assert isinstance(table.insert_plain([(1, state)]), NotSupportedError)
    assert table.insert([(1, state)]) is None
    assert table.insert([(2,)], column_names=["n"]) is None
    assert table.rows("n, finalizeAggregation(a)") == [(1, 5), (2, 0)]


def test_unknown_table(twins: MakeTwins) -> None:
    table = twins("n Int64")
    for client in (table.plain, table.ours):
        error = error_of(lambda: client.insert("no_such_table", [(1,)]))  # noqa: B023
        assert type(error) is DatabaseError
        assert error.code == 60
