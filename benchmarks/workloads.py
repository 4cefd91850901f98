"""Deterministic workloads: a schema, rows as tuples, and the same rows as dicts."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import functools
import random
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


# --- spans: OpenTelemetry traces with JSON attributes ----------------------------------------------

SPANS = [
    ("Timestamp", "DateTime64(9)"),
    ("TraceId", "String"),
    ("SpanId", "String"),
    ("ParentSpanId", "String"),
    ("TraceState", "String"),
    ("SpanName", "LowCardinality(String)"),
    ("SpanKind", "LowCardinality(String)"),
    ("ServiceName", "LowCardinality(String)"),
    ("ResourceAttributes", "JSON"),
    ("ScopeName", "String"),
    ("ScopeVersion", "String"),
    ("SpanAttributes", "JSON"),
    ("Duration", "UInt64"),
    ("StatusCode", "LowCardinality(String)"),
    ("StatusMessage", "String"),
    ("Events.Timestamp", "Array(DateTime64(9))"),
    ("Events.Name", "Array(LowCardinality(String))"),
    ("Events.Attributes", "Array(JSON)"),
    ("Links.TraceId", "Array(String)"),
    ("Links.SpanId", "Array(String)"),
    ("Links.TraceState", "Array(String)"),
    ("Links.Attributes", "Array(JSON)"),
]
_SERVICES = ["frontend", "cart", "checkout", "payment", "shipping", "currency", "ads", "email", "quote"]
_ROUTES = ["/api/cart", "/api/products/{id}", "/api/checkout", "/api/currency", "/api/ads", "/health"]
_KINDS = ["Internal", "Server", "Client", "Producer", "Consumer"]


def _span_attributes(r: random.Random, method: str, route: str, host: str, status: int) -> dict[str, Any]:
    return {
        "http.request.method": method,
        "http.route": route,
        "url.path": route.replace("{id}", str(r.randrange(100_000))),
        "http.response.status_code": status,
        "server.address": host,
        "server.port": 8080,
        "user.id": f"user-{r.randrange(1_000_000)}",
        "app.cart.total": round(r.random() * 500, 2),
        "app.cache.hit": r.random() < 0.7,
        "app.feature_flags": r.sample(["new-nav", "fast-pay", "dark", "beta", "promo-b"], r.randrange(0, 4)),
    }


def _resource(r: random.Random, service: str, host: str) -> dict[str, Any]:
    return {
        "service.name": service,
        "service.version": f"1.{r.randrange(9)}.{r.randrange(30)}",
        "host.name": host,
        "k8s.pod.name": f"{service}-{r.getrandbits(32):08x}-{r.getrandbits(20):05x}",
        "process.pid": r.randrange(1, 65000),
        "telemetry.sdk.language": "python",
    }


def spans(count: int = 20_000) -> Workload:
    """22 columns, 16 attributes, an event per span on average, a link in one of ten."""
    r = random.Random(SEED)
    rows: list[tuple[Any, ...]] = []
    hosts = [f"ip-10-0-{r.randrange(256)}-{r.randrange(256)}.internal" for _ in range(40)]
    start, trace, root = EPOCH_NS, "", ""
    for i in range(count):
        start += r.randrange(1_000, 400_000)
        if i % 8 == 0:
            trace, root = f"{r.getrandbits(128):032x}", ""
        span = f"{r.getrandbits(64):016x}"
        service, host, route = r.choice(_SERVICES), r.choice(hosts), r.choice(_ROUTES)
        method, error = r.choice(["GET", "POST", "PUT"]), r.random() < 0.03
        events, links, duration = r.choice((0, 0, 1, 1, 2)), int(r.random() < 0.1), r.randrange(800_000_000)
        status = r.choice([500, 502, 503]) if error else r.choice([200, 200, 201, 304, 404])
        rows.append(
            (
                start,
                trace,
                span,
                root,
                "" if i % 16 else "rojo=00f067aa0ba902b7",
                f"{method} {route}",
                r.choice(_KINDS),
                service,
                _resource(r, service, host),
                "opentelemetry.instrumentation.flask",
                "0.48b0",
                _span_attributes(r, method, route, host, status),
                duration,
                "Error" if error else "Unset",
                "upstream request failed" if error else "",
                [start + r.randrange(duration + 1) for _ in range(events)],
                [r.choice(("message", "exception", "cache.miss")) for _ in range(events)],
                [{"message.type": "SENT", "message.id": r.randrange(1000)} for _ in range(events)],
                [f"{r.getrandbits(128):032x}" for _ in range(links)],
                [f"{r.getrandbits(64):016x}" for _ in range(links)],
                ["" for _ in range(links)],
                [{"link.kind": "follows_from", "link.index": r.randrange(8)} for _ in range(links)],
            )
        )
        root = root or span
    return Workload("spans", SPANS, rows)


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


def flat(count: int = 50_000) -> Workload:
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


def ints(count: int = 100_000) -> Workload:
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


def documents(count: int = 20_000) -> Workload:
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


def arrays(count: int = 20_000) -> Workload:
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


def sparse(count: int = 5_000) -> Workload:
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


ALL: dict[str, Callable[[], Workload]] = {
    make.__name__: make for make in (spans, flat, ints, documents, arrays)
}
# As many rows as are about one Native block, or a third of one.
FORMATS: dict[str, Callable[[], Workload]] = {
    "spans": lambda: spans(9_000),
    "documents": lambda: documents(7_000),
    "flat": lambda: flat(40_000),
    "ints": lambda: ints(50_000),
    "arrays": lambda: arrays(11_000),
    "sparse": sparse,
}
