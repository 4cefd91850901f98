"""The types that bytes name: binary type tags and texts, compiled for readers.

What is made is bounded by the bytes that ask for it, and is kept with the cursor, not in caches that
outlive it.
"""

from __future__ import annotations

from collections.abc import Callable

from . import _types as t
from ._cursor import MAX_KNOWN, Position
from ._opcodes import Op
from ._options import MAX_TYPE_DEPTH
from ._parse import _parse, parse_type
from ._plan import JsonRules, Node, _children, _fill
from ._registry import INTERVAL_KINDS, REGISTRY
from ._tags import _DECIMAL_TAGS
from .errors import SchemaError, shorten

# Types are kept for the next value of theirs, but not as long ones as a hostile body has: every level of a
# type has its text, so the texts of all levels are a hundred times the tag.
_MAX_KNOWN_TEXT = 1024
_MAX_TAG_TEXT = 1 << 18
_MAX_SHARED_TEXT = 512  # in the cache of all texts, which outlives the body
_MAX_FIXED_STRING = 0xFFFFFF
_MAX_QBIT = 8 * 0xFFFFFF
_MAX_MEMBERS = 255  # of a Variant: its member is one byte, and ff is NULL
_QBIT_ELEMENTS = frozenset({"Int8", "BFloat16", "Float32", "Float64"})


# --- types compiled for reading --------------------------------------------------------------------


def compiled(cursor: Position, type_: t.Type) -> Node:
    """The node of `type_` for readers.

    Unlike ``compile_type`` it makes no default values (that of ``FixedString(16777215)`` alone takes
    16 MiB) and no SKIP rules (expressions of another dialect; the server has applied them).
    """
    node = cursor.nodes.get(type_)
    if node is None:
        _check_depth(cursor, type_)
        if len(cursor.nodes) >= MAX_KNOWN:
            cursor.nodes.clear()
        try:
            node = _compile(type_, cursor.nodes if len(type_.text) <= _MAX_KNOWN_TEXT else {})
        except SchemaError as error:
            raise cursor.error(error.reason) from None
    return node


def _check_depth(cursor: Position, type_: t.Type) -> None:
    level: tuple[t.Type, ...] = (type_,)
    for _ in range(MAX_TYPE_DEPTH):
        level = tuple([inner for outer in level for inner in _inner_types(outer)])
        if not level:
            return
    raise cursor.error(f"a type nested deeper than {MAX_TYPE_DEPTH} levels")


def _inner_types(type_: t.Type) -> tuple[t.Type, ...]:
    match type_:
        case t.Alias():
            return (type_.structure,)
        case t.Aggregate():
            return type_.arguments
        case t.JSON():
            return tuple([inner for _, inner in type_.typed])
    return _children(type_)


def _compile(type_: t.Type, known: dict[t.Type, Node]) -> Node:
    node = known.get(type_)
    if node is not None:
        return node
    match type_:
        case t.Alias():
            node = _compile(type_.structure, known)
        case t.Aggregate(family="SimpleAggregateFunction"):
            node = _compile(type_.arguments[-1], known)
        case t.JSON():
            node = Node(Op.JSON, type_)
            node.json = JsonRules(t.JSON("JSON"))
            node.json.typed = {path: _compile(inner, known) for path, inner in type_.typed}
            node.json.plain = not node.json.typed
        case _:
            row = REGISTRY.get(type_.family)
            if row is None:
                raise SchemaError(f"type {type_} cannot be decoded")
            node = Node(row.op, type_, tuple([_compile(inner, known) for inner in _children(type_)]))
            _fill(node, type_)
    known[type_] = node
    return node


# --- types from bytes ------------------------------------------------------------------------------


def named_type(cursor: Position) -> t.Type:
    """A type given by its text, in a header or behind the tag of a custom name."""
    start = cursor.offset
    text = cursor.name("the text of a type")
    return parsed(cursor, text, start)


def parsed(cursor: Position, text: str, start: int) -> t.Type:
    """The type of `text`, which began at `start`."""
    try:
        return parse_type(text) if len(text) <= _MAX_SHARED_TEXT else _parse(text)
    except SchemaError as error:
        raise cursor.error(f"type {shorten(repr(text))}: {error.reason}", start) from None


