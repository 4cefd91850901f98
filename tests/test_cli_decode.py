"""``rowbinary decode``: what it prints for values of all types, that ``insert`` would read the same rows from
it, and what it says of bodies that are broken.
"""

from __future__ import annotations

import datetime as dt
import decimal
import gzip
import io
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_runs import linux_only, long_body, memory_of, process
from conftest import times
from decode_cases import same
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import schemas, type_texts, values_of

import rowbinary
from rowbinary import DEFAULT, Schema, typed
from rowbinary._options import FORMATS
from rowbinary.cli import _command
from rowbinary.cli._files import InputFile
from rowbinary.cli._formats import JsonLines

UTC = dt.UTC


def decode(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Exit code, and what was printed on stdout and on stderr."""
    capsys.readouterr()
    code = _command.run(["decode", *map(str, arguments)])
    return code, *capsys.readouterr()


def body_file(path: Path, columns: Any, rows: Any, form: Any) -> Path:
    path.write_bytes(rowbinary.encode_rows(columns, rows, format=form))
    return path


# Type, value, and how it is printed.
FORMS: list[tuple[str, Any, str]] = [
    ("Bool", True, "true"),
    ("Int64", -(2**63), "-9223372036854775808"),
    ("UInt256", 2**256 - 1, str(2**256 - 1)),
    ("Float64", 1.5, "1.5"),
    ("Float64", 1e300, "1e+300"),
    ("Float64", float("nan"), '"nan"'),
    ("Float32", float("-inf"), '"-inf"'),
    ("Decimal(9, 2)", decimal.Decimal("1.50"), '"1.50"'),
    ("Decimal(76, 76)", decimal.Decimal("1e-76"), f'"0.{"0" * 75}1"'),
    ("String", 'é"\n', r'"é\"\n"'),
    ("String", b"\xff\0", '{"hex":"ff00"}'),
    ("FixedString(4)", "ab", '"ab"'),
    ("FixedString(2)", b"\xff\0", '{"hex":"ff00"}'),
    ("Date", dt.date(2024, 2, 29), '"2024-02-29"'),
    ("Date32", dt.date(1900, 1, 1), '"1900-01-01"'),
    ("DateTime", 0, '"1970-01-01T00:00:00Z"'),
    ("DateTime('Asia/Tokyo')", 0, '"1970-01-01T09:00:00+09:00"'),
    ("DateTime64(3)", 1, '"1970-01-01T00:00:00.001Z"'),
    ("DateTime64(9)", 1, '"1970-01-01T00:00:00.000000001Z"'),
    ("DateTime64(9, 'Asia/Tokyo')", -1, '"1970-01-01T08:59:59.999999999+09:00"'),
    ("DateTime64(6, 'Europe/Berlin')", -(10**16), '"1653-02-10T06:13:20.000000Z"'),  # 53 min 28 s away
    ("DateTime64(0)", 2**50, str(2**50)),
    ("Time", dt.timedelta(hours=-100), '"-100:00:00"'),
    ("Time64(9)", 1, '"00:00:00.000000001"'),
    ("IntervalDay", -3, "-3"),
    ("UUID", "00112233-4455-6677-8899-aabbccddeeff", '"00112233-4455-6677-8899-aabbccddeeff"'),
    ("IPv4", "1.2.3.4", '"1.2.3.4"'),
    ("IPv6", "::1", '"::1"'),
    ("Enum8('a' = 1)", "a", '"a"'),
    ("Nullable(String)", None, "null"),
    ("LowCardinality(Nullable(String))", "x", '"x"'),
    ("Array(DateTime64(9))", [1], '["1970-01-01T00:00:00.000000001Z"]'),
    ("Tuple(UInt8, String)", (1, "a"), '[1,"a"]'),
    ("Tuple(a UInt8, t Time64(9))", (1, 1), '{"a":1,"t":"00:00:00.000000001"}'),
    ("Nested(a UInt8, b Nullable(DateTime64(9)))", [(1, None)], '[{"a":1,"b":null}]'),
    ("Map(String, DateTime64(9))", {"a": 1}, '{"a":"1970-01-01T00:00:00.000000001Z"}'),
    ("Map(Int128, Bool)", {-1: True}, '{"-1":true}'),
    ("Map(Date, UInt8)", {dt.date(2024, 1, 2): 1}, '{"2024-01-02":1}'),
    ("Map(String, UInt8)", [("a", 1), ("a", 2)], '[["a",1],["a",2]]'),
    ("Map(String, UInt8)", {b"\xff": 1}, '[[{"hex":"ff"},1]]'),
    ("Map(Float64, UInt8)", {1.5: 1}, "[[1.5,1]]"),
    ("QBit(Float32, 2)", [1, 2], "[1.0,2.0]"),
    ("Point", (1, 2), "[1.0,2.0]"),
    ("SimpleAggregateFunction(max, DateTime64(9))", 1, '"1970-01-01T00:00:00.000000001Z"'),
    ("Variant(String, UInt8)", 5, "5"),
    ("Dynamic", None, "null"),
    ("Dynamic", dt.datetime(2024, 1, 2, 3, 4, 5, 600, UTC), '"2024-01-02T03:04:05.0006Z"'),
    ("Dynamic", typed(1, "DateTime64(9)"), "1"),
    ("Dynamic", typed({1: True}, "Map(UInt8, Bool)"), '{"1":true}'),
    ("JSON", {"a": {"b": [1, "x"]}, "d": decimal.Decimal("0.5")}, '{"a":{"b":[1,"x"]},"d":"0.5"}'),
]


@pytest.mark.parametrize("form", ["RowBinaryWithNamesAndTypes", "Native"])
@pytest.mark.parametrize(("type_text", "value", "expected"), FORMS, ids=lambda part: str(part)[:40])
def test_forms(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], type_text: str, value: Any, expected: str, form: str
) -> None:
    path = body_file(tmp_path / "body", [("c", type_text)], [(value,)], form)
    expected = f'{{"c":{expected}}}\n'
    assert decode(capsys, path, "--format", form) == (0, expected, "")
    if form == "Native" and type_text.startswith("DateTime('"):
        return  # the block does not name the zone
    assert decode(capsys, path, "--format", form, "--schema", f"c {type_text}") == (0, expected, "")


def test_choices(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns = "d DateTime64(9), t Time64(3), s String, j JSON"
    rows = [(1_714_946_889_123_456_789, 1500, b"a\xff", {"a": {"b": b"\xff"}})]
    path = body_file(tmp_path / "body", columns, rows, "RowBinary")
    for options, expected in [
        (
            ["--json-paths"],
            '{"d":"2024-05-05T22:08:09.123456789Z","t":"00:00:01.500","s":{"hex":"61ff"},"j":{"a.b":{"hex":"ff"}}}',
        ),
        (
            ["--moments", "datetime", "--invalid-utf8", "surrogateescape"],
            r'{"d":"2024-05-05T22:08:09.123456Z","t":"00:00:01.500","s":"a\udcff","j":{"a":{"b":"\udcff"}}}',
        ),
        (
            ["--moments", "ticks"],
            '{"d":1714946889123456789,"t":1500,"s":{"hex":"61ff"},"j":{"a":{"b":{"hex":"ff"}}}}',
        ),
    ]:
        assert decode(capsys, path, "--schema", columns, *options) == (0, expected + "\n", "")
    code, out, err = decode(capsys, path, "--schema", columns, "--invalid-utf8", "error")
    assert (code, out) == (4, "")
    assert err == f"rowbinary: {path}: row 0, column 's', offset 16: a String that is not UTF-8\n"


@pytest.mark.parametrize("form", FORMATS)
def test_formats(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    """Cells that are left to the server are left out."""
    columns = "a UInt8, b String"
    rows: list[Any] = [(1, "x"), (2, "y")]
    lines = ['{"a":1,"b":"x"}', '{"a":2,"b":"y"}']
    if "Defaults" in form:
        rows.append((3, DEFAULT))
        lines.append('{"a":3}')
    path = body_file(tmp_path / "body", columns, rows, form)
    expected = "".join(line + "\n" for line in lines)
    assert decode(capsys, path, "--format", form, "--schema", columns) == (0, expected, "")
    if "AndTypes" in form or form == "Native":
        assert decode(capsys, path, "--format", form) == (0, expected, "")
    else:
        code, out, err = decode(capsys, path, "--format", form)
        assert (code, out) == (2, "")
        assert f"{form} does not say the types of its columns: --schema is needed" in err


# --- back through insert -------------------------------------------------------------------------------


def told(type_text: str) -> bool:
    """Whether JSON says the type of values of this one."""
    return not any(word in type_text for word in ("Dynamic", "JSON", "Variant", "Geometry"))


@settings(max_examples=times(100, 500))
@given(st.data())
def test_insert_reads_the_same_rows(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    columns = data.draw(schemas(type_texts.filter(told)))
    cells = [st.one_of(values_of(text), st.just(DEFAULT)) for _, text in columns]
    rows = data.draw(st.lists(st.tuples(*cells), max_size=4))
    form: Any = "RowBinaryWithDefaults"
    schema = Schema(columns)
    folder = tmp_path_factory.mktemp("decode")
    path = body_file(folder / "body", schema, rows, form)
    with (folder / "rows.jsonl").open("wb") as lines:
        for row in rows_of(path, schema, form):
            lines.write(_command_line(row))
    reader = JsonLines()
    reader.converter(schema, True)
    again, kept = [], []
    decoded = rowbinary.decode_rows(schema, path.read_bytes(), format=form, moments="exact")
    for parsed, row in zip(reader.read(InputFile(str(folder / "rows.jsonl"), 1 << 26)), decoded, strict=True):
        if '{"hex":' not in parsed.text:  # which insert refuses: see below
            again.append(parsed.row)
            kept.append(row)
    body = rowbinary.encode_rows(schema, again, format=form)
    assert same(rowbinary.decode_rows(schema, body, format=form, moments="exact"), kept)


def rows_of(path: Path, schema: Schema, form: str) -> Any:
    from rowbinary.cli._bodies import Body
    from rowbinary.cli._decode import _rows

    return _rows(Body(InputFile(str(path)), form, schema), False, "exact", "bytes")


def _command_line(row: dict[str, Any]) -> bytes:
    from rowbinary.cli._decode import _encoded

    return _encoded(row) + b"\n"


@pytest.mark.parametrize("type_text", ["String", "FixedString(1)", "Map(String, UInt8)", "Array(String)"])
def test_bytes_that_are_no_text_are_refused_by_insert(type_text: str) -> None:
    value: Any = {"hex": "ff"}
    value = {"Map(String, UInt8)": [[value, 1]], "Array(String)": [value]}.get(type_text, value)
    with pytest.raises(rowbinary.EncodeError):
        rowbinary.encode_rows([("c", type_text)], [(value,)])


# --- input and output ------------------------------------------------------------------------------------


def test_broken_bodies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The rows before the error are printed."""
    columns = "a UInt8, b Nullable(String)"
    body = rowbinary.encode_rows(columns, [(1, "x"), (2, None), (3, "long")])
    path = tmp_path / "body"
    for end, offset, rows in [(len(body) - 1, 9, 2), (5, 5, 1), (2, 2, 0)]:
        path.write_bytes(body[:end])
        code, out, err = decode(capsys, path, "--schema", columns)
        assert (code, out.count("\n")) == (4, rows)
        assert err.startswith(f"rowbinary: {path}: row {rows}, column 'b', offset {offset}: ")
    path.write_bytes(rowbinary.encode_rows(columns, [(1, "x")], format="RowBinaryWithNamesAndTypes")[:9])
    code, out, err = decode(capsys, path)
    assert (code, out) == (4, "")
    assert err == f"rowbinary: {path}: column 'a', offset 6: 5 bytes are needed, 3 are left\n"


def test_two_columns_of_one_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "body"
    path.write_bytes(b"\2\1a\1a\5UInt8\5UInt8\1\2")
    code, _, err = decode(capsys, path)
    assert code == 4
    assert "two columns of the name 'a'" in err


def test_inputs(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    body = rowbinary.encode_rows("a UInt16", [(0x8B1F,), (8,)])  # begins as gzip does
    plain, packed = tmp_path / "body", tmp_path / "body.gz"
    plain.write_bytes(body)
    packed.write_bytes(gzip.compress(body))
    expected = '{"a":35615}\n{"a":8}\n'
    assert decode(capsys, plain, "--schema", "a UInt16") == (0, expected, "")
    assert decode(capsys, packed, "--schema", "a UInt16") == (0, expected, "")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(body)))
    assert decode(capsys, "-", "--schema", "a UInt16") == (0, expected, "")
    packed.write_bytes(body)
    code, out, err = decode(capsys, packed, "--schema", "a UInt16")
    assert (code, out) == (1, "")
    assert "body.gz: cannot be read: " in err


