"""Tokens of type texts, and the readers of what has no types inside: names, strings, numbers."""

from __future__ import annotations

import decimal
import re
from collections.abc import Iterator
from typing import NamedTuple

from . import _types as t
from .errors import SchemaError, shorten

MAX_TEXT = 1 << 22  # characters; an Enum16 with all its labels is about 1.5 million


class Token(NamedTuple):
    """``kind`` is ``word``, ``quoted``, ``string``, ``number``, ``end`` or the sign itself."""

    kind: str
    raw: str
    start: int
    end: int


_SPACE = re.compile(r"(?:\s++|--[^\n]*+|/\*.*?\*/)*+", re.DOTALL)
_TOKEN = re.compile(
    r"""
    (?P<number> (?: 0[xX][0-9a-fA-F]+ | 0b[01]+ | (?: \d+(?:_\d+)*(?:\.\d*)? | \.\d+ ) (?: [eE][+-]?\d+ )? )
                (?![\w$]) )
  | (?P<word>   [\w$]++ )
  | (?P<quoted> ` [^`\\]*+ (?: (?:\\.|``) [^`\\]*+ )*+ ` | " [^"\\]*+ (?: (?:\\.|"") [^"\\]*+ )*+ " )
  | (?P<string> ' [^'\\]*+ (?: (?:\\.|'') [^'\\]*+ )*+ ' )
  | (?P<sign>   ==? | [(),.+\-\[\]] )
    """,
    re.VERBOSE | re.ASCII | re.DOTALL,
)
IDENTIFIERS = frozenset({"word", "quoted"})

_ESCAPED = {
    quote: re.compile(rb"\\(x[0-9a-fA-F]{2}|.)|" + quote.encode() * 2, re.DOTALL) for quote in ("'", '"', "`")
}
_ESCAPES = dict(zip(b"abefnrtv0\\'\"`/=", b"\a\b\x1b\f\n\r\t\v\0\\'\"`/=", strict=True))


class _BadEscape(Exception):
    pass


def _unescape(match: re.Match[bytes]) -> bytes:
    sequence = match[1]
    if sequence is None:
        return match[0][:1]  # a doubled quote
    if len(sequence) == 3:
        return bytes.fromhex(sequence[1:].decode())
    if sequence == b"x":
        raise _BadEscape
    if sequence == b"N":
        return b""
    code = _ESCAPES.get(sequence[0])
    return match[0] if code is None else bytes([code])


class Literal(NamedTuple):
    value: int | float | str | bool | None
    start: int

    def text(self) -> str:
        """The literal as the engine prints it."""
        value = self.value
        if value is None:
            return "NULL"
        if isinstance(value, str):
            return t.quote(value)
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int) or abs(value) == float("inf"):
            return str(value)
        # The fewest digits that read back as the same double: Python's digits in another layout.
        digits = decimal.Decimal(repr(value))
        if value and not 1e-6 <= abs(value) < 1e21:
            mantissa, exponent = f"{digits.normalize():e}".split("e")
            return f"{mantissa}e{int(exponent)}"
        whole, _, fraction = f"{digits:f}".partition(".")
        return f"{whole}.{fraction.rstrip('0')}"


