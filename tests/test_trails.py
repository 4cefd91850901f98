"""Documents in a row: what C remembers of keys must never show in the bytes."""

from __future__ import annotations

import decimal
import json
import random
import uuid
from typing import Any

import pytest
from conftest import implementations, times

import rowbinary

pytestmark = pytest.mark.skipif("c" not in implementations(), reason="there is nothing to compare with")


def both(documents: list[Any], schema: str = "j JSON", **options: Any) -> None:
    rows = [(document,) for document in documents]
    c, python = (rowbinary.encode_rows(schema, rows, implementation=i, **options) for i in ("c", "python"))
    assert c == python


class Text(str):
    __slots__ = ()


def fresh(text: str) -> str:
    """An equal text that is another object."""
    return "".join(list(text)) if len(text) > 1 else text


def test_keys_that_come_and_go() -> None:
    r = random.Random(5)
    names = ["a", "b", "c.d", "long" * 12, "ü", "list", "object", "x" * 62, "y" * 63, "z" * 64, "w" * 130]

    def value(depth: int) -> Any:
        match r.randrange(9):
            case 0 | 1 if depth < 4:
                return document(depth + 1)
            case 2 if depth < 4:
                return [document(depth + 1) for _ in range(r.randrange(3))]
            case 3:
                return None
            case 4:
                return r.random() < 0.5
            case 5:
                return "t" * r.randrange(40)
            case 6:
                return r.randrange(-(2**64), 2**64)
            case 7:
                return [r.randrange(5), None]
        return r.random()

    def document(depth: int) -> dict[str, Any]:
        keys = r.sample(names, r.randrange(len(names)))
        return {fresh(key) if r.random() < 0.3 else key: value(depth) for key in keys}

    documents = [document(0) for _ in range(times(150, 600))]
    both(documents)
    both(documents, "j JSON(a Nullable(Int64), SKIP b)", on_error=lambda *a: None)
    both(documents, json="text", on_error=lambda *a: None)


def test_a_place_changes_its_kind() -> None:
    both([{"p": {"q": 1}}, {"p": [{"q": 1}]}, {"p": 1}, {"p": {"q": {"r": 1}}}, {"p": [{"q": {"r": 2}}]}] * 3)


def test_keys_of_texts_that_are_parsed_anew() -> None:
    text = '{"first": 1, "second": {"third": [{"fourth": "x"}, {"fourth": "y", "fifth": null}]}}'
    both([json.loads(text) for _ in range(50)])


def test_keys_that_are_freed_and_whose_memory_is_used_again() -> None:
    encoders = [rowbinary.Encoder("j JSON", implementation=i) for i in ("c", "python")]
    for i in range(5000):  # more than are remembered
        for encoder in encoders:
            encoder.write_row(({f"key{i % 4999}": i, f"key{i}x": {f"k{i}": 1}},))
    assert encoders[0].take() == encoders[1].take()


def test_equal_keys_of_other_kinds() -> None:
    both([{"key": 1}, {Text("key"): 2}, {"key": 3}, {Text("key"): {"key": Text("v")}}, {"key": {"key": 4}}])


def test_paths_that_collide_among_known_keys() -> None:
    plain = {"a.b": 1, "c": 2}
    nested = {"a": {"b": 3}, "c": 4}
    collision = {"a.b": 1, "a": {"b": 3}, "c": [{"x.y": 1, "x": {"y": 2}}]}
    for rule in ("first", "last"):
        both([plain, nested, plain, collision, nested, plain, collision], duplicate_paths=rule)


def test_a_document_that_fails_leaves_nothing_behind() -> None:
    deep: Any = {"k": 1}
    for _ in range(200):
        deep = {"k": deep}
    documents = [
        {"k": {"k": 1}},
        deep,
        {"k": {"k": [deep]}},
        {"k": {"k": object()}},
        {"k": {"k": 2}, "l": [{"k": 1}]},
    ]
    both(documents * 2, on_error=lambda *a: None)


def test_numbers_read_from_decimals() -> None:
    r = random.Random(6)
    for _ in range(3000):
        digits = tuple(r.randrange(10) for _ in range(r.randrange(1, 45)))
        value = decimal.Decimal((r.randrange(2), digits, r.randrange(-50, 30)))
        precision = r.choice([9, 18, 38, 76])
        schema = f"d Decimal({precision}, {r.randrange(precision + 1)})"
        answers = []
        for implementation in ("c", "python"):
            try:
                answers.append(rowbinary.encode_rows(schema, [(value,)], implementation=implementation))
            except rowbinary.EncodeError as error:
                answers.append(str(error).encode())
        assert answers[0] == answers[1]


@pytest.mark.parametrize("number", [0, 1, 2**128 - 1, 2**120, 2**128, -1, "text", None])
def test_uuids_with_any_content(number: Any) -> None:
    value = uuid.UUID(int=0)
    object.__setattr__(value, "int", number)
    answers = []
    for implementation in ("c", "python"):
        try:
            answers.append(rowbinary.encode_rows("u UUID", [(value,)], implementation=implementation))
        except Exception as error:
            answers.append(type(error).__name__.encode() + str(error).encode())
    assert answers[0] == answers[1]
