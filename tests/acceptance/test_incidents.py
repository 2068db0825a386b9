"""Broken promises as an on-call engineer meets them: a real gateway, a real webhook, a real program, a real kill."""

import hashlib
import hmac
import http.client
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Installed, free_port
from tests.acceptance.receiver import Got, Receiver, receiving
from tests.postgres.server import Server
from tierwise.testing import ScriptedUpstream

PATIENCE_S = 60
SECRET = "a-secret-of-the-receiver-4711"
CANARY = "kestrel-0417-lumen"
RULES = """
[[endpoint]]
name = "near"
kind = "scripted"
tier = "local"
url = "{near}"

[[endpoint]]
name = "far"
kind = "scripted"
tier = "frontier"
url = "{far}"

[[model]]
id = "small"
endpoint = "near"
served_name = "scripted-1"

[[model]]
id = "large"
endpoint = "far"
served_name = "scripted-1"
price = {{ input_usd_per_mtok = "1000", output_usd_per_mtok = "1000" }}

[breaker]
failures = 2
open_s = 0.2
max_open_s = 0.5

[incidents]
down_after_s = 0.5
quiet_s = 3
refusals = 3

[[notify]]
name = "hook"
kind = "webhook"
url = "env:HOOK_URL"
secret = "env:HOOK_SECRET"

[[notify]]
name = "page"
kind = "command"
command = ["{python}", "{page}", "{paged}"]
severity = "critical"
"""
# Keeps what it is told, and the environment it is told it in.
PAGE = """
import os, sys
with open(sys.argv[1], "a") as file:
    file.write(sys.stdin.read() + "\\n" + "|".join(sorted(os.environ)) + "\\n")
"""


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def far() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream.in_thread() as upstream:
        yield upstream


@pytest.fixture
def port() -> int:
    """The port of the endpoint near by, which comes and goes."""
    return free_port()


@pytest.fixture
def rules(installed: Installed, far: ScriptedUpstream, hook: Receiver, port: int, tmp_path: Path) -> Path:
    (tmp_path / "page.py").write_text(PAGE)
    path = tmp_path / "tierwise.toml"
    near = f"http://127.0.0.1:{port}/v1"
    places = {"python": sys.executable, "page": tmp_path / "page.py", "paged": tmp_path / "paged"}
    path.write_text(RULES.format(near=near, far=far.url, **places))
    installed.environment |= {"TIERWISE_CONFIG": str(path), "HOOK_URL": hook.url, "HOOK_SECRET": SECRET}
    return path


def until(holds: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := holds()):
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.05)
    return found


def ask(address: str, model: str, label: str = "internal", **more: Any) -> tuple[int, str]:
    """Ask once; return the status and the decision's id."""
    body = {"model": model, "messages": [{"role": "user", "content": CANARY}], "max_tokens": 5} | more
    with closing(http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)) as line:
        headers = {"content-type": "application/json", "x-tierwise-label": label}
        line.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        answer = line.getresponse()
        answer.read()
        return answer.status, answer.headers["x-tierwise-decision"]


def told(hook: Receiver, event: str, subject: str) -> Got | None:
    return next((g for g, told in zip(list(hook.got), hook.events(), strict=False) if told == (event, subject)), None)


