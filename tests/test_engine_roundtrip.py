"""What the encoders write, stored by the engine and selected back: equal to what was sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import canonical
import pytest
from conftest import implementations, load, times, value_of
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import documents, schemas, type_texts, values_of

import rowbinary
from rowbinary import EncodeError, Schema
from rowbinary._options import FORMATS

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

SETTINGS = (
    "allow_suspicious_variant_types = 1, allow_suspicious_low_cardinality_types = 1, flatten_nested = 0, "
    "allow_experimental_time_time64_type = 1, allow_experimental_qbit_type = 1, "
    "allow_suspicious_fixed_string_types = 1"
)
EXAMPLES = settings(max_examples=times(40, 100))
MANY = settings(max_examples=400)


class Table:
    """One table of the embedded engine, made anew for each insert."""

    def __init__(self, engine: Any):
        self.engine = engine
        engine.query(f"SET {SETTINGS}")

    def create(self, columns: str) -> None:
        self.engine.query("DROP TABLE IF EXISTS roundtrip")
        self.engine.query(f"CREATE TABLE roundtrip ({columns}) ENGINE = Memory")

    def insert(self, body: bytes, format: str = "RowBinary", settings: str = "") -> None:
        stream = self.engine.send_insert(f"INSERT INTO roundtrip{settings}", format)
        stream.append(body)
        stream.finish()

    def select(self, what: str = "*", format: str = "RowBinary") -> bytes:
        return bytes(self.engine.query(f"SELECT {what} FROM roundtrip", format).bytes())


@pytest.fixture(scope="module")
def table(engine: Any) -> Iterator[Table]:
    yield Table(engine)
    engine.query("DROP TABLE IF EXISTS roundtrip")


def encode(columns: Any, rows: list[Any], **choices: Any) -> bytes:
    """The bytes that every implementation makes of `rows`."""
    bodies = {
        rowbinary.encode_rows(columns, rows, implementation=name, **choices) for name in implementations()
    }
    assert len(bodies) == 1
    return bodies.pop()


# --- random rows --------------------------------------------------------------------------------


def check_roundtrip(table: Table, columns: list[tuple[str, str]], rows: list[Any], format: str) -> None:
    schema = Schema(columns)
    table.create(str(schema))
    if (not rows and format != "RowBinary") or rows:
        table.insert(encode(schema, rows, format=format), format)
    sent = encode(schema, rows)
    types = [str(type_) for type_ in schema.types]
    assert canonical.rows(table.select(), types) == canonical.rows(sent, types)


def check_random_rows(table: Table, data: st.DataObject) -> None:
    columns = data.draw(schemas())
    rows = data.draw(st.lists(st.tuples(*(values_of(text) for _, text in columns)), max_size=6))
    check_roundtrip(table, columns, rows, data.draw(st.sampled_from(FORMATS)))


def check_one_type(table: Table, data: st.DataObject) -> None:
    text = data.draw(type_texts)
    values = data.draw(st.lists(values_of(text), min_size=1, max_size=20))
    check_roundtrip(table, [("c", text)], [(value,) for value in values], "RowBinaryWithNamesAndTypes")


def check_documents(table: Table, data: st.DataObject) -> None:
    values = data.draw(st.lists(documents("JSON"), min_size=1, max_size=12))
    check_roundtrip(table, [("j", "JSON")], [(value,) for value in values], "RowBinary")


RANDOM = pytest.mark.parametrize("check", [check_random_rows, check_one_type, check_documents])


@RANDOM
@EXAMPLES
@given(data=st.data())
def test_random(table: Table, check: Callable[[Table, st.DataObject], None], data: st.DataObject) -> None:
    check(table, data)


@pytest.mark.slow
@RANDOM
@MANY
@given(data=st.data())
def test_more_random(
    table: Table, check: Callable[[Table, st.DataObject], None], data: st.DataObject
) -> None:
    check(table, data)


@pytest.mark.parametrize("format", FORMATS)
def test_all_families_at_once(table: Table, format: str) -> None:
    """Each golden value of each type in one wide row: no cell shifts the next."""
    vectors = [v for v in load("values.jsonl") if "back" not in v and not v["type"].startswith("Tuple()")]
    columns = [(f"c{n}", vector["type"]) for n, vector in enumerate(vectors)]
    row = tuple(value_of(vector) for vector in vectors)
    table.create(", ".join(f"{name} {text}" for name, text in columns))
    table.insert(encode(columns, [row, row], format=format), format)
    types = [text for _, text in columns]
    selected = canonical_or_state(table.select(), types, vectors)
    assert selected == canonical_or_state(encode(columns, [row, row]), types, vectors)


def canonical_or_state(body: bytes, types: list[str], vectors: list[dict[str, Any]]) -> Any:
    """Rows as trees; aggregate states have no length of their own, so take that of the vector."""
    cursor = canonical.Cursor(body)
    parsed = [rowbinary.parse_type(text) for text in types]
    rows = []
    while not cursor.ended:
        row = []
        for type_, vector in zip(parsed, vectors, strict=True):
            if type_.family == "AggregateFunction":
                row.append(cursor.take(len(vector["hex"]) // 2))
            else:
                row.append(canonical.read(cursor, type_))
        rows.append(row)
    return rows


# --- rendered values ----------------------------------------------------------------------------


VALUES = load("values.jsonl")


def printed(vector: dict[str, Any], name: str) -> tuple[str, str]:
    """Expressions for what the column `name` and the literal of the vector print."""
    if vector["type"].startswith("AggregateFunction"):
        return f"lower(hex({name}))", f"'{vector['hex']}'"
    return f"toString({name})", f"toString(CAST({vector['sql']} AS {vector['type']}))"


@pytest.fixture(scope="module")
def as_one_row(table: Table) -> bytes:
    """A byte for each vector: whether it is printed as its literal when all of them are one row."""
    names = {n: f"c{n}" for n, vector in enumerate(VALUES) if "(Nothing)" not in vector["type"]}
    columns = [(name, VALUES[n]["type"]) for n, name in names.items()]
    table.create(", ".join(f"{name} {text}" for name, text in columns))
    table.insert(encode(columns, [tuple(value_of(VALUES[n]) for n in names)]))
    pairs = [printed(VALUES[n], names[n]) if n in names else ("0", "1") for n in range(len(VALUES))]
    return table.select(", ".join(f"isNotDistinctFrom({one}, {other})" for one, other in pairs))


@pytest.mark.parametrize(
    "number", range(len(VALUES)), ids=lambda n: f"{VALUES[n]['type']}={VALUES[n]['python']}"[:80]
)
def test_same_as_the_literal(table: Table, as_one_row: bytes, number: int) -> None:
    """The stored value prints as the SQL literal of the vector does; when not, it is looked at alone."""
    vector = VALUES[number]
    if "(Nothing)" in vector["type"]:
        pytest.skip("no type of a table column")
    assert len(as_one_row) == len(VALUES)
    if as_one_row[number]:
        return
    columns = [("c", vector["type"]), ("marker", "UInt8")]
    table.create(f"c {vector['type']}, marker UInt8")
    table.insert(encode(columns, [(value_of(vector), 1)]))
    one, other = printed(vector, "c")
    assert table.select(f"{one}, marker", "TSVRaw") == table.select(f"{other}, 1", "TSVRaw")


# --- the golden inserts -------------------------------------------------------------------------

# The vector shows what the engine stores when a writer ignores SKIP; ours applies the rules.
SKIPPED = {
    ("JSON(SKIP a)", "{'a': {'x': 1}, 'b': 2}"): ('{"b":2}', {"b": "Int64"}),
    ("JSON(SKIP REGEXP '^tmp')", "{'tmp1': 1}"): ("{}", {}),
}


@pytest.mark.parametrize(
    "vector", load("json_inserts.jsonl"), ids=lambda v: f"{v['mode']} {v['column_type']} {v['python']}"[:80]
)
def test_golden_insert(table: Table, vector: dict[str, Any]) -> None:
    columns = [("c", vector["column_type"])]
    table.create(f"c {vector['column_type']}")
    value = value_of(vector)
    if vector["mode"] == "text" and "ticks(" in vector["python"]:
        value = vector["json_text"]  # a number in JSON text means seconds, not ticks
    table.insert(encode(columns, [(value,)], json=vector["mode"]))
    selected = vector["selected"]
    shown, paths = selected["binary"], selected["paths"]
    if vector["mode"] == "exact":
        shown, paths = SKIPPED.get((vector["column_type"], vector["python"]), (shown, paths))
    family = rowbinary.parse_type(vector["column_type"]).family
    types = {"JSON": "JSONAllPathsWithTypes(c)", "Dynamic": "dynamicType(c)"}.get(family, "variantType(c)")
    stored = json.loads(table.select(f"toString(c) AS shown, {types} AS types", "JSONEachRow"))
    assert stored["shown"] == shown
    assert stored["types"] == paths


# --- json="text" against the engine's own parser ----------------------------------------------------

_texts = st.one_of(
    st.text(max_size=5),
    st.sampled_from(
        [
            "2020-01-01",
            "2020-01-01 10:00:00",
            "2020-01-01T10:00:00.5Z",
            "1900-01-01",
            "5/5/2026",
            "12",
            "1.5",
            "true",
            "x",
        ]
    ),
)
_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.integers(-(2**63), 2**64 - 1),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    _texts,
)
_json_values = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["a", "b", "c", "d.e", "", "f"]), inner, max_size=3),
        st.lists(_leaves, max_size=4),
    ),
    max_leaves=6,
)
_json_documents = st.dictionaries(
    st.sampled_from(["a", "b", "c", "a.b", "g", "é", ""]), _json_values, max_size=5
)


def stored_from_text(table: Table, column: str, text: str) -> bytes | None:
    """The engine's cell of one row given as JSON text, ``None`` when it refuses the text."""
    table.create(f"j {column}")
    try:
        table.insert(f'{{"j": {text}}}'.encode(), "JSONEachRow")
    except RuntimeError:
        return None
    return table.select()


