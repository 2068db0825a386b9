"""Do the detectors keep what the page promises, and is the corpus what it says it is?"""

from collections import Counter
from random import Random

import pytest

from tests.detectors import numbers, sessions
from tests.detectors.cases import FORMS, corpus
from tests.detectors.page import PAGE, Measured, measure, page, pinned, recall
from tierwise.policy.detect import Detectors
from tierwise.policy.settings import LabelSettings


@pytest.fixture(scope="module")
def measured() -> Measured:
    return measure()


def test_validated_identifiers_are_found(measured: Measured) -> None:
    found, cases = recall(measured.results, "validated")
    missed = [(r.case.kind, r.case.form) for r in measured.results if r.case.group == "validated" and not r.right]
    assert found / cases >= 0.98, missed
    found, cases = recall(measured.unseen, "validated")
    assert found / cases >= 0.98


@pytest.mark.parametrize("field", ["kind", "form", "language"])
def test_no_kind_form_or_language_is_left_behind(measured: Measured, field: str) -> None:
    cases = [r for r in measured.results if r.case.group == "validated"]
    every, found = Counter(), Counter()
    for result in cases:
        every[getattr(result.case, field)] += 1
        found[getattr(result.case, field)] += result.right
    assert not {name: found[name] / count for name, count in every.items() if found[name] / count < 0.9}


@pytest.mark.parametrize("group", ["wrong", "known", "plain"])
def test_what_is_nothing_is_left_alone(measured: Measured, group: str) -> None:
    hits = [(r.case.kind, r.case.form, sorted(r.found)) for r in measured.results if r.case.group == group and r.found]
    assert not hits


def test_fewer_than_one_drawn_turn_in_two_hundred_is_pinned_wrongly(measured: Measured) -> None:
    assert measured.turns >= 1000
    assert len(measured.wrong) / measured.turns < 0.005
    assert len(measured.unseen_wrong) / measured.turns < 0.005


def test_fewer_than_one_turn_in_two_hundred_of_this_repository_is_pinned_wrongly() -> None:
    turns = list(sessions.tree())
    wrong = pinned(turns, Detectors(LabelSettings()))
    assert len(turns) > 500
    assert len(wrong) / len(turns) < 0.005, [(one.turn.source, sorted(one.found)) for one in wrong]


def test_the_page_says_what_was_measured(measured: Measured) -> None:
    assert PAGE.read_text(encoding="utf-8") == page(measured), "scripts/docs writes it anew"


def test_the_corpus_is_as_large_and_as_broad_as_it_says() -> None:
    cases = corpus()
    assert cases == corpus()
    assert len(cases) >= 600
    assert len({case.language for case in cases if case.language}) >= 10
    validated = {(case.kind, case.form) for case in cases if case.group == "validated"}
    assert validated == {(kind, form) for kind in numbers.IDENTIFIERS for form in FORMS}


@pytest.mark.parametrize(
    ("check", "valid"),
    [
        (numbers.luhn, "4539148803436467"),
        (numbers.luhn, "371449635398431"),
        (numbers.verhoeff, "2363"),
        (lambda text: numbers.mod97(text[4:] + text[:4]) == 1, "GB82WEST12345698765432"),
        (lambda text: numbers.mod97(text[4:] + text[:4]) == 1, "DE89370400440532013000"),
    ],
)
def test_the_corpus_own_check_sums_agree_with_printed_examples(check: object, valid: str) -> None:
    assert check(valid)  # type: ignore[operator]
    wrong = valid[:-1] + str((int(valid[-1]) + 1) % 10)
    assert not check(wrong)  # type: ignore[operator]


def test_a_spoiled_number_differs_in_one_place_and_keeps_its_shape() -> None:
    r = Random(7)
    for kind, (drawn, *_) in numbers.IDENTIFIERS.items():
        number = drawn(r)
        spoiled = numbers.spoiled(kind, number, r)
        assert spoiled != number
        assert [char.isdigit() for char in spoiled] == [char.isdigit() for char in number]


def test_a_planted_number_is_found_or_it_would_not_have_to_be_left_out() -> None:
    detectors = Detectors(LabelSettings())
    turns = [sessions.turn("x", "see", f"a\n{planted}\nb", 0) for planted in sessions.PLANTED]
    assert len(pinned(turns, detectors)) == len(turns)
