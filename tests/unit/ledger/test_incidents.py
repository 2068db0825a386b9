"""One incident a thing at a time, whose severity only rises, whose lists are bounded, and which says how it ended."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.ledger.samples import an_id
from tierwise.core.errors import ConfigError
from tierwise.ledger import incidents
from tierwise.ledger.incidents import FIRST_DECISIONS, NEWEST_DECISIONS, Event, Incident, Sighting


def seen(number: int = 1, **fields: Any) -> Sighting:
    usual = {
        "id": an_id(number), "kind": "budget", "subject": "all 1d", "condition": "budget_soft", "severity": "notice",
        "ts": float(number), "last": float(number), "lasting": True, "rest_s": 100.0,
    }  # fmt: skip
    return Sighting(**(usual | fields))


def after(known: Incident | None, *sightings: Sighting, now: float = 0.0) -> Incident:
    """Return the incident after these sightings."""
    for sighting in sightings:
        change = incidents.noted(known, sighting, now)
        assert change is not None
        known = change.incident
    assert known is not None
    return known


@given(st.lists(st.sampled_from(["notice", "warning", "critical"]), min_size=1))
def test_a_severity_never_falls(severities: list[Any]) -> None:
    known = None
    for number, severity in enumerate(severities):
        before = known
        change = incidents.noted(known, seen(number, severity=severity), 0.0)
        assert change is not None
        known = change.incident
        rises = before is not None and incidents.rank(severity) > incidents.rank(before.severity)
        assert rises == ("raised" in [what for what, *_ in change.events])
    assert known is not None
    assert incidents.rank(known.severity) == max(map(incidents.rank, severities))
    assert (known.id, known.count) == (an_id(0), len(severities))


@given(st.lists(st.integers(0, 100)))
def test_the_first_decisions_and_the_newest_are_kept(numbers: list[int]) -> None:
    kept: tuple[str, ...] = ()
    for number in numbers:
        kept = incidents.gathered(kept, (str(number),))
    assert len(kept) == len(set(kept)) <= FIRST_DECISIONS + NEWEST_DECISIONS
    assert list(kept[:FIRST_DECISIONS]) == list(dict.fromkeys(map(str, numbers)))[: len(kept[:FIRST_DECISIONS])]


def test_however_often_it_is_seen_its_history_stays_short() -> None:
    known, lines = after(None, seen()), 1
    for _ in range(100_000):
        change = incidents.noted(known, seen(), 0.0)
        assert change is not None
        known, lines = change.incident, lines + len(change.events)
    assert (known.count, lines) == (100_001, 6)


@pytest.mark.parametrize(
    ("sighting", "now", "opens"),
    [
        (seen(50), 99.0, False),
        (seen(50), 101.0, True),
        (seen(50, lasting=False), 1.0, True),
        (seen(50), 199.0, True),
    ],
)
def test_what_a_person_closed_rests_while_it_lasts(sighting: Sighting, now: float, opens: bool) -> None:
    known = incidents.closed(after(None, seen()), "ann", "known", 1.0).incident
    assert (incidents.noted(known, sighting, now) is not None) == opens


def test_a_budget_that_a_person_closed_rests_to_the_end_of_its_window() -> None:
    known = incidents.closed(after(None, seen(until=1000.0)), "ann", "known", 1.0).incident
    assert incidents.noted(known, seen(50), 999.0) is None
    assert incidents.noted(known, seen(50), 1000.0) is not None


def test_what_was_seen_before_the_closing_opens_nothing() -> None:
    quiet = incidents.quieted(after(None, seen(5)), 10.0, 20.0)
    assert quiet is not None
    assert incidents.noted(quiet.incident, seen(15, last=20.0), 21.0) is None
    assert incidents.noted(quiet.incident, seen(21), 21.0) is not None, "what closed by itself opens again at once"


@pytest.mark.parametrize(
    ("fields", "now", "note"),
    [
        ({}, 14.9, None),
        ({}, 15.0, "not seen for 10 s"),
        ({"until": 50.0}, 49.0, None),
        ({"until": 50.0}, 50.0, "its time is over"),
        ({"lasting": False}, 1e9, None),
    ],
)
def test_what_lasts_closes_when_it_is_over(fields: dict[str, Any], now: float, note: str | None) -> None:
    change = incidents.quieted(after(None, seen(5, **fields)), 10.0, now)
    assert (change and change.incident.note) == note


def test_who_was_told_before_it_was_recorded_is_in_its_history() -> None:
    change = incidents.noted(None, seen(announced=("log", "hook")), 0.0)
    assert change is not None
    assert [(what, who) for what, who, _ in change.events] == [
        ("opened", ""),
        ("notified", "log"),
        ("notified", "hook"),
    ]


def test_who_was_told_of_an_earlier_event_is_told_of_the_next() -> None:
    def event(seq: int, what: Any, about: int = 0, who: str = "") -> Event:
        return Event(seq=seq, incident="i", ts=0.0, what=what, about=about, who=who)

    history = [
        event(1, "opened"),
        event(2, "notified", 1, "log"),
        event(3, "closed"),
        event(4, "not_notified", 3, "hook"),
    ]
    incident = incidents.incident_of(3, incidents.row_of(after(None, seen()))[-1])
    owed = incidents.owed_of(incident, history)
    assert (owed.what, owed.told, owed.incident.owed) == ("closed", frozenset(), 3)


def test_what_is_closed_is_not_closed_again() -> None:
    done = incidents.closed(after(None, seen()), "ann", "known", 1.0).incident
    with pytest.raises(ConfigError, match="closed already, by ann"):
        incidents.closed(done, "bob", "me too", 2.0)
    assert incidents.quieted(done, 0.0, 1e9) is None
