from pathlib import Path

import pytest

from tierwise.core.errors import ConfigError
from tierwise.evals.scorers.spec import PLAIN, WITH, scorer


@pytest.mark.parametrize("spec", sorted(PLAIN))
def test_a_word_means_its_scorer(spec: str) -> None:
    assert scorer(spec).spec == spec
    assert scorer(spec).needs_reference


@pytest.mark.parametrize("spec", ["", "exakt", "exact:", "exact:1", "ROUGE_L"])
def test_a_word_that_means_none_is_refused_with_those_that_there_are(spec: str) -> None:
    with pytest.raises(ConfigError, match=r"there are exact, .*python"):
        scorer(spec)


@pytest.mark.parametrize("spec", ["python:", "python:none.py:f", "python:f", "command:", "command:'", "chrf:2"])
def test_what_a_scorer_cannot_take_is_refused(spec: str, tmp_path: Path) -> None:
    assert spec.partition(":")[0] in WITH
    with pytest.raises(ConfigError, match="scorer"):
        scorer(spec, tmp_path)


def test_every_scorer_stands_in_the_page() -> None:
    page = (Path(__file__).parents[4] / "docs" / "reference" / "scorers.md").read_text("utf-8")
    assert all(f"`{name}" in page for name in (*PLAIN, *WITH))
