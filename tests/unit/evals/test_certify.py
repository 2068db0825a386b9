"""What is promised holds on other data of the same kind, and nothing is promised that was not proven."""

import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tierwise.core.bundle import Bundle
from tierwise.core.criteria import Criteria
from tierwise.core.errors import ConfigError
from tierwise.core.label import Tier
from tierwise.evals.certify import Proven, prove, usual_order
from tierwise.evals.evidence import Evidence, Header, Observation, Review, Seal, Subject

DAY = 86_400.0
Answers = Callable[[random.Random], tuple[float, bool]]
"""Confidence, and whether the answer is right."""


def subject(name: str, tier: Tier = Tier.LOCAL, **parts: Any) -> Subject:
    bundle = Bundle(workflow="bank", models=((name, f"sha256:{name}"),), policy="p", **parts)
    return Subject(name=name, model=name, tier=tier, bundle=bundle)


def seen(item: int, name: str, sure: float | None, right: bool, *, tune: bool, **more: Any) -> Observation:
    told = {"outcome": "answered", "score": float(right), "cluster": f"c{item}", **more}
    return Observation(item=f"{item}", subject=name, split="tune" if tune else "prove", confidence=sure, **told)


def evidence(*observations: Observation, reviews: tuple[Review, ...] = (), **criteria: Any) -> Evidence:
    return Evidence(
        header=Header(
            run="r", workflow="bank", began=0.0, baseline="big",
            subjects=(subject("small"), subject("mid"), subject("big", Tier.FRONTIER)),
            dataset="sha256:d", items={}, criteria=Criteria(**criteria), seal=Seal(digest="s", ts=0.0),
            scorer="exact", metric="exact",
        ),
        observations=observations, reviews=reviews, digest="sha256:e",
    )  # fmt: skip


def honest(draw: random.Random) -> tuple[float, bool]:
    """Be as often right as is said."""
    chance = draw.random()
    return chance - 1, draw.random() < 1 - 0.3 * (1 - chance) ** 2


def drawn(seed: int, items: int = 2000, **answers: Answers) -> list[Observation]:
    """Answer as each is told; the baseline is always right."""
    draw, found = random.Random(seed), []
    for item in range(items):
        for name, answer in answers.items():
            sure, right = answer(draw)
            found.append(seen(item, name, sure, right, tune=item % 10 < 3))
        found.append(seen(item, "big", None, True, tune=item % 10 < 3))
    return found


def certified(seed: int = 1, order: tuple[str, ...] = ("small",), **criteria: Any) -> Proven:
    answers = dict.fromkeys(order, honest)
    return prove(evidence(*drawn(seed, **answers), **criteria), order, now=0.0)


def test_a_threshold_is_tuned_on_one_split_and_proven_on_the_other():
    found = certified()
    (step,) = found.steps
    assert found.certificate is not None
    assert step.accepts.threshold is not None and step.accepts.bound is not None
    assert step.accepts.bound <= 0.05
    assert step.accepts.n == found.prove == found.certificate.clusters == 1400
    assert found.tune == 600
    assert 0 < step.accepts.accepted < 1400


def test_what_is_promised_holds_on_new_items_as_often_as_is_said():
    broken = 0
    for seed in range(60):
        found = prove(evidence(*drawn(seed, 600, small=honest), max_wrong=0.1), ("small",), now=0.0)
        least = found.steps[0].accepts.threshold
        if least is not None:
            new = [one for one in drawn(1000 + seed, 3000, small=honest) if one.subject == "small"]
            kept = [one for one in new if one.confidence is not None and one.confidence >= least]
            broken += sum(one.score == 0 for one in kept) > 0.1 * len(kept)
    assert broken <= 7  # 3 are expected; so many by chance in 2 of 100 such tests


def test_each_step_of_a_cascade_is_proven_on_what_the_one_before_it_passes_on():
    draw = random.Random(4)
    rows = []
    for item in range(4000):
        tune, easy = item % 10 < 3, item % 2 == 0
        rows += [
            seen(item, "small", -0.1 if easy else -2.0, easy or draw.random() < 0.5, tune=tune),
            # Sure of everything, and right of what is easy: on what reaches it, it is too often wrong.
            seen(item, "mid", -0.1 - draw.random() / 100, easy or draw.random() < 0.9, tune=tune),
        ]
    alone = prove(evidence(*rows), ("mid",), now=0.0).steps[0].accepts
    small, mid = prove(evidence(*rows), ("small", "mid"), now=0.0).steps
    assert alone.threshold is None or alone.accepted > 0
    assert small.accepts.threshold == -0.1 and small.accepts.wrong == 0
    assert mid.accepts.threshold is None
    assert mid.why == "not proven"


def test_a_cascade_of_two_keeps_the_promise_at_both_steps():
    found = certified(order=("small", "mid"))
    assert [one.accepts.model for one in found.steps] == ["small", "mid"]
    assert all(one.accepts.threshold is not None for one in found.steps)
    assert found.steps[1].accepts.n < found.steps[0].accepts.n
    assert found.certificate is not None
    assert found.certificate.bundle.models == tuple((name, f"sha256:{name}") for name in ("big", "mid", "small"))


