"""A key's grant takes away and never gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.grant import Grant
from tierwise.core.label import Label, Tier
from tierwise.core.model import Endpoint, Model
from tierwise.policy.granted import granted
from tierwise.policy.judge import Judgement, Target

MODELS = ("small", "large-1", "large-2")
PATTERNS = st.lists(st.sampled_from(["small", "large-*", "*", "Small", "large"]), max_size=3).map(tuple)
GRANTS = st.none() | st.builds(Grant, name=st.just("k"), models=PATTERNS, label=st.none() | st.sampled_from(Label))
ALLOWED, DENIED = Judgement(allowed=True, obligations=("no_store",)), Judgement(allowed=False, rule="rule:x")


def target(model: str) -> Target:
    return Target(
        Endpoint(name="e", kind="scripted", wires=("chat",), tier=Tier.LOCAL),
        Model(id=model, endpoint="e", served_name=model),
    )


@given(GRANTS, st.sampled_from(Label), st.sampled_from(MODELS))
def test_it_only_takes_away(grant: Grant | None, label: Label, model: str) -> None:
    still = granted(DENIED, grant, label, target(model))
    assert (still.allowed, still.rule) == (False, "rule:x")
    after = granted(ALLOWED, grant, label, target(model))
    assert after.obligations == ALLOWED.obligations
    names = grant is None or not grant.models or any(_fits(model, p) for p in grant.models)
    labelled = grant is None or grant.label is None or list(Label).index(label) <= list(Label).index(grant.label)
    assert after.allowed == (names and labelled)
    denials = [told.rule for told in after.beside]
    assert denials == [rule for rule, reaches in (("key:label", labelled), ("key:models", names)) if not reaches]
    assert [told.rule for told in still.beside] == denials


def _fits(model: str, pattern: str) -> bool:
    return model.startswith(pattern[:-1]) if pattern.endswith("*") else model == pattern


@pytest.mark.parametrize(
    ("grant", "rule"),
    [
        (Grant(name="k", models=("small",)), "key:models"),
        (Grant(name="k", label=Label.PUBLIC), "key:label"),
        (Grant(name="k", label=Label.PUBLIC, models=("small",)), "key:label"),
    ],
)
def test_the_record_says_what_denied(grant: Grant, rule: str) -> None:
    denied = granted(ALLOWED, grant, Label.INTERNAL, target("large-1"))
    assert (denied.allowed, denied.rule) == (False, rule)
    assert grant.name in denied.reason
