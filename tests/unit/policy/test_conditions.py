"""What a rule asks of a target, condition by condition: what holds, and the words for it."""

from typing import Any

import msgspec
import pytest

from tierwise.core.label import Tier
from tierwise.core.model import Endpoint, Model
from tierwise.policy.conditions import Condition, Target, on_target, written
from tierwise.policy.settings import When

ON_THE_CALL = {"label", "workflow", "workflow_not", "workflow_environment", "key"}
UNSAID = "(the endpoint does not say)"


def target(tier: Tier = Tier.FRONTIER, **facts: Any) -> Target:
    endpoint = Endpoint(name="there", kind="any", wires=("chat",), tier=tier, **facts)
    return Target(endpoint, Model(id="m", endpoint="there", served_name="m"))


@pytest.mark.parametrize(
    ("condition", "at", "holds", "words"),
    [
        (Condition("tier", Tier.FRONTIER), target(), True, "tier = frontier"),
        (Condition("tier", (Tier.LOCAL, Tier.FRONTIER)), target(), True, "tier = local, frontier (frontier)"),
        (Condition("endpoint", "here"), target(), False, "endpoint = here (there)"),
        (Condition("region", "eu"), target(region="eu"), True, "region = eu"),
        (Condition("region", "eu"), target(), True, f"region = eu {UNSAID}"),
        (Condition("region", "eu"), target(Tier.LOCAL), False, f"region = eu {UNSAID}"),
        (Condition("region_not", ("eu", "ch")), target(region="us"), True, "region_not = eu, ch (us)"),
        (Condition("region_not", ("eu", "ch")), target(region="ch"), False, "region_not = eu, ch (ch)"),
        (Condition("region_not", "eu"), target(Tier.LOCAL), False, f"region_not = eu {UNSAID}"),
        (Condition("region_not", "eu"), target(Tier.LOCAL, region="us"), True, "region_not = eu (us)"),
        (Condition("sla_not", "gold"), target(sla="silver"), True, "sla_not = gold (silver)"),
        (Condition("sla_not", "gold"), target(sla="gold"), False, "sla_not = gold"),
        (Condition("environment_not", "production"), target(), True, f"environment_not = production {UNSAID}"),
        (Condition("environment", "development"), target(environment="production"), False,
         "environment = development (production)"),
        (Condition("trains_on_data", True), target(trains_on_data=False), False, "trains_on_data = true (false)"),
        (Condition("trains_on_data", False), target(trains_on_data=False), True, "trains_on_data = false"),
        (Condition("retention_over_days", 0), target(retention_days=0), False, "retention_over_days = 0"),
        (Condition("retention_over_days", 0), target(retention_days=1), True, "retention_over_days = 0 (1)"),
        (Condition("retention_over_days", 0), target(), True, f"retention_over_days = 0 {UNSAID}"),
    ],
)  # fmt: skip
def test_what_is_stated_decides_and_silence_counts_against_what_is_outside(
    condition: Condition, at: Target, holds: bool, words: str
) -> None:
    assert (condition.holds(at), condition.words(at)) == (holds, words)


def test_every_key_of_the_grammar_that_is_not_about_the_call_is_a_condition_on_the_target() -> None:
    names = {field.name for field in msgspec.structs.fields(When)} - ON_THE_CALL
    given = When(**dict.fromkeys(names, "x"))
    assert {condition.key for condition in on_target(given)} == names
    assert on_target(When()) == ()


def test_a_condition_is_written_as_it_stands_in_the_file() -> None:
    assert written("key", ("a", "b")) == "key = a, b"
    assert written("trains_on_data", True) == "trains_on_data = true"
