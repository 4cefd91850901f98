"""Which format an insert has on the wire, where the caller leaves that to the client.

``Native`` costs client, wire and server least together, so it is the choice wherever the server reads
all columns in it as they are meant; else a row format.  In order:

- **No Native** before 23.3, or when the version is not known: only from there on can the client tell
  the server to refuse a column of another type (``input_format_native_allow_types_conversion``, #46990)
  and not cast it, which turns 300 for a UInt8 into 44.
- **No Native for Variant, Dynamic and JSON** before 24.8, anywhere in a type: the first release with
  their layout of today (JSON #66444, Dynamic #68132).  With ``json="string"`` before 24.10 (documents
  as text in Native: #70312), also for Dynamic, which can hold documents.
- **No Native for Enum and for Tuples with names**, outside of JSON, unless the server has described the
  table a moment ago: told to refuse other types, it takes an Enum by its numbers and a Tuple by its places
  all the same (its ``recursiveLowCardinalityTypeConversion``; seen on 26.9).  The row format compares them.
- **No Native for up to 100 rows with JSON**, where their number is known: every path is a column of a Native
  block, which the server makes anew for each insert (one to two milliseconds for spans and documents), while
  a row costs it about 10 us more in a row format; ``benchmarks/test_connect.py`` measures both.  Not for
  types with ``SKIP``, which the server reads in another way in rows.
- **No Native for blocks of fewer rows** than the server makes by itself: it reads a Native block whole,
  whatever ``max_insert_block_size`` says.
- Where rows may leave cells to the column's DEFAULT, as those of the command line do: Native when it is
  known that no column has a default expression, else ``RowBinaryWithDefaults`` (from 23.8 on): in
  Native, rows that differ in which columns are DEFAULT take a block each.
- The row format is otherwise ``RowBinaryWithNamesAndTypes``, from 22.1 on, where the server compares
  names and types, and ``RowBinary`` before.
"""

from __future__ import annotations

from collections.abc import Iterator

from . import _types as t
from ._options import Format
from ._schema import Schema

__all__ = [
    "BLOCK_ROWS",
    "FEW_DOCUMENTS",
    "NATIVE_IS_STRICT",
    "choose_format",
    "has_documents",
    "is_compared",
    "native_from",
    "suits_rows",
]

FEW_DOCUMENTS = 100

# The least default of max_insert_block_size, and min_insert_block_size_rows, of all versions.
BLOCK_ROWS = 1_048_449
NATIVE_IS_STRICT = (23, 3)
_NATIVE_DYNAMIC = (24, 8)
_NATIVE_JSON_TEXT = (24, 10)
_READS_DEFAULTS = (23, 8)
_CHECKS_TYPES = (22, 1)


def choose_format(
    schema: Schema,
    version: tuple[int, ...] | None,
    *,
    json: str = "exact",
    block_rows: int | None = None,
    defaults: bool = False,
    fresh: bool = False,
    rows: int | None = None,
) -> Format:
    """The best format for rows of `schema` that a server of `version` reads.

    `json` is the encoder's option; `block_rows` the rows of a block, where they are asked for;
    `defaults`: cells may be DEFAULT; `fresh`: the server has just said that the table is like that; `rows`:
    how many there are, where that is known.
    """
    known = version or (0,)
    no_expressions = schema.defaulted is not None and schema.defaulted.isdisjoint(schema.names)
    whole_blocks = block_rows is None or block_rows >= BLOCK_ROWS
    few = rows is not None and rows <= FEW_DOCUMENTS and json != "string" and suits_rows(schema)
    safe = (fresh or is_compared(schema)) and (no_expressions or not defaults)
    if safe and whole_blocks and not few and known >= native_from(schema, json):
        return "Native"
    if defaults:
        return "RowBinaryWithDefaults" if known >= _READS_DEFAULTS else "RowBinary"
    return "RowBinaryWithNamesAndTypes" if known >= _CHECKS_TYPES else "RowBinary"


def is_compared(schema: Schema) -> bool:
    """Whether the server notices in a Native block that the table has other types than `schema`."""
    return not any(isinstance(type_, t.Enum) or _has_names(type_) for type_ in _types_in(schema))


def _has_names(type_: t.Type) -> bool:
    return isinstance(type_, t.Tuple) and len(type_.names or ()) > 1


def native_from(schema: Schema, json: str) -> tuple[int, ...]:
    """The first version that reads `schema` in Native, and refuses other types."""
    first = NATIVE_IS_STRICT
    for type_ in _types_in(schema):
        if isinstance(type_, t.JSON | t.Dynamic):
            first = max(first, _NATIVE_JSON_TEXT if json == "string" else _NATIVE_DYNAMIC)
        elif isinstance(type_, t.Variant):
            first = max(first, _NATIVE_DYNAMIC)
    return first


def has_documents(schema: Schema) -> bool:
    """Whether there is JSON anywhere in the types."""
    return any(isinstance(type_, t.JSON) for type_ in _types_in(schema))


def suits_rows(schema: Schema) -> bool:
    """Whether up to `FEW_DOCUMENTS` rows cost less in a row format, and are the same in it.

    The server's reader of documents in rows takes two paths of ``SKIP`` for more than they say.
    """
    documents = [type_ for type_ in _types_in(schema) if isinstance(type_, t.JSON)]
    return bool(documents) and not any("SKIP" in type_.text for type_ in documents)


def _types_in(schema: Schema) -> Iterator[t.Type]:
    """All types in `schema`, but for those of typed paths."""
    pending = list(schema.types)
    while pending:
        type_ = pending.pop()
        yield type_
        match type_:
            case t.Variant():
                pending += type_.members
            case t.Wrapper():
                pending.append(type_.inner)
            case t.Map():
                pending += [type_.key, type_.value]
            case t.Tuple():
                pending += type_.elements
            case t.Aggregate():
                pending += type_.arguments
            case t.Alias():
                pending.append(type_.structure)
