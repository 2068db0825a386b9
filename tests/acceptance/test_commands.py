"""Every command as a process: the shape of its JSON, its exit code, and an error that names the mend."""

import itertools
import json
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import openai
import pytest

from tests.acceptance.conftest import COMMAND, Installed
from tests.architecture.tree import ROOT
from tests.documents.markdown import Document
from tierwise.server.settings import ServerSettings
from tierwise.testing import ScriptedUpstream

Serve = Callable[..., str]
RULES = """
[[endpoint]]
name = "up"
kind = "scripted"
url = "{url}"

[[endpoint]]
name = "outside"
kind = "scripted"
tier = "frontier"
url = "{url}"

[[model]]
id = "plain"
endpoint = "up"
served_name = "scripted-1"

[[model]]
id = "down"
endpoint = "up"
served_name = "scripted-1?fault=error&status=503"

[[model]]
id = "far"
endpoint = "outside"
served_name = "scripted-1"
price = {{ input_usd_per_mtok = "1", output_usd_per_mtok = "2" }}

[[workflow]]
name = "here"
candidates = ["plain"]

[[workflow]]
name = "away"
candidates = ["far"]
"""


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream.in_thread() as running:
        yield running


@pytest.fixture
def rules(installed: Installed, upstream: ScriptedUpstream, tmp_path: Path) -> Path:
    """A configuration of three models on one scripted upstream, in force for every command."""
    path = tmp_path / "tierwise.toml"
    path.write_text(RULES.format(url=upstream.url))
    installed.environment["TIERWISE_CONFIG"] = str(path)
    return path


def test_what_exists_as_json(installed: Installed, rules: Path, upstream: ScriptedUpstream) -> None:
    models = {row["model"]: row for row in installed.json("models")}
    assert set(models) == {"plain", "down", "far"}
    assert (models["far"]["tier"], models["plain"]["price"]) == ("frontier", None)
    assert {"served_name", "endpoint", "context_tokens", "capabilities", "tasks", "unusable"} <= models["plain"].keys()
    endpoints = installed.json("endpoints")
    assert [(row["endpoint"], row["usable"]) for row in endpoints] == [("up", True), ("outside", True)]
    assert {"kind", "tier", "url", "region", "detail"} <= endpoints[0].keys()
    findings = installed.json("doctor")
    assert {"configuration", "home", "disk", "clock", "ledger", "hardware"} <= {row["what"] for row in findings}
    assert all(row.keys() == {"what", "well", "detail", "mend"} and row["well"] for row in findings)
    installed.environment["TIERWISE_SERVER_PORT"] = "7474"
    values = {row["key"]: row for row in installed.json("config", "show")}
    assert (values["server.port"]["value"], values["server.port"]["source"]) == ("7474", "env TIERWISE_SERVER_PORT")
    assert values["endpoint.up.url"]["source"] == f"file {rules}"
    assert values["server.host"]["source"] == "default"
    assert not upstream.asked


