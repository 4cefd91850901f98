"""Threads: a Schema is shared freely, an Encoder belongs to one thread at a time."""

from __future__ import annotations

import datetime as dt
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rowbinary import EncodeError, Encoder, Schema, encode_rows, iter_encode

pytestmark = pytest.mark.timeout(120)

WORKERS = 4
COLUMNS = (
    "id UInt64, at DateTime64(3), j JSON(a UInt8, SKIP b), d Dynamic, v Variant(String, UInt8), "
    "l Array(Nullable(Int64))"
)


@pytest.fixture(autouse=True)
def frequent_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def run(work: Callable[[int], None]) -> None:
    """`work` in all workers at once; what one raises fails the test."""
    failures: list[BaseException] = []
    start = threading.Barrier(WORKERS)

    def target(number: int) -> None:
        try:
            start.wait()
            work(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=target, args=(number,)) for number in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    if failures:
        raise failures[0]


class Slow(dt.tzinfo):
    """Runs Python code in the middle of a row, where other threads get their turn."""

    def utcoffset(self, when: dt.datetime | None) -> dt.timedelta:
        for _ in range(20):
            pass
        return dt.timedelta(0)

    def dst(self, when: dt.datetime | None) -> None:
        return None

    def tzname(self, when: dt.datetime | None) -> None:
        return None


def make_rows(number: int) -> list[Any]:
    at = dt.datetime(2020, 1, 1, tzinfo=Slow())
    return [
        (n, at, {"a": n % 256, f"p{number}.{n}": n, "b": 1, "x": {"y": at}}, [n, str(n)], str(n), [n, None])
        for n in range(number, 200, WORKERS)
    ]


def test_a_shared_schema(impl: str) -> None:
    schema = Schema.parse(COLUMNS)  # compiled by whoever comes first
    expected = [encode_rows(COLUMNS, make_rows(number), implementation="python") for number in range(WORKERS)]

    def work(number: int) -> None:
        rows = make_rows(number)
        for _ in range(5):
            assert encode_rows(schema, rows, implementation=impl) == expected[number]
            assert (
                b"".join(iter_encode(schema, rows, chunk_bytes=100, implementation=impl)) == expected[number]
            )

    run(work)


def test_shared_rows(impl: str) -> None:
    rows = make_rows(1)
    expected = encode_rows(COLUMNS, rows, implementation="python")

    def work(number: int) -> None:
        for _ in range(5):
            assert encode_rows(COLUMNS, rows, implementation=impl) == expected

    run(work)


def test_one_encoder_for_all(impl: str) -> None:
    """Whoever comes while another is at it gets an error; each accepted row is whole."""
    encoder = Encoder("id UInt8, at DateTime, id2 UInt8", implementation=impl)
    accepted = [0] * WORKERS
    refused = [0] * WORKERS

    def work(number: int) -> None:
        row = (number, dt.datetime(1970, 1, 1, tzinfo=Slow()), number)
        for _ in range(3000):
            try:
                encoder.write_row(row)
                accepted[number] += 1
            except RuntimeError:
                refused[number] += 1

    run(work)
    body = encoder.take()
    assert len(body) == 6 * sum(accepted)
    found = [0] * WORKERS
    for at in range(0, len(body), 6):
        assert body[at] == body[at + 5]
        assert body[at + 1 : at + 5] == bytes(4)
        found[body[at]] += 1
    assert found == accepted
    assert sum(accepted) + sum(refused) == 3000 * WORKERS


def test_taking_while_another_writes(impl: str) -> None:
    encoder = Encoder("id UInt8, at DateTime, id2 UInt8", implementation=impl)
    bodies: list[list[bytes]] = [[] for _ in range(WORKERS)]
    accepted = [0] * WORKERS

    def work(number: int) -> None:
        row = (number, dt.datetime(1970, 1, 1, tzinfo=Slow()), number)
        for turn in range(2000):
            try:
                if turn % 10:
                    encoder.write_row(row)
                    accepted[number] += 1
                else:
                    bodies[number].append(encoder.take())
            except RuntimeError:
                pass

    run(work)
    whole = b"".join([body for own in bodies for body in own]) + encoder.take()
    assert len(whole) == 6 * sum(accepted)
    assert all(whole[at] == whole[at + 5] for at in range(0, len(whole), 6))


def test_containers_changed_by_another_thread(impl: str) -> None:
    """Which state is seen is not defined; rows stay whole and nothing crashes."""
    at = dt.datetime(2020, 1, 1, tzinfo=Slow())
    document: dict[str, Any] = {f"k{n}": n for n in range(50)} | {"at": at}
    items: list[Any] = [at, *range(50)]
    stop = threading.Event()

    def meddle() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            document[f"new{n % 100}"] = n
            document.pop(f"new{(n * 7) % 100}", None)
            items.append(n)
            del items[-1 - n % 3 :]
            items[:] = [at, *range(n % 60)]

    thread = threading.Thread(target=meddle)
    thread.start()
    try:
        columns = "j JSON, l Array(DateTime), m Map(String, Dynamic), d Dynamic"
        good: Any = ({"a": 1}, [1], {}, 1)
        single = encode_rows(columns, [good], implementation=impl)
        encoder = Encoder(columns, implementation=impl)
        for _ in range(300):
            try:
                encoder.write_row((document, items, document, items))
                encoder.take()
            except EncodeError:
                assert len(encoder) == 0
            encoder.write_row(good)
            assert encoder.take() == single
    finally:
        stop.set()
        thread.join()