def test_an_endpoint_goes_down_and_comes_back(
    installed: Installed, rules: Path, serve: Callable[..., str], hook: Receiver, port: int
) -> None:
    address = serve()
    failed = [ask(address, "small") for _ in range(3)]
    assert [status for status, _ in failed] == [503, 503, 503]
    got = until(lambda: told(hook, "opened", "endpoint:near"))
    said = got.said["incident"]
    assert (said["kind"], said["condition"], said["severity"]) == ("endpoint_down", "needed", "critical")
    assert {ident for _, ident in failed} >= set(said["decisions"]) != set()
    stamp, _, digest = got.headers["x-tierwise-signature"].removeprefix("t=").partition(",v1=")
    expected = hmac.digest(SECRET.encode(), f"{stamp}.".encode() + got.body, hashlib.sha256)
    assert hmac.compare_digest(digest, expected.hex())
    assert got.path == "/hook/secret-path?team=ops"
    [row] = installed.json("incidents")
    assert (row["id"], row["closed"]) == (said["id"], None)
    assert installed.run("incidents", "check", code=1).stdout.startswith(row["id"])
    assert row["id"] in installed.run("doctor", code=1).stdout
    shown = installed.run("incidents", "show", row["id"][:12]).stdout
    assert said["decisions"][0] in shown
    paged = (rules.parent / "paged").read_text()
    assert json.loads(paged.splitlines()[0])["delivery"] == got.said["delivery"]
    assert "HOOK" not in paged.splitlines()[1], "no key is in the environment of a program"
    with ScriptedUpstream.in_thread(port=port):
        until(lambda: ask(address, "small")[0] == 200)
        closed = until(lambda: told(hook, "closed", "endpoint:near"))
    assert closed.said["incident"]["by_itself"] is True
    assert installed.json("incidents") == []
    assert installed.run("incidents", "check").stdout == "no incident is open\n"
    [row] = installed.json("incidents", "--all")
    assert "not seen for 3 s" in row["note"]
    history = installed.json("incidents", "show", row["id"])["history"]
    what = [(event["what"], event["who"]) for event in history]
    assert what[0] == ("opened", "")
    assert {("notified", name) for name in ("log", "hook", "page")} <= set(what)
    assert sum(event == "opened" for event, _ in hook.events()) == 1, "it was told once"
    assert CANARY.encode() not in b"".join(one.body for one in hook.got) + paged.encode()


def test_a_budget_is_reached_and_a_person_closes_it(
    installed: Installed, rules: Path, serve: Callable[..., str], hook: Receiver
) -> None:
    budget = '\n[[budget]]\nscope = "all"\nlimit_usd = "0.1"\nsoft_limit_usd = "0.001"\nwindow = "30d"\n'
    rules.write_text(rules.read_text() + budget)
    address = serve()
    assert ask(address, "large")[0] == 200
    until(lambda: told(hook, "opened", "all 30d"))
    while ask(address, "large")[0] == 200:
        pass
    raised = until(lambda: told(hook, "raised", "all 30d")).said["incident"]
    assert (raised["condition"], raised["severity"]) == ("budget_spent", "warning")
    [row] = installed.json("incidents")
    assert row["until"] > time.time()
    assert "--note" in installed.run("incidents", "close", row["id"], code=2).stderr
    done = installed.json("incidents", "close", row["id"], "--who", "ada", "--note", f"known {CANARY}")
    assert done["closed_by"].startswith("ada, by ")
    closing_told = until(lambda: told(hook, "closed", "all 30d"))
    assert closing_told.said["incident"]["by_itself"] is False
    assert CANARY.encode() not in closing_told.body, "what a person writes stays in the ledger"
    assert ask(address, "large")[0] == 429
    until(lambda: len(installed.json("log", "--outcome", "refused")) >= 2)
    assert "closed already" in installed.run("incidents", "close", row["id"], "--note", "x", code=2).stderr
    assert installed.json("incidents") == [], "who knows of it is not told again in this window"


def test_refusals_open_an_incident_only_where_they_are_many(
    installed: Installed, rules: Path, serve: Callable[..., str], hook: Receiver
) -> None:
    address = serve()
    refused = [ask(address, "large", label="restricted") for _ in range(2)]
    assert [status for status, _ in refused] == [403, 403]
    with closing(http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)) as line:
        line.request("GET", "/healthz")
        line.getresponse().read()
    assert installed.json("incidents", "--all") == []
    refused.append(ask(address, "large", label="restricted"))
    said = until(lambda: told(hook, "opened", "callers without a key")).said["incident"]
    assert (said["kind"], said["severity"]) == ("leak_attempt", "warning")
    assert said["decisions"] == [ident for _, ident in refused]


