"""Does a certificate keep its promise, name it, and say no where nothing can be promised?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import Generator, default_rng

from tierwise.core.criteria import Guarantee
from tierwise.statistics.certify import Labelled, certify, one_of_each, thresholds_from
from tierwise.statistics.interval import upper_bound

GUARANTEES: tuple[Guarantee, ...] = ("wrong_given_accepted", "wrong_and_accepted")

labelled = st.builds(
    Labelled,
    confidence=st.one_of(st.none(), st.sampled_from([0.1, 0.5, 0.9]), st.floats(0, 1)),
    wrong=st.booleans(),
    cluster=st.sampled_from([f"c{n}" for n in range(30)]),
)


def drawn(rng: Generator, n: int, size: int = 1) -> list[Labelled]:
    """Answers that are the seldomer wrong the surer they are, clusters of them all alike."""
    sure = rng.random(n // size)
    return [
        Labelled(confidence=float(value), wrong=bool(lot < (1 - value) ** 2), cluster=str(at), item=str(copy))
        for at, (value, lot) in enumerate(zip(sure, rng.random(n // size), strict=True))
        for copy in range(size)
    ]


def risk(threshold: float, guarantee: Guarantee) -> float:
    """Of such answers: the mean of (1 - c)^2 over the accepted, or that times the accepted share."""
    return (1 - threshold) ** 2 / 3 * (1 if guarantee == "wrong_given_accepted" else 1 - threshold)


@pytest.mark.parametrize("guarantee", GUARANTEES)
@pytest.mark.parametrize("size", [1, 3])
def test_the_promise_is_broken_no_more_often_than_allowed(guarantee: Guarantee, size: int) -> None:
    rng = default_rng(1)
    broken, accepted, runs = 0, 0, 100
    for _ in range(runs):
        steps = thresholds_from(drawn(rng, 800 * size, size), guarantee=guarantee)
        found = certify(drawn(rng, 800 * size, size), steps, 0.05, guarantee=guarantee)
        broken += found.threshold is not None and risk(found.threshold, guarantee) > 0.05
        accepted += found.threshold is not None
    assert broken / runs <= 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5
    assert accepted > 0.5 * runs


@given(st.lists(labelled, max_size=120), st.lists(labelled, max_size=120), st.sampled_from(GUARANTEES))
def test_what_is_certified_is_what_was_counted(
    tune: list[Labelled], prove: list[Labelled], guarantee: Guarantee
) -> None:
    found = certify(prove, thresholds_from(tune, guarantee=guarantee), 0.2, 0.9, guarantee)
    counted = one_of_each(prove)
    assert (found.n, found.clusters, found.rows) == (len(counted), len({row.cluster for row in prove}), len(prove))
    if found.threshold is None:
        assert found.accepted == found.wrong == 0
        return
    accepted = [row.wrong for row in counted if row.confidence is not None and row.confidence >= found.threshold]
    assert (found.accepted, found.wrong) == (len(accepted), sum(accepted))
    of = found.accepted if guarantee == "wrong_given_accepted" else found.n
    assert found.bound == upper_bound(found.wrong, of, 0.9) <= 0.2
    assert found.needed is None


def rows(*told: tuple[float | None, bool, int]) -> list[Labelled]:
    return [
        Labelled(confidence=confidence, wrong=wrong, cluster=f"{number}-{at}")
        for number, (confidence, wrong, count) in enumerate(told)
        for at in range(count)
    ]


def test_so_many_without_a_fault_prove_five_percent_and_one_fewer_do_not() -> None:
    assert certify(rows((0.9, False, 59)), [0.9], 0.05).threshold == 0.9
    found = certify(rows((0.9, False, 58)), [0.9], 0.05)
    assert found.threshold is None and found.needed == 59
    assert found.bound == pytest.approx(0.0503, abs=1e-4)


def test_it_stops_at_the_first_threshold_that_fails() -> None:
    given_rows = rows((0.9, False, 100), (0.8, True, 20), (0.7, False, 2000))
    found = certify(given_rows, [0.9, 0.8, 0.7], 0.05)
    assert (found.threshold, found.accepted, found.wrong) == (0.9, 100, 0)


def test_equal_confidences_are_not_parted() -> None:
    found = certify(rows((0.9, False, 60), (0.9, True, 60)), [0.9], 0.05)
    assert found.threshold is None


def test_the_two_guarantees_are_not_the_same() -> None:
    few = rows((0.9, False, 20), (0.1, True, 100))
    assert certify(few, [0.9], 0.05).threshold is None
    found = certify(few, [0.9], 0.05, guarantee="wrong_and_accepted")
    assert (found.threshold, found.guarantee) == (0.9, "wrong_and_accepted")


def test_a_cluster_counts_once_and_by_its_names_alone() -> None:
    copies = [Labelled(confidence=0.9, wrong=False, cluster="one", item=str(at)) for at in range(500)]
    found = certify(copies, [0.9], 0.05)
    assert (found.threshold, found.n, found.rows) == (None, 1, 500)
    mixed = [Labelled(confidence=0.9, wrong=at > 3, cluster="one", item=str(at)) for at in range(8)]
    turned = [Labelled(confidence=row.confidence, wrong=not row.wrong, cluster="one", item=row.item) for row in mixed]
    assert one_of_each(mixed)[0].item == one_of_each(turned)[0].item == one_of_each(mixed[::-1])[0].item


def test_it_says_what_it_would_take_or_that_nothing_would() -> None:
    short = certify(rows((0.9, False, 97), (0.9, True, 3)), [0.9], 0.05)
    assert short.threshold is None and short.needed is not None
    n = short.needed
    assert upper_bound(round(0.03 * n), n) == pytest.approx(0.05, abs=0.004)
    assert certify(rows((0.9, False, 90), (0.9, True, 10)), [0.9], 0.05).needed is None


def test_without_confidences_nothing_is_accepted() -> None:
    unknown = rows((None, False, 500))
    assert thresholds_from(unknown) == thresholds_from([]) == ()
    found = certify(unknown, [0.0], 0.05)
    assert (found.threshold, found.accepted, found.bound, found.needed) == (None, 0, 1.0, None)
    assert certify([], [], 0.05).threshold is None


def test_thresholds_run_from_strict_to_loose_and_begin_where_a_proof_is_likely() -> None:
    steps = thresholds_from(drawn(default_rng(2), 1000), 20)
    assert list(steps) == sorted(steps, reverse=True) and 5 < len(steps) <= 20
    assert steps[0] < 0.99  # the surest few are too few to prove anything
    with pytest.raises(ValueError, match="strict to loose"):
        certify([], [0.1, 0.2], 0.05)
