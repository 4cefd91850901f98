"""Types compiled into nodes: what both encoders interpret.

A :class:`Node` is one type of the tree with everything a writer needs, found once.  The C
encoder builds its own structs from the same nodes and keeps them in ``Node.capsule``.
"""

from __future__ import annotations

import functools
import re
import sys
from dataclasses import dataclass

from . import _types as t
from ._opcodes import WIDTHS, Op
from ._options import MAX_TYPE_DEPTH
from ._registry import REGISTRY
from ._tags import type_tag
from ._varint import string, varint
from .errors import SchemaError

_DECIMAL_OPS = ((9, Op.DECIMAL32), (18, Op.DECIMAL64), (38, Op.DECIMAL128), (76, Op.DECIMAL256))
INTEGER_OPS = frozenset(op for op in Op if Op.INT8 <= op <= Op.UINT256)
FLOAT_OPS = frozenset({Op.FLOAT32, Op.FLOAT64, Op.BFLOAT16})
_PATH_CACHE = 10_000  # resolved paths kept per JSON type; attacker-chosen paths must not fill memory


class Node:
    """One compiled type.

    ``size`` is the wire width, the N of FixedString and QBit, the max_types of Dynamic, or the number
    of children;
    ``scale`` the digits after the point of Decimal, DateTime64 and Time64; ``precision`` the P of
    Decimal, the stride of QBit; ``names`` the element names of a named Tuple; ``labels`` Enum label ->
    number;
    ``natural`` the Variant member per Python kind; ``json`` the rules of a JSON type; ``zero`` the
    bytes of the type's default value.
    """

    __slots__ = (
        "_tag",
        "capsule",
        "children",
        "json",
        "labels",
        "names",
        "natural",
        "op",
        "precision",
        "scale",
        "size",
        "text",
        "type",
        "zero",
        "zone",
    )

    def __init__(self, op: Op, type_: t.Type, children: tuple[Node, ...] = ()):
        self.op = op
        self.type = type_
        self.text = type_.text
        self.children = children
        self.size = WIDTHS[op] or len(children)
        self.scale = 0
        self.precision = 0
        self.names: tuple[str, ...] | None = None
        self.labels: dict[str, int] | None = None
        self.natural: tuple[int, int, int, int] = (-1, -1, -1, -1)
        self.json: JsonRules | None = None
        self.zone: str | None = None
        self.zero: bytes = b""
        self.capsule: object = None  # the C encoder's struct
        self._tag: bytes | None = None

    @property
    def tag(self) -> bytes:
        """The binary type tag, for values of Dynamic."""
        if self._tag is None:
            self._tag = type_tag(self.type)
        return self._tag

    def __repr__(self) -> str:
        return f"<Node {self.op.name} {self.text}>"


class JsonRules:
    """What a JSON type says about paths: limits, typed paths, SKIP and SKIP REGEXP."""

    __slots__ = ("_patterns", "_skip", "defaults", "max_paths", "max_types", "paths", "plain", "typed")

    def __init__(self, type_: t.JSON):
        self.max_paths = type_.max_dynamic_paths
        self.max_types = type_.max_dynamic_types
        self.typed = {path: compile_type(inner) for path, inner in type_.typed}
        # Absent paths that must be written: the server would store 0 even where it is no label.
        self.defaults = {path: node for path, node in self.typed.items() if holds_enum(node)}
        self._skip = tuple(path + "." for path in type_.skip)
        try:
            self._patterns = [re.compile(pattern) for pattern in type_.skip_regexp]
        except re.error as error:
            raise SchemaError(f"SKIP REGEXP {error.pattern!r} cannot be used: {error}") from None
        self.plain = not (self.typed or self._skip or self._patterns)
        self.paths: dict[str, Node | bool] = {}

    def resolve(self, path: str) -> Node | bool:
        """What becomes of `path`: its node when typed, ``False`` when skipped, else ``True``.

        SKIP and SKIP REGEXP mean what they mean for JSON text: ``SKIP a`` drops ``a`` and all that
        begins with ``a.``; an expression is tried on every level of the document, matches anywhere in
        the path so far, and drops the whole subtree.
        """
        try:
            return self.paths[path]
        except KeyError:
            pass
        answer: Node | bool = True
        if (path + ".").startswith(self._skip) or any(pattern.search(path) for pattern in self._patterns):
            answer = False
        elif path in self.typed:
            answer = self.typed[path]
        if len(self.paths) >= _PATH_CACHE:
            self.paths.clear()
        self.paths[path] = answer
        return answer


