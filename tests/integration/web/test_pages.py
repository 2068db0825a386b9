"""The pages of a running gateway: who is let in, who may write, and what happens when the one who draws is gone."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.integration.server.conftest import Door, document, everything, opened_door, until
from tests.integration.server.test_keys import Kept
from tierwise.config import Settings
from tierwise.testing import ScriptedUpstream

ODD = (
    "/ui/../v1/models",
    "/ui//",
    "/ui/static/..%2fapp.py",
    "/ui/decisions/%00",
    "/ui/%ff",
    "/ui/models/",
    "/ui/models%2f",
)
FORM = {"content-type": "application/x-www-form-urlencoded"}


class Browser:
    """Keeps cookies, as a browser does, and follows nothing by itself."""

    def __init__(self, door: Door) -> None:
        self.door, self.cookie = door, ""

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, dict[str, str], str]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.door.port, timeout=40)) as line:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            sent |= {"cookie": self.cookie} if self.cookie else {}
            line.request(method, path, body.encode() or None, sent)
            answer = line.getresponse()
            head = {name.lower(): value for name, value in answer.getheaders()}
            if "set-cookie" in head:
                self.cookie = head["set-cookie"].partition(";")[0]
            return answer.status, head, answer.read().decode()

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
        return self.ask("GET", path, **headers)

    def post(self, path: str, fields: dict[str, str], **headers: str) -> tuple[int, dict[str, str], str]:
        return self.ask("POST", path, urlencode(fields), **FORM, **headers)

    def token(self) -> str:
        found = re.search(r'name="tierwise-token" content="([0-9a-f]+)"', self.get("/ui/")[2])
        assert found
        return found[1]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, upstream: ScriptedUpstream) -> Iterator[Kept]:
    settings = Settings(document=document(upstream), home=tmp_path_factory.mktemp("kept"))
    with opened_door(settings, upstream) as door:
        kept = Kept(door, settings)
        kept.key(name="first", scopes=("call", "admin"))
        yield kept


@pytest.fixture
def browser(door: Door) -> Browser:
    return Browser(door)


def asked(browser: Browser, text: str, **headers: str) -> str:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]})
    status, head, _ = browser.ask("POST", "/v1/chat/completions", body, content_type="application/json", **headers)
    assert status == 200
    return head["x-tierwise-decision"]


ASKS = """
import encodings.idna, http.client, os, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for path in ("/ui/", "/ui/v1/status", "/healthz"):
    line = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1])); line.request("GET", path)
    print(line.getresponse().status); line.close()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_without_keys_the_pages_are_not_for_another_person_of_the_machine(browser: Browser) -> None:
    asked = [sys.executable, "-c", ASKS, str(browser.door.port)]
    assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split() == ["403", "403", "200"]
    assert browser.get("/ui/v1/status")[0] == 200


def test_a_browser_at_the_root_is_shown_the_way_and_a_program_is_not(browser: Browser) -> None:
    assert browser.get("/", accept="text/html")[:2][0] == 303
    assert browser.get("/", accept="text/html")[1]["location"] == "/ui/"
    status, _, told = browser.get("/", accept="*/*")
    assert status == 404 and "/ui/" in told and "/v1/chat/completions" in told


def test_a_browser_at_an_address_that_is_not_there_reads_a_page_and_at_the_apis_own_what_programs_read(
    browser: Browser,
) -> None:
    status, head, page = browser.get("/nonsense", accept="text/html,*/*;q=0.8")
    assert status == 404 and head["content-type"].startswith("text/html") and 'href="/ui/"' in page
    assert "default-src 'none'" in head["content-security-policy"]
    assert browser.get("/nonsense")[1]["content-type"] == "application/json"
    assert browser.get("/v1/models", accept="text/html")[1]["content-type"] == "application/json"


def test_the_api_under_the_pages_has_their_manners(browser: Browser) -> None:
    for path in ("/ui/v1/models", "/ui/v1/nowhere", "/ui/static/app.css", "/ui"):
        head = browser.get(path)[1]
        assert head["x-content-type-options"] == "nosniff" and head["cross-origin-resource-policy"] == "same-origin"
    assert "x-content-type-options" not in browser.get("/v1/models")[1]


def test_a_call_arrives_in_the_list_and_its_way_can_be_read(browser: Browser) -> None:
    ident = asked(browser, "one two three")
    assert until(lambda: ident in browser.get("/ui/decisions")[2])
    status, _, page = browser.get(f"/ui/decisions/{ident}")
    assert status == 200
    for word in ("Who could have answered", "What was tried", "Policy", "Outcome", ident):
        assert word in page
    assert '<svg viewBox="0 0 ' in page and 'class="way"' in page
    status, _, again = browser.get(f"/ui/decisions/{ident}/replay")
    assert status == 200 and "It would be decided alike: <strong>m</strong> first" in again
    record = json.loads(browser.get(f"/ui/decisions/{ident}/record.json")[2])
    assert record["id"] == ident and record["outcome"] == "answered"
    assert until(lambda: 'aria-label="Workflows"' in browser.get("/ui/?period=hour")[2])


