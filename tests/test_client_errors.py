"""Rows that fail: nothing of them is stored, the error comes out as it is, and the client goes on."""

from __future__ import annotations

import io
import itertools
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from clients import PAD, Facade, Kind, Target, big_rows, eventually
from faults import FaultProxy, stall

import rowbinary
from rowbinary import ClientError, EncodeError

Connect = Callable[..., Facade]
CHUNK = 1039  # rows of big_rows in a chunk of 1 MiB
PLACES = {"at once": 0, "in the first chunk": 3, "at a chunk's end": CHUNK, "later": 2600}
OLD = ("lz4", "zstd", "none", "http-gzip")
COMPRESSIONS = (*OLD, "http-lz4", "http-zstd")


def at(places: Iterable[Any], *compressions: str) -> list[Any]:
    """Places in the rows, compressions: the less usual ones at the last of the places, at others slow."""
    *_, last = places
    return [
        pytest.param(place, one, marks=[pytest.mark.slow] if one not in OLD[::2] and place != last else [])
        for place in places
        for one in compressions
    ]


class Own(Exception):
    """Of a user."""


class OwnBase(BaseException):
    """Of a user who wants it to get through."""


ERRORS: list[BaseException] = [
    Own("mine"),
    OSError(5, "disk"),
    BrokenPipeError(32, "their pipe"),
    ConnectionResetError(104, "their peer"),
    TimeoutError("their timeout"),
    ValueError("bad line"),
    RuntimeError("Code: 60. DB::Exception: of another server. (UNKNOWN_TABLE)"),
    MemoryError(),
    rowbinary.TransportError("of another client"),
]


def need_compression(target: Target, compression: str) -> None:
    """Skip what a target does not have."""
    if not target.http and compression != "lz4":
        pytest.skip("nothing is compressed for the embedded engine")
    if not target.modern and compression not in OLD:
        pytest.skip(f"ClickHouse 18.16 has no {compression}")


def check_nothing_stored(client: Facade, target: Target, table: str) -> None:
    """The table is empty, also when the server has noticed, and the client works."""
    assert client.insert(table, [(99, "next")]).rows == 1
    if target.name == "server18":
        running = f"SELECT count() FROM system.processes WHERE query LIKE 'INSERT INTO%{table}%'"
        eventually(lambda: target.ask(running), "0\n")
    time.sleep(0.02)
    assert target.lines(f"SELECT a, s FROM {table}") == [["99", "next"]]


@pytest.mark.parametrize(("place", "compression"), at(PLACES, *COMPRESSIONS))
def test_rows_that_fail_store_nothing(
    rows_client: Facade, target: Target, table: str, compression: str, place: str
) -> None:
    need_compression(target, compression)
    error = Own("mine")
    with pytest.raises(Own) as info:
        rows_client.insert(table, big_rows(PLACES[place], error), compression=compression)
    assert info.value is error
    check_nothing_stored(rows_client, target, table)


@pytest.mark.parametrize(
    ("error", "compression"),
    [
        pytest.param(
            error, one, marks=[pytest.mark.slow] if one == "none" and error not in ERRORS[::4] else []
        )
        for error in ERRORS
        for one in ("lz4", "none")
    ],
    ids=lambda one: one if isinstance(one, str) else type(one).__name__,
)
def test_the_error_of_the_rows_comes_out_as_it_is(
    rows_client: Facade, target: Target, table: str, compression: str, error: BaseException
) -> None:
    need_compression(target, compression)
    for count in (3, 2600):
        with pytest.raises(type(error)) as info:
            rows_client.insert(table, big_rows(count, error), compression=compression)
        assert info.value.args == error.args
        if rows_client.kind == "sync" or type(error) is not TimeoutError:  # asyncio copies those of threads
            assert info.value is error
        assert not hasattr(info.value, "__notes__")
    check_nothing_stored(rows_client, target, table)


def test_stop_iteration_of_the_rows_is_no_end(rows_client: Facade, target: Target, table: str) -> None:
    for count in (3, 2600):
        with pytest.raises(RuntimeError, match="StopIteration"):
            rows_client.insert(table, big_rows(count, StopIteration()))
    check_nothing_stored(rows_client, target, table)


