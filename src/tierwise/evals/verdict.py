"""What follows from a comparison? A card, from its evidence alone.

Brings together what others find: columns (`measured`), `ways`, the `rule`, flip points, what to measure next.
Invariant: no clock, no file and no chance: the same evidence gives the same card.
"""

from collections.abc import Sequence

import numpy as np

from tierwise.core.criteria import Criteria
from tierwise.core.errors import ConfigError
from tierwise.evals.card import Card, Edit, Estimate, Judged, Kind, Robustness, rounded
from tierwise.evals.evidence import Evidence
from tierwise.evals.flips import flips
from tierwise.evals.following import following
from tierwise.evals.gates import needs
from tierwise.evals.item import Split
from tierwise.evals.judges import calibrated
from tierwise.evals.measured import Measured, measure
from tierwise.evals.options import Shown, baseline_option, dollars, option
from tierwise.evals.reckon import MICRO, Bounded, Prices, Reckoned
from tierwise.evals.rule import Case, Ruling, gained, rule
from tierwise.evals.seal import Stored, changed, digest
from tierwise.evals.signals import LOGPROB, of_observation, rows_of
from tierwise.evals.telling import adjustments, headline, reasons
from tierwise.evals.ways import all_ways, alone
from tierwise.statistics.certify import Labelled, certify, thresholds_from
from tierwise.statistics.judge import corrected

DAY_S = 86_400.0
SURE = of_observation(LOGPROB)
TUNE_AND_PROVE: tuple[Split, Split] = ("tune", "prove")


def decide(evidence: Evidence, *, looked: bool = False, seals: Sequence[Stored] = ()) -> Card:
    """Return the card. `looked`: somebody read a verdict before the planned end; `seals`: those kept of the workflow.

    ConfigError where the evidence names no baseline or its seal is not that of its criteria.
    """
    _check(evidence)
    criteria = evidence.resealed[-1].criteria if evidence.resealed else evidence.header.criteria
    case, measured = _case(evidence, criteria, looked)
    ruling = rule(case, criteria, Prices.of(criteria))
    return _card(evidence, measured, case, criteria, ruling, _edits(evidence, seals, measured), looked)


def _check(evidence: Evidence) -> None:
    header = evidence.header
    names = [subject.name for subject in header.subjects]
    if header.baseline not in names or len(set(names)) != len(names):
        raise ConfigError(f"evidence of run {header.run}: the baseline {header.baseline!r} is not one of its subjects")
    for criteria, seal in ((header.criteria, header.seal), *((one.criteria, one.seal) for one in evidence.resealed)):
        if digest(criteria) != seal.digest:
            raise ConfigError(
                f"evidence of run {header.run}: the criteria are not those that were sealed ({seal.digest})"
            )
    clusters: dict[str, str] = {}
    for row in evidence.observations:
        if row.score is not None and not 0 <= row.score <= 1:
            raise ConfigError(f"evidence of run {header.run}: {row.item} has a score of {row.score}, not from 0 to 1")
        if clusters.setdefault(row.item, row.cluster) != row.cluster:
            raise ConfigError(f"evidence of run {header.run}: {row.item} stands in two clusters")


def _case(evidence: Evidence, criteria: Criteria, looked: bool) -> tuple[Case, Measured]:
    measured = measure(evidence, criteria.right_from)
    whole = len(measured.items) >= measured.planned
    base = alone(measured.baseline, measured.baseline)
    found = [
        Reckoned(way, base, measured.clusters, criteria.confidence)
        for way in all_ways(measured, _thresholds(evidence, criteria) if whole else {})
    ] if measured.items else []  # fmt: skip
    planned = None if whole and not looked else max(measured.planned, criteria.min_items)
    return Case(
        ways=tuple(found),
        base=Reckoned(base, base, measured.clusters, criteria.confidence),
        planned=planned,
        whole=whole,
    ), measured


def _thresholds(evidence: Evidence, criteria: Criteria) -> dict[str, float]:
    """Return for each candidate the loosest confidence that is certified; those without one are not in it.

    The proof holds once, for the number of items that was planned: it is made at the end of a comparison alone.
    """
    found = {}
    refused = {(one.item, one.subject) for one in evidence.observations if one.accepted is False and one.repeat == 0}
    for subject in evidence.header.subjects:
        if subject.name == evidence.header.baseline:
            continue
        tune, proving = (
            [
                Labelled(
                    confidence=None if (item, subject.name) in refused else row.confidence,
                    wrong=row.wrong, cluster=row.cluster, item=item,
                )
                for item, row in rows_of(evidence, (subject.name,), split, criteria, SURE)[subject.name].items()
            ]
            for split in TUNE_AND_PROVE
        )  # fmt: skip
        if not any(one.confidence is not None for one in tune):
            continue
        given = (criteria.max_wrong, criteria.confidence, criteria.guarantee)
        counted = len({one.cluster for one in proving}) or None
        steps = thresholds_from(tune, confidence=given[1], guarantee=given[2], proving=counted)
        certified = certify(proving, steps, *given)
        if certified.threshold is not None and certified.accepted:
            found[subject.name] = certified.threshold
    return found


