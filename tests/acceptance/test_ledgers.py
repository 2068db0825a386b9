"""The ledger as a user meets it: exported for other tools, and shared by two gateways of which one is killed."""

import http.client
import json
import signal
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import openai
import pytest

from tests.acceptance.conftest import Installed
from tests.architecture.tree import ROOT
from tests.documents.markdown import Document
from tests.postgres.server import Server
from tierwise import config
from tierwise.testing import ScriptedUpstream

RULES = """
[[endpoint]]
name = "up"
kind = "scripted"
tier = "frontier"
url = "{url}"

[[model]]
id = "plain"
endpoint = "up"
served_name = "scripted-1"
price = {{ input_usd_per_mtok = "1000", output_usd_per_mtok = "1000" }}

[[model]]
id = "slow"
endpoint = "up"
served_name = "scripted-1?fault=hang"
price = {{ input_usd_per_mtok = "1000", output_usd_per_mtok = "1000" }}

[[budget]]
scope = "all"
limit_usd = "1000"
window = "30d"

[labels]
preset = "strongest"
"""


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream.in_thread() as running:
        yield running


@pytest.fixture
def rules(installed: Installed, upstream: ScriptedUpstream, tmp_path: Path) -> Path:
    path = tmp_path / "tierwise.toml"
    path.write_text(RULES.format(url=upstream.url))
    installed.environment["TIERWISE_CONFIG"] = str(path)
    return path


@pytest.mark.usefixtures("rules")
def test_what_is_recorded_can_be_exported(installed: Installed, tmp_path: Path) -> None:
    assert "nothing is recorded" in installed.run("export", "--jsonl", "-", code=2).stderr
    asked = [installed.json("ask", text, "--model", "plain")["decision"]["id"] for text in ("one two", "three")]
    lines = installed.run("export", "--jsonl", "-").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == asked
    told = installed.json("export", "--jsonl", str(tmp_path / "out.jsonl"))
    assert told == {"file": str(tmp_path / "out.jsonl"), "records": 2}
    assert (tmp_path / "out.jsonl").read_text().splitlines() == lines
    assert "one two" not in (tmp_path / "out.jsonl").read_text(), "content is not in the ledger"
    assert installed.json("export", "--jsonl", str(tmp_path / "none"), "--workflow", "other")["records"] == 0
    pytest.importorskip("duckdb", reason="the extra `duckdb` is not installed")
    assert installed.json("export", "--parquet", str(tmp_path / "out.parquet"))["records"] == 2
    assert (tmp_path / "out.parquet").read_bytes()[:4] == b"PAR1"


def test_what_is_left_of_a_budget_is_told(installed: Installed, rules: Path, serve: Callable[..., str]) -> None:
    [untouched] = installed.json("budget")
    assert (untouched["spent_usd"], untouched["left_usd"], untouched["state"]) == (0, 1000, "open")
    address = serve()
    with openai.OpenAI(base_url=f"{address}/v1", api_key="unused", max_retries=0) as caller:
        said = [{"role": "user", "content": "one two"}]
        caller.chat.completions.create(model="plain", messages=said, max_completion_tokens=10)  # type: ignore[arg-type]
    body = {"model": "slow", "max_completion_tokens": 10, "messages": said}
    line = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
    line.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
    until(lambda: installed.json("budget")[0]["reserved_usd"] > 0)
    [row] = installed.json("budget")
    line.close()
    assert row["spent_usd"] == installed.json("log", "--limit", "1")[0]["total_cost_usd"] > 0
    assert row["left_usd"] == pytest.approx(1000 - row["spent_usd"] - row["reserved_usd"])
    assert 0 < row["next_window"] - row["window_start"] == 30 * 86_400
    text = rules.read_text().replace('limit_usd = "1000"', 'limit_usd = "0.001"')
    rules.write_text(text)
    told = installed.run("budget").stdout
    assert "spent: calls are refused" in told
    rules.write_text(text.partition("[[budget]]")[0])
    assert "No budgets are configured" in installed.run("budget").stdout


@pytest.mark.parametrize("arguments", [[], ["--jsonl", "a", "--parquet", "b"]])
def test_one_form_is_asked_for(installed: Installed, arguments: list[str]) -> None:
    assert "give one of" in installed.run("export", *arguments, code=2).stderr


