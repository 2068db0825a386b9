"""Every candidate is accounted for; hard filters and strategies do what they say."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.label import Tier
from tierwise.router.candidate import Candidate, Need
from tierwise.router.choose import choose
from tierwise.router.strategies import STRATEGIES

MONEY = st.integers(0, 1000).map(lambda n: Decimal(n) / 1000)


@st.composite
def candidates(draw: st.DrawFn) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(
            model=f"m{n}",
            endpoint="e",
            tier=draw(st.sampled_from(Tier)),
            tasks=draw(st.sampled_from([(), ("bank",)])),
            capabilities=frozenset(draw(st.sets(st.sampled_from(["stream", "tools", "schema"])))),
            context_tokens=draw(st.sampled_from([None, 100, 100_000])),
            input_tokens=draw(st.integers(0, 200)),
            metered=(metered := draw(st.booleans())),
            price_known=draw(st.booleans()) or not metered,
            cost_usd=draw(MONEY) if metered else None,
            worst_cost_usd=draw(MONEY) if metered else None,
            quality=draw(st.sampled_from([None, 0.5, 0.9])),
            trusted=draw(st.booleans()),
            latency_ms=draw(st.sampled_from([None, 5.0, 500.0])),
            weight=draw(st.floats(0, 3)),
            unavailable=draw(st.sampled_from([None, None, "it rests"])),
        )
        for n in range(draw(st.integers(0, 8)))
    )


NEEDS = st.builds(
    Need,
    tasks=st.sampled_from([(), ("bank",)]),
    capabilities=st.sampled_from([frozenset(), frozenset({"tools"})]),
    min_quality=st.sampled_from([None, 0.6]),
    money_left_usd=st.sampled_from([None, Decimal("0.5")]),
)


@given(candidates(), NEEDS, st.sampled_from(sorted(STRATEGIES)), st.floats(0, 0.999999))
def test_every_candidate_is_ordered_or_excluded_with_a_reason(
    pool: tuple[Candidate, ...], need: Need, strategy: str, draw: float
) -> None:
    choice = choose(strategy, pool, need, draw)  # type: ignore[arg-type]
    ordered = [c.model for c in choice.order.candidates]
    assert sorted([*ordered, *choice.excluded]) == sorted(c.model for c in pool)
    assert all(why.reason for why in choice.excluded.values())
    assert len(choice.order.probabilities) == len(ordered)
    if ordered:
        assert sum(choice.order.probabilities) == pytest.approx(1)
    assert choose(strategy, pool, need, draw) == choice  # type: ignore[arg-type]


def make(model: str, **facts: object) -> Candidate:
    return msgspec.structs.replace(Candidate(model=model, endpoint="e", tier=Tier.LOCAL), **facts)


CASES = [
    (make("m", tasks=("bank",)), Need(), "tasks"),
    (make("m"), Need(capabilities=frozenset({"tools"})), "capability"),
    (make("m", gate_needs_logprobs=True), Need(), "capability"),
    (make("m", context_tokens=100, input_tokens=80), Need(output_tokens=30), "context"),
    (make("m", metered=True, price_known=False), Need(), "price_unknown"),
    (make("m", metered=True, worst_cost_usd=Decimal(2)), Need(max_cost_usd=Decimal(1)), "budget"),
    (make("m", metered=True, worst_cost_usd=Decimal(2)), Need(money_left_usd=Decimal(1)), "budget"),
    (make("m", unavailable="it rests"), Need(), "health"),
]


def test_a_caller_who_sets_no_limit_is_told_what_that_costs() -> None:
    dear = make("m", metered=True, worst_cost_usd=Decimal(2), output_tokens=64_000)
    for need in (Need(max_cost_usd=Decimal(1)), Need(money_left_usd=Decimal(1))):
        told = choose("best", [dear], need, 0).excluded["m"].reason
        assert "up to 64000 tokens (the call sets no limit, with one it needs less)" in told


@pytest.mark.parametrize(("candidate", "need", "by"), CASES)
def test_hard_filters(candidate: Candidate, need: Need, by: str) -> None:
    assert choose("best", [candidate], need, 0).excluded["m"].by == by
    assert not choose("best", [make("m")], Need(), 0).excluded


FRONTIER = make("far", tier=Tier.FRONTIER, metered=True, cost_usd=Decimal(1), worst_cost_usd=Decimal(1))
NEAR = make("near")


def first(strategy: str, *pool: Candidate, need: Need = Need(), draw: float = 0.0) -> str:
    return choose(strategy, pool, need, draw).order.candidates[0].model  # type: ignore[arg-type]


CHEAP = make("cheap", tier=Tier.FRONTIER, metered=True, cost_usd=Decimal("0.1"), worst_cost_usd=Decimal(1))
KNOWN = [msgspec.structs.replace(c, quality=q) for c, q in ((NEAR, 0.5), (CHEAP, 0.8), (FRONTIER, 0.95))]
FRUGAL = [
    ([NEAR, CHEAP, FRONTIER], None, ["near", "cheap", "far"]),
    ([CHEAP, FRONTIER], None, ["cheap", "far"]),
    (KNOWN, None, ["near", "cheap", "far"]),
    (KNOWN, 0.7, ["cheap", "far", "near"]),
    (KNOWN, 0.9, ["far", "near", "cheap"]),
    (KNOWN, 0.99, ["near", "cheap", "far"]),
]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(("pool", "floor", "wanted"), FRUGAL)
def test_after_a_soft_limit_the_cheapest_above_the_floor_of_quality_is_first(
    strategy: str, pool: list[Candidate], floor: float | None, wanted: list[str]
) -> None:
    choice = choose(strategy, pool, Need(frugal=True, min_quality=floor), 0.9)  # type: ignore[arg-type]
    assert [c.model for c in choice.order.candidates] == wanted
    assert "soft limit" in choice.order.reason


def test_unknown_quality_is_not_sufficient_so_the_strongest_is_first() -> None:
    assert first("cheapest_sufficient", NEAR, FRONTIER) == "far"


def test_evidence_releases_the_cheapest() -> None:
    assert first("cheapest_sufficient", make("near", trusted=True), FRONTIER) == "near"
    good = make("near", quality=0.95)
    assert first("cheapest_sufficient", good, FRONTIER, need=Need(min_quality=0.9)) == "near"
    assert first("cheapest_sufficient", good, FRONTIER, need=Need(min_quality=0.99)) == "far"
    assert first("cheapest_sufficient", make("near", trusted=True), FRONTIER, need=Need(min_quality=0.5)) == "far"


def test_a_late_sufficient_model_comes_after_a_timely_one() -> None:
    slow = make("slow", trusted=True, latency_ms=900.0)
    quick = make("quick", trusted=True, latency_ms=9.0, metered=True, cost_usd=Decimal(1), worst_cost_usd=Decimal(1))
    assert first("cheapest_sufficient", slow, quick) == "slow"
    assert first("cheapest_sufficient", slow, quick, need=Need(latency_ms=100)) == "quick"


def test_measured_quality_orders_only_what_was_measured() -> None:
    assert first("best", make("a", quality=0.8), make("b", quality=0.9), make("c", quality=0.7)) == "b"
    assert first("best", make("a", quality=0.8), make("b", strength=7.0)) == "b"


def test_the_other_strategies() -> None:
    assert first("best", NEAR, FRONTIER) == "far"
    assert first("cascade", FRONTIER, NEAR) == "near"
    assert first("fastest", make("a", latency_ms=50.0), make("b", latency_ms=5.0), make("c")) == "b"


def test_weights_are_drawn_with_the_probability_that_is_logged() -> None:
    pool = [make("a", weight=1.0), make("b", weight=3.0)]
    drawn = [choose("weighted", pool, Need(), n / 1000).order for n in range(1000)]
    assert sum(order.candidates[0].model == "b" for order in drawn) == 750
    assert {order.probabilities[0] for order in drawn if order.candidates[0].model == "b"} == {0.75}


TARGET = Need(latency_ms=2000)


@pytest.mark.parametrize(
    ("wait_ms", "chosen"),
    [(0.0, "near"), (1500.0, "near"), (3000.0, "other"), (None, "near")],
    ids=["free", "worth the wait", "too long a queue", "not known"],
)
def test_a_call_waits_or_goes_elsewhere_by_what_is_expected(wait_ms: float | None, chosen: str) -> None:
    near = make("near", trusted=True, latency_ms=None if wait_ms is None else wait_ms + 400)
    other = make("other", tier=Tier.SELF_HOSTED, trusted=True, latency_ms=900.0)
    far = make("far", tier=Tier.FRONTIER, trusted=True, latency_ms=700.0, cost_usd=Decimal(1))
    assert first("cheapest_sufficient", near, other, far, need=TARGET) == chosen
    assert first("fastest", near, other, far) == ("near" if wait_ms == 0.0 else "far")


def test_what_is_in_time_comes_first_among_equals_in_evidence_and_the_reason_says_who_was_late() -> None:
    far = make("far", tier=Tier.FRONTIER, strength=9.0, latency_ms=5000.0)
    near = make("near", strength=1.0, latency_ms=500.0)
    for strategy in ("best", "cheapest_sufficient"):
        order = choose(strategy, [far, near], TARGET, 0.0).order  # type: ignore[arg-type]
        assert [c.model for c in order.candidates] == ["near", "far"]
        assert "within 2 s: far is expected to take 5 s" in order.reason
    assert first("best", far, near) == "far"
    late = make("late", trusted=True, latency_ms=9000.0)
    assert first("cheapest_sufficient", late, near, need=TARGET) == "late", "evidence comes before time"


def test_where_nobody_is_in_time_the_soonest_is_first() -> None:
    pool = [make("slow", trusted=True, latency_ms=9000.0), make("soon", trusted=True, latency_ms=3000.0)]
    pool[1] = msgspec.structs.replace(pool[1], cost_usd=Decimal(1), metered=True, worst_cost_usd=Decimal(1))
    order = choose("cheapest_sufficient", pool, TARGET, 0.0).order
    assert order.candidates[0].model == "soon"
    assert "nobody is" in order.reason