@settings(max_examples=times(80, 250))
@given(
    _json_documents,
    st.sampled_from(
        ["JSON", "JSON(max_dynamic_paths=2, max_dynamic_types=3)", "JSON(a Int64, SKIP b, SKIP REGEXP 'g')"]
    ),
)
def test_text_mode_is_the_engines_parser(table: Table, document: dict[str, Any], column: str) -> None:
    text = json.dumps(document, ensure_ascii=False)
    stored = stored_from_text(table, column, text)
    try:
        body = encode([("j", column)], [(document,)], json="text")
    except EncodeError:
        assert stored is None, "refused here, taken by the engine"
        return
    assert body == encode([("j", column)], [(text,)], json="text")
    assert stored is not None, "taken here, refused by the engine"
    table.create(f"j {column}")
    table.insert(body)
    types = [column]
    assert canonical.rows(table.select(), types) == canonical.rows(stored, types)
    assert canonical.rows(body, types) == canonical.rows(stored, types)


# --- json="string" ------------------------------------------------------------------------------

STRING_CASES = [
    ("JSON", {"x": 1, "y": [{"z": "2020-01-01"}]}),
    ("Nullable(JSON)", {"x": 1}),
    ("Nullable(JSON)", None),
    ("Array(JSON)", [{"x": [1, "a"]}, {}]),
    ("Tuple(JSON, UInt8)", ({"x": 1}, 2)),
    ("Map(String, JSON)", {"k": {"x": 1}}),
    ("Variant(JSON, UInt8)", {"x": 1}),
    ("JSON(j JSON, d Dynamic)", {"j": {"x": 1}, "d": {"y": [1]}}),
    ("Dynamic", {"x": 1}),
    ("Dynamic", [{"x": 1}]),
    ("Dynamic", [1, "x", {"z": 1}]),
    ("Dynamic", [[{"x": 1}], 5]),
    ("Dynamic", rowbinary.typed({"a": {"x": 1}}, "Map(String, JSON)")),
]


