"""ClickHouse types as Python objects.  ``str(t)`` is the exact text the engine prints.

Objects are immutable, compare by their text and can be shared between threads.  Make them
with :func:`rowbinary.parse_type`; the constructors here neither resolve aliases nor check.
Facts: "Data types" in the ClickHouse manual; spellings checked against engine 26.9.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

MAX_DYNAMIC_PATHS = 1024  # default of JSON(max_dynamic_paths=...)
MAX_DYNAMIC_TYPES = 32  # default of JSON(max_dynamic_types=...) and Dynamic(max_types=...)


@dataclass(frozen=True, eq=False)
class Type:
    """A type without arguments, such as ``UInt64``; base class of all others.

    ``family`` is the canonical name before any parenthesis.
    """

    family: str

    @functools.cached_property
    def text(self) -> str:
        """The canonical text, as ``DESCRIBE TABLE`` prints it."""
        return self._text()

    def _text(self) -> str:
        return self.family

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.text}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Type) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


@dataclass(frozen=True, eq=False, repr=False)
class FixedString(Type):
    length: int = 1

    def _text(self) -> str:
        return f"FixedString({self.length})"


@dataclass(frozen=True, eq=False, repr=False)
class Decimal(Type):
    precision: int = 10
    scale: int = 0

    def _text(self) -> str:
        return f"Decimal({self.precision}, {self.scale})"


@dataclass(frozen=True, eq=False, repr=False)
class DateTime(Type):
    """``DateTime`` or ``DateTime('Europe/Berlin')``."""

    timezone: str | None = None

    def _text(self) -> str:
        return "DateTime" if self.timezone is None else f"DateTime({quote(self.timezone)})"


@dataclass(frozen=True, eq=False, repr=False)
class DateTime64(Type):
    scale: int = 3
    timezone: str | None = None

    def _text(self) -> str:
        zone = "" if self.timezone is None else f", {quote(self.timezone)}"
        return f"DateTime64({self.scale}{zone})"


@dataclass(frozen=True, eq=False, repr=False)
class Time64(Type):
    scale: int = 3

    def _text(self) -> str:
        return f"Time64({self.scale})"


@dataclass(frozen=True, eq=False, repr=False)
class Enum(Type):
    """``Enum8`` or ``Enum16``; ``labels`` are (label, number) pairs sorted by number."""

    labels: tuple[tuple[str, int], ...] = ()

    def _text(self) -> str:
        return f"{self.family}({', '.join(f'{quote(k)} = {v}' for k, v in self.labels)})"


@dataclass(frozen=True, eq=False, repr=False)
class Wrapper(Type):
    """``Nullable(T)``, ``LowCardinality(T)`` or ``Array(T)``."""

    inner: Type = Type("Nothing")

    def _text(self) -> str:
        return f"{self.family}({self.inner})"


@dataclass(frozen=True, eq=False, repr=False)
class Map(Type):
    key: Type = Type("String")
    value: Type = Type("String")

    def _text(self) -> str:
        return f"Map({self.key}, {self.value})"


@dataclass(frozen=True, eq=False, repr=False)
class Tuple(Type):
    """``Tuple(...)`` or ``Nested(...)``; ``names`` is ``None`` for an unnamed tuple."""

    elements: tuple[Type, ...] = ()
    names: tuple[str, ...] | None = None

    def _text(self) -> str:
        if self.names is None:
            return f"{self.family}({', '.join(map(str, self.elements))})"
        pairs = zip(self.names, self.elements, strict=True)
        return f"{self.family}({', '.join(f'{quote_identifier(n)} {t}' for n, t in pairs)})"


@dataclass(frozen=True, eq=False, repr=False)
class Variant(Type):
    """``members`` are in wire order: sorted by their text, duplicates removed."""

    members: tuple[Type, ...] = ()

    def _text(self) -> str:
        return f"Variant({', '.join(map(str, self.members))})"


@dataclass(frozen=True, eq=False, repr=False)
class Dynamic(Type):
    max_types: int = MAX_DYNAMIC_TYPES

    def _text(self) -> str:
        if self.max_types == MAX_DYNAMIC_TYPES:
            return "Dynamic"
        return f"Dynamic(max_types={self.max_types})"


@dataclass(frozen=True, eq=False, repr=False)
class JSON(Type):
    """``typed`` holds (path, type) pairs, ``skip`` paths, ``skip_regexp`` patterns, each sorted.

    A limit equal to its default is not printed, also when it was spelled out.
    """

    max_dynamic_paths: int = MAX_DYNAMIC_PATHS
    max_dynamic_types: int = MAX_DYNAMIC_TYPES
    typed: tuple[tuple[str, Type], ...] = ()
    skip: tuple[str, ...] = ()
    skip_regexp: tuple[str, ...] = ()

    def _text(self) -> str:
        args = []
        if self.max_dynamic_types != MAX_DYNAMIC_TYPES:
            args.append(f"max_dynamic_types={self.max_dynamic_types}")
        if self.max_dynamic_paths != MAX_DYNAMIC_PATHS:
            args.append(f"max_dynamic_paths={self.max_dynamic_paths}")
        args += [f"{quote_path(path)} {type_}" for path, type_ in self.typed]
        args += [f"SKIP {quote_identifier(path)}" for path in self.skip]
        args += [f"SKIP REGEXP {quote(pattern)}" for pattern in self.skip_regexp]
        return f"JSON({', '.join(args)})" if args else "JSON"


@dataclass(frozen=True, eq=False, repr=False)
class QBit(Type):
    """``stride`` is ``None`` when it equals ``length``: the engine then leaves it out."""

    element: Type = Type("Float32")
    length: int = 1
    stride: int | None = None

    def _text(self) -> str:
        stride = "" if self.stride is None else f", {self.stride}"
        return f"QBit({self.element}, {self.length}{stride})"


@dataclass(frozen=True, eq=False, repr=False)
class Aggregate(Type):
    """``AggregateFunction(...)`` or ``SimpleAggregateFunction(...)``.

    ``function`` is the function with its parameters, such as ``quantiles(0.5, 0.9)``; ``version``
    is the version of the state, which the engine prints unless it is 0.
    """

    function: str = "sum"
    arguments: tuple[Type, ...] = ()
    version: int = 0

    def _text(self) -> str:
        version = [str(self.version)] if self.version else []
        return f"{self.family}({', '.join([*version, self.function, *map(str, self.arguments)])})"


@dataclass(frozen=True, eq=False, repr=False)
class Alias(Type):
    """A named type with a structure of its own, such as ``Point``: written as ``structure``."""

    structure: Type = Type("Nothing")


# What the engine escapes in literals and identifiers, besides the quote itself; other control
# characters are printed raw.
_ESCAPES = {ord(char): "\\" + name for char, name in zip("\\\b\f\n\r\t\0", "\\bfnrt0", strict=True)}
_STRING_ESCAPES = _ESCAPES | {ord("'"): "\\'"}
_IDENTIFIER_ESCAPES = _ESCAPES | {ord("`"): "\\`"}

# Plain words which the engine puts in backticks all the same, in any letter case.
_WORDS = "all distinct false from inf nan null select some table top true values"
_QUOTED_WORDS = frozenset(_WORDS.split())


def quote(text: str) -> str:
    """`text` as a ClickHouse string literal."""
    return f"'{text.translate(_STRING_ESCAPES)}'"


def is_plain_identifier(name: str) -> bool:
    """Whether the engine prints `name` without backticks."""
    return name.isascii() and name.isidentifier() and name.lower() not in _QUOTED_WORDS


def quote_identifier(name: str) -> str:
    """`name` as the engine prints it: in backticks unless it is a plain word."""
    return name if is_plain_identifier(name) else f"`{name.translate(_IDENTIFIER_ESCAPES)}`"


def quote_path(path: str) -> str:
    """A typed path as the engine prints it inside ``JSON(...)``; a bare ``SKIP`` would be the keyword."""
    return f"`{path}`" if path.upper() == "SKIP" else quote_identifier(path)
