"""Absence is shown only where every call is known, and none went there."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.ledger.samples import START, a_decision
from tierwise.audit.absence import MOST_NAMED, Absence, Counted, Question, doubts
from tierwise.core.decision import AttemptRecord, Labelled, LabelSource
from tierwise.core.errors import StoreError
from tierwise.core.label import Label, Tier
from tierwise.ledger.encode import encode_decision

ASKED = Question(label=Label.RESTRICTED, tiers=(Tier.FRONTIER,), since=START - 10, until=START + 10_000)


def record(number: int, label: Label = Label.RESTRICTED, *tiers: Tier, **changes: Any) -> bytes:
    attempts = tuple(AttemptRecord(endpoint=f"e-{tier}", model="m", tier=tier, started=0.0) for tier in tiers)
    sources = changes.pop("sources", ())
    told = {"label": Labelled(value=label, sources=sources), "attempts": attempts, "ts": START + number, **changes}
    return encode_decision(a_decision(number, **told))


def found(*records: bytes | None, asked: Question = ASKED) -> Counted:
    absence = Absence(asked)
    absence.begin([], None)
    absence.take([(number, one, b"leaf") for number, one in enumerate(records, 1)])
    return absence.found


def test_calls_that_stayed_inside_contradict_nothing() -> None:
    counted = found(record(1, Label.RESTRICTED, Tier.LOCAL), record(2, Label.INTERNAL, Tier.FRONTIER))
    assert doubts(ASKED, counted) == []
    assert (counted.looked_at, counted.labelled, counted.attempts) == (2, 1, {Tier.LOCAL: 1})
    assert (counted.first_seq, counted.last_seq) == (1, 2)


def test_one_lap_that_went_there_contradicts_even_if_another_answered() -> None:
    counted = found(record(1, Label.RESTRICTED, Tier.FRONTIER, Tier.LOCAL))
    assert counted.went == [a_decision(1).id]
    assert doubts(ASKED, counted) == ["1 call with this label went there"]


def test_a_higher_label_counts_and_a_lower_does_not() -> None:
    asked = Question(label=Label.CONFIDENTIAL, until=START + 10)
    assert found(record(1, Label.RESTRICTED, Tier.FRONTIER), asked=asked).went_calls == 1
    assert found(record(1, Label.INTERNAL, Tier.FRONTIER), asked=asked).went_calls == 0


def test_a_call_that_was_cut_short_is_not_known_to_have_stayed() -> None:
    counted = found(record(1, outcome="interrupted"), record(2, Label.PUBLIC, outcome="interrupted"))
    assert counted.unknown_calls == 1
    assert "it is not known where they went" in doubts(ASKED, counted)[0]


def test_a_call_that_has_no_outcome_yet_is_not_known_to_have_stayed() -> None:
    absence = Absence(ASKED)
    for number, label in (1, Label.RESTRICTED), (2, Label.PUBLIC), (20_000, Label.RESTRICTED):
        absence.still_open(a_decision(number, ts=START + number, label=Labelled(value=label)))
    assert (absence.found.open_calls, absence.found.unknown) == (1, [a_decision(1).id])
    assert "no outcome yet" in doubts(ASKED, absence.found)[0]


def test_an_endpoint_can_be_asked_about() -> None:
    asked = Question(label=Label.PUBLIC, tiers=(), endpoints=("e-self_hosted",), until=START + 10)
    assert found(record(1, Label.PUBLIC, Tier.SELF_HOSTED), asked=asked).went_calls == 1
    assert found(record(1, Label.PUBLIC, Tier.FRONTIER), asked=asked).went_calls == 0


def test_only_the_time_and_the_workflow_that_were_asked_about_count() -> None:
    asked = Question(label=Label.PUBLIC, workflow="mail", since=START + 2, until=START + 4)
    one = [record(number, Label.PUBLIC, Tier.FRONTIER, workflow="mail") for number in (1, 2, 3, 4)]
    assert found(*one, record(3, Label.PUBLIC, Tier.FRONTIER, workflow="other"), asked=asked).went_calls == 2


def test_what_was_removed_by_its_age_cannot_be_answered_for() -> None:
    counted = found(None, record(50, Label.RESTRICTED, Tier.LOCAL))
    assert doubts(ASKED, counted) == ["records from the beginning of this time are not there any more"]
    later = Question(label=Label.RESTRICTED, since=START + 60, until=START + 70)
    assert doubts(later, found(None, record(50), asked=later)) == []


def test_a_record_with_an_early_time_does_not_answer_for_what_was_removed() -> None:
    early = record(1, Label.PUBLIC, ts=0.0)
    later = Question(label=Label.RESTRICTED, since=START + 60, until=START + 70)
    for records in ([None, record(65), early], [early, None, record(65)], [record(50), None], [early, None]):
        assert doubts(later, found(*records, asked=later)) == [
            "records from the beginning of this time are not there any more"
        ]
    assert doubts(later, found(None, record(50), early, asked=later)) == []


def test_an_attempt_counts_at_its_own_time_too() -> None:
    later = Question(label=Label.RESTRICTED, since=START + 60, until=START + 70)
    lap = AttemptRecord(endpoint="e", model="m", tier=Tier.FRONTIER, started=START + 65)
    assert found(record(50, attempts=(lap,)), asked=later).went_calls == 1


def test_a_time_before_all_records_is_not_answered_for() -> None:
    last_quarter = Question(label=Label.RESTRICTED, since=START - 90, until=START - 10)
    assert "knows nothing of it" in doubts(last_quarter, found(record(1), asked=last_quarter))[0]
    assert "knows nothing of it" in doubts(ASKED, found())[0]
    quiet = Question(label=Label.RESTRICTED, since=START + 60, until=START + 70)
    assert doubts(quiet, found(record(1), asked=quiet)) == [], "a time without calls, of which the ledger would know"


def test_a_name_that_nobody_knows_shows_nothing() -> None:
    asked = Question(label=Label.RESTRICTED, tiers=(), endpoints=("outsied",), workflow="mial", until=START + 10)
    counted = found(record(1, workflow="mail"), asked=asked)
    assert len(doubts(asked, counted)) == 2
    assert "'outsied'" in doubts(asked, counted)[0]
    assert doubts(asked, counted, {"outsied", "mial"}) == [], "configured, and not used yet"
    gone = Question(label=Label.RESTRICTED, tiers=(), endpoints=("e-frontier",), until=START + 10)
    before = record(1, Label.PUBLIC, Tier.FRONTIER)
    assert doubts(gone, found(before, asked=gone)) == [], "no longer configured, but on record"


def test_lowered_labels_are_counted() -> None:
    lowered = (LabelSource(source="declassified:abc", label=Label.INTERNAL),)
    assert found(record(1, Label.INTERNAL, Tier.FRONTIER, sources=lowered)).declassified == 1


def test_what_cannot_be_read_stops_it() -> None:
    with pytest.raises(StoreError, match="record 1 cannot be read"):
        found(b"{}")


@given(
    st.lists(st.tuples(st.sampled_from(list(Label)), st.lists(st.sampled_from(list(Tier)), max_size=3)), max_size=80)
)
def test_it_counts_as_a_plain_loop_does(calls: list[tuple[Label, list[Tier]]]) -> None:
    counted = found(*(record(number, label, *tiers) for number, (label, tiers) in enumerate(calls)))
    went = [label for label, tiers in calls if label is Label.RESTRICTED and Tier.FRONTIER in tiers]
    assert counted.went_calls == len(went)
    assert len(counted.went) == min(len(went), MOST_NAMED)
    assert bool(doubts(ASKED, counted)) == bool(went or not calls)
