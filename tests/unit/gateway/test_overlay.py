"""A workflow's release is one text, says the whole bundle, and names only what exists."""

from decimal import Decimal

import msgspec
import pytest

from tests.unit.gateway.test_decide import rules
from tierwise.core.errors import ConfigError
from tierwise.core.label import Label
from tierwise.gateway.overlay import BUNDLE, Canary, Overlay, Shadow, canonical, overlay_of, parse
from tierwise.gateway.workflow import Workflow
from tierwise.ledger.releases import Release, of_workflow
from tierwise.quality.settings import Gates

WHOLE = Overlay(
    candidates=("near", "far"),
    trusted=("near",),
    weights={"near": 2.0},
    strategy="cascade",
    gates=Gates(min_logprob={"near": -0.1}),
    on_gate_failure="flag",
    min_quality=0.9,
    certificate="sha256:1",
    prompt="p.toml",
    prompt_digest="sha256:2",
    first="near",
    canary=Canary(model="mid", share=Decimal("0.05"), salt="s"),
    shadow=Shadow(model="far", share=Decimal(1)),
)


def release(overlay: Overlay | None, number: int = 1, name: str = "tickets") -> Release:
    body = None if overlay is None else canonical(overlay)
    return Release(subject=of_workflow(name), number=number, who="w", why="y", ts=0.0, body=body)


def test_what_was_written_is_read_back_to_the_last_digit() -> None:
    assert parse(canonical(WHOLE)) == WHOLE
    assert b'"share":0.05' in canonical(WHOLE)
    assert canonical(parse(canonical(WHOLE))) == canonical(WHOLE)


@pytest.mark.parametrize("share", ["0", "-0.1", "1.01", "NaN", "Infinity", "1E-100000", "0.1234567891"])
def test_a_share_is_a_plain_part_of_one(share: str) -> None:
    with pytest.raises(ValueError, match="share"):
        Canary(model="m", share=Decimal(share), salt="")
    with pytest.raises((ConfigError, ValueError)):
        parse(b'{"shadow": {"model": "m", "share": %s}}' % share.encode())


def test_a_release_lays_the_bundle_over_the_workflow_and_leaves_what_only_the_file_says() -> None:
    own = rules()
    found = own.rolled_out(release(WHOLE))
    tickets = found.workflows["tickets"]
    assert [getattr(tickets, name) for name in BUNDLE] == [getattr(WHOLE, name) for name in BUNDLE]
    assert (tickets.label, tickets.match) == (Label.INTERNAL, own.workflows["tickets"].match)
    assert found.workflows["bank"] is own.workflows["bank"]
    back = found.rolled_out(release(None, 2))
    assert (back.workflows, back.rollouts) == (own.workflows, {})


def test_a_release_over_another_begins_from_the_file_again() -> None:
    own = rules()
    bare = overlay_of(own.workflows["tickets"])
    found = own.rolled_out(release(WHOLE)).rolled_out(release(bare, 2))
    assert found.workflows == own.workflows
    assert (found.rollouts["tickets"].number, found.rollouts["tickets"].file) == (2, own.workflows["tickets"])


@pytest.mark.parametrize("field", ["candidates", "trusted", "first", "canary", "shadow"])
def test_a_model_that_does_not_exist_is_refused_wherever_it_is_named(field: str) -> None:
    wrong = {
        "candidates": ("nera",), "trusted": ("nera",), "first": "nera",
        "canary": Canary(model="nera", share=Decimal(1), salt=""), "shadow": Shadow(model="nera", share=Decimal(1)),
    }  # fmt: skip
    with pytest.raises(ConfigError, match=r"nera.*near"):
        rules().rolled_out(release(msgspec.structs.replace(WHOLE, **{field: wrong[field]})))


def test_a_workflow_that_the_file_lacks_has_none_and_a_later_versions_word_is_an_error() -> None:
    own = rules()
    assert own.rolled_out(release(WHOLE, name="gone")).rollouts == {}
    later = msgspec.structs.replace(release(WHOLE), body=b'{"colour": "blue"}')
    with pytest.raises(ConfigError, match="this version"):
        own.rolled_out(later)


def test_what_is_on_trial_is_no_part_of_the_bundle_and_promoting_needs_it() -> None:
    assert (WHOLE.bundle.canary, WHOLE.bundle.shadow) == (None, None)
    promoted = WHOLE.promoted()
    assert (promoted.first, promoted.candidates, promoted.trusted) == ("mid", ("near", "far", "mid"), ("near", "mid"))
    with pytest.raises(ConfigError, match="nothing to promote"):
        promoted.promoted()


def test_a_release_says_the_whole_bundle_of_a_workflow() -> None:
    kept_by_the_file = {
        "name", "task", "match", "label", "baseline", "latency_ms", "max_cost_usd", "environment", "data", "scorer",
        "judge", "criteria",
    }  # fmt: skip
    assert set(Workflow.__struct_fields__) - set(BUNDLE) == kept_by_the_file, "a new field: is it of the bundle?"
