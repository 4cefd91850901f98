"""decode_rows: formats, where the schema comes from, the shapes of rows, options, wrong arguments."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Any

import canonical
import pytest
from conftest import load, shown, value_of
from decode_cases import BERLIN, STORED, UTC, decode, header, number, refuse, same

import rowbinary
from rowbinary import DEFAULT, Schema, SchemaError, decode_rows, encode_rows
from rowbinary._options import FORMATS
from rowbinary._varint import string, varint

NAMED = [form for form in FORMATS if "WithNames" in form]
SELF = ["RowBinaryWithNamesAndTypes", "RowBinaryWithNamesAndTypesAndDefaults", "Native"]
COLUMNS = "id UInt8, name Nullable(String), at DateTime('Europe/Berlin'), tags Array(LowCardinality(String))"
ROWS = [
    (1, "a", dt.datetime(2024, 7, 1, 12, tzinfo=BERLIN), ["x", "y"]),
    (2, None, dt.datetime(2024, 1, 1, tzinfo=BERLIN), []),
]


def body_of(form: Any, columns: Any = COLUMNS, rows: Any = ROWS) -> bytes:
    return encode_rows(columns, rows, format=form)


# --- formats and schemas -------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
def test_with_a_schema(form: str) -> None:
    found = decode(COLUMNS, body_of(form), format=form)
    assert found == ROWS
    assert found[0][2].tzinfo is BERLIN


@pytest.mark.parametrize("form", SELF)
def test_types_from_the_body(form: str) -> None:
    assert decode(None, body_of(form), format=form) == ROWS


def test_the_format_that_is_meant() -> None:
    """With a schema that of inserts, without one the format that says all."""
    assert decode(COLUMNS, body_of("RowBinary")) == ROWS
    assert decode(None, body_of("RowBinaryWithNamesAndTypes")) == ROWS


@pytest.mark.parametrize(
    "schema",
    [
        Schema.parse("a UInt8, b String"), "a TINYINT UNSIGNED, b VARCHAR(9)", {"a": "UInt8", "b": "String"},
        [("a", "UInt8"), ("b", "String")], [("a", rowbinary.parse_type("UInt8")), ("b", "String")],
        iter([("a", "UInt8"), ("b", "String")]),
    ],
    ids=shown,
)  # fmt: skip
def test_spellings_of_a_schema(schema: Any) -> None:
    schema = Schema.of(schema)
    for form in FORMATS:
        body = encode_rows("a UInt8, b String", [(1, "x")], format=form)  # type: ignore[arg-type]
        assert decode(schema, body, format=form) == [(1, "x")]


@pytest.mark.parametrize("data", [bytes, bytearray, memoryview, type("Bytes", (bytes,), {})])
def test_kinds_of_bytes(data: Any) -> None:
    assert decode(COLUMNS, data(body_of("RowBinary"))) == ROWS


def test_a_view_with_steps() -> None:
    assert decode("a UInt8", memoryview(b"\1\2\3\4")[::2]) == [(1,), (3,)]


VECTORS = load("formats.jsonl")


@pytest.mark.parametrize("index", range(len(VECTORS)), ids=lambda n: f"{n} {VECTORS[n]['format']}")
def test_golden_bodies(index: int) -> None:
    """Bytes of the engine, in every format: as many rows as the vector was written from, and back."""
    vector = VECTORS[index]
    columns = [tuple(column) for column in vector["columns"]]
    form, body, sent = vector["format"], bytes.fromhex(vector["hex"]), value_of(vector, "rows")
    found = decode(columns, body, format=form)
    assert len(found) == len(sent)
    for one, other in zip(found, sent, strict=True):
        assert [value is DEFAULT for value in one] == [value is DEFAULT for value in other]
    if form in SELF:
        assert decode(None, body, format=form) == found
    again = encode_rows(columns, found, format=form)
    if not any("JSON" in text for _, text in columns):
        assert again.hex() == vector["hex"]
    elif "Defaults" in form:
        assert decode(columns, again, format=form) == found
    else:  # the paths of a document have no order
        types, start = [text for _, text in columns], len(Schema(columns).plan.header(form))
        assert canonical.rows(again[start:], types) == canonical.rows(body[start:], types)


@pytest.mark.parametrize("form", ["RowBinary", "RowBinaryWithNamesAndTypes", "Native"])
@pytest.mark.parametrize("case", STORED, ids=lambda case: f"{case[0]} {case[1]!r}"[:80])
def test_every_type(case: tuple[Any, ...], form: Any) -> None:
    columns = [("c", case[0]), ("last", "UInt8")]
    body = encode_rows(columns, [(case[1], 165), (case[1], 90)], format=form)
    (first, last), (second, other) = decode(columns, body, format=form)
    assert (last, other) == (165, 90)
    expected = case[-1]
    if form != "Native" and case[0].startswith("JSON(a UInt8"):  # what a block fills with defaults
        expected = {key: value for key, value in expected.items() if key in case[1]}
    assert same(first, expected)
    assert same(second, expected)


# --- a header that says something else ------------------------------------------------------------------


@pytest.mark.parametrize("form", NAMED)
@pytest.mark.parametrize("names", [["b", "a"], ["a"], ["a", "b", "c"], ["a", "B"], ["a", ""], []])
def test_other_names(form: str, names: list[str]) -> None:
    types = ["UInt8", "String", "UInt8"][: len(names)]
    if names == ["b", "a"]:
        types.reverse()
    body = varint(len(names)) + b"".join(map(string, names))
    body += b"".join(map(string, types)) if "AndTypes" in form else b""
    error = refuse(body + bytes(8), "the columns are", "a UInt8, b String", format=form)
    assert error.reason == f"the columns are {', '.join(names)}, not a, b as in the schema"
    assert (error.row, error.column, error.offset) == (None, None, len(body))


@pytest.mark.parametrize("form", SELF)
@pytest.mark.parametrize(
    ("sent", "wanted"),
    [
        ("UInt8", "Int8"), ("String", "LowCardinality(String)"), ("UInt8", "Nullable(UInt8)"),
        ("Tuple(UInt8)", "Tuple(a UInt8)"), ("Enum8('a' = 1)", "Enum8('b' = 1)"),
        ("Point", "Tuple(Float64, Float64)"),
        ("DateTime('UTC')", "DateTime"), ("DateTime('UTC')", "DateTime('Europe/Berlin')"),
        ("DateTime64(3)", "DateTime64(3, 'UTC')"), ("SimpleAggregateFunction(sum, UInt64)", "UInt64"),
    ],
)  # fmt: skip
def test_other_types(form: Any, sent: str, wanted: str) -> None:
    """Also of the same bytes: a schema that does not fit is not the table's."""
    body = encode_rows([("a", "UInt8"), ("c", sent)], [], format=form)
    if form == "Native":
        body = b"\2\0\1a\5UInt8\1c" + string(sent)
    error = refuse(body, "as in the schema", [("a", "UInt8"), ("c", wanted)], format=form)
    assert error.reason == f"{sent}, not {wanted} as in the schema"
    assert (error.row, error.column) == (None, "c")


