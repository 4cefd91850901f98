"""Columns of FORMAT Native (revision 0, JSON and Dynamic in version 1): a reader of each type's bytes.

Shares only the type parser with the library, and asserts whatever the format demands.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from canonical import WIDTHS, Cursor, Tree, default, dynamic

import rowbinary
from rowbinary import _types as t

SHARED = "SharedVariant"
STRING = t.Type("String")
FLOAT_BITS = {"BFloat16": 16, "Float32": 32, "Float64": 64}
# A Native column holds a byte per value of these two, which RowBinary does not.
EMPTY_VALUE = b"0"


class Limit(NamedTuple):
    """A limit slot of a prefix: what stands there and where, what the type says, how many were listed."""

    written: int
    declared: int
    listed: int
    start: int
    end: int


class NativeCursor(Cursor):
    """A position in a Native body; collects what the format leaves open where it passes that."""

    def __init__(self, data: bytes):
        super().__init__(data)
        self.limits: list[Limit] = []
        self.under_null: list[tuple[int, bytes]] = []  # where, and the default of the type
        self.unordered = False  # documents of several paths in shared variants

    def limit(self, declared: int) -> int:
        """The number of listed types or paths, in front of which the limit stands."""
        start = self.at
        written = self.varint()
        end = self.at
        self.limits.append(Limit(written, declared, self.varint(), start, end))
        assert self.limits[-1].listed <= declared
        return self.limits[-1].listed

    def number(self, width: int = 8) -> int:
        return int.from_bytes(self.take(width), "little")

    def text(self) -> str:
        return self.string().decode()

    def ends(self, count: int) -> list[int]:
        """The ends of `count` arrays."""
        ends = [self.number() for _ in range(count)]
        assert ends == sorted(ends), "the ends of arrays do not decrease"
        return ends


class Node:
    """A type in a column: ``prefix`` comes once, ``data`` has the values of all rows."""

    def __init__(self, type_: t.Type):
        self.type = type_

    def children(self) -> list[Node]:
        return []

    def prefix(self, cursor: NativeCursor) -> None:
        for child in self.children():
            child.prefix(cursor)

    def data(self, cursor: NativeCursor, count: int) -> list[Tree]:
        raise NotImplementedError

    def layout(self) -> Tree:
        """What the bytes say beyond the values; ``None`` for nothing."""
        layouts = [child.layout() for child in self.children()]
        return layouts if any(layout is not None for layout in layouts) else None


class Fixed(Node):
    def data(self, cursor: NativeCursor, count: int) -> list[Tree]:
        width = _width(self.type)
        return [cursor.take(width) for _ in range(count)]


def _width(type_: t.Type) -> int:
    match type_:
        case t.FixedString():
            return type_.length
        case t.Decimal():
            return next(
                size for most, size in ((9, 4), (18, 8), (38, 16), (76, 32)) if type_.precision <= most
            )
    return WIDTHS[type_.family]


class String(Node):
    def data(self, cursor: NativeCursor, count: int) -> list[Tree]:
        return [cursor.string() for _ in range(count)]


class Nothing(Node):
    def data(self, cursor: NativeCursor, count: int) -> list[Tree]:
        assert cursor.take(count) == EMPTY_VALUE * count
        return [b""] * count


class State(Node):
    """Aggregate states have no length of their own: a few functions that the tests use."""

    def data(self, cursor: NativeCursor, count: int) -> list[Tree]:
        return [self._state(cursor) for _ in range(count)]

    def _state(self, cursor: NativeCursor) -> bytes:
        assert isinstance(self.type, t.Aggregate)
        start, arguments = cursor.at, self.type.arguments
        match self.type.function:
            case "count":
                cursor.varint()
            case "sum":
                cursor.take(8)
            case "avg":
                cursor.take(8)
                cursor.varint()
            case "max" if arguments[0] == STRING:
                length = int.from_bytes(cursor.take(4), "little", signed=True)
                cursor.take(max(length, 0))
            case "max":
                if cursor.byte():
                    cursor.take(_width(arguments[0]))
            case "groupArray" | "uniqExact":
                make_node(arguments[0]).data(cursor, cursor.varint())
            case function:
                raise NotImplementedError(function)
        return cursor.data[start : cursor.at]


class Nullable(Node):
    def __init__(self, type_: t.Wrapper):
        super().__init__(type_)
        self.inner = make_node(type_.inner)

    def children(self) -> list[Node]:
        return [self.inner]

    def data(self, cursor: NativeCursor, count: int) -> list[Tree]:
        nulls = cursor.take(count)
        assert set(nulls) <= {0, 1}
        start = cursor.at
        values = self.inner.data(cursor, count)
        if isinstance(self.inner, Fixed):
            zero = default(self.inner.type)
            cursor.under_null += [(start + row * len(zero), zero) for row, null in enumerate(nulls) if null]
        return [None if null else ("not null", value) for null, value in zip(nulls, values, strict=True)]


class LowCardinality(Node):
    """Held to the engine's form of a dictionary, though its reader takes others."""

    def __init__(self, type_: t.Wrapper):
        super().__init__(type_)
        self.nullable = type_.inner.family == "Nullable"
        self.plain = type_.inner.inner if isinstance(type_.inner, t.Wrapper) else type_.inner

    def prefix(self, cursor: NativeCursor) -> None:
        assert cursor.number() == 1, "the version of dictionaries"

    def data(self, cursor: NativeCursor, count: int) -> list[Tree]:
        if not count:
            return []
        flags = cursor.number()
        size = cursor.number()
        # The engine widens keys when the dictionary reaches the largest key, one entry before it must.
        log_width = next(log for log in range(4) if size < 1 << (8 << log))
        assert flags == 0x600 | log_width
        entries = make_node(self.plain).data(cursor, size)
        assert cursor.number() == count
        keys = [cursor.number(1 << log_width) for _ in range(count)]
        reserved = 2 if self.nullable else 1
        assert entries[:reserved] == [default(self.plain)] * reserved, "the reserved entries"
        assert len(set(entries[reserved - 1 :])) == size - reserved + 1, "an entry twice"
        used = list(dict.fromkeys(key for key in keys if key >= reserved))
        assert used == list(range(reserved, size)), "entries are in order of first use, and all are used"
        if not self.nullable:
            return [entries[key] for key in keys]
        return [("not null", entries[key]) if key else None for key in keys]


