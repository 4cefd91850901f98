"""encode_columns: every kind of Arrow array as every type, against encode_rows of the same Python values."""

from __future__ import annotations

import decimal
import functools
from typing import Any

import pytest
from columns_cases import FORMATS, TYPES, arrow, good, kinds, nullable, outcome, same, ways

import rowbinary
from rowbinary import Schema

pa: Any = pytest.importorskip("pyarrow")
KINDS = kinds()
# What such a value is called in an error is not what the Python value would be: a text, or another zone.
RENAMED = ("duration", "time", "timestamp[ms, Berlin]", "timestamp[ns, +05:30]")


@functools.cache
def schema_of(type_: str) -> Schema:
    return Schema([("c", type_)])


# An eighth of all pairs, and the others where slow tests are run.
PAIRS = [(kind, TYPES[number % 8 :: 8]) for number, kind in enumerate(KINDS)]
every_pair = pytest.mark.parametrize(
    ("kind", "types"),
    [
        *(pytest.param(kind, types, id=kind) for kind, types in PAIRS),
        *(
            pytest.param(
                kind,
                [type_ for type_ in TYPES if type_ not in types],
                id=f"{kind}, all",
                marks=pytest.mark.slow,
            )
            for kind, types in PAIRS
        ),
    ],
)


def error_of(type_: str, value: Any) -> tuple[Any, ...] | None:
    """What encode_rows says of a value."""
    found = outcome(lambda: rowbinary.encode_rows(schema_of(type_), [(value,)]))
    return None if isinstance(found, bytes) else found


@every_pair
def test_every_type(kind: str, types: list[str]) -> None:
    arrow_type, values = KINDS[kind]
    for count, type_ in enumerate(types):
        errors = [error_of(type_, value) for value in values]
        fits = [value for value, error in zip(values, errors, strict=True) if error is None]
        before = (0, 1, 8, 13)[count % 4]
        rows = [(value,) for value in fits]
        for form in ("RowBinary", "Native"):
            good(schema_of(type_), {"c": arrow(arrow_type, fits, before)}, rows, [form])
        if with_null := nullable(type_):
            fits = [None, *fits, None, *fits[:1], None]
            rows = [(value,) for value in fits]
            form = FORMATS[count % 4]
            good(schema_of(with_null), {"c": arrow(arrow_type, fits, before)}, rows, [form])
            good(schema_of(with_null), {"c": arrow(arrow_type, [None] * 300)}, [(None,)] * 300, ["Native"])


@every_pair
def test_what_does_not_fit(kind: str, types: list[str]) -> None:
    """Each value alone, behind others that fit."""
    arrow_type, values = KINDS[kind]
    for type_ in types:
        errors = [error_of(type_, value) for value in values]
        fits = [value for value, error in zip(values, errors, strict=True) if error is None][:2]
        for value, error in zip(values, errors, strict=True):
            if error is not None:
                column = arrow(arrow_type, [*fits, value, *fits], 3)
                found, *others = ways(schema_of(type_), {"c": column})
                assert all(other == found for other in others)
                assert found[3:6] == (len(fits), "c", error[5])
                if not kind.startswith(RENAMED):
                    assert found[2] == error[2]


@every_pair
def test_null_where_there_is_none(kind: str, types: list[str]) -> None:
    arrow_type, values = KINDS[kind]
    for type_ in types:
        if nullable(type_) is not None:
            fits = [value for value in values if error_of(type_, value) is None][:2]
            rows = [(value,) for value in [*fits, None]]
            for form in ("RowBinary", "Native"):
                found = same(schema_of(type_), {"c": arrow(arrow_type, [*fits, None], 1)}, rows, format=form)
                assert found[0] is rowbinary.EncodeError
                assert found[3:5] == (len(fits), "c")


@pytest.mark.parametrize("kind", KINDS)
def test_nothing(kind: str) -> None:
    """Empty arrays, batches without rows, chunks without values between others."""
    form = FORMATS[list(KINDS).index(kind) % 4]
    arrow_type, values = KINDS[kind]
    schema = schema_of("Variant(Float64, Int64, String)")
    fits = [value for value in values if error_of("Variant(Float64, Int64, String)", value) is None][:3]
    empty = arrow(arrow_type, [], 5)
    good(schema, {"c": empty}, [], [form])
    good(schema, pa.table({"c": empty}), [], [form])
    chunked = pa.chunked_array(
        [empty, arrow(arrow_type, fits[:1]), empty, arrow(arrow_type, fits[1:]), empty]
    )
    good(schema, {"c": chunked}, [(value,) for value in fits], [form])
    good(schema, pa.table({"c": chunked}), [(value,) for value in fits], [form])
    good(schema, {"c": pa.chunked_array([], arrow_type)}, [], [form])