@pytest.mark.parametrize("form", ["RowBinaryWithNamesAndTypes", "Native"])
def test_zones_that_servers_do_not_print(form: Any) -> None:
    """FORMAT Native of HTTP has DateTime without its zone: the schema's is taken."""
    columns = [("a", "DateTime('Europe/Berlin')"), ("b", "Array(Nullable(DateTime('Asia/Tokyo')))")]
    rows = [(dt.datetime(2024, 1, 1, tzinfo=UTC), [None, dt.datetime(2024, 1, 1, tzinfo=UTC)])]
    body = encode_rows([("a", "DateTime"), ("b", "Array(Nullable(DateTime))")], rows, format=form)
    ((one, (_, other)),) = decode(columns, body, format=form)
    assert (one.tzinfo, other.tzinfo) == (BERLIN, zoneinfo.ZoneInfo("Asia/Tokyo"))
    assert [(one, [None, other])] == rows


def test_zones_within_other_texts() -> None:
    """Only zones of DateTime may be missing."""
    columns = [("c", r"Tuple(`DateTime(\'UTC\')` UInt8)")]
    refuse(header(("c", "Tuple(`DateTime` UInt8)")), "as in the schema", columns, format=SELF[0])
    columns = [("c", "DateTime64(3, 'UTC')")]
    refuse(header(("c", "DateTime64(3)")), "as in the schema", columns, format=SELF[0])


