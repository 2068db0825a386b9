"""Which addresses an endpoint may be asked to fetch."""

import pytest

from tierwise.core.errors import InvalidCall
from tierwise.wires.urls import check_url


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.png",
        "http://example.com:8080/a?b=c#d",
        "HTTPS://EXAMPLE.COM",
        "https://8.8.8.8/x",
        "https://[2606:4700::1111]/x",
        "https://bücher.example/é.png",
        "data:image/png;base64,AAAA",
    ],
)
def test_public_addresses_and_inline_data_pass(url: str) -> None:
    check_url(url, "p")


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://0/",
        "http://10.0.0.1/",
        "http://192.168.1.1./",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[fe80::1]/",
        "http://localhost/",
        "http://a.localhost:80/",
        "http://printer.local/",
        "http://metadata.google.internal/",
        "http://user@example.com/",
        "http://user:pass@example.com/",
        "http://example.com\\@127.0.0.1/",
        "http://exa mple.com/",
        "http://example.com/\n",
        "http:///x",
        "http:example.com",
        "//example.com/x",
        "file:///etc/passwd",
        "gopher://example.com/",
        "ftp://example.com/",
        "javascript:alert(1)",
        "",
    ],
)
def test_all_else_is_refused(url: str) -> None:
    with pytest.raises(InvalidCall) as caught:
        check_url(url, "messages[0].content[0].image_url.url")
    assert caught.value.code == "bad_url"
    assert caught.value.param == "messages[0].content[0].image_url.url"