@pytest.mark.usefixtures("rules")
def test_a_call_from_route_to_replay(installed: Installed, upstream: ScriptedUpstream, tmp_path: Path) -> None:
    body = tmp_path / "body.json"
    body.write_text(json.dumps({"model": "auto:here", "messages": [{"role": "user", "content": "one two three"}]}))
    decided = installed.json("route", "--request", str(body))
    assert (decided["chosen"], decided["outcome"]) == ("plain", "dry_run")
    assert not upstream.received
    assert installed.json("log") == []

    asked = installed.json("ask", "one two three", "--model", "plain")
    assert asked["answer"] == "one two three"
    (attempt,) = asked["decision"]["attempts"]
    assert (attempt["usage"]["input"], attempt["usage"]["output"], attempt["verdict"]) == (3, 3, "ok")
    paid = installed.run("ask", "-", "--model", "far", "--json", stdin="four words are here").stdout
    # 4 tokens in at $1 and 4 out at $2 per million.
    assert json.loads(paid)["decision"]["total_cost_usd"] == pytest.approx(12e-6)
    assert installed.run("ask", "a b c", "--model", "plain", "--stream").stdout == "a b c\n"
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}')
    shaped = json.loads(installed.run("ask", "x", "--model", "plain", "--schema", str(schema)).stdout)
    assert isinstance(shaped["n"], int)

    log = installed.json("log", "--since", "1h")
    assert [row["outcome"] for row in log] == ["answered"] * 4
    assert [row["ts"] for row in log] == sorted((row["ts"] for row in log), reverse=True)
    assert len(installed.json("log", "--tier", "frontier")) == 1
    assert installed.json("log", "--workflow", "here") == []
    ident = asked["decision"]["id"]
    assert installed.json("show", ident) == next(row for row in log if row["id"] == ident)
    assert installed.json("show", ident[:-2])["id"] == ident
    assert installed.json("show") == log[0]
    told = installed.run("show", ident).stdout
    assert "plain at up on chat (served as scripted-1)" in told
    assert max(map(len, told.splitlines())) <= 80
    # Under rules without the frontier model its call would move, and nothing is sent.
    fewer, before = tmp_path / "fewer.toml", len(upstream.received)
    text = RULES.format(url=upstream.url)
    fewer.write_text(text[: text.index('[[model]]\nid = "far"')])
    moved = installed.json("replay", "--config", str(fewer))
    assert (moved["decisions"], moved["moved"], moved["moves"][0]["count"]) == (4, 1, 1)
    assert len(upstream.received) == before


@pytest.mark.usefixtures("rules")
def test_exit_codes_of_a_call(installed: Installed, upstream: ScriptedUpstream, tmp_path: Path) -> None:
    refused = installed.run("ask", "hello", "--model", "auto:away", "--label", "restricted", code=3).stderr
    assert "ceiling:restricted" in refused
    ident = refused.partition("decision: ")[2].strip()
    assert not upstream.received
    assert installed.json("show", ident)["outcome"] == "refused"
    assert installed.json("route", "hi", "--model", "auto:away", "--label", "restricted", code=3)["chosen"] is None
    failed = installed.run("ask", "hello", "--model", "down", code=4).stderr
    assert "503" in failed
    for wrong, told in (
        (["ask", "hi", "--model", "auto:nope"], "configured: away, here"),
        (["ask", "hi", "--label", "secret"], "one of public, internal"),
        (["ask", "hi", "--schema", str(tmp_path / "no.json")], "No such file"),
        (["route"], "TEXT or --request"),
        (["route", "--request", str(tmp_path / "no.json")], "No such file"),
        (["log", "--since", "yesterday"], "12h, 90d"),
        (["log", "--outcome", "lost"], "answered, flagged"),
        (["log", "--limit", "0"], "--limit"),
        (["show", "abc"], "at least 6"),
        (["serv"], "did you mean 'serve'"),
        (["ask"], "'text'"),
        (["ask", "-"], "empty"),
        (["route", " "], "empty"),
    ):
        done = installed.run(*wrong, code=2)
        assert told in done.stderr, wrong
        assert len(done.stderr.splitlines()) == 1


def test_what_is_not_text(installed: Installed) -> None:
    for shell, told in (
        ("ask $'a \\xff' --model small", "not text"),
        ("ask hi --session $'\\xe9' --model small", "not text"),
        ("show $'\\xff\\xff\\xff\\xff\\xff\\xff'", "not text"),
        ("route - --model small <<< $'a\\xff'", "not UTF-8 text (byte 1)"),
        ("route - --model small <&-", "closed"),
        ("route - --model small < <(head -c 40000000 /dev/zero)", "larger than 32 MiB"),
    ):
        line = f"'{COMMAND}' {shell}"
        done = subprocess.run(
            ["bash", "-c", line], env=installed.environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), shell
        assert told in done.stderr
    installed.environment["PYTHONIOENCODING"] = "ascii"
    assert "\\u2713 home" in installed.run("doctor").stdout