class Array(Node):
    def __init__(self, type_: t.Type, inner: Node):
        super().__init__(type_)
        self.inner = inner

    def children(self) -> list[Node]:
        return [self.inner]

    def data(self, cursor: NativeCursor, count: int) -> list[Tree]:
        ends = cursor.ends(count)
        values = self.inner.data(cursor, ends[-1] if ends else 0)
        return [values[start:end] for start, end in zip([0, *ends], ends, strict=False)]


class Tuple(Node):
    def __init__(self, type_: t.Type, elements: tuple[t.Type, ...]):
        super().__init__(type_)
        self.elements = [make_node(element) for element in elements]

    def children(self) -> list[Node]:
        return self.elements

    def data(self, cursor: NativeCursor, count: int) -> list[Tree]:
        if not self.elements:
            assert cursor.take(count) == EMPTY_VALUE * count
            return [()] * count
        return list(zip(*(element.data(cursor, count) for element in self.elements), strict=True))


class Variant(Node):
    def __init__(self, type_: t.Variant):
        super().__init__(type_)
        self.members = [make_node(member) for member in type_.members]

    def children(self) -> list[Node]:
        return self.members

    def prefix(self, cursor: NativeCursor) -> None:
        assert cursor.number() == 0, "the mode of discriminators"
        super().prefix(cursor)

    def data(self, cursor: NativeCursor, count: int) -> list[Tree]:
        discriminators = cursor.take(count)
        assert set(discriminators) <= {*range(len(self.members)), 255}
        columns = [
            iter(member.data(cursor, discriminators.count(index)))
            for index, member in enumerate(self.members)
        ]
        return [None if index == 255 else (index, next(columns[index])) for index in discriminators]


class Dynamic(Node):
    def __init__(self, max_types: int):
        super().__init__(t.Dynamic("Dynamic", max_types))
        self.max_types = max_types
        self.types: dict[str, Node] = {}
        self.shared: list[int] = []

    def children(self) -> list[Node]:
        return list(self.types.values())

    def prefix(self, cursor: NativeCursor) -> None:
        assert cursor.number() == 1, "the version of Dynamic"
        texts = [cursor.text() for _ in range(cursor.limit(self.max_types))]
        assert texts == sorted(set(texts), key=str.encode), "types are sorted, none comes twice"
        assert SHARED not in texts
        for text in texts:
            type_ = rowbinary.parse_type(text)
            assert str(type_) == text, "the engine's spelling"
            assert type_.family not in ("Nullable", "Dynamic", "Variant", "Nothing")
            assert not text.startswith("LowCardinality(Nullable("), "NULL is a discriminator"
            self.types[text] = make_node(type_)
        assert cursor.number() == 0, "the mode of discriminators"
        super().prefix(cursor)

    def data(self, cursor: NativeCursor, count: int) -> list[Tree]:
        order = sorted([*self.types, SHARED], key=str.encode)
        discriminators = cursor.take(count)
        assert set(discriminators) <= {*range(len(order)), 255}
        columns = []
        for index, text in enumerate(order):
            node = self.types.get(text) or String(STRING)
            columns.append(iter(node.data(cursor, discriminators.count(index))))
        values: list[Tree] = []
        for row, index in enumerate(discriminators):
            if index == 255:
                values.append(None)
            elif order[index] == SHARED:
                self.shared.append(row)
                values.append(shared_value(next(columns[index])))
                cursor.unordered |= has_several_paths(values[-1])
                assert values[-1][0] not in self.types, "a listed type in the shared variant"
            else:
                values.append((order[index], next(columns[index])))
        return values

    def layout(self) -> Tree:
        return {"types": {text: node.layout() for text, node in self.types.items()}, "shared": self.shared}


