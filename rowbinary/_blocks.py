"""How many of an insert's rows become one block of the server: all or nothing then.

The client's judgement of failed inserts depends on it.
"""

from __future__ import annotations

from ._choice import BLOCK_ROWS

__all__ = ["block_rows", "native_settings", "one_block"]

_MAX_ROWS = ("max_insert_block_size_rows", "max_insert_block_size")  # two names of one setting
# With these the server refuses a Native column of another type than the table's, and does not cast it.
_STRICT = {"input_format_native_allow_types_conversion": "0", "input_format_null_as_default": "0"}
# Rows decide alone when Native blocks become one, as they do in row formats: 256 MiB, the server's default,
# could be a second block of an insert that the client takes for one.
_SQUASHED = {"min_insert_block_size_bytes": "0"}
# Two names of one setting, with which inserts into Distributed tables pass Native blocks on as they are.
_UNSQUASHED = ("distributed_foreground_insert", "insert_distributed_sync")
# No value takes more memory in the server, times its bytes in a Native block: an empty String, 1 byte, has
# 9 there, as has a NULL of Dynamic.
_SWELLING = 16


def native_settings(strict: bool) -> dict[str, str]:
    """What the client says with an insert in Native; `strict`: the server can refuse other types."""
    return _SQUASHED | (_STRICT if strict else {})


def block_rows(known: dict[str, str]) -> int:
    """The rows of a block with the settings `known`, where the server cuts rows into blocks."""
    return _number(known, *_MAX_ROWS, default=BLOCK_ROWS)


def one_block(format: str, known: dict[str, str]) -> tuple[int, int]:
    """Rows and bytes of an insert that are one block for sure, with the settings `known`.

    The server cuts rows into blocks of max_insert_block_size.  Native blocks it reads as they are, and
    puts them together until they reach min_insert_block_size_rows or _bytes: then it writes.
    """
    rows = block_rows(known)
    size = _number(known, "max_insert_block_size_bytes", default=1 << 62)
    if format != "Native":
        return rows, size
    if any(known.get(name, "0") not in ("0", "false") for name in _UNSQUASHED):
        return 0, 0
    least_rows = known.get("min_insert_block_size_rows", str(BLOCK_ROWS))
    least_bytes = _number(known, "min_insert_block_size_bytes", default=0)
    if least_rows.isdecimal() and int(least_rows):
        rows = min(rows, int(least_rows) - 1)
    elif not least_bytes:
        return 0, 0
    if least_bytes:
        size = min(size, least_bytes // _SWELLING)
    return rows, size


def _number(settings: dict[str, str], *names: str, default: int) -> int:
    """The first limit among `settings` that is there; 0 is as good as absent."""
    found = (int(text) for name in names if (text := settings.get(name, "0")).isdecimal())
    return next(filter(None, found), default)
