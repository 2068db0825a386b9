"""What holds for every test: only this machine is reachable, and nothing of the user's environment leaks in.

An audit hook sees every connection and look-up through Python's sockets before it happens (uvloop's own are not seen).
Invariant: a test that reaches for anything but loopback fails, whatever catches the exception in between.
"""

import ipaddress
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres.server import Server, missing

# How long an example takes says what else this machine does, not whether the code is right.
settings.register_profile("tierwise", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tierwise")

KEPT = (
    "PATH",
    "HOME",
    "LANG",
    "LC_",
    "TERM",
    "TMPDIR",
    "TZ",
    "CI",
    "PYTEST_",
    "PYTHON",
    "VIRTUAL_ENV",
    "SYSTEMROOT",
    "COV",
)
LOCAL_NAMES = frozenset({"", "localhost", "localhost.localdomain", "ip6-localhost"})
UNSPECIFIED = frozenset({"0.0.0.0", "::"})
CONNECTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
LOOKS_UP = frozenset({"socket.getaddrinfo", "socket.gethostbyname"})


class Reached:
    """What the running test reached for outside this machine."""

    places: list[str] = []  # noqa: RUF012  (audit hooks cannot be removed, so there is one list for the run)


def outside(host: object) -> bool:
    """Say whether a host is not this machine. Names under `.invalid` resolve nowhere (RFC 6761) and are allowed."""
    if isinstance(host, bytes):
        host = host.decode()
    if (
        host is None
        or not isinstance(host, str)
        or host in LOCAL_NAMES | UNSPECIFIED
        or host.endswith((".invalid", ".localhost"))
    ):
        return False
    try:
        return not ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host != socket.gethostname()


def guard(event: str, args: tuple[object, ...]) -> None:
    """Refuse what would leave this machine, and remember it."""
    if event in CONNECTS:
        sock, address = args[0], args[1]
        if getattr(sock, "family", None) == socket.AF_UNIX or not isinstance(address, tuple):
            return
        host: object = address[0]
    elif event in LOOKS_UP:
        host = args[0]
    else:
        return
    if outside(host):
        Reached.places.append(f"{event} {host}")
        raise PermissionError(f"a test reached for {host}: only loopback is allowed")


sys.addaudithook(guard)


@pytest.fixture(autouse=True)
def only_loopback() -> Iterator[None]:
    """Fail the test that reached outside, even where the refusal was caught."""
    Reached.places.clear()
    yield
    assert not Reached.places, f"reached outside this machine: {Reached.places}"


@pytest.fixture(autouse=True)
def scrubbed_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep nothing of the environment but what a process needs; state goes to a folder of this test, which it yields.

    Child processes inherit it, so neither a user's keys nor a user's ledger is ever in reach.
    """
    before = dict(os.environ)
    home = tmp_path_factory.mktemp("home", numbered=True)
    kept = {name: value for name, value in before.items() if name.startswith(KEPT)}
    os.environ.clear()
    os.environ.update(kept, HOME=str(home), TIERWISE_HOME=str(home / "tierwise"), NO_COLOR="1", COLUMNS="80")
    yield home
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server for the whole run; skips, saying why, where none can be started."""
    why = missing()
    if why is not None:
        pytest.skip(why)
    server = Server()
    yield server
    server.close()
