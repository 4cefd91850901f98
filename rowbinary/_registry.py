"""The type registry: one row per ClickHouse type family.

A row says which opcode writes the family, its binary type tag (the byte that precedes a value
of Dynamic or of an untyped JSON path) and which Python values it takes.  ``docs/types.md`` and
the README table are made from it (``python -m rowbinary._registry``).  To add a type see
docs/contributing.md.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from ._opcodes import Op


@dataclass(frozen=True)
class Row:
    """``arguments`` is documentation; ``tag`` is ``None`` when the type has no tag of its own."""

    family: str
    op: Op
    tag: int | None
    accepts: str
    arguments: str = ""

    @property
    def example(self) -> str:
        return f"{self.family}({self.arguments})" if self.arguments else self.family


_INT = "int, bool, whole float or Decimal, decimal str, anything with `__index__` (numpy)"
_FLOAT = "float, int, Decimal, numeric str, numpy floats; rounded to the nearest"
_DECIMAL = "Decimal, int, float (its repr), str; exact, never rounded"
_MOMENT = "datetime, date (midnight), ISO str, numpy datetime64 (UTC)"
_ARRAY = "list, tuple, set, range, numpy array, any sized iterable"
_POINTS = "list of points"

_INTEGERS = [
    Row(f"{sign}Int{bits}", Op[f"{sign.upper()}INT{bits}"], tag, _INT)
    for tag, (sign, bits) in enumerate(
        ((s, b) for s in ("U", "") for b in (8, 16, 32, 64, 128, 256)), start=1
    )
]

INTERVAL_KINDS = (
    "Nanosecond",
    "Microsecond",
    "Millisecond",
    "Second",
    "Minute",
    "Hour",
    "Day",
    "Week",
    "Month",
    "Quarter",
    "Year",
)

_INTERVALS = [
    Row(f"Interval{kind}", Op.INTERVAL, 0x22, "int, timedelta (whole multiples; not months and longer)")
    for kind in INTERVAL_KINDS
]

_ROWS = [
    Row("Bool", Op.BOOL, 0x2D, "bool, numpy bool, the ints 0 and 1"),
    *_INTEGERS,
    Row("Float32", Op.FLOAT32, 0x0D, _FLOAT),
    Row("Float64", Op.FLOAT64, 0x0E, _FLOAT),
    Row(
        "BFloat16", Op.BFLOAT16, 0x31, _FLOAT + "; the low 16 bits of the Float32 are cut, as the engine does"
    ),
    Row("Decimal", Op.DECIMAL32, None, _DECIMAL, "P, S"),
    Row("String", Op.STRING, 0x15, "str, bytes, bytearray, memoryview, Enum of these"),
    Row("FixedString", Op.FIXED_STRING, 0x16, "bytes of exactly N; str of at most N bytes, zero padded", "N"),
    Row("Date", Op.DATE, 0x0F, "date, datetime (its calendar date), ISO str, int days since 1970"),
    Row("Date32", Op.DATE32, 0x10, "as Date"),
    Row("DateTime", Op.DATETIME, 0x11, f"{_MOMENT}, int seconds; fractions are rounded down", "[zone]"),
    Row(
        "DateTime64",
        Op.DATETIME64,
        0x13,
        f"{_MOMENT}, int ticks of 10^-S s; finer fractions are rounded down",
        "S [, zone]",
    ),
    Row("Time", Op.TIME, 0x32, "timedelta, time, `[-]hhh:mm:ss` str, int seconds"),
    Row("Time64", Op.TIME64, 0x34, "timedelta, time, `[-]hhh:mm:ss.fff` str, int ticks of 10^-S s", "S"),
    *_INTERVALS,
    Row("UUID", Op.UUID, 0x1D, "UUID, str, int, 16 bytes"),
    Row("IPv4", Op.IPV4, 0x28, "IPv4Address, str, int"),
    Row("IPv6", Op.IPV6, 0x29, "IPv6Address, IPv4Address (mapped), str, int, 16 bytes"),
    Row(
        "Enum8",
        Op.ENUM8,
        0x17,
        "label, declared number, Enum member (its value, else its name)",
        "'a' = 1, ...",
    ),
    Row("Enum16", Op.ENUM16, 0x18, "as Enum8", "'a' = 1, ..."),
    Row("Nullable", Op.NULLABLE, 0x23, "None or T", "T"),
    Row("LowCardinality", Op.LOW_CARDINALITY, 0x26, "as T", "T"),
    Row("Array", Op.ARRAY, 0x1E, _ARRAY, "T"),
    Row("Tuple", Op.TUPLE, 0x20, "tuple or list; named: also dict, dataclass, attribute object", "T1, ..."),
    Row("Nested", Op.ARRAY, 0x2F, "list of tuples or dicts (with flatten_nested = 0)", "a T1, ..."),
    Row("Map", Op.MAP, 0x27, "dict, Mapping, list of pairs", "K, V"),
    Row("Variant", Op.VARIANT, 0x2A, "None, a value that one member can mean, typed(value, type)", "T1, ..."),
    Row(
        "Dynamic",
        Op.DYNAMIC,
        0x2B,
        "None, any Python value with a natural type, typed(value, type)",
        "max_types=N",
    ),
    Row(
        "JSON",
        Op.JSON,
        0x30,
        "dict, Mapping, dataclass, JSON text as str or bytes, None (empty)",
        "a.b T, SKIP c",
    ),
    Row("QBit", Op.QBIT, 0x36, "sequence of exactly N numbers", "T, N"),
    Row("SimpleAggregateFunction", Op.NOTHING, 0x2E, "as T", "f, T"),
    Row("AggregateFunction", Op.STATE, 0x25, "bytes: the state as the engine serializes it", "f, T..."),
    Row("Point", Op.TUPLE, 0x2C, "tuple of two floats"),
    Row("Ring", Op.ARRAY, 0x2C, _POINTS),
    Row("LineString", Op.ARRAY, 0x2C, _POINTS),
    Row("MultiPoint", Op.ARRAY, 0x2C, _POINTS),
    Row("MultiLineString", Op.ARRAY, 0x2C, "list of line strings"),
    Row("Polygon", Op.ARRAY, 0x2C, "list of rings"),
    Row("MultiPolygon", Op.ARRAY, 0x2C, "list of polygons"),
    Row("Geometry", Op.VARIANT, None, "typed(value, 'Point') and so on, None"),
    Row("Nothing", Op.NOTHING, 0x00, "None, inside Nullable or an empty Array"),
]

REGISTRY: dict[str, Row] = {row.family: row for row in _ROWS}


def table() -> str:
    """The supported types as a Markdown table; types that take the same values share a row."""
    lines = ["| type | Python values |", "| --- | --- |"]
    for accepts, rows in itertools.groupby(_ROWS, key=lambda row: row.accepts):
        lines.append(f"| {', '.join(f'`{row.example}`' for row in rows)} | {accepts} |")
    return "\n".join(lines) + "\n"


def document() -> str:
    """The text of docs/types.md."""
    tags = [f"| `{row.tag:02x}` | `{row.example}` |" for row in _ROWS if row.tag is not None]
    return _DOCUMENT.format(table=table(), tags="\n".join(tags))


_DOCUMENT = """\
# Types

