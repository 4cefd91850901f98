"""URLs, credentials and settings: what they mean, what is refused, and that no secret comes out again."""

from __future__ import annotations

import base64
import copy
import enum
import math
import pickle
import string
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from conftest import shown
from hypothesis import given
from hypothesis import strategies as st
from server18 import Server18

from rowbinary import Client
from rowbinary._address import Address, parse_url, setting_text, settings_clause, settings_text
from rowbinary._network import Network
from rowbinary.protocol import Request, insert_request, statement_request

SECRET = "s3cr3t-W0rd"
SPECIAL = string.punctuation + " é☃\U0001f40d\t\n\0"

# --- URLs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://h", Address("http", "h", 8123)),
        ("https://h", Address("https", "h", 8443)),
        ("http://h:1", Address("http", "h", 1)),
        ("http://h:", Address("http", "h", 8123)),
        ("http://h:65535/", Address("http", "h", 65535)),
        ("http://H.Example/db", Address("http", "h.example", 8123, "db")),
        ("http://h/db/", Address("http", "h", 8123, "db")),
        ("http://h/a%2Fb.c%20d", Address("http", "h", 8123, "a/b.c d")),
        ("http://127.0.0.1:9", Address("http", "127.0.0.1", 9)),
        ("http://[::1]", Address("http", "::1", 8123)),
        ("https://[2001:db8::1]:9/db", Address("https", "2001:db8::1", 9, "db")),
        ("http://u@h", Address("http", "h", 8123, None, "u")),
        ("http://u:@h", Address("http", "h", 8123, None, "u", "")),
        ("http://:p@h", Address("http", "h", 8123, None, None, "p")),
        ("http://@h", Address("http", "h", 8123)),
        ("http://u:p@[::1]:9/d", Address("http", "::1", 9, "d", "u", "p")),
        ("http://a%40b:c%3Ad%2F@h", Address("http", "h", 8123, None, "a@b", "c:d/")),
        ("http://u:a:b@c@h:1", Address("http", "h", 1, None, "u", "a:b@c")),
        ("http://h?", Address("http", "h", 8123)),
        ("http://h?a=1", Address("http", "h", 8123, settings=(("a", "1"),))),
        (
            "http://h/?a=1&b=x%26y&c=",
            Address("http", "h", 8123, settings=(("a", "1"), ("b", "x&y"), ("c", ""))),
        ),
        ("http://u@h/d?b=me@here", Address("http", "h", 8123, "d", "u", settings=(("b", "me@here"),))),
        ("http://h?a=x%09y%0Az", Address("http", "h", 8123, settings=(("a", "x\ty\nz"),))),
        ("chdb://memory", Address("chdb")),
        ("chdb://memory?max_threads=1", Address("chdb", settings=(("max_threads", "1"),))),
        ("chdb:///data", Address("chdb", directory="/data")),
        (
            "chdb:///a%20b/c?max_threads=1",
            Address("chdb", directory="/a b/c", settings=(("max_threads", "1"),)),
        ),
    ],
)
def test_what_urls_mean(url: str, address: Address) -> None:
    found = parse_url(url)
    assert found == address
    assert found.embedded == url.startswith("chdb")


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://u:p@h/db?a=1", "http://h:8123"),
        ("https://[::1]:9", "https://[::1]:9"),
        ("chdb://memory", "chdb://memory"),
        ("chdb:///a/b", "chdb:///a/b"),
    ],
)
def test_the_origin_is_for_people(url: str, origin: str) -> None:
    assert parse_url(url).origin == origin


@pytest.mark.parametrize("character", SPECIAL, ids=ascii)
@pytest.mark.parametrize(
    "template", ["http://{0}:x@h", "http://u:{0}@h", "http://h/{0}", "https://{0}:{0}@[::1]:1/{0}"]
)
def test_every_special_character_can_be_percent_encoded(template: str, character: str) -> None:
    text = f"a{character}b"
    found = parse_url(template.format(quote(text, safe="")))
    assert text in (found.user, found.password, found.database)
    assert {found.user, found.password, found.database} <= {text, "u", "x", None}


