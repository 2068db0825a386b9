"""Does a way meet what was asked of it? Seven questions in their order, each passed, failed or still open.

Light, as the search for flip points asks them thousands of times; words are made in `telling`.
Invariant: a gate is passed only where the whole interval lies on the right side, and failed only where it lies on the
wrong one (but see `_shared`); what was not measured is open, never passed.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

from tierwise.core.criteria import Criteria
from tierwise.evals.card import GateName, State
from tierwise.evals.reckon import MICRO, Bounded, Prices, Reckoned, micro
from tierwise.statistics.plan import certified_items, paired_items

GUESSED_DISCORDANCE = 0.2
FEWEST_TIMED = 20
MOST_ITEMS = 10_000_000


class Finding(NamedTuple):
    """What a gate found. `limit` None: the criteria ask nothing."""

    name: GateName
    state: State
    measured: Bounded | None
    limit: float | None
    n: int


class Looks(NamedTuple):
    """`planned` items were meant where somebody looked before the end, else None; `whole`: this is the end."""

    planned: int | None = None
    whole: bool = True


def findings(way: Reckoned, criteria: Criteria, prices: Prices, proven: bool, looks: Looks) -> tuple[Finding, ...]:
    """Ask a way all questions. `proven` is what `proofs` found, for all ways together."""
    return (
        _policy(way, criteria),
        _missing(way, criteria),
        _quality(way, criteria, proven, looks.planned),
        _certificate(way, criteria, looks.whole),
        _latency(way, criteria),
        _review(way, criteria, prices),
        _cost(way, criteria, prices),
    )


def own_findings(base: Reckoned, criteria: Criteria, prices: Prices) -> tuple[Finding, ...]:
    """Ask the baseline what can be asked of it: not whether it is as good as itself."""
    return (
        _policy(base, criteria),
        _missing(base, criteria),
        _latency(base, criteria),
        _review(base, criteria, prices),
        _cost(base, criteria, prices),
    )


def proofs(ways: Sequence[Reckoned], criteria: Criteria, planned: int | None) -> frozenset[str]:
    """Return which ways are shown to lie within the margin, together wrong with a chance of 1 - confidence (Holm)."""
    left = {way.name: way for way in ways}
    while left:
        level = (1 - criteria.confidence) / len(left)
        shown = [name for name, way in left.items() if way.lower(level, planned) > -criteria.margin]
        if not shown:
            break
        for name in shown:
            del left[name]
    return frozenset(way.name for way in ways if way.name not in left)


def level_of(ways: Sequence[Reckoned], proven: frozenset[str], criteria: Criteria) -> float:
    """Return the chance of error at which Holm stopped, which the bounds on a card are shown at."""
    return (1 - criteria.confidence) / max(1, len(ways) - len(proven))


def _side(measured: Bounded | None, limit: float | None) -> State:
    if limit is None:
        return "unset"
    if measured is None:
        return "open"
    if measured.high <= limit:
        return "passed"
    return "failed" if measured.low > limit else "open"


def _policy(way: Reckoned, criteria: Criteria) -> Finding:
    return Finding("policy", _shared(way.denied, criteria.max_missing), way.denied, criteria.max_missing, way.items)


def _missing(way: Reckoned, criteria: Criteria) -> Finding:
    state = _shared(way.missing, criteria.max_missing)
    if state == "failed" and "unasked" in way.way.seen.outcomes:
        # Who was not asked has not failed to answer.
        state = "open"
    return Finding("missing", state, way.missing, criteria.max_missing, way.items)


def _shared(seen: Bounded, limit: float) -> State:
    """What is missing is a fact about these items, which their bounds of quality already reckon with."""
    if seen.value <= limit:
        return "passed"
    return "failed" if seen.low > limit else "open"


def _quality(way: Reckoned, criteria: Criteria, proven: bool, planned: int | None) -> Finding:
    worst, level = way.worst, 1 - criteria.confidence
    upper = way.upper(level, planned)
    measured = None if worst is None else Bounded(worst.mean, way.lower(level, planned), upper)
    if proven and way.items >= criteria.min_items:
        state: State = "open" if overruled(way, criteria) else "passed"
    elif upper < -criteria.margin and way.items >= criteria.min_items:
        state = "failed"
    else:
        state = "open"
    return Finding("quality", state, measured, -criteria.margin, way.items)


def overruled(way: Reckoned, criteria: Criteria) -> bool:
    """Say whether people find it worse than the margin: then a proof that rests on the scorer is none."""
    people, _ = way.by_people
    return people is not None and people.high < -criteria.margin


def _certificate(way: Reckoned, criteria: Criteria, whole: bool) -> Finding:
    if not way.way.gated:
        return Finding("certificate", "unset", way.wrong_accepted, None, way.items)
    found = way.kept_wrong(criteria.guarantee)
    state = _side(found, criteria.max_wrong)
    if state == "passed" and not whole:
        # Its bound holds once, for the number that was planned; who stops where it looks good has proven nothing.
        state = "open"
    return Finding("certificate", state, found, criteria.max_wrong, way.items)


def _latency(way: Reckoned, criteria: Criteria) -> Finding:
    found, n = way.latency(criteria.concurrency)
    if n < FEWEST_TIMED:
        found = None
    return Finding("latency", _side(found, criteria.max_latency_ms_p95), found, criteria.max_latency_ms_p95, n)


def _review(way: Reckoned, criteria: Criteria, prices: Prices) -> Finding:
    found = way.review_minutes(prices.review)
    limit = criteria.max_review_minutes_per_100
    return Finding("review", _side(found, limit), found, limit, way.way.seen.minutes[2])


def _cost(way: Reckoned, criteria: Criteria, prices: Prices) -> Finding:
    found = way.cost_bounds(prices)
    usd = None if found is None else Bounded(found.value / MICRO, found.low / MICRO, found.high / MICRO)
    most = criteria.max_cost_per_accepted_usd
    limit = None if most is None else micro(most) / MICRO
    return Finding("cost", _side(usd, limit), usd, limit, way.items)


def needs(way: Reckoned, criteria: Criteria, found: Finding, level: float) -> int | None:
    """Return how many more items might close an open gate, were all as it looks now; None where no number would."""
    if found.state != "open":
        return None
    match found.name:
        case "quality" if overruled(way, criteria):
            return None
        case "quality":
            return _for_quality(way, criteria, level)
        case "certificate":
            return _for_certificate(way, criteria)
        case "missing" if "unasked" in way.way.seen.outcomes:
            return way.way.seen.outcomes["unasked"]
        case "latency" if found.measured is None:
            return max(1, FEWEST_TIMED * 3 - found.n)
        case _ if found.measured is None:
            return None
        case _:
            return _for_interval(found)


def _for_quality(way: Reckoned, criteria: Criteria, level: float) -> int | None:
    """The bound must rise to the margin: its reach shrinks with the root of the number, and what is unseen with it."""
    short, worst = max(1, criteria.min_items - way.items), way.worst
    if worst is None or worst.se is None:
        planned = paired_items(criteria.margin, GUESSED_DISCORDANCE, 1 - level, criteria.power)
        return None if planned is None else max(short, planned - way.items)
    room = criteria.margin + min(0.0, worst.mean)
    if room <= 0:
        return None
    normal = NormalDist()
    reach = (normal.inv_cdf(1 - level) + normal.inv_cdf(criteria.power)) * worst.se
    total = max(way.items * (reach / room) ** 2, math.log(level) / math.log1p(-room))
    return max(short, math.ceil(total) - way.items) if total < MOST_ITEMS else None


def _for_certificate(way: Reckoned, criteria: Criteria) -> int | None:
    seen = way.kept_wrong(criteria.guarantee)
    if seen is None or seen.value >= criteria.max_wrong:
        return None
    share = float(way.way.share.mean())
    errors = math.ceil(seen.value * way.items * max(share, 1e-9))
    kept = way.items * share
    planned = certified_items(criteria.max_wrong, errors, criteria.confidence)
    return max(1, math.ceil((planned - kept) / share)) if share > 0 else None


def _for_interval(found: Finding) -> int | None:
    assert found.measured is not None and found.limit is not None
    value, low, high = found.measured
    room = found.limit - value
    reach = high - value if room > 0 else value - low
    if room == 0 or reach <= 0 or found.n == 0 or not math.isfinite(reach):
        return None
    total = found.n * (reach / room) ** 2
    return max(1, math.ceil(total) - found.n) if total < MOST_ITEMS else None
