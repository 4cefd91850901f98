"""Documents that the C encoder puts ahead of their rows, path by path: nobody may notice."""

from __future__ import annotations

import datetime as dt
import decimal
import functools
import gc
import json
import tracemalloc
import types
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from conftest import implementations, times
from hypothesis import given, settings
from hypothesis import strategies as st
from test_native_ahead import AHEAD, same

from rowbinary import DEFAULT, Encoder, Schema, encode_rows, iter_encode

pytestmark = [
    pytest.mark.skipif("c" not in implementations(), reason="there is nothing to compare with"),
    pytest.mark.timeout(120),
]

PLAIN = Schema.parse("id Int32, j JSON, l Array(JSON)")
SCHEMAS = {
    "plain": PLAIN,
    "typed": Schema.parse(
        "id Int32, j JSON(s LowCardinality(String), `o.n` UInt32, t Array(String), n Nullable(Int8), "
        "SKIP `o.skip`, SKIP REGEXP '^x'), l Array(JSON(n Int64))"
    ),
    "few paths": Schema.parse("id Int32, j JSON(max_dynamic_paths=5, max_dynamic_types=2), l Array(JSON)"),
    "in containers": Schema.parse("id Int32, j JSON, l Map(String, JSON), t Tuple(JSON, Nullable(String))"),
    "nested": Schema.parse("id Int32, j JSON, `e.a` Array(JSON), `e.n` Array(String)"),
}
MODES = ("exact", "text")


def document(i: int) -> dict[str, Any]:
    return {
        "s": f"text {i}",
        "n": i % 100,
        "x": i / 4,
        "b": i % 3 == 0,
        "o": {"n": i, "p": {"q": "x" * (i % 20)}, "skip": [i], "none": None},
        "t": ["a"] * (i % 3),
        "none": None,
        "é": "ü",
        "objects": [{"k": i, "s": "v"}] * (i % 3),
        "xx": i,
    }


def row(i: int, schema: Schema, found: Any) -> tuple[Any, ...]:
    """With `found` as the document `i`."""
    own = {"n": i, "s": "y"}
    if schema is SCHEMAS["in containers"]:
        return (i, found, {"k": own}, (own, None if i % 2 else "z"))
    rest = [own] * (i % 3), ["x"] * (i % 3)
    return (i, found, *rest[: len(schema.names) - 2])


def rows_of(count: int, schema: Schema, odd: dict[int, Any] | None = None) -> list[Any]:
    odd = odd or {}
    return [row(i, schema, odd[i] if i in odd else document(i)) for i in range(count)]


def changed(i: int, **values: Any) -> dict[str, Any]:
    return {**document(i), **values}


def without(i: int, *keys: str) -> dict[str, Any]:
    """The table of this dict has holes."""
    found = document(i)
    for key in keys:
        del found[key]
    return found