def shared_value(data: bytes) -> Tree:
    """The value of a type tag and RowBinary; there is no NULL among them."""
    cursor = Cursor(data)
    value = dynamic(cursor)
    assert cursor.ended
    assert value is not None
    return normal(value)


def has_several_paths(tree: Tree) -> bool:
    """Whether a document in `tree` has paths that can be in another order."""
    if isinstance(tree, dict):
        return len(tree) > 1 or any(map(has_several_paths, tree.values()))
    return isinstance(tree, list | tuple) and any(map(has_several_paths, tree))


def normal(tree: Tree) -> Tree:
    """A tree of `canonical` with the type texts of dynamic values in the engine's spelling."""
    match tree:
        case list():
            return [normal(item) for item in tree]
        case dict():
            return {path: normal(value) for path, value in tree.items()}
        case (str(text), value):
            return (text if text == "not null" else str(rowbinary.parse_type(text))), normal(value)
        case tuple():
            return tuple(normal(item) for item in tree)
    return tree


class JSON(Node):
    def __init__(self, type_: t.JSON):
        super().__init__(type_)
        self.json = type_
        self.typed = {path: make_node(inner) for path, inner in type_.typed}
        self.paths: dict[str, Dynamic] = {}
        self.shared: list[list[str]] = []

    def children(self) -> list[Node]:
        return [*self.typed.values(), *self.paths.values()]

    def prefix(self, cursor: NativeCursor) -> None:
        assert cursor.number() == 0, "the version of JSON"
        paths = [cursor.text() for _ in range(cursor.limit(self.json.max_dynamic_paths))]
        assert paths == sorted(set(paths), key=str.encode), "paths are sorted, none comes twice"
        for path in paths:
            self._check(path)
            self.paths[path] = Dynamic(self.json.max_dynamic_types)
        super().prefix(cursor)

    def _check(self, path: str) -> None:
        assert path not in self.typed
        assert not any(f"{path}.".startswith(f"{skipped}.") for skipped in self.json.skip)
        assert not any(re.search(pattern, path) for pattern in self.json.skip_regexp)

    def data(self, cursor: NativeCursor, count: int) -> list[Tree]:
        rows: list[dict[str, Tree]] = [{} for _ in range(count)]
        for path, typed in self.typed.items():
            for row, value in zip(rows, typed.data(cursor, count), strict=True):
                row[path] = value
        for path, column in self.paths.items():
            for row, value in zip(rows, column.data(cursor, count), strict=True):
                if value is not None:
                    row[path] = value
        ends = cursor.ends(count)
        total = ends[-1] if ends else 0
        paths = [cursor.text() for _ in range(total)]
        values = [shared_value(cursor.string()) for _ in range(total)]
        for row, start, end in zip(rows, [0, *ends], ends, strict=False):
            here = paths[start:end]
            self.shared.append(here)
            assert here == sorted(set(here), key=str.encode), "paths are sorted, none comes twice"
            for path, value in zip(here, values[start:end], strict=True):
                self._check(path)
                assert path not in row, "a path twice in one row"
                row[path] = value
        return rows

    def layout(self) -> Tree:
        return {
            "typed": {path: node.layout() for path, node in self.typed.items()},
            "paths": {path: node.layout() for path, node in self.paths.items()},
            "shared": self.shared,
        }


class QBit(Node):
    """Bit planes: of each stride, and of each bit of an element, a column of bytes."""

    def data(self, cursor: NativeCursor, count: int) -> list[Tree]:
        assert isinstance(self.type, t.QBit)
        bits, length = FLOAT_BITS[self.type.element.family], self.type.length
        stride = self.type.stride or length
        elements = [[0] * length for _ in range(count)]
        for first in range(0, length, stride):
            for bit in reversed(range(bits)):
                for row in elements:
                    plane = int.from_bytes(cursor.take((stride + 7) // 8), "big")
                    assert plane < 1 << stride, "the bits behind the last element"
                    for index in range(stride):
                        row[first + index] |= (plane >> index & 1) << bit
        return [[element.to_bytes(bits // 8, "little") for element in row] for row in elements]


def make_node(type_: t.Type) -> Node:
    match type_:
        case t.Wrapper(family="Array"):
            return Array(type_, make_node(type_.inner))
        case t.Wrapper(family="Nullable"):
            return Nullable(type_)
        case t.Wrapper(family="LowCardinality"):
            return LowCardinality(type_)
        case t.Tuple(family="Nested"):
            return Array(type_, Tuple(type_, type_.elements))
        case t.Tuple():
            return Tuple(type_, type_.elements)
        case t.Map():
            return Array(type_, Tuple(type_, (type_.key, type_.value)))
        case t.Variant():
            return Variant(type_)
        case t.Dynamic():
            return Dynamic(type_.max_types)
        case t.JSON():
            return JSON(type_)
        case t.QBit():
            return QBit(type_)
        case t.Alias():
            return make_node(type_.structure)
        case t.Aggregate(family="SimpleAggregateFunction"):
            return make_node(type_.arguments[-1])
        case t.Aggregate():
            return State(type_)
    simple: dict[str, type[Node]] = {"String": String, "Nothing": Nothing}
    return simple.get(type_.family, Fixed)(type_)
