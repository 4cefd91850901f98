"""What a caller of :func:`rowbinary.connect.accelerate` may choose, and what the wrapped client says."""

from __future__ import annotations

import datetime as dt
import functools
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .._choice import FEW_DOCUMENTS
from .._options import Format, JsonMode, check_choice
from ._traits import Traits

__all__ = [
    "COMPARE",
    "Options",
    "Settings",
    "can_compare",
    "is_awaited",
    "is_embedded",
    "make_options",
    "server_zone",
    "version_of",
]

# With this as 0 the server refuses a Native column of another type than the table's, and does not cast it.
COMPARE = "input_format_native_allow_types_conversion"

# What the server infers from JSON text depends on these; the encoder infers as it does with these values.
_INFERENCE = {
    "date_time_input_format": "best_effort",
    "input_format_json_infer_array_of_dynamic_from_array_of_different_types": "1",
    "input_format_json_infer_incomplete_types_as_strings": "1",
    "input_format_json_read_arrays_as_strings": "1",
    "input_format_json_read_bools_as_numbers": "1",
    "input_format_json_read_bools_as_strings": "1",
    "input_format_json_read_numbers_as_strings": "1",
    "input_format_json_read_objects_as_strings": "1",
    "input_format_json_try_infer_numbers_from_strings": "0",
    "input_format_try_infer_dates": "1",
    "input_format_try_infer_datetimes": "1",
    "input_format_try_infer_datetimes_only_datetime64": "0",
    "input_format_try_infer_integers": "1",
    "input_format_try_infer_variants": "0",
    "json_type_escape_dots_in_keys": "0",
    "schema_inference_make_json_columns_nullable": "0",
    "type_json_allow_duplicated_key_with_literal_and_nested_object": "1",
    "type_json_skip_duplicated_paths": "0",
    "type_json_skip_invalid_typed_paths": "0",
    "type_json_skip_null_typed_paths": "0",
    "type_json_use_partial_match_to_skip_paths_by_regexp": "1",
}
# What a body means depends on these.
_READING = {
    "input_format_binary_decode_types_in_binary_format": "0",
    "input_format_binary_read_json_as_string": "0",
    "input_format_native_decode_types_in_binary_format": "0",
    "input_format_with_types_use_header": "1",
}
_ALL = _INFERENCE | _READING
# The row format whose header the server compares with the table.
ROW_FORMAT: Format = "RowBinaryWithNamesAndTypes"
_FORMATS: dict[str, Format | None] = {"auto": None, "Native": "Native", "RowBinary": ROW_FORMAT}
_WORDS = {"True": "1", "true": "1", "False": "0", "false": "0"}


@dataclass(frozen=True)
class Options:
    """Options of an accelerated client; see :func:`rowbinary.connect.accelerate`."""

    json: JsonMode = "text"
    lax: bool = False
    strict: bool = False
    format: Format | None = None
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

    def format_of(self, traits: Traits, rows: int | None) -> Format:
        """The format of an insert of so many rows, ``None`` when that is not known."""
        if self.format is not None:
            return self.format
        return ROW_FORMAT if traits.suits_rows and rows is not None and rows <= FEW_DOCUMENTS else "Native"


def make_options(json: JsonMode, lax: bool, strict: bool, format: str, retries: int | None) -> Options:
    """Checked options."""
    check_choice("json", json, ("text", "exact"))
    check_choice("format", format, tuple(_FORMATS))
    if retries is not None and (not isinstance(retries, int) or retries < 0):
        raise ValueError(f"retries must be None or an int of at least 0, not {retries!r}")
    return Options(json, bool(lax), bool(strict), _FORMATS[format], retries)


class Settings:
    """Those of one client that decide how the server reads a body; for use by several threads.

    They are asked for with every insert, and looked into when they are not what they were.
    """

    def __init__(self) -> None:
        self._seen: tuple[list[Any], str | None] = [], None

    def unusual(self, client: Any, given: Mapping[str, Any], infers: bool) -> str | None:
        """A setting with which the server would read a body in another way than the encoder means it.

        `given`: those of the insert.  `infers`: the types of JSON are inferred, as the server does it from
        text.
        """
        if not infers:
            return _unusual(_READING, client, given)
        if not _ALL.keys().isdisjoint(given):
            return _unusual(_ALL, client, given)
        now = [*map(client.get_client_setting, _ALL), *map(client.server_settings.get, _ALL)]
        before, answer = self._seen
        if now != before:
            answer = _unusual(_ALL, client, given)
            self._seen = now, answer
        return answer


def _unusual(names: Mapping[str, str], client: Any, given: Mapping[str, Any]) -> str | None:
    for name, usual in names.items():
        found = _value_of(name, client, given)
        if found not in (None, usual):
            return f"{name}={found}"
    return None


def _value_of(name: str, client: Any, given: Mapping[str, Any]) -> str | None:
    """A setting of an insert; ``None`` where the server does not have it."""
    found = given.get(name)
    if found is None:
        found = client.get_client_setting(name)
    if found is None:
        known = client.server_settings.get(name)
        found = None if known is None else known.value
    return None if found is None else _WORDS.get(str(found), str(found))


def is_awaited(client: Any, given: Mapping[str, Any]) -> bool:
    """Whether the answer to an insert tells what became of its rows.

    Where it does not, nothing may be sent that the server might refuse and would have taken otherwise.
    """
    waits = _value_of("wait_for_async_insert", client, given) != "0"
    return waits or _value_of("async_insert", client, given) in (None, "0")


def is_embedded(client: Any) -> bool:
    """Whether `client` is that of the embedded engine, which reads bodies from files."""
    return str(getattr(client, "uri", "")).startswith("chdb:")


@functools.lru_cache(maxsize=64)
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
