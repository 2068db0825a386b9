"""The picture of a call's way: what is in it, how it went, and that nothing from outside gets out of its place."""

import re
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace

from tests.unit.web.records import record
from tests.unit.web.test_decisions import HOSTILE, NOW, tried
from tierwise.core.decision import CandidateRecord, Decision, GateRecord, Labelled, LabelSource
from tierwise.core.label import Label, Tier
from tierwise.web import way, words


def candidate(model: str, by: str | None = None, score: float | None = None) -> CandidateRecord:
    return CandidateRecord(
        model=model, endpoint="e", tier=Tier.FRONTIER, allowed=by is None, excluded_by=by, reason="because", score=score
    )


def drawn(decision: Decision) -> tuple[str, ElementTree.Element]:
    text = str(way.picture(decision, "told in words"))
    return text, ElementTree.fromstring(text)  # what we wrote ourselves


def test_the_candidates_fan_out_and_those_that_may_not_end_with_their_reason() -> None:
    many = (candidate("far", "ceiling:restricted"), candidate("second", score=1.0), candidate("first", score=0.0))
    text, _ = drawn(replace(record(1, ts=NOW), candidates=many))
    assert text.index(">first<") < text.index(">second<") < text.index(">far<")
    assert "✕ the ceiling of restricted data" in text and "place 1" in text and "told in words" in text


def test_attempts_stand_in_their_order_and_show_how_they_went() -> None:
    text, _ = drawn(tried("escalate", "ok"))
    assert text.index("1. small") < text.index("2. large")
    assert "edge part" in text and "edge good" in text and "edge bad" not in text
    bad, _ = drawn(tried("next", error="Unreachable: nobody"))
    assert "edge bad" in bad and "Unreachable: nobody" in bad


@pytest.mark.parametrize("verdict", ["retry_same", "next", "stop", "stopped", "escalate", "cancelled", "new one"])
def test_only_an_answer_that_was_taken_is_good(verdict: str) -> None:
    assert way.kind_of(tried(verdict).attempts[0]) != "good"
    flagged = tried("ok", gate=GateRecord(name="refusal", verdict="fail"))
    assert way.kind_of(tried("ok").attempts[0]) == "good" != way.kind_of(flagged.attempts[0])


def test_a_refused_call_and_one_of_which_only_the_beginning_is_known_have_a_picture_too() -> None:
    for decision in (
        replace(record(1, ts=NOW, model=None, outcome="refused"), candidates=(candidate("far", "rule:inside"),)),
        replace(record(1, ts=NOW, model=None, outcome="interrupted", cost=None), candidates=()),
    ):
        text, root = drawn(decision)
        assert words.OUTCOMES[decision.outcome] in text and float(root.attrib["height"]) > 100


def test_many_candidates_are_counted_and_not_drawn() -> None:
    text, _ = drawn(replace(record(1, ts=NOW), candidates=tuple(candidate(f"m{n}", score=n) for n in range(40))))
    assert "and 26 more" in text and ">m13<" in text and ">m14<" not in text


def test_what_comes_from_outside_is_text() -> None:
    label = Labelled(
        value=Label.RESTRICTED, sources=(LabelSource(source=f"detector:{HOSTILE}", label=Label.RESTRICTED),)
    )
    hostile = replace(
        tried("next", error=HOSTILE), candidates=(candidate(HOSTILE, f"rule:{HOSTILE}"),), label=label,
        requested_model=HOSTILE, error=HOSTILE,
    )  # fmt: skip
    text, root = drawn(hostile)
    assert {one.tag.rpartition("}")[2] for one in root.iter()} <= {
        "svg", "title", "desc", "g", "rect", "text", "path", "line", "polygon",
    }  # fmt: skip
    assert "<script" not in text and not re.search(r"<[^>]* on\w+=", text) and "style=" not in text
