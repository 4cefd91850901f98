"""What clients do by themselves: repeat what is safe to repeat, mistrust old connections, survive servers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from clients import KINDS, Facade, Kind, eventually
from fault_bench import (
    LONG,
    MARGIN,
    PAD,
    ROWS,
    SCHEMA,
    SHORT,
    TABLE,
    Bench,
    Row,
    Server,
    attempt,
    benches,
    gated,
    rows_of,
)  # fmt: skip
from fault_cases import STAGES, Body, How, html
from faults import Canned, Plan, Reply, cut, delay, garbage, half_close, one_byte, refuse, say, slow, stall
from front_process import Front
from loopback import HOST, Mode
from server18 import Server18
from servers import need

from rowbinary import ClientError

pytestmark = pytest.mark.faults

SERVERS = ("server18", "front")
BODIES: tuple[Body, ...] = ("whole", "stream")
CUTS: tuple[How, ...] = ("fin", "rst")
MODES: tuple[Mode, ...] = ("fin", "rst")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.fixture(scope="module")
def bench_of(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Bench]]:
    """Servers behind proxies; at the end their tables are looked through once more."""
    with benches(request.getfixturevalue) as find:
        yield find


@pytest.fixture(params=SERVERS)
def bench(request: pytest.FixtureRequest, bench_of: Callable[[str], Bench]) -> Bench:
    """One of them."""
    return bench_of(request.param)


def expect(bench: Bench, kind: Kind, plan: Any, body: Body, letters: str, limits: Any = LONG) -> float:
    """An insert with the plan ahead comes to one of these; the seconds it took."""
    with bench.client(kind, plan, **limits) as client:
        cell = bench.cell()
        seen = attempt(client, rows_of(cell, body))
        assert seen.letter in letters, seen
        bench.landed(cell, ROWS[body], seen)
        bench.healthy(client)
    return seen.seconds


# --- repeating ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["fin", pytest.param("rst", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["connect", "start", "head", "after head"])
def test_streams_are_repeated_while_nothing_is_sent(bench: Bench, kind: Kind, name: str, how: How) -> None:
    stage = next(one for one in STAGES if one.name == name)
    plan = stage.plan(how, ())
    expect(bench, kind, [plan, plan, None], "stream", "+")
    assert bench.proxy.connections


@pytest.mark.parametrize("how", CUTS)
def test_bodies_that_may_have_left_are_not_repeated(bench: Bench, kind: Kind, how: How) -> None:
    """Where the break is noticed before the body is sent, they are, and land once."""
    stage = next(one for one in STAGES if one.name == "start")
    expect(bench, kind, [stage.plan(how, ()), None], "whole", "+UT")


def error_202(header: bool) -> bytes:
    text = b"Code: 202. DB::Exception: Too many simultaneous queries. (TOO_MANY_SIMULTANEOUS_QUERIES)\n"
    extra = b"X-ClickHouse-Exception-Code: 202\r\n" if header else b""
    head = b"HTTP/1.1 500 Internal Server Error\r\n%bContent-Length: %d\r\n\r\n"
    return head % (extra, len(text)) + text


REFUSALS = {
    "503": html("503 Service Unavailable", "Retry-After: 0"),
    "503 close": html("503 Service Unavailable", "Retry-After: 0", "Connection: close"),
    "429": html("429 Too Many Requests", "Retry-After: 0"),
    "202": error_202(header=True),
    "202 old": error_202(header=False),
}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_are_repeated(bench: Bench, kind: Kind, name: str, body: Body) -> None:
    """Once more, and on a new connection: the proxy ends the old one without a word."""
    # A server that has seen the head of a request would hold its query id.
    plan = garbage(REFUSALS[name], 1) if body == "whole" else garbage(REFUSALS[name], of="body")
    expect(bench, kind, [plan, None], body, "+")
    assert [one.fired for one in bench.proxy.seen[1:3]] == [True, False]


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_at_the_end(bench: Bench, kind: Kind, name: str) -> None:
    """A stream whose pieces are gone cannot be repeated; the error says that nothing is stored."""
    plan = garbage(REFUSALS[name], of="last chunk")
    expect(bench, kind, [plan, None], "stream", "E" if name.startswith("202") else "T")


def test_refused_for_good(bench: Bench, kind: Kind) -> None:
    """After the last attempt the error is that of the refusal."""
    plan = garbage(REFUSALS["503"], of="body")
    with bench.client(kind, plan, retries=1, **LONG) as client:
        seen = attempt(client, rows_of(bench.cell(), "stream"))
        assert seen.letter == "T"
        assert getattr(seen.error, "status", None) == 503
        assert len(bench.proxy.seen) == 3
        bench.healthy(client)


RUNNING = b"HTTP/1.1 500 Oh\r\nX-ClickHouse-Exception-Code: 216\r\nContent-Length: 0\r\n\r\n"
VERSION = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n26.9"
DONE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def test_an_attempt_that_runs_after_all(kind: Kind) -> None:
    """Somebody said 503, but the server has the query: what becomes of it is not known."""
    with Canned([VERSION, REFUSALS["503"], RUNNING]) as canned, Facade(kind, canned.url) as client:
        with pytest.raises(ClientError) as info:
            client.insert(TABLE, rows_of(1), schema=SCHEMA)
        assert (type(info.value).__name__, info.value.outcome) == ("ServerError", "unknown")
        assert len(canned.requests) == 3


def test_an_attempt_that_has_not_ended_yet(kind: Kind) -> None:
    """It broke before its body, and the server has not noticed: the next one waits."""
    replies = [Reply(REFUSALS["503"], before_body=True, close=True), Reply(RUNNING, True, True)]
    with (
        Canned([VERSION, *replies, Reply(DONE, send_100=True)]) as canned,
        Facade(kind, canned.url) as client,
    ):
        assert client.insert(TABLE, rows_of(1, "stream"), schema=SCHEMA).rows == ROWS["stream"]


# --- connections that were idle -------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["fin", pytest.param("rst", marks=pytest.mark.slow)])
@pytest.mark.parametrize("body", BODIES)
def test_idle_connections_are_asked_first(
    bench: Bench, kind: Kind, body: Body, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy ends them when the request comes."""
    if kind != "sync":
        pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    monkeypatch.setattr(f"rowbinary._{'http' if kind == 'sync' else 'aiohttp'}.TRUSTED_IDLE", 0.2)
    bench.proxy.plan, bench.proxy.seen = [cut(request=1, mode=mode), None], []
    with Facade(kind, bench.proxy.url, **LONG) as client:
        client.server_version()
        time.sleep(0.25)
        cell = bench.cell()
        seen = attempt(client, rows_of(cell, body))
        assert seen.letter == "+", seen
        assert [one.fired for one in bench.proxy.seen] == [True, False]
        bench.landed(cell, ROWS[body], seen)
        bench.healthy(client)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("body", "letters"), [("whole", "+TU"), ("stream", "+")])