def read_type(cursor: Position, depth: int = 0) -> t.Type:
    """A type in the binary type encoding: the inverse of ``type_tag``."""
    if depth >= MAX_TYPE_DEPTH:
        raise cursor.error(f"a type nested deeper than {MAX_TYPE_DEPTH} levels")
    start = cursor.offset
    tag = cursor.byte()
    plain, reader = _PLAIN_TAGS.get(tag), _TAG_READERS.get(tag)
    if plain is None and reader is None:
        raise cursor.error(f"unknown type tag 0x{tag:02x}", start)
    cursor.note("type tag", tag)
    if plain is not None:
        return plain
    assert reader is not None
    type_ = reader(cursor, tag, depth + 1)
    if len(str(type_)) > _MAX_TAG_TEXT:  # the text is cached from the leaves up: printing does not recurse
        raise cursor.error(f"a type of more than {_MAX_TAG_TEXT} characters", start)
    return type_


def _read_datetime(cursor: Position, tag: int, depth: int) -> t.Type:
    zoned = tag in (0x12, 0x14)
    if tag in (0x11, 0x12):
        return t.DateTime("DateTime", _zone_name(cursor) if zoned else None)
    scale = _scale(cursor)
    return t.DateTime64("DateTime64", scale, _zone_name(cursor) if zoned else None)


def _zone_name(cursor: Position) -> str | None:
    return cursor.name("the name of a time zone") or None


def _scale(cursor: Position) -> int:
    return _within(cursor, cursor.byte, 0, 9, "a scale")


def _within(cursor: Position, read: Callable[[], int], low: int, high: int, what: str) -> int:
    """The number that `read` takes from the cursor, if it is within `low` .. `high`."""
    start = cursor.offset
    number = read()
    if not low <= number <= high:
        raise cursor.error(f"{what} of {number} is out of range {low} .. {high}", start)
    return _noted(cursor, what, number)


def _count(cursor: Position, what: str) -> int:
    return _noted(cursor, what, cursor.count())


def _noted(cursor: Position, what: str, number: int) -> int:
    """`number`, which is the last that was read, and is `what`."""
    cursor.note(what, number)
    return number


def _read_time64(cursor: Position, tag: int, depth: int) -> t.Type:
    return t.Time64("Time64", _scale(cursor))


def _read_fixed_string(cursor: Position, tag: int, depth: int) -> t.Type:
    length = _within(cursor, cursor.varint, 1, _MAX_FIXED_STRING, "a FixedString length")
    return t.FixedString("FixedString", length)


def _read_decimal(cursor: Position, tag: int, depth: int) -> t.Type:
    limits = [0, *(digits for digits, _ in _DECIMAL_TAGS)]
    index = [known for _, known in _DECIMAL_TAGS].index(tag)
    precision = _within(cursor, cursor.byte, limits[index] + 1, limits[index + 1], "a precision")
    return t.Decimal("Decimal", precision, _within(cursor, cursor.byte, 0, precision, "a scale"))


def _read_enum(cursor: Position, tag: int, depth: int) -> t.Type:
    start = cursor.offset
    width = 1 if tag == 0x17 else 2
    labels: dict[str, int] = {}
    count = _count(cursor, "labels")
    for _ in range(count):
        label = cursor.name("a label")
        labels[label] = int.from_bytes(cursor.take(width), "little", signed=True)
        cursor.note("its number", labels[label])
    if not labels or len(set(labels.values())) != count:
        raise cursor.error("an Enum without labels, or with one twice", start)
    return t.Enum(f"Enum{8 * width}", tuple(sorted(labels.items(), key=lambda item: item[1])))


def _read_interval(cursor: Position, tag: int, depth: int) -> t.Type:
    kind = _within(cursor, cursor.byte, 0, len(INTERVAL_KINDS) - 1, "an interval kind")
    return t.Type(f"Interval{INTERVAL_KINDS[kind]}")


def _read_wrapper(cursor: Position, tag: int, depth: int) -> t.Type:
    family = {0x1E: "Array", 0x23: "Nullable", 0x26: "LowCardinality"}[tag]
    return t.Wrapper(family, read_type(cursor, depth))


def _read_tuple(cursor: Position, tag: int, depth: int) -> t.Type:
    start = cursor.offset
    names: dict[str, None] = {}
    elements = []
    count = _count(cursor, "elements")
    for _ in range(count):
        if tag != 0x1F:
            names[cursor.name("the name of an element")] = None
        elements.append(read_type(cursor, depth))
    if tag != 0x1F and len(names) != count:
        raise cursor.error("a Tuple with the same element name twice", start)
    if tag == 0x2F and not elements:
        raise cursor.error("a Nested without elements", start)
    return t.Tuple("Nested" if tag == 0x2F else "Tuple", tuple(elements), tuple(names) or None)