@given(*[st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)] * 3)
def test_any_credentials_survive_a_url(user: str, password: str, database: str) -> None:
    parts = [quote(text, safe="") for text in (user, password, database)]
    found = parse_url("http://{}:{}@h:1/{}".format(*parts))
    assert (found.user, found.password, found.database) == (user, password, database)


BAD_URLS = [
    "", "h", "h:8123", "//h", "ftp://h", "HTTP://h", "http:/h", "http//h", "clickhouse://u:{}@h", "tcp://u:{}@h:9000",
    "http://", "http:///db", "http://:8123", "http://u:{}@", "http://u:{}@:1", "http://u:{}@h:0",
    "http://u:{}@h:65536", "http://u:{}@h:99999999999999999999", "http://u:{}@h:-1", "http://u:{}@h:x",
    "http://u:{}@h:1x", "http://u:{}@h:1:2", "http://u:{}@h/a/b", "http://u:{}@[::1", "http://u:{}@::1]",
    "http://u:{}@[x]", "http://u:{}[@h", "http://u:{}@h/d b", " http://u:{}@h", "http://u:{}@h ", "http://u:{}@h\n",
    "http://u:{}\r\n@h", "http://u:{}\t@h", "http://u:{}\0@h", "http://u:{}\x7f@h", "http://u:{} @h",
    "http://u:{}@h?a", "http://u:{}@h?=1", "http://u:{}@h?a=1&&b=1", "http://u:{}@h?a=1&a=2", "http://u:{}@h?a=%FF",
    "http://u:{}@h?a=%00", "http://u:{}@h?a-b=1", "http://u:{}@h?password={}", "http://u:{}@h?user=x", "http://u:{}@h?query=x",
    "http://u:{}%FF@h", "http://u%FF:{}@h", "http://u:{}@h/%FF", "http://u:{}@\u2100", "http://u:{}@h/d@e",
    # characters of a password that had to be encoded
    "http://u:{}/x@h", "http://u:12/{}@h", "http://u:12/{}@h/db", "http://u:12/{}/x@h:1/db", "http://u:{}?x@h",
    "http://u:{}?x=1@h", "http://u:1?{}=1@h", "http://u:1?x={}@h", "http://u?a:{}@h", "http://u?a:{}=1@h", "http://u:{}#x@h",
    "http://u#:{}@h", "http://u/a:{}@h", "http://u:a@12/{}@h", "https://{}/@h", "http://{}?a=1@h",
    "chdb://", "chdb://u:{}@h", "chdb://{}", "chdb://memory/{}", "chdb:///", "chdb:////", "chdb:///d?{}", "chdb:///%FF",
    "chdb://memory?password={}", "chdb://memory#{}",
]  # fmt: skip


@pytest.mark.parametrize("url", BAD_URLS, ids=ascii)
@pytest.mark.parametrize("secret", [SECRET, "1-2", "pass.word"])
def test_bad_urls_are_refused_without_telling_the_secret(url: str, secret: str) -> None:
    with pytest.raises(ValueError, match=r"URL|setting") as caught:
        parse_url(url.replace("{}", secret))
    assert secret not in "".join(traceback.format_exception_only(caught.value))
    # The context of errors of the standard library, which quote it, is not shown.
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("url", [None, 5, b"http://h"])
def test_a_url_is_a_str(url: Any) -> None:
    with pytest.raises(ValueError, match="must be str"):
        parse_url(url)


@given(st.text(string.ascii_lowercase + "0123456789/:?#@%&=[]. \n", max_size=30))
def test_no_url_is_too_strange(rest: str) -> None:
    try:
        found = parse_url("http://" + rest)
    except ValueError as error:
        text = str(error)
        assert len(text) < 300
    else:
        assert found.host
        assert 0 < found.port < 65536


# --- arguments over URLs --------------------------------------------------------------------------


def address_of(url: str, **arguments: Any) -> Address:
    with Client(url, **arguments) as client:
        return client._address


