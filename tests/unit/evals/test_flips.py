"""Where does the verdict turn? At exactly the named points, and nowhere nearer."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from tests.unit.evals.world import BASELINE, Rates, evidence, frontier
from tierwise.core.criteria import Criteria
from tierwise.core.label import Tier
from tierwise.evals.card import Card
from tierwise.evals.evidence import Evidence
from tierwise.evals.flips import NEAREST
from tierwise.evals.seal import sealed
from tierwise.evals.verdict import decide


def under(known: Evidence, **changes: object) -> Card:
    """Decide anew, from the evidence on, under other criteria."""
    criteria = msgspec.structs.replace(known.header.criteria, **changes)
    header = msgspec.structs.replace(known.header, criteria=criteria, seal=sealed(criteria, known.header.seal.ts))
    return decide(msgspec.structs.replace(known, header=header))


def halved(at: Callable[[float], tuple[str, str | None]], near: float, far: float) -> float:
    here = at(near)
    assert at(far) != here
    while abs(far - near) > 1e-5 * max(abs(far), abs(near)):
        middle = (near + far) / 2
        near, far = (middle, far) if at(middle) == here else (near, middle)
    return far


def place(card: Card) -> tuple[str, str | None]:
    return card.verdict, card.choice


WORLDS = {
    "dear errors": (
        {BASELINE: frontier(), "small": Rates(0.91, together=0.98)},
        Criteria(margin=0.04, error_cost_usd=Decimal("0.05"), max_latency_ms_p95=400.0),
    ),
    "a limit broken": ({BASELINE: frontier(), "small": Rates(0.92, ms=3000)}, Criteria(max_latency_ms_p95=1000.0)),
    "a dear candidate": (
        {BASELINE: frontier(), "other": Rates(0.92, cost="0.003", tier=Tier.FRONTIER)},
        Criteria(max_cost_per_accepted_usd=Decimal("0.01")),
    ),
    "too little": ({BASELINE: frontier(), "small": Rates(0.92, together=0.6)}, Criteria(stop_after_items=1000)),
}


@pytest.mark.parametrize("name", WORLDS)
def test_each_point_is_where_halving_the_whole_rule_finds_it(tmp_path: Path, name: str) -> None:
    ways, criteria = WORLDS[name]
    known = evidence(tmp_path, ways, items=300, criteria=criteria)
    card = decide(known)
    assert card.flips
    for flip in card.flips:
        if flip.unit == "times":
            subject = flip.knob.removeprefix("price of ")

            def at(value: float, subject: str = subject) -> tuple[str, str | None]:
                rows = tuple(
                    msgspec.structs.replace(row, cost_usd=row.cost_usd * Decimal(repr(value)))
                    if row.subject == subject and row.cost_usd is not None
                    else row
                    for row in known.observations
                )
                return place(decide(msgspec.structs.replace(known, observations=rows)))

        else:

            def at(value: float, knob: str = flip.knob) -> tuple[str, str | None]:
                kind = type(getattr(known.header.criteria, knob))
                # How many items were to be enough is a whole number in criteria, and none in the search.
                given = Decimal(repr(value)) if kind is Decimal else value
                return place(under(known, **{knob: given}))

        if flip.knob in ("min_items", "stop_after_items"):
            assert flip.at == pytest.approx(300, rel=1e-6)
            continue
        assert at(flip.now) == place(card)
        found = halved(at, flip.now, flip.at * 1.001 if flip.at > flip.now else flip.at * 0.999)
        assert found == pytest.approx(flip.at, rel=1e-3)
        assert at(found)[0] == flip.kind


def test_nothing_turns_nearer_than_the_nearest_point(tmp_path: Path) -> None:
    ways, criteria = WORLDS["dear errors"]
    known = evidence(tmp_path, ways, items=300, criteria=criteria)
    card = decide(known)
    distance = max(max(flip.at, flip.now) / min(flip.at, flip.now) for flip in card.flips[:1])
    inside = (1 + distance) / 2
    for knob in ("margin", "error_cost_usd", "max_latency_ms_p95", "max_missing"):
        now = getattr(criteria, knob)
        for factor in (inside, 1 / inside):
            value = Decimal(repr(float(now) * factor)) if isinstance(now, Decimal) else now * factor
            assert place(under(known, **{knob: value})) == place(card)


def test_the_nearest_come_first_and_they_are_few(tmp_path: Path) -> None:
    ways, criteria = WORLDS["dear errors"]
    card = decide(evidence(tmp_path, ways, items=300, criteria=criteria))
    away = [max(flip.at, flip.now) / min(flip.at, flip.now) for flip in card.flips]
    assert away == sorted(away) and len(away) == NEAREST
