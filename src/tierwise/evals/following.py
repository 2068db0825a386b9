"""What is worth measuring next? What stands between the evidence and a verdict, with the chance that it turns.

Simple on purpose: chances are normal, worth is what would be saved if the answer is yes, where a volume is declared.
Invariant: nothing is proposed that could not change the verdict.
"""

from collections.abc import Iterator
from decimal import Decimal
from statistics import NormalDist

from tierwise.core.criteria import Criteria
from tierwise.evals.card import Next
from tierwise.evals.gates import Finding, needs, overruled
from tierwise.evals.measured import Measured
from tierwise.evals.options import dollars
from tierwise.evals.reckon import Prices, Reckoned
from tierwise.evals.rule import Case, Ruling, gained

MOST = 3
NORMAL = NormalDist()


def following(case: Case, criteria: Criteria, ruling: Ruling, measured: Measured) -> tuple[Next, ...]:
    """Return what to measure next, the most worthwhile first."""
    if not measured.items:
        return (
            Next(
                what="the items that prove: `tierwise compare` asks them.",
                items=max(criteria.min_items, measured.planned),
            ),
        )
    rest = measured.planned - len(measured.items)
    found = [Next(what="the rest of this comparison: `tierwise compare` resumes it.", items=rest)] if rest > 0 else []
    prices = Prices.of(criteria)
    asked = [*_unknown(case, prices), *_open(case, criteria, ruling, prices), *_gains(case, criteria, ruling, prices)]
    asked.sort(key=lambda one: (-(one.worth_usd_per_month or Decimal(-1)), -(one.chance or 0.0), one.what))
    seen = {one.what: one for one in reversed([*found, *asked])}
    return tuple(list(reversed(seen.values()))[:MOST])


def _unknown(case: Case, prices: Prices) -> Iterator[Next]:
    """What cannot be reckoned for want of one fact."""
    for way in (case.base, *case.ways):
        if not way.way.known_cost:
            yield Next(what=f"the price of {way.way.seen.subject.name}: a row in the registry names it.")
        elif way.minute_rate(prices) is None:
            yield Next(what="how long a review takes: `tierwise review` records the seconds.", items=20)


def _open(case: Case, criteria: Criteria, ruling: Ruling, prices: Prices) -> Iterator[Next]:
    chosen = next((way for way in case.ways if way.name == ruling.choice and ruling.kind == "expand"), None)
    for way in case.ways:
        findings = ruling.found[way.name]
        if any(one.state == "failed" for one in findings) or (chosen is not None and not _cheaper(way, chosen, prices)):
            continue
        for one in findings:
            if one.state == "open" and (what := _what(way, one, criteria)) is not None:
                yield Next(
                    what=what,
                    items=needs(way, criteria, one, ruling.level),
                    chance=_chance(way, criteria, one),
                    worth_usd_per_month=_worth(way, chosen, criteria, prices),
                )


def _what(way: Reckoned, found: Finding, criteria: Criteria) -> str | None:
    match found.name:
        case "quality" if overruled(way, criteria):
            return f"the scorer: people find {way.name} worse than it does (`tierwise compare --rescore`)."
        case "quality":
            return f"{way.name} and the baseline on more items: is it within the margin?"
        case "certificate":
            return f"{way.name} on more items: how many accepted answers are wrong?"
        case "latency":
            return f"{way.name} under the stated load: how slow are its slowest answers?"
        case "missing" | "policy":
            return f"{way.name} on more items: how often is there no answer?"
        case _ if found.measured is None:
            return None
        case _:
            return f"{way.name} on more items: is its {found.name} within the limit?"


def _chance(way: Reckoned, criteria: Criteria, found: Finding) -> float | None:
    """Return how likely the truth lies on the good side, as it looks now."""
    if found.name == "quality":
        worst = way.worst
        if worst is None or not worst.se:
            return None
        return round(NORMAL.cdf((worst.mean + criteria.margin) / worst.se), 3)
    if found.measured is None or found.limit is None:
        return None
    value, low, high = found.measured
    reach = (high - low) / 2
    z = NORMAL.inv_cdf(0.5 + criteria.confidence / 2)
    return round(NORMAL.cdf((found.limit - value) / (reach / z)), 3) if 0 < reach < float("inf") else None


def _cheaper(way: Reckoned, chosen: Reckoned, prices: Prices) -> bool:
    """Say whether a way would be chosen before the one that is, once it were proven."""
    cost, other = way.cost(prices), chosen.cost(prices)
    return cost is not None and other is not None and cost[0] < other[0]


def _worth(way: Reckoned, chosen: Reckoned | None, criteria: Criteria, prices: Prices) -> Decimal | None:
    """Return what a way would save a month more than what is chosen already."""
    saving, had = way.saving(prices), None if chosen is None else chosen.saving(prices)
    if criteria.volume_per_month is None or saving is None:
        return None
    return dollars(max(0.0, saving.value - (had.value if had is not None else 0.0)) * criteria.volume_per_month)


def _gains(case: Case, criteria: Criteria, ruling: Ruling, prices: Prices) -> Iterator[Next]:
    """Whether the chosen way is really the cheaper one: worth the loss that is to be expected if it is not."""
    way = next((one for one in case.ways if one.name == ruling.choice), None)
    saving = None if way is None else way.saving(prices)
    if (
        way is None
        or saving is None
        or ruling.kind == "adjust"
        or any(one.state == "open" for one in ruling.found[way.name])
    ):
        return
    gain = gained(way, saving)
    spread = (gain.high - gain.low) / 2 / NORMAL.inv_cdf(0.5 + criteria.confidence / 2)
    if gain.low > 0 or spread == 0:
        return
    chance = NORMAL.cdf(-abs(gain.value) / spread)
    away = abs(gain.value) / spread
    loss = spread * (NORMAL.pdf(away) - away * chance)
    volume = criteria.volume_per_month
    doubted, word = ("the baseline" if gain.value >= 0 else way.name), ("cheaper" if gain is saving else "quicker")
    yield Next(
        what=f"{way.name} and the baseline on more items: is {doubted} the {word} one after all?",
        items=None
        if gain.value == 0
        else max(1, int(way.items * ((gain.high - gain.value) / gain.value) ** 2) - way.items),
        chance=round(chance, 3),
        worth_usd_per_month=dollars(loss * volume) if volume is not None and gain is saving else None,
    )
