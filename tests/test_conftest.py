"""Do the guards of `conftest.py` hold? Only loopback is reachable and the environment is clean."""

import os
import socket
from pathlib import Path

import pytest

from tests.conftest import Reached, outside


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "localhost", "", None, b"127.0.0.1", "api.invalid"])
def test_this_machine_is_inside(host: object) -> None:
    assert not outside(host)


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "10.0.0.1", "2001:db8::1", "example.com", b"example.com", "169.254.169.254"]
)
def test_everything_else_is_outside(host: object) -> None:
    assert outside(host)


def test_a_connection_outside_is_refused_and_remembered() -> None:
    with socket.socket() as sock, pytest.raises(PermissionError, match="only loopback"):
        sock.connect(("192.0.2.1", 9))
    with pytest.raises(PermissionError, match="only loopback"):
        socket.getaddrinfo("example.com", 443)
    assert len(Reached.places) == 2
    Reached.places.clear()


def test_loopback_is_reachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass


def test_no_key_of_the_user_is_in_reach(scrubbed_environment: Path) -> None:
    assert not [name for name in os.environ if name.endswith(("_KEY", "_TOKEN", "_SECRET"))]
    assert Path(os.environ["TIERWISE_HOME"]).parent == scrubbed_environment
    assert Path(os.environ["HOME"]) == scrubbed_environment
