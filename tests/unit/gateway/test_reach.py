"""Where data may go: the judgement that calls meet, asked beforehand for every label and endpoint."""

from tests.unit.gateway.test_replay import INSIDE, QUIET, policy
from tierwise.core.label import Label, Tier
from tierwise.gateway.reach import Reach, reaches
from tierwise.policy.judge import Target
from tierwise.policy.settings import Rule, Then, When


def at(found: list[Reach], label: Label, tier: Tier) -> list[Reach]:
    return [one for one in found if one.label is label and one.tier is tier]


def test_a_ceiling_closes_what_lies_farther_and_says_so() -> None:
    found = list(reaches(policy()))
    assert all(one.allowed == one.models for one in at(found, Label.RESTRICTED, Tier.LOCAL))
    far = at(found, Label.RESTRICTED, Tier.FRONTIER)
    assert far and all(not one.allowed and list(one.denied) == ["ceiling:restricted"] for one in far)
    assert [one.tier.rank for one in found] == sorted(one.tier.rank for one in found), "the nearest first"


def test_a_rule_of_one_workflow_counts_for_its_calls_and_duties_are_told() -> None:
    assert all("no_store" in one.duties for one in reaches(policy(QUIET), "tickets") if one.allowed)
    assert not any(one.duties for one in reaches(policy(QUIET), "bank"))
    inside = list(reaches(policy(INSIDE)))
    assert all(not one.allowed for one in inside if one.tier is Tier.FRONTIER)


def test_it_is_the_judgement_that_calls_meet_and_an_endpoint_is_open_where_one_of_its_models_is() -> None:
    rules = policy(Rule(when=When(model="far"), then=Then(deny=True), name="not-far"))
    for one in reaches(rules):
        endpoint = rules.catalog.endpoints[one.endpoint]
        targets = [Target(endpoint, model) for model in rules.catalog.models.values() if model.endpoint == one.endpoint]
        verdicts = rules.policy.judge(one.label, None, None, targets)
        assert (one.models, one.allowed) == (len(verdicts), sum(verdict.allowed for verdict in verdicts))
        assert ("rule:not-far" in one.denied) <= any(target.model.id == "far" for target in targets)
