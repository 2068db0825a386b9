"""The pages of workflows on a running gateway: what is shown, and that the buttons do what the commands do."""

import contextlib
import http.client
import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from tests.acceptance.evaluation import write_config, write_items
from tests.integration.server.conftest import Door, opened_door, until
from tests.integration.server.test_keys import Kept
from tests.integration.web.test_pages import Browser
from tierwise import config
from tierwise.core.label import Label
from tierwise.testing import ScriptedUpstream
from tierwise.web.commands import MOST_RUNNING

HOSTILE = "<img src=x onerror=alert(1)>"
MORE = f"""
[ledger]
store_content = "full"
[[workflow]]
name = "{HOSTILE}"
candidates = ["good"]
[[workflow]]
name = "checked"
candidates = ["bad"]
on_gate_failure = "review"
"""
ITEMS, SUBJECTS = 6, 2
RUN_S = 60.0


@pytest.fixture(scope="module")
def flows(tmp_path_factory: pytest.TempPathFactory, upstream: ScriptedUpstream) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("flows")
    write_items(folder / "items.jsonl", ITEMS)
    written = write_config(folder, upstream, {"bad": "m?text=no", "good": "m"}, more=MORE)
    settings = config.load(written, environ={"TIERWISE_HOME": str(folder / "home")})
    with opened_door(settings, upstream) as door:
        yield Browser(door)


def acted(flows: Browser, action: str, workflow: str = "echo", **fields: str) -> tuple[int, dict[str, str], str]:
    return flows.post(f"/ui/workflows/{quote(workflow, safe='')}/act/{action}", {"token": flows.token(), **fields})


def ran(flows: Browser, action: str, **fields: str) -> tuple[str, str]:
    """Press a button; return the line that ran, and the page of the run once it has ended."""
    status, head, page = acted(flows, action, **fields)
    assert status == 303, page
    assert until(lambda: "It took" in flows.get(head["location"])[2], RUN_S)
    page = unescape(flows.get(head["location"])[2])
    found = re.search(r"<pre><code>(tierwise .*)</code>", page)
    assert found and 'href="/ui/workflows/echo"' in page, "the run leads back"
    return found[1], page


def shown(flows: Browser, path: str = "/ui/workflows/echo") -> str:
    status, _, page = flows.get(path)
    assert status == 200, page
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_from_a_comparison_to_a_verdict_by_buttons_alone(flows: Browser) -> None:
    assert "Nothing is measured yet" in shown(flows) and "Pilot" in shown(flows)
    line, page = ran(flows, "compare", limit="4", yes="on")
    assert line == "tierwise compare --limit=4 --yes -- echo"
    assert f"asking    {4 * SUBJECTS} of {4 * SUBJECTS}" in page, "lines come where nobody watches a bar"
    assert f"{4 * SUBJECTS} answers" in shown(flows) and "Nothing is decided yet" in shown(flows)
    line, page = ran(flows, "decide")
    assert line == "tierwise decide -- echo" and "the verdict is no" in page
    told = shown(flows)
    assert "not enough evidence" in told and "Criteria sealed" in told and "points to the baseline" in told
    status, head, report = flows.get("/ui/v1/reports/echo")
    assert status == 200 and "Not enough evidence" in report
    assert head["content-security-policy"].endswith("sandbox"), "an origin of its own"
    assert "not enough evidence" in shown(flows, "/ui/workflows")


def test_the_line_beside_a_button_is_the_one_that_would_run(flows: Browser) -> None:
    asked = urlencode({"model": "bad", "share": "0.2", "why": "a; rm -rf $HOME"})
    _, _, answer = flows.get(f"/ui/workflows/echo/act/start/line?{asked}")
    assert json.loads(answer) == {
        "line": "tierwise rollout start --share=0.2 '--why=a; rm -rf $HOME' -- echo bad"
    }  # fmt: skip
    _, _, answer = flows.get("/ui/workflows/echo/act/start/line?model=--help&share=0.2")
    assert json.loads(answer) == {"problem": "Model: there is no '--help' here"}


