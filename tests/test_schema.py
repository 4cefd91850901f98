"""`Schema`: construction, texts, DESCRIBE rows, flattening, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import pickle
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowbinary._parse import parse_type
from rowbinary._schema import Schema, takes_no_bytes
from rowbinary._types import Type
from rowbinary.errors import SchemaError


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    """A connection of its own: settings stay with a connection."""
    chdb = pytest.importorskip("chdb", reason="chdb (the embedded engine) is not installed")
    connection = chdb.connect(":memory:")
    yield connection
    connection.query("DROP TABLE IF EXISTS described_schema")
    connection.close()


def describe(engine: Any, columns: str, output_format: str, flatten: int = 1) -> list[Any]:
    engine.query(f"SET flatten_nested = {flatten}")
    engine.query(f"CREATE OR REPLACE TABLE described_schema ({columns}) ENGINE = Memory")
    rows = engine.query("DESCRIBE TABLE described_schema", output_format).bytes()
    return [json.loads(line) for line in rows.splitlines()]


def test_attributes() -> None:
    schema = Schema([("id", "bigint unsigned"), ("tags", parse_type("Array(String)"))])
    assert schema.columns == (("id", parse_type("UInt64")), ("tags", parse_type("Array(String)")))
    assert schema.names == ("id", "tags")
    assert schema.types == (parse_type("UInt64"), parse_type("Array(String)"))
    assert len(schema) == 2
    assert list(schema) == list(schema.columns)
    assert str(schema) == "id UInt64, tags Array(String)"
    assert repr(schema) == "<Schema id UInt64, tags Array(String)>"


def test_equal_by_names_and_types() -> None:
    schema = Schema([("a", "INT"), ("b", "Variant(String, INT)")])
    same = Schema([["a", "Int32"], ["b", Type("Variant(Int32, String)")]])  # type: ignore[list-item]
    assert schema == same
    assert hash(schema) == hash(same)
    assert schema != Schema([("a", "INT"), ("c", "Variant(String, INT)")])
    assert schema != Schema([("b", "Variant(String, INT)"), ("a", "INT")])
    other: object = "a Int32, b Variant(Int32, String)"
    assert schema != other


def test_immutable() -> None:
    schema = Schema([("a", "UInt8")])
    with pytest.raises(dataclasses.FrozenInstanceError):
        schema.columns = ()  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del schema.columns


def test_pickle_keeps_no_caches() -> None:
    schema = Schema([("a b", "Array(" * 200 + "Int8" + ")" * 200), ("n.x", "JSON(a Int8)")])
    assert schema.names
    copy = pickle.loads(pickle.dumps(schema))
    assert copy == schema
    assert "names" in vars(schema)
    assert "names" not in vars(copy)


def test_shared_between_threads() -> None:
    schema = Schema.parse(
        ", ".join(f"c{n} Tuple(a Array(UInt{8 << n % 4}), b JSON(x Int8))" for n in range(50))
    )
    seen: set[tuple[int, str, tuple[str, ...]]] = set()
    threads = [
        threading.Thread(target=lambda: seen.add((hash(schema), str(schema), schema.names))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {(hash(schema), str(schema), schema.names)}


# -- texts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("id UInt64, attrs JSON(a Int64, SKIP b)", [("id", "UInt64"), ("attrs", "JSON(a Int64, SKIP b)")]),
        ('`a b` Int8,\n"c""d" String', [("a b", "Int8"), ('c"d', "String")]),
        ("n.x Array(Int8), n . `y z` Array(Int8)", [("n.x", "Array(Int8)"), ("n.y z", "Array(Int8)")]),
        ("`n.x` Array(Int8)", [("n.x", "Array(Int8)")]),
        ("i INT UNSIGNED, d double precision -- last", [("i", "UInt32"), ("d", "Float64")]),
        (
            "date Date, String String, default UInt8",
            [("date", "Date"), ("String", "String"), ("default", "UInt8")],
        ),
        ("`żółw` Enum('a,b' = 1, 'c' = 2)", [("żółw", "Enum8('a,b' = 1, 'c' = 2)")]),
    ],
)
def test_parse(text: str, columns: list[tuple[str, str]]) -> None:
    schema = Schema.parse(text)
    assert [(name, str(type_)) for name, type_ in schema] == columns
    assert Schema.parse(str(schema)) == schema


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
types = st.sampled_from(
    ["UInt8", "Array(Nullable(String))", "JSON(a.b Int8)", "Nested(`x y` Int8)", "Tuple()"]
)


@given(st.dictionaries(names, types, min_size=1, max_size=6))
def test_texts_can_be_read_back(columns: dict[str, str]) -> None:
    columns["last"] = "String"
    schema = Schema.of(columns)
    assert schema.names == tuple(columns)
    assert Schema.parse(str(schema)) == schema


@pytest.mark.parametrize(
    ("text", "message", "position"),
    [
        ("", "a schema needs at least one column", 0),
        (" \n", "a schema needs at least one column", 0),
        ("id", "expected a type, found the end", 2),
        ("id UInt64,", "expected a column name, found the end", 10),
        ("id UInt64,, a Int8", "expected a column name, found ','", 10),
        (", id UInt64", "expected a column name, found ','", 0),
        ("id UInt46", "unknown type 'UInt46'; did you mean UInt64", 3),
        ("a Int8, b Strin", "unknown type 'Strin'", 10),
        ("n.1 Int8", "expected a type, found '.1'", 1),
        ("(a Int8)", "expected a column name, found '('", 0),
        *(
            (
                f"a Int8, b UInt8 {clause}, c Int8",
                f"expected ',': a schema text is `name Type, ...` only, found {clause.split()[0]!r}",
                16,
            )
            for clause in (
                "DEFAULT 1",
                "MATERIALIZED a",
                "COMMENT 'x'",
                "CODEC (ZSTD)",
                "NULL",
                "TTL d",
                "NOT NULL",
            )
        ),
    ],
)
def test_texts_refused(text: str, message: str, position: int) -> None:
    with pytest.raises(SchemaError) as caught:
        Schema.parse(text)
    assert message in caught.value.reason
    assert (caught.value.text, caught.value.position) == (text, position)


# -- shapes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "a UInt8, b String",
        {"a": "UInt8", "b": "String"},
        [("a", "UInt8"), ("b", parse_type("String"))],
        (pair for pair in [("a", "UInt8"), ("b", "String")]),
        Schema.parse("a UInt8, b String"),
    ],
    ids=["text", "mapping", "pairs", "generator", "schema"],
)
def test_of(source: Any) -> None:
    schema = Schema.of(source)
    assert str(schema) == "a UInt8, b String"
    assert (schema is source) == isinstance(source, Schema)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([], "a schema needs at least one column"),
        (5, "columns must be (name, type) pairs, not int"),
        (None, "columns must be (name, type) pairs, not NoneType"),
        ("a Int8", "Schema.parse() reads a text"),
        (["a Int8"], "column 0 must be a (name, type) pair, not 'a Int8'"),
        ([("a", "Int8"), ("b",)], "column 1 must be a (name, type) pair"),
        ([("a", "Int8", "DEFAULT")], "column 0 must be a (name, type) pair"),
        (["ab"], "column 0 must be a (name, type) pair"),
        ([(1, "Int8")], "the name of column 0 must be str, not int"),
        ([(b"a", "Int8")], "the name of column 0 must be str, not bytes"),
        ([("", "Int8")], "the name of column 0 is empty"),
        ([("\ud800", "Int8")], "the name of column 0 has a lone surrogate"),
        ([("a", "Int8"), ("b", "Int8"), ("a", "String")], "column name 'a' twice"),
        ([("a", None)], "column 'a': a type must be given as str, not NoneType"),
        ([("a", "Int8"), ("b", "Strin")], "column 'b': unknown type 'Strin'"),
    ],
)
def test_shapes_refused(columns: Any, message: str) -> None:
    with pytest.raises(SchemaError) as caught:
        Schema(columns)
    assert message in caught.value.reason


def test_type_errors_keep_their_place() -> None:
    with pytest.raises(SchemaError) as caught:
        Schema([("a", "Int8"), ("b", "Array(Strin)")])
    assert (caught.value.text, caught.value.position) == ("Array(Strin)", 6)


@pytest.mark.parametrize("source", [5, None, ["a"], {"a": 5}, {5: "Int8"}, {}, ""])
def test_of_refuses(source: Any) -> None:
    with pytest.raises(SchemaError):
        Schema.of(source)


@pytest.mark.parametrize("text", [5, None, b"a Int8", ["a Int8"]])
def test_parse_takes_text_only(text: Any) -> None:
    with pytest.raises(SchemaError, match="a schema text must be str"):
        Schema.parse(text)


# -- rows that take no bytes ------------------------------------------------------------------------

EMPTY = ["Tuple()", "Tuple(a Tuple(), b Tuple(Tuple()))", "SimpleAggregateFunction(any, Tuple())"]
NOT_EMPTY = [
    *(
        "UInt8",
        "Nullable(Tuple())",
        "Array(Tuple())",
        "Map(Tuple(), Tuple())",
        "Nested(a Tuple())",
        "Variant(Tuple())",
    ),
    *("Tuple(Tuple(), UInt8)", "AggregateFunction(nothing)", "JSON", "Point"),
]


@pytest.mark.parametrize("text", EMPTY)
def test_rows_without_bytes(text: str) -> None:
    assert takes_no_bytes(parse_type(text))
    with pytest.raises(SchemaError, match="rows of this schema take no bytes"):
        Schema([("a", text), ("b", "Tuple()")])
    assert len(Schema([("a", text), ("b", "UInt8")])) == 2


@pytest.mark.parametrize("text", NOT_EMPTY)
def test_rows_with_bytes(text: str) -> None:
    assert not takes_no_bytes(parse_type(text))
    assert len(Schema([("a", text)])) == 1


def test_engine_agrees_on_bytes(engine: Any) -> None:
    for text in EMPTY + NOT_EMPTY:
        cell = engine.query(f"SELECT defaultValueOfTypeName('{text}')", "RowBinary").bytes()
        assert (cell == b"") == takes_no_bytes(parse_type(text)), text


def test_deep_tuples_without_bytes() -> None:
    assert takes_no_bytes(parse_type("Tuple(" * 300 + ")" * 300))


# -- DESCRIBE ---------------------------------------------------------------------------------------

TABLE = """
    id UInt64, `a b` String DEFAULT 'x', computed UInt8 MATERIALIZED 1, other UInt64 ALIAS id,
    temporary UInt8 EPHEMERAL 3, n Nested(x Int8, y Nested(z String)), c String CODEC(ZSTD) COMMENT 'text',
    t Tuple(a Int8, b Array(Tuple(c Int8)))
