"""Is advice right? Generated organisations, and their truth by trying everything. Run: scripts/bench advise

The second model shares no code with the advice: floating point, every placement, points all over the ranges, then a
search from the worst of them. --count, --first and --seed say which; --flips how many have their flips checked.
"""

import argparse
import itertools
import json
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np

from tierwise.core.label import Label, Tier
from tierwise.economics.advice.advise import Advice, advise
from tierwise.economics.advice.flips import FAR, Flip
from tierwise.economics.advice.organisation import Organisation, Quote, Site, Work
from tierwise.economics.buckets import Bucket, Buckets
from tierwise.economics.given import Given

SAMPLES = 1_200
GRID = 600
NEAR = 0.1
"""Where the greatest regret is within this share of the indifference band, neither answer is sure: counted apart."""
LATENCIES = (None, None, Decimal(1500), Decimal(2500))


# organisations


def about(chance: random.Random, value: float, part: float | None = None) -> Given:
    """Return a number with a range around it, often none."""
    middle = Decimal(f"{value:.4g}")
    wide = Decimal(str(chance.choice((0, 0, 0.05, 0.1, 0.25)) if part is None else part))
    down, up = (wide * Decimal(chance.randint(0, 10)) / 10 for _ in range(2))
    return Given(value=middle, low=middle * (1 - down), high=middle * (1 + up))


def share_right(chance: random.Random, middle: float) -> Given:
    value = min(0.99, max(0.3, chance.gauss(middle, 0.06)))
    wide = chance.choice((0, 0, 0, 0.01, 0.04))
    rounded = [Decimal(f"{min(1, max(0, one)):.3f}") for one in (value, value - wide, value + wide)]
    return Given(value=rounded[0], low=rounded[1], high=rounded[2])


def organisation(chance: random.Random) -> Organisation:
    works = tuple(work(chance, at) for at in range(chance.randint(1, 3)))
    cuts = sorted(chance.sample(range(1, 20), len(works) - 1))
    shares = [Decimal(b - a) / 20 for a, b in itertools.pairwise((0, *cuts, 20))]
    machines = [machine(chance, works, at, place) for at, place in enumerate(places(chance))]
    offers = [offer(chance, works, at) for at in range(chance.choice((0, 1, 2, 2, 2)))]
    return Organisation(
        tokens_per_month=about(chance, 10 ** chance.uniform(7.7, 9.5)),
        work=tuple(Work(**{**fields(one), "share": share}) for one, share in zip(works, shares, strict=True)),
        machine=tuple(machines),
        offer=tuple(offers),
        teams=chance.randint(1, 6),
        capital_usd=chance.choice((None, None, Decimal(chance.randint(10, 600)) * 1000)),
        hours_per_month=chance.choice((None, None, Decimal(chance.randint(20, 200)))),
        reach=chance.choice(({}, {}, {Label.INTERNAL: Tier.SELF_HOSTED})),
        months=chance.choice((24, 36, 48)),
        residual=chance.choice((Decimal(0), Decimal("0.2"))),
        ramp_months=chance.choice((0, 6)),
    )


def places(chance: random.Random) -> tuple[str, ...]:
    return chance.choice((("edge",), ("central",), ("edge", "central"), ("edge", "central"), ("central", "central")))


def fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__struct_fields__}


def work(chance: random.Random, at: int) -> Work:
    return Work(
        name=f"work {at}",
        output_share=Decimal(chance.randint(5, 60)) / 100,
        label=chance.choices(tuple(Label), (4, 10, 4, 1))[0],
        needs=chance.choice((Decimal(0), Decimal(chance.randint(60, 84)) / 100)),
        latency_ms=chance.choice(LATENCIES),
        regions=chance.choice(((), (), (), (), (), ("eu",))),
        offline=chance.random() < 0.03,
        must_go_on=chance.random() < 0.25,
        stage=chance.choice(("production", "production", "development")),
    )


