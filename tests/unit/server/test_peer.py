"""Whose program is at the other end: real sockets, of this process and of another person's."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tierwise.server.peer import is_ours

pytestmark = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux tells whose a socket is")
NOBODY = 65534
THEIRS = """
import encodings.idna, os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
line = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sys.stdin.readline(); line.close(); sys.stdout.write("closed\\n"); sys.stdout.flush(); sys.stdin.readline()
"""


@pytest.fixture(params=["127.0.0.1", "::1"])
def listener(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    try:
        made = socket.create_server((request.param, 0), family=family)
    except OSError:
        pytest.skip(f"{request.param} does not exist here")
    with closing(made):
        yield made


def test_a_program_of_ours_is_known_while_it_holds_the_connection(listener: socket.socket) -> None:
    server = listener.getsockname()[:2]
    line = socket.create_connection(server)
    with closing(listener.accept()[0]):
        client = line.getsockname()[:2]
        assert is_ours(client, server) is True
        assert is_ours((client[0], client[1] ^ 1), server) is False
        line.close()
        assert is_ours(client, server) is False, "the row of a socket that was let go names root"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_program_of_somebody_else_is_not_ours() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        server = listener.getsockname()
        with subprocess.Popen(
            [sys.executable, "-c", THEIRS, str(server[1])], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as other:
            accepted, client = listener.accept()
            assert other.stdin is not None and other.stdout is not None
            with closing(accepted):
                assert is_ours(client, server) is False
                print(file=other.stdin, flush=True)
                assert other.stdout.readline() == "closed\n"
                assert is_ours(client, server) is False
            print(file=other.stdin, flush=True)
