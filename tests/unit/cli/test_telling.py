"""A decision in words: what was asked on which wire, in which order, and what it cost."""

from typing import Any

import pytest

from tierwise.cli.telling import whole
from tierwise.core.call import Features
from tierwise.core.decision import AttemptRecord, CandidateRecord, Decision, GateRecord, Labelled
from tierwise.core.label import Label, Tier
from tierwise.core.usage import Usage

SECOND = CandidateRecord(model="b", endpoint="eb", tier=Tier.LOCAL, allowed=True, score=1.0, reason="next")
OUT = CandidateRecord(model="c", endpoint="ec", tier=Tier.LOCAL, allowed=False, excluded_by="tool_loop", reason="no")
FIRST = CandidateRecord(model="a", endpoint="ea", tier=Tier.LOCAL, allowed=True, score=0.0, reason="best")


def told(wire: str = "messages", attempts: tuple[AttemptRecord, ...] = (), **more: Any) -> str:
    features = Features(input_tokens_est=9, **more)
    decision = Decision(
        id="01", ts=0.0, requested_model="auto", caller_wire=wire, features=features,
        label=Labelled(value=Label.INTERNAL), candidates=(SECOND, OUT, FIRST), attempts=attempts, outcome="answered",
    )  # fmt: skip
    return "\n".join(whole(decision))


def attempt(wire: str, gate: GateRecord) -> AttemptRecord:
    return AttemptRecord(
        endpoint="ea", model="a", tier=Tier.LOCAL, started=0.0, wire=wire, usage=Usage(), gate=gate, verdict="ok"
    )


def test_candidates_stand_in_the_order_of_trial() -> None:
    lines = [line.split()[:2] for line in told().splitlines() if "(local," in line]
    assert lines == [["1.", "a"], ["2.", "b"], ["–", "c"]]


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
