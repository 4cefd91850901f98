"""Accelerated inserts whose connection breaks, whose server refuses, or whose rows fail half-way.

By default they do what clickhouse-connect does, also where that can store rows twice; with ``retries=``
they repeat what is certain not to be stored, and nothing else.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from clients import eventually
from connect_http import (
    KINDS,
    TYPES,
    Caller,
    Kind,
    Shape,
    big,
    columns,
    count,
    inserts_of,
    make_table,
    of_shape,
)
from fault_cases import html
from faults import FaultProxy, Plan, cut, garbage, refuse
from front_process import Front
from http_proxies import Recorder
from loopback import Mode

pytest.importorskip("clickhouse_connect", reason="clickhouse-connect is not installed")
pytest.importorskip("aiohttp", reason="aiohttp is not installed")

from clickhouse_connect.driver.exceptions import DataError, OperationalError

from rowbinary import _api
from rowbinary.connect import ValueRefusedError

pytestmark = pytest.mark.faults

BODIES = {"whole": 5, "stream": 3000}  # rows of about a kilobyte
PLACES: dict[str, Callable[[Mode], Plan]] = {
    "connect": refuse,
    "head": lambda mode: cut(100, mode=mode),
    "body": lambda mode: cut(of="body", mode=mode),
    "later": lambda mode: cut(2000, of="body", mode=mode),
    "end": lambda mode: cut(of="end", mode=mode),
    "answer": lambda mode: cut(12, side="answer", mode=mode),
}
# As a server would store the blocks of an insert once, whoever sends them again.
DEDUPLICATING = "MergeTree ORDER BY tuple() SETTINGS non_replicated_deduplication_window = 1000"


@pytest.fixture(autouse=True)
def blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 256 KiB: a few thousand rows are many blocks."""
    monkeypatch.setattr(_api, "DEFAULT_NATIVE_CHUNK", 1 << 18)


class Bench:
    """A client behind a proxy that breaks its connections."""

    def __init__(self, front: Front, kind: Kind, ours: bool = True, **options: Any) -> None:
        self.front = front
        self.proxy = FaultProxy(front.port)
        free = {
            "autogenerate_session_id": False,
            "compress": False,
        }  # a session is locked by what was cut off
        self.caller = Caller(kind, self.proxy.port, ours, **{**free, **options})

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *exception: object) -> None:
        self.caller.__exit__()
        self.proxy.close()

    def attempt(self, table: str, rows: Any, plan: Any, **options: Any) -> Any:
        """An insert whose connections meet `plan`; what came of it."""
        self.proxy.plan = None
        self.caller.do("close_connections")
        self.proxy.plan, self.proxy.seen = plan, []
        seen = self.caller.attempt(table, rows, **{**TYPES, **options})
        self.proxy.plan = None
        return seen

    @property
    def attempts(self) -> int:
        """The connections of the last insert."""
        return len(self.proxy.seen)

    def healthy(self) -> None:
        """The client goes on."""
        table = make_table(self.front)
        assert self.caller.insert(table, list(big(3)), **TYPES).written_rows == 3


def landed(front: Front, table: str, expected: int) -> None:
    """So many rows, also a little later."""
    eventually(lambda: count(front, table), expected)
    time.sleep(0.02)
    assert count(front, table) == expected


# --- as clickhouse-connect does it ----------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_as_plain(front: Front, kind: Kind) -> None:
    """Once broken, or at every attempt: error, rows and number of attempts are the plain client's.

    Connections are closed, not reset: what a client sees of a reset depends on how far it is with a body, and
    whole bodies of ours are bytes, not a stream.
    """
    with Bench(front, kind, ours=False) as plain, Bench(front, kind) as ours:
        for body, rows in BODIES.items():
            for place, plan in PLACES.items():
                for plans in ([plan("fin")], plan("fin")):
                    found = []
                    for bench in (plain, ours):
                        table = make_table(front)
                        seen = bench.attempt(table, list(big(rows)), plans)
                        found.append((seen, bench.attempts, table))
                    (expected, attempts, plain_table), (seen, our_attempts, table) = found
                    case = (body, place, plans)
                    assert (seen, our_attempts) == (expected, attempts), case
                    assert seen.good or seen.kind == "OperationalError", case
                    time.sleep(0.05)
                    assert count(front, table) == count(front, plain_table), case
        ours.healthy()