def served(chance: random.Random, works: tuple[Work, ...], middle: float) -> dict[str, Any]:
    known = {one.name: share_right(chance, middle) for one in works if chance.random() > 0.01}
    people = Bucket(
        month_usd=about(chance, chance.uniform(0, 900)), set_up_per_workflow_usd=about(chance, chance.uniform(0, 2000))
    )
    return {
        "quality": known,
        "latency_ms": about(chance, chance.uniform(150, 1800)),
        "region": chance.choice(("eu", "eu", "us")),
        "set_up_usd": about(chance, chance.uniform(0, 4000)),
        "base_usd_per_month": about(chance, chance.uniform(0, 300)),
        "buckets": Buckets(people=people),
    }


def machine(chance: random.Random, works: tuple[Work, ...], at: int, place: Any) -> Site:
    edge = place == "edge"
    return Site(
        name=f"{place} {at}",
        place=place,
        tokens=about(chance, 10 ** chance.uniform(7, 8.5) if edge else 10 ** chance.uniform(8, 9.7)),
        usd_once=about(chance, chance.uniform(1500, 9000) if edge else chance.uniform(8000, 90000)),
        usd_per_month=about(chance, chance.uniform(10, 120) if edge else chance.uniform(100, 2500)),
        usd_per_mtok=about(chance, chance.uniform(0, 0.1)),
        hours_per_month=about(chance, chance.uniform(1, 8) if edge else chance.uniform(5, 40)),
        **served(chance, works, 0.85 if edge else 0.89),
    )


def offer(chance: random.Random, works: tuple[Work, ...], at: int) -> Quote:
    open_ = chance.random() < 0.4
    price = 10 ** (chance.uniform(-1, 0.3) if open_ else chance.uniform(0, 1.2))
    return Quote(
        name=f"offer {at}",
        open_weights=open_,
        input_usd_per_mtok=about(chance, price),
        output_usd_per_mtok=about(chance, price * chance.uniform(2, 6)),
        **served(chance, works, 0.86 if open_ else 0.92),
    )


# the second model


class Input(NamedTuple):
    """One number: its value and the ends of its range."""

    value: float
    low: float
    high: float


class Way(NamedTuple):
    """One placement at many points: what a month costs, and whether every gate holds."""

    key: tuple[str, ...]
    answer: tuple[str, str]
    usd: np.ndarray
    holds: np.ndarray


RANK = {Tier.LOCAL: 0, Tier.SELF_HOSTED: 1, Tier.FRONTIER: 2}
STANDS = {"edge": 0, "central": 1, "outside": 2}
CEILING = {Label.PUBLIC: 2, Label.INTERNAL: 2, Label.CONFIDENTIAL: 1, Label.RESTRICTED: 0}
Points = dict[tuple[str, str], np.ndarray]


def numbers(org: Organisation) -> dict[tuple[str, str], Input]:
    """List every number of an organisation."""
    found: dict[tuple[str, str], Input] = {("", "volume"): ends(org.tokens_per_month)}
    for one in org.servers:
        for name in ("set_up_usd", "base_usd_per_month", "latency_ms", "tokens", "usd_once", "usd_per_month",
                     "usd_per_mtok", "hours_per_month", "input_usd_per_mtok", "output_usd_per_mtok"):  # fmt: skip
            if (given := getattr(one, name, None)) is not None:
                found[one.name, name] = ends(given)
        people = one.buckets.people
        assert people is not None
        found[one.name, "month"], found[one.name, "each"] = ends(people.month_usd), ends(people.set_up_per_workflow_usd)
        for job in org.work:
            right = one.quality.get(job.name)
            found[one.name, job.name] = Input(0.5, 0.0, 1.0) if right is None else ends(right)
    for job in org.work:
        found[job.name, "needs"] = fixed(job.needs)
        if job.latency_ms is not None:
            found[job.name, "latency"] = fixed(job.latency_ms)
    for name in ("capital_usd", "hours_per_month"):
        if (limit := getattr(org, name)) is not None:
            found["", name] = fixed(limit)
    return found


def ends(given: Given) -> Input:
    return Input(float(given.value), float(given.least), float(given.most))


def fixed(limit: Decimal) -> Input:
    return Input(float(limit), float(limit), float(limit))


def where(one: Site | Quote) -> str:
    return one.place if isinstance(one, Site) else "outside"


