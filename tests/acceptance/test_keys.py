"""Keys as a user makes, shows, replaces and revokes them, beside a running server."""

import http.client
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Installed
from tierwise.testing import ScriptedUpstream

RULES = """
[[endpoint]]
name = "up"
kind = "scripted"
url = "{url}"

[[model]]
id = "small"
endpoint = "up"
served_name = "scripted-1"

[[model]]
id = "large"
endpoint = "up"
served_name = "scripted-1"
"""


@pytest.fixture
def rules(installed: Installed, tmp_path: Path) -> Iterator[Path]:
    with ScriptedUpstream.in_thread() as upstream:
        path = tmp_path / "tierwise.toml"
        path.write_text(RULES.format(url=upstream.url))
        installed.environment["TIERWISE_CONFIG"] = str(path)
        yield path


def asked(address: str, key: str | None, model: str = "small") -> tuple[int, dict[str, Any]]:
    """Ask once and return status and body."""
    host = address.removeprefix("http://")
    line = http.client.HTTPConnection(host, timeout=10)
    head = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
    line.request(
        "POST",
        "/v1/chat/completions",
        json.dumps({"model": model, "messages": [{"role": "user", "content": "x"}]}),
        head,
    )
    answer = line.getresponse()
    body = json.loads(answer.read())
    line.close()
    return answer.status, body


def refused_within(seconds: float, ask: Callable[[], int]) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if ask() == 401:
            return True
    return False


def test_a_keys_whole_life(installed: Installed, rules: Path, serve: Callable[..., str]) -> None:
    made = installed.json("keys", "create", "alice", "--team", "red", "--model", "sm*", "--expires", "90d")
    key = made["key"]
    assert key.startswith("tw-")
    assert key.startswith(made["prefix"])
    assert len(key) > len(made["prefix"]) + 32
    address = serve()
    assert asked(address, None)[0] == 401, "where there is a key, it is wanted"
    assert asked(address, key)[0] == 200
    status, body = asked(address, key, "large")
    assert (status, body["error"]["code"], body["error"]["type"]) == (403, "model_not_allowed", "permission_error")

    renewed = installed.json("keys", "rotate", "alice")["key"]
    assert refused_within(2, lambda: asked(address, key)[0]), "the old text is not taken any more"
    assert asked(address, renewed)[0] == 200
    assert installed.json("keys", "revoke", "alice") == {"name": "alice", "revoked": True}
    assert refused_within(2, lambda: asked(address, renewed)[0])
    assert installed.json("keys", "revoke", "alice")["revoked"] is False

    told = installed.json("keys", "show", "alice")
    assert [change["what"] for change in told["changes"]] == ["created", "rotated", "revoked"]
    assert all(change["who"] and change["ts"] for change in told["changes"])
    assert [row["state"] for row in told["keys"]] == ["revoked", "revoked"]
    assert "revoked by" in installed.run("keys", "show", "alice").stdout
    assert "red" in installed.run("keys", "list").stdout
    everything = b"".join(file.read_bytes() for file in installed.home.rglob("*") if file.is_file())
    assert key.encode() not in everything, "the text of a key is nowhere on the disk"
    assert renewed.encode() not in everything


def test_a_key_made_beside_a_running_server_is_wanted_from_then_on(
    installed: Installed, rules: Path, serve: Callable[..., str]
) -> None:
    address = serve()
    assert asked(address, None)[0] == 200
    key = installed.run("keys", "create", "bob").stdout.strip()
    assert refused_within(2, lambda: asked(address, None)[0])
    assert asked(address, key)[0] == 200
    installed.run("keys", "revoke", "bob")
    assert refused_within(2, lambda: asked(address, key)[0])
    assert asked(address, None)[0] == 401, "the last key that is revoked opens no door"


def test_an_address_that_others_reach_needs_a_key_of_either_kind(installed: Installed, rules: Path) -> None:
    assert "[[key]]" in installed.run("serve", "--host", "0.0.0.0", code=2).stderr
    installed.run("keys", "create", "carol")
    (installed.home / "key.pepper").unlink()
    assert "key.pepper is missing" in installed.run("serve", code=2).stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("create", "a b"), "letters, digits"),
        (("create", "x", "--label", "secret"), "restricted"),
        (("create", "x", "--scope", "root"), "metrics"),
        (("create", "x", "--expires", "yesterday"), "90d"),
        (("create", "x", "--expires", "2001-01-01"), "has passed"),
        (("create", "x", "--requests", "0"), "requests"),
        (("revoke", "nobody"), "keys list"),
        (("rotate", "nobody"), "key.pepper"),
        (("show", "nobody"), "keys list"),
    ],
)
def test_what_is_wrong_is_said_with_the_mend(
    installed: Installed, rules: Path, arguments: tuple[str, ...], told: str
) -> None:
    assert told in installed.run("keys", *arguments, code=2).stderr


def test_a_name_is_given_once(installed: Installed, rules: Path) -> None:
    assert "No keys" in installed.run("keys", "list").stdout
    installed.run("keys", "create", "dora")
    installed.run("keys", "revoke", "dora")
    assert "not given twice" in installed.run("keys", "create", "dora", code=2).stderr
    assert "tierwise keys create" in installed.run("keys", "rotate", "dora", code=2).stderr
    assert (installed.home / "key.pepper").stat().st_mode & 0o777 == 0o600


def test_our_own_commands_show_the_key_that_they_are_given(
    installed: Installed, rules: Path, serve: Callable[..., str]
) -> None:
    key = installed.run("keys", "create", "eve").stdout.strip()
    address = serve()
    installed.environment["TIERWISE_SERVER_PORT"] = address.rpartition(":")[2]
    assert "key" in installed.run("ask", "one two", "--model", "small", code=2).stderr
    installed.environment["TIERWISE_API_KEY"] = key
    assert installed.run("ask", "one two", "--model", "small").stdout
    shown = installed.run("launch", "any")
    assert "${TIERWISE_API_KEY}" in shown.stdout
    assert key not in shown.stdout + shown.stderr
