"""Recorded calls under other rules: which flip, how, and which cannot."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.gateway.test_decide import MODELS, ask, rule_on, rules
from tierwise.core.decision import AttemptRecord, Decision, Labelled, LabelSource
from tierwise.core.errors import InvalidCall, StoreError
from tierwise.core.grant import Grant
from tierwise.core.label import Label, Tier
from tierwise.gateway.flips import EXAMPLES, MOST_NAMES, OTHER, Side, Tally, kinds
from tierwise.gateway.openings import openings
from tierwise.gateway.replay import against_policy, against_record, anew
from tierwise.gateway.rules import Rules
from tierwise.ledger.encode import encode_decision
from tierwise.policy.released import Written
from tierwise.policy.settings import LabelSettings, Pattern, Rule, Then, When
from tierwise.registry.load import load

INSIDE = Rule(when=When(tier=Tier.FRONTIER), then=Then(deny=True), name="inside")
QUIET = Rule(when=When(workflow="tickets"), then=Then(obligations=("no_store",)), name="quiet")
LOOSE = LabelSettings(ceilings={Label.CONFIDENTIAL: Tier.FRONTIER})


def policy(*extra: Rule, labels: LabelSettings = LabelSettings()) -> Rules:
    return rules().under(Written(labels=labels, rule=extra))


def recorded(model: str = "auto", label: Label = Label.INTERNAL, grant: Grant | None = None) -> Decision:
    asked = msgspec.structs.replace(ask(model), key_id=grant.name if grant else None, grant=grant)
    return rule_on(asked, label).decision


def labelled(label: Label, *sources: tuple[str, Label]) -> Decision:
    said = Labelled(value=label, sources=tuple(LabelSource(source=name, label=value) for name, value in sources))
    return msgspec.structs.replace(recorded(label=label), label=said)


def replayed(after: Rules, *decisions: Decision) -> Tally:
    return against_record(after, map(encode_decision, decisions))


def compared(before: Rules, after: Rules, *decisions: Decision) -> Tally:
    return against_policy(before, after, map(encode_decision, decisions))


def test_the_same_rules_move_nothing() -> None:
    tally = replayed(rules(), recorded(), recorded("far"), recorded("far", Label.RESTRICTED), recorded("auto:bank"))
    assert (tally.decisions, tally.flipped) == (4, 0)


def test_a_stricter_rule_says_who_goes_where_and_who_nowhere() -> None:
    tally = replayed(rules(INSIDE), recorded(), recorded("far"))
    assert tally.moves == {("far (frontier)", "mid (self_hosted)"): 1, ("far (frontier)", "refused"): 1}
    assert tally.kinds == {"refused": 1, "first": 2, "allowed": 2}
    assert {example.error for example in tally.examples} > {None}, "why nobody may is said"


def test_a_model_that_is_gone_is_a_refusal_with_its_reason() -> None:
    few = msgspec.structs.replace(rules(), catalog=load((), (), lambda _ref: None), workflows={})
    (example,) = replayed(few, recorded("far")).examples
    assert "no model 'far'" in (example.error or "")


def test_what_an_interrupted_call_was_permitted_is_not_guessed() -> None:
    broken = msgspec.structs.replace(recorded(), candidates=(), outcome="interrupted")
    assert replayed(rules(), broken).flipped == 0


def test_a_call_that_fell_back_is_compared_by_whom_it_tried_first() -> None:
    tried = AttemptRecord(endpoint="out", model="far", tier=Tier.FRONTIER, started=0.0)
    fell = msgspec.structs.replace(recorded(), attempts=(tried,), chosen="mid")
    assert replayed(rules(), fell).kinds == {}


@pytest.mark.parametrize(
    "grant", [Grant(name="k", models=("near",)), Grant(name="k", models=("x",)), Grant(name="k", label=Label.PUBLIC)]
)
def test_a_limited_key_stays_limited(grant: Grant) -> None:
    assert replayed(rules(), recorded(grant=grant)).flipped == 0
    assert compared(rules(), policy(labels=LOOSE), recorded(grant=grant)).kinds == {}


def test_a_policy_is_compared_by_what_it_was_before_and_not_by_the_record() -> None:
    tally = compared(policy(INSIDE), policy(), recorded(), recorded(label=Label.RESTRICTED))
    assert tally.kinds == {"first": 1, "allowed": 1, "wider": 1, "farther": 1}
    assert tally.groups["", Label.RESTRICTED] == {"decisions": 1}
    assert tally.groups["", Label.INTERNAL]["farther"] == 1


def test_duties_alone_move_nobody_and_a_lost_one_is_wider() -> None:
    tickets = msgspec.structs.replace(recorded("gpt-old"), workflow="tickets")
    assert compared(policy(), policy(QUIET), tickets, recorded()).kinds == {"duties": 1}
    assert compared(policy(QUIET), policy(), tickets).kinds == {"duties": 1, "wider": 1}


def test_a_default_and_a_detector_that_label_otherwise_count_for_what_was_recorded() -> None:
    silent = labelled(Label.INTERNAL, ("default", Label.INTERNAL))
    card = labelled(Label.CONFIDENTIAL, ("default", Label.INTERNAL), ("detector:card", Label.CONFIDENTIAL))
    said = labelled(Label.CONFIDENTIAL, ("caller", Label.CONFIDENTIAL), ("detector:card", Label.CONFIDENTIAL))
    off = policy(labels=LabelSettings(detectors={"card": "off"}))
    strict = policy(labels=LabelSettings(default=Label.RESTRICTED))
    assert compared(policy(), off, card, said, silent).kinds == {"first": 1, "allowed": 1, "wider": 1, "farther": 1}
    assert compared(policy(), strict, silent, said).kinds == {"first": 1, "allowed": 1}


def test_a_pattern_that_is_gone_labels_nothing_and_a_scan_that_gave_up_still_does() -> None:
    mine = policy(labels=LabelSettings(patterns={"falcon": Pattern(pattern="Falcon", label=Label.RESTRICTED)}))
    found = labelled(Label.RESTRICTED, ("default", Label.INTERNAL), ("detector:falcon", Label.RESTRICTED))
    gave_up = labelled(Label.RESTRICTED, ("default", Label.INTERNAL), ("detector:scan", Label.RESTRICTED))
    assert compared(mine, policy(), found).kinds["farther"] == 1
    assert compared(mine, policy(), gave_up).flipped == 0


def test_a_damaged_record_ends_the_comparison_with_its_name() -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        against_record(rules(), [b"{"])


def test_tallies_of_parts_add_up_and_examples_stay_few() -> None:
    calls = [encode_decision(recorded(name)) for name in ("auto", "far", "mid") * 20]
    whole, parts = against_record(rules(INSIDE), calls), Tally()
    for start in range(0, 60, 7):
        parts.merge(against_record(rules(INSIDE), calls[start : start + 7]))
    for name in ("decisions", "flipped", "kinds", "moves", "groups", "cost_before_usd", "cost_after_usd"):
        assert getattr(parts, name) == getattr(whole, name), name
    assert 0 < len(parts.examples) <= 2 * EXAMPLES


CONDITIONS = st.builds(
    When,
    label=st.sampled_from((*Label, None)),
    tier=st.sampled_from((*Tier, None)),
    workflow=st.sampled_from(("tickets", "bank", None)),
)
THENS = st.sampled_from((Then(deny=True), Then(obligations=("no_store",)), Then(obligations=("no_fallback",))))
POLICIES = st.builds(
    Written,
    labels=st.builds(LabelSettings, preset=st.sampled_from(("balanced", "private", "strongest"))),
    rule=st.lists(st.builds(Rule, when=CONDITIONS, then=THENS), max_size=3).map(tuple),
)
ASKED = st.tuples(
    st.sampled_from(("auto", "auto:bank", "auto:tickets", "mid", "far", "tier:local")), st.sampled_from(Label)
)


@given(POLICIES, POLICIES, ASKED)
def test_what_is_not_decided_anew_would_not_have_differed(
    before: Written, after: Written, asked: tuple[str, Label]
) -> None:
    model, label = asked
    old, new = rules().under(before), rules().under(after)
    was, now = (rule_on(ask(model), label, in_force=one).decision for one in (old, new))
    named = msgspec.structs.replace(was, label=Labelled(value=label))
    found = compared(old, new, named).kinds
    assert ("first" in found) is (was.chosen != now.chosen)
    assert ("refused" in found) is (was.chosen is not None and now.chosen is None)
    assert ("duties" in found) is (was.chosen == now.chosen and set(was.obligations) != set(now.obligations))


@given(POLICIES, POLICIES, ASKED)
def test_no_opening_means_that_no_call_is_allowed_more(
    before: Written, after: Written, asked: tuple[str, Label]
) -> None:
    old, new = rules().under(before), rules().under(after)
    if not openings(old, new, (before, after)):
        decision = msgspec.structs.replace(recorded(asked[0], asked[1]), label=Labelled(value=asked[1]))
        assert not compared(old, new, decision).kinds.keys() & {"wider", "farther"}


def test_openings_say_what_where_and_how_far() -> None:
    found = openings(policy(), policy(labels=LOOSE), (Written(), Written(labels=LOOSE)))
    assert [(o.label, o.model, o.farther) for o in found] == [(Label.CONFIDENTIAL, "far", True)]
    assert "confidential data may go to far (frontier), a tier farther out" in found[0].text
    lost = openings(policy(QUIET), policy(), (Written(rule=(QUIET,)), Written()))
    assert {o.lost for o in lost} == {("no_store",)}
    assert {o.model for o in lost} == {model.id for model in MODELS}
    assert openings(policy(), policy(QUIET, INSIDE), (Written(), Written(rule=(QUIET, INSIDE)))) == []


def test_a_rule_for_one_key_opens_for_that_key() -> None:
    barred = Rule(when=When(key="ci", tier=Tier.FRONTIER), then=Then(deny=True), name="ci")
    found = openings(policy(barred), policy(), (Written(rule=(barred,)), Written()))
    assert {(o.model, o.farther) for o in found} == {("far", True)}


def test_sides_differ_in_named_ways() -> None:
    near = Side(label=Label.PUBLIC, first="near", tier=Tier.LOCAL, permitted=frozenset({"near"}), reach=0)
    far = Side(label=Label.PUBLIC, first="far", tier=Tier.FRONTIER, permitted=frozenset({"near", "far"}), reach=2)
    none = Side(label=Label.PUBLIC)
    assert kinds(near, near) == ()
    assert kinds(near, far) == ("first", "allowed", "wider", "farther")
    assert kinds(far, near) == ("first", "allowed")
    assert kinds(near, none) == ("refused", "first", "allowed")
    assert kinds(none, near) == ("served", "first", "allowed", "wider", "farther")
    tally = Tally()
    tally.add("1", None, msgspec.structs.replace(near, cost_usd=Decimal("0.1")), none)
    assert (tally.cost_before_usd, tally.cost_after_usd) == (Decimal("0.1"), 0)


def test_costs_and_moves_are_those_of_both_sides() -> None:
    tally = Tally()
    near = Side(label=Label.PUBLIC, first="near", tier=Tier.LOCAL, cost_usd=Decimal(1))
    far = Side(label=Label.PUBLIC, first="far", tier=Tier.FRONTIER, cost_usd=Decimal(3))
    for number, (before, after) in enumerate([(near, far), (near, far), (far, near), (near, near)]):
        tally.add(str(number), None, before, after)
    assert (tally.cost_before_usd, tally.cost_after_usd) == (6, 8)
    assert tally.moves == {("near (local)", "far (frontier)"): 2, ("far (frontier)", "near (local)"): 1}
    assert (tally.decisions, tally.flipped) == (4, 3)


def test_beyond_so_many_names_workflows_and_moves_are_counted_together_and_known_ones_alone() -> None:
    tally = Tally()
    near = Side(label=Label.PUBLIC, first="near", tier=Tier.LOCAL)
    for number in range(MOST_NAMES + 3):
        there = msgspec.structs.replace(near, first=f"m{number}")
        tally.add(str(number), f"w{number}", near, there)
        tally.add(str(number), "w0", near, msgspec.structs.replace(near, first="m0"))
    assert len(tally.moves) == len(tally.groups) == MOST_NAMES + 1
    assert tally.moves[OTHER, OTHER] == tally.groups[OTHER, Label.PUBLIC]["flipped"] == 3
    assert tally.moves["near (local)", "m0 (local)"] == tally.groups["w0", Label.PUBLIC]["flipped"] == MOST_NAMES + 4
    assert sum(tally.moves.values()) == sum(group["decisions"] for group in tally.groups.values()) == tally.decisions


def test_one_call_decided_anew_is_whole_and_says_why_nobody_may() -> None:
    before = recorded()
    again = anew(rules(), before)
    assert (again.chosen, again.outcome, again.candidates) == (before.chosen, "dry_run", before.candidates)
    inside = anew(policy(INSIDE), recorded("far"))
    assert inside.chosen is None and inside.error and again.error is None


def test_one_call_decided_anew_is_labelled_by_what_was_found_in_it() -> None:
    found = labelled(Label.CONFIDENTIAL, ("detector:card", Label.CONFIDENTIAL), ("default", Label.INTERNAL))
    off = anew(policy(labels=LabelSettings(detectors={"card": "off"})), found)
    assert off.label.value is Label.INTERNAL
    raised = anew(policy(labels=LabelSettings(detectors={"card": "restricted"})), found)
    assert [one.label for one in raised.label.sources] == [Label.RESTRICTED, Label.INTERNAL]
    with pytest.raises(InvalidCall):
        anew(rules(), msgspec.structs.replace(found, workflow="gone"))
