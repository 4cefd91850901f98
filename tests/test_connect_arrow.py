"""``insert_arrow`` of an accelerated client: what the server makes of Arrow, whichever way a table goes."""

from __future__ import annotations

import decimal
import inspect
from collections.abc import Iterator
from typing import Any

import connect_twins
import pytest
from connect_http import KINDS, Caller, Kind, inserts_of, make_table
from connect_twins import MakeTwins, Twins, error_of
from front_process import Front

pytest.importorskip("clickhouse_connect", reason="clickhouse-connect is not installed")
np: Any = pytest.importorskip("numpy", reason="NumPy is not installed")
pa: Any = pytest.importorskip("pyarrow", reason="pyarrow is not installed")

# ruff: noqa: E402
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, ProgrammingError
from http_proxies import Recorder

from rowbinary.connect import _arrow_tables
from rowbinary.connect._client import AsyncInserts, Inserts

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]
plain, twins = connect_twins.plain, connect_twins.shared_twins  # fixtures

D = decimal.Decimal
EPOCHS = [0, 1_577_934_245, 2**32 - 1, 123]
Case = tuple[str, Any, str]


def times(unit: str, zone: str | None, *counts: int | None) -> Any:
    return pa.array(counts, pa.int64()).cast(pa.timestamp(unit, zone))


def limits(bits: int, signed: bool) -> list[int]:
    return [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, 0] if signed else [0, 2**bits - 1, 1]


