"""Columns to bytes: ``encode_columns`` and ``iter_encode_columns``.

Each column of a batch goes one of two ways.  Kernels read it where it lies, with the GIL released
(:mod:`rowbinary._compile` says which can); all others, and what kernels refuse, are written by the row
encoder, value by value: it knows every type and the reason of every error.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator
from typing import Any

from . import _impl
from ._api import DEFAULT_CHUNK, DEFAULT_NATIVE_CHUNK, iter_encode
from ._native import BLOCK_BYTES
from ._options import DuplicateRule, ExtraRule, Format, JsonMode, NaiveRule, check_choice, make_options
from ._schema import Schema, SchemaLike
from ._sources import rows_of
from ._tables import batches

try:
    from . import _kernels as kernels
except ImportError:  # not compiled: every column goes the way of the rows
    kernels = None  # type: ignore[assignment]


def encode_columns(
    schema: SchemaLike,
    columns: Any,
    *,
    format: Format = "RowBinary",
    json: JsonMode = "exact",
    naive: NaiveRule = "utc",
    extra: ExtraRule = "error",
    duplicate_paths: DuplicateRule | None = None,
    json_zone: dt.tzinfo | None = None,
    implementation: str | None = None,
) -> bytes:
    """Whole columns as the body of ``INSERT INTO t FORMAT <format>``, without a Python object per value.

    Args:
        schema: as of :func:`rowbinary.encode_rows`.
        columns: what has columns: a pyarrow Table or RecordBatch, a polars or pandas DataFrame, anything
            with ``__arrow_c_stream__`` or ``__arrow_c_array__`` (record batches), a structured NumPy array, a
            mapping of names to columns, or a sequence of columns in the schema's order.  A column is a
            NumPy array (of two dimensions for arrays of equal lengths), a pandas or polars Series, an Arrow
            array, or any sequence of Python values.  Columns are found by name where there are names.
        format: as of :func:`rowbinary.encode_rows`; no cell can be DEFAULT.
        json: as of :func:`rowbinary.encode_rows`.
        naive: the zone of times without one, as of :func:`rowbinary.encode_rows`; NumPy's datetime64 is in
            UTC.
        extra: a named column that the schema does not have: ``"error"`` or ``"ignore"``.
        duplicate_paths, json_zone: as of :func:`rowbinary.encode_rows`.
        implementation: ``"c"`` or ``"python"`` instead of the one in use.

    Every value is checked as if it came in a row: the result means what
    ``encode_rows(schema, zip(*columns))`` would mean, and errors are the same.  NULL is what the producer
    says it is (Arrow's validity, pandas' missing values, NaT, ``None``); a NaN in a column of floats is a
    number.  Memory is read where it is, except that of NumPy's ``str`` arrays, and while it is read the GIL
    is released: columns must not change until the call returns.

    Raises:
        SchemaError: `schema` cannot be understood.
        EncodeError: a value does not fit, a column is missing, or lengths differ.
        TypeError: something is no column.
        ValueError: an option has no such choice.
    """
    whole = DEFAULT_NATIVE_CHUNK if format == "Native" else 1 << 62
    return b"".join(
        iter_encode_columns(
            schema,
            columns,
            format=format,
            chunk_bytes=whole,
            json=json,
            naive=naive,
            extra=extra,
            duplicate_paths=duplicate_paths,
            json_zone=json_zone,
            implementation=implementation,
        )
    )


def iter_encode_columns(
    schema: SchemaLike,
    columns: Any,
    *,
    format: Format = "RowBinary",
    chunk_bytes: int | None = None,
    json: JsonMode = "exact",
    naive: NaiveRule = "utc",
    extra: ExtraRule = "error",
    duplicate_paths: DuplicateRule | None = None,
    json_zone: dt.tzinfo | None = None,
    implementation: str | None = None,
) -> Generator[bytes, None, None]:
    """Like :func:`encode_columns`, in chunks; record batches are asked for as they are needed.

    A chunk holds whole rows and ends with the first row that brings it to `chunk_bytes` or more (default
    1 MiB).  With Native a chunk is a block of at most 65,536 rows and about 4 MiB, or `chunk_bytes` if that
    is less; the last one may have a quarter more; without the C modules it may be several small blocks.
    Arguments are checked by the call, columns are read as chunks are asked for.
    """
    options = make_options(format, json, naive, "error", extra, duplicate_paths, json_zone)
    schema = Schema.of(schema)
    if chunk_bytes is None:
        chunk_bytes = DEFAULT_NATIVE_CHUNK if options.native else DEFAULT_CHUNK
    if not isinstance(chunk_bytes, int) or chunk_bytes < 1:
        raise ValueError(f"chunk_bytes must be a positive int, not {chunk_bytes!r}")
    rules: dict[str, Any] = {
        "json": json,
        "naive": naive,
        "duplicate_paths": duplicate_paths,
        "json_zone": json_zone,
    }
    names = schema.plan.names
    tables = batches(columns, names, ignore_extra=extra == "ignore")
    if kernels is None or (implementation or _impl.implementation) == "python":
        check_choice("implementation", implementation, (None, "c", "python"))  # type: ignore[arg-type]
        rows = rows_of(tables, names, schema.plan.nodes)
        return iter_encode(
            schema, rows, format=format, chunk_bytes=chunk_bytes, implementation=implementation, **rules
        )
    check_choice("implementation", implementation, (None, "c"))  # type: ignore[arg-type]
    if options.native:
        from ._columnar_blocks import blocks

        return blocks(schema, tables, rules, min(chunk_bytes, BLOCK_BYTES))
    from ._columnar_rows import chunks

    return chunks(schema, tables, rules, format, options.defaults, chunk_bytes)
