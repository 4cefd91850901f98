"""Values whose methods raise or lie: a defined outcome for each, and nothing half-written."""

from __future__ import annotations

import collections
import datetime as dt
import itertools
import sys
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pytest
from hostile import Boom, boom, good_value, interrupt, meddling, raising, refuse, taken
from strategies import Items, Mapped, Number, Pair, Real, Text

import rowbinary
from rowbinary import EncodeError, Encoder, encode_rows, iter_encode, typed

pytestmark = pytest.mark.timeout(120)

# --- code that raises ---------------------------------------------------------------------------


# Chosen by number in the tests: pytest itself would look into the values.
RAISING = [
    raising("__index__"),
    raising("__float__", "__int__"),
    raising("__iter__", "__len__", "__contains__"),
    raising("__getattr__"),
    raising("__getattribute__"),
    raising("__repr__", "__str__"),
    raising("__eq__", "__ne__", "__hash__"),
    raising("__bool__", "__len__"),
    raising("keys", "__getitem__"),
    raising("tolist"),
    raising(dtype=property(boom)),
    raising(__class__=property(boom)),
    raising(utcoffset=boom, __dataclass_fields__=property(boom)),
]


@pytest.mark.parametrize("number", range(len(RAISING)))
@pytest.mark.parametrize(
    "column",
    ["UInt8", "Float64", "Bool", "String", "FixedString(3)", "DateTime", "Date", "Time64(3)", "UUID", "IPv4",
     "Decimal(9, 2)", "Enum8('a' = 1)", "Array(UInt8)", "Map(String, UInt8)", "Tuple(x UInt8)", "Dynamic",
     "JSON", "Variant(Int8, String)", "QBit(Float32, 2)", "Nested(a UInt8)", "IntervalDay"],
)  # fmt: skip
def test_raising_values(impl: str, column: str, number: int) -> None:
    encoder = Encoder([("c", column)], implementation=impl)
    with pytest.raises(EncodeError) as caught:
        encoder.write_row((RAISING[number],))
    assert caught.value.column == "c"
    assert (len(encoder), encoder.rows) == (0, 0)


@pytest.mark.parametrize("mode", ["exact", "text", "string"])
@pytest.mark.parametrize("number", range(len(RAISING)))
def test_raising_inside_documents(impl: str, number: int, mode: str) -> None:
    value = RAISING[number]
    for document in ({"a": value}, {"a": [value]}, {"a": {"b": [1, {"c": value}]}}):
        refuse(impl, "JSON", document, json=mode)
        refuse(impl, "JSON(a Array(Int8))", document, json=mode)


@pytest.mark.parametrize("number", range(len(RAISING)))
def test_raising_rows(impl: str, number: int) -> None:
    encoder = Encoder("a UInt8", implementation=impl)
    encoder.write_row((1,))
    with pytest.raises(EncodeError) as caught:
        encoder.write_row(RAISING[number])
    assert (caught.value.row, caught.value.column) == (1, None)
    assert encoder.take() == b"\x01"


def test_the_error_of_the_value_is_the_cause(impl: str) -> None:
    error = refuse(impl, "UInt8", raising("__index__"), "the value raised Boom: boom")
    assert isinstance(error.__cause__, Boom)


def test_errors_that_lie_about_their_text(impl: str) -> None:
    class Liar(Exception):
        def __str__(self) -> str:
            return Text("lying text")

    class Mute(Exception):
        __str__ = boom

    for error, expected in ((Liar(), "the value raised Liar: lying text"), (Mute(), "the value raised Mute")):

        def fail(self: Any, error: Exception = error) -> int:
            raise error

        assert refuse(impl, "UInt8", raising(__index__=fail)).reason == expected


def test_classes_without_a_name(impl: str) -> None:
    class Nameless(type):
        @property
        def __name__(cls) -> str:  # type: ignore[override]
            raise Boom

    error = refuse(impl, "UInt8", Nameless("Secret", (), {})(), "not a number")
    assert str(error.value).startswith("Secret ")


class Shouting(str):
    """A key whose comparison raises; its hash is that of the text."""

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        raise Boom("boom")


def test_keys_whose_comparison_raises(impl: str) -> None:
    with pytest.raises(EncodeError, match="Boom"):
        encode_rows("col UInt8", [{Shouting("col"): 1}], implementation=impl)
    assert taken(impl, "JSON", {Shouting("col"): True}) == b"\x01\x03col\x2d\x01"
    assert taken(impl, "Map(String, Bool)", {Shouting("col"): True}) == b"\x01\x03col\x01"