TEXTS = ["a", "é", "", "x" * 300]
LISTS = [[1, 2], [], [3]]
ZONES = (None, "UTC", "Europe/Berlin")
SCALES = {"s": 0, "ms": 3, "us": 6, "ns": 9}
PAIRS: list[tuple[str, Any]] = [
    *[(f"Int{n}", pa.array(limits(n, True), f"int{n}")) for n in (8, 16, 32, 64)],
    *[(f"UInt{n}", pa.array(limits(n, False), f"uint{n}")) for n in (8, 16, 32, 64)],
    ("Float32", pa.array([1.5, float("nan"), -0.0, float("inf")], pa.float32())),
    ("Float64", pa.array([1.5, float("nan"), 0.1], pa.float32())),
    ("Float64", pa.array([1.5, float("nan"), -0.0, 1e300])),
    ("Bool", pa.array([True, False])),
    *[("String", pa.array(TEXTS, kind)) for kind in (pa.string(), pa.large_string())],
    *[("String", pa.array([b"\xff\0", b""], kind)) for kind in (pa.binary(), pa.large_binary())],
    ("Date32", pa.array([0, 18263, -1, -25567, 120529], pa.int32()).cast(pa.date32())),
    *[(f"DateTime64({scale})", times(unit, zone, 0, 1_577_934_245_123, -1))
      for unit, scale in SCALES.items() if unit != "s" for zone in ZONES],
    ("DateTime64(6, 'Asia/Tokyo')", times("us", None, 0, -1, 10**15)),
    *[("DateTime('Asia/Tokyo')", times("s", zone, *EPOCHS)) for zone in ZONES],
    *[("DateTime", times(unit, None, *(n * 10 ** SCALES[unit] + 1 for n in EPOCHS[:2]))) for unit in SCALES],
]  # fmt: skip
# Without a NULL around them.
WHOLE: list[tuple[str, Any]] = [
    ("LowCardinality(String)", pa.array(TEXTS)),
    ("LowCardinality(Nullable(String))", pa.array(["a", None, "a"])),
    ("Array(Int64)", pa.array(LISTS)),
    ("Array(Int64)", pa.array(LISTS, pa.large_list(pa.int64()))),
    ("Array(Nullable(Int64))", pa.array([[1, None], []])),
    ("Array(Array(String))", pa.array([[["a", "é"], []], []])),
    (
        "Array(DateTime64(3))",
        pa.array([[0, 123], []], pa.list_(pa.int64())).cast(pa.list_(pa.timestamp("ms"))),
    ),
    ("Array(LowCardinality(String))", pa.array([["a"], []])),
]
THEIRS: list[tuple[str, Any]] = [
    ("Int32", pa.array([1, 2**40])),  # wraps
    ("Int64", pa.array([1, 2], pa.int32())),
    ("Int64", pa.array([1, None])),  # a default
    ("UInt8", pa.array([True, False])),
    ("Int64", pa.array([1.7, -1.7])),
    ("Float64", pa.array([1, 2])),
    ("Date", pa.array(["2020-01-02"])),
    ("Date", pa.array([18263, 200], pa.int32()).cast(pa.date32())),
    ("DateTime", times("s", None, -1, 2**33)),  # wraps
    ("DateTime", times("us", None, 10**15, None)),
    ("DateTime64(3)", times("us", None, 10**15, -1)),
    ("UUID", pa.array([bytes(16)], pa.binary(16))),
    ("FixedString(4)", pa.array([b"abcd"], pa.binary(4))),
    ("FixedString(4)", pa.array(["a"])),
    ("Decimal(18, 4)", pa.array([D("1.2500")], pa.decimal128(18, 4))),
    ("LowCardinality(String)", pa.array(["a", "b", "a"]).dictionary_encode()),
    ("Enum8('a' = 1)", pa.array(["a"])),
    ("Array(Int64)", pa.array([[1], None])),
    ("Array(Int64)", pa.array([[1, None]])),
    ("Map(String, Int64)", pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64()))),
    ("Tuple(a Int64, b String)", pa.array([{"a": 1, "b": "x"}])),
    ("JSON", pa.array(['{"a": 1}'])),
    ("Nullable(Int64)", pa.nulls(2)),
    ("Time64(6)", pa.array([5], pa.time64("us"))),
    ("String", pa.array(["a"], pa.string_view())),
    ("Int64", pa.array(["x"])),
]


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with every table that goes our way."""
    seen: list[int] = []
    steps: Any = _arrow_tables.__dict__["insert_steps"]

    def spy(*arguments: Any) -> Any:
        seen.append(1)
        return steps(*arguments)

    monkeypatch.setattr(_arrow_tables, "insert_steps", spy)
    return seen


def same(table: Twins, data: Any, **arguments: Any) -> Exception | None:
    """Insert by both clients, who have to agree; what both have raised."""
    table.clear()
    errors = [
        error_of(lambda: client.insert_arrow(name, data, **arguments))  # noqa: B023
        for client, name in zip((table.plain, table.ours), table.tables, strict=True)
    ]
    assert type(errors[0]) is type(errors[1]), errors
    table.check_same()
    return errors[1]


def with_null(array: Any) -> Any:
    return pa.chunked_array([array, pa.nulls(1, array.type), array.slice(1)])


@pytest.mark.parametrize(("type_", "array"), PAIRS, ids=[f"{n}-{p[0]}" for n, p in enumerate(PAIRS)])
def test_pairs_of_one_meaning(twins: MakeTwins, ours: list[int], type_: str, array: Any) -> None:
    assert same(twins(f"x {type_}"), pa.table({"x": array})) is None
    assert same(twins(f"x Nullable({type_})"), pa.table({"x": array})) is None
    assert same(twins(f"x Nullable({type_})"), pa.table({"x": with_null(array)})) is None
    assert len(ours) == 3
    same(twins(f"x {type_}"), pa.table({"x": with_null(array)}))
    assert len(ours) == 3


@pytest.mark.parametrize(("type_", "array"), WHOLE, ids=[f"{n}-{p[0]}" for n, p in enumerate(WHOLE)])
def test_pairs_of_containers(twins: MakeTwins, ours: list[int], type_: str, array: Any) -> None:
    table = pa.table({"x": pa.chunked_array([array, array.slice(1)])})
    assert same(twins(f"x {type_}"), table) is None
    assert same(twins(f"x {type_}"), table.slice(1, 2)) is None
    assert len(ours) == 2


@pytest.mark.parametrize(("type_", "array"), THEIRS, ids=[f"{n}-{p[0]}" for n, p in enumerate(THEIRS)])
def test_other_pairs_go_the_other_way(twins: MakeTwins, ours: list[int], type_: str, array: Any) -> None:
    same(twins(f"x {type_}"), pa.table({"x": array}))
    assert ours == []


def test_tables_as_a_whole(twins: MakeTwins, ours: list[int]) -> None:
    table = twins("a Int64, b String DEFAULT 'd', c Float64")
    a, b, c = pa.array([1, 2]), pa.array(["x", "y"]), pa.array([0.5, 1.5])
    assert same(table, pa.table({"c": c, "a": a, "b": b})) is None
    assert same(table, pa.table({"c": c, "a": a})) is None  # b has its default
    assert len(ours) == 2
    for other, arguments in (
        (pa.table({"a": a, "z": b}), {}),
        (pa.table([a, a], names=["a", "a"]), {}),
        (pa.table({"a": a, "b": pa.array([1, 2])}), {}),
        (pa.table({"a": a}).slice(2), {}),
        (pa.table({"a": a}), {"settings": {"input_format_arrow_case_insensitive_column_matching": 1}}),
        (pa.table({"a": a}), {"settings": {"input_format_native_allow_types_conversion": "1"}}),
        (pa.table({}), {}),
        (pa.record_batch({"a": a}), {}),
        ([1, 2], {}),
    ):
        same(table, other, **arguments)
    missing = error_of(lambda: table.ours.insert_arrow("no_such_table", pa.table({"a": a})))
    assert isinstance(missing, DatabaseError)
    assert missing.code == 60


def test_frames_over_arrow(twins: MakeTwins, ours: list[int]) -> None:
    pd: Any = pytest.importorskip("pandas", reason="pandas is not installed")
    table = twins("a Int64, s Nullable(String)")
    frame = pd.DataFrame({"a": [1, 2], "s": ["x", None]})
    for given in (frame.convert_dtypes(dtype_backend="pyarrow"), frame):
        errors = []
        table.clear()
        for client, name in zip((table.plain, table.ours), table.tables, strict=True):
            errors.append(error_of(lambda: client.insert_df_arrow(name, given)))  # noqa: B023
        assert type(errors[0]) is type(errors[1])
        table.check_same()
    assert len(ours) == 1
    assert isinstance(errors[1], ProgrammingError)


def test_the_arguments_are_those_of_clickhouse_connect() -> None:
    for mine, theirs in ((Inserts, Client), (AsyncInserts, AsyncClient)):
        of_mine, of_theirs = (inspect.signature(kind.insert_arrow).parameters for kind in (mine, theirs))
        assert [(p.name, p.default, p.kind) for p in of_mine.values()] == [
            (p.name, p.default, p.kind) for p in of_theirs.values()
        ]


@pytest.fixture
def recorder(front: Front) -> Iterator[Recorder]:
    with Recorder(front.port) as proxy:
        yield proxy


@pytest.mark.parametrize("kind", KINDS)
def test_over_http(front: Front, recorder: Recorder, kind: Kind) -> None:
    count = 100_000
    data = pa.table({"a": np.arange(count).astype("uint64"), "s": [str(n) for n in range(count)]})
    with Caller(kind, recorder.port) as caller:
        name = make_table(front)
        summary = caller.do("insert_arrow", name, data, settings={"query_id": f"arrow_{kind}"})
        assert summary.written_rows == count
        assert inserts_of(recorder)[0].statement.endswith("FORMAT Native")
        assert (
            caller.do("insert_arrow", name, data.select(["a"]).cast(pa.schema([("a", pa.int64())])))
            is not None
        )
    found = front.query(f"SELECT count(), sum(a), sum(toUInt64OrZero(s)) FROM {name}")
    total = sum(range(count))
    assert found.split() == [str(2 * count), str(2 * total), str(total)]