def test_connections_that_end_in_that_moment(
    bench: Bench, kind: Kind, body: Body, letters: str, mode: Mode
) -> None:
    """Just used, they are trusted with short bodies; streams ask always."""
    bench.proxy.plan, bench.proxy.seen = [cut(request=1, mode=mode), None], []
    with Facade(kind, bench.proxy.url, **LONG) as client:
        client.server_version()
        cell = bench.cell()
        seen = attempt(client, rows_of(cell, body))
        assert seen.letter in letters, seen
        bench.landed(cell, ROWS[body], seen)
        bench.healthy(client)


@pytest.mark.parametrize(
    "pauses",
    [(0.0, 0.95, 1.0, 1.1), pytest.param((0.0, 0.9, 0.99, 1.0, 1.1, 2.0), marks=pytest.mark.slow)],
    ids=["few", "many"],
)
@pytest.mark.parametrize("name", SERVERS)
def test_short_keep_alive(name: str, pauses: tuple[float, ...]) -> None:
    """Inserts around the moment when the server ends the connection: none fails, none lands twice."""
    made: Server
    if name == "server18":
        need(Server18.missing())
        made = Server18(keep_alive_timeout=1)
    else:
        need(Front.missing())
        made = Front(keep_alive=1)
    with made as server:
        bench = Bench(server)
        clients = [Facade(kind, bench.proxy.url, **LONG) for kind in KINDS]
        for pause in pauses:
            time.sleep(pause)
            for client in clients:
                cell = bench.cell()
                seen = attempt(client, rows_of(cell))
                assert seen.letter == "+", (pause, seen)
                bench.landed(cell, ROWS["whole"], seen)
        for client in clients:
            client.__exit__()
        bench.close()


