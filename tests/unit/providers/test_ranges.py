"""Where a server may send us on to, and what goes there."""

import pytest

from tierwise.core.errors import BadReply
from tierwise.core.secret import Secret
from tierwise.providers.address import Address
from tierwise.providers.egress import lies_in
from tierwise.providers.hub import hub_address
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


@pytest.mark.parametrize(
    "peer", ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "::1", "fe80::1", "::ffff:10.0.0.1"]
)
def test_the_public_hub_sends_nobody_on_into_a_private_network(peer: str) -> None:
    sent = onward(Place(address=hub_address({}, None), path="/file"), "https://storage.example/file")
    assert not lies_in((peer, 443), sent.address.networks)
    assert lies_in(("8.8.8.8", 443), sent.address.networks)


def test_a_hub_that_was_named_may_keep_its_files_wherever_it_is() -> None:
    own = hub_address({"HF_ENDPOINT": "https://hub.corp"}, None)
    sent = onward(Place(address=own, path="/file"), "https://store.corp/file")
    assert lies_in(("10.1.2.3", 443), sent.address.networks)
