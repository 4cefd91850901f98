"""What becomes of inserts whose connection breaks, at every moment, and of those with wrong answers.

What is expected stands in fault_cases.py, which also makes the tables of docs/reliability.md of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from clients import KINDS, Kind, eventually
from fault_bench import LONG, MANY, MARGIN, ROWS, SHORT, Bench, attempt, benches, edges_of, gated, rows_of
from fault_cases import PAGE, STAGES, WRONG, Body, How, Results, Stage, Wrong, written
from faults import garbage

pytestmark = pytest.mark.faults

SERVERS = ("server18", "front")
BODIES: tuple[Body, ...] = ("whole", "stream")


@pytest.fixture(scope="module")
def bench_of(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Bench]]:
    """Servers behind proxies; at the end their tables are looked through once more."""
    with benches(request.getfixturevalue) as find:
        yield find


def test_page_is_current() -> None:
    """`python tests/fault_cases.py --write` makes it so."""
    page = PAGE.read_text()
    assert page == written(page)


def cells(compression: str) -> Iterator[Any]:
    """All combinations as parameters; those that are slow, or say little that is new, are marked."""
    for server in SERVERS:
        for kind in KINDS:
            for number, stage in enumerate(STAGES):
                for result in stage.results:
                    for how in result.hows:
                        for body in BODIES:
                            if result.of(body, old=False):
                                slow = how == "stall" and (server, kind, body) not in FEW[number % 2]
                                yield pytest.param(
                                    server, kind, stage, how, body, result, compression,
                                    marks=[pytest.mark.slow] if slow or compression != "lz4" else [],
                                    id="-".join((server, kind, stage.name, how, body, compression)),
                                )  # fmt: skip


# Where the silence of a connection is waited for in the ordinary run, at every other stage.
FEW = (
    {("server18", "sync", "stream"), ("front", "async", "whole")},
    {("front", "async", "stream"), ("front", "sync", "whole")},
)
CELLS = [*cells("lz4"), *cells("none"), *cells("http-gzip")]


@pytest.mark.parametrize(("server", "kind", "stage", "how", "body", "result", "compression"), CELLS)
def test_cell(
    bench_of: Callable[[str], Bench],
    server: str,
    kind: Kind,
    stage: Stage,
    how: How,
    body: Body,
    result: Results,
    compression: str,
) -> None:
    check(bench_of(server), kind, stage, how, body, result, compression)


def check(
    bench: Bench, kind: Kind, stage: Stage, how: How, body: Body, result: Results, compression: str = "lz4"
) -> None:
    """One cell of the matrix."""
    limits = SHORT if how == "stall" else LONG
    many = how == "stall" and body == "stream" and not stage.passed
    count, cell = MANY if many else ROWS[body], bench.cell()
    with bench.client(kind, None, retries=0, compression=compression, **limits) as client:
        plan = stage.plan(how, edges_of(client.server_version(), body, compression))
        client.close()
        bench.proxy.plan = plan
        rows = rows_of(cell, body, count)
        if body == "stream" and not stage.passed:
            rows = gated(rows, lambda: bench.proxy.faults)
        seen = attempt(client, rows)
        eventually(lambda: bench.proxy.faults, 1)  # what comes after the answer may not have come yet
        expected = result.of(body, bench.old)
        if bench.old and compression == "none":
            expected = expected.replace("T", "TU").replace("S", "SU")  # it may have taken the rest for a body
        if bench.old and compression == "http-gzip" and how == "half-close":
            expected += "E"  # an end in the wrong place is an error here
        assert seen.letter in expected, seen
        # A stream waits a second for a 100 Continue.
        bound = sum(limits.values()) + 1 if how == "stall" else 0.0
        assert seen.seconds < bound + MARGIN
        empty = (
            bench.old
            and seen.letter == "+"
            and (stage.name, how, body) == ("after head", "half-close", "whole")
        )
        # A connection that is half open may take all of the request before the news comes; nothing is stored.
        short = how == "half-close" and not stage.passed and not bench.old
        bench.landed(cell, 0 if empty or short else count, seen)
        bench.healthy(client)


@pytest.mark.parametrize("compression", ["none", "http-gzip"])
@pytest.mark.parametrize("how", ["fin", "half-close"])
@pytest.mark.parametrize("name", ["frame", "edge", "last chunk"])
def test_without_frames(
    bench_of: Callable[[str], Bench], name: str, how: How, compression: str, kind: Kind
) -> None:
    """The old server, where compression matters most."""
    stage = next(one for one in STAGES if one.name == name)
    result = next(one for one in stage.results if how in one.hows)
    check(bench_of("server18"), kind, stage, how, "stream", result, compression)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda one: one.name)
@pytest.mark.parametrize("moment", ["early", "late"])
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("server", ["front", pytest.param("server18", marks=pytest.mark.slow)])
def test_wrong_answers(
    bench_of: Callable[[str], Bench], server: str, kind: Kind, body: Body, moment: str, wrong: Wrong
) -> None:
    """Answers of something in between, before the body is sent and after the whole request."""
    bench = bench_of(server)
    plan = garbage(wrong.data, of="body")
    if moment == "late":  # the client has sent all, the server has not got all
        plan = garbage(wrong.data, -1, "end") if body == "whole" else garbage(wrong.data, of="last chunk")
    with bench.client(kind, plan, retries=0, **LONG) as client:
        cell = bench.cell()
        seen = attempt(client, rows_of(cell, body))
        expected = wrong.late if moment == "late" else wrong.early
        if body == "whole" and moment == "early":
            expected += wrong.late  # its body does not wait
        assert seen.letter in expected, seen
        assert seen.seconds < MARGIN
        if seen.letter != "+":
            bench.landed(cell, ROWS[body], seen)
        bench.healthy(client)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda one: one.name)
def test_wrong_answers_in_the_body(bench_of: Callable[[str], Bench], kind: Kind, wrong: Wrong) -> None:
    """In the middle of a stream: what was sent so far is no insert, but only some answers say so."""
    bench = bench_of("front")
    with bench.client(kind, garbage(wrong.data, 100_000, of="body"), retries=0, **LONG) as client:
        cell = bench.cell()
        seen = attempt(client, gated(rows_of(cell, "stream"), lambda: bench.proxy.faults))
        assert seen.letter in {"T": "T", "E": "E"}.get(wrong.late, "TU"), seen
        assert seen.seconds < MARGIN
        bench.landed(cell, ROWS["stream"], seen)
        bench.healthy(client)
