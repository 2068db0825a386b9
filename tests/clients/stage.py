"""What does a client talk to? The installed gateway as a process, and behind it one endpoint: a scripted upstream that
speaks one wire, or the embedded engine.

The gateway listens where it listens for users, so that every set-up is carried out as it is written down.
Invariant: one stage is one ledger, which holds what one client did and nothing else.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.clients.catalog import EMBEDDED, Client
from tierwise.registry.demonstration import demonstration
from tierwise.testing import ScriptedUpstream

COMMAND = Path(sys.executable).with_name("tierwise")
PORT = 7373
SERVED = "scripted-1"
CONTEXT_TOKENS = 1_000_000
START_S, STOP_S = 60, 30


class Stage:
    """A gateway that runs. `upstream` is None where the embedded engine answers."""

    def __init__(self, home: Path, upstream: ScriptedUpstream | None) -> None:
        self.home, self.upstream = home, upstream

    @property
    def billed(self) -> tuple[int, int] | None:
        """Tokens read and written as the upstream would bill them, None where nobody sends a bill."""
        if self.upstream is None:
            return None
        return self.upstream.prompt_tokens, self.upstream.completion_tokens

    def decisions(self) -> list[dict[str, Any]]:
        """Return what `tierwise log` says, oldest first."""
        words = (str(COMMAND), "log", "--json", "--limit", "10000", "--config", str(self.home / "tierwise.toml"))
        done = subprocess.run(words, env=_environ(self.home), capture_output=True, text=True, timeout=60, check=True)
        return list(reversed(json.loads(done.stdout)))


@contextlib.contextmanager
def stage(place: str, client: Client, home: Path) -> Iterator[Stage]:
    """Start what answers at `place`, the name of a wire or `embedded`, and the gateway before it."""
    home.mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        upstream = None
        if place != EMBEDDED:
            upstream = stack.enter_context(ScriptedUpstream.in_thread(models=(SERVED,), context_tokens=CONTEXT_TOKENS))
        (home / "tierwise.toml").write_text(_configuration(place, client, upstream))
        stack.enter_context(_gateway(home))
        yield Stage(home, upstream)


def _configuration(place: str, client: Client, upstream: ScriptedUpstream | None) -> str:
    """Write one endpoint with one model, which `auto` then is."""
    if upstream is None:
        file = json.dumps(str(demonstration().path("small")))
        return f'[[endpoint]]\nname = "engine"\nkind = "embedded"\nfile = {file}\n[[model]]\nid = "m"\nendpoint = "engine"\n'
    script = "?" + urlencode({"tool": client.tool.name, "arguments": client.tool.arguments}) if client.tool else ""
    return (
        f'[[endpoint]]\nname = "upstream"\nkind = "scripted"\nurl = "{upstream.url}"\nwires = ["{place}"]\n'
        f'[[model]]\nid = "m"\nendpoint = "upstream"\nserved_name = "{SERVED}{script}"\n'
    )


@contextlib.contextmanager
def _gateway(home: Path) -> Iterator[None]:
    words = (str(COMMAND), "serve", "--json", "--port", str(PORT), "--config", str(home / "tierwise.toml"))
    with (home / "serve.log").open("w") as log:
        process = subprocess.Popen(words, env=_environ(home), stdout=subprocess.PIPE, stderr=log, text=True)
        assert process.stdout is not None
        try:
            if not process.stdout.readline():  # it says where it listens, or ends
                raise RuntimeError("the gateway did not start: " + (home / "serve.log").read_text()[-600:])
            yield
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()


def _environ(home: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "HOME": str(home), "TIERWISE_HOME": str(home / "state"), "NO_COLOR": "1"}