@functools.lru_cache(maxsize=4096)
def compile_type(type_: t.Type) -> Node:
    """The node of `type_`.  Raises :class:`SchemaError` for a type that cannot be encoded."""
    if isinstance(type_, t.Alias):
        node = _compile_structure(type_, type_.structure)
    elif isinstance(type_, t.Aggregate) and type_.family == "SimpleAggregateFunction":
        node = _compile_structure(type_, type_.arguments[-1])
    else:
        row = REGISTRY.get(type_.family)
        if row is None:
            raise SchemaError(f"type {type_} cannot be encoded")
        node = Node(row.op, type_, tuple(map(compile_type, _children(type_))))
        _fill(node, type_)
    node.zero = _zero(node)
    return node


def _compile_structure(type_: t.Type, structure: t.Type) -> Node:
    """A node that is named `type_` and written as `structure`."""
    inner = compile_type(structure)
    node = Node(inner.op, type_, inner.children)
    for slot in ("size", "scale", "precision", "names", "labels", "natural", "json", "zone"):
        setattr(node, slot, getattr(inner, slot))
    return node


def _children(type_: t.Type) -> tuple[t.Type, ...]:
    match type_:
        case t.Wrapper():
            return (type_.inner,)
        case t.Map():
            return (type_.key, type_.value)
        case t.Tuple(family="Nested"):
            return (t.Tuple("Tuple", type_.elements, type_.names),)
        case t.Tuple():
            return type_.elements
        case t.Variant():
            return type_.members
        case t.QBit():
            return (type_.element,)
    return ()


def _fill(node: Node, type_: t.Type) -> None:
    match type_:
        case t.FixedString():
            node.size = type_.length
        case t.QBit():
            node.size, node.precision = type_.length, type_.stride or type_.length
        case t.Decimal():
            node.op = next(op for digits, op in _DECIMAL_OPS if type_.precision <= digits)
            node.size = WIDTHS[node.op]
            node.precision, node.scale = type_.precision, type_.scale
        case t.DateTime():
            node.zone = type_.timezone
        case t.DateTime64():
            node.scale, node.zone = type_.scale, type_.timezone
        case t.Time64():
            node.scale = type_.scale
        case t.Enum():
            node.labels = dict(type_.labels)
        case t.Tuple(family="Tuple"):
            node.names = type_.names
        case t.Variant():
            node.natural = _natural_members(node.children)
        case t.Dynamic():
            node.size = type_.max_types
        case t.JSON():
            node.json = JsonRules(type_)


_NATURAL = (frozenset({Op.BOOL}), INTEGER_OPS, FLOAT_OPS, frozenset({Op.STRING}))


def _natural_members(members: tuple[Node, ...]) -> tuple[int, int, int, int]:
    """The only member that a bool, an int, a float and a str can mean, else -1."""
    found = []
    for ops in _NATURAL:
        indexes = [i for i, member in enumerate(members) if bottom(member).op in ops]
        found.append(indexes[0] if len(indexes) == 1 else -1)
    return (found[0], found[1], found[2], found[3])


def bottom(node: Node) -> Node:
    """`node` without LowCardinality, which RowBinary does not show."""
    return node.children[0] if node.op is Op.LOW_CARDINALITY else node


def holds_enum(node: Node) -> bool:
    """Whether a value of all zero bytes, which the server stores for a missing one, may be no label."""
    if node.op in (Op.ENUM8, Op.ENUM16):
        return any(node.zero)
    return node.op in (Op.TUPLE, Op.LOW_CARDINALITY) and any(map(holds_enum, node.children))


