"""What the tests of text mode types share: a decoder of its own, and inserts into the embedded engine.

The engine's answer is read back as RowBinary and turned into (type text, value) trees by the small decoder
below, which shares nothing with the library; so are the library's results.
"""

from __future__ import annotations

import datetime as dt
import decimal
import ipaddress
import json
import struct
import uuid
from typing import Any

from rowbinary import _types as t
from rowbinary._text_coerce import default
from rowbinary._typed import Typed

UTC = dt.UTC
Tree = Any  # (type text, value), None, or containers of such


# -- the engine's bytes as trees --------------------------------------------------------------------


class Reader:
    """RowBinary of the types that text can give."""

    def __init__(self, data: bytes):
        self.data, self.position = data, 0

    def take(self, count: int) -> bytes:
        chunk = self.data[self.position : self.position + count]
        assert len(chunk) == count
        self.position += count
        return chunk

    def number(self, size: int, signed: bool = True) -> int:
        return int.from_bytes(self.take(size), "little", signed=signed)

    def varint(self) -> int:
        result = shift = 0
        while True:
            byte = self.number(1, False)
            result |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return result

    def text(self) -> str:
        return self.take(self.varint()).decode()

    def type(self) -> t.Type:
        tag = self.number(1, False)
        plain = {0x00: "Nothing", 0x04: "UInt64", 0x0A: "Int64", 0x0E: "Float64", 0x0F: "Date"}
        plain |= {0x11: "DateTime", 0x15: "String", 0x2D: "Bool"}
        if tag in plain:
            return t.Type(plain[tag])
        if tag == 0x13:
            return t.DateTime64("DateTime64", self.number(1, False))
        if tag in (0x1E, 0x23):
            return t.Wrapper("Array" if tag == 0x1E else "Nullable", self.type())
        if tag == 0x2B:
            return t.Dynamic("Dynamic", self.number(1, False))
        assert (tag, self.take(1)) == (0x30, b"\0")
        type_ = t.JSON("JSON", self.varint(), self.number(1, False))
        assert self.take(3) == b"\0\0\0"
        return type_

    def dynamic(self) -> Tree:
        type_ = self.type()
        return None if type_.family == "Nothing" else (type_.text, self.value(type_))

    def value(self, type_: t.Type) -> Tree:
        family = type_.family
        if isinstance(type_, t.Wrapper) and family == "Nullable":
            return None if self.number(1) else self.value(type_.inner)
        if isinstance(type_, t.Wrapper):
            if family == "LowCardinality":
                return self.value(type_.inner)
            return [self.value(type_.inner) for _ in range(self.varint())]
        if isinstance(type_, t.Alias | t.Aggregate):
            return self.value(type_.structure if isinstance(type_, t.Alias) else type_.arguments[0])
        if isinstance(type_, t.Tuple):
            return tuple(self.value(element) for element in type_.elements)
        if isinstance(type_, t.Map):
            return {self.value(type_.key): self.value(type_.value) for _ in range(self.varint())}
        if isinstance(type_, t.Variant):
            index = self.number(1, False)
            return None if index == 255 else (type_.members[index].text, self.value(type_.members[index]))
        if isinstance(type_, t.Dynamic):
            return self.dynamic()
        if isinstance(type_, t.JSON):
            known = dict(type_.typed)
            paths = (self.text() for _ in range(self.varint()))
            return {path: self.value(known[path]) if path in known else self.dynamic() for path in paths}
        return self.scalar(type_)

    def scalar(self, type_: t.Type) -> Tree:
        family = type_.family
        if isinstance(type_, t.Enum):
            return {number: label for label, number in type_.labels}[self.number(1 + (family == "Enum16"))]
        if isinstance(type_, t.Decimal):
            return self.number(
                next(size for p, size in ((9, 4), (18, 8), (38, 16), (76, 32)) if type_.precision <= p)
            )
        if isinstance(type_, t.FixedString):
            return self.take(type_.length)
        if family == "String":
            return self.text()
        if family == "Bool":
            return bool(self.number(1))
        if family in ("Float32", "Float64"):
            size, code = (4, "<f") if family == "Float32" else (8, "<d")
            return repr(struct.unpack(code, self.take(size))[0])
        if family == "UUID":
            data = self.take(16)
            return uuid.UUID(bytes=data[7::-1] + data[:7:-1])
        if family == "IPv4":
            return ipaddress.IPv4Address(self.number(4, False))
        if family == "IPv6":
            return ipaddress.IPv6Address(self.take(16))
        if family.startswith(("UInt", "Int")):
            return self.number(int(family.lstrip("UInt")) // 8, family[0] == "I")
        sizes = {"Date": 2, "Date32": 4, "DateTime": 4, "DateTime64": 8, "Time": 4, "Time64": 8}
        return self.number(sizes[family], family not in ("Date", "DateTime"))


def tree(value: Any, type_: t.Type) -> Tree:
    """A value of the library as the same tree."""
    if isinstance(type_, t.Wrapper):
        if type_.family == "Array":
            return [tree(item, type_.inner) for item in value]
        return None if value is None else tree(value, type_.inner)
    if isinstance(type_, t.Alias | t.Aggregate):
        return tree(value, type_.structure if isinstance(type_, t.Alias) else type_.arguments[0])
    if isinstance(type_, t.Tuple):
        return tuple(tree(item, element) for item, element in zip(value, type_.elements, strict=True))
    if isinstance(type_, t.Map):
        return {tree(key, type_.key): tree(item, type_.value) for key, item in value.items()}
    if isinstance(type_, t.Dynamic | t.Variant):
        return leaf(value)
    if isinstance(type_, t.JSON):
        known = dict(type_.typed)
        absent = {path: tree(default(inner), inner) for path, inner in known.items()}
        return absent | {p: tree(v, known[p]) if p in known else leaf(v) for p, v in value.items()}
    if isinstance(type_, t.Decimal):
        return int(value.scaleb(type_.scale, decimal.Context(prec=100)))
    return repr(value) if type_.family in ("Float32", "Float64") else value


def leaf(value: Any) -> Tree:
    """A value in a Dynamic or at an untyped path, as exact mode types it."""
    if value is None:
        return None
    if isinstance(value, Typed):
        return value.type.text, tree(value.value, value.type)
    natural = {bool: "Bool", float: "Float64", str: "String"}
    name = natural.get(type(value)) or ("UInt64" if value >= 2**63 else "Int64")
    return name, tree(value, t.Type(name))


# -- asking the engine ------------------------------------------------------------------------------


class EngineRefusedError(Exception):
    pass


def insert(engine: Any, rows: list[dict[str, Any]], table: str = "text_inference") -> None:
    """One JSONEachRow insert."""
    stream = engine.send_insert(f"INSERT INTO {table}", "JSONEachRow")
    try:
        stream.append("".join(json.dumps(row) + "\n" for row in rows).encode())
        stream.finish()
    except Exception as error:
        stream.cancel()
        raise EngineRefusedError(str(error)) from None


def create(engine: Any, columns: str) -> None:
    engine.query("SET allow_suspicious_variant_types = 1, allow_suspicious_low_cardinality_types = 1")
    engine.query(f"CREATE OR REPLACE TABLE text_inference ({columns}) ENGINE = Memory")