@pytest.mark.parametrize("naive", ["utc", "column", "local"])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith(("date", "timestamp"))])
def test_naive_times(kind: str, naive: Any) -> None:
    arrow_type, values = KINDS[kind]
    for type_ in ("Date", "Date32", "DateTime", "DateTime('Asia/Tokyo')", "DateTime64(6, 'Europe/Berlin')"):
        choices = {"naive": naive}
        fits = [v for v in values[:1] + values[-2:] if not isinstance(v, tuple) and 1971 <= v.year <= 2100]
        good(
            schema_of(type_),
            {"c": arrow(arrow_type, fits, 1)},
            [(v,) for v in fits],
            ["RowBinary"],
            **choices,
        )


def test_nanoseconds() -> None:
    """What Python's datetime and timedelta do not have."""
    ticks = [0, 1, -1, 1_234_567_890_123_456_789, -(2**63) + 1, 2**63 - 1]
    for unit in (pa.timestamp("ns"), pa.timestamp("ns", "UTC"), pa.timestamp("ns", "Europe/Berlin")):
        column = pa.array(ticks, pa.int64()).cast(unit)
        for naive in ("utc", "column"):
            for scale in range(10):
                schema = schema_of(f"DateTime64({scale})")
                rows = [(tick // 10 ** (9 - scale),) for tick in ticks]
                good(schema, {"c": column}, rows, ["RowBinary"], naive=naive)
    clock = [0, 1, -1, 3_599_999_999_999_999, -3_599_998_999_999_999]
    column = pa.array(clock, pa.int64()).cast(pa.duration("ns"))
    for scale in range(10):
        rows = [(tick // 10 ** (9 - scale),) for tick in clock]
        good(schema_of(f"Time64({scale})"), {"c": column}, rows, ["RowBinary"])
    good(schema_of("IntervalNanosecond"), {"c": column}, [(tick,) for tick in clock], ["RowBinary"])


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_the_ends_of_64_bits(unit: str) -> None:
    """Nothing overflows unseen: what has no Python value is counted as the type counts, or refused."""
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    counts = [-(2**63), -(2**63) + 1, 2**63 - 1, 2**62, -(2**62), 10**18, 253_402_300_800 * per_second]
    for count in counts:
        if abs(count) >= 2**63 and count > 0:
            continue
        moment = pa.array([count], pa.int64()).cast(pa.timestamp(unit))
        length = pa.array([count], pa.int64()).cast(pa.duration(unit))
        for scale in range(10):
            ticks = count * 10**scale // per_second
            found = same(schema_of(f"DateTime64({scale})"), {"c": moment})
            if -(2**63) <= ticks < 2**63:
                assert found == ticks.to_bytes(8, "little", signed=True)
            else:
                assert found[2].startswith("out of range")
        for type_ in ("Date", "Date32", "DateTime", "Time", "Time64(9)", "String", "Dynamic", "UInt64"):
            same(schema_of(type_), {"c": moment})
            same(schema_of(type_), {"c": length})
        for family, number in (("Nanosecond", 10**9), ("Second", 1), ("Microsecond", 10**6)):
            found = same(schema_of(f"Interval{family}"), {"c": length})
            whole, rest = divmod(count * number, per_second)
            if not rest and -(2**63) <= whole < 2**63:
                assert found == whole.to_bytes(8, "little", signed=True)
            else:
                assert found[0] is rowbinary.EncodeError


def test_decimals_at_the_ends() -> None:
    exact = decimal.Context(prec=100)
    for source in range(0, 39, 6):
        counts = (10**38 - 1, 1 - 10**38, 10**37, 0, 1)
        values = [decimal.Decimal(count).scaleb(-source, exact) for count in counts]
        column = pa.array(values, pa.decimal128(38, source))
        for digits, scale in ((9, 0), (18, 9), (38, 0), (38, 38), (76, 0), (76, 38), (76, 76)):
            schema = schema_of(f"Decimal({digits}, {scale})")
            for index, value in enumerate(values):
                same(schema, {"c": column.slice(index, 1)}, [(value,)])
