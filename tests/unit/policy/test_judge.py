"""The judge against a naive reference evaluator, and that a rule added never permits more."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierwise.core.errors import ConfigError
from tierwise.core.label import Label, Tier
from tierwise.core.model import Endpoint, Model
from tierwise.policy.judge import Policy, Target
from tierwise.policy.settings import LabelSettings, Pattern, Rule, Then, When, ceilings

NAMES = ("a", "b", "c")
NAME = st.sampled_from(NAMES)
ONE_OR_MORE = NAME | st.lists(NAME, min_size=1, max_size=2).map(tuple)
MAYBE = st.none() | NAME


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | st.none() | strategy


ENDPOINTS = st.builds(
    Endpoint,
    name=NAME,
    kind=NAME,
    wires=st.just(("chat",)),
    tier=st.sampled_from(Tier),
    region=MAYBE,
    agreement=MAYBE,
    retention_days=st.none() | st.integers(0, 3),
    trains_on_data=st.none() | st.booleans(),
)
TARGETS = st.builds(Target, ENDPOINTS, st.builds(Model, id=NAME, endpoint=NAME, served_name=NAME))
WHENS = st.builds(
    When,
    label=maybe(st.sampled_from(Label)),
    workflow=maybe(ONE_OR_MORE),
    workflow_not=maybe(ONE_OR_MORE),
    key=maybe(ONE_OR_MORE),
    tier=maybe(st.sampled_from(Tier) | st.lists(st.sampled_from(Tier), min_size=1).map(tuple)),
    endpoint=maybe(ONE_OR_MORE),
    kind=maybe(ONE_OR_MORE),
    model=maybe(ONE_OR_MORE),
    region=maybe(ONE_OR_MORE),
    region_not=maybe(ONE_OR_MORE),
    agreement_not=maybe(ONE_OR_MORE),
    trains_on_data=maybe(st.booleans()),
    retention_over_days=maybe(st.integers(0, 3)),
)
DUTIES = st.lists(st.sampled_from(["no_store", "no_fallback", "human_review"]), min_size=1, max_size=2).map(tuple)
NOTHING_LOST = st.none() | st.just("all")
THENS = (
    st.just(Then(deny=True))
    | st.builds(Then, obligations=DUTIES, require=NOTHING_LOST)
    | st.just(Then(require="all"))
    | st.just(Then(deny=True, require="all"))
)
RULES = st.lists(st.builds(Rule, when=WHENS, then=THENS), max_size=6)
PRESETS = st.sampled_from(["balanced", "private", "strongest"])

LABEL_ORDER = ["public", "internal", "confidential", "restricted"]
TIER_ORDER = ["local", "self_hosted", "frontier"]


def listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, tuple) else [value]


def applies(when: When, label: Label, workflow: str | None, key: str | None, target: Target) -> bool:
    """The rule grammar, as its documentation says it, one sentence at a time."""
    endpoint, model = target.endpoint, target.model
    outside = endpoint.tier != "local"
    if when.label is not None and LABEL_ORDER.index(label) < LABEL_ORDER.index(when.label):
        return False
    plain = [
        (when.workflow, workflow),
        (when.key, key),
        (when.tier, endpoint.tier),
        (when.endpoint, endpoint.name),
        (when.kind, endpoint.kind),
        (when.model, model.id),
    ]
    if any(wanted is not None and actual not in listed(wanted) for wanted, actual in plain):
        return False
    if when.workflow_not is not None and workflow in listed(when.workflow_not):
        return False
    if when.region is not None and not (
        (endpoint.region is None and outside) or endpoint.region in listed(when.region)
    ):
        return False
    for unwanted, fact in ((when.region_not, endpoint.region), (when.agreement_not, endpoint.agreement)):
        if unwanted is not None and (outside if fact is None else fact not in listed(unwanted)) is False:
            return False
    if when.trains_on_data is not None:
        fact = endpoint.trains_on_data
        if (outside if fact is None else fact == when.trains_on_data) is False:
            return False
    if when.retention_over_days is not None:
        days = endpoint.retention_days
        if (outside if days is None else days > when.retention_over_days) is False:
            return False
    return True


def reference(
    preset: Any, rules: list[Rule], label: Label, workflow: str | None, key: str | None, target: Target
) -> tuple[bool, str | None, set[str], str | None]:
    reach = {"public": "frontier", "internal": "frontier", "confidential": "self_hosted", "restricted": "local"}
    if preset == "private":
        reach["internal"] = "self_hosted"
    if TIER_ORDER.index(target.endpoint.tier) > TIER_ORDER.index(reach[label]):
        return False, f"ceiling:{label}", set(), None
    hits = [(n, rule) for n, rule in enumerate(rules, 1) if applies(rule.when, label, workflow, key, target)]
    for number, rule in hits:
        if rule.then.deny:
            return False, f"rule:{number}", set(), None
    demanding = [f"rule:{number}" for number, rule in hits if rule.then.require == "all"]
    duties: set[str] = {duty for _, rule in hits for duty in rule.then.obligations}
    return True, None, duties, demanding[0] if demanding else None


@settings(max_examples=500)
@given(PRESETS, RULES, st.sampled_from(Label), MAYBE, MAYBE, TARGETS)
def test_agrees_with_the_reference(
    preset: Any, rules: list[Rule], label: Label, workflow: str | None, key: str | None, target: Target
) -> None:
    policy = Policy(LabelSettings(preset=preset), rules)
    judged = policy.judge(label, workflow, key, target)
    assert (judged.allowed, judged.rule, set(judged.obligations), judged.requires_all) == reference(
        preset, rules, label, workflow, key, target
    )
    assert bool(judged.reason) is not judged.allowed
    assert policy.requires_all is any(rule.then.require == "all" for rule in rules)


@settings(max_examples=250)
@given(RULES, st.builds(Rule, when=WHENS, then=THENS), st.integers(0, 6), st.sampled_from(Label), MAYBE, MAYBE, TARGETS)
def test_a_rule_added_only_denies_more_or_adds_duties(
    rules: list[Rule], extra: Rule, place: int, label: Label, workflow: str | None, key: str | None, target: Target
) -> None:
    before = Policy(LabelSettings(), rules).judge(label, workflow, key, target)
    after = Policy(LabelSettings(), [*rules[:place], extra, *rules[place:]]).judge(label, workflow, key, target)
    assert before.allowed or not after.allowed
    if after.allowed:
        assert set(before.obligations) <= set(after.obligations)
        assert before.requires_all is None or after.requires_all is not None


@settings(max_examples=250)
@given(RULES, st.sampled_from(Label), st.sampled_from(Label), PRESETS, MAYBE, MAYBE, TARGETS)
def test_a_higher_label_never_permits_more(
    rules: list[Rule],
    one: Label,
    other: Label,
    preset: Any,
    workflow: str | None,
    key: str | None,
    target: Target,
) -> None:
    low, high = sorted((one, other), key=LABEL_ORDER.index)
    policy = Policy(LabelSettings(preset=preset), rules)
    below, above = policy.judge(low, workflow, key, target), policy.judge(high, workflow, key, target)
    assert below.allowed or not above.allowed
    if above.allowed:
        assert set(below.obligations) <= set(above.obligations)
        assert below.requires_all is None or above.requires_all is not None


def at(tier: Tier, **facts: Any) -> Target:
    endpoint = Endpoint(name="there", kind="any", wires=("chat",), tier=tier, **facts)
    return Target(endpoint, Model(id="m", endpoint="there", served_name="m"))


def test_the_ceiling_says_why_in_words() -> None:
    judged = Policy(LabelSettings()).judge(Label.RESTRICTED, None, None, at(Tier.FRONTIER))
    assert judged.rule == "ceiling:restricted"
    assert judged.reason == "restricted data stays on this machine; there is frontier"


def test_the_ceiling_comes_before_the_rules_and_no_rule_lifts_it() -> None:
    rules = [Rule(when=When(tier=Tier.FRONTIER), then=Then(deny=True), name="none", reason="no outside")]
    policy = Policy(LabelSettings(), rules)
    assert policy.judge(Label.RESTRICTED, None, None, at(Tier.FRONTIER)).rule == "ceiling:restricted"
    judged = policy.judge(Label.PUBLIC, None, None, at(Tier.FRONTIER))
    assert (judged.rule, judged.reason) == ("rule:none", "no outside")


@pytest.mark.parametrize(
    "when", [When(region="us"), When(region_not="eu"), When(trains_on_data=True), When(retention_over_days=0)]
)
def test_an_unknown_fact_counts_against_an_outside_endpoint_only(when: When) -> None:
    policy = Policy(LabelSettings(), [Rule(when=when, then=Then(deny=True))])
    assert not policy.judge(Label.PUBLIC, None, None, at(Tier.FRONTIER)).allowed
    assert policy.judge(Label.PUBLIC, None, None, at(Tier.LOCAL)).allowed


def test_duties_accumulate_in_the_order_of_the_rules() -> None:
    rules = [
        Rule(then=Then(obligations=("no_store",))),
        Rule(then=Then(obligations=("human_review", "no_store"))),
    ]
    judged = Policy(LabelSettings(), rules).judge(Label.PUBLIC, None, None, at(Tier.LOCAL))
    assert judged.obligations == ("no_store", "human_review")


def test_the_first_rule_that_wants_nothing_lost_is_named() -> None:
    rules = [
        Rule(when=When(tier=Tier.FRONTIER), then=Then(require="all"), name="outside"),
        Rule(then=Then(obligations=("no_store",), require="all"), name="always"),
    ]
    policy = Policy(LabelSettings(), rules)
    assert policy.judge(Label.PUBLIC, None, None, at(Tier.FRONTIER)).requires_all == "rule:outside"
    near = policy.judge(Label.PUBLIC, None, None, at(Tier.LOCAL))
    assert (near.allowed, near.requires_all, near.obligations) == (True, "rule:always", ("no_store",))
    assert policy.judge(Label.RESTRICTED, None, None, at(Tier.FRONTIER)).requires_all is None


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
    one = Policy(LabelSettings()).digest
    assert one == Policy(LabelSettings()).digest
    assert one.startswith("sha256:")
    others = [
        Policy(LabelSettings(preset="private")),
        Policy(LabelSettings(default=Label.PUBLIC)),
        Policy(LabelSettings(detectors={"card": "off"})),
        Policy(LabelSettings(patterns={"p": Pattern(pattern="x")})),
        Policy(LabelSettings(), [Rule(then=Then(deny=True))]),
        Policy(LabelSettings(), [Rule(then=Then(require="all"))]),
    ]
    assert len({one, *(policy.digest for policy in others)}) == 7


def test_ceilings_given_differently_but_equal_are_one_digest() -> None:
    one = LabelSettings(ceilings={Label.INTERNAL: Tier.LOCAL, Label.CONFIDENTIAL: Tier.LOCAL})
    other = LabelSettings(ceilings={Label.CONFIDENTIAL: Tier.LOCAL, Label.INTERNAL: Tier.LOCAL})
    assert ceilings(one) == ceilings(other)
    assert Policy(one).digest == Policy(other).digest
