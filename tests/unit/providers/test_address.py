"""Addresses: what is checked is what is connected to, and no key leaks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.errors import ConfigError
from tierwise.core.secret import Secret
from tierwise.providers.address import Address, parse

KEY = "sk-canary-0123456789"


@pytest.mark.parametrize(
    ("url", "host", "port", "secure", "prefix", "shown"),
    [
        ("http://localhost:11434/v1", "localhost", 11434, False, "/v1", "localhost:11434"),
        ("https://API.example.com", "api.example.com", 443, True, "", "api.example.com"),
        ("https://api.example.com:443/openai/v1/", "api.example.com", 443, True, "/openai/v1", "api.example.com"),
        ("http://[::1]:8080/", "::1", 8080, False, "", "[::1]:8080"),
        ("https://bücher.example/v1", "xn--bcher-kva.example", 443, True, "/v1", "xn--bcher-kva.example"),
    ],
)
def test_parts(url, host, port, secure, prefix, shown):
    target = parse(Address(url=url))
    assert (target.origin.host, target.origin.port, target.origin.secure) == (host, port, secure)
    head = target.head("GET", "/models")
    assert head.startswith(f"GET {prefix}/models HTTP/1.1\r\nhost: {shown}\r\n".encode())
    assert head.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8080",
        "ftp://host/",
        "file:///etc/passwd",
        "http://",
        "http://host:99999/",
        "http://host:port/",
        "http://user:sk-canary-0123456789@host/",
        "http://host\\@evil/",
        "http://host/ path",
        "http://host/\r\nx: y",
        "http://host/v1?key=sk-canary-0123456789#",
        "http://host/v1#f",
        "http://[::1/",
        "http://host/pfad/ü",
        "http://" + "a" * 70 + "ü.example/",
    ],
)
def test_what_is_not_an_address(url):
    with pytest.raises(ConfigError) as caught:
        parse(Address(url=url))
    if "user:" in url:
        assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x\r\ny", "v"),
        ("", "v"),
        ("x y", "v"),
        ("Host", "v"),
        ("Content-Length", "1"),
        ("Transfer-Encoding", "chunked"),
        ("x", "v\r\nevil: 1"),
        ("x", "v\n"),
        ("x", "v\0"),
        ("x", "日本"),
    ],
)
def test_headers_that_would_break_the_request(name, value):
    with pytest.raises(ConfigError):
        parse(Address(url="http://h", headers=((name, value),)))


def test_a_bad_key_is_not_shown():
    with pytest.raises(ConfigError) as caught:
        parse(Address(url="http://h", key=Secret(KEY + "\n")))
    assert KEY not in str(caught.value)
    assert KEY not in repr(Address(url="http://h", key=Secret(KEY), headers=(("x", Secret(KEY)),)))


def test_only_requests_with_one_key_and_one_trust_share_connections() -> None:
    url = "https://models.example/v1"
    ours = parse(Address(url=url, key=Secret("one"))).origin
    assert parse(Address(url=url + "/other", key=Secret("one"))).origin == ours
    for other in (
        Address(url=url, key=Secret("two")),
        Address(url=url),
        Address(url=url, key=Secret("one"), ca_file="x"),
    ):
        assert parse(other).origin != ours


def test_equal_addresses_are_one_key():
    one, two = (Address(url="http://h", key=Secret("a"), headers=(("x", Secret("b")),)) for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)
    assert one != Address(url="http://h", key=Secret("z"), headers=(("x", Secret("b")),))


@given(st.text(max_size=40))
def test_paths_never_break_the_head(path):
    target = parse(Address(url="http://h/v1", key=Secret("k")))
    try:
        head = target.head("POST", path)
    except ConfigError:
        return
    line, _, rest = head.partition(b"\r\n")
    assert line.split(b" ") == [b"POST", b"/v1" + path.encode(), b"HTTP/1.1"]
    assert rest == target.head("POST", "/").partition(b"\r\n")[2]


@given(st.text(max_size=40), st.text(max_size=40))
def test_headers_never_break_the_head(name, value):
    plain = parse(Address(url="http://h")).head("GET", "/")
    try:
        head = parse(Address(url="http://h", headers=((name, value),))).head("GET", "/")
    except ConfigError:
        return
    assert head == plain[:-2] + f"{name.lower()}: {value}\r\n\r\n".encode("latin-1")