Made from the registry: `python -m rowbinary._registry > docs/types.md`.

{table}
Every value is checked: out of range, a fraction for an integer, a lone surrogate, an unknown label, a wrong length are
errors, never silent damage. A `None` is refused where the type is not Nullable (except JSON: the empty object). Type
names are understood in every spelling of the engine, aliases such as `VARCHAR(10)` and `DOUBLE PRECISION` included.

Datetimes: aware ones are instants; naive ones are UTC, or in the column's zone, or in this machine's
(`naive="utc" | "column" | "local"`). What is finer than the resolution of a DateTime, DateTime64, Time or Time64 is
rounded down. Counts of days and ticks must be ints: a float is more likely `time.time()`.

## Not supported

| what | instead |
| --- | --- |
| `AggregateFunction` values | only the state's bytes are passed on, as the engine wrote them |
| type tags of aggregate functions with parameters, in Dynamic | a column of that type |
| `Object('json')` | `JSON` |
| `Nothing`, `Nullable(Nothing)`, `Array(Nothing)` as columns | the engine refuses them too (code 370) |

## Binary type tags

The byte in front of a value of Dynamic or of an untyped JSON path; parameters follow it.

| tag | type |
| --- | --- |
{tags}

Others: `12` DateTime with a zone, `14` DateTime64 with a zone, `19` to `1c` Decimal of 4 to 32 bytes, `1f` unnamed
Tuple, `37` QBit with a stride. Nullable, Variant and Dynamic may stand only inside another type.
"""


if __name__ == "__main__":
    print(document(), end="")
