"""Templates and assets: everything is escaped, and nothing comes from elsewhere."""

import re

from tests.unit.web.records import record
from tierwise.core.label import Tier
from tierwise.web import decisions, words
from tierwise.web.index import row_of
from tierwise.web.shell import Shell

NOW = 1_800_000_000.0
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>\u202e'


def test_nothing_that_a_record_holds_becomes_markup() -> None:
    shell = Shell()
    found = record(7, ts=NOW, workflow=HOSTILE, model=HOSTILE, reason=HOSTILE)
    values = {"path": "/ui/x", "query": {}, "key": HOSTILE, "token": HOSTILE, "behind": 3, "problem": HOSTILE}
    page = shell.page("decision", told=decisions.told(found), **values)
    assert "<script>alert" not in page and "<img src=x" not in page and "onerror=alert(1)>" not in page

    assert "<script>alert" not in shell.part("decision_row", row=row_of(found))


def test_pages_name_no_other_place_and_hold_no_inline_script_or_style() -> None:
    shell = Shell()
    values = {"path": "/ui/", "query": {}, "key": "", "token": "t", "behind": None, "problem": ""}
    page = shell.page("missing", told="", **values)
    assert not re.findall(r'(?:src|href)="(?!/ui/|#)', page)
    assert "style=" not in page and "<style" not in page and "onclick" not in page
    for name in ("app.css", "app.js"):
        body, _ = shell.asset(name) or (b"", "")
        assert body and b"http:" not in body and b"https:" not in body and b"@import" not in body
    assert shell.asset("../app.py") is None


def test_every_tier_has_a_colour() -> None:
    body, _ = Shell().asset("app.css") or (b"", "")
    for tier in Tier:
        assert f".t-{words.TIERS[tier.value]} ".encode() in body


def test_every_template_can_be_read() -> None:
    jinja = Shell()._jinja
    names = jinja.list_templates()
    assert "policy.html" in names and all(jinja.get_template(name) for name in names)