@pytest.mark.parametrize("kind", KINDS)
def test_lists_are_repeated_once(front: Front, kind: Kind) -> None:
    """Also bodies of many blocks, whatever became of the first attempt: as plain."""
    with Bench(front, kind) as bench:
        for rows in BODIES.values():
            table = make_table(front)
            assert bench.attempt(table, list(big(rows)), [cut(of="body")]).good
            landed(front, table, rows)
            assert bench.attempt(table, list(big(rows)), [cut(of="end")]).good
            landed(front, table, 3 * rows)
            assert bench.attempt(table, list(big(rows)), cut(of="body")).kind == "OperationalError"
            assert bench.attempts == 2


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", KINDS)
def test_iterators_are_not_repeated(front: Front, kind: Kind, place: str) -> None:
    """Rows that are gone, in a body of many blocks."""
    shapes: tuple[Shape, ...] = ("generator", "agen") if kind == "async" else ("generator",)
    for retries in (None, 3):
        with Bench(front, kind, retries=retries) as bench:
            for shape in shapes:
                table = make_table(front)
                seen = bench.attempt(table, of_shape(shape, big(3000)), [PLACES[place]("fin")])
                assert isinstance(seen.error, OperationalError)
                assert seen.code is None
                assert seen.error.__cause__ is not None
                assert bench.attempts == 1
                landed(front, table, 3000 if place in ("end", "answer") else 0)
            bench.healthy()


class Once:
    """Rows that can be read a single time, which does not show."""

    def __init__(self, rows: Iterator[Any]) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[Any]:
        return self.rows


@pytest.mark.parametrize("kind", KINDS)
def test_what_may_be_read_once_only_is_not_repeated(front: Front, kind: Kind) -> None:
    """The second attempt would send the rest of the rows, or none, and call that a success."""
    for retries in (None, 3):
        with Bench(front, kind, retries=retries) as bench:
            table = make_table(front)
            plan = garbage(REFUSALS["202"], 2000, of="body") if retries else cut(2000, of="body")
            seen = bench.attempt(table, Once(big(3000)), [plan])
            assert not seen.good
            landed(front, table, 0)


# --- retries= -------------------------------------------------------------------------------------

