"""The encoding calls with format="Native": blocks, errors, options, and what must not stay of a bad row."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from conftest import implementations
from hostile import Boom, boom, interrupt, meddling, raising, refuse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from native_blocks import blocks
from native_strategies import COLUMNS, column_types
from strategies import ODD, cells, schemas

from rowbinary import DEFAULT, EncodeError, Encoder, Schema, encode_rows, iter_encode, typed
from rowbinary._native import BLOCK_BYTES, BLOCK_ROWS
from rowbinary._paths import WATCHED

pytestmark = pytest.mark.timeout(120)

FEW = settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
ATTRIBUTES = ("reason", "row", "column", "path", "type", "value")
ONLY_C = pytest.mark.skipif("c" not in implementations(), reason="too much for the reference")


def native(impl: str, schema: Any, rows: Any, **choices: Any) -> bytes:
    return encode_rows(schema, rows, format="Native", implementation=impl, **choices)


def shapes(body: bytes) -> list[tuple[str, int]]:
    """The columns of each block, and its number of rows."""
    return [
        (" ".join(column.name for column in block), len(block[0].values) if block else 0)
        for block in blocks(body)
    ]


# --- errors -------------------------------------------------------------------------------------


def error_of(impl: str, format: Any, columns: Any, rows: Any, **choices: Any) -> Any:
    """All fields of the error that `rows` raise, ``None`` for none."""
    try:
        encode_rows(columns, rows, format=format, implementation=impl, **choices)
    except EncodeError as error:
        return str(error), *(getattr(error, name) for name in ATTRIBUTES)
    return None


@pytest.mark.parametrize("column", COLUMNS)
def test_errors_are_those_of_rowbinary(impl: str, column: str) -> None:
    columns = [("n", "UInt8"), ("c", column), ("z", "String")]
    for value in ODD:
        if value is DEFAULT:  # here it needs no other format
            continue
        values = [value, {"a": value}, {"x": [value, 1]}] if column.startswith("JSON") else [value]
        for cell in values:
            rows = [(1, cell, "z"), (300, cell, "z"), (1, cell, 5)]
            for mode in ("exact", "text") if "JSON" in column or "Dynamic" in column else ("exact",):
                wanted = error_of(impl, "RowBinary", columns, rows, json=mode)
                assert error_of(impl, "Native", columns, rows, json=mode) == wanted


@pytest.mark.parametrize(
    "row",
    [(1,), (1, 2, 3), {"a": 1}, {"a": 1, "b": "x", "c": 2}, "text", None, 5, object(), [], {}, ("x", 1)],
)
def test_errors_of_rows(impl: str, row: Any) -> None:
    rows = [(1, "x"), row]
    wanted = error_of(impl, "RowBinary", "a UInt8, b String", rows)
    assert wanted is not None
    assert error_of(impl, "Native", "a UInt8, b String", rows) == wanted


def test_arrays_of_one_nested(impl: str) -> None:
    columns = "`n.a` Array(UInt8), `n.b` Array(String)"
    with pytest.raises(EncodeError, match="differ in length"):
        native(impl, columns, [([1], ["x"]), ([1], [])])


@pytest.mark.parametrize("text", ["Array(AggregateFunction(count))", "AggregateFunction(count)"])
def test_states_in_dynamic_are_refused(impl: str, text: str) -> None:
    """A reader of RowBinary knows where a state ends; Native would need the same of us."""
    value = typed([b"\1"] if text.startswith("Array") else b"\1", text)
    for column, cell in (("Dynamic", value), ("JSON", {"a": value})):
        with pytest.raises(EncodeError, match="cannot be sent in a Native block"):
            native(impl, [("c", column)], [(cell,)])


@pytest.mark.parametrize("format", ["Native", "RowBinary"])
@pytest.mark.parametrize("column", ["AggregateFunction(count)", "Tuple(AggregateFunction(count), UInt8)"])
def test_states_have_no_zero(impl: str, format: Any, column: str) -> None:
    """No bytes are no state: the server would take those of the next cell for one."""
    columns = [("a", "UInt8"), ("s", column), ("b", "UInt8")]
    with pytest.raises(EncodeError) as caught:
        encode_rows(columns, [{"a": 1, "b": 2}], format=format, missing="zero", implementation=impl)
    assert (caught.value.row, caught.value.column) == (0, "s")


@pytest.mark.parametrize("column", ["Dynamic", "JSON", "Array(Dynamic)"])
def test_forced_types_too_deep(impl: str, column: str) -> None:
    """Whether this is refused or not: a bad value is an `EncodeError`, and others go on."""
    value: Any = typed([], "Array(" * 150 + "Int8" + ")" * 150)
    cell = {"JSON": {"a": value}, "Array(Dynamic)": [value]}.get(column, value)
    bad: list[int] = []
    encode_rows(
        [("c", column)],
        [(cell,)],
        format="Native",
        implementation=impl,
        on_error=lambda row, index, error: bad.append(index),
    )
    assert bad in ([], [0])


# --- bad rows leave nothing ---------------------------------------------------------------------


def check_bad_rows(impl: str, columns: Any, rows: list[Any], chunk_bytes: int, **choices: Any) -> None:
    """With `on_error` the body is that of the good rows alone, in the same chunks."""
    bad: list[int] = []
    choices |= {"format": "Native", "implementation": impl}

    def on_error(row: object, index: int, error: EncodeError) -> None:
        assert rows[index] is row
        assert error.row == index
        bad.append(index)

    found = list(iter_encode(columns, rows, chunk_bytes=chunk_bytes, on_error=on_error, **choices))
    good = [row for index, row in enumerate(rows) if index not in bad]
    for index in bad:
        with pytest.raises(EncodeError):
            encode_rows(columns, [rows[index]], **choices)
    assert found == list(iter_encode(columns, good, chunk_bytes=chunk_bytes, **choices))


@FEW
@given(st.data(), st.sampled_from([1, 100, 1 << 30]), st.sampled_from(implementations()))
def test_bad_rows(data: st.DataObject, chunk_bytes: int, impl: str) -> None:
    columns = data.draw(schemas(column_types))
    rows = data.draw(st.lists(st.tuples(*(cells(text) for _, text in columns)), max_size=8))
    check_bad_rows(impl, columns, [[*row] for row in rows], chunk_bytes)


@pytest.mark.parametrize("column", COLUMNS)
def test_bad_cells_of_every_kind(impl: str, column: str) -> None:
    rows: list[Any] = []
    for value in ODD:
        rows += [[value, 1, value], [value, "bad", value]]
    check_bad_rows(impl, [("c", column), ("n", "UInt8"), ("d", column)], rows, 1 << 30)


BAD = object()
CUTS: list[tuple[str, Any, Any]] = [
    ("JSON", {"a": 1}, {"new": 1, "a": "other", "z": BAD}),
    ("JSON(t Array(LowCardinality(String)))", {"t": ["x"]}, {"t": ["y", "z"], "u": BAD}),
    ("Array(JSON)", [{"a": 1}, {}], [{"b": "x"}, {"a": BAD}]),
    ("Map(String, JSON)", {"k": {"a": 1}}, {"l": {"a": "x"}, "k": {"a": BAD}}),
    ("Nullable(JSON)", None, {"a": BAD}),
    ("Array(LowCardinality(Nullable(String)))", ["x", None], ["y", None, 5]),
    ("Tuple(LowCardinality(String), Array(UInt8))", ("x", [1]), ("y", [2, BAD])),
    ("Variant(Array(JSON), UInt8)", 7, typed([{"a": 1}, {"a": BAD}], "Array(JSON)")),
    ("Dynamic(max_types=1)", "x", [1, "x", BAD]),
    ("Array(Dynamic)", [1, "x"], [1.5, {"a": 1}, BAD]),
    ("Array(Array(Nullable(Int8)))", [[1, None], []], [[1], [2, 300]]),
    ("QBit(Float32, 3)", [1, 2, 3], [1, 2, BAD]),
]


@pytest.mark.parametrize(("column", "good", "bad"), CUTS)
def test_a_row_that_fails_late(impl: str, column: str, good: Any, bad: Any) -> None:
    """Also around the row that decides about paths."""
    for count in (1, 2, WATCHED - 1, WATCHED, WATCHED + 1):
        rows = [(good, good)] * count + [(good, bad), (bad, good)] + [(good, good)] * 3
        check_bad_rows(impl, [("c", column), ("d", column)], rows, 1 << 30)


def test_text_that_has_no_room(impl: str) -> None:
    """json="string" cannot be in a shared variant, which is only known among the columns."""
    column = "Array(Dynamic(max_types=1))"
    rows: list[Any] = [
        ([1, {"a": 1}], "x", [1]),
        ([{"a": 1}], "y", [{"a": 1}]),
        ([1], "z", [{"a": 1}]),
        ([1], "x", [{"a": 1}, {"b": 1}, 1]),
    ]
    columns = [("c", column), ("l", "LowCardinality(String)"), ("d", f"Variant({column}, UInt8)")]
    check_bad_rows(impl, columns, rows, 1 << 30, json="string")
    with pytest.raises(EncodeError, match="needs RowBinary") as caught:
        native(impl, columns, rows, json="string")
    assert (caught.value.row, caught.value.column) == (0, "c")


# --- blocks ---------------------------------------------------------------------------------------


def test_a_body(impl: str) -> None:
    assert native(impl, "a UInt8, s String", [(1, "x"), (2, "")]) == (b"\2\2\1a\5UInt8\1\2\1s\6String\1x\0")
    assert native(impl, "a UInt8", []) == b""
    assert list(iter_encode("a UInt8", [], format="Native", implementation=impl)) == []


def test_a_block_for_each_row(impl: str) -> None:
    rows = [(n, f"v{n}", {"a": n}) for n in range(5)]
    schema = "a UInt8, s LowCardinality(String), j JSON"
    chunks = list(iter_encode(schema, rows, format="Native", chunk_bytes=1, implementation=impl))
    assert chunks == [native(impl, schema, [row]) for row in rows]


@FEW
@given(st.lists(st.binary(max_size=40), max_size=30), st.integers(1, 300), st.sampled_from(implementations()))
def test_chunks_are_whole_blocks(values: list[bytes], chunk_bytes: int, impl: str) -> None:
    rows = [(value,) for value in values]
    chunks = list(
        iter_encode("s String", rows, format="Native", chunk_bytes=chunk_bytes, implementation=impl)
    )
    counts = [count for chunk in chunks for _, count in shapes(chunk)]
    assert sum(counts) == len(rows)
    assert len(counts) == len(chunks)
    taken = iter(rows)
    for chunk, count in zip(chunks, counts, strict=True):
        assert chunk == native(impl, "s String", itertools.islice(taken, count))
    for count in counts[:-1]:
        assert count == 1 or len(chunks[0]) >= min(chunk_bytes, 1)


def test_rows_are_read_as_chunks_are_asked_for(impl: str) -> None:
    seen: list[int] = []

    def rows() -> Iterator[tuple[int]]:
        for n in range(100):
            seen.append(n)
            yield (n,)

    chunks = iter_encode("a UInt32", rows(), format="Native", chunk_bytes=50, implementation=impl)
    assert shapes(next(chunks)) == [("a", 10)]  # 4 bytes each, and 1 for the row
    assert len(seen) == 10
    assert [shapes(chunk) for chunk in chunks] == [[("a", 10)]] * 9


def test_blocks_end_at_many_rows(impl: str) -> None:
    counts = [count for _, count in shapes(native(impl, "a UInt8", [(1,)] * (2 * BLOCK_ROWS + 10)))]
    assert counts == [BLOCK_ROWS, BLOCK_ROWS, 10]
    assert [count for _, count in shapes(native(impl, "a UInt8", [(1,)] * BLOCK_ROWS))] == [BLOCK_ROWS]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("String", "x" * (BLOCK_BYTES // 2)),
        ("JSON", {"a": "x" * (BLOCK_BYTES // 2)}),
        ("JSON(max_dynamic_paths=0)", {"a": "x" * (BLOCK_BYTES // 2)}),
        ("Dynamic(max_types=0)", "x" * (BLOCK_BYTES // 2)),
        ("Array(Nullable(FixedString(1000)))", [None] * (BLOCK_BYTES // 2000 + 1)),
        ("Map(String, FixedString(100000))", {str(n): "" for n in range(BLOCK_BYTES // 200_000 + 1)}),
    ],
)
def test_blocks_end_at_many_bytes(impl: str, column: str, value: Any) -> None:
    body = native(impl, [("c", column)], [(value,)] * 5)
    assert [count for _, count in shapes(body)] == [2, 2, 1]


def counts_of(chunks: Iterable[bytes]) -> list[list[int]]:
    """Rows of each block, in each chunk."""
    return [[count for _, count in shapes(chunk)] for chunk in chunks]


@pytest.mark.parametrize(
    ("count", "wanted"),
    [
        (99, [[99]]),
        (100, [[100]]),
        (101, [[101]]),
        (125, [[125]]),
        (126, [[100], [26]]),
        (225, [[100], [125]]),
        (226, [[100], [100], [26]]),
    ],
)
def test_blocks_go_on_to_the_end_of_a_list(impl: str, count: int, wanted: list[list[int]]) -> None:
    """No block for a fourth of the last one's rows, or fewer."""
    rows = [("x" * (BLOCK_BYTES // 100),)] * count

    def chunks(rows: Iterable[object], **options: Any) -> list[list[int]]:
        return counts_of(iter_encode("a String", rows, format="Native", implementation=impl, **options))

    assert chunks(rows) == wanted
    assert chunks([list(row) for row in rows]) == wanted
    assert chunks([(0,), *rows], on_error=lambda *_: None) == wanted
    by_hundreds = [[100]] * (count // 100) + [[count % 100]] * (count % 100 > 0)
    assert chunks(row for row in rows) == by_hundreds  # how many are left is not known
    assert chunks(tuple(rows)) == by_hundreds
    encoder = Encoder("a String", format="Native", implementation=impl)
    encoder.write_rows(rows)
    encoder.write_row(rows[0])
    (blocks,) = counts_of([encoder.take()])
    assert blocks[-1] == (1 if wanted[-1][-1] >= 100 else wanted[-1][-1] + 1)  # it was full, or not


def test_a_block_goes_on_by_a_fourth_at_most(impl: str) -> None:
    """The rows that are left may be longer than those before."""
    rows = [("x" * (BLOCK_BYTES // 100),)] * 100 + [("x" * (BLOCK_BYTES // 10),)] * 25
    chunks = iter_encode("a String", rows, format="Native", implementation=impl)
    assert counts_of(chunks) == [[103], [10], [12]]


@pytest.mark.parametrize(
    "change", [list.clear, lambda rows: rows.extend([("x",)] * 1000)], ids=["less", "more"]
)
def test_a_list_that_changes_where_a_block_goes_on(impl: str, change: Callable[[list[Any]], None]) -> None:
    rows: list[Any] = [("x" * (BLOCK_BYTES // 100),)] * 110
    rows[104] = (0,)  # refused, and then
    chunks = iter_encode(
        "a String", rows, format="Native", implementation=impl, on_error=lambda *_: change(rows)
    )
    assert counts_of(chunks) == ([[104]] if not rows else [[104], [1005]])


@given(st.lists(st.text(max_size=30) | st.just(0), max_size=60), st.integers(1, 400), st.integers(1, 3))
@pytest.mark.skipif(len(implementations()) < 2, reason="the C extension is not built")
def test_chunks_of_lists_are_the_same(values: list[Any], chunk_bytes: int, times: int) -> None:
    rows = [(value, {"a": value, value: 1}) for value in values] * times
    found = [
        list(
            iter_encode(
                "s String, j JSON",
                rows,
                format="Native",
                chunk_bytes=chunk_bytes,
                implementation=impl,
                on_error=lambda *_: None,
            )
        )
        for impl in implementations()
    ]
    assert found[0] == found[1]
    assert len(found[0][0] if found[0] else b"") <= 2 * chunk_bytes + 1000


def test_an_encoder(impl: str) -> None:
    encoder = Encoder("a UInt8, j JSON", format="Native", implementation=impl)
    assert (encoder.rows, len(encoder), encoder.take()) == (0, 0, b"")
    sizes = []
    for n in range(10):
        encoder.write_row((n, {"a": n}))
        sizes.append(len(encoder))
    assert sizes == sorted(set(sizes))
    with pytest.raises(EncodeError, match="row 10"):
        encoder.write_row((1, {"a": BAD}))
    assert (encoder.rows, len(encoder)) == (10, sizes[-1])
    with pytest.raises(EncodeError, match="row 12"):
        encoder.write_rows([(10, {"a": 10}), (300, {})])
    assert encoder.rows == 11
    assert "Native of 2 columns: 11 rows" in repr(encoder)
    rows = [(n, {"a": n}) for n in range(11)]
    assert encoder.take() == native(impl, "a UInt8, j JSON", rows)
    assert (encoder.rows, len(encoder), encoder.take()) == (0, 0, b"")


def test_bodies_taken_stay_as_they_are(impl: str) -> None:
    """Memory is used again, but not that of bodies which are still there."""
    schema = "n UInt32, l LowCardinality(String), j JSON, d Dynamic(max_types=1)"
    encoder = Encoder(schema, format="Native", implementation=impl)
    kept, wanted = [], []
    for turn in range(30):
        rows: list[Any] = [
            (n, f"{turn} {n % 7}", {f"p{turn % 3}": n, "q": turn}, [n, "x", turn][n % 3])
            for n in range(turn * 11 % 90)
        ]
        encoder.write_rows(rows)
        body = encoder.take()
        wanted.append(native(impl, schema, rows))
        kept.append(body)
        assert body == wanted[-1]
        if turn % 4 == 0:
            del kept[0], wanted[0]
    assert kept == wanted


# --- DEFAULT, rows of other shapes -------------------------------------------------------------------


def test_default_leaves_the_column_out(impl: str) -> None:
    rows = [(1, "x"), (2, DEFAULT), (3, DEFAULT), (DEFAULT, "y"), (DEFAULT, DEFAULT), (4, "z")]
    body = native(impl, "a UInt8, s String", rows)
    parts = [
        native(impl, "a UInt8, s String", rows[:1]),
        native(impl, "a UInt8", [(2,), (3,)]),
        native(impl, "s String", [("y",)]),
        b"\0\1",  # no column, one row
        native(impl, "a UInt8, s String", rows[5:]),
    ]
    assert body == b"".join(parts)


def test_default_of_a_bad_row_splits_nothing(impl: str) -> None:
    columns = "a UInt8, s String, t String"
    rows: list[Any] = [(1, "x", "t"), (DEFAULT, DEFAULT, 5), (2, DEFAULT, BAD), (3, "y", "t")]
    check_bad_rows(impl, columns, rows, 1 << 30)
    assert shapes(native(impl, columns, [rows[0], rows[3]])) == [("a s t", 2)]


def test_default_without_an_expression_is_a_value(impl: str) -> None:
    """Where the schema knows, rows stay in one block."""
    columns = [
        ("a", "UInt8"),
        ("s", "String"),
        ("e", "Enum8('p' = 3, 'q' = 1)"),
        ("j", "JSON"),
        ("x", "Int8"),
    ]
    rows = [(1, "s", "p", {"a": 1}, 1), (DEFAULT,) * 5, (2, DEFAULT, "q", DEFAULT, 2)]
    schema = Schema(columns, ["x"])
    zeros = [rows[0], (0, "", "q", {}), (2, "", "q", {}, 2)]
    body = native(impl, schema, [rows[0], rows[2]])
    assert body == native(impl, columns, [zeros[0], zeros[2]])
    assert native(impl, schema, rows[1:2]) == native(impl, columns[:4], [zeros[1]])


@pytest.mark.parametrize("column", ["Array(String)", "Tuple(String)", "Nullable(String)", "JSON", "Dynamic"])
def test_default_stands_for_whole_cells_only(impl: str, column: str) -> None:
    value: Any = {"JSON": {"a": DEFAULT}}.get(column, [DEFAULT])
    with pytest.raises(EncodeError):
        native(impl, [("c", column)], [(value,)])


@dataclasses.dataclass
class Row:
    s: str
    a: int = 7


def test_rows_of_other_shapes(impl: str) -> None:
    columns = "a UInt8, s String"
    wanted = native(impl, columns, [(7, "x")])
    for row in ([7, "x"], {"s": "x", "a": 7}, Row("x"), iter_row()):
        assert native(impl, columns, [row]) == wanted
    with pytest.raises(EncodeError, match="has no value for it"):
        native(impl, columns, [{"a": 1}])
    assert native(impl, columns, [{"a": 1}], missing="zero") == native(impl, columns, [(1, "")])
    with pytest.raises(EncodeError, match="is no column"):
        native(impl, columns, [{"a": 7, "s": "x", "t": 1}])
    assert native(impl, columns, [{"a": 7, "s": "x", "t": 1}], extra="ignore") == wanted


def iter_row() -> Any:
    """An object with the columns as attributes."""
    return type("Attributes", (), {"a": 7, "s": "x"})()


# --- hostile objects ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "bad"),
    [
        ("UInt8", raising("__index__", "__int__")),
        ("String", raising("__str__", "__repr__")),
        ("Array(UInt8)", raising("__iter__", "__len__")),
        ("JSON", {"a": 1, "b": raising("__repr__")}),
        ("JSON", {"new": [1], "b": meddling(boom)}),
        ("Dynamic", [1, meddling(boom)]),
        ("DateTime", meddling(boom)),
        ("Map(String, UInt8)", {raising("__str__"): 1}),
    ],
)
def test_values_that_raise(impl: str, column: str, bad: Any) -> None:
    refuse(impl, column, bad, format="Native")


def test_an_interrupt_leaves_whole_rows(impl: str) -> None:
    encoder = Encoder("j JSON, d Dynamic", format="Native", implementation=impl)
    encoder.write_row(({"a": 1}, 1))
    for cell in ({"b": meddling(lambda: interrupt())}, {"b": [1, meddling(lambda: interrupt())]}):
        with pytest.raises(KeyboardInterrupt):
            encoder.write_row((cell, 1))
        with pytest.raises(KeyboardInterrupt):
            encoder.write_row(({"c": 1}, cell))
    encoder.write_row(({"a": 2}, "x"))
    assert encoder.take() == native(impl, "j JSON, d Dynamic", [({"a": 1}, 1), ({"a": 2}, "x")])


def test_rows_that_raise(impl: str) -> None:
    def rows() -> Iterator[tuple[int]]:
        yield (1,)
        yield (2,)
        raise Boom("rows are out")

    encoder = Encoder("a UInt8", format="Native", implementation=impl)
    with pytest.raises(Boom):
        encoder.write_rows(rows())
    assert encoder.take() == native(impl, "a UInt8", [(1,), (2,)])
    chunks = iter_encode("a UInt8", rows(), format="Native", chunk_bytes=1, implementation=impl)
    assert [shapes(next(chunks)), shapes(next(chunks))] == [[("a", 1)], [("a", 1)]]
    with pytest.raises(Boom):
        next(chunks)
