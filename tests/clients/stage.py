"""What does a client talk to? The installed gateway as a process, and behind it one endpoint: the scripted upstream on
one of its wires, the embedded engine, or another real server.

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

from tests.clients.catalog import ENGINE, ENGINE_WIRES, LOOK_UP, MODELS, SERVER, Client
from tests.clients.server import made, mlx_lm
from tierwise.registry.demonstration import demonstration
from tierwise.testing import ScriptedUpstream

COMMAND = (sys.executable, "-m", "tierwise")
ADDRESS = "http://127.0.0.1:7373"
SERVED = "scripted-1"
CONTEXT_TOKENS = 1_000_000
ENGINE_CONTEXT_TOKENS = 65_536
KNOWN = {"capabilities": ["stream", "tools"]}
STOP_S = 30


class Stage:
    """A gateway that runs. `upstream` is None where nobody sends a bill."""

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
        words = (*COMMAND, "log", "--json", "--limit", "10000", "--config", str(self.home / "tierwise.toml"))
        done = subprocess.run(words, env=_environ(self.home), capture_output=True, text=True, timeout=60, check=True)
        return list(reversed(json.loads(done.stdout)))


@contextlib.contextmanager
def stage(place: str, client: Client, folder: Path, installed: Path) -> Iterator[Stage]:
    """Start what answers at `place` and the gateway before it. `installed` holds the environments."""
    home = folder / "gateway"
    home.mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        upstream = None
        tool = client.tool or LOOK_UP
        if place == ENGINE:
            rows = _rows({"kind": "embedded", "file": str(demonstration().path("small"))}, {})
        elif place in ENGINE_WIRES:
            file = made("gguf", installed / MODELS, folder / "known.gguf", tool)
            engine = {"kind": "embedded", "file": str(file), "wires": [ENGINE_WIRES[place]]}
            rows = _rows(engine, KNOWN | {"context_tokens": ENGINE_CONTEXT_TOKENS})
        elif place == SERVER:
            url, served = stack.enter_context(mlx_lm(installed / MODELS, folder, tool))
            model = KNOWN | {"served_name": served, "context_tokens": CONTEXT_TOKENS}
            rows = _rows({"kind": "openai_compatible", "tier": "local", "url": url}, model)
        else:
            upstream = stack.enter_context(ScriptedUpstream.in_thread(models=(SERVED,), context_tokens=CONTEXT_TOKENS))
            rows = _scripted(place, client, upstream)
        (home / "tierwise.toml").write_text(rows)
        stack.enter_context(_gateway(home))
        yield Stage(home, upstream)


def _scripted(wire: str, client: Client, upstream: ScriptedUpstream) -> str:
    """Write the endpoint that speaks one wire, and its model, which `auto` then is."""
    url = upstream.generate_url if wire == "gemini" else upstream.url
    vectors = client.wire == "embeddings"
    script = "?" + urlencode({"tool": client.tool.name, "arguments": client.tool.arguments}) if client.tool else ""
    model = {"served_name": SERVED + script, "context_tokens": CONTEXT_TOKENS}
    if vectors:
        model |= {"capabilities": ["embeddings"]}
    return _rows({"kind": "scripted", "url": url, "wires": ["embeddings" if vectors else wire]}, model)


def _rows(endpoint: dict[str, Any], model: dict[str, Any]) -> str:
    """Write TOML, whose plain values are those of JSON."""
    sections = {"endpoint": {"name": "it"} | endpoint, "model": {"id": "m", "endpoint": "it"} | model}
    lines = [
        line
        for section, values in sections.items()
        for line in (f"[[{section}]]", *(f"{key} = {json.dumps(value)}" for key, value in values.items()))
    ]
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def _gateway(home: Path) -> Iterator[None]:
    words = (*COMMAND, "serve", "--json", "--config", str(home / "tierwise.toml"))
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
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR", "PYTHONPATH") if name in os.environ}
    return {**kept, "HOME": str(home), "TIERWISE_HOME": str(home / "state"), "NO_COLOR": "1"}
