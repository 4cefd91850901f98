"""The type that the server infers for a JSON array, before any value of it is stored.

Types are inferred bottom up and merged level by level.  Two kinds exist only on the way: ``Nothing`` (no
element seen yet) and ``Tuple`` (elements that are not comparable yet, because one of them is incomplete).
Facts: "Automatic schema inference" in the ClickHouse manual; each rule, including those that look odd,
compared with engine 26.9.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence

from ._text_dates import DATE, DATETIME, DATETIME64, retype_string
from ._types import JSON, Dynamic, Tuple, Type, Wrapper

__all__ = ["DYNAMIC", "STRING", "infer"]

NOTHING = Type("Nothing")
BOOL = Type("Bool")
INT64 = Type("Int64")
NEGATIVE = Type("Int64")  # compares equal to INT64: told apart by identity
UINT64 = Type("UInt64")
FLOAT64 = Type("Float64")
STRING = Type("String")
DYNAMIC = Dynamic("Dynamic")

_DATES = {"Date", "DateTime", "DateTime64"}
_INTEGERS = {"Int64", "UInt64"}


def infer(value: object, object_type: JSON, zone: datetime.tzinfo) -> Type:
    """The type stored for `value`, plain JSON data other than ``None``.

    `object_type` is the type of objects; `zone` the zone of dates without one.
    """
    scalar = _scalar_type(value, zone)
    if scalar is not None:
        return INT64 if scalar is NEGATIVE else scalar
    return _Inference(object_type, zone).infer(value) if isinstance(value, list) else object_type


def _scalar_type(value: object, zone: datetime.tzinfo) -> Type | None:
    if isinstance(value, str):
        date = retype_string(value, zone)
        return STRING if date is None else date.type
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int):
        return NEGATIVE if value < 0 else INT64 if value < 2**63 else UINT64
    if isinstance(value, float):
        return FLOAT64
    return None


class _Inference:
    """The types of one value.  Equal types are mostly one object, and no merge is worked out twice.

    Without that the work would double with every level of arrays that hold a null.
    """

    def __init__(self, object_type: JSON, zone: datetime.tzinfo):
        self.object_type = object_type
        self.zone = zone
        self.known: dict[tuple[object, ...], Type] = {}
        self.merged: dict[tuple[int, ...], list[Type]] = {}
        self.null = self.nullable(NOTHING)
        self.array_of_dynamic = self.array_of(DYNAMIC)

    def infer(self, value: list[object]) -> Type:
        return self.nullable_elements(self.finish(self.guess(value)))

    # -- making types: bottom up, the text of each from the texts inside -------------------------------

    def array_of(self, inner: Type) -> Type:
        return self.make(("Array", id(inner)), lambda: Wrapper("Array", inner))

    def nullable(self, inner: Type) -> Type:
        """``Nullable(inner)``, or `inner` itself where Nullable is not allowed."""
        if inner.family in ("Array", "Tuple", "Dynamic", "Nullable"):
            return inner
        return self.make(("Nullable", id(inner)), lambda: Wrapper("Nullable", inner))

    def tuple_of(self, elements: list[Type]) -> Type:
        return self.make(("Tuple", *map(id, elements)), lambda: Tuple("Tuple", tuple(elements)))

    def make(self, key: tuple[object, ...], create: Callable[[], Type]) -> Type:
        type_ = self.known.get(key)
        if type_ is None:
            type_ = self.known[key] = create()
            type_.text  # noqa: B018 (computed now, while the texts inside are at hand)
        return type_

    # -- from values to a type --------------------------------------------------------------------------

    def guess(self, value: object) -> Type:
        """The type of `value` as far as it can be told from within; Nothing and Tuple may be part of it."""
        if value is None:
            return self.null
        if not isinstance(value, list):
            return _scalar_type(value, self.zone) or self.object_type
        types = [self.guess(item) for item in value]
        if not types:
            return self.array_of(NOTHING)
        if _all_equal(types):
            return self.array_of(_common(types))
        if all(map(_is_complete, types)):
            merged = self.merge(types)
            if _all_equal(merged):
                return self.array_of(_common(merged))
        return self.tuple_of(types)

    def finish(self, type_: Type, *, keep_nothing: bool = False) -> Type:
        """`type_` without Tuple and, unless kept, without Nothing, which becomes String."""
        if type_.family == "Nothing" and not keep_nothing:
            return STRING
        if type_.family == "Nullable":
            return self.nullable(self.finish(_inner(type_), keep_nothing=keep_nothing))
        if type_.family == "Array":
            return self.array_of(self.finish(_inner(type_), keep_nothing=keep_nothing))
        if isinstance(type_, Tuple):
            merged = self.merge(list(type_.elements))
            if _all_equal(merged):
                return self.finish(self.array_of(_common(merged)))
            merged = self.merge([self.finish(element, keep_nothing=True) for element in type_.elements])
            return self.array_of(_common(merged)) if _all_equal(merged) else self.array_of_dynamic
        return type_

    def nullable_elements(self, type_: Type) -> Type:
        if type_.family == "Array":
            return self.array_of(self.nullable_elements(_inner(type_)))
        return type_ if type_.family == "JSON" else self.nullable(type_)

    # -- merging ----------------------------------------------------------------------------------------

    def merge(self, types: list[Type]) -> list[Type]:
        """`types` with each changed, where the rules allow it, towards one common type."""
        key = tuple(map(id, types))
        merged = self.merged.get(key)
        if merged is None:
            merged = self.merged[key] = self.merge_anew(types)
        return merged

    def merge_anew(self, types: list[Type]) -> list[Type]:
        families = {type_.family for type_ in types}
        if "Nullable" in families:
            inner = self.merge([_inner(type_) if type_.family == "Nullable" else type_ for type_ in types])
            pairs = zip(types, inner, strict=True)
            types = [self.nullable(new) if old.family == "Nullable" else new for old, new in pairs]
        elif families == {"Array"}:
            types = [self.array_of(inner) for inner in self.merge([_inner(type_) for type_ in types])]
        elif families == {"Tuple"}:
            types = self.merge_elementwise(types)
        elif not families & {"Array", "Tuple"}:
            return _merge_scalars(types)
        return self.merge_containers(types)

    def merge_elementwise(self, types: list[Type]) -> list[Type]:
        """Tuples of one size, merged position by position."""
        rows = [type_.elements for type_ in types if isinstance(type_, Tuple)]
        if len({len(row) for row in rows}) > 1:
            return types
        columns = [self.merge(list(column)) for column in zip(*rows, strict=True)]
        return [self.tuple_of(list(row)) for row in zip(*columns, strict=True)]

    def merge_containers(self, types: list[Type]) -> list[Type]:
        """What only shows beside containers and null: Nullable, Nothing, Tuple."""
        if any(type_.family == "Nullable" for type_ in types):
            types = [self.nullable(type_) for type_ in types]
        known = [type_ for type_ in types if not _is_nothing(type_)]
        if known:
            # The last known type, not the first as for scalars.
            types = [known[-1] if _is_nothing(type_) else type_ for type_ in types]
        if any(isinstance(type_, Tuple) for type_ in types):
            types = [self.uniform_tuple(type_) for type_ in types]
        tuples = [type_ for type_ in types if isinstance(type_, Tuple)]
        return self.merge_tuples(types, tuples) if tuples else types

    def uniform_tuple(self, type_: Type) -> Type:
        if isinstance(type_, Tuple) and _all_equal(type_.elements):
            return self.array_of(_common(type_.elements))
        return type_

    def merge_tuples(self, types: list[Type], tuples: list[Tuple]) -> list[Type]:
        """Tuples, and arrays beside them, become arrays: of one type or of Dynamic."""
        common = self.array_of_dynamic
        if any(t.family == "Array" for t in types) or len({len(t.elements) for t in tuples}) == 1:
            inner: list[Type] = []
            for type_ in types:
                if isinstance(type_, Tuple):
                    inner += type_.elements
                elif type_.family == "Array":
                    inner.append(_inner(type_))
            inner = self.merge(_without_repeats(inner))
            if _all_equal(inner):
                common = self.array_of(_common(inner))
        return [common if type_.family in ("Array", "Tuple") else type_ for type_ in types]


def _merge_scalars(types: list[Type]) -> list[Type]:
    """Numbers, strings, dates, objects."""
    known = [type_ for type_ in types if type_.family != "Nothing"]
    if not known:
        return types
    types = [known[0] if type_.family == "Nothing" else type_ for type_ in types]
    families = {type_.family for type_ in types}
    if "UInt64" in families and "Int64" in families:
        types = [UINT64 if t.family == "Int64" and t is not NEGATIVE else t for t in types]
        families = {type_.family for type_ in types}
    if "Float64" in families:
        types = [FLOAT64 if type_.family in _INTEGERS else type_ for type_ in types]
        families -= _INTEGERS
    types = _merge_dates(types, families)
    families = {type_.family for type_ in types}
    if "Bool" not in families:
        return types
    for target in (INT64, UINT64, FLOAT64, STRING):
        if target.family in families:
            return [target if type_.family == "Bool" else type_ for type_ in types]
    return types


def _merge_dates(types: list[Type], families: set[str]) -> list[Type]:
    """The widest kind if all are dates, otherwise strings."""
    if not families & _DATES:
        return types
    if families - _DATES:
        return [STRING if type_.family in _DATES else type_ for type_ in types]
    widest = DATETIME64 if "DateTime64" in families else DATETIME if "DateTime" in families else DATE
    return [widest] * len(types)


def _inner(type_: Type) -> Type:
    assert isinstance(type_, Wrapper)
    return type_.inner


def _without_repeats(types: list[Type]) -> list[Type]:
    """The first and the last of each of `types`: a merge depends on nothing else, and lists stay short."""
    last = {id(type_): i for i, type_ in enumerate(types)}
    first = {id(type_): i for i, type_ in reversed(list(enumerate(types)))}
    return [type_ for i, type_ in enumerate(types) if i in (first[id(type_)], last[id(type_)])]


def _is_nothing(type_: Type) -> bool:
    return type_.family == "Nothing" or (type_.family == "Nullable" and _inner(type_).family == "Nothing")


def _is_complete(type_: Type) -> bool:
    if isinstance(type_, Tuple):
        return all(map(_is_complete, type_.elements))
    if isinstance(type_, Wrapper):
        return _is_complete(type_.inner)
    return type_.family != "Nothing"


def _all_equal(types: Sequence[Type]) -> bool:
    first = types[0]
    return all(type_ is first or type_ == first for type_ in types)


def _common(types: Sequence[Type]) -> Type:
    """One of the equal `types`: a negative integer if there is one, as later merges must know."""
    for type_ in types:
        if type_ is NEGATIVE:
            return type_
    return types[-1]