def test_types_that_are_not_understood() -> None:
    error = refuse(header(("a", "UInt8"), ("b", "Int9")) + b"\1", "type 'Int9': unknown type 'Int9'")
    assert (error.row, error.column) == (None, "b")
    columns = "a UInt8, b UInt8"
    assert refuse(header(("a", "UInt8"), ("b", "Int9")), "Int9", columns, format=SELF[0]).column == "b"
    refuse(header(("a", "Object('json')")), "type .*: unknown type 'Object'")


# --- shapes of rows -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
def test_shapes(form: str) -> None:
    body = body_of(form)
    names = ["id", "name", "at", "tags"]
    assert decode(COLUMNS, body, format=form, rows="tuples") == ROWS
    dicts = decode(COLUMNS, body, format=form, rows="dicts")
    assert dicts == [dict(zip(names, row, strict=True)) for row in ROWS]
    columns = decode(COLUMNS, body, format=form, rows="columns")
    assert columns == {name: [row[index] for row in ROWS] for index, name in enumerate(names)}
    assert list(columns) == list(dicts[0]) == names


@pytest.mark.parametrize("form", FORMATS)
def test_no_rows(form: str) -> None:
    body = body_of(form, "a UInt8, b String", [])
    schemas = ["a UInt8, b String", *([None] if form in SELF else [])]
    for schema in schemas:
        known = schema is not None or form != "Native"  # an empty body has no names
        assert decode(schema, body, format=form) == []
        assert decode(schema, body, format=form, rows="dicts") == []
        assert decode(schema, body, format=form, rows="columns") == ({"a": [], "b": []} if known else {})


@pytest.mark.parametrize("form", NAMED)
def test_a_body_without_its_header(form: str) -> None:
    error = refuse(b"", "1 bytes are needed, 0 are left", "a UInt8", format=form)
    assert (error.row, error.column, error.offset) == (None, None, 0)


def test_no_columns() -> None:
    assert decode(None, b"\0") == []
    assert decode(None, b"\0", rows="columns") == {}
    error = refuse(b"\0abc", "bytes after the header, but a row takes none")
    assert (error.row, error.column, error.offset) == (0, None, 1)


def test_names_that_come_twice() -> None:
    """A query may have them, and a tuple too."""
    body = header(("a", "UInt8"), ("b", "UInt8"), ("a", "UInt8")) + b"\1\2\3"
    assert decode(None, body) == [(1, 2, 3)]
    for shape in ("dicts", "columns"):
        assert refuse(body, "two columns of the name 'a': rows must be tuples", rows=shape).row is None
    block = b"\2\1\1a\5UInt8\1\1a\5UInt8\2"
    assert refuse(block, "column 'a' twice in one block", format="Native").offset == 11


def test_names_of_columns() -> None:
    columns = [("", "UInt8"), ("a.b", "UInt8"), ("é`'\n", "UInt8")]
    body = header(*columns) + b"\1\2\3"
    assert decode(None, body, rows="dicts") == [{"": 1, "a.b": 2, "é`'\n": 3}]


# --- DEFAULT --------------------------------------------------------------------------------------------


def test_cells_that_are_left_to_the_server() -> None:
    """The marker stands before the NULL flag; the server takes any but 0 for a DEFAULT, and so is it here."""
    columns = "a UInt8, b Nullable(UInt8), c String"
    body = b"\0\5" + b"\1" + b"\0\1x" + b"\xff" + b"\0\1" + b"\2"
    rows = [(5, DEFAULT, "x"), (DEFAULT, None, DEFAULT)]
    found = decode(columns, body, format="RowBinaryWithDefaults")
    assert found == rows
    assert found[0][1] is DEFAULT
    names = [("a", "UInt8"), ("b", "Nullable(UInt8)"), ("c", "String")]
    assert decode(None, header(*names) + body, format="RowBinaryWithNamesAndTypesAndDefaults") == rows
    error = refuse(body[:-1], "1 bytes are needed, 0 are left", columns, format="RowBinaryWithDefaults")
    assert (error.row, error.column, error.offset) == (1, "c", len(body) - 1)


def test_rows_of_markers_alone() -> None:
    """With markers a row of a Tuple() takes a byte, so that such rows can be counted."""
    body = header(("c", "Tuple()")) + b"\0\1"
    assert decode(None, body, format="RowBinaryWithNamesAndTypesAndDefaults") == [((),), (DEFAULT,)]


