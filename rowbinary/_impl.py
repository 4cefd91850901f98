"""Which implementation is in use: ``ROWBINARY_IMPL=auto|c|python``, read at import.

``auto`` takes the C encoder when its extension is there and belongs to this version; ``c`` makes
its absence an ImportError.  A binary built from another opcode table is refused in every case: it
would write wrong bytes.
"""

from __future__ import annotations

import os
from typing import Any

from . import _opcodes
from ._encode import RowEncoder as PythonRowEncoder


def _load() -> tuple[str, type[Any]]:
    wanted = os.environ.get("ROWBINARY_IMPL", "auto").strip().lower() or "auto"
    if wanted not in ("auto", "c", "python"):
        raise ImportError(f"ROWBINARY_IMPL must be auto, c or python, not {wanted!r}")
    if wanted == "python":
        return "python", PythonRowEncoder
    try:
        from . import _speedups
    except ImportError as error:
        if wanted == "c":
            raise ImportError(
                "ROWBINARY_IMPL=c, but the C extension rowbinary._speedups cannot be imported: "
                f"{error}; rebuild it (pip install .)"
            ) from error
        return "python", PythonRowEncoder
    if _speedups.PLAN_HASH != _opcodes.PLAN_HASH:
        raise ImportError(
            f"rowbinary._speedups was built for another version ({_speedups.PLAN_HASH} instead of "
            f"{_opcodes.PLAN_HASH}); rebuild it (pip install .)"
        )
    return "c", _speedups.RowEncoder


implementation, RowEncoder = _load()


def row_encoder(name: str | None, native: bool = False) -> type[Any]:
    """The row encoder class of implementation `name` (``"c"``, ``"python"``, ``None`` = in use)."""
    if name not in (None, "c", "python"):
        raise ValueError(f"implementation must be 'c' or 'python', not {name!r}")
    if (name or implementation) == "python":
        from ._native import NativeEncoder

        return NativeEncoder if native else PythonRowEncoder
    from . import _speedups

    return _speedups.RowEncoder


def cursor(name: str | None) -> type[Any]:
    """The cursor class of implementation `name`: the reference, or the one with readers in C."""
    if (name or implementation) == "python":
        from ._cursor import Cursor

        return Cursor
    from ._fast_cursor import FastCursor

    return FastCursor