TEXT = b"Code: 202. DB::Exception: Too many simultaneous queries. (TOO_MANY_SIMULTANEOUS_QUERIES)\n"
REFUSALS = {
    "202": b"HTTP/1.1 500 Oh\r\nX-ClickHouse-Exception-Code: 202\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(TEXT), TEXT),
    "503": html("503 Service Unavailable", "Connection: close"),
    "429": html("429 Too Many Requests", "Connection: close"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", KINDS)
def test_never_blindly(front: Front, kind: Kind, place: str) -> None:
    """Once a byte of the body may have left, a broken connection is the end; nothing is stored twice."""
    with Bench(front, kind, retries=3) as bench:
        for mode in ("fin", "rst"):
            for rows in BODIES.values():
                table = make_table(front)
                seen = bench.attempt(table, list(big(rows)), PLACES[place](mode))
                assert isinstance(seen.error, OperationalError)
                assert bench.attempts == 1 or place == "connect"
                if place in ("end", "answer") and mode == "rst":  # what the server had not read yet is lost
                    time.sleep(0.1)
                    assert count(front, table) in (0, rows)
                else:
                    landed(front, table, rows if place in ("end", "answer") else 0)
        bench.healthy()


@pytest.mark.parametrize("place", ["head", "later", "end", "answer"])
@pytest.mark.parametrize("kind", KINDS)
def test_with_a_token(front: Front, kind: Kind, place: str) -> None:
    """With ``insert_deduplication_token`` the server has what it has once: so it is repeated."""
    with Bench(front, kind, retries=3) as bench:
        for body, rows in BODIES.items():
            table = make_table(front, engine=DEDUPLICATING)
            token = {"insert_deduplication_token": f"{table} {body}"}
            plan = PLACES[place]("fin")
            assert bench.attempt(table, list(big(rows)), [plan, plan], settings=token).good
            assert bench.attempts == 3
            found = columns(front, f"SELECT count(), uniqExact(a) FROM {table}")
            assert found == [[str(rows), str(rows)]]


def test_before_the_body(front: Front) -> None:
    """Nobody listens yet: not a byte has left, and the insert is repeated; also with ``retries=0``: not."""
    for kind in KINDS:
        table = make_table(front)
        with Caller(kind, front.port, retries=5) as ours, Caller(kind, front.port, retries=0) as never:
            gone = FaultProxy(front.port)
            gone.close()
            for caller in (ours, never):
                backend = caller.client._backend
                good, backend._base_url = backend._base_url, f"http://127.0.0.1:{gone.port}"
            assert never.attempt(table, [[1, "x"]], **TYPES).kind == "OperationalError"
            timer = threading.Timer(0.2, setattr, [ours.client._backend, "_base_url", good])
            timer.start()
            assert ours.insert(table, list(big(3)), **TYPES).written_rows == 3
        landed(front, table, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_refusals_before_rows_are_read(front: Front, kind: Kind) -> None:
    """Too many queries at the moment: nothing is stored, so it is repeated, at once or while sending."""
    with Bench(front, kind, retries=3) as bench:
        for rows in BODIES.values():
            for plan in (garbage(REFUSALS["202"], of="body"), garbage(REFUSALS["202"], of="last chunk")):
                table = make_table(front)
                assert bench.attempt(table, list(big(rows)), [plan, plan, plan]).good
                assert bench.attempts == 4
                landed(front, table, rows)
        seen = bench.attempt(table, list(big(5)), garbage(REFUSALS["202"], of="body"))
        assert (seen.kind, seen.code, seen.name) == ("DatabaseError", 202, "TOO_MANY_SIMULTANEOUS_QUERIES")
        assert bench.attempts == 4
    with Bench(front, kind) as bench:
        seen = bench.attempt(table, list(big(5)), garbage(REFUSALS["202"], of="body"))
        assert (seen.code, bench.attempts) == (202, 1)


@pytest.mark.parametrize("name", ["503", "429"])
@pytest.mark.parametrize("kind", KINDS)
def test_refusals_of_somebody_else(front: Front, kind: Kind, name: str) -> None:
    """A proxy on the way: what the server has of it is not known.  As plain: ``OperationalError``."""
    plan = garbage(REFUSALS[name], of="body")
    outcomes = []
    for ours, retries in ((False, None), (True, None), (True, 2)):
        options = {"retries": retries} if ours else {}
        with Bench(front, kind, ours, **options) as bench:
            outcomes += [bench.attempt(make_table(front), list(big(5)), plan), bench.attempts]
    assert outcomes == outcomes[:2] * 3
    assert (outcomes[0].kind, outcomes[0].code, outcomes[1]) == ("OperationalError", None, 1)


CODES = [(202, False, 4), (745, False, 4), (241, False, 1), (241, True, 4), (252, False, 1), (60, True, 1)]


@pytest.mark.parametrize(("code", "token", "attempts"), CODES)
def test_codes(front: Front, code: int, token: bool, attempts: int) -> None:
    """What the server may have stored a part of is repeated with a token only; what will not do, never."""
    for kind in KINDS:
        table = make_table(front)
        settings = {"log_comment": f"/* fail {code} */"} | (
            {"insert_deduplication_token": "t"} if token else {}
        )
        with Recorder(front.port) as proxy, Caller(kind, proxy.port, retries=3) as ours:
            seen = ours.attempt(table, list(big(3)), settings=settings, **TYPES)
            assert seen.code == code
            inserts = inserts_of(proxy)
            assert len(inserts) == attempts
            assert len({one.body for one in inserts}) == 1
        assert count(front, table) == 0


# --- tokens of a login ----------------------------------------------------------------------------


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("retries", [None, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_tokens_are_renewed(front: Front, kind: Kind, body: str, retries: int | None) -> None:
    """An expired one: the provider is asked for another, and the insert is repeated, once."""
    asked: list[int] = []

    def provider() -> str:
        asked.append(1)
        return "good-token"

    table = make_table(front)
    with Caller(kind, front.port, token_provider=provider, retries=retries) as ours:
        asked.clear()
        ours.client.set_access_token("expired")
        assert ours.insert(table, list(big(BODIES[body])), **TYPES).written_rows == BODIES[body]
        assert len(asked) == 1
        ours.client.set_access_token("expired")
        seen = ours.attempt(table, big(BODIES[body]), **TYPES)
        if not seen.good:  # those rows are gone, but the next insert has the new token
            assert seen.code == 516
            ours.insert(table, big(BODIES[body]), **TYPES)
        assert len(asked) == 2
    landed(front, table, 2 * BODIES[body])


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("kind", KINDS)
def test_tokens_that_stay_bad(front: Front, kind: Kind, body: str) -> None:
    """The error of the plain client; no endless asking."""
    tokens = iter(["good-token", "bad 1", "bad 2", "bad 3", "bad 4"])
    table = make_table(front)
    with Caller(kind, front.port, token_provider=lambda: next(tokens)) as ours:
        ours.client.set_access_token("expired")
        seen = ours.attempt(table, list(big(BODIES[body])), **TYPES)
        assert (seen.kind, seen.code, seen.name) == ("DatabaseError", 516, "AUTHENTICATION_FAILED")
        assert next(tokens) in ("bad 2", "bad 3")
    with Caller(kind, front.port, access_token="good-token") as ours:
        ours.client.set_access_token("expired")
        seen = ours.attempt(table, list(big(BODIES[body])), **TYPES)
        assert (seen.kind, seen.code) == ("DatabaseError", 516)
    landed(front, table, 0)


# --- rows that fail -------------------------------------------------------------------------------

FAILURES: list[BaseException] = [
    OSError("disk"),
    ConnectionResetError("of the source"),
    ConnectionResetError(errno.ECONNRESET, "of the source"),
    BrokenPipeError(errno.EPIPE, "of the source"),
    TimeoutError("of the source"),
    ValueError("bad line"),
    OperationalError("of the client that the rows come from", code=202),
]


def check_rows_that_fail(
    front: Front, kind: Kind, shape: Shape, error: BaseException, retries: int | None, compress: bool | str
) -> None:
    """The exception of the rows, at once, never taken for one of the connection; nothing is stored."""
    table = make_table(front)
    options: dict[str, Any] = {"retries": retries, "compress": compress, "send_receive_timeout": 9}
    settings = {"insert_deduplication_token": "t"} if retries else None
    with Recorder(front.port) as proxy, Caller(kind, proxy.port, **options) as ours:
        for rows in (5, 3000):
            start = time.monotonic()
            seen = ours.attempt(table, of_shape(shape, big(rows, error)), settings=settings, **TYPES)
            assert time.monotonic() - start < 6
            if type(error) is TimeoutError and kind == "async":  # asyncio makes a new one of it
                assert (seen.kind, str(seen.error)) == ("TimeoutError", str(error))
            else:
                assert seen.error is error
        assert len(inserts_of(proxy)) <= 1
        ours.insert(table, [[0, "after"]], **TYPES)
    landed(front, table, 1)


@pytest.mark.parametrize("retries", [None, 3])
@pytest.mark.parametrize("error", FAILURES, ids=repr)
@pytest.mark.parametrize(
    ("kind", "shape"), [("sync", "generator"), ("async", "generator"), ("async", "agen")]
)
def test_rows_that_fail(
    front: Front, kind: Kind, shape: Shape, error: BaseException, retries: int | None
) -> None:
    """The body is ended by what the server refuses."""
    check_rows_that_fail(front, kind, shape, error, retries, compress=retries is None)


@pytest.mark.parametrize("error", FAILURES, ids=repr)
@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_fail_in_gzip(front: Front, kind: Kind, error: BaseException) -> None:
    """The body is broken off, for nothing that could follow is certain to be refused."""
    check_rows_that_fail(front, kind, "generator", error, 3, compress="gzip")


@pytest.mark.parametrize("compress", [False, True, "zstd", "gzip"])
@pytest.mark.parametrize("shape", ["list", "generator"])
def test_values_that_are_refused(front: Front, shape: Shape, compress: bool | str) -> None:
    """In any block, and in the row after one: no server may take the body for complete."""
    for format in ("Native", "RowBinary"):
        table = make_table(front)
        with (
            Recorder(front.port) as proxy,
            Caller("sync", proxy.port, compress=compress, retries=2, format=format) as ours,
        ):
            for bad in (2, 1024, 2999):
                rows = ((number, None if number == bad else pad) for number, pad in big(3000))
                with pytest.raises(ValueRefusedError) as info:
                    ours.insert(table, of_shape(shape, rows), **TYPES)
                assert isinstance(info.value, DataError)
                assert (info.value.row, info.value.column) == (bad, "s")
                assert not hasattr(info.value, "__notes__")  # of a server that has accepted it
            assert len(inserts_of(proxy)) <= 2
            ours.insert(table, [[0, "after"]], **TYPES)
        landed(front, table, 1)


@pytest.mark.parametrize("rows", BODIES.values(), ids=BODIES)
def test_interrupts(front: Front, rows: int) -> None:
    """Ctrl-C while rows are made: it goes through, nothing is stored, the client goes on."""
    table = make_table(front)
    for retries in (None, 3):
        free = {"autogenerate_session_id": False}  # a session is locked until the server notices
        with Caller("sync", front.port, retries=retries, **free) as ours:
            with pytest.raises(KeyboardInterrupt):
                ours.insert(table, big(rows, KeyboardInterrupt()), **TYPES)
            ours.insert(table, [[0, "after"]], **TYPES)
    landed(front, table, 2)
