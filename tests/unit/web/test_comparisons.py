"""Comparisons as pages read them: how far each is, whether somebody works on it, and what was decided."""

from pathlib import Path

from tests.unit.evals.world import BASELINE, Rates, frontier, lines
from tierwise.evals import runs
from tierwise.evals.card import to_json
from tierwise.evals.evidence import read
from tierwise.evals.verdict import decide
from tierwise.web.comparisons import Comparison, Comparisons, decided

FIRST, SECOND = "20261120-180000-1a2b", "20261121-180000-1a2b"


def made(home: Path, run: str, *, items: int = 40, planned: int | None = None, card: bool = False) -> Path:
    place = runs.folder(home, "inbox") / run
    lines(place / runs.EVIDENCE, {BASELINE: frontier(), "small": Rates(0.9)}, items=items, planned=planned)
    if card:
        (place / runs.CARD).write_bytes(to_json(decide(read(place / runs.EVIDENCE))))
    return place


def only(home: Path) -> Comparison:
    (found,) = Comparisons(home).of("inbox")
    return found


def test_the_newest_comes_first_and_the_newest_verdict_is_meant(tmp_path: Path) -> None:
    made(tmp_path, FIRST, card=True)
    made(tmp_path, SECOND)
    found = Comparisons(tmp_path).of("inbox")
    assert [one.name for one in found] == [SECOND, FIRST]
    verdict = decided(found)
    assert verdict is not None and verdict.name == FIRST and verdict.card is not None
    assert Comparisons(tmp_path).of("other") == [] and decided([]) is None


def test_a_run_that_was_killed_is_told_from_one_under_way(tmp_path: Path) -> None:
    place = made(tmp_path, FIRST, items=10, planned=40)
    found = only(tmp_path)
    assert (found.done, found.planned, found.whole) == (20, 80, False)
    assert found.stopped and not found.under_way
    with runs.held(place):
        assert only(tmp_path).under_way and not only(tmp_path).stopped


def test_a_whole_run_is_neither(tmp_path: Path) -> None:
    made(tmp_path, FIRST)
    assert only(tmp_path).whole and not only(tmp_path).stopped


def test_a_verdict_on_less_than_there_is_says_so_once_more_is_measured(tmp_path: Path) -> None:
    place = made(tmp_path, FIRST, card=True)
    kept = Comparisons(tmp_path)
    assert not kept.of("inbox")[0].old
    whole = (place / runs.EVIDENCE).read_bytes()
    (place / runs.EVIDENCE).write_bytes(whole + whole.splitlines(keepends=True)[-1])
    assert kept.of("inbox")[0].old


def test_what_cannot_be_read_is_told_and_hides_nothing(tmp_path: Path) -> None:
    place = made(tmp_path, FIRST)
    (place / runs.EVIDENCE).write_text("no evidence\n", "utf-8")
    made(tmp_path, SECOND)
    (runs.folder(tmp_path, "inbox") / SECOND / runs.CARD).write_text('{"format": 99}', "utf-8")
    newer, older = Comparisons(tmp_path).of("inbox")
    assert newer.card is None and newer.whole
    assert "line 1" in older.problem and not older.whole and not older.stopped
