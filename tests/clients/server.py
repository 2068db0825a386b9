"""Models made on the spot, and a real model server that is not ours: mlx-lm, as a process on loopback.

Knows nothing of the gateway. Invariant: nothing is loaded from any network.
"""

import contextlib
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from tests.clients.catalog import PROGRAMS, Tool

START_S, STOP_S, PAUSE_S = 90, 10, 0.1


def made(kind: Literal["mlx", "gguf"], environment: Path, target: Path, tool: Tool) -> Path:
    """Make the model that calls this tool, and return where it lies."""
    program = PROGRAMS / "server" / f"{kind}_model.py"
    words = (str(environment / "bin" / "python"), str(program), str(target), tool.name, tool.arguments)
    subprocess.run(words, check=True, capture_output=True, timeout=START_S)
    return target


@contextlib.contextmanager
def mlx_lm(environment: Path, folder: Path, tool: Tool) -> Iterator[tuple[str, str]]:
    """Serve a model that calls this tool; yield the server's URL and the model's name there."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "HF_HUB_OFFLINE": "1"}
    python, model = str(environment / "bin" / "python"), made("mlx", environment, folder / "model", tool)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ("--model", str(model), "--host", "127.0.0.1", "--port", str(port))
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen((python, "-m", "mlx_lm", "server", *options), env=environ, stdout=log, stderr=log)
        try:
            _wait(process, f"http://127.0.0.1:{port}/health", folder / "server.log")
            yield f"http://127.0.0.1:{port}/v1", "default_model"
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    late = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < late:
        try:
            urllib.request.urlopen(address, timeout=1).close()
        except (urllib.error.URLError, OSError):
            time.sleep(PAUSE_S)
        else:
            return
    raise RuntimeError(f"the server did not start: {log.read_text()[-600:]}")
