"""Values without end, too deep or too large: an error in bounded time and memory, nothing half-written."""

from __future__ import annotations

from typing import Any

import pytest
from hostile import refuse, taken

from rowbinary import EncodeError, Encoder, encode_rows, typed

pytestmark = pytest.mark.timeout(120)

DEEP = 10_000

# --- endless and deep ---------------------------------------------------------------------------


def endless(kind: str) -> Any:
    items: list[Any] = []
    items.append(items)
    table: dict[str, Any] = {}
    table["d"] = table
    both: dict[str, Any] = {}
    both["l"] = [both]
    return {"list": items, "dict": table, "both": both, "tuple in list": [*items, (items,)]}[kind]


def deep(kind: str) -> Any:
    value: Any = 1
    for _ in range(DEEP):
        value = {"list": [value], "dict": {"d": value}, "tuple": (value,)}[kind]
    return value


def places(*kinds: str) -> list[Any]:
    """Values, columns, modes; arrays take the longest to be refused, so most of those are slow."""
    return [
        pytest.param(
            kind,
            column,
            mode,
            marks=[pytest.mark.slow]
            if ("list" in kind and column.endswith("Dynamic)") and mode != "text")
            or (kind.startswith("tuple") and (column, mode) != ("JSON", "exact") and mode != "text")
            else [],
        )
        for kind in kinds
        for column in ("JSON", "Dynamic", "JSON(d JSON, q Dynamic)", "Array(Dynamic)")
        for mode in ("exact", "text", "string")
    ]


@pytest.mark.parametrize(("kind", "column", "mode"), places("list", "dict", "both", "tuple in list"))
def test_endless(impl: str, kind: str, column: str, mode: str) -> None:
    value = endless(kind)
    value = {"q": value} if column.startswith("JSON") else [value]
    refuse(impl, column, value, "deep", json=mode)


@pytest.mark.parametrize(("kind", "column", "mode"), places("list", "dict", "tuple"))
def test_deep(impl: str, kind: str, column: str, mode: str) -> None:
    value = deep(kind)
    value = {"q": value} if column.startswith("JSON") else [value]
    refuse(impl, column, value, "deep", json=mode)


@pytest.mark.parametrize("text", ['{"d":' * DEEP + "1" + "}" * DEEP, '{"d":' + "[" * DEEP + "]" * DEEP + "}"])
def test_deep_text(impl: str, text: str) -> None:
    refuse(impl, "JSON", text, "deep")


def test_deep_where_the_type_ends(impl: str) -> None:
    error = refuse(impl, "Array(Array(UInt8))", deep("list"), "not a number")
    assert error.path == "$[0][0]"
    refuse(impl, "Map(String, Map(String, UInt8))", deep("dict"), "not a number")


def test_deep_typed(impl: str) -> None:
    value: Any = 1
    for _ in range(DEEP):
        value = typed(value, "Dynamic")
    refuse(impl, "Dynamic", value, "too deeply")


@pytest.mark.parametrize("mode", ["exact", "text"])
def test_a_tower_of_mixed_lists(impl: str, mode: str) -> None:
    """Finding the type of each level twice would take 2^60 steps."""
    value: Any = [[1], ["a"]]
    for _ in range(60):
        value = [[value], [1]]
    assert (
        len(taken(impl, "Dynamic", value, json=mode)) == len(taken(impl, "JSON", {"x": value}, json=mode)) - 3
    )


@pytest.mark.parametrize("mode", ["exact", "text"])
def test_a_tower_of_documents_with_dotted_keys(impl: str, mode: str) -> None:
    """Writing each level twice to find collisions would take 2^60 steps."""
    value: Any = {"a.b": 1, "x": {"y": 1}}
    for _ in range(60):
        value = {"a.b": 1, "x": {"y": 1}, "l": [value]}
    body = taken(impl, "JSON", value, json=mode)
    assert body.count(b"\x03a.b") == 61


