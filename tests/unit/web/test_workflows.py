"""What is told of a workflow: what is asked of it, and the lines that put a certificate in force."""

from decimal import Decimal

from tierwise.core.bundle import Bundle
from tierwise.core.certificate import Accepts, Certificate
from tierwise.core.criteria import Criteria
from tierwise.web.people import seconds
from tierwise.web.workflows import asked, entered


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
