"""Sources compiled for the kernels (``csrc/core/rb_columns.h``), type by type.

Kernels take what is usual: of a pair of source and type that has no rule here, and of values that a kernel
refuses, the row encoder writes or explains every value.  So nothing here decides what is allowed, only
what is fast; what a kernel writes must be what the row encoder would write for the values of
:func:`rowbinary._sources.read`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ._convert import DAY_SECONDS, MAX_TIME
from ._kernels import ffi, lib
from ._opcodes import WIDTHS, Op
from ._plan import FLOAT_OPS, INTEGER_OPS, Node
from ._sources import NANOSECONDS, PER_SECOND, Source, is_null, read
from ._write import _MAX_DATE, _MAX_DATE32, _MIN_DATE32

__all__ = ["Compiler", "utf8_of_ucs4"]

_LEAST, _MOST = -(2**63), 2**63 - 1
_YEARS = (-62_135_596_800, 253_402_300_800)  # seconds of the years 1 to 9999, which Python's datetimes have
_LOADS = {
    ("int", 1): lib.RB_I8,
    ("int", 2): lib.RB_I16,
    ("int", 4): lib.RB_I32,
    ("int", 8): lib.RB_I64,
    ("uint", 1): lib.RB_U8,
    ("uint", 2): lib.RB_U16,
    ("uint", 4): lib.RB_U32,
    ("uint", 8): lib.RB_U64,
    ("float", 2): lib.RB_F16,
    ("float", 4): lib.RB_F32,
    ("float", 8): lib.RB_F64,
    ("decimal", 4): lib.RB_I32,
    ("decimal", 8): lib.RB_I64,
    ("decimal", 16): lib.RB_I128,
}
_TEXT_LOADS = {"views": lib.RB_VIEWS, "each": lib.RB_EACH, "padded": lib.RB_PADDED}
_NULLS = {"": lib.RB_NO_NULLS, "bits": lib.RB_VALID_BITS, "bytes": lib.RB_NULL_BYTES, "least": lib.RB_LEAST}
_COUNTS = frozenset({"date", "time", "timestamp", "duration"})
_MAX_CHILDREN = 255
_MAX_LABELS = 1 << 16


class Compiler:
    """Compiles sources for one insert; `native` is for columns of Native blocks.

    ``keep`` has the structures that compiled ones point to: they live as long as the compiler.
    """

    def __init__(self, *, naive: str, native: bool):
        self.naive = naive
        self.native = native
        self.keep: list[Any] = []

    def compile(self, target: Any, source: Source, node: Node) -> bool:
        """Fill in `target`, a ``rb_source``; ``False`` if kernels cannot take this source as this type."""
        if node.op is Op.LOW_CARDINALITY:
            node = node.children[0]
            target.low_cardinality = True
        if node.op is Op.NULLABLE:
            node = node.children[0]
            target.nullable = True
        target.nulls = _NULLS[source.nulls]
        target.validity = ffi.cast("const uint8_t *", source.validity)
        target.data = ffi.cast("const uint8_t *", source.data)
        target.ends = ffi.cast("const uint8_t *", source.ends)
        target.offset, target.stride, target.length = source.offset, source.stride, source.length
        target.times = target.over = 1
        target.load = _LOADS.get((_like(source), source.width), 0)
        rule = _container if source.kind in _CONTAINERS else _RULES.get(node.op)
        if source.kind == "coded":
            rule = _coded
        if rule is None or not rule(self, target, source, node):
            return False
        # Dictionaries of LowCardinality are made of bytes in memory.
        return not (target.low_cardinality and self.native) or node.op in (Op.STRING, Op.FIXED_STRING)

    def labels(self, target: Any, source: Source, node: Node) -> bool:
        """Fill in `target` with the numbers of an Enum's labels; ``False`` if another text is among them."""
        if source.kind != "text" or source.length > _MAX_LABELS or node.labels is None:
            return False
        texts = [None if is_null(source, i) else read(source, i, None) for i in range(source.length)]
        numbers = [0 if text is None else node.labels.get(text) for text in texts]
        if None in numbers:
            return False
        width = WIDTHS[node.op]
        memory = ffi.new(f"int{8 * width}_t[]", numbers)
        nulls = ffi.new("uint8_t[]", bytes(text is None for text in texts))
        self.keep += [memory, nulls]
        target.data, target.stride = ffi.cast("const uint8_t *", memory), width
        if None in texts:
            target.nulls, target.validity = lib.RB_NULL_BYTES, nulls
        return _as_is(target, width)

    def children(self, target: Any, sources: tuple[Source, ...], nodes: tuple[Node, ...]) -> bool:
        """Compile the children of `target`."""
        found = ffi.new("rb_source[]", len(sources))
        self.keep.append(found)
        target.children, target.child_count = found, len(sources)
        return all(
            self.compile(found[i], source, node)
            for i, (source, node) in enumerate(zip(sources, nodes, strict=True))
        )


def _like(source: Source) -> str:
    return "int" if source.kind in _COUNTS else source.kind


Rule = Callable[[Compiler, Any, Source, Node], bool]
_RULES: dict[Op, Rule] = {}
_CONTAINERS = frozenset({"list", "map", "struct"})


