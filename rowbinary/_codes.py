"""ClickHouse's error codes that an insert can meet, and what each means for trying again.

The names are ClickHouse's; the classes are our judgement, from its sources and from watching a real
server.  ``python -m rowbinary._codes`` prints the table of ``docs/errors.md``.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

__all__ = ["CODES", "Code", "Stage", "Verdict", "document", "name_of", "stage_of", "verdict_of"]

Verdict: TypeAlias = Literal["later", "again", "once", "never"]

Stage: TypeAlias = Literal["start", "reading", "any"]

# Raised before the server reads rows.
_START = frozenset(
    {16, 46, 47, 60, 62, 63, 73, 81, 115, 164, 192, 193, 194, 202, 203, 216, 373, 381}
    | {452, 497, 511, 512, 516, 745, 749}
)
# Raised only while it reads the rows of a block, or checks whether it may write that block at all.  Codes
# that expressions can raise too are not among them: those of a key, a TTL or an index are computed when other
# partitions of the block may be stored.
_READING = frozenset({3, 20, 33, 39, 40, 89, 108, 246, 252, 271, 285, 354, 432, 469})


class Code(NamedTuple):
    """One error code.

    ``stage``: when the server raises it. ``"start"``: before it reads rows. ``"reading"``: before it
    writes the block that it is reading. ``"any"``: also while it writes, when some of the block's
    partitions may be stored.
    """

    number: int
    name: str
    verdict: Verdict

    @property
    def stage(self) -> Stage:
        if self.number in _START:
            return "start"
        return "reading" if self.number in _READING else "any"


# fmt: off
_ROWS: tuple[tuple[int, str, Verdict], ...] = (
    (3, "UNEXPECTED_END_OF_FILE", "again"),
    (6, "CANNOT_PARSE_TEXT", "never"),
    (16, "NO_SUCH_COLUMN_IN_TABLE", "never"),
    (20, "NUMBER_OF_COLUMNS_DOESNT_MATCH", "never"),
    (27, "CANNOT_PARSE_INPUT_ASSERTION_FAILED", "never"),
    (33, "CANNOT_READ_ALL_DATA", "never"),
    (36, "BAD_ARGUMENTS", "never"),
    (39, "TOO_LARGE_SIZE_COMPRESSED", "never"),
    (40, "CHECKSUM_DOESNT_MATCH", "once"),
    (44, "ILLEGAL_COLUMN", "never"),
    (46, "UNKNOWN_FUNCTION", "never"),
    (47, "UNKNOWN_IDENTIFIER", "never"),
    (50, "UNKNOWN_TYPE", "never"),
    (53, "TYPE_MISMATCH", "never"),
    (60, "UNKNOWN_TABLE", "never"),
    (62, "SYNTAX_ERROR", "never"),
    (63, "UNKNOWN_AGGREGATE_FUNCTION", "never"),
    (73, "UNKNOWN_FORMAT", "never"),
    (81, "UNKNOWN_DATABASE", "never"),
    (89, "UNKNOWN_COMPRESSION_METHOD", "never"),
    (108, "NO_DATA_TO_INSERT", "never"),
    (115, "UNKNOWN_SETTING", "never"),
    (117, "INCORRECT_DATA", "never"),
    (128, "TOO_LARGE_ARRAY_SIZE", "never"),
    (131, "TOO_LARGE_STRING_SIZE", "never"),
    (159, "TIMEOUT_EXCEEDED", "again"),
    (164, "READONLY", "never"),
    (192, "UNKNOWN_USER", "never"),
    (193, "WRONG_PASSWORD", "never"),
    (194, "REQUIRED_PASSWORD", "never"),
    (201, "QUOTA_EXCEEDED", "again"),
    (202, "TOO_MANY_SIMULTANEOUS_QUERIES", "later"),
    (203, "NO_FREE_CONNECTION", "later"),
    (209, "SOCKET_TIMEOUT", "again"),
    (210, "NETWORK_ERROR", "again"),
    (216, "QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING", "again"),
    (225, "NO_ZOOKEEPER", "again"),
    (236, "ABORTED", "again"),
    (241, "MEMORY_LIMIT_EXCEEDED", "again"),
    (242, "TABLE_IS_READ_ONLY", "again"),
    (246, "CORRUPTED_DATA", "never"),
    (252, "TOO_MANY_PARTS", "again"),
    (254, "NO_ACTIVE_REPLICAS", "again"),
    (271, "CANNOT_DECOMPRESS", "never"),
    (279, "ALL_CONNECTION_TRIES_FAILED", "again"),
    (285, "TOO_FEW_LIVE_REPLICAS", "again"),
    (286, "UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE", "again"),
    (297, "SHARD_HAS_NO_CONNECTIONS", "again"),
    (319, "UNKNOWN_STATUS_OF_INSERT", "again"),
    (349, "CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN", "never"),
    (354, "ZLIB_INFLATE_FAILED", "once"),
    (373, "SESSION_IS_LOCKED", "later"),
    (381, "HTTP_LENGTH_REQUIRED", "never"),
    (394, "QUERY_WAS_CANCELLED", "never"),
    (425, "SYSTEM_ERROR", "again"),
    (432, "UNKNOWN_CODEC", "never"),
    (439, "CANNOT_SCHEDULE_TASK", "again"),
    (452, "SETTING_CONSTRAINT_VIOLATION", "never"),
    (469, "VIOLATED_CONSTRAINT", "never"),
    (497, "ACCESS_DENIED", "never"),
    (499, "S3_ERROR", "again"),
    (511, "UNKNOWN_ROLE", "never"),
    (512, "SET_NON_GRANTED_ROLE", "never"),
    (516, "AUTHENTICATION_FAILED", "never"),
    (574, "DISTRIBUTED_TOO_MANY_PENDING_BYTES", "again"),
    (691, "UNKNOWN_ELEMENT_OF_ENUM", "never"),
    (722, "ASYNC_LOAD_WAIT_FAILED", "again"),
    (733, "TABLE_IS_BEING_RESTARTED", "again"),
    (745, "SERVER_OVERLOADED", "later"),
    (749, "TCP_CONNECTION_LIMIT_REACHED", "later"),
    (999, "KEEPER_EXCEPTION", "again"),
)
# fmt: on
CODES: dict[int, Code] = {number: Code(number, name, verdict) for number, name, verdict in _ROWS}

UNKNOWN_STATUS = 319
SAME_ID_RUNNING = 216
# The table is not what the schema says: a cached schema must not be used again.
SCHEMA_CODES = frozenset({8, 16, 20, 27, 33, 44, 47, 50, 53, 60, 81, 117, 128, 131, 691})


def name_of(code: int) -> str:
    """ClickHouse's name of `code`, ``""`` when it is not in the table."""
    return CODES[code].name if code in CODES else ""


def verdict_of(code: int) -> Verdict:
    """What to do about `code`; ``"never"`` for codes that are not in the table."""
    return CODES[code].verdict if code in CODES else "never"


def stage_of(code: int) -> Stage:
    """When the server raises `code`; ``"any"`` for codes that are not in the table."""
    return CODES[code].stage if code in CODES else "any"


def document() -> str:
    """The Markdown table of ``docs/errors.md``."""
    lines = ["| code | name | verdict | stage |", "| --- | --- | --- | --- |"]
    lines += [f"| {code.number} | `{code.name}` | {code.verdict} | {code.stage} |" for code in CODES.values()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(document(), end="")