def test_no_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "body"
    path.write_bytes(b"")
    assert decode(capsys, path, "--schema", "a UInt8") == (0, "", "")
    assert decode(capsys, path, "--format", "Native") == (0, "", "")
    assert decode(capsys, path)[0] == 4


def test_usage_problems(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "body"
    path.write_bytes(b"")
    cases: list[tuple[list[object], str]] = [
        ([path, "--schema", "a Int9"], "--schema: unknown type 'Int9'"),
        ([path, "--schema", ""], "--schema: a schema needs at least one column"),
        ([tmp_path / "missing"], "no such file"),
        ([tmp_path], "is a directory"),
        ([path, "--format", "CSV"], "Invalid value for '--format'"),
        ([path, path], "unexpected extra argument"),
        ([], "Missing argument 'FILE'"),
    ]
    for arguments, words in cases:
        code, out, err = decode(capsys, *arguments)
        assert (code, out, words in err) == (2, "", True), err


@linux_only
def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    path = body_file(tmp_path / "body", "a UInt64", [(index,) for index in range(100_000)], "RowBinary")
    running = process(path, "--schema", "a UInt64", command="decode")
    assert running.stdout is not None
    assert running.stderr is not None
    assert running.stdout.readline() == '{"a":0}\n'
    running.stdout.close()
    assert running.stderr.read() == ""
    assert running.wait(60) == 0
    running.stderr.close()


@linux_only
def test_memory_is_bounded(tmp_path: Path) -> None:
    body = long_body(tmp_path / "body")
    assert memory_of("decode", body) < 100
