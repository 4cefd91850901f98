"""Native blocks stored by the engine: equal to the same rows as RowBinary and, for JSON, as text.

Every case fills twin tables.  They must be equal in the trees of `canonical` (values, and the type of
each value of Dynamic or JSON), in what the engine prints, and in the types that it names.  Rows have
a number, because what is compared must be in order.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import canonical
import pytest
from conftest import implementations
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from native_columns import normal
from native_strategies import (
    NATIVE_JSON,
    column_types,
    holders,
    json_documents,
    native_types,
    repeated,
    spread,
)
from strategies import schemas, values_of

import rowbinary
from rowbinary import DEFAULT, Schema, typed
from rowbinary import _types as t
from rowbinary._paths import SPARSE, WATCHED

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

SETTINGS = (
    "allow_suspicious_variant_types = 1, allow_suspicious_low_cardinality_types = 1, flatten_nested = 0, "
    "allow_experimental_time_time64_type = 1, allow_experimental_qbit_type = 1, "
    "allow_suspicious_fixed_string_types = 1"
)
# A block per row: what the engine infers from text depends on the rows of the block before it.
ALONE = (
    " SETTINGS max_insert_block_size = 1, min_insert_block_size_rows = 1, input_format_parallel_parsing = 0"
)
MERGE_TREE = "MergeTree ORDER BY n"
EXAMPLES = settings(max_examples=7, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
MANY = settings(EXAMPLES, max_examples=250)

Rows = list[tuple[Any, ...]]


class Twins:
    """Tables of the same columns, each filled in another way."""

    def __init__(self, engine: Any):
        self.engine = engine
        engine.query(f"SET {SETTINGS}")

    def create(self, name: str, columns: str, storage: str = "Memory") -> None:
        self.engine.query(f"DROP TABLE IF EXISTS {name}")
        self.engine.query(f"CREATE TABLE {name} ({columns}) ENGINE = {storage}")

    def insert(self, name: str, body: bytes, format: str, settings: str = "") -> None:
        stream = self.engine.send_insert(f"INSERT INTO {name}{settings}", format)
        stream.append(body)
        stream.finish()

    def select(self, name: str, what: str = "*", format: str = "RowBinary") -> bytes:
        return bytes(self.engine.query(f"SELECT {what} FROM {name} ORDER BY n", format).bytes())

    def stored(self, name: str, schema: Schema) -> dict[str, Any]:
        """All that is compared."""
        types = [str(type_) for type_ in schema.types]
        return {
            "rows": normal(canonical.rows(self.select(name), types)),
            "printed": self.select(name, format="JSONCompactEachRow").splitlines(),
            "types": self.select(name, ", ".join(["n", *type_questions(schema)]), "TSV").splitlines(),
        }


def type_questions(schema: Schema) -> Iterator[str]:
    """Expressions for the types that the values of each column have."""
    for name, type_ in schema:
        match type_:
            case t.Dynamic():
                yield f"dynamicType({name})"
            case t.Variant():
                yield f"variantType({name})"
            case t.JSON():
                yield f"mapSort(JSONAllPathsWithTypes({name}))"


@pytest.fixture(scope="module")
def twins(engine: Any) -> Iterator[Twins]:
    yield Twins(engine)
    for name in ("native", "binary", "text"):
        engine.query(f"DROP TABLE IF EXISTS {name}")


def encode(columns: Any, rows: Rows, **choices: Any) -> bytes:
    """The bytes that every implementation makes of `rows`."""
    bodies = {
        rowbinary.encode_rows(columns, rows, implementation=name, **choices) for name in implementations()
    }
    assert len(bodies) == 1
    return bodies.pop()


def numbered(columns: list[tuple[str, str]], rows: Rows) -> tuple[Schema, Rows]:
    """`columns` and `rows` with a row number in front."""
    schema = Schema([("n", "UInt32"), *columns])
    return schema, [(index, *row) for index, row in enumerate(rows)]


def check(
    twins: Twins,
    columns: list[tuple[str, str]],
    rows: Rows,
    storage: str = "Memory",
    chunk_bytes: int = 1 << 40,
    **choices: Any,
) -> dict[str, Any]:
    """Insert `rows` as Native and as RowBinary, compare; what is stored."""
    schema, rows = numbered(columns, rows)
    for name in ("native", "binary"):
        twins.create(name, str(schema), storage)
    encode(schema, rows, format="Native", **choices)
    body = b"".join(rowbinary.iter_encode(schema, rows, format="Native", chunk_bytes=chunk_bytes, **choices))
    sent = encode(schema, rows, **choices)
    if rows:
        twins.insert("native", body, "Native")
        twins.insert("binary", sent, "RowBinary")
    stored = twins.stored("native", schema)
    assert stored["rows"] == normal(canonical.rows(sent, [str(type_) for type_ in schema.types]))
    assert stored == twins.stored("binary", schema)
    return stored


# --- random rows --------------------------------------------------------------------------------


def check_random_rows(twins: Twins, data: st.DataObject) -> None:
    columns = data.draw(schemas(column_types))
    rows = data.draw(st.lists(st.tuples(*(values_of(text) for _, text in columns)), max_size=8))
    check(twins, columns, rows, chunk_bytes=data.draw(st.sampled_from([1, 60, 1 << 40])))


@EXAMPLES
@given(st.data())
def test_random_rows(twins: Twins, data: st.DataObject) -> None:
    check_random_rows(twins, data)


@pytest.mark.slow
@MANY
@given(st.data())
def test_many_random_rows(twins: Twins, data: st.DataObject) -> None:
    check_random_rows(twins, data)


def check_one_type(twins: Twins, data: st.DataObject) -> None:
    """Many rows of few values: sparse paths, long runs, dictionaries."""
    text = data.draw(st.one_of(column_types, holders(st.sampled_from(NATIVE_JSON))))
    values = data.draw(repeated(values_of(text)))
    check(twins, [("c", text)], [(value,) for value in values])


@EXAMPLES
@given(st.data())
def test_rows_of_one_type(twins: Twins, data: st.DataObject) -> None:
    check_one_type(twins, data)


@pytest.mark.slow
@MANY
@given(st.data())
def test_many_rows_of_one_type(twins: Twins, data: st.DataObject) -> None:
    check_one_type(twins, data)


# --- forced types in Dynamic and JSON -----------------------------------------------------------------


def check_forced_types(twins: Twins, data: st.DataObject) -> None:
    """The engine sorts the types of a Dynamic column by its own texts: ours must be the same."""
    column = data.draw(
        st.sampled_from(["Dynamic", "Dynamic(max_types=2)", "JSON", "JSON(max_dynamic_types=1)"])
    )
    readable = native_types.filter(lambda text: "Aggregate" not in text)  # by `canonical`, in Dynamic
    texts = data.draw(st.lists(readable, min_size=1, max_size=5))
    values = [typed(data.draw(values_of(text)), text) for text in texts]
    rows = [({"a": value} if column.startswith("JSON") else value,) for value in values]
    check(twins, [("c", column)], rows * 2)


@EXAMPLES
@given(st.data())
def test_forced_types(twins: Twins, data: st.DataObject) -> None:
    check_forced_types(twins, data)


@pytest.mark.slow
@MANY
@given(st.data())
def test_many_forced_types(twins: Twins, data: st.DataObject) -> None:
    check_forced_types(twins, data)


# --- documents, text beside them --------------------------------------------------------------------


def check_documents(
    twins: Twins, column: str, documents: list[dict[str, Any]], chunk_bytes: int, storage: str = "Memory"
) -> None:
    """Rows that json="text" takes, also inserted as text."""
    bad: list[int] = []
    rowbinary.encode_rows(
        [("j", column)],
        [(document,) for document in documents],
        json="text",
        on_error=lambda row, index, error: bad.append(index),
    )
    good = [document for index, document in enumerate(documents) if index not in bad]
    check(twins, [("j", column)], [(document,) for document in good], storage, chunk_bytes, json="text")
    check_text(twins, column, good)


def check_text(twins: Twins, column: str, documents: list[dict[str, Any]]) -> None:
    """The engine's own parse of the documents is what is in the table "native"."""
    schema = Schema([("n", "UInt32"), ("j", column)])
    lines = [json.dumps({"n": n, "j": document}, ensure_ascii=False) for n, document in enumerate(documents)]
    twins.create("text", str(schema))
    if lines:
        twins.insert("text", "\n".join(lines).encode(), "JSONEachRow", ALONE)
    assert twins.stored("native", schema) == twins.stored("text", schema)