@pytest.mark.parametrize(
    "error", [StopIteration, StopAsyncIteration, GeneratorExit, RuntimeError, RecursionError]
)
def test_control_flow_raised_by_a_value(impl: str, error: type[BaseException]) -> None:
    def fail(self: Any) -> int:
        raise error

    value = raising(__index__=fail)
    expected = EncodeError if issubclass(error, Exception) else error
    chunks = iter_encode("c UInt8", [(1,), (value,)], implementation=impl)
    with pytest.raises(expected):
        list(chunks)
    encoder = Encoder("c UInt8", implementation=impl)
    with pytest.raises(expected):
        encoder.write_rows([(1,), (value,), (2,)])
    assert encoder.take() == b"\x01"


# --- what ends a program ------------------------------------------------------------------------


class Late(dict[str, Any]):
    items = interrupt


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("UInt8", raising(__index__=interrupt)),
        ("Array(UInt8)", [1, raising(__index__=interrupt)]),
        ("Float64", raising(__float__=interrupt)),
        ("DateTime", meddling(interrupt)),
        ("DateTime64(3)", meddling(interrupt)),
        ("Variant(DateTime, UInt8)", meddling(interrupt)),
        ("Variant(UInt8, String)", raising(__index__=interrupt)),
        ("Dynamic", meddling(interrupt)),
        ("Dynamic", [1, meddling(interrupt)]),
        ("JSON", {"a": meddling(interrupt)}),
        ("JSON", {"a": {"b": [{"c": meddling(interrupt)}]}}),
        ("JSON(a DateTime)", {"a": meddling(interrupt)}),
        ("JSON", Late(a=1)),
        ("Map(String, DateTime)", {"a": meddling(interrupt)}),
        ("Tuple(UInt8, DateTime)", (1, meddling(interrupt))),
    ],
)
def test_keyboard_interrupt_passes(impl: str, column: str, value: Any) -> None:
    calls: list[Any] = []
    encoder = Encoder(
        [("n", "UInt8"), ("c", column)], implementation=impl, on_error=lambda *args: calls.append(args)
    )
    good = (0, (1, 1) if column.startswith("Tuple") else good_value(column))
    encoder.write_row(good)
    with pytest.raises(KeyboardInterrupt):
        encoder.write_row((1, value))
    assert (encoder.rows, calls) == (1, [])
    assert encoder.take() == encode_rows([("n", "UInt8"), ("c", column)], [good], implementation=impl)


def test_an_interrupt_is_not_lost(impl: str) -> None:
    """Raised once only, as a signal is: asking the value again must not hide it."""
    answers = iter([interrupt])

    def once() -> None:
        next(answers, lambda: None)()

    for column, wrap in (("DateTime", lambda v: v), ("Dynamic", lambda v: v), ("JSON", lambda v: {"a": v})):
        answers = iter([interrupt])
        with pytest.raises(KeyboardInterrupt):
            taken(impl, column, wrap(meddling(once)))


# --- text that has no bytes ---------------------------------------------------------------------


@pytest.mark.parametrize("text", ["\ud800", "ok\udfff", "\ud83d" * 100, "a" * 1000 + "\ud800"])
@pytest.mark.parametrize("mode", ["exact", "text", "string"])
def test_lone_surrogates(impl: str, text: str, mode: str) -> None:
    for column in (
        "String",
        "LowCardinality(String)",
        "FixedString(2000)",
        "Dynamic",
        "Variant(String, UInt8)",
    ):
        error = refuse_surrogate(impl, column, text, mode)
        assert "UTF-8" in error.reason or "fits none" in error.reason
    for document in (
        {"a": text},
        {text: 1},
        {"a": {text: 1}},
        {"a": [text]},
        {"a": [{text: 1}]},
        {"a": {"b": text}},
    ):
        refuse(impl, "JSON", document, "UTF-8", json=mode)
    refuse(impl, "JSON", '{"a": "' + text + '"}', json=mode)
    refuse(impl, "Map(String, UInt8)", {text: 1}, "UTF-8", json=mode)


def refuse_surrogate(impl: str, column: str, text: str, mode: str) -> EncodeError:
    encoder = Encoder([("c", column)], json=mode, implementation=impl)  # type: ignore[arg-type]
    with pytest.raises(EncodeError) as caught:
        encoder.write_row((text,))
    assert len(encoder) == 0
    str(caught.value).encode()
    return caught.value


@pytest.mark.parametrize(
    "column",
    [
        "UInt8",
        "Float64",
        "Decimal(9, 2)",
        "UUID",
        "IPv4",
        "IPv6",
        "Date",
        "DateTime",
        "Time",
        "Enum8('a' = 1)",
    ],
)
def test_lone_surrogates_where_text_is_read(impl: str, column: str) -> None:
    refuse_surrogate(impl, column, "\ud800", "exact")


def test_lone_surrogates_in_names(impl: str) -> None:
    with pytest.raises(rowbinary.SchemaError, match="surrogate"):
        encode_rows([("\ud800", "UInt8")], [], implementation=impl)
    with pytest.raises(EncodeError) as caught:
        encode_rows("a UInt8", [{"a": 1, "\ud800": 2}], implementation=impl)
    str(caught.value).encode()