def test_what_changes_who_answers_is_agreed_to_first_and_can_be_undone(flows: Browser) -> None:
    fields = {"model": "good", "share": "0.2", "why": "try it"}
    status, _, page = acted(flows, "start", **fields)
    assert status == 200 and "Within a second" in page and "--share=0.2" in page
    assert "Nothing is on trial" in shown(flows), "asking changes nothing"
    ran(flows, "start", **fields, sure="on")
    assert until(lambda: "canary good" in shown(flows)), "the gateway took it up"
    assert "try it" in shown(flows)
    assert "nothing is shown yet" in shown(flows, "/ui/workflows/echo/trial")
    _, page = ran(flows, "promote", sure="on")
    assert "nothing was released" in page, "as the command says it"
    ran(flows, "stop", why="enough", sure="on")
    assert until(lambda: "Nothing is on trial" in shown(flows))
    ran(flows, "rollback", number="0", why="as it was", sure="on")
    assert until(lambda: "as it was" in shown(flows))


def test_no_button_works_without_the_pages_token_or_with_what_does_not_exist(flows: Browser) -> None:
    assert flows.post("/ui/workflows/echo/act/decide", {})[0] == 403
    assert flows.post("/ui/workflows/echo/act/decide", {"token": "0" * 64})[0] == 403
    assert acted(flows, "erase")[0] == 404
    assert acted(flows, "decide", workflow="nobody")[0] == 404
    assert acted(flows, "start", model="nobody", share="0.1")[0] == 400
    assert flows.get("/ui/workflows/nobody")[0] == 404


def test_the_data_and_their_hygiene_are_told_as_the_command_tells_them(flows: Browser) -> None:
    told = shown(flows, "/ui/workflows/echo/data")
    assert f"Items {ITEMS}" in told and "0 duplicates" in told and "What a comparison of all items would cost" in told
    told = shown(flows, f"/ui/workflows/{quote(HOSTILE, safe='')}/data")
    assert "names no data" in told


def test_a_name_from_the_configuration_is_text(flows: Browser) -> None:
    for path in ("/ui/workflows", f"/ui/workflows/{quote(HOSTILE, safe='')}"):
        status, _, page = flows.get(path)
        assert status == 200 and "<img src=x" not in page and "&lt;img src=x" in page
        assert " style=" not in page and "<script>" not in page


def test_an_answer_that_waits_is_judged_on_a_page_and_its_seconds_are_kept(flows: Browser) -> None:
    for text in ("first question", f"second {HOSTILE}"):
        asked = {"model": "auto:checked", "messages": [{"role": "user", "content": text}]}
        body = json.dumps(asked | {"response_format": {"type": "json_object"}})
        assert flows.ask("POST", "/v1/chat/completions", body, content_type="application/json")[0] == 502
    assert until(lambda: "2 answers" in shown(flows, "/ui/workflows/checked/people"))
    page = flows.get("/ui/workflows/checked/review")[2]
    assert "first question" in page and "Right" in page
    skip = re.search(r'href="(/ui/workflows/checked/review\?after=\d+)"', page)
    assert skip is not None
    second = flows.get(skip[1])[2]
    assert "second &lt;img" in second and "<img src=x" not in second
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    assert flows.post("/ui/workflows/checked/review", {**fields, "token": "", "word": "wrong"})[0] == 403
    assert flows.post("/ui/workflows/checked/review", {**fields, "word": "wrong"})[0] == 303
    assert "second" in flows.get("/ui/workflows/checked/review")[2]
    told = shown(flows, "/ui/workflows/checked/people")
    assert "1 answer:" in told and "1 review;" in told and "0 %" in told
    record = json.loads(flows.get(f"/ui/v1/decisions/{fields['decision']}")[2])
    assert record["review"]["score"] == 0 and record["review"]["seconds"] >= 0