@EXAMPLES
@given(
    st.sampled_from(NATIVE_JSON),
    spread(json_documents),
    st.sampled_from([1 << 40, 1 << 40, 1, 300]),
)
def test_documents(twins: Twins, column: str, documents: list[dict[str, Any]], chunk_bytes: int) -> None:
    check_documents(twins, column, documents, chunk_bytes)


@pytest.mark.slow
@MANY
@given(
    st.sampled_from(NATIVE_JSON),
    spread(json_documents),
    st.sampled_from([1 << 40, 1 << 40, 1, 300]),
)
def test_many_documents(twins: Twins, column: str, documents: list[dict[str, Any]], chunk_bytes: int) -> None:
    check_documents(twins, column, documents, chunk_bytes)


def sparse(count: int, step: int) -> list[dict[str, Any]]:
    """Documents of which every `step`-th has the path ``p``, beside one that all have."""
    return [{"all": n, **({"p": [n, "x"][n // step % 2]} if n % step == 0 else {})} for n in range(count)]


@pytest.mark.parametrize(
    ("count", "step"),
    [
        pytest.param(count, step, marks=[pytest.mark.slow] if count > WATCHED and step == 1 else [])
        for count in (1, WATCHED - 1, WATCHED, WATCHED + 1, 3 * WATCHED)
        for step in (1, SPARSE - 1, SPARSE, SPARSE + 1, 1000)
    ],
)
@pytest.mark.parametrize("order", [1, pytest.param(-1, marks=pytest.mark.slow)])
def test_paths_at_the_edge_of_sparse(twins: Twins, order: int, count: int, step: int) -> None:
    check_documents(twins, "JSON", sparse(count, step)[::order], 1 << 40)
    limited = "JSON(max_dynamic_types=1, max_dynamic_paths=1)"
    check_documents(twins, limited, sparse(count, step)[::-order], 1 << 40)


def test_a_path_that_becomes_common_late(twins: Twins) -> None:
    documents: list[dict[str, Any]] = [{"a": 1, "late": "s"}, *({"a": n} for n in range(WATCHED))]
    values: list[Any] = [1, "x", [1, "x"], {"deep": True}, 1.5, 7]
    documents.extend([{"late": value} for value in values] * 20)
    check_documents(twins, "JSON", documents, 1 << 40)


def test_thousands_of_paths(twins: Twins) -> None:
    """More than a type has room for, in one row and over many."""
    wide = {f"k{n}": n for n in range(1500)}
    documents: list[dict[str, Any]] = [wide, *({f"r{n}": n, "k7": "x"} for n in range(150)), wide]
    for column in ("JSON", "JSON(max_dynamic_paths=10)", "JSON(max_dynamic_paths=0, k3 Int64)"):
        check_documents(twins, column, documents, 1 << 40)


# --- merges --------------------------------------------------------------------------------------


def check_merge(twins: Twins, columns: list[tuple[str, str]], rows: Rows, parts: int) -> None:
    """Several inserts into several parts, then one part: nothing changes."""
    schema, rows = numbered(columns, rows)
    twins.create("native", str(schema), MERGE_TREE)
    twins.engine.query("SYSTEM STOP MERGES native")
    size = len(rows) // parts + 1
    for start in range(0, len(rows), size):
        twins.insert("native", encode(schema, rows[start : start + size], format="Native"), "Native")
    before = twins.stored("native", schema)
    sent = canonical.rows(encode(schema, rows), [str(type_) for type_ in schema.types])
    assert before["rows"] == normal(sent)
    twins.engine.query("SYSTEM START MERGES native")
    twins.engine.query("OPTIMIZE TABLE native FINAL")
    assert twins.stored("native", schema) == before


def check_random_merge(twins: Twins, data: st.DataObject) -> None:
    column = data.draw(holders(st.sampled_from([*NATIVE_JSON, "Dynamic", "Dynamic(max_types=1)"])))
    values = data.draw(repeated(values_of(column), st.sampled_from([1, 1, 2, 20, 70])))
    check_merge(twins, [("c", column)], [(value,) for value in values], data.draw(st.integers(1, 4)))


@settings(EXAMPLES, max_examples=8)
@given(st.data())
def test_merges(twins: Twins, data: st.DataObject) -> None:
    check_random_merge(twins, data)


@pytest.mark.slow
@settings(MANY, max_examples=100)
@given(st.data())
def test_many_merges(twins: Twins, data: st.DataObject) -> None:
    check_random_merge(twins, data)


@pytest.mark.parametrize("limits", list(itertools.product((0, 1, 2), (0, 1, 2))))
def test_overflow_survives_merges(twins: Twins, limits: tuple[int, int]) -> None:
    column = f"JSON(max_dynamic_types={limits[0]}, max_dynamic_paths={limits[1]}, t Array(Dynamic), SKIP no)"
    values: list[Any] = [1, "s", True, [1, "x"], [{"in": 1}, {"in": "s", "no": 2}], typed(7, "UInt8"), 1.5]
    documents = [
        {"a": value, "b": values[-index], f"only{index}": value, "no": value, "t": [value, None, "x"]}
        for index, value in enumerate(values)
    ]
    check_merge(twins, [("j", column)], [(document,) for document in documents * 15], 3)


# --- DEFAULT ---------------------------------------------------------------------------------------

DEFAULTED = [
    ("a", "UInt32", "n + 1"),
    ("s", "String", "concat('n', toString(n))"),
    ("x", "Nullable(Int8)", "5"),
    ("l", "LowCardinality(String)", "s"),
    ("r", "Array(UInt8)", "[1, 2]"),
    ("j", "JSON(max_dynamic_paths=1)", """'{"d": 1, "e": "x"}'"""),
    ("d", "Dynamic", "n"),
    ("e", "Enum8('p' = 1, 'q' = 2)", "'q'"),
    ("z", "UInt16", ""),
    ("f", "Enum8('p' = 1, 'q' = 2)", ""),
    ("v", "Variant(String, UInt8)", ""),
]


def check_defaults(twins: Twins, data: st.DataObject, known: bool) -> None:
    """The same cells in RowBinaryWithDefaults, which has a mark for each."""
    columns = [("n", "UInt32"), *((name, text) for name, text, _ in DEFAULTED)]
    schema = Schema(columns, [name for name, _, given in DEFAULTED if given] if known else None)
    # Not knowing that there is no expression, we leave the value to the engine: 0, which is no label.
    cells = [
        values_of(text) if name == "f" and not known else st.one_of(st.just(DEFAULT), values_of(text))
        for name, text, _ in DEFAULTED
    ]
    pool = data.draw(st.lists(st.tuples(*cells), min_size=1, max_size=3))
    pool.append(tuple(DEFAULT if name != "f" or known else "q" for name, _, _ in DEFAULTED))
    order = data.draw(st.lists(st.sampled_from(range(len(pool))), max_size=12))
    rows: Rows = [(n, *pool[index]) for n, index in enumerate(order)]
    shown = ", ".join(
        f"{name} {text}{f' DEFAULT {given}' if given else ''}" for name, text, given in DEFAULTED
    )
    for name, format in (("native", "Native"), ("binary", "RowBinaryWithDefaults")):
        twins.create(name, f"n UInt32, {shown}")
        if rows:
            twins.insert(name, encode(schema, rows, format=format), format)
    assert twins.stored("native", schema) == twins.stored("binary", schema)
    assert twins.select("native", "n", "TSV").split() == [str(n).encode() for n in range(len(rows))]


@EXAMPLES
@given(st.data(), st.booleans())
def test_defaults(twins: Twins, data: st.DataObject, known: bool) -> None:
    check_defaults(twins, data, known)


@pytest.mark.slow
@MANY
@given(st.data(), st.booleans())
def test_many_defaults(twins: Twins, data: st.DataObject, known: bool) -> None:
    check_defaults(twins, data, known)


def test_rows_of_nothing_but_defaults(twins: Twins) -> None:
    twins.create("native", "n UInt8 DEFAULT 5, s String DEFAULT 'x'")
    rows = [(DEFAULT, DEFAULT)] * 3
    twins.insert("native", encode("n UInt8, s String", [*rows, (1, "y"), *rows], format="Native"), "Native")
    assert twins.select("native", format="TSV") == b"1\ty\n" + b"5\tx\n" * 6


# --- json="string" ------------------------------------------------------------------------------------

HOLDERS: dict[str, Callable[[Any], Any]] = {
    "JSON": lambda document: document,
    "JSON(max_dynamic_paths=1)": lambda document: document,
    "Nullable(JSON)": lambda document: document or None,
    "Array(JSON)": lambda document: [document] * len(document),
    "Map(String, JSON)": lambda document: dict.fromkeys(document, document),
    "Tuple(JSON, UInt8)": lambda document: (document, len(document)),
    "Variant(Array(JSON), UInt8)": lambda document: [document, {}] if document else 7,
    "JSON(a Dynamic, b Array(JSON))": lambda document: {"x": document, "b": [document]},
}


@EXAMPLES
@given(st.sampled_from(sorted(HOLDERS)), st.lists(json_documents, max_size=6))
def test_documents_as_text(twins: Twins, column: str, documents: list[dict[str, Any]]) -> None:
    """Both formats mean the same; the server parses the text in both."""
    good = [document for document in documents if not refused(document)]
    schema, rows = numbered([("c", column)], [(HOLDERS[column](document),) for document in good])
    for name, format, extra in (
        ("native", "Native", ""),
        ("binary", "RowBinary", " SETTINGS input_format_binary_read_json_as_string = 1"),
    ):
        twins.create(name, str(schema))
        for row in rows:
            twins.insert(name, encode(schema, [row], format=format, json="string"), format, extra)
    assert twins.stored("native", schema) == twins.stored("binary", schema)


def refused(document: dict[str, Any]) -> bool:
    """Whether the server's parser refuses the document, such as for a path that comes twice."""
    bad: list[int] = []
    rowbinary.encode_rows(
        "j JSON", [(document,)], json="text", on_error=lambda row, index, error: bad.append(index)
    )
    return bool(bad)
