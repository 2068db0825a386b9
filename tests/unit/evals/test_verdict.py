"""What follows from a comparison? Each verdict from evidence made for it, each gate, and what never may happen."""

import math
import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import pytest

from tests.unit.evals.world import BASELINE, BEGAN, Rates, evidence, frontier, lines
from tierwise.core.criteria import Criteria
from tierwise.core.errors import ConfigError
from tierwise.core.label import Tier
from tierwise.evals.card import Card, Gate, Option, from_json, to_json
from tierwise.evals.evidence import Evidence, Judgement, Observation, Resealed, Review, read
from tierwise.evals.reckon import Reckoned
from tierwise.evals.seal import Stored, sealed
from tierwise.evals.verdict import decide
from tierwise.evals.ways import Way

ORDER = ("stop", "not_enough_evidence", "adjust", "expand")


def of(card: Card, name: str) -> Option:
    return next(option for option in (*card.options, card.baseline) if option.name == name)


def gate(card: Card, option: str, name: str) -> Gate:
    return next(one for one in of(card, option).gates if one.name == name)


def test_a_cheaper_candidate_that_is_as_good_is_expanded(tmp_path: Path) -> None:
    card = decide(evidence(tmp_path, {BASELINE: frontier(), "small": Rates(0.92)}, items=400))
    assert (card.verdict, card.choice, card.share, card.robustness) == ("expand", "small", 1.0, "robust")
    assert of(card, "small").passed and of(card, "small").language_model
    assert card.expires == pytest.approx(card.ended + 90 * 86_400)
    assert card.sealed_before_results and not card.edits


def test_the_cheapest_answer_may_need_no_language_model(tmp_path: Path) -> None:
    ways = {BASELINE: frontier(), "small": Rates(0.92, ms=200), "linear": Rates(0.92, ms=2, language_model=False)}
    card = decide(evidence(tmp_path, ways, items=400))
    assert (card.verdict, card.choice, card.language_model) == ("expand", "linear", False)
    assert "no language model" in card.headline
    assert card.front == ("linear",), "where nothing costs money the quicker one is the cheaper one"


def test_a_saving_that_may_be_none_is_not_told_as_shown(tmp_path: Path) -> None:
    # Both cost nothing but their errors, and are as often right.
    ways = {BASELINE: Rates(0.92), "small": Rates(0.93, together=0.0)}
    card = decide(evidence(tmp_path, ways, items=600, criteria=Criteria(error_cost_usd=Decimal("0.1"), margin=0.05)))
    assert (card.verdict, card.choice, card.robustness) == ("expand", "small", "fragile")
    assert card.headline.endswith(f"as it looks cheaper than {BASELINE}")
    assert "after all?" in card.next[0].what


def test_who_answers_the_rest_is_said(tmp_path: Path) -> None:
    ways = {BASELINE: frontier(), "small": Rates(0.8, sure=0.95)}
    card = decide(evidence(tmp_path, ways, items=1200, tune=500))
    assert f"it is sure of, {BASELINE} the rest" in card.headline


def test_from_not_enough_to_not_enough_is_no_turn(tmp_path: Path) -> None:
    card = decide(evidence(tmp_path, {BASELINE: Rates(0.9, missing=0.5), "small": Rates(0.9)}, items=300))
    assert card.verdict == "not_enough_evidence"
    assert all(flip.kind != "not_enough_evidence" for flip in card.flips)


def test_sure_answers_may_stay_where_the_whole_would_not_do(tmp_path: Path) -> None:
    ways = {BASELINE: frontier(), "small": Rates(0.8, sure=0.95)}
    card = decide(evidence(tmp_path, ways, items=1200, tune=500))
    assert gate(card, "small", "quality").state == "failed"
    assert (card.verdict, card.choice) == ("expand", f"small, then {BASELINE}")
    chosen = of(card, f"small, then {BASELINE}")
    assert card.share is not None and 0.6 < card.share < 0.95 and chosen.threshold is not None
    assert gate(card, chosen.name, "certificate").state == "passed"
    assert chosen.cost_usd.value is not None and card.baseline.cost_usd.value is not None
    assert chosen.cost_usd.value == pytest.approx((1 - card.share) * 0.002, rel=0.05)


