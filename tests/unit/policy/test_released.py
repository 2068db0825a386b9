"""The one text of a policy: what it is named by, and what is read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.config import parse as read
from tierwise.core.errors import ConfigError
from tierwise.core.label import Label, Tier
from tierwise.policy.released import Written, canonical, parse
from tierwise.policy.settings import LabelSettings, Rule, Then, When

NAMES = st.sampled_from(("a", "b", ("a", "b"), None))
RULES = st.builds(
    Rule,
    then=st.builds(Then, deny=st.booleans(), obligations=st.sampled_from(((), ("no_store",)))),
    when=st.builds(When, label=st.sampled_from((*Label, None)), workflow=NAMES, tier=st.sampled_from((*Tier, None))),
    name=st.text(max_size=5),
)
POLICIES = st.builds(
    Written,
    labels=st.builds(LabelSettings, ceilings=st.dictionaries(st.sampled_from(Label), st.sampled_from(Tier))),
    rule=st.lists(RULES, max_size=3).map(tuple),
)


def written(text: str) -> Written:
    document = read(text)
    return Written(labels=document.labels, rule=document.rule)


@given(POLICIES)
def test_a_policy_is_read_back_as_it_was(policy: Written) -> None:
    assert parse(canonical(policy)) == policy


def test_order_and_layout_of_the_file_do_not_matter_and_the_order_of_rules_does() -> None:
    one = written('[labels]\nceilings = { restricted = "local", internal = "self_hosted" }\ndefault = "public"')
    other = written(
        'labels.default = "public"\nlabels.ceilings.internal="self_hosted"\nlabels.ceilings.restricted="local"'
    )
    assert canonical(one) == canonical(other)
    first, second = '[[rule]]\nname="a"\nthen.deny=true\n', '[[rule]]\nname="b"\nthen.deny=true\n'
    assert canonical(written(first + second)) != canonical(written(second + first))


def test_defaults_are_written_down_so_that_another_version_keeps_the_meaning() -> None:
    assert b'"preset":"balanced"' in canonical(Written())
    assert b'"default":"internal"' in canonical(Written())


@pytest.mark.parametrize("text", [b"", b"{", b'{"labels":{"nonsense":1}}', b'{"labels":{"preset":"wild"}}', b"\xff"])
def test_what_this_version_does_not_know_is_refused(text: bytes) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        parse(text)
