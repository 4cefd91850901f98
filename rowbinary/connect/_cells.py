"""Columns of NumPy arrays and Python values, made what clickhouse-connect would have made of them.

The encoder takes them as they are; where clickhouse-connect understands something else (a truth value in a
number, the number of a label in a float), that is made here, for a whole column at once if it can be.
"""

from __future__ import annotations

import datetime as dt
import decimal
import functools
import importlib
import math
import sys
from dataclasses import dataclass
from typing import Any

from .. import _types as t
from .._sources import PER_SECOND
from ._values import converter, scaled

__all__ = ["Target", "array_column", "float_column", "list_column", "number_column", "time_column"]

FLOATS = frozenset({"Float32", "Float64", "BFloat16"})
TIMES = frozenset({"Time", "Time64"})
MOMENTS = frozenset({"Date", "Date32", "DateTime", "DateTime64"})
_MANY = 1000
_WHOLE = 2.0**53  # floats below have all their digits


@dataclass(frozen=True)
class Target:
    """A column of the table.

    ``plain`` is its type without Nullable and the like, ``lax`` what the caller has chosen.
    """

    type: t.Type
    plain: t.Type
    nullable: bool
    lax: bool

    @classmethod
    @functools.lru_cache(maxsize=1024)
    def of(cls, type_: t.Type, lax: bool) -> Target:
        """The target of type `type_`."""
        plain, nullable = type_, False
        while True:
            match plain:
                case t.Wrapper(family="Nullable" | "LowCardinality"):
                    nullable = nullable or plain.family == "Nullable"
                    plain = plain.inner
                case t.Aggregate(family="SimpleAggregateFunction"):
                    plain = plain.arguments[0]
                case _:
                    return cls(type_, plain, nullable, lax)

    @property
    def family(self) -> str:
        """The name of the plain type."""
        return self.plain.family

    @property
    def is_integer(self) -> bool:
        """Whether it is of one of the types from Int8 to UInt256."""
        return self.family.startswith(("Int", "UInt")) and not self.family.startswith("Interval")

    @property
    def blank(self) -> Any:
        """What a missing value is: of Enums without NULL what has the number 0, as in clickhouse-connect."""
        if not self.nullable:
            if isinstance(self.plain, t.Enum) and any(number == 0 for _, number in self.plain.labels):
                return 0
            if self.lax and self.is_integer:
                return 0
        return None

    @property
    def missing(self) -> Any:
        """What a missing value of a column that can have such values is."""
        return math.nan if self.family in FLOATS and not self.nullable else self.blank


# --- Python values ------------------------------------------------------------------------------------


def list_column(values: list[Any], target: Target) -> Any:
    """Python values, converted where the encoder would refuse one of them that clickhouse-connect takes."""
    convert = converter(target.type, target.lax)
    if target.family == "String" and not target.lax:
        return _texts(values)
    if convert is None and target.family not in _LOOKED_AT and not isinstance(target.plain, t.Enum):
        return values
    kinds = set(map(type, values))
    if isinstance(target.plain, t.Enum) and float in kinds:
        values = [int(v) if type(v) is float and v.is_integer() else v for v in values]
    if target.family == "Array" and {kind.__name__ for kind in kinds} == {"ndarray"} and not target.lax:
        return _arrays(values)
    if convert is None or not (target.lax or _may_need(values, kinds, target)):
        return values
    if isinstance(target.plain, t.Decimal) and kinds <= {decimal.Decimal, float, type(None)}:
        return scaled(values, target.plain)
    return list(map(convert, values))


_LOOKED_AT = frozenset({"Array"})


def _may_need(values: list[Any], kinds: set[type], target: Target) -> bool:
    """Whether a value can be among `values` that has to be converted."""
    match target.family:
        case "UUID" | "IPv4":
            return str in kinds and "" in values
        case "Bool":
            return not kinds <= {bool, type(None)}
        case "FixedString":
            return bytes in kinds or bytearray in kinds
        case "Time" | "Time64":
            return float in kinds or any(issubclass(kind, dt.timedelta | str) for kind in kinds)
        case "IPv6":
            return int in kinds or bytes in kinds
        case "Decimal":
            return not kinds <= {int, type(None)}
    return True


def _texts(values: list[Any]) -> Any:
    """Many texts as an array of Arrow, which kernels read, where pyarrow has been imported anyway."""
    pa: Any = sys.modules.get("pyarrow")
    if pa is None or len(values) < _MANY or not set(map(type, values)) <= {str, type(None)}:
        return values
    try:
        return pa.array(values, pa.large_string())
    except (UnicodeEncodeError, pa.ArrowException):
        return values


def _arrays(values: list[Any]) -> Any:
    """Arrays as values: one array of two dimensions, or lists of Arrow, where they are alike."""
    import numpy as np

    kinds = {(array.dtype, array.ndim) for array in values}
    dtype, dimensions = next(iter(kinds))
    if len(kinds) > 1 or dimensions != 1 or dtype.kind not in "iuf" or dtype.itemsize > 8:
        return values
    if len({len(array) for array in values}) == 1:
        return np.stack(values)
    try:
        pa: Any = importlib.import_module("pyarrow")
    except ImportError:
        return [array.tolist() for array in values]
    ends = np.cumsum([0, *map(len, values)])
    flat = np.concatenate(values).astype(dtype.newbyteorder("="), copy=False)
    return pa.LargeListArray.from_arrays(pa.array(ends), pa.array(flat))


