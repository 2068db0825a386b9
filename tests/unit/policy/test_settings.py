"""The grammar is closed, and ceilings cannot be written so that a higher label reaches farther."""

import msgspec
import pytest

from tierwise.core.errors import ConfigError
from tierwise.core.label import Label, Tier
from tierwise.policy.settings import LabelSettings, Rule, ceilings


@pytest.mark.parametrize("preset", ["balanced", "strongest"])
def test_open_presets(preset: str) -> None:
    settings = msgspec.convert({"preset": preset}, LabelSettings)
    assert ceilings(settings) == {
        Label.PUBLIC: Tier.FRONTIER,
        Label.INTERNAL: Tier.FRONTIER,
        Label.CONFIDENTIAL: Tier.SELF_HOSTED,
        Label.RESTRICTED: Tier.LOCAL,
    }


def test_private_keeps_internal_inside_and_a_ceiling_can_be_given() -> None:
    settings = msgspec.convert({"preset": "private", "ceilings": {"confidential": "local"}}, LabelSettings)
    assert ceilings(settings)[Label.INTERNAL] is Tier.SELF_HOSTED
    assert ceilings(settings)[Label.CONFIDENTIAL] is Tier.LOCAL


def test_a_ceiling_above_that_of_a_lower_label_is_refused() -> None:
    settings = msgspec.convert({"ceilings": {"restricted": "frontier"}}, LabelSettings)
    with pytest.raises(ConfigError, match="at most self_hosted") as caught:
        ceilings(settings)
    assert caught.value.key == "labels.ceilings.restricted"


@pytest.mark.parametrize(
    "rule",
    [
        {"when": {"colour": "red"}, "then": {"deny": True}},
        {"when": {}, "then": {"allow": True}},
        {"when": {}, "then": {"obligations": ["redact"]}},
        {"when": {"tier": "moon"}, "then": {"deny": True}},
        {"when": {}},
        {"when": {}, "then": {"deny": True}, "because": "x"},
    ],
)
def test_the_rule_grammar_is_closed(rule: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(rule, Rule)


def test_one_name_or_several() -> None:
    rule = msgspec.convert(
        {
            "when": {"tier": ["frontier", "self_hosted"], "region_not": "eu", "label": "internal"},
            "then": {"deny": True},
        },
        Rule,
    )
    assert rule.when.tier == (Tier.FRONTIER, Tier.SELF_HOSTED)
    assert rule.when.region_not == "eu"
