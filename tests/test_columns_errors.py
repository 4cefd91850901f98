"""encode_columns: names and lengths, what is no column, the first of several errors, what kernels refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from columns_cases import FORMATS, ROW_FORMATS, WAYS, good, refused, same

import rowbinary
from rowbinary import DEFAULT, EncodeError, Schema

AB = "a UInt8, b String"


def tables() -> list[Any]:
    """Two columns, as everything that can hold them; the order is not that of the schema."""
    pd: Any = pytest.importorskip("pandas")
    found: list[Any] = [
        {"b": ["x", "y"], "a": np.array([1, 2])},
        pd.DataFrame({"b": ["x", "y"], "a": [1, 2]}),
        np.array([("x", 1), ("y", 2)], [("b", "U1"), ("a", "i4")]),
        [np.array([1, 2]), ["x", "y"]],
        ([1, 2], ("x", "y")),
        lambda: iter([[1, 2], ["x", "y"]]),
        lambda: [iter([1, 2]), (text for text in "xy")],
    ]
    pa: Any = pytest.importorskip("pyarrow")
    table = pa.table({"b": ["x", "y"], "a": [1, 2]})
    return [
        *found,
        table,
        table.to_batches()[0],
        lambda: pa.RecordBatchReader.from_batches(table.schema, table.to_batches()),
    ]


def test_holders_of_columns() -> None:
    for table in tables():
        good(AB, table, [(1, "x"), (2, "y")])


def test_names() -> None:
    for table in tables():
        if not isinstance(table, list | tuple) and not callable(table):
            assert refused("a UInt8, c String", table, "no such column").column == "c"
            assert refused("a UInt8", table, "the schema has no such column").column == "b"
            good("a UInt8", table, [(1,), (2,)], extra="ignore")
    assert refused("a UInt8", {"a": [1], 5: [2]}, "the schema has no such column").column == "5"
    refused(AB, [[1]], "1 columns instead of 2")
    refused(AB, [], "0 columns instead of 2")
    refused(AB, {}, "no such column")


def test_names_that_occur_twice() -> None:
    pa: Any = pytest.importorskip("pyarrow")
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"])
    refused("a UInt8", table, "two columns of one name", extra="ignore")
    assert refused("a UInt8, b UInt8", pa.array([1]), "one column instead of 2").row is None
    refused("a UInt8", pa.array([{"a": 1}, None]), "rows of a table cannot be NULL")


def test_lengths() -> None:
    error = refused(AB, {"a": np.arange(3), "b": ["x"]}, "1 values, the first column has 3")
    assert error.column == "b"
    refused(AB, [np.arange(0), ["x"]], "1 values, the first column has 0")


@pytest.mark.parametrize("column", [5, None, "text", b"bytes", 1.5, np.int32(5), np.array(5), object()])
def test_what_is_no_column(column: Any) -> None:
    for way in WAYS:
        for table in ({"a": column}, [column]):
            with pytest.raises(TypeError):
                rowbinary.encode_columns("a UInt8", table, implementation=way)
    if column is not None:
        return
    for way in WAYS:
        for none in (None, 5, "a"):
            with pytest.raises(TypeError):
                rowbinary.encode_columns("a UInt8", none, implementation=way)


def test_options() -> None:
    """Wrong arguments are told by the call, not by the first chunk."""
    wrong: list[dict[str, Any]] = [
        {"chunk_bytes": 0}, {"chunk_bytes": -1}, {"chunk_bytes": "1"}, {"format": "CSV"}, {"json": "x"},
        {"naive": "x"}, {"extra": "x"}, {"implementation": "rust"}, {"duplicate_paths": "x"},
    ]  # fmt: skip
    for choice in wrong:
        with pytest.raises(ValueError, match="must be"):
            rowbinary.iter_encode_columns("a UInt8", [[1]], **choice)
    with pytest.raises(rowbinary.SchemaError):
        rowbinary.iter_encode_columns("a Nonsense", [[1]])


def test_default_is_for_rows() -> None:
    for column in ([1, DEFAULT], np.array([1, DEFAULT], object)):
        error = refused("a UInt8", {"a": column}, "DEFAULT is for cells of rows")
        assert (error.row, error.column) == (1, "a")


# --- the first of several errors ---------------------------------------------------------------------------


def test_the_first_bad_row() -> None:
    """Whatever the order of columns, and whether kernels take them or not."""
    count = 4200
    for first, slow, last in ((30, 20, 10), (10, 20, 30), (20, 10, 30), (4150, 4096, 4120), (9, 9, 9)):
        fast, other, texts = np.zeros(count, "i4"), np.zeros(count, "i8"), ["x"] * count
        fast[first:], other[last:], texts[slow:] = 300, -1, [5] * (count - slow)  # type: ignore[list-item]
        schema = "a UInt8, s String, b UInt64"
        rows = list(zip(fast.tolist(), texts, other.tolist(), strict=True))
        for form in ("RowBinary", "RowBinaryWithDefaults", "Native"):
            found = same(schema, [fast, texts, other], rows, format=form)
            assert found[3] == min(first, slow, last)


def test_the_row_of_a_later_batch() -> None:
    pa: Any = pytest.importorskip("pyarrow")
    for sizes in ((3, 4, 5), (5000, 0, 1, 6000), (70_000, 2)):
        batches = [pa.record_batch({"a": np.zeros(size, "i4")}) for size in sizes]
        bad = pa.record_batch({"a": np.array([1, 300, 2])})
        for form in FORMATS:
            table = pa.Table.from_batches([*batches, bad.cast(batches[0].schema), *batches])
            found = same("a UInt8", table, format=form, implementation=WAYS[-1])
            assert found[3] == sum(sizes) + 1


NESTED = "`n.a` Array(UInt8), x UInt8, `n.b` Array(String)"


def test_nested_columns_of_unequal_lengths() -> None:
    pa: Any = pytest.importorskip("pyarrow")
    lists = [[1], [], [2, 3]] * 30
    texts = [["x"], [], ["y", "z"]] * 30
    for bad in (0, 1, 5, 89):
        other = [*texts[:bad], ["p"] * 7, *texts[bad + 1 :]]
        for x, row in ((np.zeros(90, "i2"), bad), (np.where(np.arange(90) == 3, 300, 0), min(bad, 3))):
            for table in (
                [lists, x, other],
                [pa.array(lists), x, pa.array(other)],
                [pa.array(lists), x, other],
            ):
                rows = list(zip(lists, x.tolist(), other, strict=True))
                for form in FORMATS:
                    assert same(NESTED, table, rows, format=form)[3] == row
    good(NESTED, [pa.array(lists), np.zeros(90, "i2"), texts], list(zip(lists, [0] * 90, texts, strict=True)))
    odd: list[Any] = [None, 5, "ab", {"a": 1}]
    for wrong in odd:
        pairs: list[Any] = [([1], 1, ["x"]), ([1], 1, wrong)]
        assert same(NESTED, [[[1], [1]], [1, 1], [["x"], wrong]], pairs)[3] == 1


def test_a_stream_that_fails() -> None:
    pa: Any = pytest.importorskip("pyarrow")
    schema = pa.schema([("a", pa.int32())])

    def reader(before: int, size: int) -> Any:
        def batches() -> Any:
            for _ in range(before):
                yield pa.record_batch([pa.array([7] * size, pa.int32())], schema=schema)
            raise ValueError("the cable is cut")

        return pa.RecordBatchReader.from_batches(schema, batches())

    for way in WAYS:
        for form in FORMATS:
            for before, size in ((0, 1), (1, 5), (3, 2000)):
                choices: dict[str, Any] = {"implementation": way, "format": form}
                with pytest.raises(rowbinary.RowBinaryError, match=r"the Arrow stream ended .* cable is cut"):
                    rowbinary.encode_columns("a UInt8", reader(before, size), **choices)
                bad = "Enum8('x' = 1)" if before else "UInt8"
                with pytest.raises(rowbinary.RowBinaryError, match="undeclared" if before else "cable"):
                    rowbinary.encode_columns([("a", bad)], reader(before, size), **choices)


# --- values that kernels refuse and the row encoder takes ----------------------------------------------


def big(count: int = 4200) -> list[tuple[str, Any, list[Any]]]:
    """Type, column and values; the unusual ones stand at the ends of windows and in between."""
    spots = [0, 255, 256, 4095, 4096, count - 1]

    def column(dtype: Any, usual: Any, unusual: Any) -> Any:
        array = np.full(count, usual, dtype)
        array[spots] = unusual
        return array

    texts = column("U36", "00010203-0405-0607-0809-0a0b0c0d0e0f", "ffffffffffffffffffffffffffffffff")
    return [
        ("UInt128", wide := column("u8", 1, 2**64 - 1), wide.tolist()),
        ("UInt64", real := column("f8", 1.0, 2.0**63), real.tolist()),
        ("Decimal(38, 0)", wide, wide.tolist()),
        ("Decimal(76, 30)", wide, wide.tolist()),
        ("Int256", wide, wide.tolist()),
        ("UUID", texts, texts.tolist()),
        ("Date", days := column("U10", "2020-02-29", "1970-01-01"), days.tolist()),
        ("FixedString(4)", short := column("U4", "ab", "é"), short.tolist()),
        ("Enum8('a' = 1, 'é' = -2)", labels := column("U1", "a", "é"), labels.tolist()),
        ("JSON", documents := column("U9", '{"a": 1}', '{"b":"x"}'), documents.tolist()),
        ("Bool", odd := column("u1", 0, 3).view("?"), odd.tolist()),
        ("Decimal(9, 2)", reals := column("f8", 1.5, -2.25), reals.tolist()),
    ]


@pytest.mark.parametrize("number", range(12))
def test_unusual_values_in_large_columns(number: int) -> None:
    type_, column, values = big()[number]
    schema = Schema([("n", "UInt16"), ("c", type_), ("t", "String")])
    numbers, texts = np.arange(len(values), dtype="u4"), np.array(["x", "yz"] * (len(values) // 2))
    rows = list(zip(numbers.tolist(), values, texts.tolist(), strict=True))
    for form in ("RowBinaryWithDefaults", "Native"):
        good(schema, [numbers, column, texts], rows, [form], implementation=WAYS[-1])
    for form in ROW_FORMATS[:1]:
        choices: dict[str, Any] = {"format": form, "chunk_bytes": 10_000}
        chunks = list(rowbinary.iter_encode_columns(schema, [numbers, column, texts], **choices))
        assert chunks == list(rowbinary.iter_encode(schema, rows, **choices))


def test_an_error_is_all_that_comes() -> None:
    with pytest.raises(EncodeError):
        rowbinary.encode_columns("a UInt8", [np.array([1] * 100_000 + [256])])
