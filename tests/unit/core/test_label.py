"""Labels only tighten; secrets never show."""

import json
import pickle

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.label import Label, Tier, highest
from tierwise.core.secret import Secret


@given(st.lists(st.sampled_from(Label)), st.sampled_from(Label))
def test_another_label_never_loosens(labels: list[Label], more: Label) -> None:
    assert highest([*labels, more]).rank >= highest(labels).rank
    assert highest([*labels, more]).rank >= more.rank


def test_scales_are_ordered() -> None:
    assert [label.value for label in sorted(Label, key=lambda x: x.rank)] == [
        "public", "internal", "confidential", "restricted",
    ]  # fmt: skip
    assert Tier.LOCAL.rank < Tier.SELF_HOSTED.rank < Tier.FRONTIER.rank


def test_a_secret_shows_nowhere() -> None:
    secret = Secret("sk-live-7")
    shown = f"{secret} {secret!r} {secret:>5} {[secret]} { ({'k': secret}) }"
    assert "sk-live-7" not in shown
    assert secret.reveal() == "sk-live-7"
    with pytest.raises(TypeError):
        json.dumps(secret)
    with pytest.raises(TypeError):
        msgspec.json.encode(secret)
    with pytest.raises(TypeError):
        pickle.dumps(secret)