def test_lists_that_share_lists(impl: str) -> None:
    value: list[Any] = [object()]
    for _ in range(60):
        value = [value, value]
    refuse(impl, "Dynamic", value, "no ClickHouse type")


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["exact", "text", "string"])
def test_lists_that_share_lists_are_bounded(impl: str, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rowbinary._containers.MAX_VALUES", 1 << 18)  # a minute each with what is allowed
    value: list[Any] = ["x" * 2**20]
    for _ in range(40):
        value = [value, value]
    refuse(impl, "JSON", {"x": value}, "more than", json=mode)
    if mode == "exact":
        refuse(impl, "Dynamic", value, "more than")


@pytest.mark.slow
def test_typed_lists_that_share_lists_are_bounded(impl: str) -> None:
    value: Any = "x" * 2**20
    for _ in range(4):
        value = [value] * 100
    refuse(impl, "Array(Array(Array(Array(String))))", value, "the row takes more than")


# --- large --------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [1, -1])
def test_huge_ints(impl: str, sign: int) -> None:
    value = sign * 10**5000  # more digits than Python turns into text
    for column in (
        "UInt8",
        "Int64",
        "Int256",
        "DateTime",
        "Date",
        "UUID",
        "IPv4",
        "Time",
        "IntervalDay",
        "Decimal(76, 0)",
        "Bool",
        "Float64",
    ):
        refuse(impl, column, value)
    refuse(impl, "Dynamic", value, "out of range of Int256")
    for mode in ("exact", "text", "string"):
        refuse(impl, "JSON", {"a": value}, json=mode)
        refuse(impl, "JSON", {"a": [1, value]}, json=mode)
    refuse(impl, "Dynamic", "9" * 10**6 + "\ud800", "UTF-8")
    refuse(impl, "Int64", "9" * 10**6, "out of range")


def test_ten_thousand_columns(impl: str) -> None:
    schema = [(f"column_{n}", "UInt16") for n in range(10_000)]
    values = [n % 65_536 for n in range(10_000)]
    expected = b"".join(n.to_bytes(2, "little") for n in values)
    names = [name for name, _ in schema]
    for row in (tuple(values), values, dict(zip(names, values, strict=True))):
        assert encode_rows(schema, [row], implementation=impl) == expected
    bad = dict(zip(reversed(names), reversed(values), strict=True))
    bad["column_9999"] = -1
    with pytest.raises(EncodeError) as caught:
        encode_rows(schema, [bad], implementation=impl)
    assert caught.value.column == "column_9999"


@pytest.mark.parametrize(
    ("count", "size"),
    [(100_000, b"\xa0\x8d\6"), pytest.param(10**6, b"\xc0\x84\x3d", marks=pytest.mark.slow)],
)
def test_very_many_elements(impl: str, count: int, size: bytes) -> None:
    numbers = list(range(200)) * (count // 200)
    expected = size + bytes(numbers)
    assert taken(impl, "Array(UInt8)", numbers) == expected
    assert taken(impl, "Array(UInt8)", tuple(numbers)) == expected
    assert len(taken(impl, "Dynamic", numbers)) == 3 + 3 + 9 * count
    numbers[-1] = 256
    assert refuse(impl, "Array(UInt8)", numbers).path == f"$[{count - 1}]"


def test_many_paths(impl: str) -> None:
    document = {f"k{n}": {"v": n} for n in range(20_000)}
    assert len(taken(impl, "JSON", document)) == 3 + sum(len(f"k{n}.v") + 10 for n in range(20_000))
    document["k0.v"] = {}
    document["k1.v"] = 5  # type: ignore[assignment]
    refuse(impl, "JSON", document, "two keys flatten to this path", duplicate_paths="error")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_gigabyte(impl: str) -> None:
    """The server reads Strings up to 1 GiB, inclusive."""
    for whole in (b"x" * 2**30, "x" * 2**30):
        body = taken(impl, "String", whole)
        assert body[:6] == b"\x80\x80\x80\x80\x04x"
        assert len(body) == 2**30 + 5
        del body, whole
    refuse(impl, "String", b"x" * (2**30 + 1), "the server reads at most")
    refuse(impl, "String", "é" * (2**29 + 1), "the server reads at most")
    assert len(taken(impl, "String", "é" * 2**29)) == 2**30 + 5


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_row_of_more_than_a_gigabyte(impl: str) -> None:
    half = b"x" * (600 << 20)
    encoder = Encoder("a String, b String", implementation=impl)
    encoder.write_row((b"1", b"2"))
    with pytest.raises(EncodeError, match="the row takes more than"):
        encoder.write_row((half, half))
    encoder.write_row((b"3", b"4"))
    assert encoder.take() == b"\x011\x012\x013\x014"
    encoder.write_rows([(half, b""), (half, b"")])  # each row for itself is fine
    assert len(encoder.take()) == 2 * (len(half) + 6)
