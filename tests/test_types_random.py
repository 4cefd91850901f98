"""Random types in random spellings: printing is a fixed point, and the engine prints the same."""

from __future__ import annotations

import types_engine
from conftest import times
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from types_engine import Engine

from rowbinary._parse import parse_type
from rowbinary._types import quote, quote_identifier

engine = types_engine.engine  # the fixture

# A type is a tuple of tokens, joined with random space: a token that starts with a space is a
# word which must stand apart from other words and cannot be quoted, "*" marks a type name, which can.

Tokens = tuple[str, ...]

PLAIN_NAMES = (
    "*UInt8",
    "*Int256",
    "*Float32",
    "*String",
    "*UUID",
    "*IPv4",
    "*IPv6",
    "*Date",
    "*DATE",
    "*bool",
    "*datetime",
    "*TIME",
    "*Text",
    "*int",
)
LEAVES: list[Tokens] = [
    *((name,) for name in PLAIN_NAMES),
    ("*INT", " UNSIGNED"),
    ("*BIGINT", "(", "20", ")", " Unsigned"),
    ("*double", " PRECISION"),
    ("*national", " character", " LARGE", " object"),
    ("*VARCHAR", "(", "10", ")"),
    ("*FixedString", "(", "0x10", ")"),
    ("*BINARY", "(", "7", ",", ")"),
    ("*Decimal", "(", "18", ",", "4", ")"),
    ("*decimal64", "(", "3", ")"),
    ("*DateTime", "(", "'Europe/Berlin'", ")"),
    ("*timestamp", "(", "3", ",", "'UTC'", ")"),
    ("*DateTime64", "(", ")"),
    ("*Time64", "(", "9", ")"),
]
OUTSIDE_JSON: list[Tokens] = [  # the engine has no text form for these in a typed path
    ("*IntervalDay",),
    ("*BFloat16",),
    ("*QBit", "(", "*REAL", ",", "16", ",", "8", ")"),
    ("*AggregateFunction", "(", "SUM", ",", "*INT", ")"),
]
IN_LOW_CARDINALITY = [leaf for leaf in LEAVES if leaf[0] in PLAIN_NAMES]

labels_ = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
words_ = st.sampled_from(
    ("a", "b", "c", "x1", "_y", "Select", "null", "NULL", "table", "INT", "array", "Ab", "aB", "1a")
)
identifiers = st.one_of(
    words_.map(lambda word: f" {word}"),
    labels_.filter(lambda name: name not in ("", "null")).map(
        lambda name: f"`{quote_identifier(name + '`')[1:-3]}`"
    ),
)


def comma(parts: list[Tokens]) -> Tokens:
    return tuple(token for part in parts for token in (*part, ","))[:-1]


@st.composite
def enums(draw: st.DrawFn) -> Tokens:
    labels = draw(st.lists(labels_, min_size=1, max_size=4, unique=True))
    numbers = draw(
        st.lists(st.integers(-(2**15), 2**15 - 1), min_size=len(labels), max_size=len(labels), unique=True)
    )
    if draw(st.booleans()):
        return ("*Enum", "(", *comma([(quote(label),) for label in labels]), ")")
    pairs = zip(labels, numbers, strict=True)
    return ("*eNUM", "(", *comma([(quote(label), "=", str(number)) for label, number in pairs]), ")")


def unique_names(draw: st.DrawFn, count: int, strategy: st.SearchStrategy[str]) -> list[str]:
    def value(token: str) -> str:
        return token.strip() if token.startswith(" ") else token[1:-1]

    found = draw(st.lists(strategy, min_size=count, max_size=count, unique_by=value))
    return [token if value(token) != "null" else " NULL2" for token in found]


def has_name_like_start(tokens: Tokens) -> bool:
    return len(tokens) > 1 and tokens[1].startswith(" ")


KINDS = ("Array", "Map", "Tuple", "named", "Nested", "Variant", "Nullable", "LowCardinality", "JSON")


@st.composite
def containers(draw: st.DrawFn, inner: st.SearchStrategy[Tokens]) -> Tokens:
    kind = draw(st.sampled_from(KINDS))
    if kind == "LowCardinality":
        leaf = draw(st.sampled_from(IN_LOW_CARDINALITY))
        nullable = draw(st.booleans())
        return ("*LowCardinality", "(", *(("*Nullable", "(", *leaf, ")") if nullable else leaf), ")")
    if kind == "Nullable":
        return ("*Nullable", "(", *draw(st.sampled_from(LEAVES)), ")")
    elements = draw(st.lists(inner, min_size=1, max_size=3))
    if kind == "Array":
        return ("*Array", "(", *elements[0], ")")
    if kind == "Map":
        return ("*Map", "(", *comma([("*Text",), elements[0]]), ")")  # typed paths take no other keys
    if kind in ("named", "Nested"):
        pairs = zip(unique_names(draw, len(elements), identifiers), elements, strict=True)
        head = "*Nested" if kind == "Nested" else "*Tuple"
        return (head, "(", *comma([(name, *element) for name, element in pairs]), ")")
    if kind == "JSON":
        pairs = zip(unique_names(draw, len(elements), identifiers), elements, strict=True)
        typed = [(name, *element) for name, element in pairs]
        extra: list[Tokens] = [(" skip", " zzz", ".", " b"), (" SKIP", " regexp", "'^\\\\d{9}'")]
        return ("*jSoN", "(", *comma(draw(st.permutations(typed + extra))), ")")
    if kind == "Tuple":
        return ("*Tuple", "(", *comma([part for part in elements if not has_name_like_start(part)]), ")")
    members = [
        part for part in elements if part[0] not in ("*Variant", "*Nullable", "*LowCardinality", "*Dynamic")
    ]
    return ("*Variant", "(", *comma([*members, ("*Int8",)]), ")")


leaves = st.one_of(st.sampled_from(LEAVES), enums(), st.just(("*Dynamic", "(", "max_types", "=", "5", ")")))
inside_json = st.recursive(leaves, containers, max_leaves=6)


@st.composite
def spelled(draw: st.DrawFn) -> str:
    """A type in one of its spellings."""
    tokens = draw(st.one_of(inside_json, st.sampled_from(OUTSIDE_JSON)))
    source = draw(st.randoms(use_true_random=False))
    parts: list[str] = []
    for token in tokens:
        parts.append(source.choice(("", "", " ", "\n\t", " /* , */ ", "-- )\n")))
        if token.startswith("*"):
            token = source.choice((f" {token[1:]} ", f" {token[1:]} ", f" `{token[1:]}`", f' "{token[1:]}"'))
        elif token.startswith(" "):
            token = f"{token} "
        parts.append(token)
    return "".join(parts)


@settings(max_examples=times(100, 300), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spelled())
def test_printing_is_a_fixed_point(text: str) -> None:
    parsed = parse_type(text)
    assert str(parse_type(str(parsed))) == str(parsed)


@settings(max_examples=times(20, 60), deadline=None, suppress_health_check=list(HealthCheck))
@given(texts=st.lists(spelled(), min_size=15, max_size=30))
def test_engine_agrees_on_random_types(engine: Engine, texts: list[str]) -> None:
    assert [str(parse_type(text)) for text in texts] == engine.columns(texts)
