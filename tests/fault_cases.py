"""What becomes of an insert when the network breaks it: one table, for the tests and for the users.

python tests/fault_cases.py          # the tables of docs/reliability.md
python tests/fault_cases.py --write  # puts them there
"""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from collections.abc import Callable
from typing import Literal

from faults import Base, Plan, cut, half_close, refuse, stall

Kind = Literal["sync", "async"]
Body = Literal["whole", "stream"]
How = Literal["fin", "rst", "half-close", "stall"]
Edges = tuple[int, ...]  # where the frames of a body end, in bytes of the body on the wire

PAGE = pathlib.Path(__file__).parent.parent / "docs" / "reliability.md"
BEGIN, END = "<!-- faults: made by tests/fault_cases.py -->\n", "<!-- end of faults -->\n"

OK = "committed"
# The letters of the tables below.
NAMES = {
    "+": OK,
    "T": "TransportError",
    "S": "SendTimeoutError",
    "E": "ServerError",
    "U": "UnknownStateError",
    "A": "AnswerTimeoutError",
}
OUTCOMES = {"T": "refused", "S": "refused", "E": "refused", "U": "unknown", "A": "unknown"}


@dataclasses.dataclass(frozen=True)
class Results:
    """What may come of it, as letters; several where it is a matter of microseconds.

    `whole` is an insert whose body is known before it is sent (up to 1 MiB), `stream` a longer one; `old`
    are those of servers that take a cut body for a complete one, where these differ.
    """

    hows: tuple[How, ...]
    whole: str = ""
    stream: str = ""
    old_whole: str = ""
    old_stream: str = ""

    def of(self, body: Body, old: bool) -> str:
        """The letters of one case; none where it does not exist."""
        new, before = (self.whole, self.old_whole) if body == "whole" else (self.stream, self.old_stream)
        return (old and before) or new


@dataclasses.dataclass(frozen=True)
class Stage:
    """A moment of an insert, the plan that breaks it there, and what comes of it."""

    name: str
    text: str
    plan: Callable[[How, Edges], Plan]
    results: tuple[Results, ...]
    passed: bool = False  # all of the request has left the client by then


def there(base: Base, find: Callable[[Edges], int] | int) -> Callable[[How, Edges], Plan]:
    """A fault on the way of the request."""

    def plan(how: How, edges: Edges) -> Plan:
        place = find if isinstance(find, int) else find(edges)
        if how == "half-close":
            return half_close(place, base)
        return stall(place, base) if how == "stall" else cut(place, base, mode=how)

    return plan


def back(base: Base, place: int) -> Callable[[How, Edges], Plan]:
    """A fault on the way of the answer."""

    def plan(how: How, edges: Edges) -> Plan:
        assert how != "half-close"
        return stall(place, base, "answer") if how == "stall" else cut(place, base, "answer", how)

    return plan


def refusing(how: How, edges: Edges) -> Plan:
    """Connections end at once."""
    assert how in ("fin", "rst")
    return refuse(how)


