"""What a writer may need besides its node: the options, and how deep it is."""

from __future__ import annotations

import datetime as dt

from ._badvalue import BadValue
from ._options import MAX_DEPTH, Options


class Context:
    """Per-encoder state shared by all writers.

    ``depth`` counts the containers of the Dynamic or JSON value being written; ``count`` is the
    length of the array written last, for the check of flattened Nested columns; ``mixed`` notes
    for the Dynamic value being written which of its arrays are Array(Dynamic), by ``id``.

    For Native blocks: ``absent`` has the columns whose cells are DEFAULT; ``sized_states`` puts a length
    in front of aggregate states, so that they can be told apart before they come into their column.
    """

    __slots__ = (
        "absent",
        "count",
        "depth",
        "duplicates",
        "json",
        "mixed",
        "naive",
        "sized_states",
        "zero_missing",
        "zone",
    )

    def __init__(self, options: Options):
        self.json = options.json
        self.naive = options.naive
        self.duplicates = options.duplicate_paths
        self.zero_missing = options.missing == "zero"
        # The zone of date texts without one (json="text"): the server would use its own.
        self.zone = options.json_zone or (LocalZone() if options.naive == "local" else dt.UTC)
        self.depth = 0
        self.count = 0
        self.mixed: dict[int, tuple[bool, object]] | None = None
        self.absent: list[int] = []
        self.sized_states = options.native

    def enter(self) -> None:
        """One container deeper.  The caller must leave, also when writing fails."""
        if self.depth >= MAX_DEPTH:
            raise BadValue(f"nested deeper than {MAX_DEPTH} levels")
        self.depth += 1

    def leave(self) -> None:
        """Out of the container again."""
        self.depth -= 1


class LocalZone(dt.tzinfo):
    """The zone of this machine, with its history of daylight saving."""

    def utcoffset(self, when: dt.datetime | None) -> dt.timedelta | None:
        return None if when is None else when.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, when: dt.datetime | None) -> dt.timedelta | None:
        return None

    def tzname(self, when: dt.datetime | None) -> str | None:
        return None if when is None else when.replace(tzinfo=None).astimezone().tzname()
