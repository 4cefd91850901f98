"""The servers and the faulty proxy that other tests use do what they say."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest
from front_process import Front
from server18 import QueryError, Server18
from servers import need
from wire import Answer, Wire

ROW = b"\x01\x02\x03\x04\x05\x06\x07\x08"


def code(answer: Answer) -> tuple[int, int]:
    """Status and the server's code."""
    return answer[0], int(answer[1].get("x-clickhouse-exception-code", 0))


@pytest.fixture
def table(front: Front) -> str:
    """An empty table of the front."""
    front.query("CREATE OR REPLACE TABLE probe (a UInt64) ENGINE = MergeTree ORDER BY a")
    return "probe"


INSERT = "INSERT INTO probe (a) FORMAT RowBinary"


def test_absent_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Server18, "program", staticmethod(lambda: None))
    reason = "the Debian package clickhouse-server is not installed"
    assert Server18.missing() == reason
    monkeypatch.delenv("ROWBINARY_REQUIRE_SERVERS", raising=False)
    with pytest.raises(pytest.skip.Exception, match=reason):
        need(Server18.missing())
    monkeypatch.setenv("ROWBINARY_REQUIRE_SERVERS", "1")
    with pytest.raises(pytest.fail.Exception, match=reason):
        need(Server18.missing())


# --- the old server


def test_old_server(server18: Server18) -> None:
    assert server18.query("SELECT version()") == "18.16.1\n"
    server18.query("CREATE TABLE first (a UInt64) ENGINE = MergeTree ORDER BY a")
    with Wire(server18.port) as wire:
        status, headers, body = wire.post("INSERT INTO first FORMAT RowBinary", ROW * 3)
        assert (status, body) == (200, b"")
        assert headers["keep-alive"] == "timeout=10"
        assert "x-clickhouse-summary" not in headers
    assert server18.query("SELECT count() FROM first") == "3\n"
    with pytest.raises(QueryError) as info:
        server18.query("SELECT * FROM nothing")
    assert (info.value.status, info.value.code) == (404, 60)


def test_old_server_after_a_crash() -> None:
    need(Server18.missing())
    with Server18(keep_alive_timeout=1) as server:
        server.query("CREATE TABLE kept (a UInt64) ENGINE = MergeTree ORDER BY a")
        server.query("INSERT INTO kept VALUES (1), (2)")
        port, url = server.port, server.url
        server.kill()
        assert server.pid is None
        with pytest.raises(OSError, match="refused"):
            server.query("SELECT 1")
        server.start()
        assert (server.port, server.url) == (port, url)
        assert server.query("SELECT count() FROM kept") == "2\n"
        with Wire(server.port) as wire:
            wire.post("SELECT 1", b"")
            assert wire.ended() == "fin"
        server.stop()
        server.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's end")
def test_servers_end_with_the_process() -> None:
    need(Front.missing())
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\nimport front_process, os\n"
        "front = front_process.Front(); front.start(); print(front.port, flush=True); sys.stdin.read()"
    )
    directory = str(pathlib.Path(__file__).parent)
    command = [sys.executable, "-c", program, directory]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        socket.create_connection(("127.0.0.1", port), 5).close()
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
        except OSError:
            return
        time.sleep(0.05)
    pytest.fail("the server is still there")


# --- the front


def test_front_insert(front: Front, table: str) -> None:
    with Wire(front.port) as wire:
        status, headers, body = wire.post(INSERT, ROW * 2, query_id="mine")
        assert (status, body) == (200, b"")
        assert headers["x-clickhouse-query-id"] == "mine"
        assert len(headers["x-clickhouse-exception-tag"]) == 16
        assert headers["keep-alive"] == "timeout=30, max=9999"
        assert json.loads(headers["x-clickhouse-summary"])["written_rows"] == "2"
        wire.head(INSERT, "Transfer-Encoding: chunked")
        for byte in ROW:
            wire.chunk(bytes([byte]))
        wire.last()
        assert wire.answer()[0] == 200
        assert wire.post("", INSERT.encode() + b"\n" + ROW)[0] == 200
        assert wire.post(INSERT, b"")[0] == 200
    assert front.query(f"SELECT count(), uniq(a) FROM {table}") == "4\t1\n"


