"""Would machines of one's own pay? The question as a value: read from a file, made of a machine, changed, written.

A plan (`compare.CostPlan`) is the question; `compare.answers` answers it.
Invariant: a question that cannot be read says where it is wrong; what is changed is one input and nothing else; a plan
that is written reads back as the same plan.
"""

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from tierwise.core.errors import InvalidCall
from tierwise.core.usage import Usage
from tierwise.economics.breakeven import Own, Step
from tierwise.economics.compare import CostPlan
from tierwise.economics.given import Given
from tierwise.economics.own import Machine, Served, token_cost
from tierwise.economics.payback import Plan
from tierwise.economics.serving import tokens_per_month
from tierwise.economics.toml_text import toml_text

HEAD = "# Would machines of our own pay? Run it again: tierwise cost --plan FILE. Keys: docs/reference/economics.md\n"


def read(text: str) -> CostPlan:
    """Read a plan. Raises InvalidCall, with the place, for what is none."""
    try:
        return msgspec.convert(tomllib.loads(text, parse_float=Decimal), CostPlan)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InvalidCall(str(error), param="plan") from error


def written(plan: CostPlan) -> str:
    """Return a plan as the file that `tierwise cost --plan` reads."""
    return toml_text(plan, HEAD)


def changed(plan: CostPlan, said: Mapping[str, Given | int]) -> CostPlan:
    """Return the plan with some of its inputs replaced, each named as `compare.inputs` names it.

    What is not yet filled in (a bucket, say) is filled in so. Raises InvalidCall for a name that the plan does not have
    and for a number that cannot be.
    """
    found = msgspec.to_builtins(plan)
    for name, value in said.items():
        _set(found, name, msgspec.to_builtins(value))
    try:
        return msgspec.convert(found, CostPlan)
    except msgspec.ValidationError as error:
        raise InvalidCall(str(error), param="plan") from error


def _set(found: Any, name: str, value: object) -> None:
    """Set one number; the rows of a list are named by their name, or by their place in it."""
    if isinstance(found, tuple):
        places = ((f"{row.get('name', at)}.", row) for at, row in enumerate(found))
        part, found = next((place for place in places if name.startswith(place[0])), ("", None))
        name = name.removeprefix(part)
    first, dot, rest = name.partition(".")
    if not isinstance(found, dict):
        raise InvalidCall(f"the plan has no {name!r}", param=name)
    if dot:
        if found.get(first) is None:
            found[first] = {}
        _set(found[first], rest, value)
    else:
        found[first] = value


def plan_of(machine: Machine, served: Served, mix: Usage, *, volume: int, peak_to_mean: Given) -> CostPlan:
    """Ask it of a `[[machine]]`: as many of them as carry `volume` tokens of a month, in this mix of kinds.

    `peak_to_mean` is how much busier the busiest hour is than the mean. Its `busy_share` follows from the volume here:
    what stands idle is part of a whole machine, which is paid for whatever it does.
    """
    working = token_cost(machine, served, "marginal")
    step = Step(
        name=machine.name,
        tokens=tokens_per_month(served.tokens_per_s(mix), peak_to_mean=peak_to_mean),
        usd_once=machine.usd_once,
        usd_per_month=machine.standing_usd_per_month,
    )
    own = Own(steps=(step,), months=machine.months, residual=machine.residual, usd_per_mtok=working.blended(mix))
    return CostPlan(own=own, plan=Plan(tokens_per_month=volume, months=machine.months))