def ways(org: Organisation, x: Points, only: set[tuple[str, ...]] | None = None) -> Iterator[Way]:
    """Reckon every placement at every point."""
    able = {(job.name, one.name): able_to(org, job, one, x) for job in org.work for one in org.servers}
    choices = [[one for one in org.servers if able[job.name, one.name].any()] for job in org.work]
    for chosen in itertools.product(*choices):
        here = {one.name for one in chosen}
        risky = [job for job, one in zip(org.work, chosen, strict=True) if job.must_go_on and where(one) == "edge"]
        centrals = [one for one in org.machine if one.place == "central"]
        for standby in (None, *(one for one in centrals if risky and one.name not in here)):
            stand_in = [one for one in centrals if one.name in here or one is standby]
            safe = [job for job in risky if any(always(org, job, one) for one in stand_in)]
            if standby is not None and not safe:
                continue
            key = (*(one.name for one in chosen), standby.name if standby else "")
            if only is not None and key not in only:
                continue
            yield reckoned(org, x, chosen, standby, {job.name for job in safe}, able)


def always(org: Organisation, job: Work, one: Site) -> bool:
    """Say whether a machine surely may do a job, wherever its numbers lie."""
    box = numbers(org)
    sure = {key: np.array([box[key].low if key[1] == job.name else box[key].high]) for key in box}
    return (one.quality.get(job.name) is not None or not job.needs) and bool(able_to(org, job, one, sure)[0])


def able_to(org: Organisation, job: Work, one: Site | Quote, x: Points) -> np.ndarray:
    holds = np.full_like(x["", "volume"], True, dtype=bool)
    reach = RANK[org.reach[job.label]] if job.label in org.reach else CEILING[job.label]
    holds &= STANDS[where(one)] <= reach
    if job.regions:
        holds &= one.region in job.regions
    if job.offline:
        holds &= where(one) == "edge"
    if job.needs:
        holds &= x[one.name, job.name] >= x[job.name, "needs"] * (1 - 1e-12)
    if job.latency_ms is not None:
        holds &= x[one.name, "latency_ms"] <= x[job.name, "latency"] * (1 + 1e-12)
    return holds


def reckoned(
    org: Organisation, x: Points, chosen: tuple[Site | Quote, ...], standby: Site | None, safe: set[str],
    able: dict[tuple[str, str], np.ndarray],
) -> Way:  # fmt: skip
    usd, capital, hours = (np.zeros_like(x["", "volume"]) for _ in range(3))
    holds = np.full_like(usd, True, dtype=bool)
    for job, one in zip(org.work, chosen, strict=True):
        holds &= able[job.name, one.name]
        tokens = x["", "volume"] * float(job.share) / 1e6
        if isinstance(one, Quote):
            out = float(job.output_share)
            usd = usd + tokens * (
                (1 - out) * x[one.name, "input_usd_per_mtok"] + out * x[one.name, "output_usd_per_mtok"]
            )
        else:
            usd = usd + tokens * x[one.name, "usd_per_mtok"]
    for one in {one.name: one for one in (*chosen, *([standby] if standby else []))}.values():
        jobs = [job for job, other in zip(org.work, chosen, strict=True) if other is one]
        once = x[one.name, "set_up_usd"] + len(jobs) * x[one.name, "each"]
        usd = usd + once / org.months + x[one.name, "base_usd_per_month"] + x[one.name, "month"]
        capital = capital + once
        if isinstance(one, Site):
            fleets = org.teams if one.place == "edge" else 1
            spare = any(job.must_go_on and job.name not in safe for job in jobs) or (
                one.place == "central" and bool(safe)
            )
            load = x["", "volume"] * float(sum(job.share for job in jobs)) / fleets / x[one.name, "tokens"]
            count = fleets * (np.ceil(load * (1 - 1e-13)) + spare)
            price = x[one.name, "usd_once"]
            usd = usd + count * (x[one.name, "usd_per_month"] + price * (1 - float(org.residual)) / org.months)
            capital, hours = capital + count * price, hours + fleets * x[one.name, "hours_per_month"]
    for name, needed in (("capital_usd", capital), ("hours_per_month", hours)):
        if ("", name) in x:
            holds &= needed <= x["", name] * (1 + 1e-12)
    return Way(
        (*(one.name for one in chosen), standby.name if standby else ""), named(org, chosen, standby), usd, holds
    )


