"""What can be promised of answers that are kept? A certificate from evidence, or how much more evidence it takes.

Thresholds are chosen on the split `tune` alone, step by step of the cascade. The split `prove` then tests them along
one path that was fixed before: the first step strict to loose, then the second on what the first passed on, and so on.
It ends at the first threshold that is not proven, so all that is claimed holds together with the stated confidence.
Invariant: what nobody could judge is wrong; what has no confidence, or is no answer by a gate's word, is not accepted.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from tierwise.core.certificate import Accepts, Certificate, Quality
from tierwise.core.criteria import Criteria
from tierwise.core.errors import ConfigError
from tierwise.core.label import Tier
from tierwise.evals.bundles import together
from tierwise.evals.evidence import Evidence, Subject, itself
from tierwise.evals.item import Split
from tierwise.evals.signals import LOGPROB, Row, Rows, Signal, of_observation, rows_of
from tierwise.statistics.certify import Certified, Labelled, certify, one_of_each, thresholds_from
from tierwise.statistics.interval import upper_bound
from tierwise.statistics.paired import bounded, gap

DAY_S = 86_400.0
REFERENCE = 200
"""So many confidences of accepted answers are kept, to measure drift against."""
CAUTION = 0.95
"""How sure the tuned share of wrong answers must be for a step to end there, and the next one to follow it. Less makes
steps fall short of their end, so that the next one is lost; more keeps less of the first (tried with 0.8 to 0.99)."""
SURE = math.inf
"""The confidence of what an earlier step has accepted."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of one step. `needed`: of about so many clusters in `prove` it could be proven, as it looks.

    `why` says in words why nothing is accepted. `reference` are confidences of accepted answers.
    """

    subject: str
    accepts: Accepts
    needed: int | None = None
    why: str = ""
    reference: tuple[float, ...] = ()


class Proven(msgspec.Struct, frozen=True, kw_only=True):
    """`certificate` None: of no step anything could be certified. `tune` and `prove` count clusters."""

    certificate: Certificate | None
    criteria: Criteria
    steps: tuple[Step, ...]
    tune: int
    prove: int


def prove(
    evidence: Evidence, order: Sequence[str], now: float, *, signal: str = LOGPROB, read: Signal | None = None
) -> Proven:
    """Certify the cascade of these subjects in this order; a single one is a cascade of one.

    `signal` names what the confidence is, `read` takes it from an observation. Raises ConfigError for evidence that
    nothing can be certified on, whatever its size.
    """
    criteria = evidence.resealed[-1].criteria if evidence.resealed else evidence.header.criteria
    chosen = _chosen(evidence, order)
    _refuse_early(evidence)
    rows = {split: rows_of(evidence, order, split, criteria, read or of_observation(signal)) for split in _SPLITS}
    counts = {split: _clusters(found) for split, found in rows.items()}
    if not all(counts.values()):
        missing = " and ".join(split for split, count in counts.items() if not count)
        raise ConfigError(f"no item of the split {missing} was asked of every step: nothing can be certified without")
    steps = tuple(_steps(rows["tune"], rows["prove"], chosen, signal, criteria))
    certificate = None
    if any(step.accepts.threshold is not None for step in steps):
        certificate = _certificate(evidence, chosen, criteria, steps, now, counts["prove"])
    return Proven(certificate=certificate, criteria=criteria, steps=steps, tune=counts["tune"], prove=counts["prove"])


def _refuse_early(evidence: Evidence) -> None:
    """Raise ConfigError before the planned end: bounds that are read on the way until they pass do not hold."""
    seen = len({one.item for one in evidence.observations if one.split == "prove"})
    planned = evidence.header.items.get("prove", 0)
    if seen < planned:
        raise ConfigError(
            f"run {evidence.header.run} is not at its end ({seen:,} of {planned:,} items of prove), and nothing is "
            f"certified before; go on with `tierwise compare {evidence.header.workflow} --run {evidence.header.run}`"
        )


_SPLITS: tuple[Split, ...] = ("tune", "prove")


def usual_order(evidence: Evidence) -> tuple[str, ...]:
    """Return the steps of the usual cascade: the candidates that answer inside, in the order of the evidence."""
    header = evidence.header
    outside = {header.baseline} | {one.name for one in header.subjects if one.tier is Tier.FRONTIER}
    routes = {one.name for one in header.subjects if one.model.partition(":")[0] == "auto"}
    return tuple(one.name for one in header.subjects if one.name not in outside | routes)


def _chosen(evidence: Evidence, order: Sequence[str]) -> list[Subject]:
    known = {one.name: one for one in evidence.header.subjects}
    for name in order:
        if name not in known:
            raise ConfigError(f"the evidence has no candidate {name!r}; it has {', '.join(known)}")
    if not order or len(set(order)) < len(order):
        raise ConfigError("name each candidate that is to be certified once, in the order in which they are asked")
    return [known[name] for name in order]


# rows


def _clusters(rows: Rows) -> int:
    return len({row.cluster for row in next(iter(rows.values())).values()})


def _reaching(rows: Rows, before: Mapping[str, float | None], name: str, criteria: Criteria) -> list[Labelled]:
    """Return what reaches a step; where the guarantee is of all answers, those too that a step before has accepted."""
    found = []
    for item, row in rows[name].items():
        earlier = [rows[step][item] for step, least in before.items() if _accepted(rows[step][item], least)]
        if not earlier:
            found.append(Labelled(confidence=row.confidence, wrong=row.wrong, cluster=row.cluster, item=item))
        elif criteria.guarantee == "wrong_and_accepted":
            found.append(Labelled(confidence=SURE, wrong=earlier[0].wrong, cluster=row.cluster, item=item))
    return found


def _accepted(row: Row, least: float | None) -> bool:
    return least is not None and row.confidence is not None and row.confidence >= least


# steps


def _steps(tune: Rows, rows: Rows, chosen: Sequence[Subject], signal: str, criteria: Criteria) -> Iterator[Step]:
    """Follow the path; what is claimed of a step rests on every step before it having reached the end of its own."""
    before: dict[str, float | None] = {}
    broken = ""
    for at, subject in enumerate(chosen):
        tuned, proving = (_reaching(part, before, subject.name, criteria) for part in (tune, rows))
        path = _path(tuned, len(one_of_each(proving)), criteria, last=at == len(chosen) - 1)
        if broken or not path:
            why = f"not tried, as {broken} fell short of what was tuned" if broken else _why_none(tuned, signal)
            found = None
        else:
            found = certify(proving, path, criteria.max_wrong, criteria.confidence, criteria.guarantee)
            why = "" if found.threshold is not None else "not proven"
            broken = subject.name if found.threshold != path[-1] and at < len(chosen) - 1 else broken
        least = None if found is None or found.threshold == SURE else found.threshold
        before[subject.name] = least
        yield Step(
            subject=subject.name,
            accepts=_accepts(subject.model, signal, least, found),
            needed=_needed(found, _clusters(rows)),
            why=why,
            reference=_reference(proving, least),
        )


def _path(tuned: Sequence[Labelled], proving: int, criteria: Criteria, *, last: bool) -> tuple[float, ...]:
    """Return the thresholds to test, strict to loose. All but the last step end where they can be expected to pass.

    A step that is expected to pass nowhere has no path, and the next one begins with all that would have reached it:
    that too is decided on `tune` alone.
    """
    path = thresholds_from(tuned, guarantee=criteria.guarantee, confidence=criteria.confidence, proving=proving)
    if last:
        return path
    counted = one_of_each(tuned)
    for at, least in enumerate(path):
        kept = [row.wrong for row in counted if row.confidence is not None and row.confidence >= least]
        n = len(kept) if criteria.guarantee == "wrong_given_accepted" else len(counted)
        share, then = upper_bound(sum(kept), n, CAUTION), max(1, round(n * proving / len(counted)))
        if upper_bound(min(then, math.ceil(share * then)), then, criteria.confidence) > criteria.max_wrong:
            return path[:at]
    return path


def _why_none(tuned: Sequence[Labelled], signal: str) -> str:
    if not any(row.confidence is not None for row in tuned):
        return f"no answer that reached it has a {signal}"
    return "the tuned items let expect no threshold that would be proven"


def _accepts(model: str, signal: str, least: float | None, found: Certified | None) -> Accepts:
    if found is None or least is None:
        return Accepts(model=model, threshold=None, signal=signal, n=found.n if found else 0)
    return Accepts(
        model=model, threshold=least, signal=signal, n=found.n, accepted=found.accepted, wrong=found.wrong,
        bound=found.bound,
    )  # fmt: skip


def _needed(found: Certified | None, clusters: int) -> int | None:
    """Return how many clusters there must be for enough of them to reach the step."""
    if found is None or found.needed is None or not found.n:
        return None
    return math.ceil(found.needed * clusters / found.n)


def _reference(rows: Sequence[Labelled], least: float | None) -> tuple[float, ...]:
    """Return confidences of accepted answers: a part that is chosen by a hash, as a part that is drawn would be."""
    if least is None:
        return ()
    kept = [row for row in rows if row.confidence is not None and least <= row.confidence < SURE]
    kept.sort(key=lambda row: hashlib.sha256(f"{row.cluster}\0{row.item}".encode()).digest())
    return tuple(sorted(row.confidence for row in kept[:REFERENCE] if row.confidence is not None))


# the certificate


def _certificate(
    evidence: Evidence, chosen: Sequence[Subject], criteria: Criteria, steps: Sequence[Step], now: float, clusters: int
) -> Certificate:
    header = evidence.header
    baseline = next((one for one in header.subjects if one.name == header.baseline), None)
    if baseline is None:
        raise ConfigError(f"the evidence names a baseline, {header.baseline!r}, that it does not hold")
    try:
        bundle = together([one.bundle for one in (*chosen, baseline)])
    except ValueError as error:
        raise ConfigError(f"one certificate cannot hold for all of them: {error}") from error
    return Certificate(
        workflow=header.workflow,
        bundle=bundle,
        guarantee=criteria.guarantee,
        max_wrong=criteria.max_wrong,
        confidence=criteria.confidence,
        accepts=tuple(step.accepts for step in steps),
        quality=tuple(_quality(evidence, one, baseline, criteria) for one in chosen if one != baseline),
        issued=now,
        expires=now + criteria.expires_days * DAY_S,
        evidence=evidence.digest,
        dataset=header.dataset,
        clusters=clusters,
        baseline=baseline.model,
        reference={step.accepts.model: step.reference for step in steps if step.reference},
    )


def _quality(evidence: Evidence, subject: Subject, baseline: Subject, criteria: Criteria) -> Quality:
    """Compare mean scores on the items of `prove`; what is missing widens the interval to the worst and the best."""
    one, other = (_scores(evidence, who) for who in (subject, baseline))
    common = sorted(one.keys() & other.keys())
    pairs = [gap(_mean(one[item][1]), _mean(other[item][1])) for item in common]
    found = bounded(pairs, [one[item][0] for item in common], criteria.confidence)
    own, base = ([mean for item in common if (mean := _mean(part[item][1])) is not None] for part in (one, other))
    both = [pair for pair in pairs if isinstance(pair, float)]
    return Quality(
        model=subject.model,
        score=_mean(own),
        baseline_score=_mean(base),
        difference=_mean(both),
        low=found.worst.low if found else -1.0,
        high=found.best.high if found else 1.0,
        n=len(common),
    )


def _scores(evidence: Evidence, subject: Subject) -> dict[str, tuple[str, list[float]]]:
    """Return the cluster of each item of `prove` and the scores of its own answers."""
    found: dict[str, tuple[str, list[float]]] = {}
    for one in evidence.observations:
        if one.subject == subject.name and one.split == "prove":
            _, scores = found.setdefault(one.item, (one.cluster, []))
            scores += [one.score] if one.score is not None and itself(subject, one) else []
    return found


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
