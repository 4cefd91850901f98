"""Where a client connects to: URLs, settings and credentials, checked once.

A password must not come out again: not in a ``repr``, an error, a log.  So nothing here quotes a URL,
and what may contain a secret goes through :meth:`Address.scrub`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from ._types import quote as sql_text

__all__ = ["Address", "Setting", "Settings", "parse_url", "setting_text", "settings_text"]

Setting: TypeAlias = "str | int | float | bool"
Settings: TypeAlias = Mapping[str, Setting]

_PORTS = {"http": 8123, "https": 8443}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
# Parameters of the HTTP interface with a meaning of their own: arguments of the client set them.
_RESERVED = frozenset(
    {"query", "database", "user", "password", "query_id", "compress", "decompress", "default_format"}
)
_CONTROL = re.compile(r"[\x00-\x20\x7f]")


@dataclass(frozen=True)
class Address:
    """A server, who we are there, and the settings of every statement.

    ``host`` is ``None`` for the embedded engine; ``directory`` is then its data directory, or
    ``None`` for a database in memory.
    """

    scheme: str
    host: str | None = None
    port: int = 0
    database: str | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    access_token: str | None = field(default=None, repr=False)
    certificate_login: bool = False
    settings: tuple[tuple[str, str], ...] = ()
    directory: str | None = None
    path: str = "/"

    @property
    def embedded(self) -> bool:
        """Whether this is the embedded engine."""
        return self.scheme == "chdb"

    @property
    def origin(self) -> str:
        """Scheme, host and port, for people."""
        if self.embedded:
            return "chdb://memory" if self.directory is None else f"chdb://{self.directory}"
        host = f"[{self.host}]" if self.host and ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def scrub(self, text: str, *others: str | None) -> str:
        """`text` without the secrets of this address, and without `others`."""
        for secret in (self.password, self.access_token, *others):
            if secret:
                text = text.replace(secret, "***").replace(quote(secret, safe=""), "***")
        return text

    def headers(self) -> dict[str, str]:
        """The headers that say who we are.

        ClickHouse's own pair of headers, except for texts that a header cannot carry: those go as
        HTTP Basic, which is UTF-8.
        """
        if self.access_token is not None:
            return {"Authorization": f"Bearer {self.access_token}"}
        user, password = self.user or "default", self.password or ""
        if self.certificate_login:
            if not _fits_header(user):
                raise ValueError("the user of a certificate login must be printable ASCII")
            return {"X-ClickHouse-User": user, "X-ClickHouse-SSL-Certificate-Auth": "on"}
        if self.user is None and self.password is None:
            return {}
        if _fits_header(user) and _fits_header(password):
            return {"X-ClickHouse-User": user, "X-ClickHouse-Key": password}
        if ":" in user:
            raise ValueError("a user name with ':' must be ASCII, and so must its password")
        try:
            pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        except UnicodeEncodeError:
            raise ValueError("user and password must be text that UTF-8 can hold") from None
        return {"Authorization": f"Basic {pair}"}


def _fits_header(text: str) -> bool:
    """Whether a header carries `text` as it is."""
    return text.isascii() and text.isprintable() and text == text.strip()


def parse_url(url: str) -> Address:
    """The address that `url` means.

    ``http(s)://user:password@host:port/database?setting=value``, ``chdb://memory`` or
    ``chdb:///directory?setting=value``.  Special characters of user, password and database are
    percent-encoded.  Default ports are 8123 and 8443.

    Raises ``ValueError``, which does not quote the URL: it may hold a password.
    """
    if not isinstance(url, str):
        raise ValueError(f"the URL must be str, not {type(url).__name__}")
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("http", "https", "chdb"):
        raise ValueError("the URL must begin with http://, https:// or chdb://")
    if _CONTROL.search(url):
        raise ValueError("the URL holds a blank or a control character: percent-encode it")
    if "#" in rest:
        raise ValueError("the URL holds a '#': in a user name, password or setting write %23")
    return _parse_embedded(rest) if scheme == "chdb" else _parse_http(scheme, url)


def _parse_embedded(rest: str) -> Address:
    place, _, query = rest.partition("?")
    settings = _url_settings(query)
    if place == "memory":
        return Address("chdb", settings=settings)
    if not place.startswith("/") or not place.strip("/"):
        raise ValueError("a chdb:// URL is chdb://memory or chdb:///directory")
    return Address("chdb", settings=settings, directory=_decoded(place, "directory"))


def _parse_http(scheme: str, url: str) -> Address:
    try:
        parts = urlsplit(url)
        host, userinfo = parts.hostname, parts.netloc.rpartition("@")[0]
    except ValueError:
        raise ValueError("the URL's host cannot be understood") from None
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError(
            "the URL's port must be a number from 1 to 65535; "
            "characters such as '/', '@' and ':' of a password must be percent-encoded"
        )
    if not host:
        raise ValueError("the URL names no host")
    if "@" in parts.path or ("@" in parts.query and not userinfo):
        raise ValueError(
            "the URL holds a '@' behind the host: write %40, "
            "and in a user name or password %2F for '/' and %3F for '?'"
        )
    name, has_password, password = userinfo.partition(":")
    database = parts.path.strip("/")
    if "/" in database:
        raise ValueError("the path of the URL must be one database; a proxy's path is the argument path=")
    return Address(
        scheme,
        host,
        port or _PORTS[scheme],
        _decoded(database, "database") or None,
        _decoded(name, "user") or None,
        _decoded(password, "password") if has_password else None,
        settings=_url_settings(parts.query),
    )


def _decoded(text: str, what: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError(f"the URL's {what} is not percent-encoded UTF-8") from None


def _url_settings(query: str) -> tuple[tuple[str, str], ...]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), errors="strict")
    except ValueError:
        raise ValueError("what follows '?' in the URL must be setting=value&...") from None
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a setting comes twice in the URL (several roles: the argument roles=)")
    return settings_text(dict(pairs))


def settings_text(settings: Settings | None) -> tuple[tuple[str, str], ...]:
    """`settings` as texts.  Raises ``ValueError`` for names and values that cannot be sent."""
    return tuple((name, setting_text(name, value)) for name, value in (settings or {}).items())


def setting_text(name: str, value: Setting) -> str:
    """The text of one setting: bools are 1 and 0."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a setting")
    if name in _RESERVED:
        raise ValueError(f"{name!r} is not a setting; the client sets it from its own arguments")
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int):
        return int.__repr__(value)  # not that of a subclass: enums, and floats of NumPy, have their own
    if isinstance(value, float):
        return float.__repr__(value)
    if not isinstance(value, str):
        raise ValueError(f"setting {name!r} must be str, int, float or bool, not {type(value).__name__}")
    if re.search("[\0\ud800-\udfff]", value):
        raise ValueError(f"setting {name!r} holds characters that cannot be sent")
    return value


def settings_clause(settings: Iterable[tuple[str, str]]) -> str:
    """`settings` as an SQL clause, for the embedded engine."""
    pairs = ", ".join(f"{name} = {sql_text(value)}" for name, value in settings)
    return f" SETTINGS {pairs}" if pairs else ""
