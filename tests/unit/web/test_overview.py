"""The overview's figures."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from tests.unit.web.records import record
from tierwise.core.usage import Price, Usage
from tierwise.web import overview
from tierwise.web.index import Index

NOW = 1_800_000_000.0
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>\u202e'


def _dearer(factor: int) -> Callable[[float], Price]:
    price = Price(input_usd_per_mtok=Decimal(factor), output_usd_per_mtok=Decimal(factor))
    return lambda ts: price


def test_the_same_tokens_are_reckoned_at_the_strongest_outside_and_at_the_cheapest(tmp_path: Path) -> None:
    sometimes = {"new": lambda ts: None if ts < NOW else _dearer(1)(ts)}
    index = Index(tmp_path / "index.sqlite", {"large": _dearer(10), "small": _dearer(2), **sometimes})
    used = Usage(input=400_000, output=100_000)
    index.add(
        [
            record(1, ts=NOW - 1, usage=used),
            record(2, ts=NOW, usage=used),
            record(3, ts=NOW, outcome="refused", model=None),
        ]
    )
    seen = overview.seen(index, overview.PERIODS["day"], "", NOW, ["large"])
    assert [(one.title, one.model, one.picousd) for one in seen.baselines] == [
        ("all-frontier", "large", 10 * 10**12),
        ("all-cheapest", "small", 2 * 10**12),
    ]
    assert seen.spending.count("<polyline") == 3


def test_other_prices_mean_another_copy(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    first = Index(path, {"large": _dearer(10)})
    first.add([record(1, ts=NOW)])
    first.close()
    assert Index(path, {"large": _dearer(10)}).count() == 1
    assert Index(path, {"other": _dearer(10)}).count() == 0


@pytest.mark.parametrize("period", list(overview.PERIODS.values()), ids=lambda one: one.name)
def test_the_overview_counts_what_is_in_its_period(tmp_path: Path, period: overview.Period) -> None:
    index = Index(tmp_path / "index.sqlite")
    index.add(
        [
            record(1, ts=NOW - 10 * period.seconds),
            record(2, ts=NOW - 1),
            record(3, ts=NOW, outcome="refused", model=None),
        ]
    )
    seen = overview.seen(index, period, "", NOW)
    assert (seen.whole.calls, seen.whole.answered, seen.recorded) == (2, 1, 3)
    assert seen.p50_ms == pytest.approx(100, rel=0.1)
