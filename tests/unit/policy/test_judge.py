"""Does the judgement decide what it is said to decide, and say why? (Against the documentation: test_judge_reference.)"""

from typing import Any

import pytest

from tierwise.core.decision import RuleRecord
from tierwise.core.errors import ConfigError
from tierwise.core.label import Label, Tier
from tierwise.core.model import Endpoint, Model
from tierwise.policy.judge import MOST_JUDGED, MOST_SEATS, Judgement, Policy, Target
from tierwise.policy.settings import LabelSettings, Pattern, Rule, Then, When, ceilings


def one(policy: Policy, label: Label, target: Target, workflow: str | None = None, key: str | None = None) -> Judgement:
    (judged,) = policy.judge(label, workflow, key, [target])
    return judged


def told(policy: Policy, label: Label, target: Target, workflow: str | None = None, key: str | None = None) -> Any:
    (rules,) = policy.explain(label, workflow, key, [target])
    return rules


def at(tier: Tier, **facts: Any) -> Target:
    endpoint = Endpoint(name="there", kind="any", wires=("chat",), tier=tier, **facts)
    return Target(endpoint, Model(id="m", endpoint="there", served_name="m"))


def test_the_ceiling_says_why_in_words() -> None:
    judged = one(Policy(LabelSettings()), Label.RESTRICTED, at(Tier.FRONTIER))
    assert judged.rule == "ceiling:restricted"
    assert judged.reason == "restricted data stays on this machine; there is frontier"


def test_the_ceiling_comes_before_the_rules_and_no_rule_lifts_it() -> None:
    rules = [Rule(when=When(tier=Tier.FRONTIER), then=Then(deny=True), name="none", reason="no outside")]
    policy = Policy(LabelSettings(), rules)
    assert one(policy, Label.RESTRICTED, at(Tier.FRONTIER)).rule == "ceiling:restricted"
    judged = one(policy, Label.PUBLIC, at(Tier.FRONTIER))
    assert (judged.rule, judged.reason) == ("rule:none", "no outside")


@pytest.mark.parametrize(
    "when",
    [
        When(region="us"),
        When(region_not="eu"),
        When(agreement_not="dpa"),
        When(sla_not="gold"),
        When(environment="development"),
        When(environment_not="production"),
        When(trains_on_data=True),
        When(retention_over_days=0),
    ],
)
def test_an_unknown_fact_counts_against_an_outside_endpoint_only(when: When) -> None:
    policy = Policy(LabelSettings(), [Rule(when=when, then=Then(deny=True))])
    assert not one(policy, Label.PUBLIC, at(Tier.FRONTIER)).allowed
    assert one(policy, Label.PUBLIC, at(Tier.LOCAL)).allowed


def test_duties_accumulate_each_named_once() -> None:
    rules = [
        Rule(then=Then(obligations=("no_store",))),
        Rule(then=Then(obligations=("human_review", "no_store"))),
    ]
    judged = one(Policy(LabelSettings(), rules), Label.PUBLIC, at(Tier.LOCAL))
    assert judged.obligations == ("no_store", "human_review")


def test_the_first_rule_that_wants_nothing_lost_is_named() -> None:
    rules = [
        Rule(when=When(tier=Tier.FRONTIER), then=Then(require="all"), name="outside"),
        Rule(then=Then(obligations=("no_store",), require="all"), name="always"),
    ]
    policy = Policy(LabelSettings(), rules)
    assert one(policy, Label.PUBLIC, at(Tier.FRONTIER)).requires_all == "rule:outside"
    near = one(policy, Label.PUBLIC, at(Tier.LOCAL))
    assert (near.allowed, near.requires_all, near.obligations) == (True, "rule:always", ("no_store",))
    assert one(policy, Label.RESTRICTED, at(Tier.FRONTIER)).requires_all is None


@pytest.mark.parametrize(
    ("rules", "key"),
    [
        ([Rule(then=Then(deny=True), name="x"), Rule(then=Then(deny=True), name="x")], "rule.2.name"),
        ([Rule(then=Then(deny=True), name="2"), Rule(then=Then(deny=True))], "rule.2.name"),
        ([Rule(then=Then())], "rule.1.then"),
    ],
)
def test_rules_that_contradict_or_do_nothing_are_refused(rules: list[Rule], key: str) -> None:
    with pytest.raises(ConfigError, match="rule") as caught:
        Policy(LabelSettings(), rules)
    assert caught.value.key == key


def test_the_digest_names_the_settings() -> None:
    first = Policy(LabelSettings()).digest
    assert first == Policy(LabelSettings()).digest
    assert first.startswith("sha256:")
    others = [
        Policy(LabelSettings(preset="private")),
        Policy(LabelSettings(default=Label.PUBLIC)),
        Policy(LabelSettings(detectors={"card": "off"})),
        Policy(LabelSettings(patterns={"p": Pattern(pattern="x")})),
        Policy(LabelSettings(), [Rule(then=Then(deny=True))]),
        Policy(LabelSettings(), [Rule(then=Then(require="all"))]),
    ]
    assert len({first, *(policy.digest for policy in others)}) == 7


def test_ceilings_given_differently_but_equal_are_one_digest() -> None:
    this = LabelSettings(ceilings={Label.INTERNAL: Tier.LOCAL, Label.CONFIDENTIAL: Tier.LOCAL})
    other = LabelSettings(ceilings={Label.CONFIDENTIAL: Tier.LOCAL, Label.INTERNAL: Tier.LOCAL})
    assert ceilings(this) == ceilings(other)
    assert Policy(this).digest == Policy(other).digest