# --- slow ones ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "body"),
    [
        pytest.param(slow(5_000_000), "stream", id="stream slowly"),
        pytest.param(slow(5_000), "whole", id="slowly"),
        pytest.param(one_byte(), "whole", id="byte by byte"),
        pytest.param(one_byte(), "stream", marks=pytest.mark.slow, id="stream byte by byte"),
        pytest.param(say(CONTINUE, of="body"), "stream", id="100 twice"),
        pytest.param(say(CONTINUE * 2, 100_000, of="body"), "stream", id="100 in the body"),
        pytest.param(say(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", of="body"), "stream", id="103"),
        pytest.param(delay(1.3, of="body"), "stream", id="100 late"),
        pytest.param(delay(0.4, of="final", side="answer"), "stream", id="answer late"),
    ],
)
def test_slow_but_well(bench: Bench, kind: Kind, plan: Plan, body: Body) -> None:
    seconds = 50.0 if body == "stream" and plan.one_byte else 5.0
    assert expect(bench, kind, plan, body, "+", {**LONG, "answer_timeout": seconds}) < seconds


def test_too_slow(bench: Bench, kind: Kind) -> None:
    with bench.client(kind, slow(100_000), retries=0, **SHORT) as client:
        cell = bench.cell()
        seen = attempt(client, rows_of(cell, "stream", 400))
        assert seen.letter == "S", seen
        assert seen.seconds < 0.5 + 1 + MARGIN
        bench.landed(cell, 400, seen)
        bench.healthy(client)


def test_rows_may_take_longer_than_answers(bench: Bench, kind: Kind) -> None:
    """The answer timeout begins at the end of the body."""
    start = time.monotonic()
    with bench.client(kind, None, **SHORT) as client:
        cell = bench.cell()
        rows = gated(rows_of(cell, "stream"), lambda: time.monotonic() - start > 1.5)
        seen = attempt(client, rows)
        assert seen.letter == "+", seen
        bench.landed(cell, ROWS["stream"], seen)


def test_a_head_that_never_ends(bench: Bench, kind: Kind) -> None:
    """Behind 100 Continue, which may have headers."""
    head = CONTINUE[:-2] + b"X: y\r\n" * 10_000
    expect(bench, kind, garbage(head, of="body"), "stream", "T", {**LONG, "retries": 0})


def test_nothing_after_a_part_of_100(bench: Bench, kind: Kind) -> None:
    with bench.client(kind, stall(9, side="answer"), retries=0, **SHORT) as client:
        cell = bench.cell()
        seen = attempt(client, rows_of(cell, "stream", 400))
        assert seen.letter in "ST", seen
        assert seen.seconds < 0.5 + 1 + MARGIN
        bench.landed(cell, 400, seen)
        bench.healthy(client)


def test_no_connection_in_time(kind: Kind) -> None:
    """A backlog that is full answers no more."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for one in fillers:
            one.setblocking(False)
            one.connect_ex((HOST, port))
        begun = time.monotonic()
        with Facade(kind, f"http://{HOST}:{port}", retries=0, **SHORT) as client:
            with pytest.raises(TimeoutError) as info:
                client.server_version()
            assert type(info.value).__name__ == "ConnectTimeoutError"
        assert time.monotonic() - begun < 0.5 + MARGIN
        for one in fillers:
            one.close()


# --- servers that end -----------------------------------------------------------------------------


@pytest.fixture(scope="module", params=SERVERS)
def mortal(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A server of our own, which keeps its data."""
    made: Server
    if request.param == "server18":
        need(Server18.missing())
        made = Server18()
    else:
        need(Front.missing())
        made = Front(disk=True)
    with made as server:
        bench = Bench(server)
        yield bench
        bench.close()


def revive(bench: Bench) -> None:
    bench.server.start()
    bench.proxy.target_port = bench.server.port
    eventually(lambda: bench.server.query("SELECT 1").strip(), "1")


def test_killed_in_the_body(mortal: Bench, kind: Kind) -> None:
    def killing(rows: Iterator[Row]) -> Iterator[Row]:
        for row in rows:
            if row[1] == 30:
                mortal.server.kill()
            yield row

    with mortal.client(kind, None, **LONG) as client:
        cell = mortal.cell()
        seen = attempt(client, gated(killing(rows_of(cell, "stream")), lambda: mortal.server.pid is None))
        revive(mortal)
        assert seen.letter == "T", seen
        mortal.landed(cell, ROWS["stream"], seen)
        mortal.healthy(client)


def test_killed_before_the_answer(mortal: Bench, kind: Kind) -> None:
    with mortal.client(kind, delay(0.6, of="final", side="answer"), **LONG) as client:
        cell = mortal.cell()
        killer = threading.Timer(0.3, mortal.server.kill)
        killer.start()
        with_sleep = {} if mortal.old else {"settings": {"log_comment": "/* sleep 2 */"}}
        seen = attempt(client, rows_of(cell), **with_sleep)
        killer.join(10)
        revive(mortal)
        assert seen.letter == ("+" if mortal.old else "U"), seen  # the old one had answered
        mortal.landed(cell, ROWS["whole"], seen)
        mortal.healthy(client)


def test_stopped(mortal: Bench, kind: Kind) -> None:
    with mortal.client(kind, None, **LONG) as client:
        mortal.server.stop()
        mortal.proxy.plan = refuse("rst")
        cell = mortal.cell()
        begun = time.monotonic()
        seen = attempt(client, rows_of(cell, "stream"))
        assert seen.letter == "T", seen
        assert time.monotonic() - begun < MARGIN
        revive(mortal)
        mortal.landed(cell, ROWS["stream"], seen)
        mortal.healthy(client)


# --- what old servers cannot notice ---------------------------------------------------------------


@pytest.mark.parametrize(("broken", "letter"), [(cut, "U"), (half_close, "+")])
def test_old_servers_take_plain_bodies_for_complete(
    bench_of: Callable[[str], Bench], kind: Kind, broken: Callable[..., Plan], letter: str
) -> None:
    """Without compression, cut between two rows: a part is stored; docs/reliability.md says so."""
    bench = bench_of("server18")
    row = 4 + 4 + 1 + 10
    with bench.client(kind, broken(50 * row, of="body"), compression="none", **LONG) as client:
        cell = bench.cell()
        seen = attempt(client, rows_of(cell))
        assert seen.letter == letter
        eventually(lambda: bench.count(cell), 50)
        bench.healthy(client)


def test_old_servers_and_rows_of_a_single_byte(bench_of: Callable[[str], Bench], kind: Kind) -> None:
    """In tables of one column frames may end where rows do, so nobody says that nothing is stored."""
    bench = bench_of("server18")
    table = f"{TABLE}_{kind}"
    bench.server.query(f"CREATE TABLE {table} (s String) ENGINE = MergeTree ORDER BY tuple()")
    # A chunk of 1 MiB, whose last row is one byte.
    rows = [("x" * 1022,)] * 1023 + [("x" * 1021,), ("",)] + [(PAD,)] * 40
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    with Canned([reply % 5 + b"18.16", reply % 0]) as canned, Facade("sync", canned.url) as client:
        client.insert(table, rows, schema="s String")
        first = len(canned.received[1].chunks[0])
    edge = len(f"{first:x}") + 2 + first + 2
    with bench.client(kind, cut(edge, of="body"), **LONG) as client:
        with pytest.raises(ClientError) as info:
            client.insert(table, rows, schema="s String")
        assert (type(info.value).__name__, info.value.outcome) == ("UnknownStateError", "unknown")
        eventually(lambda: int(bench.server.query(f"SELECT count() FROM {table}")), 1024)
        bench.healthy(client)


def test_no_threads_are_left() -> None:
    def left() -> list[str]:
        return [one.name for one in threading.enumerate() if one.name.startswith("rowbinary")]

    eventually(left, [])
