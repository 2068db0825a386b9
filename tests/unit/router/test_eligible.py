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