def _rule(*ops: Op) -> Callable[[Rule], Rule]:
    def add(rule: Rule) -> Rule:
        _RULES.update(dict.fromkeys(ops, rule))
        return rule

    return add


# --- numbers ----------------------------------------------------------------------------------------


def _whole(target: Any, node: Node, low: int, high: int, times: int = 1, over: int = 1) -> bool:
    """Count * `times` / `over`, rounded down, within `low` .. `high`."""
    target.shape, target.width = lib.RB_WHOLE, WIDTHS[node.op]
    if target.load == lib.RB_U64:
        low = max(low, 0)  # the kernel takes numbers of 2^63 and more for negative ones
    target.low, target.high = max(low, _LEAST), min(high, _MOST)
    common = math.gcd(times, over)
    target.times, target.over = times // common, over // common
    return times // common <= _MOST


def _as_is(target: Any, width: int) -> bool:
    target.shape, target.width = lib.RB_AS_IS, width
    return True


@_rule(*INTEGER_OPS)
def _integer(compiler: Compiler, target: Any, source: Source, node: Node) -> bool:
    signed = node.op.name.startswith("INT")
    width = WIDTHS[node.op]
    if source.unit == "bool":  # a byte that is neither 0 nor 1 is for the row encoder
        return _whole(target, node, 0, 1)
    if source.kind == ("int" if signed else "uint") and source.width == width:
        return _as_is(target, width)
    if source.kind == "bits":
        target.load = lib.RB_BITS
    elif source.kind not in ("int", "uint", "float") or source.width == 16:
        return False
    high = 2 ** (8 * width - signed) - 1
    return _whole(target, node, -high - 1 if signed else 0, high)


@_rule(Op.BOOL)
def _bool(compiler: Compiler, target: Any, source: Source, node: Node) -> bool:
    if source.kind == "bits":
        target.load = lib.RB_BITS
    number = source.kind in ("int", "uint") and source.width <= 8
    return (number or source.kind == "bits") and _whole(target, node, 0, 1)


@_rule(*FLOAT_OPS)
def _float(compiler: Compiler, target: Any, source: Source, node: Node) -> bool:
    width = WIDTHS[node.op]
    if source.kind == "float" and source.width == width and node.op is not Op.BFLOAT16:
        return _as_is(target, width)
    target.shape, target.width = lib.RB_REAL, width
    return source.kind == "float" or _is_count(source)


@_rule(Op.DECIMAL32, Op.DECIMAL64, Op.DECIMAL128, Op.DECIMAL256)
def _decimal(compiler: Compiler, target: Any, source: Source, node: Node) -> bool:
    power = node.scale - source.scale
    number = _is_count(source) and target.load != lib.RB_U64
    if not (number or (source.kind == "decimal" and source.width <= 16)) or abs(power) > 38:
        return False
    target.shape, target.width, target.power = lib.RB_WIDE, node.size, power
    target.digits = node.precision if node.precision <= 38 else 0
    return True


# --- texts and bytes --------------------------------------------------------------------------------


@_rule(Op.STRING)
def _text(compiler: Compiler, target: Any, source: Source, node: Node) -> bool:
    if source.kind not in ("text", "bytes"):
        return False
    target.shape, target.each = lib.RB_TEXT, source.width
    if source.layout == "ends":
        target.load = _ends(source)
    else:
        target.load = _TEXT_LOADS[source.layout]
    if source.pieces:
        pieces = ffi.new("const uint8_t *[]", [ffi.cast("const uint8_t *", piece) for piece in source.pieces])
        compiler.keep.append(pieces)
        target.pieces, target.piece_count = pieces, len(source.pieces)
    return True


def _ends(source: Source) -> int:
    return lib.RB_ENDS32 if source.width == 4 else lib.RB_ENDS64


def _bytes_of(source: Source, width: int) -> bool:
    return source.kind == "bytes" and source.layout == "each" and source.width == width


@_rule(Op.FIXED_STRING)
def _fixed_string(compiler: Compiler, target: Any, source: Source, node: Node) -> bool:
    return _bytes_of(source, node.size) and _as_is(target, node.size)


@_rule(Op.UUID)
def _uuid(compiler: Compiler, target: Any, source: Source, node: Node) -> bool:
    target.shape, target.width = lib.RB_HALVES, 16
    return _bytes_of(source, 16)


@_rule(Op.IPV6)
def _ipv6(compiler: Compiler, target: Any, source: Source, node: Node) -> bool:
    return _bytes_of(source, 16) and _as_is(target, 16)


@_rule(Op.IPV4)
def _ipv4(compiler: Compiler, target: Any, source: Source, node: Node) -> bool:
    return _is_count(source) and _whole(target, node, 0, 2**32 - 1)


# --- dates and times --------------------------------------------------------------------------------


def _is_count(source: Source) -> bool:
    return source.kind in ("int", "uint") and source.unit != "bool" and source.width <= 8


