"""What the same rows cost the engine: CPU of the embedded engine per row, into a Null table.

make bench
"""

from __future__ import annotations

import time
from typing import Any

import peers
import pytest
import workloads

import rowbinary

chdb = pytest.importorskip("chdb")
orjson = pytest.importorskip("orjson")

ROUNDS = 5
PIECE = 1 << 20
SETTINGS = "max_threads=1, max_insert_threads=1, input_format_parallel_parsing=0"


@pytest.fixture(scope="module")
def engine() -> Any:
    connection = chdb.connect(":memory:")
    yield connection
    connection.close()


def insert_cpu(engine: Any, body: bytes, format: str) -> float:
    """Process CPU (all threads) from the first byte to the end of the insert."""
    start = time.process_time()
    stream = engine.send_insert(f"INSERT INTO sink SETTINGS {SETTINGS}", format)
    for offset in range(0, len(body), PIECE):
        stream.append(body[offset : offset + PIECE])
    stream.finish()
    return time.process_time() - start


@pytest.mark.parametrize("name", ["spans", "documents"])
def test_binary_json_against_text(name: str, engine: Any, benchmark: Any, report: list[str]) -> None:
    workload = workloads.ALL[name]()
    engine.query(f"CREATE OR REPLACE TABLE sink ({workload.ddl}) ENGINE = Null")
    bodies = {
        "RowBinary, binary JSON": (rowbinary.encode_rows(workload.schema, workload.rows), "RowBinary"),
        "JSONEachRow": (
            b"\n".join(orjson.dumps(row, str) for row in peers.json_rows(workload)),
            "JSONEachRow",
        ),
    }
    times: dict[str, list[float]] = {label: [] for label in bodies}
    for _ in range(ROUNDS):
        for label, (body, format) in bodies.items():
            times[label].append(insert_cpu(engine, body, format))
    count = len(workload.rows)
    report += ["", f"{name}: CPU of the engine, {count} rows into a Null table, one thread"]
    least = {label: min(seconds) for label, seconds in times.items()}
    for label, seconds in least.items():
        share = seconds / least["JSONEachRow"]
        report.append(f"  {label:28} {seconds / count * 1e6:6.2f} us/row   {share:5.2f} of the cost as text")
    body, format = bodies["RowBinary, binary JSON"]
    benchmark.pedantic(insert_cpu, (engine, body, format), rounds=3)
