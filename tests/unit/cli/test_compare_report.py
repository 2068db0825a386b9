"""How a comparison is told: from evidence alone."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tierwise.cli.compare_report import as_json, estimate, in_words, quantile
from tierwise.core.bundle import Bundle
from tierwise.core.criteria import Criteria
from tierwise.evals.estimate import Estimate, Share
from tierwise.evals.evidence import Evidence, Header, Judgement, Observation, Review, Seal, Subject

RUN = Path("run")


def seen(item: int, subject: str, score: float | None, **fields: Any) -> Observation:
    fields = {"outcome": "answered", "duration_ms": 10.0 * (item + 1)} | fields
    return Observation(item=f"{item}", cluster=f"{item}", split="prove", subject=subject, score=score, **fields)


def found(*observations: Observation, judgements: Any = (), reviews: Any = ()) -> Evidence:
    subjects = tuple(Subject(name=n, model=n, bundle=Bundle(workflow="w", models=())) for n in ("small", "large"))
    header = Header(
        run="r", workflow="w", began=0.0, baseline="large", subjects=subjects, dataset="d", items={"prove": 4},
        criteria=Criteria(), seal=Seal(digest="s", ts=0.0), scorer="exact", metric="accuracy",
    )  # fmt: skip
    return Evidence(header=header, observations=observations, judgements=judgements, reviews=reviews)


def test_missing_answers_lower_no_quality_and_are_told() -> None:
    told = as_json(found(seen(0, "small", 1.0), seen(1, "small", None, outcome="timeout"), seen(0, "large", 0.0)), RUN)
    small, large = told["subjects"]
    assert small["quality"]["mean"] == 1.0
    assert small["outcomes"] == {"answered": 1, "timeout": 1}
    assert small["difference"]["items"] == 1
    assert large["difference"] is None
    assert "1 timeout" in in_words(found(seen(0, "small", None, outcome="timeout")), RUN)


def test_repeats_of_an_item_are_its_mean() -> None:
    rows = [
        seen(0, "small", 1.0),
        seen(0, "small", 0.0, repeat=1),
        seen(1, "small", 1.0),
        seen(1, "small", 1.0, repeat=1),
    ]
    small = as_json(found(*rows), RUN)["subjects"][0]
    assert (small["quality"]["mean"], small["quality"]["items"], small["scored"]) == (0.75, 2, 4)


def test_who_alone_is_right_is_counted_and_tested_exactly() -> None:
    rows = [one for n in range(12) for one in (seen(n, "small", float(n < 3)), seen(n, "large", float(n >= 3)))]
    test = as_json(found(*rows), RUN)["subjects"][0]["mcnemar"]
    assert (test["alone_right"], test["baseline_alone_right"]) == (3, 9)
    assert test["p"] == test["p_holm"] == pytest.approx(0.146, abs=0.001)
    assert "p 0.15" in in_words(found(*rows), RUN)
    twice = [msgspec.structs.replace(one, cluster="one") for one in rows]
    assert as_json(found(*twice), RUN)["subjects"][0]["mcnemar"] is None, "items of one cluster are not independent"


def test_what_is_not_metered_costs_nothing_known() -> None:
    rows = [seen(0, "small", 1.0), seen(0, "large", 1.0, cost_usd=Decimal("0.004")), seen(1, "large", 1.0)]
    small, large = as_json(found(*rows), RUN)["subjects"]
    assert small["cost_per_item_usd"] is None
    assert large["cost_per_item_usd"] == Decimal("0.002")
    assert "unmetered" in in_words(found(*rows), RUN)


@pytest.mark.parametrize(("q", "expected"), [(0.5, 2.0), (0.95, 4.0), (0.25, 1.0), (1.0, 4.0)])
def test_a_quantile_is_a_value_that_was_seen(q: float, expected: float) -> None:
    assert quantile([4.0, 1.0, 3.0, 2.0], q) == expected
    assert quantile([], q) is None


def test_a_judge_is_told_with_what_people_make_of_it() -> None:
    judgements = [
        Judgement(
            item=f"{n}", cluster=f"{n}", split="prove", first="small", second="large", judge="j", verdicts=(won, won)
        )
        for n, won in enumerate(["small", "tie", "large"])
    ]
    plain = in_words(found(judgements=judgements), RUN)
    assert "small against large, judged: 1 wins, 1 losses, 1 ties; not calibrated" in plain
    reviews = [
        Review(item=f"{n}", cluster="", split="prove", subject=who, right=right, seconds=1.0, who="me", ts=0.0)
        for n, who, right in [(0, "small", True), (0, "large", False), (2, "small", False), (2, "large", True)]
    ]
    assert "by people's measure not worse on 67%" in in_words(found(judgements=judgements, reviews=reviews), RUN)


def test_what_is_about_to_be_asked_is_told_with_its_cost_and_who_may_not_answer() -> None:
    shares = (
        Share(subject="small", calls=4, cost_usd=Decimal(0)),
        Share(subject="large", calls=4, cost_usd=Decimal("1.5"), denied=1, why="PolicyDenied: no"),
    )
    told = estimate(Estimate(items=2, repeats=2, shares=shares))
    assert told.splitlines() == [
        "8 calls: 2 items, 2 times, 2 subjects.",
        "  small: 4 calls, no metered cost",
        "  large: 4 calls, about $1.50; 1 would go to nobody: PolicyDenied: no",
    ]


def test_names_do_nothing_to_a_terminal() -> None:
    known = found(seen(0, "small", 1.0), seen(0, "large", 1.0))
    header = msgspec.structs.replace(known.header, scorer="python:\x1b]0;a\x07.py:f", workflow="w\x1b[2J")
    assert "\x1b" not in in_words(msgspec.structs.replace(known, header=header), RUN)
