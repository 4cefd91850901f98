"""TLS, client certificates and proxies."""

from __future__ import annotations

import contextlib
import logging
import pathlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from clients import KINDS, Facade, Kind, big_rows
from front_process import Front
from http_proxies import ForwardProxy, reply
from secrets_kept import check_kept
from servers import need

from rowbinary import ClientError, TransportError

pytestmark = pytest.mark.faults

Connect = Callable[..., Facade]
SECRET = "SECRET-proxy"
DENIED = reply(b"<html>blocked by policy</html>", "403 Forbidden")


class Files(NamedTuple):
    """PEM files."""

    authority: pathlib.Path
    other_authority: pathlib.Path
    server: pathlib.Path
    elsewhere: pathlib.Path  # of another host
    client: pathlib.Path


@pytest.fixture(autouse=True)
def _log_everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """An authority, and what it has issued."""
    trustme = pytest.importorskip("trustme", reason="trustme is not installed")
    directory = tmp_path_factory.mktemp("tls")
    found = Files(*(directory / f"{name}.pem" for name in Files._fields))
    authority = trustme.CA()
    authority.cert_pem.write_to_path(found.authority)
    trustme.CA().cert_pem.write_to_path(found.other_authority)
    for name, path in (
        ("127.0.0.1", found.server),
        ("elsewhere.test", found.elsewhere),
        ("alice", found.client),
    ):
        authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(path)
    return found


@contextlib.contextmanager
def running(**options: Any) -> Iterator[Front]:
    need(Front.missing())
    with Front(**options) as front:
        yield front


@pytest.fixture(scope="module")
def secure(files: Files) -> Iterator[Front]:
    """A server with TLS."""
    with running(cert=files.server, key=files.server) as front:
        yield front


@pytest.fixture(scope="module")
def mutual(files: Files) -> Iterator[Front]:
    """One that wants certificates of its clients as well."""
    with running(cert=files.server, key=files.server, client_ca=files.authority) as front:
        yield front


@pytest.fixture(scope="module")
def misnamed(files: Files) -> Iterator[Front]:
    """One with a certificate of another host."""
    with running(cert=files.elsewhere, key=files.elsewhere) as front:
        yield front


