"""The page of the policy on a running gateway: a text is tested and forgotten, a policy compared, named and released."""

import json
import re
from pathlib import Path
from typing import Any

from tests.integration.server.conftest import document, opened_door, until
from tests.integration.web.test_pages import Browser, asked
from tierwise import config
from tierwise.config import Settings
from tierwise.testing import ScriptedUpstream

CARD = "card 4539 5781 4433 6481"
STRICT = (
    '[labels]\ndefault = "restricted"\n\n[[rule]]\nname = "closed"\nthen = { deny = true }\nreason = "closed for now"\n'
)

CONFIGURED = """
[[endpoint]]
name = "up"
kind = "scripted"
url = "{url}"

[[model]]
id = "m"
endpoint = "up"
"""


def plain(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def post(browser: Browser, path: str, **fields: str) -> tuple[int, dict[str, str], str]:
    return browser.post(f"/ui/policy/{path}", {"token": browser.token(), **fields})


def test_a_text_is_judged_and_comes_back_nowhere(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    with opened_door(Settings(document=document(upstream), home=tmp_path), upstream) as door:
        browser, before = Browser(door), len(upstream.received)
        status, _, page = post(browser, "test", text=CARD, model="m")
        assert status == 200 and "4539" not in page
        told = plain(page)
        assert "the detector card (confidential)" in told and "No model was asked" in told
        status, _, part = post(browser, "test", text="x", model="nobody", part="1")
        assert status == 200 and "there is no model" in part and "<html" not in part
        assert browser.post("/ui/policy/test", {"text": CARD})[0] == 403, "without the page's token"
        assert len(upstream.received) == before
        assert json.loads(browser.get("/v1/status")[2])["policy"]
        kept = [one for one in tmp_path.rglob("*") if one.is_file() and b"4539 5781" in one.read_bytes()]
        assert not kept


def test_a_pasted_policy_is_compared_named_and_released_and_rolled_back(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    file = tmp_path / "tierwise.toml"
    file.write_text(CONFIGURED.format(url=upstream.url))
    with opened_door(config.load(file, environ={"TIERWISE_HOME": str(tmp_path)}), upstream) as door:
        browser = Browser(door)
        ident = asked(browser, "one two")
        assert until(lambda: browser.get(f"/ui/decisions/{ident}")[0] == 200)
        assert "None: the policy is that of" in browser.get("/ui/policy/releases")[2]
        status, head, _ = post(browser, "pasted", policy=STRICT, since="7d")
        assert status == 303 and "closed" not in head["location"]
        query = head["location"].partition("?")[2]
        assert "closed for now" in browser.get(head["location"])[2], "the text, to be read again"
        found = plain(browser.get(f"/ui/policy/difference?{query}")[2])
        assert "Nothing widens" in found and "rule closed is new" in found and "1 would be refused" in found
        assert not list((tmp_path / "pages" / "drafts").iterdir()), "the file is gone with the command"

        fields = dict(one.split("=") for one in query.split("&"))
        assert post(browser, "confirm", **fields)[0] == 400, "nobody said why"
        _, _, page = post(browser, "confirm", why="a storm", **fields)
        assert "Put the pasted policy in force?" in page and "--why=a storm" in page
        _, head, _ = post(browser, "release", why="a storm", **fields)
        assert "release 1 is in force" in ended(browser, head["location"])
        assert not list((tmp_path / "pages" / "drafts").iterdir())
        told = plain(browser.get("/ui/policy/releases")[2])
        assert "a storm" in told and "with what is in force" not in told
        force = plain(browser.get("/ui/policy/force")[2])
        assert "In force: release 1" in force and "closed for now" in force and "✕ the rule closed" in force
        assert until(lambda: "It would be refused" in browser.get(f"/ui/decisions/{ident}/replay")[2], 20)

        _, head, _ = post(browser, "release", new="own", why="it is over")
        assert "nothing was released" in ended(browser, head["location"]), "to widen needs consent"
        _, head, _ = post(browser, "release", new="own", why="it is over", widen="yes")
        assert "release 2 is in force" in ended(browser, head["location"])
        assert until(lambda: "It would be decided alike" in browser.get(f"/ui/decisions/{ident}/replay")[2], 20)


def test_the_log_is_verified_by_a_button(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    with opened_door(Settings(document=document(upstream), home=tmp_path), upstream) as door:
        browser = Browser(door)
        asked(browser, "one")
        assert "not since the pages began" in browser.get("/ui/policy")[2]
        _, head, _ = post(browser, "verify")
        assert "the log is whole" in ended(browser, head["location"])
        assert head["location"] in browser.get("/ui/policy")[2]
        assert "No promise is broken" in plain(browser.get("/ui/policy/beside")[2]).replace("None: no", "No")


def ended(browser: Browser, place: str) -> str:
    """Return what a command printed, once it has ended."""
    found: dict[str, Any] = {}

    def over() -> bool:
        found["page"] = browser.get(place)[2]
        return "and ended with" in found["page"]

    assert until(over, 60), found["page"]
    return plain(found["page"])