def test_a_folder_that_is_not_there_is_said(installed: Installed, rules: Path) -> None:
    installed.run("ask", "hi", "--model", "plain")
    assert "folder that can be written" in installed.run("export", "--jsonl", "/no/such/x.jsonl", code=2).stderr
    assert rules.exists()


def test_two_gateways_share_a_ledger_and_one_closes_what_the_other_left(
    installed: Installed, rules: Path, postgres: Server
) -> None:
    place = postgres.database()
    with rules.open("a") as file:
        file.write(f'\n[ledger]\nurl = "{place}"\npassword = "env:LEDGER_PASSWORD"\n')
    assert "env:LEDGER_PASSWORD is not set" in installed.run("log", code=2).stderr
    installed.environment["LEDGER_PASSWORD"] = postgres.password
    processes, addresses = zip(*(installed.start() for _ in range(2)), strict=True)
    doomed, survivor = processes
    try:
        callers = [openai.OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0) for url in addresses]
        for caller in callers:
            said = [{"role": "user", "content": "one two"}]
            answer = caller.chat.completions.create(model="plain", messages=said, max_completion_tokens=10)  # type: ignore[arg-type]
            assert answer.choices[0].message.content == "one two"
            caller.close()
        assert [row["seq"] for row in installed.json("log")] == [2, 1]
        asking = threading.Thread(target=ask_slow, args=(addresses[0],))
        asking.start()
        until(lambda: postgres.sql("SELECT count(*) FROM tierwise.intents", place.database) == "1")
        doomed.send_signal(signal.SIGKILL)
        asking.join(20)
        until(lambda: len(installed.json("log")) == 3)
        last = installed.json("log", "--limit", "1")[0]
        assert (last["outcome"], last["requested_model"]) == ("interrupted", "slow")
        settled = "SELECT reserved = 0 AND spent >= 1 FROM tierwise.accounts"
        assert postgres.sql(settled, place.database) == "t", "what it had set aside counts as spent"
        findings = {row["what"]: row for row in installed.json("doctor")}
        assert findings["ledger"]["detail"] == f"{place}, 3 decisions"
        assert postgres.password not in installed.run("config", "show").stdout
    finally:
        survivor.terminate()
        assert survivor.wait(20) == 0
        for process in processes:
            process.kill()
            process.wait(20)
            assert process.stderr is not None
            process.stderr.close()


def test_a_key_that_is_made_and_revoked_by_command_is_so_at_every_gateway(
    installed: Installed, rules: Path, postgres: Server, serve: Callable[..., str]
) -> None:
    with rules.open("a") as file:
        file.write(f'\n[ledger]\nurl = "{postgres.database()}"\npassword = "env:LEDGER_PASSWORD"\n')
    installed.environment["LEDGER_PASSWORD"] = postgres.password
    addresses = serve(), serve()
    key = installed.run("keys", "create", "alice", "--team", "red").stdout.strip()

    callers = [openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) for url in addresses]
    assert not any(map(denied, callers))
    installed.run("keys", "revoke", "alice")
    until(lambda: all(map(denied, callers)))
    for caller in callers:
        caller.close()
    assert [change["what"] for change in installed.json("keys", "show", "alice")["changes"]] == ["created", "revoked"]


def denied(caller: openai.OpenAI) -> bool:
    """Say whether its key is not taken (any more)."""
    try:
        caller.models.list()
    except openai.AuthenticationError:
        return True
    return False


def ask_slow(address: str) -> None:
    """Ask for what never comes; the gateway's end is not this caller's failure."""
    body = {"model": "slow", "messages": [{"role": "user", "content": "hi"}], "max_completion_tokens": 1000}
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
    with suppress(OSError, http.client.HTTPException):
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
        connection.getresponse()
    connection.close()


def until(said: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not said():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_page_says_what_may_be_configured() -> None:
    page = Document.read(ROOT / "docs" / "reference" / "ledger.md", ROOT)
    (block,) = [block.text for block in page.blocks if "postgresql://" in block.text]
    settings = config.parse(block).ledger
    assert settings.url is not None
    assert set(tomllib.loads(block)["ledger"]) == {"url", "password", "ca_file", "keep"}
