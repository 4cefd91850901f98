"""Answers of the engine to queries, with what no insert stores: constants, joins, groups, many blocks."""

from __future__ import annotations

import datetime as dt
import ipaddress
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import implementations
from decode_cases import BERLIN, UTC, decode, refuse, same

from rowbinary import iter_decode

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

FORMS = ["RowBinaryWithNamesAndTypes", "Native"]
SETTINGS = (
    "allow_suspicious_variant_types = 1, allow_suspicious_low_cardinality_types = 1, "
    "allow_experimental_qbit_type = 1, allow_experimental_time_time64_type = 1"
)


@pytest.fixture(scope="module")
def tables(engine: Any) -> Iterator[Any]:
    """The engine, with a table that has an Enum in a Tuple that can be NULL."""
    engine.query(f"SET {SETTINGS}")
    engine.query("DROP TABLE IF EXISTS chosen")
    enum = "Enum8('a' = 1, 'b' = 2)"
    engine.query(
        f"CREATE TABLE chosen (n UInt8, t Nullable(Tuple(e {enum}, s String)), e {enum}) ENGINE = Memory"
    )
    engine.query("INSERT INTO chosen VALUES (1, NULL, 'a'), (2, ('b', 'x'), 'b')")
    yield engine
    engine.query("DROP TABLE chosen")


def ask(engine: Any, statement: str, form: str) -> bytes:
    return bytes(engine.query(statement, form).bytes())


JOIN = (
    "SELECT x.n, y.t, y.e FROM chosen AS x LEFT JOIN (SELECT n + 1 AS n, t, e FROM chosen) AS y "
    "ON x.n = y.n ORDER BY x.n SETTINGS join_use_nulls = 1"
)
# Statements, and their rows where they are not only to be the same in both formats.
SELECTS: list[tuple[str, list[tuple[Any, ...]] | None]] = [
    ("SELECT NULL, [], map(), [NULL], 1", [(None, [], {}, [None], 1)]),
    ("SELECT 1 WHERE 0", []), ("SELECT number FROM numbers(3) WHERE number > 5", []),
    ("SELECT tuple(), 1", [((), 1)]), ("SELECT (1, 'a'), CAST((1, 2), 'Point')", [((1, "a"), (1.0, 2.0))]),
    ("SELECT toLowCardinality('x'), [toLowCardinality(toNullable('y')), NULL]", [("x", ["y", None])]),
    ("SELECT true, toUUID('00112233-4455-6677-8899-aabbccddeeff'), toIPv4('1.2.3.4'), toIPv6('::1')",
     [(True, uuid.UUID("00112233-4455-6677-8899-aabbccddeeff"), ipaddress.IPv4Address("1.2.3.4"),
       ipaddress.IPv6Address("::1"))]),
    ("SELECT CAST([1, 2, 3, 4, 5, 6, 7, 8], 'QBit(Int8, 8)')", [([1, 2, 3, 4, 5, 6, 7, 8],)]),
    ("SELECT CAST(5, 'SimpleAggregateFunction(sum, UInt64)'), toIntervalMonth(3)", [(5, 3)]),
    ("SELECT arrayJoin([1::UInt8::Dynamic, 'a'::Dynamic, NULL::Dynamic])", [(1,), ("a",), (None,)]),
    ("SELECT arrayJoin(['a'::Variant(String, UInt8), 5::UInt8::Variant(String, UInt8), NULL])",
     [("a",), (5,), (None,)]),
    ("""SELECT '{"a": {"b": [1, {"c": 2}]}}'::JSON, '{"z": 1}'::JSON(max_dynamic_paths = 0)""",
     [({"a": {"b": [1, {"c": 2}]}}, {"z": 1})]),
    ("""SELECT map('a', [('x', 1)::Tuple(p String, q UInt8)]) AS m""", [({"a": [{"p": "x", "q": 1}]},)]),
    ("SELECT toDecimal128('-1.50', 3) + 1, toInt256(-1), toFloat32(0.5)", None),
    ("SELECT n, t FROM chosen ORDER BY n", [(1, None), (2, {"e": "b", "s": "x"})]),
    ("SELECT if(n = 2, NULL, e), anyOrNull(t) OVER () FROM chosen ORDER BY n", None),
    (JOIN, [(1, None, None), (2, None, "a")]),
    ("SELECT arrayElementOrNull([tuple('b'::Enum8('a' = 1, 'b' = 2))], 5)", [(None,)]),
    ("SELECT e, count(), groupArray(n), maxMap(map(e, n)) FROM chosen GROUP BY e ORDER BY e",
     [("a", 1, [1], {"a": 1}), ("b", 1, [2], {"b": 2})]),
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("statement", "rows"), SELECTS, ids=[case[0][:60] for case in SELECTS])
def test_answers(tables: Any, statement: str, rows: Any, form: str) -> None:
    found = decode(None, ask(tables, statement, form), format=form)
    other = decode(
        None, ask(tables, statement, FORMS[1 - FORMS.index(form)]), format=FORMS[1 - FORMS.index(form)]
    )
    assert same(found, other)
    if rows is not None:
        assert same(found, rows)


