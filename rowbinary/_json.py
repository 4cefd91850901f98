"""JSON cells: documents to paths, and paths to bytes.

A cell is the number of paths, then per path its name and value: bare for a typed path, with a
type tag otherwise.  The server takes the bytes as they are, so whatever it does for JSON text
is done here: flattening, SKIP rules, and resolving paths that collide.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple, NoReturn

from . import _text
from ._badvalue import BadValue
from ._containers import CHANGED, MISSING, Budget, as_object, bounded
from ._context import Context
from ._opcodes import Op
from ._options import MAX_DEPTH, MAX_STRING
from ._plan import JsonRules, Node, bottom
from ._typed import Typed
from ._varint import string, varint

_NULL_OPS = frozenset({Op.NULLABLE, Op.VARIANT, Op.DYNAMIC})


class Entry(NamedTuple):
    """One path to write: with its declared type, or ``None``; ``depth`` is that of its object."""

    node: Node | None
    value: object
    depth: int


def write_document(out: bytearray, node: Node, value: object, context: Context) -> None:
    """Append the JSON cell `value`: an object, JSON text, or None for the empty object."""
    from ._dynamic import write_natural
    from ._write import write_value, write_zero

    rules = node.json
    assert rules is not None
    if context.json == "string":
        out += _limited(string(document_text(value)))
        return
    entries = flatten(as_document(value, context), rules, context)
    for path, typed in rules.defaults.items():
        entries.setdefault(path, Entry(typed, MISSING, context.depth))
    # An object in an array has fewer dynamic paths and types, level by level.
    limits = (rules.max_paths // 4, rules.max_types // 2)
    out += varint(len(entries))
    depth, dynamic = context.depth, 0
    try:
        for path, entry in entries.items():
            context.depth = entry.depth
            out += string(path)
            try:
                if entry.value is MISSING and entry.node is not None:
                    write_zero(out, entry.node)
                elif entry.node is not None:
                    write_value(out, entry.node, entry.value, context)
                else:
                    write_natural(out, entry.value, context, limits, dynamic < rules.max_paths)
                    dynamic += 1
            except BadValue as error:
                error.path.append(path)
                raise
    finally:
        context.depth = depth


def _limited(data: bytes) -> bytes:
    if len(data) > MAX_STRING:
        raise BadValue(f"more than {MAX_STRING} bytes of JSON text")
    return data


# --- documents to paths ----------------------------------------------------------------------------


def flatten(document: Mapping[object, object], rules: JsonRules, context: Context) -> dict[str, Entry]:
    """The paths of `document` in document order: depth first, keys joined with dots.

    Nulls and empty objects are absent.  Two keys that flatten to one path are resolved by
    ``duplicate_paths``: the server would refuse the whole insert (code 117), or worse.
    """
    entries: dict[str, Entry] = {}
    context.enter()
    try:
        _flatten(document, None, rules, context, entries)
    finally:
        context.leave()
    return entries


def _flatten(
    document: Mapping[object, object],
    prefix: str | None,
    rules: JsonRules,
    context: Context,
    entries: dict[str, Entry],
) -> None:
    for key, value in _items(document):
        try:
            path = _join(prefix, key)
        except BadValue as error:
            error.path += [prefix] if prefix is not None else []
            raise
        rule = True if rules.plain else rules.resolve(path)
        if rule is False:
            continue
        if rule is not True:
            _add_typed(entries, path, rule, value, context)
            continue
        inner = as_object(value)
        if inner is None:
            _add(entries, path, Entry(None, _present(value, context), context.depth), context)
            continue
        context.enter()
        try:
            _flatten(inner, path, rules, context, entries)
        finally:
            context.leave()


def _items(document: Mapping[object, object]) -> Iterable[tuple[object, object]]:
    count = len(document)
    for pair in bounded(document.items(), count):
        if len(document) != count:
            raise BadValue(CHANGED)
        yield pair


def _join(prefix: str | None, key: object) -> str:
    if not isinstance(key, str):
        raise BadValue("a key of a JSON object must be a str", key, "JSON")
    text = str.__str__(key)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadValue("a lone surrogate in a key has no UTF-8 form", key, "JSON") from None
    return text if prefix is None else f"{prefix}.{text}"


def _present(value: object, context: Context) -> object:
    """`value`, or None for what makes the path absent: typed() NULLs; NaN in text mode."""
    if type(value) is Typed and value.value is None:
        return None
    if context.json == "text" and isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _add_typed(entries: dict[str, Entry], path: str, node: Node, value: object, context: Context) -> None:
    if value is None and bottom(node).op not in _NULL_OPS:
        return  # an absent typed path has its type's default, as null has in text
    if context.json == "text" and type(value) is not Typed:
        try:
            value = _text.coerce(value, node.type, context.zone)
        except BadValue as error:
            error.path.append(path)
            raise
    _add(entries, path, Entry(node, value, context.depth), context)


def _add(entries: dict[str, Entry], path: str, entry: Entry, context: Context) -> None:
    """Keep `entry`, unless it is null or another one has the path; nulls collide with nothing."""
    if entry.value is None and entry.node is None:
        return
    if path in entries:
        if context.duplicates == "error":
            error = BadValue("two keys flatten to this path", entry.value, "JSON")
            error.path.append(path)
            raise error
        if context.duplicates == "first":
            return
    entries[path] = entry


# --- JSON text -------------------------------------------------------------------------------------


def as_document(value: object, context: Context) -> Mapping[object, object]:
    """The object a JSON cell holds."""
    if type(value) is dict:
        return value
    if value is None:
        return {}
    if isinstance(value, str | bytes | bytearray | memoryview):
        return _parse(bytes(value) if isinstance(value, memoryview) else value, context)
    document = as_object(value)
    if document is None:
        raise BadValue("neither an object nor JSON text")
    return document


def _parse(text: str | bytes | bytearray, context: Context) -> Mapping[object, object]:
    """JSON text, as strict as the server: no NaN, no 1e400, and no duplicate keys in text mode."""
    hook = _unique_pairs if context.duplicates == "error" else None
    if context.duplicates == "first":
        hook = _first_pairs
    try:
        document = json.loads(
            text, object_pairs_hook=hook, parse_constant=_refuse_constant, parse_float=_finite
        )
    except RecursionError:
        raise BadValue("JSON text nested too deeply") from None
    except (UnicodeDecodeError, ValueError) as error:
        raise BadValue(f"not valid JSON text: {error}") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise BadValue("JSON text that is no object")
    return document


def _unique_pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for index, key in enumerate(keys) if key in keys[:index])
        raise BadValue(f"JSON text has the key {twice!r} twice in one object")
    return document


def _first_pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document: dict[str, object] = {}
    for key, value in pairs:
        document.setdefault(key, value)
    return document


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is out of range")
    return number


def document_text(value: object) -> bytes:
    """The JSON text of a cell for ``json="string"``; text is passed on as it is."""
    if isinstance(value, str):
        try:
            return str.encode(value)
        except UnicodeEncodeError:
            raise BadValue("a lone surrogate has no UTF-8 form") from None
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if value is None:
        return b"{}"
    document = as_object(value)
    if document is None:
        raise BadValue("neither an object nor JSON text")
    try:
        text = json.dumps(
            _jsonable(document, 1, Budget()), ensure_ascii=False, separators=(",", ":"), allow_nan=False
        )
        return text.encode()
    except RecursionError:
        raise BadValue("nested too deeply") from None
    except UnicodeEncodeError:
        raise BadValue("a lone surrogate has no UTF-8 form") from None


_JSON_LEAVES = frozenset({str, int, bool, type(None)})


def _jsonable(value: object, depth: int, budget: Budget) -> object:
    """`value` in terms of what JSON has, by the rules of ``json="text"``."""
    if type(value) in _JSON_LEAVES:
        return value
    if depth > MAX_DEPTH + 1:
        raise BadValue(f"nested deeper than {MAX_DEPTH} levels")
    if type(value) is Typed:
        return _jsonable(value.value, depth, budget)
    document = None if type(value) is list else as_object(value)
    if document is not None:
        budget.spend(len(document))
        return {_join(None, key): _jsonable(item, depth + 1, budget) for key, item in _items(document)}
    if not isinstance(value, list | int):
        value = _text.json_leaf(value)
    if isinstance(value, list | tuple):
        budget.spend(len(value))
        return [_jsonable(item, depth + 1, budget) for item in value]
    return value
