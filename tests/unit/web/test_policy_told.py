"""A policy told to people: every condition has its sentence, rules stand in their order, and what is off is said."""

import msgspec
import pytest

from tierwise.core.label import Label, Tier
from tierwise.policy import national
from tierwise.policy.patterns import DETECTORS
from tierwise.policy.released import Written
from tierwise.policy.settings import LabelSettings, Pattern, Rule, Then, When
from tierwise.web import policy_told

GIVEN = {
    "label": "confidential", "trains_on_data": True, "retention_over_days": 30, "tier": "frontier",
    "environment": "production", "environment_not": ["production", "development"], "workflow_environment": "production",
}  # fmt: skip


@pytest.mark.parametrize("name", When.__struct_fields__)
def test_every_condition_that_can_be_written_has_a_sentence(name: str) -> None:
    value = GIVEN.get(name, ["ours", "theirs"])
    rule = Rule(when=msgspec.convert({name: value}, When), then=Then(deny=True), name="r", reason="because")
    (told,) = (row for row in policy_told.rules(Written(rule=(rule,))) if not row.ceiling)
    (said,) = told.when
    assert told.denies and told.reason == "because" and "{" not in said
    assert name == "trains_on_data" or any(str(one) in said for one in (value if isinstance(value, list) else [value]))


def test_ceilings_come_before_rules_and_rules_in_their_order() -> None:
    duty = Rule(then=Then(obligations=("pseudonymise",)))
    rows = policy_told.rules(Written(rule=(duty, Rule(then=Then(require="all"), name="whole"))))
    assert [row.name for row in rows] == ["ceiling of confidential", "ceiling of restricted", "1", "whole"]
    assert rows[2].when == ("always",) and rows[2].then == ("values are replaced by placeholders",)
    assert not rows[2].denies


def test_what_finds_otherwise_than_usual_stands_first_and_what_is_off_last() -> None:
    labels = LabelSettings(
        detectors={"card": "off", "iban": "restricted"}, patterns={"own": Pattern(pattern="x+", label=Label.INTERNAL)}
    )
    found = policy_told.detectors(labels)
    assert [one.name for one in found[:2]] == ["own", "iban"] and "x+" in found[0].what
    by = {one.name: one for one in found}
    assert (by["card"].label, by["card"].usual) == ("", "confidential")
    assert {one.name for one in found} == {"own", *(row.name for row in DETECTORS)}
    assert not found[-1].label
    more = {one.name for one in policy_told.detectors(LabelSettings(identifiers=True))}
    assert more >= national.NAMES


def test_the_matrix_has_every_label_at_every_endpoint_in_their_order() -> None:
    reach = [
        {"endpoint": name, "tier": tier, "environment": None, "label": label.value, "allowed": 1}
        for name, tier in (("here", Tier.LOCAL), ("far", Tier.FRONTIER))
        for label in Label
    ]
    columns = policy_told.matrix(reach)
    assert [one.endpoint for one in columns] == ["here", "far"]
    assert all(list(one.cells) == [label.value for label in Label] for one in columns)
