"""What measured runs say about the cost of a token, and what they predict between the rates that were measured."""

import csv
import statistics
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from tierwise.core.errors import InvalidCall
from tierwise.economics.given import Given
from tierwise.economics.serving import (
    SECONDS_PER_HOUR,
    Curve,
    Power,
    Run,
    fitted,
    peak,
    penalty,
    tokens_per_month,
    usd_per_mtok,
    within_target,
)

CORPUS = Path(__file__).parents[4] / "shared" / "data" / "serving-cost" / "vllm_sglang_runs.csv"
MEASURED, HELD_OUT = (1.0, 5.0, 10.0, 100.0), (25.0, 50.0)

Rows = Mapping[str, list[dict[str, str]]]


@pytest.fixture(scope="module")
def corpus() -> Rows:
    if not CORPUS.is_file():
        pytest.skip("the 140 measured runs are not part of the project: ../shared/data/serving-cost is not there")
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    with CORPUS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[row["config"]].append(row)
    assert sum(map(len, found.values())) == 140
    return found


def run(row: Mapping[str, str]) -> Run:
    return Run(
        requests_per_s=float(row["rps"]), tokens_per_s=float(row["tps_output"]), latency_ms=float(row["ttft_p90_ms"])
    )


def test_every_cost_peak_and_penalty_of_the_corpus_comes_back(corpus: Rows) -> None:
    """The corpus' hourly cost is that of all cards of a run, although its README says that of one."""
    for rows in corpus.values():
        runs = [run(row) for row in rows]
        top = peak(runs).tokens_per_s
        assert top == max(float(row["tps_output"]) for row in rows)
        for row, one in zip(rows, runs, strict=True):
            each_s = float(row["gpu_cost_hr"]) / SECONDS_PER_HOUR
            assert usd_per_mtok(each_s, one.tokens_per_s) == near(row["c_eff_per_mtok"])
            assert usd_per_mtok(each_s, top) == near(row["c_naive_per_mtok"])
            assert penalty(runs, one) == near(row["underutil_penalty"])


def near(printed: str) -> object:
    return pytest.approx(float(printed), rel=1e-9, abs=0)


def test_rates_that_were_not_looked_at_are_predicted_within_a_tenth(corpus: Rows) -> None:
    errors: dict[float, list[float]] = {rate: [] for rate in HELD_OUT}
    for rows in corpus.values():
        by_rate = {float(row["rps"]): run(row) for row in rows}
        curve = fitted([by_rate[rate] for rate in MEASURED])
        for rate in HELD_OUT:
            errors[rate].append(abs(curve.tokens_per_s(rate) / by_rate[rate].tokens_per_s - 1))
    assert all(len(found) == 20 for found in errors.values())
    medians = {rate: statistics.median(found) for rate, found in errors.items()}
    assert all(error < 0.10 for error in medians.values()), medians
    # The worst single one: near the knee of one server that batches badly.
    assert max(max(found) for found in errors.values()) < 0.20


RUNS = (
    Run(requests_per_s=1, tokens_per_s=250, latency_ms=40),
    Run(requests_per_s=10, tokens_per_s=2_400, latency_ms=60),
    Run(requests_per_s=25, tokens_per_s=5_200, latency_ms=110),
    Run(requests_per_s=100, tokens_per_s=6_200, latency_ms=4_500),
)


def test_throughput_counts_only_where_the_target_holds() -> None:
    assert peak(RUNS).tokens_per_s == 6_200
    assert within_target(RUNS, 200) == RUNS[2]
    assert within_target(RUNS, 10) is None
    assert within_target([Run(requests_per_s=1, tokens_per_s=9)], 10_000) is None
    # A higher rate that happens to be quick again does not make up for a lower one that was slow.
    late = Run(requests_per_s=5, tokens_per_s=1_200, latency_ms=900)
    assert within_target([RUNS[0], late, *RUNS[1:]], 200) == RUNS[0]


def test_an_idle_machine_makes_dear_tokens() -> None:
    assert usd_per_mtok(3.6 / SECONDS_PER_HOUR, 1_000) == pytest.approx(1.0)
    assert usd_per_mtok(3.6 / SECONDS_PER_HOUR, 40) == pytest.approx(25.0)
    assert penalty(RUNS, RUNS[0]) == pytest.approx(24.8)


def test_a_curve_never_promises_more_than_arrives_or_than_the_peak() -> None:
    for sharpness in (1.0, 2.5, 12.0):
        curve = Curve(tokens_per_request=250, peak_tokens_per_s=6_000, sharpness=sharpness)
        rates = [0.001 * 2**step for step in range(40)]
        found = [curve.tokens_per_s(rate) for rate in rates]
        assert all(0 < tokens <= min(250 * rate, 6_000) for rate, tokens in zip(rates, found, strict=True))
        assert found == sorted(found)


def test_a_fit_finds_the_curve_that_made_the_runs() -> None:
    true = Curve(tokens_per_request=250, peak_tokens_per_s=6_000, sharpness=3.0)
    runs = [Run(requests_per_s=rate, tokens_per_s=true.tokens_per_s(rate)) for rate in (0.01, 5, 10, 20, 30, 10_000)]
    assert fitted(runs).sharpness == pytest.approx(3.0, rel=1e-3)


def exact(value: object) -> Given:
    return Given(value=Decimal(str(value)), provenance="measured")


def test_power_is_paid_while_a_machine_waits_too() -> None:
    power = Power(idle_watts=exact(100), busy_watts=exact(500), usd_per_kwh=exact("0.20"), overhead=exact("1.5"))
    hours = Decimal(1000)
    assert power.usd_per_month(Decimal(0), hours).value == 30
    assert power.usd_per_month(Decimal("0.25"), hours).value == 60
    guessed = Power(idle_watts=Given(value=Decimal(100), low=Decimal(50)), busy_watts=exact(500), usd_per_kwh=exact(1))
    month = guessed.usd_per_month(Decimal("0.5"), hours)
    assert (month.least, month.value, month.provenance) == (275, 300, "assumed")


def test_a_machine_carries_a_month_only_as_far_as_its_busiest_hour() -> None:
    even = tokens_per_month(exact(1_000), peak_to_mean=exact(1), target_utilisation=Decimal(1))
    assert even.value == 730 * 3600 * 1_000
    peaked = tokens_per_month(exact(1_000), peak_to_mean=Given(value=Decimal(4), low=Decimal(3), high=Decimal(5)))
    assert peaked.value == even.value / 5
    assert peaked.least == even.value * Decimal("0.16") and peaked.provenance == "assumed"


def test_what_cannot_be_measured_is_refused() -> None:
    for wrong in (
        lambda: Run(requests_per_s=0, tokens_per_s=1),
        lambda: Run(requests_per_s=1, tokens_per_s=float("nan")),
    ):
        with pytest.raises((InvalidCall, ValueError)):
            wrong()
    with pytest.raises((InvalidCall, ValueError)):
        peak([])
    with pytest.raises((InvalidCall, ValueError)):
        tokens_per_month(exact(1), peak_to_mean=exact("0.5"))
    with pytest.raises((InvalidCall, ValueError)):
        exact(1).over(exact(0))
