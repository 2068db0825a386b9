import json
from typing import Any

import pytest

from tierwise.core.bundle import Bundle
from tierwise.core.criteria import Criteria
from tierwise.core.errors import ConfigError
from tierwise.evals.answers import Answered
from tierwise.evals.evidence import Evidence, Header, Judgement, Observation, Review, Seal, Subject
from tierwise.evals.item import Item
from tierwise.evals.judges import Tally, calibrated, tally, winner
from tierwise.evals.judging import refuse_relatives, request, verdict


def said(text: str | None, outcome: Any = "answered") -> Answered:
    seen = Observation(item="i", cluster="i", split="prove", subject="a > b", outcome=outcome)
    return Answered(item="i", subject="a > b", text=text, observed=seen)


@pytest.mark.parametrize(
    ("text", "won"),
    [
        ('{"better": "first"}', "a"),
        ('Well.\n```json\n{"better": "second"}\n```', "b"),
        ('{"better": "tie"}', "tie"),
        ('{"better": "both"}', None),
        ('{"better": ["first"]}', None),
        ('"first"', None),
        ("first", None),
        ("[1]", None),
        (None, None),
    ],
)
def test_what_cannot_be_read_is_no_verdict(text: str | None, won: str | None) -> None:
    assert verdict(said(text), "a", "b") == won


def test_a_judge_that_refused_or_was_cut_off_said_nothing() -> None:
    assert verdict(said('{"better": "first"}', "truncated"), "a", "b") is None


def judged(first: str | None, second: str | None, item: str = "i") -> Judgement:
    return Judgement(item=item, cluster=item, split="prove", first="a", second="b", judge="j", verdicts=(first, second))


def evidence(judgements: list[Judgement], reviews: list[Review] = []) -> Evidence:  # noqa: B006
    subjects = tuple(Subject(name=n, model=n, bundle=Bundle(workflow="w", models=())) for n in ("a", "b"))
    header = Header(
        run="r", workflow="w", began=0.0, baseline="b", subjects=subjects, dataset="", items={}, criteria=Criteria(),
        seal=Seal(digest="", ts=0.0), scorer="exact", metric="accuracy",
    )  # fmt: skip
    return Evidence(header=header, judgements=tuple(judgements), reviews=tuple(reviews))


def test_only_a_verdict_that_holds_in_both_orders_counts() -> None:
    assert winner(judged("a", "a")) == "a"
    assert winner(judged("a", "b")) is None
    found = evidence([judged("a", "a"), judged("b", "b"), judged("tie", "tie"), judged("a", "b"), judged(None, "a")])
    assert tally(found, "a") == Tally(wins=1, losses=1, ties=1, unsure=1, unread=1)
    assert tally(found, "b") == Tally()


def test_nobody_judges_itself_or_its_family() -> None:
    subjects = [Subject(name="a", model="a", bundle=Bundle(workflow="w", models=()), family="llama+qwen")]
    refuse_relatives("j", "mistral", subjects)
    for name, family in (("j", "qwen"), ("a", "")):
        with pytest.raises(ConfigError, match="cannot judge 'a'"):
            refuse_relatives(name, family, subjects)


def test_the_judge_is_told_no_names_and_both_answers_in_the_order_asked_about() -> None:
    item = Item(id="i", fields={}, reference="right", cluster="i", split="prove")
    asked = {"model": "secret-name", "messages": [{"role": "user", "content": "What?"}]}
    body = json.loads(request("j", asked, item, "one", "two"))
    told = body["messages"][1]["content"]
    assert body["model"] == "j"
    assert "secret-name" not in json.dumps(body)
    assert told.index("What?") < told.index("right") < told.index("one") < told.index("two")


def reviewed(item: str, subject: str, right: bool) -> Review:
    return Review(item=item, cluster=item, split="prove", subject=subject, right=right, seconds=1.0, who="me", ts=0.0)


def test_a_judge_is_measured_by_what_people_said_of_the_same_answers() -> None:
    judgements = [judged("a", "a", f"{n}") for n in range(8)] + [judged("b", "b", f"{n}") for n in range(8, 12)]
    # People agree but once each way: item 0 is worse though the judge liked it, item 8 is not.
    worse = {"0", "9", "10", "11"}
    reviews = [reviewed(f"{n}", who, who == "b" or f"{n}" not in worse) for n in range(12) for who in ("a", "b")]
    found = calibrated(evidence(judgements, reviews), "a")
    assert (found.judged, found.n) == (8, 12)
    assert found.sensitivity == (7, 8)
    assert found.specificity == (3, 4)
    assert found.complete


def test_without_people_a_judge_is_not_calibrated() -> None:
    found = calibrated(evidence([judged("a", "a"), judged("tie", "tie", "k"), judged(None, "a", "l")]), "a")
    assert (found.judged, found.n, found.complete) == (2, 2, False)