def test_a_starter_file_loads_and_is_not_overwritten(installed: Installed, tmp_path: Path) -> None:
    path = tmp_path / "new.toml"
    told = installed.json("init", "--config", str(path))
    assert told["file"] == str(path)
    assert {row["id"] for row in tomllib.loads(path.read_text())["model"]} >= {"small", "larger"}
    assert all(row["well"] for row in installed.json("doctor", "--config", str(path)))
    before = path.read_text()
    assert "--force" in installed.run("init", "--config", str(path), code=2).stderr
    assert path.read_text() == before
    installed.run("init", "--config", str(path), "--force")
    assert "cannot be written" in installed.run("init", "--config", str(tmp_path / "no" / "x.toml"), code=2).stderr


def test_outside_apis_whose_keys_are_set_join_a_starter_file(installed: Installed, tmp_path: Path) -> None:
    installed.environment |= {"MISTRAL_API_KEY": "k", "AZURE_OPENAI_API_KEY": "k"}  # the second has no address yet
    path = tmp_path / "starter.toml"
    installed.run("init", "--frontier", "--config", str(path))
    outside = {
        row["endpoint"] for row in installed.json("endpoints", "--config", str(path)) if row["tier"] == "frontier"
    }
    assert outside == {"mistral"}
    commented = "\n".join(line.removeprefix("# ") for line in path.read_text().splitlines() if line.startswith("# "))
    assert commented.count("[[endpoint]]") >= 10
    assert "[[endpoint]]\n[[" not in path.read_text()


