"""A decision in words: what was asked on which wire, in which order, and what it cost."""

from typing import Any

import pytest

from tierwise.cli.telling import busy, whole
from tierwise.core.call import Features
from tierwise.core.capacity import CapacityRecord
from tierwise.core.decision import AttemptRecord, CandidateRecord, Decision, GateRecord, Labelled, RuleRecord
from tierwise.core.label import Label, Tier
from tierwise.core.usage import Usage

SECOND = CandidateRecord(model="b", endpoint="eb", tier=Tier.LOCAL, allowed=True, score=1.0, reason="next")
OUT = CandidateRecord(model="c", endpoint="ec", tier=Tier.LOCAL, allowed=False, excluded_by="tool_loop", reason="no")
FIRST = CandidateRecord(model="a", endpoint="ea", tier=Tier.LOCAL, allowed=True, score=0.0, reason="best")


RULES = (
    RuleRecord(rule="rule:eu", effects=("deny",), because=("label = internal", "region_not = eu (us)")),
    RuleRecord(rule="rule:care", effects=("require_all", "no_store")),
)
DENIED = CandidateRecord(
    model="d", endpoint="ed", tier=Tier.FRONTIER, allowed=False, excluded_by="rule:eu", reason="not here", rules=RULES
)


def told(wire: str = "messages", attempts: tuple[AttemptRecord, ...] = (), **more: Any) -> str:
    features = Features(input_tokens_est=9, **more)
    decision = Decision(
        id="01", ts=0.0, requested_model="auto", caller_wire=wire, features=features,
        label=Labelled(value=Label.INTERNAL), candidates=(SECOND, OUT, FIRST, DENIED), attempts=attempts, outcome="answered",
    )  # fmt: skip
    return "\n".join(whole(decision))


def attempt(wire: str, gate: GateRecord) -> AttemptRecord:
    return AttemptRecord(
        endpoint="ea", model="a", tier=Tier.LOCAL, started=0.0, wire=wire, usage=Usage(), gate=gate, verdict="ok"
    )


def test_candidates_stand_in_the_order_of_trial() -> None:
    lines = [line.split()[:2] for line in told().splitlines() if "(local," in line]
    assert lines == [["1.", "a"], ["2.", "b"], ["–", "c"]]


def test_under_each_candidate_stand_the_rules_that_applied_and_why() -> None:
    lines = told().splitlines()
    at = next(n for n, line in enumerate(lines) if " d (frontier" in line)
    assert [line.strip() for line in lines[at : at + 3]] == [
        "–   d (frontier, ed): excluded by rule:eu: not here",
        "rule:eu denies: label = internal; region_not = eu (us)",
        "rule:care lets nothing be lost, asks no_store",
    ]


def test_both_wires_are_named() -> None:
    text = told("messages", (attempt("gemini", GateRecord(name="empty,truncated", verdict="pass")),))
    assert "asked for auto on messages" in text
    assert "1. a at ea on gemini: ok" in text


def test_a_count_of_tokens_is_called_one() -> None:
    gate = GateRecord(name="none", verdict="pass", detail="numbers are not judged")
    text = told("count_tokens", (attempt("count_tokens", gate),))
    assert "asked for a count of tokens by auto" in text
    assert "0 tokens in" not in text
    assert "no gate: numbers are not judged" in text


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        (GateRecord(name="empty,truncated", verdict="pass"), "passed the gates empty, truncated"),
        (GateRecord(name="head", verdict="pass", detail="the rest"), "its beginning passed the gates: the rest"),
        (GateRecord(name="schema", verdict="fail", detail="n is no number"), "failed the gate schema: n is no number"),
    ],
)
def test_what_the_gates_said(gate: GateRecord, said: str) -> None:
    assert f"\n     {said}\n" in told(attempts=(attempt("chat", gate),))


def test_what_nobody_was_asked_cost_nothing() -> None:
    assert "Cost: none, nobody was asked" in told()
    assert "Cost: unmetered" in told(attempts=(attempt("chat", GateRecord(name="empty", verdict="pass")),))


def test_one_is_not_counted_as_many() -> None:
    assert "1 tool," in told(tools=1, images=2)
    assert "2 images" in told(tools=1, images=2)


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (CapacityRecord(), ""),
        (CapacityRecord(answer_ms=1500.0), "about 1.5 s (answer 1.5)"),
        (CapacityRecord(loaded=False, slots=2, requests=0), "not loaded, 0 of 2 slots busy"),
        (
            CapacityRecord(loaded=True, slots=2, requests=5, context_tokens=512, wait_ms=2000.0, answer_ms=1000.0),
            "loaded, 2 of 2 slots busy, 3 waiting, context 512, about 3 s (wait 2 + answer 1)",
        ),
        (
            CapacityRecord(loaded=False, load_ms=8000.0, answer_ms=500.0),
            "not loaded, about 8.5 s (load 8 + answer 0.5)",
        ),
        (CapacityRecord(requests=1), "1 request under way"),
    ],
)
def test_how_busy_a_model_is_in_words(record: CapacityRecord, told: str) -> None:
    assert busy(record) == told