def test_what_follows_a_step_that_fell_short_is_not_tried():
    rows = drawn(3, 3000, small=honest, mid=honest)
    # On `prove` the first step is never right, whatever `tune` said.
    worse = [
        msgspec.structs.replace(one, score=0.0) if one.subject == "small" and one.split == "prove" else one
        for one in rows
    ]
    small, mid = prove(evidence(*worse), ("small", "mid"), now=0.0).steps
    assert small.accepts.threshold is None
    assert mid.accepts.threshold is None
    assert mid.why == "not tried, as small fell short of what was tuned"


def test_a_step_that_can_be_expected_to_pass_nowhere_is_left_out_and_the_next_sees_everything():
    def bad(draw: random.Random) -> tuple[float, bool]:
        return -draw.random(), draw.random() < 0.5

    small, mid = prove(evidence(*drawn(3, small=bad, mid=honest)), ("small", "mid"), now=0.0).steps
    assert small.accepts.threshold is None
    assert mid.accepts.threshold is not None and mid.accepts.n == 1400


def test_of_the_other_guarantee_more_may_be_kept_and_it_speaks_of_all_items():
    given, joint = certified(), certified(guarantee="wrong_and_accepted")
    assert joint.certificate is not None and joint.certificate.guarantee == "wrong_and_accepted"
    (last,) = joint.certificate.accepts
    assert last.accepted > given.steps[0].accepts.accepted
    assert last.bound is not None and last.wrong / last.n <= last.bound <= 0.05


def test_of_the_other_guarantee_what_an_earlier_step_keeps_counts_for_the_later_one():
    def half(draw: random.Random) -> tuple[float, bool]:
        return (-0.1, draw.random() < 0.98) if draw.random() < 0.5 else (-3.0, draw.random() < 0.5)

    rows = evidence(*drawn(2, small=half, mid=honest), guarantee="wrong_and_accepted")
    small, mid = (step.accepts for step in prove(rows, ("small", "mid"), now=0.0).steps)
    assert small.threshold == -0.1
    assert small.n == mid.n == 1400
    assert mid.accepted > small.accepted
    assert small.wrong < mid.wrong <= 0.05 * 1400


