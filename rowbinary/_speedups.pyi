"""The C row encoder (csrc/ext)."""

from collections.abc import Callable, Iterator

from ._options import Options
from ._plan import Plan
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
