"""What was asked of encoder and decoder, and what a run found of it."""

from __future__ import annotations

import statistics
from typing import NamedTuple

import columnar
import peers
import peers_decode
import registry
from measuring import number, spread
from results import Found, Results, Table

from rowbinary import Schema
from rowbinary._choice import choose_format

MIB = 1 << 20
# Times as fast as clickhouse-connect's faster codec, as orjson (one array), and Native as clickhouse-connect.
RATIOS: dict[str, tuple[float, float, float]] = {
    "spans": (9, 3, 8),
    "spans, dict rows": (7, 2.5, 6),
    "ints": (10, 6, 10),
    "flat": (6, 2.5, 6),
    "documents": (4, 2.5, 4),
    "arrays": (6, 3, 6),
}
DICT_ROWS = ", dict rows"


class Goal(NamedTuple):
    """``met`` is None where nothing was measured."""

    what: str
    goal: str
    found: str
    met: bool | None


def faster(table: Table, suffix: str = "") -> str | None:
    """clickhouse-connect's codec that took less CPU, of those that are there."""
    names = [name + suffix for name in peers.CONNECT if name + suffix in table]
    return min(names, key=lambda name: table[name].median, default=None)


def ratios(table: Table, theirs: str, ours: str, dicts: str = "") -> list[float]:
    """Their CPU to ours, of calls that were neighbours; `dicts` is ours in dict rows, beside ours."""
    found = table[theirs].ratios.get(ours, [])
    if dicts:
        if dicts not in table:
            return []
        factor = statistics.median(table[dicts].ratios[ours])
        return [one / factor for one in found]
    return found


def total(found: Found, client: str | None, engine: str) -> float | None:
    """Microseconds of CPU per row, of client and engine."""
    if client not in found.encode or engine not in found.null:
        return None
    return found.encode[client].median + found.null[engine].median


def total_of_connect(found: Found) -> float | None:
    return total(found, faster(found.encode), peers.CYTHON)


def total_of_auto(found: Found) -> float | None:
    """With the format that the client takes by itself."""
    name = peers.NATIVE if found.auto == "Native" else peers.ROWS
    return total(found, name, name)


def _found(results: Results, name: str) -> Found:
    return results.workloads.get(name) or Found()


def _at_least(what: str, goal: float, found: list[float]) -> Goal:
    met = statistics.median(found) >= goal if found else None
    return Goal(what, f"{goal:g}x", spread(found, "x"), met)


def _ratio_goals(results: Results) -> list[Goal]:
    goals: list[Goal] = []
    for index, text in enumerate(
        ("RowBinary to clickhouse-connect", "RowBinary to orjson", "Native to clickhouse-connect")
    ):
        for name, asked in RATIOS.items():
            key = name.removesuffix(DICT_ROWS)
            table = _found(results, key).encode
            ours = peers.NATIVE if index == 2 else peers.ROWS
            dicts = ours + DICT_ROWS if name.endswith(DICT_ROWS) else ""
            theirs = peers.ARRAY if index == 1 else faster(table)
            found = ratios(table, theirs, ours, dicts) if theirs in table else []
            label = registry.ALL[key].short + name.removeprefix(key)
            goal = _at_least(f"{text}: {label}", asked[index], found)
            if index == 1 and found and peers.RAW_ARRAY in table:
                raw = ratios(table, peers.RAW_ARRAY, ours, dicts)
                goal = goal._replace(
                    found=f"{goal.found}; {number(statistics.median(raw))}x if not insertable"
                )
            goals.append(goal)
    return goals


def _lz4_goals(results: Results) -> list[Goal]:
    table = _found(results, "spans").encode
    rows, native = peers.ROWS + peers.LZ4, peers.NATIVE + peers.LZ4
    alone = table.get("LZ4 alone, RowBinary bytes")
    inverse = [1 / ratio for ratio in alone.ratios.get(rows, [])] if alone else []
    what = "RowBinary of spans, encoding + LZ4 + checksum, to LZ4 alone on the same bytes"
    met = statistics.median(inverse) <= 1.5 if inverse else None
    theirs = faster(table, peers.LZ4)
    found = ratios(table, theirs, native) if theirs else []
    return [
        Goal(what, "at most 1.5x", spread(inverse, "x"), met),
        _at_least("Native of spans with LZ4 and checksum, to clickhouse-connect with LZ4", 5, found),
    ]


def _sum_goals(results: Results) -> list[Goal]:
    goals = []
    for name in ("spans", "documents"):
        found = _found(results, name)
        connect = total_of_connect(found)
        for format, ours, most in (("Native", peers.NATIVE, 8), ("RowBinary", peers.ROWS, 3)):
            mine = total(found, ours, ours)
            what = f"client + engine, {registry.ALL[name].short}: {format} to clickhouse-connect"
            share = mine / connect if mine and connect else None
            text = f"1/{number(1 / share)}" if share else "-"
            goals.append(Goal(what, f"at most 1/{most}", text, share <= 1 / most if share else None))
    shares = {}
    for name, found in results.workloads.items():
        mine, connect = total_of_auto(found), total_of_connect(found)
        if mine and connect:
            shares[registry.ALL[name].short] = mine / connect
    worst = max(shares, key=lambda name: shares[name], default=None)
    what = 'client + engine, every workload: format="auto" to clickhouse-connect'
    text = f"{number(shares[worst])} of it at most ({worst})" if worst else "-"
    return [*goals, Goal(what, "never above", text, shares[worst] <= 1 if worst else None)]


