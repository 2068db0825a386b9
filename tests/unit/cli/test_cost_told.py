"""What calls cost is told, and where nobody knows it, that nobody does."""

from decimal import Decimal

from msgspec.structs import replace

from tierwise.cli.cost_found import Cost
from tierwise.cli.cost_page import page
from tierwise.cli.cost_told import told
from tierwise.economics.baselines import Baseline
from tierwise.economics.spend import Line

ZERO = Decimal(0)
FREE = Line(name="all", calls=1, accepted=1, read=9, written=3, cost_usd=ZERO, unknown_usd=ZERO, unmetered=1)
ELSEWHERE = Baseline(role="all-frontier", model="big", usd=Decimal(4), source="a list")


def cost(whole: Line) -> Cost:
    return Cost(
        whole=whole,
        views={"workflow": (whole,)},
        baselines=(ELSEWHERE,),
        accepted_usd=whole.accepted_usd,
        forecast=None,
    )


def test_what_has_no_price_did_not_cost_nothing() -> None:
    lines = "\n".join(told(cost(FREE)))
    assert lines.startswith("1 call, of which no cost is known\n  and 1 attempts with neither a price")
    assert "$0" not in lines and "$4.00 at big\n" in lines
    text = page(cost(FREE), None).decode()
    assert "No cost is known" in text and "for 1 call<" in text and "Not priced" in text


def test_what_is_known_is_told_with_what_is_not_beside_it() -> None:
    half = replace(FREE, calls=2, accepted=2, cost_usd=Decimal(1))
    lines = "\n".join(told(cost(half)))
    assert lines.startswith("2 calls cost $1.00; $0.5 for each that was accepted")
    assert "and 1 attempts with neither" in lines and "($3.00 more)" in lines
    ours = replace(FREE, own_usd=Decimal(2), unmetered=0)
    assert "1 call cost $0; $2.00 for each" in "\n".join(told(cost(ours)))
    nothing = replace(FREE, unmetered=0)
    assert "1 call cost $0; $0 for each" in "\n".join(told(cost(nothing))), "a price of nothing is a price"
