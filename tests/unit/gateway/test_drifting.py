"""Drift is seen where what is accepted no longer lies as it did, and forgotten when its incident is closed."""

import random
from typing import Any

import msgspec
import pytest

from tests.unit.gateway.test_certified import DIGEST, bank, certificate, in_force
from tierwise.core.call import Features
from tierwise.core.certificate import Accepts
from tierwise.core.decision import AttemptRecord, CertificateRecord, Decision, GateRecord, Labelled
from tierwise.core.label import Label, Tier
from tierwise.fallback.breaker import BreakerSettings
from tierwise.gateway.drifting import MOST_WAITING, WINDOW, Drifting
from tierwise.gateway.facts import Facts
from tierwise.gateway.rules import Rules

DRAW = random.Random(1)
REFERENCE = tuple(sorted(-DRAW.random() for _ in range(200)))


def known() -> Rules:
    accepts = (Accepts(model="scoped", threshold=-1.0), Accepts(model="mid", threshold=-1.0))
    return in_force(bank(), certificate(accepts=accepts, reference={"scoped": REFERENCE, "mid": REFERENCE}))


def attempt(model: str, sure: float | None, *, passed: bool = True) -> AttemptRecord:
    gate = GateRecord(name="min_logprob", verdict="pass" if passed else "fail")
    return AttemptRecord(
        endpoint="here", model=model, tier=Tier.LOCAL, started=0.0, confidence=sure, gate=gate,
        verdict="ok" if passed else "escalate",
    )  # fmt: skip


def decision(*attempts: AttemptRecord, ident: str = "d", **changed: Any) -> Decision:
    record = CertificateRecord(digest=DIGEST, valid=True)
    told = Decision(
        id=ident, ts=0.0, requested_model="auto:bank", caller_wire="w", features=Features(input_tokens_est=1), workflow="bank",
        label=Labelled(value=Label.PUBLIC), attempts=attempts, outcome="answered", certificate=record, strategy="cascade",
    )  # fmt: skip
    return msgspec.structs.replace(told, **changed)


class Following:
    def __init__(self, open_now: tuple[str, ...] = ()) -> None:
        self.rules, self.facts = known(), Facts(BreakerSettings(), ())
        self.drifting = Drifting(lambda: self.rules, self.facts, open_now)
        self.subject = self.rules.certified["bank"].subject

    def hear(self, *values: float, **changed: Any) -> list[tuple[str, str]]:
        found = []
        for at, value in enumerate(values, 1):
            self.drifting.finished(decision(attempt("scoped", value), ident=f"d{at}", **changed))
            found += self.drifting.look() if at % 50 == 0 or at == len(values) else ()
        return found


def alike(count: int, seed: int = 2) -> list[float]:
    draw = random.Random(seed)
    return [-draw.random() for _ in range(count)]


def less(count: int) -> list[float]:
    return [value / 4 - 0.75 for value in alike(count)]


def test_what_lies_as_it_did_is_no_drift_however_long():
    following = Following()
    for seed in range(5):
        assert following.hear(*alike(WINDOW, seed)) == []
    assert following.facts.drifted == frozenset()


def test_what_lies_elsewhere_is_told_once_with_the_newest_call():
    following = Following()
    assert following.hear(*less(100)) == [(following.subject, "d50")]
    assert following.facts.drifted == {following.subject}
    assert following.hear(*less(100)) == []


def test_an_alarm_counts_until_its_incident_was_stored_and_closed_and_then_begins_anew():
    following = Following()
    following.hear(*less(100))
    following.drifting.open_now(())  # the store has not heard of it yet
    assert following.facts.drifted
    following.drifting.open_now((following.subject,))
    assert following.facts.drifted
    following.drifting.open_now(())
    assert not following.facts.drifted
    assert following.hear(*alike(50)) == []
    assert following.hear(*less(200)) != []


def test_an_incident_that_is_open_when_the_gateway_starts_counts():
    following = Following(("workflow:bank under sha256:old",))
    assert following.facts.drifted == {"workflow:bank under sha256:old"}


def test_it_is_found_too_after_much_that_was_well():
    following = Following()
    following.hear(*alike(2 * WINDOW))
    found: list[tuple[str, str]] = []
    while not found:
        found = following.hear(*less(50))


OTHERWISE: list[tuple[str, dict[str, Any]]] = [
    ("named by the caller", {"strategy": "pinned"}),
    ("flagged", {"outcome": "flagged"}),
    ("under a certificate that did not count", {"certificate": CertificateRecord(digest=DIGEST, valid=False)}),
    ("under another certificate", {"certificate": CertificateRecord(digest="sha256:1", valid=True)}),
    ("without one", {"certificate": msgspec.UNSET}),
    ("withheld", {"attempts": (attempt("scoped", -0.9, passed=False),)}),
    ("without a confidence", {"attempts": (attempt("scoped", None),)}),
    ("by a model that is no step", {"attempts": (attempt("far", -0.9),)}),
    ("by a later step that was asked first", {"attempts": (attempt("mid", -0.9),)}),
]


@pytest.mark.parametrize("changed", [row for _, row in OTHERWISE], ids=[name for name, _ in OTHERWISE])
def test_an_answer_that_was_not_accepted_as_certified_says_nothing(changed: dict[str, Any]):
    following = Following()
    assert following.hear(*less(300), **changed) == []


def test_a_later_step_is_heard_after_the_one_before_it_was_not_sure():
    following = Following()
    for value in less(100):
        following.drifting.finished(decision(attempt("scoped", -3.0, passed=False), attempt("mid", value)))
    assert list(following.drifting.look()) == [(following.subject, "d")]


def test_what_waits_between_two_looks_is_bounded():
    following = Following()
    for value in less(10 * MOST_WAITING):
        following.drifting.finished(decision(attempt("scoped", value)))
    (waiting,) = following.drifting.waiting().values()
    assert waiting == MOST_WAITING
    assert list(following.drifting.look())
    assert set(following.drifting.waiting().values()) == {0}


def test_another_certificate_begins_anew():
    following = Following()
    following.hear(*less(5))
    following.rules = msgspec.structs.replace(following.rules, certified={})
    assert following.hear(*less(300)) == []