def test_a_candidate_that_only_breaks_a_limit_asks_for_a_change(tmp_path: Path) -> None:
    ways = {BASELINE: frontier(), "small": Rates(0.92, ms=5000)}
    card = decide(evidence(tmp_path, ways, items=400, criteria=Criteria(max_latency_ms_p95=1000)))
    assert (card.verdict, card.choice) == ("adjust", "small")
    assert len(card.adjust) == 1 and "faster hardware" in card.adjust[0] and "1,000 ms" in card.adjust[0]


def test_the_search_stops_where_every_candidate_is_shown_to_be_worse(tmp_path: Path) -> None:
    card = decide(evidence(tmp_path, {BASELINE: frontier(), "a": Rates(0.7), "b": Rates(0.6)}, items=400))
    assert (card.verdict, card.robustness) == ("stop", "robust")
    assert all(gate(card, name, "quality").state == "failed" for name in "ab")


def test_the_search_stops_at_the_number_of_items_that_was_to_be_enough(tmp_path: Path) -> None:
    ways = {BASELINE: frontier(), "small": Rates(0.92, together=0.3)}
    for enough, verdict in ((150, "stop"), (151, "not_enough_evidence")):
        place = tmp_path / str(enough)
        card = decide(evidence(place, ways, items=150, criteria=Criteria(stop_after_items=enough)))
        assert card.verdict == verdict


def test_the_search_stops_where_what_is_proven_saves_nothing(tmp_path: Path) -> None:
    dear = Rates(0.92, cost="0.01", tier=Tier.FRONTIER)
    card = decide(evidence(tmp_path, {BASELINE: frontier(), "other": dear}, items=400))
    assert (card.verdict, card.headline) == ("stop", "Good enough, but no gain: stay with the baseline")


def test_too_little_says_how_much_more_it_takes(tmp_path: Path) -> None:
    ways = {BASELINE: frontier(), "small": Rates(0.92, together=0.5)}
    card = decide(evidence(tmp_path, ways, items=150))
    assert (card.verdict, card.robustness) == ("not_enough_evidence", "undetermined")
    assert card.needs is not None and card.needs > 150
    more = decide(
        evidence(tmp_path / "more", {**ways, "small": Rates(0.925, together=0.5)}, items=150 + 2 * card.needs)
    )
    assert more.verdict == "expand"


def test_nothing_measured_is_not_enough(tmp_path: Path) -> None:
    card = decide(evidence(tmp_path, {BASELINE: frontier(), "small": Rates()}, items=0, planned=200))
    assert (card.verdict, card.needs, card.seen) == ("not_enough_evidence", 200, 0)
    assert to_json(from_json(to_json(card))) == to_json(card)


def test_fewer_items_than_asked_for_prove_nothing(tmp_path: Path) -> None:
    card = decide(
        evidence(tmp_path, {BASELINE: frontier(), "small": Rates(0.92)}, items=300, criteria=Criteria(min_items=301))
    )
    assert card.verdict == "not_enough_evidence" and card.needs == 1


def test_a_baseline_that_refuses_half_is_no_measure(tmp_path: Path) -> None:
    ways = {BASELINE: frontier(missing=0.5, outcome="refusal"), "small": Rates(0.99)}
    card = decide(evidence(tmp_path, ways, items=600))
    assert (card.verdict, card.headline) == (
        "not_enough_evidence", "The baseline did not answer enough for a comparison",
    )  # fmt: skip


# gates


def test_what_policy_denies_is_no_fault_of_quality_and_cannot_be_outweighed(tmp_path: Path) -> None:
    card = decide(evidence(tmp_path, {BASELINE: frontier(), "small": Rates(0.99, denied=0.4)}, items=400))
    assert card.verdict != "expand"
    assert gate(card, "small", "policy").state == "failed"
    assert gate(card, "small", "missing").measured.value == 0


@pytest.mark.parametrize("outcome", ["timeout", "refusal", "truncated", "unparsed", "failed", "scorer_failed"])
def test_a_missing_answer_is_no_score_but_reckoned_at_its_worst(tmp_path: Path, outcome: str) -> None:
    ways = {BASELINE: frontier(), "small": Rates(0.92, missing=0.04, outcome=outcome)}
    card = decide(evidence(tmp_path, ways, items=500))
    quality = of(card, "small").quality
    assert quality.difference is not None and quality.difference.value == pytest.approx(0, abs=0.01)
    assert quality.worst is not None and quality.best is not None
    assert quality.worst < -0.02 < 0 <= quality.best, "the worst and the best that the missing answers allow"
    assert gate(card, "small", "quality").state == "open" and card.verdict == "not_enough_evidence"
    assert of(card, "small").outcomes[outcome] > 5


