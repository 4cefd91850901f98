"""iter_decode: the same rows and the same error wherever chunks end, and each row as soon as its bytes are
there.
"""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import pytest
from conftest import implementations, times
from decode_bodies import BLOCKS, BROKEN, COLUMNS, ROWS, WHOLE, Body, Source, at, endless, expected, given_by
from hypothesis import given, settings
from hypothesis import strategies as st

import rowbinary
from rowbinary import decode_rows, encode_rows, iter_decode, iter_encode
from rowbinary._cursor import MAX_EMPTY
from rowbinary._varint import varint

# --- chunks that end anywhere ---------------------------------------------------------------------------


@pytest.mark.parametrize("body", [*WHOLE, *BROKEN], ids=lambda body: body.name)
def test_every_cut(body: Body, impl: str) -> None:
    wanted = expected(body)
    assert (wanted.error is None) == (body in WHOLE)
    step = 1 if len(body.data) < 350 else 3  # of one length or another all are cut
    for cut in range(0, len(body.data) + 1, step):
        assert given_by(body, at(body.data, cut), impl) == wanted, cut


@pytest.mark.parametrize("body", [*WHOLE, *BROKEN], ids=lambda body: body.name)
def test_single_bytes(body: Body, impl: str) -> None:
    wanted = expected(body)
    assert given_by(body, [body.data[index : index + 1] for index in range(len(body.data))], impl) == wanted
    spaced = [piece for index in range(len(body.data)) for piece in (b"", body.data[index : index + 1])]
    assert given_by(body, [*spaced, b"", b""], impl) == wanted


@pytest.mark.parametrize("body", [body for body in BROKEN if body.format != "Native"], ids=lambda b: b.name)
def test_rows_before_the_error(body: Body) -> None:
    """All of them, and no other."""
    found = expected(body)
    assert found.error is not None
    row = found.error[3]
    assert len(eval(found.rows, {**vars(rowbinary), "datetime": dt, "UUID": str})) == (row or 0)


@settings(max_examples=times(40, 400))
@given(st.data())
def test_random_cuts(data: st.DataObject) -> None:
    body = data.draw(st.sampled_from([*WHOLE, *BROKEN]))
    cuts = data.draw(st.lists(st.integers(0, len(body.data)), max_size=20))
    kinds = data.draw(st.lists(st.sampled_from([bytes, bytearray, memoryview]), min_size=1, max_size=3))
    chunks = [kinds[index % len(kinds)](chunk) for index, chunk in enumerate(at(body.data, *cuts))]
    shape = data.draw(st.sampled_from(["tuples", "dicts", "columns"]))
    wanted = expected(body)
    for name in implementations():
        if shape == "tuples":
            assert given_by(body, iter(chunks), name) == wanted
        elif wanted.error is None:
            check_shape(body, chunks, shape, name)
        else:
            assert given_by(body, iter(chunks), name, rows=shape).error == wanted.error


def check_shape(body: Body, chunks: list[Any], shape: Any, implementation: str) -> None:
    """Dicts one by one; columns in parts of any length, of which there is at least one, with the names."""
    choices: Any = {"format": body.format, "rows": shape, "implementation": implementation}
    whole = decode_rows(body.schema, body.data, **choices)
    found: Any = list(iter_decode(body.schema, chunks, **choices))
    if shape == "columns":
        assert found
        assert all(part.keys() == whole.keys() for part in found)
        found = {name: [value for part in found for value in part[name]] for name in whole}
    assert repr(found) == repr(whole)


def test_chunks_of_the_encoder(impl: str) -> None:
    """Both ways at once, without a body in memory."""
    rows = [(index, f"name {index}", {"a": {"b": index}}) for index in range(5000)]
    columns = "id UInt64, name String, attrs JSON"
    form: Any
    for form in ("RowBinary", "RowBinaryWithNamesAndTypes", "Native"):
        chunks = iter_encode(columns, iter(rows), format=form, chunk_bytes=10_000)
        found = iter_decode(columns, chunks, format=form, implementation=impl)
        assert list(found) == rows


def test_a_file(impl: str) -> None:
    file = io.BytesIO(WHOLE[0].data)
    assert len(list(iter_decode(COLUMNS, iter(lambda: file.read(7), b""), implementation=impl))) == len(ROWS)


# --- when rows come ---------------------------------------------------------------------------------------


def check_prompt(body: Body, ends: list[int], size: int, implementation: str) -> None:
    """A row that ends at one of `ends` is there with the chunk that has its last byte."""
    source = Source(body.data[start : start + size] for start in range(0, len(body.data), size))
    found = iter_decode(body.schema, source, format=body.format, implementation=implementation)
    assert source.taken == 0
    for end in ends:
        next(found)
        assert source.taken == -(-end // size), (end, size)
    assert list(found) == []


@pytest.mark.parametrize("size", [1, 2, 3, 10, 64, 100, 1000])
def test_a_row_comes_with_its_bytes(size: int, impl: str) -> None:
    ends = [len(encode_rows(COLUMNS, ROWS[:count])) for count in range(1, len(ROWS) + 1)]
    check_prompt(WHOLE[0], ends, size, impl)
    start = len(rowbinary.Schema.of(COLUMNS).plan.header("RowBinaryWithNamesAndTypes"))
    check_prompt(WHOLE[1], [start + end for end in ends[:2]], size, impl)
    first = len(encode_rows(COLUMNS, ROWS[:2], format="Native"))
    check_prompt(WHOLE[4], [first, first, len(BLOCKS)], size, impl)


def test_small_rows_come_with_their_bytes(impl: str) -> None:
    for size in (1, 2, 3, 7):
        check_prompt(Body("", "a UInt16", "RowBinary", bytes(40)), list(range(2, 42, 2)), size, impl)


@pytest.mark.parametrize("shape", ["tuples", "dicts"])
def test_a_stream_without_end(shape: Any, impl: str) -> None:
    """Rows of a source that never ends; in columns some come, too."""
    found = iter_decode("a UInt8", endless(b"\1\2\3\4"), rows=shape, implementation=impl)
    assert [next(found) for _ in range(9)][-1] in ((1,), {"a": 1})
    parts = iter_decode("a UInt8", endless(bytes(4096)), rows="columns", implementation=impl)
    assert next(parts)["a"][0] == 0


def test_empty_values_are_counted_once(impl: str) -> None:
    """A row that is read in part, and once more when its bytes are there, has its empty values once."""
    elements = MAX_EMPTY - 1000 if impl == "c" else 1000  # the reference reads nothing twice
    row = varint(elements) + b"\1x"
    found = iter_decode("a Array(Tuple()), s String", [b"\0\0", row[:-1], b"x"], implementation=impl)
    assert [len(first) for first, _ in found] == [0, elements]