# --- subclasses that lie ------------------------------------------------------------------------


class Blob(bytes):
    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: Any) -> Any:
        return b"lie"

    def __bytes__(self) -> bytes:
        return b"lie"


class Moment(dt.datetime):
    def utcoffset(self) -> dt.timedelta:
        return dt.timedelta(hours=1)


def test_builtins_are_read_by_content(impl: str) -> None:
    """What a subclass holds is written, whatever its methods say; both implementations agree."""
    assert taken(impl, "String", Text("abcd")) == b"\x04abcd"
    assert taken(impl, "Dynamic", Text("abcd")) == b"\x15\x04abcd"
    assert taken(impl, "JSON", {Text("key"): Text("abcd")}) == b"\x01\x03key\x15\x04abcd"
    assert taken(impl, "JSON", {Text("key"): Text("abcd")}, json="text") == b"\x01\x03key\x15\x04abcd"
    assert taken(impl, "String", Blob(b"abcd")) == b"\x04abcd"
    assert taken(impl, "UInt8", Number(8)) == b"\x08"
    assert taken(impl, "Float64", Real(2.5)) == taken(impl, "Float64", 2.5)
    assert taken(impl, "Array(UInt8)", Items([1, 2, 3])) == b"\x03\x01\x02\x03"
    assert taken(impl, "Array(UInt8)", Pair((1, 2))) == b"\x02\x01\x02"
    assert taken(impl, "Tuple(UInt8, UInt8)", Pair((1, 2))) == b"\x01\x02"
    assert encode_rows("a UInt8, b UInt8", [Pair((1, 2))], implementation=impl) == b"\x01\x02"
    assert encode_rows("a UInt8", [Mapped(a=2)], implementation=impl) == b"\x02"
    refuse(impl, "UInt8", Real(2.5), "fraction")
    refuse(
        impl, "Decimal(9, 2)", type("Sly", (str,), {"__contains__": lambda *_: False})("1_0"), "not a number"
    )


def test_a_missing_key_is_missing(impl: str) -> None:
    with pytest.raises(EncodeError, match="no value for") as caught:
        encode_rows("a UInt8, b UInt8", [Mapped(a=2)], implementation=impl)
    assert caught.value.column == "b"


class Endless(Collection[Any]):
    """Says it has three elements, and never stops giving them."""

    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Iterator[Any]:
        return itertools.count()

    def __contains__(self, item: object) -> bool:
        return False


class EndlessMapping(Mapping[Any, Any]):
    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Iterator[Any]:
        return map(str, itertools.count())

    def __getitem__(self, key: Any) -> Any:
        return 1


class Short(Endless):
    def __iter__(self) -> Iterator[Any]:
        return iter([1])


class Huge(Endless):
    def __len__(self) -> int:
        return sys.maxsize


def test_lengths_that_lie(impl: str) -> None:
    refuse(impl, "Array(UInt8)", Endless(), "another number of elements")
    refuse(impl, "Array(UInt8)", Short(), "another number of elements")
    refuse(impl, "Array(UInt8)", Huge(), "more than")
    for value in (Endless(), Short(), Huge()):
        refuse(impl, "Dynamic", value, "no ClickHouse type")
    for column in ("Map(String, UInt8)", "JSON", "Dynamic"):
        refuse(impl, column, EndlessMapping(), "another number of elements")
    refuse(impl, "JSON", {"a": EndlessMapping()}, "another number of elements", json="text")
    refuse(impl, "JSON", {"a": EndlessMapping()}, "another number of elements", json="string")


def test_objects_that_answer_with_themselves(impl: str) -> None:
    class Mirror:
        dtype = "x"
        ndim = 0

        def item(self) -> Mirror:
            return self

        def tolist(self) -> Mirror:
            return self

    refuse(impl, "Dynamic", Mirror(), "too deeply")
    refuse(impl, "Array(UInt8)", Mirror(), "not a sequence")
    with pytest.raises(EncodeError):
        encode_rows("a UInt8", [Mirror()], implementation=impl)


def test_messages_stay_short(impl: str) -> None:
    """The text of a value may be longer than memory: lists in lists in a named tuple."""
    Point = collections.namedtuple("Point", "x y")
    shared: Any = Point(1, 2)
    nested: list[Any] = [1]
    for _ in range(60):
        shared = Point(shared, shared)
        nested = [nested, nested]
    for value in (
        shared,
        [shared],
        nested,
        typed(nested, "String"),
        {"k": shared},
        {1: nested},
        "x" * 10**6,
        b"x" * 10**6,
    ):
        refuse(impl, "UInt8", value)
        refuse(impl, "DateTime", value)
