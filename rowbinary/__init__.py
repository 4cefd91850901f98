"""Python rows to ClickHouse RowBinary, with JSON, Dynamic and Variant in typed binary form.

import rowbinary
body = rowbinary.encode_rows("id UInt64, attrs JSON", [(1, {"a": {"b": [1, 2]}})])
"""

from __future__ import annotations

from ._api import Encoder, encode_rows, iter_encode
from ._cityhash import kernels
from ._impl import implementation
from ._options import Format, JsonMode
from ._parse import parse_type
from ._schema import Schema
from ._typed import DEFAULT, Typed, typed
from ._types import Type
from ._version import __version__
from .errors import DecodeError, EncodeError, RowBinaryError, SchemaError

__all__ = [
    "DEFAULT",
    "DecodeError",
    "EncodeError",
    "Encoder",
    "Format",
    "JsonMode",
    "RowBinaryError",
    "Schema",
    "SchemaError",
    "Type",
    "Typed",
    "__version__",
    "encode_rows",
    "implementation",
    "iter_encode",
    "kernels",
    "parse_type",
    "typed",
]
