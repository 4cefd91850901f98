"""Text mode types of arrays: the same as the engine stores, also for mixed, nested and very deep ones."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from typing import Any

import pytest
from conftest import times
from text_trees import EngineRefusedError, Reader, Tree, create, insert, leaf

from rowbinary import Schema, decode_rows, encode_rows, typed
from rowbinary import _types as t
from rowbinary._badvalue import BadValue, format_path
from rowbinary._text import MAX_DEPTH, retype_array


def stored_at_paths(engine: Any, values: list[Any], json_type: str = "JSON") -> list[Tree]:
    """What the engine stores for each of `values`, each at a path of its own in one document."""
    create(engine, f"j {json_type}")
    try:
        insert(engine, [{"j": {f"k{i}": value for i, value in enumerate(values)}}])
    except EngineRefusedError:
        if len(values) == 1:
            return ["refused"]
        middle = len(values) // 2
        return [
            tree_
            for half in (values[:middle], values[middle:])
            for tree_ in stored_at_paths(engine, half, json_type)
        ]
    reader = Reader(bytes(engine.query("SELECT j FROM text_inference", "RowBinary").bytes()))
    document = reader.value(t.JSON("JSON"))
    return [document.get(f"k{i}") for i in range(len(values))]


def inferred(value: Any, max_paths: int = 1024, max_types: int = 32) -> Tree:
    try:
        return leaf(retype_array(value, max_paths, max_types))
    except BadValue:
        return "refused"


STRINGS = json.loads(
    r"""[
    "x", "", "2026-01-01", "2026-01-02 00:00:00", "2026-01-01T00:00:00.5", "1969-12-31", "1700-01-01",
    "2020-13-01", "20260101", "12", "true", "1234567890", "2026.1.1"
    ]"""
)


class ArrayMaker:
    """Random arrays, each with its own taste for nulls, kinds and nesting."""

    def __init__(self, pick: random.Random):
        self.pick = pick
        # Not together: with a negative number beside one of 2**63 in a sibling array the engine refuses
        # the row or not depending on addresses that it happens to reuse.
        big = pick.choice([[2**63, 2**64 - 1], [-(2**63), -1, -2]])
        kinds: list[list[Any]] = [
            [None],
            [1, 2, 5, 0],
            [*big, 2**64, -(2**63) - 1],
            [1.5, -0.0, 1e300],
            [True, False],
        ]
        weights = [
            pick.choice([0, 0, 1, 3]),
            pick.choice([0, 3]),
            *(pick.choice([0, 0, 1]) for _ in range(3)),
        ]
        self.kinds = [*kinds, STRINGS]
        self.weights = [*weights, pick.choice([0, 3]) + 0.01]
        self.objects = pick.choice([0, 0, 0.2, 0.5])
        self.arrays = pick.choice([0, 0.2, 0.5, 0.8])

    def scalar(self) -> Any:
        return self.pick.choice(self.pick.choices(self.kinds, self.weights)[0])

    def array(self, depth: int) -> list[Any]:
        return [self.item(depth) for _ in range(self.pick.choice([0, 1, 1, 2, 2, 3, 4]))]

    def item(self, depth: int) -> Any:
        kind = self.pick.random()
        if depth and kind < self.arrays:
            return self.array(depth - 1)
        return self.object(depth - 1) if depth and kind < self.arrays + self.objects else self.scalar()

    def object(self, depth: int) -> dict[str, Any]:
        keys = self.pick.choices(["a", "b", "c", "a.b", "d"], k=self.pick.choice([0, 1, 1, 2, 3]))
        makers: list[Callable[[], Any]] = [self.scalar, self.scalar]
        if depth > 0:
            makers += [lambda: self.array(depth - 1), lambda: self.object(depth - 1)]
        return {key: self.pick.choice(makers)() for key in keys}


@pytest.mark.parametrize(("max_paths", "max_types"), [(1024, 32), (64, 8), (5000, 2)])
def test_arrays_as_the_engine_stores_them(engine: Any, max_paths: int, max_types: int) -> None:
    pick = random.Random(f"arrays {max_paths}")
    json_type = f"JSON(max_dynamic_paths={max_paths}, max_dynamic_types={max_types})"
    seen = set()
    for _ in range(times(20, 70)):
        values = [ArrayMaker(pick).array(pick.choice([0, 1, 2, 3, 4])) for _ in range(60)]
        for value, expected in zip(values, stored_at_paths(engine, values, json_type), strict=True):
            found = inferred(value, max_paths, max_types)
            assert found == expected, json.dumps(value)
            seen.add(found[0])
    assert len(seen) > 30  # many different types were compared


QUIRKS: list[tuple[list[Any], str]] = [
    ([], "Array(Nullable(String))"),
    ([True, 1], "Array(Nullable(Int64))"),
    ([True, "x", "2026-01-01"], "Array(Nullable(String))"),
    ([1, 2**63], "Array(Nullable(UInt64))"),
    ([-1, 2**63], "Array(Dynamic)"),
    ([2**70, True], "Array(Nullable(String))"),
    (["2026-01-01", "2026-01-01 00:00:00.5"], "Array(Nullable(DateTime64(9)))"),
    ([[1], ["a"]], "Array(Dynamic)"),
    ([[1], ["a", None]], "Array(Array(Dynamic))"),
    ([[1, "x"], [2]], "Array(Array(Dynamic))"),
    ([[[1]], [[1], [1, "x"]]], "Array(Dynamic)"),
    ([[[1]], [[1, "x"]]], "Array(Array(Array(Dynamic)))"),
    ([[1], [], None], "Array(Dynamic)"),
    ([None, [1], [2]], "Array(Array(Nullable(Int64)))"),
    ([[1, None], None, [2, 3, None]], "Array(Array(Dynamic))"),
    ([[1, None], None, [None, 1]], "Array(Array(Nullable(Int64)))"),
    ([[[1]], [[1.5]], []], "Array(Dynamic)"),
    ([{"a": 1}, None], "Array(Nullable(JSON(max_dynamic_types=16, max_dynamic_paths=256)))"),
    ([[{"a": 1}]], "Array(Array(JSON(max_dynamic_types=16, max_dynamic_paths=256)))"),
]


@pytest.mark.parametrize(
    ("value", "expected"), QUIRKS, ids=lambda x: json.dumps(x) if isinstance(x, list) else ""
)
def test_array_types(value: list[Any], expected: str) -> None:
    assert retype_array(value, 1024, 32).type.text == expected


MEMORY: list[tuple[list[Any], list[Any]]] = [
    # Inside an Array(Dynamic) every element is offered to the types that are there.
    ([1.5, "x", 1], [typed(1.5, "Float64"), typed("x", "String"), typed(1.0, "Float64")]),
    ([1, "x", "2026-01-01"], [typed(1, "Int64"), typed("x", "String"), typed("2026-01-01", "String")]),
    ([{"a": 1.5}, {"a": 1}], [{"a": 1.5}, {"a": 1}]),
    ([{"a": "x"}, {"a": "2026-01-01"}], [{"a": "x"}, {"a": "2026-01-01"}]),
    ([{"a": "2026-01-01"}, {"a": "1700-01-01"}], [{"a": typed(20454, "Date")}, {"a": typed(0, "Date")}]),
    ([{"a": [1.5]}, {"a": [1]}], [{"a": typed([x], "Array(Nullable(Float64))")} for x in (1.5, 1.0)]),
    ([{"a.b": None, "a": {"b": {}, "c": None}}, {}], [{}, {}]),
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), MEMORY, ids=lambda x: repr(x)[:60])
def test_memory_within_an_array(value: list[Any], expected: list[Any]) -> None:
    assert retype_array(value, 1024, 32).value == expected


CROWDED = [[-1.5, 0], [0, 1.5, True, "x", 2**64 - 1], ["x", True, 0, 1.5, 2**64 - 1], [0, 2**64 - 1, -1.5]]


@pytest.mark.parametrize("max_types", [2, 4, 6, 8, 10, 12])
@pytest.mark.parametrize("values", CROWDED, ids=repr)
def test_objects_whose_paths_have_no_room(impl: str, engine: Any, values: list[Any], max_types: int) -> None:
    """Scalars of one path become what it has: by whichever implementation, in both formats."""
    type_text = f"JSON(max_dynamic_types={max_types}, max_dynamic_paths=8)"
    document = {"b": [{"c": value} for value in values]}
    create(engine, f"j {type_text}")
    insert(engine, [{"j": document}])
    wanted = bytes(engine.query("SELECT j FROM text_inference", "RowBinary").bytes())
    schema = Schema.parse(f"j {type_text}")
    rows = [(document,)] * 70  # from some of them on Native has columns for the path
    assert encode_rows(schema, rows[:1], implementation=impl, json="text") == wanted
    native = encode_rows(schema, rows, implementation=impl, format="Native", json="text")
    found = decode_rows(None, native, format="Native")
    assert repr(found) == repr(decode_rows(schema, wanted * 70, format="RowBinary"))  # 0 is not 0.0


def test_without_memory_as_in_shared_data(engine: Any) -> None:
    values: list[list[Any]] = [
        [1.5, "x", 1],
        ["x", "2026-01-01", 1],
        [[1.5], 1, [1]],
        [{"a": "x"}, {"a": "2026-01-01"}],
    ]
    values += [[1, {"a": "x"}, {"a": "2026-01-01"}], [1, {"a": "2026-01-01"}, {"a": "20260101"}]]
    for value in values:
        [expected] = stored_at_paths(engine, [value], "JSON(max_dynamic_paths=0)")
        assert leaf(retype_array(value, 0, 32, memory=False)) == expected


def test_duplicate_paths_are_refused() -> None:
    with pytest.raises(BadValue, match=r"duplicate path 'a\.b'") as caught:
        retype_array([{}, {"a.b": 1, "a": {"b": 2}}], 1024, 32)
    assert format_path(caught.value.path) == "$[1].a.b"


@pytest.mark.parametrize("wrap", [lambda x: [x], lambda x: {"a": x}, lambda x: [{"a": x}]])
@pytest.mark.parametrize("levels", [1000, 100_000])
def test_depth_limit(wrap: Callable[[Any], Any], levels: int) -> None:
    value: Any = 1
    for _ in range(levels):
        value = wrap(value)
    with pytest.raises(BadValue, match=rf"^nested deeper than {MAX_DEPTH} levels$"):
        retype_array([value], 1024, 32)


def test_greatest_depth() -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    assert retype_array(value, 1024, 32).type.text == "Array(" * 128 + "Nullable(Int64)" + ")" * 128


def test_exhausted_stack_is_a_bad_value() -> None:
    value: Any = 1
    for _ in range(120):
        value = [value]

    def call_with_little_stack(frames: int) -> None:
        if frames:
            call_with_little_stack(frames - 1)
            return
        with pytest.raises(BadValue, match=r"^nested too deeply for the Python stack"):
            retype_array(value, 1024, 32)

    used, frame = 0, sys._getframe()
    while frame.f_back is not None:
        used, frame = used + 1, frame.f_back
    call_with_little_stack(sys.getrecursionlimit() - used - 80)


@pytest.mark.timeout(20)
def test_nested_nulls_take_no_exponential_time() -> None:
    value: list[Any] = [1, None]
    for _ in range(100):
        value = [value, None]
    assert retype_array(value, 1024, 32).type.text.startswith("Array(" * 101)