@pytest.mark.parametrize(
    ("headers", "params", "expected"),
    [
        ([], {}, (200, 0)),
        ([], {"user": "alice", "password": "secret"}, (200, 0)),
        (["X-ClickHouse-User: alice", "X-ClickHouse-Key: secret"], {}, (200, 0)),
        (["Authorization: Basic " + base64.b64encode(b"alice:secret").decode()], {}, (200, 0)),
        (["Authorization: Bearer good-token"], {}, (200, 0)),
        (["Authorization: Bearer other"], {}, (403, 516)),
        (["Authorization: Negotiate x"], {}, (403, 516)),
        (["X-ClickHouse-User: alice", "X-ClickHouse-Key: wrong"], {}, (403, 516)),
        (["X-ClickHouse-User: "], {}, (403, 516)),
        (["X-ClickHouse-User: alice", "X-ClickHouse-Key: secret"], {"user": "alice"}, (403, 516)),
        (["X-ClickHouse-SSL-Certificate-Auth: on", "X-ClickHouse-User: alice"], {}, (403, 516)),
        ([], {"role": "any"}, (200, 0)),
    ],
)
def test_front_login(
    front: Front, table: str, headers: list[str], params: dict[str, str], expected: tuple[int, int]
) -> None:
    with Wire(front.port) as wire:
        assert code(wire.post(INSERT, ROW * 10000, *headers, **params)) == expected
        assert code(wire.post("SELECT 1", b"")) == (200, 0)  # still in step


def test_front_refusals(front: Front, table: str) -> None:
    with Wire(front.port) as wire:
        assert code(wire.post("INSERT INTO absent FORMAT RowBinary", ROW * 300_000)) == (404, 60)
        assert code(wire.post(INSERT, ROW, nosuch="1")) == (404, 115)
        assert code(wire.post(INSERT, ROW, database="absent")) == (404, 81)
        assert code(wire.post(INSERT.replace("(a)", "(b)"), ROW)) == (500, 16)
        assert code(wire.post(INSERT.replace("Binary", "Banana"), ROW)) == (404, 73)
        assert code(wire.post(INSERT, ROW + b"1")) == (500, 33)
        assert code(wire.post(INSERT, ROW, decompress="1")) == (500, 33)
        assert code(wire.post(INSERT, ROW * 9, decompress="1")) == (500, 432)
        assert code(wire.post(INSERT, ROW, "Content-Encoding: nope")) == (501, 48)
        wire.head(INSERT)
        assert code(wire.answer()) == (411, 381)
    with Wire(front.port) as wire:
        assert wire.post("SELECT 1 -- " + "x" * 100_000, b"")[2] == b"1\n"
        assert wire.post("SELECT 1 -- " + "x" * (1 << 20), b"")[0] == 400
        assert wire.ended() == "fin"
    assert front.query(f"SELECT count() FROM {table}") == "0\n"


def test_front_frames_and_encodings(front: Front, table: str) -> None:
    lz4 = pytest.importorskip("lz4.frame")
    bodies = pytest.importorskip("front_bodies")
    raw = ROW * 1000
    packed = b"".join(bodies.frame(part, method) for part in (raw[:4001], raw[4001:]) for method in (130,))
    mixed = bodies.frame(raw[:5], 2) + bodies.frame(raw[5:], 144)
    wrong = bytes([packed[0] ^ 1]) + packed[1:]
    off = {"http_native_compression_disable_checksumming_on_decompress": "1"}
    with Wire(front.port) as wire:
        assert code(wire.post(INSERT, packed, decompress="1")) == (200, 0)
        assert code(wire.post(INSERT, mixed, decompress="1")) == (200, 0)
        assert code(wire.post(INSERT, wrong, decompress="1", **off)) == (200, 0)
        assert (
            code(wire.post(INSERT, gzip.compress(packed), "Content-Encoding: gzip", decompress="1"))[1] == 0
        )
        assert code(wire.post(INSERT, lz4.compress(raw), "Content-Encoding: lz4")) == (200, 0)
        zstd = bodies.zstd.compress(raw)
        assert code(wire.post(INSERT, zstd + zstd, "Content-Encoding: zstd")) == (200, 0)
        assert front.query(f"SELECT count() FROM {table}") == "7000\n"
        assert code(wire.post(INSERT, wrong, decompress="1")) == (500, 40)
        assert code(wire.post(INSERT, packed[:-1], decompress="1")) == (500, 33)
        assert code(wire.post(INSERT, packed + bodies.frame(b""), decompress="1")) == (500, 246)
        assert code(wire.post(INSERT, zstd[:-1], "Content-Encoding: zstd")) == (500, 561)
    assert front.query(f"SELECT count() FROM {table}") == "7000\n"


def test_front_cut_bodies(front: Front, table: str) -> None:
    with Wire(front.port) as wire:
        wire.head(INSERT, "Transfer-Encoding: chunked")
        wire.chunk(ROW * 1000)
        wire.socket.shutdown(socket.SHUT_WR)
        assert code(wire.answer()) == (500, 3)
        assert wire.ended() == "fin"
    with Wire(front.port) as wire:
        wire.head(INSERT, "Content-Length: 5000")
        wire.socket.sendall(ROW)
        wire.socket.shutdown(socket.SHUT_WR)
        assert code(wire.answer()) == (500, 33)
    with Wire(front.port) as wire:
        wire.head(INSERT, "Transfer-Encoding: chunked")
        wire.chunk(ROW * 1000)
        wire.reset()
    time.sleep(0.2)
    assert front.query(f"SELECT count() FROM {table}") == "0\n"