def _scale(plain: t.Type) -> int:
    return plain.scale if isinstance(plain, t.Time64) else 0


# --- NumPy ----------------------------------------------------------------------------------------------


def array_column(array: Any, target: Target) -> Any:
    """A NumPy column.  NaN is a number in it, as in rows."""
    if array.ndim != 1 or array.dtype.names or hasattr(array, "mask"):
        return array
    match array.dtype.kind:
        case "f":
            return float_column(array, None, target)
        case "i" | "u" | "b":
            return number_column(array, None, target)
        case "m":
            return time_column(array, target)
        case "S" | "U" if target.family == "String":
            return array
        case "O" | "S" | "U":
            return list_column(array.tolist(), target)
    return array


def float_column(array: Any, missing: Any, target: Target) -> Any:
    """Floats, of which those where `missing` is set are missing; without it NaN is a number."""
    import numpy as np

    if array.dtype.itemsize > 8:
        array = _narrowed(array, target)
        if isinstance(array, list):
            return list_column(_filled(array, missing, target), target)
    if target.family in FLOATS:
        return _masked(array, missing, target)
    if target.lax and (target.is_integer or target.family in TIMES):
        array = _cut(array, missing, target)
    if target.is_integer:
        return _masked(array, missing, target)
    replaced = missing is not None and (target.nullable or target.blank is not None)
    known = array[~missing] if replaced else array
    if target.family == "Bool" and (target.lax or not np.isnan(known).any()):
        return _masked(array != 0, missing, target)
    if _is_counted(target) and _is_whole(known):
        return number_column(np.where(np.isnan(array), 0, array).astype("int64"), missing, target)
    return list_column(_filled(array.tolist(), missing, target), target)


def _cut(array: Any, missing: Any, target: Target) -> Any:
    """Whole numbers: clickhouse-connect rounds those of frames, and cuts those of rows."""
    import numpy as np

    whole = np.rint(array) if missing is not None and target.is_integer else np.trunc(array)
    return whole if missing is not None and target.nullable else np.where(np.isfinite(array), whole, 0)


def _is_counted(target: Target) -> bool:
    """Whether whole numbers are counts or codes of this type, which have to be integers."""
    family = target.family
    counted = family in TIMES or family in MOMENTS or family == "IPv4" or isinstance(target.plain, t.Enum)
    return counted or family.startswith("Interval")


def _is_whole(array: Any) -> bool:
    import numpy as np

    return bool(((np.trunc(array) == array) & (np.abs(array) < _WHOLE)).all())


def _narrowed(array: Any, target: Target) -> Any:
    """Long doubles as doubles, or as Python values where that would make a difference."""
    import numpy as np

    with np.errstate(over="ignore"):
        narrow = array.astype("float64")
    if target.family in FLOATS or ((narrow == array) | np.isnan(narrow)).all():
        return narrow
    return [_whole(value) for value in array]


def _whole(value: Any) -> Any:
    return int(value) if value.is_integer() else value


def _filled(values: list[Any], missing: Any, target: Target) -> list[Any]:
    """With what is `missing` as NULL, where there is one; else NaN stays, to be refused by its name."""
    if missing is None or (target.blank is None and not target.nullable and target.family != "Bool"):
        return values
    return [target.blank if gone else value for value, gone in zip(values, missing.tolist(), strict=True)]


def _masked(array: Any, missing: Any, target: Target) -> Any:
    import numpy as np

    if missing is None or not target.nullable or not missing.any():
        return array
    return np.ma.MaskedArray(array, mask=missing)


def number_column(array: Any, missing: Any, target: Target) -> Any:
    """Integers and truth values, of which those where `missing` is set are missing."""
    import numpy as np

    lost = missing is not None and not target.nullable and bool(missing.any())
    if lost and target.family in FLOATS:
        return np.where(missing, np.nan, array.astype("float64"))
    if lost and target.blank is not None:
        array, lost, missing = np.where(missing, target.blank, array), False, None
    if isinstance(target.plain, t.Enum) or target.family in ("IPv6", "Dynamic"):
        values = array.astype("int64").tolist() if _is_code(array, target) else array.tolist()
        return list_column(_nones(values, missing), target)
    if target.family == "Bool" and array.dtype.kind != "b":
        array = array != 0
    if missing is None or not missing.any():
        return array
    return np.ma.MaskedArray(array, mask=missing)


def _is_code(array: Any, target: Target) -> bool:
    return array.dtype.kind == "b" and target.family != "Dynamic"


def _nones(values: list[Any], missing: Any) -> list[Any]:
    if missing is None:
        return values
    return [None if gone else value for value, gone in zip(values, missing.tolist(), strict=True)]


def time_column(array: Any, target: Target) -> Any:
    """Durations; those for times of day are cut to the column's precision, toward zero."""
    import numpy as np

    unit, count = np.datetime_data(array.dtype)
    if target.family not in TIMES or count != 1 or not PER_SECOND.get(unit):
        return array
    size = PER_SECOND[unit] // 10 ** _scale(target.plain)
    if size <= 1:
        return array
    counts = array.astype("int64")
    ticks = np.abs(counts) // size * np.sign(counts)
    missing = np.isnat(array)
    return np.ma.MaskedArray(ticks, mask=missing) if missing.any() else ticks
