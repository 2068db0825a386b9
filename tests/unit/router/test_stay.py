"""A session stays where it is unless another model gains more than the switch loses."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.label import Tier
from tierwise.router.candidate import Candidate, Need
from tierwise.router.choose import choose
from tierwise.router.stay import stay
from tierwise.router.strategies import STRATEGIES, Order

NEED = Need(held="old")


def model(name: str, cost: str | None = None, saving: str = "0", **more: object) -> Candidate:
    facts = {"tier": Tier.FRONTIER if cost else Tier.LOCAL, "metered": cost is not None, "endpoint": name} | more
    usd = None if cost is None else Decimal(cost)
    return Candidate(model=name, cost_usd=usd, cache_saving_usd=Decimal(saving), **facts)  # type: ignore[arg-type]


def ordered(*candidates: Candidate) -> Order:
    return Order(candidates=candidates, probabilities=(1.0,) + (0.0,) * (len(candidates) - 1), reason="by the rule")


CASES = [
    # what comes first, who holds the session, who is tried first, words of the reason
    (model("new", "0.010"), model("old", "0.012", saving="0.005"), "old", "prompt cache"),
    (model("new", "0.010"), model("old"), "new", "gains more"),  # a stronger tier
    (model("new", "0.002"), model("old", "0.012", saving="0.005"), "new", "gains more"),
    (model("new", "0.010"), model("old", "0.012"), "new", "gains more"),
    (model("new"), model("old"), "old", "would not be cheaper"),
    (model("new"), model("old", "0.012", saving="0.005"), "new", "gains more"),
    (model("new"), model("old", "0.005", saving="0.005"), "old", "prompt cache"),
    (model("new", quality=0.99), model("old", quality=0.9), "new", "gains more"),
    (model("new", strength=80), model("old", strength=40), "new", "gains more"),
    (model("new", trusted=True, strength=1), model("old", strength=40), "new", "gains more"),
    (model("new", strength=1), model("old", trusted=True, strength=4), "old", "would not be cheaper"),
]


@pytest.mark.parametrize(("first", "held", "expected", "words"), CASES)
def test_money_and_quality_decide(first: Candidate, held: Candidate, expected: str, words: str) -> None:
    order = stay(ordered(first, model("third"), held), NEED, drawn=False)
    assert order.candidates[0].model == expected
    assert words in order.reason
    assert "old" in order.reason


def test_a_model_that_has_thought_in_the_session_is_not_left_for_a_better_one() -> None:
    need = Need(held="old", bound=True)
    order = stay(ordered(model("new", quality=0.99), model("old", "5", quality=0.1)), need, drawn=False)
    assert order.candidates[0].model == "old"
    assert "has thought" in order.reason


def test_a_drawn_model_keeps_its_session() -> None:
    new, old = model("new", weight=9.0), model("old", "3", weight=1.0)
    drawn = {choose("weighted", [new, old], NEED, draw / 10).order.candidates[0].model for draw in range(10)}
    assert drawn == {"old"}


def test_a_holder_that_may_not_serve_is_left() -> None:
    old = model("old", unavailable="it rests")
    choice = choose("best", [model("new"), old], Need(held="old", bound=True), 0.5)
    assert [c.model for c in choice.order.candidates] == ["new"]
    assert choice.excluded["old"].by == "health"


@given(
    st.lists(st.sampled_from("abcdef"), min_size=1, unique=True), st.sampled_from("abcxyz"), st.booleans(), st.data()
)
def test_nobody_is_lost_and_the_rest_keeps_its_order(
    names: list[str], held: str, bound: bool, data: st.DataObject
) -> None:
    prices = st.sampled_from([None, "0", "0.01", "3"])
    candidates = [model(name, data.draw(prices), data.draw(st.sampled_from(["0", "0.02"]))) for name in names]
    strategy = data.draw(st.sampled_from(sorted(STRATEGIES)))
    before = STRATEGIES[strategy](candidates, Need(), 0.3)
    after = choose(strategy, candidates, Need(held=held, bound=bound), 0.3).order  # type: ignore[arg-type]
    rest = [c for c in after.candidates if c is not after.candidates[0]]
    assert rest == [c for c in before.candidates if c is not after.candidates[0]]
    assert after.candidates[0].model in (held, before.candidates[0].model)
    assert sum(after.probabilities) == pytest.approx(1)