def test_front_continue(front: Front, table: str) -> None:
    expect, later = "Expect: 100-continue", "X-ClickHouse-100-Continue: defer"
    for headers in ([expect], [expect, later]):
        with Wire(front.port) as wire:
            wire.head(INSERT, f"Content-Length: {len(ROW)}", *headers)
            assert wire.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            wire.socket.sendall(ROW)
            assert wire.answer()[0] == 200
    for wrong in ({"user": "nobody"}, {"nosuch": "1"}, {"database": "absent"}):
        with Wire(front.port) as wire:
            wire.head(INSERT, "Content-Length: 1000", expect, later, **wrong)
            status, headers_, _ = wire.answer()  # no 100 before it
            assert status in (403, 404)
            assert headers_["connection"] == "Close"
            assert wire.ended() == "fin"
    assert front.query(f"SELECT count() FROM {table}") == "2\n"


def test_front_one_at_a_time(front: Front, table: str) -> None:
    for params, expected in ({"query_id": "twice"}, 216), ({"session_id": "twice"}, 373):
        with Wire(front.port) as one, Wire(front.port) as two:
            one.head(INSERT, "Content-Length: 16", **params)
            one.socket.sendall(ROW)
            time.sleep(0.3)
            assert code(two.post(INSERT, ROW, **params)) == (500, expected)
            one.socket.sendall(ROW)
            assert code(one.answer()) == (200, 0)
            assert code(two.post(INSERT, ROW, **params)) == (200, 0)


def test_front_markers(front: Front, table: str) -> None:
    with Wire(front.port) as wire:
        status, headers, body = wire.post(f"{INSERT} /* header exception 252 */", ROW)
        assert (status, headers["x-clickhouse-exception-code"]) == (200, "252")
        assert body.startswith(b"Code: 252. DB::Exception: ")
        assert code(wire.post(INSERT, ROW, log_comment="/* fail 241 */")) == (500, 241)
        assert code(wire.post("SELECT 1 /* fail */", b"")) == (500, 395)
        started = time.monotonic()
        assert wire.post("SELECT 1 /* sleep 0.3 */", b"")[0] == 200
        assert time.monotonic() - started > 0.25
        with pytest.raises(http.client.IncompleteRead) as info:
            wire.post("SELECT number FROM numbers(1000) /* fail late */", b"")
        assert b"\r\n__exception__\r\n" in info.value.partial
        assert info.value.partial.endswith(b"\r\n__exception__\r\n")
        assert wire.ended() == "fin"
    with pytest.raises(http.client.IncompleteRead):
        front.query("SELECT 1 /* fail late */")
    assert front.query(f"SELECT count() FROM {table}") == "0\n"


def test_front_keep_alive_and_crash() -> None:
    need(Front.missing())
    with Front(keep_alive=0.5, receive_timeout=1, disk=True) as front:
        front.query("CREATE TABLE kept (a UInt64) ENGINE = MergeTree ORDER BY a")
        front.query("INSERT INTO kept VALUES (1), (2)")
        with Wire(front.port) as wire:
            assert wire.post("SELECT 1", b"")[1]["keep-alive"].startswith("timeout=0.5,")
            started = time.monotonic()
            assert wire.ended() == "fin"
            assert 0.3 < time.monotonic() - started < 3
        with Wire(front.port) as wire:
            wire.head("INSERT INTO kept FORMAT RowBinary", "Content-Length: 16")
            assert code(wire.answer()) == (503, 209)
        port = front.port
        front.kill()
        front.start()
        assert front.port == port
        assert front.query("SELECT count() FROM kept") == "2\n"


def test_front_over_tls(tmp_path: pathlib.Path) -> None:
    need(Front.missing())
    trustme = pytest.importorskip("trustme", reason="trustme is not installed")
    authority = trustme.CA()
    issued, client = authority.issue_cert("127.0.0.1"), authority.issue_cert("alice")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    pem = tmp_path / "server.pem"
    context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    with Front(cert=pem, key=pem, client_ca=tmp_path / "ca.pem") as front:
        assert front.url.startswith("https://")
        with pytest.raises((OSError, http.client.HTTPException)), Wire(front.port, context) as wire:
            wire.post("SELECT 1", b"")
        client.configure_cert(context)
        with Wire(front.port, context) as wire:
            login = ["X-ClickHouse-SSL-Certificate-Auth: on", "X-ClickHouse-User: alice"]
            assert code(wire.post("SELECT 1", b"", *login)) == (200, 0)


def test_front_many_threads(front: Front, table: str) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with Wire(front.port) as wire:
                for _ in range(5):
                    assert code(wire.post(INSERT, ROW * 10)) == (200, 0)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    assert front.query(f"SELECT count() FROM {table}") == "800\n"