"""
INSERTABLE = (
    "id UInt64, `a b` String, temporary UInt8, `n.x` Array(Int8), `n.y` Array(Nested(z String)), c String, "
    "t Tuple(a Int8, b Array(Tuple(c Int8)))"
)


@pytest.mark.parametrize("output_format", ["JSONCompactEachRow", "JSONEachRow"])
def test_from_describe(engine: Any, output_format: str) -> None:
    rows = describe(engine, TABLE, output_format)
    assert len(rows) == 9
    assert str(Schema.from_describe(rows)) == INSERTABLE
    assert (
        str(Schema.from_describe(map(tuple, rows) if isinstance(rows[0], list) else iter(rows))) == INSERTABLE
    )


def test_from_short_rows() -> None:
    assert Schema.from_describe([("a", "Int8"), ("b", "Int8", None)]) == Schema.parse("a Int8, b Int8")
    assert Schema.from_describe([{"name": "a", "type": "Int8"}]) == Schema.parse("a Int8")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "a schema needs at least one column"),
        ([("a", "Int8", "ALIAS", "1")], "a schema needs at least one column"),
        (["a Int8"], "row 0 of DESCRIBE must be (name, type, default_type, ...)"),
        ([("a", "Int8"), ("b",)], "row 1 of DESCRIBE must be"),
        ([{"name": "a"}], "row 0 of DESCRIBE lacks 'name' or 'type'"),
        ([(5, "Int8")], "the name of column 0 must be str"),
        ([("a", 5)], "column 'a': a type must be given as str"),
        ("a Int8", "rows of DESCRIBE TABLE are needed, not str"),
        (None, "rows of DESCRIBE TABLE are needed, not NoneType"),
    ],
)
def test_describe_refused(rows: Any, message: str) -> None:
    with pytest.raises(SchemaError) as caught:
        Schema.from_describe(rows)
    assert message in caught.value.reason


def test_flatten(engine: Any) -> None:
    columns = (
        "n Nested(a Int8, `b.c` Nested(d Int8), e Array(String)), o Array(Nested(a Int8)), "
        "p Tuple(q Nested(a Int8)), r Array(Tuple(a Int8))"
    )
    whole = Schema.from_describe(describe(engine, columns, "JSONCompactEachRow", flatten=0))
    assert whole == Schema.parse(columns)
    flat = Schema.from_describe(describe(engine, columns, "JSONCompactEachRow", flatten=1))
    assert whole.flatten() == flat
    assert flat.names[:3] == ("n.a", "n.b.c", "n.e")
    assert flat.flatten() == flat


def test_flatten_refuses_duplicates() -> None:
    with pytest.raises(SchemaError, match=r"column name 'n\.a' twice"):
        Schema.parse("n Nested(a Int8), n.a Array(Int8)").flatten()
