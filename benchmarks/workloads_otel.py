"""OpenTelemetry spans in 22 columns, with attributes as JSON, in three profiles.

``spans`` has 16 attributes a span, dotted keys and all; ``loadgen`` is what the load generator of the
OpenTelemetry benchmarks sends, with a single attribute; ``service`` is the demo's shop, 25 attributes.
"""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import demo_spans
from workloads import EPOCH_NS, SEED, Workload

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


def spans(count: int) -> Workload:
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


# --- the load generator's --------------------------------------------------------------------------

_OPERATIONS = [
    "http_request",
    "database_query",
    "cache_get",
    "service_call",
    "file_read",
    "authentication",
    "message_publish",
    "queue_consume",
    "template_render",
    "json_parse",
]


def loadgen(count: int) -> Workload:
    """A batch is a trace of 100 spans in a chain, 10 ms apart, with an event each; 4 workers in turn."""
    r = random.Random(SEED + 6)
    rows: list[tuple[Any, ...]] = []
    trace = parent = ""
    start = EPOCH_NS
    for i in range(count):
        batch, j = divmod(i, 100)
        if j == 0:
            trace, parent, start = f"{r.getrandbits(128):032x}", "", EPOCH_NS + batch // 4 * 50_000_000
        span, begin = f"{r.getrandbits(64):016x}", start + j * 10_000_000
        resource = {
            "service.name": "loadtest",
            "service.instance.id": batch % 4,
            "k8s.pod.name": "pod-0",
            "host.name": "loadgen-7d9f8b6c5-x2x9z",
        }
        rows.append(
            (
                begin,
                trace,
                span,
                parent,
                "active",
                _OPERATIONS[j % 10],
                "Server",
                "loadtest",
                resource,
                "otlp_worker",
                "1.2.3",
                {"index": j},
                1_000_000_000 - j * 10_000_000,
                "Unset",
                "",
                [begin + 5_000_000],
                ["db-connect"],
                [{}],
                [],
                [],
                [],
                [],
            )
        )
        parent = span
    return Workload("loadgen", SPANS, rows)


# --- the demo's ------------------------------------------------------------------------------------


def _ticks(text: str) -> int:
    """Nanoseconds since 1970 of an ISO time with nine digits."""
    seconds, _, nanos = text.partition(".")
    return int(dt.datetime.fromisoformat(seconds).replace(tzinfo=dt.UTC).timestamp()) * 10**9 + int(nanos)


def service(count: int) -> Workload:
    """Spans of ``demo_spans``, with times as ticks: 10 and 15 attributes, some events, links and errors."""
    rows: list[tuple[Any, ...]] = []
    for span in demo_spans.spans(count):
        span["Timestamp"] = _ticks(span["Timestamp"])
        span["Events.Timestamp"] = [_ticks(text) for text in span["Events.Timestamp"]]
        rows.append(tuple(span[name] for name, _ in SPANS))
    return Workload("service", SPANS, rows)
