"""Encoder, encode_rows and iter_encode: formats, chunks, counts, error handlers."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import implementations
from hypothesis import given
from hypothesis import strategies as st

import rowbinary
from rowbinary import DEFAULT, EncodeError, Encoder, encode_rows, iter_encode
from rowbinary._options import FORMATS

COLUMNS = "a UInt8, b String"


# --- formats ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "header", "row"),
    [
        ("RowBinary", b"", b"\1\1x"),
        ("RowBinaryWithNames", b"\2\1a\1b", b"\1\1x"),
        ("RowBinaryWithNamesAndTypes", b"\2\1a\1b\5UInt8\6String", b"\1\1x"),
        ("RowBinaryWithDefaults", b"", b"\0\1\0\1x"),
        ("RowBinaryWithNamesAndTypesAndDefaults", b"\2\1a\1b\5UInt8\6String", b"\0\1\0\1x"),
    ],
)
def test_formats(impl: str, format: Any, header: bytes, row: bytes) -> None:
    rows = [(1, "x"), (1, "x")]
    assert encode_rows(COLUMNS, rows, format=format, implementation=impl) == header + 2 * row
    assert encode_rows(COLUMNS, [], format=format, implementation=impl) == header
    chunks = list(iter_encode(COLUMNS, rows, format=format, chunk_bytes=1, implementation=impl))
    assert b"".join(chunks) == header + 2 * row
    encoder = Encoder(COLUMNS, format=format, implementation=impl)
    for _ in range(2):  # each body has its header
        encoder.write_rows(rows)
        assert encoder.take() == header + 2 * row
    assert encoder.take() == header


def test_default_cells(impl: str) -> None:
    rows = [(DEFAULT, "x"), (1, DEFAULT), (DEFAULT, DEFAULT)]
    body = encode_rows(COLUMNS, rows, format="RowBinaryWithDefaults", implementation=impl)
    assert body == b"\1\0\1x" + b"\0\1\1" + b"\1\1"
    for format in FORMATS[:3]:
        with pytest.raises(EncodeError, match="DEFAULT needs a format whose name ends in Defaults") as caught:
            encode_rows(COLUMNS, [(1, DEFAULT)], format=format, implementation=impl)  # type: ignore[arg-type]
        assert caught.value.column == "b"


@pytest.mark.parametrize(
    "column", ["Array(String)", "Tuple(String)", "Nullable(String)", "JSON", "Dynamic", "Variant(String)"]
)
def test_default_stands_for_whole_cells_only(impl: str, column: str) -> None:
    value: Any = {"JSON": {"a": DEFAULT}, "Nullable(String)": [DEFAULT]}.get(column, [DEFAULT])
    with pytest.raises(EncodeError):
        encode_rows([("c", column)], [(value,)], format="RowBinaryWithDefaults", implementation=impl)


def test_default_is_one_object() -> None:
    import copy
    import pickle

    assert pickle.loads(pickle.dumps(DEFAULT)) is DEFAULT
    assert copy.deepcopy(DEFAULT) is DEFAULT
    assert type(DEFAULT)() is DEFAULT
    assert repr(DEFAULT) == "DEFAULT"


# --- chunks -------------------------------------------------------------------------------------


@given(
    st.lists(st.binary(max_size=40), max_size=30),
    st.integers(1, 200),
    st.sampled_from(["RowBinary", "RowBinaryWithNamesAndTypes"]),
)
def test_chunks_hold_whole_rows(rows: list[bytes], chunk_bytes: int, format: Any) -> None:
    single = [bytes([len(row)]) + row for row in rows]
    for implementation in ("python", rowbinary.implementation):
        header = encode_rows("s String", [], format=format, implementation=implementation)
        chunks = list(
            iter_encode(
                "s String",
                [(row,) for row in rows],
                format=format,
                chunk_bytes=chunk_bytes,
                implementation=implementation,
            )
        )
        assert b"".join(chunks) == header + b"".join(single)
        left = [header, *single] if header else list(single)
        for chunk in chunks[:-1]:
            taken = b""
            while len(taken) < len(chunk):
                taken += left.pop(0)
            assert taken == chunk
            assert len(chunk) >= chunk_bytes
        assert all(chunks)


def test_chunks_end_with_the_row_that_fills_them(impl: str) -> None:
    chunks = iter_encode("a UInt32", ((n,) for n in range(10)), chunk_bytes=12, implementation=impl)
    assert [len(chunk) for chunk in chunks] == [12, 12, 12, 4]


def test_rows_are_taken_one_chunk_at_a_time(impl: str) -> None:
    seen = []

    def rows() -> Iterator[tuple[int]]:
        for n in range(100):
            seen.append(n)
            yield (n,)

    chunks = iter_encode("a UInt8", rows(), chunk_bytes=10, implementation=impl)
    assert seen == []
    next(chunks)
    assert len(seen) == 10
    chunks.close()
    assert len(seen) == 10


def test_chunks_stay_as_they_were(impl: str) -> None:
    """Memory may be used again only when nobody holds the chunk any more."""
    rows = [(n.to_bytes(2, "big") * 50,) for n in range(5000)]
    whole = encode_rows("s String", rows, implementation=impl)
    kept: list[bytes] = []
    views: list[memoryview] = []
    hashes: dict[bytes, int] = {}
    for chunk in iter_encode("s String", rows, chunk_bytes=1000, implementation=impl):
        assert hash(chunk) == hash(bytes(bytearray(chunk)))  # no hash of an earlier content
        if len(kept) % 3 == 0:
            views.append(memoryview(chunk)[:])
        hashes[chunk] = len(kept)
        kept.append(bytes(bytearray(chunk)))
    assert list(hashes) == kept
    assert b"".join(hashes) == b"".join(kept) == whole
    assert [bytes(view) for view in views] == kept[::3]


def test_dropped_chunks_do_not_change_later_ones(impl: str) -> None:
    rows = [(n.to_bytes(4, "big") * 50,) for n in range(3000)]
    whole = bytearray()
    for number, chunk in enumerate(iter_encode("s String", rows, chunk_bytes=5000, implementation=impl)):
        whole += chunk
        if number % 2:
            {chunk: hash(chunk)}.clear()
    assert bytes(whole) == encode_rows("s String", rows, implementation=impl)


@pytest.mark.parametrize("chunk_bytes", [1, 2**20, 2**24, 2**40, 10**30])
def test_any_chunk_size(impl: str, chunk_bytes: int) -> None:
    rows = [(n,) for n in range(1000)]
    whole = b"".join(iter_encode("a UInt16", rows, chunk_bytes=chunk_bytes, implementation=impl))
    assert whole == b"".join(n.to_bytes(2, "little") for n in range(1000))


# --- the Encoder --------------------------------------------------------------------------------


def test_counts(impl: str) -> None:
    encoder = Encoder(COLUMNS, implementation=impl)
    assert (encoder.rows, len(encoder)) == (0, 0)
    encoder.write_row((1, "x"))
    encoder.write_rows([(2, "yz"), {"b": "", "a": 3}])
    assert (encoder.rows, len(encoder)) == (3, 3 + 4 + 2)
    assert repr(encoder) == "<Encoder RowBinary of 2 columns: 3 rows, 9 bytes>"
    assert encoder.take() == b"\1\1x\2\2yz\3\0"
    assert (encoder.rows, len(encoder)) == (0, 0)
    assert encoder.take() == b""


def test_row_numbers_count_all_rows_ever_given(impl: str) -> None:
    encoder = Encoder(COLUMNS, implementation=impl)
    encoder.write_rows([(1, ""), (2, "")])
    encoder.take()
    with pytest.raises(EncodeError) as caught:
        encoder.write_rows([(3, ""), (-1, ""), (4, "")])
    assert caught.value.row == 3
    with pytest.raises(EncodeError) as caught:
        encoder.write_row((-1, ""))
    assert caught.value.row == 4
    assert encoder.rows == 1


@given(st.lists(st.one_of(st.integers(0, 255), st.just(-1)), max_size=20))
def test_a_failing_row_leaves_no_bytes(numbers: list[int]) -> None:
    good = bytes(number for number in numbers if number >= 0)
    for implementation in ("python", rowbinary.implementation):
        encoder = Encoder("t Array(String), a UInt8", implementation=implementation)
        for number in numbers:
            if number >= 0:
                encoder.write_row((["x"] * 3, number))
                continue
            before = (encoder.rows, len(encoder))
            with pytest.raises(EncodeError):
                encoder.write_row((["x"] * 3, number))
            assert (encoder.rows, len(encoder)) == before
        assert encoder.take() == b"".join(b"\3\1x\1x\1x" + bytes([n]) for n in good)


def test_large_and_small_bodies_in_turn(impl: str) -> None:
    encoder = Encoder("s String", implementation=impl)
    for size in (10, 40_000_000, 5, 100_000, 20_000_000, 0, 1):
        encoder.write_row((b"x" * size,))
        assert encoder.take().endswith(b"x" * size)


def test_signatures_agree() -> None:
    """The three ways in take the same options."""
    calls: dict[str, Any] = {"rows": encode_rows, "iter": iter_encode, "encoder": Encoder}
    parameters = {name: dict(inspect.signature(call).parameters) for name, call in calls.items()}
    for skip in ("rows", "chunk_bytes"):
        for found in parameters.values():
            found.pop(skip, None)
    as_text = {
        name: {key: (value.default, value.kind) for key, value in found.items()}
        for name, found in parameters.items()
    }
    assert as_text["rows"] == as_text["iter"] == as_text["encoder"]


def test_both_row_encoders_have_the_same_names() -> None:
    from rowbinary import _impl

    common = {"append", "fill", "renew", "take", "write", "implementation"}
    attributes = {"context", "index", "options", "plan", "rows"}
    for choice in implementations():
        public = {name for name in dir(_impl.row_encoder(choice)) if not name.startswith("_")}
        assert common <= public <= common | attributes, choice


# --- on_error -----------------------------------------------------------------------------------


def test_dead_letters(impl: str) -> None:
    rows = [(1, "x"), (-1, "x"), "no row", (2, "y"), (3,), (4, 5), (5, "z")]
    refused: list[tuple[Any, int, str]] = []

    def on_error(row: object, index: int, error: EncodeError) -> None:
        assert error.row == index
        refused.append((row, index, str(error)))

    for format in FORMATS:
        refused.clear()
        body = encode_rows(COLUMNS, rows, format=format, on_error=on_error, implementation=impl)  # type: ignore[arg-type]
        good = [rows[0], rows[3], rows[6]]
        assert body == encode_rows(COLUMNS, good, format=format, implementation=impl)  # type: ignore[arg-type]
        assert [(row, index) for row, index, _ in refused] == [(rows[n], n) for n in (1, 2, 4, 5)]
        assert refused[0][2] == "row 1, column 'a': expected UInt8, got int -1: out of range 0 .. 255"


def test_dead_letters_of_chunks(impl: str) -> None:
    refused: list[int] = []
    rows = ((n if n % 3 else -1,) for n in range(100))
    chunks = iter_encode(
        "a UInt8",
        rows,
        chunk_bytes=7,
        on_error=lambda row, index, error: refused.append(index),
        implementation=impl,
    )
    assert b"".join(chunks) == bytes(n for n in range(100) if n % 3)
    assert refused == [n for n in range(100) if n % 3 == 0]


def test_all_rows_refused(impl: str) -> None:
    assert encode_rows("a UInt8", [(-1,)] * 5, on_error=lambda *_: None, implementation=impl) == b""
    assert list(iter_encode("a UInt8", [(-1,)] * 5, on_error=lambda *_: None, implementation=impl)) == []


def test_on_error_of_single_rows(impl: str) -> None:
    refused: list[int] = []
    encoder = Encoder(
        "a UInt8", on_error=lambda row, index, error: refused.append(index), implementation=impl
    )
    for row in ((1,), (-1,), (2,), (300,)):
        encoder.write_row(row)
    assert (encoder.take(), refused) == (b"\1\2", [1, 3])


def test_the_error_has_its_traceback(impl: str) -> None:
    seen: list[EncodeError] = []
    encode_rows(
        "a UInt8", [(-1,)], on_error=lambda row, index, error: seen.append(error), implementation=impl
    )
    assert seen[0].__traceback__ is not None
    assert seen[0].args == (str(seen[0]),)
