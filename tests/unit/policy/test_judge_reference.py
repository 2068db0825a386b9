"""Does the judgement agree with the documentation, on policies and calls that nobody thought of?

Cases are drawn from a seed that stands in the output; 10,000 of them, or as many as TIERWISE_JUDGED says.
"""

import os
import random
from collections.abc import Iterator
from typing import Any

import msgspec

from tests.figures import note
from tests.reference.policy import LABELS, Call, Verdict, farthest, verdict
from tierwise.core.label import Label, Tier
from tierwise.core.model import Endpoint, Model
from tierwise.policy.judge import Judgement, Policy, Target
from tierwise.policy.settings import LabelSettings, Rule, Then, When

SEED = os.environ.get("TIERWISE_SEED")  # before tests lose sight of the environment
CASES = int(os.environ.get("TIERWISE_JUDGED") or 10_000)
CALLS_OF_A_POLICY = 20
NAMES = ("a", "b", "c")
ENVIRONMENTS = ("development", "production")
DUTIES = ("no_store", "no_fallback", "human_review", "pseudonymise")


class World:
    """One drawn policy with the calls and targets that it is asked about."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.labels = self._labels()
        self.rules = [self.rule() for _ in range(draw.choice((0, 1, 3, 6, 12)))]
        self.environments: dict[str, Any] = {name: draw.choice(ENVIRONMENTS) for name in NAMES if draw.random() < 0.5}
        self.targets = [self._target() for _ in range(draw.randint(1, 6))]

    def policy(self, *more: Rule, place: int = 0) -> Policy:
        return Policy(self.labels, [*self.rules[:place], *more, *self.rules[place:]], self.environments)

    def call(self) -> Call:
        workflow, key = self._maybe(NAMES), self._maybe(NAMES)
        stated = self.environments.get(workflow) if workflow is not None else None
        return Call(self.draw.choice(LABELS), workflow, key, stated)

    def rule(self) -> Rule:
        draw, given = self.draw, self._given
        when = When(
            label=given(lambda: Label(draw.choice(LABELS))),
            workflow=given(self._names),
            workflow_not=given(self._names),
            workflow_environment=given(lambda: self._some(ENVIRONMENTS)),
            key=given(self._names),
            tier=given(lambda: self._some(tuple(Tier))),
            endpoint=given(self._names),
            kind=given(self._names),
            model=given(self._names),
            region=given(self._names),
            region_not=given(self._names),
            agreement_not=given(self._names),
            sla_not=given(self._names),
            environment=given(lambda: self._some(ENVIRONMENTS)),
            environment_not=given(lambda: self._some(ENVIRONMENTS)),
            trains_on_data=given(lambda: draw.random() < 0.5),
            retention_over_days=given(lambda: draw.randint(0, 3)),
        )
        duties = tuple(draw.sample(DUTIES, draw.randint(0, 2)))
        deny, every = draw.random() < 0.3, draw.random() < 0.2
        then = Then(deny=deny, require="all" if every else None, obligations=duties)
        return Rule(when=when, then=then if deny or every or duties else Then(deny=True))

    def _labels(self) -> LabelSettings:
        preset: Any = self.draw.choice(("balanced", "private", "strongest"))
        if self.draw.random() < 0.6:
            return LabelSettings(preset=preset)
        nearer = sorted((self.draw.choice(list(Tier)) for _ in LABELS), key=lambda tier: -list(Tier).index(tier))
        return LabelSettings(preset=preset, ceilings=dict(zip(map(Label, LABELS), nearer, strict=True)))

    def _target(self) -> Target:
        draw, maybe = self.draw, self._maybe
        endpoint = Endpoint(
            name=draw.choice(NAMES),
            kind=draw.choice(NAMES),
            wires=("chat",),
            tier=draw.choice(list(Tier)),
            region=maybe(NAMES),
            agreement=maybe(NAMES),
            sla=maybe(NAMES),
            environment=maybe(ENVIRONMENTS),
            retention_days=maybe(range(4)),
            trains_on_data=maybe((True, False)),
        )
        return Target(endpoint, Model(id=draw.choice(NAMES), endpoint=endpoint.name, served_name="served"))

    def _given(self, value: Any) -> Any:
        """Few conditions at a time: of seventeen, all given, next to nothing would ever match."""
        return value() if self.draw.random() < 0.12 else None

    def _maybe(self, values: Any) -> Any:
        return self.draw.choice((None, *values))

    def _some(self, values: tuple[Any, ...]) -> Any:
        some = tuple(self.draw.sample(values, self.draw.randint(1, len(values))))
        return some[0] if len(some) == 1 and self.draw.random() < 0.5 else some

    def _names(self) -> Any:
        return self._some(NAMES)


def worlds(cases: int) -> Iterator[World]:
    """Draw so many cases, by policies; the seed is printed so that a failure can be had again."""
    seed = int(SEED or random.SystemRandom().getrandbits(48))
    print(f"TIERWISE_SEED={seed} TIERWISE_JUDGED={cases}")
    note("judge", cases=cases, seed=seed)
    for number in range(max(1, cases // CALLS_OF_A_POLICY)):
        yield World(random.Random(seed + number))


def judged(policy: Policy, call: Call, targets: list[Target]) -> list[Judgement]:
    return policy.judge(Label(call.label), call.workflow, call.key, targets)


def verdicts(policy: Policy, call: Call, targets: list[Target]) -> list[Verdict]:
    """Return what is judged together with the reason tree, as the reference spells it."""
    trees = policy.explain(Label(call.label), call.workflow, call.key, targets)
    return [
        Verdict(
            one.allowed,
            one.rule,
            frozenset(one.obligations),
            one.requires_all,
            tuple((rule.rule, rule.effects) for rule in tree),
        )
        for one, tree in zip(judged(policy, call, targets), trees, strict=True)
    ]


def test_every_verdict_is_the_one_that_the_documentation_gives() -> None:
    for world in worlds(CASES):
        policy = world.policy()
        for _ in range(CALLS_OF_A_POLICY):
            call = world.call()
            found = verdicts(policy, call, world.targets)
            wanted = [verdict(world.labels, world.rules, call, t.endpoint, t.model) for t in world.targets]
            assert found == wanted, (world.labels, world.rules, call)


def test_a_rule_added_only_denies_more_or_adds_duties() -> None:
    for world in worlds(CASES):
        place = world.draw.randint(0, len(world.rules))
        before, after = world.policy(), world.policy(world.rule(), place=place)
        for _ in range(CALLS_OF_A_POLICY):
            call = world.call()
            pairs = zip(judged(before, call, world.targets), judged(after, call, world.targets), strict=True)
            assert all(tightens(one, other) for one, other in pairs), (world.labels, world.rules, call)


def test_a_higher_label_only_denies_more_or_adds_duties() -> None:
    for world in worlds(CASES):
        policy = world.policy()
        for _ in range(CALLS_OF_A_POLICY):
            call = world.call()
            higher = call._replace(label=world.draw.choice(LABELS[LABELS.index(call.label) :]))
            pairs = zip(judged(policy, call, world.targets), judged(policy, higher, world.targets), strict=True)
            assert all(tightens(one, other) for one, other in pairs), (world.labels, world.rules, call, higher)


def test_nothing_is_allowed_beyond_the_ceiling_of_its_label() -> None:
    for world in worlds(CASES // 10):
        policy, call = world.policy(), world.call()
        reach = list(Tier).index(Tier(farthest(world.labels, call.label)))
        for target, one in zip(world.targets, judged(policy, call, world.targets), strict=True):
            assert not one.allowed or list(Tier).index(target.endpoint.tier) <= reach


def test_the_order_in_which_a_policy_is_asked_changes_no_answer() -> None:
    for world in worlds(CASES // 10):
        calls = [world.call() for _ in range(CALLS_OF_A_POLICY)]
        once = world.policy()
        one_way = [verdicts(once, call, world.targets) for call in calls]
        again = [verdicts(once, call, world.targets[::-1])[::-1] for call in reversed(calls)][::-1]
        each = [[verdicts(world.policy(), call, [target])[0] for target in world.targets] for call in calls]
        assert one_way == again == each


def test_the_drawn_cases_are_worth_drawing() -> None:
    """Of every verdict there are many: a generator that never denies would find every judge right."""
    found = [one for world in worlds(10_000) for one in verdicts(world.policy(), world.call(), world.targets)]
    shares = {
        "allowed": sum(v.allowed for v in found),
        "denied by a rule": sum(not v.allowed and str(v.rule).startswith("rule:") for v in found),
        "denied by a ceiling": sum(str(v.rule).startswith("ceiling:") for v in found),
        "under duties": sum(bool(v.duties) for v in found),
        "demanding all": sum(v.requires_all is not None for v in found),
        "denied twice": sum(sum("deny" in effects for _, effects in v.applied) > 1 for v in found),
    }
    assert all(share > len(found) / 50 for share in shares.values()), (len(found), shares)


def tightens(before: Judgement, after: Judgement) -> bool:
    """Say whether the second judgement allows no more than the first, and asks no less."""
    if not after.allowed:
        return True
    demanding = before.requires_all is None or after.requires_all is not None
    return before.allowed and demanding and set(before.obligations) <= set(after.obligations)


def test_every_condition_of_the_grammar_is_drawn() -> None:
    drawn = {f for w in worlds(4000) for rule in w.rules for f, v in msgspec.structs.asdict(rule.when).items() if v}
    assert drawn == {field.name for field in msgspec.structs.fields(When)}