def test_an_answer_of_another_model_is_credited_to_nobody(tmp_path: Path) -> None:
    known = evidence(tmp_path, {BASELINE: frontier(), "small": Rates(0.92)}, items=300)
    changed = tuple(
        msgspec.structs.replace(row, reached="other") if row.subject == "small" and at % 4 == 1 else row
        for at, row in enumerate(known.observations)
    )
    card = decide(msgspec.structs.replace(known, observations=changed))
    assert of(card, "small").outcomes["other_model"] == 150
    assert card.verdict != "expand" and any("another model" in note for note in card.notes)


def test_latency_counts_only_under_the_stated_load(tmp_path: Path) -> None:
    rule = Criteria(max_latency_ms_p95=1000, concurrency=8)
    idle = decide(
        evidence(tmp_path / "1", {BASELINE: frontier(ms=300), "small": Rates(0.92)}, items=300, criteria=rule)
    )
    assert gate(idle, "small", "latency").state == "open" and idle.verdict == "not_enough_evidence"
    ways = {BASELINE: frontier(ms=300, at_once=8), "small": Rates(0.92, at_once=8)}
    assert decide(evidence(tmp_path / "2", ways, items=300, criteria=rule)).verdict == "expand"


def test_review_is_not_free_where_nobody_timed_it(tmp_path: Path) -> None:
    rule = Criteria(review_usd_per_hour=Decimal(60), max_review_minutes_per_100=20)
    ways = {BASELINE: frontier(), "small": Rates(0.92, missing=0.015)}
    card = decide(evidence(tmp_path / "1", ways, items=600, criteria=rule))
    assert gate(card, "small", "review").state == "open" and card.verdict == "not_enough_evidence"
    assert any("tierwise review" in one.what for one in card.next)
    timed = decide(evidence(tmp_path / "2", ways, items=3000, criteria=rule, reviews=60))
    minutes = of(timed, "small").review_minutes_per_100.value
    assert minutes is not None and minutes == pytest.approx(100 * 0.015 * 0.5, rel=0.3)
    assert gate(timed, "small", "review").state == "passed"


def test_a_price_that_is_not_known_is_never_cheap(tmp_path: Path) -> None:
    ways = {BASELINE: frontier(), "other": Rates(0.92, tier=Tier.FRONTIER)}
    card = decide(evidence(tmp_path, ways, items=400))
    assert (card.verdict, of(card, "other").cost_usd.value) == ("not_enough_evidence", None)
    assert any("price of other" in one.what for one in card.next)


def test_a_gated_candidate_must_keep_the_promise(tmp_path: Path) -> None:
    ways = {BASELINE: frontier(cost="0.5"), "small": Rates(0.92, refused=0.1)}
    card = decide(evidence(tmp_path, ways, items=800, criteria=Criteria(max_wrong=0.04)))
    assert gate(card, "small", "certificate").state == "failed", "8 % of what it accepts is wrong"
    assert card.verdict == "adjust"


def test_the_cost_of_an_accepted_task_is_the_formula(tmp_path: Path) -> None:
    rule = Criteria(error_cost_usd=Decimal("0.5"), review_usd_per_hour=Decimal(30))
    ways = {BASELINE: frontier(), "small": Rates(0.9, cost="0.001", refused=0.2, missing=0.02)}
    judged = Judgement(
        item="i0", cluster="p0", split="prove", first="small", second=BASELINE, judge="j", verdicts=("small", "small"),
        cost_usd=Decimal("0.6"),
    )  # fmt: skip
    known = evidence(tmp_path, ways, items=500, criteria=rule, reviews=40, events=(judged,))
    rows = [row for row in known.observations if row.subject == "small"]
    accepted = [row for row in rows if row.outcome == "answered" and row.accepted is not False]
    attempts = sum(float(row.cost_usd or 0) for row in rows) / 500
    minutes = sum(one.seconds for one in known.reviews) / 60 / 40
    wrong = sum(row.score != 1.0 for row in accepted) / 500
    share = len(accepted) / 500
    expected = (attempts + 0.6 / 500 + minutes * 30 / 60 * (1 - share) + 0.5 * wrong) / share
    option = of(decide(known), "small")
    assert option.cost_usd.value == pytest.approx(expected, rel=1e-6)
    parts = option.cost_parts
    assert parts.attempts is not None and parts.review is not None
    assert float(parts.attempts + parts.judge + parts.review + parts.errors) == pytest.approx(expected, rel=1e-6)
    assert option.cost_usd.low is not None and option.cost_usd.high is not None
    assert option.cost_usd.low < expected < option.cost_usd.high


