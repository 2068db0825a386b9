"""A filter looks at one candidate only, and the first that objects is named."""

from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.label import Tier
from tierwise.router.candidate import Candidate, Need
from tierwise.router.eligible import FILTERS, exclusion


@given(st.integers(0, 400), st.integers(0, 400), st.sampled_from([None, 300]))
def test_context_counts_input_and_output(tokens: int, output: int, room: int | None) -> None:
    candidate = Candidate(model="m", endpoint="e", tier=Tier.LOCAL, context_tokens=room, input_tokens=tokens)
    found = exclusion(candidate, Need(output_tokens=output))
    assert (found is not None) is (room is not None and tokens + output > room)


def test_the_first_objection_is_named() -> None:
    candidate = Candidate(model="m", endpoint="e", tier=Tier.LOCAL, tasks=("x",), unavailable="down")
    found = exclusion(candidate, Need())
    assert found is not None
    assert found.by == FILTERS[0][0] == "tasks"


def test_a_reason_says_which_probe_took_it_away() -> None:
    lacks = {"tools": "tools ignored on chat, as the probe of 2026-11-21 saw", "logprobs": "not asked for here"}
    candidate = Candidate(model="m", endpoint="e", tier=Tier.LOCAL, lacks=lacks)  # type: ignore[arg-type]
    found = exclusion(candidate, Need(capabilities=frozenset({"tools"})))
    assert found is not None
    assert found.reason == "cannot do tools: tools ignored on chat, as the probe of 2026-11-21 saw"
    short = Candidate(
        model="m", endpoint="e", tier=Tier.LOCAL, context_tokens=5, input_tokens=9, context_note="as seen"
    )
    found = exclusion(short, Need())
    assert found is not None
    assert found.reason.endswith("context is 5, as seen")