@_rule(Op.DATE, Op.DATE32)
def _date(compiler: Compiler, target: Any, source: Source, node: Node) -> bool:
    limits = (0, _MAX_DATE) if node.op is Op.DATE else (_MIN_DATE32, _MAX_DATE32)
    if _is_count(source) or (source.kind == "date" and source.unit == "D"):
        return _whole(target, node, *limits)
    if source.kind == "date" or (source.kind == "timestamp" and source.zone in (None, "UTC")):
        return _whole(target, node, *limits, over=DAY_SECONDS * PER_SECOND[source.unit])
    return False


@_rule(Op.DATETIME, Op.DATETIME64)
def _datetime(compiler: Compiler, target: Any, source: Source, node: Node) -> bool:
    second = 10**node.scale
    low, high = (0, 2**32 - 1) if node.op is Op.DATETIME else (_YEARS[0] * second, _YEARS[1] * second - 1)
    if _is_count(source):
        return _whole(target, node, *((low, high) if node.op is Op.DATETIME else (_LEAST, _MOST)))
    if source.zone is None and compiler.naive != "utc":
        return False
    if source.kind == "date" and source.unit == "D":
        return _whole(target, node, low, high, times=DAY_SECONDS * second)
    if source.kind == "timestamp":
        return _whole(target, node, low, high, second, PER_SECOND[source.unit])
    return False


@_rule(Op.TIME, Op.TIME64)
def _time(compiler: Compiler, target: Any, source: Source, node: Node) -> bool:
    second = 10**node.scale
    limit = (MAX_TIME + 1) * second - 1
    if _is_count(source):
        return _whole(target, node, -limit, limit)
    if source.kind in ("time", "duration"):
        return _whole(target, node, -limit, limit, second, PER_SECOND[source.unit])
    return False


@_rule(Op.INTERVAL)
def _interval(compiler: Compiler, target: Any, source: Source, node: Node) -> bool:
    if _is_count(source):
        return _whole(target, node, _LEAST, _MOST)
    length = NANOSECONDS.get(node.type.family)
    target.exact = True
    if source.kind != "duration" or length is None:
        return False
    return _whole(target, node, _LEAST, _MOST, 10**9 // PER_SECOND[source.unit], length)


# --- what has other sources in it -------------------------------------------------------------------


def _coded(compiler: Compiler, target: Any, source: Source, node: Node) -> bool:
    values = source.children[0]
    if values.kind in _CONTAINERS or values.kind == "coded":
        return False
    target.load = _LOADS["uint" if source.unit == "u" else "int", source.width]
    target.shape, target.length = lib.RB_CODED, values.length
    target.children = child = ffi.new("rb_source[]", 1)
    target.child_count = 1
    compiler.keep.append(child)
    enum = node.op in (Op.ENUM8, Op.ENUM16)
    if enum and compiler.native and target.nullable and any(node.zero):
        return False  # below NULL a block has the first label, kernels write zero bytes
    take = compiler.labels if enum else compiler.compile
    if not take(child[0], values, node):
        return False
    target.width = child[0].width
    return True


def _container(compiler: Compiler, target: Any, source: Source, node: Node) -> bool:
    if target.nullable or target.low_cardinality:
        return False
    if source.kind == "struct":
        return node.op is Op.TUPLE and _struct(compiler, target, source, node)
    target.shape, target.each = lib.RB_LIST, source.each
    target.load = _ends(source) if source.layout == "ends" else lib.RB_EACH
    if source.kind == "map":
        if node.op is not Op.MAP:
            return False
        target.children = pair = ffi.new("rb_source[]", 1)
        compiler.keep.append(pair)
        target.child_count = 1
        pairs = source.children[0]
        pair[0].shape, pair[0].offset, pair[0].times, pair[0].over = lib.RB_STRUCT, pairs.offset, 1, 1
        return compiler.children(pair[0], pairs.children, node.children)
    if node.op is Op.QBIT and (compiler.native or source.each != node.size):
        return False
    return node.op in (Op.ARRAY, Op.QBIT) and compiler.children(target, source.children, node.children)


def _struct(compiler: Compiler, target: Any, source: Source, node: Node) -> bool:
    children = source.children
    if not 0 < len(children) == len(node.children) <= _MAX_CHILDREN:
        return False
    if node.names is not None:
        if sorted(node.names) != sorted(source.names) or len(set(node.names)) < len(node.names):
            return False
        children = tuple(children[source.names.index(name)] for name in node.names)
    target.shape = lib.RB_STRUCT
    return compiler.children(target, children, node.children)


def utf8_of_ucs4(array: Any) -> tuple[bytearray, bytearray] | None:
    """Ends and bytes of a NumPy array of str; ``None`` where one has a lone surrogate."""
    count, stride, characters = len(array), array.strides[0], array.dtype.itemsize // 4
    data = ffi.cast("const uint8_t *", array.__array_interface__["data"][0])
    ends = bytearray(8 * (count + 1))
    view = ffi.from_buffer("int64_t[]", ends)
    size = lib.rb_utf8_of_ucs4(data, stride, characters, count, view, ffi.NULL)
    if size < 0:
        return None
    text = bytearray(size or 1)
    lib.rb_utf8_of_ucs4(data, stride, characters, count, view, ffi.from_buffer("uint8_t[]", text))
    return ends, text