# what never may happen


def test_the_same_evidence_gives_the_same_bytes(tmp_path: Path) -> None:
    ways = {BASELINE: frontier(missing=0.01), "small": Rates(0.85, sure=0.8), "b": Rates(0.9, missing=0.02)}
    path = lines(tmp_path / "evidence.jsonl", ways, items=400, tune=200, repeats=2, per_cluster=3)
    first, again = to_json(decide(read(path))), to_json(decide(read(path)))
    assert first == again and from_json(first) == decide(read(path))


def test_every_number_names_records_that_exist(tmp_path: Path) -> None:
    known = evidence(tmp_path, {BASELINE: frontier(), "small": Rates(0.85, missing=0.03, cost="0.001")}, items=300)
    ids = {row.decision for row in known.observations}
    card = decide(known)
    named = [record for one in of(card, "small").gates for record in one.measured.records]
    assert named and set(named) <= ids
    assert of(card, "small").latency_p95_ms.records and of(card, "small").cost_usd.records


@pytest.mark.parametrize("seed", range(12))
def test_what_is_missing_never_helps(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    ways = {
        BASELINE: frontier(),
        "small": Rates(chance.uniform(0.85, 0.95), together=0.9),
        "b": Rates(0.9, cost="0.001"),
    }
    known = evidence(tmp_path, ways, items=chance.choice([120, 400, 900]), seed=seed)
    before = ORDER.index(decide(known).verdict)
    for share in (0.01, 0.03, 0.1, 0.5):
        lost = tuple(
            msgspec.structs.replace(row, outcome="timeout", score=None) if row.subject != BASELINE and chance.random() < share else row
            for row in known.observations
        )  # fmt: skip
        after = decide(msgspec.structs.replace(known, observations=lost))
        assert after.verdict != "expand" or before == ORDER.index("expand")
        gone = tuple(row for row in known.observations if row.subject == BASELINE or chance.random() >= share)
        assert decide(msgspec.structs.replace(known, observations=gone)).verdict != "expand" or before == 3


@pytest.mark.parametrize("seed", range(12))
def test_a_better_candidate_never_makes_the_verdict_worse(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    ways = {BASELINE: frontier(), "small": Rates(chance.uniform(0.8, 0.93), together=0.9)}
    known = evidence(tmp_path, ways, items=chance.choice([150, 400, 900]), seed=seed)
    before = ORDER.index(decide(known).verdict)
    for share in (0.2, 0.5, 1.0):
        better = tuple(
            msgspec.structs.replace(row, score=1.0) if row.subject == "small" and chance.random() < share else row
            for row in known.observations
        )
        assert ORDER.index(decide(msgspec.structs.replace(known, observations=better)).verdict) >= before


def test_a_look_before_the_end_is_paid_for(tmp_path: Path) -> None:
    ways = {BASELINE: frontier(), "small": Rates(0.92, together=0.95)}
    whole = evidence(tmp_path, ways, items=600)
    at_the_end, looked = decide(whole), decide(whole, looked=True)
    proven, wider = (of(card, "small").quality.proven for card in (at_the_end, looked))
    assert (at_the_end.bound, looked.bound) == ("planned", "always_valid")
    assert proven is not None and wider is not None and wider < proven
    early = decide(evidence(tmp_path / "early", ways, items=300, planned=600))
    assert early.bound == "always_valid" and any("not at its end" in note for note in early.notes)
    assert early.next[0].items == 300


def test_a_look_before_the_end_makes_it_harder_to_be_shown_worse_too(tmp_path: Path) -> None:
    ways = {BASELINE: frontier(), "small": Rates(0.87, together=0.9)}
    whole = evidence(tmp_path, ways, items=400)
    once, often = (gate(decide(whole, looked=looked), "small", "quality").measured for looked in (False, True))
    assert once.low is not None and once.high is not None and often.low is not None and often.high is not None
    assert often.low < once.low and once.high < often.high, "both bounds hold at every look"


def test_whoever_looks_often_seldom_stops_a_candidate_that_lies_on_the_margin(tmp_path: Path) -> None:
    stopped, runs = 0, 60
    for seed in range(runs):
        draw = random.Random(seed)
        apart = [draw.choices((-1.0, 0.0, 1.0), (0.07, 0.88, 0.05))[0] for _ in range(600)]
        seen = (reckoned(np.array(apart[:n])).upper(0.05, 600) for n in range(40, 601, 40))
        stopped += any(upper < -0.02 for upper in seen)
    assert stopped <= 6, "about 5 % of 60 however often one looks; three times that without paying for it"


def reckoned(apart: np.ndarray[Any, np.dtype[np.float64]]) -> Reckoned:
    """Return a way with these differences to its baseline, each of a cluster of its own."""
    none = np.zeros_like(apart)
    way = Way(
        name="small", seen=cast(Any, None), difference=apart, worst=apart, best=apart, right=none, accepted=none,
        wrong=none, missing=none, denied=none, share=none, known_cost=True, costs=none, gated=False, latencies=none,
        at_once=none.astype(np.int64),
    )  # fmt: skip
    return Reckoned(way, way, np.arange(len(apart)), 0.95)


def test_nothing_is_certified_before_the_end(tmp_path: Path) -> None:
    ways = {BASELINE: frontier(), "small": Rates(0.8, sure=0.95)}
    whole, half = (
        decide(evidence(tmp_path / f"{planned}", ways, items=1200, tune=500, planned=planned))
        for planned in (1200, 2400)
    )
    behind = f"small, then {BASELINE}"
    assert behind in [one.name for one in whole.options]
    assert behind not in [one.name for one in half.options], "who may stop when it looks good has proven nothing"
    gated = {BASELINE: frontier(), "small": Rates(0.99, refused=0.1)}
    early = decide(evidence(tmp_path / "gated", gated, items=800, planned=1600))
    assert gate(early, "small", "certificate").state == "open" and early.verdict != "expand"


def test_many_candidates_make_each_proof_harder(tmp_path: Path) -> None:
    one = evidence(tmp_path / "1", {BASELINE: frontier(), "a": Rates(0.91, together=0.9)}, items=700)
    many = {BASELINE: frontier(), "a": Rates(0.91, together=0.9)} | {f"x{n}": Rates(0.6) for n in range(6)}
    alone, family = (decide(known) for known in (one, evidence(tmp_path / "7", many, items=700)))
    lower, lowest = (
        (of(card, "a").quality.proven or 0) - (of(card, "a").quality.worst or 0) for card in (alone, family)
    )
    assert lowest < lower * 1.2, "Holm over the family"


# people


def reviewed(known: Evidence, right: Callable[[Observation], bool], items: int) -> Evidence:
    """Have people say of both answers to the first items whether they are right."""
    first = set(dict.fromkeys(row.item for row in known.observations))
    asked = sorted(first, key=lambda item: int(item[1:]))[:items]
    said = [
        Review(item=row.item, cluster=row.cluster, split=row.split, subject=row.subject, right=right(row),
               seconds=10, who="ann", ts=BEGAN + 9999)
        for row in known.observations if row.item in asked
    ]  # fmt: skip
    return msgspec.structs.replace(known, reviews=tuple(said))


def test_people_overrule_a_scorer_that_they_do_not_bear_out(tmp_path: Path) -> None:
    known = evidence(tmp_path, {BASELINE: frontier(), "small": Rates(0.92)}, items=600)
    agreed = decide(reviewed(known, lambda row: row.score == 1, 120))
    assert (agreed.verdict, agreed.choice) == ("expand", "small"), "few words that agree take nothing away"
    seen = of(agreed, "small").quality.by_people
    assert seen is not None and seen.n == 120 and seen.low is not None and seen.low < -0.02 < (seen.high or 0)
    against = decide(
        reviewed(known, lambda row: row.score == 1 and (row.subject == BASELINE or row.item[-1] > "3"), 120)
    )
    found = of(against, "small").quality.by_people
    assert found is not None and found.high is not None and found.high < -0.02
    assert gate(against, "small", "quality").state == "open" and "people" in gate(against, "small", "quality").told
    assert against.verdict == "not_enough_evidence" and any("scorer" in one.what for one in against.next)


def test_what_a_judge_says_is_told_with_what_people_make_of_it(tmp_path: Path) -> None:
    said = tuple(
        Judgement(
            item=f"i{n}", cluster=f"p{n}", split="prove", first="small", second=BASELINE, judge="umpire",
            verdicts=("small", "small") if n % 2 else (BASELINE, BASELINE),
        )
        for n in range(200)
    )  # fmt: skip
    known = evidence(tmp_path, {BASELINE: frontier(), "small": Rates(0.92)}, items=300, events=said)
    assert decide(known).judged[0].not_worse.value is None, "nobody has said what the judge is worth"
    worse = {f"i{n}" for n in range(0, 60, 2)}
    people = reviewed(known, lambda row: row.subject == BASELINE or row.item not in worse, 60)
    found = decide(people).judged[0].not_worse
    assert (found.value, found.n) == (pytest.approx(0.5), 60) and found.low is not None and found.low < 0.5


# seals


def test_criteria_that_were_changed_show_and_so_does_what_they_changed(tmp_path: Path) -> None:
    loose = Criteria(margin=0.2)
    resealed = Resealed(criteria=loose, seal=sealed(loose, BEGAN + 10**6))
    ways = {BASELINE: frontier(), "small": Rates(0.85)}
    card = decide(evidence(tmp_path, ways, items=300, events=(resealed,)))
    assert (card.verdict, card.under_first_criteria, card.robustness) == ("expand", "stop", "fragile")
    assert card.edits[0].changed == ("margin: 0.02 → 0.2",) and card.edits[0].after_results


def test_a_later_seal_of_the_workflow_shows_on_an_older_card(tmp_path: Path) -> None:
    known = evidence(tmp_path, {BASELINE: frontier(), "small": Rates(0.92)}, items=300)
    later = Criteria(margin=0.1)
    kept = Stored(seal=sealed(later, BEGAN + 10**6), criteria=later)
    assert [edit.changed for edit in decide(known, seals=(kept,)).edits] == [("margin: 0.02 → 0.1",)]


def test_criteria_that_came_after_the_results_make_no_robust_verdict(tmp_path: Path) -> None:
    card = decide(evidence(tmp_path, {BASELINE: frontier(), "small": Rates(0.92)}, items=300, sealed_ts=BEGAN + 10**6))
    assert not card.sealed_before_results and card.robustness == "fragile"


def test_answers_of_an_unknown_time_make_no_robust_verdict(tmp_path: Path) -> None:
    known = evidence(tmp_path, {BASELINE: frontier(), "small": Rates(0.92)}, items=300)
    assert decide(known).robustness == "robust"
    imported = tuple(msgspec.structs.replace(row, started=0.0) for row in known.observations)
    card = decide(msgspec.structs.replace(known, observations=imported))
    assert not card.sealed_before_results and card.robustness == "fragile"


def test_a_scorer_that_was_chosen_later_and_earlier_comparisons_show(tmp_path: Path) -> None:
    known = evidence(tmp_path, {BASELINE: frontier(), "small": Rates(0.92)}, items=300)
    header = msgspec.structs.replace(known.header, rescored="r0", earlier=3)
    card = decide(msgspec.structs.replace(known, header=header))
    assert card.robustness == "fragile"
    assert any("run r0" in note for note in card.notes) and any("3 comparisons" in note for note in card.notes)


def test_criteria_that_do_not_fit_their_seal_are_refused(tmp_path: Path) -> None:
    known = evidence(tmp_path, {BASELINE: frontier(), "small": Rates(0.92)}, items=20)
    header = msgspec.structs.replace(known.header, criteria=Criteria(margin=0.5))
    with pytest.raises(ConfigError, match="not those that were sealed"):
        decide(msgspec.structs.replace(known, header=header))


@pytest.mark.parametrize("score", [math.nan, 1.5, -0.1])
def test_a_score_that_is_none_is_refused(tmp_path: Path, score: float) -> None:
    known = evidence(tmp_path, {BASELINE: frontier(), "small": Rates(0.92)}, items=20)
    bad = (msgspec.structs.replace(known.observations[0], score=score), *known.observations[1:])
    with pytest.raises(ConfigError, match="not from 0 to 1"):
        decide(msgspec.structs.replace(known, observations=bad))


def test_evidence_of_one_class_of_one_cluster_or_of_nobody_is_read_without_an_error(tmp_path: Path) -> None:
    for at, more in enumerate(({"per_cluster": 1000}, {"items": 1}, {"items": 2})):
        ways = {BASELINE: frontier(right=1.0), "small": Rates(1.0)}
        card = decide(evidence(tmp_path / str(at), ways, **{"items": 200, **more}))
        assert card.verdict == "not_enough_evidence"
    lost = {BASELINE: frontier(), "small": Rates(missing=1.0)}
    assert decide(evidence(tmp_path / "lost", lost, items=200)).verdict in ("adjust", "stop")