def named(org: Organisation, chosen: tuple[Site | Quote, ...], standby: Site | None) -> tuple[str, str]:
    at = {where(one) for one in chosen} | ({"central"} if standby else set())
    topology = {(0, 0): "outside", (1, 0): "team_local", (0, 1): "central_private", (1, 1): "edge_and_central"}
    dear = [job.stage for job, one in zip(org.work, chosen, strict=True) if not one.open_weights]
    stages = {job.stage for job in org.work}
    strategy = "open_for_volume"
    if not dear:
        strategy = "open"
    elif len(dear) == len(chosen):
        strategy = "frontier"
    elif "production" not in dear and "production" in stages:
        strategy = "frontier_for_development"
    return topology["edge" in at, "central" in at], strategy


def single(box: dict[tuple[str, str], Input], moved: dict[tuple[str, str], np.ndarray] | None = None) -> Points:
    """Return the values, with some of them moved by factors."""
    size = len(next(iter(moved.values()))) if moved else 1
    return {key: np.full(size, one.value) * (moved or {}).get(key, 1.0) for key, one in box.items()}


def best_answers(org: Organisation, x: Points) -> list[tuple[tuple[str, str] | None, float, float]]:
    """Return, for each point, the cheapest answer, its cost, and how much dearer the cheapest other answer is."""
    found = list(ways(org, x))
    told = []
    for at in range(len(x["", "volume"])):
        ranked = sorted((float(one.usd[at]), one.answer) for one in found if one.holds[at])
        if not ranked:
            told.append((None, 0.0, float("inf")))
            continue
        usd, answer = ranked[0]
        second = next((other for other, which in ranked if which != answer), float("inf"))
        told.append((answer, usd, second / usd - 1 if usd else float("inf")))
    return told


# what is asked


def sampled(box: dict[tuple[str, str], Input], chance: random.Random) -> Points:
    """Return points of a box: the values, its corners, and anywhere."""
    rng = np.random.default_rng(chance.getrandbits(32))
    half = SAMPLES // 2
    x: Points = {}
    for key, one in box.items():
        corner = np.where(rng.random(half) < 0.5, one.low, one.high)
        inside = one.low + (one.high - one.low) * rng.random(half)
        x[key] = np.concatenate(([one.value], corner, inside))
    return x


def regret(org: Organisation, key: tuple[str, ...], chance: random.Random) -> tuple[float, bool]:
    """Search the ranges for where a plan is dearest against what is permitted; say whether its gates always hold."""
    box = numbers(org)
    x = sampled(box, chance)
    found = {way.key: way for way in ways(org, x)}
    mine = found.pop(key)
    worst = 1.0
    for other in found.values():
        ratio = np.where(other.holds, mine.usd / np.maximum(other.usd, 1e-9), 0)
        at = int(ratio.argmax())
        if ratio[at] > 0.75:
            worst = max(worst, climbed(org, box, (key, other.key), {name: values[at] for name, values in x.items()}))
    return worst, bool(mine.holds.all())


def climbed(
    org: Organisation,
    box: dict[tuple[str, str], Input],
    keys: tuple[tuple[str, ...], tuple[str, ...]],
    start: dict[Any, Any],
) -> float:
    """Move one number after the other to where the first plan is dearest against the second."""
    point, best = dict(start), 0.0
    moving = [key for key, one in box.items() if one.low < one.high]
    for _ in range(3):
        before = best
        for key in moving:
            one = box[key]
            steps = 41 if key[1] in ("volume", "tokens") else 2
            tried = np.linspace(one.low, one.high, steps)
            x = {name: np.full(steps, value) for name, value in point.items()} | {key: tried}
            pair = {way.key: way for way in ways(org, x, set(keys))}
            if len(pair) < 2:
                continue
            mine, other = (pair[which] for which in keys)
            ratio = np.where(other.holds, mine.usd / np.maximum(other.usd, 1e-9), 0)
            if ratio.max() > best:
                best, point[key] = float(ratio.max()), float(tried[int(ratio.argmax())])
        if best <= before:
            break
    return best


