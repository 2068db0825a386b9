"""Which numbers does the break-even question have, how are they put into a form, and what does a form that comes back
ask? Pure.

A number that the reader left as it was keeps its range and where it comes from; one that the reader set is assumed.
Invariant: what nobody said is unknown and stands there as such; no number is made up.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from operator import attrgetter
from typing import Literal

import msgspec

from tierwise.core.errors import InvalidCall
from tierwise.core.usage import Usage
from tierwise.economics.breakeven import Api, Own, Step
from tierwise.economics.buckets import BUCKETS, TITLES, BucketName
from tierwise.economics.compare import CostPlan
from tierwise.economics.given import NOTHING, Given
from tierwise.economics.own import Machine
from tierwise.economics.payback import Plan
from tierwise.economics.question import changed, plan_of

Unit = Literal["$", "tokens", "share", "count", "months"]
HERE = "set on this page"
START_TOKENS = 100_000_000
"""Where the volume begins that no ledger tells."""
PEAK_TO_MEAN = Given(value=Decimal(3), low=Decimal(2), high=Decimal(5), source="this page")
SURE_PERCENT = 20
STEP = "machine."
_FINEST = Decimal("1E-9")
_GROUPED = 10_000
"""From here on a number is written with commas between thousands."""


class Slider(msgspec.Struct, frozen=True, kw_only=True):
    """One number. `name` is its place in the plan (`machine.` is the machine that is bought), `most` what the slider
    reaches; `least` above 0 makes it one of powers of ten. Tokens, counts and months are whole."""

    name: str
    title: str
    unit: Unit
    most: Decimal
    least: Decimal = Decimal(0)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A slider as it stands: its text, empty where the number is unknown, what it was before, and who says so."""

    slider: Slider
    text: str
    before: str
    said: str

    @property
    def id(self) -> str:
        """What its label names."""
        return self.slider.name.replace(".", "-").replace("_", "-")


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What the form begins with: a plan, of a `[[machine]]` or of nothing that is known (`known` False)."""

    plan: CostPlan
    known: bool
    volume_said: str


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a form asks. `plan` None: not enough is known; `problem` says what is missing or wrong."""

    plan: CostPlan | None
    groups: dict[str, tuple[Row, ...]]
    buckets: dict[BucketName, tuple[Row, ...]]
    problem: str = ""


def _slider(name: str, title: str, unit: Unit, most: str, least: str = "0") -> Slider:
    return Slider(name=name, title=title, unit=unit, most=Decimal(most), least=Decimal(least))


VOLUME = _slider("plan.tokens_per_month", "Tokens a month", "tokens", "1E13", "1E4")
GROUPS: dict[str, tuple[Slider, ...]] = {
    "The machine": (
        _slider("machine.tokens", "Tokens a month that one carries", "tokens", "1E13", "1E6"),
        _slider("machine.usd_once", "One is bought for", "$", "500000", "100"),
        _slider("machine.usd_per_month", "A month of one: hosting, power while idle, rent", "$", "20000", "1"),
        _slider("own.usd_per_mtok", "Each million tokens: power", "$", "10", "0.001"),
        _slider("machine.spare", "Spare ones, whatever the volume", "count", "8"),
        _slider("own.months", "Written off over", "months", "96"),
        _slider("own.residual", "Still worth then, as a share", "share", "1"),
    ),
    "The plan": (
        _slider("plan.months", "Looked at for", "months", "96"),
        _slider("plan.ramp_months", "Volume grows for", "months", "48"),
        _slider("plan.starts_after_months", "The machine starts after", "months", "48"),
        _slider("plan.discount", "Discount of a year, as a share", "share", "0.5"),
        _slider("plan.api_decline", "API prices fall in a year, as a share", "share", "0.9"),
        _slider("workflows", "Workflows that share the buckets", "count", "50"),
        _slider("models", "Models", "count", "20"),
    ),
}
_OF_BUCKET = (
    ("month_usd", "A month", "50000"),
    ("month_per_workflow_usd", "A month for each workflow", "10000"),
    ("month_per_model_usd", "A month for each model", "10000"),
    ("set_up_usd", "Set-up, once", "200000"),
    ("set_up_per_workflow_usd", "Set-up for each workflow", "50000"),
    ("set_up_per_model_usd", "Set-up for each model", "50000"),
)
BUCKET_SLIDERS: dict[BucketName, tuple[Slider, ...]] = {
    name: tuple(_slider(f"buckets.{name}.{field}", title, "$", most, "1") for field, title, most in _OF_BUCKET)
    for name in BUCKETS
}
API_PRICE = _slider("api", "Another API: a million tokens", "$", "100", "0.01")
SURE = _slider("sure", "What is set here may be off by, in percent", "count", "90")


