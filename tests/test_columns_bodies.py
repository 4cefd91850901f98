"""encode_columns: wide tables, fast columns beside slow ones, chunks, blocks, threads, memory."""

from __future__ import annotations

import contextlib
import gc
import itertools
import sys
import threading
import weakref
from typing import Any

import numpy as np
import pytest
from columns_cases import FORMATS, ROW_FORMATS, WAYS, good
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from native_blocks import blocks, rows_of

import rowbinary
from rowbinary import Schema, typed

FEW = settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
WIDE = Schema.parse(
    "n UInt32, j JSON, t String, k JSON, d Dynamic, l Array(UInt8), v Variant(Int64, String), "
    "e LowCardinality(String), o Nullable(Int64)"
)


def wide(count: int) -> tuple[list[Any], list[Any]]:
    """Columns that kernels take and others, and their rows."""
    numbers = np.arange(count)
    documents = [{"a": n, **({"b": str(n)} if n % 3 == 0 else {}), "c": {"d": [n]}} for n in range(count)]
    texts = [f'{{"n": {n % 7}}}' for n in range(count)]
    some = [(n, "x", None, 1.5, [n])[n % 5] for n in range(count)]
    lists = numbers.astype("u1").repeat(3).reshape(count, 3)
    variants = [(n, "v", None)[n % 3] for n in range(count)]
    words = np.array([f"w{n % 300}" for n in range(count)])
    masked = np.ma.array(numbers, mask=numbers % 4 == 1)
    columns = [numbers, documents, words, texts, some, lists, variants, words, masked]
    values = [
        numbers.tolist(),
        documents,
        words.tolist(),
        texts,
        some,
        lists.tolist(),
        variants,
        words.tolist(),
    ]
    return columns, list(zip(*values, masked.tolist(), strict=True))


@pytest.mark.parametrize("form", FORMATS)
def test_a_wide_table(form: str) -> None:
    columns, rows = wide(2100)
    for count in (1025, 2100):
        some = [column[:count] for column in columns]
        good(WIDE, some, rows[:count], [form], implementation=WAYS[-1])
    good(WIDE, [column[:300] for column in columns], rows[:300], [form])


@pytest.mark.parametrize("form", ROW_FORMATS)
@pytest.mark.parametrize("chunk_bytes", [1, 1000, 65_536, 1 << 20])
def test_chunks_of_rows(form: str, chunk_bytes: int) -> None:
    """They end where those of iter_encode do."""
    columns, rows = wide(4200 if chunk_bytes > 1000 else 500)
    choices: dict[str, Any] = {"format": form, "chunk_bytes": chunk_bytes}
    wanted = list(rowbinary.iter_encode(WIDE, rows, **choices))
    assert list(rowbinary.iter_encode_columns(WIDE, columns, **choices)) == wanted
    fast = Schema.parse("n UInt32, t String, l Array(UInt8), o Nullable(Int64)")
    kept = [0, 2, 5, 8]
    wanted = list(rowbinary.iter_encode(fast, [tuple(row[k] for k in kept) for row in rows], **choices))
    assert list(rowbinary.iter_encode_columns(fast, [columns[k] for k in kept], **choices)) == wanted


@pytest.mark.parametrize("form", ROW_FORMATS)
def test_no_rows(form: Any) -> None:
    for chunk_bytes in (1, 100):
        choices: dict[str, Any] = {"format": form, "chunk_bytes": chunk_bytes}
        wanted = list(rowbinary.iter_encode("a UInt8", [], **choices))
        assert list(rowbinary.iter_encode_columns("a UInt8", [np.arange(0)], **choices)) == wanted


def blocks_of(columns: Any, schema: Any, **choices: Any) -> list[bytes]:
    return list(rowbinary.iter_encode_columns(schema, columns, format="Native", **choices))


@pytest.mark.parametrize("count", [65_536, 140_000])
def test_blocks_of_many_rows(count: int) -> None:
    numbers, words = np.arange(count), np.array(["a", "bc", "", "def"])[np.arange(count) % 4]
    schema = "n UInt64, w LowCardinality(String), o Nullable(String)"
    rows = list(zip(numbers.tolist(), words.tolist(), words.tolist(), strict=True))
    found = b"".join(blocks_of([numbers, words, words], schema))
    starts = range(0, count, 65_536)
    assert found == b"".join(
        rowbinary.encode_rows(schema, rows[start : start + 65_536], format="Native") for start in starts
    )


@pytest.mark.parametrize("chunk_bytes", [1, 1000, 20_000, 1 << 22])
def test_blocks_of_many_bytes(chunk_bytes: int) -> None:
    """Blocks are of about so many bytes, whatever the rows are; together they are what one would be."""
    columns, rows = wide(40 if chunk_bytes == 1 else 400)
    columns[2] = ["x" * (n * 37 % 2000) for n in range(len(rows))]
    rows = [(*row[:2], text, *row[3:]) for row, text in zip(rows, columns[2], strict=True)]
    found = blocks_of(columns, WIDE, chunk_bytes=chunk_bytes)
    assert all(len(block) <= max(2 * chunk_bytes, 3000) for block in found)
    assert all(len(blocks(block)) == 1 for block in found)
    whole = rowbinary.encode_rows(WIDE, rows, format="Native")
    assert rows_of(b"".join(found), WIDE) == rows_of(whole, WIDE)


