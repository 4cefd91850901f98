"""encode_columns: Arrow arrays that are damaged are refused where that can be seen, and all is released."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from columns_arrow import Count, Hand, HandStream, bits, packed, view
from columns_cases import FORMATS, WAYS, good, refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rowbinary
from rowbinary import EncodeError

FEW = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
MANY = settings(FEW, max_examples=2000)
LEAST, MOST = -(2**63), 2**63 - 1
TEXT = b"abcdefghijklmnopqrstuvwxyz"


def int8s(*values: int) -> Hand:
    return Hand("c", len(values), [None, packed("b", *values)], name="item")


def texts(code: str, *ends: int) -> Hand:
    return Hand("u" if code == "i" else "U", len(ends) - 1, [None, packed(code, *ends), TEXT])


def lists(code: str, *ends: int) -> Hand:
    return Hand(
        "+l" if code == "i" else "+L", len(ends) - 1, [None, packed(code, *ends)], [int8s(*range(26))]
    )


ENDS = [(0, -1), (-1, 0), (5, 3), (0, 5, 4), (0, 3, -2, 5), (-3, -1), (0, 2, 1, 2)]
FAR_ENDS = [(LEAST, MOST), (5, LEAST), (LEAST, 0), (LEAST, LEAST), (-1, MOST), (MOST, LEAST), (0, 1, LEAST)]


@pytest.mark.parametrize(
    ("code", "ends"), [(c, e) for c in "iq" for e in ENDS] + [("q", e) for e in FAR_ENDS]
)
def test_offsets(code: str, ends: tuple[int, ...]) -> None:
    for type_ in ("String", "LowCardinality(String)", "Nullable(String)", "Variant(String)", "Dynamic"):
        assert refused([("c", type_)], {"c": texts(code, *ends)}, "damaged").column == "c"
    for type_ in ("Array(Int8)", "Array(Nullable(Int8))", "Array(Int32)", "Dynamic"):
        refused([("c", type_)], {"c": lists(code, *ends)}, "damaged")
    refused(
        "c Array(Array(Int8))", {"c": Hand("+w:1", len(ends) - 1, [None], [lists(code, *ends)])}, "damaged"
    )
    refused("c Array(String)", {"c": Hand("+w:1", len(ends) - 1, [None], [texts(code, *ends)])}, "damaged")
    both = {"n.a": lists(code, *ends), "n.b": lists(code, *range(len(ends)))}
    refused("`n.a` Array(Int8), `n.b` Array(Int8)", both)
    keys = Hand("+s", 26, [None], [int8s(*range(26)), int8s(*range(26))])
    if code == "i":
        refused(
            "c Map(Int8, Int8)",
            {"c": Hand("+m", len(ends) - 1, [None, packed("i", *ends)], [keys])},
            "damaged",
        )


@pytest.mark.parametrize("entry", [
    view(TEXT, buffer=1), view(TEXT, buffer=-1), view(TEXT, start=-1), view(TEXT, buffer=2**31 - 1),
    view(b"", size=-1), view(b"", size=-(2**31)), view(TEXT, buffer=-(2**31)),
])  # fmt: skip
def test_views(entry: bytes) -> None:
    entries = view(b"short") + view(TEXT) + entry
    for format in ("vu", "vz"):
        column = Hand(format, 3, [None, entries, TEXT, packed("q", 26)])
        for type_ in ("String", "LowCardinality(String)", "Nullable(String)", "Dynamic"):
            assert refused([("c", type_)], {"c": column}).row == 2
        nulls = Hand(format, 3, [bits(True, True, False), entries, TEXT, packed("q", 26)])
        good("c Nullable(String)", {"c": nulls}, [(b"short",), (TEXT,), (None,)])
        list_ = Hand("+w:3", 1, [None], [column])
        refused("c Array(String)", {"c": list_})


@pytest.mark.parametrize(("format", "code", "index"), [
    ("c", "b", -1), ("c", "b", 2), ("C", "B", 255), ("s", "h", -32768), ("S", "H", 65535),
    ("i", "i", -(2**31)),
    ("I", "I", 2**32 - 1), ("l", "q", LEAST), ("l", "q", MOST), ("L", "Q", 2**64 - 1), ("L", "Q", 2**63),
])  # fmt: skip
def test_indices_of_dictionaries(format: str, code: str, index: int) -> None:
    for values, type_ in (
        (texts("i", 0, 1, 3), "LowCardinality(Nullable(String))"),
        (texts("i", 0, 1, 3), "Nullable(Enum8('a' = 1, 'bc' = 2))"),
        (texts("i", 0, 1, 3), "Nullable(String)"),
        (Hand("u", 2, [bits(False, True), packed("i", 0, 1, 3), TEXT]), "Nullable(String)"),
        (int8s(1, 2), "Nullable(Int8)"),
        (int8s(1, 2), "Nullable(Int256)"),
        (Hand("w:3", 2, [None, TEXT[:6]]), "LowCardinality(Nullable(FixedString(3)))"),
    ):
        column = Hand(format, 3, [None, packed(code, 0, 1, index)], dictionary=values)
        assert refused([("c", type_)], {"c": column}, f"no value {index}").row == 2
        null = Hand(format, 3, [bits(True, True, False), packed(code, 0, 1, index)], dictionary=values)
        for form in FORMATS:
            found = [
                rowbinary.encode_columns([("c", type_)], {"c": null}, implementation=way, format=form)  # type: ignore[arg-type]
                for way in WAYS
            ]
            assert len(set(found)) == 1


# --- random damage -------------------------------------------------------------------------------------

numbers = st.one_of(st.integers(-30, 26), st.integers(0, 26))
far = st.one_of(numbers, st.integers(LEAST, -1), st.just(LEAST))


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, Hand]:
    """Arrays that point nowhere else than into their memory, or to what is to be refused."""
    count = draw(st.integers(1, 6))
    nulls = draw(st.one_of(st.none(), st.binary(min_size=2, max_size=2)))
    offset = draw(st.integers(0, 3))
    size = count + offset + 1

    def ends() -> tuple[str, bytes]:
        code = draw(st.sampled_from("iq"))
        values = draw(st.lists(far if code == "q" else numbers, min_size=size, max_size=size))
        return code, packed(code, *(values if draw(st.booleans()) else sorted(values)))

    match draw(st.sampled_from(["text", "view", "coded", "list", "lists", "map"])):
        case "text":
            code, data = ends()
            array = Hand("u" if code == "i" else "U", count, [nulls, data, TEXT], offset=offset)
            return draw(
                st.sampled_from(["String", "Nullable(String)", "LowCardinality(String)", "Dynamic"])
            ), array
        case "view":
            entries = st.builds(
                lambda start, size, buffer: view(TEXT[:4], buffer, start, min(size, 26 - max(start, 0))),
                numbers, st.integers(-30, 26), st.integers(-1, 1),
            )  # fmt: skip
            data = b"".join(draw(st.lists(entries, min_size=size, max_size=size)))
            return draw(st.sampled_from(["String", "Nullable(String)", "LowCardinality(String)"])), Hand(
                draw(st.sampled_from(["vu", "vz"])),
                count,
                [nulls, data, TEXT, packed("q", 26)],
                offset=offset,
            )
        case "coded":
            places = draw(st.lists(st.integers(-5, 5), min_size=size, max_size=size))
            array = Hand(
                "i", count, [nulls, packed("i", *places)], offset=offset, dictionary=texts("i", 0, 1, 1, 4)
            )
            return draw(
                st.sampled_from(["Nullable(String)", "LowCardinality(String)", "Enum8('a' = 1)"])
            ), array
        case "list":
            code, data = ends()
            array = Hand(
                "+l" if code == "i" else "+L", count, [nulls, data], [int8s(*range(26))], offset=offset
            )
            return draw(st.sampled_from(["Array(Int8)", "Array(UInt64)", "Array(Nullable(Int8))"])), array
        case "lists":
            code, data = ends()
            inner = Hand("+w:2", 26, [None], [lists("i", *sorted(draw(st.permutations(range(26))) * 3)[:53])])
            array = Hand("+l" if code == "i" else "+L", count, [nulls, data], [inner], offset=offset)
            return "Array(Array(Array(Int8)))", array
    code, data = ends()
    pairs = Hand("+s", 26, [None], [int8s(*range(26)), texts("i", *range(27))])
    values = [int.from_bytes(data[at : at + 4], "little", signed=True) for at in range(0, 4 * size, 4)]
    inside = packed("i", *(value if -30 <= value <= 26 else -1 for value in values))
    return "Map(Int8, String)", Hand("+m", count, [nulls, inside], [pairs], offset=offset)


def check_damage(case: tuple[str, Hand], form: Any) -> None:
    type_, array = case
    found = []
    for way in WAYS:
        try:
            found.append(
                rowbinary.encode_columns([("c", type_)], {"c": array}, format=form, implementation=way)
            )
        except EncodeError as error:
            found.append((error.row, str(error)))  # type: ignore[arg-type]
    assert len(set(found)) == 1, found
    assert array.count.open == 0


@FEW
@given(damaged(), st.sampled_from(FORMATS))
def test_damage(case: tuple[str, Hand], form: str) -> None:
    check_damage(case, form)


@pytest.mark.slow
@MANY
@given(damaged(), st.sampled_from(FORMATS))
def test_more_damage(case: tuple[str, Hand], form: str) -> None:
    check_damage(case, form)


# --- release -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("form", ["RowBinary", "Native"])
def test_everything_is_released(way: str, form: Any) -> None:
    """Schema, array and stream: after success, after an error, when nobody reads on."""
    count = Count()

    def batch(format: str = "c", value: int = 1) -> Hand:
        column = Hand(format, 2, [None, packed("b", 1, value)], count=count)
        return Hand("+s", 2, [None], [column], count=count)

    choices: dict[str, Any] = {"implementation": way, "format": form}
    rowbinary.encode_columns("c UInt8", batch(), **choices)
    with pytest.raises(EncodeError, match="row 1"):
        rowbinary.encode_columns("c UInt8", batch(value=-1), **choices)
    with pytest.raises(TypeError, match="not read"):
        rowbinary.encode_columns("c UInt8", batch("tin"), **choices)
    with pytest.raises(EncodeError, match="no such column"):
        rowbinary.encode_columns("d UInt8", batch(), **choices)
    rowbinary.encode_columns("c UInt8", HandStream([batch(), batch(), batch()]), **choices)
    with pytest.raises(EncodeError, match="row 5"):
        rowbinary.encode_columns("c UInt8", HandStream([batch(), batch(), batch(value=-2)]), **choices)
    for fails in (1, 2, 3):
        with pytest.raises(rowbinary.RowBinaryError, match="ended with an error: broken"):
            rowbinary.encode_columns("c UInt8", HandStream([batch(), batch()], fails=fails), **choices)
    with pytest.raises(rowbinary.RowBinaryError, match="ended with an error: error 5"):
        rowbinary.encode_columns("c UInt8", HandStream([batch()], fails=1, text=None), **choices)
    gc.collect()
    assert count.open == 0
    started = rowbinary.iter_encode_columns("c UInt8", HandStream([batch()] * 5), chunk_bytes=2, **choices)
    next(started)
    gc.collect()
    assert count.open > 0
    started.close()
    del started
    gc.collect()
    assert count.open == 0


def test_a_batch_is_asked_for_when_it_is_needed() -> None:
    batch = Hand("+s", 2, [None], [int8s(1, 2)])
    stream = HandStream([batch] * 10)
    chunks = rowbinary.iter_encode_columns("item UInt8", stream, chunk_bytes=2)
    assert stream.asked == 0
    for number in range(1, 10):
        assert next(chunks) == b"\1\2"
        assert stream.asked <= number + 1


def test_a_capsule_that_was_consumed() -> None:
    class Stale:
        def __init__(self) -> None:
            self.pair = int8s(1).__arrow_c_array__()

        def __arrow_c_array__(self, requested: object = None) -> Any:
            return self.pair

    stale = Stale()
    for way in WAYS:
        with pytest.raises(ValueError, match="consumed before"):
            rowbinary.encode_columns("a Int8, b Int8", [stale, stale], implementation=way)