def test_zones(tables: Any) -> None:
    """Blocks do not have that of a DateTime."""
    at = "toDateTime('2024-07-01 12:00:00', 'Europe/Berlin')"
    statement = f"SELECT {at} AS a, toDateTime64({at}, 3, 'Europe/Berlin') AS b, [a] AS c"
    moment = dt.datetime(2024, 7, 1, 12, tzinfo=BERLIN)
    schema = (
        "a DateTime('Europe/Berlin'), b DateTime64(3, 'Europe/Berlin'), c Array(DateTime('Europe/Berlin'))"
    )
    for form in FORMS:
        body = ask(tables, statement, form)
        ((a, b, (c,)),) = decode(schema, body, format=form)
        assert (a, b, c) == (moment, moment, moment)
        assert (a.tzinfo, b.tzinfo, c.tzinfo) == (BERLIN, BERLIN, BERLIN)
        ((a, b, _),) = decode(None, body, format=form)
        assert (a, b) == (moment, moment)
        assert (a.tzinfo, b.tzinfo) == (BERLIN if form != "Native" else UTC, BERLIN)


def test_columns_of_one_name(tables: Any) -> None:
    statement = "SELECT 1 AS a, 1 AS a"
    assert decode(None, ask(tables, statement, FORMS[0])) == [(1, 1)]
    refuse(ask(tables, statement, "Native"), "column 'a' twice in one block", format="Native")


def test_rows_without_bytes(tables: Any) -> None:
    """In RowBinary nothing says how many there are."""
    statement = "SELECT tuple() FROM numbers(3)"
    assert decode(None, ask(tables, statement, "Native"), format="Native") == [((),)] * 3
    assert decode(None, ask(tables, statement, FORMS[0])) == []


def test_states(tables: Any) -> None:
    for form in FORMS:
        body = ask(tables, "SELECT 1 AS n, sumState(n) AS s", form)
        assert (
            refuse(body, r"a state of AggregateFunction\(sum, UInt8\) has no length", format=form).column
            == "s"
        )


@pytest.mark.parametrize("size", [1, 7, 1000, 100_000])
def test_many_blocks(tables: Any, size: int) -> None:
    """Each with dictionaries, paths and types of its own."""
    count = 2000 if size > 1 else 50
    statement = f"""
        SELECT number AS n, toLowCardinality(toString(number % 300)) AS l, [l, 'x'] AS a,
            if(number % 3, number::Dynamic, toString(number)::Dynamic) AS d,
            format('{{{{"k{{}}": {{}}, "all": [{{}}]}}}}', number % 5, number, number)::JSON AS j
        FROM numbers({count}) SETTINGS max_block_size = {size}"""
    rows = [
        (
            n,
            str(n % 300),
            [str(n % 300), "x"],
            n if n % 3 else str(n),
            {f"k{n % 5}": n, "all": [n]},
        )
        for n in range(count)
    ]
    body = ask(tables, statement, "Native")
    assert decode(None, body, format="Native") == rows
    assert decode(None, ask(tables, statement, FORMS[0])) == rows
    for name in implementations():
        chunks = (body[start : start + 1000] for start in range(0, len(body), 1000))
        assert list(iter_decode(None, chunks, format="Native", implementation=name)) == rows


@pytest.mark.parametrize(
    ("setting", "match"),
    [
        ("output_format_native_write_json_as_string = 1", "JSON in layout 1: only 0 and 2 are read"),
        ("output_format_native_use_flattened_dynamic_and_json_serialization = 1", "JSON in layout 3"),
        ("output_format_native_encode_types_in_binary_format = 1", "type '.*': |is not UTF-8"),
    ],
)
def test_layouts_that_are_not_read(tables: Any, setting: str, match: str) -> None:
    statement = f"""SELECT 1 AS n, '{{"a": 1}}'::JSON AS j SETTINGS {setting}"""
    refuse(ask(tables, statement, "Native"), match, format="Native")


def test_binary_types_in_a_header(tables: Any) -> None:
    setting = "SETTINGS output_format_binary_encode_types_in_binary_format = 1"
    refuse(ask(tables, f"SELECT 1 AS n, 'x' AS s {setting}", FORMS[0]))
