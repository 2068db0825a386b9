"""How does a way stand on a card? Its numbers, rounded, with the rows behind them.

Decides nothing. Invariant: each number names records to look at: decisions of the ledger, else rows of the evidence.
"""

import heapq
from collections.abc import Callable, Iterable
from decimal import Decimal

import msgspec
import numpy as np

from tierwise.core.criteria import Criteria
from tierwise.evals.card import Estimate, Gate, Option, Parts, Quality, rounded
from tierwise.evals.evidence import Observation
from tierwise.evals.gates import Finding, needs
from tierwise.evals.measured import RECORDS, credited
from tierwise.evals.reckon import MICRO, Bounded, Prices, Reckoned
from tierwise.evals.rule import Ruling
from tierwise.evals.telling import gate


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What a way is shown under."""

    criteria: Criteria
    prices: Prices
    ruling: Ruling
    planned: int | None


def baseline_option(base: Reckoned, shown: Shown) -> Option:
    """Return the baseline as it stands on a card."""
    return _option(base, shown, shown.ruling.base, compared=False)


def option(way: Reckoned, shown: Shown) -> Option:
    """Return a way as it stands on a card."""
    return _option(way, shown, shown.ruling.found[way.name], compared=True)


def _option(way: Reckoned, shown: Shown, found: Iterable[Finding], *, compared: bool) -> Option:
    subject, cut = way.way.seen.subject, shown.criteria.concurrency
    rows = way.way.seen.rows
    p50, n = way.quantile(0.5, cut) if way.items else (None, 0)
    p95, _ = way.latency(cut) if way.items else (None, 0)
    slow = _records(rows, lambda row: row.duration_ms or 0.0, lambda row: row.duration_ms is not None)
    wrong = _records(rows, lambda row: row.confidence or 0.0, lambda row: _wrong(way, row))
    absent = _records(rows, lambda row: 0.0, lambda row: row.outcome != "answered")
    dear = _records(rows, lambda row: float(row.cost_usd or 0), lambda row: bool(row.cost_usd))
    behind = {
        "policy": absent,
        "missing": absent,
        "quality": wrong,
        "certificate": wrong,
        "latency": slow,
        "cost": dear,
    }
    saving = way.saving(shown.prices) if compared else None
    micro = way.cost_bounds(shown.prices) if way.items else None
    return Option(
        name=way.name,
        subject=subject.name,
        model=subject.model,
        tier=subject.tier,
        language_model=subject.language_model or (way.way.cascade and way.base.seen.subject.language_model),
        bundle=subject.bundle.digest,
        behind=way.way.behind,
        threshold=way.way.threshold,
        share=_estimate(way.share(way.way.share) if way.items else None, way.items),
        gates=tuple(_gate(one, way, shown, behind.get(one.name, ())) for one in found),
        quality=_quality(way, shown, wrong, compared=compared),
        wrong_accepted=_estimate(way.wrong_accepted if way.items else None, way.items, wrong),
        missing=_estimate(way.missing if way.items else None, way.items, absent),
        outcomes=way.way.seen.outcomes,
        latency_p50_ms=_estimate(p50, n, slow),
        latency_p95_ms=_estimate(p95, n, slow),
        time_ms=_estimate(way.time_ms if way.items else None, way.items, slow),
        cost_usd=_estimate(_scaled(micro), way.items, dear),
        cost_parts=_parts(way, shown.prices),
        accepted=_estimate(way.share(way.way.accepted) if way.items else None, way.items),
        review_minutes_per_100=_estimate(way.review_minutes() if way.items else None, way.way.seen.minutes[2]),
        cheaper_usd=_estimate(_scaled(saving), way.items) if saving is not None else None,
        served=way.way.seen.served,
    )


def _gate(found: Finding, way: Reckoned, shown: Shown, records: tuple[str, ...]) -> Gate:
    return Gate(
        name=found.name,
        state=found.state,
        told=gate(found, shown.criteria, way),
        limit=rounded(found.limit),
        measured=_estimate(found.measured, found.n, records),
        needs=needs(way, shown.criteria, found, shown.ruling.level),
    )


def _quality(way: Reckoned, shown: Shown, wrong: tuple[str, ...], *, compared: bool) -> Quality:
    right = _estimate(way.share(way.way.right) if way.items else None, way.items, wrong)
    score = way.score
    if not compared or way.worst is None or way.best is None:
        return Quality(score=_estimate(score, way.items), right=right)
    plain, (people, labels) = way.plain, way.by_people
    difference = Bounded(plain.mean, plain.low, plain.high) if plain is not None else None
    return Quality(
        score=_estimate(score, way.items),
        right=right,
        difference=_estimate(difference, plain.n if plain is not None else 0, wrong),
        worst=rounded(way.worst.mean),
        best=rounded(way.best.mean),
        proven=rounded(way.lower(shown.ruling.level, shown.planned)),
        by_people=_estimate(people, labels) if labels else None,
    )


def _parts(way: Reckoned, prices: Prices) -> Parts:
    """Return the cost of an accepted task by what it is spent on; the parts add up to it."""
    if not way.items or float(way.means[4]) <= 0:
        return Parts(attempts=None, judge=Decimal(0), review=None, errors=Decimal(0))
    own, other, judge, review, accepted, wrong = way.means[:6].tolist()
    rate = way.minute_rate(prices)
    return Parts(
        attempts=dollars((own + other) / accepted) if way.way.known_cost else None,
        judge=dollars(judge / accepted),
        review=None if rate is None else dollars(rate * review / accepted),
        errors=dollars(prices.error_microusd * wrong / accepted),
    )


def dollars(microusd: float) -> Decimal:
    """Return an amount in US dollars, to a billionth."""
    return Decimal(f"{microusd / MICRO:.9f}")


def _scaled(micro: Bounded | None) -> Bounded | None:
    return None if micro is None else Bounded(micro.value / MICRO, micro.low / MICRO, micro.high / MICRO)


def _estimate(seen: Bounded | None, n: int, records: tuple[str, ...] = ()) -> Estimate:
    if seen is None:
        return Estimate(n=n, records=records)
    value, low, high = (rounded(one) if np.isfinite(one) else None for one in seen)
    return Estimate(value=value, low=low, high=high, n=n, records=records)


def _wrong(way: Reckoned, row: Observation) -> bool:
    return credited(way.way.seen.subject, row) and (row.score or 0.0) < way.way.seen.right_from


def _records(
    rows: Iterable[Observation], key: Callable[[Observation], float], which: Callable[[Observation], bool]
) -> tuple[str, ...]:
    """Return the most telling rows: where they tie, the first by name."""
    chosen = (row for row in rows if which(row))
    found = heapq.nsmallest(RECORDS, chosen, key=lambda row: (-key(row), row.item, row.repeat))
    return tuple(row.decision or f"{row.item}/{row.subject}/{row.repeat}" for row in found)
