"""clickhouse-connect with a faster insert: ``client = rowbinary.connect.accelerate(client)``.

Everything else stays: the client's connection, authentication, TLS, proxy and settings; the methods, their
arguments, results and exceptions.  See docs/connect.md.
"""

from __future__ import annotations

import inspect
from typing import Any, Literal, TypeVar

from ._client import class_of, is_accelerated
from ._errors import RowShapeError, ValueRefusedError
from ._options import Settings, is_embedded, make_options
from ._prepared import Preparations
from ._schemas import Schemas
from ._state import State

__all__ = ["RowShapeError", "ValueRefusedError", "accelerate", "get_async_client", "get_client"]

C = TypeVar("C")
_NEEDED = ("create_insert_context", "data_insert", "raw_insert")
_OPTIONS = ("json", "lax", "strict", "format", "schema_ttl", "retries")


def accelerate(
    client: C,
    *,
    json: Literal["text", "exact"] = "text",
    lax: bool = False,
    strict: bool = False,
    format: Literal["auto", "Native", "RowBinary"] = "auto",
    schema_ttl: float = 60.0,
    retries: int | None = None,
) -> C:
    """`client` with inserts that rowbinary encodes.

    The result is an instance of the client's class, over the same state: connections, settings, session and
    attributes are shared with `client`, which goes on working as before.  ``insert``, ``insert_df``,
    ``data_insert`` and ``create_insert_context`` have the arguments, results and exceptions that they had.

    Args:
        client: a synchronous or asynchronous client of clickhouse-connect, over HTTP or ``chdb://``.
        json: how values in JSON and Dynamic get their types: ``"text"`` as the server infers them from JSON
            text, which is what clickhouse-connect sends; ``"exact"`` as their Python types say.
        lax: take what clickhouse-connect takes at a loss: fractions and NaN as integers, texts as booleans,
            unknown labels of an Enum that has 0 as that, rows that are too long, values of Dynamic as text.
        strict: raise ``NotSupportedError`` where the wrapped client's own insert would be used instead, for
            a server or a type that cannot be served; else that is logged (``rowbinary.connect``).
        format: ``"Native"``; ``"RowBinary"``, which costs the client less and the server more; ``"auto"``:
            Native, but RowBinary for a list or tuple of at most 100 rows where there are JSON columns, whose
            Native block costs the server a millisecond or two whatever it holds.
        schema_ttl: seconds for which the description of a table is believed; 0 asks with every insert, as
            clickhouse-connect does.  Tables with Enum or named Tuple columns are always asked for, because
            the server does not notice when these have changed.
        retries: ``None`` does what clickhouse-connect does: an insert whose connection breaks is sent once
            more, whatever became of it.  A number is how often an insert is repeated, only where it is
            certain that nothing was stored, or where the settings have an ``insert_deduplication_token``.

    Raises:
        TypeError: `client` is no client of clickhouse-connect.
        ValueError: an option has no such choice.
    """
    kind: Any = type(client)
    if not all(callable(getattr(kind, name, None)) for name in _NEEDED):
        raise TypeError(f"a client of clickhouse-connect is needed, not {kind.__name__}")
    if is_accelerated(client):
        kind = kind.__mro__[2]
    if not isinstance(schema_ttl, int | float) or not schema_ttl >= 0:
        raise ValueError(f"schema_ttl must be a number of seconds, not {schema_ttl!r}")
    options = make_options(json, lax, strict, format, retries)
    threads = None
    if inspect.iscoroutinefunction(kind.data_insert):
        from .._async_sender import Threads

        threads = Threads()
    accelerated: Any = object.__new__(class_of(kind))
    accelerated.__dict__ = client.__dict__
    embedded = is_embedded(client)
    accelerated._rowbinary = State(
        options, Schemas(schema_ttl), Settings(), Preparations(options, embedded), embedded, threads
    )
    return accelerated  # type: ignore[no-any-return]


def get_client(**arguments: Any) -> Any:
    """An accelerated client, from the arguments of :func:`clickhouse_connect.get_client` and those of
    :func:`accelerate`."""
    import clickhouse_connect

    options = _taken(arguments)
    return accelerate(clickhouse_connect.get_client(**arguments), **options)


async def get_async_client(**arguments: Any) -> Any:
    """An accelerated asynchronous client, from the arguments of
    :func:`clickhouse_connect.get_async_client` and those of :func:`accelerate`."""
    import clickhouse_connect

    options = _taken(arguments)
    return accelerate(await clickhouse_connect.get_async_client(**arguments), **options)


def _taken(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: arguments.pop(name) for name in _OPTIONS if name in arguments}
