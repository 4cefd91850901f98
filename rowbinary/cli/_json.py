"""JSON texts, read strictly.

The standard parser, without its leniency: a key twice, NaN, Infinity and numbers beyond Float64
are errors.  (A faster parser would have to keep integers of any size and notice keys that come
twice; orjson does neither, and takes 6 us instead of 13 for a span of 1.4 kB.)
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, NoReturn

from .._types import Type
from ._problems import BadLine

# Types that infer what an untyped value is: a Decimal there would not mean the number of the text.
_INFERRING = ("JSON", "Dynamic", "Variant")


def decoder(parse_float: Callable[[str], Any]) -> Callable[[str], Any]:
    """A decoder of JSON texts for :func:`parse_json`, with `parse_float` for numbers with a fraction."""

    def number(text: str) -> Any:
        value = parse_float(text)
        if math.isinf(float(value)):
            raise BadLine(f"{text} is beyond the range of Float64")
        return value

    return json.JSONDecoder(
        object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=number
    ).decode


def wants_decimals(type_: Type) -> bool:
    """Whether fractions for a column of `type_` must be read exactly, as Decimal."""
    text = str(type_)
    return "Decimal(" in text and not any(word in text for word in _INFERRING)


def parse_json(decode: Callable[[str], Any], text: str) -> Any:
    """The value of a JSON text; :class:`BadLine` for everything that is not plain JSON."""
    try:
        return decode(text)
    except json.JSONDecodeError as error:
        raise BadLine(f"not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise BadLine("not JSON: nested too deeply") from None
    except ValueError as error:
        raise BadLine(f"not JSON: {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadLine(f"the key {twice!r} comes twice in an object")
    return row


def _refuse_constant(name: str) -> NoReturn:
    raise BadLine(f"{name} is not JSON")


def kind_of(value: object) -> str:
    """What JSON calls `value`."""
    kinds = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")
