"""Rows, iterators and error handlers that misbehave or use the encoder that is reading them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hostile import Boom, boom, raising

import rowbinary
from rowbinary import EncodeError, Encoder, Format, encode_rows, iter_encode

pytestmark = pytest.mark.timeout(120)

# --- rows that fight back -----------------------------------------------------------------------


def test_a_generator_that_raises(impl: str) -> None:
    def rows() -> Iterator[tuple[int]]:
        yield (1,)
        yield (2,)
        raise Boom("rows are out")

    encoder = Encoder("a UInt8", implementation=impl)
    with pytest.raises(Boom, match="rows are out"):
        encoder.write_rows(rows())
    assert encoder.take() == b"\x01\x02"
    chunks = iter_encode("a UInt8", rows(), chunk_bytes=1, implementation=impl)
    assert [next(chunks), next(chunks)] == [b"\x01", b"\x02"]
    with pytest.raises(Boom):
        next(chunks)
    assert list(chunks) == []


def test_an_encode_error_of_the_generator_is_not_a_bad_row(impl: str) -> None:
    def rows() -> Iterator[tuple[int]]:
        yield (1,)
        raise EncodeError("mine")

    calls: list[Any] = []
    encoder = Encoder("a UInt8", on_error=lambda *args: calls.append(args), implementation=impl)
    with pytest.raises(EncodeError, match="mine"):
        encoder.write_rows(rows())
    assert (encoder.take(), calls) == (b"\x01", [])


@pytest.mark.parametrize("format", ["RowBinary", "Native"])
@pytest.mark.parametrize("call", ["write_row", "write_rows", "take"])
def test_a_value_that_uses_the_encoder(impl: str, call: str, format: Format) -> None:
    encoder = Encoder("a UInt8, b UInt8", format=format, implementation=impl)
    arguments: dict[str, Any] = {"write_row": ((1, 1),), "write_rows": ([(1, 1)],), "take": ()}

    class Greedy:
        def __index__(self) -> int:
            assert encoder.rows == 1  # looking is allowed
            assert len(encoder) >= 2
            getattr(encoder, call)(*arguments[call])
            return 9

    encoder.write_row((1, 2))
    with pytest.raises(EncodeError, match="RuntimeError: this encoder is in use"):
        encoder.write_row((3, Greedy()))
    encoder.write_row((5, 6))
    expected = {"RowBinary": b"\1\2\5\6", "Native": b"\2\2\1a\5UInt8\1\5\1b\5UInt8\2\6"}
    assert encoder.take() == expected[format]


def test_rows_that_use_the_encoder(impl: str) -> None:
    encoder = Encoder("a UInt8", implementation=impl)

    def rows() -> Iterator[tuple[int]]:
        yield (1,)
        encoder.take()
        yield (2,)

    with pytest.raises(RuntimeError, match="this encoder is in use"):
        encoder.write_rows(rows())
    assert encoder.take() == b"\x01"


def test_an_error_handler_that_uses_the_encoder(impl: str) -> None:
    encoder = Encoder(
        "a UInt8", on_error=lambda row, index, error: encoder.write_row((0,)), implementation=impl
    )
    with pytest.raises(RuntimeError, match="this encoder is in use"):
        encoder.write_rows([(1,), (-1,), (2,)])
    encoder.write_row((3,))
    assert encoder.take() == b"\x01\x03"


def test_an_error_handler_that_raises(impl: str) -> None:
    def handler(row: object, index: int, error: EncodeError) -> None:
        if index == 2:
            raise Boom(index)

    encoder = Encoder("a UInt8", on_error=handler, implementation=impl)
    with pytest.raises(Boom):
        encoder.write_rows([(1,), (-1,), (-2,), (4,)])
    encoder.write_rows([(-1,), (5,)])
    assert encoder.take() == b"\x01\x05"


def test_another_encoder_inside_a_value_is_fine(impl: str) -> None:
    schema = rowbinary.Schema.parse("a UInt8")

    class Nested:
        def __index__(self) -> int:
            return encode_rows(schema, [(4,)], implementation=impl)[0]

    assert encode_rows(schema, [(Nested(),)], implementation=impl) == b"\x04"


def test_an_iterator_shared_with_the_error_handler(impl: str) -> None:
    """A handler may read on in the source, to skip what belongs to the bad row."""
    rows = iter([(1,), (-1,), (99,), (2,)])
    encoder = Encoder("a UInt8", on_error=lambda *_: next(rows), implementation=impl)
    encoder.write_rows(rows)
    assert encoder.take() == b"\x01\x02"


def test_a_list_that_changes_while_it_is_read(impl: str) -> None:
    rows: list[Any] = [(1,), (-1,), (2,)]
    encoder = Encoder("a UInt8", on_error=lambda *_: rows.append((3,)), implementation=impl)
    encoder.write_rows(rows)
    assert encoder.take() == b"\x01\x02\x03"
    encoder = Encoder("a UInt8", on_error=lambda *_: rows.clear(), implementation=impl)
    encoder.write_rows(rows)
    assert encoder.take() == b"\x01"


def test_a_row_dropped_by_its_list(impl: str) -> None:
    """The list was the only owner of the row that is being encoded."""

    def vanish(self: Any) -> int:
        rows.clear()
        return 7

    rows: list[Any] = [[1, raising(__index__=vanish), "text"], (1, 2, "x")]
    encoder = Encoder("a UInt8, b UInt8, c String", implementation=impl)
    encoder.write_rows(rows)
    assert encoder.take() == b"\x01\x07\x04text"


def test_attribute_rows(impl: str) -> None:
    class Row:
        a = 1
        b = property(boom)

    with pytest.raises(EncodeError, match="Boom"):
        encode_rows("a UInt8, b UInt8", [Row()], implementation=impl)

    @dataclasses.dataclass
    class Half:
        a: int

        def __getattribute__(self, name: str) -> Any:
            raise AttributeError(name)

    with pytest.raises(EncodeError, match="AttributeError"):
        encode_rows("a UInt8", [Half(1)], implementation=impl)


class Strange(Sequence[Any]):
    """A row that has another length each time it is asked."""

    def __init__(self) -> None:
        self.lengths = itertools.cycle([2, 1, 3])

    def __len__(self) -> int:
        return next(self.lengths)

    def __getitem__(self, index: Any) -> Any:
        return 1


def test_a_row_of_changing_length(impl: str) -> None:
    encoder = Encoder("a UInt8, b UInt8", implementation=impl)
    with pytest.raises(EncodeError):
        encoder.write_row(Strange())
    assert len(encoder) == 0