def deep(depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {"s": "x"}
    for _ in range(depth):
        found = {"o": found}
    return found


class Key(str):
    """A key that is no exact str."""


class Dict(dict[str, Any]):
    """A document that is no exact dict."""


ODD: dict[str, Callable[[int], Any]] = {
    "NULL": lambda i: None,
    "DEFAULT": lambda i: DEFAULT,
    "empty": lambda i: {},
    "text": lambda i: '{"s": "text", "n": 5}',
    "no document": lambda i: 5,
    "a proxy": lambda i: types.MappingProxyType(document(i)),
    "a subclass": lambda i: Dict(document(i)),
    "a new path": lambda i: changed(i, new=1),
    "a new path inside": lambda i: changed(i, o={"n": 1, "r": {"new": 1}}),
    "holes": lambda i: without(i, "n", "b"),
    "holes that are filled": lambda i: {**without(i, "n"), "n": 5},
    "another order": lambda i: dict(reversed(document(i).items())),
    "equal keys": lambda i: json.loads(json.dumps(document(i))),
    "keys of a class": lambda i: changed(i, **{Key("n"): 7}) | {Key("s"): "class"},
    "a key that is no str": lambda i: {**document(i), 5: 5},
    "a key with a surrogate": lambda i: changed(i, **{"\ud800": 5}),
    "a collision": lambda i: changed(i, **{"o.n": 5}),
    "a collision with NULL": lambda i: changed(i, **{"o.n": None}),
    "all NULL": lambda i: dict.fromkeys(document(i)),
    "another type": lambda i: changed(i, s=5, n="five", x=True, b=0.5),
    "an object for a leaf": lambda i: changed(i, s={"inner": 1}),
    "a leaf for an object": lambda i: changed(i, o=5),
    "a leaf for a list": lambda i: changed(i, t=5),
    "a list for a leaf": lambda i: changed(i, s=["x"], n=[1, 2]),
    "a list of another type": lambda i: changed(i, t=[1.5], objects=["x"]),
    "a mixed list": lambda i: changed(i, t=[1, "x", None]),
    "a list of lists": lambda i: changed(i, t=[["x"]]),
    "an empty list": lambda i: changed(i, t=[], objects=[]),
    "new paths in objects": lambda i: changed(i, objects=[{"k": 1, "z": 2}]),
    "types in objects": lambda i: changed(i, objects=[{"k": "one"}, {"k": None}]),
    "UInt64": lambda i: changed(i, n=2**64 - 1),
    "an int too large": lambda i: changed(i, n=2**300),
    "a surrogate": lambda i: changed(i, s="\ud800"),
    "wide text": lambda i: changed(i, s="\N{SNOWMAN}" * 30),
    "long text": lambda i: changed(i, s="long" * 10_000),
    "much wide text": lambda i: changed(i, s="\N{SNOWMAN}" * 16_000),
    "bytes": lambda i: changed(i, s=b"bytes"),
    "a Decimal": lambda i: changed(i, x=decimal.Decimal("1.5")),
    "a moment": lambda i: changed(i, s=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)),
    "a UUID": lambda i: changed(i, s=uuid.UUID(int=i)),
    "text like a date": lambda i: changed(i, s="2026-01-01"),
    "not a number": lambda i: changed(i, x=float("nan")),
    "an object that nothing takes": lambda i: changed(i, s=object()),
    "deep": lambda i: deep(100),
    "too deep": lambda i: deep(200),
    "many keys": lambda i: {f"k{k}": k for k in range(200)},
    "a long key": lambda i: changed(i, **{"k" * 70_000: 1}),
}
# Of documents of which the block knows all paths: the next batch begins behind each odd one.
PLACES = (260, 261, 261 + AHEAD, 261 + 2 * AHEAD, 261 + 3 * AHEAD - 1)


@pytest.mark.parametrize("json", MODES)
@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=list(SCHEMAS))
def test_documents_of_one_shape(schema: Schema, json: str) -> None:
    found, bad = same(lambda: rows_of(700, schema), schema=schema, json=json)
    assert found
    assert not bad


@pytest.mark.parametrize(("schema", "json"), [("plain", "exact"), ("plain", "text"), ("typed", "exact")])
@pytest.mark.parametrize("kind", ODD)
def test_odd_documents_are_rare(kind: str, schema: str, json: str) -> None:
    odd = {i: ODD[kind](i) for i in PLACES}
    rows = functools.partial(rows_of, PLACES[-1] + AHEAD, SCHEMAS[schema], odd)
    same(rows, schema=SCHEMAS[schema], json=json)