def test_a_place_for_state_that_is_none(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    installed.environment["TIERWISE_HOME"] = str(tmp_path / "file" / "home")
    for arguments in (["ask", "hi", "--model", "small"], ["serve", "--port", "0"]):
        assert "TIERWISE_HOME" in installed.run(*arguments, code=2).stderr
    findings = {row["what"]: row for row in installed.json("doctor", code=1)}
    assert not findings["home"]["well"]
    assert "TIERWISE_HOME" in findings["home"]["mend"]
    assert installed.json("route", "hi", "--model", "auto:banking77")["chosen"] == "small"


def test_where_nothing_is_recorded_the_demo_s_own_ledger_is_named(installed: Installed) -> None:
    assert "Make some: tierwise demo" in installed.run("log").stdout
    assert "No decisions are recorded yet" in installed.run("show", code=2).stderr
    demo = Path(installed.environment["TIERWISE_HOME"]) / "demo" / "tierwise.toml"
    demo.parent.mkdir(parents=True)
    demo.touch()
    assert f"tierwise log --config {demo}" in installed.run("log").stdout


def test_a_damaged_ledger_is_said_and_left_as_it_is(installed: Installed) -> None:
    installed.home.mkdir()
    ledger = installed.home / "ledger.sqlite"
    ledger.write_bytes(b"this is no database. " * 500)
    before = ledger.read_bytes()
    for arguments in (["ask", "hi", "--model", "small"], ["serve", "--port", "0"], ["log"], ["show", "abcdef"]):
        assert "not an SQLite database" in installed.run(*arguments, code=2).stderr
    assert not {row["what"]: row for row in installed.json("doctor", code=1)}["ledger"]["well"]
    assert ledger.read_bytes() == before


def test_an_endpoint_that_is_down(installed: Installed, tmp_path: Path) -> None:
    path = tmp_path / "down.toml"
    row = '[[endpoint]]\nname = "a"\nkind = "ollama"\nurl = "http://127.0.0.1:1/v1"\n'
    path.write_text(row + '[[model]]\nid = "m"\nendpoint = "a"\n')
    installed.environment["TIERWISE_CONFIG"] = str(path)
    (listed,) = installed.json("endpoints")
    assert (listed["usable"], "127.0.0.1:1" in listed["detail"]) == (False, True)
    assert "start it" in installed.run("doctor", code=1).stdout
    assert "m at a: nothing listens there" in installed.run("ask", "hi", "--model", "m", code=4).stderr


SICK = """
[[endpoint]]
name = "locked"
kind = "scripted"
url = "{url}"
key = "env:WRONG_KEY"

[[endpoint]]
name = "keyless"
kind = "scripted"
url = "{url}"
key = "env:NO_SUCH_KEY"

[[endpoint]]
name = "pathless"
kind = "openai_compatible"
tier = "self_hosted"
url = "{root}"
key = "env:RIGHT_KEY"

[[endpoint]]
name = "fine"
kind = "scripted"
url = "{url}"
key = "env:RIGHT_KEY"

[[endpoint]]
name = "outside"
kind = "scripted"
tier = "frontier"
url = "{url}"
key = "env:RIGHT_KEY"

[[model]]
id = "scripted-1"
endpoint = "fine"

[[model]]
id = "unheard-of"
endpoint = "fine"

[[model]]
id = "priceless"
endpoint = "outside"
"""


def test_the_doctor_sees_what_would_fail_and_says_the_mend(installed: Installed, tmp_path: Path) -> None:
    installed.environment |= {"WRONG_KEY": "wrong", "RIGHT_KEY": "right"}
    file = tmp_path / "tierwise.toml"
    with ScriptedUpstream.in_thread(key="right") as upstream:
        file.write_text(SICK.format(url=upstream.url, root=upstream.url.removesuffix("/v1")))
        ended = installed.run("doctor", "--json", "--config", str(file), code=1)
        listed = installed.run("models", "--config", str(file)).stdout
    found = {row["what"]: row for row in json.loads(ended.stdout)}
    assert not found["endpoint locked"]["well"]
    assert "does not accept the key" in found["endpoint locked"]["detail"]
    assert found["endpoint keyless"]["mend"] == "set NO_SUCH_KEY, or remove its row"
    assert "lists no models: if calls fail, its url is wrong" in found["endpoint pathless"]["detail"]
    assert found["endpoint fine"]["detail"].endswith("1 model; not in its list: unheard-of")
    assert not found["prices"]["well"]
    assert found["prices"]["detail"].startswith("priceless: outside, and refused")
    assert "not known     refused until it has a price" in listed
    said = starting(installed, "--config", str(file))
    assert any(line.split() == ["local", "scripted-1,", "unheard-of"] for line in said)
    assert any("not usable" in line and "endpoint keyless" in line for line in said)
    assert any("not usable" in line and "priceless" in line for line in said)


LEAK = """
[[endpoint]]
name = "laptop"
kind = "ollama"

[[model]]
id = "big"
endpoint = "laptop"
served_name = "gpt-oss:120b-cloud"
"""


def test_a_configuration_that_leaks_is_refused_with_the_way_by_every_command(
    installed: Installed, tmp_path: Path
) -> None:
    file = tmp_path / "tierwise.toml"
    file.write_text(LEAK)
    shown = installed.run("config", "show", "--config", str(file), code=2)
    assert "gpt-oss:120b-cloud" in shown.stdout
    way = "label restricted → any workflow → ceiling local, and no rule denies it → model big → endpoint laptop"
    assert way in " ".join(shown.stderr.split())
    for command in (("serve",), ("route", "hello"), ("ask", "hello")):
        assert "→ ollama.com" in " ".join(installed.run(*command, "--config", str(file), code=2).stderr.split()), (
            command
        )
    (finding,) = installed.json("doctor", "--config", str(file), code=1)
    assert (finding["what"], finding["well"]) == ("configuration", False)
    assert way in finding["detail"]


def starting(installed: Installed, *arguments: str) -> list[str]:
    """Return what the gateway says when it starts."""
    command = [str(COMMAND), "serve", "--port", "0", *arguments]
    with subprocess.Popen(command, env=installed.environment, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        said = list(itertools.takewhile(lambda line: line != "Stop with Ctrl-C.\n", server.stderr))
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=20)
    return said


def test_output_that_nobody_reads(installed: Installed) -> None:
    for shell, code in (("models >&-", 0), ("models | true", 0), ("models 2>&-", 0), ("serv 2>&-", 2)):
        line = f"'{COMMAND}' {shell}; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(
            ["bash", "-c", line], env=installed.environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (code, ""), shell
    if Path("/dev/full").exists():
        line = f"'{COMMAND}' models > /dev/full"
        done = subprocess.run(["bash", "-c", line], env=installed.environment, stderr=subprocess.PIPE, check=False)
        assert (done.returncode, done.stderr) == (2, b"tierwise: No space left on device\n")


@pytest.mark.usefixtures("rules")
def test_commands_beside_a_running_server(installed: Installed, upstream: ScriptedUpstream, serve: Serve) -> None:
    address = serve()
    installed.environment["TIERWISE_SERVER_PORT"] = address.rpartition(":")[2]
    answered = installed.json("ask", "one two", "--model", "plain")
    assert (answered["answer"], answered["decision"]["outcome"]) == ("one two", "answered")
    assert upstream.prompt_tokens == 2
    assert installed.json("show", answered["decision"]["id"]) == answered["decision"]
    refused = installed.run("ask", "hi", "--model", "auto:away", "--label", "restricted", code=3).stderr
    ident = refused.partition("decision: ")[2].strip()
    assert installed.json("show", ident)["outcome"] == "refused"
    assert "running gateway" in installed.run("ask", "hi", "--model", "nope", code=2).stderr
    installed.run("ask", "hi", "--model", "down", code=4)
    assert len(installed.json("log")) == 3
    assert installed.json("replay", "--config", installed.environment["TIERWISE_CONFIG"])["decisions"] == 3
    # What listens on the configured port is no Tierwise: the message does not go there.
    before = len(upstream.asked)
    installed.environment["TIERWISE_SERVER_PORT"] = str(upstream.port)
    assert "already writes" in installed.run("ask", "a secret", "--model", "plain", code=2).stderr
    assert len(upstream.asked) == before


def test_an_expired_key_and_a_good_one(installed: Installed, rules: Path, serve: Serve) -> None:
    with rules.open("a") as file:
        file.write('\n[[key]]\nname = "old"\nsecret = "env:OLD"\nexpires = 2020-01-01T00:00:00Z\n')
        file.write('\n[[key]]\nname = "new"\nsecret = "env:NEW"\n')
    installed.environment |= {"OLD": "old-key-of-a-caller", "NEW": "new-key-of-a-caller"}
    address = serve()
    with openai.OpenAI(base_url=f"{address}/v1", api_key="old-key-of-a-caller", max_retries=0) as caller:
        with pytest.raises(openai.AuthenticationError, match="expired on 2020-01-01"):
            caller.models.list()
        assert caller.with_options(api_key="new-key-of-a-caller").models.list().data
    shown = installed.run("config", "show").stdout
    assert "env:NEW" in shown
    assert "of-a-caller" not in shown
    del installed.environment["NEW"]
    assert "env:NEW" in installed.run("doctor", code=1).stdout


def test_ctrl_c_stops_the_server(installed: Installed) -> None:
    process = subprocess.Popen(
        [str(COMMAND), "serve", "--port", "0", "--json"],
        env=installed.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lines = ""
    while not lines.endswith("}\n"):
        lines += process.stdout.readline()
    told = json.loads(lines)
    assert (told["pid"], told["ledger"]) == (process.pid, str(installed.home / "ledger.sqlite"))
    with openai.OpenAI(base_url=told["url"], api_key="unused") as caller:
        assert caller.models.list().data
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 0
    assert said.endswith("stopped\n")
    assert "Traceback" not in said


def test_the_readme_s_client_is_answered_and_explained(installed: Installed, serve: Serve) -> None:
    readme = Document.read(ROOT / "README.md", ROOT)
    (block,) = [block.text for block in readme.blocks if block.language == "python"]
    assert f"OPENAI_BASE_URL=http://127.0.0.1:{ServerSettings().port}/v1" in readme.text
    environment = installed.environment | {"OPENAI_BASE_URL": f"{serve()}/v1", "OPENAI_API_KEY": "unused"}
    done = subprocess.run([sys.executable, "-c", block], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"intent": "card_swallowed"}
    (decision,) = installed.json("log")
    told = installed.run("show", decision["id"]).stdout
    assert "workflow banking77, strategy cascade" in told
    assert "gates" in told


def test_the_reference_is_up_to_date(installed: Installed) -> None:
    command = [sys.executable, ROOT / "scripts" / "commands.py"]
    done = subprocess.run(command, env=installed.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (ROOT / "docs" / "reference" / "commands.md").read_text() == done.stdout, "run scripts/docs"
