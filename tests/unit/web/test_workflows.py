"""What is told of a workflow: what is asked of it, and the lines that put a certificate in force."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.evals.world import BASELINE, Rates, evidence, frontier
from tierwise.core.bundle import Bundle
from tierwise.core.certificate import Accepts, Certificate
from tierwise.core.criteria import Criteria
from tierwise.evals.verdict import decide
from tierwise.ledger.releases import Release
from tierwise.web.index import Sums
from tierwise.web.people import seconds
from tierwise.web.stage import Stage
from tierwise.web.workflows import Flow, asked, entered, in_use


def certificate(baseline: str = "larger") -> Certificate:
    return Certificate(
        workflow="mails", bundle=Bundle(workflow="mails", models=(("small", "sha256:a"),)),
        guarantee="wrong_given_accepted", max_wrong=0.05, confidence=0.95,
        accepts=(Accepts(model="words", threshold=None), Accepts(model="small", threshold=-0.2)),
        quality=(), issued=0.0, expires=1.0, evidence="sha256:e", dataset="sha256:d", clusters=9, baseline=baseline,
    )  # fmt: skip


def test_each_limit_that_is_set_is_told_and_an_unset_one_says_so() -> None:
    told = dict(asked(Criteria(margin=0.03, max_latency_ms_p95=800, max_cost_per_accepted_usd=Decimal("0.01"))))
    assert "3 points" in told["Quality"] and "95%" in told["Quality"]
    assert "800 ms" in told["Latency"] and "$0.01" in told["Cost of an accepted task"]
    assert "5 %" in told["Certificate"] and told["Review"] == "nothing is asked"


def test_where_the_baseline_is_no_candidate_it_is_entered_behind_who_is_kept() -> None:
    assert entered("sha256:x", certificate(), ["words", "small"]) == (
        'certificate = "sha256:x"', 'candidates = ["small", "larger"]',
    )  # fmt: skip
    assert entered("sha256:x", certificate(), ["small", "larger"]) == ('certificate = "sha256:x"',)
    assert entered("sha256:x", certificate(), []) == ('certificate = "sha256:x"',), "every model is a candidate"


def test_the_seconds_of_a_review_are_those_that_it_took_and_no_others() -> None:
    assert seconds("100.0", 112.5) == 12.5
    assert seconds("100", 1e6) == 600.0, "who takes longer was away"
    assert [seconds(one, 100.0) for one in ("", "later", "nan", "inf", "200", "1e999")] == [0.0] * 6


@pytest.mark.parametrize(
    ("numbers", "in_force", "awaited"),
    [((), None, None), ((2, 1), 2, None), ((2, 1), 1, 2), ((1,), None, 1), ((-3, 2), None, None), ((-3, 2), 2, 3)],
)
def test_a_release_that_the_gateway_has_not_taken_up_yet_is_told(
    numbers: tuple[int, ...], in_force: int | None, awaited: int | None
) -> None:
    """A negative number stands for a release that gives the file its word back."""
    made = tuple(
        Release(number=abs(one), who="ann", why="x", ts=0.0, body=b"{}" if one > 0 else None) for one in numbers
    )
    stage = Stage(name="pilot", why="x", next="y")
    found = Flow(now={"name": "mails", "release": in_force}, stage=stage, sums=Sums(name=""), found=[], releases=made)
    assert found.awaited == awaited


@pytest.mark.parametrize(
    ("choice", "now", "used"),
    [
        ("linear", {}, False),
        ("linear", {"trusted": ["linear"]}, True),
        ("linear", {"candidates": ["linear"]}, True),
        ("linear", {"first": "linear"}, True),
        ("linear", {"first": "small", "candidates": ["linear", "small"]}, False),
    ],
)
def test_a_choice_is_in_use_where_it_answers(tmp_path: Path, choice: str, now: dict[str, Any], used: bool) -> None:
    subjects = {BASELINE: frontier(), "linear": Rates(0.92, ms=2, language_model=False)}
    card = decide(evidence(tmp_path, subjects, items=300))
    assert card.choice == choice
    row = {"name": "inbox", "first": None, "trusted": [], "candidates": [BASELINE, "linear"]}
    assert in_use(row | now, card) == used
    assert not in_use(row | now, None)
