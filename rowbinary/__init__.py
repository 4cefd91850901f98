"""Python rows to ClickHouse RowBinary, with JSON, Dynamic and Variant in typed binary form.

import rowbinary
body = rowbinary.encode_rows("id UInt64, attrs JSON", [(1, {"a": {"b": [1, 2]}})])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._api import Encoder, encode_rows, iter_encode
from ._cityhash import kernels
from ._impl import implementation
from ._options import Format, JsonMode
from ._parse import parse_type
from ._schema import Schema
from ._typed import DEFAULT, Typed, typed
from ._types import Type
from ._version import __version__
from .errors import (
    AnswerTimeoutError,
    ClientError,
    ConnectTimeoutError,
    DecodeError,
    EncodeError,
    FrameError,
    RowBinaryError,
    SchemaError,
    SendTimeoutError,
    ServerError,
    TransportError,
    UnknownStateError,
)

if TYPE_CHECKING:
    from ._async_client import AsyncClient
    from ._client import Client
    from ._columnar import encode_columns, iter_encode_columns
    from ._decode import decode_rows, iter_decode
    from ._job import InsertProgress, InsertResult, QueryResult, Timings

# Loaded when they are first used: they need modules that take longer to import than all of this.
_LAZY = {
    "AsyncClient": "_async_client",
    "Client": "_client",
    "InsertProgress": "_job",
    "InsertResult": "_job",
    "QueryResult": "_job",
    "Timings": "_job",
    "decode_rows": "_decode",
    "encode_columns": "_columnar",
    "iter_decode": "_decode",
    "iter_encode_columns": "_columnar",
}

__all__ = [
    "AnswerTimeoutError",
    "AsyncClient",
    "Client",
    "ClientError",
    "ConnectTimeoutError",
    "DEFAULT",
    "DecodeError",
    "EncodeError",
    "Encoder",
    "Format",
    "FrameError",
    "InsertProgress",
    "InsertResult",
    "JsonMode",
    "QueryResult",
    "RowBinaryError",
    "Schema",
    "SchemaError",
    "SendTimeoutError",
    "ServerError",
    "Timings",
    "TransportError",
    "Type",
    "Typed",
    "UnknownStateError",
    "__version__",
    "decode_rows",
    "encode_columns",
    "encode_rows",
    "implementation",
    "iter_decode",
    "iter_encode",
    "iter_encode_columns",
    "kernels",
    "parse_type",
    "typed",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
