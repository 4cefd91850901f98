"""Errors of the accelerated synchronous client are those of the plain one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import connect_http
import pytest
from connect_http import (
    TYPES,
    Caller,
    Shape,
    big,
    count,
    make_table,
    of_shape,
    outcome,
)  # fmt: skip
from front_process import Front
from http_proxies import Recorder

pytest.importorskip("clickhouse_connect", reason="clickhouse-connect is not installed")

from clickhouse_connect.driver.exceptions import (
    OperationalError,
)

# Fixtures.
blocks = connect_http.blocks
proxy = connect_http.proxy
ours = connect_http.ours

SHAPES: tuple[Shape, ...] = ("list", "generator")
COMPARE = "input_format_native_allow_types_conversion"


def with_readonly(client: Any) -> None:
    known = client.server_settings["max_insert_threads"]
    client.server_settings["max_insert_threads"] = type(known)(known.name, known.value, 1)


# What is done to the client, the arguments of insert(), the exception with its code.
ERRORS: dict[str, tuple[Callable[[Any], Any] | None, dict[str, Any], str, int | None]] = {
    "token": (lambda client: client.set_access_token("bad"), {}, "DatabaseError", 516),
    "token with types": (lambda client: client.set_access_token("bad"), TYPES, "DatabaseError", 516),
    "table": (None, {"table": "no_such_table"}, "DatabaseError", 60),
    "table with types": (None, {"table": "no_such_table", **TYPES}, "DatabaseError", 60),
    "database": (None, {"database": "no_such_database"}, "DatabaseError", 81),
    "database in the name": (None, {"table": "no_such_database.t"}, "DatabaseError", 81),
    "database with types": (None, {"database": "no_such_database", **TYPES}, "DatabaseError", 81),
    "setting": (None, {"settings": {"no_such_setting": 1}}, "DatabaseError", 115),
    "setting with types": (None, {"settings": {"no_such_setting": 1}, **TYPES}, "DatabaseError", 115),
    "read-only setting": (with_readonly, {"settings": {"max_insert_threads": 7}}, "ProgrammingError", None),
    "reserved setting": (None, {"settings": {"user": "eve"}}, "ProgrammingError", None),
    "column": (None, {"column_names": ["a", "zz"]}, "ProgrammingError", None),
    "one column": (None, {"column_names": "zz"}, "ProgrammingError", None),
    "no columns": (None, {"column_names": []}, "ValueError", None),
    "column with types": (None, {**TYPES, "column_names": ["a", "zz"]}, "DatabaseError", 16),
    "types without names": (None, {"column_type_names": ["UInt64", "String"]}, "ValueError", None),
    "types are fewer": (None, {**TYPES, "column_type_names": ["UInt64"]}, "ProgrammingError", None),
    "rows are shorter": (None, {"data": [[1], [2]]}, "ProgrammingError", None),
    "no rows": (None, {"data": None}, "ProgrammingError", None),
    "no table": (None, {"table": None}, "ProgrammingError", None),
    "refused": (None, {"settings": {"log_comment": "/* fail 241 */"}, **TYPES}, "DatabaseError", 241),
    "unavailable": (None, {"settings": {"log_comment": "/* fail 439 */"}, **TYPES}, "OperationalError", 439),
    "in the head": (
        None,
        {"settings": {"log_comment": "/* header exception 999 */"}, **TYPES},
        "DatabaseError",
        999,
    ),
}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        *((name, True) for name in ERRORS),
        *((name, shown) for shown in (False, "scrub") for name in ("token", "table", "column", "refused")),
    ],
)
def test_errors(front: Front, name: str, shown: bool | str) -> None:
    """Class, code, name and text are those of the plain client, also when it tells less."""
    change, arguments, kind, code = ERRORS[name]
    table = make_table(front)
    seen = []
    for ours in (False, True):
        with Caller("sync", front.port, ours=ours, show_clickhouse_errors=shown) as caller:
            assert caller.insert(table, [[0, "before"]]).written_rows == 1
            if change is not None:
                change(caller.client)
            given = {"table": table, "data": [[1, "x"]], **arguments}
            seen.append(caller.attempt(**given))
    plain, accelerated = seen
    assert (plain.kind, plain.code) == (kind, code)
    assert accelerated == plain
    assert (plain.name is None) == (code is None or shown is False)
    assert str(accelerated.error) == str(plain.error)
    assert count(front, table) == 2


def test_wrong_password(front: Front) -> None:
    """The client is not even made."""
    seen = [
        outcome(lambda ours=ours: Caller("sync", front.port, ours=ours, username="alice", password="no"))  # type: ignore[misc]
        for ours in (False, True)
    ]
    assert seen[0] == seen[1]
    assert (seen[0].kind, seen[0].code) == ("DatabaseError", 516)


def test_errors_leave_a_good_client(front: Front, ours: Caller) -> None:
    table = make_table(front)
    for comment in ("/* fail 241 */", "/* header exception 241 */"):
        for shape in SHAPES:
            seen = ours.attempt(table, of_shape(shape, big(5)), settings={"log_comment": comment}, **TYPES)
            assert (seen.kind, seen.code) == ("DatabaseError", 241)
            ours.insert(table, of_shape(shape, big(5)))
    assert count(front, table) == 20


def test_many_blocks_are_refused(front: Front, ours: Caller, blocks: None) -> None:
    """An error that comes while rows are still made, or after the last of them."""
    table = make_table(front)
    for shape in SHAPES:
        seen = ours.attempt(
            table, of_shape(shape, big(3000)), settings={"log_comment": "/* fail 252 */"}, **TYPES
        )
        assert (seen.kind, seen.code, seen.name) == ("DatabaseError", 252, "TOO_MANY_PARTS")
        seen = ours.attempt("no_such_table", of_shape(shape, big(3000)), **TYPES)
        assert (seen.kind, seen.code, seen.name) == ("DatabaseError", 60, "UNKNOWN_TABLE")
    assert count(front, table) == 0


def test_network_error_class(front: Front, ours: Caller) -> None:
    """Nobody listens there."""
    table = make_table(front)
    ours.insert(table, [[0, "before"]])
    with Caller("sync", front.port) as other, Recorder(front.port) as gone:
        other.client._backend._base_url = f"http://127.0.0.1:{gone.port}"
        gone.close()
        for rows in ([[1, "x"]], iter([[1, "x"]])):
            with pytest.raises(OperationalError):
                other.insert(table, rows, **TYPES)
