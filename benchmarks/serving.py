"""How is a gateway started beside its upstream, for as long as a measurement takes? Shared by the benchmarks.

Every process that is started here is ended here, by its id. All traffic stays on loopback.
"""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TIERWISE = str(Path(sys.executable).parent / "tierwise")
START_LIMIT_S = 20.0
END_LIMIT_S = 15.0
POLL_S = 0.01


def free_port() -> int:
    """Name a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def configuration(upstream_url: str, models: Sequence[str], kind: str = "openai_compatible") -> str:
    """Write the configuration of a gateway with one self-hosted endpoint and these models."""
    rows = [f'[[endpoint]]\nname = "upstream"\nkind = "{kind}"\ntier = "self_hosted"\nurl = "{upstream_url}"']
    rows += [f'[[model]]\nid = "{model}"\nendpoint = "upstream"\ncontext_tokens = 32768' for model in models]
    return "\n\n".join(rows) + "\n"


def environment(home: Path) -> dict[str, str]:
    """Give a process what it needs and nothing of the user's settings or keys."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR", "PYTHONPATH") if name in os.environ}
    return {**kept, "HOME": str(home), "TIERWISE_HOME": str(home), "NO_COLOR": "1"}


def start(command: Sequence[str], environ: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own; what it says goes to the log."""
    with log.open("ab") as out:
        return subprocess.Popen(command, env=dict(environ), stdout=out, stderr=out, start_new_session=True)


def wait_ready(process: subprocess.Popen[bytes], port: int, path: str, log: Path) -> float:
    """Wait until a GET answers 200; the seconds that took. Exits with the log when it never does."""
    began = time.monotonic()
    while time.monotonic() - began < START_LIMIT_S and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", path)
            if connection.getresponse().status == http.HTTPStatus.OK:
                return time.monotonic() - began
        except (OSError, http.client.HTTPException):
            time.sleep(POLL_S)
        finally:
            connection.close()
    end(process)
    sys.exit(f"{process.args!r} did not become ready on port {port}; it said:\n{log.read_text()[-2000:]}")


class Standing:
    """How a gateway's process stands, as the system sees it (Linux).

    Connections that its pool keeps to the upstream for a while are counted apart from its descriptors.
    """

    def __init__(self, pid: int, port: int, upstream_port: int) -> None:
        self._folder, self._port, self._upstream_port = Path(f"/proc/{pid}"), port, upstream_port

    def descriptors(self) -> list[str]:
        """Return what each descriptor leads to."""
        found = []
        for one in (self._folder / "fd").iterdir():
            with contextlib.suppress(OSError):
                found.append(str(one.readlink()))
        return sorted(found)

    def now(self) -> dict[str, float]:
        """Return processor time, memory, threads, descriptors, and connections: of callers, and to the upstream."""
        status = (self._folder / "status").read_text()
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        kept = sum(row[2].endswith(f":{self._upstream_port:04X}") and row[3] in ("01", "08") for row in rows)
        spent = (self._folder / "stat").read_text().rpartition(")")[2].split()[11:13]
        return {
            "cpu_s": sum(map(int, spent)) / os.sysconf("SC_CLK_TCK"),
            "memory_mb": round(int(status.partition("VmRSS:")[2].split()[0]) / 1024, 1),
            "threads": int(status.partition("Threads:")[2].split()[0]),
            "descriptors": len(list((self._folder / "fd").iterdir())) - kept,
            "kept_upstream": kept,
            "connections": sum(row[1].endswith(f":{self._port:04X}") and row[3] == "01" for row in rows),
        }


def end(process: subprocess.Popen[bytes], sign: signal.Signals = signal.SIGTERM) -> None:
    """Signal the process and wait; one that stays is killed with its group."""
    if process.poll() is None:
        process.send_signal(sign)
    try:
        process.wait(END_LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
