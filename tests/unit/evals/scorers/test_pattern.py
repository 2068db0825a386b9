from pathlib import Path

import pytest

from tests.unit.evals.scorers.scoring import score
from tierwise.core.errors import ConfigError
from tierwise.evals.scorers.pattern import regex


def test_a_pattern_may_stand_anywhere_unless_it_is_bound() -> None:
    assert score("regex:INV-[0-9]+", "see INV-12 there").value == 1.0
    assert score("regex:^INV-[0-9]+$", "see INV-12 there").value == 0.0
    assert score("regex:^INV-[0-9]+$", " INV-12\n").value == 1.0


def test_a_reference_can_be_the_pattern() -> None:
    assert score("regex", "yes, please", "(?i)^YES").value == 1.0
    assert score("regex", "no", ["(?i)^yes", "^no$"]).value == 1.0


def test_a_pattern_with_a_colon_is_whole() -> None:
    assert score("regex:a:b", "a:b").value == 1.0
    assert not regex("regex:a:b", "a:b", Path()).needs_reference


def test_what_is_no_pattern_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(ConfigError, match="not a pattern"):
        score("regex:(", "x")
    assert score("regex", "x", "(").problem == "scorer_failed"


def test_no_pattern_takes_forever() -> None:
    assert score("regex:^(a+)+$", "a" * 50_000 + "b").value == 0.0
