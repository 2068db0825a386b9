"""What is an incident, and what is an ordinary refusal? Each row of the table, seen in decisions and breakers."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.unit.ledger.samples import START, a_decision, an_id
from tierwise.core.decision import STOPPED, AttemptRecord, CandidateRecord, GateRecord
from tierwise.core.label import Label, Tier
from tierwise.core.model import Endpoint, Model
from tierwise.economics.budget import Account, Budget
from tierwise.incidents.conditions import CONDITIONS, look, sentence
from tierwise.incidents.settings import IncidentSettings
from tierwise.incidents.watch import MAX_SIGHTINGS, MAX_WAITING, Watch
from tierwise.ledger.incidents import Sighting, opened
from tierwise.policy.settings import LabelSettings
from tierwise.registry.catalog import Catalog
from tierwise.router.eligible import SPENT_OUT

TIERS = {"near": Tier.LOCAL, "mid": Tier.SELF_HOSTED, "far": Tier.FRONTIER}


class World:
    """What a watch looks at."""

    def __init__(self) -> None:
        self.accounts: tuple[Account, ...] = ()
        self.models_down: list[str] = []
        self.labels = LabelSettings()
        self.catalog = Catalog(
            endpoints={n: Endpoint(name=n, kind="scripted", wires=("chat",), tier=t) for n, t in TIERS.items()},
            models={f"at-{n}": Model(id=f"at-{n}", endpoint=n, served_name="m") for n in TIERS},
        )

    def down(self) -> list[str]:
        return self.models_down

    def watch(self, **settings: Any) -> Watch:
        numbers = iter(range(1, 1_000_000))
        return Watch(IncidentSettings(**settings), self, lambda: self, lambda: an_id(next(numbers)), lambda: START)


@pytest.fixture
def world() -> World:
    return World()


def seen(watch: Watch, *decisions: Any, now: float = 0.0) -> dict[str, Sighting]:
    for decision in decisions:
        watch.finished(decision)
    return {f"{one.condition} {one.subject}": one for one in watch.taken(now)}


def refused(number: int, by: str, **fields: Any) -> Any:
    candidate = CandidateRecord(model="m", endpoint="e", tier=Tier.FRONTIER, allowed=False, excluded_by=by, **fields)
    return a_decision(number, outcome="refused", attempts=(), candidates=(candidate,), key_id="ann")


def attempt(verdict: str, endpoint: str = "near", error: str | None = None, gate: str | None = None) -> AttemptRecord:
    said = None if gate is None else GateRecord(name="json", verdict=gate)  # type: ignore[arg-type]
    return AttemptRecord(
        endpoint=endpoint, model=f"at-{endpoint}", tier=Tier.LOCAL, started=1.0, verdict=verdict, error=error, gate=said
    )


def test_an_ordinary_call_and_an_ordinary_refusal_are_no_incident(world: World) -> None:
    watch = world.watch()
    assert not seen(watch, a_decision(1), *(refused(n, "ceiling:restricted") for n in range(2, 50)))


def test_what_the_last_check_stopped_is_one_and_critical(world: World) -> None:
    stopped = a_decision(1, outcome="failed", attempts=(attempt(STOPPED, "far", "LeakStopped: …"),))
    [found] = seen(world.watch(), stopped, stopped).values()
    assert (found.kind, found.subject, found.severity) == ("leak_attempt", "endpoint:far", "critical")
    assert (found.count, found.decisions, found.lasting) == (2, (an_id(1),), False)


@pytest.mark.parametrize("by", ["health", "budget", "context", "capability", "price_unknown"])
def test_only_refusals_by_policy_alone_are_counted(world: World, by: str) -> None:
    watch = world.watch(refusals=3)
    assert not seen(watch, *(refused(n, by) for n in range(10)))
    found = seen(watch, *(refused(n, "ceiling:restricted") for n in range(10, 13)))
    assert found["insisted key:ann"].decisions == (an_id(10), an_id(11), an_id(12))


def test_refusals_that_lie_far_apart_are_no_insisting(world: World) -> None:
    watch = world.watch(refusals=3, refusals_window_s=60)
    assert not seen(watch, *(refused(100 * n, "rule:eu") for n in range(10)))
    assert seen(watch, *(refused(2000 + n, "rule:eu") for n in range(3)))


@pytest.mark.parametrize(
    ("spent", "refusing", "expected"),
    [
        ("0.5", False, {}),
        ("0.8", False, {"budget_soft all 1d"}),
        ("1", False, {"budget_spent all 1d"}),
        ("0.6", True, {"budget_spent all 1d"}),
        ("0.1", True, {}),
    ],
)
def test_a_budget_is_seen_as_it_stands(world: World, spent: str, refusing: bool, expected: set[str]) -> None:
    budget = Budget(scope="all", limit_usd=Decimal(1), soft_limit_usd=Decimal("0.75"))
    world.accounts = (Account(budget, spent=Decimal(spent), now=START),)
    decision = refused(1, "budget", reason=SPENT_OUT) if refusing else a_decision(1)
    found = seen(world.watch(), decision)
    assert found.keys() == set(expected)
    assert all(one.until == START - START % 86_400 + 86_400 for one in found.values())


def test_a_call_that_allows_too_little_says_nothing_of_a_budget(world: World) -> None:
    world.accounts = (Account(Budget(scope="all", limit_usd=Decimal(1)), spent=Decimal("0.9"), now=START),)
    assert not seen(world.watch(), refused(1, "budget", reason="could cost $2, the call allows $1"))


def test_an_endpoint_is_down_after_its_time_with_the_calls_that_failed_there(world: World) -> None:
    watch = world.watch(down_after_s=60)
    world.models_down = ["at-far"]
    failed = [a_decision(n, outcome="failed", attempts=(attempt("next", "far", "Unreachable"),)) for n in range(1, 4)]
    assert not seen(watch, *failed, now=0.0)
    found = seen(watch, now=60.0)["down endpoint:far"]
    assert (found.decisions, found.count, found.severity) == ((an_id(1), an_id(2), an_id(3)), 3, "warning")
    assert seen(watch, now=61.0)["down endpoint:far"].count == 0, "it is seen as long as it lasts"
    world.models_down = []
    assert not seen(watch, now=62.0)
    world.models_down = ["at-far"]
    assert not seen(watch, now=63.0), "it failed anew"


@pytest.mark.parametrize(
    ("down", "labels", "expected"),
    [
        (["at-near"], LabelSettings(), {"needed endpoint:near"}),
        (["at-mid"], LabelSettings(), {"down endpoint:mid"}),
        (["at-near", "at-mid"], LabelSettings(), {"needed endpoint:near", "needed endpoint:mid"}),
        (["at-near"], LabelSettings(ceilings={Label.RESTRICTED: Tier.SELF_HOSTED}), {"down endpoint:near"}),
        (["gone"], LabelSettings(), set()),
    ],
)
def test_who_alone_may_serve_a_label_is_needed(
    world: World, down: list[str], labels: LabelSettings, expected: set[str]
) -> None:
    world.models_down, world.labels = down, labels
    watch = world.watch(down_after_s=1)
    watch.taken(0.0)
    assert seen(watch, now=1.0).keys() == expected


def test_a_workflow_whose_answers_fail_too_often_is_seen_where_that_is_asked_for(world: World) -> None:
    good = [a_decision(n, workflow="w", attempts=(attempt("ok", gate="pass"),)) for n in range(4)]
    bad = [a_decision(n, workflow="w", attempts=(attempt("escalate", gate="fail"),)) for n in range(4, 8)]
    assert not seen(world.watch(), *good, *bad)
    watch = world.watch(gate_failures=0.5, gate_calls=4)
    assert not seen(watch, *good, bad[0])
    assert seen(watch, bad[1])["gates workflow:w"].decisions == (an_id(5),)


def test_what_waits_is_bounded_and_what_is_lost_is_counted(world: World) -> None:
    watch = world.watch()
    for _ in range(MAX_WAITING + 7):
        watch.finished(a_decision(1))
    assert watch.missed == 7
    for number in range(MAX_SIGHTINGS + 5):
        watch.saw("drift", f"workflow:{number}")
    assert (len(watch.taken(0.0)), watch.missed) == (MAX_SIGHTINGS, 12)


def test_what_was_put_back_gathers_with_what_comes(world: World) -> None:
    watch = world.watch()
    watch.saw("down", "endpoint:x", ("a",))
    watch.put_back(watch.taken(0.0))
    watch.saw("needed", "endpoint:x", ("b",))
    [found] = watch.taken(0.0)
    assert (found.condition, found.severity, found.count, found.decisions) == ("needed", "critical", 2, ("a", "b"))
    assert found.id == an_id(1), "it keeps its name"


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_condition_can_be_said(name: str) -> None:
    make: Callable[..., Any] = CONDITIONS[name].sighting
    incident = opened(make(an_id(1), "workflow:{subject}%s", 1.0))
    assert "workflow:{subject}%s" in sentence(incident)
    assert look(incident).startswith("tierwise ")