def test_the_digest_names_the_environments_where_a_rule_asks_for_them() -> None:
    rules = [Rule(when=When(workflow_environment="production"), then=Then(deny=True))]
    asked = {Policy(LabelSettings(), rules, given).digest for given in ({}, {"w": "production"}, {"w": "development"})}
    unasked = {Policy(LabelSettings(), (), given).digest for given in ({}, {"w": "production"})}
    assert (len(asked), len(unasked)) == (3, 1)


def test_production_is_held_off_development_endpoints_and_what_does_not_say_is_taken_for_production() -> None:
    when = When(workflow_environment="production", environment_not="production")
    rules = [Rule(when=when, then=Then(deny=True), name="apart")]
    policy = Policy(LabelSettings(), rules, {"shop": "production", "lab": "development"})
    there = at(Tier.SELF_HOSTED, environment="development")
    allowed = {name: one(policy, Label.PUBLIC, there, name).allowed for name in ("shop", "lab", "unsaid", None)}
    assert allowed == {"shop": False, "lab": True, "unsaid": False, None: False}
    assert one(policy, Label.PUBLIC, at(Tier.SELF_HOSTED, environment="production"), "shop").allowed
    (apart,) = told(policy, Label.PUBLIC, there, "unsaid")
    assert apart.because == (
        "workflow_environment = production (the workflow does not say)",
        "environment_not = production (development)",
    )
    (apart,) = told(policy, Label.PUBLIC, there, "shop")
    assert apart.because[0] == "workflow_environment = production"


def test_every_denial_is_told_and_what_made_each_rule_apply() -> None:
    rules = [
        Rule(when=When(region_not="eu", key="k"), then=Then(deny=True), name="eu"),
        Rule(when=When(label=Label.INTERNAL), then=Then(obligations=("no_store",), require="all"), name="care"),
        Rule(when=When(region="eu"), then=Then(deny=True), name="elsewhere"),
        Rule(when=When(retention_over_days=7, trains_on_data=True), then=Then(deny=True), name="long"),
        Rule(when=When(endpoint=("there", "here")), then=Then(obligations=("no_store",))),
    ]
    target = at(Tier.FRONTIER, region="us", retention_days=30)
    policy = Policy(LabelSettings(), rules)
    judged = one(policy, Label.RESTRICTED, target, key="k")
    assert (judged.allowed, judged.rule) == (False, "ceiling:restricted")
    assert told(policy, Label.RESTRICTED, target, key="k") == (
        RuleRecord(
            rule="ceiling:restricted",
            effects=("deny",),
            because=("label = restricted", "tier = self_hosted, frontier (frontier)"),
        ),
        RuleRecord(rule="rule:eu", effects=("deny",), because=("key = k", "region_not = eu (us)")),
        RuleRecord(rule="rule:care", effects=("require_all", "no_store"), because=("label = internal",)),
        RuleRecord(
            rule="rule:long",
            effects=("deny",),
            because=("trains_on_data = true (the endpoint does not say)", "retention_over_days = 7 (30)"),
        ),
        RuleRecord(rule="rule:5", effects=("no_store",), because=("endpoint = there, here (there)",)),
    )


def test_a_denial_that_comes_later_is_told_and_does_not_hide_the_first() -> None:
    allowed = one(Policy(LabelSettings()), Label.PUBLIC, at(Tier.LOCAL))
    first = allowed.denied("key:models", "not this one")
    second = first.denied("key:label", "not so high")
    assert (allowed.allowed, first.allowed, first.rule, first.reason) == (True, False, "key:models", "not this one")
    assert (second.rule, [denial.rule for denial in second.beside]) == ("key:models", ["key:models", "key:label"])


def test_each_target_has_its_own_verdict_in_the_order_asked() -> None:
    targets = [at(tier) for tier in (Tier.FRONTIER, Tier.LOCAL, Tier.SELF_HOSTED)]
    found = Policy(LabelSettings()).judge(Label.CONFIDENTIAL, None, None, targets)
    assert [judged.allowed for judged in found] == [False, True, True]
    assert Policy(LabelSettings()).judge(Label.PUBLIC, None, None, []) == []


def test_what_is_remembered_is_bounded_and_a_fact_that_changed_is_seen() -> None:
    rules = [Rule(when=When(key=f"k{n}"), then=Then(obligations=("no_store",))) for n in range(MOST_JUDGED + 2)]
    policy = Policy(LabelSettings(), [*rules, Rule(when=When(region_not="eu"), then=Then(deny=True))])
    target = at(Tier.SELF_HOSTED, region="eu")
    assert all(one(policy, Label.PUBLIC, target, key=f"k{n}").obligations for n in range(MOST_JUDGED + 2))
    for n in range(MOST_SEATS + 2):  # each is gone when the next is made, and its place in memory may be taken again
        region = "eu" if n % 2 else "us"
        assert one(policy, Label.PUBLIC, at(Tier.SELF_HOSTED, region=region)).allowed is (region == "eu")
    assert len(policy._seats) <= MOST_SEATS
    assert all(len(seat.judged) <= MOST_JUDGED for seat in policy._seats.values())
