"""A certificate that counts gives thresholds, an order and quality; one that does not gives nothing and says why."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tests.unit.gateway.test_decide import LABELS, rules
from tierwise.core.bundle import Bundle
from tierwise.core.call import Features
from tierwise.core.certificate import Accepts, Certificate, Quality
from tierwise.core.decision import Labelled
from tierwise.core.label import Label
from tierwise.fallback.breaker import BreakerSettings
from tierwise.gateway.certified import NOTHING, Certified
from tierwise.gateway.decide import Ask, Ruling, decide, resolve
from tierwise.gateway.facts import Facts
from tierwise.gateway.rules import Rules
from tierwise.gateway.workflow import Workflow
from tierwise.policy.released import Written
from tierwise.policy.settings import Rule, Then, When
from tierwise.quality.checks import unsure
from tierwise.quality.gate import threshold
from tierwise.quality.settings import Gates

NOW, EXPIRES = 1000.0, 2000.0
DIGEST = "sha256:" + "0" * 64


def bundle(**changed: Any) -> Bundle:
    parts = {"workflow": "bank", "models": (("far", "f"), ("mid", "m"), ("scoped", "s")), **changed}
    return Bundle(policy=parts.pop("policy", rules().policy.digest), **parts)


def certificate(**changed: Any) -> Certificate:
    parts: dict[str, Any] = {
        "workflow": "bank", "bundle": bundle(), "guarantee": "wrong_given_accepted", "max_wrong": 0.05,
        "confidence": 0.95, "issued": 0.0, "expires": EXPIRES, "evidence": "e", "dataset": "d", "clusters": 100,
        "baseline": "far",
        "accepts": (Accepts(model="mid", threshold=-0.2), Accepts(model="scoped", threshold=-0.1)),
        "quality": tuple(
            Quality(model=name, score=0.9, baseline_score=1.0, difference=-0.1, low=low, high=0.0, n=100)
            for name, low in (("mid", -0.15), ("scoped", -0.2))
        ),
    }  # fmt: skip
    return Certificate(**{**parts, **changed})


def bank(**changed: Any) -> Workflow:
    parts = {"candidates": ("scoped", "mid", "far"), "strategy": "cascade", "certificate": DIGEST, **changed}
    return Workflow(name="bank", **parts)


def in_force(flow: Workflow, proven: Certificate | None = None, now: Bundle | None = None) -> Rules:
    proven = proven or certificate()
    known = {"bank": Certified.of(flow, DIGEST, proven, now or bundle())}
    return msgspec.structs.replace(rules(), workflows={"bank": flow}, certified=known)


def ruled(known: Rules, ts: float = NOW, drifted: frozenset[str] = frozenset()) -> Ruling:
    facts = Facts(BreakerSettings(), ())
    facts.drifted = drifted
    ask = Ask(id="d", ts=ts, now=0.0, model="auto:bank", wire="openai.chat", features=Features(input_tokens_est=10))
    return decide(known, facts, ask, resolve(known, ask), Labelled(value=Label.PUBLIC))


def order(ruling: Ruling) -> list[str]:
    return [hop.model.id for hop in ruling.hops]


def asked(ruling: Ruling) -> dict[str, float | None]:
    assert ruling.workflow is not None
    return {name: threshold(ruling.workflow.gates, name) for name in ("scoped", "mid", "far")}


def qualities(ruling: Ruling) -> dict[str, float | None]:
    return {one.model: one.expected_quality for one in ruling.decision.candidates}


def test_a_valid_one_gives_thresholds_and_its_own_order():
    ruling = ruled(in_force(bank()))
    assert order(ruling) == ["mid", "scoped", "far"]
    assert asked(ruling) == {"mid": -0.2, "scoped": -0.1, "far": None}
    assert ruling.decision.certificate
    assert (ruling.decision.certificate.valid, ruling.decision.certificate.void) == (True, ())


def test_a_valid_one_gives_quality_as_evidence_and_that_of_the_baseline_is_1():
    ruling = ruled(in_force(bank(strategy="cheapest_sufficient", min_quality=0.82)))
    assert qualities(ruling) == {"mid": 0.85, "scoped": 0.8, "far": 1.0}
    assert order(ruling) == ["mid", "far", "scoped"]


def test_a_model_of_which_nothing_is_accepted_comes_last_and_is_never_sure_enough():
    proven = certificate(accepts=(Accepts(model="scoped", threshold=None), Accepts(model="mid", threshold=-0.2)))
    ruling = ruled(in_force(bank(), proven))
    assert order(ruling) == ["mid", "far", "scoped"]
    assert qualities(ruling)["scoped"] is None
    assert asked(ruling)["scoped"] == NOTHING
    assert unsure(0.0, NOTHING) == "none of its answers is accepted"


def unlike(**changed: Any) -> Callable[[], Rules]:
    return lambda: in_force(bank(), now=bundle(**changed))


VOID: list[tuple[str, Callable[[], Rules]]] = [
    ("changed: workflow", unlike(workflow="other")),
    ("changed: models (mid)", unlike(models=(("far", "f"), ("mid", "another"), ("scoped", "s")))),
    ("changed: models (mid)", unlike(models=(("far", "f"), ("scoped", "s")))),
    ("changed: prompt", unlike(prompt="p")),
    ("changed: engine", unlike(engine="e")),
    ("changed: policy", unlike(policy="p")),
    ("changed: gates", unlike(gates="g")),
    ("changed: scorer", unlike(scorer="s")),
    ("it is one of the workflow 'other'", lambda: in_force(bank(), certificate(workflow="other"))),
    ("it expired on 1970-01-01 00:16 UTC", lambda: in_force(bank(), certificate(expires=NOW))),
    (
        "gates.min_logprob of mid says -0.3, the certificate -0.2",
        lambda: in_force(bank(gates=Gates(min_logprob={"mid": -0.3}))),
    ),
    (
        "mid is accepted by its agreement, which the gates do not see",
        lambda: in_force(bank(), certificate(accepts=(Accepts(model="mid", threshold=0.9, signal="agreement"),))),
    ),
    (
        "it holds for 2 models in their order, which the strategy fastest is not",
        lambda: in_force(bank(strategy="fastest")),
    ),
    ("it was not read yet", lambda: msgspec.structs.replace(in_force(bank()), certified={})),
]


@pytest.mark.parametrize(("why", "known"), VOID, ids=[f"{why[:30]}-{at}" for at, (why, _) in enumerate(VOID)])
def test_a_void_one_gives_nothing_and_says_why(why: str, known: Callable[[], Rules]):
    ruling = ruled(known())
    assert ruling.decision.certificate
    assert not ruling.decision.certificate.valid
    assert why in ruling.decision.certificate.void
    assert set(qualities(ruling).values()) == {None}
    said = ruling.workflow.gates.min_logprob if ruling.workflow else None
    assert said in (None, {"mid": -0.3})
    if ruling.decision.strategy != "fastest":
        assert order(ruling)[0] == "far", "no model answers first only because it is cheap"


def test_it_counts_until_the_very_moment_when_it_expires():
    known = in_force(bank())
    assert ruled(known, EXPIRES - 0.001).decision.certificate.valid
    assert not ruled(known, EXPIRES).decision.certificate.valid


def test_another_policy_that_is_put_in_force_makes_it_void_and_the_same_one_again_mends_it():
    known = in_force(bank())
    other = known.under(Written(labels=LABELS, rule=(Rule(when=When(label=Label.RESTRICTED), then=Then(deny=True)),)))
    assert ruled(other).decision.certificate.void == ("changed: policy",)
    assert ruled(other.under(Written(labels=LABELS))).decision.certificate.valid


def test_one_whose_traffic_has_drifted_does_not_count_and_one_in_its_place_does():
    known = in_force(bank())
    drifted = frozenset({known.certified["bank"].subject})
    assert "drift" in ruled(known, drifted=drifted).decision.certificate.void[0]
    assert ruled(known, drifted=frozenset({"workflow:bank under sha256:1"})).decision.certificate.valid


@pytest.mark.parametrize("least", [{"mid": -0.2, "far": -1.0}, None])
def test_what_is_written_in_the_gates_stays_where_the_certificate_says_nothing_else(least: dict[str, float] | None):
    ruling = ruled(in_force(bank(gates=Gates(min_logprob=least))))
    assert ruling.decision.certificate.valid
    assert asked(ruling) == {"scoped": -0.1, "mid": -0.2, "far": (least or {}).get("far")}


def test_a_threshold_for_all_that_is_the_certified_one_stays():
    same = certificate(accepts=(Accepts(model="mid", threshold=-0.2), Accepts(model="scoped", threshold=-0.2)))
    ruling = ruled(in_force(bank(gates=Gates(min_logprob=-0.2)), same))
    assert ruling.decision.certificate.valid
    assert set(asked(ruling).values()) == {-0.2}


def test_without_a_certificate_nothing_is_recorded_of_one():
    known = msgspec.structs.replace(rules(), workflows={"bank": bank(certificate=None)})
    assert ruled(known).decision.certificate is msgspec.UNSET
