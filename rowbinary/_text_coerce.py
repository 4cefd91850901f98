"""Columns as the server's JSON parser fills them: conversion to a declared type, and memory.

A `Column` stands for one place in a type.  Dynamic and JSON columns remember what they have stored: a value
that needs inference is first offered to the types already there.  The memory lives as long as the column,
so one column per document or array gives what the server stores for a row inserted on its own.
Facts: "JSON data type" in the ClickHouse manual; conversions and order compared with engine 26.9.
"""

from __future__ import annotations

import datetime
import decimal
import ipaddress
import re
import uuid

from . import _types as types
from ._badvalue import BadValue
from ._text_arrays import STRING, infer
from ._text_dates import DATETIME, DATETIME64
from ._text_scalars import Conversion, ScalarReader, scalar_reader
from ._typed import Typed
from ._types import Dynamic, Type, Wrapper

__all__ = ["Column", "DynamicColumn", "build", "default", "nested_json"]

JSON_TYPE = types.JSON("JSON")


def nested_json(max_paths: int, max_types: int) -> types.JSON:
    """The type of the objects in an array inside a JSON with these limits."""
    return types.JSON("JSON", max_paths // 4, max_types // 2)


class Column:
    """One place in a type; `read` converts a plain JSON value to what a strict writer of `type` accepts."""

    def __init__(self, type_: Type):
        self.type = type_

    def read(self, value: object, conversion: Conversion) -> object:
        """The stored value; raises BadValue."""
        raise BadValue("JSON text cannot hold this type", value, self.type.text)

    def refuse(self, value: object, reason: str) -> BadValue:
        return BadValue(reason, value, self.type.text)


class ScalarColumn(Column):
    def __init__(self, type_: Type, reader: ScalarReader):
        super().__init__(type_)
        self.reader = reader

    def read(self, value: object, conversion: Conversion) -> object:
        if value is None:
            return default(self.type)
        try:
            return self.reader(value, conversion)
        except BadValue as error:
            error.value = value
            error.type_text = self.type.text
            raise


class NullableColumn(Column):
    def __init__(self, type_: Type, inner: Column):
        super().__init__(type_)
        self.inner = inner

    def read(self, value: object, conversion: Conversion) -> object:
        return None if value is None else self.inner.read(value, conversion)


class ArrayColumn(Column):
    def __init__(self, type_: Type, inner: Column):
        super().__init__(type_)
        self.inner = inner

    def read(self, value: object, conversion: Conversion) -> object:
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.refuse(value, "not an array")
        stored = []
        try:
            for item in value:
                stored.append(self.inner.read(item, conversion))  # noqa: PERF401 (its length is needed)
        except BadValue as error:
            error.path.append(len(stored))
            raise
        return stored


class TupleColumn(Column):
    def __init__(self, type_: types.Tuple, elements: list[Column]):
        super().__init__(type_)
        self.elements = elements
        self.names = type_.names

    def read(self, value: object, conversion: Conversion) -> object:
        if value is None:
            return default(self.type)
        if isinstance(value, dict):
            names = self.names or tuple(value)
            items: list[tuple[str | int, int, object]] = [
                (name, i, value[name]) for i, name in enumerate(names) if name in value
            ]
        elif isinstance(value, list):
            items = [(i, i, item) for i, item in enumerate(value)]
        else:
            raise self.refuse(value, "neither an object nor an array")
        stored = [default(element.type) for element in self.elements]
        items = items[: len(stored)]
        if not items:
            raise self.refuse(value, "no element of the tuple is there")
        for segment, i, item in items:
            try:
                stored[i] = self.elements[i].read(item, conversion)
            except BadValue as error:
                error.path.append(segment)
                raise
        return tuple(stored)


class MapColumn(Column):
    def __init__(self, type_: Type, value: Column):
        super().__init__(type_)
        self.value = value

    def read(self, value: object, conversion: Conversion) -> object:
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self.refuse(value, "not an object")
        stored = {}
        for key, item in value.items():
            try:
                stored[key] = self.value.read(item, conversion)
            except BadValue as error:
                error.path.append((key,))
                raise
        return stored


class VariantColumn(Column):
    def __init__(self, type_: Type, members: list[Column]):
        super().__init__(type_)
        self.members = in_text_order(members)

    def read(self, value: object, conversion: Conversion) -> object:
        if value is None:
            return None
        # A float with a fraction becomes an integer only if no member takes it whole.
        for attempt in (Conversion.LOSSLESS, Conversion.ANY):
            if attempt <= max(conversion, Conversion.LOSSLESS):
                for member in self.members:
                    try:
                        return Typed(member.read(value, min(attempt, conversion)), member.type)
                    except BadValue:
                        continue
        raise self.refuse(value, "none of the members takes it")


_WIDER_DATES = {"Date": (DATETIME, DATETIME64), "DateTime": (DATETIME64,)}


class DynamicColumn(Column):
    """A Dynamic, or the values of one path of a JSON; `object_type` is the type of objects in it.

    Without `memory`, as in the shared data of a JSON, `read` infers every value's type anew.
    """

    def __init__(self, type_: Dynamic, object_type: types.JSON, zone: datetime.tzinfo, memory: bool = True):
        super().__init__(type_)
        self.max_types = type_.max_types
        self.memory = memory
        self.object_type = object_type
        self.zone = zone
        self.members: list[Column] = []  # in the order in which they are tried

    def read(self, value: object, conversion: Conversion) -> Typed | None:
        if value is None:
            return None
        for member in self.members if self.memory else ():
            try:
                return Typed(member.read(value, Conversion.NONE), member.type)
            except BadValue:
                continue
        return self.add(value, conversion)

    def add(self, value: object, conversion: Conversion) -> Typed:
        """Store `value` as the type inferred for it."""
        type_ = infer(value, self.object_type, self.zone)
        member = self.member(type_)
        if member is None:
            member = build(type_, self.zone, self.memory)
            if len(self.members) < self.max_types:
                self.members = in_text_order([*self.members, member])
        return Typed(member.read(value, conversion), type_)

    def read_at_path(self, value: object, conversion: Conversion) -> Typed | None:
        """`read` for the value of a path of a JSON, where scalars go shorter ways.

        Their own type comes first; for strings then the wider date types and String.  Numbers and bools are
        offered to other types only when there is no room for their own.
        """
        if not isinstance(value, (str, bool, int, float)):
            return self.read(value, conversion)
        type_ = infer(value, self.object_type, self.zone)
        if self.member(type_) is not None:
            return self.add(value, conversion)
        if not isinstance(value, str):
            has_room = len(self.members) < self.max_types
            return self.add(value, conversion) if has_room else self.read(value, conversion)
        for wider in (*_WIDER_DATES.get(type_.family, ()), STRING):
            member = self.member(wider)
            if member is not None:
                return Typed(member.read(value, conversion), wider)
        return self.read(value, conversion)

    def member(self, type_: Type) -> Column | None:
        return next((member for member in self.members if member.type == type_), None)


class JSONColumn(Column):
    """JSON; the result is ``{flat path: leaf}`` without nulls, a leaf bare or Typed for exact mode."""

    def __init__(self, type_: types.JSON, zone: datetime.tzinfo, memory: bool = True):
        super().__init__(type_)
        self.zone = zone
        self.memory = memory
        self.max_paths = type_.max_dynamic_paths
        self.path_type = Dynamic("Dynamic", type_.max_dynamic_types)
        self.object_type = nested_json(type_.max_dynamic_paths, type_.max_dynamic_types)
        self.typed = {path: build(inner, zone, memory) for path, inner in type_.typed}
        self.skip = type_.skip
        self.skip_regexp = [re.compile(pattern) for pattern in type_.skip_regexp]
        self.paths: dict[str, DynamicColumn] = {}

    def read(self, value: object, conversion: Conversion) -> dict[str, object]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self.refuse(value, "not an object")
        document: dict[str, object] = {}
        self.walk(value, None, document, set(), conversion)
        return document

    def walk(
        self,
        value: dict[str, object],
        prefix: str | None,
        document: dict[str, object],
        taken: set[str],
        conversion: Conversion,
    ) -> None:
        """Store the members of `value`; `taken` are the paths that this document already has."""
        for key, item in value.items():
            path = key if prefix is None else f"{prefix}.{key}"
            if self.is_skipped(path):
                continue
            try:
                if isinstance(item, dict) and path not in self.typed:
                    self.walk(item, path, document, taken, conversion)
                else:
                    self.store(path, item, document, taken, conversion)
            except BadValue as error:
                error.path.append(key)
                raise

    def store(
        self, path: str, value: object, document: dict[str, object], taken: set[str], conversion: Conversion
    ) -> None:
        typed = self.typed.get(path)
        column = self.paths.get(path)
        if value is None and typed is None:
            return  # does not even take up the path
        if path in taken:
            raise BadValue(f"duplicate path {path!r}", value)
        taken.add(path)
        if typed is not None:
            document[path] = typed.read(value, conversion)
            return
        if column is None:
            is_shared = len(self.paths) >= self.max_paths
            memory = self.memory and not is_shared
            column = DynamicColumn(self.path_type, self.object_type, self.zone, memory)
            if not is_shared:
                self.paths[path] = column
        stored = column.read_at_path(value, conversion)
        if stored is not None:
            document[path] = as_leaf(stored)

    def is_skipped(self, path: str) -> bool:
        if any(path == skip or path.startswith(f"{skip}.") for skip in self.skip):
            return True
        return any(pattern.search(path) for pattern in self.skip_regexp)


_PLAIN_LEAVES = {"Int64": int, "UInt64": int, "Float64": float, "Bool": bool, "String": str}


def as_leaf(stored: Typed) -> object:
    """The bare value where exact mode gives it the same type, else `stored`."""
    if _PLAIN_LEAVES.get(stored.type.family) is not type(stored.value):
        return stored
    if isinstance(stored.value, int) and (stored.type.family == "UInt64") != (stored.value >= 2**63):
        return stored if stored.type.family in ("Int64", "UInt64") else stored.value
    return stored.value


# -- types to columns -----------------------------------------------------------------------------------


def build(type_: Type, zone: datetime.tzinfo, memory: bool = True) -> Column:
    """An empty column of `type_`; texts without a zone are in `zone`."""
    reader = scalar_reader(type_, zone)
    if reader is not None:
        return ScalarColumn(type_, reader)
    if isinstance(type_, Wrapper):
        inner = build(type_.inner, zone, memory)
        if type_.family == "LowCardinality":
            inner.type = type_  # stored exactly as its inner type
            return inner
        return (NullableColumn if type_.family == "Nullable" else ArrayColumn)(type_, inner)
    if isinstance(type_, types.Tuple):
        row = TupleColumn(type_, [build(element, zone, memory) for element in type_.elements])
        return ArrayColumn(type_, row) if type_.family == "Nested" else row
    if isinstance(type_, types.Map) and _without_low_cardinality(type_.key).family == "String":
        return MapColumn(type_, build(type_.value, zone, memory))
    if isinstance(type_, types.Variant):
        return VariantColumn(type_, [build(member, zone, memory) for member in type_.members])
    if isinstance(type_, Dynamic):
        return DynamicColumn(type_, JSON_TYPE, zone, memory)
    if isinstance(type_, types.JSON):
        return JSONColumn(type_, zone, memory)
    if isinstance(type_, types.Alias):
        column = build(type_.structure, zone, memory)
        column.type = type_
        return column
    if isinstance(type_, types.Aggregate) and type_.family == "SimpleAggregateFunction":
        column = build(type_.arguments[0], zone, memory)
        column.type = type_
        return column
    return Column(type_)


def _without_low_cardinality(type_: Type) -> Type:
    return type_.inner if isinstance(type_, Wrapper) and type_.family == "LowCardinality" else type_


_EPOCH_VALUES: dict[str, object] = {
    "String": "",
    "Bool": False,
    "Float32": 0.0,
    "Float64": 0.0,
    "UUID": uuid.UUID(int=0),
    "IPv4": ipaddress.IPv4Address(0),
    "IPv6": ipaddress.IPv6Address(0),
    "Dynamic": None,
    "Variant": None,
    "Nullable": None,
}


def default(type_: Type) -> object:
    """What the server stores when a value of `type_` is missing."""
    if type_.family in _EPOCH_VALUES:
        return _EPOCH_VALUES[type_.family]
    if isinstance(type_, types.FixedString):
        return b"\0" * type_.length
    if isinstance(type_, types.Decimal):
        return decimal.Decimal(0)
    if isinstance(type_, types.Enum):
        return min(type_.labels, key=lambda label: label[1])[0]
    if isinstance(type_, Wrapper) and type_.family == "LowCardinality":
        return default(type_.inner)
    if type_.family in ("Array", "Nested"):
        return []
    if isinstance(type_, (types.Map, types.JSON)):
        return {}
    if isinstance(type_, types.Tuple):
        return tuple(default(element) for element in type_.elements)
    if isinstance(type_, types.Alias):
        return default(type_.structure)
    if isinstance(type_, types.Aggregate):
        return default(type_.arguments[0])
    return 0


# -- the order in which types are tried -----------------------------------------------------------------

_ORDER = ["Array", "Tuple", "Map", "AggregateFunction", "Enum8", "Enum16", "UUID", "IPv4", "IPv6"]
_ORDER += [f"{sign}Int{bits}" for bits in (8, 16, 32, 64, 128, 256) for sign in ("", "U")]
_ORDER += ["Decimal32", "Decimal64", "Decimal128", "Decimal256", "Float32", "Float64"]
_ORDER += ["Date", "Date32", "DateTime", "DateTime64", "FixedString", "String"]
_PRIORITY = {family: len(_ORDER) - i for i, family in enumerate(_ORDER)}
_PRIORITY["Bool"] = _PRIORITY["Int8"] + 1


def in_text_order(columns: list[Column]) -> list[Column]:
    """`columns` as the server tries them: deepest first, then the more demanding, String last but JSON."""
    by_name = sorted(columns, key=lambda column: column.type.text)
    return sorted(by_name, key=lambda column: _priority(column.type, 0, 0), reverse=True)


def _priority(type_: Type, depth: int, wrappers: int) -> tuple[int, int, int]:
    """Greatest depth of nesting, sum of the priorities, number of Nullable and LowCardinality."""
    if isinstance(type_, Wrapper) and type_.family != "Array":
        return _priority(type_.inner, depth, wrappers + 1)
    if isinstance(type_, types.Variant):
        return _maxima([_priority(member, depth, wrappers) for member in type_.members])
    if isinstance(type_, types.Alias):
        return _priority(type_.structure, depth, wrappers)
    inner: list[Type] = []
    if isinstance(type_, Wrapper):
        inner = [type_.inner]
    elif isinstance(type_, types.Tuple):
        inner = list(type_.elements)
    elif isinstance(type_, types.Map):
        inner = [type_.key, type_.value]
    family = "Tuple" if type_.family == "Nested" else type_.family
    if isinstance(type_, types.Decimal):
        family = "Decimal" + next(bits for limit, bits in _DECIMAL_BITS if type_.precision <= limit)
    own = _PRIORITY.get(family, 0)
    if not inner:
        return depth, own, wrappers
    parts = [_priority(part, depth + 1, wrappers) for part in inner]
    deepest, _, most_wrappers = _maxima(parts)
    return deepest, own + sum(part[1] for part in parts), most_wrappers


_DECIMAL_BITS = ((9, "32"), (18, "64"), (38, "128"), (76, "256"))


def _maxima(parts: list[tuple[int, int, int]]) -> tuple[int, int, int]:
    depths, priorities, wrappers = zip(*parts, strict=True)
    return max(depths), max(priorities), max(wrappers)
