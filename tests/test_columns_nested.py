"""encode_columns: lists, structs, maps, dictionaries and views of Arrow, wherever they begin."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from columns_cases import FORMATS, WAYS, good, refused, same

import rowbinary
from rowbinary import Schema

pa: Any = pytest.importorskip("pyarrow")

LONG = "longer than twelve bytes"
POINT = pa.struct([("x", pa.int32()), ("y", pa.string())])
CASES: dict[str, tuple[Any, str, list[Any]]] = {
    "list": (pa.list_(pa.int16()), "Array(Int16)", [[1, 2], [], [-3]]),
    "list of another width": (pa.list_(pa.int16()), "Array(UInt64)", [[1, 2], [], [3]]),
    "large list": (pa.large_list(pa.string()), "Array(String)", [["a", LONG], [], [""]]),
    "list of NULL": (pa.list_(pa.int8()), "Array(Nullable(Int8))", [[1, None], [], [None, None, 2]]),
    "list of list": (
        pa.list_(pa.list_(pa.float64())),
        "Array(Array(Float32))",
        [[[1.5], []], [], [[2.0, 3.0], [4.0]]],
    ),
    "fixed list": (pa.list_(pa.int32(), 3), "Array(Int32)", [[1, 2, 3], [4, 5, 6], [7, 8, 9]]),
    "fixed list of NULL": (
        pa.list_(pa.int32(), 2),
        "Array(Nullable(Int64))",
        [[1, None], [None, None], [7, 8]],
    ),
    "fixed list of text": (pa.list_(pa.string(), 2), "Array(String)", [["a", "b"], ["", LONG], ["c", "d"]]),
    "fixed list of list": (
        pa.list_(pa.list_(pa.int8(), 2), 2),
        "Array(Array(Int8))",
        [[[1, 2], [3, 4]], [[5, 6], [7, 8]]],
    ),
    "QBit": (pa.list_(pa.float32(), 3), "QBit(Float32, 3)", [[1.0, 2.0, 3.0], [-1.0, 0.5, 8.0]]),
    "QBit of doubles": (pa.list_(pa.float64(), 9), "QBit(BFloat16, 9)", [[1.0] * 9, [0.5] * 9]),
    "struct": (POINT, "Tuple(x Int32, y String)", [{"x": 1, "y": "a"}, {"x": 2, "y": LONG}]),
    "struct in another order": (POINT, "Tuple(y String, x Int64)", [{"x": 1, "y": "a"}, {"x": 2, "y": ""}]),
    "struct by position": (POINT, "Tuple(Int32, String)", [(1, "a"), (2, "b")]),
    "struct of NULL": (
        POINT,
        "Tuple(x Nullable(Int32), y LowCardinality(Nullable(String)))",
        [{"x": None, "y": "a"}, {"x": 2, "y": None}],
    ),
    "list of struct": (
        pa.list_(POINT),
        "Array(Tuple(x UInt8, y LowCardinality(String)))",
        [[{"x": 1, "y": "a"}], [], [{"x": 2, "y": "a"}, {"x": 3, "y": ""}]],
    ),
    "list of list of struct": (
        pa.list_(pa.list_(POINT)),
        "Array(Array(Tuple(x Int32, y String)))",
        [[[{"x": 1, "y": "a"}], []], [], [[{"x": 2, "y": LONG}] * 2]],
    ),
    "Nested in one column": (
        pa.list_(POINT),
        "Array(Tuple(x Int32, y String))",
        [[{"x": 1, "y": "a"}] * 3, [], []],
    ),
    "struct of struct": (
        pa.struct([("a", POINT), ("b", pa.list_(POINT))]),
        "Tuple(a Tuple(x Int32, y String), b Array(Tuple(Int32, String)))",
        [{"a": {"x": 1, "y": "p"}, "b": [(1, "q")]}, {"a": {"x": 1, "y": "r"}, "b": []}],
    ),
    "map": (pa.map_(pa.string(), pa.int64()), "Map(String, Int64)", [[("a", 1), ("b", 2)], [], [("c", 3)]]),
    "map of map": (
        pa.map_(pa.int8(), pa.map_(pa.string(), pa.list_(pa.int8()))),
        "Map(Int8, Map(LowCardinality(String), Array(Nullable(Int8))))",
        [[(1, [("a", [1, None])])], [], [(2, []), (3, [("a", []), ("b", [4])])]],
    ),
    "map as dict": (pa.map_(pa.string(), pa.int64()), "JSON", [{"a": 1}, {}, {"b": 2}]),
    "struct as JSON": (
        pa.struct([("a", pa.int64()), ("b", pa.list_(pa.struct([("c", pa.string())])))]),
        "JSON",
        [{"a": 1, "b": [{"c": "x"}]}, {"a": None, "b": []}],
    ),
    "struct as Map": (
        pa.struct([("k", pa.int8()), ("l", pa.int8())]),
        "Map(String, Int8)",
        [{"k": 1, "l": 2}, {"k": 3, "l": 4}],
    ),
    "list as Dynamic": (pa.list_(pa.int8()), "Dynamic", [[1, 2], [], [None, 3]]),
    "list as Variant": (pa.list_(pa.int64()), "Variant(Array(Int64), String)", [[1, 2], [], None]),
    "struct of moments as JSON": (
        pa.struct([("t", pa.time32("s")), ("d", pa.timestamp("s", "Asia/Tokyo")), ("e", pa.date32())]),
        "JSON(d Date, t Time)",
        [{"t": dt.time(1), "d": dt.date(2020, 1, 2), "e": dt.date(2020, 1, 1)}],
    ),
}


def built(kind: Any, values: list[Any]) -> Any:
    """From Python values; structs may be given as tuples, and days as times of a zone."""
    moment = dt.datetime(2020, 1, 1, 20, tzinfo=dt.UTC)

    def plain(value: Any, kind: Any) -> Any:
        if value is None:
            return None
        if pa.types.is_struct(kind):
            fields = value.values() if isinstance(value, dict) else value
            return {kind[i].name: plain(field, kind[i].type) for i, field in enumerate(fields)}
        if pa.types.is_map(kind):
            pairs = value.items() if isinstance(value, dict) else value
            return [(key, plain(item, kind.item_type)) for key, item in pairs]
        if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
            return [plain(item, kind.value_type) for item in value]
        return moment if pa.types.is_timestamp(kind) and isinstance(value, dt.date) else value

    return pa.array([plain(value, kind) for value in values], kind)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("form", FORMATS)
def test_nested(case: str, form: str) -> None:
    kind, type_, values = CASES[case]
    schema = Schema([("c", type_)])
    rows = [(value,) for value in values]
    array = built(kind, values)
    good(schema, {"c": array}, rows, [form])
    good(schema, pa.table({"c": array}), rows, [form])
    many = built(kind, values * 30)
    for start in (3, 8, 11):
        good(schema, {"c": many.slice(start, 7)}, (rows * 30)[start : start + 7], [form])
        good(schema, pa.table({"c": many}).slice(start, 7), (rows * 30)[start : start + 7], [form])
    chunked = pa.chunked_array([many.slice(2, 3), many.slice(0, 0), array, many.slice(9, 1)])
    good(schema, {"c": chunked}, [*(rows * 30)[2:5], *rows, rows[9 % len(rows)]], [form])


@pytest.mark.parametrize("case", ["list", "fixed list", "map", "struct", "list of struct", "list of list"])
def test_null_instead_of_a_container(case: str) -> None:
    kind, type_, values = CASES[case]
    array = built(kind, [*values, None, *values])
    error = refused([("c", type_)], {"c": array})
    assert (error.row, error.column) == (len(values), "c")
    good([("c", type_)], {"c": array.slice(0, len(values))}, [(value,) for value in values])


def test_a_struct_inside_of_a_sliced_struct() -> None:
    """Offsets of all levels add up."""
    inner = pa.array([{"x": n, "y": str(n)} for n in range(30)], POINT).slice(5, 20)
    outer = pa.StructArray.from_arrays([inner, pa.array(range(20))], ["p", "q"]).slice(3, 9)
    lists = pa.ListArray.from_arrays(pa.array([1, 1, 4, 9], pa.int32()).slice(0), outer)
    wanted = [({"x": n + 8, "y": str(n + 8)}, n + 3) for n in range(9)]
    for form in FORMATS:
        good(
            "c Tuple(p Tuple(x Int32, y String), q Int8)", {"c": outer}, [(pair,) for pair in wanted], [form]
        )
        rows = [([],), (wanted[1:4],), (wanted[4:9],)]
        good(
            "c Array(Tuple(p Tuple(y String, x UInt8), q Int8))", {"c": lists}, tuples_in_order(rows), [form]
        )
    batch = pa.RecordBatch.from_struct_array(outer).slice(2, 4)
    good("q UInt8, p Tuple(x Int32, y String)", batch, [(q, p) for p, q in wanted[2:6]])


def tuples_in_order(rows: list[Any]) -> list[Any]:
    return [([{"p": p, "q": q} for p, q in lists],) for (lists,) in rows]


# --- dictionaries ---------------------------------------------------------------------------------------

STRINGS = [
    "LowCardinality(Nullable(String))",
    "Nullable(String)",
    "Nullable(Enum8('a' = 1, 'b' = 0, 'c' = 5))",
]
STRINGS += ["Nullable(Enum16('a' = 1, 'b' = 2, 'c' = 300))", "Dynamic", "Variant(String)"]


INDICES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


@pytest.mark.parametrize(("index", "type_"), list(zip(INDICES, [*STRINGS, *STRINGS[:2]], strict=True)))
def test_dictionaries_of_text(type_: str, index: str) -> None:
    """With NULL among the indices, among the values, and both; with values that nobody has."""
    indices = pa.array([0, None, 1, 2, 3, 3, None, 0, 1], getattr(pa, index)())
    for values in (["a", "b", "c", "a"], ["a", None, "b", "c"], [None, "a", "a", None]):
        array = pa.DictionaryArray.from_arrays(indices, pa.array(values, pa.string()))
        rows = [(value,) for value in array.to_pylist()]
        good([("c", type_)], {"c": array}, rows, ["RowBinary", "Native"])
        good([("c", type_)], {"c": array.slice(3, 5)}, rows[3:8], ["RowBinary", "Native"])
        shifted = pa.DictionaryArray.from_arrays(
            indices, pa.array(["z", *values], pa.large_string()).slice(1)
        )
        good([("c", type_)], {"c": shifted}, rows, ["RowBinary", "Native"])


def test_an_unknown_label_in_a_dictionary() -> None:
    """Only where a row has it."""
    array = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0, 2]), pa.array(["a", "b", "nobody"]))
    good([("c", "Enum8('a' = 1, 'b' = 2)")], {"c": array.slice(0, 3)}, [("a",), ("b",), ("a",)])
    error = refused([("c", "Enum8('a' = 1, 'b' = 2)")], {"c": array}, "unknown label")
    assert error.row == 3


def test_many_dictionaries() -> None:
    """Each batch with its own, in one block; small ones, large ones, one that is larger than the batch."""
    chunks = [
        pa.array([f"v{n % size}" for n in range(300)]).dictionary_encode().slice(start)
        for start, size in ((0, 3), (10, 200), (299, 300), (0, 1))
    ]
    column = pa.chunked_array([pa.chunked_array(chunks).chunk(n) for n in range(4)])
    rows = [(value,) for value in column.to_pylist()]
    for type_ in ("String", "LowCardinality(String)", "LowCardinality(Nullable(String))"):
        good([("c", type_)], {"c": column}, rows)
    nested = pa.ListArray.from_arrays(
        pa.array([0, 0, 300, 310], pa.int32()), pa.array([str(n) for n in range(310)]).dictionary_encode()
    )
    good("c Array(LowCardinality(String))", {"c": nested}, [(value,) for value in nested.to_pylist()])


@pytest.mark.parametrize("size", [253, 254, 255, 256, 65_533, 65_534, 65_535, 65_536])
def test_widths_of_codes(size: int) -> None:
    values = [str(n) for n in range(size)]
    for type_ in ("LowCardinality(String)", "LowCardinality(Nullable(String))"):
        for column in (pa.array(values), pa.array(values).dictionary_encode()):
            rows = [(value,) for value in values]
            good([("c", type_)], {"c": column}, rows, ["Native"], implementation=WAYS[-1])


# --- texts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view", "binary", "binary_view"])
@pytest.mark.parametrize("type_", ["String", "LowCardinality(String)", "Nullable(String)", "Array(String)"])
def test_lengths_of_texts(kind: str, type_: str) -> None:
    sizes = [0, 1, 3, 4, 7, 8, 11, 12, 13, 15, 16, 17, 63, 64, 65, 127, 128, 129, 16_383, 16_384, 100_000]
    values: list[Any] = ["x" * size for size in sizes]
    if kind.startswith("binary"):
        values = [value.encode() for value in values]
    array = pa.array(values * 2, getattr(pa, kind)())
    rows: list[Any] = [(value,) for value in values * 2]
    if type_ == "Array(String)":
        array = pa.ListArray.from_arrays(pa.array([0, 10, 10, 42], pa.int32()), array)
        rows = [((values * 2)[:10],), ([],), ((values * 2)[10:],)]
    good([("c", type_)], {"c": array}, rows, ["RowBinary", "RowBinaryWithDefaults", "Native"])


def test_damaged_utf8() -> None:
    """A String can have it, nothing else."""
    array = pa.Array.from_buffers(pa.string(), 2, pa.array([b"ok", b"\xff"]).buffers())
    good("c String", {"c": array}, [(b"ok",), (b"\xff",)])
    for type_ in ("Enum8('ok' = 1)", "JSON"):
        assert same([("c", type_)], {"c": array.slice(1)})[0] is rowbinary.EncodeError


def test_arrow_types_that_are_not_read() -> None:
    union = pa.UnionArray.from_dense(pa.array([0], pa.int8()), pa.array([0], pa.int32()), [pa.array([1])])
    for column in (
        union,
        pa.array([pa.MonthDayNano([1, 2, 3])]),
        pa.RunEndEncodedArray.from_arrays([1], [2]),
    ):
        for table in ({"c": column}, {"c": pa.chunked_array([column])}):
            found = same("c Dynamic", table)
            assert issubclass(found[0], rowbinary.RowBinaryError)
            assert issubclass(found[0], TypeError)
            assert "is not read" in found[1]