@pytest.mark.parametrize("step", [1, 2, 3, 5, AHEAD - 1, AHEAD, AHEAD + 1])
@pytest.mark.parametrize("schema", SCHEMAS)
def test_odd_documents_come_regularly(schema: str, step: int) -> None:
    """All kinds of them, so that no batch is as the one before."""
    kinds = [make for name, make in ODD.items() if name not in {"many keys", "a long key", "much wide text"}]
    odd = {i: kinds[i // step % len(kinds)](i) for i in range(270, 900, step)}
    same(functools.partial(rows_of, 900, SCHEMAS[schema], odd), schema=SCHEMAS[schema])


@pytest.mark.parametrize("shapes", [2, 3, 4, 5, 7])
def test_several_shapes(shapes: int) -> None:
    def make(i: int) -> dict[str, Any]:
        keys = list(document(i))
        shape = i * i % shapes
        return {key: document(i)[key] for key in (keys[shape:] + keys[:shape])[: 10 - shape]}

    same(lambda: [row(i, PLAIN, make(i)) for i in range(700)], schema=PLAIN)


def test_documents_that_share_nothing() -> None:
    """Keys and values of each are objects of its own, as a parser makes them."""
    texts = [json.dumps(document(i)) for i in range(500)]
    same(lambda: [row(i, PLAIN, json.loads(text)) for i, text in enumerate(texts)], schema=PLAIN)


def test_blocks_of_documents_end_at_the_same_rows() -> None:
    """By bytes and by the end of chunks, both of which fall into batches."""
    for chunk_bytes in (1, 10_000, 100_000):
        same(lambda: rows_of(1500, PLAIN), schema=PLAIN, chunk_bytes=chunk_bytes)
    long = [changed(i, s="x" * (i * 37 % 16_000)) for i in range(900)]
    found, _ = same(lambda: [row(i, PLAIN, cell) for i, cell in enumerate(long)], schema=PLAIN)
    assert sum(map(len, found)) > 6 << 20


def test_other_columns_fail() -> None:
    """Documents were put, and their row does not follow."""
    same(lambda: [(i if i % 7 else "x", document(i), []) for i in range(700)], schema=PLAIN)
    same(lambda: [(i, document(i), [] if i % 7 else [5]) for i in range(700)], schema=PLAIN)
    nested = SCHEMAS["nested"]
    uneven: list[Any] = [
        (i, document(i), [{"n": 1}] * (i % 3), ["x"] * (i % 3 + (i % 11 == 0))) for i in range(700)
    ]
    _, bad = same(lambda: uneven, schema=nested)
    assert bad
    # An array that is left to its row, and one that was put ahead.
    for i in range(0, 700, 11):
        uneven[i] = (i, document(i), [{"n": decimal.Decimal(i)}], uneven[i][3])
    _, bad = same(lambda: uneven, schema=nested)
    assert len(bad) > 30


def test_lists_that_change_while_they_are_written() -> None:
    """By a row that runs Python code, behind which others were put ahead."""

    def make() -> list[Any]:
        rows = rows_of(600, PLAIN)

        class Meddling(dict[str, Any]):
            def items(self) -> Any:
                rows[350:360] = [row(1000, PLAIN, document(5))]
                rows[370][1]["s"] = "changed"
                return super().items()

        rows[340] = row(340, PLAIN, Meddling(s="x"))
        return rows

    same(make, schema=PLAIN)


@pytest.mark.parametrize("fails", [304, 310, 318, 331, 340])
def test_paths_are_forgotten_while_documents_are_ahead(fails: int) -> None:
    """Several batches of documents are ahead, with long keys that have no value; then a row fails."""
    rows: list[Any] = [(1, [{"a": 1, "b": 2}] * 2)] * 300
    for i in range(64):
        known = {"a": 1, "b": 2} if i % AHEAD < 14 else {"a": 1}
        rows.append((1, [{**known, f"k{i}.{k}" + "x" * 20_000: None} for k in range(4)]))
    rows[fails] = ("x", rows[fails][1])
    _, bad = same(lambda: rows, schema=Schema.parse("id UInt8, l Array(JSON)"))
    assert [index for index, _ in bad] == [fails]


@pytest.mark.parametrize("text", ["JSON", "Array(JSON)", "Tuple(JSON)", "Map(String, JSON)"])
def test_paths_are_forgotten_between_batches(text: str) -> None:
    """Those of NULLs, of which there are many; rows fail behind that."""

    def make(i: int) -> Any:
        found: dict[str, Any] = {"a": i, "l": [{"b": i}]}
        if i >= 300:
            found |= dict.fromkeys((f"none{i * 300 + k}" for k in range(300)), None)
        return {"JSON": found, "Array(JSON)": [found], "Tuple(JSON)": (found,)}.get(text, {"k": found})

    rows = [(make(i), "x" if i > 300 and i % 97 == 0 else i) for i in range(700)]
    same(lambda: rows, schema=Schema.parse(f"j {text}, n Int32"))


def test_paths_need_bounded_memory() -> None:
    rows: list[Any] = [({"a": 1},)] * 300
    rows += [({"a": 1, **dict.fromkeys(f"key{i * 60 + k}" for k in range(60))},) for i in range(6000)]
    tracemalloc.start()
    try:
        encode_rows(Schema.parse("j JSON"), rows, implementation="c", format="Native")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


@pytest.mark.parametrize("json", MODES)
@pytest.mark.parametrize("depth", [124, 125, 126, 127, 128])
def test_lists_too_deep(depth: int, json: str) -> None:
    """Where a path that was met far outside had one."""

    def nested(value: Any) -> Any:
        for _ in range(depth):
            value = {"a": value}
        return (value,)

    key = ".".join("a" * depth)
    rows = [({key: [{"k": 1}] if i % 3 else "s"},) for i in range(300)] + [({key: "s"},)] * 4
    rows += [nested("s")] * 40 + [nested([{"k": 2}])] * 40
    same(lambda: rows, schema=Schema.parse("j JSON"), json=json)


def test_finalizers_between_documents() -> None:
    """An error that is made while documents are noted can run the garbage collector (CPython 3.11)."""
    kept: list[str] = []

    def make() -> list[Any]:
        rows: list[Any] = [(i, {"s": f"text number {i}"}, []) for i in range(500)]
        rows[400] = ("bad", {}, [])
        for k in range(420, 500, 7):
            rows[k] = (k, {"s": f"odd {k}", "\ud800": 5}, [])
        return rows

    rows = make()

    class Finalizer:
        me: Any = None

        def __del__(self) -> None:
            for k in range(401, 500):
                rows[k][1].clear()
            kept.extend(f"HIJACKED {i:06}" for i in range(1000))

    def on_error(row: Any, index: int, error: Exception) -> None:
        if index == 400:
            gc.disable()
            cycle = Finalizer()
            cycle.me = cycle
            del cycle
            gc.set_threshold(1)
            gc.enable()

    threshold = gc.get_threshold()
    try:
        chunks = list(iter_encode(PLAIN, rows, implementation="c", format="Native", on_error=on_error))
    finally:
        gc.set_threshold(*threshold)
        gc.enable()
    gc.collect()
    assert kept
    assert b"HIJACKED" not in b"".join(chunks)


_leaves = st.one_of(
    st.none(),
    st.integers(-3, 3),
    st.integers(),
    st.booleans(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["2026-01-01", "x" * 300, "é", decimal.Decimal("1.5"), b"b"]),
)
_values = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=5,
)
_keys = st.sampled_from(["a", "b", "c", "a.b", "é", "n", "o"])
_documents = st.dictionaries(_keys, _values, max_size=5)


def check_random(
    shapes: list[dict[str, Any]], pattern: list[int], odd: dict[int, Any], schema: str, mode: str
) -> None:
    """Some documents over and over in a pattern, others at some places."""
    cells: dict[int, Any] = {i: shapes[pattern[i % len(pattern)] % len(shapes)] for i in range(420)}
    rows = rows_of(420, SCHEMAS[schema], cells | odd)
    same(lambda: rows, schema=SCHEMAS[schema], json=mode)


RANDOM = given(
    shapes=st.lists(_documents, min_size=1, max_size=6),
    pattern=st.lists(st.integers(0, 5), min_size=1, max_size=40),
    odd=st.dictionaries(st.integers(256, 419), _documents, max_size=12),
    schema=st.sampled_from(sorted(SCHEMAS)),
    mode=st.sampled_from(MODES),
)


@settings(max_examples=times(20, 80))
@RANDOM
def test_random_documents(**case: Any) -> None:
    check_random(**case)


@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(max_examples=500)
@RANDOM
def test_more_random_documents(**case: Any) -> None:
    check_random(**case)


# --- the same encoder once more ---------------------------------------------------------------------


def check_renewed(
    impl: str, batches: list[list[dict[str, Any]]], schema: str, mode: Any, count: int = 150
) -> None:
    """An encoder that forgets what was frequent makes what a new one makes, whatever it has seen."""

    def encoder() -> Encoder:
        return Encoder(
            SCHEMAS[schema],
            format="Native",
            json=mode,
            implementation=impl,
            on_error=lambda row, index, error: None,
        )

    kept = encoder()
    for documents in batches:
        cells: dict[int, Any] = {i: documents[i % len(documents)] for i in range(count)}
        rows = rows_of(count, SCHEMAS[schema], cells)
        new = encoder()
        kept.write_rows(rows)
        new.write_rows(rows)
        assert kept.take() == new.take()
        kept._encoder.renew()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("schema", sorted(SCHEMAS))
def test_renewed_encoders(impl: str, schema: str, mode: str) -> None:
    """Paths that were in all documents, and are in one of many; paths that are new."""
    often: list[dict[str, Any]] = [document(i) for i in range(9)]
    once: list[dict[str, Any]] = [{"z": 1, "o": {"m": [1]}}] * 148 + often[:2]
    check_renewed(impl, [often, once, often[::-1], [*once, {"w": {"v": 1}}]], schema, mode)


@pytest.mark.parametrize("impl", implementations())
@settings(max_examples=times(10, 40))
@given(
    batches=st.lists(st.lists(_documents, min_size=1, max_size=6), min_size=2, max_size=4),
    schema=st.sampled_from(sorted(SCHEMAS)),
    mode=st.sampled_from(MODES),
)
def test_random_renewed_encoders(
    impl: str, batches: list[list[dict[str, Any]]], schema: str, mode: str
) -> None:
    check_renewed(impl, batches, schema, mode)


def test_a_renewed_encoder_is_empty(impl: str) -> None:
    for format in ("Native", "RowBinary"):
        encoder = Encoder(PLAIN, format=format, implementation=impl)
        encoder.write_rows(rows_of(3, PLAIN))
        with pytest.raises(ValueError, match="there are rows in the buffer"):
            encoder._encoder.renew()
        found = encoder.take()
        encoder._encoder.renew()
        encoder.write_rows(rows_of(3, PLAIN))
        assert encoder.take() == found
