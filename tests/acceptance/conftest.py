"""The installed command, as a user runs it: a subprocess with a home of its own."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

COMMAND = Path(sys.executable).with_name("tierwise")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Installed:
    """The command with one TIERWISE_HOME."""

    def __init__(self, home: Path) -> None:
        self.home = home
        # A port of its own: a gateway that runs on this machine is none of the test's business.
        port = str(free_port())
        self.environment = {**os.environ, "TIERWISE_HOME": str(home), "COLUMNS": "80", "TIERWISE_SERVER_PORT": port}

    def run(
        self, *arguments: str, code: int = 0, stdin: str = "", cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end and check the exit code and that no traceback was shown."""
        done = subprocess.run(
            [str(COMMAND), *arguments],
            capture_output=True,
            text=True,
            env=self.environment,
            cwd=cwd,
            input=stdin,
            timeout=110,
            check=False,
        )
        assert done.returncode == code, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stdout + done.stderr
        return done

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run it and parse what it prints."""
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    def start(self, *arguments: str) -> tuple[subprocess.Popen[str], str]:
        """Start `serve` on a free port; return the process and the address that it says."""
        process = subprocess.Popen(
            [str(COMMAND), "serve", "--port", "0", *arguments], stderr=subprocess.PIPE, text=True, env=self.environment
        )
        assert process.stderr is not None
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            line = process.stderr.readline()
            if "listens on " in line:
                return process, line.partition("listens on ")[2].partition(",")[0]
            assert line or process.poll() is None, "serve ended at once"
        raise AssertionError("serve did not say where it listens")


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    """Give the command with an empty home."""
    return Installed(tmp_path / "home")


@pytest.fixture
def serve(installed: Installed) -> Iterator[Callable[..., str]]:
    """Start gateways and end them."""
    running = []

    def start(*arguments: str) -> str:
        process, address = installed.start(*arguments)
        running.append(process)
        return address

    yield start
    for process in running:
        process.terminate()
        assert process.wait(20) == 0
        assert process.stderr is not None
        process.stderr.close()
