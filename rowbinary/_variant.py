"""Which member of a Variant a Python value means."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import ipaddress
import uuid

from ._badvalue import BadValue
from ._context import Context
from ._opcodes import Op
from ._plan import FLOAT_OPS, INTEGER_OPS, Node, bottom
from ._typed import Typed
from ._write import write_value

_TEXT_OPS = frozenset({Op.ENUM8, Op.ENUM16, Op.FIXED_STRING})
_DECIMAL_OPS = frozenset({Op.DECIMAL32, Op.DECIMAL64, Op.DECIMAL128, Op.DECIMAL256})
_CONTAINER_OPS = frozenset({Op.ARRAY, Op.TUPLE, Op.MAP, Op.JSON, Op.QBIT})
# For each kind of value the opcodes that mean it, best first: the first level with a member that
# can hold the value decides, and more than one such member is ambiguous.
_MEMBERS: tuple[tuple[type | tuple[type, ...], tuple[frozenset[Op], ...]], ...] = (
    (bool, (frozenset({Op.BOOL}),)),
    (int, (INTEGER_OPS, FLOAT_OPS)),
    (float, (FLOAT_OPS,)),
    (decimal.Decimal, (_DECIMAL_OPS,)),
    (str, (frozenset({Op.STRING}), _TEXT_OPS)),
    ((bytes, bytearray, memoryview), (frozenset({Op.STRING}), frozenset({Op.FIXED_STRING, Op.STATE}))),
    (dt.datetime, (frozenset({Op.DATETIME, Op.DATETIME64}),)),
    (dt.date, (frozenset({Op.DATE, Op.DATE32}),)),
    ((dt.timedelta, dt.time), (frozenset({Op.TIME, Op.TIME64}), frozenset({Op.INTERVAL}))),
    (uuid.UUID, (frozenset({Op.UUID}),)),
    (ipaddress.IPv4Address, (frozenset({Op.IPV4}), frozenset({Op.IPV6}))),
    (ipaddress.IPv6Address, (frozenset({Op.IPV6}),)),
    (tuple, (frozenset({Op.TUPLE}), _CONTAINER_OPS)),
    (list, (frozenset({Op.ARRAY, Op.QBIT}), _CONTAINER_OPS)),
    (object, (_CONTAINER_OPS, frozenset(Op))),
)


def choose_member(node: Node, value: object, context: Context) -> int:
    """The index of the Variant member that means `value`; BadValue when none or several do."""
    if type(value) is Typed:
        for index, member in enumerate(node.children):
            if member.type == value.type:
                return index
        raise BadValue(f"no member is {value.type}; the members are {_listed(node)}")
    if isinstance(value, enum.Enum) and not isinstance(value, str | int):
        levels: tuple[frozenset[Op], ...] = (frozenset({Op.ENUM8, Op.ENUM16}),)
    elif getattr(value, "dtype", None) is not None and getattr(value, "ndim", None) == 0:
        levels = (frozenset(Op) - _CONTAINER_OPS,)
    else:
        levels = next(ops for kind, ops in _MEMBERS if isinstance(value, kind))
    for ops in levels:
        fitting = [
            index
            for index, member in enumerate(node.children)
            if bottom(member).op in ops and _can_write(member, value, context)
        ]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            names = ", ".join(node.children[index].text for index in fitting)
            raise BadValue(f"ambiguous, it fits {names}; use typed(value, type)")
    raise BadValue(f"it fits none of {_listed(node)}")


def _can_write(member: Node, value: object, context: Context) -> bool:
    depth = context.depth
    try:
        write_value(bytearray(), member, value, context)
    except BadValue:
        return False
    finally:
        context.depth = depth
    return True


def _listed(node: Node) -> str:
    return ", ".join(member.text for member in node.children)
