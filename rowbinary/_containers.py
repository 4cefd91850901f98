"""Python containers as the walk needs them: sequences, pairs, elements, documents.

Both implementations come here for every container that is not an exact list, tuple or dict.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from ._badvalue import BadValue
from ._options import MAX_ARRAY, MAX_VALUES

if TYPE_CHECKING:
    from ._plan import Node

T = TypeVar("T")

CHANGED = "it changed size while it was being encoded"
_MAX_COPIED = 1 << 27  # elements copied into a list, 1 GiB of pointers


class _Missing:
    """Marks a tuple element or column that is to be written as its type's zero."""


MISSING = _Missing()


def as_sequence(value: object) -> list[object] | tuple[object, ...]:
    """The items of an array-like; lists and tuples as they are, everything else copied."""
    if type(value) is list or type(value) is tuple:
        return value
    if isinstance(value, list):
        return list.__getitem__(value, slice(None))
    if isinstance(value, tuple):
        return tuple.__getitem__(value, slice(None))
    if value is None or isinstance(value, str | bytes | bytearray | memoryview | Mapping):
        raise BadValue("not a sequence")
    tolist = getattr(value, "tolist", None)
    # tolist() of a datetime64 array may give bare ints: keep its elements as they are then.
    if tolist is not None and getattr(getattr(value, "dtype", None), "kind", "") not in ("M", "m"):
        value = tolist()
        if type(value) is list:
            return value
        raise BadValue("not a sequence")
    if not isinstance(value, Collection):
        raise BadValue("not a sequence (an iterator has no length; pass a list)")
    return bounded(value, len(value))


class Budget:
    """The number of values that may still be copied out of one document."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_VALUES

    def spend(self, count: int) -> None:
        """Raise BadValue when `count` more are too many."""
        self.left -= count
        if self.left < 0:
            raise BadValue(f"more than {MAX_VALUES} values")


def bounded(items: Iterable[T], count: int) -> list[T]:
    """`items` as a list of `count`; one that says `count` and gives more could go on for ever."""
    if count > _MAX_COPIED:
        raise BadValue(f"more than {_MAX_COPIED} elements")
    copied = list(itertools.islice(items, count + 1))
    if len(copied) != count:
        raise BadValue(f"it has another number of elements than its length {count}")
    return copied


def checked_length(items: Sequence[object]) -> int:
    """The number of items, within what the server reads."""
    if len(items) > MAX_ARRAY:
        raise BadValue(f"more than {MAX_ARRAY} elements")
    return len(items)


def as_pairs(value: object) -> list[tuple[object, object]]:
    """Key and value of a Map: from a Mapping, or a sequence of pairs (which may repeat keys)."""
    if type(value) is dict:
        return list(value.items())
    if isinstance(value, Mapping):
        return [(key, item) for key, item in bounded(value.items(), len(value))]
    pairs: list[tuple[object, object]] = []
    for pair in as_sequence(value):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise BadValue("neither a mapping nor a sequence of pairs")
        pairs.append((pair[0], pair[1]))
    return pairs


def as_elements(value: object, node: Node, zero_missing: bool) -> Sequence[object]:
    """The elements of a Tuple in order; named tuples also come from mappings and attributes."""
    count = len(node.children)
    if not isinstance(value, tuple | list) and node.names is not None:
        if isinstance(value, Mapping):
            return _named(value, node.names, zero_missing)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            return _named(fields, node.names, zero_missing)
        if not isinstance(value, Collection) and all(hasattr(value, name) for name in node.names):
            return [getattr(value, name) for name in node.names]
    items = as_sequence(value)
    if len(items) != count:
        raise BadValue(f"{len(items)} elements instead of {count}")
    return items


def _named(value: Mapping[str, object], names: tuple[str, ...], zero_missing: bool) -> list[object]:
    items: list[object] = []
    for name in names:
        if name in value:
            items.append(value[name])
        elif zero_missing:
            items.append(MISSING)
        else:
            raise BadValue(f"element {name!r} is missing")
    if len(value) > sum(item is not MISSING for item in items):
        unknown = next(key for key in value if key not in names)
        raise BadValue(f"unknown element {unknown!r}")
    return items


def as_object(value: object) -> Mapping[object, object] | None:
    """A JSON object's mapping, ``None`` when `value` is no object."""
    if isinstance(value, Mapping):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return None
