"""docs/benchmarks.svg: bars per workload, client and engine one behind the other.

The picture brings its own background, light or dark as the reader's system is, so it can be read on any page.
"""

from __future__ import annotations

from html import escape
from typing import NamedTuple

import goals
import peers
import registry
from measuring import number
from results import Found, Results

WIDTH = 860
LEFT, RIGHT = 190, 190
BAR, GAP, GROUP = 15, 4, 34
TOP = 86
SCALE = WIDTH - LEFT - RIGHT

STYLE = """
.paper { fill: #ffffff; stroke: #d0d7de; }
text { font: 12px -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; fill: #1f2328; }
.title { font-size: 15px; font-weight: 600; }
.group { font-weight: 600; }
.quiet { fill: #59636e; }
.ours { font-weight: 600; }
.client0 { fill: #0a7d5a; } .engine0 { fill: #79cbb0; }
.client1 { fill: #57606a; } .engine1 { fill: #b4bcc5; }
.rule { stroke: #d8dee4; }
@media (prefers-color-scheme: dark) {
.paper { fill: #0d1117; stroke: #30363d; }
text { fill: #e6edf3; }
.quiet { fill: #9198a1; }
.client0 { fill: #2fbf8f; } .engine0 { fill: #1b5e49; }
.client1 { fill: #8b949e; } .engine1 { fill: #484f58; }
.rule { stroke: #30363d; }
}
"""


class Bar(NamedTuple):
    label: str
    client: float
    engine: float
    ours: bool

    @property
    def total(self) -> float:
        return self.client + self.engine


def bars_of(found: Found) -> list[Bar]:
    """Ours first; those that were measured both in the client and in the engine."""
    connect = goals.faster(found.encode)
    chosen = [
        ("rowbinary, Native", peers.NATIVE, peers.NATIVE),
        ("rowbinary, RowBinary", peers.ROWS, peers.ROWS),
        ("clickhouse-connect", connect, peers.CYTHON),
        ("orjson, JSON Lines", peers.LINES, peers.LINES),
    ]
    return [
        Bar(label, found.encode[client].median, found.null[engine].median, label.startswith("rowbinary"))
        for label, client, engine in chosen
        if client in found.encode and engine in found.null
    ]


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'


def _box(x: float, y: float, width: float, height: float, kind: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" class="{kind}"/>'


def _group(bars: list[Bar], y: float) -> list[str]:
    """Bars on a scale of their own: the longest takes all of it."""
    longest = max(bar.total for bar in bars)
    first = bars[0].total
    parts = []
    for number_, bar in enumerate(bars):
        top = y + number_ * (BAR + GAP)
        kind = "0" if bar.ours else "1"
        client, engine = (max(value / longest * SCALE, 0.5) for value in (bar.client, bar.engine))
        parts.append(_text(LEFT - 8, top + 12, bar.label, "ours" if bar.ours else "", "end"))
        parts.append(_box(LEFT, top, client, BAR, f"client{kind}"))
        parts.append(_box(LEFT + client, top, engine, BAR, f"engine{kind}"))
        times = f"  ({number(bar.total / first)}x)" if number_ else ""
        parts.append(_text(LEFT + client + engine + 6, top + 12, f"{number(bar.total)} us{times}", "quiet"))
    return parts


def _legend(x: float, y: float) -> list[str]:
    parts = []
    for index, (kind, text) in enumerate((("client", "client"), ("engine", "engine, Null table"))):
        left = x + index * 100
        parts += [_box(left, y, 11, 11, kind + "0"), _box(left + 13, y, 11, 11, kind + "1")]
        parts.append(_text(left + 30, y + 10, text, "quiet"))
    return parts


def draw(results: Results) -> str:
    """The picture as SVG; the same results give the same text."""
    parts = [
        _text(20, 30, "CPU of client and engine, microseconds per row", "title"),
        _text(
            20,
            50,
            "Shorter is better. Every workload has its own scale; in brackets: times our Native.",
            "quiet",
        ),
        *_legend(20, 62),
    ]
    y = float(TOP)
    for name, found in results.workloads.items():
        bars = bars_of(found)
        if not bars:
            continue
        entry = registry.ALL[name]
        parts.append(f'<line x1="20" x2="{WIDTH - 20}" y1="{y + 4:.1f}" y2="{y + 4:.1f}" class="rule"/>')
        parts.append(_text(20, y + 22, entry.short, "group"))
        parts.append(_text(LEFT, y + 22, entry.title, "quiet"))
        parts += _group(bars, y + GROUP - 4)
        y += GROUP + len(bars) * (BAR + GAP) + 6
    height = y + 10
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
        f'height="{height:.0f}" role="img" aria-label="CPU of client and engine per row, by workload">'
    )
    paper = f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1:.1f}" rx="6" class="paper"/>'
    return "\n".join([head, f"<style>{STYLE}</style>", paper, *parts, "</svg>"]) + "\n"