# --- options --------------------------------------------------------------------------------------------


def at(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


def span(**parts: int) -> dt.timedelta:
    return dt.timedelta(**parts)


# Type, what is stored, and what that is with moments = datetime, exact and ticks.
MOMENTS: list[tuple[str, int, Any, Any, int]] = [
    ("Date", 19724, dt.date(2024, 1, 2), dt.date(2024, 1, 2), 19724),
    ("Date32", -25567, dt.date(1900, 1, 1), dt.date(1900, 1, 1), -25567),
    ("Date32", 2932897, 2932897, 2932897, 2932897),  # 10000-01-01
    ("DateTime", 5, at(1970, 1, 1, 0, 0, 5), at(1970, 1, 1, 0, 0, 5), 5),
    ("DateTime64(0)", -1, at(1969, 12, 31, 23, 59, 59), at(1969, 12, 31, 23, 59, 59), -1),
    ("DateTime64(3)", 1500, at(1970, 1, 1, 0, 0, 1, 500_000), at(1970, 1, 1, 0, 0, 1, 500_000), 1500),
    ("DateTime64(6)", -1, at(1969, 12, 31, 23, 59, 59, 999_999), at(1969, 12, 31, 23, 59, 59, 999_999), -1),
    ("DateTime64(7)", 19, at(1970, 1, 1, 0, 0, 0, 1), 19, 19),
    ("DateTime64(9)", 1999, at(1970, 1, 1, 0, 0, 0, 1), 1999, 1999),
    ("DateTime64(9)", 2000, at(1970, 1, 1, 0, 0, 0, 2), at(1970, 1, 1, 0, 0, 0, 2), 2000),
    ("DateTime64(9)", -1, at(1969, 12, 31, 23, 59, 59, 999_999), -1, -1),
    ("DateTime64(0)", 253402300800, 253402300800, 253402300800, 253402300800),  # the year 10000
    ("DateTime64(0)", 2**63 - 1, 2**63 - 1, 2**63 - 1, 2**63 - 1),
    ("DateTime64(9)", -(2**63), at(1677, 9, 21, 0, 12, 43, 145_224), -(2**63), -(2**63)),
    ("Time", -5, span(seconds=-5), span(seconds=-5), -5),
    ("Time64(3)", 1, span(milliseconds=1), span(milliseconds=1), 1),
    ("Time64(9)", -1, span(microseconds=-1), -1, -1),
    ("Time64(9)", 1001, span(microseconds=1), 1001, 1001),
    ("Time64(0)", 2**62, 2**62, 2**62, 2**62),
]


@pytest.mark.parametrize(("type_text", "stored", "usual", "exact", "ticks"), MOMENTS)
def test_moments(type_text: str, stored: int, usual: Any, exact: Any, ticks: int) -> None:
    """Dates are dates, whichever; digits behind the microseconds are cut off, or the value stays an int."""
    width = {"Date": 2, "Date32": 4, "DateTime": 4, "Time": 4}.get(type_text, 8)
    data = stored.to_bytes(width, "little", signed=type_text not in ("Date", "DateTime"))
    wanted = {"datetime": usual, "exact": exact, "ticks": ticks}
    if type_text.startswith("Date") and "DateTime" not in type_text:
        wanted["ticks"] = usual
    for moments, value in wanted.items():
        for form, body in (("RowBinary", data), ("Native", b"\1\1\1c" + string(type_text) + data)):
            assert same(decode([("c", type_text)], body, format=form, moments=moments), [(value,)])
    assert same(decode([("c", f"Array({type_text})")], b"\1" + data, moments="datetime"), [([usual],)])


def test_zones() -> None:
    columns = "a DateTime, b DateTime64(3), c DateTime('Asia/Tokyo'), d Dynamic, j JSON"
    moment = at(2024, 7, 1, 0, 30)
    body = encode_rows(columns, [(moment, moment, moment, moment, {"t": moment})])
    zones = [UTC, UTC, zoneinfo.ZoneInfo("Asia/Tokyo"), UTC]
    for zone in (None, UTC, BERLIN, dt.timezone(dt.timedelta(hours=-5, minutes=-30))):
        ((*values, document),) = decode(columns, body, zone=zone)
        wanted = [known if known is not UTC or zone is None else zone for known in zones]
        assert [value.tzinfo for value in [*values, document["t"]]] == [*wanted, zone or UTC]
        assert values == [moment] * 4


def test_an_hour_that_comes_twice() -> None:
    """The first and the second 2:30 differ in `fold`, and go back to where they were."""
    columns = "a DateTime('Europe/Berlin'), b DateTime64(3, 'Europe/Berlin')"
    moments = (1729989000, 1729992600)
    body = b"".join(moment.to_bytes(4, "little") + number(moment * 1000) for moment in moments)
    rows = decode(columns, body)
    assert [(row[0].hour, row[0].minute) for row in rows] == [(2, 30)] * 2
    assert [(row[0].fold, row[1].fold) for row in rows] == [(0, 0), (1, 1)]
    assert encode_rows(columns, rows) == body


def test_the_last_day_in_other_zones() -> None:
    last = number(253402300799)  # 9999-12-31 23:59:59 UTC
    east, west = dt.timezone(dt.timedelta(hours=14)), dt.timezone(dt.timedelta(hours=-12))
    assert decode("c DateTime64(0)", last, zone=east) == [(253402300799,)]
    assert decode("c DateTime64(0)", last, zone=west) == [(at(9999, 12, 31, 23, 59, 59),)]


class Broken(dt.tzinfo):
    def utcoffset(self, moment: dt.datetime | None) -> dt.timedelta:
        raise RuntimeError("broken")

    def dst(self, moment: dt.datetime | None) -> None:
        return None

    def tzname(self, moment: dt.datetime | None) -> None:
        return None


def test_a_zone_that_raises(impl: str) -> None:
    with pytest.raises(RuntimeError, match="broken"):
        decode_rows("c DateTime", bytes(4), zone=Broken(), implementation=impl)


# Type, bytes with ff in a text, and what they are with invalid_utf8 = bytes and surrogateescape.
TEXTS: list[tuple[str, bytes, Any, Any]] = [
    ("String", b"\2a\xff", b"a\xff", "a\udcff"),
    ("String", b"\3\xed\xa0\x80", b"\xed\xa0\x80", "\udced\udca0\udc80"),
    ("LowCardinality(Nullable(String))", b"\0\1\xff", b"\xff", "\udcff"),
    ("Array(String)", b"\2\1a\1\xff", ["a", b"\xff"], ["a", "\udcff"]),
    ("Map(String, UInt8)", b"\1\1\xff\5", {b"\xff": 5}, {"\udcff": 5}),
    ("Dynamic", b"\x15\1\xff", b"\xff", "\udcff"),
    ("JSON", b"\1\1\xff\1\5", {b"\xff": 5}, {"\udcff": 5}),
    ("JSON", b"\1\4a.\xffb\1\5", {b"a.\xffb": 5}, {"a": {"\udcffb": 5}}),
    ("JSON", b"\1\1a\x15\1\xff", {"a": b"\xff"}, {"a": "\udcff"}),
    ("Variant(String, UInt8)", b"\0\1\xff", b"\xff", "\udcff"),
]


@pytest.mark.parametrize(("type_text", "data", "as_bytes", "as_text"), TEXTS)
def test_texts_that_are_not_utf8(type_text: str, data: bytes, as_bytes: Any, as_text: Any) -> None:
    columns = [("c", type_text)]
    assert same(decode(columns, data), [(as_bytes,)])
    assert same(decode(columns, data, invalid_utf8="surrogateescape"), [(as_text,)])
    error = refuse(data, "a String that is not UTF-8", columns, invalid_utf8="error")
    assert (error.row, error.column) == (0, "c")


def test_bytes_that_are_no_text() -> None:
    assert decode("c FixedString(2)", b"\xff\xff", invalid_utf8="error") == [(b"\xff\xff",)]
    for choice in ("bytes", "surrogateescape"):
        refuse(b"\1\1\xff\5UInt8", "the name of a column is not UTF-8", invalid_utf8=choice)


def test_documents_by_their_paths() -> None:
    columns = "j JSON(t.u UInt8), a Array(JSON), d Dynamic"
    rows = [({"a": {"b": 1}, "t": {"u": 2}, "e": [{"f": {"g": 1}}]}, [{"x": {"y": 1}}, {}], {"p": {"q": 1}})]
    for form in ("RowBinary", "Native"):
        body = encode_rows(columns, rows, format=form)
        ((document, array, value),) = decode(columns, body, format=form, json="paths")
        assert document == {"a.b": 1, "t.u": 2, "e": [{"f.g": 1}]}
        assert (array, value) == ([{"x.y": 1}, {}], {"p.q": 1})
        assert decode(columns, body, format=form, json="nested") == rows


# --- wrong arguments -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choices", "match"),
    [
        ({"format": "CSV"}, "format must be one of 'RowBinary', .*, not 'CSV'"),
        ({"format": "native"}, "format"),
        ({"rows": "lists"}, "rows must be one of 'tuples', 'dicts', 'columns', not 'lists'"),
        ({"json": "text"}, "json must be one of 'nested', 'paths'"), ({"json": None}, "json"),
        ({"moments": "int"}, "moments must be one of 'datetime', 'exact', 'ticks'"),
        ({"invalid_utf8": "ignore"}, "invalid_utf8 must be one of 'bytes', 'error', 'surrogateescape'"),
        ({"zone": "Europe/Berlin"}, "zone must be a tzinfo, not str"), ({"zone": 0}, "zone must be a tzinfo"),
        ({"implementation": "rust"}, "implementation must be .*'c'.*'python'"),
    ],
)  # fmt: skip
def test_choices_that_do_not_exist(choices: dict[str, Any], match: str, impl: str) -> None:
    """Both calls refuse them at once, before a byte is read."""
    with pytest.raises(ValueError, match=match):
        decode_rows("a UInt8", b"\1", **{"implementation": impl, **choices})
    with pytest.raises(ValueError, match=match):
        rowbinary.iter_decode("a UInt8", [b"\1"], **{"implementation": impl, **choices})


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in SELF])
def test_a_schema_is_needed(form: Any, impl: str) -> None:
    match = f"{form} does not say the types of its columns: a schema is needed"
    with pytest.raises(ValueError, match=match):
        decode_rows(None, b"", format=form, implementation=impl)
    with pytest.raises(ValueError, match=match):
        rowbinary.iter_decode(None, [], format=form, implementation=impl)