def test_too_few_items_certify_nothing_and_it_is_said_how_many_would():
    rows = drawn(5, 60, small=lambda draw: (-draw.random(), True))
    found = prove(evidence(*rows), ("small",), now=0.0)
    assert found.certificate is None
    assert found.steps[0].needed is not None and found.steps[0].needed > found.prove
    again = prove(evidence(*drawn(5, 10 * found.steps[0].needed // 6, small=lambda draw: (-draw.random(), True))),
                  ("small",), now=0.0)  # fmt: skip
    assert again.certificate is not None


def test_a_model_that_is_never_right_is_no_matter_of_more_items():
    found = prove(evidence(*drawn(5, small=lambda draw: (-draw.random(), False))), ("small",), now=0.0)
    assert found.certificate is None
    assert found.steps[0].needed is None


def test_what_nobody_could_judge_counts_as_wrong():
    rows = [seen(at, "small", -0.1, True, tune=at % 10 < 3) for at in range(400)]
    lost = {"outcome": "scorer_failed", "score": None}
    worse = [msgspec.structs.replace(one, **lost) if int(one.item) % 4 == 0 else one for one in rows]
    assert prove(evidence(*rows), ("small",), now=0.0).certificate is not None
    assert prove(evidence(*worse), ("small",), now=0.0).certificate is None


def test_an_answer_that_a_gate_does_not_let_out_is_not_kept():
    rows = [seen(at, "small", -0.1, True, tune=at % 10 < 3) for at in range(400)]
    bad = {"outcome": "unparsed", "score": None, "accepted": False}
    some = [msgspec.structs.replace(one, **bad) if int(one.item) % 4 == 0 else one for one in rows]
    (step,) = prove(evidence(*some), ("small",), now=0.0).steps
    assert step.accepts.wrong == 0
    assert step.accepts.accepted < step.accepts.n


def test_a_persons_word_counts_more_than_the_scorers():
    rows = [seen(at, "small", -0.1, False, tune=at % 10 < 3) for at in range(400)]
    said = tuple(
        Review(item=one.item, cluster=one.cluster, split=one.split, subject="small", right=True, seconds=1, who="a", ts=0)
        for one in rows
    )  # fmt: skip
    assert prove(evidence(*rows), ("small",), now=0.0).certificate is None
    assert prove(evidence(*rows, reviews=said), ("small",), now=0.0).certificate is not None


def test_one_cluster_counts_once():
    rows = [seen(at, "small", -0.1, True, tune=at % 10 < 3, cluster=f"c{at // 100}-{at % 10 < 3}") for at in range(900)]
    found = prove(evidence(*rows), ("small",), now=0.0)
    assert found.prove == 9
    assert found.certificate is None


def test_quality_is_that_of_the_model_alone_and_missing_answers_widen_it():
    rows = drawn(1, small=lambda draw: (-draw.random() / 10, draw.random() < 0.97))
    whole = prove(evidence(*rows), ("small",), now=0.0).certificate
    gone = {"outcome": "timeout", "score": None, "confidence": None}
    holes = [
        msgspec.structs.replace(one, **gone) if one.subject == "small" and int(one.item) % 50 == 9 else one
        for one in rows
    ]
    less = prove(evidence(*holes), ("small",), now=0.0).certificate
    assert whole is not None and less is not None
    (full,), (holed,) = whole.quality, less.quality
    assert full.baseline_score == 1.0
    assert full.low < full.difference < full.high <= 0.0
    assert full.relative == pytest.approx(1 + full.low)
    assert holed.low < full.low - 0.015  # a tenth of prove's items are at their worst


def test_what_is_missing_is_no_score_of_zero():
    rows = drawn(1, 800, small=lambda draw: (-draw.random() / 10, True))
    gone = {"outcome": "timeout", "score": None}
    silent = [msgspec.structs.replace(one, **gone) if one.subject == "big" else one for one in rows]
    found = prove(evidence(*silent), ("small",), now=0.0).certificate
    assert found is not None
    (quality,) = found.quality
    assert (quality.score, quality.baseline_score, quality.difference) == (1.0, None, None)
    assert quality.relative is None


def test_what_another_model_answered_is_no_answer_of_the_one_that_is_certified():
    rows = [seen(at, "small", -0.1, True, tune=at % 10 < 3, reached="big") for at in range(400)]
    assert prove(evidence(*rows), ("small",), now=0.0).certificate is None


def test_a_certificate_expires_and_knows_what_it_rests_on():
    found = certified(expires_days=7).certificate
    assert found is not None
    assert found.expires == found.issued + 7 * DAY
    assert (found.evidence, found.dataset, found.baseline) == ("sha256:e", "sha256:d", "big")
    assert all(value >= (found.accepts[0].threshold or 0) for value in found.reference["small"])
    assert list(found.reference["small"]) == sorted(found.reference["small"])
    assert len(found.reference["small"]) == 200


def test_the_same_evidence_gives_the_same_certificate():
    one, other = certified(), certified()
    assert one.certificate is not None and other.certificate is not None
    assert one.certificate.digest == other.certificate.digest


def test_the_usual_steps_are_the_candidates_that_answer_inside():
    known = evidence()
    route = subject("auto:bank")
    header = msgspec.structs.replace(known.header, subjects=(*known.header.subjects, route))
    assert usual_order(msgspec.structs.replace(known, header=header)) == ("small", "mid")


@pytest.mark.parametrize("order", [(), ("small", "small"), ("other",)])
def test_an_order_that_makes_no_sense_is_refused(order: tuple[str, ...]):
    with pytest.raises(ConfigError):
        prove(evidence(*drawn(1, 100, small=honest)), order, now=0.0)


def test_without_one_of_the_splits_nothing_is_certified():
    rows = [one for one in drawn(1, 100, small=honest) if one.split == "prove"]
    with pytest.raises(ConfigError, match="split tune"):
        prove(evidence(*rows), ("small",), now=0.0)


def test_another_signal_is_read_from_the_scores():
    rows = [
        seen(at, "small", None, at % 7 != 0, tune=at % 10 < 3, scores={"verifier": 0.9 if at % 7 else 0.1})
        for at in range(400)
    ]
    found = prove(evidence(*rows), ("small",), now=0.0, signal="verifier")
    assert found.certificate is not None
    assert found.steps[0].accepts.threshold == 0.9
    assert found.steps[0].accepts.signal == "verifier"
    assert prove(evidence(*rows), ("small",), now=0.0).steps[0].why == "no answer that reached it has a logprob"


def test_candidates_that_were_measured_under_other_prompts_have_no_certificate_together():
    known = evidence(*drawn(1, small=honest))
    other = msgspec.structs.replace(known.header, subjects=(subject("small", prompt="x"), *known.header.subjects[1:]))
    with pytest.raises(ConfigError, match="differ in more than their models"):
        prove(msgspec.structs.replace(known, header=other), ("small",), now=0.0)


def test_nothing_is_certified_on_the_way() -> None:
    known = evidence(*drawn(1, 400, small=honest))
    rows = len({one.item for one in known.observations if one.split == "prove"})
    whole = msgspec.structs.replace(known, header=msgspec.structs.replace(known.header, items={"prove": rows}))
    assert prove(whole, ["small"], 0.0) == prove(known, ["small"], 0.0)
    early = msgspec.structs.replace(known, header=msgspec.structs.replace(known.header, items={"prove": rows + 1}))
    with pytest.raises(ConfigError, match="not at its end"):
        prove(early, ["small"], 0.0)