@pytest.mark.parametrize("error", [OwnBase("mine"), GeneratorExit()], ids=["OwnBase", "GeneratorExit"])
@pytest.mark.parametrize("compression", ["lz4", "none"])
def test_errors_that_are_no_exceptions(
    client: Facade, target: Target, table: str, error: BaseException, compression: str
) -> None:
    need_compression(target, compression)
    # A coroutine that meets GeneratorExit may not wait for anything any more.
    kinds = (GeneratorExit, RuntimeError) if client.kind == "async" else (type(error),)
    for count in (3, 2600):
        with pytest.raises((type(error), *kinds)):
            client.insert(table, big_rows(count, error), compression=compression)
    check_nothing_stored(client, target, table)


@pytest.mark.parametrize(("place", "compression"), at(PLACES, "lz4", "none", "http-gzip"))
def test_rows_that_do_not_fit_store_nothing(
    rows_client: Facade, target: Target, table: str, compression: str, place: str
) -> None:
    need_compression(target, compression)

    def rows() -> Iterator[object]:
        yield from big_rows(PLACES[place])
        yield -1, "x"

    with pytest.raises(EncodeError) as info:
        rows_client.insert(table, rows(), compression=compression)
    assert (info.value.row, info.value.column) == (PLACES[place], "a")
    check_nothing_stored(rows_client, target, table)


ROW = rowbinary.encode_rows("a UInt64, s String", [(1, PAD)])