def _edits(evidence: Evidence, seals: Sequence[Stored], measured: Measured) -> tuple[Edit, ...]:
    """Return every change of the criteria after the header's seal, whether it was made here or is kept elsewhere."""
    header = evidence.header
    known = {one.seal.digest + str(one.seal.ts): one for one in evidence.resealed}
    later = [(one.seal, one.criteria) for one in evidence.resealed]
    later += [
        (one.seal, one.criteria)
        for one in seals
        if one.seal.ts > header.seal.ts and one.seal.digest + str(one.seal.ts) not in known
    ]
    found, before = [], header.criteria
    for seal, criteria in sorted(later, key=lambda one: (one[0].ts, one[0].digest)):
        if said := changed(before, criteria):
            found.append(Edit(seal=seal, changed=said, after_results=seal.ts >= measured.began))
        before = criteria
    return tuple(found)


def _card(
    evidence: Evidence,
    measured: Measured,
    case: Case,
    criteria: Criteria,
    ruling: Ruling,
    edits: tuple[Edit, ...],
    looked: bool,
) -> Card:
    header, prices = evidence.header, Prices.of(criteria)
    shown = Shown(criteria=criteria, prices=prices, ruling=ruling, planned=case.planned)
    options = tuple(option(way, shown) for way in case.ways)
    choice = next((one for one in options if one.name == ruling.choice), None)
    expands = ruling.kind == "expand"
    before = _sealed_before(evidence, measured)
    kept = before and not header.rescored and not any(one.after_results for one in edits)
    robustness, told = _robustness(case, criteria, ruling, kept)
    return Card(
        workflow=header.workflow,
        run=header.run,
        verdict=ruling.kind,
        choice=ruling.choice,
        share=choice.share.value if choice is not None and expands else None,
        headline=headline(ruling.why, choice, header.baseline),
        reasons=reasons(ruling.why, choice, options),
        adjust=adjustments(choice) if choice is not None and ruling.kind == "adjust" else (),
        language_model=choice.language_model if choice is not None and expands else None,
        robustness=robustness,
        robustness_told=told,
        needs=_needs(case, criteria, ruling, measured),
        flips=flips(case, criteria, ruling) if measured.items else (),
        next=following(case, criteria, ruling, measured),
        began=measured.began,
        ended=rounded_ts(measured.ended),
        expires=rounded_ts(measured.ended + criteria.expires_days * DAY_S),
        criteria=criteria,
        seal=header.seal,
        sealed_before_results=before,
        edits=edits,
        under_first_criteria=_under_first(evidence, criteria, looked),
        bound="planned" if case.planned is None else "always_valid",
        seen=len(measured.items),
        planned=measured.planned,
        clusters=int(measured.clusters.max()) + 1 if measured.items else 0,
        baseline=baseline_option(case.base, shown),
        options=options,
        front=ruling.front,
        judged=_judged(evidence),
        guarantee=criteria.guarantee,
        saves_usd_per_month=_per_month(case, criteria, prices, ruling) if expands else None,
        spent_usd=None if measured.spent_microusd is None else dollars(measured.spent_microusd),
        metric=header.metric,
        scorer=header.scorer,
        dataset=header.dataset,
        evidence=evidence.digest,
        notes=_notes(evidence, measured, case, before),
    )


def _sealed_before(evidence: Evidence, measured: Measured) -> bool:
    """Say whether the criteria came first; of answers that do not say when they were made nobody knows."""
    return evidence.header.seal.ts <= measured.began and all(row.started > 0 for row in evidence.observations)


def rounded_ts(ts: float) -> float:
    """Return a time to the millisecond."""
    return round(ts, 3)


def _under_first(evidence: Evidence, criteria: Criteria, looked: bool) -> Kind | None:
    """Say what the criteria of the header would have made of it, where they were changed."""
    first = evidence.header.criteria
    if first == criteria:
        return None
    case, _ = _case(evidence, first, looked)
    return rule(case, first, Prices.of(first)).kind


def _robustness(case: Case, criteria: Criteria, ruling: Ruling, kept: bool) -> tuple[Robustness, str]:
    """Say whether the verdict would hold at the ends of the intervals that no gate has reckoned with already."""
    if ruling.kind == "not_enough_evidence":
        return "undetermined", "what was measured allows more than one verdict"
    if not kept:
        return "fragile", "the criteria were declared or changed, or the scorer was, after results existed"
    if ruling.kind != "expand":
        close = [way.name for way in case.ways if (way.plain is not None and way.plain.high > -criteria.margin)]
        if ruling.why == "items" and close:
            return "fragile", f"{close[0]} may yet lie within the margin: what stops here is the number of items"
        return "robust", "every way is kept out by a limit that lies outside of its interval"
    prices = Prices.of(criteria)
    chosen = next(way for way in case.ways if way.name == ruling.choice)
    saving = chosen.saving(prices)
    if ruling.why != "baseline barred" and (saving is None or gained(chosen, saving).low <= 0):
        return "fragile", "that it is cheaper than the baseline does not hold over the whole interval"
    cost = chosen.cost_bounds(prices)
    for way in case.ways:
        other = way.cost_bounds(prices) if way.name in ruling.front and way is not chosen else None
        if other is not None and cost is not None and other.low < cost.high and other != cost:
            return "fragile", f"{way.name} passes as well, and may be the cheaper one"
    return "robust", "every gate and the saving hold over the whole of their intervals"