def machines(known: tuple[Machine, ...]) -> dict[str, tuple[Machine, int]]:
    """Return what could be asked about: each machine with each model that it serves, by a name for a form."""
    return {f"{one.name}: {row.model}": (one, at) for one in known for at, row in enumerate(one.serves)}


def start(known: Mapping[str, tuple[Machine, int]], chosen: str, mix: Usage, monthly_tokens: int | None) -> Start:
    """Return what a form begins with: the chosen machine, else the first, else nothing."""
    volume = START_TOKENS if monthly_tokens is None else monthly_tokens
    said = "assumed: no traffic is on record" if monthly_tokens is None else "measured: the ledger, as a month"
    machine, at = known.get(chosen) or next(iter(known.values()), (None, 0))
    if machine is None:
        nothing = Own(steps=(Step(name="machine", tokens=Given(value=Decimal(1))),))
        return Start(plan=CostPlan(own=nothing, plan=Plan(tokens_per_month=volume)), known=False, volume_said=said)
    counted = mix if mix.written else Usage(output=1)
    plan = plan_of(machine, machine.serves[at], counted, volume=volume, peak_to_mean=PEAK_TO_MEAN)
    return Start(plan=plan, known=True, volume_said=said)


def asked(begin: Start, query: Mapping[str, str]) -> Asked:
    """Read a form. What cannot be is told as the problem, beside what was typed."""
    step = begin.plan.own.steps[0]
    problem, said = "", dict[str, Given | int]()
    sliders = [VOLUME, *(one for group in (*GROUPS.values(), *BUCKET_SLIDERS.values()) for one in group)]
    try:
        share = _number(SURE, query.get("sure", "")) or Decimal(SURE_PERCENT)
        for one in sliders:
            before, text = _before(begin, one), query.get(one.name, "").strip()
            if one.name in query and _bare(text) != _bare(before):
                value = _said(one, text, min(share, Decimal(90)) / 100)
                if value is not None:
                    said[one.name.replace(STEP, f"own.steps.{step.name}.", 1)] = value
        plan: CostPlan | None = changed(begin.plan, said)
        price = _number(API_PRICE, query.get("api", ""))
        if plan is not None and price is not None:
            given = _given(API_PRICE, price, min(share, Decimal(90)) / 100)
            plan = msgspec.structs.replace(plan, api=(Api(name="another API", usd_per_mtok=given),))
    except InvalidCall as error:
        plan, problem = None, str(error)
    paid = any(name in said for name in (f"own.steps.{step.name}.usd_once", f"own.steps.{step.name}.usd_per_month"))
    if plan is not None and not begin.known and not (f"own.steps.{step.name}.tokens" in said and paid):
        plan = None
        problem = "Say how many tokens a month one machine carries, and what it is bought or rented for."
    return Asked(
        plan=plan,
        problem=problem,
        groups={title: tuple(_row(begin, one, query) for one in group) for title, group in GROUPS.items()},
        buckets={name: tuple(_row(begin, one, query) for one in group) for name, group in BUCKET_SLIDERS.items()},
    )