def test_what_was_said_of_answers_stands_on_the_overview(browser: Browser) -> None:
    ident = asked(browser, "one two three four")
    assert until(lambda: ident in browser.get("/ui/decisions")[2])
    word = json.dumps({"decision": ident, "right": True})
    assert browser.ask("POST", "/v1/feedback", word, content_type="application/json")[0] == 200
    part = browser.get("/ui/quality?seconds=3600&workflow=")[2]
    assert "answers judged" in part and "100 %" in part
    assert "Nobody judged" in browser.get("/ui/quality?seconds=x&workflow=other")[2]
    assert 'data-part="/ui/quality?seconds=86400' in browser.get("/ui/")[2]


def test_what_exists_is_shown_as_it_is_now(browser: Browser) -> None:
    asked(browser, "one two")
    status, _, page = browser.get("/ui/models")
    assert status == 200
    for word in ("Models and machine", ">m<", "hurried", browser.door.upstream.url, "can be asked"):
        assert word in page


def test_a_new_call_comes_to_who_watches(browser: Browser) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", browser.door.port, timeout=20)) as line:
        line.request("GET", "/ui/decisions/live")
        answer = line.getresponse()
        assert answer.getheader("content-type", "").startswith("text/event-stream")
        assert answer.readline() == b": listening\n"
        ident = asked(browser, "four five")
        told = (json.loads(one[6:]) for one in iter(answer.readline, b"") if one.startswith(b"data: "))
        assert any(ident in row for row in told)


def test_no_page_may_load_anything_from_elsewhere_or_run_what_stands_in_it(browser: Browser) -> None:
    for path in ("/ui/", "/ui/decisions", "/ui/login", "/ui/nowhere"):
        _, head, page = browser.get(path)
        policy = head["content-security-policy"]
        assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
        assert head["x-content-type-options"] == "nosniff" and head["cache-control"] == "no-store"
        assert "<script>" not in page and " style=" not in page and not re.search(r' on\w+="', page)
    assert browser.get("/ui/nowhere")[0] == 404


def test_what_is_no_decision_is_not_there(browser: Browser) -> None:
    for ident in ("nobody", "01m80e389vt0244wdaa35wqsxe"):
        status, _, page = browser.get(f"/ui/decisions/{ident}")
        assert status == 404 and "There is nothing here" in page


@pytest.mark.parametrize("path", ODD)
def test_odd_addresses_lead_nowhere(browser: Browser, path: str) -> None:
    assert browser.get(path)[0] in (400, 404)


def test_another_origin_cannot_write(browser: Browser) -> None:
    for headers in (
        {"origin": "http://evil.example"},
        {"sec_fetch_site": "cross-site"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "http://["},
    ):
        status, _, _ = browser.post("/ui/logout", {}, **headers)
        assert status == 403, headers


def test_another_origin_may_lead_here_and_load_nothing(browser: Browser) -> None:
    for site in ("cross-site", "same-site"):
        for mode, what in (("no-cors", "image"), ("cors", "empty"), ("navigate", "iframe"), ("no-cors", "script")):
            headers = {"sec_fetch_site": site, "sec_fetch_mode": mode, "sec_fetch_dest": what}
            assert browser.get("/ui/models/machine", **headers)[0] == 403, headers
            assert browser.get("/ui/v1/status", **headers)[0] == 403, headers
        leads = {"sec_fetch_site": site, "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
        assert browser.get("/ui/decisions", **leads)[0] == 200
    assert browser.get("/ui/decisions", sec_fetch_site="none", sec_fetch_mode="navigate")[0] == 200


def test_the_api_under_the_pages_needs_the_pages_token(browser: Browser) -> None:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}]})
    send = {"content_type": "application/json"}
    assert browser.ask("POST", "/ui/v1/chat/completions", body, **send)[0] == 403
    status, _, answer = browser.ask("POST", "/ui/v1/chat/completions", body, x_tierwise_token=browser.token(), **send)
    assert status == 200 and json.loads(answer)["choices"][0]["message"]["content"] == "x"
    assert browser.get("/ui/v1/models")[0] == 200


def test_the_drawing_process_answers_nobody_but_the_gateway(browser: Browser) -> None:
    browser.get("/ui/")
    ports = {address.rpartition(":")[2] for address in _listening(_drawing(browser.door))}
    assert ports
    for port in ports:
        with closing(http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)) as line:
            line.request("GET", "/ui/")
            assert line.getresponse().status == 401


