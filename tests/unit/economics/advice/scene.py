"""A small organisation to change: two kinds of work, a machine at the edge, one in the centre, two offers outside."""

from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from tierwise.core.label import Label
from tierwise.economics.advice.organisation import Organisation, Quote, Site, Work
from tierwise.economics.given import Given


def number(value: object, low: object = None, high: object = None) -> Given:
    ends = {name: Decimal(str(end)) for name, end in (("low", low), ("high", high)) if end is not None}
    return Given(value=Decimal(str(value)), **ends)


MTOK = 10**6
TICKETS = Work(name="tickets", share=Decimal("0.75"), needs=Decimal("0.8"))
CONTRACTS = Work(name="contracts", share=Decimal("0.25"), label=Label.CONFIDENTIAL, needs=Decimal("0.8"))
GOOD = {"tickets": number("0.9"), "contracts": number("0.9")}
FLAGSHIP = Quote(name="flagship", input_usd_per_mtok=number(4), output_usd_per_mtok=number(8), quality=GOOD)
HOSTED = Quote(
    name="hosted", open_weights=True, input_usd_per_mtok=number(1), output_usd_per_mtok=number(2), quality=GOOD
)  # fmt: skip
DESK = Site(name="desk", place="edge", tokens=number(10 * MTOK), usd_once=number(720), quality=GOOD)
RACK = Site(name="rack", place="central", tokens=number(100 * MTOK), usd_once=number(3600), quality=GOOD)


def organisation(**changed: Any) -> Organisation:
    """Return it changed; what is known of work that it has not is left out."""
    usual: dict[str, Any] = {
        "tokens_per_month": number(40 * MTOK), "work": (TICKETS, CONTRACTS), "machine": (DESK, RACK),
        "offer": (FLAGSHIP, HOSTED), "months": 36,
    }  # fmt: skip
    made = {**usual, **changed}
    works = {one.name for one in (TICKETS, CONTRACTS)} - {one.name for one in made["work"]}
    for kind in ("machine", "offer"):
        made[kind] = tuple(
            replace(one, quality={name: right for name, right in one.quality.items() if name not in works})
            for one in made[kind]
        )
    return Organisation(**made)
