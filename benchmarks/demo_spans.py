"""Deterministic OpenTelemetry spans: the same seed gives the same bytes on every machine.

One hundred spans per trace, 10 resource and 15 span attributes (10 strings, 4 integers, 1 bool); one span in
five has 1 to 3 events of 3 attributes, one in fifty a link, one in twenty fails.
"""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

SEED = 20251009
_START = dt.datetime(2025, 10, 9, 8, 53, 20)

CREATE = """
CREATE TABLE {table}
(
    Timestamp DateTime64(9) CODEC(Delta, ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    ParentSpanId String CODEC(ZSTD(1)),
    TraceState String CODEC(ZSTD(1)),
    SpanName LowCardinality(String) CODEC(ZSTD(1)),
    SpanKind LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes JSON CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    SpanAttributes JSON CODEC(ZSTD(1)),
    Duration UInt64 CODEC(ZSTD(1)),
    StatusCode LowCardinality(String) CODEC(ZSTD(1)),
    StatusMessage String CODEC(ZSTD(1)),
    Events Nested (Timestamp DateTime64(9), Name LowCardinality(String), Attributes JSON) CODEC(ZSTD(1)),
    Links Nested (TraceId String, SpanId String, TraceState String, Attributes JSON) CODEC(ZSTD(1))
)
ENGINE = {engine}
"""
MERGE_TREE = """MergeTree
PARTITION BY toDate(Timestamp)
ORDER BY (ServiceName, SpanName, toDateTime(Timestamp))
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1"""


class Service(NamedTuple):
    """A service of the made-up shop; ``typical`` is its median duration in milliseconds."""

    name: str
    typical: float
    spread: float
    routes: tuple[str, ...]


SERVICES = (
    Service("frontend", 42.0, 0.7, ("/", "/product/{id}", "/cart", "/checkout")),
    Service("cart", 6.0, 0.5, ("/cart/add", "/cart/get", "/cart/empty")),
    Service("checkout", 95.0, 0.6, ("/checkout/place", "/checkout/quote")),
    Service("payment", 130.0, 0.9, ("/payment/charge", "/payment/refund")),
    Service("shipping", 25.0, 0.5, ("/shipping/quote", "/shipping/track")),
    Service("currency", 1.5, 0.4, ("/currency/convert",)),
    Service("recommendation", 60.0, 1.1, ("/recommend/list",)),
    Service("search", 75.0, 1.0, ("/search", "/search/suggest")),
    Service("email", 210.0, 0.8, ("/email/send",)),
    Service("inventory", 12.0, 0.6, ("/stock/check", "/stock/reserve")),
)
_METHODS = ("GET", "POST", "PUT", "DELETE")
_KINDS = ("Server", "Client", "Internal", "Producer", "Consumer")
_REGIONS = ("eu-west-1", "eu-central-1", "us-east-1", "ap-south-1")
_PLANS = ("free", "basic", "business", "enterprise")
_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0)",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6)",
    "okhttp/4.12.0",
    "python-httpx/0.28.1",
)
_EVENTS = ("cache.miss", "exception", "message.sent", "message.received", "retry")


def spans(count: int, seed: int = SEED) -> Iterator[dict[str, Any]]:
    """`count` spans as rows of the table: nested columns as one array per part, times as ISO text."""
    rng = random.Random(seed)
    now = 0  # nanoseconds since the start
    trace: list[str] = []
    trace_id = ""
    for index in range(count):
        if index % 100 == 0:
            trace, trace_id = [], _hex(rng, 128)
        now += rng.randrange(1_000, 400_000)
        row = _span(rng, index, now, trace_id, rng.choice(trace) if trace else "")
        trace.append(row["SpanId"])
        yield row


def _hex(rng: random.Random, bits: int) -> str:
    return f"{rng.getrandbits(bits):0{bits // 4}x}"


def _time(nanoseconds: int) -> str:
    micros, nanos = divmod(nanoseconds, 1000)
    moment = _START + dt.timedelta(microseconds=micros)
    return f"{moment.isoformat(' ', 'microseconds')}{nanos:03d}"


