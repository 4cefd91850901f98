"""The faulty proxy and the canned server that other tests use do what they say."""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Iterator

import pytest
from faults import Canned, FaultProxy, Reply, cut, delay, garbage, half_close, one_byte, refuse, slow, stall
from loopback import Mode
from request_meter import Meter, Received
from wire import Wire

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture
def canned() -> Iterator[Canned]:
    """Many equal answers."""
    with Canned([OK] * 20) as server:
        yield server


@pytest.fixture
def proxy(canned: Canned) -> Iterator[FaultProxy]:
    """A proxy before them."""
    with FaultProxy(canned.port) as it:
        yield it


def until(condition: object) -> None:
    """Wait for a callable to be true."""
    assert callable(condition)
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it did not come true")


def test_meter() -> None:
    first = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b"3\r\nab\n\r\n10;x=y\r\n0123456789abcdef\r\n0\r\n\r\n"
    second = b"POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\n\r\n\r"
    third = b"GET /ping HTTP/1.1\r\n\r\n"
    stream = first + body + second + third
    for step in (1, 2, 7, 1000):
        meter, ends = Meter(), []
        for start in range(0, len(stream), step):
            rest = stream[start : start + step]
            while rest:
                rest = rest[meter.feed(rest) :]
                if meter.done:
                    ends.append((meter.index, meter.size, meter.head_size, meter.last_chunk))
        assert ends == [
            (0, len(first + body), len(first), len(first + body) - 5),
            (1, len(second), len(second) - 3, None),
            (2, len(third), len(third), None),
        ]
    received = Received(first + body)
    assert received.chunks == [b"ab\n", b"0123456789abcdef"]
    assert received.body == b"ab\n0123456789abcdef"
    assert received.headers == {"transfer-encoding": "chunked"}
    assert received.first_line == "POST / HTTP/1.1"
    assert Received(second).body == b"\r\n\r"


def test_canned() -> None:
    replies: list[bytes | Reply] = [
        OK,
        Reply(OK, before_body=True),
        Reply(OK, send_100=True),
        Reply(OK, close=True),
        Reply(b"", reset=True),
    ]
    with Canned(replies) as server:
        with Wire(server.port) as wire:
            assert wire.post("a", b"first")[2] == b"ok"
            wire.head("b", "Content-Length: 6")
            assert wire.answer()[2] == b"ok"
            wire.socket.sendall(b"second")
            wire.head("c", "Content-Length: 1", "Expect: 100-continue")
            assert wire.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            wire.socket.sendall(b"3")
            assert wire.answer()[2] == b"ok"
            wire.head("d", CHUNKED)
            wire.chunk(b"4")
            wire.last()
            assert wire.answer()[2] == b"ok"
            assert wire.ended() == "fin"
        with Wire(server.port) as wire:
            wire.head("e", "Content-Length: 0")
            assert wire.ended() == "rst"
        with Wire(server.port) as wire:
            wire.socket.sendall(b"POST / HTTP/1.1\r\n")
        assert [one.body for one in server.received] == [b"first", b"second", b"3", b"4", b""]
        assert server.requests[0] == b"POST /?query=a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nfirst"
        until(lambda: server.broken == [b"POST / HTTP/1.1\r\n"])
        assert server.connections == 3


def test_proxy_without_a_plan(canned: Canned, proxy: FaultProxy) -> None:
    with Wire(proxy.port) as wire:
        assert wire.post("a", b"x" * 300_000)[2] == b"ok"
        assert wire.post("a", b"y")[2] == b"ok"
    assert (proxy.connections, proxy.requests, proxy.faults) == (1, 2, 0)
    assert proxy.requests_bytes == sum(map(len, canned.requests))
    with Wire(proxy.port) as wire:
        wire.head("a", CHUNKED)
        wire.reset()
    until(lambda: [one.client_end for one in proxy.seen] == ["fin", "rst"])


