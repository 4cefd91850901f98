"""Small inserts, one after another: what is kept for the next changes nothing, and goes when it is wrong."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import connect_http
import pytest
from conftest import shown
from connect_http import KINDS, Caller, Kind, columns, count, inserts_of, make_table
from front_process import Front
from http_proxies import Recorder

pytest.importorskip("clickhouse_connect", reason="clickhouse-connect is not installed")

from clickhouse_connect.datatypes.registry import get_from_name
from clickhouse_connect.driver.exceptions import NotSupportedError

from rowbinary import Schema
from rowbinary._api import Encoder
from rowbinary._choice import FEW_DOCUMENTS
from rowbinary.connect import ValueRefusedError
from rowbinary.connect._options import COMPARE
from rowbinary.connect._prepared import LargeSpares, Prepared, Rules
from rowbinary.connect._traits import Traits

proxy = connect_http.proxy  # the fixture

FORMATS = ("auto", "Native", "RowBinary")
DATES, BINARY = "input_format_try_infer_dates", "input_format_native_decode_types_in_binary_format"
AS_TEXT = "input_format_binary_read_json_as_string"


def kept_inserts(caller: Caller, table: str) -> Any:
    """Inserts rows, with one context for all."""
    context = caller.do("create_insert_context", table)
    return lambda rows: caller.insert(data=rows, context=context)


# --- what is noticed --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "name", "other", "usual"),
    [("JSON", DATES, 0, 1), ("JSON", AS_TEXT, 1, 0), ("UInt8", BINARY, 1, 0)],
)
@pytest.mark.parametrize("kind", KINDS)
def test_settings_of_the_client(
    front: Front, kind: Kind, column: str, name: str, other: int, usual: int
) -> None:
    table = make_table(front, f"c {column}")
    row = [{"a": 1} if column == "JSON" else 1]
    with Caller(kind, front.port, strict=True) as ours:
        insert = kept_inserts(ours, table)
        for _ in range(2):
            insert([row])
            ours.client.set_client_setting(name, other)
            with pytest.raises(NotSupportedError, match=f"{name}={other}"):
                insert([row])
            with pytest.raises(NotSupportedError, match=f"{name}={other}"):
                ours.insert(table, [row])
            ours.insert(table, [row], settings={name: usual})
            ours.client.set_client_setting(name, usual)
        insert([row])
        with pytest.raises(NotSupportedError, match=f"{name}={other}"):
            ours.insert(table, [row], settings={name: other})
    assert count(front, table) == 5


def test_settings_of_the_server(front: Front) -> None:
    """They are read when a client is made, and may be put right."""
    table = make_table(front, "c JSON")
    with Caller("sync", front.port, strict=True) as ours:
        insert = kept_inserts(ours, table)
        insert([[{"a": 1}]])
        known = ours.client.server_settings[DATES]
        ours.client.server_settings[DATES] = type(known)(known.name, "0", known.readonly)
        with pytest.raises(NotSupportedError, match=f"{DATES}=0"):
            insert([[{"a": 1}]])
        ours.client.server_settings[DATES] = known
        insert([[{"a": 1}]])
    assert count(front, table) == 2


def test_columns_of_a_context(front: Front) -> None:
    table = make_table(front, "a UInt64, b String")
    with Caller("sync", front.port, strict=True) as ours:
        context = ours.client.create_insert_context(table)
        ours.client.insert(context=context, data=[[1, "x"]])
        context.column_names, context.column_types = ["b", "a"], context.column_types[::-1]
        ours.client.insert(context=context, data=[["y", 2]])
        context.column_types[1] = get_from_name("UInt8")  # of the same names
        ours.client.insert(context=context, data=[["z", 3]])
        with pytest.raises(ValueRefusedError):
            ours.client.insert(context=context, data=[["z", 256]])
    assert columns(front, f"SELECT * FROM {table} ORDER BY a") == [["1", "x"], ["2", "y"], ["3", "z"]]


@pytest.mark.parametrize("format", FORMATS)
def test_the_zone_of_the_process(front: Front, monkeypatch: pytest.MonkeyPatch, format: str) -> None:
    table = make_table(front, "n UInt8, t DateTime")
    when = dt.datetime(2024, 1, 1, 12)
    with Caller("sync", front.port, format=format) as ours:
        insert = kept_inserts(ours, table)
        for number, zone in enumerate(["Asia/Tokyo", "UTC", "America/New_York", "UTC"]):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            insert([[number, when]])
    monkeypatch.undo()
    time.tzset()
    found = columns(front, f"SELECT toHour(t, 'UTC') FROM {table} ORDER BY n")
    assert found == [["3"], ["12"], ["17"], ["12"]]


# --- the format -------------------------------------------------------------------------------------

MANY = FEW_DOCUMENTS + 1
CASES: list[tuple[str, Any, str]] = [
    ("JSON", [[{"a": 1}]], "rows"),
    ("JSON", ([{"a": 1}],) * FEW_DOCUMENTS, "rows"),
    ("Array(Map(String, Tuple(a UInt8, b JSON)))", [[[{"k": (1, {"a": 1})}]]], "rows"),
    ("JSON", [[{"a": 1}]] * MANY, "columns"),
    ("JSON", iter([[{"a": 1}]]), "columns"),  # nobody knows how many there are
    ("JSON(SKIP a, SKIP b)", [[{"aa": 1}]], "columns"),  # which the server would drop in rows
    ("UInt64", [[1]], "columns"),
    ("Dynamic", [[1]], "columns"),
]


@pytest.mark.parametrize(("type_", "rows", "wanted"), CASES, ids=lambda part: shown(part)[:40])
def test_the_format_of_few_documents(
    front: Front, proxy: Recorder, type_: str, rows: Any, wanted: str
) -> None:
    table = make_table(front, f"c {type_}")
    with Caller("sync", proxy.port, strict=True) as ours:
        ours.insert(table, rows)
    (insert,) = inserts_of(proxy)
    form = "RowBinaryWithNamesAndTypes" if wanted == "rows" else "Native"
    assert insert.statement.endswith(f"FORMAT {form}")


def test_types_that_the_server_has_to_cast(front: Front, proxy: Recorder) -> None:
    """It does so for Native alone: from the start where the caller says the types, else when it refuses."""
    table = make_table(front, "a UInt16, j JSON")
    with Caller("sync", proxy.port, strict=True) as ours:
        insert = kept_inserts(ours, table)
        ours.insert(table, [[1, {}]], column_names=["a", "j"], column_type_names=["UInt8", "JSON"])
        insert([[2, {}]])
        front.query(f"DROP TABLE {table}")
        front.query(f"CREATE TABLE {table} (a UInt32, j JSON) ENGINE = Memory")
        insert([[3, {}]])
        insert([[4, {}]])
    formats = [one.statement.rpartition(" ")[2].partition("With")[0] for one in inserts_of(proxy)]
    assert formats == ["Native", "RowBinary", "RowBinary", "Native", "RowBinary", "Native"]
    assert columns(front, f"SELECT a FROM {table} ORDER BY a") == [["3"], ["4"]]


def test_an_answer_that_says_nothing(front: Front, proxy: Recorder) -> None:
    """Nobody would hear that the table has other types: the server casts, as it does for the plain client."""
    table = make_table(front, "a UInt8, j JSON")
    unawaited = {"async_insert": 1, "wait_for_async_insert": 0}
    with Caller("sync", proxy.port, strict=True) as ours:
        for settings in (unawaited, None, unawaited, None):
            ours.insert(table, [[1, {}]], settings=settings)
    told = [
        ("FORMAT Native" in one.statement, COMPARE in one.request.first_line) for one in inserts_of(proxy)
    ]
    assert told == [(True, False), (False, False), (True, False), (False, True)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("format", FORMATS)
def test_a_table_that_has_changed(front: Front, kind: Kind, format: str) -> None:
    """What is remembered of it is compared with it in every format; an error costs nobody a row."""
    table = make_table(front, "a UInt8, j JSON")
    with Caller(kind, front.port, strict=True, format=format) as ours:
        ours.insert(table, [[1, {"x": 1}]])
        front.query(f"DROP TABLE {table}")
        front.query(f"CREATE TABLE {table} (a UInt16, j JSON(x UInt8)) ENGINE = Memory")
        ours.insert(table, [[300, {"x": 2}]])
        front.query(f"DROP TABLE {table}")
        front.query(f"CREATE TABLE {table} (a UInt16, j String) ENGINE = Memory")
        ours.insert(table, [[301, "text"]])
    assert columns(front, f"SELECT * FROM {table}") == [["301", "text"]]


# --- what stays the same ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("format", FORMATS)
def test_refused_rows_have_their_own_numbers(front: Front, kind: Kind, format: str) -> None:
    """Whatever the encoder has seen before; and the next insert is a good one."""
    table = make_table(front, "n Int64, u UUID")
    good, converted = [1, "00000000-0000-0000-0000-000000000001"], [2, ""]
    with Caller(kind, front.port, format=format) as ours:
        insert = kept_inserts(ours, table)
        for row in (0, 1, 5):
            insert([good, converted, good])
            insert(iter([good]))
            with pytest.raises(ValueRefusedError) as caught:
                insert([converted] * row + [[1.5, ""]])
            assert (caught.value.row, caught.value.column) == (row, "n")
    assert count(front, table) == 12


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_rows_are_the_same_bytes(front: Front, proxy: Recorder, format: str) -> None:
    """Tables that deduplicate by content rely on it, whatever was inserted in between."""
    table = make_table(front, "n UInt64, l LowCardinality(String), d Dynamic, j JSON")
    rare: list[Any] = [[1, "x", "y", {"rare": 1}]]
    rows = [
        [n, f"{n % 3}", [n, "z", 1.5][n % 3], {"a": n, **({"rare": n} if n == 7 else {})}] for n in range(50)
    ]
    plain_table = make_table(front, "n UInt64, l LowCardinality(String), d Dynamic")
    with Caller("sync", proxy.port, strict=True, format=format) as ours:
        for name, width in ((table, 4), (plain_table, 3)):
            insert = kept_inserts(ours, name)
            for data in (rows, rare, rows, rare, rows):
                insert([row[:width] for row in data])
    bodies = [one.body for one in inserts_of(proxy)]
    for first in (0, 5):
        assert bodies[first] == bodies[first + 2] == bodies[first + 4]
        assert bodies[first + 1] == bodies[first + 3]


# --- encoders ---------------------------------------------------------------------------------------

RULES: Rules = {"format": "Native"}


def prepared(text: str, large: LargeSpares | None = None) -> Prepared:
    has_json = "JSON" in text
    traits = Traits(Schema.parse(text), (0,), has_json, suits_rows=False, has_zoneless=False, compared=True)
    return Prepared(traits, large=large)


def used(one: Prepared, rules: Rules = RULES, size: int = 100) -> Encoder:
    """An encoder after an insert."""
    lent = one.lend(rules)
    one.give_back(lent, size)
    return lent.encoder


def test_one_encoder_after_another() -> None:
    one = prepared("a UInt8")
    encoder = used(one)
    assert used(one) is encoder
    assert one.lend(RULES).encoder is encoder
    assert one.lend(RULES).encoder is not encoder  # somebody has it


def test_an_encoder_of_other_rules() -> None:
    one = prepared("a UInt8")
    encoder = used(one)
    other = used(one, {"format": "RowBinary"})
    assert other is not encoder
    assert other.format == "RowBinary"
    assert used(one).format == "Native"


def test_encoders_of_large_inserts() -> None:
    """There is memory in them: only the last tables have some, and none after a very large insert."""
    large = LargeSpares()
    tables = [prepared("a UInt8", large) for _ in range(3)]
    encoders = [used(one, size=1 << 20) for one in tables]
    assert [used(one) is encoder for one, encoder in zip(tables, encoders, strict=True)][1:] == [True, True]
    assert used(tables[0]) is not encoders[0]
    assert used(tables[2], size=1 << 24) is encoders[2]
    assert used(tables[2]) is not encoders[2]


def test_encoders_of_documents_are_large_sooner() -> None:
    """A path takes some twenty times its bytes."""
    large = LargeSpares()
    for text, kept in (("a UInt8", 3), ("a JSON", 2)):
        tables = [prepared(text, large) for _ in range(3)]
        for one in tables:
            used(one, size=10_000)
        assert sum(len(one._spares) for one in tables) == kept


def test_an_encoder_stays_a_large_one() -> None:
    """Small inserts after it leave it its memory; other tables take its place all the same."""
    large = LargeSpares()
    one, others = prepared("a UInt8", large), [prepared("a UInt8", large) for _ in range(2)]
    encoder = used(one, size=1 << 20)
    lent = one.lend(RULES)
    for other in others:
        used(other, size=1 << 20)
    one.give_back(lent, 10)
    assert used(one) is encoder
    assert sum(len(each._spares) for each in (one, *others)) == 2


def test_encoders_forget_documents() -> None:
    one = prepared("a JSON")
    often, once = [({"x": 1},)] * 300, [({"y": 1},)] * 299 + [({"x": 1},)]
    bodies = []
    for rows in (once, often, once):
        lent = one.lend(RULES)
        lent.encoder.write_rows(rows)
        bodies.append(lent.encoder.take())
        one.give_back(lent, 100)
    assert one.lend(RULES).encoder is lent.encoder
    assert bodies[0] == bodies[2] != bodies[1]
