"""How to reach a server: timeouts, pool, proxy, TLS."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

__all__ = ["Network", "proxy_parts", "tls_reason"]


@dataclass(frozen=True)
class Network:
    """How to reach a server.  Times are seconds.

    ``send_timeout`` bounds the sending of one piece of a body (about 1 MiB), ``answer_timeout`` the
    wait for the answer and for each further part of it.
    """

    connect_timeout: float = 10.0
    send_timeout: float = 60.0
    answer_timeout: float = 300.0
    pool_size: int = 8
    proxy: str | None = field(default=None, repr=False)
    verify: bool = True
    ca_bundle: str | os.PathLike[str] | None = None
    client_cert: str | os.PathLike[str] | None = None
    client_key: str | os.PathLike[str] | None = None
    client_key_password: str | None = field(default=None, repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)

    def tls(self) -> ssl.SSLContext:
        """The TLS context.  Raises ``ValueError`` naming the file that cannot be used."""
        context = ssl.create_default_context()
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        try:
            if self.ca_bundle is not None:
                context.load_verify_locations(self.ca_bundle)
        except OSError as error:
            raise ValueError(
                f"ca_bundle {os.fspath(self.ca_bundle or '')!r} cannot be used: {error}"
            ) from None
        try:
            if self.client_cert is not None:
                password = self.client_key_password
                context.load_cert_chain(
                    self.client_cert, self.client_key, None if password is None else password
                )
        except OSError as error:
            raise ValueError(
                f"client_cert {os.fspath(self.client_cert or '')!r} cannot be used: {error}"
            ) from None
        return context


def proxy_parts(proxy: str) -> tuple[str, str | None]:
    """The URL of a proxy without its login, and ``user:password``.  Raises ``ValueError``."""
    try:
        parts = urlsplit(proxy)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError
    except (ValueError, TypeError, AttributeError):
        raise ValueError("proxy must be a URL, http(s)://user:password@host:port") from None
    login, _, place = parts.netloc.rpartition("@")
    return f"{parts.scheme}://{place}", unquote(login) or None


def tls_reason(error: ssl.SSLError) -> str:
    """What is wrong, in a few words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: {error.reason}: {error.verify_message}"
    return f"TLS: {error.reason or error}"
