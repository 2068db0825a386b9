"""Where a server may send us on to, and what goes there."""

import pytest

from tierwise.core.errors import BadReply
from tierwise.core.secret import Secret
from tierwise.providers.address import Address
from tierwise.providers.ranges import Place, onward

HERE = Place(address=Address(url="https://hub.example", key=Secret("k"), headers=(("x-a", Secret("b")),)), path="/a/b")


def test_the_same_origin_keeps_the_key() -> None:
    there = onward(HERE, "/c?d=e")
    assert (there.address, there.path) == (HERE.address, "/c?d=e")


@pytest.mark.parametrize("location", ["https://store.example/x", "https://hub.example:8443/x", "//store.example/x"])
def test_another_origin_gets_no_key(location: str) -> None:
    there = onward(HERE, location).address
    assert there.key is None
    assert there.headers == ()


@pytest.mark.parametrize(
    "location", ["", "http://hub.example/x", "ftp://store.example/x", "file:///etc", "https://[", "//["]
)
def test_nowhere_and_without_tls_is_not_followed(location: str) -> None:
    with pytest.raises(BadReply):
        onward(HERE, location)