def test_arguments_win_over_the_url() -> None:
    url = "http://u:p@h/d?a=1&b=2"
    found = address_of(url, user="v", password="q", database="e", settings={"b": 3, "c": True}, path="/x%20y")
    settings = (("a", "1"), ("b", "3"), ("c", "1"))
    assert found == Address("http", "h", 8123, "e", "v", "q", settings=settings, path="/x%20y")
    assert address_of(url, user="v").password == "p"
    assert address_of(url, password="").password == ""
    assert address_of("http://h", access_token="t").headers() == {"Authorization": "Bearer t"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"compression": "gzip"}, "compression"),
        ({"compression": None}, "compression"),
        ({"compression": ["lz4"]}, "compression"),
        *(
            ({f"{name}_timeout": value}, f"{name}_timeout must be")
            for name in ("connect", "send", "answer")
            for value in (0, -1, math.nan, math.inf, 1e9, None, "1")
        ),
        *(({"retries": value}, "retries must be") for value in (-1, 101, 1.0, None, "1")),
        *(({"pool_size": value}, "pool_size must be") for value in (0, -1, 1.0, None, "1")),
        *(
            ({"headers": {name: value}}, "header")
            for name, value in (
                ("X", "a\r\nY: b"), ("X", "a\nb"), ("X", "\0"), ("X", "☃"), ("X", "é"), ("X", 1), ("X", b"a"),
                (1, "a"), ("", "a"), ("X Y", "a"), ("X:", "a"), ("X\r\nY", "a"), ("é", "a"), ("Host", "a"),
                ("CONTENT-length", "1"), ("Transfer-Encoding", "chunked"), ("Content-Encoding", "br"),
                ("expect", "x"),
            )
        ),
        *(({"path": value}, "path must") for value in ("", "x", "/a b", "/é", "/?a", "/#", "/\r\n", None, 5)),
        ({"roles": "admin"}, "roles must be a list of str"),
        ({"roles": [1]}, "roles must be a list of str"),
        ({"roles": 5}, "roles must be a list of str"),
        ({"roles": None}, "roles must be a list of str"),
        ({"roles": b"admin"}, "roles must be a list of str"),
        ({"user": 1}, "user must be str"),
        ({"password": b"s3cr3t-W0rd"}, "password must be str"),
        ({"database": 1}, "database must be str"),
        ({"access_token": 1}, "access_token must be str"),
        ({"access_token": SECRET, "user": "u"}, "cannot both be given"),
        ({"access_token": SECRET, "password": SECRET}, "cannot both be given"),
        ({"access_token": SECRET, "url": "http://u@h"}, "cannot both be given"),
        ({"access_token": SECRET, "url": "http://u:@h"}, "cannot both be given"),
        ({"access_token": SECRET, "url": f"http://:{SECRET}@h"}, "cannot both be given"),
        *(
            ({"access_token": SECRET + more}, "printable ASCII")
            for more in (" x", "\r\n", "\n", "é", "\0", "\x7f")
        ),
        ({"access_token": ""}, "printable ASCII"),
        ({"access_token": "", "user": "u"}, "cannot both be given"),
        ({"user": "a:b", "password": SECRET + "é"}, "a user name with ':'"),
        ({"user": "a:é", "password": SECRET}, "a user name with ':'"),
        ({"user": "u", "password": SECRET + "\udcff"}, "UTF-8"),
        ({"user": "\udcff", "password": SECRET}, "UTF-8"),
        ({"url": "chdb://memory", "user": "u"}, "knows no users"),
        ({"url": "chdb://memory", "password": SECRET}, "knows no users"),
        ({"url": "chdb://memory", "access_token": SECRET}, "knows no users"),
        ({"settings": {"a b": 1}}, "is not the name of a setting"),
        ({"settings": {"password": SECRET}}, "is not a setting"),
        ({"proxy": f"socks5://u:{SECRET}@h"}, "proxy must be a URL"),
        ({"proxy": f"u:{SECRET}@h"}, "proxy must be a URL"),
        ({"proxy": f"http://u:{SECRET}@h:99999"}, "proxy must be a URL"),
    ],
    ids=ascii,
)  # fmt: skip
def test_bad_arguments_are_named_and_secrets_are_not(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        Client(**arguments)
    shown = "".join(traceback.format_exception_only(caught.value)) + repr(caught.value.__dict__)
    assert SECRET not in shown


@pytest.mark.parametrize("user", ["é", "a\r\nX-Y: z", " u", "u ", "\0", "\udcff"], ids=ascii)
def test_a_certificate_login_has_a_user_that_a_header_carries(user: str) -> None:
    address = Address("https", "h", 1, user=user, certificate_login=True)
    with pytest.raises(ValueError, match="certificate login must be printable ASCII"):
        address.headers()


# --- headers --------------------------------------------------------------------------------------


def basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize(
    ("user", "password", "headers"),
    [
        (None, None, {}),
        ("u", None, {"X-ClickHouse-User": "u", "X-ClickHouse-Key": ""}),
        ("u", "", {"X-ClickHouse-User": "u", "X-ClickHouse-Key": ""}),
        (None, "p", {"X-ClickHouse-User": "default", "X-ClickHouse-Key": "p"}),
        ("a b:c", "%41 ~!", {"X-ClickHouse-User": "a b:c", "X-ClickHouse-Key": "%41 ~!"}),
        ("u", "é☃", basic("u:é☃")),
        ("é", "p", basic("é:p")),
        ("é", None, basic("é:")),
        (None, "é:é", basic("default:é:é")),
        ("u", " p", basic("u: p")),
        ("u", "p ", basic("u:p ")),
        (" ", "p", basic(" :p")),
        ("u", "a\r\nX: y", basic("u:a\r\nX: y")),
        ("u", "a\tb", basic("u:a\tb")),
        ("u", "\x7f", basic("u:\x7f")),
    ],
    ids=ascii,
)
def test_headers_that_say_who_we_are(user: str | None, password: str | None, headers: dict[str, str]) -> None:
    assert Address("http", "h", 1, None, user, password).headers() == headers


def test_other_logins() -> None:
    assert Address("http", "h", 1, access_token="a.b-c").headers() == {"Authorization": "Bearer a.b-c"}
    found = Address("https", "h", 1, user="u", certificate_login=True).headers()
    assert found == {"X-ClickHouse-User": "u", "X-ClickHouse-SSL-Certificate-Auth": "on"}


@given(*[st.none() | st.text(max_size=10)] * 2)
def test_headers_are_one_line_of_ascii_or_an_error(user: str | None, password: str | None) -> None:
    try:
        headers = Address("http", "h", 1, None, user, password).headers()
    except ValueError as error:
        text = str(error)
        assert password is None or len(password) < 4 or password not in text
    else:
        assert all(text.isascii() and text.isprintable() for text in headers.values())


# --- settings -------------------------------------------------------------------------------------


class Level(enum.IntEnum):
    HIGH = 3


# All controls but NUL, and others that are not printable.
UNSEEN = [
    *map(chr, range(1, 32)),
    "\x7f",
    "\x80",
    "\xa0",
    "\u2028",
    "\u200b",
    "\ufeff",
    "\ufffe",
    "\U0010ffff",
]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "1"),
        (False, "0"),
        (5, "5"),
        (-1, "-1"),
        (2**70, str(2**70)),
        (1.5, "1.5"),
        (1e-09, "1e-09"),
        ("", ""),
        ("x y&=é", "x y&=é"),
        *((f"a{character}b", f"a{character}b") for character in UNSEEN),
        (Level.HIGH, "3"),
        (np.float64(0.5), "0.5"),
    ],
)
def test_texts_of_settings(value: Any, text: str) -> None:
    assert setting_text("name", value) == text
    assert settings_text({"name": value}) == (("name", text),)


