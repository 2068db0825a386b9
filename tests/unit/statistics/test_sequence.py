"""Do bounds hold however often one looks, and are they sharp enough to be worth it?"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, norm

from tierwise.statistics.paired import difference
from tierwise.statistics.plan import sequential_items
from tierwise.statistics.sequence import SLOPE, Mean, Wall, crossed, looks, path, proven


def known(right: int, n: int) -> Mean:
    return Mean(n=n, total=right)


def test_shares_are_never_left_outside_more_often_than_allowed() -> None:
    rng = np.random.default_rng(1)
    missed = 0
    for rate in (0.02, 0.5, 0.9):
        for values in rng.random((150, 400)) < rate:
            mean, always = Mean(), True
            for value in values:
                mean = mean.add(float(value))
                always = always and mean.against(rate) < math.log(20)
            missed += not always
    assert missed / 450 <= 0.05


@given(st.integers(0, 300), st.integers(1, 300))
def test_an_interval_holds_what_bets_do_not_win_against(right: int, more: int) -> None:
    mean = known(right, right + more)
    low, high = mean.interval()
    assert 0 <= low <= right / (right + more) <= high <= 1
    for edge in (low, high):
        if 0 < edge < 1:
            assert mean.against(edge) == pytest.approx(math.log(20), abs=1e-6)
    assert mean.interval(0.99)[0] <= low and high <= mean.interval(0.99)[1]


@given(st.integers(0, 60), st.integers(0, 60), st.floats(0.05, 0.95))
def test_the_bets_are_the_mixture_of_all_shares(right: int, wrong: int, share: float) -> None:
    """Known: what the mixture expects of a sequence, against what the share expects of it."""
    grid = np.linspace(0.0005, 0.9995, 1000)
    density = beta.pdf(grid, 0.5, 0.5)
    mixture = np.average(grid**right * (1 - grid) ** wrong, weights=density)
    expected = math.log(mixture) - right * math.log(share) - wrong * math.log(1 - share)
    assert known(right, right + wrong).against(share) == pytest.approx(expected, abs=0.1)


def test_values_between_are_bounded_with_more_caution_and_never_with_less() -> None:
    """The bet on 0.3 of a right answer never wins more than a part of one on that answer."""
    mean = Mean()
    for _ in range(100):
        mean = mean.add(0.3)
    assert mean.interval() == pytest.approx(known(30, 100).interval())
    with pytest.raises(ValueError, match="between 0 and 1"):
        mean.add(1.5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        mean.add(math.nan)


def test_nothing_seen_is_nothing_known() -> None:
    assert Mean().interval() == (0.0, 1.0)
    assert path([], []) == []


@given(
    st.lists(st.tuples(st.floats(-1, 1), st.integers(0, 8)), min_size=1, max_size=60),
    st.floats(0.8, 0.99),
    st.integers(1, 200),
)
def test_every_look_has_the_mean_and_the_clusters_of_what_was_seen(
    rows: list[tuple[float, int]], confidence: float, planned: int
) -> None:
    values, clusters = [value for value, _ in rows], [cluster for _, cluster in rows]
    for look, (n, mean, low, high) in zip(
        looks(values, clusters), path(values, clusters, confidence, planned), strict=True
    ):
        fixed = difference(values[:n], clusters[:n], confidence)
        assert fixed is not None and look.clusters == fixed.clusters
        assert mean == pytest.approx(fixed.mean, abs=1e-9)
        assert -1 <= low <= mean + 1e-9 and mean - 1e-9 <= high <= 1
        if look.se is not None and fixed.se is not None:
            unseen = 2 * fixed.clusters / (fixed.clusters - 1) / n**2
            assert look.se == pytest.approx(math.sqrt(fixed.se**2 + unseen), abs=1e-6)


def test_the_wall_is_crossed_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    wall = Wall.of(0.05, 1000)
    assert crossed(wall.start, SLOPE) == pytest.approx(0.049)
    walks = rng.standard_normal((4000, 1000)).cumsum(axis=1) / math.sqrt(1000)
    met = (walks >= wall.start + SLOPE * np.arange(1, 1001) / 1000).any(axis=1).mean()
    assert 0.03 < met <= 0.05  # steps are seen less often than what moves without pause


def test_far_from_few_clusters_the_wall_is_the_normal_one() -> None:
    wall = Wall.of(0.05, 1000)
    assert wall.errors(1000, 100_000) == pytest.approx(wall.start + SLOPE, abs=1e-3)
    assert wall.errors(1000, 5) > 1.3 * wall.errors(1000, 500)
    assert wall.errors(50, 100_000) > 6
    with pytest.raises(ValueError, match="planned"):
        Wall.of(0.05, 0)


def played(draw: np.random.Generator, worse: float, interleaved: bool) -> tuple[list[float], list[int]]:
    """Differences of 600 items in 200 clusters that share a part of them."""
    groups = np.tile(np.arange(200), 3) if interleaved else np.repeat(np.arange(200), 3)
    lean = draw.normal(0, 0.5, 200)[groups] + draw.normal(0, 0.87, 600)
    return np.where(
        lean < norm.ppf(0.1 + worse), -1.0, np.where(lean > -norm.ppf(0.1), 1.0, 0.0)
    ).tolist(), groups.tolist()


@pytest.mark.parametrize("interleaved", [False, True])
def test_nobody_at_the_margin_is_promoted_more_often_than_allowed(interleaved: bool) -> None:
    draw = np.random.default_rng(3)
    runs = 400
    false = sum(proven(*played(draw, 0.06, interleaved), -0.06, planned=600) is not None for _ in range(runs))
    assert false / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_looking_goes_on_after_the_plan() -> None:
    draw = np.random.default_rng(4)
    runs = 200
    false = sum(proven(*played(draw, 0.0, False), 0.0, planned=150) is not None for _ in range(runs))
    assert false / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_rare_losses_that_were_not_met_yet_are_reckoned_with() -> None:
    """Where a candidate differs only by losing, few losses look like none, and like great certainty."""
    draw = np.random.default_rng(5)
    runs, n = 600, 250
    false = sum(
        proven((-(draw.random(n) < 0.05).astype(float)).tolist(), range(n), -0.05, planned=n) is not None
        for _ in range(runs)
    )
    assert false / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_an_equal_candidate_is_proven_with_the_power_that_was_planned() -> None:
    draw = np.random.default_rng(6)
    n = sequential_items(0.06, 0.2) or 0
    found = [
        proven(draw.choice([-1.0, 0.0, 1.0], n, p=(0.1, 0.8, 0.1)).tolist(), range(n), -0.06, planned=n)
        for _ in range(400)
    ]
    assert sum(at is not None for at in found) / 400 == pytest.approx(0.8, abs=0.07)
    assert sum(at or n for at in found) / 400 < 0.75 * n


def test_an_error_that_all_looks_share_widens_them() -> None:
    values = [0.0, 1.0, -1.0] * 100
    alone, shared = (path(values, range(300), common_se=error)[-1] for error in (0.0, 0.05))
    assert shared[2] < alone[2] < alone[3] < shared[3]
    assert shared[1] == alone[1]


def test_one_cluster_shows_nothing() -> None:
    assert path([1.0] * 50, ["same"] * 50)[-1][2:] == (-1.0, 1.0)


@pytest.mark.parametrize("value", [math.nan, 1.5, -math.inf])
def test_refuses_what_is_no_difference_of_scores(value: float) -> None:
    with pytest.raises(ValueError, match="between -1 and 1"):
        path([value], ["one"])
    with pytest.raises(ValueError, match="one cluster for each"):
        path([0.0], [])