def insert_both(client: Facade, table: str = "tls") -> None:
    """A small and a streamed insert."""
    client.command(f"CREATE OR REPLACE TABLE {table} (a UInt64, s String) ENGINE = Memory")
    assert client.insert(table, [(10**6, "x")]).rows == 1
    assert client.insert(table, big_rows(3000)).rows == 3000
    with pytest.raises(ZeroDivisionError):
        client.insert(table, big_rows(3000, ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        client.insert(table, big_rows(3000, ZeroDivisionError()), compression="none")
    assert client.command(f"SELECT count(), uniqExact(a) FROM {table}") == "3001\t3001"


def refused(client: Facade, caplog: pytest.LogCaptureFixture, *words: str) -> TransportError:
    """The error of a client that cannot get through; it says these words."""
    with pytest.raises(TransportError) as info:
        client.insert("tls", [(1, "x")])
    for word in words:
        assert word.lower() in str(info.value).lower()
    assert info.value.outcome == "refused"
    check_kept(info.value, caplog, SECRET)
    return info.value


# --- TLS


def test_tls(rows_kind: Kind, secure: Front, files: Files, connect: Connect) -> None:
    insert_both(connect(rows_kind, secure.url, ca_bundle=files.authority, user="alice", password="secret"))


def test_tls_unverified(kind: Kind, misnamed: Front, connect: Connect) -> None:
    insert_both(connect(kind, misnamed.url, verify=False))


@pytest.mark.parametrize("bundle", ["other_authority", None])
def test_a_server_of_another_authority(
    kind: Kind,
    secure: Front,
    files: Files,
    connect: Connect,
    caplog: pytest.LogCaptureFixture,
    bundle: str | None,
) -> None:
    ca_bundle = None if bundle is None else getattr(files, bundle)
    client = connect(kind, secure.url, ca_bundle=ca_bundle, user="alice", password=SECRET)
    error = refused(client, caplog, secure.url, "CERTIFICATE_VERIFY_FAILED", "issuer")
    assert not error.retryable


def test_a_server_of_another_name(
    kind: Kind, misnamed: Front, files: Files, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    client = connect(kind, misnamed.url, ca_bundle=files.authority, user="alice", password=SECRET)
    error = refused(client, caplog, misnamed.url, "CERTIFICATE_VERIFY_FAILED", "not valid for '127.0.0.1'")
    assert not error.retryable


def test_http_to_a_tls_port_and_the_reverse(
    kind: Kind, secure: Front, front: Front, files: Files, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    plain = secure.url.replace("https", "http")
    with pytest.raises(ClientError, match=plain) as info:
        connect(kind, plain, user="alice", password=SECRET).insert("tls", [(1, "x")])
    check_kept(info.value, caplog, SECRET)
    tls = front.url.replace("http", "https")
    refused(connect(kind, tls, user="alice", password=SECRET), caplog, tls)


def test_client_certificates(
    kind: Kind, mutual: Front, files: Files, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    good = connect(kind, mutual.url, ca_bundle=files.authority, user="alice", client_cert=files.client)
    insert_both(good)
    with pytest.raises(ClientError, match=mutual.url) as info:
        connect(kind, mutual.url, ca_bundle=files.authority, user="alice", password=SECRET).insert(
            "tls", [(1, "x")]
        )
    check_kept(info.value, caplog, SECRET)


@pytest.mark.parametrize("name", ["ca_bundle", "client_cert"])
@pytest.mark.parametrize("content", [None, "no PEM"])
def test_files_that_cannot_be_used(
    kind: Kind, tmp_path: pathlib.Path, name: str, content: str | None
) -> None:
    path = tmp_path / "file.pem"
    if content is not None:
        path.write_text(content)
    options: dict[str, Any] = {name: path}
    with pytest.raises(ValueError, match=rf"{name} '{path}' cannot be used"):
        Facade(kind, "https://127.0.0.1:1", **options)


def test_an_encrypted_key(
    kind: Kind, mutual: Front, files: Files, connect: Connect, tmp_path: pathlib.Path
) -> None:
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    pem = files.client.read_bytes()
    key = serialization.load_pem_private_key(pem, None)
    sealed = tmp_path / "key.pem"
    how = serialization.BestAvailableEncryption(SECRET.encode())
    private = serialization.PrivateFormat.PKCS8
    sealed.write_bytes(key.private_bytes(serialization.Encoding.PEM, private, how))
    options: dict[str, Any] = {
        "ca_bundle": files.authority, "user": "alice", "client_cert": files.client, "client_key": sealed
    }  # fmt: skip
    assert connect(kind, mutual.url, client_key_password=SECRET, **options).command("SELECT 1") == "1"
    with pytest.raises(ValueError, match="cannot be used") as info:
        Facade(kind, mutual.url, client_key_password=SECRET + "wrong", **options)
    assert SECRET not in str(info.value)


# --- proxies


def proxy_url(proxy: ForwardProxy, login: str = "") -> str:
    """With a login."""
    return proxy.url.replace("//", f"//{login}@" if login else "//")


@pytest.mark.parametrize("login", ["", "pat:SECRET-proxy"])
def test_http_through_a_proxy(kind: Kind, front: Front, connect: Connect, login: str) -> None:
    with ForwardProxy(login.encode()) as proxy:
        client = connect(kind, front.url, proxy=proxy_url(proxy, login), user="alice", password="secret")
        insert_both(client, "proxied")
        client.close()
        assert proxy.heads
        assert all(head.startswith(f"POST {front.url}/?") for head in proxy.heads)


@pytest.mark.parametrize("login", ["", "pat:SECRET-proxy"])
def test_https_through_a_proxy(kind: Kind, secure: Front, files: Files, connect: Connect, login: str) -> None:
    with ForwardProxy(login.encode()) as proxy:
        client = connect(
            kind, secure.url, proxy=proxy_url(proxy, login), ca_bundle=files.authority, user="alice",
            password="secret",
        )  # fmt: skip
        insert_both(client, "proxied")
        client.close()
        assert all(head.startswith(f"CONNECT 127.0.0.1:{secure.port} ") for head in proxy.heads)
        assert all("X-ClickHouse" not in head for head in proxy.heads)  # the proxy does not get our login


@pytest.mark.parametrize("login", ["", "pat:SECRET-proxy"])
@pytest.mark.parametrize("secured", [False, True], ids=["http", "https"])
def test_a_proxy_that_wants_another_login(
    kind: Kind, front: Front, secure: Front, files: Files, connect: Connect, caplog: pytest.LogCaptureFixture,
    login: str, secured: bool,
) -> None:  # fmt: skip
    server = secure if secured else front
    with ForwardProxy(b"pat:another") as proxy:
        options = {"ca_bundle": files.authority} if secured else {}
        client = connect(
            kind, server.url, proxy=proxy_url(proxy, login), user="alice", password=SECRET, **options
        )
        refused(client, caplog, server.url, "407")
        client.close()


@pytest.mark.parametrize("secured", [False, True], ids=["http", "https"])
def test_a_proxy_that_refuses(
    kind: Kind, front: Front, secure: Front, files: Files, connect: Connect, caplog: pytest.LogCaptureFixture,
    secured: bool,
) -> None:  # fmt: skip
    server = secure if secured else front
    with ForwardProxy(refuse=DENIED) as proxy:
        client = connect(
            kind, server.url, proxy=proxy_url(proxy, "pat:SECRET-proxy"), ca_bundle=files.authority
        )
        refused(client, caplog, server.url, "403")
        client.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_not_there(
    kind: Kind, connect: Connect, caplog: pytest.LogCaptureFixture, scheme: str
) -> None:
    with ForwardProxy() as proxy:
        url = proxy_url(proxy, "pat:SECRET-proxy")
    client = connect(kind, f"{scheme}://127.0.0.1:9", proxy=url, retries=0)
    assert refused(client, caplog, "the proxy failed", "refused").retryable


def test_tls_that_fails_behind_a_proxy_keeps_its_password(
    kind: Kind, misnamed: Front, files: Files, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    with ForwardProxy(b"pat:SECRET-proxy") as proxy:
        client = connect(
            kind, misnamed.url, proxy=proxy_url(proxy, "pat:SECRET-proxy"), ca_bundle=files.authority
        )
        assert not refused(client, caplog, "CERTIFICATE_VERIFY_FAILED").retryable
        client.close()


@pytest.mark.parametrize(
    "proxy", ["pat:SECRET-proxy@host:1", "socks5://pat:SECRET-proxy@host:1", "http://", "nonsense"]
)
@pytest.mark.parametrize("one", KINDS)
def test_proxies_that_cannot_be_used(one: Kind, proxy: str) -> None:
    with pytest.raises(ValueError, match="proxy must be a URL") as info:
        Facade(one, "http://127.0.0.1:1", proxy=proxy)
    assert SECRET not in str(info.value)
