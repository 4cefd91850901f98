"""What a caller may choose, checked once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .errors import EncodeError

Format = Literal[
    "RowBinary",
    "RowBinaryWithNames",
    "RowBinaryWithNamesAndTypes",
    "RowBinaryWithDefaults",
    "RowBinaryWithNamesAndTypesAndDefaults",
    "Native",
]
FORMATS: tuple[str, ...] = Format.__args__  # type: ignore[attr-defined]

JsonMode = Literal["exact", "text", "string"]
NaiveRule = Literal["utc", "column", "local"]
MissingRule = Literal["error", "zero"]
ExtraRule = Literal["error", "ignore"]
DuplicateRule = Literal["last", "first", "error"]
OnError = Literal["raise"] | Callable[[object, int, EncodeError], object]

# How the body of an insert can be compressed: block frames, not at all, or a content encoding of HTTP.
COMPRESSIONS = ("lz4", "zstd", "none", "http-gzip", "http-lz4", "http-zstd")

# The largest number of nested containers in one Dynamic or JSON value.  The server reads more,
# but refuses to print what it stored (code 306) somewhere above it.
MAX_DEPTH = 128
# Levels of a type that is read from a type tag.
MAX_TYPE_DEPTH = 140
# format_binary_max_string_size and format_binary_max_array_size of the server.
MAX_STRING = 1 << 30
MAX_ARRAY = 1 << 30
# Values that one document may have where it is copied (json="text" and "string"): lists that share
# lists can mean more of them than memory holds.
MAX_VALUES = 1 << 24
# No row may take more; a DAG of shared lists would otherwise grow without bound.
MAX_ROW = (1 << 30) + (1 << 24)


@dataclass(frozen=True)
class Options:
    """Options of an encoder; see :func:`rowbinary.encode_rows` for their meaning."""

    json: str = "exact"
    naive: str = "utc"
    missing: str = "error"
    extra: str = "error"
    duplicate_paths: str = "last"
    defaults: bool = False  # the format has a marker byte before every cell
    json_zone: dt.tzinfo | None = None  # of date texts without one (json="text"); None: as `naive` says
    native: bool = False  # the row is for the columns of a Native block

    @property
    def takes_default(self) -> bool:
        """Whether a cell may be DEFAULT."""
        return self.defaults or self.native


JsonShape = Literal["nested", "paths"]
Moments = Literal["datetime", "exact", "ticks"]
InvalidText = Literal["bytes", "error", "surrogateescape"]
Rows = Literal["tuples", "dicts", "columns"]


@dataclass(frozen=True)
class Reading:
    """What bytes become; see :func:`rowbinary.decode_rows` for the meaning."""

    json: str = "nested"
    moments: str = "datetime"
    invalid_utf8: str = "bytes"
    zone: dt.tzinfo = dt.UTC


def make_reading(json: str, moments: str, invalid_utf8: str, zone: dt.tzinfo | None) -> Reading:
    """Checked choices."""
    check_choice("json", json, JsonShape.__args__)  # type: ignore[attr-defined]
    check_choice("moments", moments, Moments.__args__)  # type: ignore[attr-defined]
    check_choice("invalid_utf8", invalid_utf8, InvalidText.__args__)  # type: ignore[attr-defined]
    if zone is not None and not isinstance(zone, dt.tzinfo):
        raise ValueError(f"zone must be a tzinfo, not {type(zone).__name__}")
    return Reading(json, moments, invalid_utf8, dt.UTC if zone is None else zone)


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise ``ValueError`` unless `value` is one of `choices`."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, not {value!r}")


def make_options(
    format: str,
    json: str,
    naive: str,
    missing: str,
    extra: str,
    duplicate_paths: str | None,
    json_zone: dt.tzinfo | None = None,
) -> Options:
    """Checked options; ``duplicate_paths=None`` is ``"error"`` for ``json="text"``, else ``"last"``."""
    check_choice("format", format, FORMATS)
    check_choice("json", json, ("exact", "text", "string"))
    check_choice("naive", naive, ("utc", "column", "local"))
    check_choice("missing", missing, ("error", "zero"))
    check_choice("extra", extra, ("error", "ignore"))
    if duplicate_paths is None:
        # The server refuses a text with duplicate paths (code 117), so text mode does too.
        duplicate_paths = "error" if json == "text" else "last"
    check_choice("duplicate_paths", duplicate_paths, ("last", "first", "error"))
    if json_zone is not None and not isinstance(json_zone, dt.tzinfo):
        raise ValueError(f"json_zone must be a tzinfo, not {type(json_zone).__name__}")
    return Options(
        json,
        naive,
        missing,
        extra,
        duplicate_paths,
        format.endswith("Defaults"),
        json_zone,
        format == "Native",
    )
