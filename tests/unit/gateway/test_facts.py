"""What is known at this moment: bounded, and apart by key."""

import pytest

from tierwise.core.label import Label
from tierwise.fallback.breaker import BreakerSettings
from tierwise.gateway.facts import MAX_SESSIONS, MAX_TOOL_CALLS, Facts


@pytest.fixture
def facts() -> Facts:
    return Facts(BreakerSettings(), ())


def test_the_maker_of_a_tool_call_is_known_to_its_key_alone(facts: Facts) -> None:
    facts.made("a", ["c1", "c2"], "near")
    assert [facts.maker("a", calls) for calls in (["c1"], ["gone", "c2"], ["gone"], [])] == ["near", "near", None, None]
    assert facts.maker("b", ["c1"]) is facts.maker(None, ["c1"]) is None


def test_the_oldest_makers_are_forgotten_beyond_the_limit(facts: Facts) -> None:
    facts.made("a", (f"c{number}" for number in range(MAX_TOOL_CALLS + 2)), "near")
    assert [facts.maker("a", [f"c{number}"]) for number in (0, 1, 2)] == [None, None, "near"]


def test_the_session_least_recently_used_is_forgotten_beyond_the_limit(facts: Facts) -> None:
    for number in range(MAX_SESSIONS):
        facts.stick("a", f"s{number}", Label.INTERNAL)
    facts.stick("a", "s0", Label.PUBLIC)
    facts.stick("b", "s0", Label.PUBLIC)
    assert facts.session_label("a", "s1") is None
    assert facts.session_label("a", "s0") is Label.INTERNAL, "a label only rises"
    assert facts.session_label("b", "s0") is Label.PUBLIC


def test_an_estimate_is_corrected_by_the_highest_ratio_seen_which_fades(facts: Facts) -> None:
    assert facts.corrected("near", 100) == 100
    facts.read("near", 100, 40)
    assert facts.corrected("near", 100) == 40
    facts.read("near", 100, 20)
    assert 39 < facts.corrected("near", 100) <= 40
    facts.read("near", 100, 50)
    assert facts.corrected("near", 100) == 50
    assert facts.corrected("far", 100) == 100
    facts.read("near", 0, 7)
    assert facts.corrected("near", 100) == 50
