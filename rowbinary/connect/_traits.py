"""What follows from the columns of a table alone, found out once for all inserts into it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .. import _types as t
from .._choice import has_documents, is_compared, native_from, suits_rows
from .._schema import Schema

__all__ = ["Traits", "traits_of"]


@dataclass(frozen=True)
class Traits:
    """The columns as a schema, and what an insert has to know of them.

    Attributes:
        readers: the first version of the server that reads all of them in Native as they are meant.
        has_json: whether there are documents, whose types are inferred.
        suits_rows: whether a few rows cost less in a row format.
        has_zoneless: whether there are points in time without a zone of their own.
        compared: whether the server refuses a Native block of these types when the table has others.
    """

    schema: Schema
    readers: tuple[int, ...]
    has_json: bool
    suits_rows: bool
    has_zoneless: bool
    compared: bool


def traits_of(names: Sequence[str], types: Sequence[Any]) -> Traits:
    """What is known of columns with these types of clickhouse-connect.

    Raises `SchemaError` for columns that cannot be encoded.
    """
    return _traits(tuple(names), tuple(types))


@functools.lru_cache(maxsize=512)
def _traits(names: tuple[str, ...], types: tuple[Any, ...]) -> Traits:
    schema = Schema([(name, type_.name) for name, type_ in zip(names, types, strict=True)])
    schema.plan  # noqa: B018 (a type that cannot be encoded is found now)
    texts = [type_.text for type_ in schema.types]
    typed = any(word in text for word in ("JSON", "Dynamic", "Variant") for text in texts)
    return Traits(
        schema,
        readers=native_from(schema, "text") if typed else (0,),
        has_json=has_documents(schema),
        suits_rows=suits_rows(schema),
        has_zoneless=any(map(_is_zoneless, schema.types)),
        compared=is_compared(schema),
    )


def _is_zoneless(type_: t.Type) -> bool:
    """Whether there is a DateTime without a zone in `type_`; the text says so for nested ones."""
    if isinstance(type_, t.DateTime | t.DateTime64):
        return type_.timezone is None
    if isinstance(type_, t.Wrapper):
        return _is_zoneless(type_.inner)
    return "DateTime" in type_.text
