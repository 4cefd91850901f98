"""Makes ``words.dict``, and seeds for every target from the golden vectors and from hostile bodies.

``PYTHONPATH=tests python -m fuzz.make_corpus DIRECTORY`` writes ``DIRECTORY/<target>/...``.
"""

from __future__ import annotations

import hashlib
import itertools
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

from conftest import load, value_of

import rowbinary
from rowbinary import DEFAULT, Schema, SchemaError
from rowbinary import _type_names as names
from rowbinary._options import FORMATS
from rowbinary._parse import _HANDLERS
from rowbinary._registry import REGISTRY
from rowbinary._tags import type_tag
from rowbinary._varint import string, varint

from .targets import SCHEMAS, encode_rows, input_of

HERE = pathlib.Path(__file__).parent
LARGEST = 2048
TYPED, NATIVE = "RowBinaryWithNamesAndTypes", "Native"


# --- decode ----------------------------------------------------------------------------------------------


def header(*columns: tuple[str, str]) -> bytes:
    texts = [string(name) for name, _ in columns], [string(text) for _, text in columns]
    return varint(len(columns)) + b"".join(itertools.chain(*texts))


def bodies() -> Iterator[bytes]:
    """Inputs of ``decode``, with options, chunks and zones that go round."""
    for number, (form, schema, body) in enumerate(plain()):
        yield input_of(body, form, schema, number % 54, number * 5 % 64, number // 54)


def plain() -> Iterator[tuple[str, str | None, bytes]]:
    for vector in load("values.jsonl"):
        data = bytes.fromhex(vector["hex"])
        yield TYPED, None, header(("c", vector["type"]), ("d", "UInt8")) + data + b"\1"
    for vector in load("json_inserts.jsonl"):
        yield TYPED, None, header(("c", vector["column_type"])) + bytes.fromhex(vector["hex"])
    for vector in load("rejects.jsonl"):
        yield TYPED, None, header(("c", vector["column_type"])) + bytes.fromhex(vector["hex"])
    for vector in load("formats.jsonl"):
        yield vector["format"], None, bytes.fromhex(vector["hex"])
    for vector in load("native.jsonl"):
        yield NATIVE, None, bytes.fromhex(vector["hex"])
        yield TYPED, None, encoded(vector, TYPED)
    yield from of_schemas()
    yield from ((form, None, body) for form, body in hostile())


def encoded(vector: dict[str, Any], form: str) -> bytes:
    return bytes(encode_rows(vector["ddl"], value_of(vector, "rows")[:2], format=form))


def of_schemas() -> Iterator[tuple[str, str, bytes]]:
    """For each schema three rows in each format: default values, empty and not; and a DEFAULT."""
    for text, form in itertools.product(SCHEMAS, FORMATS):
        schema = Schema.parse(text)
        zeros = b"".join(node.zero for node in schema.plan.nodes)
        for marker in (b"", b"\0", b"\1") if form.endswith("Defaults") else (b"",):
            rows = zeros
            if marker == b"\0":
                rows = b"".join(b"\0" + node.zero for node in schema.plan.nodes)
            elif marker == b"\1":
                rows = marker * len(schema.columns)
            if form != NATIVE:
                yield form, text, schema.plan.header(form) + rows * 3
        if form == NATIVE and (decoded := rows_of(schema, zeros * 3)):
            yield form, text, encode_rows(schema, decoded, format=form)
            yield form, text, encode_rows(schema, [(DEFAULT, *row[1:]) for row in decoded], format=form)


def rows_of(schema: Schema, body: bytes) -> list[Any]:
    try:
        return rowbinary.decode_rows(schema, body, format="RowBinary")
    except rowbinary.DecodeError:
        return []


def number(*values: int) -> bytes:
    return b"".join(value.to_bytes(8, "little") for value in values)


def hostile() -> Iterator[tuple[str, bytes]]:
    """Bodies that lie about sizes, and deep ones."""
    huge = varint(2**63)
    dynamic, document = header(("c", "Dynamic")), header(("c", "JSON"))
    yield TYPED, huge
    for text in ("String", "Array(UInt8)", "Map(String, UInt8)", "Array(Tuple())", "QBit(Float32, 2)"):
        yield TYPED, header(("c", text), ("d", "UInt8")) + huge
        yield TYPED, header(("c", text), ("d", "UInt8")) + varint(1500) + b"\1"
    yield TYPED, header(("c", "Array(" * 20 + "UInt8" + ")" * 20)) + b"\1" * 20
    yield TYPED, dynamic + b"\x1e" * 200
    yield TYPED, dynamic + b"\x1e\x2b\x20\x01" * 310
    yield TYPED, dynamic + b"\x2b\x20" * 310
    yield TYPED, document + b"\1\1a\x30\0\x80\x08\x20\0\0\0" * 20
    yield TYPED, document + b"\2\1a\1\1\1a\1\1"
    yield TYPED, document + b"\1" + string("a." * 310) + b"\x01\x01"
    yield TYPED, document + b"\3\1a\1\1\3a.b\1\2\3\xff.c\1\3"

    def block(text: str, data: bytes, rows: int = 2) -> bytes:
        return varint(1) + varint(rows) + string("c") + string(text) + data

    for text, data in (
        ("LowCardinality(String)", number(1, 0x600, 2) + b"\0\1x" + number(2) + b"\0\5"),
        ("LowCardinality(Nullable(String))", number(1, 0x603, 1 << 30)),
        ("Array(UInt8)", number(3, 1) + b"\1\2\3"),
        ("Array(Array(String))", number(1, 1 << 30)),
        ("Nullable(String)", b"\0\2"),
        ("Variant(String, UInt8)", number(0) + b"\0\7"),
        ("Dynamic", number(2) + varint(2) + string("String") + string("Array(Dynamic)") + number(0)),
        ("Dynamic", number(1) + varint(32) + varint(0) + number(0) + b"\0\0" + b"\3\x15\1x\2\1\x05"),
        ("JSON", number(0) + varint(1) + varint(1) + string("a") + number(1) + b"\0\0" + number(0) + b"\0\xff"
         + b"\2\1\5" + number(1, 1) + b"\1a\2\1\5"),
        ("JSON", number(2) + varint(2) + string("a") + string("a")),
        ("Map(String, UInt8)", number(2, 2) + b"\1a\1a\1\2"),
        ("Tuple()", b"00"),
        ("Array(Nothing)", number(0, 1) + b"0"),
        ("QBit(Float32, 2)", bytes(64)),
    ):  # fmt: skip
        yield NATIVE, block(text, data)
    yield NATIVE, block("UInt8", b"", 1 << 30)
    yield NATIVE, block("UInt8", b"\1\2") + block("UInt8", b"\3\4") + block("String", b"\0\0")


# --- types -----------------------------------------------------------------------------------------------


def type_inputs() -> Iterator[bytes]:
    texts = {vector["type"] for vector in load("values.jsonl")}
    texts |= {vector["column_type"] for vector in load("json_inserts.jsonl")}
    texts |= set(names.DECIMALS) | set(REGISTRY) | set(names.GEO)
    for text in sorted(texts):
        yield b"\0" + text.encode()
        try:
            yield b"\2" + type_tag(rowbinary.parse_type(text))
        except SchemaError:
            continue
    for text in SCHEMAS:
        yield b"\1" + text.encode()
    for vector in load("native.jsonl"):
        yield b"\1" + vector["ddl"].encode()
    for text in ODD:
        yield b"\0" + text.encode(errors="surrogateescape")
    for tag in TAGS:
        yield b"\2" + tag


ODD = [
    "Array(" * 310, "a", "", "/* x */ UInt8 -- y", "Enum('a', 'b' = 5)", "DOUBLE PRECISION", "Int8,",
    "Enum8('\\x41' = -0x1, '\\N' = 0b11)", "Tuple(`a b` UInt8, \"c\" String)", "INT(11) UNSIGNED",
    "NATIONAL CHAR VARYING(5)", "JSON(max_dynamic_paths = 5, `a`.b UInt8, SKIP c.d, SKIP REGEXP 'x')",
    "Dynamic(max_types=254)", "DateTime(3, 'UTC')", "Decimal(76, 76)", "Nullable(Nullable(Int8))",
    "AggregateFunction(1, quantiles(0.5, .9e-3, [1, 'x', NULL, true]), UInt8)", "QBit(Float32, 16, 8)",
    "SimpleAggregateFunction(sum, UInt64)", "Variant(A, B", "'\udced\udca0\udc80'", "Enum16('\udcff' = 1_0)",
]  # fmt: skip
TAGS = [
    b"\x1e" * 150, b"\x21", b"\x13\x0a", b"\x16\0", b"\x17\2\1a\1\1b\1", b"\x19\x0a\0", b"\x20\2\1a\1\1a\1",
    b"\x22\x0b", b"\x2a\2\x15\1", b"\x2b\xff", b"\x2c\3Nix", b"\x2e\3sum\0\0", b"\x25\0\3sum\0\1\4",
    b"\x25\0\3sum\1", b"\x2f\1\1a\x15", b"\x30\0\0\0\2\1a\1\1a\1", b"\x36\x0d\x03", b"\x37\x0d\x10\x08",
    b"\x30\0\x80\x08\x20\1\1a\x15\1\1b\1\1c", b"\x1f" + varint(2**63),
]  # fmt: skip


# --- words ----------------------------------------------------------------------------------------------


def words() -> list[str]:
    """Lines of a libFuzzer dictionary."""
    texts = {*REGISTRY, *_HANDLERS, *names.GEO, *names.DECIMALS, *names.FLOATS, "Nullable(", "Array("}
    texts |= {"max_dynamic_paths=", "max_dynamic_types=", "max_types=", "SKIP ", "REGEXP ", "NULL", "'UTC'"}
    data = {bytes([row.tag]) for row in REGISTRY.values() if row.tag is not None}
    data |= {bytes([tag]) for tag in (0x12, 0x14, 0x18, 0x1A, 0x1B, 0x1C, 0x20, 0x2E, 0x37)}
    data |= {number(value) for value in (0, 1, 2, 0x200, 0x600, 0x601, 0x602, 0x603)}
    data |= {varint(value) for value in (1500, 1 << 30, 2**63, 2**64 - 1)}
    data |= {string(text) for text in ("Dynamic", "JSON", "String", "UInt8", "LowCardinality(String)")}
    lines = [f'"{text}"' for text in sorted(texts)]
    return lines + ['"' + "".join(f"\\x{byte:02x}" for byte in value) + '"' for value in sorted(data)]


def main(directory: str) -> None:
    for target, inputs in (("decode", bodies()), ("types", type_inputs())):
        folder = pathlib.Path(directory, target)
        folder.mkdir(parents=True, exist_ok=True)
        for data in inputs:
            if len(data) <= LARGEST:
                (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    (HERE / "words.dict").write_text("\n".join(words()) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