def _needs(case: Case, criteria: Criteria, ruling: Ruling, measured: Measured) -> int | None:
    """Return how many more items the nearest way to a verdict takes."""
    if ruling.kind != "not_enough_evidence":
        return None
    if not measured.items:
        return max(criteria.min_items, measured.planned)
    way = next((one for one in case.ways if one.name == ruling.choice), None)
    if way is None:
        return None
    if ruling.why == "gain":
        saving = way.saving(Prices.of(criteria))
        return None if saving is None else _until_sure(gained(way, saving), way.items)
    each = [needs(way, criteria, one, ruling.level) for one in ruling.found[way.name] if one.state == "open"]
    rest = max(0, measured.planned - len(measured.items))
    return max(rest, *(one for one in each if one is not None)) if all(each) and each else rest or None


def _until_sure(gain: Bounded, items: int) -> int | None:
    """Return how many more items would put the whole interval on its present side of 0."""
    if gain.value == 0:
        return None
    return max(1, int(np.ceil(items * ((gain.high - gain.value) / gain.value) ** 2)) - items)


def _per_month(case: Case, criteria: Criteria, prices: Prices, ruling: Ruling) -> Estimate | None:
    way = next(one for one in case.ways if one.name == ruling.choice)
    saving = way.saving(prices)
    if criteria.volume_per_month is None or saving is None:
        return None
    value, low, high = (one * criteria.volume_per_month / MICRO for one in saving)
    return Estimate(value=rounded(value), low=rounded(low), high=rounded(high), n=way.items)


def _judged(evidence: Evidence) -> tuple[Judged, ...]:
    """Count what judges said, by pair and judge; only a word that holds in both orders is a win."""
    found: dict[tuple[str, str, str], list[int]] = {}
    for one in evidence.judgements:
        if one.split != "prove":
            continue
        counts = found.setdefault((one.first, one.second, one.judge), [0, 0, 0, 0, 0])
        here, there = one.verdicts
        if here is None or there is None:
            counts[4] += 1
        elif here != there:
            counts[3] += 1
        else:
            counts[{one.first: 0, one.second: 1}.get(here, 2)] += 1
    return tuple(
        Judged(
            first=first,
            second=second,
            judge=judge,
            first_wins=a,
            second_wins=b,
            ties=c,
            inconsistent=d,
            unread=e,
            not_worse=_not_worse(evidence, first, judge),
        )
        for (first, second, judge), (a, b, c, d, e) in sorted(found.items())
    )


def _not_worse(evidence: Evidence, candidate: str, judge: str) -> Estimate:
    """Return on how many items a candidate is not worse, by a judge's word as people correct it; empty without them."""
    seen = calibrated(evidence, candidate, judge)
    n, confidence = seen.sensitivity[1] + seen.specificity[1], evidence.header.criteria.confidence
    found = corrected(seen.judged, seen.n, seen.sensitivity, seen.specificity, confidence)
    if found is None:
        return Estimate(n=n)
    return Estimate(value=rounded(found.value), low=rounded(found.low), high=rounded(found.high), n=n)


def _notes(evidence: Evidence, measured: Measured, case: Case, before: bool) -> tuple[str, ...]:
    """Return what a reader must know beside the numbers."""
    found = []
    if not before:
        found.append("The criteria were declared after the first results existed.")
    if evidence.header.rescored:
        found.append(
            f"Scored anew by {evidence.header.scorer} after the answers existed: run {evidence.header.rescored}."
        )
    if evidence.header.earlier:
        found.append(
            f"{evidence.header.earlier} comparisons of these items went before it: each is one more chance to pass by "
            "luck, which no bound here reckons with."
        )
    if len(measured.items) < measured.planned:
        found.append(f"The comparison is not at its end: {len(measured.items)} of {measured.planned} items were seen.")
    if case.planned is not None:
        found.append("It was looked at before its end: the bounds of quality hold at every look, and are wider for it.")
    for way in (case.base, *(one for one in case.ways if not one.way.cascade)):
        others = way.way.seen.outcomes.get("other_model", 0)
        if others:
            found.append(f"{way.name}: {others} answers came from another model and count as missing.")
    if evidence.header.criteria.error_cost_usd == 0:
        found.append("A wrong answer is reckoned to cost nothing (error_cost_usd is 0).")
    return tuple(found)