CONNECT = "client.insert of clickhouse-connect to the accelerated one"


def _connect_goals(results: Results) -> list[Goal]:
    """Whole calls: over HTTP the client alone, with chdb client and engine."""
    goals = []
    for suffix, asked in (("", 5), (peers.LZ4, 3)):
        found = _connect_ratios(_found(results, "spans").connect, suffix)
        goals.append(_at_least(f"{CONNECT}, HTTP: spans{suffix}", asked, found))
    for name in ("spans", "documents"):
        found = _connect_ratios(_found(results, name).embedded)
        goals.append(_at_least(f"{CONNECT}, chdb, client + engine: {registry.ALL[name].short}", 5, found))
    tables: dict[str, dict[str, list[float]]] = {}
    for name, one in results.workloads.items():
        short = registry.ALL[name].short
        for suffix in ("", peers.LZ4):
            tables.setdefault("HTTP: every workload", {})[short + suffix] = _connect_ratios(
                one.connect, suffix
            )
        tables.setdefault("chdb: every workload", {})[short] = _connect_ratios(one.embedded)
        for where, calls in (("HTTP", one.calls), ("chdb", one.embedded_calls)):
            few = tables.setdefault(f"{where}, few rows: every call", {})
            for count, table in calls.items():
                ours = _auto(name, int(count))
                for kept in ("", peers.KEPT):
                    few[f"{short}, rows: {count}{kept}"] = _connect_ratios(table, kept, ours)
    return [*goals, *(_never_below(f"{CONNECT}, {what}", found) for what, found in tables.items())]


def _auto(name: str, rows: int) -> str:
    """Ours, in the format that so many rows have."""
    schema = Schema(registry.ALL[name].make(1).schema)
    format = choose_format(schema, (26, 9), rows=rows, fresh=True)
    return peers.NATIVE if format == "Native" else peers.ROWS


def _connect_ratios(table: Table, suffix: str = "", ours: str = peers.NATIVE) -> list[float]:
    theirs = faster(table, suffix)
    return ratios(table, theirs, ours + suffix) if theirs else []


def _never_below(what: str, tables: dict[str, list[float]]) -> Goal:
    found = {name: statistics.median(values) for name, values in tables.items() if values}
    worst = min(found, key=lambda name: found[name], default=None)
    text = f"{number(found[worst])}x at least ({worst})" if worst else "-"
    return Goal(what, "never below 1x", text, found[worst] >= 1 if worst else None)


def _memory_goals(results: Results) -> list[Goal]:
    return [
        Goal(
            f"growth of resident memory, {stream.rows:,} generated rows, {format}",
            "under 32 MiB",
            f"{stream.growth / MIB:.1f} MiB",
            stream.growth < 32 * MIB,
        )
        for format, stream in results.streams.items()
    ]


# Gigabytes of output per second and core.
SPEEDS = {columnar.INTS: 1.5, columnar.STRINGS: 1.0}
FORMATS = ("RowBinary", "Native")


def _columnar_goals(results: Results) -> list[Goal]:
    goals = []
    for title, table in results.columnar.items():
        for format in FORMATS:
            label = f"rowbinary, {format}"
            if label not in table:
                continue
            one, what = table[label], f"{format} from columns, {title}"
            start = title.partition(",")[0]
            if start in SPEEDS:
                speed = [one.bytes / micros / 1e3 for micros in one.micros]
                met = statistics.median(speed) >= SPEEDS[start]
                goals.append(Goal(what, f"{SPEEDS[start]:g} GB/s", spread(speed), met))
            if title.startswith(columnar.EMBEDDINGS):
                share = one.median / table[columnar.MEMCPY].median
                goals.append(Goal(what, "at most 2x memcpy", f"{number(share)}x", share <= 2))
            pairs = zip(one.wall, table[f"{label}, {columnar.TWO}"].wall, strict=False)
            goals.append(_at_least(f"{what}: two threads to one", 1.7, [a / b for a, b in pairs]))
    return goals


def parser(table: Table) -> str | None:
    """orjson, by text or all in one array: what took less CPU."""
    names = [name for name in peers_decode.ORJSON if name in table]
    return min(names, key=lambda name: table[name].median, default=None)


def _decode_goals(results: Results) -> list[Goal]:
    goals = []
    for name, whose, pick in (
        ("ints", "clickhouse-connect", faster),
        ("flat", "clickhouse-connect", faster),
        ("documents", "orjson", parser),
    ):
        found = _found(results, name)
        for format, ours in (("Native", peers.NATIVE), ("RowBinary", peers.ROWS)):
            on, off = (_of(table, pick(table), ours) for table in (found.decode, found.decode_off))
            goal = _at_least(f"decoding {format} to tuples, to {whose}: {registry.ALL[name].short}", 1, on)
            if off:
                text = f"{goal.found}; {number(statistics.median(off))}x without the garbage collector"
                goal = goal._replace(found=text)
            goals.append(goal)
    return goals


def _of(table: Table, theirs: str | None, ours: str) -> list[float]:
    return ratios(table, theirs, ours) if theirs else []


def all_of(results: Results) -> list[Goal]:
    return [
        *_ratio_goals(results),
        *_lz4_goals(results),
        *_sum_goals(results),
        *_connect_goals(results),
        *_decode_goals(results),
        *_memory_goals(results),
        *_columnar_goals(results),
    ]