CUT: tuple[How, ...] = ("fin", "rst")
HALF: tuple[How, ...] = ("half-close",)
STALL: tuple[How, ...] = ("stall",)
STAGES = (
    Stage("connect", "as soon as there is a connection", refusing, (Results(CUT, "TU", "T"),)),
    Stage(
        "start", "before the first byte of the request", there("start", 0),
        (Results((*CUT, *HALF), "TU", "T"), Results(STALL, "A", "S")),
    ),
    Stage(
        "head", "in its head", there("start", 20),
        (Results((*CUT, *HALF), "TU", "T"), Results(STALL, "A", "S")),
    ),
    Stage(
        "after head", "after its head (a stream waits for 100 Continue)", there("body", 0),
        (Results(CUT, "TU", "T"), Results(HALF, "E", "E", "+U", "UT"), Results(STALL, "A", "S")),
    ),
    Stage(
        "first byte", "after the first byte of the body", there("body", 1),
        (Results(CUT, "U", "T"), Results(HALF, "E", "ETU", "", "UT"), Results(STALL, "A", "S")),
    ),
    Stage(
        "frame", "in the middle of a frame", there("body", lambda edges: edges[0] // 2 + 1),
        (Results(CUT, "U", "T"), Results(HALF, "E", "ETU"), Results(STALL, "A", "S")),
    ),
    Stage(
        "edge", "between two frames", there("body", lambda edges: edges[0]),
        (Results(CUT, "", "T"), Results(HALF, "", "ETU"), Results(STALL, "", "S")),
    ),
    Stage(
        "later edge", "between the last two frames", there("body", lambda edges: edges[-2]),
        (Results(CUT, "", "T"), Results(HALF, "", "ETU"), Results(STALL, "", "S")),
    ),
    Stage(
        "last chunk", "after the last frame, before the end of the body", there("last chunk", 0),
        (Results(CUT, "", "U"), Results(HALF, "", "EU", "", "+U"), Results(STALL, "", "A")), passed=True,
    ),
    Stage(
        "end", "after the request, before any answer", there("end", 0),
        (Results(CUT, "U", "U"), Results(STALL, "A", "A")), passed=True,
    ),
    Stage(
        "answer", "before the first byte of the answer", back("final", 0),
        (Results(CUT, "U", "U"), Results(STALL, "A", "A")), passed=True,
    ),
    Stage(
        "answer 1", "after its first byte", back("final", 1),
        (Results(CUT, "U", "U"), Results(STALL, "A", "A")), passed=True,
    ),
    Stage(
        "answer head", "in its head", back("final", 40),
        (Results(CUT, "U", "U"), Results(STALL, "A", "A")), passed=True,
    ),
    Stage(
        "answer body", "in its body", back("body", 0),
        (Results(CUT, "U", "U"), Results(STALL, "A", "A")), passed=True,
    ),
    Stage("after", "after the answer", back("body", 5), (Results(CUT, "+", "+"),), passed=True),
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Wrong:
    """An answer that is not ClickHouse's, and what it means before the body and after the request."""

    name: str
    text: str
    data: bytes
    early: str
    late: str


def html(status: str, *headers: str) -> bytes:
    """The answer of something between the client and the server."""
    body = "<html><body>No.</body></html>"
    lines = [f"HTTP/1.1 {status}", "Content-Type: text/html", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", body]).encode()


ENDLESS = b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-Header-%d: x\r\n" % n for n in range(100_000))
WRONG = (
    Wrong("html 200", "200 with a page", html("200 OK"), "U", "U"),
    Wrong("empty 200", "200 and nothing else", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "U", "+"),
    Wrong("403", "403, 404, 413: a page", html("403 Forbidden"), "T", "T"),
    Wrong("413", "", html("413 Content Too Large"), "T", "T"),
    Wrong("429", "429, or 503 with Retry-After", html("429 Too Many Requests", "Retry-After: 0"), "T", "T"),
    Wrong("503", "", html("503 Service Unavailable", "Retry-After: 0"), "T", "T"),
    Wrong("502", "500, 502, 503, 504: a page", html("502 Bad Gateway"), "T", "U"),
    Wrong("503 bare", "", html("503 Service Unavailable"), "T", "U"),
    Wrong("bytes", "not HTTP", bytes(range(1, 256)) * 4, "T", "U"),
    Wrong("http 0.9", "", b"<html><body>Hello.</body></html>\n", "T", "U"),
    Wrong("endless", "a head without an end", ENDLESS, "T", "U"),
    Wrong(
        "short body", "200, shorter than it says", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "TU", "U"
    ),
    Wrong("no end", "", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "TU", "U"),
    Wrong(
        "error 60", "an exception of ClickHouse",
        b"HTTP/1.1 404 Not Found\r\nX-ClickHouse-Exception-Code: 60\r\nContent-Length: 0\r\n\r\n", "E", "E",
    ),
)  # fmt: skip

TEXTS = {"fin": "closed", "rst": "reset", "half-close": "half closed", "stall": "silence"}


def words(letters: str) -> str:
    """Letters as the page has them."""
    return " or ".join(NAMES[one] if NAMES[one] == OK else f"`{NAMES[one]}`" for one in letters)


def cell(result: Results, body: Body) -> str:
    """What comes of a case, on new servers and on old ones."""
    new, old = result.of(body, old=False), result.of(body, old=True)
    return words(new) if new == old else f"{words(new)} (old servers: {words(old)})"


def tables() -> str:
    """The tables of the page; stages with equal results share a row."""
    lines = ["| it breaks | how | one piece | stream |", "| --- | --- | --- | --- |"]
    rows: dict[str, list[str]] = {}
    for stage in STAGES:
        for result in stage.results:
            how = ", ".join(TEXTS[how] for how in result.hows)
            rest = f"{how} | {cell(result, 'whole')} | {cell(result, 'stream')}"
            rows.setdefault(rest, []).append(stage.text)
    lines += [f"| {'; '.join(texts)} | {rest} |" for rest, texts in rows.items()]
    lines += ["", "| the answer is | before the body is sent | after the request |", "| --- | --- | --- |"]
    lines += [f"| {one.text} | {words(one.early)} | {words(one.late)} |" for one in WRONG if one.text]
    return "\n".join(lines) + "\n"


def written(page: str) -> str:
    """The page with current tables."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + tables() + END + after


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(written(PAGE.read_text()))
    else:
        print(tables(), end="")