def _span(rng: random.Random, index: int, now: int, trace_id: str, parent: str) -> dict[str, Any]:
    service = rng.choice(SERVICES)
    route = rng.choice(service.routes)
    method = rng.choice(_METHODS)
    failed = rng.random() < 0.05
    duration = round(service.typical * rng.lognormvariate(0, service.spread) * 1e6 * (3 if failed else 1))
    events = rng.randrange(1, 4) if rng.random() < 0.2 else 0
    links = 1 if rng.random() < 0.02 else 0
    return {
        "Timestamp": _time(now),
        "TraceId": trace_id,
        "SpanId": _hex(rng, 64),
        "ParentSpanId": parent,
        "TraceState": "" if index % 16 else "vendor=00f067aa0ba902b7",
        "SpanName": f"{method} {route}",
        "SpanKind": rng.choice(_KINDS),
        "ServiceName": service.name,
        "ResourceAttributes": _resource(rng, service),
        "ScopeName": "opentelemetry.instrumentation.asgi",
        "ScopeVersion": "0.58b0",
        "SpanAttributes": _attributes(rng, service, method, route, failed),
        "Duration": duration,
        "StatusCode": "Error" if failed else ("Ok" if index % 4 == 0 else "Unset"),
        "StatusMessage": f"upstream {service.name} failed: deadline exceeded" if failed else "",
        "Events.Timestamp": [_time(now + rng.randrange(duration + 1)) for _ in range(events)],
        "Events.Name": [rng.choice(_EVENTS) for _ in range(events)],
        "Events.Attributes": [_event(rng) for _ in range(events)],
        "Links.TraceId": [_hex(rng, 128) for _ in range(links)],
        "Links.SpanId": [_hex(rng, 64) for _ in range(links)],
        "Links.TraceState": [""] * links,
        "Links.Attributes": [{"link.kind": "follows_from", "link.index": rng.randrange(8)}] * links,
    }


def _resource(rng: random.Random, service: Service) -> dict[str, Any]:
    pod = rng.randrange(12)
    region = _REGIONS[pod % len(_REGIONS)]
    return {
        "service.name": service.name,
        "service.version": f"2.{pod % 4}.{pod}",
        "service.namespace": "shop",
        "deployment.environment.name": "production",
        "cloud.region": region,
        "host.name": f"ip-10-0-{pod}-{17 * pod % 256}.{region}.compute.internal",
        "k8s.pod.name": f"{service.name}-7d9f8b6c5-{pod:05x}",
        "k8s.namespace.name": "shop",
        "process.pid": 1 + pod * 37,
        "telemetry.sdk.language": "python",
    }


def _attributes(
    rng: random.Random, service: Service, method: str, route: str, failed: bool
) -> dict[str, Any]:
    return {
        "http.request.method": method,
        "http.route": route,
        "url.path": route.replace("{id}", str(rng.randrange(100_000))),
        "url.query": f"page={rng.randrange(40)}&session={_hex(rng, 64)}",
        "server.address": f"{service.name}.shop.svc.cluster.local",
        "client.address": f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(256)}",
        "user_agent.original": rng.choice(_AGENTS),
        "network.protocol.version": "1.1",
        "user.id": f"user-{rng.randrange(1_000_000):06d}",
        "user.plan": rng.choice(_PLANS),
        "http.response.status_code": rng.choice((500, 502, 503, 504)) if failed else 200,
        "http.response.body.size": rng.randrange(200_000),
        "server.port": 8080,
        "thread.id": rng.randrange(1, 64),
        "app.cache.hit": rng.random() < 0.7,
    }


def _event(rng: random.Random) -> dict[str, Any]:
    return {
        "message.id": rng.randrange(1000),
        "message.type": rng.choice(("SENT", "RECEIVED")),
        "message.uncompressed_size": rng.randrange(20_000),
    }


def lines(count: int, seed: int = SEED) -> Iterator[bytes]:
    """The same spans as JSON Lines."""
    dump = json.JSONEncoder(separators=(",", ":")).encode
    for row in spans(count, seed):
        yield dump(row).encode() + b"\n"
