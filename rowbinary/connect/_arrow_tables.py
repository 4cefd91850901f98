"""``insert_arrow``: tables that the server would read from Arrow as the kernels read them go as Native.

The server converts what it reads from Arrow as it converts everything: numbers wrap, texts become dates, NULL
becomes a default.  So only those pairs of types are taken here of which it has been seen (tests) that both
ways store the same; all other tables go the way of the wrapped client, as a whole.
"""

from __future__ import annotations

import importlib
from typing import Any

from clickhouse_connect.driver.exceptions import Error
from clickhouse_connect.driver.options import check_arrow
from clickhouse_connect.driver.summary import QuerySummary

from .. import _types as t
from ..errors import SchemaError
from ._context import AcceleratedContext, Asked, context_steps
from ._insert import insert_steps, reason_against
from ._state import State
from ._steps import OwnArrow, Steps
from ._traits import traits_of

__all__ = ["arrow_steps"]

_SCALES = {"s": 0, "ms": 3, "us": 6, "ns": 9}
_TOLD = "input_format_arrow_"  # how the server has to read Arrow


def arrow_steps(client: Any, state: State, asked: Asked, table: Any) -> Steps[QuerySummary]:
    """Insert an Arrow table into what is `asked` for."""
    check_arrow()  # type: ignore[no-untyped-call]
    _tag(client)
    context = yield from _context(client, state, asked, table)
    if context is None:
        given = asked._asdict()
        names = ("table", "database", "settings", "transport_settings")
        own: QuerySummary = yield OwnArrow({"arrow_table": table, **{name: given[name] for name in names}})
        return own
    context.data = table
    return (yield from insert_steps(client, state, context))


def _tag(client: Any) -> None:
    """What clickhouse-connect says of itself to the server, where it does."""
    add = getattr(client, "_add_integration_tag", None)
    if add is not None:
        add("arrow")


def _context(client: Any, state: State, asked: Asked, table: Any) -> Steps[AcceleratedContext | None]:
    """A context for the columns of `table`; ``None`` where it is left to the wrapped client."""
    if not _is_table(table) or any(name.startswith(_TOLD) for name in asked.settings or ()):
        return None
    asked = asked._replace(column_names=list(table.schema.names))
    try:
        context = yield from context_steps(client, state.schemas, asked, False, None)
        traits = traits_of(context.column_names, context.column_types)
    except (Error, SchemaError):  # the wrapped client's way has a message of its own
        return None
    columns = zip(table.columns, traits.schema.types, strict=True)
    if not all(_is_same(column, type_) for column, type_ in columns):
        return None
    return context if reason_against(client, state, context, traits) is None else None


def _is_table(table: Any) -> bool:
    """Whether this is a table with rows, of columns that have names of their own and types that are known."""
    pa: Any = importlib.import_module("pyarrow")
    if not isinstance(table, pa.Table) or not table.num_rows:
        return False
    names = table.schema.names
    return len(set(names)) == len(names) and all(_is_known(field.type) for field in table.schema)


def _is_known(kind: Any) -> bool:
    """Whether there is a type of columns that takes this one as it is.

    Left out is what the server reads as fast from Arrow: dictionaries, decimals, bytes of one length.
    """
    types: Any = importlib.import_module("pyarrow").types
    if types.is_list(kind) or types.is_large_list(kind):
        return _is_known(kind.value_type)
    known = ("boolean", "integer", "floating", "date32", "timestamp")
    return _is_text(kind) or any(getattr(types, f"is_{name}")(kind) for name in known)


def _is_text(kind: Any) -> bool:
    types: Any = importlib.import_module("pyarrow").types
    known = ("string", "large_string", "binary", "large_binary")
    return any(getattr(types, f"is_{name}")(kind) for name in known)


def _is_same(column: Any, type_: t.Type) -> bool:
    """Whether the server makes the same of all values in `column` as the kernels."""
    nullable = False
    if isinstance(type_, t.Wrapper) and type_.family == "LowCardinality":
        type_ = type_.inner
        if not _is_text(column.type):
            return False
    if isinstance(type_, t.Wrapper) and type_.family == "Nullable":
        type_, nullable = type_.inner, True
    if column.null_count and not nullable:
        return False  # the server puts defaults there
    if isinstance(type_, t.Wrapper) and type_.family == "Array":
        return hasattr(column.type, "value_type") and _is_same_list(column, type_.inner)
    return _is_pair(column, type_)


def _is_same_list(column: Any, inner: t.Type) -> bool:
    pa: Any = importlib.import_module("pyarrow")
    elements = [chunk.flatten() for chunk in column.chunks]
    return _is_same(pa.chunked_array(elements, column.type.value_type), inner)


def _is_pair(column: Any, type_: t.Type) -> bool:
    types: Any = importlib.import_module("pyarrow").types
    kind, family = column.type, type_.family
    if types.is_integer(kind):
        return family == f"{'U' * types.is_unsigned_integer(kind)}Int{kind.bit_width}"
    if types.is_floating(kind):
        return family == f"Float{kind.bit_width}" or (family == "Float64" and kind.bit_width == 32)
    if types.is_boolean(kind):
        return family == "Bool"
    if _is_text(kind):
        return family == "String"
    if types.is_date32(kind):
        return family == "Date32"
    if not types.is_timestamp(kind):
        return False
    if isinstance(type_, t.DateTime64):
        return type_.scale == _SCALES[kind.unit]
    return family == "DateTime" and _is_in_range(column, 2**32 * 10 ** _SCALES[kind.unit])


def _is_in_range(column: Any, end: int) -> bool:
    """Whether all times are of 1970 to 2106: the server wraps others."""
    compute: Any = importlib.import_module("pyarrow.compute")
    found = compute.min_max(column.cast("int64")).as_py()
    return found["min"] is not None and found["min"] >= 0 and found["max"] < end
