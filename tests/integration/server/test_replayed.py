"""A recorded call under the rules in force, over HTTP: the same by the same rules, another by others, nothing sent."""

import json
from pathlib import Path
from typing import Any

from tests.integration.server.conftest import asking, document, opened_door
from tests.integration.server.test_reports import get
from tierwise.config import Settings
from tierwise.core.label import Label
from tierwise.policy.released import Written
from tierwise.policy.settings import LabelSettings, Rule, Then, When
from tierwise.testing import ScriptedUpstream

CLOSED = Rule(when=When(endpoint="up"), then=Then(deny=True), name="closed", reason="it is closed")


def test_a_recorded_call_is_decided_anew_and_the_record_stays(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    settings = Settings(document=document(upstream), home=tmp_path)
    with opened_door(settings, upstream) as door:

        def read(query: str = "") -> dict[str, Any]:
            status, _, body = get(door, f"/v1/decisions/{ident}{query}", "unused")
            assert status == 200, body
            found: dict[str, Any] = json.loads(body)
            return found

        status, answer = door.ask(asking("m"))
        assert status == 200
        heads = (line.partition(b": ") for line in answer.lower().splitlines())
        ident = next(value.decode() for name, _, value in heads if name == b"x-tierwise-decision")
        asked = len(upstream.received)
        again = read("?replay=1")
        assert (again["outcome"], again["chosen"], again["attempts"]) == ("dry_run", "m", [])
        assert again["label"] == read()["label"]

        labels = LabelSettings(default=Label.CONFIDENTIAL)
        door.gateway.rules = door.gateway.rules.under(Written(labels=labels, rule=(CLOSED,)))
        stricter = read("?replay=1")
        (m,) = (one for one in stricter["candidates"] if one["model"] == "m")
        assert not m["allowed"] and any(one["rule"] == "rule:closed" for one in m["rules"])
        assert stricter["chosen"] is None and "closed" in stricter["error"]
        assert stricter["label"]["value"] == "confidential", "what nobody labelled counts as the default of now"
        assert read()["outcome"] == "answered" and len(upstream.received) == asked
        assert get(door, f"/v1/decisions/{'0' * 26}?replay=1", "unused")[0] == 404