class BrokenFile(io.BytesIO):
    """Its second megabyte cannot be read."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > len(ROW) * CHUNK:
            raise OSError(5, "disk")
        return super().read(size)


@pytest.mark.parametrize(("size", "compression"), at([1, CHUNK, 3 * CHUNK], *COMPRESSIONS))
def test_bytes_that_fail_on_a_rows_edge_store_nothing(
    client: Facade, target: Target, table: str, compression: str, size: int
) -> None:
    """Nothing in the body itself shows that it was cut."""
    need_compression(target, compression)

    def pieces() -> Iterator[bytes]:
        for _ in range(size):
            yield ROW
        raise Own

    with pytest.raises(Own):
        client.insert_encoded(table, pieces(), compression=compression)
    check_nothing_stored(client, target, table)


def test_a_file_that_fails_stores_nothing(client: Facade, target: Target, table: str) -> None:
    with pytest.raises(OSError, match="disk"):
        client.insert_encoded(table, BrokenFile(ROW * 3 * CHUNK))
    with pytest.raises(TypeError, match="every piece must be bytes, not str"):
        client.insert_encoded(table, iter([*[ROW] * 2600, "text"]))
    check_nothing_stored(client, target, table)


# --- callbacks


@pytest.mark.parametrize("call", [1, 2])
def test_a_progress_callback_that_fails(rows_client: Facade, target: Target, table: str, call: int) -> None:
    calls: list[object] = []

    def progress(told: object) -> None:
        calls.append(told)
        if len(calls) == call:
            raise Own

    with pytest.raises(Own):
        rows_client.insert(table, big_rows(8000), progress=progress)
    assert len(calls) == call
    check_nothing_stored(rows_client, target, table)


@pytest.mark.parametrize("error", [Own("mine"), TimeoutError("theirs"), StopIteration("theirs")], ids=repr)
@pytest.mark.parametrize("count", [3, 2600])
def test_an_on_error_callback_that_fails(
    rows_client: Facade, target: Target, table: str, error: Exception, count: int
) -> None:
    def rows() -> Iterator[object]:
        yield from big_rows(count)
        yield -1, "x"

    def on_error(*arguments: object) -> None:
        raise error

    # A coroutine cannot raise StopIteration.
    with pytest.raises(
        RuntimeError if isinstance(error, StopIteration) and rows_client.kind != "sync" else type(error)
    ):
        rows_client.insert(table, rows(), on_error=on_error)
    check_nothing_stored(rows_client, target, table)


# --- more than one block


@pytest.mark.parametrize("compression", ["lz4", "none"])
def test_blocks_before_the_failure_may_stay_and_the_error_says_so(
    rows_client: Facade, target: Target, table: str, compression: str
) -> None:
    need_compression(target, compression)
    settings = {
        "max_insert_block_size": 1000,
        "min_insert_block_size_rows": 1000,
        "min_insert_block_size_bytes": 0,
    }
    # An engine of today drops what waits when rows fail: a block has to be there before.  (Not awaited on
    # the event loop, which sends; nor on the old server, which buffers a megabyte of the body first.)
    certain = compression == "lz4" and (not target.modern or rows_client.kind != "agen")

    def rows() -> Iterator[object]:
        yield from big_rows(20_500)
        if certain and target.modern:
            eventually(lambda: target.count(table) >= 1000, True)
        raise Own("mine")

    with pytest.raises(Own) as info:
        rows_client.insert(table, rows(), settings=settings, compression=compression)
    (note,) = info.value.__notes__
    assert f"bytes of rows had been made for {table}, more than one block" in note
    assert "some blocks, of 1000 rows each, may be stored (query id " in note
    rows_client.insert(table, [(10**6, "next")])
    if target.name == "server18":
        running = f"SELECT count() FROM system.processes WHERE query LIKE 'INSERT INTO%{table}%'"
        eventually(lambda: target.ask(running), "0\n")
    time.sleep(0.05)
    count, highest, unique = target.lines(
        f"SELECT count(), max(a), uniqExact(a) FROM {table} WHERE a < 1000000"
    )[0]
    assert int(count) % 1000 == 0
    assert int(count) <= 20_000
    assert unique == count
    if certain:
        assert int(count) >= 1000
    if (
        not target.modern and compression == "lz4"
    ):  # elsewhere several threads make blocks: any may be missing
        assert int(highest) + 1 == int(count)


def test_one_block_has_no_note(client: Facade, target: Target, table: str) -> None:
    with pytest.raises(Own) as info:
        client.insert(table, big_rows(999, Own("mine")), settings={"max_insert_block_size": 1000})
    assert not hasattr(info.value, "__notes__")


# --- Ctrl-C


@pytest.mark.parametrize(("place", "compression"), at(PLACES, "lz4", "none", "http-gzip"))
def test_keyboard_interrupt_in_the_rows(
    target: Target, table: str, compression: str, place: str, connect: Connect
) -> None:
    need_compression(target, compression)
    client = connect("sync", target.url)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        client.insert(table, big_rows(PLACES[place], KeyboardInterrupt()), compression=compression)
    assert time.monotonic() - start < 3
    check_nothing_stored(client, target, table)


def endless() -> Iterator[tuple[int, str]]:
    number = 0
    while True:
        yield number, PAD
        number += 1


@pytest.fixture
def restarting() -> Iterator[None]:
    """Waits for locks go on after Ctrl-C, as with the handler that polars installs."""
    signal.siginterrupt(signal.SIGINT, False)
    yield
    signal.signal(signal.SIGINT, signal.getsignal(signal.SIGINT))  # which interrupts them, as is usual


@pytest.mark.usefixtures("restarting")
@pytest.mark.parametrize("taken", ["nothing", "all but the answer"])
@pytest.mark.parametrize("compression", ["none", "lz4"])
def test_ctrl_c_while_the_server_is_silent(
    target: Target, table: str, connect: Connect, compression: str, taken: str
) -> None:
    """The thread that calls waits for the one that sends, and that one for the server."""
    if not target.http:
        pytest.skip("there is no wire")
    with FaultProxy(target.port) as proxy:
        client = connect("sync", target.at(proxy.port))
        client.insert(table, [(99, "next")])
        client.close()
        proxy.plan = [stall(100, of="body") if taken == "nothing" else stall(side="answer")]
        rows = endless() if taken == "nothing" else itertools.islice(endless(), 6000)
        main = threading.main_thread().ident
        timer = threading.Timer(0.6, signal.pthread_kill, (main, signal.SIGINT))
        timer.start()
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            client.insert(table, rows, compression=compression)
        timer.join(5)
        assert time.monotonic() - start < 4
        assert proxy.faults == 1
        time.sleep(0.1)
        stored = target.count(table)
        assert stored in ({1} if taken == "nothing" else {1, 6001})
        client.insert(table, [(5, "again")])
        assert target.count(table) == stored + 1


def test_rows_fail_while_the_server_takes_nothing(
    target: Target, table: str, connect: Connect, kind: Kind
) -> None:
    """The error comes when the send timeout is over, at the latest, and is the rows'."""
    if not target.http:
        pytest.skip("there is no wire")
    with FaultProxy(target.port) as proxy:
        client = connect(kind, target.at(proxy.port), send_timeout=1.0)
        client.server_version()
        client.close()
        proxy.plan = [stall(100, of="body")]
        start = time.monotonic()
        with pytest.raises((Own, ClientError)):
            client.insert(
                table, big_rows(30_000, Own("mine")), schema="a UInt64, s String", compression="none"
            )
        assert time.monotonic() - start < 8
        check_nothing_stored(client, target, table)
