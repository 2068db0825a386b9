"""The overview's figures."""

from pathlib import Path

import pytest

from tests.unit.web.records import record
from tierwise.web import overview
from tierwise.web.index import Index

NOW = 1_800_000_000.0
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>\u202e'


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
