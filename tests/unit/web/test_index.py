"""The copy of the ledger that pages look things up in: its sums are those of its rows."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.web.records import record
from tierwise.core.usage import Usage
from tierwise.web.index import BUCKETS, GRAINS, GROWTH, SLOT_S, Index, Sums, bucket_of, quantile_ms

T0 = 1_800_000_000.0


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(tmp_path / "pages" / "index.sqlite")


def test_sums_are_those_of_the_calls(index: Index) -> None:
    index.add([
        record(1, ts=T0, workflow="support", model="small", usage=Usage(input=10, output=5), cost=Decimal("0.001")),
        record(2, ts=T0 + 1, workflow="support", model="large", outcome="failed"),
        record(3, ts=T0 + 2 * SLOT_S, workflow=None, model=None, outcome="refused"),
    ])  # fmt: skip
    (whole,) = index.sums("all", T0)
    assert (whole.calls, whole.answered, whole.failed, whole.refused) == (3, 1, 1, 1)
    assert (whole.tokens_in, whole.tokens_out, whole.cost_picousd) == (10, 5, 10**9)
    assert [one.calls for one in index.sums("time", T0, step_s=SLOT_S)] == [2, 1]
    assert {one.name: one.calls for one in index.sums("model", T0)} == {"small": 1, "large": 1, "": 1}
    assert index.sums("all", T0, "support")[0].calls == 2


def test_what_is_before_the_period_does_not_count(index: Index) -> None:
    index.add([record(1, ts=T0 - SLOT_S), record(2, ts=T0)])
    assert index.sums("all", T0)[0].calls == 1


def test_what_nobody_was_told_the_price_of_is_not_in_the_sum(index: Index) -> None:
    index.add([record(1, ts=T0, cost=None, unknown=Decimal("0.5"))])
    (whole,) = index.sums("all", T0)
    assert (whole.cost_picousd, whole.unknown_picousd) == (0, 5 * 10**11)


def test_what_has_no_price_is_counted_beside_the_sum(index: Index) -> None:
    index.add([record(1, ts=T0, usage=Usage(input=1), cost=None), record(2, ts=T0, cost=None)])
    assert index.sums("all", T0)[0].unmetered == 1


def test_no_amount_is_too_large_to_be_counted(index: Index) -> None:
    index.add([record(seq, ts=T0, cost=Decimal(10) ** 20, unknown=Decimal(10) ** 20) for seq in range(1, 40)])
    (whole,) = index.sums("all", T0)
    assert whole.calls == 39 and whole.unknown_picousd > 0
    assert index.followed[0] == 39


def test_an_escalation_asked_two_models(index: Index) -> None:
    index.add([record(1, ts=T0, models=("small", "large")), record(2, ts=T0, models=("small", "small"))])
    assert index.sums("all", T0)[0].escalated == 1


def test_a_list_is_paged_by_number_and_narrowed(index: Index) -> None:
    index.add([record(seq, ts=T0 + seq, workflow="a" if seq % 2 else "b") for seq in range(1, 8)])
    assert [one.seq for one in index.calls({}, limit=3)] == [7, 6, 5]
    assert [one.seq for one in index.calls({}, before=5, limit=3)] == [4, 3, 2]
    assert [one.seq for one in index.calls({"workflow": "b"})] == [6, 4, 2]
    ident = record(3, ts=T0).id
    assert [one.id for one in index.calls({}, text=ident[:26])] == [ident]
    with pytest.raises(ValueError, match="reason"):
        index.calls({"reason": "x"})


def test_it_goes_on_where_it_stood(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    first = Index(path)
    first.add([record(1, ts=T0), record(2, ts=T0)])
    first.close()
    again = Index(path)
    assert again.followed == (2, record(2, ts=T0).id)
    assert path.stat().st_mode & 0o077 == 0


def test_another_ledger_begins_anew(index: Index) -> None:
    index.add([record(1, ts=T0)])
    index.forget()
    assert index.followed == (0, "")
    assert index.count() == 0


def test_long_and_short_times_add_up_to_the_same(index: Index) -> None:
    index.add([record(seq, ts=T0 + 997.0 * seq, workflow=f"w{seq % 3}") for seq in range(1, 400)])
    fine, coarse = (index.sums("workflow", T0, step_s=step) for step in GRAINS)
    assert sorted(fine, key=str) == sorted(coarse, key=str) and sum(one.calls for one in fine) == 399
    assert sum(calls for step in index.latencies(T0, "", 86_400).values() for calls in step.values()) == 399


@pytest.mark.parametrize(
    "asked",
    [
        {"where": {}},
        {"where": {"workflow": "a"}},
        {"where": {"workflow": "a", "tier": "local"}},
        {"where": {"outcome": "refused", "model": ""}},
        {"where": {}, "before": 500},
        {"where": {}, "text": "01"},
    ],
)
def test_a_page_of_a_list_is_read_and_no_more(tmp_path: Path, asked: dict[str, Any]) -> None:
    short, long = (_filled(tmp_path / str(calls), calls) for calls in (1_000, 8_000))
    assert len(long.calls(**asked)) == 50
    assert _work(long, lambda: long.calls(**asked)) < 1.2 * _work(short, lambda: short.calls(**asked))


def test_a_month_costs_no_more_to_read_with_more_calls(tmp_path: Path) -> None:
    few, many = (_filled(tmp_path / str(calls), calls, over_s=30 * 86_400) for calls in (2_000, 16_000))
    for question in ("all", "time", "tier", "workflow", "model"):
        work = [_work(one, lambda one=one: one.sums(question, T0, "", 86_400)) for one in (few, many)]  # noqa: B023
        assert work[1] < 1.2 * work[0], question
    assert _work(many, lambda: many.values("model")) < 1.2 * _work(few, lambda: few.values("model"))


def _filled(path: Path, calls: int, over_s: float = 3600.0) -> Index:
    index = Index(path / "index.sqlite")
    outcomes = ("answered", "refused", "failed")
    index.add([
        record(
            seq, ts=T0 + over_s * seq / calls, workflow="ab"[seq % 2], outcome=outcomes[seq % 3],
            model="small" if seq % 3 != 1 else None,
        )
        for seq in range(1, calls + 1)
    ])  # fmt: skip
    return index


def _work(index: Index, question: Callable[[], object]) -> int:
    """Return how many steps the database made for an answer."""
    made = 0

    def step() -> int:
        nonlocal made
        made += 1
        return 0

    index._asked.set_progress_handler(step, 10)
    question()
    index._asked.set_progress_handler(None, 0)
    return made


def test_nothing_is_no_number(index: Index) -> None:
    assert index.sums("all", T0) in ([], [Sums(name="")])
    assert quantile_ms([], 0.5) is None


@given(st.floats(0, 1e7))
def test_a_bucket_is_right_to_a_tenth(latency_ms: float) -> None:
    bucket = bucket_of(latency_ms)
    assert 0 <= bucket < BUCKETS
    told = quantile_ms([(bucket, 1)], 0.5)
    if 1 < latency_ms < GROWTH ** (BUCKETS - 2):
        assert told == pytest.approx(latency_ms, rel=0.1)


@given(st.lists(st.floats(2, 9e4), min_size=1, max_size=60), st.floats(0.05, 0.95))
def test_a_quantile_is_that_of_the_answers(latencies: list[float], share: float) -> None:
    buckets: dict[int, int] = {}
    for one in latencies:
        buckets[bucket_of(one)] = buckets.get(bucket_of(one), 0) + 1
    told = quantile_ms(buckets.items(), share)
    assert told is not None
    assert sum(one <= told * 1.21 for one in latencies) >= share * len(latencies) - 1e-6
    assert sum(one < told / 1.21 for one in latencies) <= share * len(latencies) + 1e-6