def _read_map(cursor: Position, tag: int, depth: int) -> t.Type:
    key = read_type(cursor, depth)
    return t.Map("Map", key, read_type(cursor, depth))


def _read_variant(cursor: Position, tag: int, depth: int) -> t.Type:
    """The tag may name the members in any order; values number them in that of their texts."""
    members: dict[str, t.Type] = {}
    for _ in range(_within(cursor, cursor.varint, 1, _MAX_MEMBERS, "a number of members")):
        member = read_type(cursor, depth)
        members[member.text] = member
    return t.Variant("Variant", tuple(members[text] for text in sorted(members)))


def _read_dynamic(cursor: Position, tag: int, depth: int) -> t.Type:
    return t.Dynamic("Dynamic", _within(cursor, cursor.byte, 0, 254, "max_types"))


def _read_custom(cursor: Position, tag: int, depth: int) -> t.Type:
    return named_type(cursor)


def _read_json(cursor: Position, tag: int, depth: int) -> t.Type:
    _within(cursor, cursor.byte, 0, 0, "a version of the JSON type")
    max_paths = _noted(cursor, "max_dynamic_paths", cursor.varint())
    max_types = _noted(cursor, "max_dynamic_types", cursor.byte())
    start = cursor.offset
    typed: dict[str, t.Type] = {}
    count = _count(cursor, "typed paths")
    for _ in range(count):
        path = cursor.name("a typed path")
        typed[path] = read_type(cursor, depth)
    if len(typed) != count:
        raise cursor.error("a JSON type with the same path twice", start)
    skip = [cursor.name("a skipped path") for _ in range(_count(cursor, "skipped paths"))]
    patterns = [cursor.name("an expression") for _ in range(_count(cursor, "expressions"))]
    return t.JSON(
        "JSON",
        max_paths,
        max_types,
        tuple(sorted(typed.items())),
        tuple(sorted(skip)),
        tuple(sorted(patterns)),
    )


def _read_qbit(cursor: Position, tag: int, depth: int) -> t.Type:
    start = cursor.offset
    element = read_type(cursor, depth)
    if element.family not in _QBIT_ELEMENTS:
        raise cursor.error(f"a QBit of {shorten(element.text)}", start)
    length = _within(cursor, cursor.varint, 1, _MAX_QBIT, "a dimension")
    stride = _within(cursor, cursor.varint, 1, length, "a stride") if tag == 0x37 else length
    return t.QBit("QBit", element, length, None if stride == length else stride)


def _read_aggregate(cursor: Position, tag: int, depth: int) -> t.Type:
    start = cursor.offset
    version = _noted(cursor, "a version of the state", cursor.varint()) if tag == 0x25 else 0
    function = cursor.name("the name of an aggregate function")
    if _noted(cursor, "parameters", cursor.varint()):
        raise cursor.error("an aggregate function with parameters cannot be read", start)
    arguments = [read_type(cursor, depth) for _ in range(_count(cursor, "arguments"))]
    if tag == 0x25:
        return t.Aggregate("AggregateFunction", function, tuple(arguments), version)
    if not arguments:
        raise cursor.error("a SimpleAggregateFunction without the type of its values", start)
    return t.Aggregate("SimpleAggregateFunction", function, tuple(arguments))


# Shared by several types, which differ in what follows: an interval's kind, a custom name.
_INTERVAL, _CUSTOM = 0x22, 0x2C
_PLAIN_TAGS = {
    row.tag: t.Type(row.family)
    for row in REGISTRY.values()
    if row.tag is not None and not row.arguments and row.tag not in (_INTERVAL, _CUSTOM)
}
_TAG_READERS: dict[int, Callable[[Position, int, int], t.Type]] = {
    **dict.fromkeys((0x11, 0x12, 0x13, 0x14), _read_datetime),
    0x16: _read_fixed_string,
    **dict.fromkeys((0x17, 0x18), _read_enum),
    **dict.fromkeys((tag for _, tag in _DECIMAL_TAGS), _read_decimal),
    **dict.fromkeys((0x1E, 0x23, 0x26), _read_wrapper),
    **dict.fromkeys((0x1F, 0x20, 0x2F), _read_tuple),
    _INTERVAL: _read_interval,
    **dict.fromkeys((0x25, 0x2E), _read_aggregate),
    0x27: _read_map,
    0x2A: _read_variant,
    0x2B: _read_dynamic,
    _CUSTOM: _read_custom,
    0x30: _read_json,
    0x34: _read_time64,
    **dict.fromkeys((0x36, 0x37), _read_qbit),
}
