"""The C row encoder and the readers in C (csrc/ext)."""

from collections.abc import Callable, Iterator
from typing import Any

from ._cursor import Owner
from ._options import Options, Reading
from ._plan import Node, Plan
from ._read_columns import Column
from ._read_rows import Columns, Row
from ._types import Type
from .errors import EncodeError

PLAN_HASH: str

class Chunks:
    """Chunks whose memory is used again once nobody holds them any more."""

    def fresh(self, size: int, /) -> bytes: ...

class RowEncoder:
    """As rowbinary._encode.RowEncoder."""

    implementation: str
    @property
    def index(self) -> int: ...
    @property
    def rows(self) -> int: ...
    def __init__(self, plan: Plan, options: Options) -> None: ...
    def __len__(self) -> int: ...
    def append(self, data: bytes) -> None: ...
    def write(self, row: object) -> None: ...
    def fill(
        self,
        rows: Iterator[object],
        limit: int,
        on_error: Callable[[object, int, EncodeError], object] | None,
    ) -> bool: ...
    def take(self) -> bytes: ...

class Source:
    """As rowbinary._cursor.Cursor; what Position has is not here."""

    column: str | None
    empty: int
    failure: Exception | None
    index: int | None
    labels: dict[Node, dict[int, str]]
    level: int
    nodes: dict[Type, Node]
    owners: list[Owner]
    row: int | None
    rules: Reading
    @property
    def left(self) -> int: ...
    @property
    def offset(self) -> int: ...
    def __init__(self, data: bytes, chunks: Iterator[bytes] | None, rules: Reading) -> None: ...
    def data(self, column: Column, count: int, /) -> list[Any]: ...
    def ensure(self, count: int, /) -> bool: ...
    def kept(self, column: Column, count: int, /) -> object: ...
    def outer(self, index: int, /) -> int: ...
    def rows(self, columns: Columns, most: int, /) -> list[Row]: ...
    def take(self, count: int, /) -> bytes: ...
    def tuples(self, columns: list[Any], count: int, /) -> list[Row]: ...
