"""Column types for rows whose table does not exist yet.

Each column gets the narrowest type that holds every value of the sample; what no single type
holds becomes ``Dynamic``.  Values are those of JSON: None, bool, int, float, str, list, dict.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ._badvalue import BadValue
from ._convert import to_days, to_ticks

__all__ = ["infer_columns"]

_EXACT = 1 << 53  # whole numbers up to here are exact as Float64
_MAX_LISTS = 32  # lists in lists; what is deeper is left to Dynamic
_INTEGERS = [("Int64", -(1 << 63), (1 << 63) - 1), ("UInt64", 0, (1 << 64) - 1)]
_INTEGERS += [("Int128", -(1 << 127), (1 << 127) - 1), ("Int256", -(1 << 255), (1 << 255) - 1)]
_DATE32 = (-25567, 120529)  # days: 1900-01-01 .. 2299-12-31
_NANOSECONDS = (-25567 * 86_400 * 10**9, (1 << 63) - 1)  # 1900-01-01 .. 2262-04-11


@dataclass
class _Seen:
    """What the values of one column, or the elements of its lists, have been."""

    count: int = 0
    kinds: set[type] = field(default_factory=set)
    low: int = 0
    high: int = 0
    dates: bool = True
    times: bool = True
    depth: int = 0
    elements: _Seen | None = None

    def add(self, value: object) -> None:
        self.count += 1
        kind = type(value)
        self.kinds.add(kind)
        if isinstance(value, int):
            self.low = min(self.low, value)
            self.high = max(self.high, value)
        elif isinstance(value, str):
            self.dates = self.dates and _is_date(value)
            self.times = self.times and _is_time(value)
        elif isinstance(value, list) and self.depth < _MAX_LISTS:
            self.elements = self.elements or _Seen(depth=self.depth + 1)
            for element in value:
                self.elements.add(element)

    def type_text(self, missing: bool, mixed: str) -> str:
        """The column's type; `missing` when rows without a value must be possible."""
        kinds = self.kinds - {type(None)}
        null = type(None) in self.kinds
        if kinds == {list} and not null and self.elements is not None:
            return f"Array({self.elements.type_text(False, 'Dynamic')})"
        if kinds == {dict}:
            return "Nullable(JSON)" if null else "JSON"
        found = self._scalar(kinds) or mixed
        if found == "Dynamic":  # holds NULL by itself
            return found
        return f"Nullable({found})" if null or missing else found

    def _scalar(self, kinds: set[type]) -> str | None:
        if kinds == {bool}:
            return "Bool"
        if kinds == {int}:
            fitting = (name for name, low, high in _INTEGERS if low <= self.low and self.high <= high)
            return next(fitting, None)
        if kinds in ({float}, {int, float}):
            return "Float64" if self.low >= -_EXACT and self.high <= _EXACT else None
        if kinds == {str}:
            if self.dates:
                return "Date32"
            return "DateTime64(9, 'UTC')" if self.times else "String"
        return None


def _is_date(text: str) -> bool:
    try:
        to_days(text, *_DATE32)
    except BadValue:
        return False
    return True


def _is_time(text: str) -> bool:
    if len(text) > 40:
        return False
    try:
        return _NANOSECONDS[0] <= to_ticks(text, 9, "utc", None) <= _NANOSECONDS[1]
    except BadValue:
        return False


def infer_columns(rows: Iterable[Mapping[str, object]], mixed: str = "Dynamic") -> list[tuple[str, str]]:
    """(name, type text) of every key in `rows`, in order of first appearance.

    ====================================  ========================================================
    values of the sample                  type
    ====================================  ========================================================
    true, false                           Bool
    whole numbers                         Int64; UInt64, Int128 or Int256 when it needs them
    numbers, some with a fraction         Float64, if it holds each whole one exactly
    ``YYYY-MM-DD`` in every value         Date32
    ISO dates and times in every value    DateTime64(9, 'UTC'), 1900 to April 2262
    other strings                         String
    objects                               JSON
    lists                                 Array(T) with T from all elements by this table
    not in every row                      Nullable(T); arrays and documents are empty instead
    some null                             Nullable(T), also of documents; of arrays `mixed`
    anything else, or nothing but nulls   `mixed`
    ====================================  ========================================================
    """
    columns: dict[str, _Seen] = {}
    total = 0
    for row in rows:
        total += 1
        for name, value in row.items():
            if name not in columns:
                columns[name] = _Seen()
            columns[name].add(value)
    return [(name, seen.type_text(seen.count < total, mixed)) for name, seen in columns.items()]