def test_the_gateway_serves_on_when_the_drawing_process_is_killed_and_pages_come_back(browser: Browser) -> None:
    assert browser.get("/ui/")[0] == 200
    os.kill(_drawing(browser.door), signal.SIGKILL)
    asked(browser, "still here")
    assert until(lambda: browser.get("/ui/")[0] == 200)


def test_a_stopped_drawing_process_holds_up_no_call_however_many_wait_for_pages(browser: Browser) -> None:
    assert browser.get("/ui/")[0] == 200
    pid = _drawing(browser.door)
    os.kill(pid, signal.SIGSTOP)
    with contextlib.ExitStack() as waiting:
        waiting.callback(os.kill, pid, signal.SIGCONT)
        for path in ("/ui/", "/ui/decisions", "/ui/decisions/live", "/ui/models") * 5:
            line = waiting.enter_context(browser.door.line())
            line.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        for number in range(20):
            asked(browser, f"while it sleeps {number}")
        assert browser.get("/v1/status")[0] == 200


def test_who_waits_for_a_page_is_told_when_the_drawing_process_is_killed(browser: Browser) -> None:
    assert browser.get("/ui/")[0] == 200
    pid = _drawing(browser.door)
    os.kill(pid, signal.SIGSTOP)
    with browser.door.line(20) as line:
        line.sendall(b"GET /ui/decisions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        asked(browser, "before it is killed")
        os.kill(pid, signal.SIGKILL)
        answer = everything(line)
    assert b"goes on serving" in answer or b"<h1>Decisions" in answer
    asked(browser, "after it was killed")
    assert until(lambda: browser.get("/ui/")[0] == 200)


def test_with_keys_a_browser_signs_in_and_out(kept: Kept) -> None:
    browser = Browser(kept.door)
    status, head, _ = browser.get("/ui/decisions")
    assert (status, head["location"]) == (303, "/ui/login?next=/ui/decisions")
    assert browser.get("/ui/v1/models")[0] == 401
    assert browser.post("/ui/login", {"key": "tw-wrong"})[0] == 401
    status, head, page = browser.post("/ui/login", {"key": kept.key(name="caller"), "next": "/ui/decisions"})
    assert status == 403 and "admin" in page and not browser.cookie
    key = kept.key(name="boss", scopes=("call", "admin"))
    status, head, _ = browser.post("/ui/login", {"key": key, "next": "/ui/decisions"})
    assert (status, head["location"]) == (303, "/ui/decisions") and "HttpOnly" in head["set-cookie"]
    assert key not in browser.cookie
    status, _, page = browser.get("/ui/decisions")
    assert status == 200 and "boss" in page
    kept.book.revoke("boss")
    assert until(lambda: browser.get("/ui/decisions")[0] == 303)
    other = Browser(kept.door)
    other.post("/ui/login", {"key": kept.key(name="chief", scopes=("admin",))})
    assert other.get("/ui/")[0] == 200
    assert other.post("/ui/logout", {})[0] == 303
    assert other.get("/ui/")[0] == 303


def test_who_watches_sees_nothing_more_once_the_key_is_revoked(kept: Kept) -> None:
    browser = Browser(kept.door)
    browser.post("/ui/login", {"key": kept.key(name="watcher", scopes=("admin",))})
    with closing(http.client.HTTPConnection("127.0.0.1", kept.door.port, timeout=10)) as line:
        line.request("GET", "/ui/decisions/live", headers={"cookie": browser.cookie})
        answer = line.getresponse()
        assert answer.readline() == b": listening\n"
        kept.book.revoke("watcher")
        assert answer.read() == b"\n", "the stream ends"


@pytest.mark.parametrize(
    "wanted", ["http://evil.example/", "//evil.example", "/ui/\r\nx: y", "/v1/models", "/ui//evil"]
)
def test_the_door_leads_to_pages_only(kept: Kept, wanted: str) -> None:
    browser = Browser(kept.door)
    key = kept.key(scopes=("admin",))
    status, head, _ = browser.post("/ui/login", {"key": key, "next": wanted})
    assert (status, head["location"]) == (303, "/ui/")


def test_a_key_of_the_cookie_is_for_the_pages_alone(kept: Kept) -> None:
    browser = Browser(kept.door)
    browser.post("/ui/login", {"key": kept.key(scopes=("call", "admin"))})
    assert browser.cookie
    assert browser.get("/v1/models")[0] == 401
    assert browser.get("/ui/v1/models")[0] == 200


def _drawing(door: Door) -> int:
    """Return the process number of who draws."""
    found = door.drawing()
    assert found is not None
    return found


def _listening(pid: int) -> set[str]:
    """Return the addresses on which a process listens, from /proc."""
    open_files = [str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir()]
    sockets = {name[8:-1] for name in open_files if name.startswith("socket:[")}
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return {f"127.0.0.1:{int(row[1].rpartition(':')[2], 16)}" for row in rows if row[3] == "0A" and row[9] in sockets}
