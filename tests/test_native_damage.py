"""What once went wrong in Native blocks: rows that fail late, no memory, types and keys without end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from conftest import implementations
from native_blocks import blocks, rows_of

import rowbinary
from rowbinary import DEFAULT, EncodeError, Encoder, Schema, typed

both = pytest.mark.skipif("c" not in implementations(), reason="there is nothing to compare with")


class Odd(dict[str, Any]):
    """A mapping that the reference has to read."""


def encoder(schema: Any, impl: str) -> Encoder:
    return Encoder(schema, format="Native", implementation=impl)


def bodies(schema: Any, batches: Iterable[Iterable[Any]], impl: str) -> list[bytes]:
    """A body for each batch of rows, of one encoder; bad rows are left out."""
    target, found = encoder(schema, impl), []
    for batch in batches:
        for row in batch:
            with contextlib.suppress(EncodeError):
                target.write_row(row)
        found.append(target.take())
    return found


def same(schema: Any, batches: list[list[Any]]) -> list[bytes]:
    found = bodies(schema, batches, "c")
    assert found == bodies(schema, batches, "python")
    return found


# --- rows that fail late ---------------------------------------------------------------------------------

USUAL = [({"x": [{"q": n}, {"r": "s"}]},) for n in range(100)]


@both
def test_documents_in_a_usual_path_of_a_row_that_fails() -> None:
    """Their columns were freed, and then asked to settle."""
    late: list[Any] = [{"y": Odd(z=1)}, {"y": object()}, {"\ud800": 1}, {"y": [{"z": object()}]}]
    rows = [({"x": [{"q": 1}], **rest},) for rest in late for _ in range(3)]
    same("j JSON", [USUAL, rows, USUAL, rows[::-1] + USUAL])


@both
@pytest.mark.parametrize("column", ["Array(JSON)", "Map(String, JSON)", "Array(Array(JSON))"])
def test_the_second_document_of_a_row_fails(column: str) -> None:
    """The document is taken out, and then the row with the document before it."""

    def wrapped(*documents: Any) -> Any:
        if column.startswith("Map"):
            return (dict(zip("abc", documents, strict=False)),)
        return ([list(documents)] if column.count("Array") == 2 else list(documents),)

    usual = [wrapped({"a": n, "b": "x"}) for n in range(300)]
    for bad in ({"a": 2, "z": object()}, {"a": 2, "\ud800": 1}, {"a": 2, "y": Odd(z=object())}):
        failing = wrapped({"a": 1, "b": "y"}, {"a": 3}, bad)
        same(f"x {column}", [[*usual, failing, *usual, failing, failing, *usual[:3]], [failing, *usual]])


@pytest.mark.parametrize("inner", ["JSON", "Array(JSON)", "Map(String, JSON)", "Tuple(JSON, UInt8)"])
def test_a_row_is_cut_out_exactly(inner: str, impl: str) -> None:
    """Bytes are those of the good rows alone, also of the block after."""
    wraps: dict[str, Callable[[Any], Any]] = {
        "J": lambda document: document,
        "A": lambda document: [document, document],
        "M": lambda document: {"k": document},
        "T": lambda document: (document, 1),
    }
    wrap = wraps[inner[0]]
    schema = f"a {inner}, l LowCardinality(String), s AggregateFunction(sum, UInt64), d Dynamic, u UInt8"
    good: list[Any] = [
        (wrap({"n": n, "x": [{"q": n}], **({"w": "t"} if n % 3 else {})}), f"l{n % 5}", b"s" * (n % 4), n, 1)
        for n in range(150)
    ]
    bad: list[Any] = [
        (wrap({"v": n, "x": [{"p": "q"}], "n": "t"}), f"m{n}", b"ttt", [n], "bad") for n in range(150)
    ]
    mixed = [row for pair in zip(bad, good, strict=True) for row in pair]
    assert bodies(schema, [mixed, mixed], impl) == bodies(schema, [good, good], impl)


@pytest.mark.parametrize("bad", [["\ud800"], ["x", "\ud800"], "\ud800"])
def test_a_text_that_has_no_bytes(bad: Any, impl: str) -> None:
    """It took the value of a good row with it."""
    good = [({"x": [f"t{n}"] * (n % 3), "y": f"s{n}", "z": n},) for n in range(100)]
    for key in "xy":
        mixed = [row for pair in zip(good, [({"z": 1, key: bad},)] * 100, strict=True) for row in pair]
        assert bodies("j JSON", [mixed, mixed], impl) == bodies("j JSON", [good, good], impl)


@both
def test_nothing_is_read_where_no_memory_is() -> None:
    """Empty names and lists, before the first byte was needed for any."""
    same("j JSON", [[({"": 1},)], [({"": []},)] * 100, [({"": []},)] * 3, [({"": {"": "x"}},)]])
    same("a Array(Dynamic)", [[([{"": 1}],)], [([[], [{"": []}]],)] * 3])


# --- what is usual -------------------------------------------------------------------------------------


def test_an_empty_take_changes_nothing(impl: str) -> None:
    """What is usual is so until the next block has ended, not the next call."""
    rows = [[({"a": n, **({"b": 1} if n % 10 == 0 else {})},) for n in range(100)], [({"b": 1},)]]
    assert bodies("j JSON", [rows[0], [], [], rows[1]], impl)[3] == bodies("j JSON", rows, impl)[1]


@both
def test_usual_paths_and_another_set_of_defaults() -> None:
    rows = [({"a": n, **({"b": 1} if n % 10 == 0 else {})}, 1) for n in range(100)]
    same("j JSON, u UInt8", [[*rows, ({"b": 1, "c": 2}, DEFAULT), ({"c": 2, "a": 1}, 1), (DEFAULT, 1)], rows])


@both
@pytest.mark.timeout(120)
def test_more_types_than_are_remembered() -> None:
    """A row with another set of DEFAULTs that ended such a block was lost, and usual paths were forgotten."""
    values: list[Any] = [typed("x", f"FixedString({n})") for n in range(1, 1300)]
    values += [typed(0, f"Decimal({p}, {s})") for p in range(1, 77) for s in range(p)]
    many = [({"a": 1, "k": value}, 1) for value in values]
    rows: list[Any] = [*[({"a": n, "x": [{"q": 1}]}, 1) for n in range(100)], *many]
    rows += [({"a": 1, "x": [{"q": 1}]}, DEFAULT), ({"b": 1}, DEFAULT), ({"b": object()}, DEFAULT), ({}, 5)]
    first, second = same("j JSON, u UInt8", [rows, [({"a": 1, "b": 2, "x": [{"q": 1}]}, 1)]])
    assert [len(block[0].values) for block in blocks(first)] == [100 + len(many), 2, 1]
    assert len(blocks(second)) == 1


# --- keys that come to nothing -----------------------------------------------------------------------------


@both
def test_keys_of_nulls_and_of_bad_rows() -> None:
    """Many are forgotten within the block; what has values is found again afterwards."""
    rows: list[Any] = []
    for n in range(3000):
        document: dict[str, Any] = {"v": n, f"null{n}" * 40: None, "o": {"p": n, f"empty{n}" * 40: {}}}
        document |= {f"rare{n}": n, "c": {"o": {"p": 1}}} if n % 7 == 0 else {}
        document |= {f"skipped{n}" * 20: 1, f"bad{n}" * 40: {"z": 1}} if n % 2 else {"o.q": [{"r": n}]}
        rows.append((document, "bad" if n % 2 else 1))
    same("j JSON(SKIP REGEXP 'skipped'), u UInt8", [rows, rows[::3], rows[:10]])


# --- memory that runs out -----------------------------------------------------------------------------------

OUT = (
    "u UInt8, l LowCardinality(Nullable(String)), a Array(JSON), j JSON(t LowCardinality(String), SKIP zz), "
    "d Dynamic(max_types=1), m Map(String, JSON), p Nullable(JSON(max_dynamic_paths=1))"
)


def out_row(n: int) -> tuple[Any, ...]:
    document = {
        "t": f"t{n % 4}",
        "n": n,
        "x": ["a", "b"] * (n % 2),
        "s": {"y": [{"w": n}]},
        f"p{n}": 1.5,
        "zz": 1,
    }
    array = [{"k": n, "q": [{"z": n}]}] * (n % 3)
    return (
        n,
        f"l{n % 9}" if n % 5 else None,
        array,
        document,
        [n, "x"][n % 2],
        {"k": {"a": n}},
        {"a": 1, "b": 2},
    )


@both
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_every_allocation_may_fail() -> None:
    """A row is refused with MemoryError or taken; `take` has all that were taken, now or when asked again."""
    nomemory = pytest.importorskip("_testcapi", reason="CPython's own tests are not installed")
    if not hasattr(nomemory, "set_nomemory"):
        pytest.skip("no hook for failing allocations")
    schema = Schema.parse(OUT)
    rows = [out_row(n) for n in range(80)]
    target = encoder(schema, "c")
    for n, row in enumerate(rows):
        for at in range(40):
            nomemory.set_nomemory(at, at + 1 + n % 3)
            try:
                target.write_row(row)
            except MemoryError:
                assert target.rows == n
                continue
            finally:
                nomemory.remove_mem_hooks()
            break
        else:
            target.write_row(row)
        assert target.rows == n + 1
    body = b""
    for at in range(400):
        nomemory.set_nomemory(at, at + 1)
        try:
            body = target.take()
        except MemoryError:
            continue
        finally:
            nomemory.remove_mem_hooks()
        break
    assert body, "take never had memory enough"
    expected = rowbinary.encode_rows(schema, rows, format="Native", implementation="c")
    assert rows_of(body, schema) == rows_of(expected, schema)
    target.write_row(rows[0])
    assert rows_of(target.take(), schema) == rows_of(expected, schema)[:1]


@pytest.mark.parametrize("call", ["take", "append", "write_row"])
def test_calls_from_within_a_row(call: str, impl: str) -> None:
    """They are refused, and the row is none the worse for it."""
    target = encoder("j JSON, u UInt8", impl)
    called = []
    calls: dict[str, Callable[[], object]] = {
        "take": target.take,
        "append": lambda: target._encoder.append(b"between"),
        "write_row": lambda: target.write_row(({}, 1)),
    }

    class Calls:
        def __index__(self) -> int:
            with pytest.raises(RuntimeError):
                calls[call]()
            called.append(call)
            return 5

    target.write_row(({"a": 1}, 1))
    target.write_row(({"a": 2, "b": [{"c": 1}]}, Calls()))
    assert called
    assert (
        target.take() == bodies("j JSON, u UInt8", [[({"a": 1}, 1), ({"a": 2, "b": [{"c": 1}]}, 5)]], impl)[0]
    )