def single(begin: Start, slider: Slider, query: Mapping[str, str]) -> Row:
    """Return a number that stands alone on the form."""
    if slider.name == SURE.name:
        return Row(slider=slider, text=query.get("sure", str(SURE_PERCENT)), before="", said="a range for each of them")
    if slider.name == API_PRICE.name:
        text = query.get("api", "")
        return Row(slider=slider, text=text, before="", said=f"assumed: {HERE}" if text else "not compared with")
    return _row(begin, slider, query)


def title_of(bucket: BucketName) -> str:
    """Return what a bucket is called."""
    return TITLES[bucket].capitalize()


def written(value: Decimal) -> str:
    """Write a number as a form carries it: no more digits than count."""
    if not value:
        return "0"
    rounded = value.quantize(max(_FINEST, Decimal(1).scaleb(value.adjusted() - 5)))
    return f"{rounded.normalize():,f}" if rounded >= _GROUPED else f"{rounded.normalize():f}"


def _row(begin: Start, one: Slider, query: Mapping[str, str]) -> Row:
    before = _before(begin, one)
    text = query.get(one.name, before).strip()[:40]
    return Row(
        slider=one,
        text=text,
        before=before,
        said=_provenance(begin, one) if _bare(text) == _bare(before) else _now(text),
    )


def _bare(text: str) -> str:
    return text.strip().replace(",", "").replace("_", "")


def _now(text: str) -> str:
    return f"assumed: {HERE}" if text else "unknown: counted as nothing"


def _found(begin: Start, one: Slider) -> Given | int | None:
    """Return what the plan begins with there, None where it is unknown."""
    if one.name.startswith("buckets."):
        bucket = getattr(begin.plan.buckets, one.name.split(".")[1])
        value = None if bucket is None else getattr(bucket, one.name.split(".")[2])
    elif one.name.startswith(STEP):
        value = getattr(begin.plan.own.steps[0], one.name.removeprefix(STEP))
    else:
        value = attrgetter(one.name)(begin.plan)
    unknown = isinstance(value, Given) and (not value.most or (one.name == "machine.tokens" and not begin.known))
    return None if unknown else value


def _before(begin: Start, one: Slider) -> str:
    match _found(begin, one):
        case None:
            return ""
        case Given(value=value):
            return written(value)
        case number:
            return written(Decimal(number)) if one.name == VOLUME.name else str(number)


def _provenance(begin: Start, one: Slider) -> str:
    match _found(begin, one):
        case None:
            return "unknown: counted as nothing" if begin.known or one.name != "machine.tokens" else "unknown"
        case Given() as given:
            ends = "" if given.least == given.most else f", {written(given.least)} to {written(given.most)}"
            return f"{given.provenance}{ends}{f': {given.source}' if given.source else ''}"
        case _:
            return begin.volume_said if one.name == VOLUME.name else "assumed: this page begins so"


def _number(one: Slider, text: str) -> Decimal | None:
    """Read a number; None for nothing. Raises InvalidCall."""
    text = _bare(text)
    if not text:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise InvalidCall(f"{one.title}: {text[:40]!r} is no number", param=one.name) from None
    if not value.is_finite() or value < 0 or abs(value.adjusted()) > 30:  # more, or finer, is no amount of anything
        raise InvalidCall(f"{one.title}: {text[:40]} cannot be; write a number that is 0 or more", param=one.name)
    return value


def _said(one: Slider, text: str, share: Decimal) -> Given | int | None:
    """Return what a text says of a number, None for what has to stay as it is. Raises InvalidCall."""
    value = _number(one, text)
    if one.unit in ("count", "months") or one.name == VOLUME.name:
        return None if value is None else int(value)
    if value is None:
        return None if one.name == "machine.tokens" else NOTHING
    return _given(one, value, share)


def _given(one: Slider, value: Decimal, share: Decimal) -> Given:
    """Return a number that the reader set, with its range; what is a share stays one."""
    low, high = value * (1 - share), value * (1 + share)
    if one.unit == "share":
        high = max(value, min(high, Decimal("0.99")))
    if one.unit == "tokens":
        low = max(low, Decimal(1))
        high = max(high, low)
        value = max(value, low)
    return Given(value=value, low=low, high=high, provenance="assumed", source=HERE)
