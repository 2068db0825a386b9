"""The list of decisions, and one decision told."""

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from tests.unit.web.records import record
from tierwise.core.decision import Decision
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
    first, second = told.attempts
    assert first.begin == 0 and second.begin > 0 and 0 < first.long <= 100
    assert "YOUR TEXT" in told.curl and '"01' in told.record


def test_a_list_is_narrowed_by_time_and_by_what_stands_in_the_reason(tmp_path: Path) -> None:
    index = Index(tmp_path / "index.sqlite")
    rows = index.add([record(seq, ts=NOW + 3600 * seq, reason=f"100% {'Dear' * (seq % 2)}") for seq in range(1, 9)])

    def shown(**query: str) -> list[int]:
        wanted = decisions.asked(query)
        found = [row.seq for row in decisions.listed(index, wanted).rows]
        assert found == [row.seq for row in reversed(rows) if decisions.fits(row, wanted)], "new ones are judged alike"
        return found

    assert shown(about="dear") == [7, 5, 3, 1]
    assert shown(about="100% ", since="2027-01-15T10:30", until="2027-01-15T13:00") == [4, 3]
    assert shown(since="no time", about="'; --") == []
    assert decisions.asked({"since": "2027-01-15"}).link() == "since=2027-01-15"
    assert decisions.asked({"since": "no time"}).narrowed is False


def tried(*verdicts: str, **more: Any) -> Decision:
    found = record(7, ts=NOW, models=("small", "large")[: len(verdicts)])
    attempts = [replace(one, verdict=name, **more) for one, name in zip(found.attempts, verdicts, strict=True)]
    return replace(found, attempts=tuple(attempts))


def test_a_failed_attempt_is_no_good_one_wherever_it_is_drawn() -> None:
    told = decisions.told(tried("retry_same", "ok"))
    assert [one.kind for one in told.attempts] == ["bad", "good"]
    assert [one.kind for one in told.path if one.title.startswith("Attempt")] == ["bad", "good"]
    assert told.path[4].detail == "failed; the same one may be asked again"
    assert told.path[2].detail == "nothing more is asked of who answers"