def holds(node: Node, op: Op) -> bool:
    """Whether a value of `op` can be in one of `node`."""
    return node.op is op or any(holds(child, op) for child in node.children)


def lacks_zero(node: Node) -> bool:
    """Whether the type has no default value that could be written: aggregate states, tuples of such."""
    return node.op is Op.STATE or (node.op is Op.TUPLE and any(map(lacks_zero, node.children)))


@functools.lru_cache(maxsize=4096)
def not_in_a_block(node: Node) -> str | None:
    """Why a Dynamic value of this type cannot be in a Native block; ``None`` if it can."""
    if holds(node, Op.STATE):
        return "an aggregate state in Dynamic or JSON cannot be sent in a Native block"
    if _levels(node) > MAX_TYPE_DEPTH:
        return f"a type of more than {MAX_TYPE_DEPTH} levels cannot be sent in a Native block"
    return None


def _levels(node: Node) -> int:
    return 1 + max(map(_levels, node.children), default=0)


def _zero(node: Node) -> bytes:
    """The bytes of the type's default value: 0, '', [], NULL, the lowest Enum number."""
    match node.op:
        case Op.NULLABLE:
            return b"\x01"
        case Op.VARIANT:
            return b"\xff"
        case Op.DYNAMIC | Op.JSON | Op.STRING | Op.ARRAY | Op.MAP:
            return b"\x00"
        case Op.FIXED_STRING:
            return bytes(node.size)
        case Op.ENUM8 | Op.ENUM16:
            assert node.labels is not None
            lowest = min(node.labels.values())
            return lowest.to_bytes(WIDTHS[node.op], "little", signed=True)
        case Op.TUPLE | Op.LOW_CARDINALITY:
            return b"".join(child.zero for child in node.children)
        case Op.QBIT:
            return varint(node.size) + node.children[0].zero * node.size
    return bytes(WIDTHS[node.op])


@dataclass(frozen=True)
class Plan:
    """A schema, compiled: what an encoder needs besides its options.

    ``no_default`` has the indexes of columns whose DEFAULT must be written as a value (see
    :func:`holds_enum`), ``plain`` of all that are known to have no default expression: in a Native block
    theirs are values too.  ``nested`` lists groups of columns that the server treats as one flattened
    Nested column (``n.a``, ``n.b``, all arrays): their arrays must have equal lengths in every row.
    """

    names: tuple[str, ...]
    nodes: tuple[Node, ...]
    nested: tuple[tuple[int, ...], ...]
    no_default: frozenset[int] = frozenset()
    plain: frozenset[int] = frozenset()

    def header(self, format: str) -> bytes:
        """What `format` puts in front of the rows."""
        return _header(self, format) if "WithNames" in format else b""


@functools.lru_cache(maxsize=256)  # small inserts are mostly header
def _header(plan: Plan, format: str) -> bytes:
    parts = [varint(len(plan.names)), *map(string, plan.names)]
    if "AndTypes" in format:
        parts += [string(node.text) for node in plan.nodes]
    return b"".join(parts)


def compile_plan(
    names: tuple[str, ...], types: tuple[t.Type, ...], defaulted: frozenset[str] | None = None
) -> Plan:
    """The plan of the columns `names` of `types`; `defaulted` are those with a default expression."""
    nodes = tuple(map(compile_type, types))
    groups: dict[str, list[int]] = {}
    for index, (name, node) in enumerate(zip(names, nodes, strict=True)):
        prefix, dot, _ = name.partition(".")
        if dot and node.op is Op.ARRAY:
            groups.setdefault(prefix, []).append(index)
    nested = tuple(tuple(group) for group in groups.values() if len(group) > 1)
    plain: frozenset[int] = frozenset()
    if defaulted is not None:
        plain = frozenset(index for index, name in enumerate(names) if name not in defaulted)
    no_default = frozenset(index for index in plain if holds_enum(nodes[index]))
    # Interned, so that the keys of dict rows are mostly the same objects.
    return Plan(tuple(map(sys.intern, map(str, names))), nodes, nested, no_default, plain)
