"""`tierwise certify`, as a user runs it: from evidence to a certificate in force, and out of force again."""

import random
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Installed
from tierwise import bootstrap, config
from tierwise.core.criteria import Criteria
from tierwise.core.label import Tier
from tierwise.evals.bundles import bundle_now
from tierwise.evals.evidence import Header, Observation, Seal, Subject, Writer

WORKFLOW = """
[[endpoint]]
name = "near"
kind = "scripted"
tier = "local"
url = "http://127.0.0.1:9/v1"

[[endpoint]]
name = "far"
kind = "scripted"
tier = "self_hosted"
url = "http://127.0.0.1:10/v1"

[[model]]
id = "small"
endpoint = "near"
capabilities = ["stream", "json", "logprobs"]

[[model]]
id = "large"
endpoint = "far"

[[workflow]]
name = "tickets"
candidates = ["small", "large"]
baseline = "large"
prompt = "ticket.toml"
scorer = "exact"
strategy = "cascade"
"""


class Desk:
    """A folder with a configuration, and evidence of what its models were measured to be."""

    def __init__(self, installed: Installed, folder: Path) -> None:
        self.installed, self.folder = installed, folder
        self.config, self.evidence = folder / "tierwise.toml", folder / "evidence.jsonl"
        self.config.write_text(WORKFLOW)
        (folder / "ticket.toml").write_text('user = "{{text}}"')

    def measured(self, items: int, **criteria: Any) -> None:
        """Write evidence: the small model is right where it is sure, and sure of two thirds."""
        settings = config.load(self.config, {"TIERWISE_HOME": str(self.installed.home)})
        rules = bootstrap.rules_from(settings)
        flow, tiers = rules.workflows["tickets"], {"small": Tier.LOCAL, "large": Tier.FRONTIER}
        subjects = tuple(
            Subject(name=name, model=name, tier=tier, bundle=bundle_now(rules, flow, (name,), settings))
            for name, tier in tiers.items()
        )
        header = Header(
            run="r", workflow="tickets", began=0.0, baseline="large", subjects=subjects, dataset="sha256:d", items={},
            criteria=Criteria(**criteria), seal=Seal(digest="sha256:s", ts=0.0), scorer="exact", metric="exact",
        )  # fmt: skip
        draw = random.Random(1)
        writer = Writer.begin(self.evidence, header)
        for at in range(items):
            sure = draw.random() < 2 / 3
            for name, score in (("small", 1.0 if sure else float(draw.random() < 0.5)), ("large", 1.0)):
                writer.add(
                    Observation(
                        item=f"i{at}", cluster=f"c{at}", split="tune" if at % 10 < 3 else "prove", subject=name,
                        outcome="answered", score=score, confidence=-0.01 * draw.random() if sure else -2.0,
                    )
                )  # fmt: skip
        writer.close()

    def certify(self, *words: str, code: int = 0) -> Any:
        return self.installed.json(
            "certify", "tickets", "--evidence", str(self.evidence), "--config", str(self.config), *words, code=code
        )

    def enter(self, digest: str) -> None:
        self.config.write_text(WORKFLOW + f'certificate = "{digest}"\n')

    def route(self) -> Any:
        return self.installed.json("route", "hello", "--model", "auto:tickets", "--config", str(self.config))


@pytest.fixture
def desk(installed: Installed, tmp_path: Path) -> Desk:
    return Desk(installed, tmp_path)


def test_evidence_becomes_a_certificate_that_decides_and_that_a_changed_prompt_voids(desk: Desk) -> None:
    desk.measured(400)
    told = desk.certify()
    assert told["certified"] is True
    assert told["promise"] == "with 95 % confidence at most 5 % of locally accepted answers are wrong"
    assert told["void_here"] == []
    (step,) = told["steps"]
    assert step["accepts"]["wrong"] == 0 and step["accepts"]["bound"] <= 0.05
    assert told["prove"] == 280

    before = desk.route()
    assert "certificate" not in before

    desk.enter(told["digest"])
    found = desk.route()
    assert found["certificate"] == {"digest": told["digest"], "valid": True}
    assert found["chosen"] == "small"
    assert {one["model"] for one in found["candidates"] if one["expected_quality"]} == {"small", "large"}
    doctored = desk.installed.json("doctor", "--config", str(desk.config), code=1)  # nothing listens at its addresses
    (finding,) = [one for one in doctored if one["what"] == "certificate of tickets"]
    assert finding["well"] and "counts until" in finding["detail"]

    (desk.folder / "ticket.toml").write_text('user = "Please answer: {{text}}"')
    found = desk.route()
    assert found["certificate"]["void"] == ["changed: prompt"]
    assert found["chosen"] == "large"
    said = desk.installed.run("route", "hello", "--model", "auto:tickets", "--config", str(desk.config)).stdout
    assert "gave nothing: changed: prompt" in said
    doctored = desk.installed.json("doctor", "--config", str(desk.config), code=1)
    (finding,) = [one for one in doctored if one["what"] == "certificate of tickets"]
    assert not finding["well"] and "tierwise certify tickets" in finding["mend"]


def test_a_baseline_that_is_no_candidate_is_told_as_who_gets_the_rest(desk: Desk) -> None:
    desk.measured(400)
    assert desk.certify()["candidates"] == []
    desk.config.write_text(WORKFLOW.replace('candidates = ["small", "large"]', 'candidates = ["small"]'))
    assert desk.certify()["candidates"] == ["small", "large"]
    words = ("certify", "tickets", "--evidence", str(desk.evidence), "--config", str(desk.config))
    assert 'candidates = ["small", "large"]' in desk.installed.run(*words).stdout


def test_the_page_is_short_and_says_what_to_enter(desk: Desk) -> None:
    desk.measured(400)
    words = ("certify", "tickets", "--evidence", str(desk.evidence), "--config", str(desk.config))
    page = desk.installed.run(*words).stdout
    assert "Promised: with 95 % confidence at most 5 % of locally accepted answers are wrong." in page
    assert 'certificate = "sha256:' in page
    assert "Valid until" in page
    assert len(page.splitlines()) < 15


def test_too_little_evidence_is_a_no_that_says_how_much_more_it_takes(desk: Desk) -> None:
    desk.measured(60)
    told = desk.certify(code=1)
    assert told["certified"] is False
    assert told["digest"] is None
    assert told["steps"][0]["needed"] > told["prove"]
    page = desk.installed.run(
        "certify", "tickets", "--evidence", str(desk.evidence), "--config", str(desk.config), code=1
    ).stdout
    assert "not enough evidence" in page
    assert f"about {told['steps'][0]['needed']:,} clusters in prove would do" in page
    assert not (desk.installed.home / "certificates").exists()


def test_what_cannot_be_certified_from_is_wrong_use(desk: Desk) -> None:
    desk.measured(60)
    words = ("--evidence", str(desk.evidence), "--config", str(desk.config))
    assert "not of 'other'" in desk.installed.run("certify", "other", *words, code=2).stderr
    assert (
        "has no candidate 'none'" in desk.installed.run("certify", "tickets", "--step", "none", *words, code=2).stderr
    )
    assert "nothing was measured" in desk.installed.run("certify", "tickets", *words[2:], code=2).stderr
    agreed = desk.installed.run("certify", "tickets", "--signal", "agreement", *words, code=2)
    assert "answers.jsonl cannot be read" in agreed.stderr


def test_a_certificate_that_is_not_there_stops_nobody(desk: Desk) -> None:
    desk.enter("sha256:" + "0" * 64)
    found = desk.route()
    assert found["chosen"] == "large"
    assert "cannot be read" in found["certificate"]["void"][0]
