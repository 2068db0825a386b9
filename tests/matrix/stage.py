"""What the matrix needs to run: a gateway on a real socket, an endpoint for each wire behind it, its ledger, clients."""

import contextlib
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.integration.server.conftest import opened_door
from tests.matrix.callers import CALLERS
from tests.matrix.cells import ENDPOINTS, SCRIPTS, Cell
from tierwise.config import Document, Settings
from tierwise.core.decision import Decision
from tierwise.core.model import Capability
from tierwise.ledger.encode import decode_decision
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.testing import ScriptedUpstream

CAPABILITIES: tuple[Capability, ...] = ("stream", "tools", "images", "files", "schema", "json", "thinking")
Cells = dict[tuple[str, str], Cell]


@contextlib.contextmanager
def opened(home: Path) -> Iterator[Cells]:
    """Give a cell for each wire of callers and each of endpoints."""
    with (
        ScriptedUpstream.in_thread(models=("m",), context_tokens=1_000_000) as upstream,
        opened_door(Settings(document=_document(upstream), home=home), upstream) as door,
        contextlib.ExitStack() as closing,
    ):

        def recorded(ident: str) -> Decision:
            with urllib.request.urlopen(f"http://127.0.0.1:{door.port}/v1/decisions/{ident}") as answer:
                return decode_decision(answer.read())

        callers = [caller(door.port) for caller in CALLERS]
        for caller in callers:
            closing.callback(caller.close)
        yield {(c.wire, endpoint): Cell(c, endpoint, upstream, recorded) for c in callers for endpoint in ENDPOINTS}


def _document(upstream: ScriptedUpstream) -> Document:
    urls = {"gemini": upstream.generate_url}
    endpoints = tuple(
        EndpointRow(name=f"{wire}-server", kind="scripted", url=urls.get(wire, upstream.url), wires=(wire,))
        for wire in ENDPOINTS
    )
    scripts = {"plain": "", **{name: f"?{script}" for name, script in SCRIPTS.items()}}
    models = tuple(
        ModelRow(
            id=f"{wire}-{name}", endpoint=f"{wire}-server", served_name=f"m{script}", capabilities=CAPABILITIES,
            context_tokens=1_000_000,
        )
        for wire in ENDPOINTS
        for name, script in scripts.items()
    )  # fmt: skip
    return Document(endpoint=endpoints, model=models)
