"""Values that say more than a Python object can: ``typed(value, type)`` and ``DEFAULT``."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from ._types import Type

if TYPE_CHECKING:
    from ._plan import Node


@final
class Typed:
    """A value with its ClickHouse type, for Dynamic, Variant and JSON (see :func:`typed`)."""

    __slots__ = ("_node", "type", "value")

    def __init__(self, value: object, type: Type):
        self.value = value
        self.type = type
        self._node: Node | None = None

    @property
    def node(self) -> Node:
        """The compiled type."""
        if self._node is None:
            from ._plan import compile_type

            self._node = compile_type(self.type)
        return self._node

    def __repr__(self) -> str:
        return f"typed({self.value!r}, {self.type.text!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Typed):
            return NotImplemented
        return self.type == other.type and self.value == other.value

    __hash__ = None  # type: ignore[assignment]  # values are often lists and dicts


def typed(value: object, type: str | Type) -> Typed:
    """`value` to be written as exactly `type` where the column would let several types do.

    In a Dynamic column or an untyped JSON path the type is written as the value's type tag; in a
    Variant it picks the member; elsewhere it must equal the declared type.

    Raises :class:`SchemaError` when `type` is a text that cannot be parsed.
    """
    if isinstance(type, str):
        from ._parse import parse_type

        type = parse_type(type)
    return Typed(value, type)


@final
class Default:
    """The type of :data:`DEFAULT`."""

    __slots__ = ()
    _instance: Default | None = None

    def __new__(cls) -> Default:
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    def __repr__(self) -> str:
        return "DEFAULT"

    def __reduce__(self) -> str:
        return "DEFAULT"


DEFAULT = Default()
"""In a cell: use the column's DEFAULT.  Only formats ending in ``Defaults`` can say so."""
