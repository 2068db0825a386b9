"""Would machines of one's own pay, as a picture and in figures? One plan against each API that it is compared with.

Pure; `economics.compare` answers. Invariant: each crossing within the picture is marked, and what the inputs' ranges
leave open is drawn as open.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal

import msgspec
from markupsafe import Markup

from tierwise.core.usage import Price, Usage
from tierwise.economics.baselines import Baseline, api_of
from tierwise.economics.breakeven import Own, api_usd, bought, own_usd
from tierwise.economics.buckets import BucketRow
from tierwise.economics.compare import HORIZON, Answer, CostPlan, Input, answers, inputs
from tierwise.economics.curve import Curves, Point, curves
from tierwise.economics.question import written
from tierwise.web import charts, words
from tierwise.web.charts import Curve, Field, Spot

HITS = 46
POINTS = 160
MOST_CROSSINGS = 12
MOST_MARKS = 200
OWN_REACH = 3
"""The picture is so much higher than own machines cost: an API far above is cut off, and the steps can be seen."""
SIDES = {"own": "Own machines", "api": "The API", "open": "Open"}


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison, told. `kind` is the class of its line."""

    answer: Answer
    kind: str
    side: str
    crossings: list[str]
    more: int


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one plan."""

    chart: Markup | None
    compared: list[Compared]
    buckets: tuple[BucketRow, ...]
    missing: list[str]
    inputs: tuple[Input, ...]
    volume: int
    own_usd: Decimal
    machines: list[str]
    today: int | None
    toml: str
    command: str


def compared(plan: CostPlan, found: tuple[Baseline, ...], prices: Mapping[str, Price], mix: Usage) -> CostPlan:
    """Add both baselines of the ledger to the APIs of a plan, as `tierwise cost --plan` does."""
    added = (api_of(one, prices.get(one.model), mix) for one in found)
    return msgspec.structs.replace(plan, api=(*plan.api, *(one for one in added if one is not None)))


def told(plan: CostPlan, compared: CostPlan, today: int | None, command: str) -> Told:
    """Answer `compared`, which is `plan` with the ledger's baselines; `today` is the ledger's volume of a month."""
    own, volume, found = compared.whole(), compared.plan.tokens_per_month, answers(compared)
    drawn = [curves(own, answer, volume, POINTS) for answer in found]
    return Told(
        chart=_chart(own, found, drawn, volume, today) if found else None,
        compared=[_told(answer) for answer in found],
        buckets=compared.bucket_rows(),
        missing=[row.title for row in compared.bucket_rows() if not row.filled],
        inputs=inputs(compared),
        volume=volume,
        own_usd=own_usd(own, volume),
        machines=[_bought(own, at, volume) for at in range(len(own.steps))],
        today=today,
        toml=written(plan),
        command=command,
    )


def _bought(own: Own, at: int, volume: int) -> str:
    step = own.steps[at]
    return f"{bought(step, volume):,} × {step.name}"


def _told(answer: Answer) -> Compared:
    crossings = answer.crossings.crossings
    return Compared(
        answer=answer,
        kind=_kind(answer),
        side=SIDES[answer.cheaper],
        crossings=[words.count(at) for at in crossings[:MOST_CROSSINGS]],
        more=max(0, len(crossings) - MOST_CROSSINGS),
    )


def _kind(answer: Answer) -> str:
    role = answer.api.name.partition(":")[0]
    return {"all-frontier": "l-2", "all-cheapest": "l-1"}.get(role, "l-3")


def _chart(own: Own, found: tuple[Answer, ...], drawn: list[Curves], volume: int, today: int | None) -> Markup:
    most = HORIZON * max(1, volume)
    high = float(max(point.high_usd for point in drawn[0].own))
    top = max(float(point.usd) for one in drawn for point in one.api)
    top = max(min(top, OWN_REACH * high), high) * 1.04 or 1.0
    lines = [Curve(points=tuple(map(_place, drawn[0].own)), kind="l-0")]
    lines += [
        Curve(points=tuple(map(_place, one.api)), kind=_kind(answer)) for one, answer in zip(drawn, found, strict=True)
    ]
    both = "this plan, and today" if today == volume else "this plan"
    spots = [Spot(across=volume, told=f"{both}: {words.count(volume)}", kind="plan")]
    if today is not None and today <= most and today != volume:
        spots.append(Spot(across=today, told=f"today: {words.count(today)}", kind="today"))
    spots += [spot for answer in found for spot in _crossings(answer, most)]
    field = Field(across=float(most), up=top, write_across=words.count, write_up=words.dollars)
    said = f"Own machines in steps against {', '.join(answer.api.name for answer in found)}, up to {words.count(most)}."
    return charts.plane("What a month costs by its tokens", said, field, lines, spots, list(_hits(own, found, most)))


def _place(point: Point) -> tuple[float, float, float, float]:
    return float(point.tokens), float(point.usd), float(point.low_usd), float(point.high_usd)


def _crossings(answer: Answer, most: int) -> Iterator[Spot]:
    for at in answer.crossings.crossings[:MOST_MARKS]:
        if at <= most:
            said = f"{words.count(at)} tokens a month: from here on {SIDES[answer.crossings.at(at)]} cheaper"
            cost = float(api_usd(answer.api, at))
            yield Spot(across=at, up=cost, told=f"{said} ({answer.api.name})", kind=_kind(answer))


def _hits(own: Own, found: tuple[Answer, ...], most: int) -> Iterator[Spot]:
    for at in range(HITS):
        tokens = most * at // HITS
        said = [f"own {words.money(own_usd(own, tokens))}"]
        said += [f"{answer.api.name} {words.money(api_usd(answer.api, tokens))}" for answer in found]
        yield Spot(across=tokens, told=f"{words.count(tokens)} tokens: {'; '.join(said)}")