def exact(org: Organisation, chance: random.Random) -> Organisation:
    """Return the same where every number is known: one of those that the ranges allow."""
    return somewhere(org, chance)


def somewhere(value: Any, chance: random.Random) -> Any:
    if isinstance(value, Given):
        share = Decimal(chance.randint(0, 1000)) / 1000
        return Given(value=value.least + (value.most - value.least) * share)
    if isinstance(value, (Organisation, Site, Quote, Buckets, Bucket)):
        return type(value)(**{name: somewhere(one, chance) for name, one in fields(value).items()})
    if isinstance(value, tuple):
        return tuple(somewhere(one, chance) for one in value)
    if isinstance(value, dict):
        return {name: somewhere(one, chance) for name, one in value.items()}
    return value


def moved(org: Organisation, flip: Flip, factors: np.ndarray) -> dict[tuple[str, str], np.ndarray]:
    """Return which numbers a knob moves."""
    if flip.knob == "tokens_per_month":
        return {("", "volume"): factors}
    if flip.knob in ("capital_usd", "hours_per_month"):
        return {("", flip.knob): factors}
    name, _, what = flip.knob.partition(": ")
    machine_ = any(one.name == name for one in org.machine)
    price = ("usd_once", "usd_per_month") if machine_ else ("input_usd_per_mtok", "output_usd_per_mtok")
    keys = {
        "tokens": ("tokens",), "price": price, "needs": ("needs",), "latency_ms": ("latency",),
        "what it costs besides": ("set_up_usd", "base_usd_per_month"),
    }[what]  # fmt: skip
    return {(name, key): factors for key in keys}


def check_flips(org: Organisation, told: Advice, tally: Counter[str], errors: list[float]) -> None:
    """Hold each flip against scanning and halving on the second model."""
    box = numbers(org)

    def answer(flip: Flip, factors: list[float] | np.ndarray) -> list[Any]:
        return [one[0] for one in best_answers(org, single(box, moved(org, flip, np.array(factors))))]

    now = (told.plan.topology, told.plan.strategy) if told.plan else None
    named_flips = {(flip.knob, flip.above): flip for flip in told.flips}
    for (_, above), flip in named_flips.items():
        at = float(flip.at / flip.now)
        outward = 1e-7 if above else -1e-7
        before, beyond = answer(flip, [at * (1 - outward), at * (1 + outward)])
        tally["flips"] += 1
        tally["flips right on both sides"] += before == now and beyond == (flip.answer and tuple(flip.answer))
        factors = np.geomspace(1, FAR if above else 1 / FAR, GRID)
        seen = answer(flip, factors)
        first = next((n for n, one in enumerate(seen) if n and one != now), None)
        if first is None:
            tally["flips too narrow for the scan"] += 1
            continue
        near, far = factors[first - 1], factors[first]
        while abs(far - near) > 1e-9 * near:
            middle = (near + far) / 2
            near, far = (middle, far) if answer(flip, [middle])[0] == now else (near, middle)
        error = abs(at / near - 1)
        if error > 1e-3 and abs(np.log(at)) < abs(np.log(near)):
            tally["flips too narrow for the scan"] += 1
            continue
        errors.append(error)


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--count", type=int, default=1_000)
    asked.add_argument("--first", type=int, default=0, help="to run it in parts")
    asked.add_argument("--seed", type=int, default=2026)
    asked.add_argument("--flips", type=int, default=100, help="how many organisations have their flips checked")
    asked.add_argument("--json", action="store_true")
    wanted = asked.parse_args()
    tally: Counter[str] = Counter()
    took: list[float] = []
    errors: list[float] = []
    for number in range(wanted.first, wanted.first + wanted.count):
        chance = random.Random(wanted.seed * 1_000_003 + number)
        org = organisation(chance)
        known(org, chance, tally, errors if number < wanted.first + wanted.flips else None)
        ranged(org, chance, tally, took, number)
    said: dict[str, Any] = {name.replace(":", "").replace(",", "").replace(" ", "_"): tally[name] for name in TALLIED}
    said |= {"organisations": wanted.count, "seed": wanted.seed, "median_ms": round(statistics.median(took) * 1000)}
    if errors:
        said |= {"flips_compared": len(errors), "flips_worst": f"{max(errors):.1e}"}
    print(json.dumps(said) if wanted.json else "\n".join(f"{value!s:>7}  {name}" for name, value in said.items()))
    return 0 if reached(tally) else 1