@pytest.mark.parametrize(
    "value",
    [None, b"x", [1], {}, object(), "\0", "a\0b", "a\n\0", "\ud800", "a\udfffb"],
    ids=shown,
)
def test_values_that_no_setting_has(value: Any) -> None:
    with pytest.raises(ValueError, match="setting 'name'"):
        setting_text("name", value)


@pytest.mark.parametrize("character", UNSEEN, ids=ascii)
def test_characters_that_nobody_sees_go_percent_encoded(character: str) -> None:
    settings = settings_text({"name": f"a{character}b"})
    meant = f"name=a{quote(character, safe='')}b"
    assert "%" in meant
    for address, pairs in (
        (Address("http", "h", 1, settings=settings), ()),
        (Address("http", "h", 1), settings),
    ):
        for request in (
            insert_request(address, "INSERT", query_id="q", compression="none", settings=pairs),
            statement_request(address, "SELECT 1", query_id="q", settings=pairs),
        ):
            assert request.target.startswith(f"/?{meant}&query_id=q")
    assert parse_url(f"http://h?{meant}").settings == settings


def test_a_real_server_gets_every_character_of_a_setting(server18: Server18) -> None:
    """Backslashes are those of TabSeparated."""
    sql = "SELECT value FROM system.settings WHERE name = 'count_distinct_implementation'"
    settings = {"count_distinct_implementation": "a\tb\nc\rd\x01\x7f é\u2028&=%41+"}
    answer = "a\\tb\\nc\\rd\x01\x7f é\u2028&=%41+"
    with Client(server18.url) as client, Client(server18.url, settings=settings) as other:
        assert client.command(sql, settings=settings) == other.command(sql) == answer


