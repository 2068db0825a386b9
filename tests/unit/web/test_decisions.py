"""The list of decisions, and one decision told."""

from pathlib import Path

from tests.unit.web.records import record
from tierwise.web import decisions
from tierwise.web.index import Index

NOW = 1_800_000_000.0
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>\u202e'


def test_a_list_remembers_what_it_is_narrowed_to(tmp_path: Path) -> None:
    index = Index(tmp_path / "index.sqlite")
    index.add([record(seq, ts=NOW, workflow="a & b") for seq in range(1, 60)])
    asked = decisions.asked({"workflow": "a & b", "evil": "1", "before": "x"})
    found = decisions.listed(index, asked)
    assert len(found.rows) == decisions.PAGE
    assert found.older == "workflow=a+%26+b&before=10"
    assert decisions.fits(found.rows[0], asked)
    assert not decisions.fits(found.rows[0], decisions.asked({"workflow": "c"}))


def test_a_decision_is_told_in_the_order_of_the_call() -> None:
    told = decisions.told(record(7, ts=NOW, models=("small", "large")))
    assert [step.title for step in told.path] == [
        "Asked",
        "Label",
        "Policy",
        "Router",
        "Attempt 1",
        "Attempt 2",
        "Outcome",
    ]
    (_, begin, long), (_, second, _) = told.attempts
    assert begin == 0 and second > 0 and 0 < long <= 100
    assert "YOUR TEXT" in told.curl and '"01' in told.record
