"""What a caller of :func:`rowbinary.connect.accelerate` may choose, and what the wrapped client says."""

from __future__ import annotations

import datetime as dt
import re
import threading
from dataclasses import dataclass, field
from typing import Any

from .._options import check_choice

__all__ = ["COMPARE", "Options", "can_compare", "is_embedded", "make_options", "server_zone", "version_of"]

# With this as 0 the server refuses a Native column of another type than the table's, and does not cast it.
COMPARE = "input_format_native_allow_types_conversion"


@dataclass(frozen=True)
class Options:
    """Options of an accelerated client; see :func:`rowbinary.connect.accelerate`."""

    json: str = "text"
    lax: bool = False
    strict: bool = False
    format: str = "Native"
    retries: int | None = None
    _said: set[tuple[str, str]] = field(default_factory=set, compare=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, compare=False, repr=False)

    def has_said(self, table: str, reason: str) -> bool:
        """Whether `reason` has been logged for `table` before; it has been from now on."""
        with self._lock:
            if (table, reason) in self._said or len(self._said) > 1000:
                return True
            self._said.add((table, reason))
            return False


def make_options(json: str, lax: bool, strict: bool, format: str, retries: int | None) -> Options:
    """Checked options."""
    check_choice("json", json, ("text", "exact"))
    check_choice("format", format, ("Native", "RowBinary"))
    if retries is not None and (not isinstance(retries, int) or retries < 0):
        raise ValueError(f"retries must be None or an int of at least 0, not {retries!r}")
    return Options(json, bool(lax), bool(strict), "Native" if format == "Native" else _ROWS, retries)


# The row format whose header the server compares with the table.
_ROWS = "RowBinaryWithNamesAndTypes"


def is_embedded(client: Any) -> bool:
    """Whether `client` is that of the embedded engine, which reads bodies from files."""
    return str(getattr(client, "uri", "")).startswith("chdb:")


def version_of(text: str | None) -> tuple[int, ...]:
    """``"26.9.2.1"`` as (26, 9, 2, 1)."""
    return tuple(int(part) for part in re.findall(r"\d+", (text or "0").split("-")[0])[:4])


def server_zone(client: Any) -> dt.tzinfo:
    """The zone in which the server reads times without one."""
    zone: dt.tzinfo = client.server_tz
    return dt.UTC if str(zone) in ("UTC", "Etc/UTC") else zone


def can_compare(client: Any) -> bool:
    """Whether the server can be told to refuse blocks of other types than the table has now."""
    known = client.server_settings.get(COMPARE)
    return known is not None and not known.readonly