def test_rows_of_ten_megabytes() -> None:
    texts = ["x" * 10_000_000, "y", "z" * 5_000_000, ""]
    schema = Schema.parse("a UInt8, t String, u Dynamic")
    rows = list(zip([1, 2, 3, 4], texts, texts, strict=True))
    for column in (texts, np.array(texts, object)):
        table = [np.array([1, 2, 3, 4]), column, texts]
        good(schema, table, rows, ROW_FORMATS[:1], implementation=WAYS[-1])
        body = b"".join(blocks_of(table, schema))
        assert rows_of(body, schema) == rows_of(rowbinary.encode_rows(schema, rows, format="Native"), schema)


@FEW
@given(
    st.lists(st.integers(0, 40), max_size=6),
    st.lists(st.integers(0, 40), max_size=6),
    st.sampled_from(FORMATS),
)
def test_chunks_that_end_at_different_rows(one: list[int], other: list[int], form: str) -> None:
    pa: Any = pytest.importorskip("pyarrow")
    total = max(sum(one), sum(other))
    pieces = []
    for sizes in (one, other):
        ends = [0, *itertools.accumulate(sizes), total]
        pieces.append(pa.chunked_array([pa.array(range(240))[a:b] for a, b in itertools.pairwise(ends)]))
    rows = [(n, str(n), n) for n in range(total)]
    table = {"a": pieces[0], "b": [str(n) for n in range(total)], "c": pieces[1]}
    good("a UInt8, b String, c Nullable(Int64)", table, rows, [form])


# --- threads ---------------------------------------------------------------------------------------------


def in_threads(*works: Any) -> None:
    failures: list[BaseException] = []

    def run(work: Any) -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert not failures


@pytest.mark.parametrize("form", ["RowBinary", "Native"])
def test_threads_with_one_table(form: Any) -> None:
    columns, rows = wide(1100)
    wanted = rowbinary.encode_rows(WIDE, rows, format=form)

    def work() -> None:
        for _ in range(2):
            assert rowbinary.encode_columns(WIDE, columns, format=form) == wanted

    in_threads(work, work, work)


@pytest.mark.parametrize("form", ["RowBinary", "RowBinaryWithDefaults", "Native"])
def test_an_array_that_changes_meanwhile(form: Any) -> None:
    """Whatever is read: bytes or an error, no crash."""
    count = 20_000
    array = np.zeros(count, [("s", "S40"), ("u", "i8"), ("m", "M8[s]"), ("f", "S3")])
    done = threading.Event()
    schema = "s String, u UInt8, m Nullable(DateTime), f LowCardinality(String)"

    def change() -> None:
        generator = np.random.default_rng(5)
        while not done.is_set():
            array["s"][:] = b"x" * int(generator.integers(0, 40))
            array["u"][:] = generator.integers(-1, 300)
            array["m"][:] = np.datetime64("NaT") if generator.integers(2) else np.datetime64("2020-01-01")
            array["f"][:: int(generator.integers(1, 5))] = str(generator.integers(0, 999)).encode()

    def encode() -> None:
        try:
            for _ in range(12):
                with contextlib.suppress(rowbinary.EncodeError, RuntimeError):
                    rowbinary.encode_columns(schema, array, format=form)
        finally:
            done.set()

    in_threads(change, encode)


# --- memory ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["RowBinary", "Native"])
def test_nothing_is_kept(form: Any) -> None:
    columns, _ = wide(6)
    bad = [*columns[:-1], ["bad"] * 6]
    choices: dict[str, Any] = {"format": form}

    def work() -> None:
        rowbinary.encode_columns(WIDE, columns, **choices)
        chunks = rowbinary.iter_encode_columns(WIDE, columns, chunk_bytes=50, **choices)
        assert next(chunks) != next(chunks)
        with contextlib.suppress(rowbinary.EncodeError):
            rowbinary.encode_columns(WIDE, bad, **choices)

    kept = 0
    for _ in range(40):  # what leaks does so every time; caches and free lists that fill do not
        gc.collect()
        before = sys.getallocatedblocks()
        for _ in range(12):
            work()
        gc.collect()
        kept = sys.getallocatedblocks() - before
        if kept < 12:
            return
    pytest.fail(f"{kept} blocks kept")


def test_arrow_memory_is_given_back() -> None:
    pa: Any = pytest.importorskip("pyarrow")
    before = pa.total_allocated_bytes()
    for _ in range(60):
        table = pa.table({"a": pa.array(range(10_000)), "t": pa.array(["text"] * 10_000)})
        for way in WAYS[-1:]:
            chunks = rowbinary.iter_encode_columns(
                "a UInt16, t String", table, implementation=way, chunk_bytes=1000
            )
            next(chunks)
        del table
        next(chunks)
        assert pa.total_allocated_bytes() > before
        chunks.close()
        del chunks
    gc.collect()
    assert pa.total_allocated_bytes() == before


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("form", ["RowBinary", "Native"])
def test_columns_live_as_long_as_they_are_read(way: str, form: Any) -> None:
    array = np.arange(2000, dtype="i4")
    texts = np.array([str(n) for n in range(2000)])
    gone = weakref.ref(array)
    wanted = rowbinary.encode_rows(
        "a UInt16, t String", list(zip(array.tolist(), texts.tolist(), strict=True)), format=form
    )
    chunks = rowbinary.iter_encode_columns(
        "a UInt16, t String", {"a": array, "t": texts}, format=form, chunk_bytes=1 << 22, implementation=way
    )
    del array, texts
    gc.collect()
    np.full(2000, 77, "i4")
    assert b"".join(chunks) == wanted
    del chunks
    gc.collect()
    assert gone() is None


def test_typed_values_in_columns() -> None:
    good("d Dynamic", {"d": [typed(1, "Int8"), 2]}, [(typed(1, "Int8"),), (2,)])