def test_what_was_not_told_before_a_kill_is_told_after_it(installed: Installed, rules: Path, hook: Receiver) -> None:
    hook.status = None
    process, address = installed.start()
    for _ in range(2):
        ask(address, "small")
    until(lambda: hook.got)
    process.send_signal(signal.SIGKILL)
    process.wait(20)
    assert process.stderr is not None
    process.stderr.close()
    [row] = installed.json("incidents")
    assert "notified" not in [
        e["what"] for e in installed.json("incidents", "show", row["id"])["history"] if e["who"] == "hook"
    ]
    hook.status = 204
    hook.released.set()
    again, _ = installed.start()
    until(lambda: [one for one in installed.json("incidents", "show", row["id"])["history"] if one["who"] == "hook"])
    assert {one.said["incident"]["id"] for one in hook.got} == {row["id"]}
    again.terminate()
    assert again.wait(20) == 0
    assert again.stderr is not None
    again.stderr.close()


def test_a_receiver_that_fails_slows_nothing_and_is_shown(
    installed: Installed, rules: Path, serve: Callable[..., str], hook: Receiver
) -> None:
    hook.status = 302
    address = serve()
    for _ in range(2):
        ask(address, "small")
    until(lambda: len(hook.got) >= 2)
    assert {one.path for one in hook.got} == {"/hook/secret-path?team=ops"}, "no redirect is followed"
    [row] = installed.json("incidents")
    history = until(
        lambda: [e for e in installed.json("incidents", "show", row["id"])["history"] if e["what"] == "not_notified"]
    )
    assert history[0]["detail"] == "HTTP 302 (try 1 of 5)"
    assert len({one.said["delivery"] for one in hook.got}) == 1, "a receiver can tell that it has it already"
    begun = time.monotonic()
    assert ask(address, "large")[0] == 200
    assert time.monotonic() - begun < 5


def test_two_gateways_over_one_ledger_open_it_once_and_tell_it_once(
    installed: Installed, rules: Path, serve: Callable[..., str], hook: Receiver, postgres: Server
) -> None:
    place = postgres.database()
    rules.write_text(rules.read_text() + f'\n[ledger]\nurl = "{place}"\npassword = "env:LEDGER_PASSWORD"\n')
    installed.environment["LEDGER_PASSWORD"] = postgres.password
    for address in (serve(), serve()):
        for _ in range(2):
            ask(address, "small")
    until(lambda: told(hook, "opened", "endpoint:near"))
    [row] = until(lambda: [one for one in installed.json("incidents") if one["count"] >= 4])
    assert [event for event, _ in hook.events()] == ["opened"]
    assert [e["what"] for e in installed.json("incidents", "show", row["id"])["history"]].count("opened") == 1


def test_everyone_who_is_told_can_be_tried(installed: Installed, rules: Path, hook: Receiver) -> None:
    sent = installed.json("incidents", "test")
    assert {one["name"]: one["well"] for one in sent} == {"log": True, "hook": True, "page": True}
    assert [one.said["event"] for one in hook.got] == ["test"]
    hook.status = 500
    (rules.parent / "page.py").write_text("raise SystemExit(3)")
    failed = {one["name"]: one["detail"] for one in installed.json("incidents", "test", code=1)}
    assert failed == {"log": "", "hook": "HTTP 500", "page": "exit 3"}
    assert installed.json("incidents", "--all") == []
    del installed.environment["HOOK_SECRET"]
    assert "env:HOOK_SECRET is not set" in installed.run("serve", code=2).stderr


@pytest.mark.parametrize(
    ("row", "mend"),
    [
        ('name = "a b"\nkind = "log"', "letters"),
        ('name = "a"\nkind = "webhook"', "needs url"),
        ('name = "a"\nkind = "webhook"\nurl = "ftp://x/y"', "http"),
        ('name = "a"\nkind = "webhook"\nurl = "http://u:p@127.0.0.1/"', "http"),
        ('name = "a"\nkind = "command"\ncommand = ["x"]\nsecret = "env:S"', "for a webhook"),
        ('name = "a"\nkind = "webhook"\nurl = "http://127.0.0.1/"\nsecret = "plain"', "reference"),
        ('name = "hook"\nkind = "command"\ncommand = ["x"]', "two notifiers"),
    ],
)
def test_a_notifier_that_cannot_be_obeyed_is_refused(installed: Installed, rules: Path, row: str, mend: str) -> None:
    rules.write_text(rules.read_text() + f"\n[[notify]]\n{row}\n")
    assert mend in installed.run("incidents", "test", code=2).stderr
