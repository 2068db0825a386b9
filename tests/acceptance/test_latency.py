"""How busy a model is, as the commands tell it: asked of the server itself, or of the gateway that runs here."""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Installed
from tierwise.testing import ScriptedUpstream

RULES = """
[[endpoint]]
name = "near-server"
kind = "llamacpp"
url = "{url}"

[[model]]
id = "near"
endpoint = "near-server"
served_name = "scripted-1"

[[workflow]]
name = "w"
candidates = ["near"]
latency_ms = 2000

[live]
every_s = 0.05
"""
PAGES = {
    "/props": {"total_slots": 2, "default_generation_settings": {"n_ctx": 4096}},
    "/slots": [{"is_processing": True}, {"is_processing": True}],
    "/metrics": "llamacpp:requests_deferred 3\n",
}


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[tuple[str, ScriptedUpstream]]:
    """Write a configuration in front of a server that is full; the scripted upstream plays its status pages."""
    with ScriptedUpstream.in_thread() as upstream:
        upstream.pages |= PAGES
        file = tmp_path / "tierwise.toml"
        file.write_text(RULES.format(url=upstream.url), encoding="utf-8")
        yield str(file), upstream


def read(url: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def test_without_a_gateway_the_server_is_asked_itself(installed: Installed, busy: tuple[str, ScriptedUpstream]) -> None:
    file, upstream = busy
    assert "context 4096" in installed.run("models", "--config", file).stdout
    (row,) = installed.json("models", "--config", file)
    known = row["capacity"]
    assert (known["slots"], known["loaded"], known["context_tokens"]) == (2, True, 4096)
    decision = installed.json("route", "hello", "--model", "auto:w", "--config", file)
    assert decision["latency_target_ms"] == 2000
    assert decision["candidates"][0]["capacity"]["slots"] == 2
    assert not upstream.asked, "no model was called"


def test_a_gateway_that_runs_here_knows_more_and_is_asked_first(
    installed: Installed, serve: Callable[..., str], busy: tuple[str, ScriptedUpstream]
) -> None:
    file, _ = busy
    address = serve("--config", file).rstrip("/")
    installed.environment["TIERWISE_SERVER_PORT"] = address.rpartition(":")[2]
    read(f"{address}/v1/chat/completions", {"model": "near", "messages": [{"role": "user", "content": "one two"}]})
    deadline = time.monotonic() + 20
    while read(f"{address}/v1/models/near")["tierwise"]["capacity"].get("requests") != 5:
        assert time.monotonic() < deadline
    route = ("route", "hello", "--model", "auto:w", "--config", file)
    known = installed.json(*route)["candidates"][0]["capacity"]
    assert (known["slots"], known["requests"], known["loaded"]) == (2, 5, True)
    assert known["answer_ms"] > 0, "only who has asked it knows how long it takes"
    assert installed.json("models", "--config", file)[0]["capacity"]["requests"] == 5
    assert "3 waiting" in installed.run(*route).stdout