@pytest.mark.parametrize("schema", ["", "a", "a Int9", [], [("a", 5)], {"a": "Tuple()"}, 5])
def test_bad_schemas(schema: Any, impl: str) -> None:
    with pytest.raises(SchemaError):
        decode_rows(schema, b"", implementation=impl)


@pytest.mark.parametrize("data", ["text", None, 5, [1, 2], iter([b"a"]), (b"a",), object()], ids=shown)
def test_data_that_is_not_bytes(data: Any, impl: str) -> None:
    """A number would be so many zero bytes to ``bytes()``, and a list the bytes in it."""
    with pytest.raises(TypeError, match=f"data must be bytes, not {type(data).__name__}"):
        decode_rows("a UInt8", data, implementation=impl)


def test_results_belong_to_the_caller() -> None:
    """Rows share nothing that can be changed with later ones."""
    columns = "j JSON, a Array(UInt8), m Map(String, UInt8), t Tuple(a UInt8)"
    row = ({"a": {"b": [1]}}, [1], {"k": 1}, (1,))
    body = encode_rows(columns, [row, row])
    first, second = decode_rows(columns, body)
    first[0]["a"]["b"].append(2)
    first[0]["a"]["c"] = 1
    first[1].append(2)
    first[2]["l"] = 2
    first[3]["b"] = 2
    assert second == ({"a": {"b": [1]}}, [1], {"k": 1}, {"a": 1})
    assert decode_rows(columns, body) == [second, second]


def test_errors_say_where() -> None:
    body = b"\1\2ab" + b"\2\5yz"
    error = refuse(body, schema="a UInt8, b String")
    assert str(error) == f"row 1, column 'b', offset {len(body) - 2}: 5 bytes are needed, 2 are left"
    assert (error.offset, error.row, error.column) == (6, 1, "b")
    assert error.reason == "5 bytes are needed, 2 are left"


def test_long_names_are_shortened() -> None:
    name = "x" * 100_000
    error = refuse(header((name, "UInt64")) + b"\1")
    assert error.column == name
    assert len(str(error)) < 300
    wrong = [(f"{name}{index}", "UInt8") for index in range(20)]
    assert len(str(refuse(header(*wrong), "as in the schema", "a UInt8", format=SELF[0]))) < 300