@pytest.mark.parametrize(("column", "value"), STRING_CASES)
def test_string_mode(table: Table, column: str, value: Any) -> None:
    """JSON is text wherever it stands in a value, as the server then expects it."""
    columns = [("c", column), ("marker", "UInt8")]
    table.create(f"c {column}, marker UInt8")
    table.insert(
        encode(columns, [(value, 7)], json="string"),
        settings=" SETTINGS input_format_binary_read_json_as_string = 1",
    )
    by_text = table.select("toString(c), marker", "TSVRaw")
    table.create(f"c {column}, marker UInt8")
    table.insert(encode(columns, [(value, 7)], json="exact"))
    assert by_text == table.select("toString(c), marker", "TSVRaw")
    assert by_text.endswith(b"\t7\n")


# --- DEFAULT ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "vector", [v for v in load("formats.jsonl") if "ddl" in v], ids=lambda v: v["format"]
)
def test_defaults(table: Table, vector: dict[str, Any]) -> None:
    columns = [tuple(column) for column in vector["columns"]]
    table.create(vector["ddl"])
    table.insert(encode(columns, value_of(vector, "rows"), format=vector["format"]), vector["format"])
    rows = [json.loads(line) for line in table.select(format="JSONCompactEachRow").splitlines()]
    assert rows == vector["stored"]


def test_dict_rows_leave_columns_to_the_server(table: Table) -> None:
    table.create("id UInt32, name String DEFAULT concat('n', toString(id)), x Nullable(Int8) DEFAULT 5")
    rows = [{"id": 1}, {"id": 2, "x": None}, {"name": "b", "id": 3}]
    columns = "id UInt32, name String, x Nullable(Int8)"
    format = "RowBinaryWithNamesAndTypesAndDefaults"
    table.insert(encode(columns, rows, format=format), format)
    assert table.select(format="TSVRaw") == b"1\tn1\t5\n2\tn2\t\\N\n3\tb\t5\n"
