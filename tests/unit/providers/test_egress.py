"""An address is where it says, however it is written; what is none is nowhere."""

import pytest

from tierwise.core.errors import ConfigError
from tierwise.core.label import Tier
from tierwise.providers.egress import LOOPBACK, lies_in
from tierwise.registry.load import load
from tierwise.registry.settings import EndpointRow


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
def test_this_machine(host: str) -> None:
    assert lies_in((host, 80), LOOPBACK)


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "10.0.0.1", "8.8.8.8", "0.0.0.0", "::", "fe80::1%eth0", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "2001:db8::1"],
)  # fmt: skip
def test_any_other(host: str) -> None:
    assert not lies_in((host, 80), LOOPBACK)


def test_networks_that_are_named_and_none() -> None:
    networks = ("10.0.0.0/8", "fd00::/8")
    assert lies_in(("10.9.8.7", 80), networks)
    assert lies_in(("fd12::1%eth0", 80, 0, 2), networks)
    assert not lies_in(("127.0.0.1", 80), networks)
    assert lies_in(("8.8.8.8", 80), ())


@pytest.mark.parametrize("peer", [None, "", "/run/socket", ("nonsense", 80), (None,)])
def test_what_is_no_address(peer: object) -> None:
    assert not lies_in(peer, LOOPBACK)


def test_a_network_that_is_none_is_told() -> None:
    row = EndpointRow(
        name="e", kind="openai_compatible", url="https://a.example/v1", tier=Tier.SELF_HOSTED, networks=("10.0.0.1/8",)
    )
    with pytest.raises(ConfigError, match=r"endpoint 'e'.*10\.0\.0\.0/8"):
        load([row], [], lambda _: None)