@pytest.mark.parametrize("mode", ["fin", "rst"])
def test_cuts_of_requests(canned: Canned, proxy: FaultProxy, mode: Mode) -> None:
    proxy.plan = [
        cut(mode=mode),
        cut(20, mode=mode),
        cut(3, of="body", mode=mode),
        cut(of="last chunk", mode=mode),
        None,
    ]
    for _ in range(4):
        with Wire(proxy.port) as wire, contextlib.suppress(OSError):
            wire.head("q", CHUNKED)
            wire.chunk(b"0123456789")
            wire.last()
            assert wire.ended() in ("fin", "rst")
    with Wire(proxy.port) as wire:
        assert wire.post("q", b"")[0] == 200
    until(lambda: proxy.faults == 4 and (mode == "rst" or len(canned.broken) == 3))
    if mode == "fin":
        broken = sorted(canned.broken, key=len)  # each came by a connection of its own
        bodies = [raw.partition(b"\r\n\r\n")[2] for raw in broken]
        assert len(broken[0]) == 20
        assert bodies[1:] == [b"a\r\n", b"a\r\n0123456789\r\n"]


def test_cut_after_the_request(canned: Canned, proxy: FaultProxy) -> None:
    proxy.plan = [cut(of="end", mode="rst", request=1), cut(side="answer"), cut(1, of="body", side="answer")]
    with Wire(proxy.port) as wire:
        assert wire.post("a", b"1")[0] == 200
        wire.head("b", "Content-Length: 1")
        wire.socket.sendall(b"2")
        assert wire.ended() == "rst"
    with Wire(proxy.port) as wire:
        wire.head("c", "Content-Length: 1")
        wire.socket.sendall(b"3")
        assert wire.ended() == "fin"
    with Wire(proxy.port) as wire, pytest.raises(http.client.IncompleteRead) as info:
        wire.post("d", b"4")
    assert info.value.partial == b"o"
    assert [one.body for one in canned.received][-2:] == [b"3", b"4"]
    assert proxy.faults == 3
    assert [one.requests for one in proxy.seen] == [2, 1, 1]
    assert proxy.seen[1].answer_bytes == 0


def test_stall_delay_refuse(proxy: FaultProxy) -> None:
    proxy.plan = [stall(2, of="body"), stall(side="answer"), delay(0.3), refuse(), refuse("rst")]
    with Wire(proxy.port) as wire:
        wire.head("a", "Content-Length: 10")
        wire.socket.sendall(b"x" * 10)
        assert wire.ended(0.3) == ""
        wire.reset()
    until(lambda: proxy.seen[0].client_end == "rst")
    with Wire(proxy.port) as wire:
        wire.head("a", "Content-Length: 0")
        assert wire.ended(0.3) == ""
    until(lambda: proxy.seen[1].client_end == "fin")
    assert (proxy.seen[0].requests, proxy.seen[1].requests) == (0, 1)
    with Wire(proxy.port) as wire:
        started = time.monotonic()
        assert wire.post("a", b"")[0] == 200
        assert time.monotonic() - started > 0.25
    for how in ("fin", "rst"):
        with contextlib.suppress(ConnectionResetError), Wire(proxy.port) as wire:
            assert wire.ended() == how


def test_garbage_and_half_close(canned: Canned, proxy: FaultProxy) -> None:
    proxy.plan = [
        garbage(b"HTTP/1.1 nonsense\r\n"),
        garbage(OK.replace(b"ok", b"no"), of="end"),
        half_close(2, "body"),
    ]
    with Wire(proxy.port) as wire:
        assert wire.socket.recv(100) == b"HTTP/1.1 nonsense\r\n"
    with Wire(proxy.port) as wire:
        assert wire.post("a", b"1")[2] == b"no"
        assert wire.ended() == "fin"
    with Wire(proxy.port) as wire:
        wire.head("b", "Content-Length: 3")
        wire.socket.sendall(b"123")
        assert wire.ended() == "fin"
    assert canned.broken[-1].endswith(b"\r\n\r\n12")


def test_slow_and_byte_by_byte(canned: Canned, proxy: FaultProxy) -> None:
    proxy.plan = [slow(100_000), one_byte()]
    with Wire(proxy.port) as wire:
        started = time.monotonic()
        assert wire.post("a", b"x" * 50_000)[0] == 200
        assert 0.3 < time.monotonic() - started < 5
    with Wire(proxy.port) as wire:
        assert wire.post("a", b"y" * 1000)[2] == b"ok"
    assert canned.received[-1].body == b"y" * 1000


def test_closing_ends_what_is_open(canned: Canned) -> None:
    with FaultProxy(canned.port, stall()) as proxy:
        wire = Wire(proxy.port)
        until(lambda: proxy.faults == 1)
    assert wire.ended() in ("fin", "rst")
    wire.socket.close()