def test_a_comparison_that_was_killed_is_shown_and_gone_on_with(door: Door, tmp_path: Path) -> None:
    with ScriptedUpstream.in_thread(models=("m",)) as upstream:
        write_items(tmp_path / "items.jsonl", 30)
        models = {"slow": "m?fault=slow_first&delay_ms=200", "good": "m"}
        settings = config.load(
            write_config(tmp_path, upstream, models), environ={"TIERWISE_HOME": str(tmp_path / "home")}
        )
        with opened_door(settings, upstream) as opened:
            flows = Browser(opened)
            _, head, _ = acted(flows, "compare")
            place = head["location"]
            assert until(lambda: "under way" in shown(flows) and " 0 of 60" not in shown(flows), RUN_S)
            flows.post(f"{place}/stop", {"token": flows.token()})
            assert until(lambda: "stopped before its end" in shown(flows), RUN_S)
            line, page = ran(flows, "resume")
            assert line == "tierwise compare --resume -- echo" and "Evidence:" in page
            assert "60 answers" in shown(flows) and "stopped before" not in shown(flows)


def test_without_a_workflow_the_page_says_what_one_is(door: Door) -> None:
    told = shown(Browser(door), "/ui/workflows")
    for word in ("No workflow is configured", "[[workflow]]", "baseline =", "dataset from-log"):
        assert word in told


def test_a_part_that_takes_its_time_waits_for_the_page(flows: Browser) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", flows.door.port, timeout=20)) as line:
        line.request("GET", "/ui/workflows/echo")
        page = line.getresponse().read().decode()
    assert 'data-part="/ui/workflows/echo/data"' in page and "duplicates" not in page


@pytest.mark.parametrize("part", ["data", "trial"])
def test_no_address_makes_a_command_read_a_file(flows: Browser, tmp_path: Path, part: str) -> None:
    file = tmp_path / "payroll.csv"
    file.write_text("who,salary\nalice,100\n")
    for name in (str(file), "nobody", "a\0b"):
        status, _, page = flows.get(f"/ui/workflows/{quote(name, safe='')}/{part}")
        assert status == 404 and "salary" not in page and "tierwise dataset" not in page


def test_what_no_program_can_be_given_is_refused_and_takes_no_place(flows: Browser) -> None:
    token = flows.token()
    for _ in range(MOST_RUNNING + 1):
        status, _, page = flows.post("/ui/policy/release", {"token": token, "new": "own", "why": "a\0b"})
        assert status == 400 and "NUL" in page
    status, head, _ = flows.post("/ui/policy/verify", {"token": token})
    assert status == 303 and until(lambda: "It took" in flows.get(head["location"])[2], RUN_S)


def test_what_is_kept_of_a_call_is_shown_to_whom_the_api_would_show_it(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    written = write_config(tmp_path, upstream, {"bad": "m?text=no", "good": "m"}, more=MORE)
    settings = config.load(written, environ={"TIERWISE_HOME": str(tmp_path / "home")})
    with opened_door(settings, upstream) as door:
        kept = Kept(door, settings)
        boss, clerk = kept.key(scopes=("call", "admin")), kept.key(scopes=("call", "admin"), label=Label.PUBLIC)
        asked = {"model": "auto:checked", "messages": [{"role": "user", "content": "the plan"}]}
        body = json.dumps(asked | {"response_format": {"type": "json_object"}})
        sent = {"content_type": "application/json", "authorization": f"Bearer {boss}"}
        assert until(lambda: Browser(door).ask("POST", "/v1/chat/completions", body, **sent)[0] == 502)
        pages = []
        for key in (boss, clerk):
            browser = Browser(door)
            assert browser.post("/ui/login", {"key": key})[0] == 303
            pages.append(browser.get("/ui/workflows/checked/review")[2])
        assert "the plan" in pages[0] and "Right" in pages[0]
        assert "the plan" not in pages[1] and "may not read the content" in pages[1] and "Right" not in pages[1]
