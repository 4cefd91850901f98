"""The type that the server infers for a JSON array, before any value of it is stored.

Types are inferred bottom up and merged level by level.  Two kinds exist only on the way: ``Nothing`` (no
element seen yet) and ``Tuple`` (elements that are not comparable yet, because one of them is incomplete).
Facts: "Automatic schema inference" in the ClickHouse manual; each rule, including those that look odd,
compared with engine 26.9.
"""

from __future__ import annotations

import datetime

from ._text_dates import DATE, DATETIME, DATETIME64, retype_string
from ._types import JSON, Dynamic, Tuple, Type, Wrapper

__all__ = ["BOOL", "DYNAMIC", "FLOAT64", "INT64", "STRING", "UINT64", "array_of", "infer", "nullable"]

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


def array_of(inner: Type) -> Wrapper:
    return Wrapper("Array", inner)


def nullable(inner: Type) -> Type:
    """``Nullable(inner)``, or `inner` itself where Nullable is not allowed."""
    if inner.family in ("Array", "Tuple", "Dynamic", "Nullable"):
        return inner
    return Wrapper("Nullable", inner)


NULL = nullable(NOTHING)
ARRAY_OF_DYNAMIC = array_of(DYNAMIC)


def infer(value: object, object_type: JSON, zone: datetime.tzinfo) -> Type:
    """The type stored for `value`, plain JSON data other than ``None``.

    `object_type` is the type of objects; `zone` the zone of dates without one.
    """
    type_ = _finish(_first_guess(value, object_type, zone))
    return _nullable_elements(type_) if type_.family == "Array" else type_


def _first_guess(value: object, object_type: JSON, zone: datetime.tzinfo) -> Type:
    if value is None:
        return NULL
    if isinstance(value, str):
        date = retype_string(value, zone)
        return STRING if date is None else date.type
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int):
        return NEGATIVE if value < 0 else INT64 if value < 2**63 else UINT64
    if isinstance(value, float):
        return FLOAT64
    if isinstance(value, list):
        return _array_guess([_first_guess(item, object_type, zone) for item in value])
    return object_type


def _array_guess(types: list[Type]) -> Type:
    """The type of an array with elements of `types`; a Tuple when it is too early to tell."""
    if not types:
        return array_of(NOTHING)
    if _all_equal(types):
        return array_of(_common(types))
    if not all(map(_is_complete, types)):
        return Tuple("Tuple", tuple(types))
    merged = _merge(types)
    return array_of(_common(merged)) if _all_equal(merged) else Tuple("Tuple", tuple(types))


def _finish(type_: Type, *, keep_nothing: bool = False) -> Type:
    """`type_` without Tuple and, unless kept, without Nothing, which becomes String."""
    if type_.family == "Nothing" and not keep_nothing:
        return STRING
    if type_.family == "Nullable":
        return nullable(_finish(_inner(type_), keep_nothing=keep_nothing))
    if type_.family == "Array":
        return array_of(_finish(_inner(type_), keep_nothing=keep_nothing))
    if isinstance(type_, Tuple):
        merged = _merge(list(type_.elements))
        if _all_equal(merged):
            return _finish(array_of(_common(merged)))
        merged = _merge([_finish(element, keep_nothing=True) for element in type_.elements])
        return array_of(_common(merged)) if _all_equal(merged) else ARRAY_OF_DYNAMIC
    return type_


def _nullable_elements(type_: Type) -> Type:
    if type_.family == "Array":
        return array_of(_nullable_elements(_inner(type_)))
    return type_ if type_.family == "JSON" else nullable(type_)


# -- merging --------------------------------------------------------------------------------------------


def _merge(types: list[Type]) -> list[Type]:
    """`types` with each changed, where the rules allow it, towards one common type."""
    families = {type_.family for type_ in types}
    if "Nullable" in families:
        inner = _merge([_inner(type_) if type_.family == "Nullable" else type_ for type_ in types])
        pairs = zip(types, inner, strict=True)
        return _merge_complex([nullable(new) if old.family == "Nullable" else new for old, new in pairs])
    if "Array" in families:
        if len(families) == 1:
            types = [array_of(inner) for inner in _merge([_inner(type_) for type_ in types])]
        return _merge_complex(types)
    if "Tuple" in families:
        if len(families) == 1:
            types = _merge_elementwise(types)
        return _merge_complex(types)
    return _merge_simple(types)


def _merge_elementwise(types: list[Type]) -> list[Type]:
    """Tuples of one size, merged position by position."""
    rows = [type_.elements for type_ in types if isinstance(type_, Tuple)]
    if len({len(row) for row in rows}) > 1:
        return types
    columns = [_merge(list(column)) for column in zip(*rows, strict=True)]
    return [Tuple("Tuple", row) for row in zip(*columns, strict=True)]


def _merge_simple(types: list[Type]) -> list[Type]:
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


def _merge_complex(types: list[Type]) -> list[Type]:
    """What only shows beside containers and null: Nullable, Nothing, Tuple."""
    families = {type_.family for type_ in types}
    if "Nullable" in families:
        types = [nullable(type_) for type_ in types]
    known = [type_ for type_ in types if not _is_nothing(type_)]
    if known:
        # The last known type, not the first as for simple types.
        types = [known[-1] if _is_nothing(type_) else type_ for type_ in types]
    return _merge_tuples(types)


def _merge_tuples(types: list[Type]) -> list[Type]:
    """Tuples, and arrays beside them, become arrays."""
    if not any(isinstance(type_, Tuple) for type_ in types):
        return types
    types = [_uniform_tuple(type_) for type_ in types]
    tuples = [type_ for type_ in types if isinstance(type_, Tuple)]
    if not tuples:
        return types
    inner: list[Type] = []
    if any(t.family == "Array" for t in types) or len({len(t.elements) for t in tuples}) == 1:
        for type_ in types:
            if isinstance(type_, Tuple):
                inner += type_.elements
            elif type_.family == "Array":
                inner.append(_inner(type_))
        inner = _merge(inner)
    common = array_of(_common(inner)) if inner and _all_equal(inner) else ARRAY_OF_DYNAMIC
    return [common if type_.family in ("Array", "Tuple") else type_ for type_ in types]


def _uniform_tuple(type_: Type) -> Type:
    if isinstance(type_, Tuple) and _all_equal(list(type_.elements)):
        return array_of(_common(list(type_.elements)))
    return type_


# -- small questions ------------------------------------------------------------------------------------


def _inner(type_: Type) -> Type:
    assert isinstance(type_, Wrapper)
    return type_.inner


def _is_nothing(type_: Type) -> bool:
    return type_.family == "Nothing" or (type_.family == "Nullable" and _inner(type_).family == "Nothing")


def _is_complete(type_: Type) -> bool:
    if isinstance(type_, Tuple):
        return all(map(_is_complete, type_.elements))
    if isinstance(type_, Wrapper):
        return _is_complete(type_.inner)
    return type_.family != "Nothing"


def _all_equal(types: list[Type]) -> bool:
    first = types[0]
    return all(type_ is first or type_ == first for type_ in types)


def _common(types: list[Type]) -> Type:
    """One of the equal `types`: a negative integer if there is one, as later merges must know."""
    for type_ in types:
        if type_ is NEGATIVE:
            return type_
    return types[-1]
