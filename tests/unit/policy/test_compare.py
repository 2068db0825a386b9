"""What changed between two policies, in words."""

import pytest
from hypothesis import given

from tests.unit.policy.test_released import POLICIES, written
from tierwise.core.errors import ConfigError
from tierwise.core.label import Label
from tierwise.policy.compare import changes, whole
from tierwise.policy.released import Written, canonical
from tierwise.policy.settings import LabelSettings, Pattern, Rule, Then, When

CASES = [
    ("", 'labels.default = "restricted"', "what nobody labelled counts as restricted, not as internal", False),
    ("", 'labels.default = "public"', "what nobody labelled counts as public", True),
    ("", 'labels.preset = "strongest"', 'preset "strongest" instead of "balanced"', False),
    ("", 'labels.ceilings.internal = "self_hosted"', "internal data may go to servers that you run", False),
    ("", 'labels.ceilings.confidential = "frontier"', "confidential data may go anywhere (frontier)", False),
    ("", 'labels.detectors.card = "off"', "detector card is off", True),
    ("", 'labels.detectors.card = "internal"', "detector card makes a call internal instead of confidential", True),
    ("", 'labels.detectors.card = "restricted"', "detector card makes a call restricted", False),
    ("", 'labels.patterns.f = { pattern = "Falcon" }', "pattern f is new: what it finds makes a call confide", False),
    ('labels.patterns.f = { pattern = "Falcon" }', "", "pattern f is gone", True),
    ('labels.patterns.f = { pattern = "Fa" }', 'labels.patterns.f = { pattern = "Fo" }', "finds 'Fo' instead", True),
    ("", '[[rule]]\nname = "a"\nwhen.tier = "frontier"\nthen.deny = true', "a is new: tier frontier → deny", False),
    ('[[rule]]\nname = "a"\nthen.deny = true', "", "rule a is gone: always → deny", False),
    (
        '[[rule]]\nname = "a"\nthen.deny = true',
        '[[rule]]\nname = "a"\nwhen.workflow = ["x", "y"]\nthen.obligations = ["no_store"]',
        "rule a changed: workflow x or y → no_store; it was: always → deny",
        False,
    ),
    (
        '[[rule]]\nname = "a"\nthen.deny = true',
        '[[rule]]\nname = "a"\nthen.deny = true\nreason = "b"',
        "rule a gives another reason: 'b'",
        False,
    ),
]


@pytest.mark.parametrize(("before", "after", "text", "loosens"), CASES)
def test_each_change_is_said(before: str, after: str, text: str, loosens: bool) -> None:
    found = changes(written(before), written(after))
    assert any(text in change.text for change in found), found
    assert any(change.loosens for change in found) is loosens


def test_rules_in_another_order_are_told() -> None:
    a, b = '[[rule]]\nname = "a"\nthen.deny = true\n', '[[rule]]\nname = "b"\nthen.deny = true\n'
    (change,) = changes(written(a + b), written(b + a))
    assert "another order" in change.text


def test_ceilings_that_loosen_with_the_label_are_no_policy() -> None:
    with pytest.raises(ConfigError, match="less sensitive"):
        changes(Written(), written('labels.ceilings.public = "local"'))


@given(POLICIES, POLICIES)
def test_what_differs_is_never_silent(before: Written, after: Written) -> None:
    try:
        found = changes(before, after)
    except ConfigError:
        return
    if canonical(before) == canonical(after):
        assert found == ()
    unnamed = any(not rule.name for rule in (*before.rule, *after.rule))
    if not found and not unnamed:
        assert before.rule == after.rule or len({rule.name for rule in before.rule}) < len(before.rule)


def test_a_policy_is_told_whole() -> None:
    pattern = Pattern(pattern="PRJ-[0-9]+", label=Label.RESTRICTED)
    labels = LabelSettings(preset="private", detectors={"card": "off"}, patterns={"project": pattern})
    rule = Rule(name="eu", when=When(region_not=("eu", "ch")), then=Then(deny=True), reason="residency")
    told = list(whole(Written(labels=labels, rule=(rule,))))
    assert told[:5] == [
        "public data may go anywhere (frontier)",
        "internal data may go to servers that you run (self_hosted)",
        "confidential data may go to servers that you run (self_hosted)",
        "restricted data may go to this machine (local)",
        "what nobody labelled counts as internal",
    ]
    assert told[5].startswith("detector card is off")
    assert told[6] == "pattern project is new: what it finds makes a call restricted"
    assert told[7:] == ["rule eu: region_not eu or ch → deny (residency)"]
