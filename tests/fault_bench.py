"""A server behind the proxy that breaks connections, clients on the other side, and a book of what landed."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from clients import Facade, Kind, eventually
from fault_cases import NAMES, OK, OUTCOMES, Body, Edges
from faults import Canned, FaultProxy, Plan
from front_process import Front
from server18 import Server18

from rowbinary import ClientError

Server = Server18 | Front
Row = tuple[int, int, bytes]
TABLE = "faults"
SCHEMA = "cell UInt32, n UInt32, pad String"
PAD = os.urandom(1 << 16)  # rows of this size cannot be compressed: no row is in the window of another
ROWS: dict[Body, int] = {"whole": 100, "stream": 40}
MANY = 400  # rows of a stream, more than the buffers between two sockets hold
WAITS_AT = 34  # the row of a stream, in its last chunk, that waits for the fault
LONG = {"connect_timeout": 5.0, "send_timeout": 10.0, "answer_timeout": 10.0}
SHORT = {"connect_timeout": 0.5, "send_timeout": 0.5, "answer_timeout": 0.5}
MARGIN = 4.0
_cells = itertools.count(1_000_000)


@dataclasses.dataclass(frozen=True)
class Seen:
    """What one insert came to: a letter of `fault_cases.NAMES`, the error, the time it took."""

    letter: str
    error: ClientError | None
    seconds: float


def rows_of(cell: int, body: Body = "whole", count: int | None = None) -> Iterator[Row]:
    """The rows of one cell."""
    pad = PAD if body == "stream" else PAD[:10]
    return ((cell, n, pad) for n in range(ROWS[body] if count is None else count))


def gated(rows: Iterable[Row], ready: Callable[[], object]) -> Iterator[Row]:
    """The rows of a stream; the last chunk only when it is `ready`, or after two seconds."""
    for row in rows:
        if row[1] == WAITS_AT:
            until = time.monotonic() + 2
            while not ready() and time.monotonic() < until:
                time.sleep(0.002)
            time.sleep(0.02)  # for the news to reach the client's socket
        yield row


def attempt(client: Facade, rows: Iterable[Row], **options: Any) -> Seen:
    """One insert; an exception that is none of the client's goes through."""
    begun = time.monotonic()
    failure: ClientError | None = None
    try:
        client.insert(TABLE, rows, schema=SCHEMA, **options)
    except ClientError as error:
        failure = error
    seconds = time.monotonic() - begun
    name = OK if failure is None else type(failure).__name__
    letter = next(letter for letter, one in NAMES.items() if one == name)
    assert failure is None or failure.outcome == OUTCOMES[letter], failure
    return Seen(letter, failure, seconds)


class Bench:
    """One server behind a proxy, and what must be found in its table."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.proxy = FaultProxy(server.port)
        self.book: dict[int, frozenset[int]] = {}
        server.query(f"CREATE TABLE IF NOT EXISTS {TABLE} ({SCHEMA}) ENGINE = MergeTree ORDER BY (cell, n)")

    @property
    def old(self) -> bool:
        """Whether the server may take a body that was cut for a complete one."""
        return isinstance(self.server, Server18)

    def cell(self) -> int:
        """A number that no other test has."""
        return next(_cells)

    def count(self, cell: int) -> int:
        """The rows that are there."""
        return int(self.server.query(f"SELECT count() FROM {TABLE} WHERE cell = {cell}"))

    def client(self, kind: Kind, plan: Plan | list[Plan | None] | None, **options: Any) -> Facade:
        """A client that knows the server; its next connection meets the plan."""
        self.proxy.plan, self.proxy.seen = None, []
        client = Facade(kind, self.proxy.url, **options)
        client.server_version()
        client.close()
        self.proxy.plan = plan
        return client

    def landed(self, cell: int, rows: int, seen: Seen) -> None:
        """All or nothing has landed, as the outcome says; also at the end of all tests."""
        outcome = OUTCOMES.get(seen.letter, OK)
        allowed = {"refused": {0}, "unknown": {0, rows}}.get(outcome, {rows})
        self.book[cell] = frozenset(allowed)
        assert self.count(cell) in allowed, seen

    def healthy(self, client: Facade) -> None:
        """The next insert of this client lands, once, at once."""
        self.proxy.plan = None
        time.sleep(0.03)  # an end that comes in the same moment as the next request cannot be noticed
        cell = self.cell()
        seen = attempt(client, rows_of(cell))
        assert seen.letter == "+", seen
        assert seen.seconds < MARGIN
        self.landed(cell, ROWS["whole"], seen)

    def close(self) -> None:
        """Look once more: nothing has landed late, or twice."""
        self.proxy.close()
        eventually(self.wrong, {}, 3.0)

    def wrong(self) -> dict[int, tuple[int, int]]:
        """Rows, and different rows, of the cells that are not as they must be."""
        if self.server.pid is None:
            return {}
        sql = f"SELECT cell, count(), uniqExact(n) FROM {TABLE} GROUP BY cell FORMAT TSV"
        lines = (map(int, line.split("\t")) for line in self.server.query(sql).splitlines())
        found = {cell: (count, unique) for cell, count, unique in lines}
        return {
            cell: found.get(cell, (0, 0))
            for cell, allowed in self.book.items()
            if found.get(cell, (0, 0)) not in {(count, count) for count in allowed}
        }


@contextlib.contextmanager
def benches(get: Callable[[str], Server]) -> Iterator[Callable[[str], Bench]]:
    """Benches for the names of servers, made when they are needed."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def bench(name: str) -> Bench:
            made = Bench(get(name))
            stack.callback(made.close)
            return made

        yield bench


@functools.cache
def edges_of(version: tuple[int, ...], body: Body, compression: str) -> Edges:
    """Where the frames of a body end on the wire, with what HTTP puts around chunks."""
    text = ".".join(map(str, version)).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    with Canned([head % len(text) + text, head % 0]) as canned:
        with Facade("sync", canned.url, compression=compression) as client:
            assert attempt(client, rows_of(1_000_000, body)).letter == "+"
        received = canned.received[1]
    if body == "whole":
        return (len(received.wire_body),)
    return tuple(itertools.accumulate(len(f"{len(one):x}") + len(one) + 4 for one in received.chunks))
