"""RowBinary read into trees that can be compared: a JSON cell is a dict, because its paths have no order.

Scalars stay bytes.  Shares only the type parser with the library, so it also checks what the encoders wrote.
"""

from __future__ import annotations

from typing import Any

import rowbinary
from rowbinary import _types as t
from rowbinary._registry import INTERVAL_KINDS

Tree = Any

WIDTHS = {
    "Bool": 1, "BFloat16": 2, "Float32": 4, "Float64": 8, "Date": 2, "Date32": 4, "DateTime": 4,
    "DateTime64": 8,
    "Time": 4, "Time64": 8, "UUID": 16, "IPv4": 4, "IPv6": 16, "Enum8": 1, "Enum16": 2, "Nothing": 0,
}  # fmt: skip
_INTEGERS = [f"{sign}Int{bits}" for sign in ("U", "") for bits in (8, 16, 32, 64, 128, 256)]
WIDTHS |= {name: int(name.strip("UInt")) // 8 for name in _INTEGERS}
WIDTHS |= {f"Interval{kind}": 8 for kind in INTERVAL_KINDS}
PLAIN_TAGS = {number: name for number, name in enumerate(_INTEGERS, start=1)}  # noqa: C416 (a table)
PLAIN_TAGS |= {
    0x00: "Nothing", 0x0D: "Float32", 0x0E: "Float64", 0x0F: "Date", 0x10: "Date32", 0x11: "DateTime",
    0x15: "String",
    0x1D: "UUID", 0x28: "IPv4", 0x29: "IPv6", 0x2D: "Bool", 0x31: "BFloat16", 0x32: "Time",
}  # fmt: skip
WRAPPER_TAGS = {0x1E: "Array", 0x23: "Nullable", 0x26: "LowCardinality"}


class Cursor:
    """A position in RowBinary."""

    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    @property
    def ended(self) -> bool:
        return self.at == len(self.data)

    def take(self, count: int) -> bytes:
        part = self.data[self.at : self.at + count]
        assert len(part) == count, "the bytes end within a value"
        self.at += count
        return part

    def byte(self) -> int:
        return self.take(1)[0]

    def varint(self) -> int:
        number = shift = 0
        while (byte := self.byte()) & 0x80:
            number |= (byte & 0x7F) << shift
            shift += 7
        assert byte or not shift, "a varint is in its minimal form"
        return number | byte << shift

    def string(self) -> bytes:
        return self.take(self.varint())

    def type_text(self) -> str:
        """The type that a binary tag means."""
        tag = self.byte()
        if tag in PLAIN_TAGS:
            return PLAIN_TAGS[tag]
        if tag in WRAPPER_TAGS:
            return f"{WRAPPER_TAGS[tag]}({self.type_text()})"
        match tag:
            case 0x12:
                return f"DateTime('{self.string().decode()}')"
            case 0x13 | 0x34:
                return f"{'DateTime64' if tag == 0x13 else 'Time64'}({self.byte()})"
            case 0x14:
                return f"DateTime64({self.byte()}, '{self.string().decode()}')"
            case 0x16:
                return f"FixedString({self.varint()})"
            case 0x17 | 0x18:
                return self._enum_text(1 if tag == 0x17 else 2)
            case 0x19 | 0x1A | 0x1B | 0x1C:
                return f"Decimal({self.byte()}, {self.byte()})"
            case 0x22:
                return f"Interval{INTERVAL_KINDS[self.byte()]}"
            case 0x27:
                return f"Map({self.type_text()}, {self.type_text()})"
            case 0x2B:
                return f"Dynamic(max_types={self.byte()})"
            case 0x2C:
                return self.string().decode()
            case 0x36:
                return f"QBit({self.type_text()}, {self.varint()})"
        return self._list_text(tag)

    def _enum_text(self, width: int) -> str:
        labels = [
            (self.string().decode(), int.from_bytes(self.take(width), "little", signed=True))
            for _ in range(self.varint())
        ]
        return f"Enum{8 * width}({', '.join(f'{t.quote(label)} = {number}' for label, number in labels)})"

    def _list_text(self, tag: int) -> str:
        if tag == 0x30:
            assert self.byte() == 0, "the version of the JSON type"
            parts = [f"max_dynamic_paths={self.varint()}", f"max_dynamic_types={self.byte()}"]
            parts += [
                f"{t.quote_path(self.string().decode())} {self.type_text()}" for _ in range(self.varint())
            ]
            parts += [f"SKIP {t.quote_path(self.string().decode())}" for _ in range(self.varint())]
            parts += [f"SKIP REGEXP {t.quote(self.string().decode())}" for _ in range(self.varint())]
            return f"JSON({', '.join(parts)})"
        family = {0x1F: "Tuple", 0x20: "Tuple", 0x2A: "Variant", 0x2F: "Nested"}[tag]
        named = tag in (0x20, 0x2F)
        parts = []
        for _ in range(self.varint()):
            name = t.quote_identifier(self.string().decode()) + " " if named else ""
            parts.append(name + self.type_text())
        return f"{family}({', '.join(parts)})"


def read(cursor: Cursor, type_: t.Type) -> Tree:
    """The value of `type_` at the cursor."""
    if type_.family in WIDTHS:
        return cursor.take(WIDTHS[type_.family])
    match type_:
        case t.FixedString():
            return cursor.take(type_.length)
        case t.Decimal():
            return cursor.take(
                next(size for most, size in ((9, 4), (18, 8), (38, 16), (76, 32)) if type_.precision <= most)
            )
        case t.Wrapper(family="Array"):
            return [read(cursor, type_.inner) for _ in range(cursor.varint())]
        case t.Wrapper(family="Nullable"):
            return None if cursor.byte() else ("not null", read(cursor, type_.inner))
        case t.Wrapper():
            return read(cursor, type_.inner)
        case t.Map():
            return [(read(cursor, type_.key), read(cursor, type_.value)) for _ in range(cursor.varint())]
        case t.Tuple(family="Nested"):
            return [tuple(read(cursor, inner) for inner in type_.elements) for _ in range(cursor.varint())]
        case t.Tuple():
            return tuple(read(cursor, inner) for inner in type_.elements)
        case t.Variant():
            index = cursor.byte()
            return None if index == 255 else (index, read(cursor, type_.members[index]))
        case t.Dynamic():
            return dynamic(cursor)
        case t.JSON():
            return document(cursor, type_)
        case t.QBit():
            assert cursor.varint() == type_.length
            return [read(cursor, type_.element) for _ in range(type_.length)]
        case t.Alias():
            return read(cursor, type_.structure)
        case t.Aggregate(family="SimpleAggregateFunction"):
            return read(cursor, type_.arguments[-1])
    assert type_.family == "String", type_
    return cursor.string()


def dynamic(cursor: Cursor) -> Tree:
    """Type text and value, ``None`` for NULL."""
    text = cursor.type_text()
    return None if text == "Nothing" else (text, read(cursor, rowbinary.parse_type(text)))


def document(cursor: Cursor, type_: t.JSON) -> Tree:
    """``{path: value}``; absent typed paths have the default that the engine gives them."""
    typed = dict(type_.typed)
    tree: dict[str, Tree] = {path: default(inner) for path, inner in typed.items()}
    seen = set()
    for _ in range(cursor.varint()):
        path = cursor.string().decode()
        assert path not in seen, f"path {path!r} twice"
        seen.add(path)
        tree[path] = read(cursor, typed[path]) if path in typed else dynamic(cursor)
    return tree


def default(type_: t.Type) -> Tree:
    """What the engine stores for an absent typed path."""
    match type_:
        case t.Wrapper(family="Array") | t.Map() | t.Tuple(family="Nested"):
            return []
        case t.Wrapper(family="Nullable") | t.Variant() | t.Dynamic():
            return None
        case t.Wrapper():
            return default(type_.inner)
        case t.Tuple():
            return tuple(map(default, type_.elements))
        case t.JSON():
            return document(Cursor(b"\0"), type_)
        case t.Enum():
            number = min(number for _, number in type_.labels)
            return number.to_bytes(WIDTHS[type_.family], "little", signed=True)
        case t.FixedString():
            return bytes(type_.length)
        case t.Decimal():
            return read(Cursor(bytes(32)), type_)
    return b"" if type_.family == "String" else bytes(WIDTHS[type_.family])


def rows(body: bytes, types: list[str]) -> list[tuple[Tree, ...]]:
    """All rows of a RowBinary body."""
    parsed = [rowbinary.parse_type(text) for text in types]
    cursor = Cursor(body)
    found = []
    while not cursor.ended:
        found.append(tuple(read(cursor, type_) for type_ in parsed))
    return found
