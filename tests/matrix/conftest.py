"""A gateway on a real socket, an endpoint for each wire behind it, and its ledger."""

import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.server.conftest import Door, opened_door
from tests.matrix.callers import CALLERS, Caller
from tests.matrix.cells import ENDPOINTS, SCRIPTS
from tierwise.config import Document, Settings
from tierwise.core.decision import Decision
from tierwise.core.model import Capability
from tierwise.ledger.encode import decode_decision
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.testing import ScriptedUpstream

CAPABILITIES: tuple[Capability, ...] = ("stream", "tools", "images", "files", "schema", "json", "thinking")


@pytest.fixture(scope="session")
def matrix_upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream.in_thread(models=("m",), context_tokens=1_000_000) as upstream:
        yield upstream


@pytest.fixture(scope="session")
def matrix_settings(tmp_path_factory: pytest.TempPathFactory, matrix_upstream: ScriptedUpstream) -> Settings:
    urls = {"gemini": matrix_upstream.generate_url}
    endpoints = tuple(
        EndpointRow(name=f"{wire}-server", kind="scripted", url=urls.get(wire, matrix_upstream.url), wires=(wire,))
        for wire in ENDPOINTS
    )
    scripts = {"plain": "", **{name: f"?{script}" for name, script in SCRIPTS.items()}}
    models = [
        ModelRow(
            id=f"{wire}-{name}", endpoint=f"{wire}-server", served_name=f"m{script}", capabilities=CAPABILITIES,
            context_tokens=1_000_000,
        )
        for wire in ENDPOINTS
        for name, script in scripts.items()
    ]  # fmt: skip
    home: Path = tmp_path_factory.mktemp("matrix")
    return Settings(document=Document(endpoint=endpoints, model=tuple(models)), home=home)


@pytest.fixture(scope="session")
def matrix_door(matrix_settings: Settings, matrix_upstream: ScriptedUpstream) -> Iterator[Door]:
    with opened_door(matrix_settings, matrix_upstream) as door:
        yield door


@pytest.fixture(scope="session")
def callers(matrix_door: Door) -> Iterator[dict[str, Caller]]:
    """Give the clients by their wire."""
    made = {caller.wire: caller(matrix_door.port) for caller in CALLERS}
    yield made
    for caller in made.values():
        caller.close()


@pytest.fixture(scope="session")
def recorded(matrix_door: Door) -> Callable[[str], Decision]:
    def read(ident: str) -> Decision:
        with urllib.request.urlopen(f"http://127.0.0.1:{matrix_door.port}/v1/decisions/{ident}") as answer:
            return decode_decision(answer.read())

    return read
