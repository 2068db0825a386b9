import pytest

from tests.unit.evals.scorers.scoring import item
from tierwise.evals.scorers.score import Score, Simple, valued


@pytest.mark.parametrize("value", [10**400, float("nan"), float("inf"), -0.1, 1.1, "1", None, [1]])
def test_what_is_no_number_from_0_to_1_is_no_score(value: object) -> None:
    found = valued(value)
    assert (found.value, found.problem) == (None, "scorer_failed")


def test_truth_is_a_score() -> None:
    assert (valued(True).value, valued(False).value, valued(0.25).value) == (1.0, 0.0, 0.25)


def test_a_function_that_raises_loses_no_answer() -> None:
    def broken(text: str, reference: object, item: object) -> Score:
        raise RuntimeError("no")

    found = Simple("x", "x", broken).score("text", 1, item())
    assert (found.value, found.problem, found.why) == (None, "scorer_failed", "RuntimeError: no")
