"""A real model server that is not ours: mlx-lm, with a model made on the spot, as a process on loopback.

Knows nothing of the gateway. Invariant: it loads nothing from any network.
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

from tests.clients.catalog import PROGRAMS, Tool

START_S, STOP_S, PAUSE_S = 90, 10, 0.1


@contextlib.contextmanager
def mlx_lm(environment: Path, folder: Path, tool: Tool) -> Iterator[tuple[str, str]]:
    """Serve a model that calls this tool; yield the server's URL and the model's name there."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "HF_HUB_OFFLINE": "1"}
    python, model = str(environment / "bin" / "python"), folder / "model"
    made = (python, str(PROGRAMS / "server" / "tiny_model.py"), str(model), tool.name, tool.arguments)
    subprocess.run(made, env=environ, check=True, capture_output=True, timeout=START_S)
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