class Lexer:
    """One pass over one text; ``token`` is the next one, not yet consumed.

    Every error is a `SchemaError` with the position of the offending token.
    """

    def __init__(self, text: str):
        if not isinstance(text, str):
            raise SchemaError(f"a type must be given as str, not {type(text).__name__}")
        self.text = text
        if len(text) > MAX_TEXT:
            raise self.error(f"text longer than {MAX_TEXT} characters", 0)
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise self.error("text with a lone surrogate", error.start) from None
        self.token = self.scan(0)

    def error(self, message: str, position: int | None = None) -> SchemaError:
        return SchemaError(
            message, text=self.text, position=self.token.start if position is None else position
        )

    def unexpected(self, expected: str) -> SchemaError:
        found = "the end" if self.token.kind == "end" else repr(shorten(self.token.raw, 40))
        return self.error(f"expected {expected}, found {found}")

    def scan(self, position: int) -> Token:
        start = _SPACE.match(self.text, position).end()  # type: ignore[union-attr]  # matches always
        if start == len(self.text):
            return Token("end", "", start, start)
        match = _TOKEN.match(self.text, start)
        if match is None:
            char = self.text[start]
            what = f"{char} without its closing {char}" if char in "'\"`" else f"character {char!r}"
            raise self.error(f"unexpected {what}", start)
        kind = match.lastgroup or ""
        raw = match[0]
        if kind == "sign":
            kind = "=" if raw == "==" else raw
        return Token(kind, raw, start, match.end())

    def peek(self) -> Token:
        return self.scan(self.token.end)

    def advance(self) -> Token:
        token = self.token
        self.token = self.scan(token.end)
        return token

    def accept(self, kind: str) -> bool:
        if self.token.kind != kind:
            return False
        self.advance()
        return True

    def expect(self, kind: str) -> None:
        if not self.accept(kind):
            raise self.unexpected("',' or ')'" if kind == ")" else f"'{kind}'")

    def keyword(self, word: str) -> bool:
        if self.token.kind != "word" or self.token.raw.upper() != word:
            return False
        self.advance()
        return True

    def unquote(self, token: Token) -> str:
        quote, body = token.raw[0], token.raw[1:-1]
        if "\\" not in body and quote not in body:
            return body
        try:
            return _ESCAPED[quote].sub(_unescape, body.encode()).decode()
        except _BadEscape:
            raise self.error("\\x takes two hexadecimal digits", token.start) from None
        except UnicodeDecodeError:
            raise self.error("text that is not UTF-8 once its escapes are resolved", token.start) from None

    def identifier(self, what: str) -> str:
        if self.token.kind not in IDENTIFIERS or self.token.raw in ("``", '""'):
            raise self.unexpected(what)
        token = self.advance()
        return token.raw if token.kind == "word" else self.unquote(token)

    def path(self, what: str) -> str:
        parts = [self.identifier(what)]
        while self.accept("."):
            parts.append(self.identifier(what))
        return ".".join(parts)

    def string(self) -> str:
        if self.token.kind != "string":
            raise self.unexpected("a string in single quotes")
        return self.unquote(self.advance())

    def number(self) -> int | float:
        negative = self.token.kind == "-"
        if negative or self.token.kind == "+":
            self.advance()
        if self.token.kind != "number":
            raise self.unexpected("a number")
        raw = self.advance().raw
        value: int | float
        if raw[:2] in ("0x", "0X", "0b"):
            value = int(raw, 0)
        elif raw.replace("_", "").isdigit():
            # Nothing takes more than 64 bits; int() of a long text would be slow or refused.
            value = int(raw) if len(raw) < 100 else float("inf")
        else:
            value = float(raw)
        return -value if negative else value

    def literal(self) -> Literal:
        start = self.token.start
        if self.token.kind == "string":
            return Literal(self.string(), start)
        for word, value in (("TRUE", True), ("FALSE", False), ("NULL", None)):
            if self.keyword(word):
                return Literal(value, start)
        return Literal(self.number(), start)

    def parameter(self) -> str:
        """The text of one parameter of an aggregate function: a literal, or an array of literals."""
        if not self.accept("["):
            return self.literal().text()
        items: list[str] = []
        while not items or self.accept(","):
            items.append(self.literal().text())
        self.expect("]")
        return f"[{', '.join(items)}]"

    def arguments(self) -> Iterator[int]:
        """Yields once for each argument in parentheses, if there are any; the caller reads it."""
        if not self.accept("(") or self.accept(")"):
            return
        index = 0
        while True:
            yield index
            index += 1
            if not self.accept(","):
                self.expect(")")
                return
            if self.accept(")"):  # the engine allows a trailing comma
                return

    def literals(self, family: str, start: int, low: int, high: int) -> list[Literal]:
        """All arguments of `family`, literals, from `low` to `high` of them."""
        found = [self.literal() for _ in self.arguments()]
        self.check_count(family, start, len(found), low, high)
        return found

    def check_count(self, family: str, start: int, count: int, low: int, high: int) -> None:
        if not low <= count <= high:
            wanted = str(low) if low == high else f"{low} to {high}"
            raise self.error(f"{family} takes {wanted} argument{'s' * (wanted != '1')}, not {count}", start)

    def whole(self, literal: Literal, what: str, low: int, high: int) -> int:
        value = literal.value
        if type(value) is not int or not low <= value <= high:
            raise self.error(f"{what} must be a whole number from {low} to {high}", literal.start)
        return value
