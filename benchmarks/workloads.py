"""Deterministic workloads: a schema, rows as tuples, and the same rows as dicts."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import functools
import random
import struct
import uuid
from collections.abc import Callable
from typing import Any

SEED = 20240917
EPOCH_NS = 1_760_000_000_000_000_000  # 2025-10-09


@dataclasses.dataclass(frozen=True)
class Workload:
    """``rows`` are tuples in schema order; ``dicts`` share their values."""

    name: str
    schema: list[tuple[str, str]]
    rows: list[tuple[Any, ...]]

    @functools.cached_property
    def dicts(self) -> list[dict[str, Any]]:
        names = [name for name, _ in self.schema]
        return [dict(zip(names, row, strict=True)) for row in self.rows]

    @property
    def ddl(self) -> str:
        return ", ".join(f"`{name}` {type_}" for name, type_ in self.schema)


# --- flat: ten mixed columns -------------------------------------------------------------------------

FLAT = [
    ("id", "UInt64"),
    ("user_id", "Int32"),
    ("name", "String"),
    ("email", "Nullable(String)"),
    ("country", "LowCardinality(String)"),
    ("score", "Float64"),
    ("price", "Decimal(18, 4)"),
    ("uid", "UUID"),
    ("created", "DateTime('UTC')"),
    ("updated", "Nullable(DateTime64(6, 'UTC'))"),
]


def flat(count: int) -> Workload:
    """Ten columns of different types; a fifth to a third of the Nullable ones is NULL."""
    r = random.Random(SEED + 1)
    base = dt.datetime(2025, 10, 9, tzinfo=dt.UTC)
    rows: list[tuple[Any, ...]] = []
    for i in range(count):
        created = base + dt.timedelta(seconds=r.randrange(86400 * 30))
        rows.append(
            (
                1_000_000_000 + i,
                r.randrange(-(2**31), 2**31),
                f"{r.choice(['Ada', 'Grace', 'Linus', 'Barbara', 'Jürgen', 'Zoë'])} {r.getrandbits(24):06x}",
                None if r.random() < 0.2 else f"user{r.randrange(10**7)}@example.com",
                r.choice(["US", "DE", "FR", "GB", "IN", "BR", "JP", "NL"]),
                r.gauss(0, 100),
                decimal.Decimal(r.randrange(-(10**9), 10**9)).scaleb(-4),
                uuid.UUID(int=r.getrandbits(128), version=4),
                created,
                None if r.random() < 0.3 else created + dt.timedelta(microseconds=r.randrange(10**12)),
            )
        )
    return Workload("flat", FLAT, rows)


def ints(count: int) -> Workload:
    """Ten Int64 columns, from one digit to 62 bits."""
    r = random.Random(SEED + 2)
    rows = [
        (
            i,
            r.randrange(100),
            r.randrange(-(2**40), 2**40),
            r.getrandbits(62),
            EPOCH_NS + i * 1000,
            -i,
            r.randrange(-1000, 1000),
            r.getrandbits(31),
            r.randrange(10**6),
            i % 7,
        )
        for i in range(count)
    ]
    return Workload("ints", [(f"i{k}", "Int64") for k in range(10)], rows)


# --- documents: one JSON column, about 30 paths, nested, arrays of objects ----------------------------

_WORDS = [
    "fix",
    "add",
    "remove",
    "update",
    "refactor",
    "test",
    "docs",
    "build",
    "parser",
    "encoder",
    "stream",
    "block",
    "column",
    "null",
]


def documents(count: int) -> Workload:
    """Events of a code host: nested objects, string and number arrays, an array of commits."""
    r = random.Random(SEED + 3)
    rows: list[tuple[Any, ...]] = []
    for i in range(count):
        login, org, uid = f"dev{r.randrange(50000)}", f"org-{r.randrange(2000)}", r.randrange(10**7)
        payload = {
            "push_id": r.randrange(10**10),
            "size": 1,
            "distinct_size": 1,
            "ref": "refs/heads/" + r.choice(("main", "dev", "release")),
            "head": f"{r.getrandbits(160):040x}",
            "before": f"{r.getrandbits(160):040x}",
            "score": r.random(),
            "labels": r.sample(_WORDS, r.randrange(0, 4)),
            "numbers": [r.randrange(1000) for _ in range(r.randrange(0, 6))],
            "review": {"state": "approved", "user": {"login": login, "id": uid}, "latency": r.random() * 100},
            "commits": [
                {
                    "sha": f"{r.getrandbits(160):040x}",
                    "message": " ".join(r.choice(_WORDS) for _ in range(8)),
                    "distinct": True,
                    "author": {"name": login, "email": login + "@example.com"},
                }
                for _ in range(r.choice((1, 1, 1, 2, 3)))
            ],
        }
        document = {
            "id": str(20_000_000_000 + i),
            "type": r.choice(["PushEvent", "PullRequestEvent", "IssuesEvent", "WatchEvent"]),
            "public": r.random() < 0.95,
            "created_at": EPOCH_NS // 10**9 + i,
            "actor": {"id": uid, "login": login, "display_login": login, "gravatar_id": "", "admin": False},
            "repo": {
                "id": r.randrange(10**9),
                "name": f"{org}/{r.choice(_WORDS)}",
                "stars": r.randrange(10**5),
            },
            "org": None if r.random() < 0.4 else {"id": r.randrange(10**7), "login": org},
            "payload": payload,
        }
        rows.append((document,))
    return Workload("documents", [("doc", "JSON")], rows)


def arrays(count: int) -> Workload:
    """A map of ten labels, twenty floats, a tuple."""
    r = random.Random(SEED + 4)
    schema = [
        ("id", "UInt64"),
        ("labels", "Map(String, String)"),
        ("samples", "Array(Float64)"),
        ("point", "Tuple(String, Int64, Float64)"),
    ]
    rows = [
        (
            i,
            {f"label_{k:02d}": f"v-{r.randrange(10000)}" for k in range(10)},
            [r.random() for _ in range(20)],
            (r.choice(_WORDS), r.randrange(-(2**40), 2**40), r.random()),
        )
        for i in range(count)
    ]
    return Workload("arrays", schema, rows)


def sparse(count: int) -> Workload:
    """A JSON column with 1,000 distinct paths, 10 of them in each row; each path keeps its type."""
    r = random.Random(SEED + 5)
    names = [f"{_WORDS[k % len(_WORDS)]}.attr_{k:03d}" for k in range(1000)]
    rows: list[tuple[Any, ...]] = []
    for _ in range(count):
        document: dict[str, Any] = {}
        for k in r.sample(range(1000), 10):
            match k % 3:
                case 0:
                    document[names[k]] = r.randrange(10**6)
                case 1:
                    document[names[k]] = f"value-{r.randrange(1000)}"
                case _:
                    document[names[k]] = r.random()
        rows.append((document,))
    return Workload("sparse", [("doc", "JSON")], rows)


# --- wide and deep numbers ---------------------------------------------------------------------------


def wide(count: int) -> Workload:
    """Two hundred columns: a table of measurements with some labels; a fifth of the Nullable ones is NULL."""
    r = random.Random(SEED + 7)
    kinds: list[tuple[str, int, Callable[[], Any]]] = [
        ("Float64", 80, lambda: round(r.gauss(0, 100), 3)),
        ("Int64", 40, lambda: r.randrange(-(10**9), 10**9)),
        ("UInt32", 30, lambda: r.randrange(10**6)),
        ("Nullable(Float64)", 20, lambda: None if r.random() < 0.2 else r.random()),
        ("LowCardinality(String)", 15, lambda: r.choice(_WORDS)),
        ("String", 10, lambda: f"value-{r.randrange(10**6)}"),
        ("DateTime('UTC')", 5, lambda: EPOCH_NS // 10**9 + r.randrange(86400)),
    ]
    makers = [(type_, make) for type_, number, make in kinds for _ in range(number)]
    r.shuffle(makers)
    rows = [tuple(make() for _, make in makers) for _ in range(count)]
    return Workload("wide", [(f"c{k:03d}", type_) for k, (type_, _) in enumerate(makers)], rows)


def embeddings(count: int) -> Workload:
    """A vector of 768 Float32 in each row, as a list of Python floats that a Float32 holds exactly."""
    r = random.Random(SEED + 8)
    pool = struct.unpack("4096f", struct.pack("4096f", *[r.gauss(0, 0.05) for _ in range(4096)]))
    rows = [(i, r.choices(pool, k=768)) for i in range(count)]
    return Workload("embeddings", [("id", "UInt64"), ("vector", "Array(Float32)")], rows)