@pytest.mark.parametrize("name", ["max_threads", "_x", "a.b", "A1", "role", "session_id", "param_x"])
def test_names_of_settings(name: str) -> None:
    assert settings_text({name: 1}) == ((name, "1"),)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "1a",
        "a b",
        "a-b",
        "a=b",
        "a&b",
        "é",
        "a\n",
        None,
        1,
        "query",
        "database",
        "user",
        "password",
        "query_id",
        "compress",
        "decompress",
        "default_format",
    ],
    ids=ascii,
)
def test_names_that_no_setting_has(name: Any) -> None:
    with pytest.raises(ValueError, match="setting"):
        settings_text({name: 1})


@pytest.mark.engine
def test_settings_as_a_clause(engine: Any) -> None:
    assert settings_clause(()) == ""
    comment = "a'b\\c\"`--\t\n\r\x01\x7f\u2028é"
    clause = settings_clause(settings_text({"max_threads": 3, "log_comment": comment}))
    sql = "SELECT getSetting('max_threads'), hex(getSetting('log_comment'))" + clause
    assert engine.query(sql, "TSV").bytes().decode().split() == ["3", comment.encode().hex().upper()]


# --- secrets --------------------------------------------------------------------------------------


def request() -> Request:
    address = Address("http", "h", 1, "d", "u", SECRET)
    return insert_request(address, "INSERT", query_id="q", compression="lz4")


SECRETIVE: dict[str, Callable[[], object]] = {
    "address": lambda: Address("http", "h", 1, "d", "u", SECRET, SECRET),
    "parsed address": lambda: parse_url(f"http://u:{SECRET}@h/d"),
    "network": lambda: Network(
        proxy=f"http://u:{SECRET}@p", client_key_password=SECRET, headers={"Cookie": SECRET}
    ),
    "request": request,
    "client": lambda: Client(
        f"http://u:{SECRET}@h/d", proxy=f"http://u:{SECRET}@p:1", headers={"Cookie": SECRET}
    ),
    "client with arguments": lambda: Client("http://h", user="u", password=SECRET),
    "client with a token": lambda: Client("http://h", access_token=SECRET),
}


@pytest.mark.parametrize("make", SECRETIVE.values(), ids=SECRETIVE)
def test_no_text_of_an_object_has_a_secret(make: Callable[[], object]) -> None:
    thing = make()
    for text in (repr(thing), str(thing), f"{thing}", f"{[thing]!r}"):
        assert SECRET not in text
    shallow = copy.copy(thing)
    assert SECRET not in repr(shallow)
    if isinstance(thing, Client):  # it has locks and sockets
        with pytest.raises(TypeError) as caught:
            pickle.dumps(thing)
        assert SECRET not in str(caught.value)
        thing.close()
    else:
        again = pickle.loads(pickle.dumps(thing))
        assert again == thing == copy.deepcopy(thing)
        assert SECRET not in repr(again)


def test_scrubbing() -> None:
    address = Address("http", "h", 1, None, "u", "p@ss word", "tok/en")
    text = "p@ss word, p%40ss%20word, tok/en, tok%2Fen, more, and u"
    assert address.scrub(text, "more", None, "") == "***, ***, ***, ***, ***, and u"
    assert Address("http", "h", 1, password="").scrub("as it is") == "as it is"