TALLIED = (
    "known: all", "known: outside of the band", "known: outside of the band, right", "ranged: clear",
    "ranged: clear, right", "ranged: ambiguous", "ranged: ambiguous, right", "ranged: between", "ranged: firm",
    "ranged: firm, and within the band of the best at the truth", "ranged: no plan surely passes",
    "ranged: no plan surely passes, right", "GATES BROKEN", "GATES BROKEN AT THE TRUTH", "flips",
    "flips right on both sides",
)  # fmt: skip


def reached(tally: Counter[str]) -> bool:
    """Say whether the aims are: right outside of the band, unsure where it is unclear, never a gate broken."""
    return (
        tally["known: outside of the band, right"] >= 0.99 * tally["known: outside of the band"]
        and tally["ranged: ambiguous, right"] >= 0.95 * tally["ranged: ambiguous"]
        and not tally["GATES BROKEN"] + tally["GATES BROKEN AT THE TRUTH"]
    )


def known(org: Organisation, chance: random.Random, tally: Counter[str], errors: list[float] | None) -> None:
    """Everything is known: is the answer that of trying everything?"""
    org = exact(org, chance)
    told = advise(org)
    answer, _, margin = best_answers(org, single(numbers(org)))[0]
    unmeasured = any(job.name not in one.quality for job in org.work for one in org.servers)
    if unmeasured:
        tally["known: left out, something was never measured"] += 1
        return
    said = (told.plan.topology, told.plan.strategy) if told.plan else None
    tally["known: all"] += 1
    if margin > float(org.indifference):
        tally["known: outside of the band"] += 1
        tally["known: outside of the band, right"] += said == answer
    else:
        tally["known: inside of the band"] += 1
        tally["known: inside of the band, the same"] += said == answer
    if errors is not None:
        check_flips(org, told, tally, errors)


def ranged(org: Organisation, chance: random.Random, tally: Counter[str], took: list[float], number: int) -> None:
    """Only ranges are known: is what is firm clear, and what is not evident unclear?"""
    begun = time.perf_counter()
    told = advise(org)
    took.append(time.perf_counter() - begun)
    truth = exact(org, chance)
    found = list(ways(org, sampled(numbers(org), chance)))
    if told.plan is None:
        always_ = any(way.holds.all() for way in found)
        ever = any(way.holds.any() for way in found)
        tally["ranged: no plan surely passes"] += 1
        right = not always_ and (ever == (told.verdict == "not_enough_evidence"))
        tally["ranged: no plan surely passes, right"] += right
        if not right:
            print(f"# {number}: {told.verdict}, always {always_}, ever {ever}", file=sys.stderr)
        return
    key = (*(one.server for one in told.plan.serves), told.plan.stands_in or "")
    worst, holds = regret(org, key, chance)
    tally["GATES BROKEN"] += not holds
    at_truth = {way.key: way for way in ways(truth, single(numbers(truth)))}
    tally["GATES BROKEN AT THE TRUTH"] += not at_truth[key].holds[0]
    band = float(org.indifference)
    truly = "clear" if worst <= 1 + band * (1 - NEAR) else "ambiguous" if worst > 1 + band * (1 + NEAR) else "between"
    tally[f"ranged: {truly}"] += 1
    right = {"clear": told.verdict == "firm", "ambiguous": told.verdict == "not_enough_evidence", "between": True}[
        truly
    ]
    tally[f"ranged: {truly}, right"] += right
    if not right:
        print(f"# {number}: {told.verdict}, but {truly} ({worst:.4f})", file=sys.stderr)
    if told.verdict == "firm":
        best = min(float(way.usd[0]) for way in at_truth.values() if way.holds[0])
        tally["ranged: firm"] += 1
        tally["ranged: firm, and within the band of the best at the truth"] += float(at_truth[key].usd[0]) <= best * (
            1 + band
        ) * (1 + 1e-9)


if __name__ == "__main__":
    sys.exit(main())
