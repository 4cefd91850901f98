"""Small inserts, one after another: what is kept for the next changes nothing, and goes when it is wrong."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import connect_http
import pytest
from connect_http import KINDS, Caller, Kind, columns, count, inserts_of, make_table
from front_process import Front
from http_proxies import Recorder

pytest.importorskip("clickhouse_connect", reason="clickhouse-connect is not installed")

from clickhouse_connect.datatypes.registry import get_from_name
from clickhouse_connect.driver.exceptions import NotSupportedError

from rowbinary import Schema
from rowbinary._api import Encoder
from rowbinary.connect import ValueRefusedError
from rowbinary.connect._prepared import Prepared, Rules
from rowbinary.connect._traits import Traits

proxy = connect_http.proxy  # the fixture

FORMATS = ("Native", "RowBinary")
DATES, BINARY = "input_format_try_infer_dates", "input_format_native_decode_types_in_binary_format"


def kept_inserts(caller: Caller, table: str) -> Any:
    """Inserts rows, with one context for all."""
    context = caller.do("create_insert_context", table)
    return lambda rows: caller.insert(data=rows, context=context)


# --- what is noticed --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "name", "other", "usual"), [("JSON", DATES, 0, 1), ("UInt8", BINARY, 1, 0)]
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


def prepared(text: str) -> Prepared:
    has_json = "JSON" in text
    return Prepared(Traits(Schema.parse(text), (0,), has_json, has_zoneless=False, compared=True))


def used(one: Prepared, rules: Rules = RULES, size: int = 100) -> Encoder:
    """An encoder after an insert."""
    encoder = one.lend(rules)
    one.give_back(rules, encoder, size)
    return encoder


def test_one_encoder_after_another() -> None:
    one = prepared("a UInt8")
    encoder = used(one)
    assert used(one) is encoder
    assert one.lend(RULES) is encoder
    assert one.lend(RULES) is not encoder  # somebody has it


def test_an_encoder_of_other_rules() -> None:
    one = prepared("a UInt8")
    encoder = used(one)
    other = used(one, {"format": "RowBinary"})
    assert other is not encoder
    assert other.format == "RowBinary"
    assert used(one).format == "Native"


def test_encoders_that_are_not_kept() -> None:
    """After a large insert there is memory in it, and documents leave traces in one for blocks."""
    large, documents = prepared("a UInt8"), prepared("a Array(JSON)")
    assert used(large, size=1 << 20) is not used(large)
    assert used(documents) is not used(documents)
    rules: Rules = {"format": "RowBinary"}
    assert used(documents, rules) is used(documents, rules)
