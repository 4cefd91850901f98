"""Parser of ClickHouse type texts: :func:`parse_type`, and :func:`parse_columns` for column lists.

It reads what engine 26.9 reads and resolves names, aliases and defaults as the engine does, so that
``str()`` of the result is the text ``DESCRIBE TABLE`` prints.  Names and aliases are those of
``system.data_type_families`` and ``system.functions``; limits were probed one by one.

Deliberate differences.  Left to the server: whether a time zone or an aggregate function exists,
whether the function takes these types and parameters, whether a SKIP REGEXP is valid RE2 and
which typed paths it matches.  Refused here although the engine lets them pass: arguments which it ignores
(``DateTime('UTC', 3)``, ``FLOAT(x)``), ``enum8('a' = 1)`` in small letters, string literals in hexadecimal,
binary or heredoc form, comments that begin with ``#``, labels and names that are not UTF-8, types
nested deeper than 300 levels and texts longer than 4,194,304 characters.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from typing import TypeAlias

from . import _type_names as names
from . import _types as t
from ._lexer import IDENTIFIERS, Lexer, Literal
from .errors import shorten

__all__ = ["parse_columns", "parse_type"]

MAX_DEPTH = 300
_MAX_CACHED_TEXT = 1 << 12


def _storage(type_: t.Type) -> t.Type:
    """What decides where `type_` may stand: the type it is stored as."""
    while True:
        if isinstance(type_, t.Alias):
            type_ = type_.structure
        elif type_.family == "SimpleAggregateFunction" and isinstance(type_, t.Aggregate):
            type_ = type_.arguments[0]
        else:
            return type_


def _holds_null(type_: t.Type) -> bool:
    """Whether `type_` is ``Nullable(...)`` or ``LowCardinality(Nullable(...))``."""
    stored = _storage(type_)
    if stored.family == "LowCardinality" and isinstance(stored, t.Wrapper):
        stored = _storage(stored.inner)
    return stored.family == "Nullable"


# A parser of something nested is a generator: it yields the parsers of the parts and is sent
# their types.  `_Parser.run` keeps these on a list, so the depth of a text never meets the
# interpreter's recursion limit.
_Steps: TypeAlias = Generator["_Steps", t.Type, t.Type]


class _Parser(Lexer):
    def run(self, steps: _Steps) -> t.Type:
        stack = [steps]
        value: t.Type | None = None
        while stack:
            try:
                child = next(stack[-1]) if value is None else stack[-1].send(value)
            except StopIteration as done:
                stack.pop()
                value = done.value
                str(value)  # caches the text from the leaves up: printing does not recurse either
            else:
                if len(stack) >= MAX_DEPTH:
                    raise self.error(f"types nested deeper than {MAX_DEPTH} levels")
                stack.append(child)
                value = None
        assert value is not None
        return value

    def type_(self) -> _Steps:
        start = self.token.start
        name = self.words(self.identifier("a type"))
        family = self.family(name, start)
        if family in names.INTEGERS:
            # MySQL's display width, of no effect and in front of the sign: INT(11) UNSIGNED.
            for width in self.literals(family, start, 0, 1):
                self.whole(width, "the display width", 0, 2**64 - 1)
            return t.Type(self.family(self.words(name), start))
        handler = _HANDLERS.get(family)
        if handler is None:
            self.literals(family, start, 0, 0)
            return names.GEO.get(family) or t.Type(family)
        result = handler(self, family, start)
        return result if isinstance(result, t.Type) else (yield from result)

    def words(self, name: str) -> str:
        """`name` with the words that follow, as long as they can be an alias of several words."""
        while self.token.kind == "word" and f"{name} {self.token.raw}".upper() in names.BEGINNINGS:
            name = f"{name} {self.advance().raw}".upper()
        return name

    def family(self, name: str, start: int) -> str:
        family = names.resolve(name)
        if family is not None:
            return family
        similar = names.similar(name)
        hint = f"; did you mean {' or '.join(similar)}?" if similar else ""
        raise self.error(f"unknown type {shorten(name, 64)!r}{hint}", start)

    def types(
        self, family: str, start: int, count: int
    ) -> Generator[_Steps, t.Type, list[tuple[t.Type, int]]]:
        """All arguments of `family`, exactly `count` types, with their positions."""
        found = []
        for _ in self.arguments():
            position = self.token.start
            found.append(((yield self.type_()), position))
        self.check_count(family, start, len(found), count, count)
        return found


# -- one function per shape of arguments ------------------------------------------------------------


def _parse_float(p: _Parser, family: str, start: int) -> t.Type:
    p.literals(family, start, 0, 2)  # FLOAT(10, 2): digits, of no effect
    return t.Type(family)


def _parse_string(p: _Parser, family: str, start: int) -> t.Type:
    for length in p.literals(family, start, 0, 1):  # VARCHAR(255): of no effect
        p.whole(length, "the length", 0, 2**64 - 1)
    return t.Type(family)


def _parse_fixed_string(p: _Parser, family: str, start: int) -> t.Type:
    (length,) = p.literals(family, start, 1, 1)
    return t.FixedString(family, p.whole(length, "the length", 1, 0xFFFFFF))


def _parse_decimal(p: _Parser, family: str, start: int) -> t.Type:
    precision, scale = 10, 0
    if family in names.DECIMALS:
        precision = names.DECIMALS[family]
        arguments = p.literals(family, start, 1, 1)
    else:
        arguments = p.literals(family, start, 0, 2)
        if arguments:
            precision = p.whole(arguments.pop(0), "the precision", 1, 76)
    if arguments:
        scale = p.whole(arguments[0], "the scale", 0, precision)
    return t.Decimal("Decimal", precision, scale)


def _parse_datetime(p: _Parser, family: str, start: int) -> t.Type:
    # DateTime([scale,] [zone]): a scale other than 0 makes it DateTime64.
    arguments = p.literals(family, start, 0, 1 if family == "DateTime32" else 2)
    scale = 3 if family == "DateTime64" else 0
    if arguments and (family == "DateTime64" or (family == "DateTime" and type(arguments[0].value) is int)):
        scale = p.whole(arguments.pop(0), "the scale", 0, 9)
    zone = None
    if arguments:
        argument = arguments.pop(0)
        if not isinstance(argument.value, str):
            raise p.error("the time zone must be a string in single quotes", argument.start)
        zone = argument.value or None
    if arguments:
        raise p.error(f"{family} takes nothing after the time zone", arguments[0].start)
    if family == "DateTime64" or scale:
        return t.DateTime64("DateTime64", scale, zone)
    return t.DateTime("DateTime", zone)


def _parse_time(p: _Parser, family: str, start: int) -> t.Type:
    arguments = p.literals(family, start, 0, 1)
    scale = 3 if family == "Time64" else 0
    if arguments:
        scale = p.whole(arguments[0], "the scale", 0, 9)
    return t.Time64("Time64", scale) if family == "Time64" or scale else t.Type("Time")


def _parse_enum(p: _Parser, family: str, start: int) -> t.Type:
    labels: dict[str, int] = {}
    used: set[int] = set()
    number = 0
    numbered: bool | None = None  # what the second label did, and all after it must do
    low, high = (-128, 127) if family == "Enum8" else (-(2**15), 2**15 - 1)
    for index in p.arguments():
        position = p.token.start
        label = p.string()
        given = p.accept("=")
        literal = p.literal() if given else Literal(number + 1, position)
        number = p.whole(literal, f"the number of label {shorten(label, 40)!r}", low, high)
        if label in labels or number in used:
            what = f"label {shorten(label, 40)!r}" if label in labels else f"number {number}"
            raise p.error(f"duplicate {what} in an enum", position)
        if index and numbered is None:
            numbered = given
        elif index and numbered != given:
            raise p.error("either all labels after the first have a number, or none", position)
        labels[label] = number
        used.add(number)
    if not labels:
        raise p.error(f"{family} needs at least one label", start)
    if family == "Enum":
        family = "Enum8" if min(used) >= -128 and max(used) <= 127 else "Enum16"
    return t.Enum(family, tuple(sorted(labels.items(), key=lambda item: item[1])))


def _parse_array(p: _Parser, family: str, start: int) -> _Steps:
    ((inner, _),) = yield from p.types(family, start, 1)
    return t.Wrapper(family, inner)


def _parse_nullable(p: _Parser, family: str, start: int) -> _Steps:
    ((inner, position),) = yield from p.types(family, start, 1)
    if _storage(inner).family in names.NOT_IN_NULLABLE:
        raise p.error(f"{shorten(str(inner))} cannot be Nullable", position)
    return t.Wrapper(family, inner)


def _parse_low_cardinality(p: _Parser, family: str, start: int) -> _Steps:
    ((inner, position),) = yield from p.types(family, start, 1)
    stored = _storage(inner)
    if isinstance(stored, t.Wrapper) and stored.family == "Nullable":
        stored = _storage(stored.inner)
    if stored.family not in names.IN_LOW_CARDINALITY:
        raise p.error(f"{shorten(str(inner))} cannot be LowCardinality", position)
    return t.Wrapper(family, inner)


def _parse_map(p: _Parser, family: str, start: int) -> _Steps:
    (key, position), (value, _) = yield from p.types(family, start, 2)
    if _holds_null(key):
        raise p.error(f"a Map key cannot be {shorten(str(key))}", position)
    return t.Map(family, key, value)


def _parse_tuple(p: _Parser, family: str, start: int) -> _Steps:
    elements: list[t.Type] = []
    labels: dict[str, None] = {}
    for index in p.arguments():
        position = p.token.start
        # Two names in a row are a name and a type: Tuple(INT UNSIGNED) has an element called INT.
        named = family == "Nested" or (p.token.kind in IDENTIFIERS and p.peek().kind in IDENTIFIERS)
        if index and named != bool(labels):
            raise p.error("either all elements have a name, or none", position)
        if named:
            label = p.identifier("a name")
            if label in labels:
                raise p.error(f"duplicate element name {shorten(label)!r}", position)
            if label == "null":
                raise p.error("an element cannot be named 'null': the engine keeps that name", position)
            labels[label] = None
        elements.append((yield p.type_()))
    if family == "Nested" and not elements:
        raise p.error("Nested needs at least one element", start)
    return t.Tuple(family, tuple(elements), tuple(labels) or None)


def _parse_variant(p: _Parser, family: str, start: int) -> _Steps:
    members: dict[str, t.Type] = {}
    for _ in p.arguments():
        position = p.token.start
        member = yield p.type_()
        if _storage(member).family in ("Variant", "Dynamic") or _holds_null(member):
            raise p.error(f"{shorten(str(member))} cannot be a member of a Variant", position)
        if _storage(member).family != "Nothing":
            members[str(member)] = member
    if not 1 <= len(members) <= 255:
        raise p.error(f"a Variant has 1 to 255 members, not {len(members)}", start)
    return t.Variant(family, tuple(members[text] for text in sorted(members)))


def _parse_limit(p: _Parser, limits: dict[str, int], name: str, position: int) -> int:
    """The number in ``name=number``, where ``limits`` has the names there are and their maxima."""
    p.expect("=")
    if name not in limits:
        raise p.error(f"unknown parameter {shorten(name)!r}: expected {' or '.join(limits)}", position)
    return p.whole(p.literal(), name, 0, limits[name])


def _parse_dynamic(p: _Parser, family: str, start: int) -> t.Type:
    max_types = t.MAX_DYNAMIC_TYPES
    for index in p.arguments():
        position = p.token.start
        if index:
            raise p.error("Dynamic takes one argument", position)
        max_types = _parse_limit(p, {"max_types": 254}, p.identifier("max_types"), position)
    return t.Dynamic(family, max_types)


def _parse_json(p: _Parser, family: str, start: int) -> _Steps:
    limits = {"max_dynamic_paths": t.MAX_DYNAMIC_PATHS, "max_dynamic_types": t.MAX_DYNAMIC_TYPES}
    maxima = {"max_dynamic_paths": 10000, "max_dynamic_types": 254}
    typed: dict[str, t.Type] = {}
    positions: dict[str, int] = {}
    skip: set[str] = set()
    skip_regexp: list[str] = []
    for _ in p.arguments():
        position = p.token.start
        if p.keyword("SKIP"):
            if p.keyword("REGEXP"):
                skip_regexp.append(p.string())
            else:
                skip.add(p.path("a path"))
            continue
        path = p.path("a path, a parameter or SKIP")
        if p.token.kind == "=":
            limits[path] = _parse_limit(p, maxima, path, position)
            continue
        if path in typed:
            raise p.error(f"duplicate path {shorten(path)!r}", position)
        typed[path] = yield p.type_()
        positions[path] = position
    if len(typed) > 1000:
        raise p.error("JSON has at most 1000 typed paths", start)
    skipped = tuple(skip)
    for path, position in positions.items():
        if path.startswith(skipped):  # by letters, not by path elements: the engine's rule
            raise p.error(f"path {shorten(path)!r} is typed, and skipped by a SKIP", position)
    return t.JSON(
        family,
        **limits,
        typed=tuple(sorted(typed.items())),
        skip=tuple(sorted(skip)),
        skip_regexp=tuple(sorted(skip_regexp)),
    )


def _parse_qbit(p: _Parser, family: str, start: int) -> _Steps:
    element, numbers = t.Type("Nothing"), []
    for index in p.arguments():
        position = p.token.start
        if index:
            numbers.append(p.literal())
            continue
        element = yield p.type_()
        if element.family not in ("Int8", "BFloat16", "Float32", "Float64"):
            raise p.error("the elements of a QBit are Int8, BFloat16, Float32 or Float64", position)
    p.check_count(family, start, len(numbers) + (element.family != "Nothing"), 2, 3)
    length = p.whole(numbers[0], "the dimension", 1, 8 * 0xFFFFFF)
    stride = p.whole(numbers[1], "the stride", 1, length) if len(numbers) == 2 else length
    if stride == length:
        return t.QBit(family, element, length)
    if length % stride or stride % 8 or length // stride > 1024:
        raise p.error(
            "the stride must divide the dimension, in at most 1024 parts, and be a multiple of 8",
            numbers[1].start,
        )
    return t.QBit(family, element, length, stride)


def _parse_aggregate(p: _Parser, family: str, start: int) -> _Steps:
    version: int | None = None
    p.expect("(")
    if family == "AggregateFunction" and p.token.kind == "number":
        version = p.whole(p.literal(), "the version", 0, 2**64 - 1)
        p.expect(",")
    name = names.aggregate_function(p.identifier("an aggregate function"))
    parameters = [p.parameter() for _ in p.arguments()]
    arguments: list[t.Type] = []
    while p.accept(","):
        if p.token.kind == ")":
            break
        arguments.append((yield p.type_()))
    p.expect(")")
    if family == "SimpleAggregateFunction" and not arguments:
        raise p.error("SimpleAggregateFunction needs the type of its values", start)
    if version is None:
        of_map = bool(arguments) and isinstance(arguments[0], t.Map)
        version = int(family == "AggregateFunction" and name.startswith(names.VERSION_1) and not of_map)
    function = f"{name}({', '.join(parameters)})" if parameters else name
    return t.Aggregate(family, function, tuple(arguments), version)


_HANDLERS: dict[str, Callable[[_Parser, str, int], t.Type | _Steps]] = {
    "AggregateFunction": _parse_aggregate,
    "Array": _parse_array,
    "DateTime": _parse_datetime,
    "DateTime32": _parse_datetime,
    "DateTime64": _parse_datetime,
    "Decimal": _parse_decimal,
    "Dynamic": _parse_dynamic,
    "Enum": _parse_enum,
    "Enum16": _parse_enum,
    "Enum8": _parse_enum,
    "FixedString": _parse_fixed_string,
    "JSON": _parse_json,
    "LowCardinality": _parse_low_cardinality,
    "Map": _parse_map,
    "Nested": _parse_tuple,
    "Nullable": _parse_nullable,
    "QBit": _parse_qbit,
    "SimpleAggregateFunction": _parse_aggregate,
    "String": _parse_string,
    "Time": _parse_time,
    "Time64": _parse_time,
    "Tuple": _parse_tuple,
    "Variant": _parse_variant,
    **dict.fromkeys(names.DECIMALS, _parse_decimal),
    **dict.fromkeys(names.FLOATS, _parse_float),
}


# -- entry points -----------------------------------------------------------------------------------


def parse_type(text: str) -> t.Type:
    """The type that `text` names, with aliases resolved and defaults filled in.

    ``str()`` of the result is the engine's own spelling of the type.  A type that cannot be a
    column, such as ``Array(Nothing)``, is a type all the same.

    Raises:
        SchemaError: `text` is not one type; ``position`` is the offset of the offending character.
    """
    if isinstance(text, str) and len(text) <= _MAX_CACHED_TEXT:
        return _parse_cached(text)
    return _parse(text)


def _parse(text: str) -> t.Type:
    parser = _Parser(text)
    found = parser.run(parser.type_())
    if parser.token.kind != "end":
        raise parser.unexpected("the end of the type")
    return found


_parse_cached = functools.lru_cache(maxsize=1024)(_parse)


def parse_columns(text: str) -> list[tuple[str, t.Type]]:
    """The columns of ``name Type, name Type, ...``; a dotted name such as ``n.x`` is one name.

    Raises:
        SchemaError: as :func:`parse_type`; also for a clause after a type, such as ``DEFAULT 1``.
    """
    parser = _Parser(text)
    columns = []
    while True:
        name = parser.path("a column name")
        columns.append((name, parser.run(parser.type_())))
        if parser.token.kind == "end":
            return columns
        if not parser.accept(","):
            raise parser.unexpected("',': a schema text is `name Type, ...` only")
