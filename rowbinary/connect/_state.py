"""What an accelerated client has of its own, besides what it shares with the client that it was made from."""

from __future__ import annotations

from typing import Any, NamedTuple

from ._options import Options, Settings
from ._prepared import Preparations
from ._schemas import Schemas

__all__ = ["State"]


class State(NamedTuple):
    """`embedded`: the engine is in this process, and reads bodies from files; `threads`: where the client
    is asynchronous."""

    options: Options
    schemas: Schemas
    settings: Settings
    prepared: Preparations
    embedded: bool
    threads: Any = None
